"""Detection of columns of texts that hold numbers, truth values or dates.

Whether a column of texts holds numbers is decided from counts that can be added (`TextFacts`), so a file that is read
in batches and the same file in memory are read alike. A number is taken only where it can be read in one way: plain
(``1234.5``), with a decimal comma or grouped thousands where the column shows which mark is which, with one currency,
or with a percent sign. Codes with leading zeros or more than 15 digits stay text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import isfinite

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MAX_NUMBERED_CATEGORIES",
    "MISSING_WORDS",
    "TRUTHS",
    "TextFacts",
    "TextKind",
    "TextReading",
    "has_digit",
    "is_blank",
    "parse_numbers",
    "parse_truths",
    "plain_numbers",
]

TRUTHS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
# In a column of numbers, dates or truth values these mean that a value is missing. In a column of words they may be
# categories, so there they are kept.
MISSING_WORDS = frozenset(
    {"", "-", "--", "?", ".", "na", "n/a", "#n/a", "#na", "<na>", "nan", "nat", "null", "none", "nil", "missing"}
)
# A column of numbers with a few words without a digit ("ERROR", "unknown") is still numeric; the words are missing.
_MIN_NUMBER_SHARE = 0.9
_MIN_WORTH_TELLING = 0.5
_MIN_DATE_SHARE = 0.95
MAX_NUMBERED_CATEGORIES = 20
"""A text column with at most so many distinct whole numbers is read as numbered categories."""

_SIGN = "[-+\u2212]?"
_CURRENCY = r"(?:US\$|[$€£¥₹₩₽₺₫]|USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|BRL|AUD|CAD|kr|zł)"
# Marks between thousands beside comma and point: right quote, space, no-break spaces.
_OTHER_MARKS = "\u2019 \u00a0\u202f"
_PLAIN = re.compile(r"[-+]?(?:(?:0|[1-9]\d{0,14})(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?", re.ASCII)
_PLAIN_COLUMN = re.compile(rf"(?:{_PLAIN.pattern}|)(?:\n(?:{_PLAIN.pattern}|))*+", re.ASCII)
_EITHER = re.compile(r"^[-+]?[1-9]\d{0,2}\.\d{3}$", re.ASCII | re.MULTILINE)
_WHOLE_NUMBER = re.compile(r"[-+]?\d+", re.ASCII)
_CELL = re.compile(
    rf"(?P<sign>{_SIGN})\s*(?P<before>{_CURRENCY})?\s*(?P<inner>{_SIGN})"
    rf"(?P<body>[\d.,'{_OTHER_MARKS}]*[\d.,])(?P<power>[eE][-+]?\d{{1,3}})?"
    rf"\s*(?P<scale>[kKmMbB]|mn|bn)?\s*(?P<after>{_CURRENCY}|%)?",
    re.ASCII,
)
_SCALES = {"k": 1e3, "m": 1e6, "mn": 1e6, "b": 1e9, "bn": 1e9}
_WHOLE = r"(?:0|[1-9]\d{0,14})"
_BODIES = {
    ".": re.compile(rf"(?:[1-9]\d{{0,2}}(?:([,'{_OTHER_MARKS}])\d{{3}})(?:\1\d{{3}})*|{_WHOLE})?(?:\.\d*)?", re.ASCII),
    ",": re.compile(rf"(?:[1-9]\d{{0,2}}(?:([.'{_OTHER_MARKS}])\d{{3}})(?:\1\d{{3}})*|{_WHOLE})?(?:,\d*)?", re.ASCII),
}
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?"
_TIME = r"(?:[T ,]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[ap]m)?\s*(?:Z|UTC|[-+]\d{2}:?\d{2})?)?"
_DAY, _MONTH_NUMBER, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:1[5-9]|2[01])\d{2}"
_DATE = re.compile(
    rf"(?:{_YEAR}([-/.]){_MONTH_NUMBER}\1{_DAY}"
    rf"|{_DAY}([-/.])(?:{_MONTH_NUMBER}\2|{_DAY}\2)(?:{_YEAR}|\d{{2}})"
    rf"|{_DAY}[- .]+{_MONTH}[- ,]+(?:{_YEAR}|\d{{2}})|{_MONTH}[- ]+{_DAY},?[- ]+{_YEAR}){_TIME}"
    r"|\d{1,2}:\d{2}(?::\d{2})?\s*(?:[ap]m)?",
    re.ASCII | re.IGNORECASE,
)


_COUNTS = (
    "n_missing",
    "n_missing_words",
    "n_truths",
    "n_dates",
    "n_plain",
    "n_whole",
    "n_percent",
    "n_money",
    "n_digit_codes",
)


class TextKind(StrEnum):
    """Kind of the texts of a column."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TEXT = "text"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class TextReading:
    """The kind of a column of texts, and its problems.

    Attributes
    ----------
    kind : TextKind
        The kind of its texts.
    decimal : {".", ","}
        The decimal mark of its numbers.
    problem : str
        Cells that are not like the others, with counts and the first of them, and what to do; "" if there are none.
    is_ambiguous : bool
        Whether the problem is that the decimal mark cannot be determined.
    has_missing : bool
        Whether any cell is missing.
    """

    kind: TextKind
    decimal: str = "."
    problem: str = ""
    is_ambiguous: bool = False
    has_missing: bool = False


