"""C16: the number of processes and of micro-batches changes nothing but speed and memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import warm
from contracts.sharing import CASES, HOW
from samples import SAMPLES, ours
from torch import Tensor

from unrolled.state import concatenate
from unrolled.training import checkpoint

_TOLERANCE = 1e-5  # of each number, relative where it is above 1
_PROGRAM = Path(__file__).with_name("sharing.py").read_text("utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The folder with all cases after ``steps``, on so many ranks, in batches of so many rows; with sharded weights too."""
    folders: dict[tuple[int, ...], Path] = {}

    def of(steps: int, ranks: int, batch: int, sharded: int = 0) -> Path:
        if (steps, ranks, batch) not in folders:
            folder = folders[steps, ranks, batch] = tmp_path_factory.mktemp("c16")
            done = warm.run(_PROGRAM, folder, steps, ranks, batch, sharded)
            assert done.returncode == 0, done.stdout + done.stderr[-3000:]
        return folders[steps, ranks, batch]

    return of


@pytest.mark.parametrize("how", HOW[1:])
@pytest.mark.parametrize("name", CASES)
def test_a_batch_that_is_shared_is_the_batch(name: str, how: str, made: Callable[..., Path]) -> None:
    same(made(5, 2, 3), name, how)


@pytest.mark.soak
@pytest.mark.parametrize("how", [*HOW[1:], "sharded weights"])
@pytest.mark.parametrize("name", CASES)
def test_it_stays_so_with_fewer_rows_than_ranks(
    name: str, how: str, made: Callable[..., Path], times: Callable[[int, int], int]
) -> None:
    if not times(0, 1):
        pytest.skip("two ranks, of which one has no row of some batches, are tried above")
    if how == "sharded weights" and "items" in name:
        pytest.skip("a sampled softmax is refused")
    same(made(60, 4, 3, 1), name, how)


def test_every_task_is_trained() -> None:
    assert {SAMPLES[sample].task for sample, _, _ in CASES.values() if sample in SAMPLES} == ours("task")


def same(folder: Path, name: str, how: str) -> None:
    """Weights, averages, moments, carried states and metrics are those of one process."""
    (expected, best), (found, its_best) = (ends_of(folder / way / name) for way in ("whole", how))
    assert found.keys() == expected.keys()
    far = {key: apart(found[key], expected[key]) for key in expected}
    worst = max(far, key=far.__getitem__)
    assert far[worst] <= _TOLERANCE, f"{worst} differs by {far[worst]:.2g}"
    assert its_best == {key: pytest.approx(value, rel=1e-6, abs=1e-6) for key, value in best.items()}


def apart(a: Tensor, b: Tensor) -> float:
    """The largest difference, relative where a number is above 1."""
    assert a.shape == b.shape
    a, b = a.double(), b.double()
    return float(((a - b).abs() / b.abs().clamp(min=1)).max()) if a.numel() else 0.0


def ends_of(folder: Path) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The tensors of the last checkpoint but for random states, the shares of a state as one; and the best metrics."""
    saved, best = checkpoint.newest(folder), checkpoint.best(folder)
    assert saved is not None and best is not None
    tensors = {name: tensor for name, tensor in saved.tensors.items() if ".rng." not in f".{name}"}
    parts = int(saved.meta["parts"])
    lanes = [checkpoint.section(tensors, f"part.{part}.carry") for part in range(parts)]
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("part.")}
    for name in lanes[0]:
        kept[f"carry.{name}"] = concatenate([own[name] for own in lanes if name in own])
    return kept, dict(best.meta["metrics"])
