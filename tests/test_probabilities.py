import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from distill_edu import entropy, kl_divergence, soft_targets

logits = arrays(np.float64, (3, 5), elements=st.floats(-50, 50))
temperatures = st.floats(0.1, 100)


@given(logits.filter(lambda z: (z < 0).any()), temperatures)
def test_soft_targets_are_scipys_softmax_of_the_scaled_logits(z, t):
    assert np.allclose(soft_targets(z, t), softmax(z / t, axis=-1))


def test_soft_targets_survive_huge_logits():
    assert np.allclose(soft_targets([[1e4, 0, -1e4]]), [[1, 0, 0]])


@given(logits.filter(lambda z: (z < 0).any()), temperatures)
def test_entropy_lies_between_a_certain_answer_and_a_pure_guess(z, t):
    assert ((entropy(soft_targets(z, t)) >= 0) & (entropy(soft_targets(z, t)) <= np.log(5) + 1e-9)).all()


def test_entropy_and_kl_in_closed_form():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    assert entropy(p) == pytest.approx(np.log(2))
    assert kl_divergence(p, q) == pytest.approx(0.5 * np.log(2))
    assert kl_divergence(q, p) == np.inf


@pytest.mark.parametrize("t", [0, -1, float("nan"), float("inf")])
def test_a_temperature_that_cannot_divide_is_refused(t):
    with pytest.raises(ValueError, match="temperature must be a positive number, not"):
        soft_targets([1.0, 2.0], t)


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ([[0.25, 0.75], [0.5, 0.5]], "looks like probabilities .* give the numbers before the softmax"),
        ([[np.nan, 1.0]], "contains NaN"),
        ([[np.inf, 1.0]], "contains NaN or infinity"),
        ([[1.0, 2.0], [-np.inf, -np.inf]], "contains NaN or infinity"),
        (3.0, "one number per class"),
        ([[1.0]], "one number per class"),
    ],
)
def test_what_is_no_logit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        soft_targets(wrong)


@pytest.mark.parametrize("logits", [[[0.0, 1.05]], [[0.0, 2.0]], [[0.5, 0.5], [0.9, 0.2]], [[-0.1, 1.1]]])
def test_what_is_no_probability_is_a_logit(logits):
    assert soft_targets(logits).sum(axis=-1) == pytest.approx(np.ones(len(logits)))


def test_a_class_that_is_ruled_out_has_probability_0():
    assert soft_targets([[0.0, 0.0, -np.inf]], 3) == pytest.approx(np.array([[0.5, 0.5, 0.0]]))
    assert soft_targets(np.log([[0.25, 0.75]])) == pytest.approx(np.array([[0.25, 0.75]]))


def test_classes_lie_on_the_last_axis_whatever_stands_before_it():
    z = np.random.RandomState(0).randn(2, 3, 4)
    p, q = soft_targets(z), soft_targets(2 * z)
    assert np.allclose(p, softmax(z, axis=-1))
    assert np.allclose(entropy(p), -(p * np.log(p)).sum(axis=-1)) and entropy(p).shape == (2, 3)
    assert np.allclose(kl_divergence(p, q), (p * np.log(p / q)).sum(axis=-1))
    one = kl_divergence(p[0, 0], q[0, 0])
    assert np.shape(one) == () == np.shape(entropy(p[0, 0])) and one == pytest.approx(kl_divergence(p, q)[0, 0])
    assert np.allclose(kl_divergence(p[0, 0], q), [[kl_divergence(p[0, 0], one) for one in row] for row in q])


@pytest.mark.parametrize(
    "wrong", [0.5, 1.0, [0.5, 0.6], [0.5, 0.4], [-0.5, 1.5], [-0.5, 0.5], [[0.5, 0.5], [0.2, 0.2]]]
)
def test_what_is_no_probability_has_no_entropy_and_no_divergence(wrong):
    for call in (
        lambda: entropy(wrong),
        lambda: kl_divergence(wrong, [0.5, 0.5]),
        lambda: kl_divergence([0.5, 0.5], wrong),
    ):
        with pytest.raises(ValueError, match="must be probabilities: no negative number, and a sum of 1"):
            call()


@pytest.mark.parametrize(
    ("p", "q"), [((2, 3), (2, 4)), ((2, 4), (2, 3)), ((3, 3), (3, 1)), ((1,), (3, 3)), ((3, 1), (3, 3))]
)
def test_other_classes_are_refused(p, q):
    p, q = (np.full(shape, 1 / shape[-1]) for shape in (p, q))
    with pytest.raises(ValueError, match="both need the same classes on the last axis"):
        kl_divergence(p, q)
