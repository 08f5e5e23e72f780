"""Wrong use, in one table: each gets one sentence with the value that came and what to do, and changes nothing.

A sentence is known here by its key words, not by its wording. What is refused is refused before student, teacher,
settings, files and cache change.
"""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import callbacks, layers
from small import (
    CLASSES,
    FEATURES,
    LIGHT,
    RANDOM,
    OfNumPy,
    Subclassed,
    Table,
    X,
    Y,
    frozen,
    image_model,
    model,
    nested,
    of_numpy,
    on_top,
    same,
    soft,
    twice,
    weights,
)

import distill_edu
from distill_edu import (
    Cascade,
    Classroom,
    Dataset,
    Distiller,
    Ensemble,
    as_letters,
    cache,
    compress,
    distillation_loss,
    export_litert,
    hard_label_loss,
    litert_predict,
    load_dataset,
    losses,
    metrics,
    model_card,
    models,
    restore_students,
    soft_targets,
    sweep,
    teacher_logits,
    trained,
)
from distill_edu.hints import AttentionTransfer, Hint
from distill_edu.pages.shared.live import live_distillation

NAN = float("nan")
EAGER = {"run_eagerly": True}
ROWS = keras.utils.to_categorical(Y, CLASSES)
MANY = (np.random.RandomState(1).rand(33, CLASSES) < 0.4).astype("float32")
IMAGES, LABELS = np.zeros((40, 8, 8, 1), "float32"), np.arange(40) % 4
DATA = Dataset("points", *[(X, Y)] * 3, tuple("abcd"))
PICTURES = Dataset("pictures", *[(IMAGES, LABELS)] * 3, tuple("abcd"))
WORDS = Dataset("words", *[(np.array(["a", "b"] * 20), LABELS)] * 3, tuple("abcd"))
Z, PAIR = np.ones((2, 3)), [[1.0, 2.0], [3.0, -4.0]]
ALWAYS_THE_SAME = model()


# --- models that cannot be distilled, or not in this way ------------------------------------------------------------


def both_on(bottom):
    return Distiller(student=on_top(bottom), teacher=on_top(bottom, 9))


def of_two(named=False):
    plain = model()
    both = [plain.outputs[0], layers.Dense(2)(plain.outputs[0])]
    return keras.Model(plain.inputs, dict(zip(("box", "kind"), both, strict=True)) if named else both)


def sequence(length):
    return keras.Sequential([keras.Input((length, FEATURES)), layers.Dense(CLASSES)])


def layer_alone():
    return keras.Sequential([keras.Input((FEATURES,)), layers.Dense(CLASSES)])  # a relu would turn NaN into 0


def counted(make):
    entry = keras.Input((5, 6))
    return compress.multiply_adds(keras.Model(entry, make(entry)))


def tripled(x):
    return 3 * x


def sized_by_images():
    return keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()])


def larger():
    places = layers.Reshape((3, 3, 1), name="places")
    return keras.Sequential([keras.Input((9,)), places, layers.Flatten(), layers.Dense(CLASSES)])


def pictured(*hints, **models):
    """A Distiller of convolutional models, with these hints."""
    return Distiller(**{"student": image_model(), "teacher": image_model(9, 5, name="teacher"), **models}, hints=hints)


def used():
    pictured(hint := Hint("conv", "conv"))
    return hint


class OwnLoss(Distiller):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return 0.0


# --- the world that a refusal leaves as it was ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A student, a teacher, a Distiller of both, and a folder with a file, in which the cache is, too."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILL_EDU_CACHE", str(folder / "kept"))
        patch.chdir(folder)
        (folder / "older.keras").write_text("an older model")
        student, teacher = model(), model(9)
        one = Distiller(student=student, teacher=teacher)
        one.compile("sgd", temperature=3.0, alpha=0.4, **EAGER)
        yield SimpleNamespace(student=student, teacher=teacher, one=one, folder=folder)


def state(world):
    files = {path: path.read_bytes() for path in world.folder.rglob("*") if path.is_file()}
    return (
        files,
        world.one.temperature,
        world.one.alpha,
        world.teacher.trainable,
        world.one.optimizer.iterations.numpy(),
    )


