"""Only who agreed is learnt from and segmented, and only by what they do not withhold."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import xseg
from consent_cases import Clock, day
from xseg import MixtureSegmenter, Policy, PrototypeSegmenter, RuleSegmenter, TreeSegmenter
from xseg.exceptions import (
    ConsentError,
    DataError,
    NotFittedError,
    ParameterError,
    UnknownPurposeWarning,
)
from xseg.governance.consent import ConsentGate, Identities, Ledger


def agreed(subjects, *, purpose="offers", state="given", at=1):
    ledger = Ledger(clock=Clock(100))
    ledger.append_table(
        pd.DataFrame(
            {"subject": list(subjects), "purpose": purpose, "state": state, "source": "account", "at": day(at)}
        )
    )
    return ledger


class NumberedGate(ConsentGate):
    """A gate whose people are called by their row, so that scikit-learn's checks, which know no people, can run."""

    def _subjects(self, n_rows, ids):
        return super()._subjects(n_rows, range(n_rows) if ids is None else ids)


EVERYBODY = agreed(range(2_000))


@pytest.mark.slow
@parametrize_with_checks(
    [
        NumberedGate(TreeSegmenter(random_state=0), EVERYBODY, purpose="offers"),
        NumberedGate(PrototypeSegmenter(random_state=0), EVERYBODY, purpose="offers"),
        NumberedGate(MixtureSegmenter(n_segments=3, n_init=2, random_state=0), EVERYBODY, purpose="offers"),
        NumberedGate(RuleSegmenter({"Low": "x0 <= 0.3"}), EVERYBODY, purpose="offers"),
    ],
)
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.fixture
def customers():
    return xseg.make_customers(600, random_state=0)


IDS = [f"c{row}" for row in range(600)]


def test_learning_is_from_those_who_agreed_alone(customers):
    ledger = agreed(IDS[::2])
    gate = ConsentGate(TreeSegmenter(3, random_state=0), ledger, purpose="offers").fit(customers, ids=IDS)
    alone = TreeSegmenter(3, random_state=0).fit(customers.iloc[::2])
    assert (gate.labels_[1::2] == -1).all()
    assert (gate.labels_[::2] == alone.labels_).all()
    assert [one.rule for one in gate.segments_] == [one.rule for one in alone.segments_]
    changed = customers.copy()
    changed.iloc[1::2] = changed.iloc[0].to_numpy()
    again = ConsentGate(TreeSegmenter(3, random_state=0), ledger, purpose="offers").fit(changed, ids=IDS)
    assert (again.labels_ == gate.labels_).all()


def test_who_withdraws_is_no_longer_segmented(customers):
    ledger = agreed(IDS)
    gate = ConsentGate(TreeSegmenter(3, random_state=0), ledger, purpose="offers").fit(customers, ids=IDS)
    assert (gate.predict(customers, ids=IDS) >= 0).all()
    ledger.append("c5", "offers", "withdrawn", source="account", at=day(2))
    ledger.append("c6", "*", "withdrawn", source="account", at=day(2))
    labels = gate.predict(customers, ids=IDS)
    assert np.flatnonzero(labels == -1).tolist() == [5, 6]
    assert np.isnan(gate.transform(customers, ids=IDS)[[5, 6]]).all()
    assert not np.isnan(np.delete(gate.transform(customers, ids=IDS), [5, 6], axis=0)).any()
    expected = gate.segmenter_.score(customers.drop(index=customers.index[[5, 6]]))
    assert gate.score(customers, ids=IDS) == expected
    assert (gate.predict(customers, ids=[None] * 600) == -1).all()
    earlier = clone(gate).set_params(at=day(1)).fit(customers, ids=IDS)
    assert (earlier.predict(customers, ids=IDS) >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "numpy", "objects"])
def test_what_is_withheld_is_missing(customers, kind):
    numbers = kind == "numpy"
    frame = customers.select_dtypes("number") if numbers else customers
    tables = {
        "pandas": lambda: frame,
        "polars": lambda: pl.from_pandas(frame),
        "pyarrow": lambda: pl.from_pandas(frame).to_arrow(),
        "numpy": frame.to_numpy,
        "objects": lambda: frame.to_numpy(dtype=object),
    }
    X = tables[kind]()
    arrays = kind in {"numpy", "objects"}
    ledger = agreed(IDS)
    gate = ConsentGate(TreeSegmenter(4, random_state=0), ledger, purpose="offers").fit(X, ids=IDS)
    names = [f"x{j}" for j in range(frame.shape[1])] if arrays else list(frame)
    withheld = {name: range(j, 600, 7) for j, name in enumerate(names)}
    for name, rows in withheld.items():
        for row in rows:
            ledger.append(f"c{row}", "offers", "withdrawn", source="account", at=day(2), feature=name)
    lacking = frame.astype(object).copy()
    for j, rows in enumerate(withheld.values()):
        lacking.iloc[list(rows), j] = None
    lacking = lacking.infer_objects() if not arrays else lacking
    expected = gate.segmenter_.predict(lacking.to_numpy(dtype=float if numbers else object) if arrays else lacking)
    assert (gate.predict(X, ids=IDS) == expected).all()
    shown = gate.admit(X, ids=IDS)
    assert type(shown.X) is type(X)
    if kind == "pandas":
        assert shown.X.isna().equals(lacking.isna() | frame.isna())
        assert not frame.isna().equals(shown.X.isna())


def test_a_withheld_feature_cannot_change_the_answer(customers):
    """Whatever the value, the segment, the reasons and the card are the same."""
    ledger = agreed(IDS)
    gate = ConsentGate(TreeSegmenter(4, random_state=0), ledger, purpose="offers").fit(customers, ids=IDS)
    backwards = {name: customers.assign(**{name: customers[name].to_numpy()[::-1]}) for name in customers}
    asked = [name for name in customers if (gate.predict(backwards[name], ids=IDS) != gate.labels_).any()]
    feature, turned = asked[0], backwards[asked[0]]
    for row in range(600):
        ledger.append(f"c{row}", "offers", "refused", source="account", at=day(2), feature=feature)
    assert (gate.predict(customers, ids=IDS) == gate.predict(turned, ids=IDS)).all()
    shown, other = (gate.admit(table, ids=IDS).X for table in (customers, turned))
    assert (xseg.explain(gate.segmenter_, shown).values == xseg.explain(gate.segmenter_, other).values).all()
    here, there = (xseg.make_cards(gate.segmenter_, table, at=day(100), ids=IDS)[3].text() for table in (shown, other))
    assert here == there


def test_the_policy_decides_what_a_feature_may_be_used_for(customers):
    policy = {
        "purposes": {"offers": {"label": "offers"}, "news": {"label": "news"}},
        "features": {name: {"purposes": ["offers", "news"]} for name in customers},
    }
    ledger = agreed(IDS)
    gate = ConsentGate(TreeSegmenter(3, random_state=0), ledger, purpose="offers", policy=policy)
    gate.fit(customers, ids=IDS)
    barred = customers.columns[1]
    policy["features"][barred] = {"purposes": ["news"]}
    with pytest.raises(ConsentError, match=f"'{barred}' to be used for 'offers'"):
        clone(gate).set_params(policy=Policy(**policy)).fit(customers, ids=IDS)
    del policy["features"][barred]
    with pytest.raises(ConsentError, match=f"'{barred}' to be used for 'offers'"):
        clone(gate).set_params(policy=policy).fit(customers, ids=IDS)
    with pytest.raises(ConsentError, match="purpose 'prices'"):
        clone(gate).set_params(purpose="prices").fit(customers, ids=IDS)


def test_denials_spread_through_the_gate(customers):
    identities = Identities(clock=Clock(100))
    identities.link("phone", "c3", kind="login", since=day(1))
    ledger = agreed(IDS)
    gate = ConsentGate(TreeSegmenter(3, random_state=0), ledger, purpose="offers", identities=identities)
    gate.fit(customers, ids=IDS)
    ledger.append("phone", "offers", "withdrawn", source="device", at=day(2), feature="channel")
    admitted = gate.admit(customers, ids=IDS)
    assert np.flatnonzero(admitted.X["channel"].isna() & ~customers["channel"].isna()).tolist() == [3]
    ledger.append("phone", "offers", "withdrawn", source="device", at=day(2))
    assert np.flatnonzero(gate.predict(customers, ids=IDS) == -1).tolist() == [3]


