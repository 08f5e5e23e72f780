"""Soft targets beside SciPy's softmax, entropy and divergence beside their formulas; and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from distill_edu import entropy, kl_divergence, soft_targets

LOGITS = arrays(np.float64, (3, 5), elements=st.floats(-50, 50)).filter(lambda z: (z < 0).any())
HALVES = [0.5, 0.5]


@given(LOGITS, st.floats(0.1, 100))
def test_soft_targets_are_scipys_softmax_and_their_entropy_is_between_0_and_that_of_a_guess(z, t):
    p = soft_targets(z, t)
    assert np.allclose(p, softmax(z / t, axis=-1))
    assert ((entropy(p) >= 0) & (entropy(p) <= np.log(5) + 1e-9)).all()


def test_huge_logits_and_excluded_classes_have_probabilities():
    assert np.allclose(soft_targets([[1e4, 0, -1e4]]), [[1, 0, 0]])
    assert soft_targets([[0.0, 0.0, -np.inf]], 3) == pytest.approx(np.array([[0.5, 0.5, 0.0]]))
    assert soft_targets(np.log([[0.25, 0.75]])) == pytest.approx(np.array([[0.25, 0.75]]))


def test_entropy_and_kl_in_closed_form():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    assert entropy(p) == pytest.approx(np.log(2))
    assert kl_divergence(p, q) == pytest.approx(0.5 * np.log(2))
    assert kl_divergence(q, p) == np.inf


def test_classes_are_on_the_last_axis_whatever_the_other_axes_are():
    z = np.random.RandomState(0).randn(2, 3, 4)
    p, q = soft_targets(z), soft_targets(2 * z)
    assert np.allclose(p, softmax(z, axis=-1))
    assert np.allclose(entropy(p), -(p * np.log(p)).sum(axis=-1)) and entropy(p).shape == (2, 3)
    assert np.allclose(kl_divergence(p, q), (p * np.log(p / q)).sum(axis=-1))
    scalar = kl_divergence(p[0, 0], q[0, 0])
    assert np.shape(scalar) == () == np.shape(entropy(p[0, 0])) and scalar == pytest.approx(kl_divergence(p, q)[0, 0])
    assert np.allclose(kl_divergence(p[0, 0], q), [[kl_divergence(p[0, 0], each) for each in row] for row in q])


@pytest.mark.parametrize("logits", [[[0.0, 1.05]], [[0.0, 2.0]], [[0.5, 0.5], [0.9, 0.2]], [[-0.1, 1.1]]])
def test_logits_that_are_no_probabilities_are_taken(logits):
    assert soft_targets(logits).sum(axis=-1) == pytest.approx(np.ones(len(logits)))


# Softmaxes of ten classes, soft and sure ones, forty of each.
P = np.concatenate([softmax(np.random.RandomState(0).randn(40, 10) * sure, axis=-1) for sure in (0.3, 1, 4)])


@pytest.mark.parametrize("digits", [2, 3, 7])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_probabilities_are_known_by_eight_rows_that_differ_however_they_were_rounded(digits, classes):
    p = (P[:, :classes] / P[:, :classes].sum(axis=-1, keepdims=True)).round(digits)
    for rows in (p, p[:40], p[-40:], p.reshape(4, 30, classes)):
        with pytest.raises(ValueError, match="looks like probabilities .* sums to about 1"):
            soft_targets(rows)
    off = np.unique(p[abs(p.sum(axis=-1) - 1) > 1e-4], axis=0)[:7]
    if len(off):  # seven rows, as often as you like, may come near to 1 by chance
        assert soft_targets(np.tile(off, (9, 1))).shape == (9 * len(off), classes)


@pytest.mark.parametrize("change", [lambda p: 1.06 * p, lambda p: 0.94 * p, lambda p: p - 0.001, lambda p: p**2])
def test_logits_that_come_near_to_probabilities_are_taken(change):
    assert soft_targets(change(P)).shape == P.shape
    one_row_apart = np.concatenate([P.round(2), [[0.2] * 10]])
    assert soft_targets(one_row_apart).shape == one_row_apart.shape
    random = np.random.RandomState(1)
    assert soft_targets(random.rand(8, 2)).shape == (8, 2)  # from 0 to 1, and their mean sum is 1


NO_PROBABILITIES = [0.5, 1.0, [0.5, 0.6], [0.5, 0.4], [-0.5, 1.5], [-0.5, 0.5], [HALVES, [0.2, 0.2]]]
OTHER_CLASSES = [((2, 3), (2, 4)), ((2, 4), (2, 3)), ((3, 3), (3, 1)), ((1,), (3, 3)), ((3, 1), (3, 3))]
WRONG = [
    *(
        (lambda t=t: soft_targets([1.0, 2.0], t), "temperature must be a positive number up to 1,000,000, not")
        for t in (0, -1, np.nan, np.inf, 1.1e6)
    ),
    (lambda: soft_targets([[0.25, 0.75], HALVES]), "looks like probabilities .* give the numbers before the softmax"),
    (lambda: soft_targets([[np.nan, 1.0]]), "contains NaN"),
    (lambda: soft_targets([[np.inf, 1.0]]), "contains NaN or infinity"),
    (lambda: soft_targets([[1.0, 2.0], [-np.inf, -np.inf]]), "contains NaN or infinity"),
    (lambda: soft_targets(3.0), "one number per class"),
    (lambda: soft_targets([[1.0]]), "one number per class"),
    *((lambda p=p: entropy(p), "must be probabilities: no negative number, and a sum of 1") for p in NO_PROBABILITIES),
    *((lambda p=p: kl_divergence(p, HALVES), "p must be probabilities: no negative") for p in NO_PROBABILITIES),
    *((lambda p=p: kl_divergence(HALVES, p), "q must be probabilities: no negative") for p in NO_PROBABILITIES),
    *(
        (
            lambda a=a, b=b: kl_divergence(np.full(a, 1 / a[-1]), np.full(b, 1 / b[-1])),
            "the same classes on the last axis",
        )
        for a, b in OTHER_CLASSES
    ),
]


@pytest.mark.parametrize("call, sentence", WRONG)
def test_wrong_use_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
