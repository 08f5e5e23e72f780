"""Page "Does it work on text?": what models answer to a word, and its exercises."""

from functools import lru_cache

import ipywidgets

from distill_edu._inside.check_values import require_logits
from distill_edu.pages.shared.exercise import check_answer, check_function
from distill_edu.pages.shared.explorer import Explorer, require_names, require_up_to_three, slider, temperature_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    HARD,
    TEACHER,
    class_axis,
    empty_axes,
    grouped_bars,
    legend,
    percent,
)
from distill_edu.probabilities import soft_targets

# Suggestions: any other word may be typed.
WORDS = (
    "Frankreich",
    "Suomen kieli",
    "Angola",
    "franco suizo",
    "Deutschland",
    "Allemagne",
    "Saksa",
    "Magyarország",
    "Xyzzy",
)


def word_explorer(models, class_names, word, temperature=1):
    """Type a word and see what each model answers; slide T over the answers.

    `models`: name -> function from [word] to logits [1, classes]; one to three of them. The first has the teacher's
    colour, the others those of a hard-label and of a distilled student.
    """
    require_up_to_three(models)
    colours = dict(zip(models, (TEACHER, HARD, DISTILLED), strict=False))

    @lru_cache(maxsize=1)  # while T slides, the models need not answer again
    def answers(word):
        logits = {name: require_logits(model([word]), what=f"logits of {name}") for name, model in models.items()}
        for values in logits.values():
            require_names(values, class_names)
        return {name: (values[0], colours[name]) for name, values in logits.items()}

    def draw(figure, word, temperature):
        return draw_answers(figure, answers(word), class_names, word, temperature)

    text = slider(ipywidgets.Combobox, "Word", value=word, options=WORDS)
    return Explorer(draw, {"word": text, "temperature": temperature_slider(temperature)})


def draw_answers(figure, answers, class_names, word, temperature):
    """What several models answer to one word, side by side. `answers`: name -> (logits [classes], colour)."""
    (axes,) = empty_axes(figure, (0.1, 0.34, 0.88, 0.55))
    targets = {name: (soft_targets(logits, temperature), colour) for name, (logits, colour) in answers.items()}
    grouped_bars(axes, targets)
    class_axis(axes, class_names)
    axes.set(ylim=(0, 1), ylabel="probability", title=f"{word!r} at T = {temperature:g}")
    axes.title.set_parse_math(False)  # a $ in a word is a $
    legend(axes, loc="upper right")
    said = [f"{name} {class_names[p.argmax()]} {percent(p.max())}" for name, (p, _) in targets.items()]
    return f"{word!r} at T = {temperature:g}: {'; '.join(said)}."


def check_pairs_by_hand(answer):
    """Pairs of neighbours in " oslo "."""
    mistakes = [
        (4, "that is the number of letters: count the pairs."),
        (3, "the spaces count, too: one pair at each end."),
        (6, "that is the number of characters with the spaces: n characters have n - 1 pairs of neighbours."),
        (15, "only neighbours count, not any two letters."),
    ]
    return check_answer(answer, 5, mistakes, "write the word with its two spaces and count the places between.")


def check_bigrams(function):
    """function(word) -> list of pairs of neighbours, in lower case, with spaces at both ends."""

    def pairs(text):
        return [text[i : i + 2] for i in range(len(text) - 1)]

    mistakes = [
        (lambda word: pairs(word.lower()), "the spaces at both ends are missing."),
        (lambda word: pairs(f" {word} "), "use lower case."),
        (lambda word: pairs(f" {word.lower()}"), "the last pair is missing: the letter and the space after it."),
        (lambda word: pairs(f"{word.lower()} "), "the first pair is missing: the space and the letter after it."),
        (lambda word: pairs(f" {word.lower()} ")[::2], "the pairs overlap: go on by one letter each time."),
        (lambda word: list(f" {word.lower()} "), "those are single letters: take two at a time."),
    ]
    right = lambda word: pairs(f" {word.lower()} ")  # noqa: E731
    otherwise = 'the first pair of "Oslo" is " o".'
    return check_function(function, right, [("Oslo",), ("Roma",)], mistakes, otherwise)


def check_best_possible(function):
    """function(words, labels) -> the highest accuracy of a model that gives one answer per distinct word."""

    def labels_of(words, labels):
        return [[label for word, label in zip(words, labels, strict=True) if word == one] for one in set(words)]

    def hits(words, labels):
        return sum(max(map(its.count, its)) for its in labels_of(words, labels))

    mistakes = [
        (
            lambda words, labels: len(set(words)) / len(words),
            "that counts distinct words: a word that stands twice with one label is right twice.",
        ),
        (
            lambda words, labels: 1.0,
            "the same word stands under several labels, and a model gives it one answer.",
        ),
        (
            lambda words, labels: sum(len(its) for its in labels_of(words, labels) if len(set(its)) == 1) / len(words),
            "you counted only words without any doubt: the others are right for their most frequent label.",
        ),
        (hits, "divide by the number of words."),
        (
            lambda words, labels: max(labels.count(label) for label in labels) / len(labels),
            "that is the share of the most frequent label: count it for each word.",
        ),
    ]
    inputs = [
        (["a", "b", "a", "c", "a", "b", "a", "d"], [0, 1, 0, 2, 1, 2, 2, 0]),
        (["x", "y", "x", "x", "y"], [1, 1, 1, 0, 0]),
    ]
    right = lambda words, labels: hits(words, labels) / len(words)  # noqa: E731
    return check_function(function, right, inputs, mistakes, "add the count of each word's most frequent label.")
