"""The kinds of facts on a card, frozen and checked."""

from dataclasses import dataclass
from datetime import date
from math import inf
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from xseg.core.conditions import Condition
from xseg.core.consent_states import ConsentSource, ConsentState
from xseg.core.schema import Kind
from xseg.policy import Source

__all__ = [
    "CLOSE",
    "Alternative",
    "AnswerFact",
    "Certainty",
    "CheckedField",
    "Comparison",
    "ConditionFact",
    "ConsentAnswer",
    "ConsentFact",
    "ConsentFacts",
    "ControllerFact",
    "CounterfactualFact",
    "DecisionBasis",
    "Fact",
    "FeatureRequirement",
    "Finite",
    "HiddenPart",
    "Origin",
    "OriginalAgrees",
    "OwnValue",
    "PurposeFact",
    "Reason",
    "RightFact",
    "ScaleFact",
    "SegmentFact",
    "Share",
    "State",
    "UnchangedReasonKey",
    "UsedFeature",
]

# A change of less than a tenth of the middle half of everyone is a close call, and so is a lead of less than a tenth.
CLOSE = 0.1

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
OriginalAgrees: TypeAlias = Literal["yes", "no", "not known"]
Unit: TypeAlias = str | dict[str, str]
OwnValue: TypeAlias = bool | Finite | str | None
ConsentAnswer: TypeAlias = Literal[
    "given", "denied", "denied_by_signal", "denied_by_link", "ended", "not_given", "not_denied"
]
UnchangedReasonKey: TypeAlias = Literal[
    "not_used", "same_segment", "pending", "already_in_effect", "denied_by_link", "other_decision"
]

DecisionBasis: TypeAlias = Literal[
    "chosen", "no_consent", "objected", "restricted", "not_profiled", "erased", "unknown"
]
State: TypeAlias = Literal["stated", "missing", "elsewhere"]


class Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SegmentFact(Fact):
    """The group the person is in.

    `size` and `share` are withheld (None) where the group is smaller than the policy's minimum. `requirements` are all
    that its one rule asks; none where the policy describes it in a sentence, where it is small, has several rules or is
    made of scores, or where not all of them may be named.
    """

    index: Annotated[int, Field(ge=0)]
    name: str
    size: Finite | None
    share: Share | None
    sentence: str | None
    consequence: str | None
    requirements: tuple["FeatureRequirement", ...] = ()


class ConditionFact(Fact):
    """A condition on one feature, of a rule or typical of a group.

    A number is at least `lower` and below `upper`; a category is one of `categories`, and none of `others`. Categories
    that too few people have are counted (`unnamed`, `unnamed_others`) and not named. Where `known` is false no known
    value will do.
    """

    kind: Kind
    lower: Finite | None = None
    upper: Finite | None = None
    categories: tuple[str, ...] | None = None
    others: tuple[str, ...] = ()
    unnamed: Annotated[int, Field(ge=0)] = 0
    unnamed_others: Annotated[int, Field(ge=0)] = 0
    known: bool = True
    missing: bool = False
    says_missing: bool = False

    def to_condition(self) -> Condition:
        """Return the condition, without the name of its feature."""
        upper = self.upper if self.known else -inf
        return Condition("", self.kind, self.lower, upper, self.categories, self.missing, self.says_missing)


class Comparison(Fact):
    """How the person's value compares with everyone whose value is known; numbers have a share below."""

    share_below: Share | None
    share_same: Share
    group_size: Finite


class ScaleFact(Fact):
    """The ends of the scale on which a card shows a number: nearly all people are between them."""

    first: Finite
    last: Finite


class Origin(Fact):
    """Where a value came from."""

    source: Source | None
    vendor: str | None
    collected_from: str | None


class FeatureRequirement(Fact):
    """What a rule asks of one feature, with the words and the unit it is written in."""

    feature: str
    label: str
    unit: Unit | None
    number_format: str | None
    integral: bool
    limits: ConditionFact


class Reason(Fact):
    """One feature and its part in the answer.

    `contribution` is the exact Shapley value: a probability, or a part of the margin over the next best group.
    `points` are whole percentage points, rounded so that all points of a card add up. Numbers have a `scale`.
    `limits` are what the rule that the person meets asks, `typical` where the middle half of the group is; a model
    has one or the other.
    """

    feature: str
    label: str
    value: OwnValue
    unit: Unit | None
    number_format: str | None
    integral: bool
    limits: ConditionFact | None
    typical: ConditionFact | None
    comparison: Comparison | None
    scale: ScaleFact | None = None
    contribution: Finite
    points: int
    origin: Origin


