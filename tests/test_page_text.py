"""Page "Does it work on text?": each model's answer to a word, in its colour."""

import html

import numpy as np
import pytest
from drawn import at, bars, ticks
from gallery import NAMES, SPELLERS

from distill_edu import Dataset, as_letters
from distill_edu.evidence import Experiment
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


def test_rows_beyond_the_few_labels_are_the_transfer_set():
    part = (np.arange(6).reshape(3, 2), np.arange(3))
    few = page.with_few_labels(Dataset("rows", part, part, part, ("a", "b", "c")), 2)
    assert few.train[0].tolist() == [[0, 1], [2, 3]] and few.train[1].tolist() == [0, 1]
    assert few.transfer.tolist() == [[4, 5]] and few.test[1].tolist() == [0, 1, 2]


def test_rows_are_left_out_of_training_and_transfer():
    part = (np.arange(6).reshape(3, 2), np.arange(3))
    few = page.with_few_labels(Dataset("rows", part, part, part, ("a", "b", "c")), 2)
    less = page.without_rows(few, np.array([True, False, False]))
    assert less.train[0].tolist() == [[2, 3]] and less.train[1].tolist() == [1] and less.transfer.tolist() == [[4, 5]]
    assert len(page.without_rows(few, np.array([False, False, True])).transfer) == 0


def test_how_sure_a_model_is():
    logits = np.log([[0.5, 0.25, 0.25], [0.7, 0.2, 0.1]])
    assert page.mean_largest_probability(lambda x: logits, as_letters(["a", "b"])) == pytest.approx(0.6)
    assert page.mean_largest_probability(lambda x: logits[:1], as_letters(["a"]), 0.5) == pytest.approx(0.25 / 0.375)


def test_the_names_of_a_thing_are_one_example_and_only_the_wanted_rows_count():
    right = np.zeros((2, 60), bool)
    right[0, [0, 1, 2, 20]] = right[1, 59] = True
    found = Experiment("accuracy", right={"a": right})
    assert page.by_thing(found).right["a"] == pytest.approx(np.array([[0.15, 0.05, 0], [0, 0, 0.05]]))
    rows = np.zeros(60, bool)
    rows[[0, 1, 3, 4, 59]] = True  # none of the second thing
    assert page.by_thing(found, rows).right["a"] == pytest.approx(np.array([[0.5, 0], [0, 1]]))


def test_each_student_is_a_dot_among_names_of_one_language_and_shared_names():
    rng, shared = np.random.default_rng(0), np.arange(40) % 3 == 0
    right = {arm: rng.random((4, 40)) < 0.5 for arm in ("first choice", "soft targets", "flat for shared")}
    words = np.where(shared, "Angola", [f"name {row}" for row in range(40)])
    figure = page.two_kinds_of_names(Experiment("accuracy", right=right), words, np.arange(40) % 7)
    for axes, rows, limit in zip(figure.axes, (~shared, shared), ("1.000", "0.143"), strict=True):
        assert f"(limit {limit})" in axes.get_title()
        names = [label.get_text() for label in axes.get_xticklabels()]
        assert names == ["first choice", "flat for shared", "soft targets"]
        for place, (name, line) in enumerate(zip(names, axes.lines, strict=True)):
            assert line.get_xdata().tolist() == [place] * 4
            assert line.get_ydata() == pytest.approx(right[name][:, rows].mean(axis=1))
