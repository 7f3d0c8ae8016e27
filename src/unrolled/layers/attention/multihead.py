"""Multi-head attention: of a sequence to itself, or to another sequence, the memory.

Axes: B rows, T steps, S steps of the memory, N visible steps, W width, H heads, G key heads, D = W / H.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from unrolled.cells._arguments import arguments
from unrolled.cells.cell import check_input
from unrolled.errors import ShapeError, UsageError, named
from unrolled.layers.attention.cache import KVCache, Memory, Past, check_cache, seen_memory
from unrolled.layers.attention.positions import Turns, turn, turns
from unrolled.layers.attention.view import Block, View
from unrolled.layers.lengths import check_lengths, zero_padding
from unrolled.watch import show_steps, wanted

__all__ = ["CrossAttention", "SelfAttention", "first_heads"]

_PER_HEAD = 32


class SelfAttention(nn.Module):
    """Multi-head self-attention: each step attends to itself and the steps before it, or to all steps of its row.

    ::

        q_t = W_q x_t        k_t = W_k x_t        v_t = W_v x_t                 each cut into heads of width D
        a_t = softmax_s(q_t · k_s / √D)           over the steps s that t sees, in each head
        y_t = W_o [Σ_s a_ts v_s of every head]

    With fewer key heads than heads, H/G queries share a key and a value, and the state is H/G times smaller.

    Args:
        width: W ≥ 1.
        heads: H, a divisor of W; ``None``: as many heads as possible of at least 32 units each.
        kv_heads: G, a divisor of H; ``None``: H.
        causal: no step sees a later one, so the layer can stream.
        attention_window: how many steps back (and, unless causal, ahead) a step sees, ≥ 1; ``None``: all.
        positions: ``rotary``, ``alibi`` or ``none``.

    Shape:
        x (B, T, W) -> y (B, T, W), 0 beyond each row's length; lengths (B,) integers, 0 … T. State: a `KVCache`.
        Watchers are shown the weights a as ``attention`` (B, T, H, N): first the steps of the state, then those of x.

    Raises:
        UsageError: heads that do not divide; a number out of range; a state without ``causal``.
        ShapeError: x, lengths or the state does not fit.

    Cost:
        2W(W + GD) multiply-adds per row and step and 2W for each step that it sees; 2GD numbers of state for each
        remembered step, at most ``attention_window`` of them.

    References:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; fewer key heads: Ainslie et al. 2023,
        https://arxiv.org/abs/2305.13245; the window: Beltagy et al. 2020, https://arxiv.org/abs/2004.05150

    Example:
        >>> layer, x = SelfAttention(8, heads=2), torch.randn(1, 5, 8)
        >>> whole, _ = layer(x)
        >>> first, state = layer(x[:, :4])
        >>> fifth, state = layer(x[:, 4:], None, state)
        >>> torch.allclose(whole[:, 4:], fifth, atol=1e-6)
        True
    """

    def __init__(
        self,
        width: int,
        heads: int | None = None,
        kv_heads: int | None = None,
        *,
        causal: bool = True,
        attention_window: int | None = None,
        positions: str = "none",
    ) -> None:
        super().__init__()
        self.heads, self.kv_heads = first_heads(width, heads, kv_heads)
        if attention_window is not None and attention_window < 1:
            raise UsageError(f"attention_window must be at least 1, got {attention_window}")
        if positions not in ("rotary", "alibi", "none"):
            raise UsageError(f"positions must be 'rotary', 'alibi' or 'none', got {positions!r}")
        self.width, self.causal, self.attention_window, self.positions = width, causal, attention_window, positions
        self.head_width = width // self.heads
        self.queries_keys_values = nn.Linear(width, width + 2 * self.kv_heads * self.head_width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.normal_(self.queries_keys_values.weight, std=width**-0.5)
        nn.init.normal_(self.out.weight, std=width**-0.5)

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        values = {"width": self.width, "heads": self.heads, "kv_heads": self.kv_heads}
        more = {"causal": self.causal, "attention_window": self.attention_window, "positions": self.positions}
        return arguments(self, {**values, **more})

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: KVCache | None = None
    ) -> tuple[Tensor, KVCache | None]:
        """Run over whole rows, or the next chunk of each."""
        check_input(x, "(B, T, I)", self.width, self.out.weight, "SelfAttention")
        lengths = check_lengths(lengths, x, "SelfAttention")
        self.check(state, x, "SelfAttention")
        view = self.view(x, lengths, None if state is None else state.steps)
        y, after = self.run(zero_padding(x, lengths), view, self.turns(view), state)
        return zero_padding(y, lengths), after

    def initial_state(self, batch: int, like: Tensor) -> KVCache:
        """An empty cache, with the dtype and device of ``like``."""
        empty = like.new_zeros(batch, 0, self.kv_heads, self.head_width)
        return KVCache(empty, empty, torch.zeros(batch, dtype=torch.int64, device=like.device))

    def check(self, state: KVCache | None, x: Tensor, owner: str) -> None:
        """Raise an error unless ``state`` fits before ``x`` (B, T, W)."""
        if state is None:
            return
        if not self.causal:
            raise UsageError(f"{owner} sees later steps, so it cannot continue from a state: give it whole rows")
        check_cache(state, (x.shape[0], self.kv_heads, self.head_width), x, self.attention_window, owner)

    def view(self, x: Tensor, lengths: Tensor | None, steps: Tensor | None) -> View:
        """Which steps each step of ``x`` sees, after ``steps`` (B,) earlier ones."""
        past = Past((x.shape[0], x.shape[1]), lengths, steps, x, self.attention_window)
        return View(past, self.heads, causal=self.causal, alibi=self.positions == "alibi")

    def turns(self, view: View) -> Turns | None:
        """The angles of the steps of ``view``, if positions are rotary."""
        return turns(view.past.positions, self.head_width, view.past.like) if self.positions == "rotary" else None

    def run(self, x: Tensor, view: View, by: Turns | None, state: KVCache | None) -> tuple[Tensor, KVCache | None]:
        """`forward` with the parts that all layers share; it neither checks ``x`` nor zeroes the padding of y.

        Args:
            x: (B, T, W), with zeros at padding.
            view: which steps each step sees.
            by: the angles of rotary positions.
            state: the state of the steps before; only its keys and values are read.
        """
        rows, steps, _ = x.shape
        every = self.heads + 2 * self.kv_heads
        all_heads = self.queries_keys_values(x).view(rows, steps, every, self.head_width)  # (B, T, H + 2G, D)
        q_k, v = all_heads.split([self.heads + self.kv_heads, self.kv_heads], 2)
        q, k = (q_k if by is None else turn(q_k, by)).split([self.heads, self.kv_heads], 2)
        past = view.past
        keys = past.joined(None if state is None else state.keys, k)
        values = past.joined(None if state is None else state.values, v)
        if _weights_wanted(self, q, keys):
            context = _shown(self, q, keys, values, view.whole_mask())
        else:
            context = _fused(q, keys, values, view.blocks())
        after = KVCache(past.kept(keys), past.kept(values), past.after) if self.causal else None
        return self.out(context.flatten(2)), after


class CrossAttention(nn.Module):
    """Multi-head cross-attention: each step attends to the steps of another sequence, the memory.

    ::

        q_t = W_q x_t        k_s = W_k m_s        v_s = W_v m_s                 each cut into heads of width D
        a_t = softmax_s(q_t · k_s / √D)           over the real steps s of the memory, in each head
        y_t = W_o [Σ_s a_ts v_s of every head]    0 where the memory has no step

    Args:
        width: W ≥ 1, of x.
        memory_size: M ≥ 1, of the memory.
        heads: H, a divisor of W; ``None``: as many heads as possible of at least 32 units each.
        kv_heads: G, a divisor of H; ``None``: H.

    Shape:
        x (B, T, W), memory (B, S, M) -> y (B, T, W); memory_lengths (B,) integers, 0 … S. Watchers are shown the
        weights a as ``attention`` (B, T, H, S).

    Raises:
        UsageError: heads that do not divide.
        ShapeError: x, the memory or its lengths do not fit.

    Cost:
        2W² multiply-adds per row and step and 2W for each step of the memory; 2MGD once for each step of the memory.

    References:
        Vaswani et al. 2017, section 3.2.3, https://arxiv.org/abs/1706.03762

    Example:
        >>> CrossAttention(8, 3, heads=2)(torch.randn(1, 5, 8), torch.randn(1, 4, 3)).shape
        torch.Size([1, 5, 8])
    """

    def __init__(self, width: int, memory_size: int, heads: int | None = None, kv_heads: int | None = None) -> None:
        super().__init__()
        self.heads, self.kv_heads = first_heads(width, heads, kv_heads)
        if memory_size < 1:
            raise UsageError(f"memory_size must be at least 1, got {memory_size}")
        self.width, self.memory_size, self.head_width = width, memory_size, width // self.heads
        self.queries = nn.Linear(width, width, bias=False)
        self.keys_values = nn.Linear(memory_size, 2 * self.kv_heads * self.head_width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        for linear in (self.queries, self.keys_values, self.out):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5)

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        values = {"width": self.width, "memory_size": self.memory_size, "heads": self.heads}
        return arguments(self, {**values, "kv_heads": self.kv_heads})

    def forward(self, x: Tensor, memory: Tensor, memory_lengths: Tensor | None = None) -> Tensor:
        """All steps of ``x``."""
        check_input(x, "(B, T, I)", self.width, self.out.weight, "CrossAttention")
        projected = self.project(memory, memory_lengths)
        if len(memory) != len(x):
            raise ShapeError(f"CrossAttention: the memory has {len(memory)} rows and x has {len(x)}")
        return self.run(x, projected, seen_memory(projected))

    def project(self, memory: Tensor, lengths: Tensor | None = None) -> Memory:
        """Keys and values (B, S, G, D) of a memory (B, S, M), computed once for any number of steps."""
        check_input(memory, "(B, S, I)", self.memory_size, self.out.weight, "CrossAttention: memory")
        rows, steps, _ = memory.shape
        real = check_lengths(lengths, memory, "CrossAttention: memory")
        keys, values = self.keys_values(zero_padding(memory, real)).chunk(2, 2)
        if real is None:
            real = torch.full((rows,), steps, device=memory.device)
        heads = self.kv_heads, self.head_width
        return Memory(keys.unflatten(2, heads), values.unflatten(2, heads), real)

    def run(self, x: Tensor, memory: Memory, seen: Tensor | None) -> Tensor:
        """`forward` with a projected memory and the mask from `seen_memory`."""
        q = self.queries(x).unflatten(2, (self.heads, self.head_width))
        none = None if seen is None else (memory.lengths == 0).view(-1, 1, 1, 1)
        if _weights_wanted(self, q, memory.keys):
            context = _shown(self, q, memory.keys, memory.values, seen, none)
        else:
            context = _fused(q, memory.keys, memory.values, [Block(slice(None), slice(None), seen)])
        if none is not None:
            context = torch.where(none, context.new_zeros(()), context)
        return self.out(context.flatten(2))


def first_heads(width: int, heads: int | None, kv_heads: int | None) -> tuple[int, int]:
    """H and G, checked. By default H is the largest divisor of ``width`` with at least 32 units per head, or 1.

    Raises:
        UsageError: they do not divide; the message suggests the nearest divisors.

    >>> first_heads(128, None, None), first_heads(100, None, 1), first_heads(5, None, None)
    ((4, 4), (2, 1), (1, 1))
    """
    if width < 1:
        raise UsageError(f"hidden_size must be at least 1, got {width}")
    divisors = [n for n in range(1, width + 1) if width % n == 0]
    if heads is None:
        heads = max([n for n in divisors if width // n >= _PER_HEAD], default=1)
    _check_divides(heads, width, "heads", f"the hidden size {width}")
    kv_heads = heads if kv_heads is None else kv_heads
    _check_divides(kv_heads, heads, "kv_heads", f"{heads} heads")
    return heads, kv_heads


def _check_divides(number: int, whole: int, name: str, of: str) -> None:
    if number < 1 or whole % number:
        divisors = [n for n in range(1, whole + 1) if whole % n == 0]
        near = [*[n for n in divisors if n < number][-1:], *[n for n in divisors if n > number][:1]]
        raise UsageError(f"{named(name)} = {number} does not divide {of}: choose {' or '.join(map(str, near))}")


def _fused(q: Tensor, k: Tensor, v: Tensor, blocks: Iterable[Block]) -> Tensor:
    """(B, T, H, D) of q (B, T, H, D), k and v (B, N, G, D), with torch's fused attention, which returns no weights."""
    if not q.numel() or not k.numel():
        return torch.zeros_like(q)
    shared, (q, k, v) = q.shape[2] != k.shape[2], (part.transpose(1, 2) for part in (q, k, v))
    parts = [
        scaled_dot_product_attention(
            q[:, :, block.queries],
            k[:, :, block.keys],
            v[:, :, block.keys],
            attn_mask=block.mask,
            is_causal=block.causal,
            enable_gqa=shared,
        )
        for block in blocks
    ]
    return (parts[0] if len(parts) == 1 else torch.cat(parts, 2)).transpose(1, 2)


def _weights_wanted(owner: nn.Module, q: Tensor, k: Tensor) -> bool:
    """Whether somebody wants the weights, which take twice their size while `_shown` computes them, and a mask."""
    pairs = q.shape[0] * q.shape[1] * k.shape[1]
    return wanted(owner, "attention", pairs * (2 * q.shape[2] * q.element_size() + 2))


def _shown(
    owner: nn.Module, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, none: Tensor | None = None
) -> Tensor:
    """The same as `_fused` by the definition, with the weights shown; they are 0 in rows where ``none`` is True."""
    heads, width = q.shape[2:]
    if not q.numel() or not k.numel():
        return torch.zeros_like(q)
    k, v = (part.repeat_interleave(heads // part.shape[2], 2) for part in (k, v))
    scores = torch.einsum("bthd,bnhd->bhtn", q * width**-0.5, k)
    if mask is not None:  # in place: over long rows the scores fill the memory
        scores = scores.masked_fill_(~mask, float("-inf")) if mask.dtype == torch.bool else scores.add_(mask)
    weights = scores.softmax(-1).transpose(1, 2)  # (B, T, H, N)
    del scores
    (weights,) = show_steps(owner, "attention", weights if none is None else weights.masked_fill(none, 0))
    return torch.einsum("bthn,bnhd->bthd", weights, v)
