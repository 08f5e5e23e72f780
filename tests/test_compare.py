"""An experiment is what the long way gives: each student a Distiller alone on its batches, each mean by NumPy."""

import dataclasses
import datetime
import functools
import re
import warnings
from pathlib import Path

import joblib
import keras
import numpy as np
import pytest
from nbval.plugin import get_sanitize_patterns
from small import CLASSES, FEATURES, RANDOM, X, Y, hard_values, logits

from distill_edu import Dataset, Distiller, Ensemble, cache, compare, load_dataset, losses, metrics, models, trained
from distill_edu import hints as hint_kinds
from distill_edu._inside import engine, lessons  # noqa: TID251 - each student alone needs its batches
from distill_edu.evidence import Experiment

pytestmark = pytest.mark.usefixtures("folder")

DATA = Dataset("small", (X, Y), (X[:9], Y[:9]), (X[9:], Y[9:]), tuple("abcd"), RANDOM.randn(20, FEATURES).astype("f4"))
SHORT = {"steps": 6, "batch_size": 8, "progress": False}


def build(data, units=5, activation="relu", norm=False, dropout=0.0):
    blocks = [keras.layers.Dense(units, activation, name="h")]
    blocks += [keras.layers.BatchNormalization()] if norm else []
    blocks += [keras.layers.Dropout(dropout)] if dropout else []
    return keras.Sequential([keras.Input((FEATURES,)), *blocks, keras.layers.Dense(CLASSES)])


@pytest.fixture(scope="module")
def teacher():
    teacher = keras.Sequential(
        [keras.Input((FEATURES,)), keras.layers.Dense(7, "relu", name="h"), keras.layers.Dense(CLASSES)]
    )
    teacher.set_weights([3 * np.random.RandomState(5).randn(*weight.shape) for weight in teacher.get_weights()])
    return teacher


def alone(seed, settings, teacher, *, x=X, y=Y, z=None, rate=0.001, steps=6, hints=(), **built):
    """One student the long way: Keras's fit, batch after batch."""
    keras.utils.set_random_seed(seed)
    student = build(DATA, **built)
    distiller = Distiller(student=student, teacher=teacher if hints else None, hints=hints)
    distiller.compile(keras.optimizers.Adam(rate), run_eagerly=True, **settings)
    z = logits(teacher, x) if z is None else z
    rows = lessons.batches(len(x), steps, 8, seed)
    for batch in rows:
        distiller.fit(
            x[batch], {"labels": y[batch], "teacher_logits": z[batch]}, batch_size=8, shuffle=False, verbose=0
        )
    return student


def classes(student):
    return logits(student, DATA.test[0]).argmax(axis=-1)


def nlls(found, arm):
    return found.nll[arm].ravel()


def by_hand(student):
    return metrics.nll(DATA.test[1], logits(student, DATA.test[0]))


ARMS = {
    "labels": {"alpha": 1.0},
    "hot": {"temperature": 8.0, "alpha": 0.0},
    "wide": {"units": 9},
    "reverse": {"soft_loss": "reverse_kl"},
    "between": {"soft_loss": losses.JensenShannon(0.2)},
}
AS_ALONE = {
    "labels": ({"alpha": 1.0}, {}),
    "hot": ({"temperature": 8.0, "alpha": 0.0}, {}),
    "wide": ({}, {"units": 9}),
    "reverse": ({"soft_loss": "reverse_kl"}, {}),
    "between": ({"soft_loss": losses.JensenShannon(0.2)}, {}),
}


@pytest.mark.slow
def test_every_student_of_every_arm_is_a_distiller_alone_on_its_batches(teacher):
    found = compare(DATA, teacher, build, ARMS, seeds=[0, 3], **SHORT)
    for arm, (settings, built) in AS_ALONE.items():
        students = [alone(seed, settings, teacher, **built) for seed in (0, 3)]
        assert np.allclose(nlls(found, arm), [by_hand(student) for student in students], rtol=1e-4)
        assert (found.classes[arm] == [classes(student) for student in students]).all()
        assert (found.right[arm] == (found.classes[arm] == DATA.test[1])).all()


