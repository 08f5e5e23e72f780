"""`compare`: students that differ in what you ask alone. `sweep`: a grid of settings. `trained`: a teacher."""

import itertools
import numbers
import random

import numpy as np

from distill_edu import cache
from distill_edu._inside.alike import fresh
from distill_edu._inside.backend import keras
from distill_edu._inside.cache_key import made_by, portable_key
from distill_edu._inside.check_experiment import require_arm, require_model
from distill_edu._inside.check_models import require_asked, require_function
from distill_edu._inside.check_values import require_attributes, require_columns, require_count
from distill_edu._inside.lessons import train_teacher
from distill_edu._inside.tasks import NO_LABEL
from distill_edu.evidence import STARTS, TEACHERS, Experiment
from distill_edu.hints import BaseHint
from distill_edu.losses import named_soft_loss
from distill_edu.students import DEFAULTS, Course, Trainer

PARTS = ("train", "valid", "test")
TUNING = 1000  # the first seed of the students that only choose a setting
DETAILS = {"accuracy": ("classes",), "nll": ("classes", "nlls")}  # judge -> what is kept of each test example


def compare(
    data, teacher, student, arms, *, seeds=10, steps=1000, batch_size=32, optimizer="adam", tune=3, judge="accuracy",
    draw=None, show=(), progress=True, jobs=None, **common,
):  # fmt: skip
    """Train students in several arms, with the same starts and the same batches: an `Experiment` that says who won.

    `data`: a Dataset; of sequences x is [n, time], and labels are -1 where nothing counts. `teacher`: a trained model;
    what a teacher from elsewhere has said, {"train": teacher_logits(function, x)}, also for "transfer", and for "valid"
    and "test", where agreement is wanted; or None. `student(data, **settings)` returns a new student, such as
    models.mlp. `arms`: name -> the settings in which this arm differs; settings that all share are given beside it
    (hidden=64, alpha=0.0). An arm may set:

    - temperature, alpha, soft_loss, student_loss: as Distiller.compile; rate: the optimizer's learning rate;
    - hints: one, or a tuple of several; every student gets fresh ones;
    - teacher: another model, or other answers; a function (x, y) -> model, called for each seed; or {"hints": model}
      for the hints alone;
    - targets: a function (soft targets, labels, random generator) -> soft targets, which are learned instead;
    - train: (x, y) in the place of data.train; transfer=True adds data.transfer, which has no labels;
    - mask=False: padding counts, too; anything else is an argument of `student`.

    **A list is tried out**: for each option `tune` students with seeds of their own learn, validation chooses the best
    option by `judge` ("accuracy" or "nll"), and only its `seeds` students meet the test set. `draw`: each seed learns
    from so many training examples of its own, the same in every arm. `show`: arms whose first student is returned as
    a model. Students that were trained before are recalled, see `cache`, and the table's last line says so; Ctrl-C
    keeps what is finished. `jobs`: so many groups of students side by side, as joblib's n_jobs; None takes what
    joblib.parallel_config says, which may name a cluster.

    >>> from distill_edu import compare, load_dataset, models
    >>> data = load_dataset("spirals")
    >>> found = compare(data, None, models.mlp, {"narrow": {"hidden": 2}, "wide": {"hidden": 8}}, alpha=1.0, seeds=2,
    ...                 steps=2, progress=False)
    >>> print(found.gains(over="narrow"))  # doctest: +ELLIPSIS
    wide  ...
    """
    require_attributes(data, PARTS, "data", "a Dataset, such as load_dataset('mnist5k')")
    plan = {name: _options({**common, **arm}) for name, arm in arms.items()}
    course = Course(data, teacher, student, steps, batch_size, optimizer, draw)
    _require_plan(plan, course, judge, tune, show)
    return _carry_out(plan, course, _seeds(seeds), tune, judge, show, {"progress": progress, "jobs": jobs})


def _carry_out(plan, course, seeds, tune, judge, show, how):
    """Choose an option for each arm, train its students, and put together what they show."""
    afterwards = random.getrandbits(31)
    tuner = Trainer(course._replace(parts=("valid",)), **how)
    tried = _tried(tuner, plan, tune, judge)
    chosen = {name: options[_best(tried[name], judge) if name in tried else 0] for name, options in plan.items()}
    trainer = Trainer(course._replace(parts=("test",), details=DETAILS[judge]), **how)
    shown = [list(plan).index(name) * len(seeds) for name in show]
    rows = trainer.rows([(arm, seed) for arm in chosen.values() for seed in seeds], with_weights=shown)
    found = {name: rows[number * len(seeds) : (number + 1) * len(seeds)] for number, name in enumerate(plan)}
    students = {name: trainer.restored(chosen[name], seeds[0], found[name][0]["weights"]) for name in show}
    keras.utils.set_random_seed(afterwards)  # the same whether students were trained or recalled
    return Experiment(
        judge,
        **_tables(found, course.data.test[1]),
        chosen={name: _differing(chosen[name], options) for name, options in plan.items()},
        tried={name: list(zip(plan[name], scores, strict=True)) for name, scores in tried.items()},
        students=students,
        covers=_covers(plan, course.draw),
        kept=max(tuner.kept, trainer.kept).replace(",", " with"),
        new=max(tuner.new, trainer.new),
    )


