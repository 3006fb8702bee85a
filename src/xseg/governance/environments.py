"""Where models may be fitted and written: an approved environment, and a log of whoever went around it.

An environment is a YAML file of hosts, installed packages and a data region. While it is active, `fit` and `save`
refuse to run anywhere else.
"""

import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import distributions
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, ClassVar, Final, Protocol, Self, TypeVar
from warnings import warn

from pydantic import Field, StringConstraints, ValidationError

from xseg.core import register_guard
from xseg.exceptions import ApprovalError, DefinitionError, ParameterError, RunningWorkersWarning
from xseg.governance.append_only import AppendOnlyLog
from xseg.policy.yaml_files import FileKind, KeyPath, Lines, Words, YamlFile, describe_errors

__all__ = ["Environment", "Override", "compute_packages_digest", "read_overrides", "require_environment"]

REGION = "XSEG_DATA_REGION"


def get_host() -> str:
    """Return the name of this machine."""
    return platform.node()


def get_data_region() -> str | None:
    """Return the region that the environment variable ``XSEG_DATA_REGION`` names."""
    return os.environ.get(REGION, "").strip() or None


def compute_packages_digest() -> str:
    """Return the SHA-256 of the names and versions of all installed packages, in hexadecimal.

    Returns
    -------
    str
        64 digits; the order in which packages are found does not matter.

    Examples
    --------
    >>> from xseg.governance.environments import compute_packages_digest
    >>> len(compute_packages_digest())
    64
    """
    found = {(_normal(str(one.metadata["Name"])), one.version) for one in distributions()}
    return hashlib.sha256("\n".join(f"{name}=={version}" for name, version in sorted(found)).encode()).hexdigest()


def compute_file_digest(path: str) -> str | None:
    """Return the SHA-256 of a file; None if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (OSError, ValueError):
        # A name that no file can have is that of no file.
        return None


def _normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


class EnvironmentLike(Protocol):
    """Requirements on the place where models are fitted or saved."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def digest(self) -> str:
        """SHA-256 of what it says."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Return what it says as plain data."""

    def find_differences(self) -> tuple[str, ...]:
        """Return what is not here as it should be."""


P = TypeVar("P", bound=EnvironmentLike)


@dataclass(frozen=True, slots=True, eq=False)
class Waiver:
    """The person who takes responsibility for running outside an environment, and why."""

    environment: str
    by: str
    reason: str
    log: Path


# How processes that are started inside of the block, such as those of joblib, know what counts.
ACTIVE: Final = "XSEG_ACTIVE_ENVIRONMENTS"
_INHERITED: Final = os.environ.get(ACTIVE)


# Lists of the process and not of a thread: a guard that another thread does not see would be none.
_lock = Lock()
_active: list[EnvironmentLike] = []
_waivers: list[Waiver] = []


@contextmanager
def activate_environment(environment: P) -> Iterator[P]:
    """Activate an environment, here and in the processes that are started inside of the block."""
    _warn_of_running_workers()
    with _lock:
        _active.append(environment)
        _tell_children()
    try:
        yield environment
    finally:
        with _lock:
            _active.remove(environment)
            _tell_children()


def _tell_children() -> None:
    """Write what counts into the variables of the process, beside what it was started with."""
    active_states = [] if _INHERITED is None else json.loads(_INHERITED)
    active_states += [place.model_dump(mode="json") for place in _active]
    if active_states:
        os.environ[ACTIVE] = json.dumps(active_states, allow_nan=False)
    else:
        os.environ.pop(ACTIVE, None)


def _warn_of_running_workers() -> None:
    """Warn if joblib has processes already: they were started before, and do not read the variable again."""
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(loky, "_executor", None)
    if executor is not None and not getattr(getattr(executor, "_flags", None), "shutdown", False):
        message = (
            "processes of joblib are running already and are not held to the environment; stop them first with "
            "joblib.externals.loky.get_reusable_executor().shutdown(wait=True), or set XSEG_ENVIRONMENT for the run"
        )
        warn(message, RunningWorkersWarning, stacklevel=4)


