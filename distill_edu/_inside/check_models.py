"""What is refused before anything is built, compiled or opened: models, layers and arguments."""

import inspect
import warnings

import numpy as np

from distill_edu._inside.backend import keras
from distill_edu._inside.check_steps import STUDENT_PROBABILITIES, TEACHER_PROBABILITIES
from distill_edu._inside.check_values import last_activation, require_logits, require_number

ANSWERS = '{"train": teacher_logits(function, x)}'


def require_alpha(value):
    """`alpha` as a float in [0, 1]."""
    why = "it is the weight of the hard labels, and 1 - alpha is the weight of the soft targets"
    return require_number(value, "alpha", "between 0 and 1", lambda alpha: 0 <= alpha <= 1, why)


def require_weight(value, name="weight"):
    """The factor of a part of the loss, as a float of at least 0."""
    return require_number(value, name, "a number of at least 0", lambda weight: weight >= 0)


# --- models ---------------------------------------------------------------------------------------------------------


def require_models(student, teacher):
    """Keras models that end in logits; a teacher with weights, or None."""
    if student is None:
        raise TypeError("student is None: give the model to be trained.")
    for model, message in ((teacher, TEACHER_PROBABILITIES), (student, STUDENT_PROBABILITIES)):
        if model is not None and not isinstance(model, keras.Layer):
            raise TypeError(
                f"student and teacher must be Keras models, not {type(model).__name__}. A teacher from elsewhere is "
                'asked once: fit(x, {"labels": y, "teacher_logits": teacher_logits(function, x)}).'
            )
        if model is not None and last_activation(model) == "softmax":
            raise ValueError(message)
    if teacher is not None and not teacher.built:
        raise ValueError(
            "The teacher has no weights yet: train it, or load a trained model. A teacher without weights by design "
            "must be called once first: teacher(x[:1])."
        )


def require_heads(task, *models):
    """No sigmoid at the end, unless the outputs are numbers. No Ensemble, unless they are classes."""
    for model in models:
        if task.of_logits and model is not None and last_activation(model) == "sigmoid":
            raise ValueError(
                f"{model.name!r} ends in a sigmoid, but distillation needs logits: take the sigmoid off the last "
                'layer. (A sigmoid that gives numbers, such as boxes, goes with soft_loss="mean_square".)'
            )
        if task.name != "classes" and hasattr(model, "members"):
            raise ValueError(
                f"An Ensemble is for classes, this loss is for {task.name!r}: give a member, or its teacher_logits."
            )


def require_unshared(shared, same=False):
    """No trained variables that belong to student and teacher; not one model for both."""
    if same or shared:
        raise ValueError(
            "The student and the teacher are one model, or share layers, so training would change the teacher. "
            "For self-distillation copy it: student = keras.models.clone_model(teacher). Freeze a layer that both "
            "share to save memory: layer.trainable = False."
        )


def require_own_layers(student, teacher):
    """No layer of both models: Keras writes it into one file, and cannot load that file."""
    owned = {id(variable) for variable in getattr(teacher, "variables", ())}
    if any(id(variable) in owned for variable in student.variables):
        raise ValueError(
            "Student and teacher share a layer, and Keras cannot load a Distiller whose models do. Save "
            "distiller.student, or the weights alone: distiller.save_weights('distiller.weights.h5')."
        )


def require_no_change(paths, whose):
    """No variable of a model that changes when the model is asked."""
    if paths:
        raise ValueError(
            f"Asking the {whose} changes it, and asking must not: {', '.join(paths)}. Build it with stateful=False, "
            "and call its BatchNormalization without training=True."
        )


def require_stateless(model, whose):
    """No stateful layer, where every row is answered anew. Of a function nothing is known."""
    for layer in model._flatten_layers() if isinstance(model, keras.Layer) else ():  # noqa: SLF001 - nothing public
        if getattr(layer, "stateful", False):
            raise ValueError(
                f"The layer {layer.name!r} of the {whose} is stateful, so an answer depends on what was asked before: "
                "build it with stateful=False."
            )


def require_trainable(variables):
    """At least one variable to train."""
    if not variables:
        raise ValueError("The student has no trainable weights: set student.trainable = True, compile, and fit again.")


def require_teacher(teacher):
    """A teacher, where there are no teacher_logits."""
    if teacher is None:
        raise ValueError(
            "There is neither a teacher nor teacher_logits. Give Distiller(student=..., teacher=...), or train "
            'and evaluate on (x, {"labels": y, "teacher_logits": teacher_logits(teacher, x)}).'
        )


def require_asked(teacher, or_none=True):
    """A model, or the answers of a teacher from elsewhere: of a function it is not known what it reads."""
    if not isinstance(teacher, (keras.Layer, dict)) and not (or_none and teacher is None):
        raise TypeError(
            f"teacher must be a Keras model or a dictionary of answers, not {type(teacher).__name__}. A teacher from "
            'elsewhere may not read what the student reads, so ask it first: {"train": teacher_logits(function, x)}.'
        )


