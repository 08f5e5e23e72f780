"""Page "Does it help?": one image with its lessons, what each temperature scores, and its exercises."""

import numpy as np

from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.picture import DISTILLED, HARD, INK, NEUTRAL, TEACHER, Picture, class_bars
from distill_edu.pages.shared.plots import curves


def show_lessons(image, lessons):
    """Draw an image and, beside it, the probabilities of each lesson. `lessons`: name -> [classes], the first in blue.

    >>> show_lessons(np.ones((8, 8, 1)), {"soft targets": [0.9, 0.1], "flat": [0.8, 0.2]}).axes[1].get_title()
    'soft targets'
    """
    figure, width = Picture(7, 1.9), 1 / (len(lessons) + 1)
    shown = figure.add_axes((0.0, 0.2, 0.17, 0.62))
    shown.imshow(image, cmap="gray_r")
    shown.set_axis_off()
    shown.set_title("image", fontsize=8)
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
    figure.text(0.58, 0.03, "digit", fontsize=8, ha="center")
    return figure


def least_sure(answers, labels, digit):
    """Return the number of the image of this digit whose answer [classes] has the smallest largest probability.

    >>> least_sure(np.array([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5]]), np.array([0, 0, 1]), digit=0)
    1
    """
    images = np.flatnonzero(labels == digit)
    return int(images[answers[images].max(axis=1).argmin()])


def draw_by_temperature(experiment):
    """Draw each arm's best validation score at each temperature that was tried; an arm without one is a straight line.

    >>> from distill_edu.evidence import Experiment
    >>> tried = {"soft": [({"temperature": 1}, 0.8), ({"temperature": 4}, 0.9)], "labels": [({"rate": 0.1}, 0.7)]}
    >>> draw_by_temperature(Experiment("accuracy", right={}, tried=tried)).axes[0].get_ylabel()
    'accuracy (validation)'
    """
    best = {}
    for arm, tried in experiment.tried.items():
        best[arm] = scores = {}
        for options, score in tried:
            temperature = options.get("temperature")
            scores[temperature] = max(score, scores.get(temperature, score))
    stops = sorted({stop for scores in best.values() for stop in scores} - {None})
    colours = {"labels": HARD, "soft targets": DISTILLED, "another image": NEUTRAL}
    lines = {
        arm: ([scores.get(stop, scores.get(None)) for stop in stops], colours.get(arm, INK))
        for arm, scores in best.items()
    }
    title = "students that choose; at each temperature the best rate"
    return curves(stops, lines, "temperature", "accuracy (validation)", title, logx=True)


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


# The reader types Holm's correction of the p-values 0.04, 0.01 and 0.03.
check_holm_by_hand = Exercise(
    right=np.array([0.06, 0.03, 0.06]),
    mistakes=[
        ([0.12, 0.03, 0.09], "only the smallest p is multiplied by 3, the next by 2, the largest by 1."),
        (
            [0.04, 0.03, 0.06],
            "no result may be smaller than the one before, in the order of the p: look at the largest p.",
        ),
        (
            [0.04, 0.04, 0.06],
            "never falling in the order of the p, from the smallest, not in the order of the list.",
        ),
        (
            [0.12, 0.02, 0.03],
            "the factors fall in the order of the p, from the smallest, not in the order of the list.",
        ),
        ([0.12, 0.01, 0.06], "the smallest p gets the largest factor, not the smallest one."),
        ([0.03, 0.06, 0.06], "you sorted them: answer in the order of the question."),
    ],
    otherwise="the smallest p times 3, the next times 2, the largest times 1, never falling; in the order asked.",
)
# The reader writes function(distilled, labels, teacher) -> the share of the gap that distillation closes.
check_gap = Exercise(
    right=lambda d, h, t: (d - h) / (t - h),
    mistakes=[
        (
            lambda d, h, t: d - h,
            "that is the gain itself: divide it by the gap between the teacher and the student of labels.",
        ),
        (lambda d, h, t: (t - d) / (t - h), "that is the share that is still open: 1 minus it is closed."),
        (lambda d, h, t: (d - h) / t, "divide by the gap (teacher - labels), not by the teacher's accuracy."),
        (lambda d, h, t: (t - h) / (d - h), "the fraction is upside down."),
        (lambda d, h, t: abs(d - h) / (t - h), "a student may lose, too: then the share is below 0, so leave abs out."),
    ],
    otherwise="(distilled - labels) / (teacher - labels).",
    inputs=[(0.6, 0.5, 0.75), (0.81, 0.75, 0.95), (0.45, 0.5, 0.75)],
)
