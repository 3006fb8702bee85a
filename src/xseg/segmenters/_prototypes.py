"""Segments around prototypes, and the summary that is shown as a prototype.

A prototype shows the middle of the rows nearest to its centre, never one of the rows.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from xseg._kernels.center_kernels import add_code_counts
from xseg._kernels.encode_kernels import N_CELLS, add_to_cells
from xseg._sklearn import Interval, StrOptions, select_rows
from xseg.backends import Backend
from xseg.backends.base import CodedBackend
from xseg.core.additive import AdditiveModel, Scores
from xseg.core.bins import N_CODES, Bins, FeatureBins
from xseg.core.embedding import SCALINGS
from xseg.core.numbers import NumberSummary, cell_keys, find_roundest
from xseg.core.schema import Kind
from xseg.core.segments import SegmentProfile
from xseg.core.statistics import CodedBlock, RawBlock, RowTotal, fixed_unit
from xseg.core.tables import Table
from xseg.exceptions import DefinitionError
from xseg.policy import Policy
from xseg.segmenters._additive_segmenter import AdditiveSegmenter, AdditiveState
from xseg.segmenters._base import complete_fit, register_segmenter
from xseg.segmenters._learning import Prepared
from xseg.segmenters._protocols import FittedSegmenter
from xseg.segmenters._prototype_search import (
    METRICS,
    Levels,
    NearestCounts,
    PrototypePositions,
    PrototypeSolution,
    PrototypeSpace,
    converge,
    search_prototypes,
)
from xseg.segmenters._saved_state import Count, Finite, SegmentsState, check

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PrototypeSegmenter", "core_counts", "typical_values"]


_CORE_SHARE = 0.5


class _DistanceCells:
    """A statistic: how far from their own centre the rows of each segment are, in cells of 0.8 % relative width."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        self.counts = np.zeros((len(scores), N_CELLS), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(self.scores)

    def add(self, block: CodedBlock) -> None:
        labels, keys = _nearest_cells(self.scores, block)
        add_to_cells(self.counts.reshape(-1), labels * N_CELLS + keys, block.weights)

    def merge(self, other: Self) -> None:
        self.counts += other.counts


