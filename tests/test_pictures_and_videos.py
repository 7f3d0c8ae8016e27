"""Pictures and videos from files to answers: read, split, encoded, learned, saved, opened and answered."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import av
import numpy as np
import pyarrow.csv
import pytest
from sklearn.datasets import load_digits

import unrolled as ur
from unrolled.cli.main import main
from unrolled.data.media.pictures import to_png
from unrolled.errors import DataError


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


def test_digits_in_folders_are_told_apart(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    out, flags = str(tmp_path / "run"), ["--model", "bigru", "--hidden", "32", "--steps", "150", "--lr", "0.01"]
    flags += ["--plan", "fixed"]  # as many rows a step as these few steps need
    assert main(["fit", str(digits), "--target", "label", "--test", "0.2", *flags, "--out", out]) == 0
    said = capsys.readouterr().err
    assert "1 of 600 files are left out" in said and "0.png: cannot be decoded as a picture" in said
    assert "input image: picture, 8 × 8 in grey, 8 rows" in said
    trained = ur.load(out)
    assert trained.metrics["test"]["accuracy"] > 0.85
    assert main(["predict", out, str(digits / "digit 1" / "1.png")]) == 0
    answers = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert answers[0]["name"] == "1.png" and answers[0]["label_predicted"].startswith("digit ")
    assert "image" not in answers[0]
    assert main(["predict", out, str(digits), "--out", str(tmp_path / "answers.csv")]) == 0
    assert "1 of 600 files are left out" in caplog.text
    table = pyarrow.csv.read_csv(tmp_path / "answers.csv")
    assert table.num_rows == 599 and table["name"][0].as_py().startswith("digit 0/")


def test_without_a_target_the_folders_are_the_labels(digits: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    trained = ur.fit(str(digits), steps=2, hidden=4, plan="fixed", out=tmp_path / "run", say=lines.append)
    assert "target: label (the folders that hold the files); target overrides it" in lines
    assert trained.config.task.name == "classify" and ur.load(tmp_path / "run").config.data.target == ("label",)
    again = ur.fit(str(digits), out=tmp_path / "run", resume=True)
    assert again.metrics == trained.metrics
    with pytest.raises(DataError, match="no column holds sequences to continue"):
        ur.fit(str(digits), task="next_step", steps=2, hidden=4, out=tmp_path / "other")


def test_captions_beside_pictures_are_what_is_predicted(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(to_png(np.full((2, 2, 1), number, np.uint8)))
    (tmp_path / "captions.csv").write_text("file,caption\n" + "".join(f"{n}.png,the number {n}\n" for n in range(4)))
    lines: list[str] = []
    model = ur.fit(str(tmp_path), steps=2, hidden=4, plan="fixed", out=tmp_path / "run", say=lines.append)
    assert (model.config.task.name, model.task.coder.target) == ("translate", "caption")
    assert any(line.startswith("target: caption (") for line in lines)


@pytest.mark.parametrize(("layout", "size", "steps"), [("pixels", "4", 16), ("patches:4", None, 4)])
def test_the_layout_is_the_users(digits: Path, tmp_path: Path, layout: str, size: str | None, steps: int) -> None:
    options = {"image": layout, "image_size": size, "steps": 3, "hidden": 8, "plan": "fixed"}
    trained = ur.fit(str(digits), target="label", out=tmp_path / "run", **options)
    again = ur.load(tmp_path / "run")
    image = again.task.coder.inputs["image"]
    assert image.to_config() == trained.task.coder.inputs["image"].to_config()
    assert f" {steps} " in image.report()


def test_a_bounce_in_a_rendered_clip_is_tagged_frame_by_frame(tmp_path: Path) -> None:
    """The bounce is where the ball turns at the floor: no single frame tells it, what was before does."""
    dice, rows = random.Random(0), []
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(120):
        height, speed, marks = dice.randint(4, 12), -1, []
        with av.open(clips / f"{number}.mp4", "w") as video:
            stream = video.add_stream("mpeg4", rate=10, options={"qscale": "2"})
            stream.height = stream.width = 16
            for _ in range(dice.randint(10, 20)):
                height += speed
                speed = 1 if height == 1 else -1 if height == 12 else speed
                marks.append("bounce" if height == 1 else "up" if speed == 1 else "down")
                pixels = np.zeros((16, 16, 3), np.uint8)
                pixels[15 - height - 1 : 15 - height + 2, 6:10] = 255
                video.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            video.mux(stream.encode())
        rows.append(json.dumps({"file": f"{number}.mp4", "marks": marks}))
    (clips / "marks.jsonl").write_text("\n".join(rows))
    trained = ur.fit(
        str(clips), target="marks", model="gru", hidden=32, steps=120, lr=0.01, plan="fixed", out=tmp_path / "run"
    )
    assert trained.config.task.name == "tag"
    assert trained.metrics["valid"]["accuracy"] > 0.9
