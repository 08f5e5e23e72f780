"""Page "How few bits does a weight need?": weights on a few levels, accuracies of such networks, the exercises."""

import numpy as np

from distill_edu._inside.backend import keras
from distill_edu._inside.check_values import require_count
from distill_edu.models import FewBits
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    NEUTRAL,
    Picture,
    empty_axes,
    legend,
    mean_and_reach,
    means_over_stops,
    plain,
    stop_axis,
    with_room,
)


def few_bits(weights, bits, clip=1.0):
    """Round weights to 2^bits - 1 levels, evenly spaced around 0, the outermost at `clip` x the largest |weight|."""
    step = clip * _step(weights, require_count(bits, "bits", least=2))
    most = 2 ** (bits - 1) - 1
    return (np.clip(np.round(weights / step), -most, most) * step).astype("float32")


def _step(weights, bits):
    """The distance between two levels: the largest whole number is 2^(bits - 1) - 1."""
    return np.abs(weights).max() / (2 ** (bits - 1) - 1)


def all_rounded(arrays, bits, clip):
    """Round each matrix of a network to its levels; the biases stay."""
    return [few_bits(array, bits, clip) if array.ndim > 1 else array for array in arrays]


def only_zeros(arrays, bits, clip):
    """Set the weights of a network to 0 that rounding would set to 0; all others stay as they are."""
    rounded = all_rounded(arrays, bits, clip)
    return [np.where((levels == 0) & (array.ndim > 1), 0, array) for array, levels in zip(arrays, rounded, strict=True)]


class Rounded(FewBits):
    """A FewBits layer whose outermost level may be `clip` x its largest |weight|, and that may round only in use.

    `late`: it trains with floats, and is rounded whenever it is used.

    >>> layer = Rounded(1, bits=2, clip=0.5, kernel_initializer=lambda shape, dtype: [[0.8], [-0.3], [0.1]])
    >>> round(float(layer(np.array([[1.0, 10.0, 100.0]]))[0, 0]), 3)  # with the weights 0.4, -0.4 and 0
    -3.6
    """

    def __init__(self, units, bits, clip=1.0, late=False, **keras_arguments):
        super().__init__(units, bits, **keras_arguments)
        self.clip, self.late = clip, late

    def call(self, x, training=False):
        most = 2 ** (self.bits - 1) - 1
        step = self.clip * keras.ops.max(keras.ops.abs(self.kernel)) / most
        levels = keras.ops.clip(keras.ops.round(self.kernel / step), -most, most) * step
        kernel = self.kernel + keras.ops.stop_gradient(levels - self.kernel)  # forward: levels; backward: kernel
        return self.activation(keras.ops.matmul(x, self.kernel if self.late and training else kernel) + self.bias)

    def get_config(self):
        return {**super().get_config(), "clip": self.clip, "late": self.late}


def levels_explorer(right, weights):
    """Slide the bits of a weight, and how far out its outermost level is.

    `right`: (bits, clip) -> which images rounded networks are right about, [seeds, images], for every pair of the
    sliders; `weights`: those of a layer, as floats.
    """
    stops, clips = (tuple(dict.fromkeys(values)) for values in zip(*right, strict=True))
    controls = {
        "bits": stop_slider("Bits of a weight (number)", "bits", stops, stops[0]),
        "clip": stop_slider("Outermost level (share of largest)", "clip", clips, clips[0]),
    }
    flat = np.ravel(weights)
    limits = with_room([table.mean(axis=1) for table in right.values()], 0.05)

    def draw(figure, bits, clip):
        left, axes = empty_axes(figure, (0.05, 0.22, 0.41, 0.67), (0.585, 0.22, 0.395, 0.67))
        levels, to_zero = draw_levels(left, flat, bits, clip)
        for each in dict.fromkeys((clips[0], clip)):  # the first one stays in sight
            accuracies = [right[stop, each].mean(axis=1) for stop in stops]
            look = {"color": NEUTRAL} if each == clips[0] else {"color": DISTILLED, "zorder": 3}
            means_over_stops(axes, accuracies, "o-", label=f"outermost level: {each:g} × largest weight", **look)
        bits_axis(axes, stops, bits, ylim=limits)
        axes.set_title("without further training", fontsize=9)
        legend(axes, fontsize=8, loc="lower left")
        accuracy = np.mean(right[bits, clip])
        return (
            f"{bits} bits, {levels} levels, the outermost at {clip:g} of the largest weight: {to_zero:.3f} of these "
            f"weights become 0, and the rounded networks have an accuracy of {accuracy:.3f}."
        )

    return Explorer(draw, controls)


