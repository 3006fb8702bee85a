"""In what way each transformed column is made of its raw column."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, OrdinalEncoder

from xseg.exceptions import UnsupportedModelError
from xseg.segmenters._pipelines.route import column_parts, sources_of

__all__ = ["Form", "Way", "forms_of"]


class Way(StrEnum):
    """How values of a raw column become values of a transformed one."""

    MONOTONE = "a number that only rises, or only falls"
    PIECES = "one value between two edges"
    CATEGORIES = "one value for each category"


@dataclass(frozen=True, eq=False)
class Form:
    """How one transformed column is made.

    Attributes
    ----------
    source : int
        The raw column.
    way : Way
        In what way.
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
    way: Way = Way.MONOTONE
    untouched: bool = True
    edges: tuple[float, ...] = ()
    categories: tuple[Any, ...] = ()
    first: float | None = None
    missing_is_none: bool = False


def forms_of(steps: list[tuple[str, Any]], n_columns: int) -> list[Form]:
    """Follow raw columns through fitted steps.

    Raises
    ------
    UnsupportedModelError
        A step leaves it open how a column is made.
    """
    forms = [Form(j) for j in range(n_columns)]
    for name, step in steps:
        forms = _through(step, name, forms)
    return forms


def _through(step: Any, name: str, given: list[Form]) -> list[Form]:
    if isinstance(step, str) or step is None:
        return given
    if isinstance(step, Pipeline):
        for inner_name, inner in step.steps:
            given = _through(inner, f"{name}.{inner_name}", given)
        return given
    if isinstance(step, FeatureUnion):
        united = [(part_name, part) for part_name, part in step.transformer_list if part != "drop"]
        parts = [_through(part, f"{name}.{part_name}", given) for part_name, part in united]
        return [form for part in parts for form in part]
    if isinstance(step, ColumnTransformer):
        made: dict[int, Form] = {}
        for part_name, part, places, columns in column_parts(step):
            through = _through(part, f"{name}.{part_name}", [given[j] for j in columns])
            made.update(zip(range(places.start, places.stop), through, strict=True))
        return [made[place] for place in range(len(made))]
    return _one_step(step, name, given)


def _one_step(step: Any, name: str, given: list[Form]) -> list[Form]:
    sources = sources_of(step, name).tolist()
    if isinstance(step, OneHotEncoder | OrdinalEncoder):
        coded = [_encoded(form, categories, name) for form, categories in zip(given, step.categories_, strict=True)]
        return [coded[j] for j in sources]
    if isinstance(step, KBinsDiscretizer) and step.encode != "ordinal":
        return [_binned(given[j], step.bin_edges_[j], name) for j in sources]
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
        raise UnsupportedModelError(message)
    keeps = hasattr(step, "get_support") or (isinstance(step, FunctionTransformer) and step.func is None)
    return [given[j] if keeps else replace(given[j], untouched=False) for j in sources]


def _flag(form: Form) -> Form:
    return replace(form, way=Way.PIECES if form.way is Way.MONOTONE else form.way, untouched=False)


def _encoded(form: Form, categories: NDArray[Any], name: str) -> Form:
    if form.way is not Way.MONOTONE:
        return form
    if not form.untouched:
        raise _on_top(name)
    known = tuple(value for value in categories.tolist() if value is not None and value == value)
    if categories.dtype.kind in "biuf":
        return Form(form.source, Way.PIECES, False, tuple(map(float, known[1:])), first=float(known[0]))
    has_none = any(value is None for value in categories.tolist())
    return Form(form.source, Way.CATEGORIES, False, categories=known, missing_is_none=has_none)


def _binned(form: Form, edges: NDArray[np.float64], name: str) -> Form:
    if form.way is not Way.MONOTONE:
        return form
    if not form.untouched:
        raise _on_top(name)
    return Form(form.source, Way.PIECES, False, tuple(edges[1:-1].tolist()))


def _on_top(name: str) -> UnsupportedModelError:
    message = (
        f"step {name!r} makes pieces of columns that an earlier step has transformed, so its edges are not raw values; "
        "let it see raw columns, or leave the earlier step out"
    )
    return UnsupportedModelError(message)
