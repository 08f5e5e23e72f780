"""What a student is worth: accuracy, NLL, calibration, agreement, and paired differences. NumPy only."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import t as student_t

from distill_edu.arguments import require_count, require_logits, require_numbers


def accuracy(labels, logits):
    """Share of the examples whose largest logit is the label's. `labels`: integers [n]; `logits`: [n, classes]."""
    labels, logits = _examples(labels, logits)
    return float((logits.argmax(axis=-1) == labels).mean())


def nll(labels, logits):
    """Negative log-likelihood of the labels in nats, mean over the examples: low where the model was sure and right."""
    labels, logits = _examples(labels, logits)
    return float(-log_softmax(logits, axis=-1)[np.arange(len(labels)), labels].mean())


def calibration_error(labels, logits, bins=15):
    """Expected calibration error in [0, 1]: how far confidence and accuracy lie apart, over `bins` equal bins.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2. The confidence is the largest probability.
    """
    labels, logits = _examples(labels, logits)
    require_count(bins, "bins")
    confidence, right = softmax(logits, axis=-1).max(axis=-1), logits.argmax(axis=-1) == labels
    number = np.ceil(confidence * bins).astype(int)  # bin m holds the confidences in ((m - 1) / bins, m / bins]
    gaps = np.bincount(number, weights=right - confidence)
    return float(np.abs(gaps).sum() / len(labels))


def temperature_scaling(labels, logits):
    """The temperature T for which softmax(logits / T) has the lowest NLL: take validation data, not the test set.

    Guo et al. 2017, section 4.2. T above 1: the model was too sure of itself. No class changes, so accuracy stays.
    Searched from 1/20 to 20.
    """
    labels, logits = _examples(labels, logits)
    reach = np.log(20)
    found = minimize_scalar(lambda u: nll(labels, logits / np.exp(u)), bounds=(-reach, reach), method="bounded")
    return float(np.exp(found.x))


def agreement(teacher_logits, student_logits):
    """Share of the examples on which both models give the same class, right or wrong (Stanton et al. 2021, section 3).

    Logits: [n, classes], the same shape for both.
    """
    teacher_logits = require_logits(teacher_logits, what="teacher_logits")
    student_logits = require_logits(student_logits, what="student_logits")
    if teacher_logits.shape != student_logits.shape or not len(teacher_logits):
        raise ValueError(
            f"The teacher's logits have the shape {teacher_logits.shape} and the student's {student_logits.shape}: "
            "give both for the same examples, at least one."
        )
    return float((teacher_logits.argmax(axis=-1) == student_logits.argmax(axis=-1)).mean())


def report(labels, logits, teacher_logits=None):
    """All of them as a dictionary: accuracy, nll, ece, and agreement where the teacher's logits are given."""
    values = {
        "accuracy": accuracy(labels, logits),
        "nll": nll(labels, logits),
        "ece": calibration_error(labels, logits),
    }
    return values if teacher_logits is None else {**values, "agreement": agreement(teacher_logits, logits)}


def gap_recovered(distilled, hard, teacher):
    """How much of the way from the hard-label student to the teacher distillation goes: 0 none, 1 all of it.

    Three accuracies (or arrays of them). Raises ValueError where the teacher is no better than the hard-label student.
    """
    gap = np.asarray(teacher, dtype=float) - np.asarray(hard, dtype=float)
    if not (gap > 0).all():
        raise ValueError(
            "The teacher is no better than the hard-label student, so there is no gap to recover: report the three "
            "accuracies themselves."
        )
    return (np.asarray(distilled, dtype=float) - hard) / gap


def pareto_front(costs, values):
    """Which of n models no other one beats: True where none is at most as costly and better, or cheaper and as good.

    `costs`, `values`: n numbers each; low costs are good, and high values.
    """
    costs, values = _finite(costs), _finite(values)
    if costs.shape != values.shape or costs.ndim != 1:
        raise ValueError(f"costs has the shape {costs.shape} and values {values.shape}: give one of each per model.")
    cheaper, better = costs < costs[:, None], values > values[:, None]
    as_cheap, as_good = costs <= costs[:, None], values >= values[:, None]
    return ~((as_cheap & better) | (cheaper & as_good)).any(axis=1)


@dataclass(frozen=True)
class Gain:
    """A paired difference: its mean, standard error, 95% interval (low, high), and in how many of n pairs it is > 0."""

    mean: float
    standard_error: float
    low: float
    high: float
    wins: int
    n: int

    def __str__(self):
        interval = f"95%: {self.low:+.4f} to {self.high:+.4f}"
        return f"{self.mean:+.4f} ± {self.standard_error:.4f} ({interval}; {self.wins}/{self.n})"


def paired_gain(a, b):
    """The mean of a - b over pairs, with its standard error and 95% interval (Student's t with n - 1 degrees).

    `a`, `b`: one number per seed, in the same order; two pandas Series are paired by their index, which must be equal.
    The interval covers what differs between the pairs, such as initial weights, and nothing else.
    Raises ValueError for inputs that are not pairs, fewer than two of them, and NaN.
    """
    differences = _differences(a, b)
    mean, error, reach = mean_and_reach(differences)
    return Gain(mean, error, mean - reach, mean + reach, wins=int((differences > 0).sum()), n=len(differences))


def mean_and_reach(values):
    """Mean, standard error, and how far the mean's 95% interval reaches to each side (Student's t, n - 1 degrees)."""
    values = np.asarray(values, dtype=float)
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(error), float(student_t.ppf(0.975, len(values) - 1) * error)


def _differences(a, b):
    indices = [getattr(one, "index", None) for one in (a, b)]
    if all(hasattr(index, "equals") for index in indices):
        if not indices[0].is_unique or set(indices[0]) != set(indices[1]) or len(a) != len(b):
            raise ValueError("The two Series have other indices: give both one value per seed, with the seed as index.")
        b = b.reindex(indices[0])
    a, b = _finite(a), _finite(b)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"The shapes are {a.shape} and {b.shape}: a pair needs one number of each, seed by seed.")
    if len(a) < 2:
        raise ValueError(f"There are {len(a)} pairs: an error bar needs at least 2, and a claim at least 5.")
    return a - b


def _finite(values):
    values = require_numbers(values, "Numbers are needed")
    if not np.isfinite(values).all():
        raise ValueError("A number is NaN or infinite: leave out what did not finish.")
    return values


def _examples(labels, logits):
    """Labels and logits that go together, one label per example."""
    logits, labels = require_logits(logits), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            f"The labels have the shape {labels.shape} and the logits {logits.shape}: give labels [n] and logits "
            "[n, classes], with n at least 1."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"Labels are integers from 0 to {logits.shape[1] - 1}: leave out examples without a label.")
    return labels, logits
