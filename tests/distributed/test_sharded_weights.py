"""Runs whose weights are sharded over the ranks are those of one process: `sharded_weights.py` is that program."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import warm
from distributed.sharded_weights import SCENARIOS

_PROGRAM = Path(__file__).with_name("sharded_weights.py").read_text("utf-8")
_SOAK = {"other_numbers_of_ranks"}  # that of a whole run; another scenario continues a trainer
_QUICK = [name for name in SCENARIOS if name not in _SOAK]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return run(tmp_path_factory.mktemp("sharded"), _QUICK)


def run(folder: Path, names: list[str]) -> dict[str, str]:
    """What went wrong in each scenario."""
    done = warm.run(_PROGRAM, folder, *names)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: why and why + done.stderr[-6000:] for name, why in json.loads(done.stdout.splitlines()[-1]).items()}


@pytest.mark.parametrize("name", _QUICK)
def test_it_ends_as_it_should(name: str, found: dict[str, str]) -> None:
    assert found[name] == "", found[name]


@pytest.mark.soak
def test_a_whole_run_continues_on_other_numbers_of_ranks(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    if not times(0, 1):
        pytest.skip("a trainer continues on another number of ranks above")
    assert run(tmp_path, sorted(_SOAK)) == dict.fromkeys(_SOAK, "")
