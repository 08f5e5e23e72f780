"""What a step refuses, and with which message: shapes while it is traced, values before it changes anything."""

import contextlib
import functools
import inspect

from distill_edu._inside.backend import keras, tf
from distill_edu._inside.check_values import MANY, require_temperature, rounding

# What the graph refuses while it runs; `fit` and `evaluate` raise these messages instead of TensorFlow's report.
NAN_LOSS = (
    "The loss is NaN or infinite, so training stopped before this step changed the student. "
    "Look for NaN in the inputs and in the teacher's logits, or lower the learning rate."
)
NAN_INPUT = "The inputs (x) contain NaN or infinity: clean them before you train on them."
PROBABILITIES = (
    "The {} looks like probabilities (no negative number, every row sums to about 1), but distillation needs logits: "
    "take the softmax off the last layer."
)
TEACHER_PROBABILITIES = PROBABILITIES.format("teacher's output")
STUDENT_PROBABILITIES = PROBABILITIES.format("student's output")
LABEL_RANGE = (
    "A label is not one of the classes. With n classes, labels are integers from 0 to n - 1; -1 marks an example "
    "without a label (turn other marks, such as 255 or -100, into -1)."
)
LABEL_ROWS = (
    "A row of labels does not sum to 1. One-hot rows and soft labels do; rows of zeros or of -1 are examples without a "
    'label. For several labels per example compile with soft_loss="sigmoid", for numbers with "mean_square".'
)
YES_NO_RANGE = (
    'A label is neither yes nor no. For soft_loss="sigmoid", labels lie between 0 and 1, or are -1 (unknown).'
)
NO_CLASS_WEIGHT = (
    "class_weight needs one label per example, and here every output has a label of its own: give sample_weight, one "
    "number for each example."
)
NO_CLASS_WEIGHT_IN_PIPELINES = (
    "class_weight needs arrays, or a pipeline of one class for each example, none of them -1: give weights, (x, y, "
    "weights)."
)
NO_LABELS = "There are no labels (y), but alpha, the weight of their loss, is above 0: give y, or set alpha to 0."
UNEQUAL_WIDTHS = (
    "The teacher gives {} outputs per example and the student {}, and soft targets are compared output by output: give "
    "both last layers the same units, in the same order. To train on labels or hints alone, compile with "
    "soft_loss=None (classes), or with a function of your own that returns zeros: see losses.soft_loss."
)


class UnequalWidths(ValueError):
    """The last axes of the teacher's and the student's outputs differ."""


# --- shapes, while a step is traced ---------------------------------------------------------------------------------


def require_same_shape(teacher, student):
    """Static shapes of both models' logits, where None fits any: broadcasting would hide a mistake."""
    if teacher[-1] != student[-1]:
        raise UnequalWidths(UNEQUAL_WIDTHS.format(teacher[-1], student[-1]))
    known = [(t, s) for t, s in zip(teacher, student, strict=False) if None not in (t, s)]
    if len(teacher) != len(student) or any(t != s for t, s in known):
        raise ValueError(
            f"The teacher's logits have the shape {teacher} and the student's {student}: "
            "the shapes must be equal, example by example."
        )


def require_width(shape, whose="teacher"):
    """Require a static last axis."""
    if shape.rank is None or shape[-1] is None:
        raise ValueError(
            f"The {whose} does not say how many logits it gives (tf.numpy_function loses the shape). Set it in the "
            f"{whose}'s call: output.set_shape((None, classes))."
        )


def checked_temperature(temperature):
    """The temperature, checked if it is a Python number; a variable was checked when it was set."""
    is_variable = isinstance(temperature, keras.Variable) or tf.is_tensor(temperature)
    return temperature if is_variable else require_temperature(temperature)


def require_classes(count):
    """A softmax needs at least two classes."""
    if count == 1:
        raise ValueError(
            "The models give one number per example, and a softmax over one class is always 1. Compile with "
            'soft_loss="sigmoid" for yes or no, or with "mean_square" for a number.'
        )


def require_real(kind):
    """Labels of a dtype that can be a class or a number."""
    if not (kind.is_floating or kind.is_integer or kind.is_bool):
        raise ValueError(f"Labels are numbers, not {kind.name}: turn texts into numbers of classes first.")


def require_one_label_each(labels, logits):
    """Shapes of integer labels and their logits."""
    if len(labels) != len(logits) - 1:
        raise ValueError(
            f"The labels have the shape {labels}, which does not fit logits of the shape {logits}: give one "
            f"integer per example, or one-hot rows of {logits[-1]} numbers."
        )


def require_labels_like(labels, outputs):
    """Shapes of labels, one for each output."""
    if len(labels) != len(outputs) or labels[-1] != outputs[-1]:
        raise ValueError(
            f"The labels have the shape {labels} and the models' outputs {outputs}: with this soft_loss every output "
            f"has a label of its own, so give {outputs[-1]} per example."
        )


def one_value_each(values, logits):
    """Return the values of a loss: one for each row of logits, or for each example."""
    given, outputs = tuple(values.shape), tuple(logits.shape)
    if len(given) not in (1, len(outputs) - 1):
        raise ValueError(
            f"A loss returned the shape {given} for logits of the shape {outputs}: return one "
            "value for each row of logits, or for each example, not a mean over all of them (leave out reduce_mean)."
        )
    return values


