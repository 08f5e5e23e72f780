"""The house: quick to import, one sentence for a wrong setup, nothing listed twice, small, with an example for all."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

import distill_edu
from tools import mutate

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "distill_edu"
PUBLIC = sorted(PACKAGE.glob("[a-z]*.py"))
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SETTINGS["project"]
EVENING = ("losses", "hints", "probabilities", "distiller")  # what a learner reads to understand everything


def python(code, **environment):
    setting = {**os.environ, "KERAS_BACKEND": "tensorflow", **environment}
    return subprocess.run([sys.executable, "-c", code], env=setting, capture_output=True, text=True, check=False)


# --- setting up -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_import_does_not_start_tensorflow_and_neither_do_the_pages_without_training():
    code = (
        "import sys, distill_edu; from distill_edu import load_dataset, soft_targets; load_dataset('digits');"
        "from distill_edu.pages import soft_targets, temperature; from distill_edu.pages.shared import plots, loss;"
    )
    run = python(code + "print([name for name in ('tensorflow', 'keras') if name in sys.modules])")
    assert run.stdout.strip() == "[]", run.stderr


IMPORT = "from distill_edu import Distiller"
WITHOUT = """
import sys
class Nowhere:
    def find_spec(name, *_):
        if name == {!r}:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Nowhere)
