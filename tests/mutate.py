"""Would the tests notice? `make mutate`, or `python tests/mutate.py losses`: changes one thing at a time in a copy.

cosmic-ray writes each mutant into the file, runs the tests of that module and keeps what became of it in
`.venv/mutants/<module>.sqlite`; started again it goes on where it was stopped. Survivors are printed as diffs.
"""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".venv" / "mutants"
TESTS = {
    "losses": "test_losses test_hints",
    "distiller": "test_distiller test_hints test_peer test_promises",
    "metrics": "test_metrics",
    "cascade": "test_cascade",
    "classroom": "test_classroom",
}
# Left out: what raises a TypeError at once, and so says nothing about the tests.
CONFIG = """
[cosmic-ray]
module-path = "distill_edu/{module}.py"
timeout = 300.0
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider {tests}"
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
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "notebooks", "build"))
    tests = " ".join(f"tests/{name}.py" for name in TESTS[module].split())
    (copy / "mutate.toml").write_text(CONFIG.format(module=module, python=sys.executable, tests=tests))
    if not session.exists():
        _run(copy, "cosmic-ray", "init", "mutate.toml", session)
        _run(copy, "cr-filter-operators", session, "mutate.toml")
    _run(copy, "cosmic-ray", "exec", "mutate.toml", session)
    _report(module, session)


def _run(folder, command, *arguments):
    subprocess.run([Path(sys.executable).with_name(command), *arguments], cwd=folder, check=True)


def _report(module, session):
    with sqlite3.connect(session) as results:
        rows = results.execute("select test_outcome, diff from work_results where worker_outcome = 'NORMAL'").fetchall()
    survivors = [diff for outcome, diff in rows if outcome == "SURVIVED"]
    for diff in survivors:
        print(*(line for line in diff.splitlines() if line[:1] in "+-@" and line[:3] not in ("+++", "---")), sep="\n")
    print(f"{module}: {len(rows) - len(survivors)} mutants killed, {len(survivors)} survived", flush=True)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for module in sys.argv[1:] or TESTS:
        mutate(module)
