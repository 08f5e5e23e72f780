"""Would the tests notice? `make mutate`, or `python tools/mutate.py losses`: one change at a time, in a copy.

cosmic-ray writes each mutant into the file; we run the tests that call the changed function, the quickest first, and
if none notices it all tests of that module. What became of it stands in `.venv/mutants/<module>.sqlite`; started again
it tries the survivors again and goes on, or begins anew where the module has changed. The mutants come in a random
order, so what was tried is a fair sample: TRIES=15 stops after fifteen of each module. Survivors are printed as diffs.
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
# Others of test_package ask git, or install something.
OF_THE_BACKEND = """
test_package.py::test_import_does_not_start_tensorflow_and_neither_do_the_pages_without_training
test_package.py::test_a_wrong_keras_backend_gets_one_sentence
test_package.py::test_what_is_not_installed_is_named_with_the_command_that_installs_it
test_package.py::test_a_backend_that_keras_had_before_gets_the_sentence_too
test_package.py::test_without_a_setting_keras_runs_on_tensorflow_whatever_its_own_file_says
test_package.py::test_quietly_gives_standard_error_back test_package.py::test_in_a_notebook_the_sentence_stands_alone
test_distiller.py::test_temperature_and_alpha_can_be_read_and_set_without_retracing
test_models.py::test_a_layer_is_asked_without_dropping_and_a_pipeline_without_a_progress_bar
"""
TESTS = {
    "losses": "test_soft_losses test_losses",
    "hints": "test_hints test_recipes",
    "batch": "test_soft_losses test_distiller test_promises test_field",
    "distiller": "test_distiller test_hints test_field test_peer test_promises test_guard",
    "guard": "test_guard test_distiller test_bad_input",
    "refusals": "test_bad_input test_hints test_distiller test_field",
    "counting": "test_field test_compress",
    "partly_trained": "test_distiller test_promises test_guard test_field",
    "features": "test_hints test_field test_distiller",
    "classroom": "test_classroom",
    "row": "test_classroom",
    "arguments": "test_bad_input test_probabilities",
    "probabilities": "test_probabilities",
    "metrics": "test_metrics",
    "data": "test_data",
    "models": "test_models test_field",
    "fingerprint": "test_cache test_sweeps",
    "cache": "test_cache test_faults",
    "files": "test_cache test_faults",
    "sweeps": "test_sweeps",
    "language": "test_language",
    "compress": "test_compress test_field",
    "cascade": "test_cascade test_faults",
    "patience": "test_patience test_cascade test_page_exercise",
    "backend": OF_THE_BACKEND,
    "lab": "test_lab",
    "site.frames": "test_site",
    "site.recording": "test_site",
    "pages.explorer": "test_explorers test_page_soft_targets",
    "pages.picture": "test_page_plots test_page_soft_targets test_page_loss test_page_smaller_models",
}
PAGES = sorted(path.stem for path in (ROOT / "distill_edu" / "pages").glob("*.py"))
# Where the sliders stand, and whether all that is drawn has its place: of every page, and fast.
SLIDERS = " ".join(
    f"test_explorers.py::test_every_{name}"
    for name in (
        "slider_offers_these_stops_and_has_a_label",
        "axes_lies_in_the_picture_beside_the_others_and_shows_all_that_is_drawn_in_it",
    )
)
TESTS |= {f"pages.{name}": f"test_page_{name} {SLIDERS}" for name in PAGES if name != "__init__"} | TESTS
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


def mutate(module):
    copy, session = FOLDER / module, FOLDER / f"{module}.sqlite"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "*_cache", "build"))
    tests = [f"tests/{name}" if "::" in name else f"tests/{name}.py" for name in TESTS[module].split()]
    os.chdir(copy)
    file = copy / "distill_edu" / f"{module.replace('.', '/')}.py"
    start = time.monotonic()
    if _in_a_fork(tests, 3000, Calls(file))[0] is not TestOutcome.SURVIVED:
        print(f"The tests of {module} fail before anything is changed: run {' '.join(tests)} first.")
        return
    timeout = 60 + 3 * (time.monotonic() - start)  # a machine that gets busy must not count as a test that notices
    (copy / "mutate.toml").write_text(CONFIG.format(file=file, timeout=timeout))
    if not session.exists() or session.stat().st_mtime < (ROOT / file.relative_to(copy)).stat().st_mtime:
        for command in (("cosmic-ray", "init", "mutate.toml", "new"), ("cr-filter-operators", "new", "mutate.toml")):
            subprocess.run([Path(sys.executable).with_name(command[0]), *command[1:]], check=True)
        os.replace("new", session)  # whole or not at all: one that was stopped here would have no mutants
    with sqlite3.connect(session) as results:
        results.execute("delete from work_results where test_outcome = 'SURVIVED'")  # a new test may notice them
    calls, tree = json.loads((copy / "calls.json").read_text()), ast.parse(file.read_text())
    with use_db(str(session), WorkDB.Mode.open) as database:
        pending = sorted(database.pending_work_items, key=lambda item: item.job_id)  # a random one
        for item in pending[: int(os.environ.get("TRIES", len(pending)))]:
            near = _tests_of(item.mutations[0].start_pos[0], tree, calls)
            for some in (near, tests) if near else (tests,):
                result = cosmic_ray.mutating.mutate_and_test(item.mutations, some, timeout)
                if result.test_outcome is not TestOutcome.SURVIVED:
                    break
            database.set_result(item.job_id, result)
    _report(module, session)


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


def _tests_of(line, tree, calls):
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
        os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests], plugins))
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
    for module in sys.argv[1:] or TESTS:
        mutate(module)
