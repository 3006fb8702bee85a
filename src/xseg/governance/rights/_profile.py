"""A person's profile: the calls of a preference centre, each with its effect measured and a receipt."""

from typing import Any, Final

from xseg.cards import AnyCard
from xseg.core.schema import suggest_name
from xseg.exceptions import DefinitionError, ParameterError
from xseg.governance.consent import Entry
from xseg.governance.rights._action_log import SegmentBasis
from xseg.governance.rights._person_record import (
    Case,
    check_range,
    check_value,
    find_open_cases,
    is_usual,
    to_plain_nested,
)
from xseg.governance.rights._profile_actions import ProfileActions, StatementDraft
from xseg.governance.rights._profile_answers import Answer, read_signals
from xseg.policy import is_marketing

__all__ = ["Profile"]

# What a person provides: told, or observed of them; and the bases on which they may take it with them.
_PROVIDED: Final = frozenset({"zero-party", "first-party"})
_PORTABLE: Final = frozenset({"consent", "contract"})


class Profile(ProfileActions):
    """What one person can see and decide about their segment.

    Unknown is no: where the purpose rests on consent and the ledger knows of none, the person is in no segment. What
    they said is in the ledger and the log and nowhere else, so that any process that opens both knows it.

    Parameters
    ----------
    segmenter : fitted segmenter, or ConsentGate
        The model; of a gate the one inside.
    X : mapping, or table with one row
        What is held about the person.
    policy : Policy, path or mapping
        What the person may be told, and the legal basis of the purpose.
    ledger : Ledger
        What the person agreed to; it is written to.
    subject : str
        Whom this is about.
    purpose : str
        What the segment is used for, as the policy calls it.
    log : ActionLog, optional
        Where receipts are kept, and with them what the person asked for. Without one it is in memory, for trying out.
    identities : Identities, optional
        The person's other devices and accounts: denials made there count here, and those made here count there.
    send : callable, optional
        Delivers a `Notice` to somebody who received the segment, and gives their answer. Without it receipts name whom
        to tell.
    locale : str, optional
        The language of the cards.
    clock : callable, optional
        Gives the time, with a zone.

    Raises
    ------
    DefinitionError
        The policy does not declare the purpose.
    DataError
        There is not exactly one row.
    ConsentError
        The log is not what was written.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Articles 7 and 15 to 22. Regulation (EU) 2022/2065 (DSA), Articles 27 and 38.
    ISO/IEC TS 27560:2023, "Consent record information structure".

    Examples
    --------
    >>> import xseg
    >>> from xseg.governance.consent import Ledger
    >>> customers = xseg.make_customers(1_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> ledger = Ledger()
    >>> _ = ledger.append("ann", "offers", "given", source="account")
    >>> policy = xseg.datasets.customers_policy()
    >>> profile = xseg.governance.rights.Profile(
    ...     segmenter, customers.head(1), policy=policy, ledger=ledger, subject="ann", purpose="offers"
    ... )
    >>> profile.segment == segmenter.segment_names_[segmenter.labels_[0]]
    True
    >>> profile.withdraw().effect.after is None
    True
    """

    @property
    def basis(self) -> SegmentBasis:
        """What the person's segment follows from."""
        return self._find_placement(self.status).basis

    @property
    def segment(self) -> str | None:
        """The person's segment as everything after this sees it; None where the person is in none."""
        return self._find_placement(self.status).segment

    def card(self, locale: str | None = None) -> AnyCard:
        """Return the card, in a language: with reasons where the model places the person, otherwise with why not."""
        status = self.status
        return self._make_card(status, self._find_placement(status), locale)

    def release(self, recipient: str) -> str | None:
        """Return the segment to a recipient, if the person is in one, and note that it was given.

        Parameters
        ----------
        recipient : str
            Who receives it; the policy names it.

        Returns
        -------
        str or None
            The segment; None where nothing may be given.

        Raises
        ------
        DefinitionError
            The policy does not name the recipient.
        """
        if recipient not in self.policy.recipients:
            known = list(self.policy.recipients)
            message = f"the policy names no recipient {recipient!r}{suggest_name(recipient, known)}"
            raise DefinitionError(message)
        given = self.segment
        if given is not None:
            if self.identities is not None:
                self.identities.record_disclosure(self.subject, recipient, at=self._read_time())
            self._log("release", "recipients", {"recipient": recipient}, {"segment": given})
        return given

    def withhold(self, feature: str) -> Answer:
        """Switch a piece of information off: for this purpose the model no longer sees it."""
        return self._switch("withhold", "withdrawn", feature)

    def allow(self, feature: str) -> Answer:
        """Switch a piece of information on again."""
        return self._switch("allow", "given", feature)

    def limit_sensitive(self) -> Answer:
        """Switch everything off that the policy marks as sensitive."""
        sensitive = self._list_sensitive()
        says: list[StatementDraft] = [(self.purpose, "withdrawn", name) for name in sensitive]
        return self._act("limit_sensitive", "limit_sensitive", {"features": sensitive}, says=says)

    def correct(self, feature: str, value: Any) -> Answer:
        """Correct a piece of information.

        Within the range that the policy declares (`minimum`, `maximum`) it counts at once, and beyond it is refused.
        Where none is declared, a value such as nobody in the fitted table has opens a case: until a human has decided
        (``decide(..., upheld=True)``) the value before it goes on being used.

        Parameters
        ----------
        feature : str
            A column of what is held.
        value : object
            A text, a finite number, true or false; None if nothing is known.

        Returns
        -------
        Answer
            As of every action.

        Raises
        ------
        DataError
            The value lies outside the declared range, or is none that can be kept or read.
        DataError
            Nothing of that name is held.
        """
        self._held.check(feature)
        value, status = check_value(feature, value), self.status
        self._check_held(status, "correct")
        declared = check_range(feature, value, self.policy.feature(feature))
        then = status.apply({"action": "correct", "details": {"feature": feature}, "private": {"value": value}})
        # Nothing is kept that cannot be read or shown, also not where the person has switched it off for now.
        self.segmenter.predict(
            self._held.apply_decisions(then.corrections, [name for name in self.list_withheld() if name != feature])
        )
        self._make_card(then, self._find_placement(then))
        details: dict[str, Any] = {"feature": feature}
        if not declared and not self._is_usual(feature, value):
            details["pending"] = True
        return self._act("correct", "correct", details, {"value": value})

    def object(self, reason: str = "") -> Answer:
        """Object to the use: the person is in no segment until a human has decided, and that is a case."""
        return self._act("object", "object", {}, {"text": reason} if reason else {})

    def object_marketing(self) -> Answer:
        """Object to marketing, for every such purpose of the policy; it needs no reason and is never weighed."""
        return self._act(
            "object_marketing", "object_marketing", {"marketing": True}, says=self._draft_marketing_denials()
        )

    def opt_out(self) -> Answer:
        """Opt out of sale, sharing and advertising across contexts."""
        return self._act("opt_out", "opt_out", {"marketing": True}, says=self._draft_marketing_denials())

    def signal(self, sec_gpc: str | None = None, *, gpp: str | None = None) -> Answer | None:
        """Follow a browser's signal to opt out, the first time that it comes; later the person's own word counts.

        What is understood as a no counts, in the header or in the string, whatever is wrong with the other; what was
        not understood stands in the receipt (``receipt["details"]["gpp"]``). Where a string denies the use of
        sensitive data, everything that the policy marks as sensitive is switched off.

        Parameters
        ----------
        sec_gpc : str or None
            The value of the header ``Sec-GPC``.
        gpp : str or None
            A string of the Global Privacy Platform.

        Returns
        -------
        Answer or None
            None where neither opts out, or such a signal was followed before.

        Raises
        ------
        ConsentError
            Nothing in the GPP string can be understood, and the header does not opt out either.
        """
        heard = read_signals(sec_gpc, gpp)
        known = [receipt for receipt in self.log.find_receipts(self.subject) if receipt["action"] == "signal"]
        limits = heard.limits_sensitive and not any(receipt["details"].get("limits_sensitive") for receipt in known)
        opts_out = bool(heard.scope) and not any(receipt["details"]["scope"] for receipt in known)
        sensitive = self._list_sensitive() if limits else []
        if not opts_out and not sensitive:
            return None
        details: dict[str, Any] = {"scope": sorted(heard.scope) if opts_out else [], "marketing": opts_out}
        if gpp is not None:
            details["gpp"] = {"problems": list(heard.problems), "unread": list(heard.unread)}
        if sensitive:
            details |= {"limits_sensitive": True, "features": sensitive}
        says = [
            *(self._draft_marketing_denials() if opts_out else []),
            *((self.purpose, "withdrawn", name) for name in sensitive),
        ]
        return self._act("signal", "opt_out", details, says=says, source="signal")

    def agree(self) -> Answer:
        """Agree to the purpose."""
        return self._act("agree", "withdraw", {}, says=[(self.purpose, "given", None)])

    def withdraw(self) -> Answer:
        """Withdraw consent: one step, as giving it is."""
        return self._act("withdraw", "withdraw", {}, says=[(self.purpose, "withdrawn", None)])

    def restrict(self) -> Answer:
        """Restrict the use of the information: it is kept, and not used."""
        return self._act("restrict", "restrict")

    def lift(self) -> Answer:
        """Lift a restriction, and nothing else."""
        return self._act("lift", "restrict")

    def withdraw_objection(self) -> Answer:
        """Withdraw every objection to the use, and with it its case; one to marketing stands."""
        return self._act("withdraw_objection", "object")

    def withdraw_marketing_objection(self) -> Answer:
        """Withdraw the objection to marketing. It is no consent: to be in a group again takes `agree`."""
        return self._act("withdraw_marketing_objection", "object_marketing")

    def choose(self, segment: str | int | None) -> Answer:
        """Choose another segment; the person's own word overrides the model. None gives the choice back to it."""
        return self._act("choose", "choose", {}, {"segment": self._name(segment)})

    def leave(self) -> Answer:
        """Stay out of all segments."""
        return self._act("leave", "not_profiled")

    def rejoin(self) -> Answer:
        """Come back after `leave`; every other no stands."""
        return self._act("rejoin", "not_profiled")

    def contest(self, text: str) -> Answer:
        """Contest the segment: opens a case for a human, which no program closes."""
        return self._act("contest", "contest", {}, {"text": _check_words(text)})

    def ask(self, text: str) -> Answer:
        """Request a human review: opens a case, as `contest` does."""
        return self._act("ask", "person", {}, {"text": _check_words(text)})

    def express_view(self, text: str) -> Answer:
        """Add to open cases what the human who decides should know."""
        return self._act("express_view", "contest", {}, {"text": _check_words(text)})

    def cases(self) -> list[Case]:
        """Return the cases that wait for a human, the oldest first."""
        return find_open_cases(self._receipts())

    def decide(
        self, case: int, *, by: str, decision: str, segment: str | int | None = None, upheld: bool | None = None
    ) -> Answer:
        """Close a case as a human: only somebody with a name can.

        Parameters
        ----------
        case : int
            Its number.
        by : str
            Who decides.
        decision : str
            What was decided, in words for the person.
        segment : str or int, optional
            The segment that the person is in from now on.
        upheld : bool, optional
            Of an objection or a correction that waits: whether it stands. Where an objection does not, the person is
            placed again; where a correction does, its value is used from now on.

        Returns
        -------
        Answer
            As of every action.

        Raises
        ------
        ParameterError
            Nobody is named, nothing was decided, there is no such open case, or it is not said whether an objection
            stands.
        """
        if not _has_words(by) or not _has_words(decision):
            message = "a case is closed by a person with a name, who says what was decided"
            raise ParameterError(message)
        waiting = {one.number: one.kind for one in self.cases()}
        if case not in waiting:
            message = f"no case {case} waits for a decision; open: {', '.join(map(str, waiting)) or 'none'}"
            raise ParameterError(message)
        if (waiting[case] in {"object", "correct"}) == (upheld is None):
            message = f"case {case}: say upheld=True or False of an objection or a correction, and of nothing else"
            raise ParameterError(message)
        details = {"case": case, "by": by, "upheld": upheld}
        return self._act("decide", "contest", details, {"decision": decision, "segment": self._name(segment)})

    def complain(self) -> str | None:
        """Return where to complain: the policy's link, or else the authority; None where it states neither."""
        link, controller = self.policy.rights.get("complain"), self.policy.controller
        return link.url if link is not None else None if controller is None else controller.authority

    def export(self, *, max_receipts: int | None = None, before: int | None = None) -> dict[str, Any]:
        """Return everything that is held about the person, as JSON can hold it; that it was asked for is noted.

        Parameters
        ----------
        max_receipts : int, optional
            How many receipts to give at most, the latest; None means all.
        before : int, optional
            Give receipts of a lower number only: what ``older_receipts`` said of the call before.

        Returns
        -------
        dict
            With the row, corrections, consent, receipts, and the card; ``older_receipts`` is a number to go on with,
            or None.
        """
        status = self.status
        place = self._find_placement(status)
        self._log("access", "access", {}, {})
        receipts = [
            receipt for receipt in self.log.find_receipts(self.subject) if before is None or receipt["number"] < before
        ]
        n_receipts = len(receipts)
        receipts = receipts if max_receipts is None else receipts[max(n_receipts - max_receipts, 0) :]
        return {
            "subject": self.subject,
            "purpose": self.purpose,
            "data": {} if status.erased else self._held.to_plain(),
            "corrections": dict(status.corrections),
            "pending": [
                {"case": case, "feature": name, "value": value} for case, (name, value) in status.pending.items()
            ],
            "withheld": list(self.list_withheld()),
            "segment": place.segment,
            "basis": str(place.basis),
            "card": self._make_card(status, place).model_dump(mode="json"),
            "consent": [_describe_entry(entry) for entry in self.ledger.find_entries(self.subject)],
            "recipients": list(self.recipients()),
            "receipts": to_plain_nested(receipts),
            "older_receipts": receipts[0]["number"] if len(receipts) < n_receipts else None,
        }

    def port(self) -> dict[str, Any]:
        """Return what the person provided, for use elsewhere, where the purpose rests on consent or a contract.

        References
        ----------
        Regulation (EU) 2016/679 (GDPR), Article 20.
        """
        basis, status = self.policy.purposes[self.purpose].legal_basis, self.status
        self._log("port", "port", {}, {})
        if basis not in _PORTABLE or status.erased:
            return {"subject": self.subject, "data": {}}
        held = {**self._held.to_plain(), **status.corrections}
        policy = self.card_policy
        provided = {name: value for name, value in held.items() if policy.feature(name).source in _PROVIDED}
        return {"subject": self.subject, "data": provided}

    def erase(self) -> Answer:
        """Erase the information: the row, corrections, choices and own words are gone; what proves it is kept.

        It is one for all purposes, ends every consent, and can be asked for again. The model's counts are another
        matter: see `xseg.governance.rights.erase`.
        """
        says = [(name, "withdrawn", None) for name in self.policy.purposes]
        answer = self._act("erase", "erase", says=says)
        self._forget()
        answer.receipt.pop("private", None)
        return answer

    def _name(self, segment: str | int | None) -> str | None:
        if segment is None:
            return None
        return str(self.segmenter.segment_names_[int(self.segmenter.segments_.position(segment))])

    def _list_sensitive(self) -> list[str]:
        return [name for name in self._held.names if self.policy.feature(name).sensitive]

    def _is_usual(self, feature: str, value: Any) -> bool:
        bins = self.segmenter.profile_.bins
        return feature not in bins.schema.names or is_usual(value, bins[bins.schema.index(feature)])

    def _draft_marketing_denials(self) -> list[StatementDraft]:
        return [(name, "refused", None) for name, purpose in self.policy.purposes.items() if is_marketing(purpose)]

    def _switch(self, action: str, state: str, feature: str) -> Answer:
        self._held.check(feature)
        return self._act(action, "switch_off", {"feature": feature}, says=[(self.purpose, state, feature)])


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _check_words(text: str) -> str:
    if not _has_words(text):
        message = "say it in a few words, so that a person can look into it"
        raise ParameterError(message)
    return text


def _describe_entry(entry: Entry) -> dict[str, Any]:
    return {
        "purpose": entry.purpose,
        "state": str(entry.state),
        "source": str(entry.source),
        "at": entry.at.isoformat(),
        "until": None if entry.until is None else entry.until.isoformat(),
        "feature": entry.feature,
    }
