"""Page "When does distillation fail?": what models answer on a plane, and its exercises."""

import numpy as np
from matplotlib.colors import to_rgb

from distill_edu._inside.check_values import require_logits
from distill_edu.pages.shared.exercise import Z_STUDENT, Z_TEACHER, check_answer, check_function
from distill_edu.pages.shared.explorer import Explorer, temperature_slider
from distill_edu.pages.shared.picture import CLASSES, empty_axes, plain
from distill_edu.probabilities import entropy, soft_targets


def boundary_explorer(models, points, labels, temperature=1, steps=60):
    """Slide T over what models answer on a plane: sharp boundaries at low T, what is near to what at high T.

    `models`: a name for each function (a Keras model, say) from points [n, 2] to logits [n, classes], at most 5
    classes; `points`, `labels`: the data to draw, [n, 2] and [n].
    """
    if not models:
        raise ValueError("models is empty: give at least one, such as {'teacher': teacher}.")
    points, labels = np.asarray(points, dtype=float), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1] or not len(points):
        raise ValueError(f"points {points.shape} and labels {labels.shape}: give points [n, 2] and labels [n].")
    (left, bottom), (right, top) = points.min(axis=0) - 0.1, points.max(axis=0) + 0.1
    x, y = np.meshgrid(np.linspace(left, right, steps), np.linspace(bottom, top, steps))
    grid = np.stack([x, y], axis=-1).reshape(-1, 2).astype("float32")
    logits = {name: require_logits(model(grid), what=f"logits of {name}") for name, model in models.items()}
    for name, values in logits.items():
        if values.ndim != 2 or len(values) != len(grid) or values.shape[1] > len(CLASSES):
            raise ValueError(
                f"{name} gives {values.shape} for {len(grid)} points: it must give [n, classes], at most 5."
            )
    planes = {name: values.reshape(steps, steps, -1) for name, values in logits.items()}

    def draw(figure, temperature):
        return draw_boundaries(figure, planes, (left, right, bottom, top), points, labels, temperature)

    return Explorer(draw, {"temperature": temperature_slider(temperature)})


def draw_boundaries(figure, logits, extent, points, labels, temperature):
    """What models answer on a plane, each in its own Axes: a class has a colour, and where a model is unsure they mix.

    `logits`: name -> [rows, columns, classes] on the grid of `extent` (left, right, bottom, top); `points`: [n, 2].
    """
    width = 0.95 / len(logits)
    boxes = [(0.07 + i * width, 0.12, width - 0.03, 0.74) for i in range(len(logits))]
    said = []
    for axes, (name, values) in zip(empty_axes(figure, *boxes), logits.items(), strict=True):
        probabilities = soft_targets(values, temperature)
        mixed = probabilities @ np.array([to_rgb(colour) for colour in CLASSES[: values.shape[-1]]])
        axes.imshow(1 - 0.6 * (1 - mixed), extent=extent, origin="lower", aspect="auto", interpolation="bilinear")
        for label, (marker, colour) in enumerate(zip("o^sDv", CLASSES, strict=True)):
            axes.plot(*points[labels == label].T, marker, markersize=3, color=colour, markeredgecolor="black", mew=0.3)
        axes.set(xlim=extent[:2], ylim=extent[2:], title=plain(name))
        axes.tick_params(labelleft=axes is figure.axes[0])  # the others have the same
        said.append(f"{name} {entropy(probabilities).mean():.2f}")
    return f"T = {temperature:g}. Mean entropy over the plane, in nats: {', '.join(said)}."


def check_agreement_by_hand(answer):
    """How often the classes (3, 3, 5, 1, 0) and (3, 5, 5, 1, 2) agree."""
    mistakes = [
        (0.8, "that is the accuracy of one of them: the labels do not matter here."),
        (3, "a share is wanted: divide by the number of images."),
        (0.4, "that is how often they differ."),
    ]
    return check_answer(answer, 0.6, mistakes, "count the places at which both lists have the same class.")


def check_ensemble_logits(function):
    """function(logits [members, n, classes]) -> the logarithm of the members' mean probabilities."""
    over_members = "the mean goes over the members (axis=0)."
    mistakes = [
        (
            lambda z: soft_targets(z).mean(axis=0),
            "those are probabilities: a teacher gives logits, so take the logarithm.",
        ),
        (lambda z: z.mean(axis=0), "that is the mean of the logits: average the probabilities."),
        (lambda z: np.log(soft_targets(z)).mean(axis=0), "first the mean, then the logarithm."),
        (
            lambda z: np.log(soft_targets(z).sum(axis=0)),
            "divide by the number of members: the probabilities must sum to 1.",
        ),
        (lambda z: np.log(soft_targets(z).mean(axis=1)), over_members),
        (lambda z: np.log(soft_targets(z).mean(axis=-1)), over_members),
    ]
    inputs = [(np.stack([Z_TEACHER, Z_STUDENT, Z_STUDENT[::-1]]),), (np.stack([Z_STUDENT, 2 * Z_TEACHER])[:, :1],)]
    right = lambda z: np.log(soft_targets(z).mean(axis=0))  # noqa: E731
    return check_function(function, right, inputs, mistakes, "softmax of each, their mean, its logarithm.")


def check_verdict(function):
    """function(low, high) -> "it helps", "it hurts" or "no verdict", from a gain's confidence interval."""

    def right(low, high):
        return "it helps" if low > 0 else "it hurts" if high < 0 else "no verdict"

    mistakes = [
        (
            lambda low, high: "it helps" if low + high > 0 else "it hurts",
            "where 0 is in the interval the gain may be nothing, though its middle is above or below 0.",
        ),
        (
            lambda low, high: "no verdict",
            "where the whole interval is above 0, or below 0, there is a verdict.",
        ),
        (
            lambda low, high: "it helps" if low > 0 else "no verdict",
            "where the whole interval is below 0, it hurts.",
        ),
        (
            lambda low, high: "it hurts" if high < 0 else "no verdict",
            "where the whole interval is above 0, it helps.",
        ),
    ]
    inputs = [(0.01, 0.05), (-0.05, -0.01), (-0.01, 0.05), (-0.05, 0.01)]
    otherwise = 'say "it helps" above 0, "it hurts" below 0, and "no verdict" where 0 is in the interval.'
    return check_function(function, right, inputs, mistakes, otherwise)