def require_no_mean(values):
    """Shape of what a hint returned."""
    if not values:
        raise ValueError("A hint returned one number: return one for each example or place, not a mean over all.")


def require_mask_like(mask, outputs):
    """Shapes of a mask and the outputs."""
    if len(mask) != len(outputs) - 1:
        raise ValueError(
            f"The mask has the shape {mask} for outputs of the shape {outputs}: give one value for each row of outputs."
        )


def require_no_weight_of_outputs(weight, outputs):
    """Shapes of sample_weight and the outputs: an example or a place has a weight, an output has none."""
    if len(weight) > len(outputs) or (len(weight) == len(outputs) and weight[-1] not in (1, None)):
        raise ValueError(
            f"sample_weight has the shape {weight} for outputs of the shape {outputs}: give one number for each "
            "example or place. To leave one output out, make its label -1 (yes or no) or NaN (numbers)."
        )


# --- values, before a step changes anything -------------------------------------------------------------------------


def _input_problems(x):
    """[(condition, message)] of NaN in the inputs; of a sparse or ragged tensor, in the numbers that it holds."""
    parts = [getattr(part, "flat_values", getattr(part, "values", part)) for part in tf.nest.flatten(x)]
    return [(_not_finite(part), NAN_INPUT) for part in parts if tf.as_dtype(part.dtype).is_floating]


def data_problems(batch, alpha):
    """[(condition, message)] of NaN in the inputs, and of labels that are missing although they weigh something."""
    missing = [(tf.not_equal(alpha, 0.0), NO_LABELS)] if batch.labels is None else []
    return [*_input_problems(batch.x), *missing]


def loss_problems(loss):
    """[(condition, message)] of a loss that is not finite."""
    return [(_not_finite(loss), NAN_LOSS)]


def are_probabilities(logits):
    """Does every row sum to 1, without a negative number? Fewer than 8 rows can do so by chance, and are not judged.

    Rows that sum to about 1, as rounded probabilities do, are judged where 8 of them differ.
    """
    rows = tf.reshape(logits, (-1, logits.shape[-1]))
    counts = tf.reduce_any(rows != 0, axis=-1)  # padding is 0
    farthest = tf.reduce_max(tf.where(counts, tf.abs(tf.reduce_sum(rows, axis=-1) - 1), 0))
    exact = (tf.reduce_sum(tf.cast(counts, "int32")) >= MANY) & (farthest < 1e-3)
    rounded = (_different(rows[:64], counts[:64]) > MANY - 0.5) & (farthest <= rounding(rows.shape[-1]))
    return tf.reduce_all(rows >= 0) & (exact | rounded)


def _different(rows, counts):
    """How many rows differ, up to rounding: told apart by the mean class of each, as if they were probabilities."""
    means = tf.reduce_sum(rows * tf.range(rows.shape[-1], dtype=rows.dtype), axis=-1)
    equal = (tf.abs(means[:, None] - means) < 1e-4) & counts  # (rows, rows)
    alike = tf.reduce_sum(tf.cast(equal, "float32"), axis=-1)
    return tf.reduce_sum(tf.where(counts, 1 / tf.maximum(alike, 1), 0))


def refuse(problems):
    """A context manager: its body runs only if all checks pass. `problems`: [(condition, message)]."""
    return tf.control_dependencies([tf.debugging.Assert(~found, [message]) for found, message in problems])


def _not_finite(values):
    return ~tf.reduce_all(tf.math.is_finite(values))


# --- what `fit` and `evaluate` raise --------------------------------------------------------------------------------

MESSAGES = (
    *(NAN_INPUT, TEACHER_PROBABILITIES, STUDENT_PROBABILITIES, LABEL_RANGE, LABEL_ROWS, YES_NO_RANGE),
    *(NO_LABELS, NAN_LOSS, NO_CLASS_WEIGHT_IN_PIPELINES),
)
FOR_KERAS = {  # a part of Keras's message -> ours
    "Invalid dtype: str": "x or y holds texts: turn them into numbers first, as `as_letters` does.",
    "`class_weight` is only supported": NO_CLASS_WEIGHT_IN_PIPELINES,
    "only be called for the variables it was originally built with": "The student's trainable weights have changed "
    "since compile: compile again, then fit.",
}


def clear_errors(keras_method):
    """A decorator for a method that overrides Keras's: it has Keras's signature, and raises our messages."""

    def decorate(method):
        @functools.wraps(method)
        def call(*args, **kwargs):
            with clear_messages():
                return method(*args, **kwargs)

        del call.__wrapped__  # or help() and ?? would show the method behind it
        call.__signature__ = inspect.signature(keras_method)
        return call

    return decorate


@contextlib.contextmanager
def clear_messages():
    """Turn TensorFlow's report of a failed check into a ValueError with our message alone."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        report = str(error).replace("\\'", "'").replace('\\"', '"')
        report = report.replace("Received a label value of", LABEL_RANGE)  # a metric may meet a wrong label first
        report = report.replace("= -1 is not in [0, ", NO_CLASS_WEIGHT_IN_PIPELINES)  # Keras looks its weight up
        message = next((message for message in MESSAGES if message in report), None)
        if message is None:
            raise
    except ValueError as error:
        message = next((ours for theirs, ours in FOR_KERAS.items() if theirs in str(error)), None)
        if message is None:
            raise
    else:
        return
    raise ValueError(message)
