"""What layers inside a model give, in the same forward pass as its logits."""

import contextlib
import functools
import itertools
import types
from typing import NamedTuple

import numpy as np

from distill_edu._inside import check_models
from distill_edu._inside.backend import keras, tf
from distill_edu._inside.check_values import require_attributes


class Call(NamedTuple):
    """One call of a layer: its input tensors in order, and its output."""

    inputs: list
    output: object


def build_hints(hints, student, teacher):
    """The hints as a list, built for these models. A hint that another Distiller has is refused."""
    hints = [hints] if isinstance(hints, keras.Layer) else list(hints)
    for hint in hints:
        require_attributes(hint, ["student_layer", "teacher_layer"], "A hint", "a layer such as distill_edu.hints.Hint")
    check_models.require_hints(hints, teacher)
    student_shapes = _shapes(student, [hint.student_layer for hint in hints])
    teacher_shapes = _shapes(teacher, [hint.teacher_layer for hint in hints])
    for hint, *shapes in zip(hints, student_shapes, teacher_shapes, strict=True):
        if not hint.built:
            hint.build(*shapes)
    for hint in hints:
        hint.taken = True
    return hints


def require_apart(student, teacher):
    """Refuse a student whose training would change the teacher. Layers that training leaves unchanged may be shared."""
    if teacher is not None:
        shared = changed_by_training(student, teacher.variables)
        check_models.require_unshared(shared, student is teacher)


def changed_by_training(model, variables):
    """Those of the variables that training the model would change: by a gradient, or as BatchNormalization does."""
    owned = {id(variable) for variable in variables}
    trained = [variable for variable in model.trainable_variables if id(variable) in owned]
    others = [
        v for v in model.non_trainable_variables if id(v) in owned and tf.as_dtype(v.dtype).is_floating
    ]  # no seeds
    if trained or not others:
        return trained
    scope = keras.StatelessScope()

    def forward(x):
        with scope:
            model(x, training=True)

    trace(forward, input_specs(model))
    return [variable for variable in others if scope.get_current_value(variable) is not None]


def layer_at(model, path):
    """The layer of this name, or inside another model: "backbone/conv1". Raises ValueError for an unknown one."""
    for name in path.split("/"):
        layers = {layer.name: layer for layer in getattr(model, "layers", ())}
        if name not in layers:
            check_models.refuse_layer(model, name)
        model = layers[name]
    return model


def with_layer_outputs(model, paths, whose="model"):
    """A function (x, training) -> (logits, [outputs of the layers at these paths]), in one forward pass."""
    layers = [layer_at(model, path) for path in paths]

    def run(x, training):
        check_models.require_image_size(model, x, whose)
        with record_calls(layers) as calls:
            logits = one_output(model(x, training=training), whose)
        outputs = [[call.output for call in calls[layer]] for layer in layers]
        return logits, [check_models.require_one_call(*pair) for pair in zip(outputs, paths, strict=True)]

    return run


def one_output(output, whose):
    """What a model gave, taken out of a list or dictionary of one. Raises ValueError where there are more."""
    parts = keras.tree.flatten(output)
    check_models.require_one_output(len(parts), whose, output)
    return parts[0]


@contextlib.contextmanager
def record_calls(layers):
    """{layer: its Calls} of the forward passes within. Works for models of any kind, and layers at any depth."""
    calls = {layer: [] for layer in layers}
    names = {layer: "quantized_call" if getattr(layer, "quantization_mode", None) else "call" for layer in layers}
    own = {layer: vars(layer).get(name) for layer, name in names.items()}
    for layer, name in names.items():
        setattr(layer, name, _recording(getattr(layer, name), calls[layer]))
    try:
        yield calls
    finally:
        for layer, call in own.items():
            delattr(layer, names[layer])  # the class's own method becomes visible again
            if call is not None:
                setattr(layer, names[layer], call)


def _recording(call, calls):
    @functools.wraps(call)  # Keras asks for the names of its arguments
    def recording(*args, **kwargs):
        output = call(*args, **kwargs)
        calls.append(Call([each for each in keras.tree.flatten([args, kwargs]) if hasattr(each, "shape")], output))
        return output

    return recording


class _Updates(keras.StatelessScope):
    """Changes no variable; `updates`: id of a variable -> (variable, what it would become)."""

    def __init__(self):
        super().__init__()
        self.updates = {}

    def add_update(self, update):
        super().add_update(update)
        self.updates[id(update[0])] = update


def plain_variables(model):
    """The tf.Variables that the model's layers keep as attributes, of which Keras knows nothing; none in a graph."""
    layers = model._flatten_layers() if tf.executing_eagerly() else ()  # noqa: SLF001 - nothing public
    return [*{id(each): each for layer in layers for each in _plain_in(vars(layer))}.values()]


def _plain_in(value):
    if isinstance(value, tf.Variable):
        yield value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for part in parts:
        yield from _plain_in(part)


def state(model):
    """All variables of a model, without its random state."""
    kept = [variable for variable in model.variables if variable.name != "seed_generator_state"]
    return [*kept, *plain_variables(model)]