def refused(world, call, words):
    """The call raises one sentence with all the words, and the world stays."""
    before, of_models = state(world), [*weights(world.student), *weights(world.teacher)]
    with pytest.raises((ValueError, TypeError, AttributeError, NotImplementedError)) as caught:
        call(world)
    sentence = str(caught.value)
    missing = [word for word in words.split(" / ") if word.lower() not in sentence.lower()]
    assert not missing, sentence
    assert len(sentence) < 600 and "\n" not in sentence
    assert state(world) == before
    assert same(of_models, [*weights(world.student), *weights(world.teacher)], atol=0)


# --- a value that does not fit: the argument's name and the value are in the sentence -------------------------------


def swept(**wrong):
    how = {"dataset": DATA, "teacher": model(9), "build_student": lambda units: model(0, units)}
    return sweep(**{**how, "sizes": 4, "steps": 2, "seeds": 1, "progress": False, **wrong})


def compiled(**how):
    return lambda w: w.one.compile(**how)


VALUES = {  # whose, argument -> (call, values)
    "sweep steps": (lambda w, value: swept(steps=value), [0, -5, 2.5, "many"]),
    "sweep batch_size": (lambda w, value: swept(batch_size=value), [0]),
    "sweep temperature": (lambda w, value: swept(temperatures=[1, value]), [0]),
    "sweep alpha": (lambda w, value: swept(alphas=value), [2]),
    "sweep seed": (lambda w, value: swept(seeds=[0, value]), [-1, "a"]),
    "load_dataset seed": (lambda w, value: load_dataset("digits", seed=value), [-1, "a"]),
    "load_dataset labelled": (lambda w, value: load_dataset("digits", labelled=value), [0, 50, "half"]),
    "teacher_logits batch_size": (lambda w, value: teacher_logits(w.teacher, X, value), [None, 0, -1, 2.5]),
    "as_letters length": (lambda w, value: as_letters(["a"], length=value), [0]),
    "HashedBigrams buckets": (lambda w, value: models.HashedBigrams(value), [1]),
    "soft_targets temperature": (lambda w, value: soft_targets([1, 2], value), [0, NAN, "hot", "4"]),
    "calibration_error bins": (lambda w, value: metrics.calibration_error([0, 1], PAIR, bins=value), [0]),
    "distillation_loss temperature": (lambda w, value: distillation_loss(Z, Z, value), [-1]),
    "compile temperature": (lambda w, value: w.one.compile(temperature=value), [0, "hot", "4", [1, 2]]),
    "compile alpha": (lambda w, value: w.one.compile(alpha=value), [1.5, -0.5, "x"]),
    "Distiller temperature": (lambda w, value: setattr(w.one, "temperature", value), [-2, 0]),
    "Distiller alpha": (lambda w, value: setattr(w.one, "alpha", value), [NAN, "x"]),
    "Classroom temperature": (lambda w, value: Classroom(students=[w.student], temperatures=value).compile(), [0]),
    "Classroom alpha": (lambda w, value: Classroom(students=[w.student], alphas=value).compile(), [2]),
    "Hint weight": (lambda w, value: Hint("a", "b", weight=value), ["x", -1, NAN]),
    "hint's weight": (lambda w, value: setattr(Hint("a", "b"), "weight", value), [-1]),
    "Decoupled target": (lambda w, value: losses.Decoupled(target=value), [-1]),
    "Decoupled others": (lambda w, value: losses.Decoupled(others=value), ["x"]),
    "JensenShannon beta": (lambda w, value: losses.JensenShannon(beta=value), [-0.1, 1.1, NAN, "x"]),
    "Hint student_layer": (lambda w, value: Hint(value, "conv1"), [1]),
    "load_dataset data set": (lambda w, value: load_dataset(value), ["minst5k", None]),
    "compile soft_loss": (lambda w, value: w.one.compile(soft_loss=value), ["kullback"]),
}


@pytest.mark.parametrize("name, value", [(name, value) for name in VALUES for value in VALUES[name][1]])
def test_the_argument_and_the_value_that_came_are_named(world, name, value):
    argument = name.split(" ", 1)[1]
    refused(world, lambda w: VALUES[name][0](w, value), f"{argument} / {value!r}")


# --- what a step refuses: in fit, in evaluate and in a Classroom ----------------------------------------------------


def at(place, value, array=X):
    """A copy of the array, with another value in the row at this place."""
    changed = np.array(array)
    changed[place] = value
    return changed


