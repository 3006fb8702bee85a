"""From when until when people themselves denied a purpose."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.consent_kernels import DENIES, GRANTS, IGNORED, spell_ends
from xseg.governance.consent._store import STATES, Store
from xseg.governance.consent._times import NEVER

__all__ = ["DenialSpells", "spells_of"]

_SPREADS = np.array([state.denies for state in STATES])


@dataclass(frozen=True, eq=False)
class DenialSpells:
    """Spells of denial, one a row; `ends` is exclusive, and `NEVER` where no later grant was given."""

    subjects: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]


def spells_of(store: Store, purposes: NDArray[np.int32], feature: str, now: int) -> DenialSpells:
    """Return the spells about a purpose, or about a feature of it, that began up to `now`.

    A spell begins with a denial, not with silence, a request or expiry, and ends with the next grant of one's own.
    """
    rows = store.rows
    about = int(store.vocabularies["feature"].find([feature])[0])
    asked = np.isin(rows["purpose"], purposes) & (rows["feature"] == about) & (rows["effect"] != IGNORED)
    grants = rows["effect"] == GRANTS
    entries = np.flatnonzero(asked & (np.where(grants, rows["at"], rows["order"]) <= now))
    rank = np.lexsort((rows["effect"][entries] == DENIES, rows["order"][entries], rows["subject"][entries]))
    entries = entries[rank]
    subjects, order = rows["subject"][entries], rows["order"][entries]
    ends = spell_ends(subjects, grants[entries], order, rows["at"][entries], NEVER)
    spreads = _SPREADS[rows["state"][entries]] & (ends > order)
    return DenialSpells(subjects[spreads].astype(np.int64), order[spreads], ends[spreads])
