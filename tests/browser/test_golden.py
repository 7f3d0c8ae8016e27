"""The six pages of `make pages`: each opens offline and in silence, without a violation, with the parts that its kind has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
PAGES = Path(__file__).parents[2] / "build" / "pages"
GOLDEN: dict[str, list[str]] = json.loads(Path(__file__).with_name("golden.json").read_text("utf-8"))


@pytest.mark.parametrize("name", GOLDEN)
def test_it_has_its_parts(opened: Open, name: str) -> None:
    if not (PAGES / f"{name}.html").is_file():
        pytest.skip("make pages builds it")
    found = opened((PAGES / f"{name}.html").read_text("utf-8"))
    found.unfold()
    assert len(found.requests) == 1 and found.said == []
    assert parts(found.page.locator("main").aria_snapshot()) == GOLDEN[name]
    assert found.violations() == []


def parts(snapshot: str) -> list[str]:
    """The headings, pictures and places of a page by their names, as a screen reader has them; without numbers."""
    named = re.findall(r'- (heading|img|application|region) "((?:[^"\\]|\\.)*)"', snapshot)
    return [f"{role} {re.sub(r'[0-9][0-9,.]*', '#', name)}" for role, name in named]
