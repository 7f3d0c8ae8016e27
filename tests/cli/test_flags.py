from __future__ import annotations

import re
from dataclasses import fields

import pytest

from unrolled import api, splits
from unrolled.cli.flags import DataFlags, ModelFlags, TaskFlags, TrainingFlags, options_of
from unrolled.config import DataConfig, ModelConfig, Part, TaskConfig, TrainingConfig, spread
from unrolled.tasks.task import TASKS

PARTS = {DataFlags: DataConfig, TaskFlags: TaskConfig, ModelFlags: ModelConfig, TrainingFlags: TrainingConfig}


def test_there_is_a_flag_for_every_option_and_no_other() -> None:
    flags = {"kinds" if field.name == "kind" else field.name for part in PARTS for field in fields(part)}
    assert flags == api.Options.__annotations__.keys()
    for part, config in PARTS.items():
        own = {{"kind": "kinds", "task": "name", "model": "name"}.get(f.name, f.name) for f in fields(part)}
        assert own == config.model_fields.keys() - {"source"}


@pytest.mark.parametrize(("part", "config"), PARTS.items())
def test_the_default_that_the_help_gives_is_the_one_that_holds(part: type, config: type[Part]) -> None:
    import inspect

    source = inspect.getsource(part)
    told = re.findall(r"    (\w+): .*?= None\n    \"\"\".*?Default: ([\d.]+)\.(?: |\"\"\")", source)
    for name, value in told:
        default = splits._HELD_OUT if name == "valid" else config.model_fields[name].default
        assert float(value) == float(default), name
    assert len(told) >= (config in (ModelConfig, TrainingConfig)) * 4


def test_what_is_one_text_in_a_flag_is_taken_apart() -> None:
    options = options_of(
        DataFlags(target="a, b", ignore="c", kind=("d=category",), valid="0.2"),
        TaskFlags(quantiles="0.1,0.9"),
        TrainingFlags(lr=1e-3),
    )
    assert options == {
        "target": ["a", "b"],
        "ignore": ["c"],
        "kinds": {"d": "category"},
        "valid": "0.2",
        "quantiles": [0.1, 0.9],
        "lr": 1e-3,
    }
    assert spread(options)["training"] == {"lr": 1e-3}


def test_the_default_pooling_that_the_help_gives_is_that_of_each_task() -> None:
    import inspect

    (told,) = re.findall(r"    pool: .*?= None\n    \"\"\".*?Default: (.*?);", inspect.getsource(ModelFlags), re.DOTALL)
    of = {name: words.split()[0] for words in told.split(", ") for name in re.findall(r"\w+", words.split(" for ")[1])}
    pooled = {name: task.pool for name, task in TASKS.members().items() if task.pooled}
    assert {name: of[name] for name in pooled} == pooled
