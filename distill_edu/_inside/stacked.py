"""The fast path of a `Classroom`: students of one architecture in one step. To understand distillation, skip this."""

import contextlib
import functools
import itertools

from distill_edu._inside.alike import fresh, has_branches, is_elementwise, likeness, numbers_of, settings_of
from distill_edu._inside.backend import keras, only_errors, tf
from distill_edu._inside.check_models import require_trainable

ONE_RATE = (
    "Students alike share an optimizer, and theirs have the learning rates {}: set the same for all, or train the "
    "students in Distillers."
)
NO_OWN_SETTINGS = (
    "Students alike share an optimizer and losses, and those of a student have been changed since compile: give the "
    "settings to classroom.compile, for all students, or train the students in Distillers."
)


def rows_of(distillers, optimizer):
    """The distillers in Rows, in one Row those that can take a step together.

    `optimizer`: each Row takes a fresh one like it; None keeps everybody apart.
    """
    together = optimizer is not None and is_elementwise(optimizer)
    groups = _by_architecture(distillers) if together else [[distiller] for distiller in distillers]
    return [Row(group, fresh(optimizer) if len(group) > 1 else None) for group in groups]


class Row:
    """Distillers whose students have one architecture, in one step: tracing forty students alike would take a minute.

    The first one's step runs for all of them, with their variables in the place of its own (keras.StatelessScope):
    a stack of each, with one row per student. While the Row is held, the stacks are the truth; else the variables are.
    """

    def __init__(self, distillers, optimizer):
        self.distillers, self.first, self.optimizer = distillers, distillers[0], optimizer
        self.copies = {}  # id of the first student's variable -> (this variable of every student, their stack)
        self.graphs, self.copied, self.is_held = {}, set(), False
        if optimizer:
            self.settings, self.numbers = self._settings(), self._numbers()
            self.trained = self._stacks([distiller.student.trainable_variables for distiller in distillers])
            optimizer.build(self.trained)

    @contextlib.contextmanager
    def held(self):
        """A context: steps change the stacks alone; at its end, whatever ends it, the variables are written."""
        if self.is_held or not self.optimizer:
            yield
            return
        self._follow()
        self._stacks(self._state())  # now, because Keras traces a step twice that makes a variable
        self._copy(self._read)
        self.is_held = True
        try:
            yield
        finally:
            self.is_held = False
            self._copy(self._write)

    def _settings(self):
        parts = [(distiller.optimizer, distiller.losses_and_metrics) for distiller in self.distillers]
        return [(optimizer, settings_of(optimizer), others) for optimizer, others in parts]

    def _numbers(self):
        with tf.init_scope():
            return sorted({tuple(mine) for mine in self._copy(self._read_numbers).numpy().tolist()})

    def _read_numbers(self):
        numbers = [numbers_of(distiller.optimizer) for distiller in self.distillers]
        return tf.stack([[tf.cast(number.value, "float32") for number in mine] for mine in numbers])

    def _follow(self):
        """Take over a learning rate, or iterations, set in every student's optimizer. ValueError for anything else."""
        if self._settings() != self.settings:
            raise ValueError(NO_OWN_SETTINGS)
        numbers = self._numbers()
        if rates := sorted({mine[0] for mine in numbers if len(mine) > 1})[1:]:
            raise ValueError(ONE_RATE.format([numbers[0][0], *rates]))
        if len(numbers) > 1:
            raise ValueError(NO_OWN_SETTINGS)
        for variable, before, now in zip(numbers_of(self.optimizer), self.numbers[0], numbers[0], strict=True):
            if now != before:
                variable.assign(now)
        self.numbers = numbers

    @contextlib.contextmanager
    def written(self):
        """A context: the variables may be read and written within it, also while the Row is held."""
        if self.is_held:
            self._copy(self._write)
        yield
        if self.is_held:
            self._copy(self._read)

    def results(self):
        """The running means and metrics as they are now, with one value per student."""
        if not self.optimizer:
            return _stacked_results([distiller.get_metrics_result() for distiller in self.distillers])
        self._stacks(self._state())
        if not self.is_held:
            self._copy(self._read)
        return self._in_a_graph(self._results)

    def answer(self, x):
        """The students' logits, [students, examples, ..., classes]."""

        def one_student(values):
            with keras.StatelessScope(state_mapping=zip(self.first.student.variables, values, strict=True)):
                return self.first(x, training=False)

        if self.optimizer:
            variables = [distiller.student.variables for distiller in self.distillers]
            stacked = [_stack(same) for same in zip(*variables, strict=True)]
            traced = _graph(one_student, stacked)
            if not has_branches(traced):
                return _for_all(traced, stacked)
        return tf.stack([distiller(x, training=False) for distiller in self.distillers])

    def train(self, batch):
        """As Distiller.train_step, for every student, while held: see `_step`."""
        return self._step(lambda distiller, batch: distiller.gradients(batch), self._gradients, batch)

    def evaluate(self, batch):
        """As Distiller.test_step, for every student."""
        return self._step(_forward, functools.partial(_forward, self.first), batch)

    def _gradients(self, batch):
        """The Step of the first student, and its gradients."""
        with tf.GradientTape() as tape:
            weights = [variable.value for variable in self.first.trainable_variables]
            tape.watch(weights)  # plain tensors, in the place of the variables
            step = self.first.forward(batch, training=True)
        require_trainable(weights)
        return step, tape.gradient(step.loss, weights)

    def _step(self, alone, forward, batch):
        """First the reasons to refuse the step, then the running means and metrics after it: two halves.

        `forward`: batch -> Step and gradients of the first student; `alone`: the same of a Distiller.
        """
        traced, stacked = self._traced(forward, batch) if self.optimizer else (None, None)
        if traced is None or self.sparse or has_branches(traced):
            yield from self._one_by_one(alone, batch)
            return
        gradients, found, state, results = _for_all(traced, stacked)
        yield [(tf.reduce_any(each), message) for each, message in zip(found, self.messages, strict=True)]
        if gradients:
            self.optimizer.apply(gradients, self.trained)
        for stack, values in zip(self._stacks(self._state()), state, strict=True):
            stack.assign(values)
        yield results

    def _one_by_one(self, alone, batch):
        self._build_metrics(batch)  # XLA cannot create their variables within the checks of several students
        with self.written():
            steps = [(distiller, *alone(distiller, batch)) for distiller in self.distillers]
            yield [problem for distiller, step, _ in steps for problem in distiller.problems(step)]
            for distiller, _, gradients in steps:
                if gradients:
                    distiller.apply_gradients(gradients)
            yield _stacked_results([distiller.report(step) for distiller, step, _ in steps])

    def _state(self):
        """What a step changes besides the weights: BatchNorm's statistics, Dropout's seeds, the metrics."""
        students = [distiller.student.non_trainable_variables for distiller in self.distillers]
        metrics = [_metric_variables(distiller) for distiller in self.distillers]
        return [[*one, *other] for one, other in zip(students, metrics, strict=True)]

    def _build_metrics(self, batch):
        """Give the metrics their variables now: the step below has to be handed all that it changes."""
        if batch.labels is None or not getattr(self.first.student, "outputs", None):
            return
        output = self.first.student.outputs[0]
        labels = self.first.task.read(batch.labels, output)
        with tf.init_scope():
            for distiller in self.distillers:
                for metric in distiller.metrics:
                    if not getattr(metric, "built", True):
                        metric.build(labels, output)

    def _stacks(self, variables):
        """The stacks of these variables, [student][variable]; each is made when it is first needed."""
        for same in zip(*variables, strict=True):
            if id(same[0]) not in self.copies:
                with tf.init_scope():
                    how = {"dtype": same[0].dtype, "trainable": same[0].trainable, "name": same[0].name}
                    stack = keras.Variable(_stack(same), **how)  # weight decay may be for some names alone
                self.copies[id(same[0])] = same, stack
        return [self.copies[id(variable)][1] for variable in variables[0]]

    def _copy(self, what):
        """Hundreds of small operations: as a graph from the second time on, whose making takes as long as many runs."""
        again = (what, len(self.copies)) in self.copied
        self.copied.add((what, len(self.copies)))
        return self._in_a_graph(what) if again else what()

    def _in_a_graph(self, what):
        key = what, len(self.copies)
        if key not in self.graphs:
            self.graphs[key] = tf.function(what, autograph=False).get_concrete_function()
        return self.graphs[key]()

    def _read(self):
        for same, stack in self.copies.values():
            stack.assign(_stack(same))

    def _write(self):
        for same, stack in self.copies.values():
            for variable, value in zip(same, tf.unstack(stack.value), strict=True):
                variable.assign(value)

    def _results(self):
        mine = self._state()[0]

        def one_student(values):
            with keras.StatelessScope(state_mapping=zip(mine, values, strict=True)):
                return self.first.get_metrics_result()

        return tf.vectorized_map(one_student, _values(self._stacks(self._state())))

    def _traced(self, forward, batch):
        """`forward` as a graph of one student's variables, and these of all, stacked.

        Traced once, for one student; tf.vectorized_map makes of it what does the same for all.
        """
        self._build_metrics(batch)
        settings = [distiller.settings for distiller in self.distillers]
        mine = self.first.settings, self.first.student.trainable_variables, self._state()[0]
        stacks = self.trained, self._stacks(self._state())
        stacked = [_stack(same) for same in zip(*settings, strict=True)], *map(_values, stacks)

        def one_student(values):
            pairs = [zip(*group, strict=True) for group in zip(mine, values, strict=True)]
            with keras.StatelessScope(state_mapping=itertools.chain(*pairs), collect_losses=True) as scope:
                step, gradients = forward(batch)
                problems = self.first.problems(step)
                results = self.first.report(step)
                state = [scope.get_current_value(variable) for variable in mine[2]]
            self.messages = tuple(message for _, message in problems)
            # A sparse optimizer step has to see the rows that a batch changed, and a map returns whole weights.
            self.sparse = any(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)
            return _dense(gradients, mine[1]), [found for found, _ in problems], state, results

        return _graph(one_student, stacked), stacked


