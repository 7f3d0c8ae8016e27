"""Beam search: keep the few likeliest hypotheses of each input and extend all of them.

Axes: B inputs, A open inputs, S open hypotheses per input, V vocabulary, t ids written, C continuations per hypothesis,
M candidates per input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor

from unrolled.config import Part
from unrolled.decoding.hypothesis import Hypothesis
from unrolled.decoding.validation import broken_scores, check_banned, nothing_left
from unrolled.errors import ShapeError, UsageError
from unrolled.state import State, select

__all__ = ["Beam", "beam_search"]

_NEVER = float("-inf")


class Beam(Part):
    """The options of beam search: its width, the length of answers, and how hypotheses are ranked.

    Build it from a user's values with `Beam.check`, which raises a `UsageError`.

    Attributes:
        width: the number of open hypotheses, at least 1; 1 is greedy search.
        length_penalty: α in [0, 10]; hypotheses of n ids are ranked by log p / ((5 + n) / 6)^α. 0 is the plain
            log-probability, which favours short ones.
        n_best: the number of answers per input, 1 … ``width``.
        min_length: the fewest ids of an answer, including the prefix and excluding the end.
        max_length: the most ids of an answer; open hypotheses end there.
        no_repeat_ngram: forbid that an n-gram of this size repeats in a hypothesis; 0 allows it.
        early_stop: finish an input once no open hypothesis can reach its ``n_best``. The answers are the same without
            it, but take longer.

    References:
        Graves 2012, https://arxiv.org/abs/1211.3711; the length penalty: Wu et al. 2016,
        https://arxiv.org/abs/1609.08144; no repeated n-grams: Paulus et al. 2017, https://arxiv.org/abs/1705.04304

    Example:
        >>> Beam.check({"width": 8, "n_best": 3}).length_penalty
        0.6
    """

    width: int = Field(4, ge=1, le=10_000)
    length_penalty: float = Field(0.6, ge=0, le=10)
    n_best: int = Field(1, ge=1)
    max_length: int = Field(200, ge=1)
    min_length: int = Field(0, ge=0)
    no_repeat_ngram: int = Field(0, ge=0)
    early_stop: bool = True

    @field_validator("n_best", "min_length")
    @classmethod
    def _at_most(cls, value: int, info: ValidationInfo) -> int:
        other = {"n_best": "width", "min_length": "max_length"}[str(info.field_name)]
        if value > info.data.get(other, value):
            raise ValueError(f"it must be at most {other}, which is {info.data[other]}")
        return value

    def merit_of(self, score: Tensor, length: int) -> Tensor:
        """``score`` / ((5 + ``length``) / 6)^α; it increases with both, since scores are at most 0."""
        return score / ((5 + length) / 6) ** self.length_penalty


@torch.no_grad()
def beam_search(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    state: State,
    logits: Tensor,
    *,
    end: int,
    settings: Beam,
    banned: Sequence[int] = (),
    prefix: Sequence[int] | Sequence[Sequence[int]] = (),
) -> list[list[Hypothesis]]:
    r"""Find each input's likeliest sequences, best first.

    .. math:: \log p(y) = \sum_t \log \text{softmax}(\text{logits}_t)[y_t], \qquad
        \text{logits}_{t+1}, s_{t+1} = \text{step}(y_t, s_t)

    All continuations of an input's open hypotheses are ranked together by log-probability. Continuations with ``end``
    among the first ``width`` become answers; the first ``width`` others stay open. An input is finished when ``width``
    of its hypotheses have ended, when none is open, or by ``early_stop``; its rows then leave the batch. Ties go to the
    hypothesis with the lower ids. Ids that are banned, too early or repeated are not written; the probabilities of the
    other ids are not renormalised.

    Args:
        step: one step of a model for any number of rows: (ids (N,) int64, state) -> (logits (N, V), state).
        state: the state after the prompt, one row per input.
        logits: the scores of the first id, from the last step of the prompt.
        end: the id that ends a hypothesis. Its log-probability is part of every score, also at ``max_length``.
        settings: the options.
        banned: ids that are never chosen, such as ``<begin>``.
        prefix: ids that every answer starts with, or a list of ids for each input; they count towards length and score,
            and are written even if they are banned.

    Shape:
        logits: (B, V) float; the result has B lists of up to ``n_best``.

    Raises:
        UsageError: ``end``, ``banned`` or ``prefix`` does not fit the vocabulary or the settings.
        ShapeError: the logits are not (B, V), or not (N, V) after a step.
        ModelError: a score is NaN or infinite, or an input has no id left to choose and no answer.

    Cost: for each id one step of A·``width`` rows and one top-k over their V scores.

    Example:
        >>> odds = torch.tensor([[0.0, 0.5, 0.3, 0.2], [0.4, 0.2, 0.2, 0.2], [0.9, 0.05, 0.05, 0.0], [1.0, 0, 0, 0]])
        >>> def follow(ids, state):  # the next id depends only on the last one
        ...     return odds[ids].log(), state
        >>> greedy, wide = Beam(width=1, length_penalty=0), Beam(width=3, length_penalty=0)
        >>> [beam_search(follow, None, odds[:1].log(), end=0, settings=s)[0][0].ids for s in (greedy, wide)]
        [[1], [2]]
    """
    rules = _Rules.check(logits, end, settings, banned, prefix)
    found: list[list[Hypothesis]] = [[] for _ in range(len(logits))]
    current = _begin(logits, settings.n_best)
    for length in range(settings.max_length + 1):
        if not len(current.inputs):
            break
        continued = rules.continue_(logits, current.scores, current.ids, current.inputs)
        ranked = _rank(current, *continued, rules)
        last = length == settings.max_length
        ending = _ending(current, ranked, rules, last)
        merits = settings.merit_of(ranked.values, length)
        for index, answer in _answers(current, ranked, ending, merits):
            found[index].append(answer)
        if last:
            break
        current, rows = _advance(current, ranked, ending, merits, rules)
        if len(current.inputs):
            logits, state = step(current.ids[:, -1].contiguous(), select(state, rows))
    return [sorted(row, key=lambda one: (-one.merit, one.ids))[: settings.n_best] for row in found]


class _Open(NamedTuple):
    """The open hypotheses of the inputs that are not finished."""

    inputs: Tensor  # (A,) indices of the inputs
    ids: Tensor  # (A·S, t), the hypotheses of each input sorted by ids
    scores: Tensor  # (A, S) float64, -inf for an unused slot
    kept: Tensor  # (A, n_best), the best merits of answers so far
    ended: Tensor  # (A,) the number of answers


class _Ranked(NamedTuple):
    """All continuations of each input's hypotheses, and the likeliest of them as candidates, best first."""

    total: Tensor  # (A, S·C) log-probabilities, sorted by ids
    tokens: Tensor  # (A, S·C) last ids
    places: Tensor  # (A, M) indices of the candidates
    values: Tensor  # (A, M) log-probabilities of the candidates
    ends: Tensor  # (A, M) bool: the candidate's last id is the end
    choices: int  # C


