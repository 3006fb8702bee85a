"""Interpretable surrogates of any clusterer, and their fidelity to it."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral, Real
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from sklearn.base import ClusterMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags

from xseg._sklearn import HasMethods, Interval, StrOptions
from xseg.backends import Backend
from xseg.core.bins import Bins
from xseg.core.boxes import MAX_TESTS, BoxModel, ThresholdTree, predict_block
from xseg.core.pairing import order_like
from xseg.core.segments import SegmentNames, SegmentProfile
from xseg.core.statistics import check_weights
from xseg.exceptions import DataError, UnsupportedTypeError, XsegWarning
from xseg.segmenters._base import complete_fit, register_segmenter
from xseg.segmenters._learning import MIN_MEMBERS
from xseg.segmenters._names import choose_names, propose_names, warn_if_names_move
from xseg.segmenters._saved_state import (
    Count,
    Finite,
    SegmentsState,
    TreeState,
    build_names,
    build_tree_model,
    check,
    to_plain,
)
from xseg.segmenters._surrogate_labels import (
    Groups,
    Label,
    LabelledInput,
    LabelledRows,
    label_backend,
    label_rows,
    label_table,
    predict_original,
)
from xseg.segmenters._surrogate_search import find_tree
from xseg.segmenters._tree import TreeBoxes, count_tree_population
from xseg.segmenters._tree_refinement import LeafSums
from xseg.segmenters._tree_search import EFFORTS

__all__ = ["SegmentFidelity", "SurrogateSegmenter", "compute_fidelity", "overall_fidelity"]


@dataclass(frozen=True, slots=True)
class SegmentFidelity:
    """How well one group of the original is met.

    Attributes
    ----------
    label : object
        The original's label; None, or the noise label, for those without a group.
    segment : int or None
        The segment that stands for it; None if the stand-in has none, because no leaf holds mostly this group.
    size : float
        Number of rows (or how much sample weight) the original puts into the group.
    precision : float or None
        The share of the segment's rows that the original puts into this group; None without a segment.
    recall : float
        The share of the group's rows that the segment holds.
    """

    label: Label
    segment: int | None
    size: float
    precision: float | None
    recall: float


def overall_fidelity(confusion: NDArray[np.int64], groups: Sequence[int]) -> float:
    """Return the share of the rows for which both predict the same.

    `confusion` has shape (n_segments, n_labels), and segment s stands for label ``groups[s]``.
    """
    agreed = sum(int(confusion[segment, group]) for segment, group in enumerate(groups))
    return agreed / int(confusion.sum())


def compute_fidelity(
    confusion: NDArray[np.int64], groups: Sequence[int], labels: Sequence[Label], unit: float
) -> tuple[SegmentFidelity, ...]:
    """Return the fidelity of each group of the original, in the order of the labels."""
    found = []
    for group, label in enumerate(labels):
        size = int(confusion[:, group].sum())
        segment = groups.index(group) if group in groups else None
        agreed = 0 if segment is None else int(confusion[segment, group])
        precision = None if segment is None else agreed / int(confusion[segment].sum())
        found.append(SegmentFidelity(label, segment, size / unit, precision, agreed / size if size else 0.0))
    return tuple(found)


_NO_GROUP = "No group"
_YES, _NO, _NOT_KNOWN = "yes", "no", "not known"


LabelDocument: TypeAlias = int | Finite | str | bool | None


class SurrogateState(TreeState):
    """The state of a fitted `SurrogateSegmenter`.

    `labels` are those of the original, `groups` which of them each segment stands for, and `confusion` how many rows
    of each segment the original gives each label.
    """

    original_name: str
    labels: Annotated[list[LabelDocument], Field(min_length=1, max_length=255)]
    noise: Count | None
    groups: list[Count]
    confusion: list[list[Count]]


@register_segmenter
class SurrogateSegmenter(ClusterMixin, TreeBoxes):
    """Threshold tree that approximates a given clusterer.

    The stand-in is the threshold tree that disagrees with the original on the fewest rows, among trees of the given
    size. It is measured, not trusted: `fidelity_` says the share of rows both agree about, `agreement` which ones.
    Explanations and cards are exact for the stand-in, and say whether the original agrees.

    Parameters
    ----------
    estimator : clusterer, Pipeline or None, default=None
        The original, fitted or not: anything with ``predict``, ``fit_predict`` or ``labels_``. One that is not fitted
        is copied and fitted on the table as it is; one that is fitted is asked to predict, or else its ``labels_`` are
        taken. None: the labels come as `y`.
    max_leaves : int, default=None
        Maximum number of leaves. None means twice as many as the original has groups.
    max_depth : int, default=6
        Maximum depth of the tree, at most 32.
    min_segment_size : float or int, default=0.005
        Minimum number of rows in a leaf, or a share of all rows if below 1.
    effort : {"fast", "balanced", "thorough"}, default="balanced"
        Effort of the search, counted in arithmetic operations.
    max_bins : int, default=255
        Maximum number of bins per feature.
    noise_label : int, str or None, default=-1
        The label of those who belong to no group. They become a segment of their own, called "No group".
    segment_names : sequence of str, default=None
        Names to use, in the order of `original_labels_`; None proposes names. When the original is fitted again, its
        labels may change places.
    forbid : sequence of str, default=()
        Columns excluded from splits.
    include : sequence of str, default=()
        Columns to use although they look like identifiers; a warning names those. Other identifiers are accepted in
        every table, and neither used nor stored.
    min_members : int, default=10
        Minimum number of rows of a category that the fitted segmenter keeps, so that no stored value
        reveals single rows. Rarer categories count as missing.
    random_state : int, RandomState instance or None, default=None
        Controls the sample of large tables that the search uses. Pass an int for reproducible results; the original has
        a parameter of its own.
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
        The segments, in the order of the original's labels, those without a group last.
    original_labels_ : tuple
        The original's label that each segment stands for.
    original_name_ : str
        What the original is: its class, or "labels".
    estimator_ : estimator or None
        The original, fitted, if it can predict. What it keeps of the rows is its own affair; files never hold it.
    fidelity_ : float
        The share of the rows (or of the sample weight) for which stand-in and original agree.
    fidelity_by_segment_ : tuple of SegmentFidelity
        Precision and recall of each group of the original.
    n_segments_ : int
        How many groups of the original have a leaf.
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

    References
    ----------
    Craven and Shavlik, "Extracting tree-structured representations of trained networks", NeurIPS 1995.
    Carreira-Perpinan and Tavallali, "Alternating optimization of decision trees", NeurIPS 2018.

    Examples
    --------
    >>> import xseg
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris(as_frame=True).data
    >>> stand_in = xseg.SurrogateSegmenter(KMeans(3, random_state=0), max_leaves=4, random_state=0).fit(X)
    >>> round(stand_in.fidelity_, 2), stand_in.original_labels_
    (0.99, (0, 1, 2))
    """

    saved_state: ClassVar[type[SegmentsState]] = SurrogateState
    segment_source: ClassVar[Literal["rows", "labels", "definition"]] = "labels"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [None, HasMethods("fit"), HasMethods("fit_predict"), HasMethods("predict")],
        "max_leaves": [None, Interval(Integral, 1, None, closed="left")],
        "max_depth": [Interval(Integral, 1, MAX_TESTS, closed="both")],
        "min_segment_size": [Interval(Real, 0, 1, closed="neither"), Interval(Integral, 1, None, closed="left")],
        "effort": [StrOptions(set(EFFORTS))],
        "max_bins": [Interval(Integral, 2, 255, closed="both")],
        "noise_label": [None, Integral, str],
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
        estimator: Any = None,
        *,
        max_leaves: int | None = None,
        max_depth: int = 6,
        min_segment_size: float = 0.005,
        effort: str = "balanced",
        max_bins: int = 255,
        noise_label: int | str | None = -1,
        segment_names: Sequence[str] | None = None,
        forbid: Sequence[str] = (),
        include: Sequence[str] = (),
        min_members: int = MIN_MEMBERS,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.max_leaves = max_leaves
        self.max_depth = max_depth
        self.min_segment_size = min_segment_size
        self.effort = effort
        self.max_bins = max_bins
        self.noise_label = noise_label
        self.segment_names = segment_names
        self.forbid = forbid
        self.include = include
        self.min_members = min_members
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    estimator_: Any
    original_labels_: tuple[Label, ...]
    original_name_: str
    fidelity_: float
    fidelity_by_segment_: tuple[SegmentFidelity, ...]

    @complete_fit
    def fit(self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find the tree that contradicts the original about the smallest number of rows.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            Rows to fit, in the form that the original takes. A backend needs an original that is fitted and
            can predict; it is shown the rows block by block, as DataFrames.
        y : array-like of shape (n_rows,), default=None
            The original's labels, if no estimator was given; otherwise ignored. Missing ones belong to no group.
        sample_weight : array-like of shape (n_rows,), default=None
            How much each row counts; 2 is the same as the row twice. The original gets it too if it takes weights.

        Returns
        -------
        SurrogateSegmenter
            The fitted segmenter.

        Raises
        ------
        ParameterError
            A parameter is not allowed, there is nothing to stand in for, or a fitted original knows nothing of `X`.
        DataError
            The rows or labels cannot be used.

        Warns
        -----
        XsegWarning
            A group of the original has no leaf.
        """
        self._begin_fit()
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        shown = self._show(X, y, sample_weight)
        labelled = label_rows(
            shown.rows,
            shown.n_columns,
            len(shown.partition.groups),
            shown.places,
            max_bins=self.max_bins,
            min_members=self.min_members,
            include=tuple(self.include),
            forbid=tuple(self.forbid),
            seed=seed,
            n_jobs=self.n_jobs,
        )
        if isinstance(X, Backend):
            self._remember_backend(labelled.own_bins.schema.names)
        self._report("labelled the rows with %d groups, in %d columns", labelled.n_groups, len(labelled.own_bins))
        most = self.max_leaves or 2 * labelled.n_groups
        problem = labelled.problem(most, self.max_depth, self._least_share(labelled))
        self.estimator_, self.original_name_ = shown.original.estimator, shown.original.name
        earlier = copy(self)
        self._learn(labelled, find_tree(labelled, problem, self.effort), shown.partition.groups)
        self._report("tree of %d leaves agrees about %.6g of the rows", self.tree_.n_leaves, self.fidelity_)
        warn_if_names_move(earlier, self._backend(X), self.labels_, self.n_segments_, stacklevel=4)
        return self

    def fit_predict(self, X: Any, y: ArrayLike | None = None, **parameters: Any) -> NDArray[np.int32]:
        """Fit, and return the segment of each row.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_features)
            The rows.
        y : array-like of shape (n_rows,), default=None
            The original's labels, if no estimator was given.
        **parameters
            Other parameters of `fit`.

        Returns
        -------
        ndarray of shape (n_rows,)
            Segment indices.
        """
        return self.fit(X, y, **parameters).labels_

    def agreement(self, X: Any, labels: ArrayLike | None = None) -> NDArray[np.str_]:
        """Return for each row whether the original agrees with the stand-in.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.
        labels : array-like of shape (n_rows,), default=None
            What the original says of them. None asks the original, if it can predict.

        Returns
        -------
        ndarray of shape (n_rows,)
            "yes", "no", or "not known" for every row if the original cannot be asked: it cannot predict, or the
            segmenter comes from a file.

        Raises
        ------
        NotFittedError, DataError
            As for `predict`.
        DataError
            There is not one label for each row.

        Examples
        --------
        >>> import numpy as np, xseg
        >>> X = np.array([[0.0], [1.0], [2.0], [3.0]] * 10)
        >>> stand_in = xseg.SurrogateSegmenter(max_leaves=2).fit(X, [0, 1, 0, 1] * 5 + [0, 0, 1, 1] * 5)
        >>> stand_in.agreement(X[:4], [0, 1, 0, 1])
        array(['yes', 'yes', 'no', 'yes'], dtype='<U9')
        >>> stand_in.agreement(X[:1])
        array(['not known'], dtype='<U9')
        """
        own = self.predict(X)
        if labels is None and self.estimator_ is None:
            return np.full(len(own), _NOT_KNOWN)
        given = predict_original(self.estimator_, X) if labels is None else np.asarray(order_like(X, labels, "labels"))
        if given.shape != own.shape:
            message = f"there are labels of shape {given.shape} for {len(own)} rows; give one label for each row"
            raise DataError(message)
        said = self._groups.find_places(given, self.noise_label)
        return np.where(said == self._stands_for[own], _YES, _NO).astype(f"<U{len(_NOT_KNOWN)}")

    def score(self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of rows about which stand-in and original agree.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_features)
            The rows.
        y : array-like of shape (n_rows,), default=None
            What the original says of them; None asks it.
        sample_weight : array-like of shape (n_rows,), default=None
            How much each row counts.

        Returns
        -------
        float
            The fidelity on these rows.

        Raises
        ------
        UnsupportedTypeError
            The original cannot be asked, and `y` is not given.
        """
        self._check_fitted()
        if self.estimator_ is None and y is None:
            message = f"the original ({self.original_name_}) cannot predict; give its labels for these rows as y"
            raise UnsupportedTypeError(message)
        agrees = self.agreement(X, None if self.estimator_ is not None else y) == _YES
        weights, _ = check_weights(sample_weight, len(agrees))
        return float(np.average(agrees, weights=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.estimator is not None:
            # The stand-in could learn from rows with missing values, but its original is asked about them first.
            tags.input_tags.allow_nan = _takes_missing(self.estimator)
        return tags

    def _show(self, X: Any, y: Any, sample_weight: ArrayLike | None) -> LabelledInput:
        """Predict the rows with the original."""
        if isinstance(X, Backend):
            return label_backend(
                self.estimator, self._backend(X, sample_weight, reset=True), noise_label=self.noise_label
            )
        table = self.read_rows(X, reset=True)
        check_weights(sample_weight, len(table))
        return label_table(self.estimator, X, table, y, sample_weight, noise_label=self.noise_label, n_jobs=self.n_jobs)

    def _least_share(self, labelled: LabelledRows) -> float:
        if self.min_segment_size < 1:
            return float(self.min_segment_size)
        return min(1.0, self.min_segment_size * labelled.weight_unit / labelled.space.total_weight)

    def _learn(self, labelled: LabelledRows, tree: ThresholdTree, groups: Groups) -> None:
        """Keep what the fitted segmenter needs: the tree, and counts over the population."""
        stands_for = np.unique(tree.segment[tree.leaves])
        place = np.full(labelled.n_groups, -1, dtype=np.int32)
        place[stands_for] = np.arange(len(stands_for))
        tree = replace(tree, segment=np.where(tree.segment >= 0, place[tree.segment], -1).astype(np.int32))
        mass = labelled.backend.sum(LeafSums(labelled.space, tree)).groups.mass
        counted = count_tree_population(labelled.backend, tree, len(stands_for), labelled.weight_unit)
        # The last column is the label: it tells the confusion, and is not one of the table's.
        confusion = counted.profile.counts[:, -1, : labelled.n_groups]
        reduced = replace(counted.tree, bins=Bins(counted.tree.bins.features[:-1]))
        profile = SegmentProfile(labelled.own_bins, counted.profile.counts[:, :-1], labelled.weight_unit)
        model = BoxModel(reduced.boxes().merge_boxes(), len(stands_for), counted.model.population)
        self._restore(
            tree=reduced,
            model=model,
            profile=profile,
            names=self._names(profile, model, stands_for.tolist(), groups),
            labels=groups.labels,
            noise=groups.noise,
            stands_for=stands_for.tolist(),
            confusion=confusion,
            original_name=self.original_name_,
            estimator=self.estimator_,
            mean_depth=float(np.average(tree.node_depth[tree.leaves], weights=mass)),
        )
        self._warn_of_missing([label for group, label in enumerate(groups.labels) if group not in stands_for])
        self.labels_ = labelled.backend.map(partial(predict_block, tree))

    def _warn_of_missing(self, labels: Sequence[Label]) -> None:
        if labels:
            shown = ", ".join(map(repr, labels[:5])) + (", ..." if len(labels) > 5 else "")
            message = (
                f"no leaf stands for the group(s) {shown} of the original within max_leaves, max_depth and "
                "min_segment_size; their people count as mistakes"
            )
            warn(message, XsegWarning, stacklevel=5)

    def _names(
        self, profile: SegmentProfile, model: BoxModel, stands_for: Sequence[int], groups: Groups
    ) -> SegmentNames:
        if self.segment_names is not None:
            return choose_names(profile, model, self.segment_names)
        labels = [groups.labels[group] for group in stands_for]
        texts = [label for label in labels if isinstance(label, str)]
        proposed = tuple(texts) if len(texts) == len(labels) else propose_names(profile, model)
        names = tuple(
            _NO_GROUP if group == groups.noise else name for group, name in zip(stands_for, proposed, strict=True)
        )
        return SegmentNames(names, (False,) * len(names))

    def get_state(self) -> dict[str, Any]:
        """Return what a file must hold besides the parameters."""
        return {
            **super().get_state(),
            "original_name": self.original_name_,
            "labels": list(self._groups.labels),
            "noise": self._groups.noise,
            "groups": self._stands_for.tolist(),
            "confusion": self._confusion.tolist(),
        }

    def get_saved_parameters(self) -> dict[str, Any]:
        """Return the parameters as a file holds them; the original stays where it is."""
        parameters = self.get_params(deep=False)
        return {name: to_plain(value) for name, value in parameters.items() if name != "estimator"}

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter again, from parameters and the state of a file."""
        check("estimator" not in parameters, "parameters", "the original is never part of a file")
        tree, model, profile = build_tree_model(state)
        check(bool((profile.sizes > 0).all()), "counts", "a segment is empty")
        _check_labels(state)
        return cls._configure(parameters)._restore(
            tree=tree,
            model=model,
            profile=profile,
            names=build_names(state),
            labels=tuple(state.labels),
            noise=state.noise,
            stands_for=state.groups,
            confusion=_build_confusion(state, profile.counts[:, 0].sum(axis=1)),
            original_name=state.original_name,
            mean_depth=state.mean_depth,
            named=state.named,
        )

    def _get_state_over(self, bins: Bins) -> dict[str, Any]:
        del bins
        return {
            "labels": self._groups.labels,
            "noise": self._groups.noise,
            "stands_for": self._stands_for.tolist(),
            "confusion": self._confusion,
            "original_name": self.original_name_,
        }

    def _restore(
        self,
        *,
        tree: ThresholdTree,
        model: BoxModel,
        profile: SegmentProfile,
        names: SegmentNames,
        labels: tuple[Label, ...],
        noise: int | None,
        stands_for: Sequence[int],
        confusion: NDArray[np.int64],
        original_name: str,
        estimator: Any = None,
        mean_depth: float,
        named: bool | None = None,
    ) -> Self:
        """Set everything a fitted segmenter holds, whether it was just learned or comes from a file."""
        self.tree_, self.mean_depth_ = tree, mean_depth
        self.estimator_, self.original_name_ = estimator, original_name
        self._groups, self._confusion = Groups(labels, noise), confusion
        self._stands_for = np.array(stands_for, dtype=np.int64)
        self.original_labels_ = tuple(labels[group] for group in stands_for)
        self.fidelity_ = overall_fidelity(confusion, stands_for)
        self.fidelity_by_segment_ = compute_fidelity(confusion, stands_for, labels, profile.unit)
        self.restore_boxes(model=model, profile=profile, names=names, named=named)
        return self


