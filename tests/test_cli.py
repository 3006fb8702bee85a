"""The command line, as a newcomer and as somebody with a file of their own."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import xseg
from xseg.cli import app, main


@pytest.fixture
def run():
    def call(*words):
        result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return call


@pytest.fixture
def shop(tmp_path):
    customers = xseg.make_customers(400, random_state=0)
    customers.to_csv(tmp_path / "customers.csv", index_label="customer_id")
    customers.reset_index().to_parquet(tmp_path / "customers.parquet")
    xseg.datasets.customers_policy().save(tmp_path / "policy.yaml")
    return tmp_path


def test_demo_writes_everything(run, tmp_path):
    out = run("demo", "--out", tmp_path / "demo", "--rows", 300)
    assert "compared with k-means" in out
    assert "report.html" in out
    written = {path.suffix for path in (tmp_path / "demo").rglob("*") if path.is_file()}
    assert written >= {".html", ".txt", ".json", ".md", ".yaml", ".csv"}
    model = xseg.load(tmp_path / "demo" / "model.json")
    assert model.n_segments_ == 5
    for segment in model.segments_:
        assert f"{segment.size:,.0f}" in out


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_fit_explain_cards_on_a_file(run, shop, form):
    table, model = shop / f"customers.{form}", shop / "model.json"
    assert "compared with k-means" in run("fit", table, "--segments", 3, "--out", model, "--id-column", "customer_id")
    assert xseg.load(model).n_segments_ == 3
    out = run("explain", model, table, "--row", 3)
    assert "together" in out
    assert "100.0" in out
    out = run(
        "cards", model, table, "--out", shop / "cards", "--id-column", "customer_id", "--policy", shop / "policy.yaml"
    )
    assert "400 cards written" in out
    assert len(list((shop / "cards").glob("*.html"))) == 400


@pytest.mark.parametrize("kind", ["rules", "stand-in"])
def test_models_of_every_kind_are_explained_and_carded(run, shop, kind):
    customers = xseg.load_table(shop / "customers.csv").drop(columns="customer_id")
    models = {
        "rules": lambda: xseg.RuleSegmenter({"Regulars": "orders_90d >= 3", "App": "channel == 'app'"}).fit(customers),
        "stand-in": lambda: xseg.SurrogateSegmenter(random_state=0).fit(customers, customers["channel"] == "app"),
    }
    xseg.save(models[kind](), shop / "model.json")
    out = run("explain", shop / "model.json", shop / "customers.csv", "--row", 3)
    assert "100.0" in out
    assert ("agree: not known" in out) == (kind == "stand-in")
    words = ["--out", shop / "cards", "--id-column", "customer_id", "--form", "text"]
    assert "400 cards written" in run("cards", shop / "model.json", shop / "customers.csv", *words)


def test_cards_are_taken_up_where_they_stopped(run, shop):
    run("fit", shop / "customers.csv", "--segments", 3, "--out", shop / "model.json", "--id-column", "customer_id")
    words = ["cards", shop / "model.json", shop / "customers.csv", "--out", shop / "cards"]
    words += ["--id-column", "customer_id", "--form", "json"]
    run(*words)
    written = sorted((shop / "cards").glob("C*.json"))
    kept = written[0].read_bytes()
    for path in written[5:]:
        path.unlink()
    out = run(*words)
    assert "395 cards written" in out
    assert "5 were there already" in out
    assert written[0].read_bytes() == kept
    assert sorted((shop / "cards").glob("C*.json")) == written
    assert all(json.loads(path.read_text()) for path in written)


def test_cards_of_another_model_are_not_mixed(run, shop):
    table = shop / "customers.csv"
    for segments in (3, 4):
        run("fit", table, "--segments", segments, "--out", shop / f"{segments}.json", "--id-column", "customer_id")
    run("cards", shop / "3.json", table, "--out", shop / "cards", "--id-column", "customer_id", "--form", "text")
    with pytest.raises(xseg.XsegError, match="another call, which differs in: model"):
        run("cards", shop / "4.json", table, "--out", shop / "cards", "--id-column", "customer_id")


def test_mistakes_are_one_clear_line(run, shop, capsys, monkeypatch):
    cases = [
        (["fit", shop / "nope.csv"], "nope.csv"),
        (["fit", shop / "customers.csv", "--id-column", "customer"], "did you mean 'customer_id'"),
        (["explain", shop / "customers.csv", shop / "customers.csv"], "not a model file"),
    ]
    for words, problem in cases:
        with pytest.raises(xseg.XsegError, match=problem):
            run(*words)
    run("fit", shop / "customers.csv", "--out", shop / "model.json", "--id-column", "customer_id")
    with pytest.raises(xseg.XsegError, match="400 rows"):
        run("explain", shop / "model.json", shop / "customers.csv", "--row", 400)
    monkeypatch.setattr("sys.argv", ["xseg", "fit", str(shop / "nope.csv")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "Error:" in capsys.readouterr().err


def test_ids_must_name_people(run, shop):
    from xseg.cards import write_cards

    customers = xseg.make_customers(300, random_state=0)
    segmenter = xseg.TreeSegmenter(3, random_state=0).fit(customers)
    some = customers.head(2)
    for ids, problem in ((["a", "a"], "used in row 0 and again in row 1"), (["a", None], "row 1 has no id")):
        with pytest.raises(xseg.XsegError, match=problem):
            write_cards(segmenter, some, folder=shop / "c", ids=ids)
    write_cards(segmenter, some, folder=shop / "d", ids=["../../x", "a/b"])
    assert len(list((shop / "d").glob("*.html"))) == 2
    with pytest.raises(xseg.XsegError, match="forms must be"):
        write_cards(segmenter, some, folder=shop / "e", ids=["a", "b"], forms=["docx"])


def test_the_profile_page_is_served_to_the_person_asked_for(run, shop, monkeypatch):
    import uvicorn
    from starlette.testclient import TestClient

    run("fit", shop / "customers.csv", "--segments", 3, "--out", shop / "model.json", "--id-column", "customer_id")
    served = []
    monkeypatch.setattr(uvicorn, "run", lambda page, **where: served.append((page, where)))
    out = run(
        "profile", shop / "model.json", shop / "customers.csv", "--policy", shop / "policy.yaml", "--purpose", "offers",
        "--subject", "C000007", "--id-column", "customer_id",
    )  # fmt: skip
    (page, where), path = served[0], out.split("127.0.0.1:8321")[1].split()[0]
    assert where["host"] == "127.0.0.1"
    client = TestClient(page, base_url="http://127.0.0.1:8321")
    assert client.get("/").status_code == 403
    client.get(path)
    assert "You have not agreed to this use." in client.get("/").text


def test_what_is_said_on_the_served_page_is_in_the_files_before_it_is_confirmed(run, shop, monkeypatch):
    import uvicorn
    from starlette.testclient import TestClient

    from xseg.governance.consent import Ledger
    from xseg.governance.rights import ActionLog

    run("fit", shop / "customers.csv", "--segments", 3, "--out", shop / "model.json", "--id-column", "customer_id")
    ledger = Ledger()
    ledger.append("C000007", "offers", "given", source="account")
    ledger.save(shop / "ledger.parquet")
    words = [
        "profile", shop / "model.json", shop / "customers.csv", "--policy", shop / "policy.yaml", "--purpose", "offers",
        "--subject", "C000007", "--id-column", "customer_id", "--ledger", shop / "ledger.parquet",
        "--log", shop / "actions.jsonl",
    ]  # fmt: skip
    served = []
    monkeypatch.setattr(uvicorn, "run", lambda page, **_: served.append(page))

    def opened():
        path = run(*words).split("127.0.0.1:8321")[1].split()[0]
        client = TestClient(served[-1], base_url="http://127.0.0.1:8321")
        client.get(path)
        return client

    client = opened()
    page = client.get("/").text
    token = page.split('name="token" value="')[1].split('"')[0]
    for action in ("withdraw", "restrict"):
        client.post("/act", data={"token": token, "action": action})
    assert [str(entry.state) for entry in Ledger.load(shop / "ledger.parquet")] == ["given", "withdrawn"]
    # Each is written down before it is done, and again with how it ended.
    told = [line["action"] for line in ActionLog.load(shop / "actions.jsonl")]
    assert told == ["intent", "withdraw", "intent", "restrict"]
    client = opened()
    page = client.get("/").text
    assert "You asked us to set your information aside." in page
    other = Ledger.load(shop / "ledger.parquet")
    other.append("C000008", "offers", "withdrawn", source="account")
    other.save(shop / "ledger.parquet")
    token = page.split('name="token" value="')[1].split('"')[0]
    answer = client.post("/act", data={"token": token, "action": "withdraw"})
    assert (answer.status_code, "changed by somebody else" in answer.text) == (400, True)
    assert len(Ledger.load(shop / "ledger.parquet")) == 3


FIRST_CALLS = """
import numba.core.event as event

