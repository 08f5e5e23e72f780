"""Teachers and students as short Keras builders. All of them end in logits: no softmax on the last layer."""

import json
import re

from distill_edu.backend import keras

layers = keras.layers


def mlp(data, hidden=(32,), dropout=0.0, name="student"):
    """A network of Dense layers for images or points: `hidden` units each, then one logit per class.

    `data`: a Dataset whose x are numbers; it gives the input's shape and the number of classes.
    """
    blocks = [block for units in hidden for block in (layers.Dense(units, "relu"), layers.Dropout(dropout))]
    return keras.Sequential([_input(data), layers.Flatten(), *blocks, _logits(data)], name=name)


def cnn(data, width=16, dropout=0.3, name="teacher"):
    """Two convolutions with `width` and 2 x `width` filters, then one logit per class. `data`: a Dataset of images."""
    return keras.Sequential(
        [
            _input(data),
            layers.Conv2D(width, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(2 * width, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(dropout),
            _logits(data),
        ],
        name=name,
    )


def architecture(model):
    """What a model computes, weights aside, as text. Works for an optimizer, too."""
    return as_text({"class": type(model).__name__, **model.get_config(), "name": ""})


def as_text(config):
    """A configuration as text, without the numbers that Keras counts up in names (dense_1, adam_2)."""
    return re.sub(r'_\d+"', '"', json.dumps(config, default=str, sort_keys=True))


def _input(data):
    x = data.train[0]
    if x.dtype.kind not in "fiu":
        raise ValueError(f"This model needs x as numbers, but the x of {data.name!r} are {x.dtype}.")
    return keras.Input(x.shape[1:])


def _logits(data):
    return layers.Dense(len(data.class_names), name="logits")
