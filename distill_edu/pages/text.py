"""Page "Does it work on text?": what models answer to a word, and the exercises."""

from collections import Counter, defaultdict
from dataclasses import replace
from functools import lru_cache

import ipywidgets
import numpy as np

from distill_edu.data import as_letters
from distill_edu.models import teacher_logits
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, read_logits, require_up_to_three, slider, temperature_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    HARD,
    NEUTRAL,
    TEACHER,
    Picture,
    class_bars,
    empty_axes,
    legend,
    percent,
    plain,
)
from distill_edu.probabilities import soft_targets

# Suggestions: the reader may type any other word.
WORDS = ("Indonèsia", "Angola", "Marshallöarna", "gammelhøytysk", "Deutschland")
WORDS += ("Saksa", "Suomen kieli", "Magyarország", "Xyzzy")


def word_explorer(models, class_names, word, temperature=1):
    """Type a word and see what each model answers; slide T over the answers.

    `models`: name -> model, or function, from letters [1, 24] to logits [1, classes], see as_letters; one to three
    models: teacher, student of hard labels, distilled student.
    """
    require_up_to_three(models)

    @lru_cache(maxsize=1)  # the models do not answer again while T slides
    def logits_of_models(word):
        answers = {name: model(as_letters([word])) for name, model in models.items()}
        return {name: read_logits(each, class_names, f"logits of {name}")[0] for name, each in answers.items()}

    def draw(figure, word, temperature):
        (axes,) = empty_axes(figure, (0.1, 0.34, 0.88, 0.55))
        groups, answers = {}, []
        for (name, logits), colour in zip(logits_of_models(word).items(), (TEACHER, HARD, DISTILLED), strict=False):
            p = soft_targets(logits, temperature)
            groups[name] = (p, colour)
            answers.append(f"{name} {class_names[p.argmax()]} {percent(p.max())}")
        title = f"{word!r} at T = {temperature:g}"
        class_bars(axes, groups, class_names, ylabel="probability", title=title)
        for name in axes.get_xticklabels():
            name.set_rotation_mode("anchor")  # a turned name ends below its own bars
        axes.title.set_parse_math(False)  # a $ in a word is a $
        legend(axes, loc="upper left")
        return f"{title}: {'; '.join(answers)}."

    text = slider(ipywidgets.Combobox, "Word", value=word, options=WORDS)
    return Explorer(draw, {"word": text, "temperature": temperature_slider(temperature)})


def with_few_labels(data, count):
    """The same data, of which only the first `count` training rows have labels: the others are the transfer set."""
    x, labels = data.train
    return replace(data, train=(x[:count], labels[:count]), transfer=x[count:])


def without_rows(data, rows):
    """The same data without some of its training rows and inputs for transfer.

    `rows`: an array of True and False, for the training rows and then the inputs for transfer.
    """
    (x, labels), stay = data.train, ~rows
    some, more = stay[: len(x)], stay[len(x) :]
    return replace(data, train=(x[some], labels[some]), transfer=data.transfer[more])


def mean_largest_probability(model, letters, temperature=1):
    """How sure a model is of these rows of letters: the mean of the largest probability in each answer."""
    return soft_targets(teacher_logits(model, letters), temperature).max(axis=1).mean()


def shared_names(words, labels):
    """Which rows have a name that stands under several labels, in upper or lower case: an array of True and False.

    >>> shared_names(["Angola", "angola", "Suomi"], [0, 1, 2]).tolist()
    [True, True, False]
    """
    labels_of = defaultdict(set)
    for word, label in zip(words, labels, strict=True):
        labels_of[word.lower()].add(label)
    return np.array([len(labels_of[word.lower()]) > 1 for word in words])


def highest_accuracy(words, labels):
    """The highest accuracy of any model that reads lower case: one answer for each name, its most frequent label.

    >>> highest_accuracy(["Angola", "angola", "Suomi", "Suomi"], [0, 1, 2, 2])
    0.75
    """
    counts = defaultdict(Counter)
    for word, label in zip(words, labels, strict=True):
        counts[word.lower()][label] += 1
    return sum(max(of_name.values()) for of_name in counts.values()) / len(words)


def by_thing(experiment, rows=None):
    """The same experiment, in which the twenty names of a thing are one test example: the mean over its names.

    `rows`: which test names count (an array of True and False), all by default. A thing without such a name is left
    out.
    """
    counts = np.ones(next(iter(experiment.right.values())).shape[1]) if rows is None else np.asarray(rows, float)
    counts = counts.reshape(-1, 20)
    some = counts.any(axis=1)

    def means(right):
        sums = (np.asarray(right, float).reshape(len(right), *counts.shape) * counts).sum(axis=2)
        return sums[:, some] / counts.sum(axis=1)[some]

    return replace(experiment, right={arm: means(right) for arm, right in experiment.right.items()})


