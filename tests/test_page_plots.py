"""The figures that several pages show, and what they are drawn with: the numbers, where they belong."""

import itertools

import numpy as np
import pytest
from drawn import bars, error_bars, half_width, lines, ticks
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


def test_at_the_limit_there_is_no_verdict(monkeypatch):
    """An interval that ends at 0 has it inside, and a corrected p of .05 is not below it."""
    low, high = metrics.Gain(0.1, 0.01, 0.0, 0.2, 3, 5, 0.05), metrics.Gain(-0.1, 0.01, -0.2, 0.0, 3, 5, 0.05)
    assert all(plots.gain_in_words(gain).endswith("no verdict, 0 is in the interval.") for gain in (low, high))
    assert all(line.endswith("no verdict") for line in plots.verdicts({"alone": low}))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_groups_of_bars_stand_side_by_side_around_their_class(count):
    (axes,) = picture.empty_axes(picture.Picture(), (0.1, 0.2, 0.8, 0.7))
    groups = {f"_{i}": ([i + 1, 5, 7], picture.CLASSES[i]) for i in range(count)}
    picture.grouped_bars(axes, groups)
    edges = np.array([patch.get_data().edges.reshape(-1, 2) for patch in axes.patches])  # [group, class, left or right]
    assert edges[0, :, 0] == pytest.approx([-0.4, 0.6, 1.6]) and edges[-1, :, 1] == pytest.approx([0.4, 1.4, 2.4])
    assert np.allclose(edges[1:, :, 0], edges[:-1, :, 1])  # each begins where the one before it ends
    assert [heights.tolist() for _, heights, _ in bars(axes)] == [[i + 1, 5, 7] for i in range(count)]
    assert [label for label, _, _ in bars(axes)] == [f"\u200b_{i}" for i in range(count)]


@pytest.mark.parametrize("count, turned", [(3, 0), (12, 0), (13, 60)])
def test_many_names_are_turned(count, turned):
    (axes,) = picture.empty_axes(picture.Picture(), (0.1, 0.2, 0.8, 0.7))
    picture.class_axis(axes, [f"n{i}$" for i in range(count)])
    assert [(text.get_rotation(), text.get_text()) for text in axes.get_xticklabels()] == [
        (turned, f"n{i}\\$") for i in range(count)
    ]
    assert {text.get_ha() for text in axes.get_xticklabels()} == {"right" if turned else "center"}
    assert list(axes.get_xticks()) == list(range(count)) and axes.get_xticklabels()[0].get_fontsize() == 8


def test_axes_are_made_once_and_emptied():
    figure = picture.Picture()
    boxes = (0.1, 0.22, 0.375, 0.67), (0.605, 0.22, 0.375, 0.67)
    first = picture.two_axes(figure)
    assert [axes.get_position().bounds for axes in first] == [pytest.approx(box) for box in boxes]
    for axes, left in zip(first, (0.1, 0.605), strict=True):
        picture.grouped_bars(axes, {"a": ([1, 2], picture.HARD)})
        axes.errorbar([1], [2], [3])
        axes.imshow([[1, 2]])
        axes.text(0.5, 0.5, "text")
        axes.set(xlabel="x", ylabel="y", title="t")
        figure.canvas.draw()
        box, x, y = axes.bbox, axes.xaxis.label, axes.yaxis.label
        title = axes.title.get_window_extent()
        assert box.y1 < title.y0 < box.y1 + 12 and (title.x0 + title.x1) / 2 == pytest.approx((box.x0 + box.x1) / 2)
        assert figure.transFigure.inverted().transform(x.get_transform().transform(x.get_position())) == pytest.approx(
            [left + 0.375 / 2, 0.1]
        )
        assert figure.transFigure.inverted().transform(y.get_transform().transform(y.get_position())) == pytest.approx(
            [left - 0.073, 0.22 + 0.67 / 2]
        )
    assert picture.two_axes(figure) == first
    for axes in first:
        assert not (axes.patches or axes.lines or axes.collections or axes.images or axes.texts or axes.containers)
    assert picture.empty_axes(figure, boxes[0]) != first[:1] and len(figure.axes) == 1


def test_a_legend_is_made_once_below():
    figure = picture.Picture()
    axes, _ = picture.two_axes(figure)
    picture.grouped_bars(axes, {name: ([1], picture.HARD) for name in ("a", "b", "c")})
    picture.legend_below(axes)
    legend = axes.get_legend()
    picture.legend_below(axes)
    figure.canvas.draw()
    first, _, third = legend.get_texts()
    assert axes.get_legend() is legend and first.get_fontsize() == 8 and not legend.get_frame_on()
    assert first.get_window_extent().y0 == pytest.approx(third.get_window_extent().y0)  # in one row
    box = legend.get_window_extent()
    assert 0 <= box.y0 < box.y1 < axes.bbox.y0 and box.x0 + box.x1 == pytest.approx(axes.bbox.x0 + axes.bbox.x1, abs=1)


