"""How people take to artificial intelligence: a survey, rules for four personas, and personas learned from scores.

Enthusiasts, AI-Assisted Shoppers, Skeptics and Avoiders are told apart by what people say themselves. Who has not said
enough is "Not known", and nobody is guessed into a persona.
"""

from xseg.governance.personas._persona_learning import (
    LearnedPersonas,
    PersonaComparison,
    compare_personas,
    learn_personas,
)
from xseg.governance.personas._persona_survey import (
    NOT_KNOWN,
    PERSONAS,
    SCORES,
    CombinedScores,
    combine_scores,
    persona_policy,
    persona_rules,
    persona_survey,
)

__all__ = [
    "NOT_KNOWN",
    "PERSONAS",
    "SCORES",
    "CombinedScores",
    "LearnedPersonas",
    "PersonaComparison",
    "combine_scores",
    "compare_personas",
    "learn_personas",
    "persona_policy",
    "persona_rules",
    "persona_survey",
]
