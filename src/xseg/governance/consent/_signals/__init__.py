"""Privacy signals of browsers and banners, read to the bit."""

from xseg.governance.consent._signals._gpp import GPC_SCOPE, GppString, UsSection, read_gpc, read_gpp
from xseg.governance.consent._signals._tcf import PublisherConsent, PublisherRestriction, TcfString, read_tcf

__all__ = [
    "GPC_SCOPE",
    "GppString",
    "PublisherConsent",
    "PublisherRestriction",
    "TcfString",
    "UsSection",
    "read_gpc",
    "read_gpp",
    "read_tcf",
]
