"""What is kept on disk is only ever what was computed, from all that it depends on; and a file there runs no code."""

import os
import pickle
import random
import re
import shutil
import warnings
from pathlib import Path

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from small import CLASSES, X, Y, model, same, weights

import distill_edu
from distill_edu import Classroom, Distiller, cache, teacher_logits
from distill_edu._inside import cache_key, disk, source_code  # noqa: TID251 - the key itself is tested
from distill_edu.hints import Hint

CE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
QUIET = {"batch_size": 8, "verbose": 0}
LOGITS = np.random.RandomState(0).randn(len(Y), CLASSES).astype("float32")
PACKAGE = Path(distill_edu.__file__).parent


pytestmark = pytest.mark.usefixtures("folder")


def compiled(optimizer="sgd", seed=3, **settings):
    built = model(seed, **{"noise": 0.2, **settings})
    built.compile(optimizer, CE, metrics=["accuracy"])
    return built


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_what_is_kept_comes_back_as_it_was():
    result = {
        "numbers": [1, 2.5, None, True, float("inf")],
        "size": {4: np.float32(0.1), "a": [], np.int64(8): 1},
        "arrays": [np.arange(6, dtype="int8").reshape(2, 3), np.array(["a", "ü"]), np.zeros((0, 3)), np.array(1.5)],
        "bfloat16": np.array([1.5, -2], ml_dtypes.bfloat16),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.keep("a", result) is result
        again = cache.recall("a")
    assert again["numbers"] == result["numbers"] and again["size"] == {4: float(np.float32(0.1)), "a": [], 8: 1}
    for kept, given in zip([*again["arrays"], again["bfloat16"]], [*result["arrays"], result["bfloat16"]], strict=True):
        assert kept.dtype == given.dtype and (kept == given).all() and kept.shape == given.shape
    for wrong in (object(), np.array([object()]), {(1, 2): 3}):
        with pytest.raises(TypeError, match="not kept"):
            cache.keep("b", wrong)
    assert cache.recall("b") is None


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("ran",))