@contextlib.contextmanager
def unmoved(variables, whose="teacher"):
    """A context after which these variables are what they were. Raises a ValueError if one has changed."""
    before = [np.array(variable.numpy()) for variable in variables]
    try:
        yield
    finally:
        pairs = zip(variables, before, strict=True)
        moved = [(variable, value) for variable, value in pairs if variable.numpy().tobytes() != value.tobytes()]
        for variable, value in moved:
            variable.assign(value)
    check_models.require_no_change([getattr(variable, "path", variable.name) for variable, _ in moved], whose)


@contextlib.contextmanager
def unchanged(model, whose="teacher"):
    """A context in which a model keeps all but its random state. Raises a ValueError if it would change more."""
    graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    count = len(graph.get_operations()) if graph else 0
    with unmoved(plain_variables(model), whose), _Updates() as scope:
        yield
    changed = [v.path for v, _ in scope.updates.values() if v.name != "seed_generator_state"]
    # A plain tf.Variable, of which Keras knows nothing.
    ops = graph.get_operations()[count:] if graph else []
    assigned = ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp")
    changed += [f"a tf.Variable in {op.name.rpartition('/')[0]}" for op in ops if op.type in assigned]
    check_models.require_no_change(changed, whose)
    for variable, value in scope.updates.values():
        variable.assign(value)


def _shapes(model, paths):
    """The shapes of what these layers give, without a run."""
    if not paths:
        return []
    run = with_layer_outputs(model, paths)
    outputs = trace(lambda x: run(x, training=False)[1], input_specs(model))
    return [tuple(each.shape) for each in outputs]


def trace(function, *specs):
    """What the function gives for inputs of these specs, as symbols: nothing is computed."""
    return tf.function(function, autograph=False).get_concrete_function(*specs).structured_outputs


def output_shape(model, x):
    """The shape of what a model gives for the arrays x; one that does not know it is run with symbols."""
    outputs = getattr(model, "outputs", None)
    if not outputs:
        kinds = [(np.shape(part), keras.backend.standardize_dtype(part.dtype)) for part in keras.tree.flatten(x)]
        symbols = [keras.KerasTensor((None, *shape[1:]), kind) for shape, kind in kinds]
        outputs = keras.tree.flatten(model(keras.tree.pack_sequence_as(x, symbols), training=False))
    return tuple(outputs[0].shape)


def require_examples(x):
    """Refuse x without axes or without examples; what has no shape, such as a tf.data.Dataset, passes."""
    shapes = [tuple(getattr(part, "shape", (1,))) for part in keras.tree.flatten(x)]
    if () in shapes:
        raise ValueError("x has no axes: give an array of examples, [n, ...].")
    if not shapes or shapes[0][0] == 0:
        raise ValueError("x is empty: give at least one example.")


def first_batch(x):
    """(the inputs of the first batch of a pipeline, or their specs, x as it was); arrays are one batch."""
    if isinstance(x, types.GeneratorType):
        if (first := next(x, None)) is None:
            raise ValueError("x is empty: the generator gives no batch, or its batches have been used. Make a new one.")
        return keras.utils.unpack_x_y_sample_weight(first)[0], (each for each in itertools.chain([first], x))
    if hasattr(x, "element_spec"):  # of a tf.data.Dataset
        if hasattr(x, "cardinality") and int(x.cardinality()) == 0:
            raise ValueError("x is empty: give at least one example.")
        return keras.utils.unpack_x_y_sample_weight(x.element_spec)[0], x
    return keras.utils.unpack_x_y_sample_weight(x[0])[0] if isinstance(x, keras.utils.PyDataset) else x, x


def input_specs(model):
    """What the model takes, as tf.TensorSpec. Raises ValueError where the model does not know it."""
    if hasattr(model, "members"):  # an Ensemble takes what its members take
        return input_specs(model.members[0])
    if getattr(model, "inputs", None):
        inputs = model.inputs[0] if isinstance(model, keras.Sequential) else model.input  # a dictionary stays one
        return keras.tree.map_structure(_spec, inputs)
    shape = (model.get_build_config() or {}).get("input_shape")
    if not model.built or not isinstance(shape, (tuple, list)):
        raise ValueError(
            f"{model.name!r} does not know the shape of its inputs yet: call it on some examples first, as in "
            "model(x[:1]), or build it from keras.Input."
        )
    return tf.TensorSpec((None, *shape[1:]), "float32")


def _spec(symbol):
    kind = tf.SparseTensorSpec if getattr(symbol, "sparse", False) else tf.TensorSpec
    return kind(symbol.shape, symbol.dtype)


class Graph:
    """What a traced step depends on: the layers of these models with their dtypes and activations, and the weights.

    `trained`: the variables that the step changes.
    """

    def __init__(self, models, trained):
        models = [model for model in models if model is not None]
        self.built = all(model.built for model in models)
        layers = [layer for model in models for layer in model._flatten_layers()]  # noqa: SLF001 - nothing public
        self.layers = [(layer, layer.dtype_policy, getattr(layer, "activation", None)) for layer in layers]
        self.weights = [(id(weight), weight.dtype) for model in models for weight in model.weights]
        self.trained = [id(variable) for variable in trained]

    def __eq__(self, other):
        return isinstance(other, Graph) and vars(self) == vars(other)

    __hash__ = None
