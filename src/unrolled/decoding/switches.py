"""Sample independent on/off choices from logits. Axes: B rows, K switches."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.decoding.sampling import Sampling
from unrolled.decoding.validation import broken_scores
from unrolled.errors import ShapeError

__all__ = ["switch"]


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
    if logits.dim() != 2:
        raise ShapeError(f"logits is {tuple(logits.shape)}, expected (B, K)")
    broken = (~logits.isfinite()).any(-1)
    if broken.any():
        raise broken_scores(int(broken.nonzero()[0]))
    scores = logits.detach().double()
    if settings.temperature == 0:
        on = scores > 0
    else:
        draws = torch.rand(scores.shape, dtype=torch.float64, generator=generator).to(scores.device)
        on = draws < torch.sigmoid(scores / settings.temperature)
    if settings.top_k is not None:
        best = scores.argsort(dim=-1, descending=True, stable=True)[:, : settings.top_k]  # (B, k)
        on &= torch.zeros_like(on).scatter_(1, best, True)
    return on
