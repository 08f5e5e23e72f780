"""A Classroom gives every student what a Distiller gives it alone, run eagerly, and asks the teacher once."""

import functools
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import CLASSES, FEATURES, LIGHT, Watch, model, same, subclassed, weights
from small import X as ALL_X
from small import Y as ALL_Y

from distill_edu import Classroom, Distiller, losses, teacher_logits

pytestmark = pytest.mark.nightly  # it traces hundreds of steps

layers = keras.layers
RANDOM = np.random.RandomState(0)
X, Y = ALL_X[:17], ALL_Y[:17]  # two batches of 8, and a ragged one
TWICE = {**LIGHT, "epochs": 2, "batch_size": 8}
TEMPERATURES, ALPHAS = [1.0, 8.0, 4.0], [0.0, 0.6, 1.0]


@pytest.fixture
def teacher():
    return model(99, units=16, name="teacher")


# --- students -------------------------------------------------------------------------------------------------------


def sequential(*hidden):
    """A function from a seed to a model; `hidden`: functions that make its hidden layers."""

    def build(seed):
        keras.utils.set_random_seed(seed)
        return keras.Sequential([keras.Input((FEATURES,)), *(make() for make in hidden), layers.Dense(CLASSES)])

    return build


def functional(seed):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((FEATURES,))
    hidden = layers.Dense(5, activity_regularizer=keras.regularizers.L2(0.05))(inputs)
    still = layers.Dense(4, trainable=False)(inputs)
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.Concatenate()([hidden, still])))


@keras.saving.register_keras_serializable(package="test_classroom")
class Centred(layers.Layer):
    """Takes the mean off where the inputs are large: an if in the graph."""

    def call(self, inputs):
        large = keras.ops.mean(keras.ops.abs(inputs)) > 0.8  # in some of the batches
        return keras.ops.cond(large, lambda: inputs - keras.ops.mean(inputs, axis=-1, keepdims=True), lambda: inputs)


convolution = [lambda: layers.Reshape((FEATURES, 1)), lambda: layers.Conv1D(4, 3, activation="relu")]
convolution += [layers.BatchNormalization, lambda: layers.Dropout(0.3), layers.Flatten]
words = [lambda: layers.Discretization([-0.5, 0.5]), lambda: layers.Embedding(4, 3), layers.Flatten]
STUDENTS = {
    "mlp": model,
    "noise, norm and a penalty": lambda seed: model(seed, noise=0.5, norm=True, l2=0.1),
    "convolutions": sequential(*convolution),
    "functional, partly frozen, with an activity penalty": functional,
    "embedding": sequential(*words),  # whose gradient is of a kind of its own
    "constraints": sequential(lambda: layers.Dense(5, kernel_constraint=keras.constraints.MaxNorm(0.5))),
    "a loop": sequential(lambda: layers.Reshape((3, 2)), lambda: layers.SimpleRNN(3)),
    "subclassed, not built yet": lambda seed: subclassed(seed, scale=1.0 + seed, called=False),
    "subclassed": lambda seed: subclassed(seed, scale=1.0 + seed),
    "two sizes": lambda seed: model(seed, units=4 + seed % 2),
    "spectral normalization": sequential(lambda: layers.SpectralNormalization(layers.Dense(5, "relu"))),
    "an if of ones own": sequential(Centred, lambda: layers.Dense(5, "relu")),
}


def alone(build, teacher, optimizer="adam", arguments=(), data=(X, Y), count=2, **fit):
    """[(student, history)], each trained by a Distiller of its own."""
    results = []
    for seed, t, alpha in zip(range(count), TEMPERATURES, ALPHAS, strict=False):
        one = Distiller(student=build(seed), teacher=teacher)
        one.compile(made(optimizer), temperature=t, alpha=alpha, run_eagerly=True, **dict(arguments))
        results.append((one.student, one.fit(*data, **{**TWICE, **fit}).history))
    return results


def compiled(build, teacher, optimizer="adam", count=2, **arguments):
    many = {"temperatures": TEMPERATURES[:count], "alphas": ALPHAS[:count]}
    classroom = Classroom(students=[build(seed) for seed in range(count)], teacher=teacher, **many)
    classroom.compile(made(optimizer), **arguments)
    return classroom


def together(build, teacher, optimizer="adam", arguments=(), data=(X, Y), count=2, **fit):
    classroom = compiled(build, teacher, optimizer, count, **dict(arguments))
    return classroom, classroom.fit(*data, **{**TWICE, **fit}).history


