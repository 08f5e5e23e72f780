"""`Classroom`: a Keras model that trains many students on the same batches of one teacher."""

import functools

import numpy as np

from distill_edu.backend import keras, tf
from distill_edu.distiller import Distiller, _checks, _labels_like, _plain_sentences
from distill_edu.models import architecture

ops = keras.ops
# These change every number of a weight by itself, so students can share one: it does to each what its own copy would.
ELEMENTWISE = ("SGD", "Adam", "AdamW", "Adamax", "Nadam", "Adagrad", "Adadelta", "RMSprop", "Ftrl", "Lion")


class Classroom(keras.Model):
    """Train many students on the same batches. The teacher runs once per batch, whatever the number of students.

    Each student gets what `Distiller(student=..., teacher=...)` would give it alone on these batches: it has its own
    temperature, alpha and optimizer state, and the seeds that it was built with. `temperatures` and `alphas`: one
    number, or one per student. `fit` and `evaluate` take what a Distiller takes; every result has one value per
    student (np.array(history["val_accuracy"]) is [epochs, students]). `predict` gives logits
    [examples, students, ..., classes]. `classroom.students[i]` is a trained model: save that one.
    For more than one GPU or machine build teacher, students and Classroom below `with strategy.scope():`, where
    strategy = tf.distribute.MirroredStrategy(); the numbers are those of one device.
    """

    def __init__(self, *, students, teacher=None, temperatures=4.0, alphas=0.1, **keras_arguments):
        students = list(students)
        _check_students(students)
        super().__init__(**keras_arguments)
        self.distillers = [Distiller(student=student, teacher=teacher) for student in students]
        self._temperatures = _one_each("temperatures", temperatures, len(students))
        self._alphas = _one_each("alphas", alphas, len(students))
        self._distributed = tf.distribute.has_strategy()
        self.built = all(student.built for student in students)

    @property
    def students(self):
        """The models in training, in the order in which they came."""
        return [distiller.student for distiller in self.distillers]

    def compile(self, optimizer="adam", student_loss=None, metrics=None, **keras_arguments):
        """As Distiller.compile. Every student gets its own copy of the optimizer and of the metrics."""
        optimizer = keras.optimizers.get(optimizer)
        for distiller, temperature, alpha in zip(self.distillers, self._temperatures, self._alphas, strict=True):
            copies = [_copy(metric) for metric in metrics or []]
            distiller.compile(_copy(optimizer), temperature, alpha, student_loss, copies)
        super().compile(optimizer=None, **keras_arguments)
        alone = self.run_eagerly or self._distributed or not _is_elementwise(optimizer)
        rows = [[distiller] for distiller in self.distillers] if alone else _by_architecture(self.distillers)
        self._rows = [row[0] if len(row) == 1 else Row(row, _copy(optimizer)) for row in rows]

    def call(self, inputs, training=None):
        return ops.stack([student(inputs, training=training) for student in self.students], axis=1)

    def train_step(self, data):
        data = self._with_targets(data)
        for row in self._rows:
            row.train_step(data)
        return self.get_metrics_result()

    def test_step(self, data):
        data = self._with_targets(data)
        for row in self._rows:
            row.test_step(data)
        return self.get_metrics_result()

    def _with_targets(self, data):
        """The batch with the teacher's logits in it, so that no student has to ask for them again."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        labels, logits, _ = self.distillers[0]._targets(x, y)
        return x, {"labels": labels, "teacher_logits": logits}, sample_weight

    @property
    def metrics(self):
        return [metric for distiller in self.distillers for metric in distiller.metrics]

    def get_metrics_result(self):
        """All running means, each with one value per student."""
        results = [distiller.get_metrics_result() for distiller in self.distillers]
        return {name: ops.stack([result[name] for result in results]) for name in results[0]}

    def _symbolic_build(self, iterator=None, data_batch=None):
        # Keras calls this below a tf.distribute strategy, where a replica's step cannot create variables.
        for distiller in self.distillers:
            distiller._symbolic_build(iterator, data_batch)

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        with _plain_sentences():
            history = super().fit(*args, **kwargs)
        for distiller in self.distillers:  # for optimizers that average the weights (use_ema)
            distiller.optimizer.finalize_variable_values(distiller.trainable_variables)
        return history

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, *args, return_dict=False, **kwargs):
        with _plain_sentences():
            results = super().evaluate(*args, return_dict=True, **kwargs)
        return results if return_dict else list(results.values())

    def get_config(self):
        raise NotImplementedError(
            "A Classroom is not saved or cloned as a whole: save its students, classroom.students[0].save(...)."
        )


class Row:
    """Distillers whose students have one architecture, in one step: tracing forty students alike would take a minute.

    The first one's step runs once for each of them, with that one's variables in the place of its own
    (keras.StatelessScope). The students' variables hold the truth before and after every step.
    """

    def __init__(self, distillers, optimizer):
        self.distillers, self.first = distillers, distillers[0]
        self.trained = [distiller.student.trainable_variables for distiller in distillers]
        self.settings = [(distiller._temperature, distiller._alpha) for distiller in distillers]
        self.stacks = [keras.Variable(_stack(same), dtype=same[0].dtype) for same in zip(*self.trained, strict=True)]
        self.optimizer = optimizer
        optimizer.build(self.stacks)

    def train_step(self, data):
        gradients, state, trained, checks = self._each(self.first._gradients, data)
        with tf.control_dependencies(checks):
            for stack, values in zip(self.stacks, trained, strict=True):
                stack.assign(values)
            self.optimizer.apply(gradients, self.stacks)
            _write(self.trained, [stack.value for stack in self.stacks])
            _write(self._state(), state)

    def test_step(self, data):
        def forward(*batch):
            return [], self.first._outcome(*batch, training=False)

        _, state, _, checks = self._each(forward, data)
        with tf.control_dependencies(checks):
            _write(self._state(), state)

    def _state(self):
        """What a step changes besides the weights: BatchNorm's statistics, Dropout's seeds, the metrics."""
        students = [distiller.student.non_trainable_variables for distiller in self.distillers]
        metrics = [_metric_variables(distiller) for distiller in self.distillers]
        return [[*one, *other] for one, other in zip(students, metrics, strict=True)]

    def _build_metrics(self, targets):
        """Give the metrics their variables now: the step below has to be handed all that it changes."""
        if targets["labels"] is None:
            return
        labels = _labels_like(targets["labels"], targets["teacher_logits"])
        with tf.init_scope():
            for distiller in self.distillers:
                for metric in distiller.metrics:
                    if not getattr(metric, "built", True):
                        metric.build(labels, targets["teacher_logits"])

    def _each(self, forward, data):
        """`forward` (batch -> gradients, outcome) for each student: gradients, the state after it, weights, checks.

        All but the checks are stacked: they have one row per student.
        """
        x, targets, sample_weight = data
        batch = (x, targets["labels"], targets["teacher_logits"], sample_weight, [])
        self._build_metrics(targets)
        groups = (self.settings, self.trained, self._state())
        stacked = tuple([_stack(same) for same in zip(*group, strict=True)] for group in groups)

        def one(values):
            mapping = [
                pair for group, new in zip(groups, values, strict=True) for pair in zip(group[0], new, strict=True)
            ]
            with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
                gradients, outcome = forward(*batch)
                self.first._report(x, targets, sample_weight, outcome)
                state = [scope.get_current_value(variable) for variable in groups[2][0]]
                return _dense(gradients, self.trained[0]), outcome, state

        # Traced once, run once per student: tf.map_fn alone would have to be told the types of the results.
        traced = tf.function(one, autograph=False).get_concrete_function(_specs(stacked, skip=1))
        gradients, outcome, state = tf.map_fn(traced, stacked, fn_output_signature=_specs(traced.structured_outputs))
        (_, alphas), trained, _ = stacked
        return gradients, state, trained, _checks(*batch[:3], alphas, outcome)


def _specs(values, skip=0):
    """Shapes and types, without the first `skip` axes."""
    return tf.nest.map_structure(lambda value: tf.TensorSpec(value.shape[skip:], value.dtype), values)


def _metric_variables(distiller):
    return [variable for metric in distiller.metrics for variable in metric.variables]


def _stack(variables):
    return tf.stack([variable.value for variable in variables])


def _write(variables, stacked):
    """Row i of every stacked value into the variables of student i."""
    for same, values in zip(zip(*variables, strict=True), stacked, strict=True):
        for variable, value in zip(same, tf.unstack(values), strict=True):
            variable.assign(value)


def _dense(gradients, variables):
    """Zeros for a weight that the loss does not depend on: a map cannot return None."""
    pairs = zip(gradients, variables, strict=False)  # no gradients in a test step
    return [tf.zeros_like(variable.value) if gradient is None else gradient for gradient, variable in pairs]


def _check_students(students):
    if not students:
        raise ValueError("students is empty: give a list of at least one Keras model.")
    owned = [{id(variable) for variable in getattr(student, "variables", ())} for student in students]
    if len({id(student) for student in students}) < len(students) or len(set().union(*owned)) < sum(map(len, owned)):
        raise ValueError("Two students are one model, or share layers: build each of them anew.")


def _one_each(name, values, count):
    """`values` as a list of `count` numbers, from one number or from one per student."""
    values = np.asarray(values, dtype=float)
    if values.ndim and values.shape != (count,):
        raise ValueError(
            f"{name} has the shape {values.shape}: give one number, or one for each of the {count} students."
        )
    return np.broadcast_to(values, (count,)).tolist()


def _copy(thing):
    """A fresh optimizer or metric with the same settings; a name or a function stays what it is."""
    return type(thing).from_config(thing.get_config()) if hasattr(thing, "get_config") else thing


def _is_elementwise(optimizer):
    looks_around = optimizer.clipnorm or optimizer.global_clipnorm or optimizer.use_ema
    return type(optimizer) in [getattr(keras.optimizers, name) for name in ELEMENTWISE] and not looks_around


def _by_architecture(distillers):
    """Distillers in groups whose students compute the same function of their weights, in the order of the first."""
    groups = {}
    for distiller in distillers:
        groups.setdefault(_likeness(distiller.student), []).append(distiller)
    return groups.values()


def _likeness(student):
    """Equal for students that can be in one Row; a student that cannot be in one is like nobody."""
    constrained = any(variable.constraint for variable in student.trainable_variables)
    scaled = student.dtype_policy.compute_dtype == "float16"  # its optimizer watches for overflow
    # Only Keras's own kinds of model: what a subclass computes is not in its configuration.
    known = type(student).__module__.startswith("keras.") and student.built
    text = architecture(student) if known else ""
    sparse = '"Embedding"' in text  # Keras's optimizers treat the few rows that a batch changes in a way of their own
    return text if known and not constrained and not scaled and not sparse else id(student)
