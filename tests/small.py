"""Small models and data that the TensorFlow tests share."""

import keras
import numpy as np
import tensorflow as tf

from distill_edu import soft_targets
from distill_edu.probabilities import kl_divergence

# Two logical devices, so that tf.distribute has something to distribute over. It must be said before TensorFlow starts.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

CLASSES, FEATURES = 4, 6
RANDOM = np.random.RandomState(7)
X = RANDOM.randn(33, FEATURES).astype("float32")  # 33 = 32 + 1: the last batch is a ragged one
Y = RANDOM.randint(0, CLASSES, 33)
LIGHT = {"epochs": 1, "verbose": 0, "shuffle": False}


def model(seed=0, units=8, classes=CLASSES, noise=0.0, norm=False, l2=0.0, activation=None, name=None):
    """A fresh model; the same arguments give the same weights."""
    keras.utils.set_random_seed(seed)
    penalty = keras.regularizers.L2(l2) if l2 else None
    layers = [keras.Input((FEATURES,)), keras.layers.Dense(units, "relu", kernel_regularizer=penalty)]
    layers += [keras.layers.BatchNormalization()] if norm else []
    layers += [keras.layers.Dropout(noise, seed=3)] if noise else []
    return keras.Sequential([*layers, keras.layers.Dense(classes, activation)], name=name)


def frozen(seed=0):
    one = model(seed)
    one.trainable = False
    return one


def weights(one):
    return [np.array(weight) for weight in one.get_weights()]


def same(a, b, **tolerance):
    return all(np.allclose(x, y, **{"atol": 1e-6, **tolerance}) for x, y in zip(a, b, strict=True))


def logits(one, x=X):
    return one.predict(x, verbose=0).astype("float64")


def soft_values(teacher_logits, student_logits, t):
    """The oracle of the soft loss: closed form, NumPy, float64."""
    return t**2 * kl_divergence(soft_targets(teacher_logits, t), soft_targets(student_logits, t))


def hard_values(labels, student_logits):
    return -np.log(soft_targets(student_logits)[np.arange(len(labels)), labels])


class Watch(keras.layers.Layer):
    """Passes its input on and remembers how often it was traced or called, and with which `training`."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def call(self, inputs, training=None):
        # A plain list would become a tracked one; appending to it here is what we want to see.
        self.seen.append(bool(training))
        return inputs


def watched(seed=0):
    """(model, its Watch layer), with the calls of building it forgotten."""
    watch = Watch()
    keras.utils.set_random_seed(seed)
    built = keras.Sequential([keras.Input((FEATURES,)), watch, keras.layers.Dense(CLASSES)])
    watch.seen.clear()
    return built, watch


class Table(keras.layers.Layer):
    """A table of one's own, read by gather."""

    def build(self, shape):
        self.table = self.add_weight(shape=(60, 4))

    def call(self, x):
        return keras.ops.take(self.table, keras.ops.cast(x, "int32"), axis=0)


def twice(seed=0):
    """A model of two inputs with a layer, "enc", that is used twice."""
    keras.utils.set_random_seed(seed)
    entries, enc = [keras.Input((FEATURES,)), keras.Input((FEATURES,))], keras.layers.Dense(8, name="enc")
    both = keras.layers.Concatenate()([enc(each) for each in entries])
    return keras.Model(entries, keras.layers.Dense(CLASSES)(both))


def nested(seed=0, units=7):
    """The usual model of transfer learning: a model "backbone" with a layer "deep" inside, and a head on it."""
    keras.utils.set_random_seed(seed)
    entry = keras.Input((FEATURES,))
    inside = keras.Model(entry, keras.layers.Dense(units, "relu", name="deep")(entry), name="backbone")
    return keras.Sequential([keras.Input((FEATURES,)), inside, keras.layers.Dense(CLASSES)])