def draw_levels(axes, weights, bits, clip):
    """Draw the histogram of the weights and their levels; return the number of levels, and the share that become 0."""
    heights, edges = np.histogram(weights, bins=61)
    axes.stairs(heights, edges, fill=True, color=NEUTRAL, alpha=0.5)
    levels, largest = 2**bits - 1, np.abs(weights).max()
    for level in np.linspace(-clip, clip, levels) * largest:
        axes.axvline(level, color=DISTILLED, linewidth=max(0.3, 1.5 - levels / 40))
    to_zero = np.mean(few_bits(weights, bits, clip) == 0)
    axes.plot(weights[np.abs(weights).argmax()], 0.03 * heights.max(), "kv", markersize=6)
    left = weights[np.abs(weights).argmax()] < 0
    look = {"fontsize": 8, "bbox": {"color": "white", "alpha": 0.6, "pad": 0}, "ha": "left" if left else "right"}
    axes.text(weights[np.abs(weights).argmax()], 0.09 * heights.max(), "largest\nweight", **look)
    axes.set(
        xlabel="weight (first layer)",
        yticks=[],
        ylabel="number of weights",
        xlim=with_room(weights, 0.05),
        ylim=(0, 1.25 * heights.max()),
    )
    axes.yaxis.set_label_coords(-0.04, 0.5)  # there are no ticks
    axes.set_title(f"{levels} levels; {to_zero:.3f} of the weights become 0", fontsize=9)
    return levels, to_zero


def bits_axis(axes, stops, chosen, **look):
    """Fewer bits to the right, and the accuracy upwards."""
    stop_axis(axes, stops, chosen)
    axes.set(xlim=(-0.3, len(stops) - 0.7), xlabel="bits of a weight (band: chosen)", ylabel="accuracy")
    axes.set(**look)


def all_pairs(bits, clips):
    """Return (bits, clip) -> the settings of this arm, for every pair."""
    return {(each, clip): {"bits": each, "clip": clip} for each in bits for clip in clips}


def draw_way_back(right, arms, over):
    """Draw the mean accuracy of each arm with its interval, and a dashed line at that of the arm `over`.

    `right`: arm -> which images networks are right about, [seeds, images].
    """
    figure = Picture(7, 1 + 0.3 * len(arms))
    axes = figure.add_axes((0.33, 0.24, 0.63, 0.7))
    for row, arm in enumerate(arms):
        mean, _, reach = mean_and_reach(right[arm].mean(axis=1))
        axes.errorbar(mean, row, xerr=reach, fmt="o", color=DISTILLED, capsize=3, markersize=5)
        look = {"ha": "right", "va": "center", "fontsize": 9}
        axes.annotate(f"{mean:.3f}", (mean - reach, row), (-6, 0), textcoords="offset points", **look)
    axes.axvline(right[over].mean(), color=NEUTRAL, linestyle="--")
    axes.set_yticks(range(len(arms)), map(plain, arms))
    axes.set(ylim=(len(arms) - 0.5, -0.5), xlim=with_room([right[arm].mean(axis=1) for arm in (*arms, over)], 0.12))
    axes.set_xlabel(f"accuracy, 95% interval (dashed: {plain(over)})")
    widest = max(label.get_window_extent().width for label in axes.get_yticklabels()) / figure.bbox.width
    axes.set_position((widest + 0.03, 0.24, 0.93 - widest, 0.7))
    return figure


