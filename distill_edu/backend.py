"""The one place where Keras is imported: with TensorFlow under it, or with a sentence that says why not."""

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


# An unset variable would leave the choice to ~/.keras/keras.json, which other projects write too.
if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "tensorflow":
    raise _wrong_backend(os.environ["KERAS_BACKEND"])

try:
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

__all__ = ["keras", "tf"]
