"""Page "Can knowledge pass through noise?": what students of noise answer to digits, and the exercises."""

import numpy as np

from distill_edu.metrics import mean_and_reach
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.picture import DISTILLED, NEUTRAL, TEACHER, empty_axes
from distill_edu.probabilities import soft_targets


def noise_explorer(answers, stops, shares, images, labels, noise, teacher):
    """Slide the number of updates on noise, and how far the students start from their teacher's start.

    `answers`: the classes that students answer, integers [seeds, stops, shares, images]; `stops`: numbers of updates;
    `shares`: of another start. `images` [images, rows, columns, 1], `labels` [images]: the questions, with every class
    among them; a class is called by its number. `noise`: an image that the students learned from; `teacher`: the mean
    accuracy of the teachers.
    """
    answers, labels = np.asarray(answers), np.asarray(labels)
    right = (answers == labels).mean(axis=-1)  # [seeds, stops, shares]
    classes = range(int(labels.max()) + 1)
    examples = [int(np.argmax(labels == label)) for label in classes]  # the first image of each class
    controls = {
        "steps": stop_slider("Updates on noise (number)", "steps", tuple(stops), stops[0]),
        "share": stop_slider("Another start (share)", "share", tuple(shares), shares[0]),
    }

    def draw(figure, steps, share):
        sentence = draw_accuracies(figure, right, stops, shares, teacher, 1 / len(classes), steps, share)
        figure.axes[1].imshow(noise, cmap="gray_r")
        figure.axes[1].set(xticks=[], yticks=[], title="its lesson")
        first_student = answers[0, list(stops).index(steps), list(shares).index(share)]
        draw_answers(figure.axes[2], images[examples], first_student[examples])
        return sentence

    return Explorer(draw, controls)


def draw_accuracies(figure, right, stops, shares, teacher, chance, steps, share):
    """Draw the mean accuracy over the updates for every start, 95% intervals for `share`; return a sentence."""
    axes, *_ = empty_axes(figure, (0.1, 0.22, 0.42, 0.67), (0.55, 0.34, 0.13, 0.42), (0.71, 0.16, 0.28, 0.72))
    for start, accuracies in zip(shares, np.moveaxis(right, -1, 0), strict=True):  # [seeds, stops] for each start
        if start == share:
            means, _, reaches = zip(*map(mean_and_reach, accuracies.T), strict=True)
            axes.errorbar(stops, means, reaches, fmt="D-", color=DISTILLED, capsize=2, markersize=3)
        else:
            axes.plot(stops, accuracies.mean(axis=0), color=NEUTRAL, alpha=0.4)
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


def draw_answers(axes, images, answers):
    """Draw an image of each class in rows of five, below each the student's answer: green where it is right."""
    for label, image in enumerate(images[..., 0]):
        row, column = divmod(label, 5)
        axes.imshow(image, cmap="gray_r", extent=(column, column + 0.9, -1.5 * row - 0.9, -1.5 * row))
        colour = DISTILLED if answers[label] == label else NEUTRAL
        place = column + 0.45, -1.5 * row - 0.95
        axes.text(*place, str(answers[label]), ha="center", va="top", fontsize=9, color=colour)
    axes.set(xlim=(0, 5), ylim=(-1.5 * ((len(images) - 1) // 5) - 1.5, 0.1), title="what it says")
    axes.set_axis_off()


def mixed(model, other, share):
    """Return `model` with weights turned towards those of `other`: at share 0 unchanged, at share 1 those of `other`.

    Cosine and sine of the angle share * pi / 2 keep the spread of random weights; a mean would shrink it.
    """
    pairs = zip(model.get_weights(), other.get_weights(), strict=True)
    model.set_weights([_turned(weights, other_weights, share) for weights, other_weights in pairs])
    return model


def _turned(one, other, share):
    return np.cos(share * np.pi / 2) * one + np.sin(share * np.pi / 2) * other


# The inner product of the teacher's move (1, -1) and the student's (2 * 1, 1 * -1).
check_inner_by_hand = Exercise(
    right=3,
    mistakes=[
        (1, "you subtracted the second product: minus times minus is plus."),
        (2, "that is the first product alone: add the second one."),
        (5, "that is the square of the student's move."),
        ([2, -1], "that is the student's move: multiply it with the teacher's, number by number, and add."),
    ],
    otherwise="multiply the two moves number by number, and add the products.",
)

ONE, OTHER = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[0.3, 1.0], [-1.0, 2.0]])
# function(one, other, share) -> cos(a) * one + sin(a) * other with a = share * pi / 2
check_mixed = Exercise(
    right=_turned,
    mistakes=[
        (
            lambda a, b, s: (1 - s) * a + s * b,
            "that mix has smaller weights than either start: cosine and sine keep their spread.",
        ),
        (lambda a, b, s: _turned(b, a, s), "share 0 must give the first start."),
        (lambda a, b, s: _turned(a, b, s * 180 / np.pi), "NumPy's cosine takes radians: a right angle is pi / 2."),
        (lambda a, b, s: _turned(a, b, 2 * s), "the angle is a quarter of a turn at most: share * pi / 2."),
    ],
    otherwise="cos(a) * one + sin(a) * other, a = share * pi / 2.",
    inputs=[(ONE, OTHER, 0.3), (OTHER, ONE, 0.0), (ONE, OTHER, 1.0)],
)

LOGITS = np.array([[3.0, 0, 0, 1], [0.2, 0.1, 0, 0], [0, 0, 5, 0], [0.4, 1.0, 0.9, 0], [-3, -9, -2.5, -8]])
# function(logits, most) -> for each row, True where no digit has a probability above `most`
check_harmless = Exercise(
    right=lambda z, most: soft_targets(z).max(axis=1) <= most,
    mistakes=[
        (lambda z, most: soft_targets(z).max(axis=1) > most, "those are the images to throw away: keep the others."),
        (lambda z, most: z.max(axis=1) <= most, "you compared the logits: a probability needs the softmax."),
        (lambda z, most: soft_targets(z) <= most, "one answer for each image: no digit of it may be above."),
        (lambda z, most: soft_targets(z).min(axis=1) <= most, "the likeliest digit decides, not the unlikeliest."),
        (lambda z, most: (soft_targets(z) <= most).mean(axis=1), "one True or False for each image."),
    ],
    otherwise="softmax, the largest of each row, <= most.",
    inputs=[(LOGITS, 0.5), (LOGITS[::-1], 0.4), (-LOGITS, 0.8)],
)
