"""What happens when a computer is switched off, two processes meet, or a disk is full: the next start works."""

import errno
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

from distill_edu import Dataset, Distiller, cache, sweep
from distill_edu.pages.live import live_distillation

pytestmark = pytest.mark.slow  # each test starts other processes
DATA = Dataset("points", *[(X, Y)] * 3, tuple("abcd"))
HOW = {"sizes": 4, "steps": 40, "batch_size": 8, "at_once": 1, "progress": False}
SWEEP = """
from test_faults import DATA, HOW, build, model, sweep
table = sweep(DATA, model(9), build, seeds=int(sys.argv[2]), **HOW)
print(table.drop(columns="seconds").to_csv())
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
    monkeypatch.setattr("distill_edu.sweeps.teach", counted("distill_edu.sweeps", "teach", trained))
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
    monkeypatch.setattr(keras.Sequential, "fit", None)  # the teacher is there already
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
    assert sweep(DATA, model(9), build, seeds=6, **HOW).drop(columns="seconds").to_csv() + "\n" == tables[0]


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
