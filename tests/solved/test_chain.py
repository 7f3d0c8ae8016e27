"""The fast likelihood of chains is that of the CRF's own functions, and its gradient that of autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.batch import MISSING
from unrolled.layers.crf import FORBIDDEN, crf_log_partition, crf_score
from unrolled.solved import _chain
from unrolled.solved._chain import chain_nats, packed


def padded(flat: Tensor, transitions: Tensor, lengths: list[int]) -> Tensor:
    """The potentials of rows that stand end to end."""
    rows = torch.split(flat, lengths)
    together = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)  # (R, T, K)
    return together[:, :, None] + transitions


@pytest.mark.parametrize("lengths", [[3], [1, 4, 2], [0, 5, 1, 5], [2, 2]])
def test_value_and_gradient_are_those_of_the_crf(lengths: list[int]) -> None:
    torch.manual_seed(0)
    labels, rows = 3, packed(np.array(lengths))
    emissions = torch.randn(sum(lengths), labels, dtype=torch.float64, requires_grad=True)
    transitions = torch.randn(labels + 1, labels, dtype=torch.float64, requires_grad=True)
    wanted = crf_log_partition(padded(emissions, transitions, lengths), torch.tensor(lengths)).sum()
    chances, counts = torch.autograd.grad(wanted, [emissions, transitions])
    found, ours, moves = chain_nats(emissions.detach()[rows.order], transitions.detach(), None, rows)
    assert found == pytest.approx(float(wanted.detach()), abs=1e-9)
    assert torch.allclose(ours, chances[rows.order]) and torch.allclose(moves, counts)


def test_known_labels_leave_the_paths_through_them() -> None:
    torch.manual_seed(1)
    lengths, labels = [4, 2], 3
    target = torch.tensor([0, MISSING, 2, MISSING, 1, 1])
    emissions, transitions = torch.randn(6, labels), torch.randn(labels + 1, labels)
    transitions[0, 2] = FORBIDDEN
    rows = packed(np.array(lengths))
    allowed = (target == MISSING)[:, None] | (torch.arange(labels) == target[:, None])
    found, chances, _ = chain_nats(emissions[rows.order], transitions, allowed[rows.order], rows)
    both = torch.nn.utils.rnn.pad_sequence(list(torch.split(target, lengths)), batch_first=True)
    wanted = crf_score(padded(emissions, transitions, lengths), both, torch.tensor(lengths)).sum()
    assert found == pytest.approx(float(wanted), abs=1e-4)
    assert torch.allclose(chances.sum(1), torch.ones(6, dtype=torch.float64))
    assert (chances[~allowed[rows.order]] == 0).all()


def test_long_rows_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_chain, "_LONGEST", 3)
    rows = packed(np.array([7, 2]))
    assert rows.counts == [4, 3, 2] and rows.begins.tolist() == [True, False, True, False]
    assert rows.order.tolist() == [0, 3, 7, 6, 1, 4, 8, 2, 5]
    found, chances, _ = chain_nats(torch.zeros(9, 2), torch.zeros(3, 2), None, rows)
    assert found == pytest.approx(9 * np.log(2)) and torch.allclose(chances, torch.full_like(chances, 0.5))


def test_no_steps() -> None:
    rows = packed(np.array([0, 0], np.int64))
    value, chances, counts = chain_nats(torch.zeros(0, 2), torch.zeros(3, 2), None, rows)
    assert value == 0 and chances.shape == (0, 2) and not counts.any()
