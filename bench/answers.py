"""What a run answers to a file, and how fast: shared by the scripts whose figures are read off answers.

A run is opened as a user opens it, with `unrolled.load`, and answers the file with `predict`: reading and encoding it
count in the seconds, opening the run does not.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import common
import machine

import unrolled

__all__ = ["Written", "record", "written"]


@dataclass(frozen=True, slots=True)
class Written:
    """The answers of one run to one file: ``values``, a row each; ``beam`` were kept open while each was written."""

    run: common.Run
    beam: int
    values: list[Any]
    seconds: float
    gflops: float | None

    @property
    def rate(self) -> float:
        """Rows a second."""
        return len(self.values) / self.seconds


def written(run: common.Run, file: str, column: str, beam: int, options: common.Options) -> Written:
    """What ``run`` answers to its table's ``file``: its column ``<column>_predicted``."""
    folder = common.work(run.table)
    trained = unrolled.load(folder / common.run_folder(run.command))
    speed = None if options.quick else machine.wait_until_healthy()
    started = time.perf_counter()
    table = trained.predict(str(folder / file), beam=beam)
    seconds = time.perf_counter() - started
    return Written(run, beam, table.column(f"{column}_predicted").to_pylist(), seconds, speed)


def record(found: Written, options: common.Options, figures: Mapping[str, object]) -> None:
    """Append a line with the ``figures`` that were read off the answers to the table's records."""
    if options.quick or options.tune:
        return
    run = found.run
    facts = {"table": run.table, "variant": run.variant, "seed": run.seed, "what": "answers", "split": run.split}
    speed = {"beam": found.beam, "rows": len(found.values), "seconds": found.seconds, "gflops": found.gflops}
    place = {"command": run.command, "machine": machine.line(), "date": machine.today()}
    common.record(run.table, {**facts, **speed, **figures, **place})
