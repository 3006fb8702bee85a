"""The application, what its commands print on, and the options that several of them have."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

__all__ = ["Drop", "IdColumn", "LedgerPath", "ModelPath", "PolicyPath", "Require", "TablePath", "app", "console"]

app = typer.Typer(
    help="Customer segments whose model is the explanation.", no_args_is_help=True, pretty_exceptions_enable=False
)
console = Console()

TablePath = Annotated[Path, typer.Argument(help="A table of customers: CSV, TSV or Parquet.", metavar="TABLE")]
ModelPath = Annotated[Path, typer.Argument(help="A model that `xseg fit` wrote.", metavar="MODEL")]
PolicyPath = Annotated[Path | None, typer.Option(help="A policy file (YAML): what people may be told.")]
IdColumn = Annotated[str | None, typer.Option(help="The column that names each person; it is never used to segment.")]
LedgerPath = Annotated[Path | None, typer.Option(help="Who agreed: a ledger in CSV or Parquet.")]
Require = Annotated[
    str | None, typer.Option(help="The least the model must be: draft, reviewed or approved.", metavar="STATE")
]
Drop = Annotated[list[str] | None, typer.Option(help="A column to leave out; may be given several times.")]
