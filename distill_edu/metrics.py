"""Measure models, and compare two, seed by seed. Values that do not fit raise a ValueError. No TensorFlow."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import t as student_t

from distill_edu._inside.check_values import require_classes, require_count, require_logits, require_numbers


def accuracy(labels, logits):
    """Return the share of the examples whose largest logit [n, classes] belongs to the label, an integer [n].

    >>> accuracy([0, 1], [[2.0, -1.0], [3.0, 0.0]])
    0.5
    """
    labels, logits = require_examples(labels, logits)
    return float((logits.argmax(axis=-1) == labels).mean())


def nll(labels, logits):
    """Return the negative log-likelihood of labels [n] under logits [n, classes]: a mean in nats, the lower the better.

    >>> round(nll([0, 1], [[0.0, 0.0], [0.0, 0.0]]), 3)  # log(2): a guess between two classes
    0.693
    """
    labels, logits = require_examples(labels, logits)
    return float(-log_softmax(logits, axis=-1)[np.arange(len(labels)), labels].mean())


def calibration_error(labels, logits, bins=15):
    """Return the expected calibration error in [0, 1]: the mean distance between confidence and accuracy.

    The confidence is the largest probability. Answers are grouped by confidence in `bins` bins of equal width.
    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2.

    >>> round(calibration_error([0, 1], np.log([[0.8, 0.2], [0.8, 0.2]])), 3)  # 80% sure, 50% right
    0.3
    """
    labels, logits = require_examples(labels, logits)
    require_count(bins, "bins")
    confidence, right = softmax(logits, axis=-1).max(axis=-1), logits.argmax(axis=-1) == labels
    number = np.ceil(confidence * bins).astype(int)  # bin m holds the confidences in ((m - 1) / bins, m / bins]
    gaps = np.bincount(number, weights=right - confidence)
    return float(np.abs(gaps).sum() / len(labels))


def temperature_scaling(labels, logits):
    """Find the temperature T between 1/20 and 20 for which softmax(logits / T) has the lowest NLL.

    Above 1: the model was overconfident. Use validation data, not the test set. The accuracy stays the same.
    Guo et al. 2017, section 4.2.

    >>> logits = [[3.0, 0.0]] * 5
    >>> round(temperature_scaling([0, 0, 0, 0, 1], logits), 2)  # right in 80%, so 3 / T must be log(0.8 / 0.2)
    2.16
    """
    labels, logits = require_examples(labels, logits)
    if not np.isfinite(nll(labels, logits)):
        raise ValueError("A label has the logit minus infinity, so the NLL is infinite at every temperature.")
    bound = np.log(20)
    found = minimize_scalar(lambda log_t: nll(labels, logits / np.exp(log_t)), bounds=(-bound, bound), method="bounded")
    return float(np.exp(found.x))


def agreement(teacher_logits, student_logits):
    """Return how often the logits [n, classes] of both models choose the same class (Stanton et al. 2021, section 3).

    >>> agreement([[2.0, 0.0], [2.0, 0.0]], [[1.0, 0.0], [0.0, 3.0]])
    0.5
    """
    teacher_logits, student_logits = _same_examples(teacher_logits, student_logits)
    return float((teacher_logits.argmax(axis=-1) == student_logits.argmax(axis=-1)).mean())


def acceptance(teacher_logits, student_logits):
    """Return how much of their probabilities two models share: the sum of min(p, q), a mean over the examples.

    In [0, 1]: 1 minus the total variation distance, and the probability that a teacher keeps a symbol that the student
    drafted (Leviathan et al. 2023, corollary 3.6). Both logits: [n, classes]; for sequences give `logits[mask]`.

    >>> round(acceptance(np.log([[0.6, 0.4]]), np.log([[0.9, 0.1]])), 3)
    0.7
    """
    pair = _same_examples(teacher_logits, student_logits)
    return float(np.minimum(*(softmax(logits, axis=-1) for logits in pair)).sum(axis=-1).mean())


def report(labels, logits, teacher_logits=None):
    """Return accuracy, nll, ece and, if the teacher's logits are given, agreement, as a dictionary.

    >>> {name: round(value, 2) for name, value in report([0, 1], [[2.0, 0.0], [2.0, 0.0]]).items()}
    {'accuracy': 0.5, 'nll': 1.13, 'ece': 0.38}
    """
    measures = {"accuracy": accuracy, "nll": nll, "ece": calibration_error}
    values = {name: measure(labels, logits) for name, measure in measures.items()}
    return values if teacher_logits is None else {**values, "agreement": agreement(teacher_logits, logits)}


def gap_recovered(distilled, hard, teacher):
    """Return how much of the gap between the hard-label student and the teacher distillation closes: 0 none, 1 all.

    Three accuracies, or arrays of them. Raises ValueError if the teacher is no better than the hard-label student.

    >>> float(gap_recovered(distilled=0.875, hard=0.75, teacher=1.0))
    0.5
    """
    gap = np.asarray(teacher, dtype=float) - np.asarray(hard, dtype=float)
    if not (gap > 0).all():
        raise ValueError(
            "The teacher is no better than the hard-label student, so there is no gap to recover: report the three "
            "accuracies themselves."
        )
    return (np.asarray(distilled, dtype=float) - hard) / gap


def pareto_front(costs, values):
    """Mark the models that no other model beats: True unless another is as cheap and better, or cheaper and as good.

    `costs`: n numbers, the lower the better; `values`: n numbers, the higher the better. Returns n booleans.

    >>> pareto_front(costs=[1, 2, 3], values=[0.7, 0.9, 0.8])
    array([ True,  True, False])
    """
    costs, values = _finite(costs), _finite(values)
    if costs.shape != values.shape or costs.ndim != 1:
        raise ValueError(f"costs has the shape {costs.shape} and values {values.shape}: give one of each per model.")
    # [model, other]: the other is at least as cheap and as good; it beats the model unless both are equal
    as_good = (costs <= costs[:, None]) & (values >= values[:, None])
    return ~(as_good & ~as_good.T).any(axis=1)


def threshold_curve(confidence, student_right, teacher_right):
    """Compute what a cascade gives for each threshold that makes a difference: threshold, teacher_share, accuracy.

    Arrays [n]: the student's confidence, whether the student is right, and whether the teacher is. Returns a table.

    >>> threshold_curve(np.array([0.4, 0.9]), np.array([False, True]), np.array([True, True]))
       threshold  teacher_share  accuracy
    0        0.0            0.0       0.5
    1        0.4            0.0       0.5
    2        0.9            0.5       1.0
    3        1.0            1.0       1.0
    """
    import pandas

    confidence, student_right, teacher_right = map(_finite, (confidence, student_right, teacher_right))
    if not confidence.shape == student_right.shape == teacher_right.shape == (len(confidence),):
        raise ValueError("confidence, student_right and teacher_right need one number per example.")
    order = np.argsort(confidence, kind="stable")
    thresholds = np.unique([0.0, *confidence, 1.0])
    asked = np.searchsorted(confidence[order], thresholds)  # how many examples are below each threshold
    gained = np.concatenate([[0], np.cumsum(teacher_right[order] - student_right[order])])
    accuracy = (student_right.sum() + gained[asked]) / len(order)
    return pandas.DataFrame({"threshold": thresholds, "teacher_share": asked / len(order), "accuracy": accuracy})


@dataclass(frozen=True)
class Gain:
    """A mean paired difference, as `paired_gain` returns it: (low, high) is the 95% interval, `wins` counts pairs > 0.

    `p`: the probability of a mean at least as far from 0 if there were no difference (two-sided); see `holm`.

    >>> print(Gain(mean=0.1, standard_error=0.02, low=0.05, high=0.15, wins=5, n=5, p=0.01))
    +0.1000 ± 0.0200 (95%: +0.0500 to +0.1500; 5/5)
    """

    mean: float
    standard_error: float
    low: float
    high: float
    wins: int
    n: int
    p: float

    def __str__(self):
        interval = f"95%: {self.low:+.4f} to {self.high:+.4f}"
        return f"{self.mean:+.4f} ± {self.standard_error:.4f} ({interval}; {self.wins}/{self.n})"


def paired_gain(a, b):
    """Return the mean of a - b over pairs as a `Gain`, with its standard error and 95% interval (Student's t).

    `a`, `b`: one number per seed, in the same order; two pandas Series or tables are paired by the names of their rows
    and columns, which must be the same. The interval then covers what differs between the seeds, such as initial
    weights, and nothing else.
    Or two tables [seeds, examples]: the interval then covers the choice of the examples, too. The squares of both
    standard errors are added, which is a little too careful (Owen 2007, "The pigeonhole bootstrap", section 4); the
    degrees of freedom are Satterthwaite's. Raises ValueError for unequal shapes, fewer than two pairs or examples, NaN.

    >>> print(paired_gain([0.9, 0.8, 0.7], [0.8, 0.6, 0.7]))
    +0.1000 ± 0.0577 (95%: -0.1484 to +0.3484; 2/3)
    """
    differences = _differences(a, b)
    sources = [differences] if differences.ndim == 1 else [differences.mean(axis=1), differences.mean(axis=0)]
    pairs = sources[0]
    variances = [values.var(ddof=1) / len(values) for values in sources]
    mean, error = float(pairs.mean()), float(np.sqrt(sum(variances)))
    parts = sum(variance**2 / (len(values) - 1) for variance, values in zip(variances, sources, strict=True))
    degrees = sum(variances) ** 2 / parts if parts else len(pairs) - 1
    reach = float(student_t.ppf(0.975, degrees) * error)
    p = float(2 * student_t.sf(abs(mean) / error, degrees)) if error else float(mean == 0)
    return Gain(mean, error, mean - reach, mean + reach, wins=int((pairs > 0).sum()), n=len(pairs), p=p)


def holm(p_values):
    """Correct the p-values of several questions: all answers "p < 0.05" are then right together in 19 of 20 cases.

    The smallest p is multiplied by the number of questions, the next by one less, and so on, never falling, at most 1.
    Dictionaries, question -> p; NaN, a question without an answer, stays NaN and does not count as a question.
    Holm 1979, "A simple sequentially rejective multiple test procedure".

    >>> holm({"digits": 0.01, "names": 0.04})
    {'digits': 0.02, 'names': 0.04}
    """
    known = {question: p for question, p in p_values.items() if not np.isnan(p)}
    corrected, largest = {}, 0.0
    for rank, question in enumerate(sorted(known, key=known.get)):
        largest = max(largest, min(1.0, (len(known) - rank) * known[question]))
        corrected[question] = largest
    return {question: corrected.get(question, p) for question, p in p_values.items()}


def mean_and_reach(values):
    """Return the mean, its standard error, and how far its 95% interval reaches to each side (Student's t).

    >>> [round(number, 3) for number in mean_and_reach([0.9, 0.8, 0.7])]
    [0.8, 0.058, 0.248]
    """
    gain = paired_gain(values, np.zeros(len(values)))
    return gain.mean, gain.standard_error, gain.high - gain.mean


def _differences(a, b):
    for axis, plural in (("index", "indices"), ("columns", "columns")):
        names = [getattr(values, axis, None) for values in (a, b)]
        if all(hasattr(each, "equals") for each in names):
            if not names[0].is_unique or set(names[0]) != set(names[1]) or len(names[0]) != len(names[1]):
                raise ValueError(f"a and b have other {plural}, by which pairs are found: give both the same names.")
            b = b.reindex(**{axis: names[0]})
    a, b = _finite(a), _finite(b)
    if a.shape != b.shape or a.ndim not in (1, 2):
        raise ValueError(f"The shapes are {a.shape} and {b.shape}: a pair needs one number of each, seed by seed.")
    if len(a) < 2:
        raise ValueError(f"There are {len(a)} pairs: an error bar needs at least 2, and a claim at least 5.")
    if a.ndim == 2 and a.shape[1] < 2:
        raise ValueError(f"The shape is {a.shape}: give one number per seed, [seeds], or [seeds, examples], 2 or more.")
    return a - b


def _finite(values):
    values = require_numbers(values, "Numbers are needed")
    if not np.isfinite(values).all():
        raise ValueError("A number is NaN or infinite: leave out the runs that did not finish.")
    return values


def _same_examples(teacher_logits, student_logits):
    """Return both models' logits as arrays of the same shape, or raise a ValueError."""
    teacher_logits = require_logits(teacher_logits, what="teacher_logits")
    student_logits = require_logits(student_logits, what="student_logits")
    if teacher_logits.shape != student_logits.shape or not len(teacher_logits):
        raise ValueError(
            f"The teacher's logits have the shape {teacher_logits.shape} and the student's {student_logits.shape}: "
            "give both for the same examples, at least one."
        )
    return teacher_logits, student_logits


def require_examples(labels, logits):
    """Return labels [n] and logits [n, classes] as arrays, or raise a ValueError.

    >>> [array.dtype.kind for array in require_examples([1, 0], [[0, 3], [-1, 2]])]
    ['i', 'f']
    """
    logits, labels = require_logits(logits), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            f"The labels have the shape {labels.shape} and the logits {logits.shape}: give labels [n] and logits "
            "[n, classes], with n at least 1."
        )
    require_classes(labels if labels.dtype.kind in "iu" else np.array(-1), logits.shape[1])
    return labels, logits
