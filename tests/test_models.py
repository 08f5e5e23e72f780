"""The text models and the ensemble beside plain Python; what is saved answers as before."""

import re
import time

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from small import CLASSES, LIGHT, X, Y, logits, model, same, weights

from distill_edu import Classroom, Dataset, Distiller, Ensemble, as_letters, as_next_letter, models, soft_targets
from distill_edu.data import LETTERS, Vocabulary
from distill_edu.models import teacher_logits

WORDS = ["Haus", "maison", "a", "", "casa de papel", "Übergrößenträger"]
LABELS = np.arange(6) % 3
DATA = Dataset("words", *[(as_letters(WORDS), LABELS)] * 3, ("a", "b", "c"))
POINTS = Dataset("points", *[(X, Y)] * 3, tuple("abcd"))
IMAGES = np.random.RandomState(0).rand(5, 8, 6, 1).astype("float32")
PICTURES = Dataset("pictures", *[(IMAGES, np.arange(5) % 3)] * 3, tuple("abc"))


def relu(values):
    return np.maximum(values, 0)


def test_an_mlp_is_its_layers_in_their_order_with_relu_and_dropout():
    keras.utils.set_random_seed(0)
    network = models.mlp(POINTS, hidden=(5, 3), dropout=0.5)
    w1, b1, w2, b2, w3, b3 = network.get_weights()
    assert [w.shape for w in (w1, w2, w3)] == [(6, 5), (5, 3), (3, 4)]
    assert logits(network) == pytest.approx(relu(relu(X @ w1 + b1) @ w2 + b2) @ w3 + b3, abs=1e-5)
    assert not np.allclose(network(X, training=True), logits(network)) and network.name == "student"
    for size in (7, np.int64(7), np.array([7])):
        assert models.mlp(POINTS, hidden=size).count_params() == 7 * 7 + 8 * 4
    default = models.mlp(POINTS)
    assert np.allclose(default(X, training=True), default(X)) and default.get_layer("hidden1").units == 32


def test_a_cnn_has_two_convolutions_pools_and_drops():
    keras.utils.set_random_seed(0)
    network = models.cnn(PICTURES, width=4)
    w1, b1, w2, b2, w3, b3 = network.get_weights()
    assert [w.shape for w in (w1, w2, w3)] == [(3, 3, 1, 4), (3, 3, 4, 8), (2 * 1 * 8, 3)]

    def convolved(x, kernel, bias):
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        rows, columns = x.shape[1:3]
        parts = [padded[:, i : i + rows, j : j + columns] @ kernel[i, j] for i in range(3) for j in range(3)]
        return relu(sum(parts) + bias)

    def pooled(x):
        rows, columns = x.shape[1] // 2, x.shape[2] // 2
        return x[:, : 2 * rows, : 2 * columns].reshape(len(x), rows, 2, columns, 2, -1).max(axis=(2, 4))

    inside = pooled(convolved(pooled(convolved(IMAGES, w1, b1)), w2, b2)).reshape(5, -1)
    assert network.predict(IMAGES, verbose=0) == pytest.approx(inside @ w3 + b3, abs=1e-5)
    assert not np.allclose(network(IMAGES, training=True), network(IMAGES)) and network.get_layer("drop").rate == 0.3
    assert models.cnn(PICTURES).get_layer("conv2").filters == 32 and models.cnn(PICTURES).name == "teacher"


def test_a_text_cnn_takes_the_largest_value_of_filters_over_2_3_and_4_letters():
    keras.utils.set_random_seed(0)
    network = models.text_cnn(DATA, width=5)
    table, *filters, kernel, bias = network.get_weights()
    embedded, largest = table[DATA.test[0]], []
    for w, b in zip(filters[::2], filters[1::2], strict=True):
        size, before = len(w), (len(w) - 1) // 2
        padded = np.pad(embedded, ((0, 0), (before, size - 1 - before), (0, 0)))
        largest.append(relu(sum(padded[:, i : i + 24] @ w[i] for i in range(size)) + b).max(axis=1))
    assert [len(w) for w in filters[::2]] == [2, 3, 4]
    expected = np.concatenate(largest, axis=1) @ kernel + bias
    assert network.predict(DATA.test[0], verbose=0) == pytest.approx(expected, abs=1e-4)
    assert not np.allclose(network(DATA.test[0], training=True), expected, atol=1e-4)
    assert as_letters(["漢字 ə ș"]).max() < LETTERS == len(table)  # no letter is beyond the embedding


