"""What a model costs: its size, its work and its latency, also as LiteRT exports it for phones and small devices."""

import contextlib
import gzip
import io
import json
import re
import time
import warnings

import numpy as np

from distill_edu._inside.backend import WrongSetup, keras, only_errors, quietly, tf
from distill_edu._inside.check_values import require_attributes
from distill_edu._inside.layer_outputs import input_specs
from distill_edu.counting import multiply_adds
from distill_edu.metrics import report

FORMATS = (None, "float16", "int8")


def export_litert(model, quantize=None, representative=None):
    """The model as the bytes of a LiteRT (.tflite) file.

    `quantize`: None keeps float32; "float16" halves the weights; "int8" turns weights, activations, inputs and outputs
    into 8-bit integers (Jacob et al. 2018, section 2), for the ranges that `representative` shows: 100 examples or
    more, like those that the model will see. Raises ValueError for anything else.
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
        _calibrate_with(converter, model, representative)
    try:
        with _in_silence():
            return converter.convert()
    except Exception as error:  # the converter's own class is not public
        raise ValueError(
            f"{model.name!r} has a part that LiteRT does not know. TensorFlow says: {str(error)[:300]}"
        ) from error


def portable(model):
    """The same function as a functional model with one input, in float32, its recurrent layers unrolled."""
    model = getattr(model, "student", model)  # of a Distiller
    require_attributes(model, ["built", "count_params"], "model", "a Keras model")
    if not getattr(model, "inputs", None):  # a subclassed model; an Ensemble takes what its members take
        spec = input_specs(getattr(model, "members", [model])[0])
        entry = keras.Input(spec.shape[1:], dtype=spec.dtype)
        model = keras.Model(entry, model(entry), name=model.name)
    if not model.built or len(model.inputs) != 1 or None in model.inputs[0].shape[1:]:
        raise ValueError("The model must have exactly one input of a known shape: begin it with keras.Input(shape).")
    try:
        config = _config(model)
    except NotImplementedError:  # a layer of one's own that cannot say what it is made of stays as it is
        return model
    if config == _portable(config):
        return model
    copy = keras.models.clone_model(model, clone_function=_rebuilt, recursive=True)
    copy.set_weights(model.get_weights())
    return copy


def _config(layer):
    return json.dumps(keras.saving.serialize_keras_object(layer))


def _portable(config):
    return re.sub("mixed_b?float16", "float32", config).replace('"unroll": false', '"unroll": true')


def _rebuilt(layer):
    return keras.saving.deserialize_keras_object(json.loads(_portable(_config(layer))))


@contextlib.contextmanager
def _in_silence():
    """Without the converter's report of each temporary file, and of ranges that `representative` gives."""
    with only_errors(), quietly(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")
        yield


def _calibrate_with(converter, model, representative):
    if representative is None or not len(representative):
        raise ValueError("int8 needs representative=x: some 100 examples, to take the ranges of the numbers from.")
    x = _like_input(representative, model.inputs[0].shape, model.inputs[0].dtype)
    converter.representative_dataset = lambda: ([x[i : i + 1]] for i in range(len(x)))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_output_type = tf.int8
    if x.dtype == np.float32:  # numbers of words stay what they are
        converter.inference_input_type = tf.int8


def litert_predict(content, x, batch_size=256):
    """Run `content`, the bytes of a LiteRT file, on x: float32 logits [len(x), classes], as model.predict gives them.

    int8 inputs and outputs are scaled here. Raises ValueError where x does not have the shape of the model's input.
    """
    runner = interpreter(content)
    batches = [x[start : start + batch_size] for start in range(0, len(x), batch_size)]
    if not batches:
        raise ValueError("x is empty: give at least one example.")
    return np.concatenate([_run(runner, batch) for batch in batches])


def latency(content, x, warm_up=10, calls=100):
    """Microseconds that a LiteRT file needs for the batch x, on one thread: (median, 90th percentile) of `calls`."""
    runner = interpreter(content)
    _run(runner, x)
    times = []
    for _ in range(warm_up + calls):
        start = time.perf_counter()
        runner.invoke()
        times.append(1e6 * (time.perf_counter() - start))
    return float(np.median(times[warm_up:])), float(np.percentile(times[warm_up:], 90))


def model_card(model, data, formats=FORMATS, batch_size=32):
    """What a model costs and what it is worth, a row for each format of `export_litert`: a pandas table.

    Columns: parameters, multiply_adds, bytes, gzip_bytes (of the LiteRT file), and for one example and for a batch of
    `batch_size` the latency in microseconds (us, us_p90, batch_us, batch_us_p90: median and 90th percentile of 100
    calls on one thread), then accuracy, nll and ece on both parts (valid_accuracy, ..., test_ece).
    `data`: a Dataset; the ranges for int8 come from its first 200 training examples.
    """
    import pandas

    require_attributes(data, ["train", "valid", "test"], "data", "a Dataset, such as load_dataset('mnist5k')")
    same = {"parameters": model.count_params(), "multiply_adds": multiply_adds(model)}
    rows = {quantize or "float32": {**same, **_costs(model, data, quantize, batch_size)} for quantize in formats}
    return pandas.DataFrame.from_dict(rows, orient="index").rename_axis("format")


def model_cards(groups, data, formats=(None, "int8")):
    """The cards of many models as one table, with technique and size, as the slider of page 16 wants it.

    `groups`: a technique -> its models, as (size, model). The int8 form of a technique is a technique of its own.
    Models of one size and format do the same work, so they share the median of their latencies.
    """
    import pandas

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


def _costs(model, data, quantize, batch_size):
    content = export_litert(model, quantize, data.train[0][:200])
    row = {"bytes": len(content), "gzip_bytes": len(gzip.compress(content, mtime=0))}
    for name, size in (("", 1), ("batch_", batch_size)):
        row[f"{name}us"], row[f"{name}us_p90"] = latency(content, data.test[0][:size])
    for part in ("valid", "test"):
        x, labels = getattr(data, part)
        values = report(labels, litert_predict(content, x))
        row.update({f"{part}_{name}": value for name, value in values.items()})
    return row


def interpreter(content):
    """LiteRT's own interpreter of these bytes, on one thread. Raises ValueError for other bytes."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise WrongSetup(
            f"LiteRT does not start here ({error}). Run `pip install ai-edge-litert`; it exists for Linux, Windows and "
            "Apple silicon, as TensorFlow does. Everything else in distill_edu works without it."
        ) from None
    if not isinstance(content, bytes) or content[4:8] != b"TFL3":
        raise ValueError("content must be the bytes of a LiteRT file, as export_litert(model) returns them.")
    with quietly():
        runner = Interpreter(model_content=content, num_threads=1)
        runner.allocate_tensors()  # the first one says that it has begun
    return runner


def _run(runner, x):
    """Logits of one batch, after the interpreter has been made ready for its size."""
    entry, result = runner.get_input_details()[0], runner.get_output_details()[0]
    x = _like_input(x, entry["shape_signature"], "float32" if entry["dtype"] == np.int8 else entry["dtype"])
    if tuple(entry["shape"]) != x.shape:
        runner.resize_tensor_input(entry["index"], x.shape)
    runner.allocate_tensors()
    runner.set_tensor(entry["index"], _to_integers(x, entry))
    runner.invoke()
    return _to_floats(runner.get_tensor(result["index"]), result)


def _to_integers(x, details):
    scale, zero = details["quantization"]
    return np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8) if scale else x


def _to_floats(values, details):
    scale, zero = details["quantization"]
    return ((values.astype(np.float32) - zero) * np.float32(scale)) if scale else values


def _like_input(x, shape, dtype):
    x = np.asarray(x, dtype=dtype)
    if x.shape[1:] != tuple(shape[1:]):
        raise ValueError(f"x has the shape {x.shape}, but the model takes {('n', *map(int, shape[1:]))}.")
    return x
