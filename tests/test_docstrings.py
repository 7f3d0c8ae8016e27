"""Every example in a docstring runs, and gives what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
import torch

SOURCE = Path(__file__).parent.parent / "src"
FILES = [file for file in sorted((SOURCE / "unrolled").rglob("*.py")) if ">>> " in file.read_text("utf-8")]
NAMES = [".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for file in FILES]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_module_run(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.attempted > 0
    assert results.failed == 0
