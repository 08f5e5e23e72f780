"""Page "Does it help?": an image beside its lessons."""

import numpy as np
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


def test_the_best_score_of_each_temperature_whatever_the_other_options():
    tried = [({"temperature": t, "rate": r}, t / 20 - r) for r in (0.3, 0.1, 0.2) for t in (4, 1)]
    line = page.best_by_temperature(Experiment("accuracy", right={}, tried={"soft": tried}), "soft")
    assert line == "T = 1: -0.050, T = 4: 0.100"
