"""The blocks of docs/export.md run as they are written, in order, and print what the page says."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "export.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", PAGE, re.MULTILINE | re.DOTALL)


def test_the_blocks_print_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code, wanted in BLOCKS:
        with contextlib.redirect_stdout(written := io.StringIO()):
            exec(compile(code, "export.md", "exec"), names)
        printed = written.getvalue()
        alike = doctest.OutputChecker().check_output(wanted, printed, doctest.ELLIPSIS)
        assert alike, f"the page says\n{wanted}\nand it prints\n{printed}"
