"""`sweep`: a table of what became of many students, for every size, temperature, alpha and seed."""

import functools
import itertools
import math
import numbers
import random
import time
import warnings
from typing import NamedTuple

import numpy as np

from distill_edu import cache
from distill_edu._inside.backend import keras, tf
from distill_edu._inside.cache_key import architecture, loss_as_text
from distill_edu._inside.check_values import require_attributes, require_columns, require_count
from distill_edu.classroom import Classroom
from distill_edu.losses import named_soft_loss
from distill_edu.metrics import report, require_examples
from distill_edu.models import teacher_logits

PARTS = ("train", "valid", "test")


def sweep(
    dataset,
    teacher,
    build_student,
    *,
    temperatures=4.0,
    alphas=0.1,
    sizes=32,
    seeds=5,
    steps=1000,
    batch_size=32,
    optimizer="adam",
    soft_loss="kl",
    student_loss=None,
    transfer=False,
    at_once=40,
    keep_weights=False,
    progress=True,
):
    """Train a student for every size, temperature, alpha and seed: a pandas table with one row per student.

    `build_student(size)`: an untrained student. Keras's seed is set before each call, so students of one size and seed
    start from the same weights. `seeds`: the seeds, or how many. `steps`: updates of each student, on batches that are
    the same for all. `soft_loss`, `student_loss`: see Distiller.compile. `transfer`: train on `dataset.transfer`, too,
    which has no labels. `at_once`: how many students are trained together. Columns: size, temperature, alpha, seed,
    parameters, seconds, accuracy, nll, ece and agreement with the teacher on three parts (train_accuracy, ...; train:
    the labelled examples), test_right: [examples]; with `keep_weights`, weights. Choose by the `valid_` columns. Of
    sequences, labels [n, time] with -1 at padding, each place counts. Ctrl-C returns what is done; `cache` keeps it.
    """
    _require_all(dataset, transfer, soft_loss, steps=steps, batch_size=batch_size, at_once=at_once)
    afterwards = random.getrandbits(31)
    optimizer = keras.optimizers.get(optimizer)
    plan = _plan(size=sizes, temperature=temperatures, alpha=alphas, seed=_seeds(seeds))
    parts = {part: _asked(teacher, *getattr(dataset, part)) for part in PARTS}
    course = Course(build_student, optimizer, soft_loss, student_loss, steps, batch_size, keep_weights)
    lesson = _lesson(parts["train"], teacher, dataset.transfer if transfer else None)
    keys = _keys(cache.key(parts, lesson, course.as_text()), plan, build_student)
    rows = _rows(keys, plan, at_once, progress, functools.partial(teach, course=course, lesson=lesson, parts=parts))
    keras.utils.set_random_seed(afterwards)  # the same whether students were trained or remembered
    return _table(rows, keep_weights)


class Course(NamedTuple):
    """What all students of a sweep have in common."""

    build_student: object
    optimizer: object
    soft_loss: object
    student_loss: object
    steps: int
    batch_size: int
    keep_weights: bool

    def as_text(self):
        """All of it but the students, which a key knows by their architecture and weights."""
        return [architecture(self.optimizer), loss_as_text(self.soft_loss), loss_as_text(self.student_loss), *self[4:]]


class Asked(NamedTuple):
    """Examples, their labels, and what the teacher says to them."""

    x: np.ndarray
    labels: np.ndarray
    teacher_logits: np.ndarray

    def flat(self, logits):
        """Labels [n] and logits [n, classes] of the examples; of sequences, of all places that are no padding."""
        sequences = self.labels.ndim > 1 and self.labels.shape == logits.shape[:-1]
        counts = self.labels != -1 if sequences else slice(None)
        return self.labels[counts], logits[counts]


def _asked(teacher, x, labels):
    asked = Asked(x, labels, teacher_logits(teacher, x))
    require_examples(*asked.flat(asked.teacher_logits))
    return asked


def _require_all(dataset, transfer, soft_loss, **counts):
    require_attributes(dataset, PARTS, "dataset", "a Dataset, such as load_dataset('mnist5k')")
    for name, count in counts.items():
        require_count(count, name)
    if transfer and dataset.transfer is None:
        raise ValueError("This dataset has no transfer set: load it with labelled=... below 1, or leave transfer out.")
    if transfer and np.ndim(dataset.train[1]) > 1:
        raise ValueError("Where sequences end is told by their labels, -1 at padding, and a transfer set has none.")
    if getattr(named_soft_loss(soft_loss), "task", "classes") != "classes":
        raise ValueError(f"A sweep reports accuracies of classes, and soft_loss={soft_loss!r} is for other labels.")


def restore_students(table, build_student):
    """The trained students of a sweep with `keep_weights`, in the table's order: a list of (size, student)."""
    require_columns(table, ["weights"], "sweep(..., keep_weights=True)")
    students = [(size, build_student(size)) for size in table["size"].tolist()]
    for (_, student), weights in zip(students, table.weights, strict=True):
        student.set_weights(weights)
    return students


def _rows(keys, plan, at_once, progress, teach):
    """The rows of the plan, remembered or trained, one classroom after the other, until all are there or Ctrl-C."""
    rows = {key: row for key in keys if (row := cache.recall(key)) is not None}
    todo = [(key, setting) for key, setting in zip(keys, plan, strict=True) if key not in rows]
    try:
        with _progress_bar(len(todo) * teach.keywords["course"].steps, progress) as bar:
            for group in (todo[start : start + at_once] for start in range(0, len(todo), at_once)):
                taught = teach([setting for _, setting in group], bar=bar)
                rows.update((key, cache.keep(key, row)) for (key, _), row in zip(group, taught, strict=True))
    except KeyboardInterrupt:
        warnings.warn(f"Stopped: {len(rows)} of {len(keys)} students are finished.", stacklevel=3)
    return [rows[key] for key in keys if key in rows]


