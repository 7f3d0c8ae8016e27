"""Requirements 6 and 8: a configuration can name no code and declare no size that would hurt."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samples import ours

from unrolled.errors import ModelError, UnrolledError, UsageError
from unrolled.registry import FOLDERS, Registry
from unrolled.runs.config import RunConfig

SOURCE = Path(__file__).parent.parent / "src" / "unrolled"
CODE = [
    "os.system",
    "torch.hub.load",
    "unrolled.storage.directories",
    "../cell",
    "/etc/passwd",
    "cell",
    "__init__",
    "lstm\0",
    "LSTM",
    "lstm.py",
    "",
]
GOOD: dict[str, Any] = {
    "format": 1,
    "task": {"name": "next_step"},
    "data": {"source": "a.txt"},
    "model": {"name": "lstm", "hidden": 8},
    "training": {"steps": 3},
    "files": {},
}


def test_the_good_one_is_good() -> None:
    assert RunConfig.parse(json.dumps(GOOD), "run").model.hidden == 8


@pytest.mark.parametrize(("kind", "folder"), FOLDERS.items())
def test_a_registry_knows_its_files_and_nothing_else(kind: str, folder: str) -> None:
    registry = Registry(kind)
    assert ours(kind) <= {file.stem for file in (SOURCE / folder).glob("*.py")}
    for name in CODE:
        with pytest.raises(UsageError, match=f"there is no {kind}"):
            registry.get(name)


@pytest.mark.parametrize("part", [None, "task", "data", "model", "training"])
@pytest.mark.parametrize(
    "key", ["_target_", "class_path", "init_args", "_partial_", "__class__", "py/object", "module"]
)
def test_a_key_that_other_libraries_would_call_is_refused(part: str | None, key: str) -> None:
    config = json.loads(json.dumps(GOOD))
    (config[part] if part else config)[key] = "os.system"
    with pytest.raises(ModelError, match=r"run: config.json has a wrong entry .*: Extra inputs are not permitted"):
        RunConfig.parse(json.dumps(config), "run")


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("model", "hidden", 10**9),
        ("model", "hidden", 2**63),
        ("model", "hidden", 0),
        ("model", "hidden", 8.5),
        ("model", "layers", 10**9),
        ("model", "embedding", 10**9),
        ("model", "window", 10**9),
        ("model", "dropout", 1.0),
        ("model", "hidden", "NaN"),
        ("task", "horizon", 10**9),
        ("task", "lookback", 10**12),
        ("data", "vocabulary", 10**12),
        ("training", "batch", 0),
        ("training", "lr", float("inf")),
        ("training", "seed", -1),
    ],
)
def test_a_size_beyond_reason_is_refused(part: str, key: str, value: object) -> None:
    config = json.loads(json.dumps(GOOD))
    config[part][key] = value
    with pytest.raises(ModelError, match=rf"run: config.json has a wrong entry.*\b{key}\b"):
        RunConfig.parse(json.dumps(config), "run")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "3", '"x"', "{}", "[" * 200_000, '{"a":' * 200_000, "\ufeff{}", "{", "NaN"]
)
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"run(: | is not a run of Unrolled)"):
        RunConfig.parse(text, "run")


def test_a_newer_format_is_said_to_be_newer() -> None:
    with pytest.raises(
        ModelError, match="run has format 999, but this version reads formats up to 2: upgrade unrolled"
    ):
        RunConfig.parse(json.dumps({**GOOD, "format": 999, "surprise": 1}), "run")


@pytest.mark.soak
def test_a_mutated_configuration_is_read_or_refused_but_never_more(times: Callable[[int, int], int]) -> None:
    dice = random.Random(9)
    pieces: list[Any] = [None, True, -1, 10**30, 1e308, "", "os.system", "\0", [], {}, [[]], {"_target_": "os.system"}]
    refused = 0
    for _ in range(times(300, 20_000)):
        config = json.loads(json.dumps(GOOD))
        part = dice.choice([config, *(config[name] for name in ("task", "data", "model", "training"))])
        part[dice.choice([*part, "_target_", "class_path"])] = dice.choice(pieces)
        text = json.dumps(config)
        if dice.random() < 0.3:
            at = dice.randrange(len(text))
            text = text[:at] + chr(dice.randrange(1, 0x2FF)) + text[at + 1 :]
        try:
            RunConfig.parse(text, "run")
        except UnrolledError:
            refused += 1
    assert refused > 200
