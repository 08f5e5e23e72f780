"""Page "Can a small model learn to write?": names that models write, and its exercises."""

import numpy as np

from distill_edu.pages.exercise import check_answer, check_function
from distill_edu.pages.explorer import Explorer, slider, stop_slider
from distill_edu.pages.picture import DISTILLED, HARD, NEUTRAL, TEACHER, empty_axes, grouped_bars, percent, plain
from distill_edu.probabilities import soft_targets
import ipywidgets

SHOWN = 8


def names_explorer(written, known, language, temperature=1):
    """Choose a language and the temperature of sampling, and read what models write.

    `written`: model -> temperature -> language -> at least eight names; one to three models, the teacher first, then
    a student of hard labels and a distilled one. `known`: language -> the names that the models have read.
    """
    first = next(iter(written.values()))
    languages = list(next(iter(first.values())))
    controls = {
        "language": slider(ipywidgets.SelectionSlider, "Language", options=[(each, each) for each in languages], value=language),
        "temperature": stop_slider("Sampling temperature (no unit)", "temperature", tuple(first), temperature),
    }

    def draw(figure, language, temperature):
        names = {model: of_model[temperature][language] for model, of_model in written.items()}
        return draw_names(figure, names, known[language], language, temperature)

    return Explorer(draw, controls)
