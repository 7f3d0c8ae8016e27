"""Files for the page: a tune or a recording becomes what the model reads, or one sentence says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from serving.loopback import Loopback
from sounds import samples, wav

import unrolled as ur
from unrolled.errors import DataError
from unrolled.music.forms import written
from unrolled.runs.trained import Trained
from unrolled.serving.predict_files import answered

pytest.importorskip("soundfile", reason="the extra audio is not installed")
pytest.importorskip("symusic", reason="the extra music is not installed")

SMALL: dict[str, Any] = {"hidden": 4, "steps": 2, "only": "none", "plan": "fixed", "start": "none", "quiet": True}
TUNE = "X:1\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n"


def read(model: Trained, body: bytes, name: str, streams: str = "yes") -> Any:
    return json.loads(answered(model, pa.py_buffer(body), {"name": name, "streams": streams}))


@pytest.fixture(scope="module")
def midi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tunes")
    for number in range(4):
        (folder / f"{number}.mid").write_bytes(written(TUNE, ".mid"))
    return folder


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    clips = [wav(samples(seed, 4000)) for seed in range(8)]
    return {"sound": clips, "label": ["low", "high"] * 4}


@pytest.mark.parametrize("music", ["events", "roll"])
def test_a_tune_is_the_events_or_the_steps_of_a_roll(midi: Path, tmp_path: Path, music: str) -> None:
    model = ur.fit(midi, music=music, model="gru", out=tmp_path / "run", **SMALL)
    found = read(model, (midi / "1.mid").read_bytes(), "my tune.MID")
    if music == "events":
        assert " ".join(value["events"] for value in found["values"]) == model.prompt_of(midi / "1.mid")
    live = model.stream()
    for step in found["values"]:
        told = live.push(step)
    assert len(found["values"]) > 8
    column = model.task.coder.target
    assert told[f"{column}_predicted"] == model.predict(midi / "1.mid")[f"{column}_predicted"][0].as_py()


@pytest.mark.parametrize("scale", ["running", "clip"])
def test_a_recording_is_frames_of_a_session_or_a_row(sounds: dict[str, Any], tmp_path: Path, scale: str) -> None:
    asked = {"target": "label", "model": "gru", "audio_scale": scale}
    model = ur.fit(sounds, **asked, out=tmp_path / "run", **SMALL)  # type: ignore[arg-type]
    clip = sounds["sound"][3]
    whole = model.predict({"sound": [clip]}).to_pylist()[0]
    expected = {name: value for name, value in whole.items() if name != "sound"}
    assert read(model, clip, "clip.wav", streams="")["rows"] == [expected]
    found = read(model, clip, "clip.wav")
    if scale == "clip":  # its frames are known at its end only
        assert found == {"rows": [expected]}
        return
    live = model.stream()
    for frame in found["values"]:
        told = live.push(frame)
    numbers = [{name: one for name, one in row.items() if isinstance(one, float)} for row in (told, expected)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-5)
    assert told.keys() == expected.keys()


def test_what_the_model_cannot_read_is_one_sentence(sounds: dict[str, Any], midi: Path, tmp_path: Path) -> None:
    model = ur.fit(sounds, target="label", model="gru", out=tmp_path / "run", **SMALL)
    for body, name, says in (
        (b"RIFF....WAVE", "cut.wav", "^cut.wav: "),
        (b"a,b\n", "table.csv", "^table.csv: this model reads sound, which are not in such a file$"),
        (b"", "strange", "^strange: this model reads sound, "),
        ((midi / "1.mid").read_bytes(), "../../tune.mid", "sound"),
    ):
        with pytest.raises(DataError, match=says) as caught:
            read(model, body, name)
        assert "/tmp" not in str(caught.value) and "\n" not in str(caught.value)


def test_the_server_says_it_in_a_sentence_too(server: Loopback) -> None:
    said = server.ask("POST", "/v1/read?name=clip.wav", b"RIFF")
    assert (said.status, said.json["error"]["message"]) == (
        422,
        "clip.wav: this model reads load, temp, which are not in such a file",
    )
