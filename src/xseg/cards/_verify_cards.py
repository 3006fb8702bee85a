"""Proving a card anew from the model, the person's data and the policy."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.cards._card_record import AnyCard, Card
from xseg.cards._consent_facts import ConsentLedger, IdentityLinks
from xseg.cards._fact_types import Alternative, CounterfactualFact, FeatureRequirement
from xseg.cards._make_cards import Cards, build_cards, read_once
from xseg.core.pairing import order_like, take_rows
from xseg.core.schema import Kind
from xseg.core.tables import Table, read_table
from xseg.exceptions import DataError
from xseg.explanations import apply_changes
from xseg.export import find_states, get_sign_offs
from xseg.policy import Policy
from xseg.segmenters import SegmenterOrPipeline, find_route

__all__ = ["CardCheck", "Failure", "verify_card", "verify_cards"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One fact that does not hold.

    Attributes
    ----------
    fact : str
        Where it stands in the record, such as ``"reasons.0.points"``.
    stated, proven : object
        What the card says, and what is so.
    """

    fact: str
    stated: Any
    proven: Any

    def __str__(self) -> str:
        return f"{self.fact}: the card says {self.stated!r}, but it is {self.proven!r}"


@dataclass(frozen=True, slots=True)
class CardCheck:
    """Whether a card holds.

    Attributes
    ----------
    failures : tuple of Failure
        What does not.
    """

    failures: tuple[Failure, ...]

    @property
    def holds(self) -> bool:
        """Whether every fact was proven."""
        return not self.failures

    def __str__(self) -> str:
        return "\n".join(map(str, self.failures)) or "every fact of the card holds"


def verify_card(
    segmenter: SegmenterOrPipeline,
    X: Any,
    *,
    card: Card | str | bytes,
    policy: Any = None,
    ledger: ConsentLedger | None = None,
    identities: IdentityLinks | None = None,
) -> CardCheck:
    """Prove every fact of a card anew: membership, values, comparisons, rules, contributions, neighbours, policy.

    Two things only their issuer knows: whose card it is (`reference`) and what it answers (`answer`).

    Parameters
    ----------
    segmenter : fitted segmenter
        The model it was made with.
    X : table or array of shape (1, n_features)
        The person's data.
    card : Card, str or bytes
        The card, or its JSON.
    policy : Policy, path, mapping or None, default=None
        The policy it was made with.
    ledger : Ledger, default=None
        The ledger it was made with: what it says of consent is asked anew, as of the moment it was asked then.
    identities : Identities, default=None
        The links over which denials spread.

    Returns
    -------
    CardCheck
        What does not hold, if anything.

    Raises
    ------
    DataError
        There is not exactly one row, or the card is a `DecidedCard`, which has nothing that a model could prove.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(1_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> card = xseg.make_cards(segmenter, customers)[0]
    >>> bool(xseg.verify_card(segmenter, customers.head(1), card=card).holds)
    True
    >>> other = customers.iloc[[(segmenter.labels_ != card.segment.index).argmax()]]
    >>> xseg.verify_card(segmenter, other, card=card).failures[0].fact
    'segment.index'
    """
    find_route(segmenter)
    X = read_once(segmenter, X)
    n_rows = len(read_table(X))
    if n_rows != 1:
        message = f"a card is about one person, and there are {n_rows} rows; give the person's own row"
        raise DataError(message)
    return verify_cards(segmenter, X, cards=[card], policy=policy, ledger=ledger, identities=identities)[0]


