"""The kinds of segmenter that can be saved; each describes itself in a module of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xseg.export import _additive_document, _box_documents
from xseg.export._model_document import ModelDocument
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
        SavedKind(
            MixtureSegmenter,
            _additive_document.MixtureDocument,
            _additive_document.describe_mixture,
            _additive_document.build_mixture,
        ),
        SavedKind(
            PrototypeSegmenter,
            _additive_document.PrototypeDocument,
            _additive_document.describe_prototypes,
            _additive_document.build_prototypes,
        ),
        SavedKind(
            OutcomeSegmenter,
            _box_documents.OutcomeDocument,
            _box_documents.describe_outcome_segmenter,
            _box_documents.build_outcome_segmenter,
        ),
        SavedKind(
            TreeSegmenter,
            _box_documents.TreeDocument,
            _box_documents.describe_tree_segmenter,
            _box_documents.build_tree_segmenter,
        ),
        SavedKind(
            RuleSegmenter,
            _box_documents.RuleDocument,
            _box_documents.describe_rule_segmenter,
            _box_documents.build_rule_segmenter,
        ),
        SavedKind(
            SurrogateSegmenter,
            _box_documents.SurrogateDocument,
            _box_documents.describe_surrogate_segmenter,
            _box_documents.build_surrogate_segmenter,
        ),
    )
}
