from __future__ import annotations

import re
from typing import Any

import pytest
from configs import model_config
from pydantic import ValidationError

from unrolled.config import Part
from unrolled.data.config import DataConfig
from unrolled.data.encodings.audio import Audio
from unrolled.data.encodings.image import Image
from unrolled.data.encodings.tokens import Tokens
from unrolled.errors import UsageError, as_flags
from unrolled.layers.config import ModelConfig
from unrolled.models.network import Network
from unrolled.tasks.forecast import Forecast
from unrolled.training.config import TrainingConfig


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        model_config().hidden = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        (ModelConfig, {"hiden": 3}, r"unknown option hiden. Did you mean hidden\?"),
        (ModelConfig, {"hidden": 0}, "hidden must be at least 1, got 0"),
        (ModelConfig, {"hidden": "many"}, "hidden must be a whole number, got 'many'"),
        (ModelConfig, {"dropout": 1.0}, "dropout must be below 1, got 1.0"),
        (Network.Options, {"pool": "sum"}, "pool must be 'last', 'mean' or 'max', got 'sum'"),
        (TrainingConfig, {"lr": float("nan")}, "lr must be a finite number, got nan"),
        (TrainingConfig, {"epochs": -1}, "epochs must be above 0, got -1"),
        (TrainingConfig, {"steps": 5, "epochs": 3}, "^give only one budget, not steps and epochs$"),
        (Forecast.Options, {"quantiles": (0.5, 1.5)}, r"quantiles\[1\] must be below 1, got 1.5"),
        (
            Forecast.Options,
            {"quantiles": (0.5,), "distribution": "gaussian"},
            "^quantiles and distribution cannot be combined; give only one of them$",
        ),
        (Tokens.Options, {"tokens": "letters"}, "tokens must be 'characters', 'words', 'bpe'"),
    ],
)
def test_a_users_mistake_is_named(part: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        part.check(values)


def test_a_mistake_is_named_as_its_user_wrote_it() -> None:
    with as_flags(), pytest.raises(UsageError, match="--weight-decay must be at least 0, got -1"):
        TrainingConfig.check({"weight_decay": -1})
    with as_flags(), pytest.raises(UsageError, match="give only one budget, not --steps and --minutes"):
        TrainingConfig.check({"steps": 5, "minutes": 1})


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        (DataConfig, "gap", "3x"),
        (Image.Options, "image_size", "0"),
        (Image.Options, "image", "patches"),
        (Audio.Options, "audio", "mfcc:41"),
    ],
)
def test_an_option_that_is_written_wrongly_is_answered_by_examples_that_are_right(
    part: type[Part], name: str, value: str
) -> None:
    examples = part.model_fields[name].examples or []
    with pytest.raises(UsageError, match=f"{name} = '{value}': write it like {re.escape(' or '.join(examples))}"):
        part.check({name: value})
    for example in examples:
        value = example.split()[0]  # what follows tells its range
        assert getattr(part.check({name: value}), name) == value


def test_the_range_of_an_option_is_told() -> None:
    with pytest.raises(UsageError, match=r"audio = 'mfcc:99': .* or mfcc:13 \(of 1-40 cepstra\)$"):
        Audio.Options.check({"audio": "mfcc:99"})
    for most in ("logmel:999", "mfcc:40"):
        assert Audio.Options.check({"audio": most}).audio == most


def test_a_part_of_a_run_has_the_options_of_its_members() -> None:
    data = DataConfig(own={"encoding.tokens": {"min_count": 3}})
    assert data.of("encoding", "tokens").min_count == 3
    assert data.of("encoding", "tokens").tokens is None
    assert data.of("encoding", "number").missing == "refuse"
    assert type(data.of("encoding", "calendar")) is Part or not data.of("encoding", "calendar").model_fields
