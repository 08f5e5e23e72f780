"""Figures of several pages (each function returns a Picture), and verdicts in words."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from distill_edu.metrics import holm
from distill_edu.pages.shared.picture import CLASSES, DISTILLED, HARD, INK, NEUTRAL, TEACHER, Picture, legend, plain

__all__ = ["DISTILLED", "HARD", "NEUTRAL", "TEACHER"]  # pages say plots.TEACHER


def gain_in_words(gain):
    """Return a paired gain as a sentence with its verdict: the 95% interval is above 0, below 0, or has 0 in it."""
    verdict = "it helps" if gain.low > 0 else "it hurts" if gain.high < 0 else "no verdict, 0 is in the interval"
    return f"gain {gain}: {verdict}."


def verdicts(gains):
    """Yield a line for each of several gains: its p, its p after Holm's correction, and the verdict of the latter."""
    width = max(map(len, gains))
    for name, (corrected, verdict) in _after_holm(gains).items():
        p, p_corrected = (f"{p:.4f}" if p >= 1e-4 else "below 0.0001" for p in (gains[name].p, corrected))
        yield f"{name:{width}}  {gains[name].mean:+.4f}  p {p}, corrected {p_corrected}: {verdict}"


def _after_holm(gains):
    """label -> (p after Holm's correction, verdict)."""
    corrected = holm({name: gain.p for name, gain in gains.items()})
    signs = {name: "it helps" if gain.mean > 0 else "it hurts" for name, gain in gains.items()}
    return {name: (p, signs[name] if p < 0.05 else "no verdict") for name, p in corrected.items()}


def gains(gains, xlabel):
    """Draw paired gains in rows, each with its 95% interval. `gains`: label -> Gain.

    A filled diamond has a verdict after Holm's correction for all these gains, a hollow one none: the title says so.
    """
    height = 1.05 + 0.4 * len(gains)
    figure, below, top = Picture(7, height), 0.55 / height, 1 - 0.35 / height
    axes = figure.add_axes((0.3, below, 0.66, top - below))
    for row, (gain, (_, verdict)) in enumerate(zip(gains.values(), _after_holm(gains).values(), strict=True)):
        fill = "white" if verdict == "no verdict" else INK
        axes.errorbar(gain.mean, row, xerr=gain.high - gain.mean, fmt="D", color=INK, markerfacecolor=fill, capsize=4)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(gains)), [plain(name) for name in gains])
    axes.set_ylim(len(gains) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_title("right of 0: better; filled: a verdict, hollow: none", loc="right", fontsize=9, pad=4)
    axes.set_xlabel(xlabel, loc="right")  # it is longer than the axes where the names are long
    widest = max(label.get_window_extent().width for label in axes.get_yticklabels()) / figure.bbox.width
    left = max(0.3, widest + 0.03)
    axes.set_position((left, below, 0.96 - left, top - below))
    return figure


def show_images(images, titles=(), columns=10):
    """Show images in rows of `columns`, each with its title. `images`: [n, height, width, 1] in [0, 1]."""
    rows = -(-len(images) // columns)
    figure = Picture(7, 0.95 * rows)
    for i, image in enumerate(images):
        axes = figure.add_axes(((i % columns) / columns, 1 - (i // columns + 1) / rows, 0.9 / columns, 0.74 / rows))
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(plain(titles[i]) if len(titles) else "", fontsize=8, pad=2)
        axes.set_axis_off()
    return figure


def curves(x, lines, xlabel, ylabel, title="", logx=False, logy=False):
    """Draw lines over x with a legend; `lines`: label -> (values, colour)."""
    figure = Picture(6, 2.9)
    axes = figure.add_axes((0.12, 0.19, 0.84, 0.69))
    for label, (values, colour) in lines.items():
        style = "-" if np.ptp(values) == 0 else "o-"  # a constant was not measured at each x
        axes.plot(x, values, style, markersize=4, color=colour, label=plain(label))
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axes.set(xscale="log" if logx else "linear", yscale="log" if logy else "linear")
    if logx:
        axes.set_xticks(x, [f"{value:g}" for value in x], minor=False)
        axes.minorticks_off()
    legend(axes)
    return figure


def family_tree(distances, class_names, families):
    """Draw classes as a tree by average linkage: classes at a small distance join first.

    `distances`: [classes, classes], symmetric, with a zero diagonal; `families`: class -> family. A family has one
    colour, for its names and its branches.
    """
    from scipy.cluster.hierarchy import dendrogram, linkage
    from scipy.spatial.distance import squareform

    figure = Picture(6.5, 4.6)
    axes = figure.add_axes((0.22, 0.12, 0.74, 0.8))
    tree = linkage(squareform(distances, checks=False), "average")
    colours = dict(zip(dict.fromkeys(families.values()), CLASSES, strict=False))
    below = [{families[name]} for name in class_names]  # the families below each leaf, then below each branch
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
    axes.set_xlim(joints.min() - 0.25 * np.ptp(joints), joints.max() + 0.05 * np.ptp(joints))
    for text, leaf in zip(axes.get_yticklabels(), drawn["leaves"], strict=True):
        text.set_color(colours[families[class_names[leaf]]])
        text.set_fontweight("bold")
    handles = [axes.plot([], [], "s", color=colour, label=plain(family))[0] for family, colour in colours.items()]
    axes.legend(handles=handles, fontsize=8, frameon=False, ncols=5, loc="lower center", bbox_to_anchor=(0.4, 1))
    axes.set_xlabel("distance (minus the logarithm of the mean probability of one for the other)")
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure
