"""Page "How few bits does a weight need?": weights on a few levels, what became of students of them; its exercises."""

import ipywidgets
import numpy as np

from distill_edu._inside.backend import keras
from distill_edu._inside.check_values import require_count
from distill_edu.pages.shared.exercise import check_answer, check_function
from distill_edu.pages.shared.explorer import Explorer, slider, stop_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    HARD,
    NEUTRAL,
    empty_axes,
    legend,
    means_over_stops,
    plain,
    stop_axis,
    with_room,
)

LINES = ((NEUTRAL, "o-"), (HARD, "o-"), (DISTILLED, "D-"))


def few_bits(weights, bits):
    """The weights on 2^bits - 1 levels, evenly spaced around 0, the outermost at the largest weight: float32."""
    step = np.abs(weights).max() / _outermost(require_count(bits, "bits", least=2))
    return (np.round(weights / step) * step).astype("float32")


def _outermost(bits):
    """The largest whole number that a weight becomes before it is multiplied with the step."""
    return 2 ** (bits - 1) - 1


@keras.saving.register_keras_serializable(package="distill_edu")
class FewBits(keras.layers.Dense):
    """A Dense layer that computes with `few_bits` of its weights, and trains the weights themselves.

    The gradient passes the rounding as if it were not there: the straight-through estimator of Bengio, Léonard and
    Courville 2013, "Estimating or Propagating Gradients Through Stochastic Neurons", section 4. The biases stay floats.
    """

    def __init__(self, units, bits, **keras_arguments):
        super().__init__(units, **keras_arguments)
        self.bits = require_count(bits, "bits", least=2)

    def call(self, x):
        step = keras.ops.max(keras.ops.abs(self.kernel)) / _outermost(self.bits)
        levels = keras.ops.round(self.kernel / step) * step
        kernel = self.kernel + keras.ops.stop_gradient(levels - self.kernel)
        return self.activation(keras.ops.matmul(x, kernel) + self.bias)

    def get_config(self):
        return {**super().get_config(), "bits": self.bits}


def bits_explorer(results, weights, bits=None):
    """Slide the bits of a weight; and, where there are several lessons, choose the one to look at.

    `results`: name of a lesson -> {name of a way: {bits: which images students are right about [seeds, images]}}: of
    weights that were only rounded, trained with labels while they were rounded, and so trained with a teacher (or the
    first of these); the bits the same each. `weights`: of a layer, as floats.
    """
    every = [tuple(way) for ways in results.values() for way in ways.values()]
    if not all(1 <= len(ways) <= len(LINES) for ways in results.values()) or len(set(every)) != 1:
        raise ValueError("Each lesson has one to three ways, and each way the same bits, in the same order.")
    stops = every[0]
    controls = {"bits": stop_slider("Bits of a weight (number)", "bits", stops, bits or stops[0])}
    if len(results) > 1:
        controls["lesson"] = slider(ipywidgets.SelectionSlider, "Lesson", options=[(name, name) for name in results])
    first, flat = next(iter(results)), np.ravel(weights)

    def draw(figure, bits, lesson=first):
        left, right = empty_axes(figure, (0.07, 0.22, 0.405, 0.67), (0.605, 0.22, 0.375, 0.67))
        levels = draw_levels(left, flat, bits)
        means = draw_ways(right, results[lesson], lesson, bits)
        said = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
        return f"{bits} bits, {levels} levels. {lesson}: {said} of the digits are right."

    return Explorer(draw, controls)


def draw_levels(axes, weights, bits):
    """How the weights are distributed, and the levels that are left of them; how many levels there are."""
    heights, edges = np.histogram(weights, bins=61)
    axes.stairs(heights, edges, fill=True, color=NEUTRAL, alpha=0.5)
    levels = 2**bits - 1
    for place in np.linspace(-1, 1, levels) * np.abs(weights).max():
        axes.axvline(place, color=DISTILLED, linewidth=max(0.3, 1.5 - levels / 40))
    axes.set(xlabel="weight", yticks=[], xlim=with_room(weights, 0.05), ylim=(0, 1.05 * heights.max()))
    axes.set_title("weights and their levels")
    return levels


