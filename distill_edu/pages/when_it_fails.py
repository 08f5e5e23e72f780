"""Page "When does distillation fail?": students of better and worse teachers, and the exercises."""

import numpy as np

from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    HARD,
    NEUTRAL,
    TEACHER,
    Picture,
    empty_axes,
    legend,
    plain,
    with_room,
)
from distill_edu.probabilities import soft_targets


def trust_explorer(teachers, right, labels="labels", alpha=0):
    """Slide alpha, the weight of the labels, over students of better and worse teachers.

    `teachers`: name -> the teacher's accuracy; `right`: (name, alpha), and `labels`, the students without a teacher ->
    [seeds, examples], as `Experiment.right`.

    >>> trust_explorer({60: 0.5}, {(60, 0): [[1, 0]], (60, 1): [[1, 1]], "labels": [[1, 1]]})
    <sliders: alpha>
    """
    means = {name: float(np.mean(table)) for name, table in right.items()}
    alone, levels = means.pop(labels), np.array(list(teachers.values()))
    low, high = with_room([*levels, *means.values(), alone], 0.12)
    worst = min(teachers, key=teachers.get)

    def draw(figure, alpha):
        (axes,) = empty_axes(figure, (0.12, 0.17, 0.62, 0.78))
        students = [means[name, alpha] for name in teachers]
        axes.plot([low, high], [low, high], "--", color=NEUTRAL, label="as good as the teacher")
        axes.axhline(alone, color=HARD, label="students of labels")
        axes.vlines(levels, students, alone, color=NEUTRAL, linestyle=":", label="the harm")
        name = f"with a teacher, α = {alpha:g}"
        axes.plot(levels, students, "D", color=DISTILLED, label=name)
        for name, x, y in zip(teachers, levels, students, strict=True):
            look = {"ha": "center", "fontsize": 8, "bbox": {"color": "white", "pad": 0}}
            axes.annotate(f"{name:,} images", (x, y), (0, -14), textcoords="offset points", **look)
        axes.set(xlim=(low, high), xlabel="accuracy of the teacher (share)")
        axes.set(ylim=(low, high), ylabel="accuracy of the student (share)")
        legend(axes, loc="upper left", bbox_to_anchor=(1, 1))
        return (
            f"α = {alpha:g}. The teacher of {worst:,} images is right on {teachers[worst]:.3f} of the test images, its "
            f"students on {means[worst, alpha]:.3f}, and students without a teacher on {alone:.3f}."
        )

    stops = sorted({alpha for _, alpha in means})
    slide = stop_slider("α (weight of the labels)", "alpha", stops, alpha)
    return Explorer(draw, {"alpha": slide}, height=3.4)


def exchanged(p, others):
    """Let the most probable class of each example and another class exchange their probabilities.

    `p`: [examples, classes]; `others`: the other class of each example, [examples].

    >>> exchanged(np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1]]), [2, 0]).tolist()
    [[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]
    """
    p, rows, first = p.copy(), np.arange(len(p)), p.argmax(axis=1)
    p[rows, first], p[rows, others] = p[rows, others], p[rows, first]
    return p


def right_and_copied(classes, teacher, labels):
    """Among the examples that the teacher gets wrong: the shares of right answers and of the teacher's class.

    `classes`: what students answer, [..., examples]; `teacher`, `labels`: [examples].

    >>> right_and_copied(np.array([0, 1, 1, 2]), teacher=np.array([0, 1, 1, 1]), labels=np.array([0, 0, 1, 2]))
    (0.5, 0.5)
    """
    missed = teacher != labels
    return tuple(float(np.mean(classes[..., missed] == other[missed])) for other in (labels, teacher))