class _CoreCounts:
    """A statistic: counts of codes among the rows of each segment within a radius of its centre."""

    def __init__(self, scores: Scores, n_features: int, last_cells: NDArray[np.int64]) -> None:
        self.scores = scores
        self.last_cells = last_cells
        self.counts = np.zeros((len(scores), n_features, N_CODES), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(self.scores, self.counts.shape[1], self.last_cells)

    def add(self, block: CodedBlock) -> None:
        labels, keys = _nearest_cells(self.scores, block)
        near = np.where(keys <= self.last_cells[labels], block.weights, 0)
        add_code_counts(block.codes, labels, near, self.counts)

    def merge(self, other: Self) -> None:
        self.counts += other.counts


class _CodeMeans:
    """A statistic over raw rows: the mean value of the rows that have each code of some features, in raw units."""

    def __init__(self, bins: Bins, numbers: Mapping[int, NumberSummary], total_weight: int) -> None:
        self._arguments = (bins, numbers, total_weight)
        self.bins = bins
        self.features = list(numbers)
        self.middle = np.array([column.low / 2 + column.high / 2 for column in numbers.values()])
        halves = [max(column.high / 2 - column.low / 2, 1e-300) for column in numbers.values()]
        self.units = np.array([fixed_unit(half, total_weight) for half in halves])
        self.sums = np.zeros((len(numbers), N_CODES), dtype=np.int64)
        self.counts = np.zeros_like(self.sums)

    def empty(self) -> Self:
        return type(self)(*self._arguments)

    def add(self, block: RawBlock) -> None:
        if not self.features:
            return
        table = self.bins.read(block.table)
        codes = self.bins.encode(table)
        for place, j in enumerate(self.features):
            offsets = np.nan_to_num(table.columns[j].numbers() - self.middle[place])
            fixed = np.rint(offsets * self.units[place]).astype(np.int64)
            np.add.at(self.sums[place], codes[:, j], fixed * block.weights)
            np.add.at(self.counts[place], codes[:, j], block.weights)

    def merge(self, other: Self) -> None:
        self.sums += other.sums
        self.counts += other.counts

    def means(self) -> dict[int, NDArray[np.float64]]:
        """Return the means by feature; NaN for codes that no row has."""
        with np.errstate(invalid="ignore"):
            offsets = self.sums / self.units[:, None] / np.where(self.counts, self.counts, np.nan)
        return dict(zip(self.features, offsets + self.middle[:, None], strict=True))


def _nearest_cells(scores: Scores, block: CodedBlock) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    values = scores.compute(block.codes, block.points)
    labels = values.argmax(axis=1)
    # Distances are never negative, but rounding may leave minus nothing.
    distances = np.maximum(-values[np.arange(len(labels)), labels], 0.0)
    return labels, cell_keys(distances).astype(np.int64)


def core_counts(backend: CodedBackend, scores: Scores, n_features: int, min_weight: int) -> NDArray[np.int64]:
    """Count the codes of the nearer half of each segment's rows, and of at least `min_weight` of them.

    Returns
    -------
    ndarray of shape (n_segments, n_features, 256)
        The counts.
    """
    reached = np.cumsum(backend.sum(_DistanceCells(scores)).counts, axis=1)
    total = reached[:, -1]
    needed = np.minimum(np.maximum(np.ceil(_CORE_SHARE * total).astype(np.int64), min_weight), total)
    last_cells = (reached >= needed[:, None]).argmax(axis=1)
    return backend.sum(_CoreCounts(scores, n_features, last_cells)).counts


def typical_values(core: SegmentProfile, levels: Mapping[int, NDArray[np.float64]]) -> list[list[Any]]:
    """Return the middle or commonest value of each feature among the rows counted, one list for each segment.

    Parameters
    ----------
    core : SegmentProfile
        Counts of the rows to summarise.
    levels : mapping of int to ndarray of shape (256,)
        For the features that are coordinates, the mean of all rows with each code, in raw units.
    """
    return [
        [_value(bins, core.typical(j, segment), levels.get(j)) for j, bins in enumerate(core.bins.features)]
        for segment in range(len(core.counts))
    ]


def _value(bins: FeatureBins, code: int, levels: NDArray[np.float64] | None) -> Any:
    kind = bins.feature.kind
    if code >= bins.n_codes or kind is Kind.EMPTY:
        return None
    if not kind.is_numeric:
        return bins.categories[code]
    if kind is Kind.BOOLEAN:
        return bool(code) if bins.n_codes > 1 else None
    return _round_number(bins, code, None if levels is None else float(levels[code]))


def _round_number(bins: FeatureBins, code: int, level: float | None) -> float | None:
    """Return the roundest number near the middle of a code: one that no row need have."""
    lower = float(bins.thresholds[code - 1]) if code else None
    upper = float(bins.thresholds[code]) if code < len(bins.thresholds) else None
    if lower is None and upper is None:
        return level
    if level is None:
        level = _find_value_inside(bins, lower, upper)
    low = 2 * level - upper if lower is None and upper is not None else lower
    high = 2 * level - lower if upper is None and lower is not None else upper
    assert low is not None
    assert high is not None
    quarter = (high - low) / 4
    start, stop = max(low, level - quarter), min(high, level + quarter)
    return (
        find_roundest(float(np.nextafter(start, -np.inf)), float(np.nextafter(stop, -np.inf)))
        if stop > start
        else level
    )


def _find_value_inside(bins: FeatureBins, lower: float | None, upper: float | None) -> float:
    if lower is not None:
        return lower
    assert upper is not None
    return float(np.ceil(upper) - 1) if bins.feature.integral else upper


class PrototypeState(AdditiveState):
    """The state of a fitted `PrototypeSegmenter`."""

    prototypes: list[list[bool | Finite | str | None]]
    prototype_sizes: list[Finite]
    cost: Finite
    n_iter: Count


@register_segmenter
class PrototypeSegmenter(AdditiveSegmenter):
    """Segmenter that assigns each row to the nearest prototype.

    A prototype is a typical value of every feature, and a row belongs to the nearest one; the distance is a sum
    over features, so what each feature has to do with it is exact. Results do not depend on the order of the rows, the
    number of threads, or where the rows are.

    Parameters
    ----------
    n_segments : int or "auto", default=5
        Number of segments. "auto" chooses 1 to 10 by what mixtures of so many components tell of the rows beyond
        what they tell of rows without groups; 1 means that no structure was found. `selection_` says why.
    metric : {"manhattan", "gower", "squared"}, default="manhattan"
        How differences add up. "manhattan" adds differences of numbers, scaled by `scaling`, and of places of ordered
        categories, scaled by their standard deviation, and 1 where categories or booleans differ. "gower" takes
        differences of numbers as a share of the range (without the ends of it that fewer than `min_members` rows
        reach) and of ordered categories as a share of the order instead. "squared" adds squared differences. Centres
        are medians and commonest categories, or with "squared" means of numbers.
    min_members : int, default=10
        Minimum number of rows (or sample weight) of a segment, and of the rows that a prototype summarises.
    scaling : {"standard", "robust", "quantile", "none"}, default="standard"
        Scaling of numeric features, unless the metric is "gower".
    feature_weights : dict or array-like of shape (n_features,), default=None
        Weights of the features in the distance; a dict names those that differ from 1.
    n_init : int, default=10
        Number of initialisations; the best result is kept.
    max_iter : int, default=100
        Maximum number of iterations.
    max_bins : int, default=255
        Maximum number of bins per feature.
    segment_names : sequence of str, default=None
        Names to use, largest segment first; None proposes names. Fitted again, another segment may be the largest:
        ``fit(X, align_to=earlier)`` keeps names with their rows.
    forbid : sequence of str, default=()
        Columns excluded from the distance.
    include : sequence of str, default=()
        Columns to use although they look like identifiers; a warning names those. Other identifiers are accepted in
        every table, and neither used nor stored.
    random_state : int, RandomState instance or None, default=None
        Controls the random initialisation. Pass an int for reproducible results.
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
    selection_ : tuple of NumberChoice
        With ``n_segments="auto"``: each number that was weighed, and its score.
    prototypes_ : pandas.DataFrame of shape (n_segments, n_features)
        The middle or commonest value of each feature among the nearer half of a segment's rows, and among at least
        `min_members` of them: a summary, and no row. Numbers are rounded.
    prototype_sizes_ : ndarray of shape (n_segments,)
        Number of rows each of them summarises.
    cost_ : float
        Summed distance of the rows to their nearest centre.
    n_iter_ : int
        Number of iterations of the last run over all rows.
    profile_ : SegmentProfile
        Counts of the values of each feature by segment.
    model_ : AdditiveModel
        The fitted model, as explanations use it; a score is minus the distance.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if they are strings.

    Notes
    -----
    A value that is not known, of a row, has no part in its distance to any centre. Gower's coefficient divides a
    distance by the weight of the features known of both; as centres have all values, that divisor is the same for all
    centres, so the nearest centre is Gower's. In `cost_`, and so in where centres move, rows weigh by how much is
    known of them.

    References
    ----------
    Gower, "A general coefficient of similarity and some of its properties", Biometrics 27, 1971.
    Huang, "Extensions to the k-means algorithm for clustering large data sets with categorical values", 1998.
    Lattanzi and Sohler, "A better k-means++ algorithm via local search", ICML 2019.
    Schubert and Rousseeuw, "Fast and eager k-medoids clustering", Information Systems 101, 2021.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.PrototypeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> segmenter.prototypes_.shape
    (3, 12)
    >>> bool(segmenter.prototype_sizes_.min() >= 10)
    True
    """

    saved_state: ClassVar[type[SegmentsState]] = PrototypeState

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_segments": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "metric": [StrOptions(set(METRICS))],
        "min_members": [Interval(Integral, 1, None, closed="left")],
        "scaling": [StrOptions(set(SCALINGS))],
        "feature_weights": [None, dict, "array-like"],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_bins": [Interval(Integral, 2, 255, closed="both")],
        "segment_names": [None, "array-like"],
        "forbid": ["array-like", tuple],
        "include": ["array-like", tuple],
        "random_state": ["random_state"],
        "n_jobs": [None, Integral],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_segments: int | str = 5,
        *,
        metric: str = "manhattan",
        min_members: int = 10,
        scaling: str = "standard",
        feature_weights: Mapping[str, float] | ArrayLike | None = None,
        n_init: int = 10,
        max_iter: int = 100,
        max_bins: int = 255,
        segment_names: Sequence[str] | None = None,
        forbid: Sequence[str] = (),
        include: Sequence[str] = (),
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_segments = n_segments
        self.metric = metric
        self.min_members = min_members
        self.scaling = scaling
        self.feature_weights = feature_weights
        self.n_init = n_init
        self.max_iter = max_iter
        self.max_bins = max_bins
        self.segment_names = segment_names
        self.forbid = forbid
        self.include = include
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
        PrototypeSegmenter
            The fitted segmenter.

        Raises
        ------
        ParameterError
            A parameter is not allowed.
        DataError
            The rows cannot be segmented, or are fewer than `min_members`.
        """
        del y
        self._begin_fit()
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        backend = self._backend(X, sample_weight, reset=True)
        power = METRICS[self.metric]
        scaling = "range" if self.metric == "gower" else self.scaling
        prepared = self._prepare(
            X, backend, scaling=scaling, feature_weights=self.feature_weights, seed=seed, power=power
        )
        min_weight = self._min_weight(backend)
        spaced = prepared
        if isinstance(self.n_segments, str) and scaling != "standard":
            weights = self.feature_weights
            spaced = self._prepare(X, backend, scaling="standard", feature_weights=weights, seed=seed, warns=False)
        wanted = self._number_of_segments(spaced, min_weight, backend.weight_unit, seed)
        self._report("coded %s rows in %d columns", f"{prepared.n_rows:,}", len(prepared.bins))
        space = _make_space(prepared, squared=power == 2)
        found = self._search(prepared, space, wanted, min_weight, seed)
        self._warn_of_fewer(wanted, len(found.centres))
        self._report("%d centres cost %.6g", len(found.centres), found.cost)
        self.cost_, self.n_iter_ = found.cost / backend.weight_unit, found.n_rounds
        self._learn(prepared, space.scores(found.centres), backend, align_to)
        self._summarise(prepared, space, min_weight, backend)
        self._report_passes(backend)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the distance of each row to each centre, in the metric: with "squared", the squared distance.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_rows, n_segments)
            Distances.
        """
        return np.maximum(-self._compute_scores(X), 0.0)

    def score(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Return minus the summed distance of the rows to their nearest centre.

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
        """
        del y
        self._check_fitted()
        backend = self._backend(X, sample_weight)
        return backend.sum(RowTotal(partial(_highest_scores, self.model_))).total / backend.weight_unit

    def representatives(self, X: Any, *, policy: Any = None) -> Any:
        """Return the row of `X` nearest to each centre: real rows, for those who may see them.

        The segmenter itself holds no row; `prototypes_` are summaries. A policy that is given has the last word, and
        forbids it unless it says ``real_people: true``.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_features)
            The rows to choose from.
        policy : Policy, path, mapping or None, default=None
            What may be shown. None leaves it to the caller, who has the rows.

        Returns
        -------
        table or array of shape (n_segments, n_features)
            Rows of `X`, one for each segment, in order; of the kind that `X` is.

        Raises
        ------
        NotFittedError
            The segmenter has not been fitted.
        DefinitionError
            The policy forbids it.

        Examples
        --------
        >>> import xseg
        >>> customers = xseg.make_customers(500, random_state=0)
        >>> segmenter = xseg.PrototypeSegmenter(n_segments=3, random_state=0).fit(customers)
        >>> len(segmenter.representatives(customers))
        3
        """
        if policy is not None and not Policy.coerce(policy).real_people:
            message = (
                "the policy does not allow real people to be shown as examples of a segment (real_people is not true); "
                "show prototypes_, which are summaries, or have the policy changed"
            )
            raise DefinitionError(message)
        return select_rows(X, self.transform(X).argmin(axis=0))

    def _search(
        self, prepared: Prepared, space: PrototypeSpace, wanted: int, min_weight: int, seed: int
    ) -> PrototypeSolution:
        """Search on the sample, and settle on all rows."""
        n_centres = self._count_possible(prepared, wanted, min_weight)
        found = search_prototypes(
            space,
            prepared.sample,
            n_centres=n_centres,
            n_init=self.n_init,
            max_iter=self.max_iter,
            min_weight=min_weight,
            seed=seed,
        )
        tolerance = 1e-9 if prepared.whole else 1e-4
        return converge(prepared.backend, space, found, self.max_iter, tolerance, min_weight)

    def _summarise(self, prepared: Prepared, space: PrototypeSpace, min_weight: int, raw_rows: Backend) -> None:
        """Set what is shown as prototypes."""
        counts = core_counts(prepared.backend, self.model_.scores, len(prepared.bins), min_weight)
        core = SegmentProfile(prepared.bins, counts, raw_rows.weight_unit)
        embedding = space.embedding
        raw = space.levels / embedding.factor[:, None] + embedding.shift[:, None]
        levels = dict(zip(embedding.coordinates.tolist(), raw, strict=True))
        numbers = {
            j: column
            for j, column in enumerate(prepared.summary.columns)
            if isinstance(column, NumberSummary) and column.known and j not in levels
        }
        levels |= raw_rows.sum(_CodeMeans(prepared.bins, numbers, prepared.space.total_weight)).means()
        self._restore_prototypes(typical_values(core, levels), core.sizes)

    def get_state(self) -> dict[str, Any]:
        """Return what a file must hold besides the parameters."""
        return {
            **super().get_state(),
            "prototypes": [list(values) for values in self._prototypes],
            "prototype_sizes": self.prototype_sizes_.tolist(),
            "cost": self.cost_,
            "n_iter": self.n_iter_,
        }

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter again, from parameters and the state of a file."""
        segmenter = super().from_state(parameters, state)
        n_segments, n_columns = len(state.segment_names), len(state.columns)
        fits = len(state.prototypes) == n_segments and all(len(values) == n_columns for values in state.prototypes)
        check(fits, "prototypes", "needs a value for each segment and column")
        check(len(state.prototype_sizes) == n_segments, "prototype_sizes", "needs a number for each segment")
        segmenter._restore_prototypes(state.prototypes, np.array(state.prototype_sizes))
        segmenter.cost_, segmenter.n_iter_ = state.cost, state.n_iter
        return segmenter

    def _restore_prototypes(self, values: Sequence[Sequence[Any]], sizes: NDArray[np.float64]) -> None:
        self.prototype_sizes_ = sizes
        self._prototypes = tuple(map(tuple, values))

    @property
    def prototypes_(self) -> "pd.DataFrame":
        """The middle or commonest value of each feature among the nearer half of each segment's rows."""
        import pandas as pd

        self._check_fitted()
        frame = pd.DataFrame(self._prototypes, columns=list(self.profile_.bins.schema.names))
        frame.index = pd.Index(self.segment_names_, name="segment")
        return frame


def _make_space(prepared: Prepared, *, squared: bool) -> PrototypeSpace:
    """Return the distance, with the levels of its codes and the middle of all rows."""
    embedding, total_weight = prepared.space.embedding, prepared.space.total_weight
    levels = prepared.backend.sum(Levels(embedding, total_weight)).means()
    nowhere = PrototypePositions(
        np.zeros((1, len(embedding.coordinates))), np.zeros((1, len(embedding.looked_up)), dtype=np.uint8)
    )
    space = PrototypeSpace.from_embedding(
        embedding,
        n_features=len(prepared.bins),
        squared=squared,
        levels=levels,
        overall=nowhere,
        total_weight=total_weight,
    )
    return space.recentred_on(prepared.backend.sum(NearestCounts(space, nowhere)).compute_centres())


def _highest_scores(model: AdditiveModel, table: Table) -> NDArray[np.float64]:
    return np.asarray(model.score(table).max(axis=1))
