"""A page as a file: its numbers come back, nothing in it can end a script, and nothing is loaded."""

from __future__ import annotations

import base64
import gzip
import json
import re
import tomllib
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unrolled.page.document import _CORE, Grid, Section, document, escaped


def unpacked(html: str) -> tuple[dict[str, Any], list[np.ndarray]]:
    """What the page says is where, and the arrays in its blob."""
    page = json.loads(re.findall(r'<script type="application/json" id="page">(.*?)</script>', html, re.DOTALL)[0])
    blob = re.findall(r'id="blob">(.*?)</script>', html, re.DOTALL)[0]
    numbers = gzip.decompress(base64.b64decode(blob))
    kinds = {"f4": "<f4", "i4": "<i4", "u1": "u1"}
    return page, [np.frombuffer(numbers, kinds[one["type"]], one["length"], one["at"]) for one in page["arrays"]]


def test_arrays_of_each_type_come_back() -> None:
    data = {
        "loss": np.array([0.5, np.nan, 2.25], np.float64),
        "ids": np.array([[3, -1], [70_000, 2]], np.int64),
        "levels": np.array([7, 9], np.uint8),
        "deep": [{"again": np.array([1.5], np.float32)}],
    }
    page, arrays = unpacked(document("A", "b", [Section("One", view="loss", data=data)]))
    loss, ids, levels, again = arrays
    np.testing.assert_array_equal(loss, np.array([0.5, np.nan, 2.25], np.float32))
    assert ids.tolist() == [3, -1, 70_000, 2] and page["arrays"][1]["width"] == 2
    assert levels.tolist() == [7, 9] and again.tolist() == [1.5]
    assert page["views"][0]["data"]["deep"] == [{"again": {"$": 3}}]


def test_a_grid_has_levels_between_its_ends_and_one_for_no_value() -> None:
    page, (levels,) = unpacked(
        document("A", "b", [Section("One", view="units", data={"q": Grid(np.array([[-1.0, 0.0], [1.0, np.nan]]))})])
    )
    assert levels.tolist() == [0, 127, 254, 255]
    assert (page["arrays"][0]["low"], page["arrays"][0]["high"]) == (-1.0, 1.0)
    coarse = Grid(np.array([0.0, 0.2, 0.4, 0.6, 9.0]), 0.0, 1.0, levels=3)  # 9 is outside: it is drawn at the end
    _, (levels,) = unpacked(document("A", "b", [Section("One", view="units", data={"q": coarse})]))
    assert levels.tolist() == [0, 0, 127, 127, 254]
    low, high = (
        unpacked(document("", "", [Section("", view="units", data={"q": Grid(np.array(each))})]))
        for each in ([0.25, 0.75], [np.nan])
    )
    assert (low[0]["arrays"][0]["low"], low[0]["arrays"][0]["high"]) == (0.25, 0.75)
    assert high[1][0].tolist() == [255]


def test_an_array_that_two_views_draw_is_in_the_file_once() -> None:
    same = Grid(np.zeros((4, 2)))
    page, arrays = unpacked(
        document("", "", [Section("", view="units", data={"q": same}), Section("", view="gates", data={"q": same})])
    )
    assert len(arrays) == 1
    assert [one["data"]["q"] for one in page["views"]] == [{"$": 0}] * 2


def test_a_users_words_cannot_end_a_script_or_become_markup() -> None:
    bad = "</script><script>alert(1)</script><!--"
    html = document(bad, bad, [Section(bad, f"<p>{escaped(bad)}</p>", view="text", data={"tokens": [bad]})])
    assert "alert(1)</script>" not in html and "<!--" not in html
    assert unpacked(html)[0]["views"][0]["data"]["tokens"] == [bad]


def test_the_page_may_load_nothing_and_a_live_page_only_from_its_server() -> None:
    sections = [Section("One", view="text", data={"tokens": []})]
    still, live = document("", "", sections), document("", "", sections, live=True)
    assert "default-src 'none'" in still and "connect-src 'none'" in still
    assert "connect-src 'self'" in live
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", still)
    assert "http:" not in still and "https:" not in still


def test_a_page_holds_the_code_of_its_views_alone() -> None:
    words = document("", "", [Section("Only words", "<p>Here.</p>")])
    assert "views." not in words
    text = document("", "", [Section("", view="text", data={"tokens": []})])
    assert "views.text =" in text and "views.units =" not in text
    with pytest.raises(FileNotFoundError):
        document("", "", [Section("", view="none")])


def test_the_same_sections_are_the_same_file() -> None:
    def made() -> str:
        return document("A", "b", [Section("One", view="units", data={"q": Grid(np.eye(3))})])

    assert made() == made()


SERVED = {"inside.js", "playground.js", "state.js"}  # only on the page of a server


def test_all_code_and_style_stay_small() -> None:
    from importlib.resources import files

    parts = list(files("unrolled.page").joinpath("parts").iterdir())
    sizes = {part.name: len(part.read_bytes()) for part in parts}
    assert sizes.keys() >= SERVED
    assert sum(size for name, size in sizes.items() if name not in SERVED) <= 80_000
    assert sum(sizes[name] for name in SERVED) <= 25_000
    assert all(len(part.read_text().splitlines()) <= 350 for part in parts)


def test_no_two_parts_of_the_core_declare_one_name() -> None:
    """They stand in one script, which a name that two of them declare would end."""
    declared = re.compile(r"^(?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)
    parts = files("unrolled.page").joinpath("parts")
    found = [one for name in _CORE for one in declared.findall(parts.joinpath(f"{name}.js").read_text("utf-8"))]
    assert len(found) > 20 and len(found) == len({*found})


def test_a_wheel_holds_every_part() -> None:
    root = Path(__file__).parents[2]
    declared = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["unrolled"]
    for part in (root / "src" / "unrolled" / "page" / "parts").iterdir():
        assert any(fnmatch(f"page/parts/{part.name}", pattern) for pattern in declared)
