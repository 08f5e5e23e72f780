"""A teacher from elsewhere: asked once, kept by content, refused in a sentence; its classes, its best few as ours."""

import functools

import keras
import numpy as np
import pytest
from small import X, Y, logits, model

from distill_edu import (
    Cascade,
    Dataset,
    Distiller,
    as_classes,
    compare,
    hints,
    of_top,
    students,
    sweep,
    teacher_logits,
)
from distill_edu._inside.cache_key import portable_key  # noqa: TID251 - a key must not depend on last bits
from distill_edu.foreign import ask

DATA = Dataset("small", (X, Y), (X[:9], Y[:9]), (X[9:], Y[9:]), tuple("abcd"), X[:12] + 1)
SHORT = {"steps": 6, "batch_size": 8, "progress": False}


class Service:
    """Two classes: how many letters, how many bytes. It fails at the calls `fails`, and counts what it was asked."""

    def __init__(self, *fails, error=None):
        self.asked, self.fails, self.error, self.calls = [], fails, error or TimeoutError("too many requests"), 0

    def __call__(self, texts):
        self.calls += 1
        if self.calls in self.fails:
            raise self.error
        self.asked += list(texts)
        return [[len(text), len(str(text)) + 3] for text in texts]


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "answers" / "service-1.0"


@pytest.mark.parametrize("error", [TimeoutError("too many requests"), KeyboardInterrupt()])
def test_after_a_failure_only_what_is_missing_is_asked_again(kept, error):
    words = ["a", "bb", "a", "ccc", "dd", "bb", "e"]
    service = Service(2, error=error)
    with pytest.raises(type(error)) as caught:
        ask(service, words, batch_size=2, kept=kept)
    assert f"2 answers are in {kept}" in caught.value.__notes__[0] and service.asked == ["a", "bb"]
    z = ask(service, words, batch_size=2, kept=kept)
    assert service.asked == ["a", "bb", "ccc", "dd", "e"]  # each once
    assert z.tolist() == [[len(word), len(word) + 3] for word in words] and z.dtype == "float32"
    assert (ask(Service(1), words, kept=str(kept)) == z).all()  # nothing is asked
    (kept / "zz.npz").write_bytes(b"cut")
    with pytest.warns(UserWarning, match="damaged"):
        ask(Service(1), words, kept=kept)


def test_without_a_folder_an_error_comes_as_it_is_and_equal_examples_are_asked_once():
    service = Service(1)
    with pytest.raises(TimeoutError) as caught:
        ask(service, ["a"])
    assert not hasattr(caught.value, "__notes__")
    assert ask(service, ["a", "a"]).shape == (2, 2) and service.asked == ["a"]


def test_texts_bytes_and_arrays_are_told_apart_by_content():
    service = Service()
    assert ask(service, [b"a\0", b"a", "a", b"a\0"]).tolist() == [[2, 11], [1, 7], [1, 4], [2, 11]]
    assert service.asked == [b"a\0", b"a", "a"]
    many = np.array([[1, 2], [3, 4], [1, 2]])
    seen = []
    z = ask(lambda x: seen.append(x) or -1.0 * x, many)
    assert (z == -many).all() and [part.tolist() for part in seen] == [[[1, 2], [3, 4]]]
    assert ask(lambda x: [[len(text), -1] for text in x], np.array(["a", "bbb"]))[:, 0].tolist() == [1, 3]


def test_probabilities_become_their_logarithms_and_zero_rules_a_class_out():
    z = teacher_logits(lambda x: [[0.25, 0.75, 0.0]], ["a"], gives="probabilities")
    assert z.tolist() == [[pytest.approx(np.log(0.25)), pytest.approx(np.log(0.75)), -np.inf]]
    rounded = teacher_logits(lambda x: [[0.33, 0.33, 0.33]], ["a"], gives="probabilities")
    assert rounded == pytest.approx(np.log(0.33))


def of(answer, x=("a", "b"), **given):
    return lambda kept: teacher_logits(lambda some: answer, list(x), **given)


