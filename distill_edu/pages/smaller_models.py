"""Page "What does a smaller model cost?": the cards of many models, accuracy over bytes, the exercises."""

from pathlib import Path

import ipywidgets
import numpy as np
import pandas

from distill_edu import cache, compress
from distill_edu._inside.cache_key import portable_key
from distill_edu._inside.source_code import tokens
from distill_edu.metrics import mean_and_reach, pareto_front
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, slider, stop_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    NEUTRAL,
    STYLES,
    TEACHER,
    Picture,
    empty_axes,
    legend,
    plain,
    with_room,
)

ASIDE = {"hard labels": 0.96, "distilled": 1.04}  # files of equal bytes are drawn beside each other


def model_cards(groups, data):
    """A table of models, see `compress.model_cards`: bytes and accuracies, which are remembered, and no latencies."""
    code = tokens(Path(compress.__file__).read_text("utf-8"))
    # Not `remembered`: whether LiteRT is here is found out inside a function of compress.
    name = portable_key("cards", code, list(groups.items()), data)
    if (kept := cache.recall(name)) is None:
        cache.require_kept(1, "table of models")
        table = compress.model_cards(groups, data)
        kept = cache.keep(name, table.drop(columns=[each for each in table if "us" in each.split("_")]).to_dict("list"))
    return pandas.DataFrame(kept)


def right_answers(students):
    """Width -> whether each student of a sweep is right, [seeds, test images].

    >>> right_answers(pandas.DataFrame({"size": [2, 2], "test_right": [np.array([True]), np.array([False])]}))
    {2: array([[ True],
           [False]])}
    """
    return {width: np.stack(some.test_right) for width, some in students.groupby("size")}


def right_in_int8(models, data):
    """Width -> whether each of the models [(width, model)] is right as an int8 file, [models, test images]."""
    x, labels = data.test
    right = {}
    for width, model in models:
        content = compress.export_litert(model, "int8", data.train[0][:200])
        right.setdefault(width, []).append(compress.litert_predict(content, x).argmax(axis=1) == labels)
    return {width: np.stack(rows) for width, rows in right.items()}


def mean_of(right, widths):
    """The mean of what is right at several widths, [seeds, test images].

    >>> mean_of({1: np.array([[1, 0]]), 2: np.array([[1, 1]])}, [1, 2])
    array([[1. , 0.5]])
    """
    return np.mean([right[width] for width in widths], axis=0)


def tradeoff_explorer(table):
    """Slide a budget in kilobytes: the best model within it and the Pareto front. int8 files can be added.

    `table`: what `model_cards` returns, a row for each model and seed with the columns technique (up to 6), size (the
    width), bytes, valid_accuracy and test_accuracy. Validation data choose the model and the front, test data judge.
    """
    if table.technique.nunique() > len(STYLES):
        raise ValueError(f"There are {table.technique.nunique()} techniques: at most {len(STYLES)} can be told apart.")
    points = tradeoff_points(table)
    stops = sorted({float(np.ceil(value)) for value in points.kilobytes})
    stops = [stops[0] - 1, *stops]  # at the first stop nothing fits
    files = [("float32 alone", False), ("float32 and int8", True)]
    controls = {
        "kilobytes": stop_slider("Size at most (KB)", "kilobytes", stops, stops[-1]),
        "int8": slider(ipywidgets.Dropdown, "files", options=files, value=False),
    }
    return Explorer(lambda figure, **values: _draw_tradeoff(figure, points, **values), controls, height=3.4)