def _forward(distiller, batch):
    return distiller.forward(batch, training=False), []


def _graph(one_student, stacked):
    """What is done for one student, traced with a row of each stack."""
    specs = tf.nest.map_structure(lambda value: tf.TensorSpec(value.shape[1:], value.dtype), stacked)
    return tf.function(one_student, autograph=False).get_concrete_function(specs)


def _for_all(traced, stacked):
    with only_errors():  # it warns of what it can only do for one student after the other
        return tf.vectorized_map(traced, stacked)


def _metric_variables(distiller):
    return [variable for metric in distiller.metrics for variable in metric.variables]


def _stack(variables):
    return tf.stack([variable.value for variable in variables])


def _values(variables):
    return [tf.convert_to_tensor(variable.value) for variable in variables]


def _stacked_results(results):
    return {name: tf.stack([each[name] for each in results]) for name in results[0]}


def _dense(gradients, variables):
    """Zeros for a weight that the loss does not depend on: a map cannot return None."""
    pairs = zip(gradients, variables, strict=False)  # no gradients in a test step
    return [tf.zeros_like(variable.value) if gradient is None else gradient for gradient, variable in pairs]


def _by_architecture(distillers):
    """Distillers in groups whose students compute the same function of their weights, in the order of the first."""
    groups = {}
    for distiller in distillers:
        groups.setdefault(likeness(distiller.student), []).append(distiller)
    return groups.values()
