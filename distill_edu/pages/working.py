"""Page "Why do models hand down their working?": sums written symbol by symbol, and the exercises."""

from dataclasses import replace
from functools import lru_cache

import ipywidgets
import numpy as np

from distill_edu._inside.backend import keras
from distill_edu.data import END, PADDING, Vocabulary, as_next_letter, running_sums
from distill_edu.language import sample
from distill_edu.models import letter_transformer
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, require_up_to_three, slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    HARD,
    NEUTRAL,
    TEACHER,
    Picture,
    class_bars,
    empty_axes,
    percent,
)
from distill_edu.probabilities import soft_targets

DIGITS = 8
PROMPT, LENGTH = 9, 18  # eight digits and "="; with eight symbols of an answer, and its end
VOCABULARY = Vocabulary("0123456789.=")
COLOURS = (TEACHER, DISTILLED, HARD)
QUESTIONS = ("49633779", "12345678", "10203040", "99999999", "50505050", "27182818")  # suggestions


def lesson(questions, texts):
    """Questions such as "49633779=" and what stands behind them, as (x, labels): integers [n, 17].

    >>> [x.shape for x in lesson(["49633779="], ["8"])]
    [(1, 17), (1, 17)]
    """
    whole = [question + text for question, text in zip(questions, texts, strict=True)]
    return as_next_letter(VOCABULARY.encode(whole, LENGTH), prompt=PROMPT)[:2]


def exam(data, count=400):
    """The data set "sums" for `compare`: the first `count` questions of validation and test, judged by the answer.

    x are symbols, [n, 17]; labels are the answers at place 0, see `Writes`, and -1 elsewhere.
    """
    parts = {}
    for part in ("valid", "test"):
        questions, answers = (values[:count] for values in getattr(data, part))
        labels = np.full((count, LENGTH - 1), -1)
        labels[:, :1] = VOCABULARY.encode(answers.astype(str), 1, end=False)
        parts[part] = VOCABULARY.encode(questions, LENGTH - 1, end=False), labels
    traces = [running_sums(question) for question in data.train[0]]
    return replace(data, train=lesson(data.train[0], traces), **parts)


def network(data, width=32):
    """A small Transformer that says the next symbol of a sum. `data` is not needed."""
    return letter_transformer(VOCABULARY, LENGTH - 1, width)


def student(data, width=32):
    """The same, for `compare`: when it is tested, it writes by itself."""
    entry = keras.Input((LENGTH - 1,), dtype="int32")
    return keras.Model(entry, Writes(width)(entry))


@keras.saving.register_keras_serializable(package="distill_edu")
class Writes(keras.layers.Layer):
    """A network that learns as usual, and in a test writes what follows the "=", the most probable symbol each time.

    integers [n, 17] -> logits [n, 17, symbols]. In a test their largest values are what it writes, from place 8 on (at
    place i stands symbol i + 1), and at place 0 the last symbol before the end: its answer.
    """

    def __init__(self, width, **keras_arguments):
        super().__init__(**keras_arguments)
        self.width, self.network = width, network(None, width)

    def call(self, x, training=False):
        if training:
            return self.network(x, training=True)
        ops, symbols = keras.ops, len(VOCABULARY)
        rows, never = ops.cast(x, "int32"), 1e9 * ops.one_hot(PADDING, symbols)  # padding is never written
        rows = ops.concatenate([rows[:, :PROMPT], ops.zeros_like(rows)[:, PROMPT - 1 :]], axis=1)  # (n, 18)
        for place in range(PROMPT, LENGTH):
            logits = self.network(rows[:, :-1])[:, place - 1] - never
            ended = ops.any(rows == END, axis=1)
            written = ops.where(ended, PADDING, ops.cast(ops.argmax(logits, axis=-1), "int32"))
            rows = ops.where(ops.arange(LENGTH) == place, written[:, None], rows)
        counts = ops.cast((rows != END) & (rows != PADDING), "int32")
        last = ops.take_along_axis(rows, ops.sum(counts, axis=1, keepdims=True) - 1, axis=1)
        said = ops.concatenate([last, ops.zeros_like(rows[:, 2:PROMPT]), rows[:, PROMPT:]], axis=1)
        return 9.0 * ops.one_hot(said, symbols)

    def compute_output_shape(self, shape):
        return (*shape, len(VOCABULARY))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def write(model, questions, temperature, seed=0):
    """What a network writes behind each question, drawn at this temperature; at 0 the most probable symbols: texts."""
    prompts = VOCABULARY.encode(questions, PROMPT, end=False)
    rows = sample(model, prompts, LENGTH, temperature, seed)
    return np.array([text[PROMPT:] for text in VOCABULARY.decode(rows)])


def network_of(model):
    """The network in a student that `compare` shows; a network itself stays what it is."""
    return getattr(model.layers[-1], "network", model)


