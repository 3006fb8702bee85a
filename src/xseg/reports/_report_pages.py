"""Pages for people: a report on a model, and a card on one segment."""

import os
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg._files import write_whole
from xseg.core.tables import Table, read_table, select_columns
from xseg.exceptions import DataError, XsegError
from xseg.explanations import NO_RIVAL, Contributions, NearestChangeFinder, compute_own_contributions
from xseg.export import get_approval
from xseg.i18n import find_words, get_environment, load_language
from xseg.metrics import Stability, Tradeoff, structure
from xseg.policy import Policy
from xseg.reports._report_facts import (
    Check,
    Measurements,
    ReportFacts,
    SegmentFacts,
    collect_report_facts,
    get_label,
    segment_facts,
)
from xseg.segmenters import FittedSegmenter, SegmenterOrPipeline, check_segmenter, fold

__all__ = ["Driver", "Neighbour", "Report", "SegmentCard", "make_report", "segment_card"]


class Report:
    """A page about a model; shows itself in a notebook.

    Parameters
    ----------
    facts : ReportFacts
        What it says.
    """

    def __init__(self, facts: ReportFacts) -> None:
        self.facts = facts

    def html(self) -> str:
        """Return the report as one HTML page that needs no network and no script."""
        return get_environment("xseg.reports").get_template("report.html.j2").render(report=self.facts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file, whole or not at all.

        Raises
        ------
        XsegError
            The file cannot be written.
        """
        try:
            write_whole(path, self.html())
        except OSError as error:
            message = f"cannot write the report {path}: {error.strerror}; check the folder and its permissions"
            raise XsegError(message) from error

    def _repr_html_(self) -> str:
        return get_environment("xseg.reports").get_template("embedded.html.j2").render(report=self.facts)


def make_report(
    segmenter: SegmenterOrPipeline,
    X: Any = None,
    *,
    policy: Any = None,
    stability: Stability | None = None,
    tradeoff: Tradeoff | None = None,
    at: date | None = None,
) -> Report:
    """Make a page about a model: who the groups are, how they are told apart, and what to look at.

    It says first whether the model is approved (see `xseg.governance.approval.approve`), by whom and on which review.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model; a pipeline is told over raw columns (see `xseg.fold`).
    X : table or array of shape (n_rows, n_features), default=None
        The people it was fitted on. With them the report says whether they form groups at all (`metrics.structure`).
    policy : Policy, path, mapping or None, default=None
        Labels, units, and what the checks compare with.
    stability : Stability, default=None
        What `xseg.metrics.stability` measured.
    tradeoff : Tradeoff, default=None
        What `xseg.metrics.tradeoff` measured; it is drawn.
    at : date, default=None
        The day on which an approval must count; None means today (UTC).

    Returns
    -------
    Report
        With ``html()`` and ``save(path)``.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    UnsupportedTypeError
        A step of the pipeline cannot be folded.
    DefinitionError
        The policy cannot be read, or names a column that is not there.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> report = xseg.make_report(segmenter, policy=xseg.datasets.customers_policy())
    >>> report.html().startswith("<!doctype html>")
    True
    """
    approval = get_approval(segmenter, at=at)
    segmenter = fold(segmenter)
    segmenter._check_fitted()
    policy = Policy.coerce(policy)
    policy.check_columns(segmenter.profile_.bins.schema.names)
    policy.check_segments(segmenter.segment_names_)
    found = None
    if X is not None and segmenter.n_segments_ > 1:
        bins = segmenter.profile_.bins
        rows = bins.read(select_columns(read_table(X, unread=segmenter.excluded_columns_), bins.schema.names))
        found = structure(rows, n_segments=segmenter.n_segments_, random_state=0)
    return Report(collect_report_facts(segmenter, policy, Measurements(found, stability, tradeoff), approval))


_MAX_DRIVERS, _MAX_NEIGHBOURS = 8, 3
_CLOSE, _CLOSE_LEAD = 0.1, 0.1
_COMES_BACK = 0.75


@dataclass(frozen=True, slots=True)
class Driver:
    """A feature that puts people into the group.

    Attributes
    ----------
    label : str
        The feature.
    share : float
        Its part of all that is weighed, by the mean size of exact contributions over the group's people.
    """

    label: str
    share: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Where the group's people would be next.

    Attributes
    ----------
    name : str
        The other group.
    share : float
        For how many of the people it is the nearest.
    """

    name: str
    share: float


@dataclass(frozen=True, slots=True)
class SegmentCard:
    """A page about one segment: who they are, what puts them there, where they would be next, what to look at.

    Attributes
    ----------
    facts : SegmentFacts
        Name, size, rules, and where its people differ from everyone.
    sentence, consequence, speak : str or None
        What the policy says: to the people, what follows from it, and how to speak to them.
    drivers : tuple of Driver
        What puts people into it, the strongest first; empty without a table.
    neighbours : tuple of Neighbour
        Where they would be next; empty without a table.
    close : float or None
        The share of its people who are a close call; None without a table.
    returns : float or None
        How much of the group comes back when others are asked (mean overlap); None where it was not measured.
    checks : tuple of Check
        What is well, and what to look at.
    model : str
        Fingerprint of the model.
    approval : {"draft", "reviewed", "approved"}
        What the model is (see `xseg.governance.approval.approve`).
    """

    facts: SegmentFacts
    sentence: str | None
    consequence: str | None
    speak: str | None
    drivers: tuple[Driver, ...]
    neighbours: tuple[Neighbour, ...]
    close: float | None
    returns: float | None
    checks: tuple[Check, ...]
    model: str
    approval: str

    def html(self) -> str:
        """Return the page as HTML that needs no network and no script."""
        return get_environment("xseg.reports").get_template("segment.html.j2").render(card=self)

    def text(self) -> str:
        """Return the page as plain text."""
        return get_environment("xseg.reports").get_template("segment.txt.j2").render(card=self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the HTML page to a file, whole or not at all.

        Raises
        ------
        XsegError
            The file cannot be written.
        """
        try:
            write_whole(path, self.html())
        except OSError as error:
            message = f"cannot write the segment card {path}: {error.strerror}; check the folder and its permissions"
            raise XsegError(message) from error

    def _repr_html_(self) -> str:
        return get_environment("xseg.reports").get_template("embedded_segment.html.j2").render(card=self)


def segment_card(
    segmenter: SegmenterOrPipeline,
    X: Any = None,
    *,
    segment: str | int,
    policy: Any = None,
    stability: Stability | None = None,
) -> SegmentCard:
    """Make a page about one segment, for those who work with it.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in a tree
        The model.
    X : table or array of shape (n_rows, n_features), default=None
        People. With them the page says what puts them into the segment, where they would be next, and how many are
        close calls.
    segment : str or int
        Its name or its index.
    policy : Policy, path, mapping or None, default=None
        Labels, units, what people are policy, and how to speak to them.
    stability : Stability, default=None
        What `xseg.metrics.stability` measured.

    Returns
    -------
    SegmentCard
        With ``html()``, ``text()`` and ``save(path)``.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    DataError, ParameterError
        There is no such segment.
    DefinitionError
        The policy cannot be read, or names a column that is not there.
    DataError
        Nobody in the table is in the segment.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> card = xseg.segment_card(segmenter, customers, segment=0, policy=xseg.datasets.customers_policy())
    >>> round(sum(driver.share for driver in card.drivers), 6)
    1.0
    """
    folded = fold(segmenter)
    check_segmenter(folded)
    policy = Policy.coerce(policy)
    policy.check_columns(folded.profile_.bins.schema.names)
    policy.check_segments(folded.segment_names_)
    index = int(folded.segments_.position(segment))
    facts, said = segment_facts(folded, policy, index), policy.segment(index, folded.segment_names_[index])
    drivers, neighbours, close = ((), (), None) if X is None else _from_people(folded, X, policy, index)
    returns = None if stability is None else stability.segments[index].jaccard
    approval = get_approval(segmenter)
    return SegmentCard(
        facts=facts,
        sentence=said.sentence,
        consequence=said.consequence,
        speak=said.speak,
        drivers=drivers,
        neighbours=neighbours,
        close=close,
        returns=returns,
        checks=tuple(_checks(folded, policy, facts, close, returns)),
        model=approval.fingerprint,
        approval=approval.state,
    )


def _from_people(
    segmenter: FittedSegmenter, X: Any, policy: Policy, index: int
) -> tuple[tuple[Driver, ...], tuple[Neighbour, ...], float]:
    """Return what puts people into the segment, where they would be next, and how many are close calls."""
    mine = np.flatnonzero(np.asarray(segmenter.predict(X)) == index)
    if not len(mine):
        message = f"nobody in the table is in {segmenter.segment_names_[index]!r}; give the people it was fitted on"
        raise DataError(message)
    rows = read_table(X).take(mine)
    _, explained = compute_own_contributions(segmenter, rows)
    nearest, near = _find_neighbours(segmenter, rows, explained)
    counts = np.bincount(nearest[nearest >= 0], minlength=segmenter.n_segments_)
    order = [other for other in np.argsort(-counts, kind="stable").tolist() if counts[other]][:_MAX_NEIGHBOURS]
    neighbours = tuple(Neighbour(segmenter.segment_names_[other], float(counts[other] / len(mine))) for other in order)
    return _drivers(explained, rows, policy), neighbours, float(near.mean())


def _drivers(explained: Contributions, rows: Table, policy: Policy) -> tuple[Driver, ...]:
    weight = np.abs(explained.values).mean(axis=0)
    total = float(weight.sum())
    order = [j for j in np.argsort(-weight, kind="stable").tolist() if weight[j] > 0]
    named = [Driver(get_label(policy, rows.names[j]), float(weight[j]) / total) for j in order[:_MAX_DRIVERS]]
    rest = 1.0 - sum(driver.share for driver in named)
    return (*named, Driver("everything else", rest)) if len(order) > _MAX_DRIVERS else tuple(named)


def _find_neighbours(
    segmenter: FittedSegmenter, rows: Table, explained: Contributions
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the group next to each person, -1 where there is none, and whether it is a close call."""
    if segmenter.model_.boxes is not None:
        ways = NearestChangeFinder(segmenter).find(rows)
        nearest = np.array([-1 if way.segment is None else way.segment for way in ways], dtype=np.int64)
        return nearest, np.array([way.cost < _CLOSE for way in ways])
    lead = explained.base + explained.values.sum(axis=1)
    largest = np.abs(np.column_stack([explained.values, explained.base])).max(axis=1)
    close = lead < _CLOSE_LEAD * np.maximum(lead, largest / 2)
    return np.where(explained.rivals == NO_RIVAL, -1, explained.rivals), close


def _checks(
    segmenter: FittedSegmenter, policy: Policy, facts: SegmentFacts, close: float | None, returns: float | None
) -> list[Check]:
    least = policy.minimum_group_size
    special = find_words(facts.name, load_language(policy.locale).tag).special
    asked = {condition.feature for rule in segmenter.segments_[facts.index].rules for condition in rule.conditions}
    sensitive = [get_label(policy, name) for name in sorted(asked) if policy.feature(name).sensitive]
    found = [
        Check(not facts.too_small, f"It has {facts.size} people; the least allowed is {least}."),
        Check(
            not special,
            f"Its name hints at {', '.join(special)}." if special else "Its name hints at no special category of data.",
        ),
        Check(
            not sensitive,
            f"Its rules ask about what is sensitive: {', '.join(sensitive)}."
            if sensitive
            else "Its rules ask about nothing that is marked sensitive.",
        ),
    ]
    if close is not None:
        found.append(Check(close < 0.5, f"{close:.0%} of its people are close calls, near another group's boundary."))
    if returns is not None:
        well = returns >= _COMES_BACK
        ending = "" if well else "; below 75 % it should not be relied on"
        found.append(Check(well, f"{returns:.0%} of it comes back when other people are asked{ending}."))
    return found
