"""Page "How do you teach Keras to distil?": one image through the epochs; a wrong step, a wrong pipeline."""

from types import SimpleNamespace

import numpy as np
import pytest
from drawn import at, bars, lines, ticks
from gallery import NAMES
from small import X, Y, logits, model

from distill_edu.pages import train_step as page
from distill_edu.pages.shared import picture

# The logits [epochs + 1, teacher and student, images, classes]: the teacher's answers get worse.
EPOCHS = np.array(
    [
        [[[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]], [[0.0, 0.1, -0.1], [0.2, 0.0, 0.1]]],
        [[[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[2.0, 1.0, -1.0], [0.5, 0.1, 0.0]]],
        [[[0.0, 0.2, 0.0], [0.0, 0.5, 0.0]], [[5.0, 2.5, -1.0], [0.0, 0.3, 0.1]]],
    ]
)
VALID = np.arange(24.0).reshape(2, 3, 4, 1), np.array([0, 1])
CURVES = {"teacher": [1, 1, 0.5], "student": [0, 0.5, 1]}


def softmax(z, t):
    return np.exp(z / t) / np.exp(z / t).sum()


@pytest.mark.parametrize("epoch, t", [(0, 1), (1, 4), (2, 20)])
def test_the_answers_after_this_epoch_and_how_often_each_is_right(epoch, t):
    figure, words = at(page.learning_explorer(VALID, EPOCHS, NAMES, image=1), epoch=epoch, temperature=t)
    left, right, shown = figure.axes
    p, q = (softmax(z, t) for z in EPOCHS[epoch, :, 1])
    (teacher, teacher_bars, blue), (student, student_bars, green) = bars(left)
    assert (teacher, blue, student, green) == ("teacher", picture.TEACHER.lower(), "student", picture.DISTILLED.lower())
    assert teacher_bars == pytest.approx(p) and student_bars == pytest.approx(q) and ticks(left) == list(NAMES)
    assert f"epoch {epoch}" in left.get_title() and f"T = {t}" in left.get_title()
    for curve, mark, values in zip(lines(right, "None"), lines(right, "o"), CURVES.values(), strict=True):
        assert list(curve.x) == [0, 1, 2] and list(curve.y) == values
        assert (*mark.x, *mark.y) == (epoch, values[epoch])
    assert [curve.colour for curve in lines(right, "None")] == [blue, green]
    assert np.array_equal(shown.images[0].get_array(), VALID[0][1, ..., 0])
    assert words == (
        f"After epoch {epoch} the teacher's largest probability for this image is {p.max():.3f}. Accuracy on the "
        f"validation images: teacher {CURVES['teacher'][epoch]:.3f} and student {CURVES['student'][epoch]:.3f}."
    )


def step(
    alpha=0.1, t=4.0, power=1.0, sign=1, total=False, calls=((False,), (True,)), who="student", apply=True, first=2
):
    """A distillation step. `calls`: the `training` of each call of both models; `first`: so many arrays are trained."""
    import tensorflow as tf

    from distill_edu import distillation_loss, hard_label_loss

    def run(student, teacher, optimizer, x, y):
        with tf.GradientTape() as tape:
            *_, z = (teacher(x, training=training) for training in calls[0])
            *_, s = (student(x, training=training) for training in calls[1])
            values = alpha * hard_label_loss(y, s) + (1 - alpha) * power * distillation_loss(z, s, t)
            loss = tf.reduce_sum(values) if total else tf.reduce_mean(values)
        weights = {"student": student, "teacher": teacher}[who].trainable_variables[:first]
        gradients = [sign * gradient for gradient in tape.gradient(loss, weights)]
        if apply:
            optimizer.apply_gradients(zip(gradients, weights, strict=True))

    return run


@pytest.mark.parametrize(
    "wrong, hint",
    [
        ({"who": "teacher"}, "the teacher changed"),
        ({"calls": ((False,), (False,))}, "student exactly once, with training=True"),
        ({"calls": ((True,), (True,))}, "teacher exactly once, with training=False"),
        ({"calls": ((False, False), (True,))}, "teacher exactly once"),
        ({"calls": ((False,), (True, True))}, "student exactly once"),
        ({"apply": False}, "apply the gradients"),
        ({"alpha": 0.9}, "alpha is the weight of the hard labels"),
        ({"power": 1 / 16}, "factor T²"),
        ({"t": 1.0}, "temperature 4"),
        ({"alpha": 0.0}, "hard labels' loss is missing"),
        ({"alpha": 1.0}, "soft targets' loss is missing"),
        ({"sign": -1}, "uphill"),
        ({"total": True}, "mean of the loss"),
        ({"first": 1}, "the biases stayed"),
        ({"alpha": 0.5}, "not the one of"),
        ({}, "Correct!"),
    ],
)
def test_a_wrong_step_gets_its_own_hint(wrong, hint):
    assert hint in page.check_distillation_step(step(**wrong))


def test_a_step_that_was_not_attempted_and_one_that_fails():
    for nothing in (..., None, lambda *arguments: ...):
        assert page.check_distillation_step(nothing).startswith("Not attempted yet: ")
    assert "TypeError" in page.check_distillation_step(lambda student: 1)


def pipeline(x, y, z, change=lambda data: data.shuffle(6010, seed=1).batch(8)):
    import tensorflow as tf

    return change(tf.data.Dataset.from_tensor_slices((x, {"labels": y, "teacher_logits": z})))


def changed(change):
    return lambda x, y, z: pipeline(x, y, z, change)


@pytest.mark.parametrize(
    "function, hint",
    [
        (pipeline, "Correct!"),
        (changed(lambda data: data.shuffle(6010, seed=1).batch(64)), "Correct!"),
        (changed(lambda data: data.shuffle(6010, seed=1).batch(1)), "Correct!"),
        (changed(lambda data: data.batch(1)), "shuffle them before"),
        (lambda x, y, z: pipeline(x, y[::-1].copy(), z), "mixed up"),
        (lambda x, y, z: pipeline(x, y, z[::-1].copy()), "mixed up"),
        (changed(lambda data: data.batch(8)), "shuffle them before"),
        (changed(lambda data: data.batch(8).shuffle(8, seed=1)), "shuffle them before"),
        (changed(lambda data: data.shuffle(64)), ".batch(32)"),
        (changed(lambda data: data.shuffle(64).repeat().batch(8)), "leave .repeat() out"),
        (
            lambda x, y, z: pipeline(*(np.concatenate([part[:1], part[:6009]]) for part in (x, y, z))),
            "every example once",
        ),
        (changed(lambda data: data.shuffle(64, seed=1).batch(32, drop_remainder=True)), "every example once"),
        (changed(lambda data: data.shuffle(2, seed=1).batch(8)), "so take len(x)"),
        (changed(lambda data: data.shuffle(10, seed=1).batch(8)), "so take len(x)"),
        (changed(lambda data: data.shuffle(32, seed=1).batch(32)), "so take len(x)"),
        (changed(lambda data: data.shuffle(3000, seed=1).batch(32)), "the first examples come first"),
        (changed(lambda data: data.map(lambda x, y: (x, {"label": y["labels"]})).batch(8)), "a batch is (x,"),
        (lambda x, y, z: x, "return a tf.data pipeline"),
        (lambda x: x, "raised TypeError"),
        (lambda x, y, z: ..., "Not attempted"),
    ],
)
def test_a_pipeline_out_of_step_is_noticed(function, hint):
    assert hint in page.check_shuffled_pairs(function)


def test_two_distillers_in_a_table():
    """Every printed number, from the formulas: T = 4, alpha = 0.1."""
    teacher, student = model(4), model(4)
    powers = (np.exp(logits(each)) for each in (teacher, student))
    p, q = (power / power.sum(axis=1, keepdims=True) for power in powers)
    soft_p, soft_q = (each**0.25 / (each**0.25).sum(axis=1, keepdims=True) for each in (p, q))
    kl = 16 * (soft_p * np.log(soft_p / soft_q)).sum(axis=1).mean()
    ce = -np.log(q[np.arange(len(Y)), Y]).mean()
    right = [(each.argmax(axis=1) == Y).mean() for each in (p, q)]
    pair = SimpleNamespace(teacher=teacher, student=student)
    names, row, same = page.compared({"two": pair, "again": pair}, X, Y).split("\n")
    assert [each.strip() for each in names.split("  ")][-4:] == [
        "loss",
        "teacher right",
        "student right",
        "teacher's confidence",
    ]
    expected = [f"{0.1 * ce + 0.9 * kl:.2f}", *(f"{each:.3f}" for each in (*right, soft_p.max(axis=1).mean()))]
    assert row.split() == ["two", *expected] and same.split() == ["again", *expected]
    assert len(names) == len(row) == len(same)


def test_callbacks_keep_the_answers_of_each_epoch_and_the_loss_of_each_batch():
    teacher, student = model(4), model(4)
    student.compile("sgd", "sparse_categorical_crossentropy")
    note, answers = page.keep_answers(SimpleNamespace(teacher=teacher, student=student), X)
    other, losses = page.keep_losses()
    start = logits(student)
    student.fit(X, Y, epochs=2, batch_size=len(X) // 2, verbose=0, callbacks=[note, other])
    assert np.shape(answers)[:3] == (3, 2, len(X)) and len(losses) == 2 * -(-len(X) // (len(X) // 2))
    assert answers[0][1] == pytest.approx(start) and answers[2][1] == pytest.approx(logits(student))
    assert all(each == pytest.approx(logits(teacher)) for each, _ in answers)


def test_the_loss_of_each_batch_and_what_fit_shows():
    [axes] = page.draw_losses([3.0, 2.0, 1.0], {"mine": 0.0, "theirs": 2.0}).axes
    curves = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.get_lines()}
    assert curves == {
        "loss of each batch": ([1, 2, 3], [3, 2, 1]),
        "mine: fit shows 0.000": ([1, 2, 3], [0, 0, 0]),
        "theirs: fit shows 2.000": ([1, 2, 3], [2, 2, 2]),
    }
    assert len({line.get_color() for line in axes.get_lines()}) == 3
