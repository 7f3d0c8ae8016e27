"""A picture is saved in the form that its name says, and refused in one sentence where it cannot be."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from unrolled.errors import MissingExtra, UnrolledError, UsageError, as_flags
from unrolled.page import saved
from unrolled.page.chart import Chart
from unrolled.page.saved import check_picture, save_picture

SVG = Chart("A & B").line([0, 1], [1, 2]).to_svg()


def test_a_picture_is_a_file_of_its_own_or_a_page(tmp_path: Path) -> None:
    for name, begin in {"a.svg": b"<svg ", "b.HTML": b"<!doctype html>"}.items():
        check_picture(tmp_path / name)
        save_picture(tmp_path / name, SVG, "A & B")
        assert (tmp_path / name).read_bytes().lower().startswith(begin)
    assert b"prefers-color-scheme" in (tmp_path / "a.svg").read_bytes()
    assert "A &amp; B" in (tmp_path / "b.HTML").read_text("utf-8")


def test_a_png_is_drawn_by_an_extra(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    check_picture(tmp_path / "a.png")
    save_picture(tmp_path / "a.png", SVG, "A & B")
    data = (tmp_path / "a.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") == 2 * 436, "twice as many pixels as the picture has"


def test_a_png_without_words_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "_png", lambda svg, zoom=1: b"")
    with pytest.raises(UnrolledError, match="this machine has no font for a .png: install one"):
        check_picture(tmp_path / "a.png")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with as_flags(), pytest.raises(UsageError, match=r"--plot writes .svg, .png and .html files, not a.jpg: choose"):
        check_picture(tmp_path / "a.jpg")


def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "resvg_py":
            raise ImportError
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"a picture as .png needs resvg-py: pip install 'unrolled\[plot\]'"):
        check_picture(tmp_path / "a.png")
