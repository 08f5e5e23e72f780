"""Page "How few bits does a weight need?": weights on a few levels, accuracies of such students, the exercises."""

import ipywidgets
import numpy as np

from distill_edu._inside.check_values import require_count
from distill_edu.models import FewBits  # noqa: F401 - the page trains with page.FewBits
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, slider, stop_slider
from distill_edu.pages.shared.picture import empty_axes, legend, means_over_stops, plain, stop_axis, with_room
from distill_edu.pages.shared.plots import DISTILLED, HARD, NEUTRAL

STYLES = ((NEUTRAL, "o-"), (HARD, "o-"), (DISTILLED, "D-"))  # of the ways to train, in their order


def few_bits(weights, bits):
    """Round weights to 2^bits - 1 levels, evenly spaced around 0, the outermost at the largest |weight|: float32."""
    step = _step(weights, require_count(bits, "bits", least=2))
    return (np.round(weights / step) * step).astype("float32")


def _step(weights, bits):
    """The distance between two levels: the largest whole number is 2^(bits - 1) - 1."""
    return np.abs(weights).max() / (2 ** (bits - 1) - 1)


def bits_explorer(results, weights, bits=None):
    """Slide the bits of a weight; with several lessons, choose a lesson.

    `results`: lesson -> way -> bits -> which images students are right about, [seeds, images]. Up to three ways, in
    this order: weights that were only rounded, trained with labels while rounded, trained with a teacher while
    rounded; each has the same bits. `weights`: those of a layer, as floats.
    """
    first = next(iter(results))
    stops = tuple(next(iter(results[first].values())))
    controls = {"bits": stop_slider("Bits of a weight (number)", "bits", stops, bits or stops[0])}
    if len(results) > 1:
        controls["lesson"] = slider(ipywidgets.SelectionSlider, "Lesson", options=[(name, name) for name in results])
    flat = np.ravel(weights)

    def draw(figure, bits, lesson=first):
        left, right = empty_axes(figure, (0.07, 0.22, 0.405, 0.67), (0.605, 0.22, 0.375, 0.67))
        levels = draw_levels(left, flat, bits)
        means = draw_ways(right, results[lesson], lesson, bits)
        listed = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
        return f"{bits} bits, {levels} levels. {lesson}: {listed} of the digits are right."

    return Explorer(draw, controls)


def draw_levels(axes, weights, bits):
    """Draw the histogram of the weights and the levels that `bits` leave; return the number of levels."""
    heights, edges = np.histogram(weights, bins=61)
    axes.stairs(heights, edges, fill=True, color=NEUTRAL, alpha=0.5)
    levels = 2**bits - 1
    for level in np.linspace(-1, 1, levels) * np.abs(weights).max():
        axes.axvline(level, color=DISTILLED, linewidth=max(0.3, 1.5 - levels / 40))
    axes.set(xlabel="weight", yticks=[], xlim=with_room(weights, 0.05), ylim=(0, 1.05 * heights.max()))
    axes.set_title("weights and their levels")
    return levels


def draw_ways(axes, ways, lesson, bits):
    """Draw the accuracy of each way over the bits with 95% intervals; return way -> mean accuracy at `bits`."""
    means = {}
    for (name, right_by_bits), (colour, style) in zip(ways.items(), STYLES[: len(ways)], strict=True):
        accuracies = [right.mean(axis=1) for right in right_by_bits.values()]  # [seeds] for each number of bits
        means_over_stops(axes, accuracies, style, color=colour, label=name)
        means[name] = float(np.mean(right_by_bits[bits]))
    stops = list(right_by_bits)
    stop_axis(axes, stops, bits)
    axes.set(xlim=(len(stops) - 0.7, -0.3), ylim=(0, 1), xlabel="bits of a weight", ylabel="accuracy")
    axes.set_title(plain(lesson))
    legend(axes, fontsize=7, loc="lower left")
    return means


# How many levels three bits give, when 0 is a level and the levels are even around it: 2^3 - 1.
check_levels_by_hand = Exercise(
    right=7,
    mistakes=[
        (8, "one of the eight would have no partner on the other side of 0."),
        (3, "that is the largest whole number: count the negative ones and 0, too."),
        (6, "0 is a level, too."),
        (9, "that is three times three: a bit has two values."),
    ],
    otherwise="from -3 to 3.",
)


def _rounded(w, step, rounding=np.round):
    return rounding(w / step) * step


# function(weights, bits) -> the weights on 2^bits - 1 even levels, the outermost at the largest |weight|
check_few_bits = Exercise(
    right=few_bits,
    mistakes=[
        (
            lambda w, bits: _rounded(w, np.abs(w).max() / 2 ** (bits - 1)),
            "the outermost whole number is 2^(bits - 1) - 1: 0 needs a place.",
        ),
        (lambda w, bits: few_bits(w, bits + 1), "half of the levels are negative: 2^(bits - 1) - 1 on each side."),
        (
            lambda w, bits: np.round(w / _step(w, bits)),
            "those are the whole numbers: times the step they are weights again.",
        ),
        (lambda w, bits: _rounded(w, _step(w[w > 0], bits)), "the largest weight may be a negative one: np.abs."),
        (np.round, "np.round keeps so many decimals: divide by the step first."),
        (lambda w, bits: _rounded(w, _step(w, bits), np.floor), "floor always goes down: round to the nearest."),
    ],
    otherwise="a step of max |w| / (2^(bits - 1) - 1), then round.",
    inputs=[(np.array([0.9, -1.3, 0.2, -0.4, 0.05]), 3), (np.array([[0.31, -0.12], [0.07, 0.5]]), 2)],
)


def _kilobytes(units, bits, bias_bits=32):
    return ((784 * units + units * 10) * bits + (units + 10) * bias_bits) / 8 / 1000


# function(units, bits) -> kilobytes of a network 784-units-10: weights of `bits` each, biases of 32 bits
check_kilobytes = Exercise(
    right=_kilobytes,
    mistakes=[
        (lambda units, bits: _kilobytes(units, bits) * 8, "a byte has eight bits."),
        (lambda units, bits: _kilobytes(units, bits) * 1000, "a kilobyte is a thousand bytes."),
        (lambda units, bits: _kilobytes(units, bits, bits), "the biases are not rounded: 32 bits each."),
        (lambda units, bits: _kilobytes(units, bits, 0), "the biases need bytes, too."),
        (lambda units, bits: (784 * units * bits + (units + 10) * 32) / 8000, "the second layer has weights, too."),
    ],
    otherwise="weights times bits, biases times 32.",
    inputs=[(32, 2), (1, 8)],
)
