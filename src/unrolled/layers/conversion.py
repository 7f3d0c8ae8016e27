"""Exchange torch.nn's recurrent layers for ours in a model that already exists, and back."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from unrolled.errors import UsageError
from unrolled.layers.chain import Chain
from unrolled.layers.recurrence.torch_layer import CLASSES, TorchLayer, without_lists
from unrolled.layers.torch_compat import GRU, LSTM, RNN

__all__ = ["from_torch", "to_torch"]

Model = TypeVar("Model", bound=nn.Module)
_OURS: dict[type[nn.Module], type[TorchLayer]] = {nn.RNN: RNN, nn.GRU: GRU, nn.LSTM: LSTM}
# Modules of torch.nn that cannot read the tuple which a recurrent layer returns.
_READ_TENSORS = {*_OURS, nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Dropout, nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh}


def from_torch(model: Model) -> Model:
    """Turn every `torch.nn.RNN`, `torch.nn.GRU` and `torch.nn.LSTM` of ``model`` into ours, in place.

    The weights, hooks and options are untouched, so an optimiser that has the weights goes on working. Subclasses of
    torch.nn's layers stay what they are, because they may compute something else.

    Where a `torch.nn.Sequential` has a linear map, a norm, dropout, an activation or another recurrent layer right
    after a recurrent one, torch cannot run it, for the layer returns a tuple. It becomes a `Chain`, which runs it, with
    ``lengths`` and a state, batch first.

    Args:
        model: any module; it may itself be such a layer.

    Raises:
        UsageError: a layer is parametrized.

    Example:
        >>> import torch
        >>> model = from_torch(nn.Sequential(nn.LSTM(3, 8), nn.Linear(8, 2)))
        >>> type(model[0]).__module__
        'unrolled.layers.torch_compat'
        >>> y, state = model(torch.randn(4, 10, 3), lengths=torch.tensor([10, 3, 7, 0]))
        >>> y.shape
        torch.Size([4, 10, 2])
    """
    for name, layer in model.named_modules():
        if type(layer) is nn.Sequential and _passes_on_a_tuple(layer):
            layer.__class__ = Chain
        ours = _OURS.get(_kind(layer, name))
        if ours is not None:
            state = without_lists(layer.__dict__)
            layer.__dict__.clear()
            layer.__dict__.update(state)
            layer.__class__ = ours
    return model


def to_torch(model: Model) -> Model:
    """Turn our recurrent layers and chains in ``model`` into torch.nn's, in place: the inverse of `from_torch`.

    For programs that only know torch.nn's own classes, such as `torch.ao.quantization.quantize_dynamic`.

    Args:
        model: any module; it may itself be such a layer.

    Raises:
        UsageError: a layer is parametrized.

    Example:
        >>> type(to_torch(nn.Sequential(LSTM(3, 8)))[0]) is nn.LSTM
        True
    """
    for name, layer in model.named_modules():
        if type(layer) is Chain:
            layer.__class__ = nn.Sequential  # type: ignore[assignment]
        if isinstance(layer, TorchLayer) and _kind(layer, name) in _OURS.values():
            layer.__class__ = CLASSES[layer.mode]  # type: ignore[assignment]
            layer._init_flat_weights()
    return model


def _passes_on_a_tuple(model: nn.Sequential) -> bool:
    parts = list(model)
    return any(type(a) in _OURS and type(b) in _READ_TENSORS for a, b in pairwise(parts))


def _kind(layer: nn.Module, name: str) -> type[nn.Module]:
    if isinstance(layer, nn.RNNBase) and is_parametrized(layer):
        raise UsageError(
            f"the layer {name!r} is parametrized, which changes its class: call remove_parametrizations first, and "
            "parametrize it again afterwards"
        )
    return type(layer)
