"""The network: embed each input column, run one layer over time, answer with a linear head.

Axes: B rows, T steps, I width of the embedded input, D of the side sequences' vectors, H hidden, O outputs.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from unrolled.batch import Batch, Spec
from unrolled.config import Part, option
from unrolled.errors import UsageError, named
from unrolled.layers.config import ModelConfig
from unrolled.layers.crf import CRF
from unrolled.layers.embed import Embedding
from unrolled.layers.factory import build_layer, embedding_gain
from unrolled.layers.graph import Value, concat, zeroed
from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.item_logits import LazyLogits
from unrolled.layers.layer import Layer
from unrolled.layers.pooling import Pooling
from unrolled.layers.recurrence.live_steps import PackedSteps
from unrolled.layers.sampled_softmax import CandidateSampler
from unrolled.layers.tied import TiedHead, checked_table
from unrolled.models._session import NetworkState, PackedSession, PlainSession, packed_steps
from unrolled.models._sides import Sides, apart, read_embeddings
from unrolled.models._sketch import Sketch, stack_of
from unrolled.models.model import Column, LiveModel, Model, Named
from unrolled.models.slots import LivePool, PackedPool, pool_of_steps
from unrolled.program.instructions import Vector
from unrolled.program.program import Program
from unrolled.state import State

__all__ = ["Network", "NetworkState"]


@runtime_checkable
class _Last(Protocol):
    """A layer that can compute only each row's last output, at a lower cost than all of them."""

    def last(self, x: Tensor, lengths: Tensor, state: State) -> tuple[Tensor, State]: ...


