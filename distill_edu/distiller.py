"""`Distiller`: a Keras model that trains a student on hard labels and on the soft targets of a teacher."""

import contextlib
import functools

import numpy as np

from distill_edu.arguments import check_has, check_number
from distill_edu.backend import keras, tf
from distill_edu.losses import as_python, distillation_loss, hard_label_loss
from distill_edu.soft_targets import check_logits, check_temperature

ops = keras.ops

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
NO_LABELS = "There are no labels (y), and alpha is the weight of their loss: give y, or set alpha to 0."


@keras.saving.register_keras_serializable(package="distill_edu")
class Distiller(keras.Model):
    """Train `student` on alpha x hard-label loss + (1 - alpha) x soft-target loss of `teacher`.

    Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network", section 2:
    loss = alpha CE(y, z_s) + (1 - alpha) T^2 KL(softmax(z_t / T) || softmax(z_s / T)), mean over the batch.

    Both models map x to logits [batch, ..., classes]. `fit` and `evaluate` take, as for any Keras model, (x, y):
    y are labels (integers or one-hot; -1 or a row of zeros: no label, so only the soft targets count), or None when
    alpha is 0, or {"labels": y, "teacher_logits": z}: then the teacher is not run and may be left out.
    `hints`: layers of `distill_edu.losses`, such as Hint; each adds weight x its mean to the loss.
    The teacher is never changed. `distiller.student` is the trained model: save that one to use it.
    """

    def __init__(self, *, student, teacher=None, hints=(), **keras_arguments):
        _check_models(student, teacher)
        hints = _check_hints(hints, student, teacher)
        # The student's dtype policy: Keras scales the loss of a mixed_float16 model, and only of one.
        super().__init__(**{"dtype": student.dtype_policy, "autocast": False, **keras_arguments})
        self.student = student
        self.teacher = teacher
        # Variables, not numbers: a number would be frozen into the traced train_step.
        self._temperature = keras.Variable(4.0, trainable=False, dtype="float32", name="temperature")
        self._alpha = keras.Variable(0.1, trainable=False, dtype="float32", name="alpha")
        self._student_loss = hard_label_loss
        self._hard_mean = keras.metrics.Mean(name="student_loss")
        self._soft_mean = keras.metrics.Mean(name="distillation_loss")
        self.hints = hints
        self._hint_means = [keras.metrics.Mean(name=hint.name) for hint in hints]
        # One forward pass gives the logits and what the hints compare. Functions, so that Keras saves nothing twice.
        self._run_student = _with_features(student, [hint.student_layer for hint in hints])
        self._run_teacher = _with_features(teacher, [hint.teacher_layer for hint in hints])
        self.built = student.built  # it has no weights of its own to wait for

    def compile(self, optimizer="adam", temperature=4.0, alpha=0.1, student_loss=None, metrics=None, **keras_arguments):
        """Set the optimizer, the temperature, the weight `alpha` of the hard labels, and `metrics`.

        `student_loss(labels, logits)`: one value per example; None is the cross-entropy from logits.
        `keras_arguments`: any other argument of keras.Model.compile, such as jit_compile or weighted_metrics.
        """
        if "loss" in keras_arguments:
            raise ValueError("A Distiller takes the loss of the hard labels as student_loss=..., not as loss=...")
        # All checks before the first change: a call that is refused leaves everything as it was.
        per_example = _per_example(student_loss)
        temperature, alpha = check_temperature(temperature), _check_alpha(alpha)
        super().compile(optimizer=optimizer, metrics=metrics, **keras_arguments)
        self._student_loss, self.temperature, self.alpha = per_example, temperature, alpha
        self._given_student_loss = student_loss  # as it came, for get_compile_config

    def call(self, inputs, training=None):
        return self.student(inputs, training=training)

    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        # Outside of the tape and with training=False: the teacher answers, it does not learn.
        labels, teacher_logits, features = self._targets(x, y)
        gradients, outcome = self._gradients(x, labels, teacher_logits, sample_weight, features)
        if not self.optimizer.built:  # here, because XLA cannot create variables below a control dependency
            self.optimizer.build(self.trainable_variables)
        with tf.control_dependencies(_checks(x, labels, teacher_logits, self._alpha, outcome)):
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self._report(x, y, sample_weight, outcome)

    def test_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        labels, teacher_logits, features = self._targets(x, y)
        outcome = self._outcome(x, labels, teacher_logits, sample_weight, features, training=False)
        with tf.control_dependencies(_checks(x, labels, teacher_logits, self._alpha, outcome)):
            outcome = tf.nest.map_structure(tf.identity, outcome)
        return self._report(x, y, sample_weight, outcome)

    def _gradients(self, x, labels, teacher_logits, sample_weight, features):
        """The loss's gradients with respect to the trained weights, and the outcome of the forward pass."""
        with tf.GradientTape() as tape:
            # For a Classroom, which puts other students' weights, plain tensors, in the place of these variables.
            tape.watch([variable.value for variable in self.trainable_variables])
            outcome = self._outcome(x, labels, teacher_logits, sample_weight, features, training=True)
            # One replica of a tf.distribute strategy has its share of the gradient's mean.
            share = outcome["loss"] / tf.distribute.get_strategy().num_replicas_in_sync
            scaled_loss = self.optimizer.scale_loss(share)
        if not self.trainable_variables:  # now, because a subclassed student may have made its weights just above
            raise ValueError("Nothing is trainable here: set student.trainable = True, compile, and fit again.")
        return tape.gradient(scaled_loss, [variable.value for variable in self.trainable_variables]), outcome

    def _outcome(self, x, labels, teacher_logits, sample_weight, features, training):
        """Run the student once: its logits, the loss, and the (mean, number of examples) of each part of the loss."""
        logits, own_features = self._run_student(x, training)
        hard, soft = self._loss_parts(labels, teacher_logits, logits, sample_weight)
        hints = self._hint_parts(own_features, features, sample_weight)
        loss = self._alpha * hard[0] + (1 - self._alpha) * soft[0] + sum(self.student.losses)
        loss += sum(hint._weight * mean for hint, (mean, _) in zip(self.hints, hints, strict=True))
        seen = {"examples": tf.shape(keras.tree.flatten(x)[0])[0], "probabilities": _all_probabilities(logits)}
        return {"logits": logits, "loss": loss, "hard": hard, "soft": soft, "hints": hints, **seen}

    def _targets(self, x, y):
        """The batch's labels (None when there are none), the teacher's logits, and its features for the hints."""
        labels, logits = _split_targets(y)
        features = []
        if logits is None or self.hints:
            if self.teacher is None:
                raise ValueError(
                    "There is neither a teacher nor teacher_logits. Give Distiller(student=..., teacher=...), or train "
                    'and evaluate on (x, {"labels": y, "teacher_logits": teacher_logits(teacher, x)}).'
                )
            answer, features = self._run_teacher(x, training=False)
            logits = answer if logits is None else logits
        return labels, ops.cast(logits, "float32"), features

    def _loss_parts(self, labels, teacher_logits, student_logits, sample_weight):
        """(mean, number of examples) of the loss's hard and of its soft part."""
        student_logits = ops.cast(student_logits, "float32")
        soft_values = distillation_loss(teacher_logits, student_logits, self._temperature)
        weight = _weight_like(soft_values, sample_weight)
        count = ops.cast(ops.size(soft_values), "float32")
        soft = ops.sum(soft_values * weight) / count
        if labels is None:
            return (ops.convert_to_tensor(0.0), ops.convert_to_tensor(0.0)), (soft, count)
        labels = _labels_like(labels, student_logits)
        labelled = _has_label(labels, student_logits)
        values = self._student_loss(ops.where(labels == -1, 0, labels), student_logits)
        labelled_count = ops.sum(ops.cast(labelled, "float32"))
        hard = ops.sum(ops.where(labelled, values * weight, 0.0)) / ops.maximum(labelled_count, 1)
        return (hard, labelled_count), (soft, count)

    def _hint_parts(self, student_features, teacher_features, sample_weight):
        """(mean, number of examples) of each hint."""
        parts = []
        for hint, mine, its in zip(self.hints, student_features, teacher_features, strict=True):
            values = hint(mine, its)
            count = ops.cast(ops.size(values), "float32")
            parts.append((ops.sum(values * _weight_like(values, sample_weight)) / count, count))
        return parts

    def _report(self, x, y, sample_weight, outcome):
        """Update the running means, each weighted by its number of examples, and the metrics; return all of them."""
        loss_mean = next(metric for metric in self.metrics if metric.name == "loss")
        loss_mean.update_state(outcome["loss"], sample_weight=outcome["examples"])
        means, parts = self._loss_means(), [outcome["hard"], outcome["soft"], *outcome["hints"]]
        for mean, (value, count) in zip(means, parts, strict=True):
            mean.update_state(value, sample_weight=count)
        return self.compute_metrics(x, y, outcome["logits"], sample_weight)

    def _loss_means(self):
        return [self._hard_mean, self._soft_mean, *self._hint_means]

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The metrics of `compile` over the labelled examples, with the running means of the losses."""
        labels, _ = _split_targets(y)
        if labels is None:
            of_losses = {"loss", *(mean.name for mean in self._loss_means())}
            return {m.name: m.result() for m in self.metrics if m.name in of_losses}
        labels = _labels_like(labels, y_pred)
        labelled = _has_label(labels, y_pred)
        rows = tf.where(labelled)
        if sample_weight is not None:
            sample_weight = tf.gather_nd(_weight_like(labelled, sample_weight), rows)
        return super().compute_metrics(x, tf.gather_nd(labels, rows), tf.gather_nd(y_pred, rows), sample_weight)

    def get_metrics_result(self):
        """All running means; a metric that has not seen a label yet has no value."""
        results = {}
        for metric in self.metrics:
            if getattr(metric, "built", True):
                value = metric.result()
                results.update(value if isinstance(value, dict) else {metric.name: value})
        return results

    @property
    def trainable_variables(self):
        """The student's and the hints': the teacher is part of the model, but nothing of it is trained."""
        if not self.trainable:
            return []
        return [variable for part in (self.student, *self.hints) for variable in part.trainable_variables]

    @property
    def trainable_weights(self):
        return self.trainable_variables

    @property
    def non_trainable_variables(self):
        return _without(self.variables, self.trainable_variables)

    @property
    def non_trainable_weights(self):
        return _without(self.weights, self.trainable_variables)

    @property
    def temperature(self):
        """The temperature T > 0; it may be set at any time, also while `fit` runs."""
        return as_python(self._temperature)

    @temperature.setter
    def temperature(self, value):
        self._temperature.assign(check_temperature(value))

    @property
    def alpha(self):
        """The weight of the hard labels' loss, in [0, 1]; it may be set at any time, also while `fit` runs."""
        return as_python(self._alpha)

    @alpha.setter
    def alpha(self, value):
        self._alpha.assign(_check_alpha(value))

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        with _plain_sentences():
            return super().fit(*args, **kwargs)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, *args, **kwargs):
        with _plain_sentences():
            return super().evaluate(*args, **kwargs)

    @functools.wraps(keras.Model.summary)
    def summary(self, *args, **kwargs):
        teacher = "none" if self.teacher is None else self.teacher.name
        (kwargs.get("print_fn") or print)(
            f"Student, is trained: {self.student.name}. Teacher, is only asked: {teacher}."
        )
        return super().summary(*args, **kwargs)

    def get_config(self):
        parts = {"student": self.student, "teacher": self.teacher, "hints": self.hints}
        return {"name": self.name, **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        with keras.saving.custom_object_scope(custom_objects or {}):
            parts = {name: keras.saving.deserialize_keras_object(part) for name, part in config.items()}
        return cls(**parts)

    def get_compile_config(self):
        if not self.compiled:
            return None
        kept = {name: value for name, value in super().get_compile_config().items() if not name.startswith("loss")}
        ours = {"temperature": self.temperature, "alpha": self.alpha, "student_loss": self._given_student_loss}
        return {**kept, **keras.saving.serialize_keras_object(ours)}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)


