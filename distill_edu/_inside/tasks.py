"""What a model's outputs mean. A Task reads the labels, knows which are missing, and refuses wrong ones."""

import numpy as np

from distill_edu._inside import check_steps
from distill_edu._inside.backend import keras, tf
from distill_edu._inside.check_values import require_count

ops = keras.ops
NO_LABEL = -1
WRONG_LABEL = -2  # marks an invalid label until the step is refused


class Task:
    """One kind of outputs. After `read`, labels have the shape of the logits, or lack their last axis (classes).

    `of_logits`: are the outputs logits, or any numbers?
    """

    name, of_logits = "", True

    def read(self, labels, logits):
        """Labels as float32 [..., outputs], one for each output."""
        alone = len(labels.shape) == len(logits.shape) - 1 and logits.shape[-1] == 1
        labels = labels[..., None] if alone else labels
        check_steps.require_labels_like(tuple(labels.shape), tuple(logits.shape))
        return ops.cast(labels, "float32")

    def missing(self, labels):
        """The number that stands for a missing label."""
        return NO_LABEL

    def known(self, labels):
        """True for each output with a label, bool [..., outputs]."""
        return labels != NO_LABEL

    def labelled(self, labels):
        """True for each example or place with at least one label, bool [...]."""
        return ops.any(self.known(labels), axis=-1)

    def hide(self, labels, mask):
        """The labels, missing where `mask` is False. `mask`: bool, the first axes of the labels."""
        return ops.where(with_axes(mask, labels), labels, ops.cast(self.missing(labels), labels.dtype))

    def hard_loss(self, labels, logits):
        """The loss of the labels, float32, one value per example or place. An unknown output adds nothing."""
        raise NotImplementedError

    def for_loss(self, labels, loss):
        """(the labels as `loss` takes them, which examples or places it counts, bool [...]).

        A loss of one's own gets 0 for an unknown output, and counts where all outputs are known.
        """
        if loss == self.hard_loss:
            return labels, self.labelled(labels)
        known = self.known(labels)
        return ops.where(known, labels, 0.0), ops.all(known, axis=-1)

    def metric(self, metric):
        """The metric of `compile`, over known labels alone. Examples without any label do not reach it."""
        if metric is None:  # Keras refuses it
            return None
        name = metric if isinstance(metric, str) else None
        metric = keras.metrics.get(metric) if name else metric
        if not isinstance(metric, keras.metrics.Metric):
            called = getattr(metric, "name", None) or getattr(metric, "__name__", type(metric).__name__)
            metric = keras.metrics.MeanMetricWrapper(metric, name=called.strip("<>"))
        return KnownOutputs(metric, self.known, name or metric.name)

    def weights_of_classes(self, labels, class_weight, outputs):
        """sample_weight from Keras's class_weight, one a label. `outputs`: the student's shape."""
        raise ValueError(check_steps.NO_CLASS_WEIGHT)

    def problems(self, labels, teacher_logits, student_logits):
        """[(condition, message)] of wrong labels and outputs. `labels` may be None."""
        return []


class YesNo(Task):
    """Each output is an answer of its own: 1 yes, 0 no, -1 unknown; one output, or several labels per example."""

    name = "yes_no"

    def hard_loss(self, labels, logits):
        """The sum of the outputs' cross-entropies in nats."""
        logits = ops.cast(logits, "float32")
        values = -(labels * ops.log_sigmoid(logits) + (1 - labels) * ops.log_sigmoid(-logits))
        return ops.sum(ops.where(self.known(labels), values, 0.0), axis=-1)

    def metric(self, metric):
        if metric in ("accuracy", "acc"):  # the outputs are logits: yes above 0, where Keras would say above 0.5
            metric = keras.metrics.BinaryAccuracy(name=metric, threshold=0.0)
        return super().metric(metric)

    def weights_of_classes(self, labels, class_weight, outputs):
        if outputs[-1:] != (1,):
            return super().weights_of_classes(labels, class_weight, outputs)
        return _of_classes(labels[..., 0] if labels.ndim == len(outputs) else labels, class_weight)

    def problems(self, labels, teacher_logits, student_logits):
        if labels is None:
            return []
        wrong = self.known(labels) & ~((labels >= 0) & (labels <= 1))
        return [(tf.reduce_any(wrong), check_steps.YES_NO_RANGE)]


