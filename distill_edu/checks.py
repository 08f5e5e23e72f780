"""Self-checks for the exercises: "Correct", or the likely mistake. Never the answer."""

import numpy as np

from distill_edu.soft_targets import entropy, kl_divergence, soft_targets

NOT_ATTEMPTED = "Not attempted yet: replace the ... above with your answer."
# Two examples of three classes, far enough from each other that every mistake below gives another number.
TEACHER = np.array([[4.0, 1.0, -2.0], [0.5, 2.5, 1.0]])
STUDENT = np.array([[1.0, 2.0, -1.0], [0.0, 0.5, 3.0]])
LABELS = np.array([0, 1])


class Verdict(str):
    """One line of text that a notebook shows without quotation marks."""

    __repr__ = str.__str__


def _missing(answer):
    return answer is None or answer is ...


def _compare(mine, right, mistakes, otherwise):
    """Compare an answer with the right one, then with what each likely mistake gives: [(value, hint), ...]."""
    if _missing(mine):
        return Verdict(NOT_ATTEMPTED)
    try:
        mine = np.asarray(mine, dtype=np.float64)
    except (TypeError, ValueError):
        return Verdict(f"Not yet: the answer should be a number or an array of numbers, not {type(mine).__name__}.")
    for value, hint in [(right, None), *mistakes]:
        if mine.shape == np.shape(value) and np.allclose(mine, value, rtol=2e-3, atol=2e-3):
            return Verdict("Correct!" if hint is None else f"Not yet: {hint}")
    if mine.shape != np.shape(right):
        return Verdict(f"Not yet: the answer has the shape {mine.shape}, but {np.shape(right)} is needed.")
    return Verdict(f"Not yet: {otherwise}")


def _call(function, *arguments):
    """(what the reader's function returns, None), or (None, the verdict) where it cannot be called."""
    if _missing(function):
        return None, Verdict(NOT_ATTEMPTED)
    try:
        with np.errstate(all="ignore"):
            return function(*arguments), None
    except Exception as error:  # whatever the reader's code raises is shown to the reader
        return None, Verdict(f"Not yet: your function raised {type(error).__name__}: {error}")


def _value(function, *arguments):
    """As `_call`, for functions that must return something: nothing is an exercise not attempted."""
    mine, verdict = _call(function, *arguments)
    return mine, verdict or (Verdict(NOT_ATTEMPTED) if _missing(mine) else None)


def _compare_call(function, arguments, right, mistakes, otherwise):
    """Call the reader's function and compare what it returns."""
    mine, verdict = _call(function, *arguments)
    return verdict or _compare(mine, right, mistakes, otherwise)


def entropy_by_hand(answer):
    """Page 01: the entropy of (1/2, 1/4, 1/4) in nats."""
    p = np.array([0.5, 0.25, 0.25])
    mistakes = [
        (1.5, "that is the entropy in bits. In nats the logarithm is the natural one."),
        (-entropy(p), "an entropy is never negative: mind the minus sign in front of the sum."),
        (-np.log(p).sum(), "weight each log p with its own p before you add."),
        (np.exp(entropy(p)), "that is exp(entropy), the number of classes it is worth."),
    ]
    return _compare(answer, entropy(p), mistakes, "add -p ln(p) over the three classes.")


def softmax(function):
    """Page 01: softmax over the last axis."""
    powers = np.exp(TEACHER)
    shift = np.exp(TEACHER - TEACHER.max(axis=-1, keepdims=True))
    mistakes = [
        (powers, "the rows do not sum to 1: divide by the sum of the powers."),
        (shift, "the rows do not sum to 1: divide by the sum of the powers."),
        (powers / powers.sum(), "you divided by the sum over all examples: each row has its own sum (axis=-1)."),
        (powers / powers.sum(axis=0), "you summed over the examples (axis=0): sum over the classes (axis=-1)."),
        (TEACHER / TEACHER.sum(axis=-1, keepdims=True), "exp() is missing: logits can be negative."),
    ]
    verdict = _compare_call(function, (TEACHER,), soft_targets(TEACHER), mistakes, "compute exp(logits), then divide.")
    if verdict != "Correct!":
        return verdict
    hint = "right for small logits, but exp(1000) overflows: subtract the largest logit of the row first."
    large = np.array([[1000.0, 999.0], [0.0, -1000.0]])
    return _compare_call(function, (large,), soft_targets(large), [], hint)


