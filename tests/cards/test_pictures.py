"""Pictures, documents and e-mail hold the same sentences, and need nothing from outside."""

import re
from datetime import UTC, datetime

import numpy as np
import pytest
from matplotlib.image import imread

import xseg
from xseg.cards._wording import build_card_words
from xseg.exceptions import ParameterError

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(800, random_state=0)
    return customers, xseg.TreeSegmenter(5, max_leaves=8, random_state=0).fit(customers)


def card_in(shop, locale="en", row=0):
    customers, segmenter = shop
    return xseg.make_cards(segmenter, customers, policy=xseg.datasets.customers_policy(), at=NOW, locale=locale)[row]


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["en", "de", "pl"])
def test_pictures_are_the_same_each_time_and_nothing_is_drawn_outside(shop, locale, tmp_path):
    card = card_in(shop, locale)
    assert card.svg() == card.svg()
    (tmp_path / "card.png").write_bytes(card.png())
    image = imread(tmp_path / "card.png")[:, :, :3]
    assert image.shape[1] == 1280
    for edge in (image[:40], image[-40:], image[:, :40], image[:, -40:]):
        assert (edge == 1).all()
    inked = np.flatnonzero((image < 0.9).any(axis=(1, 2)))
    assert inked[0] < 140
    assert inked[-1] > len(image) - 140
    assert image.shape[0] > 1200


@pytest.mark.slow
def test_longer_words_make_a_longer_picture_and_are_never_cut(shop):
    customers, segmenter = shop
    label = "w" * 300
    policy = {"features": {name: {"label": label} for name in customers.columns}}
    long = xseg.make_cards(segmenter, customers, policy=policy, at=NOW)[0]
    short = xseg.make_cards(segmenter, customers, at=NOW)[0]
    heights = [float(re.search(rb'height="([\d.]+)pt"', card.svg())[1]) for card in (short, long)]
    assert heights[1] > heights[0] + 100


def test_scripts_that_cannot_be_drawn_are_refused_with_a_way_out(shop):
    with pytest.raises(ParameterError, match="use html"):
        card_in(shop, "ar").png()


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["en", "ar", "ja"])
def test_documents_are_set_in_every_script(shop, locale):
    assert card_in(shop, locale).pdf().startswith(b"%PDF-")


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["en", "ar"])
def test_e_mail_has_every_sentence_and_nothing_that_mail_programs_drop(shop, locale):
    from html import unescape

    for row in range(20):
        card = card_in(shop, locale, row)
        html = card.email()
        assert not re.search(r"<(style|script|link|img|svg|details|form)\b", html)
        assert "class=" not in html
        assert html.count("<table") == html.count('<table role="presentation"')
        seen = " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
        words = build_card_words(card)
        told = [*words.body(), *words.effect, *words.sum, *words.about, *words.rights_sentences, *words.closing]
        told += [sentence for reason in words.reasons for sentence in (reason.points_words, *reason.more)]
        for sentence in told:
            assert " ".join(sentence.split()) in seen