class Numbers(Task):
    """Each output is a number; a label that is NaN is unknown."""

    name, of_logits = "numbers", False

    def hard_loss(self, labels, logits):
        """The mean over the known outputs of (label - output)^2."""
        known, outputs = self.known(labels), ops.cast(logits, "float32")
        squares = ops.square(ops.where(known, labels, outputs) - outputs)
        return ops.sum(squares, axis=-1) / ops.maximum(ops.sum(ops.cast(known, "float32"), axis=-1), 1)

    def missing(self, labels):
        return float("nan")

    def known(self, labels):
        return labels == labels  # NaN is not equal to itself


class Classes(Task):
    """One class is right. Labels: integers [...] with -1 for unknown, or one-hot or soft rows [..., classes].

    A row of zeros or of -1 is an example without a label.
    """

    name = "classes"

    def hard_loss(self, labels, logits):
        """The cross-entropy in nats."""
        logits = ops.cast(logits, "float32")
        if len(labels.shape) == len(logits.shape):
            return ops.categorical_crossentropy(ops.cast(labels, "float32"), logits, from_logits=True)
        check_steps.require_one_label_each(tuple(labels.shape), tuple(logits.shape))
        return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    def read(self, labels, logits):
        """Labels as int32 [...], or as float32 rows [..., classes]."""
        rank, classes = len(logits.shape), logits.shape[-1]
        check_steps.require_classes(classes)
        if len(labels.shape) == rank and labels.shape[-1] == classes:
            return ops.cast(labels, "float32")
        if len(labels.shape) == rank and labels.shape[-1] == 1:
            labels = ops.squeeze(labels, -1)
        check_steps.require_one_label_each(tuple(labels.shape), tuple(logits.shape))
        return tf.cast(_judged(tf.convert_to_tensor(labels), classes), "int32")

    def metric(self, metric):
        return metric

    def missing(self, labels):
        return 0 if _are_rows(labels) else NO_LABEL

    def labelled(self, labels):
        return ops.sum(labels, axis=-1) > 0 if _are_rows(labels) else labels != NO_LABEL

    def for_loss(self, labels, loss):
        return labels if _are_rows(labels) else ops.maximum(labels, 0), self.labelled(labels)

    def weights_of_classes(self, labels, class_weight, outputs):
        if labels.ndim == len(outputs) and labels.shape[-1] == 1:
            labels = labels[..., 0]
        elif labels.ndim == len(outputs):  # rows
            labels = np.where(labels.sum(axis=-1) > 0, labels.argmax(axis=-1), NO_LABEL)
        return _of_classes(labels, class_weight)

    def problems(self, labels, teacher_logits, student_logits):
        found = []
        for logits, message in (
            (teacher_logits, check_steps.TEACHER_PROBABILITIES),
            (student_logits, check_steps.STUDENT_PROBABILITIES),
        ):
            if logits is not None:
                found.append((check_steps.are_probabilities(logits), message))
        if labels is None:
            return found
        if not _are_rows(labels):
            return [*found, (tf.reduce_any(labels == WRONG_LABEL), check_steps.LABEL_RANGE)]
        none = tf.reduce_all(labels == 0, axis=-1) | tf.reduce_all(labels == NO_LABEL, axis=-1)
        below = tf.reduce_any(labels < 0, axis=-1) & ~none
        whole = tf.abs(tf.reduce_sum(labels, axis=-1) - 1) <= 1e-2  # float16 has about three digits
        found.append((tf.reduce_any(below), check_steps.LABEL_RANGE))
        return [*found, (tf.reduce_any(~whole & ~none), check_steps.LABEL_ROWS)]


