"""Page "How much can you ask a teacher?": students of moved copies, and the page's exercises."""

import ipywidgets
import numpy as np

from distill_edu.metrics import paired_gain
from distill_edu.models import teacher_logits
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, read_logits, slider, stop_slider
from distill_edu.pages.shared.picture import (
    INK,
    Picture,
    class_bars,
    empty_axes,
    legend,
    means_over_stops,
    plain,
    stop_axis,
    with_room,
)
from distill_edu.pages.shared.plots import DISTILLED, HARD, NEUTRAL, TEACHER, gain_in_words
from distill_edu.probabilities import soft_targets

LINES = ((DISTILLED, "D-", "full"), (DISTILLED, "D--", "none"), (HARD, "o-", "full"))


def with_copies(images, labels, each):
    """The images, then `each` copies of all of them, every copy moved by up to two pixels; and their labels."""
    moves = np.random.default_rng(0).integers(-2, 3, size=(len(images) * (each + 1), 2))
    moves[: len(images)] = 0
    pairs = zip(np.tile(images, (each + 1, 1, 1, 1)), moves, strict=True)
    moved = [np.roll(image, move, axis=(0, 1)) for image, move in pairs]
    return np.array(moved), np.tile(labels, each + 1)


def with_confidence(answers, confidence):
    """Probabilities [n, classes], each row at the temperature at which its largest is `confidence` [n]."""
    low, high = np.zeros(len(answers)), np.full(len(answers), 100.0)  # of the power, 1 / temperature
    for _ in range(50):
        power = (low + high) / 2
        rows = (answers / answers.max(axis=-1, keepdims=True)) ** power[:, None]
        rows /= rows.sum(axis=-1, keepdims=True)
        too_sure = rows.max(axis=-1) > confidence
        low, high = np.where(too_sure, low, power), np.where(too_sure, power, high)
    return rows


def copies_explorer(results, images, logits, class_names, temperature=4, copies=0, shown=0):
    """Slide how many copies the students learned from; look at some copies and at the teacher's answers to them.

    `results`: name -> {number of copies: which test images each student classifies correctly [seeds, images]}, for
    students of a teacher that answers each copy, of its answers to the images themselves, and of hard labels, in this
    order. `images`: an image and then copies of it [n, rows, columns, 1]; `logits`: the teacher's for them
    [n, classes], shown as soft targets at `temperature`.
    """
    logits = read_logits(logits, class_names)
    stops = tuple(next(iter(results.values())))
    controls = {
        "copies": stop_slider("Copies learned from (number)", "copies", stops, copies),
        "shown": slider(ipywidgets.IntSlider, "Copy shown (number)", value=shown, max=len(images) - 1),
    }
    targets = soft_targets(logits, temperature)

    def draw(figure, copies, shown):
        sentence = draw_results(figure, results, copies)
        _, *two, right = figure.axes
        for axes, image, title in zip(two, (images[0], images[shown]), ("the image", "this copy"), strict=True):
            axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.set_title(title, fontsize=8, pad=2)
        answers = {"this copy": (targets[shown], TEACHER), "the image": (targets[0], NEUTRAL)}
        class_bars(right, answers, class_names, title=f"teacher, T = {temperature:g}")
        right.set(xlabel="class", ylabel="probability")
        legend(right, fontsize=7)
        name = f"Copy {shown}" if shown else "The image itself"
        answer, original = (class_names[row.argmax()] for row in (targets[shown], targets[0]))
        return f"{sentence} {name}: the teacher calls it {answer}, the image itself {original}."

    return Explorer(draw, controls)


def draw_results(figure, results, copies):
    """Draw mean accuracies with their 95% intervals over the number of copies; return those of `copies` in words."""
    places = (0.11, 0.22, 0.39, 0.67), (0.53, 0.53, 0.13, 0.34), (0.53, 0.08, 0.13, 0.34), (0.79, 0.22, 0.2, 0.67)
    axes, *_ = empty_axes(figure, *places)
    stops = list(next(iter(results.values())))
    ends = []
    for (name, correct), (colour, style, fill) in zip(results.items(), LINES, strict=True):
        accuracies = [students.mean(axis=1) for students in correct.values()]  # (seeds, images) -> (seeds,)
        ends += means_over_stops(axes, accuracies, style, color=colour, fillstyle=fill, label=name)
    stop_axis(axes, stops, copies)
    low, high = with_room(ends, 0.05)
    axes.set(xlim=(-0.4, len(stops) - 0.6), ylim=(low, high + 0.2 * (high - low)))
    axes.set(xlabel="copies", ylabel="test accuracy", title="ways to learn from copies")
    legend(axes, fontsize=7, ncols=3, loc="upper center", columnspacing=1)
    means = ", ".join(f"{name} {correct[copies].mean():.3f}" for name, correct in results.items())
    asked, old, _ = (correct[copies] for correct in results.values())
    return f"{copies:,} copies: {means}. Asking, over the old answers: {gain_in_words(paired_gain(asked, old))}"


def draw_answers(image, label, answers, class_names):
    """Draw an image and, beside it, some answers to it. `answers`: name -> probabilities [classes].

    Words above two bars name the probability of the label and, where the answer is wrong, the largest.
    """
    figure = Picture(7, 2.1)
    axes = figure.add_axes((0.01, 0.2, 0.16, 0.55))
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[], title=f"a moved {plain(class_names[label])}")
    for place, (name, probabilities) in enumerate(answers.items()):
        axes = figure.add_axes((0.26 + 0.74 * place / len(answers), 0.2, 0.74 / len(answers) - 0.015, 0.62))
        class_bars(axes, {name: (probabilities, TEACHER)}, class_names, ylim=(0, 0.6), title=plain(name))
        axes.tick_params(labelleft=place == 0)
        axes.set_xlabel("class")
        largest = probabilities.argmax()
        for bar, word in {largest: "largest", label: "label"}.items():
            axes.text(bar, probabilities[bar] + 0.01, word, fontsize=7, ha="center", va="bottom")
    figure.axes[1].set_ylabel("probability")
    return figure


