"""Page "Can a small model learn to write?": the data as letters, and the names that models write."""

import keras
import numpy as np
import pytest
from drawn import at, bars, numbers, ticks
from gallery import GALLERY, REAL, WRITTEN
from matplotlib.colors import to_hex

from distill_edu import load_dataset
from distill_edu.pages import write as page
from distill_edu.pages.shared import picture

COLOURS = [colour.lower() for colour in (picture.TEACHER, picture.HARD, picture.DISTILLED)]


@pytest.mark.parametrize("language", ["Finnish", "Italian"])
@pytest.mark.parametrize("temperature", [0.5, 1])
def test_real_names_of_the_language_are_grey_and_counted(language, temperature):
    figure, words = at(GALLERY["names"](), language=language, temperature=temperature)
    left, right = figure.axes
    assert left.get_title() == f"{language}, at temperature {temperature:g} (grey: a name of the data)"
    assert ticks(right) == list(WRITTEN)
    shown, expected, groups, counts = list(left.texts), [], [], []
    for column, (model, by_temperature) in enumerate(WRITTEN.items()):
        names = by_temperature[temperature][language]
        expected.append((column / 3, 0, model, COLOURS[column]))
        for row, name in enumerate(names[:8], 1):
            colour = picture.NEUTRAL.lower() if name in REAL[language] else COLOURS[column]
            expected.append((column / 3, row, picture.plain(name), colour))
        share = sum(name in REAL[language] for name in names) / len(names)
        groups.append((model, [pytest.approx(share)], COLOURS[column]))
        counts += [pytest.approx(100 * share, abs=0.06), len(names)]
    assert [(*text.get_position(), text.get_text(), to_hex(text.get_color())) for text in shown] == expected
    assert [(label, list(heights), colour) for label, heights, colour in bars(right)] == groups
    assert numbers(words) == [temperature, *counts] and words.startswith(language)


def test_a_name_becomes_its_tag_its_letters_and_its_end():
    names, vocabulary = page.names_as_letters(tested=7)
    assert [len(x) for x, _ in (names.train, names.valid, names.test)] == [11614, 1989, 7]
    words = load_dataset("languages")
    first, label = next(pair for pair in zip(*words.train, strict=True) if len(pair[0]) < 20)
    x, labels = names.train
    assert vocabulary.decode(x[:1, :1]) == [words.class_names[label]]
    assert vocabulary.decode(labels[:1]) == [first.lower()]
    counts = labels != -1
    ends = counts & ~np.pad(counts[:, 1:], [(0, 0), (0, 1)])
    wrong = ((labels == 1) != ends).any(axis=1)  # the end of a name counts, and nothing after it
    assert wrong.sum() == 1 and len(vocabulary.decode(labels[wrong])[0]) == 20  # a small İ has two letters
    assert len(names.class_names) == len(vocabulary) and names.class_names[x[0, 0]] == words.class_names[label]


def test_real_names_are_those_of_their_language_in_every_part():
    real, words = page.real_names(), load_dataset("languages")
    for x, labels in (words.train, words.valid, words.test):
        some = list(zip(x[:50], labels[:50], strict=True))
        assert all((word.lower() in real[words.class_names[k]]) == (len(word) < 20) for word, k in some)
    assert "saksa" in real["Finnish"] and "saksa" not in real["German"]


def test_each_language_writes_after_its_own_tag():
    _, vocabulary = page.names_as_letters()
    letter = vocabulary.numbers["a"]

    def after_the_tag(x):  # Finnish writes "a", all others end at once
        finnish = keras.ops.cast(x == vocabulary.numbers["Finnish"], "int32")
        return 99.0 * keras.ops.one_hot(finnish * letter + (1 - finnish), len(vocabulary))

    written = page.write_names(
        keras.Sequential([keras.Input((None,)), keras.layers.Lambda(after_the_tag)]), vocabulary, 2
    )
    assert list(written) == [0.25, 0.5, 0.75, 1, 1.5]
    assert written[1]["Finnish"] == ["a", "a"] and written[0.5]["German"] == ["", ""]
