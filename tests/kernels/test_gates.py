"""Gates from the kernels: the same as those that the definition shows, in every form of input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from recorded import recorded
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from unrolled.layers import GRU, LSTM, RNN
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.watch import watched, watching

N, L, INPUTS, H = 4, 7, 3, 5
LENGTHS = torch.tensor([7, 2, 0, 5])
WAYS: dict[str, Any] = {
    "LSTM": lambda: LSTM(INPUTS, H, batch_first=True),
    "LSTM, two layers, both directions": lambda: LSTM(INPUTS, H, 2, batch_first=True, bidirectional=True),
    "LSTM without biases": lambda: LSTM(INPUTS, H, bias=False, batch_first=True, bidirectional=True),
    "LSTM with a projection": lambda: LSTM(INPUTS, H, proj_size=2, batch_first=True, bidirectional=True),
    "LSTM that recomputes": lambda: LSTM(INPUTS, H, batch_first=True, recompute=2),
    "GRU": lambda: GRU(INPUTS, H, 2, batch_first=True, bidirectional=True),
    "RNN": lambda: RNN(INPUTS, H, batch_first=True, bidirectional=True),
    "RNN, relu": lambda: RNN(INPUTS, H, nonlinearity="relu", batch_first=True),
}


def made(way: str, dtype: torch.dtype = torch.float32) -> tuple[Any, Tensor]:
    torch.manual_seed(0)
    return WAYS[way]().to(dtype), torch.randn(N, L, INPUTS, dtype=dtype)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "padded"])
@pytest.mark.parametrize("way", WAYS)
def test_the_kernels_and_the_definition_agree(way: str, lengths: Tensor | None) -> None:
    layer, x = made(way)
    with torch.no_grad():
        y, last = layer(x, lengths=lengths)
        output, after, gates = layer.trace(x, lengths=lengths)
        (_, _), shown = recorded(layer, x, None, lengths)
    torch.testing.assert_close(output, y, atol=1e-6, rtol=0)
    for found, expected in zip(after, last, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert set(gates) == set(shown)
    real = (torch.arange(L) < (torch.full((N,), L) if lengths is None else lengths)[:, None])[..., None]
    for name, value in gates.items():
        torch.testing.assert_close(value, shown[name].masked_fill(~real, 0), atol=1e-5, rtol=0)
    assert not watched()


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "padded"])
@pytest.mark.parametrize("way", ["LSTM, two layers, both directions", "GRU", "RNN"])
def test_long_rows_run_in_chunks_that_carry_the_state(
    monkeypatch: pytest.MonkeyPatch, way: str, lengths: Tensor | None
) -> None:
    layer, x = made(way)
    y, last, whole = layer.trace(x, lengths=lengths)
    monkeypatch.setattr("unrolled.kernels.gates._TOGETHER", 3 * N)  # 3 steps of each row
    output, after, gates = layer.trace(x, lengths=lengths)
    torch.testing.assert_close((output, after, gates), (y, last, whole), atol=1e-6, rtol=0)


def test_only_the_wanted_values_are_copied() -> None:
    layer, x = made("LSTM")
    with torch.no_grad(), watching(recorder := Recorder(layer, keep=lambda path: path == "l0.c")):
        _, (_, c_n) = layer(x)
    values = recorder.values()
    assert list(values) == ["l0.c"]
    torch.testing.assert_close(values["l0.c"][:, -1], c_n[0], atol=1e-6, rtol=0)


def test_the_numbers_are_those_of_torch_s_own_cell() -> None:
    layer, x = made("LSTM", torch.float64)
    cell = torch.nn.LSTMCell(INPUTS, H).double()
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    _, _, gates = layer.trace(x)
    state = (torch.zeros(N, H).double(), torch.zeros(N, H).double())
    for t in range(L):
        before, state = state[1], cell(x[:, t], state)
        torch.testing.assert_close(gates["l0.h"][:, t], state[0], atol=1e-12, rtol=0)
        torch.testing.assert_close(gates["l0.c"][:, t], state[1], atol=1e-12, rtol=0)
        c = gates["l0.f"][:, t] * before + gates["l0.i"][:, t] * gates["l0.g"][:, t]
        torch.testing.assert_close(c, state[1], atol=1e-12, rtol=0)


def test_the_gates_of_a_gru_are_those_of_its_equations_in_numpy() -> None:
    layer, x = GRU(INPUTS, H, batch_first=True).double(), torch.randn(1, L, INPUTS, dtype=torch.float64)
    w, u, b, d = (weight.detach().numpy() for weight in layer.parameters())
    _, _, gates = layer.trace(x)
    h = np.zeros(H)
    for t in range(L):
        (w_r, w_z, w_n), (u_r, u_z, u_n) = np.split(w @ x[0, t].numpy() + b, 3), np.split(u @ h + d, 3)
        r, z = 1 / (1 + np.exp(-(w_r + u_r))), 1 / (1 + np.exp(-(w_z + u_z)))
        n = np.tanh(w_n + r * u_n)
        h = (1 - z) * n + z * h
        for name, expected in zip("rznh", (r, z, n, h), strict=True):
            np.testing.assert_allclose(gates[f"l0.{name}"][0, t].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("way", ["GRU", "LSTM with a projection"])
def test_every_form_of_input_gives_gates_in_the_form_of_the_output(way: str) -> None:
    layer, x = made(way)
    _, _, gates = layer.trace(x, lengths=LENGTHS)
    layer.batch_first = False
    _, _, time_first = layer.trace(x.transpose(0, 1), lengths=LENGTHS)
    long = [0, 1, 3]  # torch cannot pack a row without steps
    packed = pack_padded_sequence(x[long].transpose(0, 1), LENGTHS[long], enforce_sorted=False)
    y, _, of_packed = layer.trace(packed)
    assert isinstance(y, PackedSequence)
    mask = (torch.arange(L) < LENGTHS[:, None]).flip(1)  # padding in front
    late = torch.stack([row.roll(L - int(length), 0) for row, length in zip(x, LENGTHS, strict=True)], 1)  # (L, N, I)
    _, _, of_mask = layer.trace(late, mask=mask)
    _, _, alone = layer.trace(x[0])
    for name, value in gates.items():
        assert torch.equal(time_first[name], value.transpose(0, 1))
        padded, _ = pad_packed_sequence(of_packed[name], total_length=L)
        torch.testing.assert_close(padded.transpose(0, 1), value[long], atol=1e-6, rtol=0)
        torch.testing.assert_close(alone[name], value[0], atol=1e-6, rtol=0)
        for row, length in enumerate(LENGTHS.tolist()):
            found = of_mask[name][L - length :, row]
            torch.testing.assert_close(found, value[row, :length], atol=1e-6, rtol=0)


def test_a_trace_starts_from_a_state_and_keeps_no_gradients() -> None:
    layer, x = made("LSTM")
    whole, _, gates = layer.trace(x)
    _, state = layer(x[:, :3])
    y, _, rest = layer.trace(x[:, 3:], state)
    torch.testing.assert_close(y, whole[:, 3:], atol=1e-6, rtol=0)
    torch.testing.assert_close(rest["l0.i"], gates["l0.i"][:, 3:], atol=1e-6, rtol=0)
    assert not any(value.requires_grad for value in (y, *rest.values()))


def test_without_kernels_the_definition_is_traced() -> None:
    layer, x = made("LSTM")
    _, _, gates = layer.trace(x)
    _, _, rounded = layer.bfloat16().trace(x.bfloat16())
    for name, value in gates.items():
        torch.testing.assert_close(rounded[name].float(), value, atol=0.05, rtol=0)
