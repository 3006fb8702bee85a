"""What every segmenter can do once it is fitted, and what those made of boxes can."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import validate_data

from xseg.backends import Backend, BatchBackend, MemoryBackend
from xseg.backends.workers import count_workers
from xseg.core.boxes import BoxModel
from xseg.core.conditions import Rule
from xseg.core.guards import check_allowed
from xseg.core.profiles import Profile
from xseg.core.schema import Kind
from xseg.core.segments import Segment, Segments
from xseg.core.tables import Table, read_table
from xseg.exceptions import NotFittedError, ParameterError, SchemaError

__all__ = ["BoxSegmenter", "Segmenter"]

_log = logging.getLogger("xseg")


class Segmenter(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of every segmenter."""

    n_jobs: int | None
    verbose: int
    model_: Any
    profile_: Profile
    segments_: Segments
    n_segments_: int
    labels_: NDArray[np.int32]

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
        SchemaError, ColumnTypeError
            The columns are not those it was fitted on.
        """
        self._check_fitted()
        return self._backend(X).map(lambda block: self._predict_table(block.table))

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

    def _predict_table(self, table: Table) -> NDArray[np.int32]:
        raise NotImplementedError

    def _restore_segments(
        self,
        *,
        profile: Profile,
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
            self._validate_params()
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
            raise SchemaError(str(error)) from error
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

    def _restore_boxes(
        self, *, model: BoxModel, profile: Profile, names: tuple[str, ...], named: bool | None = None
    ) -> None:
        """Set what every fitted segmenter made of boxes holds, whether it was just learned or comes from a file."""
        self.model_ = model
        rules = [
            tuple(model.boxes.rule(int(box)) for box in np.flatnonzero(model.boxes.segment == index))
            for index in range(model.n_segments)
        ]
        self._restore_segments(profile=profile, names=names, rules=rules, named=named)