def writes(model):
    """A network, or a student, as a function for `writing_explorer`."""
    model = network_of(model)

    def answer(question):
        (text,) = write(model, [question], temperature=0)
        rows = VOCABULARY.encode([question + text], LENGTH - 1)
        p = soft_targets(np.asarray(model(rows))[0, PROMPT - 1 :])
        return text, p[: len(text) + 1, [*range(3, 13), END]]

    return answer


def right(texts, answers):
    """Is the last symbol the answer? Booleans in the shape of `texts`; `answers`: one text for each question."""
    return np.vectorize(lambda text, answer: text[-1:] == answer, otypes=[bool])(texts, answers)


def share_right(model, questions, answers):
    """How often the last symbol that a network, or a student, writes is the answer: a share of the questions."""
    return right(write(network_of(model), questions, temperature=0), answers).mean()


def confidence(model, questions):
    """The probability of the most probable next symbol right behind "=", for each question."""
    logits = np.asarray(network_of(model)(VOCABULARY.encode(questions, LENGTH - 1, end=False)))[:, PROMPT - 1]
    return soft_targets(logits).max(axis=1)


def next_symbols(model, texts):
    """The most probable symbol behind each text; all texts have the same length."""
    rows = VOCABULARY.encode(texts, LENGTH - 1, end=False)
    logits = np.array(network_of(model)(rows))[:, len(texts[0]) - 1]
    logits[:, PADDING] = -np.inf  # padding is never written
    return np.array(VOCABULARY.decode(logits.argmax(axis=1)[:, None]))


def go_on(model, questions, texts):
    """What stands behind each question when a model goes on from a text: its most probable symbols, up to eight.

    All texts have the same length.
    """
    prompts = [question + text for question, text in zip(questions, texts, strict=True)]
    for _ in range(DIGITS - len(texts[0])):
        prompts = [prompt + symbol for prompt, symbol in zip(prompts, next_symbols(model, prompts), strict=True)]
    return [prompt[PROMPT:] for prompt in prompts]


def plus_five(digits):
    """Each digit plus five, without the tens: 0478 -> 5923."""
    return "".join(str((int(digit) + 5) % 10) for digit in digits)


def draw_lessons(experiment):
    """Draw the share of right answers of every student, in a row for each lesson; lessons of traces come last.

    The circles of a lesson lie a little above each other, so each can be seen.
    """
    lessons = sorted(experiment.right, key=lambda lesson: "traces" in lesson and len(lesson))
    height = 0.8 + 0.35 * len(lessons)
    figure = Picture(6.5, height)
    axes = figure.add_axes((0.24, 0.6 / height, 0.72, 1 - 0.75 / height))
    for row, lesson in enumerate(lessons):
        shares = np.mean(experiment.right[lesson], axis=1)
        colour = DISTILLED if "traces" in lesson else HARD
        axes.plot(shares, row + np.linspace(-0.18, 0.18, len(shares)), "o", color=colour, markersize=5, alpha=0.7)
    axes.axvline(0.1, color=NEUTRAL, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(lessons)), lessons)
    axes.set(xlim=(-0.03, 1.03), ylim=(len(lessons) - 0.5, -0.5))
    axes.set_xlabel("share of right answers to new questions (dashed: a guess, 0.1)", loc="right")
    return figure


def writing_explorer(models, question, written=0):
    """Type eight digits and see what each model writes, symbol by symbol.

    `models`: name -> function from a question, such as "49633779=", to (text that the model writes, probabilities
    [symbols written + 1, 11] of ten digits and the end). One to three models: teacher, student of traces, student of
    answers.
    """
    require_up_to_three(models)

    @lru_cache(maxsize=1)  # the models do not write again while the other slider moves
    def answers(question):
        return {name: model(f"{question}=") for name, model in models.items()}

    def draw(figure, question, written):
        texts, axes = empty_axes(figure, (0.02, 0.2, 0.33, 0.68), (0.46, 0.2, 0.52, 0.68))
        if len(question) != DIGITS or not (question.isascii() and question.isdigit()):
            return f"{question!r} is no question: type {DIGITS} digits, such as 49633779."
        texts.set_title(f"{question}= (answer {running_sums(question)[-1]})")
        texts.set(xlim=(0, 1), ylim=(len(models) + 0.5, -0.5), xticks=[], yticks=[], xlabel="written so far")
        groups, sentences = {}, []
        for row, ((name, (text, p)), colour) in enumerate(zip(answers(question).items(), COLOURS, strict=False)):
            so_far = text[:written] or "(nothing yet)"
            heading = f"{name}:" if written <= len(text) else f"{name} (ended):"
            texts.text(0.02, row, heading, color=colour, va="bottom", fontsize=8)
            texts.text(0.02, row + 0.05, so_far, color=colour, va="top", family="monospace", fontsize=12)
            if written <= len(text):
                groups[name] = (p[written], colour)
                likeliest = "the end" if p[written].argmax() == 10 else p[written].argmax()
                sentences.append(f"{name} says {likeliest} ({percent(p[written].max())})")
            else:
                groups[name] = (np.full(11, np.nan), colour)
                sentences.append(f"{name} has ended with {text[-1:]}")
        class_bars(axes, groups, [*"0123456789", "end"], ylim=(0, 1.05), ylabel="probability", title="the next symbol")
        axes.set(xlim=(-0.6, 10.6), xlabel="symbol (colours as on the left)")
        return f"{_sum_in_words(question, written)} {'; '.join(sentences)}."

    digits = slider(ipywidgets.Combobox, "Digits to add (eight)", value=question, options=QUESTIONS)
    steps = slider(ipywidgets.IntSlider, "Symbols written (number)", value=written, max=DIGITS)
    return Explorer(draw, {"question": digits, "written": steps})


