"""Kill runs with SIGKILL at random moments until each was killed often enough; hold their ends against straight runs.

python killing.py FOLDER KILLS RUN …
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import torch
from contracts.runs import RUNS, Run, same_run


def forked(run: Run, out: Path) -> int:
    """A process that begins the run, or goes on with it."""
    child = os.fork()
    if not child:
        status = 1
        try:
            begun = (out / "config.json").exists()
            _ = run.resume(out) if begun else run.fit(out, checkpoint_every="1", overwrite=False)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return child


def main(name: str, folder: Path, kills: int) -> None:
    """Raise unless every run that was killed on its way ends as the straight one."""
    run, dice, killed, finished = RUNS[name], random.Random(name), 0, 0
    start = time.monotonic()
    assert os.waitpid(forked(run, folder / "straight"), 0)[1] == 0
    seconds = time.monotonic() - start
    while killed < kills or not finished:
        out = folder / f"killed-{finished}"
        child = forked(run, out)
        if killed < kills:
            time.sleep(dice.random() * seconds * 0.6)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            killed += 1
            continue
        assert status == 0, f"{name} ended with {status}"
        same_run(out, folder / "straight")
        finished += 1


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[3:]:
        print(name, flush=True)
        (Path(sys.argv[1]) / name).mkdir()
        main(name, Path(sys.argv[1]) / name, int(sys.argv[2]))
