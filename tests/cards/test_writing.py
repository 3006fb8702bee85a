"""Many cards: in every form, in parallel, and taken up again after a kill at any point."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

import xseg
from xseg.cards import FORMS, write_cards
from xseg.exceptions import DataError, ParameterError

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    customers = xseg.make_customers(12_000, random_state=0)
    segmenter = xseg.TreeSegmenter(4, random_state=0, effort="fast").fit(customers)
    folder = tmp_path_factory.mktemp("shop")
    xseg.save(segmenter, folder / "model.json")
    customers.to_parquet(folder / "customers.parquet")
    return customers, segmenter, folder


def contents(folder):
    """Give every file but the note of when it was begun."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_json_lines_and_parquet_hold_everybody_once_and_in_order(shop, tmp_path):
    customers, segmenter, _ = shop
    done = []
    written = write_cards(
        segmenter,
        customers,
        tmp_path,
        ids=list(customers.index),
        forms=["jsonl", "parquet"],
        now=NOW,
        progress=done.append,
    )
    assert (written.n_written, written.n_kept) == (12_000, 0)
    assert sum(done) == 12_000
    lines = [line for path in sorted(tmp_path.glob("*.jsonl")) for line in path.read_text().splitlines()]
    assert [json.loads(line)["reference"] for line in lines] == list(customers.index)
    table = pd.read_parquet(sorted(tmp_path.glob("*.parquet")))
    assert table["card"].tolist() == lines
    assert table["segment"].tolist() == segmenter.labels_.tolist()
    some = xseg.verify_cards(lines[:200], segmenter, customers.head(200))
    assert all(check.holds for check in some)


def test_processes_write_the_same_bytes(shop, tmp_path):
    customers, segmenter, _ = shop
    for jobs in (1, 2):
        ids = list(customers.index)
        write_cards(segmenter, customers, tmp_path / str(jobs), ids=ids, forms=["jsonl"], now=NOW, n_jobs=jobs)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


WORKER = """
import sys, pandas as pd, xseg
from datetime import UTC, datetime
from xseg.cards import write_cards
shop, out = sys.argv[1:]
customers = pd.read_parquet(shop + "/customers.parquet")
segmenter = xseg.load(shop + "/model.json")
now = datetime(2026, 11, 24, tzinfo=UTC)
print("begun", flush=True)
write_cards(segmenter, customers, out, ids=list(customers.index), forms=["jsonl"], now=now)
some = customers.head(1500)
write_cards(segmenter, some, out + "-html", ids=list(some.index), forms=["html"], now=now)
"""


def test_a_kill_at_any_point_loses_halves_and_doubles_no_card(shop, tmp_path):
    customers, _, folder = shop
    command = [sys.executable, "-c", WORKER, str(folder), str(tmp_path / "out")]
    for pause in (0.4, 1.5, 3.0, 5.0):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ})
        process.stdout.readline()
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for path in (tmp_path / "out").glob("cards-*.jsonl"):
            assert len(path.read_text().splitlines()) in (10_000, 2_000)
        for path in (tmp_path / "out-html").glob("[!.]*.html"):
            assert path.read_text().endswith("</html>\n")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    lines = [line for path in sorted((tmp_path / "out").glob("*")) for line in path.read_text().splitlines()]
    references = [json.loads(line)["reference"] for line in lines if line.startswith('{"version"')]
    assert references == list(customers.index)
    assert len(list((tmp_path / "out-html").glob("*.html"))) == 1_500
    assert not list(tmp_path.glob("*/.*"))


def test_what_is_taken_up_keeps_the_day_and_refuses_other_people(shop, tmp_path):
    customers, segmenter, _ = shop
    some = customers.head(20)
    ids = list(some.index)
    write_cards(segmenter, some, tmp_path, ids=ids, forms=["json"], now=NOW)
    (tmp_path / f"{ids[3]}.json").unlink()
    (tmp_path / f".{ids[3]}.json.{'0' * 32}").write_text("half a ca")
    again = write_cards(segmenter, some, tmp_path, ids=ids, forms=["json"], now=NOW + timedelta(days=9))
    assert (again.n_written, again.n_kept) == (1, 19)
    assert xseg.Card.from_json((tmp_path / f"{ids[3]}.json").read_text()).issued == NOW.date()
    assert not list(tmp_path.glob(".*"))
    for changed in ({"policy": {"minimum_group_size": 7}}, {"locale": "de"}, {"tone": "formal"}):
        with pytest.raises(DataError, match="holds cards of another"):
            write_cards(segmenter, some, tmp_path, ids=ids, forms=["json"], **changed)
    with pytest.raises(DataError, match="another people"):
        write_cards(segmenter, some.tail(19), tmp_path, ids=ids[1:], forms=["json"])
    (tmp_path / "xseg-cards.json").write_text("{}")
    with pytest.raises(DataError, match="another kind"):
        write_cards(segmenter, some, tmp_path, ids=ids, forms=["json"])


def test_forms_languages_and_ids_that_make_no_sense_are_refused(shop, tmp_path):
    customers, segmenter, _ = shop
    some = customers.head(2)
    for forms in ([], ["docx"], ["html", "doc"]):
        with pytest.raises(ParameterError, match="forms must be"):
            write_cards(segmenter, some, tmp_path, ids=["a", "b"], forms=forms)
    with pytest.raises(ParameterError, match="locale"):
        write_cards(segmenter, some, tmp_path, ids=["a", "b"], locale="xx")
    for ids, problem in [(["a"], "1 ids for 2 rows"), (["a", "a"], "used in row 0"), (["a", None], "no id")]:
        with pytest.raises(DataError, match=problem):
            write_cards(segmenter, some, tmp_path, ids=ids)


def test_every_form_is_written(shop, tmp_path):
    customers, segmenter, _ = shop
    write_cards(segmenter, customers.head(1), tmp_path, ids=["a"], forms=FORMS, policy=xseg.customers_policy(), now=NOW)
    starts = {"a.png": b"\x89PNG", "a.pdf": b"%PDF", "a.svg": b"<?xml", "a.email.html": b"<!doctype html>"}
    written = contents(tmp_path)
    assert len(written) == len(FORMS) + 1
    for name, start in starts.items():
        assert written[name].startswith(start)
