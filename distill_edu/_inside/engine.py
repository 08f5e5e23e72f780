"""Many students in one graph: the whole training of all of them is one call. To understand distillation, skip this.

The first student's forward pass stands for all: keras.StatelessScope puts each student's numbers in the place of its
variables. tf.vectorized_map does it for every student at once, and a loop in the graph takes the steps.
"""

import contextlib
import time

import numpy as np

from distill_edu._inside.alike import fresh, has_branches, is_elementwise, learns_number_by_number
from distill_edu._inside.backend import keras, only_errors, quietly, tf
from distill_edu._inside.description import NOT_DECAYED

WORTH_XLA = 4000  # student updates from which on the seconds of XLA's compiler pay
AT_MOST = 100  # steps of one call; fewer where they take longer than half a second, so that Ctrl-C is heard
HALF_A_SECOND = 0.5


class CannotMap(Exception):
    """These students have to learn one by one."""


class Group:
    """Distillers alike: the trained weights of all as one matrix [students, numbers], what else changes as stacks."""

    def __init__(self, distillers, lesson, optimizer, rates=None):
        """`lesson`: a Batch of all examples. `rates`: each student's learning rate, or None for the optimizer's."""
        if not learns_number_by_number(distillers[0].student):
            raise CannotMap("A constraint on a weight, or float16.")
        self.first, self.lesson = distillers[0], lesson
        self.given = {name: values for name, values in lesson._asdict().items() if values is not None}
        self.trained = [distiller.trainable_variables for distiller in distillers]
        self.state = [distiller.student.non_trainable_variables for distiller in distillers]
        self.shapes = [tuple(variable.shape) for variable in self.trained[0]]
        self.optimizer = _for_all(optimizer, rates)
        rows = [np.concatenate([np.ravel(variable) for variable in mine]) for mine in self.trained]
        self.weights = keras.Variable(np.stack(rows), dtype="float32")
        self.stacks = [keras.Variable(_stack(same), dtype=same[0].dtype) for same in zip(*self.state, strict=True)]
        self.settings = [_stack(same) for same in zip(*map(_settings, distillers), strict=True)]
        self.optimizer.build([self.weights])

    def train(self, table, advance=lambda updates: None):
        """Take the steps: students see the rows table[:, i] of the lesson. `table`: [students, steps, batch].

        Raises CannotMap before anything is changed. `advance` is told how many updates were made.
        """
        students, steps, _ = table.shape
        layers = [layer for layer, _, _ in _written_anew(self.first.student)]
        images = bool(layers)  # a map over convolutions is slow, unless XLA compiles it
        if images and (students < 3 or max(getattr(layer, "filters", 0) for layer in layers) > 16):
            raise CannotMap("Measured: these learn faster one by one.")
        self._require_mappable(table[:, 0])
        at_most = min(steps, AT_MOST)
        table = np.pad(table, ((0, 0), (0, at_most), (0, 0)))  # each call gets a table of one shape
        run = tf.function(self._steps, autograph=False, jit_compile=images or students * steps >= WORTH_XLA)
        done, count = 0, 1
        with mappable(self.first.student), only_errors():
            while done < steps:
                count, start = min(count, steps - done), time.perf_counter()
                with quietly() if done == 0 else contextlib.nullcontext():  # XLA announces itself
                    run(tf.constant(table[:, done : done + at_most], "int32"), tf.constant(count))
                done += count
                advance(count * students)
                quick = time.perf_counter() - start < HALF_A_SECOND / 2
                count = min(at_most, 2 * count) if quick else max(1, count // 2)
        self._write()

    def _steps(self, table, count):
        def step(number):
            gradients, state = tf.vectorized_map(self._one_student, self._values(table[:, number]))
            self.optimizer.apply([gradients], [self.weights])
            for stack, values in zip(self.stacks, state, strict=True):
                stack.assign(values)
            return (number + 1,)

        tf.while_loop(lambda number: number < count, step, (0,), parallel_iterations=1)

    def _values(self, rows):
        """All that the students differ in. `rows`: [students, batch]."""
        batch = tf.nest.map_structure(lambda values: tf.gather(values, rows), self.given)
        return self.weights.value, [stack.value for stack in self.stacks], self.settings, batch

    def _one_student(self, values):
        """The gradient [numbers] of one student's loss, and what a step makes of its state."""
        weights, state, settings, given = values
        batch = self.lesson._replace(**given)
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        mine = [*self.trained[0], *self.state[0], *_settings(self.first)]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            parts = [tf.reshape(part, shape) for part, shape in zip(tf.split(weights, sizes), self.shapes, strict=True)]
            pairs = zip(mine, [*parts, *state, *settings], strict=True)
            with keras.StatelessScope(state_mapping=pairs, collect_losses=True) as scope:
                loss = self.first.forward(batch, training=True).loss
        return tape.gradient(loss, weights), [scope.get_current_value(variable) for variable in self.state[0]]

    def _require_mappable(self, rows):
        specs = tf.nest.map_structure(lambda value: tf.TensorSpec(value.shape[1:], value.dtype), self._values(rows))
        with mappable(self.first.student):
            traced = tf.function(self._one_student, autograph=False).get_concrete_function(specs)
        if has_branches(traced):
            raise CannotMap("A loop over time that is not unrolled.")

    def _write(self):
        """Give every student its numbers."""
        weights = np.asarray(self.weights)
        cuts = np.cumsum([int(np.prod(shape)) for shape in self.shapes])[:-1]
        for number, (trained, state) in enumerate(zip(self.trained, self.state, strict=True)):
            for variable, part in zip(trained, np.split(weights[number], cuts), strict=True):
                variable.assign(part.reshape(variable.shape))
            for variable, stack in zip(state, self.stacks, strict=True):
                variable.assign(stack[number])


def _settings(distiller):
    return [*distiller.settings, *(hint.weight_variable for hint in distiller.hints)]


def _stack(variables):
    return tf.stack([variable.value for variable in variables])


def _for_all(optimizer, rates):
    """A fresh optimizer like this one for a matrix [students, numbers]. Raises CannotMap."""
    if not is_elementwise(optimizer) or getattr(optimizer, NOT_DECAYED[1], None):  # names: a matrix has one
        raise CannotMap("The optimizer looks at a weight as a whole.")
    return like(optimizer, None if rates is None else np.reshape(rates, (-1, 1)))


def like(optimizer, rates=None):
    """A fresh optimizer with these settings. `rates`: another learning rate, or one for each row of its weights.

    A schedule keeps its shape, and starts from the new rate.
    """
    made = fresh(optimizer)
    if rates is not None:
        made.learning_rate = _Rates(rates, made.get_config()["learning_rate"])
    return made


class _Rates(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rates, old):
        self.rates = tf.constant(rates, "float32")
        self.old = keras.optimizers.schedules.deserialize(old) if isinstance(old, dict) else None
        if self.old is not None and float(self.old(0)) == 0:
            raise ValueError(
                "rate is where the optimizer's schedule starts, and this one starts at 0: let it start above 0, or "
                "leave rate out."
            )

    def __call__(self, step):
        return self.rates if self.old is None else self.rates * self.old(step) / self.old(0)


@contextlib.contextmanager
def mappable(model):
    """A context: convolutions and pools are written as what a map over students can do for all of them at once."""
    layers = _written_anew(model)
    for layer, name, function in layers:
        setattr(layer, name, function)
    try:
        yield
    finally:
        for layer, name, _ in layers:
            delattr(layer, name)


def _written_anew(model):
    """[(layer, the name of its method, what is written in its place)]"""
    kinds = {keras.layers.Conv2D: ("convolution_op", _shifted), keras.layers.MaxPooling2D: ("call", _largest)}
    layers = model._flatten_layers()  # noqa: SLF001 - nothing public
    return [(layer, *kinds[type(layer)]) for layer in layers if type(layer) in kinds and _is_plain(layer)]


def _is_plain(layer):
    """Does the layer keep the size of an image, or halve it, in the way that is written below?"""
    if layer.data_format != "channels_last":
        return False
    if isinstance(layer, keras.layers.MaxPooling2D):
        return layer.padding == "valid" and set(layer.pool_size) == set(layer.strides) == {2}
    return layer.padding == "same" and set(layer.strides) == set(layer.dilation_rate) == {1} and layer.groups == 1


def _shifted(inputs, kernel):
    """A convolution as a matrix product: (batch, rows, columns, in) -> (batch, rows, columns, out)."""
    kernel = tf.convert_to_tensor(kernel)
    high, wide, channels, filters = kernel.shape
    rows, columns = inputs.shape[1:3]
    padded = tf.pad(inputs, [(0, 0), ((high - 1) // 2, high // 2), ((wide - 1) // 2, wide // 2), (0, 0)])
    shifts = [padded[:, i : i + rows, j : j + columns] for i in range(high) for j in range(wide)]
    flat = tf.reshape(tf.concat(shifts, axis=-1), (-1, high * wide * channels))
    return tf.reshape(flat @ tf.reshape(kernel, (-1, filters)), (-1, rows, columns, filters))


def _largest(inputs):
    """The largest of two by two: (batch, rows, columns, channels) -> (batch, rows / 2, columns / 2, channels)."""
    rows, columns = (size // 2 * 2 for size in inputs.shape[1:3])
    larger = tf.maximum(inputs[:, 0:rows:2], inputs[:, 1:rows:2])
    return tf.maximum(larger[:, :, 0:columns:2], larger[:, :, 1:columns:2])
