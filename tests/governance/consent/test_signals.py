"""A signal says what its bits say, or is refused; nothing that is cut, stretched or garbled grants anything."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import signal_cases as case
from xseg.exceptions import ConsentError
from xseg.governance.consent import GPC_SCOPE, ConsentState, read_gpc, read_gpp, read_tcf
from xseg.governance.consent._gpp_signals import LAYOUTS

SHOWN = case.text_of(case.disclosed({2, 8, 9, 10, 755}))
PADS = [6, 8, 24]


def tcf(pad=6, shown=SHOWN, **changes):
    core = case.text_of(case.tcf_core(**changes), pad)
    return core if shown is None else f"{core}.{shown}"


def refused(text, read=read_tcf, **options):
    with pytest.raises(ConsentError) as caught:
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
    said = read_tcf(text, version="2.2" if shown is None else None)
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
    for version in (None, "2.2", "2.3"):
        assert "disclosed" in refused(tcf(shown=None, **late), version=version)
    for version in (None, "2.3"):
        assert "disclosed" in refused(tcf(shown=None, **early), version=version)
    assert read_tcf(tcf(shown=None, **early), version="2.2").version == "2.2"
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

SALE_AND_ADVERTISING = {1: "sale", 2: "cross-context-advertising"}
CHILDREN = {
    "usca": {0: "sale", 1: "sharing"},
    "usct": SALE_AND_ADVERTISING,
    "usmt": SALE_AND_ADVERTISING,
    "usnh": SALE_AND_ADVERTISING,
    "usor": SALE_AND_ADVERTISING,
    "usde": SALE_AND_ADVERTISING | {3: "sale", 4: "cross-context-advertising"},
    "usnj": SALE_AND_ADVERTISING | {3: "sale", 4: "cross-context-advertising"},
}


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
        children = values.get("known_child_sensitive_data_consents", ())
        no_child = {scope for place, scope in CHILDREN.get(layout.name, {}).items() if children[place] == 1}
        assert said.denied == {scope for name, scope in scopes.items() if values.get(name) == (1,)} | no_child
        assert said.limits_sensitive == (1 in values["sensitive_data_processing"])
        text = case.gpp({layout.section: f"{section}.{case.text_of(case.gpc(True), pad)}"}, pad)
        if layout.gpc:
            assert read_gpp(text).denied == GPC_SCOPE
            assert not read_gpp(text.rpartition(".")[0] + "." + case.text_of(case.gpc(False), pad)).us[layout.name].gpc
        else:
            # A section that has no such segment is not read whole, and the no in it counts all the same.
            odd = read_gpp(text)
            assert (odd.us, odd.denied) == ({}, GPC_SCOPE)
            assert "segment" in odd.problems[0]


def test_examples_of_the_specification():
    assert case.text_of(case.gpp_header([2])) == "DBABM"
    assert case.text_of(case.gpp_header([2, 6])) == "DBACNY"
    assert case.text_of(case.gpp_header([5, 6])) == "DBABjw"
    assert [case.fibonacci(value) for value in range(1, 8)] == ["11", "011", "0011", "1011", "00011", "10011", "01011"]
    said = read_gpp("DBABjw~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN")
    assert (said.unread, list(said.denials), said.denied) == ((5,), ["uspv1"], frozenset())
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
        (case.number(3, 6) + case.number(1, 6) + case.number(0, 12), "0 section"),
        (case.gpp_header([1000, 2500, 4001]), "section 4001"),
        (good[:24] + "0" + "0" * 40, "does not end"),
        (good[:24] + "0" + case.fibonacci(1597), "does not end"),
    ]:
        assert word in refused(f"{case.text_of(bits)}~{section}", read_gpp)
    assert "1 section" in refused(case.text_of(good), read_gpp)
    # What the string has of the sections that its header lists is read, and only its denials count.
    both = read_gpp(f"{case.text_of(case.gpp_header([8, 9]))}~{section}")
    assert "2 section" in both.problems[0]
    assert both.denied == frozenset()


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
@pytest.mark.parametrize("days", [0, 24, 400])
def test_no_part_of_a_tc_string_grants_what_the_whole_does_not(text, days):
    """Whatever its date: also before the day from which on every string must say which vendors were disclosed."""
    core, *segments = text.split(".")
    bits = case.bits_of(core)
    time = case.number(case.TCF["created"] + 864_000 * (days - 24), 36)
    text = ".".join([case.text_of(bits[:6] + time + time + bits[78:]), *segments])
    granted = set()
    try:
        whole = read_tcf(text)
        granted = {(v, p) for v in whole.vendors_consent for p in range(1, 12) if whole.state(v, [p]) == "given"}
    except ConsentError:
        assert not segments
    parts = [text[:length] for length in range(len(text))]
    parts += [".".join([core, *(one for one in segments if one != left)]) for left in segments]
    for part in parts:
        try:
            said = read_tcf(part)
        except ConsentError:
            continue
        assert {(v, p) for v in said.vendors_consent for p in range(1, 12) if said.state(v, [p]) == "given"} <= granted


@pytest.mark.parametrize("text", TCF_CASES)
def test_what_is_left_of_a_tc_string_says_the_same(text):
    whole = read_tcf(text, version="2.2")
    for length in range(len(text)):
        cut = text[:length]
        try:
            said = read_tcf(cut, version="2.2")
        except ConsentError:
            continue
        # Only padding, or whole segments, can be missing.
        lost = text[length:]
        assert set(lost.partition(".")[0]) <= {"A"} or lost.startswith(".") or text[length - 1] == "."
        assert said.vendors_consent == whole.vendors_consent
        assert said.purposes_consent == whole.purposes_consent
        with_segment = cut.count(".") >= 1
        assert not with_segment or said.disclosed_vendors == whole.disclosed_vendors


@pytest.mark.parametrize("text", GPP_CASES)
def test_what_is_left_of_a_gpp_string_denies_the_same_or_says_what_is_wrong(text):
    whole = read_gpp(text)
    for length in range(len(text)):
        try:
            said = read_gpp(text[:length])
        except ConsentError:
            continue
        assert said.denied == whole.denied
        assert said.problems or (set(text[length:]) == {"A"} and said == whole)


def test_what_is_longer_than_it_should_be_is_refused():
    for text in TCF_CASES:
        for more in ("AAAAA", "B", "=", " ", "\n", "~", "."):
            with pytest.raises(ConsentError):
                read_tcf(text + more, version="2.2")
    for text in GPP_CASES:
        for more in ("AAAAA", "B", "=", " ", "\n", "~", "."):
            try:
                said = read_gpp(text + more)
            except ConsentError:
                continue
            # What it denies is understood, and that it is odd is said.
            assert said.problems
            assert said.denied == read_gpp(text).denied


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


@pytest.mark.slow
def test_a_hundred_thousand_garbled_strings_grant_nothing_that_their_bits_do_not_say():
    source = random.Random(0)
    read = 0
    for text in source.choices(TCF_CASES, k=60_000):
        garbled = mutated(text, source)
        try:
            said = read_tcf(garbled, version="2.2")
        except ConsentError:
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
        except ConsentError:
            continue
        assert said.tcf is None
    for _ in range(20_000):
        noise = "".join(source.choices(case.ALPHABET + ".~", k=source.randint(0, 120)))
        for reader in (read_tcf, read_gpp):
            try:
                said = reader(noise)
            except ConsentError:
                continue
            assert reader is read_gpp
            assert said.tcf is None


@pytest.mark.parametrize("read", [read_tcf, read_gpp])
@pytest.mark.parametrize("text", [None, b"C", 7, "", "A" * 100_001, "é", "C\0", "....", "~~~", "💥"])
def test_what_is_no_text_is_refused(read, text):
    refused(text, read)


# ----------------------------------------------------------------------- a no counts, whatever else is broken

ALL_THREE = sorted(GPC_SCOPE)


def recent(sale=0, advertising=0, child=None, more=""):
    """A section of the form in which the agreement comes first, as the reference library writes it."""
    bits = case.number(1, 6) + case.number(1, 2) + case.number(0, 2) * 2 + case.number(1, 2) * 2
    bits += case.number(sale, 2) + case.number(advertising, 2)
    return bits + ("" if child is None else case.number(child, 2)) + case.number(0, 2) + more


@pytest.mark.parametrize(("section", "name"), [(24, "usmd"), (25, "usin"), (26, "usky"), (27, "usri")])
@pytest.mark.parametrize("pad", PADS)
@pytest.mark.parametrize("sale", [0, 1, 2])
@pytest.mark.parametrize("advertising", [0, 1, 2])
def test_recent_sections_deny_and_grant_nothing(section, name, pad, sale, advertising):
    core = case.text_of(recent(sale, advertising, None if section == 24 else 2), pad)
    said = read_gpp(case.gpp({section: core}, pad))
    assert (said.us, said.tcf, said.unread, said.problems) == ({}, None, (), ())
    expected = {"sale"} if sale == 1 else set()
    expected |= {"cross-context-advertising"} if advertising == 1 else set()
    assert said.denied == said.denials[name].denied == expected
    assert all(set(values) <= {0, 1} for values in said.denials[name].fields.values())
    sensitive = case.text_of("00" * 7 + "01", pad)
    more = read_gpp(case.gpp({section: f"{core}.{sensitive}"}, pad))
    assert more.limits_sensitive == (section != 24)
    with_gpc = read_gpp(case.gpp({section: f"{core}.{case.text_of(case.gpc(True), pad)}"}, pad))
    assert with_gpc.denied == (GPC_SCOPE if section == 24 else expected)


@pytest.mark.parametrize("section", [24, 25, 26, 27])
def test_the_published_drafts_of_recent_sections_are_listed_as_unread(section):
    draft = case.text_of(case.number(section, 6) + "01" * 12)
    for text in (draft, "", "!", f"{draft}.YA"):
        said = read_gpp(case.gpp({section: text}))
        assert (said.unread, said.us, said.denials, said.denied) == ((section,), {}, {}, frozenset())


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("DBABEYA~BQVQ.YA", ALL_THREE),
        ("DBABUYA~BQVQ", ["cross-context-advertising", "sale"]),
        ("DBABCYA~BQVQ", ["cross-context-advertising", "sale"]),
        ("DBABSYA~BQVQ", ["cross-context-advertising", "sale"]),
        ("DBABTA~1YYN", ["sale"]),
        ("DBABTA~1YNN", []),
        ("DBABTA~1---", []),
        ("DBABBg~BYYAAABA.YA", ALL_THREE),
        ("DBACNMA~CQuV9AAQuV9AAAJAAAENAACgAAAAAAAAAAAAAAAAAAAA.IAAA.YAAAAAAAAAAA~BQQAAABA.YA", ALL_THREE),
        ("DBABRg~BEQAABA.YA", ALL_THREE),
        ("DBABBg~BUoAABRA", ["sale", "sharing"]),
        ("DBABVg~BFoAABUA", ["cross-context-advertising", "sale"]),
    ],
)
def test_what_encoders_write_is_heard(text, denied):
    assert sorted(read_gpp(text).denied) == denied


@pytest.mark.parametrize("text", ["DBABBg~BBBVVUBA", "DBABFg~BAQVVUQA"])
def test_a_no_to_the_use_of_sensitive_data_is_told(text):
    said = read_gpp(text)
    assert said.limits_sensitive
    assert said.denied == frozenset()


def test_a_string_without_sections_says_nothing_and_is_no_error():
    said = read_gpp("DBAA")
    assert (said.us, said.tcf, said.unread, said.denials, said.problems) == ({}, None, (), {}, ())


@pytest.mark.parametrize("text", ["1Y", "1YYNN", "2YYN", "1YXN", "", "BVVV"])
def test_other_strings_of_us_privacy_are_listed_as_unread(text):
    said = read_gpp(case.gpp({6: text}))
    assert (said.unread, said.denied) == ((6,), frozenset())


def test_no_section_takes_the_no_of_another_along():
    sale = case.text_of(case.us_core(LAYOUTS[9, 1], {"sale_opt_out": 1}))
    broken = {
        2: tcf(policy=6),
        7: case.text_of(case.number(63, 6)),
        8: case.text_of(case.us_core(LAYOUTS[8, 1], {"sharing_opt_out": 2, "sale_opt_out_notice": 3})),
        10: "!!!",
        24: case.text_of(recent(advertising=1)),
    }
    for names in [[2], [7], [8], [10], [2, 7, 8, 10], [2, 7, 8, 10, 24]]:
        said = read_gpp(case.gpp({9: sale} | {name: broken[name] for name in names}))
        assert "sale" in said.denied
        assert said.tcf is None
        assert len(said.problems) == len(set(names) - {24})
        assert "usva" in said.us
    assert read_gpp(case.gpp({9: sale, 24: broken[24]})).denied == {"sale", "cross-context-advertising"}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: f"{layout.name}-{layout.version}")
def test_an_opt_out_beside_a_contradiction_counts(layout):
    section = case.text_of(case.us_core(layout, {"sale_opt_out": 1, "mspa_covered_transaction": 0}))
    said = read_gpp(case.gpp({layout.section: section}))
    assert (said.us, said.denied) == ({}, {"sale"})
    assert said.denials[layout.name].fields == {"sale_opt_out": (1,)}
    assert "mspa_covered_transaction 0" in said.problems[0]


def test_a_european_section_counts_only_in_a_whole_string():
    good = case.gpp({2: tcf(), 9: case.text_of(case.us_core(LAYOUTS[9, 1], {"sale_opt_out": 1}))})
    assert read_gpp(good).tcf == read_tcf(tcf())
    cut = read_gpp(good.rpartition("~")[0] + "~" + good.rpartition("~")[2][:4])
    assert cut.tcf == read_tcf(tcf())
    odd = good + "~BAAA"
    assert read_gpp(odd).tcf is None
    assert read_gpp(odd).denied == {"sale"}


def test_a_gpp_string_takes_the_version_of_its_european_section():
    text = case.gpp({2: tcf(shown=None)})
    assert "disclosed" in refused(text, read_gpp)
    assert "disclosed" in refused(text, read_gpp, tcf_version="2.3")
    assert read_gpp(text, tcf_version="2.2").tcf == read_tcf(tcf(shown=None), version="2.2")


def test_a_purpose_that_was_not_disclosed_is_not_agreed_to():
    said = read_tcf(tcf(purpose_one=1))
    assert 1 in said.purposes_consent
    assert said.state(2, {1}) is said.state(2, {1, 3}) is ConsentState.REFUSED
    assert said.state(2, {3}) is ConsentState.GIVEN


def test_the_notice_of_iowa_has_the_name_of_its_specification():
    said = read_gpp(case.gpp({18: case.text_of(case.us_core(LAYOUTS[18, 1], {"sensitive_data_opt_out_notice": 1}))}))
    assert said.us["usia"].fields["sensitive_data_opt_out_notice"] == (1,)