SIGMOID, NUMBERS = {"soft_loss": "sigmoid"}, {"soft_loss": "mean_square"}
BLIND = {"student_loss": lambda y, z: z[:, 0]}  # a loss that does not look at its labels
NO_CLASS = "label / 0 to / -1"
LOGITS = RANDOM.randn(33, CLASSES).astype("float32") - 3
SERIES = np.zeros((9, 7, FEATURES), "float32")
SOFT = np.random.RandomState(0).dirichlet(np.ones(CLASSES), len(X)).astype("float32")
OF_SERIES = {"x": SERIES, "student": lambda: sequence(7), "teacher": lambda: sequence(7)}


def cached(logits, **more):
    return {"y": {"labels": Y, "teacher_logits": logits}, "teacher": lambda: None, **more}


STEP = {  # name -> (what is given, words)
    "NaN in x": ({"x": at(3, NAN)}, "x / NaN or infin"),
    "infinity in x": ({"x": at(30, np.inf)}, "x / NaN or infin"),
    "NaN in teacher_logits": (cached(at(2, NAN, LOGITS)), "loss / NaN or infinite / teacher"),
    "cached probabilities of two digits": (cached(SOFT.round(2)), "teacher's output / probabilities"),
    "cached probabilities of three digits": (cached(SOFT.round(3)), "teacher's output / probabilities"),
    "no labels": ({"y": None}, "labels / alpha / 0"),
    "neither teacher nor logits": ({"teacher": lambda: None}, "teacher / teacher_logits"),
    "another key": ({"y": {"label": Y}}, "labels / teacher_logits / mask / 'label'"),
    "labels of another key": ({"y": {}}, "labels / teacher_logits"),
    "texts for numbers": ({"x": np.array(["a"] * 33)}, "text / as_letters"),
    "probabilities of the teacher": ({"teacher": soft}, "teacher's output / probabilities / softmax"),
    "probabilities of the student": ({"student": soft}, "student's output / probabilities / softmax"),
    "cached probabilities": (cached(np.full((33, CLASSES), 0.25)), "teacher's output / probabilities"),
    "a label too large": ({"y": at(20, 9, Y)}, NO_CLASS),
    "a label too small": ({"y": at(1, -2, Y)}, NO_CLASS),
    "as many as classes, and a loss that does not look": ({"y": at(5, CLASSES, Y), **BLIND}, NO_CLASS),
    "0.7 as a class": ({"y": np.full(33, 0.7)}, NO_CLASS),
    "another mark for no label": ({"y": np.where(Y == 0, 255, Y)}, "255 / -100 / -1"),
    "no class at one time": ({**OF_SERIES, "y": at((4, 4), CLASSES, np.zeros((9, 7), int))}, NO_CLASS),
    "one label for a whole sequence": ({**OF_SERIES, "y": np.zeros(9)}, "(9,) / one integer / one-hot / 4"),
    "more columns than classes": ({"y": np.zeros((33, 5))}, "5) / one integer / one-hot / 4"),
    "an axis too many": ({"y": np.zeros((33, 1, 4))}, "1, 4) / one integer / one-hot / 4"),
    "several labels without saying so": ({"y": MANY}, "sum to 1 / soft_loss / sigmoid"),
    "numbers without saying so": ({"y": RANDOM.rand(33, CLASSES)}, "sum to 1 / mean_square"),
    "neither yes nor no": ({"y": at(3, 2, MANY), **SIGMOID}, "label / yes / no / -1"),
    "less than no": ({"y": at(3, -0.5, MANY), **SIGMOID}, "label / yes / no / -1"),
    "fewer yes and no than outputs": ({"y": MANY[:, :3], **SIGMOID}, "3) / 4"),
    "one number for many outputs": ({"y": Y, **NUMBERS}, "(33,) / 4"),
    "a loss that is a mean": ({"student_loss": lambda y, z: tf.reduce_mean(z)}, "loss / one value / mean"),
    "other classes": ({"teacher": lambda: model(1, classes=3)}, "teacher / 3 / student / 4"),
    "one class": ({"student": lambda: model(classes=1), "teacher": lambda: model(classes=1)}, "sigmoid / mean_square"),
    "two outputs": ({"student": of_two}, "student / 2 outputs / list"),
    "two named outputs": ({"teacher": lambda: of_two(named=True)}, "teacher / 2 outputs / box, kind"),
    "a teacher of unknown width": ({"teacher": of_numpy, "run_eagerly": False}, "set_shape"),
}


