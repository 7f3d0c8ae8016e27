from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from s3_stub import S3Stub

from unrolled.data.io import fetching
from unrolled.data.io.remote import files_kept_in, listed_at, near
from unrolled.data.tables.read import read
from unrolled.errors import DataError, MissingExtra, SpaceError, UsageError
from unrolled.storage.cache_folder import limit, listed

TIME = 1_700_000_000.0
ROWS = b"text,label\n" + b"".join(b"the day number %d,%d\n" % (n, n % 2) for n in range(400))


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """fsspec's store in memory, empty."""
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path / "copies"))
    store = fsspec.filesystem("memory")
    store.store.clear()
    return store


def contents(source: str) -> dict[str, bytes]:
    """What is at an address, by name."""
    with near(source) as here:
        place = Path(here.source)
        found = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
        return {
            path.relative_to(place if place.is_dir() else place.parent).as_posix(): path.read_bytes() for path in found
        }


def copies(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file()) if cache.exists() else []


def test_a_file_a_folder_and_a_pattern(s3: S3Stub) -> None:
    for key in ("f/a.csv", "f/sub/b.csv", "f/c.txt", "f/.hidden", "f/sub/.d/e.csv", "other/a.csv"):
        s3.put(key, key.encode())
    assert contents("s3://b/f/a.csv") == {"a.csv": b"f/a.csv"}
    assert contents("s3://b/f/") == contents("s3://b/f")
    assert contents("s3://b/f") == {"a.csv": b"f/a.csv", "c.txt": b"f/c.txt", "sub/b.csv": b"f/sub/b.csv"}
    assert contents("s3://b/f/*.csv") == {"a.csv": b"f/a.csv"}
    assert contents("s3://b/f/**/*.csv") == {"a.csv": b"f/a.csv", "sub/b.csv": b"f/sub/b.csv"}
    assert contents("s3://b/f/s*/[a-c].csv") == {"sub/b.csv": b"f/sub/b.csv"}
    s3.put("f/my café.csv", b"latte")
    assert contents("s3://b/f/my café.csv") == {"my café.csv": b"latte"}
    assert [file.address for file in listed_at("s3://b/f/a*.csv")] == ["s3://b/f/a.csv"]


