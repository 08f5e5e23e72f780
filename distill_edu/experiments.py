"""`sweep`: a table of what became of many students, for every size, temperature, alpha and seed."""

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
from distill_edu._inside.cache_key import Incomparable
from distill_edu._inside.check_values import require_attributes, require_columns, require_count
from distill_edu.classroom import Classroom
from distill_edu.losses import named_soft_loss
from distill_edu.metrics import report, require_examples
from distill_edu.models import teacher_logits

PARTS = ("train", "valid", "test")


def sweep(
    dataset, teacher, build_student, *, temperatures=4.0, alphas=0.1, sizes=32, seeds=5, steps=1000, batch_size=32,
    optimizer="adam", soft_loss="kl", student_loss=None, transfer=False, at_once=40, keep_weights=False, progress=True,
):  # fmt: skip
    """Train a student for every size, temperature, alpha and seed: a pandas table with one row per student.

    `build_student(size)` returns an untrained student. Keras's seed is set before each call, so students of one size
    and seed start from the same weights. `seeds`: the seeds, or their number. `steps`: updates of each student, on the
    same batches for all. `soft_loss`, `student_loss`: see Distiller.compile. `transfer`: train on `dataset.transfer`,
    too, which has no labels. `at_once`: how many students are trained together.

    Columns: size, temperature, alpha, seed, parameters, seconds; accuracy, nll (nats), ece and agreement with the
    teacher on three parts (train_accuracy, ...; train: the labelled examples); test_right, an array [examples]; with
    `keep_weights`, weights. Choose by the `valid_` columns. Of sequences, with labels [n, time] and -1 at padding, each
    place counts. Ctrl-C returns the rows that are finished. `cache` keeps each row; your own losses count by their
    code, and what cannot be compared is trained without being kept, with a warning.

    >>> import keras, numpy as np
    >>> from distill_edu import Dataset, sweep
    >>> data = Dataset("points", *[(np.eye(3, dtype="float32"), np.arange(3))] * 3, ("a", "b", "c"))
    >>> build = lambda units: keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    >>> table = sweep(data, build(0), build, temperatures=[1, 4], seeds=1, steps=2, progress=False)
    >>> table[["temperature", "seed", "parameters"]].values.tolist()
    [[1, 0, 12], [4, 0, 12]]
    """
    _require_all(dataset, transfer, soft_loss, steps=steps, batch_size=batch_size, at_once=at_once)
    seed_afterwards = random.getrandbits(31)
    optimizer = keras.optimizers.get(optimizer)
    settings = _combinations(size=sizes, temperature=temperatures, alpha=alphas, seed=_seeds(seeds))
    parts = {part: _answered(teacher, *getattr(dataset, part)) for part in PARTS}
    lesson = _lesson(parts["train"], teacher, dataset.transfer if transfer else None)
    course = _Course(build_student, optimizer, soft_loss, student_loss, steps, batch_size, keep_weights, parts, lesson)
    keys = _keys(settings, course)
    rows = _rows(settings, keys, course, at_once, progress)
    keras.utils.set_random_seed(seed_afterwards)  # the same whether students were trained or remembered
    return _table(rows, keep_weights)


class _Course(NamedTuple):
    """What all students of a sweep have in common."""

    build_student: object
    optimizer: object
    soft_loss: object
    student_loss: object
    steps: int
    batch_size: int
    keep_weights: bool
    parts: dict  # name of a part -> _Answered
    lesson: tuple  # (x, targets) to train on


class _Answered(NamedTuple):
    """Examples, their labels, and the teacher's logits."""

    x: np.ndarray
    labels: np.ndarray
    teacher_logits: np.ndarray

    def flat(self, logits):
        """Labels [n] and logits [n, classes] of the examples; of sequences, of all places that are no padding."""
        sequences = self.labels.ndim > 1 and self.labels.shape == logits.shape[:-1]
        counts = self.labels != -1 if sequences else slice(None)
        return self.labels[counts], logits[counts]


def _answered(teacher, x, labels):
    answered = _Answered(x, labels, teacher_logits(teacher, x))
    require_examples(*answered.flat(answered.teacher_logits))
    return answered


def _require_all(dataset, transfer, soft_loss, **counts):
    require_attributes(dataset, PARTS, "dataset", "a Dataset, such as load_dataset('mnist5k')")
    for name, count in counts.items():
        require_count(count, name)
    if transfer and dataset.transfer is None:
        raise ValueError("This dataset has no transfer set: load it with labelled=... below 1, or leave transfer out.")
    if transfer and np.ndim(dataset.train[1]) > 1:
        raise ValueError(
            "Padding is marked in the labels, by -1, and a transfer set has no labels: leave transfer out."
        )
    if getattr(named_soft_loss(soft_loss), "task", "classes") != "classes":
        raise ValueError(f"A sweep reports accuracies of classes, and soft_loss={soft_loss!r} is for other labels.")


def restore_students(table, build_student):
    """The trained students of a sweep, in the order of its table: a list of (size, student).

    `table`: what `sweep(..., keep_weights=True)` returned. `build_student`: as for the sweep.

    >>> import keras, numpy as np, pandas
    >>> from distill_edu import restore_students
    >>> table = pandas.DataFrame({"size": [2], "weights": [[np.ones((3, 2)), np.zeros(2)]]})
    >>> [(size, student)] = restore_students(table, lambda units: keras.Sequential(
    ...     [keras.Input((3,)), keras.layers.Dense(units)]))
    >>> size, student.count_params()
    (2, 8)
    """
    require_columns(table, ["weights"], "sweep(..., keep_weights=True)")
    students = [(size, build_student(size)) for size in table["size"].tolist()]
    for (_, student), weights in zip(students, table.weights, strict=True):
        student.set_weights(weights)
    return students


