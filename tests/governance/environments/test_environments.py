"""While an environment is active nothing is fitted or written elsewhere, unless somebody answers for it in the log."""

import json
import os
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

import xseg
from xseg.exceptions import (
    ApprovalError,
    DefinitionError,
    ParameterError,
    RunningWorkersWarning,
)
from xseg.governance.consent import Ledger
from xseg.governance.environments import Environment, compute_packages_digest, read_overrides, require_environment
from xseg.governance.personas import persona_rules, persona_survey
from xseg.governance.routing import Touchpoint
from xseg.segmenters import get_registered_segmenters

ELSEWHERE = Environment(name="elsewhere", hosts=["no such machine"])


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch):
    monkeypatch.delenv("XSEG_ENVIRONMENT", raising=False)
    monkeypatch.delenv("XSEG_DATA_REGION", raising=False)


def fits():
    """One way to fit each kind of segmenter."""
    customers = xseg.make_customers(200, random_state=0)[["orders_90d", "spend_year", "tenure_months"]]
    made = {
        "TreeSegmenter": (xseg.TreeSegmenter(3, random_state=0), ()),
        "RuleSegmenter": (xseg.RuleSegmenter({"a": "orders_90d > 1"}), ()),
        "SurrogateSegmenter": (xseg.SurrogateSegmenter(random_state=0), (customers["orders_90d"] > 1,)),
        "OutcomeSegmenter": (xseg.OutcomeSegmenter(3, random_state=0), (customers["orders_90d"] > 1,)),
        "PrototypeSegmenter": (xseg.PrototypeSegmenter(3, random_state=0), ()),
        "MixtureSegmenter": (xseg.MixtureSegmenter(2, random_state=0), ()),
    }
    return [(name, segmenter, (customers, *y)) for name, (segmenter, y) in made.items()]


@pytest.mark.parametrize(("name", "segmenter", "given"), fits(), ids=lambda one: one if isinstance(one, str) else "")
def test_no_segmenter_is_fitted_or_saved_elsewhere(name, segmenter, given, tmp_path):
    built_in = {kind for kind, found in get_registered_segmenters().items() if found.__module__.startswith("xseg.")}
    assert {kind for kind, *_ in fits()} == built_in
    with ELSEWHERE.activate(), pytest.raises(ApprovalError, match=r"fit is allowed only in .*'elsewhere'"):
        segmenter.fit(*given)
    assert not hasattr(segmenter, "model_")
    segmenter.fit(*given)
    with ELSEWHERE.activate():
        segmenter.predict(given[0])
        with pytest.raises(ApprovalError, match="export is allowed only"):
            xseg.save(segmenter, tmp_path / "m.json")
    assert not list(tmp_path.iterdir())


def test_here_is_here(fitted, tmp_path):
    here = Environment.here("here")
    here.check()
    here.save(tmp_path / "here.yaml")
    assert Environment.load(tmp_path / "here.yaml") == here
    with here.activate() as given:
        assert given is here
        xseg.save(fitted, tmp_path / "m.json")


def test_everything_stated_is_compared(tmp_path, monkeypatch):
    lock = tmp_path / "lock"
    here = Environment.here("here").model_dump() | {"locks": {str(lock): "0" * 64}, "data_region": "north"}
    told = "\n".join(Environment(**here).find_differences())
    assert "cannot be read, not 00000000" in told
    assert "XSEG_DATA_REGION says None, not 'north'" in told
    lock.write_text("x")
    monkeypatch.setenv("XSEG_DATA_REGION", "south")
    told = "\n".join(Environment(**here).find_differences())
    assert "has digest 2d711642, not 00000000" in told
    assert "says 'south'" in told
    monkeypatch.setenv("XSEG_DATA_REGION", "north")
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    Environment(**(here | {"locks": {str(lock): digest}})).check()
    with pytest.raises(ApprovalError, match="installed packages have digest"):
        Environment(**(here | {"locks": {}, "packages": "0" * 64})).check()
    assert compute_packages_digest() == compute_packages_digest()


def test_the_variable_counts_for_the_whole_run(tmp_path, monkeypatch):
    path = tmp_path / "e.yaml"
    ELSEWHERE.save(path)
    monkeypatch.setenv("XSEG_ENVIRONMENT", str(path))
    with pytest.raises(ApprovalError):
        require_environment("fit")
    # A file that cannot be read lets nothing through.
    path.write_text("hosts: 3")
    with pytest.raises(DefinitionError):
        require_environment("fit")
    path.unlink()
    with pytest.raises(DefinitionError, match="cannot read the environment file"):
        require_environment("fit")


def test_other_threads_are_no_way_round():
    refused = []

    def attempt():
        try:
            require_environment("fit")
        except ApprovalError as error:
            refused.append(error)

    with ELSEWHERE.activate():
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert len(refused) == 1
    require_environment("fit")


def test_an_error_in_the_block_ends_it():
    with pytest.raises(KeyError), ELSEWHERE.activate():
        raise KeyError
    require_environment("fit")
    with Environment.here("here").activate(), ELSEWHERE.activate(), pytest.raises(ApprovalError):
        require_environment("fit")