def test_a_file_that_somebody_put_there_runs_no_code(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder.mkdir()
    (folder / "a").write_bytes(pickle.dumps(Evil()))
    np.savez(folder / "b.npz", result=np.array([Evil()], dtype=object), allow_pickle=True)
    (folder / "b.npz").rename(folder / "b")
    for key in "ab":
        with pytest.warns(UserWarning, match="is damaged .* computed again") as warned:
            assert cache.recall(key) is None
        assert warned[0].filename == __file__  # the line that asked
    assert not Path("ran").exists()
    forbidden = r"import (pickle|dill|joblib.load)|\bpickle\."
    assert not any(re.search(forbidden, path.read_text()) for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("key", ["../x", "a/b", "", ".", "..", "/tmp/x", None])
def test_a_key_stays_in_its_folder(key, folder):
    for call in (lambda: cache.keep(key, 1), lambda: cache.recall(key)):
        with pytest.raises(ValueError, match="key must be the plain name of a file"):
            call()
    assert not folder.exists()


@pytest.mark.parametrize("step", [(os, "replace"), (Path, "write_bytes")])
def test_what_is_not_written_to_its_end_leaves_the_older_result(monkeypatch, folder, step):
    cache.keep("name", "old")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(*step, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        cache.keep("name", "new")
    assert cache.recall("name") == "old" and [path.name for path in folder.iterdir()] == ["name"]
    assert cache.keep("name", "newer") == cache.recall("name") == "newer"


def test_what_killed_writers_left_is_swept_up_when_it_is_a_day_old(folder):
    cache.keep("a", 1)
    left = [folder / f"{disk.ASIDE}{age}" for age in ("old", "new")]
    for path in left:
        path.mkdir()
        (path / "half").write_text("x")
    yesterday = os.stat(left[0]).st_mtime - disk.A_DAY - 60
    os.utime(left[0], (yesterday, yesterday))
    cache.keep("b", 2)
    assert [path.exists() for path in left] == [False, True] and cache.recall("a") == 1


def test_a_file_without_permission_is_not_called_damaged(monkeypatch):
    cache.keep("a", 1)
    monkeypatch.setattr(np, "load", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.warns(UserWarning, match="cannot be read .*Permission denied"):
        assert cache.recall("a") is None


def test_the_folder_is_at_home_or_where_the_variable_says(monkeypatch, tmp_path):
    assert cache.folder() == tmp_path / "kept"
    monkeypatch.setenv("DISTILL_EDU_CACHE", "~/x")
    assert cache.folder() == Path.home() / "x"
    monkeypatch.delenv("DISTILL_EDU_CACHE")
    assert cache.folder() == Path.home() / ".cache" / "distill_edu"
    assert distill_edu.cache is cache
    monkeypatch.setattr(Path, "expanduser", lambda path: (_ for _ in ()).throw(RuntimeError("no home")))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.warns(UserWarning, match="There is no home folder, .* set DISTILL_EDU_CACHE"):
        assert cache.folder() == tmp_path / "distill_edu"


# --- what a fit depends on: data, settings, states ------------------------------------------------------------------


def test_a_fit_is_remembered_with_its_history(fits):
    def fit(trained, **arguments):
        keras.utils.set_random_seed(5)
        return cache.fit(trained, X, Y, **{**QUIET, "epochs": 2, **arguments})

    first, again = compiled(), compiled()
    history = fit(first)
    assert len(history["accuracy"]) == 2 and len(fits) == 1
    assert fit(again, verbose=2) == history and same(weights(first), weights(again), atol=0) and len(fits) == 1


def hinted(weight=2.5, layer="h"):
    keras.utils.set_random_seed(0)
    wide, narrow = (
        [keras.layers.Dense(units, name=name) for name in ("h", "hidden_1", "hidden_2")] for units in (5, 3)
    )
    student, teacher = (keras.Sequential([keras.Input((6,)), *some, keras.layers.Dense(4)]) for some in (narrow, wide))
    distiller = Distiller(student=student, teacher=teacher, hints=[Hint(layer, "h", weight=weight)])
    distiller.compile("sgd", temperature=3.0, alpha=0.3)
    return distiller


@pytest.mark.nightly
def test_a_distiller_is_remembered_with_its_projector_and_its_settings(fits):
    def fit(**settings):
        distiller = hinted(**settings)
        keras.utils.set_random_seed(0)
        targets = {"labels": Y, "teacher_logits": teacher_logits(distiller.teacher, X)}
        return distiller, cache.fit(distiller, X, targets, **QUIET)

    (first, history), (again, remembered) = fit(), fit()
    assert len(fits) == 1 and history == remembered and same(weights(first), weights(again), atol=0)
    assert (again.temperature, again.alpha, again.hints[0].weight) == (3.0, 0.3, 2.5)
    losses = {fit(**changed)[1]["loss"][0] for changed in ({"weight": 2}, {"layer": "hidden_1"}, {"layer": "hidden_2"})}
    assert len(losses - {history["loss"][0]}) == 3 and len(fits) == 4


@pytest.mark.nightly
@pytest.mark.parametrize(
    "change",
    {
        "epochs": {"epochs": 3},
        "batch size": {"batch_size": 9},
        "x": {"x": X + 1},
        "y": {"y": (Y + 1) % 4},
        "sample weights": {"sample_weight": np.ones(33)},
        "validation": {"validation_data": (X, Y)},
        "another seed, and it shuffles": {"seed": 6},
        "start": {"build": lambda: compiled(seed=4)},
        "architecture": {"build": lambda: compiled(activation="tanh")},
        "dropout": {"build": lambda: compiled(noise=0.3)},
        "optimizer": {"build": lambda: compiled(keras.optimizers.SGD(0.5))},
        "decay": {"build": lambda: compiled(without_decay([]))},
        "what does not decay": {"build": lambda: compiled(without_decay(["kernel"]))},
    }.items(),
    ids=lambda change: change[0],
)
def test_whatever_a_fit_depends_on_is_in_its_key(fits, change):
    def fit(build=compiled, seed=5, x=X, y=Y, **arguments):
        built = build()
        keras.utils.set_random_seed(seed)
        cache.fit(built, x, y, **{**QUIET, "epochs": 2, **arguments})

    for _ in range(2):
        fit()
    if change[0] == "what does not decay":
        fit(lambda: compiled(without_decay([])))
        fits.pop()
    assert len(fits) == 1
    fit(**change[1])
    fit(**change[1])
    assert len(fits) == 2


def without_decay(names):
    optimizer = keras.optimizers.SGD(0.1, weight_decay=1.0)
    optimizer.exclude_from_weight_decay(var_names=names) if names else None
    return optimizer


def classroom(temperatures=(1.0, 4.0), alphas=0.3, optimizer="sgd", soft_loss="kl", seeds=(1, 2)):
    room = Classroom(students=[model(seed) for seed in seeds], temperatures=list(temperatures), alphas=alphas)
    room.compile(optimizer, soft_loss=soft_loss)
    return room


def test_a_classroom_is_remembered_with_every_students_weights_and_history(fits):
    targets = {"labels": Y, "teacher_logits": LOGITS}
    rooms = classroom(), classroom()
    histories = [cache.fit(room, X, targets, shuffle=False, **QUIET) for room in rooms]
    assert len(fits) == 1 and np.array_equal(histories[0]["loss"], histories[1]["loss"])
    assert np.shape(histories[1]["loss"]) == (1, 2)
    for first, again in zip(rooms[0].students, rooms[1].students, strict=True):
        assert same(weights(first), weights(again))
    assert not same(weights(rooms[0].students[0]), weights(classroom().students[0]))


@pytest.mark.nightly
@pytest.mark.parametrize(
    "changed", [{"temperatures": (1, 2)}, {"alphas": 0.4}, {"optimizer": "adam"}, {"soft_loss": "reverse_kl"}]
)
def test_how_a_classroom_learns_is_in_its_key(fits, changed):
    for room in (classroom(), classroom(**changed)):
        cache.fit(room, X, {"labels": Y, "teacher_logits": LOGITS}, shuffle=False, **QUIET)
    assert len(fits) == 2


@pytest.mark.nightly
@pytest.mark.parametrize(
    "build, y",
    [
        (lambda: compiled("adam", noise=0.0), Y),
        (lambda: classroom(optimizer="adam"), {"labels": Y, "teacher_logits": LOGITS}),
        (lambda: classroom(optimizer="adam", temperatures=[2.0], seeds=[1]), {"labels": Y, "teacher_logits": LOGITS}),
    ],
    ids=["a model", "students alike", "a student alone"],
)
def test_a_second_lesson_goes_on_with_the_optimizers_state_as_keras_does(fits, build, y):
    """Adam's means and its count of steps: after a lesson that was remembered, too."""
    how, learned = {**QUIET, "shuffle": False}, []
    for fit in (lambda taught: taught.fit(X, y, **how), *[lambda taught: cache.fit(taught, X, y, **how)] * 2):
        taught = build()
        for _ in range(2):
            fit(taught)
        learned.append([np.array(variable) for variable in taught.variables])
    assert len(fits) == 4 and same(*learned[:2]) and same(*learned[1:], atol=0)
    fresh = build()
    for variable, value in zip(fresh.variables, learned[0], strict=True):
        variable.assign(value)
    cache.fit(fresh, X, y, **how)  # a third lesson with a new optimizer, from the weights of the second
    assert len(fits) == 5


@pytest.mark.nightly
def test_a_fit_that_does_not_shuffle_does_not_depend_on_the_seed(fits):
    for seed in (1, 2):
        trained = compiled(noise=0.0)
        keras.utils.set_random_seed(seed)
        cache.fit(trained, X, Y, shuffle=False, **QUIET)
    assert len(fits) == 1


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["a Lambda", "Keras's own function in a Lambda", "a layer", "a loss"])
def test_a_fit_that_runs_code_which_may_draw_depends_on_the_seed(fits, kind):
    class Noisy(keras.layers.Layer):
        def call(self, x):
            return x + keras.random.normal((6,))

    def noisy(y, z):
        return CE(y, z) * keras.random.uniform(())

    noise = {
        "a Lambda": lambda: keras.layers.Lambda(lambda x: x + keras.random.normal((6,))),
        "Keras's own function in a Lambda": lambda: keras.layers.Lambda(tf.nn.dropout, arguments={"rate": 0.5}),
        "a layer": Noisy,
    }
    losses = []
    for seed in (1, 2, 1):
        keras.utils.set_random_seed(0)
        blocks = [noise[kind]()] if kind in noise else []
        trained = keras.Sequential([keras.Input((6,)), *blocks, keras.layers.Dense(CLASSES)])
        trained.compile("sgd", noisy if kind == "a loss" else CE)
        keras.utils.set_random_seed(seed)
        losses.append(cache.fit(trained, X, Y, shuffle=False, **QUIET)["loss"])
    assert losses[0] != losses[1] and losses[0] == losses[2] and len(fits) == 2


SETTINGS = {
    "epsilon": 0.1,
    "floatx": "float64",
    "image_data_format": "channels_first",
    "dtype_policy": "mixed_bfloat16",
}
SETTINGS |= {"max_epochs": 1, "max_steps_per_epoch": 1}


@pytest.mark.parametrize("name", [name for name in SETTINGS if hasattr(keras.config, f"set_{name}")])
def test_what_is_set_in_keras_for_all_models_is_in_every_key_where_it_is_no_default(name):
    before, keys = getattr(keras.config, name)(), {}
    for value in (before, SETTINGS[name], before):
        getattr(keras.config, f"set_{name}")(value)
        keys.setdefault(str(value), set()).add((cache.key("x"), cache_key.portable_key("x")))
    assert len({one for pairs in keys.values() for pair in pairs for one in pair}) == 4
    assert all(len(pairs) == 1 for pairs in keys.values())


@pytest.mark.nightly
def test_a_fit_with_another_epsilon_is_another_fit(fits):
    losses = []
    for epsilon in (1e-7, 0.1):
        keras.config.set_epsilon(epsilon)
        trained = model(activation="softmax")
        trained.compile("sgd", "kl_divergence")
        losses.append(cache.fit(trained, X, np.eye(CLASSES)[Y], shuffle=False, **QUIET)["loss"])
        keras.config.set_epsilon(1e-7)
    assert losses[0] != losses[1] and len(fits) == 2


def test_what_is_learned_next_is_the_same_after_a_hit_as_after_a_miss(fits):
    """Dropout has a random state of its own, which is no weight: with another one the next lesson was another, too."""
    learned = []
    for _ in range(2):
        teacher = compiled()
        cache.fit(teacher, X, Y, **QUIET)
        distiller = Distiller(student=model(1, noise=0.5), teacher=teacher)
        distiller.compile("sgd")
        for _ in range(2):
            cache.fit(distiller, X, {"labels": Y, "teacher_logits": LOGITS}, **QUIET)
        learned.append([np.array(variable) for variable in distiller.variables])
    assert len(fits) == 3 and len(learned[0]) > len(weights(distiller)) and same(*learned, atol=0)


def test_a_model_without_weights_yet_is_refused_at_the_first_time_not_at_the_second(fits):
    unbuilt = keras.Sequential([keras.layers.Dense(4)])
    unbuilt.compile("sgd", CE)
    with pytest.raises(ValueError, match="call it once"):
        cache.fit(unbuilt, X, Y, **QUIET)
    unbuilt(X)
    cache.fit(unbuilt, X, Y, **QUIET)
    assert len(fits) == 1
    with pytest.raises(ValueError, match="compile"):
        cache.fit(model(), X, Y)


def test_the_random_state_is_the_same_after_a_hit_as_after_a_miss(fits):
    states = []
    for _ in range(2):
        trained = compiled()
        keras.utils.set_random_seed(8)
        cache.fit(trained, X, Y, **QUIET)
        drawn = keras.random.uniform(()), tf.random.uniform(())
        states.append((random.random(), np.random.rand(), *map(float, drawn)))
    assert states[0] == states[1] and len(fits) == 1


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"callbacks": [keras.callbacks.TerminateOnNaN()]}, "takes no callbacks"),
        ({"x": iter([(X, Y)]), "y": None}, "needs x as arrays, not .*iterator"),
        ({"x": tf.data.Dataset.from_tensor_slices((X, Y)).batch(8), "y": None}, "needs x as arrays, not _BatchDataset"),
        ({"validation_data": tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)}, "needs validation_data as arrays"),
    ],
)
def test_what_cannot_be_compared_with_last_time_gets_a_sentence(arguments, sentence, folder):
    with pytest.raises(TypeError, match=sentence):
        cache.fit(compiled(), **{"x": X, "y": Y, **arguments})
    assert not folder.exists()


