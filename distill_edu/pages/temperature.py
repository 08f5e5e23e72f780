"""Page "What does temperature do?": Adam in NumPy, its exercises. Its slider is in `shared.loss`."""

import numpy as np

from distill_edu.pages.shared.exercise import CORRECT, Z_STUDENT, Z_TEACHER, Exercise, not_yet, number, value
from distill_edu.probabilities import entropy, kl_divergence, soft_targets


def adam():
    """Return a function from a gradient to Adam's step at a learning rate of 1, as Keras computes it.

    From Kingma and Ba 2015, section 2.

    >>> step = adam()
    >>> step(np.array([90.0, 1.0])).round(3)  # the scale of a gradient hardly matters
    array([1., 1.])
    """
    mean, square, count = 0.0, 0.0, 0

    def step(gradient):
        nonlocal mean, square, count
        count += 1
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        return mean * np.sqrt(1 - 0.999**count) / (1 - 0.9**count) / (np.sqrt(square) + 1e-7)

    return step


# The reader types the hidden alpha of a program that is set to T = 5 and alpha = 0.1 and forgets T².
check_hidden_alpha = Exercise(
    right=0.1 / (0.1 + 0.9 / 25),
    mistakes=[
        (0.1, "that is what the program says. The forgotten T² makes the soft loss weaker."),
        (0.9, "that is the weight of the soft loss in the program. Both weights count, and the forgotten T²."),
        (0.1 / 0.28, "the soft loss lacks T², not T."),
        (0.1 / 22.6, "you multiplied by T²: to forget it makes the soft loss weaker."),
        (0.1 / 0.036, "that is the ratio of both weights. α is the labels' share of their sum."),
        (0.136, "that is the sum of both weights. α is the labels' share of it."),
        (0.036 / 0.136, "that is the teacher's share. α is the labels'."),
    ],
    otherwise="find the weight of CE and that of T² KL; α is the first one's share of their sum.",
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
        (lambda a, b, t: _gradient(a, b, t) / len(a), "give each example its own gradient: do not take the mean."),
        (
            lambda a, b, t: t**2 * kl_divergence(soft_targets(a, t), soft_targets(b, t)),
            "that is the loss: its gradient has one number per class.",
        ),
    ],
    otherwise="start from the formula of the page, without T², and multiply it as the loss is multiplied.",
    inputs=[(Z_TEACHER, Z_STUDENT, 2.5), (Z_STUDENT[:, :2], Z_TEACHER[:, :2], 5.0)],
)


def check_temperature_for_entropy(function):
    """The reader writes function(logits, target) -> the temperature at which the mean entropy is the target."""
    logits = np.array([[6.0, 2.0, 0.0, -1.0], [3.0, 1.0, 0.5, -2.0], [1.0, 0.8, 0.5, 0.2]])
    for target in (1.0, 0.5, 1.3):
        found, verdict = value(function, logits, target)
        if verdict:
            return verdict
        found = number(np.squeeze(found) if isinstance(found, np.ndarray) else found)
        if found is None or not 0 < found < np.inf:
            return not_yet("return one positive number, the temperature.")
        reached = float(entropy(soft_targets(logits, found)).mean())
        if abs(reached - target) >= 0.02:
            sure = "too sure: a higher temperature raises the entropy", "too soft: lower the temperature"
            told = f"at T = {found:.3g} the mean entropy is {reached:.3f}, and the target is {target}"
            return not_yet(f"{told}, so it is {sure[reached > target]}.")
    return CORRECT
