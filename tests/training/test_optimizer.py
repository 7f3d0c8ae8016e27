"""AdamW as torch has it, without torch's compiler."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from unrolled.training.config import TrainingConfig
from unrolled.training.optimizer import optimizer_for


def test_the_steps_are_those_of_torch() -> None:
    def trained(ours: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        network = nn.Linear(3, 2)
        config = TrainingConfig(lr=0.1, weight_decay=0.2)
        groups = [{"params": [network.weight], "weight_decay": 0.2}, {"params": [network.bias], "weight_decay": 0.0}]
        optimizer = optimizer_for(network, config, {}) if ours else torch.optim.AdamW(groups, lr=0.1, fused=True)
        for _ in range(3):
            optimizer.zero_grad()
            network(torch.ones(4, 3)).square().sum().backward()
            optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
        return [*network.parameters(), *(part for state in optimizer.state.values() for part in state.values())]

    assert all(torch.equal(a, b) for a, b in zip(trained(True), trained(False), strict=True))


def test_it_does_not_bring_the_compiler() -> None:
    program = """
import sys, torch
from unrolled.training.config import TrainingConfig
from unrolled.training.optimizer import optimizer_for
network = torch.nn.Linear(3, 2)
optimizer = optimizer_for(network, TrainingConfig(), {})
optimizer.zero_grad()
network(torch.ones(4, 3)).sum().backward()
optimizer.step()
optimizer.load_state_dict(optimizer.state_dict())
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
