"""Soft targets in plain NumPy: softmax with temperature, entropy, KL divergence. Imports no TensorFlow."""

import numpy as np
from scipy.special import entr, rel_entr

from distill_edu.arguments import check_number, check_numbers


def check_temperature(temperature):
    """Return `temperature` as a float; refuse what no softmax can divide by."""
    why = "the logits are divided by it. 1 leaves the softmax as it is, larger values make it softer"
    return check_number(temperature, "temperature", "a positive number", lambda t: t > 0, why)


def check_logits(logits, what="logits"):
    """Return `logits` as float64; refuse NaN, and probabilities where logits are needed."""
    logits = _numbers(logits, what)
    if logits.ndim == 0 or logits.shape[-1] < 2:
        raise ValueError(f"{what} needs one number per class on its last axis, not the shape {logits.shape}.")
    if np.isnan(logits).any():
        raise ValueError(f"{what} contains NaN: look for NaN in the model's weights or inputs.")
    if logits.size and (logits >= 0).all() and np.allclose(logits.sum(axis=-1), 1, atol=1e-4):
        raise ValueError(
            f"{what} looks like probabilities (no negative number, every row sums to 1): give the numbers before "
            "the softmax. If you only have probabilities p, np.log(p) are valid logits."
        )
    return logits


def soft_targets(logits, temperature=1.0):
    """Class probabilities softmax(logits / temperature) (Hinton et al. 2015, section 2, equation 1).

    `logits`: array [..., classes]. Returns float64 of the same shape, rows sum to 1.
    Raises ValueError for temperature <= 0, NaN, and probabilities given as logits.
    """
    scaled = check_logits(logits) / check_temperature(temperature)
    # Subtracting the largest logit changes no probability and keeps exp() from overflowing.
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def entropy(probabilities):
    """Entropy -sum(p log p) in nats over the last axis: 0 for a certain answer, log(classes) for a pure guess.

    Raises ValueError for what is no probability.
    """
    return entr(_probabilities(probabilities, "probabilities")).sum(axis=-1)


def kl_divergence(p, q):
    """Kullback-Leibler divergence sum(p log(p / q)) in nats over the last axis; p is the teacher, q the student.

    0 when both agree, infinite where q is 0 and p is not. KL(p, q) and KL(q, p) differ. Raises ValueError for what is
    no probability, and for other classes.
    """
    p, q = _probabilities(p, "p"), _probabilities(q, "q")
    if p.shape[-1:] != q.shape[-1:]:
        raise ValueError(f"p has the shape {p.shape} and q {q.shape}: both need the same classes on the last axis.")
    return rel_entr(p, q).sum(axis=-1)


def _numbers(values, what):
    return check_numbers(values, f"{what} must be an array of numbers, [..., classes]")


def _probabilities(values, what):
    values = _numbers(values, what)
    if not values.ndim or (values < 0).any() or not np.allclose(values.sum(axis=-1), 1, atol=1e-3):
        raise ValueError(
            f"{what} must be probabilities: no negative number, and a sum of 1 over the last axis. For logits take "
            "soft_targets(logits) first."
        )
    return values
