"""No value that fewer than `min_members` people share is in a fitted object, or in anything made of one."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

import xseg
from conftest import arrays_inside, objects_inside

pytestmark = pytest.mark.slow

N_ROWS = 400
RARE_TOWN, RARE_REASON = "Zzyzx-on-Sea", "lost a llama"
FAR = 48_211.375


def secrets_table():
    """Rows with e-mail addresses, a town of three people, and one amount far out."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "email": [f"somebody.{i * 7919 % 10007}@mail.example" for i in range(N_ROWS)],
            "customer_number": rng.permutation(10**6)[:N_ROWS] + 10**7,
            "spend": rng.gamma(2, 100, N_ROWS).round(3),
            "visits": rng.poisson(4, N_ROWS),
            "town": rng.choice(["Aville", "Beham", "Cester"], N_ROWS),
            "reason": rng.choice(["price", "quality"], N_ROWS),
            "since": pd.date_range("2019-01-01", periods=N_ROWS).strftime("%Y-%m-%d"),
        }
    )
    table.loc[[5, 50, 150], "town"] = RARE_TOWN
    table.loc[[6, 60], "reason"] = RARE_REASON
    table.loc[7, "spend"] = FAR
    return table


def make(name):
    common = {"random_state": 0}
    return {
        "tree": lambda: xseg.TreeSegmenter(4, **common),
        "tree that forbids": lambda: xseg.TreeSegmenter(4, forbid=["email", "town", "reason"], **common),
        "tree by ranks": lambda: xseg.TreeSegmenter(4, scaling="quantile", round_thresholds=False, **common),
        "prototypes": lambda: xseg.PrototypeSegmenter(4, **common),
        "squared prototypes": lambda: xseg.PrototypeSegmenter(4, metric="squared", **common),
        "mixture": lambda: xseg.MixtureSegmenter(4, **common),
        "rules": lambda: xseg.RuleSegmenter({"Many": "visits >= 5"}, default="Few"),
        "outcomes": lambda: xseg.OutcomeSegmenter(4, **common),
        "stand-in": lambda: xseg.SurrogateSegmenter(**common),
    }[name]()


NAMES = (
    "tree", "tree that forbids", "tree by ranks", "prototypes", "squared prototypes", "mixture", "rules", "outcomes",
    "stand-in",
)  # fmt: skip


@pytest.fixture(scope="module", params=NAMES)
def fitted(request):
    table = secrets_table()
    segmenter = make(request.param)
    y = None
    if request.param == "outcomes":
        y = (table["spend"] > 150).to_numpy()
    if request.param == "stand-in":
        y = np.where(table["spend"] > 150, 1, 0)
    with pytest.warns(xseg.XsegWarning):
        segmenter.fit(table, y)
    return table, segmenter


def secret_texts(table):
    return [*table["email"], *map(str, table["customer_number"]), *table["since"], RARE_TOWN, RARE_REASON]


def assert_no_secret(text, table):
    found = [secret for secret in secret_texts(table) if secret in text]
    assert not found, found[:3]
    for far in ("48211.3", "48,211.3", "48,211", "48 211"):
        assert far not in text


def test_a_fitted_object_holds_no_text_of_single_people(fitted):
    table, segmenter = fitted
    secrets = set(secret_texts(table))
    assert not [part for part in objects_inside(vars(segmenter)) if isinstance(part, str) and part in secrets]


def test_a_fitted_object_holds_no_number_of_single_people(fitted):
    table, segmenter = fitted
    state = {name: value for name, value in vars(segmenter).items() if name != "labels_"}
    numbers = {FAR, *map(float, table["customer_number"])}
    for array in arrays_inside(state):
        if array.dtype.kind in "iuf":
            assert not numbers & set(np.ravel(array).astype(float).tolist())


def test_scales_and_bounds_do_not_tell_the_value_farthest_out(fitted):
    _, segmenter = fitted
    coding = getattr(segmenter, "coding_", None) or getattr(segmenter.model_, "coding", None)
    for place, j in enumerate([] if coding is None else coding.embedding.coordinates.tolist()):
        embedding = coding.embedding
        if segmenter.feature_names_in_[j] == "spend":
            ends = embedding.shift[place] + np.array([1, -1]) * embedding.bound[place] / embedding.factor[place]
            assert np.abs(ends - FAR).min() > 1
            assert abs(1 / embedding.factor[place] - FAR) > 100


def test_files_hold_no_value_of_single_people(fitted, tmp_path):
    table, segmenter = fitted
    xseg.save(segmenter, tmp_path / "model.json")
    text = (tmp_path / "model.json").read_text()
    assert_no_secret(text, table)
    assert json.loads(text)
    labels, segmenter.labels_ = segmenter.labels_, None
    try:
        kept = pickle.dumps(segmenter)
    finally:
        segmenter.labels_ = labels
    for secret in secret_texts(table):
        assert secret.encode() not in kept


def test_reports_and_pages_hold_no_value_of_single_people(fitted):
    table, segmenter = fitted
    pages = [xseg.make_report(segmenter).html(), str(segmenter.segments_.to_frame().to_csv())]
    pages += [segmenter.segments_._repr_html_()]
    if not isinstance(segmenter, xseg.RuleSegmenter):
        pages.append(xseg.make_report(segmenter, table).html())
    for index in range(segmenter.n_segments_):
        pages.append(xseg.segment_card(segmenter, table, segment=index).html())
    for page in pages:
        assert_no_secret(page, table)


def test_a_card_tells_nobody_elses_values(fitted):
    table, segmenter = fitted
    card = xseg.make_cards(segmenter, table.iloc[[11]])[0]
    for text in (card.html(), card.text(), card.json()):
        assert_no_secret(text, table.drop(index=11))


def test_predicting_reads_nothing_of_what_is_excluded(fitted):
    table, segmenter = fitted
    other = table.assign(email=1.0, customer_number="?", since=None)
    assert (segmenter.predict(other) == segmenter.labels_).all()
