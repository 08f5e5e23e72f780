"""Page "How do you teach Keras to distil?": one image through the epochs, what `fit` shows, and its exercises."""

import ipywidgets
import numpy as np

from distill_edu._inside.backend import keras
from distill_edu.losses import distillation_loss
from distill_edu.metrics import accuracy, nll
from distill_edu.models import teacher_logits
from distill_edu.pages.shared.exercise import CORRECT, NOT_ATTEMPTED, Exercise, call, not_yet, value
from distill_edu.pages.shared.explorer import Explorer, read_logits, slider, temperature_slider
from distill_edu.pages.shared.picture import (
    CLASSES,
    DISTILLED,
    NEUTRAL,
    TEACHER,
    class_bars,
    empty_axes,
    legend,
    legend_below,
)
from distill_edu.pages.shared.plots import curves
from distill_edu.probabilities import soft_targets

# Where the bars, the curve and the image stand: left, bottom, width, height, as shares of the figure.
BOXES = ((0.1, 0.22, 0.375, 0.67), (0.605, 0.22, 0.23, 0.67), (0.86, 0.39, 0.13, 0.33))


def learning_explorer(valid, logits, class_names, image=0, temperature=4):
    """Slide through the epochs of a training: what teacher and student answer to an image, and how often each is right.

    `valid`: images [n, rows, columns, 1] and labels [n]; `logits`: [epochs + 1, 2, n, classes], of teacher and student,
    before the training and after each epoch; `image`: the number of the image that is shown.

    >>> learning_explorer((np.ones((1, 8, 8, 1)), np.array([1])), [[[[4.0, 1.0]], [[0.1, 0.2]]]] * 2, ["cat", "dog"])
    <sliders: epoch, temperature>
    """
    logits = read_logits(logits, class_names)
    accuracy = (logits.argmax(axis=-1) == valid[1]).mean(axis=-1).T  # (teacher and student, epochs)
    epochs = np.arange(len(logits))
    controls = {
        "epoch": slider(ipywidgets.IntSlider, "Epoch (number)", max=len(logits) - 1),
        "temperature": temperature_slider(temperature),
    }

    def draw(figure, temperature, epoch):
        p, q = soft_targets(logits[epoch, :, image], temperature)
        left, right, shown = empty_axes(figure, *BOXES)
        answers = {"teacher": (p, TEACHER), "student": (q, DISTILLED)}
        title = f"answers to the image, epoch {epoch}, T = {temperature:g}"
        class_bars(left, answers, class_names, ylabel="probability", title=title)
        legend_below(left)
        for curve, (name, (_, colour)) in zip(accuracy, answers.items(), strict=True):
            right.plot(epochs, curve, color=colour, label=name)
            right.plot(epoch, curve[epoch], "o", color=colour)
        right.xaxis.get_major_locator().set_params(integer=True, nbins=5)
        legend(right, loc="lower right")
        right.set(xlabel="epochs of training", ylabel="accuracy", ylim=(0, 1), title="all validation images")
        shown.imshow(valid[0][image], cmap="gray_r")
        shown.set_title("the image", fontsize=9)
        shown.set_axis_off()
        right_now = " and ".join(f"{name} {curve[epoch]:.3f}" for name, curve in zip(answers, accuracy, strict=True))
        return (
            f"After epoch {epoch} the teacher's largest probability for this image is {p.max():.3f}. "
            f"Accuracy on the validation images: {right_now}."
        )

    return Explorer(draw, controls)


def copy_of(model):
    """A copy of a model with weights of its own: what changes the copy leaves the model as it is."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def largest_change(model, other):
    """The largest difference between a weight of one model and the same weight of the other."""
    return max(abs(a - b).max() for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


def compared(distillers, x, y, temperature=4.0, alpha=0.1):
    """Return a table of models that distil, a row for each, on the images `x` with labels `y`.

    Columns: the loss, how often teacher and student are right, and the teacher's confidence: its mean largest
    probability at T. `distillers`: name -> a model with a `teacher` and a `student`.
    """
    width = max(map(len, distillers))
    rows = [f"{'':{width}}  loss  teacher right  student right  teacher's confidence"]
    for name, distiller in distillers.items():
        teacher, student = (teacher_logits(model, x) for model in (distiller.teacher, distiller.student))
        kl = float(np.mean(distillation_loss(teacher, student, temperature)))
        loss, confidence = alpha * nll(y, student) + (1 - alpha) * kl, soft_targets(teacher, temperature).max(axis=1)
        right = f"{accuracy(y, teacher):13.3f}  {accuracy(y, student):13.3f}"
        rows.append(f"{name:{width}}  {loss:.2f}  {right}  {confidence.mean():20.3f}")
    return "\n".join(rows)


def keep_answers(distiller, x):
    """Return a callback and a list: before the training and after each epoch it gets both models' logits for `x`."""
    answers, both = [], (distiller.teacher, distiller.student)

    def keep(*_):
        answers.append([teacher_logits(model, x) for model in both])

    return keras.callbacks.LambdaCallback(on_train_begin=keep, on_epoch_end=keep), answers


