"""Which labels there are, and which are unknown: what is unknown counts in no loss and in no metric."""

import keras
import numpy as np
import pytest
from keras import metrics
from small import CLASSES, FEATURES, LIGHT, X, Y, hard_values, logits, model, soft_values, weights

from distill_edu import Classroom, Distiller
from distill_edu.losses import SOFT_LOSSES, distillation_loss, soft_loss

pytestmark = pytest.mark.slow

R = np.random.RandomState(5)
NAN, WEIGHT = np.nan, R.uniform(0, 2, 33)
KNOWN = R.rand(33, CLASSES) > 0.3
KNOWN[11:22] = False  # of three batches of 11 the second has no label at all
KNOWN[3] = False  # and here is an example without one
ANSWERS = (R.rand(33, CLASSES) < 0.4).astype("float32")
NUMBERS = R.randn(33, CLASSES).astype("float32")


def distiller(student=None, teacher=None, **how):
    one = Distiller(student=student or model(), teacher=teacher or model(9, 16))
    one.compile(keras.optimizers.SGD(0.0), **{"alpha": 0.5, "temperature": 2.0, "run_eagerly": True, **how})
    return one


def reported(one, x, y, way="evaluate", **given):
    """What an epoch of batches of 11 reports; in `fit` nothing is learned."""
    if way == "evaluate":
        return one.evaluate(x, y, batch_size=11, verbose=0, return_dict=True, **given)
    return {name: values[0] for name, values in one.fit(x, y, batch_size=11, **LIGHT, **given).history.items()}


def share(of, where):
    return of[where].sum() / where.sum()


