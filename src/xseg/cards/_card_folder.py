"""A folder of cards: names of files, sinks for each form, the manifest, and removing a person's cards."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote

import numpy as np

from xseg._files import digest_parts, write_whole
from xseg._optional import require
from xseg.cards._card_record import AnyCard
from xseg.cards._consent_facts import ConsentLedger, IdentityLinks, is_consent_gate
from xseg.cards._fact_types import SegmentFact
from xseg.core.tables import Table
from xseg.exceptions import DataError
from xseg.export import fingerprint, get_approval
from xseg.policy import Policy
from xseg.segmenters import SegmenterOrPipeline, find_route

__all__ = [
    "FORMS",
    "MANIFEST",
    "PEOPLE_IN_A_PART",
    "Sink",
    "build_file_stem",
    "build_file_stems",
    "close_folder",
    "describe_inputs",
    "open_folder",
    "open_sinks",
    "remove_cards",
    "remove_files",
]

# File systems take names of 255 bytes; a draft of a card adds 45 to its own name.
_MAX_STEM_LENGTH = 180
_KEPT_CHARACTERS = 96


def build_file_stems(ids: Sequence[Any]) -> dict[str, str]:
    """Return the id of each person by the name of their files, without its ending.

    Raises
    ------
    DataError
        A person has no id, two have the same, or an id is no text that a file can be named by.
    """
    stems: dict[str, int] = {}
    names: list[str] = []
    for row, name in enumerate(ids):
        text = "" if name is None or name != name else str(name).strip()
        if not text:
            message = f"row {row} has no id; give each person one, or leave the row out"
            raise DataError(message)
        try:
            stem = build_file_stem(text)
        except UnicodeEncodeError as error:
            message = f"the id in row {row} holds half of a character (a lone surrogate); correct it: {text!a}"
            raise DataError(message) from error
        if stem in stems:
            message = f"id {text!r} is used in row {stems[stem]} and again in row {row}; ids must be unique"
            raise DataError(message)
        stems[stem] = row
        names.append(text)
    return dict(zip(stems, names, strict=True))


def build_file_stem(name: str) -> str:
    """Return the name of a person's files, without its ending; nothing in an id can lead out of the folder.

    A name that is too long is cut, and ends in a digest of the whole id. Its equals sign is in no name that is not cut,
    so that no two ids have the same.
    """
    stem = quote(name, safe=" ").replace(".", "%2E")
    if len(stem) <= _MAX_STEM_LENGTH:
        return stem
    kept = stem[:_KEPT_CHARACTERS]
    if "%" in stem[_KEPT_CHARACTERS - 2 : _KEPT_CHARACTERS]:
        kept = kept.rsplit("%", 1)[0]
    return f"{kept}={_digest_name(name)}"


def _digest_name(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]


PEOPLE_IN_A_PART: Final = 10_000
_PART_NAME: Final = re.compile(r"cards-\d{5,}\.[a-z]+")
_FILE_ENDINGS: Final = {
    "html": "html",
    "text": "txt",
    "markdown": "md",
    "json": "json",
    "email": "email.html",
    "svg": "svg",
    "png": "png",
    "pdf": "pdf",
}


class Sink(Protocol):
    """Takes the cards of some people in one form."""

    def is_missing(self, place: int) -> bool:
        """Return whether the card of a person is not there yet."""
        ...

    def write(self, place: int, card: AnyCard) -> None:
        """Write the card of a person."""
        ...

    def close(self) -> None:
        """Write what was taken, if it is written together."""
        ...


class _Files:
    """A file for each person."""

    def __init__(self, form: str, folder: Path, part: int, stems: Sequence[str]) -> None:
        del part
        self.form = form
        self.neighbours = [folder / f"{stem}.{_FILE_ENDINGS[form]}" for stem in stems]

    def is_missing(self, place: int) -> bool:
        return not self.neighbours[place].exists()

    def write(self, place: int, card: AnyCard) -> None:
        write_whole(self.neighbours[place], getattr(card, self.form)(), durable=False)

    def close(self) -> None:
        """Return without writing: each file is whole already."""


class _Part:
    """One file for many people; it is there as a whole or not at all."""

    def __init__(self, form: str, folder: Path, part: int, stems: Sequence[str]) -> None:
        self.path = folder / f"cards-{part:05d}.{form}"
        self.is_there = self.path.exists()
        self.lines: list[_Line] = []
        self.write_all = _PART_WRITERS[form]
        del stems

    def is_missing(self, place: int) -> bool:
        del place
        return not self.is_there

    def write(self, place: int, card: AnyCard) -> None:
        del place
        # A card is let go as text: thousands of records would keep the collector of garbage busy.
        group: SegmentFact | None = getattr(card, "segment", None)
        index, name = (None, None) if group is None else (group.index, group.name)
        self.lines.append(_Line(card.reference, index, name, card.issued, card.json()))

    def close(self) -> None:
        if self.lines:
            write_whole(self.path, self.write_all(self.lines))
            self.lines = []


class _Line(NamedTuple):
    """What is written of a card."""

    reference: str | None
    segment: int | None
    segment_name: str | None
    issued: date
    card: str


def _format_json_lines(lines: Sequence[_Line]) -> str:
    return "".join(f"{line.card}\n" for line in lines)


def _format_parquet(lines: Sequence[_Line]) -> bytes:
    """Write what is looked up as columns, and the whole record as JSON."""
    pyarrow: Any = require("pyarrow", extra="parquet", purpose="writing Parquet")
    parquet: Any = require("pyarrow.parquet", extra="parquet", purpose="writing Parquet")
    table = pyarrow.table(dict(zip(_Line._fields, map(list, zip(*lines, strict=True)), strict=True)))
    buffer = pyarrow.BufferOutputStream()
    parquet.write_table(table, buffer, compression="zstd")
    written: bytes = buffer.getvalue().to_pybytes()
    return written


_PART_WRITERS: Final[dict[str, Callable[[Sequence[_Line]], str | bytes]]] = {
    "jsonl": _format_json_lines,
    "parquet": _format_parquet,
}
FORMS: Final = (*_FILE_ENDINGS, *_PART_WRITERS)


def remove_files(folder: Path, stems: Sequence[str]) -> None:
    """Remove the cards of some people in every form, and the files that hold cards of many."""
    names = {f"{stem}.{ending}" for stem in stems for ending in _FILE_ENDINGS.values()}
    for path in folder.iterdir():
        if path.name in names or (_PART_NAME.fullmatch(path.name) and path.suffix[1:] in _PART_WRITERS):
            path.unlink()


def open_sinks(forms: Sequence[str], folder: Path, part: int, stems: Sequence[str]) -> list[Sink]:
    """Open what is asked for, for the people of one part."""
    return [(_Files if form in _FILE_ENDINGS else _Part)(form, folder, part, stems) for form in forms]


MANIFEST: Final = "xseg-cards.json"
_REMOVED: Final = "some were removed"
# What a person calls each entry, where the two are not the same.
_ENTRY_LABELS: Final = {
    "written_by": "version of xseg",
    "rows": "values of the people",
    "consent": "state of the ledger",
    "identities": "links between identifiers",
    "log": "receipts in the log of the gate",
    "gate": "purpose or time of the gate",
    "original": "answers of the original",
    "approval": "state of approval",
}


def describe_inputs(
    segmenter: SegmenterOrPipeline,
    table: Table,
    names: Sequence[str],
    *,
    policy: Policy,
    locale: str | None,
    tone: str,
    ledger: ConsentLedger | None,
    identities: IdentityLinks | None,
    at: datetime,
) -> dict[str, Any]:
    """Describe everything that a card depends on, by digests."""
    gate = segmenter if is_consent_gate(segmenter) else None
    model = segmenter if gate is None else gate.segmenter_
    asked, linked = (ledger, identities) if gate is None else (gate.ledger, gate.identities)
    original = getattr(find_route(model).segmenter, "estimator_", None)
    return {
        "format": "xseg-cards",
        "version": 4,
        "written_by": version("xseg"),
        "model": fingerprint(model),
        "original": None if original is None else type(original).__name__,
        "approval": get_approval(model, at=at.date()).state,
        "policy": digest_parts(policy.to_yaml()),
        "people": digest_parts(*names),
        "rows": _digest_of_rows(table),
        "consent": None if asked is None else asked.digest_state(),
        "identities": None if linked is None else linked.digest_state(),
        **({"gate": None, "log": None} if gate is None else gate.describe_exclusions(names)),
        "locale": policy.locale if locale is None else locale,
        "tone": tone,
    }


def open_folder(
    folder: Path, about: Mapping[str, Any], people: Mapping[str, str], at: datetime, *, overwrite: bool
) -> datetime:
    """Check that a folder holds the same cards, or note what it will hold; returns the day on the cards.

    Parameters
    ----------
    folder : Path
        The folder.
    about : mapping
        What the cards depend on.
    people : mapping of str to str
        The id of each person by the name of their files.
    at : datetime
        The day, if the folder is new.
    overwrite : bool
        Whether other cards are removed first.

    Raises
    ------
    DataError
        The folder holds other cards, and they are not to be removed, or cannot be distinguished from other files.
    """
    path = folder / MANIFEST
    if path.exists():
        found, issued = _read_manifest(path)
        different = [name for name in about if name not in found or found[name] != about[name]]
        if not different and issued is not None:
            return issued
        if not overwrite:
            raise DataError(_describe_refusal(folder, found, different))
        _remove_earlier(folder, found)
    # Ids are read from the names of files, except where a name had to be shortened.
    shortened = {stem: name for stem, name in people.items() if "=" in stem}
    written = {**about, "issued": at.isoformat(), "files": list(people), "shortened": shortened}
    write_whole(path, json.dumps(written, indent=1) + "\n")
    return at


def close_folder(folder: Path, gone: Iterable[str]) -> None:
    """Record that a folder no longer holds the cards of some people, and forget the names of their files."""
    about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    removed = frozenset(gone)
    about["people"] = _REMOVED
    about["files"] = [stem for stem in about.get("files", []) if stem not in removed]
    about["shortened"] = {stem: name for stem, name in about.get("shortened", {}).items() if stem not in removed}
    write_whole(folder / MANIFEST, json.dumps(about, indent=1) + "\n")


def _read_manifest(path: Path) -> tuple[dict[str, Any], datetime | None]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found, datetime.fromisoformat(found["issued"])
    except (ValueError, KeyError, TypeError):
        return {}, None


def _describe_refusal(folder: Path, found: Mapping[str, Any], different: Sequence[str]) -> str:
    remedy = "write to another folder, or write them all anew with overwrite=True (--overwrite)"
    if found.get("people") == _REMOVED or found.get("version") != 4:
        remedy = "write to another folder, or empty this one first"
    if found.get("version") != 4:
        return f"{folder} holds cards of another kind; {remedy}"
    differs = ", ".join(_ENTRY_LABELS.get(name, name) for name in different)
    return f"{folder} holds cards of another call, which differs in: {differs}; {remedy}"


def _remove_earlier(folder: Path, found: Mapping[str, Any]) -> None:
    """Remove the cards of an earlier call; files that it did not write stay."""
    files = found.get("files")
    if found.get("version") != 4 or found.get("people") == _REMOVED or not isinstance(files, list):
        raise DataError(_describe_refusal(folder, found, ["people"]))
    remove_files(folder, [stem for stem in files if isinstance(stem, str) and Path(stem).name == stem])


def _digest_of_rows(table: Table) -> str:
    """Digest values, not how a container stores them: the same table from CSV and Parquet is the same."""
    parts: list[str | bytes] = []
    for column in table.columns:
        parts += [column.name, column.kind.value]
        if column.kind.is_numeric:
            # Zero has two signs, and NaN many forms.
            numbers = np.asarray(column.values, dtype=np.float64) + 0.0
            parts.append(np.where(np.isnan(numbers), np.nan, numbers).tobytes())
        else:
            ranks = {category: rank for rank, category in enumerate(sorted(column.categories))}
            place = np.array([*(ranks[category] for category in column.categories), -1], dtype=np.int64)
            parts += [*ranks, place[np.asarray(column.values, dtype=np.int64)].tobytes()]
    return digest_parts(*parts)


def remove_cards(folder: str | os.PathLike[str], ids: Iterable[Any]) -> int:
    """Remove people's cards from a folder that `xseg.cards.write_cards` wrote.

    A person's own files are deleted; files of many people are written anew without them, whole or not at all. The
    folder is then closed: a call of `write_cards` that would write the people again is refused.

    Parameters
    ----------
    folder : path
        The folder.
    ids : iterable of str
        The people's ids, as they were given when the cards were written.

    Returns
    -------
    int
        How many cards were taken out, over all forms.

    Raises
    ------
    DataError
        The folder holds no cards.

    Examples
    --------
    >>> import tempfile, xseg
    >>> from xseg.cards import remove_cards, write_cards
    >>> customers = xseg.make_customers(500, random_state=0).head(3)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(xseg.make_customers(500, random_state=0))
    >>> folder = tempfile.mkdtemp()
    >>> _ = write_cards(segmenter, customers, folder=folder, ids=list(customers.index), forms=["html", "jsonl"])
    >>> remove_cards(folder, [customers.index[0]])
    2
    """
    target = Path(folder)
    if not (target / MANIFEST).exists():
        message = f"{target} holds no cards; give the folder that write_cards wrote"
        raise DataError(message)
    gone = frozenset(str(name).strip() for name in ids)
    stems = frozenset(map(build_file_stem, gone))
    # Closed first: a removal that is killed must not be undone by whoever takes up writing.
    close_folder(target, stems)
    return sum(_remove_from(path, gone, stems) for path in sorted(target.iterdir()) if path.name != MANIFEST)


def _remove_from(path: Path, gone: AbstractSet[str], stems: AbstractSet[str]) -> int:
    if path.suffix in _PART_REWRITERS and path.name.startswith("cards-"):
        return _PART_REWRITERS[path.suffix](path, gone)
    if path.name.partition(".")[0] not in stems:
        return 0
    path.unlink()
    return 1


def _rewrite_lines(path: Path, gone: AbstractSet[str]) -> int:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["reference"] not in gone]
    if len(kept) < len(lines):
        write_whole(path, "".join(kept))
    return len(lines) - len(kept)


def _rewrite_table(path: Path, gone: AbstractSet[str]) -> int:
    parquet: Any = require("pyarrow.parquet", extra="parquet", purpose="removing cards from Parquet")
    pyarrow: Any = require("pyarrow", extra="parquet", purpose="removing cards from Parquet")
    table = parquet.read_table(path)
    keep = [name not in gone for name in table["reference"].to_pylist()]
    if all(keep):
        return 0
    buffer = pyarrow.BufferOutputStream()
    parquet.write_table(table.filter(pyarrow.array(keep)), buffer, compression="zstd")
    write_whole(path, buffer.getvalue().to_pybytes())
    return keep.count(False)


_PART_REWRITERS = {".jsonl": _rewrite_lines, ".parquet": _rewrite_table}
