"""What is the same on every card of a model: who answers, what for, what is used, what a person can do."""

from dataclasses import dataclass
from typing import Any

from xseg.cards._fact_types import PurposeFact, RightFact, Used, WhoToAsk
from xseg.cards._naming import Naming
from xseg.ink import one_line
from xseg.policy import Policy, rights_of

__all__ = ["Standing", "standing_of"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts that do not depend on the person."""

    who: WhoToAsk | None
    purposes: tuple[PurposeFact, ...]
    used: tuple[Used, ...]
    unnamed: int
    not_used: tuple[str, ...]
    rights: tuple[RightFact, ...]


def standing_of(segmenter: Any, naming: Naming) -> Standing:
    """Gather what a policy and a model say to everybody."""
    policy = naming.policy
    used = set(segmenter.model_.used_features.tolist())
    columns = range(len(naming.names))
    served = policy.purpose_ids(naming.names[j] for j in sorted(used))
    return Standing(
        who=_who(policy),
        purposes=tuple(_purpose(policy, purpose) for purpose in served),
        used=tuple(
            Used(
                feature=naming.names[j],
                label=naming.labels[j],
                origin=naming.origins[j],
                purposes=naming.features[j].purposes,
            )
            for j in sorted(used)
            if not naming.hidden[j]
        ),
        unnamed=sum(naming.hidden[j] for j in used),
        not_used=tuple(naming.labels[j] for j in columns if j not in used and naming.features[j].shown),
        rights=_rights(policy, served),
    )


def _who(policy: Policy) -> WhoToAsk | None:
    who = policy.controller
    if who is None:
        return None
    return WhoToAsk(name=who.name, contact=who.contact, authority=who.authority, officer=who.officer)


def _purpose(policy: Policy, name: str) -> PurposeFact:
    purpose = policy.purposes[name]
    return PurposeFact(
        purpose=name,
        label=one_line(purpose.label),
        legal_basis=purpose.legal_basis,
        interest=purpose.interest,
        retention_days=purpose.retention_days,
        obligatory=purpose.obligatory,
    )


def _rights(policy: Policy, served: list[str]) -> tuple[RightFact, ...]:
    """Return what the policy links to, and then what follows from the legal bases and has no link."""
    linked = (
        RightFact(right=right, label=None if link.label is None else one_line(link.label), url=link.url)
        for right, link in policy.rights.items()
    )
    derived = rights_of(policy.purposes[name] for name in served)
    unlinked = (RightFact(right=right, label=None, url=None) for right in derived if right not in policy.rights)
    return (*linked, *unlinked)
