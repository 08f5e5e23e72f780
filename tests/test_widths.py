"""Outputs of unequal width, which are not compared where nobody asks for it, and images of another size."""

import keras
import numpy as np
import pytest
from keras import layers
from small import FEATURES, X, hard_values, same, weights

from distill_edu import Distiller, teacher_logits
from distill_edu.hints import Hint

pytestmark = pytest.mark.slow

SGD = keras.optimizers.SGD
ONCE = {"batch_size": 33, "verbose": 0}


def embedding(seed, width):
    keras.utils.set_random_seed(seed)
    dense = layers.Dense
    return keras.Sequential([keras.Input((FEATURES,)), dense(8, "relu", name="hidden"), dense(width, name="out")])


def pair(hint=None, student=5, **how):
    """A teacher of 7 outputs, a student of 5."""
    hints = [hint or Hint("out", "out", weight=0.5)]
    one = Distiller(student=embedding(0, student), teacher=embedding(9, 7), hints=hints)
    one.compile(**{"optimizer": SGD(0.0), "run_eagerly": True, **how})
    return one


def of_hint(one):
    """The mean square between the projected outputs of the student and those of the teacher."""
    kernel, bias = (np.array(each, "float64") for each in one.hints[0].projector.get_weights())
    s, t = (np.array(each(X), "float64") for each in (one.student, one.teacher))
    return ((s @ kernel + bias - t) ** 2).mean()


def reported(one, *data):
    """What evaluate reports; fit reports the same, for it learns nothing here."""
    got = one.evaluate(*data, **ONCE, return_dict=True)
    history = one.fit(*data, **ONCE).history
    assert {name: values[0] for name, values in history.items()} == {
        k: pytest.approx(v, rel=1e-5) for k, v in got.items()
    }
    return got


@pytest.mark.parametrize("soft_loss", ["mean_square", "kl", "sigmoid", "reverse_kl", None])
@pytest.mark.parametrize("eagerly", [True, False])
def test_without_labels_a_hint_alone_is_learned_from(soft_loss, eagerly):
    one = pair(alpha=0.0, soft_loss=soft_loss, run_eagerly=eagerly)
    right = of_hint(one)
    got = reported(one, X)
    assert got["distillation_loss"] == 0 and got["student_loss"] == 0
    assert got[one.hints[0].name] == pytest.approx(right, rel=1e-4) and got["loss"] == pytest.approx(
        right / 2, rel=1e-4
    )
    one.compile(SGD(0.1), alpha=0.0, soft_loss=soft_loss, run_eagerly=eagerly)
    one.fit(X, epochs=5, **ONCE)
    assert of_hint(one) < 0.95 * right


def test_without_a_soft_loss_outputs_of_one_width_are_not_compared():
    one = pair(student=7, alpha=0.0, soft_loss=None)
    s, t = (np.array(each(X), "float64") for each in (one.student, one.teacher))
    got = reported(one, X)
    assert got["distillation_loss"] == 0 and got["loss"] == pytest.approx(((s - t) ** 2).mean() / 2, rel=1e-4)


@pytest.mark.parametrize("soft_loss", ["kl", None])
def test_labels_and_a_hint_compare_no_outputs(soft_loss):
    y = np.arange(33) % 5  # classes of the student
    one = pair(alpha=1.0, soft_loss=soft_loss, metrics=["accuracy"])
    s = np.array(one.student(X), "float64")
    got, hard = reported(one, X, y), hard_values(y, s).mean()
    assert got["student_loss"] == pytest.approx(hard, rel=1e-4) and got["distillation_loss"] == 0
    assert got["loss"] == pytest.approx(hard + of_hint(one) / 2, rel=1e-4)
    assert got["accuracy"] == pytest.approx((s.argmax(1) == y).mean(), rel=1e-4)


def test_outputs_of_one_width_are_compared_beside_a_hint():
    one = pair(student=7, alpha=0.0, soft_loss="mean_square")
    s, t = (np.array(each(X), "float64") for each in (one.student, one.teacher))
    assert reported(one, X)["loss"] == pytest.approx(1.5 * ((s - t) ** 2).mean(), rel=1e-4)


def test_unequal_outputs_that_somebody_asks_for_are_refused():
    """Labels and soft targets together, and soft targets without a hint."""
    y = np.arange(33) % 5
    alone = Distiller(student=embedding(0, 5), teacher=embedding(9, 7))
    alone.compile(SGD(0.1), alpha=0.0, run_eagerly=True)
    for one, labels in ((pair(optimizer=SGD(0.1), alpha=0.5), y), (alone, None)):
        before = weights(one.student)
        with pytest.raises(ValueError, match="7.*5"):
            one.fit(X, labels, **ONCE)
        assert same(before, weights(one.student), atol=0)


def test_numbers_that_were_reduced_before_are_learned_as_numbers():
    t, one = np.array(embedding(9, 7)(X), "float64"), Distiller(student=embedding(0, 5))
    centred = t - t.mean(axis=0)
    reduced = (centred @ np.linalg.svd(centred, full_matrices=False)[2][:5].T).astype("float32")
    one.compile(SGD(0.0), alpha=0.0, soft_loss="mean_square", run_eagerly=True)
    right = ((reduced - np.array(one.student(X), "float64")) ** 2).mean()
    assert reported(one, X, {"teacher_logits": reduced})["loss"] == pytest.approx(right, rel=1e-4)


# --- images of another size than the teacher's ----------------------------------------------------------------------


def parts(end):
    return [layers.Conv2D(4, 3, strides=2), end(), layers.Dense(3)]


def sequential(end, size=48):
    return keras.Sequential([keras.Input((size, size, 3)), *parts(end)])


def functional(end, size=48):
    z = entry = keras.Input((size, size, 3))
    for layer in parts(end):
        z = layer(z)
    return keras.Model(entry, z)


class Pixels(keras.Model):
    def __init__(self, end):
        super().__init__()
        self.parts = parts(end)

    def call(self, x):
        for layer in self.parts:
            x = layer(x)
        return x


def subclassed(end, size=48):
    one = Pixels(end)
    one(np.zeros((1, size, size, 3), "float32"))
    return one


IMAGES, OF_IMAGES = np.random.RandomState(0).rand(9, 32, 32, 3).astype("float32"), np.arange(9) % 3
ENDS = {"pooling": layers.GlobalAveragePooling2D, "flat": layers.Flatten}


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("build", [sequential, functional, subclassed])
def test_images_of_another_size_are_noticed_before_anything_is_learned(build, end, eagerly):
    student, teacher = sequential(ENDS["pooling"], 32), build(ENDS[end])
    one = Distiller(student=student, teacher=teacher)
    one.compile(SGD(0.1), run_eagerly=eagerly)
    before = weights(student)
    calls = [lambda: one.fit(IMAGES, OF_IMAGES, verbose=0), lambda: one.evaluate(IMAGES, OF_IMAGES, verbose=0)]
    for call in (*calls, lambda: teacher_logits(teacher, IMAGES)):
        with pytest.raises(ValueError) as caught:
            call()
        sentence = str(caught.value)
        assert "48" in sentence and "32" in sentence and len(sentence) < 600 and "\n" not in sentence
    assert same(before, weights(student), atol=0)


@pytest.mark.parametrize("build, size", [(sequential, None), (functional, None), (sequential, 32), (subclassed, 32)])
def test_images_of_the_right_size_and_a_teacher_for_all_sizes_are_taken(build, size):
    end = ENDS["pooling"]
    teacher = build(end, size)
    one = Distiller(student=sequential(end, 32), teacher=teacher)
    one.compile(SGD(0.1), run_eagerly=True)
    assert np.isfinite(one.fit(IMAGES, OF_IMAGES, verbose=0).history["loss"]).all()
    assert np.allclose(teacher_logits(teacher, IMAGES), teacher(IMAGES), atol=1e-5)
