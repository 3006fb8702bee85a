"""Checks of the public notice: what it names and what it promises. A match of texts, and no legal advice."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from xseg.governance.reviews._findings import Found
from xseg.governance.reviews._notice_text import PROMISE_LOCALES, NoticeText, Wording, languages_of
from xseg.governance.reviews._review_subject import Subject
from xseg.i18n import LOCALES, load_language
from xseg.policy import FeaturePolicy, Policy

__all__ = [
    "notice_controller",
    "notice_features",
    "notice_purposes",
    "notice_recipients",
    "notice_sources",
    "notice_vendors",
    "promises",
]

# What stands for a kind of source where no place is stated; beside the sentences of our own notices.
_ORIGINS: Final = {
    "zero-party": (
        ("stated",),
        ("you tell us", "you told us", "you give us", "you gave us", "you provide", "your profile"),
    ),
    "first-party": (
        ("observed",),
        ("your dealings with us", "your purchases", "your use of", "when you use", "your orders"),
    ),
    "inferred": (
        ("inferred",),
        ("we work out", "we worked out", "we infer", "we inferred", "we derive", "we estimate"),
    ),
}


def notice_features(subject: Subject) -> Iterator[Found]:
    """Find used columns whose label the notice does not say."""
    for name in subject.used:
        labels = [feature.label or name for feature in _in_every_language(subject.policy, name)]
        if not _says(subject, labels):
            message = f"{_notice(subject)} does not name {subject.label(name)}, which places people."
            yield Found(
                "error", f"features.{name}", message, "name it in the notice; see xseg.governance.reviews.write_notice"
            )


def notice_sources(subject: Subject) -> Iterator[Found]:
    """Find used columns whose source the notice does not say."""
    for name in subject.used:
        feature = subject.feature(name)
        words = [said.collected_from for said in _in_every_language(subject.policy, name) if said.collected_from]
        if not words:
            keys, stock = _ORIGINS.get(feature.source or "", ((), ()))
            words = [*stock, *(_sentence(f"origin.{key}", locale) for key in keys for locale in LOCALES)]
        if words and not _says(subject, words):
            message = f"{_notice(subject)} does not say where {subject.label(name)} comes from."
            yield Found("error", f"features.{name}.source", message, f"say that it comes from {words[0]!r}")


def notice_purposes(subject: Subject) -> Iterator[Found]:
    """Find purposes that the notice does not say."""
    for name, purpose in subject.served.items():
        labels = [purpose.label, *(words.purposes.get(name, "") for words in subject.policy.translations.values())]
        if not _says(subject, labels):
            message = f"{_notice(subject)} does not name the purpose “{purpose.label}”."
            yield Found("error", f"purposes.{name}", message, "name it in the notice")


def notice_vendors(subject: Subject) -> Iterator[Found]:
    """Find suppliers of used columns whom the notice does not name."""
    for vendor in dict.fromkeys(subject.feature(name).vendor for name in subject.used):
        if vendor is not None and not _says(subject, [vendor]):
            message = f"{_notice(subject)} does not name {vendor}, who supplies what places people."
            yield Found("error", f"vendors.{vendor}", message, "name it in the notice")


def notice_recipients(subject: Subject) -> Iterator[Found]:
    """Find recipients whom the notice does not name."""
    for recipient in subject.policy.recipients:
        if not _says(subject, [recipient]):
            message = f"{_notice(subject)} does not name {recipient}, who receives segments."
            yield Found("error", f"recipients.{recipient}", message, "name it in the notice")


def notice_controller(subject: Subject) -> Iterator[Found]:
    """Find that the notice names nobody who answers for the model."""
    who = subject.policy.controller
    if who is not None and not _says(subject, [who.name]):
        message = f"{_notice(subject)} does not name {who.name}, who answers for the model."
        yield Found("error", "controller", message, "name who answers, and how to reach them")


def _notice(subject: Subject) -> str:
    return "The notice" if _of(subject).source == "the notice" else _of(subject).source


def _of(subject: Subject) -> NoticeText:
    assert subject.notice is not None
    return subject.notice


def _says(subject: Subject, words: Iterable[str]) -> bool:
    return any(_of(subject).says(one) for one in words)


def _in_every_language(policy: Policy, name: str) -> Iterator[FeaturePolicy]:
    yield policy.feature(name)
    for locale in policy.translations:
        yield policy.translate(locale).feature(name)


def _sentence(key: str, locale: str) -> str:
    return load_language(locale).say(key).rstrip(".。")


_VOWEL_MARKS: Final = dict.fromkeys([0x640, *range(0x64B, 0x653)])


@dataclass(frozen=True, slots=True)
class _Promise:
    """A kind of promise, where it stands in findings, and what breaks it: None, or what is so."""

    kind: str
    location: str
    broken_by: Callable[[Subject], str | None]
    may_be_excepted: bool = True


def promises(subject: Subject) -> Iterator[Found]:
    """Find sentences of the notice that are not so."""
    assert subject.notice is not None
    languages, unknown = languages_of(subject.notice)
    if unknown or not languages:
        yield _unread(unknown)
    found: dict[tuple[str, str], Found] = {}
    for sentence in subject.notice.sentences:
        for wording in languages:
            for one in _broken_in(subject, wording, sentence.translate(_VOWEL_MARKS)):
                found.setdefault((one.location, sentence), one)
    yield from found.values()


def _broken_in(subject: Subject, wording: Wording, sentence: str) -> Iterator[Found]:
    yield from _unused(subject, wording, sentence)
    yield from _kept(subject, wording, sentence)
    excepted = wording.patterns["excepted"].search(sentence) is not None
    for promise in _PROMISES:
        said = any(pattern.search(sentence) for pattern in wording.promises[promise.kind])
        if not said or (excepted and promise.may_be_excepted):
            continue
        broken_by = promise.broken_by(subject)
        if broken_by is not None:
            yield _broken(promise.location, sentence, broken_by)


def _broken(key: str, sentence: str, broken_by: str) -> Found:
    message = f"The notice says “{sentence}”, and {broken_by}."
    return Found("error", f"notice {key}", message, "keep the promise, or do not make it", {"sentence": sentence})


def _unread(unknown: list[str]) -> Found:
    written = f"The notice, or a part of it, is in {', '.join(map(repr, unknown))}"
    if not unknown:
        written = "In which language the notice is written cannot be told"
    message = f"{written}; promises are read in {', '.join(PROMISE_LOCALES)}, so those could not be."
    remediation = "read its promises yourself, or say its language: notice=read_notice(text, locale=...)"
    return Found("note", "notice language", message, remediation, {"declared": unknown})


def _unused(subject: Subject, wording: Wording, sentence: str) -> Iterator[Found]:
    """Find promises not to use what is used."""
    limited, about = wording.patterns["limited"], wording.patterns["about"]
    if wording.patterns["excepted"].search(sentence):
        return
    for found in filter(None, (pattern.search(sentence) for pattern in wording.promises["unused"])):
        # "We do not use your orders to set prices" is a promise about prices, wherever the limit stands.
        if limited.search(found.groupdict().get("rest") or ""):
            continue
        for part in wording.patterns["parts"].split(about.sub("", found["what"].strip())):
            denied = about.sub("", part.strip())
            if not limited.search(denied):
                yield from _denied(subject, wording, sentence, denied)


def _denied(subject: Subject, wording: Wording, sentence: str, denied: str) -> Iterator[Found]:
    policy = subject.policy.translate(wording.tag)
    for name in subject.used:
        if wording.names(denied, policy.feature(name).label or "", name):
            yield _broken(f"features.{name}", sentence, f"{subject.label(name)} places people")


def _kept(subject: Subject, wording: Wording, sentence: str) -> Iterator[Found]:
    """Find that data are said to be kept for a shorter time than for any purpose."""
    found = next(filter(None, (pattern.search(sentence) for pattern in wording.promises["kept"])), None)
    somebodys = wording.patterns["somebodys"].search(sentence)
    if found is None or somebodys is None or wording.patterns["asked"].search(sentence):
        return
    promised = int(found["n"]) * wording.days_of(found["unit"])
    kept = [purpose.retention_days for purpose in subject.served.values() if purpose.retention_days is not None]
    if kept and promised < min(kept):
        yield _broken("retention", sentence, f"data are kept for {min(kept):,} days or more")


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
    _Promise("sharing", "sharing", _shared),
    _Promise("third_parties", "third parties", _from("third-party", "second-party")),
    _Promise(
        "stated",
        "told by people",
        _from("first-party", "second-party", "third-party", "inferred"),
        may_be_excepted=False,
    ),
    _Promise("profiling", "profiling", _always("this model places people in groups"), may_be_excepted=False),
    _Promise("consent", "consent", _not_agreed, may_be_excepted=False),
    _Promise("special", "special categories", _sensitive),
)
