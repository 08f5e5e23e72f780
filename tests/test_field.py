"""What people bring: models, inputs, outputs, tasks and habits from public threads, each with the right numbers.

They come from NumPy, or from the plain way of saying the same. What does not go is refused: see test_refusals.py.
"""

import functools
import tracemalloc

import keras
import numpy as np
import pandas
import pytest
import scipy.sparse
import small
import tensorflow as tf
from keras import layers
from small import (
    CLASSES,
    FEATURES,
    LIGHT,
    RANDOM,
    Table,
    X,
    Y,
    hard_values,
    logits,
    model,
    nested,
    of_numpy,
    on_top,
    reported,
    soft_values,
    subclassed,
    twice,
    weights,
)  # fmt: skip

from distill_edu import (
    Cascade,
    Classroom,
    Distiller,
    Ensemble,
    compress,
    distillation_loss,
    export_litert,
    litert_predict,
    teacher_logits,
)
from distill_edu.hints import Hint
from distill_edu.pages.shared.live import live_distillation

pytestmark = pytest.mark.nightly
T, ALPHA = 3.0, 0.25
BIG = functools.cache(lambda: model(9, units=16))
WEIGHT = RANDOM.uniform(0.5, 2, 33).astype("float32")
MANY = (RANDOM.rand(33, CLASSES) < 0.4).astype("float32")  # several labels per example, sometimes none
MANY[0] = 0
ROWS = keras.utils.to_categorical(Y, CLASSES)
PER_CLASS = {0: 2.0, 2: 0.5}
OF_CLASS = np.array([PER_CLASS.get(label, 1) for label in Y])
GRAPH = {"run_eagerly": False}  # where the traced graph is what could go wrong


def distiller(student=None, teacher=None, **how):
    still = {"optimizer": keras.optimizers.SGD(0.0), "temperature": T, "alpha": ALPHA}
    return small.distiller(student, teacher or BIG(), **{**still, **how})


def parts(x=X, y=Y, student=None, teacher=None, how=None, way="evaluate", **given):
    """(hard, soft) as `evaluate` or an epoch of `fit` that learns nothing reports them."""
    batch_size = None if y is None else 33
    got = reported(distiller(student, teacher, **(how or {})), x, y, way, batch_size=batch_size, **given)
    return got["student_loss"], got["distillation_loss"]


fitted = functools.partial(parts, way="fit")


def right(weight=1.0, student=None, teacher=None, x=X):
    z, s = logits(teacher or BIG(), x), logits(student or model(), x)
    return (weight * hard_values(Y, s)).mean(), (weight * soft_values(z, s, T)).mean()


def beside(expected, uses):
    """Rows of a table whose uses all have one right value."""
    return {name: (use, expected) for name, use in uses.items()}


def functional(out, seed=0, units=8):
    """The weights of `model(seed, units)`, with an output of another form."""
    plain = model(seed, units)
    return keras.Model(plain.inputs, out(plain.outputs[0]))


def both_subclassed():
    return {"student": subclassed(), "teacher": subclassed(9, 16)}


# --- inputs ---------------------------------------------------------------------------------------------------------


def dictionary(seed, units):
    entries = {"a": keras.Input((3,), name="a"), "b": keras.Input((3,), name="b")}
    return keras.Model(entries, model(seed, units)(layers.Concatenate()([entries["a"], entries["b"]])))


