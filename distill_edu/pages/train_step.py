"""Page "How do you teach Keras to distil?": one image through the epochs, and its exercises."""

import ipywidgets
import numpy as np

from distill_edu._inside.check_values import require_logits
from distill_edu.pages.shared.exercise import CORRECT, NOT_ATTEMPTED, Verdict, call, check_answer, not_yet, value
from distill_edu.pages.shared.explorer import Explorer, require_names, slider, temperature_slider
from distill_edu.pages.shared.picture import (
    DISTILLED,
    TEACHER,
    class_axis,
    grouped_bars,
    legend_below,
    percent,
    two_axes,
)
from distill_edu.probabilities import soft_targets


def learning_explorer(teacher_logits, student_logits, curve, class_names, temperature=4):
    """Slide through the epochs of a training: the student's answer [epochs, classes] on one image beside the teacher's.

    `curve`: one number per epoch, such as the accuracy on validation data.
    """
    teacher_logits, student_logits = require_logits(teacher_logits), require_logits(student_logits)
    if len(student_logits) != len(curve):
        raise ValueError(
            f"student_logits has {len(student_logits)} epochs and curve {len(curve)}: give one of each per epoch."
        )
    require_names(student_logits, class_names)
    controls = {
        "epoch": slider(ipywidgets.IntSlider, "Epoch (number)", max=len(curve) - 1),
        "temperature": temperature_slider(temperature),
    }

    def draw(figure, **values):
        return draw_learning(figure, teacher_logits, student_logits, curve, class_names, **values)

    return Explorer(draw, controls)


def draw_learning(figure, teacher_logits, student_logits, curve, class_names, temperature, epoch):
    """The student's answer after `epoch` epochs beside the teacher's; on the right a curve over the epochs."""
    p, q = soft_targets(teacher_logits, temperature), soft_targets(student_logits[epoch], temperature)
    left, right = two_axes(figure)
    grouped_bars(left, {"teacher": (p, TEACHER), "student": (q, DISTILLED)})
    class_axis(left, class_names)
    left.set(ylim=(0, 1), ylabel="probability", title=f"one image at T = {temperature:g}")
    legend_below(left)
    right.plot(curve, color=DISTILLED)
    right.plot(epoch, curve[epoch], "o", color=DISTILLED)
    right.xaxis.get_major_locator().set_params(integer=True)
    right.set(xlabel="epochs of training", ylabel="accuracy on validation data", ylim=(0, 1), title="the student")
    gap = np.abs(p - q).sum() / 2
    return (
        f"After {epoch} epochs teacher and student place {percent(gap)} of the probability differently on this image. "
        f"The student's accuracy on validation data is {curve[epoch]:.3f}."
    )


def check_trained_numbers(answer):
    """How many numbers the optimizer changes when a 784-100-10 teacher teaches a 784-10-10 student."""
    student, teacher = 784 * 10 + 10 + 10 * 10 + 10, 784 * 100 + 100 + 100 * 10 + 10
    mistakes = [
        (teacher, "that is the teacher, which is not trained."),
        (student + teacher, "the teacher is part of the model, but it is not trained."),
        (784 * 10 + 10 * 10, "the biases are missing: one per unit."),
        (784 * 10 + 10 + 10 * 10, "one of the two layers has no biases yet: there is one per unit."),
        (4, "that is the number of arrays; count the numbers in them."),
    ]
    return check_answer(answer, student, mistakes, "add weights and biases of both layers of the student.")


def check_distillation_step(function):
    """One training step function(student, teacher, optimizer, x, y) at T = 4, alpha = 0.1."""
    if function is None or function is ...:
        return Verdict(NOT_ATTEMPTED)
    from distill_edu._inside.backend import keras

    for seed in (1, 5):
        student, teacher, x, y = _small_models(seed)
        start, taught = ([np.array(weight) for weight in one.get_weights()] for one in (student, teacher))
        _, verdict = call(lambda s=student, t=teacher, x=x, y=y: function(s, t, keras.optimizers.SGD(1.0), x, y))
        if verdict:
            return verdict
        hint = _misused(student, teacher, start, taught)
        verdict = not_yet(hint) if hint else _judge_step(student.get_weights()[0] - start[0], start, taught, x, y)
        if not student.layers[0].calls and not teacher.layers[0].calls:
            return Verdict(NOT_ATTEMPTED)
        if verdict != CORRECT:
            return verdict
    return verdict


