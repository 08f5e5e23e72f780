"""Results that took long are kept on disk, each under a key of all that it depends on."""

import functools
import hashlib
import os
import pickle
import tempfile
import warnings
from pathlib import Path

import joblib
import numpy as np

from distill_edu.backend import keras, tf
from distill_edu.models import architecture, as_text


def folder():
    """Where results are kept: DISTILL_EDU_CACHE, or .cache/distill_edu at home. It may be deleted at any time."""
    return Path(os.environ.get("DISTILL_EDU_CACHE") or Path.home() / ".cache" / "distill_edu")


def key(*parts):
    """One text for numbers, arrays and dictionaries, together with this package's code and the versions below it."""
    return joblib.hash((parts, _code(), keras.__version__, tf.__version__, np.__version__))


@functools.cache
def _code():
    return [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]


def recall(key):
    """What was kept under `key`, or None. A damaged file is reported and counts as nothing."""
    path = folder() / key
    try:
        content = path.read_bytes()
        digest, pickled = content[:32], content[32:]
        if hashlib.sha256(pickled).digest() != digest:
            raise ValueError("its content is not what was written")
        return pickle.loads(pickled)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # a pickle of another version may raise anything
        warnings.warn(f"{path} is damaged ({error}), so its result is computed again.", stacklevel=2)
        return None


def keep(key, result):
    """Keep `result` under `key` and return it. Where the disk does not take it, that is only a warning."""
    pickled = pickle.dumps(result)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        # Whole or not at all: another process, or the next start, never sees half a file.
        with tempfile.TemporaryDirectory(dir=folder()) as aside:
            whole = Path(aside, key)
            whole.write_bytes(hashlib.sha256(pickled).digest() + pickled)
            os.replace(whole, folder() / key)
    except OSError as error:
        warnings.warn(f"The result could not be kept in {folder()}: {error}", stacklevel=2)
    return result


def fit(model, *args, **kwargs):
    """`model.fit(...)`, or the weights that the same call gave last time. Returns the history as a dictionary.

    `model`: compiled. Data are arrays and there are no callbacks, because the key is made of all arguments.
    The optimizer's state is not kept.
    """
    if not getattr(model, "compiled", False):
        raise ValueError("model must be a compiled Keras model: call model.compile(...) first.")
    start = [np.array(variable) for variable in model.variables]
    name = key(architecture(model), as_text(model.get_compile_config()), start, args, {**kwargs, "verbose": 0})
    kept = recall(name)
    if kept is None:
        history = model.fit(*args, **kwargs).history
        kept = keep(name, (model.get_weights(), history))
    weights, history = kept
    model.set_weights(weights)
    return history
