"""Page "Does it help?": pairs, their mean gain with its interval, the verdict; its exercises."""

import numpy as np
import pytest
from drawn import at, error_bars, half_width, lines, numbers
from exercises import answers
from gallery import DISTILLED, HARD

from distill_edu import metrics
from distill_edu.pages import does_it_help as page
from distill_edu.pages import picture

GAINS = np.subtract(DISTILLED, HARD)


@pytest.mark.parametrize("seeds", [2, 4])
def test_the_pairs_the_mean_gain_and_its_interval(seeds):
    figure, words = at(page.seeds_explorer(DISTILLED, HARD), seeds=seeds)
    left, right = figure.axes
    (hard,), (distilled,) = lines(left, "o"), lines(left, "D")
    assert (hard.colour, distilled.colour) == (picture.HARD.lower(), picture.DISTILLED.lower())
    assert (hard.label, distilled.label) == ("hard labels", "distilled")
    assert list(hard.x) == list(distilled.x) == list(range(1, seeds + 1))
    assert list(hard.y) == HARD[:seeds] and list(distilled.y) == DISTILLED[:seeds]
    joined = left.collections[0].get_segments()
    assert [sorted(segment[:, 1]) for segment in joined] == [
        sorted(pair) for pair in zip(HARD[:seeds], DISTILLED[:seeds], strict=True)
    ]
    ((_, mean), (low, high)), *rest = error_bars(right)
    gains, reach = GAINS[:seeds], half_width(GAINS[:seeds])
    assert (mean, low, high) == pytest.approx((gains.mean(), gains.mean() - reach, gains.mean() + reach), abs=1e-6)
    assert not rest and lines(right, "D")[0].colour == picture.DISTILLED.lower()
    assert right.get_ylim() == pytest.approx((-1.5 * 0.1 - 1e-3, 1.5 * 0.1 + 1e-3))
    error = gains.std(ddof=1) / seeds**0.5
    expected = [seeds, gains.mean(), error, 95, gains.mean() - reach, gains.mean() + reach, (gains > 0).sum(), seeds]
    assert numbers(words)[:8] == pytest.approx(expected, abs=6e-5)


def test_one_seed_has_no_interval():
    figure, words = at(page.seeds_explorer(DISTILLED, HARD), seeds=1)
    assert words == "One seed: distillation gains +0.0500. One pair cannot tell a gain from luck."
    assert not error_bars(figure.axes[1]) and lines(figure.axes[1], "D")[0].y == pytest.approx([0.05])


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
    _, words = at(page.seeds_explorer(0.5 + np.array(better), [0.5] * 3), seeds=3)
    assert words.split(": ")[-1] == verdict


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: page.seeds_explorer([0.5, 0.6], [0.5]), "a pair needs one number of each"),
        (lambda: page.seeds_explorer([0.5, np.nan], [0.5, 0.6]), "NaN"),
    ],
)
def test_wrong_arguments_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def mean_and_error(a, b):
    return (a - b).mean(), (a - b).std(ddof=1) / len(a) ** 0.5


test_exercises = answers(
    page,
    standard_error_by_hand=(
        1.0801,
        [
            (3, "the mean itself"),
            (14**0.5 / 3**0.5, "standard deviation of one"),
            (14 / 3, "variance"),
            ((14 / 3) ** 0.5 / 4, "square root of the number"),
            (3.5**0.5 / 2, "n - 1"),
            (99, "over the square root"),
        ],
    ),
    mean_and_error=(
        mean_and_error,
        [
            (lambda a, b: mean_and_error(b, a), "a - b"),
            (lambda a, b: ((a - b).mean(), (a - b).std(ddof=1)), "square root of n"),
            (lambda a, b: ((a - b).mean(), (a - b).std() / len(a) ** 0.5), "n - 1"),
            (lambda a, b: ((a - b).mean(), ((a.var(ddof=1) + b.var(ddof=1)) / len(a)) ** 0.5), "unpaired"),
            (lambda a, b: (a.mean(), b.mean()), "the mean of a - b"),
            (lambda a, b: (a - b).mean(), "shape"),
            (metrics.paired_gain, "not Gain"),
            (lambda a, b: {"mean": 1}, "not dict"),
            (lambda a: a, "TypeError"),
        ],
    ),
    gap=(
        lambda d, h, t: (d - h) / (t - h),
        [
            (lambda d, h, t: d - h, "gain itself"),
            (lambda d, h, t: (t - d) / (t - h), "still missing"),
            (lambda d, h, t: (d - h) / t, "not by the teacher"),
            (lambda d, h, t: (t - h) / (d - h), "upside down"),
            (lambda d, h, t: 7.0, "distilled - hard"),
            (lambda d, h, t: 0.4, "distilled - hard"),
        ],
    ),
)
