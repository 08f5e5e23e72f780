"""Pages of the web site in a real browser, for test_site.py and built_site.py: what a passer-by sees and can do."""

import contextlib
from types import SimpleNamespace

from browser import back_and_forth

# Keeps the time from a key to the frame in which its picture is on the screen.
WATCH = """figure => {
    const times = figure.times = [];
    let pressed = null;
    document.addEventListener("keydown", () => { pressed = performance.now(); }, true);
    new MutationObserver(() => requestAnimationFrame(() => {
        const painted = new MessageChannel();
        painted.port1.onmessage = () => {
            if (pressed !== null) times.push(performance.now() - pressed);
            pressed = null;
        };
        painted.port2.postMessage(0);
    })).observe(figure.querySelector(".picture"), {childList: true});
}"""
# The smallest letters on the screen, in pixels: an SVG's own size, as far as the picture is stretched.
LETTERS = """() => [...document.querySelectorAll(".picture svg text, .distill-picture svg text")].map(text => {
    const svg = text.ownerSVGElement;
    return parseFloat(getComputedStyle(text).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
})"""
# Luminance contrast (WCAG 2.2) of all letters in pictures that stand on the page's own ground.
CONTRAST = """() => {
    const pixel = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const light = colour => {
        pixel.fillStyle = colour;
        pixel.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map(value => value / 255)
            .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = light(getComputedStyle(document.body).backgroundColor);
    return [...document.querySelectorAll(".picture svg text, .distill-picture svg text")].map(text => {
        const ink = light(getComputedStyle(text).fill);
        return [(Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05), text.textContent];
    });
}"""


@contextlib.contextmanager
def opened(browser, address, width=1200, **context):
    """A tab with this page: `tab`, what it asked of other hosts (and did not get), and its console's errors."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **context)
    strangers, errors = [], []
    context.route(
        lambda url: not url.startswith(("file:", "http://127.0.0.1")), lambda route: _refuse(route, strangers)
    )
    tab = context.new_page()
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(address)
    yield SimpleNamespace(tab=tab, strangers=strangers, errors=errors)
    context.close()


def _refuse(route, strangers):
    strangers.append(route.request.url)
    route.abort()


def state(figure):
    """What an explorer shows: (picture, sentence, where its controls stand in words)."""
    controls = figure.query_selector_all("input, select")
    where = [one.get_attribute("aria-valuetext") or one.evaluate("one => one.value") for one in controls]
    return figure.query_selector(".picture").inner_html(), figure.query_selector("figcaption").inner_text(), where


def move(tab, figure, keys=1):
    """Press keys on each control, to and fro, each after the picture of the one before: milliseconds to the picture."""
    figure.evaluate(WATCH)
    for control in figure.query_selector_all("input, select"):
        for key in _to_and_fro(control, keys):
            before, count = state(figure), figure.evaluate("figure => figure.times.length")
            control.press(key)
            tab.wait_for_function("([figure, count]) => figure.times.length > count", arg=[figure, count])
            after = state(figure)
            assert before[2] != after[2] and before[:2] != after[:2], f"{key} on {after[2]} changed nothing"
            assert len(figure.query_selector_all(".picture svg")) == 1
            label = figure.query_selector(".picture").get_attribute("aria-label")
            assert label.split() == after[1].split()
    return figure.evaluate("figure => figure.times")


def _to_and_fro(control, count):
    """`count` keys that move a control within its range."""
    last = control.evaluate("one => one.matches('select') ? one.selectedIndex == one.length - 1 : one.value == one.max")
    select = control.evaluate("one => one.matches('select')")
    return back_and_forth(count, last, *(("ArrowDown", "ArrowUp") if select else ()))


def overflow(tab):
    """How many pixels the page is wider than the window."""
    return tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
