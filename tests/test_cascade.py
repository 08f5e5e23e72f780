"""A cascade beside plain loops, with models that count their calls, fail, hang and forget."""

import threading
import time
import warnings

import numpy as np
import pytest
from small import CLASSES, X, Y, logits, model

from distill_edu import Cascade, soft_targets
from distill_edu.cascade import CONFIDENCES

STUDENT, TEACHER = model(), model(seed=1)
P, Q = soft_targets(logits(STUDENT)), soft_targets(logits(TEACHER))


class Asked:
    """A teacher that remembers what it was asked."""

    def __init__(self):
        self.batches = []

    def __call__(self, x):
        self.batches.append(np.array(x))
        return TEACHER(x)


def failing(x):
    raise ConnectionError("no line")


def test_the_student_answers_when_it_is_sure_and_the_teacher_else():
    cascade = Cascade(STUDENT, TEACHER, threshold=0.5)
    labels, probabilities, sources = cascade.predict(X)
    sure = P.max(1) >= 0.5
    assert 0 < sure.sum() < len(X)
    assert list(sources) == ["student" if one else "teacher" for one in sure]
    assert probabilities == pytest.approx(np.where(sure[:, None], P, Q), abs=1e-5)
    assert list(labels) == list(np.where(sure, P.argmax(1), Q.argmax(1)))
    assert cascade.stats == {"student": sure.sum(), "memory": 0, "teacher": (~sure).sum(), "failed": 0}


def test_the_teacher_is_asked_in_one_batch_and_never_twice():
    teacher = Asked()
    cascade = Cascade(STUDENT, teacher, threshold=1.0)
    twice = np.concatenate([X, X[::-1]])
    first = cascade.predict(twice)
    assert len(teacher.batches) == 1 and (teacher.batches[0] == X).all()
    assert list(first.sources) == ["teacher"] * len(X) + ["memory"] * len(X)
    again = cascade.predict(X[:5].copy())
    assert len(teacher.batches) == 1 and list(again.sources) == ["memory"] * 5
    assert (again.probabilities == first.probabilities[:5]).all()
    assert cascade.stats == {"student": 0, "memory": len(X) + 5, "teacher": len(X), "failed": 0}
    cascade.forget()
    assert set(cascade.predict(X).sources) == {"teacher"} and cascade.stats["memory"] == 0


def test_the_memory_forgets_what_was_not_used_for_longest():
    cascade = Cascade(STUDENT, TEACHER, threshold=1.0, memory=2)
    who = [cascade.predict(X[i : i + 1]).sources[0] for i in (0, 1, 0, 2, 0, 1)]
    assert who == ["teacher", "teacher", "memory", "teacher", "memory", "teacher"]  # 2 took the place of 1, not of 0
    assert set(Cascade(STUDENT, TEACHER, threshold=1.0, memory=0).predict(X).sources) == {"teacher"}


def test_the_last_answers_of_a_batch_larger_than_the_memory_are_given_and_kept():
    cascade = Cascade(STUDENT, TEACHER, threshold=1.0, memory=3)
    assert cascade.predict(X).probabilities == pytest.approx(Q, abs=1e-5)
    assert set(cascade.predict(X[-3:]).sources) == {"memory"}


@pytest.mark.parametrize("many", [lambda words: words, lambda words: [[word, "x"] for word in words]], ids=["1", "2"])
def test_words_are_remembered_whatever_the_longest_word_of_the_batch_is(many):
    asked = []

    def teacher(words):
        asked.extend(words.tolist())
        return np.tile([1.0, -1.0], (len(words), 1))

    cascade = Cascade(lambda words: np.tile([0.1, -0.1], (len(words), 1)), teacher)
    cascade.predict(np.array(many(["Haus", "maison"])))
    cascade.predict(np.array(many(["Haus", "a much longer word"]), dtype=object))
    assert asked == many(["Haus", "maison", "a much longer word"])


def test_the_same_bytes_as_other_numbers_are_another_question():
    asked = []

    def teacher(x):
        asked.append(x.dtype)
        return np.tile([1.0, -1.0], (len(x), 1))

    cascade = Cascade(lambda x: np.tile([0.1, -0.1], (len(x), 1)), teacher)
    numbers = np.array([[1.5, 2.5]], dtype="float32")
    cascade.predict(numbers)
    cascade.predict(numbers.view("int32"))
    assert asked == ["float32", "int32"]


