"""C11 over every reader: a good file is read, and what is missing, empty or damaged is refused in a line that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contracts.test_folders import FILES

from unrolled.data.readers.reader import READERS
from unrolled.testing.readers import CONTRACTS


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("ending", FILES)
def test_a_reader(ending: str, contract: Any, tmp_path: Path) -> None:
    name, good, _ = FILES[ending]
    (tmp_path / f"good.{ending}").write_bytes(good(1))
    (tmp_path / "others").mkdir()
    contract(READERS.get(name), tmp_path / f"good.{ending}", tmp_path / "others")
