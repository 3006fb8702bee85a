"""Saving fitted segmenters as JSON, and building them again after everything has been checked."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from xseg import __version__
from xseg._files import write_whole
from xseg.exceptions import ModelFileError, UnsupportedModelError
from xseg.export._build import build
from xseg.export._document import FORMAT, VERSION, ModelDocument
from xseg.segmenters import TreeSegmenter

__all__ = ["fingerprint", "load", "save"]

_MOST_BYTES = 256 * 2**20


def save(segmenter: TreeSegmenter, path: str | os.PathLike[str]) -> None:
    """Write a fitted segmenter to a JSON file: everything needed to predict, explain and print a card, and no row.

    Parameters
    ----------
    segmenter : fitted segmenter
        What to save.
    path : path
        The file; it is written whole or not at all.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    UnsupportedModelError
        The object is not a segmenter that can be saved.
    ModelFileError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib, xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.json"
    >>> xseg.save(segmenter, path)
    >>> bool((xseg.load(path).predict(customers) == segmenter.labels_).all())
    True
    """
    document = _describe(segmenter)
    document["fingerprint"] = _digest(document)
    text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    try:
        write_whole(path, text)
    except OSError as error:
        message = f"cannot write the model file {path}: {error.strerror}; check the folder and its permissions"
        raise ModelFileError(message) from error


def load(path: str | os.PathLike[str]) -> TreeSegmenter:
    """Read a segmenter that `save` wrote.

    Nothing in the file is executed; its shape, its numbers and its fingerprint are checked before anything is built.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    TreeSegmenter
        Fitted; `labels_` are not part of the file.

    Raises
    ------
    ModelFileError
        The file is missing, of an unknown version, damaged, or has been altered.

    Examples
    --------
    See `save`.
    """
    document = _read(Path(path))
    try:
        model = ModelDocument.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{path}: {where}: {first['msg']}; the file is not a model that this version of xseg can read"
        raise ModelFileError(message) from error
    if model.fingerprint != _digest(document):
        message = f"{path}: the fingerprint does not match the content: the file was altered after it was saved"
        raise ModelFileError(message)
    try:
        return build(model)
    except ModelFileError as error:
        message = f"{path}: {error}"
        raise ModelFileError(message) from None


def fingerprint(segmenter: TreeSegmenter) -> str:
    """Give the SHA-256 of everything `save` would write, in hexadecimal: two equal models have the same.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> import xseg
    >>> from xseg.export import fingerprint
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> len(fingerprint(xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)))
    64
    """
    return _digest(_describe(segmenter))


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            message = f"{path}: larger than {_MOST_BYTES // 2**20} MiB, which no model is"
            raise ModelFileError(message)
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        message = f"cannot read the model file {path}: {error.strerror}"
        raise ModelFileError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"{path}: not a model file: {error}"
        raise ModelFileError(message) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        message = f"{path}: not a model file: it does not say format {FORMAT!r}"
        raise ModelFileError(message)
    if document.get("version") != VERSION:
        message = (
            f"{path}: a model file of version {document.get('version')!r}; this xseg {__version__} reads version "
            f"{VERSION}. Use the xseg that saved it, or fit again"
        )
        raise ModelFileError(message)
    return document


def _refuse_constant(constant: str) -> float:
    message = f"it holds {constant}"
    raise ValueError(message)


def _digest(document: dict[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key not in {"fingerprint", "xseg"}}
    text = json.dumps(content, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _describe(segmenter: TreeSegmenter) -> dict[str, Any]:
    """Give the document of a fitted segmenter, without its fingerprint."""
    if not isinstance(segmenter, TreeSegmenter):
        message = f"only a fitted TreeSegmenter can be saved, got {type(segmenter).__name__}"
        raise UnsupportedModelError(message)
    segmenter._check_fitted()
    return {
        "format": FORMAT,
        "version": VERSION,
        "xseg": __version__,
        "kind": type(segmenter).__name__,
        "parameters": {name: _plain(value) for name, value in segmenter.get_params(deep=False).items()},
        "columns": _columns(segmenter),
        "named": hasattr(segmenter, "feature_names_in_"),
        **_space(segmenter),
        "nodes": [_node(segmenter, node) for node in range(segmenter.tree_.n_nodes)],
        "segment_names": list(segmenter.segment_names_),
        "counts": _counts(segmenter),
        "weight_unit": segmenter.profile_.unit,
        "population": [
            {"pattern": box.pattern.tolist(), "weight": box.weight.tolist()} for box in segmenter.model_.population
        ],
        "means": segmenter.means_.tolist(),
        "cost": segmenter.cost_,
        "reference_cost": segmenter.reference_cost_,
        "mean_depth": segmenter.mean_depth_,
    }


def _plain(value: Any) -> Any:
    """Give a parameter as JSON can hold it; what it cannot hold is described and not restored."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else {"not saved": repr(value)}


def _columns(segmenter: TreeSegmenter) -> list[dict[str, Any]]:
    return [
        {
            "name": bins.feature.name,
            "kind": str(bins.feature.kind),
            "integral": bins.feature.integral,
            "has_missing": bins.feature.has_missing,
            "categories": list(bins.categories),
            "thresholds": bins.thresholds.tolist(),
        }
        for bins in segmenter.profile_.bins.features
    ]


def _space(segmenter: TreeSegmenter) -> dict[str, Any]:
    embedding, bins = segmenter.coding_.embedding, segmenter.profile_.bins
    names = ("column", "shift", "factor", "bound")
    columns = (embedding.coordinates, embedding.shift, embedding.factor, embedding.bound)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        "coordinates": [dict(zip(names, row, strict=True)) for row in rows],
        "lookups": [
            {"column": j, "places": [*vectors[: bins[j].n_codes].tolist(), vectors[-1].tolist()]}
            for j, vectors in zip(embedding.looked_up.tolist(), embedding.vectors, strict=True)
        ],
    }


def _node(segmenter: TreeSegmenter, node: int) -> dict[str, Any]:
    tree = segmenter.tree_
    column = int(tree.feature[node])
    if column < 0:
        return {"segment": int(tree.segment[node])}
    bins, goes_left = tree.bins[column], tree.goes_left[node]
    cut: dict[str, Any] = {"column": column, "missing_left": bool(goes_left[-1])}
    if not bins.feature.kind.is_numeric:
        cut["categories_left"] = [name for code, name in enumerate(bins.categories) if goes_left[code]]
    elif np.isfinite(tree.threshold[node]):
        cut["threshold"] = float(tree.threshold[node])
    return {**cut, "left": int(tree.left[node]), "right": int(tree.right[node])}


def _counts(segmenter: TreeSegmenter) -> list[list[list[int]]]:
    """Give the counts of each segment by column: one for each code, and one for missing values."""
    profile = segmenter.profile_
    return [
        [[*row[: bins.n_codes].tolist(), int(row[-1])] for row, bins in zip(rows, profile.bins.features, strict=True)]
        for rows in profile.counts
    ]