def teacher_logits(teacher, x, batch_size=256):
    """The teacher's logits for x in one pass: a float32 array [len(x), ..., classes], to train on many times.

    `x`: arrays, as for `teacher.predict`. Raises ValueError for NaN and for outputs that are probabilities.
    """
    check_has(teacher, ["predict"], "teacher", "a Keras model")
    if 0 in getattr(keras.tree.flatten(x)[0], "shape", (1,))[:1]:  # a tf.data.Dataset has no shape
        raise ValueError("x is empty: give at least one example.")
    logits = teacher.predict(x, batch_size=batch_size, verbose=0)
    check_logits(logits, what="The teacher's output")
    return np.asarray(logits, dtype=np.float32)


def _check_alpha(value):
    why = "it is the weight of the hard labels, and 1 - alpha is the weight of the soft targets"
    return check_number(value, "alpha", "between 0 and 1", lambda alpha: 0 <= alpha <= 1, why)


def _check_models(student, teacher):
    """Refuse what cannot be distilled, before anything is built on it."""
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


def _check_hints(hints, student, teacher):
    """The hints as a list, built for these models; one that has served another Distiller is refused."""
    hints = [hints] if isinstance(hints, keras.Layer) else list(hints)
    for hint in hints:
        check_has(hint, ["student_layer", "teacher_layer"], "A hint", "a layer such as distill_edu.losses.Hint")
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
        shapes = [
            _layer_output(model, name).shape
            for model, name in ((student, hint.student_layer), (teacher, hint.teacher_layer))
        ]
        if not hint.built:
            hint.build(*shapes)
    for hint in hints:
        hint.taken = True
    return hints


