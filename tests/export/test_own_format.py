"""An export format from outside the package, written from public parts: a CASE expression for SQLite."""

import sqlite3

import numpy as np
import pandas as pd
import pytest

import xseg
from xseg.core.schema import Kind


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def to_sql(condition):
    """Write a condition of a rule, which a missing value meets where the rule says so."""
    column, parts = f'"{condition.feature}"', []
    if condition.kind in (Kind.CATEGORY, Kind.ORDERED):
        parts.append(f"{column} IN ({', '.join(map(quoted, condition.categories))})")
    if condition.lower is not None:
        parts.append(f"{column} >= {condition.lower!r}")
    if condition.upper is not None:
        parts.append(f"{column} < {condition.upper!r}")
    held = f"COALESCE({' AND '.join(parts) or '1'}, 0)"
    return f"({held} OR {column} IS NULL)" if condition.missing else f"({held} AND {column} IS NOT NULL)"


def to_case(segmenter):
    """Write the boxes of any segmenter that has them."""
    boxes = segmenter.model_.boxes
    lines = [
        f"WHEN {' AND '.join(map(to_sql, boxes.rule(box).conditions)) or '1'} THEN {boxes.segment[box]}"
        for box in range(len(boxes))
    ]
    return f"CASE {' '.join(lines)} END"


@pytest.fixture(scope="module")
def numbers():
    customers = xseg.make_customers(800, random_state=0)
    return customers[["orders_90d", "spend_year", "recency_days", "tenure_months", "area_income"]].astype(float)


@pytest.mark.parametrize(
    "segmenter",
    [
        xseg.TreeSegmenter(4, max_leaves=6, random_state=0),
        xseg.RuleSegmenter({"Regulars": "orders_90d >= 3 and spend_year > 250", "Gone quiet": "orders_90d < 1"}),
    ],
    ids=["tree", "rules"],
)
def test_another_format_places_everybody_as_the_model_does(segmenter, numbers):
    fitted = segmenter.fit(numbers)
    with sqlite3.connect(":memory:") as database:
        numbers.reset_index(drop=True).to_sql("customers", database, index=False)
        found = pd.read_sql_query(f"SELECT {to_case(fitted)} AS segment FROM customers", database)
    assert np.array_equal(found["segment"].to_numpy(), fitted.predict(numbers))
