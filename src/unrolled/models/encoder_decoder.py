"""Encoder–decoder: one sequence is read whole, then another is written, step by step.

Axes: B rows, S steps read, U steps written, N of those of all rows, I inputs, M width of what was read, V symbols.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from unrolled.batch import Batch, Spec
from unrolled.config import Part, option
from unrolled.errors import ShapeError, UsageError
from unrolled.layers.build import build_layer, embedding_gain, model_names
from unrolled.layers.config import ModelConfig
from unrolled.layers.embed import Embedding
from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.lengths import real_steps, zero_padding
from unrolled.layers.pooling import Pooling
from unrolled.layers.tied import TiedHead
from unrolled.models._decoder import build_decoder
from unrolled.models._sketch import Sketch, stack_of
from unrolled.models.model import Column, LiveModel, Model, Named
from unrolled.state import State

__all__ = ["EncoderDecoder", "SearchStart", "WriterState", "Written", "parts_of"]

_WIDEST = 256  # of a vector where the user gives none: a written symbol's is also what it is chosen by


class WriterState(NamedTuple):
    """What writing goes on from: the decoder's own state, and ``summary`` (B, M), all that was read as one vector."""

    decoder: State
    summary: Tensor


@dataclass(frozen=True, slots=True)
class SearchStart:
    """Rows that were read and wait to be answered: what a search needs.

    Attributes:
        model: whose ``step`` writes.
        state: that before the first symbol, which is asked for by stepping with ``<begin>``.
        longest: the most symbols of an answer in training.
    """

    model: EncoderDecoder
    state: WriterState
    longest: int


@dataclass(frozen=True, slots=True)
class Written:
    """What an encoder–decoder makes of a batch.

    Attributes:
        logits: (N, V), row by row, the scores of each real symbol of the target but the first, ``<begin>``; ``None``
            where the batch has no target.
        start: where a search for answers of its own begins.
    """

    logits: Tensor | None
    start: SearchStart

    def float(self) -> Written:
        """The scores as float32."""
        return self if self.logits is None else replace(self, logits=self.logits.float())


