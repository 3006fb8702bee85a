"""From people to touchpoints."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, overload
from unicodedata import normalize

from xseg.cards import make_cards
from xseg.core.schema import suggestion
from xseg.exceptions import TouchpointError
from xseg.export import State, require_state
from xseg.governance.personas import NOT_KNOWN
from xseg.governance.routing._allocation import allocate
from xseg.governance.routing._arguments import (
    checked_touchpoints,
    number_rows,
    read_answers,
    read_contacts,
    read_day,
    read_ids,
)
from xseg.governance.routing._needs import Need, Person, Stance, need_of
from xseg.governance.routing._places import Touchpoint
from xseg.policy import Policy
from xseg.segmenters import fold

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Route", "Routes", "route"]

_OPEN = ("Enthusiasts", "AI-Assisted Shoppers")
_GUARDED = ("Skeptics", "Avoiders")


@dataclass(frozen=True, slots=True)
class Route:
    """Where one person is met.

    Attributes
    ----------
    id : str
        Who.
    segment : str
        The name of their segment.
    touchpoint, channel : str or None
        Where they are met; None where they are not.
    automation : bool
        Whether a program may help them.
    reasons : tuple of str
        Why a human is needed: "persona", "persona not known", "no permission", "close call", "contested",
        "stand-in disagrees", "sensitive". Empty where `automation` is true.
    none_because : str or None
        Why they are not met: "met often enough", "no touchpoint will do", "no room left".
    """

    id: str
    segment: str
    touchpoint: str | None
    channel: str | None
    automation: bool
    reasons: tuple[str, ...]
    none_because: str | None


class Routes(Sequence[Route]):
    """Where people are met, in the order of the rows.

    Parameters
    ----------
    routes : sequence of Route
        One for each person.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)

    @overload
    def __getitem__(self, key: int) -> Route: ...
    @overload
    def __getitem__(self, key: slice) -> "Routes": ...
    def __getitem__(self, key: int | slice) -> "Route | Routes":
        return Routes(self._routes[key]) if isinstance(key, slice) else self._routes[key]

    def __len__(self) -> int:
        return len(self._routes)

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def __repr__(self) -> str:
        met = sum(route.touchpoint is not None for route in self._routes)
        return f"<{len(self):,} routes, {met:,} of them to a touchpoint>"

    def to_frame(self) -> "pd.DataFrame":
        """Return the routes as a table.

        Returns
        -------
        DataFrame of shape (n_people, 6)
            By id; the reasons of each person in one text.
        """
        import pandas as pd

        names = ("segment", "touchpoint", "channel", "automation", "none_because")
        table = pd.DataFrame(
            {name: [getattr(route, name) for route in self._routes] for name in names},
            index=pd.Index([route.id for route in self._routes], name="id", dtype=object),
        )
        return table.assign(reasons=["; ".join(route.reasons) for route in self._routes])


