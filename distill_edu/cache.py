"""Results that took long are kept on disk, each under a key of all that it depends on."""

import functools
import inspect
import io
import itertools
import json
import os
import random
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np

from distill_edu._inside.backend import keras, tf
from distill_edu._inside.cache_key import Incomparable, key, lesson, made_by, portable_key, runs_own_code
from distill_edu._inside.disk import sweep_up, whole
from distill_edu._inside.progress import progress_bar


def folder():
    """Return the folder of kept results: DISTILL_EDU_CACHE, or .cache/distill_edu at home. It may be deleted any time.

    >>> folder().is_absolute()
    True
    """
    try:
        return Path(os.environ.get("DISTILL_EDU_CACHE") or "~/.cache/distill_edu").expanduser()
    except RuntimeError:  # a user without a home
        aside = Path(tempfile.gettempdir(), "distill_edu")
        warnings.warn(f"There is no home folder, so results are kept in {aside}: set DISTILL_EDU_CACHE.", stacklevel=2)
        return aside


def recall(key):
    """Return what was kept under `key`, or None. A damaged file gives a warning and None.

    >>> recall("a name that nobody used") is None
    True
    """
    path = _file(key)
    try:
        with np.load(package_file(key) or path, allow_pickle=False) as arrays:  # this runs no code
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

    >>> keep("example", {"loss": [0.5, 0.25]}) == recall("example")
    True
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


def package_file(key):
    """Return the file of this key that came with the package, open for reading, or None.

    DISTILL_EDU_KEPT=none looks away from these results; "only" refuses to compute what is not among them.

    >>> package_file("a name that nobody used") is None
    True
    """
    if os.environ.get("DISTILL_EDU_KEPT") == "none" or key not in _packages():
        return None
    with zipfile.ZipFile(_packages()[key]) as package:
        return io.BytesIO(package.read(key))


@functools.cache
def _packages():
    """{key: the file of the page that it is for}."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("pages/kept/*.zip")):
        with zipfile.ZipFile(path) as package:
            found |= dict.fromkeys(package.namelist(), path)
    return found


def require_kept(count, what):
    """Raise RuntimeError where DISTILL_EDU_KEPT=only forbids to compute `count` of something.

    >>> require_kept(0, "students")
    """
    if count and os.environ.get("DISTILL_EDU_KEPT") == "only":
        raise RuntimeError(
            f"{count} {what} not among the kept results, and DISTILL_EDU_KEPT=only: run `make retrain` for this page."
        )


def remembered(function, *arguments):
    """Return `function(*arguments)`, or what it gave last time: for tables that took long to compute.

    The result is of numbers, texts, None, arrays, and lists and dictionaries of them (a tuple comes back as a list).
    The code of the function counts, and all that it uses; files and the web do not. A progress bar with the name of the
    function says that it runs; where its result is recalled there is none. Raises TypeError for any other result, and
    for a function that cannot be compared with another time: it imports within itself, or uses an open file.

    >>> remembered(np.add, np.ones(2), 1).tolist()
    [2.0, 2.0]
    """
    name = portable_key("remembered", function, arguments)
    if (kept := recall(name)) is None:
        called = getattr(getattr(function, "func", function), "__name__", type(function).__name__)  # func: of a partial
        require_kept(1, f"result of {called}")
        arrays = []
        with progress_bar(1, unit=" table", what=called):
            packed = json.loads(json.dumps(_packed(function(*arguments), arrays)))
        kept = keep(name, {"result": _unpacked(packed, {f"arr_{k}": array for k, array in enumerate(arrays)})})
    for place, array in enumerate(part for part in keras.tree.flatten(kept) if isinstance(part, np.ndarray)):
        made_by(array, [name, place])
    return kept["result"]


def _file(key):
    if not isinstance(key, str) or Path(key).name != key or key in ("", ".", ".."):
        raise ValueError(f"key must be the plain name of a file, such as cache.key(...) gives, not {key!r}.")
    return folder() / key


def _packed(value, arrays):
    """`value` for JSON, where each array is its number in `arrays`."""
    if isinstance(value, dict):
        return {"dictionary": [[_plain(name), _packed(each, arrays)] for name, each in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_packed(each, arrays) for each in value]
    if not isinstance(value, (np.ndarray, np.generic)):
        return _plain(value)
    arrays.append(np.asarray(value))
    dtype = arrays[-1].dtype
    if dtype.hasobject:
        raise TypeError("An array of Python objects is not kept: give numbers or texts.")
    return {"array": len(arrays) - 1, "dtype": dtype.name if dtype.kind == "V" else dtype.str}


def _plain(value):
    """A number, a text or None, as JSON has it."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"A {type(value).__name__} is not kept here: give numbers, texts, None, arrays, and lists and dictionaries of "
        "them (whose keys are numbers or texts); of a pandas table, table.to_dict('list')."
    )


