"""One step of skip-gram and of CBOW with negative sampling, on many neighbouring words at once.

The text is cut into blocks of Q neighbouring words, each with the words w to its left and right that are its context.
All pairs of a block come out of one matrix product, and a block has K noise words in common: the rows that are read and
written are a few for each word of the text, instead of one for each pair and each of its negatives.

Axes: P blocks, Q words of one, C = Q + 2w words with context on both sides, K noise words, W wide, V words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

__all__ = ["STEPS", "Blocks", "Tables"]

_MOST = 64.0  # pairs by which one word moves in a step: all use the same old vector, and more would overshoot


@dataclass(slots=True)
class Tables:
    """The two vectors of every word, and what is learned from.

    Attributes:
        inputs: (V, W) float32, the vectors that are wanted.
        outputs: (V, W) float32, those that they are held against.
        shares: (V,) float32, scratch: all 0 between two steps.
    """

    inputs: Tensor
    outputs: Tensor
    shares: Tensor

    def add(self, table: Tensor, words: Tensor, gradients: Tensor, pairs: Tensor, rate: float) -> None:
        """Move some words.

        Args:
            table: of ``inputs`` and ``outputs`` the one that they are in.
            words: (n,) int64; one may stand there often.
            gradients: (n, W), which the words go up; overwritten.
            pairs: (n,), over how many pairs each gradient is the sum.
            rate: the learning rate.
        """
        total = self.shares.index_add_(0, words, pairs).index_select(0, words)
        self.shares.index_fill_(0, words, 0)
        scale = rate * (_MOST / total.clamp(min=1)).clamp(max=1)
        table.index_add_(0, words, gradients.mul_(scale[:, None]))


@dataclass(frozen=True, slots=True)
class Blocks:
    """P blocks of the text.

    Attributes:
        centres: (P, Q) int64.
        contexts: (P, C) int64; contexts[:, w : w + Q] are the centres.
        pairs: (P, Q, C) float32, 1 where a word of the context belongs to a centre.
        noise: (P, K) int64, drawn from the noise distribution.
        negatives: how many noise words a pair has; the K of its block stand for them, each with the weight negatives/K.
    """

    centres: Tensor
    contexts: Tensor
    pairs: Tensor
    noise: Tensor
    negatives: int

    @property
    def weight(self) -> float:
        """Of one noise word."""
        return self.negatives / self.noise.shape[1]


def skipgram(tables: Tables, blocks: Blocks, rate: float) -> Tensor:
    """Skip-gram: each word of the context is to tell the centre from noise. Returns the loss, and how many pairs."""
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
    """CBOW: the mean of the context is to tell the centre from noise. Returns the loss, and how many centres.

    As in the original program, every word of the context takes the whole gradient of the mean.
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
