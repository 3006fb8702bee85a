"""Routing of people to touchpoints: needs, allocation where capacity is short, and the result."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, overload
from unicodedata import normalize

from xseg.cards import make_cards
from xseg.core.schema import suggest_name
from xseg.exceptions import ParameterError
from xseg.export import State, check_approval, read_day
from xseg.governance.personas import NOT_KNOWN
from xseg.governance.routing._touchpoints import (
    Touchpoint,
    check_touchpoints,
    number_rows,
    read_answers,
    read_contacts,
    read_ids,
)
from xseg.policy import Policy
from xseg.segmenters import SegmenterOrPipeline, fold

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "NO_ROOM",
    "NO_TOUCHPOINT",
    "REASONS",
    "TOO_OFTEN",
    "Need",
    "Person",
    "Route",
    "Routes",
    "allocate",
    "find_need",
    "reaches",
    "route",
]

Stance: TypeAlias = Literal["open", "guarded", "unknown"]


class Need(IntEnum):
    """Who may meet a person; whatever meets a need meets the smaller ones."""

    ANY = 0
    HUMAN = 1
    CERTIFIED = 2


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a person; None is not known, and counts against automation.

    `stance` is what their segment says of them: open to programs, guarded against them, or nothing.
    """

    stance: Stance
    permitted: bool | None
    close: bool | None
    contested: bool | None
    disagrees: bool | None
    sensitive: bool | None


# Each reason in the order in which it is told.
REASONS: Final = {
    "persona": "their segment has doubts about AI or avoids it",
    "persona not known": "their segment does not say how they take to AI",
    "no permission": "they have not said yes to being helped by a program",
    "close call": "a small difference would put them into another segment",
    "contested": "they contest their segment",
    "stand-in disagrees": "the rules stand in for another method, which does not say the same, or was not asked",
    "sensitive": "the model uses what is sensitive, or of which that is not stated",
}


def find_need(person: Person) -> tuple[Need, tuple[str, ...]]:
    """Return the least kind of touchpoint that may serve a person, and the reasons."""
    holds = {
        "persona": person.stance == "guarded",
        "persona not known": person.stance not in {"open", "guarded"},
        "no permission": person.permitted is not True,
        "close call": person.close is not False,
        "contested": person.contested is not False,
        "stand-in disagrees": person.disagrees is not False,
        "sensitive": person.sensitive is not False,
    }
    reasons = tuple(reason for reason in REASONS if holds[reason])
    if holds["persona"] or (holds["persona not known"] and holds["no permission"]):
        return Need.CERTIFIED, reasons
    return (Need.HUMAN if reasons else Need.ANY), reasons


def reaches(need: Need, touchpoint: Touchpoint, day: date) -> bool:
    """Return whether a touchpoint will do."""
    if need == Need.ANY:
        return True
    if touchpoint.automated is not False:
        return False
    return need == Need.HUMAN or (touchpoint.certified is not None and touchpoint.certified.holds(day))


TOO_OFTEN = "met often enough"
NO_TOUCHPOINT = "no touchpoint will do"
NO_ROOM = "no room left"


def allocate(
    needs: Sequence[Need],
    ids: Sequence[str],
    rested: Sequence[bool],
    touchpoints: Sequence[Touchpoint],
    day: date,
    draw: str,
) -> list[int | str]:
    """Return each person the first touchpoint that will do and has room, or why there is none.

    Those who need most choose first, and among equals a hash of their ids decides: as what serves a greater need
    serves a smaller one too, as many people get one as possible.
    """
    room = [touchpoint.capacity for touchpoint in touchpoints]
    fitting = {
        need: [place for place, touchpoint in enumerate(touchpoints) if reaches(need, touchpoint, day)] for need in Need
    }
    order = sorted(range(len(ids)), key=lambda row: (-needs[row], _draw_lot(draw, ids[row])))
    given: list[int | str] = [TOO_OFTEN] * len(ids)
    for row in order:
        if not rested[row]:
            continue
        places = fitting[needs[row]]
        place = next((place for place in places if room[place] != 0), None)
        if place is None:
            given[row] = NO_ROOM if places else NO_TOUCHPOINT
            continue
        given[row] = place
        left = room[place]
        room[place] = None if left is None else left - 1
    return given


def _draw_lot(draw: str, name: str) -> bytes:
    return hashlib.sha256(f"{len(draw)}|{draw}|{name}".encode()).digest()


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


@dataclass(frozen=True, eq=False)
class PeopleFacts:
    """What is known of each person besides their row, in the order of the rows.

    Parameters
    ----------
    permitted : sequence of bool or None, of shape (n_rows,), default=None
        Whether each person said yes to being helped by a program. None is not known, and counts as no.
    contested : sequence of bool or None, of shape (n_rows,), default=None
        Whether each person contests their segment; in the sequence None counts as yes. None in its place: nobody does.
    contacts : sequence of int or None, of shape (n_rows,), default=None
        How often each person has been met lately; None is not known, and counts as often enough.
    """

    permitted: Sequence[bool | None] | None = None
    contested: Sequence[bool | None] | None = None
    contacts: Sequence[int | None] | None = None


