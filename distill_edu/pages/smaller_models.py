"""Page "What does a smaller model cost?": the cards of many models, accuracy over latency, and the exercises."""

from pathlib import Path

import numpy as np
import pandas

from distill_edu import cache, compress
from distill_edu._inside.cache_key import portable_key
from distill_edu._inside.source_code import tokens
from distill_edu.metrics import mean_and_reach, pareto_front
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.picture import NEUTRAL, STYLES, empty_axes, legend, plain, with_room


def model_cards(groups, data):
    """A table of models, see `compress.model_cards`. Bytes and accuracies are remembered, latencies measured now.

    Models of equal size and format do the same work, whatever their weights are, so one of them is measured.
    """
    table = pandas.DataFrame(_cards_without_times(groups, data))
    models = {size: model for pairs in groups.values() for size, model in pairs}
    for size, model in models.items():
        for form in ("float32", "int8"):
            content = compress.export_litert(model, None if form == "float32" else form, data.train[0][:200])
            rows = (table["size"] == size) & (table.format == form)
            table.loc[rows, "us"], _ = compress.latency(content, data.test[0][:1])
            table.loc[rows, "batch_us"], _ = compress.latency(content, data.test[0][:32])
    return table


def _cards_without_times(groups, data):
    """Column -> values. Not `remembered`: whether LiteRT is here is found out inside a function of compress."""
    code = tokens(Path(compress.__file__).read_text("utf-8"))
    name = portable_key("cards", code, list(groups.items()), data)
    if (kept := cache.recall(name)) is None:
        cache.require_kept(1, "table of models")
        table = compress.model_cards(groups, data)
        kept = cache.keep(name, table.drop(columns=[each for each in table if "us" in each.split("_")]).to_dict("list"))
    return kept


def tradeoff_explorer(table):
    """Slide a budget in kilobytes and microseconds: the best model within it, its cost, the Pareto front.

    `table`: what `model_cards` returns, a row for each model and seed with the columns technique (up to 6), size,
    bytes, us, valid_accuracy and test_accuracy. Validation data choose the model and the front, test data judge them.
    """
    if table.technique.nunique() > len(STYLES):
        raise ValueError(f"There are {table.technique.nunique()} techniques: at most {len(STYLES)} can be told apart.")
    points = tradeoff_points(table)
    controls = {
        "kilobytes": _budget("Size at most (KB)", "kilobytes", points.kilobytes),
        "microseconds": _budget("Latency at most (µs)", "microseconds", points.us),
    }
    return Explorer(lambda figure, **budget: _draw_tradeoff(figure, points, **budget), controls, height=3.4)


def _budget(label, name, values):
    stops = sorted({float(np.ceil(value)) for value in values})
    stops = [stops[0] - 1, *stops]  # at the first stop nothing fits
    return stop_slider(label, name, stops, stops[-1])


def _draw_tradeoff(figure, points, kilobytes, microseconds):
    """Draw test accuracy over latency, bytes as the area of a marker, models outside of the budget pale."""
    (axes,) = empty_axes(figure, (0.11, 0.18, 0.6, 0.72))
    low, high = with_room([points.test_accuracy - points.reach, points.test_accuracy + points.reach], 0.05)
    axes.set(xlim=(0, 1.1 * points.us.max()), xlabel="latency of one example (µs)")
    axes.set(ylim=(low, high), ylabel=f"test accuracy (axis from {low:.2f})")
    # The title has the budget: every stop of a slider changes the picture, also where it changes no point.
    axes.set_title(f"at most {kilobytes:g} KB and {microseconds:g} µs")
    for technique, (colour, filled) in zip(points.technique.unique(), STYLES, strict=False):
        _draw_points(axes, points[points.technique == technique], (kilobytes, microseconds), colour, filled)
        axes.plot([], [], "o", color=colour, fillstyle="full" if filled else "none", label=plain(technique))
    within = points[_fits(points, kilobytes, microseconds)]
    front = within[pareto_front(within.us, within.valid_accuracy)].sort_values("us")
    axes.plot(front.us, front.test_accuracy, "--", color=NEUTRAL, zorder=0, label="Pareto front")
    axes.scatter([], [], _area(10), c="none", edgecolors=NEUTRAL, label="10 KB")
    legend(axes, loc="upper left", bbox_to_anchor=(1.01, 1), title="area: bytes")
    return _choose(axes, points, kilobytes, microseconds)


def tradeoff_points(table):
    """Summarise the seeds: a row for each technique and size, with kilobytes, median us, mean accuracies, reach."""
    points = table.groupby(["technique", "size"], sort=False).agg(
        kilobytes=("bytes", lambda values: values.mean() / 1000),
        us=("us", "median"),
        valid_accuracy=("valid_accuracy", "mean"),
        test_accuracy=("test_accuracy", "mean"),
        reach=("test_accuracy", lambda values: mean_and_reach(values)[2] if len(values) > 1 else 0.0),
    )
    return points.reset_index()


def _fits(points, kilobytes, microseconds):
    return (points.kilobytes <= kilobytes) & (points.us <= microseconds)


