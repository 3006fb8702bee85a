"""What is known of an outcome in a group of people."""

from dataclasses import dataclass

__all__ = ["Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An estimate of an outcome in one segment, from people who had no part in choosing the segment.

    Attributes
    ----------
    estimate : float
        The mean, or the share of people with the value that is asked about.
    low, high : float
        The ends of its confidence interval.
    n : float
        How many people (or how much sample weight) it is estimated on.
    value : str or None
        The category whose share it is; None where the outcome is a number.
    """

    estimate: float
    low: float
    high: float
    n: float
    value: str | None = None

    def __str__(self) -> str:
        """Return the estimate and its interval in one line."""
        if self.value is None:
            return f"{self.estimate:.4g} ({self.low:.4g} to {self.high:.4g})"
        return f"{self.value} {self.estimate:.1%} ({self.low:.1%} to {self.high:.1%})"
