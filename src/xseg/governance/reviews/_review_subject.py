"""What a review reads (model, policy, people, consent, notice, refits on fewer columns), and what it finds."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from inspect import signature
from pathlib import PurePath
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.tree import DecisionTreeClassifier

from xseg.backends import MemoryBackend
from xseg.core.bins import MISSING
from xseg.core.tables import Column, Table, select_columns
from xseg.exceptions import XsegError, XsegWarning
from xseg.explanations import compute_own_contributions
from xseg.governance.reviews._notice_text import NoticeText
from xseg.policy import FeaturePolicy, Policy, Purpose
from xseg.segmenters import FittedSegmenter, Segmenter

__all__ = [
    "SEVERITIES",
    "Finding",
    "FindingDraft",
    "HeldOut",
    "Imitation",
    "LedgerLike",
    "Refits",
    "ReviewSubject",
    "Severity",
    "format_percent",
    "to_sarif",
]

MAX_ROWS = 5_000


class LedgerLike(Protocol):
    """Object that tells who has agreed to a purpose, such as a `Ledger`."""

    def mask(self, subjects: Any, purpose: str, *, at: datetime | None = None) -> Any:
        """Return for each subject whether they agree to a purpose at a time, shape (n_subjects,)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """People who had no part in making the segments, and the segments they are in.

    Attributes
    ----------
    rows : Table
        Every column that is there, also those that the model does not use.
    labels : ndarray of shape (n_rows,)
        Their segments.
    names : tuple of str
        The names of the segments.
    how : str
        Where the segments come from, in words.
    """

    rows: Table
    labels: NDArray[np.int32]
    names: tuple[str, ...]
    how: str


