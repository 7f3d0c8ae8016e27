"""A saving that fails at any step, or runs out of space, leaves the old or the new."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from storage.contents import NEW, OLD

from unrolled.errors import SpaceError
from unrolled.storage import atomic as atomic
from unrolled.storage.directories import (
    MANIFEST,
    read_directory,
    space_errors,
    write_directory,
    write_file,
)

# --- a crash after each step of the saving -----------------------------------------------------------------------


class Crash(BaseException):
    """Stands for whatever may stop a process: no `except Exception` catches it."""


class Countdown:
    """Lets ``allowed`` calls of the functions that touch the disk pass and raises instead of the next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, allowed: int, error: BaseException) -> None:
        self.left, self.error = allowed, error
        for name in ("rename", "fsync", "open", "mkdir"):
            monkeypatch.setattr(os, name, self.wrapped(getattr(os, name)))
        monkeypatch.setattr(atomic, "_exchange", self.wrapped(atomic._exchange))

    def wrapped(self, function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **keywords: object) -> object:
            if "dir_fd" in keywords:  # the clearing up itself: what it leaves, the next writer sweeps
                return function(*args, **keywords)
            if self.left == 0:
                self.left = -1  # one failure; the clearing up after it works
                raise self.error
            self.left -= 1
            return function(*args, **keywords)

        return call


@pytest.mark.parametrize("error", [Crash(), OSError(errno.ENOSPC, "No space left on device"), MemoryError()])
@pytest.mark.parametrize("can_swap", [True, False])
def test_a_crash_at_every_step_leaves_the_old_or_the_new_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, can_swap: bool
) -> None:
    expected = {Crash: Crash, OSError: SpaceError, MemoryError: SpaceError}[type(error)]
    seen_old = seen_new = 0
    for step in range(100):
        place = tmp_path / str(step)
        write_directory(place / "run", dict(OLD))
        with monkeypatch.context() as patch:
            if not can_swap:
                patch.setattr(atomic, "_exchange", lambda first, second: False)
            countdown = Countdown(patch, step, error)
            try:
                write_directory(place / "run", dict(NEW), overwrite=True)
                finished = countdown.left > 0
            except expected:
                finished = False
        found = read_directory(place / "run")
        assert found in (OLD, NEW), f"after step {step}"
        assert [name for name in os.listdir(place) if name != "run"] == [], f"after step {step}"
        seen_old, seen_new = seen_old + (found == OLD), seen_new + (found == NEW)
        if finished:
            break
    assert step >= 12
    assert seen_old >= 8
    assert seen_new >= 1


@pytest.mark.parametrize("error", [Crash(), OSError(errno.EDQUOT, "Disk quota exceeded")])
def test_a_crash_at_every_step_of_write_file_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    for step in range(30):
        path = tmp_path / str(step) / "metrics.json"
        write_file(path, b"old")
        with monkeypatch.context() as patch:
            countdown = Countdown(patch, step, error)
            try:
                write_file(path, b"new")
                finished = countdown.left > 0
            except (Crash, SpaceError):
                finished = False
        assert path.read_bytes() in (b"old", b"new")
        assert os.listdir(path.parent) == ["metrics.json"]
        if finished:
            break
    assert step >= 4
    assert path.read_bytes() == b"new"


def test_a_member_that_fails_to_be_written_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with pytest.raises(SpaceError, match="run: no space is left on the disk; what was saved before is intact"):
        write_directory(tmp_path / "run", {"a": b"a", "b": fail})
    assert os.listdir(tmp_path) == []


# --- no space ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space is left on the disk"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EFBIG, "the file would exceed the limit on file size"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EPERM, "permission denied"),
        (errno.ENOMEM, "not enough memory"),
    ],
)
def test_each_way_of_running_out_is_a_space_error(number: int, words: str) -> None:
    with (
        pytest.raises(SpaceError, match=f"^runs/x: {words}; what was saved before is intact$") as caught,
        space_errors("runs/x"),
    ):
        raise OSError(number, os.strerror(number))
    assert caught.value.exit_code == 5


def test_memory_that_runs_out_is_a_space_error_in_python_and_in_torch() -> None:
    with pytest.raises(SpaceError, match="training: not enough memory"), space_errors("training"):
        raise MemoryError
    with pytest.raises(SpaceError, match="training: not enough memory"), space_errors("training"):
        torch.empty(1 << 60)
    with pytest.raises(SpaceError, match="not enough memory"), space_errors("training"):
        raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "x"), RuntimeError("shape"), ValueError("x")])
def test_other_errors_pass_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, space_errors():
        raise error
    assert caught.value is error


def test_a_limit_on_file_size_is_a_space_error_and_keeps_the_old(run: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(SpaceError, match="the file would exceed the limit on file size"):
            write_directory(run, {"model.safetensors": bytes(50_000)}, overwrite=True)
        with pytest.raises(SpaceError, match="limit on file size"):
            write_file(run / "config.json", bytes(50_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_directory(run) == OLD
    assert os.listdir(run.parent) == ["run"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB: a tmpfs, where we may mount one."""
    place, mount, unmount = tmp_path / "disk", shutil.which("mount"), shutil.which("umount")
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if not mount or not unmount or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not allowed here; the limit on file size is tested instead")
    yield place
    subprocess.run([unmount, str(place)], check=True)


def test_a_full_disk_is_a_space_error_and_keeps_the_old(small_disk: Path) -> None:
    run = small_disk / "run"
    write_directory(run, dict(OLD))
    with pytest.raises(SpaceError, match="no space is left on the disk"):
        write_directory(run, {"model.safetensors": bytes(1_000_000)}, overwrite=True)
    with pytest.raises(SpaceError, match="no space is left on the disk"):
        write_file(run / "metrics.jsonl", bytes(1_000_000))
    assert read_directory(run) == OLD
    assert os.listdir(small_disk) == ["run"]
    assert sorted(os.listdir(run)) == sorted(["config.json", "encodings", MANIFEST])


def test_a_read_only_disk_is_a_space_error(small_disk: Path) -> None:
    write_directory(small_disk / "run", dict(OLD))
    remount = [str(shutil.which("mount")), "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True)
    with pytest.raises(SpaceError, match="the disk is read-only"):
        write_directory(small_disk / "run", dict(NEW), overwrite=True)
    assert read_directory(small_disk / "run") == OLD


def test_a_folder_closed_to_us_is_a_space_error(run: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; a read-only disk is tested instead")
    run.parent.chmod(0o555)
    try:
        with pytest.raises(SpaceError, match="permission denied"):
            write_directory(run, dict(NEW), overwrite=True)
        assert read_directory(run) == OLD
    finally:
        run.parent.chmod(0o755)