def most_similar_class(function):
    """Page 01: the class, other than c itself, that examples of class c get most probability for on average."""
    probabilities = np.array(
        [[0.6, 0.3, 0.1, 0.0], [0.1, 0.35, 0.15, 0.4], [0.1, 0.2, 0.6, 0.1], [0.9, 0.0, 0.05, 0.05]]
    )
    labels = np.array([0, 0, 1, 3])
    mistakes = [
        (0, "that is the class itself: leave it out before you look for the largest."),
        (3, "you took one example, or the hard answers: average the probabilities over all examples of the class."),
        (2, "average over the rows whose label is the class (labels == c), not over the others."),
    ]
    return _compare_call(function, (probabilities, labels, 0), 1, mistakes, "return the number of one class.")


def temperature_by_hand(answer):
    """Page 02: the probability of the first of the logits (2, 0) at T = 2."""
    logits = np.array([2.0, 0.0])
    mistakes = [
        (soft_targets(logits)[0], "that is T = 1: divide the logits by T first."),
        (soft_targets(logits * 2)[0], "you multiplied by T: a high temperature makes the answer softer, not sharper."),
        (soft_targets(logits, 2)[1], "that is the probability of the second class."),
        (soft_targets(logits)[0] / 2, "T divides the logits, before the softmax, not the probability."),
    ]
    return _compare(answer, soft_targets(logits, 2)[0], mistakes, "1 / (1 + exp(-d / T)), where d is the difference.")


def temperature_softmax(function):
    """Page 02: softmax(logits / T)."""
    p = soft_targets(TEACHER)
    powers = np.exp(TEACHER / 4)
    mistakes = [
        (soft_targets(TEACHER * 4), "you multiplied the logits by T: divide them."),
        (p, "the temperature has no effect yet."),
        (p / 4, "you divided after the softmax, so the rows no longer sum to 1: divide the logits."),
        (powers, "divide by the sum of the row, so that each row sums to 1."),
        (powers / powers.sum(), "each row has its own sum (axis=-1, keepdims=True)."),
    ]
    return _compare_call(function, (TEACHER, 4.0), soft_targets(TEACHER, 4), mistakes, "softmax of logits / T.")


def temperature_for_entropy(function):
    """Page 02: the temperature at which the soft targets of some logits have a wanted entropy."""
    logits, wanted = np.array([6.0, 2.0, 0.0, -1.0]), 1.0
    found, verdict = _value(function, logits, wanted)
    if verdict:
        return verdict
    if not np.isscalar(found) or not found > 0:
        return Verdict("Not yet: return one positive number, the temperature.")
    reached = entropy(soft_targets(logits, found))
    if abs(reached - wanted) < 0.02:
        return Verdict("Correct!")
    side = (
        "too sure: a higher temperature raises the entropy" if reached < wanted else "too soft: lower the temperature"
    )
    return Verdict(
        f"Not yet: at T = {found:.3g} the entropy is {reached:.3f} and {wanted} was wanted, so it is {side}."
    )


def gradient_by_hand(answer):
    """Page 03: the gradient of the soft loss for p = (.7, .2, .1), q = (.5, .3, .2) and T = 2."""
    p, q, t = np.array([0.7, 0.2, 0.1]), np.array([0.5, 0.3, 0.2]), 2
    mistakes = [
        (t * (p - q), "the signs are turned: where the student gives too little, the gradient is negative."),
        (q - p, "the factor T is missing: T² in front of the loss and 1/T from the logits leave one T."),
        ((q - p) / t, "you forgot the T² in front of the loss."),
        (t**2 * (q - p), "one T too many: dividing the logits by T brings a factor 1/T."),
    ]
    return _compare(answer, t * (q - p), mistakes, "three numbers, T (q - p) for each class.")


def _soft(teacher, student, t):
    return t**2 * kl_divergence(soft_targets(teacher, t), soft_targets(student, t))


