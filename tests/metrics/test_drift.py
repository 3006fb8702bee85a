"""The people of the fit have not moved; those whose values are shifted have, and the feature is named."""

import numpy as np
import pytest

import xseg
from xseg.metrics import drift


@pytest.fixture(scope="module")
def customers():
    return xseg.make_customers(3_000, random_state=0)


@pytest.fixture(scope="module", params=["tree", "prototypes"])
def segmenter(request, customers):
    kinds = {
        "tree": xseg.TreeSegmenter(4, effort="fast", random_state=0),
        "prototypes": xseg.PrototypeSegmenter(4, random_state=0),
    }
    return kinds[request.param].fit(customers)


def test_nobody_moved(segmenter, customers):
    found = drift(segmenter, customers)
    assert found.psi == pytest.approx(0, abs=1e-12)
    assert all(one.psi == pytest.approx(0, abs=1e-12) for one in found.features)
    assert found.verdict == "stable"
    assert sum(one.share_now for one in found.segments) == pytest.approx(1)


def test_the_feature_that_moved_is_named_first(segmenter, customers):
    moved = customers.copy()
    numeric = moved.select_dtypes("number").columns[0]
    moved[numeric] = moved[numeric].max() - (moved[numeric] - moved[numeric].min()) / 4
    found = drift(segmenter, moved)
    assert found.features[0].name == numeric
    assert found.features[0].verdict == "large"
    assert all(one.verdict == "stable" for one in found.features[1:])
    assert found.to_frame()["psi"].is_monotonic_decreasing


def test_the_index_is_that_of_the_formula(customers):
    segmenter = xseg.TreeSegmenter(4, effort="fast", random_state=0).fit(customers)
    part = customers[segmenter.labels_ != 3]
    found = drift(segmenter, part)
    old = np.bincount(segmenter.labels_, minlength=4) + 0.5
    new = np.bincount(segmenter.predict(part), minlength=4) + 0.5
    old, new = old / old.sum(), new / new.sum()
    assert found.psi == pytest.approx(((new - old) * np.log(new / old)).sum())
    assert found.segments[3].share_now == 0
    assert found.segments[3].drivers == ()


def test_weights_are_repetitions_and_batches_the_same(customers):
    segmenter = xseg.TreeSegmenter(4, effort="fast", random_state=0).fit(customers)
    some = customers.head(500)
    weights = np.arange(500) % 3
    repeated = some.loc[some.index.repeat(weights)]
    assert drift(segmenter, some, sample_weight=weights) == drift(segmenter, repeated)
    assert drift(segmenter, xseg.backends.BatchBackend([some.head(200), some.tail(300)])) == drift(segmenter, some)
