"""The main reason is said to be one only where nothing counts as much, named or not."""

import numpy as np
import pytest

import xseg
from conftest import mixed_table
from xseg.i18n import LOCALES, load_language

KINDS = {
    "tree": xseg.TreeSegmenter(4, max_leaves=7, random_state=0),
    "gower": xseg.PrototypeSegmenter(4, metric="gower", random_state=0),
    "squared": xseg.PrototypeSegmenter(4, metric="squared", random_state=0),
    "mixture": xseg.MixtureSegmenter(3, random_state=0),
}
HIDDEN = [("spend",), ("spend", "orders"), ("balance", "channel", "newsletter"), ()]


@pytest.fixture(scope="module", params=KINDS)
def fitted_kind(request):
    table = mixed_table(500, 3)
    return table, KINDS[request.param].fit(table)


@pytest.mark.slow
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("tone", ["plain", "formal"])
def test_a_main_reason_counts_more_than_every_other_contribution(fitted_kind, hidden, tone):
    table, segmenter = fitted_kind
    rows = mixed_table(160, 11)
    policy = {"features": {name: {"sensitive": True} for name in hidden}}
    cards = list(xseg.make_cards(segmenter, rows, policy=policy, tone=tone))
    # Contributions are worked out anew, against everybody, hidden features included.
    values = exact_contributions(segmenter, rows)
    sentence = load_language("en", tone).say("reason.main")
    n_said = 0
    for card, own in zip(cards, values, strict=True):
        if sentence in card.text():
            n_said += 1
            first = card.reasons[0]
            j = table.columns.get_loc(first.feature)
            assert own[j] == pytest.approx(first.contribution, abs=1e-9)
            assert own[j] > np.abs(np.delete(own, j)).max()
            assert own[j] >= 0.5 * (card.total_value - card.base_value) - 1e-9
    if not hidden:
        assert n_said


def exact_contributions(segmenter, rows):
    if hasattr(segmenter.model_, "boxes"):
        return xseg.explain(segmenter, rows).values
    return xseg.contrast(segmenter, rows).values


@pytest.mark.slow
@pytest.mark.parametrize("locale", LOCALES)
def test_no_language_calls_a_reason_the_main_one_when_a_hidden_one_counts_more(fitted_kind, locale):
    table, segmenter = fitted_kind
    rows = mixed_table(120, 12)
    policy = {"features": {"spend": {"shown": False}, "orders": {"shown": False}}}
    hidden = [table.columns.get_loc(name) for name in ("spend", "orders")]
    values = exact_contributions(segmenter, rows)
    for tone in ("plain", "formal"):
        sentence = load_language(locale, tone).say("reason.main")
        for card, own in zip(
            xseg.make_cards(segmenter, rows, policy=policy, locale=locale, tone=tone), values, strict=True
        ):
            if card.reasons and np.abs(own[hidden]).max() >= abs(card.reasons[0].contribution):
                assert sentence not in card.text()
                assert sentence not in card.html()
