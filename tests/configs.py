"""Configurations from flat options, as a user gives them: each option goes to every member that declares it."""

from __future__ import annotations

from typing import Any

from unrolled.config import Part
from unrolled.data.config import DataConfig
from unrolled.declarations import owners_of
from unrolled.layers.config import ModelConfig
from unrolled.runs.config import RunConfig
from unrolled.tasks.config import TaskConfig
from unrolled.tasks.task import TASKS
from unrolled.training.config import TrainingConfig


def model_config(**options: Any) -> ModelConfig:
    return ModelConfig(**_spread(ModelConfig, options))


def data_config(**options: Any) -> DataConfig:
    return DataConfig(**_spread(DataConfig, options))


def task_config(**options: Any) -> TaskConfig:
    return TaskConfig(**_spread(TaskConfig, options))


def task_options(name: str, **options: Any) -> Any:
    declared: type[Part] = TASKS.get(name).Options
    return declared(**options)


def run_config(task: TaskConfig, **parts: Any) -> RunConfig:
    defaults = {"data": DataConfig(), "model": ModelConfig(), "training": TrainingConfig()}
    return RunConfig(task=task, **{**defaults, **parts})


def _spread(part: type[Part], options: dict[str, Any]) -> dict[str, Any]:
    own: dict[str, dict[str, Any]] = {}
    for name, value in options.items():
        if name not in part.model_fields:
            for owner in owners_of(name):
                own.setdefault(owner.key, {})[name] = value
    return {**{name: value for name, value in options.items() if name in part.model_fields}, "own": own}
