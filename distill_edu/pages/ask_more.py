"""Page "How much can you ask a teacher?": more questions, fewer numbers in each answer; its exercises."""

import ipywidgets
import numpy as np

from distill_edu.metrics import mean_and_reach, paired_gain
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, read_logits, slider, stop_slider
from distill_edu.pages.shared.picture import (
    class_bars,
    empty_axes,
    legend,
    means_over_stops,
    stop_axis,
    two_axes,
    with_room,
)
from distill_edu.pages.shared.plots import DISTILLED, HARD, NEUTRAL, TEACHER, gain_in_words
from distill_edu.probabilities import soft_targets

LINES = ((DISTILLED, "D-", "full"), (DISTILLED, "D--", "none"), (HARD, "o-", "full"))


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
        _, image_axes, right = figure.axes
        image_axes.imshow(images[shown], cmap="gray_r", vmin=0, vmax=1)
        image_axes.set(xticks=[], yticks=[], title="copy shown")
        answers = {"this copy": (targets[shown], TEACHER), "the image": (targets[0], NEUTRAL)}
        class_bars(right, answers, class_names, title=f"teacher, T = {temperature:g}")
        legend(right, fontsize=7)
        name = f"Copy {shown}" if shown else "The image itself"
        answer, original = (class_names[row.argmax()] for row in (targets[shown], targets[0]))
        return f"{sentence} {name}: the teacher says {answer}, to the image itself {original}."

    return Explorer(draw, controls)


def draw_results(figure, results, copies):
    """Draw mean accuracies with their 95% intervals over the number of copies; return those of `copies` in words."""
    axes, *_ = empty_axes(figure, (0.11, 0.22, 0.4, 0.67), (0.55, 0.4, 0.13, 0.4), (0.77, 0.22, 0.22, 0.67))
    stops = list(next(iter(results.values())))
    ends = []
    for (name, correct), (colour, style, fill) in zip(results.items(), LINES, strict=True):
        accuracies = [students.mean(axis=1) for students in correct.values()]  # (seeds, images) -> (seeds,)
        ends += means_over_stops(axes, accuracies, style, color=colour, fillstyle=fill, label=name)
    stop_axis(axes, stops, copies)
    low, high = with_room(ends, 0.05)
    axes.set(xlim=(-0.4, len(stops) - 0.6), ylim=(low, high + 0.2 * (high - low)))
    axes.set(xlabel="copies", ylabel="accuracy", title="ways to learn from copies")
    legend(axes, fontsize=7, ncols=3, loc="upper center", columnspacing=1)
    means = ", ".join(f"{name} {correct[copies].mean():.3f}" for name, correct in results.items())
    asked, old, _ = (correct[copies] for correct in results.values())
    return f"{copies:,} copies: {means}. Asking, over the old answers: {gain_in_words(paired_gain(asked, old))}"


def black_box_explorer(logits, results, class_names, top=None, temperature=1):
    """Slide how many classes a black box names, and the temperature that softens the answer.

    `logits`: the teacher's for one example [classes]. `results`: number of classes -> {temperature: accuracies [seeds]
    of students that learned from such answers}, with the same temperatures for every number of classes.

    >>> black_box_explorer([4.0, 1.0], {1: {1: [0.8, 0.9]}, 2: {1: [0.9, 0.9]}}, ["cat", "dog"])
    <sliders: top, temperature>
    """
    logits = read_logits(logits, class_names)
    temperatures = tuple(next(iter(results.values())))
    controls = {
        "top": stop_slider("Classes named (number)", "top", tuple(results), top or next(iter(results))),
        "temperature": stop_slider("Temperature T (no unit)", "temperature", temperatures, temperature),
    }

    def draw(figure, top, temperature):
        left, right = two_axes(figure)
        cut = soft_targets(top_logits(logits, top), temperature)
        answers = {f"top {top}": (cut, TEACHER), "all classes": (soft_targets(logits, temperature), NEUTRAL)}
        class_bars(left, answers, class_names, ylabel="soft target", title=f"one answer at T = {temperature:g}")
        legend(left)
        _draw_students(right, results, top)
        stop_axis(right, temperatures, temperature)
        named = ", ".join(f"{class_names[c]} {cut[c]:.3f}" for c in np.argsort(-cut, kind="stable")[: min(top, 3)])
        return (
            f"Soft targets from the {top} largest of {len(logits)} shares at T = {temperature:g}: {named}"
            f"{', ...' if top > 3 else ''}. Students that learn from such answers reach "
            f"{np.mean(results[top][temperature]):.3f}."
        )

    return Explorer(draw, controls)


