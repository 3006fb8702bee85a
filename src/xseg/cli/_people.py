"""What people are shown, and what they can do."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xseg.cli._app import (
    Decimal,
    Encoding,
    LedgerPath,
    ModelPath,
    PolicyPath,
    Require,
    Separator,
    TablePath,
    console,
    progress_bar,
    read,
    select_model_columns,
)
from xseg.exceptions import ParameterError

if TYPE_CHECKING:
    from xseg.governance.consent import Ledger

__all__ = ["register"]


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
    ledger: LedgerPath = None,
    jobs: Annotated[
        int | None, typer.Option(help="How many processes write; by default one for each processor.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove the cards of other inputs, such as last month's, first.")
    ] = False,
    require: Require = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
) -> None:
    """Write everyone's card; a run that was stopped is taken up where it ended."""
    from xseg.cards import WriteOptions, write_cards
    from xseg.export import load
    from xseg.governance.consent import Ledger

    segmenter = load(model, require=require)  # type: ignore[arg-type]
    customers, ids = read(table, id_column, [], {"separator": separator, "decimal": decimal, "encoding": encoding})
    with progress_bar() as progress:
        bar = progress.add_task("writing cards", total=len(customers))
        written = write_cards(
            segmenter,
            select_model_columns(segmenter, customers),
            folder=out,
            ids=ids,
            policy=policy,
            forms=form or ["html"],
            locale=locale,
            tone=tone,
            ledger=None if ledger is None else Ledger.load(ledger),
            options=WriteOptions(
                overwrite=overwrite, n_jobs=jobs, progress=lambda people: progress.advance(bar, people)
            ),
        )
    kept = f", {written.n_kept:,} were there already" if written.n_kept else ""
    console.print(f"{written.n_written:,} cards written to [bold]{written.folder}[/]{kept}.", highlight=False)


def profile(
    model: ModelPath,
    table: TablePath,
    policy: Annotated[Path, typer.Option(help="A policy file (YAML): what people may be told, and what for.")],
    purpose: Annotated[str, typer.Option(help="What the segments are used for, as the policy calls it.")],
    subject: Annotated[str, typer.Option(help="Whose page to open.")],
    id_column: Annotated[str, typer.Option(help="The column that names each person.")],
    ledger: LedgerPath = None,
    log: Annotated[
        Path | None, typer.Option(help="Where receipts are kept (JSON Lines); otherwise they end with the server.")
    ] = None,
    locale: Annotated[str, typer.Option(help="The language of the page, such as de or pt-BR.")] = "en",
    port: Annotated[int, typer.Option(help="The port of this machine to serve on.", min=1, max=65535)] = 8321,
    require: Require = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
) -> None:
    """Serve the page of one person's preference centre on this machine, to try it."""
    import secrets

    from xseg._optional import require as installed
    from xseg.export import load
    from xseg.governance.consent import Ledger
    from xseg.governance.rights import ActionLog, Profile, make_entry_link, make_profile_app

    server: Any = installed("uvicorn", extra="profile", purpose="serving the profile page")
    segmenter = load(model, require=require)  # type: ignore[arg-type]
    customers, ids = read(table, id_column, [], {"separator": separator, "decimal": decimal, "encoding": encoding})
    rows = [place for place, name in enumerate(ids) if str(name) == subject]
    if len(rows) != 1:
        who = f"{len(rows)} rows are called" if rows else "nobody is called"
        message = f"{table}: {who} {subject!r} in column {id_column!r}, and a page is about one person"
        raise ParameterError(message)
    row = select_model_columns(segmenter, customers).iloc[rows]
    agreed = Ledger() if ledger is None else Ledger.load(ledger)
    actions = ActionLog(log)
    mine = Profile(
        segmenter, row, policy=policy, ledger=agreed, subject=subject, purpose=purpose, log=actions, locale=locale
    )
    secret = secrets.token_urlsafe(32)
    keep = None if ledger is None else partial(_keep, agreed, ledger)
    page = make_profile_app({subject: mine}.get, secret=secret, locale=locale, https=False, keep=keep)
    console.print(f"Open http://127.0.0.1:{port}{make_entry_link(subject, secret)}", markup=False)
    server.run(page, host="127.0.0.1", port=port, log_level="warning")


def _keep(ledger: "Ledger", path: Path) -> None:
    """Write a ledger over the file it came from, unless somebody else has added to that meanwhile."""
    from xseg.exceptions import ConsentError

    there = type(ledger).load(path).head
    if there.size > len(ledger) or (there.size and ledger[there.size - 1].hash != there.hash):
        message = f"{path} was changed by somebody else meanwhile; nothing was written over it: start again"
        raise ConsentError(message)
    ledger.save(path)


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (cards, profile):
        app.command()(command)
