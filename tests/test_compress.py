"""LiteRT files beside Keras and beside the integers' own arithmetic; costs beside TensorFlow's profiler."""

import functools
import gzip
import itertools
import logging
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from small import CLASSES, FEATURES, X, Y, logits, model

from distill_edu import (
    Dataset,
    Distiller,
    Ensemble,
    compress,
    export_litert,
    litert_predict,
    metrics,
    model_card,
    model_cards,
)
from distill_edu.compress import portable
from distill_edu.pages.smaller_models import tradeoff_explorer

pytestmark = pytest.mark.nightly  # it converts models

layers = keras.layers
DATA = Dataset("small", (X, Y), (X[:20], Y[:20]), (X[5:], Y[5:]), tuple("abcd"))
IMAGES = np.random.RandomState(0).rand(300, 12, 12, 1).astype("float32")


def image_model(depthwise=False):
    keras.utils.set_random_seed(1)
    middle = layers.DepthwiseConv2D(3, depth_multiplier=2) if depthwise else layers.Conv2D(6, 3, strides=2)
    return keras.Sequential(
        [keras.Input((12, 12, 1)), layers.Conv2D(4, 3, padding="same", activation="relu"), layers.BatchNormalization()]
        + [middle, layers.MaxPooling2D(), layers.Flatten(), layers.Dense(CLASSES)]
    )


@pytest.mark.parametrize("quantize, tolerance", [(None, 1e-5), ("float16", 1e-2)])
def test_a_float_file_answers_as_keras_does(quantize, tolerance):
    content = export_litert(model(), quantize)
    answers = litert_predict(content, X)
    assert answers == pytest.approx(logits(model()), abs=tolerance) and answers.dtype == np.float32
    assert litert_predict(content, X, batch_size=8) == pytest.approx(answers, abs=1e-6)
    assert litert_predict(content, X[:1]).shape == (1, CLASSES)


def test_an_int8_file_holds_integers_only_is_right_within_its_steps_and_changes_no_model():
    network = image_model()
    before = [np.array(weight) for weight in network.get_weights()]
    content = export_litert(network, "int8", IMAGES)
    assert all((a == b).all() for a, b in zip(before, network.get_weights(), strict=True))
    interpreter = compress.interpreter(content)
    dtypes = {details["dtype"] for details in interpreter.get_tensor_details()}
    assert dtypes <= {np.int8, np.int32}  # int32: the biases and the shapes
    expected, answers = network.predict(IMAGES, verbose=0), litert_predict(content, IMAGES)
    assert np.unique(answers).size <= 256 and metrics.agreement(expected, answers) > 0.9
    assert np.abs(answers - expected).max() < 0.05 * np.ptp(expected)
    scale, zero = interpreter.get_output_details()[0]["quantization"]
    steps = answers / scale + zero
    assert steps == pytest.approx(np.round(steps), abs=1e-2) and -128 <= steps.min() <= steps.max() <= 127


def test_int8_inputs_are_rounded_to_their_nearest_step():
    identity = keras.Sequential([keras.Input((1,)), layers.Dense(1, kernel_initializer="ones")])
    x = np.linspace(-1, 1, 201, dtype="float32")[:, None]
    errors = litert_predict(export_litert(identity, "int8", x), x) - x
    assert np.abs(errors).mean() < 0.0035 and abs(errors.mean()) < 0.001  # cut off it would be a step of bias


def test_letters_stay_integers_in_every_file():
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [keras.Input((5,), dtype="int32"), layers.Embedding(300, 8), layers.Flatten(), layers.Dense(CLASSES)]
    )
    x = np.random.RandomState(0).randint(0, 300, (50, 5))
    for quantize in compress.FORMATS:
        answers = litert_predict(export_litert(network, quantize, x), x)
        assert metrics.agreement(network.predict(x, verbose=0), answers) > 0.9


