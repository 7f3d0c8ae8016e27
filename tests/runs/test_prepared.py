from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unrolled.cli.main import main
from unrolled.data.examples.examples import Examples
from unrolled.errors import SpaceError, UsageError
from unrolled.runs import prepared
from unrolled.runs.encode import Encoded, encode
from unrolled.runs.fit import fit, resume
from unrolled.runs.plan import plan_from_options
from unrolled.runs.trained import Trained
from unrolled.storage.cache_folder import listed
from unrolled.training.trainer import Trainer

RANDOM = np.random.default_rng(0)
SHORT = {"plan": "fixed", "hidden": 4, "steps": 3, "checkpoint_every": "1"}


def reviews(path: Path) -> None:
    words = ["good", "bad", "day", "food"]
    rows = [f"{' '.join(RANDOM.choice(words, 4))},{n % 7 or ''},{'yes' if n % 2 else 'no'}" for n in range(40)]
    path.write_text("text,stars,label\n" + "\n".join(rows) + "\n")


def series(path: Path) -> None:
    rows = [f"{'ab'[n % 2]},{n // 2},{'' if n == 9 else round(float(np.sin(n / 3)), 4)}" for n in range(120)]
    path.write_text("who,t,load\n" + "\n".join(rows) + "\n")


def clicks(path: Path) -> None:
    rows = [f"u{n % 9},{n},{int(RANDOM.integers(5))}" for n in range(150)]
    path.write_text("user,time,item\n" + "\n".join(rows) + "\n")


QUESTIONS: dict[str, tuple[Callable[[Path], None], dict[str, Any]]] = {
    "classify": (reviews, {"target": ("label",), "missing": "impute", "test": 0.2}),
    "forecast": (series, {"by": "who", "order": "t", "horizon": 3, "target": ("load",), "missing": "impute"}),
    "next": (
        clicks,
        {"by": "user", "order": "time", "inputs": ("item",), "kinds": {"item": "tokens"}, "valid": "last"},
    ),
}


def spoiled(path: Path) -> None:
    """Other contents with the size and the time of before, so that whoever reads them fails or answers otherwise."""
    found = path.stat()
    path.write_bytes(b"\0" * found.st_size)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def weights(trained: Trained) -> dict[str, Any]:
    return {name: tensor.numpy().tobytes() for name, tensor in trained.network.state_dict().items()}


def prepare(path: Path, options: dict[str, Any], cache: Path, say: Callable[[str], None] = lambda _: None) -> Encoded:
    """What `fit` does with the data, without a model."""
    plan = plan_from_options(path, {**SHORT, **options}, None, say, cache)
    cache.parent.joinpath("run").mkdir(exist_ok=True)
    return encode(cache.parent / "run", plan, say)


def same(a: Examples, b: Examples) -> bool:
    columns = [*zip(a.inputs.values(), b.inputs.values(), strict=True), (a.target, b.target)]
    return all(
        np.array_equal(x.values, y.values, equal_nan=x.values.dtype.kind == "f")
        and (x.offsets is None or np.array_equal(x.offsets, y.offsets))
        for x, y in columns
        if x is not None and y is not None
    )


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_was_prepared_is_not_read_again(name: str, tmp_path: Path) -> None:
    write, options = QUESTIONS[name]
    path, cache = tmp_path / "data.csv", tmp_path / "cache"
    write(path)
    told: list[list[str]] = [[], []]
    first = prepare(path, options, cache, told[0].append)
    spoiled(path)
    second = prepare(path, options, cache, told[1].append)
    assert told[1] == [f"prepared data: {listed(cache)[0].folder}", *told[0]]
    assert first.config == second.config
    assert first.measured.task.coder.to_files() == second.measured.task.coder.to_files()
    assert same(first.train, second.train)
    for role, part in first.splits.held_out().items():
        again = second.splits.held_out()[role]
        assert same(first.judged[role], second.judged[role])
        assert part.table.equals(again.table)
        assert (part.kinds, part.origin, part.dropped, part.remarks) == (
            again.kinds,
            again.origin,
            again.dropped,
            again.remarks,
        )
    assert (first.splits.by_time, first.splits.notes) == (second.splits.by_time, second.splits.notes)
    assert first.splits.whole is not None
    assert second.splits.whole is not None
    assert first.splits.whole.table.equals(second.splits.whole.table)


def test_a_run_on_prepared_data_is_the_same_run(tmp_path: Path) -> None:
    path, options = tmp_path / "data.csv", {**SHORT, **QUESTIONS["classify"][1]}
    reviews(path)
    plain = fit(path, options, out=tmp_path / "plain")
    fit(path, options, out=tmp_path / "run0", cache=tmp_path / "cache")
    spoiled(path)
    second = fit(path, options, out=tmp_path / "run1", cache=tmp_path / "cache")
    assert weights(second) == weights(plain)
    assert (second.metrics, second.baselines) == (plain.metrics, plain.baselines)
    cards = [(tmp_path / name / "README.md").read_text().replace(name, "run") for name in ("run0", "run1")]
    assert cards[0] == cards[1]