def _covers(plan, draw):
    """What the intervals cover besides the test examples."""
    teachers = [arm.get("teacher") for options in plan.values() for arm in options]
    own = any(callable(teacher) and not isinstance(teacher, keras.Layer) for teacher in teachers)
    drawn = [] if draw is None else [f"the draw of {draw} training examples"]
    return ", ".join([STARTS, *[TEACHERS] * own, *drawn])


def _differing(chosen, options):
    """What was chosen among the options, as a reader knows it."""
    names = [name for name in chosen if any(option[name] is not chosen[name] for option in options)]
    return {name: _said(chosen[name]) for name in names}


def _options(arm):
    """The arm for every combination of what its lists offer."""
    axes = {name: values for name, values in arm.items() if isinstance(values, list)}
    for name, values in axes.items():
        if not values:
            raise ValueError(f"There is nothing to try for {name}: give at least one value.")
    return [{**arm, **dict(zip(axes, values, strict=True))} for values in itertools.product(*axes.values())]


def _tried(trainer, plan, tune, judge):
    """arm -> the mean validation score of each option, by students with seeds of their own."""
    plan = {name: options for name, options in plan.items() if len(options) > 1}
    seeds = range(TUNING, TUNING + tune)
    rows = trainer.rows([(option, seed) for options in plan.values() for option in options for seed in seeds])
    scores = np.reshape([row["valid"][judge] for row in rows], (-1, tune)).mean(axis=1).tolist()
    return {name: [scores.pop(0) for _ in options] for name, options in plan.items()}


def _best(scores, judge):
    """The place of the best score, the first of equals."""
    return scores.index(max(scores) if judge == "accuracy" else min(scores))


def _said(value):
    """An option as a reader knows it: a function by its name, a hint by its weight."""
    if isinstance(value, tuple):
        return " and ".join(str(_said(each)) for each in value)
    if isinstance(value, BaseHint):
        return f"{type(value).__name__}, weight {value.weight:g}"
    return getattr(value, "__name__", value)


def _tables(found, labels):
    """What an Experiment has for each arm, [seeds, examples]."""
    counts = (labels != NO_LABEL).reshape(len(labels), -1)  # [examples, places]
    known = counts.any(axis=-1)
    right, nll, classes = {}, {}, {}
    for name, rows in found.items():
        test = [row["test"] for row in rows]
        classes[name] = said = np.stack([each["classes"] for each in test])
        hits = (said == labels).reshape(len(said), *counts.shape) & counts
        right[name] = hits[:, known].sum(axis=-1) / counts[known].sum(axis=-1)
        nll[name] = np.stack([each["nlls"][known] if "nlls" in each else each["nll"] for each in test])
    return {"right": right, "nll": nll, "classes": classes}


def _require_plan(plan, course, judge, tune, show):
    require_count(tune, "tune")
    for name in show:
        if name not in plan:
            raise ValueError(f"show is a list of arms, and {name!r} is none of them: {', '.join(plan)}.")
    if judge not in DETAILS:
        raise ValueError(f'judge must be "accuracy" or "nll", not {judge!r}.')
    for option in itertools.chain(*plan.values()):
        _require_arm(option, course)
        own = {name: value for name, value in option.items() if name not in DEFAULTS}
        form = f"a function of {' and '.join(['the data', *own])} that returns a new student, such as models.mlp"
        require_function(course.build, "student", form, course.data, **own)


def _require_arm(arm, course):
    if getattr(named_soft_loss(loss := arm.get("soft_loss", "kl")), "task", "classes") != "classes":
        raise ValueError(
            f"An experiment reports accuracies of classes, and soft_loss={loss!r} is for other labels: use a Distiller."
        )
    require_arm(arm, course)


def _seeds(seeds):
    seeds = range(seeds) if isinstance(seeds, numbers.Integral) else seeds
    if not len(seeds):
        raise ValueError("There is no seed to train with: give at least one.")
    return [require_count(seed, "A seed", least=0) for seed in seeds]


