"""What is explained of a model of items: one answer by its log probability, heads on fewer answers of very many."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import unrolled as ur
from unrolled.inspection.attribute import Attribution
from unrolled.inspection.heads import Heads
from unrolled.runs import explained


def test_items_are_explained_and_very_many_of_them_are_scored_for_fewer_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(0)
    items = {"items": [[chance.choice("abcdefgh") for _ in range(9)] for _ in range(40)]}
    options = {"model": "transformer", "only": "none", "start": "none", "steps": 2, "hidden": 8, "quiet": True}
    model = ur.fit(items, out=tmp_path / "run", **options)  # type: ignore[arg-type]
    found = ur.inspect(model, items, why=3)
    assert isinstance(found.why, Attribution) and isinstance(found.heads, Heads)
    assert found.why.step == 3 and found.why.score < 0  # a log probability
    assert list(found.why.read) == items["items"][0][:4]
    every = found.heads.answers
    monkeypatch.setattr(explained, "_SCORES", 1)
    fewer = explained.tested_heads(model, model.read(items), 0, found.trace)
    assert isinstance(fewer, Heads)
    assert 64 <= fewer.answers < every
    with pytest.raises(ur.errors.UsageError, match="why 9 is none of the steps that were looked at, 0 to "):
        ur.inspect(model, items, why=9)
