"""The losses of distillation, from logits, one value per example; the soft ones have names, see `SOFT_LOSSES`."""

from distill_edu._inside import check_models, check_steps
from distill_edu._inside.backend import keras, tf
from distill_edu._inside.check_values import require_temperature

ops = keras.ops
# Name -> function (batch, student_logits, temperature): what `compile(soft_loss=...)` knows. See `soft_loss`.
SOFT_LOSSES = {}


def soft_loss(name, task="classes"):
    """Give a soft loss its name: `@soft_loss("mine")` above a function (batch, student_logits, temperature).

    The function returns one value per example, float32. `batch.teacher_logits` and `batch.labels` matter here. `task`
    says what the outputs are: "classes" (one of them is right), "yes_no" (each is an answer of its own) or "numbers";
    it decides which labels fit and which loss of the labels stands beside it.
    """

    def register(function):
        function.task = task
        SOFT_LOSSES[name] = function
        return function

    return register


def named_soft_loss(loss):
    """The soft loss of this name; a function is returned as it is. Raises ValueError for an unknown name."""
    if callable(loss):
        return loss
    if loss not in SOFT_LOSSES:
        raise ValueError(f"soft_loss must be a function or one of {', '.join(SOFT_LOSSES)}, not {loss!r}.")
    return SOFT_LOSSES[loss]


# --- one of the classes is right ------------------------------------------------------------------------------------


def distillation_loss(teacher_logits, student_logits, temperature):
    """T^2 KL(softmax(teacher / T) || softmax(student / T)) in nats, one value per example.

    Logits: [..., classes], the same shape for both; returns float32 [...], whatever the dtype of the logits.
    The gradient with respect to the student's logits is T (q - p) (Hinton et al. 2015, section 2.1, times the T^2
    that section 2 asks for). Raises ValueError for shapes that differ and for temperature <= 0.
    """
    log_p, log_q = _log_softmax(teacher_logits, student_logits, temperature)
    return temperature**2 * _kl(log_p, log_q)


@soft_loss("kl")
def forward_kl(batch, student_logits, temperature):
    """`distillation_loss`: the student spreads over all that the teacher holds possible."""
    return distillation_loss(batch.teacher_logits, student_logits, temperature)


@soft_loss("reverse_kl")
def reverse_kl(batch, student_logits, temperature):
    """T^2 KL(softmax(student / T) || softmax(teacher / T)): the student keeps to what the teacher holds likely.

    Gu et al. 2024, "MiniLLM", section 2.1, there for sequences and at T = 1. Infinite where the teacher rules a class
    out that the student does not.
    """
    log_p, log_q = _log_softmax(batch.teacher_logits, student_logits, temperature)
    return temperature**2 * _kl(log_q, log_p)


@keras.saving.register_keras_serializable(package="distill_edu")
class Decoupled:
    """T^2 (target x TCKD + others x NCKD): the KL in two parts, each with a weight of its own.

    Zhao et al. 2022, "Decoupled Knowledge Distillation", section 3 and equation 7. TCKD compares the probability of
    the target, against all others together; NCKD compares how the others share theirs. With weights 1 and 1 - p_target
    it is the KL. The target is the label; for an example without one it is the teacher's own answer.
    """

    task = "classes"

    def __init__(self, target=1.0, others=8.0):
        self.target = check_models.require_weight(target, "target")
        self.others = check_models.require_weight(others, "others")

    def __call__(self, batch, student_logits, temperature):
        log_p, log_q = _log_softmax(batch.teacher_logits, student_logits, temperature)
        target = _targets(batch.labels, log_p)
        (of_target, of_others), (mine, my_others) = (_decoupled(each, target) for each in (log_p, log_q))
        return temperature**2 * (self.target * _kl(of_target, mine) + self.others * _kl(of_others, my_others))

    def get_config(self):
        return {"target": self.target, "others": self.others}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


SOFT_LOSSES["decoupled"] = Decoupled()


def hard_label_loss(labels, logits):
    """Cross-entropy of the labels in nats, one value per example, float32.

    `logits`: [..., classes]; `labels`: integers [...], or one-hot rows [..., classes].
    """
    logits = ops.cast(logits, "float32")
    if len(labels.shape) == len(logits.shape):
        return ops.categorical_crossentropy(ops.cast(labels, "float32"), logits, from_logits=True)
    check_steps.require_one_label_each(tuple(labels.shape), tuple(logits.shape))
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


# --- yes or no, and numbers -----------------------------------------------------------------------------------------