# Where three bits with the outermost level 0.6 put the weights 0.25, -0.07 and 0.95: the levels are 0.2 apart.
check_levels_by_hand = Exercise(
    right=np.array([0.2, 0, 0.6]),
    mistakes=[
        ([0.2, 0, 1], "no level is beyond the outermost one: the last weight is clipped."),
        ([1, 0, 3], "those are whole numbers of steps: times the step they are weights again."),
        ([0, 0, 0.6], "that is with two bits: three bits have more levels between 0 and the outermost one."),
        ([0.3, 0, 0.6], "the step is another: how many levels are on each side of 0?"),
        ([0.2, -0.2, 0.6], "each weight goes to the nearest level, not to the next one below."),
        ([0.25, -0.07, 0.6], "clipping is not enough: each weight goes to a level."),
    ],
    otherwise="how far apart are the levels? Then take the nearest one for each weight.",
)


def _rounded(w, step, most, rounding=np.round):
    return np.clip(rounding(w / step), -most, most) * step


# function(weights, bits, clip) -> the weights on 2^bits - 1 even levels, the outermost at clip x the largest |weight|
check_few_bits = Exercise(
    right=few_bits,
    mistakes=[
        (
            lambda w, bits, clip: _rounded(w, clip * np.abs(w).max() / 2 ** (bits - 1), 2 ** (bits - 1)),
            "the outermost whole number is 2^(bits - 1) - 1: 0 needs a place.",
        ),
        (lambda w, bits, clip: few_bits(w, bits + 1, clip), "2^(bits - 1) - 1 levels are on each side of 0."),
        (
            lambda w, bits, clip: _rounded(w, clip * _step(w, bits), np.inf),
            "no level is beyond the outermost one: np.clip.",
        ),
        (lambda w, bits, clip: few_bits(w, bits), "the outermost level is at clip x the largest weight."),
        (
            lambda w, bits, clip: few_bits(w, bits, clip) / (clip * _step(w, bits)),
            "those are the whole numbers: times the step they are weights again.",
        ),
        (
            lambda w, bits, clip: _rounded(w, clip * _step(w[w > 0], bits), 2 ** (bits - 1) - 1),
            "the largest weight may be a negative one: np.abs.",
        ),
        (
            lambda w, bits, clip: _rounded(w, clip * _step(w[w < 0], bits), 2 ** (bits - 1) - 1),
            "the largest weight may be a positive one: np.abs.",
        ),
        (
            lambda w, bits, clip: _rounded(w, clip * _step(w, bits), 2 ** (bits - 1) - 1, np.floor),
            "floor always goes down: round to the nearest level.",
        ),
        (
            lambda w, bits, clip: _rounded(w, clip * np.abs(w).max() / (2 * bits - 3), 2 * bits - 3),
            "each bit doubles the number of levels.",
        ),
    ],
    otherwise="clip to the outermost level, divide by the step, round, and multiply by the step.",
    inputs=[
        (np.array([0.9, -1.3, 0.2, -0.4, 0.05]), 3, 0.75),
        (np.array([[-0.31, 0.12], [-0.07, 0.5]]), 2, 0.5),
        (np.array([0.7, -0.23, 1.1]), 4, 0.8),
    ],
)


def _kilobytes(units, bits, bias_bits=32):
    return ((784 * units + units * 10) * bits + (units + 10) * bias_bits) / 8 / 1000


# function(units, bits) -> kilobytes of a network 784-units-10: weights of `bits` each, biases of 32 bits
check_kilobytes = Exercise(
    right=_kilobytes,
    mistakes=[
        (lambda units, bits: _kilobytes(units, bits) * 8, "a byte has eight bits."),
        (lambda units, bits: _kilobytes(units, bits) * 1000, "a kilobyte is a thousand bytes."),
        (lambda units, bits: _kilobytes(units, bits) * 1000 / 1024, "here a kilobyte is 1,000 bytes, not 1,024."),
        (lambda units, bits: _kilobytes(units, bits, bits), "the biases are not rounded: 32 bits each."),
        (lambda units, bits: _kilobytes(units, bits, 0), "the biases need bytes, too."),
        (lambda units, bits: (784 * units * bits + (units + 10) * 32) / 8000, "the second layer has weights, too."),
    ],
    otherwise="weights times bits, biases times 32.",
    inputs=[(32, 2), (1, 8)],
)
