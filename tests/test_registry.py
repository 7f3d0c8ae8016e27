from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from unrolled import registry
from unrolled.errors import UsageError
from unrolled.registry import Registry


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    registry._names.cache_clear()
    monkeypatch.setattr(registry, "_PACKAGE_ROOT", tmp_path)
    (tmp_path / "things").mkdir()
    return tmp_path / "things"


def test_a_member_is_a_file_with_its_line(folder: Path) -> None:
    (folder / "one.py").write_text("MEMBER = 1\n")
    (folder / "typed.py").write_text("x = 2\nMEMBER: int = x\n")
    (folder / "helper.py").write_text("# MEMBER = 3\nMEMBERS = [4]\n")
    (folder / "_hidden.py").write_text("MEMBER = 5\n")
    (folder / "notes.txt").write_text("MEMBER = 6\n")
    assert Registry("things", "thing").names() == ["one", "typed"]


def test_names_are_found_without_importing_anything(folder: Path) -> None:
    (folder / "bomb.py").write_text("MEMBER = 1\nraise SystemExit('imported')\n")
    things = Registry("things", "thing")
    assert things.names() == ["bomb"]
    assert "bomb" in things
    assert "other" not in things


def test_an_unknown_name_is_met_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"there is no cell 'lstn'. Did you mean 'lstm'\? Known: gru, irnn, lstm"):
        Registry("cells", "cell").get("lstn")


def test_members_are_imported_when_they_are_asked_for() -> None:
    cells = Registry("cells", "cell")
    assert list(cells.members()) == cells.names()
    assert cells.get("gru").__name__ == "GRU"


def test_listing_names_brings_no_torch() -> None:
    program = (
        "import sys; from unrolled.layers.build import model_names; from unrolled.registry import Registry;"
        "assert 'lstm' in model_names() and Registry('tasks', 'task').names(); assert 'torch' not in sys.modules"
    )
    source = str(Path(registry.__file__).parent.parent)
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": source})


def test_changing_the_list_of_names_changes_nothing() -> None:
    cells = Registry("cells", "cell")
    cells.names().append("mine")
    assert "mine" not in cells
