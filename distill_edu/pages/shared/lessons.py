"""Lessons of letters: students read people's names, their teacher's, or their own, and are judged alike."""

import dataclasses
from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas

from distill_edu import Distiller, Vocabulary, as_next_letter, language, load_dataset, models
from distill_edu._inside.backend import keras, tf
from distill_edu.data import END, PADDING
from distill_edu.metrics import paired_gain

LENGTH, OF_A_ROUND, READ = 17, 500, 5000  # symbols of a row; names of a round; names that students read first
COLDER = (0.8, 0.85, 0.9, 0.95, 1)  # temperatures at which students write
TESTED, WRITTEN = 1000, 400  # names of the test set, and names that a student writes to be judged


def names(rounds=22):
    """Names of languages and places in twenty languages, as rows of letters: a Dataset of x and next letters.

    The first symbol of a row says the language. The training set has the names of all rounds.
    """
    data = load_dataset("languages")
    tags, often = data.class_names, Counter("".join(data.train[0]).lower())
    vocabulary = Vocabulary([*tags, *sorted(letter for letter in often if often[letter] >= 20)])
    parts = {}
    for part, most in (("train", rounds * OF_A_ROUND), ("valid", TESTED), ("test", TESTED)):
        pairs = zip(*getattr(data, part), strict=True)
        texts = [[tags[k], *word.lower()] for word, k in pairs if len(word) < LENGTH - 1][:most]
        parts[part] = as_next_letter(vocabulary.encode(texts, LENGTH))[:2]
    return dataclasses.replace(data, **parts, class_names=("", "END", "?", *vocabulary.symbols))


def of_language(data, language):
    """The training names of a language, as rows of letters [n, length]."""
    rows = _rows(*data.train)
    return rows[rows[:, 0] == data.class_names.index(language)]


def spelled(data, rows):
    """Rows of letters as one text, the names apart by commas; an empty name is ''."""
    names = ["".join(data.class_names[letter] for letter in row[1:] if letter > END) for row in rows]
    return ", ".join(name or "''" for name in names)


def teacher_network(data):
    return models.letter_gru(data.class_names, 128, width=32, dropout=0.5, name="teacher")


def student_network(data):
    return models.letter_gru(data.class_names, 32, length=LENGTH - 1)


def follow(learn, teacher, data, lessons, measures=None, seeds=5):
    """Let students learn in each lesson, from the same starts, and judge them: lesson -> what `judge` returns.

    `lessons`: lesson -> (whose text, soft loss, rounds, learning rate, sampling temperatures), for
    `learn(distiller, whose, texts, rounds, rate)`. `texts`: whose text -> names of each round, [rounds, names, length],
    in an order of each seed. A student has read other names of people before. `measures`: those that are returned, of
    `judge`; None: all. Arrays: [temperatures, seeds, ...].
    """
    student, texts = student_network(data), _texts(teacher, data)
    distillers = {loss: _distiller(student, teacher, loss) for loss in ("kl", *(each[1] for each in lessons.values()))}
    starts = _starts(distillers["kl"], data, seeds)
    orders = [np.random.default_rng(seed).permutation(len(texts["people"])) for seed in range(seeds)]
    found = {}
    for name, (whose, soft_loss, rounds, rate, temperatures) in lessons.items():
        judged = []
        for start, order in zip(starts, orders, strict=True):
            _begin(distillers[soft_loss], start)
            of_rounds = {who: _rounds(rows[order]) for who, rows in texts.items()}
            learn(distillers[soft_loss], whose, of_rounds, rounds, rate)
            judged.append([judge(student, teacher, data, temperature) for temperature in temperatures])
        values = {measure: [[at[measure] for at in each] for each in judged] for measure in measures or judged[0][0]}
        found[name] = {measure: np.swapaxes(of_all, 0, 1) for measure, of_all in values.items()}
    return found


def written(learn, teacher, data, writers, rows):
    """What the first student of `follow` writes after each lesson, for the languages of `rows`: writer -> names.

    `writers`: lesson -> as the `lessons` of `follow`; each temperature is a writer. All draw the same random numbers.
    """
    student, texts = student_network(data), _texts(teacher, data)
    (start,) = _starts(_distiller(student, teacher, "kl"), data, 1)
    order = np.random.default_rng(0).permutation(len(texts["people"]))
    of_rounds = {who: _rounds(each[order]) for who, each in texts.items()}
    found = {}
    for name, (whose, soft_loss, rounds, rate, temperatures) in writers.items():
        distiller = _distiller(student, teacher, soft_loss)
        _begin(distiller, start)
        learn(distiller, whose, of_rounds, rounds, rate)
        for temperature in temperatures:
            own = language.sample(student, rows[:, :1], LENGTH, temperature, seed=99)
            found[f"{name}, T = {temperature:g}"] = spelled(data, own)
    return found


def _texts(teacher, data):
    """Whose text -> names [n, length]: people's that no student has read, and the teacher's in the same languages."""
    people = _rows(*data.train)[READ : 2 * READ]
    return {"people": people, "teacher": language.sample(teacher, people[:, :1], LENGTH)}


def _rounds(rows):
    return rows.reshape(-1, OF_A_ROUND, LENGTH)


def _rows(x, labels):
    """The rows [n, length] that x and the next letters were made of; the first letter's label is known, too."""
    return np.concatenate([x[:, :1], np.maximum(labels, 0)], axis=1)


def _distiller(student, teacher, soft_loss):
    distiller = Distiller(student=student, teacher=teacher)
    distiller.compile("adam", temperature=1.0, alpha=0.0, soft_loss=soft_loss)
    return distiller


def _begin(distiller, weights):
    """Give the student these weights, and its optimizer nothing to remember. `learn` sets the learning rate."""
    distiller.student.set_weights(weights)
    for variable in distiller.optimizer.variables:
        variable.assign(0 * variable)


def _starts(distiller, data, seeds):
    """The weights of students that have read READ names of people once, with the teacher's marks."""
    weights = []
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)  # all of them first: it makes TensorFlow forget what it has prepared
        weights.append(models.letter_gru(data.class_names, 32).get_weights())
    return [_start(distiller, data, each, seed) for seed, each in enumerate(weights)]


def _start(distiller, data, weights, seed):
    _begin(distiller, weights)
    distiller.optimizer.learning_rate = 0.01
    order = np.random.default_rng(seed).permutation(len(data.train[0][:READ]))
    x, labels = (part[order] for part in data.train)
    distiller.fit(x, {"labels": labels, "mask": labels != -1}, batch_size=64, shuffle=False, verbose=0)
    return distiller.student.get_weights()


def judge(student, teacher, data, temperature=1.0):
    """Judge a student that writes at this temperature, in nats per letter.

    "nll": what real names cost it [examples]. Of its own names: "entropy", its own (one number); "surprise", what they
    cost the teacher [texts]; "divergence", the reverse KL to the teacher [texts]. Padding is never written, so its
    probability counts nowhere; "padding" is what the student gives to it nevertheless (one number).
    """
    x, labels = data.test
    own = language.sample(student, x[:WRITTEN, :1], LENGTH, temperature, seed=99)
    own_x, letters, mask = as_next_letter(own)
    log_q, log_p = (_log_probabilities(model, own_x, at) for model, at in ((student, temperature), (teacher, 1.0)))
    q = np.exp(log_q)
    return {
        "nll": _per_text(_cost(_log_probabilities(student, x, temperature), labels), labels != -1).astype("float16"),
        "entropy": _per_text(-(q * log_q).sum(axis=-1), mask).mean(),
        "surprise": _per_text(_cost(log_p, letters), mask).astype("float16"),
        "divergence": _per_text((q * (log_q - log_p)).sum(axis=-1), mask).astype("float16"),
        "padding": _per_text(_softmax(student.predict_on_batch(own_x))[..., PADDING], mask).mean(),
    }


def _softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _log_probabilities(model, x, temperature):
    """Of all symbols but padding, which is number 0: [texts, places, symbols - 1]."""
    return np.log(_softmax(model.predict_on_batch(x)[..., 1:].astype(float) / temperature))


def _cost(log_p, letters):
    """-log p of each letter, [texts, places]."""
    return -np.take_along_axis(log_p, np.maximum(letters - 1, 0)[..., None], axis=-1)[..., 0]


def _per_text(values, mask):
    """The mean over the letters of each text: [texts, places] -> [texts]."""
    return np.where(mask, values, 0).sum(axis=1) / mask.sum(axis=1)


def points(table):
    """Entropy and reverse KL of each student: [temperatures, seeds, 2]."""
    return np.stack([table["entropy"], table["divergence"].astype(float).mean(axis=-1)], axis=-1)


def summary(found):
    """A row for each lesson: the means over its students that write at T = 1, in nats per letter."""
    columns = {"entropy": "entropy", "reverse KL": "divergence", "surprise": "surprise", "real names": "nll"}
    rows = {
        name: {column: table[measure][-1].astype(float).mean() for column, measure in columns.items()}
        for name, table in found.items()
    }
    return pandas.DataFrame(rows).T.round(3)


def saved(found, measure, lesson, over):
    """How many nats per letter the students of a lesson save against those of another, start by start: a Gain."""
    less, more = (found[name][measure][-1].astype(float) for name in (lesson, over))
    return paired_gain(more, less)


def cold_twin(forward, other):
    """The students of the lesson `forward`, each at the temperature at which it is as spread as its twin in `other`.

    Both: what `follow` found, `forward` at the temperatures COLDER; between two of them values are interpolated.
    Returns "temperature" [seeds], and "nll" and "divergence" as `follow`, [1, seeds, ...].
    """
    places = [
        np.interp(target, curve, np.arange(len(COLDER)))
        for target, curve in zip(other["entropy"][-1], forward["entropy"].T, strict=True)
    ]
    twin = {"temperature": np.interp(places, np.arange(len(COLDER)), COLDER)}
    for measure in ("nll", "divergence"):
        table = forward[measure].astype(float)
        twin[measure] = np.array([[_between(table[:, seed], place) for seed, place in enumerate(places)]])
    return twin


def _between(table, place):
    """The row at this place, such as 1.25 of the way through the rows."""
    low = min(int(place), len(table) - 2)
    return (low + 1 - place) * table[low] + (place - low) * table[low + 1]


def gradient_noise(estimators, teacher, data, batches=60, of=64):
    """How much the gradients of one batch of a student's own names scatter: name of the loss -> [mean, scatter].

    The squared length of the mean gradient over all batches, and the mean squared distance of a batch's gradient from
    it. "difference": the same of the difference between the first two estimators. The student has read people's names.
    """
    student = models.letter_gru(data.class_names, 32)
    _starts(_distiller(student, teacher, "kl"), data, 1)
    prompts = data.train[0][: batches * of, :1]
    x, letters, mask = as_next_letter(language.sample(student, prompts, LENGTH, seed=7))
    answers = teacher.predict_on_batch(x)

    @tf.function
    def gradients(*batch):
        x, letters, mask, answers = batch
        with tf.GradientTape(persistent=True) as tape:
            logits = student(x)
            lesson = Lesson(letters, answers)
            losses = [
                tf.reduce_sum(tf.where(mask, loss(lesson, logits, 1.0), 0.0)) / tf.reduce_sum(tf.cast(mask, "float32"))
                for loss in estimators.values()
            ]
        return [tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(loss, student.weights)], 0) for loss in losses]

    parts = [each.reshape(batches, of, *each.shape[1:]) for each in (x, letters, mask, answers)]
    found = np.array([[g.numpy() for g in gradients(*batch)] for batch in zip(*parts, strict=True)], float)
    tables = dict(zip(estimators, found.swapaxes(0, 1), strict=True))
    first, second, *_ = tables.values()
    return {name: _mean_and_scatter(table) for name, table in {**tables, "difference": second - first}.items()}


class Lesson(NamedTuple):
    """What a soft loss sees of a batch."""

    labels: object
    teacher_logits: object


def _mean_and_scatter(table):
    """[batches, weights] -> the squared length of the mean, and the mean squared distance from it."""
    mean = table.mean(axis=0)
    return [float((mean**2).sum()), float(((table - mean) ** 2).sum() / (len(table) - 1))]
