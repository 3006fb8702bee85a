"""The desk of a preference centre: what is asked for is done, measured, told to others and written down."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import pandas as pd

from xseg.cards import AnyCard, decided_card, make_cards
from xseg.cards._fact_types import AnswerFact
from xseg.consent import ConsentState, Entry, Identities, Ledger, receipt
from xseg.consent._consents import Consents
from xseg.core.schema import suggestion
from xseg.exceptions import DataError, PolicyError
from xseg.export import fingerprint
from xseg.policy import RIGHTS, Policy
from xseg.rights._answers import Answer, Effect, Place
from xseg.rights._held import Held
from xseg.rights._log import ActionLog
from xseg.rights._notices import Notice, Send, delivered
from xseg.rights._standing import Because, Standing, Why, replayed

__all__ = ["Desk"]

_ON_CONSENT: Final = frozenset({"consent", None})
_DENIALS: Final = frozenset({ConsentState.REFUSED, ConsentState.WITHDRAWN, ConsentState.REVOKED})
_FOR_A_HUMAN: Final = frozenset({"contest", "ask", "express_view"})
_CONTEXT: Final = {"dpv": "https://w3id.org/dpv#", "dct": "http://purl.org/dc/terms/"}


class Desk:
    """What stands behind a `Profile`; its parameters are told there."""

    def __init__(
        self,
        segmenter: Any,
        policy: Any,
        ledger: Ledger,
        subject: str,
        data: Any,
        *,
        purpose: str,
        log: ActionLog | None = None,
        identities: Identities | None = None,
        send: Send | None = None,
        locale: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.segmenter = segmenter
        self.policy = Policy.of(policy)
        self.ledger = ledger
        self.identities = identities
        self.subject = subject
        self.purpose = purpose
        self.log = ActionLog() if log is None else log
        self._consents = Consents(ledger, identities)
        self._send = send
        self._locale = locale
        self._now = now
        self._held = Held(data)
        if purpose not in self.policy.purposes:
            message = f"the policy declares no purpose {purpose!r}{suggestion(purpose, list(self.policy.purposes))}"
            raise PolicyError(message)
        if self.standing.erased:
            self._held.forget()

    @property
    def standing(self) -> Standing:
        """What the person said, besides the ledger, as the log has it."""
        return replayed(self._receipts())

    def data(self) -> pd.DataFrame:
        """Give what the model may see of the person: corrected, and without what is withheld."""
        return self._seen(self.standing)

    def withheld(self) -> tuple[str, ...]:
        """Give the features that the person withholds from the purpose."""
        at, asked = self._now(), self.ledger.withheld_features(self.purpose)
        return tuple(
            name
            for name in asked
            if name in self._held.names and self._consents.withheld([self.subject], name, self.purpose, at=at)[0]
        )

    def recipients(self) -> tuple[str, ...]:
        """Give who received the person's segment."""
        released = (told for told in self._receipts() if told["action"] == "release")
        return tuple(dict.fromkeys(told["details"]["recipient"] for told in released))

    def _receipts(self) -> list[Mapping[str, Any]]:
        return [told for told in self.log.about(self.subject) if told.get("dpv:hasPurpose") == self.purpose]

    def _seen(self, standing: Standing) -> pd.DataFrame:
        return self._held.seen(standing.corrections, self.withheld())

    def _place(self, standing: Standing) -> Place:
        """Say where a standing and the ledger leave the person."""
        blocked = standing.blocked() or self._denied()
        if blocked is not None:
            return Place(None, blocked)
        # A choice of a segment that a later model does not have is void.
        if standing.chosen in self.segmenter.segment_names_:
            return Place(standing.chosen, Why.CHOSEN)
        segment = int(self.segmenter.predict(self._seen(standing))[0])
        return Place(str(self.segmenter.segment_names_[segment]), Why.MODEL)

    def _denied(self) -> Why | None:
        """Say whether the ledger keeps the person out: on consent silence does, on other bases only a no."""
        at, subject = self._now(), [self.subject]
        if self.policy.purposes[self.purpose].legal_basis in _ON_CONSENT:
            return None if self._consents.mask(subject, self.purpose, at=at)[0] else Why.NO_CONSENT
        entry = int(self.ledger.deciding(subject, self.purpose, at=at)[0])
        denied = entry >= 0 and self.ledger[entry].state in _DENIALS
        return Why.OBJECTED if denied or self._consents.denied_by_link(subject, self.purpose, at=at)[0] else None

    def _card(self, standing: Standing, place: Place, locale: str | None = None) -> AnyCard:
        same: dict[str, Any] = {
            "policy": self.policy,
            "now": self._now(),
            "locale": self._locale if locale is None else locale,
            "ledger": self.ledger,
            "identities": self.identities,
        }
        if place.why is Why.MODEL:
            return make_cards(self.segmenter, self._seen(standing), ids=[self.subject], **same)[0]
        ground: Any = place.why.value
        return decided_card(self.segmenter, ground, segment=place.segment, reference=self.subject, **same)

    def _act(
        self,
        action: str,
        right: str,
        details: Mapping[str, Any] | None = None,
        private: Mapping[str, Any] | None = None,
        *,
        says: Sequence[tuple[str, str, str | None]] = (),
        source: str = "account",
    ) -> Answer:
        """Do what was asked, measure what it changed, tell whom it concerns, and write it down."""
        standing, details, private = self.standing, details or {}, private or {}
        if standing.erased:
            message = "what was held about this person has been erased, so there is nothing to act on"
            raise DataError(message)
        before = self._place(standing)
        said = [self._say(*one, source) for one in says]
        then = standing.after(action, details, private)
        after = self._place(then)
        changed = before != after
        because = None if changed else self._unchanged(action, details, after)
        effect = Effect(before.segment, after.segment, after.why, changed, because)
        answer = AnswerFact(action=action, changed=changed, because=None if because is None else because.value)
        # Nothing is written down of what cannot be shown.
        card = self._card(then, after).model_copy(update={"answer": answer})
        told = {"effect": effect.told(), "recipients": delivered(self._notices(before, after), self._send)}
        written = self._log(
            action,
            right,
            {**details, **told},
            {**private, "before": before.segment, "after": after.segment},
            consent=[self._receipt_of(entry) for entry in said],
        )
        return Answer(card, written, effect)

    def _say(self, purpose: str, state: str, feature: str | None, source: str) -> Entry:
        return self.ledger.append(self.subject, purpose, state, source=source, at=self._now(), feature=feature)

    def _receipt_of(self, entry: Entry) -> dict[str, Any]:
        controller, concept = self.policy.controller, self.policy.purposes[entry.purpose].concept
        return receipt(entry, controller=None if controller is None else controller.name, concept=concept)

    def _unchanged(self, action: str, details: Mapping[str, Any], after: Place) -> Because:
        """Say why an action left the segment as it was."""
        if action in _FOR_A_HUMAN:
            return Because.PENDING
        if action in {"agree", "lift", "choose"} and after.segment is None:
            linked = self._consents.denied_by_link([self.subject], self.purpose, at=self._now())[0]
            return Because.LINKED if linked else Because.STANDS
        features = details.get("features", [details["feature"]] if "feature" in details else None)
        if features is None:
            return Because.ALREADY
        names = self.segmenter.profile_.bins.schema.names
        asked = {names[j] for j in self.segmenter.model_.used_features.tolist()}
        return Because.FITS if asked.intersection(features) else Because.UNUSED

    def _notices(self, before: Place, after: Place) -> Iterator[Notice]:
        """Say who has to be told, about the person's own identifier and those that a denial reaches."""
        if before.segment == after.segment:
            return
        action: Literal["stop", "replace"] = "stop" if after.segment is None else "replace"
        at = self._now()
        for recipient in self.recipients():
            yield Notice(recipient, self.subject, self.purpose, action, after.segment, at)
        if action == "stop" and self.identities is not None:
            for told in self.identities.recall(self.ledger, self.subject, self.purpose, lambda _: "noted", at=at):
                yield Notice(told.recipient, told.identifier, self.purpose, action, None, at)

    def _log(
        self, action: str, right: str, details: Mapping[str, Any], private: Mapping[str, Any], **more: Any
    ) -> dict[str, Any]:
        facts = {
            "@context": _CONTEXT,
            "@type": "dpv:RightExerciseRecord",
            "dct:created": self._now().isoformat(),
            "dpv:hasRight": RIGHTS[right],
            "dpv:hasPurpose": self.purpose,
            "subject": self.subject,
            "action": action,
            "details": dict(details),
            "model": fingerprint(self.segmenter),
        }
        return self.log.append({**facts, **{name: value for name, value in more.items() if value}}, private)
