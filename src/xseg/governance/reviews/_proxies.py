"""Whether columns that are used, or the segments themselves, stand in for sensitive ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xseg.core.tables import Column
from xseg.governance.reviews._findings import Found
from xseg.governance.reviews._subject import HeldOut, Subject

__all__ = ["Association", "associations", "grouped", "proxies"]

_ALPHA: Final = 0.05
_MIN_STRENGTH: Final = 0.1
_STRONG: Final = 0.5
_MAX_GROUPS: Final = 8
_BATCH: Final = 64
_SEGMENT: Final = "segment"


@dataclass(frozen=True, slots=True)
class Association:
    """How strongly one column goes with a sensitive one.

    Attributes
    ----------
    name : str
        The column, or ``"segment"``.
    strength : float
        Cramér's V, 0 to 1, corrected for its bias.
    p_value : float
        How often the strongest of all columns would look this strong by chance (max-T over permutations).
    """

    name: str
    strength: float
    p_value: float


def proxies(subject: Subject) -> Iterator[Found]:
    """Test every used column and the segments against every sensitive column, on people who made no segments."""
    unseen = subject.unseen
    if unseen is None:
        return
    for name, column in subject.sensitive.items():
        others = [other for other in subject.used if other != name]
        for found in _of_column(subject, unseen, name, others):
            # The segments stand for a column they ask about; that is another finding.
            if name in subject.used and found.name == _SEGMENT:
                continue
            p = min(1.0, found.p_value * len(subject.sensitive))
            if p <= _ALPHA and found.strength >= _MIN_STRENGTH:
                yield _proxy(subject, unseen, column.name, found, p)


def _proxy(subject: Subject, unseen: HeldOut, sensitive: str, found: Association, p: float) -> Found:
    evidence = {
        "sensitive": sensitive,
        "strength": round(found.strength, 4),
        "p_value": round(p, 6),
        "permutations": subject.n_permutations,
        "people": len(unseen.rows),
        "how": unseen.how,
    }
    is_segment = found.name == _SEGMENT
    what = "The segment somebody is in" if is_segment else subject.label(found.name)
    message = f"{what} goes with {subject.label(sensitive)}: Cramér's V is {found.strength:.2f}, p = {p:.2g}."
    mend = "look at what follows from being in a segment" if is_segment else f"fit with forbid=[{found.name!r}]"
    where = f"segments and {sensitive}" if is_segment else f"features.{found.name} and {sensitive}"
    return Found("error" if found.strength >= _STRONG else "warning", where, message, mend, evidence)


def _of_column(subject: Subject, unseen: HeldOut, sensitive: str, others: Sequence[str]) -> list[Association]:
    columns = {column.name: column for column in unseen.rows.columns}
    groups = grouped(columns[sensitive], missing=-1)
    known = groups >= 0
    if len(np.unique(groups[known])) < 2:
        return []
    candidates = {name: grouped(columns[name])[known] for name in others}
    candidates[_SEGMENT] = np.asarray(unseen.labels, dtype=np.int64)[known]
    return associations(candidates, groups[known], n_permutations=subject.n_permutations, seed=subject.seed)


def grouped(column: Column, missing: int = _MAX_GROUPS) -> NDArray[np.int64]:
    """Group a column's values into at most eight groups: equally large ones of numbers, the commonest categories."""
    values = np.asarray(column.values)
    if not column.kind.is_numeric:
        counts = np.bincount(values[values >= 0], minlength=1)
        place = np.full(len(counts), _MAX_GROUPS - 1)
        order = np.argsort(-counts, kind="stable")[: _MAX_GROUPS - 1]
        place[order] = np.arange(len(order))
        return np.where(values >= 0, place[np.maximum(values, 0)], missing)
    numbers = values.astype(np.float64)
    known = ~np.isnan(numbers)
    inner = np.linspace(0, 1, _MAX_GROUPS + 1)[1:-1]
    cuts = np.unique(np.quantile(numbers[known], inner)) if known.any() else np.empty(0)
    return np.where(known, np.searchsorted(cuts, numbers, side="left"), missing)


def associations(
    candidates: dict[str, NDArray[np.int64]], groups: NDArray[np.int64], *, n_permutations: int, seed: int
) -> list[Association]:
    """Measure how strongly columns go with groups, and how likely that is by chance.

    The groups are shuffled. Each column's statistic is chi-squared, in units of its own spread over the shuffles, so
    that columns of many and of few values compare; a column's p-value counts the shuffles in which the largest of all
    is as large as its own. That holds the chance of any false find, whatever the columns have to do with each other.

    Parameters
    ----------
    candidates : dict of str to ndarray of shape (n_rows,)
        Groups of each column's values, from 0.
    groups : ndarray of shape (n_rows,)
        The groups to compare with.
    n_permutations : int
        How many shuffles.
    seed : int
        Seeds them.

    Returns
    -------
    list of Association
        One for each candidate.

    References
    ----------
    Westfall and Young, "Resampling-based multiple testing", Wiley, 1993.
    Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical Society, 2013.
    """
    indicators = [_indicators(values) for values in candidates.values()]
    starts = np.cumsum([0, *(part.shape[1] for part in indicators)])[:-1]
    table = np.hstack(indicators).T.copy()
    wanted = _indicators(groups)
    expected = table.sum(axis=1, keepdims=True) * wanted.sum(axis=0) / len(groups)
    random = np.random.default_rng(seed)
    statistics = [_chi_squared((table @ wanted)[:, None], expected, starts)]
    for first in range(0, n_permutations, _BATCH):
        rows = np.tile(groups, (min(_BATCH, n_permutations - first), 1))
        shuffled = random.permuted(rows, axis=1).T[:, :, None] == np.unique(groups)
        counts = table @ shuffled.reshape(len(groups), -1).astype(np.float32)
        statistics.append(_chi_squared(counts.reshape(len(table), len(rows), -1), expected, starts))
    pool = np.hstack(statistics)
    spread = pool.std(axis=1, keepdims=True)
    scaled = (pool - pool.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    largest = scaled.max(axis=0)
    return [
        Association(
            name,
            _cramer(float(pool[place, 0]), len(groups), indicators[place].shape[1], wanted.shape[1]),
            float((largest >= scaled[place, 0] - 1e-9).mean()),
        )
        for place, name in enumerate(candidates)
    ]


def _indicators(groups: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.asarray(groups[:, None] == np.unique(groups), dtype=np.float32)


def _chi_squared(counts: NDArray[Any], expected: NDArray[Any], starts: NDArray[Any]) -> NDArray[np.float64]:
    """Return the statistics of columns in shuffles, from counts of shape (n_values, n_shuffles, n_groups)."""
    cells = np.einsum("vkg,vg->vk", counts.astype(np.float64) ** 2, 1 / expected.astype(np.float64))
    return np.asarray(np.add.reduceat(cells, starts, axis=0) - expected.sum() / len(starts))


def _cramer(chi_squared: float, n: int, n_values: int, n_groups: int) -> float:
    r, k = (m - (m - 1) ** 2 / (n - 1) for m in (n_values, n_groups))
    if min(r, k) <= 1:
        return 0.0
    excess = max(0.0, chi_squared / n - (n_values - 1) * (n_groups - 1) / (n - 1))
    return float(min(1.0, np.sqrt(excess / (min(r, k) - 1))))
