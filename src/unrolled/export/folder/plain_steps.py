"""Steps one after another, in a form that torch.export keeps for any number of them. Axes: B rows, T steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Parts = tuple[Tensor, ...]


def over_steps(
    step: Callable[[Parts, Parts], tuple[Parts, Tensor]], state: Parts, parts: Parts
) -> tuple[Parts, Tensor]:
    """The state after the last step, and what every step gives, (B, T, …).

    Args:
        step: the state before, and a step of each of ``parts``, (B, …) -> the state after, and what the step gives.
        state: before the first step.
        parts: (B, T, …), what each step reads.
    """
    if torch.compiler.is_exporting():  # a loop in Python would fix the number of steps in the exported program
        from torch._higher_order_ops.scan import scan

        def copied(before: Parts, now: Parts) -> tuple[Parts, Tensor]:
            after, y = step(before, now)
            return tuple(part.clone() for part in after), y.clone()

        first, steps = tuple(part.clone() for part in state), tuple(part.transpose(0, 1) for part in parts)
        after, every = scan(copied, first, steps, dim=0)
        return tuple(after), every.transpose(0, 1)
    found = []
    for now in zip(*(part.unbind(1) for part in parts), strict=True):
        state, y = step(state, now)
        found.append(y)
    return state, torch.stack(found, 1)
