"""The sliders: each widget is a thin view over a `draw_...` function of `plots`, which returns the state in words."""

import asyncio
import contextlib
import html
import threading
from functools import lru_cache, partial

import ipywidgets
import numpy as np

from distill_edu import plots
from distill_edu.arguments import check_columns
from distill_edu.metrics import accuracy, paired_gain
from distill_edu.soft_targets import check_logits

THRESHOLDS = (0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1)
TEMPERATURES = (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20)


class Explorer(ipywidgets.VBox):
    """Controls above one figure and one sentence. `draw(figure, **values)` draws the controls' values and says them.

    The figure is the `value` of an HTML widget, never an Output area: nothing piles up, blinks or is printed twice.
    """

    lock = contextlib.nullcontext()  # of a widget whose arguments are refused

    def __init__(self, draw, controls, width=7.0, height=2.8):
        self.draw, self.controls, self.figure = draw, controls, plots.Picture(width, height)
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
        figure = plots.Picture(*self.figure.get_size_inches())
        self.draw(figure, **{**self.values, **values})
        return figure

    def close(self):
        """Take the widget off the page. It lets go of its data, its figure and its controls."""
        for widget in self.children:  # none, if `__init__` refused its arguments
            widget.unobserve_all()
            widget.close()
        self.draw = self.figure = None
        super().close()

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
    if np.ndim(label) or label not in range(len(class_names)):
        raise ValueError(f"label is the number of a class, from 0 to {len(class_names) - 1}, not {label!r}.")
    controls = {"temperature": temperature_slider(temperature)}
    if alpha is not None:
        controls["alpha"] = _alpha_slider(alpha)

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
    check_columns(table, {*axes, "seed", "valid_accuracy", "test_accuracy"}, "sweep(...)")
    stops = {name: sorted(table[name].unique().tolist()) for name in axes}
    seeds = table.groupby(list(axes)).seed.nunique()
    if len(seeds) < np.prod([len(values) for values in stops.values()]) or seeds.min() < 2:
        raise ValueError("The sweep is not complete: every setting needs at least two seeds for its error bar.")
    controls = {name: _stop_slider(label, name, stops[name], stops[name][0]) for name, label in axes.items()}
    return Explorer(lambda figure, **values: plots.draw_sweep(figure, table, **values), controls)


def boundary_explorer(models, points, labels, temperature=1, steps=60):
    """Slide T over what models answer on a plane: sharp boundaries at low T, what is near to what at high T.

    `models`: a name for each function (a Keras model, say) from points [n, 2] to logits [n, classes], at most 5
    classes; `points`, `labels`: the data to draw, [n, 2] and [n].
    """
    if not models:
        raise ValueError("models is empty: give at least one, such as {'teacher': teacher}.")
    points, labels = np.asarray(points, dtype=float), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1] or not len(points):
        raise ValueError(f"points {points.shape} and labels {labels.shape}: give points [n, 2] and labels [n].")
    (left, bottom), (right, top) = points.min(axis=0) - 0.1, points.max(axis=0) + 0.1
    x, y = np.meshgrid(np.linspace(left, right, steps), np.linspace(bottom, top, steps))
    grid = np.stack([x, y], axis=-1).reshape(-1, 2).astype("float32")
    logits = {name: check_logits(model(grid), what=f"logits of {name}") for name, model in models.items()}
    for name, values in logits.items():
        if values.ndim != 2 or len(values) != len(grid) or values.shape[1] > len(plots.CLASSES):
            raise ValueError(
                f"{name} gives {values.shape} for {len(grid)} points: it must give [n, classes], at most 5."
            )
    planes = {name: values.reshape(steps, steps, -1) for name, values in logits.items()}

    def draw(figure, temperature):
        return plots.draw_boundaries(figure, planes, (left, right, bottom, top), points, labels, temperature)

    return Explorer(draw, {"temperature": temperature_slider(temperature)})


def tradeoff_explorer(table):
    """Set a budget in kilobytes and microseconds: the best model within it, what it costs, and the Pareto front.

    `table`: a row for each model and seed, with the columns technique (up to 6), size, bytes, us, valid_accuracy and
    test_accuracy: what `compress.model_cards` returned. Validation data choose, test data judge.
    """
    columns = {"technique", "size", "bytes", "us", "valid_accuracy", "test_accuracy"}
    check_columns(table, columns, "compress.model_cards(...)")
    if table.empty:
        raise ValueError("The table is empty.")
    if table.technique.nunique() > len(plots.STYLES):
        raise ValueError(
            f"There are {table.technique.nunique()} techniques: at most {len(plots.STYLES)} can be told apart."
        )
    points = plots.tradeoff_points(table)
    controls = {
        "kilobytes": _budget("Size at most (KB)", "kilobytes", points.kilobytes),
        "microseconds": _budget("Latency at most (µs)", "microseconds", points.us),
    }
    return Explorer(lambda figure, **values: plots.draw_tradeoff(figure, points, **values), controls, height=3.4)


def _budget(label, name, values):
    stops = sorted({float(np.ceil(value)) for value in values})
    stops = [stops[0] - 1, *stops]  # with one stop at which nothing fits
    return _stop_slider(label, name, stops, stops[-1])


