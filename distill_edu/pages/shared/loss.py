"""The slider over both losses, for the pages "temperature" and "from scratch": the gradient of each loss."""

import numpy as np

from distill_edu.pages.shared.explorer import Explorer, alpha_slider, read_logits, temperature_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    HARD,
    NEUTRAL,
    STUDENT,
    TEACHER,
    class_bars,
    legend_below,
    plain,
    two_axes,
)
from distill_edu.probabilities import soft_targets


def loss_explorer(teacher_logits, student_logits, label, class_names, temperature=1, alpha=None, image=None):
    """Slide T, and with an `alpha` also alpha: in which direction, and how hard, each loss pushes the logits.

    `teacher_logits`, `student_logits`: [classes] of one example; `label`: the number of its class; `image`: its
    pixels [height, width], drawn beside the answers.
    """
    teacher_logits = read_logits(teacher_logits, class_names)
    student_logits = read_logits(student_logits, class_names)
    if np.ndim(label) or label not in range(len(class_names)):
        raise ValueError(f"label is the number of a class, from 0 to {len(class_names) - 1}, not {label!r}.")
    controls = {"temperature": temperature_slider(temperature)}
    if alpha is not None:
        controls["alpha"] = alpha_slider(alpha)

    def draw(figure, **values):
        return draw_gradients(figure, teacher_logits, student_logits, label, class_names, image=image, **values)

    return Explorer(draw, controls)


def draw_gradients(figure, teacher_logits, student_logits, label, class_names, temperature, alpha=None, image=None):
    """Draw teacher and student at T (left) and what each loss does to each logit, minus its gradient (right)."""
    p, q = soft_targets(teacher_logits, temperature), soft_targets(student_logits, temperature)
    soft = temperature * (p - q)
    hard = (np.arange(len(class_names)) == label) - soft_targets(student_logits)
    left, right = two_axes(figure)
    answers = {"teacher p": (p, TEACHER), "student q": (q, STUDENT)}
    title = f"answers at T = {temperature:g}; label: {plain(class_names[label])}"
    class_bars(left, answers, class_names, ylabel="probability", title=title)
    if image is not None:
        _draw_image(left, image)
    if alpha is None:
        title, reach = "push of each loss", 1.1
        pushes = {"labels": (hard, HARD), "T² forgotten": (soft / temperature**2, NEUTRAL)}
        pushes["with T²"] = (soft, DISTILLED)
    else:
        title, reach = f"push of each part, α = {alpha:g}", 1.2
        pushes = {"α × label": (alpha * hard, HARD), "(1 − α) T² × teacher": ((1 - alpha) * soft, DISTILLED)}
    reach = max(reach, *(1.1 * np.abs(values).max() for values, _ in pushes.values()))
    class_bars(right, pushes, class_names, ylim=(-reach, reach), ylabel="push on the logit", title=title)
    right.axhline(0, color="black", linewidth=0.8)
    legend_below(left)
    legend_below(right)
    lengths = "; ".join(f"{name} {np.linalg.norm(values):.3f}" for name, (values, _) in pushes.items())
    weight = "" if alpha is None else f", α = {alpha:g}: loss = α CE + (1 − α) T² KL"
    return f"T = {temperature:g}{weight}. Length of the gradient: {lengths}."


def _draw_image(axes, image):
    """Draw pixels [height, width] in the upper right corner of the Axes, behind the bars, and keep the limits."""
    limits = {"xlim": axes.get_xlim(), "ylim": axes.get_ylim()}
    look = {"cmap": "gray_r", "aspect": "auto", "transform": axes.transAxes, "zorder": 0}
    axes.imshow(image, extent=(0.68, 0.98, 0.54, 0.96), **look)
    axes.set(**limits)