@dataclass(frozen=True)
class RoutingRules:
    """Which segments a program may help, and how often people are met.

    Parameters
    ----------
    automate : collection of str, default=None
        The segments whose people a program may help; None means "Enthusiasts" and "AI-Assisted Shoppers".
    guarded : collection of str, default=()
        Segments beside "Skeptics" and "Avoiders" whose people only certified touchpoints meet.
    max_contacts : int, default=None
        Who has been met that often is left alone; None sets no limit.
    draw : str, default=""
        Names the draw of lots: another word, another order among equals.
    """

    automate: Collection[str] | None = None
    guarded: Collection[str] = ()
    max_contacts: int | None = None
    draw: str = ""


def route(
    segmenter: SegmenterOrPipeline,
    X: Any,
    *,
    touchpoints: Sequence[Touchpoint],
    policy: Any = None,
    ids: Sequence[Any] | None = None,
    people: PeopleFacts | None = None,
    rules: RoutingRules | None = None,
    require: State | None = None,
    at: date | None = None,
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
    people : PeopleFacts, default=None
        Who permits automation, who contests their segment, and how often each person has been met; None
        means that nothing of it is known.
    rules : RoutingRules, default=None
        Which segments a program may help, which it may not, how often people are met, and the draw of lots;
        None means ``RoutingRules()``.
    require : {"draft", "reviewed", "approved"}, default=None
        The least that the model must be (see `xseg.governance.approval.approve`); None asks for nothing.
    at : date, default=None
        The day on which certifications and approvals must hold; None means today (UTC).

    Returns
    -------
    Routes
        One `Route` for each row.

    Raises
    ------
    ParameterError
        There is no touchpoint, two have one name, an id is missing or there twice, a sequence does not fit the rows,
        a segment is not one of the segmenter's, or is both automated and guarded.
    ApprovalError
        The model is less than what is required.
    NotFittedError, DataError, DefinitionError, UnsupportedTypeError
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
    >>> from xseg.governance.routing import Certification, PeopleFacts, Touchpoint
    >>> scores = pd.DataFrame({"ai_use": [4.7, 1, None], "ai_trust": [4.9, 3, 5], "ai_feeling": [4.9, 3, 5]})
    >>> personas = persona_rules().fit(pd.concat([scores] * 20))
    >>> seen = Certification("the head of service", date(2026, 1, 1), date(2027, 1, 1))
    >>> desk = Touchpoint("desk", "phone", automated=False, certified=seen)
    >>> places = [Touchpoint("assistant", "app", automated=True), desk]
    >>> routes = route(personas, scores, touchpoints=places, ids=["A", "B", "C"], policy=persona_policy(),
    ...                people=PeopleFacts(permitted=[True, True, None]), at=date(2026, 6, 1))
    >>> [(met.touchpoint, met.reasons) for met in routes]  # doctest: +NORMALIZE_WHITESPACE
    [('assistant', ()), ('desk', ('persona',)), ('desk', ('persona not known', 'no permission'))]
    """
    day = read_day(at)
    check_approval(segmenter, require, at=day)
    people, rules = people or PeopleFacts(), rules or RoutingRules()
    places = check_touchpoints(touchpoints)
    names = None if ids is None else read_ids(ids)
    told = Policy.coerce(policy)
    cards = make_cards(segmenter, X, policy=told, ids=names)
    if names is None:
        names = number_rows(len(cards), places)
    model = fold(segmenter)
    stances = _find_stances(model.segment_names_, rules.automate, rules.guarded)
    sensitive = _uses_sensitive(model, told)
    known = {
        "permitted": read_answers("permitted", people.permitted, len(names), None),
        "contested": read_answers("contested", people.contested, len(names), False),
    }
    persons = [
        Person(
            stance=stances[card.segment.index],
            permitted=known["permitted"][row],
            close=card.certainty.is_narrow,
            contested=known["contested"][row],
            disagrees=card.original_agrees not in {None, "yes"},
            sensitive=sensitive,
        )
        for row, card in enumerate(cards)
    ]
    needs = [find_need(person) for person in persons]
    rested = read_contacts(people.contacts, rules.max_contacts, len(names))
    given = allocate([need for need, _ in needs], names, rested, places, day, rules.draw)
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


def _find_stances(segments: Sequence[str], automate: Collection[str] | None, guarded: Collection[str]) -> list[Stance]:
    """Return how the people of each segment take to programs; who is in no list is not known."""
    for name in (*(automate or ()), *guarded):
        if name not in segments:
            message = (
                f"{name!r} is none of the segments {', '.join(segments)}.{suggest_name(name, segments, sentence=True)}"
            )
            raise ParameterError(message)
    closed = {_plain(name) for name in (*_GUARDED, *guarded)}
    opened = {*(_OPEN if automate is None else automate)} - ({*guarded} if automate is None else set())
    both = sorted(name for name in opened if _plain(name) in {*closed, _plain(NOT_KNOWN)})
    if both:
        message = f"{both[0]!r} cannot be automated: its people have doubts about AI, avoid it, or are not known"
        raise ParameterError(message)
    return ["guarded" if _plain(name) in closed else "open" if name in opened else "unknown" for name in segments]


def _plain(name: str) -> str:
    """Return a name as people hear it, so that no other spelling of a guarded segment is a way round."""
    return " ".join(normalize("NFKC", name).casefold().split())


def _uses_sensitive(model: Any, policy: Policy) -> bool:
    """Return whether the model asks for what is sensitive, or of which the policy does not say that it is not."""
    names = model.profile_.bins.schema.names
    used = [policy.features.get(names[j]) for j in model.model_.used_features.tolist()]
    return any(stated is None or stated.sensitive for stated in used)