def made(optimizer):
    return optimizer if isinstance(optimizer, str) else optimizer()


def require_same_students(classroom, expected):
    for student, (one, _) in zip(classroom.students, expected, strict=True):
        assert same(weights(student), weights(one), atol=1e-5)


def agree(classroom, history, expected):
    require_same_students(classroom, expected)
    for i, (_, own) in enumerate(expected):
        assert set(own) == set(history)
        for name, values in own.items():
            assert [value[i] for value in history[name]] == pytest.approx(values, rel=1e-3, abs=1e-4), name


# --- the numbers of a Distiller -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STUDENTS)
def test_every_kind_of_student_gets_what_it_would_get_alone(teacher, name):
    count = 3 if name == "two sizes" else 2
    agree(*together(STUDENTS[name], teacher, count=count), alone(STUDENTS[name], teacher, count=count))


opt = keras.optimizers


def undecayed(optimizer):
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    return optimizer


OPTIMIZERS = {
    "momentum and decay": lambda: opt.SGD(opt.schedules.ExponentialDecay(0.1, 2, 0.5), momentum=0.9, clipvalue=0.05),
    "clipnorm": lambda: opt.Adam(0.1, clipnorm=0.1),
    "global_clipnorm": lambda: opt.Adam(0.1, global_clipnorm=0.1),
    "averaged weights": lambda: opt.Adam(0.1, use_ema=True, ema_momentum=0.5),
    "accumulation and weight decay": lambda: opt.AdamW(0.1, gradient_accumulation_steps=2),
    "weight decay of biases alone": lambda: undecayed(opt.SGD(0.1, weight_decay=2.0)),
    "lamb": lambda: opt.Lamb(0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_student_has_its_own_copy_of_every_optimizer(teacher, name):
    agree(*together(model, teacher, OPTIMIZERS[name]), alone(model, teacher, OPTIMIZERS[name]))


UNKNOWN = np.arange(17) % 3 == 0
LABELS = {
    "sigmoid": np.where(UNKNOWN[:, None], -1, RANDOM.rand(17, CLASSES) < 0.4).astype("float32"),
    "mean_square": np.where(UNKNOWN[:, None], np.nan, RANDOM.randn(17, CLASSES)).astype("float32"),
}


@pytest.mark.parametrize(
    "loss",
    [*losses.SOFT_LOSSES, losses.Decoupled(0.5, 3), losses.JensenShannon(0.2)],
    ids=lambda loss: loss if isinstance(loss, str) else type(loss).__name__,
)
def test_every_loss_and_unlabelled_examples_and_cached_logits(teacher, loss):
    data = X, {"labels": LABELS.get(loss, np.where(UNKNOWN, -1, Y)), "teacher_logits": teacher_logits(teacher, X)}
    how = {"arguments": {"soft_loss": loss}, "data": data}
    agree(*together(model, None, "sgd", **how), alone(model, None, "sgd", **how))


FITS = {
    "mlp": {"sample_weight": RANDOM.rand(17), "validation_data": (X[:5], Y[:5])},
    "two sizes": {"class_weight": {0: 2.0, 1: 0.5, 2: 1.0, 3: 0.0}, "validation_split": 0.2},
}


def test_weight_decay_leaves_a_variable_of_one_student_alone(teacher):
    students, twin = [model(0), model(1)], model(0)
    learned = []
    for one, decayed in (
        (Classroom(students=students, teacher=teacher), students[0]),
        (Distiller(student=twin, teacher=teacher), twin),
    ):
        optimizer = opt.SGD(0.1, weight_decay=2.0)
        optimizer.exclude_from_weight_decay(var_list=[decayed.layers[0].kernel])
        one.compile(optimizer)
        one.fit(X, Y, **TWICE)
        learned.append(weights(decayed))
    assert same(*learned, atol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "two sizes"])
def test_the_weighted_metrics_are_those_of_a_distiller(teacher, name):
    how = {"arguments": {"weighted_metrics": ["accuracy"]}, "sample_weight": RANDOM.rand(17)}
    agree(*together(STUDENTS[name], teacher, **how), alone(STUDENTS[name], teacher, **how))


@pytest.mark.parametrize("kind", ["metrics", "weighted_metrics"])
@pytest.mark.parametrize("form", [lambda m: [[m]], lambda m: {"dense": m}, lambda m: {"dense": [m]}, lambda m: m])
def test_metrics_in_any_structure_are_every_students_own(teacher, kind, form):
    shared = form(keras.metrics.SparseCategoricalAccuracy("acc"))
    classroom = compiled(STUDENTS["two sizes"], teacher, **{kind: shared})
    got = classroom.evaluate(X, Y, verbose=0, return_dict=True)["acc"]
    right = [(np.array(student(X)).argmax(axis=1) == Y).mean() for student in classroom.students]
    assert right[0] != right[1] and got.tolist() == pytest.approx(right)
    one = Distiller(student=classroom.students[1], teacher=teacher)
    one.compile(**{kind: shared})
    assert one.evaluate(X, Y, verbose=0, return_dict=True)["acc"] == pytest.approx(right[1])


def test_a_partial_and_a_metric_of_ones_own_are_what_they_are_alone(teacher):
    def cubed(batch, student_logits, temperature, power):
        return keras.ops.mean(keras.ops.abs(batch.teacher_logits - student_logits) ** power, axis=-1)

    def largest(y, z):
        return keras.ops.max(z, axis=-1)

    how = {"arguments": {"soft_loss": functools.partial(cubed, power=3), "metrics": [largest]}}
    agree(*together(model, teacher, **how), alone(model, teacher, **how))


def test_students_with_a_state_keep_their_own(teacher):
    """A state that no list of variables has."""

    def build(seed):
        keras.utils.set_random_seed(seed)
        entry = keras.Input((FEATURES,), batch_size=8)
        return keras.Sequential([entry, layers.Reshape((3, 2)), layers.GRU(3, **memory), layers.Dense(CLASSES)])

    memory, data = {"stateful": True, "unroll": True}, (X[:16], Y[:16])
    agree(*together(build, teacher, data=data), alone(build, teacher, data=data))


@pytest.mark.parametrize("name", FITS)
def test_weights_metrics_and_validation_are_those_of_a_distiller(teacher, name):
    metrics, fit = {"metrics": [keras.metrics.SparseCategoricalAccuracy("accuracy")]}, FITS[name]  # one copy each
    expected = alone(STUDENTS[name], teacher, arguments={"metrics": ["accuracy"]}, **fit)
    agree(*together(STUDENTS[name], teacher, arguments=metrics, **fit), expected)


def test_an_evaluation_is_that_of_a_distiller_and_nobody_drops_units_in_it(teacher):
    def build(seed):
        return model(seed, noise=0.9 * (seed != 1), norm=True)  # two alike, another between them

    classroom = compiled(build, teacher, count=3, metrics=["accuracy"])
    got = classroom.evaluate(X, Y, return_dict=True, verbose=0)
    for i, student in enumerate(classroom.students):
        one = Distiller(student=student, teacher=teacher)
        one.compile(temperature=TEMPERATURES[i], alpha=ALPHAS[i], metrics=["accuracy"], run_eagerly=True)
        own = one.evaluate(X, Y, return_dict=True, verbose=0)
        assert {name: values[i] for name, values in got.items()} == pytest.approx(own, rel=1e-5)
    assert np.allclose(classroom.evaluate(X, Y, verbose=0), list(got.values()))
    names, of_batch = one.metrics_names, classroom.test_on_batch(X, Y)
    assert len(of_batch) == len(one.test_on_batch(X, Y)) == 4 and np.allclose(
        of_batch[names.index("loss")], got["loss"]
    )


def test_students_of_several_dtypes_predict_together(teacher):
    coarse = keras.Sequential([keras.Input((FEATURES,)), layers.Dense(CLASSES, dtype="mixed_bfloat16")])
    classroom = Classroom(students=[model(0), coarse], teacher=teacher)
    before = classroom.predict(X, verbose=0)
    classroom.compile("sgd")
    assert np.allclose(before, classroom.predict(X, verbose=0), atol=1e-2) and before.dtype == "float32"


def test_a_layer_frozen_after_fit_stays_as_it_is_where_compile_met_no_weights():
    students = [keras.Sequential([layers.Dense(5), layers.Dense(CLASSES)]) for _ in range(2)]
    classroom = Classroom(students=students, alphas=1.0)
    classroom.compile("sgd", soft_loss=None)
    for _ in range(2):
        classroom.fit(X, Y, **LIGHT)
    students[0].layers[0].trainable = False
    before = weights(students[0].layers[0])
    classroom.fit(X, Y, **LIGHT)
    assert same(before, weights(students[0].layers[0]), atol=0)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda one: one.compile("adam", temperature=2.0), r"Give temperatures when you make the Classroom"),
        (lambda one: one.compile("adam", alpha=0.5), r"Give alphas when"),
        (lambda one: one.compile("adam", metric="accuracy"), "unexpected keyword argument 'metric'"),
    ],
)
def test_a_wrong_compile_changes_no_student(teacher, call, words):
    one = compiled(model, teacher)
    before = [each.optimizer for each in one.distillers]
    with pytest.raises((TypeError, ValueError), match=words):
        call(one)
    assert all(each.optimizer is old for each, old in zip(one.distillers, before, strict=True))


