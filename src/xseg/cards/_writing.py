"""Writing many cards to a folder, so that it can be stopped and taken up again."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from xseg._files import write_whole
from xseg.cards._make import make_cards
from xseg.exceptions import DataError, ParameterError
from xseg.export import fingerprint
from xseg.policy import Policy

__all__ = ["FORMS", "WrittenCards", "write_cards"]

FORMS = {"html": "html", "text": "txt", "markdown": "md", "json": "json"}
_MANIFEST = "xseg-cards.json"


@dataclass(frozen=True, slots=True)
class WrittenCards:
    """What `write_cards` did.

    Attributes
    ----------
    folder : Path
        Where the cards are.
    n_written : int
        How many people's cards were written now.
    n_kept : int
        How many were there already, from an earlier call that was stopped.
    """

    folder: Path
    n_written: int
    n_kept: int


def write_cards(
    segmenter: Any,
    X: Any,
    folder: str | os.PathLike[str],
    *,
    ids: Sequence[Any],
    policy: Any = None,
    forms: Sequence[str] = ("html",),
    now: datetime | None = None,
    progress: Callable[[], None] = lambda: None,
) -> WrittenCards:
    """Write one file per person and form; what an earlier, stopped call wrote is kept.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    X : table or array of shape (n_rows, n_features)
        The people.
    folder : path
        Where to write; made if it is not there. It remembers the model and policy, and refuses cards of another.
    ids : sequence of shape (n_rows,)
        A name for each person; it becomes the file name and the card's reference.
    policy : Policy, path or None, default=None
        What the people may be told.
    forms : sequence of {"html", "text", "markdown", "json"}, default=("html",)
        Which files to write.
    now : datetime, default=None
        The date on the cards.
    progress : callable, default=nothing
        Called once for each person.

    Returns
    -------
    WrittenCards
        The folder and the counts.

    Raises
    ------
    DataError
        Ids are missing or repeated, or the folder holds cards of another model or policy.
    ParameterError
        A form is not known.

    Examples
    --------
    >>> import tempfile, xseg
    >>> from xseg.cards import write_cards
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> some = customers.head(4)
    >>> folder = tempfile.mkdtemp()
    >>> write_cards(segmenter, some, folder, ids=list(some.index)).n_written
    4
    >>> write_cards(segmenter, some, folder, ids=list(some.index)).n_kept
    4
    """
    unknown = [form for form in forms if form not in FORMS]
    if unknown or not forms:
        message = f"forms must be some of {', '.join(FORMS)}; got {list(forms)}"
        raise ParameterError(message)
    stems = _file_names(ids)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    _check_manifest(target, segmenter, Policy.of(policy))
    cards = make_cards(segmenter, X, policy=policy, ids=[str(name) for name in ids], now=now)
    n_written = 0
    for card_number, stem in enumerate(stems):
        paths = {form: target / f"{stem}.{FORMS[form]}" for form in forms}
        missing = [form for form, path in paths.items() if not path.exists()]
        card = cards[card_number] if missing else None
        for form in missing:
            write_whole(paths[form], getattr(card, form)(), durable=False)
        n_written += bool(missing)
        progress()
    return WrittenCards(target, n_written, len(stems) - n_written)


def _file_names(ids: Sequence[Any]) -> list[str]:
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


def _check_manifest(folder: Path, segmenter: Any, policy: Policy) -> None:
    manifest = {
        "format": "xseg-cards",
        "version": 1,
        "model": fingerprint(segmenter),
        "policy": hashlib.sha256(policy.to_yaml().encode()).hexdigest(),
    }
    path = folder / _MANIFEST
    if not path.exists():
        write_whole(path, json.dumps(manifest, indent=1) + "\n")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if found != manifest:
        message = f"{folder} holds cards of another model or policy; write to another folder, or empty this one first"
        raise DataError(message)
