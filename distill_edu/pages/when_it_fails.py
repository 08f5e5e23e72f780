"""Page "When does distillation fail?": what models answer on a plane, and the exercises."""

import numpy as np
from matplotlib.colors import to_rgb

from distill_edu._inside.check_values import require_logits
from distill_edu.pages.shared.exercise import Z_STUDENT, Z_TEACHER, Exercise
from distill_edu.pages.shared.explorer import Explorer, temperature_slider
from distill_edu.pages.shared.picture import CLASSES, empty_axes, plain
from distill_edu.probabilities import entropy, soft_targets


def boundary_explorer(models, points, labels, temperature=1, steps=60):
    """Slide T over what models answer on a plane: the colours of the classes, mixed by their probabilities.

    `models`: name -> function (a Keras model, say) from points [n, 2] to logits [n, classes], at most 5 classes;
    `points` [n, 2], `labels` [n]: the data to draw.
    """
    points, labels = np.asarray(points, dtype=float), np.asarray(labels)
    (left, bottom), (right, top) = points.min(axis=0) - 0.1, points.max(axis=0) + 0.1
    x, y = np.meshgrid(np.linspace(left, right, steps), np.linspace(bottom, top, steps))
    grid = np.stack([x, y], axis=-1).reshape(-1, 2).astype("float32")  # (rows, columns, 2) -> (n, 2)
    logits = {name: require_logits(model(grid), what=f"logits of {name}") for name, model in models.items()}
    planes = {name: values.reshape(steps, steps, -1) for name, values in logits.items()}
    width = 0.95 / len(planes)
    boxes = [(0.07 + i * width, 0.12, width - 0.03, 0.74) for i in range(len(planes))]

    def draw(figure, temperature):
        entropies = []
        for axes, (name, plane) in zip(empty_axes(figure, *boxes), planes.items(), strict=True):
            p = soft_targets(plane, temperature)
            # (rows, columns, classes) @ (classes, 3) -> (rows, columns, 3): red, green, blue
            mixed = p @ np.array([to_rgb(colour) for colour in CLASSES[: p.shape[-1]]])
            look = {"origin": "lower", "aspect": "auto", "interpolation": "bilinear"}
            axes.imshow(1 - 0.6 * (1 - mixed), extent=(left, right, bottom, top), **look)
            for label, (marker, colour) in enumerate(zip("o^sDv", CLASSES, strict=True)):
                of_class = points[labels == label]
                axes.plot(*of_class.T, marker, markersize=3, color=colour, markeredgecolor="black", mew=0.3)
            axes.set(xlim=(left, right), ylim=(bottom, top), title=plain(name))
            axes.tick_params(labelleft=axes is figure.axes[0])  # all have the same scale
            entropies.append(f"{name} {entropy(p).mean():.2f}")
        return f"T = {temperature:g}. Mean entropy over the plane, in nats: {', '.join(entropies)}."

    return Explorer(draw, {"temperature": temperature_slider(temperature)})


# How often the classes (3, 3, 5, 1, 0) and (3, 5, 5, 1, 2) agree.
check_agreement_by_hand = Exercise(
    right=0.6,
    mistakes=[
        (0.8, "that is the accuracy of one of them: the labels do not matter here."),
        (3, "a share is wanted: divide by the number of images."),
        (0.4, "that is how often they differ."),
    ],
    otherwise="count the places at which both lists have the same class.",
)


def _mean_probabilities(logits, axis=0):
    return soft_targets(logits).mean(axis)


# function(logits [members, n, classes]) -> the logarithm of the members' mean probabilities, [n, classes]
check_ensemble_logits = Exercise(
    right=lambda z: np.log(_mean_probabilities(z)),
    mistakes=[
        (_mean_probabilities, "those are probabilities: a teacher gives logits, so take the logarithm."),
        (lambda z: z.mean(axis=0), "that is the mean of the logits: average the probabilities."),
        (lambda z: np.log(soft_targets(z)).mean(axis=0), "first the mean, then the logarithm."),
        (lambda z: np.log(soft_targets(z).sum(0)), "divide by the number of members: the probabilities must sum to 1."),
        (lambda z: np.log(_mean_probabilities(z, 1)), "the mean goes over the members (axis=0)."),
        (lambda z: np.log(_mean_probabilities(z, -1)), "the mean goes over the members (axis=0)."),
    ],
    otherwise="softmax of each, their mean, its logarithm.",
    inputs=[(np.stack([Z_TEACHER, Z_STUDENT, Z_STUDENT[::-1]]),), (np.stack([Z_STUDENT, 2 * Z_TEACHER])[:, :1],)],
)

# function(low, high) -> "it helps", "it hurts" or "no verdict", from the confidence interval of a gain
check_verdict = Exercise(
    right=lambda low, high: "it helps" if low > 0 else "it hurts" if high < 0 else "no verdict",
    mistakes=[
        (
            lambda low, high: "it helps" if low + high > 0 else "it hurts",
            "where 0 is in the interval the gain may be nothing, though its middle is above or below 0.",
        ),
        (lambda low, high: "no verdict", "where the whole interval is above 0, or below 0, there is a verdict."),
        (lambda low, high: "it helps" if low > 0 else "no verdict", "where the whole interval is below 0, it hurts."),
        (lambda low, high: "it hurts" if high < 0 else "no verdict", "where the whole interval is above 0, it helps."),
    ],
    otherwise='say "it helps" above 0, "it hurts" below 0, and "no verdict" where 0 is in the interval.',
    inputs=[(0.01, 0.05), (-0.05, -0.01), (-0.01, 0.05), (-0.05, 0.01)],
)