def _plan(**axes):
    """Every combination: [{"size": ..., "temperature": ..., "alpha": ..., "seed": ...}]."""
    values = [np.atleast_1d(values).tolist() for values in axes.values()]
    for name, some in zip(axes, values, strict=True):
        if not some:
            raise ValueError(f"There is no {name} to train for: give at least one.")
    return [dict(zip(axes, setting, strict=True)) for setting in itertools.product(*values)]


def _seeds(seeds):
    seeds = range(seeds) if isinstance(seeds, numbers.Integral) else seeds
    return [require_count(seed, "A seed", least=0) for seed in seeds]


def _lesson(train, teacher, transfer):
    """(x, targets) to train on; the examples of `transfer` come without labels."""
    x, y, logits = train
    if transfer is not None:
        x, y = np.concatenate([x, transfer]), np.concatenate([y, np.full(len(transfer), -1, y.dtype)])
        logits = np.concatenate([logits, teacher_logits(teacher, transfer)])
    padding = {"mask": y != -1} if y.ndim > 1 else {}
    return x, {"labels": y, "teacher_logits": logits, **padding}


def _student(build_student, setting):
    keras.utils.set_random_seed(setting["seed"])
    if isinstance(build_student, keras.Model):
        raise TypeError("build_student must be a function from a size to a new student, not a student.")
    student = build_student(setting["size"])
    if not isinstance(student, keras.Model):
        raise TypeError(f"build_student(size) must return a Keras model, not {type(student).__name__}.")
    return student


def _keys(common, plan, build_student):
    """A key for each row, of all that it depends on: the student's architecture and initial weights among it."""
    starts = {}
    for setting in plan:
        start = setting["size"], setting["seed"]
        if start not in starts:
            student = _student(build_student, setting)
            starts[start] = cache.key(architecture(student), [np.array(variable) for variable in student.variables])
    return [cache.key(common, setting, starts[setting["size"], setting["seed"]]) for setting in plan]


def teach(settings, course, lesson, parts, bar):
    """Train one classroom, a student for each of the settings: their rows of the table."""
    students = [_student(course.build_student, setting) for setting in settings]
    temperatures, alphas = ([setting[name] for setting in settings] for name in ("temperature", "alpha"))
    classroom = Classroom(students=students, temperatures=temperatures, alphas=alphas)
    at_a_time = math.gcd(course.steps, 20)  # Keras looks up from its work (callbacks, the bar) after so many
    losses = {"soft_loss": course.soft_loss, "student_loss": course.student_loss}
    classroom.compile(course.optimizer, **losses, steps_per_execution=at_a_time)
    start = time.perf_counter()
    updates = at_a_time * len(students)
    advance = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update(updates))
    endless = batches(lesson, course.batch_size)
    with classroom.held():
        classroom.fit(endless, steps_per_epoch=course.steps, shuffle=False, verbose=0, callbacks=[advance])
    seconds = (time.perf_counter() - start) / len(students)
    classroom.steps_per_execution = 1  # few large calls, each traced anew, would look to TensorFlow like a mistake
    logits = {part: classroom.predict(asked.x, batch_size=256, verbose=0) for part, asked in parts.items()}
    rows = [_results(settings[i], students[i], parts, logits, i, seconds) for i in range(len(students))]
    for row, student in zip(rows, students, strict=True):
        row.update({"weights": student.get_weights()} if course.keep_weights else {})
    return rows


def batches(lesson, batch_size):
    """The lesson's examples in batches, without an end: each time round in another order, the same for everybody."""
    keras.utils.set_random_seed(0)  # building the students has set it: the batches must not depend on who is taught
    data = tf.data.Dataset.from_tensor_slices(lesson)
    # There is nothing to tune, and a tuner that is asleep when the pipeline ends doubles the seconds (up to a minute).
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    return data.shuffle(len(lesson[0]), seed=0).repeat().batch(batch_size).prefetch(2).with_options(untuned)


def _results(setting, student, parts, logits, i, seconds):
    row = {**setting, "parameters": student.count_params(), "seconds": seconds}
    for part, asked in parts.items():
        (labels, mine), (_, theirs) = asked.flat(logits[part][:, i]), asked.flat(asked.teacher_logits)
        row.update({f"{part}_{name}": value for name, value in report(labels, mine, theirs).items()})
    row["test_right"] = mine.argmax(axis=-1) == labels  # the last part is the test
    return row


def _progress_bar(updates, shown):
    from tqdm.auto import tqdm

    return tqdm(total=updates, unit=" updates", unit_scale=True, leave=False, disable=not (shown and updates))


def _table(rows, keep_weights):
    """The rows as a table; one without any row has its columns, too."""
    import pandas

    of_parts = [f"{part}_{name}" for part in PARTS for name in ("accuracy", "nll", "ece", "agreement")]
    columns = ["size", "temperature", "alpha", "seed", "parameters", "seconds", *of_parts, "test_right"]
    return pandas.DataFrame(rows, columns=[*columns, "weights"] if keep_weights else columns)
