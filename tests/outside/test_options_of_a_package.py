"""The options of members of a package: in the help, stored, of effect, kept, and refused where they mean nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from outside.package import COMMON, OPTIONS, PART, each, flags, python, unrolled


def test_each_option_is_in_the_help_of_fit(site: Path) -> None:
    told = " ".join(unrolled("fit", "--help", site=site).stdout.replace("│", " ").split())
    without = " ".join(unrolled("fit", "--help", site=None).stdout.replace("│", " ").split())
    for entry, (name, _, sentence) in OPTIONS.items():
        assert f"--{name} " in told, name
        assert f"({entry.partition('.')[2]}) " in told
        assert sentence in told, name
        assert f"--{name} " not in without
        assert sentence not in without


def test_each_option_is_stored_under_its_member(optioned: Path) -> None:
    configs = {kind: json.loads((optioned / kind / "config.json").read_bytes()) for kind in ("cell", "layer")}
    for entry, (name, value, _) in OPTIONS.items():
        kind = entry.partition(".")[0]
        own = configs["layer" if kind == "layer" else "cell"][PART.get(kind, "training")]["own"]
        assert {key: str(one) for key, one in own[entry].items()} == {name: value}
    assert "layer.running_mean" not in configs["cell"]["model"]["own"]


def test_each_option_takes_effect(optioned: Path, site: Path) -> None:
    told = python(
        """
        import json
        import sys
        import torch
        import unrolled

        folder = sys.argv[1]
        cell, layer, plain = (unrolled.load(f"{folder}/{name}") for name in ("cell", "layer", "run"))
        [[leaky]], = cell.network.layer.layers,
        same = dict(target="wait", task="median", model="leaky", hidden=4, steps=2, seed=0, plan="fixed")
        found = [unrolled.fit(f"{folder}/waits.pipes", out=f"{folder}/effect{n}", **same, **own)
                 for n, own in enumerate(({}, {"level": 0.9}, {"trim": 0.5}, {"within": 2.0}))]
        print(json.dumps({
            "leak": 1 - leaky.keep.sigmoid().mean().item(),
            "decay": 1 - layer.network.layer.kept,
            "harmonics": cell.task.coder.inputs["arrival"].spec.width,
            "rows": len(cell.read(f"{folder}/remarked.pipes")),
            "losses": [one.task.loss(torch.tensor([[0.0]]), type("B", (), {"target": torch.tensor([[1.0]])}))[0].item()
                       for one in found[:2]],
            "answers": [one.predict(f"{folder}/waits.pipes").column("wait_median").to_pylist()[0] for one in found],
            "medians": [one.baselines["valid"]["median"]["mae"] for one in found],
            "close": [one.metrics["valid"]["close"] for one in found],
            "close_baseline": [one.baselines["valid"]["median"]["close"] for one in found],
            "evaluated": found[3].evaluate(f"{folder}/waits.pipes")["close"],
            "by_default": found[0].evaluate(f"{folder}/waits.pipes")["close"],
        }))
        """,
        optioned,
        site=site,
    )
    found = json.loads(told)
    assert found["leak"] == pytest.approx(0.25, abs=0.02)
    assert found["decay"] == 0.5
    assert found["harmonics"] == 6
    assert found["rows"] == 60
    assert found["losses"] == pytest.approx([0.5, 0.9])
    assert found["answers"][0] != found["answers"][1]
    assert found["answers"][0] == found["answers"][2] == found["answers"][3]
    assert found["medians"][0] == found["medians"][1] != found["medians"][2]
    assert found["close"][0] < found["close"][3]
    assert found["close_baseline"][0] < found["close_baseline"][3]
    assert found["evaluated"] > found["by_default"]


def test_a_resumed_run_keeps_each_option(optioned: Path, site: Path) -> None:
    others = {"leak": "0.75", "decay": "0.25", "harmonics": "2", "comment": "%", "level": "0.5"}
    commands = []
    for entry, (name, _, _) in OPTIONS.items():
        resume = ["fit", "--resume", str(optioned / ("layer" if entry.startswith("layer") else "cell"))]
        commands += [[*resume, *flags(entry)], [*resume, f"--{name}", others.get(name, "0.125")]]
    answers = each(*commands, site=site)
    for (name, value, _), same, other in zip(OPTIONS.values(), answers[::2], answers[1::2], strict=True):
        assert same[0] == 0, same
        assert other[0] == 2
        assert f"was started with {name} = " in other[1]
        assert value in other[1]


def test_a_run_that_was_stopped_goes_on_with_its_options(optioned: Path, site: Path) -> None:
    for kind in ("cell", "layer"):
        config = (optioned / kind / "config.json").read_bytes()
        (optioned / kind / "manifest.json").unlink()
        done = unrolled("fit", "--resume", optioned / kind, site=site)
        assert done.returncode == 0, done.stderr
        assert (optioned / kind / "config.json").read_bytes() == config
        assert (optioned / kind / "manifest.json").is_file()


def test_an_option_is_refused_where_its_member_is_not_in_the_run(optioned: Path, site: Path) -> None:
    (optioned / "plain.csv").write_text(
        "\n".join(["size,wait,mood", *(f"{n},{n},{'ab'[n % 2]}" for n in range(40)), ""])
    )
    entries = [entry for entry in OPTIONS if not entry.startswith("metric")]  # a metric is in every run
    asked = ["fit", optioned / "plain.csv", "--model", "gru", "--steps", "2", "--out", str(optioned / "idle")]
    targets = ["mood" if entry.startswith("baseline") else "wait" for entry in entries]
    commands = [[*asked, "--target", target, *flags(entry)] for entry, target in zip(entries, targets, strict=True)]
    for entry, (code, told) in zip(entries, each(*commands, site=site), strict=True):
        assert code == 2, entry
        assert f"--{OPTIONS[entry][0]} only works with" in told, told
        assert f"{entry.partition('.')[2]!r}" in told


def test_a_wrong_name_or_value_is_answered_with_the_flag(optioned: Path, site: Path) -> None:
    data = optioned / "waits.pipes"
    wrong = {"leak": "1.5", "harmonics": "9", "level": "0", "trim": "1", "within": "-1", "decay": "1"}
    models = ["running_mean" if name == "decay" else "leaky" for name in wrong]
    asked = ["fit", data, *COMMON, "--task", "median", "--out", str(optioned / "wrong")]
    commands = [
        [*asked, "--model", model, f"--{name}", value]
        for model, (name, value) in zip(models, wrong.items(), strict=True)
    ]
    for name, (code, said) in zip(wrong, each(*commands, site=site), strict=True):
        assert code == 2
        assert f"--{name} must be " in said
    done = unrolled("fit", data, *COMMON, "--model", "leaky", "--leak", "much", site=site)
    assert done.returncode == 2
    assert "leak" in done.stderr
    told = python(
        """
        import sys
        import unrolled
        from unrolled.errors import UnrolledError

        for name in ("leakage", "harmonic", "percentile", "remark", "lvel", "witin"):
            try:
                unrolled.fit(sys.argv[1], target="wait", **{name: 1})
            except UnrolledError as error:
                print(error)
        """,
        data,
        site=site,
    )
    meant = ("leak", "harmonics", "level", "comment", "level", "within")
    assert [line.partition("Did you mean ")[2] for line in told.splitlines()] == [f"{name}?" for name in meant]
