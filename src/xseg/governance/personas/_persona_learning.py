"""Personas found in the scores of people under known names, and how well personas fit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from xseg.exceptions import DataError
from xseg.governance.personas._persona_survey import ARCHETYPES, KNOWN, NOT_KNOWN, PERSONAS, SCORES, persona_rules
from xseg.segmenters import RuleSegmenter, TreeSegmenter, write_condition

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LearnedPersonas",
    "PersonaComparison",
    "compare_personas",
    "compute_centres",
    "known_scores",
    "learn_personas",
]


@dataclass(frozen=True, eq=False)
class LearnedPersonas:
    """Four groups that a tree found, each under the name of the persona nearest to it.

    Attributes
    ----------
    segmenter : RuleSegmenter
        The leaves of the tree as rules; as in `persona_rules`, who has not all three scores is "Not known".
    tree : TreeSegmenter
        The tree, fitted on those whose scores are known.
    distance : dict of str to float
        For each persona, how far the centre of its group is from the centre of the preset's, in points of a score.
    """

    segmenter: RuleSegmenter
    tree: TreeSegmenter
    distance: dict[str, float]


def learn_personas(scores: Any, *, max_leaves: int = 6, random_state: Any = None) -> LearnedPersonas:
    """Find four groups in people's scores, and give each the name of the persona whose centre is nearest.

    Names are given so that the distances between centres are smallest in all; where the preset finds nobody of a
    persona, a typical point stands for its centre. A name then says what a group is nearest to, not that it is near.

    Parameters
    ----------
    scores : DataFrame of shape (n_people, n_columns)
        With the columns ``ai_use``, ``ai_trust`` and ``ai_feeling``; others are not looked at.
    max_leaves : int, default=6
        How many leaves the tree may have.
    random_state : int, RandomState instance or None, default=None
        Seeds the fit.

    Returns
    -------
    LearnedPersonas
        The segmenter, fitted on all people, and the tree it was made from.

    Raises
    ------
    DataError
        A score is not in the table.
    DataError
        Fewer than four different people have all three scores.

    References
    ----------
    Kuhn, "The Hungarian method for the assignment problem", 1955.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from xseg.governance.personas import learn_personas
    >>> rng = np.random.default_rng(0)
    >>> scores = pd.DataFrame(rng.integers(1, 6, (400, 3)), columns=["ai_use", "ai_trust", "ai_feeling"])
    >>> learned = learn_personas(scores, random_state=0)
    >>> learned.segmenter.segment_names_
    ('Enthusiasts', 'AI-Assisted Shoppers', 'Skeptics', 'Avoiders', 'Not known')
    """
    table = scores_in(scores)
    known = table[known_scores(table)].astype(float)
    if len(known.drop_duplicates()) < len(PERSONAS):
        message = (
            f"{len(known):,} of {len(table):,} people have all of {', '.join(SCORES)}, with fewer than {len(PERSONAS)} "
            "different answers among them; four groups need more"
        )
        raise DataError(message)
    tree = TreeSegmenter(
        len(PERSONAS), max_leaves=max_leaves, scaling="none", min_segment_size=1, random_state=random_state
    ).fit(known)
    if tree.n_segments_ < len(PERSONAS):
        message = f"the tree found {tree.n_segments_} groups among {len(known):,} people; the personas are four"
        raise DataError(message)
    preset = persona_rules().fit(table)
    wanted = compute_centres(known, [preset.segment_names_[label] for label in preset.predict(known)])
    found = np.array([known[tree.labels_ == segment].mean().to_numpy() for segment in range(len(PERSONAS))])
    distances = np.sqrt(((wanted[:, None] - found[None]) ** 2).sum(axis=2))
    personas, groups = linear_sum_assignment(distances)
    rules = dict(zip(tree.segment_names_, _rules(tree), strict=True))
    named = {PERSONAS[p]: rules[tree.segment_names_[g]] for p, g in zip(personas, groups, strict=True)}
    return LearnedPersonas(
        RuleSegmenter(named, NOT_KNOWN).fit(table),
        tree,
        {PERSONAS[p]: float(distances[p, g]) for p, g in zip(personas, groups, strict=True)},
    )


def scores_in(table: Any) -> pd.DataFrame:
    """Return the scores of a table, and nothing else of it."""
    lacking = [name for name in SCORES if name not in getattr(table, "columns", ())]
    if lacking:
        message = f"the table has no column {lacking[0]!r}; scores are {', '.join(SCORES)}"
        raise DataError(message)
    return pd.DataFrame({name: pd.to_numeric(pd.Series(table[name])) for name in SCORES})


def known_scores(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return whose scores are all known."""
    return np.asarray(((table >= 1) & (table <= 5)).all(axis=1).fillna(False), dtype=bool)


