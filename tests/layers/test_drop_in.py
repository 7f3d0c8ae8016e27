"""Programs that were written for torch.nn's layers find in ours what they look for."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from unrolled import layers
from unrolled.errors import ShapeError, UsageError, WrongType

NAMES = ["RNN", "GRU", "LSTM"]
SETTINGS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2, "bias": False, "batch_first": True},
    {"num_layers": 2, "bidirectional": True, "dropout": 0.5},
]
EVERY = [(name, settings) for name in NAMES for settings in SETTINGS] + [("LSTM", {"proj_size": 3})]


def pair(name: str, settings: dict[str, Any]) -> tuple[Any, Any]:
    made = []
    for library in (nn, layers):
        torch.manual_seed(3)
        made.append(getattr(library, name)(5, 7, **settings))
    return made[0], made[1]


@pytest.mark.parametrize(("name", "settings"), EVERY)
def test_what_programs_read(name: str, settings: dict[str, Any]) -> None:
    theirs, ours = pair(name, settings)
    assert isinstance(ours, getattr(nn, name))
    assert isinstance(ours, nn.RNNBase)
    assert repr(ours) == repr(theirs)
    assert (ours.mode, ours._flat_weights_names) == (theirs.mode, theirs._flat_weights_names)
    assert all(torch.equal(a, b) for a, b in zip(ours._flat_weights, theirs._flat_weights, strict=True))
    for mine, other in zip(ours.all_weights, theirs.all_weights, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, other, strict=True))
    for option in ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"):
        assert getattr(ours, option) == getattr(theirs, option)
    ours.flatten_parameters()


def test_an_initialiser_that_looks_for_lstms_finds_ours() -> None:
    def initialise(module: nn.Module) -> None:
        if isinstance(module, nn.LSTM):
            for weight in module.parameters():
                nn.init.zeros_(weight)

    model = nn.Sequential(nn.Linear(5, 5), layers.LSTM(5, 7)).apply(initialise)
    assert not any(weight.any() for weight in model[1].parameters())


def test_the_flat_weights_are_always_those_of_now() -> None:
    layer = layers.GRU(5, 7)
    layer.weight_hh_l0 = nn.Parameter(torch.zeros(21, 7))
    assert layer._flat_weights[1] is layer.weight_hh_l0
    layer.double()
    assert all(weight is not None and weight.dtype == torch.float64 for weight in layer._flat_weights)
    del layer.weight_hh_l0
    assert layer._flat_weights[1] is None


@pytest.mark.parametrize("name", NAMES)
def test_copies_and_pickles(name: str) -> None:
    layer, x = getattr(layers, name)(5, 7, 2), torch.randn(4, 2, 5)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x)[0], layer(x)[0])
        assert other.weight_ih_l0 is not layer.weight_ih_l0
        assert other._flat_weights[0] is other.weight_ih_l0


@pytest.mark.parametrize("name", NAMES)
def test_a_pickle_of_an_earlier_version_opens(name: str) -> None:
    """Until version 0.1 the layers were plain modules, which had no attribute of torch.nn's own."""
    layer, x = getattr(layers, name)(5, 7, 2, bias=name != "GRU", bidirectional=True), torch.randn(4, 2, 5)
    state = layer.__getstate__()
    for attribute in ("mode", "_all_weights", "_flat_weights_names"):
        del state[attribute]
    state["kernel"] = layer.mode.lower()
    old = getattr(layers, name).__new__(getattr(layers, name))
    old.__setstate__(state)
    assert torch.equal(old(x)[0], layer(x)[0])
    assert old.all_weights[3][0] is old.weight_ih_l1_reverse
    assert repr(old) == repr(layer)


def test_recompute_is_printed_as_an_option_of_our_own() -> None:
    assert repr(layers.GRU(5, 7, recompute="sqrt")) == "GRU(5, 7, recompute='sqrt')"


def test_dropout_with_one_layer_warns_as_torch_does() -> None:
    with pytest.warns(UserWarning, match="non-zero dropout expects num_layers greater than 1"):
        layers.LSTM(5, 7, dropout=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers.LSTM(5, 7, num_layers=2, dropout=0.5)


@pytest.mark.parametrize("settings", [{"hidden_size": 7.0}, {"bias": 1}, {"batch_first": "yes"}, {"dropout": "x"}])
@pytest.mark.parametrize("name", NAMES)
def test_an_argument_of_the_wrong_type_is_a_type_error_too(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(WrongType, match=f"{next(iter(settings))} must be .*, got") as caught:
        getattr(layers, name)(**{"input_size": 5, "hidden_size": 7, **settings})
    assert isinstance(caught.value, (TypeError, ValueError, UsageError))


@pytest.mark.parametrize("name", ["RNN", "GRU"])
def test_only_an_lstm_has_a_projection(name: str) -> None:
    with pytest.raises(ValueError, match=f"proj_size is an option of LSTM: {name} has no projection"):
        getattr(layers, name)(5, 7, proj_size=3)


@pytest.mark.parametrize(
    ("x", "hx", "message"),
    [
        (torch.zeros(6, 3, 4), None, r"LSTM: x has shape \(6, 3, 4\), expected \(L, N, I\) with I = 5"),
        (torch.zeros(6, 4), None, r"LSTM: x has shape \(6, 4\), expected \(L, I\) with I = 5"),
        (torch.zeros(0, 3, 5), None, r"input has shape \(0, 3, 5\), expected at least one step"),
        (torch.zeros(6, 3, 5), torch.zeros(2, 1, 3, 7), r"hx must be \(h_0, c_0\), a tuple of two tensors"),
        (torch.zeros(6, 3, 5), (torch.zeros(1, 2, 7),) * 2, r"h_0 is \(1, 2, 7\) .* expected \(1, 3, 7\)"),
    ],
)
def test_what_does_not_fit_is_a_runtime_error_that_names_the_shape_given(x: Tensor, hx: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message) as caught:
        layers.LSTM(5, 7)(x, hx)
    assert isinstance(caught.value, ShapeError)


def test_lengths_beyond_the_steps_are_set_beside_the_shape_given() -> None:
    with pytest.raises(ShapeError, match=r"lengths\[1\] is 7, expected 0 … 6 for x with shape \(6, 3, 5\)"):
        layers.GRU(5, 7)(torch.zeros(6, 3, 5), lengths=[6, 7, 1])


def test_a_state_on_the_meta_device() -> None:
    for name in NAMES:
        layer = getattr(layers, name)(5, 7, device="meta")
        x, h = torch.zeros(6, 3, 5, device="meta"), torch.zeros(1, 3, 7, device="meta")
        y, _ = layer(x, (h, h) if name == "LSTM" else h)
        assert (y.shape, y.device.type) == ((6, 3, 7), "meta")


def test_torch_fx_keeps_a_layer_whole() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layers.LSTM(5, 7)

        def forward(self, x: Tensor) -> Tensor:
            y, (h, _) = self.layer(x)
            answer: Tensor = y + h
            return answer

    model, x = Model(), torch.randn(4, 2, 5)
    traced = torch.fx.symbolic_trace(model)
    assert [node.target for node in traced.graph.nodes if node.op == "call_module"] == ["layer"]
    assert torch.equal(traced(x), model(x))


@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore::DeprecationWarning")
def test_torch_jit_script_compiles_torch_s_layer_with_our_weights() -> None:
    for name in NAMES:
        model, x = nn.Sequential(getattr(layers, name)(5, 7)), torch.randn(4, 2, 5)
        expected = model(x)[0]
        torch.testing.assert_close(torch.jit.script(model)(x)[0], expected)
