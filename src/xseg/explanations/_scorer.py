"""One person at a time, for a live page: the same segment and the same values as `explain`, in microseconds."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isinf
from numbers import Real
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.box_kernels import shapley_table
from xseg.core.additive import AdditiveModel
from xseg.core.bins import MISSING, FeatureBins
from xseg.core.boxes import Boxes, BoxModel
from xseg.core.conditions import condition_of
from xseg.core.embedding import MAX_COORDINATE, too_far
from xseg.core.schema import Kind, suggestion
from xseg.core.tables import is_missing
from xseg.exceptions import DataError, UnsupportedTypeError
from xseg.explanations._additive_shapley import AdditiveExplainer
from xseg.explanations._box_shapley import BoxExplainer, population_explainer, shapley_weights
from xseg.explanations._explained import NO_RIVAL
from xseg.segmenters import check_segmenter

__all__ = ["OnePerson", "Scored", "ScoredReason", "ScoredRow", "Scorer", "one_person_of", "reader_of"]


def reader_of(bins: FeatureBins) -> Callable[[Any], int]:
    """Return a function from one value (None: not known) to its code."""
    name, missing = bins.feature.name, int(MISSING)
    if bins.feature.kind is Kind.EMPTY:
        return lambda _: missing
    if bins.feature.kind.is_numeric:
        thresholds = bins.thresholds.tolist()

        def number(value: Any) -> int:
            if value is None:
                return missing
            if not isinstance(value, Real | np.bool_):
                message = (
                    f"column {name!r} held numbers when the segmenter was fitted, and holds {value!r} now; "
                    "convert it to a number, or give None if it is not known"
                )
                raise DataError(message)
            known = float(value)
            if isinf(known):
                message = f"column {name!r} holds an infinite value; give None if it is not known"
                raise DataError(message)
            return bisect_right(thresholds, known)

        return number
    place = {category: code for code, category in enumerate(bins.categories)}

    def category(value: Any) -> int:
        if value is None:
            return missing
        if not isinstance(value, str):
            message = (
                f"column {name!r} held text when the segmenter was fitted, and holds {value!r} now; convert it to text"
            )
            raise DataError(message)
        return place.get(value, missing)

    return category


Rules: TypeAlias = "list[str | None]"


@dataclass(frozen=True, slots=True)
class Scored:
    """What is known of one person.

    Attributes
    ----------
    segment : int
        The segment.
    rival : int or None
        The segment that fits next best; None where membership is explained.
    base : float
        What is known of nobody.
    contributions : list of float
        One for each feature.
    rules : list of (str or None)
        What the person's rule asks of each feature.
    """

    segment: int
    rival: int | None
    base: float
    contributions: list[float]
    rules: Rules


class OnePerson(Protocol):
    """Explains one person; each family of models has one."""

    def __call__(self, values: Sequence[Any]) -> Scored:
        """Explain the person with these values, None where they are not known."""
        ...


class _Boxes:
    """Finds the person's box, looks up one line of a table for each box of the segment, and adds."""

    def __init__(self, model: BoxModel) -> None:
        bins, order = model.boxes.bins, np.argsort(model.boxes.segment, kind="stable")
        explainer = population_explainer(model, None, len(bins))
        self._base = explainer.base_values().tolist()
        self._coders = [(j, reader_of(bins[j])) for j in model.boxes.used_features.tolist()]
        self._places = [(j, _boxes_by_code(model.boxes.inside[order, j])) for j, _ in self._coders]
        self._everywhere = (1 << len(order)) - 1
        self._segment_of = model.boxes.segment[order].tolist()
        self._boxes = [
            [_Box(explainer, box) for box in range(explainer.first[s], explainer.first[s + 1])]
            for s in range(model.n_segments)
        ]
        self._rules = [_rules(model.boxes, box) for box in order.tolist()]

    def __call__(self, values: Sequence[Any]) -> Scored:
        codes = {j: read(values[j]) for j, read in self._coders}
        boxes = self._everywhere
        for j, holding in self._places:
            boxes &= holding[codes[j]]
        own = boxes.bit_length() - 1
        segment = self._segment_of[own]
        contributions = [0.0] * len(values)
        for box in self._boxes[segment]:
            for player, part in zip(box.players, box.line(codes), strict=True):
                contributions[player] += part
        return Scored(segment, None, self._base[segment], contributions, self._rules[own])


