import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small import soft_values

from distill_edu import distillation_loss, hard_label_loss, soft_targets

LOGITS = arrays(np.float32, (2, 4), elements=st.floats(-20, 20, width=32)).map(lambda z: z - np.float32([0, 0, 0, 21]))
TEMPERATURES = st.floats(0.5, 20)
properties = settings(max_examples=60, deadline=None)


def gradient(teacher, student, t):
    student = tf.Variable(student, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(distillation_loss(teacher, student, t))
    return tape.gradient(loss, student).numpy()


def test_value_and_gradient_of_the_case_that_keras_distillation_gets_wrong_by_default():
    z_t, z_s = np.float32([[6, 2, -1]]), np.float32([[5, 4.5, -2]])
    assert distillation_loss(z_t, z_s, 2.0).numpy() == pytest.approx([0.94558], abs=1e-5)
    assert gradient(z_t, z_s, 2.0) == pytest.approx(np.array([[-0.6104, 0.6288, -0.0184]]), abs=1e-4)


@properties
@given(LOGITS, LOGITS, TEMPERATURES)
def test_the_value_is_the_closed_form(z_t, z_s, t):
    assert np.allclose(distillation_loss(z_t, z_s, t), soft_values(z_t, z_s, t), rtol=1e-3, atol=2e-6 * t**2 + 1e-4)


@properties
@given(LOGITS, LOGITS, TEMPERATURES)
def test_the_gradient_is_t_times_q_minus_p(z_t, z_s, t):
    assert np.allclose(gradient(z_t, z_s, t), t * (soft_targets(z_s, t) - soft_targets(z_t, t)), atol=1e-5 * t)


def test_the_gradient_is_the_central_difference():
    z_t, z_s, t, step = np.array([[2.0, -1.0, 0.5]]), np.array([[0.0, 1.0, -2.0]]), 3.0, 1e-4
    moves = step * np.eye(3)
    numeric = [(soft_values(z_t, z_s + m, t) - soft_values(z_t, z_s - m, t))[0] / (2 * step) for m in moves]
    assert gradient(z_t, z_s, t)[0] == pytest.approx(numeric, abs=1e-5)


@properties
@given(LOGITS, LOGITS, TEMPERATURES)
def test_it_is_never_negative_and_zero_for_equal_logits(z_t, z_s, t):
    assert (distillation_loss(z_t, z_s, t).numpy() >= -1e-6 * t**2).all()
    assert np.allclose(distillation_loss(z_t, z_t, t), 0)


@properties
@given(LOGITS, LOGITS, st.floats(-5, 5, width=32), TEMPERATURES)
def test_a_shift_of_all_logits_changes_nothing(z_t, z_s, shift, t):
    moved = distillation_loss(z_t + shift, z_s - shift, t)
    assert np.allclose(moved, distillation_loss(z_t, z_s, t), rtol=1e-3, atol=1e-5 * t**2)


@properties
@given(LOGITS, LOGITS, st.floats(1, 5))
def test_scaling_logits_and_temperature_by_c_scales_the_loss_by_c_squared(z_t, z_s, c):
    scaled = distillation_loss(z_t * np.float32(c), z_s * np.float32(c), 2 * c)
    assert np.allclose(scaled, c**2 * distillation_loss(z_t, z_s, 2.0), rtol=1e-2, atol=1e-3)


def test_it_approaches_half_the_mean_squared_difference_of_centred_logits():
    z_t, z_s = np.random.RandomState(0).normal(0, 2, (2, 5, 10))
    difference = (z_t - z_t.mean(-1, keepdims=True)) - (z_s - z_s.mean(-1, keepdims=True))
    limit = (difference**2).mean(-1) / 2
    assert np.allclose(soft_values(z_t, z_s, 1e4), limit, rtol=1e-3)  # the oracle itself
    assert np.allclose(distillation_loss(z_t, z_s, 100.0), limit, rtol=0.03)
    assert np.allclose(gradient(z_t, z_s, 1000.0), -difference / 10, atol=2e-3)


def test_saturated_logits_keep_their_loss_and_their_gradient():
    # keras.distillation's clipped softmax gives 16.1 and about 0 here.
    z_t, z_s = np.float32([[0, 30, 0]]), np.float32([[30, 0, 0]])
    assert distillation_loss(z_t, z_s, 1.0).numpy() == pytest.approx([30], rel=1e-5)
    assert gradient(z_t, z_s, 1.0) == pytest.approx(np.array([[1, -1, 0]]), abs=1e-5)


def test_huge_logits_stay_finite_with_the_right_gradient():
    z_t, z_s = np.float32([[1e4, -1e4, 0]]), np.float32([[-1e4, 1e4, 0]])
    assert distillation_loss(z_t, z_s, 1.0).numpy() == pytest.approx([2e4])
    assert gradient(z_t, z_s, 1.0) == pytest.approx(np.array([[-1, 1, 0]]))


def test_half_precision_logits_are_computed_in_float32():
    z_t, z_s = np.float16([[8, 1, -3]]), np.float16([[1, 2, 0]])
    loss = distillation_loss(z_t, z_s, 4.0)
    assert loss.dtype == tf.float32 and np.allclose(loss, soft_values(z_t, z_s, 4.0), rtol=1e-5)


def test_leading_dimensions_are_kept():
    z_t, z_s = np.random.RandomState(0).normal(size=(2, 3, 5, 4))
    for places in (5, 1):  # a sequence of one place is none of one class
        pair = z_t[:, :places], z_s[:, :places]
        assert np.allclose(distillation_loss(*pair, 2.0), soft_values(*pair, 2.0), atol=1e-5)
    assert hard_label_loss(np.zeros((3, 5), "int32"), z_s).shape == (3, 5)


def test_hard_label_loss_takes_integers_and_one_hot_rows():
    z, y = np.random.RandomState(0).normal(size=(6, 4)), np.array([0, 1, 2, 3, 0, 1])
    expected = -np.log(soft_targets(z)[np.arange(6), y])
    assert np.allclose(hard_label_loss(y, z), expected, atol=1e-6)
    assert np.allclose(hard_label_loss(np.eye(4)[y], z), expected, atol=1e-6)
    # keras.distillation's documented "sparse_categorical_crossentropy" gives 6.50 instead of 1.31 in such a case.
    assert np.allclose(hard_label_loss(y, z), keras.losses.SparseCategoricalCrossentropy(True, reduction=None)(y, z))


@pytest.mark.parametrize(
    "teacher, student, sentence",
    [
        ((2, 5), (2, 4), "The teacher gives 5 logits per example and the student 4"),
        ((2, 3, 5), (2, 3, 4), "The teacher gives 5 logits per example and the student 4"),
        ((2, 1), (2, 1), "one number per example. A softmax over one class is always 1"),
        ((2, 3, 1), (2, 3, 1), "one number per example. A softmax over one class is always 1"),
        ((2, 1, 4), (2, 4), "must be the same, example by example"),
        ((2, 4), (2, 1, 4), "must be the same, example by example"),
        ((4, 4), (4, 4, 4), "must be the same, example by example"),
        ((4, 4, 4), (4, 4), "must be the same, example by example"),
        ((3, 4), (2, 4), "must be the same, example by example"),
    ],
)
def test_shapes_that_differ_are_refused(teacher, student, sentence):
    with pytest.raises(ValueError, match=sentence):
        distillation_loss(np.zeros(teacher), np.zeros(student), 2.0)


@pytest.mark.parametrize("labels, logits", [((2,), (2, 5, 4)), ((2, 5, 4), (2, 4))])
def test_labels_of_another_rank_are_refused(labels, logits):
    with pytest.raises(ValueError, match="one integer per example, or one-hot rows"):
        hard_label_loss(np.zeros(labels, "int32"), np.zeros(logits))


def test_a_wrong_temperature_is_refused():
    with pytest.raises(ValueError, match="temperature must be a positive number, not 0"):
        distillation_loss(np.zeros((1, 2)), np.zeros((1, 2)), 0)
