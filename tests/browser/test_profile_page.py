"""The page of a preference centre in a real browser: opened by its link, used by clicks, closed to everybody else."""

import socket
import threading
import time

import pytest

import xseg
from xseg.governance.consent import Ledger
from xseg.governance.rights import SegmentBasis, make_entry_link, make_profile_app

pytestmark = pytest.mark.browser

SECRET = "a secret of more than thirty-two characters"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def served():
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    customers = xseg.make_customers(600, random_state=0)
    segmenter = xseg.TreeSegmenter(4, max_leaves=6, random_state=0).fit(customers)
    ledger = Ledger()
    ledger.append("ann", "offers", "given", source="account")
    profile = xseg.governance.rights.Profile(
        segmenter,
        customers.head(1),
        policy=xseg.datasets.customers_policy(),
        ledger=ledger,
        subject="ann",
        purpose="offers",
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = make_profile_app({"ann": profile}.get, secret=SECRET, https=False)
    server = uvicorn.Server(uvicorn.Config(page, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}", profile
    server.should_exit = True
    thread.join(10)


def test_the_page_is_used_by_clicks_and_closed_to_others(chromium, served):
    address, profile = served
    own = profile.card().segment.name
    window, stranger = chromium.new_context(), chromium.new_context()
    page = window.new_page()
    page.goto(address + make_entry_link("ann", SECRET))
    page.wait_for_url(f"{address}/")
    assert own in page.locator("h1").first.inner_text()
    page.get_by_role("button", name="Withdraw your consent").click()
    assert "You are in no group." in page.locator("main").inner_text()
    assert profile.basis is SegmentBasis.NO_CONSENT
    page.get_by_role("button", name="Agree to this use").click()
    assert own in page.locator("h1").first.inner_text()
    page.get_by_label("What is wrong?").fill("<b>I moved</b>")
    page.get_by_role("button", name="Say that this is wrong").click()
    assert profile.cases()[0].text == "<b>I moved</b>"
    assert page.locator("main b").count() == 0
    assert stranger.new_page().goto(address).status == 403
    window.close()
    stranger.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_page(chromium, served, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe
    address, _ = served
    window = chromium.new_context(color_scheme=scheme, bypass_csp=True, viewport={"width": 360, "height": 800})
    page = window.new_page()
    page.goto(address + make_entry_link("ann", SECRET))
    page.wait_for_url(f"{address}/")
    found = axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found] == []
    wide = page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")
    assert wide <= 1
    window.close()
