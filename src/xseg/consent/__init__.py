"""Who agreed to what: a ledger that cannot be changed unseen, and what follows from it.

Nothing fails open: what was not said, cannot be read, has expired or is not known is a no.
"""

from xseg.consent._chain import Finding, Head
from xseg.consent._entries import Entry
from xseg.consent._gate import Admitted, ConsentGate
from xseg.consent._identities import Identities, IdentityState
from xseg.consent._ledger import Ledger
from xseg.consent._linked import Component
from xseg.consent._recall import RecallReceipt, Suppression
from xseg.consent._receipt import receipt
from xseg.consent._signals._gpp import GPC_SCOPE, GppString, UsSection, read_gpc, read_gpp
from xseg.consent._signals._tcf import PublisherConsent, PublisherRestriction, TcfString, read_tcf
from xseg.consent._states import ConsentSource, ConsentState

__all__ = [
    "GPC_SCOPE",
    "Admitted",
    "Component",
    "ConsentGate",
    "ConsentSource",
    "ConsentState",
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
    "read_tcf",
    "receipt",
]
