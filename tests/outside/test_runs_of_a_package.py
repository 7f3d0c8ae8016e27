"""A run that is made of the members of a package: trained, saved, opened, streamed, and refused without the package."""

from __future__ import annotations

import json
from pathlib import Path

from outside.package import COMMON, flags, python, run, unrolled


def test_a_run_is_made_of_them_and_says_so(trained: Path, site: Path) -> None:
    config = json.loads((trained / "run" / "config.json").read_bytes())
    assert config["members"] == dict.fromkeys(
        ["cell.leaky", "encoding.time_of_day", "task.median"], "leaky-package 1.2"
    )
    results = json.loads((trained / "run" / "results.json").read_bytes())
    assert "close" in results["metrics"]["valid"]
    assert "close" in results["baselines"]["valid"]["median"]
    done = unrolled("predict", trained / "run", trained / "waits.pipes", site=site)
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
        trained / "run",
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
        trained / "waits.pipes",
        tmp_path,
        site=site,
    )


def test_without_the_package_a_run_says_what_to_install(trained: Path) -> None:
    (trained / "waits.csv").write_text("arrival,wait\n09:00,1\n")
    done = run(
        """
        import sys
        from unrolled.cli.main import main

        folder, data = sys.argv[1:]
        verbs = (["predict", folder, data], ["evaluate", folder, data], ["describe", folder], ["fit", "--resume", folder])
        print([main(verb) for verb in verbs])
        """,
        trained / "run",
        trained / "waits.csv",
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
    done = unrolled("describe", tmp_path / "run", site=site)
    assert done.returncode == 4
    assert "this run uses the cell 'os' of the package 'leaky-package'" in " ".join(done.stderr.split())


def test_a_run_that_was_only_read_and_judged_by_it_opens_without_it(trained: Path, site: Path) -> None:
    (trained / "numbers.pipes").write_text("\n".join(["size|wait", *(f"{n}|{n}" for n in range(60))]))
    asked = [*COMMON, "--model", "gru", *flags("reader.pipes", "baseline.training_median", "metric.within")]
    done = unrolled("fit", trained / "numbers.pipes", *asked, "--out", trained / "judged", site=site)
    assert done.returncode == 0, done.stderr
    (trained / "numbers.csv").write_text("size,wait\n1,2\n")
    done = unrolled("evaluate", trained / "judged", trained / "numbers.csv", site=None)
    assert done.returncode == 0, done.stderr
    assert "close" not in done.stdout
