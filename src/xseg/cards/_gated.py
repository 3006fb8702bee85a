"""Cards of everybody behind a consent gate: reasons for those who agreed, and for the others that they did not."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, overload

from xseg.cards._any_card import AnyCard
from xseg.cards._consent import ConsentGateLike, DecisionBasis
from xseg.cards._decided import decided_cards
from xseg.cards._edition import moment_of
from xseg.cards._make import Cards, make_cards
from xseg.core.pairing import order_like

__all__ = ["GatedCards", "make_gated_cards"]

_DENIED = -1


class GatedCards(Sequence[AnyCard]):
    """The cards of the rows of a table; each is made when it is asked for.

    Parameters
    ----------
    cards : Cards or None
        The cards of those who agreed; None if nobody did.
    places : sequence of int
        Where each row's card is among them; -1 for those who did not agree.
    denied : callable
        Makes the card of somebody who is not admitted.
    grounds : callable
        Says why somebody is not.
    ids : sequence of str
        A reference for each row.
    """

    def __init__(
        self,
        cards: Cards | None,
        places: Sequence[int],
        denied: Callable[..., AnyCard],
        grounds: Callable[[str], DecisionBasis],
        ids: Sequence[str],
    ) -> None:
        self._cards = cards
        self._places = places
        self._denied = denied
        self._grounds = grounds
        self._ids = ids

    @overload
    def __getitem__(self, key: int) -> AnyCard: ...
    @overload
    def __getitem__(self, key: slice) -> "GatedCards": ...
    def __getitem__(self, key: int | slice) -> "AnyCard | GatedCards":
        if isinstance(key, slice):
            return GatedCards(self._cards, self._places[key], self._denied, self._grounds, self._ids[key])
        place = self._places[key]
        if place == _DENIED or self._cards is None:
            denied: AnyCard = self._denied(self._grounds(self._ids[key]), None, self._ids[key])
            return denied
        return self._cards[place]

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[AnyCard]:
        return (self[place] for place in range(len(self)))

    def __repr__(self) -> str:
        return f"<{len(self):,} cards>"


def make_gated_cards(
    gate: ConsentGateLike,
    X: Any,
    *,
    ids: Sequence[Any],
    policy: Any = None,
    now: datetime | None = None,
    locale: str | None = None,
    tone: str = "plain",
) -> GatedCards:
    """Make a card for each person behind a gate, by what they agreed to.

    Whoever agrees gets a `Card`, in which what they withhold is not known; whoever does not gets a `DecidedCard` that
    says so. All say what the ledger says of each purpose.

    Parameters
    ----------
    gate : ConsentGate
        Fitted.
    X : table or array of shape (n_rows, n_features)
        The people, one a row.
    ids : sequence of str or int of shape (n_rows,)
        Whom each row is about, as the ledger calls them. A pandas Series is matched with `X` by its index.
    policy : Policy, path, mapping or None, default=None
        What the people may be told; None means the gate's own.
    now, locale, tone
        As for `make_cards`; a gate that has a time of its own is asked about that.

    Returns
    -------
    GatedCards
        A sequence of `Card` and `DecidedCard`.

    Raises
    ------
    NotFittedError, ConsentError, DataError
        As for `ConsentGate.predict`; others as for `make_cards`.

    Examples
    --------
    >>> import xseg
    >>> from xseg.cards import make_gated_cards
    >>> from xseg.governance.consent import ConsentGate, Ledger
    >>> customers, ids = xseg.make_customers(300, random_state=0), range(300)
    >>> ledger = Ledger()
    >>> for customer in ids[:200]:
    ...     _ = ledger.append(customer, "offers", "given", source="account")
    >>> gate = ConsentGate(xseg.TreeSegmenter(3, random_state=0), ledger, "offers").fit(customers, subject_ids=ids)
    >>> cards = make_gated_cards(gate, customers, ids=ids)
    >>> type(cards[0]).__name__, type(cards[299]).__name__
    ('Card', 'DecidedCard')
    """
    ids = order_like(X, ids, "ids")
    told, names = gate.policy if policy is None else policy, [str(name) for name in ids]
    # People are admitted, and told what they said, as of one moment.
    moment = gate.resolve_time(moment_of(now))
    admitted = gate.admit(X, subject_ids=ids, at=moment)
    same: dict[str, Any] = {
        "policy": told,
        "now": moment,
        "locale": locale,
        "tone": tone,
        "ledger": gate.ledger,
        "identities": gate.identities,
    }
    rows = admitted.rows.tolist()
    cards = make_cards(gate.segmenter_, admitted.X, ids=[names[row] for row in rows], **same) if rows else None
    places = [_DENIED] * admitted.n_rows
    for place, row in enumerate(rows):
        places[row] = place
    return GatedCards(cards, places, decided_cards(gate.segmenter_, **same), gate.find_decision_basis, names)
