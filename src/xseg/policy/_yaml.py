"""YAML as plain data with line numbers, and nothing else that YAML can do.

Anchors, aliases, tags and merge keys are refused: a file says each thing once, in full, and one from elsewhere can
neither build objects nor grow in memory. Policies, surveys and environments are all read here.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from xseg._files import write_whole
from xseg.exceptions import PolicyError, XsegError

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


POLICY = FileKind("policy", PolicyError)


class _PlainLoader(yaml.SafeLoader):
    """Reads mappings, lists, text, whole numbers, decimals, true/false and null."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        refused = _refused_part(event)
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


def _refused_part(event: Any) -> str | None:
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
        data = _plain(loader, node, (), lines, problems) if node is not None else None
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


def _plain(loader: _PlainLoader, node: yaml.Node, path: KeyPath, lines: Lines, problems: list[str]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _plain_mapping(loader, node, path, lines, problems)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*path, i), lines, problems) for i, item in enumerate(node.value)]
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
        mapping[key] = _plain(loader, value_node, key_path, lines, problems)
    return mapping


def _syntax_message(error: yaml.YAMLError, source: str, kind: FileKind) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return f"{source} cannot be read as YAML: {error}"
    problem = ", ".join(filter(None, [getattr(error, "context", None), getattr(error, "problem", None)]))
    return f"{source}, line {mark.line + 1}, column {mark.column + 1}: not {kind.one} in YAML: {problem}"