def test_an_override_is_logged_each_time(fitted, tmp_path):
    log = tmp_path / "overrides.jsonl"
    with ELSEWHERE.activate(), ELSEWHERE.override(by="Ada Marsh", reason="the machine was renamed", log=log):
        assert not log.exists()
        xseg.save(fitted, tmp_path / "m.json")
        require_environment("fit")
    with ELSEWHERE.activate(), pytest.raises(ApprovalError):
        require_environment("fit")
    export, fit = read_overrides(log)
    assert (export.action, fit.action, export.by) == ("export", "fit", "Ada Marsh")
    assert export.environment == ELSEWHERE.digest
    assert "this machine is called" in export.differences[0]
    assert fit.previous != export.previous
    # An override of one environment does not open another, and what holds needs none.
    other = Environment(name="another", hosts=["no such machine"])
    with other.activate(), ELSEWHERE.override(by="a", reason="b", log=log), pytest.raises(ApprovalError):
        require_environment("fit")
    here = Environment.here("here")
    with here.activate(), here.override(by="a", reason="b", log=log):
        require_environment("fit")
    assert len(read_overrides(log)) == 2


@pytest.mark.parametrize(("by", "reason"), [("", "x"), (" ", "x"), ("x", ""), (None, "x"), ("x", 3)])
def test_an_override_needs_a_name_and_a_reason(by, reason, tmp_path):
    with pytest.raises(ParameterError), ELSEWHERE.override(by=by, reason=reason, log=tmp_path / "log"):
        pass
    with ELSEWHERE.activate(), pytest.raises(ApprovalError):
        require_environment("fit")


def test_without_a_log_nothing_is_overridden(tmp_path):
    with ELSEWHERE.activate(), ELSEWHERE.override(by="a", reason="b", log=tmp_path / "none" / "log"):  # noqa: SIM117
        with pytest.raises(DefinitionError, match="nothing is overridden without it"):
            require_environment("fit")


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "overrides.jsonl"
    with ELSEWHERE.activate(), ELSEWHERE.override(by="Ada Marsh", reason="renamed", log=path):
        for action in ("fit", "export", "fit"):
            require_environment(action)
    return path


def test_an_altered_log_is_found_and_not_added_to(log):
    lines = log.read_text().splitlines(keepends=True)
    forged = json.loads(lines[0]) | {"by": "Ben Holt"}
    for altered in (
        [json.dumps(forged, separators=(",", ":")) + "\n", *lines[1:]],
        lines[1:],
        [lines[0], lines[2]],
        [lines[1], lines[0], lines[2]],
        [*lines, lines[2]],
        [*lines[:2], lines[2].rstrip("\n")],
        [*lines, "{}\n"],
        [*lines, "no\n"],
        [*lines, "[]\n"],
        [*lines, "\n"],
    ):
        log.write_text("".join(altered))
        with pytest.raises(DefinitionError):
            read_overrides(log)
        with ELSEWHERE.activate(), ELSEWHERE.override(by="a", reason="b", log=log), pytest.raises(DefinitionError):
            require_environment("fit")
        assert log.read_text() == "".join(altered)


