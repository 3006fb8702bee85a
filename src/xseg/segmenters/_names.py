"""Names of segments: proposals from their rules, and alignment with the segments of an earlier fit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Protocol, TypeAlias
from warnings import warn

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from xseg.backends import Backend
from xseg.core.bins import MISSING, N_CODES, Bins, FeatureBins, reduce_codes
from xseg.core.conditions import Condition, make_condition
from xseg.core.schema import Kind
from xseg.core.segments import SegmentNames, SegmentProfile
from xseg.exceptions import ParameterError, XsegError, XsegWarning
from xseg.segmenters._protocols import FittedModel, FittedSegmenter

__all__ = [
    "Alignment",
    "align",
    "check_names",
    "choose_names",
    "features_in_name",
    "propose_names",
    "split_words",
    "warn_if_names_move",
]


# A test that more of all people pass tells nothing.
_MAX_SHARE = 0.85
# A trait of a segment whose model compares scores holds for at least this share of its people.
_MIN_HELD = 0.8
# A second trait is worth its words if it tells the segment from this share of all people more.
_WORTH_A_TRAIT = 0.01
_MAX_LENGTH = 60
_MAX_LISTED = 2
_MAX_CATEGORY_LENGTH = 24
_FEW_VALUES = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Trait:
    """What the rows of a segment have in common in one feature.

    Attributes
    ----------
    shares : ndarray of shape (n_segments,)
        The share of the rows of each segment that have it.
    word : str
        In a word, such as "high spend".
    exact : str
        With its limits, such as "spend >= 330".
    """

    shares: NDArray[np.float64]
    word: str
    exact: str


def propose_names(profile: SegmentProfile, model: FittedModel) -> tuple[str, ...]:
    """Propose a name for each segment.

    Where segments are boxes, a name is made of the one or two tests of the segment's boxes that tell it best from the
    other segments, so that it is true of every row. Where scores are compared, it is made of traits that at least 80 %
    of the rows have. Only features that decide the segment are named.

    Parameters
    ----------
    profile : SegmentProfile
        Distribution of the values in each segment.
    model : fitted model
        How rows are assigned to segments.
    """
    candidates = [_list_names(profile, model, segment) for segment in range(len(profile.counts))]
    first = [names[0] for names in candidates]
    chosen: list[str] = []
    for names in candidates:
        # Segments whose first names are the same take others.
        others = names if first.count(names[0]) == 1 else names[1:]
        name = next((name for name in others if name not in {*chosen, *first} - {names[0]}), names[0])
        chosen.append(_make_unique(name, set(chosen)))
    return tuple(chosen)


_NO_TRAIT = "Mixed"


def _list_names(profile: SegmentProfile, model: FittedModel, segment: int) -> list[str]:
    """Return names of a segment, the best first."""
    alternatives = _find_traits(profile, model, segment)
    if len(alternatives) > 1:
        best = [_rank(profile, segment, traits)[0][0] for traits in alternatives]
        names = [" / ".join(trait.word for trait in best), " / ".join(trait.exact for trait in best)]
    else:
        ranked = [choice for traits in alternatives for choice in _rank(profile, segment, traits)]
        best_exact = [", ".join(trait.exact for trait in choice) for choice in ranked[:1]]
        words = [", ".join(trait.word for trait in choice) for choice in ranked]
        names = [*words[:1], *best_exact, *words[1:]]
    return [name[:1].upper() + name[1:] for name in names] or [_NO_TRAIT]


def _find_traits(profile: SegmentProfile, model: FittedModel, segment: int) -> list[list[_Trait]]:
    """Return the traits of a segment; those of each of its two boxes, if there is none that both share."""
    if model.boxes is None:
        features = model.used_features.tolist()
        found = [(j, inside) for j in features for inside in _list_common_codes(profile, segment, j)]
        return [_describe(profile, segment, found)]
    own = np.flatnonzero(model.boxes.segment == segment)
    joint = np.asarray(model.boxes.inside[own].any(axis=0))
    for boxes in ([joint], list(model.boxes.inside[own])):
        found_in_boxes = [_describe(profile, segment, _list_tests(model.bins, inside), model.bins) for inside in boxes]
        if all(found_in_boxes) and len(boxes) <= _MAX_LISTED:
            return found_in_boxes
    return []


_Codes: TypeAlias = tuple[int, NDArray[np.bool_]]


def _list_tests(bins: Bins, inside: NDArray[np.bool_]) -> list[_Codes]:
    """Return the features that a box, shape (n_features, 256), tests, with its codes."""
    return [(j, inside[j]) for j in np.flatnonzero(~inside.all(axis=1)).tolist() if bins[j].feature.kind.has_values]


def _list_common_codes(profile: SegmentProfile, segment: int, feature: int) -> list[NDArray[np.bool_]]:
    """Return sets of codes of a feature that most rows of a segment have."""
    bins = profile.bins[feature]
    counts = profile.counts[segment, feature]
    total = counts.sum()
    everyone = profile.population[feature, :MISSING]
    codes = np.arange(N_CODES)
    if not total or not everyone.any():
        return []
    if bins.feature.kind is Kind.CATEGORY:
        order = np.argsort(-counts[:MISSING], kind="stable")
        candidates = [np.isin(codes, order[:n]) for n in range(1, _MAX_LISTED + 1)]
    else:
        median = profile.typical(feature)
        candidates = [codes == median, codes > median, codes < median]
        if bins.feature.kind is not Kind.BOOLEAN and not _has_few_values(bins):
            # The people at the median of a number are neither high nor low, unless all of them have the same one.
            candidates[0] &= bins.feature.integral and median == 0 and _counts_from_zero(bins)
    candidates = [inside & (codes < bins.n_codes) for inside in candidates]
    return [inside for inside in candidates if counts[inside].sum() >= _MIN_HELD * total][:1]


def _describe(profile: SegmentProfile, segment: int, found: Sequence[_Codes], bins: Bins | None = None) -> list[_Trait]:
    """Describe codes of features, as `bins` number them, leaving out what nearly everyone has."""
    weights = profile.counts[:, 0].sum(axis=1)
    traits = []
    for feature, inside in found:
        full = profile.bins[feature]
        reduced = full if bins is None else bins[feature]
        holds = inside[reduce_codes(full, reduced)]
        counts = profile.counts[:, feature]
        shares = counts[:, holds].sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
        word, exact = _word(profile, segment, feature, make_condition(reduced, inside))
        traits.append((float(shares @ weights) / max(float(weights.sum()), 1.0), _Trait(shares, word, exact)))
    telling = [trait for share, trait in traits if share < _MAX_SHARE]
    return telling or [trait for _, trait in sorted(traits, key=lambda pair: pair[0])[:1]]


def _rank(profile: SegmentProfile, segment: int, traits: Sequence[_Trait]) -> list[Sequence[_Trait]]:
    """Return choices of one or two traits: first the fewest that tell a segment from the others, then all pairs."""
    weights = profile.counts[:, 0].sum(axis=1).astype(np.float64)
    weights[segment] = 0.0

    def count_others(chosen: Sequence[_Trait]) -> float:
        return float(np.min([trait.shares for trait in chosen], axis=0) @ weights)

    ranked = sorted(traits, key=lambda trait: count_others([trait]))
    pairs = [pair for pair in combinations(ranked, 2) if sum(len(trait.word) for trait in pair) <= _MAX_LENGTH]
    pairs.sort(key=count_others)
    if pairs:
        gained = count_others(ranked[:1]) - count_others(pairs[0])
        if gained > _WORTH_A_TRAIT * profile.counts[:, 0].sum():
            return list(pairs)
    return [ranked[:1], *pairs] if ranked else []


def _word(profile: SegmentProfile, segment: int, feature: int, condition: Condition) -> tuple[str, str]:
    """Return what a condition says of a segment, in a word and with its limits."""
    bins, counts = profile.bins[feature], profile.counts[segment, feature]
    name = split_words(bins.feature.name)
    if condition.allows_nothing_known:
        return f"{name} unknown", f"{name} unknown"
    unknown = " or unknown" if condition.missing and counts[MISSING] else ""
    if condition.categories is not None:
        text = _write_categories(name, bins, condition.categories)
        return text + unknown, text + unknown
    exact = str(replace(condition, feature=name, missing=False))
    if bins.feature.kind is Kind.BOOLEAN:
        text = name if condition.lower is not None else f"no {name}"
        return text + unknown, text + unknown
    if condition.lower is None and condition.upper is None:
        return f"{name} known", f"{name} known"
    return _write_number(profile, segment, feature, condition, name, exact) + unknown, exact + unknown


def _write_number(
    profile: SegmentProfile, segment: int, feature: int, condition: Condition, name: str, exact: str
) -> str:
    bins, known = profile.bins[feature], profile.counts[segment, feature, :MISSING]
    lower, upper = condition.lower, condition.upper
    if bins.feature.integral and _counts_from_zero(bins):
        if lower is None and upper == 1:
            return f"no {name}"
        if lower == 1 and upper is None:
            return name
    if _has_few_values(bins):
        return exact.replace(" is ", " = ")
    if lower is not None and upper is not None:
        return f"medium {name}"
    median = profile.typical(feature)
    is_high = lower is not None
    other_side = known[:median].sum() if is_high else known[median + 1 :].sum()
    if other_side > known.sum() / 2:
        return exact
    return f"{'high' if is_high else 'low'} {name}"


def _has_few_values(bins: FeatureBins) -> bool:
    return bins.feature.integral and bins.n_codes <= _FEW_VALUES


def _counts_from_zero(bins: FeatureBins) -> bool:
    """Whether the lowest code of whole numbers holds 0 alone, as far as thresholds tell."""
    return len(bins.thresholds) > 0 and 0 < bins.thresholds[0] <= 1


def _write_categories(name: str, bins: FeatureBins, categories: Sequence[str]) -> str:
    others = [category for category in bins.categories if category not in categories]
    if bins.is_ordered and len(categories) > 1:
        first, last = _quote(categories[0]), _quote(categories[-1])
        if categories[0] == bins.categories[0]:
            return f"{name} up to {last}"
        return f"{name} from {first}" if categories[-1] == bins.categories[-1] else f"{name} {first} to {last}"
    if len(categories) <= _MAX_LISTED:
        return f"{name} {' or '.join(map(_quote, categories))}"
    if len(others) <= _MAX_LISTED:
        return f"{name} not {' or '.join(map(_quote, others))}"
    return f"{name} one of {len(categories)} categories"


def _quote(category: str) -> str:
    is_long = len(category) > _MAX_CATEGORY_LENGTH
    shown = category[: _MAX_CATEGORY_LENGTH - 1] + "…" if is_long else category
    return f'"{shown}"'


def split_words(name: str) -> str:
    """Convert a column name to words: `MntWines` to "mnt wines", `orders_90d` to "orders (90d)"."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", " ", name)
    words = [word.lower() if word.isupper() or word.istitle() else word for word in re.split(r"[_\s.]+", apart) if word]
    if len(words) > 1 and re.fullmatch(r"\d+[a-z]+", words[-1]):
        words[-1] = f"({words[-1]})"
    return " ".join(words) or name


