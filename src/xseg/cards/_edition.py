"""What cards that are made together have in common: the day, the language, the policy, the model."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from xseg.cards._lint import check_words
from xseg.cards._standing import Standing
from xseg.export import Approval, approval_of
from xseg.ink import Language, Message, language_of
from xseg.policy import Policy

__all__ = ["Edition", "edition_of", "moment_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Edition:
    """What cards that are made together have in common.

    Attributes
    ----------
    policy : Policy
        What people may be told, in their language.
    language : Language
        The language.
    tone : str
        How people are spoken to.
    issued : date
        The date on the cards.
    approval : Approval
        Which model it is, and whether it is approved.
    """

    policy: Policy
    language: Language
    tone: str
    issued: date
    approval: Approval

    def facts(self, standing: "Standing") -> dict[str, Any]:
        """Return the facts that every kind of card states."""
        policy, language = self.policy, self.language
        return {
            "locale": language.locale,
            "tone": self.tone,
            "wording": {key: _plain(message) for key, message in policy.wording.get(language.tag, {}).items()},
            "issued": self.issued,
            "model": self.approval.fingerprint,
            "approval": self.approval.state,
            "purposes": standing.purposes,
            "who": standing.who,
            "rights": standing.rights,
            "recipients": policy.recipients,
            "transfers": policy.transfers,
            "automation": policy.automation,
            "special_categories": policy.special_categories,
            "human_review": policy.human_review,
            "translated": policy.speaks(language.locale),
        }


def edition_of(segmenter: Any, policy: Policy, locale: str | None, tone: str, now: datetime) -> Edition:
    """Prepare to make cards.

    Raises
    ------
    ParameterError
        There are no cards in this language, or no such tone.
    PolicyError
        The policy has words that are not fit for a card, or words a sentence anew without its facts.
    """
    tag = policy.locale if locale is None else locale
    catalogue = language_of(tag, tone).tag
    check_words(policy, policy.locale)
    check_words(policy, tag)
    language = language_of(tag, tone, policy.wording.get(catalogue))
    issued = now.date()
    return Edition(policy.spoken_in(tag), language, tone, issued, approval_of(segmenter, now=issued))


def moment_of(now: datetime | None) -> datetime:
    """Return the time of cards; one without a zone is taken as UTC, as the dates on cards are."""
    if now is None:
        return datetime.now(UTC)
    return now if now.tzinfo is not None else now.replace(tzinfo=UTC)


def _plain(message: Message) -> str | dict[str, str]:
    return message if isinstance(message, str) else dict(message)