def verify_cards(
    segmenter: SegmenterOrPipeline,
    X: Any,
    *,
    cards: Sequence[Card | str | bytes],
    policy: Any = None,
    ledger: ConsentLedger | None = None,
    identities: IdentityLinks | None = None,
    ids: Sequence[Any] | None = None,
) -> list[CardCheck]:
    """Prove every fact of many cards anew.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model they were made with.
    X : table or array of shape (n_rows, n_features)
        The people's data, in the order of the cards unless `ids` are given.
    cards : sequence of Card, str or bytes, of shape (n_rows,)
        The cards, or their JSON.
    policy, ledger, identities
        As for `verify_card`.
    ids : sequence of shape (n_rows,), default=None
        Whose each row is. The cards, in any order, are then matched with the rows by their references.

    Returns
    -------
    list of CardCheck
        One for each card, in their order.

    Raises
    ------
    DataError
        There are not as many cards as rows, or ids and references do not name the same people, each once.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(1_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> cards = xseg.make_cards(segmenter, customers.head(20))
    >>> all(check.holds for check in xseg.verify_cards(segmenter, customers.head(20), cards=cards))
    True
    """
    find_route(segmenter)
    rows, X = X, read_once(segmenter, X)
    table = read_table(X)
    if len(cards) != len(table):
        message = f"there are {len(cards)} cards for {len(table)} rows; give one for each"
        raise DataError(message)
    read = [_read(card) for card in cards]
    if ids is not None:
        X = take_rows(X, _find_rows(read, order_like(rows, ids, "ids")))
        table = read_table(X)
    maker = _CardRemaker(
        segmenter, X, Policy.coerce(policy), [_get_reference(card) for card in read], ledger, identities
    )
    segments = segmenter.predict(X).tolist()
    moved = _check_changes(segmenter, table, read, maker)
    return [
        CardCheck((Failure("record", card, "not a card as it was written"),))
        if isinstance(card, str)
        else CardCheck(
            (
                *_failures(card, segments[row], maker.card(row, card)),
                *moved.get(row, ()),
                *_check_consent_stated(card, ledger),
            )
        )
        for row, card in enumerate(read)
    ]


def _find_rows(cards: Sequence[Card | str], ids: Sequence[Any]) -> NDArray[np.intp]:
    """Return the row of each card, by its reference."""
    places = {str(name): row for row, name in enumerate(ids)}
    asked = [_get_reference(card) for card in cards]
    if len(ids) != len(cards) or len(places) != len(ids) or set(asked) != places.keys():
        unknown = sum(name not in places for name in asked)
        message = (
            f"ids must name each of the {len(cards)} cards by its reference, once; there are {len(ids)} ids, "
            f"{len(ids) - len(places)} of them repeated, and {unknown} card(s) with a reference that is none of them. "
            "Give the ids that the cards were made with"
        )
        raise DataError(message)
    return np.array([places[name] for name in asked if name is not None], dtype=np.intp)


def _read(card: Card | str | bytes) -> Card | str:
    """Return the card, or why it cannot be read."""
    if isinstance(card, Card):
        return card
    if isinstance(card, AnyCard):
        message = "a card that no model made has no reasons to prove; what it rests on is in the log and the ledger"
        raise DataError(message)
    try:
        return Card.from_json(card)
    except DataError as error:
        return str(error)


def _check_consent_stated(card: Card, ledger: ConsentLedger | None) -> Iterator[Failure]:
    if ledger is not None and card.consent is None:
        yield Failure("consent", None, "what the ledger says")


def _get_reference(card: Card | str) -> str | None:
    return card.reference if isinstance(card, Card) else None


class _CardRemaker:
    """Makes the cards of the same people anew, in the language and on the day of each card."""

    def __init__(
        self,
        segmenter: SegmenterOrPipeline,
        X: Any,
        policy: Policy,
        ids: Sequence[str | None],
        ledger: ConsentLedger | None,
        identities: IdentityLinks | None,
    ) -> None:
        self.segmenter, self.X, self.policy, self.ids = segmenter, X, policy, ids
        self.ledger, self.identities = ledger, identities
        self._made: dict[tuple[str, str, date, datetime | None], Cards] = {}
        # Only who has a reference is known to a ledger; the others' cards were made without one.
        self._known = [row for row, name in enumerate(ids) if name is not None]
        self._places = {row: place for place, row in enumerate(self._known)}
        self._find_states = cache(self._find_states_on)

    def remake_cards(self, card: Card) -> Cards:
        """Return the cards in the language and on the day of one of them: everybody's, or of those a ledger knows."""
        asked = self._get_consent_time(card)
        key = (card.locale, card.tone, card.issued, asked)
        if key not in self._made:
            self._made[key] = build_cards(
                self.segmenter,
                self.X if asked is None else take_rows(self.X, np.array(self._known, dtype=np.intp)),
                policy=self.policy,
                ids=None if asked is None else [self.ids[row] for row in self._known],
                at=datetime.combine(card.issued, time(), tzinfo=UTC) if asked is None else asked,
                locale=card.locale,
                tone=card.tone,
                ledger=None if asked is None else self.ledger,
                identities=self.identities,
            )
        return self._made[key]

    def card(self, row: int, card: Card) -> Card:
        """Return the card of a row; only its issuer knows whose it is, what it answers, and what an original said."""
        cards = self.remake_cards(card)
        made = cards[row if self._get_consent_time(card) is None else self._places[row]]
        asked = made.original_agrees in {"yes", "no"} or card.original_agrees is None
        known: dict[str, Any] = {} if asked else {"original_agrees": card.original_agrees}
        # A card says what the model was when it was made; it may have been signed for later that day.
        if card.model == made.model and card.approval in self._find_states(made.model, card.issued):
            known["approval"] = card.approval
        return made.model_copy(update={"reference": card.reference, "answer": card.answer, **known})

    def _find_states_on(self, model: str, issued: date) -> Collection[str]:
        """Return the states of approval that the model had on a day."""
        return find_states(get_sign_offs(self.segmenter), model, issued)

    @staticmethod
    def _get_consent_time(card: Card) -> datetime | None:
        return None if card.consent is None or card.reference is None else card.consent.at

    def name(self, segment: int, card: Card) -> str:
        """Return what a card calls a segment."""
        return self.remake_cards(card).segment_name(segment)


