"""The web site without a browser: fragments of HTML for sliders, recordings, the texts around the pages.

`test_explorers.py` compares what a fragment carries with what the widget draws, at every stop.
"""

import copy
import html
import itertools
import json
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import frames
import ipywidgets
import nbformat
import numpy as np
import pytest
import recording
from babel.messages.pofile import read_po
from gallery import GALLERY
from IPython.core.formatters import DisplayFormatter
from small import X, Y, model

from distill_edu import Distiller
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.live import live_distillation
from distill_edu.pages.shared.picture import Picture
from tools import links
from tools.pages import FOLDER, PAGES, lesson, tags
from tools.website import FOLD, SOURCES, for_the_site, list_of_pages, parts, write_downloads

# Every kind of control: whole numbers, numbers, a typed text, options.
KINDS = ("pairs", pytest.param("bias", marks=pytest.mark.slow), "working", "noise")


def carried(fragment):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', fragment, re.DOTALL)[1])


# --- a fragment -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_fragment_begins_where_the_widget_stands_with_a_label_for_every_control(name):
    explorer = GALLERY[name]()
    fragment = frames.fragment(explorer)
    before = fragment[: fragment.index("<script")].replace("<form hidden", '<form hidden=""')  # as XML
    before = before.replace("<option selected>", '<option selected="">').replace('"><output>', '"/><output>')
    figure = ElementTree.fromstring(before + "</figure>")
    picture, said = figure.find("div"), figure.find("figcaption").text
    assert said == picture.get("aria-label") == html.unescape(explorer.words.value)
    assert len(picture) == 1 and frames.slim(explorer.figure.svg()).strip() in fragment
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


@pytest.mark.parametrize("name", KINDS)
def test_a_fragment_opens_where_the_still_below_it_stands(name):
    explorer = GALLERY[name]()
    first = frames.fragment(explorer)
    for control in explorer.controls.values():
        if not isinstance(control, ipywidgets.Combobox):  # whose stops begin with what stands in it
            control.value = frames.stops(control)[-1][1]
    still = frames.slim(explorer.still().svg())
    assert frames.opened(first, still) == frames.fragment(explorer) != first
    assert frames.opened(first, "<svg></svg>") == first


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


@pytest.mark.parametrize("name", ["loss with alpha", "trust", "peaks", "noise"])
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
    for words in ("</script><b>", "<!--<script><b>"):  # after the second a browser looks for two ends
        explorer.draw = lambda figure, words=words, **values: f"{words}{values}"
        fragment = frames.fragment(explorer)
        assert fragment.count("</script>") == 1 and carried(fragment)["words"][0].startswith(words)
        assert "<b>" not in fragment[: fragment.index("<script")] and "<!--<script" not in fragment


def test_a_slim_picture_keeps_every_name():
    name = '#ffffff (1.23456, <metadata> <!--x--> id="a_1" fill: #000000 > d="M 1.23456 "'
    figure = Picture(4, 2)
    figure.add_subplot().set_title(name)
    slim = frames.slim(figure.svg())
    assert name in [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", slim)]
    assert "var(--paper, #ffffff)" in slim


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


def test_a_still_that_is_no_sliders_twin_stays_on_the_site():
    page = nbformat.read(PAGES[15], as_version=4)
    stills = [cell.source for cell in page.cells if re.fullmatch(r"explorer\.still\(.*\)", cell.source)]
    kept = [cell.source for cell in for_the_site(page).cells]
    assert len(stills) > 1 and [still in kept for still in stills] == [False] + [True] * (len(stills) - 1)


def test_on_the_site_a_slider_opens_where_its_still_stood():
    explorer = GALLERY["pairs"]()
    first = frames.fragment(explorer)
    explorer.controls["pairs"].value = 3
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("explorer = pairs_explorer()\nexplorer")])
    page.cells += [nbformat.v4.new_code_cell("explorer.still(pairs=3)"), nbformat.v4.new_markdown_cell("See.")]
    shown = {"text/html": first}, {"text/html": frames.slim(explorer.figure.svg()).join(frames.PICTURE)}
    for cell, data in zip(page.cells, shown, strict=False):
        cell.outputs = [nbformat.v4.new_output("execute_result", data)]
    page.cells.insert(0, nbformat.v4.new_markdown_cell("# 99 · A page\n\nIts links\n\nText"))
    page.metadata["name"] = "99_page"
    slider = for_the_site(page).cells[2].outputs[0].data["text/html"]
    assert slider == frames.fragment(explorer) != first


