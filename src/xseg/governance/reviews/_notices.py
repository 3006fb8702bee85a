"""Notices of privacy: writing one from a policy, and checking what one says against the policy."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from xseg.exceptions import ParameterError
from xseg.governance.reviews._notice_text import PROMISE_LOCALES, NoticeText, Wording, find_languages
from xseg.governance.reviews._review_subject import FindingDraft, ReviewSubject
from xseg.i18n import LOCALES, Language, get_environment, load_language, one_line
from xseg.policy import FeaturePolicy, Policy, Purpose, derive_rights

__all__ = [
    "find_broken_notice_promises",
    "find_unnamed_controller",
    "find_unnamed_features",
    "find_unnamed_purposes",
    "find_unnamed_recipients",
    "find_unnamed_sources",
    "find_unnamed_vendors",
    "write_notice",
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


NoticeForm: TypeAlias = Literal["markdown", "html", "text"]
_TEMPLATES: Final = {"markdown": "notice.md.j2", "html": "notice.html.j2", "text": "notice.txt.j2"}
_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class _Entry:
    """A heading word or link, and the sentences that belong to it."""

    name: str
    sentences: tuple[str, ...]
    url: str | None = None


@dataclass(frozen=True, slots=True)
class _Notice:
    """Everything a notice says, in words."""

    tag: str
    direction: str
    title: str
    headings: dict[str, str]
    opening: tuple[str, ...]
    data: tuple[_Entry, ...]
    purposes: tuple[_Entry, ...]
    statements: tuple[str, ...]
    rights: tuple[_Entry, ...]
    closing: tuple[str, ...]


def write_notice(policy: Any, *, locale: str | None = None, form: NoticeForm = "markdown", tone: str = "plain") -> str:
    """Write the section of a public privacy notice that tells people what they are grouped by.

    It names every declared column with its source and purposes, every purpose with its legal basis and how long data
    are kept, everyone who receives segments, and every right with its link. It says what the policy says and no more;
    it is not legal advice.

    Parameters
    ----------
    policy : Policy, path or mapping
        What is declared.
    locale : str, default=None
        The language, one of ten, such as ``"de"``. None is the policy's own. Words that the policy does not translate
        stay as they are.
    form : {"markdown", "html", "text"}, default="markdown"
        A section of Markdown, of HTML (for a page of yours), or plain text.
    tone : {"plain", "formal"}, default="plain"
        How people are spoken to.

    Returns
    -------
    str
        The section.

    Raises
    ------
    DefinitionError
        The policy cannot be read.
    ParameterError
        There is no such language, tone or form.

    Examples
    --------
    >>> import xseg
    >>> print(xseg.governance.reviews.write_notice(xseg.datasets.customers_policy()).splitlines()[0])
    ## How we place you in groups
    """
    if form not in _TEMPLATES:
        message = f"form={form!r}: a notice is written as {', '.join(_TEMPLATES)}"
        raise ParameterError(message)
    stated = Policy.coerce(policy)
    locale = stated.locale if locale is None else locale
    language = load_language(locale, tone)
    notice = _words(stated.translate(locale), language)
    return get_environment("xseg.governance.reviews").get_template(_TEMPLATES[form]).render(notice=notice)


def _words(policy: Policy, language: Language) -> _Notice:
    used = policy.purpose_ids(policy.features)
    return _Notice(
        tag=language.tag,
        direction=language.direction,
        title=language.say("notice.title"),
        headings={name: language.say(f"notice.{name}") for name in ("data", "purposes", "rights")},
        opening=() if policy.automation is None else (_line(policy.automation),),
        data=tuple(_column(policy, name, language) for name in policy.features),
        purposes=tuple(_purpose(policy.purposes[name], language) for name in policy.purposes),
        statements=tuple(_statements(policy, language)),
        rights=tuple(_rights(policy, [policy.purposes[name] for name in used], language)),
        closing=tuple(_closing(policy, language)),
    )


def _column(policy: Policy, name: str, language: Language) -> _Entry:
    feature = policy.feature(name)
    sentences = [_origin(feature, language)]
    if feature.purposes:
        labels = [_line(policy.purposes[purpose].label) for purpose in feature.purposes]
        sentences.append(language.say("used.purposes", purposes=language.join_items(labels)))
    return _Entry(language.capitalise(_line(feature.label or name)), tuple(sentences))


def _origin(feature: FeaturePolicy, language: Language) -> str:
    key = {
        "zero-party": "stated",
        "first-party": "observed",
        "second-party": "partner" if feature.vendor else "unnamed",
        "third-party": "partner" if feature.vendor else "unnamed",
        "inferred": "inferred",
        None: "unstated",
    }[feature.source]
    slots = {"vendor": _line(feature.vendor)} if feature.vendor else {}
    if feature.collected_from is None or feature.source is None:
        return language.say(f"origin.{key}", **slots)
    return language.say(f"origin.{key}_in", place=_line(feature.collected_from), **slots)


def _purpose(purpose: Purpose, language: Language) -> _Entry:
    sentences = []
    if purpose.legal_basis is not None:
        basis = language.say(f"basis.{purpose.legal_basis}")
        if purpose.interest is not None:
            basis = language.say("basis.interest", basis=basis, interest=_line(purpose.interest))
        sentences.append(language.say("used.basis", bases=basis))
    if purpose.retention_days is not None:
        sentences.append(language.count("used.kept", purpose.retention_days))
    if purpose.obligatory is not None:
        sentences.append(language.say("used.obligatory" if purpose.obligatory else "used.voluntary"))
    return _Entry(language.capitalise(_line(purpose.label)), tuple(sentences))


def _statements(policy: Policy, language: Language) -> Iterator[str]:
    if policy.recipients:
        yield language.say("used.recipients", names=language.join_items(list(map(_line, policy.recipients))))
    for said in (policy.transfers, policy.special_categories, policy.human_review):
        if said is not None:
            yield _line(said)


def _rights(policy: Policy, purposes: Sequence[Purpose], language: Language) -> Iterator[_Entry]:
    for right, link in policy.rights.items():
        yield _Entry(language.capitalise(_line(link.label) if link.label else _right(right, language)), (), link.url)
    for right in derive_rights(purposes):
        if right not in policy.rights:
            yield _Entry(_right(right, language), ())


def _right(right: str, language: Language) -> str:
    key = f"right.{right}"
    return language.say(key) if key in language.messages else _line(right.replace("_", " "))


def _closing(policy: Policy, language: Language) -> Iterator[str]:
    who = policy.controller
    if who is None:
        yield language.say("closing.no_controller")
        return
    yield language.say("closing.controller", name=_line(who.name), contact=_line(who.contact))
    if who.officer is not None:
        yield language.say("closing.officer", officer=_line(who.officer))
    if who.authority is not None:
        yield language.say("closing.authority", authority=_line(who.authority))


def _line(text: str) -> str:
    return one_line(text, _LONGEST)
