"""The sliders: each widget is a thin view over a `draw_...` function of `plots`, which returns the state in words."""

import html

import ipywidgets
import numpy as np

from distill_edu import plots
from distill_edu.metrics import paired_gain
from distill_edu.soft_targets import check_logits

TEMPERATURES = (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20)


class Explorer(ipywidgets.VBox):
    """Controls above one figure and one sentence. `draw(figure, **values)` draws the controls' values and says them.

    The figure is the `value` of an HTML widget, never an Output area: nothing piles up, blinks or is printed twice.
    """

    def __init__(self, draw, controls, width=7.0, height=2.8):
        self.draw, self.controls, self.figure = draw, controls, plots.Picture(width, height)
        self.view, self.words = ipywidgets.HTML(), ipywidgets.HTML()
        for control in controls.values():
            control.observe(self.update, "value")
        super().__init__([*controls.values(), self.view, self.words])
        self.update()

    @property
    def values(self):
        """The controls' values by name."""
        return {name: control.value for name, control in self.controls.items()}

    def update(self, _change=None):
        self.words.value = html.escape(self.draw(self.figure, **self.values))
        self.view.value = self.figure.svg()

    def still(self, **values):
        """The same figure as a picture, for readers without a running kernel. `values`: where the controls stand."""
        figure = plots.Picture(*self.figure.get_size_inches())
        self.draw(figure, **{**self.values, **values})
        return figure

    def __repr__(self):
        return f"<sliders: {', '.join(self.controls)}>"


def temperature_explorer(logits, class_names, items=None, temperature=1):
    """Slide T over a teacher's logits [n, classes] (or [classes]): bars, entropy, and a sentence.

    `items`: the n images or words that the logits are for; with more than one, a second slider chooses among them.
    Raises ValueError for NaN, probabilities, and shapes that do not go together.
    """
    logits = np.atleast_2d(check_logits(logits))
    _check_names(logits, class_names)
    if items is not None and len(items) != len(logits):
        raise ValueError(f"items has {len(items)} entries and logits {len(logits)}: give one item per row of logits.")

    def draw(figure, temperature, example=0):
        item = None if items is None else items[example]
        return plots.draw_soft_targets(figure, logits[example], class_names, temperature, item)

    controls = {"temperature": temperature_slider(temperature)}
    if len(logits) > 1:
        controls["example"] = _slider(ipywidgets.IntSlider, "Example (number)", max=len(logits) - 1)
    return Explorer(draw, controls)


def loss_explorer(teacher_logits, student_logits, label, class_names, temperature=1, alpha=None):
    """Slide T (and alpha, where one is given) over the two losses: which way, and how hard, each pushes the logits."""
    teacher_logits, student_logits = check_logits(teacher_logits), check_logits(student_logits)
    for logits in (teacher_logits, student_logits):
        _check_names(logits, class_names)
    controls = {"temperature": temperature_slider(temperature)}
    if alpha is not None:
        controls["alpha"] = _slider(ipywidgets.FloatSlider, "α (weight of hard labels)", value=alpha, max=1, step=0.05)

    def draw(figure, **values):
        return plots.draw_gradients(figure, teacher_logits, student_logits, label, class_names, **values)

    return Explorer(draw, controls)


def learning_explorer(teacher_logits, student_logits, curve, class_names, temperature=4):
    """Slide through the epochs of a training: the student's answer [epochs, classes] on one image beside the teacher's.

    `curve`: one number per epoch, such as the accuracy on validation data.
    """
    teacher_logits, student_logits = check_logits(teacher_logits), check_logits(student_logits)
    if len(student_logits) != len(curve):
        raise ValueError(
            f"student_logits has {len(student_logits)} epochs and curve {len(curve)}: give one of each per epoch."
        )
    _check_names(student_logits, class_names)
    controls = {
        "epoch": _slider(ipywidgets.IntSlider, "Epoch (number)", max=len(curve) - 1),
        "temperature": temperature_slider(temperature),
    }

    def draw(figure, **values):
        return plots.draw_learning(figure, teacher_logits, student_logits, curve, class_names, **values)

    return Explorer(draw, controls)


def seeds_explorer(distilled, hard, seeds=1):
    """Slide through the number of seeds: what the first n pairs of students say about the gain of distillation.

    `distilled`, `hard`: one accuracy per seed, in the same order, at least two.
    """
    paired_gain(distilled, hard)  # refuses what is not paired
    distilled, hard = np.asarray(distilled, dtype=float), np.asarray(hard, dtype=float)
    controls = {"seeds": _slider(ipywidgets.IntSlider, "Seeds (number)", min=1, max=len(hard), value=seeds)}
    return Explorer(lambda figure, seeds: plots.draw_paired(figure, distilled, hard, seeds), controls)


def sweep_explorer(table):
    """Slide through the sizes, alphas and temperatures of a `sweep`: the accuracies over T with their error bars.

    `table`: every size with every alpha and temperature, each with at least two seeds.
    """
    axes = {
        "size": "Size (hidden units)",
        "alpha": "α (weight of hard labels)",
        "temperature": "Temperature T (no unit)",
    }
    missing = {*axes, "seed", "valid_accuracy", "test_accuracy"} - set(getattr(table, "columns", ()))
    if missing:
        raise ValueError(f"The table has no column {', '.join(sorted(missing))}: give what sweep(...) returned.")
    stops = {name: sorted(table[name].unique().tolist()) for name in axes}
    seeds = table.groupby(list(axes)).seed.nunique()
    if len(seeds) < np.prod([len(values) for values in stops.values()]) or seeds.min() < 2:
        raise ValueError("The sweep is not complete: every setting needs at least two seeds for its error bar.")
    controls = {
        name: _slider(ipywidgets.SelectionSlider, label, options=[(f"{stop:g}", stop) for stop in stops[name]])
        for name, label in axes.items()
    }
    return Explorer(lambda figure, **values: plots.draw_sweep(figure, table, **values), controls)


def temperature_slider(temperature=1):
    """A slider over the temperatures of the series, which are spaced like a logarithm. T has no unit."""
    if temperature not in TEMPERATURES:
        raise ValueError(f"temperature must be one of the slider's stops {TEMPERATURES}, not {temperature}.")
    options = [(f"{stop:g}", stop) for stop in TEMPERATURES]
    return _slider(ipywidgets.SelectionSlider, "Temperature T (no unit)", options=options, value=temperature)


def _slider(kind, description, **settings):
    layout = ipywidgets.Layout(width="460px")
    return kind(description=description, style={"description_width": "180px"}, layout=layout, **settings)


def _check_names(logits, class_names):
    if logits.shape[-1] != len(class_names):
        raise ValueError(f"There are {logits.shape[-1]} logits per example but {len(class_names)} class names.")
