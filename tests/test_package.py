"""The house: quick to import, one sentence for a wrong setup, nothing listed twice."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import distill_edu

tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")  # pytest brings the latter
ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def python(code, **environment):
    setting = {**os.environ, "KERAS_BACKEND": "tensorflow", **environment}
    return subprocess.run([sys.executable, "-c", code], env=setting, capture_output=True, text=True, check=False)


def test_import_does_not_start_tensorflow_and_neither_do_the_pages_without_training():
    code = (
        "import sys, distill_edu; from distill_edu import checks, plots, widgets, load_dataset; load_dataset('digits');"
    )
    run = python(code + "print([name for name in ('tensorflow', 'keras') if name in sys.modules])")
    assert run.stdout.strip() == "[]", run.stderr


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_wrong_keras_backend_gets_one_sentence(backend):
    run = python("from distill_edu import Distiller", KERAS_BACKEND=backend)
    assert run.returncode and "set KERAS_BACKEND=tensorflow" in run.stderr.splitlines()[-1].replace("Set", "set")
    assert f"'{backend}'" in run.stderr and "During handling" not in run.stderr


def test_in_a_notebook_the_sentence_stands_alone():
    from distill_edu.backend import WrongSetup

    assert WrongSetup("Do this.")._render_traceback_() == ["WrongSetup: Do this."]


def test_a_wrong_python_gets_one_sentence():
    code = "import sys; sys.version_info = (3, 8, 1); import distill_edu"
    assert "distill_edu needs Python 3.10 or newer" in python(code).stderr.splitlines()[-1]


def test_every_public_name_resolves_and_a_wrong_one_is_named():
    for name in distill_edu.__all__:
        assert getattr(distill_edu, name) is not None
    assert callable(distill_edu.soft_targets)  # the function, not the module of its name
    with pytest.raises(AttributeError, match="has no 'Destiller'. It has: .*Distiller"):
        distill_edu.Destiller  # noqa: B018


def test_environment_yml_lists_no_dependency_of_its_own():
    text = (ROOT / "environment.yml").read_text()
    entries = re.findall(r"^ +- (.+?):?$", text, re.MULTILINE)
    extras = ",".join(PROJECT["optional-dependencies"])
    assert entries == ["conda-forge", f"python{PROJECT['requires-python']}", "pip", "pip", f"-e .[{extras}]"]
    assert f"name: {PROJECT['name']}" in text


def test_every_dependency_has_bounds_and_a_reason():
    text = (ROOT / "pyproject.toml").read_text()
    for line in [*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), [])]:
        assert re.search(r">=.*,<|==", line), f"{line} has no floor or ceiling"
        assert re.search(re.escape(f'"{line}"') + r",? +# \S", text), f"{line} has no reason"


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


def test_what_is_imported_is_a_dependency():
    known = {"sklearn": "scikit-learn", "ai_edge_litert": "ai-edge-litert"}
    for path in (ROOT / "distill_edu").glob("*.py"):
        lines = PROJECT["optional-dependencies"]["lab"] if path.name == "lab.py" else PROJECT["dependencies"]
        listed = {re.match(r"[\w-]+", line)[0].lower() for line in lines}
        for name in _imported(path):
            if name not in sys.stdlib_module_names and name != "distill_edu":
                assert known.get(name, name).lower() in listed, f"{path.name} imports {name}"


def test_the_floors_stand_on_each_other_and_never_below():
    floors = [
        {"arguments"},
        {"soft_targets", "data", "backend", "lab"},
        {"losses", "models", "metrics"},
        {"distiller", "cache"},
        {"classroom", "compress", "cascade"},
        {"sweeps", "plots"},
        {"widgets", "checks"},
    ]
    height = {name: floor for floor, names in enumerate(floors) for name in names}
    for name, floor in height.items():
        text = (ROOT / "distill_edu" / f"{name}.py").read_text()
        for other in re.findall(r"from distill_edu(?:\.(\w+))? import", text):
            assert not other or height[other] < floor or (name, other) == ("data", "backend"), f"{name} imports {other}"


def test_functions_are_short():
    for path in (ROOT / "distill_edu").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 40, f"{path.name}: {node.name} is too long"


def test_the_readme_and_the_workflow_name_the_commands_that_exist():
    makefile = (ROOT / "Makefile").read_text()
    for file in ("README.md", ".github/workflows/test.yml", ".ci/run"):
        for command in re.findall(r"\bmake (\w+)", (ROOT / file).read_text()):
            assert f"\n{command}:" in makefile, f"{file} says make {command}"


def test_the_readmes_python_runs_and_its_files_exist(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text()
    for link in re.findall(r"\]\(([^)h][^)]*)\)", text):
        assert (ROOT / link).is_file(), link
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(re.sub(r"epochs=\d+", "epochs=1, verbose=0", code), {})
    assert (tmp_path / "student.keras").is_file()
