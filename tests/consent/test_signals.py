"""A signal says what its bits say, or is refused; nothing that is cut, stretched or garbled grants anything."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import signal_cases as case
from xseg.consent import GPC_SCOPE, ConsentState, read_gpc, read_gpp, read_tcf
from xseg.consent._signals._us_layouts import LAYOUTS
from xseg.exceptions import ConsentError, SignalError

SHOWN = case.text_of(case.disclosed({2, 8, 9, 10, 755}))
PADS = [6, 8, 24]


def tcf(pad=6, shown=SHOWN, **changes):
    core = case.text_of(case.tcf_core(**changes), pad)
    return core if shown is None else f"{core}.{shown}"


def refused(text, read=read_tcf, **options):
    with pytest.raises(SignalError) as caught:
        read(text, **options)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------- browsers


@pytest.mark.parametrize("value", [None, "", "0", "true", " 1", "1 ", "1,1", "01", "１", 1, True, b"1", "on"])
def test_the_global_privacy_control_counts_only_if_it_is_one(value):
    assert read_gpc(value) == frozenset()


def test_the_global_privacy_control_is_about_sale_sharing_and_advertising():
    assert read_gpc("1") == GPC_SCOPE == {"sale", "sharing", "cross-context-advertising"}


# ------------------------------------------------------------------------------------------------- Europe

vendors = st.sets(st.integers(1, 900), max_size=12)
restrictions = st.lists(
    st.tuples(st.integers(1, 11), st.integers(0, 2), st.sets(st.integers(1, 65_535), min_size=1, max_size=4)),
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(
    consent=st.sets(st.integers(1, 11)),
    interest=st.sets(st.sampled_from([2, 7, 8, 9, 10, 11])),
    features=st.sets(st.integers(1, 2)),
    agreed=vendors,
    objected=vendors,
    shown=st.none() | vendors,
    barred=restrictions,
    ranged=st.booleans(),
    pad=st.sampled_from(PADS),
    policy=st.sampled_from([4, 5]),
)
def test_a_tc_string_says_what_was_encoded(
    consent, interest, features, agreed, objected, shown, barred, ranged, pad, policy
):
    text = tcf(
        pad,
        None if shown is None else case.text_of(case.disclosed(shown, ranged=not ranged), pad),
        consent=consent,
        interest=interest,
        special_features=features,
        vendors=agreed,
        vendors_interest=objected,
        restrictions=barred,
        ranged=ranged,
        policy=policy,
    )
    said = read_tcf(text)
    assert said.purposes_consent == consent
    assert said.purposes_legitimate_interest == interest
    assert said.special_features == features
    assert said.vendors_consent == agreed
    assert said.vendors_legitimate_interest == objected
    assert said.disclosed_vendors == shown
    assert (said.consent_language, said.publisher_country, said.vendor_list_version) == ("EN", "DE", 120)
    assert said.created == datetime.fromtimestamp(1_770_000_000, UTC)
    assert [(one.purpose, one.vendors) for one in said.restrictions] == [(p, frozenset(v)) for p, _, v in barred]
    for vendor in agreed | {1, 900}:
        for purposes in ({1}, {1, 3}, consent, set()):
            may = bool(purposes) and purposes <= consent and vendor in agreed
            may = may and (shown is None or vendor in shown)
            may = may and not any(p in purposes and vendor in v and kind != 1 for p, kind, v in barred)
            assert said.state(vendor, purposes) == (ConsentState.GIVEN if may else ConsentState.REFUSED)


def test_what_the_publisher_may_do():
    text = f"{tcf()}.{case.text_of(case.publisher({1, 11}, {2}, 5, {1, 5}, {2}))}"
    said = read_tcf(text).publisher
    assert (said.purposes_consent, said.purposes_legitimate_interest) == ({1, 11}, {2})
    assert (said.custom_consent, said.custom_legitimate_interest) == ({1, 5}, {2})


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"version": 1}, "version 1"),
        ({"version": 3}, "version 3"),
        ({"policy": 2}, "policy version 2"),
        ({"policy": 3}, "policy version 3"),
        ({"policy": 6}, "policy version 6"),
        ({"service_specific": 0}, "service specific"),
        ({"updated": 16_999_999_999}, "before it was created"),
        ({"language": "A["}, "language"),
        ({"country": "Aa"}, "country"),
        ({"special_features": {3}}, "special feature 3"),
        ({"consent": {12}}, "purpose 12"),
        ({"interest": {1}}, "purpose 1"),
        ({"interest": {3}}, "purpose 3"),
        ({"restrictions": [(0, 0, {1})]}, "purpose 0"),
        ({"restrictions": [(12, 0, {1})]}, "purpose 12"),
        ({"restrictions": [(1, 3, {1})]}, "type 3"),
    ],
)
def test_what_a_version_does_not_have_is_refused(change, word):
    assert word in refused(tcf(**change))


def with_vendors(written):
    """A core whose set of vendors is written out by hand."""
    start = 213
    whole = case.tcf_core(vendors=set(), vendors_interest=set(), ranged=True)
    empty = case.vendor_set(set(), ranged=True)
    assert whole[start : start + len(empty)] == empty
    return f"{case.text_of(whole[:start] + written + whole[start + len(empty) :])}.{SHOWN}"


@pytest.mark.parametrize(
    ("entries", "word"),
    [
        ([(0, 0)], "vendor 0"),
        ([(0, 5)], "vendor 0"),
        ([(9, 3)], "vendor 3"),
        ([(21, 21)], "vendor 21"),
        ([(3, 21)], "vendor 21"),
        ([(3, 5), (5, 5)], "vendor 5 twice"),
        ([(5, 5), (1, 20)], "vendor 5 twice"),
    ],
)
def test_ranges_are_checked(entries, word):
    def written(entry):
        first, last = entry
        many = int(first != last)
        return case.number(many, 1) + case.number(first, 16) + (case.number(last, 16) if many else "")

    bits = case.number(20, 16) + "1" + case.number(len(entries), 12) + "".join(map(written, entries))
    assert word in refused(with_vendors(bits))


def test_version_2_3_must_say_who_was_shown():
    late = {"created": 17_722_368_000, "updated": 17_722_368_000}  # 28 February 2026
    early = {"created": 17_722_367_999, "updated": 17_722_367_999}
    assert "disclosed" in refused(tcf(shown=None, **late))
    assert "disclosed" in refused(tcf(shown=None, **early), version="2.3")
    assert read_tcf(tcf(shown=None, **early)).version == "2.2"
    assert read_tcf(tcf(**late)).version == "2.3"
    assert "version" in refused(tcf(), version="2.4")
    said = read_tcf(tcf(shown=case.text_of(case.disclosed({2}))))
    assert said.state(2, {1}) is ConsentState.GIVEN
    assert said.state(8, {1}) is ConsentState.REFUSED


def test_segments_are_checked():
    publisher = case.text_of(case.publisher({1}, {2}, 0, set(), set()))
    read_tcf(f"{tcf()}.{publisher}")
    for text, word in [
        (f"{tcf()}.{SHOWN}", "already"),
        (f"{tcf()}.{publisher}.{publisher}", "already"),
        (f"{tcf()}.", "empty"),
        (f".{SHOWN}", "empty"),
        (f"{tcf()}.{case.text_of(case.number(2, 3) + case.vendor_set({1}, ranged=False))}", "type 2"),
        (f"{tcf()}.{case.text_of(case.number(0, 3) + '0' * 30)}", "type 0"),
        (f"{tcf()}.{case.text_of(case.publisher({12}, set(), 0, set(), set()))}", "purpose 12"),
    ]:
        assert word in refused(text)


# ------------------------------------------------------------------------------------------ United States


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: f"{layout.name}-{layout.version}")
@pytest.mark.parametrize("pad", PADS)
def test_each_section_says_what_was_encoded(layout, pad):
    source = random.Random(layout.section)
    for _ in range(20):
        values = {name: tuple(source.randint(0, 2) for _ in range(count)) for name, count in layout.fields}
        values["mspa_covered_transaction"] = (source.randint(1, 2),)
        unused = [name for name, value in values.items() if name.endswith("_opt_out") and value == (2,)]
        values |= {f"{name}_notice": (1,) for name in unused}
        section = case.text_of(case.us_core(layout, values), pad)
        said = read_gpp(case.gpp({layout.section: section}, pad)).us[layout.name]
        assert said.fields == values
        assert said.gpc is None
        scopes = {"sale_opt_out": "sale", "sharing_opt_out": "sharing"}
        scopes["targeted_advertising_opt_out"] = "cross-context-advertising"
        assert said.denied == {scope for name, scope in scopes.items() if values.get(name) == (1,)}
        text = case.gpp({layout.section: f"{section}.{case.text_of(case.gpc(True), pad)}"}, pad)
        if layout.gpc:
            assert read_gpp(text).denied == GPC_SCOPE
            assert not read_gpp(text.rpartition(".")[0] + "." + case.text_of(case.gpc(False), pad)).us[layout.name].gpc
        else:
            assert "segment" in refused(text, read_gpp)


def test_examples_of_the_specification():
    assert case.text_of(case.gpp_header([2])) == "DBABM"
    assert case.text_of(case.gpp_header([2, 6])) == "DBACNY"
    assert case.text_of(case.gpp_header([5, 6])) == "DBABjw"
    assert [case.fibonacci(value) for value in range(1, 8)] == ["11", "011", "0011", "1011", "00011", "10011", "01011"]
    assert read_gpp("DBABjw~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN").unread == (5, 6)
    assert "policy version 2" in refused("DBABMA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", read_gpp)


def test_sections_of_both_sides_of_the_ocean():
    california, national = LAYOUTS[8, 1], LAYOUTS[7, 2]
    text = case.gpp(
        {
            2: tcf(),
            7: case.text_of(case.us_core(national, {"sale_opt_out": 1})),
            8: case.text_of(case.us_core(california, {"sharing_opt_out": 1})),
            900: "anything",
        }
    )
    said = read_gpp(text)
    assert said.tcf == read_tcf(tcf())
    assert said.denied == {"sale", "sharing"}
    assert said.unread == (900,)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: f"{layout.name}-{layout.version}")
def test_values_out_of_range_are_refused(layout):
    for name, count in layout.fields:
        values = {name: (3,) + (0,) * (count - 1)}
        section = case.text_of(case.us_core(layout, values))
        assert f"{name} 3" in refused(case.gpp({layout.section: section}), read_gpp)
    section = case.text_of(case.us_core(layout, {"mspa_covered_transaction": 0}))
    assert "mspa_covered_transaction 0" in refused(case.gpp({layout.section: section}), read_gpp)
    unknown = case.number(63, 6) + case.us_core(layout)[6:]
    assert "version 63" in refused(case.gpp({layout.section: case.text_of(unknown)}), read_gpp)


def test_nobody_kept_from_a_choice_is_said_to_have_made_it():
    section = case.text_of(case.us_core(LAYOUTS[8, 1], {"sale_opt_out": 2, "sale_opt_out_notice": 2}))
    assert "notice" in refused(case.gpp({8: section}), read_gpp)


def test_headers_are_checked():
    section = case.text_of(case.us_core(LAYOUTS[8, 1]))
    good = case.gpp_header([8])
    for bits, word in [
        ("000100" + good[6:], "type 4"),
        (good[:6] + "000010" + good[12:], "version 2"),
        (case.number(3, 6) + case.number(1, 6) + case.number(0, 12), "lists no section"),
        (case.gpp_header([8, 9]), "2 section"),
        (case.gpp_header([1000, 2500, 4001]), "section 4001"),
        (good[:24] + "0" + "0" * 40, "does not end"),
        (good[:24] + "0" + case.fibonacci(1597), "does not end"),
    ]:
        assert word in refused(f"{case.text_of(bits)}~{section}", read_gpp)
    assert "1 section" in refused(case.text_of(good), read_gpp)


# -------------------------------------------------------------------------------------------------- attacks

TCF_CASES = [
    tcf(pad, shown, ranged=ranged)
    for pad in PADS
    for ranged in (True, False)
    for shown in (SHOWN, None, f"{SHOWN}.{case.text_of(case.publisher({1}, {2}, 3, {1}, set()))}")
]
GPP_CASES = [
    case.gpp({layout.section: case.text_of(case.us_core(layout, {"sale_opt_out": 1}), pad)}, pad)
    for layout in LAYOUTS.values()
    for pad in PADS
]


@pytest.mark.parametrize("text", TCF_CASES)
def test_what_is_left_of_a_tc_string_grants_nothing_that_the_whole_does_not(text):
    whole = read_tcf(text)
    for length in range(len(text)):
        cut = text[:length]
        try:
            said = read_tcf(cut)
        except SignalError:
            continue
        # Only padding, or whole segments, can be missing.
        lost = text[length:]
        assert set(lost.partition(".")[0]) <= {"A"} or lost.startswith(".") or text[length - 1] == "."
        assert said.vendors_consent == whole.vendors_consent
        assert said.purposes_consent == whole.purposes_consent
        with_segment = cut.count(".") >= 1
        assert not with_segment or said.disclosed_vendors == whole.disclosed_vendors


@pytest.mark.parametrize("text", GPP_CASES)
def test_what_is_left_of_a_gpp_string_says_the_same_or_nothing(text):
    whole = read_gpp(text)
    for length in range(len(text)):
        try:
            said = read_gpp(text[:length])
        except SignalError:
            continue
        assert set(text[length:]) == {"A"}
        assert said == whole


def test_what_is_longer_than_it_should_be_is_refused():
    for text, read in [(one, read_tcf) for one in TCF_CASES] + [(one, read_gpp) for one in GPP_CASES]:
        for more in ("AAAAA", "B", "=", " ", "\n", "~", "."):
            with pytest.raises(SignalError):
                read(text + more)


def granted_by(bits):
    """What the bits of a core grant, read at their fixed places, and never mind whether they may stand there."""
    purposes = {place + 1 for place in range(24) if bits[152 + place : 153 + place] == "1"}
    highest = int(bits[213:229], 2)
    if bits[229] == "0":
        return purposes, {place + 1 for place in range(highest) if bits[230 + place : 231 + place] == "1"}
    found, place = set(), 242
    for _ in range(int(bits[230:242], 2)):
        many, first = bits[place], int(bits[place + 1 : place + 17], 2)
        last = int(bits[place + 17 : place + 33], 2) if many == "1" else first
        place += 33 if many == "1" else 17
        found |= set(range(first, last + 1))
    return purposes, found


def mutated(text, source):
    letters = list(text)
    for _ in range(source.randint(1, 3)):
        place = source.randrange(len(letters))
        kind = source.randrange(4)
        if kind == 0:
            letters[place] = source.choice(case.ALPHABET + ".~=+/ é\0")
        elif kind == 1:
            letters.insert(place, source.choice(case.ALPHABET))
        elif kind == 2 and len(letters) > 1:
            del letters[place]
        else:
            other = source.randrange(len(letters))
            letters[place], letters[other] = letters[other], letters[place]
    return "".join(letters)


def test_a_hundred_thousand_garbled_strings_grant_nothing_that_their_bits_do_not_say():
    source = random.Random(0)
    read = 0
    for text in source.choices(TCF_CASES, k=60_000):
        garbled = mutated(text, source)
        try:
            said = read_tcf(garbled)
        except SignalError:
            continue
        read += 1
        purposes, agreed = granted_by(case.bits_of(garbled.split(".")[0]))
        assert said.purposes_consent == purposes
        assert said.vendors_consent == agreed
        assert said.policy_version in {4, 5}
    assert 0 < read < 60_000
    for text in source.choices(GPP_CASES, k=20_000):
        try:
            said = read_gpp(mutated(text, source))
        except SignalError:
            continue
        assert said.tcf is None
    for _ in range(20_000):
        noise = "".join(source.choices(case.ALPHABET + ".~", k=source.randint(0, 120)))
        for reader in (read_tcf, read_gpp):
            try:
                said = reader(noise)
            except SignalError:
                continue
            assert reader is read_gpp
            assert said.tcf is None


@pytest.mark.parametrize("read", [read_tcf, read_gpp])
@pytest.mark.parametrize("text", [None, b"C", 7, "", "A" * 100_001, "é", "C\0", "....", "~~~", "💥"])
def test_what_is_no_text_is_refused(read, text):
    assert issubclass(SignalError, ConsentError)
    refused(text, read)


@pytest.mark.parametrize("section", [24, 25, 26, 27])
@pytest.mark.parametrize("text", ["BYA.VVVVVVVV", "", "anything", "BAAAAAAA.YA"])
def test_drafts_of_sections_are_listed_and_say_nothing(section, text):
    said = read_gpp(case.gpp({section: text}))
    assert said.unread == (section,)
    assert (said.us, said.tcf, said.denied) == ({}, None, frozenset())