@pytest.mark.parametrize("name", STEP)
def test_a_step_refuses_what_it_cannot_learn_from(world, name):
    given, words = STEP[name]
    given = {"x": X, "y": Y, "student": lambda: world.student, "teacher": lambda: world.teacher, **EAGER, **given}
    x, y, student, teacher = given.pop("x"), given.pop("y"), given.pop("student")(), given.pop("teacher")()
    one, together = Distiller(student=student, teacher=teacher), Classroom(students=[student], teacher=teacher)
    one.compile("sgd", **given)
    together.compile("sgd", **given)
    before = weights(student)
    for call in (one.fit, one.evaluate, together.fit):
        refused(world, lambda w, call=call: call(x, y, batch_size=33, verbose=0), words)
    assert same(before, weights(student), atol=0)


def test_one_students_probabilities_are_found_among_others_logits_and_it_does_not_change():
    student = soft()
    before = weights(student)
    together = Classroom(students=[model(5), student], teacher=model(9))
    together.compile("adam", **EAGER)
    with pytest.raises(ValueError, match="student.* probabilities"):
        together.fit(X, Y, verbose=0)
    assert same(before, weights(student), atol=0)


def test_seven_rows_may_sum_to_1_by_chance_and_eight_do_not(world):
    answers = np.float32([[0.25] * 4, [0.7, 0.3, 0, 0]] * 4)
    assert world.one.fit(X[:7], {"labels": Y[:7], "teacher_logits": answers[:7]}, verbose=0)
    refused(world, lambda w: w.one.fit(X[:8], {"labels": Y[:8], "teacher_logits": answers}, verbose=0), "probabilities")
    steps = Distiller(student=sequence(3))  # rows are counted over all time steps
    steps.compile("sgd", **EAGER)
    for n in (2, 3):
        given = np.zeros((n, 3, FEATURES)), {"labels": np.zeros((n, 3)), "teacher_logits": np.full((n, 3, 4), 0.25)}
        assert (
            steps.fit(*given, verbose=0)
            if n == 2
            else not refused(world, lambda w, given=given: steps.fit(*given, verbose=0), "probabilities")
        )


CHANGES = [lambda p: 1.9 * p, lambda p: 0.1 * p, lambda p: p + [1, -1, 0, 0], lambda p: 0.97 * p]
CHANGES += [lambda p: np.tile(0.98 * p[:7], (5, 1))[:33], lambda p: np.concatenate([p[:-1].round(2), [[0.3] * 4]])]


@pytest.mark.parametrize("change", CHANGES, ids="abcdef")
def test_numbers_that_are_no_probabilities_are_logits(world, change):
    assert world.one.fit(X, {"labels": Y, "teacher_logits": change(SOFT)}, batch_size=33, verbose=0)


# --- all other calls ------------------------------------------------------------------------------------------------


def taught(**wrong):
    return Distiller(**{"student": model(), "teacher": model(9), **wrong})


def classroom(students=None, **how):
    one = Classroom(students=[model(), model(3)] if students is None else students, teacher=model(9))
    one.compile("adam", **EAGER)
    return one.fit(X, Y, **{**LIGHT, **how})


def by_position(found):
    one = Classroom(students=[model()], teacher=model(9))
    one.compile("adam", **EAGER)
    return one.fit(X, Y, 8, 1, 0, found)


def piped(y=None, x=X):
    data = {"labels": Y, "teacher_logits": LOGITS} if y is None else y
    return tf.data.Dataset.from_tensor_slices((x, data)).batch(33)


LONG = np.ones((33, 3, FEATURES), "float32")
SURE = np.random.RandomState(2).dirichlet(np.ones(CLASSES), (33, 3)).astype("float32")
PADDED = np.ones((33, 3)) * (np.arange(3) < 2)


def compiled_of(student, soft_loss=None):
    one = Distiller(student=student)
    one.compile("sgd", soft_loss=soft_loss, alpha=0.0 if soft_loss else 1.0, **EAGER)
    return one


def compiled_and_fitted(**settings):
    def call(world):
        one = taught()
        one.compile("sgd", **settings, **EAGER)
        one.fit(X, Y, verbose=0)

    return call


class MeanHint(Hint):
    def call(self, student_features, teacher_features):
        return keras.ops.mean(super().call(student_features, teacher_features))


def hinted(hint):
    one = taught(hints=[hint])
    one.compile("sgd", **EAGER)
    one.fit(X, Y, verbose=0)


