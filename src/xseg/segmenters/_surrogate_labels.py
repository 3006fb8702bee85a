"""Labels of the original model for each row, and coded rows with the label as their last column.

In the space of that column alone, the groups are points at distance 1 from each other. So the squared distance of a row
to the point of a group is 0 or 1, the cost of a leaf is its number of errors, and the search for trees of low k-means
cost minimises the disagreement.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError as SklearnNotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from xseg.backends import Backend, MemoryBackend
from xseg.backends.base import CodedBackend, CodedRows, count_workers
from xseg.core.bins import N_CODES, Bins, FeatureBins
from xseg.core.embedding import Coding, Embedding
from xseg.core.schema import Feature, Kind
from xseg.core.statistics import RawBlock
from xseg.core.tables import Column, Table
from xseg.exceptions import DataError, ParameterError
from xseg.segmenters._learning import SAMPLE_CAPACITY, RowSample, Space, learn_columns
from xseg.segmenters._protocols import get_last_step
from xseg.segmenters._tree_refinement import Problem

__all__ = [
    "Groups",
    "Label",
    "LabelPartition",
    "LabelledInput",
    "LabelledRows",
    "OriginalModel",
    "append_places",
    "can_predict",
    "is_fitted",
    "label_backend",
    "label_rows",
    "label_table",
    "make_original",
    "predict_labels",
    "predict_original",
    "read_places",
    "to_frame",
]


def to_frame(table: Table) -> Any:
    """Return rows as a DataFrame, or as an array if their columns came without names."""
    columns = {column.name: _series(column) for column in table.columns}
    if table.named:
        return pd.DataFrame(columns)
    return np.column_stack([np.asarray(column) for column in columns.values()])


def _series(column: Column) -> Any:
    if column.kind is Kind.BOOLEAN:
        numbers = column.numbers()
        return numbers if np.isnan(numbers).any() else numbers == 1
    if column.kind.is_numeric:
        return column.values
    codes = np.asarray(column.values, dtype=np.int64)
    categories = pd.Categorical.from_codes(codes, pd.Index(column.categories), ordered=column.kind is Kind.ORDERED)
    return categories if column.kind is Kind.ORDERED else categories.astype(object)


Label: TypeAlias = "int | float | str | bool | None"
_MAX_GROUPS = 255


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of an original model, sorted by label, with noise (rows in no group) last.

    Attributes
    ----------
    labels : tuple
        The labels of the groups.
    noise : int or None
        The index of noise; None if all rows have a group.
    """

    labels: tuple[Label, ...]
    noise: int | None

    def __len__(self) -> int:
        return len(self.labels)

    def find_places(self, given: Any, noise_label: Label) -> NDArray[np.int64]:
        """Return the group index of each label; -1 for labels that are not known."""
        found = LabelPartition.from_labels(given, len(given), noise_label)
        known = {label: place for place, label in enumerate(self.labels) if place != self.noise}
        places = [known.get(label, -1) for label in found.groups.labels]
        if found.groups.noise is not None:
            places[found.groups.noise] = -1 if self.noise is None else self.noise
        return np.array(places, dtype=np.int64)[found.places]


@dataclass(frozen=True, eq=False)
class LabelPartition:
    """The groups of an original model, and the group index of each row, shape (n_rows,)."""

    groups: Groups
    places: NDArray[np.int64]

    @classmethod
    def from_labels(cls, given: Any, n_rows: int, noise_label: Label) -> "LabelPartition":
        """Sort labels into groups; missing labels and the noise label are noise.

        Raises
        ------
        DataError
            There is not one label for each row, or there are too many groups.
        """
        labels = np.asarray(given)
        if labels.shape != (n_rows,):
            message = f"labels must have shape ({n_rows},), one for each row, got {labels.shape}"
            raise DataError(message)
        is_noise = np.asarray(pd.isna(labels))
        if noise_label is not None:
            is_noise = is_noise | np.array([label == noise_label for label in labels.tolist()], dtype=bool)
        groups, places = _in_order(labels[~is_noise])
        n_groups = len(groups) + bool(is_noise.any())
        if n_groups > _MAX_GROUPS:
            message = (
                f"labels must form at most {_MAX_GROUPS} groups, got {n_groups}; pass labels of groups rather than "
                "numbers"
            )
            raise DataError(message)
        every = np.full(n_rows, len(groups), dtype=np.int64)
        every[~is_noise] = places
        if not is_noise.any():
            return cls(Groups(groups, None), every)
        return cls(Groups((*groups, noise_label), len(groups)), every)


def _in_order(labels: NDArray[Any]) -> tuple[tuple[Label, ...], NDArray[np.int64]]:
    if labels.dtype.kind == "f" and len(labels) and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    try:
        groups, places = np.unique(labels, return_inverse=True)
    except TypeError as error:
        message = f"labels must be of one type that can be sorted ({error}); convert them with astype(str)"
        raise DataError(message) from None
    return tuple(groups.tolist()), places.astype(np.int64)


