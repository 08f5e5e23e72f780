"""Page "Why do models hand down their working?": sums symbol by symbol, students that write by themselves in a test."""

import keras
import numpy as np
import pytest
from drawn import at, bars, lines, ticks
from gallery import ADDERS, GALLERY
from matplotlib.colors import to_hex

from distill_edu import load_dataset
from distill_edu.data import END
from distill_edu.evidence import Experiment
from distill_edu.pages import working as page
from distill_edu.pages.shared import picture, showing

COLOURS = [colour.lower() for colour in (picture.TEACHER, picture.DISTILLED, picture.HARD)]


@pytest.mark.parametrize("written", [0, 1, 3, 8])
def test_each_models_next_symbol_and_what_it_has_written(written):
    figure, _ = at(GALLERY["working"](), written=written)
    texts, axes = figure.axes
    assert texts.get_title() == "49633779= (answer 8)" and axes.get_title() == "the next symbol"
    answers = {name: model("49633779=") for name, model in ADDERS.items()}
    ended = {name: " (ended)" if written > len(text) else "" for name, (text, _) in answers.items()}
    wanted = [[f"{name}{ended[name]}:", text[:written] or "(nothing yet)"] for name, (text, _) in answers.items()]
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
    assert figure.axes[0].get_title() == "00000001= (answer 1)"
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


QUESTIONS = np.array(["49633779=", "12345678=", "77777777="])


def test_a_lesson_has_labels_behind_the_question_alone():
    x, labels = page.lesson(QUESTIONS[:1], ["8"])
    assert page.VOCABULARY.decode(x) == ["49633779=8"] and (labels[0, :8] == -1).all()
    assert labels[0, 8:10].tolist() == [3 + 8, END] and (labels[0, 10:] == -1).all()


@pytest.mark.parametrize("favourite", ["8", "=", END])
def test_a_student_in_a_test_writes_as_sample_does_and_its_answer_stands_first(favourite):
    keras.utils.set_random_seed(3)
    student = page.student(None, width=8)
    network, data = student.layers[-1].network, load_dataset("sums")
    *_, bias = network.get_layer("logits").weights
    symbol = favourite if favourite == END else page.VOCABULARY.numbers[favourite]
    bias.assign(5.0 * np.eye(len(page.VOCABULARY))[symbol] + 9.0 * np.eye(len(page.VOCABULARY))[0])  # no padding
    x, labels = page.exam(data, 20).test
    said = np.asarray(student(x, training=False)).argmax(axis=-1)
    written = page.VOCABULARY.decode(said[:, 8:])
    expected = page.write(network, data.test[0][:20], temperature=0)
    assert written == expected.tolist() and set(map(len, expected)) - {1}
    right = page.right(expected, data.test[1][:20].astype(str))
    assert ((said[:, 0] == labels[:, 0]) == right).all() and (labels[:, 1:] == -1).all()
    assert np.allclose(student(x, training=True), network(x))


def test_confidence_is_that_of_the_first_symbol_behind_the_question():
    student = page.student(None, width=8)
    _, p = page.writes(student)(QUESTIONS[0])
    assert page.confidence(student, QUESTIONS)[0] >= p[0].max() > 0  # p: of ten digits and the end
    assert p.shape[1] == 11


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_the_next_symbols_are_those_that_a_model_would_write(seed):
    keras.utils.set_random_seed(seed)
    network = page.network(None)
    questions = ["49633779=", "12345678="]
    written = page.write(network, questions, temperature=0)
    checked = 0
    for length in (0, 1, 3):
        prompts = [question + text[:length] for question, text in zip(questions, written, strict=True)]
        if all(len(text) > length for text in written):
            assert [*page.next_symbols(network, prompts)] == [text[length] for text in written]
            checked += 1
    assert checked


def test_a_model_goes_on_from_what_stands_there():
    keras.utils.set_random_seed(1)
    network, questions = page.network(None), ["49633779=", "12345678="]
    only_digits = np.isin(np.arange(network.output.shape[-1]), page.VOCABULARY.encode(["0123456789"], 10, end=False)[0])
    network.layers[-1].bias.assign(20.0 * only_digits)  # an untrained network might end
    texts = page.go_on(network, questions, ["439", "137"])
    assert [text[:3] for text in texts] == ["439", "137"]
    prompts = [question + text[:3] for question, text in zip(questions, texts, strict=True)]
    for place in range(3, 8):
        prompts = [one + symbol for one, symbol in zip(prompts, page.next_symbols(network, prompts), strict=True)]
        assert [text[: place + 1] for text in texts] == [prompt[9:] for prompt in prompts]


def test_the_share_of_right_answers_is_that_of_what_a_student_writes():
    keras.utils.set_random_seed(0)
    student = page.student(None, width=8)
    network = student.layers[-1].network
    *_, bias = network.get_layer("logits").weights
    bias.assign(9.0 * np.eye(len(page.VOCABULARY))[page.VOCABULARY.numbers["7"]])
    written = [text[-1:] for text in page.write(network, QUESTIONS, temperature=0)]
    for answers, share in ((written, 1), ([written[0], "x", "x"], 1 / 3), (["x"] * 3, 0)):
        assert page.share_right(student, QUESTIONS, answers) == pytest.approx(share)
        assert page.share_right(network, QUESTIONS, answers) == pytest.approx(share)


def test_what_differs_from_the_right_trace_is_orange():
    (axes,) = showing.draw_replaced("49633779=", "43925298", "43977298", place=3).axes
    shown = [(*text.get_position(), text.get_text(), to_hex(text.get_color())) for text in axes.texts]
    orange = [(column, row, digit) for column, row, digit, colour in shown if colour == picture.HARD.lower()]
    assert orange == [(3, 2, "7"), (4, 2, "7")]
    assert [digit for _, row, digit, _ in shown if row == 0] == ["question", *"49633779"]
    (boxed,) = [text for text in axes.texts if text.get_bbox_patch() is not None]
    assert boxed.get_position() == (3, 2)
    (border,) = lines(axes)  # between what was given and what was written
    assert set(border.x) == {3.5}
    sides = {text.get_text().split()[0]: text.get_position()[0] for text in axes.texts[:2]}
    assert sides["given"] < 3.5 < sides["written"]


def test_every_student_is_a_circle_in_the_row_of_its_lesson():
    right = {"1,000 traces": np.array([[1, 1], [1, 1]]), "9 traces": np.array([[1, 1], [0, 1]])}
    right |= {"steps": np.array([[0, 0], [0, 1]]), "dots": np.array([[0, 1], [0, 0]])}
    (axes,) = page.draw_lessons(Experiment("accuracy", right=right)).axes
    assert ticks(axes, "y") == ["steps", "dots", "9 traces", "1,000 traces"]
    *students, guess = lines(axes)
    assert [line.x.tolist() for line in students] == [[0.0, 0.5], [0.5, 0.0], [1.0, 0.5], [1.0, 1.0]]
    assert [line.colour for line in students] == [COLOURS[2]] * 2 + [COLOURS[1]] * 2
    for row, line in enumerate(students):
        assert len(set(line.y)) == 2 and (abs(line.y - row) < 0.3).all()  # no circle hides another
    assert guess.x[0] == 0.1