def _layer_output(model, name):
    """What a layer of a functional or Sequential model gives, as a symbol."""
    names = [layer.name for layer in getattr(model, "layers", ())]
    if getattr(model, "inputs", None) is None:
        raise ValueError(
            f"Hints find layers by name, and that needs a functional or Sequential model that has been built. "
            f"{model.name!r} is not one."
        )
    if name not in names:
        raise ValueError(f"{model.name!r} has no layer {name!r}. It has: {', '.join(names)}.")
    return model.get_layer(name).output


def _with_features(model, names):
    """A function (x, training) -> (logits, the outputs of these layers), in one forward pass."""
    if not names:
        return lambda x, training: (model(x, training=training), [])
    inputs = model.inputs if isinstance(model, keras.Sequential) else model.input  # a dictionary stays one
    inside = keras.Model(inputs, [model.outputs[0], *(_layer_output(model, name) for name in names)])

    def run(x, training):
        logits, *features = inside(x, training=training)
        return logits, features

    return run


def _ends_in_softmax(model):
    outputs = getattr(model, "outputs", None)  # a subclassed model has none: its values are looked at while it trains
    last = model.layers[-1] if outputs else None
    return isinstance(last, keras.layers.Softmax) or getattr(last, "activation", None) is keras.activations.softmax


