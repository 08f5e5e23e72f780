"""Pages for a class: without answers, for nbgrader, and a round trip with nbgrader itself."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import class_kit
from tools.pages import PAGES, normalise, tags


def read(path):
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_students_get_every_exercise_and_no_answer(path):
    page = normalise(read(path))
    copied = class_kit.for_students(normalise(read(path)))
    assert [cell.source for cell in copied.cells] == [c.source for c in page.cells if "answer" not in tags(c)]
    assert sum("exercise" in tags(cell) for cell in copied.cells) == 3
    assert "<details>" not in "".join(cell.source for cell in copied.cells)
    nbformat.validate(copied)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_nbgrader_gets_the_answers_between_its_marks_and_locked_checks(path):
    page = class_kit.for_nbgrader(normalise(read(path)))
    nbformat.validate(page)
    graded = [cell for cell in page.cells if "nbgrader" in cell.metadata]
    names = [cell.metadata.nbgrader.grade_id for cell in graded]
    assert names == [f"exercise-{n}{end}" for n in (1, 2, 3) for end in ("", "-check")]
    for solution, check in zip(graded[::2], graded[1::2], strict=True):
        stub, answer = solution.source.split(class_kit.BEGIN)
        assert "..." in stub and "page.check_" not in stub
        compile(solution.source, "a solution", "exec")
        assert answer.endswith(class_kit.END) and "<" + "details" not in answer
        assert check.metadata.nbgrader.locked and check.metadata.nbgrader.points == 1 and "page.check_" in check.source
        assert "points" not in solution.metadata.nbgrader and not solution.metadata.nbgrader.locked


NBGRADER = Path(sys.executable).with_name("nbgrader")
ANSWERS = {  # right, a named mistake, right, and a check that the student has changed
    "exercise-1": "my_entropy = 1.5 * np.log(2)",
    "exercise-2": "def my_softmax(z):\n    e = np.exp(z)\n    return e / e.sum(axis=-1, keepdims=True)",
    "exercise-3": (
        "def my_most_similar(p, y, c):\n    average = p[y == c].mean(axis=0)\n    average[c] = 0\n"
        "    return average.argmax()"
    ),
    "exercise-2-check": "pass",
}


def nbgrader(*command, course):
    found = {"PATH": f"{NBGRADER.parent}{os.pathsep}{os.environ['PATH']}"}  # nbgrader starts alembic by its name
    how = {"capture_output": True, "text": True, "env": {**os.environ, **found}}
    run = subprocess.run([NBGRADER, *command], cwd=course, check=False, **how)
    assert run.returncode == 0, run.stderr


def hand_in(release, student, answers):
    """Store the released page, with a student's answers, where nbgrader looks for it."""
    page = read(release)
    graded = {cell.metadata.nbgrader.grade_id: cell for cell in page.cells if "nbgrader" in cell.metadata}
    for exercise, answer in answers.items():
        graded[exercise].source = answer
    place = release.parents[2] / "submitted" / student / release.stem
    place.mkdir(parents=True)
    nbformat.write(page, place / release.name)


@pytest.mark.nightly
def test_a_round_trip_with_nbgrader_gives_points_and_hints(tmp_path):
    if not NBGRADER.exists():
        reason = 'nbgrader is not installed: pip install -e ".[class]"'
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    name = PAGES[0].stem
    class_kit.write(PAGES[0], tmp_path)
    (tmp_path / "nbgrader_config.py").write_text(class_kit.CONFIG)
    nbgrader("generate_assignment", name, course=tmp_path)
    release = tmp_path / "release" / name / f"{name}.ipynb"
    assert not any(mark in release.read_text() for mark in ("SOLUTION", "<details>"))
    hand_in(release, "ada", ANSWERS)
    hand_in(release, "bob", {})
    nbgrader("autograde", name, course=tmp_path)
    nbgrader("export", "--to", "grades.csv", course=tmp_path)
    rows = csv.DictReader((tmp_path / "grades.csv").open())
    assert {row["student_id"]: row["score"] + " of " + row["max_score"] for row in rows} == {
        "ada": "2.0 of 3.0",
        "bob": "0.0 of 3.0",
    }
    said = str(read(tmp_path / "autograded" / "ada" / name / release.name))
    assert "exp(1000) overflows" in said  # so the changed check was put back
