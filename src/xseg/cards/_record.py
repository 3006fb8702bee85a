"""The card as facts: a frozen record that every form is made from."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from xseg.cards._any_card import AnyCard
from xseg.cards._fact_types import (
    Alternative,
    Certainty,
    Finite,
    Hidden,
    OriginalAgrees,
    Reason,
    SegmentFact,
    Used,
    WayOut,
)
from xseg.exceptions import DataError

if TYPE_CHECKING:
    from xseg.cards._checklist import CheckedField

__all__ = ["Card"]


class Card(AnyCard):
    """Why one person is in their group, as facts.

    Cards are made by `make_cards`. Words are made from the facts, and forms from the words: `html`, `text`,
    `markdown`, `json`; in a notebook a card shows itself. What every card says is told at `AnyCard`.

    Attributes
    ----------
    segment : SegmentFact
        The group.
    rival : str or None
        The name of the group that fits next best, where groups are compared by a score; None where they have rules.
    base_value, base_points : float, int
        What one would guess knowing nothing: the share of everyone who is in the group, or its mean margin over the
        rival.
    total_value, total_points : float, int
        What it all adds up to: 1 and 100, or the margin over the rival and 100, or fewer points where it is close.
    reasons : tuple of Reason
        At most four, the most influential first.
    rest_points : int
        What the other features add together.
    hidden : Hidden or None
        What features add that are not shown by name; None if there are none that matter.
    alternative : Alternative or None
        Why not the neighbour group; None if there is no other.
    way_out : WayOut or None
        What would change it; None where the policy does not say what the person can change.
    certainty : Certainty
        How sure.
    used : tuple of Used
        What the model asks about, by its label; `unnamed` counts what is asked about and not named.
    not_used : tuple of str
        Labels of what was there but is never asked about.
    unknown : tuple of str
        Labels of what is asked about but is not known of this person.
    unknown_matters : bool
        Whether something that is not known contributes to the answer.
    original_agrees : {"yes", "no", "not known"} or None
        Where the rules stand in for another method: whether that method puts the person into this group too. None
        where the rules are the model itself.
    minimum_group_size : int
        How many people a group must have before it is sized or compared with.
    """

    kind: Literal["placed"] = "placed"
    segment: SegmentFact
    rival: str | None = None
    base_value: Finite
    base_points: int
    reasons: Annotated[tuple[Reason, ...], Field(max_length=4)]
    rest_points: int
    hidden: Hidden | None
    total_value: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    total_points: Annotated[int, Field(ge=0, le=100)] = 100
    alternative: Alternative | None
    way_out: WayOut | None
    certainty: Certainty
    used: tuple[Used, ...]
    unnamed: Annotated[int, Field(ge=0)]
    not_used: tuple[str, ...]
    unknown: tuple[str, ...]
    unknown_matters: bool
    original_agrees: OriginalAgrees | None = None
    minimum_group_size: Annotated[int, Field(ge=1)]

    def completeness(self) -> "tuple[CheckedField, ...]":
        """Return for each thing that law and good practice want on a card whether this one says it.

        Returns
        -------
        tuple of CheckedField
            With its source, and where it is missing what the policy has to say. Nothing here claims that a law is met.

        Examples
        --------
        >>> import xseg
        >>> customers = xseg.make_customers(500, random_state=0)
        >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
        >>> card = xseg.make_cards(segmenter, customers)[0]
        >>> [field.needs for field in card.completeness() if field.key == "controller"]
        ['controller']
        """
        from xseg.cards._checklist import checked

        return checked(self)

    _source: Any = PrivateAttr(default=None)

    def travelling(self) -> dict[str, Any]:
        """Return what an interactive page carries.

        Raises
        ------
        DataError
            The card was read from a file, and has no model to carry.
        """
        if self._source is None:
            message = (
                "a card that was read back has no model with it; make it anew with make_cards for an interactive page"
            )
            raise DataError(message)
        facts, row = self._source
        carried: dict[str, Any] = facts.what_if(row)
        return carried

    def html(self, *, interactive: bool = False) -> str:
        """Return the card as one HTML page that needs no network.

        Parameters
        ----------
        interactive : bool, default=False
            Whether the page carries the model, narrowed down to this person, and a small script, so that they can
            change a value or leave it out and see which group that makes and why. Nothing is sent anywhere; where
            scripts do not run it is the plain card.

        Raises
        ------
        DataError
            The card was read from a file, and has no model to carry.
        UnsupportedModelError
            The model is too large to travel, or would describe a group of too few people.
        """
        from xseg.cards._render import interactive_page, render

        return interactive_page(self) if interactive else render(self, "page.html.j2")
