"""Soft targets in plain NumPy: softmax with temperature, entropy, KL divergence. Imports no TensorFlow."""

import numpy as np
from scipy.special import entr, rel_entr

from distill_edu._inside.check_values import require_logits, require_numbers, require_temperature


def soft_targets(logits, temperature=1.0):
    """Turn logits into class probabilities: softmax(logits / temperature).

    `logits`: array [..., classes]. Returns float64 of the same shape; each row sums to 1. The higher the temperature,
    the more equal the probabilities. Hinton et al. 2015, section 2, equation 1.
    Raises ValueError for a temperature that is not above 0, for NaN, and for probabilities in place of logits.

    >>> soft_targets([4.0, 2.0, 0.0]).round(2)
    array([0.87, 0.12, 0.02])
    >>> soft_targets([4.0, 2.0, 0.0], temperature=4).round(2)
    array([0.51, 0.31, 0.19])
    """
    scaled = require_logits(logits) / require_temperature(temperature)
    # Subtracting the largest logit changes no probability and keeps exp() from overflowing.
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)  # [..., classes] / [..., 1]


def entropy(probabilities):
    """Measure how undecided probabilities are: -sum(p log p) over the classes, in nats.

    `probabilities`: array [..., classes]; returns [...]. 0 for a certain answer, log(classes) when all classes are
    equally probable. Raises ValueError if the rows are no probabilities.

    >>> entropy([[1.0, 0.0], [0.5, 0.5]]).round(3)
    array([0.   , 0.693])
    """
    return entr(_require_probabilities(probabilities, "probabilities")).sum(axis=-1)


def kl_divergence(p, q):
    """Measure how far the student's probabilities q are from the teacher's p: sum(p log(p / q)), in nats.

    `p`, `q`: arrays [..., classes]; returns [...]. 0 where p and q are equal, infinite where q rules out a class that p
    does not. KL(p, q) and KL(q, p) differ. Raises ValueError for rows that are no probabilities and for unequal
    numbers of classes.

    >>> teacher, student = [0.5, 0.5], [0.9, 0.1]
    >>> round(float(kl_divergence(teacher, student)), 3), round(float(kl_divergence(student, teacher)), 3)
    (0.511, 0.368)
    """
    p, q = _require_probabilities(p, "p"), _require_probabilities(q, "q")
    if p.shape[-1:] != q.shape[-1:]:
        raise ValueError(f"p has the shape {p.shape} and q {q.shape}: both need the same classes on the last axis.")
    return rel_entr(p, q).sum(axis=-1)


def _require_probabilities(values, name):
    values = require_numbers(values, f"{name} must be an array of numbers, [..., classes]")
    if not values.ndim or (values < 0).any() or not np.allclose(values.sum(axis=-1), 1, atol=1e-3):
        raise ValueError(
            f"{name} must be probabilities: no negative number, and a sum of 1 over the last axis. Turn logits into "
            "probabilities first: soft_targets(logits)."
        )
    return values
