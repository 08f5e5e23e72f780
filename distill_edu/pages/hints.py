"""Page "Is there more to copy than the answer?": where models are active on an image, and its exercises."""

import ipywidgets
import numpy as np

from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, slider
from distill_edu.pages.shared.picture import (
    CLASSES,
    DISTILLED,
    NEUTRAL,
    STUDENT,
    TEACHER,
    Picture,
    empty_axes,
    legend,
    plain,
)

FEATURES = CLASSES[1]  # the arm that learns from distances in a hidden layer


def attention_explorer(images, maps, example=0):
    """Choose an image and see where each model is active on it.

    `images`: [n, rows, columns] or [n, rows, columns, 1]; `maps`: name -> attention maps [n, rows, columns], each of
    length 1. The first model is the teacher. Maps of one image have one colour scale (bright: active).

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
            axes.set(xticks=[], yticks=[])
            axes.set_title(plain(title), y=1, fontsize=9)
        bar.set_title("attention", y=1.16, fontsize=8)  # above the titles of the maps: beside them it would touch one
        (_, teacher), *students = shown.items()
        distances = [f"{name} {np.linalg.norm(attention - teacher) / 2:.3f}" for name, attention in students]
        return f"Attention loss, half the distance from the teacher's map (0 = identical): {', '.join(distances)}."

    width = 0.91 / (len(maps) + 1)
    boxes = [(i * width + 0.01, 0.02, width - 0.02, 0.82) for i in range(len(maps) + 1)] + [(0.92, 0.1, 0.015, 0.66)]
    number = slider(ipywidgets.IntSlider, "Image (number)", value=example, max=len(images) - 1)
    return Explorer(draw, {"example": number}, height=2.1)


def draw_triangles(teacher, students, losses):
    """Draw the triangle of three examples in the teacher's features and in each student's, all on one scale.

    `teacher`: [3, 2]; `students`: name -> [3, 2]; `losses`: name -> the loss of the student's distances.
    """
    figure = Picture(7, 2.1)
    titles = {"teacher": "teacher", **{name: f"{name}: loss {losses[name]:.3f}" for name in students}}
    width = 1 / len(titles)
    reach = max(np.ptp(corners, axis=0).max() for corners in (teacher, *students.values()))
    for place, (name, corners) in enumerate({"teacher": teacher, **students}.items()):
        axes = figure.add_axes((place * width + 0.02, 0.04, width - 0.04, 0.8))
        colour = TEACHER if name == "teacher" else DISTILLED
        axes.plot(*np.vstack([corners, corners[:1]]).T, "o-", color=colour)
        for number, corner in enumerate(corners, start=1):
            away = corner - corners.mean(axis=0)
            beside = 10 * away / np.linalg.norm(away)
            axes.annotate(f"{number}", corner, beside, textcoords="offset points", ha="center", va="center")
        middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
        axes.set(xlim=middle[0] + np.array([-0.65, 0.65]) * reach, ylim=middle[1] + np.array([-0.5, 0.5]) * reach)
        axes.set(xticks=[], yticks=[], aspect="equal", title=plain(titles[name]))
    return figure


def best_settings(found, arms):
    """Return arm -> the settings that validation chose for it, with no list left."""
    return {arm: max(found.tried[arm], key=lambda tried: tried[1])[0] for arm in arms}


def draw_longer(after, arms, teacher_accuracy):
    """Draw the mean accuracy of four arms over the updates, and the teacher's. `after`: updates -> Experiment."""
    figure = Picture(7, 2.9)
    axes = figure.add_axes((0.1, 0.18, 0.87, 0.77))
    colours = (DISTILLED, FEATURES, STUDENT, NEUTRAL)
    for arm, colour, style in zip(arms, colours, ("o-", "D-", "^-.", "s--"), strict=True):
        means = [found.right[arm].mean() for found in after.values()]
        axes.plot(range(len(after)), means, style, color=colour, label=plain(arm))
    axes.axhline(teacher_accuracy, color=TEACHER, linestyle=":", label="teacher")
    axes.set_xticks(range(len(after)), [f"{steps:,}" for steps in after])
    axes.set(xlabel="updates", ylabel="accuracy (mean)")
    legend(axes, ncols=3, loc="lower right")
    return figure


# The reader types the first value of the attention map of two places with the features (1, 1, 1) and (2, 0, 0).
check_attention_by_hand = Exercise(
    right=0.6,
    mistakes=[
        (3, "that is the sum of squares: now divide by the length of the whole map."),
        (3 / 7, "you divided by the sum: the map's length is the root of the sum of its squares."),
        (0.8, "that is the second place."),
        (3 / np.sqrt(13), "you added the features themselves: square them first."),
        (np.sqrt(3 / 7), "you took the root at each place: the map holds the sums of the squares themselves."),
        (3 / 25, "take the root of the length's square before you divide."),
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


EQUAL_ROWS = "two rows with the same numbers are a pair, too: their distance of 0 counts in the mean here."
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
        (lambda rows: _distances(rows) / _distances(rows)[_distances(rows) > 0].mean(), EQUAL_ROWS),
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
        (np.array([[0.0, 1.0], [3.0, 5.0], [0.0, 1.0]]),),
    ],
)
WITHOUT_BIASES = "the projector has biases, too: one for each of its outputs."
OTHER_BIASES = "there is one bias for each output, and the outputs are as many as the teacher's features."
EVERY_PLACE = "the same projector serves every place of the image."
# The reader writes function(student_width, teacher_width) -> the number of parameters of a Hint's projector.
check_projector_parameters = Exercise(
    right=lambda s, t: (s + 1) * t * (s != t),
    mistakes=[
        (lambda s, t: s * t * (s != t), WITHOUT_BIASES),
        (lambda s, t: s * t, WITHOUT_BIASES),
        (lambda s, t: s * t + s, OTHER_BIASES),
        (lambda s, t: (s * t + s) * (s != t), OTHER_BIASES),
        (lambda s, t: 7 * 7 * (s + 1) * t, EVERY_PLACE),
        (lambda s, t: 7 * 7 * (s + 1) * t * (s != t), EVERY_PLACE),
        (lambda s, t: (s + 1) * t, "right where the widths differ. Where they do not, is there one?"),
    ],
    otherwise="count the weights W and the biases b of the projector.",
    inputs=[(8, 32), (5, 5), (16, 4)],
)
