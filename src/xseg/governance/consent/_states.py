"""Reading the states of consent, and where a statement came from."""

from typing import Any

from xseg.core.consent_states import TERMS, ConsentSource, ConsentState
from xseg.exceptions import ConsentError

__all__ = ["ConsentSource", "ConsentState", "read_source", "read_state"]

_READ = {str(state): state for state in ConsentState} | {
    prefix + term: state
    for state, term in TERMS.items()
    if state is not ConsentState.TERMINATED
    for prefix in ("dpv:", "https://w3id.org/dpv#")
}


def read_state(value: Any, where: str = "state") -> ConsentState:
    """Read a state by its name or its term in the vocabulary, to the letter."""
    state = _READ.get(value) if isinstance(value, str) else None
    if state is None:
        message = (
            f"{where} is {value!r}; allowed: {', '.join(ConsentState)}, or a consent status such as dpv:ConsentGiven"
        )
        raise ConsentError(message)
    return state


def read_source(value: Any, where: str = "source") -> ConsentSource:
    """Read where a statement came from, to the letter."""
    if not isinstance(value, str) or value not in set(ConsentSource):
        message = f"{where} is {value!r}; allowed: {', '.join(ConsentSource)}"
        raise ConsentError(message)
    return ConsentSource(value)
