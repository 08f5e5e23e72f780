"""A teacher from elsewhere: ask any function and keep what it says; its classes, or its best few, as your classes.

Imports no TensorFlow.
"""

import os
from collections import Counter
from collections.abc import Hashable
from pathlib import Path

import numpy as np

from distill_edu._inside.answers import Answers
from distill_edu._inside.check_values import (
    looks_like_probabilities,
    require_count,
    require_finite_logits,
    require_numbers,
    wrong_use,
)
from distill_edu._inside.content import content_key
from distill_edu._inside.progress import progress_bar

GIVES = ("logits", "probabilities")
RESTS = {
    "drop": "the rows then sum to 1 without it",
    "class": "one more class, the last column",
    "spread": "evenly over our classes that were not named",
}


def ask(function, x, batch_size=256, *, gives="logits", kept=None):
    """Ask a function about the examples x, and return its logits: float32 [len(x), ..., classes].

    `function` gets at most `batch_size` examples, a list of them if x is a list (of texts, bytes, arrays), else an
    array, and returns a row for each. `gives`: "logits" or "probabilities", whose logarithms are logits (0 -> -inf).
    `kept`: a folder for the answers, named after the teacher and its version. Each batch is kept when it comes, under
    the content of its examples: equal examples are asked once, and after a failure only what is missing is asked again.
    A folder belongs to one teacher: a function cannot be recognised, so another one would get the old one's answers.
    Raises TypeError for what is no function, list or array, ValueError for answers that are not what `gives` says or
    have different shapes, and, before the teacher is asked, OSError for a folder that cannot be written.

    >>> ask(lambda texts: [[len(text), 1.0] for text in texts], ["a", "abc", "a"], gives="logits")
    array([[1., 1.],
           [3., 1.],
           [1., 1.]], dtype=float32)
    """
    _require_question(function, x, batch_size, gives, kept)
    keys = [content_key(example) for example in x]
    answers = Answers(None if kept is None else Path(kept))
    rows = {key: row for row, key in reversed(list(enumerate(keys))) if key not in answers.known}  # the first of equals
    todo = sorted(rows.values())
    if todo and kept is not None:
        answers.require_folder()
    try:
        with progress_bar(len(todo), unit=" questions", what="teacher", delay=1) as bar:
            for start in range(0, len(todo), batch_size):
                some = todo[start : start + batch_size]
                answers.add([keys[row] for row in some], _logits(function, x, some, gives))
                bar.update(len(some))
    except BaseException as error:  # Ctrl-C, too
        if answers.kept:
            error.add_note(f"{answers.kept} answers are in {kept}. Call again, and only what is missing is asked.")
        raise
    return np.stack([answers.known[key] for key in keys])


@wrong_use()
def _require_question(function, x, batch_size, gives, kept):
    if not callable(function):
        raise TypeError(
            f"The teacher must be a Keras model or a function from examples to logits, not {type(function).__name__}: "
            "give a method of it that answers, such as forest.predict_proba."
        )
    if not isinstance(x, (list, tuple, np.ndarray)):
        raise TypeError(f"x must be a list or an array of examples for a function, not {type(x).__name__}.")
    if isinstance(x, np.ndarray) and x.ndim == 0:
        raise ValueError("x has no axes: give a list or an array of examples, [n, ...].")
    if not len(x):
        raise ValueError("x is empty: give at least one example.")
    if gives not in GIVES:
        raise ValueError(f'gives must be "logits" or "probabilities", not {gives!r}.')
    if kept is not None and not (isinstance(kept, (str, os.PathLike)) and str(kept)):
        raise TypeError(f"kept must be the path of a folder, or None, not {kept!r}.")
    require_count(batch_size, "batch_size")


def _logits(function, x, rows, gives):
    """The teacher's logits for one batch."""
    answer = function(x[rows] if isinstance(x, np.ndarray) else [x[row] for row in rows])
    numbers = require_numbers(answer, "The teacher's answer must be an array of numbers, a row for each example")
    _require_rows(numbers, len(rows))
    require_finite_logits(numbers, "The teacher's answer")
    _require_kind(numbers, gives)
    if gives == "probabilities":
        with np.errstate(divide="ignore"):
            numbers = np.log(numbers)
    return numbers.astype("float32")


