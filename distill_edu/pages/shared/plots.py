"""Figures that several pages show: each function returns a Picture."""

import numpy as np

from distill_edu.metrics import holm
from distill_edu.pages.shared.picture import CLASSES, DISTILLED, HARD, NEUTRAL, TEACHER, Picture, legend, plain

__all__ = [
    "DISTILLED",
    "HARD",
    "NEUTRAL",
    "TEACHER",
    "curves",
    "family_tree",
    "gain_in_words",
    "gains",
    "show_images",
    "verdicts",
]


def gain_in_words(gain):
    """A paired gain as a sentence with its verdict: the 95% interval is above 0, below 0, or has 0 in it."""
    verdict = "it helps" if gain.low > 0 else "it hurts" if gain.high < 0 else "no verdict, 0 is in the interval"
    return f"gain {gain}: {verdict}."


def verdicts(gains):
    """A line for each of several gains: its p, what Holm's correction makes of it, and the verdict after that."""
    wide = max(map(len, gains))
    for name, (corrected, verdict) in _after_holm(gains).items():
        alone, among_all = (f"{p:.4f}" if p >= 1e-4 else "below 0.0001" for p in (gains[name].p, corrected))
        yield f"{name:{wide}}  {gains[name].mean:+.4f}  p {alone}, corrected {among_all}: {verdict}"


def _after_holm(gains):
    """label -> (corrected p, verdict)."""
    corrected = holm({name: gain.p for name, gain in gains.items()})
    signs = {name: "it helps" if gain.mean > 0 else "it hurts" for name, gain in gains.items()}
    return {name: (p, signs[name] if p < 0.05 else "no verdict") for name, p in corrected.items()}


VERDICTS = {"it helps": DISTILLED, "it hurts": HARD, "no verdict": NEUTRAL}  # the colour of the better one


def gains(gains, xlabel):
    """Paired gains under each other, each with its 95% interval. `gains`: label -> Gain.

    The colour is the verdict after Holm's correction for so many questions: distilled, hard labels (which were better),
    or neither.
    """
    found = _after_holm(gains)
    figure = Picture(7, 0.8 + 0.4 * len(gains))
    below = 0.55 / (0.8 + 0.4 * len(gains))
    axes = figure.add_axes((0.3, below, 0.66, 0.9 - below))
    for row, (name, gain) in enumerate(gains.items()):
        _, verdict = found[name]
        axes.errorbar(gain.mean, row, xerr=gain.high - gain.mean, fmt="D", color=VERDICTS[verdict], capsize=4)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(gains)), [plain(name) for name in gains])
    axes.set(ylim=(len(gains) - 0.5, -0.5), xlabel=xlabel)
    widest = max(label.get_window_extent().width for label in axes.get_yticklabels()) / figure.bbox.width
    left = max(0.3, widest + 0.03)
    axes.set_position((left, below, 0.96 - left, 0.9 - below))
    return figure


def show_images(images, titles=(), columns=10):
    """Images in a row (or more), each with its title. `images`: [n, height, width, 1] in [0, 1]."""
    rows = -(-len(images) // columns)
    figure = Picture(7, 0.95 * rows)
    for i, image in enumerate(images):
        axes = figure.add_axes(((i % columns) / columns, 1 - (i // columns + 1) / rows, 0.9 / columns, 0.74 / rows))
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(plain(titles[i]) if len(titles) else "", fontsize=8, pad=2)
        axes.set_axis_off()
    return figure


def curves(x, lines, xlabel, ylabel, title="", logx=False, logy=False):
    """Lines over x with a legend: `lines` maps a label to (values, colour)."""
    figure = Picture(6, 2.9)
    axes = figure.add_axes((0.12, 0.19, 0.84, 0.69))
    for label, (values, colour) in lines.items():
        axes.plot(x, values, "o-", markersize=4, color=colour, label=plain(label))
    axes.set(
        xlabel=xlabel,
        ylabel=ylabel,
        title=title,
        xscale="log" if logx else "linear",
        yscale="log" if logy else "linear",
    )
    if logx:
        axes.set_xticks(x, [f"{value:g}" for value in x], minor=False)
        axes.minorticks_off()
    legend(axes)
    return figure


def family_tree(distances, class_names, families):
    """The classes as a tree: what is near in `distances` (symmetric, zero diagonal) joins early (average linkage).

    `families`: class -> family. Names, and branches of one family, have its colour.
    """
    from scipy.cluster.hierarchy import dendrogram, linkage
    from scipy.spatial.distance import squareform

    figure = Picture(6.5, 4.6)
    axes = figure.add_axes((0.22, 0.12, 0.74, 0.8))
    tree = linkage(squareform(distances, checks=False), "average")
    colours = dict(zip(dict.fromkeys(families.values()), CLASSES, strict=False))
    below = [{families[name]} for name in class_names]  # each branch's families, in the order in which they join
    for left, right, *_ in tree:
        below.append(below[int(left)] | below[int(right)])
    drawn = dendrogram(
        tree,
        labels=[plain(name) for name in class_names],
        orientation="right",
        ax=axes,
        link_color_func=lambda branch: colours[min(below[branch])] if len(below[branch]) == 1 else NEUTRAL,
    )
    joints = tree[:, 2]
    axes.set_xlim(joints.min() - 0.25 * np.ptp(joints), joints.max() + 0.05 * np.ptp(joints))  # nothing is below
    for text, leaf in zip(axes.get_yticklabels(), drawn["leaves"], strict=True):
        text.set_color(colours[families[class_names[leaf]]])
        text.set_fontweight("bold")
    handles = [axes.plot([], [], "s", color=colour, label=plain(family))[0] for family, colour in colours.items()]
    axes.legend(handles=handles, fontsize=8, frameon=False, ncols=5, loc="lower center", bbox_to_anchor=(0.4, 1))
    axes.set_xlabel("distance (minus the logarithm of the mean probability of one for the other)")
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure
