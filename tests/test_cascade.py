"""A cascade beside plain loops, with models that count their calls, fail, hang and forget."""

import functools
import threading
import time
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import CLASSES, FEATURES, X, Y, logits, model

from distill_edu import Cascade, soft_targets
from distill_edu.cascade import CONFIDENCES

layers = keras.layers
STUDENT, TEACHER = model(), model(seed=1)
P, Q = soft_targets(logits(STUDENT)), soft_targets(logits(TEACHER))
SURE = P.max(1) >= 0.5


class Asked:
    """A function that remembers what it was asked."""

    def __init__(self, function=TEACHER):
        self.function, self.batches = function, []

    def __call__(self, x):
        self.batches.append(np.array(x))
        return self.function(x)


def constant(*row):
    """A function that gives every example these logits."""
    return lambda x: np.tile(row, (len(x), 1))


def failing(x):
    raise ConnectionError("no line")


@pytest.mark.parametrize("temperature", [1.0, 0.5])  # it scales the student, not the teacher
def test_the_student_answers_when_it_is_sure_and_the_teacher_else(temperature):
    cascade = Cascade(STUDENT, TEACHER, threshold=0.5, temperature=temperature, timeout=60)
    labels, probabilities, sources = cascade.predict(X)
    soft = soft_targets(logits(STUDENT), temperature)
    sure = soft.max(1) >= 0.5
    assert 0 < sure.sum() < len(X)
    assert list(sources) == ["student" if each else "teacher" for each in sure]
    assert probabilities == pytest.approx(np.where(sure[:, None], soft, Q), abs=1e-5)
    assert list(labels) == list(np.where(sure, P.argmax(1), Q.argmax(1)))
    assert cascade.stats == {"student": sure.sum(), "memory": 0, "teacher": (~sure).sum(), "failed": 0}


def test_no_unit_is_dropped_and_a_class_may_be_ruled_out():
    noisy = model(noise=0.9)
    assert Cascade(noisy, TEACHER, 0.0).predict(X).probabilities == pytest.approx(soft_targets(logits(noisy)), abs=1e-5)
    cascade = Cascade(STUDENT, constant(0.0, 0.0, -np.inf, -np.inf), threshold=1.0)
    assert cascade.predict(X[:1]).probabilities == pytest.approx(np.array([[0.5, 0.5, 0, 0]]))


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
    larger = Cascade(STUDENT, TEACHER, threshold=1.0, memory=3)  # than this memory is the batch
    assert larger.predict(X).probabilities == pytest.approx(Q, abs=1e-5)
    assert set(larger.predict(X[-3:]).sources) == {"memory"}


@pytest.mark.parametrize("many", [lambda words: words, lambda words: [[word, "x"] for word in words]], ids=["1", "2"])
def test_words_are_remembered_however_long_the_longest_word_of_the_batch_is(many):
    teacher = Asked(constant(1.0, -1.0))
    cascade = Cascade(constant(0.1, -0.1), teacher)
    cascade.predict(np.array(many(["Haus", "maison"])))
    cascade.predict(np.array(many(["Haus", "a much longer word"]), dtype=object))
    cascade.predict(many(["maison"]))
    cascade.predict(tf.constant(many(["Haus", "Größe"])))  # of a pipeline: bytes
    assert [row for batch in teacher.batches for row in batch.tolist()] == many(
        ["Haus", "maison", "a much longer word", "Größe"]
    )
    numbers = np.array([[1.5, 2.5]], dtype="float32")
    for x in (numbers, numbers.view("int32")):  # equal bytes, but another question
        cascade.predict(x)
    assert [batch.dtype for batch in teacher.batches[3:]] == ["float32", "int32"]