def cascade_explorer(valid, test, student, teacher, threshold=0.9):
    """Slide the threshold of a cascade: its accuracy, the questions that the teacher gets, and the mean latency.

    `valid`, `test`: what `Cascade.curve` returned for both parts; `student`, `teacher`: each alone, as (microseconds
    for one example, accuracy on test data).
    """
    for curve in (valid, test):
        if not {"threshold", "teacher_share", "accuracy"} <= set(getattr(curve, "columns", ())):
            raise ValueError(
                "valid and test need the columns threshold, teacher_share, accuracy: give Cascade.curve(x, y)."
            )
    for name, pair in (("student", student), ("teacher", teacher)):
        if np.shape(pair) != (2,) or not pair[0] > 0 or not 0 <= pair[1] <= 1:
            raise ValueError(f"{name} is (microseconds, accuracy), such as (12.5, 0.93), not {pair}.")
    controls = {"threshold": _stop_slider("Threshold (confidence)", "threshold", THRESHOLDS, threshold)}

    def draw(figure, threshold):
        return plots.draw_cascade(figure, valid, test, student, teacher, threshold)

    return Explorer(draw, controls)


def word_explorer(models, class_names, word, temperature=1):
    """Type a word and see what each model answers; slide T over the answers.

    `models`: name -> function from [word] to logits [1, classes]; one to three of them. The first has the teacher's
    colour, the others those of a hard-label and of a distilled student.
    """
    if not 1 <= len(models) <= 3:
        raise ValueError(f"Give one, two or three models, not {len(models)}.")
    colours = dict(zip(models, (plots.TEACHER, plots.HARD, plots.DISTILLED), strict=False))

    @lru_cache(maxsize=1)  # while T slides, the models need not answer again
    def answers(word):
        logits = {name: check_logits(model([word]), what=f"logits of {name}") for name, model in models.items()}
        for values in logits.values():
            _check_names(values, class_names)
        return {name: (values[0], colours[name]) for name, values in logits.items()}

    def draw(figure, word, temperature):
        return plots.draw_answers(figure, answers(word), class_names, word, temperature)

    text = ipywidgets.Text(word, layout=ipywidgets.Layout(width="460px"), **_labelled("Word"))
    return Explorer(draw, {"word": text, "temperature": temperature_slider(temperature)})


def attention_explorer(images, maps, example=0):
    """Choose an image and see where the models are active on it.

    `images`: [n, rows, columns] or [n, rows, columns, 1]; `maps`: name -> attention maps [n, rows, columns] of length
    1, of one to four models, the teacher first.
    """
    if not 1 <= len(maps) <= 4:
        raise ValueError(f"Give the maps of one to four models, not of {len(maps)}.")
    images = np.asarray(images)
    maps = {name: np.asarray(one, dtype=float) for name, one in maps.items()}
    for name, one in maps.items():
        if one.ndim != 3 or len(one) != len(images) or one.shape[1:] != next(iter(maps.values())).shape[1:]:
            raise ValueError(
                f"The maps of {name} have the shape {one.shape}: give [n, rows, columns] for the {len(images)} images, "
                "the same places for every model."
            )
    slider = _slider(ipywidgets.IntSlider, "Image (number)", value=example, max=len(images) - 1)

    def draw(figure, example):
        return plots.draw_attention(figure, images[example], {name: one[example] for name, one in maps.items()})

    return Explorer(draw, {"example": slider}, height=2.1)


def bias_explorer(students, labels, class_names, bias=0.0):
    """Choose the class that a student was never shown, and slide a number that is added to its logit.

    `students`: the number of the omitted class -> that student's logits [n, classes]; `labels`: integers [n], among
    them every class.
    """
    labels = np.asarray(labels)
    students = {omitted: check_logits(logits, what=f"logits of {omitted}") for omitted, logits in students.items()}
    for omitted, logits in students.items():
        _check_names(logits, class_names)
        if logits.ndim != 2 or len(logits) != len(labels):
            raise ValueError(
                f"There are {len(labels)} labels but logits of the shape {logits.shape}: one row per label."
            )
        if omitted not in range(len(class_names)):
            raise ValueError(f"The keys of students are numbers of classes, such as 3, not {omitted!r}.")
    if not students or set(labels) != set(range(len(class_names))):
        raise ValueError("Give at least one student, and labels in which every class stands at least once.")
    options = [(class_names[omitted], omitted) for omitted in students]
    controls = {
        "omitted": _slider(ipywidgets.SelectionSlider, "Omitted class", options=options),
        "bias": _slider(ipywidgets.FloatSlider, "Bias added (logits)", value=bias, min=-2, max=8, step=0.25),
    }

    def draw(figure, **values):
        return plots.draw_bias(figure, students[values["omitted"]], labels, class_names, **values)

    return Explorer(draw, controls)