def test_fewer_bits_are_fewer_bytes():
    # Many weights for each unit: int8 keeps 12 bytes of scale for each, so that narrow layers hardly shrink.
    big = keras.Sequential([keras.Input((800,)), layers.Dense(100, "relu"), layers.Dense(CLASSES)])
    sizes = [len(export_litert(big, quantize, np.ones((9, 800)))) for quantize in compress.FORMATS]
    halves = [more / less for more, less in itertools.pairwise(sizes)]
    assert halves == pytest.approx([2, 2], abs=0.25)


@keras.saving.register_keras_serializable(package="test_compress")
class Forgetful(layers.Layer):
    """It multiplies with a number that neither its configuration nor its weights contain."""

    factor = 1.0

    def call(self, x):
        return self.factor * x


@pytest.mark.parametrize("dtype, factor", [("float32", 1.2), ("int32", 1.2), ("float32", 1.0)])
def test_a_copy_that_answers_differently_is_refused(dtype, factor):
    forgetful = Forgetful()
    forgetful.factor = factor
    entry = keras.Input((5,), dtype=dtype)
    x = layers.Embedding(9, 6)(entry) if dtype == "int32" else layers.Reshape((5, 1))(entry)
    network = keras.Model(entry, forgetful(layers.GRU(3)(x)))
    if factor != 1:
        with pytest.raises(
            ValueError, match="this copy answers differently: a layer keeps something that its get_conf"
        ):
            export_litert(network)
    else:
        assert litert_predict(export_litert(network), X[:, :5]) == pytest.approx(logits(network, X[:, :5]), abs=1e-5)


def test_an_adapted_normalization_is_in_a_copy_and_in_its_file():
    series = np.random.RandomState(0).randn(20, 5, 2).astype("float32")
    norm = layers.Normalization()
    norm.adapt(9 * series + 5)
    keras.utils.set_random_seed(0)
    one = keras.Sequential([keras.Input(series.shape[1:]), norm, layers.GRU(5), layers.Dense(3)])
    expected = np.array(one(9 * series + 5))
    for answers in (portable(one)(9 * series + 5), litert_predict(export_litert(one), 9 * series + 5)):
        assert np.array(answers) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("copied", [True, False])
def test_a_table_that_no_file_holds_gets_a_sentence(copied):
    lookup = layers.IntegerLookup()
    lookup.adapt(np.array([3, 5, 7]))
    head = layers.GRU(3) if copied else layers.Flatten()
    one = keras.Sequential([keras.Input((2,), dtype="int64"), lookup, layers.Embedding(6, 3), head])
    sentence = "lacks what a layer has learned, such as a table of words: do that step" if copied else "does not know"
    with pytest.raises(ValueError, match=sentence):
        export_litert(one)


def own_loss(y, z):
    return keras.losses.sparse_categorical_crossentropy(y, z, from_logits=True)


class Doubled(layers.Layer):
    """A layer that Keras does not find by its name."""

    def call(self, x):
        return 2 * x


@pytest.mark.parametrize("own", [Doubled, lambda: layers.Lambda(lambda x: keras.ops.tanh(2 * x)), layers.Identity])
@pytest.mark.parametrize("loss", [own_loss, lambda y, z: 1 + own_loss(y, z), functools.partial(own_loss)])
def test_a_copy_has_own_layers_and_needs_no_loss(own, loss):
    inner = keras.Sequential([keras.Input((4, 2)), own(), layers.GRU(3)])
    one = keras.Sequential([keras.Input((4, 2)), inner, layers.Dense(CLASSES)])
    for each in (inner, one):
        each.compile("adam", loss)
    x = np.random.RandomState(0).randn(5, 4, 2).astype("float32")
    assert np.array(portable(one)(x)) == pytest.approx(np.array(one(x)), abs=1e-5)
    assert one.compiled and one.evaluate(x, Y[:5], verbose=0) > 0


