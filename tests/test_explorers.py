"""Every slider at every stop, without a browser: an exception in a callback reaches the test."""

import gc
import itertools
import threading
import time
import weakref
import xml.dom.minidom

import ipywidgets
import numpy as np
import pytest
from drawn import at
from gallery import GALLERY, LOGITS, NAMES
from matplotlib.transforms import Bbox

from distill_edu.pages.shared import explorer as explorers
from distill_edu.pages.soft_targets import temperature_explorer

T_STOPS = [0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20]
ALPHAS = [i / 20 for i in range(21)]
WORDS = ["", "a <b> & c", "Übergröße", "$x$", "_x", "tab\there"]
# What a reader can reach, written down here: a range that the slider lost could not fail a test that asks the slider.
STOPS = {
    "temperature": {"temperature": T_STOPS},
    "temperature of words": {"temperature": T_STOPS, "example": [0, 1]},
    "temperature of images": {"temperature": T_STOPS, "example": [0, 1]},
    "temperature of 20 classes": {"temperature": T_STOPS},
    "loss": {"temperature": T_STOPS},
    "loss with alpha": {"temperature": T_STOPS, "alpha": ALPHAS},
    "sweep": {"size": [4, 16], "alpha": [0, 0.5], "temperature": [1, 2, 8], "test": [False, True]},
    "pairs": {"pairs": [1, 2, 3, 4], "first": [1, 2, 3, 4]},
    "boundary": {"temperature": T_STOPS},
    "trade-off": {"kilobytes": [1, 2, 4, 8, 16, 32], "microseconds": [5, 6, 8, 12, 20, 35, 36]},
    "cascade": {"threshold": [0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1]},
    "bias": {"omitted": [0, 2], "bias": list(np.arange(-2, 8.25, 0.25))},
    "attention": {"example": [0, 1]},
    "copies": {"copies": [0, 300], "shown": [0, 1]},
    "black box": {"top": [1, 2, 3], "temperature": [1, 4]},
    "bits": {"bits": [4, 2], "lesson": ["all", "few"]},
    "noise": {"steps": [0, 25, 50], "share": [0, 0.5]},
    "working": {"question": ["49633779", "00000001"], "written": list(range(9))},
    "starts": {"count": [200, 1000]},
    "names": {"language": ["Finnish", "Italian"], "temperature": [0.5, 1]},
    "peaks": {"apart": [2, 4, 6, 8, 12, 16, 20, 24], "share": [0.5, 0.6, 0.7, 0.8, 0.9]},
    "colder": {"temperature": [0.5, 1]},
    "word": {"word": WORDS, "temperature": T_STOPS},
    "learning": {"epoch": [0, 1], "temperature": T_STOPS},
}

# Where a slider stands at first, other than at its first stop and at T = 1.
START = {
    "loss with alpha": {"alpha": 0.1},
    "trade-off": {"kilobytes": 32, "microseconds": 36},
    "cascade": {"threshold": 0.9},
    "bias": {"bias": 0},
    "peaks": {"share": 0.7},
    "word": {"word": "cat"},
    "learning": {"temperature": 4},
}


@pytest.fixture(params=GALLERY)
def named(request):
    return request.param, GALLERY[request.param]()


def offered(control):
    if hasattr(control, "options"):
        return [value for _, value in control.options]
    return list(np.arange(control.min, control.max + control.step / 2, control.step))


def test_every_slider_offers_these_stops_and_has_a_label(named):
    name, widget = named
    assert list(widget.controls) == list(STOPS[name])
    for control, expected in STOPS[name].items():
        slider = widget.controls[control]
        assert slider.description.strip()
        assert isinstance(slider, ipywidgets.Text) or offered(slider) == pytest.approx(expected), control
    first = {control: 1 if control == "temperature" else stops[0] for control, stops in STOPS[name].items()}
    assert {control: slider.value for control, slider in widget.controls.items()} == first | START.get(name, {})
    assert repr(widget) == f"<sliders: {', '.join(widget.controls)}>"


def in_data(axes):
    def points(line):
        ends = line.get_marker() in ("|", "_")  # of error bars
        found = line.get_transform() == axes.transData and not ends
        return np.asarray(line.get_data(), float) if found else ([], [])

    return points


