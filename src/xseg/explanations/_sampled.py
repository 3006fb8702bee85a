"""A `shap.Explanation` with standard errors. Importing this module loads shap."""

from typing import Any

import shap
from numpy.typing import NDArray

__all__ = ["SampledExplanation"]


class SampledExplanation(shap.Explanation):
    """A `shap.Explanation` whose values are means over independent repeats, with their standard errors.

    shap keeps the errors as ``error_std`` and slices them with the values.
    """

    @property
    def sampling_error(self) -> NDArray[Any]:
        """The standard error of each value, of the shape of `values`; 0 where nothing was sampled."""
        return self.error_std  # type: ignore[no-any-return]

    def __copy__(self) -> "SampledExplanation":
        copied = super().__copy__()
        copied.__class__ = type(self)
        return copied  # type: ignore[no-any-return]
