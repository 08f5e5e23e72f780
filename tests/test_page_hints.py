"""Page "Is there more to copy than the answer?": images, maps on one scale, their distance; its exercises."""

import numpy as np
import pytest
from drawn import at
from exercises import answers
from gallery import GALLERY, IMAGES, MAPS, NAMES

from distill_edu.pages import hints as page

ALL = {"teacher": MAPS, "student": MAPS[::-1], "with a hint": MAPS.swapaxes(1, 2) / 2}  # as in the gallery


@pytest.mark.parametrize("example", [0, 1])
def test_the_image_and_every_map_of_this_example_on_one_scale(example):
    figure, words = at(GALLERY["attention"](), example=example)
    image, *maps = (axes.images[0] for axes in figure.axes)
    assert (image.get_array() == IMAGES[example, ..., 0]).all() and image.get_cmap().name == "gray_r"
    brightest = max(each[example].max() for each in ALL.values())
    for shown, each in zip(maps, ALL.values(), strict=True):
        assert (shown.get_array() == each[example]).all() and shown.get_clim() == (0, brightest)
    assert [axes.get_title() for axes in figure.axes] == ["image", *ALL]
    apart = [np.sqrt(((each[example] - MAPS[example]) ** 2).sum()) / 2 for each in list(ALL.values())[1:]]
    assert words == f"Half the distance from the teacher's map: student {apart[0]:.3f}, with a hint {apart[1]:.3f}."


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: page.attention_explorer(IMAGES, {}), "one to four models, not of 0"),
        (lambda: page.attention_explorer(IMAGES, {"a": MAPS[:1]}), "for the 2 images"),
        (lambda: page.attention_explorer(IMAGES, {"a": MAPS, "b": MAPS[:, :2]}), "same places for every model"),
    ],
)
def test_wrong_arguments_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
    assert len(NAMES) == 3


def distances(rows):
    return np.linalg.norm(rows[:, None] - rows[None], axis=-1)


def relative(d):
    return d / d.sum() * len(d) * (len(d) - 1)


test_exercises = answers(
    page,
    attention_by_hand=(
        0.6,
        [
            (3, "divide by the length"),
            (3 / 7, "divided by the sum"),
            (0.8, "second place"),
            (3 / 13**0.5, "square them first"),
            (9 / 25, "take the root"),
            (7, "sum the squares"),
        ],
    ),
    relative_distances=(
        lambda rows: relative(distances(rows)),
        [
            (distances, "divide by the mean distance"),
            (lambda rows: distances(rows) / distances(rows).mean(), "from itself"),
            (lambda rows: relative(distances(rows) ** 2), "not their squares"),
            (lambda rows: distances(rows) / distances(rows).max(), "not by the largest"),
            (lambda rows: relative(distances(rows))[0], "first row"),
            (
                lambda rows: (
                    np.abs(rows[:, None] - rows).sum(-1) * relative(distances(rows)).max() / distances(rows).max()
                ),
                "Euclidean",
            ),
            (lambda rows: 0 * distances(rows), "divided by their mean"),
        ],
    ),
    projector_parameters=(
        lambda student, teacher: (student + 1) * teacher if student != teacher else 0,
        [
            (lambda student, teacher: student * teacher, "biases"),
            (lambda student, teacher: student * teacher + student, "one bias for each output"),
            (lambda student, teacher: 49 * (student + 1) * teacher, "every place"),
            (lambda student, teacher: (student + 1) * teacher, "Where they do not"),
            (lambda student, teacher: 1, "count the weights"),
        ],
    ),
)