def trained(
    build, data, *, epochs, train=None, stop=False, batch_size=32, optimizer="adam", loss=None, seed=0, **settings
):
    """Build a model and train it on labels, or give it the weights that this gave last time: for teachers.

    `build(data, **settings)` returns the model, such as models.cnn. It learns from `train`, (x, labels), or from
    data.train. `stop`: keep the epoch with the lowest loss on data.valid. `loss`: the cross-entropy of the labels, if
    None; a label of -1 in sequences counts nowhere. The weights are rounded to float16, in which they are kept. A
    progress bar of epochs says that the model trains; where the weights are recalled there is none. Raises TypeError
    where `build` is no function that returns a model, or cannot be compared with another time: it imports within
    itself, or uses an open file.

    >>> from distill_edu import load_dataset, models
    >>> trained(models.mlp, load_dataset("spirals"), epochs=1, hidden=4).count_params()
    27
    """
    form = "a function of the data and these settings that returns a model, such as models.cnn"
    require_function(build, "build", form, data, **settings)
    seed, optimizer = require_count(seed, "seed", least=0), fresh(keras.optimizers.get(optimizer))
    how = [epochs, train, stop, batch_size, optimizer, loss, seed, sorted(settings.items())]
    name = portable_key("trained", build, data, how)
    random_state = random.getrandbits(31)
    keras.utils.set_random_seed(seed)
    model = require_model(build(data, **settings), "build")
    x, labels = data.train if train is None else train
    ignored = NO_LABEL if np.ndim(labels) > 1 and loss is None else None
    model.compile(optimizer, loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignored))
    if (weights := cache.recall(name)) is None:
        cache.require_kept(1, "teacher")
        weights = train_teacher(model, x, labels, epochs, batch_size, data.valid if stop else None)
        weights = cache.keep(name, [weight.astype("float16") for weight in weights])
    model.set_weights(weights)
    made_by(model, name)
    keras.utils.set_random_seed(random_state)
    return model


def sweep(
    dataset, teacher, build_student, *, temperatures=4.0, alphas=0.1, sizes=32, seeds=5, steps=1000, batch_size=32,
    optimizer="adam", soft_loss="kl", student_loss=None, transfer=False, keep_weights=False, progress=True,
    jobs=None,
):  # fmt: skip
    """Train a student for every size, temperature, alpha and seed: a pandas table with one row per student.

    `teacher`: a trained model, or answers, see `compare`. `build_student(size)` returns an untrained student. Students
    of one seed start from the same weights and see the same batches. `seeds`: the seeds, or their number. `steps`: the
    updates of each. `soft_loss`, `student_loss`: see Distiller.compile. `transfer`: learn from dataset.transfer, too.

    Columns: size, temperature, alpha, seed, parameters; accuracy, nll (nats), ece and agreement with the teacher on
    three parts (train_accuracy, ...; train: the labelled examples); test_right, an array [examples]; with
    `keep_weights`, weights. Choose by the `valid_` columns. Of sequences, with labels [n, time] and -1 at padding, each
    place counts. Rows are recalled where they were computed before, see `cache`, and the progress bar has the updates
    of the others alone: no bar, no training. Ctrl-C keeps what is finished. `jobs`: see `compare`.

    >>> import keras, numpy as np
    >>> from distill_edu import Dataset, sweep
    >>> data = Dataset("points", *[(np.eye(3, dtype="float32"), np.arange(3))] * 3, ("a", "b", "c"))
    >>> build = lambda units: keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    >>> table = sweep(data, build(0), build, temperatures=[1, 4], seeds=1, steps=2, progress=False)
    >>> table[["temperature", "seed", "parameters"]].values.tolist()
    [[1, 0, 12], [4, 0, 12]]
    """
    require_attributes(dataset, PARTS, "dataset", "a Dataset, such as load_dataset('mnist5k')")
    require_asked(teacher, or_none=False)
    require_function(build_student, "build_student", "a function from a size to a new student", sizes)
    shared = {"soft_loss": soft_loss, "student_loss": student_loss, "transfer": transfer}
    numbers = {"temperature": np.atleast_1d(temperatures).tolist(), "alpha": np.atleast_1d(alphas).tolist()}
    settings = _combinations(size=_values(sizes), **numbers)
    course = Course(dataset, teacher, _of_size(build_student), steps, batch_size, optimizer, None, PARTS, ("classes",))
    _require_arm({**shared, **settings[0]}, course)
    seeds, afterwards = _seeds(seeds), random.getrandbits(31)
    wanted = [({**shared, **setting}, seed) for setting in settings for seed in seeds]
    rows = Trainer(course, progress, jobs).rows(wanted, with_weights=range(len(wanted)) if keep_weights else ())
    keras.utils.set_random_seed(afterwards)
    return _table(wanted, rows, dataset.test[1])


def _of_size(build_student):
    def build(data, size):
        return build_student(size)

    return build


def _values(sizes):
    """What the builder is given, one by one, as it is: numbers, texts, tuples."""
    offered = sizes if isinstance(sizes, (list, tuple)) else np.atleast_1d(sizes)
    return [value.item() if isinstance(value, np.generic) else value for value in offered]


def _combinations(**axes):
    """All combinations of the axes: [{"size": ..., "temperature": ..., "alpha": ...}]."""
    for name, values in axes.items():
        if not values:
            raise ValueError(f"There is no {name} to train for: give at least one.")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _table(wanted, rows, labels):
    import pandas

    table = []
    for (settings, seed), row in zip(wanted, rows, strict=True):
        classes = row["test"].pop("classes")
        line = {name: settings[name] for name in ("size", "temperature", "alpha")}
        line |= {"seed": seed, "parameters": row["parameters"]}
        line |= {f"{part}_{name}": value for part in PARTS for name, value in row[part].items()}
        line["test_right"] = (classes == labels)[labels != NO_LABEL]
        table.append(line | ({"weights": row["weights"]} if "weights" in row else {}))
    return pandas.DataFrame(table)


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
