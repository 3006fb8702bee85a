"""YAML files as plain, frozen data: read with line numbers, checked, and every problem listed with its place.

Anchors, aliases, tags and merge keys are refused: a file says each thing once, in full, and one from elsewhere can
neither build objects nor grow in memory. Policies, surveys and environments are all read here.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from xseg._files import write_whole
from xseg.core.schema import suggest_name
from xseg.exceptions import DefinitionError, XsegError

__all__ = [
    "MAX_BYTES",
    "POLICY",
    "FileKind",
    "Frozen",
    "KeyPath",
    "Lines",
    "Words",
    "YamlFile",
    "describe_errors",
    "dump_yaml",
    "format_value",
    "list_problems",
    "read_text",
    "read_yaml",
    "write_text",
]

MAX_BYTES = 1 << 20
_MAX_DEPTH = 16

KeyPath = tuple[str | int, ...]
Lines = dict[KeyPath, int]


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file is called in messages, with its article, and the error that refuses it."""

    name: str
    error: type[XsegError]
    article: str = "a"

    @property
    def one(self) -> str:
        """The name with its article."""
        return f"{self.article} {self.name}"


POLICY = FileKind("policy", DefinitionError)


class _PlainLoader(yaml.SafeLoader):
    """Reads mappings, lists, text, whole numbers, decimals, true/false and null."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        refused = _find_refused_part(event)
        if refused is not None:
            problem = f"found {refused}, which a file like this may not hold; write the value out in full"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        if self._depth >= _MAX_DEPTH:
            problem = f"found nesting deeper than {_MAX_DEPTH} levels; four are enough"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _find_refused_part(event: Any) -> str | None:
    if isinstance(event, yaml.AliasEvent):
        return f"the alias '*{event.anchor}'"
    if getattr(event, "anchor", None) is not None:
        return f"the anchor '&{event.anchor}'"
    if getattr(event, "tag", None) is not None:
        return f"the tag {event.tag!r}"
    return None


_PlainLoader.yaml_implicit_resolvers = {}
# YAML 1.1 turns `no` into false, 0123 into 83 and 12:30 into 750. The rules below take only what nobody reads as text.
for _tag, _pattern, _first in [
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,17})", list("-+0123456789")),
    ("float", r"[-+]?[0-9]{1,17}\.[0-9]*(?:[eE][-+][0-9]{1,3})?", list("-+0123456789")),
]:
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


def read_yaml(text: str, source: str, kind: FileKind = POLICY) -> tuple[dict[str, Any], Lines]:
    """Return the mapping that `text` holds, and the line on which each path of it begins."""
    _check_size(len(text.encode("utf-8", "surrogatepass")), source, kind)
    loader = None
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        lines: Lines = {}
        problems: list[str] = []
        data = _convert_node(loader, node, (), lines, problems) if node is not None else None
    except yaml.YAMLError as error:
        message = _syntax_message(error, source, kind)
        raise kind.error(message) from error
    finally:
        if loader is not None:
            loader.dispose()
    if problems:
        raise kind.error("\n".join([f"{source} repeats keys; keep one of each:", *problems]))
    if not isinstance(data, dict):
        held = "nothing" if data is None else f"a {type(data).__name__}"
        message = f"{source} holds {held} where {kind.one} was expected; begin with 'version: 1'"
        raise kind.error(message)
    return data, lines


def read_text(path: str | os.PathLike[str], kind: FileKind = POLICY) -> str:
    """Return the text of a file, after its size has been checked."""
    file = Path(path)
    try:
        _check_size(file.stat().st_size, str(file), kind)
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        message = f"cannot read the {kind.name} file {file}: {error.strerror}; check the path"
        raise kind.error(message) from error
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is {error.object[error.start]:#04x}"
        message = f"{file} is not UTF-8 text ({found}); save it as UTF-8"
        raise kind.error(message) from error


def write_text(path: str | os.PathLike[str], text: str, kind: FileKind = POLICY) -> None:
    """Write a file whole or not at all."""
    try:
        write_whole(path, text)
    except OSError as error:
        message = f"cannot write the {kind.name} file {path}: {error.strerror}; check the folder and its permissions"
        raise kind.error(message) from error


class _Dumper(yaml.SafeDumper):
    """Writes text so that it is read back the same."""


def _written(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Outside double quotes YAML folds some invisible characters, such as U+0085, into spaces.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _written)


def dump_yaml(data: dict[str, Any]) -> str:
    """Write plain data as YAML in the order given."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _check_size(n_bytes: int, source: str, kind: FileKind) -> None:
    if n_bytes > MAX_BYTES:
        message = f"{source} is {n_bytes:,} bytes long; {kind.one} has at most {MAX_BYTES:,} bytes (1 MiB)"
        raise kind.error(message)