def route(
    segmenter: Any,
    X: Any,
    *,
    touchpoints: Sequence[Touchpoint],
    policy: Any = None,
    ids: Sequence[Any] | None = None,
    permitted: Sequence[bool | None] | None = None,
    contested: Sequence[bool | None] | None = None,
    contacts: Sequence[int | None] | None = None,
    most_contacts: int | None = None,
    automate: Collection[str] | None = None,
    guarded: Collection[str] = (),
    draw: str = "",
    require: State | None = None,
    now: date | None = None,
) -> Routes:
    """Return for each person where they are met, whether a program may help them, and if not, why.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model, such as `persona_rules`.
    X : table or array of shape (n_rows, n_features)
        The people.
    touchpoints : sequence of Touchpoint
        Where people can be met, the preferred first.
    policy : Policy, path, mapping or None, default=None
        Says which features are sensitive. One that it does not name counts as sensitive.
    ids : sequence of shape (n_rows,), default=None
        Who they are; they also decide who comes first where there is not room for all. None numbers the rows, and is
        refused where a touchpoint has a capacity, so that the order of rows decides nothing.
    permitted : sequence of bool or None, of shape (n_rows,), default=None
        Whether each person said yes to being helped by a program. None is not known, and counts as no.
    contested : sequence of bool or None, of shape (n_rows,), default=None
        Whether each person contests their segment; in the sequence None counts as yes. None in its place: nobody does.
    contacts : sequence of int or None, of shape (n_rows,), default=None
        How often each person has been met lately; None is not known, and counts as often enough.
    most_contacts : int, default=None
        Who has been met that often is left alone; None sets no limit.
    automate : collection of str, default=None
        The segments whose people a program may help; None means "Enthusiasts" and "AI-Assisted Shoppers".
    guarded : collection of str
        Segments beside "Skeptics" and "Avoiders" whose people only certified touchpoints meet.
    draw : str, default=""
        Names the draw of lots: another word, another order among equals.
    require : {"draft", "reviewed", "approved"}, default=None
        The least that the model must be (see `xseg.approve`); None asks for nothing.
    now : date, default=None
        The day on which certifications and approvals must hold; None means today (UTC).

    Returns
    -------
    Routes
        One `Route` for each row.

    Raises
    ------
    TouchpointError
        There is no touchpoint, two have one name, an id is missing or there twice, a sequence does not fit the rows,
        a segment is not one of the segmenter's, or is both automated and guarded.
    ApprovalError
        The model is less than what is required.
    NotFittedError, SchemaError, PolicyError, UnsupportedModelError, DataError
        As for `make_cards`.

    Notes
    -----
    People of guarded segments, and people of whom neither the persona nor a yes is known, reach only touchpoints that
    are run by people and certified by one of them today. Everybody else for whom there is a reason reaches touchpoints
    that are run by people. A program helps only those for whom there is none. How near somebody is to another segment,
    and whether an original agrees, is what their card says.

    Examples
    --------
    >>> from datetime import date
    >>> import pandas as pd
    >>> import xseg
    >>> from xseg.governance.personas import persona_policy, persona_rules
    >>> from xseg.governance.routing import Certification, Touchpoint
    >>> scores = pd.DataFrame({"ai_use": [4.7, 1, None], "ai_trust": [4.9, 3, 5], "ai_feeling": [4.9, 3, 5]})
    >>> people = persona_rules().fit(pd.concat([scores] * 20))
    >>> seen = Certification("the head of service", date(2026, 1, 1), date(2027, 1, 1))
    >>> desk = Touchpoint("desk", "phone", automated=False, certified=seen)
    >>> places = [Touchpoint("assistant", "app", automated=True), desk]
    >>> routes = xseg.route(people, scores, touchpoints=places, ids=["A", "B", "C"], policy=persona_policy(),
    ...                     permitted=[True, True, None], now=date(2026, 6, 1))
    >>> [(route.touchpoint, route.reasons) for route in routes]  # doctest: +NORMALIZE_WHITESPACE
    [('assistant', ()), ('desk', ('persona',)), ('desk', ('persona not known', 'no permission'))]
    """
    day = datetime.now(UTC).date() if now is None else read_day(now)
    require_state(segmenter, require, now=day)
    places = checked_touchpoints(touchpoints)
    names = None if ids is None else read_ids(ids)
    told = Policy.coerce(policy)
    cards = make_cards(segmenter, X, policy=told, ids=names)
    if names is None:
        names = number_rows(len(cards), places)
    model = fold(segmenter)
    stances = _stances(model.segment_names_, automate, guarded)
    sensitive = _uses_sensitive(model, told)
    known = {
        "permitted": read_answers("permitted", permitted, len(names), None),
        "contested": read_answers("contested", contested, len(names), False),
    }
    people = [
        Person(
            stance=stances[card.segment.index],
            permitted=known["permitted"][row],
            close=card.certainty.close,
            contested=known["contested"][row],
            disagrees=card.original_agrees not in {None, "yes"},
            sensitive=sensitive,
        )
        for row, card in enumerate(cards)
    ]
    needs = [need_of(person) for person in people]
    rested = read_contacts(contacts, most_contacts, len(names))
    given = allocate([need for need, _ in needs], names, rested, places, day, draw)
    return Routes(
        [
            _route(names[row], model.segment_names_[card.segment.index], needs[row], given[row], places)
            for row, card in enumerate(cards)
        ]
    )


def _route(
    name: str, segment: str, need: tuple[Need, tuple[str, ...]], given: int | str, places: Sequence[Touchpoint]
) -> Route:
    place = places[given] if isinstance(given, int) else None
    return Route(
        id=name,
        segment=segment,
        touchpoint=None if place is None else place.name,
        channel=None if place is None else place.channel,
        automation=need[0] == Need.ANY,
        reasons=need[1],
        none_because=given if isinstance(given, str) else None,
    )


def _stances(segments: Sequence[str], automate: Collection[str] | None, guarded: Collection[str]) -> list[Stance]:
    """Return how the people of each segment take to programs; who is in no list is not known."""
    for name in (*(automate or ()), *guarded):
        if name not in segments:
            message = (
                f"{name!r} is none of the segments {', '.join(segments)}.{suggestion(name, segments, sentence=True)}"
            )
            raise TouchpointError(message)
    closed = {_plain(name) for name in (*_GUARDED, *guarded)}
    opened = {*(_OPEN if automate is None else automate)} - ({*guarded} if automate is None else set())
    both = sorted(name for name in opened if _plain(name) in {*closed, _plain(NOT_KNOWN)})
    if both:
        message = f"{both[0]!r} cannot be automated: its people have doubts about AI, avoid it, or are not known"
        raise TouchpointError(message)
    return ["guarded" if _plain(name) in closed else "open" if name in opened else "unknown" for name in segments]


def _plain(name: str) -> str:
    """Return a name as people hear it, so that no other spelling of a guarded segment is a way round."""
    return " ".join(normalize("NFKC", name).casefold().split())


def _uses_sensitive(model: Any, policy: Policy) -> bool:
    """Return whether the model asks for what is sensitive, or of which the policy does not say that it is not."""
    names = model.profile_.bins.schema.names
    used = [policy.features.get(names[j]) for j in model.model_.used_features.tolist()]
    return any(stated is None or stated.sensitive for stated in used)
