"""Page "Can a student learn a digit it has never seen?": a bias on one logit, and its exercises."""

import ipywidgets
import numpy as np

from distill_edu.pages.shared.exercise import CORRECT, Z_STUDENT, Z_TEACHER, Exercise, call, not_yet
from distill_edu.pages.shared.explorer import Explorer, read_logits, slider
from distill_edu.pages.shared.picture import DISTILLED, NEUTRAL, class_bars, grouped_bars, legend, plain, two_axes
from distill_edu.pages.shared.playground import Playground


def bias_explorer(students, labels, class_names, bias=0.0):
    """Choose the class that a student was never shown, and slide the bias that is added to this class's logit.

    `students`: the number of the omitted class -> that student's logits [n, classes]; `labels`: integers [n], with at
    least one example of every class.

    >>> bias_explorer({1: [[2.0, 1.0], [1.0, 0.5]]}, [0, 1], ["cat", "dog"])
    <sliders: omitted, bias>
    """
    labels = np.asarray(labels)
    students = {c: read_logits(logits, class_names, f"logits of {c}") for c, logits in students.items()}
    controls = {
        "omitted": slider(ipywidgets.SelectionSlider, "Omitted class", options=[(class_names[c], c) for c in students]),
        "bias": slider(ipywidgets.FloatSlider, "Bias added (logits)", value=bias, min=-2, max=8, step=0.25),
    }

    def draw(figure, omitted, bias):
        left, right = two_axes(figure)
        name, of_class = class_names[omitted], labels == omitted
        biases = [*np.linspace(-2, 8, 41), bias]
        answers = np.array([with_added(students[omitted], omitted, b).argmax(axis=1) for b in biases])  # (biases, n)
        correct = answers == labels
        class_accuracy, accuracy = correct[:, of_class].mean(axis=1), correct.mean(axis=1)
        for label, values, colour in ((name, class_accuracy, DISTILLED), ("all", accuracy, NEUTRAL)):
            left.plot(biases[:-1], values[:-1], color=colour, label=plain(label))
            left.plot(bias, values[-1], "o", color=colour)
        left.set(ylim=(0, 1), xlabel=f"bias added to {plain(name)}", ylabel="accuracy", title=f"bias {bias:+g}")
        legend(left, loc="lower right")
        per_class = [correct[-1, labels == c].mean() for c in range(len(class_names))]
        shift = np.arange(len(class_names)) == omitted
        grouped_bars(right, {None: (np.where(shift, 0, per_class), NEUTRAL)})
        omitted_alone = {None: (np.where(shift, per_class, 0), DISTILLED)}
        class_bars(right, omitted_alone, class_names, ylabel="accuracy", title="each class")
        return (
            f"{name} was omitted. With a bias of {bias:+g}, {class_accuracy[-1]:.3f} of the images of {name} are "
            f"right, and {accuracy[-1]:.3f} of all images. The student answers {name} "
            f"{(answers[-1] == omitted).sum()} times; {of_class.sum()} images are a {name}."
        )

    return Explorer(draw, controls)


def playground():
    """Return the playground of the web site's first page: two students learn without a 2, in the reader's browser.

    >>> playground()
    <playground: two students learn in the browser>
    """
    return Playground()


# The reader types the two numbers between which a bias on 3 puts right all four images of the page: logits of 3 and the
# highest other logits, a 3: 2.0, 3.2; a 3: 1.1, 1.5; a 5: 0.5, 2.5; an 8: 1.0, 3.7.
check_bias_by_hand = Exercise(
    right=np.array([1.2, 2.0]),
    mistakes=[
        ([0.4, 2.0], "with a bias of 1 the first 3 is still called something else."),
        ([1.2, 2.7], "with a bias of 2.5 the 5 would be called a 3."),
        ([0.4, 2.7], "all four images must be right at once, not one 3 and one other digit."),
        ([2.0, 1.2], "the smaller number comes first."),
        ([-2.0, -1.2], "the sign is turned: the bias raises the logit of the 3."),
    ],
    otherwise="name the two ends. How far is the 3 below the highest other logit, in each image? Both 3s must rise "
    "above it, the 5 and the 8 must not.",
)


