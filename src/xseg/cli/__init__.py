"""The command line: ``xseg demo``, ``inspect``, ``fit``, ``explain``, ``cards``, ``profile``, ``review`` and others."""

import re
import warnings
from typing import Any

from rich.console import Console

from xseg.cli import _models, _people, _reviews
from xseg.cli._app import app
from xseg.exceptions import XsegError, XsegWarning

__all__ = ["app", "main"]

_OPTIONS = {
    "forbid": "drop",
    "include": "include",
    "max_leaves": "max-leaves",
    "min_segment_size": "min-segment-size",
    "n_segments": "segments",
    "scaling": "scaling",
}
_PARAMETER = re.compile(rf"\b({'|'.join(_OPTIONS)})=")
_COLUMN = re.compile(r"column ('.*?')")

for commands in (_models, _people, _reviews):
    commands.register(app)


def main() -> None:
    """Run the command line; errors and warnings of xseg become one clear line each."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", XsegWarning)
        warnings.showwarning = _Warnings(warnings.showwarning)
        try:
            app()
        except XsegError as error:
            _print("[bold red]Error:[/] ", error)
            raise SystemExit(2) from None


class _Warnings:
    """Prints warnings of xseg as lines, once for each column and kind; hands others on."""

    def __init__(self, others: Any) -> None:
        self._others = others
        self._told: set[tuple[str, str]] = set()

    def __call__(self, message: Any, category: type[Warning], *place: Any, **options: Any) -> None:
        if not isinstance(message, XsegWarning):
            self._others(message, category, *place, **options)
            return
        column = _COLUMN.search(str(message))
        about = (category.__name__, column[1] if column else str(message))
        if about not in self._told:
            self._told.add(about)
            _print("[bold yellow]Warning:[/] ", message)


def _print(label: str, said: XsegError | XsegWarning) -> None:
    console = Console(stderr=True)
    console.print(label, end="")
    text = _PARAMETER.sub(lambda found: f"--{_OPTIONS[found[1]]} ", said.on_command_line)
    console.print(text, markup=False, highlight=False, soft_wrap=True)
