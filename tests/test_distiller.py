"""What `Distiller` promises: the right loss, a teacher that never changes, and to be like any Keras model."""

import inspect

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
    frozen,
    hard_values,
    logits,
    model,
    same,
    soft_values,
    watched,
    weights,
)

from distill_edu import Distiller, soft_targets, teacher_logits
from distill_edu.losses import hard_label_loss

CE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
NOTHING = keras.optimizers.SGD


@pytest.fixture(scope="module")
def teacher():
    return model(99, units=16, name="teacher")


def distiller(student=None, teacher=None, optimizer=None, **compile_arguments):
    one = Distiller(student=model() if student is None else student, teacher=teacher)
    one.compile(optimizer=optimizer or keras.optimizers.SGD(0.1), **compile_arguments)
    return one


def means(one, *data, **arguments):
    """What an epoch that changes nothing reports."""
    one.optimizer.learning_rate = 0.0
    return {name: values[0] for name, values in one.fit(*data, **LIGHT, **arguments).history.items()}


# --- the loss -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t, alpha", [(1.0, 0.5), (4.0, 0.1), (7.5, 0.0), (2.0, 1.0)])
def test_fit_and_evaluate_report_the_closed_form_over_all_33_examples(teacher, t, alpha):
    one = distiller(teacher=teacher, temperature=t, alpha=alpha, metrics=["accuracy"])
    z_s = logits(one.student)
    hard, soft = hard_values(Y, z_s).mean(), soft_values(logits(teacher), z_s, t).mean()
    expected = {"loss": alpha * hard + (1 - alpha) * soft, "student_loss": hard, "distillation_loss": soft}
    expected["accuracy"] = (z_s.argmax(1) == Y).mean()
    assert one.evaluate(X, Y, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-4)
    assert means(one, X, Y) == pytest.approx(expected, rel=1e-4)


