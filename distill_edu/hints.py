"""Hints: a hidden layer of the student learns from one of the teacher. One paper, one class, its geometry beside it."""

import re

from distill_edu._inside.backend import Setting, keras, live_number
from distill_edu._inside.check_models import require_layer_names, require_places, require_weight

ops = keras.ops
register = keras.saving.register_keras_serializable(package="distill_edu")


class BaseHint(keras.layers.Layer):
    """Compare a hidden layer of the student with one of the teacher: for `Distiller(hints=[...])`.

    Layers are given by name, a layer inside another model by its path, "backbone/conv1". For your own hint, write a
    subclass with a `call(student_features, teacher_features)` that returns one value per example, [batch], or one for
    each place, [batch, ...], and register it with keras.saving.register_keras_serializable. `build` refuses shapes.

    >>> class Largest(BaseHint):
    ...     def call(self, student_features, teacher_features):
    ...         return ops.square(ops.max(student_features, -1) - ops.max(teacher_features, -1))
    >>> ops.convert_to_numpy(Largest("h", "h")(ops.ones((2, 3)), 2 * ops.ones((2, 5))))
    array([1., 1.], dtype=float32)
    """

    weight = live_number("_weight", require_weight, "The factor of this hint in the loss; `fit` follows it.")

    def __init__(self, student_layer, teacher_layer, weight=1.0, name=None, **keras_arguments):
        require_layer_names(student_layer=student_layer, teacher_layer=teacher_layer)
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()
        name = name or f"{kind}_{student_layer}".replace("/", "_")
        super().__init__(name=name, **{"dtype": "float32", **keras_arguments})
        self.student_layer, self.teacher_layer = student_layer, teacher_layer
        self._weight = Setting(1.0, "weight")
        self.weight = weight

    @property
    def weight_variable(self):
        return self._weight.variable

    def build(self, student_features_shape, teacher_features_shape):
        pass  # most hints have nothing to train

    def get_config(self):
        layers = {"student_layer": self.student_layer, "teacher_layer": self.teacher_layer}
        return {**super().get_config(), **layers, "weight": self.weight}


def _flat(features):
    """[batch, ...] -> [batch, width]"""
    return ops.reshape(features, (ops.shape(features)[0], -1))


@register
class Hint(BaseHint):
    """The mean squared difference of both layers' features [batch, ..., width], one value for each place.

    Romero et al. 2015, "FitNets", section 2.2 and equation 3 (there half the sum, here the mean over the features).
    Where the widths differ, a `projector` takes the student's features to the teacher's width: a Dense layer at each
    place, trained with the student and left out of it. Raises ValueError where other axes differ.

    >>> ops.convert_to_numpy(Hint("h", "h")(ops.zeros((2, 3)), 2 * ops.ones((2, 3))))
    array([4., 4.], dtype=float32)
    """

    projector = None

    def build(self, student_features_shape, teacher_features_shape):
        require_places(self, student_features_shape, teacher_features_shape)
        if student_features_shape[-1] != teacher_features_shape[-1]:
            self.projector = keras.layers.Dense(teacher_features_shape[-1], dtype="float32", name="projector")
            self.projector.build(student_features_shape)

    def call(self, student_features, teacher_features):
        projected = student_features if self.projector is None else self.projector(student_features)
        return ops.mean(ops.square(projected - teacher_features), axis=-1)


def _root(squares):
    """The square root, whose gradient at 0 is 0, not NaN."""
    return ops.where(squares > 0, ops.sqrt(ops.where(squares > 0, squares, 1.0)), 0.0)


def _length(vectors):
    """Euclidean length along the last axis: [..., width] -> [..., 1]."""
    return _root(ops.sum(ops.square(vectors), axis=-1, keepdims=True))


