"""The tests that docs/first-contact.md names are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "first-contact.md"
NAMED = re.compile(r"`((?:\w+/)*test_\w+\.py)(?:::(\w+))?`")


def test_every_test_that_the_page_names_is_there() -> None:
    named = NAMED.findall(PAGE.read_text("utf-8"))
    assert len(named) > 80
    for file, name in named:
        assert (TESTS / file).is_file(), file
        assert not name or f"def {name}(" in (TESTS / file).read_text("utf-8"), f"{file}::{name}"
