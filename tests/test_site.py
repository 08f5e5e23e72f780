"""The web site: sliders without a kernel show at every stop what the widget draws; a small site in a browser."""

import copy
import html
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import frames
import nbformat
import numpy as np
import pytest
import recording
from babel.messages.pofile import read_po
from drawn import at
from gallery import GALLERY
from IPython.core.formatters import DisplayFormatter
from opened import CONTRAST, LETTERS, move, opened, overflow, state
from small import X, Y, model
from test_explorers import STOPS

from distill_edu import Distiller
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.live import live_distillation
from tools.pages import FOLDER, PAGES, execute
from tools.website import FORMATTER, SOURCES, first_slider, for_the_site, list_of_pages

TYPED = {"word": "word", "working": "question"}  # explorer -> its control that takes any text


@pytest.fixture(params=GALLERY)
def named(request):
    return request.param, GALLERY[request.param]()


def carried(fragment):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', fragment, re.DOTALL)[1])


def offered(name, explorer):
    """The stops as test_explorers.py writes them down; of a typed text the first word and the suggestions."""
    stops = dict(STOPS[name])
    if name in TYPED:
        control = explorer.controls[TYPED[name]]
        stops[TYPED[name]] = list(dict.fromkeys([control.value, *control.options]))
        assert len(stops[TYPED[name]]) > 5
    return stops


# --- a fragment -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_fragment_carries_what_the_widget_draws_at_every_combination_of_stops(named):
    name, explorer = named
    stops, data = offered(name, explorer), carried(frames.fragment(explorer))
    combinations = list(itertools.product(*stops.values()))
    assert len(data["frames"]) == len(data["words"]) == len(combinations)
    for frame, words, values in zip(data["frames"], data["words"], combinations, strict=True):
        figure, said = at(explorer, **dict(zip(stops, values, strict=True)))
        assert said == words
        assert "".join(data["lines"][line] for line in frame) == frames.slim(figure.svg())


@pytest.mark.slow
def test_it_begins_where_the_widget_stands_with_a_label_for_every_control(named):
    _, explorer = named
    text = frames.fragment(explorer)
    figure = parsed(text)
    picture, said = figure.find("div"), figure.find("figcaption").text
    assert said == picture.get("aria-label") == html.unescape(explorer.words.value)
    assert len(picture) == 1 and frames.slim(explorer.figure.svg()).strip() in text
    for label, control in zip(figure.find("form"), explorer.controls.values(), strict=True):
        assert label.find("span").text == control.description
        if label.find("select") is not None:
            assert label.find("select/option[@selected]").text == control.value
            continue
        slider, stops = label.find("input"), frames.stops(control)
        now = stops[int(slider.get("value"))]
        assert now[1] == control.value and now[0] == slider.get("aria-valuetext") == label.find("output").text
        assert slider.get("data-stops").split("|") == [name for name, _ in stops]
        assert (slider.get("type"), slider.get("max")) == ("range", str(len(stops) - 1))


def parsed(fragment):
    """All of it but the frames, as XML."""
    before = fragment[: fragment.index("<script")].replace("<form hidden", '<form hidden=""')
    return ElementTree.fromstring(before.replace("<option selected>", '<option selected="">').replace(
        '">' + "<output>", '"/><output>') + "</figure>")  # fmt: skip


@pytest.mark.parametrize(
    "texts", [[""], ["a\n"], ["a\nb\n", "a\nc\n"], ["a\na\n", "a\n"], ["x", "y\nx"], ["</g>\n" * 3]]
)
def test_packing_loses_nothing_and_keeps_a_line_once(texts):
    lines, rows = frames.pack(texts)
    assert ["".join(lines[number] for number in row) for row in rows] == texts
    assert len(set(lines)) == len(lines)


def shown(svg):
    """[(tag, attributes without ids, text)] of all that is drawn, with numbers apart: [..., numbers]."""
    for element in ElementTree.fromstring(re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)).iter():
        attributes = {name: value for name, value in element.attrib.items() if name != "id"}
        whole = " ".join(f"{name}={re.sub('[MLQCz]', ' ', value)}" for name, value in sorted(attributes.items()))
        numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", whole)]
        words = re.sub(r"[\s\d.e-]+", "", whole)
        yield element.tag, words, (element.text or "").strip(), numbers