def test_what_looks_like_probabilities_by_chance_is_logits_and_a_softmax_is_found_question_by_question():
    def identity(x):
        return x

    for threshold in (0.0, 1.0):
        cascade = Cascade(identity, identity, threshold)
        for _ in range(20):  # the same question again and again
            answers = cascade.predict(np.array([[1.0, 0.0]]))
        assert answers.labels == [0] and answers.probabilities[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))
    one_by_one = Cascade(Asked(SOFTMAX), TEACHER)
    for row in X[:7]:
        one_by_one.predict(row[None])
    with pytest.raises(ValueError, match="student's output looks like probabilities"):
        one_by_one.predict(X[7:8])
    rounded = Cascade(Asked(lambda x: np.round(SOFTMAX(x), 2)), TEACHER)
    with pytest.raises(ValueError, match="student's output looks like probabilities"):
        [rounded.predict(row[None]) for row in X]


def test_an_answer_is_kept_for_its_shape_and_without_the_rest_of_its_batch():
    teacher = Asked(lambda x: np.tile([x.shape[1], 1.0], (len(x), 1)))
    cascade = Cascade(constant(0.0, 0.0), teacher, threshold=1.0, memory=2)
    for shape in ((1, 4, 9), (1, 9, 4)):
        cascade.predict(np.zeros(shape))
    assert len(teacher.batches) == 2
    cascade.predict(np.arange(300.0)[:, None])
    assert all(row.base is None for row in cascade._remembered.values())  # noqa: SLF001 - what is held in memory


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
    assert len(cascade._remembered) <= 5  # noqa: SLF001 - how full the memory is


FAILURES = [
    (failing, None, "The teacher failed .ConnectionError no line., so the student answered alone"),
    (failing, 5, "ConnectionError no line"),
    (lambda x: time.sleep(3), 0.1, "TimeoutError"),
    (constant(*[np.nan] * CLASSES), None, "NaN"),
    (constant(np.inf, 0, 0, 0), None, "NaN or infinity"),
    (constant(1j, 0, 0, 0), None, "array of numbers, .n, classes., not .*j"),
]


@pytest.mark.parametrize("teacher, timeout, sentence", FAILURES)
def test_without_its_teacher_the_student_answers_and_the_counts_say_so(teacher, timeout, sentence):
    cascade = Cascade(STUDENT, teacher, threshold=0.5, timeout=timeout)
    with pytest.warns(UserWarning, match=sentence) as warned:
        answers = cascade.predict(X)
    assert warned[0].filename == __file__  # the line that asked
    assert answers.probabilities == pytest.approx(P, abs=1e-5)
    unsure = int((~SURE).sum())
    assert cascade.stats == {"student": len(X) - unsure, "memory": 0, "teacher": 0, "failed": unsure}
    cascade.teacher = TEACHER  # a line that was repaired: nothing wrong was remembered
    assert cascade.predict(X).probabilities[~SURE] == pytest.approx(Q[~SURE], abs=1e-5)


@pytest.mark.parametrize("different, calls, heard", [(250, 250, 250), (1, 5, 1), (99, 100, 99), (100, 102, 102)])
def test_a_warning_is_given_once_and_a_hundred_are_remembered(different, calls, heard):
    """Python would keep each text for ever, and this text may be new every time."""

    def failing(x):
        count.append(1)
        raise ConnectionError(f"request {len(count) % different} was lost")

    count, cascade = [], Cascade(STUDENT, failing, threshold=1.0)
    before = dict(globals().get("__warningregistry__", {}))
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("default")
        for _ in range(calls):
            cascade.predict(X[:1])
    assert len(given) == heard and {each.filename for each in given} == {__file__}
    sizes = [len(value) for value in vars(cascade).values() if isinstance(value, dict)]
    assert max(sizes) < 110 and dict(globals().get("__warningregistry__", {})) == before


