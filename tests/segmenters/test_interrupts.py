"""Fits report progress, and end completely or not at all."""

import logging
import os
import signal
import threading
from tempfile import gettempdir

import numpy as np
import pandas as pd
import pytest

import xseg
from xseg.backends import BatchBackend
from xseg.core.progress import run_in_threads

ESTIMATORS = {
    "tree": lambda **parameters: xseg.TreeSegmenter(3, effort="fast", n_init=3, random_state=0, **parameters),
    "prototypes": lambda **parameters: xseg.PrototypeSegmenter(3, n_init=3, random_state=0, **parameters),
    "mixture": lambda **parameters: xseg.MixtureSegmenter(3, n_init=3, random_state=0, **parameters),
    "rules": lambda **parameters: xseg.RuleSegmenter({"high": "a > 0.5"}, **parameters),
    "outcome": lambda **parameters: xseg.OutcomeSegmenter(random_state=0, **parameters),
    "surrogate": lambda **parameters: xseg.SurrogateSegmenter(effort="fast", random_state=0, **parameters),
}


def rows(seed=0):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, 17_000)
    table = pd.DataFrame(rng.standard_normal((17_000, 4)) + 3 * np.eye(3, 4)[group], columns=list("abcd"))
    return table, group


def interrupt(after):
    """Return a listener that presses Ctrl-C at the given report, and the reports."""
    heard = []

    def listen(progress):
        heard.append(progress)
        if len(heard) == after:
            os.kill(os.getpid(), signal.SIGINT)

    return listen, heard


def count_reports(segmenter, X, y):
    heard = []
    with xseg.listen_to_progress(heard.append):
        segmenter.fit(X, y)
    return len(heard)


def state(segmenter):
    return {name: id(value) for name, value in vars(segmenter).items()}


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_interrupted_fit_leaves_nothing_behind(name):
    X, y = rows()
    segmenter = ESTIMATORS[name](n_jobs=2)
    n_reports = count_reports(segmenter, X, y)
    assert n_reports > 5
    unfitted, fitted = ESTIMATORS[name](n_jobs=2), segmenter
    threads = threading.active_count()
    for share in (0.1, 0.5, 0.9):
        for one in (unfitted, fitted):
            before = state(one)
            listen, heard = interrupt(after=max(1, int(share * n_reports)))
            with pytest.raises(KeyboardInterrupt), xseg.listen_to_progress(listen):
                one.fit(*rows(seed=1))
            # A signal is answered between two instructions of Python, so hardly anything is reported after it.
            assert len(heard) <= max(1, int(share * n_reports)) + 1
            assert state(one) == before
            assert threading.active_count() == threads
    with pytest.raises(xseg.XsegError):
        unfitted.predict(X)
    assert (fitted.predict(X) == fitted.labels_).all()


@pytest.mark.parametrize("name", ["tree", "prototypes", "mixture", "rules"])
@pytest.mark.parametrize("after", [1, 3, 6])
def test_an_interrupted_fit_leaves_no_file_of_rows(name, after, tmp_path):
    X, _ = rows()
    listen, _ = interrupt(after)
    backend = BatchBackend([X[:8_500], X[8_500:]], n_jobs=2)
    with pytest.raises(KeyboardInterrupt) as caught, xseg.listen_to_progress(listen):
        ESTIMATORS[name](n_jobs=2).fit(backend)
    # What the backend itself decoded goes with the backend; the traceback still holds all other objects of the fit.
    left = [path for path in tmp_path.iterdir() if path != backend._rows._folder.path]
    assert left == [], caught.value
    assert gettempdir() == str(tmp_path)


def test_an_error_in_a_listener_ends_the_fit():
    def refuse(progress):
        raise ValueError(progress.stage)

    segmenter = ESTIMATORS["tree"]()
    with pytest.raises(ValueError, match="adding over rows"), xseg.listen_to_progress(refuse):
        segmenter.fit(rows()[0])
    assert not hasattr(segmenter, "n_features_in_")


def test_progress_is_a_share_of_a_stage():
    heard = []
    with xseg.listen_to_progress(heard.append):
        ESTIMATORS["tree"]().fit(rows()[0])
    assert {"running k-means", "searching trees"} <= {progress.stage for progress in heard}
    assert all(progress.total is None or 0 <= progress.done <= progress.total for progress in heard)
    assert all(progress.stage in str(progress) for progress in heard)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_verbose_means_the_same_everywhere(name, caplog):
    X, y = rows()
    with caplog.at_level(logging.INFO, logger="xseg"):
        ESTIMATORS[name](verbose=0).fit(X, y)
        assert not caplog.messages
        ESTIMATORS[name](verbose=1).fit(X, y)
        assert caplog.messages


def test_threads_end_with_whoever_waits_for_them():
    begun = threading.Event()

    def work(item):
        begun.set()
        while True:
            xseg.core.progress.report_progress("working", item)

    def stop(progress):
        if begun.is_set():
            raise InterruptedError

    before = threading.active_count()
    with pytest.raises(InterruptedError), xseg.listen_to_progress(stop):
        list(run_in_threads(work, range(5), 2, "waiting"))
    assert threading.active_count() == before