FOR_ONE = {
    "EarlyStopping": lambda: callbacks.EarlyStopping("loss"),
    "TerminateOnNaN": callbacks.TerminateOnNaN,
    "ReduceLROnPlateau": lambda: callbacks.ReduceLROnPlateau("loss"),
    "LearningRateScheduler": lambda: callbacks.LearningRateScheduler(lambda epoch: 0.1),
    "BackupAndRestore": lambda: callbacks.BackupAndRestore("backup"),
}
MOVING = {"center": False, "scale": False}  # BatchNormalization with statistics, but without weights that are trained
SAVE = "student / save"

CALLS = {
    # a Distiller
    "by position": (lambda w: Distiller(w.student, w.teacher), "positional"),
    "no student": (lambda w: Distiller(student=None, teacher=w.teacher), "student / None"),
    "a name for a model": (lambda w: taught(student="small"), "Keras model / str"),
    "a softmax teacher": (lambda w: taught(teacher=model(activation="softmax")), "teacher's output / prob / softmax"),
    "a softmax student": (lambda w: taught(student=model(activation="softmax")), "student's output / prob / softmax"),
    "a sigmoid student": (lambda w: taught(student=model(activation="sigmoid")).compile(), "sigmoid / mean_square"),
    "a sigmoid for yes and no": (
        lambda w: taught(teacher=model(activation="sigmoid")).compile(soft_loss="sigmoid"), "ends in a sigmoid",
    ),
    "an Ensemble of softmax models": (lambda w: Ensemble(model(activation="softmax")), "Ensemble / softmax"),
    "an Ensemble of sigmoid models": (lambda w: Ensemble(model(activation="sigmoid")), "Ensemble / sigmoid"),
    "an Ensemble for yes and no": (
        lambda w: taught(teacher=Ensemble(model(9))).compile(soft_loss="sigmoid"), "Ensemble / classes / yes_no",
    ),
    "an Ensemble for numbers": (
        lambda w: taught(teacher=Ensemble(model(9))).compile(soft_loss="mean_square"), "Ensemble / classes / numbers",
    ),
    "one model twice": (lambda w: Distiller(student=w.teacher, teacher=w.teacher), "one model / clone_model"),
    "shared layers": (lambda w: taught(student=keras.Sequential(w.teacher.layers), teacher=w.teacher), "share"),
    "a shared trainable layer": (lambda w: both_on(layers.Dense(5)), "share / layer.trainable = False"),
    "shared statistics": (lambda w: both_on(layers.BatchNormalization(**MOVING)), "share"),
    "an untrained teacher": (lambda w: taught(teacher=keras.Sequential([layers.Dense(4)])), "teacher / no weights"),
    "a teacher nobody called": (lambda w: taught(teacher=OfNumPy()), "call / teacher(x"),
    "a teacher of two outputs is asked": (lambda w: teacher_logits(of_two(named=True), X), "2 outputs / box, kind"),
    "a frozen student": (
        lambda w: (one := taught(student=frozen()), one.compile("sgd", **EAGER), one.fit(X, Y, verbose=0)),
        "student.trainable = True",
    ),
    "before compile": (lambda w: taught().fit(X, Y), "compile"),
    "a loss by position": (lambda w: w.one.compile("adam", "mse"), "positional"),
    "loss=": (compiled(loss="mse"), "loss= / student_loss"),
    "keras.io's name of a loss": (compiled(student_loss_fn=len), "student_loss_fn"),
    "loss_weights": (compiled(loss_weights=[0.5]), "loss_weights / alpha"),
    "a loss by its name": (compiled(student_loss="mse"), "student_loss / 'mse' / function"),
    "a loss of probabilities": (
        compiled(student_loss=keras.losses.SparseCategoricalCrossentropy()), "probabilities / from_logits=True",
    ),
    "compute_loss": (lambda w: OwnLoss(student=w.student).compile(), "compute_loss / soft_loss"),
    "class weights in a pipeline": (lambda w: w.one.fit(piped(), class_weight={0: 2}, verbose=0), "pipeline / weights"),
    "class weights and -1 in a pipeline": (
        lambda w: w.one.fit(piped(np.where(Y == 1, -1, Y)), class_weight=dict.fromkeys(range(4), 2.0), verbose=0),
        "pipeline / none of them -1",
    ),
    "class weights of places in a pipeline": (
        lambda w: compiled_of(sequence(3)).fit(piped(np.ones((33, 3)), LONG), class_weight={1: 2.0}, verbose=0),
        "pipeline / one class for each example",
    ),
    "labels and logits without names": (
        lambda w: w.one.fit(X, [Y, LOGITS], verbose=0), '2 parts without names / "teacher_logits": z',
    ),
    "a weight for each output": (
        lambda w: w.one.fit(X, Y, sample_weight=np.ones((33, CLASSES)), verbose=0), "sample_weight / one number",
    ),
    "a mask for each example": (
        lambda w: compiled_of(sequence(3)).fit(LONG, {"labels": np.ones((33, 3)), "mask": np.ones(33)}, verbose=0),
        "mask / one value for each row",
    ),
    "probabilities beside padding": (
        lambda w: compiled_of(sequence(3), "kl").fit(LONG, {"teacher_logits": SURE, "mask": PADDED}, verbose=0),
        "teacher's output / probabilities",
    ),
    "a soft loss that is a mean": (
        compiled_and_fitted(soft_loss=lambda batch, z, t: keras.ops.mean(z)), "one value for each row / not a mean",
    ),
    "a hint that is a mean": (lambda w: hinted(MeanHint("hidden", "hidden")), "hint / one for each / not a mean"),
    "saved as .h5": (lambda w: w.one.save("x.h5"), ".keras / x.h5"),
    "a teacher of probabilities is asked": (
        lambda w: teacher_logits(model(activation="softmax"), X), "teacher's output / probabilities",
    ),
    "a teacher is asked about NaN": (lambda w: teacher_logits(layer_alone(), at(3, NAN)), "teacher / NaN"),
    "a teacher is asked nothing": (lambda w: teacher_logits(w.teacher, X[:0]), "x / empty"),
    "a teacher is asked about a number": (lambda w: teacher_logits(w.teacher, np.array(5.0)), "x / no axes"),
    "a teacher is asked about an empty pipeline": (lambda w: teacher_logits(w.teacher, piped().take(0)), "x / empty"),
    "a teacher is asked about a used generator": (
        lambda w: teacher_logits(w.teacher, (each for each in ())), "x / empty / generator",
    ),
    "a teacher is asked about no inputs": (lambda w: teacher_logits(w.teacher, []), "x / empty"),
    "nobody is asked": (lambda w: teacher_logits(None, X), "teacher / Keras model"),
    # hints
    "hints as text": (lambda w: taught(hints="hint"), "hint / layer / str"),
    "hints without a teacher": (lambda w: taught(teacher=None, hints=[Hint("a", "b")]), "hint / teacher_logits"),
    "a layer that is used twice": (
        lambda w: Distiller(student=twice(0), teacher=twice(1), hints=[Hint("enc", "enc")]), "enc / 2 times",
    ),
    "a layer inside a model": (
        lambda w: Distiller(student=nested(), teacher=nested(9), hints=[Hint("deep", "backbone/deep")]),
        "deep / backbone/deep",
    ),
    "a hint in a model that was never called": (
        lambda w: Distiller(student=Subclassed(), teacher=nested(9), hints=[Hint("out", "backbone")]), "call / x[:1]",
    ),
    "a hint at no layer": (
        lambda w: pictured(Hint("cow", "conv")), "'student' has no layer 'cow' / places, conv, flat, logits",
    ),
    "a hint at no layer of the teacher": (lambda w: pictured(Hint("conv", "cow")), "'teacher' has no layer 'cow'"),
    "a hint at fewer axes": (lambda w: pictured(Hint("flat", "conv")), "last axis may differ"),
    "a hint at more axes": (lambda w: pictured(Hint("conv", "flat")), "last axis may differ"),
    "a hint at other places": (
        lambda w: pictured(AttentionTransfer("places", "conv"), student=larger()), "(None, 3, 3, 1) / may differ",
    ),
    "attention without places": (lambda w: pictured(AttentionTransfer("flat", "flat")), "attention map needs places"),
    "two hints of one name": (lambda w: pictured(Hint("conv", "conv"), Hint("conv", "conv")), "two hints / name"),
    "a hint of another Distiller": (lambda w: pictured(used()), "another Distiller"),
    # a Classroom
    "no students": (lambda w: Classroom(students=[]), "students / empty"),
    "a student without a list": (lambda w: Classroom(students=w.student), "students / list / Sequential"),
    "a temperature as text": (lambda w: Classroom(students=[w.student], temperatures=["2"]), "temperatures / number"),
    "a student twice": (lambda w: Classroom(students=[w.student] * 2, teacher=w.teacher), "one model"),
    "a student twice, not built": (lambda w: Classroom(students=[Subclassed()] * 2), "one model"),
    "students that share": (lambda w: Classroom(students=[w.student, on_top(w.student)]), "share"),
    "the teacher among students": (lambda w: Classroom(students=[w.student, w.teacher], teacher=w.teacher), "one mod"),
    "students by position": (lambda w: Classroom([w.student], teacher=w.teacher), "positional"),
    "a name for a student": (lambda w: Classroom(students=["student"]), "Keras model / str"),
    "a softmax among students": (lambda w: Classroom(students=[model(activation="softmax")]), "student / softmax"),
    "two temperatures for one": (lambda w: Classroom(students=[w.student], temperatures=[1, 2]), "temperatures / 2"),
    "one alpha in a list for two": (lambda w: Classroom(students=[w.student, model()], alphas=[0.5]), "alphas / 1"),
    "frozen students": (lambda w: classroom([frozen()]), "student.trainable = True"),
    "a Classroom's loss": (lambda w: Classroom(students=[w.student]).compile(loss="mse"), "student_loss"),
    "a Classroom before compile": (lambda w: Classroom(students=[w.student]).fit(X, Y), "compile"),
    "a Classroom is cloned": (lambda w: keras.models.clone_model(Classroom(students=[w.student])), SAVE),
    "a Classroom is saved": (lambda w: Classroom(students=[w.student]).save("older.keras"), SAVE),
    "a Classroom is exported": (lambda w: Classroom(students=[w.student]).export("older.keras"), SAVE),
    **{
        f"{name} in a Classroom": (lambda w, make=make: classroom(callbacks=[make()]), f"{name} / Distiller")
        for name, make in FOR_ONE.items()
    },
    "callbacks by position": (lambda w: by_position([callbacks.TerminateOnNaN()]), "TerminateOnNaN"),
    "a list of Keras's own": (
        lambda w: classroom(callbacks=callbacks.CallbackList([callbacks.TerminateOnNaN()])), "TerminateOnNaN",
    ),
    "one callback": (lambda w: classroom(callbacks=callbacks.TerminateOnNaN()), "TerminateOnNaN"),
    # a sweep, and what remembers
    "sweep: no seed": (lambda w: swept(seeds=0), "seed"),
    "sweep: an empty list of seeds": (lambda w: swept(seeds=[]), "seed"),
    "sweep: letters as seeds": (lambda w: swept(seeds="ab"), "seed / 'a'"),
    "sweep: no size": (lambda w: swept(sizes=[]), "size"),
    "sweep: no temperature": (lambda w: swept(temperatures=[]), "temperature"),
    "sweep: an optimizer with a slip": (lambda w: swept(optimizer="adma"), "adma"),
    "sweep: a student for a function": (lambda w: swept(build_student=w.student), "build_student / function"),
    "sweep: a function without return": (lambda w: swept(build_student=lambda n: None), "return / NoneType"),
    "sweep: always the same student": (lambda w: swept(build_student=lambda n: ALWAYS_THE_SAME, seeds=2), "build"),
    "sweep: arrays for a data set": (lambda w: swept(dataset=(X, Y)), "dataset / Dataset / tuple"),
    "sweep: labels in a column": (
        lambda w: swept(dataset=Dataset("points", *[(X, Y[:, None])] * 3, tuple("abcd"))), "labels / logits / shape",
    ),
    "sweep: one-hot rows": (lambda w: swept(dataset=Dataset("points", *[(X, ROWS)] * 3, tuple("abcd"))), "labels"),
    "sweep: no transfer set": (lambda w: swept(transfer=True), "transfer / labelled"),
    "sweep: no teacher": (lambda w: swept(teacher=None), "teacher / Keras model / NoneType"),
    "trained: the data first": (lambda w: trained(DATA, models.mlp, epochs=1), "build / function / Dataset"),
    "trained: a slip in a setting": (lambda w: trained(models.mlp, DATA, epochs=1, hiden=3), "build / hiden"),
    "trained: a function without return": (lambda w: trained(lambda data: None, DATA, epochs=1), "return / NoneType"),
    "restore: no table": (lambda w: restore_students([1], model), "weights / sweep"),
    "cache: no model": (lambda w: cache.fit(None, X, Y), "model / compile"),
    # data and models
    "load: fewer labels than classes": (lambda w: load_dataset("digits", labelled=0.001), "few / labels"),
    "letters: numbers": (lambda w: as_letters([1, 2]), "words / texts"),
    "letters: one text": (lambda w: as_letters("Haus"), "words / texts"),
    "mlp: words": (lambda w: models.mlp(WORDS), "numbers / as_letters"),
    "mlp: no data": (lambda w: models.mlp(None), "data / Dataset"),
    "mlp: no units": (lambda w: models.mlp(DATA, hidden=(0,)), "units"),
    "cnn: points": (lambda w: models.cnn(DATA), "images"),
    "text_cnn: images": (lambda w: models.text_cnn(PICTURES), "letters"),
    "bigram_bag: images": (lambda w: models.bigram_bag(PICTURES), "letters"),
    "bigram_bag: points": (lambda w: models.bigram_bag(DATA), "letters / float32"),
    # numbers
    "soft targets: text": (lambda w: soft_targets("abc"), "logits / numbers / abc"),
    "soft targets: ragged": (lambda w: soft_targets([[1, 2], [3]]), "logits / numbers"),
    "agreement: other classes": (lambda w: metrics.agreement([[1, 2]], [[1, 2, -3]]), "same"),
    "front: NaN": (lambda w: metrics.pareto_front([1, NAN], [1, 2]), "NaN"),
    "scaling: nothing": (lambda w: metrics.temperature_scaling([], []), "one number per class"),
    "loss: other examples": (lambda w: distillation_loss(Z, np.ones((4, 3)), 1), "(2, 3) / (4, 3)"),
    "loss: other classes": (lambda w: distillation_loss(Z, np.ones((2, 4)), 1), "teacher / 3 / student / 4"),
    "loss: one class": (lambda w: distillation_loss(Z[:, :1], Z[:, :1], 1), "one number / sigmoid / mean_square"),
    "loss: other axes": (lambda w: distillation_loss(np.ones((4, 4)), np.ones((4, 4, 4)), 1), "(4, 4) / (4, 4, 4)"),
    "hard loss: one label for a sequence": (
        lambda w: hard_label_loss(np.zeros(2, int), np.zeros((2, 5, 4))), "(2,) / (2, 5, 4) / one-hot / 4 numbers",
    ),
    "hard loss: labels in two axes": (lambda w: hard_label_loss(np.ones((2, 2, 2)), Z), "one integer"),
    # smaller ones
    "export: no model": (lambda w: export_litert(None), "Keras model"),
    "export: sizes of None": (lambda w: export_litert(sized_by_images()), "shape"),
    "export: a function LiteRT does not know": (
        lambda w: export_litert(keras.Sequential([keras.Input((4,)), layers.Lambda(tf.math.bessel_i0)])), "LiteRT",
    ),
    "export: two outputs": (lambda w: export_litert(of_two(), "int8", X), "2 outputs / model.output"),
    "export: a function Keras cannot find": (
        lambda w: export_litert(keras.Sequential([keras.Input((4, 2)), layers.GRU(3), layers.Dense(3, tripled)])),
        "dense / decorate",
    ),
    "LiteRT: no file": (lambda w: litert_predict(b"xx", X), "LiteRT / bytes"),
    "LiteRT: a sound": (lambda w: litert_predict(b"....WAVE", X), "LiteRT / bytes"),
    "counting: sizes of None": (lambda w: compress.multiply_adds(sized_by_images()), "None"),
    "counting: a layer of one's own": (
        lambda w: compress.multiply_adds(keras.Sequential([keras.Input((4,)), Table()])), "Table",
    ),
    "counting: a subclass of attention": (
        lambda w: counted(lambda x: type("Mine", (layers.MultiHeadAttention,), {})(2, 3)(x, x)), "Mine",
    ),
    "counting: products without weights": (lambda w: counted(lambda x: layers.Dot(2)([x, x])), "Dot"),
    "card: no model": (lambda w: model_card(None, DATA), "model / Keras model"),
    "card: no data": (lambda w: model_card(w.student, None), "data / Dataset"),
    "cascade: a dictionary": (lambda w: Cascade(w.student, w.teacher).predict({"a": X}), "Cascade / array"),
    "live training: too few labels": (lambda w: live_distillation(w.one, {"a": X}, Y[:5], (X, Y)), "33 / 5"),
    "a name with a slip": (lambda w: distill_edu.Destiller, "Destiller / Distiller"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_wrong_use_gets_one_sentence_and_changes_nothing(world, name):
    refused(world, *CALLS[name])


def test_a_table_without_weights_is_refused(world):
    table = swept()  # this sweep is right, and is kept
    refused(world, lambda w: restore_students(table, model), "weights / sweep")
