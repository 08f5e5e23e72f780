"""Every way of running gives the same student and refuses the same: eager, graph, three steps at once, mixed
precision, at night XLA and two devices.

Eager is the way to compare with: what it computes is tested in test_losses, test_hints, test_distiller.
"""

import contextlib
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import CLASSES, LIGHT, distiller, image_model, model, same, soft, weights
from small import X as ALL_X
from small import Y as ALL_Y

from distill_edu import Classroom, Distiller, losses
from distill_edu.hints import AttentionTransfer, Hint, RelationalAngle, RelationalDistance

pytestmark = pytest.mark.nightly  # it traces hundreds of steps

RANDOM = np.random.RandomState(0)
X, Y = ALL_X[:17], ALL_Y[:17]  # two batches of 8, and a ragged one
WAYS = {"eager": {"run_eagerly": True}, "graph": {}, "three steps at once": {"steps_per_execution": 3}}
XLA = {"XLA": {"jit_compile": True}, "XLA, three steps at once": {"jit_compile": True, "steps_per_execution": 3}}


# --- who is trained -------------------------------------------------------------------------------------------------

KNOWN = np.arange(17) % 5 > 0  # the examples that have a label
LABELS = {
    "classes": np.where(KNOWN, Y, -1),
    "yes_no": np.where(KNOWN[:, None], RANDOM.rand(17, CLASSES) < 0.4, -1).astype("float32"),
    "numbers": np.where(KNOWN[:, None], RANDOM.randn(17, CLASSES), np.nan).astype("float32"),
}


@contextlib.contextmanager
def dtype_policy(name):
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


def with_loss(name, norm=True):
    def build(policy="float32", **how):
        teacher = model(99, units=16)
        with dtype_policy(policy):
            one = Distiller(student=model(norm=norm), teacher=teacher)
        metrics = ["accuracy"] if losses.SOFT_LOSSES[name].task == "classes" else ["mse"]
        one.compile(keras.optimizers.SGD(0.1), temperature=3, alpha=0.3, soft_loss=name, metrics=metrics, **how)
        return one

    return build, LABELS[losses.SOFT_LOSSES[name].task]


def with_hints(*kinds):
    def build(policy="float32", **how):
        teacher = image_model(9, 5)
        with dtype_policy(policy):
            student = image_model(0, 3)
            one = Distiller(student=student, teacher=teacher, hints=[kind() for kind in kinds])
        one.compile(keras.optimizers.SGD(0.1), **how)
        return one

    return build, Y


def classroom(*units):
    def build(policy="float32", **how):
        with dtype_policy(policy):
            students = [model(seed, units=each) for seed, each in enumerate(units)]
        teacher, many = model(99, units=16), {"temperatures": [1, 4, 8], "alphas": [0.1, 0.3, 1.0]}
        one = Classroom(students=students, teacher=teacher, **many)
        one.compile(keras.optimizers.SGD(0.1), metrics=["accuracy"], **how)
        return one

    return build, LABELS["classes"]


PLACES = functools.partial(Hint, "conv", "conv"), functools.partial(AttentionTransfer, "conv", "conv", weight=0.7)
RELATIONS = [functools.partial(kind, "flat", "flat") for kind in (RelationalDistance, RelationalAngle)]
TRAINED = {name: with_loss(name) for name in losses.SOFT_LOSSES} | {
    "hints": with_hints(*PLACES),
    "relations": with_hints(*RELATIONS),
    "students alike": classroom(8, 8, 8),
    "students of two sizes": classroom(8, 5, 8),
}  # name -> (a function that builds it, its labels)


def parts(one):
    """What is trained."""
    return one.students if isinstance(one, Classroom) else [one.student, *one.hints]


def results(one, x, y):
    """The weights after one epoch, its history, and an evaluation after it."""
    history = one.fit(x, y, batch_size=8, **LIGHT).history
    return [each for part in parts(one) for each in weights(part)], history, evaluated(one, x, y)


def evaluated(one, x, y):
    return one.evaluate(x, y, batch_size=8, verbose=0, return_dict=True)


@functools.cache
def eager(name):
    build, y = TRAINED[name]
    return results(build(run_eagerly=True), X, y)


def require_same(got, expected, rtol=1e-3, atol=1e-5):
    assert same(got[0], expected[0], atol=atol)
    for values, others in zip(got[1:], expected[1:], strict=True):
        assert set(values) == set(others)
        for name, value in values.items():
            assert np.allclose(value, others[name], rtol=rtol, atol=atol), name


# --- the same student -----------------------------------------------------------------------------------------------


CELLS = [("graph", name) for name in ("kl", "students alike")] + [("three steps at once", name) for name in TRAINED]
CELLS += [(way, name) for way in XLA for name in TRAINED]


@pytest.mark.parametrize("way, name", CELLS)
def test_every_way_gives_the_same_student(way, name):
    build, y = TRAINED[name]
    one = build(**{**WAYS, **XLA}[way])
    assert one.jit_compile == ("XLA" in way)
    require_same(results(one, X, y), eager(name))


@pytest.mark.parametrize(
    "way, name",
    [*(("eager", name) for name in ("kl", "sigmoid", "hints", "students alike")), ("graph", "students alike")],
)
def test_mixed_precision_scales_the_loss_and_gives_nearly_the_same_student(way, name):
    build, y = TRAINED[name]
    one = build("mixed_float16", **WAYS[way])
    optimizer = one.distillers[0].optimizer if isinstance(one, Classroom) else one.optimizer
    assert type(optimizer).__name__ == "LossScaleOptimizer"
    require_same(results(one, X, y), eager(name), rtol=0.03, atol=5e-3)