def test_hashed_bigrams_are_the_pairs_of_neighbours():
    rows = np.array(models.HashedBigrams(100)(as_letters(WORDS)))
    for row, word in zip(rows, WORDS, strict=True):
        text = f" {word.lower()} "[:24]
        pairs = [1 + (31 * ord(a) + ord(b)) % 99 for a, b in zip(text, text[1:], strict=False)]
        assert list(row) == pairs + [0] * (23 - len(pairs))
    symbol = models.HashedBigrams(100)(keras.Input((None,), dtype="int32"))
    assert symbol.shape == (None, None) and symbol.dtype == "int32"
    mixed = models.HashedBigrams(512, dtype="mixed_float16")(as_letters(WORDS).astype("float32"))
    assert (np.array(mixed) == np.array(models.HashedBigrams(512)(as_letters(WORDS)))).all()


def test_a_bag_of_bigrams_is_the_mean_of_its_pairs_and_knows_no_padding():
    keras.utils.set_random_seed(0)
    student = models.bigram_bag(DATA, units=4, buckets=50)
    table, kernel, bias = student.get_weights()
    numbers = np.array(models.HashedBigrams(50)(DATA.test[0]))
    means = np.array([table[row[row > 0]].mean(axis=0) for row in numbers])
    assert student.predict(DATA.test[0], verbose=0) == pytest.approx(means @ kernel + bias, abs=1e-5)
    wide = as_letters(WORDS, length=40)
    other = models.bigram_bag(Dataset("wide", *[(wide, LABELS)] * 3, ("a", "b", "c")), units=4, buckets=50)
    other.set_weights(student.get_weights())
    assert other.predict(wide, verbose=0) == pytest.approx(student.predict(DATA.test[0], verbose=0), abs=1e-5)


@pytest.mark.nightly
@pytest.mark.parametrize("build", [lambda: models.text_cnn(DATA, width=5), lambda: models.bigram_bag(DATA)])
def test_a_text_model_learns_saves_loads_and_teaches(build, tmp_path):
    keras.utils.set_random_seed(0)
    model = build()
    model.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit(*DATA.train, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2
    before = model.predict(DATA.test[0], verbose=0)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").predict(DATA.test[0], verbose=0) == pytest.approx(before)
    assert before.shape == (6, 3) and before.min() < 0
    classroom = Classroom(
        students=[models.bigram_bag(DATA), models.bigram_bag(DATA)], teacher=model, temperatures=[1, 2], alphas=0.5
    )
    classroom.compile("adam")
    assert np.isfinite(classroom.fit(*DATA.train, epochs=2, verbose=0).history["loss"]).all()


def test_an_ensemble_answers_with_the_mean_of_its_members_probabilities():
    members = [model(seed, name="teacher") for seed in range(3)]  # one name for all, as a loop gives them
    ensemble = Ensemble(members)
    expected = np.mean([soft_targets(logits(member)) for member in members], axis=0)
    assert soft_targets(logits(ensemble)) == pytest.approx(expected, abs=1e-6)
    assert np.exp(logits(ensemble)).sum(axis=1) == pytest.approx(np.ones(33), abs=1e-5)  # logits that are log p
    assert logits(Ensemble(members[:1])) == pytest.approx(np.log(soft_targets(logits(members[0]))), abs=1e-5)


def test_the_weights_of_an_ensemble_are_used_in_proportion_and_saved(tmp_path):
    members = [model(0), model(1), model(2)]
    p = np.array([soft_targets(logits(member)) for member in members])
    ensemble = Ensemble(members, weights=(6, 3, 1))
    expected = 0.6 * p[0] + 0.3 * p[1] + 0.1 * p[2]
    assert np.exp(logits(ensemble)) == pytest.approx(expected, abs=1e-6)
    Distiller(student=model(9), teacher=ensemble).save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras").teacher
    assert np.exp(logits(loaded)) == pytest.approx(expected, abs=1e-6)
    of_large = Ensemble(members, weights=np.array([6e307, 3e307, 1e307]) * 2)  # their sum is infinite
    assert np.exp(logits(of_large)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "weights, message",
    [
        ([1], "weights has 1 numbers for 2 members: give one for each"),
        ([1, 0], "A weight of an Ensemble must be above 0, not 0"),
        ("12", "weights must be a list of numbers, one for each member, not '12'"),
        ({1: 0.5, 2: 0.5}, "weights must be a list of numbers"),
        (5, "weights must be a list of numbers, one for each member, not 5"),
        (np.array(5), "weights must be a list of numbers"),
        (["1", 2], "A weight of an Ensemble must be above 0, not '1'"),
        ([1e-320, 1], "A weight of .* beside one of 1.0 counts as 0: leave this member out"),
        ([1, "much"], "A weight of an Ensemble must be above 0, not 'much'"),
    ],
)
def test_wrong_weights_of_an_ensemble_get_a_sentence(weights, message):
    with pytest.raises(ValueError, match=message):
        Ensemble([model(0), model(1)], weights=weights)


def images(size):
    """Ends in pooling over all places, so that it would take images of any size."""
    blocks = [keras.layers.Conv2D(2, 3), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(CLASSES)]
    return keras.Sequential([keras.Input((size, size, 1)), *blocks])


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, number):
        return np.zeros((4, 12, 12, 1), "float32"), np.zeros(4)


