"""Page "Distillation from scratch": its exercises. Its slider is in `shared.loss`."""

import numpy as np

from distill_edu.pages.shared.exercise import LABELS, Z_STUDENT, Z_TEACHER, Exercise
from distill_edu.probabilities import kl_divergence, soft_targets

P, Q = np.array([0.7, 0.2, 0.1]), np.array([0.5, 0.3, 0.2])
# The reader types the gradient of the soft loss with respect to the student's logits, for these P and Q at T = 2.
check_gradient_by_hand = Exercise(
    right=2 * (Q - P),
    mistakes=[
        (2 * (P - Q), "the signs are turned: where the student gives too little, the gradient is negative."),
        (Q - P, "the factor T is missing: T² in front of the loss and 1/T from the logits leave one T."),
        ((Q - P) / 2, "you forgot the T² in front of the loss."),
        (4 * (Q - P), "one T too many: dividing the logits by T brings a factor 1/T."),
    ],
    otherwise="three numbers, T (q - p) for each class.",
)


def _soft(teacher, student, t, power=2):
    return t**power * kl_divergence(soft_targets(teacher, t), soft_targets(student, t))


def _cross_entropy(teacher, student, t):
    return -(t**2) * (soft_targets(teacher, t) * np.log(soft_targets(student, t))).sum(axis=-1)


# The reader writes function(teacher_logits, student_logits, temperature) -> T² KL(p || q), one value per example.
check_soft_loss = Exercise(
    right=_soft,
    mistakes=[
        (lambda a, b, t: _soft(a, b, t, 0), "the factor T² is missing."),
        (lambda a, b, t: _soft(a, b, t, 1), "the factor is T², not T."),
        (lambda a, b, t: _soft(b, a, t), "teacher and student have changed places: the teacher's p stands in front."),
        (lambda a, b, t: t**2 * _soft(a, b, 1), "divide both logits by T."),
        (lambda a, b, t: _soft(a, b * t, t), "the student's logits are divided by T too."),
        (lambda a, b, t: -_soft(a, b, t), "the sign is turned: log p - log q, not log q - log p."),
        (_cross_entropy, "that is the cross-entropy: subtract the teacher's entropy for the KL."),
        (lambda a, b, t: _soft(a, b, t).sum(), "keep one value per example: sum over the classes only (axis=-1)."),
        (lambda a, b, t: _soft(a, b, t).mean(), "keep one value per example: the mean over the batch comes later."),
        (lambda a, b, t: _soft(a, b, t) / a.shape[-1], "add over the classes; the mean is over examples, later."),
    ],
    otherwise="T² times the sum of p (log p - log q).",
    inputs=[(Z_TEACHER, Z_STUDENT, 2.5), (Z_STUDENT[:, :2], Z_TEACHER[:, :2], 5.0)],
)


def _hard(labels, logits, t=1):
    return -np.log(soft_targets(logits, t)[np.arange(len(labels)), labels])


def _total(labels, teacher, student, t, alpha, power=2):
    return float((alpha * _hard(labels, student) + (1 - alpha) * _soft(teacher, student, t, power)).mean())


# The reader writes function(labels, teacher_logits, student_logits, temperature, alpha) -> the mean over the examples
# of alpha CE + (1 - alpha) T² KL.
check_total_loss = Exercise(
    right=_total,
    mistakes=[
        (
            lambda y, a, b, t, alpha: _total(y, a, b, t, 1 - alpha),
            "here alpha is the weight of the hard labels, not of the soft targets.",
        ),
        (
            lambda y, a, b, t, alpha: (alpha * _hard(y, b, t) + (1 - alpha) * _soft(a, b, t)).mean(),
            "the hard labels see the student at T = 1: no temperature there.",
        ),
        (lambda *given: _total(*given, power=0), "the factor T² of the soft loss is missing."),
        (lambda y, a, b, t, _: 2 * _total(y, a, b, t, 0.5), "weight the two losses with alpha and 1 - alpha."),
        (lambda y, *rest: len(y) * _total(y, *rest), "take the mean over the examples, not the sum."),
    ],
    otherwise="the mean of both losses.",
    inputs=[(LABELS, Z_TEACHER, Z_STUDENT, 3.0, 0.2), (LABELS + 1, Z_STUDENT, Z_TEACHER, 1.5, 0.7)],
)
