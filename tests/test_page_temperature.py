"""Page "What does temperature do?": its exercises."""

import numpy as np
from exercises import answers

from distill_edu import entropy, soft_targets
from distill_edu.pages import temperature as page


def searched(z, wanted):
    stops = np.geomspace(0.05, 50, 4000)
    return stops[np.argmin([abs(entropy(soft_targets(z, t)) - wanted) for t in stops])]


test_exercises = answers(
    page,
    temperature_by_hand=(
        0.7311,
        [
            (0.8808, "T = 1"),
            (0.982, "multiplied"),
            (0.2689, "second"),
            (0.4404, "before the softmax"),
            (0.74, "exp(-d"),
        ],
    ),
    temperature_softmax=(
        soft_targets,
        [
            (lambda z, t: soft_targets(z * t), "divide them"),
            (lambda z, t: soft_targets(z), "no effect"),
            (lambda z, t: soft_targets(z) / t, "after the softmax"),
            (lambda z, t: np.exp(z / t), "sum of the row"),
            (lambda z, t: np.exp(z / t) / np.exp(z / t).sum(), "its own sum"),
            (lambda z, t: np.exp(z / t) / np.exp(z / t).sum(axis=1, keepdims=True), "overflows"),
            (lambda z, t: z / t, "softmax of"),
        ],
    ),
    temperature_for_entropy=(
        searched,
        [
            (lambda z, h: 1.0, "too sure"),
            (lambda z, h: 50.0, "too soft"),
            (lambda z, h: -1.0, "one positive number"),
            (lambda z, h: "warm", "one positive number"),
            (lambda z, h: np.nan, "one positive number"),
            (lambda z, h: 1 / 0, "ZeroDivisionError"),
            (lambda z, h: searched(z, h - 0.03), "too sure"),
            (lambda z, h: searched(z, 1.0), "too soft"),  # right for one of the two questions
        ],
    ),
)
