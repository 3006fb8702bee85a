"""From rows, wherever they are, to codes in a metric space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xseg.backends.base import Backend, CodedBackend
from xseg.backends.coded import CodedRows
from xseg.backends.workers import count_workers
from xseg.core.bins import Bins
from xseg.core.embedding import Coding
from xseg.core.scaling import choose_embedding
from xseg.core.schema import Schema
from xseg.exceptions import ParameterError
from xseg.segmenters._learning.columns import MIN_MEMBERS, learn_columns, names_given
from xseg.segmenters._learning.sample import RowSample
from xseg.segmenters._learning.space import Space

__all__ = ["Prepared", "prepare"]

SAMPLE_CAPACITY = 32_768


@dataclass(frozen=True, eq=False)
class Prepared:
    """Coded rows, a sample of them, and the space they lie in.

    `features` are those that cuts may use; `whole` says that the sample holds every distinct row.
    """

    bins: Bins
    space: Space
    backend: CodedBackend
    sample: CodedRows
    whole: bool
    features: NDArray[np.int64]
    n_rows: int


def prepare(
    backend: Backend,
    *,
    max_bins: int,
    round_thresholds: bool = True,
    scaling: str,
    feature_weights: Mapping[str, float] | ArrayLike | None,
    forbid: Sequence[str],
    seed: int,
    n_jobs: int | None,
    power: int = 2,
    include: Sequence[str] = (),
    min_members: int = MIN_MEMBERS,
    warns: bool = True,
) -> Prepared:
    """Choose columns, bins and metric space by sums, code the rows, and draw the sample."""
    columns = learn_columns(
        backend,
        max_bins=max_bins,
        min_members=min_members,
        include=include,
        asked=names_given(feature_weights),
        forbid=forbid,
        round_thresholds=round_thresholds,
        warns=warns,
    )
    summary, schema, bins = columns.summary, columns.schema, columns.bins
    weights = feature_weights_of(feature_weights, forbid, schema)
    min_weight = max(1, round(min_members * backend.weight_unit))
    embedding = choose_embedding(summary, bins, scaling, weights, columns.backend.sum, power, min_weight)
    coded = columns.backend.encode(Coding(bins, embedding))
    sample = coded.sum(RowSample(SAMPLE_CAPACITY, seed))
    can_cut = [feature.n_codes > 1 or feature.feature.has_missing for feature in bins.features]
    allowed = [name not in set(forbid) for name in schema.names]
    return Prepared(
        bins=bins,
        space=Space.of(embedding, summary.total_weight),
        backend=coded,
        sample=sample.coded(count_workers(n_jobs)),
        whole=sample.is_everything,
        features=np.flatnonzero(np.array(can_cut) & np.array(allowed)).astype(np.int64),
        n_rows=summary.n_rows,
    )


def feature_weights_of(
    given: Mapping[str, float] | ArrayLike | None, forbid: Sequence[str], schema: Schema
) -> NDArray[np.float64]:
    """Return the weight of each feature in a distance; forbidden features weigh nothing."""
    if given is None:
        weights = np.ones(len(schema))
    elif isinstance(given, Mapping):
        weights = np.ones(len(schema))
        for name, weight in given.items():
            weights[schema.index(name)] = weight
    else:
        weights = np.array(given, dtype=np.float64)
    if weights.shape != (len(schema),) or not np.isfinite(weights).all() or (weights < 0).any():
        message = (
            f"feature_weights must hold {len(schema)} finite numbers that are not negative, one for each column, "
            f"or be a dict of them by name; got {given!r}"
        )
        raise ParameterError(message)
    for name in forbid:
        weights[schema.index(name)] = 0.0
    weights[[not feature.kind.has_values for feature in schema]] = 0.0
    if not weights.any():
        message = "every feature is forbidden or has weight 0; leave at least one to measure likeness by"
        raise ParameterError(message)
    return weights
