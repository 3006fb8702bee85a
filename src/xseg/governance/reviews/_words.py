"""What people are told on cards: whether it is complete, and fit to be said."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from xseg.cards import lint_words, make_cards
from xseg.exceptions import PolicyError
from xseg.governance.reviews._findings import Found, Severity
from xseg.governance.reviews._subject import Subject

__all__ = ["card_completeness", "names"]

# No card knows what one person agreed to; a ledger does.
_OF_THE_LEDGER: Final = frozenset({"consent", "opt_out_status"})


def names(subject: Subject) -> Iterator[Found]:
    """Find words of the policy, and names of segments, that may not stand on a card."""
    for unfit in lint_words(subject.policy, subject.segmenter.segment_names_):
        severity: Severity = "error" if unfit.kind == "special category" else "warning"
        message = f"{unfit.where} ({unfit.locale}) says {', '.join(map(repr, unfit.words))} ({unfit.kind})."
        yield Found(severity, unfit.where, message, "say it otherwise", {"words": list(unfit.words)})


def card_completeness(subject: Subject) -> Iterator[Found]:
    """Find what a card should say and cannot, because the policy does not state it."""
    known = {name: said for name, said in subject.policy.features.items() if name in subject.names}
    policy = subject.policy.model_copy(update={"features": known})
    labels = np.asarray(subject.segmenter.predict(subject.rows))
    _, first = np.unique(labels, return_index=True)
    rows = subject.rows.take(first)
    # What an original says of a person is no field that a policy could state.
    agreement: list[Any] = ["not known"] * len(first)
    try:
        cards = list(make_cards(subject.segmenter, rows, policy=policy, now=subject.now, agreement=agreement))
    except PolicyError as error:
        yield Found("error", "cards", f"No card can be made: {error}.", "mend the policy's words first")
        return
    missing: dict[str, tuple[str, str, list[str]]] = {}
    for card in cards:
        for field in card.completeness():
            if field.state == "missing" and field.key not in _OF_THE_LEDGER:
                told = missing.setdefault(field.key, (field.source, field.needs or "", []))
                told[2].append(card.segment.name)
    for key, (source, needs, segments) in missing.items():
        whose = "Cards" if len(segments) == len(cards) else f"Cards of {', '.join(map(repr, segments))}"
        message = f"{whose} do not state {key!r} ({source})."
        yield Found("warning", f"card field {key}", message, f"state {needs}" if needs else "", {"segments": segments})
