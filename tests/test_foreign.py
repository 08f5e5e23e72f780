"""A teacher from elsewhere: asked once, kept by content, refused in a sentence; its classes, its best few as ours."""

import errno
import functools
import os
import time
from pathlib import Path

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


def blocked(tmp_path):
    (tmp_path / "file").write_text("x")
    return tmp_path / "file"


NOWHERE = {
    "a file": (blocked, "File exists"),
    "below a file": (lambda tmp_path: blocked(tmp_path) / "answers", "Not a directory"),
    "where nothing can be made": (lambda tmp_path: Path("/proc/nowhere"), "No such file"),
    "where nothing can be written": (lambda tmp_path: Path("/proc"), "No such file"),
}


@pytest.mark.parametrize("where", NOWHERE)
def test_a_folder_that_takes_no_answers_is_refused_before_the_teacher_is_asked(where, tmp_path):
    make, reason = NOWHERE[where]
    service, folder = Service(), make(tmp_path)
    with pytest.raises(OSError, match=f"cannot be kept in {folder} .{reason}.*not asked: give a folder") as caught:
        ask(service, ["a", "b"], kept=folder)
    assert service.calls == 0 and not hasattr(caught.value, "__notes__")


def test_a_full_disk_is_found_before_the_teacher_is_asked_and_reading_needs_no_space(kept):
    resource = pytest.importorskip("resource")
    ask(Service(), ["a"], kept=kept)
    service, (soft, hard) = Service(), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # as on a full disk, an empty file can be made
        assert ask(Service(1), ["a"], kept=kept).tolist() == [[1, 4]]
        with pytest.raises(OSError, match="File too large.*not asked.*space"):
            ask(service, ["a", "b"], kept=kept)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert service.calls == 0 and len(list(kept.iterdir())) == 1


@pytest.mark.parametrize("fits", [0, 1])
def test_a_disk_that_is_full_later_is_one_warning_and_what_is_lost_is_not_called_kept(kept, monkeypatch, fits):
    def replace(*paths, written=[], move=os.replace):  # noqa: B006 - it counts
        written.append(paths)
        if len(written) > fits:
            raise OSError(errno.ENOSPC, "No space left on device")
        move(*paths)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.warns(UserWarning, match="could not be kept in .*No space.*asked again") as warned:
        z = ask(Service(), ["a", "b", "c"], 1, kept=kept)
    assert z.shape == (3, 2) and len(warned) == 1 and warned[0].filename == __file__
    assert len(list(kept.iterdir())) == fits
    with pytest.warns(UserWarning), pytest.raises(TimeoutError) as caught:
        ask(Service(3), ["a", "d", "e", "f"], 1, kept=kept)
    notes = getattr(caught.value, "__notes__", [])
    assert [note[:10] for note in notes] == ["1 answers "][:fits]


@pytest.mark.parametrize("wrong", [5, "", b"answers"])
def test_what_is_no_folder_is_refused(wrong):
    with pytest.raises(TypeError, match="kept must be the path of a folder, or None, not"):
        ask(Service(1), ["a"], kept=wrong)


def test_two_runs_in_one_folder_lose_no_answer(kept):
    words = [str(number) for number in range(10)]

    def slow(texts):  # while it answers its first question, another run asks all ten in one batch
        if texts == ["1"]:
            raise TimeoutError
        ask(Service(), words, batch_size=10, kept=kept)
        return [[9, 8] for _ in texts]

    with pytest.raises(TimeoutError):
        ask(slow, words, batch_size=1, kept=kept)
    assert len(list(kept.iterdir())) == 2  # two answers to one question are two files
    assert ask(Service(1), words, kept=kept).shape == (10, 2)  # nobody is asked


def test_a_folder_in_which_two_teachers_answered_is_refused_before_the_teacher_is_asked(kept):
    def slow(texts):
        ask(lambda texts: [[1, 2, 3]], ["b"], kept=kept)
        return [[1, 2]]

    ask(slow, ["a"], kept=kept)
    sentence = "Some answers in .* have [23] classes and others [23]: .*folder of its own"
    for x in (["a"], ["a", "b"], ["c"]):
        with pytest.raises(ValueError, match=sentence):
            ask(Service(1), x, kept=kept)


