"""What a run refuses because of its ranks; what several do is in tests/distributed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from contracts.runs import RUNS
from contracts.sharing import ITEMS
from samples import SAMPLES, network_for, training
from torch.distributed.fsdp import FSDPModule

from unrolled.errors import UsageError
from unrolled.runs.checks import check_shards
from unrolled.runs.on_ranks import check_ranks
from unrolled.training.together import Together


def test_one_process_has_nobody_to_share_weights_with(tmp_path: Path) -> None:
    message = "shard_weights needs several processes: start the command with torchrun, or train without it"
    with pytest.raises(UsageError, match=message):
        RUNS["plain rows"].fit(tmp_path / "out", shard_weights=True)
    assert not (tmp_path / "out").exists()


def test_an_older_torch_cannot_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    config: Any = SimpleNamespace(training=training({"shard_weights": True}))
    check_ranks(config, Together(0, 2))
    monkeypatch.delattr(FSDPModule, "set_reduce_scatter_unused_params")
    with pytest.raises(UsageError, match=r"shard_weights needs torch 2.13, not \d.*: install it, or train"):
        check_ranks(config, Together(0, 2))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("sampled", "shard_weights does not go with a sampled softmax: set sampled_softmax to 0, or train without"),
        ("frozen", "shard_weights does not go with frozen vectors: set freeze to false, or train without"),
    ],
)
def test_weights_of_which_only_some_rows_are_trained_are_not_cut(kind: str, message: str) -> None:
    task = SAMPLES["next_step several"].ask() if kind == "frozen" else ITEMS.ask()
    network = network_for(task, "gru")
    frozen = {}
    if kind == "sampled":
        network.initialise(torch.zeros(task.outputs), 1, 3)
    else:
        frozen = {"columns.embeddings.0.weight": torch.ones(3, dtype=torch.bool)}
    check_shards(network, frozen, training({}))
    with pytest.raises(UsageError, match=message):
        check_shards(network, frozen, training({"shard_weights": True}))