# --- the key's other parts ------------------------------------------------------------------------------------------


def test_another_version_below_the_package_is_another_key(monkeypatch):
    assert cache_key.versions() == [keras.__version__, tf.__version__, np.__version__]
    before = cache.key("part")
    assert before == cache.key("part") != cache.key("other")
    for number in range(3):
        with monkeypatch.context() as patch:
            versions = cache_key.versions()
            versions[number] = "0"
            patch.setattr(cache_key, "versions", lambda versions=versions: versions)
            assert cache.key("part") != before


def test_values_that_differ_have_different_keys_and_equal_ones_have_one():
    zeros = np.zeros(4, "float32")
    different = [0, 0.0, False, None, "", "0", [], [0], (0,), {0: 0}, zeros, zeros.reshape(2, 2), zeros.astype("f8")]
    different += [
        -0.0,
        np.float32(0),
        b"",
        {0},
        {"a": 0, "b": 1},
        np.array(["a"]),
        len,
        np.exp,
        np.log,
        keras,
        slice(0),
    ]
    assert len({cache.key(value) for value in different}) == len(different)
    assert cache.key({1, 2, 3}, zeros) == cache.key({3, 2, 1}, np.zeros(4, "float32"))
    assert cache.key("a", "b") != cache.key(["a", "b"]) != cache.key("ab")
    itself = [1]
    itself.append(itself)
    assert cache.key(itself) != cache.key([1])