@pytest.mark.slow
@pytest.mark.parametrize("built", [{"norm": True}, {"dropout": 0.5}, {"activation": "tanh"}])
def test_layers_with_a_state_learn_as_alone(teacher, built):
    """Statistics of a BatchNormalization and the random numbers of a Dropout are each student's own."""
    found = compare(DATA, teacher, build, {"one": built}, seeds=3, **SHORT)
    assert np.allclose(nlls(found, "one"), [by_hand(alone(seed, {}, teacher, **built)) for seed in range(3)], rtol=1e-4)


@pytest.mark.nightly
def test_xla_changes_no_more_than_rounding(teacher, monkeypatch):
    plain = compare(DATA, teacher, build, {"one": {}}, seeds=3, **{**SHORT, "steps": 50})
    monkeypatch.setattr(engine, "WORTH_XLA", 0)
    monkeypatch.setenv("DISTILL_EDU_CACHE", "/nowhere")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the folder
        compiled = compare(DATA, teacher, build, {"one": {}}, seeds=3, **{**SHORT, "steps": 50})
    assert np.allclose(nlls(plain, "one"), nlls(compiled, "one"), atol=1e-4)


@pytest.mark.nightly
@pytest.mark.parametrize("optimizer", ["rmsprop", keras.optimizers.Adam(0.01, clipnorm=0.1)])
def test_any_optimizer_does_what_it_does_alone(teacher, optimizer):
    """The second one looks at a weight as a whole, so its students learn one by one."""
    found = compare(DATA, teacher, build, {"one": {}}, seeds=2, optimizer=optimizer, **SHORT)
    for seed in range(2):
        keras.utils.set_random_seed(seed)
        distiller = Distiller(student=build(DATA))
        fresh = keras.optimizers.get(optimizer)
        distiller.compile(type(fresh).from_config(fresh.get_config()), run_eagerly=True)
        for batch in lessons.batches(len(X), 6, 8, seed):
            targets = {"labels": Y[batch], "teacher_logits": logits(teacher, X)[batch]}
            distiller.fit(X[batch], targets, batch_size=8, shuffle=False, verbose=0)
        assert np.isclose(nlls(found, "one")[seed], by_hand(distiller.student), rtol=1e-4)


@pytest.mark.nightly
def test_a_rate_is_the_optimizers_and_a_schedule_keeps_its_shape(teacher):
    found = compare(DATA, teacher, build, {"slow": {"rate": 0.001}, "quick": {"rate": 0.02}}, seeds=2, **SHORT)
    for arm, rate in (("slow", 0.001), ("quick", 0.02)):
        assert np.allclose(nlls(found, arm), [by_hand(alone(s, {}, teacher, rate=rate)) for s in range(2)], rtol=1e-4)
    falling = keras.optimizers.schedules.CosineDecay(1.0, 6)
    optimizer = keras.optimizers.Adam(falling)
    found = compare(DATA, teacher, build, {"one": {"rate": 0.02}}, seeds=1, optimizer=optimizer, **SHORT)
    by_its_own = compare(
        DATA, teacher, build, {"one": {}}, seeds=1,
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, 6)), **SHORT,
    )  # fmt: skip
    assert np.allclose(nlls(found, "one"), nlls(by_its_own, "one"), rtol=1e-5)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["Hint", "RelationalDistance"])
def test_hints_learn_as_alone_each_weight_its_own(teacher, kind):
    hints = [getattr(hint_kinds, kind)("h", "h", weight=weight) for weight in (0.5, 20.0)]
    arms = {"light": {"hints": hints[0]}, "heavy": {"hints": (hints[1],)}}
    found = compare(DATA, teacher, build, arms, seeds=2, **SHORT)
    for arm, hint in zip(arms, hints, strict=True):
        fresh = [type(hint).from_config(hint.get_config()) for _ in range(2)]
        students = [alone(seed, {}, teacher, hints=[one]) for seed, one in enumerate(fresh)]
        assert np.allclose(nlls(found, arm), [by_hand(student) for student in students], rtol=1e-4)


