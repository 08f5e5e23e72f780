"""The figures of several pages, and the parts of every figure: the numbers, where they belong."""

import itertools

import numpy as np
import pytest
from drawn import bars, error_rows, half_width, lines, ticks
from gallery import IMAGES, NAMES
from matplotlib.colors import to_hex

from distill_edu import metrics
from distill_edu.pages.shared import picture, plots

GAINS = {
    "first": metrics.paired_gain([0.9, 0.93, 0.91, 0.95], [0.8, 0.81, 0.82, 0.835]),
    "_b $x$": metrics.paired_gain([1, 2, 3, 4], [3, 3, 2, 4]),
    "worse": metrics.paired_gain([0.80, 0.81, 0.82, 0.83], [0.90, 0.91, 0.92, 0.9301]),
    "borderline": metrics.paired_gain([0.84, 0.80, 0.83, 0.81, 0.84], [0.80, 0.80, 0.80, 0.80, 0.82]),
}


@pytest.fixture
def axes():
    return picture.empty_axes(picture.Picture(), (0.1, 0.2, 0.8, 0.7))[0]


def test_gains_are_drawn_with_their_intervals_in_their_order():
    (axes,) = plots.gains(GAINS, "gain in accuracy").axes
    rows = [(gain.mean, row, gain.low, gain.high) for row, gain in enumerate(GAINS.values())]
    assert error_rows(axes) == pytest.approx(np.array(rows))
    assert [label.replace("\u200b", "").replace("\\$", "$") for label in ticks(axes, "y")] == list(GAINS)
    assert axes.get_ylim() == (3.5, -0.5) and axes.get_xlabel() == "gain in accuracy"  # the first on top
    diamonds = [line for line in axes.lines if line.get_marker() == "D"]
    fills = [picture.INK, "white", picture.INK, "white"]  # hollow: no verdict
    assert [line.get_markerfacecolor() for line in diamonds] == fills
    assert {line.get_color() for line in diamonds} == {picture.INK}
    assert "hollow: none" in axes.get_title(loc="right")


@pytest.mark.parametrize("scale", [0.004, 0.1, 3.0])
def test_the_numbers_below_gains_do_not_collide(scale):
    gains = {f"{sign}": metrics.paired_gain(np.array([0.8, 1.0, 1.2]) * sign * scale, np.zeros(3)) for sign in (-1, 1)}
    figure = plots.gains(gains, "gain in accuracy")
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels() if label.get_text()]
    boxes = sorted((box for box in boxes if box.width), key=lambda box: box.x0)
    assert len(boxes) > 2 and all(left.x1 + 4 < right.x0 for left, right in itertools.pairwise(boxes))


@pytest.mark.parametrize("label", ["short", "90 images: a lesson of thirty-nine letters", "W" * 24])
def test_a_long_label_stands_in_the_picture(label):
    figure = plots.gains({label: GAINS["first"]}, "gain in accuracy")
    figure.canvas.draw()
    (axes,) = figure.axes
    box, (left, right) = axes.get_yticklabels()[0].get_window_extent(), axes.get_window_extent().intervalx
    assert 0 <= box.x0 < box.x1 < left < right <= figure.bbox.x1


@pytest.mark.parametrize(
    "low, high, verdict",
    [
        (0.01, 0.05, "it helps."),
        (-0.05, -0.01, "it hurts."),
        (-0.01, 0.05, "no verdict, 0 is in the interval."),
        (-0.05, 0.01, "no verdict, 0 is in the interval."),
        (0.0, 0.2, "no verdict, 0 is in the interval."),  # an interval that ends at 0 has it inside
        (-0.2, 0.0, "no verdict, 0 is in the interval."),
    ],
)
def test_the_verdict_in_words_is_that_of_the_interval(low, high, verdict):
    gain = metrics.Gain((low + high) / 2, 0.01, low, high, 3, 5, 0.05)
    assert plots.gain_in_words(gain) == f"gain {gain}: {verdict}"
    assert all(line.endswith("corrected 0.0500: no verdict") for line in plots.verdicts({"alone": gain}))  # not below


