"""Saved prototypes and mixtures are the models; anything else in the file is refused before it is built."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xseg
from xseg.exceptions import ModelFileError
from xseg.export import fingerprint
from xseg.export._model_file import _compute_fingerprint

KINDS = {
    "gower": xseg.PrototypeSegmenter(3, metric="gower", random_state=0),
    "quantile": xseg.PrototypeSegmenter(3, metric="squared", scaling="quantile", random_state=0),
    "one": xseg.PrototypeSegmenter(1, random_state=0),
    "mixture": xseg.MixtureSegmenter(3, random_state=0),
}


@pytest.fixture(scope="module", params=KINDS)
def segmenter(request, mixed):
    return KINDS[request.param].fit(mixed)


@pytest.fixture
def saved(segmenter, tmp_path):
    path = tmp_path / "model.json"
    xseg.save(segmenter, path)
    return path


def test_a_loaded_model_answers_the_same(mixed, segmenter, saved):
    again = xseg.load(saved)
    assert (again.predict(mixed) == segmenter.labels_).all()
    assert np.array_equal(again.transform(mixed), segmenter.transform(mixed))
    assert np.array_equal(xseg.explain(again, mixed).values, xseg.explain(segmenter, mixed).values)
    assert again.segments_.to_frame().equals(segmenter.segments_.to_frame())
    assert again.score(mixed) == segmenter.score(mixed)
    assert fingerprint(again) == fingerprint(segmenter)
    assert xseg.make_cards(again, mixed.head(1))[0] == xseg.make_cards(segmenter, mixed.head(1))[0]
    if isinstance(segmenter, xseg.PrototypeSegmenter):
        assert again.prototypes_.equals(segmenter.prototypes_)
        assert again.cost_ == segmenter.cost_
    else:
        assert again.means_.equals(segmenter.means_)
        assert again.bic(mixed) == segmenter.bic(mixed)
        assert again.converged_ == segmenter.converged_


def test_no_row_is_in_the_file(saved, mixed):
    text = saved.read_text()
    assert "labels" not in text
    for value in mixed["balance"].dropna():
        assert repr(float(value)) not in text


def test_parts_that_do_not_fit_together_are_refused(saved, segmenter):
    whole = json.loads(saved.read_text())
    for key, value, match in (
        ("bias", [0.0], "bias"),
        ("weight_unit", 0.0, "weight_unit"),
        ("curves", [], "curves"),
        ("tables", whole["tables"][:-1], "tables"),
        ("population", whole["population"][:-1], "population"),
        ("kind", "TreeSegmenter", "."),
    ):
        if key == "bias" and segmenter.n_segments_ == 1:
            continue
        document = {**whole, key: value}
        if document == whole:
            continue
        document["fingerprint"] = _compute_fingerprint(document)
        saved.write_text(json.dumps(document))
        with pytest.raises(ModelFileError, match=match):
            xseg.load(saved)


def paths_of(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths_of(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value[:6]):
            yield from paths_of(item, (*path, place))


REPLACEMENTS = [None, -1, 10**20, 1e308, "x", [], {}, True, [[]], 0, [0, 0]]


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_tampered_shapes_never_crash_even_with_a_fresh_fingerprint(saved, mixed, data):
    document = json.loads(saved.read_text())
    path = data.draw(st.sampled_from([path for path in paths_of(document) if path]))
    target = document
    for key in path[:-1]:
        target = target[key]
    if data.draw(st.booleans()) and isinstance(target, list):
        target.pop(path[-1])
    else:
        target[path[-1]] = data.draw(st.sampled_from(REPLACEMENTS))
    document["fingerprint"] = _compute_fingerprint(document)
    tampered = saved.with_name("tampered.json")
    tampered.write_text(json.dumps(document))
    try:
        again = xseg.load(tampered)
    except ModelFileError:
        return
    try:
        assert again.predict(mixed).shape == (len(mixed),)
        xseg.explain(again, mixed.head(3))
    except xseg.XsegError:
        assert again.profile_.bins.schema != KINDS["gower"].profile_.bins.schema