def test_a_file_comes_by_parts_and_again_where_requests_fail(s3: S3Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PART", 1000)
    big = os.urandom(9_123)
    s3.put("f/big.bin", big)
    s3.put("f/empty", b"")
    s3.failing, s3.cut = 0.2, 0.2
    assert contents("s3://b/f") == {"big.bin": big, "empty": b""}
    assert s3.asked["get"] > 10


def test_only_what_changed_is_fetched_again(s3: S3Stub, tmp_path: Path) -> None:
    s3.put("f/a.csv", b"a")
    s3.put("f/b.csv", b"b")
    assert contents("s3://b/f") == {"a.csv": b"a", "b.csv": b"b"}
    s3.asked.clear()
    assert contents("s3://b/f") == {"a.csv": b"a", "b.csv": b"b"}
    assert s3.asked["get"] == 0
    s3.put("f/a.csv", b"A", TIME + 1)
    s3.put("f/c.csv", b"c")
    del s3.files["f/b.csv"]
    assert contents("s3://b/f") == {"a.csv": b"A", "c.csv": b"c"}
    assert s3.asked["get"] == 2


def test_fetching_goes_on_where_it_was_stopped(s3: S3Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_AT_ONCE", 1)
    for name in "abcd":
        s3.put(f"f/{name}.csv", name.encode())

    asked: list[str] = []

    def change(key: str) -> None:
        asked.append(key)
        if key == "f/c.csv":
            s3.put(key, b"cc")

    s3.before_get = change
    with pytest.raises(DataError, match=r"^s3://b/f/c.csv: it changed while it was read"):
        contents("s3://b/f")
    assert asked[:3] == ["f/a.csv", "f/b.csv", "f/c.csv"]
    asked.clear()
    assert contents("s3://b/f") == {"a.csv": b"a", "b.csv": b"b", "c.csv": b"cc", "d.csv": b"d"}
    assert asked[0] == "f/c.csv"


def test_a_killed_fetch_leaves_whole_files_only(s3: S3Stub, tmp_path: Path) -> None:
    s3.put("f/a.csv", ROWS)
    contents("s3://b/f")
    (place,) = (tmp_path / "copies").glob("f-*")
    (place / "files.jsonl").write_text((place / "files.jsonl").read_text()[:-9])  # its line is half written
    (place / "files" / ".a.csv.0123abcd.partial").write_bytes(b"half")
    assert contents("s3://b/f") == {"a.csv": ROWS}
    assert copies(tmp_path / "copies") == ["a.csv", "fetched.json", "files.jsonl"]


@pytest.mark.parametrize("content", [b"text,label\nx,1\n", ROWS[::-1]], ids=["another size", "the same size"])
def test_a_file_that_changes_after_it_is_listed(s3: S3Stub, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PART", 1000)
    s3.put("f/a.csv", ROWS)
    s3.before_get = lambda key: s3.put(key, content, TIME + 1)
    with pytest.raises(DataError) as told:
        contents("s3://b/f/")
    assert str(told.value) == "s3://b/f/a.csv: it changed while it was read (read it again when it is whole)"


def test_a_file_that_changes_between_two_reads_of_a_run(s3: S3Stub) -> None:
    s3.put("f/a.csv", b"a")
    s3.put("f/b.csv", b"b")
    with files_kept_in(None):
        contents("s3://b/f/")
        s3.put("f/b.csv", b"B", TIME + 1)
        with pytest.raises(DataError) as told:
            contents("s3://b/f/")
    assert str(told.value) == "s3://b/f/b.csv: it changed while the run reads it (start the run again)"
    assert contents("s3://b/f/") == {"a.csv": b"a", "b.csv": b"B"}


def test_errors_name_the_address(s3: S3Stub, tmp_path: Path) -> None:
    s3.put("f/a.csv", b"a,b\n1,2\n3,4,5\n")
    s3.put("g/a.csv", b"a,b\n1,2\n")
    s3.put("g/b.csv", b"a,a\n1,2\n")
    with pytest.raises(DataError) as told:
        read("s3://b/f/a.csv")
    assert str(told.value).startswith("s3://b/f/a.csv")
    assert told.value.file == "s3://b/f/a.csv"
    found = read("s3://b/g/")
    assert found.origin.name == "s3://b/g"
    assert any("s3://b/g/b.csv" in line for line in found.notes)
    assert not any(str(tmp_path) in line for line in [str(told.value), *found.notes])
    for address, said in {
        "s3://b/none.csv": "s3://b/none.csv: there is no such file, and no folder with files",
        "s3://b/f/*.txt": "s3://b/f/*.txt: no file matches it",
    }.items():
        with pytest.raises(DataError) as told:
            read(address)
        assert str(told.value) == said


def test_a_name_that_leaves_the_folder_is_refused(s3: S3Stub) -> None:
    s3.put("f/../../a.csv", b"a")
    with pytest.raises(DataError, match=r"its name is no path \(rename it in the store\)"):
        contents("s3://b/f/")


def test_what_the_disk_cannot_hold_is_not_begun(s3: S3Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put("f/a.csv", ROWS)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(SpaceError) as told:
        contents("s3://b/f/")
    assert str(told.value) == (
        f"s3://b/f/: its files take 8.3 KB, but {tmp_path / 'copies'} has 1 KB left: "
        "free some, or set UNROLLED_CACHE to a folder on another disk"
    )
    assert copies(tmp_path / "copies") == []
    assert s3.asked["get"] == 0


def test_a_disk_that_fills_up_keeps_nothing(s3: S3Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put("f/a.csv", b"a")
    s3.put("f/b.csv", ROWS)

    def full(path: Path) -> Any:
        if path.name.startswith(".b.csv"):
            raise OSError(28, "No space left on device")
        return create(path)

    create: Callable[[Path], Any] = fetching.create
    monkeypatch.setattr(fetching, "create", full)
    with pytest.raises(SpaceError, match="no space is left on the disk"):
        contents("s3://b/f/")
    assert copies(tmp_path / "copies") == []


def test_the_limit_of_the_cache_holds(s3: S3Stub, tmp_path: Path) -> None:
    cache = tmp_path / "copies"
    s3.put("a.csv", ROWS)
    s3.put("b.csv", ROWS)
    contents("s3://b/a.csv")
    limit(cache, len(ROWS) + 1000)
    contents("s3://b/b.csv")
    assert [one.source for one in listed(cache)] == ["s3://b/b.csv"]
    s3.put("c.csv", ROWS * 2)
    with pytest.raises(SpaceError) as told:
        contents("s3://b/c.csv")
    assert "s3://b/c.csv: its files take 17 KB, more than the limit of 9.3 KB: raise it with" in str(told.value)
    assert [one.source for one in listed(cache)] == ["s3://b/b.csv"]


def test_files_of_fsspec_are_read_alike(memory: Any) -> None:
    memory.pipe_file("/f/a.csv", ROWS)
    memory.pipe_file("/f/sub/b.csv", ROWS)
    assert contents("memory://f/a.csv") == {"a.csv": ROWS}
    assert contents("memory://f/") == {"a.csv": ROWS, "sub/b.csv": ROWS}
    assert contents("memory://f/*.csv") == {"a.csv": ROWS}
    assert len(read("memory://f")) == 800
    memory.pipe_file("/f/a.csv", ROWS[:-1])
    assert contents("memory://f/a.csv") == {"a.csv": ROWS[:-1]}
    with pytest.raises(DataError, match="^memory://f/none.csv: there is no such file, and no folder with files"):
        contents("memory://f/none.csv")


def test_two_files_of_texts_are_read_together(memory: Any) -> None:
    memory.pipe_file("/t.en", b"one\ntwo\n")
    memory.pipe_file("/t.de", b"eins\nzwei\n")
    assert read("memory://t.en,memory://t.de").table.to_pydict() == {"en": ["one", "two"], "de": ["eins", "zwei"]}


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="^nowhere://f cannot be read: Protocol not known: nowhere"):
        contents("nowhere://f")
    fsspec = pytest.importorskip("fsspec")

    def absent(_: str) -> Any:
        raise ImportError("HfFileSystem needs a package")

    monkeypatch.setattr(fsspec, "url_to_fs", absent)
    with pytest.raises(MissingExtra) as told:
        contents("hf://datasets/u/r")
    assert str(told.value) == "hf:// needs huggingface_hub: pip install 'unrolled[remote]'"
    with pytest.raises(UsageError, match=r"^sftp:// cannot be read: HfFileSystem needs a package"):
        contents("sftp://host/f")
    monkeypatch.setitem(sys.modules, "fsspec", None)  # type: ignore[arg-type]
    with pytest.raises(MissingExtra, match=r"hf:// needs fsspec: pip install 'unrolled\[remote\]'"):
        contents("hf://datasets/u/r")


def test_a_store_that_cannot_be_opened_says_so() -> None:
    with pytest.raises(DataError, match="^gs:///f: its store cannot be opened"):
        contents("gs:///f")


def test_a_file_of_the_web(s3: S3Stub) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is in the extra [remote]")
    s3.put("a.csv", ROWS)
    assert contents(f"{s3.url}/b/a.csv") == {"a.csv": ROWS}
    s3.asked.clear()
    assert contents(f"{s3.url}/b/a.csv") == {"a.csv": ROWS}
    assert s3.asked["get"] == 0
    with pytest.raises(DataError, match=r"/b/none.csv: there is no such file"):
        contents(f"{s3.url}/b/none.csv")


FETCH = """
import sys
from unrolled.data.io import fetching
from unrolled.data.io.remote import near
fetching.PART, fetching._AT_ONCE = 1000, 2
with near("s3://b/f/"):
    pass
"""


@pytest.mark.soak
def test_a_fetch_that_is_killed_at_any_request_leaves_nothing_half(
    s3: S3Stub, tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    wanted = {f"{name}.csv": ROWS[: 3000 * number] for number, name in enumerate("abc", 1)}
    for name, content in wanted.items():
        s3.put(f"f/{name}", content)
    for killed_at in [4, 15, *range(1, 19)][: times(2, 20)]:
        shutil.rmtree(tmp_path / "copies", ignore_errors=True)
        s3.asked.clear()
        fetching_process = subprocess.Popen([sys.executable, "-c", FETCH])

        def kill(_: str, process: subprocess.Popen[bytes] = fetching_process, at: int = killed_at) -> None:
            if s3.asked["get"] >= at:
                process.kill()

        s3.before_get = kill
        assert fetching_process.wait() == -signal.SIGKILL
        s3.before_get = lambda _: None
        assert contents("s3://b/f/") == wanted
        assert copies(tmp_path / "copies") == ["a.csv", "b.csv", "c.csv", "fetched.json", "files.jsonl"]
        assert not list((tmp_path / "copies").glob(".*"))
