"""C7: truncated BPTT with k2 = T is the full gradient; lanes carry state; a new sequence never inherits one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from configs import model_config
from torch import Tensor

from unrolled.batch import Discrete
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.aligned import Aligned
from unrolled.data.plans.windows import Lanes, Rows
from unrolled.layers.factory import model_names
from unrolled.models.network import Network
from unrolled.state import flatten
from unrolled.testing.subject import same
from unrolled.training.bptt import TruncatedBPTT

T = 12
ROWS = [[1, 3, 0, 2, 2, 1, 0, 3, 3, 1, 2, 0], [2, 0, 1], [3, 3, 1, 0, 2], [1]]


def network(name: str, dtype: torch.dtype = torch.float64) -> Network:
    torch.manual_seed(4)
    return Network({"ids": Discrete(4)}, model_config(name=name, hidden=4, layers=2, window=5), 4, False).to(dtype)


def learns_from_its_state(name: str) -> bool:
    """Whether a state depends on weights, so that cutting the graph behind it cuts off a part of the gradient."""
    _, state = network(name)({"ids": torch.zeros(1, 2, dtype=torch.int64)}, torch.tensor([2]))
    return any(part.requires_grad for _, part in flatten(state))


CAUSAL = [name for name in model_names() if network(name).causal]


def examples(rows: list[list[int]]) -> Examples:
    ids = Encoded(np.concatenate([np.array(row, np.uint8) for row in rows]), np.cumsum([0, *map(len, rows)]))
    return Examples({"ids": ids}, {"ids": Discrete(4)}, ids, Discrete(4), Aligned())


def gradient(loss: Tensor, model: Network) -> dict[str, Tensor]:
    """∂loss/∂ each weight; zeros for what the loss does not reach."""
    named = dict(model.named_parameters())
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(named, found, strict=True))


def full(model: Network, rows: list[list[int]]) -> dict[str, Tensor]:
    """The gradient of the summed loss through the whole of one sequence."""
    part = examples(rows)
    outputs, batch = TruncatedBPTT(model).run(Loader(part, Rows(part.steps(), 1)), 0, "cpu")
    return gradient(loss_of(outputs, batch.inputs["ids"], batch.lengths), model)


def loss_of(outputs: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
    real = torch.arange(outputs.shape[1]) < lengths[:, None]
    return torch.nn.functional.cross_entropy(outputs[real], (ids[real] + 1) % 4, reduction="sum")


def truncated(model: Network, rows: list[list[int]], window: int, chunks: int) -> list[dict[str, Tensor]]:
    """The gradient of each update in one lane, with k1 = ``window`` and k2 = ``chunks`` · k1, at the same weights."""
    part = examples(rows)
    loader, carry = Loader(part, Lanes(part.steps(), 1, window)), TruncatedBPTT(model, chunks)
    found = []
    for index in range(len(loader)):
        outputs, batch = carry.run(loader, index, "cpu")
        found.append(gradient(loss_of(outputs, batch.inputs["ids"], batch.lengths), model))
    return found


@pytest.mark.parametrize("name", CAUSAL)
def test_one_window_of_the_whole_sequence_is_the_full_gradient_to_the_bit(name: str) -> None:
    model = network(name, torch.float32)
    (only,) = truncated(model, ROWS[:1], T, 1)
    same(only, full(model, ROWS[:1]), 0)


@pytest.mark.parametrize("k1", [1, 3, 5])
@pytest.mark.parametrize("name", CAUSAL)
def test_updates_that_reach_back_to_the_beginning_add_up_to_the_full_gradient(name: str, k1: int) -> None:
    model = network(name)
    updates = truncated(model, ROWS[:1], k1, -(-T // k1))
    assert len(updates) == -(-T // k1)
    total = {weight: torch.stack([update[weight] for update in updates]).sum(0) for weight in updates[0]}
    same(total, full(model, ROWS[:1]), 1e-12)


@pytest.mark.parametrize("name", [name for name in CAUSAL if learns_from_its_state(name)])
def test_updates_that_do_not_reach_back_miss_a_part_of_it(name: str) -> None:
    """Otherwise the tests above would prove nothing."""
    model = network(name)
    cut, exact = truncated(model, ROWS[:1], 3, 1), full(model, ROWS[:1])
    total = {weight: torch.stack([update[weight] for update in cut]).sum(0) for weight in exact}
    assert any(not torch.allclose(total[weight], exact[weight], atol=1e-6) for weight in exact)


def outputs_by_step(model: Network, rows: list[list[int]], lanes: int, window: int) -> dict[tuple[int, int], Tensor]:
    """(row, step) -> the output there."""
    part = examples(rows)
    loader, carry = Loader(part, Lanes(part.steps(), lanes, window)), TruncatedBPTT(model)
    found = {}
    for index in range(len(loader)):
        outputs, batch = carry.run(loader, index, "cpu")
        starts = loader.plan[index].starts.tolist()
        for lane, (row, length) in enumerate(zip(batch.rows.tolist(), batch.lengths.tolist(), strict=True)):
            found |= {(row, starts[lane] + t): outputs[lane, t].detach() for t in range(length)}
    return found


@pytest.mark.parametrize("window", [1, 2, 5, 40])
@pytest.mark.parametrize("name", CAUSAL)
def test_a_lane_carries_its_state_across_windows_and_into_no_other_sequence(name: str, window: int) -> None:
    """Side by side in one lane, each sequence is answered as it is alone."""
    model = network(name)
    found = outputs_by_step(model, ROWS, 1, window)
    for row, ids in enumerate(ROWS):
        alone = model({"ids": torch.tensor([ids])}, torch.tensor([len(ids)]))[0][0].detach()
        same({"y": torch.stack([found[row, t] for t in range(len(ids))])}, {"y": alone}, 1e-12)


@pytest.mark.parametrize("name", CAUSAL)
def test_a_sequence_is_answered_the_same_to_the_bit_whatever_came_before_it(name: str) -> None:
    model = network(name, torch.float32)
    others = [[(i + 1) % 4 for i in ROWS[0]], *ROWS[1:]]
    ours, theirs = outputs_by_step(model, ROWS, 1, 4), outputs_by_step(model, others, 1, 4)
    assert all(torch.equal(ours[place], theirs[place]) for place in ours if place[0] != 0)
    assert any(not torch.equal(ours[place], theirs[place]) for place in ours if place[0] == 0)


@pytest.mark.parametrize("name", CAUSAL)
def test_lanes_side_by_side_never_look_at_each_other(name: str) -> None:
    model = network(name)
    rows = [ROWS[0], list(reversed(ROWS[0]))]
    found = outputs_by_step(model, rows, 2, 5)
    for row, ids in enumerate(rows):
        alone = model({"ids": torch.tensor([ids])}, torch.tensor([len(ids)]))[0][0].detach()
        same({"y": torch.stack([found[row, t] for t in range(T)])}, {"y": alone}, 1e-12)


def test_a_lane_that_waits_keeps_its_state() -> None:
    """Of two lanes of unequal windows, the one that is done has segments of length 0 until the other is done."""
    model, part = network("lstm"), examples([[0, 1, 2, 3, 0], [1], [2], [3], [0], [1]])
    loader, carry = Loader(part, Lanes(part.steps(), 2, 2)), TruncatedBPTT(model)
    waiting = [index for index in range(len(loader)) if not loader[index].lengths.all()]
    assert waiting
    for index in range(len(loader)):
        before = carry.state
        carry.run(loader, index, "cpu")
        if index in waiting:
            lane = int((loader[index].lengths == 0).nonzero()[0])
            assert torch.equal(carry.state.layer[0].c[lane], before.layer[0].c[lane])
