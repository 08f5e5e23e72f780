"""Page "Is there more to copy than the answer?": images, maps on one scale, their distance from the teacher's."""

import numpy as np
import pytest
from drawn import at, lines, ticks
from gallery import GALLERY, IMAGES, MAPS

from distill_edu.evidence import Experiment
from distill_edu.pages import hints as page

ALL = {"teacher": MAPS, "student": MAPS[::-1], "with a hint": MAPS.swapaxes(1, 2) / 2}  # as in the gallery


@pytest.mark.parametrize("example", [0, 1])
def test_the_image_and_every_map_of_this_example_on_one_scale(example):
    figure, words = at(GALLERY["attention"](), example=example)
    *pictures, bar = figure.axes
    image, *maps = (axes.images[0] for axes in pictures)
    assert (image.get_array() == IMAGES[example, ..., 0]).all() and image.get_cmap().name == "gray_r"
    brightest = max(each[example].max() for each in ALL.values())
    for shown, each in zip(maps, ALL.values(), strict=True):
        assert (shown.get_array() == each[example]).all() and shown.get_clim() == (0, brightest)
    assert bar.get_ylim() == pytest.approx((0, brightest))  # the colour bar
    assert [axes.get_title() for axes in pictures] == ["image", *ALL]
    apart = [np.sqrt(((each[example] - MAPS[example]) ** 2).sum()) / 2 for each in list(ALL.values())[1:]]
    assert words == (
        "Attention loss, half the distance from the teacher's map (0 = identical): "
        f"student {apart[0]:.3f}, with a hint {apart[1]:.3f}."
    )


def test_each_triangle_on_one_scale_with_its_loss():
    triangle = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]])
    students = {"turned": triangle[:, ::-1] / 2, "stretched": triangle * [2, 1]}
    figure = page.draw_triangles(triangle, students, {"turned": 0.0, "stretched": 0.25})
    assert [axes.get_title() for axes in figure.axes] == ["teacher", "turned: loss 0.000", "stretched: loss 0.250"]
    for axes, corners in zip(figure.axes, [triangle, *students.values()], strict=True):
        (closed,) = lines(axes)
        assert (np.column_stack([closed.x, closed.y]) == [*corners, corners[0]]).all()
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        assert (left < corners[:, 0]).all() and (corners[:, 0] < right).all() and right - left == pytest.approx(7.8)
        assert (low < corners[:, 1]).all() and (corners[:, 1] < high).all()


def test_the_best_settings_and_the_means_after_more_updates():
    right = {arm: np.arange(6).reshape(2, 3) % 2 <= row / 2 for row, arm in enumerate("abcd")}
    tried = {"a": [({"temperature": 1}, 0.5), ({"temperature": 4}, 0.7)], "b": [({"temperature": 1}, 0.6)]}
    after = {500: Experiment("accuracy", right=right, tried=tried), 1000: Experiment("accuracy", right=right)}
    assert page.best_settings(after[500], ["a", "b"]) == {"a": {"temperature": 4}, "b": {"temperature": 1}}
    (axes,) = page.draw_longer(after, list("abcd"), 0.9).axes
    *arms, teacher = lines(axes)
    assert [line.y.tolist() for line in arms] == [[right[arm].mean()] * 2 for arm in "abcd"]
    assert ticks(axes) == ["500", "1,000"] and set(teacher.y) == {0.9}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [*"abcd", "teacher"]
