"""A Classroom gives every student what a Distiller gives it alone, and asks the teacher once."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import CLASSES, FEATURES, LIGHT, RANDOM, Watch, X, Y, frozen, logits, model, same, weights

from distill_edu import Classroom, Distiller, teacher_logits

pytestmark = pytest.mark.slow  # it trains hundreds of students

TEMPERATURES, ALPHAS = [1.0, 4.0, 8.0], [0.0, 0.1, 1.0]
TWICE = {**LIGHT, "epochs": 2, "batch_size": 8}


@pytest.fixture
def teacher():
    return model(99, units=16, name="teacher")


def pixels(seed):
    """A student with convolutions, BatchNorm and Dropout, on the same numbers as a picture."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    picture = [keras.Input((FEATURES,)), layers.Reshape((FEATURES, 1)), layers.Conv1D(4, 3, activation="relu")]
    return keras.Sequential(
        [*picture, layers.BatchNormalization(), layers.Dropout(0.3), layers.Flatten(), layers.Dense(CLASSES)]
    )


def functional(seed):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((FEATURES,))
    hidden = keras.layers.Dense(5, activity_regularizer=keras.regularizers.L2(0.05))(inputs)
    frozen = keras.layers.Dense(4, trainable=False)(inputs)
    both = keras.layers.Concatenate()([hidden, frozen])
    return keras.Model(inputs, keras.layers.Dense(CLASSES)(both))


