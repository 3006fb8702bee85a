"""Pages in a real browser: accessible, quiet, robust, and doing what is clicked."""

import re
from datetime import UTC, datetime

import pytest

import xseg
from xseg.cards._wording import build_card_words

pytestmark = pytest.mark.browser

NOW = datetime(2026, 11, 24, tzinfo=UTC)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LONG = "a name that somebody made so long that it hardly fits on any line of any telephone"


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(1_500, random_state=0)
    return customers, xseg.TreeSegmenter(5, max_leaves=8, random_state=0).fit(customers)


@pytest.fixture(scope="module")
def pages(shop):
    customers, segmenter = shop
    policy = xseg.datasets.customers_policy()
    cards = xseg.make_cards(segmenter, customers, policy=policy, ids=list(customers.index), at=NOW)
    close = next(card for card in cards if card.certainty.close)
    against = next(card for card in cards if any(reason.points < 0 for reason in card.reasons))
    long = {"features": {name: {"label": f"{LONG}, {name}"} for name in customers.columns}}
    return {
        "plain": cards[0].html(),
        "close": close.html(),
        "against": against.html(),
        "unfolded": cards[0].html().replace("<details>", "<details open>"),
        "no policy": xseg.make_cards(segmenter, customers, at=NOW)[0].html(),
        "long": xseg.make_cards(segmenter, customers, policy=long, at=NOW)[0].html(),
        "arabic": xseg.make_cards(segmenter, customers, policy=policy, at=NOW, locale="ar")[0].html(),
        "what if": cards[0].html(interactive=True),
        "report": xseg.make_report(segmenter, policy=policy).html(),
        "segment": xseg.segment_card(segmenter, customers, segment=0, policy=policy).html(),
    }


KINDS = ["plain", "close", "against", "unfolded", "no policy", "long", "arabic", "what if", "report", "segment"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing_and_nothing_goes_wrong(look, pages, kind, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe
    page = look(pages[kind], color_scheme=scheme, bypass_csp=True)
    found = axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found] == []
    assert page.faults == []


@pytest.mark.parametrize("kind", KINDS)
def test_phones_and_large_text_need_no_scrolling_sideways(look, pages, kind):
    for width, zoom in ((320, 1), (640, 2)):
        page = look(pages[kind], viewport={"width": width, "height": 800})
        page.evaluate("zoom => document.documentElement.style.zoom = zoom", zoom)
        wide = page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")
        assert wide <= 1
        assert page.faults == []


@pytest.mark.parametrize("kind", ["plain", "arabic", "what if", "long"])
def test_everything_can_be_reached_and_hit(look, pages, kind):
    page = look(pages[kind], viewport={"width": 360, "height": 800})
    controls = page.locator("a[href], summary, button, input, select").all()
    visible = [control for control in controls if control.is_visible()]
    assert visible
    for control in visible:
        box = control.bounding_box()
        assert box["width"] >= 24
        assert box["height"] >= 24 - 0.5
    reached = set()
    for _ in range(len(visible) + 2):
        page.keyboard.press("Tab")
        place = page.evaluate(
            "(() => { const all = [...document.querySelectorAll('a[href], summary, button, input, select')];"
            "const at = all.indexOf(document.activeElement); const style = getComputedStyle(document.activeElement);"
            "return [at, style.outlineStyle, parseFloat(style.outlineWidth)]; })()"
        )
        if place[0] >= 0:
            reached.add(place[0])
            assert place[1] != "none"
            assert place[2] >= 1
    assert len(reached) == len(visible)


def test_all_choices_weigh_the_same(look, pages):
    page = look(pages["plain"])
    styles = page.eval_on_selector_all(
        ".choices a",
        "links => links.map(link => { const s = getComputedStyle(link);"
        "return [s.fontSize, s.fontWeight, s.color, s.backgroundColor, s.borderTopWidth, link.offsetHeight].join(); })",
    )
    assert len(styles) == 3
    assert len(set(styles)) == 1


def test_the_page_around_a_card_cannot_break_it_nor_it_the_page(look, shop):
    customers, segmenter = shop
    card = xseg.make_cards(segmenter, customers, policy=xseg.datasets.customers_policy(), at=NOW)[0]
    rude = (
        "<style>* { letter-spacing: 3px } h1 { font-size: 90px; color: red } ol { padding: 90px }"
        "li { list-style: square; margin: 40px } p { text-transform: uppercase }</style>"
    )
    around = "<h1 class='mine'>A page</h1><p class='mine'>Text</p>"
    bare = look(f"<!doctype html>{rude}{around}")
    page = look(f"<!doctype html>{rude}{around}{card._repr_html_()}")

    def style_of(window, selector):
        return window.eval_on_selector(
            selector,
            "e => { const s = getComputedStyle(e);"
            "return [s.fontSize, s.color, s.textTransform, s.margin, s.fontFamily]; }",
        )

    for selector in ("h1.mine", "p.mine"):
        assert style_of(page, selector) == style_of(bare, selector)
    size, colour, *_ = style_of(page, ".xseg-card h1")
    assert float(size.removesuffix("px")) < 40
    assert colour != "rgb(255, 0, 0)"
    assert style_of(page, ".xseg-card p")[2] == "none"
    alone = look(f"<!doctype html>{card._repr_html_()}")
    for window in (page, alone):
        window.height = window.eval_on_selector(".xseg-card", "e => e.offsetHeight")
    assert abs(page.height - alone.height) < 0.15 * alone.height


def test_every_rule_of_the_style_is_about_cards_only(pages):
    style = re.search(r"<style>(.*?)</style>", pages["plain"], re.S)[1]
    style = re.sub(r"@page[^{]*\{[^{}]*\}", "", style)
    bare = re.sub(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)\s*\}", r"\1", style)
    selectors = [one.strip() for part in re.findall(r"([^{}]+)\{", bare) for one in re.split(r",(?![^(]*\))", part)]
    assert selectors
    assert all(one.startswith((".xseg", "html", "body")) for one in selectors)
    assert not any(one.startswith(("html", "body")) for one in selectors[: selectors.index("html")])


