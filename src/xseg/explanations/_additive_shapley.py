"""Exact Shapley values of scores that are sums over features.

The value function is interventional over the whole background, ``v(S) = E_z f(x_S, z_rest)``. Where f is
``bias + sum_f g_f(x_f)``, knowing a feature changes v by the same amount in every coalition, ``g_f(x_f) - E g_f(X_f)``,
which therefore is its Shapley value. Features derived from one raw column are one player, and their values add up.
"""

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg._kernels.score_kernels import explain_margins, explain_scores
from xseg.core.additive import AdditiveModel, PartSums, Population
from xseg.core.statistics import CodedBlock
from xseg.core.tables import Table, read_table
from xseg.exceptions import DataError
from xseg.explanations._explainer import NO_RIVAL, Contributions, run_in_chunks

__all__ = ["AdditiveExplainer", "CoalitionRows", "compute_population", "match_fit_container"]


class AdditiveExplainer:
    """Explains rows.

    Parameters
    ----------
    model : AdditiveModel
        The scores.
    background : Population
        Background rows of the Shapley values.
    players : ndarray of shape (n_features,)
        The raw column each feature was derived from.
    n_columns : int
        Number of raw columns.
    """

    def __init__(
        self, model: AdditiveModel, background: Population, players: NDArray[np.int64], n_columns: int
    ) -> None:
        scores = model.scores
        self.model = model
        self.means = background.means
        self.n_columns = n_columns
        self.players = players[scores.used]
        self._parts = (scores.embedding.coordinates, scores.embedding.looked_up, scores.curves, scores.tables)

    def base_values(self) -> NDArray[np.float64]:
        """Return the mean score of the background in each segment, shape (n_segments,)."""
        return np.asarray(self.model.scores.bias + self.means.sum(axis=0))

    def explain_targets(self, table: Table, targets: NDArray[np.int64] | None, n_workers: int) -> Contributions:
        """Explain the score of one segment for each row; by default the margin of its own over the runner-up."""
        out = np.empty((len(table), self.n_columns))
        own = np.empty(len(table), dtype=np.int64) if targets is None else targets
        rivals = np.full(len(table), NO_RIVAL, dtype=np.int64)
        scores = self.model.scores

        def work(rows: slice) -> None:
            codes, points = self.model.code(table.rows(rows.start, rows.stop))
            if targets is None:
                own[rows], rivals[rows] = self.model.two_best(scores.compute(codes, points))
            explain_margins(points, codes, *self._parts, self.means, self.players, own[rows], rivals[rows], out[rows])

        run_in_chunks(work, len(table), n_workers)
        base = self.base_values()
        return Contributions(out, own, rivals, base[own] - np.where(rivals == NO_RIVAL, 0.0, base[rivals]))

    def explain_pairs(
        self, table: Table, first: NDArray[np.int64], second: NDArray[np.int64], n_workers: int
    ) -> Contributions:
        """Explain the score of one segment less that of another for each row."""
        out = np.empty((len(table), self.n_columns))

        def work(rows: slice) -> None:
            codes, points = self.model.code(table.rows(rows.start, rows.stop))
            explain_margins(points, codes, *self._parts, self.means, self.players, first[rows], second[rows], out[rows])

        run_in_chunks(work, len(table), n_workers)
        base = self.base_values()
        return Contributions(out, first, second, base[first] - base[second])

    def explain_own(self, codes: NDArray[np.uint8], points: NDArray[np.float32]) -> tuple[list[float], int, int]:
        """Explain the margin of one coded row: contributions, its own segment and the runner-up."""
        out = np.empty((1, self.n_columns))
        own, rivals = self.model.two_best(self.model.scores.compute(codes, points))
        explain_margins(points, codes, *self._parts, self.means, self.players, own, rivals, out)
        return out[0].tolist(), int(own[0]), int(rivals[0])

    def explain_all(self, table: Table, n_workers: int) -> NDArray[np.float64]:
        """Explain the score of every segment, shape (n_rows, n_columns, n_segments)."""
        out = np.empty((len(table), self.n_columns, self.model.n_segments))

        def work(rows: slice) -> None:
            codes, points = self.model.code(table.rows(rows.start, rows.stop))
            explain_scores(points, codes, *self._parts, self.means, self.players, out[rows])

        run_in_chunks(work, len(table), n_workers)
        return out


