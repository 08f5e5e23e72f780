"""Which labels there are, and which are unknown: what is unknown counts in no loss and in no metric."""

import keras
import numpy as np
import pytest
import small
from keras import metrics
from small import CLASSES, FEATURES, LIGHT, X, Y, distiller, hard_values, logits, model, same, soft_values, weights

from distill_edu import Classroom
from distill_edu.losses import SOFT_LOSSES, distillation_loss, soft_loss

pytestmark = pytest.mark.nightly

R = np.random.RandomState(5)
NAN, WEIGHT = np.nan, R.uniform(0, 2, 33)
KNOWN = R.rand(33, CLASSES) > 0.3
KNOWN[11:22] = False  # of three batches of 11 the second has no label at all
KNOWN[3] = False  # and here is an example without one
ANSWERS = (R.rand(33, CLASSES) < 0.4).astype("float32")
NUMBERS = R.randn(33, CLASSES).astype("float32")


HALF = {"temperature": 2.0, "alpha": 0.5}


def reported(*given, **how):
    return small.reported(*given, batch_size=11, **how)


def share(of, where, axis=None):
    """The mean of what is there; 0 where nothing is."""
    return (of * where).sum(axis) / np.maximum(where.sum(axis), 1)


# name -> (task, labels, metric, its right value from labels y, logits s, what is known k)
METRICS = {
    "accuracy": ("sigmoid", ANSWERS, lambda: "accuracy", lambda y, s, k: ((s > 0) == y)[k].mean()),  # of logits
    "Precision": ("sigmoid", ANSWERS, lambda: metrics.Precision(0), lambda y, s, k: share(y == 1, k & (s > 0))),
    "AUC": ("sigmoid", ANSWERS, lambda: metrics.AUC(2000, from_logits=True), lambda y, s, k: area(y[k], s[k])),
    "MeanAbsoluteError": ("mean_square", NUMBERS, metrics.MeanAbsoluteError, lambda y, s, k: abs(y - s)[k].mean()),
    "mse": ("mean_square", NUMBERS, lambda: "mse", lambda y, s, k: ((y - s) ** 2)[k].mean()),
}  # fmt: skip
UNKNOWN = {"sigmoid": -1, "mean_square": NAN}


def area(labels, scores):
    """The share of pairs of a yes and a no in which the yes has the higher score; an equal score is half of one."""
    difference = scores[labels == 1][:, None] - scores[labels == 0][None]
    return ((difference > 0) + 0.5 * (difference == 0)).mean()


@pytest.mark.parametrize("way", ["evaluate", "fit"])
@pytest.mark.parametrize("name", METRICS)
def test_a_metric_counts_no_unknown_output(name, way):
    task, labels, metric, right = METRICS[name]
    y, s = np.where(KNOWN, labels, UNKNOWN[task]), logits(model())
    one = distiller(soft_loss=task, metrics=[metric()], **HALF)
    got = reported(one, X, y, way)
    (value,) = (value for name, value in got.items() if not name.endswith("loss"))
    assert value == pytest.approx(right(labels, s, KNOWN), rel=2e-3 if name == "AUC" else 1e-4)
    assert np.isfinite(list(got.values())).all()


@pytest.mark.parametrize("task, labels", [("sigmoid", ANSWERS), ("mean_square", NUMBERS)])
def test_a_weighted_metric_weighs_the_known_outputs_by_their_example(task, labels):
    y, s = np.where(KNOWN, labels, UNKNOWN[task]), logits(model())
    plain, weighted = metrics.MeanAbsoluteError("plain"), metrics.MeanAbsoluteError("weighted")
    one = distiller(soft_loss=task, metrics=[plain], weighted_metrics=[weighted], **HALF)
    off, w = abs(labels - s)[KNOWN], np.broadcast_to(WEIGHT[:, None], KNOWN.shape)[KNOWN]
    for way in ("evaluate", "fit"):
        got = reported(one, X, y, way, sample_weight=WEIGHT)
        assert got["plain"] == pytest.approx(off.mean(), rel=1e-4)
        assert got["weighted"] == pytest.approx((w * off).sum() / w.sum(), rel=1e-4)


