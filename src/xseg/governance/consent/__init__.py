"""Who agreed to what: a ledger that cannot be changed unseen, and what follows from it.

Nothing fails open: what was not said, cannot be read, has expired or is not known is a no.
"""

from xseg.governance.consent._chain import Finding, Head
from xseg.governance.consent._consents import Consents
from xseg.governance.consent._entries import Entry, read_identifiers, read_text
from xseg.governance.consent._gate import Admitted, ConsentGate
from xseg.governance.consent._identities import Identities, IdentityState
from xseg.governance.consent._ledger import Ledger
from xseg.governance.consent._linked import Component
from xseg.governance.consent._recall import RecallReceipt, Suppression
from xseg.governance.consent._receipt import receipt
from xseg.governance.consent._signals import (
    GPC_SCOPE,
    GppString,
    PublisherConsent,
    PublisherRestriction,
    TcfString,
    UsSection,
    read_gpc,
    read_gpp,
    read_tcf,
)
from xseg.governance.consent._states import ConsentSource, ConsentState

__all__ = [
    "GPC_SCOPE",
    "Admitted",
    "Component",
    "ConsentGate",
    "ConsentSource",
    "ConsentState",
    "Consents",
    "Entry",
    "Finding",
    "GppString",
    "Head",
    "Identities",
    "IdentityState",
    "Ledger",
    "PublisherConsent",
    "PublisherRestriction",
    "RecallReceipt",
    "Suppression",
    "TcfString",
    "UsSection",
    "read_gpc",
    "read_gpp",
    "read_identifiers",
    "read_tcf",
    "read_text",
    "receipt",
]
