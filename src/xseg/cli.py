"""The command line: ``xseg demo``, ``fit``, ``explain``, ``cards``, ``profile`` and ``review``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from xseg.exceptions import ParameterError, XsegError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["app", "main"]

app = typer.Typer(
    help="Customer segments whose model is the explanation.", no_args_is_help=True, pretty_exceptions_enable=False
)
console = Console()
_DEMO_FORMS = ("html", "text", "markdown", "json")
_WHY_NEEDED = {
    "--id-column": "name the column that says whose row is whose, as the ledger calls people",
    "--data": "give the table of the people it is about",
}

TablePath = Annotated[Path, typer.Argument(help="A table of customers: CSV, TSV or Parquet.", metavar="TABLE")]
ModelPath = Annotated[Path, typer.Argument(help="A model that `xseg fit` wrote.", metavar="MODEL")]
PolicyPath = Annotated[Path | None, typer.Option(help="A policy file (YAML): what people may be told.")]
IdColumn = Annotated[str | None, typer.Option(help="The column that names each person; it is never used to segment.")]
Drop = Annotated[list[str] | None, typer.Option(help="A column to leave out; may be given several times.")]


def main() -> None:
    """Run the command line; errors of ours become one clear line."""
    try:
        app()
    except XsegError as error:
        Console(stderr=True).print("[bold red]Error:[/] ", end="")
        Console(stderr=True).print(str(error), markup=False, highlight=False)
        raise SystemExit(2) from None


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("xseg-demo"),
    rows: Annotated[int, typer.Option(help="How many made-up customers to segment.", min=50)] = 5_000,
    seed: Annotated[int, typer.Option(help="Seeds the customers and the fit.")] = 0,
) -> None:
    """Segment a made-up shop, explain everyone, and write cards, a report and the model."""
    with _progress() as progress:
        stage = progress.add_task("making customers", total=5)

        def begin(what: str) -> None:
            progress.update(stage, description=what)
            progress.advance(stage)

        import xseg
        from xseg.cards import write_cards as write

        customers, policy = xseg.make_customers(rows, random_state=seed), xseg.customers_policy()
        begin("finding segments")
        segmenter = xseg.TreeSegmenter(n_segments=5, random_state=seed).fit(customers)
        begin("writing cards")
        shown = [int((segmenter.labels_ == segment.index).argmax()) for segment in segmenter.segments_]
        some = customers.iloc[shown]
        cards = out / "cards" / xseg.export.fingerprint(segmenter)[:12]
        write(segmenter, some, cards, ids=list(some.index), policy=policy, forms=_DEMO_FORMS)
        begin("writing the report")
        xseg.make_report(segmenter, customers, policy=policy).save(out / "report.html")
        begin("saving the model")
        xseg.save(segmenter, out / "model.json")
        policy.save(out / "policy.yaml")
        customers.to_csv(out / "customers.csv", index_label="customer_id")
        begin("done")
    _print_segments(segmenter)
    first = cards / f"{some.index[0]}.html"
    # A path that is broken over two lines cannot be copied.
    console.print(f"\nOpen [bold]{out / 'report.html'}[/] for the whole model,", soft_wrap=True)
    console.print(f"and [bold]{first}[/] for what one customer would be shown.", soft_wrap=True)
    console.print(
        f"The table, the policy and the model are in {out}: try  xseg explain {out / 'model.json'} "
        f"{out / 'customers.csv'} --row 3",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def fit(
    table: TablePath,
    out: Annotated[Path, typer.Option(help="Where to write the model.")] = Path("model.json"),
    segments: Annotated[int, typer.Option(help="How many segments to make.", min=1)] = 5,
    max_leaves: Annotated[int | None, typer.Option(help="How many leaves the tree may have.")] = None,
    min_segment_size: Annotated[float, typer.Option(help="The least share (or number) of people in a leaf.")] = 0.005,
    scaling: Annotated[str, typer.Option(help="standard, robust, quantile or none.")] = "standard",
    seed: Annotated[int, typer.Option(help="Seeds the fit.")] = 0,
    id_column: IdColumn = None,
    drop: Drop = None,
) -> None:
    """Find segments in your own table and save the model."""
    import xseg

    customers, _ = _read(table, id_column, drop or [])
    segmenter = xseg.TreeSegmenter(
        segments,
        max_leaves=max_leaves,
        min_segment_size=int(min_segment_size) if min_segment_size >= 1 else min_segment_size,
        scaling=scaling,
        random_state=seed,
    )
    with console.status(f"finding {segments} segments among {len(customers):,} people"):
        segmenter.fit(customers)
    xseg.save(segmenter, out)
    _print_segments(segmenter)
    console.print(f"\nThe model is in [bold]{out}[/].")


@app.command()
def explain(
    model: ModelPath,
    table: TablePath,
    row: Annotated[int, typer.Option(help="Which row of the table to explain, counting from 0.", min=0)] = 0,
    policy: PolicyPath = None,
) -> None:
    """Say why one person is in their segment."""
    from xseg.explanations import explain_row
    from xseg.export import load
    from xseg.policy import Policy

    segmenter = load(model)
    customers = _columns_of(segmenter, _read(table, None, [])[0])
    if row >= len(customers):
        message = f"{table} has {len(customers):,} rows, so there is no row {row}; they are counted from 0"
        raise ParameterError(message)
    labels = Policy.of(policy)
    found = explain_row(segmenter, customers.iloc[[row]])
    segment = segmenter.segments_[found.segment]
    console.print(f"Row {row} is in [bold]{segment.name}[/] ({segment.share:.0%} of everyone):", highlight=False)
    console.print(segment.rule, markup=False, highlight=False)
    if found.original_agrees is not None:
        console.print(f"does {segmenter.original_name_}, which this stands in for, agree: {found.original_agrees}")
    listing = Table(box=None, pad_edge=False, header_style="bold")
    listing.add_column("why")
    listing.add_column("value", justify="right")
    if found.rival is None:
        unit, first, scale, digits = "points", "share of everyone in this segment", 100.0, 1
    else:
        unit, scale, digits = "margin", 1.0, 3
        first = f"how far everyone is ahead of {segmenter.segment_names_[found.rival]}"
    listing.add_column(unit, justify="right")
    listing.add_row(escape(first), "", f"{scale * found.base_value:.{digits}f}")
    for name, value, contribution in found.reasons:
        listing.add_row(labels.feature(name).label, _shown(value), f"{scale * contribution:+.{digits}f}")
    together = found.base_value + sum(contribution for *_, contribution in found.reasons)
    listing.add_row("together", "", f"{scale * together:.{digits}f}", style="bold")
    console.print(listing, highlight=False)


@app.command()
def cards(
    model: ModelPath,
    table: TablePath,
    id_column: Annotated[str, typer.Option(help="The column that names each person.")],
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("cards"),
    policy: PolicyPath = None,
    form: Annotated[
        list[str] | None, typer.Option(help="html, text, markdown, json, email, svg, png, pdf, jsonl or parquet.")
    ] = None,
    locale: Annotated[
        str | None, typer.Option(help="The language, such as de or pt-BR; by default the policy's.")
    ] = None,
    tone: Annotated[str, typer.Option(help="plain or formal.")] = "plain",
    jobs: Annotated[int, typer.Option(help="How many processes write; -1 means one for each processor.")] = 1,
) -> None:
    """Write everyone's card; a run that was stopped is taken up where it ended."""
    from xseg.cards import write_cards
    from xseg.export import load

    segmenter = load(model)
    customers, ids = _read(table, id_column, [])
    with _progress() as progress:
        bar = progress.add_task("writing cards", total=len(customers))
        written = write_cards(
            segmenter,
            _columns_of(segmenter, customers),
            out,
            ids=ids,
            policy=policy,
            forms=form or ["html"],
            progress=lambda people: progress.advance(bar, people),
            n_jobs=jobs,
            locale=locale,
            tone=tone,
        )
    kept = f", {written.n_kept:,} were there already" if written.n_kept else ""
    console.print(f"{written.n_written:,} cards written to [bold]{written.folder}[/]{kept}.", highlight=False)


