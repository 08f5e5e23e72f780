"""Page "When should the student ask the teacher?": accuracy of a cascade over its threshold, and the exercises."""

import numpy as np
import pandas

from distill_edu import compress
from distill_edu.metrics import calibration_error, threshold_curve
from distill_edu.pages.shared.exercise import CORRECT, Exercise, Verdict, not_yet, number, value
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    INK,
    NEUTRAL,
    STUDENT,
    TEACHER,
    Picture,
    legend,
    plain,
    two_axes,
    with_room,
)
from distill_edu.probabilities import soft_targets

THRESHOLDS = (0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1)


def row_at(curve, threshold):
    """Return the row of `Cascade.curve` that holds at the threshold: no confidence lies between the two.

    >>> import pandas
    >>> row_at(pandas.DataFrame({"threshold": [0, 0.5, 1], "accuracy": [0.8, 0.9, 1.0]}), 0.4).accuracy.item()
    0.9
    """
    return curve[curve.threshold >= threshold].iloc[0]


def knowing(student_right, teacher_right):
    """Return share asked and accuracy of a student that asks exactly where it is wrong.

    `student_right`, `teacher_right`: right or not, [examples].

    >>> knowing(np.array([True, True, False, False]), np.array([False, True, True, False]))
    (0.5, 0.75)
    """
    return float(np.mean(~student_right)), float(np.mean(student_right | teacher_right))


def microseconds(model, x):
    """Measure the median latency of a model's LiteRT file for the batch x, in microseconds. Weights do not matter."""
    return compress.latency(compress.export_litert(model), x)[0]


def cascade_explorer(curve, knowing, student, teacher, threshold=0.6):
    """Slide the threshold of a cascade: its accuracy, the share of questions for the teacher, the mean latency.

    `curve`: what `Cascade.curve` returns on test data; `knowing`: what the function `knowing` returns; `student` and
    `teacher`: each model alone, as (microseconds for one example, accuracy on test data).
    """
    half = (student[1] + teacher[1]) / 2

    def draw(figure, threshold):
        left, right = two_axes(figure)
        point = row_at(curve, threshold)
        latency = student[0] + point.teacher_share * teacher[0]
        for axes, shares, place in (
            (left, curve.teacher_share, point.teacher_share),
            (right, student[0] + curve.teacher_share * teacher[0], latency),
        ):
            axes.plot(shares, curve.accuracy, color=DISTILLED, label="the pair")
            axes.plot(place, point.accuracy, "o", markersize=7, color=DISTILLED)
            low, high = with_room([*curve.accuracy, teacher[1], knowing[1]], 0.08)
            axes.set_ylim(low - 0.4 * (high - low), high)  # room for the legend
            axes.locator_params(axis="y", nbins=4)
        best = [0, knowing[0], 1], [student[1], knowing[1], teacher[1]]
        left.plot(*best, "-.", color=INK, label="asking where it is wrong")
        left.plot([0, 1], [student[1], teacher[1]], ":", color=NEUTRAL, label="asking at random")
        left.axhline(half, linestyle="--", linewidth=1, color=NEUTRAL, label="half of the gain")
        left.set(xlabel="share of questions for the teacher", ylabel="accuracy", title=f"threshold {threshold:g} (dot)")
        right.plot(*student, "s", color=STUDENT, label="student alone")
        right.plot(*teacher, "D", color=TEACHER, label="teacher alone")
        right.axvline(teacher[0], linestyle=":", color=TEACHER, zorder=0, label="as slow as the teacher")
        right.set(xlabel="mean latency (µs)", ylabel="accuracy", title="what it costs", xlim=(0, None))
        legend(left, loc="lower right")
        legend(right, loc="lower center")
        return (
            f"Threshold {threshold:g}: the teacher gets {point.teacher_share:.3f} of the test questions. Accuracy "
            f"{point.accuracy:.4f}; student alone {student[1]:.4f}, teacher alone {teacher[1]:.4f}. "
            f"Mean latency {latency:.1f} µs; student {student[0]:.1f}, teacher {teacher[0]:.1f}."
        )

    slider = stop_slider("Threshold (confidence)", "threshold", THRESHOLDS, threshold)
    return Explorer(draw, {"threshold": slider})


def lead_picture(confidence, student_right, teacher_right):
    """Draw both models' accuracies on each tenth of the questions, the least sure first.

    `confidence`: the student's, [examples]; `student_right`, `teacher_right`: right or not, [examples].

    >>> lead_picture(np.linspace(0.1, 1, 20), np.ones(20), np.ones(20))
    <Picture size 504x201.6 with 1 Axes>
    """
    tenths = np.array_split(np.argsort(confidence, kind="stable"), 10)
    student, teacher = ([np.mean(right[rows]) for rows in tenths] for right in (student_right, teacher_right))
    figure, place = Picture(), range(1, 11)
    axes = figure.add_axes((0.1, 0.2, 0.87, 0.75))
    above = np.maximum(student, teacher)
    axes.fill_between(place, student, above, color=TEACHER, alpha=0.15, label="the teacher's lead")
    axes.plot(place, teacher, "D-", color=TEACHER, label="teacher")
    axes.plot(place, student, "s-", color=STUDENT, label="student")
    names = ["least sure", *map(str, range(2, 10)), "surest"]
    axes.set_xticks(place, names)
    axes.set(xlabel="tenth of the questions, by the student's confidence", ylabel="accuracy", ylim=(None, 1.02))
    legend(axes, loc="lower right")
    return figure


