"""Execute and normalise the pages: `make pages`, or `python tools/pages.py notebooks/01_soft_targets.ipynb`."""

import base64
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
PAGES = sorted(FOLDER.glob("*.ipynb"))
HOOK = FOLDER.parent / ".github" / "hook.png"  # README shows it


def normalise(page):
    """Drop from a page what differs from run to run and does not teach: ids, times, widget state, Python's version."""
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    page.metadata = nbformat.from_dict({"kernelspec": kernelspec, "language_info": {"name": "python"}})
    page.nbformat, page.nbformat_minor = 4, 5
    count = 0
    for number, cell in enumerate(page.cells):
        cell.id = f"cell-{number:02}"
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = _in_one_piece([output for output in cell.outputs if not _is_progress_bar(output)])
            for output in cell.outputs:
                _normalise_output(output, count)
    return page


def _is_progress_bar(output):
    return bool(re.match(r"[\w ]*:?\s*\d+%\|", output.get("data", {}).get("text/plain", "")))


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
    for path in map(Path, sys.argv[1:] or PAGES):
        page = normalise(execute(path))
        nbformat.write(page, path)
        if path == PAGES[0]:
            HOOK.write_bytes(first_picture(page))
        print("written", path.name, flush=True)