def keep_losses():
    """Return a callback and a list: after each batch it gets the loss that the step returned."""
    losses = []
    return keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: losses.append(logs["loss"])), losses


def draw_losses(batch_losses, shown):
    """Draw the loss of each batch, and the one number that `fit` shows for each model. `shown`: name -> loss.

    >>> draw_losses([3.0, 2.0, 1.0], {"MyDistiller": 0.0, "TwoKeys": 1.0}).axes[0].get_ylabel()
    'loss'
    """
    lines = {"loss of each batch": (batch_losses, NEUTRAL)}
    for (name, loss), colour in zip(shown.items(), CLASSES, strict=False):
        lines[f"{name}: fit shows {loss:.3f}"] = (np.full(len(batch_losses), loss), colour)
    return curves(np.arange(1, len(batch_losses) + 1), lines, "batch of the epoch", "loss")


STUDENT_NUMBERS = (784 * 10 + 10) + (10 * 10 + 10)  # weights and biases of both layers
TEACHER_NUMBERS = (784 * 100 + 100) + (100 * 10 + 10)
# The reader types how many numbers the optimizer changes when a 784-100-10 teacher teaches a 784-10-10 student.
check_trained_numbers = Exercise(
    right=STUDENT_NUMBERS,
    mistakes=[
        (TEACHER_NUMBERS, "that is the teacher, which is not trained."),
        (STUDENT_NUMBERS + TEACHER_NUMBERS, "the teacher is part of the model, but it is not trained."),
        (STUDENT_NUMBERS - 20, "the biases are missing: one per unit."),
        (STUDENT_NUMBERS - 10, "one of the two layers has no biases yet: there is one per unit."),
        (784 * 10 + 10, "that is the first layer; the second one is trained, too."),
        (4, "that is the number of arrays; count the numbers in them."),
    ],
    otherwise="add weights and biases of both layers of the student.",
)


def check_distillation_step(function):
    """The reader writes function(student, teacher, optimizer, x, y): one training step at T = 4 and alpha = 0.1."""
    if function is None or function is ...:
        return NOT_ATTEMPTED
    for seed in (1, 5):
        student, teacher, x, y = _small_models(seed)
        before, taught = ([np.array(weight) for weight in model.get_weights()] for model in (student, teacher))
        _, verdict = call(lambda s=student, t=teacher, x=x, y=y: function(s, t, keras.optimizers.SGD(1.0), x, y))
        if verdict:
            return verdict
        if not student.layers[0].calls and not teacher.layers[0].calls:
            return NOT_ATTEMPTED
        if hint := _misused(student, teacher, before, taught):
            return not_yet(hint)
        moved = [after - start for after, start in zip(student.get_weights(), before, strict=True)]
        verdict = _judge_step(np.vstack(moved), before, taught, x, y)
        if verdict != CORRECT:
            return verdict
    return verdict


def _misused(student, teacher, before, taught):
    """What is wrong with the step's calls of both models, if anything is."""
    if any((a != b).any() for a, b in zip(taught, teacher.get_weights(), strict=True)):
        return "the teacher changed. Take gradients for student.trainable_variables only."
    if student.layers[0].calls != [True]:
        return "call the student exactly once, with training=True."
    if teacher.layers[0].calls != [False]:
        return "call the teacher exactly once, with training=False."
    if all((a == b).all() for a, b in zip(before, student.get_weights(), strict=True)):
        return "the student is as before: apply the gradients with optimizer.apply_gradients."
    return None