@contextmanager
def record_waiver(waiver: Waiver) -> Iterator[None]:
    """Record who answers for running outside an environment."""
    for name in ("by", "reason"):
        said = getattr(waiver, name)
        if not isinstance(said, str) or not said.strip():
            message = f"{name} is {said!r}; an override needs a name and a reason"
            raise ParameterError(message)
    with _lock:
        _waivers.append(waiver)
    try:
        yield
    finally:
        with _lock:
            _waivers.remove(waiver)


def get_active_environments() -> tuple[tuple[EnvironmentLike, ...], tuple[Waiver, ...]]:
    """Return the environments that count, and who answers for going around one; the latest last."""
    with _lock:
        return tuple(_active), tuple(_waivers)


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
        What `compute_packages_digest` gives there; None leaves it open.
    locks : mapping of str to str
        SHA-256 of lock files, by path.
    data_region : str, optional
        What the variable ``XSEG_DATA_REGION`` says there; None leaves it open.

    Raises
    ------
    DefinitionError
        A field is unknown, missing or not allowed; all problems are listed, one a line.

    Examples
    --------
    >>> import xseg
    >>> here = xseg.governance.environments.Environment.here("this machine")
    >>> here.check()
    >>> xseg.governance.environments.Environment(name="elsewhere", hosts=["no such machine"]).find_differences()[0][:22]
    'this machine is called'
    """

    file_kind: ClassVar[FileKind] = FileKind("environment", DefinitionError, article="an")

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
            raise DefinitionError(describe_errors(error, source, lines, _keys_at)) from error

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
        return cls(name=name, hosts=[get_host()], packages=compute_packages_digest(), data_region=get_data_region())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything the environment says."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def find_differences(self) -> tuple[str, ...]:
        """Return what is not here as it is approved.

        Returns
        -------
        tuple of str
            A sentence for each; nothing where this is the place.
        """
        return tuple(self._find_differences())

    def check(self) -> None:
        """Raise an error for any other place.

        Raises
        ------
        ApprovalError
            Something is not here as it is approved.
        """
        differences = self.find_differences()
        if differences:
            heading = f"this is not the environment {self.name!r}:"
            raise ApprovalError("\n  ".join([heading, *differences]))

    def activate(self) -> AbstractContextManager["Environment"]:
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
        >>> with xseg.governance.environments.Environment(name="elsewhere", hosts=["no such machine"]).activate():
        ...     try:
        ...         xseg.TreeSegmenter(3).fit(customers)
        ...     except xseg.exceptions.ApprovalError as error:
        ...         print(str(error).splitlines()[0])
        fit is allowed only in the environment 'elsewhere', and here:
        """
        return activate_environment(self)

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
        return record_waiver(Waiver(self.digest, by, reason, Path(log)))

    def _find_differences(self) -> Iterator[str]:
        if get_host() not in self.hosts:
            yield f"this machine is called {get_host()!r}, not {' or '.join(map(repr, self.hosts))}"
        if self.packages is not None and (installed := compute_packages_digest()) != self.packages:
            yield f"the installed packages have digest {installed[:8]}, not {self.packages[:8]}"
        for path, digest in self.locks.items():
            found = compute_file_digest(path)
            if found != digest:
                what = "cannot be read" if found is None else f"has digest {found[:8]}"
                yield f"the lock file {path} {what}, not {digest[:8]}"
        if self.data_region is not None and self.data_region != get_data_region():
            yield f"{REGION} says {get_data_region()!r}, not {self.data_region!r}"


def _keys_at(path: KeyPath) -> Sequence[str]:
    """Return the keys that are allowed beside the last one of `path`."""
    del path
    return list(Environment.model_fields)


