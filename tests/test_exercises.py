"""Every exercise of every page: right, not attempted, each likely mistake with its own hint, and anything at all.

The answers are compared with values worked out by hand; `test_pages.py` tries the answers that the notebooks print.
"""

import importlib
import pkgutil
import re
import time
from math import inf

import numpy as np
import pytest
from by_hand import BY_HAND

from distill_edu import pages, soft_targets
from distill_edu.pages.shared import exercise
from distill_edu.pages.shared.exercise import CORRECT, NOT_ATTEMPTED, Exercise

PAGES = {
    name: importlib.import_module(f"distill_edu.pages.{name}")
    for _, name, is_package in pkgutil.iter_modules(pages.__path__)
    if not is_package
}
NAMED = {f"{page}.{name}": thing for page in PAGES for name, thing in vars(PAGES[page]).items()}
CHECKS = {name.replace("check_", ""): thing for name, thing in NAMED.items() if ".check_" in name}
EXERCISES = {name: thing for name, thing in NAMED.items() if isinstance(thing, Exercise)}
EXERCISES |= {f"{name}, then": each.then for name, each in EXERCISES.items() if each.then}
EVERY = pytest.mark.parametrize("check", EXERCISES.values(), ids=EXERCISES)
# What a reader may type: no check raises anything, and none of this is right.
ANYTHING = [np.nan, inf, -1, "x", b"x", [], {}, {1}, (), object(), 1 + 2j, True, np.array("a"), [[1], [1, 2]]]
ANYTHING += [iter([1]), np.zeros((3, 0)), range(5), Exception("x")]


@EVERY
def test_the_right_answer_is_right_and_nothing_is_not_attempted(check):
    assert check(check.right) == CORRECT == check(check.right)
    assert repr(check(check.right)) == "Correct!"  # a notebook shows it without quotation marks
    for nothing in (..., None):
        assert check(nothing) == NOT_ATTEMPTED
        assert not check.inputs or check(lambda *arguments, nothing=nothing: nothing) == NOT_ATTEMPTED


@EVERY
def test_anything_else_gets_a_hint_and_raises_nothing(check):
    for thing in ANYTHING:
        for answer in [thing, lambda *arguments, thing=thing: thing] if check.inputs else [thing]:
            assert check(answer).startswith("Not yet: "), answer
    far = (lambda *arguments: _far(check.right(*arguments))) if check.inputs else _far(check.right)
    assert check(far) == f"Not yet: {check.otherwise}"


def _far(right):
    """An answer of the same kind and shape that nobody gives."""
    if isinstance(right, (str, list)) and not exercise.is_numeric(right):
        return right + type(right)("?")
    return {"?": 0} if isinstance(right, dict) else np.asarray(right) * 0 + 9876.5


MISTAKES = {
    f"{name}: {hint} ({place})": (check, mistake, hint)
    for name, check in EXERCISES.items()
    for place, (mistake, hint) in enumerate(check.mistakes)
}


@pytest.mark.parametrize("check, mistake, hint", MISTAKES.values(), ids=MISTAKES)
def test_a_likely_mistake_gets_its_own_hint(check, mistake, hint):
    assert check(mistake) == f"Not yet: {hint}" and "\n" not in hint


@EVERY
def test_no_hint_tells_the_answer(check):
    number = exercise.number(check.right)
    for hint in [check.otherwise, *(hint for _, hint in check.mistakes)] if number else []:
        assert not re.search(rf"(?<![\d.]){number:.3g}(?![\d.])", hint)


@pytest.mark.parametrize("name, arguments, right, wrong", BY_HAND, ids=[name for name, *_ in BY_HAND])
def test_right_answers_and_mistakes_are_those_worked_out_by_hand(name, arguments, right, wrong):
    check = CHECKS.get(name, NAMED.get(name))
    results = [check.right, *(mistake for mistake, _ in check.mistakes)]
    if arguments:
        with np.errstate(divide="ignore"):
            results = [function(*arguments) for function in results]
    for result, expected in zip(results, [right, *wrong], strict=True):
        assert expected is ... or _agree(result, expected), (result, expected)


def _agree(result, expected):
    return np.allclose(result, expected, atol=1e-5) if exercise.is_numeric(expected) else result == expected


def _entropy(logits, temperature, middle):
    p = soft_targets(logits, temperature)
    return middle(-(p * np.log(p)).sum(axis=1))


def _searched(logits, wanted, middle=np.mean):
    temperatures = np.geomspace(0.05, 50, 4000)
    return temperatures[np.argmin([abs(_entropy(logits, t, middle) - wanted) for t in temperatures])]