def compute_centres(known: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """Return the mean scores of each persona, or where nobody is one, its typical point."""
    of = np.array(names)
    return np.array(
        [
            known[of == persona].mean().to_numpy() if (of == persona).any() else ARCHETYPES[persona]
            for persona in PERSONAS
        ],
        dtype=float,
    )


def _rules(tree: TreeSegmenter) -> list[list[str]]:
    """Write each group of a tree as rules that hold only where every score is known."""
    return [
        [
            " and ".join(
                [KNOWN, *(write_condition(replace(condition, missing=False)) for condition in rule.conditions)]
            )
            for rule in segment.rules
        ]
        for segment in tree.segments_
    ]


_MAX_COMPARED = 5_000


@dataclass(frozen=True)
class PersonaComparison:
    """How the preset and the learned personas fit some people.

    Attributes
    ----------
    n_people : int
        How many people there are.
    unknown : float
        The share of them who are "Not known"; the other figures leave them out.
    silhouette : dict of str to float
        For ``"preset"`` and ``"learned"``, the mean silhouette in the space of the scores, of at most 5,000 people.
    relative_cost : dict of str to float
        The mean squared distance to the centre of one's persona, over that of k-means with four clusters.
    agreement : float
        The share of people whom both call the same.
    adjusted_rand : float
        That agreement corrected for chance, whatever the names.
    shares : dict of str to dict of str to float
        For both, the share of each persona.
    """

    n_people: int
    unknown: float
    silhouette: dict[str, float]
    relative_cost: dict[str, float]
    agreement: float
    adjusted_rand: float
    shares: dict[str, dict[str, float]]

    def to_frame(self) -> "pd.DataFrame":
        """Return the figures that both have, a column for each.

        Returns
        -------
        DataFrame
            With the columns ``preset`` and ``learned``.
        """
        import pandas as pd

        columns = {
            which: {
                "silhouette": self.silhouette[which],
                "relative_cost": self.relative_cost[which],
                **self.shares[which],
            }
            for which in ("preset", "learned")
        }
        return pd.DataFrame(columns)


def compare_personas(
    learned: LearnedPersonas, scores: Any, *, preset: RuleSegmenter, random_state: Any = None
) -> PersonaComparison:
    """Measure how well the preset and the learned personas fit people, and how far they agree.

    Parameters
    ----------
    learned : LearnedPersonas
        What `learn_personas` found.
    scores : DataFrame of shape (n_people, n_columns)
        The people.
    preset : RuleSegmenter
        `persona_rules`, fitted.
    random_state : int, RandomState instance or None, default=None
        Draws those whose silhouette is taken, and starts k-means.

    Returns
    -------
    PersonaComparison
        The figures.

    Raises
    ------
    DataError
        A score is not in the table.
    DataError
        Nobody's scores are known, or all known people are one persona.

    References
    ----------
    Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", 1987.
    Hubert and Arabie, "Comparing partitions", 1985.
    """
    table = scores_in(scores)
    mask = known_scores(table)
    known = table[mask].astype(float)
    segmenters = {"preset": preset, "learned": learned.segmenter}
    names = {which: _names(segmenter, known) for which, segmenter in segmenters.items()}
    for which, said in names.items():
        if len(set(said)) < 2:
            message = f"{len(known):,} people have known scores, and the {which} puts them into fewer than two personas"
            raise DataError(message)
    drawn = np.random.default_rng(random_state).permutation(len(known))[:_MAX_COMPARED]
    points = known.to_numpy()
    best = KMeans(len(PERSONAS), n_init=10, random_state=random_state).fit(points).inertia_
    return PersonaComparison(
        n_people=len(table),
        unknown=float(1 - mask.mean()),
        silhouette={which: float(silhouette_score(points[drawn], said[drawn])) for which, said in names.items()},
        relative_cost={which: _cost(points, said) / best for which, said in names.items()},
        agreement=float((names["preset"] == names["learned"]).mean()),
        adjusted_rand=float(adjusted_rand_score(names["preset"], names["learned"])),
        shares={
            which: {persona: float((said == persona).mean()) for persona in PERSONAS} for which, said in names.items()
        },
    )


def _cost(points: NDArray[np.float64], said: NDArray[np.str_]) -> float:
    groups = [points[said == name] for name in set(said.tolist())]
    return float(sum(((group - group.mean(axis=0)) ** 2).sum() for group in groups))


def _names(segmenter: RuleSegmenter, known: "pd.DataFrame") -> NDArray[np.str_]:
    said = np.array(segmenter.segment_names_)[segmenter.predict(known)]
    assert NOT_KNOWN not in said
    return said
