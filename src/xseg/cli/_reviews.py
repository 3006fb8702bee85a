"""Reviewing a model, and signing for it."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from xseg.cli._app import Decimal, Encoding, IdColumn, ModelPath, Separator, console, read
from xseg.exceptions import ParameterError

__all__ = ["register"]

_WHY_NEEDED = {
    "--id-column": "name the column that says whose row is whose, as the ledger calls people",
    "--data": "give the table of the people it is about",
}


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
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
) -> None:
    """Check a model against what its policy and a notice declare; the exit code is 1 where they differ."""
    from xseg.export import load
    from xseg.governance.consent import Ledger
    from xseg.governance.reviews import SEVERITIES, read_notice
    from xseg.governance.reviews import review as review_of

    allowed = (*SEVERITIES, "never")
    if fail_on not in allowed:
        message = f"--fail-on {fail_on}: give one of {', '.join(allowed)}"
        raise ParameterError(message)
    _check_who(data, id_column, ledger)
    text = {"separator": separator, "decimal": decimal, "encoding": encoding}
    people, ids = (None, []) if data is None else read(data, id_column, [], text)
    agreed, subjects = (None, None) if ledger is None else (Ledger.load(ledger), _check_ids(ids, data, id_column))
    found = review_of(
        load(model),
        people,
        policy=policy,
        ids=subjects,
        ledger=agreed,
        notice=None if notice is None else read_notice(notice, locale=notice_locale),
        held_out=held_out,
        random_state=seed,
    )
    if out is not None:
        found.save(out, form)
    elif form is not None:
        typer.echo(found.text(form))
    if out is not None or form is None:
        console.print(str(found), markup=False, highlight=False)
        if id_column is not None and ledger is None:
            console.print("Consent was not checked: no --ledger was given.", markup=False, highlight=False)
    if fail_on != "never" and found.at_least(fail_on):
        raise typer.Exit(1)


def _check_who(data: Path | None, id_column: str | None, ledger: Path | None) -> None:
    """Raise an error for a ledger, or a column of ids, that is about nobody."""
    given = {"--ledger": ledger, "--id-column": id_column, "--data": data}
    for option, needed in (("--ledger", "--id-column"), ("--ledger", "--data"), ("--id-column", "--data")):
        if given[option] is not None and given[needed] is None:
            message = f"{option} {given[option]} was given and no {needed}: {_WHY_NEEDED[needed]}"
            raise ParameterError(message)


def _check_ids(ids: list[Any], data: Path | None, id_column: str | None) -> list[Any]:
    """Return the ids by which a ledger knows people; each row has to have one."""
    for row, name in enumerate(ids):
        if name is None or name != name:
            message = f"{data}: row {row} has no {id_column!r}, so nobody can say whether this person has agreed"
            raise ParameterError(message)
    return ids


def approve(
    model: ModelPath,
    review: Annotated[Path, typer.Option(help="The review of this model: what `xseg review --out review.json` wrote.")],
    by: Annotated[str, typer.Option(help="The name of who signs.")],
    state: Annotated[str, typer.Option(help="reviewed, approved or draft; draft takes an approval back.")] = "approved",
    forbids: Annotated[
        str, typer.Option(help="The least severity of a finding that forbids an approval: error, warning or note.")
    ] = "error",
    max_age_days: Annotated[int, typer.Option(help="How many days old the review may be.", min=0)] = 30,
    expires: Annotated[
        datetime | None, typer.Option(help="The first day on which it no longer counts.", formats=["%Y-%m-%d"])
    ] = None,
) -> None:
    """Sign for a model: that it was reviewed, and then that it is approved; what is signed is kept in its file."""
    from xseg.export import get_approval, load, save
    from xseg.governance.approval import approve as sign
    from xseg.governance.approval import read_review

    segmenter = load(model)
    sign_off = sign(
        segmenter,
        by=by,
        review=read_review(review),
        state=state,  # type: ignore[arg-type]
        forbids=forbids,  # type: ignore[arg-type]
        max_age_days=max_age_days,
        expires=None if expires is None else expires.date(),
    )
    save(segmenter, model)
    until = "" if sign_off.expires is None else f", until {sign_off.expires}"
    console.print(
        f"{model} is {get_approval(segmenter).state}: signed by {sign_off.by} on {sign_off.day}{until}, "
        f"on review {sign_off.review[:8]}.",
        markup=False,
        highlight=False,
    )


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (review, approve):
        app.command()(command)
