"""Units held at their mean, one in each row of a batch: what each is worth."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from inspection.stubs import NextSymbol, batch_of, network_of
from torch import Tensor

from unrolled.errors import DataError, UsageError
from unrolled.inspection.ablation import ablate_units, losses_of, paired

H = "layer.layers.0.0.h"
TASK = NextSymbol()


def mean_loss(network: Any, batch: Any) -> float:
    with torch.no_grad():
        losses, counts = losses_of(network.eval(), TASK, batch)
    return float(losses.sum() / counts.sum())


def test_a_unit_held_at_its_mean_is_the_network_with_its_weights_edited() -> None:
    network, batch, unit = network_of("rnn"), batch_of(30), 3
    found = ablate_units(network, TASK, batch, H)
    assert found.units == tuple(range(8)) and len(found.worth) == 8 and found.answers == 30
    ordinary = mean_loss(network, batch)
    assert found.loss == pytest.approx(ordinary, abs=1e-6)
    cell: Any = network.layer.layers[0][0]  # type: ignore[attr-defined]
    weight_ih, weight_hh, bias_ih, bias_hh = (weight.data for weight in cell.weights())
    weight_ih[unit], weight_hh[unit], bias_hh[unit] = 0, 0, 0
    bias_ih[unit] = torch.atanh(torch.tensor(found.held[unit]))
    assert found.worth[unit].harm == pytest.approx(mean_loss(network, batch) - ordinary, abs=1e-6)


def test_a_cell_state_is_held_and_a_unit_that_nothing_reads_is_harmless() -> None:
    network, batch = network_of("lstm"), batch_of(30)
    network.head.weight.data[:, 5] = 0
    network.layer.layers[0][0].weight_hh.data[:, 5] = 0  # type: ignore[attr-defined]
    found = ablate_units(network, TASK, batch, "layer.layers.0.0.c")
    assert abs(found.worth[5].harm) < 1e-6 and not found.worth[5].sure
    assert 5 in found.harmless
    assert "layer 1, cell state: " in found.sentence and "over 30 answers" in found.sentence
    some = ablate_units(network, TASK, batch, "layer.layers.0.0.c", units=[5, 2])
    assert some.units == (5, 2)
    assert some.worth[1].harm == pytest.approx(found.worth[2].harm, abs=1e-6)


@pytest.mark.parametrize(("name", "path"), [("bigru", "layer.layers.0.1.h"), ("mingru", H), ("rnn", H)])
def test_rows_and_padding_each_row_counts_as_it_would_alone(name: str, path: str) -> None:
    """With the means of both rows held by hand."""
    network, batch = network_of(name), batch_of(12, rows=2)
    batch.lengths[1] = 5
    together = ablate_units(network, TASK, batch, path, units=[1])
    assert together.answers == 17
    held = together.held[0]

    def hold(other: str, value: Tensor) -> Tensor:
        if other == path:
            value = value.clone()
            value[:, 1] = held
        return value

    difference = 0.0
    with torch.no_grad():
        for row, length in enumerate((12, 5)):
            alone = batch.only(slice(row, row + 1))
            alone.inputs["ids"] = alone.inputs["ids"][:, :length]
            short = type(alone)(alone.inputs, alone.lengths, alone.rows, alone.target[:, :length])  # type: ignore[index]
            network.eval()
            changed, _ = losses_of(network, TASK, short, hold)
            ordinary, _ = losses_of(network, TASK, short)
            difference += float((changed - ordinary).sum())
    assert together.worth[0].harm == pytest.approx(difference / 17, abs=1e-6)


def test_one_answer_a_row() -> None:
    network, batch = network_of("gru", pooled=True), batch_of(6, rows=5, pooled=True)
    found = ablate_units(network, NextSymbol(pooled=True), batch, H)
    assert found.answers == 5 and len(found.worth) == 8
    assert network.training


def test_what_cannot_be_held_is_said() -> None:
    network, batch = network_of("transformer"), batch_of(6)
    with pytest.raises(UsageError, match=r"^the model shows nothing at 'layer.layers.0.0.c'"):
        ablate_units(network, TASK, batch, "layer.layers.0.0.c")
    with pytest.raises(UsageError, match="block 1, attention has no units"):
        ablate_units(network, TASK, batch, "layer.blocks.0.own.attention")
    rnn = network_of("rnn")
    with pytest.raises(UsageError, match="there is no unit 8: layer 1, hidden state has the units 0 to 7"):
        ablate_units(rnn, TASK, batch, H, units=[8])
    with pytest.raises(DataError, match="has no target"):
        ablate_units(rnn, TASK, type(batch)(batch.inputs, batch.lengths, batch.rows), H)


def test_a_difference_is_sure_beyond_two_standard_errors() -> None:
    worth = paired(torch.tensor([1.0, 2.0, 3.0]))
    assert (worth.harm, worth.error) == (2.0, pytest.approx(3**-0.5))
    assert worth.sure
    assert not paired(torch.tensor([-1.0, 2.0])).sure
    assert not paired(torch.tensor([1.0])).sure
