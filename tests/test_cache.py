"""What is kept on disk is only ever what was computed, from all that it depends on; and a file there runs no code."""

import functools
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
from distill_edu import Classroom, Distiller, cache, files, fingerprint, teacher_logits
from distill_edu.hints import Hint

CE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
QUIET = {"batch_size": 8, "verbose": 0}
LOGITS = np.random.RandomState(0).randn(len(Y), CLASSES).astype("float32")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def fits(monkeypatch):
    """How often Keras really trained."""
    calls, fit = [], keras.Model.fit
    count = functools.wraps(fit)(lambda *args, **kwargs: calls.append(1) or fit(*args, **kwargs))
    monkeypatch.setattr(keras.Model, "fit", count)
    return calls


def compiled(optimizer="sgd", seed=3, **settings):
    one = model(seed, **{"noise": 0.2, **settings})
    one.compile(optimizer, CE, metrics=["accuracy"])
    return one


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_what_is_kept_comes_back_as_it_was():
    result = {
        "numbers": [1, 2.5, None, True, float("inf")],
        "size": {4: np.float32(0.1), "a": []},
        "arrays": [np.arange(6, dtype="int8").reshape(2, 3), np.array(["a", "ü"]), np.zeros((0, 3)), np.array(1.5)],
        "bfloat16": np.array([1.5, -2], ml_dtypes.bfloat16),
    }
    assert cache.keep("a", result) is result
    again = cache.recall("a")
    assert again["numbers"] == result["numbers"] and again["size"] == {4: float(np.float32(0.1)), "a": []}
    for mine, its in zip([*again["arrays"], again["bfloat16"]], [*result["arrays"], result["bfloat16"]], strict=True):
        assert mine.dtype == its.dtype and (mine == its).all() and mine.shape == its.shape
    with pytest.raises(TypeError):
        cache.keep("b", object())
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
        with pytest.warns(UserWarning, match="is damaged .* computed again"):
            assert cache.recall(key) is None
    assert not Path("ran").exists()
    assert not any(
        re.search(r"import (pickle|dill|joblib.load)|\bpickle\.", path.read_text()) for path in PACKAGE.rglob("*.py")
    )


PACKAGE = Path(distill_edu.__file__).parent


@pytest.mark.parametrize("key", ["../x", "a/b", "", ".", "..", "/tmp/x", None])
def test_a_key_stays_in_its_folder(key, folder):
    for call in (lambda: cache.keep(key, 1), lambda: cache.recall(key)):
        with pytest.raises(ValueError, match="key must be the plain name of a file"):
            call()
    assert not folder.exists()


def test_nothing_half_written_is_ever_seen(monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))  # killed before the end
    with pytest.raises(KeyboardInterrupt):
        cache.keep("name", 1)
    assert cache.recall("name") is None


def test_what_killed_writers_left_is_swept_up_when_it_is_a_day_old(folder):
    cache.keep("a", 1)
    left = [folder / f"{files.ASIDE}{age}" for age in ("old", "new")]
    for path in left:
        path.mkdir()
        (path / "half").write_text("x")
    yesterday = os.stat(left[0]).st_mtime - files.A_DAY - 60
    os.utime(left[0], (yesterday, yesterday))
    cache.keep("b", 2)
    assert [path.exists() for path in left] == [False, True] and cache.recall("a") == 1


