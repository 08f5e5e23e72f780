"""Every soft loss by its name: its paper's formula in float64 loops, its gradient, and all that trains with it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import CLASSES, LIGHT, RANDOM, X, Y, logits, model, same, weights

from distill_edu import Classroom, Distiller, distillation_loss, losses, teacher_logits
from distill_edu._inside.batch import Batch
from distill_edu.hints import Hint


def softmax(z):
    powers = np.exp(z - z.max())
    return powers / powers.sum()


def kl(p, q):
    return sum(a * np.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def forward(z, s, y, t):
    """Hinton et al. 2015, section 2."""
    return t**2 * kl(softmax(z / t), softmax(s / t))


def reverse(z, s, y, t):
    return t**2 * kl(softmax(s / t), softmax(z / t))


def decoupled(z, s, y, t, target=1.0, others=8.0):
    """Zhao et al. 2022, equations 1 to 7."""
    p, q = softmax(z / t), softmax(s / t)
    y = int(np.argmax(p)) if y < 0 else y
    tckd = kl([p[y], 1 - p[y]], [q[y], 1 - q[y]])
    rest = [c for c in range(len(z)) if c != y]
    nckd = kl([p[c] / (1 - p[y]) for c in rest], [q[c] / (1 - q[y]) for c in rest])
    return t**2 * (target * tckd + others * nckd)


def sigmoid(z, s, y, t):
    p, q = (1 / (1 + np.exp(-logits / t)) for logits in (z, s))
    return t**2 * sum(kl([a, 1 - a], [b, 1 - b]) for a, b in zip(p, q, strict=True))


def squares(z, s, y, t):
    return np.mean([(a - b) ** 2 for a, b in zip(z, s, strict=True)])


ORACLES = {
    "kl": forward,
    "reverse_kl": reverse,
    "decoupled": decoupled,
    "sigmoid": sigmoid,
    "mean_square": squares,
}
EACH = pytest.mark.parametrize("name", ORACLES)
Z, S = RANDOM.randn(5, CLASSES) * 3, RANDOM.randn(5, CLASSES) * 3
LABELS = np.array([0, 3, -1, 2, 1])  # one of them unknown
TASKS = {"sigmoid": "yes_no", "mean_square": "numbers"}


def batch(z=Z, labels=LABELS, task="classes"):
    labels = None if labels is None else tf.constant(labels)
    return Batch(None, labels, None, None, tf.constant(z, "float32"), [], task)


YES_NO = np.where(RANDOM.rand(33, CLASSES) < 0.1, -1, RANDOM.rand(33, CLASSES) < 0.4).astype("float32")
NUMBERS = np.where(RANDOM.rand(33, CLASSES) < 0.1, np.nan, RANDOM.randn(33, CLASSES)).astype("float32")
YES_NO[3], NUMBERS[3] = -1, np.nan  # an example of which nothing is known


def targets(name):
    """Labels that fit the loss: classes, yes and no, or numbers; some of them unknown."""
    return {"sigmoid": YES_NO, "mean_square": NUMBERS}.get(name, np.where(np.arange(33) % 5, Y, -1))


def hard_values(name, labels, s):
    """The loss of the labels of each example, and whether it has one."""
    values = []
    for y, row in zip(labels, s, strict=True):
        if name == "sigmoid":
            q = 1 / (1 + np.exp(-row))
            values.append(-sum(np.log(b if a == 1 else 1 - b) for a, b in zip(y, q, strict=True) if a >= 0))
        elif name == "mean_square":
            known = ~np.isnan(y)
            values.append(np.mean((y - row)[known] ** 2) if known.any() else 0.0)
        else:
            values.append(-np.log(softmax(row)[y]))
    known = np.array([(y >= 0) if np.ndim(y) == 0 else ((y == y) & (y != -1)).any() for y in labels])
    return np.array(values), known


@pytest.fixture(scope="module")
def teacher():
    return model(99, units=16, name="teacher")


def compiled(name, teacher, student=None, **settings):
    one = Distiller(student=student or model(), teacher=teacher)
    one.compile(keras.optimizers.SGD(0.05), **{"temperature": 3.0, "alpha": 0.3, "soft_loss": name, **settings})
    return one


# --- the formula ----------------------------------------------------------------------------------------------------


def test_every_name_has_its_oracle():
    assert set(ORACLES) == set(losses.SOFT_LOSSES)
    assert {name: loss.task for name, loss in losses.SOFT_LOSSES.items()} == {
        n: TASKS.get(n, "classes") for n in ORACLES
    }


@EACH
@pytest.mark.parametrize("t", [1.0, 4.0])
def test_the_value_is_the_papers_formula(name, t):
    got = losses.SOFT_LOSSES[name](batch(), tf.constant(S, "float32"), t)
    assert got.dtype == "float32"
    assert np.allclose(got, [ORACLES[name](*each, t) for each in zip(Z, S, LABELS, strict=True)], rtol=1e-4, atol=1e-5)


@EACH
def test_the_gradient_is_the_central_difference(name):
    student, t = tf.Variable(S, dtype=tf.float32), 2.5
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(losses.SOFT_LOSSES[name](batch(), student, t))
    got = tape.gradient(loss, student).numpy()
    for row in range(5):
        for c in range(CLASSES):
            move = 1e-5 * np.eye(CLASSES)[c]
            up, down = (ORACLES[name](Z[row], S[row] + sign * move, LABELS[row], t) for sign in (1, -1))
            assert got[row, c] == pytest.approx((up - down) / 2e-5, rel=2e-3, abs=1e-4)


@EACH
def test_logits_that_are_alike_cost_nothing_and_have_no_gradient(name):
    student = tf.Variable(Z, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = losses.SOFT_LOSSES[name](batch(), student, 2.0)
    assert np.allclose(loss, 0, atol=1e-5) and np.allclose(tape.gradient(loss, student), 0, atol=1e-5)


@EACH
def test_saturated_logits_keep_a_finite_value_and_gradient(name):
    student = tf.Variable([[90.0, -90.0, 0.0, 5.0], [0.0, 80.0, -80.0, 1.0]])
    with tf.GradientTape() as tape:
        loss = losses.SOFT_LOSSES[name](batch(-student.numpy(), LABELS[:2]), student, 1.0)
    gradient = tape.gradient(loss, student).numpy()
    assert np.isfinite(loss).all() and np.isfinite(gradient).all()
    # Others may: the reverse KL weighs by the student's own probabilities, so where it is sure, it learns nothing.
    assert np.abs(gradient).max() > 0.1 or name not in ("kl", "decoupled", "sigmoid", "mean_square")


@pytest.mark.parametrize("name", ["kl", "decoupled", "sigmoid"])
def test_a_class_that_the_teacher_rules_out_adds_nothing(name):
    """0 log 0 = 0, in the value and in the gradient, also where the student rules it out as well."""
    ruled_out = np.where(np.arange(CLASSES) == 3, -np.inf, Z)
    as_good_as = np.where(np.arange(CLASSES) == 3, -1e4, Z)
    labels = np.array([0, 1, -1, 2, 1])
    for s in (S, np.where(np.arange(CLASSES) == 3, -1e4, S)):
        results = []
        for z in (ruled_out, as_good_as):
            student = tf.Variable(s, dtype=tf.float32)
            with tf.GradientTape() as tape:
                loss = losses.SOFT_LOSSES[name](batch(z, labels), student, 2.0)
            results.append((loss.numpy(), tape.gradient(loss, student).numpy()))
        assert np.isfinite(results[0][0]).all() and np.isfinite(results[0][1]).all()
        assert np.allclose(results[0][0], results[1][0], rtol=1e-3, atol=1e-4)
        assert np.allclose(results[0][1], results[1][1], atol=1e-4)
    half = np.array([[0.0, 0.0, -np.inf]])
    assert float(distillation_loss(half, np.zeros((1, 3)), 1.0)[0]) == pytest.approx(np.log(1.5))


@EACH
def test_nan_is_never_taken_for_a_class_that_is_ruled_out(name):
    z = Z.copy()
    z[2, 1] = np.nan
    got = losses.SOFT_LOSSES[name](batch(z), tf.constant(S, "float32"), 2.0).numpy()
    assert np.isnan(got[2]) and np.isfinite(got[[0, 1, 3, 4]]).all()


# --- decoupled ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [1.0, 4.0])
def test_the_kl_is_tckd_and_one_minus_p_times_nckd(t):
    """Zhao et al. 2022, equation 5."""
    labels = np.array([0, 3, 1, 2, 1])
    of_target = losses.Decoupled(1, 0)(batch(labels=labels), S, t)
    of_others = losses.Decoupled(0, 1)(batch(labels=labels), S, t)
    p = np.array([softmax(z / t)[y] for z, y in zip(Z, labels, strict=True)])
    assert np.allclose(of_target + (1 - p) * of_others, distillation_loss(Z, S, t), rtol=1e-4, atol=1e-4)


def test_its_weights_are_the_papers_and_may_be_others():
    assert losses.SOFT_LOSSES["decoupled"].get_config() == {"target": 1.0, "others": 8.0}
    got = losses.Decoupled(0.5, 2)(batch(), S, 2.0)
    assert np.allclose(got, [decoupled(*e, 2.0, 0.5, 2) for e in zip(Z, S, LABELS, strict=True)], rtol=1e-4)
    for wrong in ({"target": -1}, {"others": "x"}):
        with pytest.raises(ValueError, match="must be a number of at least 0"):
            losses.Decoupled(**wrong)


@pytest.mark.parametrize("form", [None, "one-hot"])
def test_labels_may_be_absent_or_one_hot(form):
    if form is None:
        expected = [decoupled(z, s, -1, 2.0) for z, s in zip(Z, S, strict=True)]
        assert np.allclose(losses.Decoupled()(batch(labels=None), S, 2.0), expected, rtol=1e-4)
    else:
        one_hot = np.eye(CLASSES)[LABELS] * (LABELS >= 0)[:, None]
        assert np.allclose(losses.Decoupled()(batch(labels=one_hot), S, 2.0), losses.Decoupled()(batch(), S, 2.0))


# --- in a Distiller, a Classroom, a file ----------------------------------------------------------------------------


@EACH
def test_fit_and_evaluate_report_the_closed_form(name, teacher):
    labels, one = targets(name), compiled(name, teacher)
    z, s = logits(teacher), logits(one.student)
    classes = labels if labels.ndim == 1 else [-1] * 33
    hard, known = hard_values(name, labels, s)
    expected = {"distillation_loss": np.mean([ORACLES[name](*e, 3.0) for e in zip(z, s, classes, strict=True)])}
    expected["student_loss"] = hard[known].mean()
    expected["loss"] = 0.3 * expected["student_loss"] + 0.7 * expected["distillation_loss"]
    assert one.evaluate(X, labels, batch_size=33, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-4)
    got = one.fit(X, labels, batch_size=33, **LIGHT).history
    assert {key: value[0] for key, value in got.items()} == pytest.approx(expected, rel=1e-4)
    assert not same(weights(one.student), weights(model())) and (known.sum() < 33)


@pytest.mark.slow
@EACH
@pytest.mark.parametrize("way", [{"run_eagerly": True}, {"jit_compile": True}, {"steps_per_execution": 3}], ids=str)
def test_every_way_of_running_gives_the_same_student(name, way, teacher):
    one, other = compiled(name, teacher), compiled(name, teacher, **way)
    expected, got = (each.fit(X, targets(name), batch_size=8, **LIGHT).history for each in (one, other))
    assert same(weights(one.student), weights(other.student), atol=1e-5)
    assert got == {key: pytest.approx(value, rel=1e-3) for key, value in expected.items()}


@pytest.mark.slow
@EACH
def test_a_classroom_gives_each_student_what_it_gets_alone(name, teacher):
    labels, students = targets(name), [model(seed) for seed in range(2)]
    classroom = Classroom(students=students, teacher=teacher, temperatures=[1.0, 3.0], alphas=[0.0, 0.3])
    classroom.compile(keras.optimizers.SGD(0.05), soft_loss=name)
    history = classroom.fit(X, labels, batch_size=8, **LIGHT).history
    alone = compiled(name, teacher, model(1))
    expected = alone.fit(X, labels, batch_size=8, **LIGHT).history
    assert same(weights(alone.student), weights(classroom.students[1]), atol=1e-5)
    for key, values in expected.items():
        assert [value[1] for value in history[key]] == pytest.approx(values, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [*ORACLES, losses.Decoupled(0.5, 3)], ids=[*ORACLES, "own weights"])
def test_it_is_saved_and_loaded_with_the_distiller(loss, teacher, tmp_path):
    name = loss if isinstance(loss, str) else "decoupled"
    straight, stopped = compiled(loss, teacher), compiled(loss, teacher)
    straight.fit(X, targets(name), epochs=2, shuffle=False, verbose=0)
    stopped.fit(X, targets(name), epochs=1, shuffle=False, verbose=0)
    stopped.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert loaded.task == straight.task
    loaded.fit(X, targets(name), epochs=1, shuffle=False, verbose=0)
    assert same(weights(straight.student), weights(loaded.student), atol=1e-5)
    expected = straight.evaluate(X, targets(name), verbose=0)
    assert loaded.evaluate(X, targets(name), verbose=0) == pytest.approx(expected, rel=1e-4)


def test_a_function_of_ones_own_and_a_name_of_ones_own(teacher):
    def shifted(batch, student_logits, temperature):
        return keras.ops.mean(keras.ops.square(batch.teacher_logits - student_logits), axis=-1) + temperature

    one = compiled(shifted, teacher)
    expected = np.mean((logits(teacher) - logits(one.student)) ** 2) + 3
    got = one.evaluate(X, Y, verbose=0, return_dict=True)
    assert got["distillation_loss"] == pytest.approx(expected, rel=1e-4)
    losses.soft_loss("shifted")(shifted)
    try:
        assert compiled("shifted", teacher).evaluate(X, Y, verbose=0, return_dict=True) == got
    finally:
        del losses.SOFT_LOSSES["shifted"]
    with pytest.raises(ValueError, match="soft_loss must be a function or one of kl, reverse_kl, .*, not 'shifted'"):
        compiled("shifted", teacher)


# --- yes or no, and numbers -----------------------------------------------------------------------------------------


def test_one_yes_or_no_output_is_the_kl_of_two_classes():
    z, s = Z[:, :1], S[:, :1]
    pair = [np.concatenate([each, 0 * each], axis=1) for each in (z, s)]
    got = losses.sigmoid_kl(batch(z, None, "yes_no"), tf.constant(s, "float32"), 3.0)
    assert np.allclose(got, distillation_loss(*pair, 3.0), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(33,), (33, 1)])
@pytest.mark.parametrize("name", ["sigmoid", "mean_square"])
def test_one_output_takes_labels_as_a_list_or_as_a_column(name, shape):
    teacher, student = model(9, units=16, classes=1), model(classes=1)
    labels = (Y % 2).astype("float32").reshape(shape)
    one = compiled(name, teacher, student, metrics=["mse"])
    got = one.evaluate(X, labels, verbose=0, return_dict=True)
    s = logits(student)
    hard, _ = hard_values(name, labels.reshape(33, 1), s)
    assert got["student_loss"] == pytest.approx(hard.mean(), rel=1e-4)
    assert got["mse"] == pytest.approx(((labels.reshape(33, 1) - s) ** 2).mean(), rel=1e-4)


def test_a_row_of_zeros_is_a_label_where_each_output_is_an_answer_of_its_own(teacher):
    got = compiled("sigmoid", teacher).evaluate(X, np.zeros((33, CLASSES)), verbose=0, return_dict=True)
    expected, _ = hard_values("sigmoid", np.zeros((33, CLASSES)), logits(model()))
    assert got["student_loss"] == pytest.approx(expected.mean(), rel=1e-4)


def test_alpha_1_with_numbers_is_plain_regression(teacher):
    plain, student = model(), model()
    plain.compile(keras.optimizers.SGD(0.05), "mse")
    y = RANDOM.randn(33, CLASSES).astype("float32")
    expected = plain.fit(X, y, batch_size=8, **LIGHT).history["loss"]
    got = compiled("mean_square", teacher, student, alpha=1.0).fit(X, y, batch_size=8, **LIGHT).history["loss"]
    assert got == pytest.approx(expected, rel=1e-5) and same(weights(plain), weights(student), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, labels, sentence",
    [
        ("sigmoid", Y, "every output has a label of its own, 4 for each example"),
        ("mean_square", Y, "every output has a label of its own, 4 for each example"),
        ("sigmoid", np.full((33, CLASSES), 2.0), "A label is neither yes nor no"),
        ("sigmoid", np.full((33, CLASSES), -0.5), "A label is neither yes nor no"),
        ("kl", Y + 9, "A label is not one of the classes"),
    ],
)
def test_labels_that_do_not_fit_the_loss_get_a_sentence(name, labels, sentence, teacher):
    one = compiled(name, teacher)
    with pytest.raises(ValueError, match=sentence):
        one.fit(X, labels, verbose=0)
    assert same(weights(one.student), weights(model()), atol=0)


def test_numbers_that_look_like_probabilities_are_numbers():
    shares = np.random.RandomState(0).dirichlet(np.ones(CLASSES), 33).astype("float32")
    one = compiled("mean_square", None)
    assert one.fit(X, {"labels": shares, "teacher_logits": shares}, verbose=0)


# --- padding --------------------------------------------------------------------------------------------------------


def tagger(units, seed, mask=True):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    parts = [keras.Input((5,), dtype="int32"), layers.Embedding(9, units, mask_zero=mask)]
    sure = keras.initializers.RandomNormal(stddev=30, seed=seed)  # logits far enough apart to tell losses apart
    return keras.Sequential(
        [*parts, layers.LSTM(units, return_sequences=True), layers.Dense(CLASSES, None, True, sure)]
    )


TOKENS = np.where(np.arange(5) < RANDOM.randint(1, 6, (33, 1)), RANDOM.randint(1, 9, (33, 5)), 0)
TAGS = RANDOM.randint(0, CLASSES, (33, 5))
REAL = TOKENS > 0


@pytest.mark.slow
def test_what_a_layer_marks_as_padding_counts_nowhere():
    teacher, student = tagger(8, 1), tagger(4, 0)
    one = compiled("kl", teacher, student, metrics=["accuracy"], weighted_metrics=["accuracy"])
    z, s = (each.predict(TOKENS, verbose=0).astype("float64") for each in (teacher, student))
    soft = np.mean([forward(z[i, j], s[i, j], 0, 3.0) for i, j in zip(*np.nonzero(REAL), strict=True)])
    hard = np.mean([-np.log(softmax(s[i, j])[TAGS[i, j]]) for i, j in zip(*np.nonzero(REAL), strict=True)])
    got = one.evaluate(TOKENS, TAGS, batch_size=33, verbose=0, return_dict=True)
    assert (got["distillation_loss"], got["student_loss"]) == pytest.approx((soft, hard), rel=1e-4)
    assert got["accuracy"] == pytest.approx((s.argmax(-1) == TAGS)[REAL].mean(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kl", "sigmoid", "mean_square"])
def test_padding_counts_nowhere_where_a_label_is_a_row(name):
    teacher, student = tagger(8, 1), tagger(4, 0)
    rows = {"kl": np.eye(CLASSES)[TAGS], "sigmoid": TAGS[..., None] > np.arange(CLASSES), "mean_square": None}[name]
    labels = (RANDOM.randn(33, 5, CLASSES) if rows is None else rows).astype("float32")
    one = compiled(name, teacher, student, metrics=["mse"])
    z, s = (each.predict(TOKENS, verbose=0).astype("float64")[REAL] for each in (teacher, student))
    soft = np.mean([ORACLES[name](*each, None, 3.0) for each in zip(z, s, strict=True)])
    hard, _ = hard_values(name, TAGS[REAL] if name == "kl" else labels[REAL], s)
    got = one.evaluate(TOKENS, labels, batch_size=33, verbose=0, return_dict=True)
    assert (got["distillation_loss"], got["student_loss"]) == pytest.approx((soft, hard.mean()), rel=1e-4)
    assert got["mse"] == pytest.approx(((labels[REAL] - s) ** 2).mean(), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
def test_with_padding_alpha_1_is_plain_training_step_for_step(weighted):
    plain, student = tagger(4, 0), tagger(4, 0)
    how = {"metrics": ["accuracy"]}
    plain.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True), **how)
    weight = {"sample_weight": RANDOM.uniform(0.5, 2, (33, 5))} if weighted else {}
    expected = plain.fit(TOKENS, TAGS, batch_size=8, **LIGHT, **weight).history
    one = Distiller(student=student, teacher=tagger(8, 1))
    one.compile(keras.optimizers.Adam(0.05), alpha=1, **how)
    got = one.fit(TOKENS, TAGS, batch_size=8, **LIGHT, **weight).history
    assert same(weights(plain), weights(student), atol=1e-5)
    assert {name: got[name] for name in expected} == {k: pytest.approx(v, rel=1e-4) for k, v in expected.items()}


@pytest.mark.slow
def test_a_mask_of_ones_own_takes_the_place_of_keras_s_and_poison_at_padding_moves_nothing():
    teacher = tagger(8, 1)
    mask = REAL & (np.arange(5) < 3)
    z = teacher_logits(teacher, TOKENS)
    poisoned = np.where(mask[..., None], z, RANDOM.choice([np.nan, 1e9, -np.inf], z.shape))
    students = []
    for logits_, labels, marks in ((z, np.where(mask, TAGS, -1), True), (poisoned, TAGS, False)):
        one = compiled("kl", None, tagger(4, 0, mask=marks), metrics=["accuracy"])
        y = {"labels": labels, "teacher_logits": logits_, "mask": mask}
        students.append((one.fit(TOKENS, y, batch_size=8, **LIGHT).history, one.student))
    (expected, first), (got, second) = students
    assert np.isfinite(got["loss"]).all()
    s = tagger(4, 0, mask=False).predict(TOKENS, verbose=0)
    assert got["accuracy"][0] < 1 and s.shape == z.shape
    plain = compiled("kl", None, tagger(4, 0, mask=False), metrics=["accuracy"])
    y = {"labels": np.where(mask, TAGS, -1), "teacher_logits": z, "mask": mask}
    assert plain.fit(TOKENS, y, batch_size=8, **LIGHT).history == got
    assert same(weights(plain.student), weights(second), atol=0)
    assert set(expected) == set(got) and first is not second


def hinted(student, teacher, y):
    """The hint's value over one batch, between two LSTMs of one width."""
    one = Distiller(student=student, teacher=teacher, hints=[Hint("lstm", "lstm", name="hint")])
    one.compile(keras.optimizers.SGD(0.0))
    return one.evaluate(TOKENS, y, batch_size=33, verbose=0, return_dict=True)["hint"]


