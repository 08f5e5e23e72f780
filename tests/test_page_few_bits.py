"""Page "How few bits does a weight need?": levels, a layer that computes with them, accuracies over the bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from drawn import at, error_rows, half_width, lines, numbers, ticks
from gallery import GALLERY, MENDED, SOME_WEIGHTS

from distill_edu.pages import few_bits as page
from distill_edu.pages.shared import picture


def levels(weights, bits):
    """By the definition: the nearest of 2^bits - 1 even levels from -max to max."""
    places = np.linspace(-1, 1, 2**bits - 1) * np.abs(weights).max()
    return places[np.abs(np.asarray(weights)[..., None] - places).argmin(axis=-1)]


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_a_weight_goes_to_the_nearest_level(bits):
    weights = np.random.RandomState(bits).randn(40, 5)
    assert page.few_bits(weights, bits) == pytest.approx(levels(weights, bits), abs=1e-6)
    assert page.few_bits(weights, 2).dtype == "float32"


def gradients(layer, x):
    """Answers of the layer, and the gradients of their sum of squares."""
    with tf.GradientTape() as tape:
        answers = layer(x)
        loss = tf.reduce_sum(answers**2)
    return [answers, *tape.gradient(loss, layer.trainable_variables)]


@pytest.mark.parametrize("bits", [2, 4])
def test_the_layer_computes_with_the_levels_and_trains_the_weights(bits):
    x = np.random.RandomState(0).randn(6, 5).astype("float32")
    layer, dense = page.FewBits(3, bits=bits, activation="relu"), keras.layers.Dense(3, activation="relu")
    found, _ = gradients(layer, x), dense.build(x.shape)
    kernel, bias = layer.get_weights()
    dense.set_weights([levels(kernel, bits), bias])
    for value, expected in zip(found, gradients(dense, x), strict=True):  # as if the weights were the levels
        assert np.abs(value).max() > 0 and np.allclose(value, expected, atol=1e-5)


def test_the_layer_is_saved_with_its_bits(tmp_path):
    model = keras.Sequential([keras.Input((5,)), page.FewBits(3, bits=2)])
    model.save(tmp_path / "few.keras")
    again, x = keras.models.load_model(tmp_path / "few.keras"), np.ones((1, 5), "float32")
    assert again.layers[0].bits == 2 and np.array_equal(again(x), model(x))
    with pytest.raises(ValueError, match="bits must be"):
        page.FewBits(3, bits=1)


@pytest.mark.parametrize("bits, lesson", [(2, "few"), (4, "all")])
def test_the_levels_in_the_histogram_and_the_accuracy_of_each_way(bits, lesson):
    figure, words = at(GALLERY["bits"](), bits=bits, lesson=lesson)
    left, right = figure.axes
    heights, edges = np.histogram(SOME_WEIGHTS, bins=61)
    assert (left.patches[0].get_data().values == heights).all() and (left.patches[0].get_data().edges == edges).all()
    drawn = [line.x[0] for line in lines(left) if line.colour == picture.DISTILLED.lower()]
    assert drawn == pytest.approx(np.linspace(-1, 1, 2**bits - 1) * np.abs(SOME_WEIGHTS).max())
    assert right.get_ylim() == (0, 1) and right.get_xlim() == pytest.approx((1.3, -0.3))  # fewer bits to the left
    expected = []
    for by_bits in MENDED[lesson].values():
        for place, each in enumerate(by_bits.values()):
            reach = half_width(each.mean(axis=1))
            expected.append((place, each.mean(), each.mean() - reach, each.mean() + reach))
    assert error_rows(right) == pytest.approx(np.array(expected), abs=1e-6)
    means = [line for line in lines(right) if len(line.x) == 2 and line.x[0] != line.x[1]]
    assert [line.colour for line in means if line.style == "-"] == [
        colour.lower() for colour in (picture.NEUTRAL, picture.HARD, picture.DISTILLED)
    ]
    assert [text.get_text() for text in right.get_legend().get_texts()] == list(MENDED[lesson])
    assert ticks(right) == ["4", "2"] and right.get_title() == lesson
    assert [4, 2].index(bits) in [line.x[0] for line in lines(right, "None") if line.x[0] == line.x[1]]
    means = [by_bits[bits].mean() for by_bits in MENDED[lesson].values()]
    assert numbers(words) == pytest.approx([bits, 2**bits - 1, *means], abs=6e-4)


def test_one_lesson_needs_no_control():
    explorer = page.bits_explorer({"all": {"only rounded": MENDED["all"]["rounded"]}}, SOME_WEIGHTS)
    assert explorer.values == {"bits": 4} and "all: only rounded" in explorer.words.value
