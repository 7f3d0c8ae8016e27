"""A tagger on features of words and their neighbours: a linear-chain CRF, or a softmax at each step.

Axes: B rows, T steps, N steps of all rows, F features, K labels, J attributes of a step.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from unrolled.baselines._arrays import asked_values, classes
from unrolled.batch import Batch, letters_of
from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import take_rows
from unrolled.data.forms.aligned import Aligned
from unrolled.layers.lengths import real_steps
from unrolled.solved._sparse_rows import SparseRows
from unrolled.solved._tagger import fit_tagger
from unrolled.solved._word_attributes import (
    WordColumn,
    attributes,
    keys_of,
    letter_tables,
    templates,
    word_columns,
)
from unrolled.solved.solved_model import SolvedModel
from unrolled.state import State
from unrolled.tasks.task import Task

__all__ = ["WordFeatures"]

_LARGEST = 8_000_000  # features times labels
_STEPS = 250_000  # of the training split that are read
_SEEN = 2  # steps before a step that its features may look at
_FEW = 1_000  # steps; with more, a feature of one step only is none


class Neighbours(NamedTuple):
    """The state: the attributes of the last two steps, (B, 2, J) int64; 0 where there is none."""

    attributes: Tensor


class WordFeatures(SolvedModel):
    r"""A maximum-entropy tagger: scores of labels are sums over features of a word and of its two neighbours each side.

    .. math:: o_t = b + \sum_{f \in F(x, t)} W_f, \qquad \phi_t(i, j) = \sum_{f \in F(x, t)} W_{fj} + A_{ij}
        \text{ with a chain}

    The features of a word whose letters are known: the word, its lower case, its first and last 1 to 4 letters, its
    shape (``Xxxd`` for ``Abc1``), in full and without repetitions; of the words beside it the lower case, first and
    last three letters and shape, of those two steps away lower case and shape; pairs of neighbouring words and triples
    of shapes. Of a column without letters: its symbol, those of two neighbours each side, and pairs. The ends of a row
    are features too.

    Neighbours to the right make it non-causal; with ``ahead`` 0 it does not read them, and streams.

    Args:
        task: a label for each step, in a chain or not.
        options: with the number of features.

    Shape:
        columns of tokens (B, T), with their letters (B, T, L) if known -> (B, T, K), or with a chain (B, T, (K + 1) K),
        the potentials of `unrolled.layers.crf`.

    Cost: 50 000 words and 13 labels in about 20 seconds; at most 250 000 steps of the training split are read.

    References:
        Ratnaparkhi, A Maximum Entropy Model for Part-of-Speech Tagging, 1996. https://aclanthology.org/W96-0213
        Lafferty, McCallum and Pereira, 2001. https://repository.upenn.edu/cis_papers/159
    """

    class Options(Part):
        """Its sizes.

        Attributes:
            ahead: the steps behind a word whose features it reads, 0 … 2; with 0 it streams.
            kept: the most features that it reads; ``None``: all of two steps or more, up to 8,000,000 weights.
        """

        ahead: int = 2
        kept: int | None = None

    name: ClassVar[str] = "features of words"
    effort = 1

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        self.columns_read = word_columns(task.coder.specs)
        self.made = templates(self.columns_read, options.ahead)
        self.causal, self.chain = options.ahead == 0, task.chain
        self.labels, size = len(task.labels), options.kept or 0
        self.weight = nn.Parameter(torch.zeros(size, self.labels), requires_grad=False)
        rows = self.labels + 1 if task.chain else 1
        self.bias = nn.Parameter(torch.zeros(rows, self.labels), requires_grad=False)
        self.keys: Tensor
        self.register_buffer("keys", torch.zeros(size, dtype=torch.int64))
        for column in self.columns_read:
            tables = letter_tables(task.coder, column) if column.spelled else torch.zeros(2, 0, dtype=torch.int64)
            self.register_buffer(f"letters{column.first}", tables)

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for a label at each step, with a column of tokens over time."""
        labels = classes(train)
        if not isinstance(train.form, Aligned) or not labels or len(task.labels) != labels:
            return False
        wanted = labels * (labels + 1) if task.chain else labels
        return task.outputs == wanted and bool(word_columns(train.specs)) and len(asked_values(train)) > 0

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Solve it on the training split.

        Args:
            task, train, options: as for every solved model.
            seed: for the rows that are left out, and those that are read of a large split.
        """
        train = _portion(train, seed)
        draft = cls(task, options.model_copy(update={"kept": None}))
        most = min(options.kept or _LARGEST, max(1, _LARGEST // len(task.labels)))
        keys, rows = _indexed(draft._keys_of(train), most)
        model = cls(task, options.model_copy(update={"kept": len(keys)}))
        model.keys.copy_(torch.from_numpy(keys))
        weight, bias = fit_tagger(task, train, rows, seed)
        model.weight.copy_(weight)
        model.bias.copy_(bias)
        return model

    def initial_state(self, batch: int) -> Neighbours | None:
        """No step yet; ``None`` where steps behind are read, so that no state is carried."""
        if not self.causal:
            return None
        width = sum(column.count for column in self.columns_read)
        return Neighbours(torch.zeros(batch, _SEEN, width, dtype=torch.int64, device=self.weight.device))

    def run(self, batch: Batch, state: State = None) -> tuple[Tensor, State]:
        """The outputs (B, T, O), and the state after them, which is ``None`` where steps behind are read."""
        name = self.columns_read[0].name
        real = real_steps(batch.lengths, batch.inputs[name].shape[1])
        found = []
        for column in self.columns_read:
            ids = torch.where(real, batch.inputs[column.name], 0).flatten()
            letters = None
            if column.spelled:
                letters = torch.where(real[..., None], batch.inputs[letters_of(column.name)], 0).flatten(0, 1)
            found.append(self._attributes(column, ids, letters))
        now = torch.cat(found, 1).view(*real.shape, -1) * real[..., None]  # (B, T, J)
        edge = now.new_zeros(len(now), _SEEN, now.shape[2])
        window = torch.cat([edge if state is None else state.attributes, now, edge], 1)
        outputs = now.new_zeros(*real.shape, self.bias.numel(), dtype=self.weight.dtype)
        outputs[real] = self._scores(keys_of(window, self.made)[real])
        if not self.causal:
            return outputs, None
        last = (batch.lengths[:, None] + torch.arange(_SEEN, device=now.device))[..., None]
        return outputs, Neighbours(window.gather(1, last.expand(-1, -1, now.shape[2])))

    def step(self, inputs: dict[str, Tensor], state: State) -> tuple[Tensor, State]:
        """One token of each column, to the outputs (B, O) for it."""
        ones = torch.ones(len(next(iter(inputs.values()))), dtype=torch.int64, device=self.weight.device)
        outputs, after = self.run(Batch({name: x[:, None] for name, x in inputs.items()}, ones, ones), state)
        return outputs[:, 0], after

    def _attributes(self, column: WordColumn, ids: Tensor, letters: Tensor | None) -> Tensor:
        return attributes(ids, letters, self.get_buffer(f"letters{column.first}") if column.spelled else None)

    def _keys_of(self, train: Examples) -> np.ndarray:
        """(N, templates): the features of each step of a split."""
        found, lengths = [], train.steps()
        for column in self.columns_read:
            ids = torch.from_numpy(np.asarray(train.inputs[column.name].values).astype(np.int64))
            letters = None
            if column.spelled:
                letters = torch.from_numpy(np.asarray(train.inputs[letters_of(column.name)].values).astype(np.int64))
            found.append(self._attributes(column, ids, letters))
        flat = torch.cat(found, 1)
        at = np.arange(len(flat)) + _SEEN * (1 + np.repeat(np.arange(len(lengths)), lengths))
        window = flat.new_zeros(1, len(flat) + _SEEN * (len(lengths) + 1), flat.shape[1])
        window[0, at] = flat
        return keys_of(window, self.made)[0, at - _SEEN].numpy()

    def _scores(self, keys: Tensor) -> Tensor:
        """(n, O): the outputs for steps with the features ``keys`` (n, templates)."""
        emissions = keys.new_zeros(len(keys), self.labels, dtype=self.weight.dtype)
        if len(self.keys) and len(keys):
            place = torch.searchsorted(self.keys, keys).clamp_max(len(self.keys) - 1)
            there = (self.keys[place] == keys).to(self.weight.dtype)
            emissions = functional.embedding_bag(place, self.weight, mode="sum", per_sample_weights=there)
        return (emissions[:, None] + self.bias).flatten(1)


def _portion(train: Examples, seed: int) -> Examples:
    """Rows with at most about 250 000 steps, drawn at random."""
    lengths = train.steps()
    if lengths.sum() <= _STEPS or len(lengths) == 1:
        return train
    order = np.random.default_rng(seed).permutation(len(lengths))
    kept = max(1, int(np.searchsorted(np.cumsum(lengths[order]), _STEPS)))
    return take_rows(train, np.sort(order[:kept]))


def _indexed(keys: np.ndarray, most: int) -> tuple[np.ndarray, SparseRows]:
    """The distinct features, ascending, without those that are too rare; and those of each step."""
    distinct, at, counts = np.unique(keys, return_inverse=True, return_counts=True)
    least = 1 if len(keys) < _FEW else 2
    if (counts >= least).sum() > most:
        least = max(least, int(np.sort(counts)[-most - 1]) + 1)
    kept = counts >= least
    ids = np.where(kept, np.cumsum(kept) - 1, -1)[at].reshape(keys.shape)
    offsets = np.concatenate([[0], np.cumsum((ids >= 0).sum(1))])
    found = ids[ids >= 0]
    return distinct[kept], SparseRows(found, np.ones(len(found), np.float32), offsets, int(kept.sum()))


MEMBER = WordFeatures
