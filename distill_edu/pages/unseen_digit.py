"""Page "Can a student learn a digit it has never seen?": a bias on one logit, and its exercises."""

import ipywidgets
import numpy as np

from distill_edu._inside.check_values import require_logits
from distill_edu.pages.shared.exercise import CORRECT, Z_STUDENT, Z_TEACHER, check_answer, check_function, not_yet
from distill_edu.pages.shared.explorer import Explorer, require_names, slider
from distill_edu.pages.shared.picture import DISTILLED, NEUTRAL, class_axis, grouped_bars, legend, plain, two_axes


def bias_explorer(students, labels, class_names, bias=0.0):
    """Choose the class that a student was never shown, and slide a number that is added to its logit.

    `students`: the number of the omitted class -> that student's logits [n, classes]; `labels`: integers [n], among
    them every class.
    """
    labels = np.asarray(labels)
    students = {omitted: require_logits(logits, what=f"logits of {omitted}") for omitted, logits in students.items()}
    for omitted, logits in students.items():
        require_names(logits, class_names)
        if logits.ndim != 2 or len(logits) != len(labels):
            raise ValueError(
                f"There are {len(labels)} labels but logits of the shape {logits.shape}: one row per label."
            )
        if omitted not in range(len(class_names)):
            raise ValueError(f"The keys of students are numbers of classes, such as 3, not {omitted!r}.")
    if not students or set(labels) != set(range(len(class_names))):
        raise ValueError("Give at least one student, and labels in which every class stands at least once.")
    options = [(class_names[omitted], omitted) for omitted in students]
    controls = {
        "omitted": slider(ipywidgets.SelectionSlider, "Omitted class", options=options),
        "bias": slider(ipywidgets.FloatSlider, "Bias added (logits)", value=bias, min=-2, max=8, step=0.25),
    }

    def draw(figure, **values):
        return draw_bias(figure, students[values["omitted"]], labels, class_names, **values)

    return Explorer(draw, controls)


def draw_bias(figure, logits, labels, class_names, omitted, bias):
    """Accuracy over the bias added to one class's logit, of its examples and of all; on the right for every class."""
    left, right = two_axes(figure)
    shift = np.arange(len(class_names)) == omitted
    biases = np.linspace(-2, 8, 41)
    correct = np.array([(logits + b * shift).argmax(axis=1) == labels for b in [*biases, bias]])
    of_class = labels == omitted
    of_the_class, of_all = correct[:, of_class].mean(axis=1), correct.mean(axis=1)
    for name, values, colour in ((class_names[omitted], of_the_class, DISTILLED), ("all", of_all, NEUTRAL)):
        left.plot(biases, values[:-1], color=colour, label=plain(name))
        left.plot(bias, values[-1], "o", color=colour)
    left.set(
        ylim=(0, 1), xlabel=f"bias added to {plain(class_names[omitted])}", ylabel="accuracy", title=f"bias {bias:+g}"
    )
    legend(left, loc="lower right")
    per_class = np.array([correct[-1, labels == c].mean() for c in range(len(class_names))])
    grouped_bars(right, {None: (np.where(shift, 0, per_class), NEUTRAL)})
    grouped_bars(right, {None: (np.where(shift, per_class, 0), DISTILLED)})
    class_axis(right, class_names)
    right.set(ylim=(0, 1), ylabel="accuracy", title="each class")
    answered = int(((logits + bias * shift).argmax(axis=1) == omitted).sum())
    return (
        f"{class_names[omitted]} was omitted. With {bias:+g} on its bias {of_the_class[-1]:.3f} of its examples are "
        f"right, and {of_all[-1]:.3f} of all. It is the answer {answered} times, and the label {of_class.sum()} times."
    )


def check_bias_by_hand(answer):
    """The smallest of 0.5, 1, 1.5 and 2 that lifts a logit of 2.0 above one of 3.2."""
    mistakes = [
        (1.2, "with that the two logits are equal: which of the four numbers is just above it?"),
        (1, "2.0 + 1 is still less than 3.2."),
        (0.5, "2.0 + 0.5 is still less than 3.2."),
        (2, "that lifts it, but a smaller one of the four does, too."),
    ]
    return check_answer(answer, 1.5, mistakes, "the sum with 2.0 must be larger than 3.2.")


def check_with_bias(function):
    """function(logits, digit, bias) -> logits with the bias added to one column."""
    changed = []

    def watched(logits, digit, bias):
        given = logits.copy()
        answer = function(given, digit, bias)
        changed.append((given != logits).any())
        return answer

    def right(logits, digit, bias):
        return logits + bias * (np.arange(logits.shape[1]) == digit)

    mistakes = [
        (
            lambda z, digit, bias: z + bias,
            "you added it to every class, which changes no answer: add it to one column.",
        ),
        (
            lambda z, digit, bias: z + bias * (np.arange(len(z)) == digit)[:, None],
            "you added it to one example (a row): the classes are the columns.",
        ),
        (
            lambda z, digit, bias: z * np.where(np.arange(z.shape[1]) == digit, bias, 1),
            "add the bias, do not multiply.",
        ),
        (lambda z, digit, bias: z - bias * (np.arange(z.shape[1]) == digit), "add the bias, do not subtract it."),
        (lambda z, digit, bias: z, "nothing has changed: add the bias to the column of the digit."),
    ]
    if function is not None and function is not ... and not callable(function):
        return not_yet(f"give the function itself, not {type(function).__name__}.")
    inputs = [(Z_TEACHER, 1, 1.5), (Z_STUDENT, 0, -2.0)]
    watching = watched if callable(function) else function
    verdict = check_function(watching, right, inputs, mistakes, "add the bias to the column of the digit.")
    if verdict == CORRECT and any(changed):
        return not_yet("the array that you were given has changed, too: work on a copy.")
    return verdict


def check_best_bias(function):
    """function(logits, labels, digit, biases) -> the bias with the highest accuracy over all classes."""

    def accuracy(logits, labels, digit, bias):
        return ((logits + bias * (np.arange(logits.shape[1]) == digit)).argmax(axis=1) == labels).mean()

    def right(logits, labels, digit, biases):
        return float(max(biases, key=lambda bias: accuracy(logits, labels, digit, bias)))

    mistakes = [
        (
            lambda z, y, digit, biases: right(z[y == digit], y[y == digit], digit, biases),
            "that is the best for the digit alone: the other digits count, too.",
        ),
        (
            lambda z, y, digit, biases: list(biases).index(right(z, y, digit, biases)),
            "that is the position: return the bias itself.",
        ),
        (
            lambda z, y, digit, biases: max(accuracy(z, y, digit, bias) for bias in biases),
            "that is the accuracy: return the bias that reaches it.",
        ),
    ]
    logits = np.array([[2.0, 0], [1.5, 0], [1.2, 0], [1.0, 0], [0.5, 0], [0.2, 0], [-1.0, 0]])
    labels, biases = np.array([0, 1, 0, 0, 1, 1, 1]), np.array([-2.0, 0.0, 0.7, 1.7, 3.0])
    inputs = [(logits, labels, 1, biases), (logits[:, ::-1], 1 - labels, 0, biases[::-1] + 0.1)]
    return check_function(function, right, inputs, mistakes, "try each bias and keep the best.")
