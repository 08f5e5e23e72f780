"""Pairs of students that differ in one thing, and what they say together: for several pages."""

import ipywidgets
import numpy as np

from distill_edu.metrics import paired_gain
from distill_edu.pages.shared.explorer import Explorer, slider
from distill_edu.pages.shared.picture import DISTILLED, HARD, NEUTRAL, empty_axes, legend
from distill_edu.pages.shared.plots import gain_in_words


def pairs_explorer(distilled, hard, pairs=1, what="seed"):
    """Choose pairs of students and see what they say about the gain of distillation.

    `distilled`, `hard`: one accuracy per pair, in the same order, at least two; or [pairs, examples] of right and
    wrong, see metrics.paired_gain. `what` the pairs are numbered by: a seed, a draw.
    """
    paired_gain(distilled, hard)  # refuses what is not paired
    distilled, hard = np.asarray(distilled, dtype=float), np.asarray(hard, dtype=float)
    settings = {"min": 1, "max": len(hard)}
    controls = {
        "pairs": slider(ipywidgets.IntSlider, f"{what.capitalize()}s (number)", value=pairs, **settings),
        "first": slider(ipywidgets.IntSlider, f"First {what} (number)", **settings),
    }
    return Explorer(lambda figure, **values: draw_pairs(figure, distilled, hard, what=what, **values), controls)


def draw_pairs(figure, distilled, hard, pairs, first, what):
    """So many pairs from `first` on, joined by lines (after the last comes the first); their mean gain on the right."""
    left, right = empty_axes(figure, (0.1, 0.19, 0.52, 0.7), (0.78, 0.19, 0.2, 0.7))
    mean_of = [each if each.ndim == 1 else each.mean(axis=1) for each in (distilled, hard)]
    rows = (first - 1 + np.arange(pairs)) % len(hard)
    ours, theirs = (values[rows] for values in mean_of)
    left.vlines(rows + 1, theirs, ours, color=NEUTRAL)
    left.plot(rows + 1, theirs, "o", color=HARD, label="hard labels")
    left.plot(rows + 1, ours, "D", color=DISTILLED, label="distilled")
    both = np.concatenate(mean_of)
    room = 0.1 * np.ptp(both) + 1e-3
    left.set(xlim=(0.4, len(hard) + 0.6), ylim=(both.min() - room, both.max() + 2.5 * room))
    left.set(xlabel=f"{what} (number)", ylabel="accuracy", title="pairs, equal but for the teacher")
    legend(left, ncols=2, loc="upper center")
    right.axhline(0, color="black", linewidth=0.8)
    reach = 1.5 * np.abs(mean_of[0] - mean_of[1]).max() + 1e-3
    right.set(ylim=(-reach, reach), xticks=[], title="mean gain, 95%")
    if pairs == 1:
        right.plot(0, ours[0] - theirs[0], "D", color=DISTILLED)
        alone = f"{what.capitalize()} {first} alone: distillation gains {ours[0] - theirs[0]:+.4f}."
        return f"{alone} One pair cannot tell a gain from luck."
    gain = paired_gain(distilled[rows], hard[rows])
    right.errorbar(0, gain.mean, gain.high - gain.mean, fmt="D", color=DISTILLED, capsize=5)
    return f"{pairs} {what}s: {gain_in_words(gain)}"
