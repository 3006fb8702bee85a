"""Findings of a review as data, and as SARIF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias
from urllib.parse import quote

__all__ = ["SEVERITIES", "Finding", "FindingDraft", "Severity", "format_percent", "to_sarif"]

Severity: TypeAlias = Literal["note", "warning", "error"]
SEVERITIES: Final[tuple[Severity, ...]] = ("note", "warning", "error")


class NamedCheck(Protocol):
    """What SARIF says of the rule that a finding breaks."""

    @property
    def key(self) -> str:
        """The name in findings."""
        ...

    @property
    def title(self) -> str:
        """What should be so."""
        ...

    @property
    def needs(self) -> str:
        """What has to be given beside model and policy."""
        ...


class FindingDraft(NamedTuple):
    """What one check found: severity, location, message, remediation, and the evidence."""

    severity: Severity
    location: str
    message: str
    remediation: str
    evidence: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between the policy and the model, or one fact to note.

    Attributes
    ----------
    check : str
        The key of the check.
    severity : {"note", "warning", "error"}
        Severity.
    location : str
        A place in the policy such as ``"features.age_band"``, in the model such as ``"segment Loyal readers"``, or
        ``"notice"``.
    message : str
        What was found.
    remediation : str
        What to do; empty where there is nothing to do.
    evidence : mapping
        The numbers and names behind it, as plain data.
    """

    check: str
    severity: Severity
    location: str
    message: str
    remediation: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The check and the place: the same from one review to the next."""
        return f"{self.check}:{self.location}"

    def __str__(self) -> str:
        return f"{self.severity}: {self.message} [{self.id}]"


def format_percent(share: float) -> str:
    """Write a share for a sentence."""
    return f"{share:.0%}"


_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def to_sarif(record: Mapping[str, Any], checks: Sequence[NamedCheck], digest: str) -> dict[str, Any]:
    """Return the log of one run.

    References
    ----------
    OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 2020.
    """
    places = {check.key: place for place, check in enumerate(checks)}
    of_the_notice = {check.key for check in checks if check.needs == "notice"}
    sources = record["sources"]
    # A notice that was given as text is no file that could be pointed at.
    notice = sources["policy"] if sources["notice"] in {"", "the notice"} else sources["notice"]
    rules = [
        {
            "id": check.key,
            "name": "".join(word.capitalize() for word in check.key.split("-")),
            "shortDescription": {"text": check.title},
            "properties": {"needs": check.needs},
        }
        for check in checks
    ]
    notifications = [
        {"level": "note", "message": _message(f"not checked: {reason}"), "associatedRule": {"id": key}}
        for key, reason in record["not_checked"].items()
    ]
    run = {
        "tool": {"driver": {"name": "xseg", "version": record["xseg"], "rules": rules}},
        "invocations": [
            {
                "executionSuccessful": True,
                "endTimeUtc": record["created"].replace("+00:00", "Z"),
                "toolExecutionNotifications": notifications,
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(found, places[found["check"]], notice if found["check"] in of_the_notice else sources["policy"])
            for found in record["findings"]
        ],
        "properties": {"model": record["model"], "policy": record["policy"], "digest": digest},
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(found: Mapping[str, Any], place: int, file: str) -> dict[str, Any]:
    return {
        "ruleId": found["check"],
        "ruleIndex": place,
        "level": found["severity"],
        "message": _message(
            f"{found['message']} To correct it: {found['remediation']}." if found["remediation"] else found["message"]
        ),
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": _uri(file)}},
                "logicalLocations": [{"fullyQualifiedName": found["location"]}],
            }
        ],
        "partialFingerprints": {"xsegFinding/v1": found["id"]},
        "properties": {"evidence": found["evidence"]},
    }


def _message(text: str) -> dict[str, str]:
    """Return a text in which nothing is taken for a placeholder or a link (sections 3.11.5 and 3.11.6)."""
    return {"text": text.replace("{", "{{").replace("}", "}}").replace("](", "] (")}


def _uri(path: str) -> str:
    plain = PurePath(path)
    return plain.as_uri() if plain.is_absolute() else quote(plain.as_posix())