class Pages(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[11 * index : 11 * index + 11], Y[11 * index : 11 * index + 11]


def generator():
    while True:
        yield from (Pages()[i] for i in range(3))


def pipeline(y=Y, *weight):
    return tf.data.Dataset.from_tensor_slices((X, y, *weight)).batch(33)


def sparse(seed, units):
    keras.utils.set_random_seed(seed)
    entry = keras.Input((FEATURES,), sparse=True)
    return keras.Sequential([entry, layers.Dense(units, "relu"), layers.Dense(CLASSES)])


def words(units):
    keras.utils.set_random_seed(units)
    numbers = layers.TextVectorization(output_sequence_length=3, vocabulary=["one", "two", "three"])
    read = [layers.Embedding(5, units), layers.Flatten(), layers.Dense(CLASSES)]
    return keras.Sequential([keras.Input((), dtype="string"), numbers, *read])


def cached(**more):
    return {"labels": Y, "teacher_logits": teacher_logits(BIG(), X), **more}


def validated():
    history = distiller().fit(X, Y, validation_data=(X, cached(), WEIGHT), **LIGHT).history
    return history["val_student_loss"][0], history["val_distillation_loss"][0]


def of_unknown_length():
    return teacher_logits(BIG(), tf.data.Dataset.from_tensor_slices(X).filter(lambda row: True).batch(8))


TEXTS = tf.constant([["one two", "two", "three one one"][i % 3] for i in range(33)])
NAMED = {"a": X[:, :3], "b": X[:, 3:]}
HALF = 0.5 * ROWS + 0.5 / CLASSES  # soft labels, as of mixup
MATRIX = scipy.sparse.csr_matrix(X)
INPUTS = {
    **beside(right, {
        "arrays, in a graph": lambda: fitted(how=GRAPH),
        "a dictionary of inputs": lambda: parts(NAMED, student=dictionary(0, 8), teacher=dictionary(9, 16)),
        "a pipeline": lambda: parts(pipeline(), None),
        "a pipeline, in a graph": lambda: fitted(pipeline(), None, how=GRAPH),
        "a PyDataset": lambda: parts(Pages(), None),
        "a generator": lambda: fitted(generator(), None, steps_per_epoch=3),
        "tensors": lambda: fitted(tf.constant(X), tf.constant(Y)),
        "a pandas table": lambda: parts(pandas.DataFrame(X), pandas.Series(Y)),
        "a sparse matrix trains": lambda: fitted(MATRIX, student=sparse(0, 8), teacher=sparse(9, 16), how=GRAPH),
        "cached logits": lambda: parts(y=cached()),
        "cached logits in a pipeline": lambda: parts(pipeline(cached()), None),
        "labels in a column": lambda: parts(y=Y[:, None]),
        "one-hot rows": lambda: parts(y=ROWS),
        "labels as floats": lambda: parts(y=Y.astype("float32")),
    }),
    **beside(lambda: right(WEIGHT), {
        "sample weights beside cached logits": lambda: parts(y=cached(), sample_weight=WEIGHT),
        "sample weights beside cached logits in fit": lambda: fitted(y=cached(), sample_weight=WEIGHT),
        "sample weights in a pipeline": lambda: parts(pipeline(Y, WEIGHT), None),
        "validation with weights beside cached logits": validated,
    }),
    **beside(lambda: right(OF_CLASS), {
        "class weights": lambda: fitted(class_weight=PER_CLASS),
        "class weights beside cached logits": lambda: fitted(y=cached(), class_weight=PER_CLASS),
        "and labels in a column": lambda: fitted(y=cached(labels=Y[:, None]), class_weight=PER_CLASS),
    }),
    "class weights and sample weights beside cached logits": (
        lambda: fitted(y=cached(labels=ROWS), class_weight=PER_CLASS, sample_weight=WEIGHT),
        lambda: right(WEIGHT * OF_CLASS),
    ),
    "true and false are labels": (lambda: parts(y=Y > 1), lambda: parts(y=(Y > 1).astype(int))),
    "soft labels": (lambda: parts(y=HALF)[0], lambda: -(HALF * log_softmax(logits(model()))).sum(axis=1).mean()),
    "texts and a model that reads them": (
        lambda: parts(TEXTS, student=words(4), teacher=words(8), how=GRAPH),
        lambda: right(student=words(4), teacher=words(8), x=TEXTS),
    ),
    **beside(lambda: logits(BIG()), {
        "logits for a dictionary of inputs": lambda: teacher_logits(dictionary(9, 16), NAMED),
        "logits for a pipeline of unknown length": of_unknown_length,
    }),
}  # fmt: skip


# --- models and their outputs ---------------------------------------------------------------------------------------


def between(student, teacher, path):
    """The value of a Hint between two layers of one width."""
    hint = Hint(path, path)
    one = distiller(student(), teacher(), hints=[hint])
    return one.evaluate(X, Y, batch_size=33, verbose=0, return_dict=True)[hint.name]


def mean_square(a, b):
    return np.mean((np.array(a) - np.array(b)) ** 2)


@functools.cache
def normalised():
    bottom = layers.Normalization()
    bottom.adapt(2 * X + 1)
    return bottom


@functools.cache
def frozen_bottom():
    bottom = keras.Sequential([keras.Input((FEATURES,)), layers.Dense(5), layers.BatchNormalization()])
    bottom.trainable = False
    return bottom


def shared(bottom):
    return {"student": on_top(bottom), "teacher": on_top(bottom, 9, 16)}


def served():
    BIG().export("served", verbose=False)
    return keras.layers.TFSMLayer("served", call_endpoint="serve")


def eight_bits():
    one = keras.models.clone_model(BIG())
    one.set_weights(BIG().get_weights())
    one.quantize("int8")
    return one


def softmax_taken_off():
    one = model(activation="softmax")
    with pytest.raises(ValueError, match="probabilities"):
        teacher_logits(one, X)
    one.layers[-1].activation = keras.activations.linear
    return teacher_logits(one, X)


def in_a_dictionary():
    return Classroom(students=[functional(lambda z: {"z": z})], teacher=BIG()).predict(X, verbose=0)[:, 0]


def of_layer(layer, *models):
    """The mean square between what this layer of each model gives."""
    return lambda: mean_square(*[getattr(each(), layer)(X) if layer else each().layers[0](X) for each in models])


TAILS = nested, lambda: nested(9)
WIDE = subclassed, lambda: subclassed(9)
MODELS = {
    **beside(right, {
        "outputs in a list of one": lambda: parts(teacher=functional(lambda z: [z], 9, 16)),
        "an output in a dictionary": lambda: parts(student=functional(lambda z: {"z": z})),
        "a teacher's output in a dictionary": lambda: parts(teacher=functional(lambda z: {"logits": z}, 9, 16)),
        "a served teacher": lambda: parts(teacher=served()),
        "averaged weights (EMA)": lambda: fitted(how={"optimizer": keras.optimizers.SGD(0.0, use_ema=True)}),
    }),
    **beside(lambda: right(**both_subclassed()), {
        "subclassed models": lambda: parts(**both_subclassed()),
        "a student that was never called": lambda: fitted(
            student=subclassed(called=False), teacher=subclassed(9, 16), how=GRAPH
        ),
    }),
    "a shared Normalization": (lambda: fitted(**shared(normalised())), lambda: right(**shared(normalised()))),
    "a shared frozen backbone": (lambda: fitted(**shared(frozen_bottom())), lambda: right(**shared(frozen_bottom()))),
    "an int8 teacher": (lambda: parts(teacher=eight_bits(), how=GRAPH), lambda: right(teacher=eight_bits())),
    "a teacher outside of TensorFlow": (
        lambda: parts(teacher=of_numpy(CLASSES), how=GRAPH),
        lambda: (right()[0], soft_values(2 * X[:, :CLASSES].astype("float64"), logits(model()), T).mean()),
    ),
    **beside(lambda: logits(BIG()), {
        "teacher_logits out of a dictionary": lambda: teacher_logits(functional(lambda z: {"z": z}, 9, 16), X),
    }),
    "a Classroom of students with a dictionary": (in_a_dictionary, lambda: logits(model())),
    "a softmax that was taken off after it was asked": (softmax_taken_off, lambda: logits(model())),
    "a hint at a model inside a model": (lambda: between(*TAILS, "backbone"), of_layer("", *TAILS)),
    "a hint at a layer inside a model": (lambda: between(*TAILS, "backbone/deep"), of_layer("", *TAILS)),
    "a hint at a layer of an int8 teacher": (
        lambda: between(BIG, eight_bits, "hidden"),
        of_layer("", BIG, eight_bits),
    ),
    "a hint inside a subclassed model": (lambda: between(*WIDE, "hidden"), of_layer("hidden", *WIDE)),
}  # fmt: skip


# --- tasks and losses -----------------------------------------------------------------------------------------------


def log_softmax(z):
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


IMAGES, PLACES = RANDOM.randn(8, 8, 8, 3).astype("float32"), RANDOM.randint(0, 3, (8, 8, 8))
EIGHT = np.arange(8.0)


@functools.cache
def painter(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 3, padding="same")])


