"""Segments as the leaves of one threshold tree."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from numbers import Integral, Real
from typing import Any, ClassVar, Self
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClusterMixin
from sklearn.utils import check_random_state

from xseg._sklearn import HasMethods, Interval, StrOptions
from xseg.backends import Backend
from xseg.backends.base import CodedBackend
from xseg.core.bins import Bins
from xseg.core.boxes import MAX_TESTS, BoxModel, PatternCounts, ThresholdTree, predict_block, predict_table
from xseg.core.embedding import SCALINGS, Centers, Coding, Embedding
from xseg.core.segments import ProfileCounts, SegmentNames, SegmentProfile
from xseg.core.statistics import RowTotal
from xseg.core.tables import Table
from xseg.exceptions import DataError, ParameterError, UnsupportedTypeError, XsegWarning
from xseg.segmenters._base import complete_fit, register_segmenter
from xseg.segmenters._box_segmenter import BoxSegmenter
from xseg.segmenters._kmeans import lloyd, reference_partition
from xseg.segmenters._learning import MIN_MEMBERS, Prepared, prepare
from xseg.segmenters._names import align, choose_names, warn_if_names_move
from xseg.segmenters._number_choice import MAX_NUMBER_OF_SEGMENTS
from xseg.segmenters._protocols import FittedSegmenter
from xseg.segmenters._saved_state import (
    CoordinateDocument,
    Finite,
    LookupDocument,
    SegmentsState,
    TreeState,
    build_embedding,
    build_means,
    build_names,
    build_tree_model,
    check,
    describe_embedding,
    describe_population,
    describe_tree,
)
from xseg.segmenters._tree_refinement import Candidate, Problem, evaluate, merge_twins, refine
from xseg.segmenters._tree_search import EFFORTS, search

__all__ = ["TreeBoxes", "TreePopulation", "TreeSegmenter", "count_tree_population"]


class TreeBoxes(BoxSegmenter):
    """Base of the segmenters whose boxes are the leaves of one tree."""

    tree_: ThresholdTree
    mean_depth_: float

    def get_state(self) -> dict[str, Any]:
        """Return what a file must hold besides the parameters: here segments, counts and the tree."""
        return {
            **self._describe_segments(),
            "population": describe_population(self.model_),
            "nodes": describe_tree(self.tree_),
            "mean_depth": self.mean_depth_,
        }

    @abstractmethod
    def _restore(self, *args: Any, **kwargs: Any) -> Self:
        """Set everything a fitted segmenter holds, whether it was just learned, folded, or comes from a file."""

    @abstractmethod
    def _get_state_over(self, bins: Bins) -> dict[str, Any]:
        """Return the arguments of `_restore` that hold for the same tree over other columns."""

    def _make_predictor(self) -> Callable[[Table], NDArray[np.int32]]:
        return partial(predict_table, self.tree_)


@dataclass(frozen=True, eq=False)
class TreePopulation:
    """A tree over the thresholds it uses, and the population as its leaves see it."""

    tree: ThresholdTree
    model: BoxModel
    profile: SegmentProfile


def count_tree_population(
    backend: CodedBackend, tree: ThresholdTree, n_segments: int, weight_unit: float
) -> TreePopulation:
    """Count the population of a tree by sums: what a fitted segmenter keeps of it."""
    counted = backend.sum(ProfileCounts(tree, n_segments))
    patterns = backend.sum(PatternCounts(tree.boxes().merge_boxes().tests()))
    reduced = tree.drop_unused_thresholds()
    model = BoxModel(reduced.boxes().merge_boxes(), n_segments, tuple(patterns.boxes))
    return TreePopulation(reduced, model, SegmentProfile(tree.bins, counted.counts, weight_unit))


class MetricTreeState(TreeState):
    """The state of a fitted `TreeSegmenter`."""

    coordinates: list[CoordinateDocument]
    lookups: list[LookupDocument]
    means: list[list[Finite]]
    cost: Finite
    reference_cost: Finite


@register_segmenter
class TreeSegmenter(ClusterMixin, TreeBoxes):
    """Threshold tree whose leaves are segments of low k-means cost.

    The segments are the leaves of a binary tree, chosen so that rows in a segment are as alike as possible: the
    k-means cost of the partition is minimised over trees of the given size. Results do not depend on the order of the
    rows, the number of threads, or where the rows are.

    Parameters
    ----------
    n_segments : int or "auto", default=5
        Number of segments. "auto" chooses 1 to 10 by what mixtures of so many components tell of the rows beyond
        what they tell of rows without groups; 1 means that no structure was found. `selection_` says why.
    max_leaves : int, default=None
        Maximum number of leaves; more than `n_segments` lets a segment be the union of several boxes.
        None means as many as segments.
    max_depth : int, default=6
        Maximum depth of the tree, at most 32.
    min_segment_size : float or int, default=0.005
        Minimum number of rows in a leaf, or a share of all rows if below 1, and so in a segment.
    effort : {"fast", "balanced", "thorough"}, default="balanced"
        Effort of the search for a tree of low cost, counted in arithmetic, not in time, so results are the same on
        every machine.
    depth_weight : float, default=0.75
        Weight of the mean depth: a tree with 1 % fewer splits per row on average may cost this many
        percent more of what trees cost beyond the reference. 0 takes the cheapest tree however deep. A tree that
        costs more than the best of the trees the search starts from is never taken.
    reference : "kmeans" or clusterer, default="kmeans"
        The partition that the first tree follows, and whose cost `relative_cost_` compares with. A
        clusterer needs ``fit_predict`` and is fitted on the metric space, in memory.
    scaling : {"standard", "robust", "quantile", "none"}, default="quantile"
        Scaling of numeric features. "quantile" replaces a number by the share of rows below it, so that neither a long
        tail nor a rare huge value decides the segments; "standard" divides by the standard deviation, "robust" by the
        interquartile range, and "none" leaves numbers as they are.
    feature_weights : dict or array-like of shape (n_features,), default=None
        Weights of the features in the squared distance; a dict names those that differ from 1.
    max_bins : int, default=255
        Maximum number of bins per feature.
    round_thresholds : bool, default=True
        Whether a threshold is the roundest number that splits the same values (150, not 148.7312), or the
        middle between them.
    n_init : int, default=10
        Number of k-means runs with different initialisations for the reference; the best is kept.
    segment_names : sequence of str, default=None
        Names to use, largest segment first; None proposes names. Fitted again, another segment may be the largest:
        ``fit(X, align_to=earlier)`` keeps names with their rows.
    forbid : sequence of str, default=()
        Columns excluded from splits and from the distance.
    include : sequence of str, default=()
        Columns to use although they look like identifiers; a warning names those. Other identifiers are accepted in
        every table, and neither used nor stored.
    min_members : int, default=10
        Minimum number of rows of a category that the fitted segmenter keeps, so that no stored value
        reveals single rows. Rarer categories count as missing.
    random_state : int, RandomState instance or None, default=None
        Controls the random initialisation of the reference. Pass an int for reproducible results.
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
        The segments, largest first.
    n_segments_ : int
        Number of segments.
    tree_ : ThresholdTree
        The tree.
    selection_ : tuple of NumberChoice
        With ``n_segments="auto"``: each number that was weighed, and its score.
    cost_ : float
        Summed squared distance of each row to the mean of its segment, in the metric space.
    reference_cost_ : float
        The same for the reference.
    relative_cost_ : float
        `cost_` over `reference_cost_`, the "price of explainability" of Moshkovitz et al. (2020): 1.05 is 5 % above the
        reference.
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

    References
    ----------
    Moshkovitz, Dasgupta, Rashtchian and Frost, "Explainable k-means and k-medians clustering", ICML 2020.
    Frost, Moshkovitz and Rashtchian, "ExKMC: expanding explainable k-means clustering", 2020.
    Carreira-Perpinan and Tavallali, "Alternating optimization of decision trees", NeurIPS 2018.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> segmenter.predict(customers).shape
    (2000,)
    >>> len(segmenter.segments_)
    3
    """

    saved_state: ClassVar[type[SegmentsState]] = MetricTreeState

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_segments": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_leaves": [None, Interval(Integral, 1, None, closed="left")],
        "max_depth": [Interval(Integral, 1, MAX_TESTS, closed="both")],
        "min_segment_size": [
            Interval(Real, 0, 1, closed="neither"),
            Interval(Integral, 1, None, closed="left"),
        ],
        "effort": [StrOptions(set(EFFORTS))],
        "depth_weight": [Interval(Real, 0, None, closed="left")],
        "reference": [StrOptions({"kmeans"}), HasMethods("fit_predict")],
        "scaling": [StrOptions(set(SCALINGS))],
        "feature_weights": [None, dict, "array-like"],
        "max_bins": [Interval(Integral, 2, 255, closed="both")],
        "round_thresholds": ["boolean"],
        "n_init": [Interval(Integral, 1, None, closed="left")],
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
        n_segments: int | str = 5,
        *,
        max_leaves: int | None = None,
        max_depth: int = 6,
        min_segment_size: float = 0.005,
        effort: str = "balanced",
        depth_weight: float = 0.75,
        reference: Any = "kmeans",
        scaling: str = "quantile",
        feature_weights: Mapping[str, float] | ArrayLike | None = None,
        max_bins: int = 255,
        round_thresholds: bool = True,
        n_init: int = 10,
        segment_names: Sequence[str] | None = None,
        forbid: Sequence[str] = (),
        include: Sequence[str] = (),
        min_members: int = MIN_MEMBERS,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_segments = n_segments
        self.max_leaves = max_leaves
        self.max_depth = max_depth
        self.min_segment_size = min_segment_size
        self.effort = effort
        self.depth_weight = depth_weight
        self.reference = reference
        self.scaling = scaling
        self.feature_weights = feature_weights
        self.max_bins = max_bins
        self.round_thresholds = round_thresholds
        self.n_init = n_init
        self.segment_names = segment_names
        self.forbid = forbid
        self.include = include
        self.min_members = min_members
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @complete_fit
    def fit(
        self,
        X: Any,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        align_to: FittedSegmenter | None = None,
    ) -> Self:
        """Fit the segmenter to `X`.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            Rows to fit. Numbers, booleans, text and categories; values may be missing.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_rows,), default=None
            How much each row counts; 2 is the same as the row twice. A backend brings its own.
        align_to : fitted segmenter, default=None
            An earlier model, whose numbers and names the new segments keep: they are matched so that as many rows
            as possible stay where they are.

        Returns
        -------
        TreeSegmenter
            The fitted segmenter.

        Raises
        ------
        ParameterError
            A parameter is not allowed, or parameters contradict each other.
        DataError
            The rows cannot be segmented.
        """
        del y
        self._begin_fit()
        self._check_sizes()
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        backend = self._backend(X, sample_weight, reset=True)
        prepared = self._prepare(backend, self.scaling, seed)
        if isinstance(X, Backend):
            self._remember_backend(prepared.bins.schema.names)
        n_segments = self._count_possible(prepared, self._number_of_segments(prepared, backend, seed))
        self._report("coded %s rows in %d columns", f"{prepared.n_rows:,}", len(prepared.bins))
        effort = EFFORTS[self.effort]
        reference = reference_partition(
            self.reference, prepared, n_clusters=n_segments, n_init=self.n_init, n_rows=effort.n_rows[-1], seed=seed
        )
        self._report("reference of %d clusters costs %.6g", len(reference.centers), reference.cost)
        found = self._search(prepared, reference.centers, n_segments, backend.weight_unit)
        self._report("tree of %d leaves costs %.6g", found.tree.n_leaves, found.cost)
        if found.cost < reference.cost and isinstance(self.reference, str):
            reference = lloyd(prepared.backend, prepared.space, found.means)
            self._report("reference started from the tree costs %.6g", reference.cost)
        self._learn(prepared, found, n_segments, reference.cost, backend, align_to)
        self._report_passes(backend)
        return self

    def score(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Return minus the summed squared distance of the rows to the means of their segments.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_rows,), default=None
            How much each row counts.

        Returns
        -------
        float
            Minus the cost: the higher, the better.

        Raises
        ------
        UnsupportedTypeError
            The segmenter was made by `xseg.fold`, and knows no distances between raw rows.
        """
        del y
        self._check_has_distances("score")
        backend = self._backend(X, sample_weight)
        distances = partial(_distances_to_means, self.coding_, self.means_, self.tree_)
        return -backend.sum(RowTotal(distances)).total / backend.weight_unit

    def _check_has_distances(self, asked: str) -> None:
        """Raise an error if the segmenter is not fitted, or was folded, so that it has no means in raw units."""
        self._check_fitted()
        if not self.means_.shape[1]:
            message = (
                f"{asked} needs the distances of the fit, which are between transformed rows; what xseg.fold makes of "
                "a pipeline has none. Use the pipeline itself (pipeline.score(X)), or its last step with rows that the "
                "other steps transformed (pipeline[-1] and pipeline[:-1].transform(X))"
            )
            raise UnsupportedTypeError(message)

    def _check_sizes(self) -> None:
        """Check the parameters against each other."""
        if isinstance(self.n_segments, str):
            return
        if self.max_leaves is not None and self.max_leaves < self.n_segments:
            message = (
                f"max_leaves={self.max_leaves} is less than n_segments={self.n_segments}; each segment needs a leaf"
            )
            raise ParameterError(message)
        if 2**self.max_depth < self.n_segments:
            message = (
                f"a tree of max_depth={self.max_depth} has at most {2**self.max_depth} leaves, too few for "
                f"n_segments={self.n_segments}"
            )
            raise ParameterError(message)
        if self.min_segment_size < 1 and self.min_segment_size * self.n_segments > 1:
            message = (
                f"{self.n_segments} segments of at least {self.min_segment_size:.0%} of the people each are more than "
                "there are people; lower min_segment_size or n_segments"
            )
            raise ParameterError(message)

    def _prepare(self, backend: Backend, scaling: str, seed: int, *, warns: bool = True) -> Prepared:
        """Code the rows, and place them in a metric space."""
        return prepare(
            backend,
            max_bins=self.max_bins,
            round_thresholds=self.round_thresholds,
            scaling=scaling,
            feature_weights=self.feature_weights,
            forbid=tuple(self.forbid),
            include=tuple(self.include),
            min_members=self.min_members,
            seed=seed,
            n_jobs=self.n_jobs,
            warns=warns,
        )

    def _number_of_segments(self, prepared: Prepared, backend: Backend, seed: int) -> int:
        """Return the number asked for, or choose one."""
        if not isinstance(self.n_segments, str):
            return self.n_segments
        bounds = [MAX_NUMBER_OF_SEGMENTS, self.max_leaves or MAX_NUMBER_OF_SEGMENTS, 2**self.max_depth]
        if self.min_segment_size < 1:
            bounds.append(int(1 / self.min_segment_size))
        if prepared.whole:
            bounds.append(prepared.sample.n_rows)
        # Ranks hide the gaps that tell how many groups there are.
        spaced = prepared if self.scaling == "standard" else self._prepare(backend, "standard", seed, warns=False)
        return self._choose_number(spaced, min(bounds), backend.weight_unit, seed)

    def _count_possible(self, prepared: Prepared, wanted: int) -> int:
        """Return how many segments the rows can make: never more than there are distinct rows."""
        distinct = prepared.sample.n_rows if prepared.whole else wanted
        if distinct >= wanted:
            return wanted
        found = f"found {distinct} distinct rows among n_samples={prepared.n_rows} (n_features={self.n_features_in_})"
        if distinct == 1:
            message = f"{found}: there is nothing to tell people apart by; give more rows or columns that vary"
            raise DataError(message)
        warn(f"{found}, so there will be {distinct} segments instead of {wanted}", XsegWarning, stacklevel=4)
        return distinct

    def _search(self, prepared: Prepared, centers: Centers, n_segments: int, weight_unit: float) -> Candidate:
        """Search on the sample, and choose the splits anew on more rows if the sample is not all of them."""
        problem = self._problem(prepared, n_segments, weight_unit)
        tree = search(problem, prepared.sample, centers, EFFORTS[self.effort], self.depth_weight)
        found = evaluate(problem, tree)
        return found if prepared.whole or self.effort == "fast" else refine(problem, found)

    def _problem(self, prepared: Prepared, n_segments: int, weight_unit: float) -> Problem:
        share = self.min_segment_size
        if share >= 1:
            share = min(1.0, share * weight_unit / prepared.space.total_weight)
        return Problem(
            backend=prepared.backend,
            space=prepared.space,
            bins=prepared.bins,
            features=prepared.features,
            n_segments=n_segments,
            max_leaves=self.max_leaves or n_segments,
            max_depth=self.max_depth,
            min_weight=max(1, ceil((share - 1e-9) * prepared.space.total_weight)),
            n_workers=prepared.sample.n_workers,
        )

    def _learn(
        self,
        prepared: Prepared,
        found: Candidate,
        n_segments: int,
        reference_cost: float,
        raw: Backend,
        align_to: FittedSegmenter | None,
    ) -> None:
        """Keep what the fitted segmenter needs: the tree, and counts over the population."""
        backend, space, weight_unit = prepared.backend, prepared.space, raw.weight_unit
        tree, mass = merge_twins(found.tree, found.mass)
        # order[new] is the earlier number of segment `new`: of the search here, and composed with the alignment below.
        order = _sort_by_size(tree, mass)
        aligned = None
        tree = _renumber_segments(tree, order)
        labels = backend.map(partial(predict_block, tree))
        if align_to is not None:
            aligned = align(align_to, raw, labels, len(order))
            tree, order = _renumber_segments(tree, aligned.order), order[aligned.order]
            # argsort inverts the permutation: it maps the earlier number of a label to the new one.
            labels = np.argsort(aligned.order)[labels].astype(np.int32)
        else:
            warn_if_names_move(self, raw, labels, len(order), stacklevel=5)
        self.n_segments_ = len(order)
        if self.n_segments_ < n_segments:
            message = (
                f"found only {self.n_segments_} of {n_segments} segments within max_depth={self.max_depth} and "
                f"min_segment_size={self.min_segment_size}"
            )
            warn(message, XsegWarning, stacklevel=4)
        counted = count_tree_population(backend, tree, len(order), weight_unit)
        self._restore(
            tree=counted.tree,
            model=counted.model,
            profile=counted.profile,
            coding=Coding(prepared.bins, space.embedding),
            means=found.means[order],
            names=choose_names(counted.profile, counted.model, self.segment_names, aligned),
            costs=(max(found.cost, 0.0) / weight_unit, reference_cost / weight_unit),
            mean_depth=float(tree.node_depth[tree.leaves] @ mass / mass.sum()),
        )
        self.labels_ = labels

    def get_state(self) -> dict[str, Any]:
        """Return what a file must hold besides the parameters."""
        return {
            **super().get_state(),
            **describe_embedding(self.coding_.embedding, self.profile_.bins),
            "means": self.means_.tolist(),
            "cost": self.cost_,
            "reference_cost": self.reference_cost_,
        }

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter again, from parameters and the state of a file."""
        tree, model, profile = build_tree_model(state)
        check(bool((profile.sizes > 0).all()), "counts", "a segment is empty")
        embedding = build_embedding(state.coordinates, state.lookups, profile.bins)
        return cls._configure(parameters)._restore(
            tree=tree,
            model=model,
            profile=profile,
            coding=Coding(profile.bins, embedding),
            means=build_means(state.means, model.n_segments, embedding),
            names=build_names(state),
            costs=(state.cost, state.reference_cost),
            mean_depth=state.mean_depth,
            named=state.named,
        )

    def _get_state_over(self, bins: Bins) -> dict[str, Any]:
        # Raw columns have no metric space.
        nothing = np.empty(0)
        nowhere = Embedding(np.empty(0, np.int64), nothing, nothing, nothing, np.empty(0, np.int64), ())
        return {
            "coding": Coding(bins, nowhere),
            "means": np.empty((self.n_segments_, 0)),
            "costs": (self.cost_, self.reference_cost_),
        }

    def _restore(
        self,
        *,
        tree: ThresholdTree,
        model: BoxModel,
        profile: SegmentProfile,
        coding: Coding,
        means: NDArray[np.float64],
        names: SegmentNames,
        costs: tuple[float, float],
        mean_depth: float,
        named: bool | None = None,
    ) -> Self:
        """Set everything a fitted segmenter holds, whether it was just learned or comes from a file."""
        self.tree_, self.coding_, self.means_ = tree, coding, means
        self.cost_, self.reference_cost_ = costs
        self.relative_cost_ = _ratio(*costs)
        self.mean_depth_ = mean_depth
        self.restore_boxes(model=model, profile=profile, names=names, named=named)
        return self


def _sort_by_size(tree: ThresholdTree, leaf_mass: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the segments in order of size, so that their numbers do not depend on the random seed.

    Among segments of one size, the one with the leftmost leaf comes first.
    """
    labels = tree.segment[tree.leaves]
    used = np.unique(labels)
    mass = np.array([leaf_mass[labels == label].sum() for label in used])
    first = np.array([np.flatnonzero(labels == label)[0] for label in used])
    return used[np.lexsort((first, -mass))]


def _renumber_segments(tree: ThresholdTree, order: NDArray[np.signedinteger[Any]]) -> ThresholdTree:
    """Return the tree with each segment numbered by its place in `order`."""
    place = np.full(int(order.max()) + 1, -1, dtype=np.int32)
    place[order] = np.arange(len(order))
    segment = np.where(tree.segment >= 0, place[tree.segment], -1).astype(np.int32)
    return replace(tree, segment=segment)


def _ratio(cost: float, reference: float) -> float:
    if reference > 0:
        return cost / reference
    return 1.0 if cost <= 0 else float("inf")


def _distances_to_means(
    coding: Coding, means: NDArray[np.float64], tree: ThresholdTree, table: Table
) -> NDArray[np.float64]:
    """Compute the squared distance of each row to the mean of its segment."""
    codes, points = coding.code(table)
    offsets = coding.embedding.matrix(codes, points) - means[predict_table(tree, table)]
    return np.asarray(np.einsum("nd,nd->n", offsets, offsets))