def _small_models(seed):
    """Two linear models that remember how they were called, and six examples of three classes."""

    class Watch(keras.layers.Layer):
        calls = ()

        def call(self, inputs, training=None):
            self.calls = [*self.calls, bool(training)]
            return inputs

    def linear(seed):
        kernel = keras.initializers.RandomNormal(stddev=1.0, seed=seed)
        model = keras.Sequential([keras.Input((4,)), Watch(), keras.layers.Dense(3, kernel_initializer=kernel)])
        model.layers[0].calls = []  # building the model called the layer, too
        return model

    generator = np.random.RandomState(seed)
    return linear(seed), linear(seed + 1), generator.randn(6, 4).astype("float32"), np.array([0, 1, 2, 0, 1, 2])


def _judge_step(moved, before, taught, x, y, t=4, alpha=0.1):
    """Compare the student's move, [inputs + 1, classes], with the gradient of both losses by hand: it is linear."""
    z_s, z_t = x @ before[0] + before[1], x @ taught[0] + taught[1]
    inputs = np.column_stack([x, np.ones(len(x))])  # the last one is the bias's

    def step(alpha, t, power):
        soft = t ** (power - 1) * (soft_targets(z_s, t) - soft_targets(z_t, t))
        hard = soft_targets(z_s) - np.eye(3)[y]
        return -inputs.T @ (alpha * hard + (1 - alpha) * soft) / len(x)

    right = step(alpha, t, 2)
    mistakes = [
        (step(1 - alpha, t, 2), "alpha is the weight of the hard labels: it seems to stand at the soft loss."),
        (step(alpha, t, 0), "the factor T² of the soft loss is missing."),
        (step(alpha, 1, 2), "the soft loss needs the temperature 4."),
        (step(0, t, 2), "the hard labels' loss is missing."),
        (step(1, t, 2), "the soft targets' loss is missing."),
        (-right, "the step goes uphill: apply_gradients subtracts the gradient itself."),
        (right * len(x), "take the mean of the loss over the batch, not the sum."),
        (right * np.array([[1]] * 4 + [[0]]), "the biases stayed: take all of student.trainable_variables."),
    ]
    return Exercise(right, mistakes, "the step is not the one of 0.1 CE + 0.9 T² KL at T = 4.")(moved)


def check_shuffled_pairs(function):
    """The reader writes function(x, y, logits) -> a shuffled tf.data pipeline that keeps each example's own targets."""
    x = np.arange(6010, dtype="float32")[:, None]  # no whole number of batches of 32
    data, verdict = value(function, x, np.arange(6010) % 3, np.concatenate([x, -x], axis=1))
    if verdict:
        return verdict
    if not hasattr(data, "batch"):
        return not_yet(f"return a tf.data pipeline, not {type(data).__name__}.")
    batches, verdict = call(lambda: _batches(data))
    if verdict:
        return verdict
    return not_yet(hint) if (hint := _out_of_step(x, batches)) else CORRECT


def _batches(data, most=6011):
    """The first batches: a pipeline that repeats has no end."""
    if not isinstance(data.element_spec[1], dict) or {*data.element_spec[1]} != {"labels", "teacher_logits"}:
        raise ValueError('a batch is (x, {"labels": y, "teacher_logits": z}).')
    return [(np.array(x), np.array(y["labels"]), np.array(y["teacher_logits"])) for x, y in data.take(most)]


def _out_of_step(x, batches):
    """What is wrong with the order of these batches, if anything is."""
    if any(part.ndim != 2 for part, _, _ in batches):
        return "the pipeline gives single examples; put them into batches with .batch(32)."
    given_x, given_y, given_logits = (np.concatenate(part) for part in zip(*batches, strict=True))
    if len(given_x) > len(x):
        return "the pipeline goes on after the last example: fit counts the epochs itself, so leave .repeat() out."
    if sorted(given_x[:, 0]) != sorted(x[:, 0]):
        return "the pipeline should give every example once."
    if not (given_logits[:, :1] == given_x).all() or not (given_y == given_x[:, 0] % 3).all():
        return "examples and their labels or logits are mixed up. Put all three in first, then shuffle."
    parts = [given_x] if len(batches) == len(x) else [part for part, _, _ in batches]
    if all((np.diff(part[:, 0]) == 1).all() for part in parts):
        return "the examples come in the old order, at least within a batch; shuffle them before you make batches."
    if given_x[:200].max() < 0.9 * len(x):  # a buffer that does not hold all begins with the first ones
        return "the first examples come first: shuffle keeps at hand what its first argument says, so take len(x)."
    if np.abs(given_x[:, 0] - np.arange(len(x))).mean() < len(x) / 6:  # a full shuffle: a third
        return "the examples hardly move: shuffle keeps as many at hand as its first argument says, so take len(x)."
    return None