def test_the_verdicts_of_several_questions_are_corrected():
    """p of the last is below .05 alone, and not among four questions."""
    last = GAINS["borderline"]
    assert last.p < 0.05 < 2 * last.p and plots.gain_in_words(last).endswith("it helps.")
    first, _, third, fourth = plots.verdicts(GAINS)
    p = GAINS["first"].p
    assert first == f"first       +0.1063  p {p:.4f}, corrected {3 * p:.4f}: it helps"
    assert third.endswith("-0.1000  p below 0.0001, corrected below 0.0001: it hurts")
    assert fourth == f"borderline  +0.0200  p {last.p:.4f}, corrected {2 * last.p:.4f}: no verdict"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_groups_of_bars_stand_side_by_side_around_their_class(axes, count):
    picture.grouped_bars(axes, {f"_{i}": ([i + 1, 5, 7], picture.CLASSES[i]) for i in range(count)})
    edges = np.array([patch.get_data().edges.reshape(-1, 2) for patch in axes.patches])  # [group, class, left or right]
    assert edges[0, :, 0] == pytest.approx([-0.4, 0.6, 1.6]) and edges[-1, :, 1] == pytest.approx([0.4, 1.4, 2.4])
    assert np.allclose(edges[1:, :, 0], edges[:-1, :, 1])  # each begins where the one before it ends
    assert [(label, list(heights)) for label, heights, _ in bars(axes)] == [
        (f"\u200b_{i}", [i + 1, 5, 7]) for i in range(count)
    ]


@pytest.mark.parametrize("count, turned", [(12, 0), (13, 60)])
def test_many_names_are_turned(axes, count, turned):
    picture.class_axis(axes, [f"n{i}$" for i in range(count)])
    assert ticks(axes) == [f"n{i}\\$" for i in range(count)] and list(axes.get_xticks()) == list(range(count))
    assert {text.get_rotation() for text in axes.get_xticklabels()} == {turned}


def test_axes_are_made_once_and_emptied():
    figure = picture.Picture()
    first = picture.two_axes(figure)
    for axes in first:
        picture.grouped_bars(axes, {"a": ([1, 2], picture.HARD)})
        axes.errorbar([1], [2], [3])
        axes.imshow([[1, 2]])
        axes.text(0.5, 0.5, "text")
    assert picture.two_axes(figure) == first
    for axes in first:
        assert not (axes.patches or axes.lines or axes.collections or axes.images or axes.texts or axes.containers)
    assert picture.empty_axes(figure, figure.boxes[0]) != first[:1] and len(figure.axes) == 1


def test_a_legend_is_made_anew_for_other_names_only(axes):
    made = []
    for names in (("a", "b"), ("a", "b"), ("a", "c"), ("c",)):
        picture.empty_axes(axes.figure, *axes.figure.boxes)
        picture.grouped_bars(axes, {name: ([1], picture.HARD) for name in names})
        picture.legend(axes, title="these")
        made.append(axes.get_legend())
        assert tuple(text.get_text() for text in made[-1].get_texts()) == names
    assert made[0] is made[1] and len(set(made)) == 3 and made[0].get_title().get_text() == "these"


def test_means_over_stops_have_their_intervals_and_the_chosen_stop_a_band(axes):
    ends = picture.means_over_stops(axes, [[1, 2, 3], [4, 4, 7]], "o--", color=picture.HARD, label="a")
    reach = [half_width([1, 2, 3]), half_width([4, 4, 7])]
    assert ends == pytest.approx([2 - reach[0], 5 - reach[1], 2 + reach[0], 5 + reach[1]])
    expected = [(0, 2, 2 - reach[0], 2 + reach[0]), (1, 5, 5 - reach[1], 5 + reach[1])]
    assert error_rows(axes) == pytest.approx(np.array(expected))
    picture.stop_axis(axes, (10, 2000), 2000)
    assert ticks(axes) == ["10", "2,000"] and list(axes.get_xticks()) == [0, 1]
    assert list(axes.lines[-1].get_xdata()) == [1, 1] and axes.lines[-1].get_color() == picture.NEUTRAL


