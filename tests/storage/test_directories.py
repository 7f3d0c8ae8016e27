from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from unrolled.errors import ModelError, SpaceError, UsageError
from unrolled.storage import atomic as atomic
from unrolled.storage.directories import (
    MANIFEST,
    read_directory,
    remove_directory,
    space_errors,
    verify,
    write_directory,
    write_file,
    write_manifest,
)

OLD = {"config.json": b'{"old": true}', "encodings/text.json": b"[1, 2]"}
NEW = {"config.json": b'{"new": true}', "model.safetensors": bytes(range(256)) * 8}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_directory(tmp_path / "run", dict(OLD))
    return tmp_path / "run"


# --- writing -----------------------------------------------------------------------------------------------------


def test_a_directory_comes_back_as_it_was_written(run: Path) -> None:
    assert read_directory(run) == OLD
    assert verify(run) == sorted(OLD)


def test_a_function_may_write_a_member(tmp_path: Path) -> None:
    write_directory(tmp_path / "run", {"big.bin": lambda path: path.write_bytes(b"x" * 1000) and None})
    assert read_directory(tmp_path / "run") == {"big.bin": b"x" * 1000}


def test_files_get_the_mode_that_the_umask_gives(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_file(tmp_path / "a", b"a")
        write_directory(tmp_path / "run", {"b": b"b"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "run" / "b").stat().st_mode) == 0o644


def test_nothing_is_replaced_unasked(run: Path) -> None:
    with pytest.raises(UsageError, match="run already exists: choose another name, or set overwrite"):
        write_directory(run, dict(NEW))
    assert read_directory(run) == OLD


def test_replacing_leaves_only_the_new(run: Path) -> None:
    write_directory(run, dict(NEW), overwrite=True)
    assert read_directory(run) == NEW
    assert os.listdir(run.parent) == ["run"]


def test_replacing_works_where_names_cannot_be_swapped(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "_exchange", lambda first, second: False)
    write_directory(run, dict(NEW), overwrite=True)
    assert read_directory(run) == NEW
    assert os.listdir(run.parent) == ["run"]


def test_a_replacement_that_died_between_its_renames_is_undone(run: Path) -> None:
    run.rename(run.parent / ".run.0123abcd.old")
    with pytest.raises(UsageError, match="already exists"):
        write_directory(run, dict(NEW))
    assert read_directory(run) == OLD


def test_what_a_killed_writer_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    for name in (".run.0123abcd.partial", ".run.4567cdef.partial", ".other.0123abcd.partial"):
        (tmp_path / name).mkdir()
    (tmp_path / ".run.89abcdef.partial").write_bytes(b"half")
    with atomic.locked(tmp_path / ".run.4567cdef.partial"):
        write_directory(tmp_path / "run", dict(NEW))
    assert sorted(os.listdir(tmp_path)) == [".other.0123abcd.partial", ".run.4567cdef.partial", "run"]


def test_write_file_replaces_in_one_step_and_makes_folders(tmp_path: Path) -> None:
    write_file(tmp_path / "a" / "b.json", b"1")
    write_file(tmp_path / "a" / "b.json", b"22")
    assert (tmp_path / "a" / "b.json").read_bytes() == b"22"
    assert os.listdir(tmp_path / "a") == ["b.json"]


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    write_file(tmp_path / "link", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "link").read_bytes() == b"new"


def test_a_path_through_a_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot be written: File exists; choose another path"):
        write_file(tmp_path / "file" / "config.json", b"")


def test_a_removed_directory_is_gone(run: Path) -> None:
    remove_directory(run)
    assert os.listdir(run.parent) == []


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


# --- noticing damage ---------------------------------------------------------------------------------------------


def test_a_missing_file_is_named(run: Path) -> None:
    (run / "config.json").unlink()
    with pytest.raises(ModelError, match=r"run: 'config.json' cannot be read: No such file or directory"):
        verify(run)


def test_a_missing_directory_or_manifest_is_named(run: Path) -> None:
    with pytest.raises(
        ModelError, match=r"nowhere: not a directory saved by Unrolled, or incomplete: manifest.json: No such file"
    ):
        verify(run.parent / "nowhere")
    (run / MANIFEST).unlink()
    with pytest.raises(
        ModelError, match=r"run: not a directory saved by Unrolled, or incomplete: manifest.json: No such file"
    ):
        read_directory(run)


@pytest.mark.parametrize("reader", [verify, read_directory])
def test_every_cut_is_noticed(run: Path, reader: Callable[[Path], object]) -> None:
    for name in [*OLD, MANIFEST]:
        whole = (run / name).read_bytes()
        for length in range(len(whole)):
            (run / name).write_bytes(whole[:length])
            with pytest.raises(ModelError, match="damaged"):
                reader(run)
        (run / name).write_bytes(whole)
    reader(run)


@pytest.mark.soak
@pytest.mark.parametrize("reader", [verify, read_directory])
def test_every_changed_byte_is_noticed(
    run: Path, reader: Callable[[Path], object], times: Callable[[int, int], int]
) -> None:
    dice = random.Random(4)
    for _ in range(times(300, 10_000)):
        path = run / dice.choice([*OLD, MANIFEST])
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[dice.randrange(len(whole))] ^= dice.randrange(1, 256)
        path.write_bytes(changed)
        with pytest.raises(ModelError, match=r"run"):
            reader(run)
        path.write_bytes(whole)
    reader(run)


def test_a_flipped_bit_names_its_file(run: Path) -> None:
    (run / "encodings" / "text.json").write_bytes(b"[1, 3]")
    with pytest.raises(ModelError, match=r"'encodings/text.json' is damaged: its SHA-256 differs"):
        verify(run)


def test_a_newer_or_foreign_manifest_is_refused(run: Path) -> None:
    text = (run / MANIFEST).read_bytes()
    for other in (text.replace(b'"format": 1', b'"format": 2'), b"[]", b"null", b"[" * 100_000, b"\xff"):
        (run / MANIFEST).write_bytes(other)
        with pytest.raises(
            ModelError, match=r"manifest.json is damaged, was not written by Unrolled, or has a newer format"
        ):
            verify(run)


def test_a_manifest_is_written_over_a_directory_that_grew(tmp_path: Path) -> None:
    write_file(tmp_path / "config.json", b"{}")
    write_file(tmp_path / "metrics.jsonl", b"grows on")
    write_manifest(tmp_path, ["config.json"])
    (tmp_path / "metrics.jsonl").write_bytes(b"grew on")
    assert verify(tmp_path) == ["config.json"]


# --- names that lead elsewhere -----------------------------------------------------------------------------------

UNSAFE = ["../x", "/etc/passwd", "a/../../x", "a\0b", "", ".", "a//b", "a/", "a\\b", "a\nb", "\ud800"]


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names_are_neither_written_nor_read(run: Path, name: str) -> None:
    with pytest.raises(ModelError, match="is not an allowed file name"):
        write_directory(run.parent / "other", {name: b""})
    assert os.listdir(run.parent) == ["run"]
    text = atomic_manifest({name: {"sha256": "0" * 64, "size": 0}})
    (run / MANIFEST).write_bytes(text)
    with pytest.raises(ModelError, match="is not an allowed file name"):
        verify(run)


def atomic_manifest(entries: dict[str, dict[str, object]]) -> bytes:
    from unrolled.storage.directories import _canonical

    return _canonical(entries)


def test_links_that_leave_the_directory_are_not_followed(run: Path) -> None:
    secret = run.parent / "secret"
    secret.write_bytes((run / "config.json").read_bytes())
    (run / "config.json").unlink()
    (run / "config.json").symlink_to(secret)
    with pytest.raises(ModelError, match=r"'config.json' points outside the directory and is not read"):
        read_directory(run)
    (run / "config.json").unlink()
    (run / "config.json").symlink_to("config.json")
    with pytest.raises(ModelError, match=r"'config.json' cannot be read"):
        read_directory(run)


def test_a_folder_that_is_a_link_out_is_not_followed(run: Path) -> None:
    (run / "encodings").rename(run.parent / "outside")
    (run / "encodings").symlink_to(run.parent / "outside")
    with pytest.raises(ModelError, match=r"'encodings/text.json' points outside the directory"):
        verify(run)


def test_a_pipe_or_a_folder_in_place_of_a_file_is_refused_at_once(run: Path) -> None:
    (run / "config.json").unlink()
    os.mkfifo(run / "config.json")
    with pytest.raises(ModelError, match=r"'config.json' cannot be read: not a regular file"):
        verify(run)
    (run / "config.json").unlink()
    (run / "config.json").mkdir()
    with pytest.raises(ModelError, match=r"'config.json' cannot be read: not a regular file"):
        verify(run)
