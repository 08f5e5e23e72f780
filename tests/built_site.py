"""The whole web site in a browser, page by page, as `make check_site` runs it; it prints a table at its end."""

import gzip
import json
import re
from pathlib import Path
from statistics import median
from urllib.parse import unquote

import nbformat
import pytest
from opened import CONTRAST, LETTERS, move, opened, overflow

from tools.pages import PAGES
from tools.website import BUILT, SOURCES

SITE = Path(__file__).parent.parent / "build" / "site"
IMAGES = ("08_hints", "11_when_it_fails")  # pages that carry images of attention, and of planes
PAGE = pytest.mark.parametrize("name", [path.stem for path in PAGES])
EVERY = pytest.mark.parametrize("name", ["index", "reference", *(path.stem for path in PAGES)])
ROWS = {}


def address(name):
    return (SITE / f"{name}.html").as_uri()


def text(name):
    return (SITE / f"{name}.html").read_text()


@PAGE
def test_every_slider_of_a_page_moves_and_answers_within_two_frames(name, browser):
    page = nbformat.read(BUILT / f"{name}.ipynb", as_version=4)
    outputs = [output for cell in page.cells for output in cell.get("outputs", ())]
    sliders = [output for output in outputs if "<sliders: " in output.get("data", {}).get("text/plain", "")]
    with opened(browser, address(name)) as here:
        figures = here.tab.query_selector_all(".distill-explorer")
        assert len(figures) == len(sliders) >= 1
        times = [time for figure in figures for time in move(here.tab, figure, keys=6)]
        assert not here.strangers and not here.errors
    found = re.findall(r'<script type="application/json">(.*?)</script></figure>', text(name), re.DOTALL)
    frames = sum(len(json.loads(carried)["frames"]) for carried in found)
    size = len(gzip.compress(text(name).encode(), 6)) / 1000
    ROWS[name] = size, frames, page.metadata["seconds"], median(times)
    assert size <= (400 if name in IMAGES else 250), f"{size:.0f} KB"
    assert "&lt;sliders: " not in text(name)


@EVERY
def test_a_phone_shows_it_without_overflow_and_with_letters_that_can_be_read(name, browser):
    with opened(browser, address(name), width=390, has_touch=True) as here:
        assert overflow(here.tab) <= 0
        assert min(here.tab.evaluate(LETTERS), default=9) >= 9


@EVERY
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_letters_stand_out_in_both_themes(name, browser, theme):
    with opened(browser, address(name), color_scheme=theme) as here:
        assert min(here.tab.evaluate(CONTRAST), default=[4.5])[0] >= 4.5


@EVERY
def test_without_a_script_it_can_be_read(name, browser):
    with opened(browser, address(name), java_script_enabled=False) as here:
        assert here.tab.is_visible("h1") and not here.errors
        for figure in here.tab.query_selector_all(".distill-explorer"):
            assert figure.query_selector(".picture svg").is_visible() and not figure.query_selector("form").is_visible()
            assert figure.query_selector("figcaption").inner_text().strip()


def leads(page, link):
    """Is there a file at this link, and in it the part after #?"""
    file, _, part = unquote(link).partition("#")
    there = page.parent / file.partition("?")[0] if file else page
    return there.exists() and (not part or there.suffix != ".html" or f'id="{part}"' in there.read_text())


@EVERY
def test_its_links_lead_somewhere(name):
    for folder in (SITE, *(SITE / language.name for language in (SOURCES / "locale").glob("*"))):
        page = folder / f"{name}.html"
        shown = re.sub(r"<script.*?</script>", "", page.read_text(), flags=re.DOTALL)
        for link in re.findall(r'(?:href|src)="([^"]+)"', shown):
            assert re.match(r"https?:|data:|mailto:", link) or leads(page, link), f"{page.name}: {link}"


def test_one_finds_ones_way(browser):
    """Search, the next page and the page before, the theme, another language; from files, without a server."""
    with opened(browser, address("index")) as here:
        here.tab.click("text=What does temperature do, and why T²? >> nth=0")
        assert "03" in here.tab.inner_text("h1")
        here.tab.click(".next-page")
        assert "04" in here.tab.inner_text("h1")
        here.tab.click(".prev-page")
        assert "03" in here.tab.inner_text("h1")
        here.tab.fill(".sidebar-search", "entropy")
        here.tab.press(".sidebar-search", "Enter")
        here.tab.wait_for_selector("#search-results li")
        assert "01 · " in here.tab.inner_text("#search-results")
        here.tab.goto(address("index"))
        here.tab.click("nav.languages a")
        assert here.tab.get_attribute("html", "lang") == "zh-CN" and "知识蒸馏" in here.tab.inner_text("h1")
        here.tab.click("nav.languages a")
        assert here.tab.get_attribute("html", "lang") == "en"
        assert not here.strangers


def test_the_first_page_shows_the_hook_and_every_page_and_how_to_run_it(browser):
    with opened(browser, address("index")) as here:
        (figure,) = here.tab.query_selector_all(".distill-explorer")
        assert move(here.tab, figure, keys=2)
        listed = here.tab.query_selector_all("table tr")[1:]
        assert [row.inner_text().split()[0] for row in listed] == [path.stem[:2] for path in PAGES]
        assert "make lab" in here.tab.inner_text("#run-it-yourself")
        assert here.tab.get_attribute('meta[property="og:image"]', "content").endswith("_static/hook.png")
    assert (SITE / "_static" / "hook.png").is_file()


def megabytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def test_the_whole_is_small_and_this_is_its_table(capsys):
    others = sum(megabytes(SITE / language.name) for language in (SOURCES / "locale").glob("*"))
    english = megabytes(SITE) - others
    with capsys.disabled():
        print(f"\n{'page':20} {'KB gz':>6} {'frames':>7} {'built in s':>11} {'key to picture, ms':>19}")
        for name, (size, frames, seconds, time) in ROWS.items():
            print(f"{name:20} {size:6.0f} {frames:7} {seconds:11.0f} {time:19.0f}")
        print(f"the site in English: {english:.1f} MB; other languages: {others:.1f} MB")
    assert english <= 12
    assert median([row[3] for row in ROWS.values()]) <= 33.4
