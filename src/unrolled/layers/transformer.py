"""The transformer: attention instead of recurrence, with the same interface as every layer.

Axes: B rows, T steps, I inputs, H hidden units, N remembered steps, S steps of a memory, M width of the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self, cast

from torch import Tensor, nn

from unrolled.cells._arguments import arguments
from unrolled.cells.cell import check_input
from unrolled.config import Part, option
from unrolled.errors import ShapeError, UsageError, did_you_mean
from unrolled.layers.attention.attention_graph import block_over, positioned, projected, sight
from unrolled.layers.attention.blocks import TransformerBlock, make_norm
from unrolled.layers.attention.cache import KVCache, Memory, check_memory, seen_memory
from unrolled.layers.attention.multihead import CrossAttention, SelfAttention
from unrolled.layers.attention.positions import Learned, Sinusoidal, slopes
from unrolled.layers.config import ModelConfig
from unrolled.layers.graph import Value, zeroed
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import check_lengths, zero_padding
from unrolled.layers.modules import run
from unrolled.layers.plain_torch import Plain
from unrolled.layers.recurrence.layer_session import LayerSession, layer_session, reads_the_future
from unrolled.state import leaves, planted

__all__ = ["Transformer", "TransformerState"]

Positions = Literal["rotary", "sinusoidal", "learned", "alibi", "none"]
_POSITIONS = ("rotary", "sinusoidal", "learned", "alibi", "none")


class TransformerState(NamedTuple):
    """``layers``: each block's keys and values so far; ``memory``: each block's projected memory, () without one."""

    layers: tuple[KVCache, ...]
    memory: tuple[Memory, ...]


class Transformer(nn.Module, Layer):
    """A stack of attention blocks that runs over whole rows, in chunks, or step by step with a key–value cache.

    ::

        x⁰_t = W_i x_t (+ P[t])                                     W_i only where I ≠ H
        xᵏ = blockᵏ(xᵏ⁻¹)                                           `TransformerBlock`: attention and feed-forward
        y_t = norm(xᴷ_t)                                            the last norm only with pre-norm

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.
        num_layers: K ≥ 1 blocks.
        heads: a divisor of H; ``None``: as many heads as possible of at least 32 units each.
        kv_heads: a divisor of heads; ``None``: the number of heads.
        attention_window: how many steps back a step sees in each block, ≥ 1, so that streaming needs constant memory
            and time; ``None``: all.
        positions: ``rotary``, ``sinusoidal``, ``learned`` (rows of at most 4,096 steps), ``alibi`` or ``none``.
        causal: no step sees a later one. Otherwise the layer is an encoder, which cannot stream.
        dropout: dropout rate of the output of each part of a block, 0 ≤ p < 1.
        norm: ``rms`` or ``layer``.
        norm_first: pre-norm; otherwise post-norm.
        feedforward: ``swiglu`` or ``gelu``.
        memory_size: M, the width of a memory that every block attends to, such as an encoder's outputs; ``None``: no
            memory.

    Shape:
        x (B, T, I) -> y (B, T, H), 0 beyond each row's length; lengths (B,) integers, 0 … T. memory (B, S, M) is given
        once, to `initial_state` or with the first steps; then the state carries it.

    Raises:
        UsageError: heads that do not divide, an unknown name, a number out of range; a state or a single step without
            ``causal``; a memory that is missing, or given twice.
        ShapeError: x, lengths, the memory or the state does not fit.

    Cost:
        about 12H² multiply-adds per row, step and block, and 2H for each visible step; 2H numbers of state for each
        remembered step and block (fewer with ``kv_heads``).

    References:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; the default blocks: Touvron et al. 2023,
        https://arxiv.org/abs/2302.13971

    Example:
        >>> import torch
        >>> layer, x = Transformer(3, 8, num_layers=2, heads=2), torch.randn(2, 5, 3)
        >>> whole, _ = layer(x)
        >>> first, state = layer(x[:, :4])
        >>> fifth, state = layer.step(x[:, 4], state)
        >>> torch.allclose(whole[:, 4], fifth, atol=1e-5)
        True
    """

    bidirectional = False

    class Options(Part):
        """The options of the transformer."""

        heads: int | None = option(
            None,
            "Attention heads, a divisor of the hidden size. Default: heads of at least 32 units.",
            ge=1,
            le=65_536,
            also=("num_heads", "n_heads", "nhead", "n_head", "num_attention_heads"),
        )
        kv_heads: int | None = option(
            None,
            "Heads of keys and values, a divisor of the attention heads. Default: the number of attention heads.",
            ge=1,
            le=65_536,
            also=("num_key_value_heads", "num_kv_heads", "n_kv_heads", "num_query_groups"),
        )
        attention_window: int | None = option(
            None,
            "Attention window in steps. Default: unlimited.",
            ge=1,
            le=65_536,
            also=("sight", "sliding_window", "window_size", "local_attention", "attention_span"),
        )
        positions: Literal["rotary", "sinusoidal", "learned", "alibi", "none"] | None = option(
            None,
            "Positional encoding. Default: rotary; sinusoidal in an encoder–decoder.",
            also=("position_embedding_type", "positional_encoding", "pos_encoding", "pe"),
        )

    takes_memory = True
    regroups = True
    embedding_gain = 10.0  # embeddings start with a standard deviation of 0.1, the outputs of blocks with about 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        heads: int | None = None,
        kv_heads: int | None = None,
        attention_window: int | None = None,
        positions: Positions = "rotary",
        causal: bool = True,
        dropout: float = 0.0,
        norm: Literal["rms", "layer"] = "rms",
        norm_first: bool = True,
        feedforward: Literal["gelu", "swiglu"] = "swiglu",
        memory_size: int | None = None,
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("num_layers", num_layers)):
            if size < 1:
                raise UsageError(f"{name} must be at least 1, got {size}")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout must be at least 0 and below 1, got {dropout}")
        if positions not in _POSITIONS:
            raise UsageError(f"unknown positions {positions!r}.{did_you_mean(positions, _POSITIONS)}")
        self.input_size, self.output_size, self.causal, self.memory_size = input_size, hidden_size, causal, memory_size
        self._kinds = {"positions": positions, "norm": norm, "norm_first": norm_first, "feedforward": feedforward}
        inside = positions if positions in ("rotary", "alibi") else "none"
        blocks = []
        for _ in range(num_layers):
            own = SelfAttention(
                hidden_size, heads, kv_heads, causal=causal, attention_window=attention_window, positions=inside
            )
            cross = None if memory_size is None else CrossAttention(hidden_size, memory_size, heads, kv_heads)
            blocks.append(
                TransformerBlock(own, cross, hidden_size, dropout, norm, norm_first, feedforward, depth=num_layers)
            )
        self.blocks: Sequence[TransformerBlock] = cast(Any, nn.ModuleList(blocks))
        self.into = nn.Identity() if input_size == hidden_size else nn.Linear(input_size, hidden_size)
        if isinstance(self.into, nn.Linear):
            nn.init.normal_(self.into.weight, std=input_size**-0.5)
            nn.init.zeros_(self.into.bias)
        added = {"sinusoidal": Sinusoidal, "learned": Learned}
        self.positions = added[positions](hidden_size) if positions in added else None
        self.most_steps = self.positions.longest if isinstance(self.positions, Learned) else None
        self.keeps_every_step = causal and attention_window is None
        self.boxes = ("transformer",) * num_layers
        self.norm = make_norm(norm, hidden_size) if norm_first else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    @classmethod
    def build(cls, config: ModelConfig, input_size: int, memory_size: int | None = None) -> Self:
        """The layer that ``config`` describes: causal, unless its name begins with ``bi``."""
        own = config.of("layer", config.name)
        return cls(
            input_size,
            config.hidden,
            config.layers,
            own.heads,
            own.kv_heads,
            own.attention_window,
            own.positions or ("sinusoidal" if config.paired else "rotary"),
            causal=not config.name.startswith("bi"),
            dropout=config.dropout,
            memory_size=memory_size,
        )

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: TransformerState | None = None,
        memory: Tensor | None = None,
        memory_lengths: Tensor | None = None,
    ) -> tuple[Tensor, TransformerState]:
        """Run over whole rows, or over the next chunk of each.

        Args:
            x: (B, T, I).
            lengths: (B,) of x.
            state: the state after the previous chunk; it carries the memory.
            memory: (B, S, M); only without a state.
            memory_lengths: (B,) of the memory.
        """
        check_input(x, "(B, T, I)", self.input_size, self._like, "Transformer")
        return self._run(x, lengths, self._begin(x, state, memory, memory_lengths))

    def step(self, x: Tensor, state: TransformerState) -> tuple[Tensor, TransformerState]:
        """One step: ``x`` (B, I) and the state before -> ``y`` (B, H) and the state after."""
        if not self.causal:
            raise reads_the_future("a transformer that is not causal")
        check_input(x, "(B, I)", self.input_size, self._like, "Transformer")
        y, after = self._run(x.unsqueeze(1), None, self._begin(x, state, None, None))
        return y.squeeze(1), after

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        first = self.blocks[0].own
        values = {
            "input_size": self.input_size,
            "hidden_size": self.output_size,
            "num_layers": len(self.blocks),
            "heads": first.heads,
            "kv_heads": first.kv_heads,
            "attention_window": first.attention_window,
            "causal": self.causal,
            "dropout": self.dropout.p,
            "memory_size": self.memory_size,
        }
        return arguments(self, {**values, **self._kinds})

    def session(self, batch: int | None = None) -> LayerSession:
        """A live session of the layer for one row, or for ``batch`` rows; it keeps the state."""
        if not self.causal:
            raise reads_the_future("a transformer that is not causal")
        return layer_session(self, batch, self._like, self.step, self.initial_state)

    def begin(self, memory: Tensor, lengths: Tensor | None = None) -> TransformerState:
        """The state before the first step of rows that attend to ``memory`` (B, S, M)."""
        return self.initial_state(len(memory), memory, memory, lengths)

    def initial_state(
        self, batch: int, like: Tensor, memory: Tensor | None = None, memory_lengths: Tensor | None = None
    ) -> TransformerState:
        """The state of ``batch`` rows before their first step, with the dtype and device of ``like`` and a memory."""
        if (memory is None) != (self.memory_size is None):
            needs = "attends to a memory: give memory" if memory is None else "has no memory_size: leave memory out"
            raise UsageError(f"this transformer {needs}")
        own = tuple(block.own.initial_state(batch, like) for block in self.blocks) if self.causal else ()
        if memory is None:
            return TransformerState(own, ())
        if len(memory) != batch:
            raise ShapeError(f"Transformer: the memory has {len(memory)} rows, expected {batch}")
        return TransformerState(own, tuple(cross.project(memory, memory_lengths) for cross in self._crosses))

    def gathered_apart(self) -> Sequence[TransformerBlock]:
        """The blocks, unless they project a memory before they are called."""
        return self.blocks if self.memory_size is None else ()

    def graph_of_beginning(self, memory: Value, lengths: Value) -> Any:
        """`begin` as operators."""
        first = tuple(block.own.initial_state(1, self._like) for block in self.blocks)
        parts = [memory.graph.constant(one).expand(memory.size(0), *one.shape[1:]) for one in leaves(first, first)]
        return TransformerState(planted(first, parts), tuple(projected(one, memory, lengths) for one in self._crosses))

    def graph(self, x: Value, lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Layer`."""
        layers, held = ((), ()) if state is None else state
        seen = sight(self.blocks[0].own, x, lengths, layers[0] if layers else None)
        x = run(self.into, x)
        if self.positions is not None:
            x = positioned(self.positions, x, seen.positions)
        after = []
        for k, block in enumerate(self.blocks):
            x, cache = block_over(block, x, seen, layers[k] if layers else None, held[k] if held else None)
            after += [] if cache is None else [cache]
        return zeroed(run(self.norm, x), lengths), TransformerState(tuple(after), held)

    def plain(self) -> Plain:
        """See `Layer`."""
        own, feedforward = self.blocks[0].own, self.blocks[0].feedforward
        settings = {"inputs": self.input_size, "hidden": self.output_size, "blocks": len(self.blocks)}
        settings |= {"heads": own.heads, "kv_heads": own.kv_heads, "inner": feedforward.out.in_features}
        others = {"causal": self.causal, "window": own.attention_window, "gated": feedforward.gated, **self._kinds}
        given = {"longest": self.most_steps, "slopes": slopes(own.heads)}
        return Plain("transformer", {**settings, **others, **given}, self.state_dict())

    @property
    def _like(self) -> Tensor:
        return self.blocks[0].own.out.weight

    @property
    def _crosses(self) -> list[CrossAttention]:
        return [block.cross for block in self.blocks if block.cross is not None]

    def _begin(
        self, x: Tensor, state: TransformerState | None, memory: Tensor | None, memory_lengths: Tensor | None
    ) -> TransformerState:
        """The checked state before ``x``."""
        if state is None:
            return self.initial_state(x.shape[0], x, memory, memory_lengths)
        if not self.causal:
            raise reads_the_future("a transformer that is not causal")
        if memory is not None:
            raise UsageError("the state already carries the memory: give memory only with the first steps")
        crosses, found = self._crosses, type(state).__name__
        if isinstance(state, TransformerState):
            found = f"of {len(state.layers)} blocks and {len(state.memory)} memories"
        if found != (expected := f"of {len(self.blocks)} blocks and {len(crosses)} memories"):
            raise ShapeError(f"Transformer: state is {found}, expected one {expected}")
        for k, (block, cache) in enumerate(zip(self.blocks, state.layers, strict=True)):
            block.own.check(cache, x, f"Transformer: block {k}")
        for k, (cross, of) in enumerate(zip(crosses, state.memory, strict=True)):
            check_memory(of, (len(x), cross.kv_heads, cross.head_width), x, f"Transformer: block {k}")
        return state

    def _run(self, x: Tensor, lengths: Tensor | None, state: TransformerState) -> tuple[Tensor, TransformerState]:
        lengths = check_lengths(lengths, x, "Transformer")
        x = self.into(zero_padding(x, lengths))  # (B, T, H)
        first = self.blocks[0].own
        begun = bool(state.layers) and state.layers[0].keys.shape[1] > 0
        view = first.view(x, lengths, state.layers[0].steps if begun else None)
        if self.positions is not None:
            x = self.positions(x, view.past.positions, lengths)
        x, by = self.dropout(x), first.turns(view)
        seen = seen_memory(state.memory[0]) if state.memory else None
        after: list[KVCache] = []
        for k, block in enumerate(self.blocks):
            before = state.layers[k] if state.layers else None
            x, cache = block(x, view, by, before, state.memory[k] if state.memory else None, seen)
            after += [] if cache is None else [cache]
        return zero_padding(self.norm(x), lengths), TransformerState(tuple(after), state.memory)


MEMBER = Transformer
