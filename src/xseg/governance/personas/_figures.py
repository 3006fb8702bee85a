"""How well personas fit the people they are given to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from xseg.exceptions import DataError
from xseg.governance.personas._learned import LearnedPersonas, known_scores, scores_in
from xseg.governance.personas._preset import NOT_KNOWN, PERSONAS
from xseg.segmenters import RuleSegmenter

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PersonaFigures", "persona_figures"]

_MAX_COMPARED = 5_000


@dataclass(frozen=True)
class PersonaFigures:
    """How the preset and the learned personas fit some people.

    Attributes
    ----------
    n_people : int
        How many people there are.
    unknown : float
        The share of them who are "Not known"; the other figures leave them out.
    silhouette : dict of str to float
        For ``"preset"`` and ``"learned"``, the mean silhouette in the space of the scores, of at most 5,000 people.
    price : dict of str to float
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
    price: dict[str, float]
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
            which: {"silhouette": self.silhouette[which], "price": self.price[which], **self.shares[which]}
            for which in ("preset", "learned")
        }
        return pd.DataFrame(columns)


def persona_figures(
    preset: RuleSegmenter, learned: LearnedPersonas, scores: Any, *, random_state: int = 0
) -> PersonaFigures:
    """Measure how well the preset and the learned personas fit people, and how far they agree.

    Parameters
    ----------
    preset : RuleSegmenter
        `persona_rules`, fitted.
    learned : LearnedPersonas
        What `learn_personas` found.
    scores : DataFrame of shape (n_people, n_columns)
        The people.
    random_state : int, default=0
        Draws those whose silhouette is taken, and starts k-means.

    Returns
    -------
    PersonaFigures
        The figures.

    Raises
    ------
    FeatureNamesError
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
    return PersonaFigures(
        n_people=len(table),
        unknown=float(1 - mask.mean()),
        silhouette={which: float(silhouette_score(points[drawn], said[drawn])) for which, said in names.items()},
        price={which: _cost(points, said) / best for which, said in names.items()},
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
