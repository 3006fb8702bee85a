"""Checks of what a card says: words that are not fit for it, and the content that law and good practice require."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from xseg.cards._card_record import Card
from xseg.cards._fact_types import CheckedField, State
from xseg.exceptions import DefinitionError
from xseg.i18n import find_words, load_language
from xseg.policy import FeaturePolicy, FeatureWords, Policy, SegmentPolicy

__all__ = [
    "REQUIRED_CONTENT",
    "UnsuitableWords",
    "check_content",
    "check_words",
    "hints_at_a_special_category",
    "lint_words",
]


@dataclass(frozen=True, slots=True)
class UnsuitableWords:
    """Words in a policy that are not suitable for a card.

    Attributes
    ----------
    where : str
        The place in the policy, such as ``"segments.Loyal readers.sentence"``.
    locale : str
        The language.
    kind : {"special category", "unfit"}
        A hint at a special category of personal data, or jargon, blame, urgency and flattery.
    words : tuple of str
        The beginnings of the words found.
    """

    where: str
    locale: str
    kind: Literal["special category", "unfit"]
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.where} ({self.locale}): {', '.join(map(repr, self.words))} ({self.kind})"


def lint_words(policy: Policy, segment_names: Iterable[str] = ()) -> list[UnsuitableWords]:
    """Find words in a policy's segments, traits and wording that may not stand on a card, in every language it speaks.

    Parameters
    ----------
    policy : Policy
        What people are told.
    segment_names : iterable of str
        Names of segments that the policy may not mention.

    Returns
    -------
    list of UnsuitableWords
        What was found; nothing is proof, and a person should read the texts too.

    Examples
    --------
    >>> from xseg.cards import lint_words
    >>> from xseg.policy import Policy
    >>> print(lint_words(Policy(segments={"Diabetics": {"sentence": "You buy sugar-free books."}}))[0])
    segments.Diabetics (en): 'diabet' (special category)
    """
    names = dict.fromkeys([*policy.segments, *segment_names])
    found = [*_in_texts(policy.locale, ((f"segments.{name}", name) for name in names))]
    for name, said in policy.segments.items():
        found += _in_segment(policy.locale, f"segments.{name}", said)
    found += _in_traits(policy.locale, "features", policy.features)
    for locale, words in policy.translations.items():
        found += _in_traits(locale, f"translations.{locale}.features", words.features)
        for name, said in words.segments.items():
            found += _in_segment(locale, f"translations.{locale}.segments.{name}", said)
    for locale, wording in policy.wording.items():
        for key, message in wording.items():
            texts = [message] if isinstance(message, str) else list(message.values())
            found += _in_texts(locale, ((f"wording.{locale}.{key}", text) for text in texts))
    return found


def check_words(policy: Policy, locale: str) -> None:
    """Raise an error for a policy whose words in one language hint at a special category, or press or flatter.

    Raises
    ------
    DefinitionError
        Listing what was found.
    """
    tag = load_language(locale).tag
    # A name that hints at something is not shown, unless the policy says it in so many words.
    names = {f"segments.{name}" for name in policy.segments}
    found = [one for one in lint_words(policy) if load_language(one.locale).tag == tag and one.where not in names]
    if found:
        listing = "\n".join(f"  {one}" for one in found)
        message = f"the policy says what may not stand on a card; say it otherwise:\n{listing}"
        raise DefinitionError(message)


def hints_at_a_special_category(name: str, locale: str) -> bool:
    """Return whether a segment's name hints at a special category of personal data."""
    return bool(find_words(name, load_language(locale).tag).special)


def _in_segment(locale: str, where: str, said: SegmentPolicy) -> Iterator[UnsuitableWords]:
    texts = ((f"{where}.{field}", getattr(said, field)) for field in ("shown_name", "sentence", "consequence"))
    return _in_texts(locale, ((place, text) for place, text in texts if text is not None))


def _in_traits(
    locale: str, where: str, features: Mapping[str, FeaturePolicy] | Mapping[str, FeatureWords]
) -> Iterator[UnsuitableWords]:
    for name, said in features.items():
        if said.traits is not None:
            texts = ((f"{where}.{name}.traits.{way}", text) for way, text in said.traits if text is not None)
            yield from _in_texts(locale, texts)


def _in_texts(locale: str, texts: Iterable[tuple[str, str]]) -> Iterator[UnsuitableWords]:
    tag = load_language(locale).tag
    for where, text in texts:
        found = find_words(text, tag)
        if found.special:
            yield UnsuitableWords(where, locale, "special category", found.special)
        if found.unfit:
            yield UnsuitableWords(where, locale, "unfit", found.unfit)


@dataclass(frozen=True, slots=True)
class _Field:
    key: str
    source: str
    stated: Callable[[Card], bool] | None
    needs: str | None = None


def _is_always_stated(card: Card) -> bool:
    del card
    return True


def _has_consent_facts(card: Card) -> bool:
    return card.consent is not None and bool(card.consent.statements)


