"""How much a model computes for one example: multiplications with a following addition, layer by layer."""

import math

from distill_edu._inside.backend import keras
from distill_edu._inside.layer_outputs import input_specs, record_calls, trace

layers = keras.layers
FREE = (
    *(layers.Embedding, layers.Normalization, layers.BatchNormalization, layers.LayerNormalization),
    *(layers.GroupNormalization, layers.PReLU),
)


def _dense(layer, call):
    return math.prod(layer.kernel.shape) * _places(call.output)


def _transposed(layer, call):
    return math.prod(layer.kernel.shape) * _places(call.inputs[0])


def _separable(layer, call):
    return (math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)) * _places(call.output)


def _einsum(layer, call):
    """Each number of the output is a sum over the axes of the kernel that it no longer has."""
    kernel, output = layer.equation.split(",")[1].split("->")
    summed = [size for axis, size in zip(kernel, layer.kernel.shape, strict=True) if axis not in output]
    return math.prod(summed) * math.prod(call.output.shape[1:])


def _attention(layer, call):
    """Queries with keys, and the weights with values; the four matrices beside it are layers of their own."""
    (_, queries, *_), (_, values, *_) = call.inputs[0].shape, call.inputs[1].shape
    return queries * values * layer.num_heads * (layer.key_dim + layer.value_dim)


def _recurrent(layer, call):
    kernels = [weight for weight in layer.trainable_weights + layer.non_trainable_weights if len(weight.shape) == 2]
    matrices = [weight for weight in kernels if weight.path.endswith("kernel")]
    return sum(math.prod(weight.shape) for weight in matrices) * call.inputs[0].shape[1]


def _places(tensor):
    return math.prod(tensor.shape[1:-1])


# Layer -> function (layer, Call) that counts one use of it. A layer inside another one that stands here counts, too.
COUNTS = {
    **dict.fromkeys([layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose], _transposed),
    **dict.fromkeys([layers.SeparableConv1D, layers.SeparableConv2D], _separable),
    **dict.fromkeys([layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D], _dense),
    **dict.fromkeys([layers.DepthwiseConv1D, layers.DepthwiseConv2D], _dense),
    **dict.fromkeys([layers.LSTM, layers.GRU, layers.SimpleRNN], _recurrent),
    layers.EinsumDense: _einsum,
    layers.MultiHeadAttention: _attention,
}


def multiply_adds(model):
    """How many multiplications with a following addition one example needs, in matrix products and convolutions.

    A layer that is used twice counts twice. Channels come last, as TensorFlow has them on a CPU. Biases,
    normalisation, pooling and activations are not counted. Raises ValueError for layers that it does not know and for
    sizes that are None.
    """
    model = getattr(model, "student", model)  # of a Distiller
    counted, numbers, inputs = list(_counted(model)), [], input_specs(model)
    if any(None in spec.shape[1:] for spec in keras.tree.flatten(inputs)):
        raise ValueError(f"multiply_adds needs sizes without None: give {model.name!r} an Input of a whole shape.")

    def run(x):
        with record_calls([layer for layer, _ in counted]) as calls:
            model(x, training=False)
        numbers.extend(count(layer, call) for layer, count in counted for call in calls[layer])

    trace(run, inputs)
    return sum(numbers)


def _counted(layer):
    """(a layer, the function that counts one use of it), for all that are in this one."""
    known = COUNTS.get(type(layer))
    if known:
        yield layer, known
    if known is _recurrent:
        return  # counted as a whole, with its cell
    inside = list(layer._flatten_layers(include_self=False, recursive=False))
    for each in inside:
        yield from _counted(each)
    theirs = {id(weight) for each in inside for weight in each.weights}
    own = [weight for weight in layer.weights if id(weight) not in theirs]
    if own and not known and not isinstance(layer, FREE):
        raise ValueError(f"multiply_adds cannot count {layer.name!r}: it does not know {type(layer).__name__}.")
