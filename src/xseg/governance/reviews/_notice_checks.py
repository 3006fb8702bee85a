"""Checks of the public notice: what it names and what it promises. A match of texts, and no legal advice."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from xseg.governance.reviews._findings import FindingDraft
from xseg.governance.reviews._notice_text import PROMISE_LOCALES, NoticeText, Wording, find_languages
from xseg.governance.reviews._review_subject import ReviewSubject
from xseg.i18n import LOCALES, load_language
from xseg.policy import FeaturePolicy, Policy

__all__ = [
    "find_broken_notice_promises",
    "find_unnamed_controller",
    "find_unnamed_features",
    "find_unnamed_purposes",
    "find_unnamed_recipients",
    "find_unnamed_sources",
    "find_unnamed_vendors",
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


def find_unnamed_features(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find used columns whose label the notice does not say."""
    for name in subject.used:
        labels = [feature.label or name for feature in _in_every_language(subject.policy, name)]
        if not _is_stated(subject, labels):
            message = f"{_notice(subject)} does not name {subject.label(name)}, which places people."
            yield FindingDraft(
                "error", f"features.{name}", message, "name it in the notice; see xseg.governance.reviews.write_notice"
            )


def find_unnamed_sources(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find used columns whose source the notice does not say."""
    for name in subject.used:
        feature = subject.feature(name)
        words = [said.collected_from for said in _in_every_language(subject.policy, name) if said.collected_from]
        if not words:
            keys, stock = _ORIGINS.get(feature.source or "", ((), ()))
            words = [*stock, *(_sentence(f"origin.{key}", locale) for key in keys for locale in LOCALES)]
        if words and not _is_stated(subject, words):
            message = f"{_notice(subject)} does not say where {subject.label(name)} comes from."
            yield FindingDraft("error", f"features.{name}.source", message, f"say that it comes from {words[0]!r}")


def find_unnamed_purposes(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find purposes that the notice does not say."""
    for name, purpose in subject.served.items():
        labels = [purpose.label, *(words.purposes.get(name, "") for words in subject.policy.translations.values())]
        if not _is_stated(subject, labels):
            message = f"{_notice(subject)} does not name the purpose “{purpose.label}”."
            yield FindingDraft("error", f"purposes.{name}", message, "name it in the notice")


def find_unnamed_vendors(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find suppliers of used columns whom the notice does not name."""
    for vendor in dict.fromkeys(subject.feature(name).vendor for name in subject.used):
        if vendor is not None and not _is_stated(subject, [vendor]):
            message = f"{_notice(subject)} does not name {vendor}, who supplies what places people."
            yield FindingDraft("error", f"vendors.{vendor}", message, "name it in the notice")


def find_unnamed_recipients(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find recipients whom the notice does not name."""
    for recipient in subject.policy.recipients:
        if not _is_stated(subject, [recipient]):
            message = f"{_notice(subject)} does not name {recipient}, who receives segments."
            yield FindingDraft("error", f"recipients.{recipient}", message, "name it in the notice")


def find_unnamed_controller(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find that the notice names nobody who answers for the model."""
    who = subject.policy.controller
    if who is not None and not _is_stated(subject, [who.name]):
        message = f"{_notice(subject)} does not name {who.name}, who answers for the model."
        yield FindingDraft("error", "controller", message, "name who answers, and how to reach them")


def _notice(subject: ReviewSubject) -> str:
    return "The notice" if _get_notice(subject).source == "the notice" else _get_notice(subject).source


def _get_notice(subject: ReviewSubject) -> NoticeText:
    assert subject.notice is not None
    return subject.notice


def _is_stated(subject: ReviewSubject, words: Iterable[str]) -> bool:
    return any(_get_notice(subject).says(one) for one in words)


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
    find_violation: Callable[[ReviewSubject], str | None]
    may_be_excepted: bool = True


def find_broken_notice_promises(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find sentences of the notice that are not so."""
    assert subject.notice is not None
    languages, unknown = find_languages(subject.notice)
    if unknown or not languages:
        yield _report_unread(unknown)
    found: dict[tuple[str, str], FindingDraft] = {}
    for sentence in subject.notice.sentences:
        for wording in languages:
            for one in _find_broken_promises(subject, wording, sentence.translate(_VOWEL_MARKS)):
                found.setdefault((one.location, sentence), one)
    yield from found.values()


def _find_broken_promises(subject: ReviewSubject, wording: Wording, sentence: str) -> Iterator[FindingDraft]:
    yield from _find_broken_disuse(subject, wording, sentence)
    yield from _find_broken_retention(subject, wording, sentence)
    excepted = wording.patterns["excepted"].search(sentence) is not None
    for promise in _PROMISES:
        said = any(pattern.search(sentence) for pattern in wording.promises[promise.kind])
        if not said or (excepted and promise.may_be_excepted):
            continue
        violation = promise.find_violation(subject)
        if violation is not None:
            yield _describe_broken_promise(promise.location, sentence, violation)


def _describe_broken_promise(key: str, sentence: str, violation: str) -> FindingDraft:
    message = f"The notice says “{sentence}”, and {violation}."
    return FindingDraft(
        "error", f"notice {key}", message, "keep the promise, or do not make it", {"sentence": sentence}
    )


def _report_unread(unknown: list[str]) -> FindingDraft:
    written = f"The notice, or a part of it, is in {', '.join(map(repr, unknown))}"
    if not unknown:
        written = "In which language the notice is written cannot be told"
    message = f"{written}; promises are read in {', '.join(PROMISE_LOCALES)}, so those could not be."
    remediation = "read its promises yourself, or say its language: notice=read_notice(text, locale=...)"
    return FindingDraft("note", "notice language", message, remediation, {"declared": unknown})


def _find_broken_disuse(subject: ReviewSubject, wording: Wording, sentence: str) -> Iterator[FindingDraft]:
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
                yield from _find_denied_columns(subject, wording, sentence, denied)


def _find_denied_columns(
    subject: ReviewSubject, wording: Wording, sentence: str, denied: str
) -> Iterator[FindingDraft]:
    policy = subject.policy.translate(wording.tag)
    for name in subject.used:
        if wording.names(denied, policy.feature(name).label or "", name):
            yield _describe_broken_promise(f"features.{name}", sentence, f"{subject.label(name)} places people")


def _find_broken_retention(subject: ReviewSubject, wording: Wording, sentence: str) -> Iterator[FindingDraft]:
    """Find that data are said to be kept for a shorter time than for any purpose."""
    found = next(filter(None, (pattern.search(sentence) for pattern in wording.promises["kept"])), None)
    somebodys = wording.patterns["somebodys"].search(sentence)
    if found is None or somebodys is None or wording.patterns["asked"].search(sentence):
        return
    promised = int(found["n"]) * wording.count_days(found["unit"])
    kept = [purpose.retention_days for purpose in subject.served.values() if purpose.retention_days is not None]
    if kept and promised < min(kept):
        yield _describe_broken_promise("retention", sentence, f"data are kept for {min(kept):,} days or more")


def _find_recipients(subject: ReviewSubject) -> str | None:
    names = subject.policy.recipients
    return f"{', '.join(names)} receive segments" if names else None


def _make_source_check(*sources: str) -> Callable[[ReviewSubject], str | None]:
    def find_violation(subject: ReviewSubject) -> str | None:
        labels = [subject.label(name) for name in subject.used if subject.feature(name).source in sources]
        return f"{', '.join(labels)} come from elsewhere" if labels else None

    return find_violation


def _make_constant_check(what: str) -> Callable[[ReviewSubject], str | None]:
    return lambda _subject: what


def _find_other_bases(subject: ReviewSubject) -> str | None:
    others = [name for name, purpose in subject.served.items() if purpose.legal_basis not in {"consent", None}]
    return f"{', '.join(map(repr, others))} rest on another basis" if others else None


def _find_sensitive_columns(subject: ReviewSubject) -> str | None:
    labels = [subject.label(name) for name in subject.used if subject.feature(name).sensitive]
    return f"{', '.join(labels)} are marked sensitive and place people" if labels else None


_PROMISES: Final = (
    _Promise("sharing", "sharing", _find_recipients),
    _Promise("third_parties", "third parties", _make_source_check("third-party", "second-party")),
    _Promise(
        "stated",
        "told by people",
        _make_source_check("first-party", "second-party", "third-party", "inferred"),
        may_be_excepted=False,
    ),
    _Promise(
        "profiling", "profiling", _make_constant_check("this model places people in groups"), may_be_excepted=False
    ),
    _Promise("consent", "consent", _find_other_bases, may_be_excepted=False),
    _Promise("special", "special categories", _find_sensitive_columns),
)
