"""Heads of attention made uniform: those that matter are named, and those that do not are called so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from configs import model_config
from inspection.stubs import NextSymbol, batch_of, network_of

from unrolled.batch import Batch, Discrete
from unrolled.errors import DataError, UsageError
from unrolled.inspection.attribute import attribute
from unrolled.inspection.heads import heads_of
from unrolled.inspection.trace import trace
from unrolled.models.encoder_decoder import EncoderDecoder
from unrolled.models.network import Network
from unrolled.tasks.translate import Translate

TASK = NextSymbol()


def before(rows: int, steps: int = 24, seed: int = 3) -> Batch:
    """Every answer is the symbol before the last one."""
    ids = torch.randint(7, (rows, steps + 1), generator=torch.Generator().manual_seed(seed))
    scored = torch.ones(rows, dtype=torch.int64)  # the first step has none before it
    return Batch({"ids": ids[:, 1:]}, torch.full((rows,), steps), torch.arange(rows), ids[:, :-1], scored=scored)


@pytest.fixture(scope="module")
def looking() -> Network:
    """A transformer of one block that was trained to answer with the symbol before, its second head cut off."""
    network = network_of("transformer", hidden=16, layers=1, heads=2)
    block: Any = network.layer.blocks[0]  # type: ignore[attr-defined]
    own = block.own
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for step in range(120):
        batch = before(16, 12, seed=100 + step)
        optimizer.zero_grad()
        loss, count = TASK.loss(network.run(batch)[0], batch)
        (loss / count).backward()
        optimizer.step()
        with torch.no_grad():
            own.out.weight[:, 8:] = 0  # nothing reads what the second head finds
    return network


def test_a_head_that_the_answers_rest_on_matters_and_one_that_nothing_reads_does_not(looking: Network) -> None:
    found = heads_of(looking, TASK, before(4))
    first, second = found.heads
    assert (first.name, second.name) == ("block 1, head 0", "block 1, head 1")
    assert first.matters and first.worth.harm > 0.05
    assert abs(second.worth.harm) < 1e-6 and not second.matters
    matter, idle = found.verdicts
    assert matter.startswith("1 of 2 heads matters: attending to all steps alike raises loss_nats_per_token")
    assert "block 1, head 0, by" in matter
    assert idle.startswith("the map of block 1, head 1 explains nothing about the loss here")


def test_a_head_that_is_random_by_construction_is_called_so(looking: Network) -> None:
    """Its queries and keys are noise, and so is what it writes, which is small beside the rest."""
    network = network_of("transformer", hidden=16, layers=1, heads=2)
    network.load_state_dict(looking.state_dict())
    own: Any = network.layer.blocks[0].own  # type: ignore[attr-defined]
    random = torch.Generator().manual_seed(5)
    own.out.weight.data[:, 8:] = 0.01 * torch.randn(16, 8, generator=random)
    for part in (slice(8, 16), slice(24, 32)):  # the second head's queries and keys
        own.queries_keys_values.weight.data[part] = torch.randn(8, 16, generator=random)
    found = heads_of(network, TASK, before(4))
    assert [head.matters for head in found.heads] == [True, False]
    assert found.answers == 4 * 23


def test_the_difference_is_that_of_one_head_made_uniform_by_itself() -> None:
    network, batch = network_of("transformer", hidden=8, layers=2, heads=2), batch_of(15)
    found = trace(network, TASK, batch).heads()
    assert [head.name for head in found.heads][::3] == ["block 1, head 0", "block 2, head 1"]
    plain = trace(network, TASK, batch)
    for head in found.heads:
        alone = plain.without(head=(head.path, head.number))
        assert alone.loss is not None and plain.loss is not None
        assert head.worth.harm == pytest.approx(float((alone.loss - plain.loss).mean()), abs=1e-6)


def test_padding_counts_for_nothing() -> None:
    network, batch = network_of("bitransformer", hidden=8, heads=2), batch_of(9, rows=2)
    batch.lengths[1] = 4
    together = heads_of(network, TASK, batch).heads[0].worth.harm * 13
    alone = 0.0
    for row, length in enumerate((9, 4)):
        assert batch.target is not None
        one = Batch(
            {"ids": batch.inputs["ids"][row : row + 1, :length]},
            batch.lengths[row : row + 1],
            torch.tensor([0]),
            batch.target[row : row + 1, :length],
        )
        alone += heads_of(network, TASK, one).heads[0].worth.harm * length
    assert together == pytest.approx(alone, abs=1e-5)


def test_ranks_of_weights_agree_with_occlusion_where_both_see_the_same(looking: Network) -> None:
    batch = before(1)
    why = attribute(looking, TASK, batch, 20)
    assert why.top(1)[0][0] == 19
    first, second = heads_of(looking, TASK, batch, why).heads
    assert first.agreement is not None and second.agreement is not None
    assert -1 <= second.agreement <= 1
    assert heads_of(looking, TASK, batch).heads[0].agreement is None


def test_an_encoder_decoder_has_one_head() -> None:
    torch.manual_seed(0)
    network = EncoderDecoder({"ids": Discrete(7)}, model_config(name="gru", hidden=8), outputs=9)
    task: Any = Translate.__new__(Translate)
    task.options = Translate.Options()
    task.watch = "loss_nats_per_token"
    target = torch.tensor([[1, 5, 6, 2]])
    batch = Batch({"ids": torch.tensor([[1, 2, 3]])}, torch.tensor([3]), torch.tensor([0]), target, torch.tensor([4]))
    (head,) = heads_of(network, task, batch).heads
    assert head.name == "decoder, head 0"


def test_a_model_without_attention_and_data_without_a_target() -> None:
    with pytest.raises(UsageError, match="only a model with attention has heads; this one is the lstm"):
        heads_of(network_of("lstm"), TASK, batch_of(5))
    batch = batch_of(5)
    with pytest.raises(DataError, match="no target"):
        heads_of(network_of("transformer"), TASK, Batch(batch.inputs, batch.lengths, batch.rows))
