"""The hints, run eagerly: each against its paper's formula written out in loops, and in a Distiller beside the rest."""

import itertools

import keras
import numpy as np
import pytest
import small
import tensorflow as tf
from small import CLASSES, FEATURES, LIGHT, X, Y, hard_values, image_model, same, soft_values, weights

from distill_edu import Distiller, teacher_logits
from distill_edu.hints import AttentionTransfer, Hint, RelationalAngle, RelationalDistance

RANDOM = np.random.RandomState(0)
S, T = (RANDOM.randn(5, 2, 3, width) for width in (4, 7))  # features of a student and of a teacher
RELATIONS = (RelationalDistance, RelationalAngle)

# --- the papers' formulas -------------------------------------------------------------------------------------------


def huber(a, b):
    return (a - b) ** 2 / 2 if abs(a - b) <= 1 else abs(a - b) - 0.5


def fitnets(student, teacher, hint):
    """Romero et al. 2015, equation 3: half the squared distance, here divided by half the number of features."""
    if hint.projector is not None:
        student = student @ np.array(hint.projector.kernel, "float64") + np.array(hint.projector.bias)
    return [0.5 * np.linalg.norm((s - t).ravel()) ** 2 / (t.size / 2) for s, t in zip(student, teacher, strict=True)]


def attention(student, teacher, hint):
    """Zagoruyko and Komodakis 2017, equation 2, without beta."""
    maps = [[(each**2).sum(axis=-1).ravel() for each in features] for features in (student, teacher)]
    s, t = ([each / np.linalg.norm(each) for each in some] for some in maps)
    return [np.linalg.norm(a - b) / 2 for a, b in zip(s, t, strict=True)]


def distance(student, teacher, hint):
    """Park et al. 2019, equations 5 to 7, as means over the other examples."""
    n = len(student)

    def psi(rows):
        d = np.array([[np.linalg.norm((a - b).ravel()) for a in rows] for b in rows])
        return d / np.mean([d[i, j] for i, j in itertools.permutations(range(n), 2)])

    s, t = psi(student), psi(teacher)
    return [np.mean([huber(t[i, j], s[i, j]) for j in range(n) if j != i]) for i in range(n)]


def angle(student, teacher, hint):
    """Park et al. 2019, equations 8 and 9, as means over the pairs of other examples."""
    n = len(student)

    def cosine(rows, i, j, k):
        a, b = (rows[i] - rows[j]).ravel(), (rows[k] - rows[j]).ravel()
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    def value(j):
        pairs = itertools.permutations([m for m in range(n) if m != j], 2)
        return np.mean([huber(cosine(teacher, i, j, k), cosine(student, i, j, k)) for i, k in pairs])

    return [value(j) for j in range(n)]


ORACLES = {Hint: fitnets, AttentionTransfer: attention, RelationalDistance: distance, RelationalAngle: angle}
EACH = pytest.mark.parametrize("kind", ORACLES)


def built(kind, student=S.shape, teacher=T.shape):
    hint = kind("conv", "conv")
    hint.build(student, teacher)
    return hint


def per_example(values):
    """A hint's value for each example, also where it has one for each place."""
    return tf.reduce_mean(tf.reshape(values, (values.shape[0], -1)), axis=-1)


@EACH
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_the_value_is_the_papers_formula(kind, scale):
    hint = built(kind)
    got = hint(scale * S, T)
    assert got.shape == ((5, 2, 3) if kind is Hint else (5,)) and got.dtype == "float32"
    assert np.allclose(per_example(got), ORACLES[kind](scale * S, T, hint), rtol=2e-4, atol=1e-6)