class Scaled(hint_kinds.Hint):
    """Scales each feature; what it keeps in `beside` is in no configuration."""

    beside = 1.0

    def __init__(self, student_layer, teacher_layer, scales=1.0, **keras_arguments):
        super().__init__(student_layer, teacher_layer, **keras_arguments)
        self.scales = np.asarray(scales, "float32")

    def call(self, student_features, teacher_features):
        return keras.ops.mean(self.scales) * self.beside * super().call(student_features, teacher_features)

    def get_config(self):
        return {**super().get_config(), "scales": self.scales}


@pytest.mark.nightly
def test_what_a_hint_keeps_counts_or_is_refused(teacher):
    scales = {"light": np.ones(5000), "heavy": np.where(np.arange(5000) == 2500, 1e6, 1.0)}  # their texts are one: ...
    arms = {name: {"hints": Scaled("h", "h", some)} for name, some in scales.items()}
    found = compare(DATA, teacher, build, arms, seeds=1, **SHORT)
    for name, some in scales.items():
        assert np.allclose(nlls(found, name), by_hand(alone(0, {}, teacher, hints=[Scaled("h", "h", some)])), rtol=1e-4)
    taken = Scaled("h", "h", scales["heavy"], weight=0.5)
    alone(0, {}, teacher, hints=[taken])  # a hint that somebody else has serves as a pattern
    compare(DATA, teacher, build, {"taken": {"hints": taken}}, seeds=1, **SHORT)
    for hint in (taken, Scaled("h", "h")):
        hint.beside = 1e4
        with pytest.raises(ValueError, match="needs its own copy of the Scaled, .* What it keeps besides is lost"):
            compare(DATA, teacher, build, {"beside": {"hints": hint}}, seeds=1, **SHORT)


@pytest.mark.nightly
def test_convolutions_and_pools_learn_as_alone(teacher):
    """In a group they are matrix products and maxima, compiled by XLA."""
    digits = load_dataset("digits")
    digits = dataclasses.replace(digits, train=tuple(part[:60] for part in digits.train))
    of_images = trained(models.cnn, digits, epochs=1, width=4)
    hint = hint_kinds.AttentionTransfer("pool1", "pool1", weight=3.0)
    arms = {"soft": {"width": 2}, "hint": {"width": 2, "hints": hint}}
    found = compare(digits, of_images, models.cnn, arms, seeds=3, **SHORT)
    x, y = digits.train
    for arm, hints in (("soft", ()), ("hint", [type(hint).from_config(hint.get_config())])):
        keras.utils.set_random_seed(1)
        student = models.cnn(digits, width=2)
        distiller = Distiller(student=student, teacher=of_images if hints else None, hints=hints)
        distiller.compile("adam", run_eagerly=True)
        for rows in lessons.batches(60, 6, 8, seed=1):
            targets = {"labels": y[rows], "teacher_logits": logits(of_images, x)[rows]}
            distiller.fit(x[rows], targets, batch_size=8, shuffle=False, verbose=0)
        expected = metrics.nll(digits.test[1], logits(student, digits.test[0]))
        assert np.isclose(nlls(found, arm)[1], expected, rtol=1e-4)


@pytest.mark.slow
def test_hints_may_look_at_another_model_than_the_soft_targets(teacher):
    blank = build(DATA, units=7)
    hint = hint_kinds.Hint("h", "h", weight=5.0)
    arms = {"soft": {}, "teacher's": {"hints": hint}, "blank's": {"hints": hint, "teacher": {"hints": blank}}}
    found = compare(DATA, teacher, build, arms, seeds=1, **SHORT)
    z = logits(teacher, X)
    expected = alone(0, {}, blank, z=z, hints=[hint_kinds.Hint("h", "h", weight=5.0)])
    assert np.isclose(nlls(found, "blank's")[0], by_hand(expected), rtol=1e-4)
    assert len({float(nlls(found, arm)[0]) for arm in arms}) == 3