def test_identifiers_travel_through_pipelines():
    X = xseg.make_customers(300, random_state=0).select_dtypes("number").fillna(0)
    ids = list(range(300))
    ledger = agreed(ids[:200])
    gate = ConsentGate(TreeSegmenter(3, random_state=0), ledger, purpose="offers")
    with config_context(enable_metadata_routing=True):
        requested = clone(gate).set_fit_request(ids=True).set_predict_request(ids=True)
        pipeline = make_pipeline(StandardScaler(), requested).fit(X, ids=ids)
        labels = pipeline.predict(X, ids=ids)
    plain = make_pipeline(StandardScaler(), gate).fit(X, consentgate__ids=ids)
    assert (plain.predict(X, ids=ids) == labels).all()
    assert (labels[200:] == -1).all()
    assert (labels[:200] >= 0).all()
    inside = ConsentGate(make_pipeline(StandardScaler(), TreeSegmenter(3, random_state=0)), ledger, purpose="offers")
    assert (inside.fit(X, ids=ids).labels_[200:] == -1).all()
    assert inside.n_segments_ == 3


def test_clones_ask_the_same_ledger(customers):
    ledger, identities = agreed(IDS), Identities()
    gate = ConsentGate(TreeSegmenter(3), ledger, purpose="offers", identities=identities)
    again = clone(gate)
    assert again.ledger is ledger
    assert again.identities is identities
    assert again.get_params()["segmenter__n_segments"] == 3
    fitted = clone(gate).fit(customers, ids=IDS)
    thawed = pickle.loads(pickle.dumps(fitted))
    assert (thawed.predict(customers, ids=IDS) == fitted.labels_).all()


def test_weights_and_outcomes_go_with_their_people(customers):
    weights = np.random.default_rng(0).integers(1, 4, 600).astype(float)
    ledger = agreed(IDS[:400])
    gate = ConsentGate(TreeSegmenter(3, random_state=0), ledger, purpose="offers")
    gate.fit(customers, ids=IDS, sample_weight=weights)
    alone = TreeSegmenter(3, random_state=0).fit(customers.head(400), sample_weight=weights[:400])
    assert (gate.labels_[:400] == alone.labels_).all()
    with pytest.raises(DataError, match="sample_weight"):
        gate.fit(customers, ids=IDS, sample_weight=weights[:5])


def test_nothing_fails_open(customers):
    ledger = agreed(IDS[:10])
    gate = ConsentGate(TreeSegmenter(3), ledger, purpose="offers")
    with pytest.raises(NotFittedError):
        gate.predict(customers, ids=IDS)
    with pytest.raises(ConsentError, match="ids"):
        gate.fit(customers)
    with pytest.raises(DataError, match="3 ids for 600 rows"):
        gate.fit(customers, ids=IDS[:3])
    with pytest.warns(UnknownPurposeWarning, match="'news'"), pytest.raises(ConsentError, match="nobody"):
        ConsentGate(TreeSegmenter(3), ledger, purpose="news").fit(customers, ids=IDS)
    with pytest.raises(ConsentError, match="nobody"):
        gate.fit(customers, ids=[f"d{row}" for row in range(600)])
    with pytest.raises(ParameterError, match="backend"):
        gate.fit(xseg.backends.MemoryBackend(customers), ids=IDS)
    for wrong in ({"ledger": {"c0": True}}, {"purpose": None}, {"segmenter": "tree"}, {"identities": []}, {"at": 3}):
        with pytest.raises(ParameterError):
            ConsentGate(TreeSegmenter(3), ledger, purpose="offers").set_params(**wrong).fit(customers, ids=IDS)
    with pytest.raises(ConsentError, match="'\\*'"):
        ConsentGate(TreeSegmenter(3), ledger, purpose="*").fit(customers, ids=IDS)
