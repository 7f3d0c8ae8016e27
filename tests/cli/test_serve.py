from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.support import Done

Command = Callable[..., Done]


def test_what_cannot_be_served_is_refused_before_anything_is_loaded(unrolled: Command, tmp_path: Path) -> None:
    empty = tmp_path / "tokens"
    empty.write_text("\n")
    for words, about in (
        ((), "serve needs a run: unrolled serve RUN"),
        (("a/run", "b/run"), "two of these runs have the same name"),
        (("run", "--host", "0.0.0.0"), "needs a token: give --token-file, or listen on 127.0.0.1"),
        (("run", "--host", "0.0.0.0", "--token-file", tmp_path / "none"), "cannot be read"),
        (("run", "--token-file", empty), "holds no token"),
        (("run", "--max-batch", "0"), "--max-batch must be at least 1, got 0"),
    ):
        done = unrolled("serve", *words)
        assert (done.code, done.out) == (2, "")
        assert about in done.err
    assert unrolled("serve", tmp_path).code == 4


def test_without_the_extra_the_pip_line_is_said(unrolled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    done = unrolled("serve", "run")
    assert done.code == 1
    assert done.err == "error: unrolled serve needs uvicorn: pip install 'unrolled[serve]'\n"