class _Box:
    """One box of a segment: what its tests add for each pattern of failed tests."""

    def __init__(self, explainer: BoxExplainer, box: int) -> None:
        tests = explainer.tests
        self.players: list[int] = tests.players[box].tolist()
        self._bits = [
            (int(j), tests.failing[u, :, box].tolist())
            for u, j in enumerate(tests.features)
            if tests.failing[u, :, box].any()
        ]
        self._background = explainer.background[box]
        self._weights = shapley_weights(len(self.players))
        self._lines: dict[int, list[float]] = {}

    def line(self, codes: Mapping[int, int]) -> list[float]:
        """Return what each test adds."""
        pattern = 0
        for j, failing in self._bits:
            pattern |= failing[codes[j]]
        line = self._lines.get(pattern)
        if line is None:
            table = np.zeros((1, len(self.players)))
            share = self._background.weight / self._background.weight.sum()
            shapley_table(np.array([pattern], dtype=np.uint32), self._background.pattern, share, *self._weights, table)
            line = self._lines[pattern] = table[0].tolist()
        return line


def _boxes_by_code(inside: NDArray[np.bool_]) -> list[int]:
    """Return for each code the boxes that hold it, one bit each; `inside` has shape (n_boxes, 256)."""
    return [sum(1 << box for box in np.flatnonzero(holds).tolist()) for holds in inside.T]


def _rules(boxes: Boxes, box: int) -> list[str | None]:
    """Return what a box asks of each feature."""
    return [
        None if inside.all() else str(condition_of(bins, inside))
        for bins, inside in zip(boxes.bins.features, boxes.inside[box], strict=True)
    ]


class _Scores:
    """Adds the parts of every score, and compares the best two: the kernels of a table, on one row."""

    def __init__(self, model: AdditiveModel) -> None:
        bins, embedding = model.coding.bins, model.coding.embedding
        self._bins = bins
        n_features = len(bins)
        self._explainer = AdditiveExplainer(model, model.population, np.arange(n_features), n_features)
        self._base = self._explainer.base_values().tolist()
        self._checks = [
            (j, reader_of(bins[j]))
            for j in range(n_features)
            if j not in embedding.looked_up and bins[j].feature.kind.is_numeric
        ]
        self._coders = [(j, reader_of(bins[j])) for j in embedding.looked_up.tolist()]
        self._coordinates = list(
            zip(embedding.coordinates.tolist(), embedding.shift.tolist(), embedding.factor.tolist(), strict=True)
        )
        self._no_rules: Rules = [None] * n_features

    def __call__(self, values: Sequence[Any]) -> Scored:
        for j, check in self._checks:
            check(values[j])
        codes = np.zeros((1, len(values)), dtype=np.uint8)
        for j, read in self._coders:
            codes[0, j] = read(values[j])
        points = np.zeros((1, len(self._coordinates)), dtype=np.float32)
        for p, (j, shift, factor) in enumerate(self._coordinates):
            if values[j] is None:
                codes[0, j] = MISSING
            else:
                point = (float(values[j]) - shift) * factor
                if abs(point) > MAX_COORDINATE:
                    raise too_far(self._bins[j].feature.name, float(values[j]))
                points[0, p] = point
        contributions, own, rival = self._explainer.explain_own(codes, points)
        rival_base = 0.0 if rival == NO_RIVAL else self._base[rival]
        return Scored(own, rival, self._base[own] - rival_base, contributions, self._no_rules)


_FAMILIES: dict[type, Callable[[Any], OnePerson]] = {BoxModel: _Boxes, AdditiveModel: _Scores}


def one_person_of(model: Any) -> OnePerson:
    """Prepare what explains one person, by the family of the model."""
    return _FAMILIES[type(model)](model)


