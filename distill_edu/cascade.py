"""`Cascade`: the student answers where it is confident; the teacher answers the rest and is remembered."""

import collections
import contextlib
import json
import re
import secrets
import sys
import threading
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from distill_edu._inside import check_values, tasks
from distill_edu._inside.backend import keras
from distill_edu._inside.check_models import require_stateless
from distill_edu._inside.content import content_key
from distill_edu._inside.disk import whole
from distill_edu._inside.layer_outputs import one_output, unchanged
from distill_edu._inside.time_limit import within
from distill_edu.metrics import threshold_curve
from distill_edu.probabilities import entropy

MODELS, SETTINGS = ("student", "teacher"), ("threshold", "memory", "confidence", "temperature", "timeout")
WRITTEN = re.compile(r"(student|teacher|memory)-[0-9a-f]{8}\.(keras|npz)")  # the names of the files that `save` writes

# probabilities [n, classes] -> confidence [n], from 0 (all classes are equal; 1 / classes for "max") to 1
CONFIDENCES = {
    "max": lambda p: p.max(axis=-1),
    "margin": lambda p: np.diff(np.sort(p, axis=-1)[:, -2:], axis=-1)[:, 0],  # the largest minus the second largest
    "entropy": lambda p: np.maximum(0, 1 - entropy(p) / np.log(p.shape[-1])),
}


class Answers(NamedTuple):
    """The result of `Cascade.predict`: labels [n], probabilities [n, classes], and sources [n], who answered.

    >>> Cascade(lambda x: x, lambda x: 9 * x).predict([[0.0, 2.0]]).sources.tolist()
    ['teacher']
    """

    labels: np.ndarray
    probabilities: np.ndarray
    sources: np.ndarray