_SEPARATOR = re.compile(r'(?:, | / )(?=(?:[^"]*"[^"]*")*[^"]*$)')


def features_in_name(name: str, profile: SegmentProfile) -> frozenset[str]:
    """Return the features that a proposed name is made of; none for a name that was given."""
    patterns = {
        bins.feature.name: re.compile(
            r"(?:(?:high|low|medium|no) |-?[\d.,e+-]+ <=? )?"
            + re.escape(split_words(bins.feature.name))
            + r'(?: (?:or |unknown|known|is |=|<|>|from |up to |not |one of |").*)?',
            re.IGNORECASE,
        )
        for bins in profile.bins.features
    }
    found = set()
    for piece in _SEPARATOR.split(re.sub(r" \(\d+\)$", "", name)):
        matching = [feature for feature, pattern in patterns.items() if pattern.fullmatch(piece)]
        if not matching:
            return frozenset()
        found.add(max(matching, key=len))
    return frozenset(found)


def check_names(names: Sequence[str], n_segments: int) -> tuple[str, ...]:
    """Check the names given for segments."""
    chosen = tuple(names)
    if len(chosen) < n_segments or len(set(chosen)) < len(chosen) or not all(isinstance(n, str) and n for n in chosen):
        message = (
            f"segment_names must be at least {n_segments} different, non-empty strings, in the order of the segments; "
            f"got {list(chosen)}"
        )
        raise ParameterError(message)
    return chosen[:n_segments]


