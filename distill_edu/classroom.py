"""`Classroom`: a Keras model that trains many students on the same batches of one teacher."""

import collections
import contextlib

import numpy as np

from distill_edu._inside import check_models
from distill_edu._inside.alike import fresh
from distill_edu._inside.backend import keras, tf
from distill_edu._inside.check_steps import clear_errors, refuse
from distill_edu._inside.keras_model import PartlyTrained, by_name, listed
from distill_edu._inside.layer_outputs import changed_by_training
from distill_edu._inside.stacked import Row, rows_of
from distill_edu.distiller import Distiller

ops = keras.ops
NOT_AS_A_WHOLE = (
    "A Classroom is not saved or cloned as a whole: save its students, classroom.students[0].save('student.keras')."
)


class Classroom(PartlyTrained):
    """Train many students on the same batches. The teacher answers once per batch, whatever the number of students.

    Each student gets what `Distiller(student=..., teacher=...)` would give it alone on these batches: it has its own
    temperature, alpha, optimizer state, and the seeds that it was built with. `temperatures` and `alphas`: one number,
    or one per student. `fit` and `evaluate` take what a Distiller takes; every result has one value per student
    (np.array(history["val_accuracy"]) is [epochs, students]). `predict` gives logits [examples, students, ...,
    classes]. `classroom.students[i]` is a trained model: save that one. For more than one GPU build teacher, students
    and Classroom below `with strategy.scope():`, where strategy = tf.distribute.MirroredStrategy() (experimental); the
    numbers are those of one device.

    >>> import keras
    >>> teacher, *students = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]) for _ in range(3)]
    >>> classroom = Classroom(students=students, teacher=teacher, temperatures=[1, 4])
    >>> classroom.compile("adam")
    >>> len(classroom.fit(keras.ops.ones((8, 2)), keras.ops.ones(8), verbose=0).history["loss"][0])
    2
    """

    def __init__(self, *, students, teacher=None, temperatures=4.0, alphas=0.1, **keras_arguments):
        students = _require_students(students)
        super().__init__(**keras_arguments)
        self.distillers = [Distiller(student=student, teacher=teacher) for student in students]
        self._temperatures = _one_each("temperatures", temperatures, len(students))
        self._alphas = _one_each("alphas", alphas, len(students))
        self._rows = []  # `compile` makes them
        self._distributed = tf.distribute.has_strategy()
        self.built = all(student.built for student in students)

    @property
    def students(self):
        """The models in training, in the order in which they came."""
        return [distiller.student for distiller in self.distillers]

    def compile(
        self, optimizer="adam", *, soft_loss="kl", student_loss=None, metrics=None, weighted_metrics=None, **others
    ):
        """As Distiller.compile. Every student gets its own copy of the optimizer and of the metrics.

        With jit_compile=True XLA leaves out the checks of values: NaN, probabilities and wrong labels are then trained
        on in silence.
        """
        check_models.require_our_names(others)
        if wrong := {"temperature", "alpha"} & set(others):
            raise ValueError(
                f"Give {max(wrong)}s when you make the Classroom: Classroom(students=..., {max(wrong)}s=...)."
            )
        by_name(keras.Model.compile, self, **others)  # a name that Keras does not know changes nothing
        optimizer = keras.optimizers.get(optimizer)
        for distiller, temperature, alpha in zip(self.distillers, self._temperatures, self._alphas, strict=True):
            watched = {"metrics": metrics, "weighted_metrics": weighted_metrics}
            settings = {name: [fresh(metric) for metric in listed(some)] for name, some in watched.items()}
            settings |= {"temperature": temperature, "alpha": alpha, "soft_loss": soft_loss}
            distiller.compile(fresh(optimizer), student_loss=student_loss, **settings)
        super().compile(optimizer=None, **others)
        # XLA cannot compile the metrics of students in one step: which examples have a label is not known beforehand.
        apart = self.run_eagerly or self._distributed or (self.jit_compile and (metrics or weighted_metrics))
        self._rows = rows_of(self.distillers, None if apart else optimizer)
        self._all_built = all(student.built for student in self.students)

    _all_built = False

    def models_changed(self, step):
        """Built students share steps that were made for what they were: the Classroom has to be compiled again."""
        if self._all_built:
            raise ValueError("A student or the teacher has changed since compile: compile the Classroom again.")
        super().models_changed(step)

    def require_apart(self):
        for distiller in self.distillers:
            distiller.require_apart()

    @property
    def trained_parts(self):
        return self.students

    @property
    def optimizers(self):
        """[(optimizer, the variables that it changes)]: one of all students that are alike, and each student's own."""
        shared = [(row.optimizer, row.trained) for row in self._rows if row.optimizer]
        return shared + [(each.optimizer, each.trainable_variables) for each in self.distillers]

    @property
    def models(self):
        return [*self.students, self.distillers[0].teacher]

    def call(self, inputs, training=None):
        return ops.stack([distiller(inputs, training=training) for distiller in self.distillers], axis=1)

    def train_step(self, data):
        return self._step(Row.train, data)

    def test_step(self, data):
        return self._step(Row.evaluate, data)

    def predict_step(self, data):
        if not self._rows:
            return super().predict_step(data)
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return ops.moveaxis(self._in_order([row.answer(x) for row in self._rows]), 0, 1)

    def _step(self, method, data):
        batch = self.distillers[0].read(data)  # the teacher answers here, once for all students
        with self.held():
            steps = [method(row, batch) for row in self._rows]
            with refuse([problem for step in steps for problem in next(step)]):  # nobody steps where one is refused
                results = [result for step in steps for result in step]
        return self._by_name(results)

    def _by_name(self, results):
        return {name: self._in_order([each[name] for each in results]) for name in results[0]}

    def _in_order(self, values):
        """The rows' values, each with one entry per student, as one: in the order of the students."""
        places = np.argsort([self.distillers.index(distiller) for row in self._rows for distiller in row.distillers])
        return tf.gather(ops.concatenate(values, axis=0), places)  # students may answer in several dtypes

    def held(self):
        """A context: students alike learn in stacks of their weights, and their own weights are written at its end.

        For a `fit` in which nobody reads them: the weights need not be written for each of its callbacks.
        """
        return _all(row.held() for row in self._rows)

    def around(self, function):
        """Keras's function runs steps_per_execution steps; callbacks read the students between two calls of it."""

        def hold_and_run(iterator):
            with self.held():
                return function(iterator)

        return hold_and_run

    @property
    def metrics(self):
        return [metric for distiller in self.distillers for metric in distiller.metrics]

    def reset_metrics(self):
        with _all(row.written() for row in self._rows):
            super().reset_metrics()

    def get_metrics_result(self):
        """All running means, each with one value per student."""
        return self._by_name([row.results() for row in self._rows])

    def _flatten_metrics_in_order(self, logs):  # Keras asks for each student's metrics, and logs have all students'
        return self.distillers[0]._flatten_metrics_in_order(logs)  # noqa: SLF001 - Keras's own hook

    def _symbolic_build(self, iterator=None, data_batch=None):
        # Keras calls this below a tf.distribute strategy, where a replica's step cannot create variables.
        for distiller in self.distillers:
            distiller._symbolic_build(iterator, data_batch)  # noqa: SLF001 - Keras's own hook

    def _held_unless_read(self, step, y=None, callbacks=None, **_):
        """Callbacks may read the students before the end, and so may pipelines, which have no y."""
        self.trace_again_if_changed(step)  # before a layer that was frozen is looked for among the weights
        return contextlib.nullcontext() if callbacks or y is None else self.held()

    @clear_errors(keras.Model.fit)
    def fit(self, *args, **kwargs):
        """Train all students: as Distiller.fit, where every number of the history is an array, one for each student."""
        given = by_name(keras.Model.fit, self, *args, **kwargs)
        check_models.require_callbacks_for_many(given.get("callbacks"))
        with self._held_unless_read("train", **given):
            history = super().fit(*args, **kwargs)
        for values in history.history.values():  # NumPy before 2.4 makes a number of one student's array
            values[:] = map(np.atleast_1d, values)
        for distiller in self.distillers:  # for optimizers that average the weights (use_ema)
            distiller.optimizer.finalize_variable_values(distiller.trainable_variables)
        return history

    @clear_errors(keras.Model.evaluate)
    def evaluate(self, *args, return_dict=False, **kwargs):
        """As Distiller.evaluate, an array for each number: one value per student. A list is in alphabetical order."""
        given = by_name(keras.Model.evaluate, self, *args, **kwargs)
        with self._held_unless_read("test", **given):
            results = super().evaluate(*args, return_dict=True, **kwargs)
        results = {name: np.atleast_1d(results[name]) for name in sorted(results)}  # Keras 3.13 has tensors, unsorted
        return results if return_dict else list(results.values())

    def save(self, *args, **kwargs):
        """Refused, before any file is opened: save the students."""
        raise NotImplementedError(NOT_AS_A_WHOLE)

    export = save

    def get_config(self):
        raise NotImplementedError(NOT_AS_A_WHOLE)


