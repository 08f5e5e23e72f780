"""Looking into models for hints: what their layers give, in the same forward pass as their logits."""

from distill_edu import guard
from distill_edu.arguments import require_attributes
from distill_edu.backend import keras


def prepared(hints, student, teacher):
    """The hints as a list, built for these models; one that has served another Distiller is refused."""
    hints = [hints] if isinstance(hints, keras.Layer) else list(hints)
    for hint in hints:
        require_attributes(hint, ["student_layer", "teacher_layer"], "A hint", "a layer such as distill_edu.hints.Hint")
    guard.require_hints(hints, teacher)
    for hint in hints:
        pairs = (student, hint.student_layer), (teacher, hint.teacher_layer)
        shapes = [layer_output(model, name).shape for model, name in pairs]
        if not hint.built:
            hint.build(*shapes)
    for hint in hints:
        hint.taken = True
    return hints


def layer_output(model, name):
    """What a layer of a functional or Sequential model gives, as a symbol. Raises ValueError for an unknown name."""
    names = [layer.name for layer in getattr(model, "layers", ())]
    if getattr(model, "inputs", None) is None:
        raise ValueError(
            f"Hints find layers by name, and that needs a functional or Sequential model that has been built. "
            f"{model.name!r} is not one."
        )
    if name not in names:
        raise ValueError(f"{model.name!r} has no layer {name!r}. It has: {', '.join(names)}.")
    return model.get_layer(name).output


def with_features(model, names):
    """A function (x, training) -> (logits, [what these layers gave]), in one forward pass."""
    if not names:
        return lambda x, training: (model(x, training=training), [])
    inputs = model.inputs if isinstance(model, keras.Sequential) else model.input  # a dictionary stays one
    inside = keras.Model(inputs, [model.outputs[0], *(layer_output(model, name) for name in names)])

    def run(x, training):
        logits, *features = inside(x, training=training)
        return logits, features

    return run
