"""Colours that can be told apart: with each common deficiency, and words on them that can be read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unrolled.page.document import Grid, Section, document

Open = Callable[..., Any]
WORDS, MARKS = 4.5, 3.0  # the least contrasts of WCAG


def linear(rgb: np.ndarray) -> np.ndarray:
    """sRGB from 0 to 255 as linear light."""
    share = np.asarray(rgb, float) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB under D65."""
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = matrix @ linear(rgb) / np.array([0.9505, 1.0, 1.089])
    cube = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * cube[1] - 16, 500 * (cube[0] - cube[1]), 200 * (cube[1] - cube[2])])


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    light = [float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour)) + 0.05 for colour in (one, other)]
    return max(light) / min(light)


def page() -> str:
    """A map of one line, which is −1, 0 and 1 for a third of the steps each, and its steps as words."""
    values = np.repeat([-1.0, 0.0, 1.0], 20)[:, None]
    quantities = [{"name": "state", "grid": Grid(values, -1.0, 1.0), "units": [0], "gate": False}]
    data = {"tokens": ["a"] * 60, "quantities": quantities}
    return document(
        "A",
        "b",
        [Section("Map", view="units", data=data, group="row"), Section("Row", view="text", data=data, group="row")],
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("deficiency", ["none", "protanopia", "deuteranopia", "tritanopia", "achromatopsia"])
def test_low_middle_and_high_differ(opened: Open, scheme: str, deficiency: str) -> None:
    found = opened(page(), color_scheme=scheme)
    session = found.page.context.new_cdp_session(found.page)
    session.send("Emulation.setEmulatedVisionDeficiency", {"type": deficiency})
    shot = np.asarray(Image.open(io.BytesIO(found.page.locator(".canvas").first.screenshot())).convert("RGB"))
    third = shot.shape[1] // 3
    low, middle, high = (lab(shot[shot.shape[0] // 2, third * at + third // 2]) for at in range(3))
    assert np.linalg.norm(low - middle) >= 20 and np.linalg.norm(high - middle) >= 20
    assert np.linalg.norm(low - high) >= 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_on_a_colour_can_be_read(opened: Open, scheme: str) -> None:
    found = opened(page(), color_scheme=scheme)
    colours = found.page.evaluate(
        """() => { const box = document.querySelector("[role=application]"), seen = getComputedStyle(box);
        return {ink: seen.color, ground: seen.backgroundColor,
                marks: [...box.querySelectorAll("i")].map((one) => getComputedStyle(one).backgroundColor)}; }"""
    )

    def numbers(colour: str) -> np.ndarray:
        return np.array([float(part) for part in colour[colour.index("(") + 1 : -1].split(",")])

    ink, ground = numbers(colours["ink"])[:3], numbers(colours["ground"])[:3]
    for colour in {*colours["marks"]}:
        parts = numbers(colour)
        share = parts[3] if len(parts) > 3 else 1.0
        assert contrast(ink, share * parts[:3] + (1 - share) * ground) >= WORDS


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_and_marks_stand_out_from_their_ground(opened: Open, scheme: str) -> None:
    found = opened(page(), color_scheme=scheme)
    names = ["bg", "panel", "accent", "line", *(f"mark{at}" for at in range(1, 6))]
    colours = found.page.evaluate(
        "names => names.map(name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim())",
        names,
    )
    rgb = {
        name: np.array(
            [int(part * (2 // len(part)), 16) for part in ([*of[1:]] if len(of) == 4 else [of[1:3], of[3:5], of[5:7]])]
        )
        for name, of in zip(names, colours, strict=True)
    }
    for name in names[2:]:
        assert min(contrast(rgb[name], rgb["bg"]), contrast(rgb[name], rgb["panel"])) >= MARKS
