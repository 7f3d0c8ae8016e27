"""Hooks: functions that are called with the events of training, to log them to a file or TensorBoard."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unrolled.errors import MissingExtra, named
from unrolled.storage.directories import write_file

__all__ = ["Event", "Hook", "log_to", "need_tensorboard", "tensorboard_to"]

Event = dict[str, Any]
"""An event of training: ``kind``, and named numbers.

Each has ``step``, ``epoch``, ``seconds`` and ``progress``. The kind is

- ``step``: several steps were taken;
- ``skipped``: a step was skipped, because its loss or gradient was not finite;
- ``valid``: a validation, with the metrics of the averaged weights;
- ``steps``: a budget in minutes was turned into ``total`` steps, at ``per_second`` steps;
- ``flat``: the training ``loss`` has not fallen from the ``first`` one;
- ``fall``: from here on the learning rate falls for the last ``steps``; ``early`` because validation stopped improving
  after step ``best``, and with ``refit`` over the validation split too;
- ``refit``: the loss on that split ``before`` and ``after``; unless ``kept``, the weights from before are.

At the end come ``valid_final`` and ``test_final``, with ``step`` and the metrics of the chosen weights."""

Hook = Callable[[Event], None]


def log_to(path: Path, from_step: int = 0) -> Hook:
    """Append each event as a JSON line to ``path``.

    When a run resumes, the lines that it will write again are dropped first: those after ``from_step``, the step of its
    last checkpoint, and the final metrics.
    """
    if path.exists():
        lines = path.read_text("utf-8").split("\n")
        kept = [line for line in lines if _step_of(line) <= from_step and '_final"' not in line]
        write_file(path, "".join(line + "\n" for line in kept if line).encode())

    def write(event: Event) -> None:
        odd = {name for name, value in event.items() if isinstance(value, float) and not math.isfinite(value)}
        known = {name: None if name in odd else value for name, value in event.items()}  # JSON has no NaN
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(known) + "\n")

    return write


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # so that a truncated line is dropped


def need_tensorboard() -> None:
    """Check that TensorBoard is installed.

    Raises:
        MissingExtra: tensorboard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise MissingExtra("tensorboard", "tensorboard", named("tensorboard"))


def tensorboard_to(folder: Path) -> Hook:
    """Write the numbers of each event to TensorBoard files in ``folder``.

    Raises:
        MissingExtra: tensorboard is not installed.
    """
    need_tensorboard()
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder))  # type: ignore[no-untyped-call, unused-ignore]

    def write(event: Event) -> None:
        for name, value in event.items():
            if isinstance(value, int | float) and name != "step":
                writer.add_scalar(f"{event['kind']}/{name}", value, event["step"])
        if event["kind"] != "step":
            writer.flush()

    return write
