"""The losses of distillation, from logits, one value per example. Soft losses have names: see `SOFT_LOSSES`.

>>> import types
>>> batch = types.SimpleNamespace(teacher_logits=[[2.0, 0.0]], labels=None)  # what fit gives, in short
>>> {name: round(float(loss(batch, [[1.0, 0.0]], 1.0)[0]), 3) for name, loss in SOFT_LOSSES.items()}
{'kl': 0.067, 'reverse_kl': 0.083, 'decoupled': 0.067, 'jensen_shannon': 0.018, 'sigmoid': 0.067, 'mean_square': 0.5...}
"""

import math

from distill_edu._inside import log_probabilities
from distill_edu._inside.backend import keras
from distill_edu._inside.check_models import require_weight
from distill_edu._inside.check_values import require_number
from distill_edu._inside.tasks import TASKS, classes_of, no_soft_loss

ops = keras.ops
SOFT_LOSSES = {}  # name -> function (batch, student_logits, temperature): what `compile(soft_loss=...)` knows


def distillation_loss(teacher_logits, student_logits, temperature):
    """T^2 KL(softmax(teacher / T) || softmax(student / T)) in nats, one value per example.

    Logits: [..., classes], the same shape for both, of any dtype; returns float32 [...]. The gradient with respect to
    the student's logits is T (q - p) (Hinton et al. 2015, section 2.1, times the T^2 that section 2 asks for). Raises
    ValueError for different shapes and for a temperature of 0 or less.

    >>> float(distillation_loss([[2.0, 0.0]], [[0.0, 0.0]], temperature=1.0)[0])
    0.327...
    """
    log_p, log_q = log_probabilities.of_both(teacher_logits, student_logits, temperature)
    return temperature**2 * _kl(log_p, log_q)


def hard_label_loss(labels, logits):
    """Cross-entropy of the labels in nats, one value per example, float32.

    `logits` [..., classes]; `labels`: integers [...] or distributions [..., classes]. Other shapes raise ValueError.

    >>> float(hard_label_loss([1], [[0.0, 0.0]])[0])
    0.693...
    """
    return TASKS["classes"].hard_loss(ops.convert_to_tensor(labels), ops.convert_to_tensor(logits))


def soft_loss(name, task="classes"):
    """Give a soft loss its name: a decorator for a function (batch, student_logits, temperature).

    The function returns one value per example, float32. It may use `batch.teacher_logits` and `batch.labels` (-1: no
    label). `task` says what the outputs are, and so which labels and which loss of the labels fit: "classes" (one is
    right), "yes_no" (each output is an answer of its own) or "numbers". Raises ValueError for another task.

    >>> @soft_loss("logit_matching")
    ... def logit_matching(batch, student_logits, temperature):
    ...     return keras.ops.mean((batch.teacher_logits - student_logits) ** 2, axis=-1)
    >>> SOFT_LOSSES.pop("logit_matching") is logit_matching  # found by its name, and forgotten again
    True
    """
    if task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, not {task!r}.")

    def register(function):
        function.task = task
        SOFT_LOSSES[name] = function
        return function

    return register


def named_soft_loss(loss):
    """Return the soft loss of this name, or raise ValueError; a function stays as it is, None compares nothing.

    >>> named_soft_loss("kl").__name__
    'forward_kl'
    """
    if loss is None or callable(loss):
        return no_soft_loss if loss is None else loss
    if loss not in SOFT_LOSSES:
        raise ValueError(f"soft_loss must be None, a function, or one of {', '.join(SOFT_LOSSES)}, not {loss!r}.")
    return SOFT_LOSSES[loss]


@soft_loss("kl")
def forward_kl(batch, student_logits, temperature):
    """`distillation_loss`: the student spreads over everything that the teacher considers possible."""
    return distillation_loss(batch.teacher_logits, student_logits, temperature)


@soft_loss("reverse_kl")
def reverse_kl(batch, student_logits, temperature):
    """T^2 KL(softmax(student / T) || softmax(teacher / T)): the student keeps to what the teacher considers likely.

    Gu et al. 2024, "MiniLLM", section 2.1, there for sequences and at T = 1. Infinite where the teacher rules a class
    out and the student does not.
    """
    log_p, log_q = log_probabilities.of_both(batch.teacher_logits, student_logits, temperature)
    return temperature**2 * _kl(log_q, log_p)