def test_a_file_without_permission_is_not_called_damaged(monkeypatch):
    cache.keep("a", 1)
    monkeypatch.setattr(np, "load", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.warns(UserWarning, match="cannot be read .*Permission denied"):
        assert cache.recall("a") is None


def test_a_warning_names_the_line_that_asked(folder, monkeypatch):
    folder.mkdir()
    (folder / "a").write_text("no file of ours")
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.warns(UserWarning, match="is damaged|could not be kept") as said:
        assert cache.recall("a") is None and cache.keep("b", 1) == 1
    assert [each.filename for each in said] == [__file__, __file__]


def test_the_folder_is_at_home_or_where_the_variable_says(monkeypatch, tmp_path):
    assert cache.folder() == tmp_path / "kept"
    monkeypatch.setenv("DISTILL_EDU_CACHE", "~/x")
    assert cache.folder() == Path.home() / "x"
    monkeypatch.delenv("DISTILL_EDU_CACHE")
    assert cache.folder() == Path.home() / ".cache" / "distill_edu"
    assert distill_edu.cache is cache


def test_without_a_home_it_is_a_temporary_one_and_says_so(monkeypatch, tmp_path):
    monkeypatch.delenv("DISTILL_EDU_CACHE")
    monkeypatch.setattr(Path, "expanduser", lambda path: (_ for _ in ()).throw(RuntimeError("no home")))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.warns(UserWarning, match="There is no home folder, .* set DISTILL_EDU_CACHE"):
        assert cache.folder() == tmp_path / "distill_edu"


# --- the key of a fit -----------------------------------------------------------------------------------------------


def test_a_fit_is_remembered_with_its_history(fits):
    def fit(one, seed=5, **arguments):
        keras.utils.set_random_seed(seed)
        return cache.fit(one, X, Y, **{**QUIET, "epochs": 2, **arguments})

    first, again = compiled(), compiled()
    history = fit(first)
    assert len(history["accuracy"]) == 2 and len(fits) == 1
    assert fit(again, verbose=2) == history and same(weights(first), weights(again), atol=0) and len(fits) == 1


def test_a_distiller_is_remembered_with_its_projector_and_its_settings(fits):
    def fit():
        keras.utils.set_random_seed(0)
        student, teacher = (
            keras.Sequential([keras.Input((6,)), keras.layers.Dense(units, name="h"), keras.layers.Dense(4)])
            for units in (3, 5)
        )
        one = Distiller(student=student, teacher=teacher, hints=[Hint("h", "h", weight=2.5)])
        one.compile("sgd", temperature=3.0, alpha=0.3)
        return one, cache.fit(one, X, {"labels": Y, "teacher_logits": teacher_logits(teacher, X)}, **QUIET)

    (first, history), (again, remembered) = fit(), fit()
    assert len(fits) == 1 and history == remembered and same(weights(first), weights(again), atol=0)
    assert (again.temperature, again.alpha, again.hints[0].weight) == (3.0, 0.3, 2.5)


@pytest.mark.slow
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
        "start": {"one": lambda: compiled(seed=4)},
        "architecture": {"one": lambda: compiled(activation="tanh")},
        "dropout": {"one": lambda: compiled(noise=0.3)},
        "optimizer": {"one": lambda: compiled(keras.optimizers.SGD(0.5))},
    }.items(),
    ids=lambda change: change[0],
)
def test_whatever_a_fit_depends_on_is_in_its_key(fits, change):
    def fit(one=compiled, seed=5, x=X, y=Y, **arguments):
        one = one()
        keras.utils.set_random_seed(seed)
        cache.fit(one, x, y, **{**QUIET, "epochs": 2, **arguments})

    for _ in range(2):
        fit()
    assert len(fits) == 1
    fit(**change[1])
    assert len(fits) == 2


def classroom(temperatures=(1.0, 4.0), alphas=0.3, optimizer="sgd", soft_loss="kl"):
    room = Classroom(students=[model(seed) for seed in (1, 2)], temperatures=list(temperatures), alphas=alphas)
    room.compile(optimizer, soft_loss=soft_loss)
    return room


def test_a_classroom_is_remembered_with_every_students_weights_and_history(fits):
    targets = {"labels": Y, "teacher_logits": LOGITS}
    rooms = classroom(), classroom()
    histories = [cache.fit(room, X, targets, shuffle=False, **QUIET) for room in rooms]
    assert len(fits) == 1 and np.array_equal(histories[0]["loss"], histories[1]["loss"])
    assert np.shape(histories[1]["loss"]) == (1, 2)
    for one, other in zip(rooms[0].students, rooms[1].students, strict=True):
        assert same(weights(one), weights(other))
    assert not same(weights(rooms[0].students[0]), weights(classroom().students[0]))


@pytest.mark.parametrize(
    "changed", [{"temperatures": (1, 2)}, {"alphas": 0.4}, {"optimizer": "adam"}, {"soft_loss": "reverse_kl"}]
)
def test_how_a_classroom_learns_is_in_its_key(fits, changed):
    for room in (classroom(), classroom(**changed)):
        cache.fit(room, X, {"labels": Y, "teacher_logits": LOGITS}, shuffle=False, **QUIET)
    assert len(fits) == 2


@pytest.mark.slow
def test_a_fit_that_does_not_shuffle_does_not_depend_on_the_seed(fits):
    for seed in (1, 2):
        one = compiled(noise=0.0)
        keras.utils.set_random_seed(seed)
        cache.fit(one, X, Y, shuffle=False, **QUIET)
    assert len(fits) == 1


