"""What all checks of exercises share: copies, time, exact counts."""

import time

import numpy as np
import pytest

from distill_edu.pages import exercise
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


def test_hints_do_not_give_the_answer_away():
    assert "1.04" not in check_entropy_by_hand(7)
