"""Every slider at every stop, without a browser and as the web site carries it; an exception reaches the test."""

import gc
import itertools
import json
import re
import threading
import time
import weakref
import xml.dom.minidom

import frames
import ipywidgets
import numpy as np
import pytest
from drawn import at
from gallery import CARDS, GALLERY, LOGITS, NAMES
from matplotlib.transforms import Bbox

from distill_edu.pages import smaller_models, text, working
from distill_edu.pages.shared import explorer as explorers
from distill_edu.pages.shared.loss import loss_explorer
from distill_edu.pages.shared.pairs import pairs_explorer
from distill_edu.pages.soft_targets import temperature_explorer

T_STOPS = [0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20]
ALPHAS = [i / 20 for i in range(21)]
# What a reader can reach, written down here: a range that the slider lost could not fail a test that asks the slider.
STOPS = {
    "temperature": {"temperature": T_STOPS},
    "temperature of words": {"temperature": T_STOPS, "example": [0, 1]},
    "temperature of images": {"temperature": T_STOPS, "example": [0, 1]},
    "temperature of 20 classes": {"temperature": T_STOPS},
    "mistakes": {"draw": [1, 2, 3]},
    "loss": {"temperature": T_STOPS},
    "loss with alpha": {"temperature": T_STOPS, "alpha": ALPHAS},
    "sweep": {"size": [4, 16], "alpha": [0, 0.5], "temperature": [1, 2, 8], "test": [False, True]},
    "pairs": {"pairs": [1, 2, 3, 4], "first": [1, 2, 3, 4]},
    "trust": {"alpha": [0, 0.5]},
    "trade-off": {"kilobytes": [1, 2, 4, 8, 16, 32], "int8": [False, True]},
    "cascade": {"threshold": [0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1]},
    "bias": {"omitted": [0, 2], "bias": list(np.arange(-2, 8.25, 0.25))},
    "attention": {"example": [0, 1]},
    "copies": {"copies": [0, 300], "shown": [0, 1]},
    "levels": {"bits": [4, 2], "clip": [1, 0.5]},
    "noise": {"updates": [25, 50], "share": [0, 0.5]},
    "working": {"question": list(working.QUESTIONS), "written": list(range(9))},
    "lists": {"language": ["dog", "cat"], "count": [1, 4]},
    "names": {"language": ["Finnish", "Italian"], "letters": [1, 2, 4, 8, 20]},
    "peaks": {
        "apart": [4, 8, 12, 16, 20, 24],
        "share": [0.5, 0.7, 0.9],
        "beta": [0, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 1],
    },
    "pieces": {"name": ["one", "two"], "read": [0, 1, 2], "order": ["letter", "sorted"]},
    "word": {"word": ["cat", *text.WORDS], "temperature": T_STOPS},
    "learning": {"epoch": [0, 1], "temperature": T_STOPS},
}
# Where a slider stands at first, other than at its first stop and at T = 1.
START = {
    "loss with alpha": {"alpha": 0.1},
    "trade-off": {"kilobytes": 32},
    "cascade": {"threshold": 0.6},
    "bias": {"bias": 0},
    "names": {"letters": 20},
    "peaks": {"apart": 20, "share": 0.7, "beta": 0},
    "learning": {"temperature": 4},
}


@pytest.fixture(params=GALLERY)
def named(request):
    return request.param, GALLERY[request.param]()


def offered(control):
    if isinstance(control, ipywidgets.Combobox):
        return list(dict.fromkeys([control.value, *control.options]))
    if hasattr(control, "options"):
        return [value for _, value in control.options]
    return list(np.arange(control.min, control.max + control.step / 2, control.step))


def test_every_slider_offers_these_stops_and_has_a_label(named):
    name, widget = named
    assert list(widget.controls) == list(STOPS[name])
    for control, expected in STOPS[name].items():
        slider = widget.controls[control]
        assert slider.description.strip()
        stops = offered(slider)
        assert stops == (expected if isinstance(stops[0], str) else pytest.approx(expected)), control
    first = {control: 1 if control == "temperature" else stops[0] for control, stops in STOPS[name].items()}
    assert widget.values == first | START.get(name, {})
    assert repr(widget) == f"<sliders: {', '.join(widget.controls)}>"


def test_the_label_beside_a_slider_is_its_stop_and_cannot_be_typed_into(named):
    """The readout of ipywidgets can: it then shows what is not the slider's value."""
    name, widget = named
    for control, stops in STOPS[name].items():
        slider = widget.controls[control]
        if not hasattr(slider, "readout"):
            continue
        assert slider.readout is False
        for label, value in frames.stops(slider)[:: max(1, len(stops) - 1)]:
            slider.value = value
            assert widget.readouts[control].value == label


