"""Counts of kernels against a loop over their definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from unrolled.solved import _convolutions
from unrolled.solved._convolutions import KERNELS, Convolutions, dilations_of


@pytest.mark.parametrize("piece", [4096, 7])
def test_counts_are_those_of_the_definition(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_convolutions, "_PIECE", piece)
    dilations, counts = [1, 2, 2], [2, 1, 1]
    kernels = Convolutions(2, dilations, counts)
    random = np.random.default_rng(0)
    rows = [torch.from_numpy(random.normal(size=(n, 2)).astype(np.float32)) for n in (30, 12, 0, 25)]
    kernels.draw([row for row in rows if len(row)], random)
    lengths = torch.tensor([len(row) for row in rows])
    x = torch.zeros(4, kernels.past + 30, 2)
    for place, row in enumerate(rows):
        x[place, kernels.past : kernels.past + len(row)] = kernels.rounded(row)
    found = kernels.count(x, torch.zeros(4, dtype=torch.int64), lengths)
    triples = list(itertools.combinations(range(9), 3))
    at = 0
    for number, (dilation, count) in enumerate(zip(dilations, counts, strict=True)):
        for _, kernel in itertools.product(range(count), range(KERNELS)):
            taps = [2 if j in triples[kernel] else -1 for j in range(9)]
            begin = 8 * dilation if (number + kernel) % 2 else 0
            assert kernels.reach[at] == begin
            for place, length in enumerate(lengths.tolist()):
                summed = (x[place] * kernels.mask[number, kernel]).sum(1)
                answers = [
                    sum(tap * float(summed[kernels.past + t - (8 - j) * dilation]) for j, tap in enumerate(taps))
                    for t in range(begin, length)
                ]
                assert found[place, at] == sum(answer > float(kernels.biases[at]) for answer in answers)
            at += 1
    assert at == kernels.size


def test_biases_divide_the_answers_evenly() -> None:
    kernels = Convolutions(1, *dilations_of(100, 119))
    row = torch.randn(100, 1, generator=torch.Generator().manual_seed(0))
    kernels.draw([row], np.random.default_rng(0))
    x = torch.cat([torch.zeros(kernels.past, 1), kernels.rounded(row)])[None]
    counts = kernels.count(x, torch.zeros(1, dtype=torch.int64), torch.tensor([100]))[0]
    shares = counts / (100 - kernels.reach)
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.std() == pytest.approx(12**-0.5, abs=0.03)


@pytest.mark.parametrize(("steps", "biases"), [(9, 119), (10, 6), (10_000, 119), (1, 30)])
def test_the_longest_kernel_fits_into_the_row(steps: int, biases: int) -> None:
    dilations, counts = dilations_of(steps, biases)
    assert sum(counts) == biases and min(counts) >= 1
    assert min(dilations) == 1 and max(dilations) * 8 < max(steps, 9)
