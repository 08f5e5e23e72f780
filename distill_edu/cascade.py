"""`Cascade`: the student answers when it is sure; otherwise the memory is looked at, and then the teacher is asked."""

import collections
import contextlib
import hashlib
import json
import re
import secrets
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distill_edu._inside.backend import keras
from distill_edu._inside.check_values import require_count, require_logits, require_number, require_temperature
from distill_edu._inside.disk import whole
from distill_edu._inside.layer_outputs import one_output
from distill_edu._inside.time_limit import warn, within
from distill_edu.metrics import threshold_curve
from distill_edu.probabilities import entropy, soft_targets

MODELS = ("student", "teacher")
FIRST_EDITION = {"student": "student.keras", "teacher": "teacher.keras", "memory": "memory.npz"}
OURS = re.compile(r"(student|teacher|memory)-[0-9a-f]{8}\.(keras|npz)")  # files that `save` gives their names
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
        self.memory = require_count(memory, "memory (how many answers are kept)", least=0)
        if timeout is not None:
            needed = "a number of seconds above 0, or None to wait for ever"
            timeout = require_number(timeout, "timeout", needed, lambda seconds: seconds > 0)
        self.student, self._teacher, self._lock, self._said = student, teacher, threading.Lock(), {}
        self.threshold, self.confidence, self.timeout = threshold, confidence, timeout
        self.temperature = require_temperature(temperature)
        self.forget()

    @property
    def teacher(self):
        """Who is asked. Another one begins with an empty memory; after training it further call `forget`."""
        return self._teacher

    @teacher.setter
    def teacher(self, teacher):
        _check_models(self.student, teacher)
        self._teacher = teacher
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
        return threshold_curve(
            self._sureness(probabilities), probabilities.argmax(axis=1) == y, taught.argmax(axis=1) == y
        )

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
        """Write both models, the settings and the memory into a folder, whole or not at all: see `load`.

        The models must be Keras models. An older cascade in the folder is replaced in one moment, when the new one is
        complete: `cascade.json` names the files that belong to it.
        """
        folder = Path(folder)
        for name in MODELS:
            if not isinstance(getattr(self, name), keras.Model):
                raise TypeError(f"The {name} is not a Keras model, so it cannot be saved: save the Keras model inside.")
        folder.mkdir(parents=True, exist_ok=True)
        token = secrets.token_hex(4)
        files = {**{name: f"{name}-{token}.keras" for name in MODELS}, "memory": f"memory-{token}.npz"}
        try:
            for name in MODELS:
                getattr(self, name).save(folder / files[name])
            with self._lock:
                keys, answers = list(self._remembered), list(self._remembered.values())
            np.savez(folder / files["memory"], keys=np.array(keys, dtype="<U32"), answers=np.array(answers))
            with whole(folder / "cascade.json") as aside:
                aside.write_text(json.dumps({**{name: getattr(self, name) for name in SETTINGS}, "files": files}))
        except BaseException:
            _remove(folder, files.values())
            raise
        _remove(folder, {path.name for path in folder.glob("*-*") if OURS.fullmatch(path.name)} - set(files.values()))

    @classmethod
    def load(cls, folder):
        """The cascade that `save` wrote into the folder; its counts begin at 0.

        Raises FileNotFoundError where there is none, and ValueError where a file is not what `save` writes.
        """
        path = Path(folder, "cascade.json")
        try:
            settings = json.loads(path.read_text())
            files = settings.pop("files", FIRST_EDITION)
            models = [keras.models.load_model(path.with_name(files[name])) for name in MODELS]
            cascade = cls(*models, **settings)
            with np.load(path.with_name(files["memory"]), allow_pickle=False) as memory:
                cascade._remember(memory["keys"].tolist(), memory["answers"])
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"There is no whole cascade in {folder} ({error}): cascade.save writes one."
            ) from None
        except (TypeError, ValueError, KeyError, AttributeError, OSError) as error:
            raise ValueError(f"{folder} holds no cascade as cascade.save writes it: {error}") from error
        return cascade

    def _remember(self, keys, answers):
        """Fill the memory, the oldest first; refuse what no cascade of these models can have remembered."""
        if len(keys):
            classes = [*_classes(self.student, self.teacher), answers.shape[-1]][0]
            if answers.shape != (len(keys), classes) or not np.allclose(answers.sum(axis=1), 1) or (answers < 0).any():
                raise ValueError(f"its memory has answers of the shape {answers.shape} that are no probabilities.")
        kept = list(zip(keys, answers, strict=True))[-self.memory :] if self.memory else []
        self._remembered.update(kept)

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
            logits = within(self.timeout, lambda: _call(self.teacher, x[list(rows.values())]))
            if np.isnan(logits).any() or np.isposinf(logits).any():
                raise ArithmeticError("its answer contains NaN or infinity")
        except Exception as error:  # whatever happens to the teacher, the questions get their answers
            what = f"{type(error).__name__} {error}".strip()
            warn(f"The teacher failed ({what}), so the student answered alone.", self._said)
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
    classes = _classes(student, teacher)
    if len(set(classes)) > 1:
        raise ValueError(
            f"The student has {classes[0]} outputs and the teacher {classes[1]}: they must be the same classes."
        )


def _remove(folder, names):
    for name in names:
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def _classes(*models):
    """The number of outputs of each model that says it beforehand."""
    return [model.outputs[0].shape[-1] for model in models if getattr(model, "outputs", None)]


def _share(value, name):
    return require_number(value, name, "between 0 and 1", lambda share: 0 <= share <= 1)


def _questions(x):
    if isinstance(x, dict):
        raise ValueError("x is a dictionary, and a Cascade takes one array: its memory looks examples up by content.")
    x = np.asarray(x)
    if x.ndim == 0 or not len(x):
        raise ValueError(f"x has the shape {x.shape}: give at least one example, [n, ...].")
    return x.astype(str) if x.dtype == object else x


def _call(model, x):
    """The model's output as an array. Without `model.predict`, which two threads may not use at the same time."""
    output = model(x, training=False) if isinstance(model, keras.Layer) else model(x)
    return np.asarray(one_output(output, "model"), dtype=np.float64)


def _checked(logits, name, examples, classes=None):
    if logits.ndim != 2 or len(logits) != examples or (classes or logits.shape[1]) != logits.shape[1]:
        raise ValueError(
            f"The {name} gives the shape {logits.shape} for {examples} examples instead of "
            f"{(examples, classes or 'classes')}: both models must give one logit for each of the same classes."
        )
    return require_logits(logits, what=f"The {name}'s output")


def _content(row):
    """A short text that is the same for the same example, however long the batch's other texts are."""
    content = repr(row.tolist()).encode() if row.dtype.kind in "US" else np.ascontiguousarray(row).tobytes()
    kind = "text" if row.dtype.kind in "US" else row.dtype.str  # the same bytes may be other numbers
    return hashlib.blake2b(kind.encode() + content, digest_size=16).hexdigest()
