"""Every exercise: untouched, right, and each likely mistake with its own hint."""

import numpy as np
import pytest

from distill_edu import checks, soft_targets
from distill_edu.soft_targets import entropy, kl_divergence

SOFT = soft_targets


def soft_loss(z_t, z_s, t):
    return t**2 * kl_divergence(SOFT(z_t, t), SOFT(z_s, t))


def hard_loss(y, z, t=1):
    return -np.log(SOFT(z, t)[np.arange(len(y)), y])


def best(table, column, over):
    return table.groupby(["size", "temperature"])[column].agg(over).unstack().idxmax(axis=1).to_dict()


def mean_and_error(a, b):
    return (a - b).mean(), (a - b).std(ddof=1) / len(a) ** 0.5


def steps(x, scale):
    return np.round(x / scale)


def clipped(values):
    return np.clip(values, -128, 127)


def in_place(z, digit, bias):
    z[:, digit] += bias
    return z


def best_shift(z, y, digit, biases):
    right = [((z + b * (np.arange(2) == digit)).argmax(1) == y).mean() for b in biases]
    return biases[int(np.argmax(right))]


def pairs(text):
    return [text[i : i + 2] for i in range(len(text) - 1)]


def distances(rows):
    return np.linalg.norm(rows[:, None] - rows[None], axis=-1)


def relative(d):
    return d / d.sum() * len(d) * (len(d) - 1)


