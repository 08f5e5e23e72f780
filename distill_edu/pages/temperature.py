"""Page "What does temperature do?": its exercises. Its slider is in `shared.loss`."""

import numpy as np

from distill_edu.pages.shared.exercise import CORRECT, Z_STUDENT, Z_TEACHER, Exercise, not_yet, number, value
from distill_edu.probabilities import entropy, kl_divergence, soft_targets

# The reader types the alpha whose balance a program has that is set to T = 4 and alpha = 0.2 and forgets T².
check_hidden_alpha = Exercise(
    right=0.2 / (0.2 + 0.8 / 16),
    mistakes=[
        (0.2, "that is what the program says. The forgotten T² makes the soft loss weaker."),
        (0.5, "the soft loss lacks T², not T."),
        (1 / 65, "you multiplied by T²: to forget it makes the soft loss weaker."),
        (4, "that is the ratio of both weights. α is the labels' share of their sum."),
        (0.25, "that is the sum of both weights. α is the labels' share of it."),
    ],
    otherwise="α / (α + (1 - α) / T²).",
)


def _gradient(teacher, student, t, power=1, inner=None):
    return t**power * (soft_targets(student, inner or t) - soft_targets(teacher, inner or t))


# The reader writes function(teacher_logits, student_logits, T) -> the gradient of T² KL by the student's logits.
check_soft_gradient = Exercise(
    right=_gradient,
    mistakes=[
        (lambda a, b, t: -_gradient(a, b, t), "the signs are turned: that is the push, minus the gradient."),
        (lambda a, b, t: _gradient(a, b, t, 0), "the factor T is missing: T² times 1/T leaves one T."),
        (lambda a, b, t: _gradient(a, b, t, -1), "you forgot the T² in front of the KL."),
        (lambda a, b, t: _gradient(a, b, t, 2), "one T too many: dividing the logits by T brings a factor 1/T."),
        (lambda a, b, t: _gradient(a, b, t, inner=1), "divide the logits by T inside the softmax, too."),
        (
            lambda a, b, t: t**2 * kl_divergence(soft_targets(a, t), soft_targets(b, t)),
            "that is the loss: its gradient has one number per class.",
        ),
    ],
    otherwise="T (q - p), with p and q at temperature T.",
    inputs=[(Z_TEACHER, Z_STUDENT, 2.5), (Z_STUDENT[:, :2], Z_TEACHER[:, :2], 5.0)],
)


def check_temperature_for_entropy(function):
    """The reader writes function(logits, target) -> the temperature at which the mean entropy is the target."""
    logits = np.array([[6.0, 2.0, 0.0, -1.0], [3.0, 1.0, 0.5, -2.0]])
    for target in (1.0, 0.5):
        found, verdict = value(function, logits, target)
        if verdict:
            return verdict
        found = number(found)
        if found is None or not 0 < found < np.inf:
            return not_yet("return one positive number, the temperature.")
        reached = float(entropy(soft_targets(logits, found)).mean())
        if abs(reached - target) >= 0.02:
            sure = "too sure: a higher temperature raises the entropy", "too soft: lower the temperature"
            told = f"at T = {found:.3g} the mean entropy is {reached:.3f}, and the target is {target}"
            return not_yet(f"{told}, so it is {sure[reached > target]}.")
    return CORRECT
