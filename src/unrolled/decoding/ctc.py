"""Decoding of connectionist temporal classification (CTC): from the scores of frames to symbols in the same order.

Axes: B rows, T frames, K symbols including the blank 0, W kept prefixes, C symbols that are not pruned.
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
from unrolled.decoding.hypothesis import Hypothesis
from unrolled.decoding.validation import broken_scores, check_lengths, nothing_left
from unrolled.errors import ShapeError

__all__ = ["BLANK", "CtcBeam", "Language", "ctc_beam", "ctc_greedy"]

BLANK = 0

Language = Callable[[Sequence[int], int], float]
"""A language model, such as an n-gram model: (ids so far, next id) -> ln p of the next id."""


class CtcBeam(Part):
    """The options of CTC beam search: its width, and the weight of a language model.

    Build it from a user's values with `CtcBeam.check`, which raises a `UsageError`.

    Attributes:
        width: W ≥ 1, the number of prefixes kept after each frame.
        prune: in each frame, add no symbol less than ``prune`` times as likely as the likeliest one; 0 prunes none.
        language_weight: α ≥ 0, the weight of the language model's log-probability.
        bonus: β, added for each symbol; it makes up for the language model's preference for short labellings.
    """

    width: int = Field(16, ge=1, le=10_000)
    prune: float = Field(1e-5, ge=0, lt=1)
    language_weight: float = Field(1.0, ge=0)
    bonus: float = 0.0


def ctc_greedy(scores: Tensor, lengths: Tensor) -> list[list[int]]:
    """Greedy decoding: the likeliest symbol of each frame, with repetitions merged and blanks removed.

    This is the labelling of the likeliest alignment, which is not always the likeliest labelling.

    Args:
        scores: log-probabilities or logits of each frame; ties go to the lower symbol.
        lengths: the number of frames of each row; padding is ignored.

    Shape:
        scores (B, T, K) float; lengths (B,) integers, 0 … T; the result has B lists.

    Raises:
        ShapeError: ``scores`` is not (B, T, K) with K ≥ 1, or ``lengths`` does not fit.
        ModelError: a frame has no finite score, or a score is NaN or ``+inf``.

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
    r"""Find each row's likeliest labellings, best first, with prefix beam search.

    .. math:: p(y) = \sum_{\pi:\, \text{collapse}(\pi) = y} \prod_t p_t(\pi_t), \qquad
        \text{merit}(y) = \ln p(y) + \sum_u (\alpha \ln p_{\text{language}}(y_u \mid y_{<u}) + \beta)

    After each frame the W prefixes with the highest merit are kept, each with two probabilities: of its alignments that
    end in a blank, and of the others. The alignments of one labelling are summed, so they do not compete. If W is
    enough for all prefixes and nothing is pruned, the score is exact; otherwise it is a lower bound.

    Args:
        scores: log-probabilities of each frame; ``-inf`` for an impossible symbol.
        lengths: the number of frames of each row; padding is ignored.
        settings: width, pruning and weights.
        language: a language model, called once for each kept prefix and each symbol that may follow it.

    Shape:
        scores (B, T, K) float; lengths (B,) integers, 0 … T; the result has B lists of 1 … W.

    Raises:
        ShapeError: ``scores`` is not (B, T, K) with K ≥ 1, or ``lengths`` does not fit.
        ModelError: a frame has no finite score, or a score is NaN or ``+inf``.

    Cost: O(T W C) per row, in NumPy; about 0.1 ms per frame of 30 symbols at W = 16.

    References:
        Hannun et al. 2014, https://arxiv.org/abs/1408.2873; Graves and Jaitly 2014,
        https://proceedings.mlr.press/v32/graves14.html

    Example:
        >>> frames = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]]).log()  # blank twice is likeliest, but three give 1
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
    """Check scores and lengths; return the lengths and a mask (B, T), True at real frames."""
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
    """A prefix of a labelling: a node in the tree of all prefixes that were ever kept, each of which occurs once."""

    __slots__ = ("at", "children", "extra", "frame", "parent", "symbol", "symbol_gains")

    def __init__(self, parent: _Prefix | None, symbol: int, extra: float) -> None:
        self.parent, self.symbol, self.extra = parent, symbol, extra  # extra: merit minus score
        self.children: dict[int, _Prefix] = {}
        self.symbol_gains: dict[int, float] = {}  # cached results of `gains`
        self.frame, self.at = -1, 0  # the last frame that kept it, and its index there

    def ids(self) -> list[int]:
        found, here = list[int](), self
        while here.parent is not None:
            found.append(here.symbol)
            here = here.parent
        return found[::-1]

    def gains(self, symbols: list[int], settings: CtcBeam, language: Language) -> list[float]:
        """How much each of ``symbols`` would add to ``extra``."""
        if new := [symbol for symbol in symbols if symbol not in self.symbol_gains]:
            ids = self.ids()
            self.symbol_gains |= {s: settings.language_weight * language(ids, s) + settings.bonus for s in new}
        return [self.symbol_gains[symbol] for symbol in symbols]


class _Kept(NamedTuple):
    """The prefixes kept after a frame, and the probabilities of their alignments, relative to the likeliest prefix."""

    prefixes: list[_Prefix]
    blank: np.ndarray  # (W,) probability of the alignments that end in a blank
    label: np.ndarray  # (W,) probability of the alignments that end in a symbol
    scale: float  # logarithm of the common factor of all these probabilities


class _Grown(NamedTuple):
    """The probabilities after one more frame, before the best prefixes are chosen."""

    symbols: np.ndarray  # (C,) the symbols that are not pruned
    blank: np.ndarray  # (W,) of unchanged prefixes, ending in a blank
    label: np.ndarray  # (W,) of unchanged prefixes, ending in a symbol
    longer: np.ndarray  # (W, C) of prefixes with one more symbol


@np.errstate(divide="ignore")  # log 0 is -inf: the merit of an impossible prefix
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
    """Add frame ``t``, whose symbols have the probabilities ``chances`` (K,) relative to the likeliest one."""
    prefixes, blank, label, _ = kept
    worth = (chances > 0) & (chances >= prune)
    worth[BLANK] = False
    symbols = np.flatnonzero(worth)  # (C,)
    column = np.empty(len(chances), np.int64)  # (K,) index of a symbol among the C
    column[symbols] = np.arange(len(symbols))
    last = np.array([prefix.symbol for prefix in prefixes])
    total = blank + label
    stays_blank, stays_label = total * chances[BLANK], label * chances[last]
    longer = total[:, None] * chances[symbols]  # (W, C)
    again = np.flatnonzero(worth[last])  # a symbol that follows itself needs a blank between
    longer[again, column[last[again]]] = blank[again] * chances[last[again]]
    for at, prefix in enumerate(prefixes):
        prefix.frame, prefix.at = t, at
    for at, prefix in enumerate(prefixes):  # a longer prefix that was kept already is merged with it
        parent = prefix.parent
        if parent is not None and parent.frame == t and worth[prefix.symbol]:
            place = parent.at, column[prefix.symbol]
            stays_label[at] += longer[place]
            longer[place] = 0
    return _Grown(symbols, stays_blank, stays_label, longer)


def _gains(kept: _Kept, symbols: np.ndarray, settings: CtcBeam, language: Language | None) -> np.ndarray:
    """(W, C): how much each symbol adds to a prefix's ``extra``."""
    shape = len(kept.prefixes), len(symbols)
    if language is None:
        return np.full(shape, settings.bonus)
    names = symbols.tolist()
    return np.array([prefix.gains(names, settings, language) for prefix in kept.prefixes]).reshape(shape)


def _best(kept: _Kept, grown: _Grown, more: np.ndarray, width: int) -> np.ndarray:
    """Indices of the ``width`` prefixes with the highest merit, best first: W unchanged ones, then W·C longer ones."""
    extra = np.array([prefix.extra for prefix in kept.prefixes])
    merits = np.log(np.concatenate([grown.blank + grown.label, grown.longer.ravel()]))
    merits += np.concatenate([extra, (extra[:, None] + more).ravel()])
    lowest = np.partition(merits, -width)[-width] if len(merits) > width else -np.inf
    best = np.flatnonzero((merits >= lowest) & (merits > -np.inf))
    return best[np.argsort(-merits[best], kind="stable")][:width]


def _keep(kept: _Kept, grown: _Grown, more: np.ndarray, best: np.ndarray, top: float) -> _Kept:
    """Keep the ``best`` prefixes; the frame's probabilities are relative to a log-probability of ``top``."""
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
