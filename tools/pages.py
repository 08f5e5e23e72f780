"""Execute and normalise the pages: `make pages`, or `python tools/pages.py notebooks/01_soft_targets.ipynb`.

With `--links` nothing is executed: pages and texts get the links and cells that follow from the repository's address.
"""

import base64
import copy
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tools import links

FOLDER = Path(__file__).parents[1] / "notebooks"
PAGES = sorted(FOLDER.glob("*.ipynb"))
HOOK = FOLDER.parent / ".github" / "hook.png"  # README shows it
ANSWER = r"(<details><summary>Answer</summary>.*?</details>)"


def normalise(page):
    """Write what every page has, and drop what differs from run to run: ids, times, widget state, Python's version.

    Every page has a line of links below its title, a cell that installs the package, and its answers in own cells.
    """
    page.cells = _with_links([part for cell in page.cells for part in _with_its_answer_apart(cell)])
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page.metadata = nbformat.from_dict({"kernelspec": kernelspec, "language_info": {"name": "python"}})
    page.nbformat, page.nbformat_minor = 4, 5
    count = 0
    for number, cell in enumerate(page.cells):
        cell.id = f"cell-{number:02}"
        cell.metadata = nbformat.from_dict({"tags": tags(cell)} if tags(cell) else {})
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = _in_one_piece([output for output in cell.outputs if not _is_passing(output)])
            for output in cell.outputs:
                _normalise_output(output, count)
    return page


def stem_of(page):
    """The name of the page's file, by the number in its title; None for another notebook."""
    number = re.match(r"# (\d\d) · ", page.cells[0].source) if page.cells else None
    return next((path.stem for path in FOLDER.glob(f"{number[1]}_*.ipynb")), None) if number else None


def lesson(page):
    """A copy of the page without the links and the cell that `normalise` writes: what its author wrote."""
    page = copy.deepcopy(page)
    page.cells = _without_links(page.cells)
    return page


def tags(cell):
    return cell.metadata.get("tags", [])


def _with_links(cells):
    cells, stem = _without_links(cells), stem_of(nbformat.v4.new_notebook(cells=cells))
    if stem:
        title, rest = (cells[0].source + "\n\n").split("\n\n", 1)
        cells[0].source = f"{title}\n\n{links.launch_line(stem, links.repository())}\n\n{rest}".rstrip()
        install = nbformat.v4.new_code_cell(links.install_cell(links.repository()), metadata={"tags": ["install"]})
        cells.insert(1, install)
    return cells


def _without_links(cells):
    cells = [cell for cell in cells if "install" not in tags(cell)]
    if cells:
        cells[0].source = re.sub(r"^\[Open in Colab\]\(.*\n+", "", cells[0].source, flags=re.MULTILINE)
    return cells


def _with_its_answer_apart(cell):
    """A cell of text with the answer of an exercise becomes several: each answer stands alone and carries a tag."""
    if cell.cell_type != "markdown" or not re.search(ANSWER, cell.source, re.DOTALL):
        return [cell]
    parts = filter(None, map(str.strip, re.split(ANSWER, cell.source, flags=re.DOTALL)))
    cells = [nbformat.v4.new_markdown_cell(part) for part in parts]
    for part in cells:
        part.metadata = {"tags": ["answer"]} if re.match(ANSWER, part.source, re.DOTALL) else {}
    return [nbformat.from_dict(part) for part in cells]


def _is_passing(output):
    """A progress bar, or what TensorFlow says when it starts, which reaches a page by chance."""
    bar = re.match(r"[\w ]*:?\s*\d+%\|", output.get("data", {}).get("text/plain", ""))
    start = output.get("name") == "stderr" and re.match(r"WARNING: All log messages before|I0000 ", output.text)
    return bool(bar or start)


def _in_one_piece(outputs):
    """Join what a cell printed: a slow cell sends it in several messages."""
    whole = []
    for output in outputs:
        if whole and output.get("name") and output.get("name") == whole[-1].get("name"):
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def _normalise_output(output, count):
    output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)  # its model is gone after the run
    if "<script>" in output.get("data", {}).get("text/html", ""):  # the playground: its picture and its text stay
        output.data.pop("text/html")
    if "metadata" in output:
        output.metadata = {}
    if output.output_type == "execute_result":
        output.execution_count = count


def execute(path, *kernel_arguments):
    """Run a page from top to bottom in its own folder; a cell that raises stops it."""
    page = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(page, timeout=900, startup_timeout=600, kernel_name="python3", resources=resources)
    client.extra_arguments = list(kernel_arguments)
    client.execute()
    return page


def first_picture(page):
    """The bytes of the first PNG that a page shows."""
    shown = (output.get("data", {}).get("image/png") for cell in page.cells for output in cell.get("outputs", ()))
    return base64.b64decode(next(filter(None, shown)))


if __name__ == "__main__":
    only_links = "--links" in sys.argv
    for path in map(Path, [argument for argument in sys.argv[1:] if argument != "--links"] or PAGES):
        page = normalise(nbformat.read(path, as_version=4) if only_links else execute(path))
        nbformat.write(page, path)
        if path == PAGES[0]:
            HOOK.write_bytes(first_picture(page))
        print("written", path.name, flush=True)
    if only_links:
        links.write_texts()