def soft_loss(function):
    """Page 03: T^2 KL(p || q), one value per example."""
    t = 2.5
    right = _soft(TEACHER, STUDENT, t)
    p, q = soft_targets(TEACHER, t), soft_targets(STUDENT, t)
    mistakes = [
        (right / t**2, "the factor T² is missing."),
        (right / t, "the factor is T², not T."),
        (_soft(STUDENT, TEACHER, t), "teacher and student have changed places: the teacher's p stands in front."),
        (t**2 * kl_divergence(soft_targets(TEACHER), soft_targets(STUDENT)), "divide both logits by T."),
        (t**2 * kl_divergence(p, soft_targets(STUDENT)), "the student's logits are divided by T too."),
        (-right, "the sign is turned: log p - log q, not log q - log p."),
        (-(t**2) * (p * np.log(q)).sum(-1), "that is the cross-entropy: subtract the teacher's entropy for the KL."),
        (right.sum(), "keep one value per example: sum over the classes only (axis=-1)."),
        (right.mean(), "keep one value per example: the mean over the batch comes later."),
        (t**2 * (p * np.log(p / q)).mean(-1), "add over the classes; the mean is over examples, later."),
    ]
    return _compare_call(function, (TEACHER, STUDENT, t), right, mistakes, "T² times the sum of p (log p - log q).")


def total_loss(function):
    """Page 03: mean of alpha CE + (1 - alpha) T^2 KL."""
    t, alpha = 3.0, 0.2

    def hard(temperature=1):
        return -np.log(soft_targets(STUDENT, temperature)[np.arange(2), LABELS]).mean()

    soft = _soft(TEACHER, STUDENT, t).mean()
    mistakes = [
        ((1 - alpha) * hard() + alpha * soft, "here alpha is the weight of the hard labels, not of the soft targets."),
        (alpha * hard(t) + (1 - alpha) * soft, "the hard labels see the student at T = 1: no temperature there."),
        (alpha * hard() + (1 - alpha) * soft / t**2, "the factor T² of the soft loss is missing."),
        (hard() + soft, "weight the two losses with alpha and 1 - alpha."),
        (2 * (alpha * hard() + (1 - alpha) * soft), "take the mean over the examples, not the sum."),
    ]
    right = alpha * hard() + (1 - alpha) * soft
    return _compare_call(function, (LABELS, TEACHER, STUDENT, t, alpha), right, mistakes, "the mean of both losses.")


def trained_numbers(answer):
    """Page 04: how many numbers the optimizer changes when a 784-100-10 teacher teaches a 784-10-10 student."""
    student, teacher = 784 * 10 + 10 + 10 * 10 + 10, 784 * 100 + 100 + 100 * 10 + 10
    mistakes = [
        (teacher, "that is the teacher, which is not trained."),
        (student + teacher, "the teacher is part of the model, but it is not trained."),
        (784 * 10 + 10 * 10, "the biases are missing: one per unit."),
        (4, "that is the number of arrays; count the numbers in them."),
    ]
    return _compare(answer, student, mistakes, "add weights and biases of both layers of the student.")


def distillation_step(function):
    """Page 04: one training step function(student, teacher, optimizer, x, y) at T = 4, alpha = 0.1."""
    if _missing(function):
        return Verdict(NOT_ATTEMPTED)
    student, teacher, x, y = _small_models()
    from distill_edu.backend import keras

    start = [np.array(weight) for weight in student.get_weights()]
    taught = [np.array(weight) for weight in teacher.get_weights()]
    _, verdict = _call(function, student, teacher, keras.optimizers.SGD(1.0), x, y)
    if verdict:
        return verdict
    if any((a != b).any() for a, b in zip(taught, teacher.get_weights(), strict=True)):
        return Verdict("Not yet: the teacher changed. Take gradients for student.trainable_variables only.")
    moved = student.get_weights()[0] - start[0]
    if not moved.any():
        return Verdict(NOT_ATTEMPTED)
    if student.layers[0].calls != [True]:
        return Verdict("Not yet: call the student exactly once, with training=True.")
    if teacher.layers[0].calls != [False]:
        return Verdict("Not yet: call the teacher exactly once, with training=False.")
    return _judge_step(moved, start, taught, x, y)


def _small_models():
    """Two linear models that remember how they were called."""
    from distill_edu.backend import keras

    class Watch(keras.layers.Layer):
        calls = ()

        def call(self, inputs, training=None):
            self.calls = [*self.calls, bool(training)]
            return inputs

    def model(seed):
        kernel = keras.initializers.RandomNormal(stddev=1.0, seed=seed)
        built = keras.Sequential([keras.Input((4,)), Watch(), keras.layers.Dense(3, kernel_initializer=kernel)])
        built.layers[0].calls = []  # building the model called it, too
        return built

    generator = np.random.RandomState(0)
    return model(1), model(2), generator.randn(6, 4).astype("float32"), np.array([0, 1, 2, 0, 1, 2])


