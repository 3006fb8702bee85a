"""One policy is a subset of another exactly if each of its permissions, counted out, is one of the other's."""

from hypothesis import given
from hypothesis import strategies as st

import xseg
from xseg.policy import Policy

DAYS, SIZES = range(1, 5), range(1, 5)
PURPOSES, FEATURES, SEGMENTS = ("offers", "range"), ("spend", "visits"), ("A", "B")
SOURCES, VENDORS = ("second-party", "third-party", "first-party", None), ("Geo", "Stat", None)
FOREVER = max(DAYS) + 1

days = st.none() | st.sampled_from(DAYS)
purposes = st.fixed_dictionaries(
    {"label": st.sampled_from(["one", "other"])},
    optional={
        "legal_basis": st.sampled_from(["consent", "contract"]),
        "concept": st.sampled_from(["dpv:Marketing", "dpv:Research"]),
        "retention_days": days,
    },
)


@st.composite
def features(draw, declared):
    source = draw(st.sampled_from(SOURCES))
    has_vendor = source in {"second-party", "third-party"}
    return {
        "source": source,
        "vendor": draw(st.sampled_from(VENDORS)) if has_vendor else None,
        "purposes": draw(st.lists(st.sampled_from(declared), unique=True)) if declared else [],
        "window_days": draw(days),
        "sensitive": draw(st.booleans()),
        "shown": draw(st.booleans()),
    }


@st.composite
def policies(draw):
    declared = draw(st.dictionaries(st.sampled_from(PURPOSES), purposes))
    return Policy(
        minimum_group_size=draw(st.sampled_from(SIZES)),
        real_people=draw(st.booleans()),
        recipients=draw(st.lists(st.sampled_from(["Post", "Bank"]), unique=True)),
        purposes=declared,
        features=draw(st.dictionaries(st.sampled_from(FEATURES), features(sorted(declared)))),
        segments=draw(st.dictionaries(st.sampled_from(SEGMENTS), st.fixed_dictionaries({"name_shown": st.booleans()}))),
    )


def counted_out(policy):
    """Every permission of a policy, one by one, over all names, days and sizes there are."""
    given = {("group of", size) for size in SIZES if size >= policy.minimum_group_size}
    given |= {("real people",)} if policy.real_people else set()
    given |= {("pass on to", name) for name in policy.recipients}
    for name, purpose in policy.purposes.items():
        given.add(("pursue", name, purpose.legal_basis, purpose.concept))
        given |= {("keep", name, day) for day in (*DAYS, FOREVER) if day <= (purpose.retention_days or FOREVER)}
    for name, feature in policy.features.items():
        given.add(("have", name))
        given |= {("use", name, purpose) for purpose in feature.purposes}
        given |= {("look back", name, day) for day in (*DAYS, FOREVER) if day <= (feature.window_days or FOREVER)}
        given |= {
            ("take", name, source, vendor)
            for source in (*SOURCES, "unheard of")
            for vendor in (*VENDORS, "unheard of")
            if feature.source in {None, source} and feature.vendor in {None, vendor}
        }
        given |= {("show", name)} if feature.shown else set()
        given |= set() if feature.sensitive else {("ordinary", name)}
    for name in (*SEGMENTS, "unheard of"):
        said = policy.segments.get(name)
        given |= {("name", name)} if said is None or said.name_shown else set()
    return given


@given(policies(), policies())
def test_a_subset_is_one_whose_permissions_are_all_there(one, other):
    assert one.is_subset_of(other) == (counted_out(one) <= counted_out(other))


@given(policies(), policies())
def test_what_two_policies_permit_alike_is_found_both_ways(one, other):
    assert one.is_subset_of(one)
    assert (one.is_subset_of(other) and other.is_subset_of(one)) == (counted_out(one) == counted_out(other))


@given(policies(), st.data())
def test_taking_something_away_gives_a_subset(policy, data):
    fields = policy.model_dump(mode="json", exclude_defaults=True)
    way = data.draw(st.sampled_from(["recipients", "features", "minimum_group_size", "real_people"]))
    fields[way] = {"recipients": [], "features": {}, "minimum_group_size": max(SIZES), "real_people": False}[way]
    assert Policy(**fields).is_subset_of(policy)


def test_words_are_no_permissions():
    policy = xseg.datasets.customers_policy()
    spoken = policy.translate("de")
    assert spoken.is_subset_of(policy)
    assert policy.is_subset_of(spoken)
    assert Policy(minimum_group_size=50).is_subset_of(policy)
    assert not policy.is_subset_of(Policy(minimum_group_size=50))


@given(policies(), policies(), st.data())
def test_neighbours_that_differ_in_some_fields_are_told_apart(one, other, data):
    told = data.draw(st.lists(st.sampled_from(["minimum_group_size", "real_people", "recipients", "segments"])))
    mixed = one.model_copy(update={name: getattr(other, name) for name in told})
    assert mixed.is_subset_of(one) == (counted_out(mixed) <= counted_out(one))
    assert one.is_subset_of(mixed) == (counted_out(one) <= counted_out(mixed))


@given(policies(), st.data())
def test_a_change_of_one_field_of_one_column_is_told(policy, data):
    if not policy.features:
        return
    name = data.draw(st.sampled_from(sorted(policy.features)))
    change = data.draw(
        st.sampled_from(
            [{"shown": False}, {"sensitive": True}, {"window_days": 1}, {"window_days": None}, {"purposes": ()}]
        )
        | st.sampled_from([{"source": None, "vendor": None}, {"vendor": None}])
    )
    changed = policy.features[name].model_copy(update=change)
    mixed = policy.model_copy(update={"features": {**policy.features, name: changed}})
    assert mixed.is_subset_of(policy) == (counted_out(mixed) <= counted_out(policy))
    assert policy.is_subset_of(mixed) == (counted_out(policy) <= counted_out(mixed))
