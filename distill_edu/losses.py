"""The losses of distillation, one value per example: of logits (two functions) and of hidden layers (four hints)."""

import re

from distill_edu.arguments import check_number
from distill_edu.backend import keras
from distill_edu.soft_targets import check_temperature

ops = keras.ops
register = keras.saving.register_keras_serializable(package="distill_edu")


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
    if len(labels.shape) != len(logits.shape) - 1:
        raise ValueError(
            f"The labels have the shape {tuple(labels.shape)} and the logits {tuple(logits.shape)}: give one integer "
            "for each row of logits, or one-hot rows."
        )
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


class _Hint(keras.layers.Layer):
    """Compares a hidden layer of the student with one of the teacher: both by name, for `Distiller(hints=[...])`."""

    def __init__(self, student_layer, teacher_layer, weight=1.0, name=None, **keras_arguments):
        for layer, whose in ((student_layer, "student_layer"), (teacher_layer, "teacher_layer")):
            if not isinstance(layer, str):
                raise TypeError(f"{whose} must be the name of a layer, such as 'conv1', not {layer!r}.")
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()
        super().__init__(name=name or f"{kind}_{student_layer}", **{"dtype": "float32", **keras_arguments})
        self.student_layer, self.teacher_layer = student_layer, teacher_layer
        self._weight = keras.Variable(1.0, trainable=False, dtype="float32", name="weight")
        self.weight = weight

    @property
    def weight(self):
        """The factor of this hint in the loss, at least 0; it may be set at any time, also while `fit` runs."""
        return as_python(self._weight)

    @weight.setter
    def weight(self, value):
        self._weight.assign(check_number(value, "weight", "a number of at least 0", lambda weight: weight >= 0))

    def build(self, student_features_shape, teacher_features_shape):
        pass  # most hints have nothing to train

    def _check_places(self, student, teacher):
        if tuple(student[1:-1]) != tuple(teacher[1:-1]):
            raise ValueError(
                f"The student's layer {self.student_layer!r} has the shape {tuple(student)} and the teacher's "
                f"{self.teacher_layer!r} {tuple(teacher)}: only the last axis may differ. Choose layers with as many "
                "places, or flat ones."
            )

    def compute_output_shape(self, student_features_shape, teacher_features_shape):
        return student_features_shape[:1]

    def get_config(self):
        ours = {"student_layer": self.student_layer, "teacher_layer": self.teacher_layer, "weight": self.weight}
        return {**super().get_config(), **ours}


@register
class Hint(_Hint):
    """The mean square of what is between both layers' features [batch, ..., width], one value per example.

    Romero et al. 2015, "FitNets", section 2.2 and equation 3 (there half the sum, here the mean over the features).
    Where the widths differ, a `projector`, trained with the student and left out of it, takes the student's features to
    the teacher's width: a Dense layer at each place. Raises ValueError where other axes differ.
    """

    projector = None

    def build(self, student_features_shape, teacher_features_shape):
        self._check_places(student_features_shape, teacher_features_shape)
        if student_features_shape[-1] != teacher_features_shape[-1]:
            self.projector = keras.layers.Dense(teacher_features_shape[-1], dtype="float32", name="projector")
            self.projector.build(student_features_shape)

    def call(self, student_features, teacher_features):
        projected = student_features if self.projector is None else self.projector(student_features)
        return ops.mean(_rows(ops.square(projected - teacher_features)), axis=-1)


@register
class AttentionTransfer(_Hint):
    """Half the distance of both layers' attention maps, which say where in the image a layer is active.

    Zagoruyko and Komodakis 2017, "Paying More Attention to Attention", section 3.1 and equation 2: the map is the sum
    of squares over the channels, and its length is made 1. Features [batch, ..., channels], the same places for both,
    any channels; one value per example.
    """

    def build(self, student_features_shape, teacher_features_shape):
        if min(len(student_features_shape), len(teacher_features_shape)) < 3:
            raise ValueError(
                f"An attention map needs places, but {self.student_layer!r} has the shape "
                f"{tuple(student_features_shape)} and {self.teacher_layer!r} {tuple(teacher_features_shape)}: choose "
                "layers before Flatten or pooling over all places."
            )
        self._check_places(student_features_shape, teacher_features_shape)

    def call(self, student_features, teacher_features):
        return _length(_attention(student_features) - _attention(teacher_features))[..., 0] / 2


@register
class RelationalDistance(_Hint):
    """How differently both layers see the distances between the examples of a batch, one value per example.

    Park et al. 2019, "Relational Knowledge Distillation", section 3.2.1 and equations 5 to 7: Euclidean distances,
    divided by their mean over the batch, compared by Huber's loss. Here a mean over the other examples, there the sum.
    Features [batch, ...] of any shapes: only relations are compared. 0 in a batch of one.
    """

    def call(self, student_features, teacher_features):
        student, teacher = (_relative_distances(_rows(one)) for one in (student_features, teacher_features))
        others = ops.cast(ops.shape(student)[0] - 1, "float32")
        return ops.sum(_huber(teacher, student), axis=-1) / ops.maximum(others, 1)


@register
class RelationalAngle(_Hint):
    """How differently both layers see the angles of every three examples of a batch, one value per middle example.

    Park et al. 2019, "Relational Knowledge Distillation", section 3.2.2 and equations 8 and 9: cosines, compared by
    Huber's loss. Here a mean over the pairs of other examples, there the sum. Features [batch, ...] of any shapes; the
    memory grows with the third power of the batch. 0 in a batch of two.
    """

    def call(self, student_features, teacher_features):
        student, teacher = (_angles(_rows(one)) for one in (student_features, teacher_features))
        count = ops.cast(ops.shape(student)[0], "float32")
        return ops.sum(_huber(teacher, student), axis=(1, 2)) / ops.maximum((count - 1) * (count - 2), 1)


def as_python(variable):
    """The number of a float32 variable by way of its shortest decimals: 0.1 reads back as 0.1, not 0.10000000149."""
    return float(str(ops.convert_to_numpy(variable)))


def _rows(features):
    return ops.reshape(features, (ops.shape(features)[0], -1))


def _length(vectors):
    """Euclidean length along the last axis, kept as an axis of size 1; the gradient at length 0 is 0, not NaN."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return ops.where(squares > 0, ops.sqrt(ops.where(squares > 0, squares, 1.0)), 0.0)


def _unit(vectors):
    """Vectors of length 1; what has length 0 stays 0."""
    length = _length(vectors)
    return vectors / ops.where(length > 0, length, 1.0)


def _attention(features):
    return _unit(_rows(ops.sum(ops.square(features), axis=-1)))


def _differences(rows):
    return rows[:, None] - rows[None]


def _relative_distances(rows):
    """Distances of all pairs [n, n], divided by their mean over the pairs of different examples."""
    distances = _length(_differences(rows))[..., 0]
    count = ops.cast(ops.shape(rows)[0], "float32")
    mean = ops.sum(distances) / ops.maximum(count * (count - 1), 1)
    return distances / ops.where(mean > 0, mean, 1.0)


def _angles(rows):
    """[j, i, k]: the cosine of the angle at example j between the directions to i and to k."""
    directions = _unit(_differences(rows))
    return ops.matmul(directions, ops.transpose(directions, (0, 2, 1)))


def _huber(a, b):
    return keras.losses.huber(a[..., None], b[..., None])
