"""What is stated in a YAML file: policies, surveys and environments are read and written in one way."""

import os
from typing import Any, ClassVar, Literal, Self

from xseg.policy._parts import Frozen
from xseg.policy._yaml import FileKind, Lines, dump_yaml, read_text, read_yaml, write_text

__all__ = ["YamlFile"]


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
        PolicyError, SurveyError or EnvironmentFileError
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
        PolicyError, SurveyError or EnvironmentFileError
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
        PolicyError, SurveyError or EnvironmentFileError
            The file cannot be written; a file that was there is then unchanged.

        Examples
        --------
        See `load`.
        """
        write_text(path, self.to_yaml(), self.file_kind)
