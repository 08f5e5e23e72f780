"""Page "When should the student ask the teacher?": curves, the point at the threshold, latency; an exercise."""

import numpy as np
import pytest
from drawn import at, lines
from gallery import ALONE, CASCADE

from distill_edu.pages import ask_the_teacher as page
from distill_edu.pages.shared import picture


@pytest.mark.parametrize("threshold", [0.6, 0.95, 0])
def test_the_threshold_is_marked_on_both_curves_and_in_the_caption(threshold):
    figure, words = at(page.cascade_explorer(CASCADE, (0.22, 0.94), **ALONE), threshold=threshold)
    left, right = figure.axes
    pair, knowing, at_random, half = lines(left, "None")
    assert np.allclose([knowing.x, knowing.y], [[0, 0.22, 1], [0.78, 0.94, 0.89]]) and "is wrong" in knowing.label
    assert np.allclose(pair.x, CASCADE.teacher_share) and np.allclose(pair.y, CASCADE.accuracy)
    assert (pair.label, pair.colour) == ("the pair", picture.DISTILLED.lower())
    assert np.allclose([at_random.x, at_random.y], [[0, 1], [0.78, 0.89]]) and "random" in at_random.label
    assert np.allclose(half.y, 0.835) and half.label == "half of the gain"
    share, accuracy = {0: (0, 0.78), 0.6: (0.8, 0.91), 0.95: (1, 0.89)}[threshold]  # the first row not below it
    (mark,) = lines(left, "o")
    assert (*mark.x, *mark.y) == (share, accuracy)
    (curve, limit), (mark,) = lines(right, "None"), lines(right, "o")
    assert list(limit.x) == [80, 80], "right of it the pair is slower than the teacher"
    assert np.allclose(curve.x, 10 + 80 * CASCADE.teacher_share) and np.allclose(curve.y, CASCADE.accuracy)
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


def test_the_tenths_begin_with_the_least_sure_questions():
    confidence = np.linspace(1, 0.1, 20)  # the surest first
    right = np.arange(20) < 10
    (axes,) = page.lead_picture(confidence, right, np.ones(20)).axes
    (student,), (teacher,) = lines(axes, "s"), lines(axes, "D")
    assert student.y.tolist() == [0] * 5 + [1] * 5 and teacher.y.tolist() == [1] * 10
    assert (student.colour, teacher.colour) == (picture.STUDENT.lower(), picture.TEACHER.lower())


def test_scaling_moves_the_mark_of_a_threshold_along_the_curve():
    logits = np.array([[4.0, 0.0], [3.0, 0.0], [0.5, 0.0], [0.0, 1.0]])
    labels, teacher_right = np.array([0, 0, 1, 1]), np.array([True, True, True, False])
    (axes,) = page.scaling_picture({"unscaled": logits, "scaled": logits / 2}, labels, teacher_right).axes
    curve, scaled_curve = lines(axes, "None")
    assert np.allclose(curve.y, [0.75, 0.75, 1, 0.75, 0.75, 0.75]) and np.allclose(curve.y, scaled_curve.y)
    assert np.allclose(curve.x, [0, 0, 0.25, 0.5, 0.75, 1]) and np.allclose(curve.x, scaled_curve.x)
    (mark,), (scaled_mark,) = lines(axes, "s"), lines(axes, "o")
    assert (mark.x.item(), scaled_mark.x.item()) == (0.5, 1)  # two confidences are above 0.9, then none
    assert mark.label == "unscaled, threshold 0.9"


def test_a_student_that_knows_its_mistakes_asks_there_and_keeps_what_it_knows_better():
    student, teacher = np.array([1, 1, 0, 0, 0], bool), np.array([0, 1, 1, 1, 0], bool)
    assert page.knowing(student, teacher) == (0.6, 0.8)


def test_the_table_tells_too_sure_from_not_sure_enough():
    right, wrong = np.array([[4.0, 0.0]]), np.array([[0.0, 4.0]])
    table = page.confidence_table({"sure": [right, wrong], "unsure": [right / 40]}, np.array([0]))
    sure = 1 / (1 + np.exp(-4))
    unsure = 1 / (1 + np.exp(-0.1))
    assert np.allclose(table.values, [[0.5, sure - 0.5, 0], [1 - unsure, unsure - 1, 1]])


def test_without_popularity_every_image_is_asked_as_often():
    counts = np.bincount(np.concatenate(list(page.popular_questions(50, 0, power=0))), minlength=50)
    assert counts.min() > 60 and counts.max() < 140


def test_the_first_image_of_the_list_is_asked_most_often_and_every_seed_has_its_own_list():
    streams = [np.concatenate(list(page.popular_questions(50, seed))) for seed in (0, 0, 1)]
    assert (streams[0] == streams[1]).all() and len(streams[0]) == 5000
    counts = [np.bincount(stream, minlength=50) for stream in streams]
    assert counts[0].argmax() != counts[2].argmax()
    assert counts[0].max() / 5000 == pytest.approx(1 / sum(1 / np.arange(1, 51)), abs=0.03)


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
