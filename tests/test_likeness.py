"""What is alike is decided once: in `_inside.cache_key`, which a Classroom and every key of a kept result ask."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import FEATURES, X

from distill_edu import Classroom
from distill_edu._inside.cache_key import architecture, key  # noqa: TID251 - the place itself is tested

layers, ops = keras.layers, keras.ops


def of(*middle):
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((FEATURES,)), *middle, layers.Dense(4)])


def functional(function):
    keras.utils.set_random_seed(1)
    entry = keras.Input((FEATURES,))
    return keras.Model(entry, layers.Dense(4)(function(entry)))


def wired(k):
    def connect(x):
        first = layers.Dense(6)(x)
        second = layers.Dense(6, "tanh")(first)
        return layers.Add()([layers.Dense(6)(second), (first, second)[k]])

    return functional(connect)


def used_twice(k):
    keras.utils.set_random_seed(1)
    first, second = layers.Dense(6), layers.Dense(6)
    return functional(lambda x: second(first(first(x))) if k else second(first(second(x))))


def leaky(slope):
    return lambda x: ops.where(x > 0, x, slope * x)


def leak(x, slope):
    return ops.where(x > 0, x, slope * x)


def with_attribute(k):
    def act(x):
        return x * act.k

    act.k = k
    return act


def of_globals(k):
    names = {"K": {"k": k}}
    exec("def act(x): return x * K['k']", names)
    return names["act"]


class Scale:
    def __init__(self, k):
        self.k = k

    def __call__(self, x):
        return self.k * x


class Holding(layers.Layer):
    """Keeps something that its configuration does not have."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def call(self, x):
        what = self.what["k"] if isinstance(self.what, dict) else getattr(self.what, "k", self.what)
        return x * ops.cast(ops.convert_to_tensor(what), "float32")


class Silent(Holding):
    """Says that it has no configuration."""

    def get_config(self):
        return {}


class Penalty(keras.regularizers.Regularizer):
    def __init__(self, k):
        self.k = k

    def __call__(self, weight):
        return self.k * ops.sum(weight)

    def get_config(self):
        return {}


class Multiplied(keras.Sequential):
    k = 1

    def call(self, x, training=None, mask=None):
        return self.k * super().call(x, training=training)


def multiplied(k):
    keras.utils.set_random_seed(1)
    model = Multiplied([keras.Input((FEATURES,)), layers.Dense(4)])
    model.k = k
    return model


def adapted(layer, x):
    layer.adapt(x)
    return layer


def looked_up(*words):
    embedded = [layers.Embedding(6, 3), layers.Flatten()]
    return of(layers.Discretization([-0.5, 0.5]), layers.IntegerLookup(vocabulary=list(words)), *embedded)


def changed(k):
    layer = layers.LeakyReLU()
    layer.negative_slope = k / 10
    return of(layer)


def stateful(_):
    entry = keras.Input((FEATURES,), batch_size=32)
    return keras.Sequential([entry, layers.Reshape((3, 2)), layers.GRU(3, stateful=True, unroll=True)])


