"""What is refused in a step, and with which sentence: shapes while it is traced, values before it changes anything."""

import contextlib
import functools
import inspect

from distill_edu._inside.backend import tf

# What the graph itself refuses while it runs; `fit` and `evaluate` show these sentences instead of TensorFlow's report.
NAN_LOSS = (
    "The loss is NaN or infinite, so training stopped before this step changed the student. "
    "Look for NaN in the inputs and in the teacher's logits, or lower the learning rate."
)
NAN_INPUT = "The inputs (x) contain NaN or infinity: clean them before you train on them."
PROBABILITIES = (
    "The {} looks like probabilities (no negative number, every row sums to 1), but distillation needs logits: "
    "take the softmax off the last layer."
)
TEACHER_PROBABILITIES = PROBABILITIES.format("teacher's output")
STUDENT_PROBABILITIES = PROBABILITIES.format("student's output")
LABEL_RANGE = (
    "A label is not one of the classes. With n classes, labels are integers from 0 to n - 1; -1 marks an example "
    "without a label (turn other marks, such as 255 or -100, into -1)."
)
LABEL_ROWS = (
    "A row of labels does not sum to 1: one-hot rows and soft labels do, and rows of zeros or of -1 are examples "
    "without a label. For several labels per example compile with soft_loss='sigmoid', for numbers with 'mean_square'."
)
YES_NO_RANGE = "A label is neither yes nor no: for soft_loss='sigmoid' labels lie between 0 and 1, or are -1 (unknown)."
NO_LABELS = "There are no labels (y), and alpha is the weight of their loss: give y, or set alpha to 0."
WHILE_IT_RUNS = (
    *(NAN_INPUT, TEACHER_PROBABILITIES, STUDENT_PROBABILITIES, LABEL_RANGE, LABEL_ROWS, YES_NO_RANGE),
    *(NO_LABELS, NAN_LOSS),
)


# --- shapes, while a step is traced ---------------------------------------------------------------------------------


def require_same_shape(teacher, student):
    """Static shapes of both models' logits, where None fits any: broadcasting would hide a mistake."""
    if teacher[-1] != student[-1]:
        raise ValueError(
            f"The teacher gives {teacher[-1]} logits per example and the student {student[-1]}. Distillation compares "
            "them class by class: give both last layers one unit per class, in the same order."
        )
    known = [(t, s) for t, s in zip(teacher, student, strict=False) if None not in (t, s)]
    if len(teacher) != len(student) or any(t != s for t, s in known):
        raise ValueError(
            f"The teacher's logits have the shape {teacher} and the student's {student}: "
            "they must be the same, example by example."
        )


def require_width(shape):
    """The number of classes is known before the values are."""
    if shape.rank is None or shape[-1] is None:
        raise ValueError(
            "The teacher does not say how many logits it gives (tf.numpy_function forgets it): say it in its call, "
            "output.set_shape((None, classes))."
        )


def require_classes(count):
    """At least two."""
    if count == 1:
        raise ValueError(
            "The models give one number per example. A softmax over one class is always 1, so there is nothing to "
            'distil: compile with soft_loss="sigmoid" for yes or no, or "mean_square" for a number.'
        )


def require_one_label_each(labels, logits):
    """Shapes of integer labels and their logits."""
    if len(labels) != len(logits) - 1:
        raise ValueError(
            f"The labels have the shape {labels}, which does not go with logits of the shape {logits}: give one "
            f"integer per example, or one-hot rows of {logits[-1]} numbers."
        )


def require_labels_like(labels, logits):
    """Shapes of labels that are one number for each output."""
    if len(labels) != len(logits) or labels[-1] != logits[-1]:
        raise ValueError(
            f"The labels have the shape {labels} and the models' outputs {logits}: with this soft_loss every output "
            f"has a label of its own, {logits[-1]} for each example."
        )


def require_one_value_each(values, logits):
    """Shape of what a loss gave for logits of a shape."""
    if len(values) not in (1, len(logits) - 1):
        raise ValueError(
            f"A loss gave the shape {values} for logits of the shape {logits}: it must give one value for each row of "
            "logits, or for each example, not a mean over all of them (leave out reduce_mean)."
        )


# --- values, before a step changes anything -------------------------------------------------------------------------