compiled = []


class Listener(event.Listener):
    def on_start(self, started):
        compiled.append(started.data["dispatcher"].py_func.__name__)

    def on_end(self, ended):
        pass


event.register("numba:compile", Listener())
import xseg

customers = xseg.make_customers(300, random_state=1)
segmenter = xseg.{kind}(4, random_state=1).fit(customers)
xseg.explain(segmenter, customers)
xseg.make_cards(segmenter, customers.head(1), policy=xseg.datasets.customers_policy())
print(compiled)
"""


@pytest.mark.slow
def test_after_a_warm_up_nothing_is_compiled(tmp_path):
    def run_python(*arguments):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True)

    assert "Everything is compiled." in run_python("-m", "xseg", "warmup").stdout
    for kind in ("TreeSegmenter", "PrototypeSegmenter", "MixtureSegmenter"):
        assert run_python("-c", FIRST_CALLS.format(kind=kind)).stdout.strip() == "[]"


LIGHT_CALLS = """
import sys

from xseg.cli import main

sys.argv = ["xseg", "explain", {model!r}, {table!r}, "--row", "3"]
try:
    main()
except SystemExit:
    pass
print(sorted({{"numba", "shap", "matplotlib", "sklearn.linear_model"}} & set(sys.modules)))
"""


def test_explaining_a_row_of_a_saved_model_imports_no_compiler(tmp_path):
    customers = xseg.make_customers(300, random_state=1)
    customers.to_csv(tmp_path / "customers.csv", index=False)
    xseg.save(xseg.TreeSegmenter(4, random_state=1).fit(customers), tmp_path / "model.json")
    calls = LIGHT_CALLS.format(model=str(tmp_path / "model.json"), table=str(tmp_path / "customers.csv"))
    done = subprocess.run([sys.executable, "-c", calls], capture_output=True, text=True, check=True)
    assert "together" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
