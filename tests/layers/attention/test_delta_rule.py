"""The gated delta rule: in chunks = one step after another = the textbook, forward and back, however long."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.errors import ShapeError, UsageError
from unrolled.layers.attention.delta_rule import delta_rule, plain_delta_rule
from unrolled.reference import deltanet

B, N, K, V = 2, 3, 8, 5


def given(steps: int, dtype: torch.dtype = torch.float64, most: float = 1, decay: float = 1) -> list[Tensor]:
    """q, k, v, log_a, b and a first memory; ``most`` the largest b, ``decay`` the scale of log_a."""
    random = torch.Generator().manual_seed(steps)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    q, k = (torch.nn.functional.normalize(draw(B, steps, N, K), dim=-1) for _ in range(2))
    log_a, b = -decay * draw(B, steps, N).abs() ** 3, most * torch.sigmoid(2 * draw(B, steps, N))
    parts = [q, k, draw(B, steps, N, V), log_a, b, draw(B, N, V, K)]
    return [part.to(dtype).requires_grad_() for part in parts]


def answers(run, parts: list[Tensor]) -> list[Tensor]:
    """o, the last memory, and the gradients of a loss that both go into."""
    o, memory = run(*parts)
    random = torch.Generator().manual_seed(1)
    loss = torch.zeros((), dtype=o.dtype)
    for part in (o, memory):
        loss = loss + (part * torch.randn(part.shape, generator=random, dtype=torch.float64).to(o.dtype)).sum()
    return [o, memory, *torch.autograd.grad(loss, parts)]


def stepwise(q: Tensor, k: Tensor, v: Tensor, log_a: Tensor, b: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """The definition."""
    return plain_delta_rule(q, k, v, log_a.exp(), b, memory)


def close(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    for mine, other in zip(found, expected, strict=True):
        scale = max(1.0, float(other.detach().abs().max()))
        torch.testing.assert_close(mine.double(), other.double(), rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("steps", [1, 6])
def test_the_textbook_forward_and_back(steps: int) -> None:
    parts = given(steps)
    found = answers(lambda *p: delta_rule(*p, chunk=4), parts)
    toward = torch.Generator().manual_seed(1)
    do, dS = (torch.randn(part.shape, generator=toward, dtype=torch.float64).numpy() for part in found[:2])
    q, k, v, log_a, b, S_0 = (part.detach().numpy() for part in parts)
    for row in range(B):
        for head in range(N):
            x = deltanet.Inputs(
                *(part[row, :, head].T for part in (q, k, v)), np.exp(log_a[row, :, head]), b[row, :, head]
            )
            o, S = deltanet.forward(x, S_0[row, head])
            np.testing.assert_allclose(found[0][row, :, head].detach().numpy(), o.T, atol=1e-12)
            np.testing.assert_allclose(found[1][row, head].detach().numpy(), S[:, :, -1], atol=1e-12)
            back = deltanet.backward(do[row, :, head].T, dS[row, head], x, S_0[row, head], S)
            expected = [back.inputs.q.T, back.inputs.k.T, back.inputs.v.T, back.inputs.a * x.a, back.inputs.b]
            for mine, other in zip(found[2:7], expected, strict=True):
                np.testing.assert_allclose(mine[row, :, head].numpy(), other, atol=1e-11)
            np.testing.assert_allclose(found[7][row, head].numpy(), back.S_0, atol=1e-11)


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize("chunk", [1, 3, 32, 100])
def test_chunks_change_nothing(chunk: int, most: float) -> None:
    parts = given(70, most=most)
    close(answers(lambda *p: delta_rule(*p, chunk=chunk), parts), answers(stepwise, parts), 1e-11)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=str)
@pytest.mark.parametrize("decay", [0.0, 0.1, 50.0])
def test_over_a_thousand_steps(decay: float, dtype: torch.dtype, tolerance: float) -> None:
    """From a memory that keeps all to one that often keeps next to nothing."""
    parts = given(1000, dtype, decay=decay)
    close(answers(delta_rule, parts), answers(stepwise, parts), tolerance)


def test_a_decay_of_nothing_forgets_all_and_has_derivatives() -> None:
    parts = given(9)
    with torch.no_grad():
        parts[3][:, 4] = -torch.inf
    found = answers(lambda *p: delta_rule(*p, chunk=8), parts)
    o, memory = delta_rule(*(part[:, 4:] for part in parts[:5]))
    close(found[:2], [torch.cat([found[0][:, :4], o], 1), memory], 1e-12)
    assert all(part.isfinite().all() for part in found)
    assert not found[-1][..., 0].isnan().any()


def test_a_key_written_again_replaces_what_stood_there_and_no_more() -> None:
    keys = torch.eye(4)[[0, 1, 0, 2]].view(1, 4, 1, 4)
    values = torch.tensor([3.0, 5.0, 7.0, 9.0]).view(1, 4, 1, 1)
    _, memory = delta_rule(keys, keys, values, torch.zeros(1, 4, 1), torch.ones(1, 4, 1))
    torch.testing.assert_close(memory.flatten(), torch.tensor([7.0, 5.0, 9.0, 0.0]))


def test_what_neither_forgets_nor_writes_keeps_the_memory_to_the_bit() -> None:
    q, k, v, _, _, memory = given(40, torch.float32)
    nothing = torch.zeros(B, 40, N)
    assert torch.equal(delta_rule(q, k, v, nothing, nothing, memory)[1], memory)


def test_no_steps_and_no_rows() -> None:
    parts = given(0)
    o, memory = delta_rule(*parts)
    assert o.shape == (B, 0, N, V)
    assert torch.equal(memory, parts[5])
    o, memory = delta_rule(*(part[:0] for part in given(40)))
    assert (o.shape, memory.shape) == ((0, 40, N, V), (0, N, V, K))


def test_sums_stay_precise_under_autocast() -> None:
    parts = given(40, torch.float32)
    expected = delta_rule(*parts)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(delta_rule(*parts)[0], expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_rounded_once(dtype: torch.dtype) -> None:
    parts = given(40, dtype)
    expected = delta_rule(*(part.float() for part in parts))
    for mine, other in zip(delta_rule(*parts), expected, strict=True):
        assert torch.equal(mine, other.to(dtype))


def test_gradcheck() -> None:
    parts = given(5)
    assert torch.autograd.gradcheck(lambda *p: delta_rule(*p, chunk=3), tuple(parts), fast_mode=True)


def test_what_does_not_fit_is_named() -> None:
    q, k, v, log_a, b, memory = given(3)
    with pytest.raises(UsageError, match="chunk must be at least 1, got 0"):
        delta_rule(q, k, v, log_a, b, chunk=0)
    with pytest.raises(ShapeError, match=r"q is \(2, 3, 3\) .*, expected \(B, T, N, K\) of a floating dtype"):
        delta_rule(q[..., 0], k, v, log_a, b)
    with pytest.raises(
        ShapeError, match=r"k is \(2, 3, 3, 7\) .*, expected \(2, 3, 3, 8\) torch.float64 on cpu, as of"
    ):
        delta_rule(q, k[..., :7], v, log_a, b)
    with pytest.raises(ShapeError, match=r"v is \(2, 2, 3, 5\) .*, expected \(2, 3, 3, 5\)"):
        delta_rule(q, k, v[:, :2], log_a, b)
    with pytest.raises(ShapeError, match=r"log_a is \(2, 3, 2\) .*, expected \(2, 3, 3\)"):
        delta_rule(q, k, v, log_a[..., :2], b)
    with pytest.raises(ShapeError, match=r"b is \(2, 3, 3\) torch.float32 on cpu, expected \(2, 3, 3\) torch.float64"):
        delta_rule(q, k, v, log_a, b.float())
    with pytest.raises(ShapeError, match=r"memory is \(1, 3, 5, 8\) .*, expected \(2, 3, 5, 8\)"):
        delta_rule(q, k, v, log_a, b, memory[:1])
