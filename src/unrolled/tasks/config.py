"""The option that names a run's task; each task declares its own options in its own file."""

from __future__ import annotations

from unrolled.config import PartOfRun, option

__all__ = ["TaskConfig"]


class TaskConfig(PartOfRun):
    """The name of the task and the options of that task."""

    name: str = option(
        "",
        "Task to train for. Default: inferred from the data and printed.",
        also=("problem_type", "objective", "task_type"),
    )
