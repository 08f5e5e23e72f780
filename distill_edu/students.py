"""Students of an experiment: each is trained with its settings and its seed, or recalled from an earlier time."""

import datetime
import inspect
import warnings
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
from scipy.special import log_softmax

from distill_edu import cache
from distill_edu._inside.alike import fresh
from distill_edu._inside.backend import keras
from distill_edu._inside.cache_key import Incomparable, portable_key
from distill_edu._inside.check_experiment import require_labels, require_model
from distill_edu._inside.check_models import require_answers, require_made_teacher
from distill_edu._inside.check_values import require_count
from distill_edu._inside.engine import like
from distill_edu._inside.lessons import Lesson, Order, answers, grouped, train
from distill_edu._inside.progress import progress_bar
from distill_edu._inside.tasks import NO_LABEL
from distill_edu.distiller import Distiller
from distill_edu.losses import named_soft_loss
from distill_edu.metrics import report, require_examples
from distill_edu.models import teacher_logits
from distill_edu.probabilities import soft_targets

# What an arm of an experiment may set; anything else is an argument of the function that builds the student.
DEFAULTS = {
    **{"temperature": 4.0, "alpha": 0.1, "soft_loss": "kl", "student_loss": None, "hints": (), "rate": None},
    **{"teacher": None, "targets": None, "train": None, "transfer": False, "mask": True},
}
TINY = 1e-12  # the smallest probability whose logarithm becomes a logit


class Course(NamedTuple):
    """What all students of an experiment have in common.

    >>> Course(data=None, teacher=None, build=None, steps=10).batch_size
    32
    """

    data: object
    teacher: object  # a model; its answers, {part of the data: logits}; or None
    build: object  # (data, **settings) -> a new student
    steps: int
    batch_size: int = 32
    optimizer: object = "adam"
    draw: int = None  # so many training examples, drawn anew for each seed
    parts: tuple = ("valid", "test")  # on which students are judged
    details: tuple = ()  # of the test set, kept for each example: "classes", "nlls" (nats)


