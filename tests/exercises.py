"""One test for all exercises of a page: untouched, right, each likely mistake with its own hint, and anything."""

import ast
import functools
import inspect

import numpy as np
import pytest

from distill_edu.pages.shared.exercise import CORRECT, NOT_ATTEMPTED

# What a reader may type: no check raises anything, and none of this is right.
ANYTHING = [np.nan, np.inf, -1, "x", b"x", [], {}, {1}, (), object(), 1 + 2j, True, np.array("a"), [[1], [1, 2]]]
ANYTHING += [iter([1]), np.zeros((3, 0)), range(5), Exception("x")]


def answers(page, **exercises):
    """A parametrised test. `exercises`: name -> (the right answer, [(a wrong one, a part of its hint)])."""
    cases = [pytest.param(name, right, None, id=f"{name}: right") for name, (right, _) in exercises.items()]
    for name, (_, mistakes) in exercises.items():
        cases += [pytest.param(name, wrong, hint, id=f"{name}: {hint}") for wrong, hint in mistakes]
        cases.append(pytest.param(name, ANYTHING, None, id=f"{name}: anything"))

    for hint in _sentences(page, [f"check_{name}" for name in exercises]):
        cases.append(pytest.param(None, None, hint, id=f"given: {hint}"))

    @functools.cache
    def said():
        wrong = [(name, wrong) for name, (_, mistakes) in exercises.items() for wrong, _ in mistakes]
        return "\n".join(getattr(page, f"check_{name}")(answer) for name, answer in wrong)

    @pytest.mark.parametrize("name, answer, hint", cases)
    def test(name, answer, hint):
        if name is None:
            assert hint in said(), "no wrong answer of this test is given this hint"
            return
        check = getattr(page, f"check_{name}")
        if answer is ANYTHING:
            _answers_anything(check, by_hand=not callable(exercises[name][0]))
        elif hint is None:
            assert check(answer) == CORRECT == check(answer)
            assert repr(check(answer)) == CORRECT  # a notebook shows it without quotation marks
        else:
            verdict = check(answer)
            assert verdict.startswith("Not yet: ") and hint in verdict and "\n" not in verdict

    return test


def _sentences(page, checks):
    """What these checks can say to a reader: each text of more than three words."""
    for check in ast.parse(inspect.getsource(page)).body:
        if isinstance(check, ast.FunctionDef) and check.name in checks:
            texts = [node.value for node in ast.walk(check) if isinstance(node, ast.Constant)]
            yield from (text for text in texts[1:] if isinstance(text, str) and text.count(" ") > 2)


def _answers_anything(check, by_hand):
    for untouched in (..., None):
        assert check(untouched) == NOT_ATTEMPTED
    if not by_hand:
        assert check(lambda *arguments: ...) == check(lambda *arguments: None) == NOT_ATTEMPTED
    for thing in ANYTHING:
        for answer in [thing] if by_hand else [thing, lambda *arguments, thing=thing: thing]:
            assert check(answer).startswith("Not yet: "), answer
