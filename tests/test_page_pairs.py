"""Pairs of students: the pairs that were chosen, their mean gain with its interval, the verdict."""

import numpy as np
import pytest
from drawn import at, error_bars, half_width, lines, numbers
from gallery import DISTILLED, HARD

from distill_edu import metrics
from distill_edu.pages.shared import picture
from distill_edu.pages.shared.pairs import pairs_explorer
from distill_edu.pages.shared.plots import gain_in_words

GAINS = np.subtract(DISTILLED, HARD)


@pytest.mark.parametrize("first, rows", [(1, [0, 1]), (1, [0, 1, 2, 3]), (3, [2, 3]), (4, [3, 0, 1])])
def test_the_pairs_the_mean_gain_and_its_interval(first, rows):
    figure, words = at(pairs_explorer(DISTILLED, HARD), pairs=len(rows), first=first)
    left, right = figure.axes
    (hard,), (distilled,) = lines(left, "o"), lines(left, "D")
    assert (hard.colour, distilled.colour) == (picture.HARD.lower(), picture.DISTILLED.lower())
    assert (hard.label, distilled.label) == ("hard labels", "distilled")
    assert list(hard.x) == list(distilled.x) == [row + 1 for row in rows]
    assert list(hard.y) == [HARD[row] for row in rows] and list(distilled.y) == [DISTILLED[row] for row in rows]
    assert (left.get_xlabel(), left.get_xlim()) == ("seed (number)", (0.4, 4.6))
    joined = left.collections[0].get_segments()
    assert [list(segment[:, 0]) for segment in joined] == [[row + 1, row + 1] for row in rows]
    assert [sorted(segment[:, 1]) for segment in joined] == [sorted([HARD[row], DISTILLED[row]]) for row in rows]
    ((x, mean), (low, high)), *rest = error_bars(right)
    assert x == 0 and [list(line.y) for line in lines(right, "None") if line.style == "-"] == [[0, 0]]
    room = 0.1 * (0.95 - 0.6) + 1e-3  # 0.6 is the lowest and 0.95 the highest of all pairs, shown or not
    assert left.get_ylim() == pytest.approx((0.6 - room, 0.95 + 2.5 * room))
    for axes in (left, right):
        box = axes.get_position()
        assert 0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1
    gains, seeds, reach = GAINS[rows], len(rows), half_width(GAINS[rows])
    assert (mean, low, high) == pytest.approx((gains.mean(), gains.mean() - reach, gains.mean() + reach), abs=1e-6)
    assert not rest and lines(right, "D")[0].colour == picture.DISTILLED.lower()
    assert right.get_ylim() == pytest.approx((-1.5 * 0.1 - 1e-3, 1.5 * 0.1 + 1e-3))
    error = gains.std(ddof=1) / seeds**0.5
    expected = [seeds, gains.mean(), error, 95, gains.mean() - reach, gains.mean() + reach, (gains > 0).sum(), seeds]
    assert numbers(words)[:8] == pytest.approx(expected, abs=6e-5)


def test_it_begins_with_one_pair():
    assert pairs_explorer(DISTILLED, HARD).values == {"pairs": 1, "first": 1}


def test_one_seed_has_no_interval():
    figure, words = at(pairs_explorer(DISTILLED, HARD, what="draw"), pairs=1, first=2)
    assert words == "Draw 2 alone: distillation gains -0.0200. One pair cannot tell a gain from luck."
    assert not error_bars(figure.axes[1]) and lines(figure.axes[1], "D")[0].y == pytest.approx([-0.02])
    assert list(lines(figure.axes[1], "D")[0].x) == [0]
    assert figure.axes[0].get_xlabel() == "draw (number)"


def test_answers_to_every_image_make_the_interval_that_of_seeds_and_images():
    right = np.random.RandomState(0).rand(2, 5, 40) < [[[0.8]], [[0.6]]]
    figure, words = at(pairs_explorer(*right), pairs=3, first=2)
    gain = metrics.paired_gain(*right[:, 1:4])
    assert words == f"3 seeds: {gain_in_words(gain)}"
    ((_, mean), (low, high)), *_ = error_bars(figure.axes[1])
    assert (mean, low, high) == pytest.approx((gain.mean, gain.low, gain.high))
    assert lines(figure.axes[0], "D")[0].y == pytest.approx(right[0, 1:4].mean(axis=1))


@pytest.mark.parametrize(
    "better, verdict",
    [
        ([0.1, 0.09, 0.11], "it helps."),
        ([-0.1, -0.09, -0.11], "it hurts."),
        ([0.3, 0.01, 0.02], "no verdict, 0 is in the interval."),  # the mean is above 0
        ([-0.3, -0.01, -0.02], "no verdict, 0 is in the interval."),
    ],
)
def test_the_verdict_is_the_intervals(better, verdict):
    _, words = at(pairs_explorer(0.5 + np.array(better), [0.5] * 3), pairs=3)
    assert words.split(": ")[-1] == verdict


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: pairs_explorer([0.5, 0.6], [0.5, 0.6, 0.7]), "a pair needs one number of each"),
        (lambda: pairs_explorer([0.5, np.nan], [0.5, 0.6]), "NaN"),
    ],
)
def test_wrong_arguments_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