def dice(labels, z):
    """One value per image."""
    q, true = tf.nn.softmax(z), tf.one_hot(tf.cast(labels, "int32"), 3)
    return 1 - 2 * tf.reduce_sum(q * true, (1, 2, 3)) / tf.reduce_sum(q + true, (1, 2, 3))


def painted(labels=PLACES, n=8, **given):
    how = {"student_loss": dice, **GRAPH}
    return parts(IMAGES[:n], labels[:n], painter(0), painter(1), how, **given)[0]


TWO = ROWS / 2 + np.roll(ROWS, 1, axis=1) / 2  # two classes are possible, the others are not


def ruling_out():
    with np.errstate(divide="ignore"):
        return np.log(TWO).astype("float32")


def right_dice():
    return dice(PLACES, logits(painter(0), IMAGES).astype("float32")).numpy()


def painted_metric():
    one = distiller(painter(0), painter(1), metrics=[keras.metrics.MeanIoU(3, sparse_y_pred=False)])
    return one.evaluate(IMAGES, PLACES, batch_size=8, verbose=0, return_dict=True)["mean_io_u"]


def mean_iou():
    answers = logits(painter(0), IMAGES).argmax(axis=-1)
    both = [((c == PLACES) & (answers == c)).sum() for c in range(3)]
    either = [((c == PLACES) | (answers == c)).sum() for c in range(3)]
    return np.mean(np.divide(both, either))