ROUNDED = np.random.RandomState(0).dirichlet(np.ones(4), 33).round(2)
WRONG = {
    "no function": (lambda kept: teacher_logits(object(), ["a"]), TypeError, "not object.*predict_proba"),
    "one text": (lambda kept: teacher_logits(Service(), "a"), TypeError, "list or an array.*not str"),
    "nothing": (lambda kept: teacher_logits(Service(), []), ValueError, "x is empty"),
    "objects": (lambda kept: teacher_logits(Service(), [{}]), TypeError, "a text, bytes or an array"),
    "too few rows": (of([[1, 2]]), ValueError, r"2 examples and gave the shape \(1, 2\)"),
    "one number each": (of([1, 2]), ValueError, r"shape \(2,\)"),
    "texts": (of([["a", "b"], ["c", "d"]]), ValueError, "array of numbers"),
    "NaN": (of([[1, np.nan], [1, 2]]), ValueError, "NaN"),
    "probabilities": (of([[0.5, 0.5], [0.1, 0.9]]), ValueError, 'gives="probabilities"'),
    "rounded": (of(ROUNDED, x=range(33)), ValueError, 'gives="probabilities"'),
    "logits": (of([[0.5, -0.5], [1, 0]], gives="probabilities"), ValueError, "no probabilities"),
    "the best of many": (of([[0.5, 0.1], [0.5, 0.5]], gives="probabilities"), ValueError, "not 0.6.*of_top"),
    "a wrong word": (of([[1, 2]], gives="scores"), ValueError, "'scores'"),
    "no batch": (of([[1, 2]], batch_size=0), ValueError, "batch_size"),
    "a folder for a Keras model": (lambda kept: teacher_logits(model(), X, kept=kept), ValueError, "for functions"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_question_or_answer_gets_a_sentence(wrong, kept):
    call, kind, sentence = WRONG[wrong]
    with pytest.raises(kind, match=sentence):
        call(kept)


def test_a_folder_of_another_teacher_is_refused(kept):
    ask(Service(), ["a"], kept=kept)
    with pytest.raises(ValueError, match="2 classes and the new ones 3.*folder of its own"):
        ask(lambda x: [[1, 2, 3]], ["b"], kept=kept)


def test_keys_depend_on_what_was_said_and_not_on_last_bits():
    z = 3 * np.random.RandomState(0).randn(300, 4)
    moved, other = z.copy(), z.copy()
    moved *= 1 + 1e-7
    other[17, 2] += 1
    said = [teacher_logits(lambda x, z=z: z, np.arange(300), 300) for z in (z, moved, other)]
    first, again, another = map(portable_key, said)
    assert first == again != another


# --- experiments ----------------------------------------------------------------------------------------------------


def build(data=None, units=5):
    return model(units=units)


@pytest.mark.slow
def test_answers_teach_as_their_model_does_in_compare_and_sweep(tmp_path, monkeypatch):
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(tmp_path))
    teacher = model(9, units=16)
    said = {"train": logits(teacher, X), "transfer": logits(teacher, DATA.transfer), "test": logits(teacher, X[9:])}
    for how in ({}, {"draw": 10}, {"transfer": True}):
        arms = {"model": {"teacher": teacher}, "answers": {"teacher": said}}
        found = compare(DATA, None, build, arms, seeds=2, judge="nll", alpha=0.0, temperature=2.0, **how, **SHORT)
        assert found.nll["answers"] == pytest.approx(found.nll["model"], rel=2e-3)
    rolled = {"train": np.roll(said["train"], 1, axis=0)}
    other = compare(DATA, rolled, build, {"rolled": {}}, seeds=2, judge="nll", alpha=0.0, temperature=2.0, **SHORT)
    assert abs(other.nll["rolled"] - found.nll["model"]).max() > 1e-2
    of_model, of_answers = (sweep(DATA, each, lambda size: build(), seeds=1, **SHORT) for each in (teacher, said))
    assert of_answers.test_nll.tolist() == pytest.approx(of_model.test_nll.tolist(), rel=1e-4)
    assert of_answers.test_agreement.tolist() == of_model.test_agreement.tolist()
    hint = {"hints": hints.Hint("hidden", "hidden"), "teacher": {"hints": teacher}}
    compare(DATA, said, build, {"hint": hint}, seeds=1, **SHORT)


class Duck:
    """What went into a sweep and got the student's letters."""

    built = True

    def count_params(self):
        return 0

    def predict_on_batch(self, x):
        return np.zeros((len(x), 4))


def compared(teacher, arm=None, **how):
    return lambda: compare(DATA, teacher, build, {"arm": arm or {}}, seeds=1, **how, **SHORT)


def swept(teacher, build_student=build):
    return lambda: sweep(DATA, teacher, build_student, seeds=1, **SHORT)


SAID = {"train": np.zeros((33, 4)) - 1}
WIDE = {**SAID, "test": np.zeros((24, 5)) - 1}
HINT = {"hints": hints.Hint("hidden", "hidden")}
OWN = {  # what an arm may not set as its teacher, and what its function may not return
    "an array": (SAID["train"], TypeError, r"Keras model.*answers.*function \(x, y\) -> model, not ndarray"),
    "a text": ("teacher", TypeError, "Keras model.*not str"),
    "a function of x alone": (lambda x: model(9), TypeError, r"function \(x, y\).*cannot be called so: too many"),
    "a function that returns nothing": (lambda x, y: None, TypeError, "not NoneType: end it with `return model`"),
    "a function that returns logits": (lambda x, y: SAID["train"], TypeError, "Keras model, or answers.*not ndarray"),
    "a function that returns a function": (lambda x, y: logits, TypeError, "Keras model, or answers.*not function"),
    "a function without answers for train": (lambda x, y: {"test": WIDE["test"]}, ValueError, "train must be there"),
    "a function with lists": (lambda x, y: {"train": [[-1.0] * 4] * 33}, TypeError, r"\['train'\].*array.*not list"),
    "a function with answers of two widths": (lambda x, y: WIDE, ValueError, r"\['test'\].*\(24, 5\).*\(24, 4\)"),
    "a text for hints": ({"hints": "teacher"}, TypeError, "takes a Keras model"),
    "answers beside hints": ({"hints": model(9), **SAID}, TypeError, "nothing beside it"),
}
CANNOT = {
    **{name: (compared(None, {"teacher": given}), *rest) for name, (given, *rest) in OWN.items()},
    "hints and answers": (compared(None, {"teacher": lambda x, y: SAID, **HINT}), ValueError, "answers have none"),
    "a text beside hints": (compared("x", {"teacher": {"hints": model(9)}}), TypeError, "not str.*ask it first"),
    "lists": (compared({"train": SAID["train"].tolist()}), TypeError, r"\['train'\].*array.*not list: np.asarray"),
    "two widths": (compared(WIDE), ValueError, r"\['test'\] has the shape \(24, 5\) instead of \(24, 4\).*4 classes"),
    "two widths in sweep": (swept(WIDE), ValueError, r"\['test'\] has the shape \(24, 5\)"),
    "an axis too many": (compared({**SAID, "test": np.zeros((24, 1, 4)) - 1}), ValueError, r"\(24, 1, 4\) instead of"),
    "lists in sweep": (swept({"train": SAID["train"].tolist()}), TypeError, r"\['train'\].*array.*not list"),
    "a builder without a size": (swept(SAID, lambda: model(3)), TypeError, "from a size.*cannot be called so"),
    "a text as builder": (swept(SAID, "mlp"), TypeError, "build_student must be a function.*not str"),
    "a text as student": (lambda: compare(DATA, SAID, "mlp", {"arm": {}}), TypeError, "student must be.*not str"),
    "a model as student": (lambda: compare(DATA, SAID, model(), {"arm": {}}), TypeError, "student must be.*not Seq"),
    "a slip in a setting": (compared(SAID, {"unitz": 3, "name": ""}), TypeError, "data and unitz and name.*'unitz'"),
    "a function in compare": (compared(lambda x: x), TypeError, "not function.*ask it first.*teacher_logits"),
    "a function in sweep": (lambda: sweep(DATA, lambda x: x, build), TypeError, "not function.*ask it first"),
    "an object in sweep": (lambda: sweep(DATA, Duck(), build), TypeError, "not Duck.*ask it first"),
    "an array": (compared(SAID["train"]), TypeError, "dictionary of answers, not ndarray"),
    "probabilities": (compared({"train": np.full((33, 4), 0.25)}), ValueError, r"teacher\['train'\].*probabilities"),
    "rounded": (compared({"train": ROUNDED}), ValueError, r"teacher\['train'\].*probabilities"),
    "too few": (compared({"train": SAID["train"][1:]}), ValueError, "32 rows for 33 examples"),
    "no training set": (compared({"test": SAID["train"][9:]}), ValueError, "train must be there.*not of test"),
    "no transfer set": (compared(SAID, transfer=True), ValueError, "train and transfer must be there"),
    "an unknown part": (compared({**SAID, "rest": SAID["train"]}), ValueError, "not of train, rest"),
    "an arm's answers": (compared(None, {"teacher": {"train": SAID["train"][1:]}}), ValueError, "32 rows"),
    "hints": (compared(SAID, HINT), ValueError, "answers have none"),
    "Distiller": (lambda: Distiller(student=model(), teacher=lambda x: x), TypeError, "asked once.*teacher_logits"),
}


@pytest.mark.parametrize("what", CANNOT)
def test_what_cannot_go_says_so_before_anybody_learns(what, monkeypatch):
    monkeypatch.setattr(students, "train", lambda *_: pytest.fail("A student was trained."))
    call, kind, sentence = CANNOT[what]
    with pytest.raises(kind, match=sentence):
        call()


def test_a_builder_may_be_any_function_also_one_that_does_not_say_what_it_takes(monkeypatch):
    monkeypatch.setattr(students, "train", lambda *_: pytest.fail("A student was trained."))
    with pytest.raises(TypeError, match="must return a Keras model, not type"):
        compare(DATA, SAID, type, {"arm": {}})


def test_a_teacher_of_other_classes_teaches_by_a_loss_that_compares_some_and_agreement_is_left_out(folder):
    def of_ours(batch, z, temperature):
        return keras.ops.mean((batch.teacher_logits[..., :4] - z) ** 2, axis=-1)

    table = sweep(DATA, model(9, classes=5), lambda size: build(), seeds=1, soft_loss=of_ours, **SHORT)
    assert table.test_accuracy.between(0, 1).all() and "test_agreement" not in table


def test_a_distiller_takes_kept_answers_and_a_cascade_the_function(kept):
    p = lambda texts: [[0.9, 0.1] if "a" in text else [0.2, 0.8] for text in texts]  # noqa: E731
    teacher = functools.partial(teacher_logits, p, gives="probabilities", kept=kept)
    cascade = Cascade(lambda texts: np.zeros((len(texts), 2)), teacher)
    answers = cascade.predict(["ab", "cd", "ab"])
    assert answers.probabilities == pytest.approx(np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]]))
    assert answers.sources.tolist() == ["teacher", "teacher", "memory"]
    distiller = Distiller(student=model(classes=2))
    distiller.compile(keras.optimizers.SGD(0.0), temperature=1.0, alpha=0.0)
    z = teacher(["ab", "cd"])
    loss = distiller.fit(X[:2], {"teacher_logits": z}, verbose=0).history["loss"]
    log_q = np.log(np.exp(s := logits(distiller.student, X[:2])) / np.exp(s).sum(axis=1, keepdims=True))
    assert loss == [pytest.approx((np.exp(z) * (z - log_q)).sum(axis=1).mean(), rel=1e-4)]


