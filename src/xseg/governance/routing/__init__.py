"""Where people are met: by a person or a program, and why.

The default is denial: what is not known permits nothing, and who has doubts about AI is met by people only, at
touchpoints that somebody has put their name to.
"""

from xseg.governance.routing._routing import PeopleFacts, Route, Routes, RoutingRules, route
from xseg.governance.routing._touchpoints import Certification, Touchpoint

__all__ = ["Certification", "PeopleFacts", "Route", "Routes", "RoutingRules", "Touchpoint", "route"]
