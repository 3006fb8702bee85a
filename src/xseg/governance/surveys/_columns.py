"""The columns that a question becomes, and what a policy says of them."""

from collections.abc import Sequence
from typing import Any

from xseg.governance.surveys._questions import Choices, Likert, Number
from xseg.policy import FeaturePolicy

__all__ = ["column_names", "columns_of", "stated"]


def columns_of(name: str, question: Any, said: Sequence[Any]) -> dict[str, Any]:
    """Return the columns of one question."""
    import pandas as pd

    if isinstance(question, Choices):
        return {
            _option(name, option): pd.array([None if one is None else option in one for one in said], dtype="boolean")
            for option in question.options
        }
    if isinstance(question, Number):
        return {name: pd.array([float("nan") if one is None else one for one in said], dtype="float64")}
    options = question.scale if isinstance(question, Likert) else question.options
    return {name: pd.Categorical(said, categories=list(options), ordered=isinstance(question, Likert))}


def column_names(name: str, question: Any) -> list[str]:
    """Return what the columns of one question are called."""
    return [_option(name, option) for option in question.options] if isinstance(question, Choices) else [name]


def stated(name: str, question: Any, told_in: str) -> dict[str, FeaturePolicy]:
    """Return for each column of one question what it is, that the person told it, and where."""
    label = question.label or question.text
    feature = FeaturePolicy(
        label=label,
        unit=question.unit if isinstance(question, Number) else None,
        source="zero-party",
        collected_from=told_in,
        purposes=question.purposes,
        sensitive=question.sensitive,
    )
    if not isinstance(question, Choices):
        return {name: feature}
    return {
        _option(name, option): feature.model_copy(update={"label": f"{label}: {option}"}) for option in question.options
    }


def _option(name: str, option: str) -> str:
    return f"{name}: {option}"