# --- classes --------------------------------------------------------------------------------------------------------

THEIRS, OURS = ["no", "nn", "da", "ja"], ["da", "nb"]
P = np.array([[0.3, 0.1, 0.1, 0.5], [0.0, 0.0, 0.8, 0.2]])


def test_their_classes_become_ours_with_and_without_the_rest():
    rename = {"no": "nb", "nn": "nb"}
    assert as_classes(P, THEIRS, OURS, rename) == pytest.approx(np.array([[0.2, 0.8], [1, 0]]))
    with_rest = as_classes(P, THEIRS, OURS, rename, rest="class")
    assert with_rest == pytest.approx(np.array([[0.1, 0.4, 0.5], [0.8, 0, 0.2]]))
    assert as_classes(P, THEIRS, OURS, {"no": "nb"}, rest="class")[0] == pytest.approx([0.1, 0.3, 0.6])


TOP = [{"no": 0.3, "ja": 0.5}, [("da", 0.8)]]


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("drop", [[0, 1, 0], [1, 0, 0]]),
        ("class", [[0, 0.3, 0, 0.7], [0.8, 0, 0, 0.2]]),
        ("spread", [[0.35, 0.3, 0.35], [0.8, 0.1, 0.1]]),
    ],
)
def test_the_best_few_become_probabilities_and_the_rest_goes_where_it_is_told(rest, expected):
    assert of_top(TOP, ["da", "nb", "sv"], {"no": "nb"}, rest=rest) == pytest.approx(np.array(expected))


