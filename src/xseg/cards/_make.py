"""From people to cards."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from xseg.backends.base import count_workers
from xseg.cards._consent import asking_of
from xseg.cards._edition import edition_of, moment_of
from xseg.cards._fact_types import OriginalAgrees
from xseg.cards._facts import FactFinder
from xseg.cards._record import Card
from xseg.core.pairing import order_like
from xseg.exceptions import DataError, UnsupportedModelError
from xseg.explanations import own_contributions
from xseg.governance.consent import ConsentGate, Identities, Ledger
from xseg.policy import Policy
from xseg.segmenters import fold
from xseg.segmenters._pipelines import route_of

__all__ = ["Cards", "make_cards"]

_SHOWN = 3


class Cards(Sequence[Card]):
    """The cards of the rows of a table; each is made when it is asked for.

    Parameters
    ----------
    facts : FactFinder
        Gives the card of a row.
    rows : sequence of int
        Which rows.
    ids : sequence of str or None
        A reference for each row of the table.
    """

    def __init__(self, facts: FactFinder, rows: Sequence[int], ids: Sequence[str] | None) -> None:
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
    segmenter: Any,
    X: Any,
    *,
    policy: Any = None,
    ids: Sequence[Any] | None = None,
    now: datetime | None = None,
    agreement: Sequence[OriginalAgrees] | None = None,
    locale: str | None = None,
    tone: str = "plain",
    ledger: Ledger | None = None,
    identities: Identities | None = None,
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
    now : datetime, default=None
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

    Returns
    -------
    Cards
        A sequence of `Card`.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    SchemaError, ColumnTypeError
        The columns are not those it was fitted on.
    PolicyError
        The policy cannot be read, names a column that is not there, or words a sentence anew without its facts.
    ParameterError
        There are no cards in this language, or no such tone.
    UnsupportedModelError
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

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> cards = xseg.make_cards(segmenter, customers, policy=xseg.customers_policy())
    >>> len(cards), bool(cards[0].segment.index == segmenter.labels_[0])
    (2000, True)
    """
    if isinstance(segmenter, ConsentGate):
        message = "cards behind a consent gate are made by xseg.cards.make_gated_cards, which asks who agreed"
        raise UnsupportedModelError(message)
    model = fold(segmenter)
    table, explained = own_contributions(model, X, count_workers(getattr(model, "n_jobs", 1)))
    if model is not segmenter:
        _check_alike(segmenter, explained.segments, X)
    ids, agreement = order_like(X, ids, "ids"), order_like(X, agreement, "agreement")
    told = Policy.of(policy)
    told.check_columns(table.names)
    told.check_segments(model.segment_names_)
    if ids is not None and len(ids) != len(table):
        message = f"there are {len(ids)} ids for {len(table)} rows; give one for each"
        raise DataError(message)
    agreed = _agreement(segmenter, X, len(table), agreement)
    moment = moment_of(now)
    edition = edition_of(segmenter, told, locale, tone, moment)
    names = None if ids is None else [str(name) for name in ids]
    facts = FactFinder(model, table, explained, edition, agreed, asking_of(ledger, identities, names, moment))
    return Cards(facts, range(len(table)), names)


def _agreement(
    model: Any, X: Any, n_rows: int, given: Sequence[OriginalAgrees] | None
) -> Sequence[OriginalAgrees] | None:
    """Return whether the original agrees about each row, for a model that stands in for one."""
    route = route_of(model)
    if not hasattr(route.segmenter, "agreement"):
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
    route = route_of(pipeline)
    other = np.flatnonzero(route.segmenter.predict(route.transform(X)) != segments)
    if len(other):
        message = (
            f"{len(other)} row(s), the first of them row {other[0]}, hold values (such as categories that no step had "
            "seen) that the pipeline puts elsewhere than the rules it stands for; leave them out, or replace the values"
        )
        raise DataError(message)
