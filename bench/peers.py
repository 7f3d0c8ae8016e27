"""Our LSTM and GRU beside other libraries', with the same weights, on the shapes A … F of issue 3.

Protocol: each side in a process of its own (their thread pools spin, and slow one another), ours and the peer's by
turns, in at least three rounds; a process times steps for two seconds after two that do not count. A side's figure is
the median over its rounds of the median step; of a peer's ways of running (with XLA or without, …) the fastest counts.
"×" is time(peer) / time(ours). "% of peak" is ours, of a 2048³ matrix product measured before the rounds, backward
counted as twice forward. Outputs, and in training the gradient of x, must agree to 1e-4; "apart" is the largest
difference.

Each peer is a script in `peers/`, which names what it needs; its environment is made in `work/peers/` on first use.
What cannot be installed is skipped with its reason.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import machine
import numpy as np
from kernels import GATES, SHAPES

SCRIPTS = common.ROOT / "bench" / "peers"
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Peer:
    """Which script, in which mode it is compared, and the ratios of issue 3."""

    script: str
    mode: str
    floor: dict[str, float]
    goal: float


PEERS = {
    "onnxruntime": Peer("onnx_runtime.py", "inference", {"LSTM": 0.9, "GRU": 1.1}, 1.15),
    "keras": Peer("keras_tensorflow.py", "training", {"LSTM": 1, "GRU": 1}, 3),
    "flax": Peer("flax_jit.py", "training", {"LSTM": 1, "GRU": 1}, 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round, without waiting; not recorded")
    parser.add_argument("--only", nargs="+", choices=list(PEERS), default=list(PEERS), metavar="NAME")
    parser.add_argument("--shapes", default="".join(SHAPES))
    parser.add_argument("--cells", nargs="+", choices=["LSTM", "GRU"], default=["LSTM", "GRU"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="of timed steps, for each process and way of running")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.2
    pythons = {name: environment(name, PEERS[name].script) for name in options.only}
    print(f"{machine.line()}; {options.threads} threads in each process\n")
    print("| peer | version, way | cell | mode | shape | peer ms | ours ms | × | floor | goal | % of peak | apart |")
    print("|---" * 12 + "|", flush=True)
    for name, python in pythons.items():
        for cell in options.cells if python else ():
            for shape in options.shapes:
                compare(name, python, cell, shape, options)


def environment(name: str, script: str) -> Path | None:
    """The Python of the peer's environment, which is made when it needs something new; `None` if that fails."""
    needs = requirements(SCRIPTS / script)
    folder = common.work("peers") / name
    python, installed = folder / "bin" / "python", folder / "installed.json"
    if installed.exists() and json.loads(installed.read_text("utf-8")) == needs:
        return python
    print(f"installing {', '.join(needs)}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needs],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reasons = [
                line for line in done.stderr.splitlines() if line.startswith("ERROR")
            ] or done.stderr.splitlines()
            print(f"{name} is skipped: {reasons[-1] if reasons else f'exit code {done.returncode}'}", file=sys.stderr)
            return None
    installed.write_text(json.dumps(needs), "utf-8")
    return python


def requirements(script: Path) -> list[str]:
    """The dependencies that stand at the top of a script, as Python's packaging guide has them (PEP 723)."""
    block = re.search(r"^# /// script\n((?:#.*\n)+?)# ///$", script.read_text("utf-8"), re.MULTILINE)
    assert block, f"{script.name} does not name its dependencies"
    needs: list[str] = tomllib.loads(re.sub(r"^# ?", "", block[1], flags=re.MULTILINE))["dependencies"]
    return needs


def compare(name: str, python: Path, cell: str, shape: str, options: argparse.Namespace) -> None:
    """One row of the table."""
    peer, (B, T, inputs, H) = PEERS[name], SHAPES[shape]
    sides = {"ours": (sys.executable, "ours.py"), "peer": (str(python), peer.script)}
    arguments = ["--cell", cell, "--mode", peer.mode, "--shape", *map(str, SHAPES[shape])]
    arguments += ["--threads", str(options.threads), "--seconds", str(options.seconds)]
    rounds: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    versions: dict[str, str] = {}
    speeds: list[float] = []
    for _ in range(options.rounds):
        if not options.quick:
            speeds.append(machine.wait_until_healthy())
        for side, command in sides.items():
            found = run(*command, [*arguments, "--out", str(numbers(side))])
            versions[side] = found["version"]
            rounds[side].append(found["seconds"])
    names = {"y": (B, T, H)} | ({"d_x": (B, T, inputs)} if peer.mode == "training" else {})
    apart = max(difference(array, size) for array, size in names.items())
    if not apart <= TOLERANCE:
        sys.exit(f"{name}, {cell}, shape {shape}: {apart:.2g} apart from ours, more than {TOLERANCE}")
    (_, ours), (way, theirs) = (fastest(rounds[side]) for side in sides)
    work = 2 * B * T * GATES[cell] * H * (inputs + H) * (3 if peer.mode == "training" else 1)
    share = f"{work / ours / max(speeds) / 1e7:.0f}" if speeds else "–"
    what = f"{name} | {versions['peer']}, {way} | {cell} | {peer.mode} | {shape}"
    times = f"{theirs * 1e3:.2f} | {ours * 1e3:.2f} | {theirs / ours:.2f} | {peer.floor[cell]} | {peer.goal}"
    print(f"| {what} | {times} | {share} | {apart:.1g} |", flush=True)
    if speeds:
        row = {"peer": name, "way": way, "cell": cell, "mode": peer.mode, "shape": shape}
        row |= {"peer_seconds": theirs, "seconds": ours, "rounds": rounds, "difference": apart}
        about = {"versions": versions, "threads": options.threads, "gflops": max(speeds), "machine": machine.line()}
        common.record("peers", {**row, **about, "date": machine.today()})


def numbers(side: str) -> Path:
    """The folder in which a side leaves what it computed."""
    folder = common.work("peers") / "numbers" / side
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(python: str, script: str, arguments: Sequence[str]) -> dict[str, Any]:
    """What the script printed last: its version, and the median seconds of each way of running."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if python == sys.executable:
        own["PYTHONPATH"] = str(common.ROOT / "src")
    command = [python, str(SCRIPTS / script), *arguments]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stderr}\nexit code {done.returncode} from {script} {shlex.join(arguments)}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def difference(array: str, size: tuple[int, ...]) -> float:
    """The largest absolute difference between the two sides."""
    ours, theirs = (np.fromfile(numbers(side) / array, np.float32).reshape(size) for side in ("ours", "peer"))
    return float(np.abs(ours - theirs).max())


def fastest(rounds: Sequence[dict[str, float]]) -> tuple[str, float]:
    """The way of running with the least median over the rounds, and that median."""
    medians = {way: statistics.median(found[way] for found in rounds) for way in rounds[0]}
    way = min(medians, key=lambda name: medians[name])
    return way, medians[way]


if __name__ == "__main__":
    main()
