"""What `Distiller` promises: the right loss, a teacher that never changes, and to be like any Keras model.

Numbers are checked eagerly; what depends on a traced graph says so, and test_ways.py has every way of running.
"""

import csv
import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import (
    CLASSES,
    FEATURES,
    LIGHT,
    RANDOM,
    X,
    Y,
    distiller,
    hard_values,
    logits,
    model,
    reported,
    same,
    soft_values,
    subclassed,
    watched,
    weights,
)

from distill_edu import Distiller, hints, models, soft_targets, teacher_logits

SGD, ADAM = keras.optimizers.SGD, keras.optimizers.Adam
CE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def functional(seed=0, units=8):
    keras.utils.set_random_seed(seed)
    x = keras.Input((FEATURES,))
    return keras.Model(x, keras.layers.Dense(CLASSES)(keras.layers.Dense(units, "relu", name="hidden")(x)))


KINDS = {"sequential": model, "functional": functional, "subclassed": subclassed}
KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@pytest.fixture(scope="module")
def teacher():
    return model(99, units=16, name="teacher")


def fitted(one, x=X, y=Y, **settings):
    """The student's weights after a short training."""
    one.fit(x, y, **{"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0, **settings})
    return weights(one.student)


def near(numbers, rel=1e-4):
    return {name: pytest.approx(value, rel=rel) for name, value in numbers.items()}


# --- the loss -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t, alpha", [(1.0, 0.5), (4.0, 0.1), (7.5, 0.0), (2.0, 1.0)])
def test_fit_and_evaluate_report_the_closed_form_over_all_33_examples(teacher, t, alpha):
    one = distiller(teacher=teacher, temperature=t, alpha=alpha, metrics=["accuracy"])
    z_s = logits(one.student)
    hard, soft = hard_values(Y, z_s).mean(), soft_values(logits(teacher), z_s, t).mean()
    expected = {"loss": alpha * hard + (1 - alpha) * soft, "student_loss": hard, "distillation_loss": soft}
    expected["accuracy"] = (z_s.argmax(1) == Y).mean()
    for way in ("evaluate", "fit"):
        assert reported(one, X, Y, way) == near(expected)


def test_one_step_follows_the_gradient_of_the_closed_form(teacher):
    t, alpha, x, y = 3.0, 0.3, X[:8], Y[:8]
    student = keras.Sequential([keras.Input((6,)), keras.layers.Dense(CLASSES)])
    (kernel, bias), z_t = weights(student), logits(teacher, x)
    distiller(student, teacher, SGD(1.0), temperature=t, alpha=alpha).fit(x, y, **LIGHT)
    z_s = x @ kernel + bias
    hard = soft_targets(z_s) - np.eye(CLASSES)[y]
    soft = t * (soft_targets(z_s, t) - soft_targets(z_t, t))
    g = alpha * hard + (1 - alpha) * soft
    assert same(weights(student), [kernel - x.T @ g / 8, bias - g.mean(0)], atol=1e-5)


def busy():
    """Dropout, BatchNorm, a penalty of weights, one of activities, and one with a number for each activity."""
    plain = model(noise=0.4, norm=True, l2=0.01)
    of_each = keras.layers.Activation("linear", activity_regularizer=lambda activity: 0.01 * activity**2)
    return keras.Sequential([*plain.layers, keras.layers.ActivityRegularization(l2=0.1), of_each])


@pytest.mark.parametrize(
    "weighted, how", [(False, {"clipnorm": 0.5}), (True, {"global_clipnorm": 0.5, "gradient_accumulation_steps": 2})]
)
def test_alpha_1_is_plain_training_step_for_step(teacher, weighted, how):
    """With all that adds to a loss, clipped or gathered gradients, sample weights and a ragged last batch."""
    weight = {"sample_weight": RANDOM.uniform(0, 2, 33)} if weighted else {}
    watch = {"metrics": ["accuracy"], "weighted_metrics": ["accuracy"], "run_eagerly": True}
    plain, student = busy(), busy()
    plain.compile(ADAM(0.05, **how), CE, **watch)
    one = distiller(student, teacher, ADAM(0.05, **how), alpha=1, **watch)
    for epoch in range(2):
        expected = plain.fit(X, Y, batch_size=8, **LIGHT, **weight).history
        got = one.fit(X, Y, batch_size=8, **LIGHT, **weight).history
        assert {name: got[name] for name in expected} == near(expected)
        assert same(weights(plain), weights(student), atol=1e-5), f"epoch {epoch}"
    assert got["student_loss"] != got["loss"]  # the penalties are in the loss, as in Keras


# --- the teacher ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eagerly", [True, False])
def test_the_teacher_never_changes_and_its_penalty_is_not_in_the_loss(eagerly):
    teacher, plain = (model(5, noise=0.5, norm=True, l2=l2) for l2 in (0.1, 0))
    teacher.layers[0].trainable = False
    before, flags = weights(teacher), [layer.trainable for layer in [teacher, *teacher.layers]]
    one = distiller(teacher=teacher, run_eagerly=eagerly)
    start = weights(one.student)
    if eagerly:
        assert reported(one, X, Y) == near(reported(distiller(teacher=plain), X, Y), rel=1e-6)
    one.fit(X, Y, epochs=2, verbose=0)
    one.evaluate(X, Y, verbose=0)
    assert not same(start, weights(one.student))
    assert same(before, weights(teacher), atol=0)
    assert flags == [layer.trainable for layer in [teacher, *teacher.layers]]


class Counting(keras.layers.Layer):
    """Counts how often it is called."""

    def build(self, shape):
        self.count = self.add_weight(shape=(), trainable=False, name="count")

    def call(self, x):
        self.count.assign_add(1)
        return x


class CountingInSecret(keras.layers.Layer):
    """As `Counting`, in a variable of which Keras knows nothing."""

    def __init__(self):
        super().__init__()
        self.count = tf.Variable(0.0, name="secret")

    def call(self, x):
        return x + 0 * self.count.assign_add(1.0)


class Training(keras.Model):
    """Calls a layer with training=True, always."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.out = layer, keras.layers.Dense(CLASSES)

    def call(self, x):
        return self.out(self.layer(x, training=True))


def remembering(layer):
    entry = keras.Input((FEATURES,), batch_size=11)
    return keras.Sequential([entry, keras.layers.Reshape((2, 3)), layer, keras.layers.Dense(CLASSES)])


CHANGING = {
    "stateful GRU": (lambda: remembering(keras.layers.GRU(4, stateful=True, name="gru")), "gru"),
    "stateful LSTM, unrolled": (
        lambda: remembering(keras.layers.LSTM(4, stateful=True, unroll=True, name="lstm")),
        "lstm",
    ),
    "BatchNormalization in training": (lambda: Training(keras.layers.BatchNormalization()), "moving_mean"),
    "a counter": (lambda: keras.Sequential([keras.Input((FEATURES,)), Counting(), keras.layers.Dense(4)]), "count"),
}


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize("name", CHANGING)
def test_a_teacher_that_changes_when_it_is_asked_is_refused(name, eagerly):
    def everything():
        states = [state for layer in teacher.layers for state in getattr(layer, "states", None) or ()]
        return [np.array(variable) for variable in (*teacher.variables, *states, *one.student.variables)]

    build, variable = CHANGING[name]
    teacher = build()
    teacher(X[:11])
    one = distiller(teacher=teacher, run_eagerly=eagerly)
    before = everything()
    for call in (one.fit, one.evaluate):
        with pytest.raises(ValueError, match=f"Asking the teacher changes it, .*{variable}"):
            call(X, Y, batch_size=11, verbose=0)
    assert same(before, everything(), atol=0)


class OfOnesOwn(keras.layers.Layer):
    """Keeps plain variables in a list, and counts in one of them, unless it is traced."""

    def __init__(self):
        super().__init__()
        self.counts = [tf.Variable(0.0), tf.Variable(0.0)]

    def call(self, x):
        self.counts[1].assign_add(1.0)
        return x


@pytest.mark.parametrize("kind", [CountingInSecret, OfOnesOwn])
def test_a_teacher_that_changes_a_plain_variable_is_held_and_refused_eagerly(kind):
    teacher = keras.Sequential([keras.Input((FEATURES,)), kind(), keras.layers.Dense(CLASSES)])
    own = keras.tree.flatten(getattr(teacher.layers[0], "counts", None) or teacher.layers[0].count)
    before = [each.numpy() for each in own]
    one = distiller(teacher=teacher)
    for call in (one.fit, one.evaluate):
        with pytest.raises(ValueError, match="Asking the teacher changes it"):
            call(X, Y, verbose=0)
    assert [each.numpy() for each in own] == before


def test_a_teacher_that_changes_a_plain_variable_is_refused_in_a_graph():
    teacher = keras.Sequential([keras.Input((FEATURES,)), CountingInSecret(), keras.layers.Dense(CLASSES)])
    before = teacher.layers[0].count.numpy()
    with pytest.raises(ValueError, match="Asking the teacher changes it, .*tf.Variable in .*counting_in_secret"):
        distiller(teacher=teacher, run_eagerly=False).fit(X, Y, verbose=0)
    assert teacher.layers[0].count.numpy() == before


@pytest.mark.parametrize("name", ["BatchNormalization in training", "a counter", "a counter in secret"])
@pytest.mark.parametrize("pipeline", [False, True])
def test_a_teacher_that_changes_is_held_and_refused_where_it_is_asked_once(name, pipeline):
    secret = keras.Sequential([keras.Input((FEATURES,)), CountingInSecret(), keras.layers.Dense(CLASSES)])
    teacher = secret if "secret" in name else CHANGING[name][0]()
    teacher(X[:11])
    own = [*teacher.variables, *([secret.layers[0].count] if teacher is secret else [])]
    before = [np.array(each) for each in own]
    x = tf.data.Dataset.from_tensor_slices(X).batch(11) if pipeline else X
    with pytest.raises(ValueError, match="Asking the teacher changes it, and asking must not"):
        teacher_logits(teacher, x)
    assert same(before, map(np.array, own), atol=0)


def test_a_noisy_teacher_stays_noisy():
    seen = []

    class Last(keras.layers.Layer):
        def call(self, x):
            seen.append(np.array(x))
            return x

    teacher = Training(keras.Sequential([keras.layers.Dropout(0.5), Last()]))
    teacher(X[:1])
    seen.clear()
    one = distiller(teacher=teacher)
    one.fit(np.ones_like(X), Y, batch_size=11, epochs=1, verbose=0)
    assert len(seen) == 3 and not (seen[0] == seen[1]).all()


def test_a_teacher_with_a_state_is_not_asked_for_logits():
    with pytest.raises(ValueError, match="layer 'gru.*' of the teacher is stateful"):
        teacher_logits(remembering(keras.layers.GRU(4, stateful=True)), X[:11])
    with pytest.raises(ValueError, match=r"parts of x have \[33, 5\] examples"):
        teacher_logits(model(), [X, X[:5]])


def test_what_keras_could_not_load_is_not_saved(tmp_path):
    frozen, entry = keras.layers.Dense(5, trainable=False), keras.Input((FEATURES,))
    both = [keras.Model(entry, keras.layers.Dense(CLASSES)(frozen(entry))) for _ in range(2)]
    one = distiller(*both)
    fitted(one)
    with pytest.raises(ValueError, match="share a layer.* distiller.student, or the weights alone"):
        one.save(tmp_path / "one.keras")
    assert not list(tmp_path.iterdir())
    one.save_weights(tmp_path / "one.weights.h5")


def test_only_the_student_is_trainable_and_its_optimizer_holds_nothing_else(teacher):
    one = distiller(teacher=teacher, optimizer=SGD(0.1, momentum=0.9))
    one.fit(X, Y, **LIGHT)
    trained = {id(v) for v in one.student.trainable_variables}
    assert {id(v) for v in one.trainable_variables} == {id(v) for v in one.trainable_weights} == trained
    assert len(one.optimizer.variables) == 2 + len(trained)  # iterations, learning rate, one momentum per weight
    assert {id(v) for v in teacher.variables} <= {id(v) for v in one.non_trainable_variables}
    assert {id(v) for v in teacher.weights} <= {id(v) for v in one.non_trainable_weights}


def test_frozen_layers_stay_and_unfrozen_ones_move(teacher):
    student = model()
    student.layers[0].trainable = False
    one = distiller(student, teacher)
    before = weights(student)
    after = fitted(one)
    assert same(before[:2], after[:2], atol=0) and not same(before[2:], after[2:])
    one.trainable = False
    assert one.trainable_variables == []


def test_both_run_once_a_step_the_teacher_without_training():
    (student, seen), (teacher, asked) = watched(0), watched(1)
    one = distiller(student, teacher)
    one.fit(X[:8], Y[:8], batch_size=4, **LIGHT)
    assert (seen.seen, asked.seen) == ([True, True], [False, False])
    seen.seen.clear(), asked.seen.clear()
    one.evaluate(X[:8], Y[:8], batch_size=4, verbose=0)
    one.predict(X[:4], verbose=0)
    assert (seen.seen, asked.seen) == ([False, False, False], [False, False])


def test_the_teacher_answers_outside_of_the_tape(monkeypatch):
    tapes, seen = [], []
    enter, leave = tf.GradientTape.__enter__, tf.GradientTape.__exit__
    monkeypatch.setattr(tf.GradientTape, "__enter__", lambda tape: tapes.append(tape) or enter(tape))
    monkeypatch.setattr(tf.GradientTape, "__exit__", lambda tape, *error: tapes.pop() and leave(tape, *error))

    class Seen(keras.layers.Layer):
        def call(self, inputs):
            seen.append((self.name, len(tapes)))
            return inputs

    student, teacher = (
        keras.Sequential([keras.Input((FEATURES,)), Seen(name=name), *model().layers])
        for name in ("student", "teacher")
    )
    seen.clear()
    distiller(student, teacher).fit(X[:8], Y[:8], **LIGHT)
    assert seen == [("teacher", 0), ("student", 1)]


# --- temperature and alpha ------------------------------------------------------------------------------------------


def test_temperature_and_alpha_can_be_read_and_set_without_retracing(teacher):
    student, watch = watched()
    one = distiller(student, teacher, temperature=2.0, alpha=0.1, run_eagerly=False)
    assert (one.temperature, one.alpha) == (2.0, 0.1)
    first = reported(one, X, Y, "fit")
    traces = len(watch.seen)
    one.temperature, one.alpha = 5, 0.7
    second = reported(one, X, Y, "fit")
    assert len(watch.seen) == traces
    z_s, z_t = logits(student), logits(teacher)
    hard, soft = hard_values(Y, z_s).mean(), soft_values(z_t, z_s, 5).mean()
    assert second["loss"] == pytest.approx(0.7 * hard + 0.3 * soft, rel=1e-4)
    assert second["loss"] != pytest.approx(first["loss"], rel=1e-2)


def test_a_callback_moves_the_temperature_while_fit_runs(teacher):
    class Raise(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.temperature = 9.0

    one = distiller(teacher=teacher, optimizer=SGD(0.0), temperature=1.0, alpha=0, run_eagerly=False)
    one.fit(X, Y, batch_size=11, callbacks=[Raise()], **LIGHT)
    z_s, z_t = logits(one.student), logits(teacher)
    per_batch = [soft_values(z_t[i : i + 11], z_s[i : i + 11], t).mean() for i, t in ((0, 1), (11, 9), (22, 9))]
    assert float(one.get_metrics_result()["distillation_loss"]) == pytest.approx(np.mean(per_batch), rel=1e-4)


def test_compile_again_sets_everything_anew(teacher):
    one = distiller(teacher=teacher, alpha=1.0, temperature=2.0)
    fitted(one, epochs=1)
    one.compile(SGD(0.0))
    before = weights(one.student)
    assert (one.alpha, one.temperature) == (0.1, 4.0) and same(before, fitted(one), atol=0)
    fresh = Distiller(student=model(), teacher=teacher)
    assert fresh.temperature == 4.0 and fresh.alpha == pytest.approx(0.1)


# --- targets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["integers", "one-hot zeros", "one-hot -1"])
def test_unlabelled_examples_count_in_the_soft_loss_only(teacher, form):
    labelled = np.arange(33) % 3 == 0
    integers = np.where(labelled, Y, -1)
    one_hot = np.where(labelled[:, None], np.eye(CLASSES)[Y], 0 if form == "one-hot zeros" else -1)
    one = distiller(teacher=teacher, metrics=["accuracy"])
    got = reported(one, X, integers if form == "integers" else one_hot, "fit", batch_size=7)
    z_s = logits(one.student)
    assert got["student_loss"] == pytest.approx(hard_values(Y, z_s)[labelled].mean(), rel=1e-4)
    assert got["accuracy"] == pytest.approx((z_s.argmax(1) == Y)[labelled].mean(), rel=1e-5)
    assert got["distillation_loss"] == pytest.approx(soft_values(logits(teacher), z_s, 4).mean(), rel=1e-4)


def test_a_batch_without_any_label_trains_on_soft_targets(teacher):
    """Its gradient is that of the soft loss alone, times 1 - alpha; and so it is without y where alpha is 0."""
    one, other = (
        distiller(teacher=teacher, alpha=alpha, optimizer=SGD(rate)) for alpha, rate in ((0.5, 0.2), (0, 0.1))
    )
    assert same(fitted(one, X, np.full(33, -1)), fitted(other, X, None), atol=1e-5)
    assert not same(weights(one.student), weights(model()))


def test_labels_may_be_absent_when_alpha_is_0_and_validation_may_have_them(teacher):
    one, twin = (distiller(teacher=teacher, alpha=0, metrics=["accuracy"]) for _ in range(2))
    history = one.fit(X, validation_data=(X, Y), epochs=2, verbose=0, shuffle=False).history
    assert "val_accuracy" in history and "accuracy" not in history
    twin.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    assert same(weights(one.student), weights(twin.student))
    assert history["val_accuracy"][-1] == pytest.approx((logits(one.student).argmax(1) == Y).mean())


def test_cached_logits_give_the_same_training_and_the_teacher_is_not_asked(teacher, capsys):
    z = teacher_logits(teacher, X, batch_size=10)
    assert capsys.readouterr().out == ""
    assert z.dtype == np.float32 and np.allclose(z, logits(teacher), atol=1e-5)
    silent, watch = watched(5)
    expected = fitted(distiller(teacher=teacher))
    for how in ({"taught": False}, {"teacher": silent}):
        got = fitted(distiller(**how), y={"labels": Y, "teacher_logits": z})
        assert same(expected, got, atol=1e-5)
    assert watch.seen == []


def test_a_student_loss_of_ones_own(teacher):
    one_hot = np.eye(CLASSES)[Y]
    z_s = logits(model())
    kinds = {
        "a function": (
            lambda y, z: keras.ops.mean((keras.ops.softmax(z) - y) ** 2, axis=-1),
            ((soft_targets(z_s) - one_hot) ** 2).mean(),
        ),
        "an object without from_logits": (keras.losses.MeanSquaredError(), ((z_s - one_hot) ** 2).mean()),
    }
    for kind, (loss, expected) in kinds.items():
        got = reported(distiller(teacher=teacher, student_loss=loss), X, one_hot, "fit")["student_loss"]
        assert got == pytest.approx(expected, rel=1e-4), kind


def test_as_many_examples_as_classes(teacher):
    """Four labels are not one row of one-hot numbers."""
    one = distiller(teacher=teacher)
    expected = hard_values(Y[:CLASSES], logits(one.student, X[:CLASSES])).mean()
    got = one.test_on_batch(X[:CLASSES], Y[:CLASSES], return_dict=True)
    assert got["student_loss"] == pytest.approx(expected, rel=1e-4)


def test_sample_weights_weigh_both_losses_and_only_the_weighted_metrics(teacher):
    w = RANDOM.uniform(0, 3, 33)
    of_weights = [keras.metrics.SparseCategoricalAccuracy("wa")]
    one = distiller(teacher=teacher, metrics=["accuracy"], weighted_metrics=of_weights)
    got = reported(one, X, Y, "fit", sample_weight=w)
    z_s = logits(one.student)
    right = z_s.argmax(1) == Y
    assert got["student_loss"] == pytest.approx((w * hard_values(Y, z_s)).mean(), rel=1e-4)
    assert got["distillation_loss"] == pytest.approx((w * soft_values(logits(teacher), z_s, 4)).mean(), rel=1e-4)
    assert got["accuracy"] == pytest.approx(right.mean()) and got["wa"] == pytest.approx((w * right).sum() / w.sum())


# --- saved, cloned, rebuilt -----------------------------------------------------------------------------------------


@pytest.mark.nightly
@pytest.mark.parametrize("kind", [model, subclassed])
def test_saved_in_the_middle_it_trains_on_as_if_it_had_not_stopped(kind, tmp_path):
    def start():
        metric = keras.metrics.SparseTopKCategoricalAccuracy(2, "top2")
        how = {"student_loss": CE, "metrics": ["accuracy", metric], "steps_per_execution": 2}
        return distiller(kind(), kind(99, 16), ADAM(0.05), temperature=3, alpha=0.4, **how)

    straight, stopped = start(), start()
    expected = fitted(straight, epochs=4, batch_size=16)
    fitted(stopped, batch_size=16)
    stopped.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert type(loaded.student) is type(kind()) and loaded.optimizer.iterations == 6
    assert loaded.steps_per_execution == 2 and (loaded.temperature, loaded.alpha) == (3, 0.4)
    assert len(loaded.evaluate(X, Y, verbose=0)) == len(stopped.evaluate(X, Y, verbose=0)) == 5  # each metric once
    assert loaded.evaluate(X, Y, verbose=0) == pytest.approx(stopped.evaluate(X, Y, verbose=0), rel=1e-5)
    assert same(expected, fitted(loaded, batch_size=16), atol=1e-5)
    assert same(weights(kind(99, 16)), weights(loaded.teacher), atol=0)


def test_a_config_is_json_and_gives_the_same_distiller_back():
    hint = hints.Hint("hidden", "hidden", weight=0.5)
    one = Distiller(student=functional(), teacher=functional(9, 16), hints=[hint])
    again = Distiller.from_config(json.loads(json.dumps(one.get_config())))
    assert again.student is not one.student and again.hints[0].get_config() == hint.get_config()
    for mine, its in ((one.student, again.student), (one.teacher, again.teacher)):
        assert json.dumps(mine.get_config()) == json.dumps(its.get_config())


def test_models_that_keras_does_not_know_are_named_to_from_config():
    class Mine(keras.Sequential):
        pass

    config = Distiller(student=Mine([keras.Input((6,)), keras.layers.Dense(CLASSES)])).get_config()
    with pytest.raises(TypeError, match="Could not locate class 'Mine'"):
        Distiller.from_config(config)
    assert isinstance(Distiller.from_config(config, custom_objects={"Mine": Mine}).student, Mine)


def test_files_name_a_class_and_not_where_it_stands():
    of_hints = [hints.Hint, hints.AttentionTransfer, hints.RelationalDistance, hints.RelationalAngle]
    for kind in [Distiller, models.Ensemble, models.HashedBigrams, *of_hints]:
        assert keras.saving.get_registered_name(kind) == f"distill_edu>{kind.__name__}"


def test_a_clone_has_parts_of_its_own(teacher):
    one = Distiller(student=model(), teacher=teacher)
    clone = keras.models.clone_model(one)
    assert not {id(v) for v in one.variables} & {id(v) for v in clone.variables}
    before = weights(one.student)
    clone.compile(ADAM(0.05), run_eagerly=True)
    fitted(clone)
    assert same(before, weights(one.student), atol=0)


# --- callbacks and optimizers ---------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_logs_are_written_as_for_any_model(teacher, tmp_path):
    table, board = keras.callbacks.CSVLogger(tmp_path / "log.csv"), keras.callbacks.TensorBoard(tmp_path / "board")
    fitted(distiller(teacher=teacher, metrics=["accuracy"]), validation_data=(X, Y), callbacks=[table, board])
    names = ["loss", "student_loss", "distillation_loss", "accuracy"]
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert len(rows) == 2 and set(rows[0]) == {"epoch", *names, *(f"val_{name}" for name in names)}
    assert list((tmp_path / "board").rglob("events*"))


@pytest.mark.parametrize("name", ["LearningRateScheduler", "ReduceLROnPlateau"])
def test_the_learning_rate_may_be_scheduled(teacher, name):
    schedules = {
        "LearningRateScheduler": keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)),
        "ReduceLROnPlateau": keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=0, min_delta=9),
    }
    one = distiller(teacher=teacher)
    fitted(one, callbacks=[schedules[name]])
    assert float(one.optimizer.learning_rate) == pytest.approx(0.05)


# --- as any Keras model ---------------------------------------------------------------------------------------------


def test_single_batches_by_hand(teacher):
    one, other = distiller(teacher=teacher), distiller(teacher=teacher)
    for i in range(0, 33, 8):
        other.train_on_batch(X[i : i + 8], Y[i : i + 8])
    assert same(fitted(one, epochs=1), weights(other.student), atol=1e-5)
    one.reset_metrics()  # Keras 3.13 goes on counting
    assert one.test_on_batch(X, Y, return_dict=True)["loss"] == pytest.approx(reported(one, X, Y)["loss"], rel=1e-4)
    assert one.predict_on_batch(X) == pytest.approx(logits(one.student), abs=1e-5)


@KIND
def test_built_it_holds_both_models_and_answers_like_its_student(kind):
    student, teacher = kind(), kind(9, 16)
    one = distiller(student, teacher, temperature=2.0, alpha=0.5)
    assert one.student is student and one.teacher is teacher and one.optimizer is not None
    assert (one.temperature, one.alpha) == (2.0, 0.5) and student.trainable and teacher.trainable
    assert np.allclose(one(X), student(X)) and keras.ops.shape(one(X[:1])) == (1, CLASSES)
    assert np.allclose(one.predict(X, verbose=0), logits(student))


def test_summary_names_both(teacher):
    lines = []
    distiller(model(name="pupil"), teacher).summary(print_fn=lines.append)
    assert "pupil" in lines[0] and "teacher" in lines[0]
    assert "Trainable params: 92" in "".join(lines)  # 6 * 8 + 8 + 8 * 4 + 4


def test_what_is_keras_s_shows_keras_s_arguments():
    for name in ("fit", "evaluate", "summary"):
        assert inspect.signature(getattr(Distiller, name)) == inspect.signature(getattr(keras.Model, name))
        assert "distill_edu" in inspect.getsourcefile(getattr(Distiller, name))  # what ?? shows in a notebook
    assert "teacher_logits" in inspect.getdoc(Distiller.fit)


def test_large_inputs_reach_a_mixed_student_as_they_are():
    x = keras.Input((FEATURES,))
    small = keras.layers.Rescaling(1e-5, dtype="float32")(x)  # before anything is float16, which ends at 65504
    student = keras.Model(x, keras.layers.Dense(CLASSES)(small))
    student.dtype_policy = keras.DTypePolicy("mixed_float16")
    assert np.allclose(Distiller(student=student).predict(1e5 * X, verbose=0), logits(student, 1e5 * X))


@pytest.mark.nightly
def test_the_whole_way_from_fit_to_predict():
    """Learning, in a traced graph, lowers every loss, nothing is ever NaN, and the student ends nearer its teacher."""
    teacher, student = model(9, 16), model()
    apart = soft_values(logits(teacher), logits(student), 1.0).mean()
    one = distiller(student, teacher, ADAM(0.1), alpha=0.1, metrics=["accuracy"], run_eagerly=False)
    watch = {"validation_data": (X, Y), "validation_freq": 20}
    history = one.fit(X, logits(teacher).argmax(1), batch_size=33, epochs=40, verbose=0, **watch).history
    assert all(np.isfinite(values).all() for values in history.values())
    for name in ("loss", "student_loss", "distillation_loss"):
        assert history[name][-1] < 0.7 * history[name][0] and f"val_{name}" in history
    assert soft_values(logits(teacher), logits(student), 1.0).mean() < 0.5 * apart
    results = one.evaluate(X, Y, verbose=0)
    assert isinstance(results, list) and np.isfinite(results).all()


# --- beside keras.distillation --------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_with_an_explicit_kl_object_both_train_the_same_student():
    peer = pytest.importorskip("keras.distillation", reason="an older Keras has no distillation to compare with")
    alpha, t, other = 0.3, 8.0, model()
    soft = peer.LogitsDistillation(temperature=t, loss=keras.losses.KLDivergence())
    weigh = {"distillation_loss_weights": 1 - alpha, "student_loss_weight": alpha}
    its = peer.Distiller(teacher=model(9), student=other, distillation_losses=soft, **weigh)
    its.compile(optimizer=SGD(0.1), loss=CE, run_eagerly=True)
    its.fit(X[:32], Y[:32], epochs=3, batch_size=8, shuffle=False, verbose=0)
    got = fitted(distiller(teacher=model(9), alpha=alpha, temperature=t), X[:32], Y[:32], epochs=3)
    assert same(got, weights(other), atol=1e-5) and not same(got, weights(model()))
