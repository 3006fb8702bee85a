"""How an action of a profile is carried out: logged, written to the ledger, measured and passed on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd

from xseg.cards import AnswerFact, AnyCard, make_cards, make_decided_card
from xseg.core.schema import suggest_name
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
from xseg.governance.rights._action_log import (
    INTENT,
    ActionLog,
    LastStatements,
    ReceiptLine,
    RightsStatus,
    SegmentBasis,
    UnchangedReason,
    find_last_statements,
    read_statements,
)
from xseg.governance.rights._person_record import PersonRow, mark_corrections
from xseg.governance.rights._profile_answers import (
    ActionEffect,
    Answer,
    Notice,
    Placement,
    Send,
    find_due_notices,
    notify,
)
from xseg.policy import RIGHTS, Policy, is_marketing
from xseg.segmenters import SegmenterOrPipeline, check_segmenter, get_segmenter

__all__ = ["ProfileActions", "StatementDraft"]

StatementDraft = tuple[str, str, str | None]
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


class ProfileActions:
    """How the actions of a `Profile` are carried out; its parameters are documented there."""

    def __init__(
        self,
        segmenter: SegmenterOrPipeline,
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
        self._held = PersonRow(X)
        if purpose not in self.policy.purposes:
            message = f"the policy declares no purpose {purpose!r}{suggest_name(purpose, list(self.policy.purposes))}"
            raise DefinitionError(message)
        if self.status.erased:
            self._forget()

    @property
    def status(self) -> RightsStatus:
        """What the person said, besides the ledger, as the log has it."""
        return self.log.get_status(self.subject, self.purpose)

    @property
    def card_policy(self) -> Policy:
        """The policy by which cards are made: what the person corrected is said to be their own word."""
        return mark_corrections(self.policy, self.status.corrections)

    def data(self) -> pd.DataFrame:
        """Return what the model may see of the person: corrected, and without what is withheld."""
        return self._build_seen_row(self.status)

    def list_withheld(self) -> tuple[str, ...]:
        """Return the features that the person withholds from the purpose."""
        at, asked = self._read_time(), self.ledger.list_stated_features(self.purpose)
        lost = self._find_last_statements().find_withheld(self.purpose)
        names = {
            name for name in asked if self._consents.is_withheld([self.subject], name, self.purpose, at=at)[0]
        } | lost.keys()
        return tuple(sorted(names.intersection(self._held.names)))

    def recipients(self) -> tuple[str, ...]:
        """Return who received the person's segment."""
        released = (receipt for receipt in self._receipts() if receipt["action"] == "release")
        return tuple(dict.fromkeys(receipt["details"]["recipient"] for receipt in released))

    def settle(self) -> list[dict[str, Any]]:
        """Notify everybody who was given the segment and whose last word from us no longer holds.

        Every action does this; call it also from time to time, since consent ends, links are drawn, models change, and
        recipients are out of reach. First it carries out what was interrupted (`list_unfinished`).

        Returns
        -------
        list of dict
            Who was told what, and whether they answered.
        """
        for begun in self.list_unfinished():
            self._complete(begun)
        place = self._find_placement(self.status)
        notices = self._find_due(self.purpose, place.segment)
        if not notices:
            return []
        outcomes, answers = self._notify_all(notices)
        self._log("settle", "recipients", {"recipients": outcomes}, {"after": place.segment, "answers": answers})
        return outcomes

    def list_unfinished(self) -> list[ReceiptLine]:
        """Return the receipts of decisions that were written down and not carried out to the end.

        Denials among them count from the time at which they were recorded. `settle` carries them out; a grant that did
        not reach the ledger has to be stated again.
        """
        return [receipt for receipt in self._receipts() if receipt.get("unfinished")]

    def _forget(self) -> None:
        self._held.forget()
        self.log.forget(lambda receipt: bool(receipt.get("subject") == self.subject))

    def _receipts(self) -> list[ReceiptLine]:
        return [
            receipt for receipt in self.log.find_receipts(self.subject) if receipt.get("dpv:hasPurpose") == self.purpose
        ]

    def _find_last_statements(self) -> LastStatements:
        return find_last_statements(self.log.find_receipts(self.subject))

    def _read_time(self) -> datetime:
        """Return the present, or the time of the latest entry if the clock is behind it, so that no denial is lost."""
        now, latest = self._clock(), self.ledger.latest
        return now if latest is None else max(now, latest)

    def _build_seen_row(self, status: RightsStatus) -> pd.DataFrame:
        if status.erased:
            self._held.forget()
        return self._held.apply_decisions(status.corrections, self.list_withheld())

    def _find_placement(self, status: RightsStatus) -> Placement:
        """Return the placement by a status and the ledger; no segment where the model fails."""
        blocked = status.find_exclusion() or self._find_denial()
        if blocked is not None:
            return Placement(None, blocked)
        # A choice of a segment that a later model does not have is void.
        if status.chosen in self.segmenter.segment_names_:
            return Placement(status.chosen, SegmentBasis.CHOSEN)
        try:
            segment = int(self.segmenter.predict(self._build_seen_row(status))[0])
        except Exception:  # noqa: BLE001 whatever a model or a row fails with must not keep a no from being heard
            return Placement(None, SegmentBasis.UNKNOWN)
        return Placement(str(self.segmenter.segment_names_[segment]), SegmentBasis.MODEL)

    def _find_denial(self) -> SegmentBasis | None:
        """Return the basis on which the ledger, or a denial that only the log has, excludes the person.

        Where the purpose rests on consent, silence denies it; on other bases only a denial does.
        """
        at, subject, purpose = self._read_time(), [self.subject], self.policy.purposes[self.purpose]
        on_consent = purpose.legal_basis in _ON_CONSENT
        number = int(self.ledger.find_deciding_entries(subject, self.purpose, at=at)[0])
        entry = self.ledger[number] if number >= 0 else None
        spoken = self._find_last_statements().find_denial_time(self.purpose, marketing=is_marketing(purpose))
        lost = spoken is not None and (entry is None or not entry.state.allows or entry.at <= spoken)
        if lost or self._consents.is_denied_by_link(subject, self.purpose, at=at)[0]:
            return SegmentBasis.NO_CONSENT if on_consent else SegmentBasis.OBJECTED
        if on_consent:
            return None if self._consents.mask(subject, self.purpose, at=at)[0] else SegmentBasis.NO_CONSENT
        return SegmentBasis.OBJECTED if entry is not None and entry.state.denies else None

    def _make_card(self, status: RightsStatus, place: Placement, locale: str | None = None) -> AnyCard:
        same: dict[str, Any] = {
            "policy": mark_corrections(self.policy, status.corrections),
            "at": self._read_time(),
            "locale": self._locale if locale is None else locale,
            "ledger": self.ledger,
            "identities": self.identities,
        }
        if place.basis is SegmentBasis.MODEL:
            return make_cards(self.segmenter, self._build_seen_row(status), ids=[self.subject], **same)[0]
        ground: Any = place.basis.value
        return make_decided_card(self.segmenter, ground, segment=place.segment, reference=self.subject, **same)

    def _act(
        self,
        action: str,
        right: str,
        details: Mapping[str, Any] | None = None,
        private: Mapping[str, Any] | None = None,
        *,
        says: Sequence[StatementDraft] = (),
        source: str = "account",
    ) -> Answer:
        """Write down what was decided, do it, measure what it changed, tell whom it concerns, and write down the end.

        From the first line on the decision counts, whatever fails after it; see `settle`.
        """
        status = self.status
        self._check_held(status, action)
        before = self._find_placement(status)
        at = self._read_time().isoformat()
        # A yes counts once the ledger has it; a no counts from now on.
        denials = [[purpose, state, feature, at] for purpose, state, feature in says if ConsentState(state).denies]
        draft = self._draft_receipt(action, right, {**(details or {}), "at": at, "statements": denials})
        begun = self.log.append(
            draft
            | {"action": INTENT, "details": {"action": {"action": action, "details": draft["details"]}}}
            | {"source": source},
            {**(private or {}), "before": before.segment},
        )
        said = [self._append_statement(*one, source) for one in says]
        then = self.status
        same = then == status
        return self._finish(begun, draft, private or {}, said, before, then, same=same)

    def _finish(
        self,
        begun: ReceiptLine,
        draft: Mapping[str, Any],
        private: Mapping[str, Any],
        said: Sequence[Entry],
        before: Placement,
        then: RightsStatus,
        *,
        same: bool,
        completed: bool = False,
    ) -> Answer:
        """Notify recipients, and write down how an action ended."""
        after = self._find_placement(then)
        unchanged_reason = None if completed else self._explain_unchanged(draft, before, after, same=same)
        effect = ActionEffect(before.segment, after.segment, after.basis, before != after, unchanged_reason)
        denied = [entry.purpose for entry in said if entry.feature is None and entry.state.denies]
        outcomes, answers = self._notify_all(
            [*self._find_due(self.purpose, after.segment), *self._find_due_elsewhere(denied)]
        )
        linked = self._recall_linked() if after.segment is None else 0
        ending = {
            "statements": [_describe_statement(entry) for entry in said],
            "effect": effect.as_dict(),
            "recipients": outcomes,
            "linked": linked,
            "intent": begun["number"],
        }
        written = self.log.append(
            {**draft, "details": draft["details"] | ending | ({"completed": True} if completed else {})}
            | ({"consent": [self._make_receipt(entry) for entry in said]} if said else {}),
            {**private, "before": before.segment, "after": after.segment, "answers": answers},
        )
        return Answer(self._make_answer_card(then, after, draft["action"], effect), written, effect)

    def _complete(self, begun: ReceiptLine) -> None:
        """Carry out interrupted denials. A grant that did not reach the ledger has to be stated again."""
        source = begun["source"]
        known = self.ledger.find_entries(self.subject)
        said = []
        for purpose, state, feature, at in read_statements(begun["details"]):
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
        before = Placement(begun.get("private", {}).get("before"), SegmentBasis.UNKNOWN)
        self._finish(begun, draft, private, said, before, self.status, same=False, completed=True)

    @staticmethod
    def _check_held(status: RightsStatus, action: str) -> None:
        if status.erased and action not in _AFTER_ERASURE:
            message = "what was held about this person has been erased, so there is nothing to act on"
            raise DataError(message)

    def _make_answer_card(self, status: RightsStatus, after: Placement, action: str, effect: ActionEffect) -> AnyCard:
        """Return the card that says what became of it; where the model cannot be explained, one without reasons."""
        try:
            card = self._make_card(status, after)
        except Exception:  # noqa: BLE001 what was decided is done and written down, and has to be answered
            card = self._make_card(status, Placement(None, SegmentBasis.UNKNOWN))
        answer = AnswerFact(
            action=action,
            changed=effect.changed,
            group_changed=effect.before != effect.after,
            unchanged_reason=None if effect.unchanged_reason is None else effect.unchanged_reason.value,
        )
        return card.model_copy(update={"answer": answer})

    def _append_statement(self, purpose: str, state: str, feature: str | None, source: str) -> Entry:
        return self.ledger.append(self.subject, purpose, state, source=source, at=self._read_time(), feature=feature)

    def _make_receipt(self, entry: Entry) -> dict[str, Any]:
        controller, concept = self.policy.controller, self.policy.purposes[entry.purpose].concept
        return make_consent_receipt(entry, controller=None if controller is None else controller.name, concept=concept)

    def _explain_unchanged(
        self, receipt: ReceiptLine, before: Placement, after: Placement, *, same: bool
    ) -> UnchangedReason | None:
        """Return why an action left the segment as it was, if it did and that needs saying."""
        action, details = receipt["action"], receipt["details"]
        if action in _FOR_A_HUMAN or details.get("pending"):
            return UnchangedReason.PENDING
        if before != after:
            return None
        if action in _COMES_BACK and after.segment is None:
            linked = self._consents.is_denied_by_link([self.subject], self.purpose, at=self._read_time())[0]
            return UnchangedReason.DENIED_BY_LINK if linked else UnchangedReason.OTHER_DECISION
        if action in {"opt_out", "signal"} and after.segment is not None:
            return UnchangedReason.NOT_USED
        features = details.get("features", [details["feature"]] if "feature" in details else None)
        if features is None:
            return UnchangedReason.ALREADY_IN_EFFECT if same else None
        names = self.segmenter.profile_.bins.schema.names
        asked = {names[j] for j in self.segmenter.model_.used_features.tolist()}
        return UnchangedReason.SAME_SEGMENT if asked.intersection(features) else UnchangedReason.NOT_USED

    def _find_due(self, purpose: str, segment: str | None) -> list[Notice]:
        return find_due_notices(
            self.log.find_receipts(self.subject),
            self.subject,
            purpose,
            segment,
            self.policy.recipients,
            self._read_time(),
        )

    def _find_due_elsewhere(self, denied: Sequence[str]) -> Iterator[Notice]:
        """Return what follows for other purposes that were denied in the same breath."""
        for purpose in denied:
            if purpose != self.purpose:
                yield from self._find_due(purpose, None)

    def _notify_all(self, notices: Sequence[Notice]) -> tuple[list[dict[str, Any]], list[str]]:
        """Notify each recipient; return what stands in a receipt, and apart from it what they answered."""
        answers = [notify(notice, self._send) for notice in notices]
        outcomes = [
            {"recipient": one.recipient, "purpose": one.purpose, "action": one.action, "delivered": delivered}
            for one, (delivered, _) in zip(notices, answers, strict=True)
        ]
        return outcomes, [answer for _, answer in answers]

    def _recall_linked(self) -> int:
        """Stop recipients of other identifiers that the person's no reaches, until they answer; return how many.

        What becomes of it is written down with that identifier: it may be somebody else's.
        """
        if self.identities is None:
            return 0
        at, n_notified = self._read_time(), 0
        for order in self.identities.recall(self.ledger, self.subject, self.purpose, lambda _: "noted", at=at):
            if order.identifier == self.subject or self._has_stopped(order.identifier, order.recipient):
                continue
            notice = Notice(order.recipient, order.identifier, self.purpose, "stop", None, at)
            delivered, answer = notify(notice, self._send)
            line = self._draft_receipt("recall", "recipients", {"recipient": order.recipient, "delivered": delivered})
            self.log.append(line | {"subject": order.identifier}, {"answer": answer})
            n_notified += 1
        return n_notified

    def _has_stopped(self, identifier: str, recipient: str) -> bool:
        """Return whether a recipient of another identifier confirmed to have stopped, and was given nothing since."""
        stopped = False
        for receipt in self.log.find_receipts(identifier):
            if receipt.get("dpv:hasPurpose") == self.purpose and receipt["details"].get("recipient") == recipient:
                stopped = receipt["action"] == "recall" and receipt["details"]["delivered"]
        return stopped

    def _log(self, action: str, right: str, details: Mapping[str, Any], private: Mapping[str, Any]) -> dict[str, Any]:
        return self.log.append(self._draft_receipt(action, right, details), private)

    def _draft_receipt(self, action: str, right: str, details: Mapping[str, Any]) -> dict[str, Any]:
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


def _describe_statement(entry: Entry) -> list[str | None]:
    return [entry.purpose, str(entry.state), entry.feature, entry.at.isoformat()]
