"""Cards as a person sees them: whole, legible and in order, in light and dark, on a phone and on a desktop.

What is checked holds with any browser and any fonts: nothing is cut off, nothing overlaps, and letters stand out from
what is behind them.
"""

from datetime import UTC, datetime

import pytest
from matplotlib.image import imread

import xseg

pytestmark = pytest.mark.browser

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
NAMES = ("Now and then", "Quiet for a while", "Loyal readers", "Collectors", "Sends much back")
PHONE, DESKTOP = {"width": 360, "height": 760}, {"width": 760, "height": 760}
KINDS = ("clear", "dark", "phone", "close", "no-policy", "long", "arabic", "what-if")

# Text that is wider or higher than the box it stands in, and blocks of text that lie over each other.
CUT_OFF = """() => [...document.querySelectorAll("body *")].filter(e =>
    // What only screen readers are told stands in boxes of one pixel.
    e.innerText && e.clientWidth > 1 && getComputedStyle(e).overflow !== "visible"
    && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)
).map(e => e.outerHTML.slice(0, 120))"""
OVERLAPS = """() => {
    const blocks = [...document.querySelectorAll("h1, h2, h3, p, li, dt, dd, button")]
        .filter(e => e.checkVisibility() && e.innerText.trim());
    const found = [];
    blocks.forEach((a, i) => blocks.slice(i + 1).forEach(b => {
        if (a.contains(b) || b.contains(a)) return;
        const p = a.getBoundingClientRect(), q = b.getBoundingClientRect();
        const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
        const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
        if (wide > 2 && high > 2) found.push(a.innerText.slice(0, 40) + " | " + b.innerText.slice(0, 40));
    }));
    return found;
}"""


@pytest.fixture(scope="module")
def cards():
    customers = xseg.make_customers(1_500, random_state=0)
    segmenter = xseg.TreeSegmenter(5, max_leaves=8, segment_names=NAMES, random_state=0).fit(customers)
    policy = xseg.datasets.customers_policy()
    told = xseg.make_cards(segmenter, customers, policy=policy, ids=list(customers.index), at=NOW)
    long = {name: {"label": f"a label that is long enough to need more than a line, {name}"} for name in customers}
    arabic = xseg.make_cards(segmenter, customers, policy=policy, at=NOW, locale="ar")[0]
    return {
        "clear": (told[0].html(), DESKTOP, "light"),
        "dark": (told[0].html(), DESKTOP, "dark"),
        "phone": (told[0].html(), PHONE, "light"),
        "close": (next(card for card in told if card.certainty.close).html(), PHONE, "light"),
        "no-policy": (xseg.make_cards(segmenter, customers, at=NOW)[0].html(), PHONE, "light"),
        "long": (xseg.make_cards(segmenter, customers, policy={"features": long}, at=NOW)[0].html(), PHONE, "light"),
        "arabic": (arabic.html(), PHONE, "light"),
        "what-if": (told[0].html(interactive=True), DESKTOP, "light"),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_off_or_overlaps(look, cards, kind):
    html, viewport, scheme = cards[kind]
    page = look(html, viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(OVERLAPS) == []
    assert page.faults == []


@pytest.mark.parametrize("kind", KINDS)
def test_letters_stand_out_from_what_is_behind_them(look, cards, kind, tmp_path):
    html, viewport, scheme = cards[kind]
    page = look(html, viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    page.screenshot(path=tmp_path / "card.png")
    lightness = imread(tmp_path / "card.png")[..., :3].mean(axis=2)
    background = float(sorted(lightness.ravel())[lightness.size // 2])
    assert (background < 0.3) if scheme == "dark" else (background > 0.8)
    apart = abs(lightness - background) > 0.4
    # Some letters, and far more of what is behind them.
    assert 0.005 < apart.mean() < 0.4
