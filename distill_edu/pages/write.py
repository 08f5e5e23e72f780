"""Page "Can a small model learn to write?": names that models write, and the exercises."""

import ipywidgets
import numpy as np

from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, require_up_to_three, slider, stop_slider
from distill_edu.pages.shared.picture import DISTILLED, HARD, NEUTRAL, TEACHER, empty_axes, grouped_bars, percent, plain

SHOWN = 8  # names of each model in the figure


def names_explorer(written, known, language, temperature=1):
    """Choose a language and the sampling temperature, and read the names that models write.

    `written`: model -> temperature -> language -> at least eight names; one to three models: teacher, student of hard
    labels, distilled student. `known`: the names of the training data, of any language.
    """
    require_up_to_three(written)
    temperatures = next(iter(written.values()))
    languages = list(next(iter(temperatures.values())))
    options = list(zip(languages, languages, strict=True))
    controls = {
        "language": slider(ipywidgets.SelectionSlider, "Language", options=options, value=language),
        "temperature": stop_slider("Sampling temperature", "temperature", tuple(temperatures), temperature),
    }

    def draw(figure, language, temperature):
        texts, axes = empty_axes(figure, (0.02, 0.06, 0.66, 0.8), (0.78, 0.06, 0.2, 0.8))
        bars, counted = {}, []
        for column, (model, colour) in enumerate(zip(written, (TEACHER, HARD, DISTILLED), strict=False)):
            names = written[model][temperature][language]
            texts.text(column / 3, 0, model, color=colour, fontsize=9, fontweight="bold", va="top")
            for row, name in enumerate(names[:SHOWN], 1):
                look = {"color": NEUTRAL if name in known else colour, "fontsize": 9, "va": "top"}
                texts.text(column / 3, row, plain(name), **look)
            share = np.mean([name in known for name in names])
            bars[model] = ([share], colour)
            counted.append(f"{model} {percent(share)} of {len(names)}")
        title = f"{language}, at temperature {temperature:g}"
        texts.set(xlim=(0, 1), ylim=(SHOWN + 1, 0), title=title)
        texts.set_axis_off()
        grouped_bars(axes, bars)
        axes.set(xlim=(-0.5, 0.5), ylim=(0, 1), xticks=[], ylabel="share of the names", title="read before")
        return f"{title}: names that stand in the training data (grey): {'; '.join(counted)}."

    return Explorer(draw, controls)


P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.5, 0.3])
# How much of their probability (0.5, 0.3, 0.2) and (0.2, 0.5, 0.3) share.
check_share_by_hand = Exercise(
    right=0.7,
    mistakes=[
        (0.31, "you multiplied: take the smaller one of the two probabilities of each letter, and add."),
        (0.3, "that is how much they differ, the total variation: 1 minus it is what they share."),
        (0.4, "the differences count twice: what is too much in one place is missing in another."),
        (1.3, "you took the larger ones: take the smaller ones."),
        (1.0, "that is one model's probabilities: of each letter take the smaller one of both models'."),
    ],
    otherwise="add the smaller one of the two probabilities of each letter.",
)


def _left(p, q):
    rest = np.maximum(p - q, 0)
    return rest / rest.sum()


# function(p, q) -> the probabilities of the letter in the place of a refused letter: max(p - q, 0), summing to 1
check_what_is_left = Exercise(
    right=_left,
    mistakes=[
        (lambda p, q: np.maximum(p - q, 0), "the probabilities must sum to 1: divide by their sum."),
        (lambda p, q: p, "that would count twice what the draft has already had its chance to say: take q away."),
        (
            lambda p, q: np.abs(p - q) / np.abs(p - q).sum(),
            "where the draft says a letter too often, nothing is left: 0.",
        ),
        (lambda p, q: _left(q, p), "it is the teacher's probability that is not used up: p minus q."),
        (lambda p, q: p - q, "no probability is below 0, and they sum to 1."),
    ],
    otherwise="np.maximum(p - q, 0), divided by its sum.",
    inputs=[(P, Q), (Q, P), (np.array([0.1, 0.6, 0.3]), np.array([0.05, 0.15, 0.8]))],
)

# function(share, drafted) -> 1 + share + share^2 + ... + share^drafted (Leviathan et al. 2023, equation 1)
check_letters_per_call = Exercise(
    right=lambda a, k: sum(a**i for i in range(k + 1)),
    mistakes=[
        (lambda a, k: 1 + a * k, "a letter counts only if all before it were kept, too: powers of the share."),
        (lambda a, k: a * k, "a letter counts only if all before it were kept, and the teacher adds one of its own."),
        (lambda a, k: sum(a**i for i in range(k)), "one power is missing: after k kept letters the teacher adds one."),
        (lambda a, k: a * sum(a**i for i in range(k)), "the teacher adds a letter of its own, whatever was kept: 1."),
        (lambda a, k: k + 1, "that is if everything is kept."),
        (lambda a, k: a**k, "that is the chance that everything is kept: add up what each letter brings."),
    ],
    otherwise="1 for the teacher's letter, and share**i for the i-th one.",
    inputs=[(0.6, 4), (0.9, 3), (0.25, 1)],
)
