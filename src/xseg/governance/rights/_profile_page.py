"""A small page for a preference centre: one session is one person, and every change carries the session's own token."""

import hmac
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xseg._optional import require
from xseg.cards import answer_words, name_groups, render_article
from xseg.core.schema import Kind
from xseg.exceptions import ParameterError, XsegError
from xseg.governance.rights._action_log import SegmentBasis
from xseg.governance.rights._person_record import Case
from xseg.governance.rights._profile import Profile
from xseg.governance.rights._profile_answers import Answer
from xseg.i18n import Language, Quantity, get_environment, load_language, one_line

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["RequestLimit", "make_entry_link", "make_profile_app"]

_MINUTE: Final = 60.0
_MAX_PEOPLE: Final = 10_000


class RequestLimit:
    """Counts of requests of the last minute, by person; nothing of it is kept longer or written anywhere.

    Parameters
    ----------
    most : int
        How many requests a person has in a minute.
    clock : callable, optional
        Gives seconds that only grow.
    """

    def __init__(self, most: int, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, subject: str) -> bool:
        """Count a request, and return whether it is within the limit."""
        with self._lock:
            now = self._clock()
            times = self._times.setdefault(subject, deque(maxlen=self._most))
            self._times.move_to_end(subject)
            if len(self._times) > _MAX_PEOPLE:
                self._times.popitem(last=False)
            if len(times) == self._most and now - times[0] < _MINUTE:
                return False
            times.append(now)
            return True


_HOUR: Final = 3600
_LARGEST_FORM: Final = 20_000
_MAX_DIGITS: Final = 16
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SALT: Final = "xseg-profile-entry"

# What can be asked for, and which fields of the form it takes.
_ACTIONS: Final[Mapping[str, tuple[Callable[..., Answer], tuple[str, ...]]]] = {
    "agree": (Profile.agree, ()),
    "withdraw": (Profile.withdraw, ()),
    "withhold": (Profile.withhold, ("feature",)),
    "allow": (Profile.allow, ("feature",)),
    "correct": (Profile.correct, ("feature", "value")),
    "object": (Profile.object, ()),
    "object_marketing": (Profile.object_marketing, ()),
    "restrict": (Profile.restrict, ()),
    "not_profiled": (Profile.leave, ()),
    "opt_out": (Profile.opt_out, ()),
    "limit_sensitive": (Profile.limit_sensitive, ()),
    "lift": (Profile.lift, ()),
    "withdraw_objection": (Profile.withdraw_objection, ()),
    "withdraw_marketing_objection": (Profile.withdraw_marketing_objection, ()),
    "rejoin": (Profile.rejoin, ()),
    "choose": (Profile.choose, ("segment",)),
    "contest": (Profile.contest, ("text",)),
    "ask": (Profile.ask, ("text",)),
    "express_view": (Profile.express_view, ("text",)),
    "erase": (Profile.erase, ()),
}
# A no is always heard; these can be asked for too often, and the last four open a case for a human or add to it.
_LIMITED: Final = frozenset(
    {"agree", "allow", "lift", "withdraw_objection", "withdraw_marketing_objection", "rejoin", "choose"}
    | {"correct", "contest", "ask", "express_view"}
)
_FOR_A_HUMAN: Final = frozenset({"correct", "contest", "ask", "express_view"})
_MAX_FILE_RECEIPTS: Final = 200
_TOO_MANY: Final = "That was too much at once. Nothing was lost and nothing was changed. Please wait a minute."
_TOO_MANY_CASES: Final = (
    "A person is already looking into everything you have asked. Nothing was lost. Please wait for their answers."
)
# The cookie goes with requests from this site only, and following a link from elsewhere is none; this page then is.
_ENTERED: Final = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/"><title>xseg</title>'
    '<p><a href="/">&rarr;</a></p>'
)


def make_entry_link(subject: str, secret: str) -> str:
    """Return the path by which one person enters their page; it is signed, and lasts an hour.

    Parameters
    ----------
    subject : str
        Whose page it is.
    secret : str
        The secret of `make_profile_app`.

    Returns
    -------
    str
        A path that begins with ``/enter?token=``. Whoever has it is taken to be the person: send it to them only.
    """
    dangerous: Any = require("itsdangerous", extra="profile", purpose="the profile page")
    return f"/enter?token={dangerous.URLSafeTimedSerializer(secret, salt=_SALT).dumps(subject)}"


