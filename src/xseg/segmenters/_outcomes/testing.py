"""Whether an outcome differs between groups that were chosen without looking at it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, f

from xseg.segmenters._outcomes.targets import NUMBER, Target

__all__ = ["difference_test"]


def difference_test(target: Target, groups: Sequence[NDArray[np.int64]], weights: NDArray[np.float64]) -> float:
    """Return the p-value of no difference between groups of rows: Welch's test, or the chi-squared test.

    References
    ----------
    Welch, "On the comparison of several mean values: an alternative approach", Biometrika 38, 1951.
    """
    if len(groups) < 2:
        return 1.0
    if target.kind == NUMBER:
        return _welch([(target.values[rows, 0], weights[rows]) for rows in groups])
    counts = np.array([weights[rows] @ target.values[rows] for rows in groups])
    counts = counts[:, counts.sum(axis=0) > 0]
    return float(chi2_contingency(counts).pvalue) if counts.shape[1] > 1 else 1.0


def _welch(groups: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> float:
    sizes = np.array([own.sum() for _, own in groups])
    means = np.array([own @ values / own.sum() for values, own in groups])
    squares = [own @ (values - mean) ** 2 for (values, own), mean in zip(groups, means, strict=True)]
    variances = np.array(squares) / np.maximum(sizes - 1, 1)
    if (sizes <= 1).any() or (variances <= 0).any():
        return 1.0 if np.ptp(means) == 0 else _pooled(sizes, means, float(np.sum(squares)))
    precision = sizes / variances
    center = precision @ means / precision.sum()
    between = precision @ (means - center) ** 2 / (len(groups) - 1)
    slack = float(((1 - precision / precision.sum()) ** 2 / (sizes - 1)).sum())
    within = 1 + 2 * (len(groups) - 2) / (len(groups) ** 2 - 1) * slack
    return float(f.sf(between / within, len(groups) - 1, (len(groups) ** 2 - 1) / (3 * slack)))


def _pooled(sizes: NDArray[np.float64], means: NDArray[np.float64], squares: float) -> float:
    """Return the p-value of the usual analysis of variance, for groups that vary too little for Welch's test."""
    freedom = sizes.sum() - len(sizes)
    if freedom <= 0:
        return 1.0
    if squares <= 0:
        return 0.0
    center = sizes @ means / sizes.sum()
    between = sizes @ (means - center) ** 2 / (len(sizes) - 1)
    return float(f.sf(between / (squares / freedom), len(sizes) - 1, freedom))
