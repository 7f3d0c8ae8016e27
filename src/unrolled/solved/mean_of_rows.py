"""Predicts the training mean for each row, whatever the input."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from unrolled.baselines._forecasts import means
from unrolled.batch import Continuous
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.one import One
from unrolled.solved._lookup import Constant
from unrolled.tasks.task import Task

__all__ = ["MeanOfRows"]


class MeanOfRows(Constant):
    r"""Predicts the mean over the training rows: :math:`\hat y = \bar y_{\text{train}}`.

    What it shows: how much there is to explain. Its squared error is the variance (1 in scaled units, if the split
    is like the training split), and its r2 is 0 or less.

    Applies to: a number for each row.

    Cost: one mean, O(1) per prediction.

    References:
        Hyndman and Athanasopoulos, Forecasting, section 5.2. https://otexts.com/fpp3/simple-methods.html
    """

    name: ClassVar[str] = "mean"

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for a number for each row."""
        return task.outputs == 1 and isinstance(train.form, One) and isinstance(train.target_spec, Continuous)

    @staticmethod
    def counted(task: Task, train: Examples) -> Tensor:  # noqa: ARG004 - for members that need it
        """The mean."""
        return torch.from_numpy(means(train))


MEMBER = MeanOfRows
