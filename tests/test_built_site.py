"""A built web site in a browser: what a passer-by sees and can do. A small one, or with SITE=build/site the whole one.

`make check_site` runs this over every page of build/site and prints a table; what holds for it alone is skipped else.
"""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import nbformat
import pytest
from browser import LUMINANCE, opened, press, to_and_fro

from tools import links
from tools.pages import FOLDER, PAGES, execute
from tools.website import BUILT, FORMATTER, SOURCES, for_the_site

SITE = os.environ.get("SITE")
SHOWN = ["loss with alpha", "working", "noise"]  # the small site: two sliders, a typed text, images
IMAGES = {"01_soft_targets": 500, "08_hints": 400}  # KB of pages that carry images: of mistakes, of attention
NAMES = [path.stem for path in PAGES] if SITE else ["01_small"]
PAGE = pytest.mark.parametrize("name", NAMES)
EVERY = pytest.mark.parametrize(
    "name", ["index", "cookbook", "lesson", "reference", *(path.stem for path in PAGES)] if SITE else ["01_small"]
)
WHOLE = pytest.mark.skipif(not SITE, reason="make check_site tries this on the whole site")
LANGUAGES = [folder.name for folder in (SOURCES / "locale").glob("*")]
ROWS = {}
pytestmark = [pytest.mark.browser, pytest.mark.nightly]
# The smallest letters on the screen, in pixels: an SVG's own size, as far as the picture is stretched.
LETTERS = """() => [...document.querySelectorAll(".picture svg text, .distill-picture svg text")].map(text => {
    const svg = text.ownerSVGElement;
    return parseFloat(getComputedStyle(text).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
})"""
# Luminance contrast (WCAG 2.2) of all letters in pictures that stand on the page's own ground.
CONTRAST = (
    "() => {"
    + LUMINANCE
    + """
    return [...document.querySelectorAll(".picture svg text, .distill-picture svg text")].map(text => {
        const ink = light(getComputedStyle(text).fill);
        return [(Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05), text.textContent];
    });
}"""
)


