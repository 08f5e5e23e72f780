"""Check values, and refuse a wrong one in a sentence: its name, what is allowed, what came. No TensorFlow."""

import collections.abc
import contextlib
import math
import numbers
import sys

import numpy as np

NO_LOGITS = (
    "{} looks like probabilities (no negative number, every row sums to about 1): give the numbers before the softmax. "
    "If you only have probabilities p, np.log(p) are valid logits."
)
MANY = 8  # so many different rows of logits do not all sum to about 1 by chance
ONE_ARRAY = (
    "{}, and a Cascade takes one array [n, ...]: its memory looks examples up by content. Join several inputs of an "
    "example in one array and take it apart inside both models; call predict for each batch of a pipeline."
)


@contextlib.contextmanager
def wrong_use():
    """Mark the errors that are raised in it (or, as a decorator, in a function) as refusals of wrong use."""
    try:
        yield
    except Exception as error:
        error.wrong_use = True
        raise


def is_wrong_use(error):
    """Say whether an error refuses wrong use; a Cascade raises it, for it is no failure of a teacher."""
    return getattr(error, "wrong_use", False)


def require_count(value, name, least=1):
    """Return `value` as an int of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {_shown(value)}.")
    return int(value)


def require_number(value, name, allowed, fits, why=""):
    """Return `value` as a finite float for which `fits(value)` is true; `allowed` and `why` describe it in words."""
    try:
        number = math.nan if isinstance(value, (str, bytes)) else float(value)  # float("12") is a number
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and fits(number)):
        raise ValueError(f"{name} must be {allowed}, not {_shown(value)}{why and ': ' + why}.")
    return number


def require_shares(weights, count):
    """Return the weights of `count` members of an Ensemble (None: all count alike), divided by their sum: floats."""
    given = [1.0] * count if weights is None else _require_weights(weights, count)
    scale = max(given) if math.isinf(sum(given)) else 1.0
    given = [each / scale for each in given]
    return [each / sum(given) for each in given]


def require_members(models):
    """Refuse members of an Ensemble that end in a softmax or a sigmoid."""
    for model in models:
        if (end := last_activation(model)) in ("softmax", "sigmoid"):
            raise ValueError(
                f"{model.name!r} ends in a {end}, and an Ensemble needs logits: take the {end} off the last layer."
            )


def require_same_classes(shapes):
    """Refuse members of an Ensemble whose logits have several shapes [..., classes], or one class."""
    if len(shapes) > 1:
        raise ValueError(f"The members give logits of the shapes {sorted(shapes)}: they need the same classes.")
    if any(shape[-1] == 1 for shape in shapes):
        raise ValueError(
            "The members give one number per example, and an Ensemble averages the probabilities of two or more "
            "classes: use one of the members."
        )


def _require_weights(weights, count):
    """Return the weights of the members of an Ensemble as floats."""
    if isinstance(weights, (str, bytes, dict, set)) or not np.iterable(weights):
        raise ValueError(f"weights must be a list of numbers, one for each member, not {weights!r:.60}.")
    given = list(weights)
    if len(given) != count:
        raise ValueError(f"weights has {len(given)} numbers for {count} members: give one for each.")
    given = [require_number(each, "A weight of an Ensemble", "above 0", lambda number: number > 0) for each in given]
    if min(given) / max(given) < sys.float_info.min:
        raise ValueError(f"A weight of {min(given)} beside one of {max(given)} counts as 0: leave this member out.")
    return given


def require_numbers(values, requirement):
    """Return `values` as a float64 array; `requirement` begins the error's sentence."""
    try:
        if np.iscomplexobj(array := np.asarray(values)):
            raise TypeError  # NumPy would drop the imaginary parts
        return array.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        raise ValueError(f"{requirement}, not {values!r:.60}.") from None


def require_rows(rows, name):
    """Return `rows` as an array [n, length]."""
    try:
        array = np.asarray(rows)
    except ValueError:  # NumPy's own says inhomogeneous
        raise ValueError(f"{name} must be rows of the same length, [n, length].") from None
    if array.ndim != 2:
        raise ValueError(f"{name} must be rows [n, length], not of the shape {array.shape}: give one row as [row].")
    return array


def require_columns(table, columns, source):
    """Refuse anything but a pandas table with these columns; `source`: the function that returns such a table."""
    missing = set(columns) - set(getattr(table, "columns", ()))
    if missing:
        raise ValueError(f"The table has no column {', '.join(sorted(missing))}: give what {source} returned.")


def require_attributes(value, attributes, name, allowed):
    """Refuse a value that has not all these attributes; `allowed` says in words what has them."""
    if not all(hasattr(value, attribute) for attribute in attributes):
        raise TypeError(f"{name} must be {allowed}, not {type(value).__name__}.")


def require_temperature(temperature):
    """Return `temperature` as a float above 0, and low enough for float32 to tell the probabilities apart."""
    why = "the logits are divided by it. 1 leaves the softmax as it is, larger values make it softer"
    allowed = "a positive number up to 1,000,000"
    return require_number(temperature, "temperature", allowed, lambda value: 0 < value <= 1e6, why)


