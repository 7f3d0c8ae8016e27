"""One training step of skip-gram and CBOW with negative sampling, on many neighbouring words at once.

The text is cut into blocks of Q neighbouring words, with w context words to the left and right. One matrix product
scores all pairs of a block, and all words of a block share K noise words. So only a few rows per word of the text are
read and written, instead of one for each pair and each of its negatives.

Axes: P blocks, Q words per block, C = Q + 2w words with context, K noise words, W the size of a vector, V words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

__all__ = ["STEPS", "Blocks", "Tables"]

_MOST = 64.0  # pairs that may move one word in a step: all use the same old vector, so more would overshoot


@dataclass(slots=True)
class Tables:
    """The parameters: two vectors per word, and scratch space.

    Attributes:
        inputs: (V, W) float32, the word vectors that are kept.
        outputs: (V, W) float32, the vectors that they are multiplied with.
        shares: (V,) float32, scratch space, all 0 between two steps.
    """

    inputs: Tensor
    outputs: Tensor
    shares: Tensor

    def add(self, table: Tensor, words: Tensor, gradients: Tensor, pairs: Tensor, rate: float) -> None:
        """Move the vectors of ``words`` along ``gradients``.

        Args:
            table: ``inputs`` or ``outputs``.
            words: (n,) int64; repetitions are allowed.
            gradients: (n, W), ascended; overwritten.
            pairs: (n,), the number of pairs summed in each gradient.
            rate: the learning rate.
        """
        total = self.shares.index_add_(0, words, pairs).index_select(0, words)
        self.shares.index_fill_(0, words, 0)
        scale = rate * (_MOST / total.clamp(min=1)).clamp(max=1)
        table.index_add_(0, words, gradients.mul_(scale[:, None]))


@dataclass(frozen=True, slots=True)
class Blocks:
    """A batch of P blocks of the text.

    Attributes:
        centres: (P, Q) int64.
        contexts: (P, C) int64; contexts[:, w : w + Q] are the centres.
        pairs: (P, Q, C) float32, 1 where a context word belongs to a centre.
        noise: (P, K) int64, sampled from the noise distribution.
        negatives: noise words per pair; the K noise words of the block replace them, each with the weight negatives/K.
    """

    centres: Tensor
    contexts: Tensor
    pairs: Tensor
    noise: Tensor
    negatives: int

    @property
    def weight(self) -> float:
        """The weight of one noise word."""
        return self.negatives / self.noise.shape[1]


def skipgram(tables: Tables, blocks: Blocks, rate: float) -> Tensor:
    """One skip-gram step: each context word predicts the centre against noise. Returns the loss and number of pairs."""
    pairs, weight = blocks.pairs, blocks.weight
    x, y, z = _rows(tables, blocks)
    mine = (blocks.noise[:, :, None] == blocks.centres[:, None]).to(pairs)  # (P, K, Q): no word is its own noise
    uses = (pairs.sum(1)[:, None] - torch.bmm(mine, pairs)).mul_(weight)  # (P, K, C)
    right, wrong = torch.bmm(y, x.mT), torch.bmm(z, x.mT)  # (P, Q, C), (P, K, C)
    up, down = torch.sigmoid(-right).mul_(pairs), torch.sigmoid(wrong).mul_(uses).neg_()
    dx = torch.bmm(up.mT, y).baddbmm_(down.mT, z)  # (P, C, W)
    dy, dz = torch.bmm(up, x), torch.bmm(down, x)  # (P, Q, W), (P, K, W)
    loss = -(logsigmoid(right) * pairs).sum() - (logsigmoid(-wrong) * uses).sum()
    tables.add(tables.inputs, blocks.contexts.flatten(), dx.flatten(0, 1), pairs.sum(1).flatten(), rate)
    _add_outputs(tables, blocks, (dy, dz), (pairs.sum(2), uses.sum(2)), rate)
    return torch.stack([loss, pairs.sum()])


def cbow(tables: Tables, blocks: Blocks, rate: float) -> Tensor:
    """One CBOW step: the mean of the context predicts the centre against noise. Returns the loss and number of centres.

    As in the original program, every context word receives the whole gradient of the mean.
    """
    pairs = blocks.pairs
    x, y, z = _rows(tables, blocks)
    sizes = pairs.sum(2)  # (P, Q)
    real = (sizes > 0).to(pairs)
    mean = torch.bmm(pairs / sizes.clamp(min=1)[:, :, None], x)  # (P, Q, W)
    uses = (blocks.centres[:, :, None] != blocks.noise[:, None]).to(pairs).mul_(real[:, :, None] * blocks.weight)
    right, wrong = (mean * y).sum(2), torch.bmm(mean, z.mT)  # (P, Q), (P, Q, K)
    up, down = torch.sigmoid(-right).mul_(real)[:, :, None], torch.sigmoid(wrong).mul_(uses).neg_()
    dx = torch.bmm(pairs.mT, torch.baddbmm(up * y, down, z))  # (P, C, W)
    dy, dz = up * mean, torch.bmm(down.mT, mean)
    loss = -(logsigmoid(right) * real).sum() - (logsigmoid(-wrong) * uses).sum()
    tables.add(tables.inputs, blocks.contexts.flatten(), dx.flatten(0, 1), pairs.sum(1).flatten(), rate)
    _add_outputs(tables, blocks, (dy, dz), (real, uses.sum(1)), rate)
    return torch.stack([loss, real.sum()])


def _rows(tables: Tables, blocks: Blocks) -> tuple[Tensor, Tensor, Tensor]:
    """The vectors of contexts (P, C, W), centres (P, Q, W) and noise (P, K, W)."""
    x = tables.inputs.index_select(0, blocks.contexts.flatten()).view(*blocks.contexts.shape, -1)
    y = tables.outputs.index_select(0, blocks.centres.flatten()).view(*blocks.centres.shape, -1)
    z = tables.outputs.index_select(0, blocks.noise.flatten()).view(*blocks.noise.shape, -1)
    return x, y, z


def _add_outputs(
    tables: Tables, blocks: Blocks, gradients: tuple[Tensor, Tensor], pairs: tuple[Tensor, Tensor], rate: float
) -> None:
    words = torch.cat([blocks.centres.flatten(), blocks.noise.flatten()])
    gradient = torch.cat([one.flatten(0, 1) for one in gradients])
    tables.add(tables.outputs, words, gradient, torch.cat([one.flatten() for one in pairs]), rate)


Step = Callable[[Tables, Blocks, float], Tensor]
STEPS: dict[str, Step] = {"skipgram": skipgram, "cbow": cbow}