def _misused(student, teacher, start, taught):
    """What is wrong with how the step used both models, if anything is."""
    if any((a != b).any() for a, b in zip(taught, teacher.get_weights(), strict=True)):
        return "the teacher changed. Take gradients for student.trainable_variables only."
    if student.layers[0].calls != [True]:
        return "call the student exactly once, with training=True."
    if teacher.layers[0].calls != [False]:
        return "call the teacher exactly once, with training=False."
    if all((a == b).all() for a, b in zip(start, student.get_weights(), strict=True)):
        return "the student is as before: apply the gradients with optimizer.apply_gradients."
    return None


def _small_models(seed):
    """Two linear models that remember how they were called."""
    from distill_edu._inside.backend import keras

    class Watch(keras.layers.Layer):
        calls = ()

        def call(self, inputs, training=None):
            self.calls = [*self.calls, bool(training)]
            return inputs

    def model(seed):
        kernel = keras.initializers.RandomNormal(stddev=1.0, seed=seed)
        built = keras.Sequential([keras.Input((4,)), Watch(), keras.layers.Dense(3, kernel_initializer=kernel)])
        built.layers[0].calls = []  # building the model called it, too
        return built

    generator = np.random.RandomState(seed)
    return model(seed), model(seed + 1), generator.randn(6, 4).astype("float32"), np.array([0, 1, 2, 0, 1, 2])


def _judge_step(moved, start, taught, x, y, t=4, alpha=0.1):
    """Compare the step with the one that T (q - p) and the labels ask for: the models are linear."""
    z_s, z_t = x @ start[0] + start[1], x @ taught[0] + taught[1]

    def step(alpha, t, power):
        soft = t ** (power - 1) * (soft_targets(z_s, t) - soft_targets(z_t, t))
        hard = soft_targets(z_s) - np.eye(3)[y]
        return -x.T @ (alpha * hard + (1 - alpha) * soft) / len(x)

    mistakes = [
        (step(1 - alpha, t, 2), "alpha is the weight of the hard labels: it seems to stand at the soft loss."),
        (step(alpha, t, 0), "the factor T² of the soft loss is missing."),
        (step(alpha, 1, 2), "the soft loss needs the temperature 4."),
        (step(0, t, 2), "the hard labels' loss is missing."),
        (step(1, t, 2), "the soft targets' loss is missing."),
        (-step(alpha, t, 2), "the step goes uphill: apply_gradients subtracts the gradient itself."),
        (step(alpha, t, 2) * len(x), "take the mean of the loss over the batch, not the sum."),
    ]
    return check_answer(moved, step(alpha, t, 2), mistakes, "the step is not the one of 0.1 CE + 0.9 T² KL at T = 4.")


def check_shuffled_pairs(function):
    """function(x, y, logits) -> a shuffled tf.data pipeline that keeps each example with its own label and logits."""
    x = np.arange(64, dtype="float32")[:, None]
    y, logits = np.arange(64) % 3, np.concatenate([x, -x], axis=1)
    data, verdict = value(function, x, y, logits)
    if verdict:
        return verdict
    if not hasattr(data, "batch"):
        return not_yet(f"return a tf.data pipeline, not {type(data).__name__}.")
    batches, verdict = call(lambda: _batches(data))
    if verdict:
        return verdict
    return not_yet(hint) if (hint := _out_of_step(x, batches)) else Verdict(CORRECT)


def _batches(data, most=65):
    """At most so many batches: a pipeline that repeats has no end."""
    return [(np.array(x), np.array(y["labels"]), np.array(y["teacher_logits"])) for x, y in data.take(most)]


def _out_of_step(x, batches):
    """What is wrong with the order of these batches, if anything is."""
    if any(a.ndim != 2 for a, _, _ in batches):
        return "the pipeline gives single examples; put them into batches with .batch(32)."
    got_x, got_y, got_logits = (np.concatenate(part) for part in zip(*batches, strict=True))
    if len(got_x) > len(x):
        return "the pipeline goes on after the last example: fit counts the epochs itself, so leave .repeat() out."
    if sorted(got_x[:, 0]) != sorted(x[:, 0]):
        return "the pipeline should give every example once."
    if not (got_logits[:, :1] == got_x).all() or not (got_y == got_x[:, 0] % 3).all():
        return "examples and their labels or logits are mixed up. Put all three in first, then shuffle."
    if all((np.diff(a[:, 0]) == 1).all() for a, _, _ in batches):
        return "the examples come in the old order, at least within a batch; shuffle them before you make batches."
    return None
