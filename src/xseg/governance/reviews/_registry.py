"""Every check, in one table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from xseg.governance.reviews import (
    _consent,
    _declared,
    _groups,
    _needed,
    _notice,
    _promises,
    _proxies,
    _rights,
    _vendors,
    _words,
)
from xseg.governance.reviews._findings import Found
from xseg.governance.reviews._subject import Subject

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
    Check("undeclared-feature", "The policy names every column of the model.", _declared.undeclared),
    Check("unused-feature", "The model uses every column that the policy names.", _declared.unused),
    Check("source", "It is stated where every column comes from, and from whom.", _declared.sources),
    Check("purpose-missing", "Every column that places people serves a purpose.", _declared.purposes_missing),
    Check("purpose-unused", "Every purpose is served.", _declared.purposes_unused),
    Check("recipients", "It is stated who receives segments.", _declared.recipients),
    Check("controller", "It is stated who answers for the model.", _declared.controller),
    Check("legal-basis", "Every purpose has a legal basis.", _declared.legal_bases),
    Check("retention", "It is stated how long data are kept.", _declared.retention),
    Check("window", "No column looks farther back than data are kept.", _declared.windows),
    Check("vendor-contract", "A contract binds everyone who supplies data.", _vendors.vendor_contracts),
    Check("vendor-audit", "Everyone who supplies data was audited within a year.", _vendors.vendor_audits),
    Check("vendor-opt-out", "Objections reach everyone who supplies data.", _vendors.vendor_opt_outs),
    Check("vendor-unused", "Every supplier that is listed supplies something.", _vendors.vendors_unused),
    Check("withdraw", "Consent can be withdrawn through a link.", _rights.withdrawal),
    Check("object", "People can object through a link.", _rights.objection),
    Check("right-link", "Every right that follows from the legal bases has a link.", _rights.rights_links),
    Check("harder-to-leave", "Leaving takes no more steps than agreeing.", _rights.harder_to_leave),
    Check("special-category", "Nothing sensitive places people.", _groups.special_categories),
    Check("name", "Names and sentences are fit for a card.", _words.names),
    Check("small-group", "Every group has the least number of people.", _groups.small_groups),
    Check("prototype", "Every prototype sums up the least number of people.", _groups.anonymity_of_prototypes),
    Check("rule", "Every rule fits the least number of people.", _groups.anonymity_of_rules, "people"),
    Check("card", "Cards can say everything they should.", _words.card_completeness, "people"),
    Check("vendor-share", "How much hangs on each supplier.", _vendors.vendor_shares, "people"),
    Check("zero-party", "How much rests on what people told themselves.", _vendors.zero_party, "people"),
    Check("without-third-parties", "What doing without would cost.", _vendors.without_partners, "people"),
    Check("minimisation", "Every column that is asked about is needed.", _needed.minimisation, "people"),
    Check("proxy", "Nothing stands in for a sensitive column.", _proxies.proxies, "unseen people"),
    Check("group-rate", "Groups are spread over the segments alike.", _groups.group_rates, "unseen people"),
    Check("consent", "Everyone has agreed to what rests on consent.", _consent.consent_coverage, "ledger"),
    Check("consent-expiry", "No consent ends within 30 days.", _consent.consent_expiry, "ledger"),
    Check("objection", "Nobody has said no to what rests on another basis.", _consent.objections, "ledger"),
    Check("notice-feature", "The notice names every column that places people.", _notice.notice_features, "notice"),
    Check("notice-source", "The notice says where each comes from.", _notice.notice_sources, "notice"),
    Check("notice-purpose", "The notice names every purpose.", _notice.notice_purposes, "notice"),
    Check("notice-vendor", "The notice names everyone who supplies data.", _notice.notice_vendors, "notice"),
    Check("notice-recipient", "The notice names everyone who receives segments.", _notice.notice_recipients, "notice"),
    Check("notice-controller", "The notice names who answers for the model.", _notice.notice_controller, "notice"),
    Check("notice-promise", "The notice promises nothing that is not so.", _promises.promises, "notice"),
)
