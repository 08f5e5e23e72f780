"""Page "When should the student ask the teacher?": curves, the point at the threshold, latency; an exercise."""

import numpy as np
import pytest
from drawn import at, lines
from gallery import ALONE, CURVE, TEST_CURVE

from distill_edu.pages import ask_the_teacher as page
from distill_edu.pages.shared import picture


def row(curve, threshold):
    """(share, accuracy) of the first row whose threshold is not below: as many confidences lie under it."""
    number = next(i for i, value in enumerate(curve.threshold) if value >= threshold)
    return tuple(curve.loc[number, ["teacher_share", "accuracy"]])


@pytest.mark.parametrize("threshold", [0.6, 0.95, 0])
def test_the_threshold_is_marked_on_every_curve_and_in_the_caption(threshold):
    figure, words = at(page.cascade_explorer(CURVE, TEST_CURVE, **ALONE), threshold=threshold)
    left, right = figure.axes
    validation, test, at_random = lines(left, "None")
    assert np.allclose([at_random.x, at_random.y], [[0, 1], [0.78, 0.89]]) and "random" in at_random.label
    for line, curve in ((validation, CURVE), (test, TEST_CURVE)):
        assert np.allclose(line.x, curve.teacher_share) and np.allclose(line.y, curve.accuracy)
    assert (validation.label, validation.colour) == ("pair: validation", picture.NEUTRAL.lower())
    assert (test.label, test.colour) == ("pair: test", picture.DISTILLED.lower())
    marks = [(*mark.x, *mark.y) for mark in lines(left, "o")]
    assert marks == [row(CURVE, threshold), row(TEST_CURVE, threshold)]
    (curve, limit), (mark,) = lines(right, "None"), lines(right, "o")
    assert list(limit.x) == [80, 80], "right of it the pair is slower than the teacher"
    share, accuracy = row(TEST_CURVE, threshold)
    assert np.allclose(curve.x, 10 + 80 * TEST_CURVE.teacher_share) and np.allclose(curve.y, TEST_CURVE.accuracy)
    assert (*mark.x, *mark.y) == pytest.approx((10 + 80 * share, accuracy))
    alone = [(*each.x, *each.y, each.colour, each.label) for each in (*lines(right, "s"), *lines(right, "D"))]
    student = (10, 0.78, picture.STUDENT.lower(), "student alone")
    assert alone == [student, (80, 0.89, picture.TEACHER.lower(), "teacher alone")]
    assert right.get_xlabel() == "mean latency (µs)" and left.get_xlabel() == "share of questions for the teacher"
    assert words == (
        f"Threshold {threshold:g}: the teacher gets {share:.3f} of the test questions. Accuracy {accuracy:.4f}; "
        "student alone 0.7800, teacher alone 0.8900. "
        f"Mean latency {10 + 80 * share:.1f} µs; student 10.0, teacher 80.0."
    )


@pytest.mark.parametrize(
    "answer, verdict",
    [
        (lambda confidence, share: np.sort(confidence)[round(share * len(confidence))], "Correct!"),
        (lambda confidence, share: np.quantile(confidence, 1 - share), "lower end"),
        (lambda confidence, share: share, "gets 0.0 of the questions, and 0.3 was wanted"),
        (lambda confidence, share: 0.65, "gets 1.0 of the questions, and 0.2"),  # right for the first confidences
        (lambda confidence, share: np.sort(confidence)[3], "gets 0.6 of the questions, and 0.2"),  # ignores the share
        (lambda confidence, share: confidence, "one number"),
        (lambda confidence, share: "0.65", "one number"),
        (lambda confidence, share: "x" + 1, "TypeError"),
        (lambda confidence, share: None, "Not attempted"),
        (..., "Not attempted"),
    ],
)
def test_a_threshold_is_judged_by_the_share_below_it(answer, verdict):
    assert verdict in page.check_threshold_for(answer)
