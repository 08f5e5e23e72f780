"""Execute pages for `make site`, so that their sliders carry all their pictures: give one path, or several.

Without a path, write the other texts of the site: the list of pages, docs/*.md, and the playground.
"""

import itertools
import re
import sys
import time
from pathlib import Path

import frames
import nbformat

from distill_edu.pages.shared import playground
from tools import links
from tools.pages import FOLDER, PAGES, execute, lesson, normalise, stem_of, tags

ROOT = FOLDER.parent
SOURCES, BUILT = ROOT / "docs", ROOT / "build" / "pages"
FORMATTER = f"import sys; sys.path.insert(0, {str(SOURCES)!r}); import frames; frames.register(get_ipython())"
HINT = """\
This page was run for you: every slider shows pictures that were drawn beforehand. To change a cell, or to have your
answer to an exercise checked, {ref}`run the page <run-it-yourself>`."""
ELSEWHERE = "[Answer it in Colab]({colab}) or {{ref}}`elsewhere <run-it-yourself>`, where your answer is checked."
FOLD = 3  # a cell above the first slider with more lines is folded


def for_the_site(page):
    """The executed page as someone reads it who cannot run it.

    Sliders open where the still stood that stands in for them; with a hint below its title, folded set-up, exercises
    without their checks, and each with a link to a place that checks it.
    """
    page, stem = normalise(page), stem_of(page)
    page = lesson(page)
    pairs = zip([None, *page.cells], page.cells, strict=False)
    page.cells = [cell for before, cell in pairs if not _opens(before, cell)]
    for cell in page.cells:
        cell.source = cell.source.replace("](../docs/", "](")  # they stand beside the pages
    for output in (output for cell in page.cells for output in cell.get("outputs", ())):
        if "text/html" in output.get("data", {}):
            output.data.pop("image/png", None)
    _fold_set_up(page.cells)
    page.cells = [part for cell in page.cells for part in _to_be_read(cell, stem)]
    page.cells.insert(1, nbformat.v4.new_markdown_cell(HINT, id="hint"))
    return page


def _opens(before, cell):
    """Is a cell a still of the slider before it? Then the slider opens there: the text below describes this state."""
    if not _is_still_of(before, cell):
        return False
    slider, still = (_html(one) for one in (before, cell))
    if slider and still:
        picture = still["text/html"].removeprefix(frames.PICTURE[0]).removesuffix(frames.PICTURE[1])
        slider["text/html"] = frames.opened(slider["text/html"], picture)
    return True


def _html(cell):
    """The data of a cell's last output that is HTML; None where it has none."""
    shown = [output.data for output in cell.get("outputs", ()) if "text/html" in output.get("data", {})]
    return shown[-1] if shown else None


def _is_still_of(before, cell):
    """Is a cell no more than a still of the slider in the cell before it? Any other still is a figure of its own."""
    return bool(re.fullmatch(r"\w+\.still\(.*\)", cell.source)) and "explorer(" in before.source


def _fold_set_up(cells):
    for cell in itertools.takewhile(lambda cell: "explorer(" not in cell.source, cells):
        if cell.cell_type == "code" and len(cell.source.splitlines()) > FOLD:
            cell.metadata["tags"] = [*tags(cell), "hide-input"]


def _to_be_read(cell, stem):
    """An exercise becomes the head of the function to write, if it asks for one, and a link."""
    if "exercise" not in tags(cell):
        return [cell]
    cell.source, cell.outputs = re.sub(r"\n+page\.check_.*", "", cell.source), []
    colab = links.launch(stem, links.of_the_site())["Open in Colab"]
    link = nbformat.v4.new_markdown_cell(ELSEWHERE.format(colab=colab), id=f"{cell.id}-link")
    return [cell, link] if "\n" in cell.source else [link]


def title_and_minutes(path):
    """The title of a page and its minutes, from its first cell."""
    text = nbformat.read(path, as_version=4).cells[0].source
    return re.match(r"# \d\d · (.*)", text)[1], re.search(r"^Time: (\d+) minutes", text, re.MULTILINE)[1]


def parts():
    """The parts of the series as README has them: [(title, its line, [files of its pages])]."""
    readme = (ROOT / "README.md").read_text()
    found = re.findall(r"^### (Part \d: .*)\n\n(.*)\n\n((?:\|.*\n)+)", readme, re.MULTILINE)
    return [(title, line, re.findall(r"\(notebooks/(\S+)\)", table)) for title, line, table in found]


def list_of_pages(paths):
    """For each part of the series its line, a table of its pages, and their place in the menu, in Markdown."""
    paths, text = {path.name: path for path in paths}, ""
    for title, line, names in parts():
        rows = "".join(
            f"| {name[:2]} | [{page}]({name}) | {minutes} |\n"
            for name in names
            for page, minutes in [title_and_minutes(paths[name])]
        )
        menu = "\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *names, "```"])
        text += f"### {title}\n\n{line}\n\n| page | question | minutes |\n|---|---|---|\n{rows}\n{menu}\n\n"
    return text


def write_downloads(folder):
    """Write the pages as the site hands them out: with links to the repository from which it was built."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in PAGES:
        text = path.read_text("utf-8")
        (folder / path.name).write_text(text.replace(links.repository(), links.of_the_site()), "utf-8")


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
    whole = playground.inline(frames.still_of_the_site(), "{}")
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
            words = text.read_text().replace("](../notebooks/", "](")
            ours = f"docs/{text.name}" in links.TEXTS
            (BUILT / text.name).write_text(links.readdressed(words, links.of_the_site()) if ours else words)
        (BUILT / "pages.md").write_text(list_of_pages(PAGES))
        write_downloads(ROOT / "build" / "notebooks")
        write_playground(BUILT, ROOT / "build" / "playground")
