"""Change a module in one place at a time, in a copy, and see whether a test notices.

`make mutate` tries all modules, `python tools/mutate.py losses` tries one.

cosmic-ray writes each mutant into the file; we run the tests that call the changed function, the quickest first, and
if none notices it all tests of that module, but no nightly ones. What became of it stands in
`.venv/mutants/<module>.sqlite`; started again it tries the survivors again and goes on, or begins anew where the module
has changed. The mutants come in a random order, so what was tried is a fair sample: TRIES=15 stops after fifteen of
each module. Survivors are printed as diffs.
"""

import ast
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import cosmic_ray.mutating
import pytest
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv" / "mutants"
# Every module is tried by tests/test_<module>.py where there is one, a page by tests/test_page_<page>.py, and by these:
ALSO = {
    "losses": "test_field test_recipes test_refusals",
    "hints": "test_recipes test_ways test_refusals",
    "distiller": "test_hints test_field test_labels test_refusals test_settings test_ways test_widths",
    "classroom": "test_ways test_refusals",
    "models": "test_field test_refusals",
    "metrics": "test_field test_labels test_refusals",
    "cache": "test_cache_code test_faults",
    "cascade": "test_faults test_refusals",
    "experiments": "test_cache",
    "compress": "test_field test_refusals",
    "students": "test_compare test_experiments",
    "evidence": "test_compare",
    "_inside.alike": "test_classroom test_likeness",
    "_inside.answers": "test_foreign",
    "_inside.batch": "test_losses test_distiller test_field test_ways",
    "_inside.tasks": "test_labels test_losses test_distiller test_field test_refusals",
    "_inside.check_values": "test_refusals test_probabilities test_data",
    "_inside.check_experiment": "test_compare test_refusals test_experiments",
    "_inside.check_models": "test_refusals test_widths test_hints test_distiller",
    "_inside.check_steps": "test_refusals test_distiller test_ways",
    "_inside.keras_model": "test_distiller test_settings test_classroom test_field test_ways",
    "_inside.layer_outputs": "test_hints test_field test_distiller",
    "_inside.stacked": "test_classroom test_ways",
    "_inside.cache_key": "test_cache test_experiments",
    "_inside.description": "test_cache_code test_cache",
    "_inside.source_code": "test_cache_code test_cache",
    "_inside.copies": "test_compress test_refusals",
    "_inside.content": "test_cascade test_foreign",
    "_inside.engine": "test_compare test_likeness",
    "_inside.lessons": "test_compare test_experiments",
    "_inside.log_probabilities": "test_losses",
    "_inside.progress": "test_models",
    "_inside.disk": "test_cache test_faults test_distiller",
    "_inside.backend": "test_package test_distiller test_models",
    "_inside.time_limit": "test_exercises",
    "pages.shared.exercise": "test_exercises",
    "pages.shared.lab": "test_lab",
    "pages.shared.lessons": "test_page_whose_words",
    "pages.shared.showing": "test_page_write",
    "pages.shared.explorer": "test_explorers",
    "pages.shared.picture": "test_explorers test_page_plots test_page_loss",
    "docs.frames": "test_site test_explorers",
    "docs.recording": "test_site",
}
# A page's exercises, and where its sliders stand: fast.
OF_PAGES = ("test_exercises", "test_explorers.py::test_every_slider_offers_these_stops_and_has_a_label")


def modules():
    """{name: file} of all that can be mutated."""
    package, site = ROOT / "distill_edu", ROOT / "docs"
    named = {".".join(path.relative_to(package).with_suffix("").parts): path for path in package.rglob("*.py")}
    named |= {f"docs.{path.stem}": path for path in site.glob("*.py")}
    return {name: path for name, path in sorted(named.items()) if path.stem not in ("__init__", "conf", "mathml")}


def tests_of(module):
    """The files or tests that shall notice a change in this module; stops with a sentence where one is missing."""
    room, name = module.rpartition(".")[::2]
    own = f"test_page_{name}" if room.startswith("pages") else f"test_{name}"
    there = [own] if (ROOT / "tests" / f"{own}.py").is_file() else []
    tests = dict.fromkeys([*there, *(OF_PAGES if room == "pages" else ()), *ALSO.get(module, "").split()])
    files = [test if "::" in test else f"{test}.py" for test in tests]
    missing = [file for file in files if not (ROOT / "tests" / file.partition("::")[0]).is_file()]
    if missing or not files:
        missing = " and ".join(missing or [f"{own}.py"])
        sys.exit(f"{module} has no test: {missing} is not in tests/. Correct ALSO in tools/mutate.py.")
    examples = [] if room == "docs" else [f"distill_edu/{module.replace('.', '/')}.py"]  # in its docstrings
    return [f"tests/{file}" for file in files] + examples


