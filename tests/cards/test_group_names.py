"""What customers read as the name of their group was written by a person, or is a letter; no column names it."""

import re
import warnings

import numpy as np
import pytest
from sklearn.cluster import KMeans

import xseg
from xseg.cards import lint_words, name_groups, write_cards
from xseg.cards._wording import MAX_WORDS, build_card_words
from xseg.exceptions import DefinitionError, UnnamedSegmentsWarning
from xseg.governance.rights import Profile, make_entry_link, make_profile_app
from xseg.i18n import LOCALES
from xseg.policy import Policy

KINDS = {
    "tree": lambda: xseg.TreeSegmenter(4, random_state=0),
    "many leaves": lambda: xseg.TreeSegmenter(3, max_leaves=7, random_state=0),
    "prototypes": lambda: xseg.PrototypeSegmenter(4, random_state=0),
    "mixture": lambda: xseg.MixtureSegmenter(3, random_state=0),
    "outcome": lambda: xseg.OutcomeSegmenter(max_segments=3, random_state=0),
    "stand-in": lambda: xseg.SurrogateSegmenter(KMeans(3, n_init=2, random_state=0)),
}
NUMBERS = ["orders_90d", "spend_year", "recency_days", "basket_mean", "tenure_months"]


def fit(kind, table):
    outcome = table.iloc[:, 1] + table.iloc[:, 0]
    return KINDS[kind]().fit(table, *([outcome] if kind == "outcome" else []))


@pytest.fixture(scope="module")
def customers():
    return xseg.make_customers(1_200, random_state=0)


@pytest.fixture(scope="module")
def numbers(customers):
    return customers[NUMBERS].fillna(0.0)


@pytest.fixture(scope="module")
def tree(customers):
    return fit("tree", customers)


def restrict(policy, names):
    """Return a policy for a table that has some columns only."""
    return policy.model_copy(update={"features": {name: policy.features[name] for name in names}, "translations": {}})


def without_traits(policy):
    features = {name: said.model_copy(update={"traits": None}) for name, said in policy.features.items()}
    return policy.model_copy(update={"features": features, "translations": {}})


def words_of(card):
    """Return everything that a card says except for the closing, which names the model."""
    words = build_card_words(card)
    return words.body(), words.sum, words.used, words.about, words.effect, words.reasons


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_columns_change_no_word_of_a_card(kind, numbers):
    rng = np.random.default_rng(0)
    tokens = dict(zip(NUMBERS, ("".join(rng.choice(list("bcdfghjk"), 9)) for _ in NUMBERS), strict=True))
    policy = restrict(xseg.datasets.customers_policy(), NUMBERS)
    renamed_policy = policy.model_copy(update={"features": {tokens[name]: policy.features[name] for name in NUMBERS}})
    other = numbers.rename(columns=tokens)
    cards = xseg.make_cards(fit(kind, numbers), numbers.head(60), policy=policy)
    renamed = xseg.make_cards(fit(kind, other), other.head(60), policy=renamed_policy)
    for one, another in zip(cards, renamed, strict=True):
        assert words_of(one) == words_of(another)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("locale", LOCALES)
def test_no_headline_has_a_column_name(kind, locale, numbers):
    segmenter = fit(kind, numbers)
    for card in xseg.make_cards(segmenter, numbers.head(20), locale=locale):
        title = build_card_words(card).title
        assert not any(re.search(re.escape(word), title, re.IGNORECASE) for name in NUMBERS for word in name.split("_"))
        assert not any(name in title for name in segmenter.segment_names_)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["tree", "many leaves", "outcome"])
def test_what_a_name_says_is_true_of_every_member(kind, seed):
    customers = xseg.make_customers(900, random_state=seed)
    policy = xseg.datasets.customers_policy()
    segmenter = fit(kind, customers)
    said = 0
    for index, name in enumerate(name_groups(segmenter, policy=policy)):
        members = customers[segmenter.labels_ == index]
        for column, feature in policy.features.items():
            for way, words in feature.traits or ():
                if words in name[0].lower() + name[1:]:
                    said += 1
                    assert members[column].notna().all()
                    others = customers.loc[segmenter.labels_ != index, column]
                    # One cut is between all members and some others.
                    if way == "high":
                        assert members[column].min() > others.min()
                    else:
                        assert members[column].max() < others.max()
    assert said


