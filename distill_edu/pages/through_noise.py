"""Page "Can knowledge pass through noise?": what students of noise say about digits; its exercises."""

import numpy as np

from distill_edu.metrics import mean_and_reach
from distill_edu.pages.shared.exercise import check_answer, check_function
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.picture import DISTILLED, NEUTRAL, TEACHER, empty_axes
from distill_edu.probabilities import soft_targets


def noise_explorer(answers, stops, shares, images, labels, noise, teacher):
    """Slide how long students learned from noise, and how far they started from their teacher's start.

    `answers`: the classes that students say, integers [seeds, stops, shares, examples]; `stops`: updates on noise;
    `shares`: of another start. `images` [examples, rows, columns, 1] and `labels` [examples]: what they were asked
    about, every class among them; a class is called by its number. `noise`: an image of the lesson; `teacher`: the
    mean accuracy of the teachers.
    """
    answers, labels = np.asarray(answers), np.asarray(labels)
    if answers.shape[1:] != (len(stops), len(shares), len(labels)) or len(images) != len(labels):
        raise ValueError(
            f"answers has the shape {answers.shape}: give [seeds, {len(stops)} stops, {len(shares)} shares, "
            f"{len(images)} images], and as many labels as images, not {len(labels)}."
        )
    classes = range(int(labels.max()) + 1)
    if missing := [str(c) for c in classes if c not in labels]:
        raise ValueError(f"Every class is shown once, and there is no image of {', '.join(missing)}.")
    right = (answers == labels).mean(axis=-1)  # [seeds, stops, shares]
    examples = [int(np.argmax(labels == c)) for c in classes]
    controls = {
        "steps": stop_slider("Updates on noise (number)", "steps", tuple(stops), stops[0]),
        "share": stop_slider("Another start (share)", "share", tuple(shares), shares[0]),
    }

    def draw(figure, steps, share):
        said = draw_accuracies(figure, right, stops, shares, teacher, 1 / len(classes), steps, share)
        figure.axes[1].imshow(noise, cmap="gray_r")
        figure.axes[1].set(xticks=[], yticks=[], title="its lesson")
        first = answers[0, list(stops).index(steps), list(shares).index(share)]
        draw_answers(figure.axes[2], images[examples], first[examples])
        return said

    return Explorer(draw, controls)


def draw_accuracies(figure, right, stops, shares, teacher, chance, steps, share):
    """Mean accuracy over the updates for every start, this one with its 95% intervals; in words, too."""
    axes, *_ = empty_axes(figure, (0.1, 0.22, 0.42, 0.67), (0.55, 0.34, 0.13, 0.42), (0.71, 0.16, 0.28, 0.72))
    for one, of_start in zip(shares, np.moveaxis(right, -1, 0), strict=True):
        if one == share:
            means, _, reaches = zip(*map(mean_and_reach, of_start.T), strict=True)
            axes.errorbar(stops, means, reaches, fmt="D-", color=DISTILLED, capsize=2, markersize=3)
        else:
            axes.plot(stops, of_start.mean(axis=0), color=NEUTRAL, alpha=0.4)
    for height, name, colour in ((teacher, "teacher", TEACHER), (chance, "a guess", "black")):
        axes.axhline(height, color=colour, linewidth=0.8, linestyle="--")
        axes.text(stops[-1], height + 0.015, name, ha="right", fontsize=8, color=colour)
    axes.axvline(steps, color=NEUTRAL, linewidth=4, alpha=0.25)
    axes.set(ylim=(0, 1.02), xlabel="updates on noise", ylabel="digits right")
    mean, _, reach = mean_and_reach(right[:, list(stops).index(steps), list(shares).index(share)])
    start = {0: "the teacher's start", 1: "another start"}.get(share, f"a mixed start ({share:g} of another one)")
    return (
        f"From {start}, after {steps} updates on noise: {mean:.3f} of the digits are right (95%: ± {reach:.3f}, "
        f"{len(right)} seeds). The teachers: {teacher:.3f}. A guess: {chance:.3f}."
    )


