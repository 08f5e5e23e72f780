"""Page "Distillation from scratch": its exercises. Its slider is that of `loss`."""

import numpy as np

from distill_edu.pages.shared.exercise import LABELS, Z_STUDENT, Z_TEACHER, check_answer, check_function
from distill_edu.probabilities import kl_divergence, soft_targets


def check_gradient_by_hand(answer):
    """The gradient of the soft loss for p = (.7, .2, .1), q = (.5, .3, .2) and T = 2."""
    p, q, t = np.array([0.7, 0.2, 0.1]), np.array([0.5, 0.3, 0.2]), 2
    mistakes = [
        (t * (p - q), "the signs are turned: where the student gives too little, the gradient is negative."),
        (q - p, "the factor T is missing: T² in front of the loss and 1/T from the logits leave one T."),
        ((q - p) / t, "you forgot the T² in front of the loss."),
        (t**2 * (q - p), "one T too many: dividing the logits by T brings a factor 1/T."),
    ]
    return check_answer(answer, t * (q - p), mistakes, "three numbers, T (q - p) for each class.")


def _soft(teacher, student, t):
    return t**2 * kl_divergence(soft_targets(teacher, t), soft_targets(student, t))


def check_soft_loss(function):
    """function(teacher_logits, student_logits, temperature) -> T^2 KL(p || q), one value per example."""

    def p_log_q(a, b, t):
        return t**2 * (soft_targets(a, t) * np.log(soft_targets(b, t))).sum(axis=-1)

    mistakes = [
        (lambda a, b, t: _soft(a, b, t) / t**2, "the factor T² is missing."),
        (lambda a, b, t: _soft(a, b, t) / t, "the factor is T², not T."),
        (lambda a, b, t: _soft(b, a, t), "teacher and student have changed places: the teacher's p stands in front."),
        (lambda a, b, t: t**2 * kl_divergence(soft_targets(a), soft_targets(b)), "divide both logits by T."),
        (
            lambda a, b, t: t**2 * kl_divergence(soft_targets(a, t), soft_targets(b)),
            "the student's logits are divided by T too.",
        ),
        (lambda a, b, t: -_soft(a, b, t), "the sign is turned: log p - log q, not log q - log p."),
        (lambda a, b, t: -p_log_q(a, b, t), "that is the cross-entropy: subtract the teacher's entropy for the KL."),
        (lambda a, b, t: _soft(a, b, t).sum(), "keep one value per example: sum over the classes only (axis=-1)."),
        (lambda a, b, t: _soft(a, b, t).mean(), "keep one value per example: the mean over the batch comes later."),
        (
            lambda a, b, t: _soft(a, b, t) / a.shape[-1],
            "add over the classes; the mean is over examples, later.",
        ),
    ]
    inputs = [(Z_TEACHER, Z_STUDENT, 2.5), (Z_STUDENT[:, :2], Z_TEACHER[:, :2], 5.0)]
    return check_function(function, _soft, inputs, mistakes, "T² times the sum of p (log p - log q).")


def check_total_loss(function):
    """function(labels, teacher_logits, student_logits, temperature, alpha) -> mean of alpha CE + (1 - alpha) T^2 KL."""

    def hard(y, z, t=1):
        return -np.log(soft_targets(z, t)[np.arange(len(y)), y]).mean()

    def right(y, a, b, t, alpha):
        return float(alpha * hard(y, b) + (1 - alpha) * _soft(a, b, t).mean())

    mistakes = [
        (
            lambda y, a, b, t, alpha: right(y, a, b, t, 1 - alpha),
            "here alpha is the weight of the hard labels, not of the soft targets.",
        ),
        (
            lambda y, a, b, t, alpha: alpha * hard(y, b, t) + (1 - alpha) * _soft(a, b, t).mean(),
            "the hard labels see the student at T = 1: no temperature there.",
        ),
        (
            lambda y, a, b, t, alpha: alpha * hard(y, b) + (1 - alpha) * _soft(a, b, t).mean() / t**2,
            "the factor T² of the soft loss is missing.",
        ),
        (
            lambda y, a, b, t, alpha: hard(y, b) + _soft(a, b, t).mean(),
            "weight the two losses with alpha and 1 - alpha.",
        ),
        (lambda y, *others: len(y) * right(y, *others), "take the mean over the examples, not the sum."),
    ]
    inputs = [(LABELS, Z_TEACHER, Z_STUDENT, 3.0, 0.2), (LABELS + 1, Z_STUDENT, Z_TEACHER, 1.5, 0.7)]
    return check_function(function, right, inputs, mistakes, "the mean of both losses.")
