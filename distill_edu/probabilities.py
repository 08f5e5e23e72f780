"""Soft targets in plain NumPy: softmax with temperature, entropy, KL divergence. Imports no TensorFlow."""

import numpy as np
from scipy.special import entr, rel_entr

from distill_edu._inside.check_values import require_logits, require_numbers, require_temperature


def soft_targets(logits, temperature=1.0):
    """Class probabilities softmax(logits / temperature) (Hinton et al. 2015, section 2, equation 1).

    `logits`: array [..., classes]. Returns float64 of the same shape, rows sum to 1.
    Raises ValueError for temperature <= 0, NaN, and probabilities given as logits.
    """
    scaled = require_logits(logits) / require_temperature(temperature)
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


def _probabilities(values, what):
    values = require_numbers(values, f"{what} must be an array of numbers, [..., classes]")
    if not values.ndim or (values < 0).any() or not np.allclose(values.sum(axis=-1), 1, atol=1e-3):
        raise ValueError(
            f"{what} must be probabilities: no negative number, and a sum of 1 over the last axis. For logits take "
            "soft_targets(logits) first."
        )
    return values
