"""Build teachers and students as Keras models. All of them end in logits: no softmax on the last layer."""

import math

import numpy as np

from distill_edu._inside.backend import keras, only_errors
from distill_edu._inside.cache_key import made_elsewhere
from distill_edu._inside.check_models import require_image_size, require_stateless
from distill_edu._inside.check_values import (
    looks_like_probabilities,
    require_attributes,
    require_count,
    require_logits,
    require_members,
    require_same_classes,
    require_shares,
    wrong_use,
)
from distill_edu._inside.layer_outputs import first_batch, one_output, require_examples, state, unmoved
from distill_edu._inside.progress import progress_bar
from distill_edu.data import LETTERS
from distill_edu.foreign import ask

layers = keras.layers
BLOCK = 2**15  # rows of logits that are checked at once
NEEDED = {2: "words as letters [n, length], see as_letters", 4: "images [n, rows, columns, channels]"}  # axes -> x


def mlp(data, hidden=(32,), dropout=0.0, name="student"):
    """Build a network of Dense layers for images or points: `hidden` units each, then one logit per class.

    `data`: a Dataset whose x are numbers; it gives the input's shape and the number of classes.

    >>> from distill_edu import load_dataset
    >>> mlp(load_dataset("spirals"), hidden=(8, 4)).count_params()  # 3 x 8 + 9 x 4 + 5 x 3
    75
    """
    blocks = [layers.Flatten(name="flatten")]
    sizes = [require_count(units, "hidden units") for units in (hidden if np.iterable(hidden) else [hidden])]
    for number, units in enumerate(sizes, 1):
        blocks += [layers.Dense(units, "relu", name=f"hidden{number}"), layers.Dropout(dropout, name=f"drop{number}")]
    return keras.Sequential([_input(data), *blocks, _logits(data)], name=name)


def cnn(data, width=16, dropout=0.3, name="teacher"):
    """Build a network for a Dataset of images: convolutions of `width` and 2 x `width` filters, one logit per class.

    >>> from distill_edu import load_dataset
    >>> cnn(load_dataset("digits"), width=4).count_params()  # 10 x 4 + 37 x 8 + 33 x 10
    666
    """
    blocks = [
        layers.Conv2D(width, 3, padding="same", activation="relu", name="conv1"),
        layers.MaxPooling2D(name="pool1"),
        layers.Conv2D(2 * width, 3, padding="same", activation="relu", name="conv2"),
        layers.MaxPooling2D(name="pool2"),
    ]
    top = [layers.Flatten(name="flatten"), layers.Dropout(dropout, name="drop"), _logits(data)]
    return keras.Sequential([_input(data, axes=4), *blocks, *top], name=name)


def text_cnn(data, width=256, name="teacher"):
    """Build a network that reads words: convolutions over 2, 3 and 4 letters, and the largest value of each filter.

    `data`: a Dataset whose x are rows of letters, data.map(as_letters).
    After Kim 2014, "Convolutional Neural Networks for Sentence Classification", section 2.

    >>> from distill_edu import as_letters, load_dataset
    >>> text_cnn(load_dataset("languages").map(as_letters), width=4).output.shape
    (None, 20)
    """
    letters = _input(data, "int32", axes=2)  # (batch, length)
    embedded = layers.Dropout(0.1)(layers.Embedding(LETTERS, 32)(letters))  # (batch, length, 32)
    convolved = [layers.Conv1D(width, size, padding="same", activation="relu")(embedded) for size in (2, 3, 4)]
    largest = [layers.GlobalMaxPooling1D()(values) for values in convolved]  # (batch, length, width) -> (batch, width)
    features = layers.Concatenate()(largest)  # (batch, 3 * width)
    return keras.Model(letters, _logits(data)(layers.Dropout(0.4)(features)), name=name)


def bigram_bag(data, units=8, buckets=512, name="student"):
    """Build a small network that reads words: the mean embedding of all pairs of letters, then one logit per class.

    `data`: as for `text_cnn`. Each of the `buckets` of pairs has an embedding of `units` numbers, see `HashedBigrams`.
    After Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification", section 2.

    >>> from distill_edu import as_letters, load_dataset
    >>> bigram_bag(load_dataset("languages").map(as_letters)).count_params()  # 512 x 8 + 9 x 20
    4276
    """
    blocks = [HashedBigrams(buckets), layers.Embedding(buckets, units, mask_zero=True), layers.GlobalAveragePooling1D()]
    return keras.Sequential([_input(data, "int32", axes=2), *blocks, _logits(data)], name=name)