@wrong_use()
def _require_rows(numbers, count):
    if numbers.ndim < 2 or len(numbers) != count or numbers.shape[-1] < 2 or not numbers.size:
        raise ValueError(
            f"The teacher was asked about {count} examples and gave the shape {numbers.shape}: it must give a row "
            "of one number for each class, two or more, for every example."
        )


@wrong_use()
def _require_kind(numbers, gives):
    """Refuse numbers that are not what the teacher is said to give."""
    if gives == "probabilities":
        _require_all_probabilities(numbers)
    elif looks_like_probabilities(numbers):
        raise ValueError('The teacher\'s answers look like probabilities: give gives="probabilities".')


NOT_ALL = (
    'The teacher\'s answers are no probabilities of all classes ({}): give gives="logits", or turn the best few into '
    "rows by foreign.of_top."
)


def _require_all_probabilities(numbers):
    sums = numbers.sum(axis=-1).ravel()
    worst, lowest = sums[abs(sums - 1).argmax()], numbers.min()
    if lowest < 0 or abs(worst - 1) > 0.05:
        problem = f"{lowest:.6g} is negative" if lowest < 0 else f"each row sums to 1, not {worst:.6g}"
        raise ValueError(NOT_ALL.format(problem))


def as_classes(probabilities, theirs, ours, rename=(), rest="drop"):
    """Turn a teacher's probabilities [n, theirs] into probabilities of our classes [n, ours].

    `theirs`, `ours`: the names of the classes, in the order of the columns. `rename`: {their name: our name}; two of
    theirs may become one of ours. `rest`: what becomes of their other classes: "drop" (the rows then sum to 1 without
    them), or "class" (one more class, the last column, which also gets what a row lacks to 1). Each row sums to 1.
    Raises ValueError for a class of ours that the teacher lacks, for a name that is no class, and, with "drop", for a
    row that gives no probability to any class of ours.

    >>> as_classes([[0.6, 0.2, 0.2]], ["no", "da", "ja"], ["da", "nb"], rename={"no": "nb"})
    array([[0.25, 0.75]])
    """
    p = _require_probabilities(probabilities)
    _require_rest(rest, ("drop", "class"))
    names, ours = _require_classes(p.shape[-1], theirs, ours, rename)
    places = {name: place for place, name in enumerate(ours)}
    found = np.zeros((*p.shape[:-1], len(ours) + 1))
    for column, name in enumerate(names):
        found[..., places.get(name, len(ours))] += p[..., column]
    if rest == "drop":
        return _without_rest(found[..., :-1])
    found[..., -1] += np.maximum(0, 1 - p.sum(axis=-1))
    return _without_rest(found)


def of_top(answers, classes, rename=(), rest="drop"):
    """Turn the best few classes that a teacher names into probabilities [n, classes].

    `answers`: for each example {name: probability}, or pairs (name, probability). `classes`, `rename`: see
    `as_classes`. `rest`: what becomes of the probability that no class of ours was given: "drop" (the rows then sum to
    1 without it), "class" (one more class, the last column), or "spread" (evenly over our classes that were not named).
    Raises ValueError for numbers that are no probabilities, and, with "drop", for an answer that names no class of
    ours.

    >>> of_top([{"cat": 0.6, "dog": 0.2}], ["cat", "cow", "dog"])
    array([[0.75, 0.  , 0.25]])
    >>> of_top([{"cat": 0.6, "dog": 0.2}], ["cat", "cow", "dog"], rest="class")
    array([[0.6, 0. , 0.2, 0.2]])
    """
    _require_rest(rest, tuple(RESTS))
    classes, renamed = _require_different(classes, "classes"), _require_dictionary(rename)
    _require_known(renamed.values(), classes, "gives", "ours")
    places = {name: place for place, name in enumerate(classes)}
    if isinstance(answers, (str, dict)) or not np.iterable(answers):
        raise ValueError(f"answers must be a list, {{name: probability}} for each example, not {answers!r:.60}.")
    answers = list(answers)
    p, named = np.zeros((len(answers), len(places))), np.zeros((len(answers), len(places)), bool)
    for row, answer in enumerate(answers):
        for name, number in _require_pairs(answer, row):
            if (place := places.get(renamed.get(name, name))) is not None:
                p[row, place] += number
                named[row, place] = True
    left = np.maximum(0, 1 - p.sum(axis=1, keepdims=True))
    if rest == "class":
        return _without_rest(np.concatenate([p, left], axis=1))
    others = (~named).sum(axis=1, keepdims=True)
    return _without_rest(p + ~named * left / np.maximum(others, 1) if rest == "spread" else p)


