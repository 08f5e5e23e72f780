"""Looking into models for hints: what their layers give, in the same forward pass as their logits."""

import contextlib
import functools
from typing import NamedTuple

from distill_edu._inside import check_models
from distill_edu._inside.backend import keras, tf
from distill_edu._inside.check_values import require_attributes


class Call(NamedTuple):
    """What one call of a layer was given (all its tensors, in order), and what it gave."""

    inputs: list
    output: object


def prepared(hints, student, teacher):
    """The hints as a list, built for these models; one that has served another Distiller is refused."""
    hints = [hints] if isinstance(hints, keras.Layer) else list(hints)
    for hint in hints:
        require_attributes(hint, ["student_layer", "teacher_layer"], "A hint", "a layer such as distill_edu.hints.Hint")
    check_models.require_hints(hints, teacher)
    mine = _shapes(student, [hint.student_layer for hint in hints])
    teachers = _shapes(teacher, [hint.teacher_layer for hint in hints])
    for hint, *shapes in zip(hints, mine, teachers, strict=True):
        if not hint.built:
            hint.build(*shapes)
    for hint in hints:
        hint.taken = True
    return hints


def require_apart(student, teacher):
    """Refuse a student whose training would change the teacher; what both have and nothing moves may be shared."""
    if teacher is not None:
        check_models.require_unshared(moving(student, teacher.variables), student is teacher)


def moving(model, variables):
    """Those of these variables that training the model would change: by a gradient, or as BatchNormalization does."""
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

    traced(forward, input_specs(model))
    return [variable for variable in others if scope.get_current_value(variable) is not None]


def layer_at(model, path):
    """The layer of this name, or inside another model: "backbone/conv1". Raises ValueError for an unknown one."""
    for name in path.split("/"):
        layers = {layer.name: layer for layer in getattr(model, "layers", ())}
        if name not in layers:
            check_models.no_such_layer(model, name)
        model = layers[name]
    return model


def with_features(model, paths, whose="model"):
    """A function (x, training) -> (logits, [what these layers gave]), in one forward pass."""
    layers = [layer_at(model, path) for path in paths]

    def run(x, training):
        with recorded(layers) as calls:
            logits = one_output(model(x, training=training), whose)
        features = [[call.output for call in calls[layer]] for layer in layers]
        return logits, [check_models.require_one_call(*pair) for pair in zip(features, paths, strict=True)]

    return run


def one_output(output, whose):
    """What a model gave, if need be out of a list or a dictionary of one. Raises ValueError where there are more."""
    parts = keras.tree.flatten(output)
    check_models.require_one_output(len(parts), whose, output)
    return parts[0]


@contextlib.contextmanager
def recorded(layers):
    """{layer: its Calls} of the forward passes within. It serves models of any kind, and layers at any depth."""
    calls = {layer: [] for layer in layers}
    for layer, its in calls.items():
        layer.call = _noting(layer.call, its)
    try:
        yield calls
    finally:
        for layer in calls:
            del layer.call  # its class's own is behind it


def _noting(call, calls):
    @functools.wraps(call)  # Keras asks for its arguments' names
    def noted(*args, **kwargs):
        output = call(*args, **kwargs)
        calls.append(Call([each for each in keras.tree.flatten([args, kwargs]) if hasattr(each, "shape")], output))
        return output

    return noted


def _shapes(model, paths):
    """The shapes of what these layers give, without a run."""
    if not paths:
        return []
    run = with_features(model, paths)
    features = traced(lambda x: run(x, training=False)[1], input_specs(model))
    return [tuple(each.shape) for each in features]


def traced(function, *specs):
    """What the function gives for inputs of these specs, as symbols: nothing is computed."""
    return tf.function(function, autograph=False).get_concrete_function(*specs).structured_outputs


def input_specs(model):
    """What the model takes, as tf.function wants to be told. Raises ValueError where the model does not know it."""
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
