"""A shop whose model, policy, people, consent and notice agree, for the tests of reviews."""

from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pandas as pd
import yaml

import xseg
from xseg.policy import Policy

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NAMES = ("Now and then", "Occasional gifts", "Loyal readers", "New arrivals", "Collectors")


class Agreed:
    """A ledger in which some people agree until some day."""

    def __init__(self, until):
        self.until = until

    def mask(self, subjects, purpose, *, at=None):
        return np.array(
            [self.until.get((subject, purpose), datetime.min.replace(tzinfo=UTC)) > at for subject in subjects]
        )


@dataclass(frozen=True)
class Case:
    """What is reviewed: parts that a test may change."""

    segmenter: object
    policy: dict
    table: pd.DataFrame
    notice: str
    ledger: object

    def changed(self, **parts):
        return replace(
            self, **{name: deepcopy(part) if isinstance(part, dict) else part for name, part in parts.items()}
        )

    def review(self, *, with_people=True, random_state=0, **given):
        people = {"X": self.table, "ledger": self.ledger} if with_people else {}
        return xseg.governance.reviews.review(
            self.segmenter, policy=self.policy, notice=self.notice, at=NOW, random_state=random_state, **people, **given
        )


def fitted(table, **parameters):
    weights = {"area_income": 4.0, "newsletter": 2.0, "orders_90d": 3.0, "spend_year": 3.0}
    known = {name: weight for name, weight in weights.items() if name in table.columns}
    parameters = {"n_segments": 5, "max_leaves": 5, "segment_names": NAMES, "feature_weights": known} | parameters
    return xseg.TreeSegmenter(random_state=0, min_segment_size=0.07, effort="fast", **parameters).fit(table)


@cache
def clean_case():
    customers = xseg.make_customers(1_500, random_state=0)
    policy = yaml.safe_load(xseg.datasets.customers_policy(segments=True).to_yaml())
    policy["features"]["birth_region"] = {
        "label": "the region you were born in",
        "source": "zero-party",
        "collected_from": "your profile",
        "sensitive": True,
        "shown": False,
    }
    table = customers.assign(birth_region=np.random.default_rng(1).choice(["north", "south", "west"], len(customers)))
    later = datetime(2028, 1, 1, tzinfo=UTC)
    ledger = Agreed({(subject, "offers"): later for subject in table.index})
    notice = xseg.governance.reviews.write_notice(Policy(**policy), form="html")
    return Case(fitted(customers), policy, table, notice, ledger)
