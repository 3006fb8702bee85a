"""Bits behind base64url, read strictly: what is too short, too long or not zero where it must be is refused."""

from collections.abc import Iterable
from typing import NoReturn

from xseg.exceptions import ConsentError

__all__ = ["Bits", "parts_of"]

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SIX_BITS = {character: f"{value:06b}" for value, character in enumerate(_ALPHABET)}
_LONGEST = 100_000
_FIBONACCI = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987)


def parts_of(text: object, separator: str, what: str) -> list[str]:
    """Split a signal, after checking that it is text of a sane length."""
    if not isinstance(text, str):
        message = f"{what} is a {type(text).__name__}; give its text"
        raise ConsentError(message)
    if not 0 < len(text) <= _LONGEST:
        message = f"{what} has {len(text)} characters; it has 1 to {_LONGEST}"
        raise ConsentError(message)
    return text.split(separator)


class Bits:
    """Bits that are read once, from left to right, to their very end."""

    def __init__(self, text: str, what: str) -> None:
        self.what = what
        self._place = 0
        try:
            self._bits = "".join([_SIX_BITS[character] for character in text])
        except KeyError as error:
            self.refuse(f"has the character {error.args[0]!r}, which is none of base64url")
        if not text:
            self.refuse("is empty")

    def refuse(self, found: str) -> NoReturn:
        """Raise the error that says what was found."""
        message = f"{self.what} {found}; nothing is granted by it"
        raise ConsentError(message)

    def take(self, width: int) -> str:
        """Return the next bits."""
        taken = self._bits[self._place : self._place + width]
        if len(taken) < width:
            self.refuse(f"ends after {len(self._bits)} bits, within a field of {width} bits")
        self._place += width
        return taken

    def integer(self, width: int) -> int:
        """Read an integer."""
        return int(self.take(width), 2)

    def within(self, width: int, lowest: int, highest: int, name: str) -> int:
        """Read an integer between two others."""
        value = self.integer(width)
        if not lowest <= value <= highest:
            self.refuse(f"has {name} {value}; allowed: {lowest} to {highest}")
        return value

    def letters(self, name: str) -> str:
        """Read two letters of six bits each."""
        return "".join(chr(ord("A") + self.within(6, 0, 25, name)) for _ in range(2))

    def numbers(self, width: int) -> frozenset[int]:
        """Read a field of bits as the numbers, from 1, of those that are set."""
        return frozenset(number for number, bit in enumerate(self.take(width), 1) if bit == "1")

    def known(self, width: int, allowed: Iterable[int], name: str) -> frozenset[int]:
        """Read a field of bits of which only some may be set."""
        found = self.numbers(width)
        unknown = sorted(found.difference(allowed))
        if unknown:
            self.refuse(f"sets {name} {unknown[0]}, which this version does not have")
        return found

    def ranges(self, highest: int, name: str) -> frozenset[int]:
        """Read single numbers and inclusive ranges; none may overlap or go beyond `highest`."""
        found: set[int] = set()
        for _ in range(self.integer(12)):
            many = self.integer(1)
            first = self.within(16, 1, highest, name)
            last = self.within(16, first, highest, name) if many else first
            entry = range(first, last + 1)
            if not found.isdisjoint(entry):
                self.refuse(f"lists {name} {min(found.intersection(entry))} twice")
            found.update(entry)
        return frozenset(found)

    def vendors(self) -> frozenset[int]:
        """Read a set of vendors: their highest number, then one bit each, or ranges."""
        highest = self.integer(16)
        return self.ranges(highest, "vendor") if self.integer(1) else self.numbers(highest)

    def fibonacci(self) -> int:
        """Read an integer from 1 in Fibonacci coding."""
        digits = ""
        while not digits.endswith("11"):
            if len(digits) > len(_FIBONACCI):
                self.refuse("has a number in Fibonacci coding that does not end")
            digits += self.take(1)
        return sum(number for number, digit in zip(_FIBONACCI, digits[:-1], strict=False) if digit == "1")

    def end(self) -> None:
        """Check that nothing but the padding of one of the usual encoders is left: to 6, 8 or 24 bits, of zeros."""
        written, used = len(self._bits), self._place
        padded = {_up(used, 6), _up(_up(used, 8), 6), _up(used, 24)}
        if written not in padded:
            self.refuse(f"has {written} bits, of which {used} are used: too many")
        if "1" in self._bits[used:]:
            self.refuse(f"has bits set after its {used} bits, where there are zeros only")


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
