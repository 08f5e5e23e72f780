"""Record a live training, so that a page without a kernel can replay it."""

import itertools

import numpy as np

from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.live import draw_training

NOTE = (
    "This is a recording: one training for each T and α, all from the same start. With a kernel you train live, "
    "and turn T and α while the training runs."
)
TEMPERATURES, ALPHAS, UPDATES = (1, 2, 4, 8, 20), (0, 0.1, 0.5, 1), tuple(range(0, 301, 30))


def recorded(live):
    """Train a LiveDistillation from its start at each T and α; return an Explorer over T, α and updates.

    The LiveDistillation keeps its weights, its runs and its settings.
    """
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
    """Draw the run at these settings up to the chosen update, and in grey the whole run at T = 4 and α = 0.1."""
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
