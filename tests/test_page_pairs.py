"""Pairs of students: the pairs that were chosen, their mean gain with its interval, the verdict."""

import numpy as np
import pytest
from drawn import at, error_rows, half_width, lines, numbers
from gallery import DISTILLED, HARD

from distill_edu import metrics
from distill_edu.pages.shared import picture
from distill_edu.pages.shared.pairs import pairs_explorer
from distill_edu.pages.shared.plots import gain_in_words

GAINS = np.subtract(DISTILLED, HARD)


@pytest.mark.parametrize("first, rows", [(1, [0, 1]), (1, [0, 1, 2, 3]), (4, [3, 0, 1])])
def test_the_pairs_the_mean_gain_and_its_interval(first, rows):
    figure, words = at(pairs_explorer(DISTILLED, HARD), pairs=len(rows), first=first)
    left, right = figure.axes
    (hard,), (distilled,) = lines(left, "o"), lines(left, "D")
    assert (hard.colour, hard.label) == (picture.HARD.lower(), "labels")
    assert (distilled.colour, distilled.label) == (picture.DISTILLED.lower(), "soft targets")
    assert list(hard.x) == list(distilled.x) == [row + 1 for row in rows]
    assert list(hard.y) == [HARD[row] for row in rows] and list(distilled.y) == [DISTILLED[row] for row in rows]
    assert (left.get_xlabel(), left.get_xlim()) == ("seed (number)", (0.4, 4.6))
    joined = left.collections[0].get_segments()
    assert [list(segment[:, 0]) for segment in joined] == [[row + 1, row + 1] for row in rows]
    assert [sorted(segment[:, 1]) for segment in joined] == [sorted([HARD[row], DISTILLED[row]]) for row in rows]
    assert [list(line.y) for line in lines(right, "None") if line.style == "-"] == [[0, 0]]
    room = 0.1 * (0.95 - 0.6) + 1e-3  # 0.6 is the lowest and 0.95 the highest of all pairs, shown or not
    assert left.get_ylim() == pytest.approx((0.6 - room, 0.95 + 2.5 * room))
    gains, seeds, reach = GAINS[rows], len(rows), half_width(GAINS[rows])
    mean, error, low, high = gains.mean(), gains.std(ddof=1) / seeds**0.5, gains.mean() - reach, gains.mean() + reach
    assert error_rows(right) == pytest.approx(np.array([(0, mean, low, high)]), abs=1e-6)
    assert right.get_title() == "95% interval" and lines(right, "D")[0].colour == picture.DISTILLED.lower()
    assert right.get_ylim() == pytest.approx((-1.5 * 0.1 - 1e-3, 1.5 * 0.1 + 1e-3))
    expected = [seeds, mean, error, 95, low, high, (gains > 0).sum(), seeds]
    assert numbers(words)[:8] == pytest.approx(expected, abs=6e-5)


def test_one_seed_has_no_interval():
    figure, words = at(pairs_explorer(DISTILLED, HARD, what="draw"), pairs=1, first=2)
    assert words == "Draw 2 alone: distillation gains -0.0200. One pair cannot tell a gain from luck."
    (gain,) = lines(figure.axes[1], "D")
    assert (*gain.x, *gain.y) == pytest.approx((0, -0.02)) and not figure.axes[1].containers
    assert figure.axes[1].get_title() == "one pair"
    assert figure.axes[0].get_xlabel() == "draw (number)"


def test_answers_to_every_image_make_the_interval_that_of_seeds_and_images():
    right = np.random.RandomState(0).rand(2, 5, 40) < [[[0.8]], [[0.6]]]
    figure, words = at(pairs_explorer(*right), pairs=3, first=2)
    gain = metrics.paired_gain(*right[:, 1:4])
    assert words == f"3 seeds: {gain_in_words(gain)}"
    assert error_rows(figure.axes[1]) == pytest.approx(np.array([(0, gain.mean, gain.low, gain.high)]))
    assert lines(figure.axes[0], "D")[0].y == pytest.approx(right[0, 1:4].mean(axis=1))
