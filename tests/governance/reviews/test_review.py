"""A review finds every drift of policy, model, people, consent and notice, and nothing where nothing has drifted."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import xseg
from review_cases import NAMES, NOW, Agreed, clean_case, fitted
from xseg.governance.consent import Ledger
from xseg.governance.reviews import CHECKS


def used(case):
    names = case.segmenter.profile_.bins.schema.names
    return [names[j] for j in case.segmenter.model_.used_features]


def policy_with(case, change):
    policy = deepcopy(case.policy)
    change(policy)
    return case.changed(policy=policy)


def edit(change):
    return lambda case: policy_with(case, change)


def drop(*path):
    def change(policy):
        for key in path[:-1]:
            policy = policy[key]
        del policy[path[-1]]

    return edit(change)


def put(value, *path):
    def change(policy):
        for key in path[:-1]:
            policy = policy.setdefault(key, {})
        policy[path[-1]] = value

    return edit(change)


def said(sentence):
    return lambda case: case.changed(notice=case.notice + f"<p>{sentence}</p>")


def unsaid(words):
    def change(case):
        assert words in case.notice
        return case.changed(notice=case.notice.replace(words, "..."))

    return change


def fit_with(**parameters):
    return lambda case: case.changed(segmenter=fitted(case.table.drop(columns="birth_region"), **parameters))


def asks_about_the_region(case):
    weights = {"birth_region": 60.0}
    return case.changed(segmenter=fitted(case.table, feature_weights=weights, max_leaves=8))


def region_follows(name):
    def change(case):
        high = (case.table[name] > case.table[name].median()).to_numpy()
        chance = np.random.default_rng(3).random(len(high)) < 0.3
        return case.changed(table=case.table.assign(birth_region=np.where(high ^ chance, "north", "south")))

    return change


def agreed(until, share=1.0):
    def change(case):
        some = case.table.index[: int(share * len(case.table))]
        return case.changed(ledger=Agreed({(subject, "offers"): until for subject in some}))

    return change


def objected(case):
    """Everybody agrees to the offers, and one says no to what rests on an interest."""
    ledger = Ledger(clock=lambda: NOW)
    said = pd.DataFrame({"subject": case.table.index, "purpose": "offers", "state": "given", "at": NOW})
    ledger.append_table(said, source="account")
    ledger.append(case.table.index[0], "range", "refused", source="account", at=NOW)
    return case.changed(ledger=ledger)


def rename(case):
    return case.changed(
        segmenter=fitted(case.table.drop(columns="birth_region"), segment_names=("Diabetics", *NAMES[1:]))
    )


NEEDS = {check.key: check.needs for check in CHECKS}
LATER = datetime(2028, 1, 1, tzinfo=UTC)
# What is changed, and the check and the place of the finding that it must lead to.
DRIFTS = {
    "a used column is not declared": (drop("features", "area_income"), "undeclared-feature", "features.area_income"),
    "a counted column is not declared": (drop("features", "channel"), "undeclared-feature", "features.channel"),
    "a column is misspelt": (
        put({"label": "spend"}, "features", "spend_yaer"),
        "unused-feature",
        "features.spend_yaer",
    ),
    "no source": (drop("features", "orders_90d", "source"), "source", "features.orders_90d.source"),
    "no vendor": (drop("features", "area_income", "vendor"), "source", "features.area_income.vendor"),
    "no purpose": (drop("features", "spend_year", "purposes"), "purpose-missing", "features.spend_year.purposes"),
    "a purpose nobody serves": (put({"label": "x"}, "purposes", "x"), "purpose-unused", "purposes.x"),
    "no recipients": (drop("recipients"), "recipients", "recipients"),
    "no controller": (drop("controller"), "controller", "controller"),
    "no legal basis": (drop("purposes", "offers", "legal_basis"), "legal-basis", "purposes.offers.legal_basis"),
    "no interest": (drop("purposes", "range", "interest"), "legal-basis", "purposes.range.interest"),
    "no retention": (drop("purposes", "offers", "retention_days"), "retention", "purposes.offers.retention_days"),
    "kept for less than it looks back": (
        put(60, "purposes", "offers", "retention_days"),
        "window",
        "features.orders_90d",
    ),
    "looks back farther than is kept": (
        put(900, "features", "spend_year", "window_days"),
        "window",
        "features.spend_year",
    ),
    "no contract": (
        put(False, "vendors", "GeoStat Ltd", "contract"),
        "vendor-contract",
        "vendors.GeoStat Ltd.contract",
    ),
    "an unknown vendor": (drop("vendors"), "vendor-contract", "vendors.GeoStat Ltd.contract"),
    "a stale audit": (
        put("2025-01-31", "vendors", "GeoStat Ltd", "audited"),
        "vendor-audit",
        "vendors.GeoStat Ltd.audited",
    ),
    "an audit to come": (
        put("2027-01-31", "vendors", "GeoStat Ltd", "audited"),
        "vendor-audit",
        "vendors.GeoStat Ltd.audited",
    ),
    "opt-outs end at the vendor": (
        put(False, "vendors", "GeoStat Ltd", "propagates_opt_out"),
        "vendor-opt-out",
        "vendors.GeoStat Ltd.propagates_opt_out",
    ),
    "no way to withdraw": (drop("rights", "switch_off"), "withdraw", "purposes.offers"),
    "no way to object": (
        edit(lambda policy: [policy["rights"].pop(right) for right in ("object", "not_profiled")]),
        "object",
        "purposes.range",
    ),
    "harder to leave than to agree": (
        edit(
            lambda policy: (
                policy["purposes"]["offers"].update(steps_to_agree=1),
                policy["rights"].update(switch_off={"url": "https://harbour.example/me", "steps": 4}),
            )
        ),
        "harder-to-leave",
        "rights.switch_off.steps",
    ),
    "health is marked as ordinary": (
        put("orders of diabetic food", "features", "orders_90d", "label"),
        "special-category",
        "features.orders_90d",
    ),
    "a used column becomes sensitive": (
        put(True, "features", "orders_90d", "sensitive"),
        "special-category",
        "features.orders_90d",
    ),
    "the model asks about the sensitive column": (
        asks_about_the_region,
        "special-category",
        "features.birth_region",
    ),
    "a segment's name hints at health": (rename, "name", "segments.Diabetics"),
    "a sentence presses": (
        put("Hurry, offers end today.", "segments", "Loyal readers", "sentence"),
        "name",
        "segments.Loyal readers.sentence",
    ),
    "the least size is raised": (put(400, "minimum_group_size"), "small-group", "segment Collectors"),
    "a rule fits few": (
        lambda case: case.changed(
            policy={**case.policy, "minimum_group_size": 140},
            segmenter=fitted(
                case.table.drop(columns="birth_region"), n_segments=3, max_leaves=9, segment_names=NAMES[:3]
            ),
        ),
        "rule",
        "segment",
    ),
    "nobody checks decisions": (drop("human_review"), "card", "card field human"),
    "no authority": (drop("controller", "authority"), "card", "card field complaint"),
    "a column stands in for the region": (
        region_follows("orders_90d"),
        "proxy",
        "features.orders_90d and birth_region",
    ),
    "segments stand in for the region": (region_follows("orders_90d"), "proxy", "segments and birth_region"),
    "regions are spread unevenly": (region_follows("orders_90d"), "group-rate", "segment"),
    "some have not agreed": (agreed(LATER, 0.9), "consent", "purposes.offers"),
    "somebody has objected": (objected, "objection", "purposes.range"),
    "consent ends soon": (agreed(NOW + timedelta(days=10)), "consent-expiry", "purposes.offers"),
    "consent has ended": (agreed(NOW - timedelta(days=1)), "consent", "purposes.offers"),
    "the notice leaves out a column": (
        unsaid("Typical income where you live"),
        "notice-feature",
        "features.area_income",
    ),
    "the notice leaves out a source": (unsaid("your orders"), "notice-source", "features.orders_90d.source"),
    "the notice leaves out a purpose": (
        lambda case: case.changed(notice=case.notice.replace("hoosing which offers you see", "...")),
        "notice-purpose",
        "purposes.offers",
    ),
    "the notice leaves out a vendor": (unsaid("GeoStat Ltd"), "notice-vendor", "vendors.GeoStat Ltd"),
    "the notice leaves out a recipient": (unsaid("Parcel Post Ltd"), "notice-recipient", "recipients.Parcel Post Ltd"),
    "the notice leaves out the company": (unsaid("Harbour Books"), "notice-controller", "controller"),
    "a label changes in the policy only": (
        put("orders of late", "features", "orders_90d", "label"),
        "notice-feature",
        "features.orders_90d",
    ),
    "a label is hidden in the notice": (
        lambda case: case.changed(
            notice=case.notice.replace("Typical income where you live", "<i hidden>Typical income where you live</i>")
        ),
        "notice-feature",
        "features.area_income",
    ),
    "the notice denies a column": (said("We do not use your income."), "notice-promise", "notice features.area_income"),
    "the notice denies sharing": (said("We never share your data."), "notice-promise", "notice sharing"),
    "the notice denies buying": (
        said("We don't buy information from third parties."),
        "notice-promise",
        "notice third parties",
    ),
    "the notice says only what you tell us": (
        said("We only use information you give us."),
        "notice-promise",
        "notice told by people",
    ),
    "the notice denies profiling": (said("We do not profile you."), "notice-promise", "notice profiling"),
    "the notice says only with consent": (
        said("We use your data only with your consent."),
        "notice-promise",
        "notice consent",
    ),
    "the notice deletes earlier": (
        said("Your data are deleted after 30 days."),
        "notice-promise",
        "notice retention",
    ),
}


@pytest.fixture(scope="module")
def clean():
    return clean_case()


@pytest.fixture(scope="module")
def found_in_clean(clean):
    return clean.review()


def test_nothing_is_found_where_nothing_has_drifted(clean, found_in_clean):
    assert {"orders_90d", "spend_year", "area_income"} <= set(used(clean))
    assert [str(finding) for finding in found_in_clean.at_least("warning")] == []
    assert found_in_clean.not_checked == {}
    assert found_in_clean.checked == tuple(check.key for check in CHECKS)


@pytest.mark.slow
@pytest.mark.parametrize("drift", DRIFTS)
def test_every_drift_is_found(clean, found_in_clean, drift):
    change, check, where = DRIFTS[drift]
    needs_people = NEEDS[check] not in {"nothing", "notice"}
    grave = {
        finding.id: finding
        for finding in change(clean).review(with_people=needs_people, n_permutations=1_000).at_least("warning")
        if finding.check == check and finding.location.startswith(where)
    }
    assert grave
    assert not grave.keys() & {finding.id for finding in found_in_clean.at_least("warning")}
    assert all(finding.message and finding.remediation for finding in grave.values())


def test_shares_are_those_of_exact_contributions(clean, found_in_clean):
    customers = clean.table.drop(columns="birth_region")
    sizes = np.abs(xseg.explain(clean.segmenter, customers).values).mean(axis=0)
    share = dict(zip(customers.columns, sizes / sizes.sum(), strict=True))
    found = {finding.id: finding.evidence for finding in found_in_clean.findings}
    assert found["vendor-share:vendors.GeoStat Ltd"]["share"] == pytest.approx(share["area_income"], abs=1e-4)
    assert found["vendor-share:third parties"]["share"] == pytest.approx(share["area_income"], abs=1e-4)
    told = sum(share[name] for name in customers if clean.policy["features"][name]["source"] == "zero-party")
    sources = found["zero-party:sources"]
    assert sources.get("zero-party", 0) == pytest.approx(told, abs=1e-4)
    assert sum(sources.values()) == pytest.approx(1, abs=1e-3)


def test_doing_without_third_parties_is_measured_on_a_new_fit(clean, found_in_clean):
    [finding] = [finding for finding in found_in_clean.findings if finding.check == "without-third-parties"]
    assert finding.evidence["without"] == ["area_income"]
    assert 0 < finding.evidence["agreement"] < 1
    assert finding.evidence["relative_cost_with"] > 0


@pytest.mark.slow
def test_statistics_are_taken_on_people_who_made_no_segments(clean):
    case = region_follows("orders_90d")(clean)
    found = [finding for finding in case.review(n_permutations=1_000).findings if finding.check == "proxy"]
    assert {finding.evidence["people"] for finding in found} == {len(clean.table) / 2}
    assert {finding.evidence["how"] for finding in found} == {
        "half of the people, in segments made anew from the other half"
    }
    others = case.review(n_permutations=1_000, held_out=True)
    assert {f.evidence["people"] for f in others.findings if f.check == "proxy"} == {len(clean.table)}


def test_groups_that_are_too_small_are_not_told_of(clean):
    region = np.where(np.arange(len(clean.table)) % 100 == 0, "tiny", clean.table["birth_region"])
    text = clean.changed(table=clean.table.assign(birth_region=region)).review(n_permutations=1_000).json()
    assert "tiny" not in text
    assert "north" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "segmenter",
    [
        xseg.PrototypeSegmenter(3, min_members=50, random_state=0),
        xseg.MixtureSegmenter(3, random_state=0),
        xseg.RuleSegmenter({"Often": "orders_90d >= 2"}),
    ],
    ids=lambda segmenter: type(segmenter).__name__,
)
def test_every_kind_of_model_is_reviewed_and_so_is_its_file(clean, segmenter, tmp_path):
    customers = clean.table.drop(columns="birth_region")
    model = segmenter.fit(customers)
    case = clean.changed(segmenter=model)
    review = case.review(n_permutations=1_000, random_state=0)
    assert review.not_checked == {}
    xseg.save(model, tmp_path / "model.json")
    again = clean.changed(segmenter=xseg.load(tmp_path / "model.json")).review(n_permutations=1_000, random_state=0)
    assert again.canonical() == review.canonical()


def test_prototypes_of_few_people_are_found(clean):
    model = xseg.PrototypeSegmenter(3, min_members=10, random_state=0).fit(clean.table.drop(columns="birth_region"))
    review = xseg.governance.reviews.review(model, policy=clean.policy, at=NOW, random_state=0)
    assert "prototype:prototypes" in {finding.id for finding in review.at_least("warning")}


def test_what_cannot_be_made_anew_says_so(clean):
    y = (clean.table["spend_year"] > 100).to_numpy()
    model = xseg.OutcomeSegmenter(3, random_state=0).fit(clean.table.drop(columns="birth_region"), y)
    review = xseg.governance.reviews.review(
        model, clean.table, policy=clean.policy, at=NOW, n_permutations=1_000, random_state=0
    )
    assert "held_out=True" in review.not_checked["proxy"]
    assert (
        "proxy"
        in xseg.governance.reviews.review(
            model, clean.table, policy=clean.policy, at=NOW, n_permutations=1_000, held_out=True, random_state=0
        ).checked
    )


def test_a_stand_in_is_tested_on_others_only(clean):
    customers = clean.table.drop(columns="birth_region")
    numbers = customers[["orders_90d", "spend_year", "recency_days", "basket_mean"]]
    model = xseg.SurrogateSegmenter(KMeans(3, random_state=0, n_init=2), random_state=0).fit(numbers)
    table = numbers.assign(birth_region=clean.table["birth_region"])
    policy = {**clean.policy, "features": {name: clean.policy["features"][name] for name in table}}
    review = xseg.governance.reviews.review(model, table, policy=policy, at=NOW, n_permutations=1_000, random_state=0)
    assert "held_out=True" in review.not_checked["proxy"]
    assert "card" in review.checked
    assert (
        "proxy"
        in xseg.governance.reviews.review(
            model, table, policy=policy, at=NOW, n_permutations=1_000, held_out=True, random_state=0
        ).checked
    )


def test_a_pipeline_is_reviewed_over_raw_columns(clean):
    numbers = clean.table[["orders_90d", "spend_year", "recency_days", "basket_mean"]]
    pipeline = make_pipeline(StandardScaler(), xseg.TreeSegmenter(3, random_state=0)).fit(numbers)
    policy = {**clean.policy, "features": {name: clean.policy["features"][name] for name in numbers}}
    review = xseg.governance.reviews.review(pipeline, numbers, policy=policy, at=NOW, random_state=0)
    assert not [finding for finding in review.findings if finding.check in {"undeclared-feature", "source"}]
    assert "minimisation" in review.checked
