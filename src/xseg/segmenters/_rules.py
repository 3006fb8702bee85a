"""Segments defined by rules that people write."""

from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import Annotated, Any, ClassVar, Literal, Self
from warnings import warn

from numpy.typing import ArrayLike
from pydantic import Field
from sklearn.base import ClusterMixin

from xseg._sklearn import Interval
from xseg.backends import Backend, MemoryBackend
from xseg.core.bins import Bins
from xseg.core.boxes import BoxModel
from xseg.core.schema import suggest_name
from xseg.core.segments import SegmentNames, SegmentProfile
from xseg.core.statistics import apply_to_table
from xseg.core.tables import read_table
from xseg.exceptions import ModelFileError, ParameterError, XsegWarning
from xseg.segmenters._base import check_segmenter, complete_fit, register_segmenter
from xseg.segmenters._box_segmenter import BoxSegmenter, count_population
from xseg.segmenters._learning import MIN_MEMBERS
from xseg.segmenters._protocols import FittedSegmenter
from xseg.segmenters._rfm_rules import rfm_rules
from xseg.segmenters._rule_counts import (
    BoxAssignment,
    RuleColumns,
    RuleCounts,
    assign_boxes,
    axes_on,
    names_category,
    read_rule_columns,
)
from xseg.segmenters._rule_definitions import NamedRule, read_rules, write_rules
from xseg.segmenters._rule_geometry import infer_schema, make_axes
from xseg.segmenters._rule_lint import FindingKind, RuleFinding, RuleReview, compute_coverage, find
from xseg.segmenters._saved_state import (
    BoxState,
    SegmentsState,
    StrictState,
    build_bins,
    build_box_model,
    build_names,
    build_profile,
    check,
    describe_population,
)

__all__ = ["RuleSegmenter", "lint_rules"]


_DEFAULT = "Everyone else"


class SavedRule(StrictState):
    """One rule, as it was read."""

    name: str
    rule: Annotated[str, Field(max_length=100_000)]


class RuleState(BoxState):
    """The state of a fitted `RuleSegmenter`; its boxes are worked out again."""

    rules: list[SavedRule]


