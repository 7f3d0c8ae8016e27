"""The package as it is installed, and runs that were trained with it, which tests read."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from outside.package import COMMON, ENTRIES, OPTIONS, PROJECT, anew, flags, unrolled
from warm import COMMAND_LINE


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def trained(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and the run that was trained on it, by members of the package only."""
    folder = tmp_path_factory.mktemp("trained")
    dice = random.Random(0)
    rows = [(dice.randrange(24), dice.randrange(60)) for _ in range(60)]
    lines = [f"{hour:02}:{minute:02}|{abs(hour - 8) + minute / 60:.3f}" for hour, minute in rows]
    (folder / "waits.pipes").write_text("\n".join(["arrival|wait", *lines, ""]))
    options = ["--target", "wait", "--task", "median", "--model", "leaky", "--hidden", "8", "--epochs", "2"]
    done = anew(COMMAND_LINE, "fit", folder / "waits.pipes", *options, "--out", folder / "run", site=site)
    assert done.returncode == 0, done.stderr
    assert "arrival (time_of_day)" in done.stderr
    return folder


@pytest.fixture(scope="session")
def optioned(trained: Path, site: Path) -> Path:
    """Two runs with options of every member, ``cell`` and ``layer``, on a table with a remark in it."""
    lines = (trained / "waits.pipes").read_text().splitlines()
    (trained / "remarked.pipes").write_text("\n".join(["# waits", lines[0], "# a remark | of | cells", *lines[1:], ""]))
    for kind, model in (("cell", "leaky"), ("layer", "running_mean")):
        chosen = [entry for entry in OPTIONS if entry.partition(".")[0] not in {"cell", "layer"} - {kind}]
        asked = [*COMMON, "--task", "median", "--model", model, *flags(*chosen), "--out", str(trained / kind)]
        done = unrolled("fit", trained / "remarked.pipes", *asked, site=site)
        assert done.returncode == 0, done.stderr
    return trained