def _per_example(student_loss):
    """A function (labels, logits) -> one value per example, from what `compile` was given."""
    if student_loss is None:
        return hard_label_loss
    functions = (keras.losses.categorical_crossentropy, keras.losses.sparse_categorical_crossentropy)
    is_loss = isinstance(student_loss, keras.losses.Loss)
    of_probabilities = is_loss and student_loss.get_config().get("from_logits") is False
    if isinstance(student_loss, str) or student_loss in functions or of_probabilities:
        raise ValueError(
            f"student_loss={student_loss!r} takes the logits for probabilities. Leave it out (it is then the "
            "cross-entropy from logits), or give keras.losses.SparseCategoricalCrossentropy(from_logits=True)."
        )
    return student_loss.call if is_loss else student_loss


def _split_targets(y):
    """(labels, teacher_logits) of what `fit` was given as y; either may be None."""
    if not isinstance(y, dict):
        return y, None
    if not y or set(y) - {"labels", "teacher_logits"}:
        raise ValueError(f'y as a dictionary has the keys "labels" and "teacher_logits", not {sorted(y)}.')
    return y.get("labels"), y.get("teacher_logits")


def _labels_like(labels, logits):
    """Labels as integers [...] or as one-hot rows [..., classes], to go with logits [..., classes]."""
    rank, classes = len(logits.shape), logits.shape[-1]
    if len(labels.shape) == rank and labels.shape[-1] == classes:
        return ops.cast(labels, "float32")
    if len(labels.shape) == rank and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    if len(labels.shape) != rank - 1:
        raise ValueError(
            f"The labels have the shape {tuple(labels.shape)}, which does not go with logits of the shape "
            f"{tuple(logits.shape)}: give one integer per example, or one-hot rows of {classes} numbers."
        )
    return ops.cast(labels, "int32")


