"""What the law and good practice want on a card, and whether it is there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from xseg.cards._record import Card

__all__ = ["CHECKLIST", "CheckedField", "checked"]

State: TypeAlias = Literal["stated", "missing", "elsewhere"]


@dataclass(frozen=True, slots=True)
class CheckedField:
    """One thing a card should say.

    Attributes
    ----------
    number : int
        Its place in the list.
    key : str
        What it is.
    source : str
        Where it is asked for. Whether that applies is for the policy's owner to judge.
    state : {"stated", "missing", "elsewhere"}
        Whether the card says it; "elsewhere" is what no card of a segment can know: it belongs to an advertisement, a
        notice before use, or a decision.
    needs : str or None
        What the policy has to say so that the card can, or what has to be asked.
    """

    number: int
    key: str
    source: str
    state: State
    needs: str | None


@dataclass(frozen=True, slots=True)
class _Field:
    key: str
    source: str
    stated: Callable[["Card"], bool] | None
    needs: str | None = None


def _always(card: "Card") -> bool:
    del card
    return True


def _asked_a_ledger(card: "Card") -> bool:
    return card.consent is not None and bool(card.consent.said)


def _each_purpose(name: str) -> Callable[["Card"], bool]:
    return lambda card: bool(card.purposes) and all(getattr(purpose, name) is not None for purpose in card.purposes)


def _may_contest(card: "Card") -> bool:
    return any(right.right in {"person", "contest"} and right.url is not None for right in card.rights)


CHECKLIST: Final = (
    _Field("controller", "GDPR 13(1)(a)", lambda card: card.who is not None, "controller"),
    _Field(
        "dpo", "GDPR 13(1)(b)", lambda card: card.who is not None and card.who.officer is not None, "controller.officer"
    ),
    _Field("purposes", "GDPR 13(1)(c)", lambda card: bool(card.purposes), "purposes, and features.*.purposes"),
    _Field("legal_basis", "GDPR 13(1)(c) and (d)", _each_purpose("legal_basis"), "purposes.*.legal_basis"),
    _Field("data_categories", "GDPR 14(1)(d)", _always),
    _Field("inputs", "GDPR 15(1) and (3); C-203/22", _always),
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
    _Field("reasons", "GDPR 15(1)(h); C-203/22", _always),
    _Field(
        "main_parameters",
        "DSA 26(1)(d)",
        lambda card: any(right.right in {"switch_off", "correct", "choose"} and right.url for right in card.rights),
        "rights.switch_off, rights.correct or rights.choose",
    ),
    _Field("advertisement", "DSA 26(1)(a), (b), (c)", None),
    _Field("weights_plain", "DSA 27(1) and (2)", _always),
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
    _Field("counterfactual", "C-203/22", lambda card: card.way_out is not None, "features.*.mutable"),
    _Field("role_of_ai", "AI Act 86(1)", None),
    _Field("consent", "GDPR 7(1) and (3), 13(2)(c)", _asked_a_ledger, "a consent ledger"),
    _Field("opt_out_status", "CCPA 7025(c)(6)", _asked_a_ledger, "a consent ledger"),
    _Field("rights", "GDPR 13(2)(b), 21(4)", lambda card: bool(card.rights), "rights, or purposes.*.legal_basis"),
    _Field(
        "complaint",
        "GDPR 13(2)(d)",
        lambda card: card.who is not None and card.who.authority is not None,
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
    _Field("anonymity", "good practice", _always),
    _Field("model_version", "good practice", _always),
    _Field("language", "GDPR 12(1)", lambda card: card.translated, "translations.<locale>"),
    _Field(
        "human",
        "GDPR 22(3)",
        lambda card: _may_contest(card) and card.human_review is not None,
        "rights.person and human_review",
    ),
    _Field("nothing_about_others", "GDPR 15(4)", _always),
)


def checked(card: "Card") -> tuple[CheckedField, ...]:
    """Return for every field whether a card states it."""
    return tuple(_checked(number, field, card) for number, field in enumerate(CHECKLIST, 1))


def _checked(number: int, field: _Field, card: "Card") -> CheckedField:
    state: State = "elsewhere" if field.stated is None else "stated" if field.stated(card) else "missing"
    return CheckedField(number, field.key, field.source, state, field.needs if state == "missing" else None)
