"""Pairs of students that differ in one thing, and their mean gain: for several pages."""

import ipywidgets
import numpy as np

from distill_edu.metrics import paired_gain
from distill_edu.pages.shared.explorer import Explorer, slider
from distill_edu.pages.shared.picture import DISTILLED, HARD, NEUTRAL, empty_axes, legend
from distill_edu.pages.shared.plots import gain_in_words


def pairs_explorer(distilled, hard, pairs=1, what="seed"):
    """Slide the number of pairs of students: the gain of each pair, the mean gain and its 95% interval.

    `distilled`, `hard`: the accuracies [pairs] in the same order, at least two; or [pairs, examples] of right and
    wrong, see metrics.paired_gain. `what`: the name of what numbers the pairs: a seed, a draw.
    """
    paired_gain(distilled, hard)  # raises where the two are not paired
    distilled, hard = np.asarray(distilled, dtype=float), np.asarray(hard, dtype=float)
    settings = {"min": 1, "max": len(hard)}
    controls = {
        "pairs": slider(ipywidgets.IntSlider, f"{what.capitalize()}s (number)", value=pairs, **settings),
        "first": slider(ipywidgets.IntSlider, f"First {what} (number)", **settings),
    }
    return Explorer(lambda figure, **values: draw_pairs(figure, distilled, hard, what=what, **values), controls)


def draw_pairs(figure, distilled, hard, pairs, first, what):
    """Draw `pairs` pairs from number `first` on, after the last the first again (left), and their mean gain (right)."""
    left, right = empty_axes(figure, (0.1, 0.19, 0.52, 0.7), (0.82, 0.19, 0.16, 0.7))
    accuracies = np.stack([each.reshape(len(hard), -1).mean(axis=1) for each in (distilled, hard)])  # [2, pairs]
    rows = (first - 1 + np.arange(pairs)) % len(hard)
    of_distilled, of_hard = accuracies[:, rows]
    left.vlines(rows + 1, of_hard, of_distilled, color=NEUTRAL)
    left.plot(rows + 1, of_hard, "o", color=HARD, markersize=8, label="labels")
    left.plot(rows + 1, of_distilled, "D", color=DISTILLED, markersize=5, label="soft targets")
    room = 0.1 * np.ptp(accuracies) + 1e-3
    left.set(xlim=(0.4, len(hard) + 0.6), ylim=(accuracies.min() - room, accuracies.max() + 2.5 * room))
    left.set(xlabel=f"{what} (number)", ylabel="accuracy", title="pairs with the same start")
    legend(left, ncols=2, loc="upper center")
    right.axhline(0, color="black", linewidth=0.8)
    reach = 1.5 * np.abs(np.subtract(*accuracies)).max() + 1e-3
    right.set(ylim=(-reach, reach), xticks=[], ylabel="mean gain in accuracy")
    right.set_title("one pair" if pairs == 1 else "95% interval")
    right.yaxis.set_label_coords(-0.7, 0.5)  # left of ticks such as -0.010
    if pairs == 1:
        gain = of_distilled[0] - of_hard[0]
        right.plot(0, gain, "D", color=DISTILLED)
        return (
            f"{what.capitalize()} {first} alone: distillation gains {gain:+.4f}. One pair cannot tell a gain from luck."
        )
    gain = paired_gain(distilled[rows], hard[rows])
    right.errorbar(0, gain.mean, gain.high - gain.mean, fmt="D", color=DISTILLED, capsize=5)
    every = f" (all of them, so the first {what} changes nothing)" if pairs == len(hard) else ""
    return f"{pairs} {what}s{every}: {gain_in_words(gain)}"
