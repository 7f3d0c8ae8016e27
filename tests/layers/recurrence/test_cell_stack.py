"""Own cells, ready cells and mixed stacks: their sizes, their state, and what is refused. The contracts do the rest."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from own_cells import Delayed, Leaky
from torch import Tensor, nn

from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.cells.rnn import RNN
from unrolled.errors import ModelError, ShapeError, UsageError
from unrolled.layers.recurrence.unroll import unroll
from unrolled.layers.recurrent import Recurrent
from unrolled.state import State, flatten

LENGTHS = torch.tensor([9, 4, 0])


def by_hand(cell: Any, x: Tensor) -> tuple[Tensor, State]:
    """One row (T, I), step by step."""
    state, ys = cell.initial_state(1, x), []
    for x_t in x:
        y, state = cell(x_t[None], state)
        ys.append(y[0])
    return torch.stack(ys) if ys else x.new_zeros(0, cell.hidden_size), state


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("make", [Leaky, Delayed, partial(RNN, nonlinearity="sigmoid")])
def test_an_own_cell_over_time(make: Any, reverse: bool) -> None:
    torch.manual_seed(0)
    cell, x = make(3, 5), torch.randn(3, 9, 3)
    y, last = unroll(cell, x, LENGTHS, reverse=reverse)
    for row, length in enumerate(LENGTHS.tolist()):
        real = x[row, :length].flip(0) if reverse else x[row, :length]
        wanted, end = by_hand(cell, real)
        torch.testing.assert_close(y[row, :length], wanted.flip(0) if reverse else wanted)
        assert not y[row, length:].any()
        for (_, found), (_, part) in zip(flatten(last), flatten(end), strict=True):
            torch.testing.assert_close(found[row], part[0])
    assert unroll(cell, x[:, :0])[0].shape == (3, 0, 5)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", [Leaky, Delayed, ["lstm", Leaky, "mingru", Delayed]], ids=str)
def test_recomputed_it_is_the_same(cell: Any, bidirectional: bool) -> None:
    def run(recompute: Any) -> list[Tensor]:
        torch.manual_seed(0)
        layer = Recurrent(3, 5, cell, bidirectional=bidirectional, recompute=recompute)
        x = torch.randn(3, 9, 3, requires_grad=True)
        y, _ = layer(x, LENGTHS)
        return [y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])]

    for found, wanted in zip(run("sqrt"), run(None), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-6)


def test_recomputed_it_drops_the_same_again() -> None:
    def run(recompute: Any) -> list[Tensor]:
        torch.manual_seed(0)
        cell, x = Delayed(3, 5, dropout=0.5), torch.randn(3, 9, 3)
        y, _ = unroll(cell, x, recompute=recompute)
        return [y, *torch.autograd.grad(y.square().sum(), list(cell.parameters()))]

    for found, wanted in zip(run(2), run(None), strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_mixed_stack_passes_on_what_each_layer_makes() -> None:
    torch.manual_seed(0)
    cells = [LSTM(3, 7), Leaky(7, 4), Delayed(4, 6)]
    layer, x = Recurrent(3, 6, cell=cells), torch.randn(2, 9, 3)
    whole, state = layer(x)
    first, _ = unroll(cells[0], x)  # type: ignore[arg-type]
    second, _ = unroll(cells[1], first)  # type: ignore[arg-type]
    assert torch.equal(whole, unroll(cells[2], second)[0])  # type: ignore[arg-type]
    assert (layer.output_size, len(state)) == (6, 3)
    assert isinstance(state[0], LSTMState)
    live = layer.session(batch=2)
    pushed = torch.stack([live.push(step) for step in x.unbind(1)], 1)
    torch.testing.assert_close(pushed, whole, atol=1e-6, rtol=0)
    elsewhere = layer.session(batch=2)
    elsewhere.restore(live.snapshot())
    assert torch.equal(elsewhere.push(x[:, 0]), live.push(x[:, 0]))


def test_both_directions_of_a_mixed_stack_have_cells_of_their_own() -> None:
    layer = Recurrent(3, 4, cell=["gru", Leaky], bidirectional=True)
    assert [[type(cell) for cell in cells] for cells in layer.layers] == [[GRU, GRU], [Leaky, Leaky]]
    assert [cells[0].input_size for cells in layer.layers] == [3, 8]
    assert len({parameter.data_ptr() for parameter in layer.parameters()}) == 2 * 4 + 2 * 3
    assert layer(torch.zeros(2, 5, 3), torch.tensor([5, 2]))[0].shape == (2, 5, 8)


def test_the_names_of_weights_do_not_depend_on_how_a_cell_is_given() -> None:
    names = list(Recurrent(3, 4, "gru", num_layers=2).state_dict())
    assert names[:2] == ["layers.0.0.weight_ih", "layers.0.0.weight_hh"]
    assert list(Recurrent(3, 4, GRU, num_layers=2).state_dict()) == names
    assert list(Recurrent(3, 4, ["gru", "gru"]).state_dict()) == names
    assert list(Recurrent(3, 4, [GRU(3, 9), GRU(9, 4)]).state_dict()) == names


def test_a_cell_without_weights_has_no_dtype_to_fit() -> None:
    class Sum(nn.Module):
        input_size = hidden_size = 3

        def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            return x + state, x + state

        def initial_state(self, batch: int, like: Tensor) -> Tensor:
            return like.new_zeros(batch, 3)

    layer, x = Recurrent(3, 3, Sum()), torch.ones(1, 4, 3, dtype=torch.float64)
    assert layer(x)[0][0, :, 0].tolist() == [1, 2, 3, 4]
    assert layer.session().push(torch.ones(3)).tolist() == [1, 1, 1]


def test_a_state_of_another_form_is_refused() -> None:
    cell, x = Delayed(3, 5), torch.zeros(2, 4, 3)
    good = cell.initial_state(2, x)
    for state, why in (
        (torch.zeros(2, 5), "state is Tensor, expected dict"),
        ({"h": good["h"]}, "state is dict, expected dict"),
        ({**good, "inputs": ()}, r"state.inputs is tuple, expected tuple"),
        ({**good, "h": torch.zeros(2, 6)}, r"state.h is \(2, 6\) .*, expected \(2, 5\)"),
        ({**good, "inputs": (torch.zeros(2, 3).double(),)}, r"state.inputs.0 is \(2, 3\) torch.float64 .*, expected"),
        ({**good, "h": None}, "state.h is NoneType, expected Tensor"),
    ):
        with pytest.raises(ShapeError, match=rf"^Delayed\(3, 5\): {why}"):
            unroll(cell, x, None, state)
    with pytest.raises(ModelError, match="belongs to another model"):
        Recurrent(3, 5, cell).session().restore(Recurrent(3, 5, Leaky).session().snapshot())


def test_what_is_not_a_stack_of_cells_says_why() -> None:
    for cell, options, why in (
        (Leaky(3, 4), {"num_layers": 2}, "cell is a single Leaky, but num_layers is 2: give its class, or a list"),
        (Leaky(3, 4), {"bidirectional": True}, "Leaky, which reads in one direction: for both, give its class"),
        (Leaky(4, 4), {}, "layer 1: Leaky has input_size 4, expected 3"),
        (Leaky(3, 5), {}, "layer 1: Leaky has hidden_size 5, expected 4"),
        ([Leaky(3, 9), Leaky(8, 4)], {}, "layer 2: Leaky has input_size 8, expected 9"),
        (["lstm", "gru"], {"num_layers": 3}, "cell is a list of 2 cells, one for each layer, but num_layers is 3"),
        ([], {}, "cell is a list of 0 cells"),
        (["lstm", "gur"], {}, r"there is no cell 'gur'. Did you mean 'gru'\?"),
        (3, {}, "cell must be a name, a class, a cell or a list of them, got 3"),
        (nn.LSTMCell, {}, r"layer 1: LSTMCell has no initial_state; a cell is a torch.nn.Module with input_size, "),
        (lambda i, h: "no module", {}, "layer 1: str has no input_size; a cell is a torch.nn.Module"),
    ):
        with pytest.raises(UsageError, match=why):
            Recurrent(3, 4, cell, **options)  # type: ignore[arg-type]


def test_it_prints_its_own_cells() -> None:
    assert "cell=" not in repr(Recurrent(3, 4, Leaky))
    assert "Leaky(" in repr(Recurrent(3, 4, Leaky))
