"""One line of pyproject.toml says where the repository is; every link and every page's first lines follow it."""

import copy
import re
import tomllib

import nbformat
import pytest

from tools import links
from tools.links import ROOT, TEXTS, readdressed
from tools.pages import FOLDER, PAGES, lesson, normalise, tags

OURS = links.repository()


def read(path):
    return nbformat.read(path, as_version=4)


def test_a_workflow_has_its_own_address_and_all_else_that_of_pyproject(monkeypatch):
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    assert list(urls.values()) == [f"https://github.com/{OURS}"] and OURS.count("/") == 1
    monkeypatch.setenv("GITHUB_REPOSITORY", "ada/course.2026")
    assert (links.repository(), links.of_the_site()) == (OURS, "ada/course.2026")
    monkeypatch.delenv("GITHUB_REPOSITORY")
    assert links.of_the_site() == OURS


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_has_fallen_behind(name):
    text = (ROOT / name).read_text()
    assert readdressed(text, OURS) == text, "run: make links"
    assert OURS in text or OURS.replace("/", "%2F") in text


def test_a_fork_changes_one_line_and_every_address_moves_with_it():
    text = "\n".join((ROOT / name).read_text() for name in TEXTS)
    owner, name = OURS.split("/")
    moved = readdressed(text, "ada/course.2026")
    assert readdressed(moved, OURS) == text and owner not in moved
    addresses = re.findall(r"[\w./:-]*(?:github|mybinder|codespaces|colab)\.[\w./:%-]+", moved)
    places = [
        "https://ada.github.io/course.2026",
        "mybinder.org/v2/gh/ada/",
        "codespaces.new/ada/",
        "github.com%2Fada%2F",
    ]
    places += ["https://github.com/ada/course.2026", "colab.research.google.com/github/ada/course.2026/blob/main/"]
    assert all(any(place in address for address in addresses) for place in places)
    assert all("ada" in address for address in addresses if ".github/" not in address)


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_opens_elsewhere_installs_the_package_and_marks_its_answers(path):
    page = read(path)
    line = page.cells[0].source.splitlines()[2]
    shown = dict(re.findall(r"\[([^]]+)\]\(([^)]+)\)", line))
    assert list(shown) == ["Open in Colab", "Binder", "Download", "View on GitHub"], f"run: make links ({path.name})"
    assert all(OURS in address and path.name in address for address in shown.values())
    install = page.cells[1]
    assert tags(install) == ["install"] and f"https://github.com/{OURS}/archive/main.zip" in install.source
    assert not install.outputs  # nbval: where the package is, the cell says nothing
    answers = [cell for cell in page.cells if "answer" in tags(cell)]
    assert len(answers) == 3 and all(cell.source.endswith("</details>") for cell in answers)
    assert "<summary>Answer" not in "".join(cell.source for cell in page.cells if cell not in answers)


BEHIND = {
    "another address": lambda cells: cells[0].update(source=cells[0].source.replace(OURS, "ada/other")),
    "no links": lambda cells: cells[0].update(source=re.sub(r"\[Open in Colab.*\n\n", "", cells[0].source)),
    "no cell that installs": lambda cells: cells.pop(1),
    "another cell that installs": lambda cells: cells[1].update(source="%pip install distill_edu"),
    "an answer without its tag": lambda cells: [cell.metadata.pop("tags", None) for cell in cells[2:]],
}


@pytest.mark.parametrize("fault", BEHIND)
def test_a_page_that_has_fallen_behind_is_found_and_mended_without_running_it(fault):
    page = normalise(read(PAGES[0]))
    assert normalise(copy.deepcopy(page)) == page
    stale = copy.deepcopy(page)
    BEHIND[fault](stale.cells)
    assert stale != page
    mended = normalise(copy.deepcopy(stale))
    assert mended != stale and (mended == page or "tag" in fault)


def test_what_all_pages_have_alike_can_be_taken_away_again():
    page = normalise(read(PAGES[0]))
    bare = lesson(page)
    assert len(bare.cells) == len(page.cells) - 1 and OURS not in "".join(cell.source for cell in bare.cells)
    assert normalise(bare) == page


def test_another_notebook_gets_no_links():
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# My own notes")])
    assert [cell.source for cell in normalise(page).cells] == ["# My own notes"]


def test_a_codespace_and_conda_install_what_the_pages_need_and_no_more():
    devcontainer = (FOLDER.parent / ".devcontainer" / "devcontainer.json").read_text()
    assert "pip install --quiet -e '.[lab]'" in devcontainer and f"notebooks/{PAGES[0].name}" in devcontainer
    assert "- -e .[lab]\n" in (ROOT / "environment.yml").read_text()
