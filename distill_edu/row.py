"""The fast path of a `Classroom`: students of one architecture in one step. To understand distillation, skip this."""

from distill_edu import guard
from distill_edu.backend import keras, only_errors, tf
from distill_edu.fingerprint import architecture

# These change every number of a weight by itself, so students can share one: it does to each what its own copy would.
ELEMENTWISE = ("SGD", "Adam", "AdamW", "Adamax", "Nadam", "Adagrad", "Adadelta", "RMSprop", "Ftrl", "Lion")


def rows_of(distillers, optimizer):
    """The distillers, those that can take a step together as one Row: each Distiller and each Row can learn and look.

    `optimizer`: each Row takes a fresh one like it; None keeps everybody apart.
    """
    together = optimizer is not None and _is_elementwise(optimizer)
    groups = _by_architecture(distillers) if together else [[distiller] for distiller in distillers]
    return [group[0] if len(group) == 1 else Row(group, _like(optimizer)) for group in groups]


class Row:
    """Distillers whose students have one architecture, in one step: tracing forty students alike would take a minute.

    The first one's step runs once for each of them, with that one's variables in the place of its own
    (keras.StatelessScope). The students' variables hold the truth before and after every step.
    """

    def __init__(self, distillers, optimizer):
        self.distillers, self.first = distillers, distillers[0]
        self.trained = [distiller.student.trainable_variables for distiller in distillers]
        self.settings = [distiller.settings for distiller in distillers]
        self.stacks = [keras.Variable(_stack(same), dtype=same[0].dtype) for same in zip(*self.trained, strict=True)]
        self.optimizer = optimizer
        optimizer.build(self.stacks)

    def learn(self, batch):
        traced, stacked = self._traced(self.first.gradients, batch)
        if self.sparse or _loops(traced):
            for distiller in self.distillers:
                distiller.learn(batch)
            return
        gradients, state, trained, problems = self._each(traced, stacked, batch)

        def change():
            for stack, values in zip(self.stacks, trained, strict=True):
                stack.assign(values)
            self.optimizer.apply(gradients, self.stacks)
            _write(self.trained, [stack.value for stack in self.stacks])
            _write(self._state(), state)

        guard.change_unless(problems, change, self.first.lock)

    def look(self, batch):
        traced, stacked = self._traced(lambda batch: ([], self.first.forward(batch, training=False)), batch)
        if _loops(traced):
            for distiller in self.distillers:
                distiller.look(batch)
            return
        _, state, _, problems = self._each(traced, stacked, batch)
        guard.change_unless(problems, lambda: _write(self._state(), state), self.first.lock)

    def _state(self):
        """What a step changes besides the weights: BatchNorm's statistics, Dropout's seeds, the metrics."""
        students = [distiller.student.non_trainable_variables for distiller in self.distillers]
        metrics = [_metric_variables(distiller) for distiller in self.distillers]
        return [[*one, *other] for one, other in zip(students, metrics, strict=True)]

    def _build_metrics(self, batch):
        """Give the metrics their variables now: the step below has to be handed all that it changes."""
        if batch.labels is None:
            return
        with tf.init_scope():
            for distiller in self.distillers:
                for metric in distiller.metrics:
                    if not getattr(metric, "built", True):
                        metric.build(batch.labels, batch.teacher_logits)

    def _traced(self, forward, batch):
        """`forward` (batch -> gradients, step) as a graph of one student's variables, and these of all, stacked.

        Traced once, for one student; tf.vectorized_map makes of it what does the same for all.
        """
        self._build_metrics(batch)
        groups = (self.settings, self.trained, self._state())
        stacked = tuple([_stack(same) for same in zip(*group, strict=True)] for group in groups)

        def one_student(values):
            mapping = [
                pair for group, new in zip(groups, values, strict=True) for pair in zip(group[0], new, strict=True)
            ]
            with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
                gradients, step = forward(batch)
                self.first.report(step)
                state = [scope.get_current_value(variable) for variable in groups[2][0]]
                seen = step.loss, guard.all_probabilities(step.logits)
            # Then the optimizer has to see the rows that a batch changed, and a map returns whole weights.
            self.sparse = any(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)
            return _dense(gradients, self.trained[0]), seen, state

        return tf.function(one_student, autograph=False).get_concrete_function(_specs(stacked, skip=1)), stacked

    def _each(self, traced, stacked, batch):
        """For each student: gradients, the state after the step, weights; stacked. And the problems of all."""
        with only_errors():  # it warns of what it can only do for one student after the other
            gradients, seen, state = tf.vectorized_map(traced, stacked)
        (_, alphas), trained, _ = stacked
        return gradients, state, trained, guard.problems(batch, alphas, *seen)


def _loops(traced):
    """Is there a loop in the graph, as in a GRU that is not unrolled? tf.vectorized_map cannot map over its memory."""
    graph = traced.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return any(node.op in ("While", "StatelessWhile") for node in nodes)


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


def _is_elementwise(optimizer):
    sees_others = optimizer.clipnorm or optimizer.global_clipnorm or optimizer.use_ema
    return type(optimizer) in [getattr(keras.optimizers, name) for name in ELEMENTWISE] and not sees_others


def _like(optimizer):
    return type(optimizer).from_config(optimizer.get_config())


def _by_architecture(distillers):
    """Distillers in groups whose students compute the same function of their weights, in the order of the first."""
    groups = {}
    for distiller in distillers:
        groups.setdefault(_likeness(distiller.student), []).append(distiller)
    return groups.values()


def _likeness(student):
    """Equal for students that can be in one Row; for a student that cannot be in one, like no other's."""
    constrained = any(variable.constraint for variable in student.trainable_variables)
    scaled = student.dtype_policy.compute_dtype == "float16"  # its optimizer watches for overflow
    # Only Keras's own kinds of model: what a subclass computes is not in its configuration.
    known = type(student).__module__.startswith("keras.") and student.built
    return architecture(student) if known and not constrained and not scaled else id(student)