class Network(Model):
    """One layer between embeddings and a linear head; it runs over a padded batch, in chunks, and step by step.

    Equations:
        x_t = [embed_1(u_t); …; embed_n(u_t)],    h_t, s_t = layer(x_t, s_{t-1}),
        o_t = W h_t + b, or, with one answer for each row, o = W pool(h_1 … h_t) + b.

    Each side sequence is read by its own layer, to one vector (see `Sides`). The vectors s of a row are read at every
    step, [x_t; s], so that steps and side sequences can be combined. With one answer per row the head reads them too,
    o = W [pool(h_1 … h_t); s] + b, so that a title can decide by itself, even where the body is long, or empty.

    Args:
        specs: input column -> its spec. A column without a time axis is repeated at every step.
        config: the layer's name and sizes.
        outputs: O ≥ 1, how many numbers the task needs for one answer.
        pooled: True for one answer per row, False for one per step.
        crf: the head is a `CRF`, and the outputs are a step's potentials.
        chosen: the input column whose symbols the network chooses from, which may be very many: `run` then returns
            `LazyLogits`. If ``tied``, their embeddings, as wide as the layer's outputs, are the head's weights.

    Shape:
        inputs: per column (B, T) int64 or (B, T, W) float32; without time (B,) or (B, W); side sequences as in `Batch`.
        lengths: (B,) int64 in [0, T].
        outputs: (B, T, O) float32, 0 beyond each row's length; pooled (B, O).

    Raises:
        UsageError: the model's name is unknown, a layer that is not causal is asked for a step, or the embedding does
            not fit a tied head.
        ShapeError: a column is missing or does not fit the others, ids are out of range, or a state has another batch
            size.

    Cost:
        that of the layer, and B·T·H·O multiply-adds for the head (B·H·O pooled).

    References:
        Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks",
        https://karpathy.github.io/2015/05/21/rnn-effectiveness/

    Example:
        >>> from unrolled.batch import Discrete
        >>> network = Network({"text": Discrete(65)}, ModelConfig(name="gru", hidden=8), outputs=65, pooled=False)
        >>> ids = torch.zeros(2, 5, dtype=torch.int64)
        >>> outputs, state = network({"text": ids}, torch.tensor([5, 3]))
        >>> outputs.shape
        torch.Size([2, 5, 65])
    """

    class Options(Part):
        """The options of a network with one answer per row or per step."""

        pool: Literal["last", "mean", "max"] | None = option(
            None,
            "How the steps of a row become one answer. Default: max for classify and regress, last for forecast.",
            also=("pooling", "pooling_type", "aggregation", "readout"),
        )
        tied: bool = option(
            False,
            "Use the item embeddings as the output weights.",
            also=("tie_weights", "tie_word_embeddings", "tie_embeddings", "weight_tying"),
        )

    columns: InputEmbedding
    layer: Layer
    writes = False
    longest_written = None

    def __init__(
        self,
        specs: dict[str, Spec],
        config: ModelConfig,
        outputs: int,
        pooled: bool,
        crf: bool = False,
        chosen: str | None = None,
        pool: Literal["last", "max"] = "last",
    ) -> None:
        super().__init__()
        self.title = config.name
        own: Network.Options = config.of("model", "network")
        if own.pool is not None and not pooled:
            raise UsageError(f"{named('pool')} only works with one answer per row; this task has one per step")
        if own.tied and chosen is None:
            raise UsageError(f"{named('tied')} only works if the target is the next item of a list")
        tied = own.tied
        width = config.hidden if tied and config.embedding is None else config.embedding
        main, sides = apart(specs)
        self.columns = InputEmbedding(main, width, embedding_gain(config.name))
        self.sides = Sides(sides, config, own.pool or "max") if sides else None
        beside = 0 if self.sides is None else self.sides.output_size
        self.layer = build_layer(config, self.columns.output_size + beside)
        self.longest_read = self.layer.most_steps
        self.pooling = Pooling(own.pool or pool, bidirectional=self.layer.bidirectional) if pooled else None
        self.dropout = nn.Dropout(config.dropout)
        self.chosen = chosen
        self.sampler: CandidateSampler | None = None
        self.head: nn.Linear | CRF | TiedHead
        if chosen is not None and tied:
            self.head = TiedHead(checked_table(self.columns.embedding_of(chosen), self.layer.output_size).size)
        else:
            self.head = (CRF if crf else nn.Linear)(self.layer.output_size + (beside if pooled else 0), outputs)

    def extra_repr(self) -> str:
        """The layer's name and the number of outputs."""
        return f"{self.title}, outputs={len(self.head.bias)}"

    @property
    def causal(self) -> bool:
        """True if no output depends on a later input, so that the network can run live."""
        return bool(self.layer.causal) and self.columns.causal

    @property
    def cannot_stream(self) -> str | None:
        """Why the network cannot answer step by step; ``None`` if it can."""
        if not self.layer.causal:
            return (
                "this model reads every sequence in both directions, so it cannot stream: "
                "train one whose name does not begin with 'bi'"
            )
        if not self.columns.causal:
            return "this model's pretrained encoder reads each text as a whole, so it cannot stream: use predict"
        if isinstance(self.head, CRF):
            return (
                "a CRF chooses the labels of a sequence only at its end, so this model cannot stream: "
                f"train it without {named('crf')}"
            )
        return None

    @property
    def head_weight(self) -> Tensor:
        """W; for a tied head, the weights of the embedding."""
        if not isinstance(self.head, TiedHead):
            return self.head.weight
        assert self.chosen is not None
        symbols = self.columns.embedding_of(self.chosen)
        assert isinstance(symbols, Embedding)
        return symbols.weight

    def initial_state(self, batch: int) -> NetworkState:
        """The state before the first step of ``batch`` rows."""
        like = self.head.bias
        pool = self.pooling.initial(batch, like.new_zeros(batch, self.layer.output_size)) if self.pooling else None
        sides = like.new_zeros(batch, self.sides.output_size) if self.sides else None
        return NetworkState(self.layer.initial_state(batch, like), pool, sides)

    def forward(
        self, inputs: dict[str, Tensor], lengths: Tensor, state: NetworkState | None = None
    ) -> tuple[Tensor, NetworkState]:
        """Run a padded batch from ``state`` (default: the initial one); return outputs and the state after each row."""
        y, real, after = self._hidden(inputs, lengths, state)
        outputs = self._answer(y)  # (B, T, O) or (B, O)
        if self.pooling is None and real is not None:
            outputs = torch.where(real[..., None], outputs, 0.0)
        return outputs, after

    def _hidden(
        self, inputs: dict[str, Tensor], lengths: Tensor, state: NetworkState | None
    ) -> tuple[Tensor, Tensor | None, NetworkState]:
        """The head's input (B, T, H), or pooled (B, H); True at real steps, or ``None`` if all are; the state after."""
        x, real = self.columns(inputs, lengths)  # (B, T, I)
        if state is None:
            state = self.initial_state(len(lengths)) if self.layer.causal else NetworkState(None, None)
        sides = self._sides(inputs, state)  # (B, D)
        if sides is not None:
            x = torch.cat([x, sides[:, None].expand(-1, x.shape[1], -1)], 2)  # (B, T, I + D)
        x = self.dropout(x)
        pool = None
        if self.pooling is not None and self.pooling.kind == "last" and isinstance(self.layer, _Last):
            y, layer = self.layer.last(x, lengths, state.layer)  # (B, H)
            y, pool = self.pooling(y[:, None], lengths.clamp(max=1), state.pool)
            pool = pool._replace(steps=state.pool.steps + lengths)
        else:
            y, layer = self.layer(x, lengths, state.layer)  # (B, T, H)
            if self.pooling is not None:
                y, pool = self.pooling(y, lengths, state.pool)  # (B, H)
        return self.dropout(self._decided_by(y, sides)), real, NetworkState(layer, pool, sides)

    def _sides(self, inputs: dict[str, Tensor], state: NetworkState) -> Tensor | None:
        """(B, D): the vectors of the side sequences; those of ``state`` where ``inputs`` hold none, as in a stream."""
        return self.sides(inputs) if self.sides is not None and self.sides.given(inputs) else state.sides

    def _decided_by(self, y: Tensor, sides: Tensor | None) -> Tensor:
        """What the head reads: with one answer per row (B, H + D), else ``y``."""
        return y if sides is None or self.pooling is None else torch.cat([y, sides], 1)

    def run(self, batch: Batch, state: NetworkState | None = None) -> tuple[Tensor | LazyLogits, NetworkState]:
        """`forward` on a batch from the loader; with ``chosen``, return `LazyLogits` instead of the scores."""
        if self.chosen is None:
            outputs: tuple[Tensor, NetworkState] = self(batch.inputs, batch.lengths, state)
            return outputs
        assert not isinstance(self.head, CRF)
        y, _, after = self._hidden(batch.inputs, batch.lengths, state)
        logits = LazyLogits(y, self.head_weight, self.head.bias, self.sampler if self.training else None)
        return logits if torch.is_grad_enabled() else logits.detach(), after  # scores may be computed outside no_grad

    def step(self, inputs: dict[str, Tensor], state: NetworkState) -> tuple[Tensor, NetworkState]:
        """One step of each row: per column (B,) int64 or (B, W) float32, to (B, O).

        Side sequences are given whole with the first step, and then kept in the state.
        """
        x, sides = self.columns.step(inputs), self._sides(inputs, state)
        x = x if sides is None else torch.cat([x, sides], 1)
        y, layer = self.layer.step(self.dropout(x), state.layer)  # (B, H)
        pool = None
        if self.pooling is not None:
            y, pool = self.pooling.step(y, state.pool)
        return self._answer(self.dropout(self._decided_by(y, sides))), NetworkState(layer, pool, sides)

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`."""
        x = self.columns.graph(inputs, lengths)
        layer, pool, beside = (None, None, None) if state is None else state
        sides = None if self.sides is None else self.sides.graph(inputs, beside)
        if sides is not None:
            x = zeroed(concat([x, sides.unsqueeze(1).expand(1, x.size(1), 1)], 2), lengths)
        y, layer = self.layer.graph(x, lengths, layer)
        if self.pooling is not None:
            y, pool = self.pooling.graph(y, lengths, pool)
            y = y if sides is None else concat([y, sides], 1)
        if isinstance(self.head, nn.Linear):
            outputs = y.graph.linear(y, self.head.weight, self.head.bias)
        else:
            outputs = self.head.graph(y) if isinstance(self.head, CRF) else self.head.graph(y, self.head_weight)
        outputs = zeroed(outputs, lengths) if self.pooling is None else outputs
        return outputs, NetworkState(layer, pool, cast(Any, sides))

    def _answer(self, y: Tensor) -> Tensor:
        return self.head(y, self.head_weight) if isinstance(self.head, TiedHead) else self.head(y)

    def session(self, rows: int = 1) -> LiveModel:
        """A live session: ``push`` takes one step of each row, and the session keeps the state."""
        if self.cannot_stream is not None:
            raise UsageError(self.cannot_stream)
        steps = self._packed(state := self.initial_state(rows), rows)
        return PlainSession(self.step, state) if steps is None else PackedSession(self.columns, steps, state.pool)

    def pool(self) -> LivePool:
        """Live rows of the model, stepped together."""
        if self.cannot_stream is not None:
            raise UsageError(self.cannot_stream)
        steps = self._packed(state := self.initial_state(1), 1)
        return pool_of_steps(self.step, state) if steps is None else PackedPool(self.columns, steps, bool(self.pooling))

    def _packed(self, state: NetworkState, rows: int) -> PackedSteps | None:
        # The packed steps neither pool nor apply dropout, and read no side sequences.
        if (self.pooling is not None and self.pooling.kind != "last") or self.sides is not None or self.training:
            return None
        return packed_steps(self, self.layer, state.layer, rows, (self.head_weight, self.head.bias))

    def write_step(self, program: Program) -> Vector:
        """Write a step of the columns, the layer, the pooling and the head."""
        if self.sides is not None:
            sides = ", ".join(self.sides.names)
            raise UsageError(
                f"this model reads {sides} as a whole, so it has no plain step: it cannot be exported to C"
            )
        y = self.layer.write_step(program, self.columns.write_step(program))
        if self.pooling is not None:
            y = self.pooling.write_step(program, y)
        return program.linear("head", self.head_weight, self.head.bias, y)

    def embeddings(self) -> dict[Column, Named]:
        """The embedding of each discrete column."""
        return read_embeddings(self.columns, self.sides)

    def trunk(self) -> dict[str, Tensor]:
        """All weights except the head's."""
        return {name: part for name, part in self.state_dict().items() if not name.startswith("head.")}

    def begin_step(self, progress: float, seed: int) -> None:
        """Draw the items of a sampled softmax by the seed, so that all parts of a batch are compared with the same."""
        if self.sampler is not None:
            self.sampler.reseed(seed)

    def sparse_weights(self) -> list[nn.Parameter]:
        """With a sampled softmax, those of the head and of the items' embedding."""
        tables = [one.weight for one in self.columns.modules() if isinstance(one, Embedding) and one.sparse]
        own = isinstance(self.head, nn.Linear) and self.sampler is not None
        return [self.head.weight, *tables] if own else tables  # type: ignore[list-item]

    def initialise(self, prior: Tensor | None, longest: int, candidates: int) -> None:
        """Start the bias at the training frequencies; with ``candidates``, train with a sampled softmax."""
        if prior is None:
            return
        self.head.bias.data.copy_(prior)
        if self.chosen is not None and candidates:
            self.sampler = CandidateSampler(prior.exp(), candidates)
            symbols = self.columns.embedding_of(self.chosen)
            if isinstance(symbols, Embedding):
                symbols.sparse = True

    def silence(self) -> None:
        """Set the weights and the bias of the head to 0."""
        if isinstance(self.head, TiedHead):
            raise UsageError(f"{named('start')} does not work with {named('tied')}: the head has no weights of its own")
        for weights in self.head.parameters():
            weights.data.zero_()

    def sketch(self) -> Sketch:
        """The layer, and how the steps are pooled."""
        pool = None if self.pooling is None else self.pooling.kind
        return Sketch(stack_of(self.layer), self.columns.timed, pool, sides=self.sides.names if self.sides else ())


MEMBER = Network
