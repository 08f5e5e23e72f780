"""Teachers and students as short Keras builders. All of them end in logits: no softmax on the last layer."""

import math

import numpy as np

from distill_edu._inside.backend import keras, only_errors
from distill_edu._inside.check_values import looks_like_probabilities, require_attributes, require_count, require_logits
from distill_edu._inside.layer_outputs import one_output
from distill_edu.data import LETTERS

layers = keras.layers


def mlp(data, hidden=(32,), dropout=0.0, name="student"):
    """A network of Dense layers for images or points: `hidden` units each, then one logit per class.

    `data`: a Dataset whose x are numbers; it gives the input's shape and the number of classes.
    """
    blocks = [layers.Flatten(name="flatten")]
    for number, units in enumerate([hidden] if isinstance(hidden, int) else hidden, 1):
        blocks += [layers.Dense(units, "relu", name=f"hidden{number}"), layers.Dropout(dropout, name=f"drop{number}")]
    return keras.Sequential([_input(data), *blocks, _logits(data)], name=name)


def cnn(data, width=16, dropout=0.3, name="teacher"):
    """Two convolutions with `width` and 2 x `width` filters, then one logit per class. `data`: a Dataset of images."""
    return keras.Sequential(
        [
            _input(data, axes=4),
            layers.Conv2D(width, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(2 * width, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dropout(dropout, name="drop"),
            _logits(data),
        ],
        name=name,
    )


def text_cnn(data, width=256, name="teacher"):
    """A network over the letters of a word: convolutions over 2, 3 and 4 letters, the largest value of each filter.

    After Kim 2014, "Convolutional Neural Networks for Sentence Classification", section 2. `data`: of `as_letters`.
    """
    letters = _input(data, "int32", axes=2)
    read = layers.Dropout(0.1)(layers.Embedding(LETTERS, 32)(letters))
    filters = [layers.Conv1D(width, wide, padding="same", activation="relu")(read) for wide in (2, 3, 4)]
    found = layers.Concatenate()([layers.GlobalMaxPooling1D()(one) for one in filters])
    return keras.Model(letters, _logits(data)(layers.Dropout(0.4)(found)), name=name)


def bigram_bag(data, units=8, buckets=512, name="student"):
    """The mean of `units` numbers for each pair of neighbouring letters, then one logit per class.

    After Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification", section 2. `data`: of `as_letters`.
    """
    blocks = [HashedBigrams(buckets), layers.Embedding(buckets, units, mask_zero=True), layers.GlobalAveragePooling1D()]
    return keras.Sequential([_input(data, "int32", axes=2), *blocks, _logits(data)], name=name)


def letter_gru(vocabulary, units=32, width=16, dropout=0.0, length=None, name="student"):
    """A recurrent network that says the next letter after each letter: integers [n, length] -> logits [n, length, ...].

    `width` numbers for each symbol of the `vocabulary` (a data.Vocabulary), then a GRU with `units` (Cho et al. 2014,
    section 2.3). Any number of letters will do; with a `length` the loop over them is unrolled, so that students in a
    Classroom can take their steps together.
    """
    letters = keras.Input((length,), dtype="int32")
    gru = layers.GRU(units, return_sequences=True, unroll=length is not None, name="gru")
    read = gru(_embedding(letters, len(vocabulary), width))
    return keras.Model(letters, _next(vocabulary)(layers.Dropout(dropout)(read)), name=name)


def letter_transformer(vocabulary, length, width=32, depth=2, heads=4, name="student"):
    """A small causal Transformer: integers [n, length] -> logits of the next letter [n, length, len(vocabulary)].

    Vaswani et al. 2017, section 3, with the norm before each part (Xiong et al. 2020): `depth` times attention with
    `heads` heads over the letters up to here, and two Dense layers.
    """
    letters = keras.Input((length,), dtype="int32")
    places = keras.ops.cumsum(keras.ops.ones_like(letters), axis=1) - 1
    x = _embedding(letters, len(vocabulary), width) + _embedding(places, length, width)
    for _ in range(depth):
        normed = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(heads, width // heads)(normed, normed, use_causal_mask=True)
        inner = layers.Dense(4 * width, "gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(width)(inner)
    return keras.Model(letters, _next(vocabulary)(layers.LayerNormalization()(x)), name=name)


def _embedding(numbers, count, width):
    """`width` numbers for each; not layers.Embedding, whose sparse gradients keep students out of a Classroom's row."""
    return layers.Dense(width, use_bias=False)(keras.ops.one_hot(numbers, count))


def _next(vocabulary):
    return layers.Dense(len(vocabulary), name="logits")


def teacher_logits(teacher, x, batch_size=256):
    """The teacher's logits for x in one pass: a float32 array [len(x), ..., classes], to train on many times.

    `x`: an array, or a dictionary or list of them; or a pipeline, as for `teacher.predict`. Needs little more memory
    than the result. Raises ValueError for NaN and for outputs that are probabilities.
    """
    require_attributes(teacher, ["built", "count_params"], "teacher", "a Keras model")
    if 0 in getattr(keras.tree.flatten(x)[0], "shape", (1,))[:1]:  # a tf.data.Dataset has no shape
        raise ValueError("x is empty: give at least one example.")
    logits = _answers(teacher, x, batch_size)
    if looks_like_probabilities(logits[:BLOCK]) and hasattr(teacher, "make_predict_function"):
        teacher.make_predict_function(force=True)  # its softmax may have been taken off since it was last asked
        logits = _answers(teacher, x, batch_size)
    for block in np.array_split(logits, 1 + len(logits) // BLOCK):  # the checks want float64, twice the memory
        require_logits(block, what="The teacher's output")
    return logits


BLOCK = 2**15  # rows


def _answers(teacher, x, batch_size):
    """float32 logits, written where they belong batch by batch; a pipeline's come all at once."""
    parts = keras.tree.flatten(x)
    if not all(isinstance(part, np.ndarray) for part in parts):
        return np.asarray(one_output(teacher.predict(x, batch_size=batch_size, verbose=0), "teacher"), "float32")
    answer = getattr(teacher, "predict_on_batch", lambda x: teacher(x, training=False))  # a Layer only calls
    logits = None
    for start in range(0, len(parts[0]), batch_size):
        rows = slice(start, start + batch_size)
        with only_errors():  # TensorFlow warns where several teachers are asked one after the other
            some = np.asarray(one_output(answer(taken(x, rows)), "teacher"))
        logits = np.empty((len(parts[0]), *some.shape[1:]), "float32") if logits is None else logits
        logits[rows] = some
    return logits


def taken(x, rows):
    """These rows of x, or of all that is in it."""
    return keras.tree.map_structure(lambda part: part[rows], x)


@keras.saving.register_keras_serializable(package="distill_edu")
class Ensemble(keras.Model):
    """Several trained models as one teacher: its soft targets at T = 1 are the mean of theirs.

    Hinton, Vinyals and Dean 2015, section 1. `members`: at least one model, with logits of the same shape for the same
    inputs; none of them is changed. Gives the logarithm of the mean of their probabilities: those are logits, too.
    """

    def __init__(self, members, name="teacher", **keras_arguments):
        members = [members] if isinstance(members, keras.Layer) else list(members)
        if not members or not all(isinstance(member, keras.Layer) and member.built for member in members):
            raise ValueError("members is a list of at least one Keras model that has been built and trained.")
        super().__init__(name=name, **keras_arguments)
        self.members = members
        self.built = True

    def call(self, inputs, training=None):
        logits = [member(inputs, training=training) for member in self.members]
        shapes = {tuple(each.shape[1:]) for each in logits}
        if len(shapes) > 1:
            raise ValueError(f"The members give logits of the shapes {sorted(shapes)}: they need the same classes.")
        log_p = keras.ops.log_softmax(keras.ops.cast(keras.ops.stack(logits), "float32"), axis=-1)
        return keras.ops.logsumexp(log_p, axis=0) - math.log(len(logits))

    def get_config(self):
        members = [keras.saving.serialize_keras_object(member) for member in self.members]
        return {"name": self.name, "members": members}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        with keras.saving.custom_object_scope(custom_objects or {}):
            return cls([keras.saving.deserialize_keras_object(one) for one in config["members"]], config["name"])


@keras.saving.register_keras_serializable(package="distill_edu")
class HashedBigrams(layers.Layer):
    """Letters [batch, n] -> pairs of neighbours [batch, n - 1], as numbers from 1 to buckets - 1; 0 beyond the end.

    Two pairs may fall into the same bucket.
    """

    def __init__(self, buckets, **keras_arguments):
        super().__init__(**keras_arguments)
        self.buckets = require_count(buckets, "buckets", least=2)

    def call(self, letters):
        first, second = letters[:, :-1], letters[:, 1:]
        return keras.ops.where(second == 0, 0, 1 + (31 * first + second) % (self.buckets - 1))

    def compute_output_shape(self, shape):
        return (shape[0], shape[1] - 1)

    def get_config(self):
        return {**super().get_config(), "buckets": self.buckets}


MADE_FOR = {2: "words as letters [n, length], see as_letters", 4: "images [n, rows, columns, channels]"}


def _input(data, dtype=None, axes=None):
    x = require_attributes(data, ["train", "class_names"], "data", "a Dataset, such as load_dataset('mnist5k')").train[
        0
    ]
    if x.dtype.kind not in "fiu":
        raise ValueError(
            f"This model needs x as numbers, but the x of {data.name!r} are {x.dtype}: data.map(as_letters) makes "
            "numbers of words."
        )
    if axes not in (None, x.ndim):
        raise ValueError(f"This model needs {MADE_FOR[axes]}, but the x of {data.name!r} have the shape {x.shape}.")
    return keras.Input(x.shape[1:], dtype=dtype)


def _logits(data):
    return layers.Dense(len(data.class_names), name="logits")
