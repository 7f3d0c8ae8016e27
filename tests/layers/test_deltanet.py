"""The layer against its equations in NumPy; its parts, its segments, its cost, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from configs import model_config
from torch import Tensor

from unrolled.errors import ShapeError, UsageError
from unrolled.layers import deltanet
from unrolled.layers.deltanet import DeltaNet
from unrolled.layers.factory import build_layer
from unrolled.reference import deltanet as textbook
from unrolled.reference.names import deltanet_from_layer
from unrolled.state import flatten


def made(input_size: int = 6, heads: int = 2, blocks: int = 2, **more: float) -> DeltaNet:
    torch.manual_seed(0)
    layer = DeltaNet(input_size, 6, heads, blocks, **more).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    return layer


def rows(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("input_size", [6, 2])
@pytest.mark.parametrize("heads", [1, 3])
def test_the_equations(heads: int, input_size: int) -> None:
    layer, x, lengths = made(input_size, heads), rows(3, 40, input_size), torch.tensor([40, 33, 1])
    with torch.no_grad():
        y, state = layer(x, lengths)
    weights = {name: part.detach().numpy() for name, part in layer.named_parameters()}
    for row, length in enumerate(lengths.tolist()):
        h = x[row, :length].numpy().T
        if input_size != 6:
            h = weights["inward.weight"] @ h + weights["inward.bias"][:, None]
        for k, (memory, _) in enumerate(state):
            prefix = f"blocks.{k}."
            own = {name.removeprefix(prefix): part for name, part in weights.items() if name.startswith(prefix)}
            h, S = textbook.block(h, deltanet_from_layer(own), eps=1e-5, eps_o=deltanet.SOFT)
            np.testing.assert_allclose(memory[row], S, atol=1e-10)
        np.testing.assert_allclose(y[row, :length].T, textbook.rms_norm(h, weights["norm.weight"], 1e-5), atol=1e-10)
        assert not y[row, length:].any()


def test_a_state_is_of_the_last_real_inputs_and_of_one_size_for_ever() -> None:
    layer = made()
    sizes = set()
    for steps in (0, 1, 2, 100):
        _, state = layer(rows(2, steps, 6))
        sizes.add(tuple(tuple(part.shape) for _, part in flatten(state)))
    assert sizes == {((2, 2, 3, 3), (2, 3, 18)) * 2}


@pytest.mark.parametrize("kept", [0, 10**9], ids=["run again", "kept"])
@pytest.mark.parametrize("lengths", [None, [150, 64, 0, 149]], ids=["even", "uneven"])
def test_long_rows_in_segments(lengths: list[int] | None, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs, state and gradients do not know where a segment ends, nor whether it was run again, dropout included."""
    layer, x = made(dropout=0.4), rows(4, 150, 6).requires_grad_()
    real = None if lengths is None else torch.tensor(lengths)

    def run(training: bool) -> list[Tensor]:
        torch.manual_seed(3)
        y, state = layer.train(training)(x, real)
        parts = [y, *(part for _, part in flatten(state))]
        loss = torch.stack([(part * rows(*part.shape)).sum() for part in parts]).sum()
        return [*parts, *torch.autograd.grad(loss, [x, *layer.parameters()])]

    expected = run(False)
    monkeypatch.setattr(deltanet, "_TOGETHER", 64 * 4 * 6 * 2)
    monkeypatch.setattr(deltanet, "_KEPT", kept)
    for mine, other in zip(run(False), expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-9)
    dropped = run(True)
    assert not torch.equal(dropped[0], expected[0])
    monkeypatch.setattr(deltanet, "_KEPT", 10**9)
    for mine, other in zip(dropped, run(True), strict=True):
        assert torch.equal(mine, other)


def test_segments_that_are_run_again_keep_little_for_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = made().float(), rows(4, 640, 6).float()
    monkeypatch.setattr(deltanet, "_TOGETHER", 64 * 4 * 6 * 2)

    def kept() -> int:
        sizes: dict[int, int] = {}

        def keep(part: Tensor) -> Tensor:
            sizes[part.untyped_storage().data_ptr()] = part.untyped_storage().nbytes()
            return part

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda part: part):
            y, _ = layer(x)
        assert y.requires_grad
        return sum(sizes.values())

    whole = kept()
    monkeypatch.setattr(deltanet, "_KEPT", 0)
    assert kept() < whole / 20