@app.command()
def profile(
    model: ModelPath,
    table: TablePath,
    policy: Annotated[Path, typer.Option(help="A policy file (YAML): what people may be told, and what for.")],
    purpose: Annotated[str, typer.Option(help="What the segments are used for, as the policy calls it.")],
    subject: Annotated[str, typer.Option(help="Whose page to open.")],
    id_column: Annotated[str, typer.Option(help="The column that names each person.")],
    ledger: Annotated[Path | None, typer.Option(help="Who agreed: a ledger in CSV or Parquet.")] = None,
    locale: Annotated[str, typer.Option(help="The language of the page, such as de or pt-BR.")] = "en",
    port: Annotated[int, typer.Option(help="The port of this machine to serve on.", min=1, max=65535)] = 8321,
) -> None:
    """Serve the page of one person's preference centre on this machine, to try it."""
    import secrets

    from xseg import Profile
    from xseg._optional import require
    from xseg.consent import Ledger
    from xseg.export import load
    from xseg.rights import entry_link, profile_app

    server: Any = require("uvicorn", extra="profile", purpose="serving the profile page")
    segmenter = load(model)
    customers, ids = _read(table, id_column, [])
    if subject not in [str(name) for name in ids]:
        message = f"{table} has nobody called {subject!r} in column {id_column!r}"
        raise ParameterError(message)
    row = _columns_of(segmenter, customers).iloc[[[str(name) for name in ids].index(subject)]]
    agreed = Ledger() if ledger is None else Ledger.load(ledger)
    mine = Profile(segmenter, policy, agreed, subject, row, purpose=purpose, locale=locale)
    secret = secrets.token_urlsafe(32)
    page = profile_app({subject: mine}.get, secret=secret, locale=locale, https=False)
    console.print(f"Open http://127.0.0.1:{port}{entry_link(subject, secret)}", markup=False, soft_wrap=True)
    server.run(page, host="127.0.0.1", port=port, log_level="warning")


