"""Outputs of unequal width, which are not compared where nobody asks for it, and images of another size."""

import contextlib

import keras
import numpy as np
import pytest
import small
from keras import layers
from small import X, hard_values, model, same, weights

from distill_edu import Ensemble, teacher_logits
from distill_edu.hints import Hint

pytestmark = pytest.mark.nightly

ONCE = {"batch_size": 33, "verbose": 0}
FIVE = np.arange(33) % 5  # classes of a student of five outputs


def pair(student=5, hinted=True, **how):
    """A teacher of 7 outputs, a student of 5."""
    hints = [Hint("out", "out", weight=0.5)] if hinted else []
    return small.distiller(model(0, classes=student), model(9, classes=7), hints=hints, **how)


def both(one):
    return (np.array(each(X), "float64") for each in (one.student, one.teacher))


def of_hint(one):
    """The mean square between the projected outputs of the student and those of the teacher."""
    (s, t), projector = both(one), one.hints[0].projector
    return ((s @ np.array(projector.kernel, "float64") + np.array(projector.bias) - t) ** 2).mean()


def reported(one, *data):
    """What evaluate reports; fit reports the same."""
    got, in_fit = (small.reported(one, *data, way=way, batch_size=33) for way in ("evaluate", "fit"))
    assert in_fit == {name: pytest.approx(value, rel=1e-5) for name, value in got.items()}
    return got


@pytest.mark.parametrize("loss, eagerly", [("mean_square", True), ("sigmoid", True), ("kl", False), (None, True)])
def test_without_labels_a_hint_alone_is_learned_from(loss, eagerly):
    """With a warning, unless soft_loss=None says so."""
    one = pair(alpha=0.0, soft_loss=loss, run_eagerly=eagerly)
    right = of_hint(one)
    with pytest.warns(UserWarning, match="7 .*5.*hints alone") if loss else contextlib.nullcontext():
        got = reported(one, X)
    assert got["distillation_loss"] == 0 and got["student_loss"] == 0
    assert got[one.hints[0].name] == pytest.approx(right, rel=1e-4)
    assert got["loss"] == pytest.approx(right / 2, rel=1e-4)
    one.optimizer.learning_rate = 0.1
    one.fit(X, epochs=5, **ONCE)
    assert of_hint(one) < 0.95 * right


@pytest.mark.parametrize("loss, factor", [(None, 0.5), ("mean_square", 1.5)])
def test_outputs_of_one_width_are_compared_beside_a_hint_unless_there_is_no_soft_loss(loss, factor):
    one = pair(student=7, alpha=0.0, soft_loss=loss)
    s, t = both(one)
    assert reported(one, X)["loss"] == pytest.approx(factor * ((s - t) ** 2).mean(), rel=1e-4)


def test_labels_and_a_hint_compare_no_outputs_without_a_soft_loss():
    one = pair(alpha=1.0, soft_loss=None, metrics=["accuracy"])
    s, _ = both(one)
    got, hard = reported(one, X, FIVE), hard_values(FIVE, s).mean()
    assert got["student_loss"] == pytest.approx(hard, rel=1e-4) and got["distillation_loss"] == 0
    assert got["loss"] == pytest.approx(hard + of_hint(one) / 2, rel=1e-4)
    assert got["accuracy"] == pytest.approx((s.argmax(1) == FIVE).mean(), rel=1e-4)


UNEQUAL = {
    "labels and soft targets": (lambda: pair(alpha=0.5), FIVE),
    "labels alone, without saying so": (lambda: pair(alpha=1.0), FIVE),
    "soft targets without a hint": (lambda: pair(hinted=False, alpha=0.0), None),
}


@pytest.mark.parametrize("name", UNEQUAL)
def test_unequal_outputs_that_somebody_asks_for_are_refused(name):
    make, labels = UNEQUAL[name]
    one = make()
    before = weights(one.student)
    with pytest.raises(ValueError, match="7.*5.*soft_loss=None"):
        one.fit(X, labels, **ONCE)
    assert same(before, weights(one.student), atol=0)


def test_numbers_that_were_reduced_before_are_learned_as_numbers():
    t, one = np.array(model(9, classes=7)(X), "float64"), pair(hinted=False, alpha=0.0, soft_loss="mean_square")
    centred = t - t.mean(axis=0)
    reduced = (centred @ np.linalg.svd(centred, full_matrices=False)[2][:5].T).astype("float32")
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


def ensemble(end, size=48):
    return Ensemble([sequential(end, size), functional(end, size)])


IMAGES, OF_IMAGES = np.random.RandomState(0).rand(9, 32, 32, 3).astype("float32"), np.arange(9) % 3
ENDS = {"pooling": layers.GlobalAveragePooling2D, "flat": layers.Flatten}


@pytest.mark.parametrize("call", ["fit", "fit in a graph", "teacher_logits"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("build", [sequential, functional, subclassed, ensemble])
def test_images_of_another_size_are_noticed_before_anything_is_learned(build, end, call):
    student, teacher = sequential(ENDS["pooling"], 32), build(ENDS[end])
    one = small.distiller(student, teacher, run_eagerly=call == "fit")
    before = weights(student)
    warned = build is subclassed  # it may be meant for any size: Keras takes it, or refuses it in its own words
    noticed = pytest.warns(UserWarning) if warned else pytest.raises(ValueError)
    with noticed as caught, contextlib.suppress(ValueError if warned else ()):
        teacher_logits(teacher, IMAGES) if call == "teacher_logits" else one.fit(IMAGES, OF_IMAGES, verbose=0)
    sentence = next(str(each.message) for each in caught if "48" in str(each.message)) if warned else str(caught.value)
    assert "48" in sentence and "32" in sentence and len(sentence) < 600 and "\n" not in sentence
    assert warned or same(before, weights(student), atol=0)


@pytest.mark.parametrize("build, size", [(functional, None), (sequential, 32), (subclassed, 32), (ensemble, 32)])
def test_images_of_the_right_size_and_a_teacher_for_all_sizes_are_taken(build, size):
    end = ENDS["pooling"]
    one = small.distiller(sequential(end, 32), build(end, size))
    assert np.isfinite(one.fit(IMAGES, OF_IMAGES, verbose=0).history["loss"]).all()
    assert np.allclose(teacher_logits(one.teacher, IMAGES), one.teacher(IMAGES), atol=1e-5)
