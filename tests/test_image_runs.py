"""Pictures from files to answers: read, split, encoded, learned, saved, opened and answered."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.csv
import pytest
from sklearn.datasets import load_digits

import unrolled as ur
from unrolled.cli.main import main
from unrolled.data.pictures import to_png


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 of scikit-learn's digits as picture files, in a folder for each digit; one of them is broken."""
    folder = tmp_path_factory.mktemp("digits")
    data = load_digits()
    for number, (pixels, digit) in enumerate(zip(data.images[:600], data.target, strict=False)):
        place = folder / f"digit {digit}"
        place.mkdir(exist_ok=True)
        (place / f"{number}.png").write_bytes(to_png((pixels * 15.9375).astype("uint8")[:, :, None]))
    (folder / "digit 0" / "0.png").write_bytes(b"no picture")
    return folder


def test_digits_in_folders_are_told_apart(digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, flags = str(tmp_path / "run"), ["--model", "bigru", "--hidden", "32", "--steps", "150", "--lr", "0.01"]
    assert main(["fit", str(digits), "--target", "label", "--test", "0.2", *flags, "--out", out]) == 0
    said = capsys.readouterr().err
    assert "1 of 600 files are left out" in said and "0.png: is not a whole picture" in said
    assert "input image: picture, 8 × 8 in grey, 8 rows" in said
    trained = ur.load(out)
    assert trained.metrics["test"]["accuracy"] > 0.85
    assert main(["predict", out, str(digits / "digit 1" / "1.png")]) == 0
    answers = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert answers[0]["name"] == "1.png" and answers[0]["label_predicted"].startswith("digit ")
    assert "image" not in answers[0]
    assert main(["predict", out, str(digits), "--out", str(tmp_path / "answers.csv")]) == 0
    table = pyarrow.csv.read_csv(tmp_path / "answers.csv")
    assert table.num_rows == 599 and table["name"][0].as_py().startswith("digit 0/")


@pytest.mark.parametrize(("layout", "size", "steps"), [("pixels", "4", 16), ("patches:4", None, 4)])
def test_the_layout_is_the_users(digits: Path, tmp_path: Path, layout: str, size: str | None, steps: int) -> None:
    options = {"image": layout, "image_size": size, "steps": 3, "hidden": 8}
    trained = ur.fit(str(digits), target="label", out=tmp_path / "run", **options)
    again = ur.load(tmp_path / "run")
    image = again.task.coder.inputs["image"]
    assert image.to_config() == trained.task.coder.inputs["image"].to_config()
    assert f" {steps} " in image.report()
