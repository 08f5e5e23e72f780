"""Measure what a model costs: its size, its work and its latency, also as a LiteRT file for phones."""

import contextlib
import gzip
import importlib.util
import io
import math
import time
import timeit
import warnings

import numpy as np
import pandas

from distill_edu._inside.backend import WrongSetup, keras, only_errors, quietly, tf
from distill_edu._inside.check_values import require_attributes, require_logits_alone
from distill_edu._inside.copies import require_same_answers, unrolled
from distill_edu._inside.layer_outputs import input_specs, record_calls, trace
from distill_edu.metrics import report

layers = keras.layers
FORMATS = (None, "float16", "int8")


def export_litert(model, quantize=None, representative=None):
    """Convert a Keras model with one input, or a Distiller's student, into the bytes of a LiteRT (.tflite) file.

    `quantize`: None keeps float32; "float16" halves the weights; "int8" turns weights, activations, inputs and outputs
    into 8-bit integers (Jacob et al. 2018, section 2), whose ranges are measured on `representative`: 100 or more
    typical x. Raises ValueError for other values and for models that cannot be converted.

    >>> export_litert(keras.Sequential([keras.Input((2,)), layers.Dense(3)]))[4:8]
    b'TFL3'
    """
    if quantize not in FORMATS:
        raise ValueError(f"quantize must be None, 'float16' or 'int8', not {quantize!r}.")
    model = portable(model)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize == "int8":
        _calibrate(converter, model, representative)
    try:
        # It reports each temporary file, and warns of the ranges of `representative`.
        with only_errors(), quietly(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Statistics for quantized inputs")
            content = converter.convert()
    except Exception as error:  # the converter's own class is not public
        sentence = f"{model.name!r} has a part that LiteRT does not know. TensorFlow says: {str(error)[:300]}"
        raise ValueError(sentence) from error
    if quantize != "int8" and importlib.util.find_spec("ai_edge_litert"):
        require_same_answers(model, lambda x: litert_predict(content, x))
    return content


def portable(model):
    """Return a functional model that computes the same in float32, with one input and unrolled recurrent layers.

    >>> portable(keras.Sequential([keras.Input((4, 2)), layers.GRU(3)])).layers[0].unroll
    True
    """
    model = getattr(model, "student", model)  # of a Distiller
    require_attributes(model, ["built", "count_params"], "model", "a Keras model")
    if not getattr(model, "inputs", None):  # a subclassed model; an Ensemble takes what its members take
        spec = input_specs(model)
        entry = keras.Input(spec.shape[1:], dtype=spec.dtype)
        model = keras.Model(entry, model(entry), name=model.name)
    if not model.built or len(model.inputs) != 1 or None in model.inputs[0].shape[1:]:
        raise ValueError("The model must have exactly one input of a known shape: begin it with keras.Input(shape).")
    require_logits_alone(model, "model", "a LiteRT file")
    return unrolled(model)


def _calibrate(converter, model, representative):
    if representative is None or not len(representative):
        raise ValueError("int8 needs representative=x: about 100 examples, on which the ranges are measured.")
    x = _like_input(representative, model.inputs[0].shape, model.inputs[0].dtype)
    converter.representative_dataset = lambda: ([x[i : i + 1]] for i in range(len(x)))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_output_type = tf.int8
    if x.dtype == np.float32:  # integers, such as letters, stay as they are
        converter.inference_input_type = tf.int8


def litert_predict(content, x, batch_size=256):
    """Run a LiteRT file on x: float32 logits [len(x), classes], as model.predict returns them.

    `content`: the bytes from `export_litert`. Raises ValueError if x does not have the shape of the model's input.

    >>> double = keras.Sequential([keras.Input((2,)), layers.Rescaling(2.0)])
    >>> litert_predict(export_litert(double), [[1.0, 3.0]])
    array([[2., 6.]], dtype=float32)
    """
    runner = interpreter(content)
    if not len(x):
        raise ValueError("x is empty: give at least one example.")
    return np.concatenate([_run(runner, x[start : start + batch_size]) for start in range(0, len(x), batch_size)])


def latency(content, x, warm_up=10, calls=100):
    """Measure the microseconds that a LiteRT file needs for the batch x on one thread: (median, 90th percentile).

    `content`: the bytes from `export_litert`; the first `warm_up` of all calls do not count.

    >>> median, p90 = latency(export_litert(keras.Sequential([keras.Input((2,)), layers.Dense(3)])), np.ones((1, 2)))
    >>> 0 < median <= p90
    True
    """
    runner = interpreter(content)
    _run(runner, x)
    seconds = timeit.repeat(runner.invoke, timer=time.perf_counter, number=1, repeat=warm_up + calls)[warm_up:]
    return float(1e6 * np.median(seconds)), float(1e6 * np.percentile(seconds, 90))


def interpreter(content):
    """Return LiteRT's interpreter of a file's bytes, on one thread. Raises ValueError for other bytes.

    >>> network = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    >>> interpreter(export_litert(network)).get_output_details()[0]["shape"]
    array([1, 3], dtype=int32)
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise WrongSetup(
            f"LiteRT does not start here ({error}). Run `pip install ai-edge-litert`, which exists for Linux, Windows "
            "and Apple silicon. Everything else in distill_edu works without it."
        ) from None
    if not isinstance(content, bytes) or content[4:8] != b"TFL3":
        raise ValueError("content must be the bytes of a LiteRT file, as export_litert(model) returns them.")
    with quietly():
        runner = Interpreter(model_content=content, num_threads=1)
        runner.allocate_tensors()  # the first call writes a line to standard error
    return runner


def _run(runner, x):
    """The logits of one batch; the interpreter is resized to it, integers are scaled."""
    entry, result = runner.get_input_details()[0], runner.get_output_details()[0]
    x = _like_input(x, entry["shape_signature"], "float32" if entry["dtype"] == np.int8 else entry["dtype"])
    if tuple(entry["shape"]) != x.shape:
        runner.resize_tensor_input(entry["index"], x.shape)
    runner.allocate_tensors()
    scale, zero = entry["quantization"]
    runner.set_tensor(entry["index"], np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8) if scale else x)
    runner.invoke()
    values, (scale, zero) = runner.get_tensor(result["index"]), result["quantization"]
    return (values.astype(np.float32) - zero) * np.float32(scale) if scale else values


def _like_input(x, shape, dtype):
    x = np.asarray(x, dtype=dtype)
    if x.shape[1:] != tuple(shape[1:]):
        raise ValueError(f"x has the shape {x.shape}, but the model takes {('n', *map(int, shape[1:]))}.")
    return x


def _kernels(layer, call):
    """Every number of the kernels is used once at each place of the output, or of the input, (batch, ..., channels)."""
    places = call.inputs[0] if isinstance(layer, AT_INPUTS) else call.output
    names, cell = ("kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel"), getattr(layer, "cell", layer)
    size = sum(math.prod(getattr(cell, name).shape) for name in names if hasattr(cell, name))
    return size * math.prod(places.shape[1:-1])


def _einsum(layer, call):
    """Each number of the output is a sum over the axes of the kernel that the output does not have."""
    kernel, output = layer.equation.split(",")[1].split("->")
    summed = [size for axis, size in zip(kernel, layer.kernel.shape, strict=True) if axis not in output]
    return math.prod(summed) * math.prod(call.output.shape[1:])


def _attention(layer, call):
    """Queries times keys, and weights times values; the four matrices are layers of their own inside this layer."""
    queries, values = [each.shape for each in call.inputs if each.dtype != "bool"][:2]  # without masks
    pairs = math.prod(queries[1:-1]) * math.prod(values[axis] for axis in layer.attention_axes)
    return pairs * layer.num_heads * (layer.key_dim + layer.value_dim)


AT_INPUTS = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
AT_INPUTS += (layers.LSTM, layers.GRU, layers.SimpleRNN)
AT_OUTPUTS = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D)
AT_OUTPUTS += (layers.DepthwiseConv2D, layers.SeparableConv1D, layers.SeparableConv2D)
# Layer -> function (layer, Call) that counts one use of the layer; layers inside it count besides.
COUNTS = dict.fromkeys(AT_INPUTS + AT_OUTPUTS, _kernels)
COUNTS |= {layers.EinsumDense: _einsum, layers.MultiHeadAttention: _attention}
FREE = (layers.Embedding, layers.Normalization, layers.BatchNormalization, layers.LayerNormalization)
FREE += (layers.GroupNormalization, layers.PReLU)
# They multiply without weights of their own.
PRODUCTS = (layers.MultiHeadAttention, layers.GroupQueryAttention, layers.Attention, layers.Dot)


def multiply_adds(model):
    """Count the multiply-accumulates (MACs) of one example, in matrix products and convolutions.

    A layer that is used twice counts twice. Channels come last. Biases, normalisation, pooling and activations do not
    count, nor do products by keras.ops that read no weights. Raises ValueError for a layer with weights, or of
    attention, that it does not know, and for sizes that are None.

    >>> multiply_adds(keras.Sequential([keras.Input((6,)), layers.Dense(8), layers.Dense(4)]))  # 6 x 8 + 8 x 4
    80
    """
    model = getattr(model, "student", model)  # of a Distiller
    counted, numbers, inputs = dict(_counted(model)), [], input_specs(model)
    if any(None in spec.shape[1:] for spec in keras.tree.flatten(inputs)):
        raise ValueError(f"multiply_adds needs sizes without None: give {model.name!r} an Input of a whole shape.")

    def run(x):
        with record_calls(counted) as calls:
            model(x, training=False)
        numbers.extend(count(layer, call) for layer, count in counted.items() for call in calls[layer])

    trace(run, inputs)
    return sum(numbers)


def _counted(layer):
    """(layer, function that counts one use of it) for every layer inside this layer that counts."""
    count = COUNTS.get(type(layer))
    if count:
        yield layer, count
        if isinstance(layer, layers.RNN):
            return  # it is counted with its cell
    inside = list(layer._flatten_layers(include_self=False, recursive=False))  # noqa: SLF001 - nothing public
    for each in inside:
        yield from _counted(each)
    own = {id(weight) for weight in layer.weights} - {id(weight) for each in inside for weight in each.weights}
    if not count and (isinstance(layer, PRODUCTS) or own and not isinstance(layer, FREE)):
        raise ValueError(f"multiply_adds cannot count {layer.name!r}: it does not know {type(layer).__name__}.")


def model_card(model, data, formats=FORMATS, batch_size=32):
    """Measure what a model costs and how good it is: a pandas table, a row for each format of `export_litert`.

    Columns: parameters, multiply_adds, bytes, gzip_bytes (of the LiteRT file); us, us_p90, batch_us, batch_us_p90
    (latency in microseconds of one example, and of a batch of `batch_size`: median and 90th percentile of 100 calls on
    one thread); valid_accuracy, valid_nll, valid_ece, test_accuracy, test_nll, test_ece.
    `data`: a Dataset; the ranges for int8 are measured on its first 200 training examples.

    >>> from distill_edu import load_dataset, models
    >>> data = load_dataset("spirals")
    >>> model_card(models.mlp(data, hidden=8), data, formats=["int8"]).multiply_adds.to_dict()  # 2 x 8 + 8 x 3
    {'int8': 40}
    """
    require_attributes(data, ["train", "valid", "test"], "data", "a Dataset, such as load_dataset('mnist5k')")
    model = portable(model)
    same = {"parameters": model.count_params(), "multiply_adds": multiply_adds(model)}
    rows = {}
    for quantize in formats:
        content = export_litert(model, quantize, data.train[0][:200])
        row = {**same, "bytes": len(content), "gzip_bytes": len(gzip.compress(content, mtime=0))}
        for name, size in (("", 1), ("batch_", batch_size)):
            row[f"{name}us"], row[f"{name}us_p90"] = latency(content, data.test[0][:size])
        for part in ("valid", "test"):
            x, labels = getattr(data, part)
            row |= {f"{part}_{name}": value for name, value in report(labels, litert_predict(content, x)).items()}
        rows[quantize or "float32"] = row
    return pandas.DataFrame.from_dict(rows, orient="index").rename_axis("format")


def model_cards(groups, data, formats=(None, "int8")):
    """Join the cards of many models in one table, with technique and size, for the slider of page 18.

    `groups`: technique -> its models, as (size, model). The int8 form of a technique is a technique of its own.
    Models of equal size and format do the same work, so each gets the median of their latencies.

    >>> from distill_edu import load_dataset, models
    >>> data = load_dataset("spirals")
    >>> model_cards({"hard": [(8, models.mlp(data, hidden=8))]}, data).technique.tolist()
    ['hard', 'hard, int8']
    """
    cards = []
    for technique, models in groups.items():
        for size, model in models:
            card = model_card(model, data, formats).reset_index()
            names = [technique if name == "float32" else f"{technique}, {name}" for name in card["format"]]
            cards.append(card.assign(technique=names, size=size))
    table = pandas.concat(cards).sort_values("format", kind="stable", ignore_index=True)
    times = ["us", "us_p90", "batch_us", "batch_us_p90"]
    table[times] = table.groupby(["size", "format"])[times].transform("median")
    return table
