"""Students that learn in the same way are trained together, in groups of at most forty."""

from typing import NamedTuple

import numpy as np

from distill_edu._inside.alike import hint_likeness, likeness
from distill_edu._inside.backend import keras, only_errors, tf
from distill_edu._inside.batch import Batch
from distill_edu._inside.check_steps import NAN_LOSS, clear_messages, refuse
from distill_edu._inside.engine import CannotMap, Group
from distill_edu._inside.layer_outputs import one_output, unchanged, with_layer_outputs
from distill_edu._inside.progress import progress_bar

TOGETHER = 40


class Lesson(NamedTuple):
    """Examples to learn from. `teacher_logits` and `mask` may be None."""

    x: np.ndarray
    labels: np.ndarray
    teacher_logits: np.ndarray
    mask: np.ndarray

    @classmethod
    def joined(cls, lessons):
        """One lesson of several, one after the other."""
        fields = zip(*lessons, strict=True)
        return cls(*(None if parts[0] is None else np.concatenate(parts) for parts in fields))


class Order(NamedTuple):
    """A student to train: its compiled Distiller, the seed of its batches, its lesson, its learning rate or None."""

    distiller: object
    seed: int
    lesson: Lesson
    rate: float


def batches(count, steps, batch_size, seed):
    """Numbers of examples [steps, batch]: in each round over all `count` of them in another order."""
    random = np.random.default_rng(seed)
    rounds = [random.permutation(count) for _ in range(-(-steps * batch_size // count))]
    return np.concatenate(rounds)[: steps * batch_size].reshape(steps, batch_size)


def grouped(orders):
    """The numbers of the orders, in groups whose students can take their steps together."""
    groups = {}
    for number, order in enumerate(orders):
        groups.setdefault(_kind(order), []).append(number)
    return [group[i : i + TOGETHER] for group in groups.values() for i in range(0, len(group), TOGETHER)]


def _kind(order):
    """Equal for students that can be trained together."""
    distiller = order.distiller
    hints = tuple(hint_likeness(hint) for hint in distiller.hints)
    losses = tuple(id(distiller.compile_settings[name]) for name in ("soft_loss", "student_loss"))
    fields = tuple(None if values is None else (values.shape[1:], values.dtype) for values in order.lesson)
    hints = (hints, id(distiller.teacher)) if hints else None
    return likeness(distiller.student), hints, losses, fields, order.rate is None


def train(orders, steps, batch_size, optimizer, advance):
    """Train the students of one group. Raises ValueError before anything is changed, and where a weight becomes NaN."""
    lessons = {id(order.lesson): order.lesson for order in orders}
    starts = np.cumsum([0, *(len(lesson.x) for lesson in lessons.values())])
    starts = dict(zip(lessons, starts[:-1], strict=True))
    table = [starts[id(order.lesson)] + batches(len(order.lesson.x), steps, batch_size, order.seed) for order in orders]
    distillers = [order.distiller for order in orders]
    examples = _with_features(Lesson.joined(lessons.values()), distillers[0])
    _require_right(distillers[0], examples)
    rates = None if orders[0].rate is None else [order.rate for order in orders]
    try:
        Group(distillers, examples, optimizer, rates).train(np.stack(table), advance)  # [students, steps, batch]
    except CannotMap:
        for distiller, rows in zip(distillers, table, strict=True):
            _train_alone(distiller, examples, rows)
            advance(steps)
    if not all(np.isfinite(w).all() for distiller in distillers for w in distiller.student.get_weights()):
        raise ValueError(NAN_LOSS)


def _with_features(lesson, distiller):
    """The lesson as a Batch, with what the teacher's layers say about all examples where there are hints."""
    x, labels, logits, mask = (None if values is None else tf.constant(values) for values in lesson)
    paths, features = [hint.teacher_layer for hint in distiller.hints], []
    if paths:
        run = with_layer_outputs(distiller.teacher, paths, "teacher")
        with unchanged(distiller.teacher):
            blocks = [run(x[start : start + 256], training=False)[1] for start in range(0, len(x), 256)]
        features = [tf.concat(parts, axis=0) for parts in zip(*blocks, strict=True)]
    return Batch(x, labels, None, mask, logits, features)


def _require_right(distiller, batch):
    """Refuse what a step would refuse, before anybody learns."""
    some = tf.nest.map_structure(lambda values: None if values is None else values[:64], batch)
    step = distiller.forward(some, training=False)
    labels = None if batch.labels is None else distiller.task.read(batch.labels, step.logits)
    with clear_messages(), refuse([*distiller.problems(step), *distiller.task.problems(labels, None, None)]):
        pass


def _train_alone(distiller, examples, rows):
    """`rows`: [steps, batch]."""
    names = ("labels", "teacher_logits", "mask")
    given = {name: getattr(examples, name) for name in names if getattr(examples, name) is not None}

    def batch(numbers):
        return tf.gather(examples.x, numbers), {name: tf.gather(values, numbers) for name, values in given.items()}

    distiller.fit(tf.data.Dataset.from_tensor_slices(rows).map(batch).prefetch(2), shuffle=False, verbose=0)


def train_teacher(model, x, labels, epochs, batch_size, stop_on):
    """Train a compiled model, return its weights, and put every variable back, also the seeds of Dropout.

    A model whose weights are recalled has not drawn from its seeds. `stop_on`: examples that choose the epoch, or None.
    """
    began = [(variable, variable.numpy()) for variable in model.variables]
    best = keras.callbacks.EarlyStopping("val_loss", patience=epochs, restore_best_weights=True)
    with progress_bar(epochs, unit=" epochs", what="teacher") as bar:
        advance = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.update(1))
        callbacks = [advance] if stop_on is None else [best, advance]
        model.fit(x, labels, batch_size, epochs, verbose=0, callbacks=callbacks, validation_data=stop_on)
    weights = model.get_weights()
    for variable, value in began:
        variable.assign(value)
    return weights


def answers(students, x, batch_size=256):
    """Yield the logits [examples, ..., classes] of each of some students alike: traced once, with the first one."""
    first, own = students[0], students[0].get_weights()
    run = tf.function(lambda x: one_output(first(x, training=False), "student"), autograph=False, reduce_retracing=True)
    try:
        for student in students:
            first.set_weights(own if student is first else student.get_weights())
            with only_errors():  # TensorFlow warns where several groups are asked one after the other
                blocks = [np.asarray(run(x[start : start + batch_size])) for start in range(0, len(x), batch_size)]
            yield np.concatenate(blocks)
    finally:
        first.set_weights(own)
