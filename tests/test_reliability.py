"""The whole way under fire: killed, told to stop, out of disk (requirements 1, 3 and 18 of a run, not of its parts)."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import warm

from unrolled import api
from unrolled.errors import ModelError
from unrolled.storage.directories import read_directory

ENVIRONMENT = {"NO_COLOR": "1"}


def flags(steps: int = 60, hidden: int = 8, every: int = 2) -> list[str]:
    numbers = {"steps": steps, "hidden": hidden, "batch": 4, "seed": 3, "checkpoint-every": every}
    return [
        "--rows-are",
        "lines",
        "--plan",
        "fixed",
        *(word for name, number in numbers.items() for word in (f"--{name}", str(number))),
    ]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The same bits are promised for the same number of threads; the processes that we start have one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dice = random.Random(0)
    lines = ["".join(dice.choices("abcdefgh ", k=dice.randrange(5, 60))) for _ in range(200)]
    file = tmp_path_factory.mktemp("data") / "lines.txt"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def unrolled(*words: str | Path, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    program = warm.COMMAND_LINE
    if limit is not None:
        program = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); {program}"
    return warm.run(program, *words, environment=ENVIRONMENT)


def resume(run: Path) -> None:
    api.fit(None, out=run, resume=True)


def weights(run: Path) -> bytes:
    return read_directory(run)["model.safetensors"]


def strays(run: Path) -> list[Path]:
    return [path for path in run.rglob("*") if path.name.endswith((".partial", ".old"))]


KILLER = """
    import os, random, signal, sys, time, traceback
    import torch
    from unrolled import api

    torch.set_num_threads(1)
    source, place, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
    options = dict(steps=60, hidden=8, batch=4, seed=3, checkpoint_every="2", rows_are="lines")

    def fit(out):
        resume = os.path.exists(os.path.join(out, "config.json"))
        if resume:
            api.fit(None, out=out, resume=True)
        else:
            api.fit(source, out=out, overwrite=os.path.exists(out), **options)

    def forked(out):
        child = os.fork()
        if not child:
            status = 1
            try:
                fit(out)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        return child

    def weights(out):
        with open(os.path.join(out, "model.safetensors"), "rb") as file:
            return file.read()

    start = time.monotonic()
    straight = os.path.join(place, "straight")
    assert os.waitpid(forked(straight), 0)[1] == 0
    seconds = time.monotonic() - start

    dice, killed, finished = random.Random(1), 0, 0
    while killed < kills or not finished:
        out = os.path.join(place, f"killed-{finished}")
        child = forked(out)
        if killed < kills:
            time.sleep(dice.random() * seconds * 0.6)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            killed += 1
        else:
            assert status == 0, status
            assert weights(out) == weights(straight), f"differs after {killed} kills"
            finished += 1
    print(killed, finished)
"""


@pytest.mark.soak
def test_killed_at_random_moments_and_resumed_a_run_ends_with_the_same_bits(
    text: Path, tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    kills = times(5, 60)
    done = warm.run(textwrap.dedent(KILLER), text, tmp_path, kills, environment=ENVIRONMENT)
    assert done.returncode == 0, done.stderr[-3000:]
    killed, finished = map(int, done.stdout.split())
    assert killed >= kills
    assert finished >= 1


@pytest.fixture(scope="module")
def straight(text: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights of a run that nobody stopped."""
    run = tmp_path_factory.mktemp("straight") / "run"
    api.fit(str(text), out=run, plan="fixed", steps=400, hidden=8, batch=4, seed=3, rows_are="lines")
    return weights(run)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_resuming_ends_with_the_same_bits(
    text: Path, tmp_path: Path, straight: bytes, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    words = ("fit", text, "--out", run, *flags(steps=400, every=1000))
    with warm.Process(warm.COMMAND_LINE, *words, stderr=subprocess.PIPE, environment=ENVIRONMENT) as fit:
        while not ((run / "metrics.jsonl").exists() and (run / "metrics.jsonl").stat().st_size):
            time.sleep(0.01)  # what it logs says that it trains
        fit.send_signal(number)
        said = fit.stderr.read().decode()
        assert fit.wait() == 128 + number, said
    assert f"{number.name}: saved at step" in said
    resume(run)
    assert weights(run) == straight


def test_a_limit_on_file_size_ends_with_5_and_the_run_goes_on_without_it(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = unrolled("fit", text, "--out", run, *flags(hidden=64), limit=30_000)
    assert done.returncode == 5, done.stderr
    assert "the file would exceed the limit on file size" in done.stderr
    assert "Traceback" not in done.stderr
    assert strays(run) == []
    resume(run)
    read_directory(run)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB: a tmpfs, where we may mount one."""
    place, mount, unmount = tmp_path / "disk", shutil.which("mount"), shutil.which("umount")
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if not mount or not unmount or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not allowed here; the limit on file size is tested instead")
    yield place
    subprocess.run([unmount, str(place)], check=True)


def test_a_disk_that_fills_up_ends_with_5_and_the_run_goes_on_when_there_is_room(text: Path, small_disk: Path) -> None:
    run, filler = small_disk / "run", small_disk / "filler"
    filler.write_bytes(bytes(800_000))
    done = unrolled("fit", text, "--out", run, *flags(hidden=32))
    assert done.returncode == 5, done.stderr
    assert "space" in done.stderr
    assert strays(run) == []
    filler.unlink()
    resume(run)
    read_directory(run)


def test_a_run_directory_cut_anywhere_is_a_model_error(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    api.fit(str(text), out=run, plan="fixed", steps=4, hidden=8, rows_are="lines")
    dice = random.Random(2)
    for name in [*read_directory(run), "manifest.json"]:
        whole = (run / name).read_bytes()
        (run / name).write_bytes(whole[: dice.randrange(len(whole))])
        with pytest.raises(ModelError, match=r"run"):
            api.load(run)
        (run / name).write_bytes(whole)
    api.load(run)


@pytest.mark.parametrize("content", [b"", b"\xff{", b"{", b"[]"])
def test_a_damaged_config_of_a_run_that_was_stopped_is_a_model_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"is not a run of Unrolled: its config.json cannot be read"):
        resume(tmp_path)
