"""A rolling origin: its parts against the answers of `predict`, from each place by itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import unrolled as ur
from unrolled.cli.main import main
from unrolled.errors import DataError, UsageError

H, K = 3, 4
WAVES = [(np.sin(0.7 * np.arange(n)) + 0.01 * n).tolist() for n in (30, 24, 5)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ur.Trained:
    out = tmp_path_factory.mktemp("backtest") / "run"
    return ur.fit({"wave": WAVES}, horizon=H, steps=5, hidden=4, lookback=8, out=out)


def test_each_origin_and_each_step_is_what_predict_says(trained: ur.Trained) -> None:
    found = trained.backtest({"wave": WAVES}, K)
    errors: dict[tuple[int, int], list[float]] = {}  # (origin, step) -> absolute errors
    for wave in WAVES:
        for late in range(min(K, len(wave) - H)):
            end = len(wave) - H - late
            answers = trained.predict({"wave": [wave[:end]]})["wave_predicted"][0].as_py()
            for h in range(H):
                errors.setdefault((K - 1 - late, h), []).append(abs(answers[h] - wave[end + h]))
    assert len(errors[0, 0]) == 2 and len(errors[K - 1, 0]) == 3  # the shortest has two origins

    def mean(keys: list[tuple[int, int]]) -> float:
        return float(np.mean([error for key in keys for error in errors[key]]))

    assert found.metrics["mae"] == pytest.approx(mean(list(errors)), rel=1e-4)
    by_step = [mean([(k, h) for k in range(K)]) for h in range(H)]
    by_origin = [mean([(k, h) for h in range(H)]) for k in range(K)]
    assert [step["mae"] for step in found.by_step] == pytest.approx(by_step, rel=1e-4)
    assert [origin["mae"] for origin in found.by_origin] == pytest.approx(by_origin, rel=1e-4)


def test_all_origins_are_what_evaluate_measures(trained: ur.Trained) -> None:
    assert trained.backtest({"wave": WAVES}, 1000).metrics == pytest.approx(trained.evaluate({"wave": WAVES}), rel=1e-5)


def test_the_command_shows_and_tells_it(
    trained: ur.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "waves.jsonl"
    file.write_text("".join(json.dumps({"wave": wave}) + "\n" for wave in WAVES))
    assert main(["evaluate", str(trained.folder), str(file), "--origins", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["by_step"]) == H and len(told["by_origin"]) == 2 and "mase" in told["metrics"]
    assert main(["evaluate", str(trained.folder), str(file), "--origins", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["last 2 origins", "1 ahead", "2 ahead", "3 ahead", "origin 1", "origin 2"]
    assert [line.split("  ")[0] for line in lines[1:]] == names


def test_what_cannot_be_judged_so_is_refused(trained: ur.Trained) -> None:
    with pytest.raises(UsageError, match="^origins must be at least 1, got 0$"):
        trained.backtest({"wave": WAVES}, 0)
    with pytest.raises(DataError, match="^your data: has no sequence of more than 3 steps$"):
        trained.backtest({"wave": [[1.0, 2.0]]}, 2)