# Metrics of Keras that judge every output alone, and take the mean or counts over all of them.
_NAMES = (
    *("Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "Hinge", "SquaredHinge", "LogCoshError", "Poisson"),
    *("MeanAbsoluteError", "MeanSquaredError", "RootMeanSquaredError", "MeanAbsolutePercentageError"),
    *("MeanSquaredLogarithmicError", "AUC", "Precision", "Recall", "PrecisionAtRecall", "RecallAtPrecision"),
    *("SensitivityAtSpecificity", "SpecificityAtSensitivity"),
    *("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives"),
)
OUTPUT_BY_OUTPUT = tuple(getattr(keras.metrics, name) for name in _NAMES)


class KnownOutputs(keras.metrics.Metric):
    """`metric` over the outputs with a label. `known(labels)`: bool [n, outputs].

    A metric that judges every output alone sees the known outputs, [m, 1]. Another metric sees the examples of which
    all outputs are known, [m, outputs].
    """

    def __init__(self, metric, known, name):
        super().__init__(name=name, dtype=metric.dtype)
        self.metric, self.known = metric, known
        of_rows = any(getattr(metric, name, None) not in (None, False) for name in ("multi_label", "class_id", "top_k"))
        self.alone = type(metric) in OUTPUT_BY_OUTPUT and not of_rows

    def update_state(self, y_true, y_pred, sample_weight=None):
        known = self.known(y_true)
        counts = known if self.alone else ops.all(known, axis=-1)
        rows = tf.where(counts)
        if sample_weight is not None:
            sample_weight = ops.broadcast_to(with_axes(sample_weight, counts), ops.shape(counts))
            sample_weight = tf.gather_nd(sample_weight, rows)
        y_true, y_pred = (tf.gather_nd(values, rows) for values in (y_true, y_pred))  # [m] or [m, outputs]
        if self.alone:
            y_true, y_pred = y_true[:, None], y_pred[:, None]
        self.metric.update_state(y_true, y_pred, sample_weight)

    def result(self):
        return self.metric.result()

    def reset_state(self):
        self.metric.reset_state()


def _judged(labels, classes):
    """The labels, WRONG_LABEL for what is neither a class nor NO_LABEL: 0.7, NaN, 2**32 + 3."""
    if labels.dtype.is_floating:
        labels = tf.where(labels == tf.floor(labels), labels, WRONG_LABEL)
    else:
        most = tf.constant(classes, "uint64") if labels.dtype == "uint64" else None  # its maximum would become -1
        labels = tf.cast(labels if most is None else tf.minimum(labels, most), "int64")
    return tf.where((labels >= NO_LABEL) & (labels <= classes - 1), labels, WRONG_LABEL)


TASKS = {task.name: task for task in (Classes(), YesNo(), Numbers())}


def _are_rows(labels):
    """After `read`, rows are float32 and integers int32."""
    return tf.as_dtype(labels.dtype).is_floating


def no_soft_loss(batch, student_logits, temperature):
    """0 for each example: for labels or hints alone."""
    return ops.zeros(ops.shape(student_logits)[:-1])


def classes_of(labels, otherwise):
    """Each example's class, from integers or rows [..., classes]; `otherwise` [...] where there is no label."""
    if labels is None:
        return otherwise
    if _are_rows(labels):
        labels = ops.where(ops.sum(labels, axis=-1) > 0, ops.argmax(labels, axis=-1), NO_LABEL)
    return ops.where(labels >= 0, ops.cast(labels, otherwise.dtype), otherwise)


def _of_classes(labels, class_weight):
    """The weight of each label's class, float32, in the shape of the labels; 1 where there is no label."""
    for name in class_weight:
        require_count(name, "A class in class_weight", least=0)
    weights = [class_weight.get(label, 1.0) for label in labels.ravel().tolist()]
    return np.array(weights, "float32").reshape(labels.shape)


def with_axes(tensor, values):
    """The tensor with axes of size 1 at its end, until it has as many as `values`."""
    missing = len(values.shape) - len(tensor.shape)
    return ops.reshape(tensor, (*ops.shape(tensor), *[1] * missing))
