"""Sentences for wrong arguments: which one it is, what came, and what is needed. No TensorFlow."""

import math
import numbers

import numpy as np


def check_count(value, name, least=1):
    """`value` as an int of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {_shown(value)}.")
    return int(value)


def check_number(value, name, needed, fits, why=""):
    """`value` as a finite float that `fits`; `needed` says in words what would, and `why`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and fits(number)):
        raise ValueError(f"{name} must be {needed}, not {_shown(value)}{why and ': ' + why}.")
    return number


def check_numbers(values, needed):
    """`values` as a float64 array; `needed` says what must come."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{needed}, not {values!r:.60}.") from None


def check_columns(table, columns, giver):
    """Refuse what is no pandas table with these columns; `giver`: the call that returns one."""
    missing = set(columns) - set(getattr(table, "columns", ()))
    if missing:
        raise ValueError(f"The table has no column {', '.join(sorted(missing))}: give what {giver} returned.")


def check_has(thing, attributes, name, needed):
    """`thing`, if it has all these attributes; else a TypeError that says what is needed."""
    if not all(hasattr(thing, attribute) for attribute in attributes):
        raise TypeError(f"{name} must be {needed}, not {type(thing).__name__}.")
    return thing


def _shown(value):
    return repr(value) if isinstance(value, str) else str(value)  # 0.5, not np.float64(0.5)
