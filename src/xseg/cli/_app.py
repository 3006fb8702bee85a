"""The application, and what its commands share: options, reading a table, showing what was found."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from xseg.segmenters import FittedSegmenter

if TYPE_CHECKING:
    import pandas as pd

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
    "print_segments",
    "progress_bar",
    "read",
    "select_model_columns",
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


def read(
    path: Path, id_column: str | None, drop: list[str], text: TextOptions = MappingProxyType({})
) -> tuple["pd.DataFrame", list[Any]]:
    """Read a table, without the columns that must not be used; returns the ids too.

    `text` holds the separator, decimal mark and encoding of a text file, as far as they are given.
    """
    from xseg.core.schema import suggest_name
    from xseg.datasets import load_table
    from xseg.exceptions import DataError

    options = {name: value for name, value in text.items() if value is not None}
    if options.get("separator") == r"\t":
        options["separator"] = "\t"
    table = load_table(path, **options)
    for name in [*drop, *([id_column] if id_column else [])]:
        if name not in table.columns:
            message = f"{path} has no column {name!r}{suggest_name(name, list(table.columns))}"
            raise DataError(message)
    ids = table[id_column].tolist() if id_column else []
    return table.drop(columns=[*drop, *([id_column] if id_column else [])]), ids


def select_model_columns(segmenter: FittedSegmenter, table: "pd.DataFrame") -> "pd.DataFrame":
    """Keep the columns the model was fitted on; those that it accepts and does not use may be absent."""
    from xseg.exceptions import DataError

    names = list(segmenter.profile_.bins.schema.names)
    missing = [name for name in names if name not in table.columns and name not in segmenter.excluded_columns_]
    if missing:
        message = f"the table lacks the column(s) {', '.join(map(repr, missing))} that the model was fitted on"
        raise DataError(message)
    return table.reindex(columns=names)


def print_segments(segmenter: FittedSegmenter) -> None:
    from xseg.reports import compute_figures

    listing = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (("segment", "left"), ("people", "right"), ("share", "right"), ("who belongs to it", "left")):
        listing.add_column(title, justify=justify)  # type: ignore[arg-type]
    for segment in segmenter.segments_:
        listing.add_row(segment.name, f"{segment.size:,.0f}", f"{segment.share:.0%}", segment.rule)
    console.print(listing, markup=False, highlight=False, soft_wrap=False)
    told = ", ".join(f"{figure.what} {figure.value} ({figure.how})" for figure in compute_figures(segmenter))
    if told:
        console.print(f"\n{told}", highlight=False)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress
