"""Taking a person's cards out of a folder."""

import json
import os
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from xseg._files import write_whole
from xseg._optional import require
from xseg.cards._manifest import MANIFEST, close_folder
from xseg.cards._stems import stem_of
from xseg.exceptions import DataError

__all__ = ["remove_cards"]


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
    >>> _ = write_cards(segmenter, customers, folder, ids=list(customers.index), forms=["html", "jsonl"])
    >>> remove_cards(folder, [customers.index[0]])
    2
    """
    target = Path(folder)
    if not (target / MANIFEST).exists():
        message = f"{target} holds no cards; give the folder that write_cards wrote"
        raise DataError(message)
    gone = frozenset(str(name).strip() for name in ids)
    stems = frozenset(map(stem_of, gone))
    # Closed first: a removal that is killed must not be undone by whoever takes up writing.
    close_folder(target, stems)
    return sum(_remove_from(path, gone, stems) for path in sorted(target.iterdir()) if path.name != MANIFEST)


def _remove_from(path: Path, gone: AbstractSet[str], stems: AbstractSet[str]) -> int:
    if path.suffix in _PARTS and path.name.startswith("cards-"):
        return _PARTS[path.suffix](path, gone)
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


_PARTS = {".jsonl": _rewrite_lines, ".parquet": _rewrite_table}
