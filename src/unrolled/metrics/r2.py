"""R²: the share of the variance that is explained."""

from __future__ import annotations

from typing import ClassVar

from unrolled.metrics.judged import Values
from unrolled.metrics.metric import Measure, Sums

__all__ = ["R2"]

_ROUNDING = 1e-13  # a spread below this share of the squares is the rounding error of a constant


class R2:
    r"""The share of the variance that the answers explain: 1 is perfect, 0 is as good as the mean, below 0 is worse.

    .. math:: 1 - \frac{\sum_n (\hat y_n - y_n)^2}{\sum_n (y_n - \bar y)^2}

    For a constant target it is 1 if every answer is right, else 0.

    References:
        Wright, Correlation and Causation, 1921. https://scikit-learn.org/stable/modules/model_evaluation.html

    Example:
        >>> import torch
        >>> numbers = Values(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 6.0]), std=1.0)
        >>> R2().values(R2().sums(numbers))
        {'r2': 0.3571428571428571}
    """

    judges: ClassVar[tuple[type, ...]] = (Values,)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("r2", "share", "higher"),)

    def sums(self, judged: Values) -> Sums:
        known = ~judged.right.isnan()
        y = judged.right[known].double()
        error = judged.answer[known].double() - y
        return {"errors": error.square().sum(), "y": y.sum(), "yy": y.square().sum(), "count": known.sum()}

    def values(self, sums: Sums) -> dict[str, float]:
        errors, y, yy, count = (float(sums[name]) for name in ("errors", "y", "yy", "count"))
        if not count:
            return {}
        spread = yy - y**2 / count
        if spread <= _ROUNDING * yy:
            return {"r2": 0.0 if errors else 1.0}
        return {"r2": 1 - errors / spread}


MEMBER = R2