def make_profile_app(
    profile_of: Callable[[str], Profile | None],
    *,
    secret: str,
    locale: str = "en",
    https: bool = True,
    keep: Callable[[], None] | None = None,
    max_requests: int = 120,
    max_open_cases: int = 20,
) -> "Starlette":
    """Make the web page of a preference centre.

    A session belongs to the one person whose signed link opened it. Every form carries a token of that session, and
    the browser is told to send the session's cookie to nobody else, so that other sites can neither read nor act. A
    browser that sends ``Sec-GPC: 1`` is followed at once.

    Parameters
    ----------
    profile_of : callable
        Gives the profile of a subject; None if there is none.
    secret : str
        Signs sessions and links; at least 32 characters, kept secret.
    locale : str, default="en"
        The language of the page.
    https : bool, default=True
        Whether browsers keep the session for encrypted connections; False is for a machine's own address only.
    keep : callable, optional
        Called after each action and before the person is told that it is done; writes what is in memory, such as the
        ledger.
    max_requests : int, default=120
        How many requests a person has in a minute; beyond them the answer is 429, and nothing is lost. To say no is
        never limited.
    max_open_cases : int, default=20
        How many cases of a person may wait for a human before the page takes no further ones.

    Returns
    -------
    starlette.applications.Starlette
        An ASGI application.

    Raises
    ------
    OptionalDependencyError
        ``xseg[profile]`` is not installed.
    ParameterError
        The secret is too short.

    References
    ----------
    OWASP, "Cross-Site Request Forgery Prevention Cheat Sheet" (synchroniser tokens, SameSite cookies).

    Examples
    --------
    >>> from xseg.governance.rights import make_profile_app
    >>> app = make_profile_app(lambda subject: None, secret="x" * 32)
    >>> sorted(route.path for route in app.routes)
    ['/', '/act', '/data.json', '/enter', '/leave', '/port.json']
    """
    require("starlette", extra="profile", purpose="the profile page")
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.sessions import SessionMiddleware
    from starlette.routing import Route

    if len(secret) < 32:
        message = f"the secret has {len(secret)} characters; give at least 32 that nobody can guess"
        raise ParameterError(message)
    for name, value in (("max_requests", max_requests), ("max_open_cases", max_open_cases)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            message = f"{name} must be an int of at least 1, got {value!r}"
            raise ParameterError(message)
    page = _Page(profile_of, secret, load_language(locale), keep, RequestLimit(max_requests), max_open_cases)
    sessions = Middleware(
        SessionMiddleware,
        secret_key=secret,
        session_cookie="xseg_profile",
        same_site="strict",
        max_age=_HOUR,
        https_only=https,
    )
    routes = [
        Route("/enter", page.enter),
        Route("/", page.show),
        Route("/act", page.act, methods=["POST"]),
        Route("/leave", page.leave, methods=["POST"]),
        Route("/data.json", page.data),
        Route("/port.json", page.port),
    ]
    return Starlette(routes=routes, middleware=[sessions])


class _Page:
    """The answers of the page."""

    def __init__(
        self,
        profile_of: Callable[[str], Profile | None],
        secret: str,
        language: Language,
        keep: Callable[[], None] | None,
        limit: RequestLimit,
        max_open_cases: int,
    ) -> None:
        self.limit = limit
        self.max_open_cases = max_open_cases
        self.profile_of = profile_of
        self.secret = secret
        self.language = language
        self.keep = keep

    async def enter(self, request: "Request") -> "Response":
        """Open a session for the person whom a link was made for."""
        from starlette.responses import HTMLResponse

        dangerous: Any = require("itsdangerous", extra="profile", purpose="the profile page")
        links = dangerous.URLSafeTimedSerializer(self.secret, salt=_SALT)
        try:
            subject = links.loads(request.query_params.get("token", ""), max_age=_HOUR)
        except dangerous.BadData:
            subject = None
        if not isinstance(subject, str):
            return _make_error_page(403, "This link is not valid, or no longer.")
        request.session.clear()
        request.session.update({"subject": subject, "token": secrets.token_urlsafe(32)})
        return HTMLResponse(_ENTERED, headers=dict(_HEADERS))

    async def show(self, request: "Request") -> "Response":
        """Show the page of the person whose session it is."""
        profile = self._profile(request)
        if profile is None:
            return _make_error_page(403, "Please use the link that was sent to you.")
        followed = profile.signal(request.headers.get("sec-gpc"))
        if followed is not None:
            request.session["said"] = self._confirm(followed)
        if not self.limit.allows(profile.subject):
            return _make_error_page(429, _TOO_MANY)
        return self._render_page(profile, request.session["token"], request.session.pop("said", None))

    async def act(self, request: "Request") -> "Response":
        """Perform the person's action, and show the page again."""
        from starlette.responses import RedirectResponse

        profile = self._profile(request)
        if profile is None:
            return _make_error_page(403, "Please use the link that was sent to you.")
        length = request.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > _LARGEST_FORM:
            return _make_error_page(413, "That is too long.")
        form = {name: str(value) for name, value in (await request.form()).items()}
        if not hmac.compare_digest(form.get("token", "").encode(), request.session["token"].encode()):
            return _make_error_page(403, "This form is not from your page, or is too old. Please open the page again.")
        action = form.get("action")
        if action not in _ACTIONS:
            return _make_error_page(400, "There is no such action.")
        if action in _LIMITED and not self.limit.allows(profile.subject):
            return _make_error_page(429, _TOO_MANY)
        if action in _FOR_A_HUMAN and self._has_too_many_cases(profile, action):
            return _make_error_page(429, _TOO_MANY_CASES)
        try:
            request.session["said"] = self._confirm(_perform_action(profile, form))
        except XsegError as error:
            return _make_error_page(400, one_line(str(error), 300))
        return RedirectResponse("/", status_code=303, headers=dict(_HEADERS))

    async def leave(self, request: "Request") -> "Response":
        """End the session."""
        form = await request.form()
        token = str(form.get("token", ""))
        if not hmac.compare_digest(token.encode(), str(request.session.get("token", "")).encode()):
            return _make_error_page(403, "This form is not from your page, or is too old. Please open the page again.")
        request.session.clear()
        return _make_error_page(200, "You have left the page.")

    def _has_too_many_cases(self, profile: Profile, action: str) -> bool:
        cases = profile.cases()
        n_open = len(cases)
        if action == "express_view":
            n_open = max((len(case.views) for case in cases), default=0)
        return n_open >= self.max_open_cases

    async def data(self, request: "Request") -> "Response":
        """Return everything that is held about the person; of many receipts the latest, and where the others are."""
        before = request.query_params.get("before", "")
        end = int(before) if before.isascii() and before.isdigit() and len(before) < _MAX_DIGITS else None

        def ask(profile: Profile) -> dict[str, Any]:
            held = profile.export(max_receipts=_MAX_FILE_RECEIPTS, before=end)
            older = held["older_receipts"]
            return held | {"older_receipts": None if older is None else f"/data.json?before={older}"}

        return self._file(request, ask, "my-data.json")

    async def port(self, request: "Request") -> "Response":
        """Return what the person provided."""
        return self._file(request, Profile.port, "what-i-gave.json")

    def _file(self, request: "Request", ask: Callable[[Profile], dict[str, Any]], name: str) -> "Response":
        from starlette.responses import JSONResponse

        profile = self._profile(request)
        if profile is None:
            return _make_error_page(403, "Please use the link that was sent to you.")
        if not self.limit.allows(profile.subject):
            return _make_error_page(429, _TOO_MANY)
        headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        return JSONResponse(ask(profile), headers=headers)

    def _profile(self, request: "Request") -> Profile | None:
        subject = request.session.get("subject")
        return None if subject is None or "token" not in request.session else self.profile_of(subject)

    def _confirm(self, answer: Answer) -> str:
        """Store what was done, and return the sentence that confirms it."""
        if self.keep is not None:
            self.keep()
        return " ".join(answer_words(answer.card.answer, self.language))

    def _render_page(self, profile: Profile, token: str, said: str | None) -> "Response":
        from starlette.responses import HTMLResponse

        erased, withheld = profile.basis is SegmentBasis.ERASED, profile.list_withheld()
        html = (
            get_environment("xseg.governance.rights")
            .get_template("profile.html.j2")
            .render(
                language=self.language,
                say=self.language.say,
                card=render_article(profile.card(self.language.locale), choices=False),
                features=[] if erased else _describe_features(profile, withheld, self.language),
                segments=name_groups(profile.segmenter, policy=profile.policy, locale=self.language.locale),
                cases=[self._describe_case(case) for case in profile.cases()],
                recipients=self._recipients(profile),
                undo=_list_undo_actions(profile),
                erased=erased,
                token=token,
                said=said,
            )
        )
        return HTMLResponse(html, headers=dict(_HEADERS))

    def _describe_case(self, case: Case) -> str:
        """Return by when a person answers, and what."""
        day = self.language.date(case.due)
        words = one_line(" / ".join([*filter(None, [case.text]), *case.views]), 400)
        return (
            self.language.say("profile.case", day=day, text=words)
            if words
            else self.language.say("profile.case_open", day=day)
        )

    def _recipients(self, profile: Profile) -> str | None:
        names = [one_line(name) for name in profile.recipients()]
        return self.language.say("profile.received", names=self.language.join_items(names)) if names else None


def _list_undo_actions(profile: Profile) -> list[str]:
    """Return the actions by which a person takes back what they said no to, each of which takes back one thing."""
    status = profile.status
    said = {
        "lift": status.restricted,
        "withdraw_objection": status.objections,
        "withdraw_marketing_objection": status.marketing_objections,
        "rejoin": status.not_profiled,
    }
    return [action for action, what in said.items() if what]


def _perform_action(profile: Profile, form: Mapping[str, str]) -> Answer:
    """Perform the action that a form asks for."""
    act, fields = _ACTIONS[form["action"]]
    given = {name: form.get(name, "") for name in fields}
    if "value" in given:
        return act(profile, given["feature"], _read_value(profile, given["feature"], given["value"]))
    if "segment" in given:
        return act(profile, _read_segment(profile, given["segment"]))
    return act(profile, *given.values())


def _read_segment(profile: Profile, text: str) -> int | None:
    """Return the index of the segment that a form names; None gives the choice back to the model."""
    if text and text not in map(str, range(profile.segmenter.n_segments_)):
        message = f"segment must be one of those offered, got {text!r}; choose one from the list"
        raise ParameterError(message)
    return int(text) if text else None


def _describe_features(profile: Profile, withheld: tuple[str, ...], language: Language) -> list[dict[str, Any]]:
    """Return what is held and may be shown, with what the person can do about it."""
    row = profile.data().iloc[0]
    policy = profile.policy.translate(language.locale)
    shown = {name: policy.feature(name) for name in row.index}
    return [
        {
            "name": name,
            "label": name if feature.label is None else language.capitalise(one_line(feature.label)),
            "value": _format_value(row[name], Quantity(feature.unit, feature.number_format, language)),
            "withheld": name in withheld,
        }
        for name, feature in shown.items()
        if feature.shown and not feature.sensitive
    ]


def _format_value(value: Any, quantity: Quantity) -> str:
    if value is None or value != value:
        return quantity.language.say("value.unknown")
    if isinstance(value, bool | np.bool_):
        return quantity.language.say("value.yes" if value else "value.no")
    return one_line(value) if isinstance(value, str) else quantity.format_rounded(float(value))


def _read_value(profile: Profile, feature: str, text: str) -> Any:
    """Read a value as the column holds it; what cannot be read so is refused by the model."""
    schema = profile.segmenter.profile_.bins.schema
    text = text.strip()
    if feature not in schema.names or not schema[schema.index(feature)].kind.is_numeric:
        return text
    if schema[schema.index(feature)].kind is Kind.BOOLEAN:
        return {"true": True, "false": False}.get(text.casefold(), text)
    try:
        return float(text)
    except ValueError:
        return text


def _make_error_page(status: int, sentence: str) -> "Response":
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(f"{sentence}\n", status_code=status, headers=dict(_HEADERS))
