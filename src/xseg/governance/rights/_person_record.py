"""What is held about one person: their row, corrections that they made, and cases that wait for a human."""

import math
from calendar import monthrange
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias

import pandas as pd

from xseg.core.bins import FeatureBins
from xseg.core.schema import suggest_name
from xseg.exceptions import DataError
from xseg.policy import FeaturePolicy, Policy

__all__ = [
    "Case",
    "CaseKind",
    "PersonRow",
    "check_range",
    "check_value",
    "find_open_cases",
    "is_json",
    "is_usual",
    "mark_corrections",
    "to_plain",
    "to_plain_nested",
]


class PersonRow:
    """One row of a table.

    Parameters
    ----------
    data : mapping, or table with one row
        What is held.

    Raises
    ------
    DataError
        There is not exactly one row.
    """

    def __init__(self, data: Any) -> None:
        frame = pd.DataFrame([dict(data)]) if isinstance(data, Mapping) else pd.DataFrame(data)
        if len(frame) != 1:
            message = f"a profile is about one person, and there are {len(frame)} rows"
            raise DataError(message)
        self._row = frame.copy()

    @property
    def names(self) -> list[str]:
        """The columns."""
        return list(self._row.columns)

    def check(self, feature: str) -> None:
        """Raise an error for a column that is not there."""
        if feature not in self.names:
            message = f"nothing called {feature!r} is held about this person{suggest_name(feature, self.names)}"
            raise DataError(message)

    def apply_decisions(self, corrections: Mapping[str, Any], withheld: Iterable[str]) -> pd.DataFrame:
        """Return the row with corrections, and without what is withheld."""
        row = self._row.copy()
        for feature, value in corrections.items():
            if feature in row.columns:
                row[feature] = pd.Series([value] * len(row), index=row.index, dtype=object).infer_objects()
        for feature in withheld:
            row[feature] = _missing_like(row[feature])
        return row

    def to_plain(self) -> dict[str, Any]:
        """Return the row as JSON can hold it."""
        return {str(name): to_plain(value) for name, value in self._row.iloc[0].items()}

    def forget(self) -> None:
        """Drop the row."""
        self._row = self._row.iloc[:0]


def to_plain(value: Any) -> Any:
    """Return a value as JSON can hold it; what is no text, number or truth value becomes text."""
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return None
    found = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    return found if is_json(found) else str(found)


def to_plain_nested(value: Any) -> Any:
    """Return nested mappings and lists as JSON can hold them."""
    if isinstance(value, Mapping):
        return {str(name): to_plain_nested(one) for name, one in value.items()}
    return [to_plain_nested(one) for one in value] if isinstance(value, list | tuple) else to_plain(value)


def is_json(value: Any) -> bool:
    """Return whether a single value is one that JSON can hold."""
    return value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def check_value(feature: str, value: Any) -> Any:
    """Return a value that a person gives, as JSON can hold it.

    Raises
    ------
    DataError
        JSON cannot hold it.
    """
    missing = value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))
    found = None if missing else value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if not is_json(found):
        message = f"{feature!r} must be a text, a finite number, true or false, or nothing, got {value!r}; correct it"
        raise DataError(message)
    return found


def _missing_like(column: Any) -> Any:
    """Return a column of the same kind that holds nothing."""
    index = column.index
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical([None] * len(index), dtype=column.dtype), index=index)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return pd.Series(float("nan"), index=index)
    return pd.Series(None, index=index, dtype=object)


def check_range(feature: str, value: Any, stated: FeaturePolicy) -> bool:
    """Raise if a value lies outside the range that the policy declares; return whether it declares one.

    Raises
    ------
    DataError
        The value is no number, or lies outside.
    """
    low, high = stated.minimum, stated.maximum
    if low is None and high is None:
        return False
    if value is None:
        return True
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or (low is not None and value < low) or (high is not None and value > high):
        allowed = " and ".join(
            [*([f"at least {low:g}"] if low is not None else []), *([f"at most {high:g}"] if high is not None else [])]
        )
        message = f"{feature!r} must be a number of {allowed}, got {value!r}; give the value as it is"
        raise DataError(message)
    return True


