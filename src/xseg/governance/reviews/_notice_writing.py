"""The part of a public notice that a policy writes itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from xseg.exceptions import ParameterError
from xseg.i18n import Language, get_environment, load_language, one_line
from xseg.policy import FeaturePolicy, Policy, Purpose, derive_rights

__all__ = ["write_notice"]

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
