"""The figures that several pages show: the numbers they are given, where they belong."""

import numpy as np
import pytest
from drawn import error_bars, lines, ticks
from gallery import IMAGES, NAMES
from matplotlib.colors import to_hex

from distill_edu import metrics
from distill_edu.pages import picture, plots

GAINS = {
    "first": metrics.paired_gain([0.9, 0.93, 0.91, 0.95], [0.8, 0.81, 0.82, 0.835]),
    "_b $x$": metrics.paired_gain([1, 2, 3, 4], [3, 3, 2, 4]),
    "worse": metrics.paired_gain([0.80, 0.81, 0.82, 0.83], [0.90, 0.91, 0.92, 0.9301]),
    "borderline": metrics.paired_gain([0.84, 0.80, 0.83, 0.81, 0.84], [0.80, 0.80, 0.80, 0.80, 0.82]),
}


def test_gains_are_drawn_with_their_intervals_in_their_order():
    gains = GAINS
    (axes,) = plots.gains(gains, "gain in accuracy").axes
    for row, ((centre, interval), gain) in enumerate(zip(error_bars(axes), gains.values(), strict=True)):
        assert centre == pytest.approx((gain.mean, row)) and interval == pytest.approx((gain.low, gain.high))
    assert [label.replace("\u200b", "").replace("\\$", "$") for label in ticks(axes, "y")] == list(gains)
    assert axes.get_ylim() == (3.5, -0.5)  # the first on top
    colours = [picture.DISTILLED, picture.NEUTRAL, picture.HARD, picture.NEUTRAL]
    assert axes.get_xlabel() == "gain in accuracy"
    assert [line.colour for line in lines(axes, "D")] == [colour.lower() for colour in colours]


@pytest.mark.parametrize("label", ["short", "90 images: a lesson of thirty-nine letters", "W" * 24])
def test_a_long_label_stands_in_the_picture(label):
    figure = plots.gains({label: GAINS["first"]}, "gain in accuracy")
    figure.canvas.draw()
    (axes,) = figure.axes
    (text,) = axes.get_yticklabels()
    box = text.get_window_extent()
    assert box.x0 >= 0 and box.x1 < axes.get_window_extent().x0 < axes.get_window_extent().x1 <= figure.bbox.x1


def test_the_verdicts_of_several_questions_are_corrected():
    """p of the last is below .05 alone, and not among four questions."""
    last = GAINS["borderline"]
    assert last.p < 0.05 < 2 * last.p and plots.gain_in_words(last).endswith("it helps.")
    first, _, third, fourth = plots.verdicts(GAINS)
    p = GAINS["first"].p
    assert first == f"first       +0.1063  p {p:.4f}, corrected {3 * p:.4f}: it helps"
    assert third.endswith("-0.1000  p below 0.0001, corrected below 0.0001: it hurts")
    assert fourth == f"borderline  +0.0200  p {last.p:.4f}, corrected {2 * last.p:.4f}: no verdict"


@pytest.mark.parametrize(
    "low, high, verdict",
    [(0.01, 0.05, "it helps"), (-0.05, -0.01, "it hurts"), (-0.01, 0.05, "no verdict"), (-0.05, 0.01, "no verdict")],
)
def test_the_verdict_in_words_is_the_intervals(low, high, verdict):
    gain = metrics.Gain((low + high) / 2, 0.01, low, high, 3, 5, 0.5)
    assert plots.gain_in_words(gain).split(": ")[-1].startswith(verdict) and str(gain) in plots.gain_in_words(gain)


def test_curves():
    (axes,) = plots.curves(
        [1, 2, 4], {"a": ([3, 4, 5], plots.TEACHER), "b": ([1, 1, 2], plots.HARD)}, "x", "y", "t", True, True
    ).axes
    assert [(list(line.x), list(line.y), line.colour, line.label) for line in lines(axes)] == [
        ([1, 2, 4], [3, 4, 5], plots.TEACHER.lower(), "a"),
        ([1, 2, 4], [1, 1, 2], plots.HARD.lower(), "b"),
    ]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("x", "y", "t")
    assert (axes.get_xscale(), axes.get_yscale(), ticks(axes)) == ("log", "log", ["1", "2", "4"])


def test_images_are_dark_on_white_and_have_their_titles():
    figure = plots.show_images(IMAGES, ["one", "two"], columns=2)
    for axes, image, title in zip(figure.axes, IMAGES, ("one", "two"), strict=True):
        (shown,) = axes.images
        assert (
            (shown.get_array() == image[..., 0]).all()
            and shown.get_cmap().name == "gray_r"
            and shown.get_clim() == (0, 1)
        )
        assert axes.get_title() == title
    left, right = (axes.get_position().x0 for axes in figure.axes)
    assert left < right


def test_a_family_tree_joins_what_is_near_and_colours_families():
    distances = np.array([[0, 1, 9], [1, 0, 9], [9, 9, 0.0]])
    families = {"cat": "animal", "dog": "animal", "car": "thing"}
    (axes,) = plots.family_tree(distances, NAMES, families).axes
    order = ticks(axes, "y")
    assert abs(order.index("cat") - order.index("dog")) == 1  # neighbours in the tree
    colours = {text.get_text(): to_hex(text.get_color()) for text in axes.get_yticklabels()}
    assert colours == dict(
        zip(("cat", "dog", "car"), map(to_hex, (*picture.CLASSES[:1] * 2, picture.CLASSES[1])), strict=True)
    )
    joints = sorted(max(path[:, 0]) for each in axes.collections for path in each.get_segments())
    assert joints == pytest.approx([1, 9])  # cat and dog at 1; the car at the mean of 9 and 9
    branches = {max(path[:, 0]): each for each in axes.collections for path in each.get_segments()}
    assert {joint: to_hex(each.get_color()[0]) for joint, each in branches.items()} == {
        1: to_hex(picture.CLASSES[0]),  # both are animals
        9: to_hex(picture.NEUTRAL),
    }
    low, high = axes.get_xlim()
    assert low < 0 and 9 < high < 10
