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

__all__ = ["as_python", "keras", "live_number", "only_errors", "quietly", "tf"]


def as_python(variable):
    """The number of a float32 variable by way of its shortest decimals: 0.1 reads back as 0.1, not 0.10000000149."""
    return float(str(keras.ops.convert_to_numpy(variable)))


def live_number(variable, require, explanation):
    """A property over the float32 Keras variable of this name, so that a traced step sees what it is set to.

    `require(value)`: the number, or an error that says what is needed.
    """

    def read(self):
        return as_python(getattr(self, variable))

    def write(self, value):
        getattr(self, variable).assign(require(value))

    return property(read, write, doc=explanation)