def test_another_model_needs_the_same_store_and_other_data_another(tmp_path: Path) -> None:
    path, cache, given = tmp_path / "data.csv", tmp_path / "cache", QUESTIONS["classify"][1]
    reviews(path)
    for other in ({}, {"model": "gru", "hidden": 6, "lr": 0.1, "batch": 8, "dropout": 0.1}):
        prepare(path, {**given, **other}, cache)
    assert len(listed(cache)) == 1
    for other in ({"seed": 4}, {"tokens": "words"}, {"ignore": ("stars",)}, {"valid": 0.3}):
        prepare(path, {**given, **other}, cache)
    assert len(listed(cache)) == 5
    reviews(path)
    lines: list[str] = []
    prepare(path, given, cache, lines.append)
    assert len(listed(cache)) == 5
    assert not any(line.startswith("prepared data") for line in lines)


@pytest.mark.parametrize("shared", [False, True])
def test_a_run_that_is_resumed_reads_nothing_of_the_source(
    shared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "_LARGE", 0)
    path, out = tmp_path / "data.csv", tmp_path / "run"
    reviews(path)
    given: dict[str, Any] = {**SHORT, **QUESTIONS["classify"][1], "valid": 0}
    whole = fit(path, given, out=tmp_path / "whole")
    assert not (tmp_path / "whole" / prepared.OWN).exists()  # a finished run keeps none

    def stop(trainer: Trainer, *arguments: Any) -> None:
        if trainer.progress.step == 2:
            raise KeyboardInterrupt
        step(trainer, *arguments)

    step = Trainer._step
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "_step", stop)
        fit(path, given, out=out, cache=tmp_path / "cache" if shared else None)
    assert (out / prepared.OWN).exists() is not shared
    spoiled(path)
    lines: list[str] = []
    resumed = resume(out, {}, say=lines.append)
    assert "resuming from step 2" in lines
    assert weights(resumed) == weights(whole)
    assert resumed.metrics == whole.metrics
    assert not (out / prepared.OWN).exists()


def test_a_file_that_is_added_to_the_folder_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    reviews(tmp_path / "data" / "a.csv")
    options = {**SHORT, **QUESTIONS["classify"][1]}
    fit(tmp_path / "data", options, out=tmp_path / "one", cache=tmp_path / "cache")
    reviews(tmp_path / "data" / "b.csv")
    lines: list[str] = []
    fit(tmp_path / "data", options, out=tmp_path / "two", cache=tmp_path / "cache", say=lines.append)
    assert any("80 rows" in line for line in lines)


def test_damaged_prepared_data_is_told_of_and_prepared_again(tmp_path: Path) -> None:
    path, cache, given = tmp_path / "data.csv", tmp_path / "cache", QUESTIONS["classify"][1]
    reviews(path)
    first = prepare(path, given, cache)
    values = listed(cache)[0].folder / "train-0-values.bin"
    content = values.read_bytes()
    values.unlink()  # the first run has mapped the file
    values.write_bytes(content[:-1])
    lines: list[str] = []
    again = prepare(path, given, cache, lines.append)
    assert "this prepared data is damaged" in lines[0]
    assert lines[0].endswith("it is prepared again")
    assert same(again.train, first.train)
    spoiled(path)
    assert same(prepare(path, given, cache).train, first.train)


def test_the_cache_is_listed_limited_and_emptied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, cache, given = tmp_path / "data.csv", tmp_path / "cache", QUESTIONS["classify"][1]
    reviews(path)
    for seed in (1, 2, 3):
        prepare(path, {**given, "seed": seed}, cache)
    newest, *_, old = listed(cache)
    os.utime(old.folder / "store.json", (1, 1))
    size = newest.bytes
    assert main(["cache", str(cache), "--limit", str(int(2.5 * size))]) == 0
    assert old.folder not in [one.folder for one in listed(cache)]
    prepare(path, {**given, "seed": 4}, cache)
    assert len(listed(cache)) == 2
    assert main(["cache", str(cache), "--limit", str(size // 2)]) == 0
    assert listed(cache) == []
    with pytest.raises(SpaceError, match=r"takes .* KB, more than the limit of .*: raise it with unrolled cache"):
        prepare(path, {**given, "seed": 5}, cache)
    assert main(["cache", str(cache), "--limit", "1GB"]) == 0
    fit(path, {**SHORT, **given, "seed": 5, "valid": 0}, out=tmp_path / "trained", cache=cache)
    assert len(listed(cache)) == 1
    capsys.readouterr()
    assert main(["cache", str(cache), "--json"]) == 0
    assert f'"source": "{path}"' in capsys.readouterr().out
    assert main(["cache", str(cache), "--empty"]) == 0
    assert listed(cache) == []
    assert main(["cache", str(cache), "--limit", "much"]) == 2
    assert "'much' is not a size: write it like 50GB or 500MB" in capsys.readouterr().err
    assert main(["cache", str(tmp_path / "none")]) == 2


@pytest.mark.parametrize("inside", [".", "cache", "prepared/more"])
def test_a_run_directory_holds_nothing_for_other_runs(inside: str, tmp_path: Path) -> None:
    path, out = tmp_path / "data.csv", tmp_path / "run"
    path.write_text("x,y\n1,2\n")
    with pytest.raises(UsageError, match="is in the run directory .*run: choose a folder beside it"):
        fit(path, {}, out=out, cache=out / inside)
    assert not out.exists()
