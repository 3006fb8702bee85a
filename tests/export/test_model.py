"""A saved model is the model; anything else in the file is refused before it is built."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xseg
from xseg.exceptions import ModelFileError, NotFittedError, UnsupportedTypeError
from xseg.export import fingerprint
from xseg.export._model_file import _compute_fingerprint


@pytest.fixture
def saved(fitted, tmp_path):
    path = tmp_path / "model.json"
    xseg.save(fitted, path)
    return path


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_a_loaded_model_answers_the_same(mixed, tmp_path, scaling):
    segmenter = xseg.TreeSegmenter(4, max_leaves=8, scaling=scaling, random_state=0).fit(mixed)
    xseg.save(segmenter, tmp_path / "model.json")
    again = xseg.load(tmp_path / "model.json")
    assert (again.predict(mixed) == segmenter.labels_).all()
    assert np.array_equal(xseg.explain(again, mixed, of="all").values, xseg.explain(segmenter, mixed, of="all").values)
    assert again.segments_.to_frame().equals(segmenter.segments_.to_frame())
    assert again.score(mixed) == segmenter.score(mixed)
    assert fingerprint(again) == fingerprint(segmenter)
    assert again.get_params() == {**segmenter.get_params(), "forbid": [], "include": []}
    assert list(again.feature_names_in_) == list(mixed.columns)


def test_arrays_and_single_segments_survive(tmp_path):
    X = np.random.default_rng(0).normal(size=(50, 2))
    for n_segments in (1, 2):
        segmenter = xseg.TreeSegmenter(n_segments, random_state=np.random.RandomState(0)).fit(X)
        xseg.save(segmenter, tmp_path / "model.json")
        again = xseg.load(tmp_path / "model.json")
        assert (again.predict(X) == segmenter.labels_).all()
        assert not hasattr(again, "feature_names_in_")


def test_fingerprints_tell_models_apart(mixed, fitted):
    other = xseg.TreeSegmenter(3, random_state=0).fit(mixed)
    assert fingerprint(other) != fingerprint(fitted)


def test_no_row_is_in_the_file(saved, mixed):
    text = saved.read_text()
    assert "labels" not in text
    for value in mixed["balance"].dropna():
        assert repr(float(value)) not in text


def test_files_that_are_not_models_are_refused(saved, tmp_path, fitted):
    for text in ("", "{", "[]", '{"format": "xseg-model", "version": NaN}', "[" * 100_000, '{"format": "other"}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ModelFileError, match=r"bad\.json"):
            xseg.load(tmp_path / "bad.json")
    with pytest.raises(ModelFileError, match="cannot read"):
        xseg.load(tmp_path / "missing.json")
    with pytest.raises(ModelFileError, match="cannot write"):
        xseg.save(fitted, tmp_path / "nowhere" / "model.json")
    document = json.loads(saved.read_text())
    for version in (1, "2", None):
        saved.write_text(json.dumps({**document, "version": version}))
        with pytest.raises(ModelFileError, match="version"):
            xseg.load(saved)


def test_unknown_kinds_are_refused_by_name(saved):
    document = json.loads(saved.read_text())
    for kind in ("PrototypeSegmentor", None, ["TreeSegmenter"]):
        saved.write_text(json.dumps({**document, "kind": kind}))
        with pytest.raises(ModelFileError, match=r"kind.*TreeSegmenter"):
            xseg.load(saved)


def test_counts_and_patterns_must_agree(saved):
    document = json.loads(saved.read_text())
    pattern = document["population"][0]["pattern"]
    inside, outside = pattern.index(0), next(place for place, value in enumerate(pattern) if value)
    document["population"][0]["weight"][inside] -= 1
    document["population"][0]["weight"][outside] += 1
    document["fingerprint"] = _compute_fingerprint(document)
    saved.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match="contradicts the counts"):
        xseg.load(saved)


def test_altered_content_is_found(saved):
    document = json.loads(saved.read_text())
    document["segment_names"][0] = "Somebody else"
    saved.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match="altered"):
        xseg.load(saved)


def paths_of(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths_of(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value[:6]):
            yield from paths_of(item, (*path, place))


@pytest.fixture(params=["tree", "rules", "stand-in"])
def any_saved(request, fitted, mixed, tmp_path):
    rules = {"A": 'orders > 2 and channel in {"app", "web"} or balance is missing', "B": "newsletter is yes"}
    models = {
        "tree": lambda: fitted,
        "rules": lambda: xseg.RuleSegmenter(rules).fit(mixed),
        "stand-in": lambda: xseg.SurrogateSegmenter(max_leaves=6, random_state=0).fit(mixed, fitted.labels_ - 1),
    }
    path = tmp_path / "any.json"
    xseg.save(models[request.param](), path)
    return path


REPLACEMENTS = [None, -1, 10**20, 1e308, "x", [], {}, True, [[]], 0, [0, 0]]


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tampered_shapes_never_crash_even_with_a_fresh_fingerprint(any_saved, mixed, data):
    document = json.loads(any_saved.read_text())
    path = data.draw(st.sampled_from([path for path in paths_of(document) if path]))
    target = document
    for key in path[:-1]:
        target = target[key]
    if data.draw(st.booleans()) and isinstance(target, list):
        target.pop(path[-1])
    else:
        target[path[-1]] = data.draw(st.sampled_from(REPLACEMENTS))
    document["fingerprint"] = _compute_fingerprint(document)
    tampered = any_saved.with_name("tampered.json")
    tampered.write_text(json.dumps(document))
    try:
        model = xseg.load(tampered)
        labels = model.predict(mixed)
    except xseg.XsegError:
        return
    assert set(labels) <= set(range(model.n_segments_))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rules": [{"name": "A", "rule": "import os"}]}, "rules: rule 'A'"),
        ({"rules": [{"name": "A", "rule": "(" * 5_000}]}, "rules: rule 'A'"),
        ({"rules": [{"name": "A", "rule": "nothing > 5"}]}, "there is no column"),
        ({"rules": [{"name": "A", "rule": "orders > 2"}]}, "segment_names"),
        (
            {"rules": [{"name": "A", "rule": "orders > 2 or spend > 3"}, {"name": "B", "rule": "newsletter is yes"}]},
            "population",
        ),
        ({"parameters": {"rules": []}}, "place of their own"),
    ],
)
def test_rules_that_do_not_fit_the_rest_of_the_file_are_refused(mixed, tmp_path, changes, problem):
    path = tmp_path / "rules.json"
    xseg.save(xseg.RuleSegmenter({"A": "orders > 2", "B": "newsletter is yes"}).fit(mixed), path)
    document = {**json.loads(path.read_text()), **changes}
    document["fingerprint"] = _compute_fingerprint(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match=problem):
        xseg.load(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"labels": [0, 0, 1, 2]}, "labels"),
        ({"noise": 0}, "noise"),
        ({"groups": [0, 0, 1, 2]}, "groups"),
        ({"confusion": [[1, 1, 1, 1]] * 4}, "contradicts the counts"),
        ({"parameters": {"estimator": "KMeans"}}, "never part of a file"),
    ],
)
def test_stand_ins_that_contradict_themselves_are_refused(fitted, mixed, tmp_path, changes, problem):
    path = tmp_path / "stand-in.json"
    xseg.save(xseg.SurrogateSegmenter(max_leaves=8, random_state=0).fit(mixed, fitted.labels_), path)
    document = {**json.loads(path.read_text()), **changes}
    document["fingerprint"] = _compute_fingerprint(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match=problem):
        xseg.load(path)


def test_only_fitted_segmenters_are_saved(tmp_path):
    with pytest.raises(NotFittedError):
        xseg.save(xseg.TreeSegmenter(), tmp_path / "model.json")
    with pytest.raises(UnsupportedTypeError, match="got dict"):
        xseg.save({}, tmp_path / "model.json")