def draw_questions(teacher, questions, written, shown=6):
    """Draw the first images of each lesson in a row, each with what the teacher calls it and what was written.

    `questions`: name -> images; `written`: name -> labels, where there are any. The share of all images of a lesson
    about which the teacher is right stands below the lesson's name.
    """
    answers = {name: teacher_logits(teacher, images).argmax(axis=-1) for name, images in questions.items()}
    figure = Picture(7, 0.95 * len(questions))
    for row, (name, images) in enumerate(questions.items()):
        bottom = 1 - (row + 1) / len(questions)
        right = f"\nteacher right: {np.mean(answers[name] == written[name]):.3f}" if name in written else ""
        figure.text(0.01, bottom + 0.35 / len(questions), plain(name) + right, fontsize=9, va="center")
        for place in range(shown):
            axes = figure.add_axes((0.22 + 0.13 * place, bottom, 0.11, 0.74 / len(questions)))
            axes.imshow(images[place], cmap="gray_r", vmin=0, vmax=1)
            digit, label = answers[name][place], written[name][place] if name in written else None
            wrong = label is not None and label != digit
            axes.set_title(f"{digit}, not {label}" if wrong else f"{digit}", fontsize=9, pad=2)
            axes.title.set(color=HARD if wrong else INK, weight="bold" if wrong else "normal")
            axes.set_axis_off()
    return figure


# The reader types how often a student sees each of 90 images and 2,700 copies in 1,000 updates of 32 images.
check_times_seen = Exercise(
    right=1000 * 32 / 2790,
    mistakes=[
        (1000 / 2790, "an update takes 32 images, not one."),
        (1000 * 32 / 2700, "the lesson holds the 90 images themselves, too."),
        (1000 * 32 / 90, "that is how often a student sees each image of the lesson without copies."),
        (2790 / 32, "that is the number of updates that see every image once."),
    ],
    otherwise="all updates take 1000 * 32 images: divide by the images in the lesson, and give four digits.",
)


def _shifted(image, down, right):
    wide = np.pad(image, ((2, 2), (2, 2), (0, 0)))
    return wide[2 - down : 2 - down + len(image), 2 - right : 2 - right + image.shape[1]]


SOME_IMAGES = np.linspace(0, 1, 2 * 4 * 4).reshape(2, 4, 4, 1)
# The reader writes function(image, down, right) -> the image moved by up to two pixels, with white where it came from.
check_shifted = Exercise(
    right=_shifted,
    mistakes=[
        (
            lambda image, down, right: np.roll(image, (down, right), axis=(0, 1)),
            "ink that leaves on one side comes back on the other side: fill with 0.",
        ),
        (lambda image, down, right: _shifted(image, -down, -right), "the image moves the other way."),
        (lambda image, down, right: _shifted(image, right, down), "rows are the first axis: down moves along it."),
        (lambda image, down, right: image, "the image does not move yet."),
    ],
    otherwise="pad two pixels on each side, then cut out the part that starts at 2 - down and 2 - right.",
    inputs=[
        (1 - SOME_IMAGES[0], 1, -2),
        (SOME_IMAGES[1], -1, 0),
        (SOME_IMAGES[1, :3] + 1, 0, 2),
        (SOME_IMAGES[1], -2, 1),
        (1 - SOME_IMAGES[0], 2, -1),
    ],
)


class SameNumbers(np.random.Generator):
    """Its normal numbers in float32 are those in float64, rounded: a reader may draw either."""

    def standard_normal(self, size=None, dtype=np.float64, out=None):
        numbers = np.asarray(super().standard_normal(size, out=out))
        return numbers.astype(dtype) if out is None else numbers

    def __reduce__(self):  # a copy is of this class, too
        return SameNumbers, (self.bit_generator,)


def _noisy(images, amount, rng):
    return np.clip(images + amount * rng.standard_normal(images.shape), 0, 1)


# The reader writes function(images, amount, rng) -> the images with normal noise of that standard deviation, cut to
# [0, 1].
check_noisy = Exercise(
    right=_noisy,
    mistakes=[
        (
            lambda images, amount, rng: images + amount * rng.standard_normal(images.shape),
            "some values left [0, 1], where no image of the teacher's lesson was: np.clip.",
        ),
        (
            lambda images, amount, rng: np.clip(images + amount * rng.random(images.shape), 0, 1),
            "that noise only makes images darker: take rng.standard_normal.",
        ),
        (lambda images, _, rng: _noisy(images, 1, rng), "the amount has no effect yet."),
        (
            lambda images, amount, rng: np.clip(images + amount * rng.standard_normal(images.shape[1:]), 0, 1),
            "every image got the same noise: draw numbers for the whole array.",
        ),
        (lambda x, amount, rng: _noisy(x, amount * x, rng), "add the noise, do not multiply: white stayed white."),
    ],
    otherwise="add amount * rng.standard_normal(images.shape), cut.",
    inputs=[
        (SOME_IMAGES, 0.3, SameNumbers(np.random.PCG64(0))),
        (SOME_IMAGES[::-1], 0.1, SameNumbers(np.random.PCG64(1))),
    ],
)