def _judge_step(moved, start, taught, x, y, t=4, alpha=0.1):
    """Compare the step with the one that T (q - p) and the labels ask for: the models are linear."""
    z_s, z_t = x @ start[0] + start[1], x @ taught[0] + taught[1]

    def step(alpha, t, power):
        soft = t ** (power - 1) * (soft_targets(z_s, t) - soft_targets(z_t, t))
        hard = soft_targets(z_s) - np.eye(3)[y]
        return -x.T @ (alpha * hard + (1 - alpha) * soft) / len(x)

    mistakes = [
        (step(1 - alpha, t, 2), "alpha is the weight of the hard labels: it seems to stand at the soft loss."),
        (step(alpha, t, 0), "the factor T² of the soft loss is missing."),
        (step(alpha, 1, 2), "the soft loss needs the temperature 4."),
        (step(0, t, 2), "the hard labels' loss is missing."),
        (step(1, t, 2), "the soft targets' loss is missing."),
        (-step(alpha, t, 2), "the step goes uphill: apply_gradients subtracts the gradient itself."),
        (step(alpha, t, 2) * len(x), "take the mean of the loss over the batch, not the sum."),
    ]
    return _compare(moved, step(alpha, t, 2), mistakes, "the step is not the one of 0.1 CE + 0.9 T² KL at T = 4.")


def shuffled_pairs(function):
    """Page 04: a shuffled tf.data pipeline function(x, y, logits) that keeps each example with its own logits."""
    x = np.arange(64, dtype="float32")[:, None]
    y, logits = np.arange(64) % 2, np.concatenate([x, -x], axis=1)
    data, verdict = _value(function, x, y, logits)
    if verdict:
        return verdict
    batches, verdict = _call(_batches, data)
    if verdict:
        return verdict
    if any(a.ndim != 2 for a, _, _ in batches):
        return Verdict("Not yet: the pipeline gives single examples; put them into batches with .batch(32).")
    got_x, got_y, got_logits = (np.concatenate(part) for part in zip(*batches, strict=True))
    if sorted(got_x[:, 0]) != sorted(x[:, 0]):
        return Verdict("Not yet: the pipeline should give every example once.")
    if (got_x == x).all():
        return Verdict("Not yet: the examples come in the old order; shuffle them.")
    if not (got_logits[:, :1] == got_x).all() or not (got_y == got_x[:, 0] % 2).all():
        return Verdict(
            "Not yet: examples and their labels or logits are mixed up. Put all three in first, then shuffle."
        )
    return Verdict("Correct!")


def _batches(data):
    return [(np.array(x), np.array(y["labels"]), np.array(y["teacher_logits"])) for x, y in data]


def standard_error_by_hand(answer):
    """Page 05: the standard error of the mean of the differences 1, 2, 3 and 6."""
    differences = np.array([1.0, 2.0, 3.0, 6.0])
    spread = differences.std(ddof=1)
    mistakes = [
        (differences.mean(), "that is the mean itself: its standard error is asked for."),
        (spread, "that is the standard deviation of one difference: divide it by the square root of their number."),
        (spread**2, "that is the variance of one difference."),
        (spread / 4, "divide by the square root of the number of pairs, not by the number."),
        (differences.std() / 2, "divide the sum of squares by n - 1, not by n: the mean was estimated, too."),
    ]
    return _compare(answer, spread / 2, mistakes, "standard deviation (with n - 1) over the square root of n.")


def mean_and_error(function):
    """Page 05: function(a, b) -> (mean, standard error) of the paired differences a - b."""
    a, b = np.array([0.90, 0.85, 0.95, 0.80, 0.86]), np.array([0.88, 0.84, 0.90, 0.81, 0.82])
    d, n = a - b, len(a)
    right = np.array([d.mean(), d.std(ddof=1) / np.sqrt(n)]) * 1000
    apart = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)
    mistakes = [
        (-right * [1, -1], "the sign is turned: a - b."),
        ([right[0], d.std(ddof=1) * 1000], "divide the standard deviation by the square root of n."),
        ([right[0], 1000 * d.std() / np.sqrt(n)], "use n - 1 inside of the standard deviation (ddof=1)."),
        ([right[0], 1000 * apart], "you treated the two lists as unpaired: subtract first, then take the deviation."),
    ]
    mine, verdict = _value(function, a, b)
    if verdict:
        return verdict
    return _compare(np.asarray(mine, dtype=float) * 1000, right, mistakes, "the mean of a - b, and its standard error.")


