"""Base classes of the segmenters: what every fitted segmenter can do, by boxes or by additive scores."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self, TypeVar
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from xseg._kernels.center_kernels import add_code_counts
from xseg._sklearn import InvalidParameterError, list_parameter_names, validate_parameters
from xseg.backends import Backend, BatchBackend, MemoryBackend
from xseg.backends.base import CodedBackend, count_workers
from xseg.core import check_allowed
from xseg.core.additive import AdditiveModel, PartSums, Scores
from xseg.core.bins import MAX_BINS, N_CODES
from xseg.core.boxes import Boxes, BoxModel
from xseg.core.conditions import Rule
from xseg.core.embedding import Coding
from xseg.core.schema import Kind
from xseg.core.segments import Segment, SegmentProfile, Segments
from xseg.core.statistics import CodedBlock, RawBlock, apply_to_table
from xseg.core.tables import Table, read_table
from xseg.exceptions import DataError, NotFittedError, ParameterError, UnsupportedTypeError, XsegWarning
from xseg.segmenters._additive_state import AdditiveState, build_additive_model, describe_additive_model
from xseg.segmenters._box_population import count_population
from xseg.segmenters._learning import MIN_MEMBERS, Columns, Prepared, learn_columns, prepare
from xseg.segmenters._names import align, choose_names, warn_if_names_move
from xseg.segmenters._protocols import FittedModel, FittedSegmenter
from xseg.segmenters._saved_state import (
    DrawnBoxState,
    SegmentsState,
    build_bins,
    build_box_model,
    build_drawn_boxes,
    build_profile,
    check,
    describe_drawn_boxes,
    describe_population,
    describe_segments,
    select_restorable,
    to_plain,
)

__all__ = [
    "AdditiveSegmenter",
    "BoxSegmenter",
    "SegmentCounts",
    "Segmenter",
    "check_segmenter",
    "get_registered_segmenters",
    "get_segmenter",
    "register_segmenter",
]


_log = logging.getLogger("xseg")

S = TypeVar("S")


class Segmenter(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of every segmenter."""

    n_jobs: int | None
    verbose: int
    model_: Any
    profile_: SegmentProfile
    segments_: Segments
    n_segments_: int
    labels_: NDArray[np.int32]

    saved_state: ClassVar[type[SegmentsState]]
    # What decides the segments besides rows: nothing, labels or outcomes given for them, or a definition that is kept.
    segment_source: ClassVar[Literal["rows", "labels", "definition"]] = "rows"
    # Whether more is kept than counts and what follows from them, so that a row cannot be subtracted.
    keeps_estimates: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def get_state(self) -> dict[str, Any]:
        """Return what a file must hold besides the parameters, by the schema `saved_state`.

        Returns
        -------
        dict
            Values that JSON can hold.
        """
        raise NotImplementedError

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter again.

        Parameters
        ----------
        parameters : mapping
            The parameters, as `get_saved_parameters` returned them.
        state : saved_state
            The state, valid by its schema.

        Raises
        ------
        ModelFileError
            Parts do not fit together, or a parameter is not allowed.
        """
        raise NotImplementedError

    def get_saved_parameters(self) -> dict[str, Any]:
        """Return the parameters as a file holds them; what JSON cannot hold is described and not restored."""
        return {name: to_plain(value) for name, value in self.get_params(deep=False).items()}

    @classmethod
    def _configure(cls, parameters: Mapping[str, Any]) -> Self:
        """Make an unfitted segmenter with the parameters of a file."""
        unknown = sorted(set(parameters) - set(list_parameter_names(cls)))
        check(not unknown, "parameters", f"unknown parameter(s) {', '.join(unknown)}")
        made = cls(**select_restorable(parameters))
        try:
            made._check_parameters()
        except ParameterError as error:
            check(False, "parameters", str(error))
        return made

    def _describe_segments(self) -> dict[str, Any]:
        return describe_segments(self.profile_, self.segment_names_, named=hasattr(self, "feature_names_in_"))

    def predict(self, X: Any) -> NDArray[np.int32]:
        """Return the segment of each row.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_rows,)
            Segment indices.

        Raises
        ------
        NotFittedError
            The segmenter has not been fitted.
        DataError
            The columns are not those it was fitted on.
        """
        self._check_fitted()
        return self._backend(X).map(partial(apply_to_table, self._make_predictor()))

    @property
    def excluded_columns_(self) -> tuple[str, ...]:
        """The columns that are accepted in every table and neither used nor stored: identifiers and dates."""
        features = self.profile_.bins.schema
        return tuple(feature.name for feature in features if feature.kind is Kind.EXCLUDED)

    @property
    def segment_names_(self) -> tuple[str, ...]:
        """The names of the segments, in order."""
        return self.segments_.names

    @property
    def _n_features_out(self) -> int:
        return self.n_segments_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _make_predictor(self) -> Callable[[Table], NDArray[np.int32]]:
        """Make a function that predicts the segments of a table: picklable, and without what the fit left here."""
        return partial(assign_rows, self.model_)

    def _restore_segments(
        self,
        *,
        profile: SegmentProfile,
        names: tuple[str, ...],
        rules: Sequence[tuple[Rule, ...]],
        named: bool | None,
    ) -> None:
        """Set what every fitted segmenter holds, whether it was just learned or comes from a file."""
        self.profile_, self.n_segments_ = profile, len(names)
        shares = profile.sizes / profile.sizes.sum()
        self.segments_ = Segments(
            [
                Segment(index, name, float(profile.sizes[index]), float(shares[index]), rules[index], profile)
                for index, name in enumerate(names)
            ]
        )
        if named is not None:
            self._remember_columns(profile.bins.schema.names, named=named)

    def _backend(self, X: Any, sample_weight: ArrayLike | None = None, *, reset: bool = False) -> Backend:
        """Return the backend of rows; with `reset`, of rows to learn from."""
        if not isinstance(X, Backend):
            return MemoryBackend(self._read(X, reset=reset), sample_weight, n_jobs=self.n_jobs)
        if sample_weight is not None:
            message = "a backend brings its own weights; give sample_weight or weight_column to the backend"
            raise ParameterError(message)
        return X

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            message = (
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with a table of customers first."
            )
            raise NotFittedError(message)

    def _begin_fit(self) -> None:
        """Check, before anything is learned, that this is the place for it and that the parameters are allowed."""
        check_allowed("fit")
        self._check_parameters()

    def _check_parameters(self) -> None:
        try:
            validate_parameters(self)
        except InvalidParameterError as error:
            raise ParameterError(str(error)) from error
        count_workers(self.n_jobs)

    def _report(self, message: str, *values: object) -> None:
        if self.verbose:
            _log.info(message, *values)

    def _report_passes(self, backend: Backend) -> None:
        """Return how often rows in batches were read."""
        if isinstance(backend, BatchBackend):
            self._report("passes over the rows: %s", backend.passes)

    def _read(self, X: Any, *, reset: bool = False) -> Table:
        """Read a table and check its columns against those of the fit."""
        table = read_table(X, unread=() if reset else self.excluded_columns_)
        if isinstance(X, Table):
            return table
        shaped = X if hasattr(X, "shape") else np.empty((1, len(table.columns)))
        try:
            validate_data(self, shaped, reset=reset, skip_check_array=True)
        except (TypeError, ValueError) as error:
            raise DataError(str(error)) from error
        return table if reset else self.profile_.bins.read(table)

    def _remember_backend(self, names: tuple[str, ...]) -> None:
        """Set what scikit-learn calls the features, from the columns of a backend."""
        self._remember_columns(names, named=names != tuple(f"x{j}" for j in range(len(names))))

    def _remember_columns(self, names: tuple[str, ...], *, named: bool) -> None:
        """Set what scikit-learn calls the features, for rows that did not come as a table."""
        self.n_features_in_ = len(names)
        if named:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_


class BoxSegmenter(Segmenter):
    """Base of the segmenters whose segments are unions of boxes."""

    model_: BoxModel
    saved_state: ClassVar[type[SegmentsState]] = DrawnBoxState

    def get_state(self) -> dict[str, Any]:
        """Return what a file must hold besides the parameters: here segments, counts and boxes."""
        return {
            **self._describe_segments(),
            "population": describe_population(self.model_),
            **describe_drawn_boxes(self.model_.boxes),
        }

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter again, from parameters and the state of a file."""
        profile = build_profile(state, build_bins(state.columns))
        model = build_box_model(state, build_drawn_boxes(state), profile)
        segmenter = cls._configure(parameters)
        segmenter.restore_boxes(model=model, profile=profile, names=tuple(state.segment_names), named=state.named)
        return segmenter

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the membership of each row in each segment: 1 in its own, 0 elsewhere.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_rows, n_segments)
            Memberships.
        """
        labels = self.predict(X)
        return np.asarray(np.eye(self.n_segments_)[labels])

    def fit_boxes(
        self,
        X: Any,
        choose: Callable[[Columns], Boxes],
        *,
        sample_weight: ArrayLike | None = None,
        segment_names: Sequence[str] | None = None,
        min_members: int = MIN_MEMBERS,
    ) -> Self:
        """Fit boxes that a function chooses: the whole `fit` of a segmenter of your own.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.
        choose : callable
            Called with the columns of the rows and how they become codes (`Columns`); returns boxes over
            ``columns.bins`` that do not overlap and together cover everything. Every segment needs a row.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row.
        segment_names : sequence of str, default=None
            Names of the segments; None proposes names.
        min_members : int, default=10
            Number of rows that must share a category for it to be kept.

        Returns
        -------
        BoxSegmenter
            The fitted segmenter.

        Raises
        ------
        ParameterError
            A parameter is not allowed.
        DataError
            The rows cannot be used, or a segment has no row.
        """
        self._begin_fit()
        columns = learn_columns(self._backend(X, sample_weight, reset=True), max_bins=MAX_BINS, min_members=min_members)
        if isinstance(X, Backend):
            self._remember_backend(columns.schema.names)
        boxes = choose(columns)
        model, profile = count_population(columns.backend, columns.bins, boxes, int(boxes.segment.max()) + 1)
        empty = np.flatnonzero(profile.sizes == 0)
        if len(empty):
            message = f"each segment needs a row, and segment {empty[0]} has none; choose other boxes"
            raise DataError(message)
        self.restore_boxes(
            model=model, profile=profile, names=choose_names(profile, model.used_features, segment_names)
        )
        self.labels_ = columns.backend.map(partial(apply_to_table, self._make_predictor()))
        return self

    def restore_boxes(
        self, *, model: BoxModel, profile: SegmentProfile, names: tuple[str, ...], named: bool | None = None
    ) -> None:
        """Set what every fitted segmenter made of boxes holds, whether it was just learned or comes from a file."""
        self.model_ = model
        rules = [
            tuple(model.boxes.rule(int(box)) for box in np.flatnonzero(model.boxes.segment == index))
            for index in range(model.n_segments)
        ]
        self._restore_segments(profile=profile, names=names, rules=rules, named=named)


class AdditiveSegmenter(ClusterMixin, Segmenter):
    """Base of the segmenters whose segments are where one of several additive scores is highest."""

    model_: AdditiveModel
    max_bins: int
    forbid: Sequence[str]
    include: Sequence[str]
    segment_names: Sequence[str] | None
    min_members: int

    saved_state: ClassVar[type[SegmentsState]] = AdditiveState

    def get_state(self) -> dict[str, Any]:
        """Return what a file must hold besides the parameters: here segments, counts and scores."""
        return {**self._describe_segments(), **describe_additive_model(self.model_, self.profile_.bins)}

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter again, from parameters and the state of a file."""
        segmenter = cls._configure(parameters)
        model, profile = build_additive_model(state)
        segmenter._restore_additive(model, profile, tuple(state.segment_names), state.named)
        return segmenter

    def _compute_scores(self, X: Any) -> NDArray[np.float64]:
        """Return the scores of rows, wherever they are."""
        self._check_fitted()
        return self._backend(X).map(partial(_score_block, self.model_))

    def _prepare(
        self,
        X: Any,
        backend: Backend,
        *,
        scaling: str,
        feature_weights: Mapping[str, float] | ArrayLike | None,
        seed: int,
        power: int = 2,
    ) -> Prepared:
        """Code the rows, and refuse those that cannot be told apart or are too few."""
        prepared = prepare(
            backend,
            max_bins=self.max_bins,
            scaling=scaling,
            feature_weights=feature_weights,
            forbid=tuple(self.forbid),
            include=tuple(self.include),
            min_members=self.min_members,
            seed=seed,
            n_jobs=self.n_jobs,
            power=power,
        )
        if isinstance(X, Backend):
            self._remember_backend(prepared.bins.schema.names)
        if prepared.whole and prepared.sample.n_rows == 1:
            message = (
                f"found 1 distinct row among n_samples={prepared.n_rows} (n_features={self.n_features_in_}): there is "
                "nothing to tell people apart by; give more rows or columns that vary"
            )
            raise DataError(message)
        if prepared.space.total_weight < self._min_weight(backend):
            message = (
                f"n_samples={prepared.n_rows} people (weight {prepared.space.total_weight / backend.weight_unit:g}) "
                f"are fewer than min_members={self.min_members}; a segment would tell of single people. Give more "
                "rows, or lower min_members"
            )
            raise DataError(message)
        return prepared

    def _min_weight(self, backend: Backend) -> int:
        return max(1, round(self.min_members * backend.weight_unit))

    def _count_possible(self, prepared: Prepared, wanted: int, min_weight: int) -> int:
        """Return how many segments the rows can make: each needs rows, and a distinct row."""
        possible = prepared.space.total_weight // min_weight
        if prepared.whole:
            possible = min(possible, prepared.sample.n_rows)
        return max(1, min(wanted, possible))

    def _warn_of_fewer(self, wanted: int, found: int) -> None:
        if found < wanted:
            message = (
                f"found only {found} of {wanted} segments with at least min_members={self.min_members} people each; "
                "lower min_members or n_segments"
            )
            warn(message, XsegWarning, stacklevel=4)

    def _learn(
        self, prepared: Prepared, scores: Scores, raw: Backend, align_to: FittedSegmenter | None
    ) -> NDArray[np.intp]:
        """Keep what the fitted segmenter needs: scores, largest segment first, and sums over the population.

        Returns
        -------
        ndarray of shape (n_segments,)
            Where each segment was among the scores given.
        """
        backend = prepared.backend
        order = np.arange(len(scores))
        counted = backend.sum(SegmentCounts(scores, len(prepared.bins)))
        for _ in range(len(scores)):
            by_size = np.argsort(-counted.counts[:, 0].sum(axis=1), kind="stable")
            if (by_size == np.arange(len(scores))).all():
                break
            # Rows as near to two segments belong to the first of them, so another order may count others.
            order, scores = order[by_size], scores.select_segments(by_size)
            counted = backend.sum(SegmentCounts(scores, len(prepared.bins)))
        inherited: tuple[str | None, ...] = ()
        if align_to is not None:
            aligned = align(align_to, raw, _labels(backend, scores), len(scores))
            order, scores, inherited = order[aligned.order], scores.select_segments(aligned.order), aligned.names
            counted = backend.sum(SegmentCounts(scores, len(prepared.bins)))
        else:
            warn_if_names_move(self, raw, _labels(backend, scores), len(scores), stacklevel=4)
        parts = backend.sum(PartSums(scores, prepared.space.total_weight))
        profile = SegmentProfile(prepared.bins, counted.counts, raw.weight_unit)
        model = AdditiveModel(Coding(prepared.bins, prepared.space.embedding), scores, parts.population())
        names = choose_names(profile, model.used_features, self.segment_names, inherited)
        self._restore_additive(model, profile, names)
        self.labels_ = _labels(backend, scores)
        return order

    def _restore_additive(
        self, model: AdditiveModel, profile: SegmentProfile, names: tuple[str, ...], named: bool | None = None
    ) -> None:
        """Set what every segmenter of additive scores holds, whether it was just learned or comes from a file."""
        self.model_ = model
        self._restore_segments(profile=profile, names=names, rules=[()] * model.n_segments, named=named)


