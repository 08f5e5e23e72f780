"""The slider over both losses, for the pages "temperature" and "from scratch": what each does to each logit."""

import numpy as np

from distill_edu._inside.check_values import require_logits
from distill_edu.pages.shared.explorer import Explorer, alpha_slider, require_names, temperature_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    HARD,
    NEUTRAL,
    TEACHER,
    class_axis,
    grouped_bars,
    legend_below,
    two_axes,
)
from distill_edu.probabilities import soft_targets


def loss_explorer(teacher_logits, student_logits, label, class_names, temperature=1, alpha=None):
    """Slide T (and alpha, where one is given) over the two losses: which way, and how hard, each pushes the logits."""
    teacher_logits, student_logits = require_logits(teacher_logits), require_logits(student_logits)
    for logits in (teacher_logits, student_logits):
        require_names(logits, class_names)
    if np.ndim(label) or label not in range(len(class_names)):
        raise ValueError(f"label is the number of a class, from 0 to {len(class_names) - 1}, not {label!r}.")
    controls = {"temperature": temperature_slider(temperature)}
    if alpha is not None:
        controls["alpha"] = alpha_slider(alpha)

    def draw(figure, **values):
        return draw_gradients(figure, teacher_logits, student_logits, label, class_names, **values)

    return Explorer(draw, controls)


def draw_gradients(figure, teacher_logits, student_logits, label, class_names, temperature, alpha=None):
    """Teacher and student at T on the left; on the right what each loss does to each logit (minus its gradient)."""
    p, q = soft_targets(teacher_logits, temperature), soft_targets(student_logits, temperature)
    soft = temperature * (p - q)
    hard = (np.arange(len(class_names)) == label) - soft_targets(student_logits)
    left, right = two_axes(figure)
    grouped_bars(left, {"teacher p": (p, TEACHER), "student q": (q, DISTILLED)})
    left.set(ylim=(0, 1), ylabel="probability", title=f"soft targets at T = {temperature:g}")
    if alpha is None:
        title, reach, unscaled = "each loss alone", 1.1, soft / temperature**2
        pulls = {"hard label": (hard, HARD), "soft, no T²": (unscaled, NEUTRAL), "soft × T²": (soft, DISTILLED)}
    else:
        title, reach = "loss with α", 0.8
        pulls = {"α × hard": (alpha * hard, HARD), "(1 − α) × soft": ((1 - alpha) * soft, DISTILLED)}
    grouped_bars(right, pulls)
    reach = max(reach, *(1.1 * np.abs(values).max() for values, _ in pulls.values()))
    right.axhline(0, color="black", linewidth=0.8)
    right.set(ylim=(-reach, reach), ylabel="push on the logit", title=title)
    for axes in (left, right):
        class_axis(axes, class_names)
        legend_below(axes)
    return _gradients_in_words(pulls, temperature, alpha)


def _gradients_in_words(pulls, temperature, alpha):
    sizes = {name: np.linalg.norm(values) for name, (values, _) in pulls.items()}
    said = "; ".join(f"{name} {size:.3f}" for name, size in sizes.items())
    weight = "" if alpha is None else f", α = {alpha:g}: loss = α CE + (1 − α) T² KL"
    return f"T = {temperature:g}{weight}. Length of the gradient: {said}."
