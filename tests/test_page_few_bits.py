"""Page "How few bits does a weight need?": levels, a layer that computes with them, accuracies over the bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from drawn import at, error_rows, half_width, lines, numbers, ticks
from gallery import GALLERY, ROUNDED, SOME_WEIGHTS

from distill_edu.pages import few_bits as page
from distill_edu.pages.shared import picture


def levels(weights, bits, clip=1):
    """By the definition: the nearest of 2^bits - 1 even levels from -clip x max to clip x max."""
    places = np.linspace(-clip, clip, 2**bits - 1) * np.abs(weights).max()
    return places[np.abs(np.asarray(weights)[..., None] - places).argmin(axis=-1)]


@pytest.mark.parametrize("bits, clip", [(2, 1), (2, 0.5), (3, 0.25), (8, 1)])
def test_a_weight_goes_to_the_nearest_level(bits, clip):
    weights = np.random.RandomState(bits).randn(40, 5)
    assert page.few_bits(weights, bits, clip) == pytest.approx(levels(weights, bits, clip), abs=1e-6)
    assert page.few_bits(weights, 2).dtype == "float32"


def test_only_zeros_leaves_the_other_weights_as_they_are():
    arrays = [np.array([[0.9, -0.3], [0.5, -1.0]]), np.array([0.1, 0.0])]
    zeroed, bias = page.only_zeros(arrays, bits=2, clip=0.8)  # below 0.4
    assert zeroed.tolist() == [[0.9, 0], [0.5, -1]] and bias.tolist() == [0.1, 0]
    rounded, bias = page.all_rounded(arrays, bits=2, clip=0.8)
    assert rounded == pytest.approx(np.array([[0.8, 0], [0.8, -0.8]])) and bias.tolist() == [0.1, 0]


def gradients(layer, x):
    """Answers of the layer, and the gradients of their sum of squares."""
    with tf.GradientTape() as tape:
        answers = layer(x)
        loss = tf.reduce_sum(answers**2)
    return [answers, *tape.gradient(loss, layer.trainable_variables)]


@pytest.mark.parametrize("make", [page.FewBits, page.Rounded, lambda *a, **k: page.Rounded(*a, clip=0.5, **k)])
@pytest.mark.parametrize("bits", [2, 4])
def test_the_layer_computes_with_the_levels_and_trains_the_weights(make, bits):
    x = np.random.RandomState(0).randn(6, 5).astype("float32")
    layer, dense = make(3, bits, activation="relu"), keras.layers.Dense(3, activation="relu")
    layer.build(x.shape), dense.build(x.shape)
    kernel, bias = layer.get_weights()
    dense.set_weights([levels(kernel, bits, getattr(layer, "clip", 1)), bias])
    for value, expected in zip(
        gradients(layer, x), gradients(dense, x), strict=True
    ):  # as if the weights were the levels
        assert np.abs(value).max() > 0 and np.allclose(value, expected, atol=1e-5)


def test_a_layer_that_rounds_late_trains_with_floats_and_is_used_with_levels():
    x = np.random.RandomState(0).randn(6, 5).astype("float32")
    late, soon = (page.Rounded(3, bits=2, clip=0.5, late=late) for late in (True, False))
    late.build(x.shape), soon.build(x.shape)
    soon.set_weights(late.get_weights())
    assert np.allclose(late(x, training=True), x @ late.get_weights()[0], atol=1e-5)
    assert np.array_equal(late(x), soon(x)) and np.array_equal(soon(x, training=True), soon(x))
    assert not np.allclose(late(x), late(x, training=True), atol=0.01)


def test_weights_of_0_stay_0_and_a_layer_needs_no_bias():
    layer = page.FewBits(3, bits=4, kernel_initializer="zeros", use_bias=False)
    answers, gradient = gradients(layer, np.ones((6, 5), "float32"))
    assert (np.array(answers) == 0).all() and np.isfinite(gradient).all()


@pytest.mark.parametrize("layer", [page.FewBits(3, bits=2), page.Rounded(3, bits=2, clip=0.5, late=True)])
def test_the_layer_is_saved_with_its_settings(layer, tmp_path):
    model = keras.Sequential([keras.Input((5,)), layer])
    model.save(tmp_path / "few.keras")
    again = keras.models.load_model(tmp_path / "few.keras", custom_objects={"Rounded": page.Rounded})
    assert again.layers[0].get_config() == layer.get_config() and layer.get_config()["bits"] == 2
    with pytest.raises(ValueError, match="bits must be"):
        page.Rounded(3, bits=1)


def expected_rows(tables):
    """(place, mean, low, high) of each number of bits."""
    rows = [(table.mean(), half_width(table.mean(axis=1))) for table in tables]
    return [(place, mean, mean - reach, mean + reach) for place, (mean, reach) in enumerate(rows)]


@pytest.mark.parametrize("bits, clip", ROUNDED)
def test_the_levels_in_the_histogram_and_the_accuracy_of_each_outermost_level(bits, clip):
    figure, words = at(GALLERY["levels"](), bits=bits, clip=clip)
    left, right = figure.axes
    heights, edges = np.histogram(SOME_WEIGHTS, bins=61)
    assert (left.patches[0].get_data().values == heights).all() and (left.patches[0].get_data().edges == edges).all()
    drawn = [line.x[0] for line in lines(left) if line.colour == picture.DISTILLED.lower()]
    assert drawn == pytest.approx(np.linspace(-clip, clip, 2**bits - 1) * np.abs(SOME_WEIGHTS).max())
    shown = (1,) if clip == 1 else (1, clip)
    expected = [row for each in shown for row in expected_rows([ROUNDED[4, each], ROUNDED[2, each]])]
    assert error_rows(right) == pytest.approx(np.array(expected), abs=1e-6)
    assert [text.get_text() for text in right.get_legend().get_texts()] == [
        f"outermost level: {each:g} × largest weight" for each in shown
    ]
    green = [line.colour == picture.DISTILLED.lower() for line in lines(right, "o")]
    assert green == [each != 1 for each in shown] and ticks(right) == ["4", "2"]
    means = [table.mean(axis=1) for table in ROUNDED.values()]
    assert right.get_ylim()[0] < np.min(means) and right.get_ylim()[1] > np.max(means)
    (largest,) = lines(left, "v")
    assert abs(largest.x[0]) == np.abs(SOME_WEIGHTS).max() and largest.x[0] in SOME_WEIGHTS
    assert (
        left.get_title()
        == f"{2**bits - 1} levels; {np.mean(levels(SOME_WEIGHTS, bits, clip) == 0):.3f} of the weights become 0"
    )
    assert right.get_xlim() == pytest.approx((-0.3, 1.3))  # fewer bits to the right
    to_zero = np.mean(levels(SOME_WEIGHTS, bits, clip) == 0)
    said = [bits, 2**bits - 1, clip, to_zero, 0, ROUNDED[bits, clip].mean()]
    assert numbers(words) == pytest.approx(said, abs=6e-4)


def test_all_pairs_of_bits_and_outermost_levels():
    assert page.all_pairs((4, 2), (1, 0.5)) == {
        (4, 1): {"bits": 4, "clip": 1},
        (4, 0.5): {"bits": 4, "clip": 0.5},
        (2, 1): {"bits": 2, "clip": 1},
        (2, 0.5): {"bits": 2, "clip": 0.5},
    }


def test_the_accuracy_of_each_arm_on_the_way_back():
    right = {arm: (np.arange(12).reshape(3, 4) + shift) % 7 < 4 for shift, arm in enumerate("abc")}
    (axes,) = page.draw_way_back(right, ["b", "c"], over="a").axes
    assert ticks(axes, "y") == ["b", "c"] and axes.get_xlabel() == "accuracy, 95% interval (dashed: a)"
    assert {tuple(line.x) for line in lines(axes) if line.style == "--"} == {(right["a"].mean(),) * 2}
    expected = []
    for row, arm in enumerate("bc"):
        mean, reach = right[arm].mean(), half_width(right[arm].mean(axis=1))
        expected.append((mean, row, mean - reach, mean + reach))
    assert error_rows(axes) == pytest.approx(np.array(expected), abs=1e-6)
    assert [text.get_text() for text in axes.texts] == [f"{right[arm].mean():.3f}" for arm in "bc"]