def _labels(backend: CodedBackend, scores: Scores) -> NDArray[np.int32]:
    return backend.map(partial(_predict_coded, scores))


def _predict_coded(scores: Scores, block: CodedBlock) -> NDArray[np.int32]:
    return np.asarray(scores.compute(block.codes, block.points).argmax(axis=1), dtype=np.int32)


def assign_rows(model: FittedModel, table: Table) -> NDArray[np.int32]:
    """Return the segment of each row of a table."""
    return model.assign(table)


def _score_block(model: AdditiveModel, block: RawBlock) -> NDArray[np.float64]:
    return model.score(block.table)


class SegmentCounts:
    """A statistic: the weight of every code of every feature among the rows of each segment."""

    def __init__(self, scores: Scores, n_features: int) -> None:
        self.scores = scores
        self.counts = np.zeros((len(scores), n_features, N_CODES), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(self.scores, self.counts.shape[1])

    def add(self, block: CodedBlock) -> None:
        labels = self.scores.compute(block.codes, block.points).argmax(axis=1)
        add_code_counts(block.codes, labels, block.weights, self.counts)

    def merge(self, other: Self) -> None:
        self.counts += other.counts


_REGISTERED: dict[str, type[Segmenter]] = {}

R = TypeVar("R", bound=type[Segmenter])


def register_segmenter(kind: R) -> R:
    """Allow files of a segmenter to be loaded; a decorator of its class.

    A file names the class that it was saved from. Only classes that were registered in this process are built, so that
    a file can never cause code to be imported.

    Parameters
    ----------
    kind : subclass of Segmenter
        The class, which declares `saved_state`, `get_state` and `from_state` or inherits them.

    Returns
    -------
    type
        The class.

    Raises
    ------
    ParameterError
        Another class of that name is registered.
    """
    known = _REGISTERED.get(kind.__name__)
    if known is not None and (known.__module__, known.__qualname__) != (kind.__module__, kind.__qualname__):
        message = (
            f"the name of a segmenter must be unique among those registered, and {known.__module__} has registered "
            f"another {kind.__name__}; rename the class"
        )
        raise ParameterError(message)
    _REGISTERED[kind.__name__] = kind
    return kind


def get_registered_segmenters() -> Mapping[str, type[Segmenter]]:
    """Return the segmenters whose files can be loaded, by the name of the class."""
    return MappingProxyType(_REGISTERED)


def get_segmenter(model: Any) -> Any:
    """Return the fitted segmenter inside a consent gate; anything else as it is.

    Raises
    ------
    NotFittedError
        The gate has not been fitted.
    """
    # A gate stands above segmenters, so that it is known by what it has and not by its class.
    if not hasattr(model, "admit") or not hasattr(model, "purpose"):
        return model
    if not hasattr(model, "segmenter_"):
        message = "This ConsentGate instance is not fitted yet. Call 'fit' with a table and ids first."
        raise NotFittedError(message)
    return model.segmenter_


def check_segmenter(segmenter: S) -> S:
    """Return a fitted segmenter, or raise.

    Every function that takes a segmenter comes here, so that a wrong first argument meets one error everywhere.

    Raises
    ------
    UnsupportedTypeError
        It is no segmenter of xseg.
    NotFittedError
        It has not been fitted.
    """
    if not isinstance(segmenter, Segmenter):
        given: object = segmenter
        is_class = isinstance(given, type)
        kind = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
        if hasattr(segmenter, "admit") and hasattr(segmenter, "purpose"):
            advice = "give gate.segmenter_, and the rows of gate.admit(X, ids=ids).X"
        elif hasattr(segmenter, "steps"):
            advice = "give xseg.fold(pipeline)"
        elif hasattr(segmenter, "fit") and not is_class:
            advice = "fit xseg.SurrogateSegmenter(model) to it, or explain it with xseg.explain_agnostic"
        else:
            advice = "fit one, or read one with xseg.load"
        message = f"segmenter must be a fitted segmenter of xseg, got {kind}; {advice}"
        raise UnsupportedTypeError(message)
    segmenter._check_fitted()
    return segmenter
