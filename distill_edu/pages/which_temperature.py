"""Page "Which T and alpha?": accuracy over the temperature, and its exercises."""

import ipywidgets
import numpy as np
import pandas

from distill_edu._inside.check_values import require_columns
from distill_edu.evidence import STARTS
from distill_edu.metrics import mean_and_reach, paired_gain
from distill_edu.pages.shared import plots
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, slider, stop_slider
from distill_edu.pages.shared.picture import DISTILLED, INK, NEUTRAL, two_axes, with_room

LIGHT_TO_DARK = ("#8FD3BE", DISTILLED, "#00402F")  # the darker, the more images
COLD, HOT = "#56B4E9", "#D55E00"  # a low T and a high T
COVERS = f"{STARTS}, the draw of 90 or 300 images"


def mean_change(change):
    """The mean of differences [seeds, images] between paired students, with its 95% interval: a `Gain`."""
    return paired_gain(change, np.zeros_like(change))


def with_views(images, updates):
    """Name a training of `updates` batches of 32 images, with the mean number of views of each image."""
    return f"{images:,} images, {updates:,} updates, {32 * updates / images:.0f} views"


def draw_gains(gains):
    """Draw gains of T = 8 over T = 1; the last two are differences between two gains, and a line parts them."""
    xlabel = "gain of T = 8 over T = 1 in accuracy, or difference of two gains (mean, 95% interval)"
    figure = plots.gains(gains, xlabel)
    (axes,) = figure.axes
    axes.axhline(len(gains) - 2.5, color=NEUTRAL, linewidth=0.8, linestyle="dashed")
    words = "right of 0: T = 8 is better; under the dashed line: T = 8 gains more with 90 images"
    axes.set_title(f"{words}\nfilled: a verdict, hollow: none", loc="right", fontsize=9, pad=4)
    return figure


def draw_promises(tried, promised, kept, mean):
    """Draw the accuracy of the best of so many students on the images that chose it and on others, and the gap."""
    lines = {
        "the best, on the 150 images that chose it": (promised, INK),
        "the best, on the other images": (kept, DISTILLED),
        "mean of all students": ([mean] * len(tried), NEUTRAL),
    }
    figure = plots.curves(tried, lines, "students to choose from (number)", "accuracy", logx=True)
    (axes,) = figure.axes
    axes.fill_between(tried, kept, promised, color=NEUTRAL, alpha=0.2, linewidth=0)
    axes.text(tried[-2], (promised[-2] + kept[-2]) / 2, "promised too much", ha="center", va="center", fontsize=9)
    return figure


def sweep_explorer(table):
    """Slide through the sizes, alphas and temperatures of a `sweep`: accuracy over T with 95% intervals.

    The test data are locked until the reader, who has chosen by the validation data, unlocks them.
    `table`: every size with every alpha and temperature, each with at least two seeds.
    """
    axes = {
        "size": "Size (hidden units)",
        "alpha": "α (weight of the labels)",
        "temperature": "Temperature T (no unit)",
    }
    require_columns(table, {*axes, "seed", "valid_accuracy", "test_accuracy"}, "sweep(...)")
    stops = {name: sorted(table[name].unique().tolist()) for name in axes}
    seeds = table.groupby(list(axes)).seed.nunique()
    if len(seeds) < np.prod([len(values) for values in stops.values()]) or seeds.min() < 2:
        raise ValueError("The sweep is not complete: every setting needs at least two seeds for its error bar.")
    controls = {name: stop_slider(label, name, stops[name], stops[name][0]) for name, label in axes.items()}
    locked = [("locked: choose first", False), ("shown", True)]
    controls["test"] = slider(ipywidgets.SelectionSlider, "Test data", options=locked)
    return Explorer(lambda figure, **values: draw_sweep(figure, table, **values), controls)


def draw_sweep(figure, table, size, alpha, temperature, test):
    """Draw accuracy over T for one size and alpha: validation data (left), test data (right) where `test` is true."""
    chosen = table[(table["size"] == size) & (table["alpha"] == alpha)].groupby("temperature")
    for axes, part in zip(two_axes(figure), ("valid", "test"), strict=True):
        curve = {t: mean_and_reach(accuracies) for t, accuracies in chosen[f"{part}_accuracy"]}
        mean, _, reach = np.transpose(list(curve.values()))
        if test or part == "valid":
            axes.errorbar(list(curve), mean, reach, fmt="o-", color=DISTILLED, capsize=3, markersize=4)
            axes.plot(temperature, curve[temperature][0], "s", markersize=11, fillstyle="none", color="black")
        else:
            axes.text(0.5, 0.5, "locked", transform=axes.transAxes, ha="center", va="center", color=NEUTRAL)
            mean, reach = np.array([0.5]), 0.5  # an axis from 0 to 1: it must not tell what is locked
        axes.set(xscale="log", xlabel="temperature T; bars: 95% intervals", ylabel="accuracy")
        axes.tick_params(labelleft=test or part == "valid")
        # Set, because matplotlib 3.10 finds other limits on Axes that have been drawn on before.
        axes.set(xlim=(0.87 * min(curve), 1.15 * max(curve)), ylim=with_room([mean - reach, mean + reach], 0.08))
        axes.set(title="validation: choose here" if part == "valid" else "test: read once")
        axes.set_xticks(list(curve), [f"{t:g}" for t in curve])
        axes.minorticks_off()
    valid, on_test = chosen.valid_accuracy.mean(), chosen.test_accuracy.mean()
    read = f"{on_test[temperature]:.4f} on test data. " if test else "The test data are locked. "
    best = valid.idxmax()
    place = "the best" if best == temperature else f"{valid[best] - valid[temperature]:.4f} below T = {best:g}"
    return (
        f"{size:g} hidden units, α = {alpha:g}, T = {temperature:g}: {valid[temperature]:.4f} on validation data, "
        f"{place} here. {read}Bars: 95% intervals over {len(chosen.get_group(temperature))} seeds."
    )


