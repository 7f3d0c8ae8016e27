"""Train word vectors: several epochs over a corpus. Axes: V words, W the size of a vector, as in `update`.

Mikolov et al. 2013, https://arxiv.org/abs/1301.3781 (skip-gram and CBOW) and https://arxiv.org/abs/1310.4546 (negative
sampling and subsampling of frequent words); shared noise words: Ji et al. 2016, https://arxiv.org/abs/1604.04661.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.data.vectors.writing import form_of, write_vectors
from unrolled.errors import UsageError, did_you_mean, named
from unrolled.word2vec.corpus import Corpus
from unrolled.word2vec.update import STEPS, Blocks, Tables

__all__ = ["Settings", "learn", "write"]

_BLOCK, _BLOCKS, _NOISE = 32, 16, 32  # Q, P and K
_POWER = 0.75  # the noise distribution is count ** 0.75
_LAST_RATE = 1e-4
_LOOK = 16  # the loss is recorded at every 16th step, for the report


@dataclass(frozen=True, slots=True)
class Settings:
    """The hyperparameters of training; the defaults are those of word2vec.

    Attributes:
        size: W, 1 … 65 536.
        model: ``skipgram`` or ``cbow``.
        epochs: passes over the text, 1 … 10 000.
        window: the largest number of context words on each side; the number for each word is sampled from 1 … window.
        negative: noise words per pair.
        seed: for the initial vectors and all sampling.
        rate: the initial learning rate; it falls linearly to 0.0001.
        sample: the threshold t of subsampling; a word with the frequency f is kept with probability sqrt(t/f) + t/f.
    """

    size: int = 100
    model: str = "skipgram"
    epochs: int = 5
    window: int = 5
    negative: int = 5
    seed: int = 0
    rate: float = 0.025
    sample: float = 1e-3

    def check(self) -> None:
        """Raise a `UsageError` that names a setting that is unknown or out of range."""
        if self.model not in STEPS:
            raise UsageError(f"there is no word vector model {self.model!r}.{did_you_mean(self.model, STEPS)}")
        for name, most in (("size", 65_536), ("epochs", 10_000), ("window", 1_000), ("negative", 1_000)):
            if not 1 <= getattr(self, name) <= most:
                raise UsageError(f"{named(name)} must be from 1 to {most}, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"{named('seed')} must be from 0 to 2^63 - 1, got {self.seed}")


def learn(corpus: Corpus, settings: Settings, say: Callable[[str], None] = lambda _: None) -> np.ndarray:
    """Learn a vector for each word of ``corpus``, (V, W) float32; the same seed gives the same vectors.

    Equations:
        maximise, over centres y and each word x of their context (for CBOW: the mean of the context),
        log σ(u_y · v_x) + Σ_n log σ(-u_n · v_x),    n ~ count^0.75, ``negative`` of them,
        by stochastic gradient ascent; v are the vectors.

    Args:
        corpus: words and their counts.
        settings: see `Settings`.
        say: called with one line of progress per epoch.

    Raises:
        UsageError: a setting is unknown or out of range.

    Cost:
        about 12·(C + K)·W multiply-adds per word of the text; memory for 2·V·W numbers.

    Example:
        >>> corpus = Corpus.count({"text": ["a b a b", "b a b a"]}, min_count=1)
        >>> learn(corpus, Settings(size=4, epochs=1)).shape
        (2, 4)
    """
    settings.check()
    dice = np.random.default_rng(settings.seed)
    words = len(corpus.words)
    first = (dice.random((words, settings.size), np.float32) - 0.5) / settings.size
    tables = Tables(torch.from_numpy(first), torch.zeros(words, settings.size), torch.zeros(words))
    share = corpus.counts / corpus.counts.sum()
    keep = np.sqrt(settings.sample / share) + settings.sample / share
    noise = np.cumsum(corpus.counts.astype(np.float64) ** _POWER)
    step, total, read = STEPS[settings.model], int(corpus.counts.sum()) * settings.epochs, 0
    with torch.no_grad():
        for epoch in range(1, settings.epochs + 1):
            started, begun, losses = time.monotonic(), read, torch.zeros(2)
            for ids, sentences in corpus.passage():
                kept = dice.random(len(ids)) < keep[ids]
                batches = list(_blocks(ids[kept], sentences[kept], noise, settings, dice))
                for number, blocks in enumerate(batches):
                    done = (read + number / len(batches) * len(ids)) / total
                    found = step(tables, blocks, settings.rate + (_LAST_RATE - settings.rate) * done)
                    if number % _LOOK == 0:
                        losses += found
                read += len(ids)
            speed = (read - begun) / max(time.monotonic() - started, 1e-9)
            loss = float(losses[0] / losses[1].clamp(min=1))
            say(f"epoch {epoch} of {settings.epochs}: {loss:.3f} nats per pair, {speed:,.0f} words per second")
    return tables.inputs.numpy()


def write(source: Any, out: Path, settings: Settings, min_count: int, say: Callable[[str], None]) -> list[str]:
    """Learn vectors from ``source`` and write them to ``out``.

    Args:
        source: a path, or a table in memory.
        out: the output file; its suffix selects the format.
        settings: see `Settings`.
        min_count: words that occur less often get no vector.
        say: called with lines about the corpus and each epoch.

    Returns:
        the words, the most frequent first.

    Raises:
        UsageError: a number is out of range, or the suffix is unknown.
        DataError: the texts cannot be read, or contain too few words.
        SpaceError: ``out`` cannot be written.
    """
    settings.check()
    form_of(out)
    if min_count < 1:
        raise UsageError(f"{named('min_count')} must be at least 1, got {min_count}")
    corpus = Corpus.count(source, min_count)
    for line in corpus.remarks:
        say(line)
    words, known = len(corpus.words), int(corpus.counts.sum()) / corpus.running
    say(f"corpus: {corpus.running:,} words; the {words:,} words with vectors make up {known:.1%} of it")
    vectors = learn(corpus, settings, say)
    write_vectors(out, corpus.words, settings.size, lambda: [vectors])
    return corpus.words


def _blocks(
    ids: np.ndarray, sentences: np.ndarray, noise: np.ndarray, settings: Settings, dice: np.random.Generator
) -> Iterator[Blocks]:
    """Cut the text into blocks; the padding of the last blocks belongs to no sentence."""
    window, reach = settings.window, _BLOCK + 2 * settings.window
    stride = _BLOCK * _BLOCKS
    behind = -len(ids) % stride + window
    stream, of = (
        torch.from_numpy(np.pad(values, (window, behind), constant_values=fill))
        for values, fill in ((ids, 0), (sentences, -1))
    )
    apart = (torch.arange(reach) - window - torch.arange(_BLOCK)[:, None]).abs()  # (Q, C)
    for start in range(0, len(stream) - 2 * window, stride):
        contexts, theirs = (
            values[start : start + stride + 2 * window].unfold(0, reach, _BLOCK) for values in (stream, of)
        )
        centres, mine = (values[:, window : window + _BLOCK] for values in (contexts, theirs))  # (P, Q)
        reached = torch.from_numpy(dice.integers(1, window + 1, centres.shape))[:, :, None]
        near = (apart <= reached) & (apart > 0) & (mine >= 0)[:, :, None]
        pairs = near & (mine[:, :, None] == theirs[:, None])  # (P, Q, C)
        drawn = np.searchsorted(noise, dice.random((_BLOCKS, _NOISE)) * noise[-1], side="right")
        yield Blocks(centres, contexts, pairs.float(), _ids(drawn, len(noise)), settings.negative)


def _ids(drawn: np.ndarray, words: int) -> Tensor:
    return torch.from_numpy(np.minimum(drawn, words - 1))
