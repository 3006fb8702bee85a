"""The page of a preference centre, used as a person would and attacked as somebody else would."""

import re
from html import unescape

import pytest
from starlette.testclient import TestClient

import xseg
from xseg.exceptions import ParameterError
from xseg.governance.consent import Ledger
from xseg.governance.rights import SegmentBasis, make_entry_link, make_profile_app

SECRET = "a secret of more than thirty-two characters"
HOSTILE = '<script>alert(1)</script>" onload="x\' --'


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(600, random_state=0)
    return customers, xseg.TreeSegmenter(4, max_leaves=6, random_state=0).fit(customers)


@pytest.fixture
def profiles(shop):
    customers, segmenter = shop
    ledger = Ledger()
    made = {}
    for row, subject in enumerate(("ann", "bob")):
        ledger.append(subject, "offers", "given", source="account")
        made[subject] = xseg.governance.rights.Profile(
            segmenter,
            customers.iloc[[row]],
            policy=xseg.datasets.customers_policy(),
            ledger=ledger,
            subject=subject,
            purpose="offers",
        )
    return made


def browser(profiles, **more):
    return TestClient(make_profile_app(profiles.get, secret=SECRET, **more), base_url="https://shop.example")


@pytest.fixture
def ann(profiles):
    client = browser(profiles)
    assert client.get(make_entry_link("ann", SECRET)).status_code == 200
    return client


def token_of(client):
    return unescape(re.search(r'name="token" value="([^"]+)"', client.get("/").text)[1])


def act(client, **form):
    return client.post("/act", data={"token": token_of(client), **form})


@pytest.mark.slow
def test_what_is_clicked_is_done_and_said(ann, profiles):
    own = profiles["ann"].card().segment.name
    assert own in unescape(ann.get("/").text)
    page = act(ann, action="withdraw").text
    assert "You are in no group." in page
    assert "You have not agreed to this use." in page
    assert "Your group has changed" in page
    assert profiles["ann"].basis is SegmentBasis.NO_CONSENT
    assert own in unescape(act(ann, action="agree").text)
    page = act(ann, action="withhold", feature="area_income").text
    assert "the group does not depend on it" in page
    assert "Switch it on again" in page
    assert profiles["ann"].list_withheld() == ("area_income",)
    act(ann, action="correct", feature="orders_90d", value="9")
    assert profiles["ann"].data()["orders_90d"].iloc[0] == 9
    act(ann, action="contest", text="I moved.")
    assert len(profiles["ann"].cases()) == 1
    assert ann.get("/data.json").json()["subject"] == "ann"
    page = act(ann, action="erase").text
    assert "has been erased" in page
    assert ann.get("/data.json").json()["data"] == {}


def test_every_button_of_the_page_is_an_action_that_exists(ann, profiles):
    for action in sorted(set(re.findall(r'name="action" value="([^"]+)"', ann.get("/").text)) - {"erase"}):
        form = {"feature": "orders_90d", "value": "1", "segment": "", "text": "x"}
        assert act(ann, action=action, **form).status_code == 200, action
    assert profiles["bob"].basis is SegmentBasis.MODEL
    assert len(profiles["bob"].log) == 0


def test_agreeing_and_withdrawing_have_the_same_form(ann):
    page = ann.get("/").text
    forms = {
        name: re.search(rf'<form[^>]*>(?:(?!</form>).)*value="{name}".*?</form>', page, re.S)[0]
        for name in ("agree", "withdraw", "object", "erase")
    }
    shapes = {re.sub(r'value="[^"]*"|>[^<]+<', "", form) for form in forms.values()}
    assert len(shapes) == 1


def test_a_browser_that_says_no_is_followed_at_once_and_a_later_yes_is_the_persons_own(ann, profiles):
    assert profiles["ann"].basis is SegmentBasis.MODEL
    for value in ("0", "yes"):
        ann.get("/", headers={"Sec-GPC": value})
        assert profiles["ann"].basis is SegmentBasis.MODEL
    page = unescape(ann.get("/", headers={"Sec-GPC": "1"}).text)
    assert "your browser said no" in page
    assert "You are in no group." in page
    assert profiles["bob"].basis is SegmentBasis.MODEL
    token = re.search(r'name="token" value="([^"]+)"', page)[1]
    ann.post("/act", data={"token": token, "action": "agree"}, headers={"Sec-GPC": "1"})
    assert profiles["ann"].basis is SegmentBasis.MODEL
    ann.get("/", headers={"Sec-GPC": "1"})
    assert profiles["ann"].basis is SegmentBasis.MODEL


