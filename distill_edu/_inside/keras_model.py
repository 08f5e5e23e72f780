"""What a Distiller and a Classroom have in common as Keras models: some of their parts are trained, others are not."""

import inspect

import numpy as np

from distill_edu._inside import check_steps
from distill_edu._inside.backend import keras


class PartlyTrained(keras.Model):
    """A Keras model of which only `trained_parts` are trained, and which says in a sentence what it cannot train on."""

    lock = None

    @property
    def trained_parts(self):
        raise NotImplementedError

    def require_apart(self):
        raise NotImplementedError

    def compile(self, **arguments):
        super().compile(**arguments)
        self.lock = check_steps.Lock() if self.jit_compile and not self.run_eagerly else None

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
        """Keras's function that runs steps, and what has to be done before or after them."""
        return self.lock.speak_after(function) if self.lock else function

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

    @check_steps.speaks_plainly(keras.Model.fit)
    def fit(self, *args, **kwargs):
        """Train: as keras.Model.fit, on arrays, tf.data, PyDataset or generators. y comes in three forms.

        Labels; {"labels": y, "teacher_logits": teacher_logits(teacher, x)}, so that the teacher need not be run, and
        "mask" with it (True: counts) where sequences are padded; or None when alpha is 0. Returns Keras's History:
        loss, student_loss (of the hard labels), distillation_loss (of the soft targets), each hint, and the metrics.
        Raises ValueError, with no student changed, for NaN, probabilities, and labels that are no class.
        """
        given = by_name(keras.Model.fit, self, *args, **kwargs)
        validation = given.get("validation_data")
        if isinstance(validation, (tuple, list)) and len(validation) == 3:
            x, y, weight = validation
            given["validation_data"] = x, y, _weight_of_all(y, weight)
        return super().fit(**{**given, **_weights(**given)})

    @check_steps.speaks_plainly(keras.Model.evaluate)
    def evaluate(self, *args, **kwargs):
        """The losses and metrics, without learning: as keras.Model.evaluate, with x and y as for `fit`."""
        given = by_name(keras.Model.evaluate, self, *args, **kwargs)
        return super().evaluate(**{**given, **_weights(**given)})


def by_name(method, *args, **kwargs):
    """All arguments by their names, without self."""
    given = inspect.signature(method).bind(*args, **kwargs).arguments
    others = given.pop("kwargs", {})
    return {name: value for name, value in given.items() if name != "self"} | others


def _weights(y=None, sample_weight=None, class_weight=None, **_):
    """The weights for Keras where y is a dictionary: it takes the parts for outputs, and wants a weight for each."""
    if not isinstance(y, dict):
        return {}
    if class_weight:
        labels = np.asarray(y.get("labels"))
        labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
        labels = labels if labels.ndim == 1 else np.where(labels.sum(axis=-1) > 0, labels.argmax(axis=-1), -1)
        by_class = np.array([class_weight.get(int(label), 1.0) for label in labels], "float32")
        sample_weight = by_class if sample_weight is None else by_class * sample_weight
    return {"sample_weight": _weight_of_all(y, sample_weight)} | ({"class_weight": None} if class_weight else {})


def _weight_of_all(y, weight):
    return dict.fromkeys(y, weight) if isinstance(y, dict) and weight is not None else weight


def _without(variables, excluded):
    excluded = {id(variable) for variable in excluded}
    return [variable for variable in variables if id(variable) not in excluded]
