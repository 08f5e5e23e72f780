"""What a Distiller and a Classroom have in common as Keras models: some of their parts are trained, others are not."""

from distill_edu import guard
from distill_edu.backend import keras


class PartlyTrained(keras.Model):
    """A Keras model of which only `trained_parts` are trained, and which says in a sentence what it cannot train on."""

    lock = None

    @property
    def trained_parts(self):
        raise NotImplementedError

    def compile(self, **arguments):
        super().compile(**arguments)
        self.lock = guard.Lock() if self.jit_compile and not self.run_eagerly else None

    def make_train_function(self, force=False):
        if self.train_function is None or force:
            super().make_train_function(force)
            self.train_function = self.lock.speak_after(self.train_function) if self.lock else self.train_function

    def make_test_function(self, force=False):
        if self.test_function is None or force:
            super().make_test_function(force)
            self.test_function = self.lock.speak_after(self.test_function) if self.lock else self.test_function

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

    @guard.speaks_plainly(keras.Model.fit)
    def fit(self, *args, **kwargs):
        """Train: as keras.Model.fit, on arrays, tf.data, PyDataset or generators. y comes in three forms.

        Labels; {"labels": y, "teacher_logits": teacher_logits(teacher, x)}, so that the teacher need not be run, and
        "mask" with it (True: counts) where sequences are padded; or None when alpha is 0. Returns Keras's History:
        loss, student_loss (of the hard labels), distillation_loss (of the soft targets), each hint, and the metrics.
        Raises ValueError, with no student changed, for NaN, probabilities, and labels that are no class.
        """
        return super().fit(*args, **kwargs)

    @guard.speaks_plainly(keras.Model.evaluate)
    def evaluate(self, *args, **kwargs):
        """The losses and metrics, without learning: as keras.Model.evaluate, with x and y as for `fit`."""
        return super().evaluate(*args, **kwargs)


def _without(variables, excluded):
    excluded = {id(variable) for variable in excluded}
    return [variable for variable in variables if id(variable) not in excluded]
