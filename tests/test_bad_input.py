"""Wrong use in bulk: each gets one sentence that names what is wrong, and leaves model, cache and files as they were.

The wrong uses that belong to one class stand in its own file; here is what a typing slip can do to every other call.
"""

import numpy as np
import pytest
from small import LIGHT, X, Y, logits, model, weights

import distill_edu
from distill_edu import (
    Classroom,
    Dataset,
    Distiller,
    Ensemble,
    as_letters,
    cache,
    distillation_loss,
    entropy,
    export_litert,
    hard_label_loss,
    kl_divergence,
    litert_predict,
    load_dataset,
    metrics,
    model_card,
    models,
    restore_students,
    soft_targets,
    sweep,
    teacher_logits,
)  # fmt: skip
from distill_edu.hints import Hint

NAN = float("nan")
ONE = model()
IMAGES = np.zeros((40, 8, 8, 1), "float32")
LABELS = np.arange(40) % 4
DATA = Dataset("points", *[(X, Y)] * 3, tuple("abcd"))
PICTURES = Dataset("pictures", *[(IMAGES, LABELS)] * 3, tuple("abcd"))
WORDS = Dataset("words", *[(np.array(["a", "b"] * 20), LABELS)] * 3, tuple("abcd"))


def build(units):
    return model(0, units)


def swept(**wrong):
    how = {"dataset": DATA, "teacher": model(9), "build_student": build}
    how |= {"sizes": 4, "steps": 2, "seeds": 1, "progress": False}
    return sweep(**{**how, **wrong})


def taught(**wrong):
    return Distiller(**{"student": model(), "teacher": model(9), **wrong})