def _draw_students(axes, results, top):
    """Draw the accuracies over the temperatures: of `top` with 95% intervals, of other numbers of classes pale."""
    ends = []
    for number, accuracies in results.items():
        values = accuracies.values()
        if number == top:
            means_over_stops(axes, values, "D-", color=DISTILLED, zorder=3, label=f"top {top}")
        else:
            axes.plot([np.mean(seeds) for seeds in values], "D-", color=NEUTRAL, alpha=0.4, markersize=4)
        ends += [mean + side * reach for mean, _, reach in map(mean_and_reach, values) for side in (-1, 1)]
    axes.set(ylim=with_room(ends, 0.1), xlabel="temperature", ylabel="accuracy", title="students of such answers")
    legend(axes)


def top_logits(logits, count):
    """Keep the log shares of the `count` likeliest classes [..., classes], as a black box does; -inf for the rest.

    >>> top_logits(np.log([0.7, 0.2, 0.1]), 2)
    array([-0.3566..., -1.609..., -inf], dtype=float32)
    """
    shares = np.log(soft_targets(logits))
    order = np.argsort(-shares, axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1)
    return np.where(rank < count, shares, -np.inf).astype("float32")


# The reader types the soft target at T = 2 of the second of the two largest shares, 0.9 and 0.06.
check_top_by_hand = Exercise(
    right=np.sqrt(0.06) / (np.sqrt(0.9) + np.sqrt(0.06)),
    mistakes=[
        (0.06, "that is the share itself: the two must sum to 1, and T is 2."),
        (0.0625, "that is T = 1: a temperature of 2 takes the square root of each share first."),
        (0.06**2 / (0.9**2 + 0.06**2), "you squared the shares: T = 2 takes their roots."),
        (np.sqrt(0.9) / (np.sqrt(0.9) + np.sqrt(0.06)), "that is the first class."),
        (np.sqrt(0.06), "now divide by the sum of both roots."),
    ],
    otherwise="the logits are log shares; divide them by T, then the softmax.",
)
# The reader writes function(logits, digits) -> the logarithm of the shares, rounded to so many digits.
check_rounded_logits = Exercise(
    right=lambda z, digits: np.log(np.round(soft_targets(z), digits)),
    mistakes=[
        (np.round, "you rounded the logits: the box rounds the shares (the softmax)."),
        (lambda z, digits: np.round(soft_targets(z), digits), "those are the rounded shares: take their logarithm."),
        (lambda z, digits: np.log(soft_targets(z)), "nothing is rounded yet."),
        (lambda z, d: np.round(np.log(soft_targets(z)), d), "round the shares first, then take the logarithm."),
        (lambda z, d: np.log(np.round(soft_targets(z), d) + 1e-9), "add nothing: a share of 0 has the logit -inf."),
    ],
    otherwise="softmax, round, logarithm.",
    inputs=[(np.array([[9.0, 2.0, 1.0, -3.0], [0.5, 1.0, 4.0, 0.0]]), 2), (np.array([[3.0, 0.0, -2.0]]), 1)],
)


def _noisy(images, amount, rng):
    return np.clip(images + amount * rng.standard_normal(images.shape), 0, 1)


SOME_IMAGES = np.linspace(0, 1, 2 * 4 * 4).reshape(2, 4, 4, 1)
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
    inputs=[(SOME_IMAGES, 0.3, np.random.default_rng(0)), (SOME_IMAGES[::-1], 0.1, np.random.default_rng(1))],
)
