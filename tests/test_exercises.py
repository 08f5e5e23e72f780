"""Every exercise of every page: right, not attempted, each likely mistake with its own hint, and anything at all.

A page's answers are tried by themselves here, and against values worked out by hand; `test_pages.py` tries the answers
that the notebooks print.
"""

import importlib
import pkgutil
import re
import time
from math import inf, log
from types import SimpleNamespace

import numpy as np
import pandas
import pytest

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


A = np.array
P_Q = A([0.6, 0.3, 0.1]), A([0.3, 0.2, 0.5])
# Teacher and student, twice the same example: (3/4, 1/4) and (1/8, 7/8) at T = 2, (9/10, 1/10) and (1/50, 49/50) at 1.
Z_T, Z_S = (A([[2 * log(odds), 0.0]] * 2) for odds in (3, 1 / 7))
EVEN, SURE = A([[0.0, 0.0]]), A([[log(3), 0.0]])  # (1/2, 1/2) and (3/4, 1/4)
SWEEP = pandas.DataFrame(
    [(4, 1, 0.9, 0), (4, 1, 0.1, 0), (4, 2, 0.6, 0), (4, 2, 0.7, 0), (4, 4, 0.3, 0), (4, 4, 0.8, 0)]
    + [(4, 8, 0.1, 1), (4, 8, 0.1, 1), (4, 16, 0.62, 0), (4, 16, 0.63, 0)],
    columns=["size", "temperature", "valid_accuracy", "test_accuracy"],
)
MODELS = pandas.DataFrame(
    [(2000, 0.8, 0.5), (2001, 0.9, 0.9), (900, 0.7, 0.6)], [7, 8, 9], ["bytes", "valid_accuracy", "test_accuracy"]
)
ONES = SimpleNamespace(standard_normal=np.ones, random=np.zeros)
# fmt: off
# Worked out by hand: what is typed.
TYPED = {
    "soft_targets.entropy_by_hand": 1.03972, "from_scratch.gradient_by_hand": [-0.4, 0.2, 0.2],
    "temperature.temperature_by_hand": 0.73106, "train_step.trained_numbers": 7960,
    "does_it_help.standard_error_by_hand": 1.08012, "unseen_digit.bias_by_hand": 1.5,
    "which_temperature.students_in_a_sweep": 360, "hints.attention_by_hand": 0.6, "ask_more.top_by_hand": 0.20521,
    "through_noise.inner_by_hand": 3, "when_it_fails.agreement_by_hand": 0.6, "text.pairs_by_hand": 5,
    "write.share_by_hand": 0.7, "whose_words.reverse_by_hand": 0.69315, "working.trace_by_hand": 302,
    "smaller_models.bytes_by_hand": 4040, "few_bits.levels_by_hand": 7, "ask_the_teacher.mean_latency_by_hand": 32.5,
}
# Worked out by hand: exercise, arguments, the right result, what the first mistakes give (...: not worked out).
WRITTEN = [
    ("soft_targets.softmax", (np.log([[1, 2, 5], [1, 1, 2]]),), [[1 / 8, 1 / 4, 5 / 8], [1 / 4, 1 / 4, 1 / 2]],
     [[[1, 2, 5], [1, 1, 2]], [[0.2, 0.4, 1], [0.5, 0.5, 1]], A([[1, 2, 5], [1, 1, 2]]) / 12,
      [[1 / 2, 2 / 3, 5 / 7], [1 / 2, 1 / 3, 2 / 7]]]),
    ("soft_targets.most_similar_class",
     (A([[0.5, 0.3, 0.1, 0.1], [0.4, 0.1, 0.4, 0.1], [0.1, 0.0, 0.2, 0.7]]), A([0, 0, 1]), 0), 2, [0, 1, 1, 3]),
    ("soft_targets.most_similar_class",
     (A([[0.3, 0.4, 0.2, 0.1], [0.5, 0.1, 0.3, 0.1]]), A([0, 1]), 0), 1, [1, 1, 1, 2, 2, 0]),
    ("from_scratch.soft_loss", (Z_T, Z_S, 2), [4.12252] * 2,
     [1.03063, 2.06126, 3.48879, 12.79103, 9.50693, -4.12252, 6.37186, 8.24503, 4.12252, 2.06126]),
    ("from_scratch.total_loss", (A([0, 0]), Z_T, Z_S, 2, 0.25), 4.06989, [3.96465, 3.61175, 1.75098, 8.03454, 8.13978]),
    ("temperature.temperature_softmax", (np.log([[4, 1]]), 2), [[2 / 3, 1 / 3]],
     [[[16 / 17, 1 / 17]], [[0.8, 0.2]], [[0.4, 0.1]], [[2, 1]]]),
    ("does_it_help.mean_and_error", (A([2, 4, 7]), A([1, 2, 1])), [3, 1.52753],
     [[-3, 1.52753], [3, 2.64575], [3, 0.88192], [3, 1.24722], [3, 1.49071]]),
    ("does_it_help.gap", (0.8, 0.7, 0.95), 0.4, [0.1, 0.6, 0.10526, 2.5]),
    ("unseen_digit.RIGHT_BIAS", (A([[1, 2, 3], [4, 5, 6]]), 1, 0.5), [[1, 2.5, 3], [4, 5.5, 6]],
     [[[1.5, 2.5, 3.5], [4.5, 5.5, 6.5]], [[1, 2, 3], [4.5, 5.5, 6.5]], [[1, 1, 3], [4, 2.5, 6]],
      [[1, 1.5, 3], [4, 4.5, 6]], [[1, 2, 3], [4, 5, 6]]]),
    ("unseen_digit.best_bias", (A([[1, 0], [3, 0], [2, 0], [2, 0]]), A([1, 1, 0, 0]), 1, A([0, 1.5, 4])), 1.5,
     [4, 1, 0.75]),
    ("which_temperature.choose_honestly", ([0.1, 0.9, 0.5], [0.3, 0.4, 0.8]), 0.4, [0.8, 0.9, 1]),
    ("which_temperature.best_temperature", (SWEEP,), {4: 2}, [{4: 1}, {4: 16}, {4: 4}, {4: 1}, {4: 8}]),
    ("hints.relative_distances", (A([[0, 0], [3, 4], [0, 4]]),), A([[0, 5, 4], [5, 0, 3], [4, 3, 0]]) / 4,
     [[[0, 5, 4], [5, 0, 3], [4, 3, 0]], A([[0, 5, 4], [5, 0, 3], [4, 3, 0]]) * 3 / 8,
      A([[0, 25, 16], [25, 0, 9], [16, 9, 0]]) * 3 / 50, A([[0, 5, 4], [5, 0, 3], [4, 3, 0]]) / 5, [0, 1.25, 1],
      A([[0, 7, 4], [7, 0, 3], [4, 3, 0]]) / 4, A([[0, 7, 4], [7, 0, 3], [4, 3, 0]]) * 3 / 14]),
    ("hints.projector_parameters", (3, 2), 8, [6, 6, 9, 392]),
    ("hints.projector_parameters", (4, 4), 0, [0, 16, 20, 980, 20]),
    ("ask_more.rounded_logits", (np.log([66, 33, 1]), 1), [log(0.7), log(0.3), -inf],
     [[4.2, 3.5, 0], [0.7, 0.3, 0], np.log([0.66, 0.33, 0.01]), [-0.4, -1.1, -4.6], np.log([0.7, 0.3, 1e-9])]),
    ("ask_more.noisy", (A([0.5, 0.9]), 0.2, ONES), [0.7, 1], [[0.7, 1.1], [0.5, 0.9], [1, 1], ..., [0.6, 1]]),
    ("through_noise.mixed", (A([1, 0]), A([0, 1]), 1 / 3), [0.86603, 0.5],
     [[2 / 3, 1 / 3], [0.5, 0.86603], [0.15425, -0.98803], [0.5, 0.86603]]),
    ("through_noise.harmless", (np.vstack([SURE, EVEN]), 0.6), [0, 1],
     [[1, 0], [0, 1], [[0, 1], [1, 1]], [1, 1], [0.5, 1]]),
    ("when_it_fails.ensemble_logits", (np.stack([SURE, EVEN]),), np.log([[0.625, 0.375]]),
     [[[0.625, 0.375]], [[log(3) / 2, 0]], np.log([[0.375, 0.125]]) / 2, np.log([[1.25, 0.75]])]),
    ("when_it_fails.verdict", (0.01, 0.05), "it helps", ["it helps", "no verdict", "it helps", "no verdict"]),
    ("when_it_fails.verdict", (-0.05, -0.01), "it hurts", ["it hurts", "no verdict", "no verdict", "it hurts"]),
    ("when_it_fails.verdict", (-0.05, 0.01), "no verdict", ["it hurts", "no verdict", "no verdict", "no verdict"]),
    ("whose_words.reverse_kl", (EVEN, SURE), [0.13081], [0.14384, -0.13081, 0.18872, 0.13081, 0.13081, 0.69315]),
    ("whose_words.entropy_at", (np.vstack([2 * SURE, EVEN]), 2), 0.62774,
     [0.50911, 0.3795, [0.56234, 0.69315], 1.25548, 0.90564, 0.66156]),
    ("working.keep_right", (["302", "353"], ["2", "5"]), ["302"],
     [[True, False], ["353"], ["302", "353"], ["302", "355"], ["2"]]),
    ("working.first_mistake", ("372=", "115"), 0, [1, 0, 1, 3, 2]),
    ("working.first_mistake", ("372=", "302"), -1, [0, 0, 0, 0, -1]),
    ("write.what_is_left", P_Q, [0.75, 0.25, 0],
     [[0.3, 0.1, 0], [0.6, 0.3, 0.1], [0.375, 0.125, 0.5], [0, 0, 1], [0.3, 0.1, -0.4]]),
    ("write.letters_per_call", (0.5, 3), 1.875, [2.5, 1.5, 1.75, 0.875, 4, 0.125]),
    ("smaller_models.quantise", (A([0.26, -0.26, 50]), 0.1, 3), [6, 0, 127],
     [[6, 0, 503], [6, 0, -9], [3, -3, 127], [5, 1, 127], [5, 0, 127], [3, 3, 8], [0, -6, 127], [5.6, 0.4, 127]]),
    ("smaller_models.best_within", (MODELS, 2), 7, [8, 9, 9, 0.8, 0, 0]),
    ("few_bits.few_bits", (A([0.9, -1.2, 0.3]), 3), [0.8, -1.2, 0.4],
     [[0.9, -1.2, 0.3], [0.85714, -1.2, 0.34286], [2, -3, 1], [0.9, -1.2, 0.3], [0.9, -1.2, 0.3], [0.8, -1.2, 0]]),
    ("few_bits.kilobytes", (1, 8), 0.838, [6.704, 838, 0.805, 0.794, 0.828]),
    ("text.bigrams", ("Ab",), [" a", "ab", "b "],
     [["ab"], [" A", "Ab", "b "], [" a", "ab"], ["ab", "b "], [" a", "b "], [" ", "a", "b", " "]]),
    ("text.best_possible", (["a", "a", "a", "b"], [0, 0, 1, 1]), 0.75, [0.5, 1, 0.25, 3, 0.5]),
    ("ask_the_teacher.margin", (A([[0.2, 0.5, 0.3]]),), [0.2], [0.5, 0.3, -0.3, -0.2, 0.3]),
]
# fmt: on