def test_a_class_that_the_teacher_rules_out_is_an_answer():
    ruled_out = Cascade(STUDENT, lambda x: np.tile([0.0, 0.0, -np.inf, -np.inf], (len(x), 1)), threshold=1.0)
    assert ruled_out.predict(X[:1]).probabilities == pytest.approx(np.array([[0.5, 0.5, 0, 0]]))


def test_a_model_that_drops_units_while_it_trains_answers_without_dropping_any():
    noisy = model(noise=0.9)
    assert Cascade(noisy, TEACHER, 0.0).predict(X).probabilities == pytest.approx(soft_targets(logits(noisy)), abs=1e-5)


@pytest.mark.parametrize("name", CONFIDENCES)
def test_a_confidence_is_what_its_definition_says(name):
    p = np.array([[0.25, 0.25, 0.25, 0.25], [0.7, 0.2, 0.1, 0.0], [1.0, 0.0, 0.0, 0.0]])
    certain = 1 + (0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1)) / np.log(4)
    expected = {"max": [0.25, 0.7, 1], "margin": [0, 0.5, 1], "entropy": [0, certain, 1]}[name]
    assert CONFIDENCES[name](p) == pytest.approx(expected)
    assert 0 <= CONFIDENCES[name](p).min() <= CONFIDENCES[name](p).max() <= 1
    of_five = np.array([[0.2] * 5, [0.1, 0.25, 0.35, 0.05, 0.25]])
    assert CONFIDENCES[name](of_five)[0] >= 0  # not a rounding below
    assert name != "margin" or CONFIDENCES[name](of_five) == pytest.approx([0, 0.1])
    cascade = Cascade(STUDENT, TEACHER, threshold=0.4, confidence=name)
    assert list(cascade.predict(X).sources == "student") == list(CONFIDENCES[name](P) >= 0.4)


def test_temperature_scales_the_student_and_not_the_teacher():
    answers = Cascade(STUDENT, TEACHER, threshold=0.5, temperature=3.0).predict(X)
    soft = soft_targets(logits(STUDENT), 3)
    sure = soft.max(1) >= 0.5
    assert answers.probabilities == pytest.approx(np.where(sure[:, None], soft, Q), abs=1e-5)


@pytest.mark.parametrize(
    "teacher, timeout, sentence",
    [
        (failing, None, "ConnectionError no line"),
        (failing, 5, "ConnectionError no line"),
        (lambda x: time.sleep(3), 0.1, "TimeoutError"),
        (lambda x: np.full((len(x), CLASSES), np.nan), None, "NaN"),
        (lambda x: np.where(np.eye(CLASSES)[np.zeros(len(x), int)], np.inf, 0), None, "NaN or infinity"),
    ],
)
def test_without_its_teacher_the_student_answers_and_the_counts_say_so(teacher, timeout, sentence):
    cascade = Cascade(STUDENT, teacher, threshold=0.5, timeout=timeout)
    with pytest.warns(UserWarning, match=sentence) as warned:
        answers = cascade.predict(X)
    assert warned[0].filename == __file__  # the line that asked
    assert answers.probabilities == pytest.approx(P, abs=1e-5)
    unsure = int((P.max(1) < 0.5).sum())
    assert cascade.stats == {"student": len(X) - unsure, "memory": 0, "teacher": 0, "failed": unsure}
    cascade.teacher = TEACHER  # a line that was repaired: nothing wrong was remembered
    assert cascade.predict(X).probabilities[P.max(1) < 0.5] == pytest.approx(Q[P.max(1) < 0.5], abs=1e-5)


def test_a_teacher_that_never_answers_does_not_keep_python_from_leaving():
    before, silence = set(threading.enumerate()), threading.Event()
    with pytest.warns(UserWarning, match="TimeoutError"):
        Cascade(STUDENT, lambda x: silence.wait(), 1.0, timeout=0.01).predict(X[:1])
    waiting = set(threading.enumerate()) - before
    assert waiting and all(thread.daemon for thread in waiting)
    silence.set()


def test_a_quick_teacher_answers_within_its_time():
    cascade = Cascade(STUDENT, TEACHER, threshold=1.0, timeout=60)
    assert cascade.predict(X).probabilities == pytest.approx(Q, abs=1e-5)


def test_many_threads_may_ask_at_the_same_time():
    cascade = Cascade(STUDENT, TEACHER, threshold=0.5, memory=5)
    right, wrong = Cascade(STUDENT, TEACHER, threshold=0.5).predict(X), []

    def ask():
        for start in range(0, 30, 3):
            rows = slice(start, start + 3)
            if not np.allclose(cascade.predict(X[rows]).probabilities, right.probabilities[rows], atol=1e-5):
                wrong.append(start)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert wrong == [] and sum(cascade.stats.values()) == 8 * 30
    assert len(cascade._remembered) <= 5