@dataclass(frozen=True, slots=True)
class ScoredReason:
    """One feature's part in the answer.

    Attributes
    ----------
    feature : str
        The column.
    value : object
        The person's value; None if it is not known.
    contribution : float
        The exact Shapley value.
    rule : str or None
        What the person's rule asks of the feature; None if it asks nothing, as always where segments have scores.
    share_below, share_same : float or None
        How many of the people whose value is known have a lower value, and the same one (to the nearest code); None
        where the person's own value is not known or, for `share_below`, where values have no order.
    """

    feature: str
    value: Any
    contribution: float
    rule: str | None
    share_below: float | None
    share_same: float | None


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One person's segment and why.

    Attributes
    ----------
    segment : int
        The segment.
    name : str
        What it is called.
    base_value : float
        The share of everyone who is in it; with all contributions it adds up to 1. Where segments have scores, the mean
        margin over the rival; with all contributions it adds up to the person's margin.
    reasons : tuple of ScoredReason
        Every feature with any influence, the strongest first.
    rival : int or None
        The segment that fits next best, over which the margin is; None where membership is explained.
    """

    segment: int
    name: str
    base_value: float
    reasons: tuple[ScoredReason, ...]
    rival: int | None = None


class Scorer:
    """Fast scorer of single rows: the segment of one person, and why, from a dict.

    Everything that does not depend on the person is worked out once. A call finds the person's box, looks up one line
    of a table for each box of the segment, and adds; where segments have scores, it runs what a table would run, on
    one row. Segments and contributions equal those of `predict` and `explain`,
    bit for bit.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    UnsupportedTypeError
        The model has no exact explanation, or is a pipeline (whose steps take tables, not dicts).

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> scorer = xseg.Scorer(segmenter)
    >>> scored = scorer(customers.iloc[0].to_dict())
    >>> bool(scored.segment == segmenter.labels_[0])
    True
    """

    def __init__(self, segmenter: Any) -> None:
        if hasattr(segmenter, "steps"):
            message = (
                "a Scorer takes a fitted segmenter, not a pipeline, whose steps take tables and not dicts; give it "
                "xseg.fold(pipeline)"
            )
            raise UnsupportedTypeError(message)
        check_segmenter(segmenter)
        profile = segmenter.profile_
        self._names: tuple[str, ...] = profile.bins.schema.names
        self._segment_names = segmenter.segment_names_
        self._explain = one_person_of(segmenter.model_)
        self._readers = [reader_of(bins) for bins in profile.bins.features]
        self._shares = [_shares(profile, j) for j in range(len(self._names))]

    def __call__(self, row: Mapping[str, Any]) -> ScoredRow:
        """Score one person.

        Parameters
        ----------
        row : mapping
            A value for each column the segmenter was fitted on; None or NaN where it is not known. Other keys are
            ignored.

        Returns
        -------
        ScoredRow
            Segment, name and reasons.

        Raises
        ------
        DataError
            A column is missing.
        DataError
            A value is of another type than it was when the segmenter was fitted, or infinite.
        """
        values = self._values(row)
        found = self._explain(values)
        contributions, rules = found.contributions, found.rules
        reasons = tuple(self._reason(j, values[j], contributions[j], rules[j]) for j in _strongest(contributions))
        return ScoredRow(found.segment, self._segment_names[found.segment], found.base, reasons, found.rival)

    def _values(self, row: Mapping[str, Any]) -> list[Any]:
        try:
            given = [row[name] for name in self._names]
        except KeyError as error:
            name = error.args[0]
            message = f"the row has no value for column {name!r}{suggestion(name, [str(key) for key in row])}"
            raise DataError(message) from None
        return [None if is_missing(value) else value for value in given]

    def _reason(self, j: int, value: Any, contribution: float, rule: str | None) -> ScoredReason:
        code = self._readers[j](value)
        below, same = self._shares[j][code] if code != MISSING else (None, None)
        return ScoredReason(self._names[j], value, contribution, rule, below, same)


def _strongest(contributions: list[float]) -> list[int]:
    """Return the features with any influence, the strongest first."""
    found = [j for j, contribution in enumerate(contributions) if contribution]
    found.sort(key=lambda j: -abs(contributions[j]))
    return found


def _shares(profile: Any, j: int) -> list[tuple[float | None, float]]:
    bins = profile.bins[j]
    around = [profile.window_shares(j, code) for code in range(bins.n_codes)]
    return [(below if bins.is_ordered else None, same) for below, same in around]
