"""What happens when a computer is switched off, two processes meet, or a disk is full: the next start works."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small import X, Y, model

from distill_edu import Dataset, cache, sweep

DATA = Dataset("points", *[(X, Y)] * 3, tuple("abcd"))
HOW = {"sizes": 4, "steps": 40, "batch_size": 8, "at_once": 1, "progress": False}
SWEEP = """
import sys
sys.path.insert(0, sys.argv[1])
from test_faults import DATA, HOW, build, model, sweep
table = sweep(DATA, model(9), build, seeds=int(sys.argv[2]), **HOW)
print(table.drop(columns="seconds").to_csv())
"""


def build(units):
    return model(0, units)


def in_another_process(seeds):
    command = [sys.executable, "-c", SWEEP, str(Path(__file__).parent), str(seeds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kept(folder):
    return [path for path in folder.glob("*") if path.is_file()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_a_sweep_that_was_killed_loses_only_the_student_in_progress(folder, monkeypatch):
    running = in_another_process(seeds=200)
    try:
        until = time.monotonic() + 300
        while len(kept(folder)) < 3:
            assert running.poll() is None and time.monotonic() < until, running.communicate()
            time.sleep(0.02)
    finally:
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
    finished = len(kept(folder))
    trained = []
    monkeypatch.setattr("distill_edu.sweeps._teach", counted("distill_edu.sweeps", "_teach", trained))
    table = sweep(DATA, model(9), build, seeds=finished + 2, **HOW)
    assert list(table.seed) == list(range(finished + 2)) and len(trained) == 2


def counted(module, name, calls):
    function = getattr(sys.modules[module], name)

    def call(*arguments, **settings):
        calls.append(1)
        return function(*arguments, **settings)

    return call


def test_two_processes_may_share_a_folder(folder):
    both = [in_another_process(seeds=6) for _ in range(2)]
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
