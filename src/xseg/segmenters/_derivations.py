"""How each transformed column of a pipeline is made of a raw one.

An exact explanation needs the raw column of each transformed one. It is certain for transformers that work column by
column; any other transformer is refused by name.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from xseg._sklearn import count_outputs_by_column
from xseg.exceptions import UnsupportedTypeError

__all__ = ["Derivation", "DerivationKind", "Sources", "column_parts", "find_derivations", "find_sources"]


Sources = NDArray[np.int64]

_COLUMN_BY_COLUMN = (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)


def find_sources(step: Any, name: str) -> Sources:
    """Return, for each output column of a fitted transformer, the input column it was made of."""
    if isinstance(step, Pipeline):
        sources: Sources = np.arange(step.n_features_in_)
        for inner_name, inner in step.steps:
            if inner not in (None, "passthrough"):
                sources = sources[find_sources(inner, f"{name}.{inner_name}")]
        return sources
    for kinds, found_by in _KNOWN:
        if isinstance(step, kinds):
            found: Sources = found_by(step, name)
            return found
    if getattr(step, "n_features_in_", 0) == 1 and hasattr(step, "get_feature_names_out"):
        # Of one column nothing can be mixed.
        return np.zeros(len(step.get_feature_names_out()), dtype=np.int64)
    known = ", ".join(sorted(kind.__name__ for kind in _COLUMN_BY_COLUMN))
    message = (
        f"step {name!r} ({type(step).__name__}) may mix columns, so explanations cannot be folded back to raw columns "
        f"exactly; use transformers that work column by column ({known}, imputers, one-hot, binning, selection, "
        "or a FunctionTransformer with feature_names_out='one-to-one'), or xseg.explain_agnostic"
    )
    raise UnsupportedTypeError(message)


def _identity(step: Any, name: str) -> Sources:
    del name
    return np.arange(step.n_features_in_)


def _repeat_sources(counts: Sequence[int]) -> Sources:
    return np.repeat(np.arange(len(counts)), counts)


def _one_hot(step: OneHotEncoder, name: str) -> Sources:
    del name
    return _repeat_sources(count_outputs_by_column(step))


def _find_bin_sources(step: KBinsDiscretizer, name: str) -> Sources:
    return _identity(step, name) if step.encode == "ordinal" else _repeat_sources(step.n_bins_)


def _find_imputed_sources(step: SimpleImputer, name: str) -> Sources:
    names = [str(column) for column in getattr(step, "feature_names_in_", [])]
    names = names or [f"x{j}" for j in range(step.n_features_in_)]
    outputs = list(step.get_feature_names_out(None if hasattr(step, "feature_names_in_") else names))
    indicated = 0 if step.indicator_ is None else len(step.indicator_.features_)
    values = [names.index(output) for output in outputs[: len(outputs) - indicated]]
    flags = [] if step.indicator_ is None else _flags(step.indicator_, name).tolist()
    return np.array([*values, *flags], dtype=np.int64)


def _flags(step: MissingIndicator, name: str) -> Sources:
    del name
    return np.asarray(step.features_, dtype=np.int64)


def _find_selected_sources(step: SelectorMixin, name: str) -> Sources:
    del name
    return np.asarray(step.get_support(indices=True))


def _function(step: FunctionTransformer, name: str) -> Sources:
    if step.func is None or step.feature_names_out == "one-to-one":
        return np.arange(step.n_features_in_)
    message = (
        f"step {name!r} (FunctionTransformer) does not say which columns it makes of which; if it works column by "
        "column, say so with feature_names_out='one-to-one'"
    )
    raise UnsupportedTypeError(message)


def column_parts(step: ColumnTransformer) -> Iterator[tuple[str, Any, slice, Sources]]:
    """Return name, transformer, places of the outputs and input columns of each part of a ColumnTransformer."""
    for name, part, columns in step.transformers_:
        places = step.output_indices_[name]
        if places.start != places.stop and not (isinstance(part, str) and part == "drop"):
            yield name, part, places, _positions(step, columns)


def _by_column(step: ColumnTransformer, name: str) -> Sources:
    sources = np.full(max(part.stop for part in step.output_indices_.values()), -1, dtype=np.int64)
    for inner_name, inner, places, columns in column_parts(step):
        is_plain = isinstance(inner, str) or (isinstance(inner, FunctionTransformer) and inner.func is None)
        sources[places] = columns if is_plain else columns[find_sources(inner, f"{name}.{inner_name}")]
    return sources


def _find_union_sources(step: FeatureUnion, name: str) -> Sources:
    parts = [
        np.arange(step.n_features_in_) if part == "passthrough" else find_sources(part, f"{name}.{part_name}")
        for part_name, part in step.transformer_list
        if part != "drop"
    ]
    return np.concatenate(parts)


def _positions(step: ColumnTransformer, columns: Any) -> NDArray[np.int64]:
    """Return the places of the columns a part of a ColumnTransformer was given, in whichever way they were named."""
    every: NDArray[np.int64] = np.arange(step.n_features_in_)
    names = [str(name) for name in getattr(step, "feature_names_in_", every)]
    if isinstance(columns, slice):
        start, stop = columns.start, columns.stop
        first = names.index(start) if isinstance(start, str) else start
        # A slice of names includes its last one.
        last = names.index(stop) + 1 if isinstance(stop, str) else stop
        chosen = every[first:last]
        return np.asarray(chosen, dtype=np.int64)
    chosen = np.atleast_1d(np.asarray(columns))
    if chosen.dtype.kind in "OU":
        return np.array([names.index(column) for column in chosen], dtype=np.int64)
    return np.asarray(every[chosen], dtype=np.int64)


_KNOWN: tuple[tuple[Any, Callable[[Any, str], Sources]], ...] = (
    (ColumnTransformer, _by_column),
    (FeatureUnion, _find_union_sources),
    (OneHotEncoder, _one_hot),
    (KBinsDiscretizer, _find_bin_sources),
    (SimpleImputer, _find_imputed_sources),
    (MissingIndicator, _flags),
    (FunctionTransformer, _function),
    (SelectorMixin, _find_selected_sources),
    (_COLUMN_BY_COLUMN, _identity),
)


class DerivationKind(StrEnum):
    """How values of a raw column become values of a transformed one."""

    MONOTONE = "a number that only rises, or only falls"
    PIECES = "one value between two edges"
    CATEGORIES = "one value for each category"


@dataclass(frozen=True, eq=False)
class Derivation:
    """How one transformed column is made.

    Attributes
    ----------
    source : int
        The raw column.
    kind : DerivationKind
        How values map to transformed values.
    untouched : bool
        Whether it still holds raw values, but for missing ones that were filled in.
    edges : tuple of float
        Where pieces start, in raw units, but for the first.
    categories : tuple
        The raw categories that an encoder knows.
    first : float or None
        The only number below all edges, where an encoder takes no others.
    missing_is_none : bool
        Whether an encoder knows missing text as None rather than NaN.
    """

    source: int
    kind: DerivationKind = DerivationKind.MONOTONE
    untouched: bool = True
    edges: tuple[float, ...] = ()
    categories: tuple[Any, ...] = ()
    first: float | None = None
    missing_is_none: bool = False


def find_derivations(steps: list[tuple[str, Any]], n_columns: int) -> list[Derivation]:
    """Follow raw columns through fitted steps.

    Raises
    ------
    UnsupportedTypeError
        A step leaves it open how a column is made.
    """
    derivations = [Derivation(j) for j in range(n_columns)]
    for name, step in steps:
        derivations = _through(step, name, derivations)
    return derivations


def _through(step: Any, name: str, given: list[Derivation]) -> list[Derivation]:
    if isinstance(step, str) or step is None:
        return given
    if isinstance(step, Pipeline):
        for inner_name, inner in step.steps:
            given = _through(inner, f"{name}.{inner_name}", given)
        return given
    if isinstance(step, FeatureUnion):
        united = [(part_name, part) for part_name, part in step.transformer_list if part != "drop"]
        parts = [_through(part, f"{name}.{part_name}", given) for part_name, part in united]
        return [derivation for part in parts for derivation in part]
    if isinstance(step, ColumnTransformer):
        made: dict[int, Derivation] = {}
        for part_name, part, places, columns in column_parts(step):
            through = _through(part, f"{name}.{part_name}", [given[j] for j in columns])
            made.update(zip(range(places.start, places.stop), through, strict=True))
        return [made[place] for place in range(len(made))]
    return _one_step(step, name, given)


def _one_step(step: Any, name: str, given: list[Derivation]) -> list[Derivation]:
    sources = find_sources(step, name).tolist()
    if isinstance(step, OneHotEncoder | OrdinalEncoder):
        coded = [
            _encode_form(derivation, categories, name)
            for derivation, categories in zip(given, step.categories_, strict=True)
        ]
        return [coded[j] for j in sources]
    if isinstance(step, KBinsDiscretizer) and step.encode != "ordinal":
        return [_follow_binning(given[j], step.bin_edges_[j], name) for j in sources]
    if isinstance(step, SimpleImputer):
        n_values = len(sources) - (0 if step.indicator_ is None else len(step.indicator_.features_))
        return [given[j] if k < n_values else _flag(given[j]) for k, j in enumerate(sources)]
    if isinstance(step, MissingIndicator):
        return [_flag(given[j]) for j in sources]
    if isinstance(step, FunctionTransformer) and step.func is not None and step.inverse_func is None:
        message = (
            f"step {name!r} (FunctionTransformer) does not say that it can be undone, so rules cannot be told in raw "
            "units; give its inverse_func"
        )
        raise UnsupportedTypeError(message)
    keeps = hasattr(step, "get_support") or (isinstance(step, FunctionTransformer) and step.func is None)
    return [given[j] if keeps else replace(given[j], untouched=False) for j in sources]


def _flag(derivation: Derivation) -> Derivation:
    return replace(
        derivation,
        kind=DerivationKind.PIECES if derivation.kind is DerivationKind.MONOTONE else derivation.kind,
        untouched=False,
    )


def _encode_form(derivation: Derivation, categories: NDArray[Any], name: str) -> Derivation:
    if derivation.kind is not DerivationKind.MONOTONE:
        return derivation
    if not derivation.untouched:
        raise _on_top(name)
    known = tuple(value for value in categories.tolist() if value is not None and value == value)
    if categories.dtype.kind in "biuf":
        return Derivation(
            derivation.source, DerivationKind.PIECES, False, tuple(map(float, known[1:])), first=float(known[0])
        )
    has_none = any(value is None for value in categories.tolist())
    return Derivation(derivation.source, DerivationKind.CATEGORIES, False, categories=known, missing_is_none=has_none)


def _follow_binning(derivation: Derivation, edges: NDArray[np.float64], name: str) -> Derivation:
    if derivation.kind is not DerivationKind.MONOTONE:
        return derivation
    if not derivation.untouched:
        raise _on_top(name)
    return Derivation(derivation.source, DerivationKind.PIECES, False, tuple(edges[1:-1].tolist()))


def _on_top(name: str) -> UnsupportedTypeError:
    message = (
        f"step {name!r} makes pieces of columns that an earlier step has transformed, so its edges are not raw values; "
        "let it see raw columns, or leave the earlier step out"
    )
    return UnsupportedTypeError(message)
