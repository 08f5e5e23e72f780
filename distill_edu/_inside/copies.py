"""A copy of a model as LiteRT needs it, and the check that a copy answers as its model does."""

import contextlib
import json
import re

import numpy as np

from distill_edu._inside.backend import keras, tf

layers = keras.layers
LACKS = "lacks what a layer has learned, such as a table of words: do that step before the model. TensorFlow says:"
MIXED, LOOP = "mixed_b?float16", '"unroll": false'  # what LiteRT does not know, in the configuration of a layer


def unrolled(model):
    """A copy in float32 with unrolled recurrent layers, or the model itself where LiteRT needs no copy."""
    with _not_compiled(model):
        try:
            config = json.dumps(keras.saving.serialize_keras_object(model))
        except NotImplementedError:  # a layer of the reader's own without get_config stays as it is
            return model
        if not re.search(f"{MIXED}|{LOOP}", config):
            return model
        copy = keras.models.clone_model(model, clone_function=_rebuilt, recursive=True)
    copy.set_weights(model.get_weights())
    for layer in copy._flatten_layers():  # noqa: SLF001 - nothing public
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()  # its mean is a weight
    require_same_answers(model, copy)
    return copy


@contextlib.contextmanager
def _not_compiled(model):
    """Within, Keras does not copy the losses: it would not find the reader's own."""
    compiled = [each for each in model._flatten_layers() if getattr(each, "compiled", False)]  # noqa: SLF001
    for each in compiled:
        each.compiled = False
    try:
        yield
    finally:
        for each in compiled:
            each.compiled = True


def _rebuilt(layer):
    if isinstance(layer, layers.Lambda):  # its configuration lacks what the function reads by name
        dtype, shape = re.sub(MIXED, "float32", layer.dtype_policy.name), layer._output_shape  # noqa: SLF001
        return layers.Lambda(layer.function, shape, layer.mask, layer.arguments, dtype=dtype, name=layer.name)
    config = json.dumps(keras.saving.serialize_keras_object(layer))
    config = re.sub(MIXED, "float32", config).replace(LOOP, '"unroll": true')
    own = {type(each).__name__: type(each) for each in layer._flatten_layers()}  # noqa: SLF001
    try:
        return keras.saving.deserialize_keras_object(json.loads(config), own, safe_mode=False)
    except TypeError as error:
        raise ValueError(
            f"LiteRT needs a copy of the layer {layer.name!r}, and Keras cannot rebuild it from its get_config(): "
            "decorate the functions and classes that it names with @keras.saving.register_keras_serializable()."
        ) from error


def require_same_answers(model, copy):
    """Refuse a copy that lost something which is neither in its configuration nor in its weights."""
    if model.inputs[0].dtype == "string":
        return
    x = np.random.RandomState(0).uniform(0, 2, (3, *model.inputs[0].shape[1:]))  # 0 and 1 where x are integers
    for scale in (1, -1, 0.1, -0.1, 10, -10) if "float" in model.inputs[0].dtype else (1,):
        some = (scale * x).astype(model.inputs[0].dtype)
        try:
            both = [keras.tree.flatten(each(some))[0] for each in (model, copy)]
        except tf.errors.InvalidArgumentError:  # an Embedding of the model has no such row
            continue
        except tf.errors.FailedPreconditionError as error:
            raise ValueError(f"A copy of {model.name!r} {LACKS} {error!s:.200}") from error
        expected, answers = (np.asarray(each, "float32") for each in both)
        largest = np.nanmax(np.abs(expected), initial=0)
        if not np.allclose(answers, expected, rtol=0, atol=0.05 * largest + 1e-6, equal_nan=True):
            raise ValueError(
                f"LiteRT needs a copy of {model.name!r} in float32, with unrolled recurrent layers, and this copy "
                "answers differently: a layer keeps something that its get_config() and its weights do not contain, "
                "such as a state, or answers at random. Change this layer."
            )