def test_the_footer_says_whether_each_seed_has_its_own_teacher(teacher):
    arms = {"labels": {"alpha": 1.0}, "soft": {}}
    one = compare(DATA, teacher, build, arms, seeds=2, **SHORT)
    own = compare(DATA, None, build, {**arms, "soft": {"teacher": lambda x, y: teacher}}, seeds=2, **SHORT)
    assert "another teacher or another split" in str(one.gains(over="labels"))
    says = str(own.gains(over="labels"))
    assert "cover the students' starts and batches, each seed's own teacher, and" in says
    assert "another teacher" not in says and "another split" in says
    by_title = one.gains(over="labels", title="one") | own.gains(over="labels", title="own")
    for joined in (by_title, (one | own).gains(over="labels"), (own | one).gains(over="labels")):
        assert "batches, each seed's own teacher (in some questions), and" in str(joined)
        assert "do not cover another teacher (in the others) or another split" in str(joined)


def test_what_is_learned_instead_of_the_soft_targets(teacher):
    def turned(p, labels, random):
        assert np.allclose(p.sum(-1), 1)
        assert (labels == Y).all()
        return np.roll(p, 1, axis=-1)

    found = compare(DATA, teacher, build, {"turned": {"targets": turned, "temperature": 2.0}}, seeds=1, **SHORT)
    student = alone(0, {"temperature": 2.0}, teacher, z=np.roll(logits(teacher, X), 1, axis=-1))
    assert np.isclose(nlls(found, "turned")[0], by_hand(student), rtol=1e-4)


@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_the_transfer_set_comes_without_labels_and_train_replaces_the_training_set(teacher, dtype):
    data = dataclasses.replace(DATA, train=(X, Y.astype(dtype)))
    other = X[:12], (Y[:12] + 1) % CLASSES
    arms = {"transfer": {"transfer": True}, "other": {"train": other}}
    found = compare(data, teacher, build, arms, seeds=1, **SHORT)
    more = np.concatenate([X, DATA.transfer]), np.concatenate([Y, np.full(20, -1)])
    for arm, (x, y) in {"transfer": more, "other": other}.items():
        assert np.isclose(nlls(found, arm)[0], by_hand(alone(0, {}, teacher, x=x, y=y)), rtol=1e-4)


def test_an_arms_own_teacher_is_made_of_its_own_examples(teacher):
    seen = []
    own = {"teacher": lambda x, y: seen.append(len(x)) or teacher}
    compare(DATA, None, build, {"all": own, "few": {**own, "train": (X[:9], Y[:9])}}, seeds=2, **SHORT)
    assert seen == [33, 33, 9, 9]


@pytest.mark.parametrize("shape", [(32,), (16, 2)])
@pytest.mark.parametrize("judge", ["accuracy", "nll"])
def test_an_example_without_a_label_is_judged_nowhere(shape, judge):
    x, labels = X[:32].reshape(*shape, FEATURES), Y[:32].reshape(shape).copy()
    known = np.arange(len(x)) % 3 > 0
    labels[~known] = -1

    def plain(data):
        return keras.Sequential([keras.Input((*shape[1:], FEATURES)), keras.layers.Dense(CLASSES)])

    data = Dataset("some", *[(x, labels)] * 3, tuple("abcd"))
    found = compare(data, None, plain, {"a": {}}, alpha=1.0, judge=judge, seeds=2, **SHORT)
    hits = (found.classes["a"] == labels).reshape(2, len(x), -1)[:, known]
    assert (found.right["a"] == hits.mean(axis=-1)).all() and np.isfinite(found.nll["a"]).all()
    assert found.nll["a"].shape == ((2, known.sum()) if judge == "nll" else (2,))


def test_the_nll_of_an_example_is_computed_in_float32():
    def half(data):
        return keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(CLASSES, dtype="mixed_bfloat16")])

    found = compare(DATA, None, half, {"a": {}}, alpha=1.0, judge="nll", seeds=1, show=["a"], **SHORT)
    x, labels = DATA.test
    (z,) = lessons.answers([found.students["a"]], x)
    assert np.allclose(nlls(found, "a"), hard_values(labels, z.astype(float)), atol=2e-3)


