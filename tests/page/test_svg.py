"""SVG is valid whatever is written into it, and its colours follow the page."""

from __future__ import annotations

import re
from importlib.resources import files
from xml.etree import ElementTree

import numpy as np

from unrolled.page.chart import Chart
from unrolled.page.matrix import Cells
from unrolled.page.svg import COLOURS, SERIES, as_file, number, path, plain, words


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_any_text_is_valid_xml() -> None:
    text = "".join(map(chr, range(0x20))) + "<&>\"'\x7f\ud800\ufffe é 漢 🎵"
    assert ElementTree.fromstring(f'<a b="{words(text)}">{words(text)}</a>').text
    assert words("a\n\t\x00") == "a⏎⇥␀"


def test_a_path_has_a_gap_where_a_value_is_missing_and_a_lonely_point_is_a_dot() -> None:
    xs, ys = np.arange(6.0), np.array([1, 2, np.nan, 3, np.nan, np.nan])
    assert path(xs, ys) == "M0 1L1 2M3 3h0"
    assert path(xs, np.full(6, np.nan)) == ""


def test_numbers_are_short() -> None:
    assert [number(value) for value in (1.0, -0.04, 2.25, 100.06)] == ["1", "0", "2.2", "100.1"]


def test_a_file_has_plain_colours_and_those_of_a_dark_page() -> None:
    svg = Chart("t").line([0, 1], [0, 1], "a").to_svg()
    assert "var(--ink, #1b1b1b)" in svg and "<style" not in svg
    assert "var(" not in plain(svg)
    file = as_file(svg)
    assert "var(" not in file
    assert "prefers-color-scheme: dark" in file
    for fill in {*re.findall(r'(?:fill|stroke)="(#\w+)"', file)}:
        assert f'[fill="{fill}"]' in file, "a colour that stays as it is in the dark"
    assert ElementTree.fromstring(file).tag.endswith("svg")


def test_the_colours_are_those_of_the_page() -> None:
    style = files("unrolled.page").joinpath("parts", "page.css").read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    for night, text in enumerate((light, dark)):
        found = {
            name: of if len(of) == 7 else "#" + "".join(2 * one for one in of[1:])
            for name, of in re.findall(r"--(\w+): (#\w+)", text)
        }
        assert {name: found[name] for name in COLOURS} == {name: of[night] for name, of in COLOURS.items()}


def test_colours_can_be_read_and_told_apart_by_day_and_by_night() -> None:
    for night in (0, 1):
        ground = COLOURS["bg"][night]
        assert contrast(COLOURS["ink"][night], ground) >= 7
        assert contrast(COLOURS["soft"][night], ground) >= 4.5
        for name in (*SERIES, "accent", "low", "high"):
            assert contrast(COLOURS[name][night], ground) >= 3, name


def mixed(colour: str, ground: str, share: float) -> str:
    parts = [(int(colour[at : at + 2], 16), int(ground[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(share * one + (1 - share) * other):02x}" for one, other in parts)


def test_the_numbers_in_the_deepest_cells_can_be_read() -> None:
    deepest = Cells(np.ones((2, 2))).deepest
    for night in (0, 1):
        for name in ("accent", "low", "high"):
            cell = mixed(COLOURS[name][night], COLOURS["bg"][night], deepest)
            assert contrast(COLOURS["ink"][night], cell) >= 4.5, (name, night)