@pytest.mark.parametrize("name", TYPED)
def test_what_is_typed_is_the_value_worked_out_by_hand(name):
    assert CHECKS[name](TYPED[name]) == CORRECT


@pytest.mark.parametrize("name, arguments, right, wrong", WRITTEN, ids=[name for name, *_ in WRITTEN])
def test_the_right_function_and_its_mistakes_give_the_values_worked_out_by_hand(name, arguments, right, wrong):
    check = CHECKS.get(name, NAMED.get(name))
    with np.errstate(divide="ignore"):
        results = [function(*arguments) for function in (check.right, *(mistake for mistake, _ in check.mistakes))]
    for result, expected in zip(results, [right, *wrong], strict=False):
        assert expected is ... or _agree(result, expected), (result, expected)


def _agree(result, expected):
    return np.allclose(result, expected, atol=1e-5) if exercise.is_numeric(expected) else result == expected


def _entropy(logits, temperature):
    p = soft_targets(logits, temperature)
    return -(p * np.log(p)).sum()


def _searched(logits, wanted):
    temperatures = np.geomspace(0.05, 50, 4000)
    return temperatures[np.argmin([abs(_entropy(logits, t) - wanted) for t in temperatures])]


def _in_place(logits, digit, bias):
    logits[:, digit] += bias
    return logits


