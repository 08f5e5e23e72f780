"""Page "Can you distil a model that you did not train?": lists and their answers, figures, and the exercises."""

import dataclasses
from collections import Counter

import ipywidgets
import numpy as np

from distill_edu.data import LANGUAGES
from distill_edu.foreign import ask
from distill_edu.pages.shared import picture
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, slider, stop_slider

SHOWN = ("en", "de", "nb", "fr", "es", "it", "pl", "sl", "fi", "tr")  # ten of the twenty languages, one list each
LONGEST = 32
COUNTS = (1, 2, 4, 8, 16, 32)
SMALL = {"textcoords": "offset points", "ha": "center", "fontsize": 7}


def ten_lists(names, labels, seed=0):
    """Language -> a list of 32 different names of it, for ten of the twenty languages.

    >>> lists = ten_lists(np.array([f"name {i}" for i in range(800)]), np.arange(800) % 20)
    >>> len(lists), lists["Norwegian"][:2]
    (10, ['name 225', 'name 525'])
    """
    random, lists = np.random.RandomState(seed), {}
    for place, (code, (language, _)) in enumerate(LANGUAGES.items()):
        if code in SHOWN:
            own = sorted(set(names[labels == place].tolist()))
            lists[language] = [own[i] for i in random.permutation(len(own))[:LONGEST]]
    return lists


def in_lists(names, labels, count):
    """Put the names of each label into lists of `count`; return for each name the text of the list that holds it.

    >>> in_lists(np.array(["Peru", "Kuba", "Chad"]), np.array([0, 1, 0]), 2)
    ['Peru, Chad', 'Kuba', 'Peru, Chad']
    """
    lists = np.empty(len(names), object)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        for some in np.split(own, range(count, len(own), count)):
            lists[some] = ", ".join(names[some])
    return list(lists)


def mixed(labels, share):
    """The labels, of which a share has changed places with each other.

    >>> mixed(np.arange(8), 0.5).tolist()
    [6, 1, 2, 4, 0, 5, 3, 7]
    """
    random, labels = np.random.RandomState(2), labels.copy()
    moved = np.flatnonzero(random.rand(len(labels)) < share)
    labels[moved] = labels[random.permutation(moved)]
    return labels


def languages_that_spell(names, labels):
    """For each name the number of labels that it has among them: how many languages spell it so.

    >>> languages_that_spell(["Peru", "Kuba", "Peru"], [0, 1, 2]).tolist()
    [2, 1, 2]
    """
    owners = Counter(name for name, _ in set(zip(names, labels, strict=True)))
    return np.array([owners[name] for name in names])


def _sum_to_one(p):
    return p / p.sum(axis=1, keepdims=True)


def evened(p, many):
    """The probabilities `p` times a weight a class, with which the classes are equally frequent in the rows of `many`.

    >>> evened(np.array([[0.5, 0.5]]), np.array([[0.8, 0.2]])).round(3).tolist()
    [[0.312, 1.25]]
    """
    weights = np.ones(len(p[0]))
    for _ in range(200):
        weights /= _sum_to_one(many * weights).mean(axis=0) * len(weights)
    return p * weights


def answers_about_lists(function, part, counts=COUNTS):
    """Number of names in a list -> the logits of a function of probabilities about the list of each name of a part.

    >>> answers_about_lists(lambda texts: [[1.0, 0.0]] * len(texts), (np.array(["a"]), np.array([0])), [1])
    {1: array([[  0., -inf]], dtype=float32)}
    """
    return {count: ask(function, in_lists(*part, count), gives="probabilities") for count in counts}


def list_explorer(function, lists, class_names, accuracies, count=1):
    """Slide how many names of one language the teacher reads, and choose one of the lists.

    `function`: a list of texts -> probabilities [n, classes]. `lists`: language -> names. `accuracies`: number of
    names -> the teacher's accuracy on lists of so many.
    """
    stops = tuple(accuracies)

    def draw(figure, language, count):
        left, right = picture.empty_axes(figure, (0.1, 0.34, 0.54, 0.54), (0.74, 0.2, 0.24, 0.68))
        text = ", ".join(lists[language][:count])
        p = np.asarray(function([text]), float)[0]
        own = class_names.index(language)
        picture.class_bars(left, {"teacher": (p, picture.TEACHER)}, class_names, ylabel="probability")
        left.set_ylim(0, 1.12)  # room for the number on the highest bar
        left.annotate(f"{p.max():.2f}", (p.argmax(), p.max()), (0, 2), **SMALL)
        left.axvline(own, color=picture.NEUTRAL, linewidth=9, alpha=0.25, zorder=0)
        beginning = text if len(text) <= 28 else f"{text[:25]}..."
        names = "1 name" if count == 1 else f"{count} names"
        title = picture.plain(f"answer to {names}: {beginning} (grey: {language})")
        left.set_title(title, loc="left", fontsize=9)
        _draw_accuracies(right, accuracies, count)
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        said = f"{class_names[p.argmax()]} with {picture.percent(p.max())}"
        wrong = f"and gives {language}, the right answer, {picture.percent(p[own])}"
        own = "and is right" if p.argmax() == own else wrong
        return (
            f"{shown}: the teacher says {said} {own}. It is right about {accuracies[count]:.3f} of all test lists of "
            f"{count} name{'s' if count > 1 else ''}."
        )

    return Explorer(
        draw,
        {
            "language": slider(
                ipywidgets.Dropdown, "List of names", options=[(name, name) for name in lists], value=next(iter(lists))
            ),
            "count": stop_slider("Names in the list (number)", "count", stops, count),
        },
    )


def _draw_accuracies(right, accuracies, count):
    """The teacher's accuracy over the number of names in a list; grey: the number shown."""
    right.plot(range(len(accuracies)), list(accuracies.values()), "s-", color=picture.TEACHER, markersize=4)
    for place, accuracy in enumerate(accuracies.values()):
        right.annotate(f"{accuracy:.2f}", (place, accuracy), (3, -11), **SMALL)
    picture.stop_axis(right, tuple(accuracies), count)
    right.set(xlim=(-0.5, len(accuracies) - 0.3), ylim=(0, 1), xlabel="names in the list", ylabel="accuracy")
    right.set_title("all lists (grey: of this length)", fontsize=9)


def measures(names):
    """CLDR's names of units of measurement in the twenty languages, without those in `names`: texts, labels.

    >>> texts, labels = measures(["metrów"])
    >>> texts[0], int(labels[0]), len(texts) == len(labels)
    ('Beaufort', 0, True)
    """
    from babel import Locale

    known, texts, labels = {name.casefold() for name in names}, [], []
    for place, code in enumerate(LANGUAGES):
        own = {unit["long"] for unit in Locale.parse(code).unit_display_names.values() if "long" in unit}
        own = sorted(text for text in own if text.casefold() not in known)
        texts += own
        labels += [place] * len(own)
    return texts, np.array(labels, "int32")


def with_measures(words):
    """The data set with measures behind the names of its test set.

    >>> from distill_edu import load_dataset
    >>> with_measures(load_dataset("languages"))
    Dataset 'languages': 12660 train, 2140 valid, 9406 test; 20 classes
    """
    both = zip(words.test, measures(words.train[0]), strict=True)
    return dataclasses.replace(words, test=tuple(np.concatenate(pair) for pair in both))


def on_names_and_measures(found, names):
    """The experiment on its first `names` test examples, and on the measures behind them."""
    parts = []
    for rows in (slice(names), slice(names, None)):
        right = {arm: table[:, rows] for arm, table in found.right.items()}
        classes = {arm: table[:, rows] for arm, table in found.classes.items()}
        parts.append(dataclasses.replace(found, right=right, classes=classes))
    return parts


def mistakes_avoided(found, answers, mistakes):
    """The experiment that asks whether a student repeats its teacher's mistakes: "right" is who gives another class.

    `answers`: the teacher's classes of the test examples; `mistakes`: where they are wrong.
    """
    return dataclasses.replace(found, right={arm: (of != answers)[:, mistakes] for arm, of in found.classes.items()})


def students_over_answers(answers, found, teacher):
    """Draw each student's accuracy on single names over the share of right answers that it learned from.

    `answers`: arm -> that share; an arm that is not in it learned from labels, which are all right. `teacher`: the
    teacher's own accuracy on single names.
    """
    figure = picture.Picture(7, 3)
    (axes,) = picture.empty_axes(figure, (0.12, 0.17, 0.85, 0.73))
    for arm, right in found.right.items():
        share, colour = answers.get(arm, 1), picture.DISTILLED if arm in answers else picture.HARD
        accuracy = right.mean(axis=1)
        axes.plot(np.full(len(accuracy), share), accuracy, "o", color=colour, markersize=5, alpha=0.6)
        near = any(0 < share - other < 0.05 for other in answers.values())  # its left is taken: write to the right
        beside = {"textcoords": "offset points", "ha": "left" if near else "right", "va": "center"}
        axes.annotate(picture.plain(arm), (share, accuracy.mean()), (7 if near else -9, 0), **beside)
    axes.axhline(teacher, color=picture.TEACHER, linestyle="--", linewidth=1.2)
    axes.annotate("the teacher itself", (0.02, teacher), (0, 4), textcoords="offset points", color=picture.TEACHER)
    axes.set(xlim=(0, 1.03), xlabel="share of right answers about training names, from which a student learned")
    axes.set_ylabel(f"accuracy on test names\n(axis from {axes.get_ylim()[0]:.2f})")
    axes.set_title("each point: a student that learned from the teacher (green) or from labels (orange)", fontsize=9)
    return figure


# A teacher of 140 languages names three: no 0.5, da 0.2, ja 0.1. The student's classes: da, nb, sv, and the rest.
check_bin_by_hand = Exercise(
    right=np.array([0.2, 0.5, 0, 0.3]),
    mistakes=[
        ([0.2, 0.5, 0, 0.2], "the row must sum to 1: Japanese is a part of the rest, too."),
        ([0.2, 0.5, 0, 0.1], "the row must sum to 1: what the teacher did not name is a part of the rest, too."),
        ([0.2, 0.5, 0.3, 0], "nothing says that the rest is Swedish: it belongs to the fourth class."),
        ([0.5, 0.2, 0, 0.3], "mind the order of the student's classes: Danish comes first."),
        ([2 / 7, 5 / 7, 0, 0], "that drops the rest: here it has a class of its own."),
        ([0.2, 0, 0, 0.8], "Norwegian is called no by the teacher and nb by the student."),
    ],
    otherwise="first Danish, then Norwegian, Swedish, and all that is left.",
)


def _ours(p, theirs, ours, rename, keep=_sum_to_one, join=np.sum):
    """`keep`: what becomes of the sums of our classes; by default they are divided by their sum."""
    names = [rename.get(name, name) for name in theirs]
    columns = [join(p[:, [k for k, name in enumerate(names) if name == one]], axis=1) for one in ours]
    q = np.stack(columns, axis=1)
    return keep(q)


def _counted_twice(p, theirs, ours, rename):
    """A column that is renamed stays a column of its old name besides."""
    columns = [[name == one or rename.get(name) == one for name in theirs] for one in ours]
    return _sum_to_one(np.stack([p[:, some].sum(axis=1) for some in columns], axis=1))


# function(p [n, theirs], theirs, ours, rename) -> probabilities of our classes [n, ours], which sum to 1
check_classes = Exercise(
    right=_ours,
    mistakes=[
        (lambda p, t, o, r: _ours(p, t, o, r, lambda q: q), "the rows do not sum to 1 yet: divide each by its sum."),
        (
            lambda p, t, o, r: _ours(p, t, o, r, lambda q: q / q.sum(axis=0)),
            "those are sums over the examples: divide each row by its own sum.",
        ),
        (
            lambda p, t, o, r: _ours(p, t, o, r, join=lambda some, axis: some[:, -1]),
            "two of their classes become one of ours: add their probabilities.",
        ),
        (lambda p, t, o, r: _ours(p, t, sorted(o), r), "the columns must be in the order of our classes."),
        (
            lambda p, t, o, r: _ours(p, t, o, r, lambda q: _sum_to_one(np.exp(q))),
            "p are probabilities already: divide by the sum, without a softmax.",
        ),
        (_counted_twice, "a name that is renamed no longer stands for itself: its column counts once."),
    ],
    otherwise="for each of our classes add the columns of that name after renaming; then divide each row by its sum.",
    inputs=[
        (
            np.array([[0.4, 0.1, 0.2, 0.2, 0.1], [0.1, 0.3, 0.1, 0.3, 0.2]]),
            ["no", "ja", "da", "cs", "nn"],
            ["nb", "da", "cs"],
            {"no": "nb", "nn": "nb"},
        ),
        (np.array([[0.5, 0.1, 0.4], [0.2, 0.7, 0.1]]), ["a", "b", "c"], ["z", "a"], {"b": "z"}),
        (
            np.array([[0.4, 0.2, 0.3, 0.1], [0.1, 0.5, 0.3, 0.1]]),
            ["no", "nb", "da", "x"],
            ["nb", "da", "no"],
            {"no": "nb", "x": "no"},
        ),
    ],
)


# function(accuracies {number of names: accuracy}, wanted) -> the smallest number that reaches it
check_smallest = Exercise(
    right=lambda accuracies, wanted: min(count for count, right in accuracies.items() if right >= wanted),
    mistakes=[
        (
            lambda accuracies, wanted: next(count for count, right in accuracies.items() if right >= wanted),
            "the dictionary need not be in order: take the smallest of all numbers that reach the level.",
        ),
        (lambda accuracies, wanted: max(accuracies, key=accuracies.get), "that is the best number, not the smallest."),
        (
            lambda accuracies, wanted: min(count for count, right in accuracies.items() if right > wanted),
            "exactly the level is enough: >=.",
        ),
        (
            lambda accuracies, wanted: min(accuracies, key=lambda count: abs(accuracies[count] - wanted)),
            "that is the number that comes closest, which may lie below the level.",
        ),
        (
            lambda accuracies, wanted: min(right for right in accuracies.values() if right >= wanted),
            "that is an accuracy: return the number of names.",
        ),
        (
            lambda accuracies, wanted: min((right, n) for n, right in accuracies.items() if right >= wanted)[1],
            "that number has the lowest accuracy that is enough: return the smallest number.",
        ),
    ],
    otherwise="of the numbers whose accuracy is at least the level, the smallest.",
    inputs=[
        ({1: 0.3, 12: 0.85, 16: 0.95, 4: 0.78, 8: 0.85}, 0.8),
        ({2: 0.5, 1: 0.2, 5: 0.8, 3: 0.6}, 0.6),
        ({1: 0.2, 2: 0.9, 3: 0.85}, 0.8),
        ({1: 0.2, 2: 0.85, 3: 0.76, 4: 0.9}, 0.8),
    ],
)
