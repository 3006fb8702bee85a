"""How people take to artificial intelligence: a survey, rules for four personas, and personas learned from scores.

Enthusiasts, AI-Assisted Shoppers, Skeptics and Avoiders are told apart by what people say themselves. Who has not said
enough is "Not known", and nobody is guessed into a persona.
"""

from xseg.governance.personas._asked import AskedFirst, asked_first
from xseg.governance.personas._figures import PersonaFigures, persona_figures
from xseg.governance.personas._learned import LearnedPersonas, learn_personas
from xseg.governance.personas._preset import NOT_KNOWN, PERSONAS, SCORES, persona_policy, persona_rules, persona_survey

__all__ = [
    "NOT_KNOWN",
    "PERSONAS",
    "SCORES",
    "AskedFirst",
    "LearnedPersonas",
    "PersonaFigures",
    "asked_first",
    "learn_personas",
    "persona_figures",
    "persona_policy",
    "persona_rules",
    "persona_survey",
]