@pytest.mark.nightly
def test_each_seed_draws_its_own_examples_the_same_in_every_arm(teacher):
    seen = []

    def of_the_drawn(x, y):
        seen.append(y)
        return teacher

    arms = {"labels": {"alpha": 1.0}, "own": {"teacher": of_the_drawn}, "soft": {}}
    found = compare(DATA, teacher, build, arms, seeds=2, draw=10, **SHORT)
    for seed in range(2):
        rows = np.random.default_rng(seed).choice(33, 10, replace=False)
        assert len(set(rows)) == 10
        student = alone(seed, {"alpha": 1.0}, teacher, x=X[rows], y=Y[rows])
        assert np.isclose(nlls(found, "labels")[seed], by_hand(student), rtol=1e-4)
        assert (seen[seed] == Y[rows]).all()
    assert np.allclose(nlls(found, "own"), nlls(found, "soft"))
    gains = found.gains(over="labels", title="drawn")
    assert "own teacher, the draw of 10 training examples, and the test" in str(gains)
    all_of_them = compare(DATA, teacher, build, {"labels": {"alpha": 1.0}, "soft": {}}, seeds=2, **SHORT)
    assert "the draw of 10 training examples (in some questions), and" in str(all_of_them.gains(over="labels") | gains)


@pytest.mark.nightly
def test_a_list_is_tried_on_validation_by_students_with_seeds_of_their_own(teacher):
    arms = {"labels": {"alpha": 1.0, "rate": [1e-5, 0.05]}, "soft": {"temperature": [1.0, 30.0], "rate": [1e-5, 0.05]}}
    found = compare(DATA, teacher, build, arms, seeds=1, tune=2, **{**SHORT, "steps": 30})
    assert [len(found.tried[arm]) for arm in arms] == [2, 4]
    for arm in arms:
        best, score = max(found.tried[arm], key=lambda pair: pair[1])
        assert found.chosen[arm] == {name: best[name] for name in found.chosen[arm]}
    option, score = found.tried["labels"][1]
    tuners = [alone(1000 + k, {"alpha": 1.0}, teacher, rate=0.05, steps=30) for k in range(2)]
    x, y = DATA.valid
    assert np.isclose(score, np.mean([metrics.accuracy(y, logits(one, x)) for one in tuners]))
    assert f"rate {found.chosen['labels']['rate']}" in str(found)


def test_a_choice_at_the_end_of_its_list_is_marked():
    """Only numbers have an end, of a list of several; an alpha of 0 or 1 cannot go further."""
    tried = {
        "low": [({"rate": rate}, 0.5) for rate in (0.3, 0.1, 1.0)],
        "inside": [({"temperature": t, "rate": 0.1}, 0.5) for t in (1, 2, 4)],
        "bound": [({"alpha": alpha}, 0.5) for alpha in (0.0, 0.5)],
        "half": [({"alpha": alpha}, 0.5) for alpha in (0.0, 0.5)],
        "named": [({"soft_loss": name}, 0.5) for name in ("kl_divergence", "jensen_shannon")],
        "lessons": [({"train": (np.zeros(2), np.zeros(2))}, 0.5) for _ in range(2)],
        "mask": [({"mask": mask}, 0.5) for mask in (False, True)],
        "wide": [({"units": units}, 0.5) for units in 2 ** np.arange(3)],
    }
    chosen = {"low": {"rate": 0.1}, "inside": {"temperature": 2}, "bound": {"alpha": 0.0}, "half": {"alpha": 0.5}}
    chosen |= {"named": {"soft_loss": "kl_divergence"}, "lessons": {"train": "two arrays"}}
    chosen |= {"mask": {"mask": True}, "wide": {"units": np.int64(4)}}
    right = dict.fromkeys([*tried, "labels"], np.ones((2, 3)))
    text = str(Experiment("accuracy", right=right, chosen=chosen, tried=tried))
    assert re.findall(r"^(\w+) .*\*", text, re.MULTILINE) == ["low", "half", "wide"]
    assert "rate 0.1*" in text and text.splitlines()[-1].startswith("* the lowest or the highest value tried")
    assert "*" not in str(Experiment("accuracy", right=right, chosen={"low": {"rate": 0.1}}))  # nothing was tried


