"""The table of a sweep is what the long way gives; and what is kept on disk is only ever what was computed."""

import _thread
import dataclasses
import functools
import signal
import threading

import keras
import numpy as np
import pytest
from small import CLASSES, FEATURES, RANDOM, X, Y, logits, model, same, weights

from distill_edu import (
    Dataset,
    Distiller,
    Vocabulary,
    as_next_letter,
    compare,
    losses,
    metrics,
    models,
    restore_students,
    students,
    sweep,
    teacher_logits,
)
from distill_edu._inside import lessons  # noqa: TID251 - each student alone needs its batches

pytestmark = [pytest.mark.nightly, pytest.mark.usefixtures("folder")]  # it trains for minutes

DATA = Dataset("small", (X, Y), (X[:9], Y[:9]), (X[9:], Y[9:]), tuple("abcd"), RANDOM.randn(20, FEATURES).astype("f4"))
SHORT = {"steps": 3, "batch_size": 8, "progress": False}


def build(size, activation="relu"):
    """Depends on Keras's seed, as a student of a sweep does."""
    hidden = keras.layers.Dense(size, activation)
    return keras.Sequential([keras.Input((FEATURES,)), hidden, keras.layers.Dense(CLASSES)])


@pytest.fixture(scope="module")
def teacher():
    return model(99, units=16, name="teacher")


@pytest.fixture
def trained(monkeypatch):
    """How many students were trained, not remembered."""
    count, train = [], students.train
    monkeypatch.setattr(students, "train", lambda orders, *rest: count.extend(orders) or train(orders, *rest))
    return count


def by_hand(teacher, size, seed, temperature, alpha=0.1, transfer=False, **losses):
    """One student of a sweep, the long way: a Distiller, and the metrics of its logits."""
    x, labels = DATA.train
    if transfer:
        x, labels = np.concatenate([x, DATA.transfer]), np.concatenate([labels, np.full(20, -1)])
    keras.utils.set_random_seed(seed)
    distiller = Distiller(student=build(size))
    distiller.compile(temperature=temperature, alpha=alpha, **losses)
    take_steps(distiller, x, {"labels": labels, "teacher_logits": teacher_logits(teacher, x)}, seed)
    return distiller.student


def take_steps(distiller, x, targets, seed):
    for rows in lessons.batches(len(x), 3, 8, seed):
        targets_of_rows = {name: values[rows] for name, values in targets.items()}
        distiller.fit(x[rows], targets_of_rows, batch_size=8, shuffle=False, verbose=0)


def test_the_batches_have_every_example_once_a_round_each_round_and_seed_in_another_order():
    rounds = lessons.batches(20, 15, 4, seed=3).reshape(3, 20)
    assert (np.sort(rounds, axis=1) == np.arange(20)).all()
    orders = [*rounds, np.arange(20), lessons.batches(20, 5, 4, seed=4).ravel()]
    assert len({tuple(order) for order in orders}) == 5
    assert (lessons.batches(20, 5, 4, seed=3).ravel() == rounds[0]).all()


@pytest.mark.parametrize("transfer", [False, True])
def test_every_row_is_a_student_trained_the_long_way(teacher, transfer):
    axes = {"temperatures": [1, 5], "alphas": [0.0, 0.7], "sizes": [3, 8], "seeds": [4, 5]}
    table = sweep(DATA, teacher, build, **axes, transfer=transfer, **SHORT)
    assert len(table) == 16 and not table.duplicated(["size", "temperature", "alpha", "seed"]).any()
    for row in table.iloc[[0, 6, 9, 15]].to_dict("records"):
        student = by_hand(teacher, row["size"], row["seed"], row["temperature"], row["alpha"], transfer)
        assert row["parameters"] == student.count_params()
        for part in ("train", "valid", "test"):
            x, y = getattr(DATA, part)
            expected = metrics.report(y, logits(student, x), logits(teacher, x))
            got = {name: row[f"{part}_{name}"] for name in expected}
            assert got == {name: pytest.approx(value, rel=1e-3) for name, value in expected.items()}


def test_one_seed_is_one_start_whatever_else_differs(teacher):
    table = sweep(
        DATA,
        teacher,
        build,
        temperatures=[1, 9],
        alphas=[0.0, 1.0],
        seeds=2,
        optimizer=keras.optimizers.SGD(0.0),
        **SHORT,
    )
    assert (table.groupby("seed").test_nll.nunique() == 1).all() and table.test_nll.nunique() == 2


