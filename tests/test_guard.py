"""What is refused while a step runs, in every way of running: one sentence, and a student that has not changed.

Below XLA, which leaves assertions out, too: Keras takes it by itself where TensorFlow lists a GPU.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import CLASSES, LIGHT, X, Y, model, same, weights

from distill_edu import Classroom, Distiller

pytestmark = pytest.mark.slow  # XLA compiles for minutes


class Soft(keras.Model):
    """Ends in a softmax, and Keras cannot tell."""

    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(CLASSES, "softmax")

    def call(self, x):
        return self.out(x)


def soft():
    keras.utils.set_random_seed(3)
    one = Soft()
    one(X[:1])
    return one


def nan_at(row):
    return np.where(np.arange(33)[:, None] == row, np.nan, X)


LOGITS = np.random.RandomState(0).randn(33, CLASSES).astype("float32") - 3
# what is wrong -> student, teacher, x, y, the sentence
WRONG = {
    "NaN in x": (model, lambda: model(9), nan_at(3), Y, r"The inputs \(x\) contain NaN"),
    "infinity in x": (model, lambda: model(9), np.where(np.isnan(nan_at(30)), np.inf, X), Y, "contain NaN or infinity"),
    "NaN in the teacher's logits": (
        model, lambda: None, X, {"labels": Y, "teacher_logits": np.where(np.isnan(nan_at(2)[:, :4]), np.nan, LOGITS)},
        "The loss is NaN or infinite",
    ),
    "a label too large": (model, lambda: model(9), X, np.where(np.arange(33) == 20, 9, Y), "A label is not one of the"),
    "a label too small": (model, lambda: model(9), X, np.where(np.arange(33) == 1, -2, Y), "A label is not one of the"),
    "no labels": (model, lambda: model(9), X, None, "There are no labels"),
    "probabilities from the teacher": (model, soft, X, Y, "The teacher's output looks like probabilities"),
    "probabilities from the student": (soft, lambda: model(9), X, Y, "The student's output looks like probabilities"),
    "cached probabilities": (
        model, lambda: None, X, {"labels": Y, "teacher_logits": np.full((33, 4), 0.25)}, "looks like probabilities",
    ),
}  # fmt: skip
GPU = "as on a machine with a GPU"
WAYS = {
    "graph": {"jit_compile": False},
    "eager": {"run_eagerly": True},
    "XLA": {"jit_compile": True},
    "XLA, three steps at once": {"jit_compile": True, "steps_per_execution": 3},
    "three steps at once": {"steps_per_execution": 3},
    GPU: {},
}


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    if request.param == GPU:
        gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
        listed = tf.config.list_physical_devices()
        seen = {None: [*listed, gpu], "GPU": [gpu]}
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: seen.get(kind, listed))
    return request.param


def distiller(student, teacher, way):
    one = Distiller(student=student, teacher=teacher)
    one.compile(keras.optimizers.Adam(0.1), **WAYS[way])
    assert one.jit_compile == ("XLA" in way or way == GPU)
    return one


def refused(one, student, name):
    _, _, x, y, sentence = WRONG[name]
    before = weights(student)
    for call in (one.fit, one.evaluate):
        with pytest.raises(ValueError, match=sentence) as caught:
            call(x, y, batch_size=33, verbose=0)
        assert "\n" not in str(caught.value), name
        assert same(before, weights(student), atol=0), name


def test_a_distiller_says_what_is_wrong_with_the_data_and_its_student_stays(way):
    """One after the other, with one model: it can be trained on afterwards, as if nothing had been."""
    student, twin = model(), model()
    one, other = distiller(student, model(9), way), distiller(twin, model(9), "graph")
    for name in WRONG:
        if name.startswith(("NaN in x", "infinity", "a label", "no labels")):
            refused(one, student, name)
    with pytest.raises(ValueError, match="A label is not one of the classes"):
        one.fit(X, np.where(np.arange(33) == 10, 9, Y), batch_size=8, **LIGHT)  # in the second of five batches
    other.fit(X[:8], Y[:8], batch_size=8, **LIGHT)  # the steps before it count, those after it do not
    assert same(weights(student), weights(twin), atol=1e-5)
    for each in (one, other):
        each.fit(X, Y, batch_size=8, **LIGHT)
    assert same(weights(student), weights(twin), atol=1e-4)


@pytest.mark.parametrize("name", [name for name in WRONG if "teacher" in name or "student" in name or "cached" in name])
@pytest.mark.parametrize("way", ["graph", "XLA"], indirect=True)
def test_a_distiller_says_what_is_wrong_with_a_model(name, way):
    make, teacher, *_ = WRONG[name]
    student = make()
    refused(distiller(student, teacher(), way), student, name)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "XLA"])
def test_a_classroom_says_it_and_no_student_changes(jit):
    students = [model(5), model(6), model(7, units=5)]  # two that are alike, and one apart
    classroom = Classroom(students=students, teacher=model(9))
    classroom.compile("adam", jit_compile=jit)
    before = [weights(one) for one in students]
    for name in ("NaN in x", "a label too large", "no labels"):
        _, _, x, y, sentence = WRONG[name]
        with pytest.raises(ValueError, match=sentence):
            classroom.fit(x, y, batch_size=33, **LIGHT)
        assert all(same(old, weights(one), atol=0) for old, one in zip(before, students, strict=True)), name
    classroom.fit(X, Y, **LIGHT)
    assert not any(same(old, weights(one)) for old, one in zip(before, students, strict=True))


@pytest.mark.parametrize("way", ["graph", "XLA"], indirect=True)
def test_single_batches_by_hand_are_guarded_too(way):
    one = distiller(model(), model(9), way)
    for call in (one.train_on_batch, one.test_on_batch):
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="A label is not one|label value"):
            call(X, Y + 9)