@register
class AttentionTransfer(BaseHint):
    """Half the distance between both layers' attention maps, which say where in an image a layer is active.

    Zagoruyko and Komodakis 2017, "Paying More Attention to Attention", section 3.1 and equation 2: the map is the sum
    of squares over the channels, scaled to length 1. Features [batch, ..., channels], the same places for both layers,
    any number of channels; one value per example.

    >>> left, right = ops.reshape([1.0, 0.0], (1, 2, 1)), ops.reshape([0.0, 1.0], (1, 2, 1))
    >>> ops.convert_to_numpy(AttentionTransfer("h", "h")(left, right)).round(4)
    array([0.7071], dtype=float32)
    """

    def build(self, student_features_shape, teacher_features_shape):
        require_places(self, student_features_shape, teacher_features_shape, least=1)

    def call(self, student_features, teacher_features):
        return _length(_attention(student_features) - _attention(teacher_features))[..., 0] / 2


def _attention(features):
    """[batch, ..., channels] -> [batch, places]: the map, of length 1; where nothing is active it stays 0."""
    squares = _flat(ops.sum(ops.square(features), axis=-1))
    return _divided(squares, _length(squares))


@register
class RelationalDistance(BaseHint):
    """How differently both layers see the distances between the examples of a batch, one value per example.

    Park et al. 2019, "Relational Knowledge Distillation", section 3.2.1 and equations 5 to 7: Euclidean distances,
    divided by their mean over the batch, compared by Huber's loss. Here the mean over the other examples, there the
    sum. Features [batch, ...] of any shapes: only relations are compared. 0 in a batch of one.

    >>> three = ops.reshape([0.0, 1.0, 3.0], (3, 1))
    >>> ops.convert_to_numpy(RelationalDistance("h", "h")(three, 5 * three))  # a factor changes no relation
    array([0., 0., 0.], dtype=float32)
    """

    def call(self, student_features, teacher_features):
        student, teacher = (_relative_distances(_flat(features)) for features in (student_features, teacher_features))
        others = ops.cast(ops.shape(student)[0] - 1, "float32")
        return ops.sum(_huber(teacher, student), axis=-1) / ops.maximum(others, 1)


def _squared_distances(vectors):
    """[batch, width] -> [batch, batch], of all pairs."""
    return ops.sum(ops.square(vectors[:, None] - vectors[None]), axis=-1)


def _relative_distances(vectors):
    """[batch, width] -> [batch, batch]: distances, divided by their mean over the pairs of different examples."""
    distances = _root(_squared_distances(vectors))
    count = ops.cast(ops.shape(vectors)[0], "float32")
    return _divided(distances, ops.sum(distances) / ops.maximum(count * (count - 1), 1))


@register
class RelationalAngle(BaseHint):
    """How differently both layers see the angles of every three examples of a batch, one value per middle example.

    Park et al. 2019, "Relational Knowledge Distillation", section 3.2.2 and equations 8 and 9: cosines, compared by
    Huber's loss. Here the mean over the pairs of other examples, there the sum. Features [batch, ...] of any shapes;
    memory grows with the third power of the batch. 0 in a batch of two.

    >>> corner, line = ops.array([[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]]), ops.array([[0.0], [1.0], [2.0]])
    >>> ops.convert_to_numpy(RelationalAngle("h", "h")(corner, line)).round(2)  # at the middle one: cos 0 and -1
    array([0.04, 0.5 , 0.04], dtype=float32)
    """

    def call(self, student_features, teacher_features):
        student, teacher = (_angles(_flat(features)) for features in (student_features, teacher_features))
        count = ops.cast(ops.shape(student)[0], "float32")
        return ops.sum(_huber(teacher, student), axis=(1, 2)) / ops.maximum((count - 1) * (count - 2), 1)


def _angles(vectors):
    """[batch, width] -> [j, i, k]: the cosine of the angle at j between i and k; 0 where one of them is j."""
    squares = _squared_distances(vectors)
    sides = _root(squares)
    # The law of cosines: from the sides of the triangle.
    products = (squares[:, :, None] + squares[:, None] - squares[None]) / 2
    return _divided(products, sides[:, :, None] * sides[:, None])


def _divided(a, b):
    """a / b, and a where b is 0."""
    return a / ops.where(b > 0, b, 1.0)


def _huber(a, b):
    """Huber's loss of every pair of numbers."""
    return keras.losses.huber(a[..., None], b[..., None])