@pytest.mark.parametrize("name", ["loss with alpha", "boundary", "colder", "names", "noise"])
def test_a_slim_picture_draws_the_same(name):
    svg = GALLERY[name]().figure.svg()
    slim = frames.slim(svg)
    painted = re.findall(r"var\(--(\w+), (#\w{6})\)", slim)
    assert dict(painted).items() <= {name: colour.lower() for colour, name in frames.PALETTE.items()}.items()
    back = re.sub(r"var\(--\w+, (#\w{6})\)", r"\1", slim)
    width, height = (float(size) for size in re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups())
    least = float(re.search(r'<svg[^>]* style="min-width: ([\d.]+)px"', slim)[1])
    smallest = min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", svg))
    assert 9 <= least * smallest / width < 9.02
    back = back.replace(f' style="min-width: {least:.0f}px"', f' width="{width:g}pt" height="{height:g}pt"')
    back = re.sub(r"color-mix\(in oklab, (#\w{6}) 55%, var\(--ink, #000\)\)", r"\1", back)
    for before, after in zip(shown(svg), shown(back), strict=True):
        assert before[:3] == after[:3]
        assert np.allclose(before[3], after[3], rtol=0, atol=0.0051), before
    assert len(slim) < len(svg)


def test_a_sentence_cannot_end_the_script():
    explorer = GALLERY["temperature of words"]()
    explorer.draw = lambda figure, **values: f"</script><b>{values}"
    fragment = frames.fragment(explorer)
    assert fragment.count("</script>") == 1 and carried(fragment)["words"][0].startswith("</script><b>")
    assert "<b>" not in fragment[: fragment.index("<script")]


def test_too_many_combinations_are_refused_with_a_sentence():
    stops = tuple(range(32))
    explorer = Explorer(lambda figure, **values: "", {name: stop_slider(name, name, stops, 0) for name in "ab"})
    with pytest.raises(ValueError, match="have 1024 combinations, and a page carries at most 1000: fewer stops"):
        frames.fragment(explorer)


# --- what a kernel of `make site` shows -------------------------------------------------------------------------------


def displayed(thing):
    shell = SimpleNamespace(display_formatter=DisplayFormatter())
    frames.register(shell)
    data, _ = shell.display_formatter.format(thing)
    return data


def test_a_kernel_shows_an_explorer_as_its_fragment_and_a_picture_as_svg():
    explorer = GALLERY["pairs"]()
    data = displayed(explorer)
    assert data["text/html"] == frames.fragment(explorer) and data["text/plain"] == "<sliders: pairs, first>"
    data = displayed(explorer.still(pairs=2))
    assert data["text/html"].startswith('<div class="distill-picture"><svg') and "--ink" in data["text/html"]
    assert "distill-explorer" not in DisplayFormatter().format(explorer)[0].get("text/html", "")


@pytest.fixture
def short(monkeypatch):
    for name, value in {"TEMPERATURES": (1, 4), "ALPHAS": (0, 0.1), "UPDATES": (0, 10, 30)}.items():
        monkeypatch.setattr(recording, name, value)


def test_a_live_training_becomes_its_recording_and_is_left_as_it_was(short):
    distiller = Distiller(student=model(4), teacher=model(16))
    distiller.compile("adam", temperature=2, alpha=0.5)
    live = live_distillation(distiller, X, Y, validation_data=(X, Y), batch_size=8)
    live.train_now(20)
    runs, weights = copy.deepcopy(live.runs), distiller.student.get_weights()
    text = displayed(live)["text/html"]
    assert recording.NOTE in text and text.count("<label>") == 3
    assert live.runs == runs and (float(distiller.temperature), float(distiller.alpha)) == (2, 0.5)
    assert all(map(np.array_equal, distiller.student.get_weights(), weights))
    words = carried(text)["words"]
    assert len(words) == 2 * 2 * 3 and words[0] == "Recorded: no update yet."
    for place, (t, alpha, updates) in enumerate(itertools.product((1, 4), (0, 0.1), (0, 10, 30))):
        if updates:
            live.controls["temperature"].value, live.controls["alpha"].value = t, alpha
            live.train_now(updates)
            loss, right = live.runs[-1][1][-1], live.runs[-1][2][-1]
            said = f"Recorded after {updates} updates: loss {loss:.3f}, accuracy on validation data {right:.3f}."
            assert words[place] == said


# --- the texts around the pages -------------------------------------------------------------------------------------


def test_a_page_of_the_site_has_a_hint_and_no_still_twin_of_a_slider():
    page = nbformat.read(PAGES[0], as_version=4)
    stills = [cell.source for cell in page.cells if ".still(" in cell.source]
    assert any("\n" not in source for source in stills) and any("\n" in source for source in stills)
    for cell in page.cells:
        for output in cell.get("outputs", ()):
            if output.get("data", {}).get("image/png"):
                output.data["text/html"] = "<svg>"
    built = for_the_site(copy.deepcopy(page))
    assert [cell.source for cell in built.cells if ".still(" in cell.source] == [s for s in stills if "\n" in s]
    assert built.cells[0].source == page.cells[0].source and "run it yourself" in built.cells[1].source
    assert not [o for c in built.cells for o in c.get("outputs", ()) if "image/png" in o.get("data", {})]
    nbformat.validate(built)


