"""What everybody expects of a Keras model, held by a `Distiller`; and what Keras promises of its own Distiller."""

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import CLASSES, LIGHT, RANDOM, X, Y, logits, model, same, weights

from distill_edu import Distiller, models, teacher_logits
from distill_edu._inside.cache_key import architecture
from distill_edu.hints import AttentionTransfer, Hint, RelationalAngle, RelationalDistance

pytestmark = pytest.mark.slow  # it trains for minutes

ADAM = keras.optimizers.Adam
HINTS = [Hint, AttentionTransfer, RelationalDistance, RelationalAngle]


@pytest.fixture(scope="module")
def teacher():
    return model(99, units=16, name="teacher")


def functional(seed=0, units=8):
    keras.utils.set_random_seed(seed)
    x = keras.Input((6,))
    return keras.Model(x, keras.layers.Dense(CLASSES)(keras.layers.Dense(units, "relu")(x)))


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    def __init__(self, units=8, **keras_arguments):
        super().__init__(**keras_arguments)
        self.units = units
        self.hidden, self.out = keras.layers.Dense(units, "relu"), keras.layers.Dense(CLASSES)

    def call(self, inputs):
        return self.out(self.hidden(inputs))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def subclassed(seed=0, units=8):
    keras.utils.set_random_seed(seed)
    one = Subclassed(units)
    one(X[:1])
    return one


KINDS = {"sequential": model, "functional": functional, "subclassed": subclassed}
KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def distiller(teacher, student=None, optimizer=None, hints=(), **settings):
    one = Distiller(student=student or model(), teacher=teacher, hints=hints)
    one.compile(optimizer or ADAM(0.05), **settings)
    return one


def fitted(one, x=X, y=Y, **settings):
    one.fit(x, y, **{"epochs": 4, "batch_size": 8, "shuffle": False, "verbose": 0, **settings})
    return weights(one.student)


# --- saved, cloned, rebuilt -----------------------------------------------------------------------------------------


@KIND
def test_every_kind_of_student_and_teacher_saves_loads_and_trains_on(kind, tmp_path):
    straight, stopped = (distiller(kind(99, 16), kind()) for _ in range(2))
    expected = fitted(straight)
    fitted(stopped, epochs=2)
    stopped.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert type(loaded.student) is type(kind()) and loaded.optimizer.iterations == 10
    assert same(expected, fitted(loaded, epochs=2), atol=1e-5)


def test_weights_alone_can_be_saved_and_loaded(teacher, tmp_path):
    one = distiller(teacher)
    fitted(one)
    one.save_weights(tmp_path / "all.weights.h5")
    other = distiller(teacher, model(5))
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "all.weights.h5")
    assert same(weights(one.student), weights(other.student), atol=0)


def test_a_config_is_json_and_gives_the_same_distiller_back():
    one = Distiller(student=functional(), teacher=functional(9, 16))
    config = json.loads(json.dumps(one.get_config()))
    again = Distiller.from_config(config)
    assert again.student is not one.student
    for mine, its in ((one.student, again.student), (one.teacher, again.teacher)):
        assert architecture(mine) == architecture(its)
    assert again.student.count_params() == one.student.count_params()


def test_models_that_keras_does_not_know_are_named_to_from_config():
    class Mine(keras.Sequential):
        pass

    student = Mine([keras.Input((6,)), keras.layers.Dense(CLASSES)])
    config = Distiller(student=student).get_config()
    with pytest.raises(TypeError, match="Could not locate class 'Mine'"):
        Distiller.from_config(config)
    assert isinstance(Distiller.from_config(config, custom_objects={"Mine": Mine}).student, Mine)


@pytest.mark.parametrize(
    "kind", [Distiller, models.Ensemble, models.HashedBigrams, *HINTS], ids=lambda kind: kind.__name__
)
def test_files_name_its_class_and_not_where_it_stands(kind):
    assert keras.saving.get_registered_name(kind) == f"distill_edu>{kind.__name__}"


