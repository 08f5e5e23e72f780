"""A browser for the tests that need one, and no garbage from test to test."""

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
