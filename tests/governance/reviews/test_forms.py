"""Reviews as files: the same bytes for the same review, and forms that other machines read."""

import hashlib
import json
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import xseg
from review_cases import NOW, clean_case
from xseg.cli import app
from xseg.exceptions import ConsentError, DataError, DefinitionError, NotFittedError, ParameterError, XsegError
from xseg.governance import consent
from xseg.governance.reviews import CHECKS, SEVERITIES
from xseg.policy import Policy


@pytest.fixture(scope="module")
def clean():
    return clean_case()


@pytest.fixture(scope="module")
def review(clean):
    policy = {**clean.policy, "recipients": []}
    return xseg.governance.reviews.review(
        clean.segmenter, policy=policy, notice="We do not use your <b>income</b>.\n", at=NOW, random_state=0
    )


def test_what_is_signed_is_canonical_and_dated(clean, review):
    record = json.loads(review.canonical())
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert text.encode() == review.canonical()
    assert hashlib.sha256(review.canonical()).hexdigest() == review.digest
    assert record["created"] == "2026-11-24T00:00:00+00:00"
    assert record["model"] == xseg.export.fingerprint(clean.segmenter)
    assert record["policy"] == review.policy
    whole = json.loads(review.json())
    assert whole.pop("digest") == review.digest
    assert whole == record


@pytest.mark.slow
def test_the_same_review_has_the_same_bytes_and_another_day_or_policy_has_others(clean):
    def made(policy=clean.policy, now=NOW, **given):
        return xseg.governance.reviews.review(clean.segmenter, policy=policy, at=now, random_state=0, **given)

    assert made().canonical() == made(now=NOW.astimezone(timezone(timedelta(hours=5)))).canonical()
    assert made().digest != made(now=NOW + timedelta(seconds=1)).digest
    assert made().digest != made({**clean.policy, "minimum_group_size": 51}).digest
    once, again = (made(X=clean.table, n_permutations=1_000).canonical() for _ in range(2))
    assert once == again


def test_sarif_has_what_the_standard_asks_for(review):
    log = json.loads(review.sarif())
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "xseg"
    identifiers = [rule["id"] for rule in driver["rules"]]
    assert identifiers == [check.key for check in CHECKS]
    assert len(set(identifiers)) == len(identifiers)
    assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
    assert len(run["results"]) == len(review.findings)
    for result, finding in zip(run["results"], review.findings, strict=True):
        assert result["level"] in {"none", "note", "warning", "error"}
        assert identifiers[result["ruleIndex"]] == result["ruleId"] == finding.check
        assert finding.message in result["message"]["text"]
        [location] = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"]
        assert location["logicalLocations"][0]["fullyQualifiedName"] == finding.location
        assert result["partialFingerprints"] == {"xsegFinding/v1": finding.id}
    [invocation] = run["invocations"]
    assert invocation["executionSuccessful"] is True
    datetime.fromisoformat(invocation["endTimeUtc"])
    skipped = {note["associatedRule"]["id"] for note in invocation["toolExecutionNotifications"]}
    assert skipped == set(review.not_checked)


