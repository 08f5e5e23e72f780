"""Page "Distillation from scratch": its exercises."""

import numpy as np
from exercises import answers

from distill_edu import kl_divergence, soft_targets
from distill_edu.pages import from_scratch as page

SOFT = soft_targets


def soft_loss(z_t, z_s, t):
    return t**2 * kl_divergence(SOFT(z_t, t), SOFT(z_s, t))


def hard_loss(y, z, t=1):
    return -np.log(SOFT(z, t)[np.arange(len(y)), y])


test_exercises = answers(
    page,
    gradient_by_hand=(
        [-0.4, 0.2, 0.2],
        [
            ([0.4, -0.2, -0.2], "signs"),
            ([-0.2, 0.1, 0.1], "factor T is missing"),
            ([-0.1, 0.05, 0.05], "forgot the T²"),
            ([-0.8, 0.4, 0.4], "one T too many"),
            ([0, 0, 0], "for each class"),
        ],
    ),
    soft_loss=(
        soft_loss,
        [
            (lambda a, b, t: soft_loss(a, b, t) / t**2, "T² is missing"),
            (lambda a, b, t: soft_loss(a, b, t) / t, "not T"),
            (lambda a, b, t: soft_loss(b, a, t), "changed places"),
            (lambda a, b, t: t**2 * kl_divergence(SOFT(a), SOFT(b)), "divide both"),
            (lambda a, b, t: t**2 * kl_divergence(SOFT(a, t), SOFT(b)), "too"),
            (lambda a, b, t: -soft_loss(a, b, t), "sign"),
            (lambda a, b, t: -(t**2) * (SOFT(a, t) * np.log(SOFT(b, t))).sum(-1), "cross-entropy"),
            (lambda a, b, t: soft_loss(a, b, t).mean(), "one value per example"),
            (lambda a, b, t: soft_loss(a, b, t).sum(), "sum over the classes only"),
            (lambda a, b, t: soft_loss(a, b, t) / a.shape[1], "add over the classes"),
            (lambda a, b, t: soft_loss(a, b, t) + 1, "log p - log q"),
        ],
    ),
    total_loss=(
        lambda y, a, b, t, w: (w * hard_loss(y, b) + (1 - w) * soft_loss(a, b, t)).mean(),
        [
            (lambda y, a, b, t, w: ((1 - w) * hard_loss(y, b) + w * soft_loss(a, b, t)).mean(), "here alpha"),
            (lambda y, a, b, t, w: (w * hard_loss(y, b, t) + (1 - w) * soft_loss(a, b, t)).mean(), "T = 1"),
            (lambda y, a, b, t, w: (w * hard_loss(y, b) + (1 - w) * soft_loss(a, b, t) / t**2).mean(), "T²"),
            (lambda y, a, b, t, w: (hard_loss(y, b) + soft_loss(a, b, t)).mean(), "weight the two"),
            (lambda y, a, b, t, w: (w * hard_loss(y, b) + (1 - w) * soft_loss(a, b, t)).sum(), "not the sum"),
            (lambda y, a, b, t, w: 0.0, "mean of both"),
        ],
    ),
)