def _rows(settings, keys, course, at_once, progress):
    """The rows of the table, remembered or trained, one classroom after the other, until all are there or Ctrl-C."""
    kept = [None if key is None else cache.recall(key) for key in keys]
    rows = {number: row for number, row in enumerate(kept) if row is not None}
    todo = [number for number in range(len(settings)) if number not in rows]
    try:
        with _progress_bar(len(todo) * course.steps, progress) as bar:
            for start in range(0, len(todo), at_once):
                group = todo[start : start + at_once]
                trained = _train_together([settings[number] for number in group], course, bar)
                for number, row in zip(group, trained, strict=True):
                    rows[number] = row if keys[number] is None else cache.keep(keys[number], row)
    except KeyboardInterrupt:
        warnings.warn(f"Stopped: {len(rows)} of {len(settings)} students are finished.", stacklevel=3)
    return [rows[number] for number in sorted(rows)]


def _combinations(**axes):
    """All combinations of the axes: [{"size": ..., "temperature": ..., "alpha": ..., "seed": ...}]."""
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


def _untrained(build_student, setting):
    keras.utils.set_random_seed(setting["seed"])
    if isinstance(build_student, keras.Model):
        raise TypeError("build_student must be a function from a size to a new student, not a student.")
    student = build_student(setting["size"])
    if not isinstance(student, keras.Model):
        raise TypeError(f"build_student(size) must return a Keras model, not {type(student).__name__}.")
    return student


def _keys(settings, course):
    """A key for each student; None for all, with a warning, where something cannot be compared with another time."""
    try:
        common = {**course._asdict(), "build_student": None, "soft_loss": named_soft_loss(course.soft_loss)}
        of_course = cache.key("sweep", sorted(common.items()))
        # Students count by what build_student returns, which also depends on what the function reads elsewhere.
        starts = {}
        for setting in settings:
            size, seed = start = setting["size"], setting["seed"]
            if start not in starts:
                starts[start] = cache.key(_untrained(course.build_student, setting))
        return [cache.key(of_course, setting, starts[setting["size"], setting["seed"]]) for setting in settings]
    except Incomparable as error:
        warnings.warn(f"The students of this sweep are not kept: {error}", stacklevel=3)
        return [None] * len(settings)


def _train_together(settings, course, bar):
    """Train a student for each of the settings, all in one Classroom: their rows of the table."""
    students = [_untrained(course.build_student, setting) for setting in settings]
    temperatures, alphas = ([setting[name] for setting in settings] for name in ("temperature", "alpha"))
    classroom = Classroom(students=students, temperatures=temperatures, alphas=alphas)
    at_a_time = math.gcd(course.steps, 20)  # after so many steps Keras runs callbacks, such as the bar's
    losses = {"soft_loss": course.soft_loss, "student_loss": course.student_loss}
    classroom.compile(course.optimizer, **losses, steps_per_execution=at_a_time)
    start = time.perf_counter()
    updates = at_a_time * len(students)
    advance = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update(updates))
    endless = batches(course.lesson, course.batch_size)
    with classroom.held():
        classroom.fit(endless, steps_per_epoch=course.steps, shuffle=False, verbose=0, callbacks=[advance])
    seconds = (time.perf_counter() - start) / len(students)
    classroom.steps_per_execution = 1  # few large calls, each traced anew, would look to TensorFlow like a mistake
    logits = {part: classroom.predict(asked.x, batch_size=256, verbose=0) for part, asked in course.parts.items()}
    rows = []
    for number, (setting, student) in enumerate(zip(settings, students, strict=True)):
        row = {**setting, "parameters": student.count_params(), "seconds": seconds}
        row.update(_results(course.parts, {part: each[:, number] for part, each in logits.items()}))
        rows.append({**row, "weights": student.get_weights()} if course.keep_weights else row)
    return rows


def batches(lesson, batch_size):
    """The examples in batches, without an end: in each round in another order, which is the same for all students.

    `lesson`: (x, targets), each an array [examples, ...] or a dictionary of arrays. Returns a tf.data.Dataset.

    >>> import numpy as np
    >>> [x.numpy().tolist() for x, _ in batches((np.arange(4), np.arange(4)), 2).take(2)]  # doctest: +ELLIPSIS
    [[...], [...]]
    """
    keras.utils.set_random_seed(0)  # building students has set another: batches must not depend on the students
    data = tf.data.Dataset.from_tensor_slices(lesson)
    # There is nothing to tune, and a tuner that is asleep when the pipeline ends doubles the seconds (up to a minute).
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    return data.shuffle(len(lesson[0]), seed=0).repeat().batch(batch_size).prefetch(2).with_options(untuned)


def _results(parts, logits):
    """One student's columns: the metrics on each part, and on which test examples it is right."""
    columns = {}
    for part, answered in parts.items():
        labels, student_logits = answered.flat(logits[part])
        _, teacher_logits = answered.flat(answered.teacher_logits)
        metrics = report(labels, student_logits, teacher_logits)
        columns.update((f"{part}_{name}", value) for name, value in metrics.items())
        if part == "test":
            columns["test_right"] = student_logits.argmax(axis=-1) == labels
    return columns


def _progress_bar(updates, shown):
    from tqdm.auto import tqdm

    return tqdm(total=updates, unit=" updates", unit_scale=True, leave=False, disable=not (shown and updates))


def _table(rows, keep_weights):
    """The rows as a table; without any row it has its columns, too."""
    import pandas

    of_parts = [f"{part}_{name}" for part in PARTS for name in ("accuracy", "nll", "ece", "agreement")]
    columns = ["size", "temperature", "alpha", "seed", "parameters", "seconds", *of_parts, "test_right"]
    return pandas.DataFrame(rows, columns=[*columns, "weights"] if keep_weights else columns)
