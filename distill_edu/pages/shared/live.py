"""A training that runs under its own sliders, for the page "train step"."""

import asyncio
import contextlib
import html
from functools import partial

import ipywidgets
import numpy as np

from distill_edu._inside.backend import keras
from distill_edu.metrics import accuracy
from distill_edu.models import taken
from distill_edu.pages.shared.explorer import Explorer, alpha_slider, labelled, temperature_slider
from distill_edu.pages.shared.picture import DISTILLED, NEUTRAL, two_axes

RUNS = 6  # curves in the picture: that of the current training and of the last ones before it


class LiveDistillation(Explorer):
    """Buttons and sliders over a training that runs between other tasks of the kernel: see `live_distillation`."""

    task = loop = None

    def __init__(self, distiller, new_batches, validation_data, every):
        with contextlib.suppress(RuntimeError):
            self.loop = asyncio.get_running_loop()  # that of the cells: buttons may arrive in another thread
        self.distiller, self.new_batches = distiller, new_batches
        self.validation_data, self.every = validation_data, every
        self.variables = [*distiller.student.non_trainable_variables, *distiller.trainable_variables]
        self.variables += distiller.optimizer.variables
        self.start_values = [np.array(variable) for variable in self.variables]
        self.runs = [([], [], [])]
        controls = {
            "training": ipywidgets.ToggleButtons(
                options=["Start", "Pause", "Stop"], value="Stop", **labelled("Training")
            ),
            "temperature": temperature_slider(distiller.temperature),
            "alpha": alpha_slider(distiller.alpha),
        }
        super().__init__(self._draw, controls)

    def update(self, _change=None):
        with self.lock:
            self.distiller.temperature = self.values["temperature"]
            self.distiller.alpha = self.values["alpha"]
            training = self.values["training"]
            if training == "Stop":
                self._stop()
            elif training == "Start" and not self.task:
                self._restart()
                self.task = asyncio.run_coroutine_threadsafe(self.train(), self.loop or asyncio.get_running_loop())
            super().update()

    def train_now(self, updates, anew=True):
        """Train for this many updates at once, without the buttons: anew, or on from where the training stands."""
        self.controls["training"].value = "Stop"
        if anew:
            self._restart()
        for _ in range(0, updates, self.every):
            self._train_some()
        super().update()

    async def train(self):
        """Train until stopped. After every few updates the kernel runs its other tasks."""
        try:
            while True:
                with self.lock:
                    if self.task and self.values["training"] == "Start":
                        self._train_some()
                        super().update()
                await asyncio.sleep(0.01)
        except Exception as error:
            self.controls["training"].value = "Stop"
            self.words.value = html.escape(f"Stopped by an error: {error}")

    def close(self):
        with self.lock:
            self._stop()
        self.distiller = self.batches = self.new_batches = self.validation_data = None
        self.variables = self.start_values = None
        super().close()

    def _stop(self):
        if self.task:
            self.task.cancel()  # the task waits between two updates: no update is cut in two
            self.task = None

    def _train_some(self):
        self.distiller.reset_metrics()  # the loss is that of these batches alone
        for _ in range(self.every):
            loss = self.distiller.train_on_batch(*next(self.batches), return_dict=True)["loss"]
        x, labels = self.validation_data
        updates, losses, accuracies = self.runs[-1]
        updates.append((updates[-1] if updates else 0) + self.every)
        losses.append(float(loss))
        accuracies.append(accuracy(labels, self.distiller.predict_on_batch(x)))

    def _restart(self):
        self.batches = self.new_batches()
        for variable, value in zip(self.variables, self.start_values, strict=True):
            variable.assign(value)
        if self.runs[-1][0]:
            self.runs = [*self.runs[1 - RUNS :], ([], [], [])]

    def _draw(self, figure, training, **values):
        state = {"Start": "Running", "Pause": "Paused", "Stop": "Stopped"}[training]
        return draw_training(figure, self.runs, state, **values)


def live_distillation(distiller, x, y, validation_data, batch_size=32, every=10, seed=0):
    """Train with the buttons Start, Pause and Stop; the sliders of T and alpha act on the running training.

    `distiller`: compiled, with a built student. `x`, `y`: arrays, as for `distiller.fit`; `validation_data`: x and
    integer labels. The picture changes after every `every` updates. Start after Stop trains anew, on the same batches,
    from the weights that the student had at this call; the last five curves before it stay in grey.
    The training is a task of the kernel's event loop: other cells run between its updates, never at the same time.
    """
    if not distiller.compiled:
        raise ValueError("Call distiller.compile(...) first.")
    if not distiller.student.built:
        raise ValueError("The student has no weights yet: call student(x[:1]) first.")
    for inputs, column in [*((x, part) for part in keras.tree.flatten(y)), validation_data]:
        counts = {len(part) for part in keras.tree.flatten(inputs)}
        if counts != {len(column)} or not len(column):
            raise ValueError(f"x has {max(counts)} examples and y {len(column)}: give one of each per example.")
    if not distiller.optimizer.built:
        distiller.optimizer.build(distiller.trainable_variables)
    return LiveDistillation(distiller, partial(shuffled, x, y, batch_size, seed), validation_data, every)


def shuffled(x, y, batch_size, seed):
    """Yield batches of x and y without an end; each epoch has its own order."""
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(len(keras.tree.flatten(x)[0]))
        for start in range(0, len(order), batch_size):
            yield taken((x, y), order[start : start + batch_size])


def draw_training(figure, runs, state, temperature, alpha):
    """Draw loss and accuracy over the updates: the last of `runs` in colour, the runs before it in grey.

    A run: lists of updates, losses, accuracies. `state`: a word for what the training does.
    """
    left, right = two_axes(figure)
    for axes, part in ((left, 1), (right, 2)):
        for run in runs:
            axes.plot(run[0], run[part], color=DISTILLED if run is runs[-1] else NEUTRAL, zorder=run is runs[-1])
        axes.autoscale()
        axes.set_xlabel("updates")
    left.set(ylabel="loss of the last batches", title=f"T = {temperature:g}, α = {alpha:g}")
    right.set(ylabel="accuracy on validation data", ylim=(0, 1), title="accuracy")
    updates, losses, accuracies = runs[-1]
    if not updates:
        return f"{state}: no update yet."
    listed = f"loss {losses[-1]:.3f}, accuracy on validation data {accuracies[-1]:.3f}"
    return f"{state} after {updates[-1]} updates: {listed}."
