"""Page "How much can you ask a teacher?": lines over copies, and the teacher's answers to them."""

import pytest
from drawn import at, bars, error_bars, half_width, lines, ticks
from gallery import COPIES, GALLERY, IMAGES, LOGITS, NAMES
from matplotlib.lines import Line2D

from distill_edu import metrics, soft_targets
from distill_edu.pages import ask_more as page
from distill_edu.pages.shared import picture
from distill_edu.pages.shared.plots import gain_in_words


@pytest.mark.parametrize("copies, shown", [(0, 0), (300, 1)])
def test_the_lines_the_copy_and_the_teachers_two_answers(copies, shown):
    figure, words = at(GALLERY["copies"](), copies=copies, shown=shown)
    left, original, middle, right = figure.axes
    drawn, expected = error_bars(left), []
    for of_copies in COPIES.values():
        for place, right_ones in enumerate(of_copies.values()):
            mean, reach = right_ones.mean(), half_width(right_ones.mean(axis=1))
            expected.append(((place, mean), (mean - reach, mean + reach)))
    for (centre, ends), (its_centre, its_ends) in zip(drawn, expected, strict=True):
        assert centre == pytest.approx(its_centre) and sorted(ends) == pytest.approx(its_ends, abs=1e-6)
    looks = [(line.colour, line.style) for line in lines(left) if len(line.x) == 2 and line.style in ("-", "--")][:3]
    green, orange = picture.DISTILLED.lower(), picture.HARD.lower()
    assert looks == [(green, "-"), (green, "--"), (orange, "-")]
    marks = [mark for mark in left.get_legend().findobj(Line2D) if mark.get_marker() in ("D", "o")]
    assert [mark.get_fillstyle() for mark in marks] == ["full", "none", "full"]  # dashes are too short to be seen there
    assert [text.get_text() for text in left.get_legend().get_texts()] == list(COPIES)
    assert ticks(left) == ["0", "300"] and [0, 300].index(copies) in [line.x[0] for line in lines(left, "None")]
    assert (original.images[0].get_array() == IMAGES[0, ..., 0]).all() and original.get_title() == "the image"
    assert (middle.images[0].get_array() == IMAGES[shown, ..., 0]).all() and middle.get_title() == "this copy"
    (copy, its, blue), (image, of_it, grey) = bars(right)
    assert (copy, blue, image, grey) == ("this copy", picture.TEACHER.lower(), "the image", picture.NEUTRAL.lower())
    assert its == pytest.approx(soft_targets(LOGITS, 4)[shown]) and of_it == pytest.approx(soft_targets(LOGITS, 4)[0])
    gain = metrics.paired_gain(*(COPIES[name][copies] for name in ("asked", "old answers")))
    means = ", ".join(f"{name} {COPIES[name][copies].mean():.3f}" for name in COPIES)
    assert words.startswith(f"{copies} copies: {means}. Asking, over the old answers: {gain_in_words(gain)}")
    assert words.endswith(
        ["The image itself: the teacher calls it cat", "Copy 1: the teacher calls it dog"][shown]
        + ", the image itself cat."
    )


def test_wrong_arguments_get_a_sentence():
    with pytest.raises(ValueError, match="class names"):
        page.copies_explorer(COPIES, IMAGES, LOGITS, NAMES[:2])
    with pytest.raises(ValueError, match="one of the slider's stops"):
        page.copies_explorer(COPIES, IMAGES, LOGITS, NAMES, copies=7)
