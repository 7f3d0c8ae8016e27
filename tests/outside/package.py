"""A package outside the source tree: where it lies, the options of its members, and commands that run with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import warm

SOURCE = Path(__file__).parent.parent.parent / "src"
PACKAGE = Path(__file__).parent / "leaky_package"
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["project"]
ENTRIES: dict[str, str] = PROJECT["entry-points"]["unrolled.members"]


OPTIONS = {
    "cell.leaky": ("leak", "0.25", "Share of its state that a leaky unit begins to forget at each step."),
    "layer.running_mean": ("decay", "0.5", "Share of its weight that a step loses in the running mean"),
    "encoding.time_of_day": ("harmonics", "3", "How many circles a time of day is a point on"),
    "reader.pipes": ("comment", "#", "What the lines begin with that are left out of a table with pipes."),
    "task.median": ("level", "0.9", "Share of the right numbers that lie below the answer."),
    "baseline.training_median": ("trim", "0.5", "Share of the highest targets that the training median leaves out."),
    "metric.within": ("within", "2.0", "How near an answer is that counts as close, in deviations of training."),
}
PART = {"reader": "data", "encoding": "data", "task": "task", "cell": "model", "layer": "model"}  # others: training
COMMON = ["--target", "wait", "--hidden", "4", "--steps", "2"]


def flags(*entries: str) -> list[str]:
    return [word for entry in entries for word in (f"--{OPTIONS[entry][0]}", OPTIONS[entry][1])]


def run(program: str, *words: object, site: Path | None) -> subprocess.CompletedProcess[Any]:
    """A program of Python with the package installed in ``site``, or without it."""
    paths = () if site is None else (site, PACKAGE)
    return warm.run(textwrap.dedent(program), *words, paths=paths)


def anew(program: str, *words: object, site: Path) -> subprocess.CompletedProcess[str]:
    """The same in a process that has imported nothing yet, as a user's."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (SOURCE, site, PACKAGE))),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def unrolled(*words: object, site: Path | None) -> subprocess.CompletedProcess[Any]:
    """The command line."""
    return run(warm.COMMAND_LINE, *words, site=site)


def python(program: str, *words: object, site: Path | None) -> str:
    done = run(program, *words, site=site)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def each(*commands: list[Any], site: Path) -> list[tuple[int, str]]:
    """The exit code and the messages of several commands, which are run in one process."""
    told = python(
        """
        import contextlib
        import io
        import json
        import sys
        from unrolled.cli.main import main

        found = []
        for command in json.loads(sys.argv[1]):
            said = io.StringIO()
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                code = main(command)
            found.append((code, " ".join(said.getvalue().split())))
        print(json.dumps(found))
        """,
        json.dumps(commands, default=str),
        site=site,
    )
    return [(code, said) for code, said in json.loads(told)]
