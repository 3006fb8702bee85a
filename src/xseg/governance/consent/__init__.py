"""Consent: a tamper-evident ledger of statements, links between identifiers, signals, and a gate around a segmenter.

The default is denial: a statement that is missing, cannot be read, has expired or is unknown grants nothing.
"""

from xseg.governance.consent._consent_gate import AdmittedRows, ConsentGate
from xseg.governance.consent._consent_inputs import ConsentSource, ConsentState, Entry, read_identifiers, read_text
from xseg.governance.consent._gpp_signals import GPC_SCOPE, GppString, UsSection, read_gpc, read_gpp
from xseg.governance.consent._identities import ConsentResolver, Identities, IdentityState
from xseg.governance.consent._identity_links import Component
from xseg.governance.consent._ledger import Ledger
from xseg.governance.consent._ledger_record import IntegrityViolation, LedgerHead
from xseg.governance.consent._receipts import RecallReceipt, Suppression, make_consent_receipt
from xseg.governance.consent._tcf_signals import PublisherConsent, PublisherRestriction, TcfString, read_tcf

__all__ = [
    "GPC_SCOPE",
    "AdmittedRows",
    "Component",
    "ConsentGate",
    "ConsentResolver",
    "ConsentSource",
    "ConsentState",
    "Entry",
    "GppString",
    "Identities",
    "IdentityState",
    "IntegrityViolation",
    "Ledger",
    "LedgerHead",
    "PublisherConsent",
    "PublisherRestriction",
    "RecallReceipt",
    "Suppression",
    "TcfString",
    "UsSection",
    "make_consent_receipt",
    "read_gpc",
    "read_gpp",
    "read_identifiers",
    "read_tcf",
    "read_text",
]
