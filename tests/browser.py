"""A real JupyterLab on loopback and a real Chromium, for test_browser.py: `jupyterlab`, `chromium`, `Page`."""

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

from tools.pages import FOLDER

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The last ones keep Chromium from asking its maker for updates.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
# Keeps the time from a key to the next picture, and counts the frames without a picture.
WATCH = """view => {
    const seen = {times: [], frames: 0, blank: 0};
    let pressed = null;
    document.addEventListener("keydown", () => { pressed = performance.now(); }, true);
    new MutationObserver(() => {
        if (pressed !== null) seen.times.push(performance.now() - pressed);
        pressed = null;
    }).observe(view, {childList: true, subtree: true});
    const frame = () => {
        seen.frames += 1;
        seen.blank += view.querySelector("svg") ? 0 : 1;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    view.seen = seen;
}"""
RUN = """async count => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const code = notebook.widgets.filter(cell => cell.model.type == "code");
    if (count === null || count >= code.length) return window.jupyterapp.commands.execute("notebook:run-all-cells");
    notebook.activeCellIndex = notebook.widgets.indexOf(code[count]);
    return window.jupyterapp.commands.execute("notebook:run-all-above");
}"""
OUTPUTS = """window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type == "code")
    .map(cell => ({count: cell.model.executionCount, outputs: cell.model.outputs.toJSON()}))"""


def chromium(playwright):
    """A running browser: Playwright's own or the system's, or None where there is neither."""
    own = playwright.chromium.executable_path
    path = own if Path(own).exists() else next(filter(None, map(shutil.which, CHROMIUMS)), None)
    return path and playwright.chromium.launch(executable_path=path, args=FLAGS)


@contextlib.contextmanager
def jupyterlab(root, theme="JupyterLab Light"):
    """Serve a copy of the pages in `root` and yield a function that gives a notebook's address."""
    shutil.copytree(FOLDER, root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    settings = {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
        "@jupyterlab/apputils-extension:themes": {"theme": theme},
        "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # all cells are in the page, seen or not
    }
    (root / "settings").mkdir()
    (root / "settings" / "overrides.json").write_text(json.dumps(settings))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
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
    places = os.pathsep.join([str(FOLDER.parent), str(FOLDER.parent / "tests")])
    with (root / "jupyter.log").open("w") as log:
        environment = {**os.environ, "PYTHONPATH": places}
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, root / "jupyter.log")
            yield lambda name: f"http://127.0.0.1:{port}/lab/tree/{name}?reset&token={token}"
        finally:
            server.terminate()
            server.wait(60)


def _wait_for(address, server, log):
    for _ in range(600):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(address, timeout=5).read()
        assert server.poll() is None, f"JupyterLab did not start: {log.read_text()[-2000:]}"
        time.sleep(0.5)
    raise AssertionError("JupyterLab did not answer within five minutes.")


class Page:
    """A notebook in a browser's tab, with its kernel running."""

    def __init__(self, browser, address):
        self.tab = browser.new_page(viewport={"width": 1200, "height": 1000})
        self.tab.set_default_timeout(120_000)
        self.tab.goto(address)
        self.tab.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'"
        )

    def run(self, count=None):
        """Run the first `count` code cells, or all; what they gave: [{count, outputs}]."""
        self.tab.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
        self.tab.evaluate(RUN, count)
        self.tab.wait_for_timeout(1000)  # the widgets' views come after the last cell's answer
        return self.tab.evaluate(OUTPUTS)[:count]

    def value(self, expression):
        """The repr of an expression in the page's kernel, as another cell would see it now."""
        return self.tab.evaluate(
            """async expression => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const reply = await kernel.requestExecute({code: "", user_expressions: {it: expression}}).done;
                return reply.content.user_expressions.it.data["text/plain"];
            }""",
            expression,
        )

    def explorers(self):
        return self.tab.query_selector_all(".distill-explorer")

    def close(self):
        """Close the tab and shut its kernel down: the next page gets the memory."""
        self.tab.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.tab.close()


def picture(explorer):
    return explorer.eval_on_selector("svg", "svg => svg.outerHTML")


def press(explorer, handle, keys):
    """Press keys on a slider's handle, each after the picture for the one before: (times in ms, blank frames)."""
    view = explorer.query_selector(".widget-html-content:has(svg)")
    view.evaluate(WATCH)
    handle.scroll_into_view_if_needed()
    handle.focus()
    for count, key in enumerate(keys, start=1):
        handle.press(key)
        until(lambda count=count: len(view.evaluate("view => view.seen.times")) >= count)
    seen = view.evaluate("view => view.seen")
    return seen["times"], seen["blank"]


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "Nothing changed in the page."
        time.sleep(0.02)


def to_and_fro(handle, count):
    """`count` keys that move a slider within its range."""
    now, last = (float(handle.get_attribute(name)) for name in ("aria-valuenow", "aria-valuemax"))
    return back_and_forth(count, now >= last)


def back_and_forth(count, at_the_end, onward="ArrowRight", back="ArrowLeft"):
    """`count` keys, back at every second one; the first one back where there is nothing onward."""
    keys = (back, onward) if at_the_end else (onward, back)
    return [keys[i % 2] for i in range(count)]