LARGE = np.zeros((8, 12, 12, 1), "float32")
PIPELINES = {
    "an array": lambda: LARGE,
    "tf.data": lambda: tf.data.Dataset.from_tensor_slices(LARGE).batch(4),
    "tf.data with labels": lambda: tf.data.Dataset.from_tensor_slices((LARGE, np.zeros(8))).batch(4),
    "a PyDataset": lambda: Batches(workers=1),
    "a generator": lambda: ((LARGE[row : row + 4],) for row in (0, 4)),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_images_of_another_size_are_refused_in_every_form(name):
    with pytest.raises(ValueError, match=r"The teacher takes images of the shape \(8, 8, 1\), .* resize x"):
        teacher_logits(images(8), PIPELINES[name]())
    assert same([teacher_logits(images(12), PIPELINES[name]())], [np.zeros((8, CLASSES))])


def test_a_student_of_smaller_images_is_refused():
    for teacher in (None, images(12)):
        distiller = Distiller(student=images(8), teacher=teacher)
        distiller.compile(soft_loss="kl" if teacher else None)
        for call in (distiller.fit, distiller.evaluate):
            with pytest.raises(ValueError, match=r"The student takes images of the shape \(8, 8, 1\), .* resize x"):
                call(LARGE, np.zeros(8), verbose=0)


def test_a_layer_is_asked_without_dropping_and_a_pipeline_without_a_progress_bar(capsys):
    drops = keras.layers.Dropout(0.9)
    assert (teacher_logits(drops, X) == X).all()
    batches = tf.data.Dataset.from_tensor_slices(X).batch(8)
    assert same([teacher_logits(model(), batches)], [logits(model())])
    assert same([teacher_logits(drops, batches)], [X])  # a layer has no predict
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("batch_size", [8, 256])
def test_a_teacher_on_two_devices_gives_a_row_for_each_example(batch_size):
    one_sums = tf.distribute.ReductionToOneDevice()
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=one_sums).scope():
        teacher = model()
    assert same([teacher_logits(teacher, X, batch_size)], [logits(model())])


class Slow(keras.Layer):
    def call(self, x):
        wait = tf.py_function(lambda: time.sleep(0.3) or 0.0, [], "float32")
        return x + tf.ensure_shape(wait, [])


