"""What is declared beside what is observed, as one dated record, and the checks that it consists of."""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import pandas as pd

from xseg._files import write_whole
from xseg._version import __version__
from xseg.core.schema import suggest_name
from xseg.core.tables import Table, read_table, select_columns
from xseg.exceptions import DataError, ParameterError, XsegError
from xseg.export import fingerprint
from xseg.governance.reviews import _column_checks, _notices, _policy_checks, _proxies
from xseg.governance.reviews._notice_text import NoticeText, read_notice
from xseg.governance.reviews._review_subject import (
    SEVERITIES,
    Finding,
    FindingDraft,
    LedgerLike,
    ReviewSubject,
    Severity,
    to_sarif,
)
from xseg.i18n import get_environment
from xseg.policy import Policy
from xseg.segmenters import FittedSegmenter, SegmenterOrPipeline, check_segmenter, fold, get_segmenter

__all__ = ["CHECKS", "Check", "Review", "review"]

Need: TypeAlias = Literal["nothing", "people", "unseen people", "ledger", "notice"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a review.

    Attributes
    ----------
    key : str
        Its name in findings.
    title : str
        What should be so.
    run : callable
        Finds where it is not.
    needs : {"nothing", "people", "unseen people", "ledger", "notice"}
        What has to be given beside model and policy.
    """

    key: str
    title: str
    run: Callable[[ReviewSubject], Iterable[FindingDraft]]
    needs: Need = "nothing"


CHECKS: Final = (
    Check("undeclared-feature", "The policy names every column of the model.", _policy_checks.find_undeclared_features),
    Check("unused-feature", "The model uses every column that the policy names.", _policy_checks.find_unused_features),
    Check("source", "It is stated where every column comes from, and from whom.", _policy_checks.find_missing_sources),
    Check("purpose-missing", "Every column that places people serves a purpose.", _policy_checks.find_missing_purposes),
    Check("purpose-unused", "Every purpose is served.", _policy_checks.find_unused_purposes),
    Check("recipients", "It is stated who receives segments.", _policy_checks.find_missing_recipients),
    Check("controller", "It is stated who answers for the model.", _policy_checks.find_missing_controller),
    Check("legal-basis", "Every purpose has a legal basis.", _policy_checks.find_missing_legal_bases),
    Check("retention", "It is stated how long data are kept.", _policy_checks.find_missing_retention),
    Check("window", "No column looks farther back than data are kept.", _policy_checks.find_long_windows),
    Check("vendor-contract", "A contract binds everyone who supplies data.", _column_checks.find_missing_contracts),
    Check("vendor-audit", "Everyone who supplies data was audited within a year.", _column_checks.find_missing_audits),
    Check("vendor-opt-out", "Objections reach everyone who supplies data.", _column_checks.find_missing_opt_outs),
    Check("vendor-unused", "Every supplier that is listed supplies something.", _column_checks.find_unused_vendors),
    Check("withdraw", "Consent can be withdrawn through a link.", _policy_checks.find_missing_withdrawal),
    Check("object", "People can object through a link.", _policy_checks.find_missing_objection),
    Check(
        "right-link",
        "Every right that follows from the legal bases has a link.",
        _policy_checks.find_missing_right_links,
    ),
    Check("harder-to-leave", "Leaving takes no more steps than agreeing.", _policy_checks.find_harder_exits),
    Check("special-category", "Nothing sensitive places people.", _proxies.find_special_categories),
    Check("name", "Names and sentences are fit for a card.", _policy_checks.find_unsuitable_names),
    Check("small-group", "Every group has the least number of people.", _proxies.find_small_groups),
    Check("prototype", "Every prototype sums up the least number of people.", _proxies.find_small_prototypes),
    Check("rule", "Every rule fits the least number of people.", _proxies.find_small_rules, "people"),
    Check("card", "Cards can say everything they should.", _policy_checks.find_missing_card_content, "people"),
    Check("vendor-share", "How much hangs on each supplier.", _column_checks.measure_vendor_shares, "people"),
    Check(
        "zero-party",
        "How much rests on what people told themselves.",
        _column_checks.measure_zero_party_share,
        "people",
    ),
    Check(
        "without-third-parties",
        "What doing without would cost.",
        _column_checks.measure_cost_without_partners,
        "people",
    ),
    Check(
        "minimisation", "Every column that is asked about is needed.", _column_checks.find_unneeded_columns, "people"
    ),
    Check("proxy", "Nothing stands in for a sensitive column.", _proxies.find_proxies, "unseen people"),
    Check("group-rate", "Groups are spread over the segments alike.", _proxies.measure_group_rates, "unseen people"),
    Check("consent", "Everyone has agreed to what rests on consent.", _policy_checks.find_missing_consent, "ledger"),
    Check("consent-expiry", "No consent ends within 30 days.", _policy_checks.find_expiring_consent, "ledger"),
    Check("objection", "Nobody has said no to what rests on another basis.", _policy_checks.find_objections, "ledger"),
    Check(
        "notice-feature",
        "The notice names every column that places people.",
        _notices.find_unnamed_features,
        "notice",
    ),
    Check("notice-source", "The notice says where each comes from.", _notices.find_unnamed_sources, "notice"),
    Check("notice-purpose", "The notice names every purpose.", _notices.find_unnamed_purposes, "notice"),
    Check("notice-vendor", "The notice names everyone who supplies data.", _notices.find_unnamed_vendors, "notice"),
    Check(
        "notice-recipient",
        "The notice names everyone who receives segments.",
        _notices.find_unnamed_recipients,
        "notice",
    ),
    Check(
        "notice-controller",
        "The notice names who answers for the model.",
        _notices.find_unnamed_controller,
        "notice",
    ),
    Check(
        "notice-promise",
        "The notice promises nothing that is not so.",
        _notices.find_broken_notice_promises,
        "notice",
    ),
)


_FORMAT: Final = "xseg-review"
_VERSION: Final = 2
_MIN_PERMUTATIONS: Final = 1_000
_UNTESTED: Final = "segments cannot be made anew from one half of the people; give others and held_out=True"
_LACKS: Final = {"people": "no people were given", "ledger": "no ledger was given", "notice": "no notice was given"}


@dataclass(frozen=True, slots=True)
class Review:
    """Findings about one model and one policy on one day.

    Attributes
    ----------
    findings : tuple of Finding
        The gravest first.
    checked : tuple of str
        The keys of the checks that were made.
    not_checked : mapping of str to str
        The keys of the others, and why not.
    created : datetime
        When, in UTC.
    model, policy : str
        Fingerprint of the model, and SHA-256 of the policy as YAML.
    sources : mapping of str to str
        What the policy, the notice and the model are called.
    checks : tuple of Check
        Every check that was asked for.
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    not_checked: Mapping[str, str]
    created: datetime
    model: str
    policy: str
    sources: Mapping[str, str]
    checks: tuple[Check, ...]

    def at_least(self, severity: str) -> tuple[Finding, ...]:
        """Return the findings of at least this severity.

        Parameters
        ----------
        severity : {"note", "warning", "error"}
            The least.

        Returns
        -------
        tuple of Finding
            Some of `findings`.

        Raises
        ------
        ParameterError
            There is no such severity.
        """
        if severity not in SEVERITIES:
            message = f"severity={severity!r} is not one of {', '.join(SEVERITIES)}{suggest_name(severity, SEVERITIES)}"
            raise ParameterError(message)
        least = SEVERITIES.index(severity)
        return tuple(finding for finding in self.findings if SEVERITIES.index(finding.severity) >= least)

    def record(self) -> dict[str, Any]:
        """Return the review as plain data."""
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "xseg": __version__,
            "created": self.created.isoformat(),
            "model": self.model,
            "policy": self.policy,
            "sources": dict(self.sources),
            "checked": list(self.checked),
            "not_checked": dict(self.not_checked),
            "findings": [{"id": finding.id, **asdict(finding)} for finding in self.findings],
        }

    def canonical(self) -> bytes:
        """Return the bytes to sign: JSON in UTF-8 with sorted keys and no spaces; the same for equal reviews."""
        text = json.dumps(self.record(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()

    @property
    def digest(self) -> str:
        """The SHA-256 of `canonical`, in hexadecimal."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def json(self) -> str:
        """Return the review as JSON with its digest; without the digest, in canonical form, it is what is signed."""
        return json.dumps({**self.record(), "digest": self.digest}, indent=2, ensure_ascii=False, allow_nan=False)

    def sarif(self) -> str:
        """Return the findings as SARIF 2.1.0, which code hosts show beside the files they are about."""
        return json.dumps(
            to_sarif(self.record(), self.checks, self.digest), indent=2, ensure_ascii=False, allow_nan=False
        )

    def html(self) -> str:
        """Return the review as one HTML page that needs no network and no script."""
        return (
            get_environment("xseg.governance.reviews")
            .get_template("review.html.j2")
            .render(review=self, titles={check.key: check.title for check in self.checks})
        )

    def text(self, form: str) -> str:
        """Return the review in one of its forms.

        Parameters
        ----------
        form : {"html", "json", "sarif"}
            Which.

        Returns
        -------
        str
            As `html`, `json` or `sarif` give it.

        Raises
        ------
        ParameterError
            There is no such form.
        """
        if form not in _FORMS:
            message = f"form={form!r}: a review is written as {', '.join(_FORMS)}{suggest_name(form, list(_FORMS))}"
            raise ParameterError(message)
        return _FORMS[form](self)

    def save(self, path: str | os.PathLike[str], form: str | None = None) -> None:
        """Write the review to a file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
            The file.
        form : {"html", "json", "sarif"}, default=None
            None goes by the ending: ``.html``, ``.json`` or ``.sarif``.

        Raises
        ------
        ParameterError
            There is no such form, or the ending does not tell.
        XsegError
            The file cannot be written.
        """
        try:
            write_whole(path, self.text(form or Path(path).suffix.lower().lstrip(".")))
        except OSError as error:
            message = f"cannot write the review {path}: {error.strerror}; check the folder and its permissions"
            raise XsegError(message) from error

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {severity}{'' if number == 1 else 's'}" for number, severity in self.figures)
        return "\n".join([f"{counts} from {len(self.checked)} checks", *map(str, self.at_least("warning"))])

    def _repr_html_(self) -> str:
        return (
            get_environment("xseg.governance.reviews")
            .get_template("embedded.html.j2")
            .render(review=self, titles={check.key: check.title for check in self.checks})
        )

    def _count(self, severity: Severity) -> int:
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def figures(self) -> tuple[tuple[int, str], ...]:
        """How many findings there are of each severity, the gravest first."""
        return tuple((self._count(severity), severity) for severity in reversed(SEVERITIES))


_FORMS: Final = {"html": Review.html, "json": Review.json, "sarif": Review.sarif}


def review(
    segmenter: SegmenterOrPipeline,
    X: Any = None,
    *,
    policy: Any,
    ids: Sequence[Any] | None = None,
    ledger: LedgerLike | None = None,
    notice: NoticeText | str | os.PathLike[str] | None = None,
    held_out: bool = False,
    checks: Sequence[Check] = CHECKS,
    n_permutations: int = 1_999,
    random_state: int | None = None,
    at: datetime | None = None,
) -> Review:
    """Check a fitted model against its policy, and return where they differ.

    Parameters
    ----------
    segmenter : fitted segmenter, Pipeline that ends in one, or ConsentGate
        The model; of a gate the one inside, with the gate's ledger where none is given.
    X : table of shape (n_rows, n_columns), default=None
        People, with the columns of the model and any others, such as sensitive ones that the model never saw. Without
        them nothing is said of shares, needless columns, proxies and groups.
    policy : Policy, path or mapping
        What is declared.
    ids : sequence of shape (n_rows,), default=None
        How the ledger knows the people of `X`; by default the index of a pandas table.
    ledger : LedgerLike, default=None
        Whoever knows what people have agreed to: an object with ``mask(subjects, purpose, at=...)``, and if objections
        are to be found, ``states(subjects, purpose, at=...)``, as a `Ledger` has.
    notice : path, str or NoticeText, default=None
        The public privacy notice: a file of HTML, Markdown or text, such text, or what `read_notice` returns for one
        whose language is stated. It is matched with the policy as text, which is no legal advice.
    held_out : bool, default=False
        Whether the people of `X` had no part in the fit. If not, statistics are taken on one half of them, in segments
        made anew from the other half: no p-value is taken on rows that made the segments.
    checks : sequence of Check, default=CHECKS
        The checks to make. ``(*CHECKS, own)`` adds one of your own.
    n_permutations : int, default=1999
        How often sensitive columns are shuffled, at least 1,000.
    random_state : int or None, default=None
        Controls splits and shuffles. Pass an int for a review that can be repeated.
    at : datetime, default=None
        When the review is made, with a time zone; by default the present.

    Returns
    -------
    Review
        With ``findings``, ``html()``, ``json()``, ``sarif()``, ``canonical()``, ``digest`` and ``save(path)``.

    Raises
    ------
    NotFittedError, UnsupportedTypeError
        The model has not been fitted, or a step of the pipeline cannot be folded.
    DefinitionError
        The policy cannot be read.
    DataError
        The table lacks columns of the model, or the notice cannot be read.
    ParameterError
        A parameter is not allowed, or the ledger does not answer yes or no of each person.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Articles 5, 7, 9, 13 to 22.
    OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 2020.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> policy = xseg.datasets.customers_policy().model_copy(update={"recipients": ()})
    >>> print(xseg.governance.reviews.review(segmenter, policy=policy).findings[0])
    warning: It is not stated who receives the segments. [recipients:recipients]
    """
    _check_parameters(n_permutations, random_state, at)
    keys = [check.key for check in checks]
    if len(set(keys)) < len(keys):
        message = f"checks must have different keys, got {keys}; rename one"
        raise ParameterError(message)
    # A gate brings the ledger that it asks; whoever gives another one means that one.
    ledger = getattr(segmenter, "ledger", None) if ledger is None and X is not None else ledger
    segmenter = check_segmenter(fold(get_segmenter(segmenter)))
    told = Policy.coerce(policy)
    told.check_segments(segmenter.segment_names_)
    table = None if X is None else _table(X, segmenter)
    subject = ReviewSubject(
        segmenter=segmenter,
        policy=told,
        table=table,
        held_out=held_out,
        ledger=ledger,
        ids=None if ledger is None else _subjects(X, table, ids),
        notice=None if notice is None else read_notice(notice),
        at=datetime.now(UTC) if at is None else at.astimezone(UTC),
        seed=secrets.randbits(32) if random_state is None else random_state,
        n_permutations=n_permutations,
    )
    lacking = {check.key: reason for check in checks if (reason := _find_missing_input(subject, check)) is not None}
    findings = [
        Finding(check.key, *found) for check in checks if check.key not in lacking for found in check.run(subject)
    ]
    findings.sort(key=lambda finding: -SEVERITIES.index(finding.severity))
    return Review(
        findings=tuple(findings),
        checked=tuple(check.key for check in checks if check.key not in lacking),
        not_checked=lacking,
        created=subject.at,
        model=fingerprint(segmenter),
        policy=hashlib.sha256(told.to_yaml().encode()).hexdigest(),
        sources={
            "policy": str(policy) if isinstance(policy, str | os.PathLike) else "policy.yaml",
            "notice": "" if subject.notice is None else subject.notice.source,
        },
        checks=tuple(checks),
    )


def _check_parameters(n_permutations: int, random_state: int | None, at: datetime | None) -> None:
    if isinstance(n_permutations, bool) or not isinstance(n_permutations, int) or n_permutations < _MIN_PERMUTATIONS:
        message = f"n_permutations={n_permutations!r}: at least {_MIN_PERMUTATIONS:,} are needed, as an int"
        raise ParameterError(message)
    is_seed = isinstance(random_state, int) and not isinstance(random_state, bool) and random_state >= 0
    if random_state is not None and not is_seed:
        message = f"random_state={random_state!r}: give an int of at least 0, so that a review can be repeated, or None"
        raise ParameterError(message)
    if at is not None and (not isinstance(at, datetime) or at.tzinfo is None):
        message = f"at={at!r}: give a datetime with a time zone, such as datetime.now(UTC)"
        raise ParameterError(message)


def _table(X: Any, segmenter: FittedSegmenter) -> Table:
    table = read_table(X)
    select_columns(table, segmenter.profile_.bins.schema.names)
    return table


def _subjects(X: Any, table: Table | None, ids: Sequence[Any] | None) -> Sequence[Any]:
    if table is None:
        message = "a ledger was given and no people; give X, whose consent is looked up"
        raise ParameterError(message)
    if ids is None and not isinstance(X, pd.DataFrame):
        message = "the ledger has to know who the rows are; give ids=, one for each row of X"
        raise ParameterError(message)
    found = list(X.index if ids is None else ids)
    if len(found) != len(table):
        message = f"there are {len(found):,} ids for {len(table):,} rows; give one for each row"
        raise DataError(message)
    return found


def _find_missing_input(subject: ReviewSubject, check: Check) -> str | None:
    """Return why a check cannot be made."""
    given = {
        "nothing": True,
        "people": subject.table is not None,
        "unseen people": subject.table is not None,
        "ledger": subject.ledger is not None,
        "notice": subject.notice is not None,
    }
    if not given[check.needs]:
        return _LACKS[check.needs.removeprefix("unseen ")]
    if check.needs == "unseen people":
        if not subject.sensitive:
            return "no column of the table is marked sensitive"
        if subject.unseen is None:
            return _UNTESTED
    return None
