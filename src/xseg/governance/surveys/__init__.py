"""What people say themselves: questions, answers, scores and receipts of consent.

A survey is a YAML file of questions. Its answers are checked one by one and become zero-party features: ordered
categories, choices and numbers with labels, and scores made of them.
"""

from xseg.governance.surveys._questions import Choice, Choices, Consent, Likert, Number, Question
from xseg.governance.surveys._survey import Survey
from xseg.governance.surveys._survey_answers import Answers, ConsentReceipt, Score

__all__ = [
    "Answers",
    "Choice",
    "Choices",
    "Consent",
    "ConsentReceipt",
    "Likert",
    "Number",
    "Question",
    "Score",
    "Survey",
]
