"""The pages: executed, normalised, linked, with exercises whose answers are right; and nbval really compares them."""

import ast
import copy
import re
import statistics
import subprocess
import sys

import kept_outputs
import nbformat
import pytest

from tools.pages import HOOK, PAGES, first_picture, lesson, normalise

ROOT = PAGES[0].parent.parent
pytestmark = pytest.mark.slow
NBVAL = ["--nbval", "--nbval-current-env", "--nbval-kernel-startup-timeout=600", "-p", "no:cacheprovider"]


@pytest.fixture(params=PAGES, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def page(path):
    return lesson(read(path))  # the links and the cell that all pages have alike: tests/test_links.py


def read(path):
    return nbformat.read(path, as_version=4)


def cells(page, kind):
    return [cell for cell in page.cells if cell.cell_type == kind]


def prose(page):
    return "\n".join(cell.source for cell in cells(page, "markdown"))


def exercises(page):
    return [cell for cell in page.cells if "exercise" in cell.metadata.get("tags", [])]


def is_trouble(output):
    """An error, or what a library says past the page: on the error stream or, as TensorFlow, among the prints."""
    said = output.get("name") == "stderr" or "WARNING" in str(output.get("text"))
    return output["output_type"] == "error" or said


def test_the_pages_are_one_series_and_the_readme_shows_its_first_picture():
    assert [path.stem[:2] for path in PAGES] == [f"{i + 1:02}" for i in range(len(PAGES))] and len(PAGES) >= 4
    assert HOOK.read_bytes() == first_picture(read(PAGES[0]))


def test_it_is_executed_and_normalised(path, page):
    stored = read(path)
    assert stored == normalise(copy.deepcopy(stored)), f"run: make pages, or only make links ({path.name})"
    nbformat.validate(stored)
    for cell in cells(page, "code"):
        assert cell.execution_count, "a cell without a count is not compared by nbval"
        assert not any(map(is_trouble, cell.outputs))
        # A cell that ends in an expression or prints must have something stored to be compared with.
        assert cell.outputs or not re.search(r"^print\(|^page\.check_|\.still\(", cell.source, re.MULTILINE)


def lengths(page):
    return [len(re.findall(r"^.*\S", cell.source, re.MULTILINE)) for cell in cells(page, "code")]


ANATOMY = {
    "It has 9 to 16 code cells, more than 8 of them with an output.": lambda page: (
        9 <= len(lengths(page)) <= 16 and sum(bool(cell.outputs) for cell in cells(page, "code")) > 8
    ),
    "The median cell has at most 9 lines, and none has more than 20.": lambda page: (
        statistics.median(lengths(page)) <= 9 and max(lengths(page)) <= 20
    ),
    "It has 900 to 1500 words.": lambda page: 900 <= len(re.findall(r"\w+", prose(page))) <= 1500,
    "It says what you will do: **You will ...**": lambda page: "You will **" in prose(page),
    "The reader predicts at least twice: **Predict ...**": lambda page: (
        len(re.findall(r"\*\*[Pp]redict", prose(page))) >= 2
    ),
    "It says what to see: **What to see.**": lambda page: "**What to see.**" in prose(page),
    "It has three exercises, in cells that carry the tag `exercise`.": lambda page: len(exercises(page)) == 3,
    "Each exercise has its answer folded below it.": lambda page: (
        prose(page).count("<details><summary>Answer</summary>") == prose(page).count("</details>") == 3
    ),
    "It ends with its terms: | term | meaning |": lambda page: "| term | meaning |" in prose(page),
    "It names its sources: References:": lambda page: "References:" in prose(page),
}


def test_it_has_the_anatomy_of_a_page(path, page):
    missing = [sentence for sentence, holds in ANATOMY.items() if not holds(page)]
    assert not missing, f"{path.name}: {' '.join(missing)}"


def test_it_has_a_module_of_its_name_with_its_exercises_and_a_row_in_the_readme(path, page):
    name = path.stem[3:]
    module = (ROOT / "distill_edu" / "pages" / f"{name}.py").read_text()
    used = set(re.findall(r"page\.(check_\w+)", "\n".join(cell.source for cell in exercises(page))))
    assert used == set(re.findall(r"^(?:def )?(check_\w+)(?: = |\()", module, re.MULTILINE))
    gallery = (ROOT / "tests" / "gallery.py").read_text()  # whose sliders are tried at every stop
    assert all(slider in gallery for slider in re.findall(r"^def (\w+_explorer)", module, re.MULTILINE))
    title = re.match(rf"# {path.stem[:2]} · (.*)", prose(page))
    assert title, f"The title begins with the page's number: # {path.stem[:2]} · "
    assert f"| [{path.stem[:2]}](notebooks/{path.name}) | {title[1]} |" in (ROOT / "README.md").read_text()


def test_a_slider_stands_on_its_first_screen_with_its_still_twin(page):
    code = cells(page, "code")
    live = next(i for i, cell in enumerate(code) if "explorer(" in cell.source)
    assert live <= 1 and ".still(" in code[live + 1].source
    assert "image/png" in code[live + 1].outputs[0].data


def test_its_prose_is_for_learners_and_its_links_lead_to_pages_that_exist(path, page):
    for link in re.findall(r"\]\(([^)]+)\)", prose(page)):
        assert (path.parent / link).exists(), link
    assert not re.search(r"\b(simply|obviously|of course|trivial(ly)?|easy to see)\b", prose(page), re.IGNORECASE)
    # A result belongs into the output of a cell: no accuracy or percentage is typed.
    assert not re.search(r"\d+(\.\d+)? ?(%|percent|points)", prose(page))
    text = re.sub(r"```.*?```|\$[^$]*\$|`[^`]*`", "", prose(page).replace("$$", "$"), flags=re.DOTALL)
    for paragraph in text.split("\n\n"):  # a sentence that somebody shortened
        for opens, closes in ("()", "[]"):
            assert paragraph.count(opens) == paragraph.count(closes), paragraph


def test_the_answers_of_its_exercises_are_right(page):
    answers = re.findall(r"<summary>Answer</summary>\s+```python\n(.*?)```", prose(page), re.DOTALL)
    source = "\n".join(cell.source for cell in cells(page, "code"))
    imports = [node for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    space = {}
    exec("\n".join(map(ast.unparse, imports)), space)  # and no more: a reader has what the page imports
    if "cross_entropy = " in source:
        space["cross_entropy"] = space["keras"].losses.SparseCategoricalCrossentropy(from_logits=True)
    for answer, cell in zip(answers, exercises(page), strict=True):
        check = cell.source.splitlines()[-1]
        assert "Not attempted" in cell.outputs[0].data["text/plain"] and check.startswith("page.check_")
        exec(answer, space)
        assert eval(check, space) == "Correct!", cell.source


@pytest.mark.parametrize("path", [PAGES[0], PAGES[1]], ids=lambda path: path.stem)
def test_the_pages_of_numpy_alone_do_not_import_tensorflow(path):
    code = "\n\n".join(cell.source for cell in cells(lesson(read(path)), "code"))
    code += "\nimport sys\nassert not {'tensorflow', 'keras'} & set(sys.modules), 'TensorFlow was imported'"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=path.parent, check=False)
    assert run.returncode == 0, run.stderr


def test_nbval_goes_red_when_one_stored_number_is_wrong(tmp_path):
    page = read(PAGES[0])
    number, cell = next((i, c) for i, c in enumerate(cells(page, "code")) if "softmax by hand" in c.source)
    stored = cell.outputs[0].text
    cell.outputs[0].text = stored.replace("0.705", "0.706", 1)
    assert cell.outputs[0].text != stored
    nbformat.write(page, tmp_path / PAGES[0].name)
    command = [sys.executable, "-m", "pytest", *NBVAL, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    failed = re.findall(r"^FAILED (.*)", run.stdout, re.MULTILINE)
    assert run.returncode == 1 and len(failed) == 1, run.stdout
    assert f"{PAGES[0].name}::Cell {number}" in failed[0] and "0.706" in run.stdout


@pytest.mark.parametrize(
    "stored, tags, red",
    [
        ("gain +0.023 better", (), False),
        ("gain +0.022 better", (), False),
        ("gain +0.021 better", (), True),
        ("gain -0.023 better", (), True),
        ("gain +0.023 worse", (), True),
        ("gain +0.0230 better", (), True),
        ("gain -1 worse", ("live",), False),
    ],
)
def test_what_pages_say_of_kept_results_is_compared_to_one_in_the_last_digit(stored, tags, red):
    cell = nbformat.v4.new_code_cell('print("gain +0.023 better")', metadata={"tags": ["nbval-ignore-output", *tags]})
    item = kept_outputs.IPyNbCell.__new__(kept_outputs.IPyNbCell)
    item.cell, item.options = cell, {"check": False}
    item.compare_outputs = lambda outputs, stored, skip_compare=None: outputs == stored
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILL_EDU_KEPT", "only")
        kept_outputs.pytest_collection_modifyitems([item])
    assert item.options["check"] == (not tags)
    new, old = (nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("gain +0.023 better", stored))
    bar = nbformat.v4.new_output("display_data", {"text/plain": "training:  10%|1"})
    assert tags or item.compare_outputs([new, bar], [old]) == (not red)
