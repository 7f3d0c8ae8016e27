from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from unrolled.cli.main import main

_OURS = {"test", "browser", "check", "docs"}  # extras of those who build the project


def test_every_extra_that_a_user_may_want_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    declared = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    main(["doctor", "--json"])
    extras = json.loads(capsys.readouterr().out)["extras"]
    assert set(extras) == set(declared) - _OURS
    main(["doctor"])
    page = capsys.readouterr().out
    assert all(f"[{extra}] for " in page for extra in extras)


def test_an_entry_point_of_an_unknown_kind_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    metadata = tmp_path / "typo-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: typo\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[unrolled.members]\ncels.leaky = leaky:MEMBER\n")
    monkeypatch.syspath_prepend(tmp_path)
    main(["doctor"])
    assert "member    cels.leaky of typo 1.0: unknown kind; known kinds: baseline, cell, " in capsys.readouterr().out


def test_an_extra_is_missing_where_one_of_its_packages_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "soxr" else object())
    main(["doctor"])
    lines = {line.split("]")[0].split("[")[-1]: line for line in capsys.readouterr().out.splitlines() if "[" in line}
    assert lines["audio"].endswith("-m pip install 'unrolled[audio]'")
    assert lines["bio"].endswith("installed")
