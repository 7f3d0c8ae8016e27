"""A package outside the source tree adds a member of each kind: found, trained, saved, opened, and held to contracts."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent.parent / "src"
PACKAGE = Path(__file__).parent / "leaky_package"
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["project"]
ENTRIES: dict[str, str] = PROJECT["entry-points"]["unrolled.members"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``pip install`` leaves of the package beside its code: its metadata."""
    folder = tmp_path_factory.mktemp("site")
    metadata = folder / f"leaky_package-{PROJECT['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {PROJECT['name']}\nVersion: {PROJECT['version']}\n"
    )
    lines = [f"{name} = {value}" for name, value in ENTRIES.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[unrolled.members]", *lines, ""]))
    return folder


def run(*command: str, site: Path | None) -> subprocess.CompletedProcess[str]:
    """Python with the package installed in ``site``, or without it."""
    paths = [SOURCE, *((site, PACKAGE) if site is not None else ())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, env=environment)


def unrolled(*arguments: str, site: Path | None) -> subprocess.CompletedProcess[str]:
    """The command line."""
    program = "import sys; from unrolled.cli.main import main; sys.exit(main(sys.argv[1:]))"
    return run("-c", program, *arguments, site=site)


def each(*commands: list[str], site: Path) -> list[tuple[int, str]]:
    """The exit code and the messages of several commands, which are run in one process."""
    told = python(
        """
        import contextlib
        import io
        import json
        import sys
        from unrolled.cli.main import main

        found = []
        for command in json.loads(sys.argv[1]):
            said = io.StringIO()
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                code = main(command)
            found.append((code, " ".join(said.getvalue().split())))
        print(json.dumps(found))
        """,
        json.dumps(commands),
        site=site,
    )
    return [(code, said) for code, said in json.loads(told)]


def python(program: str, *arguments: str, site: Path | None) -> str:
    done = run("-c", textwrap.dedent(program), *arguments, site=site)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_members_are_listed_without_being_imported(site: Path) -> None:
    python(
        """
        import sys
        from unrolled.layers.factory import model_names
        from unrolled.runs.choices import kind_names, task_names
        from unrolled.registry import FOLDERS, Registry

        for entry in sys.argv[1:]:
            kind, _, name = entry.partition(".")
            assert name in Registry(kind).names()
            assert Registry(kind).package_of(name) == "leaky-package 1.2"
            assert Registry(kind).source(name).parent.name == "unrolled_leaky"
        assert {kind for kind, _, _ in (entry.partition(".") for entry in sys.argv[1:])} == set(FOLDERS) - {"form", "model", "rule", "solved"}
        assert {"leaky", "bileaky", "running_mean"} <= set(model_names())
        assert "median" in task_names() and "time_of_day" in kind_names()
        imported = [name for name in sys.modules if name.startswith(("torch", "unrolled_leaky."))]
        assert not imported, imported
        """,
        *ENTRIES,
        site=site,
    )


def test_doctor_lists_them(site: Path) -> None:
    done = unrolled("doctor", site=site)
    for entry in ENTRIES:
        assert f"member    {entry} of leaky-package 1.2\n" in done.stdout


def test_each_is_held_to_the_contracts_of_its_kind(site: Path, tmp_path: Path) -> None:
    (tmp_path / "good.pipes").write_text("a|b\n1|x\n2|y\n")
    told = python(
        """
        import sys
        import pyarrow as pa
        from unrolled.testing import check_member

        numbers = {"wave": [[0.5 * t + n for t in range(n + 2)] for n in range(8)], "wait": [float(n) for n in range(8)]}
        asked = (numbers, {"target": "wait", "model": "leaky"})
        examples = {
            "encoding": (pa.array(["13:45", "00:00", "23:59"]), pa.array(["07:30"])),
            "reader": sys.argv[1],
            "task": asked,
            "baseline": asked,
        }
        for entry in sys.argv[2:]:
            print(check_member(entry, example=examples.get(entry.partition(".")[0])).faults)
        """,
        str(tmp_path / "good.pipes"),
        *ENTRIES,
        site=site,
    )
    assert [line.partition(":")[0] for line in told.splitlines()] == list(ENTRIES)


@pytest.fixture(scope="module")
def trained(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and the run that was trained on it, by members of the package only."""
    folder = tmp_path_factory.mktemp("trained")
    dice = random.Random(0)
    rows = [(dice.randrange(24), dice.randrange(60)) for _ in range(60)]
    lines = [f"{hour:02}:{minute:02}|{abs(hour - 8) + minute / 60:.3f}" for hour, minute in rows]
    (folder / "waits.pipes").write_text("\n".join(["arrival|wait", *lines, ""]))
    options = ["--target", "wait", "--task", "median", "--model", "leaky", "--hidden", "8", "--epochs", "2"]
    done = unrolled("fit", str(folder / "waits.pipes"), *options, "--out", str(folder / "run"), site=site)
    assert done.returncode == 0, done.stderr
    assert "arrival (time_of_day)" in done.stderr
    return folder


def test_a_run_is_made_of_them_and_says_so(trained: Path, site: Path) -> None:
    config = json.loads((trained / "run" / "config.json").read_bytes())
    assert config["members"] == dict.fromkeys(
        ["cell.leaky", "encoding.time_of_day", "task.median"], "leaky-package 1.2"
    )
    results = json.loads((trained / "run" / "results.json").read_bytes())
    assert "close" in results["metrics"]["valid"]
    assert "close" in results["baselines"]["valid"]["median"]
    done = unrolled("predict", str(trained / "run"), str(trained / "waits.pipes"), site=site)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('"arrival","wait","wait_median"\n')
    assert len(done.stdout.splitlines()) == 61


def test_it_streams(trained: Path, site: Path) -> None:
    told = python(
        """
        import sys
        import unrolled

        live = unrolled.load(sys.argv[1]).stream()
        print(live.push({"arrival": "09:00"})["wait_median"])
        """,
        str(trained / "run"),
        site=site,
    )
    assert abs(float(told)) < 24


def test_other_models_of_it_train_too(trained: Path, site: Path, tmp_path: Path) -> None:
    python(
        """
        import sys
        import unrolled

        data, out = sys.argv[1:]
        for model in ("bileaky", "running_mean"):
            unrolled.fit(data, target="wait", model=model, hidden=4, steps=2, out=f"{out}/{model}")
            assert len(unrolled.load(f"{out}/{model}").config.members) == 2
        """,
        str(trained / "waits.pipes"),
        str(tmp_path),
        site=site,
    )


def test_without_the_package_a_run_says_what_to_install(trained: Path) -> None:
    (trained / "waits.csv").write_text("arrival,wait\n09:00,1\n")
    done = run(
        "-c",
        textwrap.dedent(
            """
            import sys
            from unrolled.cli.main import main

            folder, data = sys.argv[1:]
            verbs = (["predict", folder, data], ["evaluate", folder, data], ["describe", folder], ["fit", "--resume", folder])
            print([main(verb) for verb in verbs])
            """
        ),
        str(trained / "run"),
        str(trained / "waits.csv"),
        site=None,
    )
    assert done.stdout == "[4, 4, 4, 4]\n", done.stderr
    why = "this run uses the cell 'leaky' of the package 'leaky-package', which is not installed: pip install leaky-package"
    assert " ".join(done.stderr.split()).count(why) == 4


def test_a_config_cannot_name_what_is_not_registered(trained: Path, site: Path, tmp_path: Path) -> None:
    """Whatever ``members`` says, nothing is imported but what is installed under its name."""
    config = json.loads((trained / "run" / "config.json").read_bytes())
    config["members"] = {"cell.os": "leaky-package 1.2"}
    config["model"]["name"] = "os"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    done = unrolled("describe", str(tmp_path / "run"), site=site)
    assert done.returncode == 4
    assert "this run uses the cell 'os' of the package 'leaky-package'" in " ".join(done.stderr.split())


OPTIONS = {
    "cell.leaky": ("leak", "0.25", "Share of its state that a leaky unit begins to forget at each step."),
    "layer.running_mean": ("decay", "0.5", "Share of its weight that a step loses in the running mean"),
    "encoding.time_of_day": ("harmonics", "3", "How many circles a time of day is a point on"),
    "reader.pipes": ("comment", "#", "What the lines begin with that are left out of a table with pipes."),
    "task.median": ("level", "0.9", "Share of the right numbers that lie below the answer."),
    "baseline.training_median": ("trim", "0.5", "Share of the highest targets that the training median leaves out."),
    "metric.within": ("within", "2.0", "How near an answer is that counts as close, in deviations of training."),
}
PART = {"reader": "data", "encoding": "data", "task": "task", "cell": "model", "layer": "model"}  # others: training
COMMON = ["--target", "wait", "--hidden", "4", "--steps", "2"]


def flags(*entries: str) -> list[str]:
    return [word for entry in entries for word in (f"--{OPTIONS[entry][0]}", OPTIONS[entry][1])]


@pytest.fixture(scope="module")
def optioned(trained: Path, site: Path) -> Path:
    """Two runs with options of every member, ``cell`` and ``layer``, on a table with a remark in it."""
    lines = (trained / "waits.pipes").read_text().splitlines()
    (trained / "remarked.pipes").write_text("\n".join(["# waits", lines[0], "# a remark | of | cells", *lines[1:], ""]))
    for kind, model in (("cell", "leaky"), ("layer", "running_mean")):
        chosen = [entry for entry in OPTIONS if entry.partition(".")[0] not in {"cell", "layer"} - {kind}]
        asked = [*COMMON, "--task", "median", "--model", model, *flags(*chosen), "--out", str(trained / kind)]
        done = unrolled("fit", str(trained / "remarked.pipes"), *asked, site=site)
        assert done.returncode == 0, done.stderr
    return trained


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
        str(optioned),
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
        done = unrolled("fit", "--resume", str(optioned / kind), site=site)
        assert done.returncode == 0, done.stderr
        assert (optioned / kind / "config.json").read_bytes() == config
        assert (optioned / kind / "manifest.json").is_file()


def test_an_option_is_refused_where_its_member_is_not_in_the_run(optioned: Path, site: Path) -> None:
    (optioned / "plain.csv").write_text(
        "\n".join(["size,wait,mood", *(f"{n},{n},{'ab'[n % 2]}" for n in range(40)), ""])
    )
    entries = [entry for entry in OPTIONS if not entry.startswith("metric")]  # a metric is in every run
    asked = ["fit", str(optioned / "plain.csv"), "--model", "gru", "--steps", "2", "--out", str(optioned / "idle")]
    targets = ["mood" if entry.startswith("baseline") else "wait" for entry in entries]
    commands = [[*asked, "--target", target, *flags(entry)] for entry, target in zip(entries, targets, strict=True)]
    for entry, (code, told) in zip(entries, each(*commands, site=site), strict=True):
        assert code == 2, entry
        assert f"--{OPTIONS[entry][0]} only works with" in told, told
        assert f"{entry.partition('.')[2]!r}" in told


def test_a_wrong_name_or_value_is_answered_with_the_flag(optioned: Path, site: Path) -> None:
    data = str(optioned / "waits.pipes")
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


def test_what_is_checked_in_of_our_options_does_not_change_by_it(site: Path) -> None:
    python(
        """
        import sys

        sys.path.insert(0, sys.argv[1])
        import write_options
        from unrolled.declarations import Owner, declared

        assert Owner("cell", "leaky") in declared()
        assert write_options.KEYWORDS.read_text("utf-8") == write_options.keywords()
        assert write_options.PAGE.read_text("utf-8") == write_options.page()
        """,
        str(SOURCE.parent / "tools"),
        site=site,
    )


def test_a_run_that_was_only_read_and_judged_by_it_opens_without_it(trained: Path, site: Path) -> None:
    (trained / "numbers.pipes").write_text("\n".join(["size|wait", *(f"{n}|{n}" for n in range(60))]))
    asked = [*COMMON, "--model", "gru", *flags("reader.pipes", "baseline.training_median", "metric.within")]
    done = unrolled("fit", str(trained / "numbers.pipes"), *asked, "--out", str(trained / "judged"), site=site)
    assert done.returncode == 0, done.stderr
    (trained / "numbers.csv").write_text("size,wait\n1,2\n")
    done = unrolled("evaluate", str(trained / "judged"), str(trained / "numbers.csv"), site=None)
    assert done.returncode == 0, done.stderr
    assert "close" not in done.stdout
