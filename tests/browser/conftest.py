"""A browser for the tests of pages: the system's Chromium, driven by Playwright."""

import shutil

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed here, so pages cannot be looked at")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def look(chromium, tmp_path):
    """Open a page of HTML and watch it: errors, warnings and every request are faults."""
    opened = []

    def open_page(html, **context):
        window = chromium.new_context(**{"viewport": {"width": 800, "height": 900}, **context})
        page = window.new_page()
        page.faults = []
        page.on("console", lambda said: page.faults.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("request", lambda asked: page.faults.append(asked.url) if not asked.url.startswith("file:") else None)
        path = tmp_path / f"page-{len(opened)}.html"
        path.write_text(html, encoding="utf-8")
        page.goto(path.as_uri())
        opened.append(window)
        return page

    yield open_page
    for window in opened:
        window.close()
