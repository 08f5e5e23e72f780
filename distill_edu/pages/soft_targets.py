"""Page "What does the teacher know that the labels don't say?": its students, its two sliders, its exercises."""

from collections import Counter

import ipywidgets
import numpy as np
from matplotlib.colors import to_rgb

from distill_edu.evidence import Experiment
from distill_edu.pages.shared.exercise import OVERFLOWS, Z_STUDENT, Z_TEACHER, Exercise
from distill_edu.pages.shared.explorer import Explorer, read_logits, slider, temperature_slider
from distill_edu.pages.shared.picture import DISTILLED, HARD, TEACHER, class_bars, empty_axes, percent, plain
from distill_edu.probabilities import entropy, soft_targets


def twin_students(teacher, data, images=90, draws=10, temperature=4, average=False):
    """Train students on the same few images, draw by draw: from labels, from a teacher's answers: an `Experiment`.

    A student is one weight per pixel and class. It starts at zero and takes 500 steps of gradient descent. `teacher`: a
    scikit-learn model with `predict_proba`; its answers are softened by the temperature. `average`: a third student
    learns from the teacher's average answer to the images of each class.
    """
    (x, y), (x_test, y_test) = (
        (pixels.reshape(len(pixels), -1), classes) for pixels, classes in (data.train, data.test)
    )
    answers = soft_targets(np.log(teacher.predict_proba(x)), temperature)
    lessons = {"labels": np.eye(len(data.class_names))[y], "teacher's answers": answers}
    if average:
        lessons["average answers"] = np.array([answers[y == c].mean(axis=0) for c in range(len(data.class_names))])[y]
    rows = np.array([np.random.default_rng(draw).choice(len(x), images, replace=False) for draw in range(draws)])
    students = {lesson: _descend(x[rows], targets[rows]) for lesson, targets in lessons.items()}
    right = {lesson: (x_test @ weights).argmax(axis=-1) == y_test for lesson, weights in students.items()}
    return Experiment("accuracy", right=right, covers=f"the draw of {images} images")


def _descend(x, targets, steps=500, rate=0.1):
    """Weights [draws, pixels, classes] of students that learned from x [draws, images, pixels] and their targets."""
    weights = np.zeros((len(x), x.shape[-1], targets.shape[-1]), x.dtype)
    for _ in range(steps):
        weights -= rate / x.shape[1] * x.swapaxes(1, 2) @ (soft_targets(x @ weights) - targets).astype(x.dtype)
    return weights


def mistakes_explorer(images, right, shown=100):
    """Slide the draw: the first test images twice, on a colour where the student of that draw is wrong.

    `images`: [examples, height, width, 1]; `right`: the name of a lesson -> [draws, examples], for two lessons.

    >>> right = {"labels": [[0, 1], [0, 0]], "teacher's answers": [[1, 1], [0, 1]]}
    >>> mistakes_explorer(np.zeros((2, 8, 8, 1)), right)
    <sliders: draw>
    """
    images = np.round(4 * np.asarray(images)[:shown, ..., 0]) / 4  # five greys: a page of the site carries all draws
    right = {name: np.asarray(rows) for name, rows in right.items()}

    def draw_mistakes(figure, draw):
        axes = empty_axes(figure, (0.02, 0.02, 0.46, 0.86), (0.52, 0.02, 0.46, 0.86))
        counts = []
        for side, (lesson, rows), colour in zip(axes, right.items(), (HARD, DISTILLED), strict=True):
            wrong = rows[draw - 1, : len(images)] == 0
            counts.append(f"{lesson}: {wrong.sum()} of {len(images)} wrong")
            side.imshow(_mosaic(images, wrong, to_rgb(colour)), interpolation="none")
            side.set_axis_off()
            side.set_title(plain(counts[-1]), fontsize=10)
        return f"Draw {draw}. Two students that saw the same images; {'; '.join(counts)}."

    draws = len(next(iter(right.values())))
    return Explorer(
        draw_mistakes, {"draw": slider(ipywidgets.IntSlider, "Draw (number)", min=1, max=draws)}, height=3.9
    )


