"""No path leads from people who have doubts about AI to a program, and the order of rows decides nothing."""

from datetime import UTC, date, datetime, timedelta
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

import xseg
from xseg.exceptions import ApprovalError, DataError, ParameterError
from xseg.governance.personas import persona_policy, persona_rules
from xseg.governance.personas._persona_survey import ARCHETYPES
from xseg.governance.routing import Certification, PeopleFacts, RoutingRules, Touchpoint
from xseg.governance.routing._routing import (
    NO_ROOM,
    NO_TOUCHPOINT,
    REASONS,
    TOO_OFTEN,
    Need,
    Person,
    allocate,
    find_need,
    reaches,
)

DAY = date(2026, 11, 24)
VALID = Certification("Ada Marsh", DAY - timedelta(30), DAY + timedelta(1))
EXPIRED = Certification("Ada Marsh", DAY - timedelta(30), DAY)
EARLY = Certification("Ada Marsh", DAY + timedelta(1), DAY + timedelta(30))
STATES = [
    Touchpoint(f"{automated}-{name}-{capacity}", "any", automated, capacity, certified)
    for automated, (name, certified), capacity in product(
        [True, False, None],
        {"none": None, "valid": VALID, "expired": EXPIRED, "early": EARLY}.items(),
        [None, 0, 1],
    )
]
PEOPLE = [Person(*facts) for facts in product(["open", "guarded", "unknown", "?"], *[[True, False, None]] * 5)]


def will_do(person, touchpoint):
    """The promise, written out once more from the brief and not from the code."""
    by_people = touchpoint.automated is False
    vouched_for = touchpoint.certified is VALID
    yes = person.permitted is True
    trouble = any(flag is not False for flag in (person.close, person.contested, person.disagrees, person.sensitive))
    if person.stance == "guarded":
        return by_people and vouched_for
    if person.stance != "open" and not yes:
        return by_people and vouched_for
    if person.stance != "open" or not yes or trouble:
        return by_people
    return True


def test_every_state_of_a_person_and_a_touchpoint():
    assert len(PEOPLE) * len(STATES) == 4 * 3**5 * 36
    for person in PEOPLE:
        need, reasons = find_need(person)
        assert set(reasons) <= set(REASONS)
        assert (need == Need.ANY) == (not reasons)
        for touchpoint in STATES:
            assert reaches(need, touchpoint, DAY) == will_do(person, touchpoint)


def test_no_path_leads_from_skeptics_and_avoiders_to_a_program_whatever_touchpoints_there_are():
    guarded = [person for person in PEOPLE if person.stance == "guarded"]
    unsure = [person for person in PEOPLE if person.stance not in {"open", "guarded"} and person.permitted is not True]
    needs = {find_need(person)[0] for person in (*guarded, *unsure)}
    assert needs == {Need.CERTIFIED}
    others = [Need.ANY, Need.HUMAN, Need.CERTIFIED]
    for n in (1, 2):
        for places in combinations(STATES, n):
            for company in others:
                for row in (0, 1):
                    wanted = [company, Need.CERTIFIED] if row else [Need.CERTIFIED, company]
                    given = allocate(wanted, ["a", "b"], [True, True], places, DAY, "")[row]
                    if isinstance(given, int):
                        assert places[given].automated is False
                        assert places[given].certified is VALID
                        assert places[given].capacity != 0


def test_more_doubt_never_opens_a_touchpoint():
    for person in PEOPLE:
        if person.stance != "open":
            continue
        for place, _ in enumerate(["permitted", "close", "contested", "disagrees", "sensitive"]):
            facts = [person.permitted, person.close, person.contested, person.disagrees, person.sensitive]
            good = place == 0
            if facts[place] is good:
                for doubt in (None, not good):
                    worse = [*facts[:place], doubt, *facts[place + 1 :]]
                    assert find_need(Person("open", *worse))[0] >= find_need(person)[0]


needs = st.lists(st.sampled_from(list(Need)), min_size=1, max_size=7)
sets = st.lists(st.sampled_from(STATES), min_size=1, max_size=4, unique_by=lambda place: place.name)


def most_that_can_be_met(wanted, places):
    """Try everything."""
    seats = [place for place in places for _ in range(len(wanted) if place.capacity is None else place.capacity)]
    fits = {need: [seat for seat, place in enumerate(seats) if reaches(need, place, DAY)] for need in Need}

    def most(row, taken):
        if row == len(wanted):
            return 0
        best = most(row + 1, taken)
        tried = set()
        for seat in fits[wanted[row]]:
            if seat not in taken and seats[seat].name not in tried:
                tried.add(seats[seat].name)
                best = max(best, 1 + most(row + 1, taken | {seat}))
        return best

    return most(0, frozenset())


@settings(max_examples=60, deadline=None)
@given(wanted=st.lists(st.sampled_from(list(Need)), min_size=1, max_size=4), places=sets)
def test_as_many_people_are_met_as_possible(wanted, places):
    given = allocate(wanted, [str(i) for i in range(len(wanted))], [True] * len(wanted), places, DAY, "")
    assert sum(isinstance(place, int) for place in given) == most_that_can_be_met(wanted, places)


@settings(max_examples=100, deadline=None)
@given(wanted=needs, places=sets, draw=st.text(max_size=3), data=st.data())
def test_the_order_of_the_rows_decides_nothing(wanted, places, draw, data):
    ids = [f"p{i}" for i in range(len(wanted))]
    rested = data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    given = dict(zip(ids, allocate(wanted, ids, rested, places, DAY, draw), strict=True))
    order = data.draw(st.permutations(range(len(ids))))
    again = allocate([wanted[i] for i in order], [ids[i] for i in order], [rested[i] for i in order], places, DAY, draw)
    assert dict(zip([ids[i] for i in order], again, strict=True)) == given
    for place, touchpoint in enumerate(places):
        if touchpoint.capacity is not None:
            assert sum(where == place and isinstance(where, int) for where in given.values()) <= touchpoint.capacity
    for name, ready, need in zip(ids, rested, wanted, strict=True):
        fits = [touchpoint for touchpoint in places if reaches(need, touchpoint, DAY)]
        expected = TOO_OFTEN if not ready else NO_ROOM if fits else NO_TOUCHPOINT
        assert isinstance(given[name], int) or given[name] == expected
        assert not (isinstance(given[name], int) and not ready)


def test_lots_are_drawn_anew_by_another_word():
    desk = Touchpoint("desk", "phone", False, 5)
    ids = [str(i) for i in range(50)]
    drawn = {
        word: tuple(allocate([Need.HUMAN] * 50, ids, [True] * 50, [desk], DAY, word)) for word in ("may", "june", "")
    }
    assert len(set(drawn.values())) == 3
    assert all(sum(isinstance(place, int) for place in given) == 5 for given in drawn.values())


@pytest.fixture(scope="module")
def crowd():
    rng = np.random.default_rng(0)
    points = np.array(list(ARCHETYPES.values()))[rng.integers(0, 4, 400)] + rng.normal(0, 0.05, (400, 3))
    scores = pd.DataFrame(np.clip(points, 1, 5), columns=["ai_use", "ai_trust", "ai_feeling"])
    scores.loc[::10, "ai_use"] = np.nan
    return scores, persona_rules().fit(scores)


DESK = Touchpoint("desk", "phone", False, None, VALID)
SHOP = Touchpoint("shop", "store", False)
BOT = Touchpoint("assistant", "app", True)


def routed(crowd, **changes):
    scores, people = crowd
    asked = {
        "touchpoints": [BOT, SHOP, DESK],
        "ids": [f"p{i}" for i in range(len(scores))],
        "policy": persona_policy(),
        "people": PeopleFacts(permitted=[True] * len(scores)),
        "at": DAY,
        **changes,
    }
    return xseg.governance.routing.route(people, scores, **asked)


def test_people_are_met_where_their_persona_lets_them(crowd):
    routes = routed(crowd)
    for person in routes:
        if person.segment in {"Skeptics", "Avoiders"}:
            assert person.touchpoint == "desk"
            assert "persona" in person.reasons
        elif person.segment == "Not known":
            assert person.touchpoint == "shop"
            assert person.reasons[0] == "persona not known"
        else:
            assert person.touchpoint == ("shop" if "close call" in person.reasons else "assistant")
        assert person.automation == (not person.reasons)
    assert {person.touchpoint for person in routes} == {"desk", "shop", "assistant"}
    table = routes.to_frame()
    assert len(table) == 400
    assert table.loc["p3", "segment"] == routes[3].segment
    assert len(routes[:7]) == 7


def test_every_persona_and_every_touchpoint_through_the_whole_of_it(crowd):
    _, people = crowd
    points = [[*point] for point in ARCHETYPES.values()] + [[3, 3, np.nan]]
    names = [*ARCHETYPES, "Not known"]
    rows = list(product(range(5), [True, False, None], [True, False, None]))
    table = pd.DataFrame([points[kind] for kind, *_ in rows], columns=["ai_use", "ai_trust", "ai_feeling"])
    close = [card.certainty.is_narrow for card in xseg.make_cards(people, table)]
    stances = ["open", "open", "guarded", "guarded", "unknown"]
    for touchpoint in STATES:
        routes = xseg.governance.routing.route(
            people,
            table,
            touchpoints=[touchpoint],
            ids=range(len(rows)),
            policy=persona_policy(),
            at=DAY,
            people=PeopleFacts(
                permitted=[permitted for _, permitted, _ in rows], contested=[contested for *_, contested in rows]
            ),
        )
        for (kind, permitted, contested), near, person in zip(rows, close, routes, strict=True):
            assert person.segment == names[kind]
            facts = Person(stances[kind], permitted, near, contested, False, False)
            if person.touchpoint is not None:
                assert will_do(facts, touchpoint)
            if touchpoint.capacity is None:
                assert (person.touchpoint is not None) == will_do(facts, touchpoint)


def test_a_close_call_is_one_by_the_distance_on_the_card(crowd):
    scores, people = crowd
    cards = xseg.make_cards(people, scores, policy=persona_policy())
    for person, card in zip(routed(crowd), cards, strict=True):
        assert ("close call" in person.reasons) == card.certainty.is_narrow


@pytest.mark.parametrize("permitted", [None, [None] * 400, [False] * 400, [np.nan] * 400, [pd.NA] * 400])
def test_who_has_not_said_yes_is_met_by_people(crowd, permitted):
    routes = routed(crowd, people=PeopleFacts(permitted=permitted))
    assert not any(person.automation for person in routes)
    assert {person.touchpoint for person in routes if person.segment == "Not known"} == {"desk"}
    assert "assistant" not in {person.touchpoint for person in routes}


def test_without_certified_touchpoints_nobody_falls_through_to_a_program(crowd):
    for certified in (None, EXPIRED, EARLY):
        places = [
            BOT,
            Touchpoint("desk", "phone", False, None, certified),
            Touchpoint("chat", "web", None, None, VALID),
        ]
        for person in routed(crowd, touchpoints=places):
            if person.segment in {"Skeptics", "Avoiders"}:
                assert (person.touchpoint, person.none_because) == (None, "no touchpoint will do")


def test_contests_sensitive_features_and_silence_on_them_need_people(crowd):
    routes = routed(crowd, people=PeopleFacts(contested=[True, None, False, False] * 100))
    for row, person in enumerate(routes):
        assert ("contested" in person.reasons) == (row % 4 < 2)
    said = persona_policy().model_dump(exclude_defaults=True)
    said["features"]["ai_use"]["sensitive"] = True
    for policy in (None, said):
        assert all("sensitive" in person.reasons for person in routed(crowd, policy=policy))
    assert not any("sensitive" in person.reasons for person in routed(crowd))


def test_a_stand_in_that_the_original_does_not_confirm_needs_people(crowd):
    scores = crowd[0].dropna()
    standing_in = xseg.SurrogateSegmenter(KMeans(6, n_init=1, random_state=0), max_leaves=6, random_state=0).fit(scores)
    routes = xseg.governance.routing.route(
        standing_in,
        scores,
        touchpoints=[BOT, SHOP, DESK],
        ids=range(len(scores)),
        policy=persona_policy(),
        at=DAY,
        people=PeopleFacts(permitted=[True] * len(scores)),
        rules=RoutingRules(automate=standing_in.segment_names_),
    )
    agreed = standing_in.agreement(scores)
    for person, said in zip(routes, agreed, strict=True):
        assert ("stand-in disagrees" in person.reasons) == (said != "yes")
    assert (agreed != "yes").any()


def test_people_are_not_met_too_often(crowd):
    contacts = [0, 1, 2, None, np.nan, "0", True, -1] * 50
    routes = routed(crowd, people=PeopleFacts(contacts=contacts), rules=RoutingRules(max_contacts=2))
    for n, person in zip(contacts, routes, strict=True):
        assert (person.touchpoint is not None) == (n in (0, 1) and not isinstance(n, bool | str))
        assert (person.none_because == "met often enough") == (person.touchpoint is None)
    assert not any(
        person.touchpoint
        for person in routed(crowd, people=PeopleFacts(contacts=[0] * 400), rules=RoutingRules(max_contacts=0))
    )


def test_without_capacities_nobody_needs_an_id(crowd):
    routes = routed(crowd, ids=None)
    assert [person.touchpoint for person in routes] == [person.touchpoint for person in routed(crowd)]
    assert [person.id for person in routes[:3]] == ["0", "1", "2"]


def test_rows_in_any_order_are_routed_the_same(crowd):
    scores, people = crowd
    places = [BOT, Touchpoint("desk", "phone", False, 30, VALID), Touchpoint("shop", "store", False, 40)]
    routes = {person.id: person for person in routed(crowd, touchpoints=places)}
    order = np.random.default_rng(1).permutation(len(scores))
    again = routed((scores.iloc[order], people), touchpoints=places, ids=[f"p{i}" for i in order])
    assert {person.id: person for person in again} == routes
    held = pd.Series([person.touchpoint for person in again]).value_counts()
    assert held["desk"] == 30
    assert held["shop"] <= 40


def test_segments_of_other_models_are_not_open_unless_somebody_says_so():
    customers = xseg.make_customers(400, random_state=0)
    tree = xseg.TreeSegmenter(3, random_state=0).fit(customers)
    asked = {"touchpoints": [BOT, SHOP, DESK], "ids": customers.index, "policy": xseg.datasets.customers_policy(),
             "people": PeopleFacts(permitted=[True] * 400), "at": DAY}  # fmt: skip
    assert not any(person.automation for person in xseg.governance.routing.route(tree, customers, **asked))
    name = tree.segment_names_[0]
    some = xseg.governance.routing.route(tree, customers, rules=RoutingRules(automate=[name]), **asked)
    assert {person.segment for person in some if person.automation} == {name}
    closed = xseg.governance.routing.route(tree, customers, rules=RoutingRules(guarded=[name]), **asked)
    assert {person.touchpoint for person in closed if person.segment == name} == {"desk"}
    with pytest.raises(ParameterError, match="cannot be automated"):
        xseg.governance.routing.route(tree, customers, rules=RoutingRules(automate=[name], guarded=[name]), **asked)


def test_whoever_says_the_most_is_no_close_call(crowd):
    """Beyond the ends of a scale there is nothing that anybody could say."""
    scores, people = crowd
    fractions = scores.dropna()["ai_trust"]
    assert (fractions % 1 != 0).any()
    most = pd.DataFrame([[5.0, 5, 5], [1, 1, 1]], columns=scores.columns)
    asked = {"ids": ["a", "b"], "people": PeopleFacts(permitted=[True, True])}
    keen, avoider = routed((most, people), **asked)
    assert (keen.touchpoint, keen.reasons) == ("assistant", ())
    assert (avoider.touchpoint, avoider.reasons) == ("desk", ("persona",))


@pytest.mark.parametrize("name", ["skeptics", "SKEPTICS", " Skeptics ", "Ｓkeptics", "avoiders", "not  known"])
def test_another_spelling_of_a_guarded_segment_is_no_way_round(crowd, name):
    scores, _ = crowd
    renamed = xseg.RuleSegmenter({name: "ai_use < 3"}, "Enthusiasts").fit(scores.dropna())
    asked = {
        "touchpoints": [BOT, SHOP, DESK],
        "policy": persona_policy(),
        "people": PeopleFacts(permitted=[True] * len(scores.dropna())),
    }
    with pytest.raises(ParameterError, match="cannot be automated"):
        xseg.governance.routing.route(renamed, scores.dropna(), at=DAY, rules=RoutingRules(automate=[name]), **asked)
    routes = xseg.governance.routing.route(renamed, scores.dropna(), at=DAY, **asked)
    assert not any(person.automation for person in routes if person.segment == name)


def test_a_draft_routes_nobody_where_an_approval_is_required(crowd):
    scores, _ = crowd
    people = persona_rules().fit(scores)
    now = datetime(2026, 11, 24, 8, tzinfo=UTC)
    for require in ("reviewed", "approved"):
        with pytest.raises(ApprovalError, match=f"a draft, and {require} is required"):
            routed((scores, people), require=require)
    with pytest.raises(ApprovalError, match="require is 'final'"):
        routed((scores, people), require="final")
    for state in ("reviewed", "approved"):
        xseg.governance.approval.approve(
            people, by="Ada Marsh", review=b"seen", state=state, expires=DAY + timedelta(9), at=now
        )
    assert list(routed((scores, people), require="approved")) == list(routed((scores, people)))
    with pytest.raises(ApprovalError, match="ended on"):
        routed((scores, people), require="approved", at=DAY + timedelta(9))


BAD = [
    ({"touchpoints": []}, "there is no touchpoint"),
    ({"touchpoints": [BOT, BOT]}, "two touchpoints are called 'assistant'"),
    ({"touchpoints": ["desk"]}, "'desk' is not a Touchpoint"),
    ({"ids": ["a"] * 400}, "row 1: the id 'a' is there already, in row 0"),
    ({"ids": [None] * 400}, "row 0: the id is None"),
    ({"ids": [pd.NA] * 400}, "row 0: the id is <NA>"),
    ({"ids": None, "touchpoints": [Touchpoint("desk", "phone", False, 3)]}, "give ids"),
    ({"people": PeopleFacts(permitted=[True])}, "permitted has 1 entries for 400 rows"),
    ({"people": PeopleFacts(permitted=[1] * 400)}, "permitted, row 0: 1 is neither True, False nor None"),
    ({"people": PeopleFacts(permitted=["yes"] * 400)}, "neither True, False nor None"),
    ({"people": PeopleFacts(contested=["no"] * 400)}, "contested, row 0"),
    ({"people": PeopleFacts(contacts=[1]), "rules": RoutingRules(max_contacts=1)}, "contacts has 1 entries"),
    ({"rules": RoutingRules(max_contacts=1)}, "needs contacts"),
    ({"people": PeopleFacts(contacts=[1] * 400), "rules": RoutingRules(max_contacts=-1)}, "max_contacts is -1"),
    ({"people": PeopleFacts(contacts=[1] * 400), "rules": RoutingRules(max_contacts=True)}, "max_contacts is True"),
    ({"rules": RoutingRules(automate=["Skeptics"])}, "'Skeptics' cannot be automated"),
    ({"rules": RoutingRules(automate=["Avoiders", "Enthusiasts"])}, "'Avoiders' cannot be automated"),
    ({"rules": RoutingRules(automate=["Not known"])}, "'Not known' cannot be automated"),
    ({"rules": RoutingRules(automate=["Enthusiast"])}, "Did you mean 'Enthusiasts'"),
    ({"rules": RoutingRules(guarded=["Nobody"])}, "'Nobody' is none of the segments"),
    ({"at": "today"}, "at must be a date or None, got 'today'"),
]


@pytest.mark.parametrize(("change", "said"), BAD)
def test_bad_requests_are_refused(crowd, change, said):
    with pytest.raises(ParameterError, match=said):
        routed(crowd, **change)
    with pytest.raises(DataError):
        routed(crowd, ids=["a", "b"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Touchpoint("", "app"),
        lambda: Touchpoint("a", None),
        lambda: Touchpoint("a", "app", automated=0),
        lambda: Touchpoint("a", "app", automated="no"),
        lambda: Touchpoint("a", "app", capacity=-1),
        lambda: Touchpoint("a", "app", capacity=1.5),
        lambda: Touchpoint("a", "app", capacity=True),
        lambda: Touchpoint("a", "app", certified=True),
        lambda: Touchpoint("a", "app", certified="Ada Marsh"),
        lambda: Certification(" ", DAY, DAY + timedelta(1)),
        lambda: Certification("Ada Marsh", DAY, DAY),
        lambda: Certification("Ada Marsh", DAY + timedelta(1), DAY),
        lambda: Certification("Ada Marsh", "2026-01-01", DAY),
        lambda: Certification("Ada Marsh", DAY, datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_malformed_touchpoints_are_refused(make):
    with pytest.raises(ParameterError):
        make()


def test_the_day_may_have_a_time(crowd):
    late = datetime(2026, 11, 24, 23, tzinfo=UTC)
    assert list(routed(crowd, at=late)) == list(routed(crowd))
