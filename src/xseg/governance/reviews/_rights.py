"""Whether people can do what the law lets them do, and as easily as they agreed."""

from collections.abc import Iterator
from typing import Final

from xseg.governance.reviews._findings import Found
from xseg.governance.reviews._subject import Subject
from xseg.policy import RIGHTS, Purpose, derive_rights, is_marketing

__all__ = ["harder_to_leave", "objection", "rights_links", "withdrawal"]

_WITHDRAW: Final = ("withdraw", "switch_off")
_OBJECT: Final = ("object", "not_profiled")
_OBJECT_MARKETING: Final = ("object_marketing", "object", "not_profiled", "switch_off")
_SAME: Final = {"withdraw": _WITHDRAW, "object": _OBJECT, "object_marketing": _OBJECT_MARKETING}
_LEAVE: Final = tuple(dict.fromkeys((*_WITHDRAW, *_OBJECT, *_OBJECT_MARKETING)))


def withdrawal(subject: Subject) -> Iterator[Found]:
    """Find consent that cannot be withdrawn."""
    for name, purpose in subject.served.items():
        if purpose.legal_basis == "consent" and not _linked(subject, _WITHDRAW):
            message = f"People agree to {name!r}, and no link lets them withdraw."
            yield Found("error", f"purposes.{name}", message, "state rights.withdraw or rights.switch_off")


def objection(subject: Subject) -> Iterator[Found]:
    """Find uses that people may object to and no link lets them."""
    for name, purpose in subject.served.items():
        wanted = _objects_through(purpose)
        if wanted and not _linked(subject, wanted):
            message = f"People may object to {name!r}, and no link lets them."
            yield Found("error", f"purposes.{name}", message, f"state rights.{wanted[0]}")


def rights_links(subject: Subject) -> Iterator[Found]:
    """Find rights that follow from the legal bases and have no link."""
    can_write = subject.policy.controller is not None
    for right in derive_rights(subject.served.values()):
        if _linked(subject, _SAME.get(right, (right,))):
            continue
        message = f"The right {right!r} ({RIGHTS[right]}) has no link"
        ending = "; people have to write." if can_write else ", and there is nobody to write to."
        yield Found("note" if can_write else "warning", f"rights.{right}", message + ending, f"state rights.{right}")


def harder_to_leave(subject: Subject) -> Iterator[Found]:
    """Find rights that take more steps than agreeing took."""
    for name, purpose in subject.served.items():
        agreeing = purpose.steps_to_agree
        for right in _LEAVE:
            link = subject.policy.rights.get(right)
            if agreeing is None or link is None or link.steps is None or link.steps <= agreeing:
                continue
            message = f"It takes {agreeing} steps to agree to {name!r}, and {link.steps} to leave through {right!r}."
            evidence = {"steps_to_agree": agreeing, "steps": link.steps, "right": right, "purpose": name}
            where = f"rights.{right}.steps"
            yield Found("error", where, message, "make leaving as easy as agreeing (GDPR Article 7(3))", evidence)


def _objects_through(purpose: Purpose) -> tuple[str, ...]:
    if purpose.legal_basis in {"legitimate-interest", "public-task"}:
        return _OBJECT
    return _OBJECT_MARKETING if is_marketing(purpose) else ()


def _linked(subject: Subject, rights: tuple[str, ...]) -> bool:
    return any(right in subject.policy.rights for right in rights)