def test_a_question_takes_as_long_among_many_as_among_few(kept, monkeypatch):
    def seconds(count):
        start = time.process_time()
        ask(lambda some: [[1.0, -1.0]], list(range(count)), 1)
        return time.process_time() - start

    assert seconds(500) and seconds(8000) < 40 * seconds(500)
    looks, glob = [], Path.glob
    monkeypatch.setattr(Path, "glob", lambda *given: looks.append(given) or glob(*given))
    ask(Service(), list("abcdefghij"), 1, kept=kept)
    assert len(looks) <= 2  # not once for each batch: a folder may have many files


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
    "no imaginary part": (of(np.full((2, 2), 1 + 2j)), ValueError, "array of numbers.*not .*2.j"),
    "one class": (of([[1], [2]]), ValueError, r"shape \(2, 1\).*two or more"),
    "no numbers": (of(np.zeros((2, 0, 3)), gives="probabilities"), ValueError, r"shape \(2, 0, 3\)"),
    "an array without axes": (lambda kept: teacher_logits(Service(), np.array(5.0)), ValueError, "x has no axes: give"),
    "more than 1": (of([[0.6, 0.46], [0.5, 0.5]], gives="probabilities"), ValueError, "sums to 1, not 1.06.*of_top"),
    "a little more": (of([[0.6, 0.4504], [0.5, 0.5]], gives="probabilities"), ValueError, "sums to 1, not 1.0504"),
    "below 0": (of([[1.25, -0.25], [0.5, 0.5]], gives="probabilities"), ValueError, "[(]-0.25 is negative[)]"),
    "NaN among probabilities": (of([[1, np.nan], [1, 0]], gives="probabilities"), ValueError, "contains NaN"),
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


DIFFERENT = {
    "classes": ([2, 3], "have 2 classes and {} 3: "),
    "another axis": ([(3, 2), (4, 2)], r"have the shape \(3, 2\) for each example and {} \(4, 2\): "),
    "another number of axes": ([2, (2, 2)], r"have the shape \(2,\) for each example and {} \(2, 2\): "),
}


@pytest.mark.parametrize("differ", DIFFERENT)
def test_answers_of_different_shapes_are_refused_and_only_where_there_is_a_folder_it_is_named(differ, kept):
    shapes, sentence = DIFFERENT[differ]
    first, second = (lambda x, shape=shape: -np.ones((len(x), *np.atleast_1d(shape))) for shape in shapes)
    with pytest.raises(ValueError, match="Some of the teacher's answers " + sentence.format("others") + "it must give"):
        ask(lambda x: (first if x == ["a"] else second)(x), ["a", "b"], batch_size=1)
    ask(first, ["a"], kept=kept)
    with pytest.raises(ValueError, match="The answers in .*" + sentence.format("the new ones") + "give every teacher"):
        ask(second, ["b"], kept=kept)
    assert ask(Service(1), ["a"], kept=kept).shape[0] == 1  # the folder is as it was


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


def asked(function, **given):
    """The teacher of a cascade whose student is never sure."""
    return lambda folder: functools.partial(teacher_logits, function, **{"kept": folder / "kept", **given})


def even(texts):
    return [[0.5, 0.5] for _ in texts]


MISUSED = {
    "gives": (asked(even, gives="scores"), "gives must be"),
    "no probabilities": (asked(lambda texts: [[3, -3]], gives="probabilities"), "no probabilities"),
    "no logits": (asked(even), 'give gives="probabilities"'),
    "no batch": (asked(even, batch_size=0), "batch_size"),
    "too few rows": (asked(lambda texts: [[1, 2]] * 3), "gave the shape"),
    "no folder": (lambda folder: asked(even, kept=blocked(folder))(folder), "cannot be kept"),
    "a Keras model": (lambda folder: asked(model(classes=2), kept=folder)(folder), "for functions"),
    "a softmax": (asked(model(classes=2, activation="softmax"), kept=None), "before the softmax"),
    "rest": (asked(lambda texts: of_top([{"a": 1.0}], ["a", "b"], rest="all")), "rest must be"),
    "classes": (asked(lambda texts: as_classes(even(texts), ["a", "b"], ["a", "a"])), "more than once"),
}


@pytest.mark.parametrize("misused", MISUSED)
def test_a_cascade_raises_what_is_wrong_with_the_call_and_does_not_count_it_as_a_failure(misused, tmp_path):
    teacher, sentence = MISUSED[misused]
    cascade = Cascade(lambda x: np.zeros((len(x), 2)), teacher(tmp_path))
    with pytest.raises((ValueError, OSError), match=sentence):
        cascade.predict(X[:1])
    assert cascade.stats["failed"] == 0


def lost(texts):
    raise ValueError("no answer came")


@pytest.mark.parametrize(
    ("function", "reason"), [(lost, "no answer came"), (lambda x: [[np.nan, 1]], "NaN"), (lambda x: "busy", "numbers")]
)
def test_a_cascade_goes_on_where_its_teacher_fails(function, reason):
    cascade = Cascade(lambda x: np.zeros((len(x), 2)), functools.partial(teacher_logits, function))
    with pytest.warns(UserWarning, match=f"The teacher failed .*{reason}"):
        assert cascade.predict(["a"]).sources.tolist() == ["failed"]


# --- classes --------------------------------------------------------------------------------------------------------

