"""What a folder of cards was made of, so that cards of other people, or of another day, are not taken for today's."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from xseg._files import write_whole
from xseg.cards._sinks import remove_files
from xseg.core.tables import Table
from xseg.exceptions import DataError
from xseg.export import approval_of, fingerprint
from xseg.governance.consent import ConsentGate, Identities, Ledger
from xseg.policy import Policy
from xseg.segmenters._pipelines import route_of

__all__ = ["MANIFEST", "close_folder", "describe_order", "open_folder"]

MANIFEST: Final = "xseg-cards.json"
_REMOVED: Final = "some were removed"
# What a person calls each entry, where the two are not the same.
_SAID: Final = {
    "written_by": "version of xseg",
    "rows": "values of the people",
    "consent": "state of the ledger",
    "identities": "links between identifiers",
    "log": "receipts in the log of the gate",
    "gate": "purpose or time of the gate",
    "original": "answers of the original",
    "approval": "state of approval",
}


def describe_order(
    segmenter: Any,
    table: Table,
    names: Sequence[str],
    *,
    policy: Policy,
    locale: str | None,
    tone: str,
    ledger: Ledger | None,
    identities: Identities | None,
    now: datetime,
) -> dict[str, Any]:
    """Describe everything that a card depends on, by digests."""
    gate = segmenter if isinstance(segmenter, ConsentGate) else None
    model = segmenter if gate is None else gate.segmenter_
    asked, linked = (ledger, identities) if gate is None else (gate.ledger, gate.identities)
    original = getattr(route_of(model).segmenter, "estimator_", None)
    return {
        "format": "xseg-cards",
        "version": 4,
        "written_by": version("xseg"),
        "model": fingerprint(model),
        "original": None if original is None else type(original).__name__,
        "approval": approval_of(model, now=now.date()).state,
        "policy": _digest(policy.to_yaml()),
        "people": _digest(*names),
        "rows": _digest_of_rows(table),
        "consent": None if asked is None else asked.head.hash,
        "identities": None if linked is None else _digest_of_links(linked),
        "gate": None if gate is None else f"{gate.purpose}, {gate.at}",
        "log": None if gate is None or gate.log is None else _digest_of_log(gate, names),
        "locale": policy.locale if locale is None else locale,
        "tone": tone,
    }


def open_folder(
    folder: Path, about: Mapping[str, Any], people: Mapping[str, str], now: datetime, *, overwrite: bool
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
    now : datetime
        The day, if the folder is new.
    overwrite : bool
        Whether other cards are removed first.

    Raises
    ------
    DataError
        The folder holds other cards, and they are not to be removed, or cannot be told from other files.
    """
    path = folder / MANIFEST
    if path.exists():
        found, issued = _read(path)
        different = [name for name in about if name not in found or found[name] != about[name]]
        if not different and issued is not None:
            return issued
        if not overwrite:
            raise DataError(_refusal(folder, found, different))
        _remove(folder, found)
    # Ids are told from the names of files, except where a name had to be shortened.
    shortened = {stem: name for stem, name in people.items() if "=" in stem}
    written = {**about, "issued": now.isoformat(), "files": list(people), "shortened": shortened}
    write_whole(path, json.dumps(written, indent=1) + "\n")
    return now


def close_folder(folder: Path, gone: Iterable[str]) -> None:
    """Record that a folder no longer holds the cards of some people, and forget the names of their files."""
    about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    removed = frozenset(gone)
    about["people"] = _REMOVED
    about["files"] = [stem for stem in about.get("files", []) if stem not in removed]
    about["shortened"] = {stem: name for stem, name in about.get("shortened", {}).items() if stem not in removed}
    write_whole(folder / MANIFEST, json.dumps(about, indent=1) + "\n")


def _read(path: Path) -> tuple[dict[str, Any], datetime | None]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found, datetime.fromisoformat(found["issued"])
    except (ValueError, KeyError, TypeError):
        return {}, None


def _refusal(folder: Path, found: Mapping[str, Any], different: Sequence[str]) -> str:
    remedy = "write to another folder, or write them all anew with overwrite=True (--overwrite)"
    if found.get("people") == _REMOVED or found.get("version") != 4:
        remedy = "write to another folder, or empty this one first"
    if found.get("version") != 4:
        return f"{folder} holds cards of another kind; {remedy}"
    differs = ", ".join(_SAID.get(name, name) for name in different)
    return f"{folder} holds cards of another call, which differs in: {differs}; {remedy}"


def _remove(folder: Path, found: Mapping[str, Any]) -> None:
    """Remove the cards of an earlier call; files that it did not write stay."""
    files = found.get("files")
    if found.get("version") != 4 or found.get("people") == _REMOVED or not isinstance(files, list):
        raise DataError(_refusal(folder, found, ["people"]))
    remove_files(folder, [stem for stem in files if isinstance(stem, str) and Path(stem).name == stem])


def _digest(*texts: str | bytes) -> str:
    total = hashlib.sha256()
    for text in texts:
        part = text if isinstance(text, bytes) else text.encode()
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


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
    return _digest(*parts)


def _digest_of_links(identities: Identities) -> str:
    used = f"{identities.used_from} {identities.used_kinds}"
    return _digest(used, identities.to_frame().to_csv(index=False))


def _digest_of_log(gate: ConsentGate, names: Sequence[str]) -> str:
    """Digest whom a log keeps out of the model, and why."""
    barred = gate.log.barred(names, gate.purpose)
    ground = getattr(gate.log, "ground", lambda *_: None)
    return _digest(*(f"{name} {ground(name, gate.purpose)}" for name, out in zip(names, barred, strict=True) if out))
