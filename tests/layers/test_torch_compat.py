"""torch.nn's layers and ours: the same names, weights, numbers and random draws, in every form of input."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from unrolled import layers
from unrolled.errors import ShapeError, UsageError
from unrolled.layers import torch_compat

LENGTHS = torch.tensor([3, 6, 2, 5])
SETTINGS: list[dict[str, Any]] = [
    {"num_layers": layers, "bidirectional": both, "batch_first": first, "bias": bias}
    for layers, both, first, bias in itertools.product([1, 2], [False, True], [False, True], [False, True])
]
LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
    ("GRU", {}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 3}),
]
EVERY = [(name, {**own, **settings}) for name, own in LAYERS for settings in SETTINGS]
IDS = [f"{name}-" + "-".join(f"{k}={v}" for k, v in settings.items()) for name, settings in EVERY]

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


def pair(name: str, settings: dict[str, Any]) -> tuple[Any, Any]:
    """Theirs and ours, from the same seed."""
    made = []
    for library in (nn, torch_compat):
        torch.manual_seed(5)
        made.append(getattr(library, name)(4, 7, **settings))
    return made[0], made[1]


def parts(answer: Any) -> list[Tensor]:
    output, state = answer
    output = output.data if isinstance(output, PackedSequence) else output
    return [output, *(state if isinstance(state, tuple) else [state])]


def assert_same(found: Any, expected: Any) -> None:
    for mine, theirs in zip(parts(found), parts(expected), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=0)


def batch(batch_first: bool, dtype: torch.dtype = torch.float32) -> Tensor:
    x = torch.randn(4, 6, 4, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return x if batch_first else x.transpose(0, 1).contiguous()


def test_only_the_import_changes() -> None:
    from unrolled.layers import GRU, LSTM, RNN

    assert (GRU, LSTM, RNN) == (torch_compat.GRU, torch_compat.LSTM, torch_compat.RNN)
    assert dir(layers) == sorted(layers.__all__)
    assert all(getattr(layers, name).__name__ == name for name in layers.__all__)
    with pytest.raises(AttributeError, match="module 'unrolled.layers' has no attribute 'GRV'"):
        _ = layers.GRV


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_the_constructor_takes_torch_s_arguments_in_torch_s_order(name: str) -> None:
    documented = str(getattr(nn, name).__doc__).splitlines()[0]
    theirs = [part.split("=")[0] for part in documented.removeprefix("__init__(").removesuffix(")").split(",")]
    ours = [
        parameter for parameter in inspect.signature(getattr(torch_compat, name)).parameters if parameter != "recompute"
    ]
    assert ours[: len(theirs)] == theirs
    assert ours[len(theirs) :] in ([], ["proj_size"])  # which RNN and GRU know only to refuse it


@pytest.mark.parametrize(("name", "settings"), EVERY, ids=IDS)
def test_one_seed_the_same_weights_under_the_same_names(name: str, settings: dict[str, Any]) -> None:
    theirs, ours = pair(name, settings)
    assert list(theirs.state_dict()) == list(ours.state_dict())
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())


@pytest.mark.parametrize(("name", "settings"), EVERY, ids=IDS)
def test_the_same_numbers_in_every_form(name: str, settings: dict[str, Any]) -> None:
    theirs, ours = pair(name, settings)
    x = batch(settings["batch_first"])
    packed = pack_padded_sequence(x, LENGTHS, settings["batch_first"], enforce_sorted=False)
    for given in (x, x[:, 0], packed):
        answer = ours(given)
        assert_same(answer, theirs(given))
        assert [part.shape for part in parts(answer)] == [part.shape for part in parts(theirs(given))]
    _, state = theirs(x)  # as good a first state as any
    assert_same(ours(x, state), theirs(x, state))
    assert_same(ours(packed, state), theirs(packed, state))


@pytest.mark.parametrize(("name", "own"), LAYERS)
def test_lengths_are_what_packing_is(name: str, own: dict[str, Any]) -> None:
    """Outputs, final states and gradients, unsorted, with NaN in the padding, which packing leaves out."""
    theirs, ours = pair(
        name, {**own, "num_layers": 2, "bidirectional": True, "batch_first": True, "dtype": torch.float64}
    )
    x = batch(True, torch.float64)
    packed = theirs(pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False))
    expected = (pad_packed_sequence(packed[0], batch_first=True)[0], packed[1])
    broken = x.masked_fill((torch.arange(6) >= LENGTHS.unsqueeze(1)).unsqueeze(2), float("nan"))
    for lengths in (LENGTHS, LENGTHS.tolist(), LENGTHS.to(torch.int32)):
        assert_same(ours(broken, lengths=lengths), expected)
    found = ours(broken, lengths=LENGTHS)
    for mine, other in zip(gradients(ours, found), gradients(theirs, expected), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-9, rtol=0)


def gradients(layer: nn.Module, answer: Any) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    loss = sum((p * torch.randn(p.shape, generator=generator, dtype=p.dtype)).sum() for p in parts(answer))
    assert isinstance(loss, Tensor)
    return torch.autograd.grad(loss, list(layer.parameters()))


@pytest.mark.parametrize("form", ["padded", "single row", "packed"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_dropout_draws_what_torch_draws(name: str, bidirectional: bool, form: str) -> None:
    theirs, ours = pair(name, {"num_layers": 3, "dropout": 0.4, "bidirectional": bidirectional})
    x = batch(False)
    given = {"padded": x, "single row": x[:, 0], "packed": pack_padded_sequence(x, LENGTHS, enforce_sorted=False)}[form]
    torch.manual_seed(6)
    expected = theirs(given)
    torch.manual_seed(6)
    assert_same(ours(given), expected)
    ours.dropout = 0.0
    assert torch.equal(parts(ours(given))[0], parts(ours(given))[0])


def test_no_rows_at_all() -> None:
    y, (h, c) = torch_compat.LSTM(4, 7, num_layers=2)(torch.zeros(3, 0, 4), lengths=[])
    assert (y.shape, h.shape, c.shape) == ((3, 0, 7), (2, 0, 7), (2, 0, 7))


def test_drawing_anew_and_a_call_of_old_programs() -> None:
    layer = torch_compat.GRU(4, 7)
    layer.flatten_parameters()
    torch.manual_seed(8)
    layer.reset_parameters()
    other = nn.GRU(4, 7)
    torch.manual_seed(8)
    other.reset_parameters()
    assert torch.equal(layer.weight_hh_l0, other.weight_hh_l0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_size": 0}, "input_size must be an integer of at least 1, got 0"),
        ({"hidden_size": 2.5}, r"hidden_size must be an integer of at least 1, got 2\.5"),
        ({"num_layers": True}, "num_layers must be an integer of at least 1, got True"),
        ({"bias": 1}, "bias must be True or False, got 1"),
        ({"dropout": 1.5}, r"dropout must be a number in 0 … 1, got 1\.5"),
        ({"proj_size": 7}, "proj_size must be below hidden_size = 7, got 7"),
        ({"proj_size": -1}, "proj_size must be an integer of at least 0, got -1"),
    ],
)
def test_arguments_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        torch_compat.LSTM(**{"input_size": 4, "hidden_size": 7, **settings})


def test_an_unknown_nonlinearity() -> None:
    with pytest.raises(UsageError, match=r"unknown nonlinearity 'relo'. Did you mean 'relu'\?"):
        torch_compat.RNN(4, 7, nonlinearity="relo")


@pytest.mark.parametrize(
    ("given", "hx", "message"),
    [
        (torch.zeros(5), None, r"LSTM: input has shape \(5,\), expected 3 axes, or 2 for a single row"),
        (torch.zeros(0, 2, 4), None, r"LSTM: input has shape \(0, 2, 4\), expected at least one step"),
        (torch.zeros(5, 2, 3), None, r"LSTM: x has shape \(5, 2, 3\), expected \(L, N, I\) with I = 4"),
        (torch.zeros(5, 2, 4).double(), None, r"x is torch.float64 and the weights are torch.float32"),
        (torch.zeros(5, 2, 4), torch.zeros(1, 2, 7), r"LSTM: hx must be \(h_0, c_0\)"),
        (torch.zeros(5, 2, 4), (torch.zeros(1, 1, 7),) * 2, r"h_0 is \(1, 1, 7\) .*, expected \(1, 2, 7\)"),
        (torch.zeros(5, 4), (torch.zeros(1, 1, 7),) * 2, r"h_0 is \(1, 1, 7\) .*, expected \(1, 7\)"),
    ],
)
def test_input_and_state_that_do_not_fit(given: Tensor, hx: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        torch_compat.LSTM(4, 7)(given, hx)


def test_lengths_need_a_padded_batch() -> None:
    layer, x = torch_compat.GRU(4, 7), batch(False)
    with pytest.raises(UsageError, match="GRU: a packed sequence has its own lengths: leave lengths out"):
        layer(pack_padded_sequence(x, LENGTHS, enforce_sorted=False), lengths=LENGTHS)
    with pytest.raises(ShapeError, match=r"GRU: lengths needs a batch: input has shape \(6, 4\), a single row"):
        layer(x[:, 0], lengths=[6])