@pytest.mark.parametrize("pipeline, bar", [(False, "teacher: .*/5.00 "), (True, "teacher: .* batches")])
def test_a_keras_model_that_needs_long_shows_a_bar_and_clears_it_away(pipeline, bar, capsys):
    slow = keras.Sequential([keras.Input(X.shape[1:]), Slow()])
    x = tf.data.Dataset.from_tensor_slices(X[:5]).batch(1) if pipeline else X[:5]
    assert same([teacher_logits(slow, x, batch_size=1)], [X[:5]])
    said = capsys.readouterr()
    assert said.out == "" and re.search(bar, said.err) and said.err.endswith("\r")
    teacher_logits(model(), X)
    assert capsys.readouterr().err == ""


@pytest.mark.nightly
def test_an_ensemble_is_a_teacher_like_any_other(tmp_path):
    members = [model(seed, noise=0.5) for seed in range(3)]
    before = [weights(member) for member in members]
    asked, cached = (Distiller(student=model(9), teacher=Ensemble(members)) for _ in range(2))
    for distiller in (asked, cached):
        distiller.compile("sgd", alpha=0.5)
    asked.fit(X, Y, **LIGHT)
    cached.fit(X, {"labels": Y, "teacher_logits": teacher_logits(Ensemble(members), X)}, **LIGHT)
    assert same(weights(asked.student), weights(cached.student), atol=1e-5)
    assert all(same(old, weights(member), atol=0) for old, member in zip(before, members, strict=True))
    asked.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert logits(loaded.teacher) == pytest.approx(logits(Ensemble(members)), abs=1e-6)


@pytest.mark.parametrize("members", [[], [None], [lambda x: x], [keras.Sequential([keras.layers.Dense(2)])]])
def test_an_ensemble_of_no_models_or_of_unequal_classes_gets_a_sentence(members):
    with pytest.raises(ValueError, match="members is a list of at least one Keras model"):
        Ensemble(members)
    with pytest.raises(ValueError, match=r"\[\(3,\), \(4,\)\]: they need the same classes"):
        Ensemble([model(0), model(1, classes=3)])(X)
    with pytest.raises(ValueError, match="one number per example, .* use one of the members"):
        Ensemble([model(0, classes=1), model(1, classes=1)])(X)


# --- letters --------------------------------------------------------------------------------------------------------

SYMBOLS = Vocabulary("abcdef")
ROWS = np.random.RandomState(3).randint(1, 9, (4, 7))


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_a_model_of_letters_sees_all_letters_so_far_and_no_later_letter(kind):
    keras.utils.set_random_seed(0)
    network = models.letter_gru(SYMBOLS) if kind == "gru" else models.letter_transformer(SYMBOLS, 7)
    before = network.predict(ROWS, verbose=0)
    assert before.shape == (4, 7, 9) and network.name == "student" and network.output.name != "softmax"
    for place in range(7):
        changed = ROWS.copy()
        changed[:, place] = 1 + ROWS[:, place] % 8
        moved = np.abs(network.predict(changed, verbose=0) - before).max(axis=(0, 2)) > 1e-5
        assert not moved[:place].any() and moved[place:].all()


def test_a_gru_is_cho_and_others_equations_also_unrolled():
    """Section 2.3, with the reset gate after the matrix, as in Keras: h' = z h + (1 - z) tanh(W x + r (U h))."""
    keras.utils.set_random_seed(0)
    network = models.letter_gru(SYMBOLS, units=5, width=3, dropout=0.4)
    embedding, w, u, (b, c), out, bias = network.get_weights()

    def sigmoid(values):
        return 1 / (1 + np.exp(-values))

    h, expected = np.zeros((4, 5)), []
    for letters in ROWS.T:
        (z, r, n), (zh, rh, nh) = (np.split(v, 3, axis=1) for v in (embedding[letters] @ w + b, h @ u + c))
        z, r = sigmoid(z + zh), sigmoid(r + rh)
        h = z * h + (1 - z) * np.tanh(n + r * nh)
        expected.append(h @ out + bias)
    assert network.predict(ROWS, verbose=0) == pytest.approx(np.stack(expected, axis=1), abs=1e-5)
    assert not np.allclose(network(ROWS, training=True), network(ROWS, training=False))
    assert network.predict(ROWS[:, :3], verbose=0) == pytest.approx(np.stack(expected[:3], axis=1), abs=1e-5)
    unrolled = models.letter_gru(SYMBOLS, units=5, width=3, length=7)
    unrolled.set_weights(network.get_weights())
    assert unrolled.predict(ROWS, verbose=0) == pytest.approx(np.stack(expected, axis=1), abs=1e-5)