def problems(batch, alpha, loss, student_logits_are_probabilities):
    """[(is it so?, sentence)] for one student, or for more of them (alpha, loss, ... then have an axis more)."""
    found = [(_not_finite(part), NAN_INPUT) for part in _numbers(batch.x) if _is_float(part)]
    if batch.task == "classes":
        found += [
            (all_probabilities(batch.teacher_logits), TEACHER_PROBABILITIES),
            (tf.reduce_any(student_logits_are_probabilities), STUDENT_PROBABILITIES),
        ]
    if batch.labels is None:
        found.append((tf.reduce_any(tf.not_equal(alpha, 0.0)), NO_LABELS))
    elif batch.task != "numbers":
        one_of_them, labels = batch.task == "classes", batch.labels
        top = batch.teacher_logits.shape[-1] - 1 if one_of_them else 1
        outside = (labels < 0) & (labels != -1) | (labels > tf.cast(top, labels.dtype))
        found.append((tf.reduce_any(outside), LABEL_RANGE if one_of_them else YES_NO_RANGE))
        if one_of_them and len(labels.shape) == len(batch.teacher_logits.shape):
            none = tf.reduce_all(labels == 0, axis=-1) | tf.reduce_all(labels == -1, axis=-1)
            wrong = tf.abs(tf.reduce_sum(labels, axis=-1) - 1) > 1e-2  # float16 has about three digits
            found.append((tf.reduce_any(wrong & ~none), LABEL_ROWS))
    return [*found, (_not_finite(loss), NAN_LOSS)]


def all_probabilities(logits):
    """Does every row sum to 1, without a negative number? Fewer than 8 rows may do so by chance."""
    rows = tf.size(logits) // logits.shape[-1]
    sums = tf.reduce_sum(logits, axis=-1)
    return (rows >= 8) & tf.reduce_all(logits >= 0) & tf.reduce_all(tf.abs(sums - 1) < 1e-3)


def change_unless(problems, change, lock=None):
    """change(), where none of the problems is there; else nothing changes, and `fit` says the sentence.

    `lock`: a Lock below XLA, which leaves assertions out; None elsewhere.
    """
    if lock is not None:
        return lock.change_unless(problems, change)
    with tf.control_dependencies([tf.debugging.Assert(~found, [sentence]) for found, sentence in problems]):
        return change()


class Lock:
    """Closed by the first step that is refused, until its sentence has been said: nothing changes behind it."""

    def __init__(self):
        self.sentence = tf.Variable(0)  # 0: open; n: the n-th sentence of WHILE_IT_RUNS

    def change_unless(self, problems, change):
        numbers = [tf.where(found, 1 + WHILE_IT_RUNS.index(sentence), 0) for found, sentence in problems]
        first = functools.reduce(lambda one, other: tf.where(one > 0, one, other), [self.sentence, *numbers])
        self.sentence.assign(first)
        tf.cond(tf.equal(first, 0), lambda: (change(), tf.constant(0))[1], lambda: tf.constant(0))

    def speak_after(self, function):
        """`function`, which runs steps, and then the sentence of a step that was refused, as a ValueError."""

        def run(*args):
            results = function(*args)
            number = int(self.sentence)
            if number:
                self.sentence.assign(0)
                raise ValueError(WHILE_IT_RUNS[number - 1])
            return results

        return run


def _numbers(x):
    """The tensors of x; of a sparse or a ragged one, the numbers that it holds."""
    parts = tf.nest.flatten(x)
    return [getattr(part, "flat_values", getattr(part, "values", part)) for part in parts]


def _is_float(part):
    return tf.as_dtype(part.dtype).is_floating


def _not_finite(values):
    return ~tf.reduce_all(tf.math.is_finite(values))


KERAS_SAYS = {  # a part of Keras's sentence -> ours
    "Invalid dtype: str": "x or y holds texts: turn them into numbers first, as `as_letters` does.",
    "`class_weight` is only supported": "class_weight goes with arrays. In a pipeline whose y is a dictionary give "
    "weights, (x, y, weights).",
}


def speaks_plainly(kerass):
    """A decorator for a method that does what Keras's does: with its signature, and with our sentences."""

    def decorate(method):
        @functools.wraps(method)
        def call(*args, **kwargs):
            with plain_sentences():
                return method(*args, **kwargs)

        del call.__wrapped__  # or help() and ?? would look behind it
        call.__signature__ = inspect.signature(kerass)
        return call

    return decorate


@contextlib.contextmanager
def plain_sentences():
    """Turn TensorFlow's report of a failed check into a ValueError with our sentence alone."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        report = str(error).replace("\\'", "'")
        # TensorFlow's own check of the labels may come before ours.
        report = report.replace("Received a label value of", LABEL_RANGE)
        sentence = next((sentence for sentence in WHILE_IT_RUNS if sentence in report), None)
        if sentence is None:
            raise
    except ValueError as error:
        sentence = next((ours for theirs, ours in KERAS_SAYS.items() if theirs in str(error)), None)
        if sentence is None:
            raise
    else:
        return
    raise ValueError(sentence)
