"""Which rights a person has: derived from the legal basis of each purpose, never typed."""

from collections.abc import Iterable
from typing import Final

from xseg.policy._parts import LegalBasis, Purpose

__all__ = ["RIGHTS", "is_marketing", "rights_of"]

# What the person may do, and where it is written.
RIGHTS: Final = {
    "access": "GDPR Article 15; CCPA 1798.110",
    "correct": "GDPR Article 16; CCPA 1798.106",
    "erase": "GDPR Article 17; CCPA 1798.105",
    "restrict": "GDPR Article 18",
    "port": "GDPR Article 20",
    "withdraw": "GDPR Article 7(3)",
    "object": "GDPR Article 21(1)",
    "object_marketing": "GDPR Article 21(2) and (3)",
    "opt_out": "CCPA 1798.120 and 1798.135",
    "limit_sensitive": "CCPA 1798.121",
    "recipients": "GDPR Article 15(1)(c); C-154/21",
    "contest": "GDPR Article 22(3)",
    "person": "GDPR Article 22(3)",
    "not_profiled": "DSA Articles 27(3) and 38",
    "choose": "DSA Articles 26(1)(d) and 27(3)",
    "switch_off": "GDPR Article 7(3); DSA Article 27(3)",
    "complain": "GDPR Article 77",
}
_ALWAYS: Final = ("access", "correct", "erase", "restrict", "recipients", "complain")
_BY_BASIS: Final[dict[LegalBasis, tuple[str, ...]]] = {
    "consent": ("withdraw", "port"),
    "contract": ("port",),
    "legal-obligation": (),
    "vital-interest": (),
    "public-task": ("object",),
    "legitimate-interest": ("object",),
}
# Article 17(3)(b): what the law tells a company to keep, it need not erase.
_NOT_BY_BASIS: Final[dict[LegalBasis, tuple[str, ...]]] = {"legal-obligation": ("erase",)}
_MARKETING: Final = frozenset({"Marketing", "DirectMarketing", "PersonalisedAdvertising", "TargetedAdvertising"})


def rights_of(purposes: Iterable[Purpose]) -> tuple[str, ...]:
    """Return the rights that follow from the legal bases of some purposes, in the order of `RIGHTS`.

    Parameters
    ----------
    purposes : iterable of Purpose
        What the data are used for. One without a legal basis gives the rights that every basis gives.

    Returns
    -------
    tuple of str
        Ids of rights; a right that any of the purposes gives is there.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Articles 7 and 15 to 22 and 77.

    Examples
    --------
    >>> from xseg.policy import Purpose, rights_of
    >>> rights_of([Purpose(label="offers", legal_basis="consent", concept="dpv:PersonalisedAdvertising")])
    ('access', 'correct', 'erase', 'restrict', 'port', 'withdraw', 'object_marketing', 'recipients', 'complain')
    """
    given: set[str] = set()
    for purpose in purposes:
        basis = purpose.legal_basis
        rights = {*_ALWAYS, *(_BY_BASIS[basis] if basis else ())}
        given |= rights - set(_NOT_BY_BASIS.get(basis, ()) if basis else ())
        if is_marketing(purpose):
            given.add("object_marketing")
    return tuple(right for right in RIGHTS if right in given)


def is_marketing(purpose: Purpose) -> bool:
    """Return whether a purpose is direct marketing, to which a person may object without giving a reason."""
    if purpose.marketing is not None:
        return purpose.marketing
    return purpose.concept is not None and purpose.concept.partition(":")[2] in _MARKETING
