"""Sentences for wrong arguments: which one it is, what came, and what is needed. No TensorFlow."""

import math
import numbers

import numpy as np


def require_count(value, name, least=1):
    """`value` as an int of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {_shown(value)}.")
    return int(value)


def require_number(value, name, needed, fits, why=""):
    """`value` as a finite float that `fits`; `needed` says in words what would, and `why`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and fits(number)):
        raise ValueError(f"{name} must be {needed}, not {_shown(value)}{why and ': ' + why}.")
    return number


def require_numbers(values, needed):
    """`values` as a float64 array; `needed` says what must come."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{needed}, not {values!r:.60}.") from None


def require_columns(table, columns, giver):
    """Refuse what is no pandas table with these columns; `giver`: the call that returns one."""
    missing = set(columns) - set(getattr(table, "columns", ()))
    if missing:
        raise ValueError(f"The table has no column {', '.join(sorted(missing))}: give what {giver} returned.")


def require_attributes(thing, attributes, name, needed):
    """`thing`, if it has all these attributes; else a TypeError that says what is needed."""
    if not all(hasattr(thing, attribute) for attribute in attributes):
        raise TypeError(f"{name} must be {needed}, not {type(thing).__name__}.")
    return thing


def require_temperature(temperature):
    """Return `temperature` as a float; refuse what no softmax can divide by."""
    why = "the logits are divided by it. 1 leaves the softmax as it is, larger values make it softer"
    return require_number(temperature, "temperature", "a positive number", lambda t: t > 0, why)


def require_logits(logits, what="logits"):
    """Return `logits` as float64; refuse NaN, infinity, and probabilities where logits are needed.

    Minus infinity rules a class out, as np.log(0) does: a row may have it, but not for every class.
    """
    logits = require_numbers(logits, f"{what} must be an array of numbers, [..., classes]")
    if logits.ndim == 0 or logits.shape[-1] < 2:
        raise ValueError(f"{what} needs one number per class on its last axis, not the shape {logits.shape}.")
    if np.isnan(logits).any() or np.isposinf(logits).any() or np.isneginf(logits).all(axis=-1).any():
        raise ValueError(f"{what} contains NaN or infinity: look for them in the model's weights or inputs.")
    if looks_like_probabilities(logits):
        raise ValueError(
            f"{what} looks like probabilities (no negative number, every row sums to 1): give the numbers before "
            "the softmax. If you only have probabilities p, np.log(p) are valid logits."
        )
    return logits


def looks_like_probabilities(values):
    """Is no number negative, and is every row's sum 1?"""
    return bool(values.size and (values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=1e-4))


def _shown(value):
    return repr(value) if isinstance(value, str) else str(value)  # 0.5, not np.float64(0.5)
