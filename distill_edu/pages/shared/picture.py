"""Parts of every figure: colours, Axes that are made once, bars, axis labels, and the figure class."""

import io
import unicodedata

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from distill_edu.metrics import mean_and_reach

# A colour has one meaning in the whole series. The palette is Okabe and Ito's: colour-blind readers can tell it apart.
TEACHER, HARD, DISTILLED, NEUTRAL = "#0072B2", "#E69F00", "#009E73", "#767676"
STUDENT, INK = "#CC79A7", "#333333"  # a student, however it learned; what is of nobody
# (colour, is the marker filled?) of the techniques of a trade-off, in their order.
STYLES = ((TEACHER, True), (HARD, True), (DISTILLED, True), (TEACHER, False), (HARD, False), (DISTILLED, False))
CLASSES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8C6D00")


class Picture(Figure):
    """A matplotlib figure that Jupyter shows once, at the end of a cell, and that converts to SVG text."""

    def __init__(self, width=7.0, height=2.8):
        super().__init__(figsize=(width, height), dpi=72, facecolor="white")
        FigureCanvasSVG(self)

    def _repr_png_(self):
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()

    def svg(self):
        """Return SVG text without a date and with fixed ids: equal pictures give equal texts."""
        buffer = io.StringIO()
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "distill_edu"}):
            self.canvas.print_svg(buffer, metadata={"Date": None})  # savefig would draw everything twice
        return "<svg" + buffer.getvalue().partition("<svg")[2]


def empty_axes(figure, *boxes):
    """Return one empty Axes per box (left, bottom, width, height, as shares of the figure).

    They are made once per figure: ticks take longer than everything that is drawn while a slider moves.
    """
    if getattr(figure, "boxes", None) != boxes:
        figure.clear()
        figure.boxes = boxes
        for left, bottom, width, height in boxes:
            axes = figure.add_axes((left, bottom, width, height))
            # Labels at fixed places (half-way along the Axes): otherwise every picture measures all ticks again.
            along, away = axes.transAxes, figure.transFigure
            axes.xaxis.set_label_coords(0.5, bottom - 0.12, blended_transform_factory(along, away))
            axes.yaxis.set_label_coords(left - 0.073, 0.5, blended_transform_factory(away, along))
            axes.set_title("", y=1)  # a fixed place for the title, too
    for axes in figure.axes:
        for artist in (*axes.patches, *axes.lines, *axes.collections, *axes.images, *axes.texts):
            artist.remove()
        axes.containers.clear()
        axes.relim()
    return figure.axes


def two_axes(figure):
    return empty_axes(figure, (0.1, 0.22, 0.375, 0.67), (0.605, 0.22, 0.375, 0.67))


def legend(axes, **look):
    """Add a legend; make it anew only when the names change, because a legend takes as long as the whole rest."""
    handles, names = axes.get_legend_handles_labels()
    made = axes.get_legend()
    if made is None or [text.get_text() for text in made.get_texts()] != names:
        axes.legend(handles, names, **{"fontsize": 8, "frameon": False, **look})


def legend_below(axes):
    legend(axes, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.12), columnspacing=1)


def class_axis(axes, class_names):
    axes.tick_params(axis="x", length=0)
    look = {"rotation": 60, "ha": "right"} if len(class_names) > 12 else {"rotation": 0, "ha": "center"}
    axes.set_xticks(range(len(class_names)), map(plain, class_names), fontsize=8, **look)


def grouped_bars(axes, groups):
    """Draw bars side by side at 0, 1, 2, ...; `groups`: label -> (values, colour)."""
    width = 0.8 / len(groups)
    for i, (label, (values, colour)) in enumerate(groups.items()):
        left = np.arange(len(values)) - 0.4 + i * width
        edges, heights = np.column_stack([left, left + width]), np.column_stack([values, np.full(len(values), np.nan)])
        # One shape for a whole group draws several times faster than axes.bar; NaN makes the gaps.
        shown = None if label is None else plain(label)
        axes.stairs(heights.ravel()[:-1], edges.ravel(), fill=True, color=colour, label=shown)


def class_bars(axes, groups, class_names, **look):
    """Draw a bar per class, in groups side by side, from 0 to 1. `groups`: see `grouped_bars`; `look`: of the Axes."""
    grouped_bars(axes, groups)
    class_axis(axes, class_names)
    axes.set(**{"ylim": (0, 1), **look})


def means_over_stops(axes, values, style, label, **look):
    """Draw means with 95% intervals at 0, 1, 2, ...; return all ends. `values`: the numbers of each stop."""
    means, _, reaches = np.transpose([mean_and_reach(each) for each in values])
    axes.errorbar(range(len(means)), means, reaches, fmt=style, label=plain(label), capsize=3, markersize=4, **look)
    return [*(means - reaches), *(means + reaches)]


def stop_axis(axes, stops, chosen):
    """Name 0, 1, 2, ... after the stops of a slider; draw a grey band at the chosen stop."""
    axes.axvline(list(stops).index(chosen), color=NEUTRAL, linewidth=6, alpha=0.25)
    axes.set_xticks(range(len(stops)), [f"{stop:,g}" for stop in stops])


def with_room(values, room):
    """Return limits around the values, with `room` (a share of their range) on each side."""
    low, high = np.min(values), np.max(values)
    room = room * (high - low) + 1e-3
    return low - room, high + room


def plain(name):
    """Return a name that matplotlib shows as it is: a $ starts no formula, a _ in front hides no legend entry."""
    categories = {letter: unicodedata.category(letter) for letter in str(name)}
    forbidden = {letter for letter, category in categories.items() if category in ("Cc", "Cs")}  # in XML
    shown = "".join("\N{REPLACEMENT CHARACTER}" if letter in forbidden else letter for letter in str(name))
    return ("\N{ZERO WIDTH SPACE}" if shown.startswith("_") else "") + shown.replace("$", r"\$")


def percent(share):
    return f"{100 * share:.1f}%"