@contextlib.contextmanager
def _all(contexts):
    with contextlib.ExitStack() as entered:
        for context in contexts:
            entered.enter_context(context)
        yield


def _require_students(students):
    """The students as a list."""
    if isinstance(students, keras.Layer) or not np.iterable(students):
        raise TypeError(f"students must be a list of Keras models, not {type(students).__name__}.")
    students = list(students)
    if not students:
        raise ValueError("students is empty: give a list of at least one Keras model.")
    if len({id(student) for student in students}) < len(students):
        raise ValueError("Two students are one model: build each of them anew.")
    owners = collections.Counter(id(v) for student in students for v in getattr(student, "variables", ()))
    for student in students:
        shared = [variable for variable in getattr(student, "variables", ()) if owners[id(variable)] > 1]
        if shared and changed_by_training(student, shared):
            raise ValueError("Two students are one model, or share layers: build each of them anew.")
    return students


def _one_each(name, values, count):
    """`values` as a list of `count` numbers, from one number or from one per student."""
    given, values = values, np.asarray(values)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be one number, or one for each student, not {given!r:.60}.")
    if values.ndim and values.shape != (count,):
        raise ValueError(
            f"{name} has the shape {values.shape}: give one number, or one for each of the {count} students."
        )
    return np.broadcast_to(values.astype(float), (count,)).tolist()
