"""A pipeline folded to raw columns is the same model: same segments, same people, same explanations, in raw units."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_regression
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

import naive
import xseg
from conftest import mixed_table
from xseg.exceptions import DataError, UnsupportedTypeError
from xseg.segmenters._raw_columns import first_number_at_least

pytestmark = pytest.mark.slow

LOG = FunctionTransformer(np.log1p, inverse_func=np.expm1, check_inverse=False, feature_names_out="one-to-one")
MINUS = FunctionTransformer(np.negative, inverse_func=np.negative, check_inverse=False, feature_names_out="one-to-one")
BINS = {"quantile_method": "averaged_inverted_cdf"}


def running_sum(X):
    """Mix columns, whatever is claimed of it."""
    return np.cumsum(X, axis=1)


def every_column(*numbers):
    """Numbers through some steps, the others encoded."""
    return make_column_transformer(
        (make_pipeline(*numbers), ["orders", "spend", "balance"]),
        (OneHotEncoder(sparse_output=False), ["channel"]),
        (OrdinalEncoder(categories=[["18-34", "35-54", "55+"]]), ["age"]),
        remainder="passthrough",
    )


ENCODERS = {
    "standard": lambda: every_column(StandardScaler()),
    "min-max after filling in": lambda: every_column(SimpleImputer(), MinMaxScaler()),
    "filled in and flagged": lambda: every_column(SimpleImputer(add_indicator=True), MaxAbsScaler()),
    "robust, reversed": lambda: every_column(RobustScaler(), MINUS),
    "power": lambda: every_column(SimpleImputer(strategy="median"), PowerTransformer()),
    "quantile": lambda: every_column(QuantileTransformer(n_quantiles=50)),
    "bins": lambda: every_column(SimpleImputer(), KBinsDiscretizer(5, encode="ordinal", strategy="uniform")),
    "binary": lambda: every_column(SimpleImputer(), Binarizer(threshold=1.0)),
    "logarithms": lambda: make_column_transformer(
        (LOG, ["spend"]), (StandardScaler(), ["orders", "balance"]), ("drop", ["age"]), ("passthrough", ["channel"])
    ),
    "twice": lambda: make_column_transformer(
        (LOG, ["spend"]), (StandardScaler(), ["spend", "orders"]), (OneHotEncoder(sparse_output=False), ["channel"])
    ),
    "nested": lambda: ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(make_column_transformer((LOG, [1]), (StandardScaler(), [0])), MinMaxScaler()),
                [0, 1],
            ),
            ("filled", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(sparse_output=False)), [3]),
            ("rest", "passthrough", slice("newsletter", "age")),
        ]
    ),
    "selected": lambda: make_pipeline(
        every_column(SimpleImputer(), StandardScaler()), VarianceThreshold(), SelectKBest(f_regression, k=8)
    ),
    "united": lambda: make_pipeline(
        make_column_transformer(("passthrough", ["orders", "spend"])),
        FeatureUnion([("as it is", "passthrough"), ("log", LOG), ("left out", "drop")]),
    ),
    "logarithms of positive numbers": lambda: make_pipeline(
        make_column_transformer(
            (FunctionTransformer(np.log, np.exp, check_inverse=False, feature_names_out="one-to-one"), ["spend"]),
            (PowerTransformer(method="yeo-johnson"), ["orders", "balance"]),
        ),
        StandardScaler(),
    ),
    "one-hot without the first": lambda: make_column_transformer(
        (OneHotEncoder(sparse_output=False, drop="first"), ["age", "newsletter"]), (StandardScaler(), ["spend"])
    ),
}


def make_tree(name):
    return xseg.TreeSegmenter(4, max_leaves=8, scaling="none" if name == "bins" else "standard", random_state=0)


def fitted_pipeline(name, output, table):
    pipeline = make_pipeline(ENCODERS[name](), make_tree(name))
    if output != "default":
        pipeline.set_output(transform=output)
    return pipeline.fit(table, table["orders"].to_numpy())


@pytest.fixture(scope="module", params=ENCODERS)
def folded(request):
    table = mixed_table(300, 6)
    pipeline = fitted_pipeline(request.param, "pandas", table)
    return table, pipeline, xseg.fold(pipeline)


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
@pytest.mark.parametrize("name", ENCODERS)
def test_segments_are_those_of_the_pipeline(name, output):
    table = mixed_table(300, 6)
    pipeline = fitted_pipeline(name, output, table)
    equal = xseg.fold(pipeline)
    others = mixed_table(500, 7)
    for rows in (table, others):
        assert_array_equal(equal.predict(rows), pipeline.predict(rows))
    assert list(equal.feature_names_in_) == list(table.columns)
    assert type(equal) is type(pipeline[-1])


def test_explanations_are_those_of_the_pipeline_and_of_every_coalition(folded):
    table, pipeline, equal = folded
    through, own = xseg.explain(pipeline, table, of="all"), xseg.explain(equal, table, of="all")
    assert_allclose(own.values, through.values, atol=1e-10)
    assert_allclose(own.base_values, through.base_values, atol=1e-10)
    names, types = list(table.columns), table.dtypes.to_dict()
    objects = table.astype(object).to_numpy()

    def membership(rows):
        return np.eye(equal.n_segments_)[pipeline.predict(pd.DataFrame(rows, columns=names).astype(types))]

    phi, base = naive.shapley_values(membership, objects[3], objects, np.ones(len(table)), len(names))
    assert_allclose(own.values[3], phi, atol=1e-10)
    assert_allclose(own.base_values[3], base, atol=1e-10)


def test_rules_hold_for_raw_rows(folded):
    table, pipeline, equal = folded
    columns = {column.name: column for column in xseg.core.tables.read_table(table).columns}
    labels = pipeline.predict(table)
    for segment in equal.segments_:
        held = np.any([rule.holds(columns, len(table)) for rule in segment.rules], axis=0)
        assert_array_equal(held, labels == segment.index)
        assert all(condition.feature in table.columns for rule in segment.rules for condition in rule.conditions)


def test_counts_are_those_of_raw_rows(folded, request):
    table, pipeline, equal = folded
    codes = equal.profile_.bins.encode(xseg.core.tables.read_table(table))
    labels = pipeline.predict(table)
    told = equal.profile_.counts
    for j, name in enumerate(table.columns):
        if equal.profile_.bins[j].feature.kind == "empty":
            continue
        counted = np.zeros_like(told[:, j])
        np.add.at(counted, (labels, codes[:, j]), 1)
        if table[name].isna().any() and not told[:, j, 255].any():
            # Missing values that were filled in without a flag count where they were put.
            assert (told[:, j, :255] >= counted[:, :255]).all()
        else:
            assert_array_equal(told[:, j], counted, err_msg=name)


def test_cards_and_files_speak_of_raw_columns(folded, tmp_path):
    table, pipeline, equal = folded
    cards = xseg.make_cards(pipeline, table.head(20))
    for row, card in enumerate(cards):
        assert card.segment.index == pipeline.predict(table.iloc[[row]])[0]
        assert {reason.feature for reason in card.reasons} <= set(table.columns)
        assert card.base_points + sum(reason.points for reason in card.reasons) + card.rest_points == 100
    xseg.save(pipeline, tmp_path / "model.json")
    loaded = xseg.load(tmp_path / "model.json")
    assert_array_equal(loaded.predict(table), pipeline.predict(table))
    assert_array_equal(xseg.explain(loaded, table).values, xseg.explain(equal, table).values)
    assert xseg.export.fingerprint(pipeline) == xseg.export.fingerprint(loaded) == cards[0].model
    scorer = xseg.Scorer(equal)
    assert scorer(table.iloc[0].to_dict()).segment == equal.predict(table.head(1))[0]


@given(
    arrays(np.float64, 8, elements=st.floats(-1e6, 1e6)),
    st.floats(-1e3, 1e3),
    st.floats(1e-3, 1e3),
)
def test_the_first_number_at_least_is_found_to_the_last_bit(thresholds, shift, factor):
    found = first_number_at_least(lambda values: (values - shift) * factor >= thresholds, 8)
    assert ((found - shift) * factor >= thresholds).all()
    assert ((np.nextafter(found, -np.inf) - shift) * factor < thresholds).all()


def test_questions_that_are_always_or_never_true_have_no_number():
    found = first_number_at_least(lambda values: np.array([True, False, values[2] >= 0]), 3)
    assert found.tolist() == [-np.inf, np.inf, 0.0]


def test_weights_and_arrays():
    X = np.random.default_rng(0).normal(size=(200, 3)) + 4 * np.random.default_rng(1).integers(0, 2, (200, 3))
    weight = np.random.default_rng(2).integers(0, 4, 200)
    pipeline = make_pipeline(StandardScaler(), xseg.TreeSegmenter(3, random_state=0))
    pipeline.fit(X, treesegmenter__sample_weight=weight)
    equal = xseg.fold(pipeline)
    assert_array_equal(equal.predict(X), pipeline.predict(X))
    assert not hasattr(equal, "feature_names_in_")
    assert [segment.size for segment in equal.segments_] == [segment.size for segment in pipeline[-1].segments_]


@pytest.mark.filterwarnings("ignore:Skipping features")
def test_columns_that_tell_nothing_fold_too():
    table = mixed_table(200, 1).assign(same=7.0, nothing=np.nan)
    encode = make_column_transformer(
        (StandardScaler(), ["orders", "same"]), (SimpleImputer(), ["spend", "nothing"]), ("passthrough", ["channel"])
    )
    pipeline = make_pipeline(encode, xseg.TreeSegmenter(3, random_state=0)).fit(table)
    equal = xseg.fold(pipeline)
    assert_array_equal(equal.predict(table), pipeline.predict(table))
    assert equal.profile_.bins[-1].feature.kind == "empty"


def test_a_folded_tree_refuses_what_needs_distances_between_raw_rows(tmp_path):
    numbers = mixed_table(400, 5)[["orders", "spend", "balance"]].fillna(0.0)
    pipeline = make_pipeline(StandardScaler(), xseg.TreeSegmenter(3, random_state=0)).fit(numbers)
    assert pipeline.score(numbers) < 0
    xseg.save(pipeline, tmp_path / "folded.json")
    for equal in (xseg.fold(pipeline), xseg.load(tmp_path / "folded.json")):
        for ask in (equal.score, lambda rows, equal=equal: xseg.metrics.certify(equal, rows)):
            with pytest.raises(UnsupportedTypeError, match=r"distances of the fit.*pipeline\.score"):
                ask(numbers)


def test_outcomes_and_stand_ins_fold_too():
    table = mixed_table(400, 3)
    y = table["spend"].to_numpy() + 100 * table["newsletter"].to_numpy()
    outcome = make_pipeline(ENCODERS["standard"](), xseg.OutcomeSegmenter(random_state=0)).fit(table, y)
    equal = xseg.fold(outcome)
    assert_array_equal(equal.predict(table), outcome.predict(table))
    assert [s.outcomes for s in equal.segments_] == [s.outcomes for s in outcome[-1].segments_]
    encode = ENCODERS["filled in and flagged"]()
    stand_in = make_pipeline(encode, xseg.SurrogateSegmenter(KMeans(3, n_init=2, random_state=0))).fit(table)
    equal = xseg.fold(stand_in)
    assert_array_equal(equal.predict(table), stand_in.predict(table))
    assert equal.fidelity_ == stand_in[-1].fidelity_
    said = stand_in[-1].agreement(stand_in[:-1].transform(table.head(9))).tolist()
    assert [card.original_agrees for card in xseg.make_cards(stand_in, table.head(9))] == said


def test_one_hot_bins_fold_where_rules_have_no_gaps():
    X = np.random.default_rng(0).permutation(np.arange(120.0))[:, None]
    pipeline = make_pipeline(
        KBinsDiscretizer(2, encode="onehot-dense", **BINS), xseg.TreeSegmenter(2, random_state=0)
    ).fit(X)
    assert_array_equal(xseg.fold(pipeline).predict(X), pipeline.predict(X))
    assert xseg.fold(pipeline).segments_[0].rule in ("x0 < 59.5", "x0 >= 59.5")


@pytest.mark.parametrize(
    ("steps", "segmenter", "sentence"),
    [
        ([PCA(2)], xseg.TreeSegmenter(2), r"step 'pca' \(PCA\) may mix columns"),
        (
            [FunctionTransformer(np.cbrt, feature_names_out="one-to-one")],
            xseg.TreeSegmenter(2),
            "step 'functiontransformer'.*inverse_func",
        ),
        (
            [FunctionTransformer(np.square, inverse_func=np.sqrt, check_inverse=False, feature_names_out="one-to-one")],
            xseg.TreeSegmenter(2),
            "rises and falls",
        ),
        (
            [StandardScaler(), KBinsDiscretizer(4, encode="onehot-dense", **BINS)],
            xseg.TreeSegmenter(2),
            "kbinsdiscretizer",
        ),
        (
            [
                FunctionTransformer(
                    np.cumsum, np.diff, kw_args={"axis": 1}, check_inverse=False, feature_names_out="one-to-one"
                )
            ],
            xseg.TreeSegmenter(2),
            "apart from the others|do not tell how",
        ),
        ([StandardScaler()], xseg.PrototypeSegmenter(2), "no equal"),
        ([StandardScaler()], xseg.MixtureSegmenter(2), "no equal"),
        ([StandardScaler()], xseg.RuleSegmenter({"Low": "x0 < 0"}), "no equal"),
    ],
)
def test_what_cannot_be_folded_is_named(steps, segmenter, sentence, tmp_path):
    X = np.random.default_rng(0).normal(size=(150, 3))
    pipeline = make_pipeline(*steps, segmenter).fit(X)
    with pytest.raises(UnsupportedTypeError, match=sentence):
        xseg.fold(pipeline)
    with pytest.raises(UnsupportedTypeError, match=sentence):
        xseg.make_cards(pipeline, X)
    with pytest.raises(UnsupportedTypeError, match=sentence):
        xseg.save(pipeline, tmp_path / "model.json")


def test_values_that_no_step_has_seen_get_no_card():
    table = pd.DataFrame({"channel": ["app"] * 40 + ["web"] * 30 + ["shop"] * 30})
    encode = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    pipeline = make_pipeline(encode, xseg.TreeSegmenter(3, random_state=0)).fit(table)
    strange = pd.DataFrame({"channel": ["app", "fax"]})
    equal = xseg.fold(pipeline)
    assert_array_equal(equal.predict(table), pipeline.predict(table))
    if equal.predict(strange)[1] != pipeline.predict(strange)[1]:
        with pytest.raises(DataError, match="row 1"):
            xseg.make_cards(pipeline, strange)


def test_a_segmenter_alone_is_given_back(fitted):
    assert xseg.fold(fitted) is fitted
    assert xseg.fold(make_pipeline("passthrough", fitted)) is fitted