# --- the teacher, and answers ---------------------------------------------------------------------------------------


def test_the_teacher_is_asked_once_a_step_and_never_changes():
    teacher = sequential(Watch, layers.BatchNormalization)(0)
    start, seen = weights(teacher), teacher.layers[0].seen
    seen.clear()
    classroom, _ = together(model, teacher, arguments={"run_eagerly": True}, data=(X[:16], Y[:16]), epochs=1)
    assert seen == [False, False]  # two batches, two students
    assert same(start, weights(teacher), atol=0) and teacher.trainable
    classroom.evaluate(X[:8], Y[:8], verbose=0)
    assert seen == [False] * 3


def test_students_alike_are_traced_once(teacher):
    classroom = compiled(sequential(Watch), teacher, count=3)
    seen = [student.layers[0].seen for student in classroom.students]
    for each in seen:
        each.clear()
    classroom.fit(X[:16], Y[:16], batch_size=8, **LIGHT)
    assert seen == [[True], [], []]


@pytest.mark.parametrize("compiled", [True, False])
def test_answers_come_in_the_order_of_the_students(teacher, compiled):
    kinds = ["noise, norm and a penalty", "a loop", "noise, norm and a penalty", "subclassed", "two sizes", "a loop"]
    students = [STUDENTS[name](seed) for seed, name in enumerate(kinds)]
    classroom = Classroom(students=students, teacher=teacher)
    if compiled:
        classroom.compile()
    for _ in range(2):
        predicted = classroom.predict(X, batch_size=8, verbose=0)
        assert predicted.shape == (17, 6, CLASSES)
        assert np.allclose(predicted, np.stack([student(X) for student in students], axis=1), atol=1e-5)
        students[2].set_weights([weight / 2 for weight in weights(students[2])])


