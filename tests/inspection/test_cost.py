from __future__ import annotations

import pytest
import torch
from configs import model_config

from unrolled.batch import Continuous, Discrete
from unrolled.inspection import cost
from unrolled.models.network import Network


def test_the_highest_memory_is_found_after_it_was_given_back_and_forgotten_when_asked() -> None:
    before = cost.resident()
    if before is None:
        pytest.skip("this system does not tell")
    size = 200 << 20
    block = torch.ones(size // 4)
    del block
    peak = cost.highest_resident()
    assert peak is not None and peak - before > 0.9 * size
    cost.resident()
    later = cost.highest_resident()
    assert later is not None and later < peak - 0.5 * size


def test_where_the_system_does_not_tell_there_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_STATUS", cost._STATUS / "nowhere")
    monkeypatch.setattr(cost, "_FORGET", cost._STATUS / "nowhere")
    assert cost.resident() is None
    assert cost.highest_resident() is None


def test_a_live_step_of_any_columns_takes_some_time() -> None:
    specs = {"word": Discrete(5), "value": Continuous(3)}
    network = Network(specs, model_config(name="gru", hidden=4), 2, pooled=False)
    assert 0 < cost.push_seconds(network, specs) < 1