Z, PAIR = np.ones((2, 3)), [[1.0, 2.0], [3.0, -4.0]]
WRONG = {
    "sweep: no update": (lambda: swept(steps=0), "steps must be a whole number of at least 1, not 0"),
    "sweep: fewer than none": (lambda: swept(steps=-5), "steps must be .* not -5"),
    "sweep: half an update": (lambda: swept(steps=2.5), "steps must be a whole number .* not 2.5"),
    "sweep: steps as text": (lambda: swept(steps="many"), "steps must be a whole number .* not 'many'"),
    "sweep: empty batches": (lambda: swept(batch_size=0), "batch_size must be a whole number of at least 1"),
    "sweep: none at once": (lambda: swept(at_once=0), "at_once must be a whole number of at least 1"),
    "sweep: no seed": (lambda: swept(seeds=0), "There is no seed to train for"),
    "sweep: an empty list of seeds": (lambda: swept(seeds=[]), "There is no seed"),
    "sweep: a negative seed": (lambda: swept(seeds=[-1]), "A seed must be a whole number of at least 0, not -1"),
    "sweep: letters as seeds": (lambda: swept(seeds="ab"), "A seed must be a whole number .* not 'a'"),
    "sweep: no size": (lambda: swept(sizes=[]), "There is no size"),
    "sweep: no temperature": (lambda: swept(temperatures=[]), "There is no temperature"),
    "sweep: T = 0": (lambda: swept(temperatures=[1, 0]), "temperature must be a positive number, not 0"),
    "sweep: alpha = 2": (lambda: swept(alphas=2), "alpha must be between 0 and 1, not 2"),
    "sweep: an optimizer with a slip": (lambda: swept(optimizer="adma"), "adma"),
    "sweep: a student for a function": (lambda: swept(build_student=model()), "build_student must be a function"),
    "sweep: a function without return": (lambda: swept(build_student=lambda n: None), "must return .* not NoneType"),
    "sweep: always the same student": (lambda: swept(build_student=lambda n: ONE, seeds=2), "build each"),
    "sweep: arrays for a data set": (lambda: swept(dataset=(X, Y)), "dataset must be a Dataset, .* not tuple"),
    "sweep: no transfer set": (lambda: swept(transfer=True), "no transfer set: load it with labelled"),
    "sweep: no teacher": (lambda: swept(teacher=None), "teacher must be a Keras model, not NoneType"),
    "restore: no weights": (lambda: restore_students(swept(), build), "no column weights: give what sweep"),
    "restore: no table": (lambda: restore_students([1], build), "no column weights"),
    "load: a seed below 0": (lambda: load_dataset("digits", seed=-1), "seed must be .* at least 0, not -1"),
    "load: a slip": (lambda: load_dataset("minst5k"), "no data set 'minst5k'. Choose one of"),
    "load: nothing": (lambda: load_dataset(None), "no data set None"),
    "load: no labels": (lambda: load_dataset("digits", labelled=0), "labelled must be the share .* not 0"),
    "load: a percentage": (lambda: load_dataset("digits", labelled=50), "labelled must be the share .* not 50"),
    "load: a share as text": (lambda: load_dataset("digits", labelled="half"), "labelled .* not 'half'"),
    "load: fewer labels than classes": (lambda: load_dataset("digits", labelled=0.001), "too few labels"),
    "load: a negative seed": (lambda: load_dataset("digits", seed=-1), "seed must be a whole number of at least 0"),
    "load: a seed as text": (lambda: load_dataset("spirals", seed="a"), "seed must be a whole number"),
    "letters: no length": (lambda: as_letters(["a"], length=0), "length must be a whole number of at least 1"),
    "letters: numbers": (lambda: as_letters([1, 2]), "words must be a list of texts"),
    "letters: one text": (lambda: as_letters("Haus"), "words must be a list of texts"),
    "mlp: words": (lambda: models.mlp(WORDS), "needs x as numbers, .* data.map.as_letters."),
    "mlp: no data": (lambda: models.mlp(None), "data must be a Dataset"),
    "mlp: no units": (lambda: models.mlp(DATA, hidden=(0,)), "units"),
    "cnn: points": (lambda: models.cnn(DATA), "needs images"),
    "text_cnn: images": (lambda: models.text_cnn(PICTURES), "needs words as letters"),
    "bigram_bag: images": (lambda: models.bigram_bag(PICTURES), "needs words as letters"),
    "bigram_bag: one bucket": (lambda: models.HashedBigrams(1), "buckets must be a whole number of at least 2"),
    "soft targets: T = 0": (lambda: soft_targets([1, 2], 0), "temperature must be a positive number, not 0"),
    "soft targets: T is NaN": (lambda: soft_targets([1, 2], NAN), "temperature must be .* not nan"),
    "soft targets: T as text": (lambda: soft_targets([1, 2], "hot"), "temperature must be .* not 'hot'"),
    "soft targets: NaN": (lambda: soft_targets([1, NAN]), "logits contains NaN"),
    "soft targets: text": (lambda: soft_targets("abc"), "logits must be an array of numbers"),
    "soft targets: nothing": (lambda: soft_targets([]), "one number per class"),
    "soft targets: ragged": (lambda: soft_targets([[1, 2], [3]]), "logits must be an array of numbers"),
    "entropy: logits": (lambda: entropy([-1.0, 2.0]), "probabilities must be probabilities"),
    "entropy: not a sum of 1": (lambda: entropy([0.5, 0.6]), "a sum of 1 over the last axis"),
    "KL: other classes": (lambda: kl_divergence([0.5, 0.5], [0.2, 0.3, 0.5]), "need the same classes"),
    "KL: logits": (lambda: kl_divergence([0.5, 0.5], [1.0, 2.0]), "q must be probabilities"),
    "accuracy: a label too large": (lambda: metrics.accuracy([0, 5], PAIR), "integers from 0 to 1"),
    "accuracy: other examples": (lambda: metrics.accuracy([0], PAIR), "the shape .1,. and the logits .2, 2."),
    "accuracy: half a label": (lambda: metrics.accuracy([0.5, 1], PAIR), "Labels are integers"),
    "calibration: no bin": (lambda: metrics.calibration_error([0, 1], PAIR, bins=0), "bins must be a whole number"),
    "agreement: other classes": (lambda: metrics.agreement([[1, 2]], [[1, 2, -3]]), "same examples"),
    "gain: one pair": (lambda: metrics.paired_gain([1], [2]), "at least 2"),
    "gain: texts": (lambda: metrics.paired_gain("ab", "cd"), "Numbers are needed"),
    "gain: NaN": (lambda: metrics.paired_gain([1, NAN], [1, 2]), "NaN or infinite"),
    "gap: no gap": (lambda: metrics.gap_recovered(0.9, 0.95, 0.9), "no gap to recover"),
    "front: other models": (lambda: metrics.pareto_front([1, 2], [1]), "one of each per model"),
    "front: NaN": (lambda: metrics.pareto_front([1, NAN], [1, 2]), "NaN or infinite"),
    "scaling: nothing": (lambda: metrics.temperature_scaling([], []), "one number per class"),
    "teacher_logits: nothing to ask": (lambda: teacher_logits(model(), X[:0]), "x is empty"),
    "teacher_logits: nobody to ask": (lambda: teacher_logits(None, X), "teacher must be a Keras model"),
    "loss: T < 0": (lambda: distillation_loss(Z, Z, -1), "temperature must be .* not -1"),
    "loss: other examples": (lambda: distillation_loss(Z, np.ones((4, 3)), 1), "example by example"),
    "loss: other classes": (lambda: distillation_loss(Z, np.ones((2, 4)), 1), "3 logits .* the student 4"),
    "hard loss: labels in two axes": (lambda: hard_label_loss(np.ones((2, 2, 2)), Z), "one integer per example"),
    "classroom: nobody": (lambda: Classroom(students=[]), "students is empty"),
    "classroom: two for one": (lambda: Classroom(students=[model()], temperatures=[1, 2]), "one for each of the 1"),
    "classroom: before compile": (lambda: Classroom(students=[model()]).fit(X, Y), "compile"),
    "distiller: before compile": (lambda: taught().fit(X, Y), "compile"),
    "distiller: T as text": (lambda: taught().compile(temperature="hot"), "temperature must be .* not 'hot'"),
    "distiller: many T": (lambda: taught().compile(temperature=[1, 2]), "temperature must be a positive number"),
    "distiller: alpha as text": (lambda: taught().compile(alpha="x"), "between 0 and 1, not 'x': it is the weight of"),
    "distiller: hints as text": (lambda: taught(hints="hint"), "A hint must be a layer such as"),
    "hint: a layer's number": (lambda: Hint(1, "conv1"), "student_layer must be the name of a layer"),
    "hint: a weight as text": (lambda: Hint("a", "b", weight="x"), "weight must be a number .* not 'x'[.]$"),
    "cache: not compiled": (lambda: cache.fit(model(), X, Y), "model must be a compiled Keras model"),
    "cache: no model": (lambda: cache.fit(None, X, Y), "model must be a compiled Keras model"),
    "ensemble: nobody": (lambda: Ensemble([]), "at least one Keras model"),
    "export: 4 bits": (lambda: export_litert(model(), "int4"), "quantize must be None, 'float16' or 'int8'"),
    "export: nothing to calibrate with": (lambda: export_litert(model(), "int8"), "int8 needs representative=x"),
    "export: no model": (lambda: export_litert(None), "model must be a Keras model"),
    "LiteRT: no file": (lambda: litert_predict(b"xx", X), "content must be the bytes of a LiteRT file"),
    "LiteRT: a sound": (lambda: litert_predict(b"....WAVE", X), "content must be the bytes of a LiteRT file"),
    "card: no data": (lambda: model_card(model(), None), "data must be a Dataset"),
    "a name with a slip": (lambda: distill_edu.Destiller, "has no 'Destiller'. It has"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(tmp_path / "kept"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_gets_one_sentence(name, folder):
    call, sentence = WRONG[name]
    with pytest.raises((ValueError, TypeError, AttributeError), match=sentence) as caught:
        call()
    assert len(str(caught.value)) < 600
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert not kept or name == "restore: no weights"  # that sweep was right, and is kept


def test_a_model_is_as_before_after_every_refusal():
    student, teacher = model(), model(9)
    one = Distiller(student=student, teacher=teacher)
    one.compile("adam", temperature=3.0, alpha=0.4)
    before = [weights(student), weights(teacher), one.temperature, one.alpha]
    attempts = [
        lambda: setattr(one, "temperature", 0),
        lambda: setattr(one, "alpha", "x"),
        lambda: one.compile(alpha=3),
        lambda: one.fit(X, Y + 9, **LIGHT),
        lambda: one.fit(X * NAN, Y, **LIGHT),
        lambda: one.fit(X, {"label": Y}, **LIGHT),
        lambda: one.evaluate(X, Y + 9, verbose=0),
        lambda: one.fit(X, np.zeros((33, 2)), **LIGHT),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError):
            attempt()
    after = [weights(student), weights(teacher), one.temperature, one.alpha]
    assert all(
        np.array_equal(a, b)
        for old, new in zip(before[:2], after[:2], strict=True)
        for a, b in zip(old, new, strict=True)
    )
    assert before[2:] == after[2:]
    assert np.isfinite(one.fit(X, Y, **LIGHT).history["loss"]).all() and np.isfinite(logits(student)).all()
