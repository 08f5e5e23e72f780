"""The house: quick to import, one sentence for a wrong setup, nothing listed twice, its rules as tests."""

import ast
import collections
import importlib.metadata
import os
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

import distill_edu

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGE = ROOT / "distill_edu"
MODULES = sorted(PACKAGE.rglob("*.py"))
PYTHONS = ("3.11", "3.12", "3.13")
EVENING = ("losses", "hints", "batch", "distiller")  # what a learner reads to understand everything


def python(code, **environment):
    setting = {**os.environ, "KERAS_BACKEND": "tensorflow", **environment}
    return subprocess.run([sys.executable, "-c", code], env=setting, capture_output=True, text=True, check=False)


# --- setting up -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_import_does_not_start_tensorflow_and_neither_do_the_pages_without_training():
    code = (
        "import sys, distill_edu; from distill_edu import load_dataset, soft_targets; load_dataset('digits');"
        "from distill_edu.pages import plots, loss, soft_targets, temperature;"
    )
    run = python(code + "print([name for name in ('tensorflow', 'keras') if name in sys.modules])")
    assert run.stdout.strip() == "[]", run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_wrong_keras_backend_gets_one_sentence(backend):
    run = python("from distill_edu import Distiller", KERAS_BACKEND=backend)
    assert run.returncode and "set KERAS_BACKEND=tensorflow" in run.stderr.splitlines()[-1].replace("Set", "set")
    assert f"'{backend}'" in run.stderr and "During handling" not in run.stderr


WITHOUT = """
import sys
class Nowhere:
    def find_spec(name, *_):
        if name == {name!r}:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Nowhere)
from distill_edu import Distiller
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tensorflow", "keras"])
def test_what_is_not_installed_is_named_with_the_command_that_installs_it(name):
    last = python(WITHOUT.format(name=name)).stderr.splitlines()[-1]
    assert f"{name} is not installed here" in last and "Run `make lab`" in last


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jax", "torch"])
def test_a_backend_that_keras_had_before_gets_the_sentence_too(name):
    fake = "import sys, types; keras = types.ModuleType('keras'); keras.backend = types.ModuleType('keras.backend');"
    fake += f"keras.backend.backend = lambda: '{name}'; sys.modules['keras'] = keras;"
    fake += "import distill_edu._inside.backend"
    assert f"Keras is set to '{name}' here" in python(fake).stderr.splitlines()[-1]


@pytest.mark.slow
def test_without_a_setting_keras_runs_on_tensorflow_whatever_its_own_file_says(tmp_path):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"backend": "jax"}')
    code = "import os; del os.environ['KERAS_BACKEND']; from distill_edu._inside.backend import keras;"
    code += "print(keras.backend.backend())"
    assert python(code, HOME=str(tmp_path), KERAS_HOME=str(tmp_path / ".keras")).stdout.strip() == "tensorflow"


def test_quietly_gives_standard_error_back(capfd, monkeypatch):
    from distill_edu._inside.backend import quietly

    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None
    for _ in range(3):
        with quietly():
            os.write(2, b"hidden")
        os.write(2, b"seen")
    assert capfd.readouterr().err == "seenseenseen"
    assert before is None or len(os.listdir("/proc/self/fd")) == before


def test_in_a_notebook_the_sentence_stands_alone():
    from distill_edu._inside.backend import WrongSetup

    assert WrongSetup("Do this.")._render_traceback_() == ["WrongSetup: Do this."]


@pytest.mark.parametrize("version", [(3, 8, 1), (3, 10, 9), (3, 14, 0)])
def test_a_wrong_python_gets_one_sentence(version):
    code = f"import sys; sys.version_info = {version}; import distill_edu"
    assert "distill_edu needs Python 3.11 to 3.13" in python(code).stderr.splitlines()[-1]


def test_every_place_that_names_a_python_names_the_same_ones():
    """And Keras and TensorFlow can be installed for all of them, but not for the one before."""
    inside = SpecifierSet(PROJECT["requires-python"])
    for version in PYTHONS:
        assert inside.contains(version)
        for name in ("keras", "tensorflow"):
            theirs = importlib.metadata.metadata(name)
            assert SpecifierSet(theirs["Requires-Python"]).contains(version), f"{name} on {version}"
            assert f"Programming Language :: Python :: {version}" in theirs.get_all("Classifier") or name == "keras"
    assert not inside.contains("3.10") and not inside.contains("3.14")
    assert not SpecifierSet(importlib.metadata.metadata("keras")["Requires-Python"]).contains("3.10")
    read = {name: (ROOT / name).read_text() for name in ("README.md", "Makefile", ".github/workflows/test.yml")}
    assert "Python 3.11 to 3.13" in read["README.md"] and "Python 3.11 to 3.13" in read["Makefile"]
    assert "(3, 11) <= sys.version_info[:2] < (3, 14)" in read["Makefile"]
    assert f"python: {list(PYTHONS)}".replace("'", '"') in read[".github/workflows/test.yml"]
    named = {name: set(re.findall(r"\b3\.(?:9|1\d)\b(?!\.\d)", text)) for name, text in read.items()}
    assert set().union(*named.values()) <= set(PYTHONS), named


@pytest.mark.slow
def test_make_refuses_another_python_at_once(tmp_path):
    old = tmp_path / "python3.10"
    old.write_text("#!/bin/sh\necho 'distill_edu needs Python 3.11 to 3.13, but this is 3.10.1.' >&2; exit 1\n")
    old.chmod(0o755)
    run = subprocess.run(
        ["make", "lab", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode and "needs Python 3.11 to 3.13" in run.stderr and not (tmp_path / "venv").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words, network",
    [("Temporary failure in name resolution", True), ("No matching distribution found for keras", False)],
)
def test_make_shows_the_installers_own_words_and_speaks_of_a_network_only_then(tmp_path, words, network):
    """With a `uv` that fails in this way."""
    fake = tmp_path / "uv"
    fake.write_text(f"#!/bin/sh\necho '{words}' >&2; exit 1\n")
    fake.chmod(0o755)
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    run = subprocess.run(
        ["make", "lab", f"PYTHON={sys.executable}", f"VENV={venv}"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode and words in run.stderr and ("needs a network" in run.stdout) == network


# --- what is listed -------------------------------------------------------------------------------------------------


def test_every_public_name_resolves_and_a_wrong_one_is_named():
    for name in distill_edu.__all__:
        assert getattr(distill_edu, name) is not None
    assert callable(distill_edu.soft_targets)
    assert re.fullmatch(r"\d+\.\d+\.\d+", distill_edu.__version__)
    with pytest.raises(AttributeError, match="has no 'Destiller'. It has: .*Distiller"):
        distill_edu.Destiller  # noqa: B018


def test_the_version_stands_in_every_file_that_names_one():
    assert f'version: "{distill_edu.__version__}"' in (ROOT / "CITATION.cff").read_text()
    assert (ROOT / "CHANGELOG.md").read_text().split("## ")[1].startswith(distill_edu.__version__)


def test_environment_yml_lists_no_dependency_of_its_own():
    text = (ROOT / "environment.yml").read_text()
    entries = re.findall(r"^ +- (.+?):?(?: +#.*)?$", text, re.MULTILINE)
    extras = ",".join(PROJECT["optional-dependencies"])
    assert entries == ["conda-forge", entries[1], "pip", "pip", f"-e .[{extras}]"]
    assert (
        re.fullmatch(r"python=(3\.\d+)", entries[1])[1] in PYTHONS
    )  # repo2docker takes no range: it would take another
    assert f"name: {PROJECT['name']}" in text


def test_every_dependency_has_bounds_and_a_reason():
    text = (ROOT / "pyproject.toml").read_text()
    for line in [*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), [])]:
        assert re.search(r">=.*,<|==", line), f"{line} has no floor or ceiling"
        assert re.search(re.escape(f'"{line}"') + r",? +# \S", text), f"{line} has no reason"


def imported(path):
    """(module, names) of every import of a file: names is empty for `import module`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module, [alias.name for alias in node.names]