def _begin(logits: Tensor, n_best: int) -> _Open:
    inputs = torch.arange(len(logits), device=logits.device)
    scores = torch.zeros(len(inputs), 1, dtype=torch.float64, device=logits.device)
    kept = scores.new_full((len(inputs), n_best), _NEVER)
    return _Open(inputs, inputs.new_empty(len(inputs), 0), scores, kept, torch.zeros_like(inputs))


def _rank(current: _Open, nats: Tensor, tokens: Tensor, rules: _Rules) -> _Ranked:
    """Rank the continuations with the log-probabilities ``nats`` and the last ids ``tokens`` (A·S, C)."""
    inputs, slots = current.scores.shape
    total = (current.scores.unsqueeze(2) + nats.view(inputs, slots, -1)).flatten(1)
    places = _largest(total, min(rules.settings.width + slots, total.shape[1]))
    places = places.gather(1, total.gather(1, places).sort(dim=1, descending=True, stable=True).indices)
    choices, tokens = tokens.shape[1], tokens.view(total.shape)
    return _Ranked(total, tokens, places, total.gather(1, places), tokens.gather(1, places) == rules.end, choices)


def _ending(current: _Open, ranked: _Ranked, rules: _Rules, last: bool) -> Tensor:
    """(A, M) bool: which candidates are answers."""
    # At the maximum length every open hypothesis ends, even if the end has probability 0.
    ending = ranked.ends & ((current.scores > _NEVER).gather(1, ranked.places) if last else ranked.values > _NEVER)
    ending[:, rules.settings.width :] = False
    return ending