class Trainer:
    """Trains the students of a Course. Each teacher is asked once.

    >>> Trainer(Course(data=None, teacher=None, build=None, steps=10)).rows([])
    []
    """

    def __init__(self, course, progress=True, jobs=None):
        require_count(course.steps, "steps")
        require_count(course.batch_size, "batch_size")
        self.course = course._replace(optimizer=keras.optimizers.get(course.optimizer))
        self.progress, self.jobs, self.lessons, self.asked = progress, jobs, {}, {}
        self.kept = self.new = ""  # when and with what the recalled students were trained; with what all others

    def rows(self, wanted, with_weights=()):
        """Return the results of a student for each of `wanted`, [(settings, seed)]: dictionaries, see `_judged`.

        `with_weights`: the numbers of those whose trained weights are wanted, too. Ctrl-C keeps what is finished.
        """
        keys = self._keys(wanted, with_weights)
        rows = [None if key is None else cache.recall(key) for key in keys]
        todo = [number for number, row in enumerate(rows) if row is None]
        cache.require_kept(len(todo), "students")
        self.kept = max([self.kept, *(row["when"] for row in rows if row is not None)])
        if todo:
            self.new = _keras()
            for part in {"train", *self.course.parts}:
                require_labels(*getattr(self.course.data, part), part)
        orders = [self._order(*wanted[number]) for number in todo]
        if len({id(order.distiller.student) for order in orders}) < len(orders):
            raise ValueError("Two students are one model: build each of them anew.")
        groups = [[todo[place] for place in group] for group in grouped(orders)]
        orders = dict(zip(todo, orders, strict=True))
        with progress_bar(len(todo) * self.course.steps, self.progress) as bar:
            if joblib.effective_n_jobs(self.jobs) == 1:
                learned = (self._learn(numbers, wanted, orders, with_weights, bar.update) for numbers in groups)
            else:
                learned = self._learn_apart(groups, wanted, with_weights, bar)
            for numbers, group in zip(groups, learned, strict=True):
                for number, row in zip(numbers, group, strict=True):
                    rows[number] = row if keys[number] is None else cache.keep(keys[number], row)
        return rows

    def _learn(self, numbers, wanted, orders, with_weights, advance):
        """The rows of one group, trained here."""
        some = [orders.pop(number) for number in numbers]  # trained students are not needed again
        train(some, self.course.steps, self.course.batch_size, self.course.optimizer, advance)
        return self._judged(some, wanted, numbers, {number for number in numbers if number in with_weights})

    def _learn_apart(self, groups, wanted, with_weights, bar):
        """The rows of all groups, trained by joblib's workers: other processes, or other machines."""
        jobs = (
            joblib.delayed(_rows_of)(self.course, [wanted[n] for n in group], [n in with_weights for n in group])
            for group in groups
        )
        for group, rows in zip(groups, joblib.Parallel(self.jobs, return_as="generator")(jobs), strict=True):
            bar.update(len(group) * self.course.steps)
            yield rows

    def restored(self, settings, seed, weights):
        """Return a trained student, from the weights in its row."""
        student = self._student(self._complete(settings), seed)
        student.set_weights(weights)
        return student

    def _keys(self, wanted, with_weights):
        try:
            course = portable_key(sorted(self.course._asdict().items()))
            asked = [(sorted(self._complete(settings).items()), seed) for settings, seed in wanted]
            return [portable_key(course, one, number in with_weights) for number, one in enumerate(asked)]
        except Incomparable as error:
            here = str(Path(__file__).parent)
            level = next(n for n, frame in enumerate(inspect.stack()) if not frame.filename.startswith(here))
            warnings.warn(f"The students of this experiment are not kept: {error}", stacklevel=level + 1)
            return [None] * len(wanted)

    def _complete(self, settings):
        """All settings of a student, with the soft loss as the function that it is."""
        settings = {**DEFAULTS, **settings}
        return {**settings, "soft_loss": named_soft_loss(settings["soft_loss"])}

    def _order(self, settings, seed):
        """The student, untrained, and its lesson."""
        settings = self._complete(settings)
        teacher = self._teacher(settings, seed)
        lesson = self._lesson(settings, teacher, seed)
        student = self._student(settings, seed)
        hints = [fresh(hint) for hint in _as_tuple(settings["hints"])]
        looked_at = settings["teacher"]["hints"] if _is_for_hints(settings["teacher"]) else teacher
        distiller = Distiller(student=student, teacher=looked_at if hints else None, hints=hints)
        names = ["temperature", "alpha", "student_loss"]
        how = {name: settings[name] for name in names}
        how["soft_loss"] = None if lesson.teacher_logits is None else settings["soft_loss"]
        distiller.compile(like(self.course.optimizer, settings["rate"]), **how)
        return Order(distiller, seed, lesson, settings["rate"])

    def _student(self, settings, seed):
        keras.utils.set_random_seed(seed)
        own = {name: value for name, value in settings.items() if name not in DEFAULTS}
        return require_model(self.course.build(self.course.data, **own), "The function that builds a student")

    def _teacher(self, settings, seed):
        """The model that answers, or its answers: the arm's own, made for this seed's examples, or the experiment's."""
        teacher = settings["teacher"]
        if teacher is None or _is_for_hints(teacher):
            return self.course.teacher
        if isinstance(teacher, (keras.Layer, dict)):
            return teacher
        place = id(teacher), id(settings["train"]), seed
        if place not in self.asked:
            keras.utils.set_random_seed(seed)
            x, labels, _ = self._examples(settings, seed)
            self.asked[place] = made = teacher(x, labels)
            require_made_teacher(made)
            if isinstance(made, dict):
                train = settings["train"] or self.course.data.train
                require_answers(made, train, self.course.data, settings["transfer"], settings["hints"])
        return self.asked[place]

    def _examples(self, settings, seed):
        """(x, labels, rows) of the training set, or of the rows that this seed draws."""
        x, labels = self.course.data.train if settings["train"] is None else settings["train"]
        if self.course.draw is None:
            return x, labels, slice(None)
        rows = np.random.default_rng(seed).choice(len(x), self.course.draw, replace=False)
        return x[rows], labels[rows], rows

    def _lesson(self, settings, teacher, seed):
        place = [id(settings["train"]), settings["transfer"], id(teacher), id(settings["targets"]), settings["mask"]]
        place += [settings["temperature"]] if settings["targets"] is not None else []
        place += [seed] if self.course.draw is not None else []
        if tuple(place) not in self.lessons:
            self.lessons[tuple(place)] = self._new_lesson(settings, teacher, seed)
        return self.lessons[tuple(place)]

    def _new_lesson(self, settings, teacher, seed):
        x, labels, rows = self._examples(settings, seed)
        said = {part: logits[rows] if part == "train" else logits for part, logits in _answers(teacher).items()}
        if settings["transfer"]:
            more = self.course.data.transfer
            unknown = np.full(len(more), NO_LABEL, np.promote_types(labels.dtype, "int8"))  # uint8 has no -1
            x, labels = np.concatenate([x, more]), np.concatenate([labels, unknown])
            said = said and {"train": np.concatenate([said["train"], said["transfer"]])}
        logits = said["train"] if said else None if teacher is None else teacher_logits(teacher, x)
        if settings["targets"] is not None:
            random = np.random.default_rng(seed if self.course.draw is not None else 0)
            temperature = settings["temperature"]
            targets = settings["targets"](soft_targets(logits, temperature), labels, random)
            logits = (temperature * np.log(np.maximum(targets, TINY))).astype("float32")
        sequences = labels.ndim > 1
        counts = labels != NO_LABEL if settings["mask"] else np.ones(labels.shape, bool)
        return Lesson(x, labels, logits, counts if sequences else None)

    def _judged(self, orders, wanted, numbers, kept):
        """A row for each of the trained students: parameters, when, and for each part accuracy, nll, ece, agreement.

        The students `kept` are judged with their weights rounded to float16, as they are kept.
        """
        students = [order.distiller.student for order in orders]
        rows = [{"parameters": student.count_params(), "when": _today()} for student in students]
        for student, row, number in zip(students, rows, numbers, strict=True):
            if number in kept:
                row["weights"] = [weight.astype("float16") for weight in student.get_weights()]
                student.set_weights(row["weights"])
        for part in self.course.parts:
            x, labels = getattr(self.course.data, part)
            for row, number, logits in zip(rows, numbers, answers(students, x), strict=True):
                row[part] = self._scores(labels, logits, self._logits_of(*wanted[number], part), part)
        return rows

    def _logits_of(self, settings, seed, part):
        """What the student's teacher says about this part, or None."""
        teacher = self._teacher({**DEFAULTS, **settings}, seed)
        if teacher is None or isinstance(teacher, dict):
            return _answers(teacher).get(part)
        place = id(teacher), part
        if place not in self.asked:
            self.asked[place] = teacher_logits(teacher, getattr(self.course.data, part)[0])
        return self.asked[place]

    def _scores(self, labels, logits, of_teacher, part):
        """accuracy, nll, ece, agreement with the teacher (if there is one), and the details of the test set."""
        counts = labels != NO_LABEL
        require_examples(labels[counts], logits[counts])
        of_same = of_teacher is not None and of_teacher.shape == logits.shape  # a loss may compare other classes
        scores = report(labels[counts], logits[counts], of_teacher[counts] if of_same else None)
        if part == "test" and "classes" in self.course.details:
            scores["classes"] = logits.argmax(axis=-1).astype("uint8" if logits.shape[-1] <= 256 else "int32")
        if part == "test" and "nlls" in self.course.details:
            log_p = log_softmax(np.asarray(logits, "float32"), axis=-1)  # bfloat16 has 8 bits
            places = np.take_along_axis(log_p, np.maximum(labels, 0)[..., None], -1)[..., 0]
            per_example = np.where(counts, -places, 0).reshape(len(labels), -1).sum(axis=1)
            count = np.maximum(counts.reshape(len(labels), -1).sum(axis=1), 1)
            scores["nlls"] = (per_example / count).astype("float16")
        return scores


def _rows_of(course, wanted, with_weights):
    """What a worker does: the rows of one group."""
    return Trainer(course, progress=False, jobs=1).rows(wanted, [n for n, one in enumerate(with_weights) if one])


def _is_for_hints(teacher):
    """Is it {"hints": model}, or None, a model, a function, or answers?"""
    return isinstance(teacher, dict) and "hints" in teacher


def _answers(teacher):
    """What a teacher from elsewhere has said: part of the data -> logits; {} where a model answers, or nobody."""
    return teacher if isinstance(teacher, dict) else {}


def _as_tuple(hints):
    return (hints,) if isinstance(hints, keras.Layer) else tuple(hints)


def _today():
    return f"{datetime.date.today()}, {_keras()}"


def _keras():
    return f"Keras {keras.__version__}"
