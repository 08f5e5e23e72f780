"""Results that took long are kept on disk, each under a key of all that it depends on."""

import inspect
import io
import json
import os
import random
import tempfile
import warnings
from pathlib import Path

import numpy as np

from distill_edu._inside.backend import keras, tf
from distill_edu._inside.cache_key import architecture, as_text, key
from distill_edu._inside.disk import sweep_up, whole


def folder():
    """Where results are kept: DISTILL_EDU_CACHE, or .cache/distill_edu at home. It may be deleted at any time."""
    try:
        return Path(os.environ.get("DISTILL_EDU_CACHE") or "~/.cache/distill_edu").expanduser()
    except RuntimeError:  # a user without a home
        aside = Path(tempfile.gettempdir(), "distill_edu")
        warnings.warn(f"There is no home folder, so results are kept in {aside}: set DISTILL_EDU_CACHE.", stacklevel=2)
        return aside


def recall(key):
    """What was kept under `key`, or None. A damaged file is reported and counts as nothing."""
    path = _file(key)
    try:
        with np.load(path, allow_pickle=False) as arrays:  # a file that somebody put there runs no code
            return _unpacked(json.loads(bytes(arrays["result"])), arrays)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        warnings.warn(f"{path} cannot be read ({error}), so its result is computed again.", stacklevel=2)
    except Exception as error:  # a file that was cut or changed may raise anything
        warnings.warn(f"{path} is damaged ({error}), so its result is computed again.", stacklevel=2)
    return None


def keep(key, result):
    """Keep `result` under `key` and return it. Where the disk does not take it, that is only a warning.

    `result`: numbers, texts, None, arrays, and lists and dictionaries of them. Raises TypeError for anything else.
    """
    path, arrays, content = _file(key), [], io.BytesIO()
    text = json.dumps(_packed(result, arrays)).encode()
    np.savez(content, *arrays, result=np.frombuffer(text, np.uint8))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_up(path.parent)
        with whole(path) as aside:
            aside.write_bytes(content.getvalue())
    except OSError as error:
        warnings.warn(f"The result could not be kept in {path.parent}: {error}", stacklevel=2)
    return result


def _file(key):
    if not isinstance(key, str) or Path(key).name != key or key in ("", ".", ".."):
        raise ValueError(f"key must be the plain name of a file, such as cache.key(...) gives, not {key!r}.")
    return folder() / key


def _packed(value, arrays):
    """`value` for JSON, with each array replaced by its number in `arrays`."""
    if isinstance(value, dict):
        return {"dictionary": [[name, _packed(each, arrays)] for name, each in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_packed(each, arrays) for each in value]
    if isinstance(value, (np.ndarray, np.generic)):  # a single number, such as a temperature, is a weight, too
        value, single = np.asarray(value), isinstance(value, np.generic)
        if value.dtype.hasobject:
            raise TypeError("An array of Python objects is not kept: give numbers or texts.")
        arrays.append(value)
        return {
            "array": len(arrays) - 1,
            "dtype": value.dtype.name if value.dtype.kind == "V" else value.dtype.str,
            "single": single,
        }
    return value


def _unpacked(value, arrays):
    if isinstance(value, list):
        return [_unpacked(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        array = arrays[f"arr_{value['array']}"].view(value["dtype"])  # NumPy itself forgets bfloat16
        return array[()] if value["single"] else array
    return {name: _unpacked(each, arrays) for name, each in value["dictionary"]}


def fit(model, *args, **kwargs):
    """`model.fit(...)`, or the weights that the same call gave last time. Returns the history as a dictionary.

    `model`: compiled; a Classroom, too. Data are arrays, or dictionaries and lists of them, and there are no callbacks:
    the key is made of all arguments, and of Keras's random state where the fit shuffles. The optimizer's state is not
    kept. The random state is afterwards the same, whether the fit was remembered or not. Raises TypeError for what
    cannot be a key.
    """
    if not getattr(model, "compiled", False):
        raise ValueError("model must be a compiled Keras model: call model.compile(...) first.")
    if not model.built:
        raise ValueError("model has no weights yet, by which it is known again: call it once, model(x[:1]), then fit.")
    given = inspect.signature(model.fit).bind(*args, **kwargs)
    given.apply_defaults()
    given = {**given.arguments, "verbose": 0}
    _require_arrays(given)
    start, seed = [np.array(variable) for variable in model.variables], _next_random_number()
    order = seed if given["shuffle"] else None
    parts = getattr(model, "distillers", [model])  # a Classroom has no configuration as a whole
    configs = [text for part in parts for text in (architecture(part), as_text(part.get_compile_config()))]
    name = key("variables", *configs, start, given, order)
    kept = recall(name)
    if kept is None:
        history = model.fit(*args, **kwargs).history
        kept = keep(name, [[np.array(variable) for variable in model.variables], history])
    keras.utils.set_random_seed(seed)
    values, history = kept
    for variable, value in zip(model.variables, values, strict=True):  # more than weights: Dropout's random state, too
        variable.assign(value)
    return history


def _next_random_number():
    """The number that Python's generator, which Keras draws its seeds from, would give next; it is not drawn."""
    ahead = random.Random()
    ahead.setstate(random.getstate())
    return ahead.getrandbits(31)


def _require_arrays(arguments):
    if arguments["callbacks"]:
        raise TypeError("cache.fit takes no callbacks: what they do could not be remembered. Call model.fit for them.")
    for name in ("x", "y", "sample_weight", "validation_data"):
        for part in keras.tree.flatten(arguments[name]):
            if not (part is None or isinstance(part, np.ndarray) or tf.is_tensor(part)):
                raise TypeError(
                    f"cache.fit needs {name} as arrays, not {type(part).__name__}: it compares the data with those of "
                    "last time. Call model.fit for generators and pipelines."
                )
