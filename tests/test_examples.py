"""Every program in ``examples/`` runs, is short, and reaches what it shows."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

REACHED = {
    "bakery": lambda shares: shares[0] <= 40,
    "bounces_in_a_film": lambda accuracies: accuracies[0] >= accuracies[1] + 3,
    "captions": lambda shares: shares[0] >= 80,
    "digits_as_patches": lambda accuracies: accuracies[0] >= 90,  # by the transformer: a small ViT
    "records": lambda shares: shares[0] >= 95,
    "promoters": lambda accuracies: accuracies[0] >= 80,
    "shop": lambda shares: shares[0] >= 80 and shares[0] >= shares[1] + 50,
    "words_before_labels": lambda accuracies: accuracies[0] >= 90 and accuracies[1] >= 85,
    "pretrain_and_tune": lambda accuracies: accuracies[0] >= 80 and accuracies[0] >= accuracies[1] + 20,
    "tunes": lambda shares: shares[0] >= 70,
    "tones_by_pitch": lambda accuracies: accuracies[0] >= 90,
}


def test_every_example_is_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == REACHED.keys()


@pytest.mark.parametrize("name", REACHED)
def test_an_example_reaches_what_it_shows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = EXAMPLES / f"{name}.py"
    assert len(path.read_text("utf-8").splitlines()) <= 30
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    accuracies = [float(number) for number in re.findall(r"([\d.]+)%", capsys.readouterr().out)]
    assert REACHED[name](accuracies), accuracies
