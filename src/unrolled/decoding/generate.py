"""Generation: choose, feed back, step. Axes: B rows, V vocabulary."""

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
    r"""Yield the chosen ids step by step, each as soon as it is known.

    .. math:: y_t \sim \text{choose}(\text{logits}_t), \qquad \text{logits}_{t+1}, s_{t+1} = \text{step}(y_t, s_t)

    A row that has chosen ``end`` goes on yielding ``end``; when every row has, generation stops. No gradient is kept.
    The rows share ``generator`` and draw B numbers a step, finished rows too: row b's text does not change when another
    row ends early, but it does when the number of rows changes.

    Args:
        step: one step of a model for all rows: (ids (B,) int64, state) -> (logits (B, V), state).
        state: the state after the prompt.
        logits: the scores for the first token, those after the prompt's last.
        steps: the most tokens per row, at least 0.
        end: the id that ends a row; ``None``: only ``steps`` does.
        settings: temperature, top-k and top-p; its seed is not read here.
        generator: the source of chance, such as ``settings.generator()``. The same one goes on where it stopped.
        banned: ids that are never chosen.

    Shape:
        logits: (B, V) float; each result (B,) int64.

    Raises:
        UsageError: ``steps`` is negative, or what `choose` raises.
        ModelError: as `choose`.

    Cost: per token one ``step`` and one `choose`; memory does not grow with ``steps`` beyond what the state does.

    Example:
        >>> def count(ids, state):  # after i comes i + 1
        ...     return torch.nn.functional.one_hot((ids + 1) % 5, 5).float() * 9, state
        >>> first = torch.tensor([[9.0, 0, 0, 0, 0], [0, 0, 9.0, 0, 0]])
        >>> greedy, chance = Sampling(temperature=0), torch.Generator()
        >>> told = generate(count, None, first, steps=9, end=3, settings=greedy, generator=chance)
        >>> [ids.tolist() for ids in told]
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
