"""`xseg approve` signs for the model that was reviewed, and leaves the file as it was whenever it does not."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

import xseg
from xseg.cli import app
from xseg.exceptions import ApprovalError
from xseg.export._sign_offs import restore_sign_offs

NOW = datetime.now(UTC)
POLICY = xseg.datasets.customers_policy()


def call(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def shop(tmp_path):
    customers = xseg.make_customers(300, random_state=0)
    customers.to_csv(tmp_path / "customers.csv", index_label="customer_id")
    POLICY.save(tmp_path / "policy.yaml")
    segmenter = xseg.TreeSegmenter(3, random_state=0).fit(customers)
    xseg.save(segmenter, tmp_path / "model.json")
    xseg.governance.reviews.review(segmenter, policy=POLICY, random_state=0).save(tmp_path / "review.json")
    return tmp_path


def sign(shop, *words, review="review.json", by="Ada Marsh"):
    return call("approve", shop / "model.json", "--review", shop / review, "--by", by, *words)


def test_a_model_is_reviewed_and_then_approved(shop):
    model, before = shop / "model.json", xseg.export.fingerprint(xseg.load(shop / "model.json"))
    assert "is reviewed: signed by Ada Marsh" in sign(shop, "--state", "reviewed").output
    xseg.load(model, require="reviewed")
    ends = (NOW + timedelta(90)).date()
    said = sign(shop, "--expires", ends).output
    assert "is approved: signed by Ada Marsh" in said
    assert f"until {ends}" in said
    approved = xseg.load(model, require="approved")
    assert xseg.export.fingerprint(approved) == before
    assert {one.review for one in xseg.export.get_approval(approved).sign_offs} == {
        json.loads((shop / "review.json").read_text())["digest"]
    }
    assert "is draft" in sign(shop, "--state", "draft").output
    with pytest.raises(ApprovalError):
        xseg.load(model, require="approved")


def other_model(shop):
    customers = xseg.make_customers(300, random_state=1)
    xseg.governance.reviews.review(
        xseg.TreeSegmenter(3, random_state=0).fit(customers), policy=POLICY, random_state=0
    ).save(shop / "review.json")


def review_of(days=0, policy=POLICY):
    def make(shop):
        segmenter = xseg.load(shop / "model.json")
        xseg.governance.reviews.review(segmenter, policy=policy, at=NOW + timedelta(days=days), random_state=0).save(
            shop / "review.json"
        )

    return make


def edited(shop):
    said = json.loads((shop / "review.json").read_text())
    (shop / "review.json").write_text(json.dumps(said | {"findings": []}))


def as_page(shop):
    xseg.governance.reviews.review(xseg.load(shop / "model.json"), policy=POLICY, random_state=0).save(
        shop / "review.json", "html"
    )


def gone(shop):
    (shop / "review.json").unlink()


BAD = [
    (other_model, ["--state", "reviewed"], "the review is of model"),
    (review_of(days=-31), ["--state", "reviewed"], "more than 30 days ago"),
    (review_of(days=-3), ["--state", "reviewed", "--max-age-days", 2], "more than 2 days ago"),
    (review_of(days=1), ["--state", "reviewed"], "has not come yet"),
    (review_of(policy=xseg.Policy()), [], "what the review found forbids an approval"),
    (review_of(policy=POLICY.model_copy(update={"recipients": ()})), ["--forbids", "warning"], "who receives"),
    (review_of(), [], "was not reviewed by review"),
    (review_of(), ["--state", "final"], "state is 'final'"),
    (review_of(), ["--state", "reviewed", "--forbids", "grave"], "forbids is 'grave'"),
    (review_of(), ["--state", "reviewed", "--expires", "2001-01-01"], "it would expire on 2001-01-01"),
    (edited, ["--state", "reviewed"], "altered after it was written"),
    (as_page, ["--state", "reviewed"], "not a review in JSON"),
    (gone, ["--state", "reviewed"], "cannot read the review"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("prepare", "words", "said"), BAD)
def test_what_is_refused_leaves_the_file_as_it_was(shop, prepare, words, said):
    prepare(shop)
    before = (shop / "model.json").read_bytes()
    with pytest.raises(ApprovalError, match=said):
        sign(shop, *words)
    assert (shop / "model.json").read_bytes() == before


@pytest.mark.parametrize("by", ["", "  "])
def test_a_name_is_needed(shop, by):
    with pytest.raises(ApprovalError, match="write the name of a person"):
        sign(shop, "--state", "reviewed", by=by)
    assert call("approve", shop / "model.json", "--review", shop / "review.json").exit_code == 2
    assert call("approve", shop / "model.json", "--by", "Ada Marsh").exit_code == 2


def test_an_old_approval_does_not_make_a_new_model_approved(shop):
    sign(shop, "--state", "reviewed")
    sign(shop)
    signed = json.loads((shop / "model.json").read_text())["sign_offs"]
    call("fit", shop / "customers.csv", "--segments", 4, "--out", shop / "model.json", "--id-column", "customer_id")
    with pytest.raises(ApprovalError, match="the review is of model"):
        sign(shop)
    document = json.loads((shop / "model.json").read_text())
    (shop / "model.json").write_text(json.dumps(document | {"sign_offs": signed}))
    with pytest.raises(ApprovalError, match="it was given to model"):
        sign(shop)


def test_commands_refuse_what_is_less_than_required(shop):
    table, model = shop / "customers.csv", shop / "model.json"
    ids = ["--id-column", "customer_id"]
    commands = [
        ["explain", model, table],
        ["cards", model, table, *ids, "--out", shop / "cards", "--form", "json"],
        [
            "profile",
            model,
            table,
            *ids,
            "--policy",
            shop / "policy.yaml",
            "--purpose",
            "offers",
            "--subject",
            "C000007",
        ],
    ]
    for words in commands:
        with pytest.raises(ApprovalError, match="a draft, and approved is required"):
            call(*words, "--require", "approved")
        with pytest.raises(ApprovalError, match="require is 'final'"):
            call(*words, "--require", "final")
    assert not (shop / "cards").exists()
    for state in ("reviewed", "approved"):
        sign(shop, "--state", state)
    for words in commands[:2]:
        assert call(*words, "--require", "approved").exit_code == 0
    assert json.loads(next((shop / "cards").glob("C*.json")).read_text())["approval"] == "approved"


def test_signing_is_exporting(shop, monkeypatch):
    place = shop / "place.yaml"
    xseg.governance.environments.Environment(name="elsewhere", hosts=["no such machine"]).save(place)
    monkeypatch.setenv("XSEG_ENVIRONMENT", str(place))
    before = (shop / "model.json").read_bytes()
    with pytest.raises(xseg.exceptions.ApprovalError, match="export is allowed only"):
        sign(shop, "--state", "reviewed")
    assert (shop / "model.json").read_bytes() == before


def test_what_is_signed_in_the_file_stays(shop):
    segmenter = xseg.load(shop / "model.json")
    restore_sign_offs(segmenter, [])
    xseg.governance.approval.approve(
        segmenter, by="Ben Holt", review=b"seen", state="reviewed", at=NOW - timedelta(days=3)
    )
    xseg.save(segmenter, shop / "model.json")
    sign(shop, "--state", "reviewed")
    names = [one.by for one in xseg.export.get_approval(xseg.load(shop / "model.json")).sign_offs]
    assert names == ["Ben Holt", "Ada Marsh"]
