"""Exercises as data: a check answers "Correct!", or names the likely mistake, and never tells the answer."""

import copy
from typing import NamedTuple

import numpy as np

from distill_edu._inside.time_limit import within

SECONDS = 20  # for a reader's function that never ends
# Logits of two examples and three classes, far enough from each other that every mistake gives another number.
Z_TEACHER = np.array([[4.0, 1.0, -2.0], [0.5, 2.5, 1.0]])
Z_STUDENT = np.array([[1.0, 2.0, -1.0], [0.0, 0.5, 3.0]])
LABELS = np.array([0, 1])


class Verdict(str):
    """One line of text that a notebook shows without quotation marks."""

    __repr__ = str.__str__


CORRECT = Verdict("Correct!")
NOT_ATTEMPTED = Verdict("Not attempted yet: replace the ... above with your answer.")
OVERFLOWS = "right for small logits, but exp(1000) overflows: subtract the largest logit of the row first."


class Exercise(NamedTuple):
    """An exercise of a page; calling it with the reader's answer gives the verdict.

    With `inputs` the answer is a function. It gets copies of the arguments, so it cannot change what others see.

    >>> check_half = Exercise(right=0.5, mistakes=[(2, "the fraction is upside down.")], otherwise="divide 1 by 2.")
    >>> check_half(0.5), check_half(2), check_half(7)
    (Correct!, Not yet: the fraction is upside down., Not yet: divide 1 by 2.)
    """

    right: object  # the number, array, text, list or dictionary to type; with `inputs` the right function
    mistakes: list  # [(what the mistake gives, or with `inputs` the function that makes it; its hint)]
    otherwise: str  # the hint for every other wrong answer
    inputs: tuple = ()  # the tuples of arguments that the functions are called with
    then: object = None  # the Exercise that an answer must pass after this one

    def __call__(self, answer):
        if not self.inputs:
            return NOT_ATTEMPTED if _missing(answer) else self._judge([answer])
        results = []
        for arguments in self.inputs:
            result, verdict = value(answer, *arguments)
            if verdict:
                return verdict
            results.append(result)
        verdict = self._judge(results)
        return self.then(answer) if verdict == CORRECT and self.then else verdict

    def _judge(self, answers):
        """The verdict on one answer per input. A mistake is named only where it fits every answer."""
        expected = self._results(self.right)
        for answer, right in zip(answers, expected, strict=True):
            if problem := _other_kind(answer, right):
                return not_yet(problem)
        if all(map(same, answers, expected)):
            return CORRECT
        for mistake, hint in self.mistakes:
            if all(map(same, answers, self._results(mistake))):
                return not_yet(hint)
        for answer, right in zip(answers, expected, strict=True):
            if isinstance(right, (float, np.ndarray)) and np.shape(answer) != np.shape(right):
                return not_yet(f"the answer has the shape {np.shape(answer)}, but {np.shape(right)} is needed.")
        return not_yet(self.otherwise)

    def _results(self, of):
        """What the right answer, or a mistake, gives for each input; None where it cannot be made with that input."""
        if not self.inputs:
            return [of]
        results = []
        for arguments in self.inputs:
            try:
                with np.errstate(all="ignore"):
                    results.append(of(*copy.deepcopy(arguments)))
            except Exception:
                results.append(None)
        return results


def not_yet(hint):
    return Verdict(f"Not yet: {hint}")


def call(function, *arguments):
    """(what the reader's function returns, None), or (None, the verdict) where it returns nothing."""
    if _missing(function):
        return None, NOT_ATTEMPTED
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
    """As `call`, for functions that must return something: a function that returns nothing was not attempted."""
    result, verdict = call(function, *arguments)
    return result, verdict or (NOT_ATTEMPTED if _missing(result) else None)


def number(value):
    """`value` as a float, or None where it is anything but one number."""
    numbers = None if value is None or isinstance(value, (str, bytes, bool)) else _numbers(value)
    return None if numbers is None or numbers.ndim else float(numbers)


def same(answer, value):
    """Are they equal? Whole numbers and texts exactly, other numbers to three digits; NaN equals NaN."""
    if value is None:
        return False
    if isinstance(value, dict):
        return isinstance(answer, dict) and set(answer) == set(value) and all(same(answer[k], value[k]) for k in value)
    if isinstance(value, (str, list, tuple)) and not is_numeric(value):
        return type(answer) is type(value) and answer == value
    answer, target = _numbers(answer), np.asarray(value)
    if answer is None or answer.shape != target.shape:
        return False
    tolerance = {"rtol": 0, "atol": 1e-9} if target.dtype.kind in "iu" else {"rtol": 2e-3, "atol": 1e-3}
    return bool(np.allclose(answer, target, equal_nan=True, **tolerance))


def _missing(answer):
    return answer is None or answer is ...


def _other_kind(answer, right):
    """What is wrong with the kind of thing that came, if anything is."""
    kinds = {str: "a text", list: "a list", dict: "a dictionary", tuple: "a tuple"}
    if type(right) in kinds:
        return None if isinstance(answer, type(right)) else f"the answer should be {kinds[type(right)]}."
    if isinstance(answer, bool) or _numbers(answer) is None:
        return f"the answer should be a number or an array of numbers, not {type(answer).__name__}."
    return None


def _numbers(value):
    """`value` as float64, or None where it is no array of real numbers, or hides some."""
    try:
        is_real = np.asarray(value).dtype.kind in "biufO" and not np.ma.is_masked(value)
        return np.asarray(value, dtype=np.float64) if is_real else None
    except (Exception, SystemExit):  # anything may come
        return None


def is_numeric(value):
    return not isinstance(value, str) and np.asarray(value).dtype.kind in "iuf"