def is_usual(value: Any, bins: FeatureBins) -> bool:
    """Return whether a value is one such as the model was fitted on.

    A number is usual if it lies no further beyond the outermost thresholds than the thresholds beside them do; a number
    below zero is unusual where no threshold is. A category is usual if the model knows it, and that nothing is known
    always is.
    """
    if value is None:
        return True
    if not bins.feature.kind.is_numeric:
        return str(value) in bins.categories
    if isinstance(value, bool) or not isinstance(value, int | float):
        return isinstance(value, bool)
    thresholds = bins.thresholds.tolist()
    if not thresholds:
        return False
    first, last = thresholds[0], thresholds[-1]
    if len(thresholds) == 1:
        below = above = max(abs(first), 1.0)
    else:
        below, above = thresholds[1] - first, last - thresholds[-2]
    lowest = max(first - below, 0.0) if first >= 0 else first - below
    return bool(lowest <= value <= last + above)


def mark_corrections(policy: Policy, corrected: Collection[str]) -> Policy:
    """Return a policy by which corrected values are what the person said, and no longer what a vendor or we did."""
    if not corrected:
        return policy
    said = {"source": "zero-party", "vendor": None, "collected_from": None}
    features = {name: policy.feature(name).model_copy(update=said) for name in corrected}
    translations = {
        locale: translation.model_copy(
            update={
                "features": {
                    name: words.model_copy(update={"collected_from": None}) if name in corrected else words
                    for name, words in translation.features.items()
                }
            }
        )
        for locale, translation in policy.translations.items()
    }
    return policy.model_copy(update={"features": {**policy.features, **features}, "translations": translations})


CaseKind: TypeAlias = Literal["contest", "object", "ask", "correct"]
_OPENED_BY: Final = frozenset({"contest", "object", "ask"})


@dataclass(frozen=True, slots=True)
class Case:
    """A request of a person that a human has to decide.

    Attributes
    ----------
    number : int
        The number of its receipt.
    kind : {"contest", "object", "ask", "correct"}
        That the model is wrong, that they object to the use, a question, or a correction to a value that nobody like
        them has.
    opened : datetime
        When.
    due : date
        By when they must have an answer: one month later.
    text : str
        The person's words, or the feature and the value of a correction; empty where there are none, or they were
        forgotten.
    views : tuple of str
        What the person said since.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Articles 12(3), 21(1) and 22(3).
    """

    number: int
    kind: CaseKind
    opened: datetime
    due: date
    text: str
    views: tuple[str, ...]


def find_open_cases(receipts: Iterable[Mapping[str, Any]]) -> list[Case]:
    """Return the cases that nobody has decided, the oldest first; an objection that was withdrawn is none."""
    listed = list(receipts)
    closed = {one["details"]["case"] for one in listed if one["action"] == "decide"}
    withdrawn = max((one["number"] for one in listed if one["action"] == "withdraw_objection"), default=-1)
    closed |= {one["number"] for one in listed if one["action"] == "object" and one["number"] < withdrawn}
    return [_build_case(one, listed) for one in listed if _opens_case(one) and one["number"] not in closed]


def _opens_case(receipt: Mapping[str, Any]) -> bool:
    return receipt["action"] in _OPENED_BY or bool(receipt["details"].get("pending"))


def _build_case(receipt: Mapping[str, Any], listed: Iterable[Mapping[str, Any]]) -> Case:
    opened = datetime.fromisoformat(receipt["dct:created"])
    views = [one for one in listed if one["action"] == "express_view" and one["number"] > receipt["number"]]
    return Case(
        number=receipt["number"],
        kind=receipt["action"],
        opened=opened,
        due=_add_month(opened.date()),
        text=_read_words(receipt),
        views=tuple(map(_read_words, views)),
    )


def _read_words(receipt: Mapping[str, Any]) -> str:
    private = receipt.get("private", {})
    if "value" in private:
        return f"{receipt['details']['feature']}: {private['value']}"
    return str(private.get("text", ""))


def _add_month(day: date) -> date:
    """Return the same day of the next month, or its last."""
    year, month = day.year + day.month // 12, day.month % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))
