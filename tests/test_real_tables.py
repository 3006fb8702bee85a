"""Real customers: fitted, explained and given a card, every one of them, and every card's rule is true of its row."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer

import xseg
from xseg.core.tables import read_table
from xseg.governance.consent import ConsentGate, Ledger

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


def marketing(folder):
    table = xseg.load_table(folder / "marketing_campaign.csv")
    return table.drop(columns=["ID", "Dt_Customer"])


def bank(folder):
    return xseg.load_table(folder / "bank_full.csv.gz").drop(columns="y")


def telco(folder):
    return xseg.load_table(folder / "telco_churn.csv").drop(columns=["customerID", "Churn"])


def wholesale(folder):
    return xseg.load_table(folder / "wholesale_customers.csv")


def retail(folder):
    lines = pd.read_parquet(folder / "online_retail.parquet")
    lines["amount"] = lines["Quantity"] * lines["UnitPrice"]
    with pytest.warns(xseg.XsegWarning, match="135,080"):
        return xseg.rfm_table(lines, customer="CustomerID", date="InvoiceDate", amount="amount", order="InvoiceNo")


@pytest.mark.parametrize("table_of", [marketing, bank, telco, wholesale, retail])
def test_everyone_is_segmented_explained_and_given_a_card(shared_data, table_of):
    table = table_of(shared_data)
    segmenter = xseg.TreeSegmenter(5, max_leaves=8, random_state=0).fit(table)
    assert segmenter.n_segments_ == 5
    assert 1 <= segmenter.relative_cost_ < 1.3
    explanation = xseg.explain(segmenter, table, of="all")
    total = explanation.values.sum(axis=1) + explanation.base_values
    np.testing.assert_allclose(total, segmenter.transform(table), atol=1e-12)
    columns = {column.name: column for column in read_table(table).columns}
    for segment in segmenter.segments_:
        held = np.any([rule.holds(columns, len(table)) for rule in segment.rules], axis=0)
        assert (held == (segmenter.labels_ == segment.index)).all()
    cards = xseg.make_cards(segmenter, table)
    assert len(cards) == len(table)
    for card, label in zip(cards, segmenter.labels_, strict=True):
        assert card.segment.index == label


@pytest.mark.parametrize("table_of", [marketing, wholesale])
def test_saved_models_of_real_tables_answer_the_same(shared_data, table_of, tmp_path):
    table = table_of(shared_data)
    segmenter = xseg.TreeSegmenter(4, random_state=0).fit(table)
    xseg.save(segmenter, tmp_path / "model.json")
    assert (xseg.load(tmp_path / "model.json").predict(table) == segmenter.labels_).all()


@pytest.mark.parametrize("table_of", [marketing, bank, telco, wholesale, retail])
def test_pipelines_over_real_tables_fold(shared_data, table_of):
    table = table_of(shared_data)
    is_text = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    is_number = [name for name in table.columns if name not in is_text]
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), PowerTransformer()), is_number),
        (OneHotEncoder(sparse_output=False), is_text),
    )
    pipeline = make_pipeline(encode, xseg.TreeSegmenter(5, max_leaves=8, scaling="none", random_state=0)).fit(table)
    folded = xseg.fold(pipeline)
    np.testing.assert_array_equal(folded.predict(table), pipeline.predict(table))
    rows = table.head(500)
    through = xseg.explain(pipeline, rows, of="all")
    np.testing.assert_allclose(xseg.explain(folded, rows, of="all").values, through.values, atol=1e-10)
    assert folded.profile_.sizes.tolist() == pipeline[-1].profile_.sizes.tolist()


@pytest.mark.parametrize("form", ["csv.gz", "parquet"])
def test_batches_of_a_real_file_give_the_same_bits(shared_data, tmp_path, form):
    path = shared_data / "bank_full.csv.gz"
    table = pd.read_csv(path)
    if form == "parquet":
        path = tmp_path / "bank.parquet"
        table.to_parquet(path, row_group_size=20_000)
    whole = xseg.TreeSegmenter(4, random_state=0).fit(table)
    backend = xseg.backends.BatchBackend(path, batch_rows=9_999)
    batched = xseg.TreeSegmenter(4, random_state=0).fit(backend)
    assert (whole.labels_ == batched.labels_).all()
    assert whole.cost_ == batched.cost_
    assert backend.passes.decoded == 1


@pytest.mark.parametrize("table_of", [marketing, bank, telco, wholesale])
def test_trees_written_down_as_rules_give_everyone_the_same_segment(shared_data, table_of, tmp_path):
    table = table_of(shared_data)
    tree = xseg.TreeSegmenter(5, max_leaves=10, max_depth=8, effort="fast", random_state=0).fit(table)
    rules = xseg.RuleSegmenter.from_tree(tree).fit(table)
    assert rules.segment_names_ == tree.segment_names_
    assert (rules.labels_ == tree.labels_).all()
    np.testing.assert_allclose(xseg.explain(rules, table).values, xseg.explain(tree, table).values, atol=1e-12)
    xseg.save(rules, tmp_path / "rules.json")
    assert (xseg.load(tmp_path / "rules.json").predict(table) == tree.labels_).all()


@pytest.mark.parametrize(
    ("file", "outcome", "left_out", "least_gain"),
    [("bank_full.csv.gz", "y", ["duration"], 0.08), ("telco_churn.csv", "Churn", ["customerID"], 0.15)],
)
def test_outcomes_of_real_customers_hold_for_others(shared_data, file, outcome, left_out, least_gain):
    table = xseg.load_table(shared_data / file).drop(columns=left_out)
    y = table.pop(outcome)
    rng = np.random.default_rng(0)
    known = rng.random(len(table)) < 0.7
    found = xseg.OutcomeSegmenter(8, random_state=0).fit(table[known], y[known])
    assert found.structure_found_
    assert found.n_segments_ > 3
    others = found.predict(table[~known])
    assert found.score(table[~known], y[~known]) > least_gain
    for segment in found.segments_:
        estimate = segment.outcomes[0]
        share = (y[~known][others == segment.index] == estimate.value).mean()
        assert abs(share - estimate.estimate) < 2 * (estimate.high - estimate.low)


SCORED = {
    "prototypes": lambda: xseg.PrototypeSegmenter(4, random_state=0),
    "mixture": lambda: xseg.MixtureSegmenter(4, random_state=0),
}


@pytest.mark.parametrize("kind", SCORED)
@pytest.mark.parametrize("table_of", [marketing, bank, telco, wholesale, retail])
def test_segments_made_by_scores_are_explained_to_everyone(shared_data, table_of, kind, tmp_path):
    table = table_of(shared_data)
    segmenter = SCORED[kind]().fit(table)
    assert segmenter.n_segments_ == 4
    scores = segmenter.model_.score(segmenter.read_rows(table))
    every = xseg.explain(segmenter, table, of="all")
    scale = max(1.0, np.abs(scores).max())
    np.testing.assert_allclose(every.base_values + every.values.sum(axis=1), scores, atol=1e-9 * scale)
    best = np.sort(scores, axis=1)
    own = xseg.explain(segmenter, table)
    margin = best[:, -1] - best[:, -2]
    np.testing.assert_allclose(own.base_values + own.values.sum(axis=1), margin, atol=1e-9 * scale)
    for card, label in zip(xseg.make_cards(segmenter, table.head(300)), segmenter.labels_, strict=False):
        assert card.segment.index == label
        points = card.base_points + sum(reason.points for reason in card.reasons) + card.rest_points
        assert points + (0 if card.hidden is None else card.hidden.points) == card.total_points
    xseg.save(segmenter, tmp_path / "model.json")
    assert (xseg.load(tmp_path / "model.json").predict(table) == segmenter.labels_).all()


def test_prototypes_of_a_file_in_batches_are_the_same_bits(shared_data):
    path = shared_data / "bank_full.csv.gz"
    whole = xseg.PrototypeSegmenter(4, random_state=0).fit(pd.read_csv(path))
    batched = xseg.PrototypeSegmenter(4, random_state=0).fit(xseg.backends.BatchBackend(path, batch_rows=9_999))
    assert (whole.labels_ == batched.labels_).all()
    assert whole.cost_ == batched.cost_
    assert whole.prototypes_.equals(batched.prototypes_)


CHANGED = {
    **SCORED,
    "squared": lambda: xseg.PrototypeSegmenter(4, metric="squared", random_state=0),
    "tree": lambda: xseg.TreeSegmenter(4, max_leaves=8, effort="fast", random_state=0),
}


@pytest.mark.parametrize("kind", CHANGED)
@pytest.mark.parametrize("table_of", [marketing, bank, telco, wholesale, retail])
def test_real_customers_are_moved_by_the_change_that_is_told(shared_data, table_of, kind):
    table = table_of(shared_data)
    segmenter = CHANGED[kind]().fit(table)
    some = table.sample(min(len(table), 1_000), random_state=1)
    answer = xseg.counterfactual(segmenter, some)
    assert answer.found.all()
    reached = segmenter.predict(answer.changed)
    assert (reached == answer.target).all()
    assert (reached != segmenter.predict(some)).all()


@pytest.mark.parametrize("kind", CHANGED)
@pytest.mark.parametrize("table_of", [marketing, bank, telco, wholesale, retail])
def test_changes_of_real_customers_move_them_and_leave_what_is_frozen(shared_data, table_of, kind):
    table = table_of(shared_data)
    segmenter = CHANGED[kind]().fit(table)
    some = table.sample(150, random_state=0)
    frozen = list(table.columns[:2])
    for asked in ({}, {"frozen": frozen}, {"target": 0, "frozen": frozen}):
        answer = xseg.counterfactual(segmenter, some, **asked)
        assert (segmenter.predict(answer.changed)[answer.found] == answer.target[answer.found]).all()
        assert (segmenter.predict(answer.changed)[~answer.found] == answer.own[~answer.found]).all()
        if asked:
            pd.testing.assert_frame_equal(answer.changed[frozen], some[frozen])
        for i, obstacles in enumerate(answer.blocked_by):
            impossible = kind == "tree" and not answer.found[i]
            assert bool(obstacles) == impossible
            assert all({why for _, why in one.features} <= {"frozen", "missing", "no value"} for one in obstacles)
            assert all(one.features for one in obstacles)
        if kind == "tree":
            assert answer.proven.all()
    everything = xseg.counterfactual(segmenter, some, frozen=list(table.columns))
    assert not everything.found.any()
    assert everything.proven.all()


@pytest.mark.parametrize(
    ("table_of", "sensitive", "proxies"),
    [
        (marketing, "Marital_Status", set()),
        (bank, "marital", {"age"}),
        (telco, "SeniorCitizen", {"Contract", "InternetService", "MonthlyCharges"}),
    ],
)
def test_real_models_are_reviewed_with_the_notice_their_policy_writes(shared_data, table_of, sensitive, proxies):
    table = table_of(shared_data)
    model = xseg.TreeSegmenter(5, max_leaves=8, effort="fast", random_state=0).fit(table.drop(columns=sensitive))
    said = {"source": "first-party", "collected_from": "your account", "purposes": ["offers"]}
    policy = {
        "controller": {"name": "The shop", "contact": "privacy@shop.example"},
        "purposes": {"offers": {"label": "choosing offers", "legal_basis": "contract", "retention_days": 730}},
        "recipients": ["nobody"],
        "features": {name: said | {"label": f"your {name}"} for name in table}
        | {sensitive: said | {"sensitive": True}},
    }
    notice = xseg.governance.reviews.write_notice(policy)
    review = xseg.governance.reviews.review(
        model, table, policy=policy, notice=notice, n_permutations=1_000, random_state=0
    )
    found = [finding for finding in review.at_least("warning") if finding.check != "card"]
    # Names that are proposed may say "low Income", which the check on names reports.
    expected = {"proxy", "group-rate", "minimisation", "small-group", "rule", "name"}
    assert {finding.check for finding in found} <= expected
    used = {table.drop(columns=sensitive).columns[j] for j in model.model_.used_features}
    flagged = {
        finding.location.removeprefix("features.").partition(" ")[0] for finding in found if finding.check == "proxy"
    }
    assert proxies & used <= flagged


@pytest.mark.parametrize("kind", ["tree", "prototypes"])
@pytest.mark.parametrize("table_of", [marketing, bank, telco, wholesale, retail])
def test_what_real_people_say_is_what_the_model_does(shared_data, table_of, kind):
    table = table_of(shared_data).head(2_000)
    make = {"tree": xseg.TreeSegmenter, "prototypes": xseg.PrototypeSegmenter}[kind]
    ids, random = [f"p{row}" for row in range(len(table))], np.random.default_rng(0)
    agreed = random.random(len(table)) < 0.7
    ledger = Ledger()
    said = {"subject": np.array(ids, dtype=object)[agreed], "purpose": "offers", "state": "given"}
    ledger.append_table(pd.DataFrame(said | {"source": "account", "at": pd.Timestamp("2026-01-01", tz="UTC")}))
    policy = xseg.Policy(
        purposes={"offers": {"label": "choosing offers", "legal_basis": "consent"}},
        features={name: {"purposes": ["offers"]} for name in table},
    )
    gate = ConsentGate(make(4, random_state=0), ledger, purpose="offers", policy=policy).fit(table, ids=ids)
    assert (gate.labels_ >= 0).tolist() == agreed.tolist()
    model, names = gate.segmenter_, list(table.columns)
    used = [names[j] for j in model.model_.used_features]
    for row in random.choice(np.flatnonzero(agreed), 6, replace=False):
        profile = xseg.governance.rights.Profile(
            model, table.iloc[[row]], policy=policy, ledger=ledger, subject=ids[row], purpose="offers"
        )
        feature, other = used[int(random.integers(len(used)))], int(random.integers(len(table)))
        hidden, corrected = table.iloc[[row]].copy(), table.iloc[[row]].copy()
        hidden[feature] = pd.Series([None], index=hidden.index, dtype=object)
        corrected[feature] = table[feature].iloc[[other]].set_axis(corrected.index)
        assert profile.withhold(feature).effect.after == model.segment_names_[model.predict(hidden)[0]]
        assert gate.predict(hidden, ids=[ids[row]])[0] == model.predict(hidden)[0]
        profile.allow(feature)
        if not pd.isna(table[feature].iloc[other]):
            answer = profile.correct(feature, table[feature].iloc[other])
            assert answer.effect.after == model.segment_names_[model.predict(corrected)[0]]
            assert xseg.verify_card(
                model, profile.data(), card=answer.card, policy=profile.card_policy, ledger=ledger
            ).holds
        assert profile.withdraw().card.basis == "no_consent"
        assert gate.predict(table.iloc[[row]], ids=[ids[row]])[0] == -1