THEIRS, OURS = ["no", "nn", "da", "ja"], ["da", "nb"]
P = np.array([[0.3, 0.1, 0.1, 0.5], [0.0, 0.0, 0.8, 0.2]])


def test_their_classes_become_ours_with_and_without_the_rest():
    rename = {"no": "nb", "nn": "nb"}
    assert as_classes(P, THEIRS, OURS, rename) == pytest.approx(np.array([[0.2, 0.8], [1, 0]]))
    with_rest = as_classes(P, THEIRS, OURS, rename, rest="class")
    assert with_rest == pytest.approx(np.array([[0.1, 0.4, 0.5], [0.8, 0, 0.2]]))
    assert as_classes(P, THEIRS, OURS, {"no": "nb"}, rest="class")[0] == pytest.approx([0.1, 0.3, 0.6])


@pytest.mark.parametrize("row", [[0.6, 0.2], [0.6, 0.4], [0.63, 0.41], [0.0, 0.0]])
def test_with_a_class_for_the_rest_each_row_sums_to_1(row):
    for ours in (["b"], ["a", "b"]):
        top = of_top([{"a": row[0], "b": row[1]}], ours, rest="class")
        for p in (top, as_classes([row], ["a", "b"], ours, rest="class")):
            assert p.shape == (1, len(ours) + 1) and p.sum() == pytest.approx(1) and (p >= 0).all()
    scale = max(1, sum(row))
    assert p == pytest.approx(np.array([[row[0] / scale, row[1] / scale, max(0, 1 - sum(row))]]))
    with_rest = as_classes([row], ["a", "b"], ["b"], rest="class")
    assert with_rest == pytest.approx(np.array([[row[1] / scale, 1 - row[1] / scale]]))


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
    "ours twice": (lambda: as_classes([[0.6, 0.4]], ["a", "b"], ["a", "a"]), "ours has 'a' more than once"),
    "classes twice": (lambda: of_top(TOP, ["da", "nb", "da"], {"no": "nb"}), "classes has 'da' more than once"),
    "renamed to nothing": (lambda: as_classes(P, THEIRS, OURS, {"no": "nb", "nn": "nbb"}), "gives 'nbb', which is no"),
    "renamed from nothing": (lambda: as_classes(P, THEIRS, OURS, {3: "nb", "x": "nb"}), "has 3, which is no class of"),
    "renamed to a list": (lambda: of_top(TOP, OURS, {"no": ["nb"]}), "gives .'nb'., which is no class of ours"),
    "no renaming": (lambda: as_classes(P, THEIRS, OURS, 5), "rename must be {their name: our name}, not 5"),
    "a text of renaming": (lambda: of_top(TOP, OURS, "no nb"), "rename must be {their name: our name}, not 'no nb'"),
    "a text of classes": (lambda: of_top(TOP, "da nb"), "classes must be a list of the names.*not 'da nb'"),
    "no classes": (lambda: of_top(TOP, []), "classes must be a list of the names"),
    "lists as classes": (lambda: as_classes(P, THEIRS, [["da"], ["nb"]]), "ours must be a list of the names"),
    "no names of theirs": (lambda: as_classes(P, None, OURS), "theirs must be a list of the names"),
    "NaN": (lambda: of_top([{"da": np.nan}], OURS), "Answer 0 gives .nan.*give probabilities"),
    "None as a number": (lambda: of_top([{"da": None}], OURS), "Answer 0 gives .nan.*give probabilities"),
    "None": (lambda: of_top([{"da": 1.0}, None], OURS), "Answer 1 must be {name: probability}.*not None"),
    "names alone": (lambda: of_top(["cat", "dog"], ["cat", "dog"]), "Answer 0 must be .*pairs.*not 'cat'"),
    "triples": (lambda: of_top([[("da", 0.5, 1)]], OURS), "Answer 0 must be .*pairs"),
    "names in lists": (lambda: of_top([[(["da"], 0.5)]], OURS), "Answer 0 must be .*pairs"),
    "one answer": (lambda: of_top({"cat": 0.6}, ["cat", "dog"]), "for each example, not {'cat': 0.6}"),
    "no answers": (lambda: of_top(None, OURS), "for each example, not None"),
    "an answer without axes": (lambda: of_top(np.array(0.5), OURS), "for each example, not array"),
    "complex": (lambda: as_classes(P + 0j, THEIRS, OURS, {"no": "nb"}), "array of numbers"),
    "percent": (lambda: of_top([{"da": 80.0}], OURS), "Answer 0 gives .80.0.*at most 1"),
    "logprobs": (lambda: of_top([{"da": -0.2}], OURS), "Answer 0 gives"),
}


@pytest.mark.parametrize("wrong", WRONG_CLASSES)
def test_wrong_classes_get_a_sentence(wrong):
    call, sentence = WRONG_CLASSES[wrong]
    with pytest.raises(ValueError, match=sentence):
        call()
