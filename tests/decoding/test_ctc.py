"""Labellings of frames against the sum over all alignments, one by one."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch.nn.functional import ctc_loss

from unrolled.decoding.ctc import BLANK, CtcBeam, ctc_beam, ctc_greedy
from unrolled.errors import ModelError, ShapeError, UsageError

WIDE = CtcBeam(width=10_000, prune=0)


def frames(rows: int, steps: int, symbols: int, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(rows, steps, symbols, generator=generator, dtype=torch.float64)).log_softmax(2)


def collapse(path: Sequence[int]) -> tuple[int, ...]:
    return tuple(one for one, _ in itertools.groupby(path) if one != BLANK)


def all_labellings(nats: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of every labelling: every alignment is written down and collapsed."""
    chances: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(nats.shape[1]), repeat=len(nats)):
        chances[collapse(path)] += math.exp(sum(nats[t, symbol] for t, symbol in enumerate(path)))
    return chances


@pytest.mark.parametrize(("steps", "symbols"), [(1, 1), (3, 1), (1, 3), (4, 2), (6, 3), (5, 4)])
def test_a_wide_beam_is_the_sum_over_all_alignments(steps: int, symbols: int) -> None:
    scores = frames(4, steps, symbols, seed=steps)
    for row, found in enumerate(ctc_beam(scores, torch.full((4,), steps), WIDE)):
        wanted = all_labellings(scores[row].numpy())
        assert {tuple(one.ids): one.score for one in found} == {
            ids: pytest.approx(math.log(p), rel=1e-9, abs=1e-12) for ids, p in wanted.items()
        }
        assert [one.merit for one in found] == sorted((one.score for one in found), reverse=True)
        assert sum(math.exp(one.score) for one in found) == pytest.approx(1)


def test_symbols_that_cannot_be_are_not_found() -> None:
    scores = frames(6, 5, 4)
    scores[torch.rand(scores.shape, generator=torch.Generator().manual_seed(1)) < 0.4] = -math.inf
    scores[:, :, 1] = scores[:, :, 1].clamp(min=-800)  # such numbers vanish as probabilities, but not beside -inf
    for row, found in enumerate(ctc_beam(scores, torch.full((6,), 5), WIDE)):
        wanted = {ids: p for ids, p in all_labellings(scores[row].numpy()).items() if p > 1e-200}
        assert {tuple(one.ids) for one in found if one.score > -400} == wanted.keys()
        assert found[0].score == pytest.approx(math.log(max(wanted.values())), rel=1e-9)


def test_the_score_is_that_of_the_loss() -> None:
    scores = frames(5, 40, 7, scale=6)
    for row, found in enumerate(ctc_beam(scores, torch.full((5,), 40), CtcBeam(width=200, prune=0))):
        ids = torch.tensor([found[0].ids])
        sizes = torch.tensor([40]), torch.tensor([ids.shape[1]])
        nats = -ctc_loss(scores[row, :, None], ids, *sizes, reduction="sum")
        assert found[0].score <= float(nats) + 1e-9  # alignments that were dropped are missing
        assert found[0].score == pytest.approx(float(nats), abs=0.2)


def test_very_unlikely_frames_do_not_vanish() -> None:
    scores = frames(1, 3_000, 5, scale=2) - 30
    (found,) = ctc_beam(scores, torch.tensor([3_000]), CtcBeam(width=4))
    assert -100_000 < found[0].score < -90_000


def test_a_wider_beam_is_never_worse_and_prunes_little() -> None:
    scores, lengths = frames(20, 30, 12, scale=2.5), torch.full((20,), 30)
    narrow, wide, pruned = (
        ctc_beam(scores, lengths, CtcBeam(width=width, prune=prune))
        for width, prune in ((1, 0.0), (64, 0.0), (64, 0.01))
    )
    better = changed = 0
    for one, two, three in zip(narrow, wide, pruned, strict=True):
        assert one[0].score <= two[0].score + 1e-9
        better += one[0].score < two[0].score - 1e-3
        assert len(one) == 1
        assert len(two) == 64
        assert three[0].ids == two[0].ids
        assert three[0].score == pytest.approx(two[0].score, abs=0.1)
        changed += three[0].score != two[0].score
    assert better > 10
    assert changed > 0


def test_a_labelling_that_was_dropped_and_comes_back_is_still_one() -> None:
    scores = frames(300, 25, 3, scale=1.5)
    for row in ctc_beam(scores, torch.full((300,), 25), CtcBeam(width=5)):
        assert len({tuple(one.ids) for one in row}) == len(row)


# --- a language model --------------------------------------------------------------------------------------------


def bigram(ids: Sequence[int], symbol: int) -> float:
    return -0.3 - 0.7 * ((ids[-1] if ids else 0) * 3 % 4 == symbol % 2)