def parts_of(config: ModelConfig) -> tuple[ModelConfig, ...]:
    """The configurations of the encoder, by default ``name`` in both directions, and of the decoder, ``name`` in one.

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
    """Any encoder with any decoder: many to many of any lengths, or one to many.

    Equations:
        m_1 … m_S = encoder(x_1 … x_S),    z = pool(m),
        y_u, s_u = decoder([E w_{u-1}; z], s_{u-1} ; m),    o_u = W tanh(C y_u + c) + b, the scores of w_u.

    Without attention z is all that the decoder knows of x: the bottleneck of one fixed vector. A source of no steps has
    z = 0 and nothing to look at.

    Args:
        specs: input column -> how it looks. Columns without a time axis alone are a source of one step.
        config: names and sizes (see `parts_of`); with the option ``tied`` W is E.
        outputs: V ≥ 1, the symbols that can be written.
        target: the name of the column that is written.

    Shape:
        inputs, lengths: see `InputEmbedding`; target (B, U) int64; the scores (N, V) float32.

    Raises:
        UsageError: an unknown name, or a decoder that reads the future.
        ShapeError: a column, the target or a state does not fit.

    Cost:
        those of encoder and decoder, and N·V·E multiply-adds for the scores: of real steps alone.

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
            None, "The layer that reads. Default: that of the model, in both directions.", also=("encoder_model",)
        )
        decoder: str | None = option(
            None, "The layer that writes. Default: that of the model.", also=("decoder_model",)
        )
        attention: Literal["additive", "dot", "scaled_dot", "cosine", "none"] = option(
            "scaled_dot",
            "How the decoder attends to what was read.",
            also=("attention_type", "attn", "score_function", "global_attention"),
        )
        coverage: bool = option(
            False, "Tell attention where it has looked already.", also=("coverage_attn", "use_coverage")
        )
        pool: Literal["last", "mean", "max"] | None = option(
            None,
            "How the steps of a row become one answer. Default: max to classify or regress, last to forecast.",
            also=("pooling", "pooling_type", "aggregation", "readout"),
        )
        tied: bool = option(
            False,
            "Use the vectors of the tokens that are written as the output weights.",
            also=("tie_weights", "tie_word_embeddings", "tie_embeddings", "weight_tying"),
        )
        scheduled_sampling: float = option(
            0.0,
            "Share of its own tokens that the decoder reads instead of the right ones, at the end of training.",
            ge=0,
            le=1,
            also=("teacher_forcing_ratio", "teacher_forcing", "sampling_probability"),
        )

    causal = False  # what was read is read whole
    writes = True
    cannot_stream = "this model reads each sequence whole before it writes its answer: use predict"
    longest: Tensor

    def __init__(self, specs: Mapping[str, Spec], config: ModelConfig, outputs: int, target: str = "target") -> None:
        super().__init__()
        reads, writes = parts_of(config)
        own: EncoderDecoder.Options = config.of("model", "encoder_decoder")
        attention = "without attention" if own.attention == "none" else "with attention"
        self.target, self.attention = target, own.attention
        self.title = f"{reads.name} and {writes.name} {attention}"
        self.columns = InputEmbedding(specs, config.embedding, embedding_gain(reads.name))
        self.layer = build_layer(reads, self.columns.output_size)
        memory = self.layer.output_size
        # The last step of a recurrent layer has seen all; of one that attends in both directions, each has.
        kind = "mean" if not (self.layer.causal or self.layer.bidirectional) else "last"
        self.pooling = Pooling(own.pool or kind, bidirectional=self.layer.bidirectional)  # type: ignore[arg-type]
        width = config.embedding or min(outputs, _WIDEST)
        self.symbols = Embedding(outputs, width, embedding_gain(writes.name))
        self.decoder = build_decoder(writes, width + memory, memory, own.attention, own.coverage)
        self.dropout = nn.Dropout(config.dropout)
        self.narrow = nn.Linear(self.decoder.output_size, width)
        self.longest_read, self.longest_written = self.layer.most_steps, self.decoder.most_steps
        self.head = TiedHead(outputs) if own.tied else nn.Linear(width, outputs)
        self.own_share = 0.0  # of the symbols that it reads in training, those that it would have written itself
        self.scheduled_sampling = own.scheduled_sampling
        self.register_buffer("longest", torch.zeros((), dtype=torch.int64))

    def extra_repr(self) -> str:
        """The names of its two layers, and the number of symbols."""
        return f"{self.title}, outputs={len(self.head.bias)}"

    def initial_state(self, batch: int) -> None:
        """Nothing goes from batch to batch."""

    def session(self, rows: int = 1) -> LiveModel:
        """Refused: it cannot stream."""
        raise UsageError(self.cannot_stream)

    def embeddings(self) -> dict[Column, Named]:
        """The vectors of the symbols of each column that it reads, and of the one that it writes."""
        found = self.columns.symbols().items()
        read: dict[Column, Named] = {("read", column): Named(f"columns.{name}", one) for column, (name, one) in found}
        return read | {("written", self.target): Named("symbols.weight", self.symbols)}

    def trunk(self) -> dict[str, Tensor]:
        """Nothing: what it reads is made for what it writes."""
        return {}

    def begin_step(self, progress: float) -> None:
        """Scheduled sampling: the share of its own symbols that it reads grows with ``progress``."""
        self.own_share = self.scheduled_sampling * progress

    def initialise(self, prior: Tensor | None, longest: int, candidates: int) -> None:
        """Begin with the frequencies of training, and search for answers as long as the longest there."""
        self.longest.fill_(longest)
        if prior is not None:
            self.head.bias.data.copy_(prior)

    def sketch(self) -> Sketch:
        """What reads, below what writes."""
        return Sketch(stack_of(self.layer), self.columns.timed, writes=self.decoder.sketch(), attention=self.attention)

    def run(self, batch: Batch, state: None = None) -> tuple[Written, None]:
        """A batch as the loader makes it; each row is a sequence of its own, so there is no state to go on from."""
        start = self.read(batch.inputs, batch.lengths)
        logits = None
        if batch.target is not None:
            assert batch.target_lengths is not None
            logits = self.score(batch.target, batch.target_lengths, start)
        return Written(logits, SearchStart(self, start, int(self.longest))), None

    def read(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> WriterState:
        """The state before the first symbol is written."""
        x, _ = self.columns(inputs, lengths)  # (B, S, I)
        if not self.columns.timed:
            lengths = torch.ones_like(lengths)
        memory, _ = self.layer(self.dropout(x), lengths)  # (B, S, M)
        summary, _ = self.pooling(memory, lengths)  # (B, M)
        return WriterState(self.decoder.begin(self.dropout(memory), lengths), self.dropout(summary))

    def score(self, target: Tensor, lengths: Tensor, state: WriterState) -> Tensor:
        """(N, V): the scores of every symbol of ``target`` (B, U) after its first, each given those before it."""
        if target.dim() != 2 or target.shape[1] < 1 or len(target) != len(state.summary):
            raise ShapeError(f"EncoderDecoder: target is {tuple(target.shape)}, expected ({len(state.summary)}, U ≥ 1)")
        lengths = (lengths - 1).clamp(min=0)
        real = real_steps(lengths, target.shape[1] - 1)  # (B, U - 1)
        before = torch.where(real, target[:, :-1], 0)
        if self.training and self.own_share:
            before = self._own(before, lengths, real, state)
        return self._scores(self.dropout(self._hidden(before, lengths, state)[real]))  # (N, V)

    def step(self, symbols: Tensor, state: WriterState) -> tuple[Tensor, WriterState]:
        """``symbols`` (B,) int64, those just written -> the scores (B, V) of what comes next, and the state after."""
        x = torch.cat([self.dropout(self.symbols(symbols)), state.summary], 1)
        y, decoder = self.decoder.step(x, state.decoder)
        return self._scores(self.dropout(torch.tanh(self.narrow(y)))), state._replace(decoder=decoder)

    def _scores(self, hidden: Tensor) -> Tensor:
        """``hidden`` (…, E) -> (…, V)."""
        return self.head(hidden, self.symbols.weight) if isinstance(self.head, TiedHead) else self.head(hidden)

    def _hidden(self, before: Tensor, lengths: Tensor, state: WriterState) -> Tensor:
        summary = state.summary.unsqueeze(1).expand(-1, before.shape[1], -1)
        x = torch.cat([self.dropout(self.symbols(before)), summary], 2)  # (B, U, I)
        y, _ = self.decoder(zero_padding(x, lengths), lengths, state.decoder)
        return torch.tanh(self.narrow(y))  # (B, U, E)

    def _own(self, before: Tensor, lengths: Tensor, real: Tensor, state: WriterState) -> Tensor:
        """``before`` with a share of its symbols exchanged for those that the model finds likeliest there.

        All steps at once, given the right symbols before them: one more pass instead of U of them.
        """
        with torch.no_grad():
            likeliest = torch.zeros_like(before)
            likeliest[real] = self._scores(self._hidden(before, lengths, state)[real]).argmax(-1)
        exchange = torch.rand(before.shape, device=before.device) < self.own_share
        exchange[:, 0] = False  # <begin> is given
        return torch.where(exchange & real, likeliest.roll(1, 1), before)


MEMBER = EncoderDecoder
