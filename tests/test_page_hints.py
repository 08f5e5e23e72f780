"""Page "Is there more to copy than the answer?": images, maps on one scale, their distance from the teacher's."""

import numpy as np
import pytest
from drawn import at
from gallery import GALLERY, IMAGES, MAPS

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