def test_a_clone_has_parts_of_its_own(teacher):
    one = Distiller(student=model(), teacher=teacher)
    clone = keras.models.clone_model(one)
    assert not {id(v) for v in one.variables} & {id(v) for v in clone.variables}
    before = weights(one.student)
    clone.compile(ADAM(0.05))
    fitted(clone)
    assert same(before, weights(one.student), atol=0)


def test_compile_again_sets_everything_anew(teacher):
    one = distiller(teacher, alpha=1.0, temperature=2.0)
    fitted(one, epochs=1)
    one.compile(keras.optimizers.SGD(0.0))
    before = weights(one.student)
    assert (one.alpha, one.temperature) == (0.1, 4.0) and same(before, fitted(one), atol=0)


# --- callbacks ------------------------------------------------------------------------------------------------------


def test_a_checkpoint_of_the_whole_model_can_be_trained_on(teacher, tmp_path):
    expected = fitted(distiller(teacher))
    keep = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    fitted(distiller(teacher), epochs=3, callbacks=[keep])
    assert same(expected, fitted(keras.models.load_model(tmp_path / "3.keras"), epochs=1), atol=1e-5)


def test_what_was_interrupted_goes_on_where_it_was(teacher, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("power cut")

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    expected = fitted(distiller(teacher))
    with pytest.raises(RuntimeError, match="power cut"):
        fitted(distiller(teacher), callbacks=[backup(), Stop()])
    again = distiller(teacher)
    seen = again.fit(X, Y, epochs=4, batch_size=8, shuffle=False, verbose=0, callbacks=[backup()]).epoch
    assert seen == [2, 3] and same(expected, weights(again.student), atol=1e-5)


def test_early_stopping_gives_the_best_weights_back(teacher):
    class Remember(keras.callbacks.Callback):
        seen = []

        def on_epoch_end(self, epoch, logs=None):
            self.seen.append((logs["val_loss"], weights(self.model.student)))

    stop = keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)
    remember, one = Remember(), distiller(teacher, optimizer=keras.optimizers.SGD(3.0), alpha=1)
    fitted(one, epochs=30, validation_data=(X[::-1], Y), callbacks=[remember, stop])
    assert len(remember.seen) < 30
    best = min(remember.seen, key=lambda pair: pair[0])
    assert same(best[1], weights(one.student), atol=0) and best is not remember.seen[-1]


def test_logs_are_written_as_for_any_model(teacher, tmp_path):
    table, board = keras.callbacks.CSVLogger(tmp_path / "log.csv"), keras.callbacks.TensorBoard(tmp_path / "board")
    fitted(distiller(teacher, metrics=["accuracy"]), validation_data=(X, Y), callbacks=[table, board])
    names = ["loss", "student_loss", "distillation_loss", "accuracy"]
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert len(rows) == 4 and set(rows[0]) == {"epoch", *names, *(f"val_{name}" for name in names)}
    assert list((tmp_path / "board").rglob("events*"))


def test_the_learning_rate_may_be_scheduled(teacher):
    rates = []
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(logs["learning_rate"]))
    fitted(distiller(teacher), callbacks=[schedule, note])
    assert rates == pytest.approx([0.1 / n for n in range(1, 5)])


# --- ways of feeding data -------------------------------------------------------------------------------------------


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, i):
        return X[8 * i : 8 * i + 8], Y[8 * i : 8 * i + 8]


def generator():
    while True:
        yield from (Batches()[i] for i in range(5))


FEEDS = {
    "tf.data": lambda: {"x": tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)},
    "PyDataset": lambda: {"x": Batches()},
    "generator": lambda: {"x": generator(), "steps_per_epoch": 5},
    "tensors": lambda: {"x": tf.constant(X), "y": tf.constant(Y), "batch_size": 8},
    "lists of numbers": lambda: {"x": X, "y": np.array(Y.tolist()), "batch_size": 8},
}


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_every_way_of_feeding_data_trains_the_same_student(teacher, feed):
    one = distiller(teacher)
    one.fit(**feed(), epochs=4, shuffle=False, verbose=0)
    assert same(fitted(distiller(teacher)), weights(one.student), atol=1e-5)


