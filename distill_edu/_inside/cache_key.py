"""What a result depends on, decided in one place: as the key of a kept result, and as what makes two models alike.

Keras, TensorFlow and NumPy count by their versions, this package's training code by its source, and all other code by
its own: see `description`.
"""

import functools
import hashlib
import json

import numpy as np

from distill_edu._inside.backend import keras, tf
from distill_edu._inside.description import Description, Incomparable
from distill_edu._inside.source_code import PACKAGE, training_code

GOLDEN = PACKAGE / "pages" / "kept" / "golden.json"


def key(*parts):
    """Return a short text for `parts`: numbers, texts, arrays, models, functions, and lists and dictionaries of them.

    Raises Incomparable, a TypeError, for what cannot be compared with another time, such as an open file.

    >>> key("labels", [1, 2]) == key("labels", [1, 2]), key("labels", [1, 2]) == key("labels", [1, 2.0])
    (True, False)
    """
    text = json.dumps([Description().text(parts), training_code(), versions(), *global_settings()])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def portable_key(*parts):
    """A key that is the same on every machine: without versions, and without numbers that TensorFlow computed here.

    What `made_by` names counts by how it was made. The package's training code counts where it is not the code that
    the golden numbers have passed.
    """
    text = json.dumps([Description(made=MADE).text(parts), code_version(), *global_settings()])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


MADE = {}  # the description of a model or array -> how it was made


def made_by(value, how):
    """Note how a model or an array was made, so that a key need not depend on its last bits."""
    MADE[Description().text(value)] = how


def made_elsewhere(logits):
    """Note that another library computed these logits [n, ..., classes], whose last bits differ between machines.

    A key then depends on them by sixteen sums of all numbers, each times a fixed random number, rounded to 1: an answer
    that moved by some tenths of a nat gives another key. What lies 50 nats below the best class counts as equal.
    """
    values = np.asarray(logits, "float64")
    values = np.maximum(values - values.max(axis=-1, keepdims=True), -50).ravel()
    random = np.random.RandomState(0)  # its stream is frozen
    made_by(
        logits, ["elsewhere", np.shape(logits), [round(float(random.randn(len(values)) @ values)) for _ in range(16)]]
    )


def code_hash():
    """A short text for the package's training code as it is."""
    return hashlib.sha256(json.dumps(training_code(), sort_keys=True).encode()).hexdigest()


@functools.cache
def code_version():
    """The edition of the golden numbers, for the code that gives them; a text of its own for any other code."""
    golden = json.loads(GOLDEN.read_text())
    return golden["edition"] if code_hash() == golden["code"] else code_hash()


def versions():
    """What the numbers of a training depend on below this package."""
    return [keras.__version__, tf.__version__, np.__version__]


DEFAULTS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
DEFAULTS |= {"dtype_policy": "float32", "max_epochs": None, "max_steps_per_epoch": None}  # not in every release


def global_settings():
    """[name, value] of what is set in Keras for all models, where it is not Keras's default."""
    values = {name: getattr(keras.config, name)() for name in DEFAULTS if hasattr(keras.config, name)}
    values["dtype_policy"] = keras.config.dtype_policy().name
    return [[name, value] for name, value in values.items() if value != DEFAULTS[name]]


def runs_own_code(*parts):
    """Is there code among the parts that may draw random numbers which no variable of theirs tells?"""
    description = Description()
    description.text(parts)
    return description.own_code


def architecture(model):
    """What a model computes, as text: equal for models that compute the same of the values of their variables.

    The text of a model that cannot be compared is like no other, also of one with a state that is not among its
    variables, such as a stateful GRU's. Works for an optimizer, a metric and a hint, too.
    """
    try:
        weight = [model.weight_variable] if hasattr(model, "weight_variable") else []  # of a hint
        known, names = [*getattr(model, "variables", ()), *weight], [model.name]
        return Description(known, names, closed=True).text(model)
    except Incomparable:
        return f"{type(model).__name__} {id(model)}"


def lesson(model):
    """What `fit` does with a compiled model: the model, its optimizer, and what its `compile` was given."""
    compiled = vars(model).get("_compile_config")  # Keras's get_compile_config has only the names of functions
    return [model, model.optimizer, getattr(model, "loss", None), getattr(compiled, "config", None)]