@dataclass(frozen=True, eq=False)
class ReviewSubject:
    """The model, the policy and the data of one review.

    Attributes
    ----------
    segmenter : fitted segmenter
        The model over raw columns.
    policy : Policy
        What is declared.
    table : Table or None
        People, with every column that is known of them.
    held_out : bool
        Whether these people had no part in the fit.
    ledger : LedgerLike or None
        Who has agreed.
    ids : sequence or None
        How the ledger knows the people.
    notice : NoticeText or None
        What the public is told.
    at : datetime
        When the review is made.
    seed : int
        Seeds splits and permutations.
    n_permutations : int
        How often sensitive columns are shuffled.
    """

    segmenter: Segmenter
    policy: Policy
    table: Table | None
    held_out: bool
    ledger: LedgerLike | None
    ids: Sequence[Any] | None
    notice: NoticeText | None
    at: datetime
    seed: int
    n_permutations: int

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of the model, asked about or not."""
        return tuple(self.segmenter.profile_.bins.schema.names)

    @cached_property
    def used(self) -> tuple[str, ...]:
        """The columns that decide where people are placed."""
        return tuple(self.names[j] for j in sorted(self.segmenter.model_.used_features.tolist()))

    @cached_property
    def forbidden(self) -> frozenset[str]:
        """The columns that the fit was told to leave alone."""
        return frozenset(self.segmenter.get_params(deep=False).get("forbid", ()))

    @cached_property
    def served(self) -> dict[str, Purpose]:
        """The purposes that the used columns are used for, by id."""
        return {name: self.policy.purposes[name] for name in self.policy.purpose_ids(self.used)}

    def feature(self, name: str) -> FeaturePolicy:
        """Return what holds for a column."""
        return self.policy.feature(name)

    def label(self, name: str) -> str:
        """Return the label of a column, in quotation marks."""
        return f"“{self.policy.feature(name).label or name}”"

    @cached_property
    def rows(self) -> Table:
        """The people, with the columns of the model, at most a few thousand drawn by the seed."""
        assert self.table is not None
        return select_columns(self._some(self.table), self.names)

    def _some(self, table: Table) -> Table:
        if len(table) <= MAX_ROWS:
            return table
        return table.take(np.sort(np.random.default_rng(self.seed).permutation(len(table))[:MAX_ROWS]))

    @cached_property
    def shares(self) -> dict[str, float]:
        """The part of each used column in all that is weighed, by the mean size of exact contributions."""
        _, explained = compute_own_contributions(self.segmenter, self.rows)
        weight = np.abs(explained.values).mean(axis=0)
        total = float(weight.sum()) or 1.0
        return {name: float(weight[self.names.index(name)]) / total for name in self.used}

    @cached_property
    def sensitive(self) -> dict[str, Column]:
        """The columns of the table that the policy calls sensitive."""
        columns = () if self.table is None else self.table.columns
        return {column.name: column for column in columns if self.policy.feature(column.name).sensitive}

    def refit(self, rows: Table, without: Sequence[str] = (), *, as_many: bool = False) -> Any:
        """Return the model made anew; None where that is not possible.

        A model of an outcome would need the outcome, a stand-in the original's labels, and rules that people wrote are
        not learnt. With `as_many`, the number of segments is not chosen anew.
        """
        given = self.segmenter.get_params(deep=False)
        if self.segmenter.segment_source != "rows" or (without and "forbid" not in given):
            return None
        fresh = clone(self.segmenter)
        if without:
            fresh.set_params(forbid=[*self.forbidden, *without])
        if as_many and given.get("n_segments") == "auto":
            fresh.set_params(n_segments=self.segmenter.n_segments_)
        alike = {"align_to": self.segmenter} if "align_to" in signature(fresh.fit).parameters else {}
        with warnings.catch_warnings():
            # They are about a model that nobody asked for.
            warnings.simplefilter("ignore", XsegWarning)
            try:
                return fresh.fit(MemoryBackend(rows), **alike)
            except XsegError:
                return None

    @cached_property
    def unseen(self) -> HeldOut | None:
        """People who had no part in the segments: all of them, or one half while the other makes segments anew."""
        if self.table is None:
            return None
        some = self._some(self.table)
        if self.held_out or self.segmenter.segment_source == "definition":
            how = "all people given, none of whom had a part in the segments"
            return self._seen_by(self.segmenter, some, how)
        order = np.random.default_rng(self.seed).permutation(len(some))
        half = len(some) // 2
        fitted = self.refit(select_columns(some.take(np.sort(order[:half])), self.names)) if half else None
        if fitted is None:
            return None
        how = "half of the people, in segments made anew from the other half"
        return self._seen_by(fitted, some.take(np.sort(order[half:])), how)

    def _seen_by(self, segmenter: FittedSegmenter, rows: Table, how: str) -> HeldOut:
        labels = np.asarray(segmenter.predict(select_columns(rows, self.names)))
        return HeldOut(rows, labels, tuple(segmenter.segment_names_), how)


_MAX_ROWS: Final = 6_000
_MIN_ROWS: Final = 150


class Refits:
    """Models made anew with the parameters of the one that is reviewed, and segments numbered as its.

    The people are parted in three. Models learn from the first third and are tried on the second; the set of columns
    that is chosen so is learnt from the second and tried on the third, where nobody had a part in choosing it.

    Parameters
    ----------
    subject : ReviewSubject
        With people.

    Attributes
    ----------
    people : int
        How many people a third has.
    made : int
        How many models were made.
    ended : bool
        Whether a search was ended before everything was tried.
    """

    def __init__(self, subject: ReviewSubject) -> None:
        assert subject.table is not None
        self._subject = subject
        table = select_columns(subject.table, subject.names)
        order = np.random.default_rng(subject.seed).permutation(len(table))[:_MAX_ROWS]
        size = len(order) // 3
        self._parts = [table.take(np.sort(order[start : start + size])) for start in range(0, 3 * size, max(size, 1))]
        self.people = size
        self.made, self.ended = 0, False

    @property
    def are_too_few(self) -> bool:
        """Whether nothing could be said of so few people."""
        return 3 * self.people < _MIN_ROWS

    def without(self, columns: Sequence[str], *, confirmed: bool = False) -> "Refit | None":
        """Make the model anew without some columns; None where that is not possible.

        Parameters
        ----------
        columns : sequence of str
            Those to leave out.
        confirmed : bool, default=False
            Whether to learn from and try on people who had no part in the search.
        """
        learnt, tried = self._parts[1:] if confirmed else self._parts[:2]
        self.made += 1
        fitted = self._subject.refit(learnt, without=columns, as_many=True)
        return None if fitted is None else Refit(self._subject, fitted, tried)


class Refit:
    """A model made anew, and whom it places as the original does."""

    def __init__(self, subject: ReviewSubject, fitted: Any, tried: Table) -> None:
        self.asks_about = tuple(subject.names[j] for j in sorted(fitted.model_.used_features.tolist()))
        self.asked: NDArray[np.int32] = np.asarray(subject.segmenter.predict(tried))
        self.same: NDArray[np.bool_] = np.asarray(fitted.predict(tried)) == self.asked
        self.agreement = float(self.same.mean())


_MAX_LEAVES: Final = 128


class Imitation:
    """A tree that learns the segments of one half of the people and is tried on the other half.

    Parameters
    ----------
    subject : ReviewSubject
        With people.
    """

    def __init__(self, subject: ReviewSubject) -> None:
        segmenter, rows = subject.segmenter, subject.rows
        bins = segmenter.profile_.bins
        positions = {name: subject.names.index(name) for name in subject.used}
        codes = bins.encode(rows, sorted(positions.values()))
        self._columns = {
            name: _make_columns(codes[:, j], ordered=bins[j].is_ordered, n_codes=bins[j].n_codes)
            for name, j in positions.items()
        }
        self._labels = np.asarray(segmenter.predict(rows))
        order = np.random.default_rng(subject.seed).permutation(len(rows))
        self._known, self._asked = order[: (len(rows) + 1) // 2], order[len(rows) // 2 :]

    def agreement(self, names: Sequence[str]) -> float:
        """Return the share of the people asked who are placed the same from some columns alone."""
        return float(self.same(names).mean())

    def least_missed(self, names: Sequence[str]) -> list[tuple[float, str]]:
        """Return the agreement without each column, and the column; the one that is missed least first."""
        ways = [(self.agreement([name for name in names if name != one]), one) for one in names]
        return sorted(ways, key=lambda way: -way[0])

    @property
    def asked(self) -> NDArray[np.int32]:
        """The segments of the people asked."""
        return self._labels[self._asked]

    def same(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Return for each of the people asked whether they are placed the same from some columns alone."""
        values = np.hstack([self._columns[name] for name in names])
        tree = DecisionTreeClassifier(max_leaf_nodes=_MAX_LEAVES, min_samples_leaf=2, random_state=0)
        tree.fit(values[self._known], self._labels[self._known])
        return np.asarray(tree.predict(values[self._asked]) == self.asked)


