"""What cards ask of a gate: the protocol `xseg.cards.ConsentGateLike`, over its ledger, links and log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from xseg.cards import DecisionBasis
from xseg.core.digests import digest_parts
from xseg.governance.consent._times import instant, moment

__all__ = ["CardFactsMixin"]


class CardFactsMixin:
    """Methods of a gate that cards are made with."""

    purpose: str
    log: Any
    at: datetime | str | None

    def resolve_time(self, at: datetime) -> datetime:
        """Return the time about which the gate asks: its own, or else `at`."""
        own = None if self.at is None else moment(instant(self.at))
        return at if own is None else own

    def find_decision_basis(self, subject: str) -> DecisionBasis:
        """Return why a subject who is not admitted is in no group: what the log says, or no consent."""
        return self._look_up_basis(subject) or "no_consent"

    def describe_exclusions(self, ids: Sequence[str]) -> Mapping[str, str | None]:
        """Return the purpose and time of the gate, and a digest of whom its log keeps out, and why."""
        return {
            "gate": f"{self.purpose}, {self.at}",
            "log": None if self.log is None else self._digest_exclusions(ids),
        }

    def _digest_exclusions(self, subjects: Sequence[str]) -> str:
        barred = self.log.barred(subjects, self.purpose)
        excluded = [name for name, is_barred in zip(subjects, barred, strict=True) if is_barred]
        return digest_parts(*(f"{name} {self._look_up_basis(name)}" for name in excluded))

    def _look_up_basis(self, subject: str) -> DecisionBasis | None:
        # A log need not say why; `barred` is all that a gate requires of it.
        find = getattr(self.log, "ground", None)
        basis: DecisionBasis | None = None if find is None else find(subject, self.purpose)
        return basis
