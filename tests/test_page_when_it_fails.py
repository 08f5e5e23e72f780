"""Page "When does distillation fail?": students above their teachers' accuracy, copied mistakes, exercise 3."""

import numpy as np
import pytest
from drawn import at, lines
from gallery import TEACHERS, TRUST

from distill_edu.pages import when_it_fails as page
from distill_edu.pages.shared.picture import DISTILLED, HARD


@pytest.mark.parametrize(("alpha", "students"), [(0, [0.875, 0.375]), (0.5, [0.875, 0.625])])
def test_each_student_stands_above_its_teacher_and_the_line_is_that_of_the_labels(alpha, students):
    figure, words = at(page.trust_explorer(TEACHERS, TRUST), alpha=alpha)
    (axes,) = figure.axes
    (drawn,) = lines(axes, "D")
    assert drawn.x.tolist() == [0.9, 0.5] and drawn.y.tolist() == students and drawn.colour == DISTILLED.lower()
    equal, alone = lines(axes, "None")
    assert (equal.x == equal.y).all() and equal.x.min() < 0.375 and equal.x.max() > 0.9
    assert set(alone.y) == {0.75} and alone.colour == HARD.lower()
    assert [(text.get_text(), text.xy) for text in axes.texts] == [
        ("3,000 images", (0.9, students[0])),
        ("60 images", (0.5, students[1])),
    ]
    (harm,) = axes.collections
    drops = [sorted(line[:, 1]) for line in harm.get_segments()]
    assert np.allclose(drops, [sorted((students[0], 0.75)), sorted((students[1], 0.75))])
    assert words == (
        f"α = {alpha}. The teacher of 60 images is right on 0.500 of the test images, its students on "
        f"{students[1]:.3f}, and students without a teacher on 0.750."
    )


def test_the_bars_of_the_mistakes_end_at_1_and_small_parts_have_no_number():
    (axes,) = page.mistakes_picture({"labels": (0.9, 0.06), "bad teacher": (0.5, 0.3)}).axes
    parts = [[(bar.get_x(), bar.get_width()) for bar in group] for group in axes.containers]
    assert np.allclose(parts, [[(0, 0.9), (0, 0.5)], [(0.9, 0.06), (0.5, 0.3)], [(0.96, 0.04), (0.8, 0.2)]])
    assert [text.get_text() for text in axes.texts] == ["0.90", "0.50", "0.06", "0.30", "", "0.20"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["labels", "bad teacher"]


def test_an_exchange_keeps_what_the_label_has_unless_the_label_takes_part():
    p = np.array([[0.2, 0.7, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    labels = np.array([0, 0, 0])
    assert page.exchanged(p, labels).tolist() == [[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.6, 0.3, 0.1]]
    assert page.exchanged(p, np.array([2, 1, 0])).tolist() == [[0.2, 0.1, 0.7], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]]
    assert p[0].tolist() == [0.2, 0.7, 0.1]  # the teacher's own answers stay


def test_copied_mistakes_are_counted_among_the_examples_that_the_teacher_gets_wrong():
    teacher, labels = np.array([1, 1, 0, 2]), np.array([0, 0, 0, 0])
    students = np.array([[1, 0, 0, 2], [1, 2, 1, 2]])
    assert page.right_and_copied(students, teacher, labels) == (1 / 6, 4 / 6)


@pytest.mark.parametrize(("classes", "verdict"), [(None, "Correct!"), (3, "Not yet: "), (10, "Not yet: ")])
def test_an_answer_to_exercise_3_must_not_know_the_number_of_classes(classes, verdict):
    def trusted(p, labels, random):
        right = (p.argmax(axis=1) == labels)[:, None]
        return np.where(right, p, np.eye(classes or p.shape[1])[labels])

    assert page.check_trusted(trusted).startswith(verdict)
