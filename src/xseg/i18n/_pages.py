"""The Jinja environment of everything that is shown."""

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["get_environment"]

_MARKS = re.compile(r"([\\`*_\[\]#|<>~&])")
_LINE_START = re.compile(r"^(\s*)(?:(\d+)([.)])|([-+=]))")


@cache
def get_environment(package: str) -> "Environment":
    """Return the templates of a package, and the shared ones beside them.

    Templates whose name has ``.html`` or ``.css`` in it escape what they are given; a name that is not defined is an
    error. The filter ``plain_markdown`` escapes text for Markdown.

    Parameters
    ----------
    package : str
        The package whose folder ``templates`` is searched first, such as ``"xseg.cards"``.

    Returns
    -------
    jinja2.Environment
        The environment.

    Examples
    --------
    >>> from xseg.i18n import get_environment
    >>> get_environment("xseg.cards").from_string("{{ name }}").render(name="<b>")
    '&lt;b&gt;'
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    def escapes(name: str | None) -> bool:
        return name is None or not name.endswith((".txt.j2", ".md.j2"))

    pages = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("xseg.i18n")]),
        autoescape=escapes,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    pages.filters["plain_markdown"] = _plain_markdown
    return pages


def _plain_markdown(text: str) -> str:
    """Write text so that Markdown shows it as it is."""
    return _LINE_START.sub(r"\1\2\\\3\4", _MARKS.sub(r"\\\1", text))