@pytest.mark.parametrize("sign", [1, -1])
def test_the_curve_is_what_each_threshold_gives(sign):
    cascade = Cascade(STUDENT, lambda x: sign * TEACHER(x))
    curve = cascade.curve(X, Y)
    for threshold, share, accuracy in curve.itertuples(index=False):
        cascade.forget()
        cascade.threshold = threshold
        answers = cascade.predict(X)
        assert share == pytest.approx((answers.sources != "student").mean())
        assert accuracy == pytest.approx((answers.labels == Y).mean())
    assert list(curve.iloc[0]) == [0, 0, pytest.approx((P.argmax(1) == Y).mean())]
    assert list(curve.iloc[-1]) == [1, 1, pytest.approx(((sign * Q).argmax(1) == Y).mean())]
    assert curve.threshold.is_monotonic_increasing and curve.teacher_share.is_monotonic_increasing


@pytest.mark.parametrize("labels", [Y, P.argmax(1), Q.argmax(1)])  # nobody, the student, or the teacher knows best
def test_calibrate_finds_the_best_threshold_within_a_share(labels):
    cascade = Cascade(STUDENT, TEACHER)
    curve = cascade.curve(X, labels)
    for share in (0, 0.2, 0.5, 1):
        threshold = cascade.calibrate(X, labels, max_teacher_share=share)
        assert cascade.threshold == threshold
        mine = curve[curve.threshold == threshold].iloc[0]
        within = curve[curve.teacher_share <= share]
        assert mine.teacher_share <= share and mine.accuracy == within.accuracy.max()
        assert mine.teacher_share == within[within.accuracy == within.accuracy.max()].teacher_share.min()


def test_calibrate_asks_as_little_as_an_accuracy_allows():
    cascade = Cascade(STUDENT, TEACHER)
    labels = Q.argmax(1)
    curve = cascade.curve(X, labels)
    for wanted in (0.5, 0.9, 1.0):
        cascade.calibrate(X, labels, min_accuracy=wanted)
        mine = curve[curve.threshold == cascade.threshold].iloc[0]
        assert mine.accuracy >= wanted and mine.teacher_share == curve[curve.accuracy >= wanted].teacher_share.min()
    with pytest.raises(ValueError, match="No threshold reaches an accuracy of 0.99; the best is 0."):
        cascade.calibrate(X, Y, min_accuracy=0.99)


def test_a_saved_cascade_answers_as_before_and_still_remembers(tmp_path):
    settings = {"threshold": 0.6, "memory": 50, "confidence": "margin", "temperature": 1.5, "timeout": 60}
    cascade = Cascade(STUDENT, TEACHER, **settings)
    before = cascade.predict(X)
    assert cascade.stats["teacher"]
    cascade.save(tmp_path / "a" / "folder")
    loaded = Cascade.load(tmp_path / "a" / "folder")
    assert {name: getattr(loaded, name) for name in settings} == settings
    assert sum(loaded.stats.values()) == 0
    again = loaded.predict(X)
    assert again.probabilities == pytest.approx(before.probabilities, abs=1e-6)
    assert list(again.sources) == [{"teacher": "memory"}.get(source, source) for source in before.sources]


def test_a_cascade_that_was_never_asked_can_be_saved(tmp_path):
    Cascade(STUDENT, TEACHER).save(tmp_path)
    assert Cascade.load(tmp_path).predict(X).labels.shape == (len(X),)


