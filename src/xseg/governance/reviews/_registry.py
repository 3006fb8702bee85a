"""Every check, in one table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from xseg.governance.reviews import _column_checks, _notice_checks, _policy_checks, _proxies
from xseg.governance.reviews._findings import Found
from xseg.governance.reviews._review_subject import Subject

__all__ = ["CHECKS", "Check"]

Need: TypeAlias = Literal["nothing", "people", "unseen people", "ledger", "notice"]


@dataclass(frozen=True, slots=True)
class Check:
    """One question that a review asks.

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
    run: Callable[[Subject], Iterable[Found]]
    needs: Need = "nothing"


CHECKS: Final = (
    Check("undeclared-feature", "The policy names every column of the model.", _policy_checks.undeclared),
    Check("unused-feature", "The model uses every column that the policy names.", _policy_checks.unused),
    Check("source", "It is stated where every column comes from, and from whom.", _policy_checks.sources),
    Check("purpose-missing", "Every column that places people serves a purpose.", _policy_checks.purposes_missing),
    Check("purpose-unused", "Every purpose is served.", _policy_checks.purposes_unused),
    Check("recipients", "It is stated who receives segments.", _policy_checks.recipients),
    Check("controller", "It is stated who answers for the model.", _policy_checks.controller),
    Check("legal-basis", "Every purpose has a legal basis.", _policy_checks.legal_bases),
    Check("retention", "It is stated how long data are kept.", _policy_checks.retention),
    Check("window", "No column looks farther back than data are kept.", _policy_checks.windows),
    Check("vendor-contract", "A contract binds everyone who supplies data.", _column_checks.vendor_contracts),
    Check("vendor-audit", "Everyone who supplies data was audited within a year.", _column_checks.vendor_audits),
    Check("vendor-opt-out", "Objections reach everyone who supplies data.", _column_checks.vendor_opt_outs),
    Check("vendor-unused", "Every supplier that is listed supplies something.", _column_checks.vendors_unused),
    Check("withdraw", "Consent can be withdrawn through a link.", _policy_checks.withdrawal),
    Check("object", "People can object through a link.", _policy_checks.objection),
    Check("right-link", "Every right that follows from the legal bases has a link.", _policy_checks.rights_links),
    Check("harder-to-leave", "Leaving takes no more steps than agreeing.", _policy_checks.harder_to_leave),
    Check("special-category", "Nothing sensitive places people.", _proxies.special_categories),
    Check("name", "Names and sentences are fit for a card.", _policy_checks.names),
    Check("small-group", "Every group has the least number of people.", _proxies.small_groups),
    Check("prototype", "Every prototype sums up the least number of people.", _proxies.anonymity_of_prototypes),
    Check("rule", "Every rule fits the least number of people.", _proxies.anonymity_of_rules, "people"),
    Check("card", "Cards can say everything they should.", _policy_checks.card_completeness, "people"),
    Check("vendor-share", "How much hangs on each supplier.", _column_checks.vendor_shares, "people"),
    Check("zero-party", "How much rests on what people told themselves.", _column_checks.zero_party, "people"),
    Check("without-third-parties", "What doing without would cost.", _column_checks.without_partners, "people"),
    Check("minimisation", "Every column that is asked about is needed.", _column_checks.minimisation, "people"),
    Check("proxy", "Nothing stands in for a sensitive column.", _proxies.proxies, "unseen people"),
    Check("group-rate", "Groups are spread over the segments alike.", _proxies.group_rates, "unseen people"),
    Check("consent", "Everyone has agreed to what rests on consent.", _policy_checks.consent_coverage, "ledger"),
    Check("consent-expiry", "No consent ends within 30 days.", _policy_checks.consent_expiry, "ledger"),
    Check("objection", "Nobody has said no to what rests on another basis.", _policy_checks.objections, "ledger"),
    Check(
        "notice-feature", "The notice names every column that places people.", _notice_checks.notice_features, "notice"
    ),
    Check("notice-source", "The notice says where each comes from.", _notice_checks.notice_sources, "notice"),
    Check("notice-purpose", "The notice names every purpose.", _notice_checks.notice_purposes, "notice"),
    Check("notice-vendor", "The notice names everyone who supplies data.", _notice_checks.notice_vendors, "notice"),
    Check(
        "notice-recipient",
        "The notice names everyone who receives segments.",
        _notice_checks.notice_recipients,
        "notice",
    ),
    Check(
        "notice-controller", "The notice names who answers for the model.", _notice_checks.notice_controller, "notice"
    ),
    Check("notice-promise", "The notice promises nothing that is not so.", _notice_checks.promises, "notice"),
)
