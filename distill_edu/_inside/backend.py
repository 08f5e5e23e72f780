"""The one place where Keras is imported: with TensorFlow under it, or with a sentence that says why not."""

import contextlib
import os


class WrongSetup(ImportError):
    """Something on this computer, not in your code, must be changed first."""

    def _render_traceback_(self):
        """What Jupyter shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def _wrong_backend(name):
    return WrongSetup(
        f"distill_edu needs Keras on TensorFlow, and Keras is set to {name!r} here. "
        "Set KERAS_BACKEND=tensorflow before you start Python or Jupyter, then start again."
    )


@contextlib.contextmanager
def quietly():
    """Keep the lines that TensorFlow writes past Python, and past its own log level, off the page."""
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") != "3":
        yield
        return
    standard_error, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(nowhere)


@contextlib.contextmanager
def only_errors():
    """Keep TensorFlow's own warnings, those that Python's logging carries, off the page."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


# An unset variable would leave the choice to ~/.keras/keras.json, which other projects write too.
if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "tensorflow":
    raise _wrong_backend(os.environ["KERAS_BACKEND"])

try:
    with quietly():
        import keras
        import tensorflow as tf
except ModuleNotFoundError as error:
    raise WrongSetup(
        f"{error.name} is not installed here, and distill_edu needs it. "
        'Run `make lab`, or `pip install -e ".[lab]"` in the folder of the project, and start that Python.'
    ) from None

# True when Keras was imported before us with another backend.
if keras.backend.backend() != "tensorflow":
    raise _wrong_backend(keras.backend.backend())

__all__ = ["Setting", "keras", "live_number", "only_errors", "quietly", "tf"]


class Setting:
    """A number that a traced step follows, and that is no weight: Keras neither saves nor restores it with weights."""

    def __init__(self, number, name):
        self.number = number
        self.variable = keras.Variable(number, trainable=False, dtype="float32", name=name)


def live_number(setting, require, explanation):
    """A property over the Setting of this name. `require(value)`: the number, or an error that says what is needed."""

    def read(self):
        return getattr(self, setting).number

    def write(self, value):
        number = require(value)
        getattr(self, setting).variable.assign(number)
        getattr(self, setting).number = number

    return property(read, write, doc=explanation)
