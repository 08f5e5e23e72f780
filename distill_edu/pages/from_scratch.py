"""Page "Distillation from scratch": a figure of its students, and its exercises. Its slider is in `shared.loss`."""

import numpy as np

from distill_edu.pages.shared.exercise import LABELS, Z_STUDENT, Z_TEACHER, Exercise
from distill_edu.pages.shared.picture import DISTILLED, HARD, NEUTRAL, Picture, plain
from distill_edu.probabilities import kl_divergence, soft_targets


def draw_distances(found, labels, sound):
    """Draw a bar for each model: its distance from the teacher, with its accuracy beside the bar.

    `found`: name -> (accuracy, distance). A line marks the distance of the student `labels`, the first bar; the
    students of the correct loss, `sound`, come next and are green; the others, in their order, are wrong programs.
    """
    figure = Picture(7, 1.25 + 0.36 * len(found))
    height = figure.get_figheight()
    axes = figure.add_axes((0.3, 0.55 / height, 0.66, 1 - 1.05 / height))
    kinds = [([labels], "labels alone", HARD), (sound, "correct loss", DISTILLED)]
    kinds.append(([name for name in found if name not in (labels, *sound)], "wrong program", NEUTRAL))
    for names, kind, colour in kinds:
        axes.barh(list(map(plain, names)), [found[name][1] for name in names], color=colour, label=kind)
    right, order = (
        1.03 * max(distance for _, distance in found.values()),
        [name for names, *_ in kinds for name in names],
    )
    for row, name in enumerate(order):
        axes.text(right, row, f"accuracy {found[name][0]:.3f}", va="center", fontsize=8)
    axes.axvline(found[labels][1], color=HARD, linewidth=1, label="as far as labels alone")
    axes.set(ylim=(len(found) - 0.5, -0.5), xlim=(0, 1.3 / 1.03 * right))
    axes.set_xlabel("distance from the teacher (T² KL at T = 4)")
    figure.legend(loc="upper center", ncols=4, fontsize=8, frameon=False)
    return figure


# Teacher and student at T = 2, and the same student at T = 1, whose logits are 2 ln 2, 0, 0.
P, Q, R = np.array([0.7, 0.2, 0.1]), np.array([1 / 2, 1 / 4, 1 / 4]), np.array([2 / 3, 1 / 6, 1 / 6])
OF_LABELS, OF_TEACHER = R - [1, 0, 0], 2 * (Q - P)  # the gradients of CE and of T² KL
# The reader types the gradient of 0.3 CE + 0.7 T² KL with respect to the student's logits; the label is class 0.
check_gradient_by_hand = Exercise(
    right=0.3 * OF_LABELS + 0.7 * OF_TEACHER,
    mistakes=[
        (
            -0.3 * OF_LABELS - 0.7 * OF_TEACHER,
            "the signs are turned: where the student gives too little, the gradient is negative.",
        ),
        (0.7 * OF_LABELS + 0.3 * OF_TEACHER, "alpha is the weight of the label, here 0.3."),
        (0.3 * OF_LABELS + 0.7 * (Q - P), "the soft loss lacks a factor T: its gradient is T (q - p)."),
        (
            0.3 * OF_LABELS + 1.4 * OF_TEACHER,
            "one T too many: dividing the logits by T brings a factor 1/T, so one T is left.",
        ),
        (0.3 * (Q - [1, 0, 0]) + 0.7 * OF_TEACHER, "the label sees the student at T = 1: r, not q."),
        (0.7 * OF_TEACHER, "the label's part is missing: r minus 1 for the right class, r for the other classes."),
        (OF_LABELS + OF_TEACHER, "weight the two parts with alpha and 1 - alpha."),
    ],
    otherwise="three numbers, 0.3 times the gradient of CE plus 0.7 times T (q - p).",
)


def _soft(teacher, student, t, power=2):
    return t**power * kl_divergence(soft_targets(teacher, t), soft_targets(student, t))


