"""The torch side of the kernels: which inputs they take, and how to call them.

Axes: B rows, T steps, I inputs, H hidden units, G gates, P = H rounded up to a whole vector.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unrolled.kernels import operators, passes
from unrolled.kernels.library import CELLS, SUFFIXES, loaded
from unrolled.kernels.plain import is_exported, is_transformed, without_compiler
from unrolled.kernels.recompute import Recomputed

__all__ = ["fits", "recurrence", "suits", "unwatched"]


def fits(kind: str | None, x: Tensor, weights: list[Tensor]) -> bool:
    """Whether the kernels can run this: a known cell, without projection, in float32 or float64 on a CPU.

    Without gradients they also take bfloat16. A program that is exported is in torch's own operators, so that it runs
    without us, unless its number of steps is open: torch's loop would fix it, so there it is one operator of Unrolled.

    Args:
        kind: ``FusedCell.kernel``.
        x: the inputs (B, T, I).
        weights: ``FusedCell.weights()``.
    """
    known = kind in CELLS and len(weights) in (2, 4) and weights[0].dtype == x.dtype
    if known and is_exported():
        return _is_open(x)
    rounded = x.dtype == torch.bfloat16 and not torch.is_grad_enabled()
    return known and (x.dtype in SUFFIXES or rounded) and _may_run(x)


def suits(x: Tensor) -> bool:
    """Whether the kernels are available and take ``x`` as it is: float32 or float64 on a CPU."""
    if is_exported():
        return x.dtype in SUFFIXES and _is_open(x) and _kernels_are_available()
    return x.dtype in SUFFIXES and _may_run(x)


def _is_open(x: Tensor) -> bool:
    """Whether torch.export leaves the number of steps of ``x`` (B, T, I) open; a strict export does not say."""
    strict = torch.compiler.is_dynamo_compiling()
    return torch.compiler.is_exporting() and (strict or isinstance(x.shape[1], torch.SymInt))


def _may_run(x: Tensor) -> bool:
    """Whether ``x`` is on a CPU and not empty, outside autocast, forward mode and `torch.func`'s derivatives."""
    return (
        x.device.type == "cpu"
        and x.numel() > 0
        and not torch.is_autocast_enabled("cpu")
        and torch.autograd.forward_ad._current_level < 0
        and not is_transformed(True)
        and _kernels_are_available()
    )


def _kernels_are_available() -> bool:
    return loaded() is not None


without_compiler(_kernels_are_available)


def recurrence(
    kind: str,
    x: Tensor,
    lengths: Tensor | None,
    weights: list[Tensor],
    state: tuple[Tensor, ...],
    *,
    reverse: bool = False,
    recompute: int | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a cell over every step of every row.

    ::

        y_t, s_t = cell(x_t, s_{t-1})        for t = 1 … length of the row;  beyond it y_t = 0 and x is never read

    Args:
        kind: ``lstm``, ``gru``, ``rnn_tanh`` or ``rnn_relu``.
        x: the inputs, with any strides.
        lengths: (B,) int64, 0 … T; ``None``: every step is real.
        weights: ``[weight_ih, weight_hh]``, optionally followed by ``[bias_ih, bias_hh]``, as in torch.nn.
        state: the state before the first step, each part (B, H).
        reverse: from each row's last real step to its first.
        recompute: n: keep only every n-th state, and compute the steps in between again in the backward pass; only if
            x is `unwatched`.

    Shape:
        x (B, T, I) float32 or float64 -> y (B, T, H), and the state after each row's last real step. bfloat16 only
        without gradients: it is computed in float32, and y and the state are rounded once, at the end.

    Raises:
        ShapeError: a length outside 0 … T.

    Cost:
        G·H(I + H) multiply-adds per row and real step. For the backward pass it keeps 5P numbers per step for an LSTM,
        4P for a GRU; with ``recompute`` 2H per chunk, and 5P per step of a single chunk, for a third more
        multiply-adds. Second derivatives, and several gradients at once, go through torch's own loop, which then runs
        a second time.

    References:
        Appleyard, Kociský and Blunsom 2016, https://arxiv.org/abs/1604.01946

    Example:
        >>> weights = [torch.zeros(4, 2), torch.zeros(4, 4)]
        >>> if loaded() is not None:
        ...     y, (h,) = recurrence("rnn_tanh", torch.ones(1, 3, 2), None, weights, (torch.zeros(1, 4),))
        ...     assert y.shape == (1, 3, 4)
    """
    if x.dtype == torch.bfloat16 and not is_exported():
        wide, first = [w.float() for w in weights], tuple(part.float() for part in state)
        y, last = recurrence(kind, x.float(), lengths, wide, first, reverse=reverse)
        return y.bfloat16(), tuple(part.bfloat16() for part in last)
    b_ih, b_hh = weights[2:] or (None, None)
    c_0 = state[1] if kind == "lstm" else None
    inputs = (x, lengths, weights[0], weights[1], b_ih, b_hh, state[0], c_0)
    tracked = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, *weights, *state))
    if not unwatched(x):
        # An exported program is for inference; if it is trained, the backward pass computes again what it needs.
        y, h_n, c_n, _ = operators.recurrence(kind, *inputs, reverse, tracked and not torch.compiler.is_exporting())
    elif tracked and recompute is not None:
        y, h_n, c_n = Recomputed.apply(recompute, kind, *inputs, reverse)  # type: ignore[no-untyped-call]
    elif tracked:
        y, h_n, c_n = _Eager.apply(kind, *inputs, reverse)  # type: ignore[no-untyped-call]
    else:
        y, h_n, c_n, _ = passes.forward(passes.Run(kind, *inputs, reverse), save=False)
    return y, (h_n, c_n) if kind == "lstm" else (h_n,)


def unwatched(x: Tensor) -> bool:
    """Whether ``x`` runs eagerly: without a compiler, exporter, tracer or transform, all of which need an operator."""
    return (
        not torch.compiler.is_compiling()
        and type(x) in (Tensor, torch.nn.Parameter)
        and torch._C._len_torch_dispatch_stack() == 0
        and torch._C._functorch.peek_interpreter_stack() is None
        and torch._C._get_tracing_state() is None
    )


class _Eager(torch.autograd.Function):
    """The operators without torch's dispatch, which costs more than a short sequence."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> tuple[Tensor, Tensor, Tensor]:
        run = passes.Run(*given)
        y, h_n, c_n, saved = passes.forward(run, save=True)
        ctx.mine = y.detach() if torch._C._autograd._top_saved_tensors_default_hooks(False) is None else None
        ctx.version = y._version
        operators.keep(ctx, run, y if ctx.mine is None else None, saved)
        return y, h_n, c_n

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        def way_back(
            run: passes.Run, y: Tensor | None, saved: Tensor, above: passes.Above, wanted: list[bool]
        ) -> tuple[Tensor, ...]:
            y = ctx.mine if y is None else y
            if y._version != ctx.version and ctx.mine is not None:  # the caller has written over it
                y, _, _, saved = passes.forward(run, save=True)
            spent = not torch._C._autograd._get_current_graph_task_keep_graph()
            if spent:
                ctx.mine = None
            return passes.backward(run, y, saved, above, wanted, spent)

        return operators.gradients_of(way_back, ctx, *gradients)
