"""Reasons show the rule that they meet, nothing beside them contradicts it, and no card is surer than its model."""

import numpy as np
import pandas as pd
import pytest

import xseg
from xseg.cards._sentences import CardWords
from xseg.cards._wording import build_card_words
from xseg.datasets import customers_policy

LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt-BR", "pl", "ja", "ar")
MODELS = {
    "tree": xseg.TreeSegmenter(5, random_state=0),
    "many leaves": xseg.TreeSegmenter(4, max_leaves=9, random_state=0),
    "prototypes": xseg.PrototypeSegmenter(4, random_state=0),
    "mixture": xseg.MixtureSegmenter(4, random_state=0),
}


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return xseg.make_customers(1_500, random_state=0)


@pytest.fixture(scope="module")
def cards(customers: pd.DataFrame) -> dict[str, list[xseg.cards.Card]]:
    return {
        name: list(xseg.make_cards(model.fit(customers), customers.head(300), policy=customers_policy()))
        for name, model in MODELS.items()
    }


def shown_reasons(card: xseg.cards.Card):
    words: CardWords = build_card_words(card)
    return zip(card.reasons[: words.shown], words.reasons[: words.shown], strict=True)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("locale", LANGUAGES)
def test_nearly_every_reason_shows_what_the_group_asks(customers, cards, name, locale):
    seen = []
    for row in range(0, 300, 10):
        card = cards[name][row].model_copy(update={"locale": locale})
        card._languages = None
        for fact, words in shown_reasons(card):
            limits = fact.limits or fact.typical
            if fact.value is not None and limits is not None:
                rules = [s for rank, s in words.ranked if rank == 0]
                seen.append(bool(rules) and all(rule in words.sentences for rule in rules))
    assert seen
    assert np.mean(seen) >= 0.98


@pytest.mark.parametrize("name", MODELS)
def test_no_comparison_contradicts_the_rule_beside_it(cards, name):
    for card in cards[name]:
        for fact, words in shown_reasons(card):
            limits = fact.limits or fact.typical
            said = " ".join(words.sentences)
            if limits is not None and limits.lower is None and limits.upper is not None:
                assert "Higher than" not in said
            if limits is not None and limits.upper is None and limits.lower is not None:
                assert "Lower than" not in said


@pytest.mark.parametrize("name", MODELS)
def test_clear_is_never_said_where_something_unknown_counts_or_one_unit_would_do(customers, cards, name):
    for card in cards[name]:
        sure = " ".join(build_card_words(card).sure)
        assert not ("Clear" in sure and card.unknown_matters)
        for asking in (card.alternative, card.counterfactual):
            if asking is None or len(asking.requirements) != 1 or not asking.requirements[0].integral:
                continue
            [asked], [own] = asking.requirements, asking.own
            if not isinstance(own, float | int) or isinstance(own, bool):
                continue
            lower, upper = asked.limits.lower, asked.limits.upper
            steps = max(0 if lower is None else lower - own, 0 if upper is None else own - (upper - 1))
            assert card.certainty.close or steps > 1


@pytest.mark.parametrize("name", ["tree", "many leaves"])
def test_doing_what_the_sentence_on_another_group_says_moves_the_person(customers, cards, name):
    model, names = MODELS[name], xseg.cards.name_groups(MODELS[name], policy=customers_policy())
    moved = 0
    for row, card in enumerate(cards[name][:150]):
        other = card.alternative
        if other is None or other.hidden or not other.requirements:
            continue
        changed = customers.iloc[[row]].copy()
        for asked, own in zip(other.requirements, other.own, strict=True):
            before = changed[asked.feature].iloc[0]
            assert (own is None and pd.isna(before)) or own == before
            changed[asked.feature] = changed[asked.feature].astype(object)
            changed.loc[changed.index[0], asked.feature] = meet(asked, before)
        changed = changed.astype({name: kind for name, kind in customers.dtypes.items() if kind.kind == "f"})
        changed = changed.infer_objects()
        assert other.segment == names[int(model.predict(changed)[0])]
        moved += 1
    assert moved > 100


def meet(asked, before):
    """Return the value nearest to the present one that meets what is asked."""
    limits = asked.limits
    if limits.categories is not None:
        return limits.categories[0]
    if isinstance(before, bool | np.bool_):
        return not before
    if limits.lower is not None and not before >= limits.lower:
        return limits.lower
    below = float(np.nextafter(limits.upper, -np.inf))
    return np.ceil(limits.upper) - 1 if asked.integral else below


@pytest.mark.parametrize("name", MODELS)
def test_scales_show_where_the_person_and_the_rule_are(cards, name):
    scales = 0
    for card in cards[name]:
        for fact, words in shown_reasons(card):
            scale, limits = words.scale, fact.limits or fact.typical
            if scale is None:
                continue
            scales += 1
            assert 0 <= scale.start <= scale.stop <= 100
            assert 0 <= scale.own <= 100
            if fact.limits is not None and fact.contribution > 0:
                assert scale.start <= scale.own <= scale.stop
            assert words.value in scale.text
            assert (limits.upper is None) == (scale.stop == 100) or limits.upper >= fact.scale.last
    assert scales > 100


def test_scales_do_not_tell_one_persons_value():
    table = pd.DataFrame({"spend": np.r_[np.arange(900.0), 5_000], "visits": np.r_[np.arange(900) % 7, 3]})
    model = xseg.TreeSegmenter(3, random_state=0).fit(table)
    cards = list(xseg.make_cards(model, table.head(50)))
    assert any(fact.scale is not None for card in cards for fact in card.reasons)
    for card in cards:
        assert all(fact.scale is None or fact.scale.last < 1_000 for fact in card.reasons)


def test_three_choices_stand_at_the_front_and_the_others_behind(cards):
    words = build_card_words(cards["tree"][0])
    assert [choice.right for choice in words.front] == ["correct", "object", "person"]
    assert {*words.front, *words.behind} == {*words.choices}
    page = cards["tree"][0].html()
    assert page.index("All your rights") > max(page.index(choice.url) for choice in words.front)
    assert all(choice.url in page for choice in words.choices)