def _check_labels(state: SurrogateState) -> None:
    n_labels = len(state.labels)
    check(len({(type(label), label) for label in state.labels}) == n_labels, "labels", "repeat themselves")
    check(state.noise is None or state.noise == n_labels - 1, "noise", "must be the last label")
    fits = len(state.groups) == len(state.segment_names) and all(group < n_labels for group in state.groups)
    check(fits, "groups", "needs one label for each segment")
    check(sorted(set(state.groups)) == state.groups, "groups", "must be in the order of the labels")


def _build_confusion(state: SurrogateState, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    n_segments, n_labels = len(state.segment_names), len(state.labels)
    fits = len(state.confusion) == n_segments and all(len(row) == n_labels for row in state.confusion)
    check(fits, "confusion", "needs a number for each segment and label")
    check([sum(row) for row in state.confusion] == sizes.tolist(), "confusion", "contradicts the counts")
    return np.array(state.confusion, dtype=np.int64)


def _takes_missing(estimator: Any) -> bool:
    """Return whether an estimator takes missing values; for a pipeline, whether they reach an imputer."""
    if not isinstance(estimator, Pipeline):
        # An object of no scikit-learn kind says nothing of what it takes, so it is left to say so when it is asked.
        return not hasattr(estimator, "__sklearn_tags__") or bool(get_tags(estimator).input_tags.allow_nan)
    for _, step in estimator.steps:
        if type(step).__module__.startswith("sklearn.impute"):
            return True
        if step not in (None, "passthrough") and not _takes_missing(step):
            return False
    return True