def test_what_waits_for_a_human_and_who_received_the_group_is_shown(ann, profiles):
    profiles["ann"].release("Parcel Post Ltd")
    act(ann, action="ask", text="SegmentBasis so few offers?")
    page = unescape(act(ann, action="express_view", text="I moved.").text)
    assert "SegmentBasis so few offers? / I moved." in page
    assert "A person will answer by" in page
    assert "These received your group: Parcel Post Ltd." in page
    assert ann.get("/port.json").json()["data"]["orders_90d"] == profiles["ann"].data()["orders_90d"].iloc[0]


def test_nobody_is_told_done_before_it_is_kept(profiles):
    def broken():
        message = "the disk is full"
        raise OSError(message)

    kept = []
    client = browser(profiles, keep=lambda: kept.append(1))
    client.get(make_entry_link("ann", SECRET))
    act(client, action="withhold", feature="area_income")
    assert kept == [1]
    client = browser(profiles, keep=broken)
    client.get(make_entry_link("ann", SECRET))
    with pytest.raises(OSError, match="disk is full"):
        act(client, action="withdraw")


@pytest.mark.parametrize("path", ["/", "/data.json", "/port.json"])
def test_without_a_link_there_is_nothing_to_see(profiles, path):
    assert browser(profiles).get(path).status_code == 403


def test_links_and_cookies_cannot_be_forged_or_made_for_another(ann, profiles):
    good = make_entry_link("ann", SECRET)
    for forged in (
        good[:-2],
        good.replace("token=", "token=x"),
        make_entry_link("ann", "another secret " * 3),
        "/enter",
    ):
        assert browser(profiles).get(forged).status_code == 403
    stranger = browser(profiles)
    stranger.cookies.set("xseg_profile", ann.cookies["xseg_profile"][:-4] + "AAAA")
    assert stranger.get("/").status_code == 403
    assert browser(profiles).get(make_entry_link("nobody", SECRET)).status_code == 200
    lost = browser(profiles)
    lost.get(make_entry_link("nobody", SECRET))
    assert lost.get("/").status_code == 403


def test_forged_forms_change_nothing(ann, profiles):
    bob = browser(profiles)
    bob.get(make_entry_link("bob", SECRET))
    for token in ("", "x", token_of(bob)):
        assert ann.post("/act", data={"token": token, "action": "withdraw"}).status_code == 403
    assert ann.post("/act", data={"action": "withdraw"}).status_code == 403
    assert ann.get("/act").status_code == 405
    assert profiles["ann"].basis is SegmentBasis.MODEL


def test_another_persons_id_in_a_form_reaches_nobody_else(ann, profiles):
    act(ann, action="withdraw", subject="bob", id="bob")
    assert profiles["ann"].basis is SegmentBasis.NO_CONSENT
    assert profiles["bob"].basis is SegmentBasis.MODEL
    assert "bob" not in ann.get("/data.json").text


def test_a_new_link_ends_the_old_session(ann, profiles):
    old = token_of(ann)
    ann.get(make_entry_link("bob", SECRET))
    assert ann.post("/act", data={"token": old, "action": "withdraw"}).status_code == 403
    assert {profile.basis for profile in profiles.values()} == {SegmentBasis.MODEL}


def test_injection_in_every_field_is_only_ever_text(ann, profiles):
    for action, fields in {
        "correct": {"feature": "favourite_category", "value": HOSTILE},
        "contest": {"text": HOSTILE},
        "choose": {"segment": HOSTILE},
        "withhold": {"feature": HOSTILE},
        HOSTILE: {},
    }.items():
        answer = act(ann, action=action, **fields)
        assert "<script" not in answer.text or answer.headers["content-type"].startswith("text/plain")
    page = ann.get("/")
    assert "<script" not in page.text
    assert "onload=" not in re.sub(r"&#3[49];", "", re.sub(r">[^<]*<", "><", page.text))
    # A category that nobody has waits for a human, and is used once they have confirmed it.
    case = next(case for case in profiles["ann"].cases() if case.kind == "correct")
    profiles["ann"].decide(case.number, by="Kim Doe", decision="So be it.", upheld=True)
    assert profiles["ann"].data()["favourite_category"].iloc[0] == " ".join(HOSTILE.split())
    assert "<script" not in ann.get("/").text


def test_what_makes_no_sense_is_refused_and_kept_from_the_log(ann, profiles):
    for form in (
        {"action": "correct", "feature": "orders_90d", "value": "many"},
        {"action": "withhold", "feature": "nothing"},
        {"action": "choose", "segment": "nobody"},
        {"action": "contest", "text": "  "},
        {"action": "decide"},
    ):
        assert act(ann, **form).status_code == 400
    assert act(ann, action="contest", text="x" * 30_000).status_code == 413
    assert len(profiles["ann"].log) == 0