class LiveDistillation(Explorer):
    """Buttons and sliders over a training that runs between the kernel's other tasks: see `live_distillation`."""

    task = loop = None

    def __init__(self, distiller, new_batches, validation_data, every):
        with contextlib.suppress(RuntimeError):
            self.loop = asyncio.get_running_loop()  # the cells' own: the buttons may be heard in another thread
        self.distiller, self.new_batches = distiller, new_batches
        self.validation_data, self.every = validation_data, every
        self.variables = [*distiller.student.non_trainable_variables, *distiller.trainable_variables]
        self.variables += distiller.optimizer.variables
        self.start_values = [np.array(variable) for variable in self.variables]
        self.runs = [([], [], [])]
        controls = {
            "training": ipywidgets.ToggleButtons(
                options=["Start", "Pause", "Stop"], value="Stop", **_labelled("Training")
            ),
            "temperature": temperature_slider(distiller.temperature),
            "alpha": _alpha_slider(distiller.alpha),
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
                self._back_to_the_start()
                self.task = asyncio.run_coroutine_threadsafe(self.train(), self.loop or asyncio.get_running_loop())
            super().update()

    def train_now(self, updates):
        """Train anew, this many updates at once, without the buttons."""
        self.controls["training"].value = "Stop"
        self._back_to_the_start()
        for _ in range(0, updates, self.every):
            self._train_a_little()
        super().update()

    async def train(self):
        """Train until stopped. After every few updates the kernel does whatever else there is to do."""
        try:
            while True:
                with self.lock:
                    if self.task and self.values["training"] == "Start":
                        self._train_a_little()
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
            self.task.cancel()  # it waits between two updates, so the student is whole
            self.task = None

    def _train_a_little(self):
        self.distiller.reset_metrics()  # so that the loss is that of these batches
        for _ in range(self.every):
            loss = self.distiller.train_on_batch(*next(self.batches), return_dict=True)["loss"]
        x, labels = self.validation_data
        updates, losses, accuracies = self.runs[-1]
        updates.append((updates[-1] if updates else 0) + self.every)
        losses.append(float(loss))
        accuracies.append(accuracy(labels, self.distiller.predict_on_batch(x)))

    def _back_to_the_start(self):
        self.batches = self.new_batches()
        for variable, value in zip(self.variables, self.start_values, strict=True):
            variable.assign(value)
        if self.runs[-1][0]:
            self.runs.append(([], [], []))

    def _draw(self, figure, training, **values):
        now = {"Start": "Running", "Pause": "Paused", "Stop": "Stopped"}[training]
        return plots.draw_training(figure, self.runs, now, **values)


def live_distillation(distiller, x, y, validation_data, batch_size=32, every=10, seed=0):
    """Train while you watch: Start, Pause and Stop; T and alpha act on the training that is running.

    `distiller`: compiled, with a built student. `x`, `y`: arrays, as for `distiller.fit`; `validation_data`: x and
    integer labels. The picture changes after every `every` updates. Start after Stop trains anew, on the same batches,
    from the weights that the student had when this was called; the earlier curves stay, in grey.
    The training is a task of the kernel's own event loop: other cells run between its updates, never at the same time.
    """
    if not distiller.compiled:
        raise ValueError("Call distiller.compile(...) first.")
    if not distiller.student.built:
        raise ValueError("The student has no weights yet: call student(x[:1]) first.")
    x_valid, y_valid = validation_data
    for inputs, column in [(x, part) for part in (y.values() if isinstance(y, dict) else [y])] + [(x_valid, y_valid)]:
        if len(column) != len(inputs) or not len(inputs):
            raise ValueError(f"x has {len(inputs)} examples and y {len(column)}: give one of each per example.")
    if not distiller.optimizer.built:
        distiller.optimizer.build(distiller.trainable_variables)
    return LiveDistillation(distiller, partial(_shuffled, x, y, batch_size, seed), validation_data, every)


def _shuffled(x, y, batch_size, seed):
    """Batches of x and y, epoch after epoch without an end, each epoch in its own order."""
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(len(x))
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            yield x[rows], {name: column[rows] for name, column in y.items()} if isinstance(y, dict) else y[rows]


def temperature_slider(temperature=1):
    """A slider over the temperatures of the series, which are spaced like a logarithm. T has no unit."""
    return _stop_slider("Temperature T (no unit)", "temperature", TEMPERATURES, temperature)


def _stop_slider(label, name, stops, value):
    """A slider over these numbers and no others. `name`: what an error calls the value."""
    if value not in stops:
        raise ValueError(f"{name} must be one of the slider's stops {stops}, not {value}.")
    return _slider(ipywidgets.SelectionSlider, label, options=[(f"{stop:g}", stop) for stop in stops], value=value)


def _alpha_slider(alpha):
    return _slider(ipywidgets.FloatSlider, "α (weight of hard labels)", value=alpha, max=1, step=0.05)


def _slider(kind, description, **settings):
    return kind(layout=ipywidgets.Layout(width="460px"), **_labelled(description), **settings)


def _labelled(description):
    return {"description": description, "style": {"description_width": "180px"}}


def _check_names(logits, class_names):
    if logits.shape[-1] != len(class_names):
        raise ValueError(f"There are {logits.shape[-1]} logits per example but {len(class_names)} class names.")
