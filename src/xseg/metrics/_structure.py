"""Whether there is anything in a table for segments to find."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from xseg.backends import MemoryBackend
from xseg.backends.coded import CodedRows
from xseg.core.embedding import Coding
from xseg.core.tables import Table, read_table
from xseg.exceptions import DataError, ParameterError
from xseg.segmenters._kmeans import kmeans
from xseg.segmenters._learning import Space, prepare

__all__ = ["Structure", "structure"]

_MAX_ROWS = 2_000
_RUNS = 2
_LEVEL = 0.02


@dataclass(frozen=True, slots=True)
class Structure:
    """Whether columns hang together in groups.

    Attributes
    ----------
    found : bool
        Whether `p_value` is at most 0.02.
    p_value : float
        The share of tables with unrelated columns, the given one counted among them, in which groups are as tight.
    tightness : float
        Cost of k-means on the table, over its mean on tables with the same columns, each shuffled on its own. 1 means
        that groups are no tighter than in a table whose columns have nothing to do with each other.
    n_permutations : int
        How many such tables were made.
    """

    found: bool
    p_value: float
    tightness: float
    n_permutations: int

    def __str__(self) -> str:
        """Return the finding as one sentence."""
        if self.found:
            return (
                f"Groups are {1 - self.tightness:.0%} tighter than in tables whose columns have nothing to do with "
                f"each other (p = {self.p_value:.2g})."
            )
        return (
            "No structure found: groups are no tighter than in tables whose columns have nothing to do with each "
            f"other (p = {self.p_value:.2g})."
        )


def structure(
    X: Any, n_segments: int, *, scaling: str = "standard", n_permutations: int = 49, random_state: Any = None
) -> Structure:
    """Test whether the columns of a table hang together in groups.

    The groups of k-means are compared with those in copies of the table in which every column is shuffled on its own:
    each keeps its values, and what columns have to do with each other is gone. Where columns are unrelated the table is
    one of these copies, so the test is exact whatever the columns look like.

    Parameters
    ----------
    X : table or array of shape (n_rows, n_features)
        The people; at most 2,000 are drawn.
    n_segments : int
        How many groups to look for, at least 2.
    scaling : {"standard", "robust", "quantile", "none"}, default="standard"
        The metric space.
    n_permutations : int, default=49
        How many copies to make; with fewer than 49 nothing is ever found.
    random_state : int, RandomState instance or None, default=None
        Draws people, shuffles columns, and starts k-means.

    Returns
    -------
    Structure
        The answer; as text, a sentence.

    Raises
    ------
    ParameterError
        There are fewer than two groups to look for, or no copies.
    DataError, SchemaError, ColumnTypeError
        The rows cannot be used.

    Notes
    -----
    The test asks about columns together. Groups that show in a single column (two heights, say) stay in every copy and
    are not seen by it.

    References
    ----------
    Good, "Permutation, parametric and bootstrap tests of hypotheses", 2005.
    Tibshirani, Walther and Hastie, "Estimating the number of clusters in a data set via the gap statistic", 2001.

    Examples
    --------
    >>> import numpy as np, xseg
    >>> noise = np.random.default_rng(0).normal(size=(200, 4))
    >>> xseg.metrics.structure(noise, 3, random_state=0).found
    False
    >>> xseg.metrics.structure(xseg.make_customers(400, random_state=0), 3, random_state=0).found
    True
    """
    if n_segments < 2 or n_permutations < 1:
        message = f"look for 2 groups or more in 1 copy or more, not for {n_segments} in {n_permutations}"
        raise ParameterError(message)
    random = check_random_state(random_state)
    seed = int(random.randint(np.iinfo(np.int32).max))
    table = _some_rows(read_table(X), random)
    if len(table) <= n_segments:
        message = f"{len(table)} rows are too few to look for {n_segments} groups in"
        raise DataError(message)
    prepared = prepare(
        MemoryBackend(table),
        max_bins=255,
        scaling=scaling,
        feature_weights=None,
        forbid=(),
        seed=seed,
        n_jobs=None,
        # Of a table that was read before, as by a report, the fit has warned already.
        warns=not isinstance(X, Table),
    )
    embedding = prepared.space.embedding
    codes, points = Coding(prepared.bins, embedding).code(table)
    space = Space.of(embedding, len(table))

    def cost(codes: NDArray[np.uint8], points: NDArray[np.float32]) -> float:
        rows = CodedRows(codes, points, np.ones(len(codes), dtype=np.int64), len(codes), 1)
        return kmeans(rows, space, rows, whole=True, n_clusters=n_segments, n_init=_RUNS, seed=seed).cost

    own = cost(codes, points)
    shuffled = np.array([cost(_shuffled(codes, random), _shuffled(points, random)) for _ in range(n_permutations)])
    p_value = (1 + int((shuffled <= own).sum())) / (1 + n_permutations)
    usual = float(shuffled.mean())
    return Structure(p_value <= _LEVEL, p_value, own / usual if usual > 0 else 1.0, n_permutations)


def _some_rows(table: Table, random: np.random.RandomState) -> Table:
    if len(table) <= _MAX_ROWS:
        return table
    return table.take(np.sort(random.choice(len(table), _MAX_ROWS, replace=False)))


def _shuffled(columns: NDArray[Any], random: np.random.RandomState) -> NDArray[Any]:
    """Shuffle every column on its own."""
    order = np.argsort(random.random_sample(columns.shape), axis=0)
    return np.ascontiguousarray(np.take_along_axis(columns, order, axis=0))
