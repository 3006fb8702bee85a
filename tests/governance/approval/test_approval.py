"""A sign-off holds for one model, until it ends, as it was written; everything else is a draft."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import xseg
from xseg.exceptions import ApprovalError, DataError, ModelFileError, NotFittedError, ParameterError
from xseg.export import fingerprint
from xseg.export._sign_offs import create_sign_off, evaluate_sign_offs, restore_sign_offs

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = NOW.date()
REVIEW = "ab" * 32


@pytest.fixture
def tree():
    customers = xseg.make_customers(400, random_state=0)
    return customers, xseg.TreeSegmenter(3, random_state=0).fit(customers)


def approved(segmenter, **changes):
    asked = {"by": "Ada Marsh", "review": REVIEW, "at": NOW, **changes}
    xseg.governance.approval.approve(segmenter, state="reviewed", **asked)
    return xseg.governance.approval.approve(segmenter, **asked)


def test_from_draft_to_approved_and_back(tree, tmp_path):
    _, segmenter = tree
    path, before = tmp_path / "m.json", fingerprint(segmenter)
    for state, least in (("draft", "reviewed"), ("reviewed", "approved"), ("approved", None), ("draft", "reviewed")):
        if not (state == "draft" and least and not path.exists()):
            xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=REVIEW, state=state, at=NOW)
        xseg.save(segmenter, path)
        assert fingerprint(segmenter) == before
        again = xseg.load(path, require=state, at=DAY)
        assert xseg.export.get_approval(again, at=DAY).state == state
        assert xseg.export.get_approval(again, at=DAY) == xseg.export.get_approval(segmenter, at=DAY)
        if least:
            with pytest.raises(ApprovalError, match=f"{least} is required"):
                xseg.load(path, require=least, at=DAY)


def test_who_on_which_review_and_when_is_kept(tree, tmp_path):
    _, segmenter = tree
    approved(segmenter, expires=DAY + timedelta(90), review=b"what was found")
    xseg.save(segmenter, tmp_path / "m.json")
    found = xseg.export.get_approval(xseg.load(tmp_path / "m.json"), at=DAY)
    reviewed, last = found.sign_offs
    assert (reviewed.state, last.state, last.by) == ("reviewed", "approved", "Ada Marsh")
    assert last.at == NOW.isoformat()
    assert last.expires == "2027-02-22"
    assert last.review == reviewed.review != REVIEW
    assert last.fingerprint == fingerprint(segmenter)


def test_a_review_of_another_model_is_refused(tree):
    _, segmenter = tree
    review = SimpleNamespace(digest=REVIEW, model=fingerprint(segmenter))
    assert approved(segmenter, review=review).review == REVIEW
    for other in ("0" * 64, None, 3):
        with pytest.raises(ApprovalError, match="the review is of model"):
            approved(segmenter, review=SimpleNamespace(digest=REVIEW, model=other))
    with pytest.raises(ApprovalError, match="give its SHA-256"):
        approved(segmenter, review=SimpleNamespace(model=fingerprint(segmenter)))


def test_models_without_sign_offs_are_saved_as_ever(tree, tmp_path):
    _, segmenter = tree
    xseg.save(segmenter, tmp_path / "m.json")
    assert "sign_offs" not in json.loads((tmp_path / "m.json").read_text())
    with pytest.raises(ApprovalError, match="a draft, and approved is required; have it reviewed"):
        xseg.load(tmp_path / "m.json", require="approved")


def test_an_approval_does_not_outlive_the_model(tree, tmp_path):
    customers, segmenter = tree
    approved(segmenter)
    assert xseg.export.get_approval(clone(segmenter).fit(customers), at=DAY).state == "draft"
    segmenter.fit(customers.head(300))
    assert xseg.export.get_approval(segmenter, at=DAY).state == "draft"
    xseg.save(segmenter, tmp_path / "m.json")
    assert "sign_offs" not in json.loads((tmp_path / "m.json").read_text())
    with pytest.raises(ApprovalError, match="was not reviewed by review"):
        xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=REVIEW, at=NOW)
    # The same rows give the same model, and what was signed for it holds again.
    segmenter.fit(customers)
    assert xseg.export.get_approval(segmenter, at=DAY).state == "approved"


def test_an_approval_moved_to_another_model_is_refused(tree, tmp_path):
    customers, segmenter = tree
    approved(segmenter)
    other = xseg.TreeSegmenter(4, random_state=0).fit(customers)
    restore_sign_offs(other, segmenter.sign_offs_)
    assert xseg.export.get_approval(other, at=DAY).state == "draft"
    assert xseg.make_cards(other, customers.head(1), at=NOW)[0].approval == "draft"
    for name, model in (("a", segmenter), ("b", xseg.TreeSegmenter(4, random_state=0).fit(customers))):
        xseg.save(model, tmp_path / name)
    moved = json.loads((tmp_path / "b").read_text()) | {
        "sign_offs": json.loads((tmp_path / "a").read_text())["sign_offs"]
    }
    (tmp_path / "b").write_text(json.dumps(moved))
    for require in (None, "draft", "approved"):
        with pytest.raises(ApprovalError, match="it was given to model"):
            xseg.load(tmp_path / "b", require=require, at=DAY)
    renamed = [sign_off | {"fingerprint": moved["fingerprint"]} for sign_off in moved["sign_offs"]]
    (tmp_path / "b").write_text(json.dumps(moved | {"sign_offs": renamed}))
    with pytest.raises(ApprovalError, match="altered"):
        xseg.load(tmp_path / "b", at=DAY)


def test_every_altered_field_is_found(tree, tmp_path):
    _, segmenter = tree
    approved(segmenter, expires=DAY + timedelta(30))
    path = tmp_path / "m.json"
    xseg.save(segmenter, path)
    document = json.loads(path.read_text())
    others = {"state": "reviewed", "by": "Ben Holt", "review": "cd" * 32, "at": "2026-01-01T00:00:00+00:00",
              "expires": None, "fingerprint": "0" * 64, "digest": "0" * 64}  # fmt: skip
    for name, value in others.items():
        forged = json.loads(json.dumps(document))
        forged["sign_offs"][1][name] = value
        path.write_text(json.dumps(forged))
        with pytest.raises(ApprovalError):
            xseg.load(path, at=DAY)
        restore_sign_offs(segmenter, [segmenter.sign_offs_[0], replace(segmenter.sign_offs_[1], **{name: value})])
        assert xseg.export.get_approval(segmenter, at=DAY).state != "approved"
        restore_sign_offs(segmenter, [])
        approved(segmenter, expires=DAY + timedelta(30))
    for name, value in (("state", "final"), ("by", ""), ("by", 3), ("review", "x"), ("at", None), ("extra", 1)):
        forged = json.loads(json.dumps(document))
        forged["sign_offs"][0][name] = value
        path.write_text(json.dumps(forged))
        with pytest.raises(ModelFileError):
            xseg.load(path, at=DAY)
    path.write_text(json.dumps(document | {"sign_offs": document["sign_offs"][1:]}))
    with pytest.raises(ApprovalError, match="without having been reviewed"):
        xseg.load(path, require="approved", at=DAY)
    path.write_text(json.dumps(document | {"sign_offs": document["sign_offs"][::-1]}))
    # Both were signed at one instant; that they are in another order makes the last word a smaller one.
    with pytest.raises(ApprovalError, match="approved is required"):
        xseg.load(path, require="approved", at=DAY)


HOUR = timedelta(hours=1)


def written(path, segmenter, *sign_offs):
    """Save a model with these sign-offs, as somebody with an editor would."""
    restore_sign_offs(segmenter, [])
    xseg.save(segmenter, path)
    document = json.loads(path.read_text()) | {"sign_offs": [asdict(sign_off) for sign_off in sign_offs]}
    path.write_text(json.dumps(document))
    return path


def test_an_approval_that_was_taken_back_cannot_be_put_in_again(tree, tmp_path):
    _, segmenter = tree
    approved(segmenter, key=b"secret")
    xseg.governance.approval.approve(
        segmenter, by="Ada Marsh", review=REVIEW, state="draft", at=NOW + HOUR, key=b"secret"
    )
    reviewed, last, draft = segmenter.sign_offs_
    for replayed in ([reviewed, last, draft, last], [reviewed, last, draft, reviewed, last]):
        path = written(tmp_path / "m.json", segmenter, *replayed)
        # Every one of them is authenticated with the key, and still not in its place.
        for require in (None, "approved"):
            with pytest.raises(ApprovalError, match="put in again, or out of the order of time"):
                xseg.load(path, require=require, key=b"secret", at=DAY)
        assert evaluate_sign_offs(replayed, last.fingerprint, DAY).state == "draft"
    for moved in ([draft, reviewed, last], [reviewed, draft, last], [last, draft, reviewed]):
        path = written(tmp_path / "m.json", segmenter, *moved)
        with pytest.raises(ApprovalError):
            xseg.load(path, require="approved", key=b"secret", at=DAY)
        assert evaluate_sign_offs(moved, last.fingerprint, DAY).state != "approved"


def test_what_was_taken_back_is_reviewed_anew(tree):
    _, segmenter = tree
    approved(segmenter)
    xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=b"a complaint", state="draft", at=NOW + HOUR)
    again = {"by": "Ada Marsh", "at": NOW + 2 * HOUR}
    with pytest.raises(ApprovalError, match="has been reviewed or taken back since"):
        xseg.governance.approval.approve(segmenter, review=REVIEW, **again)
    assert approved(segmenter, **again, review=b"a new review").state == "approved"


def test_the_latest_review_is_the_one_that_counts(tree):
    _, segmenter = tree
    for number, review in enumerate((REVIEW, b"a later review")):
        xseg.governance.approval.approve(
            segmenter, by="Ada Marsh", review=review, state="reviewed", at=NOW + number * HOUR
        )
    with pytest.raises(ApprovalError, match="reviewed by review abababab before, or has been reviewed"):
        xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=REVIEW, at=NOW + 2 * HOUR)
    xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=b"a later review", at=NOW + 2 * HOUR)
    assert xseg.export.get_approval(segmenter, at=DAY).state == "approved"


def test_a_review_that_has_ended_carries_no_approval(tree):
    _, segmenter = tree
    asked = {"by": "Ada Marsh", "review": REVIEW}
    xseg.governance.approval.approve(segmenter, **asked, state="reviewed", expires=DAY + timedelta(2), at=NOW)
    with pytest.raises(ApprovalError, match="or that has ended"):
        xseg.governance.approval.approve(segmenter, **asked, at=NOW + timedelta(2))
    xseg.governance.approval.approve(segmenter, **asked, at=NOW + timedelta(1))


def test_a_clock_that_goes_back_approves_nothing_and_takes_back_all_the_same(tree, tmp_path):
    _, segmenter = tree
    xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=REVIEW, state="reviewed", at=NOW)
    with pytest.raises(ApprovalError, match="check the clock"):
        xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=REVIEW, at=NOW - HOUR)
    xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=REVIEW, at=NOW)
    xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=REVIEW, state="draft", at=NOW - HOUR)
    assert xseg.export.get_approval(segmenter, at=DAY).state == "draft"
    xseg.save(segmenter, tmp_path / "m.json")
    with pytest.raises(ApprovalError, match="a draft, and approved is required"):
        xseg.load(tmp_path / "m.json", require="approved", at=DAY)


def test_an_authentication_code_is_asked_for_where_there_is_a_key(tree, tmp_path):
    _, segmenter = tree
    path = tmp_path / "m.json"
    approved(segmenter, key=b"secret")
    xseg.save(segmenter, path)
    assert (
        xseg.export.get_approval(xseg.load(path, require="approved", key=b"secret", at=DAY), at=DAY).state == "approved"
    )
    assert "secret" not in path.read_text()
    with pytest.raises(ApprovalError, match="no message authentication code under this key"):
        xseg.load(path, require="approved", key=b"other", at=DAY)
    # Whoever can write the file can sign in any name, and not with the key.
    restore_sign_offs(segmenter, [])
    approved(segmenter)
    xseg.save(segmenter, path)
    xseg.load(path, require="approved", at=DAY)
    with pytest.raises(ApprovalError, match="no message authentication code under this key"):
        xseg.load(path, require="approved", key=b"secret", at=DAY)


def test_an_approval_ends_and_begins(tree, tmp_path):
    _, segmenter = tree
    approved(segmenter, expires=DAY + timedelta(2))
    xseg.save(segmenter, tmp_path / "m.json")
    for days, holds in ((-1, False), (0, True), (1, True), (2, False), (300, False)):
        day = DAY + timedelta(days)
        assert (xseg.export.get_approval(segmenter, at=day).state == "approved") == holds
        if holds:
            xseg.load(tmp_path / "m.json", require="approved", at=day)
        else:
            with pytest.raises(ApprovalError, match=r"ended on 2026-11-26|counts from 2026-11-24 on"):
                xseg.load(tmp_path / "m.json", require="approved", at=day)


BAD = [
    {"by": ""},
    {"by": None},
    {"review": "abc"},
    {"review": None},
    {"review": "AB" * 32},
    {"state": "final"},
    {"state": None},
    {"at": datetime(2026, 11, 24)},
    {"at": DAY},
    {"expires": DAY},
    {"expires": NOW + timedelta(9)},
    {"expires": "2030-01-01"},
    {"state": "approved"},
    {"state": "approved", "review": "cd" * 32},
]


@pytest.mark.slow
@pytest.mark.parametrize("change", BAD)
def test_bad_sign_offs_are_refused(tree, change):
    _, segmenter = tree
    if "review" in change:
        xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=REVIEW, state="reviewed", at=NOW)
    with pytest.raises(ApprovalError):
        xseg.governance.approval.approve(
            segmenter, **{"by": "Ada Marsh", "review": REVIEW, "state": "reviewed", "at": NOW, **change}
        )
    assert xseg.export.get_approval(segmenter, at=DAY).state != "approved"


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"by": 3}, {"at": 3}, {"at": "yesterday"}, {"at": "2026-01-01"}, {"expires": 3},
                                    {"state": []}, {"digest": None}, {"by": object()}, {"mac": 3}])  # fmt: skip
def test_what_is_malformed_makes_a_draft(tree, change):
    _, segmenter = tree
    approved(segmenter)
    restore_sign_offs(segmenter, [replace(sign_off, **change) for sign_off in segmenter.sign_offs_])
    assert xseg.export.get_approval(segmenter, at=NOW).state == "draft"


def test_the_day_may_have_a_time_and_must_be_one(tree):
    _, segmenter = tree
    approved(segmenter)
    assert xseg.export.get_approval(segmenter, at=NOW).state == "approved"
    with pytest.raises(ParameterError, match="at must be a date or None, got 'today'"):
        xseg.export.get_approval(segmenter, at="today")


def test_what_is_not_a_model_cannot_be_signed(tmp_path, tree):
    with pytest.raises(NotFittedError):
        xseg.governance.approval.approve(xseg.TreeSegmenter(), by="a", review=REVIEW)
    xseg.save(tree[1], tmp_path / "m.json")
    with pytest.raises(ApprovalError, match="require is 'final'"):
        xseg.load(tmp_path / "m.json", require="final")


@pytest.mark.slow
def test_pipelines_carry_approvals_too(tmp_path):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 2)), columns=["a", "b"])
    steps = make_column_transformer((StandardScaler(), ["a", "b"]), verbose_feature_names_out=False)
    pipeline = make_pipeline(steps.set_output(transform="pandas"), xseg.TreeSegmenter(3, random_state=0)).fit(X)
    approved(pipeline)
    assert xseg.make_cards(pipeline, X.head(1), at=NOW)[0].approval == "approved"
    xseg.save(pipeline, tmp_path / "m.json")
    xseg.load(tmp_path / "m.json", require="approved", at=DAY)


def test_cards_say_that_a_draft_is_not_approved(tree):
    customers, segmenter = tree
    said = {"en": "This model is not approved.", "de": "Dieses Modell ist nicht freigegeben."}
    for locale, words in said.items():
        restore_sign_offs(segmenter, [])
        card = xseg.make_cards(segmenter, customers.head(1), locale=locale, at=NOW)[0]
        assert card.approval == "draft"
        assert all(words in form for form in (card.text(), card.html(), card.markdown(), card.email()))
        xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=REVIEW, state="reviewed", at=NOW)
        assert words in xseg.make_cards(segmenter, customers.head(1), locale=locale, at=NOW)[0].text()
        xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=REVIEW, at=NOW)
        card = xseg.make_cards(segmenter, customers.head(1), locale=locale, at=NOW)[0]
        assert card.approval == "approved"
        assert words not in card.text()
    record_without = json.loads(card.json())
    record_without.pop("checksum")
    record_without.pop("approval")
    assert xseg.cards.Card.from_facts(record_without).approval == "draft"


def test_pages_about_segments_say_so_too_and_a_folder_of_cards_is_of_one_state(tree, tmp_path):
    customers, segmenter = tree
    some = {"ids": ["a", "b"], "at": NOW}
    page = xseg.segment_card(segmenter, segment=0)
    assert "This model is not approved." in page.text()
    assert "This model is not approved." in page.html()
    xseg.cards.write_cards(segmenter, customers.head(2), folder=tmp_path, **some)
    approved(segmenter, at=datetime(2026, 1, 1, tzinfo=UTC))
    assert "not approved" not in xseg.segment_card(segmenter, segment=0).text()
    with pytest.raises(DataError, match="differs in: state of approval"):
        xseg.cards.write_cards(segmenter, customers.head(2), folder=tmp_path, **some)
    xseg.cards.write_cards(segmenter, customers.head(2), folder=tmp_path / "new", **some)
    assert "not approved" not in (tmp_path / "new" / "a.html").read_text()


def test_cards_are_proven_with_what_the_model_was_when_they_were_made(tree):
    customers, segmenter = tree
    row = customers.dropna().head(1)

    def card_on(day):
        return xseg.make_cards(segmenter, row, at=datetime(day.year, day.month, day.day, 12, tzinfo=UTC))[0]

    before, same_day = card_on(DAY - timedelta(1)), card_on(DAY)
    approved(segmenter, expires=DAY + timedelta(10))
    after, ended = card_on(DAY + timedelta(1)), card_on(DAY + timedelta(10))
    assert [card.approval for card in (before, same_day, after, ended)] == ["draft", "draft", "approved", "draft"]
    for card in (before, same_day, after, ended, card_on(DAY)):
        assert xseg.verify_card(segmenter, row, card=card).holds
        other = "draft" if card.approval == "approved" else "approved"
        if card.issued != DAY:
            forged = card.model_copy(update={"approval": other})
            assert [failure.fact for failure in xseg.verify_card(segmenter, row, card=forged).failures] == ["approval"]


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(["reviewed", "approved", "draft"]), st.sampled_from("ab"),
                                st.integers(0, 4), st.one_of(st.none(), st.integers(1, 4))), max_size=5),
       day=st.integers(0, 8))  # fmt: skip
def test_the_last_word_that_counts_is_what_a_model_is(steps, day):
    own = "0" * 64
    written, at = [], 0
    for state, review, later, lasts in steps:
        at += later
        ends = None if lasts is None else DAY + timedelta(at + lasts)
        moment = NOW + timedelta(at)
        one = create_sign_off(own, state, by="a", review=64 * review, at=moment, expires=ends, key=None)
        written += [] if one in written else [one]
    today, expected, sound = DAY + timedelta(day), "draft", None
    for one in [one for one in written if one.day <= today]:
        rests = sound is not None and sound.review == one.review and not sound.has_expired(one.day)
        expected = one.state if one.state != "approved" or rests else "draft"
        expected = "draft" if one.has_expired(today) else expected
        if one.state != "approved":
            sound = one if one.state == "reviewed" else None
    assert evaluate_sign_offs(written, own, today).state == expected
    assert evaluate_sign_offs(written, "1" * 64, today).state == "draft"
    assert all(asdict(one)["mac"] is None for one in written)
