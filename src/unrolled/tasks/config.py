"""Which task a run has; a task's own options stand in its file."""

from __future__ import annotations

from unrolled.config import PartOfRun, option

__all__ = ["TaskConfig"]


class TaskConfig(PartOfRun):
    """The name of the task, and its own options."""

    name: str = option(
        "",
        "What to answer. Default: inferred from the data, and said.",
        also=("problem_type", "objective", "task_type"),
    )
