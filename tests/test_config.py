from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from unrolled.config import FORMAT, DataConfig, ModelConfig, Part, RunConfig, TaskConfig, TrainingConfig, spread
from unrolled.errors import ModelError, UsageError

RUN = RunConfig(task=TaskConfig(name="tag"), data=DataConfig(), model=ModelConfig(), training=TrainingConfig(steps=3))


def test_what_is_written_is_read_back() -> None:
    run = RUN.model_copy(
        update={
            "task": TaskConfig(name="forecast", horizon=3, quantiles=(0.1, 0.9)),
            "data": DataConfig(target=("a", "b"), kinds={"a": "number"}, valid=0.2, test="later.csv"),
            "files": {"training": {"path": "a.csv", "size": 3, "sha256": "0"}},
            "columns": ("a", "b"),
        }
    )
    assert RunConfig.parse(run.model_dump_json(indent=1), "run") == run


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RUN.model.hidden = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        (ModelConfig, {"hiden": 3}, r"unknown option 'hiden'. Did you mean 'hidden'\? Known: attention, coverage"),
        (ModelConfig, {"hidden": 0}, "option 'hidden' = 0: Input should be greater than or equal to 1"),
        (ModelConfig, {"hidden": "many"}, "option 'hidden' = 'many': Input should be a valid integer"),
        (ModelConfig, {"dropout": 1.0}, "option 'dropout' = 1.0: Input should be less than 1"),
        (ModelConfig, {"pool": "sum"}, "option 'pool' = 'sum': Input should be 'last', 'mean' or 'max'"),
        (TrainingConfig, {"lr": float("nan")}, "option 'lr' = nan: "),
        (TrainingConfig, {"epochs": -1}, "option 'epochs' = -1: Input should be greater than 0"),
        (TaskConfig, {"name": "forecast", "quantiles": (0.5, 1.5)}, "option 'quantiles.1' = 1.5: "),
        (DataConfig, {"tokens": "letters"}, "option 'tokens' = 'letters': Input should be 'characters', 'words', 'bpe'"),
    ],
)  # fmt: skip
def test_a_users_mistake_is_named(part: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        part.check(values)


def test_options_find_their_part() -> None:
    parts = spread({"model": "gru", "task": "tag", "lr": 0.1, "target": ["y"], "horizon": None, "seed": 0})
    assert parts == {
        "data": {"target": ["y"]},
        "model": {"name": "gru"},
        "task": {"name": "tag"},
        "training": {"lr": 0.1, "seed": 0},
    }


@pytest.mark.parametrize("name", ["learning_rate", "source", "format", "_target_", "name"])
def test_an_option_that_there_is_not_is_an_error(name: str) -> None:
    with pytest.raises(UsageError, match=f"unknown option '{name}'"):
        spread({name: 1})


def test_no_two_parts_have_an_option_of_one_name() -> None:
    fields = [f for part in (DataConfig, ModelConfig, TaskConfig, TrainingConfig) for f in part.model_fields]
    assert sorted(field for field in fields if fields.count(field) > 1) == ["name", "name"]


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        (DataConfig, "gap", "3x"),
        (DataConfig, "image_size", "0"),
        (DataConfig, "image", "patches"),
        (DataConfig, "audio", "mfcc:41"),
        (TrainingConfig, "softmax", "sampled"),
    ],
)
def test_an_option_that_is_written_wrongly_is_answered_by_examples_that_are_right(
    part: type[Part], name: str, value: str
) -> None:
    examples = part.model_fields[name].examples or []
    with pytest.raises(
        UsageError, match=f"option '{name}' = '{value}': write it like {re.escape(' or '.join(examples))}"
    ):
        part.check({name: value})
    for example in examples:
        value = example.split()[0]  # what follows tells its range
        assert getattr(part.check({name: value}), name) == value


def test_the_range_of_an_option_is_told() -> None:
    with pytest.raises(UsageError, match=r"option 'audio' = 'mfcc:99': .* or mfcc:13 \(of 1-40 cepstra\)$"):
        DataConfig.check({"audio": "mfcc:99"})
    for most in ("logmel:999", "mfcc:40"):
        assert DataConfig.check({"audio": most}).audio == most


def test_a_format_that_is_none_is_refused() -> None:
    values = json.loads(RUN.model_dump_json())
    with pytest.raises(ModelError, match="config.json cannot be read"):
        RunConfig.parse(json.dumps({key: value for key, value in values.items() if key != "format"}), "run")
    with pytest.raises(ModelError, match="'format'"):
        RunConfig.parse(json.dumps({**values, "format": "one"}), "run")
    assert values["format"] == FORMAT