def _unpacked(value, arrays):
    if isinstance(value, list):
        return [_unpacked(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        # NumPy forgets bfloat16. [()] makes a number of an array without axes.
        return arrays[f"arr_{value['array']}"].view(value["dtype"])[()]
    return {name: _unpacked(each, arrays) for name, each in value["dictionary"]}


def fit(model, *args, **kwargs):
    """Train as `model.fit` does, or restore what the same call gave last time. Returns the history as a dictionary.

    `model`: a compiled Keras model, Distiller or Classroom. Data are arrays, or dictionaries and lists of them, and
    there are no callbacks. "The same call" has the same model, weights, optimizer and its state, losses, metrics, data
    and settings, and the same random state of Keras where `fit` shuffles or code of your own runs. Functions and
    classes of your own are compared by their code, with all that they use; what cannot be compared is trained, and a
    warning says why. After the call model, optimizer and random state are the same, whether the fit was restored or
    not.

    >>> import keras, numpy as np
    >>> from distill_edu import cache
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> history = cache.fit(model, np.zeros((4, 2)), np.array([0, 1, 2, 0]), epochs=1, shuffle=False, verbose=0)
    >>> round(history["loss"][0], 3)  # log 3
    1.099
    """
    if not getattr(model, "compiled", False):
        raise ValueError("model must be a compiled Keras model: call model.compile(...) first.")
    if not model.built:
        raise ValueError("model has no weights yet, which the cache key needs: call it once, model(x[:1]), then fit.")
    given = inspect.signature(model.fit).bind(*args, **kwargs)
    given.apply_defaults()
    given = {**given.arguments, "verbose": 0}
    _require_arrays(given)
    seed = _next_random_number()
    name = _fit_key(model, given, seed)
    kept = None if name is None else recall(name)
    if kept is None:
        history = model.fit(*args, **kwargs).history
        states = [_values(optimizer.variables) for optimizer, _ in _optimizers(model)]
        if name is not None:
            keep(name, [_values(model.variables), states, history])
    else:
        values, states, history = kept
        _restore(model, values, states)
    keras.utils.set_random_seed(seed)
    return history


def _fit_key(model, given, seed):
    """The key of a fit, or None, with a warning, for a fit that cannot be compared with another one."""
    students = getattr(model, "distillers", [])  # a Classroom has no configuration as a whole
    parts = [type(model), *map(lesson, students), lesson(model)[1:]] if students else lesson(model)
    try:
        is_random = given["shuffle"] or runs_own_code(parts)  # a function may draw random numbers of Keras's
        optimizers = [optimizer for optimizer, _ in _optimizers(model)]
        return key("fit", parts, optimizers, given, seed if is_random else None)
    except Incomparable as error:
        warnings.warn(f"This fit is not kept: {error}", stacklevel=3)
        return None


def _optimizers(model):
    """[(optimizer, the variables that it changes)] of a model; a Classroom has several."""
    pairs = getattr(model, "optimizers", [(model.optimizer, model.trainable_variables)])
    return [(optimizer, trained) for optimizer, trained in pairs if optimizer is not None]


def _values(variables):
    return [np.array(variable) for variable in variables]


def _restore(model, values, states):
    """Give the model and its optimizers these values: more than weights, for Dropout's random state is a variable."""
    variables = list(model.variables)
    for (optimizer, trained), state in zip(_optimizers(model), states, strict=True):
        if len(optimizer.variables) < len(state):
            optimizer.build(trained)
        variables += optimizer.variables
    for variable, value in zip(variables, itertools.chain(values, *states), strict=True):
        variable.assign(value)


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