def _mosaic(images, wrong, colour):
    """Images [n, height, width] in rows of ten as one image [..., 3]: black on `colour` where wrong, else pale."""
    ink = np.where(wrong[:, None, None], 1, 0.4) * images
    tiles = np.where(wrong[:, None], colour, (1, 1, 1))[:, None, None] * (1 - ink[..., None])
    tiles = np.pad(
        tiles, [(0, -len(images) % 10), (1, 1), (1, 1), (0, 0)], constant_values=1
    )  # whole rows, white seams
    count, height, width, _ = tiles.shape
    rows = tiles.reshape(count // 10, 10, height, width, 3).swapaxes(1, 2)  # (rows, height, columns, width, colour)
    return rows.reshape(count // 10 * height, 10 * width, 3)


def temperature_explorer(logits, class_names, items=None, titles=None, temperature=1):
    """Slide T over a teacher's logits [n, classes] or [classes]: bars of the soft targets, and their entropy.

    `items`: the n images or words that the teacher answers; `titles`: the line above each of them. With more than one
    row of logits a second slider chooses the row. Raises ValueError for NaN, for probabilities, and for shapes that do
    not fit each other.

    >>> temperature_explorer([[4.0, 1.0], [0.5, 1.0]], ["cat", "dog"], items=["Katze", "Hund"])
    <sliders: temperature, example>
    """
    logits = np.atleast_2d(read_logits(logits, class_names))
    if items is not None and len(items) != len(logits):
        raise ValueError(f"items has {len(items)} entries and logits {len(logits)}: give one item per row of logits.")
    items = [None] * len(logits) if items is None else items
    titles = [""] * len(logits) if titles is None else titles

    def draw(figure, temperature, example=0):
        p = soft_targets(logits[example], temperature)
        axes = _item_and_axes(figure, items[example], titles[example], len(class_names))
        title = f"soft targets at T = {temperature:g}"
        class_bars(axes, {None: (p, TEACHER)}, class_names, ylabel="probability", title=title)
        first, second = np.argsort(p)[::-1][:2]
        nats = entropy(p)
        return (
            f"At T = {temperature:g} the teacher gives {class_names[first]} {percent(p[first])} and "
            f"{class_names[second]} {percent(p[second])}. Entropy {nats:.2f} nats: as unsure as a fair choice "
            f"among {np.exp(nats):.1f} classes."
        )

    controls = {"temperature": temperature_slider(temperature)}
    if len(logits) > 1:
        controls["example"] = slider(ipywidgets.IntSlider, "Example (number)", max=len(logits) - 1)
    return Explorer(draw, controls)


def _item_and_axes(figure, item, title, classes):
    bottom, height = (0.3, 0.56) if classes > 12 else (0.16, 0.7)  # more than 12 names are slanted and need room
    if item is None:
        return empty_axes(figure, (0.1, bottom, 0.88, height))[0]
    side, axes = empty_axes(figure, (0.02, 0.2, 0.2, 0.6), (0.33, bottom, 0.65, height))
    side.set_axis_off()
    side.set_title(plain(title), fontsize=9)
    if isinstance(item, str):
        side.text(0.5, 0.5, plain(item), ha="center", va="center", fontsize=12 if len(item) < 18 else 8, wrap=True)
    else:
        side.imshow(item, cmap="gray_r", vmin=0, vmax=1)
    return axes


def unshared_names(words):
    """Return the training and the test names (names, labels) of `languages` that belong to one language alone.

    Names that differ in capitals only are one name, as they are for a teacher that reads small letters.
    """
    parts = words.train, words.valid, words.test
    pairs = {(name.casefold(), language) for part in parts for name, language in zip(*part, strict=True)}
    languages = Counter(name for name, _ in pairs)
    return [
        tuple(column[[languages[name.casefold()] == 1 for name in part[0]]] for column in part)
        for part in (words.train, words.test)
    ]


# The reader types the entropy of (1/2, 1/4, 1/4) in nats.
check_entropy_by_hand = Exercise(
    right=1.5 * np.log(2),
    mistakes=[
        (1.5, "that is the entropy in bits. In nats the logarithm is the natural one."),
        (-1.5 * np.log(2), "an entropy is never negative: mind the minus sign in front of the sum."),
        (5 * np.log(2), "weight each log p with its own p before you add."),
        (2**1.5, "that is exp(entropy), the number of classes it is worth."),
    ],
    otherwise="add -p ln(p) over the three classes.",
)


def _normalised(powers):
    return powers / powers.sum(axis=-1, keepdims=True)


NOT_DIVIDED = "the rows do not sum to 1: divide by the sum of the powers."
# The reader writes function(logits) -> softmax over the last axis.
check_softmax = Exercise(
    right=soft_targets,
    mistakes=[
        (np.exp, NOT_DIVIDED),
        (lambda z: np.exp(z - z.max(axis=-1, keepdims=True)), NOT_DIVIDED),
        (lambda z: np.exp(z) / np.exp(z).sum(), "you divided by the sum over all examples: each row has its own sum."),
        (lambda z: np.exp(z) / np.exp(z).sum(axis=0), "you summed over the examples (axis=0): sum over the classes."),
        (_normalised, "exp() is missing: logits can be negative."),
    ],
    otherwise="compute exp(logits), then divide.",
    inputs=[(Z_TEACHER,), (Z_STUDENT[:, :2],), (Z_TEACHER[0],), (np.stack([Z_TEACHER, Z_STUDENT]),)],
    then=Exercise(
        soft_targets,
        [(lambda z: _normalised(np.exp(z - z.max())), "you subtracted the largest logit of all rows: use each row's.")],
        OVERFLOWS,
        [(np.array([[1000.0, 999.0], [-2000.0, 0.0]]),)],
    ),
)


def _most_similar(rows, c):
    """The class, other than c, with the largest mean probability in these rows."""
    return int(np.where(np.arange(rows.shape[1]) == c, -1, rows.mean(axis=0)).argmax())


# Three rows labelled 0, three labelled 1, three labelled 3: each likely mistake finds other classes in them.
PROBABILITIES = np.array(
    [
        *([0.55, 0.0, 0.25, 0.2], [0.1, 0.2, 0.45, 0.25], [0.0, 0.5, 0.0, 0.5]),
        *([0.0, 0.55, 0.45, 0.0], [0.15, 0.3, 0.1, 0.45], [0.25, 0.2, 0.25, 0.3]),
        *([0.35, 0.15, 0.3, 0.2], [0.1, 0.4, 0.3, 0.2], [0.2, 0.15, 0.3, 0.35]),
    ]
)
ONE_ONLY = "you took one example, or the hard answers: average the probabilities over all examples of the class."
# The reader writes function(probabilities, labels, c) -> the class, other than c, that c's examples give most
# probability to.
check_most_similar_class = Exercise(
    right=lambda p, y, c: _most_similar(p[y == c], c),
    mistakes=[
        (lambda p, y, c: p[y == c].mean(axis=0).argmax(), "that is the class itself: leave it out first."),
        (lambda p, y, c: _most_similar(p[y == c][:1], c), ONE_ONLY),
        (lambda p, y, c: _most_similar(np.eye(4)[p[y == c].argmax(axis=1)], c), ONE_ONLY),
        (lambda p, y, c: _most_similar(p[y != c], c), "average over the rows whose label is c."),
        (lambda p, y, c: _most_similar(p, c), "you averaged over all rows: take those whose label is c."),
        (lambda p, y, c: _most_similar(p[p.argmax(axis=1) == c], c), "group by the labels, not by the answers."),
        (lambda p, y, c: np.argsort(p[y == c].mean(axis=0))[-2], "the second largest may be c itself: leave c out."),
        (
            lambda p, y, c: np.delete(p[y == c].mean(axis=0), c).argmax(),
            "np.delete shifts the numbers of the later classes.",
        ),
        (lambda p, y, c: _most_similar(np.median(p[y == c], axis=0)[None], c), "that is the median: take the mean."),
        (
            lambda p, y, c: _most_similar((p[:, c] @ p)[None], c),
            "you weighted all rows by c's probability: take those whose label is c.",
        ),
        (lambda p, y, c: _most_similar(p[y == c].max(axis=0)[None], c), "that is the maximum: take the mean."),
        (lambda p, y, c: _most_similar(p[y == c] ** 2, c), "you squared the probabilities: take their mean."),
        (
            lambda p, y, c: _most_similar(p[y == c] * (p[y == c].argmax(axis=1) == c)[:, None], c),
            "you left the teacher's mistakes out: here they count, too.",
        ),
    ],
    otherwise="average p over the rows whose label is c, leave c out, and return the number of the largest.",
    inputs=[(PROBABILITIES, np.repeat([0, 1, 3], 3), c) for c in (0, 1, 3)],
)
