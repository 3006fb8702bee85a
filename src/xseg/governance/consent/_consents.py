"""What a ledger says, through the links between identifiers where there are any."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.governance.consent._identities import Identities
from xseg.governance.consent._ledger import Ledger

__all__ = ["Consents"]


@dataclass(frozen=True, eq=False)
class Consents:
    """A ledger and, if there are any, the links over which its denials spread: one place to ask.

    Attributes
    ----------
    ledger : Ledger
        What was said.
    identities : Identities or None
        The links.
    """

    ledger: Ledger
    identities: Identities | None = None

    def mask(self, subjects: Any, purpose: str, *, at: datetime | str | None = None) -> NDArray[np.bool_]:
        """Return who may be used for a purpose; see `Ledger.mask`."""
        if self.identities is None:
            return self.ledger.granted(subjects, purpose, at=at)
        return self.identities.mask(self.ledger, subjects, purpose, at=at)

    def withheld(
        self, subjects: Any, feature: str, purpose: str, *, at: datetime | str | None = None
    ) -> NDArray[np.bool_]:
        """Return from whom a feature must be kept; see `Ledger.withheld`."""
        if self.identities is None:
            return self.ledger.withheld(subjects, feature, purpose, at=at)
        return self.identities.withheld(self.ledger, subjects, feature, purpose, at=at)

    def denied_by_link(self, subjects: Any, purpose: str, *, at: datetime | str | None = None) -> NDArray[np.bool_]:
        """Return whom a denial that was made with another identifier has reached."""
        if self.identities is None:
            return np.zeros(len(subjects), dtype=bool)
        return self.identities.denied_by_link(self.ledger, subjects, purpose, at=at)
