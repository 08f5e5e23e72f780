"""Execute pages for `make site`, so that their sliders carry all their pictures: give one path, or several.

Without a path, write the other texts of the site: the list of pages, docs/*.md, and the playground.
"""

import re
import sys
import time
from pathlib import Path

import frames
import nbformat

from distill_edu.pages.shared import playground
from tools.pages import FOLDER, PAGES, execute, normalise

ROOT = FOLDER.parent
SOURCES, BUILT = ROOT / "docs", ROOT / "build" / "pages"
FORMATTER = f"import sys; sys.path.insert(0, {str(SOURCES)!r}); import frames; frames.register(get_ipython())"
HINT = """```{note}
This page was run for you: every slider shows pictures that were drawn beforehand.
Cells that ask for your answer need a kernel: {ref}`run it yourself <run-it-yourself>`.
```"""


def for_the_site(page):
    """The executed page, without the stills that stand in for sliders elsewhere, with a hint below its title."""
    page = normalise(page)
    page.cells = [cell for cell in page.cells if not re.fullmatch(r"\w+\.still\(.*\)", cell.source)]
    for output in (output for cell in page.cells for output in cell.get("outputs", ())):
        if "text/html" in output.get("data", {}):
            output.data.pop("image/png", None)
    page.cells.insert(1, nbformat.v4.new_markdown_cell(HINT, id="hint"))
    return page


def title_and_minutes(path):
    """The title of a page and its minutes, from its first cell."""
    text = nbformat.read(path, as_version=4).cells[0].source
    return re.match(r"# \d\d · (.*)", text)[1], re.search(r"^Time: (\d+) minutes", text, re.MULTILINE)[1]


def list_of_pages(paths):
    """A table in Markdown."""
    rows = ["| page | question | minutes |", "|---|---|---|"]
    for path in paths:
        title, minutes = title_and_minutes(path)
        rows.append(f"| {path.stem[:2]} | [{title}]({path.name}) | {minutes} |")
    return "\n".join(rows) + "\n"


def write_playground(texts, files):
    """Write the playground: its place on a page into `texts`; into `files` what the site serves, and one whole page."""
    for folder in ("static", "alone"):
        (files / folder).mkdir(parents=True, exist_ok=True)
    served = {
        "playground.css": playground.style(),
        "playground.js": playground.script(),
        "digits.js": f'globalThis.DISTILL_DIGITS = "{playground.digits()}";\n',
    }
    for name, text in served.items():
        (files / "static" / name).write_text(text, "utf-8")
    (texts / "playground.html").write_text(frames.playground_of_the_site(), "utf-8")
    whole = playground.inline(frames.slim(playground.still().svg()), "{}")
    alone = (SOURCES / "playground.html").read_text("utf-8").replace("PLAYGROUND", whole)
    (files / "alone" / "playground.html").write_text(alone, "utf-8")


if __name__ == "__main__":
    BUILT.mkdir(parents=True, exist_ok=True)
    for path in map(Path, sys.argv[1:]):
        start = time.monotonic()
        page = for_the_site(execute(path.resolve(), f"--IPKernelApp.exec_lines={FORMATTER}"))
        page.metadata["seconds"] = round(time.monotonic() - start)
        nbformat.write(page, BUILT / path.name)
        print(f"{path.name}: {page.metadata['seconds']} s", flush=True)
    if not sys.argv[1:]:
        for text in SOURCES.glob("*.md"):  # beside the pages, not beside their folder
            (BUILT / text.name).write_text(text.read_text().replace("](../notebooks/", "]("))
        (BUILT / "pages.md").write_text(list_of_pages(PAGES))
        write_playground(BUILT, ROOT / "build" / "playground")
