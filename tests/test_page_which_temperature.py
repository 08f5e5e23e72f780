"""Page "Which T and alpha?": the means of the table with their intervals, the test data are locked."""

import numpy as np
import pytest
from drawn import at, error_bars, half_width, lines, numbers, ticks
from gallery import SWEEP

from distill_edu.evidence import Gains
from distill_edu.metrics import paired_gain
from distill_edu.pages import which_temperature as page
from distill_edu.pages.shared import picture


def column(size, alpha, t, part):
    rows = SWEEP[(SWEEP["size"] == size) & (SWEEP.alpha == alpha) & (SWEEP.temperature == t)]
    return rows[f"{part}_accuracy"].to_numpy()


@pytest.mark.parametrize("size, alpha, t", [(4, 0.0, 2.0), (16, 0.5, 8.0), (16, 0.0, 1.0)])
def test_both_panels_show_the_table_and_the_sentence_says_it(size, alpha, t):
    figure, words = at(page.sweep_explorer(SWEEP), size=size, alpha=alpha, temperature=t, test=True)
    for axes, part in zip(figure.axes, ("valid", "test"), strict=True):
        for (centre, (low, high)), at_t in zip(error_bars(axes), (1.0, 2.0, 8.0), strict=True):
            values = column(size, alpha, at_t, part)
            reach = half_width(values)
            assert (*centre, low, high) == pytest.approx(
                (at_t, values.mean(), values.mean() - reach, values.mean() + reach), abs=1e-6
            )
        (ring,) = lines(axes, "s")
        assert (*ring.x, *ring.y) == pytest.approx((t, column(size, alpha, t, part).mean()))
        assert lines(axes, "o")[0].colour == picture.DISTILLED.lower()
        assert axes.get_xlim() == pytest.approx((0.87, 9.2)) and axes.get_xscale() == "log"
        assert ticks(axes) == ["1", "2", "8"] and axes.get_title().startswith(("validation", "test")[part == "test"])
    valid, test = (column(size, alpha, t, part).mean() for part in ("valid", "test"))
    below = column(size, alpha, 1.0, "valid").mean() - valid  # validation falls with T, the test rises
    place = "the best here" if t == 1 else f"{below:.4f} below T = 1 here"
    assert f"{size} hidden units, α = {alpha:g}, T = {t:g}: {valid:.4f} on validation data, {place}. " in words
    assert f"{test:.4f} on test data. Bars: 95% intervals over 3 seeds." in words and len(numbers(words)) >= 7


def test_the_test_data_are_locked_at_first():
    explorer = page.sweep_explorer(SWEEP)
    figure, words = at(explorer, size=16)
    valid, test = figure.axes
    assert explorer.values["test"] is False and "The test data are locked. Bars" in words
    assert "on test data" not in words
    assert error_bars(valid) and not error_bars(test) and not lines(test)
    assert [text.get_text() for text in test.texts] == ["locked"]
    low, high = test.get_ylim()
    assert low < 0 and high > 1  # the axis does not tell the range of what is locked
    at(explorer, test=True)
    assert error_bars(test) and not test.texts


@pytest.mark.parametrize(
    "table, sentence",
    [
        (SWEEP.drop(columns="alpha"), "no column alpha"),
        (SWEEP.iloc[3:], "not complete"),
        (SWEEP[SWEEP.seed == 0], "at least two seeds"),
    ],
)
def test_wrong_arguments_get_a_sentence(table, sentence):
    with pytest.raises(ValueError, match=sentence):
        page.sweep_explorer(table)


def test_a_row_says_how_often_an_image_is_seen():
    assert page.with_views(90, 1000) == "90 images, 1,000 updates, 356 views"
    assert page.with_views(2700, 3000) == "2,700 images, 3,000 updates, 36 views"


def test_a_line_parts_the_gains_from_their_differences():
    gains = Gains({name: paired_gain(np.eye(4, 9) * k, np.zeros((4, 9))) for k, name in enumerate("abcd", 1)})
    (axes,) = page.draw_gains(gains).axes
    assert [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"] == [1.5]
    assert "90 images" in axes.get_title(loc="right")


def test_the_gap_between_promise_and_truth_is_filled():
    (axes,) = page.draw_promises([1, 2, 5], [0.8, 0.85, 0.9], [0.8, 0.81, 0.82], 0.8).axes
    filled = axes.collections[0].get_paths()[0].vertices
    assert {(5, 0.9), (5, 0.82), (2, 0.85)} <= {(x, y) for x, y in filled.tolist()}
    assert [text.get_text() for text in axes.texts] == ["promised too much"]
    colours = {line.get_label(): line.get_color() for line in axes.lines}
    assert len(set(colours.values())) == len(colours) == 3
