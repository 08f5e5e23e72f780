"""Numbers read back from what was drawn: bars, lines, error bars, pictures. Each figure's test compares them."""

import html
import re
from types import SimpleNamespace

import numpy as np
from matplotlib.colors import to_hex


def bars(axes):
    """[(label, heights, colour)] of the groups of bars, in the order in which they were drawn."""
    groups = []
    for patch in axes.patches:
        heights, edges, _ = patch.get_data()
        assert np.isnan(heights[1::2]).all(), "a gap between two bars is filled"
        middles = (edges[:-1:2] + edges[1::2]) / 2
        assert np.allclose(middles, middles[0] + np.arange(len(middles))), "a bar stands at another class"
        groups.append((patch.get_label(), heights[::2], to_hex(patch.get_facecolor())))
    return groups


def lines(axes, marker=None):
    """Lines with this marker ("None": without one), each as x, y, colour, label."""
    found = [line for line in axes.lines if marker is None or line.get_marker() == marker]
    return [
        SimpleNamespace(
            x=np.asarray(line.get_xdata(), float),
            y=np.asarray(line.get_ydata(), float),
            colour=to_hex(line.get_color()),
            label=line.get_label(),
            style=line.get_linestyle(),
        )
        for line in found
    ]


def error_bars(axes):
    """[(centre, low, high)] of each error bar, whichever way it points."""
    found = []
    for container in axes.containers:
        data, _, (segments,) = container
        centres = np.column_stack([data.get_xdata(), data.get_ydata()])
        for centre, ((x0, y0), (x1, y1)) in zip(centres, segments.get_segments(), strict=True):
            found.append((tuple(centre), (x0, x1) if x0 != x1 else (y0, y1)))
    return found


def ticks(axes, which="x"):
    return [text.get_text() for text in getattr(axes, f"get_{which}ticklabels")()]


def numbers(sentence):
    """All numbers of a sentence, in order."""
    return [float(number.replace("−", "-")) for number in re.findall(r"[-+−]?\d+(?:\.\d+)?", sentence)]


def at(explorer, **values):
    """The explorer's figure and sentence with its controls set to these values."""
    for name, value in values.items():
        explorer.controls[name].value = value
    return explorer.figure, html.unescape(explorer.words.value)


def half_width(values):
    """Half of the 95% interval of a mean: Student's t, from a table, not from the package."""
    t = {2: 12.7062, 3: 4.302653, 4: 3.182446, 5: 2.776445}[len(values)]
    return t * np.std(values, ddof=1) / len(values) ** 0.5