def test_the_future_is_not_seen_across_chunks_and_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltanet, "_TOGETHER", 64 * 2 * 6 * 2)
    layer, x = made().float(), rows(2, 150, 6).float()
    with torch.no_grad():
        y, _ = layer(x)
        for t in (0, 30, 31, 32, 63, 64, 100, 148):
            changed = x.clone()
            changed[:, t + 1 :] = 1e3 * x[:, t + 1 :].flip(1)
            assert torch.equal(layer(changed)[0][:, : t + 1], y[:, : t + 1])


def test_step_by_step_over_many_chunks() -> None:
    layer, x = made().float().eval(), rows(2, 200, 6).float()
    live = layer.session(batch=2)
    ys = torch.stack([live.push(step) for step in x.unbind(1)], 1)
    with torch.no_grad():
        torch.testing.assert_close(ys, layer(x)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("hidden", "heads"), [(128, 4), (64, 2), (96, 3), (100, 2), (33, 1), (5, 1), (1, 1)])
def test_heads_of_at_least_32_units_by_default(hidden: int, heads: int) -> None:
    layer = DeltaNet(3, hidden)
    assert layer.heads == heads
    assert layer.initial_state(1, torch.zeros(()))[0].memory.shape[1] == heads


def test_heads_remember_over_different_times_at_first() -> None:
    layer = DeltaNet(3, 64, heads=4)
    bias = layer.blocks[0].mix.inward.bias[-8:-4]
    steps = 1 / (1 - torch.sigmoid(bias.double()))
    assert (steps > deltanet._SHORTEST).all()
    assert (steps < deltanet._LONGEST).all()
    torch.testing.assert_close(steps[1:] / steps[:-1], steps[1:2].repeat(3) / steps[:1].repeat(3), rtol=0.02, atol=0)


def test_it_is_built_from_a_config() -> None:
    layer = build_layer(model_config(name="deltanet", hidden=12, heads=3, layers=2, dropout=0.5), 4)
    assert isinstance(layer, DeltaNet)
    assert (layer.input_size, layer.output_size, layer.heads, len(layer.blocks)) == (4, 12, 3, 2)
    assert {part.p for part in layer.modules() if isinstance(part, torch.nn.Dropout)} == {0.5}


def test_autocast_leaves_the_memory_in_full_precision() -> None:
    layer, x = made(2).float(), rows(2, 40, 2).float()
    with torch.autocast("cpu", torch.bfloat16):
        y, state = layer(x, torch.tensor([40, 9]))
        layer.step(x[:, 0], state)
    expected, _ = layer(x, torch.tensor([40, 9]))
    assert {part.dtype for _, part in flatten(state)} == {torch.float32}
    torch.testing.assert_close(y.float(), expected, rtol=0, atol=0.1)


def test_what_does_not_fit_is_named() -> None:
    for arguments, text in (
        ((0, 4), "input_size must be at least 1, got 0"),
        ((3, 0), "hidden_size must be at least 1, got 0"),
        ((3, 4, 1, 0), "num_layers must be at least 1, got 0"),
        ((3, 4, 3), "heads must be a divisor of the hidden size 4, got 3"),
        ((3, 4, 0), "heads must be a divisor of the hidden size 4, got 0"),
        ((3, 4, 1, 1, 1.0), "dropout must be at least 0 and below 1, got 1.0"),
    ):
        with pytest.raises(UsageError, match=text):
            DeltaNet(*arguments)
    layer = made(2)
    with pytest.raises(ShapeError, match=r"DeltaNet: x has shape \(2, 5, 1\), expected \(B, T, I\) with I = 2"):
        layer(rows(2, 5, 1))
    with pytest.raises(ShapeError, match=r"DeltaNet: lengths\[1\] is 6, expected 0 … 5"):
        layer(rows(2, 5, 2), torch.tensor([5, 6]))
    with pytest.raises(ShapeError, match="DeltaNet: state has 1 blocks, expected 2"):
        layer(rows(2, 5, 2), None, layer.initial_state(2, rows(1))[:1])
    with pytest.raises(ShapeError, match=r"state.memory has shape \(1, 2, 3, 3\), expected \(2, 2, 3, 3\)"):
        layer.step(rows(2, 2), layer.initial_state(1, rows(1)))
    state = [part._replace(recent=part.recent[:, :2]) for part in layer.initial_state(2, rows(1))]
    with pytest.raises(ShapeError, match=r"state.recent has shape \(2, 2, 18\), expected \(2, 3, 18\)"):
        layer(rows(2, 5, 2), None, state)
