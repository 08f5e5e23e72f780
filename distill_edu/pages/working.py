"""Page "Why do models hand down their working?": sums written symbol by symbol, a point for each start."""

from functools import lru_cache

import ipywidgets
import numpy as np

from distill_edu.data import running_sums
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, require_up_to_three, slider, stop_slider
from distill_edu.pages.shared.picture import DISTILLED, HARD, NEUTRAL, TEACHER, class_bars, empty_axes, percent

DIGITS = 8
COLOURS = (TEACHER, DISTILLED, HARD)
QUESTIONS = ("49633779", "12345678", "10203040", "99999999", "50505050", "27182818")  # suggestions


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
        texts.set(xlim=(0, 1), ylim=(len(models) + 0.5, -0.5), title=f"{question}=", xticks=[], yticks=[])
        groups, sentences = {}, []
        for row, ((name, (text, p)), colour) in enumerate(zip(answers(question).items(), COLOURS, strict=False)):
            so_far = text[:written] or "..."
            texts.text(0.02, row, f"{name}:", color=colour, va="bottom", fontsize=8)
            texts.text(0.02, row + 0.05, so_far, color=colour, va="top", family="monospace", fontsize=12)
            if written <= len(text):
                groups[name] = (p[written], colour)
                likeliest = "the end" if p[written].argmax() == 10 else p[written].argmax()
                sentences.append(f"{name} says {likeliest} ({percent(p[written].max())})")
            else:
                groups[name] = (np.full(11, np.nan), colour)
                sentences.append(f"{name} has ended with {text[-1:]}")
        class_bars(axes, groups, [*"0123456789", "end"], ylim=(0, 1.05), ylabel="probability", title="the next symbol")
        axes.set_xlim(-0.6, 10.6)
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


def starts_explorer(shares, chance, what, value):
    """Slide the number of examples: the share of right answers of each start, as points and not as a mean.

    `shares`: number of examples -> share of right answers of each start; `chance`: of a guess; `what`: the name of
    what is counted; `value`: the first stop.
    """

    def draw(figure, count):
        (axes,) = empty_axes(figure, (0.1, 0.2, 0.86, 0.7))
        for place, (number, points) in enumerate(shares.items()):
            x = place + np.linspace(-0.15, 0.15, len(points))
            axes.plot(x, points, "D", color=DISTILLED if number == count else NEUTRAL, markersize=6)
        axes.axhline(chance, color="black", linewidth=0.8, linestyle="--")
        axes.text(-0.35, chance + 0.02, "a guess", fontsize=8)
        axes.set_xticks(range(len(shares)), [f"{number:,}" for number in shares])
        axes.set(xlim=(-0.4, len(shares) - 0.6), ylim=(0, 1.04), xlabel=what, ylabel="answers right")
        listed = ", ".join(f"{share:.3f}" for share in shares[count])
        return f"{count:,} {what}: right on {listed} of the questions, one number for each start. A guess: {chance:g}."

    return Explorer(draw, {"count": stop_slider(f"{what.capitalize()} (number)", "count", tuple(shares), value)})


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
    ],
    otherwise="compare the last symbol of each trace with its answer.",
    inputs=[(["302", "353", "20", "02", "55"], ["2", "5", "2", "2", "5"]), (["11", "", "131"], ["1", "4", "3"])],
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
        (lambda q, trace: max(_wrong(q, trace), default=-1), "that is the last wrong digit: find the first."),
    ],
    otherwise="compare the trace with running_sums(question).",
    inputs=[("4936=", "4362"), ("4936=", "4472"), ("4936=", "5362"), ("12345=", "13611"), ("507=", "552")],
)
