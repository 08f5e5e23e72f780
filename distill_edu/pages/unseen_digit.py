"""Page "Can a student learn a digit it has never seen?": a bias on one logit, and its exercises."""

import ipywidgets
import numpy as np

from distill_edu.evidence import Gains
from distill_edu.metrics import paired_gain
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, read_logits, slider
from distill_edu.pages.shared.picture import DISTILLED, NEUTRAL, legend, plain, two_axes
from distill_edu.pages.shared.playground import Playground
from distill_edu.students import Course, Trainer


def bias_explorer(students, labels, class_names, omitted=None, bias=0.0):
    """Choose the class that was hidden from a student, and slide the bias that is added to this class's logit.

    `students`: the number of the hidden class -> that student's logits [n, classes]; `labels`: integers [n], with at
    least one example of every class; `omitted`: the hidden class that is shown first.

    >>> bias_explorer({1: [[2.0, 1.0], [1.0, 0.5]]}, [0, 1], ["cat", "dog"])
    <sliders: omitted, bias>
    """
    labels, digits = np.asarray(labels), [(class_names[c], c) for c in students]
    omitted = digits[0][1] if omitted is None else omitted
    students = {c: read_logits(logits, class_names, f"logits of {c}") for c, logits in students.items()}
    controls = {
        "omitted": slider(ipywidgets.SelectionSlider, "Hidden digit", options=digits, value=omitted),
        "bias": slider(ipywidgets.FloatSlider, "Added bias (logits)", value=bias, min=-2, max=8, step=0.25),
    }

    def draw(figure, omitted, bias):
        left, right = two_axes(figure)
        name, of_class = class_names[omitted], labels == omitted
        biases = [*np.linspace(-2, 8, 41), bias]
        answers = np.array([with_added(students[omitted], omitted, b).argmax(axis=1) for b in biases])  # (biases, n)
        correct = answers == labels
        class_accuracy, accuracy = correct[:, of_class].mean(axis=1), correct.mean(axis=1)
        for label, values, colour in ((f"{name}s", class_accuracy, DISTILLED), ("all images", accuracy, "black")):
            left.plot(biases[:-1], values[:-1], color=colour, label=plain(label))
            left.plot(bias, values[-1], "o", color=colour)
        left.set(ylim=(0, 1), xlabel="added bias (logits)", ylabel="share right", title=f"{plain(name)} was hidden")
        legend(left, loc="lower right")
        _draw_leads(right, lead(with_added(students[omitted], omitted, bias), omitted), of_class, plain(name))
        return (
            f"{name} was hidden. With an added bias of {bias:+g}, {class_accuracy[-1]:.3f} of the images of {name} are "
            f"right, and {accuracy[-1]:.3f} of all images. The student answers {name} "
            f"{(answers[-1] == omitted).sum()} times; {of_class.sum()} images are a {name}."
        )

    return Explorer(draw, controls)


def _draw_leads(axes, leads, of_class, name):
    """How the leads of a class spread: over its own images (green), and over all other images."""
    edges, highest = np.arange(-24, 16.5), 0.23
    for label, some, colour in (("other images", ~of_class, NEUTRAL), (f"{name}s", of_class, DISTILLED)):
        shares = np.histogram(leads[some].clip(-23.5, 15.5), edges)[0] / some.sum()
        highest = max(highest, *shares)
        axes.stairs(shares, edges, fill=True, alpha=0.6, color=colour, label=label)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(
        xlim=(-24, 16),
        ylim=(0, 1.1 * highest),
        ylabel="share of each colour",
        title=f"right of 0: the answer is {name}",
    )
    axes.set_xlabel(f"lead of the {name} (logits; left end: ≤ −23)")
    legend(axes, loc="upper left")


def lead(logits, digit):
    """Return the lead of a digit in each row: its logit minus the highest other logit.

    >>> lead(np.array([[1.0, 3.0, 0.5], [2.0, 1.5, 0.0]]), 0).tolist()
    [-2.0, 0.5]
    """
    return logits[:, digit] - np.delete(logits, digit, axis=1).max(axis=1)


def playground():
    """Return the playground of the web site's first page: two students learn without a 2, in the reader's browser."""
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


def with_added(logits, digits, bias):
    """Return logits [n, classes] with the bias added to one column, or to several."""
    return logits + bias * np.isin(np.arange(logits.shape[1]), digits)


def _accuracies(logits, labels, digit, biases):
    return [(with_added(logits, digit, bias).argmax(axis=1) == labels).mean() for bias in biases]


def best_bias(logits, labels, digit, biases):
    """Return the added bias of one digit that gives the highest accuracy over all images; the first of equals.

    >>> best_bias(np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([1, 0]), 1, [0.5, 1.5, 4.0])
    1.5
    """
    return float(biases[np.argmax(_accuracies(logits, labels, digit, biases))])


def most_and_least(share, labels, count=10):
    """Return the numbers of the `count` images with the largest share, then for each one with its label and a small
    share: the smallest, then the next, so that no image comes twice.
    """
    most, least = np.argsort(-share)[:count], []
    for label in labels[most]:
        some = np.flatnonzero(labels == label)
        least.append(next(i for i in some[np.argsort(share[some])] if i not in least))
    return np.concatenate([most, least])


def share_below(scores, is_digit):
    """For each image of the digit: the share of the other images with a lower score. Their mean is the AUC.

    >>> share_below(np.array([2.0, 1.0, 3.0, 0.0]), np.array([True, True, False, False])).tolist()
    [0.5, 0.5]
    """
    return (scores[is_digit][:, None] > scores[~is_digit]).mean(axis=1)


def measure_each(measure, data, teacher, build, arms, chosen, common, seeds=10):
    """Train ten students of each arm, and return arm -> {name: array [seeds, ...]} of what `measure` says of them.

    `arms`, `common`: settings, as `compare` takes them; `chosen`: arm -> what it chose among their lists.
    `measure(student)` returns name -> number or array.
    """
    common = dict(common)
    course = Course(data, teacher, build, common.pop("steps"), parts=("test",))
    wanted = [({**common, **arm, **chosen[name]}, seed) for name, arm in arms.items() for seed in range(seeds)]
    trainer = Trainer(course, progress=False)
    rows = trainer.rows(wanted, with_weights=range(len(wanted)))
    students = (trainer.restored(*each, row["weights"]) for each, row in zip(wanted, rows, strict=True))
    measured = {name: [measure(next(students)) for _ in range(seeds)] for name in arms}
    return {arm: {key: np.stack([each[key] for each in of]) for key in of[0]} for arm, of in measured.items()}


def print_hidden(ten, labels):
    """Print the share of the hidden digit's images that each student reads; arm k never saw the digit k."""
    shares = [right[0, labels == digit].mean() for digit, right in enumerate(ten.right.values())]
    shares = ", ".join(f"{digit}: {share:.2f}" for digit, share in enumerate(shares))
    print(f"hidden digit and share read, one student each:  {shares}")


def print_measured(measured, found, labels, digit):
    """Print of each arm, without the added biases -> with them: how many of the digit's images are read, how many other
    images are called the digit, and the accuracy over all images; then the biases (lowest to highest), and the AUC.

    `measured`: arm -> {bias, answers, auc} as `measure_each` returns; `found`: the Comparison of the same students.
    """
    name = f"others called {digit}"
    print(f"{'':16}  {f'{digit}s read':14}  {name:15}  {'accuracy':14}  {'added bias':12}  AUC")
    for arm, m in measured.items():
        before, after = (_digit_counts(answers, labels, digit) for answers in (found.classes[arm], m["answers"]))
        read, called, accuracy = zip(before, after, strict=True)
        print(f"{arm:16}  {read[0]:.3f} -> {read[1]:.3f}  {called[0]:5.1f} -> {called[1]:<6.1f}", end="  ")
        print(f"{accuracy[0]:.3f} -> {accuracy[1]:.3f}  {m['bias'].min():.2f} to {m['bias'].max():.2f}", end="  ")
        print(f"{m['auc'].mean():.3f}")


def _digit_counts(answers, labels, digit):
    """The share of the digit's images that are read, the count of other images called the digit, and the accuracy."""
    called, is_digit = answers == digit, labels == digit
    return called[:, is_digit].mean(), called[:, ~is_digit].sum(axis=1).mean(), (answers == labels).mean()


def auc_gains(measured, over, only):
    """Return the gains in AUC of the arms `only` over the arm `over`, seed by seed and image by image."""
    auc = {name: each["auc"] for name, each in measured.items()}
    return Gains({f"over {over}: {name}": paired_gain(auc[name], auc[over]) for name in only}, "AUC")


