"""Predefined personas: their survey, rules and policy, and answers that come before what was inferred."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from xseg.exceptions import DataError, ParameterError
from xseg.governance.surveys import Survey
from xseg.policy import Policy, SegmentPolicy
from xseg.segmenters import RuleSegmenter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xseg.governance.surveys import Survey
    from xseg.policy import Policy

__all__ = [
    "ARCHETYPES",
    "KNOWN",
    "NOT_KNOWN",
    "PERSONAS",
    "SCORES",
    "CombinedScores",
    "combine_scores",
    "persona_policy",
    "persona_rules",
    "persona_survey",
]

SCORES: Final = ("ai_use", "ai_trust", "ai_feeling")
NOT_KNOWN: Final = "Not known"
PERSONAS: Final = ("Enthusiasts", "AI-Assisted Shoppers", "Skeptics", "Avoiders")

# Every score is from 1 to 5. A rule asks for all of them, so that nobody is put anywhere by half of what they said. It
# asks half a point beside the ends: at the very ends, whoever says the most would be a hair away from being not known.
KNOWN: Final = " and ".join(f"0.5 < {name} < 5.5" for name in SCORES)
_RULES: Final = {
    "Avoiders": f"{KNOWN} and ai_use < 2",
    "Skeptics": f"{KNOWN} and (ai_trust < 2.5 or ai_feeling < 2.5)",
    "Enthusiasts": f"{KNOWN} and ai_use >= 4 and ai_trust >= 3.5 and ai_feeling >= 4",
    "AI-Assisted Shoppers": KNOWN,
}
# Where each persona stands if none of the people is one: a point well inside its rule.
ARCHETYPES: Final = {
    "Enthusiasts": (5.0, 4.5, 5.0),
    "AI-Assisted Shoppers": (3.5, 3.25, 3.5),
    "Skeptics": (3.0, 1.75, 2.0),
    "Avoiders": (1.0, 1.75, 2.0),
}
_TOLD: Final = {
    "Enthusiasts": (
        "You often use AI, you trust it, and you are glad of it.",
        "A program may help you first. You can ask for a person at any time.",
        "Offer the assistant first, and say that it is one.",
    ),
    "AI-Assisted Shoppers": (
        "You use AI where it is useful, with measured trust.",
        "A program may help you first. You can ask for a person at any time.",
        "Offer the assistant as one way among others.",
    ),
    "Skeptics": (
        "You have doubts about AI.",
        "People help you, not programs.",
        "Do not argue for AI. Say who stands behind the advice.",
    ),
    "Avoiders": (
        "You do not want to shop with AI.",
        "People help you, not programs.",
        "Offer no assistant, and do not ask again unless they do.",
    ),
    NOT_KNOWN: (
        "You have not told us enough to know how you see AI.",
        "People help you, not programs, until you tell us more.",
        "Ask, and do not guess.",
    ),
}


def persona_survey() -> Survey:
    """Return the questions on AI, with the scores that the personas are made of.

    Returns
    -------
    Survey
        Six questions and one of consent; its scores are ``ai_use``, ``ai_trust`` and ``ai_feeling``, from 1 to 5.

    Examples
    --------
    >>> from xseg.governance.personas import persona_survey
    >>> list(persona_survey().scores)
    ['ai_use', 'ai_trust', 'ai_feeling']
    """
    text = files("xseg.governance.personas").joinpath("ai_attitudes.yaml").read_text(encoding="utf-8")
    return Survey.parse(text, "ai_attitudes.yaml")


def persona_rules(*, n_jobs: int | None = None) -> RuleSegmenter:
    """Return the four personas as rules on scores.

    Parameters
    ----------
    n_jobs : int, default=None
        As for `RuleSegmenter`.

    Returns
    -------
    RuleSegmenter
        Not fitted; it asks for the columns ``ai_use``, ``ai_trust`` and ``ai_feeling``. Who has not all three scores,
        or one that is half a point or more outside 1 to 5, is "Not known".

    Examples
    --------
    >>> import pandas as pd
    >>> from xseg.governance.personas import persona_rules
    >>> scores = pd.DataFrame({"ai_use": [5, 1, None], "ai_trust": [4, 3, 5.0], "ai_feeling": [5, 4, 5.0]})
    >>> personas = persona_rules().fit(scores)
    >>> [personas.segment_names_[segment] for segment in personas.labels_]
    ['Enthusiasts', 'Avoiders', 'Not known']
    """
    return RuleSegmenter(dict(_RULES), NOT_KNOWN, n_jobs=n_jobs)


def persona_policy(
    survey: Survey | None = None,
    *,
    inferred: Collection[str] | Mapping[str, str] = (),
    base: Policy | None = None,
) -> Policy:
    """Return what people are told about their persona, and where each score came from.

    Parameters
    ----------
    survey : Survey, default=None
        Where the scores were asked; None means `persona_survey`.
    inferred : collection of str, or mapping of str to str
        Scores that were not asked but worked out from other data; a mapping says from what, such as
        ``{"ai_trust": "your use of our assistant"}``. Cards say so.
    base : Policy, default=None
        What else people are told. Its words on segments, features and purposes win, but never the source of a score.

    Returns
    -------
    Policy
        With the scores as features, and words for each persona and for "Not known".

    Raises
    ------
    ParameterError
        `inferred` names what is not a score, or the survey does not make the scores.

    Examples
    --------
    >>> from xseg.governance.personas import persona_policy
    >>> policy = persona_policy(inferred={"ai_trust": "your use of our assistant"})
    >>> policy.feature("ai_use").origin, policy.feature("ai_trust").origin
    ('you told us (our questions on AI)', 'worked out from your use of our assistant')
    """
    asked = persona_survey() if survey is None else survey
    strange = [name for name in inferred if name not in SCORES]
    if strange:
        message = f"inferred names {strange[0]!r}, which is none of {', '.join(SCORES)}"
        raise ParameterError(message)
    known = Policy() if base is None else base
    features: dict[str, Any] = dict(known.features)
    for name, told in asked.policy_features(SCORES).items():
        worked_out = inferred[name] if isinstance(inferred, Mapping) and name in inferred else None
        origin = {"source": "inferred", "collected_from": worked_out} if name in inferred else {}
        stated = known.features[name].model_dump(exclude_unset=True) if name in known.features else {}
        own = {"source": told.source, "collected_from": told.collected_from, "vendor": None}
        features[name] = told.model_copy(update={**stated, **own, **origin})
    segments = {
        name: SegmentPolicy(sentence=sentence, consequence=consequence, speak=speak)
        for name, (sentence, consequence, speak) in _TOLD.items()
    }
    return known.model_copy(
        update={
            "features": features,
            "purposes": {**asked.purposes, **known.purposes},
            "segments": {**segments, **known.segments},
        }
    )


@dataclass(frozen=True, eq=False)
class CombinedScores:
    """Scores of people, and which of them nobody asked for.

    Attributes
    ----------
    scores : DataFrame of shape (n_people, 3)
        By person: what they said, or what was worked out, or missing.
    inferred : DataFrame of shape (n_people, 3)
        True where it was worked out.
    """

    scores: pd.DataFrame
    inferred: pd.DataFrame

    def by_scores(
        self, worked_out_from: str, *, survey: "Survey | None" = None, base: "Policy | None" = None
    ) -> Iterator[tuple["NDArray[np.intp]", "Policy"]]:
        """Return people in groups for whom the same scores were worked out, each with the policy that says so.

        Parameters
        ----------
        worked_out_from : str
            From what, such as ``"your use of our assistant"``.
        survey, base
            As for `persona_policy`.

        Yields
        ------
        rows : array of int
            Where they stand in `scores`.
        policy : Policy
            What they are told; for `make_cards`.
        """
        patterns = self.inferred.to_numpy()
        for pattern in np.unique(patterns, axis=0):
            inferred = {name: worked_out_from for name, is_inferred in zip(SCORES, pattern, strict=True) if is_inferred}
            rows = np.flatnonzero((patterns == pattern).all(axis=1))
            yield rows, persona_policy(survey, inferred=inferred, base=base)


def combine_scores(asked: pd.DataFrame, worked_out: pd.DataFrame, *, permitted: Mapping[Any, Any]) -> CombinedScores:
    """Return what people said, and where they said nothing what was worked out, if they let it be.

    Parameters
    ----------
    asked : DataFrame of shape (n_asked, n_columns)
        By person, scores that were asked, such as `Survey.score` gives.
    worked_out : DataFrame of shape (n_others, n_columns)
        By person, scores that were worked out from something else; some of the three are enough.
    permitted : mapping of person to bool
        Who lets their attitudes be worked out. Only a plain True is a yes; whoever is not in it has not said so.

    Returns
    -------
    CombinedScores
        Of everybody in `asked`, and then of the others who let it be; people are known by their name as text.

    Raises
    ------
    DataError
        A score was not asked, or nothing was worked out.
    DataError
        A person is there twice, or a score that was worked out is no number from 1 to 5.

    Examples
    --------
    >>> import pandas as pd
    >>> from xseg.governance.personas import combine_scores
    >>> asked = pd.DataFrame({"ai_use": [5, 4], "ai_trust": [4, None], "ai_feeling": [5, 4]}, index=["A", "B"])
    >>> clicks = pd.DataFrame({"ai_trust": [1, 4, 2]}, index=["A", "B", "C"])
    >>> people = combine_scores(asked, clicks, permitted={"A": True, "B": True})
    >>> people.scores["ai_trust"].tolist(), people.inferred["ai_trust"].tolist()
    ([4.0, 4.0], [False, True])
    """
    lacking = [name for name in SCORES if name not in asked.columns]
    if lacking:
        message = f"asked has no column {lacking[0]!r}; scores are {', '.join(SCORES)}"
        raise DataError(message)
    found = [name for name in SCORES if name in worked_out.columns]
    if not found:
        message = f"worked_out has none of the columns {', '.join(SCORES)}"
        raise DataError(message)
    said = _by_name(asked, list(SCORES), "asked")
    others = _by_name(worked_out, found, "worked_out")
    strange = others.notna() & ~((others >= 1) & (others <= 5))
    if strange.to_numpy().any():
        row, column = np.argwhere(strange.to_numpy())[0]
        found_there = float(others.to_numpy()[row, column])
        message = f"worked_out, {others.index[row]!r}: {found[column]} is {found_there:g}; scores are 1 to 5"
        raise DataError(message)
    agreed = {str(name) for name, answer in permitted.items() if isinstance(answer, bool | np.bool_) and answer}
    others = others[others.index.isin(agreed)]
    everybody = said.index.append(others.index.difference(said.index, sort=False))
    before = said.reindex(everybody)
    filling = others.reindex(index=everybody, columns=list(SCORES))
    inferred = before.isna() & filling.notna()
    return CombinedScores(before.where(~inferred, filling), inferred)


def _by_name(table: pd.DataFrame, columns: list[str], what: str) -> pd.DataFrame:
    names = pd.Index([str(name) for name in table.index], name="person", dtype=object)
    twice = names[names.duplicated()]
    if len(twice):
        message = f"{what}: {twice[0]!r} is there twice; everybody has one row"
        raise DataError(message)
    numbers: pd.DataFrame = table[columns].apply(pd.to_numeric).astype(float)
    numbers.index = names
    return numbers