def _answers(current: _Open, ranked: _Ranked, ending: Tensor, merits: Tensor) -> Iterator[tuple[int, Hypothesis]]:
    """The answers, each with the index of its input."""
    slots = current.scores.shape[1]
    which, rank = ending.nonzero(as_tuple=True)  # (F,), (F,)
    written = current.ids[which * slots + ranked.places[which, rank] // ranked.choices].tolist()
    numbers, values = current.inputs[which].tolist(), ranked.values[ending].tolist()
    for index, *one in zip(numbers, written, values, merits[ending].tolist(), strict=True):
        yield index, Hypothesis(*one)


def _advance(current: _Open, ranked: _Ranked, ending: Tensor, merits: Tensor, rules: _Rules) -> tuple[_Open, Tensor]:
    """The open hypotheses with one more id, and the row of the last step that each one extends."""
    settings = rules.settings
    kept = torch.cat([current.kept, merits.masked_fill(~ending, _NEVER)], 1).topk(settings.n_best).values
    ended = current.ended + ending.sum(1)
    slots = current.scores.shape[1]
    most = min(settings.width, slots * (ranked.choices - 1))
    others = ranked.ends.int().sort(dim=1, stable=True).indices[:, :most]
    places = ranked.places.gather(1, others).sort(1).values  # (A, S'), sorted by ids again
    chosen = ranked.tokens.gather(1, places)
    scores = ranked.total.gather(1, places).masked_fill(chosen == rules.end, _NEVER)
    best = scores.amax(1)  # (A,)
    if (lost := (best == _NEVER) & (ended == 0)).any():
        raise nothing_left(int(current.inputs[lost][0]))
    stays = (best > _NEVER) & (ended < settings.width)
    if settings.early_stop:  # an upper bound: scores never increase, and max_length gives the highest merit
        stays &= settings.merit_of(best, settings.max_length) >= kept[:, -1]
    open_ = stays.nonzero().squeeze(1)
    rows = (open_.unsqueeze(1) * slots + places[open_] // ranked.choices).flatten()  # (A·S',)
    ids = torch.cat([current.ids[rows], chosen[open_].view(-1, 1)], 1)
    return _Open(current.inputs[open_], ids, scores[open_], kept[open_], ended[open_]), rows


def _largest(x: Tensor, count: int, finer: Tensor | None = None) -> Tensor:
    """(R, count) int64: the ascending indices of the largest entries of each row of ``x`` (R, N).

    Ties in ``x`` go to the larger entry of ``finer`` (R, N), then to the first.

    >>> _largest(torch.tensor([[1.0, 3.0, 2.0, 2.0]]), 2)
    tensor([[1, 2]])
    """
    values, places = x.topk(min(count + 1, x.shape[1]))
    if values.shape[1] > count:  # top-k breaks ties arbitrarily
        tied = (values[:, count - 1] == values[:, count]) & (values[:, count] > _NEVER)
        if tied.any():
            exact = x[tied] if finer is None else finer[tied].masked_fill(x[tied] == _NEVER, _NEVER)
            places[tied] = exact.sort(dim=1, descending=True, stable=True).indices[:, : count + 1]
    return places[:, :count].sort(dim=1).values


@dataclass(frozen=True, slots=True)
class _Rules:
    """Which ids may be written: ``banned`` (n,) int64, ``forced`` (B, P) int64 with -1 beyond a prefix.

    ``scratch`` (B·width, V) holds the log-probabilities of a step: allocating it at each step took half of the time.
    """

    settings: Beam
    size: int
    end: int
    banned: Tensor
    forced: Tensor
    scratch: Tensor

    @classmethod
    def check(
        cls,
        logits: Tensor,
        end: int,
        settings: Beam,
        banned: Sequence[int],
        prefix: Sequence[int] | Sequence[Sequence[int]],
    ) -> Self:
        check_banned(logits, banned)
        rows, size = logits.shape
        shared = [one for one in prefix if isinstance(one, int)]
        forced = [shared] * rows if shared else [list(one) for one in prefix if not isinstance(one, int)] or [[]] * rows
        if len(forced) != rows:
            raise UsageError(f"prefix has {len(forced)} rows, expected {rows}, one for each input")
        for name, index in [("end", end), *(("prefix", index) for row in forced for index in row)]:
            if not 0 <= index < size:
                raise UsageError(
                    f"{name} id {index} is outside the vocabulary of {size}: give ids from 0 to {size - 1}"
                )
        if end in banned:
            raise UsageError(f"the end id {end} is banned: set min_length instead")
        if any(end in row for row in forced):
            raise UsageError(f"a prefix contains the end id {end}, and nothing is written after it")
        longest = max(map(len, forced), default=0)
        if longest > settings.max_length:
            raise UsageError(f"a prefix has {longest} ids, but max_length is {settings.max_length}")
        padded = torch.tensor([row + [-1] * (longest - len(row)) for row in forced], dtype=torch.int64)
        device = logits.device
        return cls(
            settings,
            size,
            end,
            torch.tensor(sorted(set(banned)), dtype=torch.int64, device=device),
            padded.view(rows, longest).to(device),
            logits.new_empty(rows * settings.width, size, dtype=torch.promote_types(logits.dtype, torch.float32)),
        )

    def continue_(self, logits: Tensor, scores: Tensor, ids: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities (A·S, C) float64 and ids of ``end`` and of each row's best other ids, sorted by id."""
        if logits.shape != (len(ids), self.size):
            raise ShapeError(f"after a step the logits are {tuple(logits.shape)}, expected ({len(ids)}, {self.size})")
        nats = torch.log_softmax(logits, 1, dtype=self.scratch.dtype, out=self.scratch[: len(ids)])
        broken = (nats[:, 0].isnan() & (scores.flatten() > _NEVER)).nonzero()  # one bad score spoils its whole row
        if len(broken):
            row = int(broken[0])
            index = int(inputs[row // scores.shape[1]])
            raise nothing_left(index) if logits[row].isneginf().all() else broken_scores(index)
        if ids.shape[1] == self.settings.max_length:
            return nats[:, self.end, None].double(), ids.new_full((len(ids), 1), self.end)
        self._forbid(nats, ids, inputs)
        ends = nats[:, self.end].clone()
        nats[:, self.end] = _NEVER
        tokens = _largest(nats, min(self.settings.width, self.size), logits)
        rounded = torch.cat([ends.unsqueeze(1), nats.gather(1, tokens)], 1)
        tokens, order = torch.cat([torch.full_like(tokens[:, :1], self.end), tokens], 1).sort(dim=1, stable=True)
        rounded = rounded.gather(1, order)
        # Different scores can round to the same log-probability; the exact scores keep them apart.
        exact, (top, column) = logits.gather(1, tokens).double(), rounded.max(1, keepdim=True)
        exact = (exact - exact.gather(1, column) + top).clamp(max=0)
        return torch.where(rounded > _NEVER, exact, _NEVER), tokens

    def _forbid(self, nats: Tensor, ids: Tensor, inputs: Tensor) -> None:
        """Set ``nats`` (A·S, V) to -inf for the ids that must not follow ``ids``."""
        length, n = ids.shape[1], self.settings.no_repeat_ngram
        rows = only = wanted = torch.empty(0, dtype=torch.int64, device=ids.device)
        if length < self.forced.shape[1]:
            wanted = self.forced[inputs, length].repeat_interleave(len(ids) // len(inputs))
            rows = (wanted >= 0).nonzero().squeeze(1)
            wanted = wanted[rows]
            only = nats[rows, wanted]
        nats[:, self.banned] = _NEVER
        if length < self.settings.min_length:
            nats[:, self.end] = _NEVER
        if 0 < n <= length:
            grams = ids.unfold(1, n, 1)  # (A·S, t - n + 1, n)
            again = (grams[..., :-1] == ids[:, None, length - n + 1 :]).all(2)
            row, place = again.nonzero(as_tuple=True)
            nats[row, grams[row, place, -1]] = _NEVER
        if len(rows):
            nats[rows] = _NEVER
            nats[rows, wanted] = only
