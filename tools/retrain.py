"""Train again what the pages show: `make retrain`, or `make retrain PAGES=notebooks/05_does_it_help.ipynb`.

Each page runs without its kept results (those of the other pages count), its new ones become
distill_edu/pages/kept/<page>.zip, and each line of output that moved is printed.
"""

import difflib
import os
import shutil
import sys
import time
import zipfile
from pathlib import Path

import nbformat

from tools.pages import FOLDER, PAGES, execute, normalise

ROOT = FOLDER.parent
KEPT, FRESH = ROOT / "distill_edu" / "pages" / "kept", ROOT / "build" / "retrained"


def said(page):
    """The lines of text that a page's cells put out."""
    outputs = [output for cell in page.cells for output in cell.get("outputs", ())]
    texts = (output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)
    return [line for text in texts for line in text.splitlines()]


def retrain(path):
    package = KEPT / f"{path.stem}.zip"
    shutil.rmtree(FRESH, ignore_errors=True)
    before, start = nbformat.read(path, as_version=4), time.monotonic()
    execute(path)
    results = sorted(FRESH.glob("*")) if FRESH.exists() else []
    if results:
        with zipfile.ZipFile(package, "w", zipfile.ZIP_LZMA) as kept:
            for result in results:
                kept.writestr(zipfile.ZipInfo(result.name), result.read_bytes(), zipfile.ZIP_LZMA)
    os.environ["DISTILL_EDU_KEPT"] = "only"
    page = normalise(execute(path))  # as a reader will see it, with what is kept
    del os.environ["DISTILL_EDU_KEPT"]
    nbformat.write(page, path)
    size = package.stat().st_size / 1e3 if results else 0
    print(f"{path.stem}: {time.monotonic() - start:.0f} s, {len(results)} results, {size:.0f} kB", flush=True)
    for line in difflib.unified_diff(said(before), said(page), n=0, lineterm=""):
        if line.startswith(("+", "-")) and not line.startswith(("+++", "---")):
            print("   ", line, flush=True)


if __name__ == "__main__":
    os.environ["DISTILL_EDU_CACHE"] = str(FRESH)
    paths = [Path(argument).resolve() for argument in sys.argv[1:]] or PAGES
    for path in paths:  # all of them first: a result of two pages belongs to the first that is retrained
        (KEPT / f"{path.stem}.zip").unlink(missing_ok=True)
    for path in paths:
        retrain(path)
