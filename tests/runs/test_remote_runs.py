"""Runs on files that lie elsewhere: they are the runs on the same files of this machine, and hold no credentials."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from s3_stub import S3Stub

import unrolled as ur
from unrolled.cli.main import main
from unrolled.errors import DataError, UsageError
from unrolled.runs import blockwise, plan
from unrolled.runs.fit import fit
from unrolled.runs.parts import predict_parts
from unrolled.runs.prepared import OWN
from unrolled.runs.trained import Trained
from unrolled.storage.cache_folder import listed

TIME = 1_700_000_000.0
ROWS = [f"a {'good' if n % 3 else 'bad'} day {n % 17},{'yes' if n % 3 else 'no'}\n" for n in range(200)]
TABLE = ("text,label\n" + "".join(ROWS)).encode()
SHORT: dict[str, Any] = {"plan": "fixed", "hidden": 4, "steps": 3, "only": "none", "target": ("label",)}


def weights(trained: Trained) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in trained.network.state_dict().items()}


def texts(folder: Path) -> str:
    """All files of a folder, as one text."""
    return "\n".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


def test_a_run_on_remote_files_is_the_run_on_local_ones(s3: S3Stub, tmp_path: Path) -> None:
    s3.failing, s3.cut = 0.1, 0.1
    (tmp_path / "d").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "d" / name).write_bytes(TABLE)
        s3.put(f"d/{name}", TABLE)
    here = fit(tmp_path / "d", SHORT, out=tmp_path / "here")
    there = fit("s3://b/d/", SHORT, out=tmp_path / "there")
    assert weights(there) == weights(here)
    assert there.config.source == "s3://b/d/"
    assert there.config.files["training"] == {**here.config.files["training"], "path": "s3://b/d/"}
    assert there.evaluate("s3://b/d/a.csv") == here.evaluate(tmp_path / "d" / "a.csv")
    assert there.predict("s3://b/d/*.csv").equals(here.predict(tmp_path / "d"))
    assert str(ur.plan("s3://b/d/a.csv", **SHORT).task) == "classify"
    assert "open-sesame" not in texts(tmp_path)
    assert str(tmp_path / "copies") not in texts(tmp_path / "there")


def test_a_second_run_on_prepared_remote_files_only_lists_them(s3: S3Stub, tmp_path: Path) -> None:
    s3.put("d/a.csv", TABLE)
    cache = tmp_path / "cache"
    first = fit("s3://b/d/", SHORT, out=tmp_path / "one", cache=cache)
    assert sorted(one.source for one in listed(cache)) == ["s3://b/d/", "s3://b/d/"]  # copies, and what is prepared
    assert not (tmp_path / "copies").exists()
    (copies,) = (one.folder for one in listed(cache) if (one.folder / "fetched.json").exists())
    shutil.rmtree(copies)
    s3.asked.clear()
    lines: list[str] = []
    second = fit("s3://b/d/", SHORT, out=tmp_path / "two", cache=cache, say=lines.append)
    assert weights(second) == weights(first)
    assert any(line.startswith("prepared data: ") for line in lines)
    assert s3.asked["get"] == 0
    s3.put("d/a.csv", TABLE.replace(b"bad day 1", b"good day"), TIME + 1)
    third = fit("s3://b/d/", SHORT, out=tmp_path / "three", cache=cache)
    assert s3.asked["get"] == 1
    assert weights(third) != weights(first)
    assert "open-sesame" not in texts(tmp_path)


def test_a_run_on_remote_files_is_resumed(s3: S3Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put("a.csv", TABLE)
    options = {**SHORT, "checkpoint_every": "1"}
    whole = fit("s3://b/a.csv", options, out=tmp_path / "whole")

    class Stopped(Exception):
        pass

    def stop(*_: Any) -> None:
        raise Stopped

    with monkeypatch.context() as context, pytest.raises(Stopped):
        context.setattr("unrolled.runs.fit.judge", stop)
        fit("s3://b/a.csv", options, out=tmp_path / "stopped")
    resumed = ur.fit(None, out=tmp_path / "stopped", resume=True, quiet=True)
    assert weights(resumed) == weights(whole)
    with monkeypatch.context() as context, pytest.raises(Stopped):
        context.setattr("unrolled.runs.fit.judge", stop)
        fit("s3://b/a.csv", options, out=tmp_path / "changed")
    s3.put("a.csv", TABLE[:-7] + b"1,yes\n", TIME + 1)
    with pytest.raises(DataError, match="^s3://b/a.csv: the data has changed"):
        ur.fit(None, out=tmp_path / "changed", resume=True, quiet=True)


def test_a_file_that_changes_while_a_run_reads_it(s3: S3Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put("a.csv", TABLE)
    look = plan.look

    def look_and_change(*args: Any) -> Any:
        s3.put("a.csv", TABLE + b"late,yes\n", TIME + 1)
        return look(*args)

    def large(source: Any) -> bool:
        return before(source)  # the run has listed it now

    before = plan.large
    monkeypatch.setattr(plan, "look", look_and_change)
    with pytest.raises(DataError, match=r"^s3://b/a.csv: it changed while the run reads it \(start the run again\)"):
        fit("s3://b/a.csv", SHORT, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_large_remote_file_is_prepared_block_by_block(
    s3: S3Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"LARGE": 1000, "HEAD": 3000, "BLOCK": 500}.items():
        monkeypatch.setattr(blockwise, name, value)
    monkeypatch.setattr(plan, "HEAD", 3000)
    (tmp_path / "d" / "sub").mkdir(parents=True)
    for name in ("a.csv", "sub/b.csv"):
        (tmp_path / "d" / name).write_bytes(TABLE)
        s3.put(f"d/{name}", TABLE)
    for number, name in enumerate(("d", "d/*/*.csv")):
        lines: list[str] = []
        caches = (tmp_path / f"one-{number}", tmp_path / f"two-{number}")
        here = fit(tmp_path / name, SHORT, out=tmp_path / "here", cache=caches[0], say=lines.append, overwrite=True)
        there = fit(f"s3://b/{name}", SHORT, out=tmp_path / "there", cache=caches[1], overwrite=True)
        assert any("the beginning of" in line for line in lines)
        assert weights(here) == weights(there)
    assert OWN not in [path.name for path in (tmp_path / "there").iterdir()]


def test_the_command_line_reads_addresses(
    s3: S3Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv"):
        s3.put(f"d/{name}", TABLE)
    few = ["--plan", "fixed", "--hidden", "4", "--steps", "3", "--only", "none", "--target", "label"]
    assert main(["fit", "s3://b/d/a.csv", *few, "--out", "run", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["predict", "run", "s3://b/d/a.csv"]) == 0
    out = capsys.readouterr().out
    assert main(["predict", "run", "s3://b/d/", "--out", "parts", "--shard", "0/1", "--quiet"]) == 0
    assert main(["evaluate", "run", "s3://b/d/", "--out", "sums", "--shard", "0/1", "--quiet"]) == 0
    assert len(out.splitlines()) == 201
    assert sorted(path.name for path in Path("parts").iterdir()) == ["part-a.csv.parquet", "part-b.csv.parquet"]
    capsys.readouterr()
    assert main(["cache", "copies"]) == 0
    assert "s3://b/d/a.csv" in capsys.readouterr().out
    assert main(["fit", "s3://who:open-sesame@b/d/", *few, "--out", "none"]) == UsageError.exit_code
    assert "open-sesame" not in capsys.readouterr().err + texts(tmp_path)


def test_a_shard_names_the_address_of_a_file_that_it_cannot_read(
    s3: S3Stub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    s3.put("d/a.csv", TABLE)
    s3.put("d/b.csv", b"other,columns\n1,2\n")
    trained = fit("s3://b/d/a.csv", SHORT, out=tmp_path / "run")
    with pytest.raises(DataError) as told:
        predict_parts(trained, "s3://b/d/", tmp_path / "parts")
    assert "s3://b/d/b.csv" in str(told.value)
    assert any("left out" in line and "s3://b/d/b.csv" in line for line in caplog.messages)
    assert str(tmp_path / "copies") not in str(told.value) + caplog.text