MISTAKES = {
    "standard_error_by_hand": [
        (3, "the mean itself"),
        (14**0.5 / 3**0.5, "standard deviation of one"),
        (14 / 3, "variance"),
        ((14 / 3) ** 0.5 / 4, "square root of the number"),
        (3.5**0.5 / 2, "n - 1"),
        (99, "over the square root"),
    ],
    "students_in_a_sweep": [(18, "multiply"), (60, "once per seed"), (66, "not added"), (5, "multiply the four")],
    "choose_honestly": [
        (lambda valid, test: max(test), "cheating"),
        (lambda valid, test: max(valid), "on validation data"),
        (lambda valid, test: int(np.argmax(valid)), "number of the setting"),
        (lambda valid, test: 0.0, "best of valid"),
    ],
    "best_temperature": [
        (lambda table: best(table, "valid_accuracy", "max"), "luckiest"),
        (lambda table: best(table, "test_accuracy", "mean"), "test data"),
        (lambda table: {4: 2, 9: 7}, "highest mean"),
        (lambda table: 1, "dictionary"),
        (lambda table: {4: 1}, "dictionary"),
        (lambda table: table.nothing, "AttributeError"),
    ],
    "mean_and_error": [
        (lambda a, b: mean_and_error(b, a), "a - b"),
        (lambda a, b: ((a - b).mean(), (a - b).std(ddof=1)), "square root of n"),
        (lambda a, b: ((a - b).mean(), (a - b).std() / 5**0.5), "n - 1"),
        (lambda a, b: ((a - b).mean(), ((a.var(ddof=1) + b.var(ddof=1)) / 5) ** 0.5), "unpaired"),
        (lambda a, b: (a.mean(), b.mean()), "the mean of a - b"),
        (lambda a, b: (a - b).mean(), "shape"),
        (lambda a: a, "TypeError"),
    ],
    "gap": [
        (lambda d, h, t: d - h, "gain itself"),
        (lambda d, h, t: (t - d) / (t - h), "still missing"),
        (lambda d, h, t: (d - h) / t, "not by the teacher"),
        (lambda d, h, t: (t - h) / (d - h), "upside down"),
        (lambda d, h, t: 7.0, "distilled - hard"),
    ],
    "entropy_by_hand": [
        (1.5, "bits"),
        (-1.04, "never negative"),
        (3.466, "weight each"),
        (2.828, "number of classes"),
        (7, "-p ln"),
        ("x", "a number"),
    ],
    "softmax": [
        (np.exp, "do not sum to 1"),
        (lambda z: np.exp(z) / np.exp(z).sum(), "over all examples"),
        (lambda z: np.exp(z) / np.exp(z).sum(axis=0), "axis=0"),
        (lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), "overflows"),
        (lambda z: z / z.sum(axis=1, keepdims=True), "exp"),
        (lambda z: z.nothing, "AttributeError"),
        (lambda z: z[0], "shape"),
    ],
    "most_similar_class": [
        (lambda p, y, c: p[y == c].mean(0).argmax(), "class itself"),
        (lambda p, y, c: 3, "average the probabilities"),
        (lambda p, y, c: 2, "rows whose label"),
    ],
    "temperature_by_hand": [
        (0.8808, "T = 1"),
        (0.982, "multiplied"),
        (0.2689, "second"),
        (0.4404, "before the softmax"),
    ],
    "temperature_softmax": [
        (lambda z, t: SOFT(z * t), "divide them"),
        (lambda z, t: SOFT(z), "no effect"),
        (lambda z, t: SOFT(z) / t, "after the softmax"),
        (lambda z, t: np.exp(z / t), "sum of the row"),
        (lambda z, t: np.exp(z / t) / np.exp(z / t).sum(), "its own sum"),
    ],
    "temperature_for_entropy": [
        (lambda z, h: 1.0, "too sure"),
        (lambda z, h: 50.0, "too soft"),
        (lambda z, h: -1.0, "one positive number"),
        (lambda z, h: 1 / 0, "ZeroDivisionError"),
    ],
    "gradient_by_hand": [
        ([0.4, -0.2, -0.2], "signs"),
        ([-0.2, 0.1, 0.1], "factor T is missing"),
        ([-0.1, 0.05, 0.05], "forgot the T²"),
        ([-0.8, 0.4, 0.4], "one T too many"),
    ],
    "soft_loss": [
        (lambda a, b, t: soft_loss(a, b, t) / t**2, "T² is missing"),
        (lambda a, b, t: soft_loss(a, b, t) / t, "not T"),
        (lambda a, b, t: soft_loss(b, a, t), "changed places"),
        (lambda a, b, t: t**2 * kl_divergence(SOFT(a), SOFT(b)), "divide both"),
        (lambda a, b, t: t**2 * kl_divergence(SOFT(a, t), SOFT(b)), "too"),
        (lambda a, b, t: -soft_loss(a, b, t), "sign"),
        (lambda a, b, t: -(t**2) * (SOFT(a, t) * np.log(SOFT(b, t))).sum(-1), "cross-entropy"),
        (lambda a, b, t: soft_loss(a, b, t).mean(), "one value per example"),
        (lambda a, b, t: soft_loss(a, b, t).sum(), "sum over the classes only"),
        (lambda a, b, t: soft_loss(a, b, t) / 3, "add over the classes"),
    ],
    "total_loss": [
        (lambda y, a, b, t, w: ((1 - w) * hard_loss(y, b) + w * soft_loss(a, b, t)).mean(), "here alpha"),
        (lambda y, a, b, t, w: (w * hard_loss(y, b, t) + (1 - w) * soft_loss(a, b, t)).mean(), "T = 1"),
        (lambda y, a, b, t, w: (w * hard_loss(y, b) + (1 - w) * soft_loss(a, b, t) / t**2).mean(), "T²"),
        (lambda y, a, b, t, w: (hard_loss(y, b) + soft_loss(a, b, t)).mean(), "weight the two"),
        (lambda y, a, b, t, w: (w * hard_loss(y, b) + (1 - w) * soft_loss(a, b, t)).sum(), "not the sum"),
    ],
    "bytes_by_hand": [(1010, "in int8"), (4000, "biases"), (32320, "bits"), (2020, "float16"), (7, "times the bytes")],
    "quantise": [
        (lambda x, scale, zero: steps(x, scale) + zero, "clip them"),
        (lambda x, scale, zero: (steps(x, scale) + zero).astype(int).astype("int8"), "clip before"),
        (lambda x, scale, zero: clipped(steps(x, scale)), "add the zero point."),
        (lambda x, scale, zero: clipped(steps(x, scale) - zero), "subtracted on the way back"),
        (lambda x, scale, zero: clipped(np.trunc(x / scale) + zero), "astype alone"),
        (lambda x, scale, zero: clipped(np.floor(x / scale) + zero), "not down"),
        (lambda x, scale, zero: clipped(steps(x, 1 / scale) + zero), "size of one step"),
        (lambda x, scale, zero: clipped(x / scale + zero), "whole number"),
        (lambda x, scale, zero: x, "clipped"),
    ],
    "best_within": [
        (lambda table, kb: table.valid_accuracy.idxmax(), "does not fit"),
        (lambda table, kb: table[table.bytes <= 1000 * kb].test_accuracy.idxmax(), "test data"),
        (lambda table, kb: table.bytes.idxmin(), "smallest"),
        (lambda table, kb: table[table.bytes <= 1000 * kb].valid_accuracy.max(), "not its accuracy"),
        (lambda table, kb: int(table.valid_accuracy.argmax()), "not the position"),
        (lambda table, kb: int(table[table.bytes <= 1000 * kb].valid_accuracy.argmax()), "not the position"),
        (lambda table, kb: table[table.bytes <= kb].valid_accuracy.idxmax(), "ValueError"),
    ],
    "mean_latency_by_hand": [
        (30, "student answers first"),
        (100, "three in four"),
        (22.5, "student's own"),
        (50, "not half"),
        (1, "a quarter of the teacher's"),
    ],
    "margin": [
        (lambda p: p.max(1), "subtract the second largest."),
        (lambda p: p.max(1) - p.min(1), "not the smallest"),
        (lambda p: p[:, 0] - p[:, 1], "sort each row"),
        (lambda p: np.sort(p)[:, -2] - p.max(1), "sign"),
        (lambda p: np.sort(p)[:, -2], "that is the second"),
        (lambda p: np.zeros(3), "column"),
    ],
    "threshold_for": [
        (lambda confidence, share: np.quantile(confidence, 1 - share), "lower end"),
        (lambda confidence, share: share, "gets 0.0 of"),
        (lambda confidence, share: confidence, "one number"),
        (lambda confidence, share: "x" + 1, "TypeError"),
    ],
    "bias_by_hand": [(1.2, "equal"), (1, "2.0 + 1"), (0.5, "2.0 + 0.5"), (2, "a smaller one"), (9, "larger than 3.2")],
    "with_bias": [
        (lambda z, digit, bias: z + bias, "every class"),
        (lambda z, digit, bias: z + bias * (np.arange(len(z)) == digit)[:, None], "a row"),
        (lambda z, digit, bias: z * np.where(np.arange(3) == digit, bias, 1), "multiply"),
        (lambda z, digit, bias: z, "nothing has changed"),
        (lambda z, digit, bias: 0 * z, "the column of the digit"),
        (in_place, "work on a copy"),
    ],
    "best_bias": [
        (lambda z, y, digit, biases: best_shift(z[y == digit], y[y == digit], digit, biases), "for the digit alone"),
        (lambda z, y, digit, biases: list(biases).index(best_shift(z, y, digit, biases)), "position"),
        (lambda z, y, digit, biases: 6 / 7, "accuracy"),
        (lambda z, y, digit, biases: biases[0], "try each"),
    ],
    "pairs_by_hand": [(4, "letters"), (3, "spaces"), (6, "n - 1"), (15, "only neighbours"), (9, "places between")],
    "bigrams": [
        (lambda word: pairs(word.lower()), "at both ends"),
        (lambda word: pairs(f" {word} "), "lower case"),
        (lambda word: pairs(f" {word.lower()}"), "last pair"),
        (lambda word: pairs(f"{word.lower()} "), "first pair"),
        (lambda word: pairs(f" {word.lower()} ")[::2], "overlap"),
        (lambda word: list(f" {word.lower()} "), "single letters"),
        (lambda word: [], "first pair of"),
        (lambda word: "os", "a list"),
        (lambda word: word + 1, "TypeError"),
    ],
    "best_possible": [
        (lambda words, labels: len(set(words)) / len(words), "distinct words"),
        (lambda words, labels: 1.0, "several labels"),
        (lambda words, labels: 2 / 8, "without any doubt"),
        (lambda words, labels: 5, "divide"),
        (lambda words, labels: max(labels.count(label) for label in labels) / len(labels), "for each word"),
        (lambda words, labels: 0, "most frequent label"),
    ],
    "attention_by_hand": [
        (3, "divide by the length"),
        (3 / 7, "divided by the sum"),
        (0.8, "second place"),
        (3 / 13**0.5, "square them first"),
        (9 / 25, "take the root"),
        (7, "sum the squares"),
    ],
    "relative_distances": [
        (distances, "divide by the mean distance"),
        (lambda rows: distances(rows) / distances(rows).mean(), "from itself"),
        (lambda rows: relative(distances(rows) ** 2), "not their squares"),
        (lambda rows: distances(rows) / distances(rows).max(), "not by the largest"),
        (lambda rows: relative(distances(rows))[0], "first row"),
        (lambda rows: np.abs(rows[:, None] - rows).sum(-1) / (distances(rows).sum() / 12), "Euclidean"),
        (lambda rows: 0 * distances(rows), "divided by their mean"),
    ],
    "projector_parameters": [
        (lambda student, teacher: student * teacher, "biases"),
        (lambda student, teacher: student * teacher + student, "one bias for each output"),
        (lambda student, teacher: 49 * (student + 1) * teacher, "every place"),
        (lambda student, teacher: (student + 1) * teacher, "Where they do not"),
        (lambda student, teacher: 1, "count the weights"),
    ],
    "agreement_by_hand": [(0.8, "accuracy"), (3, "a share"), (0.4, "differ"), (0.1, "count the places")],
    "ensemble_logits": [
        (lambda z: SOFT(z).mean(axis=0), "take the logarithm"),
        (lambda z: z.mean(axis=0), "average the probabilities"),
        (lambda z: np.log(SOFT(z)).mean(axis=0), "first the mean"),
        (lambda z: np.log(SOFT(z).sum(axis=0)), "number of members"),
        (lambda z: np.log(SOFT(z).mean(axis=1)), "axis=0"),
        (lambda z: np.log(SOFT(z).mean(axis=-1)), "axis=0"),
        (lambda z: 0 * z[0], "softmax of each"),
    ],
    "verdict": [
        (lambda low, high: "it helps" if low + high > 0 else "it hurts", "may be nothing"),
        (lambda low, high: "no verdict", "above 0"),
        (lambda low, high: "it helps" if low > 0 else "no verdict", "below 0"),
        (lambda low, high: low + "", "TypeError"),
    ],
    "trained_numbers": [(79510, "teacher"), (87470, "not trained"), (7940, "biases"), (4, "arrays")],
}
CASES = [(name, answer, hint) for name, cases in MISTAKES.items() for answer, hint in cases]


