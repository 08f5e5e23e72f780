"""Page "What does the teacher know?": the bars, the item and the sentence are those of the logits."""

import numpy as np
import pytest
from drawn import at, bars, ticks
from gallery import IMAGES, LOGITS, NAMES

from distill_edu.pages import soft_targets as page
from distill_edu.pages.shared.picture import TEACHER


@pytest.mark.parametrize("t, example", [(1, 0), (4, 1)])
def test_the_bars_and_the_sentence_are_those_of_the_example_at_t(t, example):
    figure, words = at(page.temperature_explorer(LOGITS, NAMES, items=IMAGES), temperature=t, example=example)
    side, axes = figure.axes
    p = np.exp(LOGITS[example] / t) / np.exp(LOGITS[example] / t).sum()
    ((_, heights, colour),) = bars(axes)
    assert heights == pytest.approx(p) and colour == TEACHER.lower() and ticks(axes) == list(NAMES)
    assert axes.get_ylim() == (0, 1) and axes.get_title() == f"soft targets at T = {t}"
    (image,) = side.images
    assert (image.get_array() == IMAGES[example, ..., 0]).all()
    assert image.get_clim() == (0, 1) and image.get_cmap().name == "gray_r"
    first, second = np.argsort(p)[::-1][:2]
    nats = -(p * np.log(p)).sum()
    assert words == (
        f"At T = {t} the teacher gives {NAMES[first]} {100 * p[first]:.1f}% and {NAMES[second]} "
        f"{100 * p[second]:.1f}%. Entropy {nats:.2f} nats: as unsure as a fair choice among {np.exp(nats):.1f} classes."
    )


def test_a_word_and_its_title_stand_beside_its_own_bars():
    figure, _ = at(page.temperature_explorer(LOGITS, NAMES, ["Katze", "Hund"], ["label: cat", "_dog"]), example=1)
    assert [text.get_text() for text in figure.axes[0].texts] == ["Hund"]
    assert figure.axes[0].get_title().endswith("_dog")


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"logits": [[np.nan, 1, 2]]}, "contains NaN"),
        ({"logits": [[0.3, 0.7, 0]]}, "looks like probabilities"),
        ({"class_names": "ab"}, "3 logits per example but 2 class names"),
        ({"items": ["a"]}, "one item per row"),
        ({"temperature": 7}, "one of the slider's stops"),
    ],
)
def test_wrong_arguments_get_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        page.temperature_explorer(**({"logits": LOGITS, "class_names": NAMES} | arguments))
