"""What one training step sees, and the means that it takes."""

from typing import NamedTuple

from distill_edu._inside import check_steps
from distill_edu._inside.backend import keras, tf
from distill_edu._inside.tasks import with_axes

ops = keras.ops
KEYS = {"labels", "teacher_logits", "mask"}


class Mean(NamedTuple):
    """A mean, and how many values it averages."""

    value: tf.Tensor
    count: tf.Tensor


class Batch(NamedTuple):
    """`labels`: None, as they came, or as `Task.read` returns them; `weight`: sample_weight; `mask`: None, or False at
    padding; `teacher_logits`: float32 [..., classes]; `teacher_features`: the teacher's layers, for the hints."""

    x: object
    labels: tf.Tensor
    weight: tf.Tensor
    mask: tf.Tensor
    teacher_logits: tf.Tensor
    teacher_features: list

    def answered(self, logits, features):
        """The batch with the teacher's features, and its logits unless the batch came with some."""
        if self.teacher_logits is not None:
            return self._replace(teacher_features=features)
        mask = getattr(logits, "_keras_mask", None) if self.mask is None else self.mask
        return self._replace(mask=mask, teacher_logits=_as_logits(logits), teacher_features=features)


class Step(NamedTuple):
    """What a forward pass gave: the student's logits, the batch without padding, the loss, and its parts' means."""

    logits: tf.Tensor
    batch: Batch
    loss: tf.Tensor
    parts: list


def read_batch(data):
    """The Batch of what Keras hands to a step, before the teacher answers. y: labels, None, or a dictionary."""
    x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
    y = y[0] if isinstance(y, (tuple, list)) and len(y) == 1 else y
    if isinstance(y, (tuple, list)):
        raise ValueError(f'y has {len(y)} parts without names: give {{"labels": y, "teacher_logits": z}}.')
    targets = y if isinstance(y, dict) else {"labels": y}
    if not targets or set(targets) - KEYS:
        raise ValueError(
            f'y as a dictionary has the keys "labels", "teacher_logits" and "mask", not {sorted(targets)}.'
        )
    # Keras copies the weight for each entry of a dictionary y.
    weight = next(iter(weight.values())) if isinstance(weight, dict) else weight
    if targets.get("labels") is not None:
        check_steps.require_real(tf.as_dtype(targets["labels"].dtype))
    logits = targets.get("teacher_logits")
    logits = None if logits is None else _as_logits(logits)
    return Batch(x, targets.get("labels"), weight, targets.get("mask"), logits, [])


def _as_logits(output):
    check_steps.require_width(tf.TensorShape(output.shape))
    return ops.cast(output, "float32")


def without_padding(batch, student_logits, task):
    """(batch, logits [..., classes] in float32): at padding labels are missing and all logits are 0.

    The labels are read here, because the student's outputs say what a label can be.
    """
    mask = getattr(student_logits, "_keras_mask", None) if batch.mask is None else batch.mask
    if mask is not None:
        check_steps.require_mask_like(tuple(mask.shape), tuple(student_logits.shape))
        mask = ops.cast(mask, "bool")
    logits, teacher_logits = (zero_at_padding(each, mask) for each in (student_logits, batch.teacher_logits))
    check_steps.require_width(tf.TensorShape(logits.shape), "student")
    if batch.weight is not None:
        check_steps.require_no_weight_of_outputs(tuple(batch.weight.shape), tuple(logits.shape))
    logits, labels = ops.cast(logits, "float32"), batch.labels
    if labels is not None:
        labels = task.read(labels, logits)
        labels = labels if mask is None else task.hide(labels, mask)
    return batch._replace(mask=mask, labels=labels, teacher_logits=teacher_logits), logits


def mask_features(student_features, teacher_features, mask):
    """Both layers' features [batch, ..., width], 0 at padding, and the mask of the student's places (or None).

    `mask`: of the logits; where a layer has other places, the Keras mask of the features counts.
    """
    both = student_features, teacher_features
    candidates = [mask, *(getattr(features, "_keras_mask", None) for features in both)]
    masks = [_first_fitting(candidates, features) for features in both]
    return zero_at_padding(student_features, masks[0]), zero_at_padding(teacher_features, masks[1]), masks[0]


def _first_fitting(masks, features):
    """The first mask that has an entry for each place of these features, as far as static shapes tell."""
    for mask in masks:
        if mask is not None and len(mask.shape) < len(features.shape):
            pairs = zip(mask.shape, features.shape, strict=False)
            if all(None in pair or pair[0] == pair[1] for pair in pairs):
                return ops.cast(mask, "bool")
    return None


def zero_at_padding(values, mask):
    """`values` [batch, ..., width], and 0 where the mask of their places is False. No mask: no padding."""
    return values if mask is None or values is None else ops.where(with_axes(mask, values), values, 0)


def weight_like(values, sample_weight):
    """sample_weight as float32 in the shape of `values`; 1 where there is none."""
    if sample_weight is None:
        return 1.0
    weight = ops.cast(sample_weight, "float32")
    if len(values.shape) == 1 < len(weight.shape):  # a hint has one value per example, labels may have one per place
        return ops.mean(weight, axis=tuple(range(1, len(weight.shape))))
    weight = ops.squeeze(weight, -1) if len(weight.shape) > len(values.shape) else with_axes(weight, values)
    return ops.broadcast_to(weight, ops.shape(values))


def mean(values, counts, sample_weight):
    """Sum of weight x value over number of values, both where `counts` is True (None: everywhere): a Mean."""
    check_steps.require_no_mean(tuple(values.shape))
    if counts is None or len(counts.shape) > len(values.shape):  # a soft loss with one value for a whole sequence
        counts = ops.ones_like(values, "bool")
    total = ops.sum(ops.where(counts, values * weight_like(values, sample_weight), 0.0))
    count = over_replicas(ops.sum(ops.cast(counts, "float32")))
    return Mean(total / ops.where(count > 0, count, 1.0), count)


def no_mean():
    """The Mean of nothing."""
    return mean(ops.zeros(1), ops.zeros(1, "bool"), None)


def over_replicas(count):
    """The mean of a count over the replicas of a tf.distribute strategy, whose shares of a batch may be unequal."""
    if replicas() == 1:
        return count
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, count)


def replicas():
    """How many replicas a tf.distribute strategy runs; 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync
