"""Page "When should the student ask the teacher?": curves, where the threshold stands, latency; its exercises."""

import numpy as np
import pytest
from drawn import at, lines
from exercises import answers
from gallery import ALONE, CURVE, TEST_CURVE

from distill_edu.pages import ask_the_teacher as page
from distill_edu.pages.shared import picture


def now(curve, threshold):
    """The first row whose threshold is not below: as many confidences lie under it."""
    return curve.loc[next(i for i, value in enumerate(curve.threshold) if value >= threshold)]


@pytest.mark.parametrize("threshold", [0.6, 0.95, 0])
def test_the_threshold_is_marked_on_every_curve_and_said(threshold):
    figure, words = at(page.cascade_explorer(CURVE, TEST_CURVE, **ALONE), threshold=threshold)
    left, right = figure.axes
    for line, curve, label, colour in zip(
        lines(left, "None"),
        (CURVE, TEST_CURVE),
        ("validation", "test"),
        (picture.NEUTRAL, picture.DISTILLED),
        strict=True,
    ):
        assert np.allclose(line.x, curve.teacher_share) and np.allclose(line.y, curve.accuracy)
        assert (line.label, line.colour) == (label, colour.lower())
    marks = lines(left, "o")
    assert [(*m.x, *m.y) for m in marks] == [
        tuple(now(curve, threshold)[["teacher_share", "accuracy"]]) for curve in (CURVE, TEST_CURVE)
    ]
    (curve,), (mark,) = lines(right, "None"), lines(right, "o")
    share, accuracy = now(TEST_CURVE, threshold)[["teacher_share", "accuracy"]]
    assert np.allclose(curve.x, 10 + 80 * TEST_CURVE.teacher_share) and np.allclose(curve.y, TEST_CURVE.accuracy)
    assert (*mark.x, *mark.y) == pytest.approx((10 + 80 * share, accuracy))
    (student,), (teacher,) = lines(right, "s"), lines(right, "D")
    assert (*student.x, *student.y, student.colour, student.label) == (10, 0.78, picture.HARD.lower(), "student alone")
    assert (*teacher.x, *teacher.y, teacher.colour, teacher.label) == (
        80,
        0.89,
        picture.TEACHER.lower(),
        "teacher alone",
    )
    assert right.get_xlabel() == "mean latency (µs)" and left.get_xlabel() == "share of questions asked"
    assert words == (
        f"Threshold {threshold:g}: the teacher gets {100 * share:.1f}% of the test questions. Accuracy {accuracy:.4f}; "
        "student alone 0.7800, teacher alone 0.8900. "
        f"Mean latency {10 + 80 * share:.1f} µs; student 10.0, teacher 80.0."
    )


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: page.cascade_explorer(CURVE, CURVE[["accuracy"]], **ALONE), "need the columns threshold"),
        (lambda: page.cascade_explorer(CURVE, CURVE, (1, 0.5), (0, 0.5)), "teacher is .microseconds, accuracy."),
        (lambda: page.cascade_explorer(CURVE, CURVE, 0.5, (1, 0.5)), "student is .microseconds, accuracy."),
        (lambda: page.cascade_explorer(CURVE, CURVE, **ALONE, threshold=0.33), "one of the slider's stops"),
    ],
)
def test_wrong_arguments_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


test_exercises = answers(
    page,
    mean_latency_by_hand=(
        32.5,
        [
            (30, "student answers first"),
            (100, "three in four"),
            (22.5, "student's own"),
            (50, "not half"),
            (1, "a quarter of the teacher's"),
        ],
    ),
    margin=(
        lambda p: np.sort(p)[:, -1] - np.sort(p)[:, -2],
        [
            (lambda p: p.max(1), "subtract the second largest."),
            (lambda p: p.max(1) - p.min(1), "not the smallest"),
            (lambda p: p[:, 0] - p[:, 1], "sort each row"),
            (lambda p: np.sort(p)[:, -2] - p.max(1), "sign"),
            (lambda p: np.sort(p)[:, -2], "that is the second"),
            (lambda p: np.zeros(len(p)), "column"),
        ],
    ),
    threshold_for=(
        lambda confidence, share: np.sort(confidence)[round(share * len(confidence))],
        [
            (lambda confidence, share: np.quantile(confidence, 1 - share), "lower end"),
            (lambda confidence, share: share, "gets 0.0 of"),
            (lambda confidence, share: confidence, "one number"),
            (lambda confidence, share: "0.65", "one number"),
            (lambda confidence, share: 0.65, "gets 1.0 of"),
            (lambda confidence, share: "x" + 1, "TypeError"),
        ],
    ),
)