@dataclass(frozen=True, slots=True)
class Override:
    """A fit or an export outside the approved environment, for which somebody took responsibility.

    Attributes
    ----------
    at : str
        When, in ISO 8601 with its offset.
    action : str
        What: "fit" or "export".
    environment : str
        SHA-256 of the environment that was gone around.
    differences : tuple of str
        What was not as approved.
    by, reason : str
        Who, and why.
    previous : str
        The hash of the line before; zeros in the first.
    """

    at: str
    action: str
    environment: str
    differences: tuple[str, ...]
    by: str
    reason: str
    previous: str


def append_override(path: Path, facts: dict[str, Any]) -> None:
    """Add a line; what is there stays as it is.

    Raises
    ------
    DefinitionError
        The log cannot be written, or was altered.
    """
    _open_log(path, "; nothing is overridden without it").append(facts)


def read_overrides(path: str | os.PathLike[str]) -> tuple[Override, ...]:
    """Read a log of overrides.

    Parameters
    ----------
    path : str or path-like
        The log.

    Returns
    -------
    tuple of Override
        The oldest first.

    Raises
    ------
    DefinitionError
        The log cannot be read, or a line was altered, left out or put in. Lines that are missing at the end cannot be
        told from lines that were never written; keep the digest of the last one elsewhere if that matters.
    """
    if not Path(path).is_file():
        message = f"cannot read the log of overrides {path}: there is no such file"
        raise DefinitionError(message)
    return tuple(_read_override(line, path) for line in _open_log(path))


def _open_log(path: str | os.PathLike[str], consequence: str = "") -> AppendOnlyLog:
    def error(message: str) -> DefinitionError:
        return DefinitionError(f"{message}{consequence}")

    return AppendOnlyLog(path, name="log of overrides", error=error)


def _read_override(line: Mapping[str, Any], path: str | os.PathLike[str]) -> Override:
    names = [field.name for field in fields(Override)]
    if not set(names) <= line.keys():
        message = f"{path}, line {line['number']}: not an override: it needs {', '.join(names)}"
        raise DefinitionError(message)
    return Override(**{name: line[name] for name in names} | {"differences": tuple(line["differences"])})


_VARIABLE = "XSEG_ENVIRONMENT"


def require_environment(action: str) -> None:
    """Raise an error for something outside of the environments that are active, or log who answers for it.

    Parameters
    ----------
    action : str
        What is about to happen, such as ``"fit"``.

    Raises
    ------
    ApprovalError
        This is not an environment that is active, in this process or by the variable ``XSEG_ENVIRONMENT``, and nobody
        answers for it.
    DefinitionError
        The file that the variable names is no environment, or an override cannot be logged.

    Examples
    --------
    >>> from xseg.governance.environments import require_environment
    >>> require_environment("fit")
    """
    places, waivers = get_active_environments()
    # What is active here is in the variable too, for the processes that are started from here.
    for environment in {place.digest: place for place in (*_read_named(), *_read_inherited(), *places)}.values():
        differences = environment.find_differences()
        if not differences:
            continue
        waiver = next((one for one in reversed(waivers) if one.environment == environment.digest), None)
        if waiver is None:
            heading = f"{action} is allowed only in the environment {environment.name!r}, and here"
            raise ApprovalError("\n  ".join([f"{heading}:", *differences]))
        append_override(
            waiver.log,
            {
                "at": datetime.now(UTC).isoformat(),
                "action": action,
                "environment": environment.digest,
                "differences": differences,
                "by": waiver.by,
                "reason": waiver.reason,
            },
        )


def _read_inherited() -> tuple[EnvironmentLike, ...]:
    """Return the environments that were active in the process that started this one."""
    try:
        return tuple(Environment.model_validate(one) for one in json.loads(os.environ.get(ACTIVE) or "[]"))
    except (TypeError, ValueError) as error:
        message = f"the variable {ACTIVE} is not what an active environment wrote: {error}; unset it"
        raise DefinitionError(message) from error


def _read_named() -> tuple[EnvironmentLike, ...]:
    """Return the environment that the variable names."""
    path = os.environ.get(_VARIABLE, "").strip()
    return (Environment.load(path),) if path else ()


register_guard("environment", require_environment)