# The checks that are functions: (an answer, a part of its verdict). Those of `train_step` are in its own test.
FUNCTIONS = {
    "temperature.temperature_for_entropy": [
        (_searched, "Correct!"),
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
    "unseen_digit.with_bias": [
        (lambda z, digit, bias: z + bias * (np.arange(3) == digit), "Correct!"),
        (_in_place, "work on a copy"),
        (lambda z, digit, bias: z + bias, "every class"),
        (3, "the function itself"),
        (..., "Not attempted"),
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
    assert set(CHECKS) == {*TYPED, *FUNCTIONS, "train_step.distillation_step", "train_step.shuffled_pairs"} | {
        name for name, *_ in WRITTEN if name in CHECKS
    }
    assert all(isinstance(CHECKS[name], Exercise) for name in CHECKS if name not in FUNCTIONS and "train" not in name)


@pytest.mark.parametrize("check", [PAGES["soft_targets"].check_softmax, PAGES["temperature"].check_temperature_softmax])
def test_a_softmax_that_overflows_is_not_right(check):
    powers = {1: np.exp, 2: lambda z, t: np.exp(z / t)}[len(check.inputs[0])]
    assert "overflows" in check(lambda *given: powers(*given) / powers(*given).sum(axis=1, keepdims=True))


# The machinery.
EQUAL = [(4040, 4040), (4040.0, 4040), (np.int8(5), 5), (0.3334, 1 / 3), ([1, 2], A([1.0, 2.0])), (inf, inf)]
EQUAL += [("a", "a"), (["a"], ["a"]), ({1: 2}, {1: 2})]
DIFFERENT = [(4041, 4040), (0.34, 1 / 3), ([1, 2, 3], A([1.0, 2.0])), (np.nan, 1.0), (1, None), (-inf, inf)]
DIFFERENT += [("a", "b"), (("a",), ["a"]), ({1: 2, 3: 4}, {1: 2}), ({1: 3}, {1: 2})]


@pytest.mark.parametrize(
    "answer, right, equal", [(*pair, True) for pair in EQUAL] + [(*pair, False) for pair in DIFFERENT]
)
def test_counts_and_texts_are_compared_exactly_other_numbers_to_three_digits(answer, right, equal):
    assert exercise.same(answer, right) is equal


@pytest.mark.parametrize(
    "right, answer, hint",
    [
        ("right", 1, "the answer should be a text."),
        ([1, "a"], "x", "the answer should be a list."),
        ({1: 2}, [1], "the answer should be a dictionary."),
        ((1, "a"), [1, "a"], "the answer should be a tuple."),
        (1.0, "one", "the answer should be a number or an array of numbers, not str."),
        (1.0, True, "the answer should be a number or an array of numbers, not bool."),
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
