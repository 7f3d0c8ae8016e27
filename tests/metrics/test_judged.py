from __future__ import annotations

import pytest
import torch

from unrolled.errors import ShapeError
from unrolled.metrics.judged import ChosenLabels, ChosenSets, ChosenTokens, Quantiles, TokenSequences, Values


def test_shapes_that_do_not_fit_are_refused() -> None:
    two, three = torch.zeros(2), torch.zeros(3)
    for make in (
        lambda: ChosenLabels(two, three, 1),
        lambda: ChosenTokens(two, three),
        lambda: ChosenSets(two, three),
        lambda: Values(two, three, 1.0),
        lambda: Quantiles((0.5,), two[:, None], three),
    ):
        with pytest.raises(ShapeError, match=r"the answers are \(2,\), expected \(3,\), as what is right"):
            make()
    with pytest.raises(ShapeError, match="1 sequences are written, but 2 are right"):
        TokenSequences([[1]], [[1], [2]])
