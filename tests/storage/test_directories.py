"""Directories are written whole, and whatever is wrong with one is noticed when it is read."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from storage.contents import NEW, OLD

from unrolled.errors import ModelError, SpaceError, UsageError
from unrolled.storage import atomic as atomic
from unrolled.storage import directories
from unrolled.storage.directories import (
    MANIFEST,
    begun_directory,
    complete_directory,
    read_directory,
    remove_directory,
    verify,
    write_directory,
    write_file,
    write_manifest,
    write_member,
)

# --- writing -----------------------------------------------------------------------------------------------------


def test_a_directory_comes_back_as_it_was_written(run: Path) -> None:
    assert read_directory(run) == OLD
    assert verify(run) == sorted(OLD)


def test_a_function_may_write_a_member(tmp_path: Path) -> None:
    write_directory(tmp_path / "run", {"big.bin": lambda path: path.write_bytes(b"x" * 1000) and None})
    assert read_directory(tmp_path / "run") == {"big.bin": b"x" * 1000}


def test_several_may_write_a_directory_before_it_gets_its_name(tmp_path: Path) -> None:
    with begun_directory(tmp_path / "run") as hidden:
        write_member(hidden, "a.bin", b"a")
        child = os.fork()
        if not child:
            write_member(hidden, "b.bin", b"bb")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert not (tmp_path / "run").exists()
        complete_directory(hidden, tmp_path / "run", ["a.bin", "b.bin"])
    assert read_directory(tmp_path / "run") == {"a.bin": b"a", "b.bin": b"bb"}
    assert os.listdir(tmp_path) == ["run"]


def test_one_that_is_left_before_it_is_complete_leaves_the_old_one(run: Path) -> None:
    with pytest.raises(KeyError), begun_directory(run, overwrite=True) as hidden:
        write_member(hidden, "a.bin", b"a")
        raise KeyError
    assert read_directory(run) == OLD and os.listdir(run.parent) == [run.name]
    with pytest.raises(UsageError, match="already exists"), begun_directory(run):
        pass


def test_a_member_that_does_not_fit_is_a_lack_of_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(directories, "create", full)
    with pytest.raises(SpaceError, match="a.bin: no space is left on the disk"):
        write_member(tmp_path, "a.bin", b"a")


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


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_a_folder_that_takes_no_files_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="/proc/page.html: cannot be written: .*; choose another path"):
        write_file(Path("/proc/page.html"), b"x")
