"""Page "Distillation from scratch": the figure of its students, and an exercise."""

import pytest
from drawn import ticks
from matplotlib.colors import to_hex

from distill_edu.pages.from_scratch import check_total_loss, draw_distances
from distill_edu.pages.shared.picture import DISTILLED, HARD, NEUTRAL


def test_each_student_has_its_distance_its_accuracy_and_its_colour():
    found = {"$wrong": (0.1, 14.5), "labels alone": (0.9, 2.0), "sound": (0.8, 1.0)}  # labels come first in the figure
    figure = draw_distances(found, "labels alone", ["sound"])
    (axes,), (legend,) = figure.axes, figure.legends
    assert [bar.get_width() for bar in axes.patches] == [2.0, 1.0, 14.5]
    assert [to_hex(bar.get_facecolor()) for bar in axes.patches] == [c.lower() for c in (HARD, DISTILLED, NEUTRAL)]
    assert [text.get_text() for text in axes.texts] == ["accuracy 0.900", "accuracy 0.800", "accuracy 0.100"]
    assert ticks(axes, "y") == ["labels alone", "sound", r"\$wrong"]
    assert list(axes.lines[0].get_xdata()) == [2.0, 2.0] and axes.get_xlim() == pytest.approx((0, 1.3 * 14.5))
    told = {text.get_text() for text in legend.get_texts()}
    assert told == {"labels alone", "correct loss", "wrong program", "as far as labels alone"}


def test_a_mean_that_always_divides_by_two_is_not_right():
    verdict = check_total_loss(lambda *given: len(given[0]) * check_total_loss.right(*given) / 2)
    assert verdict.startswith("Not yet")
