"""Erasing people from a fitted model: its statistics are additive, so that their part can be subtracted."""

import hmac
import json
import os
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from xseg._files import write_whole
from xseg._kernels.center_kernels import add_code_counts
from xseg.core.segments import SegmentProfile, Segments
from xseg.core.tables import Column, Table, read_table
from xseg.exceptions import ConsentError, DataError, ParameterError, UnsupportedTypeError
from xseg.export import fingerprint
from xseg.governance.consent import ConsentGate, read_identifiers
from xseg.segmenters import FittedSegmenter, SegmenterOrPipeline, check_segmenter, get_segmenter, propose_names

__all__ = ["Erasure", "FitRecord", "check_nobody_left", "erase", "get_model", "subtract_people"]

_ROW_ATTRIBUTES = ("labels_",)


def get_model(segmenter: SegmenterOrPipeline) -> FittedSegmenter:
    """Return the fitted segmenter: itself, or the one inside a gate.

    Raises
    ------
    UnsupportedTypeError
        It is none of xseg.
    NotFittedError
        It has not been fitted.
    """
    fitted: FittedSegmenter = check_segmenter(get_segmenter(segmenter))
    return fitted


def check_nobody_left(segmenter: FittedSegmenter, table: Table, name: str) -> None:
    """Raise unless the rows are exactly the people whom a model has counted.

    Raises
    ------
    DataError
        Somebody is missing, is there once too often, or has other values.
    """
    try:
        left = subtract_people(segmenter, table)
    except DataError as error:
        message = f"{name} and what the model has counted differ: {error}"
        raise DataError(message) from error
    if not left.model_.is_empty or left.profile_.counts.any():
        n_more = int(left.profile_.counts[:, 0].sum())
        message = (
            f"{name} must hold exactly the people whom the model has counted besides those who are taken out; "
            f"{n_more or 'some of the'} people or values differ. Give the table of the fit without them"
        )
        raise DataError(message)


def subtract_people(segmenter: FittedSegmenter, table: Table) -> Any:
    """Return a copy of a segmenter, with the people's part taken out of all it keeps."""
    labels = np.asarray(segmenter.predict(table), dtype=np.int64)
    profile = _subtract_counts(segmenter.profile_, table, labels)
    less: Any = copy(segmenter)
    for name in _ROW_ATTRIBUTES:
        less.__dict__.pop(name, None)
    less.model_ = segmenter.model_.subtract_rows(table)
    less.profile_ = profile
    sizes = profile.sizes
    shares = sizes / max(float(sizes.sum()), 1.0)
    less.segments_ = Segments(
        [
            replace(segment, size=float(size), share=float(share), profile=profile)
            for segment, size, share in zip(segmenter.segments_, sizes, shares, strict=True)
        ]
    )
    return less


def _subtract_counts(profile: SegmentProfile, table: Table, labels: NDArray[np.int64]) -> SegmentProfile:
    added = np.zeros_like(profile.counts)
    add_code_counts(profile.bins.encode(table), labels, np.ones(len(table), dtype=np.int64), added)
    counts = profile.counts - added
    if (counts < 0).any():
        segment, feature, _ = np.argwhere(counts < 0)[0].tolist()
        name = profile.bins[feature].feature.name
        message = (
            f"somebody in these rows was not in the table that was fitted: in segment {segment} nobody has such a "
            f"value of {name!r}; give the rows as they were"
        )
        raise DataError(message)
    return replace(profile, counts=counts)


_FORMAT: Final = "xseg-fit-record"
_VERSION: Final = 1
_SHORTEST_KEY: Final = 16
_DIGITS: Final = 64