def require_function(value, name, form, /, *arguments, **settings):
    """A function that takes these arguments; `form` says it in words."""
    if not callable(value) or isinstance(value, keras.Layer):
        raise TypeError(f"{name} must be {form}, not {type(value).__name__}.")
    try:
        inspect.signature(value).bind(*arguments, **settings)
    except TypeError as error:
        raise TypeError(f"{name} must be {form}. This function cannot be called so: {error}.") from None
    except ValueError:  # a function written in C does not say what it takes
        return


def require_own_teacher(teacher):
    """What an arm may set as its teacher: None, a model, answers, {"hints": model}, or a function (x, y) -> model."""
    if isinstance(teacher, dict) and "hints" in teacher:
        if len(teacher) > 1 or not isinstance(teacher["hints"], keras.Layer):
            raise TypeError(f'{{"hints": model}} takes a Keras model and nothing beside it, not {teacher!r:.80}.')
    elif teacher is not None and not isinstance(teacher, (keras.Layer, dict)):
        form = f'a Keras model, {{"hints": model}}, answers {ANSWERS}, or a function (x, y) -> model'
        require_function(teacher, "An arm's teacher", form, "x", "y")


def require_made_teacher(teacher):
    """What an arm's function (x, y) may return: a model, or answers."""
    if not isinstance(teacher, (keras.Layer, dict)):
        raise TypeError(
            f"An arm's function (x, y) -> teacher must return a Keras model, or answers {ANSWERS}, not "
            f"{type(teacher).__name__}: end it with `return model`."
        )


def require_answers(answers, train, data, transfer, compares_hints):
    """{part of the data: logits}, one row for each example. `train`: (x, labels); `transfer`: is it learned from?"""
    inputs = {"train": train[0], "valid": data.valid[0], "test": data.test[0], "transfer": data.transfer}
    needed = ["train", "transfer"] if transfer else ["train"]
    if not set(needed) <= set(answers) <= set(inputs):
        raise ValueError(
            f"A teacher's answers are a dictionary of train, valid, test and transfer ({' and '.join(needed)} must be "
            f"there), not of {', '.join(map(str, answers)) or 'nothing'}."
        )
    for part, logits in answers.items():
        if not isinstance(logits, np.ndarray):
            kind = type(logits).__name__
            raise TypeError(f"teacher[{part!r}] must be a NumPy array, not {kind}: np.asarray(...) makes one of it.")
        require_logits(logits, f"teacher[{part!r}]")
        if inputs[part] is None or len(logits) != len(inputs[part]):
            count = 0 if inputs[part] is None else len(inputs[part])
            raise ValueError(f"teacher[{part!r}] has {len(logits)} rows for {count} examples: give one for each.")
    axes, classes = answers["train"].ndim - 1, answers["train"].shape[-1]
    for part, logits in answers.items():
        expected = (*np.shape(inputs[part])[:axes], classes)
        if part != "train" and logits.shape != expected:
            raise ValueError(
                f"teacher[{part!r}] has the shape {logits.shape} instead of {expected}: give one logit for each of the "
                f"{classes} classes that teacher['train'] has."
            )
    if compares_hints:
        raise ValueError('Hints compare hidden layers, and answers have none: give teacher={"hints": model}, too.')


def require_image_size(model, x, whose="teacher"):
    """Images x of the size that the model was built for. A Sequential model would take any size in silence.

    A subclassed model may be meant for any size, so there it is a warning.
    """
    for member in getattr(model, "members", ()):
        require_image_size(member, x, whose)
    declared = [entry.shape for entry in keras.tree.flatten(getattr(model, "inputs", None) or [])]
    built = (getattr(model, "get_build_config", dict)() or {}).get("input_shape")
    shapes, parts = declared or [built or ()], keras.tree.flatten(x)
    for batch_shape, part in zip(shapes, parts, strict=False) if len(shapes) == len(parts) else ():
        expected, shape = tuple(batch_shape)[1:], tuple(getattr(part, "shape", ()))[1:]
        known = [(e, s) for e, s in zip(expected, shape, strict=False) if None not in (e, s)]
        if len(expected) == len(shape) == 3 and any(e != s for e, s in known):
            message = f"The {whose} takes images of the shape {expected}, but x has images of {shape}: resize x."
            if declared:
                raise ValueError(message)
            warnings.warn(message, stacklevel=2)


def require_one_output(count, whose, output):
    """Exactly one tensor."""
    if count != 1:
        kind = f"a dictionary: {', '.join(map(str, output))}" if isinstance(output, dict) else "a list"
        raise ValueError(
            f"The {whose} gives {count} outputs ({kind}), and a Distiller compares one. Choose it: "
            "keras.Model(model.input, model.output[...]), or use one Distiller for each."
        )


# --- layers and hints -----------------------------------------------------------------------------------------------