@app.command()
def review(
    model: ModelPath,
    policy: Annotated[Path, typer.Option(help="The policy file (YAML): what is declared.")],
    data: Annotated[Path | None, typer.Option(help="A table of people, with any sensitive columns there are.")] = None,
    notice: Annotated[Path | None, typer.Option(help="The public privacy notice: HTML, Markdown or text.")] = None,
    notice_locale: Annotated[
        str | None, typer.Option(help="The language of the notice, such as de; by default its words and marks tell.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; otherwise findings are listed.")] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="html, json or sarif; by default the ending of --out tells.")
    ] = None,
    fail_on: Annotated[
        str, typer.Option(help="The least severity that makes the exit code 1: error, warning, note or never.")
    ] = "error",
    held_out: Annotated[bool, typer.Option(help="Whether these people had no part in the fit.")] = False,
    id_column: IdColumn = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Who agreed: a ledger in CSV or Parquet; needs --data and --id-column.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seeds splits and shuffles.", min=0)] = 0,
) -> None:
    """Put what a policy and a notice declare beside what a model does; the exit code is 1 where they differ."""
    from xseg.consent import Ledger
    from xseg.export import load
    from xseg.reviews import SEVERITIES
    from xseg.reviews import review as review_of

    allowed = (*SEVERITIES, "never")
    if fail_on not in allowed:
        message = f"--fail-on {fail_on}: give one of {', '.join(allowed)}"
        raise ParameterError(message)
    _check_who(data, id_column, ledger)
    people, ids = (None, []) if data is None else _read(data, id_column, [])
    agreed, subjects = (None, None) if ledger is None else (Ledger.load(ledger), _known(ids, data, id_column))
    found = review_of(
        load(model),
        policy,
        people,
        agreed,
        notice,
        notice_locale=notice_locale,
        subjects=subjects,
        held_out=held_out,
        random_state=seed,
    )
    if out is not None:
        found.save(out, form)
    elif form is not None:
        typer.echo(found.text(form))
    if out is not None or form is None:
        console.print(str(found), markup=False, highlight=False, soft_wrap=True)
        if id_column is not None and ledger is None:
            console.print("Consent was not checked: no --ledger was given.", markup=False, highlight=False)
    if fail_on != "never" and found.at_least(fail_on):
        raise typer.Exit(1)


def _check_who(data: Path | None, id_column: str | None, ledger: Path | None) -> None:
    """Refuse a ledger, or a column of ids, that is about nobody."""
    given = {"--ledger": ledger, "--id-column": id_column, "--data": data}
    for option, needed in (("--ledger", "--id-column"), ("--ledger", "--data"), ("--id-column", "--data")):
        if given[option] is not None and given[needed] is None:
            message = f"{option} {given[option]} was given and no {needed}: {_WHY_NEEDED[needed]}"
            raise ParameterError(message)


def _known(ids: list[Any], data: Path | None, id_column: str | None) -> list[Any]:
    """Give the ids by which a ledger knows people; each row has to have one."""
    for row, name in enumerate(ids):
        if name is None or name != name:
            message = f"{data}: row {row} has no {id_column!r}, so nobody can say whether this person has agreed"
            raise ParameterError(message)
    return ids


def _read(path: Path, id_column: str | None, drop: list[str]) -> tuple["pd.DataFrame", list[Any]]:
    """Read a table, without the columns that must not be used; gives the ids too."""
    from xseg.core.schema import suggestion
    from xseg.datasets import load_table
    from xseg.exceptions import FeatureNamesError

    table = load_table(path)
    for name in [*drop, *([id_column] if id_column else [])]:
        if name not in table.columns:
            message = f"{path} has no column {name!r}{suggestion(name, list(table.columns))}"
            raise FeatureNamesError(message)
    ids = table[id_column].tolist() if id_column else []
    return table.drop(columns=[*drop, *([id_column] if id_column else [])]), ids


def _columns_of(segmenter: Any, table: "pd.DataFrame") -> "pd.DataFrame":
    """Keep the columns the model was fitted on; other columns of the file do not matter."""
    from xseg.exceptions import SchemaError

    names = list(segmenter.profile_.bins.schema.names)
    missing = [name for name in names if name not in table.columns]
    if missing:
        message = f"the table lacks the column(s) {', '.join(map(repr, missing))} that the model was fitted on"
        raise SchemaError(message)
    return table[names]


def _print_segments(segmenter: Any) -> None:
    from xseg.ink import figures_of

    listing = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (("segment", "left"), ("people", "right"), ("share", "right"), ("who belongs to it", "left")):
        listing.add_column(title, justify=justify)  # type: ignore[arg-type]
    for segment in segmenter.segments_:
        listing.add_row(segment.name, f"{segment.size:,.0f}", f"{segment.share:.0%}", segment.rule)
    console.print(listing, markup=False, highlight=False)
    told = ", ".join(f"{figure.what} {figure.value} ({figure.how})" for figure in figures_of(segmenter))
    if told:
        console.print(f"\n{told}", highlight=False)


def _shown(value: Any) -> str:
    if value is None or value != value:
        return "missing"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress
