"""What pydantic found, as sentences: where, what was found, what is allowed."""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from xseg.policy._yaml import KeyPath, Lines

_LONGEST_VALUE = 60


def shown(value: object) -> str:
    """Return a value as a message shows it: in one short piece, whatever it is."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a value that cannot even be shown must not hide what is wrong with it
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the known name nearest to `name`, or nothing."""
    nearest = get_close_matches(name if isinstance(name, str) else shown(name), list(known), n=1)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""


def _same(path: KeyPath) -> KeyPath:
    return path


def describe(
    error: ValidationError,
    source: str,
    lines: Lines,
    keys_at: Callable[[KeyPath], Sequence[str]],
    written_at: Callable[[KeyPath], KeyPath] = _same,
) -> str:
    """Return one message that lists every problem, one a line, in the order of the file."""
    return listed([(written_at(d["loc"]), _what(d, keys_at)) for d in error.errors(include_url=False)], source, lines)


def listed(problems: Sequence[tuple[KeyPath, str]], source: str, lines: Lines) -> str:
    """Return one message that lists problems by their paths, one a line, in the order of the file."""
    ordered = sorted(problems, key=lambda problem: _line_of(problem[0], lines) or 0)
    heading = f"{source} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:"
    return "\n".join([heading, *(f"  {_where(path, lines)}: {what}" for path, what in ordered)])


def _line_of(path: KeyPath, lines: Lines) -> int | None:
    stretches = (path[:length] for length in range(len(path), -1, -1))
    return next((lines[stretch] for stretch in stretches if stretch in lines), None)


def _where(path: KeyPath, lines: Lines) -> str:
    line = _line_of(path, lines)
    dotted = ".".join(map(str, path))
    return dotted if line is None else f"line {line}: {dotted}"


def _what(detail: ErrorDetails, keys_at: Callable[[KeyPath], Sequence[str]]) -> str:
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        known = keys_at(detail["loc"])
        return f"unknown key; allowed: {', '.join(known)}.{did_you_mean(detail['loc'][-1], known)}"
    if kind == "missing":
        return "is missing; write it"
    if kind == "literal_error":
        expected = detail["ctx"]["expected"]
        return f"found {shown(value)}; allowed: {expected}.{did_you_mean(value, expected.split(chr(39))[1::2])}"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f"found {shown(value)} where text was expected; put it in quotes"
    return f"found {shown(value)}; {detail['msg']}"
