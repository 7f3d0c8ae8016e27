"""A package outside the source tree adds a member of each kind: found, trained, saved, opened, and held to contracts."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent.parent / "src"
PACKAGE = Path(__file__).parent / "leaky_package"
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["project"]
ENTRIES: dict[str, str] = PROJECT["entry-points"]["unrolled.members"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``pip install`` leaves of the package beside its code: its metadata."""
    folder = tmp_path_factory.mktemp("site")
    metadata = folder / f"leaky_package-{PROJECT['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {PROJECT['name']}\nVersion: {PROJECT['version']}\n"
    )
    lines = [f"{name} = {value}" for name, value in ENTRIES.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[unrolled.members]", *lines, ""]))
    return folder


def run(*command: str, site: Path | None) -> subprocess.CompletedProcess[str]:
    """Python with the package installed in ``site``, or without it."""
    paths = [SOURCE, *((site, PACKAGE) if site is not None else ())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, env=environment)


def unrolled(*arguments: str, site: Path | None) -> subprocess.CompletedProcess[str]:
    """The command line."""
    program = "import sys; from unrolled.cli.main import main; sys.exit(main(sys.argv[1:]))"
    return run("-c", program, *arguments, site=site)


def python(program: str, *arguments: str, site: Path | None) -> str:
    done = run("-c", textwrap.dedent(program), *arguments, site=site)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_members_are_listed_without_being_imported(site: Path) -> None:
    python(
        """
        import sys
        from unrolled.layers.build import model_names
        from unrolled.names import kind_names, task_names
        from unrolled.registry import FOLDERS, Registry

        for entry in sys.argv[1:]:
            kind, _, name = entry.partition(".")
            assert name in Registry(kind).names()
            assert Registry(kind).package_of(name) == "leaky-package 1.2"
            assert Registry(kind).source(name).parent.name == "unrolled_leaky"
        assert {kind for kind, _, _ in (entry.partition(".") for entry in sys.argv[1:])} == set(FOLDERS) - {"form"}
        assert {"leaky", "bileaky", "running_mean"} <= set(model_names())
        assert "median" in task_names() and "time_of_day" in kind_names()
        imported = [name for name in sys.modules if name.startswith(("torch", "unrolled_leaky."))]
        assert not imported, imported
        """,
        *ENTRIES,
        site=site,
    )


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
        str(tmp_path / "good.pipes"),
        *ENTRIES,
        site=site,
    )
    assert [line.partition(":")[0] for line in told.splitlines()] == list(ENTRIES)


@pytest.fixture(scope="module")
def trained(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and the run that was trained on it, by members of the package only."""
    folder = tmp_path_factory.mktemp("trained")
    dice = random.Random(0)
    rows = [(dice.randrange(24), dice.randrange(60)) for _ in range(60)]
    lines = [f"{hour:02}:{minute:02}|{abs(hour - 8) + minute / 60:.3f}" for hour, minute in rows]
    (folder / "waits.pipes").write_text("\n".join(["arrival|wait", *lines, ""]))
    options = ["--target", "wait", "--task", "median", "--model", "leaky", "--hidden", "8", "--epochs", "2"]
    done = unrolled("fit", str(folder / "waits.pipes"), *options, "--out", str(folder / "run"), site=site)
    assert done.returncode == 0, done.stderr
    assert "arrival (time_of_day)" in done.stderr
    return folder


def test_a_run_is_made_of_them_and_says_so(trained: Path, site: Path) -> None:
    config = json.loads((trained / "run" / "config.json").read_bytes())
    assert config["members"] == dict.fromkeys(
        ["cell.leaky", "encoding.time_of_day", "task.median"], "leaky-package 1.2"
    )
    results = json.loads((trained / "run" / "results.json").read_bytes())
    assert "within_half_deviation" in results["metrics"]["valid"]
    assert "within_half_deviation" in results["baselines"]["valid"]["median"]
    done = unrolled("predict", str(trained / "run"), str(trained / "waits.pipes"), site=site)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('"arrival","wait","wait_median"\n')
    assert len(done.stdout.splitlines()) == 61


def test_it_streams(trained: Path, site: Path) -> None:
    told = python(
        """
        import sys
        import unrolled

        live = unrolled.load(sys.argv[1]).stream()
        print(live.push({"arrival": "09:00"})["wait_median"])
        """,
        str(trained / "run"),
        site=site,
    )
    assert abs(float(told)) < 24


def test_other_models_of_it_train_too(trained: Path, site: Path, tmp_path: Path) -> None:
    python(
        """
        import sys
        import unrolled

        data, out = sys.argv[1:]
        for model in ("bileaky", "running_mean"):
            unrolled.fit(data, target="wait", model=model, hidden=4, steps=2, out=f"{out}/{model}")
            assert len(unrolled.load(f"{out}/{model}").config.members) == 2
        """,
        str(trained / "waits.pipes"),
        str(tmp_path),
        site=site,
    )


def test_without_the_package_a_run_says_what_to_install(trained: Path) -> None:
    (trained / "waits.csv").write_text("arrival,wait\n09:00,1\n")
    done = run(
        "-c",
        textwrap.dedent(
            """
            import sys
            from unrolled.cli.main import main

            folder, data = sys.argv[1:]
            verbs = (["predict", folder, data], ["evaluate", folder, data], ["describe", folder], ["fit", "--resume", folder])
            print([main(verb) for verb in verbs])
            """
        ),
        str(trained / "run"),
        str(trained / "waits.csv"),
        site=None,
    )
    assert done.stdout == "[4, 4, 4, 4]\n", done.stderr
    why = "this run uses the cell 'leaky' of the package 'leaky-package', which is not installed: pip install leaky-package"
    assert " ".join(done.stderr.split()).count(why) == 4


def test_a_config_cannot_name_what_is_not_registered(trained: Path, site: Path, tmp_path: Path) -> None:
    """Whatever ``members`` says, nothing is imported but what is installed under its name."""
    config = json.loads((trained / "run" / "config.json").read_bytes())
    config["members"] = {"cell.os": "leaky-package 1.2"}
    config["model"]["name"] = "os"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    done = unrolled("describe", str(tmp_path / "run"), site=site)
    assert done.returncode == 4
    assert "this run uses the cell 'os' of the package 'leaky-package'" in " ".join(done.stderr.split())