def test_the_teacher_may_be_asked_about_a_pipeline_of_unknown_length(teacher):
    pipeline = tf.data.Dataset.from_tensor_slices(X).filter(lambda row: True).batch(8)
    assert teacher_logits(teacher, pipeline) == pytest.approx(logits(teacher), abs=1e-5)


def test_single_batches_by_hand(teacher):
    one, other = distiller(teacher), distiller(teacher)
    for i in range(5):
        other.train_on_batch(*Batches()[i])
    assert same(fitted(one, epochs=1), weights(other.student), atol=1e-5)
    results = one.test_on_batch(X, Y, return_dict=True)
    assert results["loss"] == pytest.approx(one.evaluate(X, Y, verbose=0, return_dict=True)["loss"], rel=1e-4)
    assert one.predict_on_batch(X) == pytest.approx(logits(one.student), abs=1e-5)


# --- optimizers -----------------------------------------------------------------------------------------------------


def test_gradients_of_several_steps_can_be_gathered(teacher):
    """Two steps of 16 with gradients gathered over both are one step of 32."""
    gathering = distiller(teacher, optimizer=keras.optimizers.SGD(0.5, gradient_accumulation_steps=2))
    at_once = distiller(teacher, optimizer=keras.optimizers.SGD(0.5))
    got = fitted(gathering, X[:32], Y[:32], batch_size=16, epochs=3)
    assert same(fitted(at_once, X[:32], Y[:32], batch_size=32, epochs=3), got, atol=1e-5)
    assert not same(got, weights(model()))


@pytest.mark.parametrize("limit", [{"clipnorm": 0.01}, {"global_clipnorm": 0.01}, {"clipvalue": 0.001}], ids=str)
def test_clipped_gradients_move_the_student_no_further_than_they_may(teacher, limit):
    free, clipped = (distiller(teacher, optimizer=keras.optimizers.SGD(1.0, **how)) for how in ({}, limit))
    start = weights(model())
    steps = [
        [after - before for after, before in zip(fitted(one, epochs=1, batch_size=33), start, strict=True)]
        for one in (free, clipped)
    ]
    sizes = {
        "clipnorm": lambda step: max(np.linalg.norm(part) for part in step),
        "global_clipnorm": lambda step: np.linalg.norm([np.linalg.norm(part) for part in step]),
        "clipvalue": lambda step: max(np.abs(part).max() for part in step),
    }
    ((name, most),) = limit.items()
    assert sizes[name](steps[0]) > 2 * most and sizes[name](steps[1]) == pytest.approx(most, rel=1e-3)


def test_frozen_layers_stay_and_unfrozen_ones_move(teacher):
    student = model()
    student.layers[0].trainable = False
    one = distiller(teacher, student)
    before = weights(student)
    after = fitted(one)
    assert same(before[:2], after[:2], atol=0) and not same(before[2:], after[2:])
    one.trainable = False
    assert one.trainable_variables == []


# --- what Keras's own Distiller promises in its tests ---------------------------------------------------------------


@KIND
def test_built_it_holds_both_models_and_its_settings(kind):
    student, teacher = kind(), kind(9, 16)
    one = distiller(teacher, student, temperature=2.0, alpha=0.5)
    assert one.student is student and one.teacher is teacher and one.optimizer is not None
    assert (one.temperature, one.alpha) == (2.0, 0.5) and student.trainable
    # Theirs freezes the teacher by its flag; ours never trains it and leaves the flag as it was.
    assert teacher.trainable and not {id(v) for v in one.trainable_variables} & {id(v) for v in teacher.variables}


