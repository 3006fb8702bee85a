"""Many cards: in every form, in parallel, and taken up again after a kill at any point."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import xseg
from xseg.cards import FORMS, WriteOptions, remove_cards, write_cards
from xseg.cards._card_folder import build_file_stems
from xseg.cli import app
from xseg.exceptions import DataError, OptionalDependencyError, ParameterError
from xseg.governance.consent import ConsentGate, Identities, Ledger
from xseg.governance.rights import ActionLog

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


@pytest.mark.slow
def test_json_lines_and_parquet_hold_everybody_once_and_in_order(shop, tmp_path):
    customers, segmenter, _ = shop
    done = []
    written = write_cards(
        segmenter,
        customers,
        folder=tmp_path,
        ids=list(customers.index),
        forms=["jsonl", "parquet"],
        at=NOW,
        options=WriteOptions(progress=done.append),
    )
    assert (written.n_written, written.n_kept) == (12_000, 0)
    assert sum(done) == 12_000
    lines = [line for path in sorted(tmp_path.glob("*.jsonl")) for line in path.read_text().splitlines()]
    assert [json.loads(line)["reference"] for line in lines] == list(customers.index)
    table = pd.read_parquet(sorted(tmp_path.glob("*.parquet")))
    assert table["card"].tolist() == lines
    assert table["segment"].tolist() == segmenter.labels_.tolist()
    some = xseg.verify_cards(segmenter, customers.head(200), cards=lines[:200])
    assert all(check.holds for check in some)


@pytest.mark.slow
def test_processes_write_the_same_bytes(shop, tmp_path):
    customers, segmenter, _ = shop
    for jobs in (1, 2):
        ids = list(customers.index)
        write_cards(
            segmenter,
            customers,
            folder=tmp_path / str(jobs),
            ids=ids,
            forms=["jsonl"],
            at=NOW,
            options=WriteOptions(n_jobs=jobs),
        )
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


WORKER = """
import sys, pandas as pd, xseg
from datetime import UTC, datetime
from xseg.cards import WriteOptions, write_cards
shop, out = sys.argv[1:]
customers = pd.read_parquet(shop + "/customers.parquet")
segmenter = xseg.load(shop + "/model.json")
now = datetime(2026, 11, 24, tzinfo=UTC)
print("begun", flush=True)
write_cards(segmenter, customers, folder=out, ids=list(customers.index), forms=["jsonl"], at=now)
some = customers.head(1500)
write_cards(segmenter, some, folder=out + "-html", ids=list(some.index), forms=["html"], at=now)
"""


@pytest.mark.slow
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
    write_cards(segmenter, some, folder=tmp_path, ids=ids, forms=["json"], at=NOW)
    (tmp_path / f"{ids[3]}.json").unlink()
    (tmp_path / f".{ids[3]}.json.{'0' * 32}").write_text("half a ca")
    again = write_cards(segmenter, some, folder=tmp_path, ids=ids, forms=["json"], at=NOW + timedelta(days=9))
    assert (again.n_written, again.n_kept) == (1, 19)
    assert xseg.cards.Card.from_json((tmp_path / f"{ids[3]}.json").read_text()).issued == NOW.date()
    assert not list(tmp_path.glob(".*"))
    for changed in ({"policy": {"minimum_group_size": 7}}, {"locale": "de"}, {"tone": "formal"}):
        with pytest.raises(DataError, match="holds cards of another"):
            write_cards(segmenter, some, folder=tmp_path, ids=ids, forms=["json"], **changed)
    with pytest.raises(DataError, match="differs in: people, values of the people"):
        write_cards(segmenter, some.tail(19), folder=tmp_path, ids=ids[1:], forms=["json"])
    (tmp_path / "xseg-cards.json").write_text("{}")
    with pytest.raises(DataError, match="another kind"):
        write_cards(segmenter, some, folder=tmp_path, ids=ids, forms=["json"])


def test_forms_languages_and_ids_that_make_no_sense_are_refused(shop, tmp_path):
    customers, segmenter, _ = shop
    some = customers.head(2)
    for forms in ([], ["docx"], ["html", "doc"]):
        with pytest.raises(ParameterError, match="forms must be"):
            write_cards(segmenter, some, folder=tmp_path, ids=["a", "b"], forms=forms)
    with pytest.raises(ParameterError, match="locale"):
        write_cards(segmenter, some, folder=tmp_path, ids=["a", "b"], locale="xx")
    for ids, problem in [(["a"], "1 ids for 2 rows"), (["a", "a"], "used in row 0"), (["a", None], "no id")]:
        with pytest.raises(DataError, match=problem):
            write_cards(segmenter, some, folder=tmp_path, ids=ids)


@pytest.mark.slow
def test_every_form_is_written(shop, tmp_path):
    customers, segmenter, _ = shop
    write_cards(
        segmenter,
        customers.head(1),
        folder=tmp_path,
        ids=["a"],
        forms=FORMS,
        policy=xseg.datasets.customers_policy(),
        at=NOW,
    )
    starts = {"a.png": b"\x89PNG", "a.pdf": b"%PDF", "a.svg": b"<?xml", "a.email.html": b"<!doctype html>"}
    written = contents(tmp_path)
    assert len(written) == len(FORMS) + 1
    for name, start in starts.items():
        assert written[name].startswith(start)


def changed_orders(customers, segmenter):
    """The same call with one thing changed, and what the error calls it."""
    table, ids = customers.head(12), list(customers.index[:12])
    ledger, links = Ledger(), Identities()
    ledger.append(ids[0], "offers", "given", source="account")
    links.link(ids[0], "a telephone", kind="login")
    other = xseg.TreeSegmenter(3, random_state=0, effort="fast").fit(customers)
    same = {"ids": ids, "ledger": ledger, "identities": links, "policy": xseg.datasets.customers_policy()}
    later = Ledger()
    later.append(ids[0], "offers", "refused", source="account")
    more = Identities()
    more.link(ids[0], "another telephone", kind="login")
    return (segmenter, table, same), {
        "values of the people": (segmenter, table.assign(spend_year=table["spend_year"] + 1), same),
        "people": (segmenter, table, {**same, "ids": [*ids[1:], ids[0]]}),
        "model": (other, table, same),
        "state of the ledger": (segmenter, table, {**same, "ledger": later}),
        "links between identifiers": (segmenter, table, {**same, "identities": more}),
        "policy": (segmenter, table, {**same, "policy": None}),
        "locale": (segmenter, table, {**same, "locale": "fr"}),
        "tone": (segmenter, table, {**same, "tone": "formal"}),
    }


def test_cards_of_other_inputs_are_refused_by_name_and_overwritten_on_request(shop, tmp_path):
    customers, segmenter, _ = shop
    first, others = changed_orders(customers, segmenter)
    folder = tmp_path / "cards"
    forms = ["json", "text", "jsonl"]
    write_cards(first[0], first[1], folder=folder, forms=forms, at=NOW, **first[2])
    again = write_cards(first[0], first[1].copy(), folder=folder, forms=forms, at=NOW, **first[2])
    assert (again.n_written, again.n_kept) == (0, 12)
    kept = contents(folder)
    for what, (model, table, options) in others.items():
        with pytest.raises(DataError, match=rf"cards of another call, which differs in: .*{what}.*overwrite"):
            write_cards(model, table, folder=folder, forms=forms, at=NOW, **options)
        assert contents(folder) == kept
    for model, table, options in others.values():
        new = tmp_path / "new"
        written = write_cards(
            model, table, folder=folder, forms=["json"], at=NOW, options=WriteOptions(overwrite=True), **options
        )
        write_cards(model, table, folder=new, forms=["json"], at=NOW, options=WriteOptions(overwrite=True), **options)
        assert (written.n_written, written.n_kept) == (12, 0)
        assert contents(folder) == contents(new)


def test_nobody_keeps_the_card_of_last_month(shop, tmp_path):
    customers, segmenter, _ = shop
    ids = [str(number) for number in range(60)]
    may, june = customers.iloc[:60], customers.iloc[60:120]
    write_cards(segmenter, may, folder=tmp_path, ids=ids, forms=["json"])
    with pytest.raises(DataError, match="values of the people"):
        write_cards(segmenter, june, folder=tmp_path, ids=ids, forms=["json"])
    (tmp_path / "notes.md").write_text("mine")
    (tmp_path / "cards-of-mine.jsonl").write_text("mine")
    fewer = write_cards(
        segmenter, june.head(50), folder=tmp_path, ids=ids[:50], forms=["json"], options=WriteOptions(overwrite=True)
    )
    assert fewer.n_written == 50
    assert len(list(tmp_path.glob("*.json"))) == 51
    assert (tmp_path / "notes.md").read_text() == (tmp_path / "cards-of-mine.jsonl").read_text() == "mine"
    for row in range(50):
        card = json.loads((tmp_path / f"{row}.json").read_text())
        assert card["segment"]["index"] == segmenter.predict(june.iloc[[row]])[0]


def test_the_same_table_from_another_container_is_the_same(shop, tmp_path):
    _, segmenter, folder = shop
    some = pd.read_parquet(folder / "customers.parquet").head(15)
    write_cards(segmenter, some, folder=tmp_path, ids=range(15), forms=["json"])
    shuffled = some["channel"].astype("category")
    shuffled = shuffled.cat.reorder_categories(shuffled.cat.categories[::-1])
    for same in (some.copy(), some.assign(channel=shuffled), some.assign(spend_year=some["spend_year"].astype(object))):
        assert write_cards(segmenter, same, folder=tmp_path, ids=range(15), forms=["json"]).n_kept == 15


def test_the_gate_and_what_people_asked_of_it_count(shop, tmp_path):
    customers, segmenter, _ = shop
    some, log, ledger = customers.head(120), ActionLog(), Ledger()
    for name in some.index:
        ledger.append(name, "offers", "given", source="account")
    gate = ConsentGate(segmenter, ledger, purpose="offers", log=log).fit(some, ids=some.index)
    write_cards(gate, some, folder=tmp_path, ids=some.index, forms=["json"], at=NOW)
    person = some.index[0]
    xseg.governance.rights.Profile(
        segmenter,
        some.head(1),
        policy=xseg.datasets.customers_policy(),
        ledger=ledger,
        subject=person,
        purpose="offers",
        log=log,
    ).object()
    with pytest.raises(DataError, match="receipts in the log of the gate"):
        write_cards(gate, some, folder=tmp_path, ids=some.index, forms=["json"], at=NOW)


def test_a_folder_whose_people_were_removed_is_not_overwritten(shop, tmp_path):
    customers, segmenter, _ = shop
    some = customers.head(4)
    write_cards(segmenter, some, folder=tmp_path, ids=some.index, forms=["json"])
    remove_cards(tmp_path, [some.index[0]])
    assert some.index[0] not in (tmp_path / "xseg-cards.json").read_text()
    for overwrite in (False, True):
        with pytest.raises(DataError, match="write to another folder, or empty"):
            write_cards(
                segmenter,
                some,
                folder=tmp_path,
                ids=some.index,
                forms=["json"],
                options=WriteOptions(overwrite=overwrite),
            )


def test_the_command_line_refuses_other_inputs_and_overwrites_them(shop, tmp_path):
    customers, _, folder = shop
    table = tmp_path / "people.csv"
    command = ["cards", str(folder / "model.json"), str(table), "--id-column", "who", "--form", "json", "--out"]
    customers.head(9).assign(who=range(9)).to_csv(table, index=False)
    run = [*command, str(tmp_path / "out")]
    assert CliRunner().invoke(app, run).exit_code == 0
    assert "9 were there already" in " ".join(CliRunner().invoke(app, run).output.split())
    customers.iloc[9:18].assign(who=range(9)).to_csv(table, index=False)
    refused = CliRunner().invoke(app, run)
    assert refused.exit_code != 0
    assert "--overwrite" in str(refused.exception)
    assert "9 cards written" in " ".join(CliRunner().invoke(app, [*run, "--overwrite"]).output.split())


LONG = ["a" * 300, "ü" * 300, "ü" * 300 + "x", "人" * 400, "a" * 400 + "=", "x.y/" * 120, "a" * 96 + "=" + "0" * 40]


def test_long_ids_get_short_names_that_differ_and_are_listed(shop, tmp_path):
    customers, segmenter, _ = shop
    some = customers.head(len(LONG))
    write_cards(segmenter, some, folder=tmp_path, ids=LONG, forms=["json", "email"])
    listed = json.loads((tmp_path / "xseg-cards.json").read_text())
    assert len(listed["files"]) == len(set(listed["files"])) == len(LONG)
    for name, stem in zip(LONG, listed["files"], strict=True):
        assert listed["shortened"].get(stem, name) == name
        assert json.loads((tmp_path / f"{stem}.json").read_text())["reference"] == name
        assert (tmp_path / f"{stem}.email.html").exists()
    assert write_cards(segmenter, some, folder=tmp_path, ids=LONG, forms=["json"]).n_kept == len(LONG)
    assert remove_cards(tmp_path, LONG) == 2 * len(LONG)
    assert [path.name for path in tmp_path.iterdir()] == ["xseg-cards.json"]


@given(st.lists(st.text(min_size=1, max_size=400), min_size=1, max_size=5, unique_by=lambda text: text.strip()))
def test_every_text_is_a_name_of_a_file_of_its_own(names):
    names = [name for name in names if name.strip()]
    stems = list(build_file_stems(names))
    assert len(set(stems)) == len(names)
    assert all(len(stem.encode()) <= 200 and not set(stem) & set('/\\:*?"<>|.\0') for stem in stems)


def test_ids_that_are_no_text_are_refused(shop, tmp_path):
    customers, segmenter, _ = shop
    with pytest.raises(DataError, match="row 1 holds half of a character"):
        write_cards(segmenter, customers.head(2), folder=tmp_path, ids=["a", "b\ud800"])


def test_a_full_disk_is_one_of_our_errors_and_leaves_no_half(shop, tmp_path, monkeypatch):
    customers, segmenter, _ = shop
    some = customers.head(6)
    whole, left = Path.replace, [3]

    def replace(self, target):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(DataError, match=r"cannot write the cards to .*No space left on device"):
        write_cards(segmenter, some, folder=tmp_path, ids=some.index, forms=["json"])
    monkeypatch.undo()
    assert not list(tmp_path.glob(".*"))
    assert write_cards(segmenter, some, folder=tmp_path, ids=some.index, forms=["json"]).n_kept == 2


def test_a_folder_that_is_a_file_is_one_of_our_errors(shop, tmp_path):
    customers, segmenter, _ = shop
    (tmp_path / "cards").write_text("a file")
    with pytest.raises(DataError, match="cannot write the cards"):
        write_cards(segmenter, customers.head(1), folder=tmp_path / "cards", ids=["a"])


def test_a_missing_library_of_the_system_is_said(shop, monkeypatch):
    customers, segmenter, _ = shop

    def fail(name):
        raise OSError(errno.ENOENT, "cannot load library 'libpango-1.0-0'", name)

    monkeypatch.setattr("xseg._optional.import_module", fail)
    with pytest.raises(OptionalDependencyError, match=r"a card as PDF.*system library.*libpango"):
        xseg.make_cards(segmenter, customers.head(1))[0].pdf()