def test_the_policy_comes_first_then_given_names_then_traits_then_letters(customers, tree):
    policy = xseg.datasets.customers_policy()
    composed = name_groups(tree, policy=policy)
    assert len(set(composed)) == 4
    assert not any(name.startswith("Group ") for name in composed)
    bare = without_traits(policy)
    assert name_groups(tree, policy=bare) == ("Group A", "Group B", "Group C", "Group D")
    assert name_groups(tree, policy=bare, locale="de")[0] == "Gruppe A"
    named = xseg.TreeSegmenter(4, segment_names=["P", "Q", "R", "S"], random_state=0).fit(customers)
    assert name_groups(named, policy=policy) == ("P", "Q", "R", "S")
    stated = {"Q": {"shown_name": "Quick"}, "2": {"shown_name": "Regular"}, "S": {"name_shown": False}}
    assert name_groups(named, policy={"segments": stated}) == ("P", "Quick", "Regular", "Group D")


def test_an_entry_for_the_name_wins_over_one_for_the_index():
    policy = Policy(segments={"0": {"shown_name": "First", "sentence": "You are first."}, "A": {"shown_name": "Best"}})
    assert policy.segment(0, "A").shown_name == "Best"
    assert policy.segment(0, "A").sentence == "You are first."
    policy.check_segments(["A", "B"])


def test_entries_by_index_follow_segments_over_a_refit(customers, tree):
    later = xseg.TreeSegmenter(4, random_state=1).fit(customers.sample(900, random_state=0), align_to=tree)
    policy = {"segments": {str(index): {"shown_name": f"Group of {index}"} for index in range(4)}}
    moved = [name_groups(later, policy=policy)[index] for index in later.predict(customers)]
    stayed = [name_groups(tree, policy=policy)[index] for index in tree.predict(customers)]
    assert np.mean([one == other for one, other in zip(moved, stayed, strict=True)]) > 0.8


def test_traits_of_hidden_features_and_of_small_groups_name_nothing(tree):
    policy = xseg.datasets.customers_policy()
    for update in ({"sensitive": True}, {"shown": False}):
        features = {name: said.model_copy(update=update) for name, said in policy.features.items()}
        hidden = policy.model_copy(update={"features": features})
        assert name_groups(tree, policy=hidden)[0] == "Group A"
    assert name_groups(tree, policy=policy.model_copy(update={"minimum_group_size": 10_000}))[0] == "Group A"


def test_traits_are_checked_and_translated(customers, tree):
    bad = {"features": {"spend_year": {"traits": {"high": "diabetics who spend much"}}}}
    assert [found.where for found in lint_words(Policy.coerce(bad))] == ["features.spend_year.traits.high"]
    with pytest.raises(DefinitionError, match=r"traits\.high"):
        xseg.make_cards(tree, customers, policy=bad)
    with pytest.raises(DefinitionError, match="high"):
        Policy.parse("features: {spend_year: {traits: {hihg: big spenders}}}")
    german = name_groups(tree, policy=xseg.datasets.customers_policy(), locale="de")
    english = name_groups(tree, policy=xseg.datasets.customers_policy())
    assert not set(german) & set(english)


def test_letters_go_on_after_z():
    table = xseg.make_customers(4_000, random_state=0)
    rules = {f"r{k}": f"recency_days < {3 * k}" for k in range(1, 28)}
    segmenter = xseg.RuleSegmenter(rules).fit(table)
    policy = {"segments": {name: {"name_shown": False} for name in segmenter.segment_names_}}
    names = name_groups(segmenter, policy=policy)
    assert names[25:] == ("Group Z", "Group AA", "Group AB")


