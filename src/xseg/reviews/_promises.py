"""What the public notice promises and the model, or the policy, breaks.

A match of texts, and no legal advice. It reads English, and keeps quiet where a sentence has an exception or a limit: a
promise that is not found may still be broken.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from xseg.reviews._findings import Found
from xseg.reviews._notice_text import folded
from xseg.reviews._subject import Subject

__all__ = ["promises"]

_NOT: Final = (
    r"(?:we|our \w+|us|and|but|nor do we|or) (?:do not|don't|will not|won't|will never|never|does not|do never)"
)
_EVER: Final = r"(?: ever| also| and will not| and never| and do not| knowingly)*"
_SHARED: Final = r"(?:share|disclose|pass on|transfer|hand over|sell or share|share or sell|rent)"
# All that is known of a person, and everybody else: "we do not share your age" and "with the police" promise less.
_THINGS: Final = r"(?:data|information|details|groups?|segments?|anything|it|them)"
_TO_SOME: Final = r"(?! (?:with|to) (?!any|other|third|partner))"
_EVERYTHING: Final = rf"(?: (?:any|your|our|customer|personal|of|the|this))* {_THINGS}\b{_TO_SOME}"
_SOMEBODYS: Final = re.compile(r"\b(?:your|personal) (?:personal )?(?:data|information|details)\b")
_ASKED: Final = re.compile(r"\b(?:request|ask|asked|account|object|withdraw|complain|inactive|log|logs)\b")
_EXCEPTED: Final = re.compile(
    r"\b(?:except|unless|without|other than|beyond|apart from|only|outside|save|until|more than|if|when|with .* that)\b"
)
_NOT_USED: Final = (
    re.compile(rf"\b{_NOT}{_EVER} (?:use|collect|process|look at|ask for|store|hold|know|consider)\b (?P<what>.+)"),
    re.compile(r"\bwe (?:use|collect|process|hold|store) (?:no|neither)\b (?P<what>.+)"),
    re.compile(r"^(?P<what>.+?) (?:is|are) (?:not|never) (?:used|collected|processed|stored)\b"),
)
_LIMITED: Final = re.compile(r"\b(?:to|for|in order|so that|because|in|on|as|by|about others)\b")
_ABOUT: Final = re.compile(
    r"^(?:any |of |your |the |no )*(?:personal )?(?:information|data|details|facts)? ?"
    r"(?:about|on|regarding|concerning) "
)
_PARTS: Final = re.compile(r",|;|\bor\b|\band\b|\bnor\b|\.")
_EMPTY: Final = frozenset(
    re.findall(
        r"\w+",
        "a an and any at by data details each for from get got have how in information is it last no not of on or our "
        "personal share that the their these they this those to us use used was we were what when where whether which "
        "who with you your",
    )
)
_DAYS: Final = {"day": 1, "week": 7, "month": 31, "year": 366}
_KEPT: Final = re.compile(
    r"\b(?:keep|kept|store|stored|retain|retained|delete[ds]?|erased?)\b.*?"
    r"\b(?:no longer than|not longer than|at most|up to|for|after|within) (?:a maximum of )?(?P<n>\d{1,5}) "
    r"(?P<unit>day|week|month|year)s?\b"
)


@dataclass(frozen=True, slots=True)
class _Promise:
    """Words that promise something, and what breaks it: None, or what is so."""

    key: str
    words: re.Pattern[str]
    broken_by: Callable[[Subject], str | None]
    may_be_excepted: bool = True


def promises(subject: Subject) -> Iterator[Found]:
    """Find sentences of the notice that are not so."""
    assert subject.notice is not None
    for sentence in subject.notice.sentences:
        yield from _unused(subject, sentence)
        yield from _kept(subject, sentence)
        for promise in _PROMISES:
            if not promise.words.search(sentence) or (promise.may_be_excepted and _EXCEPTED.search(sentence)):
                continue
            broken_by = promise.broken_by(subject)
            if broken_by is not None:
                yield _broken(promise.key, sentence, broken_by)


def _broken(key: str, sentence: str, broken_by: str) -> Found:
    message = f"The notice says “{sentence}”, and {broken_by}."
    return Found("error", f"notice {key}", message, "keep the promise, or do not make it", {"sentence": sentence})


def _unused(subject: Subject, sentence: str) -> Iterator[Found]:
    """Find promises not to use what is used."""
    for pattern in _NOT_USED:
        found = pattern.search(sentence)
        if found is None or _EXCEPTED.search(sentence):
            continue
        for part in _PARTS.split(_ABOUT.sub("", found["what"].strip())):
            # "We do not use your orders to set prices" is a promise about prices.
            if _LIMITED.search(_ABOUT.sub("", part.strip())):
                continue
            wanted = _content(part)
            for name in subject.used:
                if wanted and wanted <= _words_of(subject, name):
                    yield _broken(f"features.{name}", sentence, f"{subject.label(name)} places people")
        return


def _kept(subject: Subject, sentence: str) -> Iterator[Found]:
    """Find that data are said to be kept for a shorter time than for any purpose."""
    found = _KEPT.search(sentence)
    if found is None or not _SOMEBODYS.search(sentence) or _ASKED.search(sentence):
        return
    promised = int(found["n"]) * _DAYS[found["unit"]]
    kept = [purpose.retention_days for purpose in subject.served.values() if purpose.retention_days is not None]
    if kept and promised < min(kept):
        yield _broken("retention", sentence, f"data are kept for {min(kept):,} days or more")


def _words_of(subject: Subject, name: str) -> frozenset[str]:
    return _content(f"{subject.feature(name).label or ''} {name.replace('_', ' ')}")


def _content(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z]{3,}", folded(text))
    return frozenset(word.removesuffix("s") for word in words if word not in _EMPTY)


def _shared(subject: Subject) -> str | None:
    names = subject.policy.recipients
    return f"{', '.join(names)} receive segments" if names else None


def _from(*sources: str) -> Callable[[Subject], str | None]:
    def broken_by(subject: Subject) -> str | None:
        labels = [subject.label(name) for name in subject.used if subject.feature(name).source in sources]
        return f"{', '.join(labels)} come from elsewhere" if labels else None

    return broken_by


def _always(what: str) -> Callable[[Subject], str | None]:
    return lambda _subject: what


def _not_agreed(subject: Subject) -> str | None:
    others = [name for name, purpose in subject.served.items() if purpose.legal_basis not in {"consent", None}]
    return f"{', '.join(map(repr, others))} rest on another basis" if others else None


def _sensitive(subject: Subject) -> str | None:
    labels = [subject.label(name) for name in subject.used if subject.feature(name).sensitive]
    return f"{', '.join(labels)} are marked sensitive and place people" if labels else None


_PROMISES: Final = (
    _Promise("sharing", re.compile(rf"\b{_NOT}{_EVER} {_SHARED}{_EVERYTHING}"), _shared),
    _Promise(
        "sharing", re.compile(rf"\b{_THINGS} (?:is|are) never (?:shared|disclosed|passed on)\b{_TO_SOME}"), _shared
    ),
    _Promise(
        "third parties",
        re.compile(
            rf"\b{_NOT}{_EVER} (?:buy|purchase|obtain|acquire|receive|use)\b.*\b(?:data|information)\b.*"
            r"\b(?:third part(?:y|ies)|partners|brokers|others|elsewhere)\b"
            rf"|\b{_NOT}{_EVER} (?:buy|purchase) (?:any )?(?:personal )?(?:data|information)\b"
            r"|\bno (?:third[- ]party|bought|purchased) (?:data|information)\b"
        ),
        _from("third-party", "second-party"),
    ),
    _Promise(
        "told by people",
        re.compile(
            r"\bwe (?:only use|use only|only collect|collect only) "
            r"(?:what|data|information|the \w+) (?:that )?you (?:tell|told|give|gave|provide)"
        ),
        _from("first-party", "second-party", "third-party", "inferred"),
        may_be_excepted=False,
    ),
    _Promise(
        "profiling",
        re.compile(
            rf"\b{_NOT}{_EVER} (?:profile|segment)\b"
            rf"|\b{_NOT}{_EVER} (?:put|place|sort) (?:you|people|customers) (?:in|into) (?:groups|segments)\b"
            r"|\b(?:no profiling|without profiling)\b"
        ),
        _always("this model places people in groups"),
        may_be_excepted=False,
    ),
    _Promise(
        "consent",
        re.compile(
            r"\bonly (?:with|after|on the basis of|if you give us|where you give us) your (?:explicit )?consent\b"
        ),
        _not_agreed,
        may_be_excepted=False,
    ),
    _Promise(
        "special categories",
        re.compile(
            rf"\b(?:{_NOT}{_EVER} (?:use|collect|process)|we (?:use|process) no) (?:any )?(?:sensitive|special categor)"
        ),
        _sensitive,
    ),
)