def test_limits_colours_and_shares():
    assert picture.with_room([3.0, 1.0, 2.0], 0.1) == pytest.approx((1 - 0.201, 3 + 0.201))
    assert picture.with_room([2.0, 2.0], 0.1) == pytest.approx((1.999, 2.001))  # two limits, whatever the values
    colours = (picture.TEACHER, picture.HARD, picture.DISTILLED)
    assert tuple((colour, filled) for filled in (True, False) for colour in colours) == picture.STYLES
    assert len({*picture.CLASSES, picture.HARD, picture.NEUTRAL}) == 7
    assert (picture.percent(0.9876), picture.percent(1), picture.percent(0)) == ("98.8%", "100.0%", "0.0%")


def test_curves():
    groups = {"a": ([3, 4, 5], plots.TEACHER), "b": ([1, 1, 2], plots.HARD)}
    (axes,) = plots.curves([1, 2, 4], groups, "x", "y", "t", True, True).axes
    assert [(list(line.x), list(line.y), line.colour, line.label) for line in lines(axes)] == [
        ([1, 2, 4], [3, 4, 5], plots.TEACHER.lower(), "a"),
        ([1, 2, 4], [1, 1, 2], plots.HARD.lower(), "b"),
    ]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("x", "y", "t")
    assert (axes.get_xscale(), axes.get_yscale(), ticks(axes)) == ("log", "log", ["1", "2", "4"])


@pytest.mark.parametrize("count, columns", [(10, 10), (11, 10), (5, 2)])
def test_images_are_dark_on_white_and_stand_in_rows_beside_each_other(count, columns):
    images = np.linspace(0, 1, count)[:, None, None, None] * IMAGES[:1]
    figure = plots.show_images(
        images, [f"number {i}" for i in range(count)], **({} if columns == 10 else {"columns": 2})
    )
    assert figure.get_size_inches() == pytest.approx([7, 0.95 * -(-count // columns)])
    for i, (axes, image) in enumerate(zip(figure.axes, images, strict=True)):
        (shown,) = axes.images
        assert (shown.get_array() == image[..., 0]).all() and axes.get_title() == f"number {i}"
        assert (shown.get_cmap().name, shown.get_clim(), axes.axison) == ("gray_r", (0, 1), False)
        row, column = divmod(i, columns)
        assert axes.get_position(original=True).x0 == pytest.approx(column / columns)
        assert axes.get_position().y1 < 1 - row / -(-count // columns)  # a title has room above it
    boxes = [axes.get_position() for axes in figure.axes]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_a_family_tree_joins_what_is_near_and_colours_families():
    distances = np.array([[0, 1, 9], [1, 0, 9], [9, 9, 0.0]])
    families = {"cat": "animal", "dog": "animal", "car": "thing"}
    (axes,) = plots.family_tree(distances, NAMES, families).axes
    animal, thing = map(to_hex, picture.CLASSES[:2])
    colours = {text.get_text(): to_hex(text.get_color()) for text in axes.get_yticklabels()}
    assert colours == {"cat": animal, "dog": animal, "car": thing}
    order = ticks(axes, "y")
    assert abs(order.index("cat") - order.index("dog")) == 1  # neighbours in the tree
    branches = {max(path[:, 0]): each for each in axes.collections for path in each.get_segments()}
    # cat and dog join at 1, both are animals; the car joins at the mean of 9 and 9
    assert {joint: to_hex(each.get_color()[0]) for joint, each in branches.items()} == {
        1: animal,
        9: to_hex(picture.NEUTRAL),
    }
    low, high = axes.get_xlim()
    assert low < 0 and 9 < high < 10
    legend = axes.get_legend()
    marks = zip(legend.texts, legend.get_lines(), strict=True)
    assert {text.get_text(): to_hex(mark.get_color()) for text, mark in marks} == {"animal": animal, "thing": thing}
    written, (width, height) = axes.figure.get_tightbbox(), axes.figure.get_size_inches()
    assert written.x0 >= 0 and written.y0 >= 0 and written.x1 <= width and written.y1 <= height
    assert not legend.get_window_extent().overlaps(axes.bbox)
