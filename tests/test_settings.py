"""What is a weight and what is a setting; and what a Distiller does when a model is changed after a step was traced."""

import keras
import numpy as np
import pytest
import small
from small import CLASSES, LIGHT, X, Y, hard_values, model, reported, same, soft_values, weights

from distill_edu.hints import Hint

pytestmark = pytest.mark.nightly

callbacks = keras.callbacks
SHORT = {"epochs": 4, "batch_size": 16, "shuffle": False, "verbose": 0}


def distiller(temperature=4.0, alpha=0.1, student=None, teacher=None, **how):
    return small.distiller(student or model(), teacher or model(9, 16), temperature=temperature, alpha=alpha, **how)


def each_epoch(one, temperatures, alphas):
    """A callback that sets both at the begin of each epoch."""

    def begin(epoch, logs):
        one.temperature, one.alpha = temperatures[epoch], alphas[epoch]

    return callbacks.LambdaCallback(on_epoch_begin=begin)


def settings(one):
    return one.temperature, one.alpha


# --- temperature and alpha are settings -----------------------------------------------------------------------------


def test_weights_are_those_of_the_student_the_teacher_and_projectors():
    hint = Hint("hidden", "hidden", weight=0.5)
    one = distiller(hints=[hint])
    parts = [*one.student.get_weights(), *one.teacher.get_weights(), *map(np.array, hint.projector.get_weights())]
    got = one.get_weights()
    assert len(got) == len(parts) == 10
    assert sorted(part.shape for part in got) == sorted(part.shape for part in parts)
    one.temperature, one.alpha, hint.weight = 7.0, 0.6, 0.25
    one.set_weights([2 * part for part in got])
    assert settings(one) == (7.0, 0.6) and hint.weight == 0.25
    assert same([2 * part for part in parts[:4]], weights(one.student))


def test_the_best_weights_come_back_and_the_last_settings_stay():
    one = distiller()
    stop = callbacks.EarlyStopping("student_loss", mode="max", patience=3, restore_best_weights=True)  # the first epoch
    seen = []
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(weights(one.student)))
    sets = each_epoch(one, [8.0, 6.0, 3.0, 2.0], [0.1, 0.2, 0.3, 0.4])
    one.fit(X, Y, callbacks=[sets, look, stop], **SHORT)
    assert len(seen) == 4 and settings(one) == (2.0, 0.4)
    assert same(seen[0], weights(one.student), atol=0)


@pytest.mark.parametrize("hints", [[], ["hidden"]], ids=["", "with a hint"])
def test_a_file_of_weights_brings_weights_alone(hints, tmp_path):
    def build(temperature, alpha, weight):
        of_layers = [Hint(name, name, weight=weight) for name in hints]
        return distiller(temperature, alpha, model(int(weight)), hints=of_layers)

    one, other = build(2.0, 0.3, 1.0), build(7.0, 0.6, 2.0)
    one.save_weights(tmp_path / "all.weights.h5")
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "all.weights.h5")
    assert same(weights(one.student), weights(other.student), atol=0)
    assert settings(other) == (7.0, 0.6) and [hint.weight for hint in other.hints] == [2.0] * len(hints)
    assert all(same(weights(a), weights(b)) for a, b in zip(one.hints, other.hints, strict=True))


def test_an_interrupted_fit_goes_on_where_it_was_with_the_settings_of_its_distiller(tmp_path):
    def stop(epoch, logs):
        if epoch == 2:
            raise RuntimeError("power cut")

    backup = callbacks.BackupAndRestore(tmp_path / "backup")
    straight, first = (distiller(2.0, 0.3, optimizer=keras.optimizers.Adam(0.05)) for _ in range(2))
    with pytest.raises(RuntimeError, match="power cut"):
        first.fit(X, Y, callbacks=[backup, callbacks.LambdaCallback(on_epoch_begin=stop)], **SHORT)
    again = distiller(5.0, 0.7, model(3), optimizer=keras.optimizers.Adam(0.05))
    seen = []
    look = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append((epoch, *settings(again))))
    again.fit(X, Y, callbacks=[callbacks.BackupAndRestore(tmp_path / "backup"), look], **SHORT)
    assert seen == [(2, 5.0, 0.7), (3, 5.0, 0.7)] and settings(again) == (5.0, 0.7)
    straight.fit(X, Y, callbacks=[each_epoch(straight, [2.0, 2.0, 5.0, 5.0], [0.3, 0.3, 0.7, 0.7])], **SHORT)
    assert same(weights(straight.student), weights(again.student), atol=1e-5)


