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
        with pytest.raises(ShapeError, match=r"the answers have shape \(2,\), but the right values \(3,\)"):
            make()
    with pytest.raises(ShapeError, match="there are 1 written sequences, but 2 right ones"):
        TokenSequences([[1]], [[1], [2]])