def require_logits_alone(model, name, user):
    """Refuse a Keras model of several outputs; `user` says in words what needs one."""
    count = len(getattr(model, "outputs", None) or ())
    if count > 1:
        raise ValueError(
            f"The {name} gives {count} outputs, and {user} needs the logits alone: give "
            "keras.Model(model.input, model.output[...])."
        )


def require_classes(labels, count):
    """Refuse integer labels that are none of so many classes."""
    if not labels.size or labels.min() < 0 or labels.max() >= count:
        raise ValueError(f"Labels are integers from 0 to {count - 1}: leave out examples without a label.")


def require_logits(logits, what="logits"):
    """Return `logits` as a float64 array; refuse what `require_finite_logits` refuses, and probabilities."""
    logits = require_finite_logits(logits, what)
    with wrong_use():
        if looks_like_probabilities(logits):
            raise ValueError(NO_LOGITS.format(what))
    return logits


def require_finite_logits(logits, what):
    """Return `logits` as a float64 array; refuse NaN and infinity.

    Minus infinity rules a class out, as np.log(0) does: a row may contain it, but not for every class.
    """
    logits = require_numbers(logits, f"{what} must be an array of numbers, [..., classes]")
    if logits.ndim == 0 or logits.shape[-1] < 2:
        raise ValueError(f"{what} needs one number per class on its last axis, not the shape {logits.shape}.")
    if np.isnan(logits).any() or np.isposinf(logits).any() or np.isneginf(logits).all(axis=-1).any():
        raise ValueError(f"{what} contains NaN or infinity: look for them in the model's weights or inputs.")
    return logits


def looks_like_probabilities(values):
    """Say whether no number is negative and every row sums to 1; to about 1, where many rows differ."""
    if not may_be_probabilities(values):
        return False
    rows = values.reshape(-1, values.shape[-1])
    return np.allclose(rows.sum(axis=-1), 1, atol=1e-4) or len(np.unique(rows, axis=0)) >= MANY


def may_be_probabilities(values):
    """Say whether no number is negative and every row sums to 1, give or take what rounding to two digits changes."""
    if not values.size or not (values >= 0).all():
        return False
    return bool((abs(values.sum(axis=-1) - 1) <= rounding(values.shape[-1])).all())


def rounding(classes):
    """How far a sum of so many probabilities may be from 1, if each is rounded to two digits; never above 0.05."""
    return min(0.001 + 0.005 * classes, 0.05)


def last_activation(model):
    """Return the name of the function that a Keras model ends in, such as "linear", "softmax" or "sigmoid".

    A subclassed model or a plain function does not tell: the result is then its own name.
    """
    while getattr(model, "outputs", None):  # the last layer may be a model
        model = (getattr(model, "operations", None) or model.layers)[-1]
    while getattr(model, "activation", None):  # a function, or a layer that may have a function
        model = model.activation
    return getattr(model, "__name__", type(model).__name__.lower())


def require_one_array(x, **models):
    """Return x as one array [n, ...] of the shape that the models take (name=model; a function takes any shape)."""
    kind = "dictionary" if isinstance(x, dict) else type(x).__name__
    is_array = hasattr(x, "__array__") or hasattr(x, "__array_interface__")
    if not (is_array or isinstance(x, (collections.abc.Sequence, numbers.Number))):
        raise ValueError(ONE_ARRAY.format(f"x is a {kind}"))
    try:
        x = np.asarray(x)
    except ValueError:
        raise ValueError(ONE_ARRAY.format(f"x is a {kind} of arrays of different shapes")) from None
    if x.ndim == 0 or not len(x):
        raise ValueError(f"x has the shape {x.shape}: give at least one example, [n, ...].")
    for name, model in models.items():
        shapes = [tuple(each.shape) for each in getattr(model, "inputs", None) or ()]
        if len(shapes) > 1:
            raise ValueError(ONE_ARRAY.format(f"The {name} takes {len(shapes)} inputs"))
        if shapes and not _fits(x.shape, shapes[0]):
            given = f"x has the shape {x.shape}, and the {name} takes {('n', *shapes[0][1:])}"
            raise ValueError(ONE_ARRAY.format(given) if kind in ("list", "tuple") else given + ".")
    return _plain(x) if x.dtype == object else x


def _plain(x):
    """An array of objects as an array of texts or of numbers."""
    texts = [isinstance(each, (str, bytes)) for each in x.flat]
    if all(texts):
        texts = [each.decode() if isinstance(each, bytes) else each for each in x.flat]
        return np.array(texts, dtype=str).reshape(x.shape)
    if any(texts) or any(each is None for each in x.flat):
        raise ValueError("x has missing values, or texts beside numbers: give texts alone, or numbers alone.")
    return require_numbers(x, "x must hold texts or numbers")


def _fits(shape, expected):
    """Whether Keras takes this shape; it adds and removes a last axis of size 1 by itself."""
    shapes = [shape, (*shape, 1), shape[:-1] if shape[-1] == 1 else shape]
    return any(
        len(each) == len(expected) and all(b in (None, a) for a, b in zip(each[1:], expected[1:], strict=True))
        for each in shapes
    )


def _shown(value):
    return repr(value) if isinstance(value, str) else str(value)  # 0.5, not np.float64(0.5)
