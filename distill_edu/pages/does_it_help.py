"""Page "Does it help?": pairs of students and their mean gain, and its exercises."""

import ipywidgets
import numpy as np

from distill_edu.metrics import paired_gain
from distill_edu.pages.exercise import check_answer, check_function
from distill_edu.pages.explorer import Explorer, slider
from distill_edu.pages.picture import DISTILLED, HARD, NEUTRAL, empty_axes
from distill_edu.pages.plots import gain_in_words


def seeds_explorer(distilled, hard, seeds=1):
    """Slide through the number of seeds: what the first n pairs of students say about the gain of distillation.

    `distilled`, `hard`: one accuracy per seed, in the same order, at least two.
    """
    paired_gain(distilled, hard)  # refuses what is not paired
    distilled, hard = np.asarray(distilled, dtype=float), np.asarray(hard, dtype=float)
    controls = {"seeds": slider(ipywidgets.IntSlider, "Seeds (number)", min=1, max=len(hard), value=seeds)}
    return Explorer(lambda figure, seeds: draw_paired(figure, distilled, hard, seeds), controls)


def draw_paired(figure, distilled, hard, seeds):
    """Both students of the first `seeds` seeds, joined by lines; on the right the mean gain and its interval."""
    left, right = empty_axes(figure, (0.1, 0.19, 0.52, 0.7), (0.78, 0.19, 0.2, 0.7))
    positions = range(1, len(hard) + 1)
    left.vlines(positions[:seeds], hard[:seeds], distilled[:seeds], color=NEUTRAL)
    left.plot(positions[:seeds], hard[:seeds], "o", color=HARD, label="hard labels")
    left.plot(positions[:seeds], distilled[:seeds], "D", color=DISTILLED, label="distilled")
    both = np.concatenate([hard, distilled])
    room = 0.1 * np.ptp(both) + 1e-3
    left.set(xlim=(0.4, len(hard) + 0.6), ylim=(both.min() - room, both.max() + 2.5 * room))
    left.set(xlabel="seed (number)", ylabel="accuracy", title="pairs with the same start")
    left.legend(fontsize=8, frameon=False, ncols=2, loc="upper center")
    right.axhline(0, color="black", linewidth=0.8)
    reach = 1.5 * np.abs(distilled - hard).max() + 1e-3
    right.set(ylim=(-reach, reach), xticks=[], title="mean gain, 95%")
    if seeds == 1:
        right.plot(0, distilled[0] - hard[0], "D", color=DISTILLED)
        return f"One seed: distillation gains {distilled[0] - hard[0]:+.4f}. One pair cannot tell a gain from luck."
    gain = paired_gain(distilled[:seeds], hard[:seeds])
    right.errorbar(0, gain.mean, gain.high - gain.mean, fmt="D", color=DISTILLED, capsize=5)
    return f"{seeds} seeds: {gain_in_words(gain)}"


def check_standard_error_by_hand(answer):
    """The standard error of the mean of the differences 1, 2, 3 and 6."""
    differences = np.array([1.0, 2.0, 3.0, 6.0])
    spread = differences.std(ddof=1)
    mistakes = [
        (differences.mean(), "that is the mean itself: its standard error is asked for."),
        (spread, "that is the standard deviation of one difference: divide it by the square root of their number."),
        (spread**2, "that is the variance of one difference."),
        (spread / 4, "divide by the square root of the number of pairs, not by the number."),
        (differences.std() / 2, "divide the sum of squares by n - 1, not by n: the mean was estimated, too."),
    ]
    return check_answer(answer, spread / 2, mistakes, "standard deviation (with n - 1) over the square root of n.")


def check_mean_and_error(function):
    """function(a, b) -> (mean, standard error) of the paired differences a - b."""

    def right(a, b, ddof=1, root=0.5):
        d = a - b
        return np.array([d.mean(), d.std(ddof=ddof) / len(d) ** root])

    def unpaired(a, b):
        return right(a, b)[0], np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / len(a))

    mistakes = [
        (lambda a, b: right(b, a), "the sign is turned: a - b."),
        (lambda a, b: right(a, b, root=0), "divide the standard deviation by the square root of n."),
        (lambda a, b: right(a, b, root=1), "divide by the square root of n, not by n."),
        (lambda a, b: right(a, b, ddof=0), "use n - 1 inside of the standard deviation (ddof=1)."),
        (unpaired, "you treated the two lists as unpaired: subtract first, then take the deviation."),
    ]
    inputs = [
        (np.array([90.0, 85, 95, 80, 86]), np.array([88.0, 84, 90, 81, 82])),
        (np.array([3.0, 1, 4]), np.array([2.0, 7, 1])),
    ]
    return check_function(function, right, inputs, mistakes, "the mean of a - b, and its standard error.")


def check_gap(function):
    """function(distilled, hard, teacher) -> the share of the gap that distillation recovers."""
    mistakes = [
        (
            lambda d, h, t: d - h,
            "that is the gain itself: divide it by the gap between teacher and hard labels.",
        ),
        (lambda d, h, t: (t - d) / (t - h), "that is the share that is still missing: 1 minus it is recovered."),
        (lambda d, h, t: (d - h) / t, "divide by the gap (teacher - hard), not by the teacher's accuracy."),
        (lambda d, h, t: (t - h) / (d - h), "the fraction is upside down."),
    ]
    inputs = [(0.6, 0.5, 0.75), (0.81, 0.75, 0.95)]
    right = lambda d, h, t: (d - h) / (t - h)  # noqa: E731
    return check_function(function, right, inputs, mistakes, "(distilled - hard) / (teacher - hard).")