UNLIKE = {  # name -> a function of 1 or 2 to a model
    "wiring": lambda k: wired(k - 1),
    "a layer that is used twice": lambda k: used_twice(k - 1),
    "the order of two operands": lambda k: functional(lambda x: x - ops.tanh(x) if k == 1 else ops.tanh(x) - x),
    "a number in a graph": lambda k: functional(lambda x: x * k),
    "an array in a graph": lambda k: functional(lambda x: x * np.arange(6, dtype="float32") * k),
    "a tensor in a graph": lambda k: functional(lambda x: x * tf.constant(np.arange(6) * k, "float32")),
    "a slice in a graph": lambda k: functional(lambda x: x[:, k : k + 3]),
    "an adapted Normalization": lambda k: of(adapted(layers.Normalization(), k * X)),
    "an adapted Discretization": lambda k: of(
        adapted(layers.Discretization(num_bins=3), k * X), layers.Embedding(4, 2), layers.Flatten()
    ),
    "a vocabulary": lambda k: looked_up(k, 3 - k),
    "a closure": lambda k: of(layers.Dense(6, leaky(k))),
    "a closure in a Lambda": lambda k: of(layers.Lambda(leaky(k))),
    "a closure in a wrapper": lambda k: of(
        layers.Reshape((3, 2)), layers.TimeDistributed(layers.Dense(2, leaky(k))), layers.Flatten()
    ),
    "a closure in a model inside": lambda k: of(keras.Sequential([keras.Input((6,)), layers.Dense(6, leaky(k))])),
    "a closure of a recurrent layer": lambda k: of(
        layers.Reshape((3, 2)), layers.GRU(3, recurrent_activation=leaky(k))
    ),
    "a partial": lambda k: of(layers.Dense(6, functools.partial(leak, slope=k))),
    "a default": lambda k: of(layers.Dense(6, lambda x, k=k: k * x)),
    "a bound method": lambda k: of(layers.Dense(6, Scale(k).__call__)),
    "a callable object": lambda k: of(layers.Dense(6, Scale(k))),
    "an attribute of a function": lambda k: of(layers.Dense(6, with_attribute(k))),
    "a global": lambda k: of(layers.Dense(6, of_globals(k))),
    "the arguments of a Lambda": lambda k: of(layers.Lambda(leak, arguments={"slope": k})),
    "a penalty": lambda k: of(layers.Dense(6, kernel_regularizer=Penalty(k))),
    "a penalty of activities": lambda k: of(layers.Dense(6, activity_regularizer=Penalty(k))),
    "a number of a layer": lambda k: of(Holding(float(k))),
    "a dictionary of a layer": lambda k: of(Holding({"k": float(k)})),
    "an array of a layer": lambda k: of(Holding(np.full(6, k))),
    "a tensor of a layer": lambda k: of(Holding(tf.fill((6,), float(k)))),
    "a variable of TensorFlow": lambda k: of(Holding(tf.Variable(float(k)))),
    "an object of a layer": lambda k: of(Holding(Scale(float(k)))),
    "a layer without configuration": lambda k: of(Silent(float(k))),
    "an attribute that was set later": changed,
    "a subclass": multiplied,
    "a state that is no variable of the model": stateful,
}


@pytest.mark.parametrize("name", UNLIKE)
def test_what_computes_otherwise_is_not_alike(name):
    first, second, again = (UNLIKE[name](k) for k in (1, 2, 1))
    assert architecture(first) != architecture(second)
    if "state" in name:  # like no other; a kept result depends on what it is now
        before = key(second)
        second(np.ones((32, FEATURES), "float32"))
        assert architecture(first) != architecture(again) and key(second) != before
    else:
        assert architecture(first) == architecture(again)
        assert key(first) != key(second) and key(first) == key(again)


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["wiring", "an adapted Normalization", "a closure", "a layer without configuration"])
def test_a_classroom_answers_with_every_students_own_layers(name):
    students = [UNLIKE[name](k) for k in (1, 2)]
    classroom = Classroom(students=students, teacher=of())
    classroom.compile("sgd")
    answers = classroom.predict(X, verbose=0)
    for i, student in enumerate(students):
        assert answers[:, i] == pytest.approx(np.array(student(X)), abs=1e-5)


def test_names_that_keras_counts_up_do_not_matter_and_others_stay_apart():
    first = of(layers.Dense(5), layers.Dense(5))
    assert architecture(first) == architecture(of(layers.Dense(5), layers.Dense(5)))
    optimizer = keras.optimizers.SGD(0.1, weight_decay=1.0)
    plain = architecture(optimizer)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    assert architecture(optimizer) != plain == architecture(keras.optimizers.SGD(0.1, weight_decay=1.0))
    metric = keras.metrics.Mean()
    before = key(metric)
    metric.update_state(1.0)
    assert key(metric) == before  # Keras resets it before it counts
