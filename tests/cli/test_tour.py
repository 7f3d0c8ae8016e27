"""``unrolled tour``: where the page goes, and what is printed. What is trained is tested beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unrolled.tour import walk as walking
from unrolled.tour.claims import Claim
from unrolled.tour.walk import Tour

MADE = Tour("<p>the page</p>", (Claim("gates", True, "they keep 0.9."), Claim("memory", False, "none.")), 1.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(walking, "walk", lambda **_: MADE)
    monkeypatch.chdir(tmp_path)


def test_it_writes_one_page_and_prints_each_claim(unrolled) -> None:  # type: ignore[no-untyped-def]
    done = unrolled("tour", "--no-open")
    assert done.code == 0
    assert Path("tour.html").read_text() == "<p>the page</p>"
    assert done.out == "gates: they keep 0.9.\nmemory: it did not come true in this run: none.\n"
    assert "wrote tour.html" in done.err


def test_json_has_every_claim(unrolled) -> None:  # type: ignore[no-untyped-def]
    done = unrolled("tour", "--out", "other.html", "--json")
    found = json.loads(done.out)
    assert found["page"] == "other.html"
    assert found["claims"][1] == {"name": "memory", "holds": False, "sentence": "none."}


def test_a_page_that_exists_is_only_replaced_if_asked(unrolled) -> None:  # type: ignore[no-untyped-def]
    Path("tour.html").write_text("mine")
    done = unrolled("tour", "--no-open")
    assert done.code == 2
    assert "tour.html exists already: choose another --out, or replace it with --overwrite" in done.err
    assert Path("tour.html").read_text() == "mine"
    assert unrolled("tour", "--no-open", "--overwrite").code == 0
    assert Path("tour.html").read_text() == "<p>the page</p>"


def test_the_page_is_html(unrolled) -> None:  # type: ignore[no-untyped-def]
    done = unrolled("tour", "--out", "tour.pdf")
    assert done.code == 2
    assert "--out writes a page, so its name has to end in .html, not tour.pdf" in done.err


def test_it_opens_the_page_and_says_so_where_no_browser_is(unrolled, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)))
    done = unrolled("tour")
    assert opened == [Path("tour.html").resolve().as_uri()]
    assert "no browser could be opened: open tour.html in one" in done.err
