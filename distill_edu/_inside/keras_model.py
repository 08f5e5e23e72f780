"""Fit, evaluate, metrics and saving for a Distiller and a Classroom."""

import inspect
import types

import numpy as np

from distill_edu._inside import check_models
from distill_edu._inside.backend import keras, tf
from distill_edu._inside.batch import over_replicas, weight_like
from distill_edu._inside.check_steps import (
    NO_CLASS_WEIGHT_IN_PIPELINES,
    clear_errors,
    data_problems,
    loss_problems,
)
from distill_edu._inside.disk import whole
from distill_edu._inside.layer_outputs import Graph, one_output, output_shape, require_apart
from distill_edu._inside.tasks import with_axes

ops = keras.ops


class PartlyTrained(keras.Model):
    """A Keras model that trains only its `trained_parts`, and refuses wrong use with a plain message."""

    _traced = None  # "train", "test", "predict" -> the Graph when that step was traced, or compiled

    @property
    def trained_parts(self):
        raise NotImplementedError

    @property
    def models(self):
        """The models that a step runs."""
        raise NotImplementedError

    def require_apart(self):
        """Refuse to train a layer that the teacher has, too."""
        raise NotImplementedError

    def compile(self, jit_compile="auto", **arguments):
        # On a GPU Keras's "auto" turns XLA on, and XLA drops the assertions that refuse wrong data.
        super().compile(jit_compile=False if jit_compile == "auto" else jit_compile, **arguments)
        now = Graph(self.models, self.trainable_variables)
        self._traced = types.SimpleNamespace(train=now, test=now, predict=now)  # Keras would track a dictionary

    def trace_again_if_changed(self, step):
        """Forget a traced step whose models have other layers, dtypes, activations or weights than at its trace."""
        if self._traced is None:  # not compiled yet
            return
        before, now = getattr(self._traced, step), Graph(self.models, self.trainable_variables)
        setattr(self._traced, step, now)
        if before.built and before != now:
            self.models_changed(step)

    def models_changed(self, step):
        setattr(self, f"{step}_function", None)

    def make_train_function(self, force=False):
        if self.train_function is None or force:
            self.require_apart()  # again: a shared layer may have been frozen until now
            super().make_train_function(force)
            self.train_function = self.around(self.train_function)

    def make_test_function(self, force=False):
        if self.test_function is None or force:
            super().make_test_function(force)
            self.test_function = self.around(self.test_function)

    def around(self, function):
        """Wrap the function in which Keras runs its steps. A subclass may override this."""
        return function

    @property
    def trainable_variables(self):
        """Those of the trained parts: the teacher is part of the model, but nothing of it is trained."""
        parts = self.trained_parts if self.trainable else []
        return [variable for part in parts for variable in part.trainable_variables]

    @property
    def trainable_weights(self):
        return self.trainable_variables

    @property
    def non_trainable_variables(self):
        return _without(self.variables, self.trainable_variables)

    @property
    def non_trainable_weights(self):
        return _without(self.weights, self.trainable_variables)

    def _weights(self, x=None, y=None, sample_weight=None, class_weight=None, validation_split=0, **given):
        """Class weights as sample weights, by labels as a step reads them; and these for each entry of a dictionary."""
        labels, first = y.get("labels") if isinstance(y, dict) else y, getattr(self, "distillers", [self])[0]
        if not class_weight or not hasattr(labels, "__array__"):  # a pipeline brings its own
            if class_weight and any(len(output.shape) > 2 for output in getattr(first.student, "outputs", None) or []):
                raise ValueError(NO_CLASS_WEIGHT_IN_PIPELINES)  # Keras would take a place for a class
            return {"sample_weight": _for_each_entry(y, sample_weight)} if isinstance(y, dict) else {}
        by_class = first.task.weights_of_classes(np.asarray(labels), class_weight, output_shape(first.student, x))
        if given.get("validation_data") is None:  # Keras splits off the last examples, and weighs no class there
            by_class[int(len(by_class) * (1 - validation_split)) :] = 1
        if sample_weight is not None:
            weight = np.asarray(sample_weight, "float32")
            by_class = np.asarray(with_axes(by_class, weight) * with_axes(weight, by_class))
        return {"sample_weight": _for_each_entry(y, by_class), "class_weight": None}

    @clear_errors(keras.Model.fit)
    def fit(self, *args, **kwargs):
        """Train as keras.Model.fit does, on arrays, tf.data, PyDataset or generators.

        y: labels; {"labels": y, "teacher_logits": teacher_logits(teacher, x)}, so that the teacher need not run, with
        "mask" (True: counts) where sequences are padded; or None when alpha is 0. Returns Keras's History: loss,
        student_loss (hard labels), distillation_loss (soft targets), each hint, and the metrics. Raises ValueError,
        before the student changes, for NaN, for probabilities, and for labels that are no class.
        """
        self.trace_again_if_changed("train")
        given = by_name(keras.Model.fit, self, *args, **kwargs)
        validation = given.get("validation_data")
        if isinstance(validation, (tuple, list)) and len(validation) == 3:
            x, y, weight = validation
            given["validation_data"] = x, y, _for_each_entry(y, weight)
        return super().fit(**{**given, **self._weights(**given)})

    @clear_errors(keras.Model.evaluate)
    def evaluate(self, *args, **kwargs):
        """Losses and metrics as keras.Model.evaluate reports them. x and y: as for `fit`."""
        self.trace_again_if_changed("test")
        given = by_name(keras.Model.evaluate, self, *args, **kwargs)
        results = super().evaluate(**{**given, **self._weights(**given)})
        return keras.tree.map_structure(
            lambda value: value if np.ndim(value) else float(value), results
        )  # 3.13: tensors

    @clear_errors(keras.Model.predict)
    def predict(self, *args, **kwargs):
        """The logits, as keras.Model.predict computes them."""
        self.trace_again_if_changed("predict")
        return super().predict(*args, **kwargs)


