"""Runs whose weights are cut over the ranks are those of one process: `cut_weights.py` is that program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import warm
from distributed.cut_weights import SCENARIOS

_PROGRAM = Path(__file__).with_name("cut_weights.py").read_text("utf-8")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What went wrong in each scenario."""
    done = warm.run(_PROGRAM, tmp_path_factory.mktemp("cut"), *SCENARIOS)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: why and why + done.stderr[-6000:] for name, why in json.loads(done.stdout.splitlines()[-1]).items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_ends_as_it_should(name: str, found: dict[str, str]) -> None:
    assert found[name] == "", found[name]
