"""From the scores of frames to symbols in the same order: connectionist temporal classification.

Axes: B rows, T frames, K symbols of which 0 is the blank, W prefixes that are kept, C symbols that are worth a look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from unrolled.config import Part
from unrolled.decoding.checks import broken_scores, check_lengths, nothing_left
from unrolled.decoding.hypothesis import Hypothesis
from unrolled.errors import ShapeError

__all__ = ["BLANK", "CtcBeam", "Language", "ctc_beam", "ctc_greedy"]

BLANK = 0

Language = Callable[[Sequence[int], int], float]
"""ln p of the id that comes next after the ids so far, such as an n-gram's."""


class CtcBeam(Part):
    """How wide to search among labellings, and what a language model is worth.

    Build it from a user's values with `CtcBeam.check`, which answers with a `UsageError`.

    Attributes:
        width: W ≥ 1 prefixes that are kept after each frame.
        prune: in a frame no symbol is begun that is less than ``prune`` times as likely as the frame's likeliest; 0
            leaves none out.
        language_weight: α ≥ 0 of the language model's log-probability.
        bonus: β that each symbol earns: it makes up for what a language model takes from long labellings.
    """

    width: int = Field(16, ge=1, le=10_000)
    prune: float = Field(1e-5, ge=0, lt=1)
    language_weight: float = Field(1.0, ge=0)
    bonus: float = 0.0


def ctc_greedy(scores: Tensor, lengths: Tensor) -> list[list[int]]:
    """The likeliest symbol of each frame, repetitions written once and blanks left out.

    It is the labelling of the likeliest alignment, which need not be the likeliest labelling.

    Args:
        scores: log-probabilities or logits of each frame; of equal ones the lower symbol is taken.
        lengths: the frames of each row; what lies beyond is not read.

    Shape:
        scores (B, T, K) float; lengths (B,) integers, 0 … T; the result has B lists.

    Raises:
        ShapeError: ``scores`` is not (B, T, K) with K ≥ 1, or ``lengths`` does not fit.
        ModelError: a frame has no finite score, or one that is NaN or ``+inf``.

    Cost: O(B T K).

    References:
        Graves et al. 2006, https://doi.org/10.1145/1143844.1143891

    Example:
        >>> frames = torch.nn.functional.one_hot(torch.tensor([[1, 1, 0, 1, 2, 2]]), 3).float()
        >>> ctc_greedy(frames, torch.tensor([6]))
        [[1, 1, 2]]
    """
    lengths, real = _check(scores, lengths)
    best = scores.argmax(2)  # (B, T)
    kept = real & (best != BLANK)
    kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    flat, ends = best[kept].tolist(), kept.sum(1).cumsum(0).tolist()
    return [flat[start:end] for start, end in pairwise([0, *ends])]


def ctc_beam(
    scores: Tensor, lengths: Tensor, settings: CtcBeam, language: Language | None = None
) -> list[list[Hypothesis]]:
    r"""Each row's likeliest labellings, best first, by prefix-beam search.

    .. math:: p(y) = \sum_{\pi:\, \text{collapse}(\pi) = y} \prod_t p_t(\pi_t), \qquad
        \text{merit}(y) = \ln p(y) + \sum_u (\alpha \ln p_{\text{language}}(y_u \mid y_{<u}) + \beta)

    After each frame the W prefixes of the highest merit are kept, each with the probability of all its alignments that
    end in a blank and of those that do not: alignments of one labelling are added, not raced against each other. Where
    W is enough for all prefixes and nothing is pruned, the score is exact; else it is a lower bound.

    Args:
        scores: log-probabilities of each frame; ``-inf`` is a symbol that cannot be.
        lengths: the frames of each row; what lies beyond is not read.
        settings: width, pruning and weights.
        language: asked once for each prefix that is kept and each symbol that may follow it.

    Shape:
        scores (B, T, K) float; lengths (B,) integers, 0 … T; the result has B lists of 1 … W.

    Raises:
        ShapeError: ``scores`` is not (B, T, K) with K ≥ 1, or ``lengths`` does not fit.
        ModelError: a frame has no finite score, or one that is NaN or ``+inf``.

    Cost: O(T W C) a row, in NumPy; about 0.1 ms a frame of 30 symbols at W = 16.

    References:
        Hannun et al. 2014, https://arxiv.org/abs/1408.2873; Graves and Jaitly 2014,
        https://proceedings.mlr.press/v32/graves14.html

    Example:
        >>> frames = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]]).log()  # twice blank is likeliest, but three ways give 1
        >>> ctc_greedy(frames, torch.tensor([2]))
        [[]]
        >>> best = ctc_beam(frames, torch.tensor([2]), CtcBeam(width=4))[0][0]
        >>> best.ids, round(float(np.exp(best.score)), 2)
        ([1], 0.64)
    """
    lengths, _ = _check(scores, lengths)
    rows = scores.detach().double().cpu().numpy()
    return [_search(rows[row, :length], settings, language, row) for row, length in enumerate(lengths.cpu().tolist())]


