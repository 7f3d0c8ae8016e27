"""A network beside another model: sums, mixtures, chunks, sessions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from configs import model_config
from torch import Tensor

from unrolled.batch import Batch, Discrete
from unrolled.errors import UsageError
from unrolled.layers.item_outputs import ItemOutputs
from unrolled.models.combined import Combined
from unrolled.models.network import Network

LENGTHS = torch.tensor([6, 3])


def network(seed: int, pooled: bool = False, **options: Any) -> Network:
    torch.manual_seed(seed)
    config = model_config(**{"name": "gru", "hidden": 4, **options})
    return Network({"ids": Discrete(5)}, config, outputs=3, pooled=pooled).eval()


def batch(begin: int = 0, end: int = 6) -> Batch:
    ids = torch.arange(12).view(2, 6)[:, begin:end] % 5
    return Batch({"ids": ids}, (LENGTHS - begin).clamp(0, end - begin), torch.arange(2))


@pytest.mark.parametrize("pooled", [False, True])
def test_a_network_that_starts_from_another_answers_as_it_does_at_first(pooled: bool) -> None:
    other = network(1, pooled)
    wanted, _ = other.run(batch())
    together = Combined(network(0, pooled), other, "sum").eval()
    together.initialise(torch.ones(3), 0, 0)  # frequencies, which the other knows already
    assert torch.equal(together.run(batch())[0], wanted)
    assert all(not weights.requires_grad for weights in other.parameters())


def test_only_the_network_learns() -> None:
    together = Combined(network(0), network(1), "sum")
    outputs, _ = together.run(batch())
    outputs.sum().backward()
    assert together.network.head.weight.grad.abs().sum() > 0
    assert all(weights.grad is None for weights in together.other.parameters())


def outputs_of(model: Combined, parts: list[Batch]) -> Tensor:
    state, found = model.initial_state(2), []
    for part in parts:
        outputs, state = model.run(part, state)
        found.append(outputs)
    return torch.cat(found, 1)


@pytest.mark.parametrize("how", ["sum", "mean", "softmax", "sigmoid"])
def test_whole_chunked_and_live_agree_and_padding_is_0(how: Any) -> None:
    together = Combined(network(0), network(1, name="lstm"), how).eval()
    together.share.fill_(0.3)
    whole = outputs_of(together, [batch()])
    assert not whole[1, 3:].any()
    chunks = outputs_of(together, [batch(0, 2), batch(2, 6)])
    assert torch.allclose(chunks, whole, atol=1e-6)
    session = together.session(2)
    for step in range(3):
        pushed = session.push({"ids": batch().inputs["ids"][:, step]})
        assert torch.allclose(pushed, whole[:, step], atol=1e-5)
    again = together.session(2)
    again.state = session.state
    ids = {"ids": batch().inputs["ids"][:, 3]}
    assert torch.equal(again.push(ids), session.push(ids))


@pytest.mark.parametrize("other", ["lstm", "transformer"])
def test_rows_of_both_are_stepped_together(other: str) -> None:
    together = Combined(network(0), network(1, name=other), "softmax").eval()
    pool, alone = together.pool(), [together.session() for _ in range(2)]
    first = pool.read(np.zeros(1, np.int64))
    pool.grow(2)
    pool.write(np.arange(2), first)
    for slots in ([1], [0, 1], [1, 0]):
        ids = torch.tensor([1, 3])[: len(slots)]
        found = pool.run(np.array(slots), {"ids": ids}, [np.arange(len(slots))])
        wanted = [alone[slot].push({"ids": ids[n : n + 1]}) for n, slot in enumerate(slots)]
        assert torch.allclose(found, torch.cat(wanted), atol=1e-6)


def test_over_items_they_are_mixed_where_it_is_asked_for() -> None:
    """As the same networks whose outputs are held in memory, whole and live."""
    found, scores, made = [], [], []
    for chosen in ("ids", None):
        parts = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            config = model_config(name="gru", hidden=4)
            parts.append(Network({"ids": Discrete(5)}, config, outputs=5, pooled=False, chosen=chosen).eval())
        together = Combined(*parts, "softmax").eval()
        together.share.fill_(0.3)
        made.append(together)
        found.append(together.run(batch())[0])
        scores.append(together.session(2).push({"ids": batch().inputs["ids"][:, 0]}))
    lazy, dense = found
    assert isinstance(lazy, ItemOutputs) and isinstance(dense, Tensor)
    real = torch.arange(6) < LENGTHS[:, None]
    torch.testing.assert_close(lazy.at(real).scores(), dense[real])
    torch.testing.assert_close(made[0](batch().inputs, LENGTHS)[0], dense)
    assert torch.equal(*scores)
    torch.testing.assert_close(scores[0], dense[:, 0])


def test_what_cannot_stream_says_why() -> None:
    together = Combined(network(0), network(1, name="bigru"), "mean")
    assert not together.causal
    assert "both directions" in str(together.cannot_stream)


def test_its_weights_and_embeddings_have_the_names_of_its_parts() -> None:
    together = Combined(network(0), network(1), "mean")
    (named,) = together.embeddings().values()
    assert named.name in dict(together.named_parameters())
    assert {name.split(".")[0] for name in together.state_dict()} == {"network", "other", "share"}  # each weight once
    assert together.layer is together.network.layer and together.columns is together.network.columns


def test_a_tied_head_has_no_weights_to_begin_at_0() -> None:
    torch.manual_seed(0)
    config = model_config(name="gru", hidden=4, tied=True)
    items = Network({"ids": Discrete(5)}, config, outputs=5, pooled=False, chosen="ids")
    with pytest.raises(UsageError, match="tied"):
        items.silence()
