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

__all__ = ["LOG", "Event", "Hook", "log_to", "logs", "need_tensorboard", "tensorboard_to"]

Event = dict[str, Any]
"""An event of training: ``kind``, and named numbers.

Each has ``step``, ``epoch``, ``seconds`` and ``progress``. The kind is

- ``step``: several steps were taken (see `logs`), with their mean ``loss``, the share of all steps that were clipped,
  and the ``gradient_norm`` of the last one before it was clipped, of each part of the network too;
- ``skipped``: a step was skipped, because its loss or gradient was not finite;
- ``valid``: a validation, with the metrics of the averaged weights;
- ``steps``: a budget in minutes was turned into ``total`` steps, at ``per_second`` steps;
- ``flat``: the training ``loss`` has not fallen from the ``first`` one;
- ``fall``: from here on the learning rate falls for the last ``steps``; ``early`` because validation stopped improving
  after step ``best``, and with ``refit`` over the validation split too;
- ``refit``: the loss on that split ``before`` and ``after``; unless ``kept``, the weights from before are.

In the log only: ``look``, see `unrolled.runs.looks`. At the end come ``valid_final`` and ``test_final``, with ``step``
and the metrics of the chosen weights."""

Hook = Callable[[Event], None]

LOG = "metrics.jsonl"  # the events of a run, in its directory
_EVERY, _MANY = 20, 1000  # steps between two events, until there were so many


def logs(step: int) -> bool:
    """Whether a ``step`` event follows on ``step`` steps: after each 20th, and ever less often in a long training.

    The distance doubles at 20 000 steps, 40 000, 80 000, …, so that a million steps are some 4 000 events.

    Example:
        >>> [logs(step) for step in (10, 20, 20_000, 20_020, 20_040)]
        [False, True, True, False, True]
    """
    return step % (_EVERY << max(0, (step - 1) // (_EVERY * _MANY)).bit_length()) == 0


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
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_known(event)) + "\n")

    return write


def _known(value: Any) -> Any:
    """The same with ``None`` for what is not finite: JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _known(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_known(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
