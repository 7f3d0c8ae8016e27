from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.support import SMALL, Done, Runs, write_reviews

from unrolled.cli.fit import what_next
from unrolled.cli.main import main

Unrolled = Callable[..., Done]


def test_what_was_inferred_and_reached_is_said_and_what_to_type_next_works(
    unrolled: Unrolled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_reviews(tmp_path / "my reviews.csv")
    done = unrolled("fit", "my reviews.csv", "--target", "sentiment", *SMALL[:-1])
    assert done.code == 0
    assert "text (tokens), stars (number), sentiment (category)" in done.err
    assert "task: classify ('sentiment' has 2 labels)" in done.err
    assert "run: runs/my-reviews-1" in done.err
    assert done.out.startswith("\nruns/my-reviews-1, valid:\n")
    assert "majority" in done.out
    _, _, commands = done.err.partition("Next:\n")
    for command in commands.strip().splitlines():
        assert main(shlex.split(command.split(">")[0])[1:]) == 0, command


def test_a_second_run_has_the_next_number(unrolled: Unrolled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_reviews(tmp_path / "reviews.csv")
    for number in (1, 2):
        done = unrolled("fit", "reviews.csv", "--target", "sentiment", *SMALL, "--json")
        assert done.json["run"] == f"runs/reviews-{number}"


def test_json_is_one_object_with_a_version(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = unrolled("fit", runs.file("load.csv"), "--target", "load", "--horizon", "2", "--out", out, *SMALL, "--json")
    assert done.code == 0
    assert done.json["schema"] == 1
    assert done.json["task"] == "forecast"
    assert done.json["metrics"]["valid"]["mse_scaled"] > 0
    assert "last value" in done.json["baselines"]["valid"]


def test_flags_stand_over_the_file_of_options(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "hidden: 3\nepochs: 9\ntarget: sentiment\nkinds: {stars: category}\nignore: [text]\n"
    )
    done = unrolled("fit", runs.file("reviews.csv"), "--config", tmp_path / "c.yaml", "--steps", 2, "--hidden", 5,
                    "--out", tmp_path / "run", "--quiet")  # fmt: skip
    assert done.code == 0, done.err
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["model"]["hidden"] == 5
    assert config["training"]["steps"] == 2
    assert config["training"]["epochs"] is None
    assert config["data"]["kinds"] == {"stars": "category"}


def test_a_run_that_exists_is_neither_lost_nor_taken_for_another(
    unrolled: Unrolled, runs: Runs, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs.text, run)
    before = (run / "model.safetensors").read_bytes()
    refused = unrolled("fit", runs.file("cats.txt"), "--out", run, *SMALL)
    assert refused.code == 2
    assert f"{run} exists already: continue it with --resume, replace it with --overwrite" in refused.err
    assert (run / "model.safetensors").read_bytes() == before
    finished = unrolled("fit", "--resume", run)
    assert finished.code == 0
    assert "is finished: nothing is left to train" in finished.err
    assert (run / "model.safetensors").read_bytes() == before
    assert unrolled("fit", runs.file("cats.txt"), "--out", run, "--overwrite", *SMALL).code == 0


def test_a_resumed_run_keeps_its_options(unrolled: Unrolled, runs: Runs) -> None:
    same = unrolled("fit", "--resume", runs.text, "--hidden", "4", "--quiet")
    assert same.code == 0
    other = unrolled("fit", "--resume", runs.text, "--hidden", "5")
    assert other.code == 2
    assert "was started with hidden = 4, not 5: a resumed run keeps its options" in other.err


def test_a_run_of_data_in_memory_asks_for_it(unrolled: Unrolled, tmp_path: Path) -> None:
    from unrolled import api

    run = tmp_path / "run"
    api.fit({"text": ["abc" * 9, "cab" * 9, "bca" * 9]}, out=run, steps=2, hidden=2)
    (run / "manifest.json").unlink()
    done = unrolled("fit", "--resume", run)
    assert done.code == 2
    assert "was trained on data in memory: pass the same data again" in done.err


def test_tensorboard_missing_is_answered_with_the_line_that_installs_it(
    unrolled: Unrolled, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = unrolled("fit", runs.file("cats.txt"), "--tensorboard", "--out", tmp_path / "run")
    assert done.code == 1
    assert done.err == "error: --tensorboard needs tensorboard: pip install 'unrolled[tensorboard]'\n"
    assert not (tmp_path / "run").exists()


def test_next_of_a_forecast_streams_and_of_a_text_generates(runs: Runs) -> None:
    from unrolled import api

    assert f"tail -f {runs.file('load.csv')} | unrolled stream {runs.load}" in what_next(api.load(runs.load))
    assert f"unrolled generate {runs.text}" in what_next(api.load(runs.text))


FILES = {
    "empty.csv": b"",
    "header.csv": b"text,label\n",
    "ragged.csv": b"text,label\na,x\nb,y,z\n",
    "latin.csv": "text,label\ncafé,x\nb,y\n".encode("latin-1"),
    "one.csv": b"text,label\na,x\nb,x\nc,x\n",
    "null.csv": b"text,label\na,\nb,\nc,\n",
    "latin.txt": "un café\n".encode("latin-1"),
    "bad.jsonl": b'{"text": "a", "label": "x"}\n{"text": \n',
}


@pytest.mark.parametrize(
    ("words", "code", "texts"),
    [
        (["missing.csv"], 3, ["missing.csv: there is no such file"]),
        (["one.csv", "--target", "lable"], 3, ["one.csv, column 'lable': there is no such column", "Did you mean 'label'?"]),
        (["one.csv", "--target", "label", "--ignore", "txt"], 3, ["column 'txt'", "no such column to ignore", "'text'"]),
        (["two.csv", "--target", "label", "--inputs", "txet"], 3, ["column 'txet'", "Did you mean 'text'?"]),
        (["one.csv", "--target", "label", "--device", "tpu"], 2, ['"tpu" for --device', '"auto", "cpu", "cuda"']),
        (["one.csv", "--by", "idd", "--target", "label"], 3, ["column 'idd'", "there is no such column"]),
        (["ragged.csv", "--target", "label"], 3, ["ragged.csv, row 2", "3 cells", "2"]),
        (["latin.csv", "--target", "label"], 3, ["latin.csv, row 1, column 'text'", "0xe9", "--text-encoding latin-1"]),
        (["latin.txt"], 3, ["latin.txt", "0xe9", "--text-encoding latin-1"]),
        (["empty.csv", "--target", "label"], 3, ["empty.csv", "empty"]),
        (["header.csv", "--target", "label"], 3, ["header.csv", "no row"]),
        (["one.csv", "--target", "label"], 3, ["one.csv, column 'label': has only one class"]),
        (["null.csv", "--target", "label"], 3, ["null.csv, column 'label'"]),
        (["bad.jsonl", "--target", "label"], 3, ["bad.jsonl, row 2", "not JSON"]),
        (["one.csv", "--hiden", "3"], 2, ["unknown option: --hiden. Did you mean --hidden?", "unrolled fit --help"]),
        (["one.csv", "--hidden", "x"], 2, ["--hidden", 'unable to convert "x" into int']),
        (["one.csv", "--hidden", "0"], 2, ["--hidden must be at least 1, got 0"]),
        (["two.csv", "--hidden", "1000000000"], 2, ["--hidden"]),
        (["one.csv", "--target", "text", "--task", "clasify"], 2, ["there is no task 'clasify'. Did you mean 'classify'?"]),
        (["two.csv", "--target", "label", "--model", "lstn"], 2, ["there is no model 'lstn'. Did you mean 'lstm'?"]),
        (["two.csv", "--target", "label", "--kinds", "text"], 2, ["--kinds text: expected column=kind"]),
        (["two.csv", "--target", "label", "--kinds", "text=tokns"], 2, ["Did you mean 'tokens'?"]),
        (["two.csv", "--target", "label", "--quantiles", "a,b"], 2, ["--quantiles a,b: expected numbers"]),
        (["two.csv", "--target", "label", "--steps", "2", "--epochs", "2"], 2, ["one budget, not --steps and --epochs"]),
        (["two.csv", "--target", "label", "--valid", "1.5"], 2, ["1.5 is neither a share, at least 0 and below 1, nor a file"]),
        (["two.csv", "--target", "label", "--valid", "nope.csv"], 3, ["nope.csv: there is no such file"]),
        (["two.csv", "--target", "label", "--checkpoint-every", "soon"], 2, ["--checkpoint-every must be steps"]),
        (["two.csv", "--target", "label", "--config", "no.yaml"], 2, ["--config no.yaml: cannot be read"]),
        ([], 2, ["fit needs a file to train on"]),
        (["--resume", "nowhere"], 4, ["nowhere is not a run"]),
        (["two.csv", "extra.csv"], 2, ["extra.csv"]),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(
    unrolled: Unrolled, words: list[str], code: int, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "two.csv").write_text("text,label\n" + "a b,x\nb c,y\n" * 8)
    done = unrolled("fit", *words, "--quiet")
    assert (done.code, done.out) == (code, ""), done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    for text in texts:
        assert text in done.err
    told = unrolled("fit", *words, "--json", "--quiet")
    assert (told.code, told.err) == (code, "")
    assert told.json["schema"] == 1
    assert told.json["error"]["exit_code"] == code
    assert texts[0] in told.json["error"]["message"]


def test_a_data_error_has_its_place_in_json(unrolled: Unrolled, tmp_path: Path) -> None:
    (tmp_path / "ragged.csv").write_bytes(FILES["ragged.csv"])
    error = unrolled("fit", tmp_path / "ragged.csv", "--json").json["error"]
    assert (error["type"], error["file"], error["row"]) == ("DataError", str(tmp_path / "ragged.csv"), 2)
