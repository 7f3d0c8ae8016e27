"""The plan of a run without the run, and the command that makes the run again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

import unrolled as ur
from unrolled.cli.main import main
from unrolled.errors import DataError, UsageError, as_flags
from unrolled.runs.config import RunConfig
from unrolled.runs.preview import preview, repeated

TUNES = {"tune": ["abcd" * 6, "dcba" * 5] * 10}
ROWS = {"text": [f"film {n} was {('good', 'bad', 'bad')[n % 3]}" for n in range(36)], "mood": ["yes", "no", "no"] * 12}
WAVE = {"load": [float(n % 7) + 0.1 * (n * n % 11) for n in range(130)]}
SMALL: dict[str, Any] = {"steps": 2, "device": "cpu", "quiet": True}


def without_choosing(config: RunConfig) -> dict[str, Any]:
    """What decides a run."""
    parts = config.model_dump(include={"data", "task", "model", "training"}, mode="json")
    del parts["training"]["plan"]
    if config.model.alone is not None:  # how the network was that was left out does not matter
        own = {key: values for key, values in config.model.own.items() if key.startswith("solved.")}
        parts["model"] = {"only": config.model.only, "blend": config.model.blend, "own": own}
        parts["training"] = {"batch": config.training.batch, "seed": config.training.seed}
    for own in parts["data"]["own"].values():
        own.pop("letters", None)  # the encodings hold whether they are read
    return parts


def test_facts_and_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = preview(ROWS, {"target": ["mood"], "batch": 5, **{k: SMALL[k] for k in ("steps", "device")}})
    assert (found.task, found.facts.form, found.facts.classes) == ("classify", "one", 2)
    chosen = {choice.field: choice.value for choice in found.choices}
    assert chosen["model"] == "bigru" and "batch" not in chosen
    said = str(found).splitlines()
    assert said[0] == "task: classify"
    assert next(iter(found.seconds)) == "as planned" and min(found.seconds.values()) > 0 and len(found.seconds) > 1
    assert any(line.startswith("plan: model bigru (") for line in said)
    assert said[-1].startswith("to repeat without choosing: fit(data, ") and "plan='fixed'" in said[-1]
    assert json.loads(json.dumps(found.to_json()))["plan"][0].keys() == {"field", "value", "source", "reason"}
    assert list(tmp_path.iterdir()) == []


def test_what_fit_refuses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown option batches"):
        ur.plan(ROWS, target="mood", batches=3)  # type: ignore[call-arg]
    with pytest.raises(DataError, match="no such file"):
        ur.plan(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("data", "options"), [(TUNES, {"tokens": "characters"}), (WAVE, {"horizon": 3, "start": "none"})]
)
def test_the_call_makes_the_run_again(data: dict[str, Any], options: dict[str, Any], tmp_path: Path) -> None:
    """Nothing is chosen again, a mixture neither, so the weights are the same to the bit."""
    first = ur.fit(data, out=tmp_path / "first", **options, **SMALL)
    call = repeated(first.config)
    assert call.startswith("fit(data, ")

    def fit(data: Any, **given: Any) -> Any:
        return ur.fit(data, out=tmp_path / "again", quiet=True, **given)

    again = eval(call, {"__builtins__": {}}, {"fit": fit, "data": data})
    assert without_choosing(again.config) == without_choosing(first.config)
    assert again.metrics == first.metrics
    assert not [choice for choice in again.config.plan if choice.source == "rule"]


def test_the_command_makes_the_run_again(tmp_path: Path) -> None:
    file = tmp_path / "my moods.csv"
    file.write_text("text,mood\n" + "".join(f"{t},{m}\n" for t, m in zip(*ROWS.values(), strict=True)))
    first = ur.fit(file, target="mood", kinds={"text": "tokens"}, out=tmp_path / "first", **SMALL)
    with as_flags():
        words = shlex.split(repeated(first.config))
    assert words[:3] == ["unrolled", "fit", str(file)]
    assert main([*words[1:], "--quiet", "--out", str(tmp_path / "again")]) == 0
    assert without_choosing(ur.load(tmp_path / "again").config) == without_choosing(first.config)
    assert ur.load(tmp_path / "again").metrics == first.metrics


def test_the_card_shows_the_plan(tmp_path: Path) -> None:
    model = ur.fit(ROWS, target="mood", out=tmp_path / "run", **SMALL)
    card = (tmp_path / "run" / "README.md").read_text()
    table = card.split("## Plan")[1].split("## Results")[0]
    assert "| option | value | chosen by | because |" in table
    for choice in model.config.plan:
        assert f"| {choice.field} | {choice.value} | {choice.source} | {choice.reason} |" in table
    assert "To repeat the run without choosing:" in table and repeated(model.config) in table
    ur.fit(ROWS, target="mood", plan="fixed", blend=["none"], out=tmp_path / "plain", **SMALL)
    assert "## Plan" not in (tmp_path / "plain" / "README.md").read_text()