def _draw_tradeoff(figure, points, kilobytes, int8):
    """Draw test accuracy over bytes, the width beside each marker, models outside of the budget pale."""
    (axes,) = empty_axes(figure, (0.11, 0.18, 0.67, 0.72))
    low, high = with_room([points.test_accuracy - points.reach, points.test_accuracy + points.reach], 0.05)
    limits = (0.8 * points.kilobytes.min(), 1.4 * points.kilobytes.max())
    axes.set(xscale="log", xlim=limits, xlabel="kilobytes of the file (logarithmic axis)")
    _kilobyte_ticks(axes, limits)
    axes.set(ylim=(low, high), ylabel=f"test accuracy (axis from {low:.2f})")
    # The title has the budget: every stop of a slider changes the picture, also where it changes no point.
    axes.set_title(f"at most {kilobytes:g} KB, {'float32 and int8' if int8 else 'float32 alone'}")
    shown = points if int8 else points[~points.technique.map(_is_int8)]
    for technique, (colour, filled) in zip(points.technique.unique(), STYLES, strict=False):
        if technique in set(shown.technique):
            _draw_points(axes, shown[shown.technique == technique], kilobytes, colour, filled)
            axes.plot([], [], "o", color=colour, fillstyle="full" if filled else "none", label=plain(technique))
    within = shown[shown.kilobytes <= kilobytes]
    # Rounded: the numbers in the layers' names change a file by a few bytes.
    front = within[pareto_front(within.kilobytes.round(1), within.valid_accuracy)].sort_values("kilobytes")
    axes.plot(_places(front), front.test_accuracy, "--", color=NEUTRAL, zorder=0, label="Pareto front")
    axes.plot([], [], "s", fillstyle="none", color="black", label="chosen")
    legend(axes, loc="upper left", bbox_to_anchor=(1.01, 1), title="number: width\nbar: 95% interval", title_fontsize=8)
    if within.empty:
        return choice(shown, kilobytes)
    best = within.loc[[within.valid_accuracy.idxmax()]]
    axes.plot(_places(best), best.test_accuracy, "s", markersize=12, fillstyle="none", color="black")
    return choice(shown, kilobytes)


def two_ways(points):
    """Draw the teacher and the distilled students in float32 and in int8, an arrow from each file to its int8 file.

    `points`: what `tradeoff_points` returns. On a logarithmic axis an arrow is as long as the file shrinks in ratio.
    """
    figure = Picture(7, 3.2)
    (axes,) = empty_axes(figure, (0.1, 0.17, 0.87, 0.73))
    own = points[points.technique.str.removesuffix(", int8").isin(["teacher", "distilled"])]
    for technique, colour in (("distilled", DISTILLED), ("teacher", TEACHER)):
        for ending, line, face, aside in (("", "o-", colour, (6, -13)), (", int8", "o--", "white", (-12, 6))):
            shown = own[own.technique == technique + ending].sort_values("size")
            bars = {"color": colour, "markerfacecolor": face, "markersize": 7, "elinewidth": 0.8, "zorder": 2}
            name = f"{technique}, {'int8' if ending else 'float32'}"
            axes.errorbar(shown.kilobytes, shown.test_accuracy, shown.reach, fmt=line, label=name, **bars)
            for width, *place in shown[["size", "kilobytes", "test_accuracy"]].to_numpy():
                axes.annotate(f"{width:g}", tuple(place), aside, textcoords="offset points", fontsize=9)
    for _, pair in own.groupby("size"):  # float32 first
        start, end = pair[["kilobytes", "test_accuracy"]].to_numpy()
        arrow = {"arrowstyle": "->", "color": NEUTRAL, "shrinkA": 5, "shrinkB": 5}
        axes.annotate("", tuple(end), tuple(start), arrowprops=arrow)
    low, high = with_room([own.test_accuracy - own.reach, own.test_accuracy + own.reach], 0.08)
    limits = (0.8 * own.kilobytes.min(), 1.25 * own.kilobytes.max())
    axes.set(xscale="log", xlim=limits, ylim=(low, high), xlabel="kilobytes of the file (logarithmic axis)")
    axes.set_ylabel(f"test accuracy (axis from {low:.2f})")
    axes.set_title("number: width; bar: 95% interval; arrow: the same model in int8", fontsize=9)
    _kilobyte_ticks(axes, limits)
    legend(axes, loc="lower right")
    return figure


def tradeoff_points(table):
    """Summarise the seeds: a row for each technique and size, with kilobytes, mean accuracies, and their reach."""
    points = table.groupby(["technique", "size"], sort=False).agg(
        kilobytes=("bytes", lambda values: values.mean() / 1000),
        valid_accuracy=("valid_accuracy", "mean"),
        test_accuracy=("test_accuracy", "mean"),
        reach=("test_accuracy", lambda values: mean_and_reach(values)[2] if len(values) > 1 else 0.0),
    )
    return points.reset_index()


def _kilobyte_ticks(axes, limits):
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100) if limits[0] < tick < limits[1]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)


def _is_int8(technique):
    return str(technique).endswith(", int8")


def _places(points):
    """The kilobytes, a little aside: students of labels to the left, distilled ones to the right."""
    aside = points.technique.map(lambda technique: ASIDE.get(str(technique).removesuffix(", int8"), 1.0))
    return (points.kilobytes * aside).to_numpy(float)


