"""`Cascade`: the student answers when it is sure; otherwise the memory is looked at, and then the teacher is asked."""

import collections
import concurrent.futures
import hashlib
import json
import threading
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distill_edu.arguments import check_count, check_number
from distill_edu.backend import keras
from distill_edu.soft_targets import check_logits, check_temperature, entropy, soft_targets

MODELS = ("student", "teacher")
SETTINGS = ("threshold", "memory", "confidence", "temperature", "timeout")


def _margin(probabilities):
    second, first = np.sort(probabilities, axis=-1)[:, -2:].T
    return first - second


# How sure an answer is, from 0 (a guess among equals; "max" starts at 1 / classes) to 1.
CONFIDENCES = {
    "max": lambda probabilities: probabilities.max(axis=-1),
    "margin": _margin,
    "entropy": lambda probabilities: np.maximum(0, 1 - entropy(probabilities) / np.log(probabilities.shape[-1])),
}


class Answers(NamedTuple):
    """What `Cascade.predict` returns: labels [n], probabilities [n, classes], and who answered [n]."""

    labels: np.ndarray
    probabilities: np.ndarray
    sources: np.ndarray


class Cascade:
    """A student that knows when to ask: Viola and Jones 2001, section 4, for two models, and with a memory.

    `student`, `teacher`: Keras models or functions, from x [n, ...] to logits [n, classes]. The student answers where
    its confidence reaches `threshold`; else the memory is looked at, an LRU cache of `memory` answers by the content
    of x; else the teacher is asked, once for all examples that need it, and its answer is remembered.
    `confidence`: "max", "margin" or "entropy". `temperature` divides the student's logits first (see
    metrics.temperature_scaling). A teacher that raises an error, gives NaN or needs more than `timeout` seconds is
    replaced by the student. Many threads may use one cascade.
    """

    def __init__(self, student, teacher, threshold=0.9, memory=1024, confidence="max", temperature=1.0, timeout=None):
        _check_models(student, teacher)
        if confidence not in CONFIDENCES:
            raise ValueError(f"confidence must be one of {', '.join(CONFIDENCES)}, not {confidence!r}.")
        self.memory = check_count(memory, "memory (how many answers are kept)", least=0)
        if timeout is not None:
            needed = "a number of seconds above 0, or None to wait for ever"
            timeout = check_number(timeout, "timeout", needed, lambda seconds: seconds > 0)
        self.student, self.teacher = student, teacher
        self.threshold, self.confidence, self.timeout = threshold, confidence, timeout
        self.temperature = check_temperature(temperature)
        self._lock = threading.Lock()
        self.forget()

    @property
    def threshold(self):
        """The confidence in [0, 1] from which the student answers itself: 0 is the student alone."""
        return self._threshold

    @threshold.setter
    def threshold(self, value):
        self._threshold = _share(value, "threshold")

    @property
    def stats(self):
        """How many questions each has answered: student, memory, teacher; failed: the student, without a teacher."""
        with self._lock:
            return dict(self._stats)

    def forget(self):
        """Empty the memory and set the counts to 0."""
        with self._lock:
            self._remembered = collections.OrderedDict()
            self._stats = dict.fromkeys(("student", "memory", "teacher", "failed"), 0)

    def predict(self, x):
        """Answer the questions x [n, ...]: labels, probabilities, and sources (a key of `stats` for each example).

        Raises ValueError for an empty x and for models whose outputs do not go together.
        """
        x = _questions(x)
        probabilities = self._probabilities(x)
        sources = np.full(len(x), "student", dtype="<U7")
        keys = {row: _content(x[row]) for row in np.flatnonzero(self._sureness(probabilities) < self.threshold)}
        known = self._recall(dict.fromkeys(keys.values()))
        new = {}  # the first row with each question that nobody has answered
        for row, key in keys.items():
            if key not in known:
                new.setdefault(key, row)
        answers = {**known, **self._ask(x, new, probabilities.shape[1])}
        for row, key in keys.items():
            if key in answers:
                probabilities[row] = answers[key]
                sources[row] = "teacher" if new.get(key) == row else "memory"
            else:
                sources[row] = "failed"
        self._count(sources)
        return Answers(probabilities.argmax(axis=1), probabilities, sources)

    def curve(self, x, y):
        """What every threshold would give on labelled data: a table of threshold, teacher_share, accuracy.

        Both models answer everything; the memory is not used. `y`: integer labels [n].
        """
        x, y = _questions(x), np.asarray(y)
        if y.shape != x.shape[:1] or y.dtype.kind not in "iu":
            raise ValueError(
                f"y has the shape {y.shape} and is {y.dtype}: give {len(x)} integer labels, one per example."
            )
        probabilities = self._probabilities(x)
        taught = _checked(_call(self.teacher, x), "teacher", *probabilities.shape)
        return _curve(self._sureness(probabilities), probabilities.argmax(axis=1) == y, taught.argmax(axis=1) == y)

    def calibrate(self, x, y, *, max_teacher_share=None, min_accuracy=None):
        """Set the threshold, and return it, by what it would give on labelled data that trained neither model.

        Give one of both: `max_teacher_share`, the largest share of questions for the teacher (the most accurate
        threshold within it is taken), or `min_accuracy` (the threshold with the fewest questions that reaches it).
        Raises ValueError where no threshold reaches the accuracy.
        """
        if (max_teacher_share is None) == (min_accuracy is None):
            raise ValueError("Give either max_teacher_share or min_accuracy.")
        curve = self.curve(x, y)
        if min_accuracy is None:
            fits = curve[curve.teacher_share <= _share(max_teacher_share, "max_teacher_share")]
            fits = fits[fits.accuracy == fits.accuracy.max()]
        else:
            fits = curve[curve.accuracy >= _share(min_accuracy, "min_accuracy")]
        if fits.empty:
            raise ValueError(
                f"No threshold reaches an accuracy of {min_accuracy}; the best is {curve.accuracy.max():.4f}."
            )
        self.threshold = fits.threshold[fits.teacher_share.idxmin()]
        return self.threshold

    def save(self, folder):
        """Write both models, the settings and the memory into a folder. The models must be Keras models."""
        folder = Path(folder)
        for name in MODELS:
            if not isinstance(getattr(self, name), keras.Model):
                raise TypeError(f"The {name} is not a Keras model, so it cannot be saved: save the Keras model inside.")
        folder.mkdir(parents=True, exist_ok=True)
        for name in MODELS:
            getattr(self, name).save(folder / f"{name}.keras")
        settings = {name: getattr(self, name) for name in SETTINGS}
        (folder / "cascade.json").write_text(json.dumps(settings))
        with self._lock:
            keys, answers = list(self._remembered), list(self._remembered.values())
        np.savez(folder / "memory.npz", keys=np.array(keys, dtype="<U32"), answers=np.array(answers))

    @classmethod
    def load(cls, folder):
        """The cascade that `save` wrote into the folder; its counts begin at 0."""
        folder = Path(folder)
        models = (keras.models.load_model(folder / f"{name}.keras") for name in MODELS)
        cascade = cls(*models, **json.loads((folder / "cascade.json").read_text()))
        with np.load(folder / "memory.npz") as memory:
            cascade._remembered.update(zip(memory["keys"].tolist(), memory["answers"], strict=True))
        return cascade

    def _probabilities(self, x):
        return soft_targets(_checked(_call(self.student, x), "student", len(x)), self.temperature)

    def _sureness(self, probabilities):
        return CONFIDENCES[self.confidence](probabilities)

    def _recall(self, keys):
        with self._lock:
            found = {key: self._remembered[key] for key in keys if key in self._remembered}
            for key in found:
                self._remembered.move_to_end(key)
        return found

    def _ask(self, x, rows, classes):
        """The teacher's probabilities by key, remembered; none if the teacher fails. `rows`: key -> row of x."""
        if not rows:
            return {}
        try:
            logits = _within(self.timeout, lambda: _call(self.teacher, x[list(rows.values())]))
            if np.isnan(logits).any():
                raise ArithmeticError("its answer contains NaN")
        except Exception as error:  # whatever happens to the teacher, the questions get their answers
            what = f"{type(error).__name__} {error}".strip()
            warnings.warn(f"The teacher failed ({what}), so the student answered alone.", stacklevel=3)
            return {}
        answers = soft_targets(_checked(logits, "teacher", len(rows), classes))
        answers = dict(zip(rows, answers, strict=True))
        with self._lock:
            self._remembered.update(answers)
            while len(self._remembered) > self.memory:
                self._remembered.popitem(last=False)
        return answers

    def _count(self, sources):
        with self._lock:
            for name in self._stats:
                self._stats[name] += int((sources == name).sum())


