"""Page "How much can you ask a teacher?": more questions to it, less of each answer; its exercises."""

import ipywidgets
import numpy as np

from distill_edu._inside.check_values import require_logits
from distill_edu.metrics import mean_and_reach, paired_gain
from distill_edu.pages.shared.exercise import check_answer, check_function
from distill_edu.pages.shared.explorer import Explorer, require_names, slider, stop_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    HARD,
    NEUTRAL,
    TEACHER,
    class_axis,
    empty_axes,
    grouped_bars,
    legend,
    means_over_stops,
    plain,
    stop_axis,
    two_axes,
    with_room,
)
from distill_edu.pages.shared.plots import gain_in_words
from distill_edu.probabilities import soft_targets

LINES = ((DISTILLED, "D-", "full"), (DISTILLED, "D--", "none"), (HARD, "o-", "full"))


def copies_explorer(results, images, logits, class_names, temperature=4, copies=0, shown=0):
    """Slide how many copies the students learned from; and look at some copies and the teacher's answers to them.

    `results`: name -> {number of copies: which test images each student is right about [seeds, images]}; first the
    students of a teacher that was asked, then those with its old answers, then those with hard labels. `images`:
    [n, rows, columns, 1], the image itself and then copies of it; `logits`: the teacher's for them [n, classes], shown
    as soft targets at `temperature`.
    """
    logits = require_logits(logits)
    require_names(logits, class_names)
    if logits.shape != (len(images), len(class_names)):
        raise ValueError(f"There are {len(images)} images but logits of the shape {logits.shape}: one row per image.")
    asked, old, hard = results.values()
    if not list(asked) == list(old) == list(hard):
        raise ValueError("Give all three ways to learn the same numbers of copies, in the same order.")
    for copies_of_both in zip(asked.values(), old.values(), strict=True):
        paired_gain(*copies_of_both)  # refuses what is not paired
    controls = {
        "copies": stop_slider("Copies learned from (number)", "copies", tuple(asked), copies),
        "shown": slider(ipywidgets.IntSlider, "Copy shown (number)", value=shown, max=len(images) - 1),
    }
    targets = soft_targets(logits, temperature)

    def draw(figure, copies, shown):
        said = draw_results(figure, results, copies)
        draw_copy(figure, images[shown], targets[shown], targets[0], class_names, temperature)
        name = f"Copy {shown}" if shown else "The image itself"
        answers = [class_names[row.argmax()] for row in (targets[shown], targets[0])]
        return f"{said} {name}: the teacher says {answers[0]}, to the image itself {answers[1]}."

    return Explorer(draw, controls)


def draw_results(figure, results, copies):
    """Mean accuracies with their 95% intervals over the number of copies; this number's in words."""
    axes, *_ = empty_axes(figure, (0.11, 0.22, 0.4, 0.67), (0.55, 0.4, 0.13, 0.4), (0.77, 0.22, 0.22, 0.67))
    stops = list(next(iter(results.values())))
    ends = []
    for (name, of_copies), (colour, style, fill) in zip(results.items(), LINES, strict=True):
        accuracies = [right.mean(axis=1) for right in of_copies.values()]
        ends += means_over_stops(axes, accuracies, style, color=colour, fillstyle=fill, label=plain(name))
    stop_axis(axes, stops, copies)
    low, high = with_room(ends, 0.05)
    axes.set(xlim=(-0.4, len(stops) - 0.6), ylim=(low, high + 0.2 * (high - low)))
    axes.set(xlabel="copies", ylabel="accuracy", title="ways to learn from copies")
    legend(axes, fontsize=7, ncols=3, loc="upper center", columnspacing=1)
    means = ", ".join(f"{name} {of_copies[copies].mean():.3f}" for name, of_copies in results.items())
    asked, old, _ = (of_copies[copies] for of_copies in results.values())
    return f"{copies:,} copies: {means}. Asking, over the old answers: {gain_in_words(paired_gain(asked, old))}"


def draw_copy(figure, image, targets, of_the_image, class_names, temperature):
    """A copy, and the teacher's soft targets for it beside those for the image itself."""
    _, image_axes, right = figure.axes
    image_axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    image_axes.set(xticks=[], yticks=[], title="copy shown")
    grouped_bars(right, {"this copy": (targets, TEACHER), "the image": (of_the_image, NEUTRAL)})
    class_axis(right, class_names)
    right.set(ylim=(0, 1), title=f"teacher, T = {temperature:g}")
    legend(right, fontsize=7)


def black_box_explorer(logits, results, class_names, top=None, temperature=1):
    """Slide how many classes a black box names, and the temperature that its answer is softened with.

    `logits`: the teacher's for one example [classes]. `results`: number of classes -> {temperature: the accuracies of
    students that learned from such answers [seeds]}, for the same temperatures each.
    """
    logits = require_logits(logits)
    require_names(logits, class_names)
    temperatures = tuple(next(iter(results.values())))
    controls = {
        "top": stop_slider("Classes named (number)", "top", tuple(results), top or next(iter(results))),
        "temperature": stop_slider("Temperature T (no unit)", "temperature", temperatures, temperature),
    }

    def draw(figure, top, temperature):
        return draw_black_box(figure, logits, results, class_names, top, temperature)

    return Explorer(draw, controls)