def _draw_points(axes, points, kilobytes, colour, filled):
    places, accuracy, reach = _places(points), points.test_accuracy.to_numpy(), points.reach.to_numpy()
    alpha = np.where(points.kilobytes <= kilobytes, 1, 0.4)
    axes.vlines(places, accuracy - reach, accuracy + reach, color=colour, linewidth=1, alpha=alpha)
    face = colour if filled else "white"
    axes.scatter(places, accuracy, 28, c=face, edgecolors=colour, alpha=alpha, zorder=3)
    for place, height, width, shade in zip(places, accuracy, points["size"], alpha, strict=True):
        axes.annotate(f"{width:g}", (place, height), (8, -11), textcoords="offset points", fontsize=8, alpha=shade)


def choice(points, kilobytes):
    """Say in a sentence which point validation data choose within the budget."""
    fits = points[points.kilobytes <= kilobytes]
    if fits.empty:
        return f"Budget {kilobytes:g} KB: nothing fits. The smallest file has {points.kilobytes.min():.1f} KB."
    best = fits.loc[fits.valid_accuracy.idxmax()]
    return (
        f"Budget {kilobytes:g} KB: {best.technique}, width {best['size']:g}, "
        f"{best.kilobytes:.1f} KB, test accuracy {best.test_accuracy:.4f}"
    )


# The bytes of the float32 weights of a Dense layer from 100 to 10 units.
check_bytes_by_hand = Exercise(
    right=4040,
    mistakes=[
        (1010, "that is the number of weights and biases: each is a float32 of 32 bits."),
        (4000, "the biases are missing: one for each of the 10 units."),
        (32 * 1010, "that is the number of bits: 8 of them are a byte."),
        (2 * 1010, "two bytes each is float16."),
    ],
    otherwise="count weights and biases first; then multiply by the bytes of one float32, which has 32 bits.",
)


def _clipped(values):
    return np.clip(values, -128, 127)


X = np.array([0.0, 0.26, -0.26, 1.0, 50.0, -50.0])
# function(x, scale, zero) -> whole numbers from -128 to 127
check_quantize = Exercise(
    right=lambda x, s, z: _clipped(np.round(x / s) + z).astype(int),
    mistakes=[
        (lambda x, s, z: _clipped(np.round(x / s)) + z, "clip last: the zero point may lead out of the range again."),
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
    otherwise="divide, round, shift, and then clip.",
    inputs=[(X, 0.1, 3), (0.7 - X, 0.3, -5)],
)


def _fitting(table, kb):
    return table[table.bytes <= 1000 * kb]


def _best_within(table, kb):
    return int(_fitting(table, kb).valid_accuracy.idxmax())


POSITION = "return the table's index (idxmax), not the position."
MODELS = pandas.DataFrame(
    [
        *[(9000, 0.95, 0.95), (4000, 0.90, 0.85), (2500, 0.87, 0.83)],
        *[(3000, 0.85, 0.86), (4050, 0.93, 0.94), (2000, 0.70, 0.80)],
    ],
    columns=["bytes", "valid_accuracy", "test_accuracy"],
    index=[30, 31, 32, 33, 34, 35],
)
# function(table, kilobytes) -> index of the best row that fits, chosen on validation data
check_best_within = Exercise(
    right=_best_within,
    mistakes=[
        (lambda table, kb: _fitting(table, kb).bytes.idxmax(), "that is the largest: a smaller one may be better."),
        (lambda table, kb: table.valid_accuracy.idxmax(), "that one does not fit: a kilobyte has 1000 bytes."),
        (lambda table, kb: _best_within(table, 1.024 * kb), "that one does not fit: a kilobyte has 1000 bytes."),
        (
            lambda table, kb: table[table.bytes < 1000 * kb].valid_accuracy.idxmax(),
            "a file of exactly so many kilobytes fits, too.",
        ),
        (lambda table, kb: _fitting(table, kb).test_accuracy.idxmax(), "you chose by test data: take valid_accuracy."),
        (lambda table, kb: table.bytes.idxmin(), "that is the smallest: take the most accurate of those that fit."),
        (lambda table, kb: _fitting(table, kb).valid_accuracy.max(), "return its index (idxmax), not its accuracy."),
        (lambda table, kb: _best_within(table, 4), "use kilobytes: every budget gets the same answer."),
        (lambda table, kb: table.index.get_loc(_best_within(table, kb)), POSITION),
        (lambda table, kb: int(_fitting(table, kb).valid_accuracy.argmax()), POSITION),
    ],
    otherwise="the largest valid_accuracy among those that fit.",
    inputs=[(MODELS, 4), (MODELS.iloc[::-1].set_axis([7, 8, 9, 10, 11, 12]), 3)],
)
