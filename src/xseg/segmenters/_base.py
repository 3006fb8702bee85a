"""Base classes of the segmenters: what every fitted segmenter can do, by boxes or by additive scores."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from time import monotonic
from types import MappingProxyType
from typing import Any, ClassVar, Concatenate, Literal, ParamSpec, Self, TypeVar
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from xseg._sklearn import InvalidParameterError, list_parameter_names, validate_parameters
from xseg.backends import Backend, BatchBackend, MemoryBackend
from xseg.backends.base import count_workers
from xseg.backends.batches import remove_folders_on_failure
from xseg.core import check_allowed
from xseg.core.conditions import Rule
from xseg.core.progress import Progress, listen_to_progress
from xseg.core.schema import Kind
from xseg.core.segments import Segment, SegmentNames, SegmentProfile, Segments
from xseg.core.statistics import apply_to_table
from xseg.core.tables import Table, read_table
from xseg.exceptions import DataError, NotFittedError, ParameterError, UnsupportedTypeError, XsegWarning
from xseg.segmenters._learning import Prepared
from xseg.segmenters._number_choice import NumberChoice, choose_number
from xseg.segmenters._protocols import FittedModel
from xseg.segmenters._saved_state import (
    SegmentsState,
    check,
    describe_segments,
    select_restorable,
    to_plain,
)

__all__ = [
    "Segmenter",
    "check_segmenter",
    "complete_fit",
    "get_registered_segmenters",
    "get_segmenter",
    "register_segmenter",
]


_log = logging.getLogger("xseg")
_progress_log = logging.getLogger("xseg.progress")

S = TypeVar("S")
E = TypeVar("E", bound="Segmenter")
P = ParamSpec("P")

_SECONDS_BETWEEN_LINES = 1.0


class _ProgressLog:
    """Listener that logs the progress of a fit at most once a second."""

    def __init__(self) -> None:
        self._next = monotonic() + _SECONDS_BETWEEN_LINES

    def __call__(self, progress: Progress) -> None:
        if monotonic() >= self._next:
            _progress_log.info("%s", progress)
            self._next = monotonic() + _SECONDS_BETWEEN_LINES


@contextmanager
def _show_log() -> Iterator[None]:
    """Write the messages of the ``xseg`` logger to the standard error, if logging is not configured."""
    if _log.hasHandlers():
        yield
        return
    handler, level = logging.StreamHandler(), _log.level
    handler.setFormatter(logging.Formatter("xseg: %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    try:
        yield
    finally:
        _log.removeHandler(handler)
        _log.setLevel(level)


def complete_fit(fit: Callable[Concatenate[E, P], E]) -> Callable[Concatenate[E, P], E]:
    """Make a `fit` method fit completely or not at all; a decorator.

    If it ends with an exception, such as the `KeyboardInterrupt` of Ctrl-C, the segmenter has the attributes that it
    had before, and temporary files are removed. With `verbose` its progress is logged.
    """

    @wraps(fit)
    def fit_or_restore(self: E, /, *args: P.args, **kwargs: P.kwargs) -> E:
        before = self.__dict__.copy()
        try:
            with ExitStack() as stack:
                stack.enter_context(remove_folders_on_failure())
                if self.verbose:
                    stack.enter_context(_show_log())
                    stack.enter_context(listen_to_progress(_ProgressLog()))
                return fit(self, *args, **kwargs)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    return fit_or_restore


class Segmenter(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base class of all segmenters: prediction, feature names, validation and the state of a file."""

    n_jobs: int | None
    verbose: int
    model_: Any
    profile_: SegmentProfile
    segments_: Segments
    n_segments_: int
    labels_: NDArray[np.int32]
    selection_: tuple[NumberChoice, ...]

    saved_state: ClassVar[type[SegmentsState]]
    # Origin of the segments: learned from rows alone, from labels or outcomes given for them, or by a definition.
    segment_source: ClassVar[Literal["rows", "labels", "definition"]] = "rows"
    # Whether it holds estimates besides counts, so that rows cannot be subtracted.
    keeps_estimates: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def get_state(self) -> dict[str, Any]:
        """Return the fitted state for a file, as the schema `saved_state` declares it.

        Returns
        -------
        dict
            Values that JSON can hold.
        """
        raise NotImplementedError

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter from a file.

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
        """Return the parameters for a file; one that JSON cannot hold is described, and not restored."""
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
        names = SegmentNames(self.segment_names_, tuple(name is not None for name in self.public_names_))
        return describe_segments(self.profile_, names, named=hasattr(self, "feature_names_in_"))

    def predict(self, X: Any) -> NDArray[np.int32]:
        """Predict the segment index of each row.

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
    def public_names_(self) -> tuple[str | None, ...]:
        """The names that people gave, in the order of the segments: what customers may read.

        None stands where a name was proposed from the rule, or is a label of the model that a surrogate approximates.
        """
        return tuple(segment.public_name for segment in self.segments_)

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
        """Return a picklable function that predicts the segments of a table, without a reference to this estimator."""
        return partial(assign_rows, self.model_)

    def _restore_segments(
        self,
        *,
        profile: SegmentProfile,
        names: SegmentNames,
        rules: Sequence[tuple[Rule, ...]],
        named: bool | None,
    ) -> None:
        """Set what every fitted segmenter holds, whether it was just learned or comes from a file."""
        self.profile_, self.n_segments_ = profile, len(names.names)
        shares = profile.sizes / profile.sizes.sum()
        self.segments_ = Segments(
            [
                Segment(
                    index,
                    name,
                    float(profile.sizes[index]),
                    float(shares[index]),
                    rules[index],
                    profile,
                    public_name=public_name,
                )
                for index, (name, public_name) in enumerate(zip(names.names, names.public, strict=True))
            ]
        )
        if named is not None:
            self._remember_columns(profile.bins.schema.names, named=named)

    def _backend(self, X: Any, sample_weight: ArrayLike | None = None, *, reset: bool = False) -> Backend:
        """Return the backend of rows; with `reset`, of rows to fit."""
        if not isinstance(X, Backend):
            return MemoryBackend(self.read_rows(X, reset=reset), sample_weight, n_jobs=self.n_jobs)
        if sample_weight is not None:
            message = (
                "sample_weight must be None where X is a backend; pass sample_weight or weight_column to the backend"
            )
            raise ParameterError(message)
        return X

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            message = (
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with a table of customers first."
            )
            raise NotFittedError(message)

    def _begin_fit(self) -> None:
        """Check that no guard forbids a fit, and that the parameters are allowed."""
        check_allowed("fit")
        self._check_parameters()

    def _check_parameters(self) -> None:
        try:
            validate_parameters(self)
        except InvalidParameterError as error:
            raise ParameterError(str(error)) from error
        count_workers(self.n_jobs)

    def _choose_number(self, prepared: Prepared, most: int, weight_unit: float, seed: int) -> int:
        """Choose a number of segments, set `selection_`, and warn if there is no structure."""
        self.selection_ = choose_number(prepared, most, weight_unit, seed)
        chosen = next(choice.n_segments for choice in self.selection_ if choice.chosen)
        self._report("%d segments chosen of 1 to %d", chosen, most)
        if chosen == 1:
            message = (
                "no structure found: the rows are told apart no better than independent or merely correlated columns "
                "would be, so there is 1 segment; pass a number as n_segments to divide them all the same"
            )
            warn(message, XsegWarning, stacklevel=5)
        return chosen

    def _report(self, message: str, *values: object) -> None:
        if self.verbose:
            _log.info(message, *values)

    def _report_passes(self, backend: Backend) -> None:
        """Log the number of passes over rows in batches."""
        if isinstance(backend, BatchBackend):
            self._report("passes over the rows: %s", backend.passes)

    def read_rows(self, X: Any, *, reset: bool = False) -> Table:
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
        """Set `n_features_in_` and `feature_names_in_` from the columns of a backend."""
        self._remember_columns(names, named=names != tuple(f"x{j}" for j in range(len(names))))

    def _remember_columns(self, names: tuple[str, ...], *, named: bool) -> None:
        """Set `n_features_in_` and `feature_names_in_` for rows that are not a table."""
        self.n_features_in_ = len(names)
        if named:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_


def assign_rows(model: FittedModel, table: Table) -> NDArray[np.int32]:
    """Return the segment of each row of a table."""
    return model.assign(table)


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
    """Return the registered segmenter classes, by name; only their files can be loaded."""
    return MappingProxyType(_REGISTERED)


def get_segmenter(model: Any) -> Any:
    """Return the fitted segmenter inside a consent gate; any other object is returned unchanged.

    Raises
    ------
    NotFittedError
        The gate has not been fitted.
    """
    # The class of gates is in a higher layer, so a gate is recognised by its attributes.
    if not hasattr(model, "admit") or not hasattr(model, "purpose"):
        return model
    if not hasattr(model, "segmenter_"):
        message = "This ConsentGate instance is not fitted yet. Call 'fit' with a table and ids first."
        raise NotFittedError(message)
    return model.segmenter_


def check_segmenter(segmenter: S) -> S:
    """Check that an object is a fitted segmenter of xseg, and return it.

    Every function that takes a segmenter calls this, so that a wrong first argument raises the same error everywhere.

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
