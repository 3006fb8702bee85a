"""Finding the box of a row, and the tests it fails, whatever fits into a machine word."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from xseg.core.bins import Bins, FeatureBins
from xseg.core.boxes import Boxes
from xseg.core.schema import Feature, Kind


def grid_boxes(n_features, n_codes):
    """Boxes that are the cells of a grid."""
    features = tuple(FeatureBins(Feature(f"x{j}", Kind.NUMBER), np.arange(n_codes - 1.0)) for j in range(n_features))
    cells = np.indices((n_codes,) * n_features).reshape(n_features, -1).T
    inside = np.zeros((len(cells), n_features, 256), dtype=bool)
    for box, cell in enumerate(cells):
        inside[box, np.arange(n_features), cell] = True
    return Boxes(Bins(features), inside, np.arange(len(cells), dtype=np.int32) % 7), cells


@pytest.mark.parametrize(("n_features", "n_codes"), [(1, 2), (2, 5), (3, 5), (4, 4)])
def test_every_row_lies_in_its_cell(n_features, n_codes):
    boxes, cells = grid_boxes(n_features, n_codes)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, n_codes, (500, n_features)).astype(np.uint8)
    tests = boxes.tests()
    assert_array_equal(cells[tests.find(codes)], codes)
    fails = codes[:, None, :] != cells[None]
    expected = (fails << np.arange(n_features)).sum(axis=2)
    assert_array_equal(tests.patterns(codes), expected)
    first = np.array([0, 3, len(cells)]) if len(cells) > 3 else np.array([0, 1, 2])
    targets = rng.integers(0, 2, 500)
    box = np.arange(len(cells))
    wanted = (box >= first[targets][:, None]) & (box < first[targets + 1][:, None])
    assert_array_equal(tests.target_patterns(codes, first, targets), np.where(wanted, expected, 0))


def test_one_box_for_everyone():
    boxes, _ = grid_boxes(1, 2)
    whole = Boxes(boxes.bins, np.ones((1, 1, 256), dtype=bool), np.zeros(1, dtype=np.int32)).tests()
    codes = np.zeros((3, 1), dtype=np.uint8)
    assert whole.find(codes).tolist() == [0, 0, 0]
    assert whole.patterns(codes).tolist() == [[0], [0], [0]]