def _check(scores: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Lengths, and (B, T) which frames are real, once the scores of those are known to be scores."""
    if scores.dim() != 3 or scores.shape[2] == 0:
        raise ShapeError(f"scores is {tuple(scores.shape)}, expected (B, T, K) with K at least 1")
    rows, steps, _ = scores.shape
    lengths = check_lengths(lengths, rows, steps).to(scores.device)
    real = torch.arange(steps, device=scores.device) < lengths.unsqueeze(1)
    top = scores.max(2).values.masked_fill(~real, 0)  # (B, T), NaN where a frame holds one
    for wrong, error in ((top.isnan() | top.isposinf(), broken_scores), (top.isneginf(), nothing_left)):
        if wrong.any():
            raise error(int(wrong.any(1).nonzero()[0]))
    return lengths, real


class _Prefix:
    """A labelling's beginning: a place in the tree of all that were ever kept, so that each is there only once."""

    __slots__ = ("at", "children", "extra", "frame", "parent", "symbol", "told")

    def __init__(self, parent: _Prefix | None, symbol: int, extra: float) -> None:
        self.parent, self.symbol, self.extra = parent, symbol, extra  # extra: what its merit has over its score
        self.children: dict[int, _Prefix] = {}
        self.told: dict[int, float] = {}  # what the language model says of each next symbol
        self.frame, self.at = -1, 0  # when it was kept last, and in which place

    def ids(self) -> list[int]:
        found, here = list[int](), self
        while here.parent is not None:
            found.append(here.symbol)
            here = here.parent
        return found[::-1]

    def gains(self, symbols: list[int], settings: CtcBeam, language: Language) -> list[float]:
        """What each of ``symbols`` would add to ``extra``."""
        if new := [symbol for symbol in symbols if symbol not in self.told]:
            ids = self.ids()
            self.told |= {s: settings.language_weight * language(ids, s) + settings.bonus for s in new}
        return [self.told[symbol] for symbol in symbols]


class _Kept(NamedTuple):
    """The prefixes that are kept after a frame, and how likely their alignments are beside the likeliest prefix's."""

    prefixes: list[_Prefix]
    blank: np.ndarray  # (W,) of those alignments that end in a blank
    label: np.ndarray  # (W,) and in a symbol
    scale: float  # the logarithm of what the chances are to be multiplied by


class _Grown(NamedTuple):
    """What another frame makes of the prefixes that were kept."""

    symbols: np.ndarray  # (C,) those that are worth a look
    blank: np.ndarray  # (W,) of the prefixes that stay what they are
    label: np.ndarray  # (W,)
    longer: np.ndarray  # (W, C) of those that a symbol is added to


@np.errstate(divide="ignore")  # what is impossible has a merit of -inf
def _search(nats: np.ndarray, settings: CtcBeam, language: Language | None, row: int) -> list[Hypothesis]:
    """The kept prefixes after all frames of ``nats`` (T, K), best first."""
    kept = _Kept([_Prefix(None, BLANK, 0.0)], np.ones(1), np.zeros(1), 0.0)
    for t, frame in enumerate(nats):
        top = frame.max()
        grown = _grow(kept, np.exp(frame - top), settings.prune, t)
        more = _gains(kept, grown.symbols, settings, language)
        best = _best(kept, grown, more, settings.width)
        if not len(best):
            raise nothing_left(row)
        kept = _keep(kept, grown, more, best, float(top))
    scores = (np.log(kept.blank + kept.label) + kept.scale).tolist()
    found = [Hypothesis(p.ids(), score, score + p.extra) for p, score in zip(kept.prefixes, scores, strict=True)]
    return sorted(found, key=lambda one: (-one.merit, one.ids))


def _grow(kept: _Kept, chances: np.ndarray, prune: float, t: int) -> _Grown:
    """Add frame ``t``, whose symbols have these ``chances`` (K,) beside its likeliest."""
    prefixes, blank, label, _ = kept
    worth = (chances > 0) & (chances >= prune)
    worth[BLANK] = False
    symbols = np.flatnonzero(worth)  # (C,)
    column = np.empty(len(chances), np.int64)  # (K,) where a symbol that is worth a look stands among the C
    column[symbols] = np.arange(len(symbols))
    last = np.array([prefix.symbol for prefix in prefixes])
    total = blank + label
    stays_blank, stays_label = total * chances[BLANK], label * chances[last]
    longer = total[:, None] * chances[symbols]  # (W, C)
    again = np.flatnonzero(worth[last])  # a symbol that follows itself needs a blank between
    longer[again, column[last[again]]] = blank[again] * chances[last[again]]
    for at, prefix in enumerate(prefixes):
        prefix.frame, prefix.at = t, at
    for at, prefix in enumerate(prefixes):  # what grows into a prefix that is kept is that prefix
        parent = prefix.parent
        if parent is not None and parent.frame == t and worth[prefix.symbol]:
            place = parent.at, column[prefix.symbol]
            stays_label[at] += longer[place]
            longer[place] = 0
    return _Grown(symbols, stays_blank, stays_label, longer)


def _gains(kept: _Kept, symbols: np.ndarray, settings: CtcBeam, language: Language | None) -> np.ndarray:
    """(W, C): what a symbol more adds to a prefix's ``extra``."""
    shape = len(kept.prefixes), len(symbols)
    if language is None:
        return np.full(shape, settings.bonus)
    names = symbols.tolist()
    return np.array([prefix.gains(names, settings, language) for prefix in kept.prefixes]).reshape(shape)


def _best(kept: _Kept, grown: _Grown, more: np.ndarray, width: int) -> np.ndarray:
    """The ``width`` of highest merit, best first: the W that stay are counted before the W·C that are longer."""
    extra = np.array([prefix.extra for prefix in kept.prefixes])
    merits = np.log(np.concatenate([grown.blank + grown.label, grown.longer.ravel()]))
    merits += np.concatenate([extra, (extra[:, None] + more).ravel()])
    lowest = np.partition(merits, -width)[-width] if len(merits) > width else -np.inf
    best = np.flatnonzero((merits >= lowest) & (merits > -np.inf))
    return best[np.argsort(-merits[best], kind="stable")][:width]


def _keep(kept: _Kept, grown: _Grown, more: np.ndarray, best: np.ndarray, top: float) -> _Kept:
    """Keep the ``best``, whose chances were taken beside a symbol of log-probability ``top``."""
    count = len(kept.prefixes)
    staying, growing = best[best < count], best[best >= count] - count
    prefixes = [kept.prefixes[at] for at in staying.tolist()]
    for at, place in zip(*(x.tolist() for x in np.divmod(growing, max(1, len(grown.symbols)))), strict=True):
        prefix, symbol = kept.prefixes[at], int(grown.symbols[place])
        if symbol not in prefix.children:
            prefix.children[symbol] = _Prefix(prefix, symbol, prefix.extra + float(more[at, place]))
        prefixes.append(prefix.children[symbol])
    blank = np.concatenate([grown.blank[staying], np.zeros(len(growing))])
    label = np.concatenate([grown.label[staying], grown.longer.ravel()[growing]])
    highest = float((blank + label).max())
    return _Kept(prefixes, blank / highest, label / highest, kept.scale + top + math.log(highest))