PARTLY = np.where(np.arange(8)[:, None, None] % 2 * (np.arange(8) == 0), -1, PLACES)  # in every second image
SQUARE = {"soft_loss": "mean_square"}
SMOOTH = keras.losses.CategoricalCrossentropy(True, 0.2)
TASKS = {
    "boxes out of a sigmoid": (
        lambda: parts(y=MANY, student=model(activation="sigmoid"), how=SQUARE)[0],
        lambda: mean_square(MANY, logits(model(activation="sigmoid"))),
    ),
    "labels smoothed by Keras": (
        lambda: parts(y=ROWS, how={"student_loss": SMOOTH})[0],
        lambda: -((0.8 * ROWS + 0.2 / CLASSES) * log_softmax(logits(model()))).sum(axis=1).mean(),
    ),
    "one loss for an image of labels": (painted, lambda: np.mean(right_dice())),
    "five images, eight wide": (lambda: painted(n=5), lambda: np.mean(right_dice()[:5])),
    "a weight for each image": (lambda: painted(sample_weight=EIGHT), lambda: np.mean(EIGHT * right_dice())),
    "an image with places without a label": (lambda: painted(PARTLY), lambda: np.mean(right_dice()[::2])),
    "MeanIoU": (painted_metric, mean_iou),
    "a class that the teacher rules out": (
        lambda: parts(y={"labels": Y, "teacher_logits": ruling_out()}, how={"temperature": 1.0})[1],
        lambda: np.mean(np.log(0.5) - (TWO * log_softmax(logits(model()))).sum(axis=1)),
    ),
    **beside(lambda: soft_values(logits(BIG()), logits(model()), T), {
        "T as a tensor": lambda: tf.function(functools.partial(distillation_loss, *both_logits()))(tf.constant(T)),
        "T as a variable": lambda: distillation_loss(*both_logits(), tf.Variable(T)),
    }),
}  # fmt: skip


