"""The blocks of docs/extending.md run as they are written, in order, and print what the page says."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", PAGE, re.MULTILINE | re.DOTALL)
END = "--- the end of a block"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block prints. They register members, so they run in their own process."""
    folder = tmp_path_factory.mktemp("extending")
    (folder / "page.py").write_text("".join(f"{code}\nprint({END!r})\n" for code, _ in BLOCKS))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "page.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(f"{END}\n")[:-1]


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_prints_what_the_page_says(printed: list[str], number: int) -> None:
    _, wanted = BLOCKS[number]
    alike = doctest.OutputChecker().check_output(wanted, printed[number], doctest.ELLIPSIS)
    assert alike, f"the page says\n{wanted}\nand it prints\n{printed[number]}"


def test_every_kind_has_its_section() -> None:
    for kind in ("cell", "layer", "encoding", "reader", "task", "baseline", "metric"):
        assert re.search(rf"^## An? {kind}\b", PAGE, re.MULTILINE)
        assert f'unrolled.register("{kind}"' in PAGE
