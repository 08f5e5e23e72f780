"""Page "How do you teach Keras to distil?": one image through the epochs; its exercises."""

import numpy as np
import pytest
from drawn import at, bars, lines, ticks
from exercises import answers
from gallery import LOGITS, NAMES

from distill_edu.pages import train_step as page
from distill_edu.pages.shared import picture

EPOCHS = np.array([[0.0, 0.1, -0.1], [2.0, 1.0, -1.0], [5.0, 2.5, -1.0]])
CURVE = [0.1, 0.6, 0.9]


def softmax(z, t):
    return np.exp(z / t) / np.exp(z / t).sum()


@pytest.mark.parametrize("epoch, t", [(0, 1), (1, 4), (2, 20)])
def test_the_answer_after_this_epoch_beside_the_teachers(epoch, t):
    figure, words = at(page.learning_explorer(LOGITS[0], EPOCHS, CURVE, NAMES), epoch=epoch, temperature=t)
    left, right = figure.axes
    p, q = softmax(LOGITS[0], t), softmax(EPOCHS[epoch], t)
    (teacher, its, blue), (student, mine, green) = bars(left)
    assert (teacher, blue, student, green) == ("teacher", picture.TEACHER.lower(), "student", picture.DISTILLED.lower())
    assert its == pytest.approx(p) and mine == pytest.approx(q) and ticks(left) == list(NAMES)
    (curve,), (mark,) = lines(right, "None"), lines(right, "o")
    assert list(curve.x) == [0, 1, 2] and list(curve.y) == CURVE and (*mark.x, *mark.y) == (epoch, CURVE[epoch])
    apart = 50 * np.abs(p - q).sum()
    assert words == (
        f"After {epoch} epochs teacher and student place {apart:.1f}% of the probability differently on this image. "
        f"The student's accuracy on validation data is {CURVE[epoch]:.3f}."
    )


def test_wrong_arguments_get_a_sentence():
    with pytest.raises(ValueError, match="2 epochs and curve 1"):
        page.learning_explorer(LOGITS[0], LOGITS, [0.5], NAMES)


test_exercises = answers(
    page,
    trained_numbers=(
        7960,
        [
            (79510, "teacher"),
            (87470, "not trained"),
            (7940, "biases"),
            (7950, "one of the two layers"),
            (7945, "add weights"),
            (7975, "add weights"),
            (4, "arrays"),
        ],
    ),
)


def step(
    alpha=0.1, t=4.0, training=(False, True), power=1.0, who="student", sign=1, total=False, calls=(1, 1), apply=True
):
    """A distillation step with one thing wrong."""
    import tensorflow as tf

    from distill_edu import distillation_loss, hard_label_loss

    def run(student, teacher, optimizer, x, y):
        with tf.GradientTape() as tape:
            for _ in range(calls[0]):
                z = teacher(x, training=training[0])
            for _ in range(calls[1]):
                s = student(x, training=training[1])
            values = alpha * hard_label_loss(y, s) + (1 - alpha) * power * distillation_loss(z, s, t)
            loss = tf.reduce_sum(values) if total else tf.reduce_mean(values)
        weights = {"student": student, "teacher": teacher}[who].trainable_variables
        gradients = [sign * g for g in tape.gradient(loss, weights)]
        if apply:
            optimizer.apply_gradients(zip(gradients, weights, strict=True))

    return run


@pytest.mark.parametrize(
    "wrong, hint",
    [
        ({"who": "teacher"}, "the teacher changed"),
        ({"training": (False, False)}, "student exactly once, with training=True"),
        ({"training": (True, True)}, "teacher exactly once, with training=False"),
        ({"calls": (2, 1)}, "teacher exactly once"),
        ({"calls": (1, 2)}, "student exactly once"),
        ({"apply": False}, "apply the gradients"),
        ({"alpha": 0.9}, "alpha is the weight of the hard labels"),
        ({"power": 1 / 16}, "factor T²"),
        ({"t": 1.0, "power": 1.0}, "temperature 4"),
        ({"alpha": 0.0}, "hard labels' loss is missing"),
        ({"alpha": 1.0}, "soft targets' loss is missing"),
        ({"sign": -1}, "uphill"),
        ({"total": True}, "mean of the loss"),
        ({"alpha": 0.5}, "not the one of"),
    ],
)
def test_a_wrong_step_gets_its_own_hint(wrong, hint):
    assert hint in page.check_distillation_step(step(**wrong))
    assert page.check_distillation_step(step()) == "Correct!"


def test_a_step_that_was_not_attempted_and_one_that_fails():
    assert page.check_distillation_step(lambda *arguments: ...) == page.check_distillation_step(...)
    assert "TypeError" in page.check_distillation_step(lambda student: 1)


def pipeline(*parts, change=lambda data: data.shuffle(64, seed=1).batch(8)):
    import tensorflow as tf

    x, y, z = parts
    return change(tf.data.Dataset.from_tensor_slices((x, {"labels": y, "teacher_logits": z})))


PIPELINES = {
    "right": (pipeline, "Correct!"),
    "right, batches of batches": (
        lambda x, y, z: pipeline(x, y, z, change=lambda d: d.shuffle(64, seed=1).batch(64)),
        "Correct!",
    ),
    "labels alone out of step": (lambda x, y, z: pipeline(x, y[::-1].copy(), z), "mixed up"),
    "logits alone out of step": (lambda x, y, z: pipeline(x, y, z[::-1].copy()), "mixed up"),
    "unshuffled": (lambda x, y, z: pipeline(x, y, z, change=lambda d: d.batch(8)), "shuffle them before"),
    "batches shuffled": (
        lambda x, y, z: pipeline(x, y, z, change=lambda d: d.batch(8).shuffle(8, seed=1)),
        "shuffle them before",
    ),
    "unbatched": (lambda x, y, z: pipeline(x, y, z, change=lambda d: d.shuffle(64)), ".batch(32)"),
    "endless": (
        lambda x, y, z: pipeline(x, y, z, change=lambda d: d.shuffle(64).repeat().batch(8)),
        "leave .repeat() out",
    ),
    "one example twice": (
        lambda x, y, z: pipeline(*(np.concatenate([a[:1], a[:63]]) for a in (x, y, z))),
        "every example once",
    ),
    "no pipeline": (lambda x, y, z: x, "return a tf.data pipeline"),
    "an argument": (lambda x: x, "raised TypeError"),
    "nothing": (lambda x, y, z: ..., "Not attempted"),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_out_of_step_is_noticed(name):
    function, hint = PIPELINES[name]
    assert hint in page.check_shuffled_pairs(function)