# The checks that are functions: (an answer, a part of its verdict). Those of `train_step` are in its own test.
FUNCTIONS = {
    "temperature.temperature_for_entropy": [
        (_searched, "Correct!"),
        (lambda z, wanted: np.array([_searched(z, wanted)]), "Correct!"),  # as scipy's fsolve returns it
        (lambda z, wanted: _searched(z, wanted, np.median), "the mean entropy is"),
        (lambda z, wanted: min(_searched(z, wanted), 2.0), "too sure"),  # a search that stops too early
        (lambda z, wanted: 1.0, "too sure"),
        (lambda z, wanted: 50.0, "too soft"),
        (lambda z, wanted: -1.0, "one positive number"),
        (lambda z, wanted: "warm", "one positive number"),
        (lambda z, wanted: np.nan, "one positive number"),
        (lambda z, wanted: 1 / 0, "ZeroDivisionError"),
        (lambda z, wanted: _searched(z, wanted - 0.03), "too sure"),
        (lambda z, wanted: _searched(z, 1.0), "too soft"),  # right for one of the two questions
        (lambda z, wanted: ..., "Not attempted"),
    ],
    "ask_the_teacher.threshold_for": [
        (lambda confidence, share: np.sort(confidence)[round(share * len(confidence))], "Correct!"),
        (lambda confidence, share: np.quantile(confidence, 1 - share), "lower end"),
        (lambda confidence, share: share, "gets 0.0 of"),
        (lambda confidence, share: 0.65, "gets 1.0 of"),
        (lambda confidence, share: confidence, "one number"),
        (lambda confidence, share: "0.65", "one number"),
        (lambda confidence, share: "x" + 1, "TypeError"),
        (None, "Not attempted"),
    ],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_check_that_is_a_function_gives_each_answer_its_verdict(name):
    for answer, part in FUNCTIONS[name]:
        assert part in CHECKS[name](answer)
    for thing in ANYTHING:
        assert CHECKS[name](thing).startswith("Not yet: ")
        assert CHECKS[name](lambda *arguments, thing=thing: thing).startswith("Not yet: ")


def test_every_check_is_tried():
    functions = {*FUNCTIONS, "train_step.distillation_step", "train_step.shuffled_pairs"}
    assert {name for name, check in CHECKS.items() if not isinstance(check, Exercise)} == functions
    assert {name for name, *_ in BY_HAND} == {*CHECKS} - functions


def test_a_softmax_that_overflows_is_not_right():
    check = PAGES["soft_targets"].check_softmax
    assert "overflows" in check(lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True))


# The machinery.
EQUAL = [(4040, 4040), (4040.0, 4040), (np.int8(5), 5), (0.3334, 1 / 3), ([1, 2], np.array([1.0, 2.0])), (inf, inf)]
EQUAL += [("a", "a"), (["a"], ["a"]), ({1: 2}, {1: 2})]
DIFFERENT = [(4041, 4040), (0.34, 1 / 3), ([1, 2, 3], np.array([1.0, 2.0])), (np.nan, 1.0), (1, None), (-inf, inf)]
DIFFERENT += [("a", "b"), (("a",), ["a"]), ({1: 2, 3: 4}, {1: 2}), ({1: 3}, {1: 2})]


@pytest.mark.parametrize(
    "answer, right, equal", [(*pair, True) for pair in EQUAL] + [(*pair, False) for pair in DIFFERENT]
)
def test_counts_and_texts_are_compared_exactly_other_numbers_to_three_digits(answer, right, equal):
    assert exercise.same(answer, right) is equal


HALVES, NO_NUMBERS = np.array([0.5, 0.5]), "the answer should be a number or an array of numbers, not {}."


class Leaving:
    def __array__(self, *_, **__):
        raise SystemExit


@pytest.mark.parametrize(
    "right, answer, hint",
    [
        ("right", 1, "the answer should be a text."),
        ([1, "a"], "x", "the answer should be a list."),
        ({1: 2}, [1], "the answer should be a dictionary."),
        ((1, "a"), [1, "a"], "the answer should be a tuple."),
        (1.0, "one", "the answer should be a number or an array of numbers, not str."),
        (1.0, True, "the answer should be a number or an array of numbers, not bool."),
        (HALVES, HALVES + 9j, NO_NUMBERS.format("ndarray")),
        (HALVES, np.ma.array(HALVES, mask=[True, False]), NO_NUMBERS.format("MaskedArray")),
        (HALVES, HALVES.astype(str), NO_NUMBERS.format("ndarray")),
        (HALVES, ["0.5", "0.5"], NO_NUMBERS.format("list")),
        (HALVES, Leaving(), NO_NUMBERS.format("Leaving")),
        (np.zeros(3), np.zeros((1, 3)), "the answer has the shape (1, 3), but (3,) is needed."),
        (0.5, [0.5], "the answer has the shape (1,), but () is needed."),
        (5, [5], "otherwise"),
        (0.5, 2.0, "upside down."),
        (0.5, 0.7, "otherwise"),
    ],
)
def test_the_kind_is_judged_first_then_likely_mistakes_then_the_shape(right, answer, hint):
    mistakes = [(2.0, "upside down."), (2.0, "never reached.")]
    assert Exercise(right, mistakes, "otherwise")(answer) == f"Not yet: {hint}"
    functions = [(lambda x, value=value: value, hint) for value, hint in [(None, "none"), *mistakes]]
    assert Exercise(lambda x: right, functions, "otherwise", [(1,), (2,)])(lambda x: answer) == f"Not yet: {hint}"


def test_right_for_one_of_two_inputs_is_not_right_and_a_mistake_is_one_for_every_input():
    check = Exercise(abs, [(lambda x: x, "the sign")], "otherwise", [(2.0,), (-3.0,)])
    assert check(abs) == "Correct!" and check(lambda x: x) == "Not yet: the sign"
    assert check(lambda x: 2.0) == check(lambda x: -x) == check(lambda x: x + 1) == "Not yet: otherwise"
    assert check(5) == "Not yet: give the function itself, not int."
    assert check(lambda x: 1 / 0) == "Not yet: your function raised ZeroDivisionError: division by zero"


def test_a_function_gets_copies():
    given = np.array([1.0, 2.0])
    check = Exercise(lambda z: z / 2, [], "otherwise", [(given,)])
    assert check(lambda z: np.divide(z, 2, out=z)) == "Correct!" and given.tolist() == [1, 2]


def test_a_function_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(exercise, "SECONDS", 0.05)
    check = PAGES["does_it_help"].check_gap
    assert "did not come to an end in 0.05 seconds" in check(lambda d, h, t: time.sleep(5))
    assert "raised SystemExit" in check(lambda d, h, t: exit())


def test_one_number_is_one_number():
    assert [exercise.number(x) for x in (2, "2", True, [2], np.float32(0.5), None)] == [2, None, None, None, 0.5, None]
