"""Page "When does distillation fail?": students above their teachers' accuracy, beside students without a teacher."""

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
        ("3,000", (0.9, students[0])),
        ("60", (0.5, students[1])),
    ]
    assert words == (
        f"α = {alpha}. The teacher of 60 images is right on 0.500 of the test images, its students on "
        f"{students[1]:.3f}, and students without a teacher on 0.750."
    )
