"""`sweep`: a table of what became of many students, for every size, temperature, alpha and seed."""

import functools
import itertools
import time
import warnings

import numpy as np

from distill_edu import cache
from distill_edu.arguments import check_columns, check_count, check_has
from distill_edu.backend import keras, tf
from distill_edu.classroom import Classroom
from distill_edu.distiller import teacher_logits
from distill_edu.metrics import report
from distill_edu.models import architecture

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
    transfer=False,
    at_once=40,
    keep_weights=False,
    progress=True,
):
    """Train a student for every size, temperature, alpha and seed: a pandas table with one row per student.

    `build_student(size)`: an untrained student. Keras's seed is set before each call, so students of one size and seed
    start from the same weights. `seeds`: the seeds, or how many. `steps`: updates of each student, on batches that are
    the same for all. `transfer`: train on `dataset.transfer`, too, which has no labels. `at_once`: how many students
    are trained together. Columns: size, temperature, alpha, seed, parameters, seconds, and accuracy, nll, ece and
    agreement with the teacher on three parts (train_accuracy, ...; train: the labelled examples); with `keep_weights`,
    weights, for `build_student(size).set_weights`. Choose by the valid_ columns.
    Ctrl-C returns the students that are finished. Rows are kept on disk, see `cache.folder`.
    """
    _check_sweep(dataset, transfer, steps=steps, batch_size=batch_size, at_once=at_once)
    optimizer = keras.optimizers.get(optimizer)
    plan = _plan(size=sizes, temperature=temperatures, alpha=alphas, seed=_seeds(seeds))
    parts = {part: (*getattr(dataset, part), teacher_logits(teacher, getattr(dataset, part)[0])) for part in PARTS}
    lesson = _lesson(parts["train"], teacher, dataset.transfer if transfer else None)
    how = {"steps": steps, "batch_size": batch_size, "keep_weights": keep_weights}
    keys = _keys(cache.key(parts, lesson, how, architecture(optimizer)), plan, build_student)
    rows = {key: row for key in keys if (row := cache.recall(key)) is not None}
    todo = [(key, one) for key, one in zip(keys, plan, strict=True) if key not in rows]
    how = {**how, "build_student": build_student, "optimizer": optimizer, "lesson": lesson, "parts": parts}
    with _progress_bar(len(todo) * steps, progress) as bar:
        _fill(rows, todo, at_once, functools.partial(_teach, bar=bar, **how))
    return _table([rows[key] for key in keys if key in rows])


def _check_sweep(dataset, transfer, **counts):
    check_has(dataset, PARTS, "dataset", "a Dataset, such as load_dataset('mnist5k')")
    for name, count in counts.items():
        check_count(count, name)
    if transfer and dataset.transfer is None:
        raise ValueError("This dataset has no transfer set: load it with labelled=... below 1, or leave transfer out.")


def restore_students(table, build_student):
    """The trained students of a sweep with `keep_weights`, in the table's order: a list of (size, student)."""
    check_columns(table, ["weights"], "sweep(..., keep_weights=True)")
    students = [(size, build_student(size)) for size in table["size"].tolist()]
    for (_, student), weights in zip(students, table.weights, strict=True):
        student.set_weights(weights)
    return students


def _fill(rows, todo, at_once, teach):
    """Teach what is to do, one classroom after the other, into `rows`, until it is done or Ctrl-C."""
    total = len(rows) + len(todo)
    try:
        for group in (todo[start : start + at_once] for start in range(0, len(todo), at_once)):
            done = teach([one for _, one in group])
            rows.update((key, cache.keep(key, row)) for (key, _), row in zip(group, done, strict=True))
    except KeyboardInterrupt:
        warnings.warn(f"Stopped: {len(rows)} of {total} students are finished.", stacklevel=3)


def _plan(**axes):
    values = [np.atleast_1d(values).tolist() for values in axes.values()]
    for name, some in zip(axes, values, strict=True):
        if not some:
            raise ValueError(f"There is no {name} to train for: give at least one.")
    return [dict(zip(axes, one, strict=True)) for one in itertools.product(*values)]


def _seeds(seeds):
    seeds = range(seeds) if isinstance(seeds, int) else seeds
    return [check_count(seed, "A seed", least=0) for seed in seeds]


def _lesson(train, teacher, transfer):
    """(x, targets) to train on; the examples of `transfer` come without labels."""
    x, y, logits = train
    if transfer is not None:
        x, y = np.concatenate([x, transfer]), np.concatenate([y, np.full(len(transfer), -1, y.dtype)])
        logits = np.concatenate([logits, teacher_logits(teacher, transfer)])
    return x, {"labels": y, "teacher_logits": logits}


def _student(build_student, one):
    keras.utils.set_random_seed(one["seed"])
    if isinstance(build_student, keras.Model):
        raise TypeError("build_student must be a function from a size to a new student, not a student.")
    student = build_student(one["size"])
    if not isinstance(student, keras.Model):
        raise TypeError(f"build_student(size) must return a Keras model, not {type(student).__name__}.")
    return student


def _keys(common, plan, build_student):
    """A key for each row, of all that it depends on: the student's architecture and initial weights among it."""
    starts = {}
    for one in plan:
        if (one["size"], one["seed"]) not in starts:
            student = _student(build_student, one)
            weights = [np.array(variable) for variable in student.variables]
            starts[one["size"], one["seed"]] = cache.key(architecture(student), weights)
    return [cache.key(common, one, starts[one["size"], one["seed"]]) for one in plan]


def _teach(settings, build_student, optimizer, lesson, parts, bar, steps, batch_size, keep_weights):
    """Train one classroom: the rows of its students."""
    students = [_student(build_student, one) for one in settings]
    temperatures, alphas = ([one[name] for one in settings] for name in ("temperature", "alpha"))
    classroom = Classroom(students=students, temperatures=temperatures, alphas=alphas)
    classroom.compile(optimizer)
    start = time.perf_counter()
    advance = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update(len(students)))
    batches = _batches(lesson, batch_size)
    classroom.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[advance])
    seconds = (time.perf_counter() - start) / len(students)
    logits = {part: classroom.predict(x, batch_size=256, verbose=0) for part, (x, _, _) in parts.items()}
    rows = [_results(settings[i], students[i], parts, logits, i, seconds) for i in range(len(students))]
    for row, student in zip(rows, students, strict=True):
        row.update({"weights": student.get_weights()} if keep_weights else {})
    return rows


def _batches(lesson, batch_size):
    keras.utils.set_random_seed(0)  # building the students has set it: the batches must not depend on who is taught
    data = tf.data.Dataset.from_tensor_slices(lesson)
    return data.shuffle(len(lesson[0]), seed=0).repeat().batch(batch_size).prefetch(2)


def _results(one, student, parts, logits, i, seconds):
    row = {**one, "parameters": student.count_params(), "seconds": seconds}
    for part, (_, labels, teachers) in parts.items():
        values = report(labels, logits[part][:, i], teachers)
        row.update({f"{part}_{name}": value for name, value in values.items()})
    return row


def _progress_bar(updates, shown):
    from tqdm.auto import tqdm

    return tqdm(total=updates, unit=" updates", unit_scale=True, leave=False, disable=not (shown and updates))


def _table(rows):
    import pandas

    return pandas.DataFrame(rows)
