"""`Distiller`: a Keras model that trains a student on hard labels and on the soft targets of a teacher."""

from distill_edu import losses
from distill_edu._inside import check_models, check_steps
from distill_edu._inside.backend import keras, live_number, tf
from distill_edu._inside.batch import (
    Batch,
    Step,
    features_without_padding,
    labelled,
    mean,
    over_replicas,
    read_labels,
    read_targets,
    read_weight,
    weight_like,
    zero_at_padding,
)  # fmt: skip
from distill_edu._inside.check_values import require_temperature
from distill_edu._inside.disk import whole
from distill_edu._inside.keras_model import PartlyTrained
from distill_edu._inside.layer_outputs import one_output, prepared, require_apart, with_features

ops = keras.ops


@keras.saving.register_keras_serializable(package="distill_edu")
class Distiller(PartlyTrained):
    """Train `student` on alpha x hard-label loss + (1 - alpha) x soft-target loss of `teacher`.

    Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network", section 2:
    loss = alpha CE(y, z_s) + (1 - alpha) T^2 KL(softmax(z_t / T) || softmax(z_s / T)), mean over the batch.

    Both models map x to logits [batch, ..., classes]. `fit` and `evaluate` take, as for any Keras model, (x, y):
    y are labels (integers or one-hot; -1 or a row of zeros: no label, so only the soft targets count), or None when
    alpha is 0, or {"labels": y, "teacher_logits": z}: then the teacher is not run and may be left out. A "mask" in
    it, False at padding, takes the place of Keras's own mask; what is padding counts nowhere.
    `hints`: layers of `distill_edu.hints`, such as Hint; each adds weight x its mean to the loss.
    The teacher is never changed. `distiller.student` is the trained model: save that one to use it.
    """

    temperature = live_number(
        "_temperature", require_temperature, "The temperature T > 0; may be set while `fit` runs."
    )
    alpha = live_number(
        "_alpha", check_models.require_alpha, "The hard labels' weight, in [0, 1]; may be set while `fit` runs."
    )

    def __init__(self, *, student, teacher=None, hints=(), **keras_arguments):
        check_models.require_models(student, teacher)
        require_apart(student, teacher)
        hints = prepared(hints, student, teacher)
        # The student's dtype policy: Keras scales the loss of a mixed_float16 model, and only of one.
        super().__init__(**{"dtype": student.dtype_policy, "autocast": False, **keras_arguments})
        self.student, self.teacher, self.hints = student, teacher, hints
        # Variables, not numbers: a number would be frozen into the traced train_step.
        self._temperature = keras.Variable(4.0, trainable=False, dtype="float32", name="temperature")
        self._alpha = keras.Variable(0.1, trainable=False, dtype="float32", name="alpha")
        self._soft_loss, self._hard_loss = losses.SOFT_LOSSES["kl"], losses.hard_label_loss
        names = ["student_loss", "distillation_loss", *(hint.name for hint in hints)]
        self._part_means = [keras.metrics.Mean(name=name) for name in names]
        # One forward pass gives the logits and what the hints compare. Functions, so that Keras saves nothing twice.
        self._run_student = with_features(student, [hint.student_layer for hint in hints], "student")
        self._run_teacher = with_features(teacher, [hint.teacher_layer for hint in hints], "teacher")
        self.built = student.built  # it has no weights of its own to wait for

    def compile(
        self, optimizer="adam", *, temperature=4.0, alpha=0.1, soft_loss="kl", student_loss=None, metrics=None, **others
    ):
        """Set the optimizer, the temperature T > 0, the weight `alpha` of the hard labels in [0, 1], and `metrics`.

        `soft_loss`: "kl", "reverse_kl", "decoupled", "sigmoid" (yes or no), "mean_square" (numbers), or a function of
        one's own: see `losses.soft_loss`. `student_loss(labels, logits)`: one value per label, or one per example,
        which then counts where all its labels are there; None is the loss that goes with soft_loss, for classes the
        cross-entropy from logits. `others`: any other argument of keras.Model.compile, such as jit_compile or
        weighted_metrics. Raises ValueError before anything is changed.
        """
        check_models.require_our_names(others)
        check_models.require_own_hooks(self)
        check_models.require_student_loss(student_loss)
        of_soft = losses.named_soft_loss(soft_loss)
        check_models.require_heads(getattr(of_soft, "task", "classes"), self.student, self.teacher)
        temperature, alpha = require_temperature(temperature), check_models.require_alpha(alpha)
        super().compile(optimizer=optimizer, metrics=metrics, **others)
        self._soft_loss, self.temperature, self.alpha = of_soft, temperature, alpha
        self._hard_loss = getattr(student_loss, "call", student_loss) or losses.HARD_LOSSES[self.task]
        self._given = {"soft_loss": soft_loss, "student_loss": student_loss}  # as they came, for get_compile_config

    def require_apart(self):
        """Refuse to train a layer that the teacher has, too: see `features.require_apart`."""
        require_apart(self.student, self.teacher)

    @property
    def trained_parts(self):
        return [self.student, *self.hints]

    @property
    def settings(self):
        """The variables of temperature and alpha."""
        return self._temperature, self._alpha

    @property
    def task(self):
        """What the outputs are, by the soft loss: "classes", "yes_no" or "numbers"."""
        return getattr(self._soft_loss, "task", "classes")

    def call(self, inputs, training=None):
        return one_output(self.student(inputs, training=training), "student")

    # --- one step, in the order in which it runs ---

    def train_step(self, data):
        return self.learn(self.read(data))

    def test_step(self, data):
        return self.look(self.read(data))

    def learn(self, batch):
        """Change the student by one step on a batch that has been read; the running means and metrics after it."""
        gradients, step = self.gradients(batch)
        if not self.optimizer.built:  # here, because XLA cannot create variables below a condition
            self.optimizer.build(self.trainable_variables)
        pairs = list(zip(gradients, self.trainable_variables, strict=True))
        check_steps.change_unless(self.problems(step), lambda: self.optimizer.apply_gradients(pairs), self.lock)
        return self.report(step)

    def look(self, batch):
        """Evaluate the student on a batch that has been read; the running means and metrics after it."""
        step = self.forward(batch, training=False)
        check_steps.change_unless(self.problems(step), tf.no_op, self.lock)
        return self.report(step)

    def read(self, data):
        """The batch with the teacher's answer: outside of the tape and with training=False, for it does not learn."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        labels, logits, mask = read_targets(y)
        features = []
        if logits is None or self.hints:
            check_models.require_teacher(self.teacher)
            answer, features = self._run_teacher(x, training=False)
            mask = getattr(answer, "_keras_mask", None) if mask is None and logits is None else mask
            logits = answer if logits is None else logits
        logits = ops.cast(logits, "float32")
        check_steps.require_width(logits.shape)
        labels = None if labels is None else read_labels(labels, logits, self.task)
        return Batch(x, labels, read_weight(sample_weight), mask, logits, features, self.task)

    def gradients(self, batch):
        """The loss's gradients with respect to the trained weights, and the forward pass that they come from."""
        with tf.GradientTape() as tape:
            # For a Classroom, which puts other students' weights, plain tensors, in the place of these variables.
            tape.watch([variable.value for variable in self.trainable_variables])
            step = self.forward(batch, training=True)
            # One replica of a tf.distribute strategy has its share of the gradient's mean.
            share = step.loss / tf.distribute.get_strategy().num_replicas_in_sync
            scaled_loss = self.optimizer.scale_loss(share)
        if not self.trainable_variables:  # now, because a subclassed student may have made its weights just above
            raise ValueError("Nothing is trainable here: set student.trainable = True, compile, and fit again.")
        return tape.gradient(scaled_loss, [variable.value for variable in self.trainable_variables]), step

    def forward(self, batch, training):
        """alpha CE(y, s) + (1 - alpha) soft(z, s, T) + weighted hints, each a mean over what counts."""
        logits, features = self._run_student(batch.x, training)
        batch = batch.without_padding(getattr(logits, "_keras_mask", None))
        logits = zero_at_padding(ops.cast(logits, "float32"), batch.mask)
        soft = mean(self._soft_loss(batch, logits, self._temperature), batch.mask, batch.weight)
        hard = self._hard_mean(batch, logits)
        pairs = zip(self.hints, features, batch.features, strict=True)
        hints = [self._hint_mean(batch, *pair) for pair in pairs]
        loss = self._alpha * hard.value + (1 - self._alpha) * soft.value
        loss += sum(hint.weighed(part.value) for hint, part in zip(self.hints, hints, strict=True))
        return Step(logits, batch, loss + sum(self.student.losses), [hard, soft, *hints])

    def _hint_mean(self, batch, hint, mine, teachers):
        """A hint's mean over the examples; where it has a value for each place, over those that are no padding."""
        mine, teachers, mask = features_without_padding(mine, teachers, batch.mask)
        values = hint(mine, teachers)
        return mean(values, mask if mask is not None and len(mask.shape) == len(values.shape) else None, batch.weight)

    def _hard_mean(self, batch, logits):
        """The mean of the labels' loss over the examples with a label; 0 where there is none."""
        if batch.labels is None:
            return mean(ops.zeros(1), ops.zeros(1, "bool"), None)
        known = labelled(batch.labels, logits, self.task)
        labels = ops.where(batch.labels == -1, 0, batch.labels) if self.task == "classes" else batch.labels
        values = self._hard_loss(labels, logits)
        check_steps.require_one_value_each(tuple(values.shape), tuple(logits.shape))
        if len(values.shape) < len(known.shape):  # one value per example, which has many labels: all of them are needed
            known = ops.all(known, axis=range(1, len(known.shape)))
        return mean(values, known, batch.weight)

    def problems(self, step):
        """What forbids this step: see `guard.problems`."""
        return check_steps.problems(step.batch, self._alpha, step.loss, check_steps.all_probabilities(step.logits))

    def report(self, step):
        """Update the running means, each weighted by its number of examples, and the metrics; return all of them."""
        examples = over_replicas(ops.cast(ops.shape(step.logits)[0], "float32"))
        loss_mean = next(metric for metric in self.metrics if metric.name == "loss")
        loss_mean.update_state(step.loss, sample_weight=examples)
        for part_mean, (value, count) in zip(self._part_means, step.parts, strict=True):
            part_mean.update_state(value, sample_weight=count)
        return self.compute_metrics(step.batch.x, step.batch.labels, step.logits, step.batch.weight)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The metrics of `compile` over the labelled examples, with the running means of the losses."""
        labels, _, _ = read_targets(y)
        if labels is None:
            of_losses = {"loss", *(part_mean.name for part_mean in self._part_means)}
            return {m.name: m.result() for m in self.metrics if m.name in of_losses}
        labels = read_labels(labels, y_pred, self.task)
        known = labelled(labels, y_pred, self.task)
        rows = tf.where(known)
        if sample_weight is not None:
            sample_weight = tf.gather_nd(weight_like(known, sample_weight), rows)
        return super().compute_metrics(x, tf.gather_nd(labels, rows), tf.gather_nd(y_pred, rows), sample_weight)

    def get_metrics_result(self):
        """All running means; a metric that has not seen a label yet has no value."""
        results = {}
        for metric in self.metrics:
            if getattr(metric, "built", True):
                value = metric.result()
                results.update(value if isinstance(value, dict) else {metric.name: value})
        return results

    # --- as any Keras model ---

    @check_steps.speaks_plainly(keras.Model.summary)
    def summary(self, *args, **kwargs):
        """Keras's table, under a line that says which of both models is trained."""
        teacher = "none" if self.teacher is None else self.teacher.name
        (kwargs.get("print_fn") or print)(
            f"Student, is trained: {self.student.name}. Teacher, is only asked: {teacher}."
        )
        return super().summary(*args, **kwargs)

    def save(self, filepath, *args, **kwargs):
        """As keras.Model.save: student, teacher, hints and the state of training, whole or not at all."""
        check_models.require_keras_file(filepath)
        with whole(filepath) as aside:
            super().save(aside, *args, **kwargs)

    def export(self, *args, **kwargs):
        """As keras.Model.export, of the student: what is used afterwards."""
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
        ours = {"temperature": self.temperature, "alpha": self.alpha, **self._given}
        return {**kept, **keras.saving.serialize_keras_object(ours)}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)