def _check_models(student, teacher):
    for name, model in (("student", student), ("teacher", teacher)):
        if not callable(model):
            raise TypeError(f"The {name} must be a Keras model or a function from x to logits, not {model!r}.")
    classes = [model.outputs[0].shape[-1] for model in (student, teacher) if getattr(model, "outputs", None)]
    if len(set(classes)) > 1:
        raise ValueError(
            f"The student has {classes[0]} outputs and the teacher {classes[1]}: they must be the same classes."
        )


def _share(value, name):
    return check_number(value, name, "between 0 and 1", lambda share: 0 <= share <= 1)


def _questions(x):
    x = np.asarray(x)
    if x.ndim == 0 or not len(x):
        raise ValueError(f"x has the shape {x.shape}: give at least one example, [n, ...].")
    return x.astype(str) if x.dtype == object else x


def _call(model, x):
    """The model's output as an array. Without `model.predict`, which two threads may not use at the same time."""
    return np.asarray(model(x, training=False) if isinstance(model, keras.Layer) else model(x), dtype=np.float64)


def _checked(logits, name, examples, classes=None):
    if logits.ndim != 2 or len(logits) != examples or (classes or logits.shape[1]) != logits.shape[1]:
        raise ValueError(
            f"The {name} gives the shape {logits.shape} for {examples} examples instead of "
            f"{(examples, classes or 'classes')}: both models must give one logit for each of the same classes."
        )
    return check_logits(logits, what=f"The {name}'s output")


def _content(row):
    """A short text that is the same for the same example, however long the batch's other texts are."""
    content = repr(row.tolist()).encode() if row.dtype.kind in "US" else np.ascontiguousarray(row).tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _within(seconds, function):
    """function(), or TimeoutError after so many seconds; then its late answer is thrown away."""
    if seconds is None:
        return function()
    answer = concurrent.futures.Future()

    def work():
        try:
            answer.set_result(function())
        except BaseException as error:
            answer.set_exception(error)

    # Not an executor: Python would wait for its threads at exit, and this teacher may never answer.
    threading.Thread(target=work, daemon=True).start()
    return answer.result(seconds)


def _curve(sureness, student_right, teacher_right):
    """For each threshold that makes a difference: the share of questions asked, and the accuracy."""
    import pandas

    order = np.argsort(sureness, kind="stable")
    thresholds = np.unique([0.0, *sureness, 1.0])
    asked = np.searchsorted(sureness[order], thresholds)  # so many are below the threshold
    gained = np.concatenate([[0], np.cumsum(teacher_right[order].astype(int) - student_right[order])])
    accuracy = (student_right.sum() + gained[asked]) / len(order)
    return pandas.DataFrame({"threshold": thresholds, "teacher_share": asked / len(order), "accuracy": accuracy})