@KIND
def test_called_it_answers_like_its_student(kind):
    one = distiller(kind(9, 16), kind())
    assert np.allclose(one(X), one.student(X)) and one(X).shape == (33, CLASSES)
    assert one.predict(X, verbose=0).shape == (33, CLASSES)
    assert keras.ops.shape(one(X[:1])) == (1, CLASSES)


def test_models_that_do_not_go_together_are_refused(teacher):
    one = distiller(model(1, classes=3))
    with pytest.raises(ValueError, match="3 logits per example and the student 4"):
        one.fit(X, Y, **LIGHT)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_weight_of_0_takes_its_loss_out(teacher, alpha):
    got = distiller(teacher, alpha=alpha).evaluate(X, Y, verbose=0, return_dict=True)
    assert got["loss"] == pytest.approx(got["student_loss" if alpha else "distillation_loss"], rel=1e-5)


def test_several_losses_at_once_are_each_reported_and_weighted(teacher):
    hints = [kind("logits", "logits", 0.5) for kind in (Hint, RelationalAngle)]
    student, its = (keras.Sequential([keras.Input((6,)), keras.layers.Dense(CLASSES, name="logits")]) for _ in range(2))
    got = distiller(its, student, hints=hints, alpha=0.5).evaluate(X, Y, verbose=0, return_dict=True)
    parts = {"student_loss", "distillation_loss", "hint_logits", "relational_angle_logits"}
    assert set(got) == {"loss", *parts} and got["loss"] == pytest.approx(sum(got[name] for name in parts) / 2, rel=1e-4)


@KIND
def test_the_whole_way_from_fit_to_predict(kind):
    """Learning lowers every loss, nothing is ever NaN, and the student ends nearer to its teacher."""
    teacher, student = kind(9, 16), kind()
    apart = np.abs(logits(teacher) - logits(student)).mean()
    one = distiller(teacher, student, alpha=0.1, metrics=["accuracy"])
    history = one.fit(X, logits(teacher).argmax(1), validation_data=(X, Y), epochs=80, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    for name in ("loss", "student_loss", "distillation_loss"):
        assert history[name][-1] < 0.7 * history[name][0] and f"val_{name}" in history
    assert np.abs(logits(teacher) - logits(student)).mean() < apart
    results = one.evaluate(X, Y, verbose=0)
    assert isinstance(results, list) and np.isfinite(results).all()


def sequence(units, length):
    keras.utils.set_random_seed(units)
    recurrent = keras.layers.GRU(units, return_sequences=True)
    return keras.Sequential([keras.Input((length, 6)), recurrent, keras.layers.Dense(CLASSES)])


@pytest.mark.parametrize("length", [3, CLASSES])  # as many steps as classes: [batch, 4] are labels, not one-hot rows
def test_labels_for_every_time_step_come_in_three_forms_and_with_a_weight_for_each(length):
    x, y = RANDOM.randn(9, length, 6).astype("float32"), RANDOM.randint(0, CLASSES, (9, length))
    w = RANDOM.uniform(0, 2, (9, length))
    parts = [(sequence(12, length), sequence(4, length)) for _ in range(3)]
    plain, one_hot, column = (distiller(*two, metrics=["accuracy"]) for two in parts)
    expected = plain.fit(x, y, sample_weight=w, verbose=0, shuffle=False).history
    for one, labels, weight in ((one_hot, np.eye(CLASSES)[y], w), (column, y[..., None], w[..., None])):
        got = one.fit(x, labels, sample_weight=weight, verbose=0, shuffle=False).history
        assert got == {name: pytest.approx(value, rel=1e-4) for name, value in expected.items()}
    assert plain.predict(x, verbose=0).shape == (9, length, CLASSES)


def test_a_label_for_one_time_step_that_is_no_class_is_refused():
    x, y = RANDOM.randn(9, 7, 6).astype("float32"), np.zeros((9, 7), int)
    y[4, 4] = CLASSES  # less than the number of time steps
    with pytest.raises(ValueError, match="A label is not one of the classes"):
        distiller(sequence(12, 7), sequence(4, 7)).fit(x, y, verbose=0)