def test_a_file_of_a_named_output_of_few_letters_or_of_no_number_for_some_x():
    entry = keras.Input((2,))
    named = keras.Model(entry, {"logits": layers.Dense(3)(entry)})
    days = keras.Sequential([keras.Input((1,)), layers.Embedding(7, 4), layers.Flatten(), layers.Dense(3)])
    logs = keras.Sequential([entry, layers.Dense(3), layers.Lambda(keras.ops.log)])
    assert litert_predict(export_litert(named), X[:, :2]) == pytest.approx(
        logits(lambda x: named(x)["logits"], X[:, :2])
    )
    assert litert_predict(export_litert(days), [[6]]) == pytest.approx(logits(days, np.array([[6]])), abs=1e-5)
    x = np.random.RandomState(0).rand(5, 2)
    assert litert_predict(export_litert(logs), x) == pytest.approx(logits(logs, x), abs=1e-4, nan_ok=True)


@pytest.mark.parametrize("threshold", [0.05, 15])
def test_a_copy_that_answers_differently_far_from_1_or_near_0_is_refused(threshold):
    class Bent(layers.Layer):
        """Doubles what is beyond a threshold, or within, if it was built at first."""

        def __init__(self, factor=1.0, **keras_arguments):
            super().__init__(**keras_arguments)
            self.factor = 2.0

        def call(self, x):
            beyond = (keras.ops.max(keras.ops.abs(x)) < 0.3) if threshold < 1 else keras.ops.abs(x) > threshold
            return x * keras.ops.where(beyond, self.factor, 1.0)

    keras.saving.register_keras_serializable("bent")(Bent)
    keras.utils.set_random_seed(0)  # a GRU may hide large inputs
    bent = Bent()
    bent.factor = 5.0
    one = keras.Sequential([keras.Input((4, 2)), bent, layers.GRU(3)])
    with pytest.raises(ValueError, match="this copy answers differently"):
        portable(one)

    class Counting(layers.Layer):
        count = 0

        def call(self, x):
            self.count += 1
            return self.count * x

    entry = keras.Input((6,))
    with pytest.raises(ValueError, match="answers differently: .*such as a state"):
        export_litert(keras.Model(entry, layers.Dense(4)(Counting()(entry))))


@pytest.mark.parametrize("depthwise", [False, True])
def test_multiply_adds_are_half_of_the_operations_that_tensorflow_counts(depthwise):
    network = image_model(depthwise)
    graph = tf.function(network).get_concrete_function(tf.TensorSpec((1, 12, 12, 1))).graph
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation()).with_empty_output()
    counted = profiler.profile(graph, options=options.build()).children
    products = [node for node in counted if node.name.endswith(("convolution", "MatMul", "depthwise"))]
    assert len(products) == 3
    total = sum(node.total_float_ops for node in products) // 2
    assert compress.multiply_adds(network) == total
    inside = keras.Sequential([keras.Input((12, 12, 1)), network, layers.Softmax()])
    assert compress.multiply_adds(inside) == total
    assert compress.multiply_adds(Ensemble([network, image_model(depthwise)])) == 2 * total
    network.layers[-1].quantize("int8")
    assert compress.multiply_adds(network) == total


def test_the_card_says_what_each_part_says():
    network = model()
    card = model_card(network, DATA)
    assert list(card.index) == ["float32", "float16", "int8"]
    assert (card.parameters == network.count_params()).all()
    assert (card.multiply_adds == 8 * FEATURES + 8 * CLASSES).all()
    for name, quantize in (("float32", None), ("int8", "int8")):
        content = export_litert(network, quantize, X)
        z, row = litert_predict(content, X[5:]), card.loc[name]
        assert row.bytes == pytest.approx(len(content), abs=64)  # names of temporary files are in it
        assert row.gzip_bytes == pytest.approx(len(gzip.compress(content)), abs=64)
        assert (row.test_accuracy, row.test_nll) == pytest.approx((metrics.accuracy(Y[5:], z), metrics.nll(Y[5:], z)))
        assert row.test_ece == pytest.approx(metrics.calibration_error(Y[5:], z))
    assert (card.us > 0).all() and (card.us <= card.us_p90).all() and (card.batch_us <= card.batch_us_p90).all()
    one = model_card(Distiller(student=network, teacher=model(units=99)), DATA, formats=["int8"])
    assert list(one.index) == ["int8"] and one.parameters.item() == network.count_params()


