"""Unions of boxes against sets of points: every operation is tried on every point of a small grid."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from xseg.segmenters._rule_geometry import Regions, find_runs

WIDTHS = (4, 3, 5)
EVERYTHING = tuple((1 << width) - 1 for width in WIDTHS)
REGIONS = Regions(EVERYTHING, (True, False, True), (0, 1, 2))
boxes = st.tuples(*(st.integers(1, every) for every in EVERYTHING))
regions = st.lists(boxes, max_size=4)


def points(region):
    return {
        point
        for box in region
        for point in product(*([cell for cell in range(8) if cells >> cell & 1] for cells in box))
    }


def count(region):
    return sum(len(points([box])) for box in region)


@given(regions, regions)
def test_operations_are_those_of_sets(one, other):
    assert points(REGIONS.union([one, other])) == points(one) | points(other)
    assert points(REGIONS.intersection([one, other])) == points(one) & points(other)
    apart = REGIONS.disjoint(one)
    assert points(apart) == points(one)
    assert count(apart) == len(points(one))
    left = REGIONS.difference(apart, other)
    assert points(left) == points(one) - points(other)
    assert count(left) == len(points(left))
    assert REGIONS.covers(one, other) == (points(other) <= points(one))
    told = REGIONS.simplify(one, other)
    assert points(told) == points(left)
    assert count(told) == len(points(left))
    assert len(told) <= len(REGIONS.merge_readable(left))


@given(regions, st.permutations(range(3)))
def test_the_order_of_cutting_changes_no_point(one, order):
    cut = Regions(EVERYTHING, REGIONS.ordered, tuple(order))
    assert points(cut.disjoint(one)) == points(one)


@given(regions)
def test_readable_boxes_are_ranges_that_do_not_overlap(one):
    apart = REGIONS.disjoint(one)
    told = REGIONS.merge_readable(apart)
    assert points(told) == points(one)
    assert count(told) == len(points(one))
    for box in told:
        for axis, is_ordered in enumerate(REGIONS.ordered):
            missing = 1 << (WIDTHS[axis] - 1)
            if is_ordered:
                assert len(find_runs(box[axis], missing)) == 1
    assert REGIONS.merge_readable(told) == told


@given(st.integers(1, 2**9 - 1))
def test_runs_are_the_stretches_of_neighbours(cells):
    missing = 1 << 8
    runs = find_runs(cells, missing)
    assert sum(runs) == cells
    for run in runs:
        known = run & ~missing
        lowest = known & -known
        assert known == 0 or (known + lowest) & known == 0