class NamedSegmenter(FittedSegmenter, Protocol):
    """A segmenter with a parameter `segment_names`, fitted or not."""

    @property
    def segment_names(self) -> Sequence[str] | None:
        """Names given by the user, if any."""
        ...

    def __sklearn_is_fitted__(self) -> bool: ...


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """An order of new segments in which they follow the earlier ones they match.

    Attributes
    ----------
    order : ndarray of shape (n_segments,)
        The new segments, in order.
    names : tuple of (str or None)
        The name of the earlier segment that each matches; None if there is none.
    given : tuple of bool
        Whether a person gave that name.
    """

    order: NDArray[np.intp]
    names: tuple[str | None, ...]
    given: tuple[bool, ...]


def align(previous: FittedSegmenter, backend: Backend, labels: NDArray[np.int32], n_segments: int) -> Alignment:
    """Match new segments with those of an earlier model so that as many rows as possible keep their segment.

    Matched segments come first, in the order of the earlier ones; the others follow, the largest first.

    Parameters
    ----------
    previous : fitted segmenter
        The earlier model.
    backend : Backend
        The rows.
    labels : ndarray of shape (n_rows,)
        Their new segments.
    n_segments : int
        Number of new segments.

    Raises
    ------
    ParameterError
        `previous` is not a fitted segmenter.

    References
    ----------
    Kuhn, "The Hungarian method for the assignment problem", 1955.
    """
    if not isinstance(previous, FittedSegmenter):
        message = f"align_to must be a fitted segmenter, got {previous!r}"
        raise ParameterError(message)
    earlier = previous.predict(backend)
    shared = np.zeros((previous.n_segments_, n_segments))
    np.add.at(shared, (earlier, labels), 1)
    pairs = [(old, new) for old, new in zip(*linear_sum_assignment(-shared), strict=True) if shared[old, new]]
    matched = [new for _, new in pairs]
    sizes = shared.sum(axis=0)
    others = sorted(set(range(n_segments)) - set(matched), key=lambda new: (-sizes[new], new))
    names = [previous.segment_names_[old] for old, _ in pairs]
    given = [previous.public_names_[old] is not None for old, _ in pairs]
    return Alignment(
        np.array(matched + others, dtype=np.intp), (*names, *[None] * len(others)), (*given, *[False] * len(others))
    )


