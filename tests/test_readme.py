"""Every block of the README runs as it is written, in order."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from unrolled.cli.main import main

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    printed = ""
    for language, block in BLOCKS:
        if language == "text":  # what a command prints
            continue
        if language == "python":
            exec(compile(block, "README.md", "exec"), {})
            continue
        for line in block.splitlines():
            if line.startswith("unrolled") or "| unrolled" in line:
                assert run(line, monkeypatch) == 0, f"{line}\n{capsys.readouterr().err}"
                printed += capsys.readouterr().out
    assert printed.count("The model is ") >= 9
    assert "The model is worse than" not in printed
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 301


def run(line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of ``[head -n N FILE |] unrolled … [> FILE]``."""
    piped = re.match(r"head -n (\d+) (\S+) \| ", line)
    if piped:
        lines = Path(piped[2]).read_bytes().splitlines(keepends=True)[: int(piped[1])]
        stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"".join(lines))))
        monkeypatch.setattr(sys, "stdin", stdin)
    command, _, out = line[piped.end() if piped else 0 :].partition(" > ")
    written = io.TextIOWrapper(io.BytesIO(), write_through=True)
    with contextlib.redirect_stdout(written) if out else contextlib.nullcontext():
        code = main(shlex.split(command)[1:])
    if out:
        Path(out).write_bytes(written.buffer.getvalue())  # type: ignore[attr-defined]
    return code


def test_what_it_links_to_is_there() -> None:
    root = Path(__file__).parent.parent
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (root / target).exists(), target
