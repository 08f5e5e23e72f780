"""Page "What does the teacher know that the labels don't say?": the bars of soft targets, and its exercises."""

import ipywidgets
import numpy as np

from distill_edu.pages.shared.exercise import OVERFLOWS, Z_STUDENT, Z_TEACHER, Exercise
from distill_edu.pages.shared.explorer import Explorer, read_logits, slider, temperature_slider
from distill_edu.pages.shared.picture import TEACHER, class_bars, empty_axes, percent, plain
from distill_edu.probabilities import entropy, soft_targets


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


NOT_DIVIDED = "the rows do not sum to 1: divide by the sum of the powers."
# The reader writes function(logits) -> softmax over the last axis.
check_softmax = Exercise(
    right=soft_targets,
    mistakes=[
        (np.exp, NOT_DIVIDED),
        (lambda z: np.exp(z - z.max(axis=-1, keepdims=True)), NOT_DIVIDED),
        (lambda z: np.exp(z) / np.exp(z).sum(), "you divided by the sum over all examples: each row has its own sum."),
        (lambda z: np.exp(z) / np.exp(z).sum(axis=0), "you summed over the examples (axis=0): sum over the classes."),
        (lambda z: z / z.sum(axis=-1, keepdims=True), "exp() is missing: logits can be negative."),
    ],
    otherwise="compute exp(logits), then divide.",
    inputs=[(Z_TEACHER,), (Z_STUDENT[:, :2],)],
    then=Exercise(soft_targets, [], OVERFLOWS, [(np.array([[1000.0, 999.0], [0.0, -1000.0]]),)]),
)


def _most_similar(rows, c):
    """The class, other than c, with the largest mean probability in these rows."""
    return int(np.where(np.arange(rows.shape[1]) == c, -1, rows.mean(axis=0)).argmax())


PROBABILITIES = np.array(
    [
        *([0.6, 0.3, 0.1, 0.0], [0.1, 0.35, 0.15, 0.4]),  # labelled 0
        *([0.5, 0.2, 0.2, 0.1], [0.3, 0.25, 0.05, 0.4]),  # labelled 1: it is not the likeliest itself
        *([0.05, 0.2, 0.25, 0.5], [0.2, 0.45, 0.25, 0.1]),  # labelled 3
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
        (lambda p, y, c: _most_similar(p[p.argmax(axis=1) == c], c), "group by the labels, not by the answers."),
        (lambda p, y, c: np.argsort(p[y == c].mean(axis=0))[-2], "the second largest may be c itself: leave c out."),
    ],
    otherwise="return the number of one class.",
    inputs=[(PROBABILITIES, np.array([0, 0, 1, 1, 3, 3]), c) for c in (0, 1, 3)],
)
