"""The kinds of questions, the answers that each accepts, and the columns that they become."""

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import Field

from xseg.core.schema import suggest_name
from xseg.policy import FeaturePolicy
from xseg.policy.yaml_files import Frozen, Words, format_value

__all__ = [
    "Choice",
    "Choices",
    "Consent",
    "InvalidAnswer",
    "Likert",
    "Number",
    "Question",
    "build_columns",
    "column_names",
    "describe_columns",
]

_SEPARATOR = ";"
Options = Annotated[tuple[Words, ...], Field(min_length=2)]


class InvalidAnswer(ValueError):
    """Why an answer does not fit its question."""


class _Question(Frozen):
    text: Words
    label: Words | None = None
    purposes: tuple[str, ...] = ()
    sensitive: Annotated[bool, Field(strict=True)] = False
    unanswered: tuple[Words, ...] = ()

    def read(self, value: Any) -> Any:
        """Return an answer as it is kept, or raise `InvalidAnswer`."""
        raise NotImplementedError

    def names_purposes(self) -> tuple[str, tuple[str, ...]]:
        """Return the purposes the question names, and the key it names them under."""
        return "purposes", self.purposes

    def problems(self) -> Iterator[tuple[str, str]]:
        """Return what contradicts itself, by key."""
        yield from _find_repeated("unanswered", self.unanswered)


class Likert(_Question):
    """How far somebody agrees, how often they do something: one step of an ordered scale.

    Parameters
    ----------
    text : str
        The question, as people read it.
    scale : sequence of str
        The steps, from the least to the most; an answer is one of them, or its number from 1.
    label : str, optional
        What a card calls the answer.
    purposes : sequence of str
        Ids of the purposes the answer is used for.
    sensitive : bool, default=False
        Whether the answer needs the protection of a special category.
    unanswered : sequence of str
        Answers that say nothing, such as ``"Not sure"``; they count as missing.

    Examples
    --------
    >>> from xseg.governance.surveys import Likert
    >>> Likert(text="Do you like it?", scale=["no", "a little", "very much"]).read(2)
    'a little'
    """

    type: Literal["likert"] = "likert"
    scale: Options

    def read(self, value: Any) -> str:
        """Return the step an answer names."""
        if isinstance(value, str):
            return _read_option(value, self.scale)
        step = _read_integer(value, "a step of the scale or its number")
        if not 1 <= step <= len(self.scale):
            message = f"{format_value(value)} is outside the scale; it has steps 1 to {len(self.scale)}"
            raise InvalidAnswer(message)
        return self.scale[step - 1]

    def problems(self) -> Iterator[tuple[str, str]]:
        """Return what contradicts itself, by key."""
        yield from super().problems()
        yield from _find_repeated("scale", self.scale)
        yield from _find_in_both("unanswered", self.unanswered, "scale", self.scale)


class Choice(_Question):
    """One of several options without an order.

    Parameters
    ----------
    text, label, purposes, sensitive, unanswered
        As for `Likert`.
    options : sequence of str
        What can be chosen.

    Examples
    --------
    >>> from xseg.governance.surveys import Choice
    >>> Choice(text="Where do you order?", options=["shop", "app"]).read("app")
    'app'
    """

    type: Literal["choice"] = "choice"
    options: Options

    def read(self, value: Any) -> str:
        """Return the option an answer names."""
        return _read_option(value, self.options)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Return what contradicts itself, by key."""
        yield from super().problems()
        yield from _find_repeated("options", self.options)
        yield from _find_in_both("unanswered", self.unanswered, "options", self.options)


class Choices(_Question):
    """Any of several options; each becomes a feature that is true or false.

    Parameters
    ----------
    text, label, purposes, sensitive, unanswered
        As for `Likert`.
    options : sequence of str
        What can be chosen. An answer is a list of them, or a text with ``;`` between them; an empty list means none.
    exclusive : sequence of str
        Options that stand alone, such as ``"none of these"``.
    most : int, optional
        How many may be chosen at most.

    Examples
    --------
    >>> from xseg.governance.surveys import Choices
    >>> Choices(text="What helps you?", options=["search", "chat", "phone"]).read("phone; search")
    ('search', 'phone')
    """

    type: Literal["choices"] = "choices"
    options: Options
    exclusive: tuple[Words, ...] = ()
    most: Annotated[int, Field(strict=True, ge=1)] | None = None

    def read(self, value: Any) -> tuple[str, ...]:
        """Return the options an answer names, in the order of the question."""
        given = [_read_option(one, self.options) for one in _read_list(value)]
        twice = next((one for place, one in enumerate(given) if one in given[:place]), None)
        if twice is not None:
            message = f"{format_value(twice)} is chosen twice"
            raise InvalidAnswer(message)
        alone = next((one for one in given if one in self.exclusive), None)
        if alone is not None and len(given) > 1:
            message = f"{alone!r} stands alone, and {len(given)} options are chosen"
            raise InvalidAnswer(message)
        if self.most is not None and len(given) > self.most:
            message = f"{len(given)} options are chosen; at most {self.most} may be"
            raise InvalidAnswer(message)
        return tuple(option for option in self.options if option in given)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Return what contradicts itself, by key."""
        yield from super().problems()
        yield from _find_repeated("options", self.options)
        yield from _find_in_both("unanswered", self.unanswered, "options", self.options)
        for option in self.options:
            if _SEPARATOR in option:
                yield "options", f"{option!r} holds {_SEPARATOR!r}, which stands between the options of an answer"
        for option in self.exclusive:
            if option not in self.options:
                yield "exclusive", f"{option!r} is not an option.{suggest_name(option, self.options, sentence=True)}"


