"""Page "Why do models hand down their working?": sums symbol by symbol, a point for each start."""

import numpy as np
import pytest
from drawn import at, bars, lines, numbers, ticks
from gallery import ADDERS, GALLERY, STARTS
from matplotlib.colors import to_hex

from distill_edu.pages import working as page
from distill_edu.pages.shared import picture

COLOURS = [colour.lower() for colour in (picture.TEACHER, picture.DISTILLED, picture.HARD)]


@pytest.mark.parametrize("written", [0, 1, 3, 8])
def test_each_models_next_symbol_and_what_it_has_written(written):
    figure, _ = at(GALLERY["working"](), written=written)
    texts, axes = figure.axes
    assert texts.get_title() == "49633779=" and axes.get_title() == "the next symbol"
    answers = {name: model("49633779=") for name, model in ADDERS.items()}
    wanted = [[f"{name}:", text[:written] or "..."] for name, (text, _) in answers.items()]
    assert [text.get_text() for text in texts.texts] == sum(wanted, [])
    assert [to_hex(text.get_color()) for text in texts.texts[::2]] == COLOURS
    assert [(label, colour) for label, _, colour in bars(axes)] == list(zip(ADDERS, COLOURS, strict=True))
    for (_, heights, _), (text, p) in zip(bars(axes), answers.values(), strict=True):
        assert np.allclose(heights, p[written] if written <= len(text) else np.nan, equal_nan=True)
    assert ticks(axes) == [*"0123456789", "end"] and axes.get_ylabel() == "probability"


@pytest.mark.parametrize(
    "written, begins, ends",
    [
        (1, "4 + 9 = 13, so a trace goes on with 3: teacher says 3 (90.0%); ", "answers says the end (30.0%)."),
        (2, "4 + 9 + 6 = 19, so a trace goes on with 9: teacher says 2 (90.0%); ", "answers has ended with 8."),
        (8, "The sum is 48, the answer 8, and the trace ends here: teacher says the end (90.0%); ", "ended with 8."),
    ],
)
def test_the_caption_has_the_sum_so_far_and_the_answer_of_each_model(written, begins, ends):
    _, words = at(GALLERY["working"](), written=written)
    assert words.startswith(begins) and words.endswith(ends)
    assert f"; traces says {'the end' if written == 8 else '43258527'[written]} (60.0%); " in words


def test_another_question_is_answered_and_what_is_none_gets_a_sentence():
    explorer = GALLERY["working"]()
    figure, words = at(explorer, question="00000001", written=0)
    assert figure.axes[0].get_title() == "00000001="
    assert words.startswith("0 = 0, so a trace goes on with 0: teacher says the end")
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


@pytest.mark.parametrize("count, said", [(200, "200"), (1000, "1,000")])
def test_every_start_is_a_point_and_a_number(count, said):
    figure, words = at(GALLERY["starts"](), count=count)
    (axes,) = figure.axes
    for place, (line, (number, shares)) in enumerate(zip(lines(axes, "D"), STARTS.items(), strict=True)):
        assert line.y.tolist() == shares and np.abs(line.x - place).max() < 0.2 and len(set(line.x)) == 3
        assert line.colour == (picture.DISTILLED if number == count else picture.NEUTRAL).lower()
    (chance,) = [line for line in lines(axes) if line.style == "--"]
    assert set(chance.y) == {0.1} and ticks(axes) == ["200", "1,000"] and axes.get_ylabel() == "answers right"
    assert words.startswith(f"{said} traces: right on ")
    assert numbers(words.removeprefix(said)) == [*STARTS[count], 0.1]