def test_a_teacher_that_never_answers_does_not_keep_python_from_leaving():
    before, silence = set(threading.enumerate()), threading.Event()
    with pytest.warns(UserWarning, match="TimeoutError"):
        Cascade(STUDENT, lambda x: silence.wait(), 1.0, timeout=0.01).predict(X[:1])
    waiting = set(threading.enumerate()) - before
    assert waiting and all(thread.daemon for thread in waiting)
    silence.set()


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
def test_calibrate_finds_the_best_threshold_within_a_limit(labels):
    cascade = Cascade(STUDENT, TEACHER)
    curve = cascade.curve(X, labels)
    for share in (0, 0.2, 0.5, 1):
        threshold = cascade.calibrate(X, labels, max_teacher_share=share)
        assert cascade.threshold == threshold
        chosen = curve[curve.threshold == threshold].iloc[0]
        within = curve[curve.teacher_share <= share]
        assert chosen.teacher_share <= share and chosen.accuracy == within.accuracy.max()
        assert chosen.teacher_share == within[within.accuracy == within.accuracy.max()].teacher_share.min()
    for accuracy in (0.5 * curve.accuracy.max(), curve.accuracy.max()):
        cascade.calibrate(X, labels, min_accuracy=accuracy)
        chosen = curve[curve.threshold == cascade.threshold].iloc[0]
        assert chosen.accuracy >= accuracy
        assert chosen.teacher_share == curve[curve.accuracy >= accuracy].teacher_share.min()


def test_an_example_without_a_label_is_in_no_curve_and_what_is_no_class_is_refused():
    cascade, some = Cascade(STUDENT, TEACHER), np.arange(len(Y)) % 3 > 0
    hidden = np.where(some, Y, -1)
    assert cascade.curve(X, hidden).equals(cascade.curve(X[some], Y[some]))
    right = (np.array([P, Q]).argmax(2) == Y)[:, some].mean(1)
    assert cascade.curve(X, hidden).accuracy.iloc[[0, -1]].tolist() == pytest.approx(right.tolist())
    share = {"max_teacher_share": 0.5}
    assert cascade.calibrate(X, hidden, **share) == Cascade(STUDENT, TEACHER).calibrate(X[some], Y[some], **share)
    for wrong in (2**32 + 3, CLASSES, -2, np.iinfo("int64").min):
        with pytest.raises(ValueError, match="Labels are integers from 0 to 3"):
            cascade.curve(X, np.where(some, Y, wrong))
    for nothing in (0 * Y - 1, np.where(some, Y, np.iinfo("uint64").max).astype("uint64")):
        with pytest.raises(ValueError, match="Labels are integers from 0 to 3"):
            cascade.calibrate(X, nothing, **share)


class Moving(keras.Model):
    """Calls a BatchNormalization with training=True, always."""

    def __init__(self):
        super().__init__()
        self.norm, self.out = layers.BatchNormalization(), layers.Dense(CLASSES)

    def call(self, x):
        return self.out(self.norm(x, training=True))


def test_a_model_that_is_asked_stays_what_it_is():
    entry = keras.Input((FEATURES,), batch_size=4)
    blocks = [layers.Reshape((2, 3)), layers.GRU(3, stateful=True, name="gru"), layers.Dense(CLASSES)]
    remembering, moving = keras.Sequential([entry, *blocks]), Moving()
    for models, whose in (((remembering, TEACHER), "student"), ((STUDENT, remembering), "teacher")):
        with pytest.raises(ValueError, match=f"The layer 'gru' of the {whose} is stateful"):
            Cascade(*models)
    moving(X)
    before = [np.array(variable) for variable in moving.variables]
    with pytest.raises(ValueError, match="Asking the model changes it, .*moving_mean"):
        Cascade(moving, TEACHER).predict(X)
    with pytest.warns(UserWarning, match="The teacher failed .*Asking the model changes it, .*moving_mean"):
        Cascade(STUDENT, moving, 1.0).predict(X)
    assert all((a == b).all() for a, b in zip(before, map(np.array, moving.variables), strict=True))


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
    Cascade(STUDENT, TEACHER).save(tmp_path)  # never asked
    loaded = Cascade.load(tmp_path)
    assert (loaded.threshold, loaded.memory, loaded.confidence, loaded.timeout) == (0.9, 1024, "max", None)
    assert loaded.predict(X).labels.shape == (len(X),)


