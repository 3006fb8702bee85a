"""A sign-off rests on a review of this model, of these days, as it was written; what it found can forbid it."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xseg
from xseg.exceptions import ApprovalError
from xseg.governance.approval import _SEVERITIES, approve, read_review
from xseg.governance.reviews import SEVERITIES

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CUSTOMERS = xseg.make_customers(400, random_state=0)


@pytest.fixture(scope="module")
def model():
    return xseg.TreeSegmenter(3, random_state=0).fit(CUSTOMERS)


@pytest.fixture
def segmenter(model):
    """The same model, with nothing signed."""
    yield model
    model.__dict__.pop("sign_offs_", None)


@pytest.fixture(scope="module")
def review(model):
    return xseg.governance.reviews.review(
        model, policy=xseg.datasets.customers_policy().model_copy(update={"recipients": ()}), at=NOW, random_state=0
    )


def test_severities_are_those_of_reviews():
    assert _SEVERITIES == SEVERITIES


def test_every_form_of_a_review_has_its_digest_and_is_checked(segmenter, review, tmp_path):
    review.save(tmp_path / "r.json")
    other = xseg.governance.reviews.review(
        xseg.TreeSegmenter(4, random_state=0).fit(CUSTOMERS),
        policy=xseg.datasets.customers_policy(),
        at=NOW,
        random_state=0,
    )
    other.save(tmp_path / "o.json")
    forms = {
        "itself": (review, other),
        "file": (read_review(tmp_path / "r.json"), read_review(tmp_path / "o.json")),
        "bytes of the file": ((tmp_path / "r.json").read_bytes(), (tmp_path / "o.json").read_bytes()),
        "canonical bytes": (review.canonical(), other.canonical()),
    }
    for own, strange in forms.values():
        segmenter.sign_offs_ = ()
        for state in ("reviewed", "approved"):
            assert approve(segmenter, by="Ada Marsh", review=own, state=state, at=NOW).review == review.digest
        for state in ("reviewed", "approved", "draft"):
            with pytest.raises(ApprovalError, match="the review is of model"):
                approve(segmenter, by="Ada Marsh", review=strange, state=state, at=NOW)


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (timedelta(seconds=-1), "which has not come yet"),
        (timedelta(days=30), None),
        (timedelta(days=30, seconds=1), "more than 30 days ago; review the model again"),
        (timedelta(days=4_000), "more than 30 days ago"),
    ],
)
def test_a_review_is_of_these_days(segmenter, review, later, said):
    asked = {"by": "Ada Marsh", "review": review, "at": NOW + later}
    for state in ("reviewed", "approved"):
        if said is None:
            approve(segmenter, state=state, **asked)
        else:
            with pytest.raises(ApprovalError, match=said):
                approve(segmenter, state=state, **asked)
    # Nobody is kept from taking an approval back.
    approve(segmenter, state="draft", **asked)
    assert xseg.export.get_approval(segmenter, at=NOW + later).state == "draft"


def test_a_review_without_a_time_zone_and_an_odd_age_are_refused(segmenter, review):
    asked = {"by": "Ada Marsh", "state": "reviewed", "at": NOW}
    with pytest.raises(ApprovalError, match="without a time zone"):
        approve(segmenter, review=replace(review, created=NOW.replace(tzinfo=None)), **asked)
    for days in (-1, True, 1.5, None, "30"):
        with pytest.raises(ApprovalError, match="give a number of days"):
            approve(segmenter, review=review, max_age_days=days, **asked)
    with pytest.raises(ApprovalError, match="severities of findings are note, warning, error"):
        approve(segmenter, review=review, forbids="grave", **asked)


def test_what_a_review_found_forbids_an_approval(segmenter):
    found = xseg.governance.reviews.review(segmenter, policy=xseg.Policy(), at=NOW, random_state=0)
    assert found.at_least("error")
    for given_as in (found, found.canonical(), found.json().encode()):
        approve(segmenter, by="Ada Marsh", review=given_as, state="reviewed", at=NOW)
        with pytest.raises(ApprovalError, match=r"(?s)forbids an approval.*error: .*\[undeclared-feature:"):
            approve(segmenter, by="Ada Marsh", review=given_as, at=NOW)
        assert xseg.export.get_approval(segmenter, at=NOW).state == "reviewed"
        segmenter.sign_offs_ = ()


def test_a_company_may_ask_for_more_than_no_errors(segmenter, review):
    assert not review.at_least("error")
    assert review.at_least("warning")
    approve(segmenter, by="Ada Marsh", review=review, state="reviewed", at=NOW)
    for forbids in ("warning", "note"):
        with pytest.raises(ApprovalError, match="forbids an approval"):
            approve(segmenter, by="Ada Marsh", review=review, forbids=forbids, at=NOW)
    approve(segmenter, by="Ada Marsh", review=review, forbids="error", at=NOW)


def test_any_altered_character_is_found(review, tmp_path):
    path = tmp_path / "r.json"
    review.save(path)
    said = json.loads(path.read_text())
    changes = {
        "model": "0" * 64,
        "policy": "0" * 64,
        "created": "2026-11-25T12:00:00+00:00",
        "findings": [],
        "digest": "0" * 64,
        "extra": 1,
    }
    for name, value in changes.items():
        path.write_text(json.dumps(said | {name: value}))
        with pytest.raises(ApprovalError, match="altered after it was written"):
            read_review(path)
    said["findings"][0]["severity"] = "error"
    path.write_text(json.dumps(said))
    with pytest.raises(ApprovalError, match="altered"):
        read_review(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_review_is_refused_or_says_the_same(review, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("r") / "r.json"
    text = review.json()
    place = data.draw(st.integers(0, len(text)))
    cut, put = data.draw(st.integers(0, 5)), data.draw(st.text(max_size=3))
    path.write_text(text[:place] + put + text[place + cut :], errors="replace")
    with suppress(ApprovalError):
        assert read_review(path).digest == review.digest


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a review in JSON"),
        (b"\xff\xfe", "not a review in JSON"),
        (b"[]", "not a review in JSON"),
        (b"[" * 100_000, "not a review in JSON"),
        (b'{"format": "xseg-model"}', "not a review in JSON"),
        (b'{"format": "xseg-review", "version": NaN}', "not a review in JSON"),
        (b'{"format": "xseg-review", "format": "xseg-review"}', "not a review in JSON"),
        (b'{"format": "xseg-review", "version": 1}', "has no digest"),
        (b'{"format": "xseg-review", "version": 1, "digest": 3}', "altered"),
    ],
)
def test_what_is_no_review_is_refused(tmp_path, content, said):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(ApprovalError, match=said):
        read_review(tmp_path / "r.json")


def test_a_review_that_lacks_something_is_refused_though_its_digest_fits(segmenter, review):
    for change in (
        {"version": 3},
        {"created": "yesterday"},
        {"created": "2026-11-24T12:00:00"},
        {"findings": [{"id": "a"}]},
    ):
        said = review.record() | change
        with pytest.raises(ApprovalError, match=f"the review: {next(iter(change))}"):
            approve(segmenter, by="Ada Marsh", review=json.dumps(said).encode(), state="reviewed", at=NOW)


def test_missing_and_giant_files(tmp_path):
    with pytest.raises(ApprovalError, match="cannot read the review"):
        read_review(tmp_path / "none.json")
    with (tmp_path / "giant.json").open("wb") as stream:
        stream.truncate(17 * 2**20)
    with pytest.raises(ApprovalError, match="larger than 16 MiB"):
        read_review(tmp_path / "giant.json")