def test_a_whole_distiller_brings_back_the_settings_of_its_file(tmp_path):
    one = distiller(2.0, 0.3, hints=[hint := Hint("hidden", "hidden")])
    hint.weight = 0.25
    sets = each_epoch(one, [6.0, 3.0, 3.0, 3.0], [0.8, 0.1, 0.1, 0.1])
    one.fit(X, Y, callbacks=[sets, callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")], **SHORT)
    loaded = keras.models.load_model(tmp_path / "1.keras")
    assert settings(loaded) == (6.0, 0.8) and loaded.hints[0].weight == 0.25


# --- a model that is changed after a step was traced ----------------------------------------------------------------


def replace(one):
    one.pop()
    one.add(keras.layers.Dense(CLASSES, "tanh", name="later"))


def lora(one):
    layer = one.get_layer("hidden")
    layer.enable_lora(2)
    for weight in (layer.lora_kernel_a, layer.lora_kernel_b):
        weight.assign(np.full(weight.shape, 0.3))


def half(one):
    for layer in one.layers:
        layer.dtype_policy = "mixed_bfloat16"


def without_activation(one):
    one.get_layer("hidden").activation = keras.activations.linear


def added(one):
    one.add(keras.layers.Dense(CLASSES, "tanh", kernel_initializer="identity", name="later"))


CHANGES = {
    "int8": ("teacher", lambda one: one.quantize("int8")),
    "LoRA": ("student", lora),
    "a layer replaced": ("teacher", replace),
    "a layer added": ("student", added),
    "an activation taken off": ("student", without_activation),
    "another activation": ("teacher", without_activation),
    "another dtype": ("student", half),
}


def right(one, t=2.0):
    """(hard, soft) of the models as they are now, called eagerly."""
    z, s = (np.array(each(X), "float64") for each in (one.teacher, one.student))
    return hard_values(Y, s).mean(), soft_values(z, s, t).mean()


def parts(one, way):
    got = reported(one, X, Y, way, batch_size=33)
    return got["student_loss"], got["distillation_loss"]


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_model_is_what_a_distiller_uses_or_it_asks_for_compile(name):
    whose, change_it = CHANGES[name]
    one = distiller(2.0, 0.5, model(4), run_eagerly=False)
    for each in (one.student, one.teacher):
        each.set_weights([3 * weight for weight in each.get_weights()])  # so that rounding is seen
    before = right(one)
    for way in ("evaluate", "fit"):
        assert parts(one, way) == pytest.approx(before, rel=1e-4)
    change_it(getattr(one, whose))
    now = right(one)
    change = np.abs(np.subtract(now, before)).max()
    assert change > 1e-4
    for way in ("evaluate", "fit"):
        try:
            got = parts(one, way)
        except (ValueError, TypeError) as error:
            assert "compile" in str(error) and len(str(error)) < 600
        else:
            assert got == pytest.approx(now, rel=1e-5, abs=change / 10), way
    one.compile(keras.optimizers.SGD(0.0), temperature=2.0, alpha=0.5)
    for way in ("evaluate", "fit"):
        assert parts(one, way) == pytest.approx(now, rel=1e-5, abs=change / 10)


def test_lora_after_a_fit_trains_lora_and_leaves_the_kernel():
    one = distiller(student=model(), optimizer=keras.optimizers.Adam(0.1), run_eagerly=False)
    one.fit(X, Y, **LIGHT)
    lora(one.student)
    layer = one.student.get_layer("hidden")
    kernel, low = np.array(layer._kernel), np.array(layer.lora_kernel_b)  # noqa: SLF001 - without LoRA
    try:
        one.fit(X, Y, **LIGHT)
    except ValueError as error:
        assert "compile" in str(error) and len(str(error)) < 600
        one.compile(keras.optimizers.Adam(0.1))
        one.fit(X, Y, **LIGHT)
    assert np.array_equal(kernel, layer._kernel)  # noqa: SLF001
    assert not np.array_equal(low, layer.lora_kernel_b)


def test_a_student_that_gets_its_weights_while_it_learns_keeps_its_step():
    """In the second epoch Keras still calls the function of the first one, whatever was evaluated in between."""
    traces = []

    class Unbuilt(keras.Model):
        def __init__(self):
            super().__init__()
            self.out = keras.layers.Dense(CLASSES)

        def call(self, x, training=None):
            traces.append(bool(training))
            return self.out(x)

    one = distiller(student=Unbuilt(), run_eagerly=False)
    ask = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: one.predict(X, verbose=0))
    one.fit(X, Y, validation_data=(X, Y), epochs=3, batch_size=33, verbose=0, callbacks=[ask])
    once = traces.count(True)
    one.fit(X, Y, batch_size=33, verbose=0)
    assert traces.count(True) == once