def test_after_loading_an_answer_is_kept_without_the_rest_of_its_file(tmp_path):
    cascade = Cascade(STUDENT, TEACHER, 1.0)
    cascade.predict(X)
    cascade.save(tmp_path)
    kept = Cascade.load(tmp_path)._remembered.values()  # noqa: SLF001 - what it keeps is not public
    assert len(kept) == len(X) and all(row.base is None for row in kept)


def test_a_function_cannot_be_saved(tmp_path):
    with pytest.raises(TypeError, match="teacher is not a Keras model"):
        Cascade(STUDENT, failing).save(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def asked_for(shape):
    """A cascade is asked about one example, and its teacher answers in this shape."""
    return Cascade(STUDENT, lambda x: np.full(shape, -1.0), threshold=1.0).predict(X[:1])


def two_inputs():
    entries = [keras.Input((FEATURES,), name=name) for name in "ab"]
    return keras.Model(entries, layers.Dense(CLASSES)(layers.Concatenate()(entries)))


def ending_in(end):
    """Models whose last step is this activation: of a layer, as a layer, as an operation, in a model inside."""
    entry, logits = keras.Input((FEATURES,)), layers.Dense(CLASSES)
    yield model(activation=end)
    yield keras.Sequential([entry, logits, layers.Activation(end)])
    yield keras.Sequential([entry, layers.Dense(CLASSES, layers.Activation(end))])
    yield keras.Model(entry, getattr(keras.ops, end)(logits(entry)))
    yield keras.Sequential([entry, keras.Sequential([layers.Dense(CLASSES, end)])])


SOFTMAX, TWO = model(activation="softmax"), keras.Model(STUDENT.inputs, 2 * STUDENT.outputs)
PIPELINE = tf.data.Dataset.from_tensor_slices(X).batch(8)
CASCADE, PAIR = Cascade(STUDENT, TEACHER, threshold=1.0), Cascade(two_inputs(), two_inputs())
BATCHES = type("Batches", (keras.utils.PyDataset,), {"__len__": lambda _: 4, "__getitem__": lambda _, i: X[8 * i :]})
BOTH = Cascade(constant(0.1, -0.1), constant(1.0, -1.0))
of, at = functools.partial(Cascade, STUDENT), functools.partial(Cascade, STUDENT, TEACHER)
ONE = "and a Cascade takes one array"
WRONG = [
    *((lambda t=t: at(threshold=t), f"threshold must be between 0 and 1, not {t!r}") for t in (1.1, "x", np.nan)),
    (lambda: setattr(CASCADE, "threshold", -0.1), "threshold must be"),
    *((lambda size=size: at(memory=size), "whole number of at least 0") for size in (-1, 1.5)),
    *((lambda seconds=seconds: at(timeout=seconds), "timeout must be .* above 0") for seconds in (0, -1)),
    (lambda: at(temperature=0), "temperature must be"),
    (lambda: at(confidence="std"), "max, margin, entropy, not 'std'"),
    (lambda: of(None), "The teacher must be a Keras model or a function"),
    (lambda: of(model(classes=3)), "The student has 4 outputs and the teacher 3"),
    (lambda: Cascade(TWO, TEACHER), "The student gives 2 outputs, and a Cascade needs the logits alone"),
    (lambda: of(lambda x: (TEACHER(x), x), 1.0).predict(X), "The teacher gives 2 outputs"),
    *((lambda m=m: Cascade(m, TEACHER), "student's output looks like .* a sigmoid,") for m in ending_in("sigmoid")),
    *((lambda m=m: of(m), "teacher's output looks like .* a softmax,") for m in ending_in("softmax")),
    (lambda: setattr(CASCADE, "teacher", model(activation="sigmoid")), "teacher's output looks like .* a sigmoid"),
    (lambda: Cascade(Asked(SOFTMAX), TEACHER).predict(X), "student's output looks like probabilities"),
    (lambda: of(Asked(SOFTMAX), 1.0).predict(X), "teacher's output looks like probabilities"),
    (lambda: Cascade(lambda x: x[0], TEACHER).predict(X), "instead of .33, 'classes'."),
    (lambda: asked_for((1, 3)), "teacher gives the shape .1, 3. for 1 examples instead of .1, 4."),
    *((lambda s=s: asked_for(s), "for 1 examples") for s in ((1, 5), (0, 4), (2, 4), (1,), (1, 4, 4))),
    (lambda: CASCADE.predict(X[:0]), "at least one example"),
    (lambda: CASCADE.predict(3.0), "at least one example"),
    (lambda: CASCADE.predict(X * np.nan), "student's output contains NaN"),
    (lambda: Cascade(constant(1j, 0, 0, 0), TEACHER).predict(X), "array of numbers.*j"),
    (lambda: CASCADE.predict(X[:, :2]), r"x has the shape \(33, 2\), and the student takes \('n', 6\)"),
    (lambda: Cascade(constant(1, -1), TEACHER).predict(X[0]), r"\(6,\), and the teacher takes \('n', 6\)"),
    *((lambda x=x: PAIR.predict(x), f"student takes 2 inputs, {ONE}") for x in ([X, X], (X, X), X)),
    (lambda: PAIR.predict([X, X[:, :2]]), f"x is a list of arrays of different shapes, {ONE}"),
    (lambda: CASCADE.predict((X, Y)), f"x is a tuple of arrays of different shapes, {ONE}"),
    (lambda: CASCADE.predict([X, X]), r"x has the shape \(2, 33, 6\), .* Join several inputs"),
    (lambda: PAIR.predict({"a": X, "b": X}), f"x is a dictionary, {ONE}"),
    (lambda: CASCADE.predict(PIPELINE), f"x is a .*Dataset, {ONE} .* call predict for each batch of a pipeline"),
    (lambda: CASCADE.predict(BATCHES()), f"x is a Batches, {ONE}"),
    (lambda: CASCADE.predict(x for x in X), f"x is a generator, {ONE}"),
    (lambda: BOTH.predict([{"role": "user"}]), "x must hold texts or numbers, not .*role"),
    *(
        (lambda x=x: BOTH.predict(np.array(x, object)), "missing values, or texts beside")
        for x in (["a", None], ["a", 1])
    ),
    (lambda: CASCADE.curve(PIPELINE, Y), "x is a .*Dataset"),
    (lambda: CASCADE.curve(X[:0], Y[:0]), "at least one example"),
    *((lambda y=y: CASCADE.curve(X, y), "give 33 integer labels") for y in (Y[:5], np.tile(Y, 2), np.eye(4)[Y])),
    (lambda: CASCADE.calibrate(X, Y, 0.5), "positional"),
    (lambda: CASCADE.calibrate(X, Y), "either max_teacher_share or min_accuracy"),
    (lambda: CASCADE.calibrate(X, Y, max_teacher_share=0.5, min_accuracy=0.5), "either"),
    (lambda: CASCADE.calibrate(X, Y, max_teacher_share=2), "max_teacher_share must be between"),
    (lambda: CASCADE.calibrate(X, Y, min_accuracy=90), "min_accuracy must be between"),
    (lambda: CASCADE.calibrate(X, Y, min_accuracy=0.99), "No threshold reaches an accuracy of 0.99; the best is 0."),
]


@pytest.mark.parametrize("call, sentence", WRONG)
def test_wrong_use_gets_a_sentence(call, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        call()


@pytest.mark.parametrize(
    "x",
    [X.tolist(), list(X), tf.constant(X), X[..., None], X.astype(object)],
    ids=["lists", "list", "tf", "axis", "objects"],
)
def test_whatever_keras_takes_as_one_array_is_answered(x):
    assert of(TEACHER, 1.0).predict(x).probabilities == pytest.approx(Q, abs=1e-5)
