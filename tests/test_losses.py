"""Every loss, run eagerly: its paper's formula in float64 loops, its limits and gradients, unknown labels."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small import CLASSES, LIGHT, X, Y, distiller, logits, model, reported, same, weights

from distill_edu import distillation_loss, hard_label_loss, losses

RANDOM = np.random.RandomState(0)

# --- the papers' formulas, for one example --------------------------------------------------------------------------


def softmax(z):
    powers = np.exp(z - z.max())
    return powers / powers.sum()


def kl(p, q):
    return sum(a * np.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def forward(z, s, y, t):
    """Hinton et al. 2015, section 2."""
    return t**2 * kl(softmax(z / t), softmax(s / t))


def reverse(z, s, y, t):
    """Gu et al. 2024, section 2.1."""
    return t**2 * kl(softmax(s / t), softmax(z / t))


def decoupled(z, s, y, t, target=1.0, others=8.0):
    """Zhao et al. 2022, equations 1 to 7."""
    p, q = softmax(z / t), softmax(s / t)
    y = int(np.argmax(p)) if y < 0 else y
    p_rest, q_rest = np.delete(p, y), np.delete(q, y)
    tckd = kl([p[y], p_rest.sum()], [q[y], q_rest.sum()])
    nckd = kl(p_rest / p_rest.sum(), q_rest / q_rest.sum())
    return t**2 * (target * tckd + others * nckd)


def jensen_shannon(z, s, y, t, beta=0.5):
    """Agarwal et al. 2024, equation 1."""
    p, q = softmax(z / t), softmax(s / t)
    m = beta * p + (1 - beta) * q
    return t**2 * (beta * kl(p, m) + (1 - beta) * kl(q, m))


def sigmoid(z, s, y, t):
    """Of every output the KL of (yes, no)."""
    p, q = (np.stack([1 / (1 + np.exp(-each / t)), 1 / (1 + np.exp(each / t))], axis=1) for each in (z, s))
    return t**2 * sum(map(kl, p, q))


def squares(z, s, y, t):
    """Ba and Caruana 2014, equation 1, as a mean."""
    return np.mean([(a - b) ** 2 for a, b in zip(z, s, strict=True)])


ORACLES = {"kl": forward, "reverse_kl": reverse, "decoupled": decoupled, "jensen_shannon": jensen_shannon}
ORACLES |= {"sigmoid": sigmoid, "mean_square": squares}
TASKS = dict.fromkeys(ORACLES, "classes") | {"sigmoid": "yes_no", "mean_square": "numbers"}
EACH = pytest.mark.parametrize("name", ORACLES)
Z, S = RANDOM.randn(5, CLASSES) * 3, RANDOM.randn(5, CLASSES) * 3
LABELS = np.array([0, 3, -1, 2, 1])  # one of them unknown


def oracle(name, z, s, t, labels):
    return np.array([ORACLES[name](*each, t) for each in zip(np.float64(z), np.float64(s), labels, strict=True)])


def slack(name, t):
    """How far rounding may take a value: decoupled multiplies it by 8."""
    return (8 if name == "decoupled" else 1) * t**2


def soft(name, z, s, t, labels=LABELS):
    """The value and the gradient of a soft loss."""
    loss = losses.SOFT_LOSSES[name] if isinstance(name, str) else name
    labels = None if labels is None else tf.constant(labels)
    student = tf.Variable(s, dtype=s.dtype if s.dtype == "float16" else "float32")
    with tf.GradientTape() as tape:
        values = loss(SimpleNamespace(teacher_logits=tf.constant(z), labels=labels), student, t)
    return values.numpy(), tape.gradient(values, student).numpy()


# --- soft losses ----------------------------------------------------------------------------------------------------

LOGITS = arrays(np.float32, (2, 4), elements=st.floats(-20, 20, width=32)).map(lambda z: z - np.float32([0, 0, 0, 21]))
TEMPERATURES = st.floats(0.5, 20)
PAIR = np.array([2, 0])  # the labels of what Hypothesis draws: without one, a tie of the teacher would decide
properties = settings(max_examples=30, deadline=None)


def test_every_name_has_its_oracle_and_its_task():
    assert {name: loss.task for name, loss in losses.SOFT_LOSSES.items()} == TASKS


@EACH
@properties
@given(z=LOGITS, s=LOGITS, t=TEMPERATURES, c=st.floats(1, 5), shift=st.floats(-5, 5, width=32))
def test_the_value_is_the_papers_formula(name, z, s, t, c, shift):
    got, _ = soft(name, z, s, t, PAIR)
    assert np.allclose(got, oracle(name, z, s, t, PAIR), rtol=1e-3, atol=2e-6 * slack(name, t) + 1e-4)
    assert got.dtype == "float32" and (got >= -1e-6 * slack(name, t)).all()
    scaled, _ = soft(name, z * np.float32(c), s * np.float32(c), c * t, PAIR)
    assert np.allclose(scaled, c**2 * got, rtol=1e-2, atol=1e-6 * slack(name, c * t) + 1e-3)
    if TASKS[name] == "classes":
        moved, _ = soft(name, z + shift, s - shift, t, PAIR)
        assert np.allclose(moved, got, rtol=1e-3, atol=1e-5 * slack(name, t))
    nothing, flat = soft(name, z, z, t, PAIR)
    assert np.allclose(nothing, 0, atol=1e-6 * slack(name, t)) and np.allclose(flat, 0, atol=1e-5 * t)


@EACH
@pytest.mark.parametrize("t", [1.0, 2.5])
def test_the_gradient_is_the_central_difference(name, t):
    _, got = soft(name, Z, S, t)
    for c in range(CLASSES):
        move = 1e-5 * np.eye(CLASSES)[c]
        up, down = (oracle(name, Z, S + sign * move, t, LABELS) for sign in (1, -1))
        assert got[:, c] == pytest.approx((up - down) / 2e-5, rel=2e-3, abs=1e-4)


@properties
@given(LOGITS, LOGITS, TEMPERATURES)
def test_the_gradient_of_the_kl_is_t_times_q_minus_p(z, s, t):
    expected = [t * (softmax(row / t) - softmax(teacher / t)) for teacher, row in zip(z, s, strict=True)]
    assert np.allclose(soft("kl", z, s, t, PAIR)[1], expected, atol=1e-5 * t)


INF = float("inf")
KNOWN = {  # teacher, student, T, value, gradient
    "keras.distillation errs": ([6, 2, -1], [5, 4.5, -2], 2, 0.94558, [-0.6104, 0.6288, -0.0184]),
    "keras.distillation gives 32 and 0": ([-30, 0, 30], [30, 0, -30], 1, 60, [1, 0, -1]),
    "huge": ([-1e4, 0, 1e4], [1e4, 0, -1e4], 1, 2e4, [1, 0, -1]),
    "a class ruled out": ([0, 0, -INF], [0, 0, 0], 1, np.log(1.5), [-1 / 6, -1 / 6, 1 / 3]),
}


@pytest.mark.parametrize("case", KNOWN)
def test_values_and_gradients_that_one_knows(case):
    z, s, t, value, gradient = KNOWN[case]
    got, its = soft("kl", np.array([z]), np.array([s]), t, None)
    assert got == pytest.approx([value], rel=1e-5) and its == pytest.approx(np.array([gradient]), abs=1e-4)
    assert distillation_loss(np.array([z]), np.array([s]), t).numpy() == got


@pytest.mark.parametrize("name", ["kl", "reverse_kl"])
def test_at_high_temperatures_it_is_half_the_mean_square_of_centred_logits(name):
    z, s = RANDOM.normal(0, 2, (2, 5, 10))
    difference = (z - z.mean(-1, keepdims=True)) - (s - s.mean(-1, keepdims=True))
    limit = (difference**2).mean(-1) / 2
    assert np.allclose(oracle(name, z, s, 1e4, LABELS), limit, rtol=1e-3)  # the oracle itself
    assert np.allclose(soft(name, z, s, 100.0)[0], limit, rtol=0.05)
    assert np.allclose(soft(name, z, s, 1000.0)[1], -difference / 10, rtol=0.01, atol=2e-3)


@pytest.mark.parametrize("name", ["kl", "reverse_kl", "sigmoid"])
@pytest.mark.parametrize(("temperature", "rtol"), [(1e3, 1e-4), (1e4, 1e-3), (1e6, 0.1)])
def test_a_high_temperature_costs_few_digits(name, temperature, rtol):
    z, s = RANDOM.normal(0, 5, (2, 5, 10))
    assert np.allclose(soft(name, z, s, temperature)[0], oracle(name, z, s, temperature, LABELS), rtol=rtol)


@EACH
def test_saturated_logits_keep_their_value_and_a_gradient(name):
    s = np.array([[90.0, -90.0, 0.0, 5.0], [0.0, 80.0, -80.0, 1.0]])
    value, gradient = soft(name, -s, s, 1.0, LABELS[:2])
    assert np.allclose(value, oracle(name, -s, s, 1.0, LABELS[:2]), rtol=1e-4) and np.isfinite(gradient).all()
    # These weigh by the student's own probabilities, so where it is sure, it learns nothing.
    assert np.abs(gradient).max() > 0.1 or name in ("reverse_kl", "jensen_shannon")


@pytest.mark.parametrize("name", ["kl", "decoupled", "jensen_shannon", "sigmoid"])
@pytest.mark.parametrize("too", [False, True])
def test_a_class_that_the_teacher_rules_out_adds_nothing(name, too):
    """0 log 0 = 0, in the value and in the gradient, also where the student rules it out as well."""
    last, labels = np.arange(CLASSES) == 3, np.array([0, 1, -1, 2, 1])
    s = np.where(last, -1e4, S) if too else S
    got, expected = (soft(name, np.where(last, low, Z), s, 2.0, labels) for low in (-INF, -1e4))
    assert np.isfinite(got[0]).all() and np.isfinite(got[1]).all()
    assert np.allclose(got[0], expected[0], rtol=1e-3, atol=1e-4) and np.allclose(got[1], expected[1], atol=1e-4)


def test_the_reverse_kl_is_infinite_where_the_student_holds_possible_what_cannot_be():
    assert soft("reverse_kl", np.array([[0.0, 0.0, -INF]]), np.zeros((1, 3)), 1.0, None)[0] == INF


@EACH
def test_nan_is_never_taken_for_a_class_that_is_ruled_out(name):
    z = np.where((np.arange(5)[:, None] == 2) & (np.arange(CLASSES) == 1), np.nan, Z)
    assert np.isnan(soft(name, z, S, 2.0)[0]).tolist() == [False, False, True, False, False]


@EACH
@pytest.mark.parametrize("places, dtype", [(5, "float32"), (1, "float32"), (3, "float16")])
def test_leading_dimensions_are_kept_and_float32_it_is(name, places, dtype):
    z, s = RANDOM.normal(size=(2, 3, places, CLASSES)).astype(dtype)  # a sequence of one place is none of one class
    labels = RANDOM.randint(-1, CLASSES, (3, places))
    value, _ = soft(name, z, s, 2.0, labels)
    expected = oracle(name, z.reshape(-1, CLASSES), s.reshape(-1, CLASSES), 2.0, labels.ravel())
    assert value.dtype == "float32" and np.allclose(value, expected.reshape(3, places), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("t", [1.0, 4.0])
def test_the_kl_is_tckd_and_one_minus_p_times_nckd(t):
    """Zhao et al. 2022, equation 5."""
    labels = np.array([0, 3, 1, 2, 1])
    tckd, nckd = (soft(losses.Decoupled(*parts), Z, S, t, labels)[0] for parts in ((1, 0), (0, 1)))
    p = np.array([softmax(z / t)[y] for z, y in zip(Z, labels, strict=True)])
    assert np.allclose(tckd + (1 - p) * nckd, distillation_loss(Z, S, t), rtol=1e-4, atol=1e-4)


def test_the_weights_of_decoupled_are_the_papers_and_may_be_others():
    assert losses.SOFT_LOSSES["decoupled"].get_config() == {"target": 1.0, "others": 8.0}
    got, _ = soft(losses.Decoupled(0.5, 2), Z, S, 2.0)
    assert np.allclose(got, [decoupled(*each, 2.0, 0.5, 2) for each in zip(Z, S, LABELS, strict=True)], rtol=1e-4)


@pytest.mark.parametrize("beta", [0.01, 0.3, 0.9])
@pytest.mark.parametrize("t", [1.0, 4.0])
def test_the_dial_between_both_directions_is_the_papers_formula(beta, t):
    loss = losses.JensenShannon(beta)
    got, gradient = soft(loss, Z, S, t)
    expected = [jensen_shannon(*each, t, beta) for each in zip(Z, S, LABELS, strict=True)]
    assert np.allclose(got, expected, rtol=1e-4, atol=1e-6) and (got < t**2 * np.log(2)).all()
    for c in range(CLASSES):
        move = 1e-5 * np.eye(CLASSES)[c]
        up, down = (
            np.array([jensen_shannon(z, s + sign * move, 0, t, beta) for z, s in zip(Z, S, strict=True)])
            for sign in (1, -1)
        )
        assert gradient[:, c] == pytest.approx((up - down) / 2e-5, rel=2e-3, abs=1e-4)
    other = soft(losses.JensenShannon(1 - beta), S, Z, t)[0]
    assert np.allclose(got, other, rtol=1e-4, atol=1e-6)  # beta counts the teacher, 1 - beta the student
    same_models = soft(loss, Z, Z, t)
    assert np.allclose(same_models[0], 0, atol=1e-6 * t**2) and np.allclose(same_models[1], 0, atol=1e-5 * t)


def test_the_ends_of_the_dial_are_both_kls_and_near_an_end_a_little_of_one():
    for end, name in ((0, "kl"), (1, "reverse_kl")):
        expected = soft(name, Z, S, 2.0)
        assert all(map(np.array_equal, soft(losses.JensenShannon(end), Z, S, 2.0), expected))
        near = soft(losses.JensenShannon(abs(end - 1e-4)), Z, S, 2.0)
        assert all(np.allclose(a / 1e-4, b, rtol=0.05, atol=0.01) for a, b in zip(near, expected, strict=True))


def test_what_one_model_rules_out_costs_the_dial_at_most_log_2():
    """Teacher (1/2, 1/2, 0), student (0, 1/2, 1/2): at beta = 1/2 half a log 2, by hand."""
    z, s = np.array([[0.0, 0.0, -INF]]), np.array([[-INF, 0.0, 0.0]])
    value, gradient = soft("jensen_shannon", z, s, 1.0)
    assert value == pytest.approx([np.log(2) / 2], rel=1e-5)
    assert gradient == pytest.approx(np.array([[0, -np.log(2) / 8, np.log(2) / 8]]), abs=1e-5)
    nothing_shared = soft("jensen_shannon", z, np.array([[-INF, -INF, 0.0]]), 1.0)
    assert nothing_shared[0] == pytest.approx([np.log(2)], rel=1e-5) and np.isfinite(nothing_shared[1]).all()


@pytest.mark.parametrize("labels", [None, np.eye(CLASSES)[LABELS] * (LABELS >= 0)[:, None]], ids=["none", "one-hot"])
def test_the_labels_of_decoupled_may_be_absent_or_one_hot(labels):
    expected = oracle("decoupled", Z, S, 2.0, LABELS if labels is not None else [-1] * 5)
    assert np.allclose(soft("decoupled", Z, S, 2.0, labels)[0], expected, rtol=1e-4)


def test_one_yes_or_no_output_is_the_kl_of_two_classes():
    pair = [np.concatenate([each[:, :1], 0 * each[:, :1]], axis=1) for each in (Z, S)]
    assert np.allclose(soft("sigmoid", Z[:, :1], S[:, :1], 3.0, None)[0], distillation_loss(*pair, 3.0), rtol=1e-4)


# --- hard labels ----------------------------------------------------------------------------------------------------


def test_hard_label_loss_takes_integers_and_one_hot_rows():
    y = np.array([0, 1, 2, 3, 0])
    expected = [-np.log(softmax(s)[c]) for s, c in zip(S, y, strict=True)]
    assert np.allclose(hard_label_loss(y, S), expected, rtol=1e-5)
    assert np.allclose(hard_label_loss(np.eye(4)[y], S), expected, rtol=1e-5)
    # keras.distillation's documented "sparse_categorical_crossentropy" gives 6.50 instead of 1.31 in such a case.
    assert np.allclose(hard_label_loss(y, S), keras.losses.SparseCategoricalCrossentropy(True, reduction=None)(y, S))
    assert hard_label_loss(np.zeros((3, 5), "int32"), np.zeros((3, 5, 4), "float16")).shape == (3, 5)


# --- in a Distiller -------------------------------------------------------------------------------------------------

YES_NO = np.where(RANDOM.rand(33, CLASSES) < 0.1, -1, RANDOM.rand(33, CLASSES) < 0.4).astype("float32")
NUMBERS = np.where(RANDOM.rand(33, CLASSES) < 0.1, np.nan, RANDOM.randn(33, CLASSES)).astype("float32")
YES_NO[3], NUMBERS[3] = -1, np.nan  # an example of which nothing is known
TARGETS = {"classes": np.where(np.arange(33) % 5, Y, -1), "yes_no": YES_NO, "numbers": NUMBERS}


def hard(task, y, s):
    """The loss of one example's labels; None where nothing of it is known."""
    if task == "yes_no":
        values = [-np.log(1 / (1 + np.exp(-z if a == 1 else z))) for a, z in zip(y, s, strict=True) if a >= 0]
        return sum(values) if values else None
    if task == "numbers":
        values = [(a - z) ** 2 for a, z in zip(y, s, strict=True) if not np.isnan(a)]
        return np.mean(values) if values else None
    return -np.log(softmax(s)[y]) if y >= 0 else None


