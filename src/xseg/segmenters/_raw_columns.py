"""Codes of raw columns from which the codes of the transformed columns follow.

The thresholds are found by bisection on the fitted transformers.
"""

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg.core.bins import MISSING, N_CODES, Bins, FeatureBins, as_kind
from xseg.core.schema import Feature, Kind
from xseg.core.segments import SegmentProfile
from xseg.core.tables import Column, Table, read_table
from xseg.exceptions import UnsupportedTypeError
from xseg.segmenters._derivations import Derivation, DerivationKind
from xseg.segmenters._pipelines import Route

__all__ = ["Probe", "RawColumn", "first_number_at_least", "raw_columns"]


# Far beyond any value of a row, and small enough that steps which square it stay finite.
_LARGEST = 1e30


class Probe:
    """Finder of the codes that the segmenter sees of raw values.

    Parameters
    ----------
    route : Route
        The route to the segmenter.
    bins : Bins
        Its codes of transformed columns.
    names : sequence of str
        The raw columns.
    named : bool
        Whether the pipeline was fitted with these names.
    usual : sequence
        A value of each raw column that the pipeline takes.
    """

    def __init__(self, route: Route, bins: Bins, names: Sequence[str], *, named: bool, usual: Sequence[Any]) -> None:
        self.route, self.bins, self.names, self.named, self.usual = route, bins, names, named, usual

    def codes(self, values: Mapping[int, Sequence[Any]]) -> NDArray[np.uint8]:
        """Return the codes of rows that differ from the usual in some columns, shape (n_rows, n_transformed).

        Parameters
        ----------
        values : mapping of int to sequence
            Values of raw columns, from the first row on.
        """
        _, table = self.pass_through(values)
        n_rows = len(table)
        codes = np.empty((n_rows, len(self.bins)), dtype=np.uint8)
        for j, bins in enumerate(self.bins.features):
            column = as_kind(table.columns[j], bins.feature)
            if bins.feature.kind.is_numeric and bins.feature.kind is not Kind.EMPTY:
                codes[:, j] = _number_codes(column, bins.thresholds)
            else:
                bins.encode(column, codes[:, j])
        return codes

    def pass_through(self, values: Mapping[int, Sequence[Any]]) -> tuple[Any, Table]:
        """Return such rows, and what the steps make of them."""
        n_rows = max(map(len, values.values()))
        columns = []
        for j, usual in enumerate(self.usual):
            held = list(values.get(j, ()))
            held += [usual] * (n_rows - len(held))
            columns.append(_as_column(held, usual))
        rows = self._container(columns)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return rows, read_table(self.route.transform(rows))

    def codes_where_taken(self, column: int, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the codes of values of one column; those that a step refuses, such as log(0), count as missing."""
        try:
            return self.codes({column: values.tolist()})
        except ValueError:
            if len(values) <= 1:
                return np.full((len(values), len(self.bins)), MISSING, dtype=np.uint8)
            half = len(values) // 2
            return np.vstack([self.codes_where_taken(column, part) for part in (values[:half], values[half:])])

    def missing(self, column: int, *, is_none: bool) -> NDArray[np.uint8] | None:
        """Return the codes of a column's missing value, shape (n_transformed,); None if the pipeline refuses it."""
        try:
            return np.asarray(self.codes({column: [None if is_none else np.nan]})[0])
        except (TypeError, ValueError):
            return None

    def _container(self, columns: Sequence[NDArray[Any]]) -> Any:
        if self.named:
            return pd.DataFrame(dict(zip(self.names, columns, strict=True)))
        return np.column_stack(columns)


def _as_column(values: list[Any], usual: Any) -> NDArray[Any]:
    if isinstance(usual, str):
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    return np.array(values, dtype=np.float64)


def _number_codes(column: Column, thresholds: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return codes as `FeatureBins.encode` does, of infinities too: probes go to the ends of the numbers."""
    values = np.asarray(column.values, dtype=np.float64)
    codes = np.searchsorted(thresholds, values, side="right").astype(np.uint8)
    codes[np.isnan(values)] = MISSING
    return codes


def first_number_at_least(above: Any, n: int) -> NDArray[np.float64]:
    """Find, for each of n questions that are false up to some number and true from there, the first number.

    Parameters
    ----------
    above : callable
        Whether each number lies beyond its change; takes and gives arrays of shape (n,).
    n : int
        How many questions.

    Returns
    -------
    ndarray of shape (n,)
        The numbers; infinity where the answer is never true, minus infinity where it always is.
    """
    low, high = np.full(n, _place(-_LARGEST)), np.full(n, _place(_LARGEST))
    always, never = above(np.full(n, -_LARGEST)), ~above(np.full(n, _LARGEST))
    for _ in range(64):
        middle = (low & high) + ((low ^ high) >> 1)
        yes = above(_number(middle))
        high, low = np.where(yes, middle, high), np.where(yes, low, middle)
    found = _number(high)
    found[never], found[always] = np.inf, -np.inf
    return found


def _place(number: float) -> np.int64:
    """Return a whole number that grows as the float does."""
    bits = np.float64(number).view(np.int64)
    return np.int64(bits if bits >= 0 else np.int64(-(2**63)) - bits)


def _number(place: NDArray[np.int64]) -> NDArray[np.float64]:
    bits = np.where(place >= 0, place, np.int64(-(2**63)) - place)
    return np.asarray(bits.view(np.float64))


_MAX_EDGES = 254
_GRID = np.concatenate([-np.logspace(12, -6, 37), [0.0], np.logspace(-6, 12, 37)])


@dataclass(frozen=True, eq=False)
class RawColumn:
    """One raw column.

    Attributes
    ----------
    bins : FeatureBins
        Its codes.
    derived : tuple of int
        The transformed columns made of it.
    codes : ndarray of shape (256, n_derived)
        The code of each of those for every raw code.
    counts : ndarray of shape (n_segments, 256)
        Number of rows of each segment have each raw code.
    values : tuple
        A raw value for each code that the pipeline takes.
    """

    bins: FeatureBins
    derived: tuple[int, ...]
    codes: NDArray[np.uint8]
    counts: NDArray[np.int64]
    values: tuple[Any, ...]


def raw_columns(
    probe: Probe, derivations: Sequence[Derivation], profile: SegmentProfile, tested: Mapping[int, Collection[int]]
) -> list[RawColumn]:
    """Return every raw column of a pipeline.

    Parameters
    ----------
    probe : Probe
        What becomes of raw values.
    derivations : sequence of Derivation
        How each transformed column is made.
    profile : SegmentProfile
        Counts of the codes of transformed columns.
    tested : mapping of int to collection of int
        Of the transformed columns that the segmenter asks about: the codes that it parts from those before them.

    Raises
    ------
    UnsupportedTypeError
        A column is made in a way in which raw values cannot be told from it.
    """
    columns = [_Column(j, probe, derivations, profile, tested) for j in range(len(probe.names))]
    _find_edges(probe, [steps for column in columns for steps in column.steps])
    return [column.build() for column in columns]


@dataclass(eq=False)
class _Steps:
    """Where the code of a transformed column changes with the raw one.

    Attributes
    ----------
    column, derived : int
        The raw and the transformed column.
    n_edges : int
        How often the code changes.
    falls : bool
        Whether it falls as the raw number rises.
    edges : ndarray of shape (n_edges,)
        The first raw number beyond each change, infinite where there is none.
    """

    column: int
    derived: int
    n_edges: int
    falls: bool
    edges: NDArray[np.float64]

    @property
    def upper_codes(self) -> NDArray[np.int64]:
        """The code from which each change leads upwards."""
        return np.arange(1, self.n_edges + 1)

    def lies_beyond(self, codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return whether each probe lies beyond its change."""
        found = codes[:, self.derived].astype(int)
        beyond = (found < self.upper_codes) if self.falls else (found >= self.upper_codes)
        return np.asarray((found != MISSING) & beyond)


def _find_edges(probe: Probe, all_steps: Sequence[_Steps]) -> None:
    """Answer all questions at once, so that every step sees all columns in one table."""
    ends = np.cumsum([steps.n_edges for steps in all_steps])

    def above(values: NDArray[np.float64]) -> NDArray[np.bool_]:
        parts = np.split(values, ends[:-1])
        asked: dict[int, list[float]] = {}
        places = []
        for steps, part in zip(all_steps, parts, strict=True):
            held = asked.setdefault(steps.column, [])
            places.append(slice(len(held), len(held) + len(part)))
            held.extend(part.tolist())
        try:
            together = probe.codes(asked)
            codes = [together[place] for place in places]
        except ValueError:
            codes = [
                probe.codes_where_taken(steps.column, part) if len(part) else np.empty((0, len(probe.bins)), np.uint8)
                for steps, part in zip(all_steps, parts, strict=True)
            ]
        return np.concatenate([steps.lies_beyond(code) for steps, code in zip(all_steps, codes, strict=True)])

    if len(ends) and ends[-1]:
        found = first_number_at_least(above, int(ends[-1]))
        for steps, edges in zip(all_steps, np.split(found, ends[:-1]), strict=True):
            steps.edges = edges


class _Column:
    def __init__(
        self,
        column: int,
        probe: Probe,
        derivations: Sequence[Derivation],
        profile: SegmentProfile,
        tested: Mapping[int, Collection[int]],
    ) -> None:
        self.column, self.probe, self.profile, self.tested = column, probe, profile, tested
        self.name = probe.names[column]
        self.derived = tuple(d for d, derivation in enumerate(derivations) if derivation.source == column)
        self.derivations = [derivations[d] for d in self.derived]
        self.seen = [profile.bins[d] for d in self.derived]
        self.first = next((derivation.first for derivation in self.derivations if derivation.first is not None), None)
        self.is_none = any(derivation.missing_is_none for derivation in self.derivations)
        self.missing = probe.missing(column, is_none=self.is_none) if self.derived else None
        is_text = isinstance(probe.usual[column], str)
        self.steps = [
            self._find_steps(d)
            for d, derivation in zip(self.derived, self.derivations, strict=True)
            if derivation.kind is DerivationKind.MONOTONE and not is_text
        ]

    def build(self) -> RawColumn:
        if not self.derived:
            bins = FeatureBins(Feature(self.name, Kind.EMPTY), np.empty(0))
            counts = self._nobody()
            counts[:, MISSING] = self._sizes()
            return RawColumn(bins, (), np.zeros((N_CODES, 0), np.uint8), counts, (self.probe.usual[self.column],))
        return self._categories() if isinstance(self.probe.usual[self.column], str) else self._numbers()

    def _categories(self) -> RawColumn:
        plain = [
            self.profile.bins[d]
            for d, derivation in zip(self.derived, self.derivations, strict=True)
            if derivation.kind is DerivationKind.MONOTONE
        ]
        listed = [bins.categories for bins in plain] + [
            derivation.categories for derivation in self.derivations if derivation.categories
        ]
        categories = tuple(dict.fromkeys(str(name) for names in listed for name in names))
        kind = (
            plain[0].feature.kind
            if plain and not any(derivation.categories for derivation in self.derivations)
            else Kind.CATEGORY
        )
        codes = self._codes_at(categories)
        counts = self._counts_by_code(codes[: len(categories)])
        bins = FeatureBins(self._feature(kind, counts, categories), np.empty(0), categories)
        return RawColumn(bins, self.derived, codes, counts, self._taken(categories))

    def _numbers(self) -> RawColumn:
        edges: dict[float, NDArray[np.int64] | None] = {}
        tested: set[float] = set()
        self._edges_of_pieces(edges, tested)
        self._edges_of_monotone(edges, tested)
        thresholds = np.array(_thin_edges(sorted(edges), tested))
        starts = (
            _starts(thresholds, self.first) if len(thresholds) else np.array([float(self.probe.usual[self.column])])
        )
        codes = self._codes_at(starts.tolist())
        if any(edges[edge] is None for edge in thresholds.tolist()):
            raise self._unknown()
        missing = self._missing_people()
        reached = np.array([edges[edge] for edge in thresholds.tolist()]).reshape(len(thresholds), len(missing))
        counts = self._nobody()
        ends = np.vstack([np.zeros((1, len(counts)), np.int64), reached, (self._sizes() - missing)[None]])
        counts[:, : len(thresholds) + 1] = np.diff(ends, axis=0).T
        counts[:, MISSING] = missing
        if (counts < 0).any():
            raise self._unknown()
        same = [
            self.profile.bins[d].feature
            for d, derivation in zip(self.derived, self.derivations, strict=True)
            if derivation.untouched
        ]
        kind = Kind.BOOLEAN if any(feature.kind is Kind.BOOLEAN for feature in same) else Kind.NUMBER
        feature = replace(self._feature(kind, counts), integral=any(feature.integral for feature in same))
        return RawColumn(FeatureBins(feature, thresholds), self.derived, codes, counts, self._taken(starts.tolist()))

    def _find_steps(self, d: int) -> _Steps:
        along = self.probe.codes_where_taken(self.column, _GRID)[:, d].astype(int)
        steps = np.diff(along[along != MISSING])
        if (steps > 0).any() and (steps < 0).any():
            message = (
                f"column {self.profile.bins[d].feature.name!r} rises and falls with {self.name!r}, so rules cannot be "
                "told in raw units; explain folds it all the same"
            )
            raise UnsupportedTypeError(message)
        return _Steps(self.column, d, self.profile.bins[d].n_codes - 1, bool((steps < 0).any()), np.empty(0))

    def _edges_of_monotone(self, edges: dict[float, Any], tested: set[float]) -> None:
        """Find where codes of transformed columns change, and how many rows lie below."""
        for steps in self.steps:
            d = steps.derived
            counts = self.profile.counts[:, d, : steps.n_edges + 1]
            reached = np.cumsum(counts, axis=1)[:, :-1]
            if steps.falls:
                reached = counts.sum(axis=1, keepdims=True) - reached
            reached = reached - self._filled_in(d, steps.upper_codes, falls=steps.falls)
            changes = zip(steps.upper_codes.tolist(), steps.edges.tolist(), reached.T, strict=True)
            for code, edge, people in changes:
                if np.isfinite(edge):
                    edges[edge] = people
                    if code in self.tested.get(d, ()):
                        tested.add(edge)

    def _filled_in(self, d: int, wanted: NDArray[np.int64], *, falls: bool) -> NDArray[np.int64]:
        """Count, below each edge, the rows whose missing value was filled in and is known to have been missing."""
        people = self._missing_people()[:, None]
        if self.missing is None or self.missing[d] == MISSING:
            return np.zeros((len(people), len(wanted)), dtype=np.int64)
        code = int(self.missing[d])
        return people * ((code >= wanted) if falls else (code < wanted))[None]

    def _missing_people(self) -> NDArray[np.int64]:
        """Count the rows of each segment whose value was missing, if the transformed columns tell."""
        if self.missing is not None:
            known = self._known_codes()
            for d, derivation in zip(self.derived, self.derivations, strict=True):
                code = self.missing[d]
                if code == MISSING or (derivation.kind is DerivationKind.PIECES and code not in known[:, d]):
                    people: NDArray[np.int64] = self.profile.counts[:, d, code]
                    return people
        return np.zeros(len(self.profile.counts), dtype=np.int64)

    def _known_codes(self) -> NDArray[np.uint8]:
        """Return the codes of every piece, shape (n_pieces, n_transformed)."""
        edges = sorted(
            {
                edge
                for derivation in self.derivations
                if derivation.kind is DerivationKind.PIECES
                for edge in derivation.edges
            }
        )
        values = _starts(np.array(edges), self.first) if edges else np.array([self.probe.usual[self.column]])
        return self.probe.codes({self.column: values.tolist()})

    def _edges_of_pieces(self, edges: dict[float, Any], tested: set[float]) -> None:
        every = sorted(
            {
                edge
                for derivation in self.derivations
                if derivation.kind is DerivationKind.PIECES
                for edge in derivation.edges
            }
        )
        if not every:
            return
        counts = self._count_lines(self._known_codes()[:, self.derived])
        reached = None if counts is None else np.cumsum(counts, axis=1)[:, :-1].T
        for place, edge in enumerate(every):
            edges[edge] = None if reached is None else reached[place]
            tested.add(edge)

    def _taken(self, known: Sequence[Any]) -> tuple[Any, ...]:
        missing = () if self.missing is None else (None if self.is_none else np.nan,)
        return (*known, *missing)

    def _codes_at(self, values: Sequence[Any]) -> NDArray[np.uint8]:
        """Return the codes of the transformed columns for every raw code; a refused missing value goes first."""
        codes = np.zeros((N_CODES, len(self.derived)), dtype=np.uint8)
        if len(values):
            codes[: len(values)] = self.probe.codes({self.column: list(values)})[:, self.derived]
        codes[MISSING] = codes[0] if self.missing is None else self.missing[list(self.derived)]
        return codes

    def _counts_by_code(self, codes: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Count the rows of each category, each of which some transformed column knows from all others."""
        counts, missing = self._nobody(), None if self.missing is None else self.missing[list(self.derived)]
        apart = missing is not None and not (codes == missing).all(axis=1).any()
        every = np.vstack([codes, missing]) if apart and missing is not None else codes
        found = self._count_lines(every)
        if found is None:
            raise self._unknown()
        counts[:, : len(codes)] = found[:, : len(codes)]
        if apart:
            counts[:, MISSING] = found[:, -1]
        return counts

    def _count_lines(self, codes: NDArray[np.uint8]) -> NDArray[np.int64] | None:
        """Count rows by their line of codes, shape (n_segments, n_lines); None if lines cannot be told apart."""
        sizes = self._sizes()
        counts = np.full((len(sizes), len(codes)), -1, dtype=np.int64)
        for place, d in enumerate(self.derived):
            for line, code in enumerate(codes[:, place].tolist()):
                if (codes[:, place] == code).sum() == 1:
                    counts[:, line] = self.profile.counts[:, d, code]
        unknown = np.flatnonzero(counts[0] < 0)
        if len(unknown) > 1:
            return None
        counts[:, unknown] = (sizes - np.where(counts < 0, 0, counts).sum(axis=1))[:, None]
        return counts

    def _feature(self, kind: Kind, counts: NDArray[np.int64], categories: tuple[str, ...] = ()) -> Feature:
        return Feature(self.name, kind, categories, has_missing=bool(counts[:, MISSING].any()))

    def _nobody(self) -> NDArray[np.int64]:
        return np.zeros((len(self.profile.counts), N_CODES), dtype=np.int64)

    def _sizes(self) -> NDArray[np.int64]:
        sizes: NDArray[np.int64] = self.profile.counts[:, 0].sum(axis=1)
        return sizes

    def _unknown(self) -> UnsupportedTypeError:
        message = (
            f"the transformed columns do not tell how the raw values of {self.name!r} were spread, so cards could not "
            "compare with others; let one column of it be kept, scaled or encoded without leaving values out"
        )
        return UnsupportedTypeError(message)


def _starts(edges: NDArray[np.float64], first: float | None) -> NDArray[np.float64]:
    """Return a value of each piece: its edge, and of the first, the number before the first edge."""
    return np.append(np.nextafter(edges[0], -np.inf) if first is None else first, edges)


def _thin_edges(edges: list[float], tested: set[float]) -> list[float]:
    """Keep as many edges as there are codes, those that decide anything first."""
    if len(edges) <= _MAX_EDGES:
        return edges
    others = [edge for edge in edges if edge not in tested]
    room = _MAX_EDGES - (len(edges) - len(others))
    kept = {others[place] for place in np.linspace(0, len(others) - 1, max(room, 0)).astype(int)}
    return sorted(kept | tested)
