"""Page "Does it work on text?": each model's answer to a word, in its colour; its exercises."""

import html

import numpy as np
import pytest
from drawn import at, bars, ticks
from exercises import answers
from gallery import NAMES, SPELLERS

from distill_edu.pages import text as page
from distill_edu.pages.shared import picture

COLOURS = [colour.lower() for colour in (picture.TEACHER, picture.HARD, picture.DISTILLED)]


@pytest.mark.parametrize("word, t", [("cat", 1), ("a longer word", 4), ("$x$", 2)])
def test_every_model_answers_this_word_at_t(word, t):
    widget = page.word_explorer(SPELLERS, NAMES, "first")
    figure, words = at(widget, word=word, temperature=t)
    assert f"'{word}' at T = {t}</text>" in html.unescape(widget.view.value)  # a $ is no formula
    (axes,) = figure.axes
    said = []
    for (label, heights, colour), (name, model), expected in zip(bars(axes), SPELLERS.items(), COLOURS, strict=True):
        z = np.array(model([word])[0]) / t
        p = np.exp(z) / np.exp(z).sum()
        assert (label, colour) == (name, expected) and heights == pytest.approx(p)
        said.append(f"{name} {NAMES[p.argmax()]} {100 * p.max():.1f}%")
    assert ticks(axes) == list(NAMES) and axes.get_ylim() == (0, 1) and axes.get_title() == f"{word!r} at T = {t}"
    assert words == f"{word!r} at T = {t}: {'; '.join(said)}."


def test_while_t_slides_the_models_are_not_asked_again():
    asked = []

    def model(words):
        asked.extend(words)
        return [[1, 2, -3]]

    widget = page.word_explorer({"a": model}, NAMES, "one")
    at(widget, temperature=4)
    assert asked == ["one"]
    at(widget, word="two")
    assert asked == ["one", "two"]


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: page.word_explorer({}, NAMES, "a"), "one, two or three models, not 0"),
        (lambda: page.word_explorer({"a": lambda words: [[1, 2]]}, NAMES, "a"), "2 logits per example but 3 class"),
        (lambda: page.word_explorer({"a": lambda words: [[np.nan, 2]]}, NAMES, "a"), "logits of a contains NaN"),
    ],
)
def test_wrong_arguments_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def pairs(text):
    return [text[i : i + 2] for i in range(len(text) - 1)]


def most_frequent(words, labels):
    return sum(max(np.bincount([y for w, y in zip(words, labels, strict=True) if w == word])) for word in set(words))


def sure(words, labels):
    """The words that always have one label."""
    pairs = set(zip(words, labels, strict=True))
    return [word for word in set(words) if sum(word == one for one, _ in pairs) == 1]


test_exercises = answers(
    page,
    pairs_by_hand=(
        5,
        [
            (4, "letters"),
            (3, "spaces"),
            (6, "n - 1"),
            (15, "only neighbours"),
            (9, "places between"),
            (5.005, "places"),
        ],
    ),
    bigrams=(
        lambda word: pairs(f" {word.lower()} "),
        [
            (lambda word: pairs(word.lower()), "at both ends"),
            (lambda word: pairs(f" {word} "), "lower case"),
            (lambda word: pairs(f" {word.lower()}"), "last pair"),
            (lambda word: pairs(f"{word.lower()} "), "first pair"),
            (lambda word: pairs(f" {word.lower()} ")[::2], "overlap"),
            (lambda word: list(f" {word.lower()} "), "single letters"),
            (lambda word: [], "first pair of"),
            (lambda word: [" o", "os", "sl", "lo", "o "], "first pair of"),
            (lambda word: "os", "a list"),
            (lambda word: word + 1, "TypeError"),
        ],
    ),
    best_possible=(
        lambda words, labels: most_frequent(words, labels) / len(words),
        [
            (lambda words, labels: len(set(words)) / len(words), "distinct words"),
            (lambda words, labels: 1.0, "several labels"),
            (most_frequent, "divide"),
            (lambda words, labels: sum(words.count(w) for w in sure(words, labels)) / len(words), "without any doubt"),
            (lambda words, labels: max(labels.count(label) for label in labels) / len(labels), "for each word"),
            (lambda words, labels: 0, "most frequent label"),
            (lambda words, labels: 5 / 8, "most frequent label"),
        ],
    ),
)