@dataclass(frozen=True)
class FitRecord:
    """Keyed digests of the people in a fit and of those who were taken out of it.

    It holds no identifier and no value: each person is an HMAC-SHA256 of their identifier, beside one of their row.
    Without the key nobody can tell from it who was in the table. Keep it beside the model, and the key elsewhere.

    Attributes
    ----------
    model : str
        The fingerprint of the model.
    people : mapping of str to str
        For each person the digest of the identifier and of the row.
    erased : frozenset of str
        Digests of the identifiers of those who were taken out.

    Examples
    --------
    >>> import xseg
    >>> from xseg.governance.rights import FitRecord, erase
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> record = FitRecord.from_fit(segmenter, customers, ids=customers.index, key="keep this elsewhere")
    >>> erased = erase(segmenter, customers.head(1), ids=["C000001"], record=record, key="keep this elsewhere")
    >>> len(record.people), len(erased.record.people), len(erased.record.erased)
    (500, 499, 1)
    """

    model: str
    people: Mapping[str, str] = field(repr=False)
    erased: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def from_fit(cls, segmenter: SegmenterOrPipeline, X: Any, *, ids: ArrayLike, key: str | bytes) -> "FitRecord":
        """Record who was in a fit, right after it.

        Parameters
        ----------
        segmenter : fitted segmenter, or ConsentGate
            The model.
        X : table or array of shape (n_rows, n_features)
            The table that it was fitted on; of a gate, the rows that it admitted.
        ids : array-like of str or int of shape (n_rows,)
            Whom each row is about; everybody has one row.
        key : str or bytes
            The secret of the digests, at least 16 long.

        Returns
        -------
        FitRecord
            To be given to `xseg.governance.rights.erase`.

        Raises
        ------
        DataError
            The table is not the one that was fitted, or somebody has two rows.
        ParameterError
            The key is too short.
        """
        model, table = get_model(segmenter), read_table(X)
        check_nobody_left(model, table, "X")
        people = compute_digests(model, table, ids, key)
        return cls(fingerprint(model), MappingProxyType(dict(sorted(people))))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the record to a JSON file, whole or not at all.

        Raises
        ------
        ConsentError
            The file cannot be written.
        """
        document = {"format": _FORMAT, "version": _VERSION, "model": self.model}
        document |= {"people": dict(self.people), "erased": sorted(self.erased)}
        try:
            write_whole(path, json.dumps(document, indent=1, allow_nan=False) + "\n")
        except OSError as error:
            message = f"cannot write the fit record {path}: {error.strerror}; check the folder and its permissions"
            raise ConsentError(message) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "FitRecord":
        """Read a record that `save` wrote.

        Raises
        ------
        ConsentError
            The file cannot be read, or is no such record.
        """
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            message = f"cannot read the fit record {path}: {error}"
            raise ConsentError(message) from error
        facts: dict[str, Any] = document if isinstance(document, dict) else {}
        people: Any = facts.get("people")
        erased: Any = facts.get("erased")
        sound = (
            isinstance(people, dict)
            and isinstance(erased, list)
            and (facts.get("format"), facts.get("version")) == (_FORMAT, _VERSION)
            and all(map(_is_digest, [facts.get("model"), *people, *people.values(), *erased]))
        )
        if not sound:
            message = f"{path} is no fit record of version {_VERSION}; give a file that FitRecord.save wrote"
            raise ConsentError(message)
        return cls(facts["model"], MappingProxyType(people), frozenset(erased))

    def check(self, model: Any, people: list[tuple[str, str]]) -> None:
        """Raise unless everybody was in the fit of this model, with this row, and is still in it.

        Raises
        ------
        DataError
            Somebody was not, or was taken out before; the row is named.
        """
        if self.model != fingerprint(model):
            message = "the record is of another model; give the record that belongs to this one, as `erase` returns it"
            raise DataError(message)
        for row, (person, values) in enumerate(people):
            if person in self.erased:
                message = f"row {row}: this person has been taken out of the model before; nothing is left to erase"
                raise DataError(message)
            if person not in self.people:
                message = f"row {row}: this person was not in the table that was fitted; check the identifier and key"
                raise DataError(message)
            if self.people[person] != values:
                message = f"row {row}: these are not the values this person was fitted with; give the row as it was"
                raise DataError(message)

    def without(self, people: list[tuple[str, str]], model: Any) -> "FitRecord":
        """Return the record of the model without some people."""
        gone = {person for person, _ in people}
        kept = {person: values for person, values in self.people.items() if person not in gone}
        return FitRecord(fingerprint(model), MappingProxyType(kept), self.erased | gone)


def compute_digests(model: Any, table: Table, ids: ArrayLike, key: str | bytes) -> list[tuple[str, str]]:
    """Return for each row the keyed digests of its identifier and of its values."""
    secret = key.encode() if isinstance(key, str) else key
    if not isinstance(secret, bytes) or len(secret) < _SHORTEST_KEY:
        message = f"key must be a secret of at least {_SHORTEST_KEY} characters; make one with secrets.token_hex(16)"
        raise ParameterError(message)
    names = read_identifiers(ids, "ids")
    if len(names) != len(table):
        message = f"ids has {len(names)} identifiers for {len(table)} rows; give one for each row"
        raise DataError(message)
    seen: set[Any] = {None}
    for row, name in enumerate(names.tolist()):
        if name in seen:
            what = "is missing" if name is None else f"{name!r} stands there twice"
            message = f"ids, row {row}: the identifier {what}; give each person once"
            raise DataError(message)
        seen.add(name)
    wanted = model.profile_.bins.schema.names
    columns = {column.name: column for column in table.columns}
    cells = [_cells(columns[name]) for name in wanted]
    return [
        (
            _digest(secret, "person", name),
            _digest(secret, "row", name, *(column[row] for column in cells)),
        )
        for row, name in enumerate(names.tolist())
    ]


def _cells(column: Column) -> list[str]:
    if column.categories:
        words = np.array([*(f"t{name}" for name in column.categories), ""], dtype=object)
        return [str(word) for word in words[np.asarray(column.values, dtype=np.int64)]]
    numbers: NDArray[np.float64] = np.asarray(column.values, dtype=np.float64)
    return ["" if number != number else float(number).hex() for number in numbers.tolist()]


def _digest(secret: bytes, *parts: str) -> str:
    # Each part after its length, so that no two lists of parts give the same bytes.
    said = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return hmac.new(secret, said, "sha256").hexdigest()


def _is_digest(text: Any) -> bool:
    return isinstance(text, str) and len(text) == _DIGITS and set(text) <= set("0123456789abcdef")


@dataclass(frozen=True, eq=False)
class Erasure:
    """A model without some of the people it was fitted on.

    Attributes
    ----------
    segmenter : segmenter
        The model: a refit on the remaining people where they were given, otherwise the old one with every kept count
        and sum as if the people had never been counted.
    n_erased : int
        How many people were taken out.
    equals_refit : bool or None
        Whether subtracting gives what a fit without the people gives, bit for bit in all that places, counts and
        explains people; None where the remaining people were not given, so that nobody can know.
    changes : tuple of {"cuts", "counts", "names"}
        What a refit has that subtracting does not give; without the remaining people, what is certain to change.
    refit_due : bool
        Whether the model still has to be fitted again, because thresholds and boundaries were found with the people
        in the table.
    record : FitRecord or None
        The record of the model without the people, where one was given; keep it in the place of the old one.
    """

    segmenter: SegmenterOrPipeline
    n_erased: int
    equals_refit: bool | None
    changes: tuple[str, ...]
    refit_due: bool
    record: FitRecord | None = None

    def __str__(self) -> str:
        if self.equals_refit is None:
            return f"{self.n_erased} taken out of every count; the boundaries were found with them: a refit is due"
        if self.equals_refit:
            return f"{self.n_erased} taken out; a fit without them gives the same model, bit for bit"
        return f"{self.n_erased} taken out by a refit, which has other {' and '.join(self.changes)}"


def erase(
    segmenter: SegmenterOrPipeline,
    X: Any,
    *,
    remaining: Any = None,
    y: Any = None,
    ids: ArrayLike | None = None,
    record: FitRecord | None = None,
    key: str | bytes | None = None,
) -> Erasure:
    """Remove people from a fitted model.

    It must be shown that the people are in the model: by a `FitRecord`, with their identifiers, or by the remaining
    people, who together with `X` make up exactly what the model has counted. What cannot be shown is refused:
    people who were never in the fit, who were taken out before, or whose values are others.

    Every count and sum that the model keeps of its population is integer arithmetic, so that the people's part is
    subtracted exactly. Thresholds, boundaries and centres were found with the people in the table; whether they would
    be the same without them is known only by fitting again.

    Parameters
    ----------
    segmenter : fitted segmenter, or ConsentGate
        The model; it is left as it is. Of a gate, the model inside is changed, and the result is a gate.
    X : table or array of shape (n_erased, n_features)
        The people to take out, as they were in the table that was fitted.
    remaining : table or array of shape (n_rows, n_features), default=None
        Everybody else. With them the model is fitted again, and what subtracting gives is compared with it.
    y : array-like of shape (n_rows,), default=None
        What the remaining people are fitted to, for segmenters that need it.
    ids : array-like of str or int of shape (n_erased,), default=None
        Whom each row is about, for the record.
    record : FitRecord, default=None
        Who was in the fit, as it was recorded then.
    key : str or bytes, default=None
        The secret of the record.

    Returns
    -------
    Erasure
        The model without the people, and what is proven of it.

    Raises
    ------
    NotFittedError, DataError
        As for `predict`.
    DataError
        Somebody was not in the table that was fitted, was taken out before, or had other values.
    ParameterError
        Neither the remaining people nor a record with ids and key were given, or the model was fitted with weights, so
        that a person's part is not known.
    UnsupportedTypeError
        The model keeps estimates besides counts (`OutcomeSegmenter`), and the remaining people were not given.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Article 17. Cao and Yang, "Towards making systems forget with machine unlearning",
    2015, on models that are sums.

    Examples
    --------
    >>> import xseg
    >>> from xseg.governance.rights import erase
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> erased = erase(segmenter, customers.head(1), remaining=customers.iloc[1:])
    >>> erased.refit_due, int(sum(segment.size for segment in erased.segmenter.segments_))
    (False, 499)
    """
    if isinstance(segmenter, ConsentGate):
        inside = erase(get_model(segmenter), X, remaining=remaining, y=y, ids=ids, record=record, key=key)
        gate = copy(segmenter)
        gate.__dict__.pop("labels_", None)
        gate.segmenter_ = inside.segmenter
        return replace(inside, segmenter=gate)
    segmenter = get_model(segmenter)
    table = read_table(X)
    if segmenter.keeps_estimates and remaining is None:
        message = (
            f"{type(segmenter).__name__} keeps estimates of an outcome besides counts; give the remaining people and "
            "their y"
        )
        raise UnsupportedTypeError(message)
    if segmenter.profile_.unit != 1.0:
        message = "the model was fitted with weights, so that a person's part in it is not known; fit it again"
        raise ParameterError(message)
    if remaining is None and record is None:
        message = (
            "nothing shows that these people were in the fit: give the remaining people (remaining=), or a FitRecord "
            "that was made after the fit (record=, with ids= and key=)"
        )
        raise ParameterError(message)
    people: list[tuple[str, str]] = []
    if record is not None:
        if not isinstance(record, FitRecord) or ids is None or key is None:
            message = "record must be a FitRecord, given with ids= and key=; read one with FitRecord.load"
            raise ParameterError(message)
        segmenter.predict(X)
        people = compute_digests(segmenter, table, ids, key)
        record.check(segmenter, people)
    less = subtract_people(segmenter, table)
    if remaining is None:
        certain = ("names",) if _proposes_other_names(segmenter, less) else ()
        changed = None if record is None else record.without(people, less)
        return Erasure(less, len(table), None, certain, refit_due=True, record=changed)
    check_nobody_left(less, read_table(remaining), "remaining")
    refit = clone(segmenter).fit(remaining) if y is None else clone(segmenter).fit(remaining, y)
    changes = tuple(what for what, same in _COMPARED.items() if not same(less, refit))
    changed = None if record is None else record.without(people, refit)
    return Erasure(refit, len(table), not changes, changes, refit_due=False, record=changed)


def _proposes_other_names(segmenter: FittedSegmenter, less: Any) -> bool:
    before = propose_names(segmenter.profile_, segmenter.model_)
    return before == segmenter.segment_names_ and propose_names(less.profile_, less.model_) != before


def _same_cuts(less: Any, refit: Any) -> bool:
    """Return whether two models place everybody alike, by the very same numbers."""
    if less.n_segments_ != refit.n_segments_ or not _same_bins(less, refit):
        return False
    return bool(less.model_.assigns_like(refit.model_))


def _same_bins(less: Any, refit: Any) -> bool:
    pairs = zip(less.profile_.bins.features, refit.profile_.bins.features, strict=True)
    return all(
        np.array_equal(one.thresholds, other.thresholds) and one.categories == other.categories for one, other in pairs
    )


def _same_counts(less: Any, refit: Any) -> bool:
    """Return whether the same people are counted alike, and "not known" is averaged over the same sums."""
    if less.profile_.counts.shape != refit.profile_.counts.shape:
        return False
    if not np.array_equal(less.profile_.counts, refit.profile_.counts):
        return False
    return bool(less.model_.counts_like(refit.model_))


def _same_names(less: Any, refit: Any) -> bool:
    return tuple(less.segment_names_) == tuple(refit.segment_names_)


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "cuts": _same_cuts,
    "counts": _same_counts,
    "names": _same_names,
}
