"""One page about a whole model."""

import os
from datetime import date
from typing import Any

from xseg._files import write_whole
from xseg.core.tables import read_table, select_columns
from xseg.exceptions import XsegError
from xseg.export import get_approval
from xseg.i18n import get_environment
from xseg.metrics import Stability, Tradeoff, structure
from xseg.policy import Policy
from xseg.reports._report_facts import Measurements, ReportFacts, collect_report_facts
from xseg.segmenters import fold

__all__ = ["Report", "make_report"]


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
    segmenter: Any,
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
