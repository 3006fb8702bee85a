"""Links between identifiers, and how denials spread over them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.consent_kernels import LINK_BEGINS, SPELL_BEGINS, SPELL_ENDS, arcs_by_node, spread_denials
from xseg.governance.consent._spells import DenialSpells
from xseg.governance.consent._store import Vocabulary, room_for
from xseg.governance.consent._times import NEVER

__all__ = ["LINK", "Links", "Reach"]

LINK = np.dtype(
    [
        ("left", np.int32),
        ("right", np.int32),
        ("kind", np.int32),
        ("confidence", np.float64),
        ("since", np.int64),
        ("until", np.int64),
    ]
)


@dataclass(frozen=True, eq=False)
class Reach:
    """Where denials have come to.

    Attributes
    ----------
    origins : ndarray of int32 of shape (n_identifiers, 2)
        Whose denials, -1 for none; an identifier's own that came back over a loop may be among them.
    times : ndarray of int64 of shape (n_identifiers, 2)
        When they came.
    """

    origins: NDArray[np.int32]
    times: NDArray[np.int64]

    @property
    def inherited(self) -> NDArray[np.bool_]:
        """Whether a denial of somebody else has come to each identifier."""
        own = np.arange(len(self.origins))[:, None]
        return np.asarray(((self.origins >= 0) & (self.origins != own)).any(axis=1))

    def since(self) -> NDArray[np.int64]:
        """Return when the first denial of somebody else came; `NEVER` where none did."""
        own = np.arange(len(self.origins))[:, None]
        elsewhere = (self.origins >= 0) & (self.origins != own)
        return np.asarray(np.where(elsewhere, self.times, NEVER).min(axis=1, initial=NEVER))


@dataclass(eq=False)
class Links:
    """Links that were ever drawn; one that ends keeps its past."""

    names: Vocabulary = field(default_factory=Vocabulary)
    kinds: Vocabulary = field(default_factory=Vocabulary)
    size: int = 0
    _rows: NDArray[Any] = field(default_factory=lambda: np.empty(16, LINK))

    @property
    def rows(self) -> NDArray[Any]:
        """The links so far."""
        return self._rows[: self.size]

    def add(self, rows: NDArray[Any]) -> None:
        """Draw some links."""
        start, self.size = self.size, self.size + len(rows)
        self._rows = room_for(self._rows, self.size)
        self._rows[start : self.size] = rows

    def end(self, left: int, right: int, at: int) -> int:
        """End the links between two identifiers that are in force, and those still to come; return how many."""
        rows = self.rows
        between = ((rows["left"] == left) & (rows["right"] == right)) | (
            (rows["left"] == right) & (rows["right"] == left)
        )
        open_ = np.flatnonzero(between & (rows["until"] > at))
        # A link that is yet to begin is left with no time at all.
        rows["until"][open_] = np.maximum(at, rows["since"][open_])
        return len(open_)

    def used(self, confidence: float, kinds: Sequence[str] | None, now: int) -> NDArray[Any]:
        """Return the links that the business uses, of those that began up to `now`."""
        rows = self.rows
        chosen = (rows["confidence"] >= confidence) & (rows["since"] <= now) & (rows["until"] > rows["since"])
        if kinds is not None:
            chosen &= np.isin(rows["kind"], self.kinds.find(kinds))
        return np.asarray(rows[chosen])

    def reach(self, links: NDArray[Any], spells: DenialSpells, now: int) -> Reach:
        """Spread spells of denial, whose subjects are identifiers here, over links up to `now`."""
        ended = np.flatnonzero(spells.ends <= now)
        begun = np.flatnonzero(spells.begins <= now)
        kinds = np.repeat(
            np.array([SPELL_ENDS, SPELL_BEGINS, LINK_BEGINS], np.int8), [len(ended), len(begun), len(links)]
        )
        moments = np.concatenate([spells.ends[ended], spells.begins[begun], links["since"]])
        items = np.concatenate([spells.subjects[ended], spells.subjects[begun], np.arange(len(links))])
        order = np.lexsort((kinds, moments))
        ends = {name: np.ascontiguousarray(links[name]) for name in ("left", "right")}
        spans = {name: np.ascontiguousarray(links[name]) for name in ("since", "until")}
        first, arcs = arcs_by_node(ends["left"], ends["right"], len(self.names.words))
        origins, times = spread_denials(
            kinds[order], moments[order], items[order], **ends, **spans, first=first, arcs=arcs
        )
        return Reach(origins, times)