def test_the_judge_is_the_nll_and_the_lower_one_wins(teacher):
    arms = {"labels": {"alpha": 1.0}, "slow": {"alpha": 1.0, "rate": [1e-6, 0.05]}}
    found = compare(DATA, teacher, build, arms, seeds=2, tune=2, judge="nll", **{**SHORT, "steps": 30})
    assert found.chosen["slow"] == {"rate": min(found.tried["slow"], key=lambda pair: pair[1])[0]["rate"]}
    gain, means = found.gains(over="labels")["slow"], {arm: found.nll[arm].astype(float).mean() for arm in arms}
    assert np.isclose(gain.mean, means["labels"] - means["slow"]) and gain.mean != 0
    assert found.gains(over="labels").unit == "nats saved" and f"{means['slow']:.3f}" in str(found)


@pytest.mark.slow
def test_the_gains_cover_seeds_and_examples_and_are_corrected_together(teacher):
    found = compare(DATA, teacher, build, ARMS, seeds=5, **SHORT)
    gains = found.gains(over="labels", title="few") | found.gains(over="hot", only=["wide"], title="all")
    assert list(gains) == ["few: hot", "few: wide", "few: reverse", "few: between", "all: wide"]
    assert gains["few: hot"] == metrics.paired_gain(found.right["hot"] * 1.0, found.right["labels"] * 1.0)
    corrected = metrics.holm({name: gain.p for name, gain in gains.items()})
    for name, line in zip(gains, str(gains).splitlines(), strict=False):
        p = f"p {corrected[name]:.4f}" if corrected[name] >= 1e-4 else "p < 0.0001"
        sign = "no verdict" if corrected[name] >= 0.05 else "better" if gains[name].mean > 0 else "worse"
        assert line.startswith(name) and p in line and line.endswith(sign) and f"{gains[name].mean:+.4f}" in line
    assert "5 questions" in str(gains)
    with pytest.raises(ValueError, match="titles"):
        gains | gains


@pytest.mark.nightly
def test_shown_students_are_what_was_judged(teacher):
    for _ in range(2):  # trained, then recalled
        found = compare(DATA, teacher, build, {"a": {}, "b": {"units": 9}}, seeds=2, show=["b"], **SHORT)
        student = found.students["b"]
        assert student.layers[0].units == 9 and np.isclose(by_hand(student), nlls(found, "b")[0], atol=2e-3)


@pytest.fixture
def trainings(monkeypatch):
    """How many students were trained, not recalled."""
    count, train = [], lessons.train
    from distill_edu import students

    monkeypatch.setattr(students, "train", lambda orders, *rest: count.extend(orders) or train(orders, *rest))
    return count


@pytest.mark.nightly
def test_what_was_trained_is_recalled_and_only_that(teacher, trainings):
    first = compare(DATA, teacher, build, ARMS, seeds=2, **SHORT)
    assert len(trainings) == 2 * len(ARMS)
    again = compare(DATA, teacher, build, ARMS, seeds=2, **SHORT)
    assert len(trainings) == 2 * len(ARMS) and str(again).splitlines()[:-1] == str(first).splitlines()[:-1]
    compare(DATA, teacher, build, ARMS, seeds=3, **SHORT)
    assert len(trainings) == 3 * len(ARMS)
    compare(DATA, teacher, build, {**ARMS, "hot": {"temperature": 9.0, "alpha": 0.0}}, seeds=3, **SHORT)
    assert len(trainings) == 3 * len(ARMS) + 3


def test_the_last_line_says_what_was_recalled_and_what_trained_now_and_decides_nothing_in_nbval(teacher):
    arms = {"one": {"temperature": [1.0, 4.0]}}
    how = {"tune": 1, **SHORT}
    first, again, more = (compare(DATA, teacher, build, arms, seeds=seeds, **how) for seeds in (1, 1, 2))
    here, today = f"Keras {keras.__version__}", datetime.date.today()
    kept = f"Kept results, trained on {today} with {here}"
    lines = [str(found).splitlines()[-1] for found in (first, again, more, first | again, again | again)]
    both = f"{kept}; the others trained now, with {here}."
    assert lines == [f"Trained now, with {here}.", f"{kept}.", both, both, f"{kept}."]
    [pattern] = get_sanitize_patterns(Path(__file__).with_name("nbval.cfg").read_text())
    compared = {re.sub(*pattern, line) for line in lines}
    assert len(compared) == 1 and not any(line in compared for line in lines)