class HiddenPart(Fact):
    """Contribution of the features that the card does not name.

    `outweighs` says whether one of them weighs more than a reason that is named.
    """

    features: Annotated[int, Field(ge=0)]
    points: int
    outweighs: bool


class Alternative(Fact):
    """The nearest other group, and what separates the person from it.

    `requirements` are what its nearest rule asks and the person does not meet, `own` the person's values of these
    features; `strongest` is the label of the feature
    that separates the person from it most, where groups are compared by scores. Both leave out what the card does not
    name; `hidden` says that something was left out.
    """

    segment: str
    requirements: tuple[FeatureRequirement, ...]
    own: tuple[OwnValue, ...] = ()
    strongest: str | None
    hidden: bool


class CounterfactualFact(Fact):
    """The smallest change, of what the person can change, that would lead to another group.

    `own` are the person's values of the features that would change. Where there is none, `proven` says that it is
    certain.
    """

    segment: str | None
    requirements: tuple[FeatureRequirement, ...]
    own: tuple[OwnValue, ...] = ()
    proven: bool


class Certainty(Fact):
    """Distance to the nearest boundary.

    `distance` is the cheapest change of anything that leads elsewhere, in scales of its features (interquartile
    ranges; a category counts 1); None where nothing does. It is close if the distance is below a tenth, or if one unit
    of a feature of whole numbers is enough. `requirement` is what the one feature that a close call is about would have
    to be, if it may be named, and `own` the person's value of it.
    """

    close: bool
    distance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
    requirement: FeatureRequirement | None = None
    own: OwnValue = None

    @property
    def is_narrow(self) -> bool:
        """Whether the boundary is near by its distance, whatever one unit would do."""
        return self.distance is not None and self.distance < CLOSE


class PurposeFact(Fact):
    """What the group is used for, on what legal basis, and for how long the data are kept."""

    purpose: str
    label: str
    legal_basis: str | None
    interest: str | None
    retention_days: int | None
    obligatory: bool | None


class UsedFeature(Fact):
    """One piece of information that the model asks about."""

    feature: str
    label: str
    origin: Origin
    purposes: tuple[str, ...]


class RightFact(Fact):
    """Something that the person can do: by a link, or where there is none, by writing."""

    right: str
    label: str | None
    url: str | None


class ControllerFact(Fact):
    """The controller, who is responsible for the processing."""

    name: str
    contact: str
    authority: str | None
    officer: str | None


class ConsentFact(Fact):
    """The consent status of the person for one purpose.

    `answer` is what holds for the purpose: "not_given" where it rests on consent and there is none, "not_denied" where
    it rests on something else and the person has not said no; "denied_by_link" where a denial made with another of the
    person's devices or accounts has reached them. `state`, `source`, `on` and `until` are those of the entry that
    decides, where there is one; only "given" rests on a consent.
    """

    purpose: str
    label: str
    answer: ConsentAnswer
    state: ConsentState
    source: ConsentSource | None
    on: date | None
    until: date | None


class ConsentFacts(Fact):
    """Answers of a consent ledger, and the time that they are about."""

    at: AwareDatetime
    statements: tuple[ConsentFact, ...]


class AnswerFact(Fact):
    """What an action of the person changed; `unchanged_reason` says why their group did not change."""

    action: str
    changed: bool
    group_changed: bool
    unchanged_reason: UnchangedReasonKey | None


@dataclass(frozen=True, slots=True)
class CheckedField:
    """One item of the required-content list.

    Attributes
    ----------
    number : int
        Its place in the list.
    key : str
        What it is.
    source : str
        Where it is asked for. Whether that applies is for the policy's owner to judge.
    state : {"stated", "missing", "elsewhere"}
        Whether the card says it; "elsewhere" is what no card of a segment can know: it belongs to an advertisement, a
        notice before use, or a decision.
    needs : str or None
        What the policy has to say so that the card can, or what has to be asked.
    """

    number: int
    key: str
    source: str
    state: State
    needs: str | None