def require_one_call(outputs, layer):
    """What a layer gave in a forward pass, if it was called once and gave one tensor."""
    if len(outputs) != 1:
        often = f"is used {len(outputs)} times" if outputs else "is not used"
        raise ValueError(f"The layer {layer!r} {often} in one forward pass: a hint needs a layer that is used once.")
    if not hasattr(outputs[0], "shape"):
        raise ValueError(f"The layer {layer!r} gives more than one tensor: a hint compares one.")
    return outputs[0]


def refuse_layer(model, name):
    """Raise the ValueError that says which layers the model has."""
    layers = list(getattr(model, "layers", ()))
    inside = [layer.name for layer in layers if name in [each.name for each in getattr(layer, "layers", ())]]
    names = ", ".join(layer.name for layer in layers[:20]) + (", ..." if len(layers) > 20 else "")
    where = f" It is inside another model: {inside[0]}/{name}." if inside else ""
    raise ValueError(f"{model.name!r} has no layer {name!r}.{where} It has: {names or 'none'}.")


def require_layer_names(**layers):
    """Names of layers, not the layers themselves, which other libraries take."""
    for argument, layer in layers.items():
        if not isinstance(layer, str):
            raise TypeError(f"{argument} must be the name of a layer, such as 'conv1', not {layer!r}.")


def require_hints(hints, teacher):
    """Hints with different names that no other Distiller has, and a teacher to look into."""
    names = [hint.name for hint in hints]
    if len(set(names)) < len(names):
        raise ValueError(f"Two hints have the same name, {names}: give each its own, as name=...")
    if hints and teacher is None:
        raise ValueError("Hints compare hidden layers, so teacher_logits alone are not enough: give teacher.")
    for hint in hints:
        if getattr(hint, "taken", False):
            raise ValueError(
                f"The hint {hint.name!r} belongs to another Distiller, which may have trained it: make a new one."
            )


def require_places(hint, student, teacher, least=0):
    """Shapes of two layers with the same places: axes between the first and the last, at least so many."""
    if min(len(student), len(teacher)) < 2 + least:
        raise ValueError(
            f"An attention map needs places, but {hint.student_layer!r} has the shape {tuple(student)} and "
            f"{hint.teacher_layer!r} {tuple(teacher)}: choose layers before Flatten or pooling over all places."
        )
    if tuple(student[1:-1]) != tuple(teacher[1:-1]):
        raise ValueError(
            f"The student's layer {hint.student_layer!r} has the shape {tuple(student)} and the teacher's "
            f"{hint.teacher_layer!r} {tuple(teacher)}: only the last axis may differ. Choose layers with equally many "
            "places, or flat ones."
        )


# --- arguments of compile and fit -----------------------------------------------------------------------------------


def require_our_names(arguments):
    """Keras's names for a loss, which Keras would take in silence, and this package would never use."""
    for name, ours in (("loss", "student_loss"), ("loss_weights", "alpha")):
        if name in arguments:
            raise ValueError(f"A Distiller does not take {name}=...: give {ours}=... instead. See compile.")


def require_own_hooks(model):
    """A subclass does not override compute_loss, the hook of keras.io's example: it would not be called."""
    if type(model).compute_loss is not keras.Model.compute_loss:
        raise ValueError(
            "A Distiller does not call compute_loss: give the loss as soft_loss= or student_loss=, or override forward."
        )


FOR_ONE = ("EarlyStopping", "TerminateOnNaN", "ReduceLROnPlateau", "LearningRateScheduler", "TensorBoard")
FOR_ONE += ("BackupAndRestore", "SwapEMAWeights")


def require_callbacks_for_many(callbacks):
    """Callbacks of Keras that need one loss or one optimizer have no place in a Classroom."""
    for callback in keras.tree.flatten(getattr(callbacks, "callbacks", callbacks)):  # also of a CallbackList
        name = next((name for name in FOR_ONE if isinstance(callback, getattr(keras.callbacks, name))), None)
        if name:
            raise ValueError(
                f"{name} needs one loss or one optimizer, and a Classroom has one for each student: leave it out, give "
                "the optimizer a learning-rate schedule, or train this student in a Distiller."
            )


def require_student_loss(loss):
    """None, or a function of (labels, logits): a name, or a loss of probabilities, is refused."""
    if isinstance(loss, str):
        raise ValueError(
            f"student_loss={loss!r} is a name, and Keras's losses of that name average over the batch or expect "
            "probabilities: give a function (labels, logits) -> one value per example, such as "
            "keras.losses.SparseCategoricalCrossentropy(from_logits=True), or leave it out."
        )
    of_probabilities = isinstance(loss, keras.losses.Loss) and loss.get_config().get("from_logits") is False
    names = ("categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy")
    if of_probabilities or loss in [getattr(keras.losses, name) for name in names]:
        raise ValueError(
            f"student_loss={loss!r} expects probabilities, and the models give logits. Leave it out (it is then the "
            "cross-entropy from logits), or give keras.losses.SparseCategoricalCrossentropy(from_logits=True)."
        )
