"""A saved run is opened without torch's compiler, whose import takes two seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import warm

TESTS = Path(__file__).parent.parent
PROGRAM = """
import sys
from configs import model_config
from unrolled.batch import Continuous, Discrete
from unrolled.models.network import Network
from unrolled.runs.unallocated import unallocated

with unallocated():
    columns = {"ids": Discrete(7), "x": Continuous(2), "city": Discrete(3, False)}
    network = Network(columns, model_config(name=sys.argv[1], hidden=4), outputs=3, pooled=False)
assert all(weights.is_meta for weights in network.parameters())
sys.exit("torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize("model", ["lstm", "bigru", "transformer", "window"])
def test_building_without_memory_brings_no_compiler(model: str) -> None:
    assert warm.run(PROGRAM, model, paths=(TESTS,)).returncode == 0