def draw_answers(axes, images, said):
    """An image of each class in rows of five, and below it what the first student says: green where it is right."""
    for label, image in enumerate(images[..., 0]):
        row, column = divmod(label, 5)
        axes.imshow(image, cmap="gray_r", extent=(column, column + 0.9, -1.5 * row - 0.9, -1.5 * row))
        colour = DISTILLED if said[label] == label else NEUTRAL
        axes.text(column + 0.45, -1.5 * row - 0.95, str(said[label]), ha="center", va="top", fontsize=9, color=colour)
    axes.set(xlim=(0, 5), ylim=(-1.5 * ((len(images) - 1) // 5) - 1.5, 0.1), title="what it says")
    axes.set_axis_off()


def mixed(one, other, share):
    """The model `one` with its weights turned towards those of `other`: at 0 none of them, at 1 `other` alone.

    Cosine and sine of the angle share * pi / 2 keep the spread of random weights, which their mean would shrink.
    """
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    one.set_weights([_turned(mine, its, share) for mine, its in pairs])
    return one


def _turned(one, other, share):
    return np.cos(share * np.pi / 2) * one + np.sin(share * np.pi / 2) * other


def check_inner_by_hand(answer):
    """The inner product of the teacher's move (1, -1) and the student's (2 * 1, 1 * -1)."""
    mistakes = [
        (1, "you subtracted the second product: minus times minus is plus."),
        (2, "that is the first product alone: add the second one."),
        (5, "that is the square of the student's move."),
        ([2, -1], "that is the student's move: multiply it with the teacher's, number by number, and add."),
    ]
    return check_answer(answer, 3, mistakes, "multiply the two moves number by number, and add the products.")


def check_mixed(function):
    """function(one, other, share) -> cos(a) * one + sin(a) * other with a = share * pi / 2."""

    mistakes = [
        (
            lambda one, other, share: (1 - share) * one + share * other,
            "that mix has smaller weights than either start: cosine and sine keep their spread.",
        ),
        (lambda one, other, share: _turned(other, one, share), "share 0 must give the first start."),
        (
            lambda one, other, share: np.cos(share * 90) * one + np.sin(share * 90) * other,
            "NumPy's cosine takes radians: a right angle is pi / 2.",
        ),
        (
            lambda one, other, share: _turned(one, other, 2 * share),
            "the angle is a quarter of a turn at most: share * pi / 2.",
        ),
    ]
    one, other = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[0.3, 1.0], [-1.0, 2.0]])
    inputs = [(one, other, 0.3), (other, one, 0.0), (one, other, 1.0)]
    return check_function(function, _turned, inputs, mistakes, "cos(a) * one + sin(a) * other, a = share * pi / 2.")


def check_harmless(function):
    """function(logits, most) -> True where no digit has a probability above `most`; logits [n, 10]."""
    mistakes = [
        (lambda z, most: soft_targets(z).max(axis=1) > most, "those are the images to throw away: keep the others."),
        (lambda z, most: z.max(axis=1) <= most, "you compared the logits: a probability needs the softmax."),
        (lambda z, most: soft_targets(z) <= most, "one answer for each image: no digit of it may be above."),
        (lambda z, most: soft_targets(z).min(axis=1) <= most, "the likeliest digit decides, not the unlikeliest."),
        (lambda z, most: (soft_targets(z) <= most).mean(axis=1), "one True or False for each image."),
    ]
    logits = np.array([[3.0, 0, 0, 1], [0.2, 0.1, 0, 0], [0, 0, 5, 0], [0.4, 1.0, 0.9, 0], [-3, -9, -2.5, -8]])
    inputs = [(logits, 0.5), (logits[::-1], 0.4), (-logits, 0.8)]
    wanted = lambda z, most: soft_targets(z).max(axis=1) <= most  # noqa: E731
    return check_function(function, wanted, inputs, mistakes, "softmax, the largest of each row, <= most.")
