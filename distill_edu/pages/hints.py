"""Page "Is there more to copy than the answer?": where models are active on an image, and its exercises."""

import ipywidgets
import numpy as np

from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, slider
from distill_edu.pages.shared.picture import empty_axes, plain


def attention_explorer(images, maps, example=0):
    """Choose an image and see where each model is active on it.

    `images`: [n, rows, columns] or [n, rows, columns, 1]; `maps`: name -> attention maps [n, rows, columns], each of
    length 1. The first model is the teacher. All maps have one colour scale (bright: active): equal colours are equal
    numbers.

    >>> attention_explorer(np.zeros((1, 8, 8)), {"teacher": [np.eye(2)], "student": [np.ones((2, 2))]})
    <sliders: example>
    """

    def draw(figure, example):
        image_axes, *map_axes, bar = empty_axes(figure, *boxes)
        image_axes.imshow(images[example], cmap="gray_r")
        shown = {name: of_model[example] for name, of_model in maps.items()}
        brightest = max(attention.max() for attention in shown.values())
        for axes, attention in zip(map_axes, shown.values(), strict=True):
            axes.imshow(attention, cmap="cividis", vmin=0, vmax=brightest)
        colours = np.linspace(0, 1, 64)[:, None]
        bar.imshow(colours, cmap="cividis", origin="lower", aspect="auto", extent=(0, 1, 0, brightest))
        bar.set(xticks=[])
        bar.yaxis.tick_right()
        for axes, title in zip([image_axes, *map_axes], ["image", *maps], strict=True):
            axes.set(xticks=[], yticks=[], title=plain(title))
        (_, teacher), *students = shown.items()
        distances = [f"{name} {np.linalg.norm(attention - teacher) / 2:.3f}" for name, attention in students]
        return f"Attention loss, half the distance from the teacher's map (0 = identical): {', '.join(distances)}."

    width = 0.91 / (len(maps) + 1)
    boxes = [(i * width + 0.01, 0.02, width - 0.02, 0.82) for i in range(len(maps) + 1)] + [(0.92, 0.1, 0.015, 0.66)]
    number = slider(ipywidgets.IntSlider, "Image (number)", value=example, max=len(images) - 1)
    return Explorer(draw, {"example": number}, height=2.1)


# The reader types the first value of the attention map of two places with the channels (1, 1, 1) and (2, 0, 0).
check_attention_by_hand = Exercise(
    right=0.6,
    mistakes=[
        (3, "that is the sum of squares: now divide by the length of the whole map."),
        (3 / 7, "you divided by the sum: the map's length is the root of the sum of its squares."),
        (0.8, "that is the second place."),
        (3 / np.sqrt(13), "you added the channels themselves: square them first."),
        (9 / 25, "take the root of the length's square before you divide."),
    ],
    otherwise="sum the squares at each place, then make the length of the map 1.",
)


def _distances(rows, order=2):
    return np.linalg.norm(rows[:, None] - rows, ord=order, axis=-1)  # (n, 1, d) - (n, d) -> (n, n, d) -> (n, n)


def _mean(distances):
    """The mean over the n (n - 1) pairs of different examples."""
    return distances.sum() / (len(distances) * (len(distances) - 1))


def _relative(rows, order=2, power=1):
    distances = _distances(rows, order) ** power
    return distances / _mean(distances)


EUCLIDEAN = "Euclidean distances: square, add, take the root."
# The reader writes function(rows) -> distances of all pairs [n, n], divided by their mean over different examples.
check_relative_distances = Exercise(
    right=_relative,
    mistakes=[
        (_distances, "divide by the mean distance."),
        (
            lambda rows: _distances(rows) / _distances(rows).mean(),
            "an example's distance from itself must not count in the mean: there are n (n - 1) pairs.",
        ),
        (lambda rows: _relative(rows, power=2), "take the root: distances, not their squares."),
        (lambda rows: _distances(rows) / _distances(rows).max(), "divide by the mean, not by the largest."),
        (lambda rows: _relative(rows)[0], "that is the first row: every example with every other is wanted, [n, n]."),
        (lambda rows: _distances(rows, 1) / _mean(_distances(rows)), EUCLIDEAN),
        (lambda rows: _relative(rows, order=1), EUCLIDEAN),
    ],
    otherwise="distances [n, n], divided by their mean.",
    inputs=[
        (np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 1.0]]),),
        (np.array([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0], [4.0, 0.0, 3.0]]),),
    ],
)
WITHOUT_BIASES = "a Dense layer has biases, too: one for each of its outputs."
# The reader writes function(student_width, teacher_width) -> the number of parameters of a Hint's projector.
check_projector_parameters = Exercise(
    right=lambda s, t: (s + 1) * t * (s != t),
    mistakes=[
        (lambda s, t: s * t * (s != t), WITHOUT_BIASES),
        (lambda s, t: s * t, WITHOUT_BIASES),
        (
            lambda s, t: s * t + s,
            "there is one bias for each output, and the outputs are as many as the teacher's channels.",
        ),
        (lambda s, t: 7 * 7 * (s + 1) * t, "the same projector serves every place of the image."),
        (lambda s, t: (s + 1) * t, "right where the widths differ. Where they do not, is there one?"),
    ],
    otherwise="count the weights and the biases of Dense.",
    inputs=[(8, 32), (5, 5), (16, 4)],
)