# --- in the middle of a training ------------------------------------------------------------------------------------


class Look(keras.callbacks.Callback):
    """Keeps a student's weights whenever Keras calls, and changes them after the first epoch."""

    def __init__(self, student, changes=True):
        super().__init__()
        self.student, self.seen, self.changes = student, [], changes

    def look(self, *_, **__):
        self.seen.append(weights(self.student))

    on_train_begin = on_epoch_begin = on_train_batch_begin = on_train_batch_end = on_test_begin = on_test_end = look

    def on_epoch_end(self, epoch, logs=None):
        self.look()
        if self.changes:
            self.student.set_weights([weight / 2 for weight in weights(self.student)])


def test_a_callback_sees_and_changes_what_it_would_alone(teacher):
    def seen(one, student, **how):
        look = Look(student)
        one.compile(keras.optimizers.Adam(0.1), metrics=["accuracy"], steps_per_execution=2, **how)
        one.fit(X, Y, **TWICE, callbacks=[look], validation_data=(X[:5], Y[:5]))
        return look.seen + [weights(student)]

    student, students = model(1, norm=True), [model(seed, norm=True) for seed in range(3)]
    expected = seen(Distiller(student=student, teacher=teacher), student, run_eagerly=True)
    got = seen(Classroom(students=students, teacher=teacher), students[1])
    assert len(got) == len(expected) > 10 and not same(got[0], got[-1])
    assert all(same(*pair, atol=1e-5) for pair in zip(got, expected, strict=True))


def test_weights_and_temperatures_may_be_set_in_the_middle(teacher):
    expected = alone(model, teacher, epochs=1)
    classroom, _ = together(model, teacher, epochs=1)
    distillers = [Distiller(student=student, teacher=teacher) for student, _ in expected]
    for one, t, alpha in zip(distillers, [20.0, 8.0], ALPHAS, strict=False):
        one.compile("sgd", temperature=t, alpha=alpha, run_eagerly=True)
    classroom.compile("sgd")
    classroom.distillers[0].temperature = 20
    for student in (distillers[1].student, classroom.students[1]):
        student.set_weights(weights(model(77)))
    for one in (*distillers, classroom):
        one.fit(X, Y, **TWICE)
    require_same_students(classroom, expected)