class Number(_Question):
    """A number, with limits.

    Parameters
    ----------
    text, label, purposes, sensitive, unanswered
        As for `Likert`.
    least, most : float, optional
        The limits; both are allowed answers.
    whole : bool, default=False
        Whether only whole numbers are answers.
    unit : str, optional
        As in `FeaturePolicy`.

    Examples
    --------
    >>> from xseg.governance.surveys import Number
    >>> Number(text="How many books a year?", least=0, whole=True).read(12)
    12.0
    """

    type: Literal["number"] = "number"
    least: Annotated[float, Field(allow_inf_nan=False)] | None = None
    most: Annotated[float, Field(allow_inf_nan=False)] | None = None
    whole: Annotated[bool, Field(strict=True)] = False
    unit: Words | None = None

    def read(self, value: Any) -> float:
        """Return the number."""
        number = _read_finite(value)
        if number is None:
            message = f"{format_value(value)} is not a number"
            raise InvalidAnswer(message)
        if self.whole and not number.is_integer():
            message = f"{format_value(value)} is not a whole number"
            raise InvalidAnswer(message)
        if (self.least is not None and number < self.least) or (self.most is not None and number > self.most):
            message = f"{format_value(value)} is outside {_describe_range(self.least, self.most)}"
            raise InvalidAnswer(message)
        return number

    def problems(self) -> Iterator[tuple[str, str]]:
        """Return what contradicts itself, by key."""
        yield from super().problems()
        if self.least is not None and self.most is not None and self.least >= self.most:
            yield "most", f"{self.most:g} is not above least, {self.least:g}"


class Consent(_Question):
    """Whether somebody agrees that their answers are used for a purpose.

    Only ``True`` and ``"yes"`` are consent. It is no feature; it decides what answers may be used for.

    Parameters
    ----------
    text, label, unanswered
        As for `Likert`.
    purpose : str
        The id of the purpose that is agreed to.

    Examples
    --------
    >>> from xseg.governance.surveys import Consent
    >>> Consent(text="May we choose offers by your answers?", purpose="offers").read("yes")
    True
    """

    type: Literal["consent"] = "consent"
    purpose: Words

    def read(self, value: Any) -> bool:
        """Return whether somebody agreed."""
        if isinstance(value, str) and value in {"yes", "no"}:
            return value == "yes"
        if isinstance(value, bool | np.bool_):
            return bool(value)
        message = f"{format_value(value)} is neither yes nor no; write true, false, 'yes' or 'no'"
        raise InvalidAnswer(message)

    def names_purposes(self) -> tuple[str, tuple[str, ...]]:
        """Return the purpose that is agreed to, and the key it is named under."""
        return "purpose", (self.purpose,)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Return what contradicts itself, by key."""
        yield from super().problems()
        if self.purposes:
            yield "purposes", "a question of consent names one purpose, under 'purpose'"


Question: TypeAlias = Annotated[Likert | Choice | Choices | Number | Consent, Field(discriminator="type")]


def _read_option(value: Any, options: tuple[str, ...]) -> str:
    if isinstance(value, str) and value.strip() in options:
        return value.strip()
    shown = format_value(value)
    hint = suggest_name(value if isinstance(value, str) else shown, options, sentence=True)
    message = f"{shown} is none of {', '.join(map(repr, options))}.{hint}"
    raise InvalidAnswer(message)


def _read_integer(value: Any, wanted: str) -> int:
    # A table with open questions holds its whole numbers as decimals.
    is_whole = isinstance(value, Integral) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not is_whole:
        message = f"{format_value(value)} is not {wanted}"
        raise InvalidAnswer(message)
    return int(value)


def _read_finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def _read_list(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [one.strip() for one in value.split(_SEPARATOR)] if value.strip() else []
    if isinstance(value, Iterable) and not isinstance(value, dict):
        return list(value)
    message = f"{format_value(value)} is not a list of options, or a text with {_SEPARATOR!r} between them"
    raise InvalidAnswer(message)


def _describe_range(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        return f"at most {most:g}" if least is None else f"at least {least:g}"
    return f"{least:g} to {most:g}"


def _find_repeated(key: str, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for place, word in enumerate(words):
        if word in words[:place]:
            yield key, f"{word!r} is there twice"


def _find_in_both(key: str, words: tuple[str, ...], other: str, others: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for word in words:
        if word in others:
            yield key, f"{word!r} is also in {other}; it is an answer or it is none"


def build_columns(name: str, question: Any, said: Sequence[Any]) -> dict[str, Any]:
    """Return the columns of one question."""
    import pandas as pd

    match question:
        case Choices():
            answers = {option: [None if one is None else option in one for one in said] for option in question.options}
            return {_option(name, option): pd.array(given, dtype="boolean") for option, given in answers.items()}
        case Number():
            return {name: pd.array([float("nan") if one is None else one for one in said], dtype="float64")}
        case Likert():
            return {name: pd.Categorical(said, categories=list(question.scale), ordered=True)}
        case _:
            return {name: pd.Categorical(said, categories=list(question.options), ordered=False)}


def column_names(name: str, question: Any) -> list[str]:
    """Return what the columns of one question are called."""
    return [_option(name, option) for option in question.options] if isinstance(question, Choices) else [name]


def describe_columns(name: str, question: Any, told_in: str) -> dict[str, FeaturePolicy]:
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
