"""What is refused, when, and with which sentence: models and shapes at once, values before a step changes anything."""

import contextlib
import functools
import inspect

from distill_edu.arguments import require_number
from distill_edu.backend import keras, tf

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
    "without a label."
)
YES_NO_RANGE = "A label is neither yes nor no: for soft_loss='sigmoid' labels lie between 0 and 1, or are -1 (unknown)."
NO_LABELS = "There are no labels (y), and alpha is the weight of their loss: give y, or set alpha to 0."
WHILE_IT_RUNS = (
    *(NAN_INPUT, TEACHER_PROBABILITIES, STUDENT_PROBABILITIES, LABEL_RANGE, YES_NO_RANGE),
    *(NO_LABELS, NAN_LOSS),
)


# --- before anything is built or compiled ---------------------------------------------------------------------------


def require_alpha(value):
    """`alpha` as a float in [0, 1]."""
    why = "it is the weight of the hard labels, and 1 - alpha is the weight of the soft targets"
    return require_number(value, "alpha", "between 0 and 1", lambda alpha: 0 <= alpha <= 1, why)


def require_weight(value, name="weight"):
    """The factor of a part of the loss, as a float of at least 0."""
    return require_number(value, name, "a number of at least 0", lambda weight: weight >= 0)


def require_models(student, teacher):
    """Refuse what cannot be distilled, before anything is built on it. `teacher` may be None."""
    if student is None:
        raise TypeError("student is None: give the model that is to be trained.")
    for model, sentence in ((teacher, TEACHER_PROBABILITIES), (student, STUDENT_PROBABILITIES)):
        if model is not None and not isinstance(model, keras.Layer):
            raise TypeError(f"student and teacher must be Keras models, not {type(model).__name__}.")
        if model is not None and _ends_in_softmax(model):
            raise ValueError(sentence)
    if teacher is None:
        return
    if not teacher.built:
        raise ValueError("The teacher has no weights yet: train it, or load one that was trained, before it teaches.")
    if student is teacher or {id(v) for v in student.variables} & {id(v) for v in teacher.variables}:
        raise ValueError(
            "The student and the teacher are one model, or share layers, so training would change the teacher. "
            "For self-distillation copy it: student = keras.models.clone_model(teacher)."
        )


def _ends_in_softmax(model):
    outputs = getattr(model, "outputs", None)  # a subclassed model has none: its values are looked at while it trains
    last = model.layers[-1] if outputs else None
    return isinstance(last, keras.layers.Softmax) or getattr(last, "activation", None) is keras.activations.softmax


def require_hints(hints, teacher):
    """Hints with a name each that no other Distiller has, and a teacher to look into."""
    names = [hint.name for hint in hints]
    if len(set(names)) < len(names):
        raise ValueError(f"Two hints have one name, {names}: give each its own, as name=...")
    if hints and teacher is None:
        raise ValueError("Hints look into the teacher while it runs, so teacher_logits alone do not do: give teacher.")
    for hint in hints:
        if getattr(hint, "taken", False):
            raise ValueError(
                f"The hint {hint.name!r} belongs to another Distiller, which may have trained it: make a new one."
            )


def require_teacher(teacher):
    """A teacher, where there are no teacher_logits."""
    if teacher is None:
        raise ValueError(
            "There is neither a teacher nor teacher_logits. Give Distiller(student=..., teacher=...), or train "
            'and evaluate on (x, {"labels": y, "teacher_logits": teacher_logits(teacher, x)}).'
        )


def require_layer_names(**layers):
    """Names of layers, not numbers or layers."""
    for argument, layer in layers.items():
        if not isinstance(layer, str):
            raise TypeError(f"{argument} must be the name of a layer, such as 'conv1', not {layer!r}.")


def require_places(hint, student, teacher, least=0):
    """Shapes of two layers that have the same places: axes between the first and the last, at least so many."""
    if min(len(student), len(teacher)) < 2 + least:
        raise ValueError(
            f"An attention map needs places, but {hint.student_layer!r} has the shape {tuple(student)} and "
            f"{hint.teacher_layer!r} {tuple(teacher)}: choose layers before Flatten or pooling over all places."
        )
    if tuple(student[1:-1]) != tuple(teacher[1:-1]):
        raise ValueError(
            f"The student's layer {hint.student_layer!r} has the shape {tuple(student)} and the teacher's "
            f"{hint.teacher_layer!r} {tuple(teacher)}: only the last axis may differ. Choose layers with as many "
            "places, or flat ones."
        )


def require_student_loss(loss):
    """None, or a function of (labels, logits): a name, or a loss of probabilities, is refused."""
    if isinstance(loss, str):
        raise ValueError(
            f"student_loss={loss!r} is a name, and Keras's losses of that name take a mean or take the logits for "
            "probabilities: give a function (labels, logits) -> one value per example, such as "
            "keras.losses.SparseCategoricalCrossentropy(from_logits=True), or leave it out."
        )
    of_probabilities = isinstance(loss, keras.losses.Loss) and loss.get_config().get("from_logits") is False
    if of_probabilities or loss in (
        *(keras.losses.categorical_crossentropy, keras.losses.sparse_categorical_crossentropy),
        keras.losses.binary_crossentropy,
    ):
        raise ValueError(
            f"student_loss={loss!r} takes the logits for probabilities. Leave it out (it is then the "
            "cross-entropy from logits), or give keras.losses.SparseCategoricalCrossentropy(from_logits=True)."
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
    if len(values) != len(logits) - 1:
        raise ValueError(
            f"A loss gave the shape {values} for logits of the shape {logits}: it must give one value for each row of "
            "logits, not a mean of them."
        )


# --- values, before a step changes anything -------------------------------------------------------------------------


def problems(batch, alpha, loss, student_logits_are_probabilities):
    """[(is it so?, sentence)] for one student, or for more of them (alpha, loss, ... then have an axis more)."""
    found = [(_not_finite(part), NAN_INPUT) for part in keras.tree.flatten(batch.x) if _is_float(part)]
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


def _is_float(part):
    return tf.as_dtype(part.dtype).is_floating


def _not_finite(values):
    return ~tf.reduce_all(tf.math.is_finite(values))


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
    else:
        return
    raise ValueError(sentence)
