"""What a browser says, in a header or a string, and what of it was not understood."""

from dataclasses import dataclass

from xseg.exceptions import SignalError
from xseg.governance.consent import read_gpc, read_gpp

__all__ = ["Heard", "read_signals"]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a browser said, and what of it was not understood."""

    scope: frozenset[str]
    limits_sensitive: bool = False
    problems: tuple[str, ...] = ()
    unread: tuple[int, ...] = ()


def read_signals(sec_gpc: str | None, gpp: str | None) -> Heard:
    """Read a header ``Sec-GPC`` and a GPP string; an error in the string counts only where the header denies nothing.

    Raises
    ------
    SignalError
        Nothing in the string can be understood, and the header does not opt out.
    """
    scope = read_gpc(sec_gpc)
    if gpp is None:
        return Heard(scope)
    try:
        said = read_gpp(gpp)
    except SignalError as error:
        if not scope:
            raise
        return Heard(scope, problems=(str(error),))
    return Heard(scope | said.denied, said.limits_sensitive, said.problems, said.unread)