class _WithNumbers:
    """A soft loss with numbers that are saved with it."""

    task = "classes"

    def get_config(self):
        return dict(vars(self))

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package="distill_edu")
class Decoupled(_WithNumbers):
    """T^2 (target x TCKD + others x NCKD): the KL in two parts, each with its own weight.

    Zhao et al. 2022, "Decoupled Knowledge Distillation", section 3 and equation 7. TCKD compares the probability of
    the target with that of all other classes together; NCKD compares how the other classes share theirs. With weights
    1 and 1 - p_target it is the KL. The target is the label, or the teacher's own answer where there is no label.

    >>> Decoupled(target=1, others=8).get_config()
    {'target': 1.0, 'others': 8.0}
    """

    def __init__(self, target=1.0, others=8.0):
        self.target, self.others = require_weight(target, "target"), require_weight(others, "others")

    def __call__(self, batch, student_logits, temperature):
        log_p, log_q = log_probabilities.of_both(batch.teacher_logits, student_logits, temperature)
        target = classes_of(batch.labels, otherwise=ops.argmax(log_p, axis=-1))
        target = ops.one_hot(target, log_p.shape[-1], dtype="bool")
        teacher, student = (log_probabilities.of_target_and_others(each, target) for each in (log_p, log_q))
        tckd, nckd = (_kl(p, q) for p, q in zip(teacher, student, strict=True))
        return temperature**2 * (self.target * tckd + self.others * nckd)


@keras.saving.register_keras_serializable(package="distill_edu")
class JensenShannon(_WithNumbers):
    """T^2 (beta KL(p || m) + (1 - beta) KL(q || m)), m = beta p + (1 - beta) q: a dial between both directions.

    p: teacher, q: student. At 0 it is the forward KL, at 1 the reverse KL, as in TRL's GKDTrainer; near 0 it is about
    beta x forward KL, near 1 (1 - beta) x reverse KL. Agarwal et al. 2024, "On-Policy Distillation", equation 1.

    >>> JensenShannon(beta=0.1).get_config()
    {'beta': 0.1}
    """

    def __init__(self, beta=0.5):
        self.beta = require_number(beta, "beta", "between 0 (forward KL) and 1 (reverse KL)", lambda b: 0 <= b <= 1)

    def __call__(self, batch, student_logits, temperature):
        if self.beta in (0, 1):
            return (forward_kl, reverse_kl)[int(self.beta)](batch, student_logits, temperature)
        both = log_probabilities.of_both(batch.teacher_logits, student_logits, temperature)
        log_p, log_q = (ops.maximum(each, -1e30) for each in both)  # at -inf the gradient would be NaN
        log_m = ops.logsumexp(ops.stack([log_p + math.log(self.beta), log_q + math.log1p(-self.beta)]), axis=0)
        return temperature**2 * (self.beta * _kl(log_p, log_m) + (1 - self.beta) * _kl(log_q, log_m))


SOFT_LOSSES |= {"decoupled": Decoupled(), "jensen_shannon": JensenShannon()}


@soft_loss("sigmoid", task="yes_no")
def sigmoid_kl(batch, student_logits, temperature):
    """T^2 times the sum of the outputs' KLs of yes against no: sigmoid(teacher / T) against sigmoid(student / T).

    For one yes/no output, or several labels per example. With one output it is `distillation_loss` of (z, 0).
    """
    log_p, log_q = log_probabilities.of_yes_and_no(batch.teacher_logits, student_logits, temperature)
    return temperature**2 * ops.sum(_kl(log_p, log_q), axis=-1)


@soft_loss("mean_square", task="numbers")
def mean_square(batch, student_logits, temperature):
    """The mean over the outputs of (teacher - student)^2; the temperature plays no part.

    For regression; for logits as in Ba and Caruana 2014, "Do Deep Nets Really Need to be Deep?", equation 1.
    """
    teacher, student = log_probabilities.in_same_shape(batch.teacher_logits, student_logits)
    return ops.mean(ops.square(teacher - student), axis=-1)


def _kl(log_p, log_q):
    """KL(p || q) over the last axis. A class with p = 0 adds 0, also where q is 0 too (0 log 0 = 0).

    Summed as p (d + exp(-d) - 1), d = log p - log q: float32 would lose p log p - p log q at a high temperature.
    """
    possible = log_p != -float("inf")  # NaN is possible, and stays NaN
    p, q = ops.exp(log_p), ops.exp(log_q)
    d = ops.where(possible, log_p, 0.0) - ops.where(possible, log_q, 0.0)
    near = ops.where(ops.abs(d) < 1, d, 0.0)
    terms = ops.where(ops.abs(d) < 1, p * (near + ops.expm1(-near)), p * d + q - p)
    return ops.sum(ops.where(possible, terms, q), axis=-1)
