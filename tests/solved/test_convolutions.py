"""Counts of kernels against a loop over their definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from unrolled.solved import _convolutions
from unrolled.solved._convolutions import KERNELS, Convolutions, dilations_of


@pytest.mark.parametrize("block", [1 << 18, 84 * 3 * 7, 1])
def test_counts_are_those_of_the_definition(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_convolutions, "_BLOCK", block)
    dilations = (1, 2, 2)
    kernels = Convolutions(2, dilations, 2)
    random = np.random.default_rng(0)
    rows = [torch.from_numpy(random.normal(size=(n, 2)).astype(np.float32)) for n in (30, 12, 0, 25)]
    kernels.draw([row for row in rows if len(row)], random)
    lengths = torch.tensor([len(row) for row in rows])
    x = torch.zeros(4, kernels.past + 30, 2)
    for place, row in enumerate(rows):
        x[place, kernels.past : kernels.past + len(row)] = kernels.rounded(row)
    counts = kernels.count(x, torch.zeros(4, dtype=torch.int64), lengths)
    shares = kernels.shares(counts, lengths).view(4, 2, 3, KERNELS)
    found = counts.view(4, 2, 3, KERNELS)
    triples = list(itertools.combinations(range(9), 3))
    for number, kernel, place in itertools.product(range(3), range(KERNELS), range(4)):
        signs = [2 if j in triples[kernel] else -1 for j in range(9)]
        read = kernels.taps[number, kernel].view(9, 2) != 0
        assert torch.equal(read, read[:1].expand(9, 2)) and read.any()
        dilation, begin = dilations[number], 8 * dilations[number] if (number + kernel) % 2 else 0
        summed = (x[place] * read[0]).sum(1)
        answers = [
            sum(sign * float(summed[kernels.past + t - (8 - j) * dilation]) for j, sign in enumerate(signs))
            for t in range(begin, int(lengths[place]))
        ]
        for bias in range(2):
            over = [answer > float(kernels.biases[bias, number, kernel]) for answer in answers]
            assert found[place, bias, number, kernel] == sum(over)
            share = float(shares[place, bias, number, kernel])
            assert share == pytest.approx(np.mean(over)) if over else np.isnan(share)


def test_biases_divide_the_answers_evenly() -> None:
    kernels = Convolutions(1, dilations_of(100, 32), 4)
    row = torch.randn(100, 1, generator=torch.Generator().manual_seed(0))
    kernels.draw([row], np.random.default_rng(0))
    x = torch.cat([torch.zeros(kernels.past, 1), kernels.rounded(row)])[None]
    length = torch.tensor([100])
    shares = kernels.shares(kernels.count(x, torch.zeros(1, dtype=torch.int64), length), length)[0]
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.std() == pytest.approx(12**-0.5, abs=0.03)


@pytest.mark.parametrize(("steps", "count"), [(9, 32), (10, 8), (10_000, 32), (1, 8)])
def test_the_longest_kernel_fits_into_the_row(steps: int, count: int) -> None:
    dilations = dilations_of(steps, count)
    assert len(dilations) == count
    assert min(dilations) == 1 and max(dilations) * 8 < max(steps, 9)
