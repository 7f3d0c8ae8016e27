"""The gated delta rule over time: a matrix is the memory, and each step corrects what it stores under one key.

Axes: B rows, T steps, N heads, K width of a key, V width of a value, M chunks of C steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled.errors import ShapeError, UsageError
from unrolled.layers.graph import Value
from unrolled.watch import Owner, only_looks, show, show_steps, wanted, watched

__all__ = ["CHUNK", "delta_rule", "delta_rule_over", "plain_delta_rule"]

CHUNK = 32  # steps; the fastest of 16 to 128, forward and backward, on a CPU for keys of 32; half the memory of 64


def delta_rule(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    log_a: Tensor,
    b: Tensor,
    memory: Tensor | None = None,
    chunk: int = CHUNK,
    owner: Owner = None,
) -> tuple[Tensor, Tensor]:
    r"""Write each value under its key into a matrix that decays, and read it with each query.

    ::

        S_t = a_t S_{t-1} (I - b_t k_t k_tᵀ) + b_t v_t k_tᵀ        o_t = S_t q_t
            = a_t S_{t-1} + u_t k_tᵀ        u_t = b_t (v_t - a_t S_{t-1} k_t)

    With a key of length 1 and b = 1, the value under that key is replaced; linear attention would add to it.

    Within a chunk the u_t solve a triangular system; all chunks are solved at once. With S the memory before the
    chunk, g_t = a_1 … a_t and D_tj = a_{j+1} … a_t for j ≤ t, and the rows t stacked into matrices,

    ::

        (I + L) U = b ⊙ V - (b ⊙ g ⊙ K) Sᵀ        L_tj = b_t D_tj k_tᵀk_j for j < t
        O = (g ⊙ Q) Sᵀ + (D ⊙ QKᵀ) U              S after the chunk = g_C S + Uᵀ (D_C ⊙ K)

    so the last line is S G + H, where G and H do not depend on S: from chunk to chunk only one small product remains.
    Each product of decays is the exponential of a sum over its own steps: there are no quotients, so nothing overflows.

    After the end of a row, b = 0 and log_a = 0 keep its memory.

    Args:
        q: queries.
        k: keys, preferably of length 1: with longer keys and a large b the memory grows.
        v: values.
        log_a: the logarithm of the share that each step keeps, at most 0.
        b: how much of the value under its key each step replaces, 0 … 1; up to 2 reverses its sign.
        memory: S before the first step; ``None``: zeros.
        chunk: C ≥ 1; it only changes the cost.
        owner: whose values a watcher is shown: q, k, v, a, b, and S of each step as ``memory``.

    Shape:
        q, k (B, T, N, K), v (B, T, N, V), log_a, b (B, T, N), memory (B, N, V, K), of one floating dtype ->
        o (B, T, N, V) and the memory after the last step (B, N, V, K).

    Raises:
        ShapeError: one does not fit the others.
        UsageError: ``chunk`` is below 1.

    Cost:
        per row, step and head about C(2K + V) + 5KV multiply-adds, and 6C + 5K + 4V numbers kept for the backward
        pass; 3KV multiply-adds step by step. Half precision is computed in float32, also under autocast.

    References:
        the rule: Yang, Kautz and Hatamizadeh 2024, Gated delta networks, https://arxiv.org/abs/2412.06464;
        in chunks: Yang et al. 2024, Parallelizing linear transformers with the delta rule over sequence length,
        https://arxiv.org/abs/2406.06484

    Example:
        >>> key, values = torch.tensor([[[[1.0, 0.0]]]]).expand(1, 2, 1, 2), torch.tensor([[[[3.0]], [[5.0]]]])
        >>> o, _ = delta_rule(key, key, values, torch.zeros(1, 2, 1), torch.ones(1, 2, 1))
        >>> o.flatten().tolist()
        [3.0, 5.0]
    """
    if chunk < 1:
        raise UsageError(f"chunk must be at least 1, got {chunk}")
    memory = _checked(q, k, v, log_a, b, memory)
    if q.dtype.itemsize < 4:
        q_, k_, v_, log_a_, b_, memory = (part.float() for part in (q, k, v, log_a, b, memory))
        o, memory = delta_rule(q_, k_, v_, log_a_, b_, memory, chunk, owner)
        return o.to(q.dtype), memory.to(q.dtype)
    with torch.autocast(q.device.type, enabled=False):
        if watched():
            q, k, v, a, b = show_steps(owner, "q k v a b", q, k, v, log_a.exp(), b)
            # Twice, as each step's memory is kept before all are put together.
            if wanted(owner, "memory", 2 * memory.nbytes * q.shape[1]):
                return plain_delta_rule(q, k, v, a, b, memory, owner)
            log_a = log_a if only_looks() else a.log()
        if q.shape[1] <= 1:
            return plain_delta_rule(q, k, v, log_a.exp(), b, memory)
        return _in_chunks(q, k, v, log_a, b, memory, min(chunk, q.shape[1]))


def plain_delta_rule(
    q: Tensor, k: Tensor, v: Tensor, a: Tensor, b: Tensor, memory: Tensor, owner: Owner = None
) -> tuple[Tensor, Tensor]:
    """The definition of the delta rule, one step after another.

    Args:
        q: (B, T, N, K).
        k: (B, T, N, K).
        v: (B, T, N, V).
        a: (B, T, N).
        b: (B, T, N).
        memory: (B, N, V, K).
        owner: whose memory is shown.
    """
    answers = []
    parts = (q.unsqueeze(-1), k.unsqueeze(-1), v.unsqueeze(-1), a[..., None, None], b[..., None, None])
    for q_t, k_t, v_t, a_t, b_t in zip(*(part.unbind(1) for part in parts), strict=True):
        kept = a_t * memory
        (memory,) = show(owner, "memory", kept + b_t * (v_t - kept @ k_t) * k_t.mT)  # (B, N, V, K)
        answers.append((memory @ q_t).squeeze(-1))
    return torch.stack(answers, 1) if answers else v, memory


def delta_rule_over(parts: Sequence[Value], memory: Value) -> tuple[Value, Value]:
    """`plain_delta_rule` as operators: of q, k (B, T, N, K), v (B, T, N, V), a and b (B, T, N), and the memory."""

    def step(before: list[Value], now: list[Value]) -> tuple[list[Value], list[Value]]:
        (memory,), (q, k, v, a, b) = before, now
        kept = memory * a.unsqueeze(2, 3)
        new = (v - (kept @ k.unsqueeze(3)).squeeze(3)) * b.unsqueeze(2)
        memory = kept + new.unsqueeze(3) * k.unsqueeze(2)
        return [memory], [(memory @ q.unsqueeze(3)).squeeze(3)]

    (memory,), (y,) = memory.graph.scan([memory], parts, step)
    return y, memory


def _in_chunks(
    q: Tensor, k: Tensor, v: Tensor, log_a: Tensor, b: Tensor, memory: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    steps = q.shape[1]
    q, k, v, log_a, b = (_cut(part, size) for part in (q, k, v, log_a.unsqueeze(3), b.unsqueeze(3)))  # (B, N, M, C, …)
    since_start, between = log_a.cumsum(3).exp(), _products(log_a)  # g (…, C, 1) and D (…, C, C)
    overlap = (b * k) @ k.mT * between  # L; the solver looks below its diagonal only
    of_chunk, of_memory = torch.linalg.solve_triangular(
        overlap, torch.cat([b * v, b * since_start * k], 4), upper=False, unitriangular=True
    ).split([v.shape[4], k.shape[4]], 4)
    to_end = between[..., -1:, :].mT * k  # (B, N, M, C, K)
    unchanged = since_start[..., -1:, :] * torch.eye(k.shape[4], dtype=k.dtype, device=k.device)
    kept, added = unchanged - of_memory.mT @ to_end, of_chunk.mT @ to_end  # (B, N, M, K, K), (B, N, M, V, K)
    before = []
    for keep, add in zip(kept.unbind(2), added.unbind(2), strict=True):
        before.append(memory)
        memory = memory @ keep + add
    start = torch.stack(before, 2).mT  # (B, N, M, K, V)
    written = of_chunk - of_memory @ start  # U
    o = since_start * (q @ start) + (q @ k.mT * between) @ written  # (B, N, M, C, V)
    return o.flatten(2, 3)[:, :, :steps].transpose(1, 2), memory


def _cut(part: Tensor, size: int) -> Tensor:
    """(B, T, N, W) -> (B, N, M, C, W), padded with zeros, which write nothing and keep the memory."""
    missing = -part.shape[1] % size
    padded = torch.nn.functional.pad(part, (0, 0, 0, 0, 0, missing)) if missing else part
    rows, steps, heads, width = padded.shape
    return padded.reshape(rows, steps // size, size, heads, width).permute(0, 3, 1, 2, 4).contiguous()


def _products(log_a: Tensor) -> Tensor:
    """(…, C, 1) -> (…, C, C): the product of the decays after step j up to step t, and 0 where t < j.

    Each sum has only its own terms: the difference of two running sums would lose precision.
    """
    size = log_a.shape[-2]
    later = torch.ones(size, size, dtype=torch.bool, device=log_a.device).tril(-1)
    sums = torch.where(later, log_a, log_a.new_zeros(())).cumsum(-2)
    return sums.masked_fill(later.mT, -torch.inf).exp()


def _checked(q: Tensor, k: Tensor, v: Tensor, log_a: Tensor, b: Tensor, memory: Tensor | None) -> Tensor:
    """Check all shapes; return the memory before the first step."""
    if q.dim() != 4 or not q.is_floating_point():
        raise ShapeError(f"delta_rule: q is {tuple(q.shape)} {q.dtype}, expected (B, T, N, K) of a floating dtype")
    rows, steps, heads, keys = q.shape
    values = v.shape[-1] if v.dim() else 0
    if memory is None:
        memory = q.new_zeros(rows, heads, values, keys)
    for name, part, shape in (
        ("k", k, (rows, steps, heads, keys)),
        ("v", v, (rows, steps, heads, values)),
        ("log_a", log_a, (rows, steps, heads)),
        ("b", b, (rows, steps, heads)),
        ("memory", memory, (rows, heads, values, keys)),
    ):
        if part.shape != shape or part.dtype != q.dtype or part.device != q.device:
            raise ShapeError(
                f"delta_rule: {name} is {tuple(part.shape)} {part.dtype} on {part.device}, expected {shape} {q.dtype} "
                f"on {q.device}, as of q with shape {tuple(q.shape)}"
            )
    return memory
