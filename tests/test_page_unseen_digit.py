"""Page "Can a student learn a digit it has never seen?": accuracy over the bias, per class; its exercises."""

import numpy as np
import pytest
from drawn import at, bars, lines, ticks
from exercises import answers
from gallery import GALLERY, LABELS, NAMES, SEEN

from distill_edu.pages import unseen_digit as page
from distill_edu.pages.shared import picture

STUDENTS = {0: SEEN, 2: SEEN[:, ::-1] + [0, 1, 0]}  # as in the gallery


def right(omitted, bias):
    """Is each example right with this bias on the omitted class's logit? And how often is that class the answer?"""
    shift = [bias if c == omitted else 0 for c in range(3)]
    answers = [int(np.argmax(row + shift)) for row in STUDENTS[omitted]]
    return np.array([a == y for a, y in zip(answers, LABELS, strict=True)]), answers.count(omitted)


@pytest.mark.parametrize("omitted, bias", [(0, 1.5), (2, -1.0)])
def test_the_curves_the_marks_the_bars_and_the_sentence(omitted, bias):
    figure, words = at(GALLERY["bias"](), omitted=omitted, bias=bias)
    left, each = figure.axes
    of_class, of_all = lines(left, "None")
    assert (of_class.label, of_class.colour) == (NAMES[omitted], picture.DISTILLED.lower())
    assert (of_all.label, of_all.colour) == ("all", picture.NEUTRAL.lower())
    assert of_class.x == pytest.approx(np.arange(-2, 8.25, 0.25)) and of_all.x == pytest.approx(of_class.x)
    mine = omitted == LABELS
    for i in (0, 17, 40):
        correct, _ = right(omitted, of_class.x[i])
        assert (of_class.y[i], of_all.y[i]) == pytest.approx((correct[mine].mean(), correct.mean()))
    correct, answered = right(omitted, bias)
    assert [(*m.x, *m.y) for m in lines(left, "o")] == [
        pytest.approx((bias, correct[mine].mean())),
        pytest.approx((bias, correct.mean())),
    ]
    (_, others, grey), (_, ours, green) = bars(each)
    assert others + ours == pytest.approx([correct[c == LABELS].mean() for c in range(3)])
    assert [c for c in range(3) if ours[c] != 0] == [omitted] and others[omitted] == 0
    assert (grey, green) == (picture.NEUTRAL.lower(), picture.DISTILLED.lower()) and ticks(each) == list(NAMES)
    assert words == (
        f"{NAMES[omitted]} was omitted. With {bias:+g} on its bias {correct[mine].mean():.3f} of its examples are "
        f"right, and {correct.mean():.3f} of all. It is the answer {answered} times, and the label 10 times."
    )


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: page.bias_explorer({0: SEEN}, np.zeros(30), NAMES), "every class stands at least once"),
        (lambda: page.bias_explorer({}, LABELS, NAMES), "at least one student"),
        (lambda: page.bias_explorer({3: SEEN}, LABELS, NAMES), "numbers of classes, such as 3, not 3"),
        (lambda: page.bias_explorer({0: SEEN[:9]}, LABELS, NAMES), "30 labels but logits of the shape"),
        (lambda: page.bias_explorer({0: SEEN * np.nan}, LABELS, NAMES), "logits of 0 contains NaN"),
    ],
)
def test_wrong_arguments_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def in_place(z, digit, bias):
    z[:, digit] += bias
    return z


def with_bias(z, digit, bias):
    return z + bias * (np.arange(z.shape[1]) == digit)


def accuracy(z, y, digit, bias):
    return (with_bias(z, digit, bias).argmax(1) == y).mean()


def best(z, y, digit, biases):
    return biases[int(np.argmax([accuracy(z, y, digit, bias) for bias in biases]))]


test_exercises = answers(
    page,
    bias_by_hand=(
        1.5,
        [(1.2, "equal"), (1, "2.0 + 1"), (0.5, "2.0 + 0.5"), (2, "a smaller one"), (9, "larger than 3.2")],
    ),
    with_bias=(
        with_bias,
        [
            (lambda z, digit, bias: z + bias, "every class"),
            (lambda z, digit, bias: z + bias * (np.arange(len(z)) == digit)[:, None], "a row"),
            (lambda z, digit, bias: z * np.where(np.arange(3) == digit, bias, 1), "multiply"),
            (lambda z, digit, bias: with_bias(z, digit, -bias), "subtract"),
            (lambda z, digit, bias: z, "nothing has changed"),
            (lambda z, digit, bias: 0 * z, "the column of the digit"),
            (in_place, "work on a copy"),
            (3, "the function itself"),
        ],
    ),
    best_bias=(
        best,
        [
            (lambda z, y, digit, biases: best(z[y == digit], y[y == digit], digit, biases), "for the digit alone"),
            (lambda z, y, digit, biases: list(biases).index(best(z, y, digit, biases)), "position"),
            (lambda z, y, digit, biases: max(accuracy(z, y, digit, b) for b in biases), "accuracy"),
            (lambda z, y, digit, biases: biases[0], "try each"),
            (lambda z, y, digit, biases: 0.7, "try each"),
        ],
    ),
)
