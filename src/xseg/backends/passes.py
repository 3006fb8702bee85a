"""How often the rows were read."""

from dataclasses import dataclass
from threading import Lock

__all__ = ["PassCounter", "Passes"]


@dataclass(frozen=True, slots=True)
class Passes:
    """How often the rows of a backend were read so far.

    Attributes
    ----------
    decoded : int
        Passes over the source: files decoded, tables read.
    typed : int
        Passes over its columns as numbers and codes of categories, from a temporary file.
    coded : int
        Passes over the rows as codes of one byte and coordinates.
    """

    decoded: int = 0
    typed: int = 0
    coded: int = 0

    def __str__(self) -> str:
        return f"{self.decoded} decoded, {self.typed} typed, {self.coded} coded"


class PassCounter:
    """Counts passes by kind, from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts = {"decoded": 0, "typed": 0, "coded": 0}

    def count(self, kind: str) -> None:
        """Count one more pass."""
        with self._lock:
            self._counts[kind] += 1

    def so_far(self) -> Passes:
        """Return the counts."""
        with self._lock:
            return Passes(**self._counts)