def both_logits():
    return logits(BIG()), logits(model())


# --- after the training ---------------------------------------------------------------------------------------------


SERIES = RANDOM.randn(5, 4, FEATURES).astype("float32")


def recurrent(kind):
    return keras.Sequential([keras.Input((4, FEATURES)), kind, layers.Dense(CLASSES)])


def on_the_phone(make, x=X, of=None):
    """(what LiteRT gives for the exported model, what the model itself gives)."""
    one = functools.cache(make)  # its weights are drawn when it is made
    return (lambda: litert_predict(export_litert(one()), x)), (lambda: logits((of or one)(), x))


def exported():
    one = distiller()
    one.fit(X, Y, **LIGHT)
    one.export("exported", verbose=False)
    loaded = tf.saved_model.load("exported")
    return loaded.serve(X)


AFTER = {
    "a Distiller on the phone": on_the_phone(distiller, of=model),
    "a subclassed student on the phone": on_the_phone(subclassed),
    "an ensemble on the phone": on_the_phone(lambda: Ensemble([model(), model(3)])),
    "a GRU in both directions on the phone": on_the_phone(
        lambda: recurrent(layers.Bidirectional(layers.GRU(3))), SERIES
    ),
    "a Distiller that is exported": (exported, lambda: logits(model())),
}


def attending(x, shape, **settings):
    image = layers.Reshape(shape)(x)
    return layers.MultiHeadAttention(2, 3, **settings)(image, image)


def masked(x):
    mask = keras.ops.ones((1, 3, 5), "bool")
    return layers.MultiHeadAttention(2, 3)(query=layers.Cropping1D((0, 2))(x), value=x, attention_mask=mask)


COUNTED = {  # multiplications: of a layer on 5 times of 6 features
    "LSTM": (layers.LSTM(4), 5 * 4 * (6 * 4 + 4 * 4)),
    "GRU in both directions": (layers.Bidirectional(layers.GRU(4)), 2 * 5 * 3 * (24 + 16)),
    "attention": (lambda x: layers.MultiHeadAttention(2, 3)(x, x), 4 * 5 * 6 * 6 + 2 * 2 * 5 * 5 * 3),
    "attention over images": (lambda x: attending(x, (5, 2, 3)), 4 * 10 * 3 * 6 + 2 * 2 * 10 * 10 * 3),
    "attention over rows": (lambda x: attending(x, (5, 2, 3), attention_axes=2), 4 * 10 * 3 * 6 + 2 * 2 * 10 * 2 * 3),
    "attention with a mask": (masked, 2 * (3 + 5) * 6 * 6 + 2 * 2 * 3 * 5 * 3),
    "a layer for each time": (layers.TimeDistributed(layers.Dense(4)), 5 * 24),
    "a separable convolution": (layers.SeparableConv1D(7, 3), 3 * (3 * 6 + 6 * 7)),
    "a transposed convolution": (layers.Conv1DTranspose(7, 3, strides=2), 5 * 3 * 6 * 7),
    "an einsum": (layers.EinsumDense("abc,cd->abd", (None, 7)), 5 * 6 * 7),
    "what is normalised": (lambda x: layers.GroupNormalization(2)(layers.PReLU()(x)), 0),
}


@pytest.mark.parametrize("name", COUNTED)
def test_multiplications_are_counted(name):
    make, right_count = COUNTED[name]
    entry = keras.Input((5, 6))
    assert compress.multiply_adds(keras.Model(entry, make(entry))) == right_count


def test_multiplications_of_whole_models():
    assert compress.multiply_adds(twice()) == 2 * 48 + 64  # a layer that is used twice
    assert compress.multiply_adds(subclassed()) == 48 + 32
    entry, shared = keras.Input((FEATURES,)), layers.Dense(8)
    a, b = (keras.Sequential([keras.Input((FEATURES,)), shared, *more]) for more in ([], [layers.Dense(4)]))
    assert compress.multiply_adds(keras.Model(entry, [a(entry), b(entry)])) == 2 * 48 + 32  # of two models


