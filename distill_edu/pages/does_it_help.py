"""Page "Does it help?": one image with its lessons, and its exercises."""

import numpy as np

from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.picture import INK, TEACHER, Picture, class_bars


def show_lessons(image, lessons):
    """Draw an image and, beside it, the probabilities of each lesson. `lessons`: name -> [classes], the first in blue.

    >>> show_lessons(np.ones((8, 8, 1)), {"soft targets": [0.9, 0.1], "flat": [0.8, 0.2]}).axes[1].get_title()
    'soft targets'
    """
    figure, width = Picture(7, 1.9), 1 / (len(lessons) + 1)
    shown = figure.add_axes((0.0, 0.25, 0.095, 0.5))
    shown.imshow(image, cmap="gray_r")
    shown.set_axis_off()
    highest = 1.1 * max(map(max, lessons.values()))
    for place, (name, answer) in enumerate(lessons.items(), 1):
        axes = figure.add_axes((place * width - 0.005, 0.2, width - 0.015, 0.62))
        colour = TEACHER if place == 1 else INK
        class_bars(axes, {None: (answer, colour)}, range(len(answer)), ylim=(0, highest))
        axes.tick_params(axis="x", labelsize=6)
        axes.set_title(name.replace("_", " "), fontsize=8)
        if place == 1:
            axes.set_ylabel("probability", fontsize=8)
            axes.tick_params(axis="y", labelsize=7)
        else:
            axes.set_yticks([])
    figure.text(0.58, 0.03, "class", fontsize=8, ha="center")
    return figure


SPREAD = np.sqrt(14 / 3)  # the standard deviation: the squared deviations from the mean 3 sum to 14
# The reader types the standard error of the mean of the differences 1, 2, 3 and 6.
check_standard_error_by_hand = Exercise(
    right=SPREAD / 2,
    mistakes=[
        (3.0, "that is the mean itself: its standard error is asked for."),
        (SPREAD, "that is the standard deviation of one difference: divide it by the square root of their number."),
        (14 / 3, "that is the variance of one difference."),
        (SPREAD / 4, "divide by the square root of the number of pairs, not by the number."),
        (np.sqrt(14 / 4) / 2, "divide the sum of squares by n - 1, not by n: the mean was estimated, too."),
    ],
    otherwise="standard deviation (with n - 1) over the square root of n.",
)


def _mean_and_error(a, b, ddof=1, root=0.5):
    differences = a - b
    return np.array([differences.mean(), differences.std(ddof=ddof) / len(a) ** root])


def _unpaired(a, b):
    return (a - b).mean(), np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / len(a))


# The reader writes function(a, b) -> (mean, standard error) of the paired differences a - b.
check_mean_and_error = Exercise(
    right=_mean_and_error,
    mistakes=[
        (lambda a, b: _mean_and_error(b, a), "the sign is turned: a - b."),
        (lambda a, b: _mean_and_error(a, b, root=0), "divide the standard deviation by the square root of n."),
        (lambda a, b: _mean_and_error(a, b, root=1), "divide by the square root of n, not by n."),
        (lambda a, b: _mean_and_error(a, b, ddof=0), "use n - 1 inside of the standard deviation (ddof=1)."),
        (_unpaired, "you treated the two lists as unpaired: subtract first, then take the deviation."),
    ],
    otherwise="the mean of a - b, and its standard error.",
    inputs=[
        (np.array([90.0, 85, 95, 80, 86]), np.array([88.0, 84, 90, 81, 82])),
        (np.array([3.0, 1, 4]), np.array([2.0, 7, 1])),
    ],
)
# The reader writes function(distilled, hard, teacher) -> the share of the gap that distillation recovers.
check_gap = Exercise(
    right=lambda d, h, t: (d - h) / (t - h),
    mistakes=[
        (lambda d, h, t: d - h, "that is the gain itself: divide it by the gap between teacher and hard labels."),
        (lambda d, h, t: (t - d) / (t - h), "that is the share that is still missing: 1 minus it is recovered."),
        (lambda d, h, t: (d - h) / t, "divide by the gap (teacher - hard), not by the teacher's accuracy."),
        (lambda d, h, t: (t - h) / (d - h), "the fraction is upside down."),
        (lambda d, h, t: abs(d - h) / (t - h), "a student may lose, too: then the share is below 0, so leave abs out."),
    ],
    otherwise="(distilled - hard) / (teacher - hard).",
    inputs=[(0.6, 0.5, 0.75), (0.81, 0.75, 0.95), (0.45, 0.5, 0.75)],
)