def test_a_metric_in_a_traced_graph_and_in_a_classroom():
    y, s = np.where(KNOWN, NUMBERS, NAN), logits(model())
    right = pytest.approx(abs(NUMBERS - s)[KNOWN].mean(), rel=1e-4)
    metric = metrics.MeanAbsoluteError("off")
    one = distiller(soft_loss="mean_square", metrics=[metric], run_eagerly=False)
    assert reported(one, X, y, "fit")["off"] == right
    together = Classroom(students=[model(3), model()], teacher=model(9, 16))
    together.compile(keras.optimizers.SGD(0.0), soft_loss="mean_square", metrics=[metric])
    assert reported(together, X, y)["off"][1] == right


@pytest.mark.parametrize("task, labels", [("sigmoid", ANSWERS), ("mean_square", NUMBERS)])
def test_no_known_output_at_all_gives_losses_and_no_metric(task, labels):
    one = distiller(soft_loss=task, metrics=[metrics.MeanAbsoluteError("off")], **HALF)
    got = reported(one, X, np.full(labels.shape, UNKNOWN[task]))
    assert got["student_loss"] == 0 and np.isfinite(list(got.values())).all()
    assert got.get("off", 0) == 0


# --- sequences, with padding ----------------------------------------------------------------------------------------


def sequences(seed, outputs=CLASSES):
    """As many places as classes: [batch, 4] are labels of four places, not one-hot rows."""
    keras.utils.set_random_seed(seed)
    keep = keras.layers.Masking()
    return keras.Sequential([keras.Input((CLASSES, FEATURES)), keep, keras.layers.Dense(outputs)])


LENGTHS = np.arange(CLASSES) < np.arange(9)[:, None] % CLASSES + 1
OURS = LENGTHS & (np.arange(CLASSES) < 3)  # takes the place of Keras's mask
MASKS = {"no padding": LENGTHS | True, "Keras's mask": LENGTHS, "a mask of one's own": OURS}  # True: counts
SERIES, WEIGHTS = R.randn(9, CLASSES, FEATURES).astype("float32"), R.uniform(0, 2, (9, CLASSES))
PLACES = R.randint(-1, CLASSES, (9, CLASSES))
CASES = [(by, task, form) for by in MASKS for task, form in [("kl", "integers"), ("sigmoid", ""), ("mean_square", "")]]
CASES += [("Keras's mask", "kl", form) for form in ("a column", "one-hot rows", "a weight for each example")]


def of_places(task, y, z, s, known):
    """(labels' loss, soft loss at T = 2, metric) of each place, and which places have a label."""
    if task == "kl":
        hard = hard_values(np.maximum(y, 0).ravel(), s.reshape(-1, CLASSES)).reshape(y.shape)
        return hard, soft_values(z, s, 2.0), s.argmax(-1) == y, y >= 0
    if task == "mean_square":
        off = (y - s) ** 2
        return share(off, known, -1), ((z - s) ** 2).mean(-1), abs(y - s), known.any(-1)
    p, q = (1 / (1 + np.exp(-each / 2)) for each in (z, s))
    soft = 4 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum(-1)
    return (np.logaddexp(0, np.where(y == 1, -s, s)) * known).sum(-1), soft, abs(y - s), known.any(-1)


def given(by, y, z):
    """`y` as it is given with this mask; whatever stands at padding is poison."""
    z = np.where(MASKS[by][..., None], z, NAN).astype("float32")
    return {"labels": y, "mask": MASKS[by], "teacher_logits": z} if by == "a mask of one's own" else y