def _draw_points(axes, points, budget, colour, filled):
    us, accuracy, reach = points.us.to_numpy(), points.test_accuracy.to_numpy(), points.reach.to_numpy()
    alpha = np.where(_fits(points, *budget), 1, 0.2)
    axes.vlines(us, accuracy - reach, accuracy + reach, color=colour, linewidth=1, alpha=alpha)
    face = colour if filled else "white"
    axes.scatter(us, accuracy, _area(points.kilobytes.to_numpy()), c=face, edgecolors=colour, alpha=alpha, zorder=3)


def _area(kilobytes):
    """The area of a marker in square points; it depends on the bytes alone."""
    return 4 * kilobytes


def _choose(axes, points, kilobytes, microseconds):
    """Mark the point that validation data choose within the budget; return a sentence about it."""
    budget = f"Budget {kilobytes:g} KB and {microseconds:g} µs"
    fits = points[_fits(points, kilobytes, microseconds)]
    if fits.empty:
        return (
            f"{budget}: nothing fits. The smallest model has {points.kilobytes.min():.1f} KB, "
            f"the quickest takes {points.us.min():.1f} µs."
        )
    best = fits.loc[fits.valid_accuracy.idxmax()]
    width = _area(best.kilobytes) ** 0.5 + 5  # a little wider than the marker
    axes.plot(best.us, best.test_accuracy, "s", markersize=width, fillstyle="none", color="black")
    return (
        f"{budget}: validation data choose {best.technique}, size {best['size']:g}. It has {best.kilobytes:.1f} KB, "
        f"takes {best.us:.1f} µs and is right on {best.test_accuracy:.4f} of the test data."
    )


# The bytes of the float32 weights of a Dense layer from 100 to 10 units.
check_bytes_by_hand = Exercise(
    right=4040,
    mistakes=[
        (1010, "that is the number of weights, or their bytes in int8: a float32 has 32 bits."),
        (4000, "the biases are missing: one for each of the 10 units."),
        (32 * 1010, "that is the number of bits: 8 of them are a byte."),
        (2 * 1010, "two bytes each is float16."),
    ],
    otherwise="(100 x 10 weights + 10 biases) times the bytes of one float32.",
)


def _clipped(values):
    return np.clip(values, -128, 127)


X = np.array([0.0, 0.26, -0.26, 1.0, 50.0, -50.0])
# function(x, scale, zero) -> int8 numbers
check_quantise = Exercise(
    right=lambda x, s, z: _clipped(np.round(x / s) + z).astype(int),
    mistakes=[
        (lambda x, s, z: np.round(x / s) + z, "numbers outside of -128 to 127 do not fit into an int8: clip them."),
        (
            lambda x, s, z: (np.round(x / s) + z).astype(np.int64).astype(np.int8),
            "clip before you make int8: 500 would wrap around.",
        ),
        (lambda x, s, z: _clipped(np.round(x / s)), "add the zero point."),
        (lambda x, s, z: _clipped(np.trunc(x / s) + z), "round to the nearest step: astype alone cuts the rest off."),
        (lambda x, s, z: _clipped(np.floor(x / s) + z), "round to the nearest step, not down."),
        (lambda x, s, z: _clipped(np.round(x * s) + z), "divide by the scale: it is the size of one step."),
        (lambda x, s, z: _clipped(np.round(x / s) - z), "add the zero point; it is subtracted on the way back."),
        (lambda x, s, z: _clipped(x / s + z), "an int8 is a whole number: round."),
    ],
    otherwise="round(x / scale) + zero, clipped.",
    inputs=[(X, 0.1, 3), (0.7 - X, 0.3, -5)],
)


def _fitting(table, kb):
    return table[table.bytes <= 1000 * kb]


def _best_within(table, kb):
    return int(_fitting(table, kb).valid_accuracy.idxmax())


POSITION = "return the table's index (idxmax), not the position."
MODELS = pandas.DataFrame(
    [(9000, 0.95, 0.95), (4000, 0.90, 0.85), (5000, 0.80, 0.93), (3000, 0.85, 0.86)],
    columns=["bytes", "valid_accuracy", "test_accuracy"],
    index=[30, 31, 32, 33],
)
# function(table, kilobytes) -> index of the best row that fits, chosen on validation data
check_best_within = Exercise(
    right=_best_within,
    mistakes=[
        (lambda table, kb: table.valid_accuracy.idxmax(), "that one does not fit: a kilobyte has 1000 bytes."),
        (lambda table, kb: _fitting(table, kb).test_accuracy.idxmax(), "you chose by test data: take valid_accuracy."),
        (lambda table, kb: table.bytes.idxmin(), "that is the smallest: take the most accurate of those that fit."),
        (lambda table, kb: _fitting(table, kb).valid_accuracy.max(), "return its index (idxmax), not its accuracy."),
        (lambda table, kb: table.index.get_loc(_best_within(table, kb)), POSITION),
        (lambda table, kb: int(_fitting(table, kb).valid_accuracy.argmax()), POSITION),
    ],
    otherwise="the largest valid_accuracy among those that fit.",
    inputs=[(MODELS, 5), (MODELS.iloc[::-1].set_axis([7, 8, 9, 10]), 4.5)],
)