def draw_black_box(figure, logits, results, class_names, top, temperature):
    """One answer, whole and cut, as soft targets; on the right what students of such answers reach at each T."""
    left, right = two_axes(figure)
    cut = soft_targets(top_logits(logits, top), temperature)
    whole = soft_targets(logits, temperature)
    grouped_bars(left, {f"top {top}": (cut, TEACHER), "all classes": (whole, NEUTRAL)})
    class_axis(left, class_names)
    left.set(ylim=(0, 1), ylabel="soft target", title=f"one answer at T = {temperature:g}")
    legend(left)
    ends = []
    for number, of_temperature in results.items():
        values = of_temperature.values()
        if number == top:
            means_over_stops(right, values, "D-", color=DISTILLED, zorder=3, label=f"top {top}")
        else:
            right.plot([np.mean(each) for each in values], "D-", color=NEUTRAL, alpha=0.4, markersize=4)
        ends += [mean + side * reach for mean, _, reach in map(mean_and_reach, values) for side in (-1, 1)]
    stop_axis(right, results[top], temperature)
    right.set(ylim=with_room(ends, 0.1), xlabel="temperature", ylabel="accuracy")
    right.set_title("students of such answers")
    legend(right)
    named = ", ".join(f"{class_names[c]} {cut[c]:.3f}" for c in np.argsort(-cut, kind="stable")[: min(top, 3)])
    return (
        f"Soft targets from the {top} largest of {len(logits)} shares at T = {temperature:g}: {named}"
        f"{', ...' if top > 3 else ''}. Students that learn from such answers reach "
        f"{np.mean(results[top][temperature]):.3f}."
    )


def top_logits(logits, count):
    """Log shares [..., classes] of the `count` likeliest classes as a black box names them; -inf for the others."""
    shares = np.log(soft_targets(logits))
    order = np.argsort(-shares, axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1)
    return np.where(rank < count, shares, -np.inf).astype("float32")


def check_top_by_hand(answer):
    """The soft target at T = 2 of the second of the two largest shares, 0.9 and 0.06."""
    roots = np.sqrt([0.9, 0.06])
    mistakes = [
        (0.06, "that is the share itself: the two must sum to 1, and T is 2."),
        (0.0625, "that is T = 1: a temperature of 2 takes the square root of each share first."),
        (0.06**2 / (0.9**2 + 0.06**2), "you squared the shares: T = 2 takes their roots."),
        (roots[0] / roots.sum(), "that is the first class."),
        (roots[1], "now divide by the sum of both roots."),
    ]
    right = roots[1] / roots.sum()
    return check_answer(answer, right, mistakes, "the logits are log shares; divide them by T, then the softmax.")


def check_rounded_logits(function):
    """function(logits, digits) -> the logarithm of the shares, rounded to so many digits."""

    mistakes = [
        (np.round, "you rounded the logits: the box rounds the shares (the softmax)."),
        (lambda z, digits: np.round(soft_targets(z), digits), "those are the rounded shares: take their logarithm."),
        (lambda z, digits: np.log(soft_targets(z)), "nothing is rounded yet."),
        (
            lambda z, digits: np.round(np.log(soft_targets(z)), digits),
            "round the shares first, then take the logarithm.",
        ),
        (
            lambda z, digits: np.log(np.round(soft_targets(z), digits) + 1e-9),
            "add nothing: a share of 0 has the logit -inf.",
        ),
    ]
    inputs = [(np.array([[9.0, 2.0, 1.0, -3.0], [0.5, 1.0, 4.0, 0.0]]), 2), (np.array([[3.0, 0.0, -2.0]]), 1)]

    def right(z, digits):
        with np.errstate(divide="ignore"):
            return np.log(np.round(soft_targets(z), digits))

    return check_function(function, right, inputs, mistakes, "softmax, round, logarithm.")


def check_noisy(function):
    """function(images, amount, rng) -> the images with normal noise of that standard deviation, cut to [0, 1]."""

    def right(images, amount, rng):
        return np.clip(images + amount * rng.standard_normal(images.shape), 0, 1)

    mistakes = [
        (
            lambda images, amount, rng: images + amount * rng.standard_normal(images.shape),
            "some values left [0, 1], where no image of the teacher's lesson was: np.clip.",
        ),
        (
            lambda images, amount, rng: np.clip(images + amount * rng.random(images.shape), 0, 1),
            "that noise only makes images darker: take rng.standard_normal.",
        ),
        (
            lambda images, amount, rng: np.clip(images + rng.standard_normal(images.shape), 0, 1),
            "the amount has no effect yet.",
        ),
        (
            lambda images, amount, rng: np.clip(images + amount * rng.standard_normal(images.shape[1:]), 0, 1),
            "every image got the same noise: draw numbers for the whole array.",
        ),
        (
            lambda images, amount, rng: np.clip(images * (1 + amount * rng.standard_normal(images.shape)), 0, 1),
            "add the noise, do not multiply: white stayed white.",
        ),
    ]
    images = np.linspace(0, 1, 2 * 4 * 4).reshape(2, 4, 4, 1)
    inputs = [(images, 0.3, np.random.default_rng(0)), (images[::-1], 0.1, np.random.default_rng(1))]
    return check_function(function, right, inputs, mistakes, "add amount * rng.standard_normal(images.shape), cut.")