@dataclass(frozen=True, eq=False)
class OriginalModel:
    """The model that a surrogate approximates, and its labels.

    Attributes
    ----------
    labels : array of shape (n_rows,)
        Its label of each row.
    estimator : estimator or None
        The model, if it can predict other rows; else None.
    name : str
        Name of its class, or "labels".
    """

    labels: Any
    estimator: Any
    name: str

    @classmethod
    def from_estimator(cls, labels: Any, estimator: Any) -> "OriginalModel":
        """Return the original of an estimator and its labels."""
        return cls(
            labels, estimator if hasattr(estimator, "predict") else None, type(get_last_step(estimator)).__name__
        )


def make_original(estimator: Any, X: Any, y: Any, n_rows: int, sample_weight: Any) -> OriginalModel:
    """Predict the rows with the original; one that is not fitted is fitted first, as a copy.

    Raises
    ------
    ParameterError
        There is neither a clusterer nor labels, or a fitted clusterer has no labels for these rows.
    """
    if estimator is None:
        if y is None:
            message = "estimator and y must not both be None; pass a clusterer, or the labels of the rows as y"
            raise ParameterError(message)
        return OriginalModel(y, None, "labels")
    if is_fitted(estimator):
        return OriginalModel.from_estimator(_get_labels(estimator, X, n_rows), estimator)
    copy = clone(estimator) if hasattr(estimator, "get_params") else deepcopy(estimator)
    weights = {}
    if sample_weight is not None and not isinstance(copy, Pipeline) and has_fit_parameter(copy, "sample_weight"):
        weights = {"sample_weight": sample_weight}
    if not hasattr(copy, "fit") or (hasattr(copy, "fit_predict") and not weights):
        return OriginalModel.from_estimator(copy.fit_predict(X), copy)
    copy.fit(X, **weights)
    return OriginalModel.from_estimator(_get_labels(copy, X, n_rows), copy)


def can_predict(estimator: Any) -> bool:
    """Return whether an original is fitted and can predict."""
    return estimator is not None and hasattr(estimator, "predict") and is_fitted(estimator)


def predict_labels(estimator: Any, X: Any) -> NDArray[Any]:
    """Predict rows with a fitted original."""
    return np.asarray(estimator.predict(X))


def is_fitted(estimator: Any) -> bool:
    """Return whether an estimator of any kind, or the last step of a pipeline, has been fitted."""
    last = get_last_step(estimator)
    if hasattr(last, "labels_"):
        return True
    try:
        check_is_fitted(last)
    except SklearnNotFittedError:
        return False
    except TypeError:
        # It is no scikit-learn estimator; a model without a fit method needs no fitting.
        return not hasattr(last, "fit") and not hasattr(last, "fit_predict")
    return True


def _get_labels(estimator: Any, X: Any, n_rows: int) -> Any:
    if hasattr(estimator, "predict"):
        return predict_labels(estimator, X)
    labels: Sequence[Any] | None = getattr(get_last_step(estimator), "labels_", None)
    if labels is None or len(labels) != n_rows:
        held = "no labels_" if labels is None else f"labels_ of {len(labels)} rows"
        message = (
            f"estimator must predict, or have labels_ for the {n_rows} rows of X, and "
            f"{type(get_last_step(estimator)).__name__} cannot predict and has {held}; pass the table it was fitted "
            "on, or a clusterer that is not fitted yet"
        )
        raise ParameterError(message)
    return labels


_COLUMN = "group of the original"


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Coded rows whose last column is the label.

    `sample` holds some of the distinct rows, or all of them if `whole`; `features` are those that splits may use.
    """

    backend: CodedBackend
    bins: Bins
    space: Space
    sample: CodedRows
    whole: bool
    features: NDArray[np.int64]
    n_groups: int
    weight_unit: float

    @property
    def own_bins(self) -> Bins:
        """The bins of the columns other than the label."""
        return Bins(self.bins.features[:-1])

    def problem(self, max_leaves: int, max_depth: int, share: float) -> Problem:
        """Return the search problem, in which a leaf holds at least this share of the rows."""
        return Problem(
            backend=self.backend,
            space=self.space,
            bins=self.bins,
            features=self.features,
            n_segments=self.n_groups,
            max_leaves=max_leaves,
            max_depth=max_depth,
            min_weight=max(1, ceil((share - 1e-9) * self.space.total_weight)),
            n_workers=self.sample.n_workers,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _LabelledCoding(Coding):
    """Coding of raw rows with the group index of each row as the last code."""

    own: Bins
    places: Callable[[Table], NDArray[np.int64]]

    def code(self, table: Table) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return codes and points of a table."""
        columns = Table(table.columns[: len(self.own)], len(table), table.named)
        codes = np.column_stack([self.own.encode(columns), self.places(table).astype(np.uint8)])
        return np.ascontiguousarray(codes), np.empty((len(table), 0), dtype=np.float32)


