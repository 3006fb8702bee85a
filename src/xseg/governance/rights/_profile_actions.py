"""How an action of a profile is carried out: logged, written to the ledger, measured and passed on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd

from xseg.cards import AnswerFact, AnyCard, make_cards, make_decided_card
from xseg.core.schema import suggestion
from xseg.exceptions import DataError, DefinitionError
from xseg.export import fingerprint
from xseg.governance.consent import (
    ConsentResolver,
    ConsentState,
    Entry,
    Identities,
    Ledger,
    make_consent_receipt,
    read_identifiers,
    read_text,
)
from xseg.governance.rights._action_log import INTENT, ActionLog, Because, Spoken, Standing, Told, Why, spoken_of
from xseg.governance.rights._person_record import Held, with_own_words
from xseg.governance.rights._profile_answers import Answer, Effect, Notice, Place, Send, due, notify
from xseg.policy import RIGHTS, Policy, is_marketing
from xseg.segmenters import check_segmenter, get_segmenter

__all__ = ["Desk", "Saying"]

Saying = tuple[str, str, str | None]
_ON_CONSENT: Final = frozenset({"consent", None})
_FOR_A_HUMAN: Final = frozenset({"contest", "ask", "express_view"})
# A no counts whatever was erased before; what is erased twice is erased, and humans may finish what they began.
_AFTER_ERASURE: Final = frozenset(
    {"withdraw", "object", "object_marketing", "opt_out", "signal", "restrict", "leave", "erase", "decide"}
)
_COMES_BACK: Final = frozenset(
    {"agree", "lift", "withdraw_objection", "withdraw_marketing_objection", "rejoin", "choose"}
)
_DRAFTED: Final = ("@context", "@type", "dct:created", "dpv:hasRight", "dpv:hasPurpose", "subject", "model")
_CONTEXT: Final = {"dpv": "https://w3id.org/dpv#", "dct": "http://purl.org/dc/terms/"}


class Desk:
    """What stands behind a `Profile`; its parameters are told there."""

    def __init__(
        self,
        segmenter: Any,
        X: Any,
        *,
        policy: Any,
        ledger: Ledger,
        subject: str,
        purpose: str,
        log: ActionLog | None = None,
        identities: Identities | None = None,
        send: Send | None = None,
        locale: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.segmenter = check_segmenter(get_segmenter(segmenter))
        self.policy = Policy.coerce(policy)
        self.ledger = ledger
        self.identities = identities
        self.subject = read_text(read_identifiers([subject], "subject")[0], "subject")
        self.purpose = purpose
        self.log = ActionLog() if log is None else log
        self._consents = ConsentResolver(ledger, identities)
        self._send = send
        self._locale = locale
        self._clock = clock
        self._held = Held(X)
        if purpose not in self.policy.purposes:
            message = f"the policy declares no purpose {purpose!r}{suggestion(purpose, list(self.policy.purposes))}"
            raise DefinitionError(message)
        if self.standing.erased:
            self._forget()

    @property
    def standing(self) -> Standing:
        """What the person said, besides the ledger, as the log has it."""
        return self.log.standing(self.subject, self.purpose)

    @property
    def card_policy(self) -> Policy:
        """The policy by which cards are made: what the person corrected is said to be their own word."""
        return with_own_words(self.policy, self.standing.corrections)

    def data(self) -> pd.DataFrame:
        """Return what the model may see of the person: corrected, and without what is withheld."""
        return self._seen(self.standing)

    def withheld(self) -> tuple[str, ...]:
        """Return the features that the person withholds from the purpose."""
        at, asked = self._moment(), self.ledger.list_stated_features(self.purpose)
        lost = self._spoken().withheld(self.purpose)
        names = {
            name for name in asked if self._consents.is_withheld([self.subject], name, self.purpose, at=at)[0]
        } | lost.keys()
        return tuple(sorted(names.intersection(self._held.names)))

    def recipients(self) -> tuple[str, ...]:
        """Return who received the person's segment."""
        released = (told for told in self._receipts() if told["action"] == "release")
        return tuple(dict.fromkeys(told["details"]["recipient"] for told in released))

    def settle(self) -> list[dict[str, Any]]:
        """Notify everybody who was given the segment and whose last word from us no longer holds.

        Every action does this; call it also from time to time, since consent ends, links are drawn, models change, and
        recipients are out of reach. First it carries out what was interrupted (`unfinished`).

        Returns
        -------
        list of dict
            Who was told what, and whether they answered.
        """
        for begun in self.unfinished():
            self._complete(begun)
        place = self._place(self.standing)
        notices = self._due(self.purpose, place.segment)
        if not notices:
            return []
        outcomes, answers = self._delivered(notices)
        self._log("settle", "recipients", {"recipients": outcomes}, {"after": place.segment, "answers": answers})
        return outcomes

    def unfinished(self) -> list[Told]:
        """Return the receipts of decisions that were written down and not carried out to the end.

        They count all the same: of a no nothing is left open. `settle` carries them out; a yes among them that did not
        reach the ledger has to be said again.
        """
        return [told for told in self._receipts() if told.get("unfinished")]

    def _forget(self) -> None:
        self._held.forget()
        self.log.forget(lambda told: bool(told.get("subject") == self.subject))

    def _receipts(self) -> list[Told]:
        return [told for told in self.log.find_receipts(self.subject) if told.get("dpv:hasPurpose") == self.purpose]

    def _spoken(self) -> Spoken:
        return spoken_of(self.log.find_receipts(self.subject))

    def _moment(self) -> datetime:
        """Return the time, but none before what the ledger has heard: a clock that is behind must not lose a no."""
        now, latest = self._clock(), self.ledger.latest
        return now if latest is None else max(now, latest)

    def _seen(self, standing: Standing) -> pd.DataFrame:
        if standing.erased:
            self._held.forget()
        return self._held.seen(standing.corrections, self.withheld())

    def _place(self, standing: Standing) -> Place:
        """Return where a standing and the ledger leave the person; where the model cannot say, in no segment."""
        blocked = standing.blocked() or self._denied()
        if blocked is not None:
            return Place(None, blocked)
        # A choice of a segment that a later model does not have is void.
        if standing.chosen in self.segmenter.segment_names_:
            return Place(standing.chosen, Why.CHOSEN)
        try:
            segment = int(self.segmenter.predict(self._seen(standing))[0])
        except Exception:  # noqa: BLE001 whatever a model or a row fails with must not keep a no from being heard
            return Place(None, Why.UNKNOWN)
        return Place(str(self.segmenter.segment_names_[segment]), Why.MODEL)

    def _denied(self) -> Why | None:
        """Return whether the person is kept out by the ledger, or by what the log has that the ledger lost.

        On consent silence keeps out, on other bases only a no.
        """
        at, subject, purpose = self._moment(), [self.subject], self.policy.purposes[self.purpose]
        on_consent = purpose.legal_basis in _ON_CONSENT
        number = int(self.ledger.find_deciding_entries(subject, self.purpose, at=at)[0])
        entry = self.ledger[number] if number >= 0 else None
        spoken = self._spoken().denied(self.purpose, marketing=is_marketing(purpose))
        lost = spoken is not None and (entry is None or not entry.state.allows or entry.at <= spoken)
        if lost or self._consents.is_denied_by_link(subject, self.purpose, at=at)[0]:
            return Why.NO_CONSENT if on_consent else Why.OBJECTED
        if on_consent:
            return None if self._consents.mask(subject, self.purpose, at=at)[0] else Why.NO_CONSENT
        return Why.OBJECTED if entry is not None and entry.state.denies else None

    def _card(self, standing: Standing, place: Place, locale: str | None = None) -> AnyCard:
        same: dict[str, Any] = {
            "policy": with_own_words(self.policy, standing.corrections),
            "at": self._moment(),
            "locale": self._locale if locale is None else locale,
            "ledger": self.ledger,
            "identities": self.identities,
        }
        if place.why is Why.MODEL:
            return make_cards(self.segmenter, self._seen(standing), ids=[self.subject], **same)[0]
        ground: Any = place.why.value
        return make_decided_card(self.segmenter, ground, segment=place.segment, reference=self.subject, **same)

    def _act(
        self,
        action: str,
        right: str,
        details: Mapping[str, Any] | None = None,
        private: Mapping[str, Any] | None = None,
        *,
        says: Sequence[Saying] = (),
        source: str = "account",
    ) -> Answer:
        """Write down what was decided, do it, measure what it changed, tell whom it concerns, and write down the end.

        From the first line on the decision counts, whatever fails after it; see `settle`.
        """
        standing = self.standing
        self._check_held(standing, action)
        before = self._place(standing)
        at = self._moment().isoformat()
        # A yes counts once the ledger has it; a no counts from now on.
        denials = [[purpose, state, feature, at] for purpose, state, feature in says if ConsentState(state).denies]
        draft = self._draft(action, right, {**(details or {}), "at": at, "said": denials})
        begun = self.log.append(
            draft
            | {"action": INTENT, "details": {"action": {"action": action, "details": draft["details"]}}}
            | {"source": source},
            {**(private or {}), "before": before.segment},
        )
        said = [self._say(*one, source) for one in says]
        then = self.standing
        same = then == standing
        return self._ended(begun, draft, private or {}, said, before, then, same=same)

    def _ended(
        self,
        begun: Told,
        draft: Mapping[str, Any],
        private: Mapping[str, Any],
        said: Sequence[Entry],
        before: Place,
        then: Standing,
        *,
        same: bool,
        completed: bool = False,
    ) -> Answer:
        """Notify recipients, and write down how an action ended."""
        after = self._place(then)
        because = None if completed else self._unchanged(draft, before, after, same=same)
        effect = Effect(before.segment, after.segment, after.why, before != after, because)
        denied = [entry.purpose for entry in said if entry.feature is None and entry.state.denies]
        outcomes, answers = self._delivered([*self._due(self.purpose, after.segment), *self._due_elsewhere(denied)])
        linked = self._recalled() if after.segment is None else 0
        ending = {
            "said": [_saying(entry) for entry in said],
            "effect": effect.as_dict(),
            "recipients": outcomes,
            "linked": linked,
            "intent": begun["number"],
        }
        written = self.log.append(
            {**draft, "details": draft["details"] | ending | ({"completed": True} if completed else {})}
            | ({"consent": [self._receipt_of(entry) for entry in said]} if said else {}),
            {**private, "before": before.segment, "after": after.segment, "answers": answers},
        )
        return Answer(self._answered(then, after, draft["action"], effect), written, effect)

    def _complete(self, begun: Told) -> None:
        """Carry out what was interrupted: every no. A yes that was not heard has to be said again."""
        source = begun["source"]
        known = self.ledger.find_entries(self.subject)
        said = []
        for purpose, state, feature, at in begun["details"]["said"]:
            moment = datetime.fromisoformat(at)
            held = [
                one
                for one in known
                if (one.purpose, one.state, one.feature, one.at) == (purpose, state, feature, moment)
            ]
            said.append(
                held[0]
                if held
                else self.ledger.append(self.subject, purpose, state, source=source, at=moment, feature=feature)
            )
        private = {name: value for name, value in begun.get("private", {}).items() if name not in {"salt", "before"}}
        draft = {name: begun[name] for name in (*_DRAFTED, "action", "details")}
        before = Place(begun.get("private", {}).get("before"), Why.UNKNOWN)
        self._ended(begun, draft, private, said, before, self.standing, same=False, completed=True)

    @staticmethod
    def _check_held(standing: Standing, action: str) -> None:
        if standing.erased and action not in _AFTER_ERASURE:
            message = "what was held about this person has been erased, so there is nothing to act on"
            raise DataError(message)

    def _answered(self, standing: Standing, after: Place, action: str, effect: Effect) -> AnyCard:
        """Return the card that says what became of it; where the model cannot be explained, one without reasons."""
        try:
            card = self._card(standing, after)
        except Exception:  # noqa: BLE001 what was decided is done and written down, and has to be answered
            card = self._card(standing, Place(None, Why.UNKNOWN))
        answer = AnswerFact(
            action=action,
            changed=effect.changed,
            group_changed=effect.before != effect.after,
            because=None if effect.because is None else effect.because.value,
        )
        return card.model_copy(update={"answer": answer})

    def _say(self, purpose: str, state: str, feature: str | None, source: str) -> Entry:
        return self.ledger.append(self.subject, purpose, state, source=source, at=self._moment(), feature=feature)

    def _receipt_of(self, entry: Entry) -> dict[str, Any]:
        controller, concept = self.policy.controller, self.policy.purposes[entry.purpose].concept
        return make_consent_receipt(entry, controller=None if controller is None else controller.name, concept=concept)

    def _unchanged(self, told: Told, before: Place, after: Place, *, same: bool) -> Because | None:
        """Return why an action left the segment as it was, if it did and that needs saying."""
        action, details = told["action"], told["details"]
        if action in _FOR_A_HUMAN or details.get("pending"):
            return Because.PENDING
        if before != after:
            return None
        if action in _COMES_BACK and after.segment is None:
            linked = self._consents.is_denied_by_link([self.subject], self.purpose, at=self._moment())[0]
            return Because.LINKED if linked else Because.STANDS
        if action in {"opt_out", "signal"} and after.segment is not None:
            return Because.UNUSED
        features = details.get("features", [details["feature"]] if "feature" in details else None)
        if features is None:
            return Because.ALREADY if same else None
        names = self.segmenter.profile_.bins.schema.names
        asked = {names[j] for j in self.segmenter.model_.used_features.tolist()}
        return Because.FITS if asked.intersection(features) else Because.UNUSED

    def _due(self, purpose: str, segment: str | None) -> list[Notice]:
        return due(
            self.log.find_receipts(self.subject), self.subject, purpose, segment, self.policy.recipients, self._moment()
        )

    def _due_elsewhere(self, denied: Sequence[str]) -> Iterator[Notice]:
        """Return what follows for other purposes that were denied in the same breath."""
        for purpose in denied:
            if purpose != self.purpose:
                yield from self._due(purpose, None)

    def _delivered(self, notices: Sequence[Notice]) -> tuple[list[dict[str, Any]], list[str]]:
        """Notify each recipient; return what stands in a receipt, and apart from it what they answered."""
        answers = [notify(notice, self._send) for notice in notices]
        outcomes = [
            {"recipient": one.recipient, "purpose": one.purpose, "action": one.action, "delivered": delivered}
            for one, (delivered, _) in zip(notices, answers, strict=True)
        ]
        return outcomes, [answer for _, answer in answers]

    def _recalled(self) -> int:
        """Stop recipients of other identifiers that the person's no reaches, until they answer; return how many.

        What becomes of it is written down with that identifier: it may be somebody else's.
        """
        if self.identities is None:
            return 0
        at, n_told = self._moment(), 0
        for order in self.identities.recall(self.ledger, self.subject, self.purpose, lambda _: "noted", at=at):
            if order.identifier == self.subject or self._has_stopped(order.identifier, order.recipient):
                continue
            notice = Notice(order.recipient, order.identifier, self.purpose, "stop", None, at)
            delivered, answer = notify(notice, self._send)
            told = self._draft("recall", "recipients", {"recipient": order.recipient, "delivered": delivered})
            self.log.append(told | {"subject": order.identifier}, {"answer": answer})
            n_told += 1
        return n_told

    def _has_stopped(self, identifier: str, recipient: str) -> bool:
        """Return whether a recipient of another identifier confirmed to have stopped, and was given nothing since."""
        stopped = False
        for told in self.log.find_receipts(identifier):
            if told.get("dpv:hasPurpose") == self.purpose and told["details"].get("recipient") == recipient:
                stopped = told["action"] == "recall" and told["details"]["delivered"]
        return stopped

    def _log(self, action: str, right: str, details: Mapping[str, Any], private: Mapping[str, Any]) -> dict[str, Any]:
        return self.log.append(self._draft(action, right, details), private)

    def _draft(self, action: str, right: str, details: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "@context": _CONTEXT,
            "@type": "dpv:RightExerciseRecord",
            "dct:created": self._clock().astimezone(UTC).isoformat(),
            "dpv:hasRight": RIGHTS[right],
            "dpv:hasPurpose": self.purpose,
            "subject": self.subject,
            "action": action,
            "details": dict(details),
            "model": fingerprint(self.segmenter),
        }


def _saying(entry: Entry) -> list[str | None]:
    return [entry.purpose, str(entry.state), entry.feature, entry.at.isoformat()]
