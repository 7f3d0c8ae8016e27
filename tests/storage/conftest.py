"""A directory that was written, which a test may spoil."""

from __future__ import annotations

from pathlib import Path

import pytest
from storage.contents import OLD

from unrolled.storage.directories import write_directory


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_directory(tmp_path / "run", dict(OLD))
    return tmp_path / "run"