def draw_ways(axes, ways, lesson, bits):
    """Accuracies over the bits with their 95% intervals; means at these bits by name."""
    means = {}
    for (name, of_bits), (colour, style) in zip(ways.items(), LINES, strict=False):
        accuracies = [right.mean(axis=1) for right in of_bits.values()]
        means_over_stops(axes, accuracies, style, color=colour, label=plain(name))
        means[name] = float(np.mean(of_bits[bits]))
    stops = list(of_bits)
    stop_axis(axes, stops, bits)
    axes.set(xlim=(len(stops) - 0.7, -0.3), ylim=(0, 1), xlabel="bits of a weight", ylabel="accuracy")
    axes.set_title(plain(lesson))
    legend(axes, fontsize=7, loc="lower left")
    return means


def check_levels_by_hand(answer):
    """How many levels three bits give, when 0 is one of them and they are even around it: 2^3 - 1."""
    mistakes = [
        (8, "one of the eight would have no partner on the other side of 0."),
        (3, "that is the largest whole number: count the negative ones and 0, too."),
        (6, "0 is a level, too."),
        (9, "that is three times three: a bit has two values."),
    ]
    return check_answer(answer, 7, mistakes, "from -3 to 3.")


def check_few_bits(function):
    """function(weights, bits) -> the weights on 2^bits - 1 even levels, the outermost at the largest weight."""

    def with_most(most):
        return lambda w, bits: np.round(w / (np.abs(w).max() / most(bits))) * (np.abs(w).max() / most(bits))

    mistakes = [
        (with_most(lambda bits: 2 ** (bits - 1)), "the outermost whole number is 2^(bits - 1) - 1: 0 needs a place."),
        (with_most(lambda bits: 2**bits - 1), "half of the levels are negative: 2^(bits - 1) - 1 on each side."),
        (
            lambda w, bits: np.round(w / (np.abs(w).max() / _outermost(bits))),
            "those are the whole numbers: times the step they are weights again.",
        ),
        (
            lambda w, bits: np.round(w / (w.max() / _outermost(bits))) * (w.max() / _outermost(bits)),
            "the largest weight may be a negative one: np.abs.",
        ),
        (np.round, "np.round keeps so many decimals: divide by the step first."),
        (
            lambda w, bits: np.floor(w / (np.abs(w).max() / _outermost(bits))) * (np.abs(w).max() / _outermost(bits)),
            "floor always goes down: round to the nearest.",
        ),
    ]
    inputs = [(np.array([0.9, -1.3, 0.2, -0.4, 0.05]), 3), (np.array([[0.31, -0.12], [0.07, 0.5]]), 2)]
    return check_function(function, few_bits, inputs, mistakes, "a step of max |w| / (2^(bits - 1) - 1), then round.")


def check_kilobytes(function):
    """function(units, bits) -> kilobytes of an mlp 784-units-10: weights of `bits` each, biases of 32 bits."""

    def right(units, bits):
        return ((784 * units + units * 10) * bits + (units + 10) * 32) / 8 / 1000

    mistakes = [
        (lambda units, bits: right(units, bits) * 8, "a byte has eight bits."),
        (lambda units, bits: right(units, bits) * 1000, "a kilobyte is a thousand bytes."),
        (
            lambda units, bits: (784 * units + units * 10 + units + 10) * bits / 8000,
            "the biases are not rounded: 32 bits each.",
        ),
        (lambda units, bits: (784 * units + units * 10) * bits / 8000, "the biases need bytes, too."),
        (lambda units, bits: (784 * units * bits + (units + 10) * 32) / 8000, "the second layer has weights, too."),
    ]
    return check_function(function, right, [(32, 2), (1, 8)], mistakes, "weights times bits, biases times 32.")
