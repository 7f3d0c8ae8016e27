"""Encoder–decoder: one sequence is read whole, then another is written step by step.

Axes: B rows, S steps read, U steps written, N written steps of all rows, I inputs, M width of the encoder's outputs,
V symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from unrolled.batch import Batch, Spec
from unrolled.config import Part, option
from unrolled.errors import ShapeError, UsageError, named
from unrolled.layers.config import ModelConfig
from unrolled.layers.embed import Embedding
from unrolled.layers.factory import build_layer, embedding_gain, model_names
from unrolled.layers.graph import Value, concat, zeroed
from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import real_steps, zero_padding
from unrolled.layers.modules import run
from unrolled.layers.pooling import Pooling
from unrolled.layers.tied import TiedHead
from unrolled.models._decoder import build_decoder
from unrolled.models._sides import Sides, apart, read_embeddings
from unrolled.models._sketch import Sketch, stack_of
from unrolled.models.model import Column, LiveModel, Model, Named
from unrolled.models.slots import LivePool
from unrolled.state import State

__all__ = ["EncoderDecoder", "SearchStart", "WriterState", "Written", "parts_of"]

_WIDEST = 256  # default embedding size, at most; wider than elsewhere, as the output scores have this width too


class WriterState(NamedTuple):
    """The state of writing: the decoder's own state, and ``summary`` (B, M), the source pooled into one vector."""

    decoder: State
    summary: Tensor


@dataclass(frozen=True, slots=True)
class SearchStart:
    """The start of a search for the answers of a batch that has been read.

    Attributes:
        step: writes: the last symbol of each row and the state -> the scores of the next one, and the state after.
        state: the state before the first symbol; a step with ``<begin>`` gives the scores of that symbol.
        longest: the most symbols that an answer had in training.
    """

    step: Callable[[Tensor, Any], tuple[Tensor, Any]]
    state: State
    longest: int


@dataclass(frozen=True, slots=True)
class Written:
    """The output of a model that writes, for one batch.

    Attributes:
        logits: (N, V), row by row, the scores of each real symbol of the target except the first, ``<begin>``;
            ``None`` if the batch has no target.
        start: the start of a search for answers.
    """

    logits: Tensor | None
    start: SearchStart

    def float(self) -> Written:
        """The scores as float32."""
        return self if self.logits is None else replace(self, logits=self.logits.float())


def parts_of(config: ModelConfig) -> tuple[ModelConfig, ...]:
    """The configurations of the encoder (default: ``name`` in both directions) and of the decoder (``name`` in one).

    Example:
        >>> encoder, decoder = parts_of(ModelConfig(name="gru"))
        >>> encoder.name, decoder.name
        ('bigru', 'gru')
    """
    plain = config.name.removeprefix("bi") if config.name in model_names() else config.name
    both = f"bi{plain}" if f"bi{plain}" in model_names() else plain
    own: EncoderDecoder.Options = config.of("model", "encoder_decoder")
    reads, writes = own.encoder or both, own.decoder or plain
    return tuple(config.model_copy(update={"name": name, "paired": True}) for name in (reads, writes))