@pytest.mark.nightly
def test_ctrl_c_is_raised_at_once_and_the_same_call_goes_on(teacher, trainings, monkeypatch):
    from distill_edu import students

    train = students.train

    def stopped(orders, *rest):
        if len(trainings) >= 4:
            raise KeyboardInterrupt
        return train(orders, *rest)

    monkeypatch.setattr(students, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        compare(DATA, teacher, build, ARMS, seeds=2, **SHORT)
    assert len(trainings) == 4  # two architectures or losses alike are one group
    monkeypatch.setattr(students, "train", train)
    compare(DATA, teacher, build, ARMS, seeds=2, **SHORT)
    assert len(trainings) == 2 * len(ARMS)


@pytest.mark.parametrize(
    ("arms", "more", "message"),
    [
        ({"a": {}}, {"teacher": None}, "alpha=1.0"),
        ({"a": {"transfer": True}}, {"draw": 5}, "no draw"),
        ({"a": {"temperature": []}}, {}, "nothing to try for temperature"),
        ({"a": {}}, {"judge": "luck"}, '"accuracy" or "nll", not \'luck\''),
        ({"a": {}}, {"show": "ab"}, "show is a list of arms, and 'b' is none of them: a"),
        ({"a": {}}, {"tune": 0}, "tune must be"),
        ({"a": {}}, {"draw": 0.1}, "draw must be"),
        ({"a": {}}, {"draw": 34}, "draw=34 is more than the 33 training examples"),
        ({"a": {"train": (X[:9], Y[:9])}}, {"draw": 10}, "draw=10 is more than the 9"),
        ({"a": {"train": (X, np.eye(CLASSES)[Y])}}, {}, "labels of an arm's train are float64"),
        ({"a": {"rate": keras.optimizers.schedules.CosineDecay(0.1, 6)}}, {}, "rate must .* belongs to the optimizer"),
        ({"a": {"soft_loss": "mean_square"}}, {}, "reports accuracies of classes, and soft_loss='mean_square'"),
        ({"a": {"soft_loss": "kll"}}, {}, "kll"),
        ({"a": {"temperature": 0}}, {}, "temperature must be"),
        ({"a": {"train": (X, Y + 4)}}, {}, "not one of the classes"),
        ({"a": {"train": (np.full_like(X, np.nan), Y)}}, {}, "NaN"),
        ({"a": {"activation": None, "rate": 1e30}}, {}, "NaN or infinite"),
    ],
)
def test_refusals(teacher, arms, more, message):
    teacher = more.pop("teacher", teacher)
    with pytest.raises(ValueError, match=message):
        compare(DATA, teacher, build, arms, seeds=1, **{**SHORT, **more})


@pytest.mark.nightly
def test_a_teacher_is_trained_once_and_counts_by_how_it_was_made(fits, trainings):
    teachers = [trained(build, DATA, epochs=2, units=7) for _ in range(2)]
    assert len(fits) == 1
    assert all(np.array_equal(a, b) for a, b in zip(*(one.get_weights() for one in teachers), strict=True))
    assert all((weight == weight.astype("float16")).all() for weight in teachers[0].get_weights())
    for teacher in (*teachers, Ensemble(teachers)):
        compare(DATA, teacher, build, {"one": {}}, seeds=1, **SHORT)
    assert len(trainings) == 2
    teachers[0].set_weights([weight + 0.1 for weight in teachers[0].get_weights()])  # it is another one now
    compare(DATA, teachers[0], build, {"one": {}}, seeds=1, **SHORT)
    assert len(trainings) == 3


def test_a_teacher_takes_a_seed_of_numpys_and_leaves_the_optimizer_as_it_is(fits):
    adam = keras.optimizers.Adam(0.01)
    for seed in (0, np.int64(0)):
        trained(build, DATA, epochs=1, optimizer=adam, seed=seed)
    assert len(fits) == 1 and not adam.built


def test_a_teacher_that_was_trained_is_the_recalled_one_in_every_variable(fits):
    """A model around it counts by them; Dropout's seeds have been drawn from where it was trained."""
    teachers = [trained(models.mlp, DATA, epochs=1, dropout=0.5) for _ in range(2)]
    trained_now, recalled = ([variable.numpy() for variable in teacher.variables] for teacher in teachers)
    assert len(fits) == 1 and len(trained_now) == 5
    assert all(np.array_equal(*pair) for pair in zip(trained_now, recalled, strict=True))


def test_a_constraint_of_a_weight_holds_in_an_experiment():
    def build(data):
        small = keras.constraints.MaxNorm(0.01)
        return keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Dense(CLASSES, kernel_constraint=small)])

    found = compare(DATA, None, build, {"one": {}}, alpha=1.0, seeds=1, steps=5, show=["one"], progress=False)
    assert np.linalg.norm(found.students["one"].get_weights()[0], axis=0).max() < 0.0101