# The reader types the standard error of the number of right images: 500 images, each right with probability 0.87.
check_error_of_validation = Exercise(
    right=np.sqrt(500 * 0.87 * 0.13),
    mistakes=[
        (500 * 0.87 * 0.13, "that is the variance: take its square root."),
        (np.sqrt(0.87 * 0.13), "that is the standard deviation of one image: add the variances of 500 images first."),
        (np.sqrt(0.87 * 0.13 / 500), "that is the error of the accuracy: give it as a number of images."),
        (np.sqrt(500 * 0.87), "the variance of one image, right or wrong, is p (1 - p)."),
        (2 * np.sqrt(500 * 0.87 * 0.13), "that is two standard errors."),
        (1.96 * np.sqrt(500 * 0.87 * 0.13), "that is half of a 95% interval: give one standard error."),
        (500 * 0.87, "that is the expected number of right images."),
        (7.5, "nearly: give three digits."),
    ],
    otherwise="take the square root of n p (1 - p).",
)
# The reader writes function(valid, test) -> the test accuracy of the setting that validation chooses.
check_choose_honestly = Exercise(
    right=lambda valid, test: test[np.argmax(valid)],
    mistakes=[
        (lambda valid, test: max(test), "that is the best on the test data: choosing there is cheating."),
        (lambda valid, _: max(valid), "that is on validation data: return what the same setting has on test data."),
        (lambda valid, test: np.argmax(valid), "that is the number of the setting: return its test accuracy."),
    ],
    otherwise="find the best of valid, return its entry of test.",
    inputs=[
        ([0.80, 0.91, 0.85, 0.70], [0.82, 0.86, 0.95, 0.60]),
        ([0.5, 0.4, 0.7], [0.6, 0.9, 0.65]),
        ([0.6, 0.3, 0.5], [0.55, 0.75, 0.65]),
    ],
)


# Validation accuracies of three seeds: the best mean, the best first and luckiest seed, the best last seed, the best
# worst seed, the setting that is best on test data, and the best median. For the size 9 they belong to other
# temperatures than for the size 4.
SEEDS = ((0.90, 0.74, 0.80), (0.96, 0.60, 0.70), (0.66, 0.72, 0.92), (0.79, 0.78, 0.78), (0.70, 0.70, 0.70))
SEEDS += ((0.60, 0.83, 0.84),)
SOME_SWEEP = pandas.DataFrame(
    [
        (size, 0.5, 2**place, accuracy, 0.9 if kind == 4 else 0.5)
        for size, kinds in ((4, (0, 1, 2, 3, 4, 5)), (9, (3, 4, 5, 0, 1, 2)))
        for place, kind in enumerate(kinds)
        for accuracy in SEEDS[kind]
    ],
    columns=["size", "alpha", "temperature", "valid_accuracy", "test_accuracy"],
)
# Two alphas: one T is the best of alpha 0.5, one has the best pair of alpha and T, and one the best mean of all rows.
TWO_ALPHAS = pandas.DataFrame(
    [
        (size, alpha, temperature, seed, accuracy + 0.01 * seed, 0.5)
        for size, temperatures in ((4, (1, 2, 4)), (9, (2, 4, 1)))
        for temperature, both in zip(temperatures, ((0.90, 0.30), (0.70, 0.80), (0.45, 0.95)), strict=True)
        for alpha, accuracy in zip((0.5, 0.0), both, strict=True)
        for seed in range(2)
    ],
    columns=["size", "alpha", "temperature", "seed", "valid_accuracy", "test_accuracy"],
)


def _best(table, column="valid_accuracy", over="mean"):
    """Size -> the temperature at which the mean (or another value) over the seeds is highest."""
    values = table.groupby(["size", "temperature"])[column].agg(over).unstack()
    return {int(size): int(temperature) for size, temperature in values.idxmax(axis=1).items()}


def _best_pair(table):
    means = table.groupby(["size", "temperature", "alpha"], as_index=False).valid_accuracy.mean()
    return _best(means, over="max")


LUCKIEST = "you took the luckiest student: take the mean over the seeds first."
# The reader writes function(table) -> {size: the temperature with the best mean validation accuracy}.
check_best_temperature = Exercise(
    right=_best,
    mistakes=[
        (lambda t: _best(t, over="max"), LUCKIEST),
        (lambda t: _best(t, over="min"), "you took the unluckiest student: take the mean over the seeds first."),
        (lambda t: _best(t, over="last"), "you looked at one seed: take the mean over the seeds first."),
        (lambda t: _best(t, over="first"), LUCKIEST),
        (lambda t: _best(t, "test_accuracy"), "you looked at the test data: choose by valid_accuracy."),
        (lambda t: _best(t, over="median"), "that is the median over the seeds: take the mean."),
        (lambda t: _best(t[t.alpha == 0.5]), "you looked at one alpha: take all rows of the table."),
        (_best_pair, "that is the best pair of alpha and T: take the mean over all rows of a T."),
    ],
    otherwise="return a dictionary: for each size the temperature with the highest mean valid_accuracy.",
    inputs=[
        (SOME_SWEEP.assign(seed=SOME_SWEEP.index % 3),),
        (SOME_SWEEP.assign(temperature=33 - SOME_SWEEP.temperature, seed=SOME_SWEEP.index % 3),),
        (TWO_ALPHAS,),
    ],
)
