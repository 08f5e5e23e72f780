"""What one training step sees, read once: inputs, labels, weights, padding, the teacher's logits and features."""

from typing import NamedTuple

from distill_edu._inside import check_steps
from distill_edu._inside.backend import keras, tf

ops = keras.ops
UNKNOWN = {"classes": -1, "yes_no": -1, "numbers": float("nan")}  # what stands in the place of a label that is missing


class Part(NamedTuple):
    """A mean, and the number of what it is over."""

    value: tf.Tensor
    count: tf.Tensor


class Batch(NamedTuple):
    """`labels`: None, or in the form that `read_labels` gives; `weight`: sample_weight as it came; `mask`: None, or
    False at padding; `features`: of the teacher, for the hints; `task`: see `losses.soft_loss`."""

    x: object
    labels: tf.Tensor
    weight: tf.Tensor
    mask: tf.Tensor
    teacher_logits: tf.Tensor
    features: list
    task: str

    def without_padding(self, mask):
        """The batch with `mask` (unless it has its own): at padding there is no label, and the teacher says 0."""
        mask = mask if self.mask is None else self.mask
        if mask is None:
            return self
        mask, labels = ops.cast(mask, "bool"), self.labels
        if labels is not None:
            unknown = ops.cast(0 if is_one_hot(self) else UNKNOWN[self.task], labels.dtype)
            labels = ops.where(_with_axes(mask, labels), labels, unknown)
        return self._replace(mask=mask, labels=labels, teacher_logits=zero_at_padding(self.teacher_logits, mask))


def features_without_padding(mine, teachers, mask):
    """Both layers' features [batch, ..., width], 0 at padding, and the mask of the student's places (None: no padding).

    `mask`: of the logits; where a layer has other places, Keras's mask on the features counts.
    """
    masks = [mask, *(getattr(features, "_keras_mask", None) for features in (mine, teachers))]
    masks = [_first_fitting(masks, features) for features in (mine, teachers)]
    return *(zero_at_padding(*pair) for pair in zip((mine, teachers), masks, strict=True)), masks[0]


def _first_fitting(masks, features):
    """The first mask that has an entry for each place of these features, as far as static shapes tell."""
    for mask in masks:
        if mask is not None and len(mask.shape) < len(features.shape):
            pairs = zip(mask.shape, features.shape, strict=False)
            if all(None in pair or pair[0] == pair[1] for pair in pairs):
                return ops.cast(mask, "bool")
    return None


def zero_at_padding(values, mask):
    """`values` [batch, ..., width], and 0 where the mask of their places is False; `mask`: None is no padding."""
    return values if mask is None else ops.where(_with_axes(mask, values), values, 0)


def _with_axes(tensor, values):
    """The tensor with axes of size 1 at its end, until it has as many as `values`."""
    missing = len(values.shape) - len(tensor.shape)
    return ops.reshape(tensor, (*ops.shape(tensor), *[1] * missing))


class Step(NamedTuple):
    """What a forward pass gave: the student's logits, the batch without padding, the loss, and its parts' means."""

    logits: tf.Tensor
    batch: Batch
    loss: tf.Tensor
    parts: list


def read_targets(y):
    """(labels, teacher_logits, mask) of what `fit` was given as y; each may be None."""
    if not isinstance(y, dict):
        return y, None, None
    if not y or set(y) - {"labels", "teacher_logits", "mask"}:
        raise ValueError(f'y as a dictionary has the keys "labels", "teacher_logits" and "mask", not {sorted(y)}.')
    return y.get("labels"), y.get("teacher_logits"), y.get("mask")


def read_labels(labels, logits, task):
    """Labels to go with logits [..., classes]: for classes int32 [...], or float32 one-hot rows [..., classes]; for
    yes_no and numbers float32 [..., outputs]."""
    rank, classes = len(logits.shape), logits.shape[-1]
    if task != "classes":
        labels = labels[..., None] if len(labels.shape) == rank - 1 and classes == 1 else labels
        check_steps.require_labels_like(tuple(labels.shape), tuple(logits.shape))
        return ops.cast(labels, "float32")
    if len(labels.shape) == rank and labels.shape[-1] == classes:
        return ops.cast(labels, "float32")
    if len(labels.shape) == rank and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    check_steps.require_one_label_each(tuple(labels.shape), tuple(logits.shape))
    if tf.as_dtype(labels.dtype).is_floating:
        labels = ops.where(labels == ops.floor(labels), labels, -2)  # 0.7 is no class, and not to be cut to 0
    return ops.cast(labels, "int32")


def read_weight(sample_weight):
    """The one weight of an example: Keras has a copy of it for each part of y where y is a dictionary."""
    return next(iter(sample_weight.values())) if isinstance(sample_weight, dict) else sample_weight


def is_one_hot(batch):
    return batch.task == "classes" and len(batch.labels.shape) == len(batch.teacher_logits.shape)


def labelled(labels, logits, task):
    """True for each example with a label: not -1 (NaN among numbers), and as a one-hot row neither zeros nor -1s."""
    if task == "classes":
        return labels != -1 if len(labels.shape) < len(logits.shape) else ops.sum(labels, axis=-1) > 0
    return ops.any(labels == labels if task == "numbers" else labels != -1, axis=-1)  # NaN is not NaN


def weight_like(values, sample_weight):
    """sample_weight as float32 in the shape of `values`; 1 where there is none."""
    if sample_weight is None:
        return 1.0
    weight = ops.cast(sample_weight, "float32")
    if len(values.shape) == 1 < len(weight.shape):  # a hint has one value per example, also where each time has a label
        return ops.mean(weight, axis=tuple(range(1, len(weight.shape))))
    weight = ops.squeeze(weight, -1) if len(weight.shape) > len(values.shape) else _with_axes(weight, values)
    return ops.broadcast_to(weight, ops.shape(values))


def mean(values, counts, sample_weight):
    """The sum of weight x value over the number of values, both where `counts` is True (None: everywhere)."""
    counts = ops.ones_like(values, "bool") if counts is None else counts
    total = ops.sum(ops.where(counts, values * weight_like(values, sample_weight), 0.0))
    count = over_replicas(ops.sum(ops.cast(counts, "float32")))
    return Part(total / ops.where(count > 0, count, 1.0), count)


def over_replicas(count):
    """The mean of a number over the replicas of a tf.distribute strategy, which may have unequal shares of a batch."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return count
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, count)