def _without_rest(p):
    """The rows, each divided by its sum."""
    sums = p.sum(axis=-1, keepdims=True)
    if not sums.all():
        row = np.argwhere(sums[..., 0] == 0)[0].tolist()
        raise ValueError(
            f"Answer {row[0]} gives no probability to any class of ours: leave this example out, or give the rest a "
            'class (rest="class").'
        )
    return p / sums


def _require_pairs(answer, row):
    """[(name, probability)] of the best few classes that a teacher named for one example."""
    try:
        pairs = [(name, number) for name, number in (answer.items() if isinstance(answer, dict) else answer)]
        dict(pairs)  # the names can be looked up
    except (TypeError, ValueError):
        raise ValueError(
            f"Answer {row} must be {{name: probability}} or a list of pairs (name, probability), not {answer!r:.60}."
        ) from None
    given = require_numbers([number for _, number in pairs], "The probabilities of an answer must be numbers")
    if not (given >= 0).all() or given.sum() > 1.05:
        raise ValueError(f"Answer {row} gives {given.tolist()}: give probabilities, which sum to at most 1.")
    return [(name, number) for (name, _), number in zip(pairs, given, strict=True)]


def _require_names(names, what):
    """Return the names of classes as a list."""
    found = list(names) if np.iterable(names) and not isinstance(names, (str, bytes)) else []
    if not found or not all(isinstance(name, Hashable) for name in found):
        raise ValueError(f"{what} must be a list of the names of classes, not {names!r:.60}.")
    return found


@wrong_use()
def _require_different(names, what):
    """Return the names of classes as a list; refuse a name that stands there twice."""
    names = _require_names(names, what)
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{what} has {twice[0]!r} more than once: give each class a name of its own.")
    return names


@wrong_use()
def _require_classes(columns, theirs, ours, rename):
    """Return the names of the teacher's columns after renaming, and ours."""
    theirs, ours, renamed = (
        _require_names(theirs, "theirs"),
        _require_different(ours, "ours"),
        _require_dictionary(rename),
    )
    if columns != len(theirs):
        raise ValueError(f"There are {columns} columns for {len(theirs)} names of the teacher's classes.")
    _require_known(renamed, theirs, "has", "the teacher")
    _require_known(renamed.values(), ours, "gives", "ours")
    names = [renamed.get(name, name) for name in theirs]
    _require_all_of_ours(ours, set(names))
    return names, ours


@wrong_use()
def _require_dictionary(rename):
    try:
        return dict(rename)
    except (TypeError, ValueError):
        raise ValueError(f"rename must be {{their name: our name}}, not {rename!r:.60}.") from None


@wrong_use()
def _require_known(names, classes, verb, whose):
    if unknown := [name for name in names if name not in classes]:
        problem = f"rename {verb} {unknown[0]!r}, which is no class of {whose}"
        raise ValueError(f"{problem}: give {{their name: our name}}.")


def _require_all_of_ours(ours, names):
    if lacking := [name for name in ours if name not in names]:
        raise ValueError(
            f"The teacher has no class {', '.join(map(repr, lacking))}. It may call it by another name: give "
            f"rename={{their name: {lacking[0]!r}}}."
        )


@wrong_use()
def _require_rest(rest, allowed):
    if rest not in allowed:
        raise ValueError(f"rest must be {' or '.join(f'{name!r} ({RESTS[name]})' for name in allowed)}, not {rest!r}.")


def _require_probabilities(values):
    p = require_numbers(values, "probabilities must be an array of numbers, [n, classes]")
    if p.ndim < 2 or not (p >= 0).all() or p.sum(axis=-1).max(initial=0) > 1.05:
        raise ValueError("probabilities must be [n, classes], from 0, in rows that sum to at most 1: soft_targets(z).")
    return p
