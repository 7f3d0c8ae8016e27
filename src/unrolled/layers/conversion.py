"""Exchange torch.nn's recurrent layers for ours in a model that already exists, and back."""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from unrolled.errors import UsageError
from unrolled.layers.recurrence.torch_layer import CLASSES, TorchLayer, without_lists
from unrolled.layers.torch_compat import GRU, LSTM, RNN

__all__ = ["from_torch", "to_torch"]

Model = TypeVar("Model", bound=nn.Module)
_OURS: dict[type[nn.Module], type[TorchLayer]] = {nn.RNN: RNN, nn.GRU: GRU, nn.LSTM: LSTM}


def from_torch(model: Model) -> Model:
    """Turn every `torch.nn.RNN`, `torch.nn.GRU` and `torch.nn.LSTM` of ``model`` into ours, in place.

    The weights, hooks and options are untouched, so an optimiser that has the weights goes on working. Subclasses of
    torch.nn's layers stay what they are, because they may compute something else.

    Args:
        model: any module; it may itself be such a layer.

    Raises:
        UsageError: a layer is parametrized.

    Example:
        >>> model = from_torch(nn.Sequential(nn.LSTM(3, 8), nn.Identity()))
        >>> type(model[0]).__module__
        'unrolled.layers.torch_compat'
    """
    for name, layer in model.named_modules():
        ours = _OURS.get(_kind(layer, name))
        if ours is not None:
            state = without_lists(layer.__dict__)
            layer.__dict__.clear()
            layer.__dict__.update(state)
            layer.__class__ = ours
    return model


def to_torch(model: Model) -> Model:
    """Turn each of our recurrent layers in ``model`` into torch.nn's, in place: the inverse of `from_torch`.

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
        if isinstance(layer, TorchLayer) and _kind(layer, name) in _OURS.values():
            layer.__class__ = CLASSES[layer.mode]  # type: ignore[assignment]
            layer._init_flat_weights()
    return model


def _kind(layer: nn.Module, name: str) -> type[nn.Module]:
    if isinstance(layer, nn.RNNBase) and is_parametrized(layer):
        raise UsageError(
            f"the layer {name!r} is parametrized, which changes its class: call remove_parametrizations first, and "
            "parametrize it again afterwards"
        )
    return type(layer)