WRONG_CLASSES = {
    "a class that the teacher lacks": (lambda: as_classes(P, THEIRS, OURS), "no class 'nb'.*rename={their name: 'nb'}"),
    "renamed backwards": (lambda: as_classes(P, THEIRS, OURS, {"nb": "no"}), "'nb', which is no class of the teacher"),
    "top renamed backwards": (lambda: of_top(TOP, OURS, {"nb": "no"}), "'no', which is no class of ours"),
    "too few names": (lambda: as_classes(P, THEIRS[1:], OURS), "4 columns for 3 names"),
    "logits": (lambda: as_classes(-P, THEIRS, OURS), "rows that sum to at most 1"),
    "an unknown rest": (lambda: as_classes(P, THEIRS, OURS, {"no": "nb"}, "spread"), "'drop'.*'class'.*not 'spread'"),
    "nothing is ours": (lambda: as_classes(P, THEIRS, ["nn"]), 'Answer 1 gives no probability.*rest="class"'),
    "top of nothing": (lambda: of_top([{"ja": 1.0}], OURS), "Answer 0 gives no probability"),
    "percent": (lambda: of_top([{"da": 80.0}], OURS), "Answer 0 gives .80.0.*at most 1"),
    "logprobs": (lambda: of_top([{"da": -0.2}], OURS), "Answer 0 gives"),
}


@pytest.mark.parametrize("wrong", WRONG_CLASSES)
def test_wrong_classes_get_a_sentence(wrong):
    call, sentence = WRONG_CLASSES[wrong]
    with pytest.raises(ValueError, match=sentence):
        call()