class Cascade:
    """A student that asks its teacher when it is not confident, and remembers the answers.

    `student`, `teacher`: Keras models or functions, x [n, ...] -> logits [n, classes]. A function that gives
    probabilities becomes one by functools.partial(teacher_logits, function, gives="probabilities"). The student answers
    where its confidence is at least `threshold`. The other examples are looked up in the memory, which keeps the
    `memory` answers that were used last; the teacher is called once, for all examples that are not there.
    `confidence`: "max", "margin" or "entropy". `temperature` divides the student's logits, see
    metrics.temperature_scaling. If the teacher raises an error, gives NaN or needs more than `timeout` seconds, the
    student answers, and a warning says so; what `teacher_logits` refuses is raised. Several threads may use one
    cascade. After Viola and Jones 2001, section 4.

    >>> cascade = Cascade(student=lambda x: x, teacher=lambda x: 9 * x, threshold=0.9)
    >>> cascade.predict([[3.0, 0.0], [0.0, 2.0]]).sources.tolist()
    ['student', 'teacher']
    """

    def __init__(self, student, teacher, threshold=0.9, memory=1024, confidence="max", temperature=1.0, timeout=None):
        _require_models(student, teacher)
        if confidence not in CONFIDENCES:
            raise ValueError(f"confidence must be one of {', '.join(CONFIDENCES)}, not {confidence!r}.")
        self.memory = check_values.require_count(memory, "memory (how many answers are kept)", least=0)
        if timeout is not None:
            allowed = "a number of seconds above 0, or None to wait for ever"
            timeout = check_values.require_number(timeout, "timeout", allowed, lambda seconds: seconds > 0)
        self.student, self._teacher, self._lock, self._warned = student, teacher, threading.Lock(), {}
        self._alike = collections.defaultdict(set)  # model -> answers that look like probabilities; None: one does not
        self.threshold, self.confidence, self.timeout = threshold, confidence, timeout
        self.temperature = check_values.require_temperature(temperature)
        self.forget()

    @property
    def teacher(self):
        """The model that is asked. Setting another teacher empties the memory; after more training call `forget`."""
        return self._teacher

    @teacher.setter
    def teacher(self, teacher):
        _require_models(self.student, teacher)
        self._teacher = teacher
        self.forget()

    @property
    def threshold(self):
        """The confidence in [0, 1] from which the student answers; at 0 the student answers everything."""
        return self._threshold

    @threshold.setter
    def threshold(self, value):
        self._threshold = _require_share(value, "threshold")

    @property
    def stats(self):
        """How many examples the student, the memory and the teacher have answered; failed: the teacher did not."""
        with self._lock:
            return dict(self._stats)

    def forget(self):
        """Empty the memory and set the counts to 0."""
        with self._lock:
            self._remembered = collections.OrderedDict()  # key -> probabilities [classes], the last used at the end
            self._stats = collections.Counter(student=0, memory=0, teacher=0, failed=0)

    def predict(self, x):
        """Answer the examples x [n, ...]: labels, probabilities, and sources (a key of `stats` for each example).

        Raises ValueError for an x that is not one array, and for models whose outputs do not fit together.
        """
        x = check_values.require_one_array(x, student=self.student, teacher=self.teacher)
        probabilities = self._student_probabilities(x)
        sources = np.full(len(x), "student", dtype="<U7")
        unsure = np.flatnonzero(CONFIDENCES[self.confidence](probabilities) < self.threshold)
        keys = {row: content_key(x[row]) for row in unsure}
        known = self._recall(dict.fromkeys(keys.values()))
        new = {}  # key -> the first row with this example, which is not in the memory
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
        with self._lock:
            self._stats.update(sources.tolist())
        return Answers(probabilities.argmax(axis=1), probabilities, sources)

    def curve(self, x, y):
        """Compute what every threshold gives on labelled data: a table of threshold, teacher_share, accuracy.

        `y`: integer labels [n], -1 for an example that does not count. Both models answer everything, without memory.
        """
        x, y = check_values.require_one_array(x, student=self.student, teacher=self.teacher), np.asarray(y)
        if y.shape != x.shape[:1] or y.dtype.kind not in "iu":
            raise ValueError(f"y has the shape {y.shape} and is {y.dtype}: give {len(x)} integer labels.")
        known, probabilities = y != tasks.NO_LABEL, self._student_probabilities(x)
        check_values.require_classes(y[known], probabilities.shape[1])
        teacher_logits = self._logits("teacher", _call(self.teacher, x), *probabilities.shape)
        student_right, teacher_right = (each.argmax(axis=1) == y for each in (probabilities, teacher_logits))
        confidence = CONFIDENCES[self.confidence](probabilities)
        return threshold_curve(confidence[known], student_right[known], teacher_right[known])

    def calibrate(self, x, y, *, max_teacher_share=None, min_accuracy=None):
        """Choose the threshold on labelled data that trained neither model; set it and return it.

        Give one limit: the largest share of examples for the teacher (the most accurate threshold within it is chosen),
        or the smallest accuracy (the threshold that reaches it with the smallest share is chosen).
        """
        if (max_teacher_share is None) == (min_accuracy is None):
            raise ValueError("Give either max_teacher_share or min_accuracy.")
        curve = self.curve(x, y)
        if min_accuracy is None:
            fits = curve[curve.teacher_share <= _require_share(max_teacher_share, "max_teacher_share")]
            fits = fits[fits.accuracy == fits.accuracy.max()]
        else:
            fits = curve[curve.accuracy >= _require_share(min_accuracy, "min_accuracy")]
        if fits.empty:
            best = curve.accuracy.max()
            raise ValueError(f"No threshold reaches an accuracy of {min_accuracy}; the best is {best:.4f}.")
        self.threshold = fits.threshold[fits.teacher_share.idxmin()]
        return self.threshold

    def save(self, folder):
        """Write both models, which must be Keras models, the settings and the memory into a folder.

        An older cascade there is replaced when everything is written: `cascade.json` names the files that count.
        """
        folder, token = Path(folder), secrets.token_hex(4)
        for name in MODELS:
            if not isinstance(getattr(self, name), keras.Model):
                raise TypeError(f"The {name} is not a Keras model, so it cannot be saved: save the Keras model inside.")
        folder.mkdir(parents=True, exist_ok=True)
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
        _remove(folder, {path.name for path in folder.iterdir() if WRITTEN.fullmatch(path.name)} - set(files.values()))

    @classmethod
    def load(cls, folder):
        """Return the cascade that `save` wrote into the folder, with counts of 0.

        Raises FileNotFoundError if there is none, and ValueError if a file is not what `save` writes.
        """
        path = Path(folder, "cascade.json")
        try:
            settings = json.loads(path.read_text())
            files = settings.pop("files")
            models = [keras.models.load_model(path.with_name(files[name])) for name in MODELS]
            cascade = cls(*models, **settings)
            with np.load(path.with_name(files["memory"]), allow_pickle=False) as memory:
                cascade._fill_memory(memory["keys"].tolist(), memory["answers"])
        except FileNotFoundError as error:
            sentence = f"There is no whole cascade in {folder} ({error}): cascade.save writes one."
            raise FileNotFoundError(sentence) from None
        except Exception as error:  # a file that was cut or changed may raise anything
            raise ValueError(f"{folder} holds no cascade as cascade.save writes it: {error}") from error
        return cascade

    def _fill_memory(self, keys, answers):
        """Fill the memory, the oldest first; refuse answers that these models cannot have given."""
        if len(keys):
            classes = [*_known_classes(self.student, self.teacher), answers.shape[-1]][0]
            if answers.shape != (len(keys), classes) or not np.allclose(answers.sum(axis=1), 1) or (answers < 0).any():
                raise ValueError(f"its memory has answers of the shape {answers.shape} that are no probabilities.")
        pairs = [(key, row.copy()) for key, row in zip(keys, answers, strict=True)]  # no view of the whole file
        self._remembered.update(pairs[-self.memory :] if self.memory else [])

    def _student_probabilities(self, x):
        return softmax(self._logits("student", _call(self.student, x), len(x)) / self.temperature, axis=-1)

    def _logits(self, name, output, examples, classes=None):
        """The logits [examples, classes] in a model's output. A few rows may look like probabilities by chance."""
        logits, what = one_output(output, name), f"The {name}'s output"
        if logits.ndim != 2 or len(logits) != examples or (classes or logits.shape[1]) != logits.shape[1]:
            given = f"The {name} gives the shape {logits.shape} for {examples} examples instead of "
            raise ValueError(f"{given}{(examples, classes or 'classes')}: one logit for each of the same classes.")
        logits = check_values.require_finite_logits(logits, what)
        rows = self._alike[name, id(getattr(self, name))]
        rows |= {row.tobytes() for row in logits} if check_values.may_be_probabilities(logits) else {None}
        if len(rows) >= check_values.MANY and None not in rows:
            raise ValueError(check_values.NO_LOGITS.format(what))
        return logits

    def _recall(self, keys):
        with self._lock:
            found = {key: self._remembered[key] for key in keys if key in self._remembered}
            for key in found:
                self._remembered.move_to_end(key)
        return found

    def _ask(self, x, rows, classes):
        """The teacher's probabilities, key -> [classes], which are remembered; none if it fails. `rows`: key -> row."""
        if not rows:
            return {}
        try:
            output = within(self.timeout, lambda: _call(self.teacher, x[list(rows.values())]))
            if any(np.isnan(part).any() or np.isposinf(part).any() for part in keras.tree.flatten(output)):
                raise ArithmeticError("its answer contains NaN or infinity")
        except Exception as error:  # whatever happens to the teacher, the examples get their answers
            if check_values.is_wrong_use(error):
                raise
            self._warn(f"{type(error).__name__} {error}".strip())
            return {}
        probabilities = softmax(self._logits("teacher", output, len(rows), classes), axis=-1)
        answers = {key: row.copy() for key, row in zip(rows, probabilities, strict=True)}  # no view of the whole batch
        with self._lock:
            self._remembered.update(answers)
            while len(self._remembered) > self.memory:
                self._remembered.popitem(last=False)
        return answers

    def _warn(self, problem):
        """Warn at the line that called `predict`. Python would keep every new text for ever; here it is forgotten."""
        if len(self._warned) > 100:
            self._warned.clear()
        text, caller = f"The teacher failed ({problem}), so the student answered alone.", sys._getframe(3)  # noqa: SLF001
        warnings.warn_explicit(text, UserWarning, caller.f_code.co_filename, caller.f_lineno, registry=self._warned)


