"""Run all layers and directions in one call of torch's own loop, where that is faster than the kernels.

The kernels pack the weights at each call, which pays off over many steps or rows but not over one step of a few rows;
and oneDNN computes in bfloat16 where the kernels first widen the weights. The packed weights are not kept between
calls, since a program may change a weight without torch noticing: ``target.data.copy_(source)`` leaves the version
counter as it is. Measured by ``bench/swapping.py``.

Here an output that is written over in place is as in torch.nn: the backward pass of an LSTM then raises torch's error.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import _VF, Tensor, nn

from unrolled.kernels.fused import fits, unwatched
from unrolled.watch import watched

__all__ = ["run_whole"]

_LOOPS = {"LSTM": _VF.lstm, "GRU": _VF.gru, "RNN_TANH": _VF.rnn_tanh, "RNN_RELU": _VF.rnn_relu}
_FEW_STEPS = {"LSTM": 1, "GRU": 1, "RNN_TANH": 4, "RNN_RELU": 4}
_FEW_ROWS = 64  # up to which packing the weights for so few steps costs more than the kernels save
_FEW_UNITS = 32
_LARGE = 300_000  # weights of a gate from which widening them costs more than the kernels save


def run_whole(
    module: nn.RNNBase, x: Any, before: tuple[Tensor, ...] | None
) -> tuple[Tensor, tuple[Tensor, ...]] | None:
    """Output and final state of ``module`` as torch.nn gives them; ``None`` if the kernels are faster.

    Args:
        module: a layer of `torch_compat`.
        x: its input; every step is real.
        before: the state; ``None`` for zeros.

    Returns:
        ``None`` also under a watcher, and for whatever is no plain batch that fits, so that the caller checks it and
        raises the error.
    """
    if type(x) is not Tensor or x.dim() != 3 or module.recompute is not None or watched():
        return None
    rows, steps, inputs = x.shape
    if not module.batch_first:
        rows, steps = steps, rows
    weights = list(module._parameters.values())
    if len(weights) != len(module._flat_weights_names):  # some are computed, as by weight_norm
        weights = module._flat_weights
    first: Any = weights[0]
    if inputs != module.input_size or not x.numel() or x.dtype != first.dtype or x.device != first.device:
        return None
    if not _is_faster(module, rows, steps, x.dtype) and fits(module.mode.lower(), x, weights):
        return None
    if not unwatched(x):
        return None
    layers = module.num_layers * (2 if module.bidirectional else 1)
    shapes = [(layers, rows, module.proj_size or module.hidden_size), (layers, rows, module.hidden_size)]
    parts = shapes if module.mode == "LSTM" else shapes[1:]
    if before is None:
        before = tuple(x.new_zeros(shape) for shape in parts)
    elif len(before) != len(parts) or not all(_fit(*both, x) for both in zip(before, parts, strict=True)):
        return None
    options = module.bias, module.num_layers, module.dropout, module.training, module.bidirectional, module.batch_first
    y, *after = _LOOPS[module.mode](x, before if module.mode == "LSTM" else before[0], weights, *options)
    return y, tuple(after)


def _is_faster(module: nn.RNNBase, rows: int, steps: int, dtype: torch.dtype) -> bool:
    alone = steps == 2 and rows == 1 and not torch.is_grad_enabled()
    few = alone or (steps <= _FEW_STEPS[module.mode] and rows <= _FEW_ROWS)
    if dtype == torch.bfloat16:
        if module.mode == "LSTM":
            return True
        large = module.hidden_size * (module.input_size + module.hidden_size) >= _LARGE
        return large or steps <= _FEW_STEPS[module.mode]
    if module.mode == "LSTM" and dtype == torch.float32:
        return rows >= _FEW_ROWS and module.hidden_size <= _FEW_UNITS and torch.is_grad_enabled()
    return few


def _fit(part: Any, shape: tuple[int, ...], x: Tensor) -> bool:
    return isinstance(part, Tensor) and part.shape == shape and part.dtype == x.dtype and part.device == x.device
