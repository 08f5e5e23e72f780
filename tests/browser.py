"""A real Chromium, and pages in it: of the web site (`opened`) and of a JupyterLab (`jupyterlab`, `Page`)."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace

from tools.pages import FOLDER

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The last ones keep Chromium from asking its maker for updates.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
# Keeps the milliseconds from a key to the frame in which its picture is painted, and counts frames without a picture.
WATCH = """view => {
    const seen = view.seen = {times: [], blank: 0};
    let pressed = null;
    document.addEventListener("keydown", () => { pressed = performance.now(); }, true);
    new MutationObserver(() => requestAnimationFrame(() => {
        const painted = new MessageChannel();
        painted.port1.onmessage = () => {
            if (pressed !== null) seen.times.push(performance.now() - pressed);
            pressed = null;
        };
        painted.port2.postMessage(0);
    })).observe(view, {childList: true, subtree: true});
    const frame = () => {
        seen.blank += view.querySelector("svg") ? 0 : 1;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""
# The luminance of a colour, and of the ground of the page (WCAG 2.2).
LUMINANCE = """
    const pixel = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const light = colour => {
        pixel.fillStyle = colour;
        pixel.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map(value => value / 255)
            .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = light(getComputedStyle(document.body).backgroundColor);
"""
NOTEBOOK = "window.jupyterapp?.shell.currentWidget"
RUN = f"""async count => {{
    await window.jupyterapp.commands.execute("notebook:clear-all-cell-outputs");
    const notebook = {NOTEBOOK}.content;
    const code = notebook.widgets.filter(cell => cell.model.type == "code");
    if (count === null || count >= code.length) return window.jupyterapp.commands.execute("notebook:run-all-cells");
    notebook.activeCellIndex = notebook.widgets.indexOf(code[count]);
    return window.jupyterapp.commands.execute("notebook:run-all-above");
}}"""
OUTPUTS = f"""{NOTEBOOK}.content.widgets.filter(cell => cell.model.type == "code")
    .map(cell => ({{count: cell.model.executionCount, outputs: cell.model.outputs.toJSON()}}))"""
VALUE = f"""async expression => {{
    const kernel = {NOTEBOOK}.sessionContext.session.kernel;
    const reply = await kernel.requestExecute({{code: "", user_expressions: {{it: expression}}}}).done;
    return reply.content.user_expressions.it.data["text/plain"];
}}"""


def chromium(playwright):
    """A running browser: Playwright's own or the system's, or None where there is neither."""
    own = playwright.chromium.executable_path
    path = own if Path(own).exists() else next(filter(None, map(shutil.which, CHROMIUMS)), None)
    return path and playwright.chromium.launch(executable_path=path, args=FLAGS)


@contextlib.contextmanager
def opened(browser, address, width=1200, **context):
    """A tab with this page: `tab`, what it asked of other hosts (and did not get), and its console's errors."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **context)
    strangers, errors = [], []

    def refuse(route):
        strangers.append(route.request.url)
        route.abort()

    context.route(lambda url: not url.startswith(("file:", "http://127.0.0.1")), refuse)
    tab = context.new_page()
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(address)
    yield SimpleNamespace(tab=tab, strangers=strangers, errors=errors)
    context.close()


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "Nothing changed in the page."
        time.sleep(0.02)


def press(view, control, keys):
    """Press keys on a control, each after the picture of the key before: milliseconds to each picture."""
    view.evaluate(WATCH)
    control.scroll_into_view_if_needed()
    control.focus()
    for count, key in enumerate(keys, start=1):
        control.press(key)
        until(lambda count=count: view.evaluate("view => view.seen.times.length") >= count)
    seen = view.evaluate("view => view.seen")
    assert seen["blank"] == 0, "the picture was gone for a moment"
    return seen["times"]


def to_and_fro(count, at_the_end, onward="ArrowRight", back="ArrowLeft"):
    """`count` keys, back at every second one; the first one back where there is nothing onward."""
    keys = (back, onward) if at_the_end else (onward, back)
    return [keys[i % 2] for i in range(count)]


@contextlib.contextmanager
def jupyterlab(root):
    """Serve a copy of the pages in `root` and yield a function that gives a notebook's address."""
    shutil.copytree(FOLDER, root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    settings = {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
        "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # all cells are in the page, seen or not
    }
    (root / "settings").mkdir()
    (root / "settings" / "overrides.json").write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, log = secrets.token_hex(16), root / "jupyter.log"
    server = _serve(root, port, token, log)

    def answers():
        assert server.poll() is None, f"JupyterLab did not start: {log.read_text()[-2000:]}"
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=5).read()

    try:
        until(answers, seconds=300)
        yield lambda name: f"http://127.0.0.1:{port}/lab/tree/{name}?reset&token={token}"
    finally:
        server.terminate()
        server.wait(60)


def _serve(root, port, token, log):
    options = {
        "ServerApp.port": port,
        "ServerApp.root_dir": root / "notebooks",
        "ServerApp.kernel_websocket_connection_class": "distill_edu.pages.shared.lab.WithoutDelay",  # as in `make lab`
        "IdentityProvider.token": token,
        "LabApp.app_settings_dir": root / "settings",
        "LabApp.user_settings_dir": root / "user",
        "LabApp.workspaces_dir": root / "workspaces",
        "LabApp.expose_app_in_browser": True,
    }
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser"]
    command += [f"--{name}={value}" for name, value in options.items()]
    environment = {**os.environ, "PYTHONPATH": f"{FOLDER.parent}{os.pathsep}{FOLDER.parent / 'tests'}"}
    return subprocess.Popen(command, stdout=log.open("w"), stderr=subprocess.STDOUT, env=environment)


class Page:
    """A notebook in a browser's tab, with its kernel running."""

    def __init__(self, browser, address):
        self.tab = browser.new_page(viewport={"width": 1200, "height": 1000})
        self.tab.set_default_timeout(120_000)
        self.tab.goto(address)
        self.tab.wait_for_function(f"{NOTEBOOK}?.sessionContext?.session?.kernel?.status == 'idle'")

    def run(self, count=None):
        """Run the first `count` code cells, or all; what they gave: [{count, outputs}]."""
        self.tab.evaluate(RUN, count)
        self.tab.wait_for_timeout(1000)  # the widgets' views come after the last cell's answer
        return self.tab.evaluate(OUTPUTS)[:count]

    def value(self, expression):
        """The repr of an expression in the page's kernel, as another cell would see it now."""
        return self.tab.evaluate(VALUE, expression)

    def explorers(self):
        return self.tab.query_selector_all(".distill-explorer")

    def close(self):
        """Close the tab and shut its kernel down: the next page gets the memory."""
        self.tab.evaluate(f"{NOTEBOOK}.sessionContext.shutdown()")
        self.tab.close()