@register_segmenter
class RuleSegmenter(ClusterMixin, BoxSegmenter):
    """Segmenter defined by given rules; the first rule that holds determines the segment.

    `fit` learns the composition of the segments, never their borders: membership is exactly what the rules say,
    to the last bit of a threshold, and explanations, cards and reports are exact as for any segmenter.

    Parameters
    ----------
    rules : dict or list of (name, rule), default=()
        The segments, in the order in which they are tried. A rule is a text such as
        ``"recency_days <= 30 and orders > 5"``, a dict of columns such as ``{"orders": {">": 5}, "channel": "web"}``,
        a `Condition`, or a list of those, any of which may hold. A name may come several times.
    default : str or None, default="Everyone else"
        The segment of those that no rule describes. None: every possible row must be described.
    include : sequence of str, default=()
        Columns to use although they look like identifiers; a warning names those. Other identifiers are accepted in
        every table, and neither used nor stored.
    min_members : int, default=10
        Minimum number of rows of a category that the fitted segmenter keeps, so that no stored value
        reveals single rows. Rarer categories count as missing.
    n_jobs : int, default=None
        Number of threads; None and -1 mean all cores.
    verbose : int, default=0
        0 is silent. 1 or more logs the stages of the fit, and once a second how far it is, through the ``xseg`` logger,
        or to the standard error if logging is not configured.

    Attributes
    ----------
    labels_ : ndarray of shape (n_rows,)
        The segment of each row.
    segments_ : Segments
        The segments in the order of the rules, the default last. Their rules are boxes that do not overlap: what is
        left of a rule after those before it.
    n_segments_ : int
        Number of segments; the default counts if anybody can be in it.
    rules_ : tuple of (str, str)
        Name and text of each rule, as it was read.
    profile_ : SegmentProfile
        Counts of the values of each feature by segment.
    model_ : BoxModel
        The fitted model, as explanations use it.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if they are strings.

    Notes
    -----
    Rules know comparisons (``<``, ``<=``, ``>``, ``>=``, ``==``, ``!=``, also chained: ``18 <= age < 30``),
    ``in {"app", "web"}``, ``not in {...}``, ``is missing``, ``is known``, ``and``, ``or``, ``not``, brackets and
    ``everyone``. Texts stand in quotes, columns with other names than words in backquotes, truth values are ``true``
    and ``false``. A rule is read by a grammar of its own and never run as code.

    A comparison with a missing value is false, ``!=`` and ``not in`` included. ``not`` turns that around:
    ``not orders > 5`` holds for those whose orders are not known, ``orders <= 5`` does not. A category that neither a
    rule names nor a row of the fit had counts as missing, as everywhere in xseg.

    At most 1,000 boxes may be left when overlaps are cut away, and 254 thresholds in a column.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.RuleSegmenter({
    ...     "Regulars": "orders_90d >= 3 and spend_year > 250",
    ...     "Gone quiet": "orders_90d < 1",
    ... }).fit(customers)
    >>> segmenter.segment_names_
    ('Regulars', 'Gone quiet', 'Everyone else')
    >>> segmenter.segments_["Gone quiet"].rule
    'orders_90d < 1'
    """

    saved_state: ClassVar[type[SegmentsState]] = RuleState
    segment_source: ClassVar[Literal["rows", "labels", "definition"]] = "definition"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "rules": [Mapping, list, tuple],
        "default": [None, str],
        "include": ["array-like", tuple],
        "min_members": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [None, Integral],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        rules: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
        default: str | None = _DEFAULT,
        *,
        include: Sequence[str] = (),
        min_members: int = MIN_MEMBERS,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.rules = rules
        self.default = default
        self.include = include
        self.min_members = min_members
        self.n_jobs = n_jobs
        self.verbose = verbose

    rules_: tuple[tuple[str, str], ...]

    @classmethod
    def from_tree(cls, segmenter: FittedSegmenter) -> Self:
        """Write the boxes of a fitted segmenter down as rules, to be edited.

        Parameters
        ----------
        segmenter : fitted segmenter made of boxes
            Such as a `TreeSegmenter`.

        Returns
        -------
        RuleSegmenter
            Not fitted. Fitted on the same table it gives every row the same segment.

        Raises
        ------
        NotFittedError
            The segmenter has not been fitted.
        UnsupportedTypeError
            It is not made of boxes.

        Examples
        --------
        >>> import xseg
        >>> customers = xseg.make_customers(500, random_state=0)
        >>> tree = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
        >>> rules = xseg.RuleSegmenter.from_tree(tree)
        >>> bool((rules.fit(customers).labels_ == tree.labels_).all())
        True
        """
        return cls(write_rules(check_segmenter(segmenter)))

    @classmethod
    def rfm(
        cls,
        X: Any,
        *,
        recency: str = "recency_days",
        frequency: str = "frequency",
        monetary: str = "monetary",
        default: str | None = _DEFAULT,
    ) -> Self:
        """Return the well-known segments of recency, frequency and monetary value.

        Parameters
        ----------
        X : table of shape (n_customers, n_features)
            Where the fifths are read off, such as the output of `rfm_table`. They become round numbers in the rules.
        recency, frequency, monetary : str
            The columns.
        default : str or None, default="Everyone else"
            The segment of those whose scores have no name.

        Returns
        -------
        RuleSegmenter
            Not fitted; its rules can be read and edited.

        Raises
        ------
        DataError
            A column is not in the table.
        ParameterError, DataError
            A column holds no numbers.

        References
        ----------
        Hughes, "Strategic database marketing", 1994, for scores by fifths. The R package ``rfm``, version 0.2,
        ``rfm_segment``, for names and ranges of scores.

        Examples
        --------
        >>> import pandas as pd, xseg
        >>> table = pd.DataFrame({"recency_days": range(1, 101), "frequency": [9, 4, 3, 1] * 25,
        ...                       "monetary": [900.0, 30.0, 40.0, 10.0] * 25})
        >>> xseg.RuleSegmenter.rfm(table).rules["Champions"]
        'recency_days <= 40 and frequency > 4 and monetary > 40'
        """
        return cls(rfm_rules(read_table(X), recency, frequency, monetary), default)

    @complete_fit
    def fit(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Count who the segments are made of.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows. The columns of an array are called x0, x1, ...
        y : None
            Ignored.
        sample_weight : array-like of shape (n_rows,), default=None
            How much each row counts; 2 is the same as the row twice. A backend brings its own.

        Returns
        -------
        RuleSegmenter
            The fitted segmenter.

        Raises
        ------
        ParameterError
            A rule cannot be read, asks for what the table does not have, or can never win anyone.
        ParameterError, DataError
            Another parameter is not allowed, or the rows cannot be used.

        Warns
        -----
        XsegWarning
            A rule names a category that no row has.
        """
        del y
        self._begin_fit()
        backend = self._backend(X, sample_weight, reset=True)
        columns = read_rule_columns(
            backend, read_rules(self.rules), include=tuple(self.include), min_members=self.min_members
        )
        if isinstance(X, Backend):
            self._remember_backend(columns.bins.schema.names)
        for column, category in columns.unseen_categories:
            known = columns.bins[columns.bins.schema.index(column)].categories
            hint = suggest_name(category, [name for name in known if name != category])
            warn(f"no row has the category {category!r} of column {column!r}{hint}", XsegWarning, stacklevel=3)
        rules, layout = self._assign_boxes(columns.bins)
        self._report("%d rules make %d boxes in %d columns", len(rules), len(layout.boxes), len(columns.bins))
        backend = columns.backend
        model, profile = count_population(backend, columns.bins, layout.boxes, len(layout.names))
        self._restore(rules=rules, layout=layout, model=model, profile=profile)
        self.labels_ = backend.map(partial(apply_to_table, self._make_predictor()))
        self._report_passes(backend)
        return self

    def _assign_boxes(self, bins: Bins) -> tuple[tuple[NamedRule, ...], BoxAssignment]:
        """Read the rules, and assign to each segment its boxes over the columns of a table."""
        rules = read_rules(self.rules)
        return rules, assign_boxes(axes_on(bins, rules), rules, self.default)

    def lint(self, X: Any = None, sample_weight: ArrayLike | None = None) -> RuleReview:
        """Prove what the rules do to each other, and with a table, whom they describe.

        Parameters
        ----------
        X : table, array or Backend, default=None
            Rows to count. Without, everything is proven before any data is seen.
        sample_weight : array-like of shape (n_rows,), default=None
            How much each row counts.

        Returns
        -------
        RuleReview
            As for `lint_rules`.
        """
        self._check_parameters()
        return lint_rules(self.rules, X, default=self.default, sample_weight=sample_weight)

    def get_state(self) -> dict[str, Any]:
        """Return what a file must hold besides the parameters."""
        return {
            **self._describe_segments(),
            "population": describe_population(self.model_),
            "rules": [{"name": name, "rule": rule} for name, rule in self.rules_],
        }

    def get_saved_parameters(self) -> dict[str, Any]:
        """Return the parameters as a file holds them; rules have a place of their own."""
        return {"default": self.default, "n_jobs": self.n_jobs}

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter again, from parameters and the state of a file."""
        check("rules" not in parameters, "parameters", "rules have a place of their own")
        pairs = [(saved.name, saved.rule) for saved in state.rules]
        segmenter = cls._configure({**parameters, "rules": pairs})
        bins = build_bins(state.columns)
        try:
            rules, layout = segmenter._assign_boxes(bins)
        except ParameterError as error:
            message = f"rules: {error}"
            raise ModelFileError(message) from None
        names = segmenter._name_segments(rules, layout)
        check(build_names(state) == names, "segment_names", "are not those of the rules")
        profile = build_profile(state, bins)
        model = build_box_model(state, layout.boxes, profile)
        return segmenter._restore(rules=rules, layout=layout, model=model, profile=profile, named=state.named)

    def _restore(
        self,
        *,
        rules: Sequence[NamedRule],
        layout: BoxAssignment,
        model: BoxModel,
        profile: SegmentProfile,
        named: bool | None = None,
    ) -> Self:
        """Set everything a fitted segmenter holds, whether it was just counted or comes from a file."""
        self.rules_ = tuple((rule.name, rule.source.text) for rule in rules)
        self.restore_boxes(model=model, profile=profile, names=self._name_segments(rules, layout), named=named)
        return self

    def _name_segments(self, rules: Sequence[NamedRule], layout: BoxAssignment) -> SegmentNames:
        """Return the names of the segments; all are given, except for that of a default which nobody named."""
        named = {rule.name for rule in rules} | ({self.default} - {_DEFAULT})
        return SegmentNames(layout.names, tuple(name in named for name in layout.names))


def lint_rules(
    rules: Any, X: Any = None, *, default: str | None = _DEFAULT, sample_weight: ArrayLike | None = None
) -> RuleReview:
    """Prove what rules do to each other: overlaps, rules that are never reached, contradictions, needless conditions.

    Everything is worked out from the geometry of the rules, so nothing depends on who happens to be in a table.

    Parameters
    ----------
    rules : dict or list of (name, rule)
        As for `RuleSegmenter`.
    X : table, array or Backend, default=None
        Rows to count: whom each rule describes, wins, and loses to which other. Its columns also decide what the
        rules' columns hold and which categories there are.
    default : str or None, default="Everyone else"
        The segment of those that no rule describes.
    sample_weight : array-like of shape (n_rows,), default=None
        Sample weights.

    Returns
    -------
    RuleReview
        Findings, each with the region it is about as rules and with a row in it; with a table, coverage.

    Raises
    ------
    ParameterError
        A rule cannot be read, or asks for what the table does not have.

    Examples
    --------
    >>> import xseg
    >>> review = xseg.segmenters.lint_rules({
    ...     "Regulars": "orders > 5 and orders >= 2",
    ...     "Recent": "recency_days <= 30 and orders is known",
    ...     "Both": "recency_days <= 10 and orders > 8",
    ... })
    >>> print(review)
    redundant: 'Regulars' does not need the condition orders >= 2
    overlap: 'Regulars' and 'Recent' overlap, and 'Regulars' wins: orders > 5 and recency_days <= 30
    unreachable: 'Both' is never reached: all rows it describes are won by 'Regulars' and 'Recent'
    default: left to 'Everyone else': orders <= 5 and (recency_days > 30 or missing); or orders is missing
    """
    named = read_rules(rules)
    if X is None:
        return RuleReview(find(make_axes(named, infer_schema(named)), named, default))
    if isinstance(X, Backend) and sample_weight is not None:
        message = "sample_weight must be None where X is a backend; pass sample_weight or weight_column to the backend"
        raise ParameterError(message)
    backend = X if isinstance(X, Backend) else MemoryBackend(X, sample_weight)
    columns: RuleColumns = read_rule_columns(backend, named, min_members=1, warns=False)
    counts = columns.backend.sum(RuleCounts(columns.axes, named))
    findings = find(columns.axes, named, default)
    unseen_categories = tuple(
        RuleFinding(FindingKind.UNSEEN, (rule.label,), condition=f"{column} {category!r}")
        for column, category in columns.unseen_categories
        for rule in named
        if names_category(rule, column, category)
    )
    return RuleReview(findings + unseen_categories, compute_coverage(counts, backend.weight_unit, default))
