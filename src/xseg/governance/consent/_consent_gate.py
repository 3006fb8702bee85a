"""A segmenter that is fitted on, and segments, only people who agreed to a purpose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from xseg._files import digest_parts
from xseg._sklearn import HasMethods, InvalidParameterError, validate_parameters
from xseg.backends import Backend
from xseg.cards import DecisionBasis
from xseg.core.tables import Table, read_table
from xseg.exceptions import ConsentError, DataError, NotFittedError, ParameterError
from xseg.governance.consent._consent_inputs import read_identifiers, read_instant, to_datetime
from xseg.governance.consent._identities import ConsentResolver, Identities
from xseg.governance.consent._ledger import Ledger
from xseg.policy import Policy
from xseg.segmenters import SegmenterOrPipeline

__all__ = ["AdmittedRows", "ConsentGate"]


def select_rows(X: Any, rows: NDArray[np.int64]) -> Any:
    """Return the rows at some positions, in the same kind of table."""
    if isinstance(X, pd.DataFrame):
        return X.iloc[rows]
    frame = nw.from_native(X, pass_through=True, eager_only=True)
    if isinstance(frame, nw.DataFrame):
        return nw.to_native(frame[rows.tolist()])
    return np.asarray(X)[rows]


def make_values_missing(X: Any, names: Sequence[str], absent: Mapping[str, NDArray[np.bool_]]) -> Any:
    """Make values missing where `absent` says so; the table itself is left as it was."""
    absent = {name: where for name, where in absent.items() if where.any()}
    if not absent:
        return X
    if isinstance(X, np.ndarray):
        return _make_array_values_missing(X, {names.index(name): where for name, where in absent.items()})
    if isinstance(X, pd.DataFrame):
        return X.assign(**{name: X[name].mask(where) for name, where in absent.items()})
    frame = nw.from_native(X, eager_only=True)
    kept = {
        name: nw.new_series(name, (~where).tolist(), nw.Boolean, backend=frame.implementation)
        for name, where in absent.items()
    }
    return nw.to_native(
        frame.with_columns(*(nw.when(where).then(frame.get_column(name)).alias(name) for name, where in kept.items()))
    )


def _make_array_values_missing(X: NDArray[Any], absent: Mapping[int, NDArray[np.bool_]]) -> NDArray[Any]:
    numeric = X.dtype.kind in "fiub"
    kept = X.astype(np.result_type(X.dtype, np.float64) if X.dtype.kind in "iub" else X.dtype if numeric else object)
    for column, where in absent.items():
        kept[where, column] = np.nan if numeric else None
    return kept


_NOT_SEGMENTED = -1


@dataclass(frozen=True, eq=False)
class AdmittedRows:
    """The people who agreed, as a segmenter may see them.

    Attributes
    ----------
    X : table or array of shape (n_admitted, n_features)
        Their rows; what they withhold is missing.
    rows : ndarray of int64 of shape (n_admitted,)
        Where they were.
    n_rows : int
        How many rows there were.
    """

    X: Any
    rows: NDArray[np.int64]
    n_rows: int

    def expand_labels(self, found: NDArray[Any]) -> NDArray[np.int32]:
        """Return the segments of all rows, given those of the admitted."""
        labels = np.full(self.n_rows, _NOT_SEGMENTED, dtype=np.int32)
        labels[self.rows] = found
        return labels

    def select_values(self, values: Any, name: str) -> NDArray[Any]:
        """Return the values of the admitted, given those of all rows."""
        found = np.asarray(values)
        if found.ndim == 0 or len(found) != self.n_rows:
            message = f"{name} has shape {found.shape} for {self.n_rows} rows; give one value for each"
            raise DataError(message)
        return found[self.rows]


def _segmenter_has(name: str) -> Any:
    def check(gate: "ConsentGate") -> bool:
        getattr(getattr(gate, "segmenter_", gate.segmenter), name)
        return True

    return check


class ConsentGate(ClassNamePrefixFeaturesOutMixin, MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """A segmenter that learns from, and segments, only people who agreed to the purpose.

    Parameters
    ----------
    segmenter : segmenter, or Pipeline that ends in one
        What does the work. It is cloned, and never sees anybody who did not agree.
    ledger : Ledger
        Who agreed. It is asked anew at each call, and shared by clones.
    purpose : str
        What for.
    policy : Policy, path, mapping or None, default=None
        For which purposes each feature may be used. With a policy, `fit` refuses features that it does not give the
        purpose; without one, nothing is checked.
    identities : Identities or None, default=None
        Links over which denials spread.
    log : object or None, default=None
        What people asked for besides consent, such as an `xseg.governance.rights.ActionLog`: whoever objected, had
        their data set aside or erased, or stays out of all segments is not segmented. Anything with
        ``is_excluded(subjects, purpose)``.
    at : datetime, str or None, default=None
        The time to ask the ledger about, with a zone. None means the time of each call.

    Attributes
    ----------
    segmenter_ : segmenter
        Fitted on those who agreed.
    labels_ : ndarray of int32 of shape (n_rows,)
        Segments of the rows of the fit; -1 for those who did not agree.

    Raises
    ------
    ParameterError
        In `fit`, if a parameter is not allowed.

    Examples
    --------
    >>> import xseg
    >>> from xseg.governance.consent import ConsentGate, Ledger
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> ids = [f"c{row}" for row in range(500)]
    >>> ledger = Ledger()
    >>> for customer in ids[:400]:
    ...     _ = ledger.append(customer, "offers", "given", source="account")
    >>> gate = ConsentGate(xseg.TreeSegmenter(3, random_state=0), ledger, purpose="offers")
    >>> labels = gate.fit(customers, ids=ids).labels_
    >>> int((labels == -1).sum())
    100
    >>> _ = ledger.append("c0", "offers", "withdrawn", source="account")
    >>> int(gate.predict(customers.head(1), ids=["c0"])[0])
    -1
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 the name and form are scikit-learn's
        "segmenter": [HasMethods(["fit", "predict"])],
        "ledger": [Ledger],
        "purpose": [str],
        "policy": [Policy, str, PathLike, dict, None],
        "identities": [Identities, None],
        "log": [HasMethods(["is_excluded"]), None],
        "at": [datetime, str, None],
    }

    def __init__(
        self,
        segmenter: SegmenterOrPipeline,
        ledger: Ledger,
        *,
        purpose: str,
        policy: Any = None,
        identities: Identities | None = None,
        log: Any = None,
        at: datetime | str | None = None,
    ) -> None:
        self.segmenter = segmenter
        self.ledger = ledger
        self.purpose = purpose
        self.policy = policy
        self.identities = identities
        self.log = log
        self.at = at

    def fit(
        self, X: Any, y: Any = None, *, ids: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> "ConsentGate":
        """Fit the segmenter to the rows of those who agreed.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_features)
            The rows.
        y : array-like of shape (n_rows,), default=None
            Passed on, if given.
        ids : array-like of str or int of shape (n_rows,)
            Whom each row is about, as the ledger calls them.
        sample_weight : array-like of shape (n_rows,), default=None
            Passed on, if given.

        Returns
        -------
        ConsentGate
            Itself.

        Raises
        ------
        ConsentError
            A feature would be used for a purpose that the policy does not give it.
        ConsentError
            There are no identifiers, or nobody agreed.
        DataError
            There are not as many identifiers as rows.
        ParameterError
            A parameter is not allowed.
        """
        self._check_parameters()
        table = _read(X)
        self._check_policy(table.names)
        admitted = self._admit(X, table, ids)
        if not len(admitted.rows):
            message = f"nobody in these rows agreed to {self.purpose!r}, so there is nobody to learn from"
            raise ConsentError(message)
        passed = (
            {} if sample_weight is None else {"sample_weight": admitted.select_values(sample_weight, "sample_weight")}
        )
        outcome = () if y is None else (admitted.select_values(y, "y"),)
        self.segmenter_ = clone(self.segmenter).fit(admitted.X, *outcome, **passed)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.segmenter_, name):
                setattr(self, name, getattr(self.segmenter_, name))
            elif hasattr(self, name):
                delattr(self, name)
        self.labels_ = admitted.expand_labels(self.segmenter_.predict(admitted.X))
        return self

    def predict(self, X: Any, *, ids: ArrayLike | None = None) -> NDArray[np.int32]:
        """Return the segment of each row.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_features)
            The rows.
        ids : array-like of str or int of shape (n_rows,)
            Whom each row is about.

        Returns
        -------
        ndarray of int32 of shape (n_rows,)
            Segment indices; -1 for those who have not agreed, or no longer do. What somebody withholds counts as
            missing for them.

        Raises
        ------
        NotFittedError
            The gate has not been fitted.
        ConsentError, DataError
            As for `fit`.
        """
        admitted = self.admit(X, ids=ids)
        found = self.segmenter_.predict(admitted.X) if len(admitted.rows) else np.empty(0, np.int32)
        return admitted.expand_labels(found)

    def fit_predict(self, X: Any, y: Any = None, *, ids: ArrayLike | None = None) -> NDArray[np.int32]:
        """Fit, and return the segment of each row; the parameters are those of `fit`.

        Returns
        -------
        ndarray of int32 of shape (n_rows,)
            Segment indices; -1 for those who did not agree.
        """
        return self.fit(X, y, ids=ids).labels_

    @available_if(_segmenter_has("transform"))  # type: ignore[untyped-decorator] # scikit-learn's ships no types
    def transform(self, X: Any, *, ids: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return what the segmenter's own `transform` gives; rows of NaN for those who have not agreed.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_features)
            The rows.
        ids : array-like of str or int of shape (n_rows,)
            Whom each row is about.

        Returns
        -------
        ndarray of float64 of shape (n_rows, n_segments)
            Memberships or scores.

        Raises
        ------
        NotFittedError, ConsentError, DataError
            As for `predict`.
        """
        admitted = self.admit(X, ids=ids)
        out = np.full((admitted.n_rows, self._n_features_out), np.nan)
        if len(admitted.rows):
            out[admitted.rows] = np.asarray(self.segmenter_.transform(admitted.X))
        return out

    @available_if(_segmenter_has("score"))  # type: ignore[untyped-decorator] # scikit-learn's ships no types
    def score(self, X: Any, y: Any = None, *, ids: ArrayLike | None = None) -> float:
        """Return the segmenter's own score of those who agreed.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_features)
            The rows.
        y : array-like of shape (n_rows,), default=None
            Passed on, if given.
        ids : array-like of str or int of shape (n_rows,)
            Whom each row is about.

        Returns
        -------
        float
            The score.

        Raises
        ------
        NotFittedError, ConsentError, DataError
            As for `predict`; also if nobody agreed.
        """
        admitted = self.admit(X, ids=ids)
        if not len(admitted.rows):
            message = f"nobody in these rows agrees to {self.purpose!r}, so there is nothing to score"
            raise ConsentError(message)
        outcome = () if y is None else (admitted.select_values(y, "y"),)
        return float(self.segmenter_.score(admitted.X, *outcome))

    def admit(self, X: Any, *, ids: ArrayLike | None = None, at: datetime | str | None = None) -> AdmittedRows:
        """Return the rows of those who agree, with what they withhold missing; explain them, or make their cards.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_features)
            The rows.
        ids : array-like of str or int of shape (n_rows,)
            Whom each row is about.
        at : datetime or str, optional
            The time to ask about, where the gate itself has none.

        Returns
        -------
        AdmittedRows
            Of the same kind of table as `X`.

        Raises
        ------
        NotFittedError, ConsentError, DataError
            As for `predict`.

        Examples
        --------
        >>> import xseg
        >>> from xseg.governance.consent import ConsentGate, Ledger
        >>> customers, ids = xseg.make_customers(300, random_state=0), range(300)
        >>> ledger = Ledger()
        >>> for customer in ids:
        ...     _ = ledger.append(customer, "offers", "given", source="account")
        >>> gate = ConsentGate(xseg.TreeSegmenter(3, random_state=0), ledger, purpose="offers")
        >>> gate = gate.fit(customers, ids=ids)
        >>> _ = ledger.append(7, "offers", "withdrawn", source="account")
        >>> admitted = gate.admit(customers, ids=ids)
        >>> xseg.explain(gate.segmenter_, admitted.X).shape[0]
        299
        """
        if not hasattr(self, "segmenter_"):
            message = "This ConsentGate instance is not fitted yet. Call 'fit' with a table and ids first."
            raise NotFittedError(message)
        return self._admit(X, _read(X), ids, at)

    def resolve_time(self, at: datetime) -> datetime:
        """Return the time about which the gate asks: its own, or else `at`."""
        own = None if self.at is None else to_datetime(read_instant(self.at))
        return at if own is None else own

    def find_decision_basis(self, subject: str) -> DecisionBasis:
        """Return why a subject who is not admitted is in no group: what the log says, or no consent."""
        return self._look_up_basis(subject) or "no_consent"

    def describe_exclusions(self, ids: Sequence[str]) -> Mapping[str, str | None]:
        """Return the purpose and time of the gate, and a digest of whom its log keeps out, and why."""
        return {
            "gate": f"{self.purpose}, {self.at}",
            "log": None if self.log is None else self._digest_exclusions(ids),
        }

    def _digest_exclusions(self, subjects: Sequence[str]) -> str:
        is_excluded = self.log.is_excluded(subjects, self.purpose)
        excluded = [name for name, is_out in zip(subjects, is_excluded, strict=True) if is_out]
        return digest_parts(*(f"{name} {self._look_up_basis(name)}" for name in excluded))

    def _look_up_basis(self, subject: str) -> DecisionBasis | None:
        # A log need not say why; `is_excluded` is all that a gate requires of it.
        find = getattr(self.log, "find_decision_basis", None)
        basis: DecisionBasis | None = None if find is None else find(subject, self.purpose)
        return basis

    @property
    def n_segments_(self) -> int:
        """The number of segments."""
        return int(self._final.n_segments_)

    @property
    def segments_(self) -> Any:
        """The segments, of those who agreed."""
        return self._final.segments_

    @property
    def _final(self) -> Any:
        return self.segmenter_[-1] if hasattr(self.segmenter_, "steps") else self.segmenter_

    @property
    def _n_features_out(self) -> int:
        return self.n_segments_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "segmenter_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.segmenter).input_tags
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _check_parameters(self) -> None:
        try:
            validate_parameters(self)
        except InvalidParameterError as error:
            raise ParameterError(str(error)) from error

    def _subjects(self, n_rows: int, ids: ArrayLike | None) -> NDArray[np.object_]:
        if ids is None:
            message = (
                "a gate cannot know whose rows these are, so nobody has agreed; give ids, in a pipeline by "
                "set_fit_request(ids=True) and set_predict_request(ids=True)"
            )
            raise ConsentError(message)
        found = read_identifiers(ids, "ids")
        if len(found) != n_rows:
            message = f"there are {len(found)} ids for {n_rows} rows; give one for each"
            raise DataError(message)
        return found

    def _check_policy(self, names: tuple[str, ...]) -> None:
        if self.policy is None:
            return
        policy = Policy.coerce(self.policy)
        if self.purpose not in policy.purposes:
            known = ", ".join(policy.purposes) or "none"
            message = f"the policy does not have the purpose {self.purpose!r} (it has: {known}); declare it there"
            raise ConsentError(message)
        excluded = [name for name in names if self.purpose not in policy.feature(name).purposes]
        if excluded:
            listed = ", ".join(map(repr, excluded))
            message = (
                f"the policy does not allow {listed} to be used for {self.purpose!r}; drop these columns, or give them "
                "the purpose in the policy if people were told so"
            )
            raise ConsentError(message)

    def _admit(self, X: Any, table: Table, ids: ArrayLike | None, at: datetime | str | None = None) -> AdmittedRows:
        subjects, names = self._subjects(len(table), ids), table.names
        consents, moment = ConsentResolver(self.ledger, self.identities), at if self.at is None else self.at
        agreed = consents.mask(subjects, self.purpose, at=moment)
        self.ledger.warn_about_unknown_purpose(self.purpose)
        if self.log is not None:
            agreed &= ~np.asarray(self.log.is_excluded(subjects.tolist(), self.purpose), dtype=bool)
        rows = np.flatnonzero(agreed)
        spoken_of = set(self.ledger.list_stated_features(self.purpose)).intersection(names)
        withheld = {
            name: consents.is_withheld(subjects[rows], name, self.purpose, at=moment) for name in sorted(spoken_of)
        }
        return AdmittedRows(make_values_missing(select_rows(X, rows), names, withheld), rows, len(table))


def _read(X: Any) -> Table:
    if isinstance(X, Backend):
        message = "a gate needs the rows themselves, to tell whose they are; give a table or array, not a backend"
        raise ParameterError(message)
    return read_table(X)