def _failures(card: Card, segment: int, made: Card) -> Iterator[Failure]:
    if card.segment.index != segment:
        yield Failure("segment.index", card.segment.index, segment)
    # JSON tells apart what Python takes for equal, such as 1 and true.
    if card.model_dump_json() != made.model_dump_json():
        yield from _differences("", card.model_dump(), made.model_dump())
    shown = card.base_points + sum(reason.points for reason in card.reasons) + card.rest_points
    total = shown + (card.hidden.points if card.hidden is not None else 0)
    if total != card.total_points:
        yield Failure("total_points", card.total_points, total)


def _differences(path: str, stated: Any, proven: Any) -> Iterator[Failure]:
    """Return the facts that are not the same, by their place in the record."""
    if isinstance(stated, dict) and isinstance(proven, dict) and stated.keys() == proven.keys():
        for name in stated:
            yield from _differences(f"{path}{name}.", stated[name], proven[name])
    elif isinstance(stated, tuple) and isinstance(proven, tuple) and len(stated) == len(proven):
        for place, pair in enumerate(zip(stated, proven, strict=True)):
            yield from _differences(f"{path}{place}.", *pair)
    elif stated != proven or type(stated) is not type(proven):
        yield Failure(path.removesuffix("."), stated, proven)


def _check_changes(
    segmenter: SegmenterOrPipeline, table: Table, cards: Sequence[Card | str], maker: _CardRemaker
) -> dict[int, list[Failure]]:
    """Make the changes that cards speak of, and see whether the model puts the people where the cards say."""
    failures: dict[int, list[Failure]] = {}
    for fact in ("alternative", "counterfactual"):
        told = {row: getattr(card, fact) for row, card in enumerate(cards) if isinstance(card, Card)}
        rows = {row: change for row, change in told.items() if change is not None and _is_complete(change, table)}
        if not rows:
            continue
        changes = [{asked.feature: asked for asked in change.requirements} for change in rows.values()]
        after = apply_changes(table, list(rows), changes, _find_nearest_allowed)
        for (row, change), segment in zip(rows.items(), segmenter.predict(after).tolist(), strict=True):
            reached = maker.name(segment, cards[row])  # type: ignore[arg-type]
            if reached != change.segment:
                failures.setdefault(row, []).append(Failure(f"{fact}.segment", change.segment, reached))
    return failures


def _is_complete(change: Alternative | CounterfactualFact, table: Table) -> bool:
    """Return whether a change is told in full, of features that are there."""
    is_whole = bool(change.requirements) and not (isinstance(change, Alternative) and change.hidden)
    return is_whole and all(asked.feature in table.names for asked in change.requirements)


def _find_nearest_allowed(asked: FeatureRequirement, value: Any) -> Any:
    """Return the nearest value that meets what is asked."""
    limits = asked.limits
    if limits.categories is not None:
        return value if value in limits.categories else limits.categories[0]
    if not limits.known:
        return np.nan
    if limits.kind is Kind.BOOLEAN:
        return limits.lower is not None
    if limits.lower is not None and not value >= limits.lower:
        return ceil(limits.lower) if asked.integral else limits.lower
    if limits.upper is not None and not value < limits.upper:
        return ceil(limits.upper) - 1 if asked.integral else float(np.nextafter(limits.upper, -np.inf))
    return value
