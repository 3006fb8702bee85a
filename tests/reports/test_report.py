"""A report says what the model is."""

import pytest

import xseg
from xseg.exceptions import NotFittedError, PolicyError


@pytest.fixture(scope="module")
def segmenter():
    return xseg.TreeSegmenter(4, max_leaves=6, random_state=0).fit(xseg.make_customers(800, random_state=0))


def leaves(node):
    if node.segment is not None:
        return [node]
    return [leaf for _, child in node.branches for leaf in leaves(child)]


def test_everything_about_the_model_is_there(segmenter):
    report = xseg.make_report(segmenter, policy=xseg.customers_policy())
    html = report.html()
    for segment in segmenter.segments_:
        assert segment.name in html
        assert f"{segment.size:,.0f}" in html
    assert len(leaves(report.facts.root)) == segmenter.tree_.n_leaves
    assert "<script" not in html
    assert report._repr_html_() in html or "xseg-report" in report._repr_html_()


def test_small_groups_and_unstated_sources_are_flagged(segmenter):
    checks = xseg.make_report(segmenter, policy={"minimum_group_size": 10_000}).facts.checks
    said = " ".join(check.sentence for check in checks if not check.passed)
    for segment in segmenter.segments_:
        assert segment.name in said
    assert "No source is stated" in said
    assert "not stated who answers" in said
    assert all(
        check.passed
        for check in xseg.make_report(
            segmenter,
            policy={
                "minimum_group_size": 1,
                "controller": {"name": "A", "contact": "b"},
                "features": {name: {"source": "first-party"} for name in segmenter.feature_names_in_},
            },
        ).facts.checks
    )


def test_saved_whole_or_not_at_all(segmenter, tmp_path):
    report = xseg.make_report(segmenter)
    report.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == report.html()
    with pytest.raises(xseg.XsegError, match="cannot write"):
        report.save(tmp_path / "nowhere" / "report.html")


def test_what_cannot_be_reported_is_refused(segmenter):
    with pytest.raises(NotFittedError):
        xseg.make_report(xseg.TreeSegmenter())
    with pytest.raises(PolicyError):
        xseg.make_report(segmenter, policy={"features": {"nope": {"label": "x"}}})
