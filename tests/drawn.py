"""Read numbers back from a figure: bars, lines, error bars, its caption. The tests of the figures compare them."""

import html
import re
from types import SimpleNamespace

import numpy as np
from matplotlib.colors import to_hex


def bars(axes):
    """[(label, heights, colour)] of the groups of bars, in the order of drawing."""
    groups = []
    for patch in axes.patches:
        heights, edges, _ = patch.get_data()
        assert np.isnan(heights[1::2]).all(), "a gap between two bars is filled"
        middles = (edges[:-1:2] + edges[1::2]) / 2
        assert np.allclose(middles, middles[0] + np.arange(len(middles))), "a bar stands at another class"
        groups.append((patch.get_label(), heights[::2], to_hex(patch.get_facecolor())))
    return groups


def lines(axes, marker=None):
    """The lines with this marker ("None": without a marker), each as x, y, colour, label, style."""
    return [
        SimpleNamespace(
            x=np.asarray(line.get_xdata(), float),
            y=np.asarray(line.get_ydata(), float),
            colour=to_hex(line.get_color()),
            label=line.get_label(),
            style=line.get_linestyle(),
        )
        for line in axes.lines
        if marker is None or line.get_marker() == marker
    ]


def error_bars(axes):
    """[(centre, (low, high))] of each error bar, horizontal or vertical."""
    found = []
    for container in axes.containers:
        data, _, (segments,) = container
        centres = np.column_stack([data.get_xdata(), data.get_ydata()])
        for centre, ((x0, y0), (x1, y1)) in zip(centres, segments.get_segments(), strict=True):
            found.append((tuple(centre), (x0, x1) if x0 != x1 else (y0, y1)))
    return found


def error_rows(axes):
    """The error bars as an array, [bars, (x, y, low, high)]."""
    return np.array([(*centre, *interval) for centre, interval in error_bars(axes)])


def ticks(axes, which="x"):
    return [text.get_text() for text in getattr(axes, f"get_{which}ticklabels")()]


def numbers(sentence):
    """All numbers of a sentence, in order."""
    return [float(number.replace("−", "-")) for number in re.findall(r"[-+−]?\d+(?:\.\d+)?", sentence)]


def at(explorer, **values):
    """Set the controls of an explorer to these values; return its figure and its caption."""
    for name, value in values.items():
        explorer.controls[name].value = value
    return explorer.figure, html.unescape(explorer.words.value)


def half_width(values):
    """Half of the 95% interval of a mean, with Student's t from a table, not from the package."""
    t = {2: 12.7062, 3: 4.302653, 4: 3.182446, 5: 2.776445}[len(values)]
    return t * np.std(values, ddof=1) / len(values) ** 0.5
