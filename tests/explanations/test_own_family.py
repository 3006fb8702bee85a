"""A family of models from outside the package, made of public parts, is explained like the built-in ones."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import xseg
from xseg.core.boxes import BoxModel
from xseg.core.segments import SegmentNames
from xseg.exceptions import UnsupportedTypeError
from xseg.explanations import ModelFamily, explain_row, make_family
from xseg.segmenters import BoxSegmenter


@dataclass(frozen=True, eq=False)
class OwnModel:
    """Boxes that another model holds; it is neither a `BoxModel` nor an `AdditiveModel`."""

    held: BoxModel

    def __getattr__(self, name):
        return getattr(self.held, name)


class UnknownModel(OwnModel):
    """The same, of a type without a family."""


class OwnFamily:
    """Answers of the box family, of which it counts the explainers that were asked for."""

    n_explainers = 0

    def __init__(self, model, profile):
        self.family: ModelFamily = make_family(model.held, profile)

    def __getattr__(self, name):
        return getattr(self.family, name)

    def make_explainer(self, route, n_columns, background, weights):
        OwnFamily.n_explainers += 1
        return self.family.make_explainer(route, n_columns, background, weights)


make_family.register(OwnModel, OwnFamily)
make_family.register(UnknownModel, make_family.dispatch(object))


class OwnSegmenter(BoxSegmenter):
    """A segmenter that has the boxes of another one."""

    def __init__(self, n_jobs=None):
        self.n_jobs = n_jobs

    def hold(self, other, kind):
        names = SegmentNames(other.segment_names_, (False,) * other.n_segments_)
        self.restore_boxes(model=other.model_, profile=other.profile_, names=names, named=True)
        self.model_ = kind(other.model_)
        return self


@pytest.fixture(scope="module")
def rows():
    return xseg.make_customers(500, random_state=0)


@pytest.fixture(scope="module")
def tree(rows):
    return xseg.TreeSegmenter(n_segments=3, random_state=0).fit(rows)


def test_every_explanation_goes_through_the_registered_family(tree, rows):
    own, before = OwnSegmenter().hold(tree, OwnModel), OwnFamily.n_explainers
    assert_array_equal(xseg.explain(own, rows).values, xseg.explain(tree, rows).values)
    assert OwnFamily.n_explainers == before + 1
    assert_array_equal(xseg.contrast(own, rows).values, xseg.contrast(tree, rows).values)
    assert_array_equal(xseg.counterfactual(own, rows).cost, xseg.counterfactual(tree, rows).cost)
    later = rows.assign(spend_year=rows["spend_year"] * 2)
    assert_array_equal(xseg.change(own, later, before=rows).values, xseg.change(tree, later, before=rows).values)
    assert explain_row(own, rows) == explain_row(tree, rows)
    row = rows.iloc[0].to_dict()
    assert xseg.Scorer(own)(row) == xseg.Scorer(tree)(row)


def test_a_type_without_a_family_is_refused_by_name(tree, rows):
    with pytest.raises(UnsupportedTypeError, match="got UnknownModel; register its family"):
        xseg.explain(OwnSegmenter().hold(tree, UnknownModel), rows)
    assert np.isfinite(xseg.explain(tree, rows).values).all()
