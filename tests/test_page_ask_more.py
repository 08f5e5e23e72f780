"""Page "How much can you ask a teacher?": lines over copies, and a black box's answer."""

import numpy as np
import pytest
from drawn import at, bars, error_bars, half_width, lines, numbers, ticks
from gallery import BOXES, COPIES, GALLERY, IMAGES, LOGITS, NAMES
from matplotlib.lines import Line2D

from distill_edu import metrics, soft_targets
from distill_edu.pages import ask_more as page
from distill_edu.pages.shared import picture
from distill_edu.pages.shared.plots import gain_in_words


@pytest.mark.parametrize("copies, shown", [(0, 0), (300, 1)])
def test_the_lines_the_copy_and_the_teachers_two_answers(copies, shown):
    figure, words = at(GALLERY["copies"](), copies=copies, shown=shown)
    left, middle, right = figure.axes
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
    assert (middle.images[0].get_array() == IMAGES[shown, ..., 0]).all()
    (copy, its, blue), (image, of_it, grey) = bars(right)
    assert (copy, blue, image, grey) == ("this copy", picture.TEACHER.lower(), "the image", picture.NEUTRAL.lower())
    assert its == pytest.approx(soft_targets(LOGITS, 4)[shown]) and of_it == pytest.approx(soft_targets(LOGITS, 4)[0])
    gain = metrics.paired_gain(*(COPIES[name][copies] for name in ("asked", "old answers")))
    means = ", ".join(f"{name} {COPIES[name][copies].mean():.3f}" for name in COPIES)
    assert words.startswith(f"{copies} copies: {means}. Asking, over the old answers: {gain_in_words(gain)}")
    assert words.endswith(
        ["The image itself: the teacher says cat", "Copy 1: the teacher says dog"][shown] + ", to the image itself cat."
    )


@pytest.mark.parametrize("top, temperature", [(1, 1), (2, 4), (3, 4)])
def test_an_answer_whole_and_cut_and_the_students_of_such_answers(top, temperature):
    figure, words = at(GALLERY["black box"](), top=top, temperature=temperature)
    left, right = figure.axes
    whole = soft_targets(LOGITS[0], temperature)
    named = np.sort(LOGITS[0])[-top]
    kept = np.where(LOGITS[0] >= named, whole, 0)
    (cut_name, cut, blue), (_, all_of_it, grey) = bars(left)
    assert (cut_name, blue, grey) == (f"top {top}", picture.TEACHER.lower(), picture.NEUTRAL.lower())
    assert cut == pytest.approx(kept / kept.sum()) and all_of_it == pytest.approx(whole)
    assert ticks(left) == list(NAMES)
    ours = [line for line in lines(right, "D") if line.colour == picture.DISTILLED.lower()]
    assert [line.y.tolist() for line in ours] == [[np.mean(values) for values in BOXES[top].values()]]
    others = [line.y.tolist() for line in lines(right, "D") if line.colour == picture.NEUTRAL.lower()]
    assert others == [[np.mean(v) for v in of.values()] for number, of in BOXES.items() if number != top]
    ((_, mean), (low, high)), *_ = error_bars(right)
    reach = half_width(BOXES[top][1])
    assert (mean, low, high) == pytest.approx((np.mean(BOXES[top][1]),) + (mean - reach, mean + reach), abs=1e-6)
    assert ticks(right) == ["1", "4"] and [1, 4].index(temperature) in [line.x[0] for line in lines(right, "None")]
    largest = np.sort(kept / kept.sum())[::-1][:top]
    expected = [top, 3, temperature, *largest, np.mean(BOXES[top][temperature])]
    assert numbers(words) == pytest.approx(expected, abs=6e-4)


def test_a_black_box_names_the_likeliest_and_rules_out_the_rest():
    z = np.array([[1.0, 3.0, 2.0, 3.0], [5.0, -40.0, 0.0, 1.0]])
    shares = np.log(soft_targets(z))
    for count in (1, 2, 4):
        cut = page.top_logits(z, count)
        assert (np.isfinite(cut).sum(axis=-1) == count).all()  # of equal ones the first
        assert cut[np.isfinite(cut)] == pytest.approx(shares[np.isfinite(cut)], rel=1e-5)
    assert np.isfinite(page.top_logits(z, 2))[0].tolist() == [False, True, False, True]


def test_wrong_arguments_get_a_sentence():
    with pytest.raises(ValueError, match="class names"):
        page.copies_explorer(COPIES, IMAGES, LOGITS, NAMES[:2])
    with pytest.raises(ValueError, match="one of the slider's stops"):
        page.copies_explorer(COPIES, IMAGES, LOGITS, NAMES, copies=7)
    with pytest.raises(ValueError, match="one of the slider's stops"):
        page.black_box_explorer(LOGITS[0], BOXES, NAMES, temperature=3)