def test_every_axes_lies_in_the_picture_beside_the_others_and_shows_all_that_is_drawn_in_it(named):
    name, widget = named
    for stop in (0, -1):
        figure, _ = at(widget, **{control: stops[stop] for control, stops in STOPS[name].items()})
        boxes = [axes.get_position() for axes in figure.axes]
        assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
        written, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert written.x0 >= 0 and written.y0 >= 0 and written.x1 <= width and written.y1 <= height  # letters, too
        for axes in figure.axes:
            images = [Bbox.from_extents(*np.reshape(image.get_extent(), (2, 2)).T.ravel()) for image in axes.images]
            assert not any(one.overlaps(other) for one, other in itertools.combinations(images, 2))
            heights = [patch.get_data().values[::2] for patch in axes.patches]
            assert not heights or np.min(heights) < 0 or axes.get_ylim()[0] == 0  # a bar is as long as its number
            (left, right), (low, high) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
            for x, y in [*map(in_data(axes), axes.lines), *(box.get_points().T for box in images)]:
                assert np.min(x, initial=left) >= left and np.max(x, initial=right) <= right
                assert np.min(y, initial=low) >= low and np.max(y, initial=high) <= high


@pytest.mark.slow
def test_every_combination_of_stops_draws_its_own_picture_and_sentence(named):
    name, widget = named
    seen = {}
    for values in itertools.product(*STOPS[name].values()):
        state = dict(zip(STOPS[name], values, strict=True))
        at(widget, **state)
        assert widget.view.value.startswith("<svg") and "nan" not in widget.words.value
        assert widget.view.value == widget.still().svg()  # nothing is left over from the stops before
        seen[values] = (widget.view.value, widget.words.value)
    xml.dom.minidom.parseString(widget.view.value)
    assert len(set(seen.values())) == len(seen)


@pytest.mark.slow
def test_a_still_picture_may_be_of_another_stop(named):
    name, widget = named
    first, last = ({control: stops[i] for control, stops in STOPS[name].items()} for i in (0, -1))
    at(widget, **last)
    still = widget.still(**first)
    assert still.svg() == still.svg() != widget.view.value
    at(widget, **first)
    assert still.svg() == widget.view.value
    assert still._repr_png_().startswith(b"\x89PNG")


def test_one_two_or_three_models_are_compared():
    for count in (1, 2, 3):
        explorers.require_up_to_three(range(count))
    for count in (0, 4):
        with pytest.raises(ValueError, match=f"one, two or three models, not {count}"):
            explorers.require_up_to_three(range(count))


def test_texts_stay_texts_in_a_picture():
    assert ">dog</text>" in GALLERY["temperature"]().view.value  # not drawn as paths: they can be searched and read out


def test_nothing_piles_up_and_two_widgets_are_independent():
    one, other = GALLERY["temperature"](), GALLERY["temperature"]()
    start = other.view.value
    for value in (*T_STOPS, 1):
        one.controls["temperature"].value = value
    assert one.view.value == start == other.view.value
    assert len(one.figure.axes) == 1


def test_two_threads_never_draw_into_one_figure():
    inside, most = [], []

    def draw(figure, x):
        inside.append(x)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return f"x is {x}"

    explorer = explorers.Explorer(draw, {"x": ipywidgets.IntSlider(0)})
    threads = [threading.Thread(target=explorer.update) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 5 and max(most) == 1


def test_a_closed_widget_lets_go_of_all_that_it_held_and_leaves_no_model_behind():
    logits = LOGITS.copy()
    from ipywidgets.widgets import widget as registry

    models = set(registry._instances)
    widget = temperature_explorer(logits, NAMES)
    held = [weakref.ref(one) for one in (widget, widget.figure, *widget.controls.values())]
    widget.close()
    del widget
    gc.collect()
    assert [one() for one in held] == [None] * len(held)
    assert set(registry._instances) == models


def test_names_are_shown_as_they_are():
    """No HTML, no formula, nothing hidden, and still XML: whatever classes, items and models are called."""
    names = ["<b>", "$\\frac$", "_mine", "cost_$a_$", "bell\x07"]
    widget = temperature_explorer([[1.0, 2.0, 0.5, 0.1, -1.0]], names, items=["$5 and $6"])
    xml.dom.minidom.parseString(widget.view.value)
    assert "&lt;b&gt;" in widget.view.value and "<b>" not in widget.words.value + widget.view.value
    for name in ("$\\frac$", "_mine", "cost_$a_$", "$5 and $6"):
        assert name in widget.view.value
    assert "$\\frac$" in widget.words.value
