"""The layer against its equations in NumPy; how far it looks back, its dropout, its steps, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from configs import model_config
from torch import Tensor

from unrolled.errors import ShapeError, UsageError
from unrolled.layers.factory import build_layer
from unrolled.layers.tcn import TCN
from unrolled.reference import tcn as textbook
from unrolled.reference.names import from_columns, tcn_from_layer, to_columns
from unrolled.state import flatten


def made(input_size: int = 6, kernel: int = 3, blocks: int = 3, **more: float) -> TCN:
    torch.manual_seed(0)
    layer = TCN(input_size, 6, kernel, blocks, **more).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return layer


def rows(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("input_size", [6, 2])
@pytest.mark.parametrize("kernel", [2, 5])
def test_the_equations_and_their_gradients(kernel: int, input_size: int) -> None:
    layer, x, toward = made(input_size, kernel), rows(2, 20, input_size).requires_grad_(), rows(2, 20, 6)
    y, _ = layer(x)
    (y * toward).sum().backward()
    states, weights, h = [], [], to_columns(x.detach().numpy())
    for n, block in enumerate(layer.blocks):
        own = tcn_from_layer({name: part.detach().numpy() for name, part in block.named_parameters()})
        states.append((h, textbook.forward(h, own, 2**n)))
        weights.append(own)
        h = states[-1][1].y
    torch.testing.assert_close(y.detach(), torch.from_numpy(from_columns(h)), rtol=0, atol=1e-12)
    dy = to_columns(toward.numpy())
    for n in reversed(range(3)):
        found = textbook.backward(dy, *states[n], weights[n], 2**n)
        mine = tcn_from_layer({name: part.grad.numpy() for name, part in layer.blocks[n].named_parameters()})
        for name in ("U", "b", "V", "c", "P") if input_size == 2 and n == 0 else ("U", "b", "V", "c"):
            expected = torch.from_numpy(getattr(found.weights, name))
            torch.testing.assert_close(torch.from_numpy(getattr(mine, name).copy()), expected, rtol=0, atol=1e-10)
        dy = found.x
    torch.testing.assert_close(x.grad, torch.from_numpy(from_columns(dy)), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("kernel", "blocks", "reach"), [(2, 1, 2), (3, 2, 12), (6, 4, 150)])
def test_it_looks_back_as_far_as_it_says_and_no_further(kernel: int, blocks: int, reach: int) -> None:
    layer, x = made(1, kernel, blocks), rows(1, reach + 5, 1).requires_grad_()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.abs_()  # so that no relu cuts a path
    assert layer.reach == reach
    layer(x.abs())[0][0, -1].sum().backward()
    seen = x.grad[0, :, 0] != 0
    assert seen[4:].any()
    assert seen[4]
    assert not seen[:4].any()


def test_a_state_is_of_the_last_real_inputs_and_of_one_size_for_ever() -> None:
    layer = made(2)
    for steps in (0, 1, 5, 100):
        _, state = layer(rows(2, steps, 2))
        assert [tuple(part.shape) for _, part in flatten(state)] == [
            (2, 2, 2), (2, 2, 6), (2, 4, 6), (2, 4, 6), (2, 8, 6), (2, 8, 6)
        ]  # fmt: skip
    x = rows(2, 9, 2)
    _, state = layer(x, torch.tensor([9, 1]))
    assert torch.equal(state[0].outer[0], x[0, 7:])
    assert torch.equal(state[0].outer[1], torch.stack([torch.zeros(2, dtype=x.dtype), x[1, 0]]))


def test_a_kept_state_does_not_keep_the_row() -> None:
    _, state = made(2)(rows(1, 1000, 2))
    assert all(part.untyped_storage().nbytes() == part.numel() * 8 for _, part in flatten(state))


def test_step_by_step_over_a_long_row() -> None:
    layer, x = made().float().eval(), rows(2, 200, 6).float()
    live = layer.session(batch=2)
    ys = torch.stack([live.push(step) for step in x.unbind(1)], 1)
    with torch.no_grad():
        torch.testing.assert_close(ys, layer(x)[0], rtol=1e-5, atol=1e-5)


def test_a_unit_is_dropped_at_all_steps_of_a_row_or_at_none() -> None:
    layer, x = made(dropout=0.5), torch.ones(40, 7, 6, dtype=torch.float64)
    dropped = layer.blocks[0].dropout(x)
    assert torch.equal(dropped, dropped[:, :1].expand_as(x))
    assert set(dropped.unique().tolist()) == {0, 2}
    assert 0.3 < float((dropped == 0).double().mean()) < 0.7
    assert not torch.equal(dropped[0], dropped[1:].mean(0))
    assert torch.equal(layer.eval().blocks[0].dropout(x), x)
    with pytest.raises(UsageError, match="training mode, with dropout"):
        layer.train().session()


def test_outputs_are_of_the_size_of_the_inputs_at_first() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        y, _ = TCN(64, 64, 3, 8)(torch.randn(4, 1200, 64))
    assert 0.3 < float(y[:, 1020:].square().mean().sqrt()) < 3


def test_it_is_built_from_a_config() -> None:
    layer = build_layer(model_config(name="tcn", hidden=12, kernel=4, layers=2, dropout=0.5), 4)
    assert isinstance(layer, TCN)
    assert (layer.input_size, layer.output_size, layer.kernel, len(layer.blocks)) == (4, 12, 4, 2)
    assert {part.p for part in layer.modules() if isinstance(part, torch.nn.Dropout)} == {0.5}


def test_autocast_leaves_the_state_in_full_precision() -> None:
    layer, x = made(2).float(), rows(2, 40, 2).float()
    with torch.autocast("cpu", torch.bfloat16):
        y, state = layer(x, torch.tensor([40, 9]))
        layer.step(x[:, 0], state)
    expected, _ = layer(x, torch.tensor([40, 9]))
    assert {part.dtype for _, part in flatten(state)} == {torch.float32}
    torch.testing.assert_close(y.float(), expected, rtol=0.05, atol=0.1)


def test_what_does_not_fit_is_named() -> None:
    for arguments, text in (
        ((0, 4), "input_size must be at least 1, got 0"),
        ((3, 0), "hidden_size must be at least 1, got 0"),
        ((3, 4, 3, 0), "num_layers must be at least 1, got 0"),
        ((3, 4, 1), "kernel must be at least 2, got 1"),
        ((3, 4, 3, 1, 1.0), "dropout must be at least 0 and below 1, got 1.0"),
        ((3, 4, 3, 15), "15 layers of kernels of 3 steps look back 131,068 steps, and the most is 65,536: choose"),
        ((3, 4, 3, 64), "choose fewer layers or a shorter kernel"),
    ):
        with pytest.raises(UsageError, match=text):
            TCN(*arguments)
    layer = made(2)
    with pytest.raises(ShapeError, match=r"TCN: x has shape \(2, 5, 1\), expected \(B, T, I\) with I = 2"):
        layer(rows(2, 5, 1))
    with pytest.raises(ShapeError, match=r"TCN: lengths\[1\] is 6, expected 0 … 5"):
        layer(rows(2, 5, 2), torch.tensor([5, 6]))
    with pytest.raises(ShapeError, match="TCN: state has 1 blocks, expected 3"):
        layer(rows(2, 5, 2), None, layer.initial_state(2, rows(1))[:1])
    with pytest.raises(ShapeError, match=r"state.inner has shape \(1, 2, 6\), expected \(2, 2, 6\)"):
        layer.step(
            rows(2, 2),
            [
                part._replace(outer=rows(2, part.outer.shape[1], part.outer.shape[2]))
                for part in layer.initial_state(1, rows(1))
            ],
        )
