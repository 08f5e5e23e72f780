"""Page "Why do models hand down their working?": sums written symbol by symbol, starts as points, its exercises."""

from functools import lru_cache

import ipywidgets
import numpy as np

from distill_edu.data import running_sums
from distill_edu.pages.shared.exercise import check_answer, check_function
from distill_edu.pages.shared.explorer import Explorer, require_up_to_three, slider, stop_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    HARD,
    NEUTRAL,
    TEACHER,
    class_axis,
    empty_axes,
    grouped_bars,
    percent,
)

DIGITS = 8
COLOURS = (TEACHER, DISTILLED, HARD)
QUESTIONS = ("49633779", "12345678", "10203040", "99999999", "50505050", "27182818")  # others may be typed


def writing_explorer(models, question, written=0):
    """Type eight digits and see how each model goes on, symbol by symbol.

    `models`: name -> function from a question, such as "49633779=", to (what the model writes, probabilities
    [symbols written + 1, 11] of ten digits and the end). One to three: teacher, student of traces, student of answers.
    """
    require_up_to_three(models)

    @lru_cache(maxsize=1)  # while the other slider moves, the models need not write again
    def said(question):
        return {name: model(f"{question}=") for name, model in models.items()}

    def draw(figure, question, written):
        if len(question) != DIGITS or not (question.isascii() and question.isdigit()):
            empty_axes(figure, *AXES)
            return f"{question!r} is no question: type {DIGITS} digits, such as 49633779."
        return draw_writing(figure, said(question), question, written)

    digits = slider(ipywidgets.Combobox, "Digits to add (eight)", value=question, options=QUESTIONS)
    steps = slider(ipywidgets.IntSlider, "Symbols written (number)", value=written, max=DIGITS)
    return Explorer(draw, {"question": digits, "written": steps})


AXES = (0.02, 0.2, 0.33, 0.68), (0.46, 0.2, 0.52, 0.68)


def draw_writing(figure, said, question, written):
    """What each model has written so far, and its probabilities of the next symbol; in words, too."""
    texts, axes = empty_axes(figure, *AXES)
    texts.set(xlim=(0, 1), ylim=(len(said) + 0.5, -0.5), title=f"{question}=", xticks=[], yticks=[])
    groups, words = {}, []
    for row, ((name, (text, p)), colour) in enumerate(zip(said.items(), COLOURS, strict=False)):
        texts.text(0.02, row, f"{name}:", color=colour, va="bottom", fontsize=8)
        texts.text(0.02, row + 0.05, text[:written] or "...", color=colour, va="top", family="monospace", fontsize=12)
        going_on = written <= len(text)
        groups[name] = (p[written] if going_on else np.full(11, np.nan), colour)
        words.append(f"{name} {_next_in_words(p[written])}" if going_on else f"{name} has ended with {text[-1:]}")
    grouped_bars(axes, groups)
    class_axis(axes, [*"0123456789", "end"])
    axes.set(xlim=(-0.6, 10.6), ylim=(0, 1.05), ylabel="probability", title="the next symbol")
    return f"{_sum_in_words(question, written)} {'; '.join(words)}."


def _next_in_words(p):
    """The most probable symbol and its probability; `p`: of ten digits and the end."""
    return f"says {'the end' if p.argmax() == 10 else p.argmax()} ({percent(p.max())})"


def _sum_in_words(question, written):
    if written == DIGITS:
        return (
            f"The sum is {sum(map(int, question))}, the answer {running_sums(question)[-1]}, and the trace ends here:"
        )
    so_far = question[: written + 1]
    return f"{' + '.join(so_far)} = {sum(map(int, so_far))}, so a trace goes on with {running_sums(so_far)[-1]}:"


def starts_explorer(shares, chance, what, value):
    """Slide the number of examples: what became of each start, as points and not as a mean.

    `shares`: number of examples -> share of right answers, one for each start. `what` there are so many of.
    """
    stops = tuple(shares)
    control = stop_slider(f"{what.capitalize()} (number)", "count", stops, value)
    return Explorer(lambda figure, count: draw_starts(figure, shares, chance, what, count), {"count": control})


def draw_starts(figure, shares, chance, what, count):
    """A point for every start over the number of examples; those of `count` in the colour of distilled students."""
    (axes,) = empty_axes(figure, (0.1, 0.2, 0.86, 0.7))
    for place, (number, points) in enumerate(shares.items()):
        beside = place + np.linspace(-0.15, 0.15, len(points))
        axes.plot(beside, points, "D", color=DISTILLED if number == count else NEUTRAL, markersize=6)
    axes.axhline(chance, color="black", linewidth=0.8, linestyle="--")
    axes.text(-0.35, chance + 0.02, "a guess", fontsize=8)
    axes.set_xticks(range(len(shares)), [f"{number:,}" for number in shares])
    axes.set(xlim=(-0.4, len(shares) - 0.6), ylim=(0, 1.04), xlabel=what, ylabel="answers right")
    listed = ", ".join(f"{share:.3f}" for share in shares[count])
    return f"{count:,} {what}: right on {listed} of the questions, one number for each start. A guess: {chance:g}."


def check_trace_by_hand(answer):
    """The trace of 372=: 3, 3 + 7 = 10, 3 + 7 + 2 = 12."""
    mistakes = [
        (2, "that is the answer: write the way to it, one digit for each digit of the question."),
        (12, "that is the sum: of each sum so far, write the last digit."),
        (31012, "of each sum so far, write only its last digit."),
        (372, "that is the question: add the digits up from the left."),
        (292, "start from the left: the first digit of the trace is the first digit of the question."),
    ]
    return check_answer(answer, 302, mistakes, "the sums so far are 3, then 3 + 7, then 3 + 7 + 2.")


def check_keep_right(function):
    """function(traces, answers) -> the traces that end in their answer."""

    def chosen(keep, shown=lambda trace, answer: trace):
        return lambda traces, answers: [shown(*pair) for pair in zip(traces, answers, strict=True) if keep(*pair)]

    def ends(trace, answer):
        return trace[-1:] == answer

    def always(trace, answer):
        return True

    mistakes = [
        (chosen(always, ends), "give the traces themselves, not True or False."),
        (chosen(lambda trace, answer: not ends(trace, answer)), "those are the wrong ones: keep the others."),
        (chosen(lambda trace, answer: answer in trace), "the answer must stand at the end, not anywhere."),
        (chosen(always, lambda trace, answer: trace[:-1] + answer), "leave the wrong ones out: do not mend them."),
        (chosen(ends, lambda trace, answer: answer), "those are the answers: give the traces."),
    ]
    inputs = [(["302", "353", "20", "02", "55"], ["2", "5", "2", "2", "5"]), (["11", "", "131"], ["1", "4", "3"])]
    otherwise = "compare the last symbol of each trace with its answer."
    return check_function(function, chosen(ends), inputs, mistakes, otherwise)


def check_first_mistake(function):
    """function(question, trace) -> the place of the first digit that is wrong; -1 where none is."""

    def wrong(question, trace):
        pairs = zip(running_sums(question), trace, strict=True)
        return [place for place, (right, written) in enumerate(pairs) if right != written]

    def first(question, trace):
        return min(wrong(question, trace), default=-1)

    mistakes = [
        (lambda question, trace: first(question, trace) + 1, "count the places from 0, as Python does."),
        (lambda question, trace: max(first(question, trace), 0), "give -1 where every digit is right."),
        (lambda question, trace: int(first(question, trace) >= 0), "give the place, not whether there is one."),
        (
            lambda question, trace: len(wrong(question, trace)),
            "that is how many are wrong: give the place of the first.",
        ),
        (
            lambda question, trace: max(wrong(question, trace), default=-1),
            "that is the last wrong digit: find the first.",
        ),
    ]
    inputs = [("4936=", "4362"), ("4936=", "4472"), ("4936=", "5362"), ("12345=", "13611"), ("507=", "552")]
    return check_function(function, first, inputs, mistakes, "compare the trace with running_sums(question).")
