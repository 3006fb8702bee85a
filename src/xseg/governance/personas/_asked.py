"""What people said comes first; what was worked out fills gaps of those who let it, and stays known as that."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from xseg.exceptions import DataError, FeatureNamesError
from xseg.governance.personas._preset import SCORES, persona_policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xseg.governance.surveys import Survey
    from xseg.policy import Policy

__all__ = ["AskedFirst", "asked_first"]


@dataclass(frozen=True, eq=False)
class AskedFirst:
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

    def told(
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


def asked_first(asked: pd.DataFrame, worked_out: pd.DataFrame, *, permitted: Mapping[Any, Any]) -> AskedFirst:
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
    AskedFirst
        Of everybody in `asked`, and then of the others who let it be; people are known by their name as text.

    Raises
    ------
    FeatureNamesError
        A score was not asked, or nothing was worked out.
    DataError
        A person is there twice, or a score that was worked out is no number from 1 to 5.

    Examples
    --------
    >>> import pandas as pd
    >>> from xseg.governance.personas import asked_first
    >>> asked = pd.DataFrame({"ai_use": [5, 4], "ai_trust": [4, None], "ai_feeling": [5, 4]}, index=["A", "B"])
    >>> clicks = pd.DataFrame({"ai_trust": [1, 4, 2]}, index=["A", "B", "C"])
    >>> people = asked_first(asked, clicks, permitted={"A": True, "B": True})
    >>> people.scores["ai_trust"].tolist(), people.inferred["ai_trust"].tolist()
    ([4.0, 4.0], [False, True])
    """
    lacking = [name for name in SCORES if name not in asked.columns]
    if lacking:
        message = f"asked has no column {lacking[0]!r}; scores are {', '.join(SCORES)}"
        raise FeatureNamesError(message)
    found = [name for name in SCORES if name in worked_out.columns]
    if not found:
        message = f"worked_out has none of the columns {', '.join(SCORES)}"
        raise FeatureNamesError(message)
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
    return AskedFirst(before.where(~inferred, filling), inferred)


def _by_name(table: pd.DataFrame, columns: list[str], what: str) -> pd.DataFrame:
    names = pd.Index([str(name) for name in table.index], name="person", dtype=object)
    twice = names[names.duplicated()]
    if len(twice):
        message = f"{what}: {twice[0]!r} is there twice; everybody has one row"
        raise DataError(message)
    numbers: pd.DataFrame = table[columns].apply(pd.to_numeric).astype(float)
    numbers.index = names
    return numbers
