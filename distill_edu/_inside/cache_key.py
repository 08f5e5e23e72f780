"""What a result depends on, decided in one place: as the key of a kept result, and as what makes two models alike.

Keras, TensorFlow and NumPy count by their versions, this package's training code by its source, and all other code by
its own: see `description`.
"""

import hashlib
import json

import numpy as np

from distill_edu._inside.backend import keras, tf
from distill_edu._inside.description import Description, Incomparable
from distill_edu._inside.source_code import training_code


def key(*parts):
    """Return a short text for `parts`: numbers, texts, arrays, models, functions, and lists and dictionaries of them.

    Raises Incomparable, a TypeError, for what cannot be compared with another time, such as an open file.

    >>> key("labels", [1, 2]) == key("labels", [1, 2]), key("labels", [1, 2]) == key("labels", [1, 2.0])
    (True, False)
    """
    text = json.dumps([Description().text(parts), training_code(), versions()])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def versions():
    """What the numbers of a training depend on below this package."""
    return [keras.__version__, tf.__version__, np.__version__]


def architecture(model):
    """What a model computes, as text: equal for models that compute the same of the values of their variables.

    The text of a model that cannot be compared is like no other, also of one with a state that is not among its
    variables, such as a stateful GRU's. Works for an optimizer and a metric, too.
    """
    try:
        known, names = getattr(model, "variables", ()), [model.name]
        return Description(known, names, closed=True).text(model)
    except Incomparable:
        return f"{type(model).__name__} {id(model)}"


def lesson(model):
    """What `fit` does with a compiled model: the model, its optimizer, and what its `compile` was given."""
    compiled = vars(model).get("_compile_config")  # Keras's get_compile_config has only the names of functions
    return [model, model.optimizer, getattr(model, "loss", None), getattr(compiled, "config", None)]
