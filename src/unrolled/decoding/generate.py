"""Autoregressive generation: sample an id, feed it back, step. Axes: B rows, V vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from unrolled.decoding.sampling import Sampling, choose
from unrolled.errors import UsageError
from unrolled.state import State

__all__ = ["generate"]


def generate(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    state: State,
    logits: Tensor,
    *,
    steps: int,
    end: int | None,
    settings: Sampling,
    generator: torch.Generator,
    banned: Sequence[int] = (),
) -> Iterator[Tensor]:
    r"""Generate ids step by step, and yield each step's ids (B,) at once.

    .. math:: y_t \sim \text{choose}(\text{logits}_t), \qquad \text{logits}_{t+1}, s_{t+1} = \text{step}(y_t, s_t)

    After ``end``, a row yields ``end`` at every step; generation stops when all rows have ended. No gradients are kept.
    The rows share ``generator`` and draw B numbers per step, even when some have ended: a row's ids do not depend on
    when other rows end, but they do depend on the number of rows.

    Args:
        step: one step of a model for all rows: (ids (B,) int64, state) -> (logits (B, V), state).
        state: the state after the prompt.
        logits: the scores of the first id, from the last step of the prompt.
        steps: the most ids per row, at least 0.
        end: the id that ends a row; ``None``: rows only end after ``steps``.
        settings: temperature, top-k and top-p; the seed is not used here.
        generator: the random generator, such as ``settings.generator()``; reuse it to continue its random numbers.
        banned: ids that are never chosen.

    Shape:
        logits: (B, V) float; each result (B,) int64.

    Raises:
        UsageError: ``steps`` is negative, or what `choose` raises.
        ModelError: as `choose`.

    Cost: one ``step`` and one `choose` per id; only the state may need more memory with more steps.

    Example:
        >>> def count(ids, state):  # after i comes i + 1
        ...     return torch.nn.functional.one_hot((ids + 1) % 5, 5).float() * 9, state
        >>> first = torch.tensor([[9.0, 0, 0, 0, 0], [0, 0, 9.0, 0, 0]])
        >>> greedy, random = Sampling(temperature=0), torch.Generator()
        >>> generated = generate(count, None, first, steps=9, end=3, settings=greedy, generator=random)
        >>> [ids.tolist() for ids in generated]
        [[0, 2], [1, 3], [2, 3], [3, 3]]
    """
    if steps < 0:
        raise UsageError(f"steps is {steps}, expected 0 or more")
    return _tokens(step, state, logits, steps, end, settings, generator, banned)


def _tokens(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    state: State,
    logits: Tensor,
    steps: int,
    end: int | None,
    settings: Sampling,
    generator: torch.Generator,
    banned: Sequence[int],
) -> Iterator[Tensor]:
    done = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
    for left in range(steps, 0, -1):
        ids = choose(logits, settings, generator, banned)
        if end is not None:
            ids = ids.masked_fill(done, end)
            done = done | (ids == end)
        yield ids
        if left == 1 or (end is not None and bool(done.all())):
            return
        with torch.no_grad():  # around the step only: a yield inside would switch gradients off for the caller
            logits, state = step(ids, state)
