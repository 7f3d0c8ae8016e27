"""What comes after a prompt: rolls against the answers of ``predict``, and the text at which to stop."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unrolled as ur
from unrolled.errors import DataError, UsageError
from unrolled.music.rolls import KEYS, LOWEST, from_text
from unrolled.runs.continuation import Stops
from unrolled.runs.trained import Trained
from unrolled.runs.writer import Asked

SMALL: dict[str, Any] = {"hidden": 16, "lr": 0.05, "valid": 0}


def scale(begin: int) -> list[list[int]]:
    """Eight keys up and down, two steps each, with a bass that lasts."""
    roll = np.zeros((32, KEYS), int)
    for step, key in enumerate([*range(8), *range(8)[::-1]]):
        roll[2 * step : 2 * step + 2, begin + key] = 1
    roll[:, 3] = 1
    return roll.tolist()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    rows = {"keys": [scale(begin) for begin in (20, 21, 22, 23)]}
    return ur.fit(rows, out=tmp_path_factory.mktemp("roll") / "run", model="gru", steps=60, **SMALL)


def test_the_likeliest_roll_is_what_predict_says_step_by_step(model: Trained) -> None:
    prompt = "24 41\n24 42\n"
    found = from_text("".join(model.generate(prompt, length=6, temperature=0)))
    so_far = from_text(prompt).tolist()
    for step in found.tolist():
        assert model.predict({"keys": [so_far]})["keys_predicted"].to_pylist() == [step]
        so_far.append(step)


def test_a_model_of_scales_writes_scales(model: Trained) -> None:
    roll = from_text("".join(model.generate(length=200, seed=1)))
    assert roll.shape == (200, KEYS)
    assert roll[:, 3].mean() > 0.9
    assert roll[:, [*range(3), *range(4, 20), *range(31, KEYS)]].mean() < 0.01


def test_the_same_seed_writes_the_same_roll(model: Trained) -> None:
    one, same, other = ("".join(model.generate("24 41", length=20, temperature=2.0, seed=seed)) for seed in (1, 1, 2))
    assert one == same != other
    assert one.startswith("\n")  # behind a prompt whose last line has no end
    assert "".join(model.generate("24 41\n", length=0)) == ""
    assert "24" not in "".join(model.generate(length=20, top_k=1, stop="24"))


def test_rolls_that_are_written_together_are_those_that_are_written_alone(model: Trained) -> None:
    asked = [Asked("24 41", 12, (), {"temperature": 2.0, "seed": seed}) for seed in range(3)] + [Asked("", 5)]
    together = [""] * len(asked)
    for number, piece in model.writer().together(asked):
        together[number] += piece
    assert together == ["".join(model.writer().alone(one)) for one in asked]
    assert len({*together}) == 4


def test_what_is_no_roll_is_refused_before_a_step(model: Trained, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=f"^the roll: line 1: expected keys from {LOWEST} to 108, or a single '.', not 'C'"
    ):
        model.generate("C")
    with pytest.raises(
        UsageError, match="^top_p does not work with piano rolls, where a step is 88 separate choices: use top_k"
    ):
        model.generate(top_p=0.9)
    switches = ur.fit({"x": [[[0, 1], [1, 0]] * 4] * 4}, out=tmp_path / "two", steps=2, **SMALL)
    with pytest.raises(UsageError, match="on texts or piano rolls; this model's task is 'next_step' on series"):
        switches.generate()


def test_prompts_come_from_data(model: Trained) -> None:
    prompt = model.prompt_of({"keys": [scale(20)]})
    assert from_text(prompt).tolist() == scale(20)


@pytest.mark.parametrize("stop", ["a", "aab", "abab", None, "zz"])
def test_stops_give_what_stands_before_the_first(stop: str | None) -> None:
    for seed in range(100):
        dice = random.Random(seed)
        pieces = ["".join(dice.choices("ab", k=dice.randrange(4))) for _ in range(9)]
        whole, stops, found = "".join(pieces), Stops([stop] if stop else []), ""
        for piece in pieces:
            found += stops.take(piece)
            if stops.found:
                break
        else:
            found += stops.rest()
        assert found == (whole.split(stop)[0] if stop else whole)