def letter_gru(vocabulary, units=32, width=16, dropout=0.0, length=None, name="student"):
    """Build a recurrent network that predicts the next letter: integers [n, time] -> logits [n, time, symbols].

    An embedding of `width` numbers for each symbol of the `vocabulary` (a data.Vocabulary), then a GRU with `units`
    (Cho et al. 2014, section 2.3). Rows may have any length; with a fixed `length` the loop over time is unrolled, so
    that the students of a Classroom can take their steps together.

    >>> from distill_edu import Vocabulary
    >>> letter_gru(Vocabulary("abc"), units=4).output.shape
    (None, None, 6)
    """
    letters = keras.Input((length,), dtype="int32")
    gru = layers.GRU(units, return_sequences=True, unroll=length is not None, name="gru")
    states = gru(_embedding(letters, len(vocabulary), width))  # (batch, time, width) -> (batch, time, units)
    logits = layers.Dense(len(vocabulary), name="logits")(layers.Dropout(dropout)(states))
    return keras.Model(letters, logits, name=name)


def letter_transformer(vocabulary, length, width=32, depth=2, heads=4, name="student"):
    """Build a small causal Transformer that predicts the next letter: integers [n, length] -> [n, length, symbols].

    `depth` blocks of attention with `heads` heads over the letters so far, then two Dense layers (Vaswani et al. 2017,
    section 3), with the normalisation before each part (Xiong et al. 2020).

    >>> from distill_edu import Vocabulary
    >>> letter_transformer(Vocabulary("abc"), length=5, width=8).output.shape
    (None, 5, 6)
    """
    letters = keras.Input((length,), dtype="int32")
    places = keras.ops.cumsum(keras.ops.ones_like(letters), axis=1) - 1  # 0, 1, 2, ... in each row
    x = _embedding(letters, len(vocabulary), width) + _embedding(places, length, width)  # (batch, length, width)
    for _ in range(depth):
        normed = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(heads, width // heads)(normed, normed, use_causal_mask=True)
        inner = layers.Dense(4 * width, "gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(width)(inner)
    logits = layers.Dense(len(vocabulary), name="logits")(layers.LayerNormalization()(x))
    return keras.Model(letters, logits, name=name)


def _embedding(numbers, count, width):
    # (batch, time) -> (batch, time, width). Not layers.Embedding: students with its sparse gradients step one by one.
    return layers.Dense(width, use_bias=False)(keras.ops.one_hot(numbers, count))


def teacher_logits(teacher, x, batch_size=256, *, gives="logits", kept=None):
    """Compute the teacher's logits for x once, to train on many times: a float32 array [len(x), ..., classes].

    `teacher`: a Keras model or layer, or any function from a list or an array of examples to logits or, as `gives`
    says, to "probabilities". `x`: an array, a dictionary or list of arrays, or a pipeline, as for `teacher.predict`;
    for a function a list or an array. `kept`: a folder for the answers of this one function: see `foreign.ask`. Raises
    ValueError for an empty x, NaN, and outputs that are not what `gives` says, OSError for a folder not to be written.

    >>> teacher = keras.Sequential([keras.Input((3,)), layers.Dense(2, kernel_initializer="ones")])
    >>> teacher_logits(teacher, np.array([[1.0, 2.0, 3.0]]))
    array([[6., 6.]], dtype=float32)
    >>> teacher_logits(lambda texts: [[0.5, 0.5] for text in texts], ["Haus"], gives="probabilities").round(3)
    array([[-0.693, -0.693]], dtype=float32)
    """
    if not isinstance(teacher, keras.Layer):
        logits = ask(teacher, x, batch_size, gives=gives, kept=kept)
        made_elsewhere(logits)
        return logits
    _require_no_function(gives, kept)
    require_examples(x)
    first, x = first_batch(x)
    require_image_size(teacher, first)
    require_stateless(teacher, "teacher")
    with unmoved(state(teacher)):
        logits = _answers(teacher, x, batch_size)
        if looks_like_probabilities(logits[:BLOCK]) and hasattr(teacher, "make_predict_function"):
            teacher.make_predict_function(force=True)  # the softmax may have been taken off after the last predict
            logits = _answers(teacher, x, batch_size)
    for block in np.array_split(logits, 1 + len(logits) // BLOCK):  # the checks need float64, twice the memory
        require_logits(block, what="The teacher's output")
    return logits


@wrong_use()
def _require_no_function(gives, kept):
    if gives != "logits" or kept is not None:
        raise ValueError("gives and kept are for functions: what a Keras model says changes with its weights.")


def _answers(teacher, x, batch_size):
    """float32 logits [n, ..., classes], filled in batch by batch; those of a pipeline come all at once."""
    parts = keras.tree.flatten(x)
    replicas = getattr(getattr(teacher, "distribute_strategy", None), "num_replicas_in_sync", 1)
    if replicas > 1 or not all(isinstance(part, np.ndarray) for part in parts):  # replicas share what predict is given
        teacher = teacher if hasattr(teacher, "predict") else keras.Sequential([teacher])
        with progress_bar(None, unit=" batches", what="teacher", delay=1) as bar:
            count = keras.callbacks.LambdaCallback(on_predict_batch_end=lambda batch, logs: bar.update())
            logits = teacher.predict(x, batch_size=batch_size, verbose=0, callbacks=[count])
        return np.asarray(one_output(logits, "teacher"), "float32")
    answer = getattr(teacher, "predict_on_batch", lambda x: teacher(x, training=False))  # a Layer only calls
    logits, lengths = None, [len(part) for part in parts]
    if len(set(lengths)) > 1:
        raise ValueError(f"The parts of x have {lengths} examples: they must be as many.")
    with progress_bar(lengths[0], unit=" examples", what="teacher", delay=1) as bar, only_errors():
        for start in range(0, lengths[0], require_count(batch_size, "batch_size")):
            rows = slice(start, start + batch_size)
            batch = np.asarray(one_output(answer(taken(x, rows)), "teacher"))
            logits = np.empty((lengths[0], *batch.shape[1:]), "float32") if logits is None else logits
            logits[rows] = batch
            bar.update(len(batch))
    return logits


def taken(x, rows):
    """Take rows (a slice, or positions) of x, or of every array in it.

    >>> taken({"image": np.arange(4), "size": np.ones(4)}, slice(1, 3))
    {'image': array([1, 2]), 'size': array([1., 1.])}
    """
    return keras.tree.map_structure(lambda part: part[rows], x)


@keras.saving.register_keras_serializable(package="distill_edu")
class Ensemble(keras.Model):
    """Join trained models in one teacher, whose soft targets at T = 1 are the mean of the members' soft targets.

    `members`: Keras models with the same inputs and logits of the same shape; training a student changes none of them.
    `weights`: how much each member counts, numbers above 0, used in proportion; None: all count alike.
    The output is the logarithm of the mean probabilities, which are valid logits. Hinton et al. 2015, section 1.

    >>> sure, unsure = (keras.Sequential([keras.Input((1,)), layers.Rescaling([[w, 0.0]])]) for w in (4.0, 0.0))
    >>> keras.ops.softmax(Ensemble([sure, unsure])(np.ones((1, 1)))).numpy().round(2)  # the mean of 0.98 and 0.50
    array([[0.74, 0.26]], dtype=float32)
    >>> keras.ops.softmax(Ensemble([sure, unsure], weights=[3, 1])(np.ones((1, 1)))).numpy().round(2)
    array([[0.86, 0.14]], dtype=float32)
    """

    def __init__(self, members, name="teacher", weights=None, **keras_arguments):
        members = [members] if isinstance(members, keras.Layer) else list(members)
        if not members or not all(isinstance(member, keras.Layer) and member.built for member in members):
            raise ValueError("members is a list of at least one Keras model that has been built and trained.")
        require_members(members)
        super().__init__(name=name, **keras_arguments)
        self.members, self.member_weights = members, require_shares(weights, len(members))
        self.built = True

    def call(self, inputs, training=None):
        logits = [member(inputs, training=training) for member in self.members]
        require_same_classes({tuple(part.shape[1:]) for part in logits})
        weighted = [  # log (weight x probability), [batch, ..., classes] for each member
            keras.ops.log_softmax(keras.ops.cast(part, "float32"), axis=-1) + math.log(weight)
            for part, weight in zip(logits, self.member_weights, strict=True)
        ]
        return keras.ops.logsumexp(keras.ops.stack(weighted), axis=0)

    def get_config(self):
        members = [keras.saving.serialize_keras_object(member) for member in self.members]
        return {"name": self.name, "members": members, "weights": self.member_weights}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        with keras.saving.custom_object_scope(custom_objects or {}):
            members = [keras.saving.deserialize_keras_object(each) for each in config["members"]]
        return cls(members, config["name"], config.get("weights"))


@keras.saving.register_keras_serializable(package="distill_edu")
class HashedBigrams(layers.Layer):
    """Number pairs of neighbouring letters from 1 to buckets - 1, padding 0: [batch, n] -> [batch, n - 1].

    >>> HashedBigrams(100)(np.array([[3, 4, 5, 0]]))[0].numpy()  # 1 + (31 * 3 + 4) % 99, ...
    array([98, 31,  0])
    """

    def __init__(self, buckets, **keras_arguments):
        super().__init__(**{"autocast": False, **keras_arguments})  # float16 rounds numbers above 2048
        self.buckets = require_count(buckets, "buckets", least=2)

    def call(self, letters):
        first, second = letters[:, :-1], letters[:, 1:]
        return keras.ops.where(second == 0, 0, 1 + (31 * first + second) % (self.buckets - 1))

    def get_config(self):
        return {**super().get_config(), "buckets": self.buckets}


@keras.saving.register_keras_serializable(package="distill_edu")
class FewBits(layers.Dense):
    """A Dense layer that computes with weights of so many `bits`, and trains float weights behind them.

    The weights used lie on 2^bits - 1 levels, evenly spaced around 0, up to the size of the largest weight.
    The gradient passes the rounding unchanged: the straight-through estimator of Bengio, Léonard and Courville 2013,
    "Estimating or Propagating Gradients Through Stochastic Neurons", section 4. The biases stay floats.

    >>> layer = FewBits(1, bits=2, kernel_initializer=lambda shape, dtype: [[0.9], [-0.6], [0.2]])
    >>> round(float(layer(np.array([[1.0, 10.0, 100.0]]))[0, 0]), 3)  # with the weights 0.9, -0.9 and 0
    -8.1
    """

    def __init__(self, units, bits, **keras_arguments):
        super().__init__(units, **keras_arguments)
        self.bits = require_count(bits, "bits", least=2)

    def call(self, x):
        step = keras.ops.max(keras.ops.abs(self.kernel)) / (2 ** (self.bits - 1) - 1)
        levels = keras.ops.round(keras.ops.divide_no_nan(self.kernel, step)) * step
        kernel = self.kernel + keras.ops.stop_gradient(levels - self.kernel)  # forward: levels; backward: kernel
        x = keras.ops.matmul(x, kernel)
        return self.activation(x if self.bias is None else x + self.bias)

    def get_config(self):
        return {**super().get_config(), "bits": self.bits}


def _input(data, dtype=None, axes=None):
    """A Keras input for the x of `data`, which must be numbers and have so many axes (None: any)."""
    require_attributes(data, ["train", "class_names"], "data", "a Dataset, such as load_dataset('mnist5k')")
    x, _ = data.train
    if x.dtype.kind not in "fiu":
        raise ValueError(
            f"This model needs x as numbers, but the x of {data.name!r} are {x.dtype}: data.map(as_letters) turns "
            "words into numbers."
        )
    if axes not in (None, x.ndim) or (dtype == "int32" and (x % 1).any()):
        given = f"are {x.dtype} of the shape {x.shape}"
        raise ValueError(f"This model needs {NEEDED[axes]}, but the x of {data.name!r} {given}.")
    return keras.Input(x.shape[1:], dtype=dtype)


def _logits(data):
    return layers.Dense(len(data.class_names), name="logits")
