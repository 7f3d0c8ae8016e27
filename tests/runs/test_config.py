from __future__ import annotations

import json

import pytest
from configs import data_config, run_config, task_config

from unrolled.errors import ModelError
from unrolled.runs.config import FORMAT, RunConfig
from unrolled.training.config import TrainingConfig

RUN = run_config(task_config(name="tag"), training=TrainingConfig(steps=3))


def test_what_is_written_is_read_back() -> None:
    run = RUN.model_copy(
        update={
            "task": task_config(name="forecast", horizon=3, quantiles=(0.1, 0.9)),
            "data": data_config(target=("a", "b"), kinds={"a": "number"}, valid=0.2, test="later.csv"),
            "files": {"training": {"path": "a.csv", "size": 3, "sha256": "0"}},
            "columns": ("a", "b"),
        }
    )
    again = RunConfig.parse(run.model_dump_json(indent=1), "run")
    assert again.model_dump_json() == run.model_dump_json()
    assert again.task.of("task", "forecast").quantiles == (0.1, 0.9)


def test_a_format_that_is_none_is_refused() -> None:
    values = json.loads(RUN.model_dump_json())
    with pytest.raises(ModelError, match="config.json cannot be read"):
        RunConfig.parse(json.dumps({key: value for key, value in values.items() if key != "format"}), "run")
    with pytest.raises(ModelError, match="'format'"):
        RunConfig.parse(json.dumps({**values, "format": "one"}), "run")
    with pytest.raises(ModelError, match=f"format {FORMAT + 1}, but this version reads formats up to {FORMAT}"):
        RunConfig.parse(json.dumps({**values, "format": FORMAT + 1}), "run")
    assert values["format"] == FORMAT
