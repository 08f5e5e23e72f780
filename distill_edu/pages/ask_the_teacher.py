"""Page "When should the student ask the teacher?": accuracy of a cascade over its threshold, and the exercises."""

import numpy as np

from distill_edu.pages.shared.exercise import CORRECT, Exercise, Verdict, not_yet, number, value
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.picture import DISTILLED, NEUTRAL, STUDENT, TEACHER, legend, two_axes, with_room

THRESHOLDS = (0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1)


def cascade_explorer(valid, test, student, teacher, threshold=0.9):
    """Slide the threshold of a cascade: its accuracy, the share of questions for the teacher, the mean latency.

    `valid`, `test`: what `Cascade.curve` returns on validation and on test data; `student`, `teacher`: each model
    alone, as (microseconds for one example, accuracy on test data).
    """

    def draw(figure, threshold):
        left, right = two_axes(figure)
        for name, curve, colour, look in (
            ("validation", valid, NEUTRAL, {"markersize": 10, "fillstyle": "none"}),
            ("test", test, DISTILLED, {"markersize": 5}),
        ):
            point = curve[curve.threshold >= threshold].iloc[0]  # no confidence lies between `threshold` and this one
            left.plot(curve.teacher_share, curve.accuracy, color=colour, label=f"pair: {name}")
            left.plot(point.teacher_share, point.accuracy, "o", color=colour, **look)
        left.plot([0, 1], [student[1], teacher[1]], ":", color=NEUTRAL, label="asking at random: test")
        left.set(
            xlabel="share of questions for the teacher", ylabel="accuracy", title=f"threshold {threshold:g} (ring, dot)"
        )
        right.plot(student[0] + test.teacher_share * teacher[0], test.accuracy, color=DISTILLED, label="pair: test")
        latency = student[0] + point.teacher_share * teacher[0]  # `point` is that of the test data
        right.plot(latency, point.accuracy, "o", markersize=5, color=DISTILLED)
        right.plot(*student, "s", color=STUDENT, label="student alone")
        right.plot(*teacher, "D", color=TEACHER, label="teacher alone")
        right.axvline(teacher[0], linestyle=":", color=TEACHER, zorder=0, label="as slow as the teacher")
        right.set(xlabel="mean latency (µs)", ylabel="accuracy on test data", title="what it costs", xlim=(0, None))
        for axes in (left, right):
            axes.set_ylim(with_room(np.concatenate([valid.accuracy, test.accuracy, [teacher[1]]]), 0.08))
            legend(axes, loc="lower right" if axes is left else "lower center")
        return (
            f"Threshold {threshold:g}: the teacher gets {point.teacher_share:.3f} of the test questions. Accuracy "
            f"{point.accuracy:.4f}; student alone {student[1]:.4f}, teacher alone {teacher[1]:.4f}. "
            f"Mean latency {latency:.1f} µs; student {student[0]:.1f}, teacher {teacher[0]:.1f}."
        )

    slider = stop_slider("Threshold (confidence)", "threshold", THRESHOLDS, threshold)
    return Explorer(draw, {"threshold": slider})


# A student of 10 µs, a teacher of 90 µs that gets a quarter of the questions.
check_mean_latency_by_hand = Exercise(
    right=32.5,
    mistakes=[
        (30, "the student answers first, also where the teacher is asked afterwards."),
        (100, "that is a question that the teacher gets: three in four cost less."),
        (22.5, "the student's own time is missing."),
        (50, "the teacher gets a quarter of the questions, not half of them."),
    ],
    otherwise="the student's time, and a quarter of the teacher's.",
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