def test_a_letter_transformer_is_attention_and_two_dense_layers():
    keras.utils.set_random_seed(0)
    network = models.letter_transformer(SYMBOLS, 7, width=4, depth=1, heads=2)
    tables, rest = network.get_weights()[:2], network.get_weights()[2:]
    by_size = {len(table): table for table in tables}  # 9 symbols, 7 places
    g1, b1, wq, bq, wk, bk, wv, bv, wo, bo, g2, b2, w1, c1, w2, c2, g3, b3, out, bias = rest

    def normed(x, gain, shift):
        return gain * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3) + shift

    def gelu(x):
        return x * scipy.stats.norm.cdf(x)

    x = by_size[9][ROWS] + by_size[7]
    n = normed(x, g1, b1)
    q, k, v = (np.einsum("btd,dhe->bhte", n, w) + b[:, None] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
    scores = np.where(np.tri(7, dtype=bool), q @ k.swapaxes(-1, -2) / np.sqrt(2), -np.inf)
    x = x + np.einsum("bhte,hed->btd", soft_targets(scores) @ v, wo) + bo
    x = x + gelu(normed(x, g2, b2) @ w1 + c1) @ w2 + c2
    assert network.predict(ROWS, verbose=0) == pytest.approx(normed(x, g3, b3) @ out + bias, abs=1e-4)
    blocks = [models.letter_transformer(SYMBOLS, 7, width=4, depth=depth, heads=2).count_params() for depth in (1, 2)]
    assert blocks[1] - blocks[0] == sum(part.size for part in rest[:16])


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["gru", "unrolled", "transformer"])
def test_models_of_letters_learn_together_what_they_learn_alone_and_come_back_from_disk(kind, tmp_path):
    def build(seed):
        keras.utils.set_random_seed(seed)
        if kind == "transformer":
            return models.letter_transformer(SYMBOLS, 6, 4, 1, 2)
        return models.letter_gru(SYMBOLS, 4, 3, length=6 if kind == "unrolled" else None)

    x, labels, mask = as_next_letter(np.where(np.arange(7) < [[7], [4], [5], [7]], ROWS, 0))
    y = {"labels": labels, "teacher_logits": np.random.RandomState(1).randn(4, 6, 9).astype("float32"), "mask": mask}
    # Not Adam: the bias of attention's keys has no gradient but rounding, and Adam makes whole steps of that.
    students, alone = [build(seed) for seed in range(3)], [build(seed) for seed in range(3)]
    room = Classroom(students=students, temperatures=[1, 2, 1], alphas=[0.5, 0, 1])
    room.compile(keras.optimizers.SGD(0.5))
    room.fit(x, y, epochs=3, batch_size=2, shuffle=False, verbose=0)
    together = room.predict(x, verbose=0)
    for i, (student, temperature, alpha) in enumerate(zip(alone, [1, 2, 1], [0.5, 0, 1], strict=True)):
        distiller = Distiller(student=student)
        distiller.compile(keras.optimizers.SGD(0.5), temperature=temperature, alpha=alpha)
        distiller.fit(x, y, epochs=3, batch_size=2, shuffle=False, verbose=0)
        assert same(weights(student), weights(students[i]), atol=1e-5)
        assert together[:, i] == pytest.approx(student.predict(x, verbose=0), abs=1e-4)
    assert not same(weights(students[0]), weights(build(0)), atol=1e-3)
    values = room.evaluate(x, y, verbose=0, return_dict=True)
    assert np.isfinite(np.concatenate([np.ravel(value) for value in values.values()])).all()
    students[0].save(tmp_path / "letters.keras")
    again = keras.saving.load_model(tmp_path / "letters.keras")
    assert again.predict(x, verbose=0) == pytest.approx(students[0].predict(x, verbose=0), abs=1e-6)
