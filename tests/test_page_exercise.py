"""What all checks of exercises share: copies, time, exact counts."""

import time

import numpy as np
import pytest

from distill_edu.pages.shared import exercise
from distill_edu.pages.soft_targets import check_entropy_by_hand, check_softmax


def test_a_function_gets_copies():
    def in_place(z):
        z /= 2
        return z

    before = exercise.Z_TEACHER.copy()
    for _ in range(3):
        check_softmax(in_place)
    assert (before == exercise.Z_TEACHER).all()


def test_a_function_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(exercise, "SECONDS", 0.05)
    assert "did not come to an end in 0.05 seconds" in check_softmax(lambda z: time.sleep(5))
    assert "raised SystemExit" in check_softmax(lambda z: exit())


@pytest.mark.parametrize(
    "mine, right, equal",
    [
        (4040, 4040, True),
        (4040.0, 4040, True),
        (4041, 4040, False),
        (np.int8(5), 5, True),
        (0.3334, 1 / 3, True),
        (0.34, 1 / 3, False),
        ([1, 2], np.array([1.0, 2.0]), True),
        ([1, 2, 3], np.array([1.0, 2.0]), False),
        (np.nan, 1.0, False),
        ("a", "a", True),
        ("a", "b", False),
        (["a"], ["a"], True),
        (("a",), ["a"], False),
        ({1: 2}, {1: 2}, True),
        ({1: 2, 3: 4}, {1: 2}, False),
        (1, None, False),
    ],
)
def test_counts_and_texts_are_compared_exactly_other_numbers_to_three_digits(mine, right, equal):
    assert exercise.same(mine, right) is equal


KINDS = {
    "a text": ("right", 1, "the answer should be a text."),
    "a list": ([1, "a"], "x", "the answer should be a list."),
    "a dictionary": ({1: 2}, [1], "the answer should be a dictionary."),
    "a tuple": ((1, "a"), [1, "a"], "the answer should be a tuple."),
    "a number": (1.0, "one", "the answer should be a number or an array of numbers, not str."),
    "no truth": (1.0, True, "the answer should be a number or an array of numbers, not bool."),
    "a shape": (np.zeros(3), np.zeros((1, 3)), "the answer has the shape (1, 3), but (3,) is needed."),
    "one number": (0.5, [0.5], "the answer has the shape (1,), but () is needed."),
    "a whole number": (5, [5], "otherwise"),
    "a known mistake": (0.5, 2.0, "upside down."),
    "another number": (0.5, 0.7, "otherwise"),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_kind_is_judged_first_then_likely_mistakes_then_the_shape(name):
    right, answer, hint = KINDS[name]
    mistakes = [(2.0, "upside down."), (2.0, "never reached.")]
    assert exercise.check_answer(answer, right, mistakes, "otherwise") == f"Not yet: {hint}"
    assert exercise.check_answer(right, right, mistakes, "otherwise") == "Correct!"
    functions = [(lambda x, value=value: value, hint) for value, hint in [(None, "none"), *mistakes]]
    of_one = exercise.check_function(lambda x: answer, lambda x: right, [(1,), (2,)], functions, "otherwise")
    assert of_one == f"Not yet: {hint}"


def test_right_for_one_of_two_inputs_is_not_right_and_a_mistake_is_one_for_every_input():
    def check(function):
        return exercise.check_function(function, abs, [(2.0,), (-3.0,)], [(lambda x: x, "the sign")], "otherwise")

    assert check(abs) == "Correct!" and check(lambda x: x) == "Not yet: the sign"
    assert check(lambda x: 2.0) == check(lambda x: -x) == check(lambda x: x + 1) == "Not yet: otherwise"
    assert check(5) == "Not yet: give the function itself, not int."
    assert check(lambda x: 1 / 0) == "Not yet: your function raised ZeroDivisionError: division by zero"


def test_one_number_is_one_number():
    assert [exercise.number(x) for x in (2, "2", True, [2], np.float32(0.5), None)] == [2, None, None, None, 0.5, None]


def test_hints_do_not_give_the_answer_away():
    assert "1.04" not in check_entropy_by_hand(7)
