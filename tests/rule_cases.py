"""Made-up rules, as nested tuples for the naive evaluator and as the texts that people would write."""

from math import inf, nextafter

import numpy as np
import pandas as pd
from hypothesis import strategies as st

NUMBERS = {"orders": [0, 3, 5, 8], "spend": [-1.5, 0.1, 0.3, 1e6]}
CATEGORIES = {"channel": ["app", "store", 'w"eb'], "home town": ["Ür", "it's"]}
TRUTHS = ["newsletter"]
SIGNS = ["<", "<=", ">", ">=", "==", "!="]


def around(values):
    return sorted({near for value in values for near in (value, nextafter(value, -inf), nextafter(value, inf))})


def questions():
    numbers = [
        st.one_of(
            st.tuples(st.sampled_from(SIGNS), st.just(name), st.sampled_from(values)),
            st.tuples(st.sampled_from(["in", "not in"]), st.just(name), subsets(values)),
        )
        for name, values in NUMBERS.items()
    ]
    texts = [
        st.one_of(
            st.tuples(st.sampled_from(["==", "!="]), st.just(name), st.sampled_from(values)),
            st.tuples(st.sampled_from(["in", "not in"]), st.just(name), subsets(values)),
        )
        for name, values in CATEGORIES.items()
    ]
    truths = [st.tuples(st.sampled_from(["==", "!="]), st.just(name), st.booleans()) for name in TRUTHS]
    names = [*NUMBERS, *CATEGORIES, *TRUTHS]
    presence = st.tuples(st.sampled_from(["missing", "known"]), st.sampled_from(names))
    return st.one_of(*numbers, *texts, *truths, presence)


def subsets(values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(tuple)


def rules(leaves=6):
    def extend(inner):
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(
            several.map(lambda parts: ("and", *parts)),
            several.map(lambda parts: ("or", *parts)),
            inner.map(lambda part: ("not", part)),
        )

    return st.recursive(questions(), extend, max_leaves=leaves)


def text_of(rule):
    what, *parts = rule
    if what in {"and", "or"}:
        return f" {what} ".join(f"({text_of(part)})" for part in parts)
    if what == "not":
        return f"not ({text_of(parts[0])})"
    column = f"`{parts[0]}`" if " " in parts[0] else parts[0]
    if what in {"missing", "known"}:
        return f"{column} is {what}"
    if what in {"in", "not in"}:
        return f"{column} {what} {{{', '.join(map(value_text, parts[1]))}}}"
    return f"{column} {what} {value_text(parts[1])}"


def value_text(value):
    if isinstance(value, bool):
        return "yes" if value else "false"
    return '"' + value.replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)


def table_of(n_rows, seed, strangers=()):
    """Rows full of ties and boundaries, with something missing everywhere."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.choice(around(values), n_rows) for name, values in NUMBERS.items()}
    columns |= {name: rng.choice([*values, *strangers], n_rows).astype(object) for name, values in CATEGORIES.items()}
    columns |= {name: rng.choice([True, False], n_rows).astype(object) for name in TRUTHS}
    table = pd.DataFrame(columns)
    return table.mask(rng.random(table.shape) < 0.15, None)


def rows_of(table, unknown=()):
    """The rows as the naive evaluator reads them: None for missing, and for categories that count as missing."""
    return [
        {name: None if pd.isna(value) or value in unknown else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]