UNEVEN = np.where(np.arange(16) % 8 < 5, -1, Y[:16])  # of every eight, the first device's four have no label
SHARES = {"whole": (X[:16], Y[:16]), "examples": (X[:9], Y[:9]), "labels": (X[:16], UNEVEN)}
ON_DEVICES = {name: TRAINED[name] for name in ("hints", "students alike", "students of two sizes")}
ON_DEVICES["kl"] = with_loss("kl", norm=False)  # each device has BatchNormalization's statistics of its own share


@pytest.mark.parametrize(
    "share, name", [(share, name) for share in SHARES for name in ON_DEVICES if (share, name) != ("examples", "hints")]
)  # TensorFlow's oneDNN gives a wrong shape for a convolution of no example
def test_two_devices_give_the_numbers_of_one(share, name):
    """Also where their shares are unequal: every mean is over all that counts, wherever it lies."""
    build, data = ON_DEVICES[name][0], SHARES[share]
    # TensorFlow's collectives on CPUs keep the sizes of the first strategy of a process: these need none.
    one_sums = tf.distribute.ReductionToOneDevice()
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=one_sums).scope():
        one = build()
    require_same(results(one, *data), results(build(run_eagerly=True), *data))


# --- the same refusal -----------------------------------------------------------------------------------------------


def at(row, wrong, right):
    """The data with something wrong in one row."""
    return np.where((np.arange(17) == row).reshape(-1, *[1] * (right.ndim - 1)), wrong, right)


WRONG = {  # x, y, what the sentence names
    "NaN in x": (at(3, np.nan, X), Y, "x.* NaN"),
    "infinity in x": (at(7, np.inf, X), Y, "x.* infinity"),
    "a label too large": (X, at(2, 9, Y), "not one of the classes.* -1"),
    "a label too small": (X, at(1, -2, Y), "not one of the classes.* -1"),
}


def refused(one, x, y, sentence):
    """Neither trained weights nor BatchNormalization's statistics change."""
    before = [weights(part) for part in parts(one)]
    for call, order in ((one.fit, {"shuffle": False}), (one.evaluate, {})):
        with pytest.raises(ValueError, match=sentence) as caught:
            call(x, y, batch_size=8, verbose=0, **order)
        assert "\n" not in str(caught.value)
        assert all(same(old, weights(part), atol=0) for old, part in zip(before, parts(one), strict=True))


REFUSING = {"kl": TRAINED["kl"], "students of two sizes": TRAINED["students of two sizes"]}


@pytest.mark.parametrize("way, name", [*((way, "kl") for way in WAYS), ("graph", "students of two sizes")])
def test_wrong_data_is_refused_and_no_student_changes(way, name):
    """One refusal after the other: the model can be trained on afterwards, as if nothing had been."""
    build, _ = REFUSING[name]
    one, twin = build(**WAYS[way]), build(run_eagerly=True)
    for x, y, sentence in WRONG.values():
        refused(one, x, y, sentence)
    refused(ON_DEVICES["kl"][0](**WAYS[way]), X, None, "no labels.* alpha")  # BatchNormalization has seen x by then
    with pytest.raises(ValueError, match="not one of the classes"):
        one.fit(X, at(10, 9, Y), batch_size=8, **LIGHT)  # in the second of three batches
    twin.fit(X[:8], Y[:8], batch_size=8, **LIGHT)  # the steps before it count, those after it do not
    require_same(results(one, X, Y), results(twin, X, Y))


def test_probabilities_are_noticed_in_a_graph():
    refused(distiller(soft(), run_eagerly=False), X, Y, "student.* probabilities.*softmax off")


@pytest.mark.parametrize("way", ["eager", "graph"])
def test_single_batches_by_hand_are_guarded_too(way):
    one = REFUSING["kl"][0](**WAYS[way])
    before = weights(one.student)
    for call in (one.train_on_batch, one.test_on_batch):
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="not one of the classes|label value"):
            call(X, Y + 9)
    assert same(before, weights(one.student), atol=0)


# --- XLA ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def gpu(monkeypatch):
    """TensorFlow lists a GPU, where Keras's jit_compile="auto" takes XLA, which leaves assertions out."""
    one = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    listed = tf.config.list_physical_devices()
    seen = {None: [*listed, one], "GPU": [one]}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: seen.get(kind, listed))


@pytest.mark.parametrize("name", REFUSING)
def test_on_a_machine_with_a_gpu_there_is_no_xla_unless_it_is_asked_for(name, gpu):
    build, _ = REFUSING[name]
    plain = model()
    plain.compile()
    assert plain.jit_compile  # the fixture does what a GPU does
    for auto in ({}, {"jit_compile": "auto"}):
        assert build(**auto).jit_compile is False
    assert build(jit_compile=True).jit_compile is True
    refused(build(), *WRONG["a label too large"])


@pytest.mark.parametrize("kind", [Distiller, Classroom])
def test_compile_says_what_xla_does_not_notice(kind):
    said = " ".join(kind.compile.__doc__.split())
    assert all(word in said for word in ("jit_compile=True", "NaN", "labels", "probabilities"))