def choose_names(
    profile: SegmentProfile, model: FittedModel, given: Sequence[str] | None, aligned: Alignment | None = None
) -> SegmentNames:
    """Choose names: the given ones, else those inherited from an earlier model, else unique proposals.

    An inherited proposal that names a feature which the model no longer uses is replaced.
    """
    n_segments = len(profile.counts)
    if given is not None:
        return SegmentNames(check_names(given, n_segments), (True,) * n_segments)
    proposed = propose_names(profile, model)
    known = {profile.bins[j].feature.name for j in model.used_features.tolist()}
    if aligned is None:
        return SegmentNames(proposed, (False,) * n_segments)
    inherited = [
        name if name is None or is_given or not features_in_name(name, profile) - known else None
        for name, is_given in zip(aligned.names, aligned.given, strict=True)
    ]
    kept = {name for name in inherited if name is not None}
    chosen: list[str] = []
    for name, proposal in zip(inherited, proposed, strict=True):
        chosen.append(name if name is not None else _make_unique(proposal, kept | set(chosen)))
    return SegmentNames(tuple(chosen), aligned.given)


def warn_if_names_move(
    segmenter: NamedSegmenter, backend: Backend, labels: NDArray[np.int32], n_segments: int, *, stacklevel: int
) -> None:
    """Warn if a refit moves given names to segments with mostly other rows.

    Parameters
    ----------
    segmenter : segmenter
        Not fitted yet, or still holding its earlier model.
    backend : Backend
        The rows.
    labels : ndarray of shape (n_rows,)
        Their new segments.
    n_segments : int
        Number of new segments.
    stacklevel : int
        As for `warnings.warn`, from here.

    Warns
    -----
    XsegWarning
        Most rows of a name are now in a segment with another.
    """
    if segmenter.segment_names is None or not segmenter.__sklearn_is_fitted__():
        return
    try:
        aligned = align(segmenter, backend, labels, n_segments)
    except XsegError:
        # The earlier model has other columns, so rows cannot be matched.
        return
    names = check_names(segmenter.segment_names, n_segments)
    followed = [(old, names[new]) for old, new in zip(aligned.names, aligned.order, strict=True) if old is not None]
    moved = [f"{old!r} are now in {new!r}" for old, new in followed if old != new and old in names]
    if moved:
        message = (
            f"segment_names are assigned to segments in their new order, and most rows of {', '.join(moved)}. Fit with "
            "align_to=, the earlier model, so that names stay with their rows; or clone the segmenter before fitting "
            "if the names are new"
        )
        warn(message, XsegWarning, stacklevel=stacklevel)


def _make_unique(name: str, taken: set[str]) -> str:
    candidates = (name, *(f"{name} ({number})" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in candidates if candidate not in taken)
