"""Making segments and explaining them."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from xseg.cli._app import (
    Decimal,
    Drop,
    Encoding,
    IdColumn,
    ModelPath,
    PolicyPath,
    Require,
    Separator,
    TablePath,
    console,
    print_segments,
    progress_bar,
    read,
    select_model_columns,
)
from xseg.exceptions import ParameterError

__all__ = ["register"]

_DEMO_FORMS = ("html", "text", "markdown", "json")


def demo(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("xseg-demo"),
    rows: Annotated[int, typer.Option(help="How many made-up customers to segment.", min=50)] = 5_000,
    seed: Annotated[int, typer.Option(help="Seeds the customers and the fit.")] = 0,
) -> None:
    """Segment a made-up shop, explain everyone, and write cards, a report and the model."""
    with progress_bar() as progress:
        stage = progress.add_task("making customers", total=5)

        def begin(what: str) -> None:
            progress.update(stage, description=what)
            progress.advance(stage)

        import xseg
        from xseg.cards import write_cards as write

        customers, policy = xseg.make_customers(rows, random_state=seed), xseg.datasets.customers_policy()
        begin("finding segments")
        segmenter = xseg.TreeSegmenter(n_segments=5, random_state=seed).fit(customers)
        begin("writing cards")
        shown = [int((segmenter.labels_ == segment.index).argmax()) for segment in segmenter.segments_]
        some = customers.iloc[shown]
        cards = out / "cards" / xseg.export.fingerprint(segmenter)[:12]
        write(segmenter, some, folder=cards, ids=list(some.index), policy=policy, forms=_DEMO_FORMS)
        begin("writing the report")
        xseg.make_report(segmenter, customers, policy=policy).save(out / "report.html")
        begin("saving the model")
        xseg.save(segmenter, out / "model.json")
        policy.save(out / "policy.yaml")
        customers.to_csv(out / "customers.csv", index_label="customer_id")
        begin("done")
    print_segments(segmenter)
    first = cards / f"{some.index[0]}.html"
    console.print(f"\nOpen [bold]{out / 'report.html'}[/] for the whole model,")
    console.print(f"and [bold]{first}[/] for what one customer would be shown.")
    console.print(
        f"The table, the policy and the model are in {out}: try  xseg explain {out / 'model.json'} "
        f"{out / 'customers.csv'} --row 3",
        highlight=False,
    )


def warmup() -> None:
    """Compile everything that is compiled at first use, so that no later process waits: for images of containers.

    What is compiled is kept beside the installed package, or in the user's cache folder where that cannot be written.
    """
    import xseg

    customers, policy = xseg.make_customers(400, random_state=0), xseg.datasets.customers_policy()
    kinds = (xseg.TreeSegmenter, xseg.PrototypeSegmenter, xseg.MixtureSegmenter)
    with progress_bar() as progress:
        stage = progress.add_task("compiling", total=len(kinds))
        for kind in kinds:
            segmenter = kind(3, segment_names=["First", "Second", "Third"], random_state=0).fit(customers)
            xseg.explain(segmenter, customers, of="all")
            xseg.change(segmenter, customers.head(50), before=customers.tail(50).set_axis(customers.index[:50]))
            xseg.make_cards(segmenter, customers.head(2), policy=policy)
            xseg.Scorer(segmenter)(dict(zip(segmenter.feature_names_in_, customers.iloc[0], strict=True)))
            progress.advance(stage)
    console.print("Everything is compiled.")


def fit(
    table: TablePath,
    out: Annotated[Path, typer.Option(help="Where to write the model.")] = Path("model.json"),
    segments: Annotated[int, typer.Option(help="How many segments to make.", min=1)] = 5,
    max_leaves: Annotated[int | None, typer.Option(help="How many leaves the tree may have.")] = None,
    min_segment_size: Annotated[float, typer.Option(help="The least share (or number) of people in a leaf.")] = 0.005,
    scaling: Annotated[str, typer.Option(help="quantile, standard, robust or none.")] = "quantile",
    seed: Annotated[int, typer.Option(help="Seeds the fit.")] = 0,
    id_column: IdColumn = None,
    drop: Drop = None,
    include: Annotated[
        list[str] | None,
        typer.Option(help="A column to use although it looks like an identifier; may be given several times."),
    ] = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
) -> None:
    """Find segments in your own table and save the model."""
    import xseg

    customers, _ = read(
        table, id_column, drop or [], {"separator": separator, "decimal": decimal, "encoding": encoding}
    )
    segmenter = xseg.TreeSegmenter(
        segments,
        max_leaves=max_leaves,
        min_segment_size=int(min_segment_size) if min_segment_size >= 1 else min_segment_size,
        scaling=scaling,
        include=include or (),
        random_state=seed,
    )
    finding = f"finding {segments} segments among {len(customers):,} people"
    with (
        console.status(finding) as status,
        xseg.listen_to_progress(lambda progress: status.update(f"{finding}: {escape(str(progress))}")),
    ):
        segmenter.fit(customers)
    xseg.save(segmenter, out)
    print_segments(segmenter)
    console.print(f"\nThe model is in [bold]{out}[/].")


def inspect(
    table: TablePath,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
) -> None:
    """Report how each column of a table is read: identifiers, dates, numbers with other cells among them."""
    from xseg.datasets import inspect as inspect_table

    customers, _ = read(table, None, [], {"separator": separator, "decimal": decimal, "encoding": encoding})
    console.print(str(inspect_table(customers)), markup=False, highlight=False)


def explain(
    model: ModelPath,
    table: TablePath,
    row: Annotated[int, typer.Option(help="Which row of the table to explain, counting from 0.", min=0)] = 0,
    policy: PolicyPath = None,
    require: Require = None,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
) -> None:
    """Show why one person is in their segment."""
    from xseg.explanations import explain_row
    from xseg.export import load
    from xseg.policy import Policy

    segmenter = load(model, require=require)  # type: ignore[arg-type]
    customers = select_model_columns(
        segmenter, read(table, None, [], {"separator": separator, "decimal": decimal, "encoding": encoding})[0]
    )
    if row >= len(customers):
        message = f"{table} has {len(customers):,} rows, so there is no row {row}; they are counted from 0"
        raise ParameterError(message)
    labels = Policy.coerce(policy)
    labels.check_columns(map(str, customers.columns))
    labels.check_segments(segmenter.segment_names_)
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
    console.print(listing, highlight=False, soft_wrap=False)


def _shown(value: Any) -> str:
    if value is None or value != value:
        return "missing"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (demo, warmup, inspect, fit, explain):
        app.command()(command)
