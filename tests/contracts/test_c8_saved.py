"""C8: saved and loaded = the same, to the bit; a model file holds no code and no pickle."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from contracts.members import MEMBERS
from contracts.runs import RUNS, as_lines

import unrolled as ur
from unrolled.errors import ModelError, UsageError
from unrolled.runs.trained import Trained
from unrolled.storage.directories import write_manifest
from unrolled.testing import layers
from unrolled.testing.subject import Subject


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Trained, Path]:
    folder, one = tmp_path_factory.mktemp("run") / "run", RUNS[request.param]
    held_out = as_lines(one.data, folder.with_name("held-out.jsonl"), 8)
    return request.param, one.fit(folder, steps=None, minutes=None, epochs=1, valid=held_out), folder


def test_a_loaded_model_is_the_same_to_the_bit(run: tuple[str, Trained, Path]) -> None:
    name, model, folder = run
    loaded = ur.load(folder)
    ours, theirs = model.network.state_dict(), loaded.network.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert (loaded.config, loaded.metrics, loaded.baselines) == (model.config, model.metrics, model.baselines)
    assert loaded.predict(RUNS[name].data).equals(model.predict(RUNS[name].data))
    assert loaded.evaluate(RUNS[name].data) == model.evaluate(RUNS[name].data)
    assert not loaded.network.training


def test_the_validation_that_is_reported_is_that_of_the_saved_weights(run: tuple[str, Trained, Path]) -> None:
    _, model, folder = run
    held_out = folder.with_name("held-out.jsonl")
    assert model.metrics["valid"] == model.evaluate(held_out) == ur.load(folder).evaluate(held_out)


def test_saved_elsewhere_it_is_the_same_file_by_file(run: tuple[str, Trained, Path], tmp_path: Path) -> None:
    _, model, folder = run
    ur.load(folder).save(tmp_path / "copy")
    for file in (tmp_path / "copy").rglob("*"):
        if file.is_file() and file.name != "manifest.json":
            assert file.read_bytes() == (folder / file.relative_to(tmp_path / "copy")).read_bytes(), file.name
    assert ur.load(tmp_path / "copy").metrics == model.metrics
    with pytest.raises(UsageError, match="copy already exists"):
        model.save(tmp_path / "copy")
    model.save(tmp_path / "copy", overwrite=True)


def test_a_run_directory_is_json_tensors_and_text(run: tuple[str, Trained, Path]) -> None:
    *_, folder = run
    for file in (path for path in folder.rglob("*") if path.is_file()):
        data = file.read_bytes()
        assert not zipfile.is_zipfile(file)
        # Tensors begin with the length of their header, whose first byte may be any; it is read below.
        assert file.suffix == ".safetensors" or data[:1] != b"\x80", "a pickle"
        if file.suffix == ".json":
            json.loads(data)
        elif file.suffix == ".jsonl":
            [json.loads(line) for line in data.decode().splitlines()]
        elif file.suffix == ".safetensors":
            json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        else:
            assert file.name == "README.md" or file.parent.parent.name == "cache", file.name


def test_it_needs_nothing_but_what_the_manifest_names(run: tuple[str, Trained, Path], tmp_path: Path) -> None:
    name, model, folder = run
    named = [*json.loads((folder / "manifest.json").read_bytes())["files"], "manifest.json"]
    for file in named:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    assert ur.load(tmp_path).predict(RUNS[name].data).equals(model.predict(RUNS[name].data))


def test_every_change_of_a_file_is_noticed(run: tuple[str, Trained, Path]) -> None:
    *_, folder = run
    for name in [*json.loads((folder / "manifest.json").read_bytes())["files"], "manifest.json"]:
        data = (folder / name).read_bytes()
        for damage in (data[: len(data) // 2], data[:-1] + bytes([data[-1] ^ 1]), b""):
            (folder / name).write_bytes(damage)
            with pytest.raises(ModelError, match="run"):
                ur.load(folder)
        (folder / name).write_bytes(data)
    ur.load(folder)


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_the_weights_of_a_layer_come_back_to_the_bit(member: Subject) -> None:
    layers.saved(member)


# --- requirements 5, 6 and 8: what a run directory may declare ----------------------------------------------------


def forge(folder: Path, out: Path, change: Any) -> Path:
    """A copy of the run in which ``change(files)`` was made, with a manifest that fits."""
    files = {
        name: (folder / name).read_bytes() for name in json.loads((folder / "manifest.json").read_bytes())["files"]
    }
    change(files)
    for name, data in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    write_manifest(out, files)
    return out


def edited(name: str, *path: str, value: Any) -> Any:
    """A change of one value in a JSON file."""

    def change(files: dict[str, bytes]) -> None:
        values = place = json.loads(files[name])
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        files[name] = json.dumps(values).encode()

    return change


def swapped(name: str, data: bytes) -> Any:
    return lambda files: files.update({name: data})


@pytest.fixture(scope="module")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tunes") / "run"
    RUNS["lanes"].fit(folder, steps=1)
    return folder


# os.system("ohno"), as a pickle would call it.
PICKLED = b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04ohno\x94\x85\x94R\x94."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swapped("model.safetensors", PICKLED), "a pickle or an archive could run code and is not read"),
        (swapped("model.safetensors", b"PK\x03\x04" + PICKLED), "a pickle or an archive"),
        (swapped("model.safetensors", b"\xff" * 8 + b"{}"), "its header would take"),
        (swapped("config.json", PICKLED), "config.json cannot be read"),
        (swapped("results.json", b"[]"), "is incomplete or damaged"),
        (swapped("results.json", b'{"metrics": 3}'), "is incomplete or damaged"),
        (swapped("encodings/coder.json", PICKLED), "the encodings of this model cannot be read"),
        (edited("config.json", "model", "name", value="os.system"), "there is no model 'os.system'"),
        (edited("config.json", "model", "_target_", value="os.system"), "Extra inputs are not permitted"),
        (edited("config.json", "task", "name", value="subprocess"), "there is no task 'subprocess'"),
        (edited("config.json", "task", "name", value="../trained"), "there is no task '../trained'"),
        (edited("config.json", "task", "name", value="classify"), "the task .classify. needs a target with labels"),
        (edited("config.json", "task", "name", value="forecast"), "the task .forecast. needs a target with channels"),
        (edited("config.json", "format", value=99), "has format 99, but this version reads formats up to 2"),
        (edited("config.json", "model", "hidden", value=10**9), "has a wrong entry 'model.hidden'"),
        (edited("config.json", "model", "hidden", value=65_536), "the weights do not match config.json"),
        (edited("config.json", "model", "name", value="gru"), "the weights do not match config.json"),
        (edited("config.json", "model", "embedding", value=65_536), "the weights do not match config.json"),
        (edited("encodings/coder.json", "kinds", "text", value="os.system"), "there is no encoding 'os.system'"),
        (edited("encodings/coder.json", "form", value="whole"), "the column encoding of this model cannot be read at 'form'"),
        (edited("encodings/coder.json", "target", value="other"), "the encodings of this model cannot be read"),
        (edited("encodings/column-0.json", "symbols", value="ab"), "the weights do not match config.json"),
        (edited("encodings/column-0.json", "class_path", value="os.system"), "tokens encoding .* cannot be read"),
    ],
)  # fmt: skip
def test_a_forged_run_is_refused(tunes: Path, tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ur.load(forge(tunes, tmp_path, change))


def test_a_forged_run_that_says_the_same_is_read(tunes: Path, tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    assert ur.load(forge(tunes, tmp_path, edited("config.json", "model", "hidden", value=4))).task.name == "next_step"


@pytest.mark.parametrize("name", ["../run/config.json", "/etc/passwd", "a/../../b", "encodings/\0"])
def test_a_manifest_cannot_name_what_lies_outside(tunes: Path, tmp_path: Path, name: str) -> None:
    forge(tunes, tmp_path, lambda files: None)
    manifest = json.loads((tmp_path / "manifest.json").read_bytes())
    manifest["files"][name] = {"sha256": "0" * 64, "size": 3}
    (tmp_path / "manifest.json").write_bytes(json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n")
    with pytest.raises(ModelError, match="is not an allowed file name"):
        ur.load(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda place: None, "no such run directory"),
        (lambda place: place.mkdir(), "is not a run: it has no config.json"),
        (lambda place: place.write_text("{}"), "no such run directory"),
    ],
)
def test_what_is_no_run_is_said_to_be_none(tmp_path: Path, make: Any, message: str) -> None:
    make(tmp_path / "run")
    with pytest.raises(ModelError, match=message):
        ur.load(tmp_path / "run")
