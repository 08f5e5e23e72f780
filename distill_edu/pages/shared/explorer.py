"""Sliders: a widget over a function that draws one state of its controls and returns a caption."""

import contextlib
import html
import threading

import ipywidgets

from distill_edu._inside.check_values import require_logits
from distill_edu.pages.shared.picture import Picture

# In JupyterLab a figure is as wide as its window allows, and dark in a dark theme; so are the page's other figures.
STYLE = """<style>
.distill-explorer svg { max-width: 100%; height: auto; }
[data-jp-theme-light="false"] .distill-explorer svg,
[data-jp-theme-light="false"] .jp-Notebook:has(.distill-explorer) .jp-RenderedImage img {
  filter: invert(1) hue-rotate(180deg) brightness(1.3); mix-blend-mode: screen;
}
[data-jp-theme-light="false"] .distill-explorer svg image { filter: invert(1) hue-rotate(180deg); }  /* as it was */
</style>"""
TEMPERATURES = (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20)


class Explorer(ipywidgets.VBox):
    """Controls above a figure and its caption. `draw(figure, **values)` draws one state and returns a caption.

    The figure is the `value` of an HTML widget, not an Output area: pictures neither pile up nor blink.
    """

    lock = contextlib.nullcontext()  # for `close` after an `__init__` that refused its arguments

    def __init__(self, draw, controls, width=7.0, height=2.8):
        self.draw, self.controls, self.figure = draw, controls, Picture(width, height)
        self.view, self.words = ipywidgets.HTML(), ipywidgets.HTML()
        # Labels, because the readout of a slider can be typed into and then shows what is not the slider's value.
        self.readouts = {name: ipywidgets.Label() for name, one in controls.items() if hasattr(one, "readout")}
        # JupyterLab may deliver messages in two threads: that of the cells and that of a subshell.
        self.lock = threading.RLock()
        for control in controls.values():
            control.observe(self.update, "value")
        rows = [self._row(name) for name in controls]
        super().__init__([*rows, self.view, self.words, ipywidgets.HTML(STYLE)])
        self.add_class("distill-explorer")
        self.update()

    def _row(self, name):
        control = self.controls[name]
        return ipywidgets.HBox([control, self.readouts[name]]) if name in self.readouts else control

    @property
    def values(self):
        """name of a control -> its value."""
        return {name: control.value for name, control in self.controls.items()}

    def update(self, _change=None):
        with self.lock:
            for name, label in self.readouts.items():
                label.value = stop_name(self.controls[name])
            self.words.value = html.escape(self.draw(self.figure, **self.values))
            self.view.value = self.figure.svg()

    def still(self, **values):
        """Return the figure at these `values` as a Picture, for readers without a kernel; the widget stays as it is."""
        figure = Picture(*self.figure.get_size_inches())
        self.draw(figure, **{**self.values, **values})
        return figure

    def close(self):
        """Take the widget off the page and release its data, its figure and its controls."""
        rows = self.children  # none after an `__init__` that refused its arguments
        for widget in [*rows, *(part for row in rows for part in getattr(row, "children", ()))]:
            widget.unobserve_all()
            for part in (widget, getattr(widget, "layout", None), getattr(widget, "style", None)):
                if part is not None:
                    part.close()
        self.draw = self.figure = None
        self.layout.close()
        super().close()

    def __repr__(self):
        return f"<sliders: {', '.join(self.controls)}>"


def temperature_slider(temperature=1):
    """Return a slider over the temperatures of the series, roughly a logarithmic scale."""
    return stop_slider("Temperature T (no unit)", "temperature", TEMPERATURES, temperature)


def stop_slider(label, name, stops, value):
    """Return a slider over the numbers `stops`. `name`: what an error calls `value`."""
    if value not in stops:
        raise ValueError(f"{name} must be one of the slider's stops {stops}, not {value}.")
    return slider(ipywidgets.SelectionSlider, label, options=[(f"{stop:g}", stop) for stop in stops], value=value)


def alpha_slider(alpha):
    return slider(ipywidgets.FloatSlider, "α (weight of hard labels)", value=alpha, max=1, step=0.05)


def slider(kind, description, **settings):
    readout = {"readout": False} if hasattr(kind, "readout") else {}  # an Explorer has its own
    layout = ipywidgets.Layout(width="460px", max_width="80%")
    return kind(layout=layout, **readout, **labelled(description), **settings)


def stop_name(control):
    """What the label beside a slider says: the name of its stop, or its number."""
    names = {value: name for name, value in getattr(control, "options", ())}
    return names.get(control.value) or f"{control.value:.4g}"


def labelled(description):
    return {"description": description, "style": {"description_width": "180px"}}


def read_logits(logits, class_names, what="logits"):
    """Return logits [..., classes] as an array; refuse another number of classes than there are names."""
    logits = require_logits(logits, what)
    if logits.shape[-1] != len(class_names):
        raise ValueError(f"There are {logits.shape[-1]} logits per example but {len(class_names)} class names.")
    return logits


def require_up_to_three(models):
    """Refuse no model, or more models than the colours of a teacher and two students."""
    if not 1 <= len(models) <= 3:
        raise ValueError(f"Give one, two or three models, not {len(models)}.")