def two_kinds_of_names(experiment, words, labels):
    """Draw the accuracy of each student of three arms, on names of one language and on shared names: a Picture.

    `words`, `labels`: the test set; the title of a panel names the highest possible accuracy.
    """
    arms = {"first choice": HARD, "flat for shared": NEUTRAL, "soft targets": DISTILLED}
    figure, shared = Picture(7, 2.5), shared_names(words, labels)
    for left, kind, rows in ((0.1, "names of one language", ~shared), (0.59, "shared names", shared)):
        axes = figure.add_axes((left, 0.14, 0.39, 0.72))
        for place, (arm, colour) in enumerate(arms.items()):
            accuracies = experiment.right[arm][:, rows].mean(axis=1)
            axes.plot(np.full(len(accuracies), place), accuracies, "o", color=colour, alpha=0.6)
            axes.hlines(accuracies.mean(), place - 0.3, place + 0.3, color=colour, linewidth=2)
        middle = np.mean([experiment.right[arm][:, rows].mean() for arm in arms])
        axes.set(xlim=(-0.5, 2.5), ylim=(middle - 0.04, middle + 0.04))  # the same height of a gain in both panels
        axes.set_xticks(range(3), map(plain, arms), fontsize=9)
        axes.set_title(f"{kind} (limit {highest_accuracy(words[rows], labels[rows]):.3f})", fontsize=10)
        axes.set_ylabel("accuracy")
    return figure


# Pairs of neighbours in " sverige ".
check_pairs_by_hand = Exercise(
    right=8,
    mistakes=[
        (7, "that is the number of letters: count the pairs."),
        (6, "the spaces count, too: one pair at each end."),
        (9, "that is the number of characters with the spaces: n characters have n - 1 pairs of neighbours."),
        (36, "only neighbours count, not any two letters."),
    ],
    otherwise="write the word with its two spaces and count the places between.",
)


def _pairs(text):
    return [text[i : i + 2] for i in range(len(text) - 1)]


# function(word) -> list of pairs of neighbours, in lower case, with spaces at both ends
check_bigrams = Exercise(
    right=lambda word: _pairs(f" {word.lower()} "),
    mistakes=[
        (lambda word: _pairs(word.lower()), "the spaces at both ends are missing."),
        (lambda word: _pairs(f" {word} "), "use lower case."),
        (lambda word: _pairs(f" {word.lower()}"), "the last pair is missing: the letter and the space after it."),
        (lambda word: _pairs(f"{word.lower()} "), "the first pair is missing: the space and the letter after it."),
        (lambda word: _pairs(f" {word.lower()} ")[::2], "the pairs overlap: go on by one letter each time."),
        (lambda word: list(dict.fromkeys(_pairs(f" {word.lower()} "))), "keep a pair that comes twice."),
        (lambda word: list(f" {word.lower()} "), "those are single letters: take two at a time."),
        (lambda word: list(map(tuple, _pairs(f" {word.lower()} "))), "join the two symbols of a pair into one text."),
        (lambda word: _pairs(f" {word.casefold()} "), "casefold() makes two letters of ß: use lower()."),
    ],
    otherwise='the first pair of "Oslo" is " o".',
    inputs=[("Oslo",), ("Barbados",), ("San José",), ("Weißrussland",)],
)


def _labels_by_word(words, labels):
    """For each distinct word the list of its labels."""
    return [[label for word, label in zip(words, labels, strict=True) if word == distinct] for distinct in set(words)]


def _most_right(words, labels):
    """How many words a model can be right about that gives one answer per distinct word."""
    return sum(max(map(group.count, group)) for group in _labels_by_word(words, labels))


def _first_label(words, labels):
    """The share of words whose label is the first one seen for that word."""
    first = {}
    return sum(first.setdefault(*row) == row[1] for row in zip(words, labels, strict=True)) / len(words)


# function(words, labels) -> the highest accuracy of a model that gives one answer per distinct word
check_best_possible = Exercise(
    right=lambda words, labels: _most_right(words, labels) / len(words),
    mistakes=[
        (
            lambda words, labels: len(set(words)) / len(words),
            "that counts distinct words: a word that stands twice with one label is right twice.",
        ),
        (lambda words, labels: 1.0, "the same word stands under several labels, and a model gives it one answer."),
        (
            lambda words, labels: sum(len(g) for g in _labels_by_word(words, labels) if len(set(g)) == 1) / len(words),
            "you counted only words without any doubt: the others are right for their most frequent label.",
        ),
        (_most_right, "divide by the number of words."),
        (
            lambda words, labels: _most_right([word.lower() for word in words], labels) / len(words),
            "you made the words lower case: here a capital letter makes another word.",
        ),
        (
            lambda words, labels: max(map(list(labels).count, labels)) / len(labels),
            "that is the share of the most frequent label: count it for each word.",
        ),
        (_first_label, "the first label of a word need not be its most frequent one."),
        (
            lambda words, labels: 1 - sum(len(set(g)) - 1 for g in _labels_by_word(words, labels)) / len(words),
            "you took off one for each further label of a word: count all rows that have it.",
        ),
    ],
    otherwise="add the count of each word's most frequent label.",
    inputs=[
        (np.array(list(words)), np.array(labels))  # arrays, as in a Dataset
        for words, labels in [
            ("abacabad", [0, 1, 0, 2, 1, 2, 2, 0]),
            ("xyxxyz", [0, 1, 1, 1, 0, 2]),
            ("AaAbab", [0, 1, 0, 2, 1, 0]),
            ("xxxxxy", [0, 1, 1, 1, 0, 2]),
        ]
    ],
)
