"""A teacher from elsewhere: ask any function and keep what it says; its classes, or its best few, as your classes.

Imports no TensorFlow.
"""

import warnings
from pathlib import Path

import numpy as np

from distill_edu._inside.check_values import looks_like_probabilities, require_count, require_logits, require_numbers
from distill_edu._inside.content import content_key
from distill_edu._inside.disk import sweep_up, whole
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

    >>> ask(lambda texts: [[len(text), 1.0] for text in texts], ["a", "abc", "a"], gives="logits")
    array([[1., 1.],
           [3., 1.],
           [1., 1.]], dtype=float32)
    """
    _require_question(function, x, batch_size, gives)
    keys = [content_key(example) for example in x]
    known = {} if kept is None else _read(Path(kept))
    rows = {key: row for row, key in reversed(list(enumerate(keys))) if key not in known}  # the first of equals
    todo = sorted(rows.values())
    try:
        with progress_bar(len(todo), unit=" questions", what="teacher", delay=1) as bar:
            for start in range(0, len(todo), batch_size):
                some = todo[start : start + batch_size]
                new = dict(zip([keys[row] for row in some], _answers(function, x, some, gives), strict=True))
                _require_same_shape({**known, **new}, kept)
                known |= new
                if kept is not None:
                    _write(Path(kept), new)
                bar.update(len(some))
    except BaseException as error:  # Ctrl-C, too
        if kept is not None:
            error.add_note(f"{len(known)} answers are in {kept}. Call again, and only what is missing is asked.")
        raise
    return np.stack([known[key] for key in keys])


def _require_question(function, x, batch_size, gives):
    if not callable(function):
        raise TypeError(
            f"The teacher must be a Keras model or a function from examples to logits, not {type(function).__name__}: "
            "give a method of it that answers, such as forest.predict_proba."
        )
    if not isinstance(x, (list, tuple, np.ndarray)):
        raise TypeError(f"x must be a list or an array of examples for a function, not {type(x).__name__}.")
    if not len(x):
        raise ValueError("x is empty: give at least one example.")
    if gives not in GIVES:
        raise ValueError(f'gives must be "logits" or "probabilities", not {gives!r}.')
    require_count(batch_size, "batch_size")


def _answers(function, x, rows, gives):
    """The logits of one batch."""
    answer = function(x[rows] if isinstance(x, np.ndarray) else [x[row] for row in rows])
    numbers = require_numbers(answer, "The teacher's answer must be an array of numbers, a row for each example")
    if numbers.ndim < 2 or len(numbers) != len(rows):
        raise ValueError(
            f"The teacher was asked about {len(rows)} examples and gave the shape {numbers.shape}: it must give a row "
            "of one number for each class for every example."
        )
    if gives == "probabilities":
        sums = numbers.sum(axis=-1)
        if not (numbers >= 0).all() or abs(sums - 1).max() > 0.05:
            raise ValueError(
                "The teacher's answers are no probabilities of all classes (from 0 on, each row sums to 1, not "
                f'{sums.min():.3g}): give gives="logits", or turn the best few into rows by foreign.of_top.'
            )
        with np.errstate(divide="ignore"):
            numbers = np.log(numbers)
    elif looks_like_probabilities(numbers):
        raise ValueError('The teacher\'s answers look like probabilities: give gives="probabilities".')
    return require_logits(numbers, "The teacher's answer").astype("float32")


OTHER_CLASSES = (
    "The answers in {} have {} classes and the new ones {}, or the other way round: give every teacher, version and "
    "list of classes a folder of its own."
)


def _require_same_shape(known, kept):
    shapes = sorted({answer.shape for answer in known.values()})
    if len(shapes) > 1:
        raise ValueError(OTHER_CLASSES.format(kept, shapes[0][-1], shapes[1][-1]))


def _read(folder):
    """{content key: logits} of all that is kept in the folder."""
    known = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            with np.load(path, allow_pickle=False) as part:
                known.update(zip(part["keys"].tolist(), part["logits"], strict=True))
        except Exception as error:  # a file that was cut or changed may raise anything
            warnings.warn(f"{path} is damaged ({error}), so its examples are asked again.", stacklevel=3)
    return known


def _write(folder, answers):
    folder.mkdir(parents=True, exist_ok=True)
    sweep_up(folder)
    with whole(folder / f"{next(iter(answers))}.npz") as aside:
        np.savez(aside, keys=np.array(list(answers)), logits=np.stack(list(answers.values())))


def as_classes(probabilities, theirs, ours, rename=(), rest="drop"):
    """Turn a teacher's probabilities [n, theirs] into probabilities of our classes [n, ours].

    `theirs`, `ours`: the names of the classes, in the order of the columns. `rename`: {their name: our name}; two of
    theirs may become one of ours. `rest`: what becomes of their other classes: "drop" (the rows then sum to 1 without
    them), or "class" (one more class, the last column). Raises ValueError for a class of ours that the teacher lacks.

    >>> as_classes([[0.6, 0.2, 0.2]], ["no", "da", "ja"], ["da", "nb"], rename={"no": "nb"})
    array([[0.25, 0.75]])
    """
    p, renamed = _require_probabilities(probabilities), dict(rename)
    if p.shape[-1] != len(theirs):
        raise ValueError(f"There are {p.shape[-1]} columns for {len(theirs)} names of the teacher's classes.")
    _require_rest(rest, ("drop", "class"))
    if unknown := sorted(set(renamed) - set(theirs)):
        raise ValueError(f"rename has {unknown[0]!r}, which is no class of the teacher: give {{their name: our name}}.")
    names = [renamed.get(name, name) for name in theirs]
    if lacking := [name for name in ours if name not in names]:
        raise ValueError(
            f"The teacher has no class {', '.join(map(repr, lacking))}. It may call it by another name: give "
            f"rename={{their name: {lacking[0]!r}}}."
        )
    places = {name: place for place, name in enumerate(ours)}
    found = np.zeros((*p.shape[:-1], len(ours) + 1))
    for column, name in enumerate(names):
        found[..., places.get(name, len(ours))] += p[..., column]
    return found if rest == "class" else _without_rest(found[..., :-1])


def of_top(answers, classes, rename=(), rest="drop"):
    """Turn the best few classes that a teacher names into probabilities [n, classes].

    `answers`: for each example {name: probability}, or pairs (name, probability). `classes`, `rename`: see
    `as_classes`. `rest`: what becomes of the probability that no class of ours was given: "drop" (the rows then sum to
    1 without it), "class" (one more class, the last column), or "spread" (evenly over our classes that were not named).

    >>> of_top([{"cat": 0.6, "dog": 0.2}], ["cat", "cow", "dog"])
    array([[0.75, 0.  , 0.25]])
    >>> of_top([{"cat": 0.6, "dog": 0.2}], ["cat", "cow", "dog"], rest="class")
    array([[0.6, 0. , 0.2, 0.2]])
    """
    _require_rest(rest, RESTS)
    renamed, places = dict(rename), {name: place for place, name in enumerate(classes)}
    if wrong := sorted(set(renamed.values()) - set(places)):
        raise ValueError(f"rename gives {wrong[0]!r}, which is no class of ours: give {{their name: our name}}.")
    p, named = np.zeros((len(answers), len(places))), np.zeros((len(answers), len(places)), bool)
    for row, answer in enumerate(answers):
        pairs = list(answer.items() if isinstance(answer, dict) else answer)
        given = require_numbers([number for _, number in pairs], "The probabilities of an answer must be numbers")
        if (given < 0).any() or given.sum() > 1.05:
            raise ValueError(f"Answer {row} gives {given.tolist()}: give probabilities, which sum to at most 1.")
        for (name, _), number in zip(pairs, given, strict=True):
            if (place := places.get(renamed.get(name, name))) is not None:
                p[row, place] += number
                named[row, place] = True
    left = np.maximum(0, 1 - p.sum(axis=1, keepdims=True))
    if rest == "class":
        return np.concatenate([p, left], axis=1)
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


def _require_rest(rest, allowed):
    if rest not in allowed:
        raise ValueError(f"rest must be {' or '.join(f'{name!r} ({RESTS[name]})' for name in allowed)}, not {rest!r}.")


def _require_probabilities(values):
    p = require_numbers(values, "probabilities must be an array of numbers, [n, classes]")
    if p.ndim < 2 or not (p >= 0).all() or p.sum(axis=-1).max(initial=0) > 1.05:
        raise ValueError("probabilities must be [n, classes], from 0, in rows that sum to at most 1: soft_targets(z).")
    return p