@EACH
def test_the_gradient_is_the_central_difference(kind):
    hint, student = built(kind), tf.Variable(S, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(per_example(hint(student, T)))
    got, step = tape.gradient(loss, student).numpy(), 1e-5
    for place in [(0, 0, 0, 0), (2, 1, 2, 3), (4, 0, 1, 2)]:
        move = np.zeros(S.shape)
        move[place] = step
        up, down = (np.sum(ORACLES[kind](S + sign * move, T, hint)) for sign in (1, -1))
        assert got[place] == pytest.approx((up - down) / (2 * step), rel=2e-3, abs=1e-5)


@EACH
def test_the_student_may_be_the_wider_one_and_places_may_be_times(kind):
    student, teacher = RANDOM.randn(5, 6, 7), RANDOM.randn(5, 6, 4)
    hint = built(kind, student.shape, teacher.shape)
    assert np.allclose(per_example(hint(student, teacher)), ORACLES[kind](student, teacher, hint), rtol=2e-4)


@EACH
def test_features_that_are_alike_cost_nothing_and_need_no_projector(kind):
    hint = built(kind, S.shape, S.shape)
    assert not hint.trainable_variables and np.allclose(hint(S, S), 0, atol=1e-6)
    symbols = [keras.KerasTensor((None, 2, 3, 4))] * 2  # its shape is known before any data is
    assert hint(*symbols).shape == ((None, 2, 3) if kind is Hint else (None,))


@pytest.mark.parametrize("kind", [AttentionTransfer, *RELATIONS])
def test_attention_and_relations_do_not_see_a_scale(kind):
    assert np.allclose(built(kind)(S, T), built(kind)(100 * S, T / 100), atol=1e-5)


@pytest.mark.parametrize("kind", RELATIONS)
def test_relations_do_not_see_a_rotation_nor_a_shift(kind):
    rotation, _ = np.linalg.qr(RANDOM.randn(24, 24))
    assert np.allclose(built(kind)(S.reshape(5, -1) @ rotation + RANDOM.randn(24), S), 0, atol=1e-5)


@pytest.mark.parametrize("kind", RELATIONS)
def test_large_differences_count_as_hubers_loss_says(kind):
    line, other = (np.array(order, "float64")[:, None] for order in ([0, 1, 2, 3, 4], [2, 0, 1, 4, 3]))
    assert np.allclose(kind("a", "b")(line, other), ORACLES[kind](line, other, None), rtol=1e-4)


CORNERS = {"one example": S[:1], "two examples": S[:2], "equal examples": S[[0, 0, 1]], "silent layer": 0 * S}


@EACH
@pytest.mark.parametrize("case", CORNERS)
def test_the_gradient_is_finite_at_the_corners(kind, case):
    hint, student = built(kind), tf.Variable(CORNERS[case], dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(hint(student, T[: len(CORNERS[case])]))
    assert np.isfinite(loss) and np.isfinite(tape.gradient(loss, student)).all()
    assert (loss < 1e-6) == (case in ("one example", "two examples") and kind in RELATIONS)


def test_two_examples_that_only_the_teacher_can_tell_apart():
    apart = RelationalDistance("student", "teacher")(S[[0, 0]], T[:2])
    assert np.allclose(apart, 0.5)  # Huber's loss of 1 - 0: the one distance there is, divided by itself


# --- in a Distiller -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def teacher():
    return image_model(9, width=5, name="teacher")


def all_kinds(weight=0.7):
    layers = ["conv" if kind in (Hint, AttentionTransfer) else "flat" for kind in ORACLES]
    return [kind(layer, layer, weight=weight) for kind, layer in zip(ORACLES, layers, strict=True)]


def distiller(teacher, hints, student=None, optimizer=None, **how):
    return small.distiller(student or image_model(), teacher, optimizer, hints, **how)


def outputs(model, layer="logits", x=X):
    return np.array(keras.Model(model.inputs[0], model.get_layer(layer).output)(x), "float64")


def test_fit_and_evaluate_report_the_closed_form(teacher):
    hints = all_kinds()
    one = distiller(teacher, hints, temperature=2, alpha=0.3, metrics=["accuracy"])
    z_s, w = outputs(one.student), RANDOM.uniform(0, 2, 33)
    expected = {"student_loss": hard_values(Y, z_s) @ w / 33}
    expected["distillation_loss"] = soft_values(outputs(teacher), z_s, 2) @ w / 33
    for hint in hints:
        features = outputs(one.student, hint.student_layer), outputs(teacher, hint.teacher_layer)
        expected[hint.name] = ORACLES[type(hint)](*features, hint) @ w / 33
    names = ["hint_conv", "attention_transfer_conv", "relational_distance_flat", "relational_angle_flat"]
    assert [hint.name for hint in hints][:4] == names
    expected["loss"] = 0.3 * expected["student_loss"] + 0.7 * expected["distillation_loss"]
    expected["loss"] += 0.7 * sum(expected[hint.name] for hint in hints)
    expected["accuracy"] = (z_s.argmax(1) == Y).mean()
    got = one.evaluate(X, Y, sample_weight=w, batch_size=33, verbose=0, return_dict=True)
    assert got == pytest.approx(expected, rel=1e-3, abs=1e-6)
    got = one.fit(X, Y, sample_weight=w, batch_size=33, **LIGHT).history
    assert {name: values[0] for name, values in got.items()} == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("cached", [False, True])
def test_both_models_run_once_a_step_however_many_hints_there_are(cached):
    student, teacher = image_model(0, watch=True), image_model(9, width=5, watch=True, name="teacher")
    one = distiller(teacher, all_kinds(), student)
    y = {"labels": Y[:8], "teacher_logits": teacher_logits(teacher, X[:8])} if cached else Y[:8]
    looks = [model.layers[0].seen for model in (student, teacher)]
    for seen in looks:
        seen.clear()
    one.fit(X[:8], y, batch_size=4, **LIGHT)
    assert looks == [[True, True], [False, False]]
    one.evaluate(X[:8], y, batch_size=4, verbose=0)
    assert looks == [[True, True, False, False], [False] * 4]


def test_the_projector_is_trained_with_the_student_and_left_out_of_it(teacher, tmp_path):
    hint = Hint("conv", "conv")
    one = distiller(teacher, [hint], optimizer=keras.optimizers.Adam(0.05))
    assert len(one.trainable_variables) == len(one.student.trainable_variables) + 2 == 6
    before, its = np.array(hint.projector.kernel), weights(teacher)
    history = one.fit(X, Y, epochs=30, batch_size=33, verbose=0).history["hint_conv"]
    assert history[-1] < 0.6 * history[0]
    assert not np.allclose(before, hint.projector.kernel) and same(its, weights(teacher), atol=0)
    assert [layer.name for layer in one.student.layers][1:] == ["conv", "flat", "logits"]
    one.student.save(tmp_path / "student.keras")
    alone = keras.models.load_model(tmp_path / "student.keras")
    assert alone.count_params() == image_model().count_params()
    assert np.allclose(outputs(alone), outputs(one.student))


def test_the_hint_moves_the_student_as_its_gradient_says(teacher):
    """One step of SGD from alpha = 1 with and without the hint: the difference is the hint's gradient alone."""
    x, y, hint = X[:8], Y[:8], AttentionTransfer("conv", "conv", weight=3)
    plain, hinted, student = image_model(), image_model(), image_model()
    for each, hints in ((plain, []), (hinted, [hint])):
        distiller(teacher, hints, each, keras.optimizers.SGD(1.0), alpha=1).fit(x, y, **LIGHT)
    inside = keras.Model(student.inputs[0], student.get_layer("conv").output)
    with tf.GradientTape() as tape:
        loss = 3 * tf.reduce_mean(hint(inside(x), outputs(teacher, "conv", x)))
    kernel = tape.gradient(loss, student.get_layer("conv").kernel.value)
    assert np.abs(kernel).max() > 1e-3
    assert np.allclose(weights(plain)[0] - weights(hinted)[0], kernel, atol=1e-5)


def test_a_weight_may_be_set_during_training_without_retracing(teacher):
    hint, student = AttentionTransfer("conv", "conv"), image_model(watch=True)
    one = distiller(teacher, [hint], student, keras.optimizers.SGD(0.0), run_eagerly=False, alpha=1)
    first = one.fit(X, Y, **LIGHT).history
    traces = len(student.layers[0].seen)
    hint.weight = 2.5
    second = one.fit(X, Y, **LIGHT).history
    assert len(student.layers[0].seen) == traces and hint.weight == 2.5
    more = 1.5 * first["attention_transfer_conv"][0]
    assert second["loss"][0] - first["loss"][0] == pytest.approx(more, rel=1e-4)


def test_saved_in_the_middle_it_trains_on_as_if_it_had_not_stopped(teacher, tmp_path):
    one = distiller(teacher, all_kinds(0.5), optimizer=keras.optimizers.Adam(0.05))
    one.fit(X, Y, batch_size=33, **LIGHT)
    one.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    for hint in loaded.hints:
        assert hint.weight == type(hint).from_config(hint.get_config()).weight == 0.5
    assert one.count_params() == sum(int(np.prod(weight.shape)) for weight in one.weights)  # nothing twice
    assert loaded.evaluate(X, Y, verbose=0) == pytest.approx(one.evaluate(X, Y, verbose=0), rel=1e-5)
    for each in (one, loaded):
        each.alpha = 0  # without labels hints are reported, too
        assert {"loss", "hint_conv", "relational_angle_flat"} <= set(each.fit(X, batch_size=11, **LIGHT).history)
    assert same(weights(one.student), weights(loaded.student), atol=1e-5)
    assert np.allclose(*(each.hints[0].projector.kernel for each in (one, loaded)), atol=1e-5)


def test_functional_models_with_named_inputs_and_losses_of_their_own():
    def branches(width, name):
        keras.utils.set_random_seed(width)
        a, b = (keras.Input((FEATURES,), name=letter) for letter in "ab")
        regulariser = keras.regularizers.L2(0.1)
        hidden = keras.layers.Dense(width, "relu", activity_regularizer=regulariser, name="hidden")(a + 2 * b)
        return keras.Model({"a": a, "b": b}, keras.layers.Dense(CLASSES)(hidden), name=name)

    x, hint = {"b": X[::-1].copy(), "a": X}, RelationalDistance("hidden", "hidden", 0.0)
    one, plain = (distiller(branches(9, "t"), hints, branches(4, "s")) for hints in ([hint], []))
    got, wanted = (each.fit(x, Y, **LIGHT).history for each in (one, plain))
    assert got["loss"] == pytest.approx(wanted["loss"], rel=1e-5) and got["relational_distance_hidden"][0] > 0
    assert same(weights(one.student), weights(plain.student))


def sequence(seed, width, mask=False):
    """Logits at each of five times; where `mask` is set, words, of which 0 is padding."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    words = [keras.Input((5,), dtype="int32"), layers.Embedding(9, 3, mask_zero=True)]
    read = words if mask else [keras.Input((5, FEATURES))]
    return keras.Sequential([*read, layers.SimpleRNN(width, return_sequences=True, name="hidden"), layers.Dense(4)])


def test_with_a_label_at_every_time_a_weight_counts_by_its_mean():
    x, y, w = RANDOM.randn(6, 5, FEATURES), RANDOM.randint(0, CLASSES, (6, 5)), RANDOM.uniform(0, 2, (6, 5))
    teacher, student = sequence(8, 8), sequence(3, 3)
    one = distiller(teacher, RelationalDistance("hidden", "hidden"), student)
    got = one.evaluate(x, y, sample_weight=w, verbose=0, return_dict=True)["relational_distance_hidden"]
    values = distance(outputs(student, "hidden", x), outputs(teacher, "hidden", x), None)
    assert got == pytest.approx((values * w.mean(axis=1)).mean(), rel=1e-4)


@pytest.mark.parametrize("marked", [True, False])
def test_a_hint_does_not_look_at_padding(marked):
    """Marked by a layer, or by a mask of one's own."""
    random, real = np.random.RandomState(1), np.arange(5) < np.array([1, 2, 3, 4, 4, 3, 2, 1, 1])[:, None]
    x, y = np.where(real, random.randint(1, 9, (9, 5)), 0), random.randint(0, CLASSES, (9, 5))
    if not marked:
        x, y = random.randn(9, 5, FEATURES) * np.where(real, 1, 9)[..., None], {"labels": y, "mask": real}
    student, teacher = sequence(0, 4, marked), sequence(1, 4, marked)
    got = distiller(teacher, Hint("hidden", "hidden"), student).evaluate(x, y, verbose=0, return_dict=True)
    squares = np.mean((outputs(student, "hidden", x) - outputs(teacher, "hidden", x)) ** 2, axis=-1)
    assert got["hint_hidden"] == pytest.approx(squares[real].mean(), rel=1e-4)
    assert squares[~real].mean() != pytest.approx(squares[real].mean(), rel=0.05)


@pytest.mark.parametrize("count, last", [(20, "f19[.]$"), (21, "f19, [.][.][.][.]$")])
def test_of_many_layers_twenty_are_named(teacher, count, last):
    layers = [keras.layers.Flatten(name=f"f{number}") for number in range(count)]
    with pytest.raises(ValueError, match=f"has no layer 'cow'.*f0, f1, .*{last}"):
        Distiller(student=keras.Sequential([keras.Input((9,)), *layers]), teacher=teacher, hints=[Hint("cow", "conv")])