def build(root, *options):
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", *options, "-c", str(SOURCES), str(root), str(root / "html")]
    run = subprocess.run(sphinx, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the whole site, or of a page of three explorers and a formula, built as `make site` does it."""
    if SITE:
        return Path(SITE).resolve()
    root = tmp_path_factory.mktemp("site")
    cells = [nbformat.v4.new_markdown_cell("# 01 · A small page\n\nWith $e^{x}$ and\n\n$$\\frac{1}{2}$$")]
    code = ["from gallery import GALLERY", *(f"GALLERY[{name!r}]()" for name in SHOWN), "softmax = 'of code'"]
    cells += [*map(nbformat.v4.new_code_cell, code), nbformat.v4.new_markdown_cell("A softmax is in this sentence.")]
    page = root / "01_small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), page)
    places = f"import sys; sys.path[:0] = {[str(FOLDER.parent), str(Path(__file__).parent)]}; {FORMATTER}"
    built = for_the_site(execute(page, f"--IPKernelApp.exec_lines={places}"))
    nbformat.write(built, page)
    (root / "index.md").write_text("# Small\n\n(run-it-yourself)=\n## Run\n\n```{toctree}\n01_small\n```\n")
    build(root)
    return root / "html"


@pytest.fixture(scope="module")
def chinese_site(tmp_path_factory):
    """The folder of a site of two Chinese pages."""
    root = tmp_path_factory.mktemp("chinese")
    (root / "01_labels.md").write_text("# 01 · 标签\n\n学生用标签学习，不问师傅。\n")
    (root / "02_temperature.md").write_text("# 02 · 温度问题\n\n知识蒸馏的教师回答学生。This is entropy.\n")
    (root / "index.md").write_text("# 目录\n\n```{toctree}\n01_labels\n02_temperature\n```\n")
    build(root, "-D", "language=zh_CN")
    return root / "html"


def state(figure):
    """What an explorer shows: (picture, sentence, where its controls stand in words)."""
    controls = figure.query_selector_all("input, select")
    where = [one.get_attribute("aria-valuetext") or one.evaluate("one => one.value") for one in controls]
    return figure.query_selector(".picture").inner_html(), figure.query_selector("figcaption").inner_text(), where


def move(figure, keys):
    """Press keys on each control, to and fro: each changes what is shown. Milliseconds to the pictures."""
    times = []
    for control in figure.query_selector_all("input, select"):
        select = control.evaluate("one => one.matches('select')")
        last = control.evaluate("one => one.options ? one.selectedIndex == one.length - 1 : one.value == one.max")
        for key in to_and_fro(keys, last, *(("ArrowDown", "ArrowUp") if select else ())):
            before = state(figure)
            times += press(figure.query_selector(".picture"), control, [key])
            after = state(figure)
            assert before[2] != after[2] and before[:2] != after[:2], f"{key} on {after[2]} changed nothing"
            assert len(figure.query_selector_all(".picture svg")) == 1
            assert figure.query_selector(".picture").get_attribute("aria-label").split() == after[1].split()
    return times


@PAGE
def test_every_control_of_a_page_moves_its_picture(name, site, browser):
    address = site / f"{name}.html"
    with opened(browser, address.as_uri()) as here:
        figures = here.tab.query_selector_all(".distill-explorer")
        times = [time for figure in figures for time in move(figure, keys=6 if SITE else 2)]
        assert not here.strangers and not here.errors and median(times) < 200
        assert SITE or here.tab.query_selector_all("math")
    page = nbformat.read((BUILT if SITE else site.parent) / f"{name}.ipynb", as_version=4)
    outputs = [output for cell in page.cells for output in cell.get("outputs", ())]
    assert len(figures) == sum("<sliders: " in output.get("data", {}).get("text/plain", "") for output in outputs) >= 1
    assert "&lt;sliders: " not in address.read_text()
    found = re.findall(r'<script type="application/json">(.*?)</script></figure>', address.read_text(), re.DOTALL)
    size = len(gzip.compress(address.read_bytes(), 6)) / 1000
    frames = sum(len(json.loads(carried)["frames"]) for carried in found)
    ROWS[name] = size, frames, page.metadata.get("seconds", 0), median(times)
    assert size <= IMAGES.get(name, 250), f"{size:.0f} KB"


@EVERY
def test_on_a_phone_nothing_overflows_and_letters_can_be_read(name, site, browser):
    with opened(browser, (site / f"{name}.html").as_uri(), width=390, has_touch=True) as here:
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert here.tab.evaluate(wider) <= 0
        assert min(here.tab.evaluate(LETTERS), default=9) >= 9


@EVERY
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_letters_stand_out_in_both_themes(name, theme, site, browser):
    with opened(browser, (site / f"{name}.html").as_uri(), color_scheme=theme) as here:
        assert min(here.tab.evaluate(CONTRAST), default=[4.5])[0] >= 4.5


@EVERY
def test_without_a_script_there_is_a_picture_and_no_dead_slider(name, site, browser):
    with opened(browser, (site / f"{name}.html").as_uri(), java_script_enabled=False) as here:
        assert here.tab.is_visible("h1") and not here.errors
        for figure in here.tab.query_selector_all(".distill-explorer"):
            assert figure.query_selector(".picture svg").is_visible() and not figure.query_selector("form").is_visible()
            assert figure.query_selector("figcaption").inner_text().strip()


@WHOLE
def test_one_finds_ones_way(site, browser):
    """Pages, the next and the one before, search, another language, how to run it; from files, without a server."""
    with opened(browser, (site / "index.html").as_uri()) as here:
        here.tab.click(".distill-playground .play")
        here.tab.wait_for_selector(".distill-playground .end.taught")
        listed = here.tab.query_selector_all("table tbody tr")
        assert [row.inner_text().split()[0] for row in listed] == [path.stem[:2] for path in PAGES]
        assert "make lab" in here.tab.inner_text("#run-it-yourself")
        assert f"git clone https://github.com/{links.of_the_site()}" in here.tab.inner_text("#run-it-yourself")
        assert here.tab.get_attribute('meta[property="og:image"]', "content").endswith("_static/hook.png")
        here.tab.click("text=What does temperature do, and why T²? >> nth=0")
        for button, number in ((None, "02"), (".next-page", "03"), (".prev-page", "02")):
            if button:
                here.tab.click(button)
            assert number in here.tab.inner_text("h1")
        here.tab.fill(".sidebar-search", "entropy")
        here.tab.press(".sidebar-search", "Enter")
        here.tab.wait_for_selector("#search-results li")
        assert "01 · " in here.tab.inner_text("#search-results")
        here.tab.goto((site / "index.html").as_uri())
        here.tab.click("nav.languages a")
        assert here.tab.get_attribute("html", "lang") == "zh-CN" and "知识蒸馏" in here.tab.inner_text("h1")
        here.tab.click("nav.languages a")
        assert here.tab.get_attribute("html", "lang") == "en"
        assert not here.strangers


@pytest.mark.parametrize("query", ["1", "page 01"])
def test_a_number_finds_its_page(query, site, browser):
    with opened(browser, f"{(site / 'search.html').as_uri()}?q={query}") as here:
        here.tab.wait_for_selector("#search-results li a")
        found = here.tab.locator("#search-results li a").all_inner_texts()
        assert found[0].startswith("01 · ") and found.count(found[0]) == 1
        assert not here.errors and not here.strangers


@pytest.mark.parametrize("query", ["教师", "蒸馏的教师", "entropies", "回", "2", "第 2 页"])
def test_a_chinese_site_finds_words_and_numbers(query, chinese_site, browser):
    with opened(browser, f"{(chinese_site / 'search.html').as_uri()}?q={query}") as here:
        here.tab.wait_for_selector("#search-results li a", timeout=10_000)
        assert here.tab.locator("#search-results li a").all_inner_texts() == ["02 · 温度问题"]
        assert not here.errors and not here.strangers


def test_a_found_page_has_an_excerpt_and_no_mark_in_its_code(site, browser):
    with opened(browser, f"{(site / 'search.html').as_uri()}?q=softmax") as here:
        here.tab.wait_for_selector("#search-results li .context")
        assert "softmax" in here.tab.inner_text("#search-results li .context >> nth=0").lower()
        here.tab.click("#search-results li:has(.context) a >> nth=0")
        here.tab.wait_for_selector("p .highlighted")
        grounds = "all => all.map(one => getComputedStyle(one).backgroundColor)"
        assert set(here.tab.eval_on_selector_all("pre .highlighted", grounds)) <= {"rgba(0, 0, 0, 0)"}
        assert "rgba(0, 0, 0, 0)" not in here.tab.eval_on_selector_all("p .highlighted", grounds)


@PAGE
def test_code_can_be_copied(name, site, browser):
    with opened(browser, (site / f"{name}.html").as_uri()) as here:
        here.tab.wait_for_selector(".copybtn", state="attached")
        assert here.tab.locator(".copybtn").count() == here.tab.locator("div.highlight pre").count()


@WHOLE
@PAGE
def test_a_page_opens_elsewhere_is_handed_out_and_can_be_edited(name, site, browser):
    with opened(browser, (site / f"{name}.html").as_uri()) as here:
        addresses = here.tab.eval_on_selector_all(".launch a", "all => all.map(one => [one.innerText, one.href])")
        assert [text for text, _ in addresses] == [*links.launch(name, ""), "Edit this page"]
        assert all(f"{name}.ipynb" in address for _, address in addresses)
        nbformat.validate(nbformat.read(site / "notebooks" / f"{name}.ipynb", as_version=4))
        assert "Not attempted" not in here.tab.inner_text("article")


def megabytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


@WHOLE
def test_the_whole_is_small_and_quick_and_this_is_its_table(site, capsys):
    assert (site / "_static" / "hook.png").is_file()
    others = sum(megabytes(site / language) for language in LANGUAGES)
    with capsys.disabled():
        print(f"\n{'page':20} {'KB gz':>6} {'frames':>7} {'built in s':>11} {'key to picture, ms':>19}")
        for name, (size, frames, seconds, time) in ROWS.items():
            print(f"{name:20} {size:6.0f} {frames:7} {seconds:11.0f} {time:19.0f}")
        print(f"the site in English: {megabytes(site) - others:.1f} MB; other languages: {others:.1f} MB")
    assert megabytes(site) - others - megabytes(site / "notebooks") <= 0.67 * len(PAGES)  # without the downloads
    assert median([row[3] for row in ROWS.values()]) <= 33.4  # two frames
