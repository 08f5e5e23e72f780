"""Write the pages for a class in build/class: `make class`, or with the paths of some pages.

`student/` has each page without its answers. `source/` has each page as nbgrader's source: the answer stands between
marks that nbgrader removes, and a locked cell turns the page's own check into a point.
"""

import re
import sys
from pathlib import Path

import nbformat

from tools.pages import FOLDER, PAGES, normalise, tags

CLASS = FOLDER.parent / "build" / "class"
POINTS = 1  # of each exercise
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "distill_edu"
c.ClearSolutions.code_stub = {"python": "# Replace the ... above with your answer."}
c.ExecutePreprocessor.timeout = 900  # seconds for a cell; a changed one may train
c.ExecutePreprocessor.startup_timeout = 600
"""


def for_students(page):
    """The page without the answers of its exercises."""
    page.cells = [cell for cell in page.cells if "answer" not in tags(cell)]
    return page


def for_nbgrader(page):
    """The page as nbgrader's source: each exercise becomes a cell to fill in and a locked cell that checks it."""
    answers = iter([cell.source for cell in page.cells if "answer" in tags(cell)])
    cells, number = [], 0
    for cell in for_students(page).cells:
        if "exercise" in tags(cell):
            number += 1
            cells += _exercise(cell.source, next(answers), number)
        else:
            cells.append(cell)
    page.cells = cells
    return page


def _exercise(source, answer, number):
    stub, check = re.fullmatch(r"(.*?)\n+(page\.check_.*)", source, re.DOTALL).groups()
    solution = f"{stub}\n\n{BEGIN}\n{solved(answer)}\n{END}"
    test = f'verdict = {check}\nprint(verdict)\nassert verdict == "Correct!", verdict'
    return [
        _graded(solution, f"exercise-{number}", solution=True, locked=False),
        _graded(test, f"exercise-{number}-check", grade=True, points=POINTS, locked=True),
    ]


def solved(answer):
    """The code of an answer, and below it the answer's words as comments."""
    inside = re.fullmatch(r"<details><summary>Answer</summary>\s*(.*?)\s*</details>", answer, re.DOTALL)[1]
    code = re.search(r"```python\n(.*?)\n```", inside, re.DOTALL)
    words = inside.replace(code[0], "").strip()
    comments = [f"# {line}".rstrip() for line in words.splitlines()]
    return "\n".join([code[1], *comments])


def _graded(source, name, *, grade=False, solution=False, locked, **more):
    cell = nbformat.v4.new_code_cell(source, id=name)
    about = {"grade_id": name, "grade": grade, "solution": solution, "locked": locked, "task": False}
    cell.metadata = nbformat.from_dict({"nbgrader": {**about, "schema_version": 3, "cell_type": "code", **more}})
    return cell


def write(path, folder=CLASS):
    """Write both copies of a page into the folder."""
    for copied, name in ((for_students, "student"), (for_nbgrader, f"source/{path.stem}")):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        nbformat.write(copied(normalise(nbformat.read(path, as_version=4))), place / path.name)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:] or PAGES):
        write(path)
    (CLASS / "nbgrader_config.py").write_text(CONFIG)
    print(f"written to {CLASS}")
