"""Making cards: of those whom a model places, of those whom it does not, and of everybody behind a consent gate."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from xseg.cards._card_record import AnyCard, Card, DecidedCard
from xseg.cards._consent_facts import (
    ConsentGateLike,
    ConsentLedger,
    ConsentLookup,
    IdentityLinks,
    is_consent_gate,
    prepare_question,
)
from xseg.cards._fact_types import DecisionBasis, OriginalAgrees
from xseg.cards._group_names import GroupNames
from xseg.cards._row_facts import CardBuilder
from xseg.cards._shared_facts import CardLabels, collect_model_facts, prepare_settings, resolve_moment
from xseg.core.pairing import order_like
from xseg.core.tables import read_table
from xseg.exceptions import DataError, ParameterError, UnsupportedTypeError, warn_caller
from xseg.explanations import compute_own_contributions
from xseg.i18n import Language, load_language
from xseg.policy import Policy
from xseg.segmenters import FittedSegmenter, FittedSurrogate, SegmenterOrPipeline, find_route, fold

__all__ = [
    "Cards",
    "GatedCards",
    "build_cards",
    "find_group_names",
    "make_cards",
    "make_decided_card",
    "make_gated_cards",
    "name_groups",
    "prepare_decided_cards",
    "read_once",
]

_SHOWN = 3


class Cards(Sequence[Card]):
    """The cards of the rows of a table; each is made when it is asked for.

    Parameters
    ----------
    facts : CardBuilder
        Gives the card of a row.
    rows : sequence of int
        Which rows.
    ids : sequence of str or None
        A reference for each row of the table.
    """

    def __init__(self, facts: CardBuilder, rows: Sequence[int], ids: Sequence[str] | None) -> None:
        self._facts = facts
        self._rows = rows
        self._ids = ids

    @overload
    def __getitem__(self, key: int) -> Card: ...
    @overload
    def __getitem__(self, key: slice) -> "Cards": ...
    def __getitem__(self, key: int | slice) -> "Card | Cards":
        if isinstance(key, slice):
            return Cards(self._facts, self._rows[key], self._ids)
        row = self._rows[key]
        return self._facts.card(row, None if self._ids is None else self._ids[row])

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Card]:
        return (self[place] for place in range(len(self)))

    @property
    def group_names(self) -> GroupNames:
        """What the cards call the segments."""
        return self._facts.naming.groups

    def segment_name(self, segment: int) -> str:
        """Return what the cards call a segment."""
        return self._facts.naming.segments[segment].name

    def __repr__(self) -> str:
        return f"<{len(self):,} cards>"

    def _repr_html_(self) -> str:
        shown = "".join(card._repr_html_() for card in self[:_SHOWN])
        more = f"<p>and {len(self) - _SHOWN:,} more</p>" if len(self) > _SHOWN else ""
        return shown + more


def make_cards(
    segmenter: SegmenterOrPipeline,
    X: Any,
    *,
    policy: Any = None,
    ids: Sequence[Any] | None = None,
    at: datetime | None = None,
    agreement: Sequence[OriginalAgrees] | None = None,
    locale: str | None = None,
    tone: str = "plain",
    ledger: ConsentLedger | None = None,
    identities: IdentityLinks | None = None,
    strict_locale: bool = False,
) -> Cards:
    """Make a card for each person: which group they are in, and why, in words fit to be shown to them.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model. Cards of a pipeline speak of raw columns in raw units (see `xseg.fold`).
    X : table or array of shape (n_rows, n_features)
        The people, one a row.
    policy : Policy, path, mapping or None, default=None
        What they may be told. None claims nothing: column names, "source not stated".
    ids : sequence of shape (n_rows,), default=None
        A reference for each card. A pandas Series is matched with `X` by its index, as `agreement` is.
    at : datetime, default=None
        The date on the cards; None means today (UTC).
    agreement : sequence of {"yes", "no", "not known"}, default=None
        For a stand-in: whether the original puts each person into the same group. None asks the segmenter, whose
        original may be able to say.
    locale : str, default=None
        The language of the words, such as ``"de"`` or ``"pt-BR"``; None means the policy's own. What the policy
        translates is said in it too.
    tone : {"plain", "formal"}, default="plain"
        How people are spoken to.
    ledger : Ledger, default=None
        What the people agreed to, by their ids: their cards say what they said about each purpose, and when. None
        means that the cards do not speak of consent.
    identities : Identities, default=None
        Links over which denials spread.
    strict_locale : bool, default=False
        Whether to refuse a policy that does not translate all its words into the language of the cards.

    Returns
    -------
    Cards
        A sequence of `Card`.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    DataError
        The columns are not those it was fitted on.
    DefinitionError
        The policy cannot be read, names a column that is not there, words a sentence anew without its facts, or lacks
        translations where `strict_locale` is true.
    ParameterError
        There are no cards in this language, or no such tone.
    UnsupportedTypeError
        The model is no segmenter, or a step of the pipeline cannot be folded. For a `ConsentGate` there is
        `xseg.cards.make_gated_cards`.
    DataError
        There are not as many ids, or answers of the original, as rows, or a pipeline has not seen values of a row.
    ConsentError
        There is a ledger, and no ids to ask it about.

    Warns
    -----
    UnknownSegmentsWarning
        The policy describes segments that the model does not have.
    UnnamedSegmentsWarning
        Nobody has named some segments, so that cards call them "Group A", "Group B", ...
    UntranslatedTextsWarning
        The policy does not translate all its words into the language of the cards.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> names = ["Now and then", "Loyal readers", "Collectors"]
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, segment_names=names, random_state=0).fit(customers)
    >>> cards = xseg.make_cards(segmenter, customers, policy=xseg.datasets.customers_policy())
    >>> len(cards), bool(cards[0].segment.index == segmenter.labels_[0])
    (2000, True)
    """
    cards = build_cards(
        segmenter,
        X,
        policy=policy,
        ids=ids,
        at=at,
        agreement=agreement,
        locale=locale,
        tone=tone,
        ledger=ledger,
        identities=identities,
        strict_locale=strict_locale,
    )
    warning = cards.group_names.describe_unnamed()
    if warning is not None:
        warn_caller(warning)
    return cards


def build_cards(
    segmenter: SegmenterOrPipeline,
    X: Any,
    *,
    policy: Any,
    ids: Sequence[Any] | None = None,
    at: datetime | None,
    agreement: Sequence[OriginalAgrees] | None = None,
    locale: str | None,
    tone: str,
    ledger: ConsentLedger | None,
    identities: IdentityLinks | None,
    strict_locale: bool = False,
) -> Cards:
    """Make cards as `make_cards` does, without a warning of segments that have no name."""
    if is_consent_gate(segmenter):
        message = "cards behind a consent gate are made by xseg.cards.make_gated_cards, which asks who agreed"
        raise UnsupportedTypeError(message)
    model, rows = fold(segmenter), X
    X = read_once(segmenter, X)
    table, explained = compute_own_contributions(model, X, n_jobs=getattr(model, "n_jobs", 1))
    if model is not segmenter:
        _check_alike(segmenter, explained.segments, X)
    # Only what was given has an index, by which a Series is matched.
    ids, agreement = order_like(rows, ids, "ids"), order_like(rows, agreement, "agreement")
    policy = Policy.coerce(policy)
    policy.check_columns(table.names)
    policy.check_segments(model.segment_names_)
    if ids is not None and len(ids) != len(table):
        message = f"there are {len(ids)} ids for {len(table)} rows; give one for each"
        raise DataError(message)
    agreed = _agreement(segmenter, X, len(table), agreement)
    moment = resolve_moment(at)
    settings = prepare_settings(segmenter, policy, locale, tone, moment, strict=strict_locale)
    names = None if ids is None else [str(name) for name in ids]
    facts = CardBuilder(model, table, explained, settings, agreed, prepare_question(ledger, identities, names, moment))
    return Cards(facts, range(len(table)), names)


def name_groups(
    segmenter: SegmenterOrPipeline, *, policy: Any = None, locale: str | None = None, tone: str = "plain"
) -> tuple[str, ...]:
    """Return what cards call the segments of a model.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model.
    policy, locale, tone
        As for `make_cards`.

    Returns
    -------
    tuple of str
        The names that customers read, in the order of the segments.

    Examples
    --------
    >>> import xseg
    >>> from xseg.cards import name_groups
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=2, random_state=0).fit(customers)
    >>> name_groups(segmenter, policy={"segments": {"1": {"shown_name": "Loyal readers"}}})
    ('Group A', 'Loyal readers')
    """
    return find_group_names(fold(segmenter), Policy.coerce(policy), locale, tone).names


def find_group_names(segmenter: FittedSegmenter, policy: Policy, locale: str | None, tone: str) -> GroupNames:
    """Return what cards call the segments of a model, and which of them have no name."""
    tag = policy.locale if locale is None else locale
    language = load_language(tag, tone)
    language = load_language(tag, tone, policy.wording.get(language.tag))
    return CardLabels(segmenter, segmenter.profile_.bins.schema.names, policy.translate(tag), language).groups


def read_once(segmenter: SegmenterOrPipeline, X: Any) -> Any:
    """Return the table that `X` holds, where the model asks for nothing else; steps and originals get `X` as it is."""
    if isinstance(segmenter, Pipeline | FittedSurrogate):
        return X
    return read_table(X)


def _agreement(
    model: Any, X: Any, n_rows: int, given: Sequence[OriginalAgrees] | None
) -> Sequence[OriginalAgrees] | None:
    """Return whether the original agrees about each row, for a model that stands in for one."""
    route = find_route(model)
    if not isinstance(route.segmenter, FittedSurrogate):
        return None
    if given is None:
        asked: Sequence[OriginalAgrees] = route.segmenter.agreement(route.transform(X)).tolist()
        return asked
    if len(given) != n_rows or not set(given) <= {"yes", "no", "not known"}:
        message = f"agreement needs 'yes', 'no' or 'not known' for each of {n_rows} rows, as segmenter.agreement gives"
        raise DataError(message)
    return list(given)


def _check_alike(pipeline: Any, segments: NDArray[np.int64], X: Any) -> None:
    """Raise an error for rows that the steps of a pipeline treat in a way that no rule over raw columns tells."""
    route = find_route(pipeline)
    other = np.flatnonzero(route.segmenter.predict(route.transform(X)) != segments)
    if len(other):
        message = (
            f"{len(other)} row(s), the first of them row {other[0]}, hold values (such as categories that no step had "
            "seen) that the pipeline puts elsewhere than the rules it stands for; leave them out, or replace the values"
        )
        raise DataError(message)


def make_decided_card(
    segmenter: SegmenterOrPipeline,
    basis: DecisionBasis,
    *,
    segment: int | str | None = None,
    reference: str | None = None,
    policy: Any = None,
    at: datetime | None = None,
    locale: str | None = None,
    tone: str = "plain",
    ledger: ConsentLedger | None = None,
    identities: IdentityLinks | None = None,
) -> DecidedCard:
    """Make the card of somebody whom the model does not place.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model that is not asked.
    basis : {"chosen", "no_consent", "objected", "restricted", "not_profiled", "erased", "unknown"}
        What the card rests on.
    segment : int or str, default=None
        The segment that the person chose, where they chose one.
    reference : str, default=None
        Whose card it is, in the company's own terms.
    policy, at, locale, tone, ledger, identities
        As for `make_cards`.

    Returns
    -------
    DecidedCard
        The card.

    Raises
    ------
    ParameterError
        A segment was chosen and not given, or given and not chosen, or there is no such segment, language or tone.
    DefinitionError
        The policy cannot be read.
    ConsentError
        There is a ledger, and no reference to ask it about.

    Examples
    --------
    >>> import xseg
    >>> from xseg.cards import make_decided_card
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> print(make_decided_card(segmenter, "objected").text()[:46])
    You are in no group.
    You objected to this use.
    """
    if (segment is None) == (basis == "chosen"):
        message = f"basis={basis!r} and segment={segment!r}: give a segment if the person chose it, and only then"
        raise ParameterError(message)
    make = prepare_decided_cards(
        segmenter, policy=policy, at=at, locale=locale, tone=tone, ledger=ledger, identities=identities
    )
    return make(basis, segment, reference)


def prepare_decided_cards(
    segmenter: SegmenterOrPipeline,
    *,
    policy: Any,
    at: datetime | None,
    locale: str | None,
    tone: str,
    ledger: ConsentLedger | None,
    identities: IdentityLinks | None,
) -> Callable[[DecisionBasis, int | str | None, str | None], DecidedCard]:
    """Prepare what such cards have in common; returns a maker of basis, segment and reference."""
    model, moment = fold(segmenter), resolve_moment(at)
    policy = Policy.coerce(policy)
    policy.check_columns(model.profile_.bins.schema.names)
    policy.check_segments(model.segment_names_)
    settings = prepare_settings(segmenter, policy, locale, tone, moment)
    naming = CardLabels(model, model.profile_.bins.schema.names, settings.policy, settings.language)
    model_facts = collect_model_facts(model, naming)
    same = settings.facts(model_facts)
    unused = tuple(used.label for used in model_facts.used)
    languages: dict[Language, Language] = {}

    def make_card(basis: DecisionBasis, segment: int | str | None, reference: str | None) -> DecidedCard:
        question = prepare_question(ledger, identities, None if reference is None else [reference], moment)
        card = DecidedCard(
            basis=basis,
            segment=None if segment is None else naming.segments[int(model.segments_.position(segment))],
            not_used=unused,
            reference=reference,
            consent=None if question is None else ConsentLookup(question, model_facts.purposes).facts(0),
            **same,
        )
        card._languages = languages
        return card

    return make_card


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
    at: datetime | None = None,
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
    at, locale, tone
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
    >>> gate = ConsentGate(xseg.TreeSegmenter(3, random_state=0), ledger, purpose="offers")
    >>> gate = gate.fit(customers, ids=ids)
    >>> cards = make_gated_cards(gate, customers, ids=ids)
    >>> type(cards[0]).__name__, type(cards[299]).__name__
    ('Card', 'DecidedCard')
    """
    ids = order_like(X, ids, "ids")
    stated, names = gate.policy if policy is None else policy, [str(name) for name in ids]
    # People are admitted, and their statements read, as of one moment.
    moment = gate.resolve_time(resolve_moment(at))
    admitted = gate.admit(X, ids=ids, at=moment)
    same: dict[str, Any] = {
        "policy": stated,
        "at": moment,
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
    return GatedCards(cards, places, prepare_decided_cards(gate.segmenter_, **same), gate.find_decision_basis, names)
