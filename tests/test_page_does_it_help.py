"""Page "Does it help?": an image beside its lessons, and the scores of each temperature."""

import numpy as np
import pytest
from drawn import bars, ticks

from distill_edu.evidence import Experiment
from distill_edu.pages import does_it_help as page
from distill_edu.pages.shared import picture


def test_an_image_stands_beside_the_bars_of_each_lesson():
    image, lessons = np.arange(12.0).reshape(3, 4, 1), {"soft targets": [0.7, 0.1, 0.2], "averaged_rest": [0.6, 0.4, 0]}
    shown, *panels = page.show_lessons(image, lessons).axes
    assert np.array_equal(shown.images[0].get_array(), image[..., 0])
    assert [panel.get_title() for panel in panels] == ["soft targets", "averaged rest"]
    colours = picture.TEACHER.lower(), picture.INK.lower()
    for panel, values, colour in zip(panels, lessons.values(), colours, strict=True):
        [(_, heights, drawn)] = bars(panel)
        assert list(heights) == values and drawn == colour and ticks(panel) == ["0", "1", "2"]
    assert len({panel.get_ylim() for panel in panels}) == 1, "bars of two panels cannot be compared"


def test_the_image_of_which_the_teacher_is_least_sure():
    answers = np.array([[0.5, 0.5], [0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    assert page.least_sure(answers, np.array([1, 0, 0, 0]), digit=0) == 3
    assert page.least_sure(answers, np.array([1, 0, 0, 0]), digit=1) == 0


def test_the_best_score_of_each_temperature_whatever_the_other_options():
    tried = {"soft": [({"temperature": t, "rate": r}, t / 20 - r) for r in (0.3, 0.1, 0.2) for t in (4, 1)]}
    tried["labels"] = [({"rate": 0.1}, 0.02), ({"rate": 0.3}, 0.07)]
    [axes] = page.draw_by_temperature(Experiment("accuracy", right={}, tried=tried)).axes
    soft, labels = axes.get_lines()
    assert soft.get_label() == "soft" and labels.get_label() == "labels"
    assert list(soft.get_xdata()) == list(labels.get_xdata()) == [1, 4]
    assert list(soft.get_ydata()) == pytest.approx([-0.05, 0.1]) and list(labels.get_ydata()) == [0.07, 0.07]
    assert soft.get_color() != labels.get_color()