# Left out: what raises a TypeError at once, and so says nothing about the tests.
CONFIG = """
[cosmic-ray]
module-path = "{file}"
timeout = {timeout}
excluded-modules = []
test-command = ""
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = [
  "core/ReplaceBinaryOperator_.*_(RShift|LShift|BitOr|BitAnd|BitXor|Mod|FloorDiv|Pow)",
  "core/ReplaceComparisonOperator_.*_(Is|IsNot)",
  "core/ReplaceUnaryOperator_USub_.*",
]
"""


def mutate(module, original):
    """Try the mutants of one module in a copy of the project, and report those that no test noticed."""
    copy, session, tests = FOLDER / module, FOLDER / f"{module}.sqlite", tests_of(module)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "*_cache", "build"))
    os.chdir(copy)
    file = copy / original.relative_to(ROOT)
    start = time.monotonic()
    if _in_a_fork(tests, 3000, Calls(file))[0] is not TestOutcome.SURVIVED:
        print(f"The tests of {module} fail before anything is changed: run {' '.join(tests)} first.")
        return
    timeout = 60 + 3 * (time.monotonic() - start)  # a machine that gets busy must not count as a test that notices
    _begin(session, original, CONFIG.format(file=file, timeout=timeout))
    calls, tree = json.loads((copy / "calls.json").read_text()), ast.parse(file.read_text())
    with use_db(str(session), WorkDB.Mode.open) as database:
        pending = sorted(database.pending_work_items, key=lambda item: item.job_id)  # a random one
        for item in pending[: int(os.environ.get("TRIES", len(pending)))]:
            near = _tests_near(item.mutations[0].start_pos[0], tree, calls)
            for some in (near, tests) if near else (tests,):
                result = cosmic_ray.mutating.mutate_and_test(item.mutations, some, timeout)
                if result.test_outcome is not TestOutcome.SURVIVED:
                    break
            database.set_result(item.job_id, result)
    _report(module, session)


def _begin(session, original, config):
    """List the mutants of a module that has none or has changed; what survived before is pending again."""
    Path("mutate.toml").write_text(config)
    if not session.exists() or session.stat().st_mtime < original.stat().st_mtime:
        for command in (("cosmic-ray", "init", "mutate.toml", "new"), ("cr-filter-operators", "new", "mutate.toml")):
            subprocess.run([Path(sys.executable).with_name(command[0]), *command[1:]], check=True)
        os.replace("new", session)  # whole or not at all: one that was stopped here would have no mutants
    with sqlite3.connect(session) as results:
        results.execute("delete from work_results where test_outcome = 'SURVIVED'")  # a new test may notice them


class Calls:
    """For pytest: which functions of a file each test calls, by their first lines, and how many seconds it takes."""

    def __init__(self, file):
        self.file, self.tests = str(file), {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        lines, start = set(), time.monotonic()

        def note(frame, *_):
            if frame.f_code.co_filename == self.file:
                lines.add(frame.f_code.co_firstlineno)

        threading.settrace(note)
        sys.settrace(note)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)
            self.tests[item.nodeid] = time.monotonic() - start, sorted(lines)

    def pytest_sessionfinish(self):
        Path("calls.json").write_text(json.dumps(self.tests))


def _tests_near(line, tree, calls):
    """The tests that call the function in which this line stands, the quickest first; none for a line outside."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    firsts = {min([node, *node.decorator_list], key=lambda part: part.lineno).lineno: node for node in functions}
    inside = [first for first, node in firsts.items() if first <= line <= node.end_lineno]
    its = [(seconds, test) for test, (seconds, lines) in calls.items() if inside and max(inside) in lines]
    return [test for _, test in sorted(its)]


def _in_a_fork(tests, timeout, *plugins):
    """Run the tests in a copy of this process, which has imported TensorFlow: each start of it takes ten seconds."""
    child = os.fork()
    if not child:
        signal.alarm(int(timeout))  # a mutant that never ends is killed, and counts as noticed
        sys.dont_write_bytecode = True  # two mutants within a second would look alike
        sys.path.insert(0, os.getcwd())
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os._exit(pytest.main(["-x", "-q", "-m", "not nightly", "-p", "no:cacheprovider", *tests], plugins))
    _, status = os.waitpid(child, 0)
    return TestOutcome.KILLED if status else TestOutcome.SURVIVED, ""


def _report(module, session):
    with sqlite3.connect(session) as results:
        rows = results.execute("select test_outcome, diff from work_results where worker_outcome = 'NORMAL'").fetchall()
    survivors = [diff for outcome, diff in rows if outcome == "SURVIVED"]
    for diff in survivors:
        print(*(line for line in diff.splitlines() if line[:1] in "+-@" and line[:3] not in ("+++", "---")), sep="\n")
    print(f"{module}: {len(rows) - len(survivors)} mutants killed, {len(survivors)} survived", flush=True)


if __name__ == "__main__":
    import tensorflow  # noqa: F401  before the forks

    cosmic_ray.mutating.run_tests = _in_a_fork
    FOLDER.mkdir(parents=True, exist_ok=True)
    known = modules()
    for module in sys.argv[1:] or known:
        if module not in known:
            sys.exit(f"There is no module {module!r}. There are: {', '.join(known)}.")
        mutate(module, known[module])