@dataclass(slots=True)
class _Odd:
    """Number of cells of one sort, and the first of them."""

    n_cells: int = 0
    row: int = -1
    text: str = ""

    def add(self, n_cells: int, row: int, text: str) -> None:
        if self.row < 0 or row < self.row:
            self.row, self.text = row, text
        self.n_cells += n_cells

    def merge(self, other: "_Odd") -> None:
        if other.n_cells:
            self.add(other.n_cells, other.row, other.text)


@dataclass(slots=True)
class TextFacts:
    """Counts of the sorts of cells in a column of texts; they can be added in any order.

    Attributes
    ----------
    n_missing, n_missing_words : int
        Blank cells, and cells that hold a word for a missing value.
    n_truths, n_dates : int
        Cells that are ``true`` or ``false``, and cells that are a date or a time.
    n_plain : int
        Numbers that have the same value with either decimal mark.
    n_whole : int
        Cells that hold nothing but an optional sign and digits.
    n_only, n_either : dict of str to int
        Numbers that can be read only with one decimal mark; and those that both marks allow but read differently, by
        the mark under which they would be a decimal fraction.
    words, codes : _Odd
        Other cells: without any digit, and with one.
    n_digit_codes : int
        How many of the codes are nothing but digits: postcodes with leading zeros, long account numbers.
    """

    n_missing: int = 0
    n_missing_words: int = 0
    n_truths: int = 0
    n_dates: int = 0
    n_plain: int = 0
    n_whole: int = 0
    n_percent: int = 0
    n_money: int = 0
    n_digit_codes: int = 0
    currencies: set[str] = field(default_factory=set)
    n_only: dict[str, int] = field(default_factory=lambda: {".": 0, ",": 0})
    n_either: dict[str, int] = field(default_factory=lambda: {".": 0, ",": 0})
    only: dict[str, _Odd] = field(default_factory=lambda: {mark: _Odd() for mark in ".,"})
    number: _Odd = field(default_factory=_Odd)
    words: _Odd = field(default_factory=_Odd)
    codes: _Odd = field(default_factory=_Odd)

    def add(self, text: str, n_cells: int, row: int) -> None:
        """Count a text that occurs in `n_cells` cells, first in `row`."""
        cell = text.strip()
        if not cell:
            self.n_missing += n_cells
        elif _PLAIN.fullmatch(cell) and "." not in cell:
            self.n_plain += n_cells
            self.n_whole += n_cells if _WHOLE_NUMBER.fullmatch(cell) else 0
            self.number.add(n_cells, row, cell)
        elif cell.casefold() in MISSING_WORDS:
            self.n_missing_words += n_cells
        elif cell in TRUTHS:
            self.n_truths += n_cells
            self.words.add(n_cells, row, cell)
        else:
            self._add_other(cell, n_cells, row)

    def add_cells(self, cells: Sequence[str], rows: Sequence[int]) -> None:
        """Count the cells of some rows, whose numbers are given in increasing order."""
        if self._add_plain(cells, rows):
            return
        first = dict(zip(reversed(cells), reversed(rows), strict=True))
        for text, n_cells in Counter(cells).items():
            self.add(text, n_cells, first[text])

    def _add_plain(self, cells: Sequence[str], rows: Sequence[int]) -> bool:
        """Count cells that are all plain numbers or empty, at once; return False if there are others."""
        joined = "\n".join(cells)
        if not _PLAIN_COLUMN.fullmatch(joined) or joined.count("\n") >= len(cells):
            return False
        n_empty = cells.count("")
        n_numbers, n_points = len(cells) - n_empty, joined.count(".")
        self.n_missing += n_empty
        n_either = len(_EITHER.findall(joined)) if n_points else 0
        self.n_plain += n_numbers - n_points
        self.n_only["."] += n_points - n_either
        self.n_either["."] += n_either
        if n_points > n_either:
            place = next(place for place, cell in enumerate(cells) if "." in cell and not _EITHER.fullmatch(cell))
            self.only["."].add(n_points - n_either, rows[place], cells[place])
        if n_points == 0 and "e" not in joined and "E" not in joined:
            self.n_whole += n_numbers
        if n_numbers:
            place = next(place for place, cell in enumerate(cells) if cell)
            self.number.add(n_numbers, rows[place], cells[place])
        return True

    def _add_other(self, cell: str, n_cells: int, row: int) -> None:
        if not has_digit(cell):
            # Neither a date nor a number, which is soon known of most names and words.
            self.words.add(n_cells, row, cell)
            return
        if _DATE.fullmatch(cell):
            self.n_dates += n_cells
        values = {mark: _value(cell, mark) for mark in ".,"}
        readable = [mark for mark, value in values.items() if value is not None]
        if not readable:
            self.codes.add(n_cells, row, cell)
            self.n_digit_codes += n_cells if cell.isdigit() else 0
            return
        self.number.add(n_cells, row, cell)
        self._add_unit(cell, n_cells)
        if len(readable) == 1:
            self.n_only[readable[0]] += n_cells
            self.only[readable[0]].add(n_cells, row, cell)
        elif values["."] == values[","]:
            self.n_plain += n_cells
        else:
            self.n_either["." if "." in cell else ","] += n_cells

    def _add_unit(self, cell: str, n_cells: int) -> None:
        match = _CELL.fullmatch(cell)
        unit = match and (match["before"] or match["after"])
        if unit == "%":
            self.n_percent += n_cells
        elif unit:
            self.n_money += n_cells
            self.currencies.add(unit)

    def merge(self, other: "TextFacts") -> None:
        """Add what `other` has counted."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.currencies |= other.currencies
        for mark in ".,":
            self.n_only[mark] += other.n_only[mark]
            self.n_either[mark] += other.n_either[mark]
            self.only[mark].merge(other.only[mark])
        for odd, others in ((self.number, other.number), (self.words, other.words), (self.codes, other.codes)):
            odd.merge(others)

    @property
    def uses_comma(self) -> bool:
        """Whether numbers are written with a decimal comma, beyond doubt."""
        return self.n_only[","] > 0 and self.n_only["."] == 0

    def read(self, decimal: str | None = None, hint: str | None = None, place: str = "row") -> TextReading:
        """Determine the kind of the column.

        Parameters
        ----------
        decimal : {".", ","}, default=None
            The decimal mark, where it is known.
        hint : {".", ","}, default=None
            The mark to prefer where the column does not determine it.
        place : {"row", "line"}, default="row"
            What row numbers count, for messages.
        """
        has_missing = bool(self.n_missing or self.n_missing_words)
        return replace(self._read(decimal, hint, place), has_missing=has_missing)

    def _read(self, decimal: str | None, hint: str | None, place: str) -> TextReading:
        n_numbers = self.number.n_cells
        n_known = n_numbers + self.words.n_cells + self.codes.n_cells
        if n_known == 0:
            return TextReading(TextKind.TEXT if self.n_missing_words else TextKind.EMPTY)
        if self.n_truths == n_known:
            return TextReading(TextKind.BOOLEAN)
        if self.n_dates >= _MIN_DATE_SHARE * n_known:
            return TextReading(TextKind.DATE)
        mark = decimal or self._mark(hint)
        if mark is None:
            return TextReading(TextKind.TEXT, problem=self._describe_ambiguity(), is_ambiguous=True)
        codes = _Odd()
        for odd in (self.codes, self.only[_other(mark)]):
            codes.merge(odd)
        return self._read_numbers(mark, n_known, codes, place)

    def _read_numbers(self, mark: str, n_known: int, codes: _Odd, place: str) -> TextReading:
        n_numbers = n_known - self.words.n_cells - codes.n_cells
        share = n_numbers / n_known
        if n_numbers and (len(self.currencies) > 1 or 0 < self.n_percent < n_numbers):
            units = ", ".join(sorted(self.currencies | ({"%"} if self.n_percent else set())))
            problem = f"is text because its numbers have different units ({units}); convert them to one unit"
            return TextReading(TextKind.TEXT, problem=problem if share >= _MIN_WORTH_TELLING else "")
        if n_numbers == n_known:
            return TextReading(TextKind.NUMBER, mark)
        odd = _Odd()
        for cells in (self.words, codes):
            odd.merge(cells)
        shown = f"first: {odd.text[:40]!r}, {place} {odd.row}"
        n_cells = "1 cell" if odd.n_cells == 1 else f"{odd.n_cells:,} cells"
        if codes.n_cells == 0 and share >= _MIN_NUMBER_SHARE:
            were = "was" if odd.n_cells == 1 else "were"
            problem = (
                f"holds numbers but for {n_cells} ({shown}), which {were} read as missing; "
                f"the other {n_numbers:,} are numbers. Correct or clear those cells"
            )
            return TextReading(TextKind.NUMBER, mark, problem)
        if share < _MIN_WORTH_TELLING or self.n_digit_codes:
            return TextReading(TextKind.TEXT)
        problem = (
            f"is text because of {n_cells} ({shown}); the other {n_numbers:,} are numbers. "
            "Correct or clear those cells to use the column as numbers"
        )
        return TextReading(TextKind.TEXT, problem=problem)

    def _mark(self, hint: str | None) -> str | None:
        """Return the decimal mark, or None where the numbers can be read in two ways."""
        if self.n_only["."] != self.n_only[","]:
            return "." if self.n_only["."] > self.n_only[","] else ","
        if hint is not None:
            return hint
        # '$1,200' is an amount of twelve hundred; a plain '1,200' may be one and a fifth.
        return "." if not self.n_either[","] or self.n_money >= self.n_either[","] else None

    def _describe_ambiguity(self) -> str:
        return (
            f"is text because its {self.n_either[',']:,} cells such as {self.number.text[:40]!r} can be read in two "
            "ways: with a decimal comma, or with commas between thousands. State the decimal mark"
        )


def _other(mark: str) -> str:
    return "," if mark == "." else "."


def _value(cell: str, mark: str) -> float | None:
    """Return the number in a cell, given the decimal mark; None if it holds none."""
    if mark == "." and _PLAIN.fullmatch(cell):
        return _finite(float(cell))
    match = _CELL.fullmatch(cell)
    if match is None or (match["before"] and match["after"]) or (match["sign"] and match["inner"]):
        return None
    if match["scale"] and not (match["before"] or match["after"] not in {None, "%"}):
        return None
    body = match["body"]
    shape = _BODIES[mark].fullmatch(body)
    if shape is None or not has_digit(body):
        return None
    whole, _, fraction = body.partition(mark)
    digits = re.sub(r"\D", "", whole) or "0"
    negative = "-" if (match["sign"] or match["inner"]) in {"-", "\u2212"} else ""
    value = float(f"{negative}{digits}.{fraction or 0}{match['power'] or ''}")
    return _finite(value * _SCALES[match["scale"].lower()] if match["scale"] else value)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def plain_numbers(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """Return the numbers of cells that are all plain numbers or empty, or None if there are others."""
    joined = "\n".join(cells)
    if not _PLAIN_COLUMN.fullmatch(joined) or joined.count("\n") >= len(cells):
        return None
    values = np.array([float(cell) if cell else np.nan for cell in cells], dtype=np.float64)
    return None if np.isinf(values).any() else values


def parse_numbers(texts: Iterable[str], decimal: str = ".") -> NDArray[np.float64]:
    """Return the numbers in texts; NaN where a text holds none."""
    values = (_value(text.strip(), decimal) for text in texts)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def has_digit(text: str) -> bool:
    """Return whether a text has a digit."""
    return any(map(str.isdigit, text))


def is_blank(text: str) -> bool:
    """Return whether a text is blank or a word for a missing value."""
    return text.strip().casefold() in MISSING_WORDS


def parse_truths(texts: Iterable[str]) -> NDArray[np.float64]:
    """Return 1 for ``true``, 0 for ``false``, NaN for anything else."""
    truths = (TRUTHS.get(text.strip()) for text in texts)
    return np.array([np.nan if truth is None else float(truth) for truth in truths], dtype=np.float64)
