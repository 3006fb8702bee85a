"""Segments that differ in an outcome, estimated honestly."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from sklearn.utils import check_random_state

from xseg._sklearn import Interval
from xseg.backends import Backend, MemoryBackend
from xseg.core.bins import Bins
from xseg.core.boxes import MAX_TESTS, BoxModel, ThresholdTree
from xseg.core.embedding import Coding, Embedding
from xseg.core.segments import Outcome, SegmentNames, SegmentProfile, Segments
from xseg.exceptions import DataError, ParameterError
from xseg.segmenters._base import complete_fit, register_segmenter
from xseg.segmenters._learning import MIN_MEMBERS, learn_columns
from xseg.segmenters._names import choose_names, warn_if_names_move
from xseg.segmenters._outcome_search import (
    CATEGORIES,
    ESTIMATE,
    GROW,
    NUMBER,
    OutcomeRows,
    Target,
    difference_test,
    grow_and_prune,
    read_target,
    split_rows,
)
from xseg.segmenters._saved_state import (
    Finite,
    SegmentsState,
    StrictState,
    TreeState,
    build_names,
    build_tree_model,
    check,
    to_plain,
)
from xseg.segmenters._tree import TreeBoxes, TreePopulation, count_tree_population
from xseg.segmenters._tree_cells import Cells, Roundness
from xseg.segmenters._tree_nodes import Sample, to_tree

__all__ = ["OutcomeSegmenter"]


_DIRECTIONS = {"up": 1, "down": -1}
_TEST_LEVEL = 0.05


ClassDocument: TypeAlias = int | Finite | str | bool


class EstimateDocument(StrictState):
    """An outcome in one segment; a missing end means that nothing bounds it, a missing estimate that none is known."""

    estimate: Finite | None
    low: Finite | None
    high: Finite | None
    n: Finite
    value: str | None


class OutcomeState(TreeState):
    """The state of a fitted `OutcomeSegmenter`."""

    outcome_kind: Literal["binary", "number", "categories"]
    classes: list[ClassDocument]
    outcomes: list[list[EstimateDocument]]
    expected: list[list[Finite]]
    expected_of_all: list[Finite]
    gain: Finite
    p_value: Annotated[Finite, Field(ge=0, le=1)]


@register_segmenter
class OutcomeSegmenter(TreeBoxes):
    """Threshold tree whose segments differ in an outcome: response, churn, spend.

    A threshold tree is grown on some of the rows, pruned by what it says about others, and its outcomes are
    estimated, with intervals, on rows that had no part in choosing it. So the intervals mean what they say, and where
    nothing is found there is one segment.

    Parameters
    ----------
    max_segments : int, default=8
        Maximum number of segments.
    max_depth : int, default=4
        Maximum depth of the tree, at most 32.
    min_segment_size : float or int, default=0.02
        Minimum number of rows in a segment, or a share if below 1; as a share it holds in each part of the rows.
    estimate_share : float, default=0.4
        The share of the rows kept for estimating outcomes. Of the others, two thirds grow the tree and a third
        prunes it.
    confidence : float, default=0.95
        Confidence level of the intervals.
    monotone : dict of str to {"up", "down"}, default=None
        Columns with which the outcome may only rise or only fall: what the tree expects keeps to it everywhere.
        Estimates from other rows may differ by chance.
    max_bins : int, default=255
        Maximum number of bins per feature.
    segment_names : sequence of str, default=None
        Names to use, in order; None proposes names. When the segmenter is fitted again, the order may change.
    forbid : sequence of str, default=()
        Columns excluded from splits.
    include : sequence of str, default=()
        Columns to use although they look like identifiers; a warning names those. Other identifiers are accepted in
        every table, and neither used nor stored.
    min_members : int, default=10
        Minimum number of rows of a category that the fitted segmenter keeps, so that no stored value
        reveals single rows. Rarer categories count as missing.
    random_state : int, RandomState instance or None, default=None
        Controls the assignment of rows to the parts. Pass an int for reproducible results.
    n_jobs : int, default=None
        Number of threads; None and -1 mean all cores.
    verbose : int, default=0
        0 is silent. 1 or more logs the stages of the fit, and once a second how far it is, through the ``xseg`` logger,
        or to the standard error if logging is not configured.

    Attributes
    ----------
    labels_ : ndarray of shape (n_rows,)
        The segment of each row.
    segments_ : Segments
        The segments, highest outcome first (the largest first where the outcome has several categories), each with
        its `outcomes`.
    outcome_kind_ : {"binary", "number", "categories"}
        What the outcome is. Two values are binary, and the larger one is asked about; numbers with more values are
        numbers.
    classes_ : tuple
        The categories of the outcome; empty for numbers.
    gain_ : float
        How much of the outcome the segments tell of the rows kept for estimating: the share of its variance or of
        its deviance. It can be below 0.
    p_value_ : float
        The chance of differences as large among those rows if there were none: Welch's test for numbers, the
        chi-squared test otherwise. 1 for a single segment.
    structure_found_ : bool
        Whether that is at most 0.05.
    n_segments_ : int
        Number of segments.
    tree_ : ThresholdTree
        The tree.
    mean_depth_ : float
        Mean number of splits from the root to the leaf of a row.
    profile_ : SegmentProfile
        Counts of the values of each feature by segment.
    model_ : BoxModel
        The fitted model, as explanations use it.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if they are strings.

    Notes
    -----
    Rows are shared out by a hash of what they say, so that their order does not matter; equal rows are spread over
    the parts. Among trees that say as much about the pruning rows, within two standard errors, the smallest is
    kept (after Breiman et al., 1984).

    References
    ----------
    Kass, "An exploratory technique for investigating large quantities of categorical data", 1980 (CHAID).
    Athey and Imbens, "Recursive partitioning for heterogeneous causal effects", PNAS 2016 (honest trees).
    Breiman, Friedman, Olshen and Stone, "Classification and regression trees", 1984.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> spend = customers.pop("spend_year")
    >>> segmenter = xseg.OutcomeSegmenter(4, random_state=0).fit(customers, spend)
    >>> [one.outcomes[0].low < one.outcomes[0].estimate < one.outcomes[0].high for one in segmenter.segments_][:2]
    [True, True]
    >>> segmenter.structure_found_
    True
    """

    saved_state: ClassVar[type[SegmentsState]] = OutcomeState
    segment_source: ClassVar[Literal["rows", "labels", "definition"]] = "labels"
    keeps_estimates: ClassVar[bool] = True

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "max_segments": [Interval(Integral, 1, 255, closed="both")],
        "max_depth": [Interval(Integral, 1, MAX_TESTS, closed="both")],
        "min_segment_size": [Interval(Real, 0, 1, closed="neither"), Interval(Integral, 1, None, closed="left")],
        "estimate_share": [Interval(Real, 0, 1, closed="neither")],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "monotone": [None, dict],
        "max_bins": [Interval(Integral, 2, 255, closed="both")],
        "segment_names": [None, "array-like"],
        "forbid": ["array-like", tuple],
        "include": ["array-like", tuple],
        "min_members": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [None, Integral],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        max_segments: int = 8,
        *,
        max_depth: int = 4,
        min_segment_size: float = 0.02,
        estimate_share: float = 0.4,
        confidence: float = 0.95,
        monotone: Mapping[str, str] | None = None,
        max_bins: int = 255,
        segment_names: Sequence[str] | None = None,
        forbid: Sequence[str] = (),
        include: Sequence[str] = (),
        min_members: int = MIN_MEMBERS,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.max_segments = max_segments
        self.max_depth = max_depth
        self.min_segment_size = min_segment_size
        self.estimate_share = estimate_share
        self.confidence = confidence
        self.monotone = monotone
        self.max_bins = max_bins
        self.segment_names = segment_names
        self.forbid = forbid
        self.include = include
        self.min_members = min_members
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    outcome_kind_: str
    classes_: tuple[Any, ...]
    gain_: float
    p_value_: float

    @complete_fit
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the segmenter to `X`.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_features)
            Rows to fit, in memory.
        y : array-like of shape (n_rows,)
            The outcome of each: a number, or a category; never missing.
        sample_weight : array-like of shape (n_rows,), default=None
            Sample weights; a row of weight 2 counts as two rows.

        Returns
        -------
        OutcomeSegmenter
            The fitted segmenter.

        Raises
        ------
        ParameterError
            A parameter is not allowed, or `X` is a backend, which has no outcomes.
        DataError
            The rows or outcomes cannot be used.
        """
        self._begin_fit()
        if isinstance(X, Backend):
            message = "outcomes come as an array beside rows in memory; give a table rather than a backend"
            raise ParameterError(message)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        table = self.read_rows(X, reset=True)
        backend = MemoryBackend(table, sample_weight, n_jobs=self.n_jobs)
        target = read_target(y, len(table))
        columns = learn_columns(
            backend,
            max_bins=self.max_bins,
            min_members=self.min_members,
            include=tuple(self.include),
            asked=tuple(self.monotone or ()),
            forbid=tuple(self.forbid),
        )
        bins = columns.bins
        coded = columns.backend.encode(Coding(bins, _no_space()))
        codes = coded.map(attrgetter("codes"))
        self._report("coded %s rows in %d columns", f"{len(table):,}", len(bins))
        unit = backend.weight_unit
        weights = split_rows(codes, target.values, backend.weights, unit, self.estimate_share, seed)
        if not weights[:, GROW].any():
            message = f"n_samples={len(table)} people with a weight are too few to grow a tree on; give more rows"
            raise DataError(message)
        data = OutcomeRows(
            cells=Cells.from_codes(bins, self._find_usable_features(bins), codes),
            target=target,
            weights=weights,
            least_share=self._least_share(int(backend.weights.sum()), unit),
            directions=self._directions(bins, target),
        )
        shape = grow_and_prune(data, self.max_segments, self.max_depth)
        sample = Sample(data.cells, data.outcome_sums(), 0, self.max_depth)
        root = sample.build(shape, np.arange(len(table)))
        tree = _order_leaves(to_tree(root, data.cells, bins, Roundness(bins)), codes, data)
        labels = tree.predict(codes)
        self._report("tree of %d leaves", tree.n_leaves)
        warn_if_names_move(self, backend, labels, tree.n_leaves, stacklevel=4)
        self._learn(data, tree, labels, unit, count_tree_population(coded, tree, tree.n_leaves, unit))
        self.labels_ = labels
        return self

    def fit_predict(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> NDArray[np.int32]:
        """Fit the segmenter to `X`, and return the segment index of each row.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_features)
            Rows to fit, in memory.
        y : array-like of shape (n_rows,)
            The outcome of each: a number, or a category; never missing.
        sample_weight : array-like of shape (n_rows,), default=None
            Sample weights; a row of weight 2 counts as two rows.

        Returns
        -------
        ndarray of shape (n_rows,)
            Segment indices.

        Raises
        ------
        ParameterError, DataError
            As for `fit`.
        """
        return self.fit(X, y, sample_weight=sample_weight).labels_

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return how much of the outcome of some rows the segments tell.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_features)
            The rows.
        y : array-like of shape (n_rows,)
            Their outcomes.
        sample_weight : array-like of shape (n_rows,), default=None
            How much each row counts.

        Returns
        -------
        float
            The share of the variance (numbers) or of the deviance (categories) that is explained by the estimates of
            the segments, against the estimate of all rows; 1 is all, and it can be below 0.
        """
        self._check_fitted()
        backend = MemoryBackend(self.read_rows(X), sample_weight, n_jobs=self.n_jobs)
        target = read_target(y, len(backend.table))
        known = self.outcome_kind_ == NUMBER or set(target.labels) <= set(self.classes_)
        if (target.kind == NUMBER) != (self.outcome_kind_ == NUMBER) or not known:
            message = f"these outcomes are {target.kind}, those of the fit were {self.outcome_kind_} {self.classes_}"
            raise DataError(message)
        labels = self.predict(X)
        if self.outcome_kind_ != NUMBER:
            place = [list(self.classes_).index(label) for label in target.labels]
            values = np.zeros((len(labels), len(self.classes_)))
            values[:, place] = target.values
            target = replace(target, values=values)
        return _compute_explained_share(target, labels, self._expected, self._expected_of_all, backend.weights)

    @property
    def structure_found_(self) -> bool:
        """Whether the outcome differs between segments, by rows that had no part in choosing them."""
        return self.p_value_ <= _TEST_LEVEL

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _find_usable_features(self, bins: Bins) -> NDArray[np.int64]:
        kept_out = {bins.schema.index(name) for name in self.forbid}
        can_cut = [one.n_codes > 1 or one.feature.has_missing for one in bins.features]
        return np.array([j for j, can in enumerate(can_cut) if can and j not in kept_out], dtype=np.int64)

    def _least_share(self, total_weight: int, unit: float) -> float:
        size = self.min_segment_size
        return float(size) if size < 1 else min(1.0, size * unit / total_weight)

    def _directions(self, bins: Bins, target: Target) -> dict[int, int]:
        if not self.monotone:
            return {}
        if target.kind == CATEGORIES:
            message = "an outcome of several categories neither rises nor falls; leave out monotone"
            raise ParameterError(message)
        found = {}
        for name, direction in self.monotone.items():
            j = bins.schema.index(name)
            if direction not in _DIRECTIONS or not bins[j].is_ordered:
                message = (
                    f"monotone[{name!r}] is {direction!r}; it must be 'up' or 'down', and the column have an order"
                )
                raise ParameterError(message)
            found[j] = _DIRECTIONS[direction]
        return found

    def _learn(
        self, data: OutcomeRows, tree: ThresholdTree, segment: NDArray[np.int32], unit: float, counted: TreePopulation
    ) -> None:
        """Estimate outcomes on the rows kept for it, and keep what the fitted segmenter needs."""
        target, weights = data.target, data.weights[:, ESTIMATE] / unit
        rows = data.select_rows(ESTIMATE)
        by_segment = [rows[segment[rows] == s] for s in range(tree.n_leaves)]
        outcomes = [target.outcomes(own, weights, self.confidence) for own in by_segment]
        expected = np.array([_compute_mean(target, own, weights) for own in by_segment])
        everyone = _compute_mean(target, rows, weights)
        mass = np.bincount(segment, data.weights.sum(axis=1), tree.n_leaves)
        depth = tree.node_depth[tree.leaves][np.argsort(tree.segment[tree.leaves])]
        self._restore(
            tree=counted.tree,
            model=counted.model,
            profile=counted.profile,
            names=choose_names(counted.profile, counted.model, self.segment_names),
            kind=target.kind,
            classes=target.labels,
            outcomes=outcomes,
            expected=expected,
            expected_of_all=everyone,
            gain=_compute_explained_share(
                replace(target, values=target.values[rows]),
                segment[rows],
                expected,
                everyone,
                data.weights[rows, ESTIMATE],
            ),
            p_value=difference_test(target, [own for own in by_segment if len(own)], weights),
            mean_depth=float(np.average(depth, weights=mass)),
        )

    def get_state(self) -> dict[str, Any]:
        """Return what a file must hold besides the parameters."""
        return {
            **super().get_state(),
            "outcome_kind": self.outcome_kind_,
            "classes": to_plain(list(self.classes_)),
            "outcomes": [[_describe_outcome(outcome) for outcome in segment.outcomes] for segment in self.segments_],
            "expected": self._expected.tolist(),
            "expected_of_all": self._expected_of_all.tolist(),
            "gain": self.gain_,
            "p_value": self.p_value_,
        }

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter again, from parameters and the state of a file."""
        tree, model, profile = build_tree_model(state)
        n_segments, n_values = model.n_segments, max(1, len(state.classes))
        fits = len(state.expected) == n_segments and all(len(row) == n_values for row in state.expected)
        problem = "needs a number for each segment and category"
        check(fits and len(state.expected_of_all) == n_values, "expected", problem)
        told = n_values if state.outcome_kind == CATEGORIES else 1
        fits = len(state.outcomes) == n_segments and all(len(row) == told for row in state.outcomes)
        check(fits, "outcomes", "needs an estimate for each segment and category")
        return cls._configure(parameters)._restore(
            tree=tree,
            model=model,
            profile=profile,
            names=build_names(state),
            kind=state.outcome_kind,
            classes=tuple(state.classes),
            outcomes=[tuple(_build_outcome(one) for one in row) for row in state.outcomes],
            expected=np.array(state.expected, dtype=np.float64),
            expected_of_all=np.array(state.expected_of_all, dtype=np.float64),
            gain=state.gain,
            p_value=state.p_value,
            mean_depth=state.mean_depth,
            named=state.named,
        )

    def _get_state_over(self, bins: Bins) -> dict[str, Any]:
        del bins
        return {
            "kind": self.outcome_kind_,
            "classes": self.classes_,
            "outcomes": [segment.outcomes for segment in self.segments_],
            "expected": self._expected,
            "expected_of_all": self._expected_of_all,
            "gain": self.gain_,
            "p_value": self.p_value_,
        }

    def _restore(
        self,
        *,
        tree: ThresholdTree,
        model: BoxModel,
        profile: SegmentProfile,
        names: SegmentNames,
        kind: str,
        classes: tuple[Any, ...],
        outcomes: Sequence[tuple[Outcome, ...]],
        expected: NDArray[np.float64],
        expected_of_all: NDArray[np.float64],
        gain: float,
        p_value: float,
        mean_depth: float,
        named: bool | None = None,
    ) -> Self:
        """Set everything a fitted segmenter holds, whether it was just learned or comes from a file."""
        self.tree_, self.mean_depth_ = tree, mean_depth
        self.outcome_kind_, self.classes_ = kind, classes
        self._expected, self._expected_of_all = expected, expected_of_all
        self.gain_, self.p_value_ = gain, p_value
        self.restore_boxes(model=model, profile=profile, names=names, named=named)
        told = zip(self.segments_, outcomes, strict=True)
        self.segments_ = Segments([replace(segment, outcomes=own) for segment, own in told])
        return self