def _require_models(student, teacher):
    """Refuse what is no model, and Keras models that end in probabilities or do not fit together."""
    for name, model in (("student", student), ("teacher", teacher)):
        if not callable(model):
            raise TypeError(f"The {name} must be a Keras model or a function from x to logits, not {model!r}.")
        check_values.require_logits_alone(model, name, "a Cascade")
        require_stateless(model, name)
        if (ending := check_values.last_activation(model)) in ("softmax", "sigmoid"):
            raise ValueError(
                f"The {name}'s output looks like probabilities, because the model ends in a {ending}, and a Cascade "
                f"needs logits: take the {ending} off the last layer."
            )
    if len(set(classes := _known_classes(student, teacher))) > 1:
        raise ValueError("The student has {} outputs and the teacher {}: give the same classes.".format(*classes))


def _remove(folder, names):
    for name in names:
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def _known_classes(*models):
    """The number of classes of each model that tells it without being called."""
    return [model.outputs[0].shape[-1] for model in models if getattr(model, "outputs", None)]


def _require_share(value, name):
    return check_values.require_number(value, name, "between 0 and 1", lambda share: 0 <= share <= 1)


def _call(model, x):
    """The model's output as arrays. Without `model.predict`, which two threads may not use at the same time."""
    requirement = "A model must give an array of numbers, [n, classes]"
    with unchanged(model, "model") if getattr(model, "built", False) else contextlib.nullcontext():
        output = model(x, training=False) if isinstance(model, keras.Layer) else model(x)
    return keras.tree.map_structure(lambda part: check_values.require_numbers(part, requirement), output)