def _has_label(labels, logits):
    """True for each example with a label: not -1, and as a one-hot row neither zeros nor -1s."""
    return labels != -1 if len(labels.shape) < len(logits.shape) else ops.sum(labels, axis=-1) > 0


def _weight_like(values, sample_weight):
    """sample_weight as float32 in the shape of `values`; 1 where there is none."""
    if sample_weight is None:
        return 1.0
    weight = ops.cast(sample_weight, "float32")
    if len(values.shape) == 1 < len(weight.shape):  # a hint has one value per example, also where each time has a label
        return ops.mean(weight, axis=tuple(range(1, len(weight.shape))))
    missing = len(values.shape) - len(weight.shape)
    weight = ops.squeeze(weight, -1) if missing < 0 else ops.reshape(weight, (*ops.shape(weight), *[1] * missing))
    return ops.broadcast_to(weight, ops.shape(values))


def _checks(x, labels, teacher_logits, alpha, outcome):
    """Assertions that must hold before a step changes anything (XLA leaves them out); for one student or for more."""
    checks = [
        tf.debugging.Assert(~_all_probabilities(teacher_logits), [TEACHER_PROBABILITIES]),
        tf.debugging.Assert(~tf.reduce_any(outcome["probabilities"]), [STUDENT_PROBABILITIES]),
    ]
    if labels is None:
        checks.append(tf.debugging.Assert(tf.reduce_all(tf.equal(alpha, 0.0)), [NO_LABELS]))
    else:
        labels = ops.cast(labels, "float32")  # True and False are labels, too
        inside = (labels >= -1) & (labels < teacher_logits.shape[-1])
        checks.append(tf.debugging.Assert(tf.reduce_all(inside), [LABEL_RANGE]))
    # A ReLU may swallow a NaN of the inputs: the loss is finite then, and its gradient is not.
    floats = [part for part in keras.tree.flatten(x) if tf.as_dtype(part.dtype).is_floating]
    checks += [tf.debugging.check_numerics(part, NAN_INPUT) for part in floats]
    return [*checks, tf.debugging.check_numerics(outcome["loss"], NAN_LOSS)]


def _all_probabilities(logits):
    """Does every row sum to 1, without a negative number? Fewer than 8 rows may do so by chance."""
    rows = tf.size(logits) // logits.shape[-1]
    sums = tf.reduce_sum(logits, axis=-1)
    return (rows >= 8) & tf.reduce_all(logits >= 0) & tf.reduce_all(tf.abs(sums - 1) < 1e-3)


def _without(variables, excluded):
    excluded = {id(variable) for variable in excluded}
    return [variable for variable in variables if id(variable) not in excluded]


@contextlib.contextmanager
def _plain_sentences():
    """Turn TensorFlow's report of a failed check into a ValueError with our sentence alone."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        report = str(error).replace("\\'", "'")
        # TensorFlow's own check of the labels may come before ours.
        report = report.replace("Received a label value of", LABEL_RANGE)
        sentences = (NAN_INPUT, NAN_LOSS, TEACHER_PROBABILITIES, STUDENT_PROBABILITIES, LABEL_RANGE, NO_LABELS)
        sentence = next((sentence for sentence in sentences if sentence in report), None)
        if sentence is None:
            raise
    else:
        return
    raise ValueError(sentence)
