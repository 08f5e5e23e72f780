"""The text models and the ensemble beside plain Python; what is saved answers as before."""

import keras
import numpy as np
import pytest
from small import LIGHT, X, Y, logits, model, same, weights

from distill_edu import Classroom, Dataset, Distiller, Ensemble, as_letters, models, soft_targets, teacher_logits
from distill_edu.data import LETTERS

WORDS = ["Haus", "maison", "a", "", "casa de papel", "Übergrößenträger"]
LABELS = np.arange(6) % 3
DATA = Dataset("words", *[(as_letters(WORDS), LABELS)] * 3, ("a", "b", "c"))


def test_hashed_bigrams_are_the_pairs_of_neighbours():
    rows = np.array(models.HashedBigrams(100)(as_letters(WORDS)))
    for row, word in zip(rows, WORDS, strict=True):
        text = f" {word.lower()} "[:24]
        pairs = [1 + (31 * ord(a) + ord(b)) % 99 for a, b in zip(text, text[1:], strict=False)]
        assert list(row) == pairs + [0] * (23 - len(pairs))


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


@pytest.mark.parametrize("build", [lambda: models.text_cnn(DATA, width=5), lambda: models.bigram_bag(DATA)])
def test_a_text_model_learns_saves_and_loads(build, tmp_path):
    keras.utils.set_random_seed(0)
    model = build()
    model.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit(*DATA.train, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2
    before = model.predict(DATA.test[0], verbose=0)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").predict(DATA.test[0], verbose=0) == pytest.approx(before)
    assert before.shape == (6, 3) and before.min() < 0


def test_a_classroom_teaches_text_students():
    students, teacher = [models.bigram_bag(DATA) for _ in range(2)], models.text_cnn(DATA, width=5)
    classroom = Classroom(students=students, teacher=teacher, temperatures=[1, 2], alphas=0.5)
    classroom.compile("adam")
    assert np.isfinite(classroom.fit(*DATA.train, epochs=2, verbose=0).history["loss"]).all()


def test_letters_beyond_the_embedding_do_not_exist():
    assert as_letters(["漢字 ə ș"]).max() < LETTERS == models.text_cnn(DATA, width=2).layers[1].input_dim


def test_an_ensemble_answers_with_the_mean_of_its_members_probabilities():
    members = [model(seed, name="teacher") for seed in range(3)]  # one name for all, as a loop gives them
    ensemble = Ensemble(members)
    expected = np.mean([soft_targets(logits(member)) for member in members], axis=0)
    assert soft_targets(logits(ensemble)) == pytest.approx(expected, abs=1e-6)
    assert logits(Ensemble(members[:1])) == pytest.approx(np.log(soft_targets(logits(members[0]))), abs=1e-5)


def test_an_ensemble_is_a_teacher_like_any_other(tmp_path):
    members = [model(seed, noise=0.5) for seed in range(3)]
    before = [weights(member) for member in members]
    asked, cached = (Distiller(student=model(9), teacher=Ensemble(members)) for _ in range(2))
    for one in (asked, cached):
        one.compile("sgd", alpha=0.5)
    asked.fit(X, Y, **LIGHT)
    cached.fit(X, {"labels": Y, "teacher_logits": teacher_logits(Ensemble(members), X)}, **LIGHT)
    assert same(weights(asked.student), weights(cached.student), atol=1e-5)
    assert all(same(old, weights(member), atol=0) for old, member in zip(before, members, strict=True))
    asked.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert logits(loaded.teacher) == pytest.approx(logits(Ensemble(members)), abs=1e-6)


@pytest.mark.parametrize("members", [[], [None], [lambda x: x], [keras.Sequential([keras.layers.Dense(2)])]])
def test_an_ensemble_of_no_models_gets_a_sentence(members):
    with pytest.raises(ValueError, match="members is a list of at least one Keras model"):
        Ensemble(members)


def test_an_ensemble_of_other_classes_gets_a_sentence():
    with pytest.raises(ValueError, match=r"\[\(3,\), \(4,\)\]: they need the same classes"):
        Ensemble([model(0), model(1, classes=3)])(X)