def mistakes_picture(shares):
    """Draw what students answer where their teacher is wrong, a bar for each name of `shares`.

    `shares`: name -> (share of right answers, share of answers with the teacher's class).

    >>> mistakes_picture({"labels": (0.8, 0.1), "bad teacher": (0.5, 0.4)})
    <Picture size 504x129.6 with 1 Axes>
    """
    figure = Picture(7, 1 + 0.4 * len(shares))
    axes = figure.add_axes((0.42, 0.55 / figure.get_figheight(), 0.54, 1 - 0.9 / figure.get_figheight()))
    right, copied = np.array(list(shares.values())).T
    parts = {"right": (right, "#D9D9D9"), "the bad teacher's class": (copied, TEACHER)}
    parts["another class"] = (1 - right - copied, "#A6A6A6")
    start = np.zeros(len(shares))
    for name, (widths, colour) in parts.items():
        bars = axes.barh(range(len(shares)), widths, left=start, color=colour, label=name)
        ink = "white" if colour == TEACHER else "black"
        axes.bar_label(
            bars,
            [f"{width:.2f}" if width > 0.05 else "" for width in widths],
            label_type="center",
            color=ink,
            fontsize=8,
        )
        start = start + widths
    axes.set_yticks(range(len(shares)), map(plain, shares))
    axes.set(xlim=(0, 1), ylim=(len(shares) - 0.5, -0.5), xlabel="share of the images that the bad teacher gets wrong")
    axes.legend(fontsize=8, frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


# The teacher says (0.7, 0.1, 0.2), the label is the third class: the alpha at which both are equally probable.
check_alpha_by_hand = Exercise(
    right=1 / 3,
    mistakes=[
        (0.5, "there the label wins against any teacher, but this one is less than fully sure."),
        (2 / 3, "that is the teacher's weight, 1 - alpha."),
        (0.7 / 1.7, "the teacher gives the third class 0.2, too: alpha + (1 - alpha) x 0.2."),
        (0.7, "that is what the teacher gives the first class: its weight is 1 - alpha, so this shrinks."),
    ],
    otherwise="set alpha + (1 - alpha) x 0.2 equal to (1 - alpha) x 0.7.",
)


def _smoothed(labels, classes, share, wrong=None):
    """`wrong`: the probability of each class beside what the label keeps."""
    wrong = share / classes if wrong is None else wrong
    return (1 - share) * np.eye(classes)[labels] + wrong


def _all_to_the_others(labels, classes, share):
    right = np.eye(classes)[labels]
    return (1 - share) * right + share / (classes - 1) * (1 - right)


# function(labels [n], classes, share) -> smoothed labels [n, classes]
check_smoothed = Exercise(
    right=_smoothed,
    mistakes=[
        (lambda y, n, s: np.eye(n)[y], "those labels are not smoothed: mix them with the same number for every class."),
        (lambda y, n, s: _smoothed(y, n, s, 0), "each row must sum to 1: give `share` to all classes together."),
        (lambda y, n, s: np.eye(n)[y] + s / n, "each row must sum to 1: the label keeps 1 - share."),
        (lambda y, n, s: _smoothed(y, n, s, s), "each row must sum to 1: all classes together get `share`, not each."),
        (_all_to_the_others, "the right class gets its part of the share, too: divide by the number of all classes."),
        (lambda y, n, s: _smoothed(y, n, 1 - s), "that gives the label `share`, and the rest to all classes."),
    ],
    otherwise="how much has the label's class in the end, and how much each other class?",
    inputs=[(np.array([0, 2, 1]), 3, 0.3), (np.array([2, 0]), 4, 0.1)],
)
SAID = soft_targets(np.array([[4.0, 1.0, -2.0], [0.5, 2.5, 1.0], [0.0, 0.5, 3.0], [0.3, 0.0, 0.1], [1.0, 0.8, -2.0]]))
SAID_OF_FOUR = soft_targets(
    np.array([[3.0, 0.0, 1.0, -1.0], [0.4, 0.9, 0.5, 0.8], [0.0, 0.5, 3.0, 1.0], [-1.0, 0.0, 0.2, 2.0]])
)


def _trusted(p, labels, keep=lambda first, labels: first == labels):
    return np.where(keep(p.argmax(axis=1), labels)[:, None], p, np.eye(p.shape[1])[labels])


# function(p [n, classes], labels [n], random) -> targets: p where its most probable class is the label, else the label
check_trusted = Exercise(
    right=lambda p, labels, random: _trusted(p, labels),
    mistakes=[
        (lambda p, labels, random: p, "that trusts the teacher everywhere."),
        (lambda p, labels, random: np.eye(p.shape[1])[labels], "that trusts the teacher nowhere."),
        (
            lambda p, labels, random: np.where(
                p[np.arange(len(p)), labels][:, None] > 0.5, p, np.eye(p.shape[1])[labels]
            ),
            "the most probable class may have less than one half: compare the classes, not the probability.",
        ),
        (
            lambda p, labels, random: np.where(
                p[np.arange(len(p)), labels][:, None] > 1 / p.shape[1], p, np.eye(p.shape[1])[labels]
            ),
            "a wrong class may be more probable than a label above 1 / classes: compare the classes.",
        ),
        (lambda p, labels, random: _trusted(p, labels, np.not_equal), "that trusts the teacher where it is wrong."),
        (
            lambda p, labels, random: np.eye(p.shape[1])[p.argmax(axis=1)],
            "those are the teacher's most probable classes: keep its whole answer where this class is right.",
        ),
        (
            lambda p, labels, random: p * (p.argmax(axis=1) == labels)[:, None],
            "where the teacher is wrong, a row of zeros is left: put the label there.",
        ),
    ],
    otherwise="p in the rows whose most probable class is the label, and the one-hot label in the others.",
    inputs=[(SAID, np.array([0, 2, 2, 0, 1]), None), (SAID_OF_FOUR, np.array([0, 3, 1, 3]), None)],
)
