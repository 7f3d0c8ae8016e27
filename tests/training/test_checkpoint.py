from __future__ import annotations

import os
import random
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import warm
from torch import Tensor, nn

from unrolled.errors import ModelError, SpaceError
from unrolled.training import checkpoint


def tensors_of(step: int) -> dict[str, Tensor]:
    """What a run of these tests holds after ``step`` steps."""
    return {"model.w": torch.full((40, 40), float(step)), "model.step": torch.tensor(step)}


def equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


# --- saving and pruning ------------------------------------------------------------------------------------------


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    meta = {"epoch": 3, "loss_nats_per_token": 1.25, "best": None, "order": [1, 2]}
    path = checkpoint.save(tmp_path, 123, tensors_of(123), meta)
    assert path == tmp_path / "step-00000123"
    assert sorted(os.listdir(path)) == ["manifest.json", "meta.json", "tensors.safetensors"]
    found = checkpoint.newest(tmp_path)
    assert found is not None
    assert (found.step, found.meta, found.skipped) == (123, meta, ())
    assert equal(found.tensors, tensors_of(123))


def test_where_nothing_was_saved_there_is_none(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path) is None
    assert checkpoint.newest(tmp_path / "absent") is None
    assert checkpoint.best(tmp_path) is None


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 5, 20, 100_000_000, 300_000_000):
        checkpoint.save(tmp_path, step, tensors_of(step), {})
    assert sorted(os.listdir(tmp_path)) == ["step-100000000", "step-300000000"]


@pytest.mark.parametrize("keep", [0, 1])
def test_the_one_just_saved_always_stays(tmp_path: Path, keep: int) -> None:
    for step in (1, 2):
        checkpoint.save(tmp_path, step, tensors_of(step), {}, keep=keep)
    assert os.listdir(tmp_path) == ["step-00000002"]


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 7, tensors_of(1), {"first": True})
    checkpoint.save(tmp_path, 7, tensors_of(7), {"first": False})
    found = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.meta == {"first": False}
    assert equal(found.tensors, tensors_of(7))


def test_going_on_from_an_earlier_one_leaves_the_later_behind(tmp_path: Path) -> None:
    for step in (10, 20):
        checkpoint.save(tmp_path, step, tensors_of(step), {})
    damage(tmp_path / "step-00000020")
    checkpoint.save(tmp_path, 15, tensors_of(15), {})
    assert sorted(os.listdir(tmp_path)) == ["step-00000010", "step-00000015"]


def test_best_is_replaced_and_outlives_the_others(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        checkpoint.save(tmp_path, step, tensors_of(step), {})
        if step < 3:
            checkpoint.save_best(tmp_path, tensors_of(step), {"step": step, "accuracy": 0.5})
    found = checkpoint.best(tmp_path)
    assert found is not None
    assert (found.step, found.meta) == (2, {"step": 2, "accuracy": 0.5})
    assert equal(found.tensors, tensors_of(2))
    assert sorted(os.listdir(tmp_path)) == ["best", "step-00000003", "step-00000004"]


# --- damage ------------------------------------------------------------------------------------------------------


def damage(path: Path) -> None:
    file = path / "tensors.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\xee")


def test_a_damaged_checkpoint_is_passed_over_with_a_note(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, tensors_of(step), {}, keep=3)
    damage(tmp_path / "step-00000003")
    (tmp_path / "step-00000002" / "manifest.json").unlink()
    found = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.step == 1
    assert len(found.skipped) == 2
    assert "step-00000003: 'tensors.safetensors' is damaged: its SHA-256" in found.skipped[0]
    assert "step-00000002: not a directory saved by Unrolled, or incomplete: manifest.json" in found.skipped[1]


def test_when_every_checkpoint_is_damaged_that_is_an_error(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, tensors_of(1), {})
    damage(tmp_path / "step-00000001")
    with pytest.raises(ModelError, match=r"every checkpoint is damaged: .*step-00000001: 'tensors.safetensors'"):
        checkpoint.newest(tmp_path)


def test_a_damaged_best_is_an_error(tmp_path: Path) -> None:
    checkpoint.save_best(tmp_path, tensors_of(1), {})
    damage(tmp_path / "best")
    with pytest.raises(ModelError, match="'tensors.safetensors' is damaged"):
        checkpoint.best(tmp_path)