@soft_loss("sigmoid", task="yes_no")
def sigmoid_kl(batch, student_logits, temperature):
    """T^2 times the sum of the KLs of yes against no, one for each output: sigmoid(teacher / T) against the student's.

    For one yes/no output, or several labels per example: each output is an answer of its own. With one output it is
    `distillation_loss` between (z, 0) and the student's (z, 0).
    """
    teacher, student = _like(batch.teacher_logits, student_logits)
    log_p, log_q = (_log_yes_no(logits / _temperature(temperature)) for logits in (teacher, student))
    return temperature**2 * ops.sum(_kl(log_p, log_q), axis=-1)


def yes_no_label_loss(labels, logits):
    """The sum of the outputs' cross-entropies in nats. `labels`: 1 yes, 0 no, -1 unknown, which counts nothing.

    Labels and logits: [..., outputs]; one value per example, float32.
    """
    labels, log_q = ops.cast(labels, "float32"), _log_yes_no(ops.cast(logits, "float32"))
    values = -(labels * log_q[..., 0] + (1 - labels) * log_q[..., 1])
    return ops.sum(ops.where(labels == -1, 0.0, values), axis=-1)


@soft_loss("mean_square", task="numbers")
def mean_square(batch, student_logits, temperature):
    """The mean over the outputs of (teacher - student)^2: the teacher's numbers are the targets, T plays no part.

    For regression, boxes, keypoints; for logits as in Ba and Caruana 2014, "Do Deep Nets Really Need to be Deep?",
    equation 1 (there half of the sum).
    """
    teacher, student = _like(batch.teacher_logits, student_logits)
    return ops.mean(ops.square(teacher - student), axis=-1)


def number_label_loss(labels, outputs):
    """The mean over the outputs of (label - output)^2, one value per example, float32. NaN: unknown, counts nothing."""
    labels, outputs = ops.cast(labels, "float32"), ops.cast(outputs, "float32")
    known = labels == labels  # NaN is not
    squares = ops.square(ops.where(known, labels, outputs) - outputs)
    return ops.sum(squares, axis=-1) / ops.maximum(ops.sum(ops.cast(known, "float32"), axis=-1), 1)


HARD_LOSSES = {"classes": hard_label_loss, "yes_no": yes_no_label_loss, "numbers": number_label_loss}


# --- what they share ------------------------------------------------------------------------------------------------


def _kl(log_p, log_q):
    """KL(p || q) over the last axis. Where p is 0 it adds 0, also where both are (0 log 0 = 0)."""
    possible = log_p != -float("inf")  # NaN is possible, and stays NaN
    difference = ops.where(possible, log_p, 0.0) - ops.where(possible, log_q, 0.0)
    return ops.sum(ops.where(possible, ops.exp(log_p), 0.0) * difference, axis=-1)


def _log_softmax(teacher_logits, student_logits, temperature):
    """Both models' log-probabilities at the temperature, in float32."""
    logits, temperature = _like(teacher_logits, student_logits), _temperature(temperature)
    check_steps.require_classes(logits[1].shape[-1])
    return [ops.log_softmax(each / temperature, axis=-1) for each in logits]


def _log_yes_no(logits):
    """log sigmoid and log (1 - sigmoid), on a new last axis."""
    return ops.stack([ops.log_sigmoid(logits), ops.log_sigmoid(-logits)], axis=-1)


def _targets(labels, log_p):
    """True at each example's target class: its label, or else the class that the teacher finds likeliest."""
    classes, target = log_p.shape[-1], ops.argmax(log_p, axis=-1)
    if labels is not None and len(labels.shape) == len(log_p.shape):
        labels = ops.where(ops.sum(labels, axis=-1) > 0, ops.argmax(labels, axis=-1), -1)
    if labels is not None:
        target = ops.where(labels >= 0, ops.cast(labels, target.dtype), target)
    return ops.one_hot(target, classes, dtype="bool")


def _decoupled(log_p, target):
    """Log-probabilities of (target, all others together), and of the others among themselves."""
    of_target = ops.sum(ops.where(target, log_p, 0.0), axis=-1)
    others = ops.where(target, -float("inf"), log_p)
    of_others = ops.logsumexp(others, axis=-1)
    return ops.stack([of_target, of_others], axis=-1), ops.log_softmax(others, axis=-1)


def _temperature(temperature):
    """The temperature, checked where it is a Python number; a variable was checked when it was set."""
    made = isinstance(temperature, keras.Variable) or tf.is_tensor(temperature)
    return temperature if made else require_temperature(temperature)


def _like(teacher_logits, student_logits):
    """Both in float32, and of one shape."""
    pair = [ops.cast(logits, "float32") for logits in (teacher_logits, student_logits)]
    check_steps.require_same_shape(*(tuple(logits.shape) for logits in pair))
    return pair