def _describe_outcome(outcome: Outcome) -> dict[str, Any]:
    numbers = {name: getattr(outcome, name) for name in ("estimate", "low", "high")}
    return {
        **{name: float(number) if np.isfinite(number) else None for name, number in numbers.items()},
        "n": outcome.n,
        "value": outcome.value,
    }


def _build_outcome(document: EstimateDocument) -> Outcome:
    return Outcome(
        np.nan if document.estimate is None else document.estimate,
        -np.inf if document.low is None else document.low,
        np.inf if document.high is None else document.high,
        document.n,
        document.value,
    )


def _no_space() -> Embedding:
    """Return a metric space without dimensions: outcomes are all that counts."""
    nothing = np.empty(0)
    return Embedding(np.empty(0, np.int64), nothing, nothing, nothing, np.empty(0, np.int64), ())


def _order_leaves(tree: ThresholdTree, codes: NDArray[np.uint8], data: OutcomeRows) -> ThresholdTree:
    """Sort the leaves by the outcome expected from their growing rows, the highest first, or by size."""
    leaf = tree.predict(codes)
    if data.target.kind == CATEGORIES:
        ranks = np.bincount(leaf, data.weights.sum(axis=1), tree.n_leaves).astype(np.float64)
    else:
        own = data.weights[:, GROW].astype(np.float64)
        total = np.bincount(leaf, own * data.target.values[:, -1], tree.n_leaves)
        ranks = total / np.maximum(np.bincount(leaf, own, tree.n_leaves), 1e-300)
    place = np.empty(tree.n_leaves, dtype=np.int32)
    place[np.argsort(-ranks, kind="stable")] = np.arange(tree.n_leaves)
    return replace(tree, segment=np.where(tree.segment >= 0, place[tree.segment], -1).astype(np.int32))


def _compute_mean(target: Target, rows: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    own = weights[rows]
    return target.smooth(np.append(own @ target.values[rows], own.sum()))


def _compute_explained_share(
    target: Target,
    labels: NDArray[np.int32],
    expected: NDArray[np.float64],
    expected_of_all: NDArray[np.float64],
    weights: NDArray[np.int64],
) -> float:
    """Return the share of the loss that knowing the segments saves."""
    whole, left = 0.0, 0.0
    for segment in np.unique(labels):
        rows = np.flatnonzero(labels == segment)
        left += float(weights[rows] @ target.losses(rows, expected[segment]))
        whole += float(weights[rows] @ target.losses(rows, expected_of_all))
    return 1 - left / whole if whole > 0 else 0.0
