"""The application, what its commands print on, and the options that several of them have."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

__all__ = [
    "Decimal",
    "Drop",
    "Encoding",
    "IdColumn",
    "LedgerPath",
    "ModelPath",
    "PolicyPath",
    "Require",
    "Separator",
    "TablePath",
    "TextOptions",
    "app",
    "console",
]

app = typer.Typer(
    help="Customer segments whose model is the explanation.", no_args_is_help=True, pretty_exceptions_enable=False
)
# A path that is broken over two lines cannot be copied; only tables are fitted to the width of the terminal.
console = Console(soft_wrap=True)

TablePath = Annotated[Path, typer.Argument(help="A table of customers: CSV, TSV, TXT or Parquet.", metavar="TABLE")]
ModelPath = Annotated[Path, typer.Argument(help="A model that `xseg fit` wrote.", metavar="MODEL")]
PolicyPath = Annotated[Path | None, typer.Option(help="A policy file (YAML): what people may be told.")]
IdColumn = Annotated[str | None, typer.Option(help="The column that names each person; it is never used to segment.")]
LedgerPath = Annotated[Path | None, typer.Option(help="Who agreed: a ledger in CSV or Parquet.")]
Require = Annotated[
    str | None, typer.Option(help="The least the model must be: draft, reviewed or approved.", metavar="STATE")
]
TextOptions = Mapping[str, str | None]
Separator = Annotated[
    str | None,
    typer.Option(help="The character between the cells of a text file; \\t is a tab. By default the rows tell."),
]
Decimal = Annotated[
    str | None, typer.Option(help="The decimal mark of a text file, . or , (by default the numbers tell).")
]
Encoding = Annotated[
    str | None, typer.Option(help="The encoding of a text file, such as cp1252; by default UTF-8 or UTF-16.")
]
Drop = Annotated[list[str] | None, typer.Option(help="A column to leave out; may be given several times.")]