def gap(function):
    """Page 05: function(distilled, hard, teacher) -> share of the gap that distillation recovers."""
    arguments = (0.6, 0.5, 0.75)
    mistakes = [
        (0.1, "that is the gain itself: divide it by the gap between teacher and hard-label student."),
        (0.6, "that is the share that is still missing: 1 minus it is recovered."),
        (0.1 / 0.75, "divide by the gap (teacher - hard), not by the teacher's accuracy."),
        (2.5, "the fraction is upside down."),
    ]
    return _compare_call(function, arguments, 0.4, mistakes, "(distilled - hard) / (teacher - hard).")


def students_in_a_sweep(answer):
    """Page 06: 4 sizes, 5 temperatures, 3 alphas, 6 seeds."""
    mistakes = [
        (18, "every setting is combined with every other one: multiply, do not add."),
        (60, "each of the settings is trained once per seed."),
        (66, "the seeds are not added: each setting is trained once per seed."),
    ]
    return _compare(answer, 360, mistakes, "multiply the four numbers.")


def choose_honestly(function):
    """Page 06: function(valid, test) -> the test accuracy of the setting that validation chooses."""
    valid, test = [0.80, 0.91, 0.85, 0.70], [0.82, 0.86, 0.95, 0.60]
    mistakes = [
        (0.95, "that is the best on the test data: choosing there is cheating."),
        (0.91, "that is the chosen setting on validation data: return what it reaches on test data."),
        (1, "that is the number of the setting: return its test accuracy."),
    ]
    return _compare_call(function, (valid, test), 0.86, mistakes, "find the best of valid, return its entry of test.")


def best_temperature(function):
    """Page 06: function(table) -> {size: temperature with the best mean validation accuracy}."""
    import pandas

    rows = [
        (4, 1, 0.80, 0.5),
        (4, 1, 0.80, 0.5),
        (4, 2, 0.95, 0.9),
        (4, 2, 0.60, 0.9),
        (9, 1, 0.7, 0.99),
        (9, 2, 0.9, 0.1),
    ]
    mine, verdict = _value(
        function, pandas.DataFrame(rows, columns=["size", "temperature", "valid_accuracy", "test_accuracy"])
    )
    if verdict:
        return verdict
    hints = {
        (1, 2): None,
        (2, 2): "you took the luckiest student: take the mean over the seeds first.",
        (2, 1): "you looked at the test data: choose by valid_accuracy.",
    }
    if not isinstance(mine, dict) or set(mine) != {4, 9}:
        return Verdict("Not yet: return a dictionary with one temperature for each size.")
    hint = hints.get((mine[4], mine[9]), "the temperature whose students have the highest mean valid_accuracy.")
    return Verdict("Correct!" if hint is None else f"Not yet: {hint}")


def bytes_by_hand(answer):
    """Page 07: the bytes of the float32 weights of a Dense layer from 100 to 10 units."""
    mistakes = [
        (1010, "that is the number of weights, or their bytes in int8: a float32 has 32 bits."),
        (4000, "the biases are missing: one for each of the 10 units."),
        (32 * 1010, "that is the number of bits: 8 of them are a byte."),
        (2 * 1010, "two bytes each is float16."),
    ]
    return _compare(answer, 4040, mistakes, "(100 x 10 weights + 10 biases) times the bytes of one float32.")