def embedded(seed):
    """Rounds its inputs to words: an Embedding has a gradient of its own kind."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Discretization([-0.5, 0.5]),
            layers.Embedding(4, 3),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )


def constrained(seed):
    keras.utils.set_random_seed(seed)
    short = keras.constraints.MaxNorm(0.5)
    return keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(CLASSES, kernel_constraint=short)])


class Subclassed(keras.Model):
    def __init__(self, scale):
        super().__init__()
        self.scale, self.dense = scale, keras.layers.Dense(CLASSES)

    def call(self, inputs):
        return self.scale * self.dense(inputs)


def subclassed(seed):
    keras.utils.set_random_seed(seed)
    return Subclassed(1.0 + seed)


def subclassed_and_built(seed):
    student = subclassed(seed)
    student(X[:1])
    return student


STUDENTS = {
    "mlp": model,
    "noise, norm and a penalty": lambda seed: model(seed, noise=0.5, norm=True, l2=0.1),
    "convolutions": pixels,
    "functional, partly frozen, with an activity penalty": functional,
    "embedding": embedded,
    "constraints": constrained,
    "subclassed, not built yet": subclassed,
    "subclassed": subclassed_and_built,
    "all sizes, mixed": lambda seed: model(seed, units=4 + seed % 2),
}
OPTIMIZERS = {
    "adam": lambda: "adam",
    "momentum and decay": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5), momentum=0.9, clipvalue=0.05
    ),
    "clipnorm": lambda: keras.optimizers.Adam(0.1, clipnorm=0.1),
    "global_clipnorm": lambda: keras.optimizers.Adam(0.1, global_clipnorm=0.1),
    "averaged weights": lambda: keras.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.5),
    "accumulation and weight decay": lambda: keras.optimizers.AdamW(0.1, gradient_accumulation_steps=2),
    "lamb": lambda: keras.optimizers.Lamb(0.1),
}


def alone(build, teacher, optimizer=OPTIMIZERS["adam"], arguments=(), data=(X, Y), **fit):
    """[(student, history)], each trained by a Distiller of its own."""
    results = []
    for seed, (t, alpha) in enumerate(zip(TEMPERATURES, ALPHAS, strict=True)):
        distiller = Distiller(student=build(seed), teacher=teacher)
        distiller.compile(optimizer(), temperature=t, alpha=alpha, **dict(arguments))
        results.append((distiller.student, distiller.fit(*data, **{**TWICE, **fit}).history))
    return results


def together(build, teacher, optimizer=OPTIMIZERS["adam"], arguments=(), data=(X, Y), **fit):
    students = [build(seed) for seed in range(3)]
    classroom = Classroom(students=students, teacher=teacher, temperatures=TEMPERATURES, alphas=ALPHAS)
    classroom.compile(optimizer(), **dict(arguments))
    return classroom, classroom.fit(*data, **{**TWICE, **fit}).history


def agree(classroom, history, expected, atol=1e-5):
    for i, (student, own) in enumerate(expected):
        assert same(weights(classroom.students[i]), weights(student), atol=atol)
        assert set(own) == set(history)
        for name, values in own.items():
            assert [value[i] for value in history[name]] == pytest.approx(values, rel=1e-3, abs=1e-4), name


@pytest.mark.parametrize("name", STUDENTS)
def test_every_kind_of_student_gets_what_it_would_get_alone(teacher, name):
    agree(*together(STUDENTS[name], teacher), alone(STUDENTS[name], teacher))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_student_has_its_own_copy_of_every_optimizer(teacher, name):
    agree(*together(model, teacher, OPTIMIZERS[name]), alone(model, teacher, OPTIMIZERS[name]))


@pytest.mark.parametrize("way", [{"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 2}], ids=str)
def test_every_way_of_running_gives_the_same_students(teacher, way):
    data = (X[:32], Y[:32])
    agree(*together(model, teacher, arguments=way, data=data), alone(model, teacher, data=data))


@pytest.mark.parametrize(
    "fit",
    [
        {"sample_weight": RANDOM.rand(33)},
        {"class_weight": {0: 2.0, 1: 0.5, 2: 1.0, 3: 0.0}},
        {"validation_data": (X[:5], Y[:5])},
        {"validation_split": 0.2},
    ],
    ids=lambda fit: next(iter(fit)),
)
def test_weights_metrics_and_validation_are_those_of_a_distiller(teacher, fit):
    alike = together(
        model, teacher, arguments={"metrics": [keras.metrics.SparseCategoricalAccuracy("accuracy")]}, **fit
    )
    agree(*alike, alone(model, teacher, arguments={"metrics": ["accuracy"]}, **fit))
    mixed = STUDENTS["all sizes, mixed"]
    agree(*together(mixed, teacher, **fit), alone(mixed, teacher, **fit))


def test_unlabelled_examples_and_cached_logits(teacher):
    data = (X, {"labels": np.where(np.arange(33) % 3, Y, -1), "teacher_logits": teacher_logits(teacher, X)})
    expected = alone(model, teacher, data=data)
    agree(*together(model, None, data=data), expected)
    assert together(model, teacher, data=(X[:16], {"labels": np.full(16, -1)}))[1]["student_loss"][-1] == pytest.approx(
        0
    )


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])  # Adam would not mind a gradient that is 32768 times too large
def test_mixed_precision(teacher, optimizer):
    def build(seed):
        keras.mixed_precision.set_global_policy("mixed_float16")
        try:
            return model(seed)
        finally:
            keras.mixed_precision.set_global_policy("float32")

    agree(*together(build, teacher, lambda: optimizer), alone(build, teacher, lambda: optimizer), atol=1e-3)


def test_two_replicas_give_the_numbers_of_one_device():
    x, y = X[:32], Y[:32]
    expected = together(model, model(99, units=16), data=(x, y), arguments={"metrics": ["accuracy"]})
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        classroom, history = together(model, model(99, units=16), data=(x, y), arguments={"metrics": ["accuracy"]})
    agree(
        classroom,
        history,
        [(s, {k: [v[i] for v in expected[1][k]] for k in expected[1]}) for i, s in enumerate(expected[0].students)],
    )


def test_the_teacher_is_asked_once_a_step_and_never_changes():
    watch = Watch()
    teacher = keras.Sequential(
        [keras.Input((FEATURES,)), watch, keras.layers.BatchNormalization(), keras.layers.Dense(CLASSES)]
    )
    watch.seen.clear()
    start = weights(teacher)
    classroom, _ = together(model, teacher, arguments={"run_eagerly": True}, data=(X[:16], Y[:16]), epochs=1)
    assert watch.seen == [False, False]  # two batches, three students
    assert same(start, weights(teacher), atol=0) and teacher.trainable
    classroom.evaluate(X[:8], Y[:8], verbose=0)
    assert watch.seen == [False] * 3


def test_predict_and_evaluate_have_a_value_for_each_student(teacher):
    classroom, _ = together(model, teacher, arguments={"metrics": ["accuracy"]})
    predicted = classroom.predict(X, verbose=0)
    assert predicted.shape == (33, 3, CLASSES)
    assert all(np.allclose(predicted[:, i], logits(one), atol=1e-5) for i, one in enumerate(classroom.students))
    right = (predicted.argmax(-1) == Y[:, None]).mean(0)
    assert np.allclose(classroom.evaluate(X, Y, verbose=0, return_dict=True)["accuracy"], right)
    assert np.allclose(classroom.evaluate(X, Y, verbose=0)[0], right)


def recurrent(seed):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential([keras.Input((FEATURES,)), layers.Reshape((3, 2)), layers.GRU(3), layers.Dense(CLASSES)])


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", ["noise, norm and a penalty", "all sizes, mixed", "subclassed", "a loop inside"])
def test_answers_come_in_the_order_of_the_students(teacher, name, compiled):
    students = [{**STUDENTS, "a loop inside": recurrent}[name](seed) for seed in range(4)]
    classroom = Classroom(students=students, teacher=teacher)
    if compiled:
        classroom.compile()
    predicted = classroom.predict(X, batch_size=8, verbose=0)
    assert np.allclose(predicted, np.stack([logits(student) for student in students], axis=1), atol=1e-5)
    students[2].set_weights([weight / 2 for weight in weights(students[2])])
    assert np.allclose(classroom.predict(X, batch_size=8, verbose=0)[:, 2], logits(students[2]), atol=1e-5)


def test_held_students_are_written_at_the_end(teacher):
    (student, _), *_ = alone(model, teacher, epochs=1)
    students = [model(seed) for seed in range(3)]
    classroom = Classroom(students=students, teacher=teacher, temperatures=TEMPERATURES, alphas=ALPHAS)
    classroom.compile()
    start, look = weights(students[0]), Look(students[1])
    look.on_epoch_end = look.look
    with pytest.raises(RuntimeError, match="the reader's"), classroom.held():
        classroom.fit(X, Y, **{**TWICE, "epochs": 1}, callbacks=[look])
        assert same(start, weights(students[0]), atol=0) and all(same(look.seen[0], each, atol=0) for each in look.seen)
        raise RuntimeError("the reader's own mistake")
    assert same(weights(students[0]), weights(student), atol=1e-5)


def test_an_evaluation_is_that_of_a_distiller_and_nobody_drops_units_in_it(teacher):
    students = [model(seed, noise=0.9, norm=True) for seed in range(2)]
    distillers = [Distiller(student=student, teacher=teacher) for student in students]
    classroom = Classroom(students=students, teacher=teacher)
    for one in (*distillers, classroom):
        one.compile()
    expected = [one.evaluate(X, Y, return_dict=True, verbose=0) for one in distillers]
    got = classroom.evaluate(X, Y, return_dict=True, verbose=0)
    for i, own in enumerate(expected):
        assert {name: values[i] for name, values in got.items()} == pytest.approx(own, rel=1e-5)


def test_weights_may_be_set_in_the_middle(teacher):
    (student, _), *_ = alone(model, teacher, epochs=1)
    classroom, _ = together(model, teacher, epochs=1)
    one = Distiller(student=student, teacher=teacher)
    one.compile("sgd", temperature=TEMPERATURES[0], alpha=ALPHAS[0])
    classroom.compile("sgd")
    for each, first in ((one, student), (classroom, classroom.students[0])):
        each.fit(X, Y, **TWICE)
        first.set_weights(model(77).get_weights())
        each.fit(X, Y, **TWICE)
    assert same(weights(classroom.students[0]), weights(student))


class Look(keras.callbacks.Callback):
    """Keeps the second student's weights whenever Keras calls, and changes them after the first epoch."""

    def __init__(self, student):
        super().__init__()
        self.student, self.seen = student, []

    def look(self, *_, **__):
        self.seen.append(weights(self.student))

    on_train_begin = on_epoch_begin = on_train_batch_begin = on_train_batch_end = on_test_begin = on_test_end = look

    def on_epoch_end(self, epoch, logs=None):
        self.look()
        self.student.set_weights([weight / 2 for weight in weights(self.student)])


@pytest.mark.parametrize("steps", [1, 3])
def test_a_callback_sees_and_changes_what_it_would_alone(teacher, steps):
    def seen(one, student):
        look = Look(student)
        one.compile(keras.optimizers.Adam(0.1), metrics=["accuracy"], steps_per_execution=steps)
        one.fit(X, Y, **TWICE, callbacks=[look], validation_data=(X[:5], Y[:5]))
        return look.seen + [weights(student)]

    student, students = model(1, norm=True), [model(seed, norm=True) for seed in range(3)]
    expected = seen(Distiller(student=student, teacher=teacher), student)
    got = seen(Classroom(students=students, teacher=teacher), students[1])
    assert len(got) == len(expected) > 10 and not same(got[0], got[-1])
    assert all(same(mine, theirs, atol=1e-5) for mine, theirs in zip(got, expected, strict=True))


@pytest.mark.parametrize("third", ["refused", "interrupted"])
def test_what_was_learned_before_the_end_came_is_there(teacher, third):
    students = [model(seed) for seed in range(2)]
    classroom = Classroom(students=students, teacher=teacher)
    classroom.compile(keras.optimizers.Adam(0.1))
    classroom.make_train_function()
    run, left = classroom.train_function, [1, 1]
    if third == "interrupted":
        classroom.train_function = lambda iterator: run(iterator) if left.pop() else None
    labels = np.where(np.arange(33) < 16, Y, 9 if third == "refused" else Y)
    with pytest.raises((ValueError, IndexError), match="not one of the classes|pop from empty"):
        classroom.fit(X, labels, **{**TWICE, "epochs": 1})
    for seed, student in enumerate(students):
        alone = Distiller(student=model(seed), teacher=teacher)
        alone.compile(keras.optimizers.Adam(0.1))
        alone.fit(X[:16], Y[:16], **{**TWICE, "epochs": 1})
        assert same(weights(student), weights(alone.student), atol=1e-5)


def test_a_loop_of_ones_own_takes_the_steps_of_fit(teacher):
    expected, _ = together(model, teacher, epochs=1, data=(X[:24], Y[:24]))
    students = [model(seed) for seed in range(3)]
    classroom = Classroom(students=students, teacher=teacher, temperatures=TEMPERATURES, alphas=ALPHAS)
    classroom.compile()
    classroom.train_on_batch(X[:8], Y[:8])
    results = classroom.train_step((X[8:16], Y[8:16]))
    assert all(np.allclose(results[name], value) for name, value in classroom.get_metrics_result().items())
    tf.function(classroom.train_step)((tf.constant(X[16:24]), tf.constant(Y[16:24])))
    assert all(
        same(weights(mine), weights(theirs), atol=1e-5)
        for mine, theirs in zip(students, expected.students, strict=True)
    )
    classroom.reset_metrics()
    assert classroom.get_metrics_result()["loss"].numpy().tolist() == [0, 0, 0]


def test_what_is_not_set_has_its_default(teacher):
    classroom = Classroom(students=[model()], teacher=teacher)
    classroom.compile()
    assert [(one.temperature, one.alpha) for one in classroom.distillers] == [(4.0, pytest.approx(0.1))]
    with pytest.raises(TypeError, match="positional"):
        Classroom([model()], teacher=teacher)


def test_a_temperature_may_be_moved_in_the_middle(teacher):
    expected = alone(model, teacher, epochs=1)
    classroom, _ = together(model, teacher, epochs=1)
    for distiller in classroom.distillers:
        assert same(
            weights(distiller.student),
            weights(expected[distiller.student is not None and classroom.distillers.index(distiller)][0]),
        )
    classroom.distillers[1].temperature = 20
    before = [weights(student) for student in classroom.students]
    classroom.fit(X, Y, **TWICE)
    other, _ = together(model, teacher, epochs=1)
    other.fit(X, Y, **TWICE)
    assert same(weights(classroom.students[0]), weights(other.students[0]))
    assert not same(weights(classroom.students[1]), weights(other.students[1]))
    assert not same(before[1], weights(classroom.students[1]))


def test_students_alike_are_traced_once(teacher):
    watches = []

    def build(seed):
        keras.utils.set_random_seed(seed)
        watches.append(Watch())
        return keras.Sequential([keras.Input((FEATURES,)), watches[-1], keras.layers.Dense(CLASSES)])

    students = [build(seed) for seed in range(5)]
    for watch in watches:
        watch.seen.clear()
    classroom = Classroom(students=students, teacher=teacher)
    classroom.compile()
    classroom.fit(X[:16], Y[:16], batch_size=8, **LIGHT)
    assert watches[0].seen == [True] and not any(watch.seen for watch in watches[1:])