class DistillerModel(PartlyTrained):
    """What a Distiller has in common with any Keras model: metrics, summary, files."""

    @property
    def trained_parts(self):
        return [self.student, *self.hints]

    @property
    def models(self):
        return [self.student, self.teacher]

    @property
    def settings(self):
        """The variables of temperature and alpha."""
        return self._temperature.variable, self._alpha.variable

    @property
    def compile_settings(self):
        """The arguments of compile that Keras does not save."""
        return {"temperature": self.temperature, "alpha": self.alpha, **self.losses_and_metrics}

    @property
    def losses_and_metrics(self):
        """Those of compile, as they were given."""
        return {**vars(self._given), **vars(self._watched)}

    def require_apart(self):
        require_apart(self.student, self.teacher)

    def compile(self, *, task, metrics=None, weighted_metrics=None, **arguments):
        watched = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        known = {name: [task.metric(metric) for metric in listed(some)] for name, some in watched.items()}
        super().compile(**known, **arguments)
        self._watched = types.SimpleNamespace(**watched)  # the original arguments, for saving

    def call(self, inputs, training=None):
        return one_output(self.student(inputs, training=training), "student")

    def get_metrics_result(self):
        """All running means; a metric that has not seen a label yet has no value."""
        results = {}
        for metric in self.metrics:
            if getattr(metric, "built", True):
                value = metric.result()
                results.update(value if isinstance(value, dict) else {metric.name: value})
        return results

    def problems_of_data(self, batch):
        """[(condition, message)] of inputs and labels, for a student whose forward pass changes statistics."""
        if not any(tf.as_dtype(variable.dtype).is_floating for variable in self.student.non_trainable_variables):
            return []
        found = data_problems(batch, self._alpha.variable)
        outputs = keras.tree.flatten(getattr(self.student, "outputs", None) or [])
        one_label_each = len(outputs) == 1 and len(outputs[0].shape) == 2 and batch.mask is None
        if batch.labels is None or not one_label_each:  # a mask hides some of the labels, and may come with the logits
            return found
        return [*found, *self.task.problems(self.task.read(batch.labels, outputs[0]), None, None)]

    def problems(self, step):
        """[(condition, message)] of every reason to refuse this step."""
        found = data_problems(step.batch, self._alpha.variable)
        found += self.task.problems(step.batch.labels, step.batch.teacher_logits, step.logits)
        return [*found, *loss_problems(step.loss)]

    def report(self, step):
        """Update the running means, each weighted by what it averages, and the metrics; return all of them."""
        examples = over_replicas(ops.cast(ops.shape(step.logits)[0], "float32"))
        loss_mean = next(metric for metric in self.metrics if metric.name == "loss")
        loss_mean.update_state(step.loss, sample_weight=examples)
        for part_mean, part in zip(self.part_means, step.parts, strict=True):
            part_mean.update_state(part.value, sample_weight=part.count)
        if step.batch.labels is None:
            return {mean.name: mean.result() for mean in (loss_mean, *self.part_means)}
        known = self.task.labelled(step.batch.labels)
        rows, weight = tf.where(known), step.batch.weight
        if weight is not None:
            weight = tf.gather_nd(weight_like(known, weight), rows)
        labels, logits = (tf.gather_nd(values, rows) for values in (step.batch.labels, step.logits))
        return self.compute_metrics(step.batch.x, labels, logits, weight)

    @clear_errors(keras.Model.summary)
    def summary(self, *args, **kwargs):
        """Keras's table, below a line that says which model is trained."""
        teacher = "none" if self.teacher is None else self.teacher.name
        (kwargs.get("print_fn") or print)(f"Student (trained): {self.student.name}. Teacher (frozen): {teacher}.")
        return super().summary(*args, **kwargs)

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """As keras.Model.save: student, teacher, hints and the state of training, all of it or nothing."""
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(f"A Distiller is saved as .keras, not as {filepath}; distiller.student takes any format.")
        check_models.require_own_layers(self.student, self.teacher)
        if zipped is False or not (overwrite and str(filepath).endswith(".keras")):
            super().save(filepath, overwrite, zipped, **kwargs)  # Keras writes a folder, asks, or refuses the name
        else:
            with whole(filepath) as aside:
                super().save(aside, **kwargs)

    def export(self, *args, **kwargs):
        """As keras.Model.export, of the student alone."""
        return self.student.export(*args, **kwargs)

    def get_config(self):
        parts = {"student": self.student, "teacher": self.teacher, "hints": self.hints}
        return {"name": self.name, **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        with keras.saving.custom_object_scope(custom_objects or {}):
            parts = {name: keras.saving.deserialize_keras_object(part) for name, part in config.items()}
        return cls(**parts)

    def get_compile_config(self):
        if not self.compiled:
            return None
        kept = {name: value for name, value in super().get_compile_config().items() if not name.startswith("loss")}
        return {**kept, **keras.saving.serialize_keras_object(self.compile_settings)}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)


def listed(metrics):
    """The metrics of `compile` in one list, also from lists within lists or a dictionary: models have one output."""
    return [] if metrics is None else keras.tree.flatten(metrics)


def by_name(method, *args, **kwargs):
    """All arguments by their names, without self."""
    given = inspect.signature(method).bind(*args, **kwargs).arguments
    others = given.pop("kwargs", {})
    return {name: value for name, value in given.items() if name != "self"} | others


def _for_each_entry(y, weight):
    return dict.fromkeys(y, weight) if isinstance(y, dict) and weight is not None else weight


def _without(variables, excluded):
    excluded = {id(variable) for variable in excluded}
    return [variable for variable in variables if id(variable) not in excluded]
