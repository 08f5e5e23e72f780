"""Sliders: a widget is a thin view over a function that draws one state into a figure and returns it in words."""

import contextlib
import html
import threading

import ipywidgets

from distill_edu.pages.shared.picture import Picture

TEMPERATURES = (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20)


class Explorer(ipywidgets.VBox):
    """Controls above one figure and one sentence. `draw(figure, **values)` draws the controls' values and says them.

    The figure is the `value` of an HTML widget, never an Output area: nothing piles up, blinks or is printed twice.
    """

    lock = contextlib.nullcontext()  # of a widget whose arguments are refused

    def __init__(self, draw, controls, width=7.0, height=2.8):
        self.draw, self.controls, self.figure = draw, controls, Picture(width, height)
        self.view, self.words = ipywidgets.HTML(), ipywidgets.HTML()
        # JupyterLab may hand one message to the cells' thread and the next one to a thread beside it (a subshell).
        self.lock = threading.RLock()
        for control in controls.values():
            control.observe(self.update, "value")
        super().__init__([*controls.values(), self.view, self.words])
        self.add_class("distill-explorer")
        self.update()

    @property
    def values(self):
        """The controls' values by name."""
        return {name: control.value for name, control in self.controls.items()}

    def update(self, _change=None):
        with self.lock:
            words = self.draw(self.figure, **self.values)
            self.view.value = self.figure.svg()
            self.words.value = html.escape(words)

    def still(self, **values):
        """The same figure as a picture, for readers without a running kernel. `values`: where the controls stand."""
        figure = Picture(*self.figure.get_size_inches())
        self.draw(figure, **{**self.values, **values})
        return figure

    def close(self):
        """Take the widget off the page. It lets go of its data, its figure and its controls."""
        for widget in self.children:  # none, if `__init__` refused its arguments
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
    """A slider over the temperatures of the series, which are spaced like a logarithm. T has no unit."""
    return stop_slider("Temperature T (no unit)", "temperature", TEMPERATURES, temperature)


def stop_slider(label, name, stops, value):
    """A slider over these numbers and no others. `name`: what an error calls the value."""
    if value not in stops:
        raise ValueError(f"{name} must be one of the slider's stops {stops}, not {value}.")
    return slider(ipywidgets.SelectionSlider, label, options=[(f"{stop:g}", stop) for stop in stops], value=value)


def alpha_slider(alpha):
    return slider(ipywidgets.FloatSlider, "α (weight of hard labels)", value=alpha, max=1, step=0.05)


def slider(kind, description, **settings):
    return kind(layout=ipywidgets.Layout(width="460px"), **labelled(description), **settings)


def labelled(description):
    return {"description": description, "style": {"description_width": "180px"}}


def require_names(logits, class_names):
    if logits.shape[-1] != len(class_names):
        raise ValueError(f"There are {logits.shape[-1]} logits per example but {len(class_names)} class names.")


def require_up_to_three(models):
    """Refuse a comparison of no model, or of more than there are colours for: teacher and two students."""
    if not 1 <= len(models) <= 3:
        raise ValueError(f"Give one, two or three models, not {len(models)}.")