def test_what_if_answers_clicks_as_the_model_does(look, shop):
    customers, segmenter = shop
    policy = xseg.datasets.customers_policy()
    cards = xseg.make_cards(segmenter, customers, policy=policy, at=NOW)
    moved = 0
    for row in range(6):
        page = look(cards[row].html(interactive=True))
        answer = page.locator(".what-if [role=status] .made")
        assert cards[row].segment.name in answer.inner_text()
        for label, value in (("Orders in the last 90 days", 9), ("What you spent in the last year", 900.5)):
            if not page.get_by_label(label, exact=True).count():
                continue
            page.get_by_label(label, exact=True).fill(str(value))
            name = "orders_90d" if value == 9 else "spend_year"
            changed = customers.iloc[[row]].copy()
            changed[name] = value
            expected = xseg.make_cards(segmenter, changed, policy=policy, at=NOW)[0]
            assert expected.segment.name in answer.inner_text()
            shown = page.locator(".what-if .points li").all_inner_texts()
            words = build_card_words(expected)
            for line, reason in zip(shown, words.reasons, strict=True):
                assert reason.label in line
                assert reason.points_words in line
            moved += expected.segment.index != cards[row].segment.index
            page.get_by_role("button", name="Back to my own values").click()
            assert cards[row].segment.name in answer.inner_text()
        page.locator(".what-if .off input").first.check()
        assert page.locator(".what-if [role=status]").inner_text()
        assert page.faults == []
    assert moved


def test_without_scripts_the_interactive_card_is_the_plain_one(look, pages):
    page = look(pages["what if"], java_script_enabled=False)
    assert not page.locator(".what-if").is_visible()
    assert page.locator("h1").is_visible()


def test_print_shows_addresses_and_needs_no_unfolding(look, pages):
    page = look(pages["plain"])
    page.emulate_media(media="print")
    told = page.eval_on_selector(".choices a", "e => getComputedStyle(e, '::after').content")
    assert "attr(href)" in told or "https://" in told


def test_motion_is_reduced_where_it_is_asked_for(look, pages):
    for asked, moves in (("reduce", False), ("no-preference", True)):
        page = look(pages["plain"], reduced_motion=asked)
        duration = page.eval_on_selector("summary", "e => getComputedStyle(e, '::before').transitionDuration")
        assert (float(duration.split("s")[0]) > 0) == moves
