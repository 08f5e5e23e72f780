"""What happens when a computer is switched off, two processes meet, or a disk is full: the next start works."""

import errno
import functools
import json
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from small import X, Y, model

from distill_edu import Cascade, Dataset, Distiller, cache, students, sweep
from distill_edu._inside import disk  # noqa: TID251 - a disk that is full is made here
from distill_edu.pages.shared.live import live_distillation

pytestmark = pytest.mark.nightly  # some tests start other processes
DATA = Dataset("points", *[(X, Y)] * 3, tuple("abcd"))
HOW = {"sizes": 4, "steps": 40, "batch_size": 8, "progress": False}
SWEEP = """
import os, signal
from pathlib import Path
from test_faults import DATA, HOW, build, model, sweep

def write_half(path, content, write=Path.write_bytes, written=[]):
    written.append(path)
    last = len(written) == int(sys.argv[2])
    write(path, content[: len(content) // 2] if last else content)
    if last:
        os.kill(os.getpid(), signal.SIGKILL)

Path.write_bytes = write_half
table = sweep(DATA, model(9), build, seeds=6, **HOW)
print(table.drop(columns="test_right").to_csv())
"""


def build(units):
    return model(0, units)


def in_another_process(killed_in_write):
    here = "import sys; sys.path.insert(0, sys.argv[1])"
    command = [sys.executable, "-c", here + SWEEP, str(Path(__file__).parent), str(killed_in_write)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def numbers(table):
    return table.drop(columns="test_right").to_csv() + "\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_a_sweep_that_was_killed_loses_only_the_student_in_progress(folder, monkeypatch):
    """kill -9 while the third row is half written: nothing tidies up, and nothing half written is read."""
    killed = in_another_process(killed_in_write=3)
    assert killed.communicate(timeout=600)[0] == "" and killed.returncode == -signal.SIGKILL
    assert len([path for path in folder.iterdir() if path.is_file()]) == 2
    assert len([path for path in folder.iterdir() if path.name.startswith(disk.ASIDE)]) == 1
    trained, train = [], students.train
    monkeypatch.setattr(students, "train", lambda orders, *rest: trained.extend(orders) or train(orders, *rest))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*damaged")
        table = sweep(DATA, model(9), build, seeds=6, **HOW)
    assert list(table.seed) == list(range(6)) and [order.seed for order in trained] == [2, 3, 4, 5]


def test_two_processes_may_share_a_folder(folder):
    both = [in_another_process(killed_in_write=0) for _ in range(2)]
    answers = [each.communicate(timeout=600) for each in both]
    assert [each.returncode for each in both] == [0, 0], answers
    tables = [out for out, _ in answers]
    assert tables[0] == tables[1] and tables[0].count("\n") == 8  # a head, six rows, and the end of print
    assert len([*folder.iterdir()]) == 6
    assert numbers(sweep(DATA, model(9), build, seeds=6, **HOW)) == tables[0]


def test_after_a_live_distillation_that_was_stopped_a_page_starts_anew(folder, monkeypatch):
    """A page keeps its teacher, not the student of its live distillation."""

    def page():
        teacher = model(2, units=16)
        teacher.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        cache.fit(teacher, X, Y, epochs=2, shuffle=False, verbose=0)
        distiller = Distiller(student=model(1), teacher=teacher)
        distiller.compile()
        return live_distillation(distiller, X, Y, (X, Y), batch_size=8, every=2)

    stopped = page()
    stopped.train_now(6)
    assert len([*folder.iterdir()]) == 1
    monkeypatch.setattr(keras.Sequential, "fit", functools.wraps(keras.Sequential.fit)(lambda *_, **__: 1 / 0))
    again = page()
    again.train_now(6)
    for values, first_values in zip(again.runs[0], stopped.runs[0], strict=True):
        assert values == pytest.approx(first_values, rel=1e-5)


def test_a_full_disk_is_a_warning(folder, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.warns(UserWarning, match="could not be kept in .*No space left on device") as warned:
        assert cache.keep("a", 1) == 1 and not [*folder.iterdir()]  # no crumbs either
        assert len(sweep(DATA, model(9), build, seeds=1, **HOW)) == 1
    assert warned[0].filename == __file__


def test_a_folder_that_vanishes_while_it_is_used(folder):
    cache.keep("a", 1)
    for path in folder.glob("*"):
        path.unlink()
    folder.rmdir()
    assert cache.recall("a") is None and cache.keep("b", 2) == 2 and cache.recall("b") == 2


# --- models and cascades on disk --------------------------------------------------------------------------------------


class Unwilling(keras.Model):
    """A student that cannot say what it is made of."""

    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(4)

    def call(self, x):
        return self.out(x)

    def get_config(self):
        raise NotImplementedError("no config")


def test_a_distiller_that_cannot_be_saved_leaves_the_older_file_whole(tmp_path):
    path = tmp_path / "distiller.keras"
    Distiller(student=model(), teacher=model(9)).save(path)
    before = path.read_bytes()
    student = Unwilling()
    student(X[:1])
    with pytest.raises(NotImplementedError):
        Distiller(student=student, teacher=model(9)).save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    Distiller(student=model(3)).save(path)  # and a later one takes its place
    assert keras.models.load_model(path).teacher is None


def test_a_distiller_is_saved_as_a_folder_and_over_an_older_file_as_keras_would(tmp_path, monkeypatch):
    one, path = Distiller(student=model(), teacher=model(9)), tmp_path / "distiller.keras"
    one.save(path)
    before = path.read_bytes()
    monkeypatch.setattr("builtins.input", lambda *_: "n")
    Distiller(student=model(3)).save(path, overwrite=False)
    assert path.read_bytes() == before
    one.save(tmp_path / "folder", zipped=False)
    assert "config.json" in [path.name for path in (tmp_path / "folder").iterdir()]
    with pytest.raises(ValueError, match="distiller.other"):
        one.save(tmp_path / "distiller.other")


def answers(folder):
    return Cascade.load(folder).predict(X)


@pytest.mark.parametrize("step", range(4))  # the student, the teacher, the memory, the settings
@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=["full", "kill"]
)
def test_a_cascade_that_is_not_written_to_its_end_leaves_the_older_one_whole(tmp_path, monkeypatch, step, fault):
    old, new = Cascade(model(), model(9), threshold=0.5), Cascade(model(3), model(4), threshold=0.9)
    before = old.predict(X)
    old.save(tmp_path)
    files, writes = sorted(tmp_path.iterdir()), []

    def failing(function):
        def write(*args, **kwargs):
            writes.append(1)
            if len(writes) == step + 1:
                raise fault
            return function(*args, **kwargs)

        return write

    monkeypatch.setattr(keras.Sequential, "save", failing(keras.Sequential.save))
    monkeypatch.setattr(np, "savez", failing(np.savez))
    monkeypatch.setattr(Path, "write_text", failing(Path.write_text))
    with pytest.raises(type(fault)):
        new.save(tmp_path)
    monkeypatch.undo()
    assert sorted(tmp_path.iterdir()) == files  # no crumbs either
    again = answers(tmp_path)
    assert np.allclose(again.probabilities, before.probabilities, atol=1e-6)
    new.save(tmp_path)
    assert Cascade.load(tmp_path).threshold == 0.9 and len(list(tmp_path.iterdir())) == len(files)


def test_what_a_killed_writer_left_lies_beside_the_cascade_and_goes_with_the_next(tmp_path):
    Cascade(model(), model(9), threshold=0.5).save(tmp_path)
    before = answers(tmp_path)
    for name in ("student-0123abcd.keras", "teacher-0123abcd.keras"):
        (tmp_path / name).write_bytes(b"half")
    assert np.allclose(answers(tmp_path).probabilities, before.probabilities)
    Cascade(model(), model(9)).save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def edited(folder, **settings):
    kept = json.loads((folder / "cascade.json").read_text())
    (folder / "cascade.json").write_text(json.dumps({**kept, **settings}))


def remembering(folder, keys, answers):
    kept = json.loads((folder / "cascade.json").read_text())
    np.savez(folder / kept["files"]["memory"], keys=np.array(keys), answers=np.array(answers))


CUT = (b"x", b"PK\x03\x04", b"")


@pytest.mark.parametrize(
    "damage, error, sentence",
    [
        (lambda folder: (folder / "cascade.json").unlink(), FileNotFoundError, "There is no whole cascade in"),
        (lambda folder: next(folder.glob("student*")).unlink(), (FileNotFoundError, ValueError), "cascade"),
        (lambda folder: (folder / "cascade.json").write_text("{"), ValueError, "holds no cascade as cascade.save"),
        (lambda folder: (folder / "cascade.json").write_text("[1]"), ValueError, "holds no cascade"),
        (lambda folder: edited(folder, speed=3), ValueError, "holds no cascade .*speed"),
        (lambda folder: edited(folder, threshold=7), ValueError, "threshold must be between 0 and 1"),
        (lambda folder: next(folder.glob("teacher*")).write_bytes(b"x"), ValueError, "holds no cascade"),
        *(
            (lambda folder, c=c: next(folder.glob("memory*")).write_bytes(c), ValueError, "holds no cascade")
            for c in CUT
        ),
        (lambda folder: remembering(folder, ["a"], [[np.nan] * 4]), ValueError, "no probabilities"),
        (lambda folder: remembering(folder, ["a"], [[9.0] * 4]), ValueError, "no probabilities"),
        (lambda folder: remembering(folder, ["a"], [[-1.0, 2, 0, 0]]), ValueError, "no probabilities"),
        (lambda folder: remembering(folder, ["a"], [[1.0]]), ValueError, "no probabilities"),
        (lambda folder: remembering(folder, ["a"], [[0.5, 0.5]]), ValueError, "no probabilities"),
        (lambda folder: remembering(folder, ["a", "b"], [[0.25] * 4]), ValueError, "no probabilities"),
        (lambda folder: remembering(folder, ["a"], [0.25]), ValueError, "no probabilities"),
    ],
)
def test_a_folder_that_no_cascade_wrote_gets_a_sentence(tmp_path, damage, error, sentence):
    cascade = Cascade(model(), model(9), threshold=1.0)
    cascade.predict(X[:3])
    cascade.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(error, match=sentence):
        Cascade.load(tmp_path)


def test_a_longer_memory_than_the_cascade_has_room_for_is_cut_to_the_newest(tmp_path):
    cascade = Cascade(model(), model(9), threshold=1.0, memory=5)
    cascade.predict(X[:5])
    cascade.save(tmp_path)
    edited(tmp_path, memory=2)
    loaded = Cascade.load(tmp_path)
    assert list(loaded.predict(X[3:5]).sources) == ["memory"] * 2
    assert list(loaded.predict(X[:1]).sources) == ["teacher"]
