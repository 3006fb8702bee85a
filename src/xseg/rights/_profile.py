"""My profile: the calls of a preference centre, each with its effect measured and a receipt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from xseg.cards import Card, make_cards
from xseg.consent import Ledger
from xseg.core.schema import suggestion
from xseg.exceptions import DataError, FeatureNamesError, ParameterError, PolicyError
from xseg.export import fingerprint
from xseg.policy import RIGHTS, Policy
from xseg.rights._log import ActionLog
from xseg.rights._standing import Because, Standing, Why

__all__ = ["Answer", "Effect", "Profile"]

_BY_CONSENT = "consent"
_CONTEXT = {"dpv": "https://w3id.org/dpv#", "dct": "http://purl.org/dc/terms/"}


@dataclass(frozen=True, slots=True)
class Effect:
    """What an action changed, measured by asking before and after.

    Attributes
    ----------
    before, after : str or None
        The segment; None where the person is in none.
    why : Why
        What the person's segment now follows from.
    changed : bool
        Whether the segment, or what it follows from, is another.
    because : Because or None
        Where nothing changed, why not.
    """

    before: str | None
    after: str | None
    why: Why
    changed: bool
    because: Because | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person gets back.

    Attributes
    ----------
    card : Card or None
        The new card; None where the person is in no segment, so that there is nothing to explain.
    receipt : dict
        What was asked, when, and its effect, as JSON-LD; it stands in the log under its hash.
    effect : Effect
        What it changed.
    """

    card: Card | None
    receipt: dict[str, Any]
    effect: Effect


