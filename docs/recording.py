"""A live training as a recording: on a page without a kernel nothing can train."""

import itertools

import numpy as np

from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.live import draw_training

NOTE = (
    "A recording: one training at each T and α, from the same start. With a kernel you train, and turn them meanwhile."
)
TEMPERATURES, ALPHAS, UPDATES = (1, 2, 4, 8, 20), (0, 0.1, 0.5, 1), tuple(range(0, 301, 30))


def recorded(live):
    """Train a LiveDistillation anew at each T and α: sliders over both and over the updates. It is left as it was."""
    before = {name: control.value for name, control in live.controls.items()}
    runs, weights = live.runs, [np.array(variable) for variable in live.variables]
    settings = list(itertools.product(TEMPERATURES, ALPHAS))
    trained = {setting: _trained(live, *setting) for setting in settings}
    for name, value in before.items():
        live.controls[name].value = value
    for variable, value in zip(live.variables, weights, strict=True):
        variable.assign(value)
    live.runs = runs
    return _explorer(trained, live.controls)


def _trained(live, temperature, alpha):
    live.controls["temperature"].value, live.controls["alpha"].value = temperature, alpha
    live.train_now(UPDATES[-1])
    return live.runs[-1]


def _explorer(trained, live):
    """The run at these settings as far as it got; behind it, in grey, the whole one at T = 4 and α = 0.1."""
    controls = {
        "temperature": stop_slider(live["temperature"].description, "temperature", TEMPERATURES, 4),
        "alpha": stop_slider(live["alpha"].description, "alpha", ALPHAS, 0.1),
        "updates": stop_slider("Updates (number)", "updates", UPDATES, UPDATES[-1]),
    }

    def draw(figure, temperature, alpha, updates):
        run = trained[temperature, alpha]
        so_far = sum(update <= updates for update in run[0])
        cut = tuple(part[:so_far] for part in run)
        return draw_training(figure, [trained[4, 0.1], cut], "Recorded", temperature, alpha)

    return Explorer(draw, controls)
