"""Page "Does it work on text?": each model's answer to a word, in its colour."""

import html

import numpy as np
import pytest
from drawn import at, bars, ticks
from gallery import NAMES, SPELLERS

from distill_edu import as_letters
from distill_edu.pages import text as page
from distill_edu.pages.shared import picture


@pytest.mark.parametrize("word, t", [("cat", 1), ("a longer word", 4), ("$x$", 2)])
def test_every_model_answers_this_word_at_t(word, t):
    widget = page.word_explorer(SPELLERS, NAMES, "first")
    figure, words = at(widget, word=word, temperature=t)
    assert f"'{word}' at T = {t}</text>" in html.unescape(widget.view.value)  # a $ is no formula
    (axes,) = figure.axes
    answers = []
    colours = (picture.TEACHER, picture.HARD, picture.DISTILLED)
    for (label, heights, colour), (name, model), expected in zip(bars(axes), SPELLERS.items(), colours, strict=True):
        z = np.array(model(as_letters([word]))[0]) / t
        p = np.exp(z) / np.exp(z).sum()
        assert (label, colour) == (name, expected.lower()) and heights == pytest.approx(p)
        answers.append(f"{name} {NAMES[p.argmax()]} {100 * p.max():.1f}%")
    assert ticks(axes) == list(NAMES) and axes.get_ylim() == (0, 1) and axes.get_title() == f"{word!r} at T = {t}"
    assert words == f"{word!r} at T = {t}: {'; '.join(answers)}."


def test_while_t_slides_the_models_are_not_asked_again():
    asked = []

    def model(letters):
        asked.append("".join(map(chr, letters[0])).strip(" \0"))
        return [[1, 2, -3]]

    widget = page.word_explorer({"a": model}, NAMES, "One")
    at(widget, temperature=4)
    assert asked == ["one"]
    at(widget, word="two")
    assert asked == ["one", "two"]
