"""`Distiller`: a Keras model that trains a student on hard labels and on the soft targets of a teacher."""

import types
import warnings

from distill_edu import losses
from distill_edu._inside import check_models, check_steps
from distill_edu._inside.backend import Setting, keras, live_number, tf
from distill_edu._inside.batch import Batch, Step, mask_features, mean, no_mean, read_batch, replicas, without_padding
from distill_edu._inside.check_steps import one_value_each
from distill_edu._inside.check_values import require_temperature
from distill_edu._inside.keras_model import DistillerModel
from distill_edu._inside.layer_outputs import build_hints, require_apart, unchanged, with_layer_outputs
from distill_edu._inside.tasks import TASKS, no_soft_loss

ops = keras.ops


@keras.saving.register_keras_serializable(package="distill_edu")
class Distiller(DistillerModel):
    """Train `student` on alpha x hard-label loss + (1 - alpha) x soft-target loss of `teacher`.

    Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network", section 2:
    loss = alpha CE(y, z_s) + (1 - alpha) T^2 KL(softmax(z_t / T) || softmax(z_s / T)), mean over the batch.

    Both models map x to logits [batch, ..., classes]. `fit` and `evaluate` take (x, y) as for any Keras model. y:
    labels, integers or one-hot rows (-1 or a row of zeros: no label, only the soft targets count); None when alpha is
    0; or {"labels": y, "teacher_logits": z}, and then the teacher does not run and may be left out. A "mask" in the
    dictionary, False at padding, replaces Keras's own mask. `hints`: layers of `distill_edu.hints`; each adds weight x
    its mean to the loss. The teacher never changes. `distiller.student` is the trained model: save that one.

    >>> import keras
    >>> teacher, student = (keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]) for _ in range(2))
    >>> distiller = Distiller(student=student, teacher=teacher)
    >>> distiller.compile("adam", temperature=4.0, alpha=0.1)
    >>> list(distiller.fit(keras.ops.ones((8, 2)), keras.ops.ones(8), verbose=0).history)
    ['distillation_loss', 'loss', 'student_loss']
    """

    temperature = live_number("_temperature", require_temperature, "The temperature T > 0; `fit` follows it.")
    alpha = live_number("_alpha", check_models.require_alpha, "The hard labels' weight, 0 to 1; `fit` follows it.")

    def __init__(self, *, student, teacher=None, hints=(), **keras_arguments):
        check_models.require_models(student, teacher)
        require_apart(student, teacher)
        # The student's dtype policy: Keras scales the loss only if the model's own policy is mixed_float16.
        super().__init__(**{"dtype": student.dtype_policy, "autocast": False, **keras_arguments})
        hints = build_hints(hints, student, teacher)
        self.student, self.teacher, self.hints = student, teacher, hints
        # Variables, because the traced train_step would keep a number for good.
        self._temperature, self._alpha = Setting(4.0, "temperature"), Setting(0.1, "alpha")
        self._soft_loss, self.task = losses.SOFT_LOSSES["kl"], TASKS["classes"]
        self._student_loss = self.task.hard_loss
        names = ["student_loss", "distillation_loss", *(hint.name for hint in hints)]
        self.part_means = [keras.metrics.Mean(name=name) for name in names]
        # One forward pass gives the logits and what the hints compare. Functions: Keras would save layers twice.
        self._run_student = with_layer_outputs(student, [hint.student_layer for hint in hints], "student")
        self._run_teacher = with_layer_outputs(teacher, [hint.teacher_layer for hint in hints], "teacher")
        self.built = student.built  # the Distiller adds no weights

    def compile(
        self, optimizer="adam", *, temperature=4.0, alpha=0.1, soft_loss="kl", student_loss=None, metrics=None, **others
    ):
        """Set the optimizer, the temperature T > 0, the weight `alpha` of the hard labels in [0, 1], and `metrics`.

        `soft_loss`: a name in losses.SOFT_LOSSES ("kl", "reverse_kl", "jensen_shannon", ...), a function (see
        `losses.soft_loss`), or None for labels and hints alone. `student_loss(labels, logits)`: one value per label, or
        per example; None takes the loss that fits soft_loss, for classes the cross-entropy. With soft_loss=None labels
        are classes, unless student_loss.task is "yes_no" or "numbers". `others`: as for keras.Model.compile. With
        jit_compile=True XLA leaves out the checks of values: NaN, probabilities and wrong labels are then trained on in
        silence. Raises ValueError before anything is changed.
        """
        check_models.require_our_names(others)
        check_models.require_own_hooks(self)
        check_models.require_student_loss(student_loss)
        function = losses.named_soft_loss(soft_loss)
        task = TASKS[getattr(function, "task", getattr(student_loss, "task", "classes"))]
        check_models.require_heads(task, self.student, self.teacher)
        temperature, alpha = require_temperature(temperature), check_models.require_alpha(alpha)
        super().compile(optimizer=optimizer, task=task, metrics=metrics, **others)
        self._soft_loss, self.task, self.temperature, self.alpha = function, task, temperature, alpha
        self._student_loss = getattr(student_loss, "call", student_loss) or task.hard_loss
        self._given = types.SimpleNamespace(soft_loss=soft_loss, student_loss=student_loss)  # for saving

    def train_step(self, data):
        """One update: the teacher answers, the student answers, the student's weights follow the gradient."""
        batch = self.read(data)
        step, gradients = self.gradients(batch)
        with check_steps.refuse(self.problems(step)):  # if a check fails, nothing changes, and `fit` raises its message
            self.apply_gradients(gradients)
        return self.report(step)

    def gradients(self, batch):
        """The Step of a forward pass, and the gradient of its loss for each trained weight."""
        with check_steps.refuse(self.problems_of_data(batch)), tf.GradientTape() as tape:
            step = self.forward(batch, training=True)
            loss = self.optimizer.scale_loss(step.loss / replicas())
        check_models.require_trainable(self.trainable_variables)
        if not self.optimizer.built:  # XLA cannot create its variables within the checks
            self.optimizer.build(self.trainable_variables)
        return step, tape.gradient(loss, self.trainable_variables)

    def apply_gradients(self, gradients):
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))

    def test_step(self, data):
        step = self.forward(self.read(data), training=False)
        with check_steps.refuse(self.problems(step)):
            return self.report(step)

    def read(self, data):
        """The batch with the teacher's answer, outside the tape and with training=False: the teacher does not learn."""
        if isinstance(data, Batch):  # a Classroom reads it once for all its students
            return data
        batch = read_batch(data)
        if self.hints or (batch.teacher_logits is None and self._soft_loss is not no_soft_loss):
            check_models.require_teacher(self.teacher)
            with unchanged(self.teacher):
                answer, features = self._run_teacher(batch.x, training=False)
            batch = batch.answered(answer, features)
        return batch

    def forward(self, batch, training):
        """alpha CE(y, z_s) + (1 - alpha) soft(z_t, z_s, T) + weighted hints, each a mean over what counts: a Step."""
        logits, features = self._run_student(batch.x, training)
        batch, logits = without_padding(batch, logits, self.task)
        soft = _soft_mean(batch, logits, self._soft_loss, self._temperature.variable, self.hints)
        hard = _hard_mean(batch, logits, self._student_loss, self.task)
        hints = [_hint_mean(batch, *pair) for pair in zip(self.hints, features, batch.teacher_features, strict=True)]
        loss = self._alpha.variable * hard.value + (1 - self._alpha.variable) * soft.value
        loss += sum(hint.weight_variable * part.value for hint, part in zip(self.hints, hints, strict=True))
        loss += sum(ops.sum(ops.cast(penalty, "float32")) for penalty in self.student.losses)
        return Step(logits, batch, loss, [hard, soft, *hints])


