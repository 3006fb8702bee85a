"""How many threads or processes may be asked for."""

import numpy as np
import pytest

import xseg
from xseg.cards import WriteOptions, write_cards
from xseg.exceptions import ParameterError

WRONG = [0, -100_000, 1.5, "two", True, float("nan")]
KINDS = [
    xseg.TreeSegmenter,
    xseg.PrototypeSegmenter,
    xseg.MixtureSegmenter,
    xseg.OutcomeSegmenter,
    xseg.SurrogateSegmenter,
    xseg.RuleSegmenter,
]


@pytest.mark.parametrize("n_jobs", WRONG)
def test_numbers_of_jobs_that_make_no_sense_are_refused_everywhere(n_jobs, tmp_path):
    customers = xseg.make_customers(120, random_state=0)
    rules = ({"A": "orders_90d >= 2"},)
    for kind in KINDS:
        segmenter = kind(*(rules if kind is xseg.RuleSegmenter else ()), n_jobs=n_jobs)
        with pytest.raises(ParameterError, match="n_jobs"):
            segmenter.fit(customers, np.arange(120) % 3)
    fitted = xseg.TreeSegmenter(2, random_state=0, effort="fast").fit(customers)
    with pytest.raises(ParameterError, match="n_jobs must be"):
        fitted.set_params(n_jobs=n_jobs).predict(customers)
    fitted.set_params(n_jobs=None)
    for ask in (
        lambda: xseg.backends.MemoryBackend(customers, n_jobs=n_jobs),
        lambda: write_cards(fitted, customers, folder=tmp_path, ids=range(60), options=WriteOptions(n_jobs=n_jobs)),
    ):
        with pytest.raises(ParameterError, match="n_jobs must be"):
            ask()


@pytest.mark.parametrize("n_jobs", [None, 1, 3, -1, -2, np.int64(2)])
def test_numbers_of_jobs_that_make_sense_are_taken(n_jobs):
    customers = xseg.make_customers(120, random_state=0)
    assert xseg.TreeSegmenter(2, n_jobs=n_jobs, effort="fast", random_state=0).fit(customers).n_segments_ == 2