def test_one_step_follows_the_gradient_of_the_closed_form(teacher):
    t, alpha, x, y = 3.0, 0.3, X[:8], Y[:8]
    student = keras.Sequential([keras.Input((6,)), keras.layers.Dense(CLASSES)])
    (kernel, bias), z_t = weights(student), logits(teacher, x)
    distiller(student, teacher, keras.optimizers.SGD(1.0), temperature=t, alpha=alpha).fit(x, y, **LIGHT)
    z_s = x @ kernel + bias
    hard = soft_targets(z_s) - np.eye(CLASSES)[y]
    soft = t * (soft_targets(z_s, t) - soft_targets(z_t, t))
    assert same(
        weights(student), [kernel - x.T @ (g := alpha * hard + (1 - alpha) * soft) / 8, bias - g.mean(0)], atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
def test_alpha_1_is_plain_training_step_for_step(teacher, weighted):
    """With dropout, BatchNorm, a regulariser, clipped gradients, sample weights and a ragged last batch."""
    weight = {"sample_weight": RANDOM.uniform(0, 2, 33)} if weighted else {}
    plain, student = (model(noise=0.4, norm=True, l2=0.01) for _ in range(2))
    plain.compile(keras.optimizers.Adam(0.05, clipnorm=0.5), CE, metrics=["accuracy"], weighted_metrics=["accuracy"])
    one = distiller(
        student, teacher, keras.optimizers.Adam(0.05, clipnorm=0.5), alpha=1,
        metrics=["accuracy"], weighted_metrics=["accuracy"],
    )  # fmt: skip
    for epoch in range(3):
        expected = plain.fit(X, Y, batch_size=8, **LIGHT, **weight).history
        got = one.fit(X, Y, batch_size=8, **LIGHT, **weight).history
        assert {name: got[name] for name in expected} == {k: pytest.approx(v, rel=1e-4) for k, v in expected.items()}
        assert same(weights(plain), weights(student), atol=1e-5), f"epoch {epoch}"
    assert got["student_loss"] != got["loss"]  # the penalty is in the loss, as in Keras


@pytest.mark.slow
def test_losses_that_layers_add_are_kept_and_do_not_pile_up(teacher):
    def busy():
        keras.utils.set_random_seed(0)
        hidden = keras.layers.Dense(8, "relu", activity_regularizer=keras.regularizers.L2(0.1))
        return keras.Sequential([keras.Input((6,)), hidden, keras.layers.Dense(CLASSES)])

    plain, student = busy(), busy()
    plain.compile(keras.optimizers.SGD(0.1), CE, run_eagerly=True)
    expected = plain.fit(X, Y, epochs=2, batch_size=8, shuffle=False, verbose=0).history["loss"]
    one = distiller(student, teacher, alpha=1, run_eagerly=True)
    got = one.fit(X, Y, epochs=2, batch_size=8, shuffle=False, verbose=0).history["loss"]
    assert got == pytest.approx(expected, rel=1e-5) and same(weights(plain), weights(student), atol=1e-5)


# --- the teacher ----------------------------------------------------------------------------------------------------


def test_the_teacher_never_changes():
    teacher = model(5, noise=0.5, norm=True, l2=0.1)
    teacher.layers[0].trainable = False
    before, flags = weights(teacher), [layer.trainable for layer in [teacher, *teacher.layers]]
    one = distiller(teacher=teacher)
    start = weights(one.student)
    one.fit(X, Y, epochs=3, verbose=0)
    one.evaluate(X, Y, verbose=0)
    assert not same(start, weights(one.student))
    assert same(before, weights(teacher), atol=0)
    assert flags == [layer.trainable for layer in [teacher, *teacher.layers]]


def test_only_the_student_is_trainable_and_its_optimizer_holds_nothing_else(teacher):
    one = distiller(teacher=teacher, optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
    one.fit(X, Y, **LIGHT)
    trained = {id(v) for v in one.student.trainable_variables}
    assert {id(v) for v in one.trainable_variables} == {id(v) for v in one.trainable_weights} == trained
    assert len(one.optimizer.variables) == 2 + len(trained)  # iterations, learning rate, one momentum per weight
    assert {id(v) for v in teacher.variables} <= {id(v) for v in one.non_trainable_variables}
    assert {id(v) for v in teacher.weights} <= {id(v) for v in one.non_trainable_weights}


@pytest.mark.slow
def test_a_penalty_of_the_teacher_does_not_enter_the_loss():
    free, penalised = distiller(teacher=model(5)), distiller(teacher=model(5, l2=10.0))
    assert means(penalised, X, Y) == pytest.approx(means(free, X, Y))


def test_both_run_once_a_step_the_teacher_without_training():
    (student, seen), (teacher, asked) = watched(0), watched(1)
    one = distiller(student, teacher, run_eagerly=True)
    one.fit(X[:8], Y[:8], batch_size=4, **LIGHT)
    assert (seen.seen, asked.seen) == ([True, True], [False, False])
    seen.seen.clear(), asked.seen.clear()
    one.evaluate(X[:8], Y[:8], batch_size=4, verbose=0)
    one.predict(X[:4], verbose=0)
    assert (seen.seen, asked.seen) == ([False, False, False], [False, False])


# --- temperature and alpha ------------------------------------------------------------------------------------------


def test_temperature_and_alpha_can_be_read_and_set_without_retracing(teacher):
    student, watch = watched()
    one = distiller(student, teacher, temperature=2.0, alpha=0.1)
    assert (one.temperature, one.alpha) == (2.0, 0.1)
    first = means(one, X, Y)
    traces = len(watch.seen)
    one.temperature, one.alpha = 5, 0.7
    second = means(one, X, Y)
    assert len(watch.seen) == traces
    z_s, z_t = logits(student), logits(teacher)
    hard, soft = hard_values(Y, z_s).mean(), soft_values(z_t, z_s, 5).mean()
    assert second["loss"] == pytest.approx(0.7 * hard + 0.3 * soft, rel=1e-4)
    assert second["loss"] != pytest.approx(first["loss"], rel=1e-2)


def test_a_callback_moves_the_temperature_while_fit_runs(teacher):
    class Raise(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.temperature = 9.0

    one = distiller(teacher=teacher, optimizer=NOTHING(0.0), temperature=1.0, alpha=0)
    one.fit(X, Y, batch_size=11, callbacks=[Raise()], **LIGHT)
    z_s, z_t = logits(one.student), logits(teacher)
    per_batch = [soft_values(z_t[i : i + 11], z_s[i : i + 11], t).mean() for i, t in ((0, 1), (11, 9), (22, 9))]
    assert float(one.get_metrics_result()["distillation_loss"]) == pytest.approx(np.mean(per_batch), rel=1e-4)


# --- targets --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_hot_labels_and_a_column_of_labels_are_integers_in_other_clothes(teacher):
    one = distiller(teacher=teacher, metrics=["accuracy"])
    expected = pytest.approx(means(one, X, Y), rel=1e-5)
    for same_labels in (np.eye(CLASSES)[Y], Y[:, None]):
        assert means(distiller(teacher=teacher, metrics=["accuracy"]), X, same_labels) == expected


@pytest.mark.slow
@pytest.mark.parametrize("form", ["integers", "one-hot zeros", "one-hot -1"])
def test_unlabelled_examples_count_in_the_soft_loss_only(teacher, form):
    labelled = np.arange(33) % 3 == 0
    integers = np.where(labelled, Y, -1)
    one_hot = np.where(labelled[:, None], np.eye(CLASSES)[Y], 0 if form == "one-hot zeros" else -1)
    one = distiller(teacher=teacher, metrics=["accuracy"])
    got = means(one, X, integers if form == "integers" else one_hot, batch_size=7)
    z_s = logits(one.student)
    assert got["student_loss"] == pytest.approx(hard_values(Y, z_s)[labelled].mean(), rel=1e-4)
    assert got["accuracy"] == pytest.approx((z_s.argmax(1) == Y)[labelled].mean(), rel=1e-5)
    assert got["distillation_loss"] == pytest.approx(soft_values(logits(teacher), z_s, 4).mean(), rel=1e-4)


def test_a_batch_without_any_label_trains_on_soft_targets(teacher):
    one, other = distiller(teacher=teacher, alpha=0.5), distiller(teacher=teacher, alpha=0.5)
    one.fit(X, np.full(33, -1), **LIGHT)
    assert not same(weights(one.student), weights(other.student))
    assert all(np.isfinite(weight).all() for weight in weights(one.student))


@pytest.mark.slow
def test_labels_may_be_absent_when_alpha_is_0_and_validation_may_have_them(teacher):
    one = distiller(teacher=teacher, alpha=0, metrics=["accuracy"])
    history = one.fit(X, validation_data=(X, Y), epochs=2, verbose=0).history
    assert "val_accuracy" in history and "accuracy" not in history
    one = distiller(teacher=teacher, alpha=0)
    one.fit(X, **LIGHT)
    twin = distiller(teacher=teacher, alpha=0)
    twin.fit(X, Y, **LIGHT)
    assert same(weights(one.student), weights(twin.student))


@pytest.mark.slow
def test_cached_logits_give_the_same_training_and_the_teacher_is_not_asked(teacher, capsys):
    z = teacher_logits(teacher, X, batch_size=10)
    assert capsys.readouterr().out == ""
    assert z.dtype == np.float32 and np.allclose(z, logits(teacher), atol=1e-5)
    asked, (silent, watch) = distiller(teacher=teacher), watched(5)
    asked.fit(X, Y, epochs=3, verbose=0, shuffle=False)
    for with_teacher in (None, silent):
        cached = distiller(teacher=with_teacher)
        cached.fit(X, {"labels": Y, "teacher_logits": z}, epochs=3, verbose=0, shuffle=False)
        assert same(weights(asked.student), weights(cached.student), atol=1e-5)
    assert watch.seen == []


def test_a_pipeline_that_shuffles_keeps_each_example_with_its_own_logits(teacher):
    one = distiller(teacher=teacher, optimizer=NOTHING(0.0), alpha=0)
    z = teacher_logits(teacher, X)
    data = tf.data.Dataset.from_tensor_slices((X, {"teacher_logits": z})).shuffle(33, seed=1).batch(8)
    right = one.evaluate(X, verbose=0, return_dict=True)["distillation_loss"]
    assert one.fit(data, verbose=0).history["distillation_loss"][0] == pytest.approx(right, rel=1e-4)
    out_of_step = tf.data.Dataset.from_tensor_slices((X, {"teacher_logits": z[::-1]})).batch(8)
    assert one.fit(out_of_step, verbose=0).history["distillation_loss"][0] != pytest.approx(right, rel=1e-2)


@pytest.mark.slow
def test_a_student_loss_of_ones_own(teacher):
    smoothed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    one = distiller(teacher=teacher, student_loss=smoothed)
    one_hot = np.eye(CLASSES)[Y]
    assert means(one, X, one_hot)["student_loss"] == pytest.approx(
        float(smoothed(one_hot, logits(one.student))), rel=1e-4
    )
    brier = distiller(
        teacher=teacher, student_loss=lambda y, z: keras.ops.mean((keras.ops.softmax(z) - y) ** 2, axis=-1)
    )
    expected = ((soft_targets(logits(brier.student)) - one_hot) ** 2).mean()
    assert means(brier, X, one_hot)["student_loss"] == pytest.approx(expected, rel=1e-4)
    squared = distiller(teacher=teacher, student_loss=keras.losses.MeanSquaredError())  # knows nothing of from_logits
    expected = ((logits(squared.student) - one_hot) ** 2).mean()
    assert means(squared, X, one_hot)["student_loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_true_and_false_are_labels(teacher):
    said, counted = (distiller(teacher=teacher, metrics=["accuracy"]) for _ in range(2))
    assert said.fit(X, Y > 1, **LIGHT).history == counted.fit(X, (Y > 1).astype(int), **LIGHT).history


def test_as_many_examples_as_classes(teacher):
    kinds = []

    def watched_loss(labels, student_logits):
        kinds.append(keras.backend.standardize_dtype(labels.dtype))
        return hard_label_loss(labels, student_logits)

    one = distiller(teacher=teacher, student_loss=watched_loss)
    expected = hard_values(Y[:CLASSES], logits(one.student, X[:CLASSES])).mean()
    got = one.test_on_batch(X[:CLASSES], Y[:CLASSES], return_dict=True)
    assert got["student_loss"] == pytest.approx(expected, rel=1e-4)
    assert set(kinds) == {"int32"}  # four labels are not one row of one-hot numbers


# --- as any Keras model ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_sample_weights_weigh_both_losses_and_only_the_weighted_metrics(teacher):
    w = RANDOM.uniform(0, 3, 33)
    one = distiller(
        teacher=teacher, metrics=["accuracy"], weighted_metrics=[keras.metrics.SparseCategoricalAccuracy("wa")]
    )
    got = means(one, X, Y, sample_weight=w)
    z_s = logits(one.student)
    right = z_s.argmax(1) == Y
    assert got["student_loss"] == pytest.approx((w * hard_values(Y, z_s)).mean(), rel=1e-4)
    assert got["distillation_loss"] == pytest.approx((w * soft_values(logits(teacher), z_s, 4)).mean(), rel=1e-4)
    assert got["accuracy"] == pytest.approx(right.mean()) and got["wa"] == pytest.approx((w * right).sum() / w.sum())


@pytest.mark.slow
def test_class_weights_are_sample_weights_by_class(teacher):
    per_class = {0: 1.0, 1: 3.0, 2: 0.5, 3: 2.0}
    one, other = distiller(teacher=teacher), distiller(teacher=teacher)
    one.fit(X, Y, class_weight=per_class, **LIGHT)
    other.fit(X, Y, sample_weight=np.vectorize(per_class.get)(Y), **LIGHT)
    assert same(weights(one.student), weights(other.student))


@pytest.mark.slow
@pytest.mark.parametrize("way", [{"run_eagerly": True}, {"jit_compile": True}, {"steps_per_execution": 3}])
def test_every_way_of_running_gives_the_same_student(teacher, way):
    labels = np.where(np.arange(33) % 4, Y, -1)
    one, other = (distiller(teacher=teacher, metrics=["accuracy"], **how) for how in ({}, way))
    expected, got = (each.fit(X, labels, batch_size=8, **LIGHT).history for each in (one, other))
    assert same(weights(one.student), weights(other.student), atol=1e-5)
    assert got == {name: pytest.approx(value, rel=1e-4) for name, value in expected.items()}
    assert way.get("jit_compile", False) == other.jit_compile


@pytest.mark.slow
def test_mixed_precision_scales_the_loss_and_takes_a_float32_teacher(teacher):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        student = model()
    finally:
        keras.config.set_dtype_policy("float32")
    one = distiller(student, teacher)
    assert type(one.optimizer).__name__ == "LossScaleOptimizer"
    expected = distiller(teacher=teacher)
    got, wanted = (each.fit(X, Y, **LIGHT).history for each in (one, expected))
    assert got == {name: pytest.approx(value, rel=0.02) for name, value in wanted.items()}
    assert same(weights(student), weights(expected.student), atol=5e-3)


def test_large_inputs_reach_a_mixed_student_as_they_are():
    x = keras.Input((FEATURES,))
    small = keras.layers.Rescaling(1e-5, dtype="float32")(x)  # before anything is float16, which ends at 65504
    student = keras.Model(x, keras.layers.Dense(CLASSES)(small))
    student.dtype_policy = keras.DTypePolicy("mixed_float16")
    assert np.allclose(Distiller(student=student).predict(1e5 * X, verbose=0), logits(student, 1e5 * X))


@pytest.mark.slow
def test_two_replicas_give_the_numbers_of_one_device(teacher):
    x, y = X[:32], Y[:32]
    alone = distiller(teacher=teacher, metrics=["accuracy"])
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        shared_teacher = model(99, units=16, name="teacher")
        together = distiller(model(l2=0.0), shared_teacher, metrics=["accuracy"])
    expected, got = (one.fit(x, y, batch_size=8, **LIGHT).history for one in (alone, together))
    assert same(weights(alone.student), weights(together.student), atol=1e-5)
    assert got == {name: pytest.approx(value, rel=1e-3) for name, value in expected.items()}


UNEVEN = np.where(np.arange(32) % 8 < 5, -1, Y[:32])  # of every eight, the first replica's four have no label


@pytest.mark.slow
@pytest.mark.parametrize("x, y", [(X[:9], Y[:9]), (X[:32], UNEVEN)], ids=["examples", "labels"])
def test_replicas_may_have_unequal_shares(teacher, x, y):
    """The numbers of one device: every mean is over all that counts, wherever it lies."""
    alone = distiller(teacher=teacher, metrics=["accuracy"])
    # TensorFlow's collectives on CPUs keep the sizes of the first strategy of a process: these need none.
    one_sums = tf.distribute.ReductionToOneDevice()
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=one_sums).scope():
        together = distiller(model(), model(99, units=16, name="teacher"), metrics=["accuracy"])
    expected, got = (one.fit(x, y, batch_size=8, **LIGHT).history for one in (alone, together))
    assert same(weights(alone.student), weights(together.student), atol=1e-5)
    assert got == {name: pytest.approx(value, rel=1e-3) for name, value in expected.items()}
    expected, got = (one.evaluate(x, y, batch_size=8, verbose=0, return_dict=True) for one in (alone, together))
    assert got == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_saved_in_the_middle_it_trains_on_as_if_it_had_not_stopped(teacher, tmp_path):
    def start():
        optimizer, metric = keras.optimizers.Adam(0.05), keras.metrics.SparseTopKCategoricalAccuracy(2, "top2")
        how = {"student_loss": CE, "metrics": ["accuracy", metric], "steps_per_execution": 2}
        return distiller(model(norm=True), teacher, optimizer, temperature=3, alpha=0.4, **how)

    straight, stopped = start(), start()
    straight.fit(X, Y, epochs=4, shuffle=False, verbose=0)
    stopped.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    stopped.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert len(loaded.evaluate(X, Y, verbose=0)) == len(stopped.evaluate(X, Y, verbose=0)) == 5  # each metric once
    assert loaded.steps_per_execution == 2
    assert (loaded.temperature, loaded.alpha) == (3, 0.4)
    assert loaded.evaluate(X, Y, verbose=0) == pytest.approx(stopped.evaluate(X, Y, verbose=0), rel=1e-5)
    loaded.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    assert same(weights(straight.student), weights(loaded.student), atol=1e-5)
    assert same(weights(teacher), weights(loaded.teacher), atol=0)


@pytest.mark.slow
def test_callbacks_and_checkpoints_work(teacher, tmp_path):
    one = distiller(teacher=teacher)
    keep = keras.callbacks.ModelCheckpoint(tmp_path / "best.weights.h5", save_weights_only=True, monitor="val_loss")
    stop = keras.callbacks.EarlyStopping(
        "val_distillation_loss", mode="min", patience=0, min_delta=1e9, restore_best_weights=True
    )
    history = one.fit(X, Y, validation_split=0.3, epochs=9, callbacks=[keep, stop], verbose=0).history
    assert len(history["loss"]) == 2
    other = distiller(model(3), teacher)
    other.load_weights(tmp_path / "best.weights.h5")
    assert not same(weights(other.student), weights(model(3)))


def test_predict_is_the_students_answer_and_summary_names_both(teacher):
    lines = []
    one = distiller(model(name="pupil"), teacher)
    assert np.allclose(one.predict(X, verbose=0), logits(one.student))
    one.summary(print_fn=lines.append)
    assert lines[0] == "Student, is trained: pupil. Teacher, is only asked: teacher."
    assert "Trainable params: 92" in "".join(lines)  # 6 * 8 + 8 + 8 * 4 + 4


def test_what_is_keras_s_shows_keras_s_arguments_and_what_is_not_set_has_its_default(teacher):
    for name in ("fit", "evaluate", "summary"):
        assert inspect.signature(getattr(Distiller, name)) == inspect.signature(getattr(keras.Model, name))
        assert "distill_edu" in inspect.getsourcefile(getattr(Distiller, name))  # what ?? shows in a notebook
    assert '"teacher_logits": teacher_logits(teacher, x)' in inspect.getdoc(Distiller.fit)
    one = Distiller(student=model(), teacher=teacher)
    assert one.temperature == 4.0 and one.alpha == pytest.approx(0.1)


def test_logits_for_every_time_step(teacher):
    student = keras.Sequential([keras.Input((5, 6)), keras.layers.Dense(CLASSES)])
    sequence_teacher = keras.Sequential(
        [keras.Input((5, 6)), keras.layers.Dense(7, "relu"), keras.layers.Dense(CLASSES)]
    )
    x, y, w = RANDOM.randn(9, 5, 6).astype("float32"), RANDOM.randint(-1, CLASSES, (9, 5)), RANDOM.uniform(0, 2, 9)
    one = distiller(student, sequence_teacher, metrics=["accuracy"])
    got = means(one, x, y, sample_weight=w, batch_size=9)
    z_s, z_t = logits(student, x), logits(sequence_teacher, x)
    flat = hard_values(np.maximum(y, 0).ravel(), z_s.reshape(-1, CLASSES)).reshape(9, 5)
    assert got["distillation_loss"] == pytest.approx((w[:, None] * soft_values(z_t, z_s, 4)).mean(), rel=1e-4)
    assert got["student_loss"] == pytest.approx((w[:, None] * flat)[y >= 0].sum() / (y >= 0).sum(), rel=1e-4)
    assert got["accuracy"] == pytest.approx((z_s.argmax(-1) == y)[y >= 0].mean(), rel=1e-5)


@pytest.mark.slow
def test_models_with_several_inputs_and_a_student_without_training_argument(teacher):
    class Sum(keras.Model):
        def __init__(self):
            super().__init__()
            self.out = keras.layers.Dense(CLASSES)

        def call(self, inputs):
            return self.out(inputs["a"] + inputs["b"])

    x = {"a": X, "b": X[::-1].copy()}
    big = Sum()
    big(x)
    one = distiller(Sum(), big)
    assert one.fit(x, Y, verbose=0).history["loss"][0] > 0


# --- wrong use ------------------------------------------------------------------------------------------------------


class SubclassedSoftmax(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(CLASSES, "softmax")

    def call(self, inputs):
        return self.out(inputs)


def built(one):
    one(X[:1])
    return one


def unchecked(teacher, labels):
    one = distiller(teacher=teacher, student_loss=lambda y, z: z[:, 0])
    return one.fit(X, labels, verbose=0)


NAN = np.where(np.arange(33)[:, None] == 5, np.nan, X)
Z = np.zeros((33, CLASSES), "float32") - 1
WRONG = {
    "other classes": (
        lambda t: distiller(teacher=model(1, classes=3)).fit(X, Y, verbose=0),
        "The teacher gives 3 logits per example and the student 4",
    ),
    "softmax teacher": (
        lambda t: Distiller(student=model(), teacher=model(1, activation="softmax")),
        "The teacher's output looks like probabilities .* take the softmax off",
    ),
    "softmax student": (
        lambda t: Distiller(student=model(activation="softmax"), teacher=t),
        "The student's output looks like probabilities",
    ),
    "softmax in a subclassed teacher": (
        lambda t: distiller(teacher=built(SubclassedSoftmax())).fit(X, Y, verbose=0),
        "The teacher's output looks like probabilities",
    ),
    "softmax in a subclassed student": (
        lambda t: distiller(SubclassedSoftmax(), t).fit(X, Y, verbose=0),
        "The student's output looks like probabilities",
    ),
    "cached probabilities": (
        lambda t: distiller().fit(X, {"labels": Y, "teacher_logits": np.full((33, 4), 0.25)}, verbose=0),
        "The teacher's output looks like probabilities",
    ),
    "probabilities in teacher_logits": (
        lambda t: teacher_logits(model(1, activation="softmax"), X),
        "The teacher's output looks like probabilities",
    ),
    "T = 0": (lambda t: distiller(teacher=t, temperature=0), "temperature must be a positive number, not 0"),
    "T < 0": (lambda t: setattr(distiller(teacher=t), "temperature", -2), "temperature must be a positive number"),
    "alpha > 1": (lambda t: distiller(teacher=t, alpha=1.5), "alpha must be between 0 and 1, not 1.5"),
    "alpha < 0": (lambda t: distiller(teacher=t, alpha=-0.5), "alpha must be between 0 and 1, not -0.5"),
    "alpha nan": (lambda t: setattr(distiller(teacher=t), "alpha", np.nan), "alpha must be between 0 and 1"),
    "no teacher": (lambda t: distiller().fit(X, Y, verbose=0), "neither a teacher nor teacher_logits"),
    "no teacher in evaluate": (lambda t: distiller().evaluate(X, Y, verbose=0), "neither a teacher nor teacher_logits"),
    "NaN in x": (lambda t: distiller(teacher=t).fit(NAN, Y, verbose=0), "inputs .x. contain NaN"),
    "NaN in teacher logits": (
        lambda t: distiller().fit(X, {"labels": Y, "teacher_logits": Z * np.nan}, verbose=0),
        "The loss is NaN or infinite",
    ),
    "NaN from teacher": (
        lambda t: teacher_logits(keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)]), NAN),
        "The teacher's output contains NaN",
    ),
    "no labels": (lambda t: distiller(teacher=t).fit(X, verbose=0), "There are no labels"),
    "label too large": (lambda t: distiller(teacher=t).fit(X, Y + 9, verbose=0), "A label is not one of the classes"),
    "label too small": (lambda t: distiller(teacher=t).fit(X, Y - 9, verbose=0), "A label is not one of the classes"),
    "label 4 for a loss that does not look": (lambda t: unchecked(t, Y * 0 + 4), "A label is not one of the classes"),
    "label -2 for a loss that does not look": (lambda t: unchecked(t, Y * 0 - 2), "A label is not one of the classes"),
    "label 9 for a loss that does not look": (lambda t: unchecked(t, Y * 0 + 9), "A label is not one of the classes"),
    "labels with more columns than classes": (
        lambda t: distiller(teacher=t).fit(X, np.zeros((33, 5)), verbose=0),
        "one integer per example, or one-hot rows of 4",
    ),
    "labels with an axis too many": (
        lambda t: distiller(teacher=t).fit(X, np.zeros((33, 1, 4)), verbose=0),
        "one integer per example, or one-hot rows of 4",
    ),
    "one label for a whole sequence": (
        lambda t: distiller(*(keras.Sequential([keras.Input((3, 6)), keras.layers.Dense(4)]) for _ in "st")).fit(
            np.zeros((9, 3, 6)), np.zeros(9), verbose=0
        ),
        "one integer per example, or one-hot rows of 4",
    ),
    "labels of another shape": (
        lambda t: distiller(teacher=t).fit(X, np.zeros((33, 3)), verbose=0),
        "one integer per example, or one-hot rows of 4",
    ),
    "frozen student": (lambda t: distiller(frozen(), t).fit(X, Y, verbose=0), "set student.trainable = True"),
    "wrong key": (
        lambda t: distiller(teacher=t).fit(X, {"label": Y}, verbose=0),
        'has the keys "labels", "teacher_logits" and "mask", not ..label',
    ),
    "one model twice": (lambda t: Distiller(student=t, teacher=t), "one model, or share layers"),
    "shared layers": (
        lambda t: Distiller(student=keras.Sequential([keras.Input((6,)), *t.layers]), teacher=t),
        "one model, or share layers",
    ),
    "untrained teacher": (
        lambda t: Distiller(student=model(), teacher=keras.Sequential([keras.layers.Dense(4)])),
        "The teacher has no weights yet",
    ),
    "loss=": (lambda t: distiller(teacher=t, loss="mse"), "does not take loss=...: it is called student_loss"),
    "loss by name": (
        lambda t: distiller(teacher=t, student_loss="mse"),
        "student_loss='mse' is a name, .* give a function",
    ),
    "loss of probabilities": (
        lambda t: distiller(teacher=t, student_loss=keras.losses.SparseCategoricalCrossentropy()),
        "takes the logits for probabilities",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_gets_one_sentence(teacher, name):
    call, sentence = WRONG[name]
    with pytest.raises(ValueError, match=sentence) as caught:
        call(teacher)
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["x", "labels", "teacher"])
def test_nothing_is_trained_before_it_is_said(teacher, wrong):
    one = distiller(teacher=built(SubclassedSoftmax()) if wrong == "teacher" else teacher)
    before = weights(one.student)
    with pytest.raises(ValueError):
        one.fit(NAN if wrong == "x" else X, Y + 9 if wrong == "labels" else Y, batch_size=33, verbose=0)
    assert same(before, weights(one.student), atol=0)


def test_by_position_is_refused_and_so_is_what_is_no_model(teacher):
    with pytest.raises(TypeError, match="positional"):
        Distiller(model(), teacher)
    with pytest.raises(TypeError, match="must be Keras models, not str"):
        Distiller(student="small", teacher=teacher)
    with pytest.raises(TypeError, match="student is None"):
        Distiller(student=None, teacher=teacher)
    with pytest.raises(TypeError, match="student is None"):
        Distiller(student=None)


@pytest.mark.slow
def test_seven_rows_may_sum_to_1_by_chance_and_eight_do_not(teacher):
    answers = np.float32([[0.25] * 4, [0.7, 0.3, 0, 0]] * 4)
    seven, eight = ((X[:n], {"labels": Y[:n], "teacher_logits": answers[:n]}) for n in (7, 8))
    assert distiller(teacher=teacher).fit(*seven, verbose=0)
    with pytest.raises(ValueError, match="The teacher's output looks like probabilities"):
        distiller(teacher=teacher).fit(*eight, verbose=0)


def test_rows_are_counted_over_all_time_steps():
    def sequences(n):
        return np.zeros((n, 3, FEATURES)), {"labels": np.zeros((n, 3)), "teacher_logits": np.full((n, 3, 4), 0.25)}

    student = keras.Sequential([keras.Input((3, FEATURES)), keras.layers.Dense(CLASSES)])
    assert distiller(student).fit(*sequences(2), verbose=0)
    with pytest.raises(ValueError, match="The teacher's output looks like probabilities"):
        distiller(student).fit(*sequences(3), verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("change", [lambda p: 1.9 * p, lambda p: 0.1 * p, lambda p: p + [1, -1, 0, 0]], ids="abc")
def test_numbers_that_are_no_probabilities_are_logits(teacher, change):
    answers = change(np.random.RandomState(0).dirichlet(np.ones(CLASSES), len(X)))
    assert distiller(teacher=teacher).fit(X, {"labels": Y, "teacher_logits": answers}, verbose=0)