def confidence_table(logits, labels, threshold=0.9):
    """Compare confidences with accuracies: a table with one row for each group of students, means over the group.

    `logits`: name -> a list of students' logits [examples, classes]; `labels`: [examples].

    >>> confidence_table({"too sure": [np.array([[9.0, 0], [9, 0]])]}, np.array([0, 1])).round(2).values.tolist()
    [[0.5, 0.5, 0.0]]
    """
    rows = {}
    for name, group in logits.items():
        confidence = np.array([soft_targets(z).max(axis=1) for z in group])
        accuracy = np.mean([z.argmax(axis=1) == labels for z in group])
        ece = np.mean([calibration_error(labels, z) for z in group])
        rows[name] = ece, confidence.mean() - accuracy, (confidence < threshold).mean()
    columns = ["ECE", "confidence - accuracy", f"asks at {threshold:g}"]
    return pandas.DataFrame.from_dict(rows, orient="index", columns=columns)


def scaling_picture(logits, labels, teacher_right, threshold=0.9):
    """Draw a pair's accuracy over the share that the teacher gets, with a dot at the threshold.

    `logits`: name -> a student's logits [examples, classes], two names at most; `labels`, `teacher_right`: [examples].

    >>> scaling_picture({"unscaled": 3 * np.eye(2)}, np.array([0, 1]), np.array([True, False]))
    <Picture size 504x201.6 with 1 Axes>
    """
    figure = Picture()
    axes = figure.add_axes((0.1, 0.2, 0.87, 0.75))
    for (name, z), (colour, style, mark) in zip(logits.items(), ((NEUTRAL, "-", "s"), (INK, "--", "o")), strict=False):
        curve = threshold_curve(soft_targets(z).max(axis=1), z.argmax(axis=1) == labels, teacher_right)
        axes.plot(curve.teacher_share, curve.accuracy, style, color=colour, label=plain(name))
        point = row_at(curve, threshold)
        label = f"{plain(name)}, threshold {threshold:g}"
        axes.plot(point.teacher_share, point.accuracy, mark, markersize=9, color=colour, label=label)
    axes.set(xlabel="share of questions for the teacher", ylabel="accuracy of the pair")
    legend(axes, loc="lower right", title="the first student")
    return figure


def popular_questions(images, seed, power=1, questions=5000, batch=100):
    """Yield batches of image numbers; the k-th image of a random order is drawn with a probability as 1 / k**power.

    >>> [len(numbers) for numbers in popular_questions(30, seed=0, questions=200)]
    [100, 100]
    """
    random = np.random.RandomState(seed)
    often = 1.0 / np.arange(1, images + 1) ** power
    stream = random.choice(random.permutation(images), questions, p=often / often.sum())
    yield from np.split(stream, questions // batch)


# A student of 10 µs, a teacher of 90 µs: 10 + 90 r = 90.
check_slow_share_by_hand = Exercise(
    right=80 / 90,
    mistakes=[
        (1, "a pair that always asks takes longer than the teacher alone, by the student's time."),
        (1 / 9, "that is the share of questions that the student must keep."),
        (0.8, "divide by the teacher's time alone: only the teacher's time counts with a share."),
        (0.9, "divide by the teacher's time alone, and take the student's time off first."),
        (80, "that is a time: a share is wanted."),
        (800 / 9, "that is in percent: a share lies between 0 and 1."),
    ],
    otherwise="set the pair's mean latency equal to the teacher's time.",
)

# function(probabilities) -> largest minus second largest probability of each row
check_margin = Exercise(
    right=lambda p: np.sort(p, axis=1)[:, -1] - np.sort(p, axis=1)[:, -2],
    mistakes=[
        (lambda p: p.max(axis=1), "that is the largest probability: subtract the second largest."),
        (lambda p: p.max(axis=1) - p.min(axis=1), "subtract the second largest, not the smallest."),
        (lambda p: p[:, 0] - p[:, 1], "the classes are in a fixed order: sort each row first."),
        (lambda p: np.sort(p, axis=1)[:, -2] - p.max(axis=1), "the sign is turned: largest minus second."),
        (lambda p: np.sort(p, axis=1)[:, -2], "that is the second largest: subtract it from the largest."),
    ],
    otherwise="two numbers of each row count: the largest and the second largest.",
    inputs=[
        (np.array([[0.5, 0.3, 0.2], [0.1, 0.15, 0.75], [0.4, 0.4, 0.2]]),),
        (np.array([[0.1, 0.2, 0.05, 0.65], [0.3, 0.25, 0.4, 0.05]]),),
    ],
)


def check_threshold_for(function):
    """Judge function(confidence, share): a threshold below which `share` of the confidences lie. Many are right."""
    confidence = np.array([0.99, 0.35, 0.9, 0.6, 0.97, 0.8, 0.45, 0.95, 0.7, 0.85])
    for confidences, share in ((confidence, 0.3), (confidence[:5] / 2, 0.2)):
        answer, verdict = value(function, confidences, share)
        if verdict:
            return verdict
        threshold = number(answer)
        if threshold is None:
            return not_yet("return one number, the threshold.")
        asked = (confidences < threshold).mean()
        if abs(asked - (1 - share)) < 1e-9:
            return not_yet("the teacher gets the unsure ones: that is the lower end.")
        if abs(asked - share) > 1e-9:
            return not_yet(f"at this threshold the teacher gets {asked:.1f} of the questions, and {share} was wanted.")
    return Verdict(CORRECT)
