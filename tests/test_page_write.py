"""Page "Can a small model learn to write?": the names, and which of them stand in the training data."""

import pytest
from drawn import at, bars, numbers
from gallery import GALLERY, KNOWN, WRITTEN
from matplotlib.colors import to_hex

from distill_edu.pages.shared import picture

COLOURS = [colour.lower() for colour in (picture.TEACHER, picture.HARD, picture.DISTILLED)]


@pytest.mark.parametrize("language", ["Finnish", "Italian"])
@pytest.mark.parametrize("temperature", [0.5, 1])
def test_names_of_the_training_data_are_grey_and_counted(language, temperature):
    figure, words = at(GALLERY["names"](), language=language, temperature=temperature)
    left, right = figure.axes
    assert left.get_title() == f"{language}, at temperature {temperature:g}"
    shown, expected, groups, counts = list(left.texts), [], [], []
    for column, (model, by_temperature) in enumerate(WRITTEN.items()):
        names = by_temperature[temperature][language]
        expected.append((column / 3, 0, model, COLOURS[column]))
        for row, name in enumerate(names[:8], 1):
            colour = picture.NEUTRAL.lower() if name in KNOWN else COLOURS[column]
            expected.append((column / 3, row, picture.plain(name), colour))
        share = sum(name in KNOWN for name in names) / len(names)
        groups.append((model, [pytest.approx(share)], COLOURS[column]))
        counts += [pytest.approx(100 * share, abs=0.06), len(names)]
    assert [(*text.get_position(), text.get_text(), to_hex(text.get_color())) for text in shown] == expected
    assert [(label, list(heights), colour) for label, heights, colour in bars(right)] == groups
    assert numbers(words) == [temperature, *counts] and words.startswith(language)