def _each_purpose(name: str) -> Callable[[Card], bool]:
    return lambda card: bool(card.purposes) and all(getattr(purpose, name) is not None for purpose in card.purposes)


def _may_contest(card: Card) -> bool:
    return any(right.right in {"person", "contest"} and right.url is not None for right in card.rights)


REQUIRED_CONTENT: Final = (
    _Field("controller", "GDPR 13(1)(a)", lambda card: card.controller is not None, "controller"),
    _Field(
        "dpo",
        "GDPR 13(1)(b)",
        lambda card: card.controller is not None and card.controller.officer is not None,
        "controller.officer",
    ),
    _Field("purposes", "GDPR 13(1)(c)", lambda card: bool(card.purposes), "purposes, and features.*.purposes"),
    _Field("legal_basis", "GDPR 13(1)(c) and (d)", _each_purpose("legal_basis"), "purposes.*.legal_basis"),
    _Field("data_categories", "GDPR 14(1)(d)", _is_always_stated),
    _Field("inputs", "GDPR 15(1) and (3); C-203/22", _is_always_stated),
    _Field(
        "origin",
        "GDPR 14(2)(f), 15(1)(g)",
        lambda card: all(used.origin.source is not None for used in card.used),
        "features.*.source",
    ),
    _Field("recipients", "GDPR 15(1)(c); C-154/21", lambda card: bool(card.recipients), "recipients"),
    _Field("transfers", "GDPR 13(1)(f), 15(2)", lambda card: card.transfers is not None, "transfers"),
    _Field("retention", "GDPR 13(2)(a)", _each_purpose("retention_days"), "purposes.*.retention_days"),
    _Field("automation", "GDPR 13(2)(f), 15(1)(h)", lambda card: card.automation is not None, "automation"),
    _Field("segment", "GDPR 15(1)(h)", lambda card: card.segment.sentence is not None, "segments.*.sentence"),
    _Field("reasons", "GDPR 15(1)(h); C-203/22", _is_always_stated),
    _Field(
        "main_parameters",
        "DSA 26(1)(d)",
        lambda card: any(right.right in {"switch_off", "correct", "choose"} and right.url for right in card.rights),
        "rights.switch_off, rights.correct or rights.choose",
    ),
    _Field("advertisement", "DSA 26(1)(a), (b), (c)", None),
    _Field("weights_plain", "DSA 27(1) and (2)", _is_always_stated),
    _Field(
        "not_profiled",
        "DSA 27(3) and 38",
        lambda card: any(right.right == "not_profiled" and right.url for right in card.rights),
        "rights.not_profiled",
    ),
    _Field(
        "consequences",
        "GDPR 13(2)(f), 15(1)(h)",
        lambda card: card.segment.consequence is not None,
        "segments.*.consequence",
    ),
    _Field("counterfactual", "C-203/22", lambda card: card.counterfactual is not None, "features.*.mutable"),
    _Field("role_of_ai", "AI Act 86(1)", None),
    _Field("consent", "GDPR 7(1) and (3), 13(2)(c)", _has_consent_facts, "a consent ledger"),
    _Field("opt_out_status", "CCPA 7025(c)(6)", _has_consent_facts, "a consent ledger"),
    _Field("rights", "GDPR 13(2)(b), 21(4)", lambda card: bool(card.rights), "rights, or purposes.*.legal_basis"),
    _Field(
        "complaint",
        "GDPR 13(2)(d)",
        lambda card: card.controller is not None and card.controller.authority is not None,
        "controller.authority",
    ),
    _Field("obligatory", "GDPR 13(2)(e)", _each_purpose("obligatory"), "purposes.*.obligatory"),
    _Field(
        "special_categories",
        "GDPR 9; DSA 26(3)",
        lambda card: card.special_categories is not None,
        "special_categories",
    ),
    _Field("pre_use_notice", "CCPA 7220", None),
    _Field("point_of_interaction", "Colorado SB 26-189", None),
    _Field("anonymity", "good practice", _is_always_stated),
    _Field("model_version", "good practice", _is_always_stated),
    _Field("language", "GDPR 12(1)", lambda card: card.translated, "translations.<locale>"),
    _Field(
        "human",
        "GDPR 22(3)",
        lambda card: _may_contest(card) and card.human_review is not None,
        "rights.person and human_review",
    ),
    _Field("nothing_about_others", "GDPR 15(4)", _is_always_stated),
)


def check_content(card: Card) -> tuple[CheckedField, ...]:
    """Return for every field whether a card states it."""
    return tuple(_check_field(number, field, card) for number, field in enumerate(REQUIRED_CONTENT, 1))


def _check_field(number: int, field: _Field, card: Card) -> CheckedField:
    state: State = "elsewhere" if field.stated is None else "stated" if field.stated(card) else "missing"
    return CheckedField(number, field.key, field.source, state, field.needs if state == "missing" else None)