def _convert_node(loader: _PlainLoader, node: yaml.Node, path: KeyPath, lines: Lines, problems: list[str]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _plain_mapping(loader, node, path, lines, problems)
    if isinstance(node, yaml.SequenceNode):
        return [_convert_node(loader, item, (*path, i), lines, problems) for i, item in enumerate(node.value)]
    return loader.construct_object(node)


def _plain_mapping(
    loader: _PlainLoader, node: yaml.MappingNode, path: KeyPath, lines: Lines, problems: list[str]
) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            problem = "found a list or mapping used as a key; keys are names"
            raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
        # The key as written: a column called 2021, or no, keeps its name.
        key, line = key_node.value, key_node.start_mark.line + 1
        key_path = (*path, key)
        if key in mapping:
            dotted = ".".join(map(str, key_path))
            problems.append(f"  line {line}: {dotted}: already given on line {lines[key_path]}")
        lines.setdefault(key_path, line)
        mapping[key] = _convert_node(loader, value_node, key_path, lines, problems)
    return mapping


def _syntax_message(error: yaml.YAMLError, source: str, kind: FileKind) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return f"{source} cannot be read as YAML: {error}"
    problem = ", ".join(filter(None, [getattr(error, "context", None), getattr(error, "problem", None)]))
    return f"{source}, line {mark.line + 1}, column {mark.column + 1}: not {kind.one} in YAML: {problem}"


_LONGEST_VALUE = 60


def format_value(value: object) -> str:
    """Return a value as a message shows it: in one short piece, whatever it is."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a value that cannot even be shown must not hide what is wrong with it
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _same(path: KeyPath) -> KeyPath:
    return path


def describe_errors(
    error: ValidationError,
    source: str,
    lines: Lines,
    keys_at: Callable[[KeyPath], Sequence[str]],
    written_at: Callable[[KeyPath], KeyPath] = _same,
) -> str:
    """Return one message that lists every problem, one a line, in the order of the file."""
    return list_problems(
        [(written_at(d["loc"]), _describe_error(d, keys_at)) for d in error.errors(include_url=False)], source, lines
    )


def list_problems(problems: Sequence[tuple[KeyPath, str]], source: str, lines: Lines) -> str:
    """Return one message that lists problems by their paths, one a line, in the order of the file."""
    ordered = sorted(problems, key=lambda problem: _find_line(problem[0], lines) or 0)
    heading = f"{source} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:"
    return "\n".join([heading, *(f"  {_describe_place(path, lines)}: {what}" for path, what in ordered)])


def _find_line(path: KeyPath, lines: Lines) -> int | None:
    stretches = (path[:length] for length in range(len(path), -1, -1))
    return next((lines[stretch] for stretch in stretches if stretch in lines), None)


def _describe_place(path: KeyPath, lines: Lines) -> str:
    line = _find_line(path, lines)
    dotted = ".".join(map(str, path))
    return dotted if line is None else f"line {line}: {dotted}"


def _describe_error(detail: ErrorDetails, keys_at: Callable[[KeyPath], Sequence[str]]) -> str:
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        known = keys_at(detail["loc"])
        return f"unknown key; allowed: {', '.join(known)}.{suggest_name(detail['loc'][-1], known, sentence=True)}"
    if kind == "missing":
        return "is missing; write it"
    if kind == "literal_error":
        expected = detail["ctx"]["expected"]
        name = value if isinstance(value, str) else format_value(value)
        hint = suggest_name(name, expected.split(chr(39))[1::2], sentence=True)
        return f"found {format_value(value)}; allowed: {expected}.{hint}"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f"found {format_value(value)} where text was expected; put it in quotes"
    return f"found {format_value(value)}; {detail['msg']}"


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Frozen(BaseModel):
    """Base of everything that is read from such a file: frozen, and without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")


class YamlFile(Frozen):
    """Frozen data that a YAML file states.

    A subclass says what it is called and which error refuses it (`file_kind`), and checks data in `_fill`.
    """

    file_kind: ClassVar[FileKind]

    version: Literal[1] = 1

    def __init__(self, /, **data: Any) -> None:
        self._fill(data, f"the {self.file_kind.name}", {})

    def _fill(self, data: dict[str, Any], source: str, lines: Lines) -> None:
        """Check data and take it; errors name the source, and where lines are known the line."""
        raise NotImplementedError

    @classmethod
    def parse(cls, text: str, source: str = "<text>") -> Self:
        """Read it from YAML text.

        Parameters
        ----------
        text : str
            At most 1 MiB of YAML, without anchors, aliases and tags.
        source : str, default="<text>"
            What error messages call the text.

        Returns
        -------
        Policy, Survey or Environment
            What the text states.

        Raises
        ------
        DefinitionError
            The text is not YAML, repeats a key, or states something that is not allowed. The message names the source,
            the line and the path of every problem.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> Policy.parse("minimum_group_size: 20").minimum_group_size
        20
        """
        data, lines = read_yaml(text, source, cls.file_kind)
        stated = cls.__new__(cls)
        stated._fill(data, source, lines)
        return stated

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read it from a YAML file.

        Parameters
        ----------
        path : str or path-like
            A UTF-8 file of at most 1 MiB.

        Returns
        -------
        Policy, Survey or Environment
            What the file states.

        Raises
        ------
        DefinitionError
            The file cannot be read or states something that is not allowed, as for `parse`.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> from xseg.policy import Policy
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "policy.yaml"
        ...     Policy(minimum_group_size=20).save(path)
        ...     Policy.load(path).minimum_group_size
        20
        """
        return cls.parse(read_text(path, cls.file_kind), source=str(path))

    def to_yaml(self) -> str:
        """Write it as YAML; `parse` reads it back equal.

        Returns
        -------
        str
            YAML with the version and the fields that differ from their defaults.
        """
        return dump_yaml({"version": self.version, **self.model_dump(mode="json", exclude_defaults=True)})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a YAML file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
            The file to write or replace; its folder exists.

        Raises
        ------
        DefinitionError
            The file cannot be written; a file that was there is then unchanged.

        Examples
        --------
        See `load`.
        """
        write_text(path, self.to_yaml(), self.file_kind)
