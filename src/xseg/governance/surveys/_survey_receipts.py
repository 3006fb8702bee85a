"""Receipts: who agreed to what, in which version of a survey, when, and until when."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import narwhals as nw
import pandas as pd

from xseg.exceptions import DataError
from xseg.policy import Purpose
from xseg.policy.yaml_files import format_value

__all__ = ["ConsentReceipt", "issue", "read_moment", "split_times"]


class SurveyReference(Protocol):
    """What a receipt states of the survey that asked."""

    @property
    def id(self) -> str:
        """The name of the survey."""
        ...

    @property
    def digest(self) -> str:
        """The SHA-256 of its text, which names the version."""
        ...

    @property
    def purposes(self) -> Mapping[str, Purpose]:
        """What it asks consent for."""
        ...


@dataclass(frozen=True, slots=True)
class ConsentReceipt:
    """That one person agreed to one purpose, in one version of a survey.

    Attributes
    ----------
    respondent : str
        Who agreed.
    survey, version : str
        The id of the survey, and the digest of the version they saw.
    purpose : str
        What they agreed to.
    at : str
        When, in ISO 8601 with its offset.
    until : str or None
        When the agreement ends: `at` and the purpose's retention; None where the survey does not say.
    digest : str
        SHA-256 of all of this; it finds a receipt that was altered, and proves nothing about who wrote it.
    """

    respondent: str
    survey: str
    version: str
    purpose: str
    at: str
    until: str | None
    digest: str

    def statement(self) -> dict[str, Any]:
        """Return what was said as a ledger takes it, which gives the person's receipt in the terms of the standard.

        Returns
        -------
        dict
            The arguments of `xseg.governance.consent.Ledger.append`.

        Examples
        --------
        >>> import xseg
        >>> from xseg.governance.consent import Ledger, make_consent_receipt
        >>> from xseg.governance.surveys import ConsentReceipt
        >>> agreed = ConsentReceipt("7", "reading", "1f0c", "offers", "2026-11-24T12:00:00+00:00", None, "")
        >>> make_consent_receipt(Ledger().append(**agreed.statement()))["@type"]
        'dpv:ConsentReceipt'
        """
        return {
            "subject": self.respondent,
            "purpose": self.purpose,
            "state": "given",
            "source": "account",
            "at": self.at,
            "until": self.until,
            "reference": f"{self.survey}@{self.version}",
        }

    def check(self, survey: SurveyReference, *, at: datetime | None = None) -> None:
        """Raise an error for a receipt that does not hold for this survey today.

        Parameters
        ----------
        survey : Survey
            The survey whose answers are used.
        at : datetime, default=None
            The time that counts; None means now.

        Raises
        ------
        DataError
            It was altered, belongs to another survey, version or purpose, has expired, or comes from the future.
        """
        _check(self, survey, _moment(at))


def issue(survey: SurveyReference, respondent: str, purpose: str, at: datetime) -> ConsentReceipt:
    """Write the receipt of a consent that one person gave."""
    moment = _moment(at)
    days = survey.purposes[purpose].retention_days
    facts = {
        "respondent": respondent,
        "survey": survey.id,
        "version": survey.digest,
        "purpose": purpose,
        "at": moment.isoformat(),
        "until": None if days is None else _end(moment, days).isoformat(),
    }
    return ConsentReceipt(**facts, digest=_digest(facts))  # type: ignore[arg-type]


def _end(moment: datetime, days: int) -> datetime:
    try:
        return moment + timedelta(days=days)
    except OverflowError as error:
        message = f"{days:,} days after {moment.date()} is outside the calendar; shorten the purpose's retention_days"
        raise DataError(message) from error


def _check(receipt: ConsentReceipt, survey: SurveyReference, now: datetime) -> None:
    facts = asdict(receipt)
    stated = facts.pop("digest")
    problem = None
    if stated != _digest(facts):
        problem = "it was altered: its digest does not fit its facts"
    elif (receipt.survey, receipt.version) != (survey.id, survey.digest):
        problem = f"it is for {receipt.survey} in version {receipt.version[:8]}, and this is {survey.id} in version"
        problem += f" {survey.digest[:8]}; ask again"
    elif receipt.purpose not in survey.purposes:
        problem = f"{receipt.purpose!r} is not a purpose of the survey"
    else:
        problem = _check_time(receipt, now)
    if problem is not None:
        message = f"the receipt of {receipt.respondent!r} does not hold: {problem}"
        raise DataError(message)


def _check_time(receipt: ConsentReceipt, now: datetime) -> str | None:
    try:
        at = datetime.fromisoformat(receipt.at)
        until = None if receipt.until is None else datetime.fromisoformat(receipt.until)
        if at > now:
            return f"it was given at {receipt.at}, which has not come yet"
        if until is not None and until <= now:
            return f"it ended at {receipt.until}; ask again"
    except (TypeError, ValueError):
        return f"its times, {receipt.at!r} and {receipt.until!r}, are not ISO 8601 with an offset"
    return None


def _moment(at: datetime | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    if not isinstance(at, datetime):
        message = f"{format_value(at)} is no time; give one with a time zone, such as datetime.now(UTC)"
        raise DataError(message)
    if at.tzinfo is None:
        message = f"{at.isoformat()} has no time zone; give one, such as datetime.now(UTC)"
        raise DataError(message)
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        message = f"{at.isoformat()} is outside the calendar"
        raise DataError(message) from error


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":"), default=repr).encode()).hexdigest()


def split_times(answers: Any, at: Any) -> tuple[Any, Any]:
    """Return the answers without the column that says when they came in, and the times: one, or a list."""
    if isinstance(at, datetime):
        return answers, _moment(at)
    if not isinstance(at, str):
        if at is None or not hasattr(at, "__iter__"):
            message = (
                "at must be a column of the answers, a time with a time zone, or one for each person, "
                f"got {format_value(at)}"
            )
            raise DataError(message)
        return answers, list(at)
    if _looks_like_time(at):
        return answers, read_moment(at, "at")
    if isinstance(answers, list):
        if not any(isinstance(row, Mapping) and at in row for row in answers):
            message = f"the answers have no column {at!r}; name the one that says when they came in"
            raise DataError(message)
        rows = [{name: value for name, value in row.items() if name != at} for row in answers]
        return rows, [row.get(at) for row in answers]
    frame = nw.from_native(answers, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame) or at not in frame.columns:
        message = f"the answers have no column {at!r}; name the one that says when they came in"
        raise DataError(message)
    return nw.to_native(frame.drop(at)), frame.get_column(at).to_list()


def _looks_like_time(text: str) -> bool:
    return text[:4].isdigit() and text[4:5] == "-"


def read_moment(value: Any, where: str) -> datetime:
    """Return a time in UTC, from a datetime with a zone or ISO 8601 text with an offset."""
    found = value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
    if found is pd.NaT or not isinstance(found, datetime):
        message = (
            f"{where} is {format_value(value)}, which is no time; give one with a time zone, as 2026-05-03T12:00:00Z"
        )
        raise DataError(message)
    return _moment(found)
