"""The pages and the sliders as a reader has them: JupyterLab in Chromium, moved with the keyboard."""

import statistics

import nbformat
import pytest
from browser import Page, jupyterlab, press, to_and_fro, until
from gallery import GALLERY
from test_pages import is_trouble

from tools.pages import PAGES, normalise

pytestmark = pytest.mark.browser
QUICK = ("01", "02", "03")  # they train next to nothing before their last slider; `make test_all` opens all pages


@pytest.fixture(scope="module")
def open_page(browser, tmp_path_factory):
    """Open a page, or a new notebook of these cells; the one opened before is closed."""
    root, pages = tmp_path_factory.mktemp("lab"), []

    def open_page(name, cells=()):
        if cells:
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
            nbformat.write(normalise(notebook), root / "notebooks" / name)
        if pages:
            pages.pop().close()
        pages.append(Page(browser, address(name)))
        return pages[-1]

    with jupyterlab(root) as address:
        yield open_page
        for page in pages:
            page.close()


def failures(cells):
    """What a reader would see in red, and the cells that did not run."""
    bad = [output for cell in cells for output in cell["outputs"] if is_trouble(output)]
    return bad + [f"cell {number} did not run" for number, cell in enumerate(cells) if not cell["count"]]


def handles(explorer):
    return explorer.query_selector_all(".noUi-handle")


def picture(explorer):
    return explorer.eval_on_selector("svg", "svg => svg.outerHTML")


def words(explorer):
    texts = [part.inner_text() for part in explorer.query_selector_all(".widget-html-content")]
    return [text for text in texts if text.strip()][-1]  # after it comes a style, which shows nothing


def move(explorer, handle, count):
    """`count` keys to and fro within the slider's range: milliseconds from each key to its picture."""
    now, last = (float(handle.get_attribute(name)) for name in ("aria-valuenow", "aria-valuemax"))
    return press(explorer.query_selector(".widget-html-content:has(svg)"), handle, to_and_fro(count, now >= last))


def sliders(path):
    """The numbers of the code cells that show a slider."""
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [number for number, cell in enumerate(code) if "<sliders: " in str(cell.outputs)]


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[] if path.stem[:2] in QUICK else [pytest.mark.nightly], id=path.stem) for path in PAGES],
)
def test_a_page_runs_up_to_its_last_slider_and_all_move(path, open_page):
    """nbval runs the rest, too: what it compares needs no browser, and some pages compute for minutes."""
    page = open_page(path.name)
    assert failures(page.run(sliders(path)[-1] + 1)) == []
    assert len(page.explorers()) == len(sliders(path)) >= 1
    for explorer in page.explorers():
        for handle in handles(explorer):
            before, pictures = picture(explorer), len(page.tab.query_selector_all("svg"))
            move(explorer, handle, 1)
            assert picture(explorer) != before
            assert len(page.tab.query_selector_all("svg")) == pictures  # nothing piles up


def test_every_widget_answers_every_key_with_a_picture(open_page):
    page = open_page("gallery.ipynb", ["from gallery import GALLERY", *(f"GALLERY[{name!r}]()" for name in GALLERY)])
    assert failures(page.run()) == []
    for name, explorer in zip(GALLERY, page.explorers(), strict=True):
        times = [time for handle in handles(explorer) for time in move(explorer, handle, 3)]
        assert statistics.median(times) < 2000, f"{name} has become a wait"


def test_a_burst_of_keys_ends_on_the_last_value(open_page):
    make = "GALLERY['temperature']()"
    page = open_page("burst.ipynb", ["from gallery import GALLERY", f"one = {make}; one", make, "one.close()"])
    assert failures(page.run()) == []
    (explorer,) = page.explorers()  # the closed one is gone from the page
    (handle,) = handles(explorer)
    handle.focus()
    for _ in range(30):
        handle.press("ArrowRight")
    until(lambda: words(explorer).startswith("At T = 20 "))
    handle.press("ArrowLeft")
    until(lambda: words(explorer).startswith("At T = 15 "))


LIVE = """
import numpy as np
from small import X, Y, model
from distill_edu import Distiller
from distill_edu.pages.shared.live import live_distillation
distiller = Distiller(student=model(4), teacher=model(16))
distiller.compile("adam", temperature=4, alpha=0.5)
live = live_distillation(distiller, X, Y, validation_data=(X, Y), batch_size=8)
live
"""


def test_a_live_training_obeys_while_cells_run(open_page):
    page = open_page("live.ipynb", [LIVE])
    assert failures(page.run()) == []
    (explorer,) = page.explorers()
    button = {button.inner_text(): button for button in explorer.query_selector_all("button")}
    button["Start"].focus()
    button["Start"].press("Enter")
    until(lambda: words(explorer).startswith("Running after"))
    handles(explorer)[0].press("ArrowRight")
    until(lambda: page.value("(live.values['training'], distiller.temperature)") == "('Start', 5.0)")
    button["Pause"].press("Enter")
    until(lambda: words(explorer).startswith("Paused after"))
    paused = words(explorer)
    page.tab.wait_for_timeout(1000)
    assert words(explorer) == paused
    button["Start"].press("Enter")
    until(lambda: words(explorer).startswith("Running") and words(explorer).split()[2] != paused.split()[2])
    button["Stop"].press("Enter")
    until(lambda: words(explorer).startswith("Stopped after"))
    assert page.value("bool(np.isfinite(distiller.student(X)).all())") == "True"