def test_a_rate_beside_a_schedule_that_starts_at_0_is_refused():
    warm = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.0, 9, warmup_target=0.1, warmup_steps=3))
    with pytest.raises(ValueError, match="rate is where the optimizer's schedule starts"):
        compare(DATA, None, models.mlp, {"one": {"rate": 0.1}}, alpha=1.0, seeds=1, optimizer=warm, **SHORT)


@pytest.mark.nightly
def test_a_teacher_may_stop_at_its_best_epoch():
    kept = trained(build, DATA, epochs=40, stop=True, optimizer=keras.optimizers.Adam(0.3), units=50)
    to_the_end = trained(build, DATA, epochs=40, optimizer=keras.optimizers.Adam(0.3), units=50)
    x, y = DATA.valid
    assert metrics.nll(y, logits(kept, x)) <= metrics.nll(y, logits(to_the_end, x))


def table(n):
    return {"numbers": np.arange(n), "pair": (1, "two"), "none": None}


def test_any_result_is_remembered_and_has_the_same_form_each_time(folder):
    first, again = cache.remembered(table, 3), cache.remembered(table, 3)
    assert len(list(folder.iterdir())) == 1
    for result in (first, again):
        assert (result["numbers"] == np.arange(3)).all() and result["pair"] == [1, "two"] and result["none"] is None
    for call in ((table, 4), (functools.partial(table, n=4),)):
        assert len(cache.remembered(*call)["numbers"]) == 4
    assert len(list(folder.iterdir())) == 3


def test_a_bar_says_that_a_teacher_or_a_table_is_computed_and_there_is_none_where_it_is_recalled(folder, capsys):
    for compute, said in (
        (lambda: trained(build, DATA, epochs=2), "teacher: "),
        (lambda: cache.remembered(table, 3), "table: "),
    ):
        compute()
        assert said in capsys.readouterr().err
        compute()
        assert not capsys.readouterr().err


def test_only_kept_results_where_that_is_asked(teacher, monkeypatch):
    compare(DATA, teacher, build, {"one": {}}, seeds=1, **SHORT)
    monkeypatch.setenv("DISTILL_EDU_KEPT", "only")
    compare(DATA, teacher, build, {"one": {}}, seeds=1, **SHORT)
    with pytest.raises(RuntimeError, match="2 students not among the kept results"):
        compare(DATA, teacher, build, {"one": {}}, seeds=3, **SHORT)


def of_points(**how):
    """Builders of the package, because a worker cannot import this file."""
    points = load_dataset("spirals")
    teacher = trained(models.mlp, points, epochs=1, hidden=8)
    arms = {"labels": {"alpha": 1.0}, "soft": {}, "wide": {"hidden": 9}}
    return compare(points, teacher, models.mlp, arms, seeds=2, **how, **SHORT)


@pytest.fixture
def here(tmp_path, monkeypatch):
    found = of_points()
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(tmp_path / "other"))
    return found


@pytest.mark.nightly
def test_joblibs_workers_give_the_same_students(folder, here):
    there = of_points(jobs=2, show=["wide"])
    for arm in ("labels", "soft"):
        assert np.allclose(nlls(here, arm), nlls(there, arm), rtol=1e-5)
    assert there.students["wide"].get_layer("hidden1").units == 9


@pytest.mark.nightly
def test_a_cluster_gives_the_same_students(folder, here):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        there = of_points()
    assert np.allclose(nlls(here, "soft"), nlls(there, "soft"), rtol=1e-5)
