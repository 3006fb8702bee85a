"""The environment file as frozen data."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StringConstraints, ValidationError

from xseg.exceptions import EnvironmentFileError, OutsideEnvironmentError
from xseg.governance.environments._here import REGION, data_region, file_digest, host, packages_digest
from xseg.governance.environments._standing import Waiver, active, waived
from xseg.policy.yaml_files import FileKind, KeyPath, Lines, Words, YamlFile, describe_errors

__all__ = ["Environment"]

Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class Environment(YamlFile):
    """Where models may be fitted and exported.

    Parameters
    ----------
    version : {1}
        The version of the file format.
    name : str
        What it is called.
    hosts : sequence of str
        The machines that belong to it, by name.
    packages : str, optional
        What `packages_digest` gives there; None leaves it open.
    locks : mapping of str to str
        SHA-256 of lock files, by path.
    data_region : str, optional
        What the variable ``XSEG_DATA_REGION`` says there; None leaves it open.

    Raises
    ------
    EnvironmentFileError
        A field is unknown, missing or not allowed; all problems are listed, one a line.

    Examples
    --------
    >>> import xseg
    >>> here = xseg.Environment.here("this machine")
    >>> here.check()
    >>> xseg.Environment(name="elsewhere", hosts=["no such machine"]).differences()[0][:22]
    'this machine is called'
    """

    file_kind: ClassVar[FileKind] = FileKind("environment", EnvironmentFileError, article="an")

    name: Words
    hosts: Annotated[tuple[Words, ...], Field(min_length=1)]
    packages: Digest | None = None
    locks: Mapping[str, Digest] = Field(default_factory=dict)
    data_region: Words | None = None

    # Its own, so that type checkers let it take what it reads: plain mappings and lists.
    def __init__(self, /, **data: Any) -> None:
        super().__init__(**data)

    def _fill(self, data: dict[str, Any], source: str, lines: Lines) -> None:
        try:
            self.__pydantic_validator__.validate_python(data, self_instance=self)
        except ValidationError as error:
            raise EnvironmentFileError(describe_errors(error, source, lines, _keys_at)) from error

    @classmethod
    def here(cls, name: str) -> Self:
        """Describe this place, so that it can be approved.

        Parameters
        ----------
        name : str
            What to call it.

        Returns
        -------
        Environment
            This machine, with the packages that are installed and the region that is set.
        """
        return cls(name=name, hosts=[host()], packages=packages_digest(), data_region=data_region())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything the environment says."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self) -> tuple[str, ...]:
        """Return what is not here as it is approved.

        Returns
        -------
        tuple of str
            A sentence for each; nothing where this is the place.
        """
        return tuple(self._found())

    def check(self) -> None:
        """Raise an error for any other place.

        Raises
        ------
        OutsideEnvironmentError
            Something is not here as it is approved.
        """
        differences = self.differences()
        if differences:
            heading = f"this is not the environment {self.name!r}:"
            raise OutsideEnvironmentError("\n  ".join([heading, *differences]))

    def active(self) -> AbstractContextManager["Environment"]:
        """Allow `fit` and `save` to run nowhere else until the block ends.

        That holds in all threads of this process and in the processes that are started inside of the block, such as
        those of joblib. Processes that joblib started before are not reached, and a warning says so. For a whole run
        name the file in the variable ``XSEG_ENVIRONMENT`` instead. An `override` holds in this process only.

        Returns
        -------
        context manager
            Gives the environment.

        Examples
        --------
        >>> import xseg
        >>> customers = xseg.make_customers(200, random_state=0)
        >>> with xseg.Environment(name="elsewhere", hosts=["no such machine"]).active():
        ...     try:
        ...         xseg.TreeSegmenter(3).fit(customers)
        ...     except xseg.exceptions.OutsideEnvironmentError as error:
        ...         print(str(error).splitlines()[0])
        fit is allowed only in the environment 'elsewhere', and here:
        """
        return active(self)

    def override(self, *, by: str, reason: str, log: str | os.PathLike[str]) -> AbstractContextManager[None]:
        """Allow `fit` and `save` to run outside the environment until the block ends, and log each time they do.

        Parameters
        ----------
        by, reason : str
            Who answers for it, and why.
        log : str or path-like
            JSON Lines that are added to; without it, nothing runs.

        Returns
        -------
        context manager
            The override.

        Raises
        ------
        ParameterError
            There is no name or no reason.
        """
        return waived(Waiver(self.digest, by, reason, Path(log)))

    def _found(self) -> Iterator[str]:
        if host() not in self.hosts:
            yield f"this machine is called {host()!r}, not {' or '.join(map(repr, self.hosts))}"
        if self.packages is not None and (installed := packages_digest()) != self.packages:
            yield f"the installed packages have digest {installed[:8]}, not {self.packages[:8]}"
        for path, digest in self.locks.items():
            found = file_digest(path)
            if found != digest:
                what = "cannot be read" if found is None else f"has digest {found[:8]}"
                yield f"the lock file {path} {what}, not {digest[:8]}"
        if self.data_region is not None and self.data_region != data_region():
            yield f"{REGION} says {data_region()!r}, not {self.data_region!r}"


def _keys_at(path: KeyPath) -> Sequence[str]:
    """Return the keys that are allowed beside the last one of `path`."""
    del path
    return list(Environment.model_fields)