def quantise(function):
    """Page 07: function(x, scale, zero) -> int8 numbers."""
    x, scale, zero = np.array([0.0, 0.26, -0.26, 1.0, 50.0, -50.0]), 0.1, 3
    steps = x / scale
    right = np.clip(np.round(steps) + zero, -128, 127)
    mistakes = [
        (np.round(steps) + zero, "numbers outside of -128 to 127 do not fit into an int8: clip them."),
        (
            (np.round(steps) + zero).astype(np.int64).astype(np.int8),
            "clip before you make int8: 500 would wrap around.",
        ),
        (np.clip(np.round(steps), -128, 127), "add the zero point."),
        (np.clip(np.trunc(steps) + zero, -128, 127), "round to the nearest step: astype alone cuts the rest off."),
        (np.clip(np.floor(steps) + zero, -128, 127), "round to the nearest step, not down."),
        (np.clip(np.round(x * scale) + zero, -128, 127), "divide by the scale: it is the size of one step."),
        (np.clip(np.round(steps) - zero, -128, 127), "add the zero point; it is subtracted on the way back."),
        (np.clip(steps + zero, -128, 127), "an int8 is a whole number: round."),
    ]
    return _compare_call(function, (x, scale, zero), right, mistakes, "round(x / scale) + zero, clipped.")


def best_within(function):
    """Page 07: function(table, kilobytes) -> index of the best row that fits, chosen on validation data."""
    import pandas

    rows = [(9000, 0.95, 0.95), (4000, 0.90, 0.85), (5000, 0.80, 0.93), (3000, 0.85, 0.86)]
    table = pandas.DataFrame(rows, columns=["bytes", "valid_accuracy", "test_accuracy"], index=[30, 31, 32, 33])
    mistakes = [
        (30, "that one does not fit: a kilobyte has 1000 bytes."),
        (32, "you chose by the test data: take valid_accuracy."),
        (33, "that is the smallest: take the most accurate of those that fit."),
        (0.90, "return its index in the table, not its accuracy (idxmax)."),
        (1, "return the table's index (idxmax), not the position."),
        (0, "return the table's index (idxmax), not the position."),
    ]
    return _compare_call(function, (table, 5), 31, mistakes, "the largest valid_accuracy among those that fit.")


def mean_latency_by_hand(answer):
    """Page 08: a student of 10 µs, a teacher of 90 µs that gets a quarter of the questions."""
    mistakes = [
        (30, "the student answers first, also where the teacher is asked afterwards."),
        (100, "that is a question that the teacher gets: three in four cost less."),
        (22.5, "the student's own time is missing."),
        (50, "the teacher gets a quarter of the questions, not half of them."),
    ]
    return _compare(answer, 32.5, mistakes, "the student's time, and a quarter of the teacher's.")


def margin(function):
    """Page 08: largest minus second largest probability of each row."""
    p = np.array([[0.5, 0.3, 0.2], [0.1, 0.15, 0.75], [0.4, 0.4, 0.2]])
    mistakes = [
        (p.max(axis=1), "that is the largest probability: subtract the second largest."),
        (p.max(axis=1) - p.min(axis=1), "subtract the second largest, not the smallest."),
        (p[:, 0] - p[:, 1], "the classes are in a fixed order: sort each row first."),
        (np.sort(p, axis=1)[:, -2] - p.max(axis=1), "the sign is turned: largest minus second."),
        (np.sort(p, axis=1)[:, -2], "that is the second largest: subtract it from the largest."),
    ]
    return _compare_call(
        function, (p,), [0.2, 0.6, 0.0], mistakes, "np.sort(p, axis=1), last column minus the one before."
    )


def threshold_for(function):
    """Page 08: function(confidence, share) -> a threshold below which `share` of the confidences lie."""
    confidence = np.array([0.99, 0.35, 0.9, 0.6, 0.97, 0.8, 0.45, 0.95, 0.7, 0.85])
    mine, verdict = _value(function, confidence, 0.3)
    if verdict:
        return verdict
    if not np.isscalar(mine):
        return Verdict("Not yet: return one number, the threshold.")
    asked = (confidence < mine).mean()
    if asked == 0.3:
        return Verdict("Correct!")
    if asked == 0.7:
        return Verdict("Not yet: the teacher gets the unsure ones: that is the lower end.")
    return Verdict(f"Not yet: at this threshold the teacher gets {asked:.1f} of the questions, and 0.3 was wanted.")


def bias_by_hand(answer):
    """Page 09: the smallest of 0.5, 1, 1.5 and 2 that lifts a logit of 2.0 above one of 3.2."""
    mistakes = [
        (1.2, "with that the two logits are equal: which of the four numbers is just above it?"),
        (1, "2.0 + 1 is still less than 3.2."),
        (0.5, "2.0 + 0.5 is still less than 3.2."),
        (2, "that lifts it, but a smaller one of the four does, too."),
    ]
    return _compare(answer, 1.5, mistakes, "the sum with 2.0 must be larger than 3.2.")


