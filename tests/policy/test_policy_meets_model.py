"""A policy that describes what a model does not have is found wherever the two meet."""

import warnings

import pytest
from typer.testing import CliRunner

import xseg
from xseg.cards import make_decided_card, make_gated_cards, write_cards
from xseg.cli import app
from xseg.exceptions import DefinitionError, UnknownSegmentsWarning
from xseg.governance.consent import ConsentGate, Ledger
from xseg.policy import Policy

NAMES = ["Regular readers", "Newcomers", "Collectors"]


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(300, random_state=0)
    return customers, xseg.TreeSegmenter(3, segment_names=NAMES, random_state=0).fit(customers)


def make_gate(customers, segmenter, policy):
    ledger = Ledger()
    for customer in range(300):
        ledger.append(customer, "offers", "given", source="account")
    gate = ConsentGate(segmenter, ledger, purpose="offers").fit(customers, ids=range(300))
    make_gated_cards(gate, customers, ids=range(300), policy=policy)


PLACES = {
    "make_cards": lambda customers, segmenter, policy, _: xseg.make_cards(segmenter, customers, policy=policy),
    "write_cards": lambda customers, segmenter, policy, folder: write_cards(
        segmenter, customers.head(2), folder=folder / "cards", ids=[1, 2], policy=policy
    ),
    "make_decided_card": lambda _, segmenter, policy, __: make_decided_card(segmenter, "objected", policy=policy),
    "gated cards": lambda customers, segmenter, policy, _: make_gate(customers, segmenter, policy),
    "segment_card": lambda _, segmenter, policy, __: xseg.segment_card(segmenter, segment=0, policy=policy),
    "make_report": lambda _, segmenter, policy, __: xseg.make_report(segmenter, policy=policy),
}


@pytest.mark.parametrize("place", PLACES)
def test_segments_and_features_that_the_model_lacks_are_named_with_the_nearest(place, shop, tmp_path):
    customers, segmenter = shop
    wrong = Policy(segments={"Regular raeders": {"sentence": "You buy often."}})
    with pytest.warns(UnknownSegmentsWarning, match=r"no segment 'Regular raeders'\. Did you mean 'Regular readers'"):
        PLACES[place](customers, segmenter, wrong, tmp_path)
    with pytest.raises(DefinitionError, match=r"no column 'spend_yaer'\. Did you mean 'spend_year'"):
        PLACES[place](customers, segmenter, Policy(features={"spend_yaer": {}}), tmp_path)


def test_segments_of_a_translation_count_too(shop):
    customers, segmenter = shop
    translated = Policy(translations={"de": {"segments": {"Collector": {"shown_name": "Sammler"}}}})
    with pytest.warns(UnknownSegmentsWarning, match="Did you mean 'Collectors'"):
        xseg.make_cards(segmenter, customers, policy=translated)


@pytest.mark.parametrize("place", PLACES)
def test_a_policy_of_some_segments_of_the_model_is_no_matter(place, shop, tmp_path):
    customers, segmenter = shop
    right = Policy(segments={"Collectors": {"sentence": "You spend more."}}, features={"spend_year": {}})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PLACES[place](customers, segmenter, right, tmp_path)


def test_of_many_unknown_names_only_the_first_are_listed(shop):
    customers, segmenter = shop
    many = Policy(features={f"column_{number}": {} for number in range(60_000)})
    with pytest.raises(DefinitionError, match="and 59,980 more"):
        xseg.make_cards(segmenter, customers, policy=many)


def test_the_command_line_says_so_too(shop, tmp_path):
    customers, segmenter = shop
    xseg.save(segmenter, tmp_path / "model.json")
    customers.to_csv(tmp_path / "customers.csv")
    policy = tmp_path / "policy.yaml"
    policy.write_text("features:\n  spend_yaer: {}\n")
    given = [str(path) for path in (tmp_path / "model.json", tmp_path / "customers.csv", "--policy", policy)]
    out = ["--id-column", "customer_id", "--out", str(tmp_path / "out")]
    for command in (["explain", *given], ["cards", *given, *out]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code != 0
        assert "Did you mean 'spend_year'" in " ".join((result.output + str(result.exception)).split())