def _soft_mean(batch, logits, soft_loss, temperature, hints):
    """The soft loss over the examples; 0 if the widths differ, there are no labels, and hints train the student."""
    try:
        return mean(one_value_each(soft_loss(batch, logits, temperature), logits), batch.mask, batch.weight)
    except check_steps.UnequalWidths as error:
        if not hints or batch.labels is not None:
            raise
        warnings.warn(f"{error} Here the hints alone train the student.", stacklevel=2)
        return no_mean()


def _hard_mean(batch, logits, student_loss, task):
    """The labels' loss over the examples with a label; 0 where there is none."""
    if batch.labels is None:
        return no_mean()
    labels, labelled = task.for_loss(batch.labels, student_loss)
    values = one_value_each(student_loss(labels, logits), logits)
    if len(values.shape) < len(labelled.shape):  # one value for an example with many labels needs all of them
        labelled = ops.all(labelled, axis=range(1, len(labelled.shape)))
    return mean(values, labelled, batch.weight)


def _hint_mean(batch, hint, student_features, teacher_features):
    """A hint's mean over the examples, or over the places that are no padding if it has a value for each place."""
    student_features, teacher_features, mask = mask_features(student_features, teacher_features, batch.mask)
    values = hint(student_features, teacher_features)
    of_places = mask is not None and len(mask.shape) == len(values.shape)
    return mean(values, mask if of_places else None, batch.weight)
