"""``watch`` on a run that is trained at this moment, and on one that is over: as a page of text, as lines, as JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.support import Done, Runs

from unrolled.cli import watch as watching
from unrolled.runs.directory import alone

Unrolled = Callable[..., Done]
NORMS = {"columns.embeddings": 0.5, "layer.layers.0": 2.0, "head": 1.0}
LOOK = {
    "kind": "look",
    "step": 40,
    "gates": {"layer 1, forget gate": {"closed": 0.25, "open": 0.5}},
    "sample": {"given": {"text": "a film"}, "right": "good", "wrote": "bad"},
}


def step(at: int, **more: Any) -> dict[str, Any]:
    place = {"kind": "step", "step": at, "epoch": 0, "seconds": at / 10, "progress": at / 100}
    norms = {"clipped_share": 0.25, "gradient_norm": 2.29, "gradient_norms": NORMS}
    return {**place, "loss": 1 - at / 100, "lr": 0.002, **norms, **more}


def valid(at: int, f1: float) -> dict[str, Any]:
    place = {"kind": "valid", "step": at, "epoch": 0, "seconds": at / 10, "progress": None}
    return {**place, "macro_f1": f1, "loss_nats_per_label": 1.0}


def write(run: Path, *events: dict[str, Any]) -> None:
    (run / "metrics.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


@pytest.fixture
def run(runs: Runs, tmp_path: Path) -> Path:
    """A run that was stopped after 60 steps of 100."""
    folder = Path(shutil.copytree(runs.reviews, tmp_path / "run"))
    (folder / "manifest.json").unlink()
    write(folder, step(20), valid(20, 0.75), step(40), LOOK, valid(40, 0.5), step(60))
    return folder


def test_the_state_of_this_moment(unrolled: Unrolled, run: Path) -> None:
    with alone(run):
        done = unrolled("watch", run, "--once")
    assert done.code == 0
    assert done.out.splitlines() == [
        f"{run}: training",
        "step 60 of 100 (60%), 6 s, about 4 s left",
        "",
        "loss           0.4       █▄▁",
        "valid          0.5       █▁  macro_f1  (0.75 at step 20, the best)",
        "valid          1         ▁▁  loss_nats_per_label  (1 at step 20, the best)",
        "rate           0.002     ▁▁▁  held since step 0",
        "gradient norm  2.29      ▁▁▁",
        "               embeddings    0.5       ██████████",
        "               layer 1       2         ████████████████████████████████████████",
        "               output layer  1         ████████████████████",
        "clipped        25% of the last steps",
        "gates          at step 40: share of steps and units below 0.1, and above 0.9",
        "               layer 1, forget gate    25%    50%",
        "sample         at step 40",
        "  given        text: 'a film'",
        "  right        'good'",
        "  wrote        'bad'",
    ]


def test_as_json(unrolled: Unrolled, run: Path) -> None:
    told = unrolled("watch", run, "--once", "--json").json
    assert (told["schema"], told["run"], told["doing"], told["step"], told["total"]) == (
        1,
        str(run),
        "stopped",
        60,
        100,
    )
    assert (told["loss"], told["lr"], told["clipped_share"], told["left_seconds"]) == (0.4, 0.002, 0.25, None)
    assert told["gradient_norms"] == {"embeddings": 0.5, "layer 1": 2.0, "output layer": 1.0}
    assert told["best"] == {"step": 20, "macro_f1": 0.75, "loss_nats_per_label": 1.0}
    assert told["look"] == {name: LOOK[name] for name in ("step", "gates", "sample")}


def test_a_run_is_followed_until_it_is_stopped(unrolled: Unrolled, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints a line for each new entry, and each verdict once."""
    write(run)
    begun = [step(20 * n, loss=0.7, progress=n / 20) for n in range(1, 7)]
    moments = [lambda: write(run, *begun[:1]), lambda: None, lambda: write(run, *begun[:5]), lambda: write(run, *begun)]
    lock = alone(run)
    lock.__enter__()
    moments.append(lambda: lock.__exit__(None, None, None))
    monkeypatch.setattr(watching.time, "sleep", lambda _: moments.pop(0)())
    done = unrolled("watch", run)
    assert done.code == 0 and moments == []
    lines = done.out.splitlines()
    assert lines[0] == f"{run}: the data is being prepared"
    assert lines[1:3] == [
        f"{run}: training",
        "5% step 20, 2 s: loss 0.7, rate 0.002, gradient norm 2.29, 25% of the steps clipped",
    ]
    assert [line.partition(",")[0] for line in lines[3:6:2]] == ["25% step 100", "30% step 120"]
    assert lines[4].startswith("It learns nothing: its training loss stays at 0.7")
    assert lines[6].startswith(f"{run}: stopped before its end") and len(lines) == 7


def test_in_a_terminal_the_whole_state_is_drawn(unrolled: Unrolled, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_is_terminal", lambda: True)
    done = unrolled("watch", run)
    assert done.code == 0
    assert "gradient norm  2.29" in done.out and "wrote        'bad'" in done.out


def test_a_run_that_is_over_ends_at_once(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("watch", runs.reviews)
    assert done.code == 0 and done.out.startswith(f"{runs.reviews}: finished\n")
    assert unrolled("watch", runs.load, "--once").out.startswith(f"{runs.load}: finished\nstep ")


def test_what_is_wrong_stands_above_the_curves_and_ctrl_c_ends_it(
    unrolled: Unrolled, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = {f"layer.layers.{n}": 1e-6 if n == 0 else 1.0 for n in range(30)}
    write(run, *[step(20 * n, gradient_norms=layers, progress=n / 20) for n in range(1, 7)])

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", interrupted)
    with alone(run):
        lines = unrolled("watch", run, "--once").out.splitlines()
        assert unrolled("watch", run).code == 130
    assert lines[2].startswith("Its gradients vanish: that of layer 1 is 1e-06 of that of layer 30")
    assert [line.split("  ")[0] for line in map(str.strip, lines) if line.startswith("layer")] == [
        *("layer 1", "layer 7", "layer 13", "layer 18", "layer 24", "layer 30")
    ]


def test_a_page_is_written_too(unrolled: Unrolled, run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    with alone(run):
        done = unrolled("watch", run, "--once", "--out", page)
    assert (done.code, done.err) == (0, f"wrote {page}\n") and done.out.startswith(f"{run}: training")
    assert "step 60 of 100, 6 seconds" in page.read_text("utf-8")
    assert "location.reload" not in page.read_text("utf-8")
    refused = unrolled("watch", run, "--out", tmp_path / "page.txt")
    assert refused.code == 2 and "has to end in .html, not 'page.txt'" in refused.err


def test_what_is_no_run_is_refused(unrolled: Unrolled, tmp_path: Path) -> None:
    done = unrolled("watch", tmp_path / "other")
    assert (done.code, done.err) == (4, f"error: {tmp_path / 'other'}: no such run directory\n")
    assert unrolled("watch", tmp_path).code == 4
    assert unrolled("watch").code == 2


def test_a_training_that_ended_before_its_first_entry(unrolled: Unrolled, run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((run / "config.json").read_bytes())
    lines = unrolled("watch", tmp_path, "--once").out.splitlines()
    assert "stopped before its end" in lines[0] and lines[1] == "nothing was logged"