def test_a_whole_directory_of_something_else_is_not_a_checkpoint(tmp_path: Path) -> None:
    from unrolled.storage.directories import write_directory

    for files in ({"a": b""}, {"meta.json": b"[]"}, {"meta.json": b'{"step": 1, "meta": {}}'}):
        write_directory(tmp_path / "step-00000001", dict(files), overwrite=True)
        with pytest.raises(ModelError, match="this is not a checkpoint of Unrolled"):
            checkpoint.newest(tmp_path)


@pytest.mark.soak
def test_after_any_cut_or_flip_the_previous_one_is_offered(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    checkpoint.save(tmp_path, 1, tensors_of(1), {})
    path = checkpoint.save(tmp_path, 2, tensors_of(2), {"epoch": 1})
    dice = random.Random(6)
    for _ in range(times(300, 10_000)):
        file = path / dice.choice(["manifest.json", "meta.json", "tensors.safetensors"])
        whole = file.read_bytes()
        changed = bytearray(whole)
        if dice.random() < 0.3:
            del changed[dice.randrange(len(whole)) :]
        else:
            changed[dice.randrange(len(whole))] ^= dice.randrange(1, 256)
        file.write_bytes(changed)
        found = checkpoint.newest(tmp_path)
        assert found is not None
        assert found.step == 1
        assert "step-00000002" in found.skipped[0]
        file.write_bytes(whole)


def test_no_space_for_the_next_leaves_the_last_and_no_litter(tmp_path: Path) -> None:
    import resource

    checkpoint.save(tmp_path, 1, tensors_of(1), {})
    checkpoint.save_best(tmp_path, tensors_of(1), {})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(SpaceError, match="step-00000002: the file would exceed the limit on file size"):
            checkpoint.save(tmp_path, 2, tensors_of(2), {})
        with pytest.raises(SpaceError, match="best: the file would exceed the limit on file size"):
            checkpoint.save_best(tmp_path, tensors_of(2), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(os.listdir(tmp_path)) == ["best", "step-00000001"]
    newest, best = checkpoint.newest(tmp_path), checkpoint.best(tmp_path)
    assert newest is not None
    assert best is not None
    assert equal(newest.tensors, tensors_of(1))
    assert equal(best.tensors, tensors_of(1))


# --- kill -9 -----------------------------------------------------------------------------------------------------

KILLER = """
    import os, random, signal, sys, time
    from pathlib import Path
    import torch
    from unrolled.training import checkpoint

    def tensors_of(step):
        return {"model.w": torch.full((40, 40), float(step)), "model.step": torch.tensor(step)}

    def equal(found, step):
        expected = tensors_of(step)
        return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)

    folder, kills, dice = Path(sys.argv[1]), int(sys.argv[2]), random.Random(8)
    step = 0
    for _ in range(kills):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            while True:  # saves as fast as it can, and says so after each
                step += 1
                checkpoint.save(folder, step, tensors_of(step), {"step": step})
                checkpoint.save_best(folder, tensors_of(step), {"step": step})
                os.write(writer, b".")
        os.close(writer)
        os.read(reader, 1)
        time.sleep(dice.random() * 0.05)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said = 1
        while more := os.read(reader, 65536):
            said += len(more)
        os.close(reader)
        newest, best = checkpoint.newest(folder), checkpoint.best(folder)
        assert newest.step in (step + said, step + said + 1), (newest.step, step, said)
        assert best.step in (step + said, step + said + 1), (best.step, step, said)
        assert newest.skipped == () and equal(newest.tensors, newest.step) and equal(best.tensors, best.step)
        step = newest.step
    checkpoint.save(folder, step + 1, tensors_of(step + 1), {})
    checkpoint.save_best(folder, tensors_of(step + 1), {})
    print(sorted(os.listdir(folder)))
    print(step)
"""


@pytest.mark.soak
def test_killed_at_any_moment_the_newest_is_whole(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    done = warm.run(textwrap.dedent(KILLER), tmp_path, times(5, 500))
    assert done.returncode == 0, done.stderr
    names, steps = done.stdout.splitlines()
    last = int(steps) + 1
    assert names == str(["best", f"step-{last - 1:08d}", f"step-{last:08d}"])
    assert last > times(5, 500)


# --- random generators -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_gauss", [True, False])
def test_the_random_generators_go_on_where_they_were(tmp_path: Path, with_gauss: bool) -> None:
    random.seed(3)
    torch.manual_seed(3)
    if with_gauss:
        random.gauss(0, 1)  # leaves a second number waiting
    checkpoint.save(tmp_path, 1, checkpoint.rng_state(), {})
    expected = [random.gauss(0, 1), random.random(), random.getrandbits(64)], torch.randn(100)
    random.seed(4)
    torch.manual_seed(4)
    found = checkpoint.newest(tmp_path)
    assert found is not None
    checkpoint.restore_rng(found.tensors)
    assert [random.gauss(0, 1), random.random(), random.getrandbits(64)] == expected[0]
    assert torch.equal(torch.randn(100), expected[1])


def test_states_of_generators_that_are_none_are_refused() -> None:
    good = checkpoint.rng_state()
    short = {**good, "rng.python": good["rng.python"][:5]}
    for bad in ({}, short, {**good, "rng.torch": torch.zeros(3, dtype=torch.uint8)}):
        with pytest.raises(ModelError, match="the checkpoint's random generator states are missing or invalid"):
            checkpoint.restore_rng(bad)
    checkpoint.restore_rng(good)


# --- the optimiser -----------------------------------------------------------------------------------------------

SETTINGS: list[dict[str, object]] = [
    {},
    {"foreach": True},
    {"foreach": False},
    {"fused": True},
    {"amsgrad": True, "betas": (0.8, 0.95), "weight_decay": 0.1, "eps": 1e-7},
]


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    model.register_parameter("unused", nn.Parameter(torch.ones(2)))  # has no gradient, hence no state
    return model


def optimizer_of(model: nn.Module, settings: dict[str, object]) -> torch.optim.Optimizer:
    decayed = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    plain = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    groups = [{"params": plain, "weight_decay": 0.0}, {"params": decayed}]
    return torch.optim.AdamW(groups, lr=0.1 / 3, **settings)  # type: ignore[arg-type]


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        for group in optimizer.param_groups:
            group["lr"] *= 0.97
        x = torch.randn(4, 5, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_an_optimiser_goes_on_to_the_bit(tmp_path: Path, settings: dict[str, object]) -> None:
    straight = network(0)
    train(straight, optimizer_of(straight, settings), range(10))

    first = network(0)
    optimizer = optimizer_of(first, settings)
    train(first, optimizer, range(6))
    weights = {f"model.{name}": tensor for name, tensor in first.state_dict().items()}
    checkpoint.save(tmp_path, 6, weights | checkpoint.optimizer_tensors(optimizer, first.named_parameters()), {})

    found = checkpoint.newest(tmp_path)
    assert found is not None
    second = network(1)
    second.load_state_dict(checkpoint.section(found.tensors, "model"))
    other = optimizer_of(second, {})  # made with other settings: those of the checkpoint count
    checkpoint.restore_optimizer(other, second.named_parameters(), found.tensors)
    assert [g["fused"] for g in other.param_groups] == [settings.get("fused")] * 2
    assert [g["foreach"] for g in other.param_groups] == [settings.get("foreach")] * 2
    assert [g["betas"] for g in other.param_groups] == [settings.get("betas", (0.9, 0.999))] * 2
    train(second, other, range(6, 10))
    for (name, weight), expected in zip(second.named_parameters(), straight.parameters(), strict=True):
        assert torch.equal(weight, expected), name
    counters = {int(state["step"]) for state in other.state.values()}
    assert counters == {10}


def test_the_checkpoint_is_not_written_into_by_the_optimiser_that_it_restored() -> None:
    model = network(0)
    optimizer = optimizer_of(model, {})
    train(model, optimizer, range(2))
    saved = {k: v.clone() for k, v in checkpoint.optimizer_tensors(optimizer, model.named_parameters()).items()}
    kept = {k: v.clone() for k, v in saved.items()}
    checkpoint.restore_optimizer(optimizer, model.named_parameters(), saved)
    train(model, optimizer, range(2, 4))
    assert equal(saved, kept)


def test_an_optimiser_of_another_model_is_refused() -> None:
    model = network(0)
    optimizer = optimizer_of(model, {})
    train(model, optimizer, range(1))
    tensors = checkpoint.optimizer_tensors(optimizer, model.named_parameters())
    narrow = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
    with pytest.raises(
        ModelError, match=r"this checkpoint belongs to another model: parameter '0.(weight|bias)' differs"
    ):
        checkpoint.restore_optimizer(optimizer_of(narrow, {}), narrow.named_parameters(), tensors)
    single = nn.Linear(5, 7)
    with pytest.raises(ModelError, match="belongs to another (model|optimiser)"):
        checkpoint.restore_optimizer(torch.optim.AdamW(single.parameters()), single.named_parameters(), tensors)