def test_answers_are_kept_by_nobody_and_framed_by_nobody(ann):
    for path in ("/", "/data.json", "/enter"):
        headers = ann.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]
    cookie = ann.get(make_entry_link("ann", SECRET)).headers["set-cookie"].casefold()
    assert "samesite=strict" in cookie
    assert "httponly" in cookie
    assert "secure" in cookie


@pytest.mark.parametrize("locale", ["de", "ar", "ja"])
def test_the_page_speaks_the_persons_language(profiles, locale):
    client = browser(profiles, locale=locale)
    client.get(make_entry_link("ann", SECRET))
    page = client.get("/").text
    assert f'<html lang="{locale}"' in page
    assert "What we use" not in page


def test_a_short_secret_is_refused():
    with pytest.raises(ParameterError, match="32"):
        make_profile_app(lambda subject: None, secret="short")


def test_too_many_requests_are_told_so_and_nothing_is_lost(profiles):
    client = browser(profiles, max_requests=6)
    client.get(make_entry_link("ann", SECRET))
    token = token_of(client)
    answers = [client.post("/act", data={"token": token, "action": "agree"}, follow_redirects=False) for _ in range(9)]
    assert [answer.status_code for answer in answers] == [303] * 5 + [429] * 4
    assert "Nothing was lost" in answers[-1].text
    assert client.get("/").status_code == client.get("/data.json").status_code == 429
    # To say no is never limited, nor is another person.
    withdrawn = client.post("/act", data={"token": token, "action": "withdraw"}, follow_redirects=False)
    assert (withdrawn.status_code, profiles["ann"].basis) == (303, SegmentBasis.NO_CONSENT)
    client.get("/", headers={"Sec-GPC": "1"})
    assert profiles["ann"].log.find_receipts("ann")[-1]["action"] == "signal"
    client.get(make_entry_link("bob", SECRET))
    assert client.get("/").status_code == 200


def test_open_cases_are_bounded_and_an_objection_is_still_taken(profiles):
    client = browser(profiles, max_open_cases=3)
    client.get(make_entry_link("ann", SECRET))
    codes = [act(client, action="ask", text=f"Question {number}?").status_code for number in range(5)]
    assert codes == [200] * 3 + [429] * 2
    assert len(profiles["ann"].cases()) == 3
    assert act(client, action="correct", feature="orders_90d", value="3").status_code == 429
    assert act(client, action="object").status_code == 200
    assert profiles["ann"].basis is SegmentBasis.OBJECTED
    assert act(client, action="express_view", text="I moved.").status_code == 200


@pytest.mark.parametrize("name", ["max_requests", "max_open_cases"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "9", None])
def test_limits_are_counts(profiles, name, value):
    with pytest.raises(ParameterError, match=name):
        make_profile_app(profiles.get, secret=SECRET, **{name: value})


def test_leaving_ends_the_session(ann):
    token = token_of(ann)
    assert ann.post("/leave", data={"token": "wrong"}).status_code == 403
    assert ann.get("/").status_code == 200
    assert ann.post("/leave", data={"token": token}).status_code == 200
    assert ann.get("/").status_code == ann.get("/data.json").status_code == 403
    assert ann.post("/leave", data={"token": token}).status_code == 403


def test_many_receipts_come_in_parts(ann, profiles):
    for _ in range(230):
        profiles["ann"].port()
    place, numbers = "/data.json", []
    while place is not None:
        part = ann.get(place).json()
        assert len(part["receipts"]) <= 200
        numbers = [receipt["number"] for receipt in part["receipts"]] + numbers
        place = part["older_receipts"]
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= 231
    for odd in ("x", "-1", "1e9", "9" * 40, "\u0663"):
        assert ann.get(f"/data.json?before={odd}").status_code == 200


def test_the_page_offers_to_take_back_what_was_said_and_nothing_else(ann):
    ways_back = {
        "restrict": "lift",
        "object": "withdraw_objection",
        "not_profiled": "rejoin",
        "object_marketing": "withdraw_marketing_objection",
    }

    def offered():
        return set(ways_back.values()) & set(re.findall(r'name="action" value="([^"]+)"', ann.get("/").text))

    assert offered() == set()
    for no, back in ways_back.items():
        act(ann, action=no)
        assert back in offered()
    assert offered() == set(ways_back.values())
    act(ann, action="lift")
    assert offered() == set(ways_back.values()) - {"lift"}
