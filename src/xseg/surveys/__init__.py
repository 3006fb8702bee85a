"""What people say themselves: questions, answers, scores and receipts of consent.

A survey is a YAML file of questions. Its answers are checked one by one and become zero-party features: ordered
categories, choices and numbers with labels, and scores made of them.
"""

from xseg.surveys._answers import Answers
from xseg.surveys._questions import Choice, Choices, Consent, Likert, Number, Question
from xseg.surveys._receipts import ConsentReceipt
from xseg.surveys._scores import Score
from xseg.surveys._survey import Survey

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
