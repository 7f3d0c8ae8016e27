"""What ``evaluate`` prints below its table, in a few characters."""

from __future__ import annotations

from typing import Any

import pytest

from unrolled.cli.details import _cell


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0.1234567890123456, "0.1235"),
        ([0.1234567890123456, None, 2.0], "[0.1235, , 2]"),
        (["a", "b"], "[a, b]"),
        ("a\n b", "a b"),
    ],
)
def test_a_cell_holds_no_useless_digits_and_no_none(value: Any, shown: str) -> None:
    assert _cell(value) == shown
