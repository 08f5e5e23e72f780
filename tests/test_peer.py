"""Beside keras.distillation: the same student where it is right, and the right one where it is not.

The numbers of the failures are those of Keras 3.15; each test says what ours does in that case.
"""

import keras
import numpy as np
import pytest
from small import LIGHT, X, Y, hard_values, logits, model, same, soft_values, weights

from distill_edu import Distiller

pytestmark = pytest.mark.slow  # it trains beside keras.distillation

peer = pytest.importorskip("keras.distillation", reason="an older Keras has no distillation to compare with")
CE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def ours(teacher, student=None, alpha=0.3, t=3.0, **arguments):
    one = Distiller(student=model() if student is None else student, teacher=teacher)
    one.compile(keras.optimizers.SGD(0.1), temperature=t, alpha=alpha, **arguments)
    return one


def theirs(teacher, student=None, alpha=0.3, t=3.0, loss=None, **arguments):
    soft = peer.LogitsDistillation(temperature=t, loss=loss or keras.losses.KLDivergence())
    one = peer.Distiller(
        teacher=teacher,
        student=model() if student is None else student,
        distillation_losses=soft,
        distillation_loss_weights=1 - alpha,
        student_loss_weight=alpha,
    )
    one.compile(optimizer=keras.optimizers.SGD(0.1), loss=CE, **arguments)
    return one


@pytest.mark.parametrize("t, alpha", [(1.0, 0.5), (3.0, 0.3), (8.0, 0.9)])
def test_with_an_explicit_kl_object_both_train_the_same_student(t, alpha):
    one, other = ours(model(9), alpha=alpha, t=t), theirs(model(9), alpha=alpha, t=t)
    for _ in range(3):
        one.fit(X, Y, batch_size=11, **LIGHT)
        other.fit(X, Y, batch_size=11, **LIGHT)
    assert not same(weights(one.student), weights(model()))
    assert same(weights(one.student), weights(other.student), atol=1e-5)


def test_its_default_does_not_compute_the_distillation_loss_and_ours_does():
    teacher = model(9)
    z_t = logits(teacher)
    right = soft_values(z_t, logits(model()), 3.0).mean()
    documented = theirs(teacher, alpha=0, loss="kl_divergence").evaluate(X, Y, verbose=0, return_dict=True)
    assert documented["loss"] != pytest.approx(right, rel=0.05)
    assert ours(teacher, alpha=0).evaluate(X, Y, verbose=0, return_dict=True)["loss"] == pytest.approx(right, rel=1e-4)


def test_the_ragged_batch_of_one_counts_as_one_example():
    right = pytest.approx(hard_values(Y, logits(model())).mean(), rel=1e-4)
    assert ours(model(9)).evaluate(X, Y, verbose=0, return_dict=True)["student_loss"] == right
    assert theirs(model(9)).evaluate(X, Y, verbose=0, return_dict=True)["student_loss"] != right


def test_sample_weights_are_not_ignored():
    weight = {"sample_weight": np.linspace(0, 3, 33)}
    heavy, light = (ours(model(9)), ours(model(9)))
    heavy.fit(X, Y, **LIGHT, **weight)
    light.fit(X, Y, **LIGHT)
    assert not same(weights(heavy.student), weights(light.student))
    ignored, plain = (theirs(model(9)), theirs(model(9)))
    ignored.fit(X, Y, **LIGHT, **weight)
    plain.fit(X, Y, **LIGHT)
    assert same(weights(ignored.student), weights(plain.student))


def test_a_penalty_of_the_student_is_kept():
    penalised, free = (ours(model(9), model(l2=l2)).evaluate(X, Y, verbose=0, return_dict=True) for l2 in (1.0, 0))
    assert penalised["loss"] > free["loss"] + 0.1


def test_the_teachers_trainable_flag_is_left_alone():
    mine, its = model(9), model(9)
    ours(mine).fit(X, Y, **LIGHT)
    theirs(its).fit(X, Y, **LIGHT)
    assert mine.trainable and not its.trainable


def test_a_temperature_set_after_the_first_fit_counts():
    one = ours(model(9), alpha=0)
    one.optimizer.learning_rate = 0.0
    one.fit(X, Y, **LIGHT)
    one.temperature = 9
    right = soft_values(logits(model(9)), logits(model()), 9).mean()
    assert one.fit(X, Y, **LIGHT).history["loss"][0] == pytest.approx(right, rel=1e-4)


def test_a_reloaded_distiller_evaluates(tmp_path):
    one = ours(model(9))
    one.fit(X, Y, **LIGHT)
    one.save(tmp_path / "one.keras")
    loaded = keras.models.load_model(tmp_path / "one.keras")
    assert loaded.evaluate(X, Y, verbose=0) == pytest.approx(one.evaluate(X, Y, verbose=0), rel=1e-5)


def test_a_teacher_of_probabilities_is_refused_where_the_peer_takes_it_in_silence():
    theirs(model(9, activation="softmax")).fit(X, Y, **LIGHT)
    with pytest.raises(ValueError, match="looks like probabilities"):
        ours(model(9, activation="softmax"))
