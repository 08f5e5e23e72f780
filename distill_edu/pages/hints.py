"""Page "Is there more to copy than the answer?": where models are active on an image, and its exercises."""

import ipywidgets
import numpy as np

from distill_edu.pages.shared.exercise import check_answer, check_function
from distill_edu.pages.shared.explorer import Explorer, slider
from distill_edu.pages.shared.picture import empty_axes, plain


def attention_explorer(images, maps, example=0):
    """Choose an image and see where the models are active on it.

    `images`: [n, rows, columns] or [n, rows, columns, 1]; `maps`: name -> attention maps [n, rows, columns] of length
    1, of one to four models, the teacher first.
    """
    if not 1 <= len(maps) <= 4:
        raise ValueError(f"Give the maps of one to four models, not of {len(maps)}.")
    images = np.asarray(images)
    maps = {name: np.asarray(one, dtype=float) for name, one in maps.items()}
    for name, one in maps.items():
        if one.ndim != 3 or len(one) != len(images) or one.shape[1:] != next(iter(maps.values())).shape[1:]:
            raise ValueError(
                f"The maps of {name} have the shape {one.shape}: give [n, rows, columns] for the {len(images)} images, "
                "the same places for every model."
            )
    number = slider(ipywidgets.IntSlider, "Image (number)", value=example, max=len(images) - 1)

    def draw(figure, example):
        return draw_attention(figure, images[example], {name: one[example] for name, one in maps.items()})

    return Explorer(draw, {"example": number}, height=2.1)


def draw_attention(figure, image, maps):
    """An image beside attention maps of it (bright: active), each in its own Axes; the first map is the teacher's.

    `maps`: name -> [rows, columns], each of length 1.
    """
    width = 1 / (len(maps) + 1)
    boxes = [(i * width + 0.01, 0.02, width - 0.02, 0.82) for i in range(len(maps) + 1)]
    image_axes, *others = empty_axes(figure, *boxes)
    image_axes.imshow(image, cmap="gray_r")
    brightest = max(one.max() for one in maps.values())
    for axes, one in zip(others, maps.values(), strict=True):
        axes.imshow(one, cmap="cividis", vmin=0, vmax=brightest)
    for axes, title in zip([image_axes, *others], ["image", *maps], strict=True):
        axes.set(xticks=[], yticks=[], title=plain(title))
    (_, teacher), *students = maps.items()
    apart = [f"{name} {np.linalg.norm(one - teacher) / 2:.3f}" for name, one in students]
    return f"Half the distance from the teacher's map: {', '.join(apart)}."


def check_attention_by_hand(answer):
    """The first entry of the attention map of two places with the channels (1, 1, 1) and (2, 0, 0)."""
    mistakes = [
        (3, "that is the sum of squares: now divide by the length of the whole map."),
        (3 / 7, "you divided by the sum: the map's length is the root of the sum of its squares."),
        (0.8, "that is the second place."),
        (3 / np.sqrt(13), "you added the channels themselves: square them first."),
        (9 / 25, "take the root of the length's square before you divide."),
    ]
    return check_answer(answer, 0.6, mistakes, "sum the squares at each place, then make the length of the map 1.")


def check_relative_distances(function):
    """function(rows) -> distances of all pairs, divided by their mean over pairs of different examples."""

    def distances(rows):
        return np.linalg.norm(rows[:, None] - rows[None], axis=-1)

    def divided(d, rows):
        return d / (distances(rows).sum() / (len(rows) * (len(rows) - 1)))

    def of_squares(rows):
        squares = distances(rows) ** 2
        return squares / squares.sum() * len(rows) * (len(rows) - 1)

    mistakes = [
        (distances, "divide by the mean distance."),
        (
            lambda rows: distances(rows) / distances(rows).mean(),
            "an example's distance from itself must not count in the mean: there are n (n - 1) pairs.",
        ),
        (of_squares, "take the root: distances, not their squares."),
        (lambda rows: distances(rows) / distances(rows).max(), "divide by the mean, not by the largest."),
        (
            lambda rows: divided(distances(rows), rows)[0],
            "that is the first row: every example with every other is wanted, [n, n].",
        ),
        (
            lambda rows: divided(np.abs(rows[:, None] - rows[None]).sum(axis=-1), rows),
            "Euclidean distances: square, add, take the root.",
        ),
    ]
    inputs = [
        (np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 1.0]]),),
        (np.array([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0], [4.0, 0.0, 3.0]]),),
    ]
    right = lambda rows: divided(distances(rows), rows)  # noqa: E731
    return check_function(function, right, inputs, mistakes, "distances [n, n], divided by their mean.")


def check_projector_parameters(function):
    """function(student_width, teacher_width) -> the parameters of the projector that a Hint needs."""
    mistakes = [
        (lambda s, t: s * t * (s != t), "a Dense layer has biases, too: one for each of its outputs."),
        (lambda s, t: s * t, "a Dense layer has biases, too: one for each of its outputs."),
        (
            lambda s, t: s * t + s,
            "there is one bias for each output, and the outputs are as many as the teacher's channels.",
        ),
        (lambda s, t: 7 * 7 * (s + 1) * t, "the same projector serves every place of the image."),
        (lambda s, t: (s + 1) * t, "right where the widths differ. Where they do not, is there one?"),
    ]
    inputs = [(8, 32), (5, 5), (16, 4)]
    right = lambda s, t: (s + 1) * t * (s != t)  # noqa: E731
    return check_function(function, right, inputs, mistakes, "count the weights and the biases of Dense.")
