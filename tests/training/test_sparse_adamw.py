"""Steps for a few rows of a matrix: AdamW's own where every row has a gradient, and bounded memory for a million."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import warm
from torch import nn

from unrolled.training.sparse_adamw import clip_gradients, step_rows


def sparse(gradient: torch.Tensor, rows: list[int]) -> torch.Tensor:
    return torch.sparse_coo_tensor(torch.tensor([rows]), gradient[rows], gradient.shape, check_invariants=True)


def test_where_every_row_has_a_gradient_it_is_adamw() -> None:
    torch.manual_seed(0)
    one, other = nn.Parameter(torch.randn(5, 3)), nn.Parameter(torch.zeros(5, 3))
    other.data.copy_(one.data)
    options = {"lr": 0.05, "weight_decay": 0.1}
    mine, theirs = torch.optim.AdamW([one], **options), torch.optim.AdamW([other], **options)
    for _ in range(7):
        gradient = torch.randn(5, 3)
        one.grad, other.grad = sparse(gradient, [4, 2, 0, 1, 3]).coalesce(), gradient
        step_rows(mine)
        assert one.grad is None
        mine.step()  # it has nothing left to do
        theirs.step()
        torch.testing.assert_close(one, other)
    for name, value in theirs.state[other].items():
        torch.testing.assert_close(mine.state[one][name], value)


def test_a_row_without_a_gradient_stays_as_it_is() -> None:
    weight = nn.Parameter(torch.ones(4, 2))
    optimizer = torch.optim.AdamW([weight], lr=0.1, weight_decay=0.5)
    for _ in range(3):
        gradient = torch.ones(4, 2)
        gradient[3] = 0.0  # as where padding is read
        weight.grad = sparse(gradient, [1, 3]).coalesce()
        step_rows(optimizer)
    weight.grad = sparse(torch.zeros(4, 2), [2]).coalesce()
    step_rows(optimizer)
    assert optimizer.state[weight]["step"] == 3
    assert torch.equal(weight[[0, 2, 3]], torch.ones(3, 2))
    assert bool((weight[1] < 0.8).all())
    assert not optimizer.state[weight]["exp_avg"][[0, 2, 3]].any()


@pytest.mark.parametrize("largest", [0.5, 100.0, float("inf")])
def test_gradients_of_both_kinds_are_clipped_together(largest: float) -> None:
    torch.manual_seed(0)
    dense, rows = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(4, 2))
    plain = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(4, 2))]
    gradient = torch.randn(4, 2)
    dense.grad = torch.randn(3)
    rows.grad = sparse(gradient, [1, 3]) + sparse(gradient, [1])  # row 1 twice: not coalesced
    plain[0].grad, plain[1].grad = dense.grad.clone(), rows.grad.to_dense()
    expected = nn.utils.clip_grad_norm_(plain, largest)
    torch.testing.assert_close(clip_gradients([dense, rows], largest), expected)
    torch.testing.assert_close(dense.grad, plain[0].grad)
    torch.testing.assert_close(rows.grad.to_dense(), plain[1].grad)


_MILLION = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from unrolled.layers.config import ModelConfig
from unrolled.tasks.config import TaskConfig
from unrolled.training.config import TrainingConfig
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.encodings._token_lists import TokenLists
from unrolled.data.encodings._words import Words
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.next import Next
from unrolled.models.network import Network
from unrolled.tasks.next_step import NextStep
from unrolled.training.evaluate import evaluate
from unrolled.training.trainer import Trainer

items = TokenLists(Words([str(n) for n in range(1_000_000)], items=True), framed=False)
coder = Preprocessor({"item": items}, "item", items, Next())
task = NextStep(NextStep.Options(), coder)
clicks = np.random.default_rng(0).zipf(1.2, 32 * 40) % 1_000_000 + 3

def split(rows):
    column = Encoded(clicks[: rows * 40].astype(np.uint32), np.arange(rows + 1) * 40)
    return Examples({"item": column}, {"item": items.spec}, column, items.spec, Next(), first_item=3)

config = ModelConfig(name="gru", hidden=8, embedding=8)
torch.manual_seed(0)
network = Network({"item": items.spec}, config, task.outputs, pooled=False, chosen="item")
network.initialise(task.measure_training(split(32)).prior, 0, 4096)
training = TrainingConfig(steps=3, batch=32, device="cpu")
trainer = Trainer(network, task, split(32), None, training, Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
trainer.run()
metrics = evaluate(network, task, split(1), training)
assert metrics["loss_nats_per_token"] < 14 and "hit_at_10_sampled" in metrics
weights = sum(p.numel() for p in network.parameters()) * 4 / 2**20
print(before / 2**10, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10, weights)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the units of ru_maxrss are Linux's")
def test_a_million_items_train_in_a_memory_of_a_few_times_their_weights(tmp_path: Path) -> None:
    """Two moments, a checkpoint in memory while it is written, the scores of 16 steps when judged: no batch of them.

    The scores of all items for one batch, 32 · 39 steps of 4 MB, would be 5 000 MiB, and as much their gradient.
    """
    done = warm.run(_MILLION, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    before, peak, weights = map(float, done.stdout.split())
    assert peak - before < 7 * weights + 400, (before, peak, weights)
