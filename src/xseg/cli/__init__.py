"""The command line: ``xseg demo``, ``fit``, ``explain``, ``cards``, ``profile``, ``review`` and ``approve``."""

from rich.console import Console

from xseg.cli import _models, _people, _reviews
from xseg.cli._app import app
from xseg.exceptions import XsegError

__all__ = ["app", "main"]

for commands in (_models, _people, _reviews):
    commands.register(app)


def main() -> None:
    """Run the command line; errors of ours become one clear line."""
    try:
        app()
    except XsegError as error:
        Console(stderr=True).print("[bold red]Error:[/] ", end="")
        Console(stderr=True).print(str(error), markup=False, highlight=False)
        raise SystemExit(2) from None