def hard_mean(task, labels, s):
    return np.mean([value for each in zip(labels, s, strict=True) if (value := hard(task, *each)) is not None])


def compiled(loss, student=None, teacher=None, **how):
    how = {"temperature": 3.0, "alpha": 0.3, **how}
    return distiller(student, teacher, keras.optimizers.SGD(0.05), soft_loss=loss, **how)


@EACH
def test_fit_and_evaluate_report_the_closed_form(name):
    labels, one = TARGETS[TASKS[name]], compiled(name)
    z, s = logits(one.teacher), logits(one.student)
    classes = labels if labels.ndim == 1 else [-1] * 33
    expected = {"distillation_loss": oracle(name, z, s, 3.0, classes).mean()}
    expected["student_loss"] = hard_mean(TASKS[name], labels, s)
    expected["loss"] = 0.3 * expected["student_loss"] + 0.7 * expected["distillation_loss"]
    assert reported(one, X, labels, batch_size=33) == pytest.approx(expected, rel=1e-4)
    got = one.fit(X, labels, batch_size=33, **LIGHT).history
    assert {key: value[0] for key, value in got.items()} == pytest.approx(expected, rel=1e-4)
    assert not same(weights(one.student), weights(model()))


SAVED = {name: name for name in ORACLES}
SAVED |= {"its weights": losses.Decoupled(0.5, 3), "its beta": losses.JensenShannon(0.2)}


@pytest.mark.parametrize("loss", SAVED.values(), ids=SAVED)
def test_it_is_saved_and_loaded_with_the_distiller(loss, tmp_path):
    one = compiled(loss)
    labels = TARGETS[one.task.name]
    one.fit(X, labels, batch_size=33, **LIGHT)
    one.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert loaded.task.name == one.task.name
    assert reported(loaded, X, labels) == pytest.approx(reported(one, X, labels), rel=1e-4)
    for each in (one, loaded):
        each.fit(X, labels, batch_size=33, **LIGHT)
    assert same(weights(one.student), weights(loaded.student), atol=1e-5)


def test_a_function_of_ones_own():
    def shifted(batch, student_logits, temperature):
        return keras.ops.mean(keras.ops.square(batch.teacher_logits - student_logits), axis=-1) + temperature

    one = compiled(shifted)
    expected = np.mean((logits(one.teacher) - logits(one.student)) ** 2) + 3
    assert reported(one, X, Y)["distillation_loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["sigmoid", "mean_square"])
def test_one_output_takes_labels_as_a_list_or_as_a_column_and_0_is_a_label(name):
    student, teacher = model(classes=1), model(9, classes=1)
    for labels in (Y % 2, (Y % 2)[:, None], 0 * Y):
        y, s = np.float64(labels).reshape(33, 1), logits(student)
        got = reported(compiled(name, student, teacher, metrics=["mse"]), X, labels.astype("float32"))
        assert got["student_loss"] == pytest.approx(hard_mean(TASKS[name], y, s), rel=1e-4)
        assert got["mse"] == pytest.approx(((y - s) ** 2).mean(), rel=1e-4)


def test_a_row_of_zeros_is_a_label_where_each_output_is_an_answer_of_its_own():
    labels = np.zeros((33, CLASSES))
    expected = hard_mean("yes_no", labels, logits(model()))
    assert reported(compiled("sigmoid"), X, labels)["student_loss"] == pytest.approx(expected, rel=1e-4)


def test_alpha_1_with_numbers_is_plain_regression():
    plain, student, y = model(), model(), RANDOM.randn(33, CLASSES).astype("float32")
    plain.compile(keras.optimizers.SGD(0.05), "mse", run_eagerly=True)
    expected = plain.fit(X, y, batch_size=8, **LIGHT).history["loss"]
    got = compiled("mean_square", student, alpha=1.0).fit(X, y, batch_size=8, **LIGHT).history["loss"]
    assert got == pytest.approx(expected, rel=1e-5) and same(weights(plain), weights(student), atol=1e-5)


def test_numbers_that_look_like_probabilities_are_numbers():
    shares = np.random.RandomState(0).dirichlet(np.ones(CLASSES), 33).astype("float32")
    y = {"labels": shares, "teacher_logits": shares}
    assert compiled("mean_square", taught=False).fit(X, y, batch_size=33, verbose=0)
