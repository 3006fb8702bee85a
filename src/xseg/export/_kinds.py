"""The kinds of segmenter that can be saved; each describes itself in a module of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xseg.export import _additive, _outcomes, _rules, _surrogates, _trees
from xseg.export._document import ModelDocument
from xseg.segmenters import (
    MixtureSegmenter,
    OutcomeSegmenter,
    PrototypeSegmenter,
    RuleSegmenter,
    SurrogateSegmenter,
    TreeSegmenter,
)

__all__ = ["KINDS", "SavedKind"]


@dataclass(frozen=True, slots=True)
class SavedKind:
    """How segmenters of one kind become documents, and documents segmenters.

    Attributes
    ----------
    segmenter : type
        The class; its name is the `kind` of the document.
    document : type of ModelDocument
        The schema.
    describe : callable
        Gives what a fitted segmenter adds to the document of any model.
    build : callable
        Builds the segmenter from a document that fits the schema; refuses parts that do not fit together.
    """

    segmenter: type
    document: type[ModelDocument]
    describe: Callable[[Any], dict[str, Any]]
    build: Callable[[Any], Any]


KINDS = {
    kind.segmenter.__name__: kind
    for kind in (
        SavedKind(MixtureSegmenter, _additive.MixtureDocument, _additive.describe_mixture, _additive.build_mixture),
        SavedKind(
            PrototypeSegmenter, _additive.PrototypeDocument, _additive.describe_prototypes, _additive.build_prototypes
        ),
        SavedKind(OutcomeSegmenter, _outcomes.OutcomeDocument, _outcomes.describe, _outcomes.build),
        SavedKind(TreeSegmenter, _trees.TreeDocument, _trees.describe, _trees.build),
        SavedKind(RuleSegmenter, _rules.RuleDocument, _rules.describe, _rules.build),
        SavedKind(SurrogateSegmenter, _surrogates.SurrogateDocument, _surrogates.describe, _surrogates.build),
    )
}
