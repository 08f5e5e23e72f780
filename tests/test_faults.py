"""What happens when a computer is switched off, two processes meet, or a disk is full: the next start works."""

import errno
import functools
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from small import X, Y, model

from distill_edu import Cascade, Dataset, Distiller, cache, sweep
from distill_edu.pages.shared.live import live_distillation

pytestmark = pytest.mark.slow  # each test starts other processes
DATA = Dataset("points", *[(X, Y)] * 3, tuple("abcd"))
HOW = {"sizes": 4, "steps": 40, "batch_size": 8, "at_once": 1, "progress": False}
SWEEP = """
from test_faults import DATA, HOW, build, model, sweep
table = sweep(DATA, model(9), build, seeds=int(sys.argv[2]), **HOW)
print(table.drop(columns=["seconds", "test_right"]).to_csv())
"""
LIVE = """
import asyncio
from test_faults import lesson
live = lesson()

async def use():
    live.controls["training"].value = "Start"
    while True:
        await asyncio.sleep(0.01)
        print(len(live.runs[0][0]), flush=True)

asyncio.run(use())
"""
SWITCHED_OFF = """
import os, signal
from pathlib import Path
from distill_edu import cache

def switch_off(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def half(path, content, write=Path.write_bytes):
    write(path, content[: len(content) // 2])
    switch_off()

module, name, last = {"half": (Path, "write_bytes", half), "aside": (os, "replace", switch_off)}[sys.argv[2]]
setattr(module, name, last)
cache.keep("a", "new")
"""


def build(units):
    return model(0, units)


def lesson():
    """What a page does: a teacher whose training is kept, and a student under a live distillation."""
    teacher = model(2, units=16)
    teacher.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    cache.fit(teacher, X, Y, epochs=2, shuffle=False, verbose=0)
    one = Distiller(student=model(1), teacher=teacher)
    one.compile()
    return live_distillation(one, X, Y, (X, Y), batch_size=8, every=2)


def in_another_process(script, argument=""):
    here = "import sys; sys.path.insert(0, sys.argv[1])"
    command = [sys.executable, "-c", here + script, str(Path(__file__).parent), str(argument)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill(process, when):
    """Wait until `when()`, then kill -9."""
    try:
        until = time.monotonic() + 300
        while not when():
            assert process.poll() is None and time.monotonic() < until, process.communicate()
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()


def kept(folder):
    return [path for path in folder.glob("*") if path.is_file()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_a_sweep_that_was_killed_loses_only_the_student_in_progress(folder, monkeypatch):
    kill(in_another_process(SWEEP, 200), when=lambda: len(kept(folder)) >= 3)
    finished = len(kept(folder))
    trained = []
    monkeypatch.setattr("distill_edu.experiments.teach", counted("distill_edu.experiments", "teach", trained))
    table = sweep(DATA, model(9), build, seeds=finished + 2, **HOW)
    assert list(table.seed) == list(range(finished + 2)) and len(trained) == 2


def counted(module, name, calls):
    function = getattr(sys.modules[module], name)

    def call(*arguments, **settings):
        calls.append(1)
        return function(*arguments, **settings)

    return call


def test_after_a_live_distillation_that_was_killed_a_page_starts_anew(folder, monkeypatch):
    running = in_another_process(LIVE)
    kill(running, when=lambda: running.stdout.readline().strip() == "3")
    assert len(kept(folder)) == 1
    taught = model(2, units=16).get_weights()
    monkeypatch.setattr(keras.Sequential, "fit", functools.wraps(keras.Sequential.fit)(lambda *_, **__: 1 / 0))
    again = lesson()
    assert not np.array_equal(again.distiller.teacher.get_weights()[0], taught[0])
    again.train_now(6)
    monkeypatch.undo()
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(folder / "empty"))
    never_killed = lesson()
    never_killed.train_now(6)
    for mine, its in zip(again.runs[0], never_killed.runs[0], strict=True):
        assert mine == pytest.approx(its, rel=1e-5)


@pytest.mark.parametrize("when", ["half", "aside"])
def test_what_was_switched_off_while_it_wrote_leaves_the_old_result_whole(folder, when):
    cache.keep("a", "old")
    writing = in_another_process(SWITCHED_OFF, when)
    assert writing.communicate()[0] == "" and writing.returncode == -signal.SIGKILL
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.recall("a") == "old"
        assert cache.keep("a", "newer") == cache.recall("a") == "newer"


def test_two_processes_may_share_a_folder(folder):
    both = [in_another_process(SWEEP, 6) for _ in range(2)]
    answers = [one.communicate(timeout=600) for one in both]
    assert [one.returncode for one in both] == [0, 0], answers
    tables = [out for out, _ in answers]
    assert tables[0] == tables[1] and tables[0].count("\n") == 8  # a head, six rows, and print's own end
    assert len(kept(folder)) == 6
    assert (
        sweep(DATA, model(9), build, seeds=6, **HOW).drop(columns=["seconds", "test_right"]).to_csv() + "\n"
        == tables[0]
    )


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES], ids=["full", "read-only", "forbidden"])
def test_a_disk_that_refuses_is_a_warning(folder, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.warns(UserWarning, match=f"could not be kept in .*{os.strerror(code)}"):
        table = sweep(DATA, model(9), build, seeds=1, **HOW)
    assert len(table) == 1 and not list(folder.glob("*"))  # no crumbs either


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


KILLED = """
import os, signal
from distill_edu import Cascade
from test_faults import model
from distill_edu import files
import numpy as np
np.savez = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
Cascade(model(3), model(4), threshold=0.9).save(sys.argv[2])
"""


def test_a_cascade_whose_writer_was_killed_in_the_middle_is_the_older_one(tmp_path):
    Cascade(model(), model(9), threshold=0.5).save(tmp_path)
    before = answers(tmp_path)
    writing = in_another_process(KILLED, tmp_path)
    assert writing.communicate()[0] == "" and writing.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) > 4  # what it left lies beside the older cascade, and is swept up by the next
    assert np.allclose(answers(tmp_path).probabilities, before.probabilities)
    Cascade(model(), model(9)).save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_cascade_of_the_first_edition_is_loaded(tmp_path):
    Cascade(model(), model(9), threshold=0.5).save(tmp_path)
    settings = json.loads((tmp_path / "cascade.json").read_text())
    for name, file in settings.pop("files").items():
        (tmp_path / file).rename(tmp_path / f"{name}{Path(file).suffix}")
    (tmp_path / "cascade.json").write_text(json.dumps(settings))
    assert Cascade.load(tmp_path).threshold == 0.5


def edited(folder, **settings):
    kept = json.loads((folder / "cascade.json").read_text())
    (folder / "cascade.json").write_text(json.dumps({**kept, **settings}))


def remembering(folder, keys, answers):
    kept = json.loads((folder / "cascade.json").read_text())
    np.savez(folder / kept["files"]["memory"], keys=np.array(keys), answers=np.array(answers))


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
        (lambda folder: next(folder.glob("memory*")).write_bytes(b"x"), ValueError, "holds no cascade"),
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
