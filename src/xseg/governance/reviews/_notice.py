"""Whether the public notice names what is used. A match of texts, and no legal advice."""

from collections.abc import Iterable, Iterator
from typing import Final

from xseg.governance.reviews._findings import Found
from xseg.governance.reviews._notice_text import NoticeText
from xseg.governance.reviews._subject import Subject
from xseg.i18n import LOCALES, load_language
from xseg.policy import FeaturePolicy, Policy

__all__ = [
    "notice_controller",
    "notice_features",
    "notice_purposes",
    "notice_recipients",
    "notice_sources",
    "notice_vendors",
]

# What stands for a kind of source where no place is stated; beside the sentences of our own notices.
_ORIGINS: Final = {
    "zero-party": (
        ("told",),
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
            yield Found("error", f"features.{name}", message, "name it in the notice; see xseg.write_notice")


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