def _hard(labels, logits, t=1):
    return -np.log(soft_targets(logits, t)[np.arange(len(labels)), labels])


def _total(labels, teacher, student, t, alpha, power=2):
    return float((alpha * _hard(labels, student) + (1 - alpha) * _soft(teacher, student, t, power)).mean())


# The reader writes function(labels, teacher_logits, student_logits, temperature, alpha) -> the mean over the examples
# of alpha CE + (1 - alpha) T² KL.
check_total_loss = Exercise(
    right=_total,
    mistakes=[
        (
            lambda y, a, b, t, alpha: _total(y, a, b, t, 1 - alpha),
            "here alpha is the weight of the labels, not of the soft loss.",
        ),
        (
            lambda y, a, b, t, alpha: (alpha * _hard(y, b, t) + (1 - alpha) * _soft(a, b, t)).mean(),
            "the labels see the student at T = 1: no temperature there.",
        ),
        (lambda *given: _total(*given, power=0), "the factor T² of the soft loss is missing."),
        (lambda *given: _total(*given, power=1), "the soft loss is multiplied by T², not by T."),
        (
            lambda y, a, b, t, alpha: (alpha * _hard(y, b) + (1 - alpha) * _soft(b, a, t)).mean(),
            "KL(teacher ‖ student): the teacher's p comes first.",
        ),
        (lambda y, a, b, t, _: 2 * _total(y, a, b, t, 0.5), "weight the two losses with alpha and 1 - alpha."),
        (lambda y, *rest: len(y) * _total(y, *rest), "take the mean over the examples, not the sum."),
    ],
    otherwise="compare each part with the formula at the top of the page; then take the mean over the examples.",
    inputs=[
        (LABELS, Z_TEACHER, Z_STUDENT, 3.0, 0.2),
        (LABELS + 1, Z_STUDENT, Z_TEACHER, 1.5, 0.7),
        (LABELS[:1], Z_TEACHER[:1], Z_STUDENT[:1], 2.0, 0.4),  # another number of examples
    ],
)

# The reader writes function(answers, labels) -> the share of the teacher's answers whose first class is the label.
check_share_in_step = Exercise(
    right=lambda answers, labels: float((answers.argmax(axis=-1) == labels).mean()),
    mistakes=[
        (
            lambda answers, labels: int((answers.argmax(axis=-1) == labels).sum()),
            "that is the number; return the share.",
        ),
        (
            lambda answers, labels: float((answers.argmax() == labels).mean()),
            "take the largest logit of each row (axis=-1), not of the whole table.",
        ),
        (
            lambda answers, labels: float((answers.argmin(axis=-1) == labels).mean()),
            "the first class has the largest logit, not the smallest.",
        ),
        (
            lambda answers, labels: float((answers.argmax(axis=-1) != labels).mean()),
            "that is the share of the answers that do not fit.",
        ),
        (
            lambda answers, labels: float(soft_targets(answers)[np.arange(len(labels)), labels].mean()),
            "that is the mean probability of the labels; count how often the label comes first.",
        ),
        (
            lambda answers, labels: float((soft_targets(answers)[np.arange(len(labels)), labels] > 0.5).mean()),
            "the most probable class need not have more than half of the probability.",
        ),
        (
            lambda answers, labels: float(
                (soft_targets(answers)[np.arange(len(labels)), labels] > 1 / answers.shape[1]).mean()
            ),
            "a label above chance need not come first.",
        ),
    ],
    otherwise="the mean of: is the class with the largest logit the label?",
    inputs=[
        (np.array([[4.0, 1.0, -2.0], [0.5, 2.5, 1.0], [2.6, 0.0, 3.0], [1.0, 5.0, 0.0]]), np.array([0, 1, 0, 2])),
        (np.array([[1.0, 2.0, 0.0], [0.0, 0.5, 3.0], [1.0, 0.8, 0.6]]), np.array([1, 2, 0])),
    ],
)