def append_places(table: Table, partition: LabelPartition) -> Table:
    """Append a column with the group index of each row to a table."""
    names = _names(len(partition.groups))
    return Table((*table.columns, Column(_COLUMN, Kind.CATEGORY, partition.places, names)), len(table), table.named)


def read_places(table: Table) -> NDArray[np.int64]:
    """Return the group indices that `append_places` appended."""
    return np.asarray(table.columns[-1].values, dtype=np.int64)


def label_rows(
    rows: Backend,
    n_columns: int | None,
    n_groups: int,
    places: Callable[[Table], NDArray[np.int64]],
    *,
    max_bins: int,
    min_members: int,
    include: Sequence[str],
    forbid: Sequence[str],
    seed: int,
    n_jobs: int | None,
) -> LabelledRows:
    """Choose bins by sums, code rows and their groups, and draw the sample.

    Only the first `n_columns` columns are used, or all; `places` returns the group indices of a block of rows.
    """
    columns = learn_columns(
        rows,
        max_bins=max_bins,
        min_members=min_members,
        include=include,
        forbid=forbid,
        n_columns=n_columns,
    )
    bins = columns.bins
    kept_out = {columns.schema.index(name) for name in forbid}
    names = _names(n_groups)
    label = FeatureBins(Feature(_COLUMN, Kind.CATEGORY, names), np.empty(0), names)
    with_label, embedding = Bins((*bins.features, label)), _space_of_labels(len(bins), n_groups)
    coded = rows.encode(_LabelledCoding(with_label, embedding, bins, places))
    sample = coded.sum(RowSample(SAMPLE_CAPACITY, seed))
    can_cut = [one.n_codes > 1 or one.feature.has_missing for one in bins.features]
    allowed = [j for j, can in enumerate(can_cut) if can and j not in kept_out]
    return LabelledRows(
        backend=coded,
        bins=with_label,
        space=Space.from_embedding(embedding, columns.summary.total_weight),
        sample=sample.to_rows(count_workers(n_jobs)),
        whole=sample.is_everything,
        features=np.array(allowed, dtype=np.int64),
        n_groups=n_groups,
        weight_unit=rows.weight_unit,
    )


def _names(n_groups: int) -> tuple[str, ...]:
    return tuple(f"{place:03d}" for place in range(n_groups))


def _space_of_labels(column: int, n_groups: int) -> Embedding:
    """Return the space of the label alone, in which different labels are at distance 1."""
    vectors = np.zeros((N_CODES, n_groups))
    vectors[:n_groups] = np.eye(n_groups) / np.sqrt(2)
    nothing = np.empty(0)
    return Embedding(np.empty(0, dtype=np.int64), nothing, nothing, nothing, np.array([column]), (vectors,))


@dataclass(frozen=True, eq=False)
class LabelledInput:
    """Rows, the original model, and its groups; `places` returns the group indices of a block of rows."""

    rows: Backend
    n_columns: int | None
    original: OriginalModel
    partition: LabelPartition
    places: Callable[[Table], NDArray[np.int64]]


def label_table(
    estimator: Any, X: Any, table: Table, y: Any, sample_weight: Any, *, noise_label: Label, n_jobs: int | None
) -> LabelledInput:
    """Label a table by the original model, or by given labels."""
    original = make_original(estimator, X, y, len(table), sample_weight)
    partition = LabelPartition.from_labels(original.labels, len(table), noise_label)
    rows = MemoryBackend(append_places(table, partition), sample_weight, n_jobs=n_jobs)
    return LabelledInput(rows, len(table.columns), original, partition, read_places)


def label_backend(estimator: Any, rows: Backend, *, noise_label: Label) -> LabelledInput:
    """Label the rows of a backend by a fitted original model, block by block.

    Raises
    ------
    ParameterError
        The original is not fitted, or cannot predict.
    """
    if not can_predict(estimator):
        message = (
            f"estimator must be fitted and have predict where the rows come from a backend, got {estimator!r}; fit it "
            "on a sample first, or pass the table itself"
        )
        raise ParameterError(message)
    labels = predict_original(estimator, rows)
    partition = LabelPartition.from_labels(labels, len(labels), noise_label)
    places = partial(_find_places, estimator, partition.groups, noise_label)
    return LabelledInput(rows, None, OriginalModel.from_estimator(labels, estimator), partition, places)


def _find_places(estimator: Any, groups: Groups, noise_label: Label, table: Table) -> NDArray[np.int64]:
    """Return the group index of each row of a table by the original model."""
    return groups.find_places(predict_labels(estimator, to_frame(table)), noise_label)


def predict_original(estimator: Any, X: Any) -> NDArray[Any]:
    """Predict the labels of a table or backend by a fitted original model."""
    if isinstance(X, Backend):
        return X.map(partial(_predict_by_original, estimator))
    return predict_labels(estimator, X)


def _predict_by_original(estimator: Any, block: RawBlock) -> NDArray[Any]:
    return predict_labels(estimator, to_frame(block.table))