@pytest.mark.parametrize("name, answer, hint", CASES, ids=[f"{name}: {hint}" for name, _, hint in CASES])
def test_a_likely_mistake_gets_its_own_hint(name, answer, hint):
    verdict = getattr(checks, name)(answer)
    assert verdict.startswith("Not yet: ") and hint in verdict and "\n" not in verdict


@pytest.mark.parametrize("name", [*MISTAKES, "distillation_step", "shuffled_pairs"])
def test_an_untouched_stub_is_not_attempted(name):
    check = getattr(checks, name)
    assert check(...) == check(None) == checks.NOT_ATTEMPTED
    if not name.endswith(("by_hand", "numbers", "in_a_sweep")):
        assert check(lambda *arguments: ...) == checks.NOT_ATTEMPTED


def test_hints_do_not_give_the_answer_away():
    assert str(entropy([0.5, 0.25, 0.25]).round(3)) not in checks.entropy_by_hand(7)
    assert repr(checks.entropy_by_hand(7)) == checks.entropy_by_hand(7)


def step(alpha=0.1, t=4.0, training=(False, True), power=1.0, who="student", sign=1, total=False):
    """A distillation step with one thing wrong."""
    import tensorflow as tf

    from distill_edu import distillation_loss, hard_label_loss

    def run(student, teacher, optimizer, x, y):
        with tf.GradientTape() as tape:
            z, s = teacher(x, training=training[0]), student(x, training=training[1])
            values = alpha * hard_label_loss(y, s) + (1 - alpha) * power * distillation_loss(z, s, t)
            loss = tf.reduce_sum(values) if total else tf.reduce_mean(values)
        weights = {"student": student, "teacher": teacher}[who].trainable_variables
        optimizer.apply_gradients(zip([sign * g for g in tape.gradient(loss, weights)], weights, strict=True))

    return run


@pytest.mark.parametrize(
    "wrong, hint",
    [
        ({"who": "teacher"}, "the teacher changed"),
        ({"training": (False, False)}, "student exactly once, with training=True"),
        ({"training": (True, True)}, "teacher exactly once, with training=False"),
        ({"alpha": 0.9}, "alpha is the weight of the hard labels"),
        ({"power": 1 / 16}, "factor T²"),
        ({"t": 1.0, "power": 1.0}, "temperature 4"),
        ({"alpha": 0.0}, "hard labels' loss is missing"),
        ({"alpha": 1.0}, "soft targets' loss is missing"),
        ({"sign": -1}, "uphill"),
        ({"total": True}, "mean of the loss"),
        ({"alpha": 0.5}, "not the one of"),
    ],
)
def test_a_wrong_step_gets_its_own_hint(wrong, hint):
    assert hint in checks.distillation_step(step(**wrong))
    assert checks.distillation_step(step()) == "Correct!"


def test_a_pipeline_out_of_step_is_noticed():
    import tensorflow as tf

    def both(y, z):
        return {"labels": y, "teacher_logits": z}

    def apart(x, y, z):
        parts = (tf.data.Dataset.from_tensor_slices(part).shuffle(64, seed=i) for i, part in enumerate((x, both(y, z))))
        return tf.data.Dataset.zip(tuple(parts)).batch(8)

    def unshuffled(x, y, z):
        return tf.data.Dataset.from_tensor_slices((x, both(y, z))).batch(8)

    def unbatched(x, y, z):
        return tf.data.Dataset.from_tensor_slices((x, both(y, z))).shuffle(64)

    assert "mixed up" in checks.shuffled_pairs(apart)
    assert "shuffle them" in checks.shuffled_pairs(unshuffled)
    assert ".batch(32)" in checks.shuffled_pairs(unbatched)
    assert "raised TypeError" in checks.shuffled_pairs(lambda x: x)