def in_data(axes, line):
    """The points of a line in data coordinates; of the ends of error bars none."""
    found = line.get_transform() == axes.transData and line.get_marker() not in ("|", "_")
    return np.asarray(line.get_data(), float) if found else ([], [])


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
            for x, y in [*(in_data(axes, line) for line in axes.lines), *(box.get_points().T for box in images)]:
                assert np.min(x, initial=left) >= left and np.max(x, initial=right) <= right
                assert np.min(y, initial=low) >= low and np.max(y, initial=high) <= high


@pytest.mark.nightly
def test_every_combination_of_stops_has_its_own_picture_and_caption_which_the_site_carries(named):
    name, widget = named
    fragment = frames.fragment(widget)
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', fragment, re.DOTALL)[1])
    combinations = list(itertools.product(*STOPS[name].values()))
    assert len(data["frames"]) == len(data["words"]) == len(combinations)
    # Backwards, where the frames were drawn forwards: what a stop left over would be in one of both pictures only.
    states = reversed(list(zip(combinations, data["frames"], data["words"], strict=True)))
    seen = set()
    for values, frame, words in states:
        _, caption = at(widget, **dict(zip(STOPS[name], values, strict=True)))
        svg = widget.view.value
        assert svg.startswith("<svg") and "nan" not in caption and caption == words
        assert frames.slim(svg) == "".join(data["lines"][line] for line in frame)
        seen.add((svg, caption))
    xml.dom.minidom.parseString(svg)
    assert len(seen) == len(combinations)


@pytest.mark.nightly
def test_a_still_picture_may_be_of_another_stop(named):
    name, widget = named
    first, last = ({control: stops[i] for control, stops in STOPS[name].items()} for i in (0, -1))
    at(widget, **last)
    still = widget.still(**first)
    assert still.svg() == still.svg() != widget.view.value
    at(widget, **first)
    assert still.svg() == widget.view.value  # a new figure, too, so nothing is left over from the stop before
    assert still._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "explorer",
    [
        lambda models: text.word_explorer(models, NAMES, "a"),
        lambda models: working.writing_explorer(models, "49633779"),
    ],
)
def test_no_model_and_four_models_are_refused(explorer):
    for count in (0, 4):
        with pytest.raises(ValueError, match=f"one, two or three models, not {count}"):
            explorer(dict.fromkeys("abcd"[:count]))


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: temperature_explorer(LOGITS[0], NAMES, temperature=7), "temperature must be one of the .* not 7"),
        (lambda: loss_explorer(LOGITS[0], [1.0, -1.0], 0, NAMES), "2 logits per example but 3 class names"),
        (lambda: loss_explorer(LOGITS[0], LOGITS[1], 3, NAMES), "from 0 to 2, not 3"),
        (lambda: loss_explorer(LOGITS[0], LOGITS[1], np.eye(3)[0], NAMES), "number of a class"),
        (lambda: pairs_explorer([0.5, 0.6], [0.5, 0.6, 0.7]), "a pair needs one number of each"),
        (lambda: pairs_explorer([0.5, np.nan], [0.5, 0.6]), "NaN"),
        (lambda: text.word_explorer({"a": lambda words: [[1, 2]]}, NAMES, "a"), "2 logits per example but 3 class"),
        (lambda: text.word_explorer({"a": lambda words: [[np.nan, 2]]}, NAMES, "a"), "logits of a contains NaN"),
        (lambda: smaller_models.tradeoff_explorer(CARDS.assign(technique=range(19))), "19 techniques: at most 6"),
    ],
)
def test_what_a_reader_may_give_wrongly_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


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
    models = set(ipywidgets.Widget.get_manager_state()["state"])
    widget = temperature_explorer(LOGITS.copy(), NAMES)
    held = [weakref.ref(part) for part in (widget, widget.figure, *widget.controls.values())]
    widget.close()
    del widget
    gc.collect()
    assert [part() for part in held] == [None] * len(held)
    assert set(ipywidgets.Widget.get_manager_state()["state"]) == models


def test_names_are_shown_as_they_are():
    """As letters that can be searched, no HTML, no formula, nothing hidden, and still XML."""
    names = ["<b>", "$\\frac$", "_mine", "cost_$a_$", "bell\x07"]
    widget = temperature_explorer([[1.0, 2.0, 0.5, 0.1, -1.0]], names, items=["$5 and $6"])
    xml.dom.minidom.parseString(widget.view.value)
    assert "&lt;b&gt;</text>" in widget.view.value and "<b>" not in widget.words.value + widget.view.value
    for name in ("$\\frac$", "_mine", "cost_$a_$", "$5 and $6"):
        assert name in widget.view.value
    assert "$\\frac$" in widget.words.value


def test_any_word_may_be_typed():
    widget = GALLERY["word"]()
    for word in ("", "a <b> & c", "Übergröße", "$x$", "_x", "tab\there"):
        _, caption = at(widget, word=word)
        xml.dom.minidom.parseString(widget.view.value)
        assert caption.startswith(f"{word!r} at T = 1: ")
