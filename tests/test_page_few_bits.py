"""Page "How few bits does a weight need?": levels, a layer that computes with them, ways to mend, its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from drawn import at, error_bars, half_width, lines, numbers, ticks
from exercises import answers
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


@pytest.mark.parametrize("bits", [2, 4])
def test_the_layer_computes_with_the_levels_and_trains_the_weights(bits):
    layer, x = page.FewBits(3, bits=bits, activation="relu"), np.random.RandomState(0).randn(6, 5).astype("float32")
    with tf.GradientTape() as tape:
        answer = layer(x)
        loss = tf.reduce_sum(answer**2)
    kernel, bias = layer.get_weights()
    plain = keras.layers.Dense(3, activation="relu")
    plain.build(x.shape)
    plain.set_weights([levels(kernel, bits), bias])
    with tf.GradientTape() as its_tape:
        its = tf.reduce_sum(plain(x) ** 2)
    assert np.allclose(answer, plain(x), atol=1e-6)
    mine, its = tape.gradient(loss, layer.trainable_variables), its_tape.gradient(its, plain.trainable_variables)
    for one, other in zip(mine, its, strict=True):  # as if its weights were the levels
        assert np.abs(one).max() > 0 and np.allclose(one, other, atol=1e-5)


def test_the_layer_is_saved_with_its_bits(tmp_path):
    model = keras.Sequential([keras.Input((5,)), page.FewBits(3, bits=2)])
    model.save(tmp_path / "few.keras")
    again, x = keras.models.load_model(tmp_path / "few.keras"), np.ones((1, 5), "float32")
    assert again.layers[0].bits == 2 and np.array_equal(again(x), model(x))
    with pytest.raises(ValueError, match="bits must be"):
        page.FewBits(3, bits=1)


@pytest.mark.parametrize("bits, lesson", [(2, "few"), (4, "all")])
def test_the_levels_in_the_heap_of_weights_and_the_ways_to_mend(bits, lesson):
    figure, words = at(GALLERY["bits"](), bits=bits, lesson=lesson)
    left, right = figure.axes
    heights, edges = np.histogram(SOME_WEIGHTS, bins=61)
    assert (left.patches[0].get_data().values == heights).all() and (left.patches[0].get_data().edges == edges).all()
    drawn = [line.x[0] for line in lines(left) if line.colour == picture.DISTILLED.lower()]
    assert drawn == pytest.approx(np.linspace(-1, 1, 2**bits - 1) * np.abs(SOME_WEIGHTS).max())
    assert left.get_xlim() == pytest.approx(picture.with_room(SOME_WEIGHTS, 0.05))
    assert left.get_ylim() == pytest.approx((0, 1.05 * heights.max())) and right.get_ylim() == (0, 1)
    assert right.get_xlim() == pytest.approx((1.3, -0.3))  # fewer bits to the left
    expected = []
    for of_bits in MENDED[lesson].values():
        for place, each in enumerate(of_bits.values()):
            reach = half_width(each.mean(axis=1))
            expected.append((place, each.mean(), each.mean() - reach, each.mean() + reach))
    for ((x, mean), (low, high)), wanted in zip(error_bars(right), expected, strict=True):
        assert (x, mean, *sorted((low, high))) == pytest.approx(wanted, abs=1e-6)
    looks = [line.colour for line in lines(right) if line.style == "-" and len(line.x) == 2 and line.x[0] != line.x[1]]
    assert looks[:3] == [colour.lower() for colour in (picture.NEUTRAL, picture.HARD, picture.DISTILLED)]
    assert [text.get_text() for text in right.get_legend().get_texts()] == list(MENDED[lesson])
    assert ticks(right) == ["4", "2"] and right.get_title() == lesson
    assert [4, 2].index(bits) in [line.x[0] for line in lines(right, "None") if line.x[0] == line.x[1]]
    means = [of_bits[bits].mean() for of_bits in MENDED[lesson].values()]
    assert numbers(words) == pytest.approx([bits, 2**bits - 1, *means], abs=6e-4)


def test_one_lesson_needs_no_control():
    explorer = page.bits_explorer({"all": {"only rounded": MENDED["all"]["rounded"]}}, SOME_WEIGHTS)
    assert explorer.values == {"bits": 4} and "all: only rounded" in explorer.words.value


@pytest.mark.parametrize(
    "results, sentence",
    [
        ({"all": {}}, "one to three ways"),
        ({"all": MENDED["all"], "few": {"rounded": {2: np.ones((3, 4))}}}, "the same bits"),
    ],
)
def test_wrong_arguments_get_a_sentence(results, sentence):
    with pytest.raises(ValueError, match=sentence):
        page.bits_explorer(results, SOME_WEIGHTS)


def on(steps):
    return lambda w, bits: np.round(w / (np.abs(w).max() / steps(bits))) * (np.abs(w).max() / steps(bits))


def whole(w, bits):
    return np.round(w / (np.abs(w).max() / (2 ** (bits - 1) - 1)))


def bytes_of(units, bits, biases=32):
    return ((784 * units + units * 10) * bits + (units + 10) * biases) / 8


test_exercises = answers(
    page,
    levels_by_hand=(7, [(8, "no partner"), (3, "largest whole"), (6, "0 is a level"), (9, "two values"), (5, "-3")]),
    few_bits=(
        lambda w, bits: whole(w, bits) * np.abs(w).max() / (2 ** (bits - 1) - 1),
        [
            (on(lambda bits: 2 ** (bits - 1)), "0 needs a place"),
            (on(lambda bits: 2**bits - 1), "half of the levels"),
            (whole, "times the step"),
            (lambda w, bits: np.round(w / w.max() * (2 ** (bits - 1) - 1)) * w.max() / (2 ** (bits - 1) - 1), "np.abs"),
            (np.round, "decimals"),
            (
                lambda w, bits: (
                    np.floor(w / np.abs(w).max() * (2 ** (bits - 1) - 1)) * np.abs(w).max() / (2 ** (bits - 1) - 1)
                ),
                "floor",
            ),
            (lambda w, bits: 0 * w, "then round"),
        ],
    ),
    kilobytes=(
        lambda units, bits: bytes_of(units, bits) / 1000,
        [
            (lambda units, bits: bytes_of(units, bits) / 125, "eight bits"),
            (bytes_of, "a thousand bytes"),
            (lambda units, bits: bytes_of(units, bits, bits) / 1000, "not rounded"),
            (lambda units, bits: bytes_of(units, bits, 0) / 1000, "biases need"),
            (lambda units, bits: (784 * units * bits + (units + 10) * 32) / 8000, "second layer"),
            (lambda units, bits: 1.0, "weights times bits"),
        ],
    ),
)
