"""Page "What does temperature do?": its exercises. Its slider is that of `loss`."""

import numpy as np

from distill_edu.pages.shared.exercise import (
    CORRECT,
    Z_STUDENT,
    Z_TEACHER,
    Verdict,
    check_answer,
    check_function,
    not_yet,
    number,
    value,
)
from distill_edu.probabilities import entropy, soft_targets


def check_temperature_by_hand(answer):
    """The probability of the first of the logits (2, 0) at T = 2."""
    logits = np.array([2.0, 0.0])
    mistakes = [
        (soft_targets(logits)[0], "that is T = 1: divide the logits by T first."),
        (soft_targets(logits * 2)[0], "you multiplied by T: a high temperature makes the answer softer, not sharper."),
        (soft_targets(logits, 2)[1], "that is the probability of the second class."),
        (soft_targets(logits)[0] / 2, "T divides the logits, before the softmax, not the probability."),
    ]
    right = float(soft_targets(logits, 2)[0])
    return check_answer(answer, right, mistakes, "1 / (1 + exp(-d / T)), where d is the difference.")


def check_temperature_softmax(function):
    """function(logits, temperature) -> softmax(logits / T)."""
    mistakes = [
        (lambda z, t: soft_targets(z * t), "you multiplied the logits by T: divide them."),
        (lambda z, t: soft_targets(z), "the temperature has no effect yet."),
        (
            lambda z, t: soft_targets(z) / t,
            "you divided after the softmax, so rows do not sum to 1: divide the logits.",
        ),
        (lambda z, t: np.exp(z / t), "divide by the sum of the row, so that each row sums to 1."),
        (lambda z, t: np.exp(z / t) / np.exp(z / t).sum(), "each row has its own sum (axis=-1, keepdims=True)."),
    ]
    inputs = [(Z_TEACHER, 4.0), (Z_STUDENT, 0.5)]
    verdict = check_function(function, soft_targets, inputs, mistakes, "softmax of logits / T.")
    if verdict != CORRECT:
        return verdict
    hint = "right for small logits, but exp(1000) overflows: subtract the largest logit of the row first."
    return check_function(function, soft_targets, [(np.array([[2000.0, 1999.0], [0.0, -1000.0]]), 2.0)], [], hint)


def check_temperature_for_entropy(function):
    """function(logits, wanted) -> the temperature at which the soft targets have the wanted entropy."""
    for logits, wanted in ((np.array([6.0, 2.0, 0.0, -1.0]), 1.0), (np.array([3.0, 1.0, 0.5, -2.0]), 0.5)):
        found, verdict = value(function, logits, wanted)
        if verdict:
            return verdict
        found = number(found)
        if found is None or not 0 < found < np.inf:
            return not_yet("return one positive number, the temperature.")
        reached = float(entropy(soft_targets(logits, found)))
        if abs(reached - wanted) >= 0.02:
            sure = "too sure: a higher temperature raises the entropy", "too soft: lower the temperature"
            told = f"at T = {found:.3g} the entropy is {reached:.3f} and {wanted} was wanted"
            return not_yet(f"{told}, so it is {sure[reached > wanted]}.")
    return Verdict(CORRECT)