def test_what_is_learned_next_is_the_same_after_a_hit_as_after_a_miss(fits):
    """Dropout has a random state of its own, which is no weight: with another one the next lesson was another, too."""
    learned = []
    for _ in range(2):
        teacher = compiled()
        cache.fit(teacher, X, Y, **QUIET)
        one = Distiller(student=model(1, noise=0.5), teacher=teacher)
        one.compile("sgd")
        for _ in range(2):
            cache.fit(one, X, {"labels": Y, "teacher_logits": LOGITS}, **QUIET)
        learned.append([np.array(variable) for variable in one.variables])
    assert len(fits) == 3 and len(learned[0]) > len(weights(one)) and same(*learned, atol=0)


def test_a_model_without_weights_yet_is_refused_at_the_first_time_not_at_the_second(fits):
    one = keras.Sequential([keras.layers.Dense(4)])
    one.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match="call it once"):
        cache.fit(one, X, Y, **QUIET)
    one(X)
    cache.fit(one, X, Y, **QUIET)
    assert len(fits) == 1


def test_the_random_state_is_the_same_after_a_hit_as_after_a_miss(fits):
    states = []
    for _ in range(2):
        one = compiled()
        keras.utils.set_random_seed(8)
        cache.fit(one, X, Y, **QUIET)
        states.append(
            (random.random(), np.random.rand(), float(keras.random.uniform(())), float(tf.random.uniform(())))
        )
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


def test_a_model_that_is_not_compiled_gets_a_sentence():
    with pytest.raises(ValueError, match="compile"):
        cache.fit(model(), X, Y)


# --- the key's other parts ------------------------------------------------------------------------------------------


def test_another_version_below_the_package_is_another_key(monkeypatch):
    assert fingerprint.versions() == [keras.__version__, tf.__version__, np.__version__]
    before = cache.key("part")
    assert before == cache.key("part") != cache.key("other")
    for number in range(3):
        with monkeypatch.context() as patch:
            versions = fingerprint.versions()
            versions[number] = "0"
            patch.setattr(fingerprint, "versions", lambda versions=versions: versions)
            assert cache.key("part") != before


def test_the_code_that_trains_is_in_the_key_and_no_other(tmp_path, monkeypatch):
    """A new colour in a figure throws no kept teacher away; a new loss does."""
    before = fingerprint.code()
    kept = cache.key("part")
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    assert set(fingerprint.TRAINS) <= modules
    for name in modules:
        copy = tmp_path / name
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / f"{name}.py").write_text((copy / f"{name}.py").read_text() + "\nchanged = 1")
        assert (fingerprint.code(copy) != before) == (name in fingerprint.TRAINS), name
        if name == "losses":
            with monkeypatch.context() as patch:
                changed = fingerprint.code(copy)
                patch.setattr(fingerprint, "code", lambda changed=changed: changed)
                assert cache.key("part") != kept


def test_a_better_sentence_throws_nothing_away_but_another_number_does(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    losses = tmp_path / "copy" / "losses.py"
    text, before = losses.read_text(), fingerprint.code()
    assert '"""`distillation_loss`: the student' in text and "# NaN is not" in text and "others=8.0" in text
    for old, new, kept in (
        ('"""`distillation_loss`: the student', '"""As `distillation_loss`: it', True),
        ("# NaN is not", "# which NaN is not", True),
        ("others=8.0", "others=9.0", False),
        ('@soft_loss("kl")', '@soft_loss("lk")', False),
    ):
        losses.write_text(text.replace(old, new))
        fingerprint.code.cache_clear()
        assert (fingerprint.code(tmp_path / "copy") == before) == kept, new


def test_what_trains_is_all_that_a_classroom_and_a_sweep_import():
    """Everything below a sweep that is not a guard, a sentence, a file or the cache itself."""
    seen, todo = set(), ["sweeps", "hints"]
    while todo:
        name = todo.pop()
        seen.add(name)
        found = re.findall(r"from distill_edu(?:\.(\w+))? import (.+)", (PACKAGE / f"{name}.py").read_text())
        inside = {one for module, names in found for one in ([module] if module else re.split(r",\s*", names))}
        todo += [one for one in inside if (PACKAGE / f"{one}.py").exists() and one not in seen]
    aside = {"arguments", "guard", "refusals", "backend", "files", "cache", "fingerprint", "data", "probabilities"}
    assert seen - aside == set(fingerprint.TRAINS)


def test_warnings_are_not_silenced_for_a_kept_result():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.keep("a", [1])
        assert cache.recall("a") == [1]
