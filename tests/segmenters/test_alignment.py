"""Segments that are learnt anew keep the numbers and names of those they follow."""

from itertools import permutations

import numpy as np
import pytest

import xseg
from xseg.backends import MemoryBackend
from xseg.exceptions import ParameterError
from xseg.segmenters import FittedSegmenter
from xseg.segmenters._names import Alignment, align, choose_names

KINDS = {
    "tree": lambda n: xseg.TreeSegmenter(n, effort="fast", scaling="standard", random_state=0),
    "prototypes": lambda n: xseg.PrototypeSegmenter(n, random_state=0),
    "mixture": lambda n: xseg.MixtureSegmenter(n, random_state=0),
}
CENTERS = np.array([[0.0, 0], [10, 0], [0, 10], [10, 10]])


def people(sizes, seed):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(4), sizes)
    return rng.normal(size=(len(group), 2)) + CENTERS[group], group


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def test_groups_keep_their_numbers_and_names_when_their_sizes_change(kind):
    before, _ = people((400, 300, 200, 100), 0)
    after, group = people((100, 200, 300, 400), 1)
    old = kind(4).fit(before)
    new = kind(4).fit(after, align_to=old)
    assert new.segment_names_ == old.segment_names_
    assert (new.labels_ == old.predict(after)).mean() > 0.99
    assert (new.labels_ == new.predict(after)).all()
    assert new.profile_.sizes.tolist() == np.bincount(new.labels_, minlength=4).tolist()
    alone = kind(4).fit(after)
    assert (np.bincount(alone.labels_)[:1] == np.bincount(group).max()).all()
    assert (alone.labels_ != new.labels_).any()
    np.testing.assert_allclose(
        xseg.explain(new, after[:20], of="all").values.sum(axis=1)
        + xseg.explain(new, after[:20], of="all").base_values,
        new.model_.score(new.read_rows(after[:20])) if hasattr(new.model_, "score") else np.eye(4)[new.labels_[:20]],
        atol=1e-6,
    )


def test_new_segments_come_last_with_names_of_their_own(kind):
    before, _ = people((300, 300, 300, 0), 0)
    after, _ = people((300, 300, 300, 300), 1)
    old = kind(3).fit(before)
    new = kind(4).fit(after, align_to=old)
    assert new.segment_names_[:3] == old.segment_names_
    assert len(set(new.segment_names_)) == 4
    fewer = kind(2).fit(after[:600], align_to=old)
    for name in fewer.segment_names_:
        # A name that speaks of a column which the new model does not use is not taken over.
        assert name in old.segment_names_ or "x1" not in name


def test_as_many_as_possible_stay():
    rng = np.random.default_rng(0)
    customers = xseg.make_customers(500, random_state=0)
    old = xseg.TreeSegmenter(4, effort="fast", random_state=0).fit(customers)
    labels = rng.integers(0, 4, 500).astype(np.int32)
    found = align(old, MemoryBackend(old.read_rows(customers)), labels, 4)
    stay = [sum((old.labels_ == place) @ (labels == new) for place, new in enumerate(order))
            for order in permutations(range(4))]  # fmt: skip
    assert sum((old.labels_ == place) @ (labels == new) for place, new in enumerate(found.order)) == max(stay)


def test_a_tree_can_follow_prototypes():
    X, _ = people((200, 150, 100, 50), 0)
    old = xseg.PrototypeSegmenter(4, random_state=0).fit(X)
    new = xseg.TreeSegmenter(4, effort="fast", random_state=0).fit(X, align_to=old)
    assert new.segment_names_ == old.segment_names_


def test_names_a_person_chose_win_and_proposals_stay_apart():
    customers = xseg.make_customers(300, random_state=0)
    segmenter = xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(customers)
    profile, model = segmenter.profile_, segmenter.model_
    order = np.arange(3)
    proposed = choose_names(profile, model, None)
    first = proposed.names[0]
    assert proposed.public == (None, None, None)
    aligned = Alignment(order, ("x", None, None), (True, False, False))
    assert choose_names(profile, model, ["a", "b", "c"], aligned).public == ("a", "b", "c")
    mixed = choose_names(profile, model, None, Alignment(order, (None, first, None), (False, False, False)))
    assert mixed.names[1] == first
    assert len(set(mixed.names)) == 3
    assert choose_names(profile, model, None, aligned).public == ("x", None, None)


@pytest.mark.parametrize("wrong", ["tree", xseg.TreeSegmenter()])
def test_only_fitted_segmenters_can_be_followed(wrong):
    X, _ = people((50, 50, 50, 50), 0)
    with pytest.raises(ParameterError, match="align_to must be a fitted segmenter"):
        xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(X, align_to=wrong)


def test_fitted_segmenters_meet_the_protocol():
    table = xseg.make_customers(150, random_state=0)
    for segmenter in (
        xseg.TreeSegmenter(2, effort="fast", random_state=0),
        xseg.PrototypeSegmenter(2, random_state=0),
        xseg.RuleSegmenter({"Big": "spend_year > 500"}),
    ):
        assert not isinstance(segmenter, FittedSegmenter)
        assert isinstance(segmenter.fit(table), FittedSegmenter)
