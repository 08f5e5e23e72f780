"""What the exercises' checks share: they answer "Correct!", or name the likely mistake, and never give the answer."""

import copy

import numpy as np

from distill_edu._inside.time_limit import within

CORRECT = "Correct!"
NOT_ATTEMPTED = "Not attempted yet: replace the ... above with your answer."
SECONDS = 20  # for a reader's function that never ends
# Two examples of three classes, far enough from each other that every mistake gives another number.
Z_TEACHER = np.array([[4.0, 1.0, -2.0], [0.5, 2.5, 1.0]])
Z_STUDENT = np.array([[1.0, 2.0, -1.0], [0.0, 0.5, 3.0]])
LABELS = np.array([0, 1])


class Verdict(str):
    """One line of text that a notebook shows without quotation marks."""

    __repr__ = str.__str__


def not_yet(hint):
    return Verdict(f"Not yet: {hint}")


def check_answer(answer, right, mistakes, otherwise):
    """Judge a number (or numbers) typed by the reader. `mistakes`: [(what the mistake gives, its hint)]."""
    if _missing(answer):
        return Verdict(NOT_ATTEMPTED)
    return _first_match([(answer, right)], [([value], hint) for value, hint in mistakes], otherwise)


def check_function(function, right, inputs, mistakes, otherwise):
    """Judge the reader's function on several inputs. `right` and the mistakes [(function, hint)] take the same inputs.

    The function gets copies, so it cannot change what the next check sees. The first mistake that gives what it gave,
    for every input, is named; else `otherwise`.
    """
    pairs = []
    for arguments in inputs:
        mine, verdict = value(function, *arguments)
        if verdict:
            return verdict
        pairs.append((mine, right(*copy.deepcopy(arguments))))
    wrong = [([_given(mistake, arguments) for arguments in inputs], hint) for mistake, hint in mistakes]
    return _first_match(pairs, wrong, otherwise)


def call(function, *arguments):
    """(what the reader's function returns, None), or (None, the verdict) where it gives nothing."""
    if _missing(function):
        return None, Verdict(NOT_ATTEMPTED)
    if not callable(function):
        return None, not_yet(f"give the function itself, not {type(function).__name__}.")

    def run():
        with np.errstate(all="ignore"):
            return function(*copy.deepcopy(arguments))

    try:
        return within(SECONDS, run), None
    except TimeoutError:
        return None, not_yet(f"your function did not come to an end in {SECONDS} seconds. Does a loop stop?")
    except (Exception, SystemExit) as error:  # whatever the reader's code raises is shown to the reader
        return None, not_yet(f"your function raised {type(error).__name__}: {error}")


def value(function, *arguments):
    """As `call`, for functions that must return something: nothing is an exercise not attempted."""
    mine, verdict = call(function, *arguments)
    return mine, verdict or (Verdict(NOT_ATTEMPTED) if _missing(mine) else None)


def _missing(answer):
    return answer is None or answer is ...


def _given(mistake, arguments):
    try:
        with np.errstate(all="ignore"):
            return mistake(*copy.deepcopy(arguments))
    except Exception:  # this mistake cannot be made with this input
        return None


def _first_match(pairs, mistakes, otherwise):
    for mine, right in pairs:
        if problem := _other_kind(mine, right):
            return not_yet(problem)
    if all(same(mine, right) for mine, right in pairs):
        return Verdict(CORRECT)
    for values, hint in mistakes:
        if all(same(mine, value) for (mine, _), value in zip(pairs, values, strict=True)):
            return not_yet(hint)
    for mine, right in pairs:
        if isinstance(right, (float, np.ndarray)) and np.shape(mine) != np.shape(right):
            return not_yet(f"the answer has the shape {np.shape(mine)}, but {np.shape(right)} is needed.")
    return not_yet(otherwise)


def _other_kind(mine, right):
    """What is wrong with the kind of thing that came, if anything is."""
    kinds = {str: "a text", list: "a list", dict: "a dictionary", tuple: "a tuple"}
    if type(right) in kinds:
        return None if isinstance(mine, type(right)) else f"the answer should be {kinds[type(right)]}."
    if isinstance(mine, bool) or _numbers(mine) is None:
        return f"the answer should be a number or an array of numbers, not {type(mine).__name__}."
    return None


def _numbers(value):
    try:
        return np.asarray(value, dtype=np.float64)
    except Exception:  # anything may come
        return None


def number(value):
    """`value` as a float, or None where it is anything but one number."""
    numbers = None if value is None or isinstance(value, (str, bytes, bool)) else _numbers(value)
    return None if numbers is None or numbers.ndim else float(numbers)


def same(mine, value):
    """Are they equal? Whole numbers and texts exactly, other numbers to three digits."""
    if value is None:
        return False
    if isinstance(value, dict):
        return isinstance(mine, dict) and set(mine) == set(value) and all(same(mine[key], value[key]) for key in value)
    if isinstance(value, (str, list, tuple)) and not _is_numeric(value):
        return type(mine) is type(value) and mine == value
    mine, target = _numbers(mine), np.asarray(value)
    if mine is None or mine.shape != target.shape:
        return False
    tolerance = {"rtol": 0, "atol": 1e-9} if target.dtype.kind in "iu" else {"rtol": 2e-3, "atol": 1e-3}
    return bool(np.allclose(mine, target, **tolerance))


def _is_numeric(value):
    return not isinstance(value, str) and np.asarray(value).dtype.kind in "iuf"
