"""A policy's words in another language."""

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from xseg.policy._features import FeaturePolicy, SegmentPolicy, Translation

if TYPE_CHECKING:
    from xseg.policy._policy import Policy

__all__ = ["translated"]

Model = TypeVar("Model", bound=BaseModel)
_STATEMENTS = ("transfers", "automation", "special_categories", "human_review")


def translated(policy: "Policy", words: Translation) -> dict[str, Any]:
    """Return the fields of a policy that a translation says in other words."""
    return {
        "features": {
            **policy.features,
            **{name: _with(policy.features.get(name, FeaturePolicy()), said) for name, said in words.features.items()},
        },
        "segments": {
            **policy.segments,
            **{name: _with(policy.segments.get(name, SegmentPolicy()), said) for name, said in words.segments.items()},
        },
        "purposes": {
            name: purpose.model_copy(
                update=_field("label", words.purposes.get(name)) | _field("interest", words.interests.get(name))
            )
            for name, purpose in policy.purposes.items()
        },
        "rights": {
            name: link.model_copy(update=_field("label", words.rights.get(name)))
            for name, link in policy.rights.items()
        },
        **{name: getattr(words, name) for name in _STATEMENTS if getattr(words, name) is not None},
    }


def _with(stated: Model, said: BaseModel) -> Model:
    """Return a part with the words that a translation has for it."""
    return stated.model_copy(update={name: getattr(said, name) for name in said.model_fields_set})


def _field(name: str, words: str | None) -> dict[str, str]:
    return {} if words is None else {name: words}