def test_the_list_of_pages_names_every_page_with_its_minutes():
    rows = list_of_pages(PAGES).splitlines()[2:]
    assert len(rows) == len(PAGES)
    readme = (FOLDER.parent / "README.md").read_text()
    for row, path in zip(rows, PAGES, strict=True):
        number, title, minutes = re.fullmatch(rf"\| (\d\d) \| \[(.*)\]\({path.name}\) \| (\d+) \|", row).groups()
        assert f"| [{number}](notebooks/{path.name}) | {title} |" in readme and 15 <= int(minutes) <= 60


def test_every_formula_of_the_pages_becomes_mathml():
    from docutils.utils.math.latex2mathml import tex2mathml
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    found = 0
    for path in PAGES:
        for cell in nbformat.read(path, as_version=4).cells:
            tokens = MarkdownIt().use(dollarmath_plugin).parse(cell.source) if cell.cell_type == "markdown" else []
            for token in [*tokens, *(child for block in tokens for child in block.children or ())]:
                if token.type.startswith("math"):
                    found += 1
                    assert tex2mathml(token.content).startswith("<math"), token.content
                    assert not re.search(r"frac\d", token.content), "docutils wants braces: \\frac{1}{4}"
    assert found > 100


def test_the_translations_are_of_sentences_that_stand_in_the_pages():
    for path in (SOURCES / "locale").rglob("*.po"):
        with path.open("rb") as file:
            messages = [message for message in read_po(file) if message.id]
        if path.stem == "index":
            text = (SOURCES / "index.md").read_text() + list_of_pages(PAGES)
        else:
            page = for_the_site(nbformat.read(FOLDER / f"{path.stem}.ipynb", as_version=4))
            text = "\n".join(cell.source for cell in page.cells)
        text = " ".join(text.split())
        assert len(messages) > 20
        for message in messages:
            assert message.id in text, f"{path.name}: no longer in the page: {message.id}"
            for code in (r"(?<!\})`[^`]+`", r"\$[^$]+\$", r"\]\([^)]+\)"):  # code, formulas, links: the same ones
                assert sorted(re.findall(code, message.id)) == sorted(re.findall(code, message.string)), message.id


# --- a small site, in a browser -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_site(tmp_path_factory):
    """A page of three explorers and a formula, executed and built as `make site` does it."""
    root = tmp_path_factory.mktemp("site")
    shows = [f"GALLERY[{name!r}]()" for name in ("loss with alpha", "working", "noise")]
    cells = [nbformat.v4.new_markdown_cell("# 01 · A small page\n\nWith $e^{x}$ and\n\n$$\\frac{1}{2}$$")]
    cells += [nbformat.v4.new_code_cell(code) for code in ("from gallery import GALLERY", *shows)]
    page = root / "01_small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), page)
    places = f"import sys; sys.path[:0] = {[str(FOLDER.parent), str(Path(__file__).parent)]}; {FORMATTER}"
    built = for_the_site(execute(page, f"--IPKernelApp.exec_lines={places}"))
    nbformat.write(built, page)
    (root / "index.md").write_text("# Small\n\n(run-it-yourself)=\n## Run\n\n```{toctree}\n01_small\n```\n")
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "-c", str(SOURCES), str(root), str(root / "html")]
    run = subprocess.run(sphinx, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "distill-explorer" in first_slider(built)
    return (root / "html" / "01_small.html").as_uri()


@pytest.mark.browser
def test_every_control_of_the_small_site_moves_its_picture(small_site, browser):
    with opened(browser, small_site) as page:
        figures = page.tab.query_selector_all(".distill-explorer")
        assert len(figures) == 3 and page.tab.query_selector_all("math")
        for figure in figures:
            times = move(page.tab, figure, keys=2)
            assert len(times) == 2 * len(figure.query_selector_all("input, select"))
        assert not page.strangers and not page.errors
        slider = figures[0].query_selector("input")
        for _ in range(20):
            slider.press("ArrowRight")
        assert state(figures[0])[1].startswith("T = 20, α = 0.1")


@pytest.mark.browser
def test_without_a_script_there_is_a_picture_and_no_dead_slider(small_site, browser):
    with opened(browser, small_site, java_script_enabled=False) as page:
        for part, visible in ((".picture svg", True), ("figcaption", True), ("form", False)):
            assert page.tab.is_visible(f".distill-explorer {part}") == visible


@pytest.mark.browser
def test_on_a_phone_nothing_overflows_and_letters_can_be_read(small_site, browser):
    with opened(browser, small_site, width=390, has_touch=True) as page:
        assert overflow(page.tab) <= 0 and min(page.tab.evaluate(LETTERS)) >= 9


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_letters_stand_out_in_both_themes(small_site, browser, theme):
    with opened(browser, small_site, color_scheme=theme) as page:
        assert min(page.tab.evaluate(CONTRAST))[0] >= 4.5