def test_a_page_of_the_site_has_a_hint_and_no_still_twin_of_a_slider():
    page = nbformat.read(PAGES[9], as_version=4)
    stills = [cell.source for cell in page.cells if ".still(" in cell.source]
    assert any("\n" not in source for source in stills) and any("\n" in source for source in stills)
    for cell in page.cells:
        for output in cell.get("outputs", ()):
            if output.get("data", {}).get("image/png"):
                output.data["text/html"] = "<svg>"
    built = for_the_site(copy.deepcopy(page))
    assert [cell.source for cell in built.cells if ".still(" in cell.source] == [s for s in stills if "\n" in s]
    assert built.cells[0].source == lesson(page).cells[0].source and "run the page" in built.cells[1].source
    assert not [o for c in built.cells for o in c.get("outputs", ()) if "image/png" in o.get("data", {})]
    nbformat.validate(built)


def test_on_the_site_an_exercise_is_a_question_a_link_and_a_folded_answer(monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "ada/course")
    page = for_the_site(nbformat.read(PAGES[0], as_version=4))
    sources = [cell.source for cell in page.cells]
    assert not [cell for cell in page.cells if "Not attempted" in str(cell.get("outputs"))]
    assert not [source for source in sources if "page.check_" in source or "archive/main.zip" in source]
    answers = [place for place, cell in enumerate(page.cells) if "answer" in tags(cell)]
    assert len(answers) == 3
    colab = links.launch(PAGES[0].stem, "ada/course")["Open in Colab"]
    for place in answers:
        assert f"[Answer it in Colab]({colab})" in sources[place - 1]
    stubs = [sources[place - 2] for place in answers]
    assert "my_entropy = ..." not in sources and stubs[1].startswith("def ") and stubs[2].startswith("def ")
    assert "## Exercises" in stubs[0]


def test_long_set_up_above_the_first_slider_is_folded_and_nothing_else():
    for path in PAGES[:4]:
        cells = for_the_site(nbformat.read(path, as_version=4)).cells
        code = [cell for cell in cells if cell.cell_type == "code"]
        slider = next(place for place, cell in enumerate(code) if "explorer(" in cell.source)
        for place, cell in enumerate(code):
            long = len(cell.source.splitlines()) > FOLD
            assert ("hide-input" in tags(cell)) == (place < slider and long), f"{path.name}: {cell.source}"


def test_the_list_of_pages_names_every_page_with_its_part_and_its_minutes():
    listed = list_of_pages(PAGES)
    rows = re.findall(r"^\| (\d\d) \| \[(.+)\]\((\S+)\) \| (\d+) \|$", listed, re.MULTILINE)
    assert [name for _, _, name, _ in rows] == [path.name for path in PAGES], "README lists every page in a part"
    assert all(name.startswith(number) and 15 <= int(minutes) <= 60 for number, _, name, minutes in rows)
    assert [title[:6] for title, _, _ in parts()] == ["Part 1", "Part 2", "Part 3", "Part 4"]
    for title, line, names in parts():
        assert f"### {title}\n\n{line}\n\n| page" in listed
        assert f":caption: {title}\n\n" + "\n".join(names) in listed


def test_the_site_hands_out_pages_with_the_address_from_which_it_was_built(monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_REPOSITORY", "ada/course")
    write_downloads(tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [path.name for path in PAGES]
    page = nbformat.read(tmp_path / PAGES[0].name, as_version=4)
    assert "github.com/ada/course/archive" in page.cells[1].source and links.repository() not in str(page)


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
