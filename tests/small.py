"""Small models and data that the TensorFlow tests share."""

import keras
import numpy as np
import tensorflow as tf

from distill_edu import Distiller, soft_targets
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
    layers = [keras.Input((FEATURES,)), keras.layers.Dense(units, "relu", kernel_regularizer=penalty, name="hidden")]
    layers += [keras.layers.BatchNormalization()] if norm else []
    layers += [keras.layers.Dropout(noise, seed=3)] if noise else []
    return keras.Sequential([*layers, keras.layers.Dense(classes, activation, name="out")], name=name)


def distiller(student=None, teacher=None, optimizer=None, hints=(), taught=True, **settings):
    """A compiled Distiller of small models that runs eagerly; `taught=False`: it has no teacher."""
    teacher = (teacher or model(9, units=16)) if taught else None
    one = Distiller(student=student or model(), teacher=teacher, hints=hints)
    one.compile(optimizer or keras.optimizers.SGD(0.1), **{"run_eagerly": True, **settings})
    return one


def reported(one, x, y=None, way="evaluate", **given):
    """What `evaluate` reports, or what an epoch of `fit` does, in which nothing is learned."""
    if way == "evaluate":
        return one.evaluate(x, y, verbose=0, return_dict=True, **given)
    one.optimizer.learning_rate = 0.0
    return {name: values[0] for name, values in one.fit(x, y, **LIGHT, **given).history.items()}


def image_model(seed=0, width=3, watch=False, name="student"):
    """A convolutional model over 6 numbers seen as an image of 2 x 3."""
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((FEATURES,)), *([Watch()] if watch else []), keras.layers.Reshape((2, 3, 1), name="places")]
    layers += [keras.layers.Conv2D(width, 2, padding="same", activation="relu", name="conv")]
    layers += [keras.layers.Flatten(name="flat"), keras.layers.Dense(CLASSES, name="logits")]
    return keras.Sequential(layers, name=name)


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    """Called without `training`."""

    def __init__(self, units=8, scale=1.0, **keras_arguments):
        super().__init__(**keras_arguments)
        self.units, self.scale = units, scale
        self.hidden, self.out = (
            keras.layers.Dense(units, "relu", name="hidden"),
            keras.layers.Dense(CLASSES, name="out"),
        )

    def call(self, inputs):
        return self.scale * self.out(self.hidden(inputs))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "scale": self.scale}


def subclassed(seed=0, units=8, scale=1.0, called=True):
    keras.utils.set_random_seed(seed)
    one = Subclassed(units, scale)
    if called:
        one(X[:1])
    return one


def on_top(bottom, seed=0, units=8):
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((FEATURES,)), bottom, dense(units, "relu"), dense(CLASSES)])


class OfNumPy(keras.layers.Layer):
    """A teacher that lives outside of TensorFlow, as one of scikit-learn does; it need not say its width."""

    def __init__(self, wide=None):
        super().__init__()
        self.wide = wide

    def call(self, x):
        z = tf.numpy_function(lambda x: x[:, :CLASSES] * 2, [x], tf.float32)
        z.set_shape((None, self.wide) if self.wide else None)
        return z


def of_numpy(wide=None):
    one = OfNumPy(wide)
    one(X[:1])
    return one


class Soft(keras.Model):
    """Ends in a softmax, and Keras cannot tell."""

    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(CLASSES, "softmax")

    def call(self, x):
        return self.out(x)


def soft():
    one = Soft()
    one(X[:1])
    return one


def frozen(seed=0):
    one = model(seed)
    one.trainable = False
    return one


def weights(one):
    return [np.array(weight) for weight in one.get_weights()]


def same(a, b, **tolerance):
    return all(np.allclose(x, y, **{"atol": 1e-6, **tolerance}) for x, y in zip(a, b, strict=True))


def logits(one, x=X):
    return np.array(one(x), "float64")


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