def named_tagger(seed, mask):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    read = [layers.Embedding(9, 3, mask_zero=mask), layers.LSTM(4, return_sequences=True, name="lstm")]
    return keras.Sequential([keras.Input((5,), dtype="int32"), *read, layers.Dense(CLASSES)])


@pytest.mark.slow
@pytest.mark.parametrize("marked", [True, False])
def test_a_hint_does_not_look_at_padding(marked):
    student, teacher = named_tagger(0, marked), named_tagger(1, marked)
    z = teacher_logits(teacher, TOKENS)
    y = TAGS if marked else {"labels": TAGS, "teacher_logits": z, "mask": REAL}
    squares = (np.array(student.layers[1](student.layers[0](TOKENS), mask=REAL if marked else None)) - np.array(
        teacher.layers[1](teacher.layers[0](TOKENS), mask=REAL if marked else None))) ** 2  # fmt: skip
    assert hinted(student, teacher, y) == pytest.approx(squares.mean(axis=-1)[REAL].mean(), rel=1e-4)
    assert squares.mean(axis=-1)[~REAL].mean() != pytest.approx(squares.mean(axis=-1)[REAL].mean(), rel=0.05)


@pytest.mark.slow
def test_a_weight_for_each_time_step_goes_with_cached_logits():
    teacher, weight = tagger(8, 1), RANDOM.uniform(0.5, 2, (33, 5))
    y = {"labels": TAGS, "teacher_logits": teacher_logits(teacher, TOKENS)}
    results = [
        compiled("kl", taught, tagger(4, 0)).fit(TOKENS, labels, sample_weight=weight, batch_size=8, **LIGHT).history
        for taught, labels in ((teacher, TAGS), (None, y))
    ]
    assert results[0] == {name: pytest.approx(value, rel=1e-4) for name, value in results[1].items()}