class EncoderDecoder(Model):
    """Any encoder with any decoder: from a sequence, or from a single step, to a sequence of any length.

    Equations:
        m_1 … m_S = encoder(x_1 … x_S),    z = pool(m),
        y_u, s_u = decoder([E w_{u-1}; z], s_{u-1} ; m),    o_u = W tanh(C y_u + c) + b, the scores of w_u.

    Without attention z is all that the decoder knows of x: the bottleneck of one fixed vector. A source without steps
    has z = 0 and an empty memory.

    Args:
        specs: input column -> its spec. If no column has a time axis, the source is a single step.
        config: names and sizes (see `parts_of`); with the option ``tied`` W is E.
        outputs: V ≥ 1, the symbols that can be written.
        target: the name of the column that is written.

    Shape:
        inputs, lengths: see `InputEmbedding`; target (B, U) int64; the scores (N, V) float32.

    Raises:
        UsageError: an unknown name, or a decoder that reads in both directions.
        ShapeError: a column, the target or a state does not fit.

    Cost:
        that of encoder and decoder, and N·V·E multiply-adds for the scores, of real steps only.

    References:
        Sutskever, Vinyals and Le 2014, https://arxiv.org/abs/1409.3215; Cho et al. 2014,
        https://arxiv.org/abs/1406.1078; attention: Bahdanau, Cho and Bengio 2015, https://arxiv.org/abs/1409.0473

    Example:
        >>> from unrolled.batch import Discrete
        >>> model = EncoderDecoder({"english": Discrete(9)}, ModelConfig(name="gru", hidden=8), outputs=7)
        >>> state = model.read({"english": torch.tensor([[3, 4, 5]])}, torch.tensor([3]))
        >>> logits, state = model.step(torch.tensor([1]), state)
        >>> logits.shape
        torch.Size([1, 7])
    """

    class Options(Part):
        """The options of models that read one sequence and write another."""

        encoder: str | None = option(
            None, "Layer of the encoder. Default: the model's layer in both directions.", also=("encoder_model",)
        )
        decoder: str | None = option(None, "Layer of the decoder. Default: the model's layer.", also=("decoder_model",))
        attention: Literal["additive", "dot", "scaled_dot", "cosine", "none"] = option(
            "scaled_dot",
            "How the decoder scores the encoder's steps; none: no attention.",
            also=("attention_type", "attn", "score_function", "global_attention"),
        )
        coverage: bool = option(
            False, "Let attention see how much each step has been attended to.", also=("coverage_attn", "use_coverage")
        )
        pool: Literal["last", "mean", "max"] | None = option(
            None,
            "How the steps of a row become one answer. Default: max for classify and regress, last for forecast.",
            also=("pooling", "pooling_type", "aggregation", "readout"),
        )
        tied: bool = option(
            False,
            "Use the embeddings of the written tokens as the output weights.",
            also=("tie_weights", "tie_word_embeddings", "tie_embeddings", "weight_tying"),
        )
        scheduled_sampling: float = option(
            0.0,
            "Share of steps that read the decoder's own token instead of the right one, at the end of training.",
            ge=0,
            le=1,
            also=("teacher_forcing_ratio", "teacher_forcing", "sampling_probability"),
        )

    columns: InputEmbedding
    layer: Layer
    causal = False
    writes = True
    cannot_stream = "this model reads each sequence whole before it writes its answer, so it cannot stream: use predict"
    longest: Tensor

    def __init__(self, specs: Mapping[str, Spec], config: ModelConfig, outputs: int, target: str = "target") -> None:
        super().__init__()
        reads, writes = parts_of(config)
        own: EncoderDecoder.Options = config.of("model", "encoder_decoder")
        attention = "without attention" if own.attention == "none" else "with attention"
        self.target, self.attention = target, own.attention
        self.title = f"{reads.name} and {writes.name} {attention}"
        main, sides = apart(specs)
        self.columns = InputEmbedding(main, config.embedding, embedding_gain(reads.name))
        self.sides = Sides(sides, reads, own.pool or "max") if sides else None
        beside = 0 if self.sides is None else self.sides.output_size
        self.layer = build_layer(reads, self.columns.output_size + beside)
        memory = self.layer.output_size
        # The last step of a recurrent layer has seen the whole row; in bidirectional attention every step has.
        kind = "mean" if not (self.layer.causal or self.layer.bidirectional) else "last"
        self.pooling = Pooling(own.pool or kind, bidirectional=self.layer.bidirectional)  # type: ignore[arg-type]
        width = config.embedding or min(outputs, _WIDEST)
        self.symbols = Embedding(outputs, width, embedding_gain(writes.name))
        self.decoder = build_decoder(writes, width + memory, memory, own.attention, own.coverage)
        self.dropout = nn.Dropout(config.dropout)
        self.narrow = nn.Linear(self.decoder.output_size, width)
        self.longest_read, self.longest_written = self.layer.most_steps, self.decoder.most_steps
        self.head = TiedHead(outputs) if own.tied else nn.Linear(width, outputs)
        self.own_share = 0.0  # the share of scheduled sampling at this step of training
        self.scheduled_sampling = own.scheduled_sampling
        self.register_buffer("longest", torch.zeros((), dtype=torch.int64))

    def extra_repr(self) -> str:
        """The names of both layers, and the number of symbols."""
        return f"{self.title}, outputs={len(self.head.bias)}"

    def initial_state(self, batch: int) -> None:
        """``None``: no state is carried from batch to batch."""

    def session(self, rows: int = 1) -> LiveModel:
        """Always raise a `UsageError`: an encoder–decoder cannot stream."""
        raise UsageError(self.cannot_stream)

    def pool(self) -> LivePool:
        """Always raise a `UsageError`: an encoder–decoder cannot stream."""
        raise UsageError(self.cannot_stream)

    def embeddings(self) -> dict[Column, Named]:
        """The embedding of each discrete input column, and of the target column."""
        written: dict[Column, Named] = {("written", self.target): Named("symbols.weight", self.symbols)}
        return read_embeddings(self.columns, self.sides) | written

    def trunk(self) -> dict[str, Tensor]:
        """Empty: no weights of an encoder–decoder can start another kind of model."""
        return {}

    def begin_step(self, progress: float, seed: int) -> None:
        """Scheduled sampling: the share of the model's own symbols that it reads grows with ``progress``."""
        self.own_share = self.scheduled_sampling * progress

    def initialise(self, prior: Tensor | None, longest: int, candidates: int) -> None:
        """Start the bias at the training frequencies, and remember how long the longest answer was."""
        self.longest.fill_(longest)
        if prior is not None:
            self.head.bias.data.copy_(prior)

    def silence(self) -> None:
        """Refuse: a written answer is no sum."""
        raise UsageError(f"{named('start')} does not work with a task that writes sequences")

    def sketch(self) -> Sketch:
        """The layers of encoder and decoder."""
        writes, sides = self.decoder.sketch(), self.sides.names if self.sides else ()
        return Sketch(stack_of(self.layer), self.columns.timed, None, writes, self.attention, sides)

    def run(self, batch: Batch, state: None = None) -> tuple[Written, None]:
        """Run a batch from the loader; each row is a complete sequence, so no state is carried."""
        start = self.read(batch.inputs, batch.lengths)
        logits = None
        if batch.target is not None:
            assert batch.target_lengths is not None
            logits = self.score(batch.target, batch.target_lengths, start)
        return Written(logits, SearchStart(self.step, start, int(self.longest))), None

    def read(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> WriterState:
        """Read the source; return the state before the first symbol is written."""
        x, _ = self.columns(inputs, lengths)  # (B, S, I)
        if self.sides is not None:
            x = torch.cat([x, self.sides(inputs)[:, None].expand(-1, x.shape[1], -1)], 2)
        if not self.columns.timed:
            lengths = torch.ones_like(lengths)
        memory, _ = self.layer(self.dropout(x), lengths)  # (B, S, M)
        summary, _ = self.pooling(memory, lengths)  # (B, M)
        return WriterState(self.decoder.begin(self.dropout(memory), lengths), self.dropout(summary))

    def score(self, target: Tensor, lengths: Tensor, state: WriterState) -> Tensor:
        """(N, V): the scores of each symbol of ``target`` (B, U) except the first, given the symbols before it."""
        if target.dim() != 2 or target.shape[1] < 1 or len(target) != len(state.summary):
            raise ShapeError(f"EncoderDecoder: target is {tuple(target.shape)}, expected ({len(state.summary)}, U ≥ 1)")
        lengths = (lengths - 1).clamp(min=0)
        real = real_steps(lengths, target.shape[1] - 1)  # (B, U - 1)
        before = torch.where(real, target[:, :-1], 0)
        if self.training and self.own_share:
            before = self._sampled(before, lengths, real, state)
        return self._scores(self.dropout(self._hidden(before, lengths, state)[real]))  # (N, V)

    def step(self, symbols: Tensor, state: WriterState) -> tuple[Tensor, WriterState]:
        """The last written ``symbols`` (B,) int64 -> the scores (B, V) of the next ones, and the state after."""
        x = torch.cat([self.dropout(self.symbols(symbols)), state.summary], 1)
        y, decoder = self.decoder.step(x, state.decoder)
        return self._scores(self.dropout(torch.tanh(self.narrow(y)))), state._replace(decoder=decoder)

    def graph_of_reading(self, inputs: dict[str, Value], lengths: Value) -> WriterState:
        """`read` as operators."""
        x = self.columns.graph(inputs, lengths)
        if self.sides is not None:
            sides = self.sides.graph(inputs, None).unsqueeze(1).expand(1, x.size(1), 1)
            x = zeroed(concat([x, sides], 2), lengths)
        memory, _ = self.layer.graph(x, lengths, None)
        summary, _ = self.pooling.graph(memory, lengths, None)
        return WriterState(self.decoder.graph_of_beginning(memory, lengths), cast(Any, summary))

    def graph_of_writing(self, symbols: Value, state: WriterState) -> tuple[Value, Value | None, WriterState]:
        """`step` as operators, and the attention of the step."""
        x = concat([self.symbols.graph(symbols), cast(Value, state.summary)], 1)
        y, attention, decoder = self.decoder.graph(x.unsqueeze(1), state.decoder)
        hidden = run(self.narrow, y.squeeze(1)).apply("Tanh")
        if isinstance(self.head, TiedHead):
            scores = self.head.graph(hidden, self.symbols.weight)
        else:
            scores = run(self.head, hidden)
        return scores, attention, state._replace(decoder=decoder)

    def _scores(self, hidden: Tensor) -> Tensor:
        """``hidden`` (…, E) -> (…, V)."""
        return self.head(hidden, self.symbols.weight) if isinstance(self.head, TiedHead) else self.head(hidden)

    def _hidden(self, before: Tensor, lengths: Tensor, state: WriterState) -> Tensor:
        summary = state.summary.unsqueeze(1).expand(-1, before.shape[1], -1)
        x = torch.cat([self.dropout(self.symbols(before)), summary], 2)  # (B, U, I)
        y, _ = self.decoder(zero_padding(x, lengths), lengths, state.decoder)
        return torch.tanh(self.narrow(y))  # (B, U, E)

    def _sampled(self, before: Tensor, lengths: Tensor, real: Tensor, state: WriterState) -> Tensor:
        """``before`` with a share of its symbols replaced by the likeliest ones according to the model.

        The model predicts all steps at once from the right symbols: one extra pass instead of U of them.
        """
        with torch.no_grad():
            likeliest = torch.zeros_like(before)
            likeliest[real] = self._scores(self._hidden(before, lengths, state)[real]).argmax(-1)
        exchange = torch.rand(before.shape, device=before.device) < self.own_share
        exchange[:, 0] = False  # <begin> is given
        return torch.where(exchange & real, likeliest.roll(1, 1), before)


MEMBER = EncoderDecoder