WRONG = {
    "no students": (lambda teacher: Classroom(students=[], teacher=teacher), "students is empty"),
    "twice": (lambda teacher: Classroom(students=[model()] * 2, teacher=teacher), "Two students are one model"),
    "twice, not built": (lambda teacher: Classroom(students=[Subclassed(1.0)] * 2), "Two students are one model"),
    "shared layers": (
        lambda teacher: Classroom(students=[one := model(), keras.Sequential([one, keras.layers.Dense(4)])]),
        "share layers",
    ),
    "teacher among them": (lambda teacher: Classroom(students=[model(), teacher], teacher=teacher), "one model"),
    "counts": (
        lambda teacher: Classroom(students=[model()], temperatures=[1, 2]),
        r"temperatures has the shape \(2,\)",
    ),
    "fewer counts": (
        lambda teacher: Classroom(students=[model(), model()], alphas=[0.5]),
        r"alphas has the shape \(1,\)",
    ),
    "no model": (lambda teacher: Classroom(students=["student"]), "must be Keras models, not str"),
    "softmax": (lambda teacher: Classroom(students=[model(activation="softmax")]), "take the softmax off"),
    "alpha": (
        lambda teacher: Classroom(students=[model()], alphas=2, teacher=teacher).compile(),
        "alpha must be between",
    ),
    "temperature": (
        lambda teacher: Classroom(students=[model()], temperatures=0).compile(),
        "temperature must be a pos",
    ),
    "no teacher": (lambda teacher: together(model, None), "neither a teacher nor teacher_logits"),
    "classes": (lambda teacher: together(lambda s: model(s, classes=5), teacher), "gives 4 logits per example"),
    "labels": (lambda teacher: together(model, teacher, data=(X, Y + 1)), "A label is not one of the classes"),
    "NaN": (lambda teacher: together(model, teacher, data=(X * np.nan, Y)), "contain NaN or infinity"),
    "no labels": (lambda teacher: together(model, teacher, data=(X, None)), "There are no labels"),
    "frozen": (lambda teacher: together(frozen, teacher), "set student.trainable = True"),
    "cloned": (lambda teacher: keras.models.clone_model(Classroom(students=[model()])), "save its students"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_gets_one_sentence(teacher, name):
    wrong, message = WRONG[name]
    with pytest.raises((ValueError, TypeError, NotImplementedError), match=message):
        wrong(teacher)


def test_one_students_probabilities_are_found_among_the_others(teacher):
    class Probabilities(keras.layers.Dense):
        def call(self, inputs):
            return keras.ops.softmax(super().call(inputs))

    students = [
        keras.Sequential([keras.Input((FEATURES,)), kind(CLASSES)]) for kind in (keras.layers.Dense, Probabilities)
    ]
    classroom = Classroom(students=students, teacher=teacher)
    classroom.compile()
    start = weights(students[1])
    with pytest.raises(ValueError, match="The student's output looks like probabilities"):
        classroom.fit(X, Y, **LIGHT)
    assert same(start, weights(students[1]), atol=0)


def test_what_is_keras_s_shows_keras_s_arguments():
    for name in ("fit", "evaluate"):
        assert inspect.signature(getattr(Classroom, name)) == inspect.signature(getattr(keras.Model, name))


def test_a_step_that_fails_changes_no_student(teacher):
    classroom, _ = together(model, teacher, epochs=1)
    start = [weights(student) for student in classroom.students]
    with pytest.raises(ValueError, match="A label is not one of the classes"):
        classroom.fit(X, Y + 3, **LIGHT)
    assert all(same(a, weights(b), atol=0) for a, b in zip(start, classroom.students, strict=True))


@pytest.mark.parametrize("write", ["save", "export"])
def test_it_is_refused_to_save_a_classroom_before_any_file_is_opened(write, tmp_path):
    path = tmp_path / "all.keras"
    path.write_text("an older model")
    with pytest.raises(NotImplementedError, match="save its students"):
        getattr(Classroom(students=[model()]), write)(path)
    assert path.read_text() == "an older model" and list(tmp_path.iterdir()) == [path]