# name -> (task, labels, metric, its right value from labels y, logits s, what is known k)
METRICS = {
    "BinaryAccuracy": (
        "sigmoid", ANSWERS, lambda: metrics.BinaryAccuracy(threshold=0), lambda y, s, k: ((s > 0) == y)[k].mean(),
    ),
    "Precision": ("sigmoid", ANSWERS, lambda: metrics.Precision(0), lambda y, s, k: share(y == 1, k & (s > 0))),
    "Recall": ("sigmoid", ANSWERS, lambda: metrics.Recall(0), lambda y, s, k: share(s > 0, k & (y == 1))),
    "AUC": ("sigmoid", ANSWERS, lambda: metrics.AUC(2000, from_logits=True), lambda y, s, k: area(y[k], s[k])),
    "MeanAbsoluteError": ("mean_square", NUMBERS, metrics.MeanAbsoluteError, lambda y, s, k: abs(y - s)[k].mean()),
    "MeanSquaredError": ("mean_square", NUMBERS, metrics.MeanSquaredError, lambda y, s, k: ((y - s) ** 2)[k].mean()),
    "RootMeanSquaredError": (
        "mean_square", NUMBERS, metrics.RootMeanSquaredError, lambda y, s, k: np.sqrt(((y - s) ** 2)[k].mean()),
    ),
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
    one = distiller(soft_loss=task, metrics=[metric()])
    got = reported(one, X, y, way)
    (value,) = (value for name, value in got.items() if not name.endswith("loss"))
    assert value == pytest.approx(right(labels, s, KNOWN), rel=2e-3 if name == "AUC" else 1e-4)
    assert np.isfinite(list(got.values())).all()


@pytest.mark.parametrize("task, labels", [("sigmoid", ANSWERS), ("mean_square", NUMBERS)])
def test_a_weighted_metric_weighs_the_known_outputs_by_their_example(task, labels):
    y, s = np.where(KNOWN, labels, UNKNOWN[task]), logits(model())
    plain, weighted = metrics.MeanAbsoluteError("plain"), metrics.MeanAbsoluteError("weighted")
    one = distiller(soft_loss=task, metrics=[plain], weighted_metrics=[weighted])
    off, w = abs(labels - s)[KNOWN], np.broadcast_to(WEIGHT[:, None], KNOWN.shape)[KNOWN]
    for way in ("evaluate", "fit"):
        got = reported(one, X, y, way, sample_weight=WEIGHT)
        assert got["plain"] == pytest.approx(off.mean(), rel=1e-4)
        assert got["weighted"] == pytest.approx((w * off).sum() / w.sum(), rel=1e-4)


@pytest.mark.parametrize("way", ["evaluate", "fit"])
def test_a_metric_in_a_traced_graph_and_in_a_classroom(way):
    y, s = np.where(KNOWN, NUMBERS, NAN), logits(model())
    right = pytest.approx(abs(NUMBERS - s)[KNOWN].mean(), rel=1e-4)
    metric = metrics.MeanAbsoluteError("off")
    one = distiller(soft_loss="mean_square", metrics=[metric], run_eagerly=False)
    assert reported(one, X, y, way)["off"] == right
    together = Classroom(students=[model(3), model()], teacher=model(9, 16))
    together.compile(keras.optimizers.SGD(0.0), soft_loss="mean_square", metrics=[metric])
    assert reported(together, X, y, way)["off"][1] == right


@pytest.mark.parametrize("task, labels", [("sigmoid", ANSWERS), ("mean_square", NUMBERS)])
def test_no_known_output_at_all_gives_losses_and_no_metric(task, labels):
    one = distiller(soft_loss=task, metrics=[metrics.MeanAbsoluteError("off")])
    got = reported(one, X, np.full(labels.shape, UNKNOWN[task]))
    assert got["student_loss"] == 0 and np.isfinite(list(got.values())).all()
    assert got.get("off", 0) == 0


# --- sequences with padding -----------------------------------------------------------------------------------------


def sequences(seed, outputs=2):
    keras.utils.set_random_seed(seed)
    keep = keras.layers.Masking()
    return keras.Sequential([keras.Input((5, FEATURES)), keep, keras.layers.Dense(outputs)])


SERIES, THERE = R.randn(9, 5, FEATURES).astype("float32"), np.arange(5) < np.arange(9)[:, None] % 5 + 1
SERIES[~THERE] = 0
MASK = pytest.mark.parametrize("by", ["Keras's mask", "a mask of one's own"])


def given(by, y, teacher):
    if by == "Keras's mask":
        return y
    z = logits(teacher, SERIES).astype("float32")
    z[~THERE] = NAN  # whatever stands at padding
    return {"labels": y, "mask": THERE, "teacher_logits": z}


@MASK
@pytest.mark.parametrize("weight", [None, R.uniform(0, 2, (9, 5))], ids=["", "weighted"])
def test_padding_counts_in_no_loss_and_no_metric(by, weight):
    student, teacher = sequences(2, CLASSES), sequences(1, CLASSES)
    labels = R.randint(-1, CLASSES, (9, 5))
    z, s, known = logits(teacher, SERIES), logits(student, SERIES), THERE & (labels >= 0)
    hard = hard_values(np.maximum(labels, 0).ravel(), s.reshape(-1, CLASSES)).reshape(9, 5)
    w = 1 if weight is None else weight
    one = distiller(student, teacher, metrics=["accuracy"])
    y = given(by, np.where(THERE, labels, 99), teacher)
    for way in ("evaluate", "fit"):
        got = reported(one, SERIES, y, way, **({} if weight is None else {"sample_weight": weight}))
        assert got["student_loss"] == pytest.approx((w * hard)[known].sum() / known.sum(), rel=1e-4)
        assert got["distillation_loss"] == pytest.approx((w * soft_values(z, s, 2.0))[THERE].mean(), rel=1e-4)
        assert got["accuracy"] == pytest.approx((s.argmax(-1) == labels)[known].mean(), rel=1e-4)


@MASK
@pytest.mark.parametrize("task", ["sigmoid", "mean_square"])
def test_in_sequences_neither_padding_nor_an_unknown_output_counts_in_a_metric(task, by):
    student, teacher = sequences(2), sequences(1)
    labels = (R.rand(9, 5, 2) < 0.5).astype("float32") if task == "sigmoid" else R.randn(9, 5, 2).astype("float32")
    known = R.rand(9, 5, 2) > 0.3
    y = np.where(known, labels, UNKNOWN[task])
    y[~THERE] = 1.0
    one = distiller(student, teacher, soft_loss=task, metrics=[metrics.MeanAbsoluteError("off")])
    right = abs(labels - logits(student, SERIES))[known & THERE[..., None]].mean()
    for way in ("evaluate", "fit"):
        assert reported(one, SERIES, given(by, y, teacher), way)["off"] == pytest.approx(right, rel=1e-4), way


COLUMNS = {
    "AUC of each label": ("sigmoid", ANSWERS, lambda: metrics.AUC(multi_label=True, from_logits=True)),
    "F1 of each label": ("sigmoid", ANSWERS, lambda: metrics.F1Score(threshold=0.5)),
    "precision of one label": ("sigmoid", ANSWERS, lambda: metrics.Precision(0, class_id=2)),
    "R2 of each number": ("mean_square", NUMBERS, lambda: metrics.R2Score(class_aggregation=None)),
    "cosine of the rows": ("mean_square", NUMBERS, metrics.CosineSimilarity),
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
    one = distiller(student, teacher, soft_loss="old_classes", metrics=["accuracy"])
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
    one = distiller(model(classes=n), soft_loss="old_classes")
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
