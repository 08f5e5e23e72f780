"""A browser for the tests that need one, a folder of kept results, and no garbage from test to test."""

import functools
import gc
import os

import pytest
from browser import chromium


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Throw a test's own garbage away after it, and look at nothing older, which would take a second.

    Among it are pipelines of tf.data, whose tuner may sleep on for as long as they have lived: up to a minute, in
    whatever test Python happens to collect them.
    """
    gc.freeze()
    yield
    gc.collect()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of kept results, for this test alone."""
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def fits(monkeypatch):
    """A list with an entry for each time that Keras really trained."""
    import keras  # here, because most tests of the pages need no TensorFlow

    calls, fit = [], keras.Model.fit
    count = functools.wraps(fit)(lambda *args, **kwargs: calls.append(1) or fit(*args, **kwargs))
    monkeypatch.setattr(keras.Model, "fit", count)
    return calls


@pytest.fixture(scope="module")
def browser():
    """A Chromium. Without one the tests are skipped, but in CI they fail."""
    reason = "Playwright is not installed: pip install playwright"
    with pytest.importorskip("playwright.sync_api", reason=reason).sync_playwright() as playwright:
        browser = chromium(playwright)
        if browser is None:
            missing = "No Chromium was found, so no page was opened in a browser."
            pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
        yield browser
        browser.close()
