"""Names of people as names of files."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

from xseg.exceptions import DataError

__all__ = ["file_stems", "id_of"]


def file_stems(ids: Sequence[Any]) -> list[str]:
    """Give a file name, without its ending, for each person; nothing in an id can lead out of the folder.

    Raises
    ------
    DataError
        A person has no id, or two have the same.
    """
    stems: dict[str, int] = {}
    for row, name in enumerate(ids):
        text = "" if name is None or name != name else str(name).strip()
        if not text:
            message = f"row {row} has no id; give each person one, or leave the row out"
            raise DataError(message)
        stem = quote(text, safe=" ").replace(".", "%2E")
        if stem in stems:
            message = f"id {text!r} is used in row {stems[stem]} and again in row {row}; ids must be unique"
            raise DataError(message)
        stems[stem] = row
    return list(stems)


def id_of(stem: str) -> str:
    """Give the id that a file name was made of."""
    return unquote(stem)