def test_what_is_imported_is_a_dependency():
    known = {"sklearn": "scikit-learn", "ai_edge_litert": "ai-edge-litert", "docutils": "sphinx"}
    extras = {PACKAGE / "lab.py": "lab", PACKAGE / "site" / "mathml.py": "site"}
    for path in MODULES:
        lines = PROJECT["optional-dependencies"][extras[path]] if path in extras else PROJECT["dependencies"]
        listed = {re.match(r"[\w-]+", line)[0].lower() for line in lines}
        for name in {module.split(".")[0] for module, _ in imported(path)}:
            if name not in sys.stdlib_module_names and name != "distill_edu":
                assert known.get(name, name).lower() in listed, f"{path.name} imports {name}"


# --- the rules of the house -----------------------------------------------------------------------------------------


def home(path):
    """The module's name below the package: "losses", "pages.loss"."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def inside(path):
    """[(module of this package, name)] that a file imports, through whichever form of import."""
    modules = {home(other) for other in MODULES}
    for module, names in imported(path):
        if module.split(".")[0] != "distill_edu":
            continue
        below = module.removeprefix("distill_edu").lstrip(".")
        for name in names or [""]:
            whole = f"{below}.{name}".strip(".")
            yield (whole, "") if whole in modules else (below, name)


FLOORS = [
    {"arguments", "patience", "files", "pages.__init__", "__init__", "lab"},
    {"probabilities", "data", "backend"},
    {"guard", "metrics", "fingerprint"},
    {"refusals", "cache"},
    {"losses", "hints", "features", "batch", "partly_trained"},
    {"distiller", "counting", "models"},
    {"row", "compress", "cascade", "language"},
    {"classroom"},
    {"sweeps"},
    {"pages.picture", "pages.exercise"},
    {"pages.plots", "pages.explorer"},
    {"pages.pairs", "pages.live"},
    {"site.__init__", "site.mathml", "site.recording"},
    {"site.frames"},
    {"site.conf"},
]


def test_a_module_imports_only_from_the_floors_below():
    height = {name: floor for floor, names in enumerate(FLOORS) for name in names}
    for path in MODULES:
        name = home(path)
        for other, _ in inside(path):
            downward = height[other] < height.get(name, len(FLOORS))  # each page stands on the top floor
            assert downward or (name, other) == ("data", "backend"), f"{name} imports {other}"


def test_no_page_imports_another_page():
    assert not [path for path in MODULES for other, _ in inside(path) if other not in set().union(*FLOORS)]


def test_no_private_name_crosses_a_module():
    for path in [*MODULES, *(ROOT / "tests").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        for module, names in inside(path):
            assert not names.startswith("_"), f"{path.name} imports {names} of {module}"
        own = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        modules = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                   and node.module.startswith("distill_edu") for alias in node.names}  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr) and path.parent != ROOT / "tests":
                of_module = isinstance(node.value, ast.Name) and node.value.id in modules - own
                assert not of_module, f"{path.name}: {node.value.id}.{node.attr}"


def test_no_file_is_long_and_functions_are_short():
    lengths = []
    for path in MODULES:
        text = path.read_text()
        assert text.count("\n") <= 320, f"{path.name} has {text.count(chr(10))} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lengths.append(node.end_lineno - node.lineno + 1)
                assert lengths[-1] <= 40, f"{path.name}: {node.name} has {lengths[-1]} lines"
    assert statistics.median(lengths) <= 6


def written(path):
    """The lines in which something stands."""
    return sum(bool(line.strip()) for line in path.read_text().splitlines())


def test_the_evening_is_one_evening():
    assert sum(written(PACKAGE / f"{name}.py") for name in EVENING) <= 600
    rooms = {"the house": 4600, "any model that its users bring": 150, "asking more, noise, bits": 520}
    rooms |= {"language": 600, "the web site": 230}
    assert sum(written(path) for path in MODULES) <= sum(rooms.values())


def test_nothing_is_defined_that_nobody_uses():
    texts = [path.read_text() for path in [*MODULES, *ROOT.glob("notebooks/*.ipynb"), ROOT / "Makefile"]]
    times = collections.Counter(word for text in texts for word in re.findall(r"\w+", text))
    hooks = {"call", "build", "get_config", "from_config", "get_compile_config", "compile_from_config"}
    hooks |= {"compute_output_shape", "_render_traceback_", "_repr_png_"}
    hooks |= {"setup", "register"}  # called by Sphinx, and by the kernels of `make site`
    hooks |= {"train_step", "test_step", "compute_metrics", "get_metrics_result", "trainable_weights", "export"}
    hooks |= {
        "non_trainable_variables",
        "non_trainable_weights",
        "metrics",
        "evaluate",
        "connect",
        "_render_traceback_",
    }
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            registered = any("soft_loss" in ast.unparse(decorator) for decorator in getattr(node, "decorator_list", ()))
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("__") and not registered:
                assert times[node.name] > 1 or node.name in hooks, f"{path.name}: {node.name} is not used"


# --- what the README says -------------------------------------------------------------------------------------------


def test_the_texts_name_the_commands_that_exist():
    makefile = (ROOT / "Makefile").read_text()
    workflows = [path.relative_to(ROOT) for path in (ROOT / ".github" / "workflows").iterdir()]
    for file in ("README.md", "CONTRIBUTING.md", "distill_edu/site/index.md", ".ci/run", *workflows):
        for command in re.findall(r"(?<=[`\n ])make (\w+)(?=[`\s])", (ROOT / file).read_text()):
            assert re.search(rf"^{command}:", makefile, re.MULTILINE) or command in ("it", "one"), f"{file}: {command}"


def test_the_readme_names_every_module_and_no_other():
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`(\w+)\.py`", text.split("## The package")[1]))
    assert named == {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}


@pytest.mark.slow
def test_the_readmes_python_runs_and_its_files_exist(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text()
    for link in re.findall(r"\]\(([^)h][^)]*)\)", text):
        assert (ROOT / link).exists(), link
    monkeypatch.chdir(tmp_path)
    space = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(re.sub(r"epochs=\d+", "epochs=1, verbose=0", code), space)
    assert (tmp_path / "student.keras").is_file()


def test_no_test_writes_into_the_working_folder():
    """What a test leaves behind would be committed one day: git knows every file at the top and in the folders."""
    left = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not [name for name in left.stdout.splitlines() if re.search(r"\.(keras|h5|npz|tflite|csv|log)$", name)]
    kept = {"LICENSE", "Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "pyproject.toml"}
    kept |= {"environment.yml", ".gitignore", ".ci", ".github", ".git", "notebooks", "distill_edu", "tests"}
    top = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert {name.split("/")[0] for name in top.splitlines()} <= kept
