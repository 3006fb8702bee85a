"""How well the four personas fit real answers: the preset, what a tree finds, and how far they agree.

Prints figures for the developers' survey of 2025 in ../shared/data.
"""

from pathlib import Path

import pandas as pd

import xseg
from xseg.governance.personas import compare_personas, learn_personas, persona_rules

FOLDER = Path(__file__).resolve().parent
TABLE = FOLDER.parents[1] / "shared" / "data" / "so2025_ai.csv.gz"


def main():
    survey = xseg.governance.surveys.Survey.load(FOLDER / "so2025_ai.yaml")
    table = pd.read_csv(TABLE)
    answers = survey.read(table[list(survey.questions)].assign(respondent=range(len(table))))
    scores = survey.score(answers)
    learned = learn_personas(scores, random_state=0)
    figures = compare_personas(learned, scores, preset=persona_rules().fit(scores), random_state=0)
    print(f"{figures.n_people:,} people, {figures.unknown:.1%} of them not known")
    print(figures.to_frame().round(3).to_string())
    print(f"both say the same of {figures.agreement:.1%}; adjusted Rand index {figures.adjusted_rand:.3f}")
    for persona, distance in learned.distance.items():
        print(f"  {persona}: centre {distance:.2f} points from the preset's")


if __name__ == "__main__":
    main()