@pytest.mark.parametrize("by, task, form", CASES)
def test_padding_and_what_is_unknown_count_in_no_loss_and_no_metric(by, task, form):
    there, w = MASKS[by], WEIGHTS[:, :1] if form == "a weight for each example" else WEIGHTS
    x, student, teacher = SERIES * (LENGTHS | (by == "no padding"))[..., None], sequences(2), sequences(1)
    answers = {"kl": PLACES, "sigmoid": R.rand(9, CLASSES, CLASSES) < 0.5, "mean_square": R.randn(9, CLASSES, CLASSES)}
    known = R.rand(9, CLASSES, CLASSES) > 0.5
    z, s, labels = logits(teacher, x), logits(student, x), answers[task]
    hard, soft, metric, labelled = of_places(task, labels, z, s, known)
    labelled &= there
    of_metric = labelled if task == "kl" else known & there[..., None]
    y = labels if task == "kl" else np.where(known, labels, UNKNOWN[task]).astype("float32")
    y = np.eye(CLASSES)[y] * (y >= 0)[..., None] if form == "one-hot rows" else y
    y = np.where(there if y.ndim == 2 else there[..., None], y, 99)  # no class, and neither yes nor no
    column, name = form == "a column", "accuracy" if task == "kl" else "mae"
    one = distiller(student, teacher, soft_loss=task, metrics=[name], **HALF)
    y, weight = given(by, y[..., None] if column else y, z), w[..., None] if column else w.squeeze()
    for way in ("evaluate", "fit"):
        got = small.reported(one, x, y, way, sample_weight=weight)
        assert got["student_loss"] == pytest.approx((w * hard)[labelled].sum() / labelled.sum(), rel=1e-4), way
        assert got["distillation_loss"] == pytest.approx((w * soft)[there].mean(), rel=1e-4), way
        assert got[name] == pytest.approx(metric[of_metric].mean(), rel=1e-4), way


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["", "weighted"])
def test_with_padding_alpha_1_is_plain_training_step_for_step(weight):
    x, y = SERIES * LENGTHS[..., None], np.maximum(PLACES, 0)
    plain, one = sequences(2), distiller(sequences(2), sequences(1), alpha=1, metrics=["accuracy"])
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    plain.compile(keras.optimizers.SGD(0.1), cross_entropy, metrics=["accuracy"], run_eagerly=True)
    expected, got = (each.fit(x, y, batch_size=4, sample_weight=weight, **LIGHT).history for each in (plain, one))
    assert {name: got[name] for name in expected} == {k: pytest.approx(v, rel=1e-4) for k, v in expected.items()}
    assert same(weights(plain), weights(one.student), atol=1e-5)
    assert not same(weights(plain), weights(sequences(2)))


def test_poison_at_padding_moves_nothing():
    by, z = "a mask of one's own", logits(sequences(1), SERIES)
    there = MASKS[by]
    poisoned, moved = given(by, np.where(there, PLACES, 99), z), []
    for y in (poisoned, {"labels": np.where(there, PLACES, -1), "mask": there, "teacher_logits": z}):
        one = distiller(sequences(2), taught=False)
        one.fit(SERIES, y, **LIGHT)
        moved.append(weights(one.student))
    assert same(*moved, atol=0) and not same(moved[0], weights(sequences(2)))


