"""Every check, in one table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from xseg.governance.reviews import _column_checks, _notice_checks, _policy_checks, _proxies
from xseg.governance.reviews._findings import FindingDraft
from xseg.governance.reviews._review_subject import ReviewSubject

__all__ = ["CHECKS", "Check"]

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
        _notice_checks.find_unnamed_features,
        "notice",
    ),
    Check("notice-source", "The notice says where each comes from.", _notice_checks.find_unnamed_sources, "notice"),
    Check("notice-purpose", "The notice names every purpose.", _notice_checks.find_unnamed_purposes, "notice"),
    Check(
        "notice-vendor", "The notice names everyone who supplies data.", _notice_checks.find_unnamed_vendors, "notice"
    ),
    Check(
        "notice-recipient",
        "The notice names everyone who receives segments.",
        _notice_checks.find_unnamed_recipients,
        "notice",
    ),
    Check(
        "notice-controller",
        "The notice names who answers for the model.",
        _notice_checks.find_unnamed_controller,
        "notice",
    ),
    Check(
        "notice-promise",
        "The notice promises nothing that is not so.",
        _notice_checks.find_broken_notice_promises,
        "notice",
    ),
)
