"""Many cards, each made when it is looked at."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, overload

from xseg.cards._card import Card, _render
from xseg.cards._facts import CardMaker, Rows
from xseg.core.boxes import BoxModel
from xseg.exceptions import ParameterError, UnsupportedModelError
from xseg.explain._explain import box_explainer
from xseg.explain._pipeline import route_of
from xseg.policy import Policy

__all__ = ["Cards", "make_cards"]

_SHOWN_IN_NOTEBOOK = 3


def make_cards(
    segmenter: Any,
    X: Any,
    *,
    policy: Any = None,
    ids: Sequence[Any] | None = None,
    now: datetime | None = None,
) -> "Cards":
    """Make a card for each person: why they are in their segment.

    Parameters
    ----------
    segmenter : fitted segmenter
        A segmenter whose segments are boxes, or a Pipeline that has no other step.
    X : table or array of shape (n_rows, n_features)
        The people, with the columns the segmenter was fitted on.
    policy : Policy, path, mapping or None, default=None
        What may be told about each feature. None states nothing: labels are column names, sources not stated.
    ids : sequence of shape (n_rows,), default=None
        References to print on the cards; the index of a table is never used for that.
    now : datetime, default=None
        When the cards are issued, with a time zone; None is the present.

    Returns
    -------
    Cards
        A sequence of `Card`; each is made when it is looked at.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    SchemaError, ColumnTypeError
        The columns are not those it was fitted on.
    UnsupportedModelError
        The model's segments are not boxes over the raw columns.
    PolicyError
        The policy is malformed, or names features that the table lacks.
    ParameterError
        There are not as many ids as rows, or `now` has no time zone.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> cards = xseg.make_cards(segmenter, customers, policy=xseg.customers_policy())
    >>> len(cards), cards[0].reasons[0].direction
    (2000, 'towards')
    """
    segmenter, explainer = _explainable(segmenter)
    table = segmenter._read(X)
    stated = Policy.of(policy)
    stated.check_columns(table.names)
    maker = CardMaker(segmenter, explainer, stated)
    return Cards(maker, maker.read(table), _references(ids, len(table)), _issue_time(now), range(len(table)))


class Cards(Sequence[Card]):
    """Cards of many people; a slice of it is one too.

    Made by `make_cards`.

    Parameters
    ----------
    maker : CardMaker
        What makes a card.
    rows : Rows
        The people.
    references : sequence of str or None
        Their references.
    issued_at : datetime
        When the cards are issued.
    places : range
        Which of the rows these are.
    """

    def __init__(
        self, maker: CardMaker, rows: Rows, references: Sequence[str] | None, issued_at: datetime, places: range
    ) -> None:
        self._maker = maker
        self._rows = rows
        self._references = references
        self._issued_at = issued_at
        self._places = places

    @overload
    def __getitem__(self, key: int) -> Card: ...
    @overload
    def __getitem__(self, key: slice) -> "Cards": ...
    def __getitem__(self, key: int | slice) -> "Card | Cards":
        if isinstance(key, slice):
            return Cards(self._maker, self._rows, self._references, self._issued_at, self._places[key])
        row = self._places[key]
        reference = None if self._references is None else self._references[row]
        return self._maker.card(self._rows, row, reference, self._issued_at)

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"<{len(self):,} card{'' if len(self) == 1 else 's'}>"

    def _repr_html_(self) -> str:
        return _render("notebook.html.j2", list(self[:_SHOWN_IN_NOTEBOOK]), len(self))


def _explainable(model: Any) -> tuple[Any, Any]:
    """Give the segmenter and its explainer, or say why there is none."""
    route = route_of(model)
    segmenter = route.segmenter
    if route.sources is not None:
        message = (
            "the pipeline transforms the columns before the segmenter sees them, and a card speaks of raw columns only; "
            "fit the segmenter on the raw table, which it can read as it is (categories and missing values included)"
        )
        raise UnsupportedModelError(message)
    if hasattr(segmenter, "_check_fitted"):
        segmenter._check_fitted()
    if not isinstance(getattr(segmenter, "model_", None), BoxModel):
        message = f"{type(segmenter).__name__} has no cards; make_cards takes a fitted segmenter made of boxes"
        raise UnsupportedModelError(message)
    return segmenter, box_explainer(segmenter, route, len(segmenter.model_.boxes.bins))


def _references(ids: Sequence[Any] | None, n_rows: int) -> list[str] | None:
    if ids is None:
        return None
    if isinstance(ids, str) or len(ids) != n_rows:
        found = "one text" if isinstance(ids, str) else f"{len(ids):,} ids"
        message = f"ids holds {found} for {n_rows:,} rows; give one id a row"
        raise ParameterError(message)
    return [str(reference) for reference in ids]


def _issue_time(now: datetime | None) -> datetime:
    if now is None:
        return datetime.now(UTC).replace(microsecond=0)
    if now.tzinfo is None or now.utcoffset() is None:
        message = f"now={now.isoformat()} has no time zone; give one, such as datetime.now(datetime.UTC)"
        raise ParameterError(message)
    return now