WORKS = {**INPUTS, **MODELS, **TASKS, **AFTER}


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", WORKS)
def test_what_people_bring_gives_the_right_numbers(name):
    use, expected = WORKS[name]
    got, wanted = (np.asarray(each()) for each in (use, expected))
    assert got.shape == wanted.shape and np.allclose(got, wanted, rtol=2e-4, atol=2e-5), (got, wanted)


def test_a_student_in_half_precision_goes_to_the_phone_in_single():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        one = model()
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.allclose(litert_predict(export_litert(one), X), logits(one), atol=5e-3)


# --- what takes more than a line ------------------------------------------------------------------------------------


def reader(seed):
    keras.utils.set_random_seed(seed)
    read = [Table(), layers.GlobalAveragePooling1D(), layers.Dense(4)]
    return keras.Sequential([keras.Input((5,), dtype="int32"), *read])


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam(0.05), keras.optimizers.RMSprop(0.05)])
def test_a_table_of_ones_own_learns_in_a_classroom_as_it_does_alone(optimizer):
    x = RANDOM.randint(0, 60, (33, 5))
    together = Classroom(students=[reader(0), reader(1)], teacher=reader(9))
    together.compile(optimizer)
    together.fit(x, Y, batch_size=8, **LIGHT)
    alone = Distiller(student=reader(1), teacher=reader(9))
    alone.compile(type(optimizer)(0.05))
    alone.fit(x, Y, batch_size=8, **LIGHT)
    for mine, its in zip(weights(together.students[1]), weights(alone.student), strict=True):
        assert np.array_equal(mine, its)


def test_a_shared_layer_that_is_thawed_later_is_refused_before_it_learns():
    bottom = layers.Dense(5, trainable=False)
    one = distiller(**shared(bottom))
    one.fit(X, Y, **LIGHT)
    bottom.trainable = True
    before = weights(one.teacher)
    one.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    with pytest.raises(ValueError, match="share"):
        one.fit(X, Y, **LIGHT)
    assert all(np.array_equal(a, b) for a, b in zip(before, weights(one.teacher), strict=True))


def test_students_of_a_classroom_may_share_what_is_frozen():
    bottom = layers.Dense(5, trainable=False)
    students = [on_top(bottom), on_top(bottom, 1)]
    one = Classroom(students=students, teacher=BIG())
    one.compile("adam")
    one.fit(X, Y, **LIGHT)
    alone = distiller(on_top(bottom, 1), BIG(), optimizer="adam", temperature=4.0, alpha=0.1)
    alone.fit(X, Y, **LIGHT)
    assert np.allclose(students[1].predict(X, verbose=0), logits(alone.student), atol=1e-5)


def test_teacher_logits_take_little_more_memory_than_they_are():
    wide = keras.Sequential([keras.Input((2,)), layers.Dense(100)])
    x = np.zeros((200_000, 2), "float32")
    teacher_logits(wide, x[:300])
    tracemalloc.start()
    z = teacher_logits(wide, x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert z.dtype == np.float32 and peak < 1.5 * z.nbytes


def test_a_cascade_with_another_teacher_forgets_the_old_one_s_answers():
    one = Cascade(model(), BIG(), threshold=1.0)
    one.predict(X)
    one.teacher = model(5)
    got = one.predict(X)
    assert set(got.sources) == {"teacher"} and np.array_equal(got.labels, logits(model(5)).argmax(axis=1))


def test_a_live_training_takes_a_dictionary_of_inputs():
    one = distiller(dictionary(0, 8), dictionary(9, 16), optimizer="adam", **GRAPH)
    live = live_distillation(one, NAMED, Y, (NAMED, Y), batch_size=8, every=2)
    live.train_now(4)
    assert len(live.runs[-1][0]) == 2