def _auc(scores, is_digit):
    return float((scores[is_digit][:, None] > scores[~is_digit]).mean())


SOME_SCORES = np.array([2.0, -1.0, 0.5, 1.0, 3.0, -0.5, 0.25, 1.5])
SOME_3S = np.array([True, False, False, True, False, True, False, False])
# The reader writes function(scores, is_digit) -> the share of pairs in which the digit has the higher score.
check_auc = Exercise(
    right=_auc,
    mistakes=[
        (lambda scores, is_3: 1 - _auc(scores, is_3), "you counted the pairs in which the other image is higher."),
        (lambda scores, is_3: _auc(scores, is_3) * is_3.sum() * (~is_3).sum(), "a share: divide by all pairs."),
        (lambda scores, is_3: _auc(scores, is_3) * is_3.sum(), "divide by the number of pairs, not of other images."),
        (lambda scores, is_3: _auc(scores, is_3) * (~is_3).sum(), "divide by the number of pairs, not of the digit's."),
        (lambda scores, is_3: (scores[is_3] > 0).mean(), "compare with each other image, not with 0."),
        (
            lambda scores, is_3: (scores[is_3] > scores[~is_3].mean()).mean(),
            "compare with each other image, not with their mean.",
        ),
        (lambda scores, is_3: scores[is_3].mean() - scores[~is_3].mean(), "count pairs; their size does not matter."),
        (
            lambda scores, is_3: (scores[is_3][:, None] > scores).mean(),
            "an image of the digit meets the other images only, not its own kind.",
        ),
    ],
    otherwise="take every image of the digit with every other image: in what share of the pairs is it higher?",
    inputs=[(SOME_SCORES, SOME_3S), (SOME_SCORES[::-1] ** 2 + 0.1 * np.arange(8), SOME_3S)],
)


# Each way to judge a bias chooses another one: all examples, each class alike, "is it the digit?", the digit alone.
SOME_LOGITS = np.array(
    [
        *([2.5, 1.5, 2.0], [3.0, 3.0, -2.0], [1.0, 3.0, 2.0]),
        *([2.0, -1.0, 0.5], [-2.0, -0.5, 1.5], [2.0, -0.5, 0.5]),
        *([1.5, 2.5, -1.0], [-1.5, -1.5, -3.0], [-2.0, 0.0, 0.0]),
    ]
)
SOME_LABELS, SOME_BIASES = np.array([1, 2, 1, 0, 2, 1, 2, 0, 1]), np.array([-2.25, -0.75, 0.25, 1.75, 3.25])


def _best_of_a_pile(logits, labels, digit, biases):
    return float(biases[np.argmax(_accuracies(logits, labels, digit, np.cumsum(biases)))])


def _best_by(score, logits, labels, digit, biases):
    answers = [with_added(logits, digit, bias).argmax(axis=1) for bias in biases]
    return float(biases[np.argmax([score(each, labels, digit) for each in answers])])


def _mean_of_classes(answers, labels, digit):
    return np.mean([(answers[labels == label] == label).mean() for label in np.unique(labels)])


# The reader writes function(logits, labels, digit, biases) -> the bias with the highest accuracy over all classes.
check_best_bias = Exercise(
    right=best_bias,
    mistakes=[
        (
            lambda z, y, digit, biases: best_bias(z[y == digit], y[y == digit], digit, biases),
            "that is the best for the digit alone: the other digits count, too.",
        ),
        (lambda *given: _best_by(_mean_of_classes, *given), "count all examples alike, not all classes."),
        (
            lambda *given: _best_by(lambda answers, y, digit: ((answers == digit) == (y == digit)).mean(), *given),
            "it is not enough that other digits are not called the digit: each must be right.",
        ),
        (lambda *given: np.argmax(_accuracies(*given)), "that is the position: return the bias itself."),
        (_best_of_a_pile, "each bias is added to what the last one left: work on a copy of the logits."),
        (lambda *given: max(_accuracies(*given)), "that is the accuracy: return the bias that reaches it."),
    ],
    otherwise="try each bias and keep the best.",
    inputs=[
        (SOME_LOGITS, SOME_LABELS, 1, SOME_BIASES),
        (SOME_LOGITS[:, [1, 0, 2]], np.array([1, 0, 2])[SOME_LABELS], 0, SOME_BIASES[::-1] + 0.1),
    ],
)
