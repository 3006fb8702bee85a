"""One page about one segment says what is so of its people."""

import numpy as np
import pytest

import xseg
from xseg.cards import name_groups
from xseg.exceptions import DataError, NotFittedError
from xseg.metrics import stability

KINDS = {
    "tree": xseg.TreeSegmenter(4, max_leaves=6, random_state=0),
    "prototypes": xseg.PrototypeSegmenter(4, random_state=0),
    "mixture": xseg.MixtureSegmenter(4, random_state=0),
}


@pytest.fixture(scope="module")
def customers():
    return xseg.make_customers(800, random_state=0)


@pytest.fixture(scope="module", params=KINDS)
def segmenter(request, customers):
    return KINDS[request.param].fit(customers)


def test_drivers_are_the_mean_sizes_of_exact_contributions(segmenter, customers):
    values = np.abs(xseg.explain(segmenter, customers).values)
    for index in range(segmenter.n_segments_):
        card = xseg.segment_card(segmenter, customers, segment=index)
        mean = values[segmenter.labels_ == index].mean(axis=0)
        expected = dict(zip(customers.columns, mean / mean.sum(), strict=True))
        assert sum(driver.share for driver in card.drivers) == pytest.approx(1)
        for driver in card.drivers:
            if driver.label != "everything else":
                assert driver.share == pytest.approx(expected[driver.label])


def test_neighbours_are_other_groups_and_close_calls_are_those_of_the_cards(segmenter, customers):
    index = 1
    card = xseg.segment_card(segmenter, customers, segment=index)
    mine = customers[segmenter.labels_ == index]
    cards = list(xseg.make_cards(segmenter, mine))
    names = [one.alternative.segment for one in cards]
    for neighbour in card.neighbours:
        assert neighbour.name != segmenter.segment_names_[index]
        shown = name_groups(segmenter)[segmenter.segment_names_.index(neighbour.name)]
        assert neighbour.share == pytest.approx(names.count(shown) / len(names))
    assert card.close == pytest.approx(np.mean([one.certainty.close for one in cards]), abs=0.02)


@pytest.mark.slow
def test_every_form_says_what_the_policy_says(segmenter, customers, tmp_path):
    name = segmenter.segment_names_[0]
    told = {"sentence": "You read <a lot>.", "consequence": "You see new books.", "speak": "Warmly & briefly."}
    policy = {"segments": {name: told}, "minimum_group_size": 100_000}
    again = stability(segmenter, customers, n_resamples=2, random_state=0)
    card = xseg.segment_card(segmenter, customers, segment=name, policy=policy, stability=again)
    for text in told.values():
        assert text in card.text()
    assert "<a lot>" not in card.html()
    assert "<script" not in card.html()
    assert f"{again.segments[0].jaccard:.0%} of it comes back" in card.text()
    assert "LOOK It has" in card.text()
    card.save(tmp_path / "card.html")
    assert (tmp_path / "card.html").read_text() == card.html()
    assert "xseg-report" in card._repr_html_()
    with pytest.raises(xseg.XsegError, match="cannot write"):
        card.save(tmp_path / "nowhere" / "card.html")


def test_without_people_nothing_is_said_of_them(segmenter):
    card = xseg.segment_card(segmenter, segment=0)
    assert card.drivers == card.neighbours == ()
    assert card.close is None
    assert "What puts people here" not in card.html()


def test_what_is_not_there_is_refused(segmenter, customers):
    with pytest.raises(DataError):
        xseg.segment_card(segmenter, customers, segment="nobody")
    with pytest.raises(DataError, match="nobody in the table"):
        xseg.segment_card(segmenter, customers[segmenter.labels_ == 1], segment=0)
    with pytest.raises(NotFittedError):
        xseg.segment_card(xseg.TreeSegmenter(), segment=0)