def test_the_cards_of_many_models_are_one_table_for_the_trade_off(monkeypatch):
    clock = itertools.count(1)  # real latencies of models this small may be equal by chance
    monkeypatch.setattr(compress, "latency", lambda content, x: (float(next(clock)), 100.0))
    groups = {"teacher": [(9, model(units=9))], "students": [(2, model(1, units=2)), (2, model(2, units=2))]}
    table = model_cards(groups, DATA)
    assert list(table.technique) == ["teacher", "students", "students"] + ["teacher, int8"] + 2 * ["students, int8"]
    assert list(table["size"]) == 2 * [9, 2, 2]
    for row, network in zip(table.itertuples(), [model(units=9), model(1, units=2), model(2, units=2)], strict=False):
        assert row.test_nll == pytest.approx(metrics.nll(Y[5:], logits(network, X[5:])), abs=1e-5)
    assert table.us[1] == table.us[2] and table.us[4] == table.us[5] and table.us.nunique() == 4
    assert not (table.batch_us == table.us).any()
    assert "students, int8" in tradeoff_explorer(table).still(int8=True).axes[0].get_legend().get_texts()[3].get_text()


class Clockwork(Interpreter):
    """An interpreter whose answers take as long as its own clock says."""

    now, calls, threads = 0.0, 0, None

    def __init__(self, **given):
        super().__init__(**given)
        Clockwork.calls, Clockwork.threads = 0, given["num_threads"]

    def invoke(self):
        super().invoke()
        Clockwork.calls += 1  # one call to get ready, two to warm up; then 1, 2, ... times ten microseconds an example
        rows, warm = self.get_input_details()[0]["shape"][0], Clockwork.calls > 3
        Clockwork.now += 1e-5 * rows * (Clockwork.calls - 3) if warm else 1.0


@pytest.mark.parametrize("rows", [1, 8])
def test_latency_is_in_microseconds_of_one_thread_for_the_whole_batch_after_warming_up(monkeypatch, rows):
    content = export_litert(model())
    monkeypatch.setattr("ai_edge_litert.interpreter.Interpreter", Clockwork)
    monkeypatch.setattr(compress.time, "perf_counter", lambda: Clockwork.now)
    median, p90 = compress.latency(content, X[:rows], warm_up=2, calls=11)
    assert median == pytest.approx(60 * rows) and p90 == pytest.approx(100 * rows)
    assert (Clockwork.threads, Clockwork.calls) == (1, 1 + 2 + 11)


def test_more_work_takes_longer():
    x = np.zeros((256, FEATURES), "float32")
    small, big = (compress.latency(export_litert(model(units=units)), x)[0] for units in (8, 4000))
    assert big > 5 * small


CELL = keras.Sequential([keras.Input((3, 4)), layers.RNN(layers.GRUCell(2))])


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: export_litert(model(), "int4"), "must be None, 'float16' or 'int8', not 'int4'"),
        (lambda: export_litert(model(), "int8"), "needs representative"),
        (lambda: export_litert(model(), "int8", X[:0]), "needs representative"),
        (lambda: export_litert(model(), "int8", X[:, :2]), r"x has the shape \(33, 2\)"),
        (lambda: export_litert(keras.Sequential([layers.Dense(2)])), "call it on some examples first"),
        (lambda: litert_predict(export_litert(model()), X[:0]), "x is empty"),
        (lambda: litert_predict(export_litert(model()), X[:, :2]), r"the model takes \('n', 6\)"),
        (lambda: compress.multiply_adds(CELL), "does not know GRUCell"),
    ],
)
def test_wrong_use_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_a_computer_without_litert_hears_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(ImportError, match="pip install ai-edge-litert"):
        litert_predict(export_litert(model()), X)


def test_nothing_is_printed_on_a_page(capfd):
    tf.get_logger().setLevel("INFO")
    with pytest.raises(ValueError):
        export_litert(image_model(), "int8", IMAGES[:, :3])
    assert tf.get_logger().level == logging.INFO
    litert_predict(export_litert(image_model(), "int8", IMAGES), IMAGES)
    assert capfd.readouterr() == ("", "")