def _make_columns(codes: NDArray[np.uint8], *, ordered: bool, n_codes: int) -> NDArray[np.float32]:
    """Return codes as numbers that a tree can cut: ordered ones as they are, categories one by one."""
    missing = (codes == MISSING)[:, None]
    if ordered:
        return np.hstack([codes[:, None], missing]).astype(np.float32)
    return np.hstack([codes[:, None] == np.arange(n_codes), missing]).astype(np.float32)


Severity: TypeAlias = Literal["note", "warning", "error"]
SEVERITIES: Final[tuple[Severity, ...]] = ("note", "warning", "error")


class NamedCheck(Protocol):
    """What SARIF says of the rule that a finding breaks."""

    @property
    def key(self) -> str:
        """The name in findings."""
        ...

    @property
    def title(self) -> str:
        """What should be so."""
        ...

    @property
    def needs(self) -> str:
        """What has to be given beside model and policy."""
        ...


class FindingDraft(NamedTuple):
    """What one check found: severity, location, message, remediation, and the evidence."""

    severity: Severity
    location: str
    message: str
    remediation: str
    evidence: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between the policy and the model, or one fact to note.

    Attributes
    ----------
    check : str
        The key of the check.
    severity : {"note", "warning", "error"}
        Severity.
    location : str
        A place in the policy such as ``"features.age_band"``, in the model such as ``"segment Loyal readers"``, or
        ``"notice"``.
    message : str
        What was found.
    remediation : str
        What to do; empty where there is nothing to do.
    evidence : mapping
        The numbers and names behind it, as plain data.
    """

    check: str
    severity: Severity
    location: str
    message: str
    remediation: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The check and the place: the same from one review to the next."""
        return f"{self.check}:{self.location}"

    def __str__(self) -> str:
        return f"{self.severity}: {self.message} [{self.id}]"


def format_percent(share: float) -> str:
    """Write a share for a sentence."""
    return f"{share:.0%}"


_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def to_sarif(record: Mapping[str, Any], checks: Sequence[NamedCheck], digest: str) -> dict[str, Any]:
    """Return the log of one run.

    References
    ----------
    OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 2020.
    """
    places = {check.key: place for place, check in enumerate(checks)}
    of_the_notice = {check.key for check in checks if check.needs == "notice"}
    sources = record["sources"]
    # A notice that was given as text is no file that could be pointed at.
    notice = sources["policy"] if sources["notice"] in {"", "the notice"} else sources["notice"]
    rules = [
        {
            "id": check.key,
            "name": "".join(word.capitalize() for word in check.key.split("-")),
            "shortDescription": {"text": check.title},
            "properties": {"needs": check.needs},
        }
        for check in checks
    ]
    notifications = [
        {"level": "note", "message": _message(f"not checked: {reason}"), "associatedRule": {"id": key}}
        for key, reason in record["not_checked"].items()
    ]
    run = {
        "tool": {"driver": {"name": "xseg", "version": record["xseg"], "rules": rules}},
        "invocations": [
            {
                "executionSuccessful": True,
                "endTimeUtc": record["created"].replace("+00:00", "Z"),
                "toolExecutionNotifications": notifications,
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(found, places[found["check"]], notice if found["check"] in of_the_notice else sources["policy"])
            for found in record["findings"]
        ],
        "properties": {"model": record["model"], "policy": record["policy"], "digest": digest},
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(found: Mapping[str, Any], place: int, file: str) -> dict[str, Any]:
    return {
        "ruleId": found["check"],
        "ruleIndex": place,
        "level": found["severity"],
        "message": _message(
            f"{found['message']} To correct it: {found['remediation']}." if found["remediation"] else found["message"]
        ),
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(file)}},
                "logicalLocations": [{"fullyQualifiedName": found["location"]}],
            }
        ],
        "partialFingerprints": {"xsegFinding/v1": found["id"]},
        "properties": {"evidence": found["evidence"]},
    }


def _message(text: str) -> dict[str, str]:
    """Return a text in which nothing is taken for a placeholder or a link (sections 3.11.5 and 3.11.6)."""
    return {"text": text.replace("{", "{{").replace("}", "}}").replace("](", "] (")}


def _uri(path: str) -> str:
    plain = PurePath(path)
    return plain.as_uri() if plain.is_absolute() else quote(plain.as_posix())