SARIF = json.loads(Path(__file__).with_name("sarif.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("given", ["everything", "nothing", "an odd policy"])
def test_sarif_fits_the_standard(clean, review, given, tmp_path):
    if given == "everything":
        review = clean.review(n_permutations=1_000)
    elif given == "an odd policy":
        policy = {**clean.policy, "features": {"x {0} [y](1) \\ <b>é</b>": {"source": "inferred"}}}
        Policy(**policy).save(tmp_path / "a policy, ünd more.yaml")
        review = xseg.governance.reviews.review(
            clean.segmenter, policy=tmp_path / "a policy, ünd more.yaml", random_state=0
        )
    log = json.loads(review.sarif())
    checker = jsonschema.Draft202012Validator(SARIF, format_checker=jsonschema.FormatChecker())
    assert [error.message for error in checker.iter_errors(log)] == []
    [run] = log["runs"]
    notes = run["invocations"][0]["toolExecutionNotifications"]
    messages = [one["message"]["text"] for one in [*run["results"], *notes]]
    for text in messages:
        # Placeholders and links are syntax in messages (3.11.5 and 3.11.6), and there are no arguments to fill in.
        bare = text.replace("{{", "").replace("}}", "")
        assert not {"{", "}"} & set(bare)
        assert "](" not in text
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert {note["associatedRule"]["id"] for note in notes} <= set(rules)
    fingerprints = [one["partialFingerprints"]["xsegFinding/v1"] for one in run["results"]]
    assert len(set(fingerprints)) == len(fingerprints)
    if given == "an odd policy":
        uris = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]}
        assert uris == {(tmp_path / "a policy, ünd more.yaml").as_uri()}


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen, self.links = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.links += [value for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "br", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_and_says_every_finding(review):
    page = review.html()
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert "script" not in tags.seen
    assert tags.links == []
    assert "default-src 'none'" in page
    for finding in review.findings:
        assert f"<code>{finding.id}</code>".replace("&", "&amp;") in page
    assert review.digest in page
    assert "<b>income</b>" not in page
    assert review._repr_html_().count("<html") == 0


def test_findings_are_ordered_and_counted(review):
    order = [SEVERITIES.index(finding.severity) for finding in review.findings]
    assert order == sorted(order, reverse=True)
    assert len(review.at_least("note")) == len(review.findings)
    assert {finding.severity for finding in review.at_least("error")} == {"error"}
    assert sum(number for number, _ in review.figures) == len(review.findings)
    with pytest.raises(ParameterError, match="'warning'"):
        review.at_least("warnin")


@pytest.mark.parametrize("form", ["html", "json", "sarif"])
def test_saved_is_what_is_shown(review, tmp_path, form):
    review.save(tmp_path / f"review.{form}")
    review.save(tmp_path / "review.out", form)
    written = (tmp_path / f"review.{form}").read_text(encoding="utf-8")
    assert written == review.text(form) == (tmp_path / "review.out").read_text(encoding="utf-8")


def test_what_cannot_be_saved_is_refused(review, tmp_path):
    with pytest.raises(ParameterError, match="html, json, sarif"):
        review.save(tmp_path / "review.pdf")
    with pytest.raises(XsegError, match="cannot write"):
        review.save(tmp_path / "no folder" / "review.html")


class Ledger:
    def __init__(self, answer):
        self.answer = answer

    def mask(self, subjects, purpose, *, at=None):
        return self.answer(len(subjects))


@pytest.mark.parametrize(
    ("given", "error", "found"),
    [
        ({"n_permutations": 999}, ParameterError, "1,000"),
        ({"n_permutations": 2e3}, ParameterError, "2000"),
        ({"random_state": -1}, ParameterError, "at least 0"),
        ({"at": datetime(2026, 1, 1)}, ParameterError, "time zone"),
        ({"policy": {"featurez": {}}}, DefinitionError, "features"),
        ({"ledger": Ledger(np.ones)}, ParameterError, "give X"),
    ],
)
def test_bad_input_is_refused(clean, given, error, found):
    with pytest.raises(error, match=found):
        xseg.governance.reviews.review(**{"segmenter": clean.segmenter, "policy": clean.policy} | given)


def test_bad_people_are_refused(clean):
    def review(X, **given):
        return xseg.governance.reviews.review(clean.segmenter, X, policy=clean.policy, at=NOW, **given)

    with pytest.raises(DataError, match="orders_90d"):
        review(clean.table.drop(columns="orders_90d"))
    with pytest.raises(DataError, match="0 sample"):
        review(clean.table.head(0))
    with pytest.raises(DataError, match="2 ids"):
        review(clean.table, ledger=clean.ledger, ids=["a", "b"])
    import polars

    with pytest.raises(ParameterError, match="ids="):
        review(polars.from_pandas(clean.table), ledger=clean.ledger)
    for answer in (np.ones, lambda n: np.ones(n - 1, dtype=bool), lambda n: [None] * n):
        with pytest.raises(ParameterError, match="yes or no"):
            review(clean.table.head(60), ledger=Ledger(answer))


def test_a_model_that_is_not_fitted_is_refused(clean):
    with pytest.raises(NotFittedError):
        xseg.governance.reviews.review(xseg.TreeSegmenter(), policy=clean.policy, random_state=0)


@pytest.mark.parametrize("rows", [1, 2, 3, 60])
def test_few_people_are_no_trouble(clean, rows):
    review = xseg.governance.reviews.review(
        clean.segmenter, clean.table.head(rows), policy=clean.policy, at=NOW, n_permutations=1_000, random_state=0
    )
    assert not [finding for finding in review.findings if finding.check in {"proxy", "group-rate"} and rows < 50]


def test_a_policy_that_claims_nothing_and_one_of_another_table_are_reviewed(clean):
    review = xseg.governance.reviews.review(clean.segmenter, clean.table, policy=Policy(), at=NOW, random_state=0)
    assert {"undeclared-feature", "source", "purpose-missing", "controller", "recipients"} <= {
        finding.check for finding in review.at_least("warning")
    }
    other = xseg.governance.reviews.review(
        clean.segmenter, clean.table, policy={"features": {"height": {"source": "inferred"}}}, at=NOW, random_state=0
    )
    assert "unused-feature:features.height" in {finding.id for finding in other.at_least("warning")}


@pytest.fixture
def files(clean, tmp_path):
    xseg.save(clean.segmenter, tmp_path / "model.json")
    Policy(**clean.policy).save(tmp_path / "policy.yaml")
    clean.table.to_csv(tmp_path / "table.csv", index_label="customer_id")
    (tmp_path / "privacy.html").write_text(clean.notice, encoding="utf-8")
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, ["review", *map(str, words)], env={"COLUMNS": "200"})