def test_what_was_computed_is_remembered_and_only_that(teacher, trained):
    first = sweep(DATA, teacher, build, seeds=2, **SHORT)
    assert len(trained) == 2
    assert sweep(DATA, teacher, build, seeds=2, **SHORT).equals(first) and len(trained) == 2
    more = sweep(DATA, teacher, build, seeds=np.int64(3), **SHORT)  # a number of NumPy's, too
    assert len(trained) == 3 and more.iloc[:2].equals(first)


def everything_that_matters():
    other = dataclasses.replace(DATA, train=(X, (Y + 1) % CLASSES))
    wide = model(98, units=16)
    return {
        "data": {"dataset": other},
        "validation data": {"dataset": dataclasses.replace(DATA, valid=(X[:9], Y[1:10]))},
        "test data": {"dataset": dataclasses.replace(DATA, test=(X[9:], Y[8:-1]))},
        "soft loss": {"soft_loss": "reverse_kl"},
        "its weights": {"soft_loss": losses.Decoupled(others=2)},
        "a soft loss of one's own": {"soft_loss": lambda batch, z, t: 2 * losses.reverse_kl(batch, z, t)},
        "student loss": {"student_loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        "teacher": {"teacher": wide},
        "steps": {"steps": 4},
        "batch": {"batch_size": 9},
        "transfer": {"transfer": True},
        "optimizer": {"optimizer": "sgd"},
        "its settings": {"optimizer": keras.optimizers.Adam(0.5)},
        "temperature": {"temperatures": 4.5},
        "alpha": {"alphas": 0.2},
        "seed": {"seeds": [7]},
        "penalty": {"build_student": lambda size: model(0, units=size, l2=0.1)},
        "dropout": {"build_student": lambda size: model(0, units=size, noise=0.5)},
        "start": {"build_student": lambda size: model(1, units=size)},
    }


@pytest.mark.parametrize("name", everything_that_matters())
def test_the_key_holds_everything_that_matters(teacher, trained, name):
    arguments = {
        "dataset": DATA,
        "teacher": teacher,
        "build_student": lambda size: model(0, units=size),
        "seeds": [0],
        **SHORT,
    }
    sweep(**arguments)
    sweep(**arguments)
    assert len(trained) == 1
    sweep(**{**arguments, **everything_that_matters()[name]})
    assert len(trained) == 2


OWN = {
    "soft loss": (lambda k: lambda batch, z, t: k * losses.reverse_kl(batch, z, t), lambda f: {"soft_loss": f}),
    "registered": (
        lambda k: losses.soft_loss("mine")(lambda batch, z, t: k * losses.reverse_kl(batch, z, t)),
        lambda f: {"soft_loss": "mine"},
    ),
    "student loss": (lambda k: lambda y, z: k * losses.hard_label_loss(y, z), lambda f: {"student_loss": f}),
    "activation": (lambda k: lambda x: k * x, lambda f: {"build_student": lambda units: build(units, f)}),
}


@pytest.mark.parametrize("kind", OWN)
def test_own_code_is_in_the_key_of_a_sweep_and_the_row_is_what_it_gives(teacher, trained, kind):
    make, used = OWN[kind]
    rows = []
    for factor in (1.0, 1.0, 5.0):
        given = {"build_student": build, **used(make(factor))}
        rows.append(sweep(DATA, teacher, sizes=3, seeds=[4], temperatures=2, **given, **SHORT).iloc[0])
    assert len(trained) == 2 and rows[0].test_nll == rows[1].test_nll != rows[2].test_nll
    if kind != "activation":
        given = {name: loss for name, loss in given.items() if name.endswith("loss")}
        student = by_hand(teacher, 3, 4, 2, **given)
        x, labels = DATA.test
        assert rows[2].test_nll == pytest.approx(metrics.nll(labels, logits(student, x)), rel=1e-3)
    losses.SOFT_LOSSES.pop("mine", None)


def test_what_cannot_be_compared_is_trained_each_time_and_says_why(teacher, trained, folder):
    lock = threading.Lock()

    def mine(batch, z, t):
        with lock:
            return losses.reverse_kl(batch, z, t)

    for _ in range(2):
        with pytest.warns(UserWarning, match="not kept: .*mine uses <unlocked") as warned:
            assert len(sweep(DATA, teacher, build, seeds=2, soft_loss=mine, **SHORT)) == 2
        assert [each.filename for each in warned] == [__file__]
    assert len(trained) == 4 and not folder.exists()


@pytest.mark.parametrize("sizes", [[8, "a"], [(8, 8), (4,)], [(3, 2), (2, 3)], ((3, 2),), [np.int64(3)], "wide"])
def test_a_builder_is_given_a_size_as_it_is(teacher, sizes):
    given = []

    def build_one(size):
        given.append(size)
        return build(4)

    table = sweep(DATA, teacher, build_one, sizes=sizes, seeds=1, **SHORT)
    expected = ["wide"] if sizes == "wide" else list(sizes)
    assert given == table["size"].tolist() == expected and list(map(type, given)) == [
        int if isinstance(size, np.int64) else type(size) for size in expected
    ]


def closer(batch, student_logits, temperature, power):
    return keras.ops.mean(keras.ops.abs(batch.teacher_logits - student_logits) ** power, axis=-1)


@pytest.mark.parametrize("own", ["soft_loss", "student_loss"])
def test_a_partial_and_a_loss_of_ones_own_are_what_they_are_alone(teacher, own):
    def sharper(y, z):
        return keras.ops.sparse_categorical_crossentropy(y, 2 * z, from_logits=True)

    given = {"soft_loss": functools.partial(closer, power=3)} if own == "soft_loss" else {"student_loss": sharper}
    row = sweep(DATA, teacher, build, sizes=5, seeds=1, **given, **SHORT).iloc[0]
    right = metrics.nll(DATA.test[1], logits(by_hand(teacher, 5, 0, 4.0, **given), DATA.test[0]))
    plain = metrics.nll(DATA.test[1], logits(by_hand(teacher, 5, 0, 4.0), DATA.test[0]))
    assert row.test_nll == pytest.approx(right, rel=1e-4) != pytest.approx(plain, rel=1e-4)
    found = compare(DATA, teacher, lambda data: build(5), {"own": given}, judge="nll", seeds=1, **SHORT)
    assert found.nll["own"].mean() == pytest.approx(right, rel=1e-3)


def test_what_weight_decay_leaves_out_it_leaves_out_in_a_sweep(teacher):
    def optimizer(*names):
        one = keras.optimizers.SGD(0.1, weight_decay=5.0)
        one.exclude_from_weight_decay(var_names=names) if names else None
        return one

    found = {}
    for names in ((), ("kernel",)):
        table = sweep(DATA, teacher, build, sizes=5, seeds=2, optimizer=optimizer(*names), keep_weights=True, **SHORT)
        for seed, learned in enumerate(table.weights):
            keras.utils.set_random_seed(seed)
            distiller = Distiller(student=build(5))
            distiller.compile(optimizer(*names))
            take_steps(distiller, X, {"labels": Y, "teacher_logits": teacher_logits(teacher, X)}, seed)
            assert same(learned, weights(distiller.student), atol=2e-3)  # they are kept as float16
        found[names] = np.linalg.norm(learned[0].astype(float))
    assert found[("kernel",)] > 2 * found[()]


@pytest.mark.parametrize("damage", [b"", b"short", None, "flip"])
def test_a_damaged_file_is_computed_again_with_a_warning(teacher, trained, folder, damage):
    first = sweep(DATA, teacher, build, seeds=1, **SHORT)
    (path,) = folder.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({None: bytes(content[:-5]), "flip": bytes(content)}.get(damage, damage))
    with pytest.warns(UserWarning, match="is damaged .* computed again"):
        again = sweep(DATA, teacher, build, seeds=1, **SHORT)
    assert len(trained) == 2 and again.equals(first)
    assert sweep(DATA, teacher, build, seeds=1, **SHORT).equals(again) and len(trained) == 2


def test_kept_weights_give_the_students_back(teacher):
    table = sweep(DATA, teacher, build, sizes=[4, 8], seeds=2, keep_weights=True, **SHORT)
    for (size, student), row in zip(restore_students(table, build), table.itertuples(), strict=True):
        assert size == row.size and student.count_params() == row.parameters
        x, labels = DATA.test
        assert metrics.nll(labels, logits(student, x)) == pytest.approx(row.test_nll, abs=1e-5)
    without = sweep(DATA, teacher, build, sizes=[4, 8], seeds=2, **SHORT)
    assert np.allclose(without.test_nll, table.test_nll, atol=2e-3) and "weights" not in without


@pytest.fixture
def listening():
    """Ctrl-C raises KeyboardInterrupt, also where this process was started in the background, which is deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_heard_within_a_training_and_what_was_finished_is_kept(teacher, listening, trained):
    sweep(DATA, teacher, build, seeds=2, **SHORT)
    threading.Timer(1.0, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        sweep(DATA, teacher, build, seeds=2, steps=10**5, batch_size=8, progress=False)
    assert len(sweep(DATA, teacher, build, seeds=3, **SHORT)) == 3
    assert [order.seed for order in trained] == [0, 1, 0, 1, 2]


def test_the_bar_counts_updates_and_can_be_switched_off(teacher, capsys):
    sweep(DATA, teacher, build, seeds=2, steps=3, batch_size=8)
    assert "6.00" in (shown := capsys.readouterr().err) and "updates" in shown
    sweep(DATA, teacher, build, seeds=2, steps=3, batch_size=8)  # nothing to do
    sweep(DATA, teacher, build, seeds=3, **SHORT)
    assert not capsys.readouterr().err


def test_the_random_state_is_the_same_whether_students_were_trained_or_remembered(teacher):
    drawn = []
    for _ in range(2):
        keras.utils.set_random_seed(4)
        sweep(DATA, teacher, build, seeds=1, **SHORT)
        drawn.append((build(3).get_weights()[0].sum(), np.random.rand()))
    assert drawn[0] == drawn[1]


def test_losses_of_other_labels_are_refused_before_anything_is_trained(teacher, trained):
    with pytest.raises(ValueError, match="reports accuracies of classes, and soft_loss='sigmoid'"):
        sweep(DATA, teacher, build, soft_loss="sigmoid", **SHORT)
    with pytest.raises(ValueError, match="soft_loss must be None, a function, or one of kl, reverse_kl"):
        sweep(DATA, teacher, build, soft_loss="dkd", **SHORT)
    assert not trained


def letters_model(size, seed=None):
    if seed is not None:
        keras.utils.set_random_seed(seed)
    return models.letter_transformer(Vocabulary("abcd"), 5, width=size, depth=1, heads=2)


def test_of_sequences_every_place_that_is_no_padding_is_an_example(trained):
    rows = RANDOM.randint(1, 7, (30, 6))
    rows = np.where(np.arange(6) < RANDOM.randint(2, 7, (30, 1)), rows, 0)
    x, labels, mask = as_next_letter(rows)
    parts = [(x[some], labels[some]) for some in (slice(20), slice(15, 25), slice(20, 30))]
    data, teacher = Dataset("letters", *parts, tuple("_.?abcd")), letters_model(8, 50)
    (row,) = sweep(data, teacher, letters_model, sizes=4, seeds=[2], **SHORT, keep_weights=True).to_dict("records")
    one = Distiller(student=letters_model(4, 2))
    one.compile()
    targets = {"labels": labels[:20], "teacher_logits": teacher_logits(teacher, x[:20]), "mask": mask[:20]}
    take_steps(one, x[:20], targets, 2)
    one.student.set_weights([weight.astype("float16") for weight in one.student.get_weights()])
    assert np.allclose(row["weights"][0], one.student.get_weights()[0], atol=1e-3)
    for part, (x_, labels_) in zip(("train", "valid", "test"), parts, strict=True):
        real = labels_ >= 0
        mine, its = (each.predict(x_, verbose=0)[real] for each in (one.student, teacher))
        values = metrics.report(labels_[real], mine, its)
        assert {name: row[f"{part}_{name}"] for name in values} == pytest.approx(values, abs=2e-3)
    assert row["test_right"].tolist() == (mine.argmax(axis=-1) == labels_[real]).tolist()
    assert 0 < real.sum() < real.size and len(trained) == 1
    with pytest.raises(ValueError, match="no sequences"):
        sweep(dataclasses.replace(data, transfer=x), teacher, letters_model, transfer=True, **SHORT)