def test_a_legend_of_other_names_is_made_anew():
    (axes,) = picture.empty_axes(picture.Picture(), (0.1, 0.2, 0.8, 0.7))
    for names in (("a", "b"), ("a", "c"), ("c",)):
        picture.empty_axes(axes.figure, *axes.figure.boxes)
        picture.grouped_bars(axes, {name: ([1], picture.HARD) for name in names})
        picture.legend(axes, fontsize=7, title="these")
        texts = axes.get_legend().get_texts()
        assert tuple(text.get_text() for text in texts) == names and texts[0].get_fontsize() == 7
        assert axes.get_legend().get_title().get_text() == "these" and not axes.get_legend().get_frame_on()


def test_means_over_stops_have_their_intervals_and_the_chosen_stop_a_band():
    (axes,) = picture.empty_axes(picture.Picture(), (0.1, 0.2, 0.8, 0.7))
    ends = picture.means_over_stops(axes, [[1, 2, 3], [4, 4, 7]], "o--", color=picture.HARD, label="a")
    reach = [half_width([1, 2, 3]), half_width([4, 4, 7])]
    assert ends == pytest.approx([2 - reach[0], 5 - reach[1], 2 + reach[0], 5 + reach[1]])
    expected = [((0, 2), (2 - reach[0], 2 + reach[0])), ((1, 5), (5 - reach[1], 5 + reach[1]))]
    for (centre, interval), (middle, between) in zip(error_bars(axes), expected, strict=True):
        assert centre == pytest.approx(middle) and interval == pytest.approx(between)
    picture.stop_axis(axes, (10, 2000), 2000)
    assert ticks(axes) == ["10", "2,000"] and list(axes.get_xticks()) == [0, 1]
    assert list(axes.lines[-1].get_xdata()) == [1, 1] and axes.lines[-1].get_color() == picture.NEUTRAL


def test_limits_leave_room():
    assert picture.with_room([3.0, 1.0, 2.0], 0.1) == pytest.approx((1 - 0.201, 3 + 0.201))
    assert picture.with_room([2.0, 2.0], 0.1) == pytest.approx((1.999, 2.001))  # two limits, whatever the values


def test_each_of_six_techniques_has_its_own_look():
    blue, orange, green = picture.TEACHER, picture.HARD, picture.DISTILLED
    assert tuple((colour, filled) for filled in (True, False) for colour in (blue, orange, green)) == picture.STYLES
    assert len({*picture.CLASSES, picture.HARD, picture.NEUTRAL}) == 7


def test_shares_are_said_in_percent():
    assert (picture.percent(0.9876), picture.percent(1), picture.percent(0)) == ("98.8%", "100.0%", "0.0%")


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


@pytest.mark.parametrize("count, columns", [(1, None), (10, None), (11, None), (5, 2)])
def test_images_stand_in_rows_of_ten_or_as_many_as_are_wished(count, columns):
    how = {"columns": columns} if columns else {}
    figure = plots.show_images(np.repeat(IMAGES[:1], count, axis=0), **how)
    wide = columns or 10
    rows = -(-count // wide)
    assert figure.get_size_inches() == pytest.approx([7, 0.95 * rows])
    boxes = [axes.get_position() for axes in figure.axes]
    for i, box in enumerate(boxes):
        row, column = divmod(i, wide)
        place = figure.axes[i].get_position(original=True)
        assert place.bounds == pytest.approx((column / wide, 1 - (row + 1) / rows, 0.9 / wide, 0.74 / rows))
        assert 0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 < 1 - row / rows  # a title has room above it
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert not any(axes.get_title() or axes.axison for axes in figure.axes)


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
    legend = axes.get_legend()
    shown = {
        text.get_text(): to_hex(mark.get_color()) for text, mark in zip(legend.texts, legend.get_lines(), strict=True)
    }
    assert shown == {"animal": to_hex(picture.CLASSES[0]), "thing": to_hex(picture.CLASSES[1])}
    axes.figure.canvas.draw()
    written, (width, height) = axes.figure.get_tightbbox(), axes.figure.get_size_inches()
    assert written.x0 >= 0 and written.y0 >= 0 and written.x1 <= width and written.y1 <= height
    assert not legend.get_window_extent().overlaps(axes.bbox)
