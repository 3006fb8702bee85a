"""Where cards are written to: a file for each person, or one for many."""

import re
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from xseg._files import write_whole
from xseg._optional import require
from xseg.cards._any_card import AnyCard
from xseg.cards._fact_types import SegmentFact

__all__ = ["FORMS", "PEOPLE_IN_A_PART", "Sink", "remove_files", "sinks_of"]

PEOPLE_IN_A_PART: Final = 10_000
_PART_NAME: Final = re.compile(r"cards-\d{5,}\.[a-z]+")
_FILES: Final = {
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

    def lacks(self, place: int) -> bool:
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
        self.paths = [folder / f"{stem}.{_FILES[form]}" for stem in stems]

    def lacks(self, place: int) -> bool:
        return not self.paths[place].exists()

    def write(self, place: int, card: AnyCard) -> None:
        write_whole(self.paths[place], getattr(card, self.form)(), durable=False)

    def close(self) -> None:
        """Return without writing: each file is whole already."""


class _Part:
    """One file for many people; it is there as a whole or not at all."""

    def __init__(self, form: str, folder: Path, part: int, stems: Sequence[str]) -> None:
        self.path = folder / f"cards-{part:05d}.{form}"
        self.is_there = self.path.exists()
        self.lines: list[_Line] = []
        self.write_all = _PARTS[form]
        del stems

    def lacks(self, place: int) -> bool:
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


def _json_lines(lines: Sequence[_Line]) -> str:
    return "".join(f"{line.card}\n" for line in lines)


def _parquet(lines: Sequence[_Line]) -> bytes:
    """Write what is looked up as columns, and the whole record as JSON."""
    pyarrow: Any = require("pyarrow", extra="parquet", purpose="writing Parquet")
    parquet: Any = require("pyarrow.parquet", extra="parquet", purpose="writing Parquet")
    table = pyarrow.table(dict(zip(_Line._fields, map(list, zip(*lines, strict=True)), strict=True)))
    buffer = pyarrow.BufferOutputStream()
    parquet.write_table(table, buffer, compression="zstd")
    written: bytes = buffer.getvalue().to_pybytes()
    return written


_PARTS: Final[dict[str, Callable[[Sequence[_Line]], str | bytes]]] = {"jsonl": _json_lines, "parquet": _parquet}
FORMS: Final = (*_FILES, *_PARTS)


def remove_files(folder: Path, stems: Sequence[str]) -> None:
    """Remove the cards of some people in every form, and the files that hold cards of many."""
    names = {f"{stem}.{ending}" for stem in stems for ending in _FILES.values()}
    for path in folder.iterdir():
        if path.name in names or (_PART_NAME.fullmatch(path.name) and path.suffix[1:] in _PARTS):
            path.unlink()


def sinks_of(forms: Sequence[str], folder: Path, part: int, stems: Sequence[str]) -> list[Sink]:
    """Open what is asked for, for the people of one part."""
    return [(_Files if form in _FILES else _Part)(form, folder, part, stems) for form in forms]