def _sum_in_words(question, written):
    so_far = question[: written + 1]
    total, last = sum(map(int, so_far)), running_sums(so_far)[-1]
    if written == DIGITS:
        return f"The sum is {total}, the answer {last}, and the trace ends here:"
    return f"{' + '.join(so_far)} = {total}, so a trace goes on with {last}:"


# The trace of 372=: 3, 3 + 7 = 10, 3 + 7 + 2 = 12.
check_trace_by_hand = Exercise(
    right=302,
    mistakes=[
        (2, "that is the answer: write the way to it, one digit for each digit of the question."),
        (12, "that is the sum: of each sum so far, write the last digit."),
        (31012, "of each sum so far, write only its last digit."),
        (372, "that is the question: add the digits up from the left."),
        (292, "start from the left: the first digit of the trace is the first digit of the question."),
    ],
    otherwise="the sums so far are 3, then 3 + 7, then 3 + 7 + 2.",
)


def _chosen(keep, result=lambda trace, answer: trace):
    """A function of traces and answers: the list of `result` of each pair that `keep` keeps."""
    return lambda traces, answers: [result(*pair) for pair in zip(traces, answers, strict=True) if keep(*pair)]


def _right(trace, answer):
    return trace[-1:] == answer


def _every(trace, answer):
    return True


# function(traces, answers) -> the traces that end in their answer
check_keep_right = Exercise(
    right=_chosen(_right),
    mistakes=[
        (_chosen(_every, _right), "give the traces themselves, not True or False."),
        (_chosen(lambda trace, answer: not _right(trace, answer)), "those are the wrong ones: keep the others."),
        (_chosen(lambda trace, answer: answer in trace), "the answer must stand at the end, not anywhere."),
        (_chosen(_every, lambda trace, answer: trace[:-1] + answer), "leave the wrong ones out: do not mend them."),
        (_chosen(_right, lambda trace, answer: answer), "those are the answers: give the traces."),
        (lambda *lists: list(dict.fromkeys(_chosen(_right)(*lists))), "keep a trace as often as it is right."),
    ],
    otherwise="compare the last symbol of each trace with its answer.",
    inputs=[
        (["302", "353", "20", "", "55"], ["2", "5", "2", "2", "5"]),
        (["11", "24", "131"], ["1", "3", "3"]),
        (["55", "55", "55"], ["5", "2", "5"]),
        (["7", "4"], ["7", "2"]),
    ],
)


def _wrong(question, trace):
    """The places of the digits that are wrong."""
    return [i for i, (right, digit) in enumerate(zip(running_sums(question), trace, strict=True)) if right != digit]


def _first_mistake(question, trace):
    return min(_wrong(question, trace), default=-1)


# function(question, trace) -> the place of the first digit that is wrong; -1 where none is
check_first_mistake = Exercise(
    right=_first_mistake,
    mistakes=[
        (lambda q, trace: _first_mistake(q, trace) + 1, "count the places from 0, as Python does."),
        (lambda q, trace: max(_first_mistake(q, trace), 0), "give -1 where every digit is right."),
        (lambda q, trace: int(_first_mistake(q, trace) >= 0), "give the place, not whether there is one."),
        (lambda q, trace: len(_wrong(q, trace)), "that is how many are wrong: give the place of the first."),
        (lambda q, trace: _first_mistake(q[:-2] + "=", trace[:-1]), "look at the last digit, too."),
        (lambda q, trace: max(_wrong(q, trace), default=-1), "that is the last wrong digit: find the first."),
    ],
    otherwise="compare the trace with running_sums(question).",
    inputs=[("4936=", trace) for trace in ("4362", "4472", "5362", "4363")]
    + [("12345=", "13611"), ("507=", "552"), ("507=", "5.2")],
)
