"""A package outside the source tree adds a member of each kind: found, listed, and held to the contracts."""

from __future__ import annotations

from pathlib import Path

from outside.package import ENTRIES, SOURCE, anew, python, unrolled


def test_its_members_are_listed_without_being_imported(site: Path) -> None:
    done = anew(
        """
        import sys
        from unrolled.layers.factory import model_names
        from unrolled.runs.choices import kind_names, task_names
        from unrolled.registry import FOLDERS, Registry

        for entry in sys.argv[1:]:
            kind, _, name = entry.partition(".")
            assert name in Registry(kind).names()
            assert Registry(kind).package_of(name) == "leaky-package 1.2"
            assert Registry(kind).source(name).parent.name == "unrolled_leaky"
        assert {kind for kind, _, _ in (entry.partition(".") for entry in sys.argv[1:])} == set(FOLDERS) - {"exporter", "form", "model", "rule", "solved"}
        assert {"leaky", "bileaky", "running_mean"} <= set(model_names())
        assert "median" in task_names() and "time_of_day" in kind_names()
        imported = [name for name in sys.modules if name.startswith(("torch", "unrolled_leaky."))]
        assert not imported, imported
        """,
        *ENTRIES,
        site=site,
    )
    assert done.returncode == 0, done.stderr


def test_doctor_lists_them(site: Path) -> None:
    done = unrolled("doctor", site=site)
    for entry in ENTRIES:
        assert f"member    {entry} of leaky-package 1.2\n" in done.stdout


def test_each_is_held_to_the_contracts_of_its_kind(site: Path, tmp_path: Path) -> None:
    (tmp_path / "good.pipes").write_text("a|b\n1|x\n2|y\n")
    told = python(
        """
        import sys
        import pyarrow as pa
        from unrolled.testing import check_member

        numbers = {"wave": [[0.5 * t + n for t in range(n + 2)] for n in range(8)], "wait": [float(n) for n in range(8)]}
        asked = (numbers, {"target": "wait", "model": "leaky"})
        examples = {
            "encoding": (pa.array(["13:45", "00:00", "23:59"]), pa.array(["07:30"])),
            "reader": sys.argv[1],
            "task": asked,
            "baseline": asked,
        }
        for entry in sys.argv[2:]:
            print(check_member(entry, example=examples.get(entry.partition(".")[0])).faults)
        """,
        tmp_path / "good.pipes",
        *ENTRIES,
        site=site,
    )
    assert [line.partition(":")[0] for line in told.splitlines()] == list(ENTRIES)


def test_what_is_checked_in_of_our_options_does_not_change_by_it(site: Path) -> None:
    python(
        """
        import sys

        sys.path.insert(0, sys.argv[1])
        import write_options
        from unrolled.declarations import Owner, declared

        assert Owner("cell", "leaky") in declared()
        assert write_options.KEYWORDS.read_text("utf-8") == write_options.keywords()
        assert write_options.PAGE.read_text("utf-8") == write_options.page()
        """,
        SOURCE.parent / "tools",
        site=site,
    )
