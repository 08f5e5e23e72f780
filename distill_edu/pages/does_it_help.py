"""Page "Does it help?": its exercises."""

import numpy as np

from distill_edu.pages.shared.exercise import check_answer, check_function


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
