"""The compressor against zlib itself."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from unrolled.baselines.gzip import Gzip
from unrolled.batch import MISSING
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def test_gzip_is_the_conditional_cost(tokens: Make) -> None:
    train, part = np.random.default_rng(0).integers(0, 50, 3_000), np.random.default_rng(1).integers(0, 50, 2_000)
    found = scores(Gzip.fit(tokens([train], 50)).judge(tokens([part], 50)))
    both, tail = (np.concatenate(rows).astype(np.uint8).tobytes() for rows in ((train, part), (train,)))
    wanted = 8 * (len(zlib.compress(both, 9)) - len(zlib.compress(tail, 9))) / len(part)
    assert found["bits_per_token"] == pytest.approx(wanted, abs=0.15)
    assert found["loss_nats_per_token"] == pytest.approx(found["bits_per_token"] * math.log(2))


def test_gzip_remembers_the_tail_of_training(tokens: Make) -> None:
    row = np.random.default_rng(0).integers(0, 200, 5_000)
    assert scores(Gzip.fit(tokens([row], 200)).judge(tokens([row], 200)))["bits_per_token"] < 0.2
    assert scores(Gzip.fit(tokens([row[::-1]], 200)).judge(tokens([row], 200)))["bits_per_token"] > 7


@pytest.mark.parametrize(("size", "width"), [(256, 1), (257, 2), (65_537, 4)])
def test_gzip_writes_an_id_in_as_few_bytes_as_it_needs(tokens: Make, size: int, width: int) -> None:
    assert len(Gzip.fit(tokens([[0, size - 1, 5]], size)).tail) == 3 * width


def test_gzip_does_not_pay_for_history(tokens: Make) -> None:
    random = np.random.default_rng(0).integers(0, 200, 4_000)
    train = tokens([random[:2_000]], 200)
    whole = scores(Gzip.fit(train).judge(tokens([random], 200, first=[2_000])))
    assert whole == scores(Gzip.fit(train).judge(tokens([random[2_000:]], 200)))


def test_it_applies_to_the_next_token_alone(tokens: Make, tagged: Make, series: Make) -> None:
    assert Gzip.applies(tokens([[0, 1]], 2))
    assert not Gzip.applies(tagged([[0]], [[0]], 1, 1))
    assert not Gzip.applies(series([np.zeros((4, 1))], 0))


def test_a_split_without_tokens_has_no_scores(tokens: Make) -> None:
    assert scores(Gzip.fit(tokens([[0, 1]], 2)).judge(tokens([[]], 2))) == {}


def test_a_missing_token_is_neither_written_nor_counted(tokens: Make) -> None:
    baseline = Gzip.fit(tokens([[0, MISSING, 1]], 2))
    assert baseline.tail == b"\x00\x01"
    assert scores(baseline.judge(tokens([[0, MISSING, 1]], 2))) == scores(baseline.judge(tokens([[0, 1]], 2)))
