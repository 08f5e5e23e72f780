"""What pages say and draw of written texts: two judges of names, the rule of a draft, a replaced digit."""

import numpy as np

from distill_edu.metrics import paired_gain
from distill_edu.pages.shared.picture import DISTILLED, HARD, INK, NEUTRAL, TEACHER, Picture, plain


def means_in_words(runs, measures=None):
    """Return the mean of each measure, or of some, over several runs in words.

    >>> means_in_words([{"surprise": 2.5, "new names": 1.0}, {"surprise": 2.0, "new names": 0.99}])
    'surprise 2.250, new names 0.995'
    """
    means = {measure: np.mean([run[measure] for run in runs]) for measure in measures or runs[0]}
    return ", ".join(f"{measure} {mean:.3f}" for measure, mean in means.items())


def gain(measure, texts, rivals):
    """How much better texts are than their rivals by a measure, pair by pair: a `Gain`; of surprise, low is better.

    >>> gain("surprise", [{"surprise": 2.0}, {"surprise": 2.5}], [{"surprise": 2.5}, {"surprise": 2.75}]).mean
    0.375
    """
    sign = -1 if measure == "surprise" else 1
    return paired_gain(*([sign * text[measure] for text in runs] for runs in (texts, rivals)))


def draw_judges(texts):
    """Draw what both judges say of the texts of each writer. `texts`: writer -> what `judge` says of each student."""
    figure, rows = Picture(7, 2.5), range(len(texts))
    judges = {
        "surprise": "surprise (nats per letter; line: mean)\nlow is good",
        "known triples": "known triples (share; line: mean)\nhigh is good",
    }
    for left, (measure, label) in zip((0.15, 0.59), judges.items(), strict=True):
        axes = figure.add_axes((left, 0.34, 0.38, 0.6))
        for row, (writer, found) in enumerate(texts.items()):
            values = [text[measure] for text in found]
            colour = DISTILLED if writer == "soft" else HARD
            axes.plot(values, np.full(len(values), row), "o", color=colour, alpha=0.6)
            axes.plot(np.mean(values), row, "|", color=INK, markersize=18)
        axes.set_yticks(rows, map(plain, texts) if measure == "surprise" else [""] * len(texts))
        axes.set(xlabel=label, ylim=(len(texts) - 0.5, -0.5))
    return figure


def draw_rule(p, q, kept, drawn):
    """Draw how often each of the letters a, b, c is kept (green) and newly drawn (blue), beside its p and its q."""
    figure, places = Picture(6, 2.8), np.arange(len(p))
    axes = figure.add_axes((0.12, 0.18, 0.5, 0.76))
    green = axes.bar(places, kept, 0.5, color=DISTILLED, label="drafted and kept")
    blue = axes.bar(places, drawn, 0.5, kept, color=TEACHER, label="newly drawn")
    for bars, shares in ((green, kept), (blue, drawn)):
        numbers = [f"{share:.2f}" if share > 0 else "" for share in shares]
        axes.bar_label(bars, numbers, label_type="center", color="white", fontsize=9)
    axes.bar(places, q, 0.8, fill=False, edgecolor=NEUTRAL, linestyle="--", label="q: the draft's")
    axes.hlines(p, places - 0.4, places + 0.4, color="black", linewidth=2, label="p: the teacher's")
    axes.set_xticks(places, "abc"[: len(p)])
    axes.set(xlabel="letter", ylabel="share of all drafts", ylim=(0, 1.15 * max(*p, *q)))
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def draw_replaced(question, right, text, place):
    """Draw a question, its right trace, and a student's trace that goes on behind a digit replaced at `place`.

    Orange: a wrong digit.
    """
    figure = Picture(6, 2.1)
    axes = figure.add_axes((0.02, 0.04, 0.96, 0.92))
    axes.set(xlim=(-4.5, len(right) + 0.5), ylim=(3.4, -0.6))
    axes.set_axis_off()
    axes.plot([place + 0.5] * 2, [1.5, 3.3], color=NEUTRAL, linestyle="--", linewidth=1)
    axes.text(place + 0.35, 3.0, "given to the student", ha="right", va="center", fontsize=8)
    axes.text(place + 0.65, 3.0, "written by the student", ha="left", va="center", fontsize=8)
    names = ("question", "right trace", "student's trace")
    for row, (name, digits) in enumerate(zip(names, (question, right, text), strict=True)):
        axes.text(-4.4, row, name, va="center")
        for column, digit in enumerate(digits[: len(right)]):
            colour = HARD if row == 2 and digit != right[column] else INK
            look = {"ha": "center", "va": "center", "family": "monospace", "fontsize": 15}
            box = {"edgecolor": HARD, "facecolor": "none"} if (row, column) == (2, place) else None
            axes.text(column, row, digit, color=colour, bbox=box, **look)
    return figure