def compute_population(model: AdditiveModel, table: Table, weights: NDArray[np.int64]) -> Population:
    """Add the parts of the scores over the rows of a table."""
    codes, points = model.code(table)
    bound = np.abs(points).max(axis=0, initial=0.0).astype(np.float64)
    sums = PartSums(model.scores, int(weights.sum()), bound)
    sums.add(CodedBlock(codes, points, weights))
    return sums.population()


class CoalitionRows:
    """Makes such rows, in the container that the model knows.

    Parameters
    ----------
    X : table or array of shape (n_rows, n_features)
        The rows to explain.
    background : table or array of shape (n_background, n_features)
        Background rows of the Shapley values; of the same kind.
    """

    def __init__(self, X: Any, background: Any) -> None:
        self.n_rows, self.n_features = X.shape
        self._take = _taker(X, background)

    def build(self, row: int, known: NDArray[np.bool_], background: NDArray[np.intp]) -> Any:
        """Return the blends of a row, all background rows for each coalition.

        Parameters
        ----------
        row : int
            Whose values are known.
        known : ndarray of shape (n_coalitions, n_features)
            Which ones.
        background : ndarray of shape (n_background,)
            The background rows that fill in the others.

        Returns
        -------
        table or array of shape (n_coalitions * n_background, n_features)
            The blends.
        """
        source = np.where(known[:, None, :], row, self.n_rows + background[None, :, None])
        return self._take(source.reshape(-1, known.shape[1]))


def match_fit_container(model: Any, X: Any, what: str) -> Any:
    """Return rows as the model knows them: with column names if it was fitted with names, without if not."""
    table = read_table(X)
    names = getattr(model, "feature_names_in_", None)
    n_features = getattr(model, "n_features_in_", len(table.columns))
    if len(table.columns) != n_features and not table.named:
        message = f"{what} has {len(table.columns)} columns, and {type(model).__name__} was fitted on {n_features}"
        raise DataError(message)
    if table.named == (names is not None) or not hasattr(model, "n_features_in_"):
        return X if hasattr(X, "shape") or table.named else np.asarray(X)
    if names is not None:
        return pd.DataFrame(np.asarray(X), columns=names)
    return np.asarray(X) if hasattr(X, "__array__") else nw.from_native(X, eager_only=True).to_numpy()


def _taker(X: Any, background: Any) -> Callable[[NDArray[np.intp]], Any]:
    """Return a function from the row each value comes from to a table; background rows come after the others."""
    if isinstance(X, np.ndarray) and isinstance(background, np.ndarray) and X.shape[1:] == background.shape[1:]:
        both = np.concatenate([X, background])
        columns = np.arange(both.shape[1])
        return lambda source: both[source, columns]
    if isinstance(X, pd.DataFrame) and isinstance(background, pd.DataFrame):
        return _pandas_taker(X, background)
    try:
        names = list(X.columns if hasattr(X, "columns") else X.column_names)
        frame = nw.from_native(X, eager_only=True).select(names)
        joined = nw.concat([frame, nw.from_native(background, eager_only=True).select(names)])
    except Exception as error:
        raise _unlike(X, background, str(error)) from error
    series = [joined[name] for name in joined.columns]
    return lambda source: nw.from_dict(
        {column.name: column[source[:, j]] for j, column in enumerate(series)}
    ).to_native()


def _pandas_taker(X: pd.DataFrame, background: pd.DataFrame) -> Callable[[NDArray[np.intp]], Any]:
    lacking = [name for name in X.columns if name not in background.columns]
    if lacking:
        raise _unlike(X, background, f"it lacks {', '.join(map(repr, lacking))}")
    both = pd.concat([X, background[list(X.columns)]], ignore_index=True)
    columns = {name: both[name].array for name in both.columns}
    return lambda source: pd.DataFrame(
        {name: values.take(source[:, j]) for j, (name, values) in enumerate(columns.items())}
    )


def _unlike(X: Any, background: Any, why: str) -> DataError:
    kinds = f"{type(X).__name__} and {type(background).__name__}"
    return DataError(f"the background does not have the columns of the rows ({kinds}): {why}")