def test_a_function_cannot_be_saved(tmp_path):
    with pytest.raises(TypeError, match="teacher is not a Keras model"):
        Cascade(STUDENT, failing).save(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_what_is_not_set_has_its_default():
    cascade = Cascade(STUDENT, TEACHER)
    assert (cascade.threshold, cascade.memory, cascade.confidence, cascade.timeout) == (0.9, 1024, "max", None)


CASCADE = Cascade(STUDENT, TEACHER, threshold=1.0)


def answering(shape):
    """A cascade is asked about one example, and its teacher answers in this shape."""
    return Cascade(STUDENT, lambda x: np.full(shape, -1.0), threshold=1.0).predict(X[:1])


@pytest.mark.parametrize(
    "call, error, sentence",
    [
        (lambda: Cascade(STUDENT, TEACHER, threshold=1.1), ValueError, "threshold must be between 0 and 1, not 1.1"),
        (lambda: Cascade(STUDENT, TEACHER, threshold="x"), ValueError, "threshold must be between 0 and 1, not 'x'"),
        (lambda: Cascade(STUDENT, TEACHER, threshold=np.nan), ValueError, "threshold must be"),
        (lambda: setattr(CASCADE, "threshold", -0.1), ValueError, "threshold must be"),
        (lambda: Cascade(STUDENT, TEACHER, memory=-1), ValueError, "whole number of at least 0"),
        (lambda: Cascade(STUDENT, TEACHER, memory=1.5), ValueError, "whole number of at least 0"),
        (lambda: Cascade(STUDENT, TEACHER, timeout=0), ValueError, "timeout"),
        (lambda: Cascade(STUDENT, TEACHER, timeout=-1), ValueError, "timeout"),
        (lambda: Cascade(STUDENT, TEACHER, temperature=0), ValueError, "temperature must be a positive"),
        (lambda: Cascade(STUDENT, TEACHER, confidence="std"), ValueError, "max, margin, entropy, not 'std'"),
        (lambda: Cascade(STUDENT, None), TypeError, "The teacher must be a Keras model or a function"),
        (lambda: Cascade(STUDENT, model(classes=3)), ValueError, "The student has 4 outputs and the teacher 3"),
        (lambda: answering((1, 3)), ValueError, "teacher gives the shape .1, 3. for 1 examples instead of .1, 4."),
        (lambda: Cascade(lambda x: x[0], TEACHER).predict(X), ValueError, "instead of .33, 'classes'."),
        (lambda: answering((1, 5)), ValueError, "teacher gives the shape .1, 5. for 1 examples"),
        (lambda: answering((0, 4)), ValueError, "teacher gives the shape .0, 4. for 1 examples"),
        (lambda: answering((2, 4)), ValueError, "teacher gives the shape .2, 4. for 1 examples"),
        (lambda: answering((1,)), ValueError, "teacher gives the shape .1,. for 1 examples"),
        (lambda: answering((1, 4, 4)), ValueError, "teacher gives the shape .1, 4, 4. for 1 examples"),
        (
            lambda: Cascade(model(activation="softmax"), TEACHER).predict(X),
            ValueError,
            "student's output looks like prob",
        ),
        (lambda: Cascade(STUDENT, model(activation="softmax"), 1.0).predict(X), ValueError, "teacher's output looks"),
        (lambda: CASCADE.predict(X[:0]), ValueError, "at least one example"),
        (lambda: CASCADE.predict(3.0), ValueError, "at least one example"),
        (lambda: CASCADE.predict(X * np.nan), ValueError, "student's output contains NaN"),
        (lambda: CASCADE.curve(X[:0], Y[:0]), ValueError, "at least one example"),
        (lambda: CASCADE.curve(X, Y[:5]), ValueError, "give 33 integer labels"),
        (lambda: CASCADE.curve(X, np.tile(Y, 2)), ValueError, "give 33 integer labels"),
        (lambda: CASCADE.calibrate(X, Y, 0.5), TypeError, "positional"),
        (lambda: CASCADE.curve(X, np.eye(CLASSES)[Y]), ValueError, "give 33 integer labels"),
        (lambda: CASCADE.calibrate(X, Y), ValueError, "either max_teacher_share or min_accuracy"),
        (lambda: CASCADE.calibrate(X, Y, max_teacher_share=0.5, min_accuracy=0.5), ValueError, "either"),
        (lambda: CASCADE.calibrate(X, Y, max_teacher_share=2), ValueError, "max_teacher_share must be between"),
        (lambda: CASCADE.calibrate(X, Y, min_accuracy=90), ValueError, "min_accuracy must be between"),
    ],
)
def test_wrong_use_gets_a_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


def test_a_teacher_that_fails_for_ever_in_new_words_fills_no_memory():
    def failing(x):
        count.append(1)
        raise ConnectionError(f"request {len(count)} was lost")

    count = []
    one = Cascade(model(), failing, threshold=1.0)
    before = dict(globals().get("__warningregistry__", {}))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("default")
        for _ in range(250):
            one.predict(X[:1])
    assert [str(each.message) for each in heard] == [
        f"The teacher failed (ConnectionError request {number} was lost), so the student answered alone."
        for number in range(1, 251)
    ]
    assert {each.filename for each in heard} == {__file__}
    sizes = [len(value) for value in vars(one).values() if isinstance(value, dict)]
    assert max(sizes) < 110 and dict(globals().get("__warningregistry__", {})) == before