def test_held_students_are_written_at_the_end(teacher):
    expected = alone(model, teacher, epochs=1)
    classroom = compiled(model, teacher)
    start, look = weights(classroom.students[0]), Look(classroom.students[0], changes=False)
    with pytest.raises(RuntimeError, match="the reader's"), classroom.held():
        classroom.fit(X, Y, **{**TWICE, "epochs": 1}, callbacks=[look])
        assert all(same(start, each, atol=0) for each in look.seen)
        raise RuntimeError("the reader's own mistake")
    require_same_students(classroom, expected)


@pytest.mark.parametrize("third", ["refused", "interrupted"])
def test_what_was_learned_before_the_end_came_is_there(teacher, third):
    expected = alone(model, teacher, data=(X[:16], Y[:16]), epochs=1)
    classroom = compiled(model, teacher)
    classroom.make_train_function()
    run, left = classroom.train_function, [1, 1]
    if third == "interrupted":
        classroom.train_function = lambda iterator: run(iterator) if left.pop() else None
    labels = np.where((np.arange(17) == 16) & (third == "refused"), 9, Y)
    with pytest.raises((ValueError, IndexError), match="not one of the classes|pop from empty"):
        classroom.fit(X, labels, **{**TWICE, "epochs": 1})
    require_same_students(classroom, expected)


def test_a_loop_of_ones_own_takes_the_steps_of_fit(teacher):
    expected = alone(model, teacher, epochs=1)
    classroom = compiled(model, teacher)
    classroom.train_on_batch(X[:8], Y[:8])
    results = classroom.train_step((X[8:16], Y[8:16]))
    assert all(np.allclose(results[name], value) for name, value in classroom.get_metrics_result().items())
    tf.function(classroom.train_step)((tf.constant(X[16:]), tf.constant(Y[16:])))
    require_same_students(classroom, expected)
    classroom.reset_metrics()
    assert classroom.get_metrics_result()["loss"].numpy().tolist() == [0, 0]


class Rate(keras.callbacks.Callback):
    """Sets the learning rate of some students after the first epoch."""

    def __init__(self, students):
        super().__init__()
        self.students, self.seen = students, []

    def on_epoch_end(self, epoch, logs=None):
        for i in self.students:
            self.model.distillers[i].optimizer.learning_rate = 0.0
        self.seen.append([weights(student) for student in self.model.students])


@pytest.mark.parametrize("build", [model, STUDENTS["two sizes"]])
def test_a_learning_rate_may_be_set_for_all_students(teacher, build):
    classroom, rate = compiled(build, teacher), Rate([0, 1])
    classroom.fit(X, Y, **TWICE, callbacks=[rate])
    assert all(same(*pair, atol=0) for pair in zip(*rate.seen, strict=True))


def test_a_learning_rate_of_one_student_counts_or_is_refused(teacher):
    unlike, rate = compiled(STUDENTS["two sizes"], teacher), Rate([1])
    unlike.fit(X, Y, **TWICE, callbacks=[rate])
    assert same(rate.seen[0][1], rate.seen[1][1], atol=0) and not same(rate.seen[0][0], rate.seen[1][0])
    alike = compiled(model, teacher)
    alike.distillers[1].optimizer.learning_rate = 0.0
    with pytest.raises(ValueError, match=r"Students alike share an optimizer, .*\[0.0, 0.001"):
        alike.fit(X, Y, **TWICE)


def of_all(name, value):
    return lambda classroom: [setattr(one.optimizer, name, value) for one in classroom.distillers]


