"""A model file with odd numbers and a right fingerprint is refused, or serves; it never fails with a bare error."""

import contextlib
import copy
import hashlib
import json
import random

import numpy as np
import pytest

import xseg
from conftest import mixed_table
from xseg.exceptions import ModelFileError, XsegError

ODD = [0, -1, 1, 1e-320, 5e-324, 1e300, -1e300, 1.797e308, 1e39, 0.5, -5, 2**31, 2**53, 2**63, 10**30, 255, 256, 1e-9]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    table = mixed_table(250, 0)
    models = {
        "tree": xseg.TreeSegmenter(3, max_leaves=5, effort="fast", random_state=0).fit(table),
        "gower": xseg.PrototypeSegmenter(3, metric="gower", random_state=0).fit(table),
        "squared": xseg.PrototypeSegmenter(3, metric="squared", random_state=0).fit(table),
        "mixture": xseg.MixtureSegmenter(3, random_state=0).fit(table),
        "outcome": xseg.OutcomeSegmenter(max_segments=3, random_state=0).fit(table, table["spend"]),
        "surrogate": xseg.SurrogateSegmenter().fit(table, np.arange(250) % 3),
        "rules": xseg.RuleSegmenter({"A": "spend >= 100", "B": "orders >= 4"}, default="C").fit(table),
    }
    folder, documents = tmp_path_factory.mktemp("models"), {}
    for kind, model in models.items():
        xseg.save(model, folder / f"{kind}.json")
        documents[kind] = json.loads((folder / f"{kind}.json").read_text())
    return table, folder, documents


def numbers(value, path=()):
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(part, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def forge(document, draw):
    """Change one to three numbers, every kind of number as often as every other, and compute the fingerprint anew."""
    forged = copy.deepcopy(document)
    kinds = {}
    for path in numbers({key: value for key, value in document.items() if key not in {"version", "xseg"}}):
        kinds.setdefault(tuple(key for key in path if isinstance(key, str)), []).append(path)
    for _ in range(draw.choice([1, 1, 2, 3])):
        *above, last = draw.choice(kinds[draw.choice(list(kinds))])
        part = forged
        for key in above:
            part = part[key]
        changed = [
            draw.choice(ODD),
            part[last] * draw.choice([-1, 0, 10, 1e10, 1e150]),
            part[last] + draw.choice([1, -1, 0.5]),
        ]
        part[last] = draw.choice(changed)
    content = {key: value for key, value in forged.items() if key not in {"fingerprint", "sign_offs", "xseg"}}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return {**forged, "fingerprint": hashlib.sha256(text.encode()).hexdigest()}


def use(model, table, folder):
    rows = table.head(3)
    policy = {"minimum_group_size": 1, "features": {"spend": {"mutable": True}, "orders": {"sensitive": True}}}
    for step in (
        lambda: model.predict(rows),
        lambda: model.transform(rows),
        lambda: [(card.text(), card.html(), card.json()) for card in xseg.make_cards(model, rows, policy=policy)],
        lambda: xseg.make_cards(model, rows)[0].html(interactive=True),
        lambda: xseg.make_report(model).html(),
        lambda: xseg.segment_card(model, table, segment=0).html(),
        lambda: xseg.explain(model, rows),
        lambda: xseg.counterfactual(model, rows).changes,
        lambda: xseg.Scorer(model)(rows.iloc[0].to_dict()),
        lambda: xseg.metrics.drift(model, rows),
        lambda: xseg.save(model, folder / "again.json"),
    ):
        with contextlib.suppress(XsegError):
            step()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_forged_numbers_raise_our_errors_in_whatever_follows(saved, seed):
    table, folder, documents = saved
    draw, n_loaded = random.Random(seed), 0
    for document in documents.values():
        for _ in range(14):
            path = folder / f"forged-{seed}.json"
            path.write_text(json.dumps(forge(document, draw)))
            try:
                model = xseg.load(path)
            except XsegError:
                continue
            n_loaded += 1
            use(model, table, folder)
    assert n_loaded


@pytest.mark.parametrize("number", ["1e999", "-1", "1e-320", "9" * 200])
def test_numbers_that_no_model_holds_are_refused(saved, number):
    _, folder, documents = saved
    text = json.dumps(documents["squared"]).replace('"weight_unit": 1', f'"weight_unit": {number}')
    (folder / "huge.json").write_text(text)
    with pytest.raises(ModelFileError):
        xseg.load(folder / "huge.json")
