"""A check from outside the package: it is made, reported and written like those of xseg."""

import json

import pytest

import xseg
from xseg.exceptions import ParameterError
from xseg.governance.reviews import CHECKS, Check, FindingDraft, review


def find_column_labels(subject):
    """Find used columns whose label is the name of a column."""
    for name in subject.used:
        label = subject.policy.feature(name).label or name
        if "_" in label:
            yield FindingDraft("warning", f"features.{name}", f"{label} is no label.", "write words")


OWN = Check("column-label", "Every label can be understood.", find_column_labels)


@pytest.fixture(scope="module")
def found():
    customers = xseg.make_customers(500, random_state=0)
    segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    return review(segmenter, policy={}, checks=(*CHECKS, OWN), random_state=0)


def test_its_findings_stand_beside_the_others(found):
    own = [finding for finding in found.findings if finding.check == "column-label"]
    assert own
    assert {finding.check for finding in found.findings} > {"column-label"}
    assert found.checked[-1] == "column-label"


def test_it_is_written_to_every_form(found):
    [run] = json.loads(found.sarif())["runs"]
    assert "Every label can be understood." in json.dumps(run["tool"])
    assert any("column-label" in result["ruleId"] for result in run["results"])
    assert "Every label can be understood." in found.html()


def test_only_the_checks_that_are_named_are_made(found):
    customers = xseg.make_customers(300, random_state=0)
    segmenter = xseg.TreeSegmenter(n_segments=2, random_state=0).fit(customers)
    assert review(segmenter, policy={}, checks=[OWN], random_state=0).checked == ("column-label",)
    with pytest.raises(ParameterError, match="different keys"):
        review(segmenter, policy={}, checks=[OWN, OWN], random_state=0)
