"""What the kernels compute, in torch: for all that they do not take, and for every derivative of their gradients.

Axes: B rows, T steps, I inputs, H hidden units, P outputs (the projection, or H).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import _VF, Tensor
from torch._compile import _disable_dynamo
from torch.nn.functional import linear

from unrolled.cells.gru import gru_step
from unrolled.cells.lstm import lstm_step
from unrolled.layers.lengths import last_real, real_steps, reverse_rows, zero_padding
from unrolled.watch import Owner, show

__all__ = [
    "differentiate",
    "is_exported",
    "is_transformed",
    "is_wrapped",
    "plain",
    "plain_scan",
    "plain_step",
    "without_compiler",
]

Parts = tuple[Tensor, ...]
_SATURATE = 1e4  # σ(±1e4) is 0 or 1 to the last bit in every dtype, and 1e4 still fits into half precision


def plain(
    kind: str,
    x: Tensor,
    lengths: Tensor | None,
    weights: Sequence[Tensor],
    state: Parts,
    reverse: bool,
    kept: Tensor | None = None,
) -> tuple[Tensor, Parts]:
    """`fused.recurrence` in torch: any device and dtype, and an LSTM's projection.

    Args:
        kind: ``lstm``, ``gru``, ``rnn_tanh`` or ``rnn_relu``.
        x: (B, T, I).
        lengths: (B,) int64, or ``None``.
        weights: ``[weight_ih, weight_hh]``, then both biases, then the projection, where they are there.
        state: the state before the first step, parts (B, P) and, of an LSTM, (B, H).
        reverse: from each row's end.
        kept: (B, P), what h is multiplied by before each product with weight_hh; ``None``: 1.
    """
    x = zero_padding(x, lengths)
    if reverse:
        x = reverse_rows(x, lengths)
    if kept is not None or is_transformed():  # torch's loop has no rule for `torch.func.vmap`
        y, last = _stepwise(kind, x, lengths, weights, state, kept)
    elif torch.compiler.is_compiling() and not is_exported():
        y, last = _hidden_loop(kind, x, lengths, weights, state)
    else:
        y, last = _torch_loop(kind, x, lengths, weights, state)
    y = zero_padding(y, lengths)
    return reverse_rows(y, lengths) if reverse else y, last


def plain_scan(a: Tensor, b: Tensor, h_0: Tensor, lengths: Tensor | None, reverse: bool) -> tuple[Tensor, Tensor]:
    """The definition of the scan in torch, one step after another. At padding, a = 1 and b = 0 keep the state.

    Args:
        a: (B, T, H).
        b: (B, T, H).
        h_0: (B, H).
        lengths: checked, or ``None``.
        reverse: from each row's end.
    """
    if lengths is not None:
        a = torch.where(real_steps(lengths, a.shape[1]).unsqueeze(2), a, a.new_ones(()))
    b = zero_padding(b, lengths)
    if reverse:
        a, b = reverse_rows(a, lengths), reverse_rows(b, lengths)
    h, hs = h_0, []
    for a_t, b_t in zip(a.unbind(1), b.unbind(1), strict=True):
        h = a_t * h + b_t
        hs.append(h)
    y = zero_padding(torch.stack(hs, 1) if hs else b, lengths)
    return reverse_rows(y, lengths) if reverse else y, h


def differentiate(
    function: Callable[..., Parts], inputs: Sequence[Tensor | None], needs: Sequence[bool], above: Sequence[Any]
) -> list[Tensor | None]:
    """The gradients of ``function(*inputs)``, as torch computes them: it can differentiate them again.

    Args:
        function: a function in torch.
        inputs: its arguments.
        needs: of which of them the gradient is needed; the others get ``None``.
        above: the gradient of each output; ``None`` stands for zeros.
    """
    with torch.enable_grad():
        # Aliases, so that torch stops there, and hooks on the inputs run only once.
        given = [t.view_as(t) if t is not None and need else t for t, need in zip(inputs, needs, strict=True)]
        outputs = function(*given)
    pairs = [(output, gradient) for output, gradient in zip(outputs, above, strict=True) if gradient is not None]
    wanted = [t for t, need in zip(given, needs, strict=True) if t is not None and need]
    found = iter(
        torch.autograd.grad(
            [output for output, _ in pairs],
            wanted,
            [gradient for _, gradient in pairs],
            create_graph=torch.is_grad_enabled(),
            allow_unused=True,
        )
    )
    return [next(found) if t is not None and need else None for t, need in zip(inputs, needs, strict=True)]


def is_exported() -> bool:
    """Whether torch.export or a tracer is writing down a program that should also run where we are not installed."""
    return torch.compiler.is_exporting() or is_traced()


def is_traced() -> bool:
    """Whether `torch.jit.trace` is running."""
    return torch._C._get_tracing_state() is not None


def is_transformed(derivative: bool = False) -> bool:
    """Whether this runs inside of a transform of `torch.func`, or, with ``derivative``, of one that differentiates.

    Args:
        derivative: do not count `torch.func.vmap`.
    """
    if torch._C._functorch.peek_interpreter_stack() is None:
        return False
    levels = torch._C._functorch.get_interpreter_stack() or []
    return not derivative or any(level.key() != torch._C._functorch.TransformType.Vmap for level in levels)


def without_compiler(function: Callable[..., Any]) -> None:
    """Let the compiler call ``function`` while it traces, and take the result as a constant.

    `torch.compiler.assume_constant_result` does the same, but it imports the compiler.
    """
    vars(function)["_dynamo_marked_constant"] = True


without_compiler(is_traced)
without_compiler(is_transformed)


def is_wrapped(*gradients: Tensor | None) -> bool:
    """Whether one of ``gradients`` is a batch of them, as of a vectorised Jacobian, which the kernels cannot read."""
    functorch = torch._C._functorch
    return any(
        g is not None and (functorch.is_functorch_wrapped_tensor(g) or functorch.is_legacy_batchedtensor(g))
        for g in gradients
    )


def _torch_loop(
    kind: str, x: Tensor, lengths: Tensor | None, weights: Sequence[Tensor], state: Parts
) -> tuple[Tensor, Parts]:
    """Run torch's own loop. It also runs over padding, so the state at each row's end has to be recovered."""
    if lengths is not None and kind == "lstm":
        x, weights = _with_padding_flag(x, weights, ~real_steps(lengths, x.shape[1]))
    first: Any = tuple(part.unsqueeze(0) for part in state)
    # Without the flag of training, cuDNN does not keep what the backward pass needs. A trace keeps it for ever.
    training = torch.is_grad_enabled() or is_traced()
    # biases (without them there are two weights, or three with a projection), layers, dropout, training, both
    # directions, batch first
    options = (len(weights) > 3, 1, 0.0, training, False, True)
    y, *parts = getattr(_VF, kind)(x, first if len(first) > 1 else first[0], list(weights), *options)
    last = tuple(part.squeeze(0) for part in parts)
    return y, last if lengths is None else (last_real(y, lengths, state[0]), *last[1:])


# torch.compile would write torch's loop out step by step, and its autograd refuses torch's LSTM.
_hidden_loop = _disable_dynamo(_torch_loop)


def _with_padding_flag(x: Tensor, weights: Sequence[Tensor], padded: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Add an input to an LSTM that is 1 at padding and forces f = 1 and i = 0 there, so that c is kept to the bit.

    torch only returns the c after the last padded step. The gradients are exact too: f = 1 passes the gradient of c
    unchanged, and σ' is 0.
    """
    flag = weights[0].new_zeros(weights[0].shape[0], 1)
    i, f, _, _ = flag.chunk(4)
    i.fill_(-_SATURATE)
    f.fill_(_SATURATE)
    return torch.cat([x, padded.unsqueeze(2).to(x.dtype)], 2), [torch.cat([weights[0], flag], 1), *weights[1:]]