from distill_edu import Distiller
"""
OTHER = """
import sys, types
keras = types.ModuleType("keras")
keras.backend = types.ModuleType("keras.backend")
keras.backend.backend = lambda: {!r}
sys.modules["keras"] = keras
from distill_edu import Distiller
"""
NOTEBOOK = "from IPython.core.interactiveshell import InteractiveShell as Shell; Shell().run_cell({!r})"
WRONG = {  # a setup: (code, KERAS_BACKEND, what its one sentence says)
    "set to jax": (IMPORT, "jax", "Keras is set to 'jax' here. Set KERAS_BACKEND=tensorflow"),
    "set to torch": (IMPORT, "torch", "Keras is set to 'torch' here. Set KERAS_BACKEND=tensorflow"),
    "in a notebook": (NOTEBOOK.format(IMPORT), "jax", "^WrongSetup: .* Set KERAS_BACKEND=tensorflow"),
    "was jax before": (OTHER.format("jax"), "tensorflow", "Keras is set to 'jax' here"),
    "was torch before": (OTHER.format("torch"), "tensorflow", "Keras is set to 'torch' here"),
    "no TensorFlow": (WITHOUT.format("tensorflow"), "tensorflow", "tensorflow is not installed here.* Run `make lab`"),
    "no Keras": (WITHOUT.format("keras"), "tensorflow", "keras is not installed here.* Run `make lab`"),
}


@pytest.mark.slow
@pytest.mark.parametrize("setup", WRONG)
def test_a_wrong_setup_gets_one_sentence(setup):
    code, backend, sentence = WRONG[setup]
    run = python(code, KERAS_BACKEND=backend)
    text = run.stdout if setup == "in a notebook" else run.stderr
    assert re.search(sentence, text.splitlines()[-1]) and "During handling" not in text
    assert "Traceback" not in run.stdout


@pytest.mark.slow
def test_without_a_setting_keras_runs_on_tensorflow_whatever_its_own_file_says(tmp_path):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"backend": "jax"}')
    code = "import os; del os.environ['KERAS_BACKEND']; from distill_edu import Distiller; import keras;"
    run = python(code + "print(keras.backend.backend())", HOME=str(tmp_path), KERAS_HOME=str(tmp_path / ".keras"))
    assert run.stdout.strip() == "tensorflow"


@pytest.mark.slow
def test_what_tensorflow_writes_is_hidden_and_standard_error_given_back():
    code = "import os; from distill_edu._inside.backend import quietly; free = os.dup(2); os.close(free)\n"
    code += "for _ in range(3):\n with quietly(): os.write(2, b'hidden')\n os.write(2, b'seen')\n"
    run = python(code + "print(os.dup(2) == free)", TF_CPP_MIN_LOG_LEVEL="3")
    assert (run.stderr, run.stdout) == ("seenseenseen", "True\n")


# --- what is listed -------------------------------------------------------------------------------------------------


def test_every_public_name_resolves_and_a_wrong_one_is_named():
    assert all(getattr(distill_edu, name) is not None for name in distill_edu.__all__)
    with pytest.raises(AttributeError, match="has no 'Destiller'. It has: .*Distiller"):
        distill_edu.Destiller  # noqa: B018
    assert f'version: "{distill_edu.__version__}"' in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {distill_edu.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_dependency_has_a_floor_and_a_reason_and_every_limit_its_own():
    text = (ROOT / "pyproject.toml").read_text()
    for line in [*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), [])]:
        reason = re.search(re.escape(f'"{line}"') + r",? +# (\S.*)", text)
        assert re.search(">=|==", line) and reason, f"{line} has no floor or no reason"
        assert "<" not in line or "the limit" in reason[1], f"{line} has no reason for its limit"


def test_what_is_imported_is_a_dependency():
    known = {"sklearn": "scikit-learn", "ai_edge_litert": "ai-edge-litert"}
    for path in PACKAGE.rglob("*.py"):
        lines = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["lab"] * (path.stem == "lab")
        listed = {re.match(r"[\w-]+", line)[0].lower() for line in lines}
        nodes = list(ast.walk(ast.parse(path.read_text())))
        names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
        for name in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"distill_edu"}:
            assert known.get(name, name).lower() in listed, f"{path.name} imports {name}"


def test_an_installed_package_has_every_file_that_it_reads(monkeypatch):
    """By setuptools' own search, of which a wheel is made: Colab needs the kept results and the playground's files."""
    from setuptools import Distribution  # slow to import

    monkeypatch.chdir(ROOT)
    tool = SETTINGS["tool"]["setuptools"]
    listed = {"packages": tool["packages"], "package_data": tool["package-data"], "script_name": "setup.py"}
    command = Distribution(listed).get_command_obj("build_py")
    command.ensure_finalized()
    packed = {(ROOT / path).resolve() for _, _, path in command.find_all_modules()}
    packed |= {ROOT / folder / name for _, folder, _, names in command.data_files for name in names}
    needed = {path for path in PACKAGE.rglob("*.*") if path.is_file() and "__pycache__" not in path.parts}
    assert needed - packed == set()
    assert {path.suffix for path in needed} >= {".py", ".zip", ".js", ".css", ".json", ".npz"}


def test_ipywidgets_that_vs_code_cannot_draw_stays_out():
    (line,) = (line for line in PROJECT["dependencies"] if line.startswith("ipywidgets"))
    allowed = SpecifierSet(line.removeprefix("ipywidgets"))
    assert "8.1.9" not in allowed and all(version in allowed for version in ("7.7.1", "8.1.8", "8.1.10"))


def test_environment_yml_and_the_workflow_agree_with_pyproject():
    text = (ROOT / "environment.yml").read_text()
    entries = re.findall(r"^ +- (.+?):?(?: +#.*)?$", text, re.MULTILINE)
    assert entries == ["conda-forge", entries[1], "pip", "pip", "-e .[lab]"]  # what the pages need, and no more
    assert f"name: {PROJECT['name']}" in text
    tried = re.findall(
        r'"(3\.\d+)"', re.search(r"python: \[.*\]", (ROOT / ".github/workflows/test.yml").read_text())[0]
    )
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert tried == [f"3.{minor}" for minor in range(30) if f"3.{minor}" in allowed]
    assert re.fullmatch(r"python=(3\.\d+)", entries[1])[1] in tried  # repo2docker takes no range: it would take another


def test_the_night_runs_the_pages_without_onednn_and_hides_no_miss():
    """Neither behind what the cold run has just trained, nor behind results of another night."""
    recipe = re.search(r"^test_all: lint.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    (run,) = re.findall(r"^\t(.*TF_ENABLE_ONEDNN_OPTS=0.*)\$\(NBVAL\)$", recipe, re.MULTILINE)
    settings = dict(setting.split("=") for setting in run.split())
    assert settings["DISTILL_EDU_KEPT"] == "only" and settings["DISTILL_EDU_CACHE"] not in ("$(COLD)", "")
    steps = (ROOT / ".github/workflows/run.yml").read_text().split("\n      - ")
    (results,) = [step for step in steps if "path: .venv*/cache" in step]
    assert "if: inputs.target != 'test_all'" in results


# --- the size of the house ------------------------------------------------------------------------------------------


def test_no_file_is_long_and_the_evening_is_one_evening():
    lengths = {path: path.read_text().count("\n") for path in PACKAGE.rglob("*.py")}
    assert not {path.name: length for path, length in lengths.items() if length > 320}
    assert sum(lengths[PACKAGE / f"{name}.py"] for name in EVENING) <= 600


def test_functions_are_short():
    nodes = [node for path in PACKAGE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    lengths = sorted((f.end_lineno - f.lineno + 1, f.name) for f in nodes if isinstance(f, ast.FunctionDef))
    assert lengths[-1][0] <= 40 and lengths[len(lengths) // 2][0] <= 6, lengths[-1]


def test_every_public_name_has_an_example_in_its_docstring():
    """The doctests themselves run beside the tests."""
    missing = [
        f"{path.stem}.{node.name}"
        for path in PUBLIC
        for node in ast.parse(path.read_text()).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        if not any(ast.unparse(each).startswith("soft_loss(") for each in node.decorator_list)  # called by its name
        if ">>> " not in (ast.get_docstring(node) or "")
    ]
    assert not missing, f"{len(missing)} public names have no example (>>>): {', '.join(missing)}"


# --- what the texts say ---------------------------------------------------------------------------------------------


def test_the_texts_name_commands_and_modules_that_exist():
    makefile = (ROOT / "Makefile").read_text()
    for file in ("README.md", "CONTRIBUTING.md", "docs/index.md", "docs/teaching.md"):
        for command in re.findall(r"(?<=[`\n])make (\w+)(?=[`\s])", (ROOT / file).read_text()):
            assert re.search(rf"^[\w ]*\b{command}\b[\w ]*:", makefile, re.MULTILINE), f"{file}: make {command}"
    named = set(re.findall(r"`(\w+)\.py`", (ROOT / "README.md").read_text().split("## The package")[1]))
    assert named == {path.stem for path in PUBLIC}


@pytest.mark.slow
def test_the_readmes_python_runs_and_its_files_exist(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text()
    for link in re.findall(r"\]\(([^)h][^)]*)\)", text):
        assert (ROOT / link).exists(), link
    monkeypatch.chdir(tmp_path)
    text = re.sub(r"(\.fit\(.*)\)", r"\1, verbose=0)", re.sub(r"epochs=\d+", "epochs=1", text))
    text = text.replace("seeds=10, steps=1000", "seeds=2, steps=2")
    space = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, space)
    assert (tmp_path / "student.keras").is_file()


def test_every_module_has_tests_for_its_mutants():
    """`make mutate` stops with a sentence at a module without."""
    modules = mutate.modules()
    assert {"losses", "students", "_inside.engine"} < set(modules) and all(mutate.tests_of(name) for name in modules)
