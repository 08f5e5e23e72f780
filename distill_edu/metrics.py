"""What a student is worth: accuracy, NLL, calibration, agreement, and paired differences. NumPy only."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import t as student_t

from distill_edu._inside.check_values import require_count, require_logits, require_numbers


def accuracy(labels, logits):
    """Share of the examples whose largest logit is the label's. `labels`: integers [n]; `logits`: [n, classes]."""
    labels, logits = require_examples(labels, logits)
    return float((logits.argmax(axis=-1) == labels).mean())


def nll(labels, logits):
    """Negative log-likelihood of the labels in nats, mean over the examples: low where the model was sure and right."""
    labels, logits = require_examples(labels, logits)
    return float(-log_softmax(logits, axis=-1)[np.arange(len(labels)), labels].mean())


def calibration_error(labels, logits, bins=15):
    """Expected calibration error in [0, 1]: how far confidence and accuracy lie apart, over `bins` equal bins.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2. The confidence is the largest probability.
    """
    labels, logits = require_examples(labels, logits)
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
    labels, logits = require_examples(labels, logits)
    reach = np.log(20)
    found = minimize_scalar(lambda u: nll(labels, logits / np.exp(u)), bounds=(-reach, reach), method="bounded")
    return float(np.exp(found.x))


def agreement(teacher_logits, student_logits):
    """Share of the examples on which both models give the same class, right or wrong (Stanton et al. 2021, section 3).

    Logits: [n, classes], the same shape for both.
    """
    theirs, mine = _same_examples(teacher_logits, student_logits)
    return float((theirs.argmax(axis=-1) == mine.argmax(axis=-1)).mean())


def acceptance(teacher_logits, student_logits):
    """How much of two models' probabilities is shared: the mean over the examples of the sum of min(p, q), in [0, 1].

    It is 1 minus their total variation, and the chance that a teacher keeps what a student drafted for it (Leviathan
    et al. 2023, corollary 3.6). Logits: [n, classes], the same shape for both; of sequences, `logits[mask]`.
    """
    pair = _same_examples(teacher_logits, student_logits)
    return float(np.minimum(*(softmax(logits, axis=-1) for logits in pair)).sum(axis=-1).mean())


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


def threshold_curve(sureness, student_right, teacher_right):
    """What a cascade would give for each threshold that makes a difference: threshold, teacher_share, accuracy.

    n numbers each: how sure the student is, whether it is right, and whether the teacher is.
    """
    import pandas

    order = np.argsort(sureness, kind="stable")
    thresholds = np.unique([0.0, *sureness, 1.0])
    asked = np.searchsorted(sureness[order], thresholds)  # so many are below the threshold
    gained = np.concatenate([[0], np.cumsum(teacher_right[order].astype(int) - student_right[order])])
    accuracy = (student_right.sum() + gained[asked]) / len(order)
    return pandas.DataFrame({"threshold": thresholds, "teacher_share": asked / len(order), "accuracy": accuracy})


@dataclass(frozen=True)
class Gain:
    """A paired difference: its mean, standard error, 95% interval (low, high), and in how many of n pairs it is > 0.

    `p`: how often chance alone would give a difference as large, if there were none (two-sided): see `holm`.
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
    """The mean of a - b over pairs, with its standard error and 95% interval (Student's t).

    `a`, `b`: one number per seed, in the same order; two pandas Series are paired by their index, which must be equal.
    Then the interval covers what differs between the pairs, such as initial weights, and nothing else. Or a table
    [seeds, examples] each, such as what was right (1) or wrong (0) on every test image: then it covers another draw of
    the examples as well. The squares of both standard errors are added, which is a little too careful (Owen 2007, "The
    pigeonhole bootstrap", section 4); the degrees of freedom are Satterthwaite's.
    Raises ValueError for inputs that are not pairs, fewer than two of them, and NaN.
    """
    differences = _differences(a, b)
    pairs = differences if differences.ndim == 1 else differences.mean(axis=1)
    sources = [pairs] if differences.ndim == 1 else [pairs, differences.mean(axis=0)]
    variances = [values.var(ddof=1) / len(values) for values in sources]
    mean, error = float(pairs.mean()), float(np.sqrt(sum(variances)))
    parts = sum(variance**2 / (len(values) - 1) for variance, values in zip(variances, sources, strict=True))
    degrees = sum(variances) ** 2 / parts if parts else len(pairs) - 1
    reach = float(student_t.ppf(0.975, degrees) * error)
    p = float(2 * student_t.sf(abs(mean) / error, degrees)) if error else float(mean == 0)
    return Gain(mean, error, mean - reach, mean + reach, wins=int((pairs > 0).sum()), n=len(pairs), p=p)


def holm(p_values):
    """p-values of several questions, each made larger so that all verdicts of "p < 0.05" are right in 19 of 20 cases.

    Holm 1979, "A simple sequentially rejective multiple test procedure": the smallest p times the number of questions,
    the next times one less, and so on, never falling and at most 1. Takes and gives a dictionary: question -> p.
    """
    corrected, largest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=p_values.get)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def mean_and_reach(values):
    """Mean, standard error, and how far the mean's 95% interval reaches to each side (Student's t, n - 1 degrees)."""
    gain = paired_gain(values, np.zeros(len(values)))
    return gain.mean, gain.standard_error, gain.high - gain.mean


def _differences(a, b):
    indices = [getattr(one, "index", None) for one in (a, b)]
    if all(hasattr(index, "equals") for index in indices):
        if not indices[0].is_unique or set(indices[0]) != set(indices[1]) or len(a) != len(b):
            raise ValueError("The two Series have other indices: give both one value per seed, with the seed as index.")
        b = b.reindex(indices[0])
    a, b = _finite(a), _finite(b)
    if a.shape != b.shape or a.ndim not in (1, 2):
        raise ValueError(f"The shapes are {a.shape} and {b.shape}: a pair needs one number of each, seed by seed.")
    if len(a) < 2:
        raise ValueError(f"There are {len(a)} pairs: an error bar needs at least 2, and a claim at least 5.")
    return a - b


def _finite(values):
    values = require_numbers(values, "Numbers are needed")
    if not np.isfinite(values).all():
        raise ValueError("A number is NaN or infinite: leave out what did not finish.")
    return values


def _same_examples(teacher_logits, student_logits):
    """Both models' logits as arrays, if they go together."""
    teacher_logits = require_logits(teacher_logits, what="teacher_logits")
    student_logits = require_logits(student_logits, what="student_logits")
    if teacher_logits.shape != student_logits.shape or not len(teacher_logits):
        raise ValueError(
            f"The teacher's logits have the shape {teacher_logits.shape} and the student's {student_logits.shape}: "
            "give both for the same examples, at least one."
        )
    return teacher_logits, student_logits


def require_examples(labels, logits):
    """Labels and logits as arrays, if they go together: one integer per example. Raises ValueError if not."""
    logits, labels = require_logits(logits), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            f"The labels have the shape {labels.shape} and the logits {logits.shape}: give labels [n] and logits "
            "[n, classes], with n at least 1."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"Labels are integers from 0 to {logits.shape[1] - 1}: leave out examples without a label.")
    return labels, logits
