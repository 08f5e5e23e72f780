"""The log-probabilities that the losses compare, of both models in the same shape, in float32."""

from distill_edu._inside import check_steps
from distill_edu._inside.backend import keras

ops = keras.ops


def of_both(teacher_logits, student_logits, temperature):
    """The log-probabilities of both models at the temperature, in float32."""
    logits, temperature = in_same_shape(teacher_logits, student_logits), check_steps.checked_temperature(temperature)
    check_steps.require_classes(logits[1].shape[-1])
    return [ops.log_softmax(each / temperature, axis=-1) for each in logits]


def of_yes_and_no(teacher_logits, student_logits, temperature):
    """[..., outputs] -> [..., outputs, 2], of both models: log sigmoid and log (1 - sigmoid)."""
    logits, temperature = in_same_shape(teacher_logits, student_logits), check_steps.checked_temperature(temperature)
    scaled = [each / temperature for each in logits]
    return [ops.stack([ops.log_sigmoid(each), ops.log_sigmoid(-each)], axis=-1) for each in scaled]


def of_target_and_others(log_p, target):
    """[..., classes] -> log-probabilities of (target, all others) [..., 2], and of the others among themselves."""
    of_target = ops.sum(ops.where(target, log_p, 0.0), axis=-1)
    others = ops.where(target, -float("inf"), log_p)
    return ops.stack([of_target, ops.logsumexp(others, axis=-1)], axis=-1), ops.log_softmax(others, axis=-1)


def in_same_shape(teacher_logits, student_logits):
    """Both in float32. Raises ValueError for different shapes."""
    pair = [ops.cast(logits, "float32") for logits in (teacher_logits, student_logits)]
    check_steps.require_same_shape(*(tuple(logits.shape) for logits in pair))
    return pair