@pytest.mark.slow
def test_the_command_line_exits_by_severity(files):
    model, policy = files / "model.json", files / "policy.yaml"
    given = ["--data", files / "table.csv", "--id-column", "customer_id", "--notice", files / "privacy.html"]
    result = run(model, "--policy", policy, *given, "--out", files / "review.html", "--fail-on", "warning")
    assert result.exit_code == 0, result.output
    assert (files / "review.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run(model, "--policy", policy, "--fail-on", "note").exit_code == 1
    assert run(model, "--policy", policy, "--fail-on", "never").exit_code == 0
    (files / "privacy.html").write_text("<p>Nothing.</p>")
    failed = run(model, "--policy", policy, "--notice", files / "privacy.html")
    assert failed.exit_code == 1
    assert "notice-feature:features.orders_90d" in failed.output


def test_the_command_line_prints_what_other_machines_read(files):
    result = run(files / "model.json", "--policy", files / "policy.yaml", "--format", "sarif")
    assert json.loads(result.stdout)["version"] == "2.1.0"
    with pytest.raises(ParameterError, match="note, warning, error, never"):
        raise run(files / "model.json", "--policy", files / "policy.yaml", "--fail-on", "fatal").exception


@pytest.fixture
def ledger(files, clean):
    kept = consent.Ledger()
    people = pd.DataFrame({"subject": clean.table.index, "purpose": "offers", "granted": True, "at": NOW})
    kept.append_table(people, source="account")
    kept.save(files / "ledger.csv")
    return kept


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_command_line_asks_a_ledger(files, clean, ledger, ending):
    model, policy, data = files / "model.json", files / "policy.yaml", files / "table.csv"
    path = files / f"ledger.{ending}"
    given = [model, "--policy", policy, "--data", data, "--id-column", "customer_id", "--ledger", path]
    ledger.save(path)
    result = run(*given)
    assert result.exit_code == 0, result.output
    assert "Consent was not checked" not in result.output
    ledger.append(clean.table.index[7], "offers", "withdrawn", source="account")
    ledger.save(path)
    result = run(*given)
    assert result.exit_code == 1
    assert "1 of 1,500 people have not agreed to 'offers'. [consent:purposes.offers]" in result.output


@pytest.mark.slow
def test_the_command_line_says_what_a_ledger_lacks(files, ledger):
    given = [files / "model.json", "--policy", files / "policy.yaml"]
    data, column, agreed = ["--data", files / "table.csv"], ["--id-column", "customer_id"], ["--ledger", "ledger.csv"]
    for options, lacking in [
        ([*data, *agreed], "--ledger ledger.csv was given and no --id-column"),
        ([*column, *agreed], "--ledger ledger.csv was given and no --data"),
        (agreed, "no --id-column"),
        (column, "--id-column customer_id was given and no --data"),
    ]:
        with pytest.raises(ParameterError, match=lacking):
            raise run(*given, *options).exception
    assert "Consent was not checked: no --ledger was given." in run(*given, *data, *column).output
    assert json.loads(run(*given, *data, *column, "--format", "json").stdout)["not_checked"]["consent"]


def test_nobody_without_a_name_is_looked_up(files, ledger):
    lines = (files / "table.csv").read_text(encoding="utf-8").splitlines()
    lines[4] = "," + lines[4].partition(",")[2]
    (files / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    given = ["--data", files / "table.csv", "--id-column", "customer_id", "--ledger", files / "ledger.csv"]
    with pytest.raises(ParameterError, match="row 3 has no 'customer_id'"):
        raise run(files / "model.json", "--policy", files / "policy.yaml", *given).exception


def test_the_command_line_refuses_a_forged_ledger(files, ledger):
    frame = ledger.to_frame()
    frame.loc[3, "subject"] = "somebody else"
    frame.to_parquet(files / "ledger.parquet")
    given = ["--data", files / "table.csv", "--id-column", "customer_id", "--ledger", files / "ledger.parquet"]
    with pytest.raises(ConsentError, match="entry 3 was edited"):
        raise run(files / "model.json", "--policy", files / "policy.yaml", *given).exception
