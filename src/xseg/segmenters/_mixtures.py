"""Segments as components of a mixture."""

from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from xseg._kernels.center_kernels import compute_responsibilities
from xseg._kernels.score_kernels import CURVATURE, KNOT
from xseg._sklearn import Interval, StrOptions
from xseg.core.additive import AdditiveModel
from xseg.core.statistics import RowTotal
from xseg.core.tables import Table
from xseg.exceptions import XsegWarning
from xseg.segmenters._additive_segmenter import AdditiveSegmenter, AdditiveState
from xseg.segmenters._base import complete_fit, register_segmenter
from xseg.segmenters._mixture_search import MixtureSpec, estimate_on, find_start
from xseg.segmenters._protocols import FittedSegmenter
from xseg.segmenters._saved_state import Count, Finite, SegmentsState, check

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MixtureSegmenter"]


class MixtureState(AdditiveState):
    """The state of a fitted `MixtureSegmenter`."""

    weights: list[Finite]
    lower_bound: Finite
    n_iter: Count
    converged: bool


@register_segmenter
class MixtureSegmenter(AdditiveSegmenter):
    """Mixture model that assigns each row to its most probable component.

    Within a segment every feature has a distribution of its own: normal for numbers, a table of probabilities for
    categories and booleans (latent class analysis, where there are no numbers). Features are taken to be independent
    within a segment, which is what makes the log-odds of two segments a sum over features, and so every explanation
    exact. Where features hang together within segments, more segments are found than a person would draw, and
    probabilities are too sure of themselves. Results do not depend on the order of the rows, the number of threads, or
    where the rows are.

    Parameters
    ----------
    n_segments : int or "auto", default=5
        Number of segments. "auto" chooses 1 to 10 by what mixtures of so many components tell of the rows beyond
        what they tell of rows without groups; 1 means that no structure was found. `selection_` says why.
    n_init : int, default=20
        Number of initialisations; the best result is kept.
    max_iter : int, default=300
        Maximum number of iterations over all rows.
    tol : float, default=1e-5
        Tolerance on the increase of the mean log-likelihood to declare convergence.
    variance_floor : float, default=0.01
        Minimum variance of a number within a segment, as a share of its variance over all rows. Where many rows
        have the very same number (nothing spent, say) a narrow distribution around it is likelier without limit, and
        this is the limit.
    min_members : int, default=10
        Minimum number of rows (or sample weight) of a component: parameters of fewer would reveal single rows.
    max_bins : int, default=255
        Maximum number of categories per feature; the rarest beyond count as missing.
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
        The most probable segment of each row.
    segments_ : Segments
        The segments, largest first.
    n_segments_ : int
        Number of segments.
    selection_ : tuple of NumberChoice
        With ``n_segments="auto"``: each number that was weighed, and its score.
    weights_ : ndarray of shape (n_segments,)
        The share of all rows that come from each component.
    means_, deviations_ : pandas.DataFrame of shape (n_segments, n_numbers)
        Mean and standard deviation of each number in each segment, in raw units.
    probabilities_ : dict of str to pandas.DataFrame of shape (n_segments, n_categories)
        Probabilities of the categories of the other features.
    lower_bound_ : float
        The mean log-likelihood of the rows.
    n_iter_ : int
        Iterations over all rows.
    converged_ : bool
        Whether they ended because nothing rose.
    n_parameters_ : int
        Number of estimated parameters.
    profile_ : SegmentProfile
        Counts of the values of each feature by segment.
    model_ : AdditiveModel
        The fitted model; a score is the log-posterior but for what is the same for all segments.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if they are strings.

    Notes
    -----
    A value that is not known is integrated out, so a row is assigned by its known values; estimates are right
    where whether a value is known does not depend on the value (missing at random). A category that was never seen is
    not known. Log-likelihoods are densities in raw units; columns with one value only have no part in them.

    References
    ----------
    Dempster, Laird and Rubin, "Maximum likelihood from incomplete data via the EM algorithm", 1977.
    Lazarsfeld and Henry, "Latent structure analysis", 1968.
    Biernacki, Celeux and Govaert, "Choosing starting values for the EM algorithm", 2003.
    Schwarz, "Estimating the dimension of a model", 1978.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.MixtureSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> segmenter.predict_proba(customers).sum(axis=1).round(6).min()
    np.float64(1.0)
    >>> bool(segmenter.converged_)
    True
    """

    saved_state: ClassVar[type[SegmentsState]] = MixtureState

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_segments": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "variance_floor": [Interval(Real, 0, 1, closed="neither")],
        "min_members": [Interval(Integral, 1, None, closed="left")],
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
        n_init: int = 20,
        max_iter: int = 300,
        tol: float = 1e-5,
        variance_floor: float = 0.01,
        min_members: int = 10,
        max_bins: int = 255,
        segment_names: Sequence[str] | None = None,
        forbid: Sequence[str] = (),
        include: Sequence[str] = (),
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_segments = n_segments
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.variance_floor = variance_floor
        self.min_members = min_members
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
        MixtureSegmenter
            The fitted segmenter.

        Raises
        ------
        ParameterError
            A parameter is not allowed.
        DataError
            The rows cannot be segmented, or are fewer than `min_members`.

        Warns
        -----
        XsegWarning
            The iterations ended before the log-likelihood stopped rising, or there are fewer segments than asked for.
        """
        del y
        self._begin_fit()
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        backend = self._backend(X, sample_weight, reset=True)
        prepared = self._prepare(X, backend, scaling="standard", feature_weights=None, seed=seed)
        self._report("coded %s rows in %d columns", f"{prepared.n_rows:,}", len(prepared.bins))
        embedding = prepared.space.embedding
        n_codes = tuple(prepared.bins[j].n_codes for j in embedding.looked_up.tolist())
        spec = MixtureSpec(embedding, n_codes, self.variance_floor)
        min_weight = self._min_weight(backend)
        wanted = self._number_of_segments(prepared, min_weight, backend.weight_unit, seed)
        start = find_start(
            spec,
            prepared.space,
            prepared.sample,
            n_components=self._count_possible(prepared, wanted, min_weight),
            n_init=self.n_init,
            min_weight=min_weight,
            seed=seed,
        )
        found = estimate_on(
            prepared.backend,
            prepared.space.total_weight,
            start.mixture,
            max_iter=self.max_iter,
            tolerance=self.tol,
            min_weight=min_weight,
        )
        self._report("mean log-likelihood %.6g after %d iterations", found.log_likelihood, found.n_iter)
        self._warn_of_fewer(wanted, len(found.mixture))
        if not found.converged:
            message = (
                f"the log-likelihood was still rising after max_iter={self.max_iter} iterations; raise max_iter or tol"
            )
            warn(message, XsegWarning, stacklevel=3)
        order = self._learn(prepared, found.mixture.scores(), backend, align_to)
        self._restore_estimate(
            weights=found.mixture.weights[order],
            lower_bound=found.log_likelihood,
            n_iter=found.n_iter,
            converged=found.converged,
        )
        self._report_passes(backend)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the posterior probability of each segment for each row.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_rows, n_segments)
            Probabilities.
        """
        return self._compute_shares(X)[0]

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the memberships of each row: the posterior probability of each segment.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_rows, n_segments)
            Probabilities.
        """
        return self.predict_proba(X)

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return the log-likelihood of each row.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_rows,)
            Log-densities of what is known of each row, in raw units.
        """
        return self._compute_shares(X)[1]

    def score(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean log-likelihood of the rows.

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
            The higher, the better.
        """
        del y
        return self._compute_mean_log_likelihood(X, sample_weight)[0]

    def bic(self, X: Any) -> float:
        """Return the Bayesian information criterion of the rows; the lower, the better.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.

        Returns
        -------
        float
            ``-2 log-likelihood + n_parameters_ log(n_rows)``.
        """
        return _bic(*self._compute_mean_log_likelihood(X), self.n_parameters_)

    def aic(self, X: Any) -> float:
        """Return the Akaike information criterion of the rows; the lower, the better.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.

        Returns
        -------
        float
            ``-2 log-likelihood + 2 n_parameters_``.
        """
        mean, people = self._compute_mean_log_likelihood(X)
        return -2 * mean * people + 2 * self.n_parameters_

    @property
    def n_parameters_(self) -> int:
        """How many numbers were estimated."""
        embedding, bins = self.model_.coding.embedding, self.model_.coding.bins
        free = 2 * len(embedding.coordinates) + sum(bins[j].n_codes - 1 for j in embedding.looked_up.tolist())
        return self.n_segments_ - 1 + self.n_segments_ * free

    @property
    def means_(self) -> "pd.DataFrame":
        """The mean of each number in each segment, in raw units."""
        embedding = self.model_.coding.embedding
        knots = self.model_.scores.curves[:, KNOT]
        return self._numbers(knots / embedding.factor[:, None] + embedding.shift[:, None])

    @property
    def deviations_(self) -> "pd.DataFrame":
        """The standard deviation of each number in each segment, in raw units."""
        curvature = self.model_.scores.curves[:, CURVATURE]
        return self._numbers(np.sqrt(-0.5 / curvature) / self.model_.coding.embedding.factor[:, None])

    @property
    def probabilities_(self) -> "dict[str, pd.DataFrame]":
        """The probabilities of the categories of each feature that is not a number, by segment."""
        import pandas as pd

        bins, scores = self.model_.coding.bins, self.model_.scores
        found = {}
        for table, j in zip(scores.tables, scores.embedding.looked_up.tolist(), strict=True):
            names = list(bins[j].categories) if bins[j].categories else [False, True]
            values = np.exp(table[: bins[j].n_codes].T)
            found[bins[j].feature.name] = pd.DataFrame(values, index=self._index(), columns=names)
        return found

    def _numbers(self, values: NDArray[np.float64]) -> "pd.DataFrame":
        import pandas as pd

        bins = self.model_.coding.bins
        names = [bins[j].feature.name for j in self.model_.coding.embedding.coordinates.tolist()]
        return pd.DataFrame(values.T, index=self._index(), columns=names)

    def _index(self) -> "pd.Index[Any]":
        import pandas as pd

        return pd.Index(self.segment_names_, name="segment")

    def _compute_shares(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return _soft(self._compute_scores(X))

    def _compute_mean_log_likelihood(self, X: Any, sample_weight: ArrayLike | None = None) -> tuple[float, float]:
        """Return the mean log-likelihood of some rows, and how many they are."""
        self._check_fitted()
        backend = self._backend(X, sample_weight)
        judged = backend.sum(RowTotal(partial(_compute_log_likelihoods, self.model_)))
        return judged.mean, judged.weight / backend.weight_unit

    def get_state(self) -> dict[str, Any]:
        """Return what a file must hold besides the parameters."""
        return {
            **super().get_state(),
            "weights": self.weights_.tolist(),
            "lower_bound": self.lower_bound_,
            "n_iter": self.n_iter_,
            "converged": self.converged_,
        }

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter again, from parameters and the state of a file."""
        segmenter = super().from_state(parameters, state)
        check(len(state.weights) == len(state.segment_names), "weights", "needs a number for each segment")
        segmenter._restore_estimate(
            weights=np.array(state.weights),
            lower_bound=state.lower_bound,
            n_iter=state.n_iter,
            converged=state.converged,
        )
        return segmenter

    def _restore_estimate(
        self, *, weights: NDArray[np.float64], lower_bound: float, n_iter: int, converged: bool
    ) -> None:
        self.weights_, self.lower_bound_, self.n_iter_, self.converged_ = weights, lower_bound, n_iter, converged


def _bic(mean: float, people: float, n_parameters: int) -> float:
    return float(-2 * mean * people + n_parameters * np.log(people))


def _soft(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the posterior probabilities and the log-likelihood of rows with these scores."""
    shares, logs = np.empty_like(scores), np.empty(len(scores))
    compute_responsibilities(scores, shares, logs)
    return shares, logs


def _compute_log_likelihoods(model: AdditiveModel, table: Table) -> NDArray[np.float64]:
    return _soft(model.score(table))[1]
