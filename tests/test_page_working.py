"""Page "Why do models hand down their working?": sums symbol by symbol, a point for each start, and its exercises."""

import numpy as np
import pytest
from drawn import at, bars, lines, numbers, ticks
from exercises import answers
from gallery import ADDERS, GALLERY, STARTS
from matplotlib.colors import to_hex

from distill_edu.data import running_sums
from distill_edu.pages import working as page
from distill_edu.pages.shared import picture


@pytest.mark.parametrize("written", [0, 1, 3, 8])
def test_each_models_next_symbol_and_what_it_has_written(written):
    figure, words = at(GALLERY["working"](), written=written)
    texts, axes = figure.axes
    assert texts.get_title() == "49633779=" and axes.get_title() == "the next symbol"
    shown = [text.get_text() for text in texts.texts]
    wanted = [[f"{name}:", model("49633779=")[0][:written] or "..."] for name, model in ADDERS.items()]
    assert shown == sum(wanted, [])
    colours = [picture.TEACHER, picture.DISTILLED, picture.HARD]
    assert [to_hex(text.get_color()) for text in texts.texts[::2]] == [colour.lower() for colour in colours]
    drawn = bars(axes)
    assert [(label, colour) for label, _, colour in drawn] == [
        (name, colour.lower()) for name, colour in zip(ADDERS, colours, strict=True)
    ]
    for (_, heights, _), model in zip(drawn, ADDERS.values(), strict=True):
        text, p = model("49633779=")
        assert np.allclose(heights, p[written] if written <= len(text) else np.nan, equal_nan=True)
    assert ticks(axes) == [*"0123456789", "end"] and axes.get_ylabel() == "probability"


def test_the_sentence_says_the_sum_so_far_and_what_each_model_says():
    _, words = at(GALLERY["working"](), written=2)
    assert words == (
        "4 + 9 + 6 = 19, so a trace goes on with 9: teacher says 2 (90.0%); traces says 2 (60.0%); "
        "answers has ended with 8."
    )
    _, words = at(GALLERY["working"](), written=1)
    assert words.startswith("4 + 9 = 13, so a trace goes on with 3:") and words.endswith(
        "answers says the end (30.0%)."
    )
    _, words = at(GALLERY["working"](), written=8)
    assert words.startswith("The sum is 48, the answer 8, and the trace ends here: teacher says the end (90.0%)")
    assert running_sums("49633779=")[-1] == "8"


def test_another_question_is_answered_and_what_is_none_gets_a_sentence():
    explorer = GALLERY["working"]()
    figure, words = at(explorer, question="00000001", written=0)
    assert figure.axes[0].get_title() == "00000001=" and words.startswith(
        "0 = 0, so a trace goes on with 0: teacher says the end"
    )
    for wrong in ("1234567", "123456789", "1234567a", "", "١٢٣٤٥٦٧٨"):
        figure, words = at(explorer, question=wrong)
        assert words == f"{wrong!r} is no question: type 8 digits, such as 49633779."
        assert not figure.axes[1].patches and not figure.axes[0].texts
    at(explorer, question="49633779")
    assert len(figure.axes[1].patches) == 3


def test_a_question_is_asked_once_while_the_other_slider_moves():
    asked = []

    def model(question):
        asked.append(question)
        return ADDERS["teacher"](question)

    explorer = page.writing_explorer({"teacher": model}, "49633779")
    at(explorer, written=5)
    assert asked == ["49633779="]


def test_none_or_four_models_are_refused():
    for models in ({}, dict.fromkeys("abcd", ADDERS["teacher"])):
        with pytest.raises(ValueError, match=f"one, two or three models, not {len(models)}"):
            page.writing_explorer(models, "49633779")


@pytest.mark.parametrize("count", [200, 1000])
def test_every_start_is_a_point_and_a_number(count):
    figure, words = at(GALLERY["starts"](), count=count)
    (axes,) = figure.axes
    points = lines(axes, "D")
    for place, (line, (number, shares)) in enumerate(zip(points, STARTS.items(), strict=True)):
        assert line.y.tolist() == shares and np.abs(line.x - place).max() < 0.2 and len(set(line.x)) == 3
        assert line.colour == (picture.DISTILLED if number == count else picture.NEUTRAL).lower()
    (chance,) = [line for line in lines(axes) if line.style == "--"]
    assert set(chance.y) == {0.1} and ticks(axes) == ["200", "1,000"] and axes.get_ylabel() == "answers right"
    assert numbers(words.replace(",", "", 1) if count == 1000 else words) == [count, *STARTS[count], 0.1]


def wrong(question, trace):
    return [i for i, (a, b) in enumerate(zip(running_sums(question), trace, strict=True)) if a != b]


def first(question, trace):
    return min(wrong(question, trace), default=-1)


def pairs(keep, show=lambda t, a: t):
    return lambda traces, answers: [show(t, a) for t, a in zip(traces, answers, strict=True) if keep(t, a)]


test_exercises = answers(
    page,
    trace_by_hand=(
        302,
        [
            (2, "write the way"),
            (12, "that is the sum"),
            (31012, "only its last digit"),
            (372, "the question"),
            (292, "from the left"),
            (5, "3 + 7"),
        ],
    ),
    keep_right=(
        pairs(str.endswith),
        [
            (pairs(lambda t, a: True, str.endswith), "not True or False"),
            (pairs(lambda t, a: not t.endswith(a)), "those are the wrong ones"),
            (pairs(lambda t, a: a in t), "not anywhere"),
            (pairs(lambda t, a: True, lambda t, a: t[:-1] + a), "do not mend"),
            (pairs(str.endswith, lambda t, a: a), "those are the answers"),
            (lambda traces, answers: traces, "last symbol"),
        ],
    ),
    first_mistake=(
        first,
        [
            (lambda question, trace: first(question, trace) + 1, "from 0"),
            (lambda question, trace: max(first(question, trace), 0), "give -1"),
            (lambda question, trace: int(first(question, trace) >= 0), "not whether"),
            (lambda question, trace: len(wrong(question, trace)), "how many"),
            (lambda question, trace: max(wrong(question, trace), default=-1), "last wrong digit"),
            (lambda question, trace: 99, "running_sums"),
        ],
    ),
)
