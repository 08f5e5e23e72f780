"""Page "What does temperature do?": its exercises. Its slider is in `shared.loss`."""

import numpy as np

from distill_edu.pages.shared.exercise import CORRECT, OVERFLOWS, Z_STUDENT, Z_TEACHER, Exercise, not_yet, number, value
from distill_edu.probabilities import entropy, soft_targets

# The reader types the probability of the first of the logits (2, 0) at T = 2.
check_temperature_by_hand = Exercise(
    right=1 / (1 + np.exp(-1)),
    mistakes=[
        (1 / (1 + np.exp(-2)), "that is T = 1: divide the logits by T first."),
        (1 / (1 + np.exp(-4)), "you multiplied by T: a high temperature makes the answer softer, not sharper."),
        (1 / (1 + np.exp(1)), "that is the probability of the second class."),
        (0.5 / (1 + np.exp(-2)), "T divides the logits, before the softmax, not the probability."),
    ],
    otherwise="1 / (1 + exp(-d / T)), where d is the difference.",
)
# The reader writes function(logits, temperature) -> softmax(logits / T).
check_temperature_softmax = Exercise(
    right=soft_targets,
    mistakes=[
        (lambda z, t: soft_targets(z * t), "you multiplied the logits by T: divide them."),
        (lambda z, t: soft_targets(z), "the temperature has no effect yet."),
        (
            lambda z, t: soft_targets(z) / t,
            "you divided after the softmax, so rows do not sum to 1: divide the logits.",
        ),
        (lambda z, t: np.exp(z / t), "divide by the sum of the row, so that each row sums to 1."),
        (lambda z, t: np.exp(z / t) / np.exp(z / t).sum(), "each row has its own sum (axis=-1, keepdims=True)."),
    ],
    otherwise="softmax of logits / T.",
    inputs=[(Z_TEACHER, 4.0), (Z_STUDENT, 0.5)],
    then=Exercise(soft_targets, [], OVERFLOWS, [(np.array([[2000.0, 1999.0], [0.0, -1000.0]]), 2.0)]),
)


def check_temperature_for_entropy(function):
    """The reader writes function(logits, wanted) -> the temperature at which the entropy is the wanted one."""
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
    return CORRECT
