"""Names of people as names of files."""

import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from xseg.exceptions import DataError

__all__ = ["file_stems", "stem_of"]

# File systems take names of 255 bytes; a draft of a card adds 45 to its own name.
_LONGEST = 180
_KEPT = 96


def file_stems(ids: Sequence[Any]) -> dict[str, str]:
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
            stem = stem_of(text)
        except UnicodeEncodeError as error:
            message = f"the id in row {row} holds half of a character (a lone surrogate); correct it: {text!a}"
            raise DataError(message) from error
        if stem in stems:
            message = f"id {text!r} is used in row {stems[stem]} and again in row {row}; ids must be unique"
            raise DataError(message)
        stems[stem] = row
        names.append(text)
    return dict(zip(stems, names, strict=True))


def stem_of(name: str) -> str:
    """Return the name of a person's files, without its ending; nothing in an id can lead out of the folder.

    A name that is too long is cut, and ends in a digest of the whole id. Its equals sign is in no name that is not cut,
    so that no two ids have the same.
    """
    stem = quote(name, safe=" ").replace(".", "%2E")
    if len(stem) <= _LONGEST:
        return stem
    return f"{stem[:_KEPT].rsplit('%', 1)[0] if '%' in stem[_KEPT - 2 : _KEPT] else stem[:_KEPT]}={_digest(name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]
