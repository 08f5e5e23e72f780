"""The two losses of distillation, from logits, one value per example."""

from distill_edu.backend import keras
from distill_edu.soft_targets import check_temperature

ops = keras.ops


def distillation_loss(teacher_logits, student_logits, temperature):
    """T^2 KL(softmax(teacher / T) || softmax(student / T)) in nats, one value per example.

    Logits: [..., classes], the same shape for both; returns float32 [...], whatever the dtype of the logits.
    The gradient with respect to the student's logits is T (q - p) (Hinton et al. 2015, section 2.1, times the T^2
    that section 2 asks for). Raises ValueError for shapes that differ and for temperature <= 0.
    """
    if not isinstance(temperature, keras.Variable):  # the variable of a Distiller is checked when it is set
        temperature = check_temperature(temperature)
    teacher_logits, student_logits = (ops.cast(logits, "float32") for logits in (teacher_logits, student_logits))
    _check_same_shape(teacher_logits.shape, student_logits.shape)
    log_p = ops.log_softmax(teacher_logits / temperature, axis=-1)
    log_q = ops.log_softmax(student_logits / temperature, axis=-1)
    return temperature**2 * ops.sum(ops.exp(log_p) * (log_p - log_q), axis=-1)


def hard_label_loss(labels, logits):
    """Cross-entropy of the labels in nats, one value per example, float32.

    `logits`: [..., classes]; `labels`: integers [...], or one-hot rows [..., classes].
    """
    logits = ops.cast(logits, "float32")
    if len(labels.shape) == len(logits.shape):
        return ops.categorical_crossentropy(ops.cast(labels, "float32"), logits, from_logits=True)
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def _check_same_shape(teacher, student):
    """Compare static shapes, where an unknown size (None) fits any: broadcasting would hide a mistake."""
    if teacher[-1] != student[-1]:
        raise ValueError(
            f"The teacher gives {teacher[-1]} logits per example and the student {student[-1]}. Distillation compares "
            "them class by class: give both last layers one unit per class, in the same order."
        )
    known = [(t, s) for t, s in zip(teacher, student, strict=False) if None not in (t, s)]
    if student[-1] == 1:
        raise ValueError(
            "The models give one number per example. A softmax over one class is always 1, so there is nothing to "
            "distil: give two logits to a model that says yes or no."
        )
    if len(teacher) != len(student) or any(t != s for t, s in known):
        raise ValueError(
            f"The teacher's logits have the shape {tuple(teacher)} and the student's {tuple(student)}: "
            "they must be the same, example by example."
        )
