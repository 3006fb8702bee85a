"""A segmenter from outside the package, made of public parts, does everything that the built-in ones do."""

import json

import numpy as np
import pytest

import xseg
from xseg.cards import verify_cards
from xseg.core.boxes import Boxes
from xseg.datasets import customers_policy
from xseg.exceptions import ModelFileError, ParameterError
from xseg.export import fingerprint
from xseg.segmenters import BoxSegmenter, DrawnBoxState, register_segmenter


@register_segmenter
class HalvesSegmenter(BoxSegmenter):
    """Two segments: the rows below the middle threshold of a column, and all others."""

    def __init__(self, column="spend_year", *, n_jobs=None):
        self.column = column
        self.n_jobs = n_jobs

    def fit(self, X, y=None, sample_weight=None):
        return self.fit_boxes(X, self.choose, sample_weight=sample_weight)

    def choose(self, columns):
        j = columns.schema.index(self.column)
        inside = np.ones((2, len(columns.bins), 256), dtype=bool)
        inside[0, j] = np.arange(256) < columns.bins[j].n_codes // 2
        inside[1, j] = ~inside[0, j]
        return Boxes(columns.bins, inside, np.array([0, 1], dtype=np.int32))


class LabelledState(DrawnBoxState):
    motto: str


@register_segmenter
class LabelledSegmenter(HalvesSegmenter):
    """The same with something of its own to save."""

    saved_state = LabelledState

    def fit(self, X, y=None, sample_weight=None):
        self.motto_ = "halves"
        return super().fit(X, y, sample_weight)

    def get_state(self):
        return {**super().get_state(), "motto": self.motto_}

    @classmethod
    def from_state(cls, parameters, state):
        segmenter = super().from_state(parameters, state)
        segmenter.motto_ = state.motto
        return segmenter


@pytest.fixture(scope="module")
def customers():
    return xseg.make_customers(600, random_state=0)


@pytest.fixture(scope="module")
def own(customers):
    return HalvesSegmenter().fit(customers)


def test_it_fits_and_predicts(own, customers):
    threshold = own.segments_[1].rules[0].conditions[0].lower
    spend = customers["spend_year"].to_numpy()
    assert np.array_equal(own.predict(customers), np.where(spend < threshold, 0, 1))
    assert np.array_equal(own.labels_, own.predict(customers))
    assert own.transform(customers).sum(axis=1).tolist() == [1.0] * len(customers)


def test_names_that_are_given_are_public(customers):
    class NamedHalves(HalvesSegmenter):
        def fit(self, X, y=None, sample_weight=None):
            return self.fit_boxes(X, self.choose, segment_names=["Below", "Above"])

    assert NamedHalves().fit(customers).public_names_ == ("Below", "Above")


def test_weights_count_as_repeated_rows(customers):
    weights = np.arange(len(customers)) % 3
    weighted = HalvesSegmenter().fit(customers, sample_weight=weights)
    repeated = HalvesSegmenter().fit(customers.loc[np.repeat(customers.index, weights)])
    assert np.array_equal(weighted.profile_.sizes, repeated.profile_.sizes)


def test_explanations_are_exact(own, customers):
    rows = customers.head(50)
    explained = xseg.explain(own, rows)
    np.testing.assert_allclose(explained.base_values + explained.values.sum(axis=1), 1)
    contrasted = xseg.contrast(own, rows)
    np.testing.assert_allclose(contrasted.base_values + contrasted.values.sum(axis=1), 1)
    found = xseg.counterfactual(own, rows)
    assert (own.predict(found.changed) == found.target).all()
    scorer = xseg.Scorer(own)
    for row, segment in zip(rows.to_dict("records"), own.predict(rows), strict=True):
        assert scorer(row).segment == segment


def test_cards_are_made_and_proven(own, customers):
    policy = customers_policy()
    cards = xseg.make_cards(own, customers.head(20), policy=policy)
    checks = verify_cards(own, customers.head(20), cards=list(cards), policy=policy)
    assert len(checks) == 20
    assert all(check.holds for check in checks), checks


def test_reports_and_comparisons_take_it(own, customers):
    assert own.segment_names_[0] in xseg.make_report(own, customers, policy=customers_policy()).html()
    table = xseg.compare({"own": own, "tree": xseg.TreeSegmenter(2, random_state=0)}, customers, n_resamples=0)
    assert table.loc["own", "segments"] == 2


@pytest.mark.parametrize("kind", [HalvesSegmenter, LabelledSegmenter])
def test_it_is_saved_and_loaded(kind, customers, tmp_path):
    fitted = kind().fit(customers)
    xseg.save(fitted, tmp_path / "own.json")
    loaded = xseg.load(tmp_path / "own.json")
    assert type(loaded) is kind
    assert fingerprint(loaded) == fingerprint(fitted)
    assert loaded.public_names_ == fitted.public_names_ == (None, None)
    assert np.array_equal(loaded.predict(customers), fitted.labels_)
    assert np.array_equal(xseg.explain(loaded, customers).values, xseg.explain(fitted, customers).values)
    assert getattr(loaded, "motto_", "halves") == "halves"


def test_a_file_of_a_class_that_is_not_registered_is_refused(own, tmp_path):
    path = tmp_path / "own.json"
    xseg.save(own, path)
    document = json.loads(path.read_text())
    for kind in ("os.system", "UnknownSegmenter", "BoxSegmenter"):
        path.write_text(json.dumps({**document, "kind": kind}))
        with pytest.raises(ModelFileError, match="register_segmenter"):
            xseg.load(path)


def test_the_state_of_a_file_passes_the_schema_of_its_class(own, tmp_path):
    path = tmp_path / "own.json"
    xseg.save(own, path)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "kind": "LabelledSegmenter"}))
    with pytest.raises(ModelFileError, match="motto"):
        xseg.load(path)


def test_a_name_is_registered_once():
    class TreeSegmenter(HalvesSegmenter):
        pass

    with pytest.raises(ParameterError, match="rename the class"):
        register_segmenter(TreeSegmenter)
