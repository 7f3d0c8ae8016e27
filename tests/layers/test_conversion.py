"""A model that holds torch.nn's layers gets ours, and back, with its weights, optimiser and answers."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from unrolled.errors import UsageError
from unrolled.layers import GRU, LSTM, RNN, from_torch, to_torch

X = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(0))


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.below, self.above = nn.LSTM(5, 7, num_layers=2, bidirectional=True), nn.ModuleList([nn.GRU(14, 4)])
        self.other = nn.RNN(4, 2, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.other(self.above[0](self.below(x)[0])[0])[0]
        return answer


def test_there_and_back() -> None:
    torch.manual_seed(1)
    model = Tagger()
    weights, before = list(model.parameters()), model(X)
    assert from_torch(model) is model
    assert [type(model.below), type(model.above[0]), type(model.other)] == [LSTM, GRU, RNN]
    assert all(a is b for a, b in zip(weights, model.parameters(), strict=True))
    torch.testing.assert_close(model(X), before)
    again = to_torch(copy.deepcopy(model))
    assert [type(again.below), type(again.above[0]), type(again.other)] == [nn.LSTM, nn.GRU, nn.RNN]
    torch.testing.assert_close(again(X), before)
    again.double()
    torch.testing.assert_close(again(X.double()), before.double(), atol=1e-6, rtol=0)


def test_a_layer_by_itself_and_one_whose_class_is_set() -> None:
    layer = nn.GRU(5, 7)
    expected = layer(X)[0]
    layer.__class__ = GRU
    torch.testing.assert_close(layer(X)[0], expected)
    assert type(to_torch(layer)) is nn.GRU
    assert type(from_torch(layer)) is GRU


def test_a_subclass_of_somebody_else_is_left_alone() -> None:
    class Own(nn.LSTM):
        pass

    assert type(from_torch(nn.Sequential(Own(5, 7)))[0]) is Own


def test_a_parametrized_layer_is_refused_before_its_parametrization_is_lost() -> None:
    for layer, change in ((nn.LSTM(5, 7), from_torch), (LSTM(5, 7), to_torch)):
        model = nn.Sequential(weight_norm(layer, "weight_hh_l0"))
        with pytest.raises(UsageError, match="the layer '0' is parametrized.*remove_parametrizations first"):
            change(model)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:torch.quantize_per_tensor")
def test_dynamic_quantisation_says_what_to_do_and_then_converts() -> None:
    from torch.ao.quantization import quantize_dynamic

    model = nn.Sequential(LSTM(5, 7))
    with pytest.warns(UserWarning, match=r"this LSTM keeps its weights as they are.*unrolled.layers.to_torch\(model\)"):
        left = quantize_dynamic(model, {nn.LSTM})  # type: ignore[no-untyped-call]
    assert type(left[0]) is LSTM
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="torch's quantisation")
        made = quantize_dynamic(to_torch(model), {nn.LSTM})  # type: ignore[no-untyped-call]
    assert type(made[0]).__name__ == "LSTM"
    assert "quantized" in type(made[0]).__module__