def test_the_code_that_trains_is_in_the_key_and_no_other(tmp_path, monkeypatch):
    """A new colour in a figure throws no kept teacher away; a new loss does; a better sentence does not."""
    before, kept = source_code.training_code(), cache.key("part")
    assert {"losses", "hints", "distiller", "classroom", "_inside.stacked", "_inside.batch"} <= before.keys()
    assert not {"cascade", "data", "cache", "_inside.disk", "_inside.check_values"} & before.keys()
    copy = tmp_path / "copy"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    losses = copy / "losses.py"
    text = losses.read_text()
    for old, new, same_code in (
        ('@soft_loss("kl")', '# The first.\n@soft_loss("kl")', True),
        ('    """`distillation_loss`: ', '    """As `distillation_loss`: ', True),
        ("others=8.0", "others=9.0", False),
        ('@soft_loss("kl")', '@soft_loss("lk")', False),
    ):
        assert old in text
        losses.write_text(text.replace(old, new))
        source_code.training_code.cache_clear()
        changed = source_code.training_code(copy)
        assert (changed == before) == same_code, new
        monkeypatch.setattr(cache_key, "training_code", lambda changed=changed: changed)
        assert (cache.key("part") == kept) == same_code


def test_code_is_compared_without_comments_docstrings_and_layout():
    def tokens(text):
        return source_code.tokens(text).split("\n")

    plain = tokens('def f(x):\n    y = "a  # b" + f"{x!r:>{3}} {{"\n    return x\n')
    assert plain == tokens(
        'def f( x ) :  # why\n\n  """What it\n\n  does."""\n  y = ("a  # b" +f"{x!r:>{3}} {{" )\n\n  return x'.replace(
            '("a', '"a'
        ).replace(" )\n\n  return", "\n\n  return")
    )
    for other in ('"a # b"', "'a  # b'"):
        assert tokens(f"y = {other}") != tokens('y = "a  # b"')
    assert tokens("if x:\n  a\nb") != tokens("if x:\n  a\n  b") and tokens('x = """a\n\nb"""') != tokens(
        'x = """a\nb"""'
    )