def with_bias(function):
    """Page 09: function(logits, digit, bias) -> logits with the bias added to one column."""
    given = TEACHER.copy()
    right = TEACHER + [0, 1.5, 0]
    mistakes = [
        (TEACHER + 1.5, "you added it to every class, which changes no answer: add it to one column."),
        (TEACHER + [[0], [1.5]], "you added it to one example (a row): the classes are the columns."),
        (TEACHER * [1, 1.5, 1], "add the bias, do not multiply."),
        (TEACHER, "nothing has changed: add the bias to the column of the digit."),
    ]
    verdict = _compare_call(function, (given, 1, 1.5), right, mistakes, "add the bias to the column of the digit.")
    if verdict == "Correct!" and (given != TEACHER).any():
        return Verdict("Not yet: the array that you were given has changed, too: work on a copy.")
    return verdict


def best_bias(function):
    """Page 09: function(logits, labels, digit, biases) -> the bias with the highest accuracy over all classes."""
    logits = np.array([[2.0, 0], [1.5, 0], [1.2, 0], [1.0, 0], [0.5, 0], [0.2, 0], [-1.0, 0]])
    labels, biases = np.array([0, 1, 0, 0, 1, 1, 1]), np.array([-2.0, 0.0, 0.7, 1.7, 3.0])
    mistakes = [
        (1.7, "that is the best for the digit alone: the other digits count, too."),
        (2, "that is the position: return the bias itself."),
        (6 / 7, "that is the accuracy: return the bias that reaches it."),
    ]
    return _compare_call(function, (logits, labels, 1, biases), 0.7, mistakes, "try each bias and keep the best.")


def pairs_by_hand(answer):
    """Page 10: pairs of neighbours in " oslo "."""
    mistakes = [
        (4, "that is the number of letters: count the pairs."),
        (3, "the spaces count, too: one pair at each end."),
        (6, "that is the number of characters with the spaces: n characters have n - 1 pairs of neighbours."),
        (15, "only neighbours count, not any two letters."),
    ]
    return _compare(answer, 5, mistakes, "write the word with its two spaces and count the places between.")


def bigrams(function):
    """Page 10: function(word) -> list of pairs of neighbours, in lower case, with spaces at both ends."""
    mine, verdict = _value(function, "Oslo")
    if verdict:
        return verdict
    hints = {
        (" o", "os", "sl", "lo", "o "): None,
        ("os", "sl", "lo"): "the spaces at both ends are missing.",
        (" O", "Os", "sl", "lo", "o "): "use lower case.",
        (" o", "os", "sl", "lo"): "the last pair is missing: the letter and the space after it.",
        ("os", "sl", "lo", "o "): "the first pair is missing: the space and the letter after it.",
        (" o", "sl", "o "): "the pairs overlap: go on by one letter each time.",
        (" ", "o", "s", "l", "o", " "): "those are single letters: take two at a time.",
    }
    if not isinstance(mine, list):
        return Verdict("Not yet: return a list of pairs, each a text of two letters.")
    hint = hints.get(tuple(mine), 'the first pair of "Oslo" is " o".')
    return Verdict("Correct!" if hint is None else f"Not yet: {hint}")


def best_possible(function):
    """Page 10: function(words, labels) -> the highest accuracy of a model that gives one answer per distinct word."""
    words, labels = ["a", "b", "a", "c", "a", "b", "a", "d"], [0, 1, 0, 2, 1, 2, 2, 0]
    mistakes = [
        (4 / 8, "that counts distinct words: a word that stands twice with one label is right twice."),
        (1.0, "the same word stands under several labels, and a model gives it one answer."),
        (2 / 8, "you counted only words without any doubt: the others are right for their most frequent label."),
        (5, "divide by the number of words."),
        (3 / 8, "that is the share of the most frequent label: count it for each word."),
    ]
    return _compare_call(
        function, (words, labels), 5 / 8, mistakes, "add the count of each word's most frequent label."
    )