def test_cards_warn_once_of_segments_without_a_name(customers, tree, tmp_path):
    sentence = "Write segments.<name>.shown_name in the policy, or pass segment_names=."
    with pytest.warns(UnnamedSegmentsWarning) as caught:
        xseg.make_cards(tree, customers)
    assert [str(one.message) for one in caught] == [
        f"4 of 4 segments have no public name; cards call them Group A to D. {sentence}"
    ]
    one = {"segments": {"0": {"shown_name": "P"}, "1": {"name_shown": False}, "2": {"shown_name": "R"}}}
    with pytest.warns(UnnamedSegmentsWarning, match=r"1 of 4 segments has no public name; cards call it Group D\."):
        xseg.make_cards(tree, customers, policy=one)
    two = {"segments": {"1": {"shown_name": "Q"}, "3": {"shown_name": "S"}}}
    with pytest.warns(UnnamedSegmentsWarning, match="cards call them Group A and C") as caught:
        write_cards(tree, customers.head(3), folder=tmp_path / "cards", ids=[1, 2, 3], policy=two)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnnamedSegmentsWarning)
        cards = xseg.make_cards(tree, customers.head(1), policy=xseg.datasets.customers_policy())
        assert xseg.verify_card(tree, customers.head(1), card=cards[0], policy=xseg.datasets.customers_policy()).holds


def test_cards_say_by_the_rule_who_is_in_the_group(customers, tree):
    policy = xseg.datasets.customers_policy()
    for card in xseg.make_cards(tree, customers.head(80), policy=policy):
        asked = [condition.feature for condition in tree.segments_[card.segment.index].rules[0].conditions]
        assert [one.feature for one in card.segment.requirements] == asked
        words = build_card_words(card)
        [said] = [sentence for sentence in (*words.lead, *words.sum) if sentence.startswith("This group is for people")]
        assert all(policy.feature(name).label in said for name in asked)
        # Reasons are not left out for it.
        if said in words.lead:
            assert sum(len(sentence.split()) for sentence in words.body()) <= MAX_WORDS
            assert words.shown == len(words.reasons)


def test_a_rule_that_was_altered_is_found(customers, tree):
    policy = xseg.datasets.customers_policy()
    card = xseg.make_cards(tree, customers.head(1), policy=policy)[0]
    fewer = card.segment.model_copy(update={"requirements": card.segment.requirements[1:]})
    check = xseg.verify_card(tree, customers.head(1), card=card.model_copy(update={"segment": fewer}), policy=policy)
    assert [failure.fact for failure in check.failures] == ["segment.requirements"]


def test_the_rule_is_not_said_where_it_is_not_whole_or_the_policy_says_more(customers, tree):
    policy = xseg.datasets.customers_policy()
    asked = tree.segments_[0].rules[0].conditions[0].feature
    hidden = {**policy.features, asked: policy.features[asked].model_copy(update={"sensitive": True})}
    sentences = {str(index): {"sentence": "You buy books."} for index in range(4)}
    cases = [
        policy.model_copy(update={"features": hidden}),
        policy.model_copy(update={"minimum_group_size": 10_000}),
        policy.model_copy(update={"segments": Policy.coerce({"segments": sentences}).segments}),
    ]
    rows = customers[tree.labels_ == 0].head(3)
    for changed in cases:
        for card in xseg.make_cards(tree, rows, policy=changed):
            assert card.segment.requirements == ()
            assert "This group is for" not in card.text()
    for card in xseg.make_cards(fit("prototypes", customers), customers.head(3), policy=policy):
        assert card.segment.requirements == ()


def test_the_profile_page_offers_public_names(customers, tree):
    from starlette.testclient import TestClient

    policy = xseg.datasets.customers_policy()
    profile = Profile(tree, customers.head(1), policy=policy, ledger=_agreed(), subject="ann", purpose="offers")
    secret = "s" * 40
    client = TestClient(make_profile_app({"ann": profile}.get, secret=secret, https=False))
    client.get(make_entry_link("ann", secret))
    page = client.get("/").text
    for name, handle in zip(name_groups(tree, policy=policy), tree.segment_names_, strict=True):
        assert f">{name}</option>" in page
        assert handle not in page
    token = re.search(r'name="token" value="([^"]+)"', page).group(1)
    other = (int(tree.labels_[0]) + 1) % 4
    for chosen, status in (("9", 400), ("-1", 400), (tree.segment_names_[0], 400), (str(other), 200)):
        form = {"token": token, "action": "choose", "segment": chosen}
        assert client.post("/act", data=form).status_code == status
    assert profile.segment == tree.segment_names_[other]
    assert profile.card().segment.name == name_groups(tree, policy=policy)[other]


def _agreed():
    from xseg.governance.consent import Ledger

    ledger = Ledger()
    ledger.append("ann", "offers", "given", source="account")
    return ledger
