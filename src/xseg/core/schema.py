"""Names and kinds of columns."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from xseg.exceptions import DataError

__all__ = ["Feature", "Kind", "Schema", "suggest_name"]


class Kind(StrEnum):
    """Kind of a column.

    Models use numbers, booleans and categories. A column without values is empty, one of days or times is a date, and
    one that a segmenter leaves out (an identifier, for example) is excluded.
    """

    NUMBER = "number"
    BOOLEAN = "boolean"
    CATEGORY = "category"
    ORDERED = "ordered category"
    EMPTY = "empty"
    DATE = "date"
    EXCLUDED = "excluded"

    @property
    def is_numeric(self) -> bool:
        """Whether values are stored as numbers."""
        return self not in {Kind.CATEGORY, Kind.ORDERED}

    @property
    def has_values(self) -> bool:
        """Whether a model can use the values: not those of empty and excluded columns, nor dates."""
        return self not in {Kind.EMPTY, Kind.DATE, Kind.EXCLUDED}


@dataclass(frozen=True, slots=True)
class Feature:
    """One raw column.

    Attributes
    ----------
    name : str
        The column's name.
    kind : Kind
        What its values are.
    categories : tuple of str
        The categories, in order for an ordered category; empty for numbers.
    integral : bool
        Whether every number seen was a whole number.
    has_missing : bool
        Whether a missing value was seen.
    decimal : {".", ","} or None
        The decimal mark of numbers that came as text; None for numbers that came as numbers.
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()
    integral: bool = False
    has_missing: bool = False
    decimal: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a table, in order.

    Attributes
    ----------
    features : tuple of Feature
        One per column.
    """

    features: tuple[Feature, ...]

    def __len__(self) -> int:
        return len(self.features)

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)

    def __getitem__(self, index: int) -> Feature:
        return self.features[index]

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(feature.name for feature in self.features)

    def index(self, name: str) -> int:
        """Return the position of the column called `name`."""
        try:
            return self.names.index(name)
        except ValueError:
            message = f"a feature must be one of the {len(self)} columns, got {name!r}{suggest_name(name, self.names)}"
            raise DataError(message) from None


def suggest_name(name: object, names: Iterable[str], *, sentence: bool = False) -> str:
    """Return the end of an error message about an unknown name: a similar known one, or a list of the known ones.

    Parameters
    ----------
    name : object
        The unknown name.
    names : iterable of str
        The known names.
    sentence : bool, default=False
        Whether to return a sentence, which is empty where no name is similar; by default it is a clause that begins
        with a semicolon, and lists known names where none is similar.
    """
    known = list(names)
    close = get_close_matches(str(name), known, n=1)
    if sentence:
        return f" Did you mean {close[0]!r}?" if close else ""
    if close:
        return f"; did you mean {close[0]!r}?"
    shown = ", ".join(map(repr, known[:8]))
    return f"; there are {shown}{', ...' if len(known) > 8 else ''}"
