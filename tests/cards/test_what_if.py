"""The interactive card: what the page works out is what Python works out, and it carries nothing it should not."""

import json
import pickle
import re
import shutil
import subprocess
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

import xseg
from conftest import mixed_table
from xseg.cards._row_facts import allocate_points
from xseg.exceptions import DataError, UnsupportedTypeError
from xseg.explanations import NO_RIVAL, EditOption, build_portable_model, compute_own_contributions

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NODE = shutil.which("node")
without_node = pytest.mark.skipif(NODE is None, reason="node is not installed, so the page's script cannot be run")


def needs_node(test):
    """Mark a test that runs the script of a page."""
    return pytest.mark.browser(without_node(test))


KINDS = {
    "tree": lambda table: xseg.TreeSegmenter(5, max_leaves=9, random_state=0).fit(table),
    "outcome": lambda table: xseg.OutcomeSegmenter(4, random_state=0).fit(table, table["spend"].to_numpy()),
    "prototypes": lambda table: xseg.PrototypeSegmenter(5, random_state=0).fit(table),
    "manhattan": lambda table: xseg.PrototypeSegmenter(4, metric="manhattan", random_state=0).fit(table),
    "mixture": lambda table: xseg.MixtureSegmenter(4, random_state=0).fit(table),
    "rules": lambda table: xseg.RuleSegmenter(
        {"App": "channel in ('app', 'phone') and spend > 60", "Many": "orders >= 3", "Old": "age == '55+'"}
    ).fit(table),
    "stand-in": lambda table: xseg.SurrogateSegmenter(KMeans(4, n_init=2, random_state=0)).fit(
        table[["orders", "spend", "balance"]].fillna(0.0)
    ),
}


def edges_of(segmenter, table, n_rows=1_500):
    """Draw rows whose numbers lie at, just below and just above thresholds, and whose values are often missing."""
    rng = np.random.default_rng(1)
    drawn = table.iloc[rng.integers(0, len(table), n_rows)].reset_index(drop=True)
    for j, name in enumerate(table.columns):
        cuts = segmenter.profile_.bins[j].thresholds
        if pd.api.types.is_float_dtype(drawn[name]) and len(cuts):
            at = rng.choice(cuts, n_rows)
            at = np.choose(rng.integers(0, 3, n_rows), [at, np.nextafter(at, -np.inf), np.nextafter(at, np.inf)])
            drawn[name] = np.where(rng.random(n_rows) < 0.5, at, drawn[name])
        if pd.api.types.is_integer_dtype(drawn[name]):
            drawn[name] = drawn[name].astype(float)
        drawn[name] = drawn[name].astype(object).where(rng.random(n_rows) > 0.1, None)
        if pd.api.types.is_numeric_dtype(table[name]) and not pd.api.types.is_bool_dtype(table[name]):
            drawn[name] = pd.to_numeric(drawn[name])
        elif isinstance(table[name].dtype, pd.CategoricalDtype):
            drawn[name] = drawn[name].astype(table[name].dtype)
    return drawn


def plain(value):
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return None
    return value.item() if hasattr(value, "item") else value


def agree(segmenter, rows, folder):
    """Let node and Python answer the same rows, and compare segments, parts, order and points."""
    portable = build_portable_model(segmenter, minimum_group_size=0)
    told = rows.astype(object).to_numpy().tolist()
    values = [[plain(line[j]) for j in portable.used] for line in told]
    first = {j: plain(told[0][j]) for j in portable.used}
    model = portable.narrow(first, dict.fromkeys(portable.used, EditOption.CHANGE))
    (folder / "case.json").write_text(json.dumps({"model": model, "rows": values}, allow_nan=False))
    script = str(files("xseg.cards").joinpath("scripts", "model.js"))
    command = [NODE, str(Path(__file__).parent / "scripts" / "answers.js"), script, str(folder / "case.json")]
    answers = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    _, explained = compute_own_contributions(segmenter, rows, n_jobs=1)
    assert [answer["segment"] for answer in answers] == segmenter.predict(rows).tolist()
    np.testing.assert_allclose(
        [answer["parts"] for answer in answers], explained.values[:, list(portable.used)], atol=1e-9
    )
    hidden = [False] * explained.values.shape[1]
    for answer, line, base, rival in zip(answers, explained.values, explained.base, explained.rivals, strict=True):
        assert answer["base"] == pytest.approx(base, abs=1e-9)
        points = allocate_points(line.tolist(), float(base), hidden, compared=rival != NO_RIVAL)
        assert [portable.used[place] for place in answer["points"]["shown"]] == points.shown
        assert (answer["points"]["reasons"], answer["points"]["total"]) == (points.reasons, points.total)


@needs_node
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_has_the_segments_reasons_and_points_of_python(kind, tmp_path):
    table = mixed_table(900, seed=3)
    segmenter = KINDS[kind](table)
    agree(segmenter, edges_of(segmenter, table[list(segmenter.profile_.bins.schema.names)]), tmp_path)


REAL = {
    "marketing_campaign.csv": ["ID", "Dt_Customer"],
    "bank_full.csv.gz": ["y"],
    "telco_churn.csv": ["customerID", "Churn"],
    "wholesale_customers.csv": [],
    "cc_general.csv": ["CUST_ID"],
}


