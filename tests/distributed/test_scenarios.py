"""Runs on several ranks end as they should, whatever happens to a rank: `scenarios.py` is that program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import warm
from distributed.scenarios import SCENARIOS

_PROGRAM = Path(__file__).with_name("scenarios.py").read_text("utf-8")
_SOAK = {"items_killed", "they_race"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return run(tmp_path_factory.mktemp("ranks"), [name for name in SCENARIOS if name not in _SOAK])


def run(folder: Path, names: list[str]) -> dict[str, str]:
    """What went wrong in each scenario."""
    done = warm.run(_PROGRAM, folder, *names)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: why and why + done.stderr[-6000:] for name, why in json.loads(done.stdout.splitlines()[-1]).items()}


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in _SOAK])
def test_it_ends_as_it_should(name: str, found: dict[str, str]) -> None:
    assert found[name] == "", found[name]


@pytest.mark.soak
def test_killed_often_it_ends_as_if_it_had_never_been(
    tmp_path: Path, times: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not times(0, 1):
        pytest.skip("two kills of one run are in the scenarios above")
    monkeypatch.setenv("KILLS", "25")
    monkeypatch.setenv("STARTS", "20")
    monkeypatch.setenv("RESTARTS", "10")
    names = ["lanes_killed", "items_killed", "restarted_by_torchrun", "they_race", "they_start_at_any_time"]
    assert run(tmp_path, names) == dict.fromkeys(names, "")


@pytest.mark.soak
def test_the_command_of_the_documentation_ends_with_0(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    """Threads of the ranks that were still there at the end of the interpreter aborted one process in five."""
    (tmp_path / "rows.csv").write_text("age,passed\n" + "".join(f"{n},{n > 11}\n" for n in range(24)))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    fit = ["-m", "unrolled", "fit", "rows.csv", "--target", "passed", "--plan", "fixed", "--steps", "2", "--go-on"]
    for number in range(times(1, 20)):
        command = [*torchrun, *fit, "--model", "mlp", "--out", f"run{number}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-4000:]
        assert (tmp_path / f"run{number}" / "manifest.json").is_file()