def test_a_language_model_is_weighed_in() -> None:
    scores = frames(3, 5, 4)
    settings = CtcBeam(width=10_000, prune=0, language_weight=0.8, bonus=0.25)
    for row, found in enumerate(ctc_beam(scores, torch.full((3,), 5), settings, bigram)):
        wanted = {}
        for ids, p in all_labellings(scores[row].numpy()).items():
            said = sum(bigram(ids[:u], symbol) for u, symbol in enumerate(ids))
            wanted[ids] = math.log(p) + 0.8 * said + 0.25 * len(ids)
        assert {tuple(one.ids): one.merit for one in found} == {
            ids: pytest.approx(merit, rel=1e-9, abs=1e-12) for ids, merit in wanted.items()
        }
        assert found[0].ids == list(max(wanted, key=lambda ids: wanted[ids]))


def test_a_bonus_alone_makes_labellings_longer() -> None:
    scores, lengths = frames(10, 12, 4), torch.full((10,), 12)
    plain, longer = (ctc_beam(scores, lengths, CtcBeam(bonus=bonus)) for bonus in (0.0, 1.0))
    assert sum(len(row[0].ids) for row in longer) > sum(len(row[0].ids) for row in plain) + 10


def test_a_language_model_is_asked_once_for_each_prefix_and_symbol() -> None:
    asked = []

    def listen(ids: Sequence[int], symbol: int) -> float:
        asked.append((*ids, symbol))
        return -1.0

    ctc_beam(frames(1, 20, 4), torch.tensor([20]), CtcBeam(width=5), listen)
    assert len(asked) == len(set(asked))
    assert BLANK not in {ids[-1] for ids in asked}


def test_a_language_that_forbids_all_is_refused() -> None:
    scores = frames(2, 3, 3)
    scores[1, :, BLANK] = -math.inf
    with pytest.raises(ModelError, match="row 1: every allowed id has probability 0"):
        ctc_beam(scores, torch.tensor([3, 3]), CtcBeam(), lambda ids, symbol: -math.inf)


# --- greedy ------------------------------------------------------------------------------------------------------


def test_greedy_collapses_the_likeliest_alignment() -> None:
    scores, lengths = frames(30, 9, 3), torch.arange(30) % 10
    wanted = [list(collapse(scores[row, :n].argmax(1).tolist())) for row, n in enumerate(lengths.tolist())]
    assert ctc_greedy(scores, lengths) == wanted
    assert any(any(a == b for a, b in itertools.pairwise(ids)) for ids in wanted)  # with a blank between


# --- what both keep ----------------------------------------------------------------------------------------------


def test_what_lies_beyond_a_row_is_never_read() -> None:
    scores, lengths = frames(3, 6, 4), torch.tensor([6, 3, 0])
    spoiled = scores.clone()
    spoiled[1, 3:], spoiled[2] = math.nan, -math.inf
    assert ctc_greedy(spoiled, lengths) == ctc_greedy(scores, lengths)
    found = ctc_beam(spoiled, lengths, CtcBeam())
    assert found == ctc_beam(scores, lengths, CtcBeam())
    assert found[1] == ctc_beam(scores[1:2, :3], torch.tensor([3]), CtcBeam())[0]
    assert found[2] == [([], 0.0, 0.0)]


def test_no_rows_and_no_frames() -> None:
    assert ctc_greedy(frames(0, 3, 2), torch.zeros(0, dtype=torch.int64)) == []
    assert ctc_beam(frames(0, 3, 2), torch.zeros(0, dtype=torch.int64), CtcBeam()) == []
    assert ctc_greedy(torch.zeros(2, 0, 3), torch.tensor([0, 0])) == [[], []]
    assert ctc_beam(torch.zeros(1, 0, 3), torch.tensor([0]), CtcBeam()) == [[([], 0.0, 0.0)]]


def test_a_greedy_answer_is_what_sharp_frames_give_the_beam() -> None:
    scores, lengths = frames(20, 25, 6, scale=60), torch.full((20,), 25)
    assert [row[0].ids for row in ctc_beam(scores, lengths, CtcBeam(width=2))] == ctc_greedy(scores, lengths)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"prune": 1.0}, "prune must be below 1, got 1.0"),
        ({"language_weight": -1}, "language_weight must be at least 0, got -1"),
        ({"bonnus": 1}, "unknown option bonnus. Did you mean bonus?"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, float], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        CtcBeam.check(values)
    assert text in str(caught.value)


def test_what_cannot_be_read_is_refused() -> None:
    lengths = torch.tensor([4, 2])
    for decode in (ctc_greedy, lambda scores, lengths: ctc_beam(scores, lengths, CtcBeam())):
        for shape in ((2, 4), (2, 4, 0)):
            with pytest.raises(ShapeError, match=r"scores is \(2, 4.*\), expected \(B, T, K\) with K at least 1"):
                decode(torch.zeros(shape), lengths)
        with pytest.raises(ShapeError, match=r"lengths\[0\] is 4, expected 0 … 3"):
            decode(frames(2, 3, 3), lengths)
        for broken in (math.nan, math.inf):
            scores = frames(2, 4, 3)
            scores[1, 1, 2] = broken
            with pytest.raises(ModelError, match="row 1: the scores are not finite, .* use an earlier model"):
                decode(scores, lengths)
        scores = frames(2, 4, 3)
        scores[0, 3] = -math.inf
        with pytest.raises(ModelError, match="row 0: every allowed id has probability 0"):
            decode(scores, lengths)