OWN_SETTINGS = {
    "weight_decay": of_all("weight_decay", 9.0),
    "beta_1": of_all("beta_1", 0.1),
    "what is not decayed": lambda classroom: [
        one.optimizer.exclude_from_weight_decay(var_names=["bias"]) for one in classroom.distillers
    ],
    "a schedule": of_all("learning_rate", opt.schedules.CosineDecay(0.1, 3)),
    "iterations of one": lambda classroom: classroom.distillers[1].optimizer.iterations.assign(1000),
    "an optimizer": lambda classroom: setattr(classroom.distillers[1], "optimizer", opt.Adam()),
    "a loss": lambda classroom: classroom.distillers[1].compile("adam", soft_loss="reverse_kl"),
    "a loss alone": lambda classroom: classroom.distillers[1].compile(
        classroom.distillers[1].optimizer, soft_loss="reverse_kl"
    ),
    "a metric": lambda classroom: classroom.distillers[1].compile("adam", metrics=["accuracy"]),
}


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_what_was_set_in_a_students_own_distiller_is_refused(teacher, name):
    classroom = compiled(model, teacher)
    OWN_SETTINGS[name](classroom)
    for each in (classroom.fit, classroom.evaluate):
        with pytest.raises(ValueError, match="been changed since compile: give the settings to classroom.compile"):
            each(X, Y, verbose=0)


@pytest.mark.parametrize("build", [model, STUDENTS["a loop"]])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_schedule_goes_on_from_the_iterations_of_its_optimizer(teacher, build, when):
    def falling(done):
        optimizer = opt.Adam(opt.schedules.ExponentialDecay(0.1, 1000, 0.01))
        optimizer.iterations.assign(done)
        return optimizer

    classroom = compiled(build, teacher, lambda: falling(1000 if when == "before" else 0))
    for one in classroom.distillers if when == "after" else ():
        one.optimizer.iterations.assign(1000)
    history = classroom.fit(X, Y, **TWICE).history
    agree(classroom, history, alone(build, teacher, lambda: falling(1000)))
    classroom.fit(X, Y, **LIGHT)  # whose optimizers may have stepped


@pytest.mark.parametrize("eagerly", [True, False])
def test_nobody_steps_where_one_student_is_refused(teacher, eagerly):
    broken = model(1, units=5)
    broken.set_weights([np.full_like(weight, 3e38) for weight in weights(broken)])
    classroom = Classroom(students=[model(0), model(2), broken, STUDENTS["a loop"](3)], teacher=teacher)
    classroom.compile("sgd", run_eagerly=eagerly)
    before = [weights(student) for student in classroom.students]
    with pytest.raises(ValueError, match="The loss is NaN or infinite"):
        classroom.fit(X, Y, **TWICE)
    assert all(same(*pair, atol=0) for pair in zip(before, map(weights, classroom.students), strict=True))


# --- wrong use, and what is not set ---------------------------------------------------------------------------------


def test_what_is_not_set_has_its_default_and_what_is_keras_s_its_arguments(teacher):
    classroom = Classroom(students=[model()], teacher=teacher)
    classroom.compile()
    assert [(one.temperature, one.alpha) for one in classroom.distillers] == [(4.0, pytest.approx(0.1))]
    for name in ("fit", "evaluate"):
        assert inspect.signature(getattr(Classroom, name)) == inspect.signature(getattr(keras.Model, name))


class Scaled(keras.optimizers.SGD):
    scale = 1.0

    def update_step(self, gradient, variable, rate):
        super().update_step(self.scale * gradient, variable, rate)


class Share(keras.metrics.Mean):
    def __init__(self, share, name="share"):
        super().__init__(name=name)
        self.share = share


def scaled():
    optimizer = Scaled(0.1)
    optimizer.scale = 50.0
    return optimizer


@pytest.mark.parametrize(
    "how",
    [
        {"optimizer": scaled()},
        {"optimizer": opt.SGD(lambda: 0.1)},
        {"metrics": [Share(0.5)]},
        {"weighted_metrics": [Share(0.5)]},
    ],
    ids=["an attribute", "a lambda", "a metric", "a weighted metric"],
)
def test_what_no_copy_would_hold_is_refused(teacher, how):
    with pytest.raises(ValueError, match=r"its own copy of the \w+, made by get_config\(\) and from_config\(\)"):
        Classroom(students=[model(), model(1)], teacher=teacher).compile(**how)


def test_a_layer_that_was_frozen_after_compile_asks_for_compile(teacher):
    classroom, one = compiled(model, teacher), Distiller(student=model(), teacher=teacher)
    one.compile()
    for fitted in (False, True):
        if fitted:
            classroom.compile()
            for each in (classroom, one):
                each.fit(X, Y, **TWICE)
        for student in (classroom.students[0], one.student):
            student.layers[0].trainable = fitted
        with pytest.raises(ValueError, match="changed since compile: compile the Classroom again"):
            classroom.fit(X, Y, **TWICE)
        if fitted:
            with pytest.raises(ValueError, match="changed since compile: compile again"):
                one.fit(X, Y, **TWICE)