@needs_node
@pytest.mark.realdata
@pytest.mark.parametrize("kind", ["tree", "prototypes", "mixture"])
@pytest.mark.parametrize("file", REAL)
def test_ten_thousand_rows_of_real_tables_are_answered_alike(shared_data, file, kind, tmp_path):
    table = xseg.load_table(shared_data / file).drop(columns=REAL[file])
    segmenter = KINDS[kind](table)
    agree(segmenter, edges_of(segmenter, table, 10_000), tmp_path)


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(1_500, random_state=0)
    return customers, xseg.TreeSegmenter(5, max_leaves=8, random_state=0).fit(customers)


def carried_by(page):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.S)[1])


def test_without_script_it_is_the_plain_card_and_nothing_is_asked_of_the_network(shop):
    customers, segmenter = shop
    card = xseg.make_cards(segmenter, customers, policy=xseg.datasets.customers_policy(), at=NOW)[0]
    page, plain_page = card.html(interactive=True), card.html()
    without = re.sub(r'<section class="what-if".*?</section>\s*', "", page, flags=re.S)
    without = re.sub(r"<script>.*?</script>\s*", "", without, flags=re.S)
    without = re.sub(r"; script-src '[^']*'", "", without)
    assert "".join(without.split()) == "".join(plain_page.split())
    script = re.search(r"<script>(.*?)</script>", page, re.S)[1]
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    assert not re.search(r"fetch|XMLHttpRequest|WebSocket|import\(|https?:", script)
    assert len(page) < 60_000


def test_the_page_names_nothing_hidden_and_lets_nobody_change_what_is_fixed(shop):
    customers, segmenter = shop
    used = [segmenter.profile_.bins.schema.names[j] for j in segmenter.model_.used_features]
    policy = {
        "features": {
            used[0]: {"label": "SECRET LABEL", "sensitive": True},
            used[1]: {"label": "Fixed", "mutable": False},
            used[2]: {"label": "Free", "mutable": True},
        }
    }
    page = xseg.make_cards(segmenter, customers, policy=policy, at=NOW)[0].html(interactive=True)
    assert "SECRET" not in page
    facts = carried_by(page)
    fields = dict(zip(used, facts["fields"], strict=True))
    assert fields[used[0]] is None
    assert fields[used[1]]["fixed"]
    assert not fields[used[2]]["fixed"]
    model = dict(zip(used, facts["model"]["features"], strict=True))
    assert model[used[0]]["hidden"]
    assert "cuts" not in model[used[0]]
    assert "cuts" not in model[used[1]]


def test_hostile_names_cannot_break_out_of_the_page():
    hostile = "</script><script>alert(1)</script>&\u2028"
    rng = np.random.default_rng(0)
    table = pd.DataFrame({hostile: rng.choice([hostile, "b", "c"], 300), "n": rng.normal(size=300)})
    segmenter = xseg.TreeSegmenter(3, segment_names=[hostile, "B", "C"], random_state=0).fit(table)
    page = xseg.make_cards(segmenter, table, at=NOW)[0].html(interactive=True)
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    facts = carried_by(page)
    assert any("alert(1)" in name for name in facts["segments"])


def test_small_groups_and_rare_categories_stay_behind(shop):
    customers, segmenter = shop
    sizes = sorted(segment.size for segment in segmenter.segments_)
    policy = {"minimum_group_size": int(sizes[0]) + 1}
    facts = carried_by(xseg.make_cards(segmenter, customers, policy=policy, at=NOW)[0].html(interactive=True))
    small = next(segment.index for segment in segmenter.segments_ if segment.size == sizes[0])
    assert facts["model"]["base"][small] is None
    assert all(not box["lines"] for box in facts["model"]["boxes"] if box["segment"] == small)
    prototypes = xseg.PrototypeSegmenter(4, random_state=0).fit(customers)
    with pytest.raises(UnsupportedTypeError, match="minimum_group_size"):
        xseg.make_cards(prototypes, customers, policy={"minimum_group_size": 10_000}, at=NOW)[0].html(interactive=True)


def test_a_stored_card_is_its_facts_and_has_no_model_to_carry(shop):
    customers, segmenter = shop
    card = xseg.make_cards(segmenter, customers, at=NOW)[0]
    read = xseg.cards.Card.from_json(card.json())
    assert read == card
    for stored in (read, pickle.loads(pickle.dumps(card))):
        assert stored == card
        assert stored.html() == card.html()
        with pytest.raises(DataError, match="no model with it"):
            stored.html(interactive=True)
    assert len(pickle.dumps(card)) < 20_000


@pytest.mark.parametrize("locale", ["de", "ar", "pl"])
def test_the_page_speaks_the_cards_language(shop, locale):
    customers, segmenter = shop
    cards = xseg.make_cards(segmenter, customers, policy=xseg.datasets.customers_policy(), at=NOW, locale=locale)
    facts = carried_by(cards[0].html(interactive=True))
    assert facts["locale"].split("-")[0] == locale
    assert "What if?" not in facts["say"].values()
    assert "{group}" in facts["say"]["result"]
    assert all("{number}" in form or locale == "ar" for form in facts["points"].values())
