"""A backend that xseg does not know passes the conformance checks, and every defect is found by one of them."""

import pickle

import numpy as np
import pytest

import xseg
from xseg.backends import CodedBlock, RawBlock, check_weights, read_table
from xseg.testing import check_backend

CHUNK = 41


class Chunks:
    """Pickled chunks, worked on last to first, each by its own pickled copy of the task; an empty one is among them."""

    def sum(self, statistic):
        task = pickle.dumps(statistic.empty())
        total = statistic.empty()
        for chunk in reversed(self.chunks):
            part = pickle.loads(task)
            part.add(pickle.loads(chunk))
            total.merge(pickle.loads(pickle.dumps(part)))
        return total

    def map(self, function):
        task = pickle.dumps(function)
        parts = [pickle.loads(task)(pickle.loads(chunk)) for chunk in reversed(self.chunks)]
        return np.concatenate(parts[::-1])


class ChunkBackend(Chunks):
    def __init__(self, X, sample_weight=None):
        table = read_table(X)
        weights, self.weight_unit = check_weights(sample_weight, len(table))
        starts = [0, 0, *range(CHUNK, len(table), CHUNK)]
        stops = [*starts[1:], len(table)]
        blocks = [RawBlock(table.rows(a, b), weights[a:b], a) for a, b in zip(starts, stops, strict=True)]
        self.chunks = [pickle.dumps(block) for block in blocks]

    def with_chunks(self, convert):
        other = type(self).__new__(type(self))
        other.weight_unit = self.weight_unit
        blocks = [pickle.loads(chunk) for chunk in self.chunks]
        other.chunks = [pickle.dumps(RawBlock(convert(b.table), b.weights, b.first)) for b in blocks]
        return other

    def convert_tables(self, convert):
        return self.with_chunks(pickle.loads(pickle.dumps(convert)))

    def encode(self, coding):
        return ChunkCodes(self.chunks, pickle.loads(pickle.dumps(coding)))


class ChunkCodes(Chunks):
    def __init__(self, chunks, coding):
        blocks = [pickle.loads(chunk) for chunk in chunks]
        self.n_rows = sum(len(block.weights) for block in blocks)
        self.chunks = [pickle.dumps(CodedBlock(*coding.code(block.table), block.weights)) for block in blocks]


@pytest.mark.parametrize("make", [xseg.backends.MemoryBackend, ChunkBackend])
def test_the_backends_conform(make):
    check_backend(make)


def test_rules_and_surrogates_send_tasks_that_can_be_pickled():
    table = xseg.make_customers(200, random_state=0)
    rules = xseg.RuleSegmenter({"Big": "spend_year > 500"})
    assert (rules.fit(ChunkBackend(table)).labels_ == rules.fit(table).labels_).all()
    assert (rules.predict(ChunkBackend(table)) == rules.labels_).all()
    numbers = table[["orders_90d", "spend_year"]]
    tree = xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(numbers)
    again = xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(ChunkBackend(numbers), align_to=tree)
    assert (again.labels_ == tree.labels_).all()
    assert xseg.metrics.drift(tree, ChunkBackend(numbers)).verdict == "stable"


class Backwards(ChunkBackend):
    def map(self, function):
        return super().map(function)[::-1]


class Unweighted(ChunkBackend):
    def __init__(self, X, sample_weight=None):
        super().__init__(X)


class Mutating(ChunkBackend):
    def sum(self, statistic):
        for chunk in self.chunks:
            statistic.add(pickle.loads(chunk))
        return statistic


class Hiding(ChunkBackend):
    def sum(self, statistic):
        try:
            return super().sum(statistic)
        except xseg.XsegError as error:
            raise RuntimeError from error


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Backwards, "order of the rows"),
        (Unweighted, "weight"),
        (Mutating, "sum must"),
        (Hiding, "own error must"),
        (lambda X, w: X, "lacks a method"),
    ],
)
def test_every_defect_is_found(make, words):
    with pytest.raises(AssertionError, match=words):
        check_backend(make)