def with_added(logits, digit, bias):
    """Return logits [n, classes] with the bias added to one column."""
    return logits + bias * (np.arange(logits.shape[1]) == digit)


RIGHT_BIAS = Exercise(
    right=with_added,
    mistakes=[
        (lambda z, c, b: z + b, "you added it to every class, which changes no answer: add it to one column."),
        (lambda z, c, b: with_added(z.T, c, b).T, "you added it to one example (a row): the classes are the columns."),
        (lambda z, c, b: z * np.where(np.arange(3) == c, b, 1), "add the bias, do not multiply."),
        (lambda z, c, b: with_added(z, c, -b), "add the bias, do not subtract it."),
        (lambda z, c, b: z, "nothing has changed: add the bias to the column of the digit."),
    ],
    otherwise="add the bias to the column of the digit.",
    inputs=[(Z_TEACHER, 1, 1.5), (Z_STUDENT, 0, -2.0)],
)


def check_with_bias(function):
    """The reader writes function(logits, digit, bias) -> new logits, with the bias added to one column."""
    verdict, given = RIGHT_BIAS(function), Z_TEACHER.copy()
    if verdict == CORRECT:
        call(lambda: function(given, 1, 1.5))
        if (given != Z_TEACHER).any():
            return not_yet("the array that you were given has changed, too: work on a copy.")
    return verdict


def _accuracies(logits, labels, digit, biases):
    return [(with_added(logits, digit, bias).argmax(axis=1) == labels).mean() for bias in biases]


def _best_bias(logits, labels, digit, biases):
    return float(biases[np.argmax(_accuracies(logits, labels, digit, biases))])


# Each way to judge a bias chooses another one: all examples, each class alike, "is it the digit?", the digit alone.
SOME_LOGITS = np.array(
    [
        *([2.5, 1.5, 2.0], [3.0, 3.0, -2.0], [1.0, 3.0, 2.0]),
        *([2.0, -1.0, 0.5], [-2.0, -0.5, 1.5], [2.0, -0.5, 0.5]),
        *([1.5, 2.5, -1.0], [-1.5, -1.5, -3.0], [-2.0, 0.0, 0.0]),
    ]
)
SOME_LABELS, SOME_BIASES = np.array([1, 2, 1, 0, 2, 1, 2, 0, 1]), np.array([-2.25, -0.75, 0.25, 1.75, 3.25])


def _best_by(score, logits, labels, digit, biases):
    answers = [with_added(logits, digit, bias).argmax(axis=1) for bias in biases]
    return float(biases[np.argmax([score(each, labels, digit) for each in answers])])


def _mean_of_classes(answers, labels, digit):
    return np.mean([(answers[labels == label] == label).mean() for label in np.unique(labels)])


# The reader writes function(logits, labels, digit, biases) -> the bias with the highest accuracy over all classes.
check_best_bias = Exercise(
    right=_best_bias,
    mistakes=[
        (
            lambda z, y, digit, biases: _best_bias(z[y == digit], y[y == digit], digit, biases),
            "that is the best for the digit alone: the other digits count, too.",
        ),
        (lambda *given: _best_by(_mean_of_classes, *given), "count all examples alike, not all classes."),
        (
            lambda *given: _best_by(lambda answers, y, digit: ((answers == digit) == (y == digit)).mean(), *given),
            "it is not enough that other digits are not called the digit: each must be right.",
        ),
        (lambda *given: np.argmax(_accuracies(*given)), "that is the position: return the bias itself."),
        (lambda *given: max(_accuracies(*given)), "that is the accuracy: return the bias that reaches it."),
    ],
    otherwise="try each bias and keep the best.",
    inputs=[
        (SOME_LOGITS, SOME_LABELS, 1, SOME_BIASES),
        (SOME_LOGITS[:, [1, 0, 2]], np.array([1, 0, 2])[SOME_LABELS], 0, SOME_BIASES[::-1] + 0.1),
    ],
)