def attention_by_hand(answer):
    """Page 11: the first entry of the attention map of two places with the channels (1, 1, 1) and (2, 0, 0)."""
    mistakes = [
        (3, "that is the sum of squares: now divide by the length of the whole map."),
        (3 / 7, "you divided by the sum: the map's length is the root of the sum of its squares."),
        (0.8, "that is the second place."),
        (3 / np.sqrt(13), "you added the channels themselves: square them first."),
        (9 / 25, "take the root of the length's square before you divide."),
    ]
    return _compare(answer, 0.6, mistakes, "sum the squares at each place, then make the length of the map 1.")


def relative_distances(function):
    """Page 11: function(rows) -> distances of all pairs, divided by their mean over pairs of different examples."""
    rows = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    d = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
    mean = d.sum() / 12
    mistakes = [
        (d, "divide by the mean distance."),
        (d / d.mean(), "an example's distance from itself must not count in the mean: there are n (n - 1) pairs."),
        (d**2 / (d**2).sum() * 12, "take the root: distances, not their squares."),
        (d / d.max(), "divide by the mean, not by the largest."),
        (d[0] / mean, "that is the first row: every example with every other is wanted, [n, n]."),
        (np.abs(rows[:, None] - rows[None]).sum(-1) / mean, "Euclidean distances: square, add, take the root."),
    ]
    return _compare_call(function, (rows,), d / mean, mistakes, "distances [n, n], divided by their mean.")


def projector_parameters(function):
    """Page 11: function(student_width, teacher_width) -> the parameters of the projector that a Hint needs."""
    mistakes = [
        (8 * 32, "a Dense layer has biases, too: one for each of its outputs."),
        (8 * 32 + 8, "there is one bias for each output, and the outputs are as many as the teacher's channels."),
        (7 * 7 * (8 * 32 + 32), "the same projector serves every place of the image."),
    ]
    verdict = _compare_call(function, (8, 32), 8 * 32 + 32, mistakes, "count the weights and the biases of Dense.")
    if verdict != "Correct!":
        return verdict
    return _compare_call(function, (5, 5), 0, [], "right where the widths differ. Where they do not, is there one?")


def agreement_by_hand(answer):
    """Page 12: how often the classes (3, 3, 5, 1, 0) and (3, 5, 5, 1, 2) agree."""
    mistakes = [
        (0.8, "that is the accuracy of one of them: the labels do not matter here."),
        (3, "a share is wanted: divide by the number of images."),
        (0.4, "that is how often they differ."),
    ]
    return _compare(answer, 0.6, mistakes, "count the places at which both lists have the same class.")


def ensemble_logits(function):
    """Page 12: function(logits [members, n, classes]) -> the logarithm of the members' mean probabilities."""
    logits = np.stack([TEACHER, STUDENT, STUDENT[::-1]])
    p = soft_targets(logits)
    mistakes = [
        (p.mean(axis=0), "those are probabilities: a teacher gives logits, so take the logarithm."),
        (logits.mean(axis=0), "that is the mean of the logits: average the probabilities."),
        (np.log(p).mean(axis=0), "first the mean, then the logarithm."),
        (np.log(p.sum(axis=0)), "divide by the number of members: the probabilities must sum to 1."),
        (np.log(p.mean(axis=1)), "the mean goes over the members (axis=0)."),
        (np.log(p.mean(axis=-1)), "the mean goes over the members (axis=0)."),
    ]
    right = np.log(p.mean(axis=0))
    return _compare_call(function, (logits,), right, mistakes, "softmax of each, their mean, its logarithm.")


def verdict(function):
    """Page 12: function(low, high) -> "it helps", "it hurts" or "no verdict", from a gain's confidence interval."""
    hints = {
        (0.01, 0.05): ("it helps", "the whole interval is above 0."),
        (-0.05, -0.01): ("it hurts", "the whole interval is below 0."),
        (-0.01, 0.05): (
            "no verdict",
            "0 is in the interval, so the gain may be nothing, though its middle is above 0.",
        ),
        (-0.05, 0.01): (
            "no verdict",
            "0 is in the interval, so the loss may be nothing, though its middle is below 0.",
        ),
    }
    for (low, high), (right, hint) in hints.items():
        mine, problem = _value(function, low, high)
        if problem:
            return problem
        if mine != right:
            return Verdict(f"Not yet: for {low:g} to {high:g} you say {mine!r}, but {hint}")
    return Verdict("Correct!")