COLUMNS = {
    "AUC of each label": ("sigmoid", ANSWERS, lambda: metrics.AUC(multi_label=True, from_logits=True)),
    "F1 of each label": ("sigmoid", ANSWERS, lambda: metrics.F1Score(threshold=0.5)),
    "precision of one label": ("sigmoid", ANSWERS, lambda: metrics.Precision(0, class_id=2)),
    "R2 of each number": ("mean_square", NUMBERS, lambda: metrics.R2Score(class_aggregation=None)),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_a_metric_that_needs_whole_rows_has_them_where_all_is_known(name):
    task, labels, make = COLUMNS[name]
    alone = make()
    alone.update_state(labels, logits(model()).astype("float32"))
    got = reported(distiller(soft_loss=task, metrics=[make()]), X, labels)
    (value,) = (value for name, value in got.items() if not name.endswith("loss"))
    assert np.allclose(value, alone.result(), rtol=1e-4)


# --- a student with other classes than its teacher ------------------------------------------------------------------


@pytest.fixture(params=[6, 3])
def incremental(request):
    """(number of the student's classes, a soft loss that compares the classes of both)."""
    both = min(request.param, CLASSES)

    @soft_loss("old_classes")
    def old_classes(batch, student_logits, temperature):
        return distillation_loss(batch.teacher_logits[..., :both], student_logits[..., :both], temperature)

    yield request.param, both
    del SOFT_LOSSES["old_classes"]


@pytest.mark.parametrize("form", ["integers", "a column", "one-hot rows"])
def test_labels_are_classes_of_the_student(incremental, form):
    n, both = incremental
    teacher, student, y = model(9, 16), model(classes=n), np.arange(33) % (n + 1) - 1  # -1 is no label
    labels = {"integers": y, "a column": y[:, None], "one-hot rows": np.eye(n + 1)[y][:, :n]}[form]
    z, s, known = logits(teacher), logits(student), y >= 0
    soft = soft_values(z[:, :both], s[:, :both], 2.0).mean()
    hard, right = hard_values(np.maximum(y, 0), s)[known].mean(), (s.argmax(1) == y)[known].mean()
    one = distiller(student, teacher, soft_loss="old_classes", metrics=["accuracy"], **HALF)
    cached = {"labels": labels, "teacher_logits": z.astype("float32")}
    for got in (reported(one, X, labels), reported(one, X, labels, "fit"), reported(one, X, cached)):
        assert got["distillation_loss"] == pytest.approx(soft, rel=1e-4)
        assert got["student_loss"] == pytest.approx(hard, rel=1e-4)
        assert got["accuracy"] == pytest.approx(right, rel=1e-4)


def test_a_classroom_takes_labels_of_its_students_classes(incremental):
    n, _ = incremental
    students, y = [model(3, classes=n), model(classes=n)], np.arange(33) % n
    together = Classroom(students=students, teacher=model(9, 16))
    together.compile(keras.optimizers.SGD(0.0), soft_loss="old_classes", metrics=["accuracy"])
    got = reported(together, X, y)
    assert got["student_loss"] == pytest.approx([hard_values(y, logits(one)).mean() for one in students], rel=1e-4)
    assert got["accuracy"] == pytest.approx([(logits(one).argmax(1) == y).mean() for one in students], rel=1e-4)


def test_what_is_no_class_of_the_student_is_refused(incremental):
    n, _ = incremental
    one = distiller(model(classes=n), soft_loss="old_classes", **HALF)
    before = weights(one.student)
    of_the_teacher = np.eye(CLASSES)[Y]
    for y, words in (
        (np.full(33, n), "label.* classes"),
        (np.full(33, -2), "label.* classes"),
        (of_the_teacher, str(n)),
    ):
        with pytest.raises(ValueError, match=words):
            one.fit(X, y, **LIGHT)
    assert all(np.array_equal(a, b) for a, b in zip(before, weights(one.student), strict=True))


# --- what labels and metrics look like ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["uint8", "int8", "int64", "uint64", "float16", "bool"])
def test_a_label_is_judged_before_any_cast(kind):
    """200 classes are more than int8 can count."""
    classes = 2 if kind == "bool" else 200
    one = distiller(model(classes=classes), model(9, classes=classes), run_eagerly=True)
    y = (np.arange(33) % (2 if kind == "bool" else 100)).astype(kind)
    assert reported(one, X, y)["student_loss"] == pytest.approx(hard_values(y.astype(int), logits(one.student)).mean())


@pytest.mark.parametrize("wrong", [NAN, 0.7, 2.0**32 + 3, 2**32 + 3, 2**64 - 1, -(2**63), -(2**32) - 1], ids=str)
def test_what_no_cast_may_turn_into_a_class_is_refused(wrong):
    y = Y.astype("float64" if isinstance(wrong, float) else "uint64" if wrong > 0 else "int64")
    y[3] = wrong
    with pytest.raises(ValueError, match="A label is not one of the classes"):
        distiller(teacher=model(9)).fit(X, y, verbose=0)


def test_labels_that_a_mask_hides_are_not_judged():
    """With BatchNormalization, whose statistics make a Distiller judge labels early."""
    mask = np.arange(33) % 3 > 0
    one = distiller(model(norm=True), model(9))
    got = one.evaluate(X, {"labels": np.where(mask, Y, -100), "mask": mask}, verbose=0, return_dict=True)
    assert got["student_loss"] == pytest.approx(hard_values(Y, logits(one.student))[mask].mean(), rel=1e-4)
    one.fit(X, {"labels": np.where(mask, Y, -100), "mask": mask}, verbose=0)


def test_a_wrong_label_gets_our_sentence_where_a_metric_meets_it_first():
    metric = metrics.SparseCategoricalCrossentropy(from_logits=True)
    with pytest.raises(ValueError, match="A label is not one of the classes"):
        distiller(small.subclassed(), model(9), metrics=[metric]).fit(X, np.full(33, 7), verbose=0)


class Accuracy(metrics.Mean):
    """Keras has another metric of this name, which judges every output alone."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        right = keras.ops.cast(y_pred > 0, "float32") == y_true
        super().update_state(keras.ops.all(right, axis=-1), sample_weight)


def brier(y_true, y_pred):
    return keras.ops.mean((y_true - y_pred) ** 2, axis=-1)


def test_metrics_of_ones_own_see_whole_examples_and_keep_their_names():
    own = [Accuracy("exact"), brier, keras.losses.MeanSquaredError(name="loss_object"), lambda y, z: y[..., 0]]
    one = distiller(teacher=model(9), soft_loss="sigmoid", metrics=own)
    got, s = reported(one, X, ANSWERS), logits(one.student)
    assert got["exact"] == pytest.approx(((s > 0) == ANSWERS).all(axis=1).mean())
    assert got["brier"] == pytest.approx(((s - ANSWERS) ** 2).mean(), rel=1e-4) == got["loss_object"]
    assert got["lambda"] == pytest.approx(ANSWERS[:, 0].mean(), rel=1e-4)


# --- class weights --------------------------------------------------------------------------------------------------


class Hidden(keras.Model):
    """The model, whose outputs Keras does not know."""

    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    def call(self, x):
        return self.inside(x)


PER_CLASS = {0: 5.0, 1: 1.0, 2: 0.5}  # 3 counts once
OF_PLACES = np.where(np.arange(9)[:, None] % 3 == 0, -1, PLACES)  # every third sequence has no label at all
FORMS = {
    "integers": lambda y: y,
    "a column": lambda y: y[..., None],
    "floats": lambda y: y.astype("float64"),
    "one-hot rows": lambda y: np.eye(CLASSES)[y] * (y >= 0)[..., None],
    "rows of -1": lambda y: np.where((y < 0)[..., None], -1, np.eye(CLASSES)[y]),
}


@pytest.mark.parametrize("known_shape", [True, False])
@pytest.mark.parametrize("in_dictionary", [True, False])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("places", [True, False])
def test_a_class_weight_is_that_of_the_label_of_each_example_or_place(places, form, in_dictionary, known_shape):
    """Also one that Keras would read as the class with the largest label; and 1 without a label."""
    x, y = (SERIES, OF_PLACES) if places else (X, np.where(np.arange(33) % 3 == 0, -1, Y))
    student = sequences(2) if places else model()
    student = student if known_shape else Hidden(student)
    s, w = logits(student, x), np.vectorize({-1: 1.0, 3: 1.0, **PER_CLASS}.get)(y)
    hard = hard_values(np.maximum(y, 0).ravel(), s.reshape(-1, CLASSES)).reshape(y.shape)
    teacher, labels = sequences(1) if places else model(9), FORMS[form](y)
    one = distiller(student, teacher, keras.optimizers.SGD(0.0), **HALF)
    given = {"labels": labels} if in_dictionary else labels
    got = one.fit(x, given, class_weight=PER_CLASS, sample_weight=2 * np.ones(len(x)), batch_size=33, **LIGHT).history
    assert got["student_loss"] == [pytest.approx((2 * w * hard)[y >= 0].mean(), rel=1e-4)]
    assert got["distillation_loss"] == [
        pytest.approx((2 * w * soft_values(logits(teacher, x), s, 2.0)).mean(), rel=1e-4)
    ]


def test_labels_of_as_many_places_as_classes_are_no_one_hot_rows_where_keras_does_not_know_the_outputs():
    """Their sums are 0 and 1, and the student is a class of the reader's."""
    y, per_class = np.array([[0, 0, 1, 0], [0, 1, 0, 0]]), {0: 5.0, 1: 0.5}
    for called in (True, False):
        student = Hidden(sequences(0))
        student.set_weights([0 * weight for weight in student.get_weights()])
        student(SERIES[:1]) if called else None
        one = distiller(student, taught=False, soft_loss=None, alpha=1)
        history = one.fit(np.ones((2, CLASSES, FEATURES)), y, class_weight=per_class, **LIGHT).history
        assert history["student_loss"] == [pytest.approx((6 * 5 + 2 * 0.5) / 8 * np.log(4), rel=1e-4)]


def test_class_weights_are_for_training_as_in_keras():
    """Keras weighs no class of the examples that it splits off for validation."""
    y, plain = np.where(np.arange(33) % 3 == 0, 0, Y), model()
    split = {"class_weight": PER_CLASS, "validation_split": 0.3, "batch_size": 33, **LIGHT}
    plain.compile(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    expected = plain.fit(X, y, **split).history
    got = (
        distiller(taught=False, soft_loss=None, alpha=1, optimizer=keras.optimizers.SGD(0.0)).fit(X, y, **split).history
    )
    assert [got["loss"], got["val_loss"]] == [pytest.approx(expected[name]) for name in ("loss", "val_loss")]


@pytest.mark.parametrize("task", ["sigmoid", "mean_square"])
def test_an_unknown_output_reaches_no_loss_of_ones_own(task):
    """A loss of one's own counts where all outputs are known, and NaN gets into no weight."""
    unknown, labels = np.arange(33) % 3 == 0, {"sigmoid": ANSWERS, "mean_square": NUMBERS}[task].copy()
    labels[unknown, 0] = -1 if task == "sigmoid" else np.nan
    square = keras.losses.MeanSquaredError()
    one = distiller(teacher=model(9), soft_loss=task, student_loss=square, alpha=0.5)
    known = (
        ~np.logical_or(labels == -1, np.isnan(labels)).any(axis=1)
        if task == "sigmoid"
        else ~np.isnan(labels).any(axis=1)
    )
    right = ((labels - logits(one.student))[known] ** 2).mean()
    assert reported(one, X, labels)["student_loss"] == pytest.approx(right, rel=1e-4)
    one.fit(X, labels, **LIGHT)
    assert np.isfinite(logits(one.student)).all()


@pytest.mark.parametrize("task, labels", [("sigmoid", ANSWERS), ("mean_square", NUMBERS)])
def test_a_class_weight_needs_classes(task, labels):
    with pytest.raises(ValueError, match="every output has a label of its own: give sample_weight"):
        distiller(teacher=model(9), soft_loss=task).fit(X, labels, class_weight=PER_CLASS, verbose=0)
    hidden = distiller(Hidden(model(classes=1)), model(9, classes=1), soft_loss="sigmoid", alpha=1)
    hidden.fit(X, Y[:, None] % 2, class_weight={1: 3.0}, **LIGHT)
    with pytest.raises(ValueError, match="A class in class_weight must be a whole number of at least 0, not '0'"):
        distiller(teacher=model(9)).fit(X, Y, class_weight={"0": 2.0}, verbose=0)
    one = distiller(model(classes=1), model(9, classes=1), soft_loss="sigmoid", alpha=1)
    yes, s = Y % 2, logits(one.student)[:, 0]
    hard = np.logaddexp(0, np.where(yes == 1, -s, s))
    got = one.fit(X, yes[:, None], class_weight={1: 3.0}, batch_size=33, **LIGHT).history["student_loss"]
    assert got == [pytest.approx((hard * (1 + 2 * yes)).mean(), rel=1e-4)]


@pytest.mark.parametrize("kind", [str, complex, object], ids=["texts", "complex", "objects"])
@pytest.mark.parametrize("in_dictionary", [True, False])
def test_labels_are_numbers(kind, in_dictionary):
    y = Y.astype(str).astype(object) if kind is object else Y.astype(kind)
    with pytest.raises(ValueError, match="Labels are numbers, not|turn them into numbers first"):
        distiller(teacher=model(9)).evaluate(X, {"labels": y} if in_dictionary else y, verbose=0)


@pytest.mark.parametrize("task, labels", [("yes_no", ANSWERS), ("numbers", NUMBERS)])
def test_without_a_soft_loss_the_labels_are_what_the_students_loss_says(task, labels):
    def square(y, z):
        return keras.ops.mean((y - z) ** 2, axis=-1)

    square.task = task
    one = distiller(teacher=model(9), soft_loss=None, student_loss=square, alpha=1)
    right = ((labels - logits(one.student)) ** 2).mean()
    assert reported(one, X, labels)["loss"] == pytest.approx(right, rel=1e-4)
