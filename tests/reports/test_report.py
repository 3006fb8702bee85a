"""A report says what the model is."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

import xseg
from xseg.exceptions import DefinitionError, NotFittedError
from xseg.export._sign_offs import restore_sign_offs


@pytest.fixture(scope="module")
def segmenter():
    return xseg.TreeSegmenter(4, max_leaves=6, random_state=0).fit(xseg.make_customers(800, random_state=0))


def leaves(node):
    if node.segment is not None:
        return [node]
    return [leaf for _, child in node.branches for leaf in leaves(child)]


def test_everything_about_the_model_is_there(segmenter):
    report = xseg.make_report(segmenter, policy=xseg.datasets.customers_policy())
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


def signed_by(segmenter, *states, by="Ada Marsh <b>", **changes):
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    for hours, state in enumerate(states):
        asked = {
            "review": b"what was found",
            "expires": date(2027, 6, 1),
            "at": now + timedelta(hours=hours),
            **changes,
        }
        xseg.governance.approval.approve(segmenter, by=by, state=state, **asked)


def test_the_page_says_first_whether_the_model_is_approved_and_by_whom():
    customers = xseg.make_customers(400, random_state=0)
    made = xseg.TreeSegmenter(3, random_state=0).fit(customers)
    day = date(2026, 11, 24)
    page = xseg.make_report(made, at=day)
    assert page.facts.standing == ("This model is not approved. It is a draft. Nobody has signed for it.",)
    assert page.html().index("not approved") < page.html().index("The groups")
    signed_by(made, "reviewed")
    page = xseg.make_report(made, at=day)
    review = hashlib.sha256(b"what was found").hexdigest()
    on = f"by Ada Marsh <b> on 24 November 2026, until 1 June 2027, on review {review[:4]}-{review[4:8]}."
    assert page.facts.standing == ("This model is not approved. It was reviewed.", f"Reviewed {on}")
    signed_by(made, "approved")
    page = xseg.make_report(made, at=day)
    assert page.facts.standing == ("This model is approved.", f"Approved {on}", f"Reviewed {on}")
    assert "not approved" not in page.html()
    assert "not approved" not in page._repr_html_()
    assert "Ada Marsh &lt;b&gt; on 24 November" in page.html()
    # Before it was signed, after it ended, and fitted on others, it is a draft.
    for then in (day - timedelta(1), date(2027, 6, 1)):
        assert (
            xseg.make_report(made, at=then).facts.standing[0].startswith("This model is not approved. It is a draft.")
        )
    made.fit(customers.head(300))
    assert "Nobody has signed for it" in xseg.make_report(made, at=day).html()


def test_what_was_altered_is_not_told_as_signed():
    made = xseg.TreeSegmenter(3, random_state=0).fit(xseg.make_customers(400, random_state=0))
    signed_by(made, "reviewed", "approved")
    restore_sign_offs(made, [replace(sign_off, by="Ben Holt") for sign_off in made.sign_offs_])
    page = xseg.make_report(made, at=date(2026, 11, 24))
    assert page.facts.standing == ("This model is not approved. It is a draft. Nobody has signed for it.",)
    assert "Ben Holt" not in page.html()


def test_what_cannot_be_reported_is_refused(segmenter):
    with pytest.raises(NotFittedError):
        xseg.make_report(xseg.TreeSegmenter())
    with pytest.raises(DefinitionError):
        xseg.make_report(segmenter, policy={"features": {"nope": {"label": "x"}}})


@pytest.mark.slow
def test_the_map_and_the_curve_show_what_was_measured(segmenter):
    from xseg.metrics import stability, tradeoff

    customers = xseg.make_customers(800, random_state=0)
    curve = tradeoff(customers, n_segments=4, max_leaves=[4, 6, 8], random_state=0, effort="fast")
    again = stability(segmenter, customers, n_resamples=2, random_state=0)
    report = xseg.make_report(segmenter, customers, stability=again, tradeoff=curve)
    ranks = segmenter.profile_.mean_ranks()
    names = list(customers.columns)
    for index, line in enumerate(report.facts.rank_map.ranks):
        for name, rank in zip(report.facts.rank_map.features, line, strict=True):
            assert rank == pytest.approx(ranks[index, names.index(name)])
    assert [point[2] for point in report.facts.curve.points] == [4, 6, 8]
    tops = [point[1] for point in report.facts.curve.points]
    costs = [point.relative_cost for point in curve.points]
    assert sorted(range(3), key=tops.__getitem__) == sorted(range(3), key=lambda place: -costs[place])
    html = report.html()
    assert "What more rules would cost" in html
    assert "comes back when other people are asked" in html
    plain = xseg.make_report(segmenter).html()
    assert "What more rules would cost" not in plain


def test_partners_and_hints_are_looked_at(segmenter):
    asked = segmenter.profile_.bins.schema.names[int(segmenter.model_.used_features[0])]
    policy = {"features": {asked: {"source": "third-party", "vendor": "GeoStat Ltd"}}}
    checks = xseg.make_report(segmenter, policy=policy).facts.checks
    assert any(not check.passed and "partners supplied" in check.sentence for check in checks)
    named = xseg.TreeSegmenter(2, segment_names=("Pregnant", "Others"), random_state=0)
    named.fit(xseg.make_customers(400, random_state=0))
    checks = xseg.make_report(named).facts.checks
    assert any(not check.passed and "Pregnant" in check.sentence for check in checks)
