"""Cards look as they did when somebody last looked: pictures with tolerance.

Fonts and browsers differ between machines, so pictures are compared only where the browser and its fonts are those they
were taken with. Renew them with ``XSEG_RENEW_PICTURES=1`` and look at every one.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

import xseg

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PICTURES = Path(__file__).parent / "pictures"
MADE_WITH = PICTURES / "made-with.json"
RENEWS = os.environ.get("XSEG_RENEW_PICTURES") == "1"
NAMES = ("Now and then", "Quiet for a while", "Loyal readers", "Collectors", "Sends much back")
PHONE, DESKTOP = {"width": 360, "height": 760}, {"width": 760, "height": 760}


@pytest.fixture(scope="module")
def cards():
    customers = xseg.make_customers(1_500, random_state=0)
    segmenter = xseg.TreeSegmenter(5, max_leaves=8, segment_names=NAMES, random_state=0).fit(customers)
    policy = xseg.customers_policy()
    told = xseg.make_cards(segmenter, customers, policy=policy, ids=list(customers.index), now=NOW)
    long = {name: {"label": f"a label that is long enough to need more than a line, {name}"} for name in customers}
    return {
        "clear": (told[0].html(), DESKTOP, "light"),
        "dark": (told[0].html(), DESKTOP, "dark"),
        "phone": (told[0].html(), PHONE, "light"),
        "close": (next(card for card in told if card.certainty.close).html(), PHONE, "light"),
        "no-policy": (xseg.make_cards(segmenter, customers, now=NOW)[0].html(), PHONE, "light"),
        "long": (xseg.make_cards(segmenter, customers, policy={"features": long}, now=NOW)[0].html(), PHONE, "light"),
        "arabic": (
            xseg.make_cards(segmenter, customers, policy=policy, now=NOW, locale="ar")[0].html(),
            PHONE,
            "light",
        ),
        "what-if": (told[0].html(interactive=True), DESKTOP, "light"),
    }


def made_with(page):
    """Say which browser, and how wide it sets some letters: other fonts set them otherwise."""
    widths = page.evaluate(
        "['system-ui', 'sans-serif'].map(font => { const c = document.createElement('canvas').getContext('2d');"
        "c.font = `40px ${font}`; return c.measureText('Hamburgefonstiv 123 \u0645\u062c\u0645').width; })"
    )
    return {"browser": page.context.browser.version, "widths": widths}


def shown(page, kind):
    """Give what a picture shows: the first screen, or the part that can be played with."""
    return page.locator(".what-if") if kind == "what-if" else page


@pytest.mark.parametrize("kind", ["clear", "dark", "phone", "close", "no-policy", "long", "arabic", "what-if"])
def test_cards_look_as_they_did(look, cards, kind, tmp_path):
    html, viewport, scheme = cards[kind]
    page = look(html, viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    if RENEWS:
        PICTURES.mkdir(exist_ok=True)
        shown(page, kind).screenshot(path=PICTURES / f"{kind}.png")
        MADE_WITH.write_text(json.dumps(made_with(page), indent=1) + "\n", encoding="utf-8")
        pytest.skip("the picture was renewed; look at it")
    if json.loads(MADE_WITH.read_text(encoding="utf-8")) != made_with(page):
        pytest.skip("the pictures were taken with another browser or other fonts")
    shown(page, kind).screenshot(path=tmp_path / "now.png")
    now, then = imread(tmp_path / "now.png")[..., :3], imread(PICTURES / f"{kind}.png")[..., :3]
    assert now.shape == then.shape
    differing = (np.abs(now - then) > 0.1).any(axis=2).mean()
    assert differing < 0.002
