"""Sample independent on/off choices from logits. Axes: B rows, K switches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled.decoding.sampling import Sampling
from unrolled.decoding.validation import broken_scores
from unrolled.errors import ShapeError

__all__ = ["switch", "switch_each"]


def switch(logits: Tensor, settings: Sampling, generator: torch.Generator) -> Tensor:
    r"""Turn each switch on with the probability :math:`σ(\text{logit} / \text{temperature})`, independently.

    With top-k, only the k likeliest switches of a row can be on; ties go to the lower index. Exactly B · K numbers are
    drawn from ``generator`` (none at temperature 0, where a switch is on if its probability is above 1/2).

    Args:
        logits: log odds.
        settings: temperature and top-k; top-p is ignored.
        generator: a CPU generator.

    Shape:
        logits: (B, K) float; the result (B, K) bool, on the device of ``logits``.

    Raises:
        ShapeError: ``logits`` is not (B, K).
        ModelError: a score is NaN or infinite.

    Cost: O(B K), with top-k a sort.

    Example:
        >>> scores = torch.tensor([[3.0, -1.0, 2.0]])
        >>> switch(scores, Sampling(temperature=0), torch.Generator()).tolist()
        [[True, False, True]]
        >>> switch(scores, Sampling(temperature=0, top_k=1), torch.Generator()).tolist()
        [[True, False, False]]
    """
    scores = _finite(logits)
    if settings.temperature == 0:
        on = scores > 0
    else:
        draws = torch.rand(scores.shape, dtype=torch.float64, generator=generator).to(scores.device)
        on = draws < torch.sigmoid(scores / settings.temperature)
    if settings.top_k is not None:
        best = scores.argsort(dim=-1, descending=True, stable=True)[:, : settings.top_k]  # (B, k)
        on &= torch.zeros_like(on).scatter_(1, best, True)
    return on


def switch_each(logits: Tensor, settings: Sequence[Sampling], generators: Sequence[torch.Generator]) -> Tensor:
    """Turn the switches of each row on, as `switch` does it for a single row with its settings and its generator.

    Args:
        logits: log odds.
        settings: temperature and top-k of each row.
        generators: a CPU generator for each row.

    Shape:
        logits: (B, K) float; the result (B, K) bool, on the device of ``logits``.

    Raises:
        ShapeError, ModelError: as `switch`; nothing is drawn then.

    Example:
        >>> greedy = Sampling(temperature=0)
        >>> switch_each(torch.tensor([[3.0, -1.0]]), [greedy], [greedy.generator()]).tolist()
        [[True, False]]
    """
    rows = _finite(logits).unsqueeze(1).unbind(0)
    return torch.cat([switch(row, one, chance) for row, one, chance in zip(rows, settings, generators, strict=True)])


def _finite(logits: Tensor) -> Tensor:
    if logits.dim() != 2:
        raise ShapeError(f"logits is {tuple(logits.shape)}, expected (B, K)")
    broken = (~logits.isfinite()).any(-1)
    if broken.any():
        raise broken_scores(int(broken.nonzero()[0]))
    return logits.detach().double()
