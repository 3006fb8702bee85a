"""Who was in a fit, shown only to the holder of a key, and subtracting people from what was counted."""

import hmac
import json
import os
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xseg._files import write_whole
from xseg._kernels.center_kernels import add_code_counts
from xseg.core.profiles import SegmentProfile
from xseg.core.segments import Segments
from xseg.core.tables import Column, Table, read_table
from xseg.exceptions import ConsentError, DataError, ParameterError
from xseg.export import fingerprint
from xseg.governance.consent import read_identifiers
from xseg.segmenters import check_segmenter, get_segmenter

__all__ = ["FitRecord", "check_nobody_left", "get_model", "subtract_people"]

_ROW_ATTRIBUTES = ("labels_",)


def get_model(segmenter: Any) -> Any:
    """Return the fitted segmenter: itself, or the one inside a gate.

    Raises
    ------
    UnsupportedTypeError
        It is none of xseg.
    NotFittedError
        It has not been fitted.
    """
    return check_segmenter(get_segmenter(segmenter))


def check_nobody_left(segmenter: Any, table: Table, name: str) -> None:
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


def subtract_people(segmenter: Any, table: Table) -> Any:
    """Return a copy of a segmenter, with the people's part taken out of all it keeps."""
    labels = np.asarray(segmenter.predict(table), dtype=np.int64)
    profile = _subtract_counts(segmenter.profile_, table, labels)
    less = copy(segmenter)
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
    def from_fit(cls, segmenter: Any, X: Any, *, ids: ArrayLike, key: str | bytes) -> "FitRecord":
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