@settings(max_examples=20, deadline=None)
@given(by=st.text(min_size=1).filter(str.strip), reason=st.text(min_size=1).filter(str.strip))
def test_any_words_survive_the_log(by, reason, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "overrides.jsonl"
    for _ in range(2):
        with ELSEWHERE.activate(), ELSEWHERE.override(by=by, reason=reason, log=path):
            require_environment("fit")
    first, second = read_overrides(path)
    assert (first.by, second.reason) == (by, reason)


BAD = [
    ("name: a", "hosts: is missing"),
    ("name: a\nhosts: []", "line 2: hosts"),
    ("name: a\nhosts: [3]", r"line 2: hosts\.0: found 3 where text was expected"),
    ("name: a\nhosts: b", "line 2: hosts"),
    ("name: a\nhosts: [b]\npackages: abc", "line 3: packages"),
    ("name: a\nhosts: [b]\nlocks: {x: abc}", r"line 3: locks\.x"),
    ("name: a\nhosts: [b]\nregion: x", r"line 3: region: unknown key; .*data_region"),
    ("name: a\nname: b\nhosts: [b]", "repeats keys"),
    ("version: 2\nname: a\nhosts: [b]", "line 1: version"),
    ("", "where an environment was expected"),
    ("a: [", "not an environment in YAML"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_bad_files_are_refused_by_line(text, said):
    with pytest.raises(DefinitionError, match=said):
        Environment.parse(text)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_an_environment_or_is_refused(data):
    text = f"version: 1\nname: a\nhosts: [b, c]\npackages: {'0' * 64}\nlocks: {{d: {'1' * 64}}}\ndata_region: e\n"
    place = data.draw(st.integers(0, len(text)))
    put = data.draw(st.text(max_size=4))
    try:
        environment = Environment.parse(text[:place] + put + text[place + data.draw(st.integers(0, 9)) :])
    except DefinitionError:
        return
    assert environment.find_differences()


@pytest.mark.parametrize("path", ["none", "", "a\0b", "x" * 5_000, "/"], ids=range(5))
def test_a_lock_that_is_no_file_is_not_the_approved_one(path):
    here = Environment.here("here").model_dump() | {"locks": {path: "0" * 64}}
    (said,) = Environment(**here).find_differences()
    assert "cannot be read" in said


@pytest.mark.parametrize("name", ["", " ", "VM", "localhost", "train-1.example", "*", "."])
def test_a_host_is_called_by_its_own_name_and_no_other(name, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: name)
    place = Environment(name="training", hosts=["train-1", "vm"])
    with place.activate(), pytest.raises(ApprovalError, match="this machine is called"):
        require_environment("fit")
    monkeypatch.setattr("platform.node", lambda: "train-1")
    place.check()


def test_missing_files(tmp_path):
    with pytest.raises(DefinitionError, match="cannot read"):
        Environment.load(tmp_path / "none")
    with pytest.raises(DefinitionError, match="cannot write"):
        ELSEWHERE.save(tmp_path / "none" / "e.yaml")
    with pytest.raises(DefinitionError, match="cannot read the log"):
        read_overrides(tmp_path / "none")


@pytest.mark.slow
def test_nothing_opens_a_socket(monkeypatch, tmp_path):
    def refuse(*_, **__):
        message = "a socket was asked for"
        raise AssertionError(message)

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname", "socketpair"):
        monkeypatch.setattr(socket, name, refuse)
    with pytest.raises(AssertionError):
        socket.socket()
    customers = xseg.make_customers(300, random_state=0)
    with Environment.here("here").activate():
        segmenter = xseg.TreeSegmenter(3, random_state=0).fit(customers)
        xseg.governance.approval.approve(segmenter, by="Ada Marsh", review=b"x", state="reviewed")
        xseg.explain(segmenter, customers)
        cards = xseg.make_cards(segmenter, customers.head(2), policy=xseg.datasets.customers_policy())
        for card in cards:
            card.html(), card.text(), card.json(), card.png()
        xseg.verify_cards(segmenter, customers.head(2), cards=cards, policy=xseg.datasets.customers_policy())
        xseg.make_report(segmenter, customers, policy=xseg.datasets.customers_policy()).save(tmp_path / "report.html")
        xseg.save(segmenter, tmp_path / "m.json")
        xseg.load(tmp_path / "m.json", require="reviewed")
        notice = xseg.governance.reviews.write_notice(xseg.datasets.customers_policy())
        xseg.governance.reviews.review(
            segmenter, customers, policy=xseg.datasets.customers_policy(), notice=notice, random_state=0
        ).save(tmp_path / "review.html")
        survey = persona_survey()
        answers = survey.read([{"respondent": n, "shops_with_ai": n, "may_use": True} for n in range(1, 6)])
        survey.receipts(answers, at="2026-05-03T12:00:00Z")
        scores = survey.score(answers, purpose="assistance").fillna(3)
        people = persona_rules().fit(scores)
        xseg.governance.routing.route(people, scores, touchpoints=[Touchpoint("assistant", "app", automated=True)])
        xseg.governance.rights.Profile(
            segmenter,
            customers.head(1),
            policy=xseg.datasets.customers_policy(),
            ledger=Ledger(),
            subject="a",
            purpose="offers",
        ).agree()


@pytest.mark.slow
def test_processes_that_are_started_inside_are_held_to_it():
    customers = xseg.make_customers(200, random_state=0)
    fits = [delayed(xseg.TreeSegmenter(2, random_state=0).fit)(customers)]
    get_reusable_executor().shutdown(wait=True)
    elsewhere = Environment(name="elsewhere", hosts=["no such machine"])
    with elsewhere.activate(), Environment.here("here").activate():
        with pytest.raises(ApprovalError):
            xseg.TreeSegmenter(2).fit(customers)
        with pytest.raises(ApprovalError, match="elsewhere"):
            Parallel(n_jobs=2)(fits)
    assert "XSEG_ACTIVE_ENVIRONMENTS" not in os.environ
    xseg.TreeSegmenter(2, random_state=0).fit(customers)
    get_reusable_executor().shutdown(wait=True)
    with Environment.here("here").activate():
        assert len(Parallel(n_jobs=2)(fits)) == 1
    with pytest.warns(RunningWorkersWarning, match="shutdown"), elsewhere.activate():
        pass
    get_reusable_executor().shutdown(wait=True)


@pytest.mark.parametrize("text", ["x", "[1]", '[{"name": 1}]', "7"])
def test_a_variable_that_no_environment_wrote_is_refused(monkeypatch, text):
    monkeypatch.setenv("XSEG_ACTIVE_ENVIRONMENTS", text)
    with pytest.raises(DefinitionError, match="XSEG_ACTIVE_ENVIRONMENTS"):
        xseg.TreeSegmenter(2).fit(xseg.make_customers(100, random_state=0))