class Profile:
    """What one person can see and decide about their segment.

    Unknown is no: where the purpose rests on consent and the ledger knows of none, the person is in no segment.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    policy : Policy, path or mapping
        What the person may be told, and the legal basis of the purpose.
    ledger : Ledger
        What the person agreed to; it is written to.
    subject : str
        Whom this is about.
    data : mapping, or table with one row
        What is held about the person.
    purpose : str
        What the segment is used for, as the policy calls it.
    log : ActionLog, optional
        Where receipts are kept.
    locale : str, optional
        The language of the cards.
    now : callable, optional
        Gives the time, with a zone.

    Raises
    ------
    PolicyError
        The policy does not declare the purpose.
    DataError
        There is not exactly one row.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Articles 7 and 15 to 22. Regulation (EU) 2022/2065 (DSA), Articles 27 and 38.
    ISO/IEC TS 27560:2023, "Consent record information structure".

    Examples
    --------
    >>> import xseg
    >>> from xseg.consent import Ledger
    >>> customers = xseg.make_customers(1_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> ledger = Ledger()
    >>> _ = ledger.append("ann", "offers", "given", source="account")
    >>> policy = xseg.customers_policy()
    >>> profile = xseg.Profile(segmenter, policy, ledger, "ann", customers.head(1), purpose="offers")
    >>> profile.segment == segmenter.segment_names_[segmenter.labels_[0]]
    True
    >>> profile.withdraw().effect.after is None
    True
    """

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
        locale: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.segmenter = segmenter
        self.policy = Policy.of(policy)
        self.ledger = ledger
        self.subject = subject
        self.purpose = purpose
        self.log = ActionLog() if log is None else log
        self._locale = locale
        self._now = now
        self._row = _one_row(data)
        self._standing = Standing()
        if purpose not in self.policy.purposes:
            message = f"the policy declares no purpose {purpose!r}{suggestion(purpose, list(self.policy.purposes))}"
            raise PolicyError(message)

    @property
    def why(self) -> Why:
        """What the person's segment follows from."""
        blocked = self._standing.blocked()
        if blocked is not None:
            return blocked
        if self.policy.purposes[self.purpose].legal_basis in {_BY_CONSENT, None} and not self._agrees():
            return Why.NO_CONSENT
        return Why.MODEL if self._standing.chosen is None else Why.CHOSEN

    @property
    def segment(self) -> str | None:
        """The person's segment as everything after this sees it; None where the person is in none."""
        why = self.why
        if why is Why.CHOSEN:
            return str(self.segmenter.segment_names_[self._standing.chosen])
        if why is Why.MODEL:
            return str(self.segmenter.segment_names_[int(self.segmenter.predict(self.data())[0])])
        return None

    def data(self) -> pd.DataFrame:
        """Give what the model may see of the person: corrected, and without what is withheld."""
        row = self._row.copy()
        for feature, value in self._standing.corrections.items():
            row[feature] = pd.Series([value], index=row.index, dtype=object).infer_objects()
        for feature in self.withheld():
            row[feature] = _missing_like(row[feature])
        return row

    def withheld(self) -> tuple[str, ...]:
        """Give the features that the person withholds from the purpose."""
        at = self._now()
        asked = (name for name in self.ledger.withheld_features(self.purpose) if name in self._row.columns)
        return tuple(name for name in asked if self.ledger.withheld([self.subject], name, self.purpose, at=at)[0])

    def card(self, locale: str | None = None) -> Card | None:
        """Give the card, in a language; None where the model puts the person in no segment."""
        if self.why is not Why.MODEL:
            return None
        spoken = self._locale if locale is None else locale
        cards = make_cards(
            self.segmenter, self.data(), policy=self.policy, ids=[self.subject], now=self._now(), locale=spoken
        )
        return cards[0]

    def release(self, recipient: str) -> str | None:
        """Give the segment to a recipient, if the person is in one, and note that it was given.

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
        PolicyError
            The policy does not name the recipient.
        """
        if recipient not in self.policy.recipients:
            message = (
                f"the policy names no recipient {recipient!r}{suggestion(recipient, list(self.policy.recipients))}"
            )
            raise PolicyError(message)
        given = self.segment
        if given is not None:
            self.log.append(self._receipt("release", "recipients", {"recipient": recipient, "segment": given}))
        return given

    def recipients(self) -> tuple[str, ...]:
        """Give who received the person's segment."""
        mine = (told for told in self.log if told["action"] == "release" and told["subject"] == self.subject)
        return tuple(dict.fromkeys(told["details"]["recipient"] for told in mine))

    def withhold(self, feature: str) -> Answer:
        """Switch a piece of information off: for this purpose the model no longer sees it."""
        self._check_feature(feature)
        return self._act("withhold", "switch_off", lambda: self._say("withdrawn", feature), {"feature": feature})

    def allow(self, feature: str) -> Answer:
        """Switch a piece of information on again."""
        self._check_feature(feature)
        return self._act("allow", "switch_off", lambda: self._say("given", feature), {"feature": feature})

    def correct(self, feature: str, value: Any) -> Answer:
        """Correct a piece of information."""
        self._check_feature(feature)
        corrections = {**self._standing.corrections, feature: value}
        trial = self._standing
        self._standing = trial.with_(corrections=corrections)
        try:
            self.segmenter.predict(self.data())
        finally:
            self._standing = trial
        return self._act("correct", "correct", lambda: self._set(corrections=corrections), {"feature": feature})

    def object(self, reason: str = "") -> Answer:
        """Object to the use: the person is in no segment until it is decided."""
        return self._act("object", "object", lambda: self._set(objected=True), {"reason": reason})

    def object_marketing(self) -> Answer:
        """Object to marketing, which needs no reason and is never weighed."""

        def stop() -> None:
            self._set(objected=True)
            self._say("refused", None)

        return self._act("object_marketing", "object_marketing", stop, {})

    def agree(self) -> Answer:
        """Agree to the purpose."""
        return self._act("agree", "withdraw", lambda: self._say("given", None), {})

    def withdraw(self) -> Answer:
        """Withdraw consent: one step, as giving it is."""
        return self._act("withdraw", "withdraw", lambda: self._say("withdrawn", None), {})

    def restrict(self) -> Answer:
        """Have the information set aside: kept, and not used."""
        return self._act("restrict", "restrict", lambda: self._set(restricted=True), {})

    def lift(self) -> Answer:
        """Lift a restriction, an objection or staying out of all groups."""
        return self._act(
            "lift", "restrict", lambda: self._set(restricted=False, objected=False, not_profiled=False), {}
        )

    def choose(self, segment: str | int | None) -> Answer:
        """Choose another segment; the person's own word overrides the model. None gives the choice back to it."""
        chosen = None if segment is None else int(self.segmenter.segments_.position(segment))
        return self._act("choose", "choose", lambda: self._set(chosen=chosen), {"segment": segment})

    def leave(self) -> Answer:
        """Stay out of all segments."""
        return self._act("leave", "not_profiled", lambda: self._set(not_profiled=True), {})

    def contest(self, text: str) -> Answer:
        """Say that this is wrong: a case for a human, which no program closes."""
        if not text.strip():
            message = "say in a few words what is wrong, so that a person can look into it"
            raise ParameterError(message)
        return self._act("contest", "contest", lambda: None, {"text": text, "state": "open", "for": "a person"})

    def cases(self) -> list[Mapping[str, Any]]:
        """Give the cases that wait for a human."""
        mine = [told for told in self.log if told["subject"] == self.subject]
        decided = {told["details"]["case"] for told in mine if told["action"] == "decide"}
        return [told for told in mine if told["action"] == "contest" and told["number"] not in decided]

    def decide(self, case: int, *, by: str, decision: str, segment: str | int | None = None) -> Answer:
        """Close a case as a human: only somebody with a name can.

        Parameters
        ----------
        case : int
            The number of its receipt.
        by : str
            Who decides.
        decision : str
            What was decided, in words for the person.
        segment : str or int, optional
            The segment that the person is in from now on.

        Returns
        -------
        Answer
            As of every action.

        Raises
        ------
        ParameterError
            Nobody is named, nothing was decided, or there is no such open case.
        """
        if not by.strip() or not decision.strip():
            message = "a case is closed by a person with a name, who says what was decided"
            raise ParameterError(message)
        waiting = [told["number"] for told in self.cases()]
        if case not in waiting:
            message = f"no case {case} waits for a decision; open: {', '.join(map(str, waiting)) or 'none'}"
            raise ParameterError(message)
        chosen = self._standing.chosen if segment is None else int(self.segmenter.segments_.position(segment))
        details = {"case": case, "by": by, "decision": decision}
        return self._act("decide", "contest", lambda: self._set(chosen=chosen), details)

    def export(self) -> dict[str, Any]:
        """Give everything that is held about the person, as JSON can hold it."""
        card = self.card()
        return {
            "subject": self.subject,
            "purpose": self.purpose,
            "data": {} if self._standing.erased else _plain(self._row),
            "corrections": dict(self._standing.corrections),
            "withheld": list(self.withheld()),
            "segment": self.segment,
            "why": str(self.why),
            "card": None if card is None else card.model_dump(mode="json"),
            "consent": [_entry(entry) for entry in self.ledger if entry.subject == self.subject],
            "recipients": list(self.recipients()),
            "receipts": [dict(told) for told in self.log if told["subject"] == self.subject],
        }

    def erase(self) -> Answer:
        """Have the information erased: the row, the corrections and the choice are gone; what proves it is kept.

        The model's counts are another matter: see `xseg.rights.erase`.
        """

        def forget() -> None:
            self._row = self._row.iloc[:0]
            self._standing = Standing(erased=True)

        return self._act("erase", "erase", forget, {})

    def _agrees(self) -> bool:
        return bool(self.ledger.mask([self.subject], self.purpose, at=self._now())[0])

    def _say(self, state: str, feature: str | None) -> None:
        self.ledger.append(self.subject, self.purpose, state, source="account", at=self._now(), feature=feature)

    def _set(self, **changes: Any) -> None:
        self._standing = self._standing.with_(**changes)

    def _check_feature(self, feature: str) -> None:
        names = list(self._row.columns)
        if feature not in names:
            message = f"nothing called {feature!r} is held about this person{suggestion(feature, names)}"
            raise FeatureNamesError(message)

    def _act(self, action: str, right: str, do: Callable[[], None], details: Mapping[str, Any]) -> Answer:
        """Do what was asked, and measure what it changed."""
        if self._standing.erased:
            message = "what was held about this person has been erased, so there is nothing to act on"
            raise DataError(message)
        before, why_before = self.segment, self.why
        do()
        after, why = self.segment, self.why
        changed = (before, why_before) != (after, why)
        effect = Effect(before, after, why, changed, None if changed else self._unchanged(action, details))
        told = {"before": before, "after": after, "why": str(why), "changed": changed, "because": effect.because}
        receipt = self.log.append(self._receipt(action, right, {**details, "effect": told}))
        return Answer(self.card(), receipt, effect)

    def _unchanged(self, action: str, details: Mapping[str, Any]) -> Because:
        """Say why an action left the segment as it was."""
        feature = details.get("feature")
        if feature is not None:
            names = self.segmenter.profile_.bins.schema.names
            asked = {names[j] for j in self.segmenter.model_.used_features.tolist()}
            return Because.UNUSED if feature not in asked else Because.FITS
        return Because.PENDING if action == "contest" else Because.ALREADY

    def _receipt(self, action: str, right: str, details: Mapping[str, Any]) -> dict[str, Any]:
        return {
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


def _one_row(data: Any) -> pd.DataFrame:
    frame = pd.DataFrame([dict(data)]) if isinstance(data, Mapping) else pd.DataFrame(data)
    if len(frame) != 1:
        message = f"a profile is about one person, and there are {len(frame)} rows"
        raise DataError(message)
    return frame.copy()


def _missing_like(column: Any) -> Any:
    """Give a column of the same kind that holds nothing."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical([None], dtype=column.dtype), index=column.index)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return pd.Series([float("nan")], index=column.index)
    return pd.Series([None], index=column.index, dtype=object)


def _plain(row: pd.DataFrame) -> dict[str, Any]:
    values = ((str(name), value) for name, value in row.iloc[0].items())
    return {name: None if pd.isna(value) else getattr(value, "item", lambda v=value: v)() for name, value in values}


def _entry(entry: Any) -> dict[str, Any]:
    return {
        "purpose": entry.purpose,
        "state": str(entry.state),
        "source": str(entry.source),
        "at": entry.at.isoformat(),
        "until": None if entry.until is None else entry.until.isoformat(),
        "feature": entry.feature,
    }
