from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import unrolled
from unrolled import registry
from unrolled.errors import ModelError, UsageError
from unrolled.registry import FOLDERS, Registry, check_members, outside_members, register
from unrolled.runs.config import RunConfig


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a kind of member ``thing``."""
    (tmp_path / "things").mkdir()
    monkeypatch.setitem(FOLDERS, "thing", str(tmp_path / "things"))
    return tmp_path / "things"


@pytest.fixture(autouse=True)
def nothing_stays_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


def install(site: Path, name: str, entries: dict[str, str], **modules: str) -> None:
    """A package in ``site`` as pip leaves it: modules, and a folder of metadata with its entry points."""
    metadata = site / f"{name.replace('-', '_')}-1.2.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    lines = [f"{entry} = {value}" for entry, value in entries.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[unrolled.members]", *lines, ""]))
    for module, text in modules.items():
        (site / f"{module}.py").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python imports packages from, as ``site-packages``."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


def test_a_member_is_a_file_with_its_line(folder: Path) -> None:
    (folder / "one.py").write_text("MEMBER = 1\n")
    (folder / "typed.py").write_text("x = 2\nMEMBER: int = x\n")
    (folder / "helper.py").write_text("# MEMBER = 3\nMEMBERS = [4]\n")
    (folder / "_hidden.py").write_text("MEMBER = 5\n")
    (folder / "notes.txt").write_text("MEMBER = 6\n")
    assert Registry("thing").names() == ["one", "typed"]


def test_names_are_found_without_importing_anything(folder: Path, site: Path) -> None:
    (folder / "bomb.py").write_text("MEMBER = 1\nraise SystemExit('imported')\n")
    install(site, "far-bomb", {"thing.far": "far_bomb:MEMBER"}, far_bomb="raise SystemExit('imported')\n")
    things = Registry("thing")
    assert things.names() == ["bomb", "far"]
    assert "bomb" in things
    assert "far" in things
    assert "other" not in things
    assert things.source("bomb") == folder / "bomb.py"
    assert things.source("far") == site / "far_bomb.py"
    assert things.package_of("far") == "far-bomb 1.2"


def test_an_unknown_name_is_met_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"there is no cell 'lstn'. Did you mean 'lstm'\? Known: .*lstm"):
        Registry("cell").get("lstn")


def test_members_are_imported_when_they_are_asked_for() -> None:
    cells = Registry("cell")
    assert list(cells.members()) == cells.names()
    assert cells.get("gru").__name__ == "GRU"
    assert cells.package_of("gru") is None


@pytest.mark.parametrize("kind", FOLDERS)
def test_the_source_of_every_member_of_ours_is_its_file(kind: str) -> None:
    members = Registry(kind)
    for name in members.names():
        source = members.source(name)
        assert source is not None
        assert source.name == f"{name}.py"
        assert source.is_file()


def test_listing_names_brings_no_torch() -> None:
    program = (
        "import sys; from unrolled.layers.factory import model_names; from unrolled.registry import Registry;"
        "assert 'lstm' in model_names() and Registry('task').names(); assert 'torch' not in sys.modules;"
        "assert Registry('layer').source('window').is_file(); assert 'torch' not in sys.modules"
    )
    source = str(Path(registry.__file__).parent.parent)
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": source})


def test_changing_the_list_of_names_changes_nothing() -> None:
    cells = Registry("cell")
    cells.names().append("mine")
    assert "mine" not in cells


# --- members of other packages ------------------------------------------------------------------------------------


def test_an_installed_package_adds_a_member(folder: Path, site: Path) -> None:
    install(
        site, "gadget-package", {"thing.gadget": "gadget_things:MEMBER"}, gadget_things="MEMBER = 'a gadget thing'\n"
    )
    things = Registry("thing")
    assert things.names() == ["gadget"]
    assert things.get("gadget") == "a gadget thing"
    assert things.members() == {"gadget": "a gadget thing"}
    assert "gadget" not in Registry("cell")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("no_such_module:MEMBER", "No module named 'no_such_module'"),
        ("half_things:MEMBER", "has no attribute 'MEMBER'"),
    ],
)
def test_a_member_that_cannot_be_imported_names_its_package(folder: Path, site: Path, value: str, why: str) -> None:
    install(site, "half-package", {"thing.half": value}, half_things="")
    with pytest.raises(UsageError, match=rf"the thing 'half' of half-package 1\.2 cannot be imported: .*{why}"):
        Registry("thing").get("half")


def test_a_source_that_is_not_there_is_none(folder: Path, site: Path) -> None:
    install(
        site, "half-package", {"thing.a": "no_such_module:MEMBER", "thing.b": "nor.this:MEMBER", "thing.c": "sys:c"}
    )
    assert [Registry("thing").source(name) for name in "abc"] == [None, None, None]


def test_a_package_cannot_take_the_name_of_a_member_of_ours(folder: Path, site: Path) -> None:
    (folder / "one.py").write_text("MEMBER = 1\n")
    install(site, "thief", {"thing.one": "sys:path", "thing.two": "sys:path"})
    with pytest.raises(UsageError, match=r"both unrolled and thief 1\.2 have a thing 'one': uninstall thief 1\.2"):
        Registry("thing").get("one")
    assert Registry("thing").get("two") == sys.path


def test_two_packages_with_one_name_are_both_named(folder: Path, site: Path) -> None:
    install(site, "left", {"thing.same": "sys:path"})
    install(site, "right", {"thing.same": "sys:path"})
    assert Registry("thing").names() == ["same"]
    for ask in (Registry("thing").get, Registry("thing").source, Registry("thing").package_of):
        with pytest.raises(UsageError, match=r"both (left|right) 1\.2 and (left|right) 1\.2 have a thing 'same'"):
            ask("same")


def test_a_program_registers_a_member(folder: Path) -> None:
    assert unrolled.register is register
    register("thing", "mine", 1)
    things = Registry("thing")
    assert things.names() == ["mine"]
    assert things.get("mine") == 1
    assert things.package_of("mine") == __name__
    assert things.source("mine") == Path(__file__)
    register("thing", "mine", 2)  # the same cell of a notebook, run again
    assert things.get("mine") == 2


def test_what_cannot_be_registered_says_why(folder: Path, site: Path) -> None:
    install(site, "first", {"thing.same": "sys:path"})
    with pytest.raises(UsageError, match=r"there is no kind of member 'cel'. Did you mean 'cell'\? Known: baseline, "):
        register("cel", "leaky", 1)
    with pytest.raises(UsageError, match=r"unrolled has a cell 'lstm' already: .*test_registry must register it under"):
        register("cell", "lstm", 1)
    with pytest.raises(UsageError, match=r"first 1\.2 has a thing 'same' already"):
        register("thing", "same", 1)
    elsewhere = ModuleType("elsewhere")
    exec("from unrolled import register\nregister('thing', 'theirs', 1)", elsewhere.__dict__)
    with pytest.raises(UsageError, match="elsewhere has a thing 'theirs' already"):
        register("thing", "theirs", 2)


def test_what_a_program_typed_in_registers_has_no_file(folder: Path) -> None:
    exec("from unrolled import register\nregister('thing', 'typed', 1)", {"__name__": "__main__"})
    assert Registry("thing").source("typed") is None
    assert Registry("thing").package_of("typed") == "__main__"


# --- the members that a run uses ----------------------------------------------------------------------------------


def test_a_run_lists_the_packages_of_its_members(folder: Path, site: Path) -> None:
    install(site, "leaky-package", {"thing.leaky": "leaky_things:MEMBER"})
    register("thing", "mine", 1)
    used = [("cell", "lstm"), ("thing", "leaky"), ("thing", "mine")]
    found = outside_members(used)
    assert found == {"thing.leaky": "leaky-package 1.2", "thing.mine": __name__}
    check_members(found, "run")


def test_a_member_that_is_not_here_is_named_with_its_package() -> None:
    why = "of the package 'absent-package', which is not installed: pip install absent-package"
    with pytest.raises(ModelError, match=f"^run: this run uses the cell 'absent' {why}$") as found:
        check_members({"cell.absent": "absent-package 1.2"}, "run")
    assert found.value.exit_code == 4
    with pytest.raises(
        ModelError, match="'absent' that the module 'cells_of_mine' registered: import that module first"
    ):
        check_members({"cell.absent": "cells_of_mine"}, "run")


def test_a_configuration_with_options_of_such_a_member_is_answered_first_with_its_package() -> None:
    text = '{"format": 1, "model": {"leak": 3}, "members": {"layer.absent": "absent-package 1.2"}}'
    with pytest.raises(ModelError, match="the layer 'absent' of the package 'absent-package', which is not installed"):
        RunConfig.parse(text, "run")


@pytest.mark.parametrize("members", [None, [], 3, "x", {"": ""}, {"os.system": "os"}, {"cell.lstm": ""}])
def test_what_lists_no_members_names_none(members: object) -> None:
    check_members(members, "run")