def _stepwise(
    kind: str, x: Tensor, lengths: Tensor | None, weights: Sequence[Tensor], state: Parts, kept: Tensor | None
) -> tuple[Tensor, Parts]:
    """The definition, one step after another."""
    real = None if lengths is None else real_steps(lengths, x.shape[1])
    of_x = linear(x, weights[0], weights[2] if len(weights) > 3 else None)
    ys = []
    for t, given in enumerate(of_x.unbind(1)):
        after = _after(kind, None, given, weights, state, kept)
        if real is not None:
            after = tuple(torch.where(real[:, t, None], a, b) for a, b in zip(after, state, strict=True))
        state = after
        ys.append(state[0])
    return torch.stack(ys, 1), state


def plain_step(
    kind: str, owner: Owner, x: Tensor, weights: Sequence[Tensor], state: Parts, kept: Tensor | None = None
) -> Parts:
    """The state after one step of a cell whose weights are these.

    Args:
        kind, weights, state, kept: as for `plain`.
        owner: whose gates and state are shown.
        x: (B, I).
    """
    of_x = linear(x, weights[0], weights[2] if len(weights) > 3 else None)
    return _after(kind, owner, of_x, weights, state, kept)


def _after(
    kind: str, owner: Owner, of_x: Tensor, weights: Sequence[Tensor], state: Parts, kept: Tensor | None
) -> Parts:
    """The state after a step, from the product ``of_x`` (B, G·H)."""
    of_h = linear(state[0] if kept is None else state[0] * kept, weights[1], weights[3] if len(weights) > 3 else None)
    if kind == "lstm":
        return lstm_step(owner, of_x, of_h, state[1], weights[-1] if len(weights) % 2 else None)
    if kind == "gru":
        return (gru_step(owner, of_x, of_h, state[0]),)
    return show(owner, "h", _NONLINEARITIES[kind](of_x + of_h))


_NONLINEARITIES: dict[str, Callable[[Tensor], Tensor]] = {"rnn_tanh": torch.tanh, "rnn_relu": torch.relu}
